/* Random worlds in virtual time: publishes, changes, failing endpoints, failing commits, crashes, clock
 * steps, drawn from a seed; every request is judged when it is made, and every acknowledged event at the end.
 *
 * What holds in every world:
 *  1. an acknowledged event's deliveries end delivered, or failed after their whole schedule, or cancelled
 * with their endpoint; nothing is lost and nothing waits for ever;
 *  2. a delivery never has two requests at once;
 *  3. an attempt number is used again only after a crash;
 *  4. no attempt is earlier than its schedule says, but for one that was asked for by hand;
 *  5. nothing is told accepted and then not there;
 *  6. no request begins for an endpoint that is deleted, paused or disabled;
 *  7. an endpoint that is ordered as a whole has one request at a time, and first attempts in the order of the deliveries; where
 * several of them go in one request, all of this holds for each, in the order of the list.
 *
 * TH_SIM_SEED=n runs that world alone, TH_SIM_RUNS=n so many from the first on. */
#include "base/map.h"
#include "core/retry.h"
#include "engine/state.h"
#include "sim/sim.h"

enum { HOSTS = 12, STEPS = 400 };

struct seen {                /* one delivery, from outside */
    unsigned attempt, tries; /* of the last request; place in the schedule after it */
    int64_t failed_us;       /* end of the last failed answer; -1: none */
    unsigned requests, ok;
    bool open, crashed, retried, delivered, loose; /* loose: no claim about its time any more */
    bool
        uncounted; /* cancelled while a request was under way, whose attempt is in the log and counts for nothing */
    /* as its publisher was told; wall ms, 0: not given. cancelled: a cancel of it has been answered */
    int64_t deliver_at, expires_at;
    bool told, cancelled; /* told: its event is accepted; else the publisher was told that nobody knows */
};

struct accepted {
    uint64_t first, tenant;
    uint32_t n;
};

struct hook {
    uint64_t no;
    const char *tenant, *host;
    bool ordered; /* as one line */
    unsigned batch;
    unsigned under_way;
    uint64_t newest; /* delivery whose first attempt was made last */
};

struct world {
    struct sim *s;
    struct th_map seen;
    struct accepted *v;
    size_t n;
    struct hook hooks[64];
    unsigned hook_n, mood[HOSTS];
    bool wall_moved;
    uint64_t told, refused, crashes, duplicates, together;
};

static const char *const hosts[HOSTS] = {"h0.example.com", "h1.example.com",  "h2.example.com",
                                         "h3.example.com", "h4.example.com",  "h5.example.com",
                                         "h6.example.com", "h7.example.com",  "h8.example.com",
                                         "h9.example.com", "h10.example.com", "h11.example.com"};
static const struct {
    const char *id, *dialect, *type;
} tenants[] = {{"default", "standard", "a.b"},
               {"ti", "tiro", "note.created"},
               {"ts", "tsanet", "note.created"},
               {"tb", "taskboard", "task.created"}};

static struct seen *seen_of(struct world *w, uint64_t delivery)
{
    struct seen *d = th_map_get(&w->seen, delivery);

    if (d)
        return d;
    d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->failed_us = -1;
    assert_int_equal(th_map_put(&w->seen, delivery, d), TH_OK);
    return d;
}

/* ---- what is judged at once ---- */

static const struct th_rules *rules_of(struct sim *s, const struct sim_request *r)
{
    bool confirmed = s->engine->notes_out == 0; /* else a change is on its way to the other engines */
    struct th_engine *owner = s->engines[r->endpoint % s->options.shards];
    struct th_endpoint *ep = confirmed ? sim_ep(s, r->endpoint) : th_engine_endpoint_no(owner, r->endpoint);

    /* no request begins once a deletion or a pause has been confirmed, but those that are asked for by hand */
    assert_non_null(ep);
    assert_true(!confirmed || (ep->spec.active && ep->disabled_at.ms == 0) || r->lane == TH_LANE_MANUAL);
    return &th_dialect_values(ep->tenant->dialect)->rules;
}

