/* What a store costs alone (SQLite; with BENCH_STORE=postgres://… PostgreSQL): accepts of one event and one endpoint, each followed by its settle, with
 * a fixed number outstanding. Prints events/s, CPU of the process per event and commits.
 *
 * usage: bench_store DIR [events [outstanding [body-bytes [endpoints [backlog]]]]]
 * backlog: events accepted first and never settled. DIR must not hold a store yet. */
#include "port/store.h"
#include "store/postgres/postgres_store.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct unit {
    struct th_accept accept;
    struct th_new_event event;
    struct th_settle settle;
    uint64_t endpoint;
};

struct bench {
    struct th_session *session;
    struct unit *units;
    uint64_t started, accepted, settled, events;
    uint32_t endpoints;
    struct th_span body;
    bool settles;
    int64_t now_ms;
};

static struct bench b;
static struct th_store *store;

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_store: %s\n", what);
        exit(1);
    }
}

static void wake(void *ctx)
{
    uint64_t one = 1;

    (void)!write(*(int *)ctx, &one, sizeof one);
}

static void bench_submit(struct th_op *op)
{
    store->vt->submit(b.session, op);
    store->vt->flush(b.session); /* accepts and settles meet the writer mixed, as those of many turns do */
}

static void submit_accept(struct unit *u);

static void settled(struct th_op *op)
{
    struct th_settle *s = (struct th_settle *)op;

    check(op->error == TH_OK && s->applied, "a settle failed");
    b.settled++;
    if (b.started < b.events)
        submit_accept(op->user);
}

