/* Bounded buffer: growth to the maximum and not beyond, sticky failure, every allocation failing once. */
#include "base/alloc.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void fills_to_its_maximum(void **state)
{
    struct th_buf b;
    (void)state;

    for (size_t max = 0; max < 200; max++) {
        th_buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            th_buf_char(&b, (char)('a' + i % 26));
        assert_int_equal(b.failed, TH_OK);
        assert_int_equal(b.n, max);
        assert_int_equal(strlen(th_buf_cstr(&b)), max);
        assert_true(b.cap <= max + 1 || b.cap <= 64);
        th_buf_char(&b, 'x');
        assert_int_equal(b.failed, TH_TOO_LARGE);
        assert_int_equal(b.n, max);
        th_buf_reset(&b);
        assert_int_equal(b.failed, TH_OK);
        th_buf_fini(&b);
    }
}

static void failure_sticks(void **state)
{
    struct th_buf b;
    (void)state;

    th_buf_init(&b, 4);
    th_buf_str(&b, "abc");
    th_buf_str(&b, "de");
    th_buf_char(&b, 'f'); /* would fit */
    assert_int_equal(b.failed, TH_TOO_LARGE);
    assert_true(th_span_is(th_buf_view(&b), "abc"));
    assert_string_equal(th_buf_cstr(&b), "");
    assert_null(th_buf_room(&b, 1));
    th_buf_fini(&b);
}

static void refuses_absurd_sizes(void **state)
{
    struct th_buf b;
    (void)state;

    th_buf_init(&b, 100);
    th_buf_str(&b, "x");
    assert_null(th_buf_room(&b, SIZE_MAX));
    assert_int_equal(b.failed, TH_TOO_LARGE);
    th_buf_fini(&b);
    th_buf_init(&b, SIZE_MAX); /* no maximum: must neither wrap nor loop */
    th_buf_str(&b, "x");
    th_alloc_fail_after(1);
    assert_null(th_buf_room(&b, SIZE_MAX - 1));
    th_alloc_fail_after(0);
    assert_int_equal(b.failed, TH_NOMEM);
    assert_int_equal(b.n, 1);
    th_buf_fini(&b);
}

static void numbers(void **state)
{
    struct th_buf b;
    (void)state;

    th_buf_init(&b, 200);
    th_buf_u64(&b, 0);
    th_buf_char(&b, ' ');
    th_buf_u64(&b, UINT64_MAX);
    th_buf_char(&b, ' ');
    th_buf_i64(&b, INT64_MIN);
    th_buf_char(&b, ' ');
    th_buf_i64(&b, -7);
    assert_string_equal(th_buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 -7");
    th_buf_fini(&b);
}

static void print(void **state)
{
    char text[2000];
    struct th_buf b;
    (void)state;

    memset(text, 'z', sizeof text);
    text[sizeof text - 1] = 0;
    for (int n = 500; n < 530; n++) { /* around the size of the inner buffer; exactly at the maximum */
        th_buf_init(&b, (size_t)n);
        th_buf_printf(&b, "%.*s", n, text);
        assert_int_equal(b.failed, TH_OK);
        assert_int_equal(b.n, n);
        th_buf_fini(&b);
        th_buf_init(&b, (size_t)n - 1);
        th_buf_printf(&b, "%.*s", n, text);
        assert_int_equal(b.failed, TH_TOO_LARGE);
        th_buf_fini(&b);
    }
}

static void shift(void **state)
{
    struct th_buf b;
    (void)state;

    th_buf_init(&b, 100);
    th_buf_shift(&b, 0);
    th_buf_str(&b, "hello world");
    th_buf_shift(&b, 6);
    assert_true(th_span_is(th_buf_view(&b), "world"));
    th_buf_shift(&b, 5);
    assert_int_equal(b.n, 0);
    th_buf_wipe(&b);
    assert_int_equal(b.cap, 0);
    assert_int_equal(b.max, 100);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct th_buf b;
        enum th_error failed;

        th_buf_init(&b, 10000);
        th_alloc_fail_after(n);
        for (unsigned i = 0; i < 100; i++)
            th_buf_printf(&b, "%0*u", 60, i);
        th_buf_cstr(&b);
        failed = b.failed;
        th_alloc_fail_after(0);
        th_buf_fini(&b);
        if (!failed) {
            assert_true(n > 3);
            return;
        }
        assert_int_equal(failed, TH_NOMEM);
    }
}

static void decimal_spans(void **state)
{
    uint64_t v = 1;
    (void)state;

    assert_true(th_span_u64(TH_LIT("0"), 0, &v));
    assert_int_equal(v, 0);
    assert_true(th_span_u64(TH_LIT("9999999999999999999"), UINT64_MAX, &v));
    assert_true(v == 9999999999999999999u);
    assert_false(th_span_u64(TH_LIT("10000000000000000000"), UINT64_MAX, &v)); /* 20 digits */
    assert_false(th_span_u64(TH_LIT("65536"), 65535, &v));
    assert_false(th_span_u64(TH_LIT(""), 9, &v));
    assert_false(th_span_u64(TH_LIT("-1"), 9, &v));
    assert_false(th_span_u64(TH_LIT("+1"), 9, &v));
    assert_false(th_span_u64(TH_LIT(" 1"), 9, &v));
    assert_false(th_span_u64(TH_LIT("1x"), 99, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_to_its_maximum),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(refuses_absurd_sizes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(print),
        cmocka_unit_test(shift),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(decimal_spans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
