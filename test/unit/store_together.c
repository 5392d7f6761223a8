/* What is one although it is more than one row or one commit, on both stores: an outcome and the settings that follow from
 * it, an accept and the deliveries that it leaves to later steps. */
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
    else if (r->kind == TH_ROW_HEALTH && r->no == 5)
        seen->run = r->health[2];
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
    struct th_settings_op c = fx_settings(1, 1, &row, 1);
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);

    fx_tenant(f, 1, "t");
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    a.settings_version = 2;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    rows[0] = fx_endpoint_row(5, 1, 2, "{\"disabled_at\":1}");
    rows[1] = (struct th_row){.kind = TH_ROW_HEALTH, .no = 5, .tenant = 1, .health = {1, 2, 3}};
    return e.first_delivery;
}

static void an_outcome_takes_its_settings_along(void **state)
{
    struct fx *f = *state;
    struct th_row rows[2];
    uint64_t d = one_delivery(f, rows);
    struct th_settings_op with = fx_settings(1, 2, rows, 2);
    struct th_settle s = fx_settle(d, 0, TH_DS_EXHAUSTED);
    struct seen seen;

    s.with = &with;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
    assert_int_equal(with.result, TH_SETTINGS_DONE);
    assert_int_equal(with.new_version, 3);
    seen = look(f);
    assert_int_equal(seen.rev, 2);
    assert_int_equal(seen.version, 3);
    assert_int_equal(seen.run, 3);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_EXHAUSTED);

    with.new_version = 0; /* the same once more, after an unknown outcome: it happened, once */
    with.result = TH_SETTINGS_STALE;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
    assert_int_equal(with.result, TH_SETTINGS_DONE);
    assert_int_equal(with.new_version, 3);
    assert_int_equal(look(f).version, 3);
    assert_int_equal(fx_count_attempts(f, 1, d), 1);
}

static void settings_of_an_outcome_that_is_late_do_not_change(void **state)
{
    struct fx *f = *state;
    struct th_row rows[2];
    uint64_t d = one_delivery(f, rows);
    struct th_settings_op with = fx_settings(1, 2, rows, 2);
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
    struct th_settings_op with = fx_settings(1, 1, rows, 2); /* of an older version */
    struct th_settle s = fx_settle(d, 0, TH_DS_EXHAUSTED);

    s.with = &with;
    assert_int_equal(fx_run(f, &s.op), TH_CONFLICT);
    assert_int_equal(with.result, TH_SETTINGS_STALE);
    assert_int_equal(look(f).rev, 1);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_QUEUED);
    assert_int_equal(fx_count_attempts(f, 1, d), 0);
    s.with = NULL;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
}

/* ---- fan-out ---- */

enum { MANY = 2500 };

static struct th_fanout step(struct fx *f, uint64_t after, struct th_queue_row *rows)
{
    struct th_fanout o = {.op = {.kind = TH_OP_FANOUT}, .after = after, .rows = rows};

    assert_int_equal(fx_run(f, &o.op), TH_OK);
    return o;
}

/* Two events of one accept with many endpoints each; returns its first delivery. */
static struct th_accept accept_many(struct fx *f, struct th_new_event e[2], const uint64_t *eps)
{
    struct th_accept a;

    e[0] = fx_event(eps, MANY, "{}");
    e[1] = fx_event(eps + 100, 100, "{}");
    e[1].lane = TH_LANE_MANUAL;
    a = fx_accept(1, T0, e, 2);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    return a;
}

static void fill(uint64_t eps[MANY])
{
    for (uint64_t i = 0; i < MANY; i++)
        eps[i] = i % 7 == 6 ? i + 1 : (UINT64_C(1) << 40) + i * 1000; /* in no order */
}

static uint32_t queued(struct fx *f)
{
    static struct th_queue_row rows[10000];
    uint64_t next;

    return fx_walk(f, 0, 0, rows, 10000, &next);
}

