/* Several schedulers with the same hosts and addresses, as the threads of a process have them: what is under way together never
 * exceeds a limit and reaches it, each gets its turn, and a pace holds for all together. Letters between them take a drawn time. */
#include "sched_world.h"

#include "base/places.h"

enum { SCHEDS = 3, EPS = 4, LETTERS = 64, FLIGHTS = 512 };

struct flight {
    struct th_queue_row row;
    uint64_t key;
    int64_t began, ends;
    unsigned sched;
};

struct world {
    struct th_places *places;
    struct th_sched *s[SCHEDS];
    int64_t now;
    uint64_t rng, next;
    struct {
        struct th_sched_grant *grant;
        int64_t at;
    } letter[LETTERS];
    unsigned letters;
    struct flight flight[FLIGHTS];
    unsigned flights, vain;
    unsigned begun[SCHEDS], done[SCHEDS];
    unsigned at_host, at_address, most_host, most_address;
    int64_t *starts;
    unsigned started;
};

static uint32_t rnd(struct world *w, uint32_t n)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->rng >> 33) % n;
}

static void open_world(struct world *w, uint64_t seed)
{
    *w = (struct world){.rng = seed, .now = 7 * S, .places = th_places_new(SCHEDS, 1)};
    for (unsigned i = 0; i < SCHEDS; i++)
        w->s[i] = world_new((struct th_sched_options){.places = w->places, .sharer = i});
}

static void close_world(struct world *w)
{
    for (unsigned i = 0; i < SCHEDS; i++)
        th_sched_free(w->s[i]);
    th_places_free(w->places);
}

static void put_all(struct world *w, uint32_t host, double rate, uint32_t address)
{
    for (unsigned i = 0; i < SCHEDS; i++)
        for (uint64_t k = 0; k < EPS; k++) {
            struct th_sched_endpoint e = endpoint(1 + i + k * SCHEDS, 1);
            e.host = 5;
            e.host_in_flight = host;
            e.host_rate_per_s = rate;
            e.address_in_flight = address;
            put(w->s[i], e, w->now);
        }
}

static void add_to(struct world *w, unsigned sched, unsigned n)
{
    while (n--)
        add(w->s[sched], ++w->next, 1 + sched + rnd(w, EPS) * SCHEDS, w->now);
}

static void post(struct world *w)
{
    for (unsigned i = 0; i < SCHEDS; i++)
        for (struct th_sched_grant *g; (g = th_sched_grant_next(w->s[i]));) {
            assert_in_range(g->to, 0, SCHEDS - 1);
            assert_true(w->letters < LETTERS);
            w->letter[w->letters].grant = g;
            w->letter[w->letters++].at = w->now + rnd(w, 300);
        }
}

static void deliver(struct world *w)
{
    for (unsigned i = 0; i < w->letters;) {
        struct th_sched_grant *g = w->letter[i].grant;
        if (w->letter[i].at > w->now) {
            i++;
            continue;
        }
        w->letter[i] = w->letter[--w->letters];
        th_sched_granted(w->s[g->to], g, at_us(w->now));
        world_check(w->s[g->to]);
    }
}

static void begin(struct world *w, unsigned sched)
{
    struct flight *f = &w->flight[w->flights];

    while (th_sched_pick(w->s[sched], at_us(w->now), &f->row)) {
        f->key = 77;
        f->began = w->now;
        f->sched = sched;
        f->ends = w->now + 100 + rnd(w, 2000);
        if (w->starts)
            w->starts[w->started++] = w->now;
        w->begun[sched]++;
        w->most_host = ++w->at_host > w->most_host ? w->at_host : w->most_host;
        if (!th_sched_connect(w->s[sched], f->row.no, &f->key, 1, at_us(w->now))) {
            w->vain++;
            w->at_host--;
            w->begun[sched]--;
            th_sched_result(w->s[sched], f->row.no, TH_LEARN_NEUTRAL, at_us(w->now), at_us(w->now));
            th_sched_settled(w->s[sched], f->row.no, &f->row, at_us(w->now), at_us(w->now));
            continue;
        }
        if (f->key)
            w->most_address = ++w->at_address > w->most_address ? w->at_address : w->most_address;
        assert_true(++w->flights < FLIGHTS);
        f = &w->flight[w->flights];
        world_check(w->s[sched]);
    }
}

