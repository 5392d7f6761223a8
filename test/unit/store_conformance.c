/* One suite for every store: what port/store.h promises, over the memory store and the SQLite store. */
#include "store_fixture.h"

/* ---- accept ---- */

static void accepts_number_events_and_deliveries_in_order(void **state)
{
    struct fx *f = *state;
    uint64_t endpoints[] = {11, 12, 13};
    struct th_new_event e[3] = {fx_event(endpoints, 3, "{\"n\":1}"), fx_event(endpoints, 0, "{\"n\":2}"),
                                fx_event(endpoints + 1, 2, "{\"n\":3}")};
    struct th_accept a = fx_accept(1, T0, e, 3);
    struct th_queue_row rows[10];
    uint64_t next;

    fx_tenant(f, 1, "t");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_int_equal(a.first_event, e[0].no);
    assert_int_equal(e[1].no, e[0].no + 1);
    assert_int_equal(e[2].no, e[0].no + 2);
    assert_int_equal(e[2].first_delivery, e[0].first_delivery + 3);
    assert_int_equal(e[0].no >> 40, (T0 - INT64_C(1767225600000)) / DAY_MS); /* day since 2026-01-01 */
    assert_true(e[2].no < (uint64_t)1 << 53);
    assert_int_equal(fx_walk(f, 0, 0, rows, 10, &next), 5);
    assert_int_equal(next, 0);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(rows[i].no, e[0].first_delivery + i);
        assert_int_equal(rows[i].event, i < 3 ? e[0].no : e[2].no);
        assert_int_equal(rows[i].endpoint, i < 3 ? endpoints[i] : endpoints[i - 2]);
        assert_int_equal(rows[i].due, T0);
        assert_int_equal(rows[i].attempts, 0);
    }
}

static void numbers_do_not_fall_when_the_clock_steps_back(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d1, d2, d3, e1, e2, e3;

    fx_tenant(f, 1, "t");
    e1 = fx_publish(f, 1, T0, &ep, 1, &d1);
    e2 = fx_publish(f, 1, T0 - 30 * DAY_MS, &ep, 1, &d2);
    e3 = fx_publish(f, 1, T0 + DAY_MS, &ep, 1, &d3);
    assert_int_equal(e2, e1 + 1);
    assert_int_equal(d2, d1 + 1);
    assert_int_equal(e3 >> 40, (e1 >> 40) + 1);
    assert_int_equal(d3 >> 40, (d1 >> 40) + 1);
}

static void stale_versions_are_refused(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}");
    struct th_settings_op c;
    struct th_queue_row rows[4];

    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_STALE); /* no such tenant */
    fx_tenant(f, 1, "t");
    c = fx_settings(1, 1, &row, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.new_version, 2);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_STALE);
    assert_int_equal(fx_walk(f, 0, 0, rows, 4, NULL), 0);
    a.settings_version = 2;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
}

static void idempotency_keys_replay_for_a_day(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, first;
    struct th_new_event e[2] = {fx_event(&ep, 1, "{}"), fx_event(&ep, 1, "{}")};
    struct th_new_event again[2] = {e[0], e[1]}, other = e[0];
    struct th_accept a = fx_accept(1, T0, e, 2), b;

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    a.idem = (struct th_idem){.given = true, .key = {1, 2}, .body = {3}};
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    first = a.first_event;

    b = fx_accept(1, T0 + DAY_MS - 1, again, 2);
    b.idem = a.idem;
    b.settings_version = 99; /* a replay is a replay whatever the settings are now */
    assert_int_equal(fx_run(f, &b.op), TH_OK);
    assert_int_equal(b.result, TH_ACCEPT_REPEATED);
    assert_int_equal(b.first_event, first);
    assert_int_equal(b.repeated_count, 2);

    b.idem.body[0] = 4;
    assert_int_equal(fx_run(f, &b.op), TH_OK);
    assert_int_equal(b.result, TH_ACCEPT_KEY_REUSED);

    b = fx_accept(2, T0, &other, 1); /* another tenant's key is another key */
    b.idem = a.idem;
    assert_int_equal(fx_run(f, &b.op), TH_OK);
    assert_int_equal(b.result, TH_ACCEPT_NEW);

    b = fx_accept(1, T0 + 3 * DAY_MS, again, 2); /* long over */
    b.idem = a.idem;
    assert_int_equal(fx_run(f, &b.op), TH_OK);
    assert_int_equal(b.result, TH_ACCEPT_NEW);
}

static void one_key_twice_in_one_commit_is_one_event(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[8];
    struct th_accept a[8];
    struct th_queue_row rows[8];
    unsigned before;

    fx_tenant(f, 1, "t");
    before = f->done;
    for (int i = 0; i < 8; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        a[i].idem = (struct th_idem){.given = true, .key = {9}, .body = {9}};
        fx_submit(f, &a[i].op);
    }
    fx_wait(f, before + 8);
    assert_int_equal(a[0].result, TH_ACCEPT_NEW);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(a[i].result, TH_ACCEPT_REPEATED);
        assert_int_equal(a[i].first_event, a[0].first_event);
    }
    assert_int_equal(fx_walk(f, 0, 0, rows, 8, NULL), 1);
}

static void external_ids_are_unique_per_tenant(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[3] = {fx_event(&ep, 1, "{}"), fx_event(&ep, 1, "{}"), fx_event(&ep, 1, "{}")};
    struct th_accept a = fx_accept(1, T0, e, 1);
    struct th_queue_row rows[8];

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    e[0].external_id = TH_LIT("id-1");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    e[0].no = 0;

    e[1].external_id = TH_LIT("id-1");
    e[0].external_id = TH_LIT("id-2");
    a = fx_accept(1, T0, e, 3);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_ID_TAKEN);
    assert_int_equal(a.taken, 1);

    e[2].external_id = TH_LIT("id-2"); /* twice in one op */
    e[1].external_id = TH_LIT("");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_ID_TAKEN);
    assert_int_equal(a.taken, 2);
    assert_int_equal(fx_walk(f, 0, 0, rows, 8, NULL), 1); /* all or none */

    e[0].external_id = TH_LIT("id-1");
    a = fx_accept(2, T0, e, 1);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
}

/* What copy_id.h says of copies. */
static void a_copy_is_one_for_an_endpoint_and_none_of_nothing(void **state)
{
    struct fx *f = *state;
    uint64_t ep[] = {5, 6}, cancelled[TH_ERASE_STEP], first, unused;
    char id[2][TH_COPY_ID_MAX];
    struct th_new_event e = fx_event(&ep[1], 1, "{\"n\":1}"), again;
    struct th_accept a = fx_accept(1, T0 + 1000, &e, 1), b;
    struct th_page p = {.op = {.kind = TH_OP_PAGE}, .kind = TH_PAGE_EVENTS, .tenant = 1, .limit = 10};
    struct th_erase x = {.op = {.kind = TH_OP_ERASE}, .tenant = 1, .at = {T0 + 5000}, .cancelled = cancelled};

    fx_tenant(f, 1, "t");
    first = fx_publish(f, 1, T0, ep, 1, &unused);
    e.external_id = th_copy_id(id[0], first, 6, T0, TH_LIT("own"));
    again = e;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    b = fx_accept(1, T0 + 2000, &again, 1);
    assert_int_equal(fx_run(f, &b.op), TH_OK);
    assert_int_equal(b.result, TH_ACCEPT_ID_TAKEN);

    assert_int_equal(fx_run(f, &p.op), TH_OK); /* events: the first one alone */
    assert_int_equal(p.count, 1);
    assert_int_equal(p.rows.events[0].no, first);
    f->store->vt->page_free(f->store, &p);
    p = (struct th_page){
        .op = {.kind = TH_OP_PAGE}, .kind = TH_PAGE_DELIVERIES, .tenant = 1, .event = first, .limit = 10};
    assert_int_equal(fx_run(f, &p.op), TH_OK); /* its deliveries: both, newest first */
    assert_int_equal(p.count, 2);
    assert_int_equal(p.rows.deliveries[0].no, e.first_delivery);
    assert_int_equal(p.rows.deliveries[0].event.origin, first);
    assert_int_equal(p.rows.deliveries[0].event.origin_at, T0);
    assert_true(th_span_is(p.rows.deliveries[0].event.external_id, "own"));
    assert_int_equal(p.rows.deliveries[1].event.origin, 0);
    f->store->vt->page_free(f->store, &p);

    x.event = first; /* one is unfinished, and then the content of both goes */
    assert_int_equal(fx_run(f, &x.op), TH_OK);
    assert_int_equal(x.result, TH_ERASE_UNFINISHED);
    assert_int_equal(x.unfinished, 2);
    x.cancel = true;
    for (unsigned i = 0; i < 5 && x.result != TH_ERASE_DONE; i++)
        assert_int_equal(fx_run(f, &x.op), TH_OK);
    assert_int_equal(x.result, TH_ERASE_DONE);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(p.rows.deliveries[i].state, TH_DS_CANCELLED);
        assert_true(p.rows.deliveries[i].event.erased != 0);
    }
    f->store->vt->page_free(f->store, &p);

    again = fx_event(&ep[0], 1, "{}"); /* of what is erased, and of what never was */
    for (unsigned i = 0; i < 2; i++) {
        again.external_id = th_copy_id(id[1], i ? first + 1000 : first, 5, T0, TH_LIT(""));
        b = fx_accept(1, T0 + 6000, &again, 1);
        assert_int_equal(fx_run(f, &b.op), TH_OK);
        assert_int_equal(b.result, TH_ACCEPT_ID_TAKEN);
    }
}

static void an_accept_sent_again_is_one_accept(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, no;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_queue_row rows[4];

    fx_tenant(f, 1, "t");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    no = e.no;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_int_equal(a.first_event, no);
    assert_int_equal(fx_walk(f, 0, 0, rows, 4, NULL), 1);
}

