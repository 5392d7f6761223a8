/* What one commit says together, on both stores: an outcome and the settings that follow from it. */
#include "store_fixture.h"

/* ---- an outcome with settings ---- */

struct seen {
    uint64_t rev, version;
    int64_t run;
};

static void see(void *ctx, const struct th_row *r)
{
    struct seen *seen = ctx;

    if (r->kind == TH_ROW_ENDPOINT && r->no == 5)
        seen->rev = r->rev;
    else if (r->kind == TH_ROW_FACT && r->no == 5)
        seen->run = r->fact[2];
    else if (r->kind == TH_ROW_TENANT && r->no == 1)
        seen->version = r->rev;
}

static struct seen look(struct fx *f)
{
    struct seen seen = {0};

    assert_int_equal(f->store->vt->settings(f->store, see, &seen), TH_OK);
    return seen;
}

/* A tenant at version 2 with endpoint 5 and one delivery of it; what disables it in rows. */
static uint64_t one_delivery(struct fx *f, struct th_row rows[2])
{
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}");
    struct th_config c = fx_config(1, 1, &row, 1);
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);

    fx_tenant(f, 1, "t");
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    a.settings_version = 2;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    rows[0] = fx_endpoint_row(5, 1, 2, "{\"disabled_at\":1}");
    rows[1] = (struct th_row){.kind = TH_ROW_FACT, .no = 5, .tenant = 1, .fact = {1, 2, 3}};
    return e.first_delivery;
}

static void an_outcome_takes_its_settings_along(void **state)
{
    struct fx *f = *state;
    struct th_row rows[2];
    uint64_t d = one_delivery(f, rows);
    struct th_config with = fx_config(1, 2, rows, 2);
    struct th_settle s = fx_settle(d, 0, TH_DS_EXHAUSTED);
    struct seen seen;

    s.with = &with;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
    assert_int_equal(with.result, TH_CONFIG_DONE);
    assert_int_equal(with.new_version, 3);
    seen = look(f);
    assert_int_equal(seen.rev, 2);
    assert_int_equal(seen.version, 3);
    assert_int_equal(seen.run, 3);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_EXHAUSTED);

    with.new_version = 0; /* the same once more, after an unknown outcome: it happened, once */
    with.result = TH_CONFIG_STALE;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
    assert_int_equal(with.result, TH_CONFIG_DONE);
    assert_int_equal(with.new_version, 3);
    assert_int_equal(look(f).version, 3);
    assert_int_equal(fx_count_attempts(f, 1, d), 1);
}

static void settings_of_an_outcome_that_is_late_do_not_change(void **state)
{
    struct fx *f = *state;
    struct th_row rows[2];
    uint64_t d = one_delivery(f, rows);
    struct th_config with = fx_config(1, 2, rows, 2);
    struct th_settle s = fx_settle(d, 1, TH_DS_EXHAUSTED);

    s.with = &with;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_false(s.applied);
    assert_int_equal(look(f).rev, 1);
    assert_int_equal(look(f).version, 2);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_QUEUED);
}

static void an_outcome_whose_settings_are_refused_has_not_happened(void **state)
{
    struct fx *f = *state;
    struct th_row rows[2];
    uint64_t d = one_delivery(f, rows);
    struct th_config with = fx_config(1, 1, rows, 2); /* of an older version */
    struct th_settle s = fx_settle(d, 0, TH_DS_EXHAUSTED);

    s.with = &with;
    assert_int_equal(fx_run(f, &s.op), TH_CONFLICT);
    assert_int_equal(with.result, TH_CONFIG_STALE);
    assert_int_equal(look(f).rev, 1);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_QUEUED);
    assert_int_equal(fx_count_attempts(f, 1, d), 0);
    s.with = NULL;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_outcome_takes_its_settings_along),
        BOTH(settings_of_an_outcome_that_is_late_do_not_change),
        BOTH(an_outcome_whose_settings_are_refused_has_not_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
