/* The controls of the memory store: what commits when, what fails, what a crash drops; and that a failed
 * allocation leaves no trace. */
#include "store_fixture.h"

static int set_up(void **state)
{
    struct fx *f = fx_new(FX_MEMORY);

    *state = f;
    fx_open(f);
    fx_tenant(f, 1, "t");
    return 0;
}

static int tear_down(void **state)
{
    th_alloc_fail_after(0);
    fx_free(*state);
    return 0;
}

static uint32_t queued(struct fx *f)
{
    struct th_queue_row rows[50];

    return fx_walk(f, 0, 0, rows, 50, NULL);
}

static void only_steps_commit(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[4];
    struct th_accept a[4];
    unsigned before = f->done;

    th_store_memory_auto(f->store, false);
    for (int i = 0; i < 4; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        fx_submit(f, &a[i].op);
    }
    assert_int_equal(f->store->vt->drain(f->session, 10), 0);
    assert_int_equal(th_store_memory_step(f->store, 2), 2);
    assert_int_equal(f->store->vt->drain(f->session, 1), 1);
    assert_int_equal(f->store->vt->drain(f->session, 10), 1);
    assert_int_equal(f->done, before + 2);
    assert_int_equal(th_store_memory_step(f->store, 10), 2);
    assert_int_equal(f->store->vt->drain(f->session, 10), 2);
    th_store_memory_auto(f->store, true);
    assert_int_equal(queued(f), 4);
}

static void a_crash_keeps_what_is_committed(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[3];
    struct th_accept a[3];
    unsigned before = f->done;

    th_store_memory_auto(f->store, false);
    for (int i = 0; i < 3; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        fx_submit(f, &a[i].op);
    }
    assert_int_equal(th_store_memory_step(f->store, 1), 1);
    th_store_memory_crash(f->store); /* committed, but its owner never heard of it */
    assert_int_equal(f->done, before);
    th_store_memory_auto(f->store, true);
    fx_attach(f);
    assert_int_equal(queued(f), 1);
}

static void failures_are_as_ordered(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_probe p = {.op = {.kind = TH_OP_PROBE}};

    th_store_memory_fail(f->store, TH_FULL, 2, false);
    assert_int_equal(fx_run(f, &a.op), TH_FULL);
    assert_int_equal(fx_run(f, &p.op), TH_FULL);
    assert_int_equal(queued(f), 0); /* reads do not count, and nothing happened */
    assert_int_equal(fx_run(f, &p.op), TH_OK);

    th_store_memory_fail(f->store, TH_UNKNOWN, 1, false);
    assert_int_equal(fx_run(f, &a.op), TH_UNKNOWN);
    assert_int_equal(queued(f), 0);
    th_store_memory_fail(f->store, TH_UNKNOWN, 1, true);
    assert_int_equal(fx_run(f, &a.op), TH_UNKNOWN);
    assert_int_equal(queued(f), 1);
    assert_int_equal(fx_run(f, &a.op), TH_OK); /* sent again: as once */
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_int_equal(queued(f), 1);

    th_store_memory_fail(f->store, TH_IO, 1, false);
    assert_int_equal(fx_run(f, &p.op), TH_IO);
    assert_int_equal(fx_run(f, &p.op), TH_IO); /* for good */
    th_store_memory_crash(f->store);
    fx_attach(f);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(queued(f), 1);
}

static void every_failing_allocation_leaves_no_trace(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, n, d = 0;
    struct th_new_event e[2];
    struct th_accept a;
    struct th_settle s;
    struct th_page p;
    struct th_row rows[] = {fx_endpoint_row(5, 1, 1, "{}"), fx_endpoint_row(6, 1, 1, "{}")};
    struct th_settings_op c = fx_settings(1, 1, rows, 2);
    enum th_error error = TH_NOMEM;

    for (n = 1; error == TH_NOMEM; n++) {
        e[0] = fx_event(eps, 2, "{}");
        e[1] = fx_event(eps, 1, "{}");
        e[0].external_id = TH_LIT("mine");
        a = fx_accept(1, T0, e, 2);
        a.idem.given = true;
        th_alloc_fail_after(n);
        error = fx_run(f, &a.op);
        th_alloc_fail_after(0);
        assert_int_equal(queued(f), error == TH_OK ? 3 : 0);
    }
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_true(n > 6);
    d = e[0].first_delivery;
    for (n = 1, error = TH_NOMEM; error == TH_NOMEM; n++) {
        s = fx_settle(d, 0, TH_DS_DELIVERED);
        th_alloc_fail_after(n);
        error = fx_run(f, &s.op);
        th_alloc_fail_after(0);
        assert_int_equal(fx_state(f, 1, d, NULL), error == TH_OK ? TH_DS_DELIVERED : TH_DS_QUEUED);
    }
    assert_true(s.applied);
    for (n = 1, error = TH_NOMEM; error == TH_NOMEM; n++) {
        p = fx_page(TH_PAGE_ATTEMPTS, 1);
        p.with_answers = p.with_data = true;
        th_alloc_fail_after(n);
        error = fx_run(f, &p.op);
        th_alloc_fail_after(0);
        assert_int_equal(p.count, error == TH_OK);
    }
    f->store->vt->page_free(f->store, &p);
    for (n = 1, error = TH_NOMEM; error == TH_NOMEM; n++) {
        th_alloc_fail_after(n);
        error = fx_run(f, &c.op);
        th_alloc_fail_after(0);
    }
    assert_int_equal(c.result, TH_SETTINGS_DONE); /* still version 1 until now */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_steps_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_keeps_what_is_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_as_ordered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_failing_allocation_leaves_no_trace, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
