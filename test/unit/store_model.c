/* Each store against the reference model: the same random ops to both, the same answers from both; with
 * enough numbers that lists come out of sorted runs. The seed is printed; TENTERHOOK_SEED repeats a run. */
#include "store_fixture.h"

#include <sqlite3.h>
#include <time.h>

#define ENDPOINTS 7 /* numbers 1 to 7; the tenant of endpoint e is 1 + e % 2 */

struct pair {
    struct fx *mem, *sql, *other; /* other: a second node on the same database, or NULL */
    uint64_t random, clock, deliveries[4096];
    uint32_t delivery_n;
    bool large; /* many rows: no short pages */
};

static uint64_t next_random(struct pair *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return p->random;
}

static uint32_t below(struct pair *p, uint32_t n)
{
    return (uint32_t)((next_random(p) >> 20) % n);
}

static enum th_error run_on(struct fx *f, struct th_op *op)
{
    fx_current = f;
    return fx_run(f, op);
}

static int set_up(void **state, enum fx_kind kind)
{
    struct pair *p = calloc(1, sizeof *p);
    const char *seed = getenv("TENTERHOOK_SEED");

    assert_non_null(p);
    p->random = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
    print_message("seed %llu\n", (unsigned long long)p->random);
    p->clock = (uint64_t)T0;
    p->mem = fx_new(FX_MEMORY);
    p->sql = fx_new(kind);
    for (int i = 0; i < 2; i++) {
        struct fx *f = i ? p->sql : p->mem;

        fx_current = f;
        fx_open(f);
        fx_tenant(f, 1, "a");
        fx_tenant(f, 2, "b");
        for (uint64_t no = 1; no <= 6; no++) { /* tenant 1 has the even ones */
            struct th_row row = fx_endpoint_row(no, 2 - (no % 2 == 0), 1, "{}");
            struct th_settings_op c = fx_settings(row.tenant, 1, &row, 1);
            c.keep_version = true;
            assert_int_equal(fx_run(f, &c.op), TH_OK);
        }
    }
    *state = p;
    return 0;
}

static int set_up_sqlite(void **state)
{
    return set_up(state, FX_SQLITE);
}

static int set_up_postgres(void **state)
{
    return set_up(state, FX_POSTGRES);
}

/* Two nodes: each operation goes to one of them. */
static int set_up_two_nodes(void **state)
{
    struct pair *p;

    (void)set_up(state, FX_POSTGRES);
    p = *state;
    fx_current = p->sql;
    fx_close(p->sql);
    p->other = fx_new(FX_SQLITE); /* a folder, and no database of its own */
    p->other->kind = FX_POSTGRES;
    snprintf(p->other->url, sizeof p->other->url, "%s", p->sql->url);
    p->sql->shared = p->other->shared = true;
    fx_current = p->sql;
    fx_open(p->sql);
    {
        struct th_row row = {
            .kind = TH_ROW_META, .id = TH_LIT("id_key"), .settings = TH_LIT("0123456789abcdef")};
        struct th_settings_op c = fx_settings(0, 0, &row, 1);

        assert_int_equal(fx_run(p->sql, &c.op), TH_OK); /* else the second waits for the first start to end */
    }
    fx_current = p->other;
    fx_open(p->other);
    return 0;
}

static void take_turns(struct pair *p)
{
    struct fx *f = p->sql;

    if (p->other && below(p, 2)) {
        p->sql = p->other;
        p->other = f;
    }
}

/* A node hears of the others' counts with its next commit. */
static void hear(struct pair *p)
{
    struct th_probe probe = {.op = {.kind = TH_OP_PROBE}};

    if (p->other)
        assert_int_equal(run_on(p->sql, &probe.op), TH_OK);
}

static int tear_down(void **state)
{
    struct pair *p = *state;

    fx_current = p->mem;
    fx_free(p->mem);
    fx_current = p->sql;
    fx_free(p->sql);
    fx_current = p->other;
    if (p->other)
        fx_free(p->other);
    free(p);
    return 0;
}

/* ---- writes ---- */