static void draw_answer(struct world *w, struct sim_request *r)
{
    static const unsigned statuses[] = {500, 503, 429, 404, 302, 410};
    unsigned host = 0, x = sim_below(w->s, 100);

    while (host < HOSTS && strcmp(hosts[host], r->host->name) != 0)
        host++;
    assert_in_range(host, 0, HOSTS - 1);
    r->answer = (struct sim_answer){.kind = SIM_STATUS, .status = 200, .took_us = sim_below(w->s, 200000)};
    if (w->mood[host] == 0 || (w->mood[host] == 1 && x < 50))
        return;
    if (w->mood[host] == 2 || x < 20) {
        r->answer.kind = SIM_HANG;
    } else if (x < 40) {
        r->answer.kind = SIM_REFUSE + (enum sim_answer_kind)sim_below(w->s, 4);
    } else {
        r->answer.status = statuses[sim_below(w->s, w->mood[host] == 3 ? 6 : 3)];
        r->answer.has_retry_after = x < 60;
        r->answer.retry_after_s = sim_below(w->s, 1000);
    }
}

/* NULL: it has no order, or this is a test, which is in no line. */
static struct hook *line_of(struct world *w, const struct sim_request *r)
{
    for (unsigned i = 0; i < w->hook_n; i++)
        if (w->hooks[i].no == r->endpoint)
            return w->hooks[i].ordered && r->lane != TH_LANE_TEST ? &w->hooks[i] : NULL;
    return NULL;
}

static void judge_order(struct hook *h, const struct sim_request *r, const struct seen *d)
{
    if (!h)
        return;
    if (r->attempt > 1 || d->requests || d->retried || !d->told)
        return;
    assert_true(r->delivery > h->newest);
    h->newest = r->delivery;
}

static void judge_one(struct sim *s, const struct sim_request *r)
{
    struct world *w = s->user;
    struct seen *d = seen_of(w, r->delivery);
    const struct th_rules *rules = rules_of(s, r);

    assert_false(d->open);
    judge_order(line_of(w, r), r, d);
    assert_true(!d->expires_at || r->wall.ms < d->expires_at);
    assert_true(!d->deliver_at || w->wall_moved || d->retried || r->wall.ms >= d->deliver_at);
    assert_true(!d->cancelled || d->retried);
    if (r->attempt <= d->attempt) {
        /* the same attempt again: the process died before its outcome was on record */
        assert_true(d->crashed || d->uncounted);
        assert_true(r->attempt == d->attempt);
        w->duplicates++;
    } else {
        /* attempts that no request was made for, as the name did not resolve, count too */
        unsigned more = r->attempt - d->attempt;
        if (d->failed_us >= 0 && !d->loose && d->tries > 0) {
            assert_in_range(d->tries, 1, rules->delays);
            /* due times are whole milliseconds on disk */
            assert_true(s->now_us >= d->failed_us + (int64_t)rules->delay_s[d->tries - 1] * SIM_S - 1000);
        }
        /* nothing more after a success, unless that was never on record: then the process died, and the
         * attempt was made again, perhaps without a request */
        assert_true(!d->delivered || d->retried || d->crashed);
        d->tries += more;
    }
    d->crashed = d->uncounted = false;
    d->open = true;
    d->attempt = r->attempt;
    d->requests++;
}

/* As if it were a request for the mate alone. */
static struct sim_request of_mate(const struct sim_request *r, unsigned i)
{
    struct sim_request one = *r;

    one.delivery = r->mates[i].delivery;
    one.event = r->mates[i].event;
    one.attempt = r->mates[i].attempt;
    one.lane = r->mates[i].lane;
    return one;
}

static void judge_request(struct sim *s, struct sim_request *r)
{
    struct world *w = s->user;
    struct hook *line = line_of(w, r);
    uint64_t before = r->delivery;

    if (line) {
        assert_int_equal(line->under_way, 0);
        line->under_way++;
    }
    assert_true(!r->mate_n || (line && r->mate_n < line->batch));
    judge_one(s, r);
    for (unsigned i = 0; i < r->mate_n; i++) {
        struct sim_request one = of_mate(r, i);

        assert_true(one.delivery > before);
        before = one.delivery;
        judge_one(s, &one);
    }
    w->together += r->mate_n;
    draw_answer(w, r);
}

static void judge_end(struct sim *s, const struct sim_request *r)
{
    struct seen *d = seen_of(s->user, r->delivery);

    assert_true(d->open);
    d->open = false;
    if (r->lost)
        return;
    d->delivered = r->answer.kind == SIM_STATUS && r->answer.status == 200;
    if (d->delivered)
        d->ok++;
    else
        d->failed_us = s->now_us;
}

static void judge_answer(struct sim *s, const struct sim_request *r)
{
    struct hook *line = line_of(s->user, r);

    if (line)
        line->under_way--;
    judge_end(s, r);
    for (unsigned i = 0; i < r->mate_n; i++) {
        struct sim_request one = of_mate(r, i);

        judge_end(s, &one);
    }
}

