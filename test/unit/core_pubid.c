/* Public ids: both forms lead back to time, random bits and number, for values at the edges and many others;
 * texts that are almost ids are refused; UUIDs have version and variant of RFC 9562. */
#include "core/pubid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers_do_not_show),
        cmocka_unit_test(test_hidden_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
