/* Random operations on the scheduler beside a naive model of the store and of what has been promised.
 *
 * The model knows every delivery; the scheduler may hold only a few. Walks of the store are answered late,
 * from what the store held when they began, so rows in them may have been ended or changed meanwhile. After
 * every step the scheduler's invariants are checked; each picked delivery must be queued, due, not under way,
 * and carry the newest row. Half of the endpoints have an order: nothing may be picked there before what has a lower number in its
 * line, unless that one has held it up for as long as it may. At the end everything is let go, and everything must have been delivered. The
 * seed is printed; TENTERHOOK_SEED sets it. */
#include "sched_world.h"
#include <time.h>

#define EPS 6
#define MAX_DELIVERIES 20000
#define ADDRESSES 16 /* four of each tenant */

enum state { UNKNOWN, QUEUED, FLIGHT, SETTLING, ENDED };

struct delivery {
    enum state state;
    struct th_queue_row row;
    int64_t due, began;
    bool cancelled, connected, passed;
    uint64_t keys[2]; /* of addresses, when it is connected */
};

struct walk {
    bool open;
    uint64_t endpoint, next;
    uint32_t count;
    struct th_queue_row rows[64];
    struct th_mono due[64];
};

struct world {
    struct th_sched *s;
    uint64_t rnd;
    int64_t now;
    struct delivery d[MAX_DELIVERIES];
    uint64_t last;    /* number */
    uint64_t ep[EPS]; /* endpoint numbers in use; 0: none */
    bool held[EPS];
    uint64_t passed; /* number of deliveries */
    uint64_t tenant[EPS];
    uint64_t next_ep;
    uint32_t under_way[MAX_DELIVERIES], n_under_way;
    struct walk walk[EPS];
    uint64_t picks, backs;
    uint32_t at[ADDRESSES]; /* requests under way */
    bool fail_memory;
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->rnd ^= w->rnd << 13;
    w->rnd ^= w->rnd >> 7;
    w->rnd ^= w->rnd << 17;
    return (uint32_t)((w->rnd >> 11) % n);
}

static int ep_slot(const struct world *w, uint64_t no)
{
    for (int i = 0; i < EPS; i++)
        if (w->ep[i] == no)
            return i;
    return -1;
}

#define MAX_WAIT_US (90 * S)

/* 0: one line; 1: by key; 2: by key, and nobody waits for long; the others have no order. */
static void set_order(struct th_sched_endpoint *e, uint32_t slot)
{
    e->ordered = slot < 3;
    e->one_line = slot == 0;
    e->max_wait_us = slot == 2 ? MAX_WAIT_US : 0;
}

/* Nothing of its line with a lower number is unfinished. */
static void check_turn(struct world *w, const struct th_queue_row *out, int slot)
{
    if (!out->order || slot > 2 || out->lane == TH_LANE_TEST)
        return;
    for (uint64_t no = 1; no < out->no; no++) {
        struct delivery *d = &w->d[no];
        if (d->row.endpoint != out->endpoint || d->row.order != out->order || d->state == ENDED ||
            d->row.lane == TH_LANE_TEST || d->state == UNKNOWN || d->passed)
            continue;
        if (slot == 2 && w->fail_memory && d->row.tries) /* without memory nobody is told */
            continue;
        fail_msg("%llu is sent before %llu (state %d, tries %u, lane %u, due in %lld us)",
                 (unsigned long long)out->no, (unsigned long long)no, d->state, d->row.tries, d->row.lane,
                 (long long)(d->due - w->now));
    }
}

/* Whoever was passed had held up the others for long enough. */
static void note_passed(struct world *w)
{
    uint64_t no;

    while (th_sched_passed_next(w->s, &no)) {
        struct delivery *d = &w->d[no];
        assert_int_equal(ep_slot(w, d->row.endpoint), 2);
        assert_true(d->row.tries > 0 && w->now >= d->row.round * 1000 + MAX_WAIT_US - S);
        d->row.marks |= TH_MARK_SKIPPED;
        d->passed = true;
        w->passed++;
    }
}