static void finish(struct world *w)
{
    for (unsigned i = 0; i < w->flights;) {
        struct flight f = w->flight[i];
        if (f.ends > w->now) {
            i++;
            continue;
        }
        w->flight[i] = w->flight[--w->flights];
        if (f.key) {
            w->at_address--;
            th_sched_disconnect(w->s[f.sched], &f.key, 1, at_us(w->now));
        }
        w->at_host--;
        end(w->s[f.sched], f.row.no, TH_LEARN_OK, f.began, w->now);
        w->done[f.sched]++;
        world_check(w->s[f.sched]);
    }
}

static void run(struct world *w, int64_t until)
{
    while (w->now < until) {
        unsigned from = rnd(w, SCHEDS);
        finish(w);
        post(w);
        deliver(w);
        for (unsigned i = 0; i < SCHEDS; i++)
            begin(w, (from + i) % SCHEDS);
        post(w);
        w->now += 50;
    }
}

static void at_rest(struct world *w)
{
    assert_int_equal(w->flights, 0);
    assert_int_equal(w->letters, 0);
    assert_int_equal(th_sched_host_most(w->s[0], 1), 0);
    assert_int_equal(th_sched_address_most(w->s[1], 1), 0);
}

static void a_limit_holds_for_all_and_is_reached(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (unsigned kind = 0; kind < 2; kind++) { /* of the host, of the address */
            struct world w;
            uint32_t max = 1 + (uint32_t)seed % 7;
            open_world(&w, seed);
            put_all(&w, kind ? 0 : max, 0, kind ? max : 0);
            for (unsigned i = 0; i < SCHEDS; i++)
                add_to(&w, i, 400);
            run(&w, w.now + S / 20);
            assert_int_equal(kind ? w.most_address : w.most_host, max);
            assert_in_range(kind ? th_sched_address_most(w.s[0], 1) : th_sched_host_most(w.s[0], 1), 1, max);
            for (unsigned i = 0; i < SCHEDS; i++) /* fair: each has about a third of what was done */
                assert_true(w.done[i] * SCHEDS * 2 > w.done[0] + w.done[1] + w.done[2]);
            run(&w, w.now + 5 * S);
            assert_int_equal(kind ? w.most_address : w.most_host, max);
            assert_int_equal(w.done[0] + w.done[1] + w.done[2], SCHEDS * 400);
            at_rest(&w);
            close_world(&w);
        }
    }
}

/* Only one of them has work: it has all places, and what is handed to those that have none comes back. */
static void one_with_work_has_all(void **state)
{
    struct world w;

    (void)state;
    open_world(&w, 3);
    put_all(&w, 6, 0, 0);
    for (unsigned i = 0; i < SCHEDS; i++)
        add_to(&w, i, 30);
    run(&w, w.now + S);
    w.most_host = 0;
    add_to(&w, 1, 300);
    run(&w, w.now + S / 50);
    assert_int_equal(w.most_host, 6);
    run(&w, w.now + 2 * S);
    assert_int_equal(w.done[1], 330);
    at_rest(&w);
    close_world(&w);
}

static void limits_that_change_and_endpoints_that_go(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world w;
        uint32_t max = 4;
        open_world(&w, seed);
        put_all(&w, max, 0, max);
        for (unsigned step = 0; step < 60; step++) {
            add_to(&w, rnd(&w, SCHEDS), rnd(&w, 20));
            if (rnd(&w, 3) == 0) { /* one after the other hears of the new limits */
                uint32_t host = rnd(&w, 6), address = rnd(&w, 6);
                double rate = rnd(&w, 3) ? 0 : 100;
                for (unsigned i = 0; i < SCHEDS; i++) {
                    for (uint64_t k = 0; k < EPS; k++) {
                        struct th_sched_endpoint e = endpoint(1 + i + k * SCHEDS, 1);
                        e.host = rnd(&w, 8) ? 5 : 6;
                        e.host_in_flight = host;
                        e.host_rate_per_s = rate;
                        e.address_in_flight = address;
                        e.held = rnd(&w, 4) == 0;
                        put(w.s[i], e, w.now);
                    }
                    run(&w, w.now + rnd(&w, 500));
                }
            }
            if (rnd(&w, 8) == 0) {
                unsigned i = rnd(&w, SCHEDS);
                uint64_t no = 1 + i + rnd(&w, EPS) * SCHEDS;
                th_sched_endpoint_del(w.s[i], no);
                world_check(w.s[i]);
                run(&w, w.now + rnd(&w, 3000));
                put(w.s[i], (struct th_sched_endpoint){.no = no, .tenant = 1, .host = 5}, w.now);
            }
            run(&w, w.now + rnd(&w, 3000));
        }
        w.most_host = w.most_address = 0;
        put_all(&w, 2, 0, 1);
        run(&w, w.now + 5 * S);
        for (unsigned i = 0; i < SCHEDS; i++)
            for (uint64_t k = 0; k < EPS; k++) {
                struct th_sched_endpoint_stats stats;
                assert_true(th_sched_endpoint_stats(w.s[i], 1 + i + k * SCHEDS, &stats));
                assert_int_equal(stats.waiting, 0); /* nothing waits for a place that nobody gives */
            }
        at_rest(&w);
        w.most_host = w.most_address = 0;
        for (unsigned i = 0; i < SCHEDS; i++)
            add_to(&w, i, 30);
        run(&w, w.now + 2 * S);
        assert_int_equal(w.most_address, 1);
        at_rest(&w);
        close_world(&w);
    }
}