/* Some of what an event may carry beside its data; of its deliveries, for as many as there may be. */
static void carry_more(struct pair *p, struct th_new_event *e, uint64_t orders[4], uint8_t marks[4])
{
    for (int i = 0; i < 4; i++) {
        orders[i] = below(p, 2) ? next_random(p) & TH_ORDER_MAX : 0;
        marks[i] = below(p, 2) ? (uint8_t)below(p, TH_MARKS + 1) : 0;
    }
    e->orders = below(p, 2) ? orders : NULL;
    e->marks = below(p, 2) ? marks : NULL;
    if (below(p, 2))
        e->more.deliver_at = (int64_t)p->clock + (int64_t)below(p, 1000000);
    if (below(p, 2))
        e->more.expires_at = (int64_t)p->clock + (int64_t)below(p, 1000000);
    if (below(p, 2))
        e->more.order_key = TH_LIT("key-1");
    if (below(p, 2))
        e->more.channels = TH_LIT("a\nb");
    if (below(p, 2))
        e->more.traceparent = TH_LIT("00-1-2-00");
    if (below(p, 2))
        e->more.content_type = TH_LIT("text/plain");
    if (below(p, 2))
        e->more.version = (uint32_t)below(p, 100000000);
    if (below(p, 2))
        e->more.marks = (uint8_t)below(p, TH_EVENT_MARKS + 1);
}

/* One number for what an event carries. */
static uint64_t sum_of_more(const struct th_event_row *r)
{
    const struct th_event_more *m = &r->more;

    return (uint64_t)r->time.ms * 31 + (uint64_t)m->deliver_at * 7 + (uint64_t)m->expires_at +
           m->order_key.n * 1000 + m->channels.n * 10000 + m->traceparent.n * 100000 +
           m->content_type.n * 1000000 + m->version * 3u + m->marks * 5u;
}

static void do_accept(struct pair *p, uint32_t count, uint32_t max_endpoints)
{
    static struct th_new_event a[1000], b[1000];
    static uint64_t endpoints[1000][4];
    static char ids[1000][16];
    static const char *const types[] = {"order.created", "order.paid", "user.left"};
    static uint64_t orders[1000][4];
    static uint8_t marks[1000][4];
    uint64_t tenant = 1 + below(p, 2);
    struct th_accept x, y;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = below(p, max_endpoints + 1);

        for (uint32_t j = 0; j < n; j++)
            endpoints[i][j] = (tenant == 1 ? 2 : 1) + 2 * (uint64_t)below(p, 3);
        a[i] = fx_event(endpoints[i], n, "{\"k\":[1,2,3]}");
        a[i].type = th_str(types[below(p, 3)]);
        a[i].rnd = below(p, 1u << 27);
        a[i].time.ms = below(p, 2) ? (int64_t)p->clock : (int64_t)below(p, 3);
        if (below(p, 8) == 0)
            carry_more(p, &a[i], orders[i], marks[i]);
        if (count < 10 && below(p, 4) == 0) {
            snprintf(ids[i], sizeof ids[i], "own%u", below(p, 500));
            a[i].external_id = th_str(ids[i]);
        }
    }
    memcpy(b, a, count * sizeof *a);
    x = fx_accept(tenant, (int64_t)p->clock, a, count);
    if (below(p, 5) == 0) {
        x.idem.given = true;
        x.idem.key[0] = (uint8_t)below(p, 40);
        x.idem.body[0] = (uint8_t)below(p, 2);
    }
    if (below(p, 30) == 0)
        x.settings_version = 2;
    y = x;
    y.events = b;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_int_equal(x.result, y.result);
    if (x.result == TH_ACCEPT_NEW || x.result == TH_ACCEPT_REPEATED)
        assert_int_equal(x.first_event, y.first_event);
    if (x.result == TH_ACCEPT_ID_TAKEN)
        assert_int_equal(x.taken, y.taken);
    for (uint32_t i = 0; i < count && x.result == TH_ACCEPT_NEW; i++) {
        assert_int_equal(a[i].no, b[i].no);
        assert_int_equal(a[i].first_delivery, b[i].first_delivery);
        assert_int_equal(a[i].queued, b[i].queued);
        for (uint32_t j = 0; j < a[i].queued && (count < 10 || below(p, 40) == 0); j++)
            p->deliveries[p->delivery_n++ % 4096] = a[i].first_delivery + j;
    }
}