static void accepted(struct th_op *op)
{
    struct th_accept *a = (struct th_accept *)op;
    struct unit *u = op->user;

    check(op->error == TH_OK && a->result == TH_ACCEPT_NEW, "an accept failed");
    b.accepted++;
    if (!b.settles) {
        if (b.started < b.events)
            submit_accept(u);
        return;
    }
    u->settle =
        (struct th_settle){.op = {.kind = TH_OP_SETTLE, .done = settled, .user = u},
                           .delivery = u->event.first_delivery,
                           .next = TH_DS_DELIVERED,
                           .tries = 1,
                           .row = {.at = {b.now_ms},
                                   .nth = 1,
                                   .status = 200,
                                   .ok = true,
                                   .us = {-1, -1, -1, 400, 500},
                                   .endpoint_rev = 1,
                                   .signed_at = b.now_ms / 1000,
                                   .peer = {4, {127, 0, 0, 1}, 0, 8080},
                                   .sigs = TH_LIT("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
                                   .head = TH_LIT("Content-Length: 2\r\nContent-Type: text/plain\r\n"),
                                   .body = TH_LIT("ok")}};
    bench_submit(&u->settle.op);
}

static void submit_accept(struct unit *u)
{
    b.started++;
    u->endpoint = 1 + b.started % b.endpoints;
    u->event = (struct th_new_event){.type = TH_LIT("order.created"),
                                     .data = b.body,
                                     .time = {b.now_ms},
                                     .rnd = (uint32_t)b.started & 0x7ffffff,
                                     .endpoint_count = 1,
                                     .endpoints = &u->endpoint};
    u->accept = (struct th_accept){.op = {.kind = TH_OP_ACCEPT, .done = accepted, .user = u},
                                   .tenant = 1,
                                   .settings_version = 1,
                                   .at = {b.now_ms},
                                   .count = 1,
                                   .events = &u->event};
    bench_submit(&u->accept.op);
}

static void config_done(struct th_op *op)
{
    check(op->error == TH_OK, "the tenant could not be made");
    b.accepted = 1;
}

static void run_until(int fd, const uint64_t *value, uint64_t goal)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t drop;

    while (*value < goal) {
        if (store->vt->drain(b.session, 4096))
            continue;
        poll(&p, 1, -1);
        (void)!read(fd, &drop, sizeof drop);
    }
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double wall_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void load(int fd, struct th_metrics *m, uint64_t events, uint32_t outstanding, bool settles,
                 const char *name)
{
    uint64_t commits = atomic_load(&m->counter[TH_C_STORE_COMMITS]);
    double cpu = cpu_s(), began = wall_s(), took;

    b.events = events;
    b.started = b.accepted = b.settled = 0;
    b.settles = settles;
    for (uint32_t i = 0; i < outstanding && b.started < events; i++)
        submit_accept(&b.units[i]);
    run_until(fd, settles ? &b.settled : &b.accepted, events);
    took = wall_s() - began;
    commits = atomic_load(&m->counter[TH_C_STORE_COMMITS]) - commits;
    printf("%-18s %9.0f events/s  %6.2f us CPU per event  %8llu commits  %6.1f events per commit\n", name,
           (double)events / took, (cpu_s() - cpu) * 1e6 / (double)events, (unsigned long long)commits,
           (double)events / (double)(commits ? commits : 1));
}

static void counted(struct th_op *op)
{
    check(op->error == TH_OK, "an op failed");
    b.accepted++;
}

/** Retention steps over the oldest events, and list pages over the newest. */
static void measure_steps(int fd)
{
    double began, worst = 0, took = 0, cpu = cpu_s();
    uint32_t steps = 0, purged = 0;
    uint64_t rows = 0;

    for (; steps < 100; steps++) {
        struct th_purge p = {
            .op = {.kind = TH_OP_PURGE, .done = counted}, .before = {b.now_ms + 1}, .max_events = 200};
        double one;

        b.accepted = 0;
        began = wall_s();
        bench_submit(&p.op);
        run_until(fd, &b.accepted, 1);
        one = wall_s() - began;
        took += one;
        worst = one > worst ? one : worst;
        purged += p.purged;
    }
    printf("%-18s %9.2f us per event, %.2f us CPU, %u events in %u steps, longest step %.1f ms\n",
           "retention", took * 1e6 / (purged ? purged : 1), (cpu_s() - cpu) * 1e6 / (purged ? purged : 1),
           purged, steps, worst * 1e3);
    began = wall_s();
    for (steps = 0; steps < 100; steps++) {
        struct th_page p = {.op = {.kind = TH_OP_PAGE, .done = counted},
                            .kind = TH_PAGE_DELIVERIES,
                            .tenant = 1,
                            .endpoint = 1 + steps % b.endpoints,
                            .limit = 100};

        b.accepted = 0;
        bench_submit(&p.op);
        run_until(fd, &b.accepted, 1);
        rows += p.count;
        store->vt->page_free(store, &p);
    }
    printf("%-18s %9.2f ms per page of an endpoint's deliveries, %llu rows in %u pages\n", "lists",
           (wall_s() - began) * 1e3 / steps, (unsigned long long)rows, steps);
}

/* In PostgreSQL where BENCH_STORE has its address. */
static enum th_error open_store(const struct th_store_options *o, char *why, size_t why_size)
{
    struct th_store_postgres_options options = {
        .url = getenv("BENCH_STORE"), .dir = o->dir, .address = "bench", .metrics = o->metrics};
    struct th_store_waiting *w;
    enum th_error error;

    if (!options.url)
        return th_store_sqlite_open(o, &store, why, why_size);
    error = th_store_postgres_wait(&options, &w, why, why_size);
    if (!error)
        error = th_store_postgres_take(w, why, why_size);
    return error ? error : th_store_postgres_open(w, &store, why, why_size);
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000, backlog;
    uint32_t outstanding = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 256;
    size_t body = argc > 4 ? strtoul(argv[4], NULL, 10) : 1024;
    static struct th_metrics metrics;
    struct th_store_options options = {.dir = argc > 1 ? argv[1] : "", .ballast_mib = 1, .metrics = &metrics};
    struct th_row tenant = {.kind = TH_ROW_TENANT, .no = 1, .id = TH_LIT("bench"), .settings = TH_LIT("{}")};
    struct th_row *rows;
    struct th_settings_op config = {.op = {.kind = TH_OP_SETTINGS, .done = config_done}, .tenant = 1};
    char why[512], *text;
    int fd = eventfd(0, EFD_CLOEXEC);

    check(argc > 1 && events && outstanding && fd >= 0,
          "usage: bench_store DIR [events [outstanding [body-bytes "
          "[endpoints [backlog]]]]]");
    b.endpoints = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1000;
    backlog = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    text = malloc(body + 3);
    b.units = calloc(outstanding, sizeof *b.units);
    rows = calloc(b.endpoints + 1, sizeof *rows);
    check(text && b.units && b.endpoints && rows, "no memory");
    rows[0] = tenant;
    for (uint32_t i = 1; i <= b.endpoints; i++) /* a store looks up whose an endpoint is */
        rows[i] = (struct th_row){
            .kind = TH_ROW_ENDPOINT, .no = i, .tenant = 1, .rev = 1, .settings = TH_LIT("{}")};
    config.count = b.endpoints + 1;
    config.rows = rows;
    memset(text, 'x', body + 2);
    text[0] = text[body ? body - 1 : 0] = '"';
    b.body = th_span(text, body);
    b.now_ms = (int64_t)time(NULL) * 1000;
    if (open_store(&options, why, sizeof why) != TH_OK)
        check(false, why);
    check(store->vt->attach(store, (struct th_wake){wake, &fd}, &b.session) == TH_OK, "no session");
    bench_submit(&config.op);
    run_until(fd, &b.accepted, 1);
    if (backlog)
        load(fd, &metrics, backlog, outstanding, false, "accept only");
    load(fd, &metrics, events, outstanding, true, "accept and settle");
    measure_steps(fd);
    store->vt->detach(b.session);
    store->vt->close(store);
    free(b.units);
    free(rows);
    free(text);
    return 0;
}
