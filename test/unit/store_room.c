/* What rows carry beside what today's engine fills in: both stores keep it and give it back, wherever the row is met. */
#include "store_fixture.h"

/* Closes and opens the SQLite store; the memory store keeps nothing. */
static void reopen(struct fx *f)
{
    if (f->kind == FX_MEMORY)
        return;
    fx_close(f);
    fx_open(f);
}

static struct th_event_more all_of_it(void)
{
    return (struct th_event_more){.deliver_at = T0 + 5000,
                                  .expires_at = T0 + 90000,
                                  .order_key = TH_LIT("order-7"),
                                  .channels = TH_LIT("eu\nbilling"),
                                  .traceparent =
                                      TH_LIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                                  .content_type = TH_LIT("text/csv"),
                                  .version = 20260301,
                                  .marks = TH_EVENT_MARKS};
}

static void assert_more(const struct th_event_more *more, const struct th_event_more *want)
{
    assert_int_equal(more->deliver_at, want->deliver_at);
    assert_int_equal(more->expires_at, want->expires_at);
    assert_true(th_span_eq(more->order_key, want->order_key));
    assert_true(th_span_eq(more->channels, want->channels));
    assert_true(th_span_eq(more->traceparent, want->traceparent));
    assert_true(th_span_eq(more->content_type, want->content_type));
    assert_int_equal(more->version, want->version);
    assert_int_equal(more->marks, want->marks);
}

static void load_one(struct fx *f, uint64_t no, struct th_load *l, struct th_event_row *row)
{
    *l = (struct th_load){.op = {.kind = TH_OP_LOAD}, .count = 1, .events = &no, .rows = row};
    th_buf_init(&l->mem, 64 << 20);
    assert_int_equal(fx_run(f, &l->op), TH_OK);
    assert_int_equal(row->no, no);
}

static void assert_event(struct fx *f, uint64_t no, const struct th_event_more *want)
{
    struct th_event_row row;
    struct th_load l;
    struct th_page p = fx_page(TH_PAGE_EVENTS, 1);

    load_one(f, no, &l, &row);
    assert_more(&row.more, want);
    th_buf_fini(&l.mem);
    p.no = no;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 1);
    assert_more(&p.rows.events[0].more, want);
    f->store->vt->page_free(f->store, &p);
}

static void events_keep_what_they_carry(void **state)
{
    struct fx *f = *state;
    const uint64_t eps[] = {5, 6};
    const struct th_event_more none = {0}, more = all_of_it();
    struct th_new_event e[3] = {fx_event(eps, 2, "{}"), fx_event(eps, 1, "a,b\n"), fx_event(eps, 1, "{}")};
    struct th_accept a = fx_accept(1, T0, e, 3);
    struct th_queue_row rows[5];
    struct th_usage use;

    fx_tenant(f, 1, "t");
    e[1].more = more; /* between two that have nothing: what is bound for one is not left to the next */
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    for (int reopened = 0; reopened < 2; reopened++, reopen(f)) {
        assert_event(f, e[0].no, &none);
        assert_event(f, e[1].no, &more);
        assert_event(f, e[2].no, &none);
        assert_int_equal(fx_walk(f, 0, 0, rows, 5, NULL), 4);
        assert_int_equal(rows[0].due, T0);
        assert_int_equal(rows[2].due, T0 + 5000); /* not before it is to be delivered */
        assert_int_equal(rows[3].due, T0);
        f->store->vt->usage(f->store, 1, &use);
        assert_int_equal(use.bytes, 3 * (13 + 5 + 3) + 2 + 4 + 2 + 7 + 10 + 55 + 8);
    }
}

static void a_time_to_deliver_that_is_past_is_now(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_queue_row row;

    fx_tenant(f, 1, "t");
    e.more.deliver_at = T0 - 1;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(fx_walk(f, 0, 0, &row, 1, NULL), 1);
    assert_int_equal(row.due, T0);
}