static int fullest(const int64_t *at, unsigned n)
{
    unsigned most = 0;

    for (unsigned from = 0, to = 0; to < n; to++) {
        while (at[to] - at[from] >= S)
            from++;
        if (to - from + 1 > most)
            most = to - from + 1;
    }
    return (int)most;
}

static void a_pace_holds_for_all_together(void **state)
{
    static const double rates[] = {1, 3, 7.5, 10, 100};
    static int64_t starts[4096];

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct world w;
        int64_t began;
        open_world(&w, r + 1);
        put_all(&w, 0, rates[r], 0);
        w.starts = starts;
        began = w.now;
        for (unsigned i = 0; i < SCHEDS; i++)
            add_to(&w, i, 400);
        run(&w, w.now + 6 * S);
        assert_true((double)fullest(starts, w.started) < rates[r] + 1);
        assert_true(w.started >= (unsigned)(rates[r] * (double)(w.now - began) / 1e6 * 0.9));
        if (rates[r] >= 3)
            for (unsigned i = 0; i < SCHEDS; i++)
                assert_true(w.begun[i] * SCHEDS * 3 > w.started * 2);
        close_world(&w);
    }
}

/* The first one is silent: the others' token does not wait for it. */
static void a_token_waits_for_no_answer(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r;
    int64_t now = 7 * S;

    (void)state;
    for (uint64_t no = 1; no <= 2; no++) {
        struct th_sched_endpoint e = endpoint(no, 1);
        e.host = 5;
        e.host_rate_per_s = 1;
        put(s, e, now);
        add(s, no * 10, no, now);
    }
    assert_true(th_sched_pick(s, at_us(now), &r));
    assert_false(th_sched_pick(s, at_us(now), &r));
    assert_int_equal(th_sched_next(s, at_us(now)).us, now + S);
    now += S;
    assert_true(th_sched_pick(s, at_us(now), &r));
    assert_int_equal(r.no, 20);
    th_sched_free(s);
}

/* Who is alone at a host has no limit there; another thread's endpoint ends that, and its end brings it back. */
static void alone_is_alone_of_all(void **state)
{
    struct world w;
    struct th_sched_endpoint e = endpoint(1, 1);

    (void)state;
    open_world(&w, 1);
    e.host = 5;
    e.host_in_flight = 2;
    put(w.s[0], e, w.now);
    for (unsigned n = 0; n < 40; n++)
        add(w.s[0], ++w.next, 1, w.now);
    run(&w, w.now + 100);
    assert_int_equal(w.most_host, 16);
    e.no = 2;
    put(w.s[1], e, w.now);
    add(w.s[1], ++w.next, 2, w.now);
    run(&w, w.now + 3000);
    w.most_host = 0;
    run(&w, w.now + 2000);
    assert_in_range(w.most_host, 1, 2);
    assert_int_equal(w.done[1], 1);
    th_sched_endpoint_del(w.s[1], 2);
    for (unsigned n = 0; n < 40; n++)
        add(w.s[0], ++w.next, 1, w.now);
    w.most_host = 0;
    run(&w, w.now + 2000);
    assert_int_equal(w.most_host, 16);
    run(&w, w.now + S);
    at_rest(&w);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_for_all_and_is_reached),
        cmocka_unit_test(one_with_work_has_all),
        cmocka_unit_test(limits_that_change_and_endpoints_that_go),
        cmocka_unit_test(a_pace_holds_for_all_together),
        cmocka_unit_test(a_token_waits_for_no_answer),
        cmocka_unit_test(alone_is_alone_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
