/* A simulated world: a thousand endpoints that never answer beside a healthy one, few slots, virtual time.
 *
 * A dead endpoint holds a slot for 30 s and fails; the healthy one answers after 20 ms. Each dead one has a
 * backlog that never ends. Measured is the time from an event's arrival at the healthy endpoint to the start
 * of its request. */
#include "base/heap.h"
#include "base/list.h"
#include "sched_world.h"

#define DEAD 1000
#define NEWCOMER 100000 /* first of those that come while the others are silent */
#define HEALTHY 5000
#define SLOTS 64
#define TIMEOUT_US (30 * S)

struct request {
    struct th_heap_node node;
    struct th_queue_row row;
    int64_t began;
    bool ok;
};

struct world {
    struct th_sched *s;
    struct request *req;
    uint32_t slots;
    struct th_heap ends;
    int64_t now;
    uint64_t next_no;
    int64_t event; /* next at the healthy endpoint */
    uint64_t healthy_no;
    int64_t *arrived; /* of healthy deliveries */
    uint64_t sent, dead_sent;
    int64_t worst_us, sum_us;
    int64_t newcomer_at; /* its request began; 0: not yet */
    int64_t blip_at;     /* the first healthy request after this moment fails */
    int64_t blip_no, blip_due, blip_slip_us;
    int64_t silent_from; /* until then the dead ones answer */
};

#define FIRST_HEALTHY 1000000
#define MAX_HEALTHY 100000

static void feed_dead(struct world *w, uint64_t ep)
{
    add(w->s, w->next_no++, ep, w->now);
}

static void start_all(struct world *w)
{
    struct th_queue_row r;

    while (th_sched_pick(w->s, at_us(w->now), &r)) {
        struct request *q = w->req;
        while (q->node.pos)
            q++;
        assert_true(q < w->req + w->slots);
        q->row = r;
        q->began = w->now;
        q->ok = r.endpoint == HEALTHY || r.endpoint >= NEWCOMER || w->now < w->silent_from;
        if (r.endpoint >= NEWCOMER) {
            w->newcomer_at = w->now;
        } else if (r.endpoint == HEALTHY) {
            int64_t waited = w->now - w->arrived[r.no - FIRST_HEALTHY];
            if (r.tries) {
                w->blip_slip_us = w->now - w->blip_due;
            } else {
                w->sent++;
                w->sum_us += waited;
                w->worst_us = waited > w->worst_us ? waited : w->worst_us;
                if (w->blip_at && w->now >= w->blip_at) {
                    q->ok = false;
                    w->blip_at = 0;
                }
            }
        } else {
            w->dead_sent++;
        }
        /* the dead, while they answer, do so one after the other and not all at once */
        int64_t answer_us = r.endpoint >= HEALTHY ? 20000
                            : q->ok               ? 20000 + (int64_t)(r.no % 997)
                                                  : TIMEOUT_US;
        assert_int_equal(th_heap_insert(&w->ends, &q->node, w->now + answer_us, r.no), TH_OK);
    }
}

