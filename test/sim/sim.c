/* The world of a simulation: the clock, the loop from event to event, start, crash, end. */
#include "sim/sim.h"
#include "base/log.h"
#include "base/places.h"
#include "base/secret.h"

#define SPIN_MAX 200000u /* turns without a step of the clock: more is a busy loop */

uint64_t sim_rand(struct sim *s)
{
    uint64_t z = (s->rng += 0x9e3779b97f4a7c15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t sim_below(struct sim *s, uint32_t n)
{
    return n ? (uint32_t)(sim_rand(s) >> 16) % n : 0;
}

static struct th_now clock_now(void *ctx)
{
    const struct sim *s = ctx;

    return (struct th_now){.mono = {s->now_us + SIM_S},
                           .wall = {SIM_WALL_START + s->now_us / 1000 + s->wall_step_ms}};
}

static void entropy_fill(void *ctx, void *p, size_t n)
{
    unsigned char *to = p;

    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)sim_rand(ctx);
}

static void wake(void *ctx)
{
    ((struct sim *)ctx)->turn_wanted = true;
}

static void fatal(void *ctx, enum th_error error, const char *what)
{
    struct sim *s = ctx;

    (void)what;
    s->fatal = true;
    s->fatal_error = error;
}

void sim_bury(struct sim *s, void *p)
{
    if (s->grave_n == s->grave_cap) {
        s->grave_cap = s->grave_cap ? s->grave_cap * 2 : 64;
        s->grave = realloc(s->grave, s->grave_cap * sizeof *s->grave);
        assert_non_null(s->grave);
    }
    s->grave[s->grave_n++] = p;
}

/* ---- several engines in one thread: who has a turn when, and how long letters take, is drawn ---- */

static uint32_t choice(struct sim *s, uint32_t n)
{
    uint64_t z = (s->order += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((z ^ (z >> 31)) >> 16) % n;
}

/* The engine that the store failed, if there are several: it has ended the process, so only that one goes on, and refuses. */
static struct th_engine *dead(struct sim *s)
{
    const char *why;

    for (unsigned i = 0; s->fatal && s->options.shards > 1 && i < s->options.shards; i++)
        if (!th_engine_ready(s->engines[i], &why) && strstr(why, "store failed"))
            return s->engines[i];
    return NULL;
}

struct th_engine *sim_any(struct sim *s)
{
    if (dead(s))
        return dead(s);
    return s->options.shards > 1 ? s->engines[choice(s, s->options.shards)] : s->engine;
}

static void post_send(void *ctx, unsigned from, unsigned to, struct th_list *letters)
{
    struct sim *s = ctx;

    for (struct th_list *l; (l = th_list_pop(letters));)
        th_list_append(&s->letters[from][to], l);
    s->turn_wanted = true;
}

/* Of each sender's letters the first so many. */
static void post_take(void *ctx, unsigned me, struct th_list *letters)
{
    struct sim *s = ctx;

    for (unsigned from = 0; from < s->options.shards; from++) {
        struct th_list *l;
        while (choice(s, 4) && (l = th_list_pop(&s->letters[from][me])))
            th_list_append(letters, l);
        if (!th_list_empty(&s->letters[from][me]))
            s->turn_wanted = true;
    }
}

static bool has_letters(const struct sim *s)
{
    for (unsigned from = 0; from < s->options.shards; from++)
        for (unsigned to = 0; to < s->options.shards; to++)
            if (!th_list_empty(&s->letters[from][to]))
                return true;
    return false;
}

static enum th_error join_others(struct sim *s, struct th_engine_options *options)
{
    enum th_error error = TH_OK;

    for (unsigned i = 1; !error && i < s->options.shards; i++) {
        options->shard = i;
        error = th_engine_new(options, &s->engines[i]);
        if (!error)
            error = th_engine_join(s->engines[i], s->engine);
    }
    return error;
}

/* As the app divides what there is for all. */
static uint32_t part_of(const struct sim *s, uint32_t all, uint32_t usual)
{
    return s->options.shards > 1 ? (all ? all : usual) / s->options.shards : all;
}

enum th_error sim_try_start(struct sim *s)
{
    struct th_engine_options options = {.store = s->options.outside ? s->options.outside->store
                                                                    : sim_store_port(s->store),
                                        .transport = &s->transport,
                                        .resolver = &s->resolver,
                                        .clock = {clock_now, s},
                                        .entropy = {entropy_fill, s},
                                        .metrics = &s->metrics,
                                        .guard = s->options.guard ? s->options.guard : &s->no_exceptions,
                                        .production = !s->options.development,
                                        .no_jitter = !s->options.jitter,
                                        .dialects = (struct th_dialect *const *)s->dialects.v,
                                        .dialect_count = s->dialects.count,
                                        .default_dialect = TH_LIT("standard"),
                                        .retention_ms = s->options.retention_ms,
                                        .max_in_flight = part_of(s, s->options.max_in_flight, 4096),
                                        .max_items = s->options.max_items,
                                        .max_pinned_bytes = s->options.max_pinned_bytes,
                                        .max_items_per_endpoint = s->options.max_items_per_endpoint,
                                        .wake = {wake, s},
                                        .fatal = fatal};
    struct th_buf made;
    enum th_error error;

    memset(options.secret_key.bytes, 7, sizeof options.secret_key.bytes);
    s->fatal = false;
    s->why[0] = 0;
    options.shards = s->options.shards;
    if (options.shards > 1 && !(options.places = s->places = th_places_new(options.shards, s->rng)))
        return TH_NOMEM;
    options.post = (struct th_post){s, post_send, post_take};
    for (unsigned i = 0; i < SIM_SHARDS * SIM_SHARDS; i++)
        th_list_init(&s->letters[i / SIM_SHARDS][i % SIM_SHARDS]);
    error = th_engine_new(&options, &s->engine);
    if (error) {
        th_places_free(s->places);
        s->places = NULL;
        return error;
    }
    s->engines[0] = s->engine;
    th_buf_init(&made, 4096);
    error = th_engine_start(s->engine, &made, s->why, sizeof s->why);
    th_buf_fini(&made);
    if (!error)
        error = join_others(s, &options);
    s->turn_wanted = true;
    return error;
}

void sim_start(struct sim *s)
{
    enum th_error error = sim_try_start(s);

    if (error)
        fail_msg("the engine does not start: %s: %s", th_error_name(error), s->why);
    sim_settle(s);
}

struct sim *sim_open(const struct sim_options *options)
{
    struct sim *s = calloc(1, sizeof *s);
    char why[512] = "";

    assert_non_null(s);
    s->secrets = th_secret_count();
    th_log_setup(getenv("TH_SIM_LOG") ? TH_LOG_DEBUG : TH_LOG_ERROR + 1, TH_LOG_LOGFMT);
    if (options)
        s->options = *options;
    s->rng = s->order = s->options.seed ? s->options.seed : 1;
    if (!s->options.shards)
        s->options.shards = getenv("TH_SIM_SHARDS") ? (unsigned)atoi(getenv("TH_SIM_SHARDS")) : 1;
    assert_in_range(s->options.shards, 1, SIM_SHARDS);
    if (th_dialects_load(NULL, &s->dialects, why, sizeof why) != TH_OK)
        fail_msg("dialects: %s", why);
    sim_net_init(s);
    if (s->options.outside)
        return s;
    assert_int_equal(th_store_memory_open(&s->memory), TH_OK);
    if (s->options.fanout_step)
        th_store_memory_fanout_step(s->memory, s->options.fanout_step);
    s->store = sim_store_new(s);
    sim_start(s);
    return s;
}

static struct th_mono turn_all(struct sim *s)
{
    struct th_mono first = TH_MONO_NEVER;
    unsigned from = s->options.shards > 1 ? choice(s, s->options.shards) : 0;

    if (dead(s))
        return th_engine_turn(dead(s));
    for (unsigned i = 0; i < s->options.shards && s->engine; i++) {
        struct th_mono next = th_engine_turn(s->engines[(from + i) % s->options.shards]);
        if (next.us < first.us)
            first = next;
    }
    return first;
}

bool sim_step(struct sim *s, int64_t *next_us)
{
    struct th_mono next;
    int64_t at;

    if (s->store)
        sim_store_advance(s->store);
    sim_net_advance(s);
    if (!s->engine) {
        *next_us = SIM_NEVER;
        return false;
    }
    s->turn_wanted = false;
    s->events++;
    next = turn_all(s);
    at = next.us == TH_MONO_NEVER.us ? SIM_NEVER : next.us - SIM_S;
    if (s->store && sim_store_next_us(s->store) < at)
        at = sim_store_next_us(s->store);
    if (sim_net_next_us(s) < at)
        at = sim_net_next_us(s);
    *next_us = at;
    return s->turn_wanted || at <= s->now_us;
}

bool sim_run_to(struct sim *s, int64_t until_us, bool (*stop)(struct sim *, void *), void *arg)
{
    unsigned spin = 0;

    if (s->options.outside)
        return s->options.outside->run_to(s, until_us, stop, arg);
    for (;;) {
        int64_t next_us;
        bool more;
        if (stop && stop(s, arg))
            return true;
        more = sim_step(s, &next_us);
        if (stop && stop(s, arg))
            return true;
        if (more) {
            if (++spin > SPIN_MAX)
                fail_msg("the engine turns without end at %.6f s", (double)s->now_us / 1e6);
            continue;
        }
        spin = 0;
        if (next_us > until_us || next_us == SIM_NEVER)
            break;
        s->now_us = next_us;
    }
    if (until_us != SIM_NEVER && until_us > s->now_us)
        s->now_us = until_us;
    return false;
}

void sim_run_until(struct sim *s, int64_t until_us)
{
    (void)sim_run_to(s, until_us, NULL, NULL);
}

void sim_run_for(struct sim *s, int64_t us)
{
    sim_run_until(s, s->now_us + us);
}

void sim_settle(struct sim *s)
{
    sim_run_until(s, s->now_us);
}

void sim_crash(struct sim *s)
{
    if (!s->engine)
        return;
    for (unsigned i = 0; i < s->options.shards; i++) {
        sim_bury(s, s->engines[i]);
        s->engines[i] = NULL;
        for (unsigned to = 0; to < s->options.shards; to++)
            for (struct th_list *l; (l = th_list_pop(&s->letters[i][to]));)
                sim_bury(s, l);
    }
    s->engine = NULL;
    sim_bury(s, s->places);
    s->places = NULL;
    if (s->options.outside)
        s->options.outside->crashed(s);
    else
        sim_store_crash(s->store);
    sim_net_crash(s);
}

static bool is_idle(struct sim *s, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < s->options.shards; i++)
        if (!th_engine_idle(s->engines[i]))
            return false;
    return !has_letters(s);
}

void sim_stop(struct sim *s)
{
    if (!s->engine)
        return;
    for (unsigned i = 0; i < s->options.shards; i++) {
        th_engine_drain(s->engines[i]);
        th_engine_cancel_requests(s->engines[i]);
    }
    if (!sim_run_to(s, s->now_us + 60 * SIM_S, is_idle, NULL))
        fail_msg("the engine does not become idle");
    for (unsigned i = 0; i < s->options.shards; i++) {
        th_engine_free(s->engines[i]);
        s->engines[i] = NULL;
    }
    s->engine = NULL;
    th_places_free(s->places);
    s->places = NULL;
}

void sim_close(struct sim *s)
{
    sim_stop(s);
    sim_store_free(s->store);
    if (s->memory)
        s->memory->vt->close(s->memory);
    sim_net_fini(s);
    th_dialects_free(&s->dialects);
    free(s->known);
    s->known = NULL;
    /* what crashed engines held: reachable from here until the end of the process, never used again */
    if (s->grave_n == 0) {
        if (!s->options.outside) /* else other nodes have theirs */
            assert_int_equal(th_secret_count(), s->secrets);
        free(s->grave);
        free(s);
        return;
    }
    static struct sim *graves[4096];
    static size_t count;
    if (count < sizeof graves / sizeof graves[0])
        graves[count++] = s;
}
