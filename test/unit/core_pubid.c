/* Public ids: both forms lead back to time, random bits and number, for values at the edges and many others;
 * texts that are almost ids are refused; UUIDs have version and variant of RFC 9562. */
#include "core/pubid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t key[16] = "0123456789abcde";

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void one(struct th_pubid id)
{
    struct th_span prefix = TH_LIT("x_");
    struct th_pubid back;
    struct th_buf text;

    th_buf_init(&text, 128);
    th_pubid_format(&text, key, prefix, id);
    assert_int_equal(text.n, 28);
    assert_true(th_pubid_parse(key, prefix, th_buf_view(&text), &back));
    assert_true(back.at.ms == id.at.ms && back.rnd == id.rnd && back.no == id.no);
    th_buf_reset(&text);
    th_pubid_format_uuid(&text, key, prefix, id);
    assert_int_equal(text.n, 38);
    assert_int_equal(text.p[2 + 14], '7');
    assert_non_null(memchr("89ab", text.p[2 + 19], 4));
    assert_true(th_pubid_parse_uuid(key, prefix, th_buf_view(&text), &back));
    assert_true(back.at.ms == id.at.ms && back.rnd == id.rnd && back.no == id.no);
    assert_false(th_pubid_parse(key, prefix, th_buf_view(&text), &back));
    th_buf_fini(&text);
}

static void test_round_trip(void **state)
{
    uint64_t seed = 1;
    (void)state;

    one((struct th_pubid){{0}, 0, 1});
    one((struct th_pubid){
        {0xffffffffffff}, (1u << 27) - 1, (uint64_t)0x1fff << 40 | (((uint64_t)1 << 34) - 1)});
    for (unsigned i = 0; i < 100000; i++)
        one((struct th_pubid){{(int64_t)(next(&seed) >> 16)},
                              (uint32_t)(next(&seed) >> 37),
                              (next(&seed) >> 51) << 40 | (next(&seed) >> 30 >> next(&seed) % 33) | 1});
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "0196e2ab-7c00-7a3b-8c4d-0123456789a",
        "0196e2ab-7c00-7a3b-8c4d-0123456789abc",
        "0196E2AB-7c00-7a3b-8c4d-0123456789ab", /* one text for one id: lower case */
        "0196e2ab-7c00-4a3b-8c4d-0123456789ab", /* version 4 */
        "0196e2ab-7c00-7a3b-cc4d-0123456789ab", /* another variant */
        "0196e2ab-7c00-7a3b-0c4d-0123456789ab",
        "0196e2ab07c00-7a3b-8c4d-0123456789ab",
        "0196e2ab-7c00-7a3b-8c4d-01234567-9ab",
        "0196e2ab-7c00-7a3b-8c4d-0123456789ag",
    };
    struct th_pubid id;
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (th_pubid_parse_uuid(key, th_span("", 0), th_str(texts[i]), &id))
            fail_msg("%s was read", texts[i]);
    assert_true(
        th_pubid_parse_uuid(key, th_span("", 0), TH_LIT("0196e2ab-7c00-7a3b-8c4d-0123456789ab"), &id));
    assert_false(th_pubid_parse_uuid(key, TH_LIT("d"), TH_LIT("0196e2ab-7c00-7a3b-8c4d-0123456789ab"), &id));
}

/* Every id of neighbouring rows differs in more than its end: numbers do not show. */
static void test_numbers_do_not_show(void **state)
{
    struct th_buf a, b;
    unsigned same = 0;
    (void)state;

    th_buf_init(&a, 64);
    th_buf_init(&b, 64);
    th_pubid_format_uuid(&a, key, th_span("", 0), (struct th_pubid){{1775116800000}, 5, 7});
    th_pubid_format_uuid(&b, key, th_span("", 0), (struct th_pubid){{1775116800000}, 6, 8});
    for (size_t i = 24; i < 36; i++)
        same += a.p[i] == b.p[i];
    assert_in_range(same, 0, 5);
    th_buf_fini(&a);
    th_buf_fini(&b);
}

/* A permutation, by key and tweak; neighbours lie far apart. */
static void test_hidden_numbers(void **state)
{
    static const uint8_t other[16] = "fedcba987654321";
    (void)state;

    for (uint64_t no = 0; no < 2000; no++) {
        uint64_t n = no * no * no + (no << 40), hidden = th_pubid_hide(key, no & 3, n);
        uint64_t next = th_pubid_hide(key, no & 3, n + 1),
                 gap = next > hidden ? next - hidden : hidden - next;

        assert_true(th_pubid_show(key, no & 3, hidden) == n);
        assert_true(th_pubid_show(key, (no & 3) + 1, hidden) != n);
        assert_true(th_pubid_show(other, no & 3, hidden) != n);
        assert_true(gap > 1u << 20);
    }
}

static int rising(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x > y ? 1 : x < y ? -1 : 0;
}

/* Numbers around the first masked one: each id once, those of before as they are, all below 2^53. */
static void numbers_from(uint64_t from, uint64_t tweak, unsigned count)
{
    enum { BEFORE = 1000 };
    uint64_t *shown = calloc(count, sizeof *shown), first = from > BEFORE ? from - BEFORE : 1;

    assert_non_null(shown);
    for (unsigned i = 0; i < count; i++) {
        uint64_t no = first + i;

        shown[i] = th_pubid_number(key, tweak, from, no);
        assert_true(th_pubid_number_of(key, tweak, from, shown[i]) == no);
        assert_true(no < from ? shown[i] == no : shown[i] >= from && shown[i] < 1ull << 53);
        /* the next one may be anywhere */
        if (no > from &&
            (shown[i] > shown[i - 1] ? shown[i] - shown[i - 1] : shown[i - 1] - shown[i]) < 1u << 16)
            fail_msg("the ids of %llu and of the number before are neighbours", (unsigned long long)no);
    }
    qsort(shown, count, sizeof *shown, rising);
    for (unsigned i = 1; i < count; i++)
        assert_true(shown[i] != shown[i - 1]);
    free(shown);
}

static void test_integers(void **state)
{
    const uint64_t top = 1ull << 53;
    unsigned rise = 0, odd = 0, high = 0;
    (void)state;

    numbers_from(1, 0, 1000000);
    numbers_from(((uint64_t)333 << 40) + 70001, 1, 50000); /* what a clock of the year 2026 gives */
    numbers_from(1ull << 52, 2, 50000);                    /* and one of 2037 */
    for (uint64_t no = 1; no <= 10000; no++) {             /* bits and order say nothing */
        uint64_t shown = th_pubid_number(key, 0, 1, no);
        rise += shown > th_pubid_number(key, 0, 1, no + 1);
        odd += (shown & 1) != 0;
        high += shown >= 1ull << 52;
    }
    assert_in_range(rise, 4700, 5300);
    assert_in_range(odd, 4700, 5300);
    assert_in_range(high, 4700, 5300);
    assert_true(th_pubid_number(key, 0, 1, 7) != th_pubid_number(key, 1, 1, 7));
    assert_true(th_pubid_number(key, 0, 1, top - 1) < top);
    assert_true(th_pubid_number(key, 0, top - 5, top - 1) ==
                top - 1); /* LIMIT: beyond 2^52 nothing is masked */
    assert_true(th_pubid_number_of(key, 0, top - 5, top - 1) == top - 1);
    assert_true(th_pubid_number_of(key, 0, 1, top) == 0); /* no such id */
    assert_true(th_pubid_number_of(key, 0, 1, INT64_MAX) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers_do_not_show),
        cmocka_unit_test(test_hidden_numbers),
        cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