static void an_erased_event_has_no_key_any_more(void **state)
{
    struct fx *f = *state;
    struct th_event_more want = all_of_it();
    struct th_new_event e = fx_event(NULL, 0, "{\"secret\":1}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    uint64_t cancelled[TH_ERASE_STEP];
    struct th_erase erase = {.op = {.kind = TH_OP_ERASE}, .tenant = 1, .at = {T0}, .cancelled = cancelled};
    struct th_usage before, after;

    fx_tenant(f, 1, "t");
    e.more = want;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    f->store->vt->usage(f->store, 1, &before);
    erase.event = e.no;
    assert_int_equal(fx_run(f, &erase.op), TH_OK);
    assert_int_equal(erase.result, TH_ERASE_DONE);
    want.order_key = TH_LIT(""); /* it may be made of what the event says */
    for (int reopened = 0; reopened < 2; reopened++, reopen(f)) {
        assert_event(f, e.no, &want);
        f->store->vt->usage(f->store, 1, &after);
        assert_int_equal(before.bytes - after.bytes, 12 + 7);
    }
}

static void times_are_told_exactly(void **state)
{
    static const int64_t times[] = {T0, T0 - 1, 0, 1, 2, -1, INT64_C(253402300799999)};
    struct fx *f = *state;
    uint64_t ep = 5;

    fx_tenant(f, 1, "t");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct th_new_event e = fx_event(&ep, 1, "{}");
        struct th_accept a = fx_accept(1, T0, &e, 1);
        struct th_event_row row;
        struct th_load l;
        struct th_settle s;
        struct th_page p = fx_page(TH_PAGE_ATTEMPTS, 1);

        e.time.ms = times[i];
        assert_int_equal(fx_run(f, &a.op), TH_OK);
        load_one(f, e.no, &l, &row);
        assert_int_equal(row.time.ms, times[i]);
        th_buf_fini(&l.mem);
        s = fx_settle(e.first_delivery, 0, TH_DS_DELIVERED);
        s.row.at.ms = T0 + 999; /* signed in the same second, and at other moments */
        s.row.signed_at = i ? times[i] : T0 / 1000;
        s.row.batch = i % 2 ? e.first_delivery : 0;
        assert_int_equal(fx_run(f, &s.op), TH_OK);
        p.delivery = e.first_delivery;
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_int_equal(p.rows.attempts[0].row.signed_at, s.row.signed_at);
        assert_int_equal(p.rows.attempts[0].row.at.ms, T0 + 999);
        assert_int_equal(p.rows.attempts[0].row.batch, s.row.batch);
        f->store->vt->page_free(f->store, &p);
    }
}

/* ---- deliveries ---- */

static struct th_queue_row queued(struct fx *f, uint64_t no)
{
    struct th_queue_row row;

    assert_int_equal(fx_walk(f, no, 0, &row, 1, NULL), 1);
    assert_int_equal(row.no, no);
    return row;
}

static void assert_marked(struct fx *f, uint64_t no, unsigned marks, uint64_t order)
{
    struct th_delivery_row row;

    fx_state(f, 1, no, &row);
    assert_int_equal(row.marks, marks);
    assert_int_equal(row.order, order);
    if (row.state != TH_DS_QUEUED)
        return;
    assert_int_equal(queued(f, no).marks, marks);
    assert_int_equal(queued(f, no).order, order);
}

static bool move(struct fx *f, uint64_t no, int what, uint8_t marks, struct th_queue_row *row)
{
    bool moved;
    struct th_move m = {.op = {.kind = TH_OP_MOVE},
                        .what = (unsigned)what,
                        .lane = TH_LANE_MANUAL,
                        .marks = marks,
                        .at = {T0 + 1},
                        .count = 1,
                        .deliveries = &no,
                        .moved = &moved,
                        .rows = row};

    assert_int_equal(fx_run(f, &m.op), TH_OK);
    return moved;
}