static void writes_complete_in_the_order_of_submission(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d;
    struct th_new_event e[10];
    struct th_accept a[10];
    struct th_settle s[10];
    unsigned before;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, &ep, 1, &d);
    before = f->done;
    for (int i = 0; i < 10; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        s[i] = fx_settle(d, (uint16_t)i, TH_DS_QUEUED);
        if (i == 5)
            a[i].settings_version = 7; /* a refusal keeps its place */
        fx_submit(f, &s[i].op);
        fx_submit(f, &a[i].op);
    }
    fx_wait(f, before + 20);
    for (unsigned i = 0; i < 10; i++) {
        assert_ptr_equal(f->order[(before + 2 * i) % 64], &s[i].op);
        assert_ptr_equal(f->order[(before + 2 * i + 1) % 64], &a[i].op);
        assert_true(s[i].applied);
        assert_int_equal(a[i].result, i == 5 ? TH_ACCEPT_STALE : TH_ACCEPT_NEW);
    }
    for (int i = 1; i < 10; i++)
        if (i != 5 && i != 6)
            assert_int_equal(e[i].no, e[i - 1].no + 1);
    assert_int_equal(e[6].no, e[4].no + 1);
}

/* ---- settle ---- */

static void settles_move_a_delivery_through_its_life(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d;
    struct th_queue_row rows[4];
    struct th_delivery_row row;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    assert_int_equal(fx_walk(f, 0, 5, rows, 4, NULL), 1);
    assert_int_equal(rows[0].due, T0 + 60000);
    assert_int_equal(rows[0].attempts, 1);
    assert_int_equal(rows[0].tries, 1);
    assert_true(fx_settle_run(f, d, 1, TH_DS_DELIVERED));
    assert_int_equal(fx_walk(f, 0, 5, rows, 4, NULL), 0);
    assert_int_equal(fx_state(f, 1, d, &row), TH_DS_DELIVERED);
    assert_int_equal(row.attempts, 2);
    assert_int_equal(row.ended, T0 + 1000 + 4);
    assert_int_equal(row.due, 0);
    assert_int_equal(row.last.status, 200);
    assert_int_equal(fx_count_attempts(f, 1, d), 2);
    assert_true(fx_settle_run(f, d + 1, 0, TH_DS_EXHAUSTED));
    assert_int_equal(fx_state(f, 1, d + 1, &row), TH_DS_EXHAUSTED);
}

static void a_settle_with_another_counter_is_logged_and_not_applied(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d;
    struct th_settle late;
    struct th_delivery_row row;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, &ep, 1, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    late = fx_settle(d, 0, TH_DS_DELIVERED); /* another result for the same try */
    late.row.at.ms += 5;
    assert_int_equal(fx_run(f, &late.op), TH_OK);
    assert_false(late.applied);
    assert_int_equal(fx_state(f, 1, d, &row), TH_DS_QUEUED);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.last.status, 503); /* still the one that made the state */
    assert_int_equal(fx_count_attempts(f, 1, d), 2);
    assert_true(fx_settle_run(f, d, 1, TH_DS_EXHAUSTED));
    late = fx_settle(d, 2, TH_DS_DELIVERED); /* it has ended */
    late.row.nth = 9;
    assert_int_equal(fx_run(f, &late.op), TH_OK);
    assert_false(late.applied);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_EXHAUSTED);
    assert_int_equal(fx_count_attempts(f, 1, d), 4);
    late = fx_settle(d + 100, 0, TH_DS_DELIVERED); /* there is no such delivery */
    assert_int_equal(fx_run(f, &late.op), TH_OK);
    assert_false(late.applied);
}

static void a_settle_sent_again_is_one_attempt(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, &ep, 1, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    assert_int_equal(fx_count_attempts(f, 1, d), 1);
    assert_true(fx_settle_run(f, d, 1, TH_DS_DELIVERED));
    assert_true(fx_settle_run(f, d, 1, TH_DS_DELIVERED));
    assert_int_equal(fx_count_attempts(f, 1, d), 2);
}

static void attempts_come_back_as_they_were_given(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d;
    struct th_row rows[] = {fx_endpoint_row(5, 1, 1, "{\"url\":\"https://a\"}"),
                            fx_endpoint_row(5, 1, 2, "{\"url\":\"https://b\"}")};
    struct th_settings_op c = fx_settings(1, 1, rows, 2);
    struct th_settle s;
    struct th_page p = fx_page(TH_PAGE_ATTEMPTS, 1);
    const struct th_attempt_view *v;

    fx_tenant(f, 1, "t");
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    fx_publish(f, 1, T0, &ep, 1, &d);
    s = fx_settle(d, 0, TH_DS_QUEUED);
    s.row.truncated = s.row.reused = s.row.decoded = true;
    s.row.class = TH_HTTP_RESET;
    s.row.peer =
        (struct th_addr){.family = 6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 7}, .scope = 3, .port = 65535};
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    p.delivery = d;
    p.with_answers = p.with_data = true;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 1);
    v = &p.rows.attempts[0];
    assert_int_equal(v->delivery, d);
    assert_int_equal(v->endpoint, 5);
    assert_int_equal(v->row.at.ms, s.row.at.ms);
    assert_int_equal(v->row.nth, 1);
    assert_int_equal(v->row.status, 503);
    assert_int_equal(v->row.class, TH_HTTP_RESET);
    assert_true(v->row.truncated && v->row.reused && v->row.decoded && !v->row.ok);
    assert_memory_equal(v->row.us, s.row.us, sizeof s.row.us);
    assert_int_equal(v->row.endpoint_rev, 1);
    assert_int_equal(v->row.signed_at, T0 / 1000);
    assert_int_equal(v->row.peer.family, 6);
    assert_int_equal(v->row.peer.port, 65535);
    assert_int_equal(v->row.peer.scope, 3);
    assert_memory_equal(v->row.peer.ip, s.row.peer.ip, 16);
    assert_true(th_span_is(v->row.sigs, "v1,abc") && th_span_is(v->row.detail, "why"));
    assert_true(th_span_is(v->row.head, "A: b\r\n") && th_span_is(v->row.body, "answer"));
    assert_true(th_span_is(v->endpoint_settings, "{\"url\":\"https://a\"}"));
    assert_true(th_span_is(v->event.data, "{\"a\":1}") && th_span_is(v->event.type, "order.created"));
    f->store->vt->page_free(f->store, &p);
}

/* ---- move ---- */

static void cancel_takes_only_what_is_queued(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d, list[3];
    bool moved[3];
    struct th_move m;
    struct th_queue_row rows[4];
    struct th_delivery_row row;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_DELIVERED));
    list[0] = d;
    list[1] = d + 1;
    list[2] = d + 2;
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_CANCEL,
                         .at = {T0 + 5},
                         .count = 3,
                         .deliveries = list,
                         .moved = moved};
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_false(moved[0]);
    assert_true(moved[1]);
    assert_false(moved[2]);
    assert_int_equal(m.missing, 1);
    assert_int_equal(fx_walk(f, 0, 0, rows, 4, NULL), 0);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_DELIVERED);
    assert_int_equal(fx_state(f, 1, d + 1, &row), TH_DS_CANCELLED);
    assert_int_equal(row.ended, T0 + 5);
    assert_int_equal(row.last_attempt, 0);
}

/* An event that is put off: its deliveries are scheduled until then, and are the same as others afterwards; one that expires ends with a
 * state of its own, from which it can be queued again. */
static void what_is_put_off_is_scheduled_and_may_expire(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, list[2];
    uint8_t marks[] = {TH_MARK_DELAYED, TH_MARK_DELAYED};
    bool moved[2];
    struct th_new_event e = fx_event(eps, 2, "1");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_queue_row rows[4];
    struct th_delivery_row row;
    struct th_move m;
    struct th_page p;

    fx_tenant(f, 1, "t");
    e.marks = marks;
    e.more.deliver_at = T0 + 5000;
    e.more.expires_at = T0 + 9000;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(fx_walk(f, 0, 0, rows, 4, NULL), 2);
    assert_int_equal(rows[0].due, T0 + 5000);
    assert_int_equal(rows[0].marks, TH_MARK_DELAYED);
    for (int64_t now = T0 + 4000; now <= T0 + 6000; now += 1000) {
        bool put_off = now < T0 + 5000;
        for (unsigned w = 1; w <= TH_WAITS_SCHEDULED; w <<= 1) {
            p = fx_page(TH_PAGE_DELIVERIES, 1);
            p.states = 1u << TH_DS_QUEUED;
            p.endpoints = eps;
            p.endpoint_count = 1;
            p.waiting = w;
            p.now = now;
            assert_int_equal(fx_run(f, &p.op), TH_OK);
            assert_int_equal(p.count, put_off ? (w == TH_WAITS_SCHEDULED) * 2
                                      : w == TH_WAITS_HELD || w == TH_WAITS_PENDING ? 1
                                                                                    : 0);
            if (p.count)
                assert_int_equal(p.rows.deliveries[0].event.more.expires_at, T0 + 9000);
            f->store->vt->page_free(f->store, &p);
        }
    }
    list[0] = e.first_delivery;
    list[1] = e.first_delivery + 1;
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_EXPIRE,
                         .at = {T0 + 9000},
                         .count = 2,
                         .deliveries = list,
                         .moved = moved};
    for (int times = 0; times < 2; times++) { /* sent twice it is the same */
        assert_int_equal(fx_run(f, &m.op), TH_OK);
        assert_true(moved[0] && moved[1]);
    }
    assert_int_equal(fx_walk(f, 0, 0, rows, 4, NULL), 0);
    assert_int_equal(fx_state(f, 1, list[0], &row), TH_DS_EXPIRED);
    assert_int_equal(row.ended, T0 + 9000);
    m.what = TH_MOVE_CANCEL; /* it has ended */
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_false(moved[0] || moved[1]);
    m.what = TH_MOVE_RETRY;
    m.count = 1;
    m.rows = rows;
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_true(moved[0]);
    assert_int_equal(fx_state(f, 1, list[0], NULL), TH_DS_QUEUED);
    assert_int_equal(fx_state(f, 1, list[1], NULL), TH_DS_EXPIRED);
}