static void finish(struct world *w, struct request *q)
{
    struct th_queue_row again = q->row;

    th_heap_remove(&w->ends, &q->node);
    th_sched_result(w->s, q->row.no, q->ok ? TH_LEARN_OK : TH_LEARN_FAILED, at_us(q->began), at_us(w->now));
    again.tries++;
    again.attempts++;
    if (q->ok || again.tries > 4) {
        th_sched_settled(w->s, q->row.no, NULL, at_us(0), at_us(w->now));
    } else {
        if (q->row.endpoint == HEALTHY)
            w->blip_due = w->now + 5 * S;
        th_sched_settled(w->s, q->row.no, &again, at_us(w->now + 5 * S), at_us(w->now));
    }
    if (q->row.endpoint < HEALTHY)
        feed_dead(w, q->row.endpoint);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Runs until `until`, with an event for the healthy endpoint every `every` us from w->event on. */
static void run(struct world *w, int64_t until, int64_t every)
{
    unsigned steps = 0;

    while (w->now < until) {
        struct th_heap_node *top;
        int64_t next;
        for (; w->event <= w->now; w->event += every) {
            assert_true(w->healthy_no < MAX_HEALTHY);
            w->arrived[w->healthy_no] = w->event;
            add(w->s, FIRST_HEALTHY + w->healthy_no++, HEALTHY, w->now);
        }
        while ((top = th_heap_top(&w->ends)) && top->key <= w->now)
            finish(w, TH_CONTAINER(top, struct request, node));
        start_all(w);
        if (++steps % 4096 == 0)
            world_check(w->s);
        next = earlier(w->event, th_sched_next(w->s, at_us(w->now)).us);
        top = th_heap_top(&w->ends);
        w->now = earlier(top ? earlier(next, top->key) : next, until);
    }
}

static void world_open_with(struct world *w, uint32_t slots, uint64_t dead, uint64_t healthy_tenant)
{
    *w = (struct world){
        .s = world_new((struct th_sched_options){.max_in_flight = slots}), .slots = slots, .next_no = 1};
    th_heap_init(&w->ends, slots);
    w->arrived = calloc(MAX_HEALTHY, sizeof *w->arrived);
    w->req = calloc(slots, sizeof *w->req);
    assert_true(w->arrived && w->req);
    for (uint64_t ep = 1; ep <= dead; ep++)
        put(w->s, endpoint(ep, 1), 0);
    put(w->s, endpoint(HEALTHY, healthy_tenant), 0);
}

static void world_open(struct world *w, uint64_t healthy_tenant)
{
    world_open_with(w, SLOTS, DEAD, healthy_tenant);
}

static void flood_of(struct world *w, uint64_t dead, int each)
{
    for (uint64_t ep = 1; ep <= dead; ep++)
        for (int i = 0; i < each; i++)
            feed_dead(w, ep);
}

static void flood(struct world *w)
{
    flood_of(w, DEAD, 10);
}

static void world_free(struct world *w)
{
    world_check(w->s);
    th_sched_free(w->s);
    th_heap_fini(&w->ends);
    free(w->arrived);
    free(w->req);
}

static void world_close(struct world *w, const char *name)
{
    print_message("%s: %llu healthy, delay mean %.3f ms, worst %.3f ms; %llu requests to the dead\n", name,
                  (unsigned long long)w->sent, (double)w->sum_us / 1e3 / (double)w->sent,
                  (double)w->worst_us / 1e3, (unsigned long long)w->dead_sent);
    world_free(w);
}

/* Healthy from before; all in one tenant, so no turns of tenants help. */
static void a_proven_endpoint_is_not_delayed(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    run(&w, 2 * S, 10000);
    w.sent = 0;
    w.worst_us = w.sum_us = 0;
    flood(&w);
    run(&w, 602 * S, 10000);
    assert_true(w.sent >= 59990);
    assert_true(w.worst_us <= 1000);
    /* nor are the dead ones forgotten: they use what they may */
    assert_true(w.dead_sent >= 600 / 30 * (SLOTS * 3 / 8) - SLOTS);
    assert_true(w.dead_sent <= 600 / 30 * (SLOTS / 2) + SLOTS);
    world_close(&w, "proven before the flood");
}

/* New in the middle of the flood, and there are but 64 slots. */
static void a_new_endpoint_waits_for_a_slot_of_the_reserve(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 2);
    flood(&w);
    w.event = 100 * S;
    run(&w, 600 * S, 50000); /* what gathers in 30 s fits into its share */
    assert_true(w.sent >= 9990);
    assert_true(w.worst_us <= 3 * S);
    world_close(&w, "new, another tenant");
}

/* Silent endpoints that were never tried, more than there are slots, in the same tenant, with the usual number of slots: who
 * comes while they hold what they get, or while they come, is tried within a second. */
