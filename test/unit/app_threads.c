/* How many threads there are when nobody says. */
#include "app/threads.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>

static void a_quota_is_whole_processors(void **state)
{
    (void)state;
    assert_int_equal(th_app_threads_quota(TH_LIT("max 100000"), 16), 16);
    assert_int_equal(th_app_threads_quota(TH_LIT("200000 100000"), 16), 2);
    assert_int_equal(th_app_threads_quota(TH_LIT("250000 100000"), 16), 2);
    assert_int_equal(th_app_threads_quota(TH_LIT("50000 100000"), 16), 1);
    assert_int_equal(th_app_threads_quota(TH_LIT("3200000 100000"), 16), 16);
    assert_int_equal(th_app_threads_quota(TH_LIT("9223372036854775807 1"), 16), 16);
}

static void what_is_no_quota_sets_none(void **state)
{
    static const char *const texts[] = {"", "x", "100000", "100000 0", "100000 x", "-1 100000", " 1"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(th_app_threads_quota(th_str(texts[i]), 5), 5);
}

/* One processor is left to the store. */
static unsigned expected(unsigned processors)
{
    unsigned n = processors > 1 ? processors - 1 : 1;

    return n < TH_APP_THREADS_DEFAULT ? n : TH_APP_THREADS_DEFAULT;
}

/* The processors that are left to the process count, not those of the machine. */
static void as_many_as_may_be_used(void **state)
{
    static struct th_settings settings; /* 0 */
    cpu_set_t all, one;
    size_t first = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(th_app_threads(&settings), expected((unsigned)CPU_COUNT(&all)));
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(th_app_threads(&settings), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void what_is_asked_for_is_given(void **state)
{
    static struct th_settings settings;

    (void)state;
    settings.v[TH_O_THREADS] = (struct th_value){.text = "24", .number = 24};
    assert_int_equal(th_app_threads(&settings), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_is_whole_processors),
        cmocka_unit_test(what_is_no_quota_sets_none),
        cmocka_unit_test(as_many_as_may_be_used),
        cmocka_unit_test(what_is_asked_for_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