/* Retention of single tenants: events that lie between those of others go with all that belongs to them, in steps, and nothing else does. */
static void trim_takes_only_what_its_rules_name(void **state)
{
    struct fx *f = *state;
    struct th_trim_rule rules[] = {{1, T0 + 15}, {3, T0 + 1000}};
    struct th_trim t = {.op = {.kind = TH_OP_TRIM}, .rules = rules, .count = 2, .at = {T0 + 20}};
    uint64_t ep1[] = {5, 6}, ep2[] = {7}, d1, d2, later, none;
    struct th_queue_row rows[8];
    struct th_new_event own = fx_event(ep1, 1, "1");
    struct th_accept a = fx_accept(1, T0 + 1, &own, 1);
    uint32_t purged = 0, cancelled = 0, steps = 0;

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    fx_publish(f, 1, T0, ep1, 2, &d1);
    assert_true(fx_settle_run(f, d1, 0, TH_DS_DELIVERED));
    fx_publish(f, 2, T0 + 1, ep2, 1, &d2);
    own.external_id = TH_LIT("mine");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    fx_publish(f, 1, T0 + 2, NULL, 0, &none);
    fx_publish(f, 1, T0 + 15, ep1, 1, &later);
    do {
        assert_int_equal(fx_run(f, &t.op), TH_OK);
        purged += t.purged;
        cancelled += t.cancelled;
        t.from = t.next;
        t.delivery = t.next_delivery;
    } while (t.next && ++steps < 100);
    assert_int_equal(purged, 3);
    assert_int_equal(cancelled, 2);
    assert_int_equal(fx_walk(f, 0, 0, rows, 8, NULL), 2);
    assert_true(rows[0].no == d2 && rows[1].no == later);
    a = fx_accept(1, T0 + 30, &own, 1); /* the publisher's id is free again */
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_true(a.first_event > 0 && own.first_delivery > later);
}

/* An event with more deliveries than a step deletes: it is gone after some, and a pass that begins anew in between goes on. */
static void trim_of_a_large_event_has_steps(void **state)
{
    struct fx *f = *state;
    struct th_trim_rule rule = {1, T0 + 1000};
    struct th_trim t = {.op = {.kind = TH_OP_TRIM}, .rules = &rule, .count = 1, .at = {T0 + 2000}};
    struct th_queue_row *rows = calloc(3000, sizeof *rows);
    static uint64_t eps[2500];
    struct th_fanout fan = {.op = {.kind = TH_OP_FANOUT}, .rows = rows};
    uint64_t first;

    for (unsigned i = 0; i < 2500; i++)
        eps[i] = 5 + i % 3;
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 2500, &first);
    assert_int_equal(fx_run(f, &t.op), TH_OK);
    assert_int_equal(t.purged + t.cancelled, 0); /* its deliveries are still being queued */
    do {
        fan.event = 0;
        assert_int_equal(fx_run(f, &fan.op), TH_OK);
    } while (fan.event);
    for (unsigned i = 0; i < 2; i++) { /* the second time as after a crash */
        t.from = t.delivery = 0;
        assert_int_equal(fx_run(f, &t.op), TH_OK);
    }
    while (t.next) {
        t.from = t.next;
        t.delivery = t.next_delivery;
        assert_int_equal(fx_run(f, &t.op), TH_OK);
    }
    assert_int_equal(fx_walk(f, 0, 0, rows, 3000, NULL), 0);
    free(rows);
}

static void retry_puts_any_state_back_into_the_queue(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d, list[3];
    bool moved[3];
    struct th_queue_row rows[3];
    struct th_move m;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_EXHAUSTED));
    assert_true(fx_settle_run(f, d + 1, 0, TH_DS_QUEUED));
    list[0] = d;
    list[1] = d + 1;
    list[2] = d + 7;
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_RETRY,
                         .lane = TH_LANE_MANUAL,
                         .at = {T0 + 9},
                         .count = 3,
                         .deliveries = list,
                         .moved = moved,
                         .rows = rows};
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_true(moved[0] && moved[1] && !moved[2]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rows[i].no, d + (uint64_t)i);
        assert_int_equal(rows[i].endpoint, eps[i]);
        assert_int_equal(rows[i].due, T0 + 9);
        assert_int_equal(rows[i].lane, TH_LANE_MANUAL);
        assert_int_equal(rows[i].tries, 0);
        assert_int_equal(rows[i].attempts, 1); /* requests are counted on */
    }
    assert_int_equal(fx_walk(f, 0, 0, rows, 3, NULL), 2);
    assert_true(fx_settle_run(f, d, 1, TH_DS_DELIVERED));
    assert_int_equal(fx_count_attempts(f, 1, d), 2); /* the log goes on */
}

static void retry_leaves_what_has_no_endpoint(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d, list[2];
    bool moved[2];
    struct th_queue_row rows[2];
    struct th_row put = fx_endpoint_row(5, 1, 1, "{}"),
                  del = {.kind = TH_ROW_ENDPOINT, .no = 5, .tenant = 1, .del = true};
    struct th_settings_op c;
    struct th_delivery_row row;
    struct th_move m;

    fx_tenant(f, 1, "t");
    c = fx_settings(1, 1, &put, 1);
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_DELIVERED));
    c = fx_settings(1, 1, &del, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    list[0] = d;
    list[1] = d + 1;
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_RETRY,
                         .lane = TH_LANE_MANUAL,
                         .at = {T0 + 9},
                         .count = 2,
                         .deliveries = list,
                         .moved = moved,
                         .rows = rows};
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_true(!moved[0] && moved[1]);
    assert_int_equal(m.gone, 1);
    assert_int_equal(fx_state(f, 1, d, &row), TH_DS_DELIVERED);
    assert_int_equal(row.attempts, 1);
}

static void retry_of_a_test_stays_a_test(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    bool moved;
    struct th_queue_row row;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a;
    struct th_move m;

    fx_tenant(f, 1, "t");
    e.lane = TH_LANE_TEST;
    a = fx_accept(1, T0, &e, 1);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_RETRY,
                         .lane = TH_LANE_MANUAL,
                         .at = {T0 + 9},
                         .count = 1,
                         .deliveries = &e.first_delivery,
                         .moved = &moved,
                         .rows = &row};
    for (int ended = 0; ended < 2; ended++) {
        assert_int_equal(fx_run(f, &m.op), TH_OK);
        assert_true(moved);
        assert_int_equal(row.lane, TH_LANE_TEST);
        assert_true(fx_settle_run(f, e.first_delivery, (uint16_t)ended, TH_DS_EXHAUSTED));
    }
}

static uint32_t count_page(struct fx *f, enum th_page_kind kind, bool without_tests)
{
    struct th_page p = fx_page(kind, 1);
    uint32_t n;

    p.without_tests = without_tests;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    n = p.count;
    f->store->vt->page_free(f->store, &p);
    return n;
}

/* What waits for another attempt is due now, in its own lane; what was never tried keeps its place, and a test is one request. */
static void all_that_was_tried_is_made_due(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6, 7}, d, list[4];
    bool moved[4];
    struct th_queue_row rows[4];
    struct th_new_event e = fx_event(eps, 1, "{}");
    struct th_accept a;
    struct th_move m;
    struct th_delivery_row row;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 3, &d);
    e.lane = TH_LANE_TEST;
    a = fx_accept(1, T0, &e, 1);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, d + 2, 0, TH_DS_DELIVERED));
    assert_true(fx_settle_run(f, e.first_delivery, 0, TH_DS_QUEUED));
    for (unsigned i = 0; i < 3; i++)
        list[i] = d + i;
    list[3] = e.first_delivery;
    m = (struct th_move){.op = {.kind = TH_OP_MOVE},
                         .what = TH_MOVE_HURRY,
                         .lane = TH_LANE_MANUAL,
                         .at = {T0 + 9},
                         .count = 4,
                         .deliveries = list,
                         .moved = moved,
                         .rows = rows};
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_true(moved[0]);
    assert_false(moved[1] || moved[2] || moved[3]);
    assert_int_equal(rows[0].due, T0 + 9);
    assert_int_equal(rows[0].lane, TH_LANE_FRESH);
    assert_int_equal(rows[0].attempts, 1);
    assert_int_equal(fx_state(f, 1, d + 1, &row), TH_DS_QUEUED);
    assert_int_equal(row.due, T0);
    assert_int_equal(fx_state(f, 1, d + 2, NULL), TH_DS_DELIVERED);
    assert_int_equal(fx_state(f, 1, e.first_delivery, &row), TH_DS_QUEUED);
    assert_int_equal(row.due, T0 + 60000);
}

static void lists_can_leave_tests_out(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6};
    struct th_new_event e[3] = {fx_event(eps, 1, "{}"), fx_event(eps, 2, "{}"), fx_event(eps, 2, "{}")};
    struct th_page p = fx_page(TH_PAGE_EVENTS, 1);
    struct th_accept a;

    fx_tenant(f, 1, "t");
    e[0].lane = TH_LANE_TEST;
    e[2].type = TH_LIT(TH_TEST_TYPE);
    a = fx_accept(1, T0, e, 3);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    for (int i = 0; i < 3; i++)
        for (uint32_t k = 0; k < e[i].endpoint_count; k++)
            assert_true(fx_settle_run(f, e[i].first_delivery + k, 0, TH_DS_DELIVERED));
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_true(p.count == 3 && p.rows.events[0].test && !p.rows.events[1].test && p.rows.events[2].test);
    f->store->vt->page_free(f->store, &p);
    assert_int_equal(count_page(f, TH_PAGE_EVENTS, true), 1);
    assert_int_equal(count_page(f, TH_PAGE_DELIVERIES, true), 2);
    assert_int_equal(count_page(f, TH_PAGE_DELIVERIES, false), 5);
    assert_int_equal(count_page(f, TH_PAGE_ATTEMPTS, true), 2);
    assert_int_equal(count_page(f, TH_PAGE_ATTEMPTS, false), 5);
}

static bool conf_is(struct fx *f, uint64_t endpoint, uint64_t rev, const char *want)
{
    struct th_buf settings;
    enum th_error error;
    bool ok;

    th_buf_init(&settings, 1u << 20);
    error = f->store->vt->endpoint_settings(f->store, endpoint, rev, &settings);
    ok = want ? error == TH_OK && th_span_is(th_buf_view(&settings), want)
              : error == TH_NOT_FOUND && settings.n == 0;
    th_buf_fini(&settings);
    return ok;
}