/* ---- what happens ---- */

static void told(struct sim *s, struct sim_publishing *p)
{
    struct world *w = s->user;
    const struct sim_event *e = sim_publishing_event(p);

    if (e->result != TH_PUB_ACCEPTED) {
        /* INVALID: the wall has stepped beyond its expiry */
        assert_true(e->result == TH_PUB_UNAVAILABLE || e->result == TH_PUB_TENANT_GONE ||
                    (e->result == TH_PUB_INVALID && e->expires_in_ms && w->wall_moved));
        w->refused++;
        return;
    }
    w->told++;
    if (!e->deliveries)
        return;
    if ((w->n & (w->n - 1)) == 0) {
        w->v = realloc(w->v, (w->n ? w->n * 2 : 1) * sizeof *w->v);
        assert_non_null(w->v);
    }
    w->v[w->n++] = (struct accepted){.first = e->first_delivery, .tenant = e->row.tenant, .n = e->deliveries};
    for (uint32_t i = 0; i < e->deliveries; i++) {
        struct seen *d = seen_of(w, e->first_delivery + i);

        d->told = true;
        d->deliver_at = e->row.more.deliver_at;
        d->expires_at = e->row.more.expires_at;
    }
}

static void do_publish(struct world *w)
{
    unsigned t = sim_below(w->s, 4);

    for (unsigned i = 1 + sim_below(w->s, 4); i > 0; i--) {
        struct sim_event e = {.tenant = tenants[t].id, .type = tenants[t].type};

        if (sim_below(w->s, 4) == 0)
            e.deliver_in_ms = 1 + sim_below(w->s, 7200000);
        if (sim_below(w->s, 4) == 0)
            e.expires_in_ms = e.deliver_in_ms + 1 + sim_below(w->s, 7200000);
        sim_publish_begin(w->s, &e, told);
    }
}

static void do_add(struct world *w)
{
    unsigned t = sim_below(w->s, 4);
    struct hook *h = &w->hooks[w->hook_n];
    char url[128], why[400];
    struct sim_spec spec = {.tenant = tenants[t].id,
                            .url = url,
                            .max_in_flight = 1 + sim_below(w->s, 20),
                            .rate_per_s = sim_below(w->s, 5) ? 0 : 2};

    if (w->hook_n == sizeof w->hooks / sizeof w->hooks[0])
        return;
    *h = (struct hook){
        .tenant = tenants[t].id, .host = hosts[sim_below(w->s, HOSTS)], .ordered = sim_below(w->s, 3) == 0};
    spec.ordering.by = h->ordered ? TH_ORDER_ALL : TH_ORDER_NONE;
    spec.ordering.batch = h->batch = h->ordered && sim_below(w->s, 2) ? 2 + sim_below(w->s, 9) : 0;
    snprintf(url, sizeof url, "https://%s/hook/%u", h->host, w->hook_n);
    if (sim_try_endpoint(w->s, &spec, &h->no, why, sizeof why) == TH_CH_DONE)
        w->hook_n++;
}

static struct hook *some_hook(struct world *w)
{
    struct hook *h = w->hook_n ? &w->hooks[sim_below(w->s, w->hook_n)] : NULL;

    return h && sim_ep(w->s, h->no) ? h : NULL;
}

static void do_toggle(struct world *w)
{
    const struct hook *h = some_hook(w);

    if (h)
        (void)sim_set_active(w->s, h->no, sim_below(w->s, 3) != 0);
}

static void do_delete(struct world *w)
{
    const struct hook *h = sim_below(w->s, 4) ? NULL : some_hook(w);

    if (h)
        (void)sim_delete(w->s, h->no);
}

static void do_rotate(struct world *w)
{
    const struct hook *h = some_hook(w);

    if (h)
        (void)sim_rotate(w->s, h->no, -2);
}

static void do_retry(struct world *w)
{
    const struct accepted *a = w->n ? &w->v[sim_below(w->s, (uint32_t)w->n)] : NULL;
    struct seen *d;
    uint64_t no;

    if (!a)
        return;
    no = a->first + sim_below(w->s, a->n);
    d = seen_of(w, no);
    d->retried = d->loose =
        true; /* whether it meets a request under way or not: no claim about its times any more */
    (void)sim_retry(w->s, no);
}