/* One step of what accepts have left, at most so many of them. */
static void do_fanout(struct pair *p, uint32_t steps)
{
    static struct th_queue_row ra[TH_FANOUT_STEP], rb[TH_FANOUT_STEP];
    uint64_t after = 0;

    for (uint32_t i = 0; i < steps; i++) {
        struct th_fanout x = {.op = {.kind = TH_OP_FANOUT}, .after = after, .rows = ra}, y = x;

        y.rows = rb;
        assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
        assert_int_equal(x.event, y.event);
        assert_int_equal(x.from, y.from);
        assert_int_equal(x.count, y.count);
        for (uint32_t k = 0; k < x.count; k++) {
            assert_memory_equal(&ra[k], &rb[k], sizeof ra[k]);
            if (below(p, 40) == 0)
                p->deliveries[p->delivery_n++ % 4096] = ra[k].no;
        }
        after = x.event;
        if (!x.event)
            return;
        if (below(p, 4) == 0) { /* sent again: the same once more */
            assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
            assert_int_equal(x.count, y.count);
            for (uint32_t k = 0; k < x.count; k++)
                assert_memory_equal(&ra[k], &rb[k], sizeof ra[k]);
        }
    }
}

static uint64_t some_delivery(struct pair *p)
{
    uint32_t n = p->delivery_n < 4096 ? p->delivery_n : 4096;

    return n ? p->deliveries[below(p, n)] : 1;
}

static void do_settle(struct pair *p)
{
    static const enum th_delivery_state ends[] = {TH_DS_QUEUED, TH_DS_QUEUED, TH_DS_DELIVERED,
                                                  TH_DS_EXHAUSTED, TH_DS_FINAL};
    struct th_settle x = fx_settle(some_delivery(p), (uint16_t)below(p, 3), ends[below(p, 5)]), y;

    x.row.at.ms = (int64_t)p->clock;
    x.row.status = (uint16_t)(200 + below(p, 3));
    x.row.signed_at = below(p, 2) ? x.row.at.ms / 1000 : (int64_t)below(p, 3);
    x.row.batch = below(p, 3) ? 0 : x.delivery;
    x.marks = below(p, 3) ? 0 : (uint8_t)below(p, TH_MARKS + 1);
    y = x;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_int_equal(x.applied, y.applied);
}

static void do_move(struct pair *p)
{
    uint64_t list[5];
    bool a[5], b[5];
    struct th_queue_row ra[5], rb[5];
    struct th_move x = {.op = {.kind = TH_OP_MOVE},
                        .what = TH_MOVE_CANCEL + below(p, 6),
                        .lane = TH_LANE_MANUAL,
                        .marks = below(p, 3) ? 0 : (uint8_t)below(p, TH_MARKS + 1),
                        .at = {(int64_t)p->clock},
                        .count = 5,
                        .deliveries = list},
                   y;

    for (int i = 0; i < 5; i++)
        list[i] = some_delivery(p);
    memset(ra, 0, sizeof ra);
    memset(rb, 0, sizeof rb);
    x.moved = a;
    x.rows = ra;
    y = x;
    y.moved = b;
    y.rows = rb;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_int_equal(x.missing, y.missing);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(a[i], b[i]);
        assert_int_equal(ra[i].no, rb[i].no);
        assert_int_equal(ra[i].attempts, rb[i].attempts);
        assert_int_equal(ra[i].due, rb[i].due);
        assert_int_equal(ra[i].order, rb[i].order);
        assert_int_equal(ra[i].marks, rb[i].marks);
        assert_int_equal(ra[i].round, rb[i].round);
    }
}

static void do_purge(struct pair *p, int64_t before)
{
    struct th_dropped a[ENDPOINTS], b[ENDPOINTS];
    struct th_purge x = {.op = {.kind = TH_OP_PURGE},
                         .before = {before},
                         .idem_before = {before},
                         .max_events = 200,
                         .dropped = a,
                         .dropped_max = ENDPOINTS},
                    y = x;

    y.dropped = b;

    do {
        assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
        assert_int_equal(x.purged, y.purged);
        assert_int_equal(x.cancelled, y.cancelled);
        assert_int_equal(x.upto, y.upto);
        assert_int_equal(x.dropped_count, y.dropped_count);
        for (uint32_t i = 0; i < x.dropped_count; i++) { /* the order is the store's */
            uint32_t k = 0;
            while (k < y.dropped_count && a[i].endpoint != b[k].endpoint)
                k++;
            assert_true(k < y.dropped_count && a[i].count == b[k].count);
        }
    } while (x.more || y.more);
}

/* 1 when there is none. */
static uint64_t some_event(struct pair *p)
{
    struct th_page page = fx_page(TH_PAGE_DELIVERIES, 0);
    uint64_t no = 1;

    page.no = some_delivery(p);
    assert_int_equal(run_on(p->mem, &page.op), TH_OK);
    if (page.count)
        no = page.rows.deliveries[0].event.no;
    p->mem->store->vt->page_free(p->mem->store, &page);
    return no;
}