static void settings_are_read_by_their_revision(void **state)
{
    struct fx *f = *state;
    struct th_row put[] = {fx_endpoint_row(5, 1, 1, "{\"e\":1}"), fx_endpoint_row(6, 1, 1, "{\"e\":2}"),
                           fx_endpoint_row(5, 1, 2, "{\"e\":3}")};
    struct th_settings_op c;

    fx_tenant(f, 1, "t");
    assert_true(conf_is(f, 5, 1, NULL));
    for (int i = 0; i < 3; i++) {
        c = fx_settings(1, 1, &put[i], 1);
        c.keep_version = true;
        assert_int_equal(fx_run(f, &c.op), TH_OK);
    }
    assert_true(conf_is(f, 5, 1, "{\"e\":1}") && conf_is(f, 5, 2, "{\"e\":3}") &&
                conf_is(f, 6, 1, "{\"e\":2}"));
    assert_true(conf_is(f, 5, 3, NULL) && conf_is(f, 6, 2, NULL) && conf_is(f, 7, 1, NULL));
}

static void rows_know_an_endpoint_that_is_no_more(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d;
    struct th_row put[] = {fx_endpoint_row(5, 1, 1, "{\"e\":1}"), fx_endpoint_row(6, 1, 1, "{\"e\":2}")},
                  del = {.kind = TH_ROW_ENDPOINT, .no = 5, .tenant = 1, .del = true};
    struct th_settings_op c;
    struct th_page p;

    fx_tenant(f, 1, "t");
    put[0].created = T0 - 7;
    c = fx_settings(1, 1, put, 2);
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_DELIVERED) && fx_settle_run(f, d + 1, 0, TH_DS_DELIVERED));
    c = fx_settings(1, 1, &del, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    for (int kind = TH_PAGE_DELIVERIES; kind <= TH_PAGE_ATTEMPTS; kind++) {
        p = fx_page((enum th_page_kind)kind, 1);
        p.endpoint = 5;
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.count, 1);
        if (kind == TH_PAGE_DELIVERIES)
            assert_true(p.rows.deliveries[0].past.created == T0 - 7 &&
                        th_span_is(p.rows.deliveries[0].past.settings, "{\"e\":1}"));
        else
            assert_true(p.rows.attempts[0].past.created == T0 - 7 &&
                        th_span_is(p.rows.attempts[0].past.settings, "{\"e\":1}"));
        f->store->vt->page_free(f->store, &p);
        p = fx_page((enum th_page_kind)kind, 1);
        p.endpoint = 6;
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.count, 1);
        if (kind == TH_PAGE_DELIVERIES)
            assert_int_equal(p.rows.deliveries[0].past.created, 0);
        f->store->vt->page_free(f->store, &p);
    }
}

/* ---- settings ---- */

struct listing {
    char text[4096];
    size_t n;
};

static void list_row(void *ctx, const struct th_row *r)
{
    static const char *const names[] = {"tenant", "key", "endpoint", "secret", "fact", "job", "meta"};
    struct listing *l = ctx;

    if (r->kind == TH_ROW_META && th_span_starts(r->id, TH_LIT("plain_"))) /* the SQLite store's own */
        return;
    l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n,
                             "%s %llu %llu %llu %llu [%.*s] [%.*s] %lld %lld;", names[r->kind],
                             (unsigned long long)r->no, (unsigned long long)r->tenant,
                             (unsigned long long)r->endpoint, (unsigned long long)r->rev,
                             (int)(r->kind == TH_ROW_KEY ? 2 : r->id.n), r->id.p, (int)r->settings.n,
                             r->settings.p, (long long)r->until,
                             (long long)(r->health[0] + 10 * r->health[1] + 100 * r->health[2] +
                                         1000 * r->health[3] + 10000 * r->health[4]));
    assert_true(l->n < sizeof l->text);
}

static void settings_are_listed_and_survive(void **state)
{
    struct fx *f = *state;
    char hash[32] = "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH";
    struct th_row rows[] = {
        fx_tenant_row(1, "t"),
        {.kind = TH_ROW_KEY,
         .no = 4,
         .tenant = 1,
         .id = {hash, 32},
         .settings = TH_LIT("{\"k\":1}"),
         .until = 77},
        fx_endpoint_row(6, 1, 1, "{\"e\":6}"),
        fx_endpoint_row(5, 1, 1, "{\"e\":5}"),
        fx_endpoint_row(5, 1, 2, "{\"e\":55}"),
        {.kind = TH_ROW_SECRET,
         .no = 8,
         .tenant = 1,
         .endpoint = 5,
         .settings = TH_LIT("sealed5"),
         .until = 9},
        {.kind = TH_ROW_SECRET, .no = 9, .tenant = 1, .endpoint = 6, .settings = TH_LIT("sealed6")},
        {.kind = TH_ROW_HEALTH, .no = 5, .health = {1, 2, 3, 4, 5}},
        {.kind = TH_ROW_HEALTH, .no = 6, .health = {1, 4, 3}},
        {.kind = TH_ROW_JOB, .no = 10, .tenant = 1, .endpoint = 6, .settings = TH_LIT("{\"j\":1}")},
        {.kind = TH_ROW_META, .id = TH_LIT("install"), .settings = TH_LIT("v")},
    };
    struct th_row del[] = {{.kind = TH_ROW_ENDPOINT, .del = true, .no = 6, .tenant = 1}};
    struct th_settings_op c = fx_settings(1, 0, rows, 11);
    struct listing l = {.n = 0};
    const char *all =
        "tenant 1 0 0 1 [t] [{\"name\":\"x\"}] 0 0;key 4 1 0 0 [HH] [{\"k\":1}] 77 0;"
        "endpoint 5 1 0 2 [] [{\"e\":55}] 0 0;endpoint 6 1 0 1 [] [{\"e\":6}] 0 0;"
        "secret 8 1 5 0 [] [sealed5] 9 0;secret 9 1 6 0 [] [sealed6] 0 0;fact 5 0 0 0 [] [] 0 54321;"
        "fact 6 0 0 0 [] [] 0 341;job 10 1 6 0 [] [{\"j\":1}] 0 0;meta 0 0 0 0 [install] [v] 0 0;meta 0 0 0 "
        "0 [newest_unfinished] [0000000000000000] 0 0;";
    const char *less = "tenant 1 0 0 2 [t] [{\"name\":\"x\"}] 0 0;key 4 1 0 0 [HH] [{\"k\":1}] 77 0;"
                       "endpoint 5 1 0 2 [] [{\"e\":55}] 0 0;secret 8 1 5 0 [] [sealed5] 9 0;"
                       "fact 5 0 0 0 [] [] 0 54321;meta 0 0 0 0 [install] [v] 0 0;meta 0 0 0 0 "
                       "[newest_unfinished] [0000000000000000] 0 0;";

    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    if (f->kind != FX_MEMORY) {
        fx_close(f);
        fx_open(f);
    }
    assert_int_equal(f->store->vt->settings(f->store, list_row, &l), TH_OK);
    assert_string_equal(l.text, all);

    c = fx_settings(1, 1, del, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.new_version, 2);
    l.n = 0;
    assert_int_equal(f->store->vt->settings(f->store, list_row, &l), TH_OK);
    assert_string_equal(l.text, less); /* with the endpoint go its secret, its facts and its jobs */

    del[0] = (struct th_row){.kind = TH_ROW_TENANT, .del = true, .no = 1};
    c = fx_settings(1, 2, del, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    l.n = 0;
    assert_int_equal(f->store->vt->settings(f->store, list_row, &l), TH_OK);
    assert_string_equal(
        l.text, "meta 0 0 0 0 [install] [v] 0 0;meta 0 0 0 0 [newest_unfinished] [0000000000000000] 0 0;");
}

static void settings_versions_guard_changes(void **state)
{
    struct fx *f = *state;
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}"), health = {.kind = TH_ROW_HEALTH, .no = 5};
    struct th_row twin = fx_tenant_row(2, "t");
    struct th_settings_op c;

    fx_tenant(f, 1, "t");
    c = fx_settings(1, 0, &row, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_STALE);
    c = fx_settings(1, 1, &row, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    assert_int_equal(c.new_version, 2);
    c = fx_settings(1, 1, &health, 1); /* facts do not change matching */
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    assert_int_equal(c.new_version, 2);
    c = fx_settings(3, 0, &health, 1); /* no such tenant */
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_STALE);
    c = fx_settings(2, 0, &twin, 1); /* a living tenant has this id */
    assert_int_equal(fx_run(f, &c.op), TH_CONFLICT);
}

static void settings_keys_keep_the_answer(void **state)
{
    struct fx *f = *state;
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}");
    struct th_settings_op c;

    fx_tenant(f, 1, "t");
    c = fx_settings(1, 1, &row, 1);
    c.idem = (struct th_idem){.given = true, .key = {7}, .body = {8}};
    c.answer = th_span("se\0led", 6);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    c.answer = TH_LIT("other");
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_REPEATED);
    assert_int_equal(c.new_version, 2);
    assert_int_equal(c.repeated.n, 6);
    assert_memory_equal(c.repeated.p, "se\0led", 6);
    c.idem.body[0] = 9;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_KEY_REUSED);
    c.idem.body[0] = 8; /* the day after it is still known */
    c.at.ms = T0 + DAY_MS - 1;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_REPEATED);
    th_buf_fini(&c.repeated);
    fx_tenant(f, 2, "u"); /* another tenant's key is another key */
    row = fx_endpoint_row(6, 2, 1, "{}");
    c = fx_settings(2, 1, &row, 1);
    c.idem = (struct th_idem){.given = true, .key = {7}, .body = {8}};
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    th_buf_fini(&c.repeated);
}

/* ---- encrypted values ---- */

