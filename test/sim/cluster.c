/* The loop over all nodes, their clocks, and what happens to their processes. */
#include "sim/cluster.h"
#include "base/secret.h"

#define SPIN_MAX 200000u

uint32_t sim_cluster_below(struct sim_cluster *c, uint32_t n)
{
    uint64_t z = (c->rng += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return n ? (uint32_t)((z ^ (z >> 31)) >> 16) % n : 0;
}

static uint64_t draw(void *ctx)
{
    return (uint64_t)sim_cluster_below(ctx, UINT32_MAX) << 16;
}

struct sim_node *sim_node_of(const struct sim *s)
{
    return TH_CONTAINER((struct sim_outside *)(uintptr_t)s->options.outside, struct sim_node, outside);
}

/* ---- clocks ---- */

static int64_t own_of(const struct sim_node *n, int64_t us)
{
    return n->offset_us + us + us * n->ppm / 1000000;
}

/** The first moment at which its clock shows this. */
static int64_t moment_of(const struct sim_node *n, int64_t own_us)
{
    int64_t us;

    if (own_us == SIM_NEVER)
        return SIM_NEVER;
    us = (int64_t)((double)(own_us - n->offset_us) * 1e6 / (double)(1000000 + n->ppm));
    while (own_of(n, us) < own_us)
        us++;
    return us;
}

static int64_t clock_of(void *ctx, unsigned node)
{
    struct sim_cluster *c = ctx;

    return own_of(&c->nodes[node - 1], c->now_us) + SIM_S;
}

/* ---- processes ---- */

bool sim_node_ready(const struct sim_node *n)
{
    const char *why;

    return n->s->engine && !n->frozen && !n->stopping && th_engine_ready(n->s->engine, &why);
}

static void lost(void *ctx, unsigned node)
{
    struct sim_cluster *c = ctx;

    c->nodes[node - 1].fenced = true;
}

static void bury(void *ctx, void *p)
{
    struct sim_cluster *c = ctx;

    sim_bury(c->nodes[0].s, p);
}

static void crashed(struct sim *s)
{
    struct sim_node *n = sim_node_of(s);

    th_cluster_died(n->c->store, n->id);
}

static void end_process(struct sim_node *n, int64_t start_us)
{
    n->life++;
    n->frozen = n->stopping = n->fenced = false;
    n->thaw_us = SIM_NEVER;
    n->start_us = start_us;
    n->due_us = SIM_NEVER;
}

static void faulty_until(struct sim_node *n, int64_t us)
{
    n->faulty_us = us > n->faulty_us ? us : n->faulty_us;
}

void sim_node_kill(struct sim_node *n, int64_t start_us)
{
    faulty_until(n, n->c->now_us);
    n->s->now_us = own_of(n, n->c->now_us);
    sim_crash(n->s);
    end_process(n, start_us);
}

void sim_node_freeze(struct sim_node *n, int64_t thaw_us)
{
    if (!n->s->engine || n->frozen)
        return;
    faulty_until(n, thaw_us);
    n->frozen = true;
    n->thaw_us = thaw_us;
    th_cluster_freeze(n->c->store, n->id, true);
}

void sim_node_cut(struct sim_node *n, int64_t until_us)
{
    faulty_until(n, th_cluster_cut(n->c->store, n->id, until_us));
}

void sim_node_stop(struct sim_node *n)
{
    if (!n->s->engine || n->frozen || n->stopping)
        return;
    n->stopping = true;
    th_engine_drain(n->s->engine);
    n->due_us = n->c->now_us;
}

static void stopped(struct sim_node *n)
{
    th_engine_free(n->s->engine);
    n->s->engine = n->s->engines[0] = NULL;
    th_cluster_leave(n->c->store, n->id);
    end_process(n, n->c->now_us + 20000 + sim_cluster_below(n->c, 300000));
}

static void start(struct sim_node *n)
{
    struct sim_cluster *c = n->c;

    n->start_us = c->now_us + 100000;
    if (!th_cluster_join(c->store, n->id))
        return;
    n->start_us = SIM_NEVER;
    n->s->now_us = own_of(n, c->now_us);
    if (sim_try_start(n->s) != TH_OK)
        fail_msg("node %u does not start: %s", n->id, n->s->why);
    n->due_us = c->now_us;
}

/* ---- the loop ---- */

static void on_time(struct sim_node *n)
{
    int64_t now_us = n->c->now_us;

    if (n->fenced) {
        sim_node_kill(n, now_us + 20000 + sim_cluster_below(n->c, 300000));
        return;
    }
    if (n->thaw_us <= now_us) {
        n->frozen = false;
        n->thaw_us = SIM_NEVER;
        n->due_us = now_us;
        th_cluster_freeze(n->c->store, n->id, false);
    }
    if (n->start_us <= now_us)
        start(n);
    if (n->stopping && th_engine_idle(n->s->engine))
        stopped(n);
}

/** Whether there is more to do at this moment. */
static bool turn(struct sim_node *n)
{
    int64_t next;
    bool more;

    if (!n->s->engine || n->frozen || (!n->s->turn_wanted && n->due_us > n->c->now_us))
        return false;
    n->s->now_us = own_of(n, n->c->now_us);
    n->c->turns++;
    more = sim_step(n->s, &next);
    n->due_us = more ? n->c->now_us : moment_of(n, next);
    if (n->s->fatal)
        fail_msg("node %u: the store failed", n->id);
    return more || (n->stopping && th_engine_idle(n->s->engine));
}

static int64_t next_of(const struct sim_cluster *c)
{
    int64_t at = th_cluster_next_us(c->store);

    for (unsigned i = 0; i < c->options.nodes; i++) {
        const struct sim_node *n = &c->nodes[i];
        if (n->s->engine && !n->frozen && n->due_us < at)
            at = n->due_us;
        if (n->thaw_us < at)
            at = n->thaw_us;
        if (n->start_us < at)
            at = n->start_us;
        if (n->fenced)
            at = c->now_us;
    }
    return at;
}

bool sim_cluster_run(struct sim_cluster *c, int64_t until_us, bool (*stop)(struct sim_cluster *, void *),
                     void *arg)
{
    unsigned spin = 0;

    for (;;) {
        unsigned from = sim_cluster_below(c, c->options.nodes);
        int64_t next_us;
        bool more = false;

        if (stop && stop(c, arg))
            return true;
        th_cluster_advance(c->store, c->now_us);
        for (unsigned i = 0; i < c->options.nodes; i++) {
            struct sim_node *n = &c->nodes[(from + i) % c->options.nodes];
            on_time(n);
            more = turn(n) || more;
        }
        next_us = next_of(c);
        if (more || next_us <= c->now_us) {
            if (++spin > SPIN_MAX)
                fail_msg("the nodes turn without end at %.6f s", (double)c->now_us / 1e6);
            continue;
        }
        spin = 0;
        if (next_us > until_us)
            break;
        c->now_us = next_us;
    }
    if (until_us != SIM_NEVER && until_us > c->now_us)
        c->now_us = until_us;
    return false;
}

struct stop {
    struct sim *s;
    bool (*stop)(struct sim *, void *);
    void *arg;
};

static bool stops(struct sim_cluster *c, void *arg)
{
    struct stop *w = arg;

    (void)c;
    return w->stop(w->s, w->arg);
}

static bool run_to(struct sim *s, int64_t until_us, bool (*stop)(struct sim *, void *), void *arg)
{
    struct sim_node *n = sim_node_of(s);
    struct stop w = {s, stop, arg};

    return sim_cluster_run(n->c, until_us == SIM_NEVER ? SIM_NEVER : moment_of(n, until_us),
                           stop ? stops : NULL, &w);
}

/* ---- opening ---- */

static bool is_ready(struct sim_cluster *c, void *arg)
{
    (void)c;
    return sim_node_ready(arg);
}

struct sim_cluster *sim_cluster_open(const struct sim_cluster_options *options)
{
    struct sim_cluster *c = calloc(1, sizeof *c);
    struct th_cluster_options store = {.nodes = options->nodes,
                                       .lease_us = options->lease_us,
                                       .follow_rows = options->follow_rows,
                                       .latency_us = options->latency_us,
                                       .commit_us = options->commit_us,
                                       .draw = draw,
                                       .clock = clock_of,
                                       .lost = lost,
                                       .bury = bury,
                                       .ctx = c};

    assert_non_null(c);
    assert_in_range(options->nodes, 1, SIM_NODES);
    c->options = *options;
    c->rng = options->seed;
    c->secrets = th_secret_count();
    c->store = th_cluster_open(&store);
    if (options->fanout_step)
        th_store_memory_fanout_step(th_cluster_database(c->store), options->fanout_step);
    for (unsigned i = 0; i < options->nodes; i++) {
        struct sim_node *n = &c->nodes[i];
        struct sim_options one = {.seed = options->seed * 8 + i + 1,
                                  .forget_texts = true,
                                  .forget_requests = true,
                                  .jitter = options->jitter,
                                  .shards = 1,
                                  .max_items_per_endpoint = options->max_items_per_endpoint,
                                  .max_items = options->max_items_per_endpoint * 8,
                                  .outside = &n->outside};

        *n = (struct sim_node){.c = c,
                               .id = i + 1,
                               .outside = {th_cluster_port(c->store, i + 1), run_to, crashed},
                               .faulty_us = -1};
        n->offset_us = sim_cluster_below(c, 400000);
        n->ppm = (int64_t)sim_cluster_below(c, 2001) - 1000;
        end_process(n, i ? SIM_NEVER : 0);
        n->s = sim_open(&one);
    }
    for (unsigned i = 0; i < options->nodes; i++) {
        if (i)
            c->nodes[i].start_us = c->now_us;
        if (!sim_cluster_run(c, c->now_us + 60 * SIM_S, is_ready, &c->nodes[i]))
            fail_msg("node %u does not begin", i + 1);
    }
    return c;
}

static bool is_away(struct sim_cluster *c, void *arg)
{
    (void)c;
    return !((struct sim_node *)arg)->s->engine;
}

void sim_cluster_close(struct sim_cluster *c)
{
    bool died = false;

    for (unsigned i = 0; i < c->options.nodes; i++) {
        struct sim_node *n = &c->nodes[i];

        sim_node_stop(n);
        if (!sim_cluster_run(c, c->now_us + 120 * SIM_S, is_away, n))
            fail_msg("node %u does not end", n->id);
        n->start_us = SIM_NEVER;
    }
    th_cluster_close(c->store);
    for (unsigned i = 0; i < c->options.nodes; i++) {
        died = died || c->nodes[i].s->grave_n;
        sim_close(c->nodes[i].s);
    }
    if (!died)
        assert_int_equal(th_secret_count(), c->secrets);
    free(c);
}