static void step_endpoint(struct world *w, bool calm)
{
    uint32_t i = rnd(w, EPS);
    struct th_sched_endpoint e = endpoint(0, 1 + rnd(w, 3));

    set_order(&e, i);

    if (w->ep[i] && !calm && rnd(w, 12) == 0) { /* delete */
        for (uint64_t no = 1; no <= w->last; no++)
            if (w->d[no].row.endpoint == w->ep[i]) {
                w->d[no].cancelled = true;
                if (w->d[no].state == QUEUED)
                    w->d[no].state = ENDED;
            }
        th_sched_endpoint_del(w->s, w->ep[i]);
        w->walk[i].open = false;
        w->ep[i] = 0;
        return;
    }
    e.no = w->ep[i] ? w->ep[i] : w->next_ep + 1;
    e.held = !calm && rnd(w, 3) == 0;
    e.max_in_flight = 1 + rnd(w, 5);
    e.rate_per_s = rnd(w, 4) == 0 ? 5 : 0;
    e.host = rnd(w, 3) ? e.tenant * 8 + rnd(w, 2) + 1 : 0;
    e.host_in_flight = rnd(w, 4);
    e.host_rate_per_s = rnd(w, 6) == 0 ? 3 : 0;
    e.address_in_flight = rnd(w, 8) ? (uint32_t)e.tenant : 0;
    if (th_sched_endpoint_put(w->s, &e, at_us(w->now)) != TH_OK) {
        assert_true(w->fail_memory);
        return;
    }
    w->next_ep += !w->ep[i];
    w->ep[i] = e.no;
    w->tenant[i] = e.tenant;
    w->held[i] = e.held;
}

static void insert(struct world *w, struct delivery *d)
{
    enum th_insert got = th_sched_insert(w->s, &d->row, at_us(d->due), at_us(w->now));

    if (got == TH_INSERT_NOMEM)
        assert_true(w->fail_memory);
    assert_true(got == TH_INSERTED || got == TH_SPILLED || got == TH_KNOWN || got == TH_INSERT_NOMEM);
}

static void step_new(struct world *w)
{
    uint64_t ep = w->ep[rnd(w, EPS)];
    struct delivery *d;

    if (!ep || w->last + 1 >= MAX_DELIVERIES)
        return;
    d = &w->d[++w->last];
    *d = (struct delivery){.state = QUEUED, .due = w->now};
    d->row = row(w->last, ep, rnd(w, 8) ? TH_LANE_FRESH : (enum th_lane)rnd(w, 4));
    d->row.order = ep_slot(w, ep) == 0 ? 1 : ep_slot(w, ep) < 3 ? rnd(w, 5) : 0;
    if (rnd(w, 6) == 0 && d->row.lane != TH_LANE_TEST)
        d->due += (int64_t)rnd(w, 300) * S;
    insert(w, d);
}

static struct delivery *any(struct world *w)
{
    return w->last ? &w->d[1 + rnd(w, (uint32_t)w->last)] : NULL;
}

static void step_again(struct world *w) /* insert what may be known; retry by hand; cancel */
{
    struct delivery *d = any(w);
    uint32_t what = rnd(w, 4);

    if (!d || ep_slot(w, d->row.endpoint) < 0)
        return;
    if (what == 0 && d->state == QUEUED) {
        insert(w, d);
    } else if (what == 1 && (d->state == QUEUED || d->state == ENDED)) {
        d->state = QUEUED;
        d->cancelled = false;
        d->row.lane = TH_LANE_MANUAL;
        d->row.tries = 0;
        d->due = w->now;
        insert(w, d);
    } else if (what == 2 && d->state != ENDED && rnd(w, 4) == 0) {
        d->cancelled = true;
        if (d->state == QUEUED)
            d->state = ENDED;
        th_sched_cancel(w->s, d->row.no);
    }
}

static void step_pick(struct world *w, bool calm)
{
    struct th_queue_row out;
    struct delivery *d;
    int slot;

    if (!th_sched_pick(w->s, at_us(w->now), &out)) {
        assert_true(th_sched_next(w->s, at_us(w->now)).us > w->now);
        return;
    }
    w->picks++;
    d = &w->d[out.no];
    assert_int_equal(d->state, QUEUED);
    assert_true(d->due <= w->now || d->row.lane == TH_LANE_TEST);
    assert_int_equal(out.endpoint, d->row.endpoint);
    assert_int_equal(out.event, d->row.event);
    assert_int_equal(out.tries, d->row.tries);
    assert_int_equal(out.attempts, d->row.attempts);
    assert_int_equal(out.lane, d->row.lane);
    slot = ep_slot(w, out.endpoint);
    assert_true(slot >= 0);
    note_passed(w);
    check_turn(w, &out, slot);
    assert_true(calm || !w->held[slot] || out.lane == TH_LANE_TEST ||
                (out.lane == TH_LANE_MANUAL && !out.tries));
    d->state = FLIGHT;
    d->connected = false;
    d->began = w->now;
    w->under_way[w->n_under_way++] = (uint32_t)out.no;
}