/* Everything encrypted, `step` at a time, as "kind:bytes " in one text. */
static void list_encrypted(struct fx *f, uint32_t step, char *out, size_t size)
{
    struct th_encrypted rows[4], last;
    struct th_rewrap r = {.op = {.kind = TH_OP_REWRAP}, .max = step, .rows = rows};
    size_t n = 0;

    out[0] = 0;
    do {
        th_arena_init(&r.mem, 1u << 20);
        assert_int_equal(fx_run(f, &r.op), TH_OK);
        assert_true(r.count <= step);
        for (uint32_t i = 0; i < r.count; i++)
            n += (size_t)snprintf(out + n, size - n, "%d:%.*s ", (int)rows[i].kind, (int)rows[i].bytes.n,
                                  rows[i].bytes.p);
        if (r.count)
            last = rows[r.count - 1];
        th_arena_fini(&r.mem);
        r.after = last;
    } while (r.count);
}

static void make_encrypted(struct fx *f)
{
    struct th_row rows[] = {
        fx_endpoint_row(5, 1, 1, "{\"e\":5}"),
        fx_endpoint_row(6, 1, 1, "{\"e\":6}"),
        {.kind = TH_ROW_SECRET, .no = 8, .tenant = 1, .endpoint = 5, .settings = TH_LIT("s8")},
        {.kind = TH_ROW_SECRET, .no = 9, .tenant = 1, .endpoint = 6, .settings = TH_LIT("s9")}};
    struct th_row again = fx_endpoint_row(5, 1, 2, "{\"e\":55}"),
                  gone = {.kind = TH_ROW_ENDPOINT, .no = 6, .tenant = 1, .del = true};
    struct th_settings_op c = fx_settings(1, 1, rows, 4);

    fx_tenant(f, 1, "t");
    c.idem = (struct th_idem){.given = true, .key = {7}, .body = {8}};
    c.answer = TH_LIT("kept");
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    c = fx_settings(1, 2, &again, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    c = fx_settings(1, 3, &gone, 1); /* its secret is erased, its history stays */
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
}

static void encrypted_values_are_listed_wherever_they_are(void **state)
{
    static const char all[] = "0:s8 1:{\"e\":55} 1:{\"e\":6} 2:{\"e\":5} 2:{\"e\":55} 2:{\"e\":6} 3:kept ";
    struct fx *f = *state;
    char text[512];

    list_encrypted(f, 2, text, sizeof text);
    assert_string_equal(text, "");
    make_encrypted(f);
    for (uint32_t step = 1; step <= 4; step++) {
        list_encrypted(f, step, text, sizeof text);
        assert_string_equal(text, all);
    }
}

static void encrypted_values_are_replaced_where_they_are_still_the_same(void **state)
{
    struct fx *f = *state;
    struct th_encrypted rows[8];
    struct th_rewrap r = {.op = {.kind = TH_OP_REWRAP}, .max = 8, .rows = rows};
    struct th_row other = {
        .kind = TH_ROW_SECRET, .no = 8, .tenant = 1, .endpoint = 5, .settings = TH_LIT("changed")};
    struct th_settings_op c;
    char text[512];

    make_encrypted(f);
    th_arena_init(&r.mem, 1u << 20);
    assert_int_equal(fx_run(f, &r.op), TH_OK);
    assert_int_equal(r.count, 7);
    assert_int_equal(rows[0].tenant, 1);
    assert_int_equal(rows[0].endpoint, 5);
    assert_int_equal(rows[0].no, 8);
    assert_int_equal(rows[3].tenant, 1); /* of a revision */
    assert_int_equal(rows[3].endpoint, 5);
    assert_int_equal(rows[6].tenant, 1);
    c = fx_settings(1, 4, &other, 1); /* between list and put */
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    for (uint32_t i = 0; i < r.count; i++)
        rows[i].fresh = TH_LIT("\"new\"");
    r.put = true;
    assert_int_equal(fx_run(f, &r.op), TH_OK);
    assert_int_equal(fx_run(f, &r.op), TH_OK); /* a second time: no further effect */
    th_arena_fini(&r.mem);
    list_encrypted(f, 3, text, sizeof text);
    assert_string_equal(text, "0:changed 1:\"new\" 1:\"new\" 2:\"new\" 2:\"new\" 2:\"new\" 3:\"new\" ");
}

/* ---- reads ---- */

static void rows_are_found_without_their_tenant(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, first[2];
    struct th_row gone = {.kind = TH_ROW_TENANT, .del = true, .no = 2};
    struct th_settings_op c;

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    for (uint64_t i = 0; i < 2; i++) {
        struct th_new_event e = fx_event(&ep, 1, "{}");
        struct th_accept a = fx_accept(i + 1, T0, &e, 1);
        struct th_page by_no = {.op = {.kind = TH_OP_PAGE}, .limit = 10}, by_own = by_no;

        e.external_id = TH_LIT("mine");
        assert_int_equal(fx_run(f, &a.op), TH_OK);
        first[i] = e.no;
        by_no.kind = TH_PAGE_DELIVERIES;
        by_no.no = e.first_delivery;
        assert_int_equal(fx_run(f, &by_no.op), TH_OK);
        assert_int_equal(by_no.count, 1);
        assert_int_equal(by_no.rows.deliveries[0].event.tenant, i + 1);
        f->store->vt->page_free(f->store, &by_no);
        by_own.external_id = TH_LIT("mine");
        assert_int_equal(fx_run(f, &by_own.op), TH_OK);
        assert_int_equal(by_own.count, i + 1);
        assert_int_equal(by_own.rows.events[0].no, e.no);
        assert_int_equal(by_own.rows.events[i].no, first[0]);
        f->store->vt->page_free(f->store, &by_own);
    }
    c = fx_settings(2, 1, &gone, 1);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    {
        struct th_page p = {.op = {.kind = TH_OP_PAGE}, .external_id = TH_LIT("mine"), .limit = 10};
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.count, 1); /* a deleted tenant's is not found */
        assert_int_equal(p.rows.events[0].no, first[0]);
        f->store->vt->page_free(f->store, &p);
        p = (struct th_page){.op = {.kind = TH_OP_PAGE}, .limit = 10};
        assert_int_equal(fx_run(f, &p.op), TH_BUG); /* a list always has a tenant */
    }
}

static void pages_end_by_bytes(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, no[4], before = 0;
    unsigned pages = 0, rows = 0;

    fx_tenant(f, 1, "t");
    for (int i = 0; i < 4; i++)
        no[i] = fx_publish(f, 1, T0, &ep, 1, NULL);
    do { /* each event is larger than the page may be: one a page, and none is left out */
        struct th_page p = {
            .op = {.kind = TH_OP_PAGE}, .tenant = 1, .limit = 10, .max_bytes = 8, .before = before};
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.count, 1);
        assert_int_equal(p.rows.events[0].no, no[3 - rows]);
        rows += p.count;
        before = p.next;
        f->store->vt->page_free(f->store, &p);
    } while (before && ++pages < 10);
    assert_int_equal(rows, 4);
    assert_int_equal(before, 0);
}

static void load_gives_events_and_says_which_are_missing(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, no[3];
    struct th_event_row rows[3];
    struct th_new_event e = fx_event(&ep, 1, "{\"x\": 1.0e5}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_load l = {.op = {.kind = TH_OP_LOAD}, .count = 3, .events = no, .rows = rows};

    fx_tenant(f, 1, "t");
    e.external_id = TH_LIT("mine");
    e.time.ms = T0 - 5;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    no[0] = e.no;
    no[1] = e.no + 50;
    no[2] = fx_publish(f, 1, T0, &ep, 1, NULL);
    th_buf_init(&l.mem, 64 << 20);
    assert_int_equal(fx_run(f, &l.op), TH_OK);
    assert_int_equal(rows[0].no, e.no);
    assert_int_equal(rows[0].tenant, 1);
    assert_int_equal(rows[0].at.ms, T0);
    assert_int_equal(rows[0].time.ms, T0 - 5);
    assert_int_equal(rows[0].rnd, 77);
    assert_int_equal(rows[0].deliveries, 1);
    assert_int_equal(rows[0].first_delivery, e.first_delivery);
    assert_true(th_span_is(rows[0].data, "{\"x\": 1.0e5}"));
    assert_true(th_span_is(rows[0].external_id, "mine"));
    assert_true(th_span_is(rows[0].type, "order.created"));
    assert_true(th_span_is(rows[0].resource_type, "order"));
    assert_true(th_span_is(rows[0].resource_id, "r-1"));
    assert_int_equal(rows[1].no, 0);
    assert_int_equal(rows[2].no, no[2]);
    assert_true(th_span_is(rows[2].data, "{\"a\":1}"));
    th_buf_fini(&l.mem);
    th_buf_init(&l.mem, 10); /* too small a buffer is an error, not a cut */
    assert_int_equal(fx_run(f, &l.op), TH_TOO_LARGE);
    th_buf_fini(&l.mem);
}

static void walk_goes_on_where_it_stopped(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6, 7}, d, from = 0, seen = 0;
    struct th_queue_row rows[4];

    fx_tenant(f, 1, "t");
    for (int i = 0; i < 5; i++)
        fx_publish(f, 1, T0, eps, 3, &d);
    do {
        seen += fx_walk(f, from, 0, rows, 4, &from);
    } while (from);
    assert_int_equal(seen, 15);
    assert_int_equal(fx_walk(f, 0, 6, rows, 4, &from), 4);
    assert_int_equal(rows[3].endpoint, 6);
    assert_int_equal(fx_walk(f, from, 6, rows, 4, &from), 1);
    assert_int_equal(from, 0);
    assert_int_equal(rows[0].no, d + 1);
    assert_int_equal(fx_walk(f, 0, 8, rows, 4, &from), 0);
}

/** A small world for lists: 2 tenants, endpoints 5 and 6 (tenant 1) and 7 (tenant 2), 12 events over two
 * days. */
static void world(struct fx *f, uint64_t events[12], uint64_t first[12])
{
    uint64_t eps[] = {5, 6}, seven = 7;

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    for (int i = 0; i < 12; i++) {
        struct th_new_event e = i % 3 == 2 ? fx_event(&seven, 1, "{}") : fx_event(eps, 2, "{}");
        struct th_accept a = fx_accept(i % 3 == 2 ? 2 : 1, T0 + i * DAY_MS / 6, &e, 1);
        char own[16];

        snprintf(own, sizeof own, "own-%d", i);
        e.external_id = th_str(own);
        if (i % 2)
            e.type = TH_LIT("order.paid");
        assert_int_equal(fx_run(f, &a.op), TH_OK);
        events[i] = e.no;
        first[i] = e.first_delivery;
    }
    assert_true(fx_settle_run(f, first[0], 0, TH_DS_DELIVERED));
    assert_true(fx_settle_run(f, first[0] + 1, 0, TH_DS_EXHAUSTED));
    assert_true(fx_settle_run(f, first[1], 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, first[1], 1, TH_DS_DELIVERED));
    assert_true(fx_settle_run(f, first[3], 0, TH_DS_QUEUED));
}

