/* Sessions of browsers in virtual time: idle, old, used up, pushed out. */
#include "api/session.h"
#include "base/alloc.h"
#include "port/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static const struct th_api_session_times times = {60, 600};
static const uint8_t alice[32] = {1}, bob[32] = {2};
static const struct th_addr from = {0};
static struct th_api_sessions *sessions;

/* Each call gives other bytes. */
static void fill(void *ctx, void *p, size_t n)
{
    uint64_t *count = ctx;

    ++*count;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)(*count >> 8 * (i % 8));
}

static uint64_t fills;
static const struct th_entropy entropy = {.fill = fill, .ctx = &fills};

static struct th_now at(int64_t s)
{
    return (struct th_now){{s * S}, {s * 1000}};
}

static void make(enum th_api_session_kind kind, const uint8_t key[32], int64_t s, char token[TH_API_TOKEN])
{
    struct th_api_session made;

    th_api_session_make(sessions, kind, key, &entropy, at(s), times, &from, token, &made);
}

static bool find(enum th_api_session_kind kind, const char *token, int64_t s, int64_t idle_s)
{
    struct th_api_session found;

    return th_api_session_find(sessions, kind, th_str(token), at(s), idle_s, &found);
}

static int setup(void **state)
{
    (void)state;
    sessions = th_calloc(1, sizeof *sessions);
    th_api_sessions_init(sessions);
    return sessions == NULL;
}

static int teardown(void **state)
{
    (void)state;
    th_api_sessions_fini(sessions);
    th_free(sessions);
    return 0;
}

static void idle_ends_it(void **state)
{
    char token[TH_API_TOKEN];

    (void)state;
    make(TH_SESSION_OPEN, alice, 0, token);
    assert_true(find(TH_SESSION_OPEN, token, 59, 60)); /* used: 60 s more */
    assert_true(find(TH_SESSION_OPEN, token, 118, 0)); /* looked at: no more */
    assert_false(find(TH_SESSION_OPEN, token, 119, 60));
    assert_false(find(TH_SESSION_OPEN, token, 120, 60)); /* and stays so */
}

static void use_does_not_keep_it_for_ever(void **state)
{
    char token[TH_API_TOKEN];

    (void)state;
    make(TH_SESSION_OPEN, alice, 0, token);
    for (int64_t s = 30; s < 600; s += 30)
        assert_true(find(TH_SESSION_OPEN, token, s, 60));
    assert_false(find(TH_SESSION_OPEN, token, 600, 60));
}

static void a_link_is_no_session(void **state)
{
    struct th_api_session made;
    char link[TH_API_TOKEN], token[TH_API_TOKEN];

    (void)state;
    make(TH_SESSION_LINK, alice, 0, link);
    make(TH_SESSION_OPEN, alice, 0, token);
    assert_false(find(TH_SESSION_OPEN, link, 1, 60));
    assert_false(find(TH_SESSION_LINK, token, 1, 0));
    assert_true(th_api_session_find(sessions, TH_SESSION_LINK, th_str(link), at(1), 0, &made));
    assert_true(th_api_session_end(sessions, made.hash)); /* the first who ends it may */
    assert_false(th_api_session_end(sessions, made.hash));
    assert_false(find(TH_SESSION_LINK, link, 1, 0));
}

/* The table is full of sessions of many keys; one key that makes more loses its own oldest. */
static void who_makes_many_pushes_out_his_own(void **state)
{
    char first[TH_API_TOKEN], second[TH_API_TOKEN], token[TH_API_TOKEN], other[TH_API_TOKEN];
    struct th_api_session *all = th_calloc(TH_API_SESSIONS, sizeof *all);

    (void)state;
    make(TH_SESSION_OPEN, bob, 0, other);
    make(TH_SESSION_OPEN, alice, 1, first);
    make(TH_SESSION_OPEN, alice, 2, second);
    for (int i = 2; i < TH_API_KEY_SESSIONS; i++)
        make(TH_SESSION_OPEN, alice, 3, token);
    assert_true(find(TH_SESSION_OPEN, first, 4, 60)); /* used: not the oldest any more */
    make(TH_SESSION_OPEN, alice, 5, token);
    assert_true(find(TH_SESSION_OPEN, first, 6, 60));
    assert_false(find(TH_SESSION_OPEN, second, 6, 60));
    assert_true(find(TH_SESSION_OPEN, other, 6, 60));
    assert_int_equal(th_api_session_list(sessions, at(6), all), TH_API_KEY_SESSIONS + 1);
    assert_int_equal(all[0].made_ms, 5000);
    assert_int_equal(th_api_session_list(sessions, at(600), all), 0);
    th_free(all);
}

static void a_full_table_lets_the_least_used_go(void **state)
{
    char oldest[TH_API_TOKEN], token[TH_API_TOKEN];
    uint8_t key[32] = {0};

    (void)state;
    make(TH_SESSION_OPEN, bob, 0, oldest);
    for (int i = 1; i < TH_API_SESSIONS; i++) {
        key[0] = (uint8_t)(3 + i / TH_API_KEY_SESSIONS);
        make(TH_SESSION_OPEN, key, 1, token);
    }
    assert_true(find(TH_SESSION_OPEN, oldest, 1, 0));
    make(TH_SESSION_OPEN, alice, 2, token);
    assert_false(find(TH_SESSION_OPEN, oldest, 2, 0));
    assert_true(find(TH_SESSION_OPEN, token, 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idle_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(use_does_not_keep_it_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_is_no_session, setup, teardown),
        cmocka_unit_test_setup_teardown(who_makes_many_pushes_out_his_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_table_lets_the_least_used_go, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