static void do_cancel(struct world *w)
{
    struct accepted a = w->n ? w->v[sim_below(w->s, (uint32_t)w->n)] : (struct accepted){.n = 0};
    uint32_t n;
    enum th_error error = a.n ? sim_cancel(w->s, a.first, a.n, &n) : TH_NOT_FOUND;

    if (error) {
        assert_true(error != TH_CONFLICT || n == 0); /* they are still being made */
        return;
    }
    for (uint32_t i = 0; i < a.n; i++) {
        struct seen *d = seen_of(w, a.first + i);

        d->uncounted |= d->open;
        d->cancelled = !d->open; /* what is under way may end, and be on record, in its own time */
        d->retried = false;
        d->loose = true;
    }
}

static void do_mood(struct world *w)
{
    w->mood[sim_below(w->s, HOSTS)] = sim_below(w->s, 5);
}

static void do_dns(struct world *w)
{
    struct sim_host *h = sim_host(w->s, hosts[sim_below(w->s, HOSTS)]);
    static const char *const answers[] = {"nxdomain", "timeout", "10.0.0.1", "93.184.216.34", "servfail"};

    h->dns_n = h->dns_next = 0;
    sim_dns(w->s, h->name, answers[sim_below(w->s, 5)]);
    sim_dns(w->s, h->name, "93.184.216.34");
}

static void do_store(struct world *w)
{
    static const enum th_error errors[] = {TH_FULL, TH_RETRY, TH_UNKNOWN};

    th_store_memory_fail(w->s->memory, errors[sim_below(w->s, 3)], 1 + sim_below(w->s, 6),
                         sim_below(w->s, 2));
}

/* What is on disk alone is due by the wall clock: a step moves it. */
static void loosen(struct world *w)
{
    size_t i = 0;
    uint64_t no;
    void *v;

    while (th_map_next(&w->seen, &i, &no, &v))
        ((struct seen *)v)->loose = true;
}

static void do_wall(struct world *w)
{
    sim_run_for(w->s,
                SIM_S); /* a start just before has read the queue: a step moves nothing that is loaded */
    w->s->wall_step_ms += (int64_t)sim_below(w->s, 7200000) - 3600000;
    w->wall_moved = true;
    if (w->s->options.max_items_per_endpoint)
        loosen(w);
}

static void do_crash(struct world *w)
{
    size_t i = 0;
    uint64_t no;
    void *v;

    if (sim_below(w->s, 2))
        th_engine_turn(w->s->engine); /* whatever is half done */
    if (sim_below(w->s, 2))
        (void)th_store_memory_step(w->s->memory, sim_below(w->s, 8)); /* durable, and never told */
    sim_crash(w->s);
    w->crashes++;
    while (th_map_next(&w->seen, &i, &no, &v)) {
        struct seen *d = v;

        d->crashed = true;
        if (w->wall_moved) /* a loaded one waits by elapsed time: its first request may be behind it */
            d->deliver_at = 0;
    }
    if (w->wall_moved)
        loosen(w);
    w->wall_moved = false;
    sim_start(w->s);
    while (sim_below(
        w->s, 3)) /* publishers stand at the door: what they bring must not pass what is read only now */
        do_publish(w);
}

static void do_pass(struct world *w)
{
    static const int64_t most_us[] = {1000, 100000, 10 * SIM_S, 600 * SIM_S, 7200 * SIM_S, 86400 * SIM_S};
    int64_t us = most_us[sim_below(w->s, 6)];

    sim_run_for(w->s, (int64_t)(sim_rand(w->s) >> 1) % us);
}

static const struct {
    void (*run)(struct world *);
    unsigned weight;
} actions[] = {{do_publish, 30}, {do_pass, 30}, {do_add, 6},    {do_toggle, 6}, {do_delete, 3},
               {do_rotate, 2},   {do_retry, 4}, {do_cancel, 1}, {do_mood, 8},   {do_store, 4},
               {do_dns, 3},      {do_wall, 2},  {do_crash, 3}};

static void act(struct world *w)
{
    unsigned sum = 0, x;

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        sum += actions[i].weight;
    x = sim_below(w->s, sum);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (x < actions[i].weight) {
            actions[i].run(w);
            return;
        }
        x -= actions[i].weight;
    }
}

/* ---- what is judged at the end ---- */