/** Follows a page's cursor to its end; the numbers found, newest first. */
static uint32_t collect(struct fx *f, struct th_page p, uint64_t *out, uint32_t max)
{
    uint32_t n = 0;

    do {
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        for (uint32_t i = 0; i < p.count; i++) {
            assert_true(n < max);
            out[n++] = p.kind == TH_PAGE_EVENTS       ? p.rows.events[i].no
                       : p.kind == TH_PAGE_DELIVERIES ? p.rows.deliveries[i].no
                                                      : p.rows.attempts[i].no;
            assert_true(n < 2 || out[n - 1] < out[n - 2]);
        }
        p.before = p.next;
        f->store->vt->page_free(f->store, &p);
    } while (p.before);
    return n;
}

static void pages_of_events(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], got[32];
    struct th_page p;

    world(f, events, first);
    p = fx_page(TH_PAGE_EVENTS, 1);
    assert_int_equal(collect(f, p, got, 32), 8);
    assert_int_equal(got[0], events[10]);
    assert_int_equal(got[7], events[0]);
    p.limit = 3;
    assert_int_equal(collect(f, p, got, 32), 8);
    p.limit = 4; /* full pages to the end: no empty page behind them */
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 4);
    assert_int_not_equal(p.next, 0);
    p.before = p.next;
    f->store->vt->page_free(f->store, &p);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 4);
    assert_int_equal(p.next, 0);
    f->store->vt->page_free(f->store, &p);

    p = fx_page(TH_PAGE_EVENTS, 1);
    p.type = TH_LIT("order.paid");
    assert_int_equal(collect(f, p, got, 32), 4);
    p.type = TH_LIT("order.none");
    assert_int_equal(collect(f, p, got, 32), 0);
    p = fx_page(TH_PAGE_EVENTS, 1);
    p.since = T0 + 1 * DAY_MS / 6; /* inclusive */
    p.until = T0 + 4 * DAY_MS / 6; /* exclusive */
    assert_int_equal(collect(f, p, got, 32), 2);
    assert_int_equal(got[0], events[3]);
    assert_int_equal(got[1], events[1]);
    p = fx_page(TH_PAGE_EVENTS, 1);
    p.external_id = TH_LIT("own-4");
    assert_int_equal(collect(f, p, got, 32), 1);
    assert_int_equal(got[0], events[4]);
    p.external_id = TH_LIT("own-5"); /* another tenant's */
    assert_int_equal(collect(f, p, got, 32), 0);
    p = fx_page(TH_PAGE_EVENTS, 2);
    p.no = events[1];
    assert_int_equal(collect(f, p, got, 32), 0);
    p.no = events[2];
    assert_int_equal(collect(f, p, got, 32), 1);
}

/* A list of all tenants has the rows of each, in the order of their numbers, and its filters are those of a tenant's list. */
static void a_list_of_all_tenants_has_the_rows_of_each(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], one[32], all[32];

    world(f, events, first);
    for (enum th_page_kind kind = TH_PAGE_EVENTS; kind <= TH_PAGE_ATTEMPTS; kind++)
        for (int filtered = 0; filtered < 2; filtered++) {
            struct th_page p = fx_page(kind, 0);
            uint32_t n, sum = 0;

            if (filtered)
                p.type = TH_LIT("order.paid");
            assert_int_equal(fx_run(f, &p.op), TH_BUG); /* whose? */
            p.any = true;
            n = collect(f, p, all, 32);
            for (uint32_t i = 1; i < n; i++)
                assert_true(all[i - 1] > all[i]);
            p.any = false;
            for (p.tenant = 1; p.tenant <= 2; p.tenant++) {
                uint32_t count = collect(f, p, one, 32);

                for (uint32_t i = 0; i < count; i++) {
                    uint32_t k = 0;
                    while (k < n && all[k] != one[i])
                        k++;
                    assert_true(k < n);
                }
                sum += count;
            }
            assert_int_equal(n, sum);
            assert_true(sum > 0 || kind == TH_PAGE_ATTEMPTS);
        }
}

/* A page ends where the next one begins: nothing twice, nothing left out, whatever the list and the size of its pages. */
static void every_list_is_the_same_in_pages_of_any_size(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], whole[32], parts[32];
    struct th_page lists[16];
    uint32_t n = 0;

    world(f, events, first);
    assert_true(fx_settle_run(f, first[3], 1, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, first[3], 2, TH_DS_EXHAUSTED));
    for (enum th_page_kind kind = TH_PAGE_EVENTS; kind <= TH_PAGE_ATTEMPTS; kind++) {
        lists[n] = fx_page(kind, 0);
        lists[n++].any = true;
    }
    for (enum th_page_kind kind = TH_PAGE_EVENTS; kind <= TH_PAGE_ATTEMPTS; kind++)
        lists[n++] = fx_page(kind, 1);
    lists[n] = fx_page(TH_PAGE_EVENTS, 1);
    lists[n++].type = TH_LIT("order.paid");
    lists[n] = fx_page(TH_PAGE_DELIVERIES, 1);
    lists[n++].endpoint = 5;
    lists[n] = fx_page(TH_PAGE_DELIVERIES, 1);
    lists[n++].event = events[4];
    lists[n] = fx_page(TH_PAGE_DELIVERIES, 1);
    lists[n++].states = 1u << TH_DS_QUEUED;
    lists[n] = fx_page(TH_PAGE_ATTEMPTS, 1);
    lists[n++].endpoint = 5;
    lists[n] = fx_page(TH_PAGE_ATTEMPTS, 1);
    lists[n++].delivery = first[3];
    lists[n] = fx_page(TH_PAGE_ATTEMPTS, 1);
    lists[n++].event = events[0];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t count = collect(f, lists[i], whole, 32);

        if (count < 2)
            fail_msg("list %u has %u rows", i, count);
        for (lists[i].limit = 1; lists[i].limit < 5; lists[i].limit++) {
            assert_int_equal(collect(f, lists[i], parts, 32), count);
            assert_memory_equal(parts, whole, count * sizeof *parts);
        }
    }
}

static void pages_of_deliveries(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], got[32], six = 6;
    struct th_page p;

    world(f, events, first);
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    for (p.limit = 1; p.limit <= 20; p.limit++) {
        assert_int_equal(collect(f, p, got, 32), 16);
        assert_int_equal(got[0], first[10] + 1);
        assert_int_equal(got[15], first[0]);
    }
    p.endpoint = 5;
    assert_int_equal(collect(f, p, got, 32), 8);
    p.tenant = 2; /* not its endpoint */
    assert_int_equal(collect(f, p, got, 32), 0);
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    p.states = 1u << TH_DS_DELIVERED;
    assert_int_equal(collect(f, p, got, 32), 2);
    assert_int_equal(got[0], first[1]);
    assert_int_equal(got[1], first[0]);
    p.states = 1u << TH_DS_DELIVERED | 1u << TH_DS_EXHAUSTED;
    assert_int_equal(collect(f, p, got, 32), 3);
    p.states = 1u << TH_DS_QUEUED;
    assert_int_equal(collect(f, p, got, 32), 13);
    p.queued = TH_SOME_ATTEMPTS;
    assert_int_equal(collect(f, p, got, 32), 1);
    assert_int_equal(got[0], first[3]);
    p.queued = TH_NO_ATTEMPTS;
    p.endpoints = &six;
    p.endpoint_count = 1;
    assert_int_equal(collect(f, p, got, 32), 7);
    p.endpoints_exclude = true;
    assert_int_equal(collect(f, p, got, 32), 5);
    p.endpoint_count = 0; /* nothing excluded */
    assert_int_equal(collect(f, p, got, 32), 12);
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    p.event = events[4];
    assert_int_equal(collect(f, p, got, 32), 2);
    assert_int_equal(got[0], first[4] + 1);
    p.event = events[5];
    assert_int_equal(collect(f, p, got, 32), 0);
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    p.external_id = TH_LIT("own-6");
    assert_int_equal(collect(f, p, got, 32), 2);
    p.external_id = TH_LIT("");
    p.type = TH_LIT("order.paid");
    p.since = T0 + DAY_MS;
    assert_int_equal(collect(f, p, got, 32), 4);
}

static void pages_with_totals_and_skips(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12];
    struct th_page p;

    world(f, events, first);
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    p.endpoint = 5;
    p.skip = 3;
    p.limit = 2;
    p.with_total = p.with_data = true;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.total, 8);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.rows.deliveries[0].no, first[6]);
    assert_int_equal(p.rows.deliveries[1].no, first[4]);
    assert_int_equal(p.rows.deliveries[0].event.no, events[6]);
    assert_true(th_span_is(p.rows.deliveries[0].event.external_id, "own-6"));
    assert_true(th_span_is(p.rows.deliveries[0].event.data, "{}"));
    assert_int_equal(p.next, first[4]);
    f->store->vt->page_free(f->store, &p);
    p.skip = 3;
    p.max_bytes = 1; /* the page ends with its first row, and all are counted */
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.total, 8);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.rows.deliveries[0].no, first[6]);
    assert_int_equal(p.next, first[6]);
    f->store->vt->page_free(f->store, &p);
    p.max_bytes = 0;
    p.skip = 100;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 0);
    assert_int_equal(p.total, 8);
    assert_int_equal(p.next, 0);
    f->store->vt->page_free(f->store, &p);
}