static void settle(struct world *w, struct delivery *d, bool calm)
{
    bool again = !calm && rnd(w, 2) && d->row.lane != TH_LANE_TEST;

    if (again) {
        d->row.tries++;
        d->row.attempts++;
        if (d->row.tries == 1)
            d->row.round = d->began / 1000;
        d->due = w->now + (int64_t)rnd(w, 2 + 200 * (rnd(w, 5) == 0)) * S;
        d->row.due = d->due / 1000;
        d->state = d->cancelled ? ENDED : QUEUED;
        th_sched_settled(w->s, d->row.no, &d->row, at_us(d->due), at_us(w->now));
    } else {
        if (rnd(w, 3) == 0)
            th_sched_gave_up(w->s, d->row.no);
        d->row.attempts++;
        d->state = ENDED;
        th_sched_settled(w->s, d->row.no, NULL, at_us(0), at_us(w->now));
    }
}

/* A delivery's name has been looked up: it is counted at one or two addresses, or goes back. */
static void step_connect(struct world *w)
{
    uint32_t i, room, n = 1 + rnd(w, 2);
    struct delivery *d;
    int slot;

    if (!w->n_under_way)
        return;
    i = rnd(w, w->n_under_way);
    d = &w->d[w->under_way[i]];
    slot = ep_slot(w, d->row.endpoint);
    if (d->state != FLIGHT || d->connected || d->row.lane == TH_LANE_TEST || slot < 0)
        return;
    d->keys[0] = w->tenant[slot] * 4 + rnd(w, 2);
    d->keys[1] = n == 2 ? d->keys[0] ^ 2 : 0;
    room = th_sched_connect(w->s, d->row.no, d->keys, n, at_us(w->now));
    assert_true(room < 1u << n);
    for (unsigned k = 0; k < n; k++) {
        assert_true(!d->keys[k] || room >> k & 1);
        if (d->keys[k]) {
            assert_true(w->at[d->keys[k]] < w->tenant[slot]);
            w->at[d->keys[k]]++;
        }
    }
    d->connected = room;
    if (room)
        return;
    w->backs++;
    w->under_way[i] = w->under_way[--w->n_under_way];
    d->state = d->cancelled ? ENDED : QUEUED;
    d->due = w->now;
    th_sched_result(w->s, d->row.no, TH_LEARN_NEUTRAL, at_us(d->began), at_us(w->now));
    th_sched_settled(w->s, d->row.no, &d->row, at_us(w->now), at_us(w->now));
}

static void disconnect(struct world *w, struct delivery *d)
{
    for (unsigned k = 0; k < 2 && d->connected; k++)
        if (d->keys[k])
            w->at[d->keys[k]]--;
    if (d->connected)
        th_sched_disconnect(w->s, d->keys, 2, at_us(w->now));
    d->connected = false;
}

static void step_end(struct world *w, bool calm)
{
    uint32_t i;
    struct delivery *d;

    if (!w->n_under_way)
        return;
    i = rnd(w, w->n_under_way);
    d = &w->d[w->under_way[i]];
    if (d->state == FLIGHT) {
        enum th_learn learn = calm ? TH_LEARN_OK : (enum th_learn)rnd(w, 4);
        d->state = SETTLING;
        disconnect(w, d);
        th_sched_result(w->s, d->row.no, learn, at_us(d->began), at_us(w->now));
        if (rnd(w, 2))
            return;
    }
    w->under_way[i] = w->under_way[--w->n_under_way];
    settle(w, d, calm);
}

static void step_want(struct world *w)
{
    struct th_want want;
    struct walk *k;
    int slot;

    if (!th_sched_want(w->s, &want))
        return;
    slot = ep_slot(w, want.endpoint);
    assert_true(slot >= 0);
    k = &w->walk[slot];
    assert_false(k->open);
    assert_true(want.from > 0 && want.max > 0);
    *k = (struct walk){.open = true, .endpoint = want.endpoint};
    for (uint64_t no = want.from; no <= w->last; no++) {
        const struct delivery *d = &w->d[no];
        if (d->row.endpoint != want.endpoint || d->state == ENDED || d->state == UNKNOWN)
            continue;
        if (k->count == want.max || k->count == 64) {
            k->next = no;
            break;
        }
        k->rows[k->count] = d->row;
        k->due[k->count++] = at_us(d->due);
    }
}

static void step_refill(struct world *w, bool calm)
{
    struct walk *k = &w->walk[rnd(w, EPS)];

    if (!k->open)
        return;
    k->open = false;
    th_sched_refilled(w->s, k->endpoint, k->rows, k->due, k->count, k->next, !calm && rnd(w, 10) == 0,
                      at_us(w->now));
}