static void a_newcomer_does_not_wait_for_silent_newcomers(void **state)
{
    static const uint64_t dead[] = {1000, 4000};
    const int64_t step = 700000;
    struct world w;

    (void)state;
    for (unsigned i = 0; i < sizeof dead / sizeof dead[0]; i++) {
        int64_t worst = 0, sum = 0;
        unsigned n = 0;
        world_open_with(&w, 4096, dead[i], 2);
        w.event = INT64_MAX / 2; /* nothing for the healthy one */
        flood_of(&w, dead[i], 10);
        for (int64_t at = 100000; at < 100 * S; at += step, n++) {
            uint64_t ep = NEWCOMER + n;
            run(&w, at, S);
            put(w.s, endpoint(ep, 1), w.now);
            w.newcomer_at = 0;
            add(w.s, 2000000 + n, ep, w.now);
            while (!w.newcomer_at)
                run(&w, w.now + 1000, S);
            sum += w.newcomer_at - at;
            worst = w.newcomer_at - at > worst ? w.newcomer_at - at : worst;
        }
        print_message(
            "%llu silent newcomers: %u came, waited %.3f ms, worst %.3f ms; %llu requests to the silent\n",
            (unsigned long long)dead[i], n, (double)sum / 1e3 / n, (double)worst / 1e3,
            (unsigned long long)w.dead_sent);
        assert_true(worst <= S);
        world_free(&w);
    }
}

/* One bad answer, when every dead one has been tried and nothing else is under way at the healthy one to
 * prove it anew: back in probation, and not behind the thousand. */
static void one_bad_answer_does_not_cost_the_place(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 1);
    run(&w, 2 * S, 100000);
    flood(&w);
    w.blip_at = 1200 * S;
    run(&w, 1600 * S, 100000);
    assert_true(w.blip_at == 0 && w.blip_due > 1200 * S);
    assert_true(w.worst_us <= TIMEOUT_US);
    assert_true(w.blip_slip_us <= TIMEOUT_US);
    assert_true(w.sent >= 15900);
    world_close(&w, "one bad answer");
}

/* As many busy endpoints as could fill every slot, all of them proven, fall silent in one moment: a network between here and
 * all of them is down. Before anything can be learnt of it, each has sent as much as it may. */
static void a_blackout_leaves_room(void **state)
{
    static const uint64_t many[] = {300, 2000};
    struct world w;

    (void)state;
    for (unsigned i = 0; i < sizeof many / sizeof many[0]; i++) {
        world_open_with(&w, 4096, many[i], 1);
        w.silent_from = S;
        flood_of(&w, many[i], 20);
        run(&w, S / 2, 50000);
        w.sent = 0;
        w.worst_us = w.sum_us = 0;
        run(&w, 60 * S, 50000);
        assert_true(w.sent >= 1185);
        print_message("%llu fall silent: ", (unsigned long long)many[i]);
        assert_true(w.worst_us <= 50000);
        world_close(&w, "blackout");
    }
}

/* More endpoints of one tenant than there are slots, all proven and with a backlog, one request each: a busy endpoint of
 * another tenant has its window all the same. */
static void a_crowd_leaves_turns(void **state)
{
    struct world w;

    (void)state;
    world_open_with(&w, 64, 500, 2);
    w.silent_from = INT64_MAX;
    flood_of(&w, 500, 10);
    run(&w, 2 * S, 5000); /* 4 in flight at 20 ms */
    w.sent = 0;
    w.worst_us = w.sum_us = 0;
    run(&w, 30 * S, 5000);
    assert_true(w.sent >= 5590);
    assert_true(w.worst_us <= 50000);
    world_close(&w, "a crowd of another tenant");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proven_endpoint_is_not_delayed),
        cmocka_unit_test(a_new_endpoint_waits_for_a_slot_of_the_reserve),
        cmocka_unit_test(a_newcomer_does_not_wait_for_silent_newcomers),
        cmocka_unit_test(one_bad_answer_does_not_cost_the_place),
        cmocka_unit_test(a_blackout_leaves_room),
        cmocka_unit_test(a_crowd_leaves_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