static void pages_of_attempts(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], got[32];
    struct th_page p;

    world(f, events, first);
    p = fx_page(TH_PAGE_ATTEMPTS, 1);
    p.limit = 2;
    assert_int_equal(collect(f, p, got, 32), 5);
    p.endpoint = 5;
    assert_int_equal(collect(f, p, got, 32), 4);
    p.endpoint = 6;
    assert_int_equal(collect(f, p, got, 32), 1);
    p = fx_page(TH_PAGE_ATTEMPTS, 1);
    p.delivery = first[1];
    assert_int_equal(collect(f, p, got, 32), 2);
    p.tenant = 2;
    assert_int_equal(collect(f, p, got, 32), 0);
    p = fx_page(TH_PAGE_ATTEMPTS, 1);
    p.event = events[0];
    assert_int_equal(collect(f, p, got, 32), 2);
    p.event = 0;
    p.no = got[0];
    assert_int_equal(collect(f, p, got, 32), 1);
}

/* How an attempt ended, and what waits: in all three lists, together with their other filters. */
static void pages_by_outcome_and_by_what_waits(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], got[32], all[32];
    static const uint64_t held[] = {5};
    uint32_t kinds = 0;
    struct th_page p;

    world(f, events, first);
    for (int kind = TH_PAGE_EVENTS; kind <= TH_PAGE_ATTEMPTS; kind++) {
        uint32_t good, bad, n;
        p = fx_page((enum th_page_kind)kind, 1);
        n = collect(f, p, all, 32);
        p.outcomes = TH_OUTCOME_BIT(TH_HTTP_OK, true);
        good = collect(f, p, got, 32);
        p.outcomes = ~TH_OUTCOME_BIT(TH_HTTP_OK, true);
        bad = collect(f, p, got, 32);
        if (kind == TH_PAGE_ATTEMPTS)
            assert_int_equal(good + bad, n);
        assert_true(good <= n && bad <= n && good + bad > 0);
        p.outcomes = 0;
        p.by_answer = true;
        assert_int_equal(collect(f, p, got, 32), 0); /* none is wanted */
        TH_ANSWERED_ADD(&p, 599u);
        assert_int_equal(collect(f, p, got, 32), 0);
        TH_ANSWERED_ADD(&p, 200u); /* the union: what each gives alone */
        good = collect(f, p, got, 32);
        TH_ANSWERED_ADD(&p, 503u);
        n = collect(f, p, got, 32);
        memset(p.answered, 0, sizeof p.answered);
        TH_ANSWERED_ADD(&p, 503u);
        bad = collect(f, p, got, 32);
        assert_true(good > 0 && bad > 0);
        if (kind == TH_PAGE_EVENTS)
            assert_in_range(n, good > bad ? good : bad, good + bad);
        else
            assert_int_equal(n, good + bad);
    }
    p = fx_page(TH_PAGE_DELIVERIES, 1);
    p.states = 1u << TH_DS_QUEUED;
    p.endpoints = held;
    p.endpoint_count = 1;
    for (unsigned w = 1; w <= 4; w <<= 1) {
        p.waiting = w;
        kinds += collect(f, p, got, 32);
    }
    p.waiting = TH_WAITS_PENDING | TH_WAITS_RETRYING | TH_WAITS_HELD;
    assert_int_equal(collect(f, p, all, 32), kinds);
    p.waiting = TH_WAITS_HELD;
    for (uint32_t i = collect(f, p, got, 32); i-- > 0;) {
        struct th_page one = fx_page(TH_PAGE_DELIVERIES, 1);
        one.no = got[i];
        assert_int_equal(fx_run(f, &one.op), TH_OK);
        assert_int_equal(one.rows.deliveries[0].endpoint, 5);
        f->store->vt->page_free(f->store, &one);
    }
}

static uint64_t number_of(const struct th_page *p, uint32_t i)
{
    return p->kind == TH_PAGE_EVENTS ? p->rows.events[i].no : p->rows.attempts[i].no;
}

/* From the first number on, going on at `reached`; returns how many. The page's `reached` is left. */
static uint32_t follow(struct fx *f, struct th_page *p, uint64_t *up)
{
    uint32_t m = 0;

    p->ascending = true;
    p->reached = 0;
    do {
        p->after = p->reached;
        assert_int_equal(fx_run(f, &p->op), TH_OK);
        assert_true(p->count <= p->limit && (p->next == 0 || p->next == p->reached));
        for (uint32_t i = 0; i < p->count; i++)
            up[m++] = number_of(p, i);
        f->store->vt->page_free(f->store, p);
    } while (p->next);
    return m;
}

/* Whoever watches attempts or events goes on at `reached`: every one once, in order, whatever the filters and the size of a
 * page. */
static void what_comes_is_followed_without_a_gap(void **state)
{
    static const enum th_page_kind kinds[] = {TH_PAGE_ATTEMPTS, TH_PAGE_EVENTS};
    static const uint64_t both[] = {1, 2}, none[] = {77};
    struct fx *f = *state;
    uint64_t events[12], first[12], all[64], up[64], newest;
    struct th_page p;

    world(f, events, first);
    for (int k = 0; k < 2; k++) {
        uint32_t n, others, m = 0;

        p = fx_page(kinds[k], 1);
        n = collect(f, p, all, 32); /* newest first */
        assert_true(n > 3);
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        newest = p.reached; /* although it may be another tenant's */
        assert_true(newest >= all[0]);
        f->store->vt->page_free(f->store, &p);
        for (uint32_t limit = 1; limit < 5; limit++) {
            p = fx_page(kinds[k], 1);
            p.limit = limit;
            assert_int_equal(follow(f, &p, up), n);
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(up[i], all[n - 1 - i]);
            assert_int_equal(p.reached, newest);
        }
        p.after = newest;
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.count, 0);
        assert_int_equal(p.reached, newest);
        f->store->vt->page_free(f->store, &p);
        /* of several tenants at once */
        others = collect(f, fx_page(kinds[k], 2), all + n, 32);
        p = fx_page(kinds[k], 0);
        p.limit = 3;
        p.tenants = both;
        p.tenant_count = 2;
        assert_int_equal(follow(f, &p, up), n + others);
        for (uint32_t i = 0; i < n + others; i++) {
            assert_true(i == 0 || up[i] > up[i - 1]);
            for (uint32_t x = 0; x < n + others; x++)
                m += up[i] == all[x];
        }
        assert_int_equal(m, n + others);
        p.tenants = both + 1;
        p.tenant_count = 1;
        assert_int_equal(follow(f, &p, up), others);
        p.tenants = none;
        assert_int_equal(follow(f, &p, up), 0);
        assert_int_equal(p.reached, newest);
        p.tenant_count = 0; /* nobody's rows are asked for */
        assert_int_equal(fx_run(f, &p.op), TH_BUG);
    }
    p = fx_page(TH_PAGE_ATTEMPTS, 1);
    p.endpoint = 6;
    assert_int_equal(follow(f, &p, up), 1);
}

/* ---- retention ---- */

static void purge_goes_in_steps_and_takes_everything_along(void **state)
{
    struct fx *f = *state;
    uint64_t events[12], first[12], got[32];
    struct th_purge p = {
        .op = {.kind = TH_OP_PURGE}, .before = {T0 + DAY_MS}, .idem_before = {0}, .max_events = 4};
    struct th_queue_row rows[32];
    struct th_new_event e;
    struct th_accept a;
    uint64_t ep = 5;

    world(f, events, first);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 4);
    assert_int_equal(p.cancelled, 4); /* first[1] + 1, event 2, event 3 twice */
    assert_true(p.more);
    assert_true(p.upto >= events[3] && p.upto < events[4]);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 2); /* at T0 + DAY_MS is not before */
    assert_int_equal(p.cancelled, 3);
    assert_false(p.more);
    assert_true(p.upto >= events[5] && p.upto < events[6]);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 0);
    assert_int_equal(collect(f, fx_page(TH_PAGE_EVENTS, 1), got, 32), 4);
    assert_int_equal(collect(f, fx_page(TH_PAGE_DELIVERIES, 1), got, 32), 8);
    assert_int_equal(collect(f, fx_page(TH_PAGE_ATTEMPTS, 1), got, 32), 0);
    assert_int_equal(fx_walk(f, 0, 0, rows, 32, NULL), 10);
    e = fx_event(&ep, 1, "{}"); /* the external id is free again */
    e.external_id = TH_LIT("own-0");
    a = fx_accept(1, T0, &e, 1);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_false(fx_settle_run(f, first[0], 0, TH_DS_DELIVERED)); /* a settle comes too late */
}

static void numbers_are_never_given_twice(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d, e, d2, e2;
    struct th_purge p = {.op = {.kind = TH_OP_PURGE}, .before = {T0 + DAY_MS}, .max_events = 200};

    fx_tenant(f, 1, "t");
    e = fx_publish(f, 1, T0, &ep, 1, &d);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 1);
    assert_true(p.upto >= e);
    if (f->kind != FX_MEMORY) {
        fx_close(f);
        fx_open(f);
    }
    e2 = fx_publish(f, 1, T0, &ep, 1, &d2);
    assert_int_equal(e2, e + 1);
    assert_int_equal(d2, d + 1);
}

static void purge_forgets_idempotency_keys(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}"), again = e;
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_purge p = {.op = {.kind = TH_OP_PURGE}, .before = {0}, .idem_before = {T0}, .max_events = 200};

    fx_tenant(f, 1, "t");
    a.idem = (struct th_idem){.given = true, .key = {1}, .body = {1}};
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(fx_run(f, &p.op), TH_OK); /* the day of the key is not over */
    a.events = &again;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_REPEATED);
    p.idem_before.ms = T0 + DAY_MS;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
}

static void a_store_of_one_process_has_all_slots(void **state)
{
    struct fx *f = *state;
    struct th_follow follow = {.op = {.kind = TH_OP_FOLLOW}, .seen = 7};

    if (f->shared)
        return;
    assert_false(th_store_is_shared(f->store));
    th_arena_init(&follow.mem, 1u << 20);
    assert_int_equal(fx_run(f, &follow.op), TH_OK);
    for (unsigned i = 0; i < TH_SLOTS; i++)
        assert_true(th_slots_have(follow.slots, i));
    assert_int_equal(follow.upto, 7);
    assert_true(follow.told == UINT64_MAX);
    assert_int_equal(follow.row_count + follow.queued_count + follow.moved_count + follow.cancelled_count, 0);
    th_arena_fini(&follow.mem);
}