/* No further than an hour at once: what is under way here has no time limit, how long an endpoint is left alone follows from how long its
 * answers took, and so the one would drive the other until no clock can say it. */
static void step_time(struct world *w)
{
    struct th_mono next = th_sched_next(w->s, at_us(w->now));
    int64_t hour = w->now + 3600 * S;

    if (rnd(w, 3) && next.us != INT64_MAX)
        w->now = next.us < hour ? next.us : hour;
    else
        w->now += rnd(w, 3) ? rnd(w, 2000) : (uint32_t)rnd(w, 2000000);
}

static void step(struct world *w, bool calm)
{
    uint32_t what = rnd(w, 100);

    if (w->fail_memory && rnd(w, 4) == 0)
        th_alloc_fail_after(1 + rnd(w, 3));
    if (what < 3)
        step_endpoint(w, calm);
    else if (what < 28 && !calm)
        step_new(w);
    else if (what < 34 && !calm)
        step_again(w);
    else if (what < 52)
        step_pick(w, calm);
    else if (what < 63)
        step_connect(w);
    else if (what < 80)
        step_end(w, calm);
    else if (what < 86)
        step_want(w);
    else if (what < 92)
        step_refill(w, calm);
    else
        step_time(w);
    th_alloc_fail_after(0);
    note_passed(w);
    world_check(w->s);
}

static uint64_t unfinished(const struct world *w)
{
    uint64_t n = 0;

    for (uint64_t no = 1; no <= w->last; no++)
        n += w->d[no].state != ENDED && ep_slot(w, w->d[no].row.endpoint) >= 0;
    return n;
}

static uint64_t passed; /* of all runs */

/* Returns how many found no room at their addresses. */
static uint64_t run(uint64_t seed, uint32_t steps, struct th_sched_options options, bool fail_memory)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t left, backs;

    assert_non_null(w);
    w->rnd = seed * 0x9e3779b97f4a7c15u + 1;
    w->now = 1000 * S;
    w->s = world_new(options);
    w->fail_memory = fail_memory;
    for (uint32_t i = 0; i < steps; i++)
        step(w, false);
    w->fail_memory = false;
    for (int i = 0; i < EPS; i++) { /* nothing held any more; no rate */
        struct th_sched_endpoint e = endpoint(w->ep[i], 1);
        set_order(&e, (uint32_t)i);
        if (w->ep[i]) {
            w->tenant[i] = 1;
            put(w->s, e, w->now);
        }
    }
    for (uint32_t i = 0; (left = unfinished(w)) && i < 400000; i++)
        step(w, true);
    assert_int_equal(left, 0);
    while (w->n_under_way) /* of deleted endpoints */
        step_end(w, true);
    for (int i = 0; i < 100; i++) { /* the last walks find nothing */
        step_refill(w, true);
        step_want(w);
        w->now += 100 * S;
        step_pick(w, true);
    }
    world_check(w->s);
    assert_int_equal(th_sched_stats(w->s).items, 0);
    assert_int_equal(th_sched_stats(w->s).in_flight, 0);
    assert_true(w->picks > 100);
    passed += w->passed;
    backs = w->backs;
    th_sched_free(w->s);
    free(w);
    return backs;
}

static uint64_t seed_of(void)
{
    const char *given = getenv("TENTERHOOK_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("seed %llu (TENTERHOOK_SEED)\n", (unsigned long long)seed);
    return seed;
}

static void random_operations(void **state)
{
    uint64_t seed = seed_of(), backs = 0;

    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        struct th_sched_options tight = {.max_items = 40, .max_items_per_endpoint = 8, .max_in_flight = 6};
        struct th_sched_options share = {
            .max_items = 1000, .max_items_per_endpoint = 12, .max_in_flight = 12};
        struct th_sched_options roomy = {
            .max_items = 5000, .max_items_per_endpoint = 5000, .max_in_flight = 20};
        struct th_sched_options least = {.max_items = 1, .max_items_per_endpoint = 1, .max_in_flight = 1};
        backs += run(seed + i, 2000, tight, false);
        backs += run(seed + i, 2000, share, false);
        backs += run(seed + i, 1000, roomy, false);
        if (i == 0)
            run(seed + i, 1500, least, false);
    }
    assert_true(backs > 0);
    print_message("%llu passed in their lines\n", (unsigned long long)passed);
}

static void random_operations_short_of_memory(void **state)
{
    uint64_t seed = seed_of();

    (void)state;
    for (uint64_t i = 0; i < 2; i++)
        run(seed + i, 3000,
            (struct th_sched_options){.max_items = 60, .max_items_per_endpoint = 16, .max_in_flight = 8},
            true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(random_operations_short_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
