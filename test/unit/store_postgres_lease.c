/* When the lease of a node allows a request, without a database. */
#include "store/postgres/postgres_lease.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void renewed(struct pg_lease *l, int64_t sent_us)
{
    l->sent_us = sent_us;
    l->seq++;
    pg_lease_confirm(l);
}

/* Renewed in time, it holds; renewed too late, it holds once the engine knows what others did meanwhile. */
static void test_lapse(void **state)
{
    struct pg_lease l = {.ttl_ms = 100000, .share = true};
    uint32_t lapses;

    (void)state;
    assert_false(pg_lease_holds(&l));
    atomic_store(&l.confirmed_us, pg_lease_now_us());
    assert_true(pg_lease_holds(&l));
    renewed(&l, pg_lease_now_us());
    assert_true(pg_lease_holds(&l));

    atomic_store(&l.confirmed_us, pg_lease_now_us() - 70 * 1000000);
    assert_false(pg_lease_holds(&l));
    lapses = atomic_load(&l.lapses);
    renewed(&l, pg_lease_now_us());
    assert_false(pg_lease_holds(&l));
    pg_lease_caught_up(&l, lapses); /* a look that began before the renewal */
    assert_false(pg_lease_holds(&l));
    pg_lease_caught_up(&l, atomic_load(&l.lapses));
    assert_true(pg_lease_holds(&l));
    assert_int_equal(l.acknowledged, l.seq);
}

/* Sent in time, and confirmed too late: others have seen it end. */
static void test_late_answer(void **state)
{
    struct pg_lease l = {.ttl_ms = 100000, .share = true};

    (void)state;
    atomic_store(&l.confirmed_us, pg_lease_now_us() - 70 * 1000000);
    renewed(&l, pg_lease_now_us() - 10 * 1000000);
    assert_false(pg_lease_holds(&l));
}

/* Nobody but the one node changes anything. */
static void test_alone(void **state)
{
    struct pg_lease l = {.ttl_ms = 100000};

    (void)state;
    atomic_store(&l.confirmed_us, pg_lease_now_us() - 100 * 1000000);
    renewed(&l, pg_lease_now_us());
    assert_true(pg_lease_holds(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lapse),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