static void a_walk_gives_the_slots_that_it_is_asked_for(void **state)
{
    struct fx *f = *state;
    uint64_t endpoints[64], wanted[TH_SLOT_WORDS] = {0};
    struct th_queue_row rows[64];
    struct th_walk w = {.op = {.kind = TH_OP_WALK}, .max = 64, .rows = rows, .slots = wanted};
    uint64_t first;
    unsigned mine = 0;

    fx_tenant(f, 1, "t");
    for (unsigned i = 0; i < 64; i++)
        endpoints[i] = 100 + i;
    fx_publish(f, 1, T0, endpoints, 64, &first);
    for (unsigned slot = 0; slot < TH_SLOTS; slot += 2)
        wanted[slot / 64] |= UINT64_C(1) << slot % 64;
    for (unsigned i = 0; i < 64; i++)
        mine += th_slot_of(endpoints[i]) % 2 == 0;
    assert_in_range(mine, 10, 54);
    assert_int_equal(fx_run(f, &w.op), TH_OK);
    assert_int_equal(w.count, mine);
    for (unsigned i = 0; i < w.count; i++)
        assert_int_equal(th_slot_of(rows[i].endpoint) % 2, 0);
}

static void a_probe_commits(void **state)
{
    struct fx *f = *state;
    struct th_probe p = {.op = {.kind = TH_OP_PROBE}};

    assert_int_equal(fx_run(f, &p.op), TH_OK);
}

static void wrong_ops_are_bugs(void **state)
{
    struct fx *f = *state;
    struct th_accept a = fx_accept(1, T0, NULL, 0);
    struct th_page p = fx_page(TH_PAGE_EVENTS, 0);
    struct th_row row = {.kind = (enum th_row_kind)99};
    struct th_settings_op c = fx_settings(0, 0, &row, 1);

    assert_int_equal(fx_run(f, &a.op), TH_BUG);
    assert_int_equal(fx_run(f, &p.op), TH_BUG);
    assert_int_equal(fx_run(f, &c.op), TH_BUG);
}

static void submitted_ops_end_at_close(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[20];
    struct th_accept a[20];
    unsigned before;

    fx_tenant(f, 1, "t");
    before = f->done;
    for (int i = 0; i < 20; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        fx_submit(f, &a[i].op);
    }
    f->store->vt->close(f->store); /* without a drain or a detach */
    f->store = NULL;
    f->session = NULL;
    assert_int_equal(f->done, before + 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(a[i].result, TH_ACCEPT_NEW);
}

static struct th_usage usage_of(struct fx *f, uint64_t tenant)
{
    struct th_usage use;

    f->store->vt->usage(f->store, tenant, &use);
    return use;
}

static void again(struct fx *f)
{
    if (f->kind == FX_MEMORY)
        return;
    fx_close(f);
    fx_open(f);
}

static void what_a_tenant_has_is_counted(void **state)
{
    struct fx *f = *state;
    const uint64_t eps[] = {5, 6};
    struct th_row rows[] = {fx_endpoint_row(5, 1, 1, "{}"), fx_endpoint_row(6, 1, 1, "{}")};
    struct th_settings_op c = fx_settings(1, 1, rows, 2);
    /* order.created, {"a":1}, order, r-1 */
    const int64_t event = 13 + 7 + 5 + 3, answer = 6 + 3 + 6 + 6;
    struct th_purge purge = {.op = {.kind = TH_OP_PURGE}, .before = {T0 + 1}, .max_events = 200};
    uint64_t d[2], no;
    bool moved;
    struct th_move m = {.op = {.kind = TH_OP_MOVE},
                        .what = TH_MOVE_RETRY,
                        .lane = TH_LANE_MANUAL,
                        .at = {T0},
                        .count = 1,
                        .deliveries = &no,
                        .moved = &moved};

    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    fx_publish(f, 1, T0, eps, 2, &d[0]);
    fx_publish(f, 1, T0 + DAY_MS, eps, 2, &d[1]);
    for (int reopened = 0; reopened < 2; reopened++, again(f)) {
        assert_int_equal(usage_of(f, 1).bytes, 2 * event);
        assert_int_equal(usage_of(f, 1).unfinished, 4);
        assert_int_equal(usage_of(f, 2).bytes, 0);
        assert_int_equal(usage_of(f, 2).unfinished, 0);
    }
    assert_true(fx_settle_run(f, d[0], 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, d[0], 1, TH_DS_DELIVERED));
    assert_true(fx_settle_run(f, d[0] + 1, 0, TH_DS_EXHAUSTED));
    assert_true(fx_settle_run(f, d[1], 0, TH_DS_DELIVERED));
    for (int reopened = 0; reopened < 2; reopened++, again(f)) {
        assert_int_equal(usage_of(f, 1).bytes, 2 * event + 4 * answer);
        assert_int_equal(usage_of(f, 1).unfinished, 1);
    }
    no = d[0];
    assert_int_equal(fx_run(f, &m.op), TH_OK);
    assert_int_equal(usage_of(f, 1).unfinished, 2);
    assert_int_equal(fx_run(f, &purge.op), TH_OK); /* the older event, with one that waits again */
    assert_int_equal(purge.purged, 1);
    for (int reopened = 0; reopened < 2; reopened++, again(f)) {
        assert_int_equal(usage_of(f, 1).bytes, event + answer);
        assert_int_equal(usage_of(f, 1).unfinished, 1);
    }
    purge.before.ms = T0 + 2 * DAY_MS;
    assert_int_equal(fx_run(f, &purge.op), TH_OK);
    for (int reopened = 0; reopened < 2; reopened++, again(f)) {
        assert_int_equal(usage_of(f, 1).bytes, 0);
        assert_int_equal(usage_of(f, 1).unfinished, 0);
    }
}

static void an_accept_keeps_to_the_limits(void **state)
{
    struct fx *f = *state;
    const uint64_t eps[] = {5, 6};
    struct th_row rows[] = {fx_endpoint_row(5, 1, 1, "{}"), fx_endpoint_row(6, 1, 1, "{}")};
    struct th_settings_op c = fx_settings(1, 1, rows, 2);
    struct th_new_event e = fx_event(eps, 2, "{\"a\":1}"), first = e, more;
    struct th_accept a = fx_accept(1, T0, &first, 1);

    fx_tenant(f, 1, "t");
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    a.max_bytes = 2 * 28 - 1;
    a.idem = (struct th_idem){.given = true, .key = {1}, .body = {1}};
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    a.events[0].no = 0; /* a repetition, not the same op */
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_REPEATED); /* takes no room */
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        more = e;
        a = fx_accept(1, T0, &more, 1);
        a.max_bytes = by_bytes ? 2 * 28 - 1 : 0;
        a.max_unfinished = by_bytes ? 0 : 3;
        assert_int_equal(fx_run(f, &a.op), TH_OK);
        assert_int_equal(a.result, TH_ACCEPT_LIMITED);
        assert_int_equal(a.limited, by_bytes ? TH_USE_BYTES : TH_USE_UNFINISHED);
        assert_int_equal(usage_of(f, 1).bytes, 28);
        assert_int_equal(usage_of(f, 1).unfinished, 2);
    }
    a.max_bytes = 2 * 28;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
}

/* ---- both ---- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(accepts_number_events_and_deliveries_in_order),
        EACH(numbers_do_not_fall_when_the_clock_steps_back),
        EACH(stale_versions_are_refused),
        EACH(idempotency_keys_replay_for_a_day),
        EACH(one_key_twice_in_one_commit_is_one_event),
        EACH(external_ids_are_unique_per_tenant),
        EACH(a_copy_is_one_for_an_endpoint_and_none_of_nothing),
        EACH(an_accept_sent_again_is_one_accept),
        EACH(writes_complete_in_the_order_of_submission),
        EACH(settles_move_a_delivery_through_its_life),
        EACH(a_settle_with_another_counter_is_logged_and_not_applied),
        EACH(a_settle_sent_again_is_one_attempt),
        EACH(attempts_come_back_as_they_were_given),
        EACH(cancel_takes_only_what_is_queued),
        EACH(what_is_put_off_is_scheduled_and_may_expire),
        EACH(trim_takes_only_what_its_rules_name),
        EACH(trim_of_a_large_event_has_steps),
        EACH(retry_puts_any_state_back_into_the_queue),
        EACH(retry_leaves_what_has_no_endpoint),
        EACH(retry_of_a_test_stays_a_test),
        EACH(all_that_was_tried_is_made_due),
        EACH(lists_can_leave_tests_out),
        EACH(settings_are_read_by_their_revision),
        EACH(rows_know_an_endpoint_that_is_no_more),
        EACH(settings_are_listed_and_survive),
        EACH(settings_versions_guard_changes),
        EACH(settings_keys_keep_the_answer),
        EACH(encrypted_values_are_listed_wherever_they_are),
        EACH(encrypted_values_are_replaced_where_they_are_still_the_same),
        EACH(rows_are_found_without_their_tenant),
        EACH(pages_end_by_bytes),
        EACH(load_gives_events_and_says_which_are_missing),
        EACH(walk_goes_on_where_it_stopped),
        EACH(pages_of_events),
        EACH(a_list_of_all_tenants_has_the_rows_of_each),
        EACH(every_list_is_the_same_in_pages_of_any_size),
        EACH(pages_of_deliveries),
        EACH(pages_with_totals_and_skips),
        EACH(pages_of_attempts),
        EACH(what_comes_is_followed_without_a_gap),
        EACH(pages_by_outcome_and_by_what_waits),
        EACH(purge_goes_in_steps_and_takes_everything_along),
        EACH(numbers_are_never_given_twice),
        EACH(purge_forgets_idempotency_keys),
        EACH(a_store_of_one_process_has_all_slots),
        EACH(a_walk_gives_the_slots_that_it_is_asked_for),
        EACH(a_probe_commits),
        EACH(wrong_ops_are_bugs),
        EACH(submitted_ops_end_at_close),
        EACH(what_a_tenant_has_is_counted),
        EACH(an_accept_keeps_to_the_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