static void do_erase(struct pair *p)
{
    uint64_t a[TH_ERASE_STEP], b[TH_ERASE_STEP];
    struct th_erase x = {.op = {.kind = TH_OP_ERASE},
                         .event = some_event(p),
                         .at = {(int64_t)p->clock},
                         .cancel = below(p, 2),
                         .cancelled = a},
                    y = x;

    y.cancelled = b;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_int_equal(x.result, y.result);
    assert_int_equal(x.unfinished, y.unfinished);
    assert_int_equal(x.cancelled_count, y.cancelled_count);
    assert_memory_equal(a, b, x.cancelled_count * sizeof *a);
}

/* ---- reads ---- */

struct found {
    uint64_t no, other, status, more;
};

static uint32_t collect(struct fx *f, struct th_page page, struct found *out, uint32_t max)
{
    uint32_t n = 0;

    do {
        assert_int_equal(run_on(f, &page.op), TH_OK);
        for (uint32_t i = 0; i < page.count; i++) {
            struct found *at = &out[n++];

            assert_true(n <= max);
            if (page.kind == TH_PAGE_EVENTS) {
                const struct th_event_row *r = &page.rows.events[i];

                *at = (struct found){r->no, r->first_delivery, r->type.n + (r->erased ? 1000 : 0),
                                     sum_of_more(r)};
            } else if (page.kind == TH_PAGE_DELIVERIES) {
                const struct th_delivery_row *r = &page.rows.deliveries[i];

                *at = (struct found){r->no, r->event.no,
                                     (uint64_t)r->state << 32 | (uint64_t)r->attempts << 16 | r->last.status,
                                     sum_of_more(&r->event) + r->marks * 3 + r->order * 5};
                assert_true(r->last_attempt || !r->attempts);
            } else {
                const struct th_attempt_view *r = &page.rows.attempts[i];

                *at = (struct found){r->no, r->delivery, r->row.status,
                                     r->of.marks * 3 + r->of.order * 5 + (uint64_t)r->row.signed_at * 7 +
                                         r->row.batch * 11};
            }
        }
        page.before = page.next;
        f->store->vt->page_free(f->store, &page);
    } while (page.before);
    return n;
}

