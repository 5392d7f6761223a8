/* An endpoint's own schedule: what is read is written and read again the same, what a dialect does not allow is refused with its
 * place, and the rules in force are the dialect's wherever the endpoint sets nothing. */
#include "core/retry.h"
#include "core/retry_own.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct th_rules open_rules(void)
{
    return (struct th_rules){.delay_s = {5, 300, 1800},
                             .delays = 3,
                             .jitter_percent = 10,
                             .success = {.range = {{200, 299}}, .count = 1},
                             .disable = {.range = {{410, 410}}, .count = 1},
                             .retry_after = {.range = {{429, 429}}, .count = 1},
                             .retry_after_max_s = 3600,
                             .own_delays = 4,
                             .own_s = 10000};
}

static enum th_error parse(const char *text, struct th_retry_own *own, struct th_retry_fault *fault)
{
    struct th_json json;

    *own = (struct th_retry_own){.delays = 0};
    *fault = (struct th_retry_fault){.pointer = ""};
    assert_int_equal(th_json_parse(th_str(text), 8, &json, NULL), TH_OK);
    return th_retry_own_read(json, own, fault);
}

static void faults_have_their_place(void **state)
{
    static const struct {
        const char *text, *pointer;
    } bad[] = {{"[]", ""},
               {"{\"delay\":[5]}", ""},
               {"{\"delays\":5}", "/delays"},
               {"{\"delays\":[5,0]}", "/delays/1"},
               {"{\"delays\":[1.5]}", "/delays/0"},
               {"{\"delays\":[\"m\"]}", "/delays/0"},
               {"{\"delays\":[\"5x\"]}", "/delays/0"},
               {"{\"delays\":[\"0s\"]}", "/delays/0"},
               {"{\"delays\":[\"-5s\"]}", "/delays/0"},
               {"{\"delays\":[\"999999999d\"]}", "/delays/0"},
               {"{\"delays\":[5],\"delays\":[6]}", "/delays"},
               {"{\"jitter_percent\":101}", "/jitter_percent"},
               {"{\"jitter_percent\":\"5\"}", "/jitter_percent"},
               {"{\"final\":[\"4xx\",\"600\"]}", "/final/1"},
               {"{\"final\":[\"4x\"]}", "/final/0"},
               {"{\"respect_retry_after\":1}", "/respect_retry_after"}};
    static const struct {
        const char *text, *pointer;
    } refused[] = {{"{\"delays\":[1,2,3,4,5]}", "/delays"},
                   {"{\"delays\":[5000,5001]}", "/delays"},
                   {"{\"final\":[\"404\",\"2xx\"]}", "/final/1"}};
    struct th_rules rules = open_rules(), closed = rules;
    struct th_retry_own own;
    struct th_retry_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i].text, &own, &fault), TH_INVALID);
        assert_string_equal(fault.pointer, bad[i].pointer);
        assert_true(fault.what[0]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(parse(refused[i].text, &own, &fault), TH_OK);
        assert_int_equal(th_retry_own_check(&rules, &own, &fault), TH_INVALID);
        assert_string_equal(fault.pointer, refused[i].pointer);
    }
    closed.own_delays = 0;
    assert_int_equal(parse("{\"delays\":[5]}", &own, &fault), TH_OK);
    assert_int_equal(th_retry_own_check(&rules, &own, &fault), TH_OK);
    assert_int_equal(th_retry_own_check(&closed, &own, &fault), TH_INVALID);
}

/* Members as bits of `which`, with values of `n`. */
static struct th_retry_own drawn(unsigned which, unsigned n)
{
    struct th_retry_own own = {.delays = 0};

    own.has_delays = which & 1;
    own.delays = (uint8_t)(which & 1 ? n % 5 : 0);
    for (unsigned i = 0; i < own.delays; i++)
        own.delay_s[i] = 1 + n * 7 % 1000 + i;
    own.has_jitter = which & 2;
    own.jitter_percent = (uint8_t)(which & 2 ? n % 101 : 0);
    own.has_final = which & 4;
    own.final.count = (uint8_t)(which & 4 ? n % 3 : 0);
    own.final.range[0] = (struct th_status_range){400, 499};
    own.final.range[1] = (struct th_status_range){(uint16_t)(500 + n % 50), (uint16_t)(500 + n % 100)};
    if (own.final.range[1].hi < own.final.range[1].lo)
        own.final.range[1].hi = own.final.range[1].lo;
    own.respect = (enum th_retry_respect)(which >> 3 & 3) == 3 ? 0 : (enum th_retry_respect)(which >> 3 & 3);
    return own;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2000; n++) {
        struct th_retry_own own = drawn(n, n * 31), back;
        struct th_retry_fault fault;
        struct th_buf text;
        struct th_jw w = th_jw(&text);

        th_buf_init(&text, 4096);
        th_retry_own_write(&own, &w);
        th_buf_char(&text, 0);
        assert_int_equal(parse(text.p, &back, &fault), TH_OK);
        assert_true(th_retry_own_same(&own, &back));
        assert_int_equal(th_retry_own_any(&back),
                         n % 32 && own.respect + own.has_delays + own.has_final + own.has_jitter);
        if (th_retry_own_any(&own))
            assert_false(th_retry_own_same(&own, NULL));
        th_buf_fini(&text);
    }
}

/* Every member comes from the endpoint where it is set, and from the dialect where not; in all of them the number of attempts and the
 * length of each wait are those of the schedule in force. */
static void in_force(void **state)
{
    struct th_rules rules = open_rules(), room, closed = rules;

    (void)state;
    assert_ptr_equal(th_retry_rules(&rules, NULL, &room), &rules);
    closed.own_delays = 0;
    for (unsigned n = 0; n < 2000; n++) {
        struct th_retry_own own = drawn(n, n * 17);
        const struct th_rules *r = th_retry_rules(&rules, &own, &room);
        struct th_next_step step = {.verdict = TH_V_AGAIN};
        int64_t all = 0, longest = 0;
        unsigned tries = 0;

        assert_ptr_equal(th_retry_rules(&closed, &own, &(struct th_rules){.delays = 0}), &closed);
        assert_int_equal(r->delays, own.has_delays ? own.delays : 3);
        assert_int_equal(r->jitter_percent, own.has_jitter ? own.jitter_percent : 10);
        assert_int_equal(th_status_in(&r->final, 404), own.has_final && own.final.count > 0);
        assert_int_equal(r->retry_after.count, own.respect == TH_RETRY_AFTER_NO ? 0 : 1);
        assert_int_equal(r->own_s, rules.own_s);
        while (step.verdict == TH_V_AGAIN) {
            step = th_retry_step(r, TH_HTTP_TIMEOUT, 0, UINT32_MAX, tries, UINT32_MAX, false);
            all += step.delay_ms;
            longest = step.delay_ms > longest ? step.delay_ms : longest;
            tries++;
        }
        assert_int_equal(tries, r->delays + 1u);
        assert_in_range(th_retry_longest_ms(r) - all, 0, 2 * r->delays);
        assert_in_range(th_retry_longest_delay_ms(r) - longest, 0, 2);
    }
    rules.retry_after.count = 0;
    assert_true(th_status_in(
        &th_retry_rules(&rules, &(struct th_retry_own){.respect = TH_RETRY_AFTER_YES}, &room)->retry_after,
        503));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_their_place),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(in_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