static void calm_down(struct world *w)
{
    th_store_memory_fail(w->s->memory, TH_OK, 0, false);
    memset(w->mood, 0, sizeof w->mood);
    for (unsigned i = 0; i < HOSTS; i++)
        sim_host(w->s, hosts[i])->dns_n = sim_host(w->s, hosts[i])->dns_next = 0;
    sim_run_for(w->s, 5 * SIM_S);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < w->hook_n; i++)
            if (sim_ep(w->s, w->hooks[i].no))
                assert_int_equal(sim_set_active(w->s, w->hooks[i].no, true), TH_CH_DONE);
        sim_run_for(w->s, 5 * 86400 * SIM_S);
    }
}

static void judge_delivery(struct world *w, const struct accepted *a, uint64_t no)
{
    struct sim_delivery d = sim_delivery(w->s, a->tenant, no, 0, 0);
    const struct seen *seen = th_map_get(&w->seen, no);
    struct th_tenant *const *list;
    unsigned n, whole = 0;

    assert_true(d.found);
    list = th_engine_tenants(w->s->engine, &n);
    for (unsigned i = 0; i < n; i++)
        if (list[i]->no == a->tenant)
            whole = th_dialect_values(list[i]->dialect)->rules.delays + 1u;
    switch (d.state) {
    case TH_DS_DELIVERED:
        assert_true(seen && seen->ok > 0);
        assert_true(seen->loose || seen->ok == 1 || w->crashes > 0);
        break;
    case TH_DS_EXHAUSTED:
        if (d.attempts < whole)
            fail_msg("delivery %llu is exhausted after %u of %u attempts", (unsigned long long)no, d.attempts,
                     whole);
        break;
    case TH_DS_FINAL:
        assert_true(d.attempts > 0);
        break;
    case TH_DS_CANCELLED:
        assert_true(!sim_ep(w->s, d.endpoint) || (seen && seen->loose));
        break;
    case TH_DS_EXPIRED:
        assert_true(!seen || seen->expires_at);
        break;
    default:
        fail_msg("delivery %llu still waits (%s, %u attempts)", (unsigned long long)no, d.status, d.attempts);
    }
}

static void judge(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (uint32_t k = 0; k < w->v[i].n; k++)
            judge_delivery(w, &w->v[i], w->v[i].first + k);
    assert_int_equal(atomic_load(&w->s->metrics.gauge[TH_G_DELIVERIES_IN_MEMORY]), 0);
}

static void run_world(uint64_t seed)
{
    struct sim_options options = {.seed = seed,
                                  .shards = getenv("TH_SIM_SHARDS") ? 0 : (unsigned)(seed % 4 + 1) % 4 + 1,
                                  .forget_texts = true,
                                  .forget_requests = true,
                                  .jitter = seed % 3 == 0,
                                  .slow_reads = seed % 2 == 0,
                                  .commit_us = seed % 4 < 2 ? 5000 : 0,
                                  .fanout_step = seed % 3 ? (uint32_t)(seed % 3) : 0,
                                  .max_items_per_endpoint = seed % 5 == 0 ? 8 : 0,
                                  .max_items = seed % 5 == 0 ? 64 : 0};
    struct world w = {.s = sim_open(&options)};
    size_t i = 0;
    uint64_t no;
    void *v;

    print_message("seed %llu: ", (unsigned long long)seed);
    fflush(stdout);
    th_map_init(&w.seen, 1u << 22, 1);
    w.s->user = &w;
    w.s->on_request = judge_request;
    w.s->on_answered = judge_answer;
    for (unsigned t = 1; t < 4; t++)
        sim_tenant(w.s, tenants[t].id, tenants[t].dialect);
    for (unsigned k = 0; k < 6; k++)
        do_add(&w);
    for (unsigned k = 0; k < STEPS; k++)
        act(&w);
    calm_down(&w);
    judge(&w);
    print_message("%llu accepted, %llu refused, %llu requests, %llu crashes, %llu sent again after one, %llu "
                  "together with another\n",
                  (unsigned long long)w.told, (unsigned long long)w.refused,
                  (unsigned long long)w.s->requests, (unsigned long long)w.crashes,
                  (unsigned long long)w.duplicates, (unsigned long long)w.together);
    sim_close(w.s);
    while (th_map_next(&w.seen, &i, &no, &v))
        free(v);
    th_map_fini(&w.seen);
    free(w.v);
}

static void test_random_worlds(void **state)
{
    const char *one = getenv("TH_SIM_SEED"), *runs = getenv("TH_SIM_RUNS");
    uint64_t n = runs ? strtoull(runs, NULL, 10) : 10;

    (void)state;
    if (one) {
        run_world(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= n; seed++)
        run_world(seed);
    run_world(75); /* three ordered endpoints that displace one another */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_worlds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