static void compare_page(struct pair *p)
{
    static struct found a[200000], b[200000];
    struct th_page page = fx_page((enum th_page_kind)below(p, 3), 1 + below(p, 2));
    uint32_t n;

    page.limit = p->large ? 300 + below(p, 700) : 1 + below(p, 1000);
    if (below(p, 2))
        page.endpoint = page.kind == TH_PAGE_EVENTS ? 0 : 1 + below(p, ENDPOINTS);
    if (below(p, 4) == 0)
        page.type = TH_LIT("user.left");
    if (below(p, 4) == 0)
        page.since = (int64_t)p->clock - (int64_t)below(p, 100) * 3600000;
    if (below(p, 4) == 0)
        page.until = (int64_t)p->clock - (int64_t)below(p, 100) * 3600000;
    if (page.kind == TH_PAGE_DELIVERIES && below(p, 2))
        page.states = 1 + below(p, 31);
    if (page.kind == TH_PAGE_ATTEMPTS && below(p, 3) == 0)
        page.delivery = some_delivery(p);
    if (page.kind == TH_PAGE_DELIVERIES && page.states & 1)
        page.queued = below(p, 3);
    n = collect(p->mem, page, a, 200000);
    assert_int_equal(collect(p->sql, page, b, 200000), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(a[i].no, b[i].no);
        assert_int_equal(a[i].other, b[i].other);
        assert_int_equal(a[i].status, b[i].status);
        assert_int_equal(a[i].more, b[i].more);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void compare_total(struct pair *p)
{
    struct th_page x = fx_page(TH_PAGE_DELIVERIES, 1 + below(p, 2)), y;
    int64_t began;

    if (below(p, 2))
        x.endpoint = 1 + below(p, ENDPOINTS);
    x.limit = 10;
    x.skip = below(p, 2) ? below(p, 30000) : 0;
    x.with_total = true;
    y = x;
    assert_int_equal(run_on(p->mem, &x.op), TH_OK);
    began = now_ms();
    assert_int_equal(run_on(p->sql, &y.op), TH_OK);
    if (now_ms() - began >=
        1900) { /* on a busy machine: a total ends after two seconds with what was counted so far */
        assert_true(y.total <= x.total);
        p->mem->store->vt->page_free(p->mem->store, &x);
        p->sql->store->vt->page_free(p->sql->store, &y);
        return;
    }
    assert_int_equal(x.total, y.total);
    assert_int_equal(x.count, y.count);
    assert_int_equal(x.next, y.next);
    assert_int_equal(x.skip, y.skip);
    for (uint32_t i = 0; i < x.count; i++)
        assert_int_equal(x.rows.deliveries[i].no, y.rows.deliveries[i].no);
    p->mem->store->vt->page_free(p->mem->store, &x);
    p->sql->store->vt->page_free(p->sql->store, &y);
}

static uint64_t walk_all(struct fx *f, uint64_t endpoint, uint32_t max, uint32_t *count)
{
    struct th_queue_row rows[500];
    uint64_t next = 0, sum = 0, before = 0;

    *count = 0;
    fx_current = f;
    do {
        uint32_t n = fx_walk(f, next, endpoint, rows, max, &next);

        for (uint32_t i = 0; i < n; i++) {
            assert_true(rows[i].no > before);
            before = rows[i].no;
            sum = sum * 31 + rows[i].no * 7 + rows[i].attempts + rows[i].endpoint * 3 + rows[i].order * 5 +
                  rows[i].marks * 11 + (uint64_t)rows[i].round * 13 + (uint64_t)rows[i].due * 17 +
                  rows[i].tries * 19;
        }
        *count += n;
    } while (next);
    return sum;
}

static void compare_counts(struct pair *p)
{
    uint64_t endpoints[ENDPOINTS];
    struct th_waiting a[ENDPOINTS], b[ENDPOINTS];
    struct th_counts x = {.op = {.kind = TH_OP_COUNT},
                          .count = ENDPOINTS,
                          .endpoints = endpoints,
                          .waiting = a},
                     y = x;

    for (uint64_t i = 0; i < ENDPOINTS; i++)
        endpoints[i] = i + 1;
    y.waiting = b;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_memory_equal(a, b, sizeof a);
}

static void compare_walk(struct pair *p)
{
    uint64_t endpoint = below(p, ENDPOINTS + 1);
    uint32_t a, b, max = 1 + below(p, 500);

    if (!endpoint && max < 50)
        max = 500;
    assert_int_equal(walk_all(p->mem, endpoint, max, &a), walk_all(p->sql, endpoint, max, &b));
    assert_int_equal(a, b);
    compare_counts(p);
    if (!endpoint) /* of all endpoints: the backlog that the metrics show */
        assert_int_equal(atomic_load(&p->sql->metrics.gauge[TH_G_DELIVERIES_PENDING]), b);
}

static void compare_usage(struct pair *p)
{
    hear(p);
    for (uint64_t tenant = 1; tenant <= 2; tenant++) {
        struct th_usage a, b;
        p->mem->store->vt->usage(p->mem->store, tenant, &a);
        p->sql->store->vt->usage(p->sql->store, tenant, &b);
        assert_int_equal(a.bytes, b.bytes);
        assert_int_equal(a.unfinished, b.unfinished);
    }
}

/* What was settled up to now, by minute, hour or day. */
static void compare_stats(struct pair *p)
{
    static const int64_t steps[] = {60000, 3600000, DAY_MS};
    int64_t step = steps[below(p, 3)], until = (int64_t)p->clock + DAY_MS;
    uint32_t count = 1 + below(p, 100);
    struct th_stats_bucket *a = calloc(2 * count, sizeof *a), *b = a + count;
    struct th_stats x = {.op = {.kind = TH_OP_STATS},
                         .tenant = below(p, 3),
                         .endpoint = below(p, 2) ? 1 + below(p, ENDPOINTS) : 0,
                         .since = (until - count * step) / step * step,
                         .step = step,
                         .count = count,
                         .buckets = a},
                    y = x;

    assert_non_null(a);
    if (x.endpoint)
        x.tenant = y.tenant = 0;
    x.until = y.until = x.since + count * step;
    y.buckets = b;
    assert_int_equal(run_on(p->mem, &x.op), run_on(p->sql, &y.op));
    assert_memory_equal(a, b, count * sizeof *a);
    assert_int_equal(y.complete_from, y.since);
    free(a);
}

static void both_stores_answer_the_same(void **state)
{
    struct pair *p = *state;

    for (int i = 0; i < 700; i++) {
        uint32_t what = below(p, 20);

        take_turns(p);
        p->clock += below(p, 2) ? below(p, 400000) : 0;
        if (below(p, 50) == 0)
            p->clock -= below(p, 3600000); /* clocks do that */
        if (what < 7)
            do_accept(p, 1 + below(p, 3), 3);
        else if (what < 16)
            do_settle(p);
        else if (what < 18)
            do_move(p);
        else if (what < 19 && below(p, 3) == 0)
            do_erase(p);
        else if (what < 19)
            compare_page(p);
        else
            compare_walk(p);
        compare_stats(p);
        if (i % 200 == 199)
            do_purge(p, (int64_t)p->clock - 2 * DAY_MS);
        compare_usage(p);
        if (i % 250 == 249) {
            fx_current = p->sql;
            fx_close(p->sql);
            fx_open(p->sql);
            compare_usage(p);
        }
    }
    for (int i = 0; i < 30; i++)
        compare_page(p);
}

static uint64_t sealed_in_postgres(struct fx *f, const char *kind)
{
    PGconn *c = PQconnectdb(f->url);
    const char *values[] = {kind};
    PGresult *r =
        PQexecParams(c, "SELECT v FROM tenterhook.counter WHERE k=$1", 1, NULL, values, NULL, NULL, 0);
    uint64_t v = PQntuples(r) ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;

    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    PQclear(r);
    PQfinish(c);
    return v;
}

/** First number that no run holds, read beside the store. */
static uint64_t sealed(struct fx *f, const char *kind)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *st;
    uint64_t v = 0;

    if (f->kind == FX_POSTGRES)
        return sealed_in_postgres(f, kind);
    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT v FROM counter WHERE k=?1", -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_text(st, 1, kind, -1, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW)
        v = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

static void compare_all(struct pair *p, int pages)
{
    compare_usage(p);
    for (int i = 0; i < pages; i++)
        compare_page(p);
    for (int i = 0; i < 6; i++)
        compare_total(p);
    for (int i = 0; i < 6; i++)
        compare_walk(p);
}

static void lists_come_out_of_runs(void **state)
{
    struct pair *p = *state;
    uint64_t newest, boundary;

    p->large = true;
    for (int i = 0; i < 22; i++) {
        take_turns(p);
        do_accept(p, 1000, 2);
        do_fanout(p, below(p, 3)); /* some are left for a while, and lists are asked for meanwhile */
        if (i % 5 == 4)
            compare_all(p, 1);
        p->clock += 40000;
    }
    do_fanout(p, 1000);
    for (int i = 0; i < 300; i++)
        do_settle(p);
    newest = some_delivery(p) & ~(uint64_t)0x3fff;
    for (int i = 0; i < 400 && sealed(p->sql, "sealed.delivery") < newest; i++) {
        struct th_probe probe = {.op = {.kind = TH_OP_PROBE}};

        assert_int_equal(run_on(p->sql, &probe.op), TH_OK); /* slices are written beside commits */
    }
    boundary = sealed(p->sql, "sealed.delivery");
    assert_true(boundary >> 14 > (T0 - INT64_C(1767225600000)) / DAY_MS << 26); /* at least one run */
    assert_true(sealed(p->sql, "sealed.event") > 0);
    compare_all(p, 10);
    fx_current = p->sql;
    fx_close(p->sql);
    fx_open(p->sql);
    assert_true(sealed(p->sql, "sealed.delivery") >= boundary);
    compare_all(p, 4);
    do_purge(p, (int64_t)p->clock - 12 * 40000);
    compare_all(p, 4);
    p->clock += (uint64_t)(3 * DAY_MS); /* numbers jump to another day */
    do_accept(p, 1000, 2);
    do_fanout(p, 1);
    compare_all(p, 4);
    do_purge(p, (int64_t)p->clock);
    compare_all(p, 4);
}

#define ON_EACH(test)                                                                                        \
    {#test " (sqlite)", test, set_up_sqlite, tear_down, NULL},                                               \
    {                                                                                                        \
#test " (postgres)", test, set_up_postgres, tear_down, NULL                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(both_stores_answer_the_same),
        {"both_stores_answer_the_same (two nodes)", both_stores_answer_the_same, set_up_two_nodes, tear_down,
         NULL},
        ON_EACH(lists_come_out_of_runs),
        {"lists_come_out_of_runs (two nodes)", lists_come_out_of_runs, set_up_two_nodes, tear_down, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