static void deliveries_keep_marks_and_order(void **state)
{
    struct fx *f = *state;
    const uint64_t eps[] = {5, 6, 7}, orders[] = {0, TH_ORDER_MAX, 9};
    const uint8_t marks[] = {TH_MARK_FILTER_ERROR, 0, TH_MARKS};
    struct th_new_event e = fx_event(eps, 3, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_settle s;
    struct th_queue_row row;
    uint64_t d;

    fx_tenant(f, 1, "t");
    e.orders = orders;
    e.marks = marks;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    d = e.first_delivery;
    for (int reopened = 0; reopened < 2; reopened++, reopen(f))
        for (unsigned i = 0; i < 3; i++)
            assert_marked(f, d + i, marks[i], orders[i]);
    s = fx_settle(d, 0, TH_DS_QUEUED);
    s.marks = 8;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_marked(f, d, TH_MARK_FILTER_ERROR | 8, 0);
    s = fx_settle(d + 1, 0, TH_DS_EXHAUSTED);
    s.marks = TH_MARK_SKIPPED;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_marked(f, d + 1, TH_MARK_SKIPPED, TH_ORDER_MAX);
    assert_true(move(f, d + 1, TH_MOVE_RETRY, 16, &row));
    assert_int_equal(row.marks, TH_MARK_SKIPPED | 16);
    assert_int_equal(row.order, TH_ORDER_MAX);
    assert_int_equal(row.lane, TH_LANE_MANUAL);
    assert_marked(f, d + 1, TH_MARK_SKIPPED | 16, TH_ORDER_MAX);
    assert_true(move(f, d, TH_MOVE_CANCEL, TH_MARK_SKIPPED, NULL));
    assert_marked(f, d, TH_MARK_FILTER_ERROR | TH_MARK_SKIPPED | 8, 0);
    assert_true(move(f, d + 2, TH_MOVE_RETRY, 0, &row)); /* of one that waits */
    assert_marked(f, d + 2, TH_MARKS, 9);
    assert_false(fx_settle_run(f, d + 1, 0, TH_DS_DELIVERED)); /* too late: it says nothing of the delivery */
    assert_marked(f, d + 1, TH_MARK_SKIPPED | 16, TH_ORDER_MAX);
}

static void a_fan_out_keeps_them_too(void **state)
{
    static uint64_t eps[2600], orders[2600];
    static uint8_t marks[2600];
    static struct th_queue_row rows[TH_FANOUT_STEP];
    struct fx *f = *state;
    struct th_new_event e[2] = {fx_event(eps, 1300, "{}"), fx_event(eps, 1300, "{}")};
    struct th_accept a = fx_accept(1, T0, e, 2);
    struct th_fanout o = {.op = {.kind = TH_OP_FANOUT}, .rows = rows};
    uint32_t seen = 1000;

    for (uint32_t i = 0; i < 2600; i++) {
        eps[i] = i + 1;
        orders[i] = i % 3 ? (uint64_t)i << 36 : 0;
        marks[i] = (uint8_t)(i % 64);
    }
    fx_tenant(f, 1, "t");
    e[0].orders = orders; /* the first event has orders alone, the second everything */
    e[1].orders = orders + 1300;
    e[1].marks = marks + 1300;
    e[1].more.deliver_at = T0 + 7777;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    reopen(f);
    for (o.count = 1; o.count;) {
        o.event = 0;
        assert_int_equal(fx_run(f, &o.op), TH_OK);
        for (uint32_t i = 0; i < o.count; i++, seen++) {
            assert_int_equal(rows[i].no, e[0].first_delivery + seen);
            assert_int_equal(rows[i].order, orders[seen]);
            assert_int_equal(rows[i].marks, seen < 1300 ? 0 : marks[seen]);
            assert_int_equal(rows[i].due, seen < 1300 ? T0 : T0 + 7777);
            assert_int_equal(rows[i].lane, TH_LANE_FRESH);
        }
    }
    assert_int_equal(seen, 2600);
    for (uint32_t i = 0; i < 2600; i += 173)
        assert_marked(f, e[0].first_delivery + i, i < 1300 ? 0 : marks[i], orders[i]);
}

static void a_round_begins_with_its_first_attempt(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5, d;
    struct th_queue_row row;
    struct th_settle s;

    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, &ep, 1, &d);
    assert_int_equal(queued(f, d).round, 0);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED)); /* at T0, the next at T0 + 1000 and so on */
    assert_int_equal(queued(f, d).round, T0);
    assert_int_equal(queued(f, d).tries, 1);
    assert_true(fx_settle_run(f, d, 1, TH_DS_QUEUED));
    reopen(f);
    assert_int_equal(queued(f, d).round, T0);
    assert_int_equal(queued(f, d).tries, 2);
    assert_true(move(f, d, TH_MOVE_HURRY, 0, &row)); /* from the start of its schedule */
    assert_int_equal(row.round, 0);
    assert_int_equal(queued(f, d).round, 0);
    assert_true(fx_settle_run(f, d, 2, TH_DS_QUEUED));
    assert_int_equal(queued(f, d).round, T0 + 2000);
    assert_true(fx_settle_run(f, d, 3, TH_DS_EXHAUSTED));
    assert_true(move(f, d, TH_MOVE_RETRY, 0, &row));
    assert_int_equal(queued(f, d).round, 0);
    assert_true(fx_settle_run(f, d, 4, TH_DS_QUEUED));
    assert_int_equal(queued(f, d).round, T0 + 4000);
    s = fx_settle(
        d, 5, TH_DS_QUEUED); /* a retry was asked for meanwhile: the next attempt is the first of its round */
    s.tries = 0;
    assert_int_equal(fx_run(f, &s.op), TH_OK);
    assert_true(s.applied);
    assert_int_equal(queued(f, d).round, 0);
}

static void what_has_no_room_is_refused(void **state)
{
    struct fx *f = *state;
    const uint64_t ep = 5, order = TH_ORDER_MAX + 1;
    const uint8_t mark = TH_MARKS + 1;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_queue_row row;

    fx_tenant(f, 1, "t");
    e.orders = &order;
    assert_int_equal(fx_run(f, &a.op), TH_BUG);
    e.orders = NULL;
    e.marks = &mark;
    assert_int_equal(fx_run(f, &a.op), TH_BUG);
    assert_int_equal(fx_walk(f, 0, 0, &row, 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(events_keep_what_they_carry),           EACH(a_time_to_deliver_that_is_past_is_now),
        EACH(an_erased_event_has_no_key_any_more),   EACH(times_are_told_exactly),
        EACH(deliveries_keep_marks_and_order),       EACH(a_fan_out_keeps_them_too),
        EACH(a_round_begins_with_its_first_attempt), EACH(what_has_no_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