static void a_large_accept_queues_the_rest_in_steps(void **state)
{
    static struct th_queue_row rows[TH_FANOUT_STEP];
    struct fx *f = *state;
    uint64_t eps[MANY], no, one = 5, other;
    struct th_new_event e[2];
    struct th_accept a;
    struct th_fanout o;

    fill(eps);
    fx_tenant(f, 1, "t");
    assert_int_equal(step(f, 0, rows).event, 0); /* nothing is left of anything */
    a = accept_many(f, e, eps);
    assert_int_equal(e[0].queued, TH_FANOUT_STEP);
    assert_int_equal(e[1].queued, 0);
    assert_int_equal(e[1].first_delivery, e[0].first_delivery + MANY);
    assert_int_equal(queued(f), TH_FANOUT_STEP);
    fx_publish(f, 1, T0, &one, 1, &other); /* numbered behind what is not queued yet */
    assert_int_equal(other, e[1].first_delivery + 100);
    no = e[0].first_delivery + TH_FANOUT_STEP;
    for (uint32_t left = MANY + 100 - TH_FANOUT_STEP; left; left -= o.count) {
        o = step(f, 0, rows);
        assert_int_equal(o.event, a.first_event);
        assert_int_equal(o.from, no - e[0].first_delivery);
        assert_int_equal(o.count, left < TH_FANOUT_STEP ? left : TH_FANOUT_STEP);
        for (uint32_t i = 0; i < o.count; i++, no++) {
            bool first = no < e[1].first_delivery;
            assert_int_equal(rows[i].no, no);
            assert_int_equal(rows[i].event, first ? e[0].no : e[1].no);
            assert_int_equal(rows[i].endpoint,
                             first ? eps[no - e[0].first_delivery] : eps[100 + no - e[1].first_delivery]);
            assert_int_equal(rows[i].lane, first ? TH_LANE_FRESH : TH_LANE_MANUAL);
            assert_int_equal(rows[i].due, T0);
        }
    }
    assert_int_equal(queued(f), MANY + 101);
    assert_int_equal(fx_state(f, 1, no - 1, NULL), TH_DS_QUEUED);
    o = step(f, 0, rows); /* forgets it */
    assert_int_equal(o.event, a.first_event);
    assert_int_equal(o.count, 0);
    assert_int_equal(step(f, 0, rows).event, 0);
}

/* An unknown outcome: the step is sent again, also when some of what it queued has ended. */
static void a_step_sent_again_is_one_step(void **state)
{
    static struct th_queue_row rows[TH_FANOUT_STEP], before[TH_FANOUT_STEP];
    struct fx *f = *state;
    uint64_t eps[MANY];
    struct th_new_event e[2];
    struct th_fanout o;

    fill(eps);
    fx_tenant(f, 1, "t");
    (void)accept_many(f, e, eps);
    o = step(f, 0, rows);
    memcpy(before, rows, sizeof rows);
    memset(rows, 0, sizeof rows);
    assert_int_equal(fx_run(f, &o.op), TH_OK);
    assert_int_equal(o.count, TH_FANOUT_STEP);
    assert_memory_equal(rows, before, sizeof rows);
    assert_int_equal(queued(f), 2 * TH_FANOUT_STEP);
    assert_true(fx_settle_run(f, rows[TH_FANOUT_STEP - 1].no, 0, TH_DS_DELIVERED)); /* the newest one */
    o = step(f, 0, rows);
    assert_int_equal(o.from, 2 * TH_FANOUT_STEP);
}

static void accepts_take_turns_and_outlive_the_process(void **state)
{
    static struct th_queue_row rows[TH_FANOUT_STEP];
    struct fx *f = *state;
    uint64_t eps[MANY];
    struct th_new_event e[2], g[2];
    struct th_accept a, b;

    fill(eps);
    fx_tenant(f, 1, "t");
    a = accept_many(f, e, eps);
    b = accept_many(f, g, eps);
    assert_int_equal(step(f, 0, rows).event, a.first_event);
    assert_int_equal(step(f, a.first_event, rows).event, b.first_event);
    if (f->kind != FX_MEMORY) {
        fx_close(f);
        fx_open(f);
    }
    assert_int_equal(step(f, b.first_event, rows).event, a.first_event);
    assert_int_equal(rows[0].no, e[0].first_delivery + 2 * TH_FANOUT_STEP);
    assert_int_equal(step(f, a.first_event, rows).event, b.first_event);
    fx_publish(f, 1, T0, eps, 1, &eps[0]); /* no number is given twice */
    assert_int_equal(eps[0], g[1].first_delivery + 100);
}

static void retention_takes_what_is_not_queued_yet(void **state)
{
    static struct th_queue_row rows[TH_FANOUT_STEP];
    struct fx *f = *state;
    uint64_t eps[MANY];
    struct th_new_event e[2];
    struct th_purge p = {.op = {.kind = TH_OP_PURGE}, .before = {T0 + 1}, .max_events = 200};

    fill(eps);
    fx_tenant(f, 1, "t");
    (void)accept_many(f, e, eps);
    assert_int_equal(step(f, 0, rows).count, TH_FANOUT_STEP);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 2);
    assert_int_equal(p.cancelled, 2 * TH_FANOUT_STEP);
    assert_int_equal(step(f, 0, rows).event, 0);
    assert_int_equal(queued(f), 0);
    fx_publish(f, 1, T0, eps, 1, &eps[0]);
    assert_int_equal(eps[0], e[1].first_delivery + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(an_outcome_takes_its_settings_along),
        EACH(settings_of_an_outcome_that_is_late_do_not_change),
        EACH(an_outcome_whose_settings_are_refused_has_not_happened),
        EACH(a_large_accept_queues_the_rest_in_steps),
        EACH(a_step_sent_again_is_one_step),
        EACH(accepts_take_turns_and_outlive_the_process),
        EACH(retention_takes_what_is_not_queued_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
