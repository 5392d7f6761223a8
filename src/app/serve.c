/* Plugs everything together on one libuv loop: store (its own threads), transport, resolver, engine, HTTP server, API.
 *
 * Each loop iteration ends in one turn of the engine (uv_check). An idle handle keeps the loop from sleeping while the
 * engine has more to do; a timer wakes it at the engine's next moment; the store wakes it through uv_async.
 *
 * Stop (SIGTERM, SIGINT): no new connections, requests in flight are answered, then dispatch stops and outcomes are
 * committed; after the drain time-out requests are cancelled (their deliveries stay queued). A second signal cancels at
 * once. Exit 0. A failed store exits at once with 74: nothing may be acknowledged any more. */
#include "app/serve.h"
#include "api/api.h"
#include "app/datadir.h"
#include "app/live.h"
#include "app/measure.h"
#include "app/notify.h"
#include "base/alloc.h"
#include "base/log.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls_server.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define EXIT_USAGE 64
#define EXIT_DATA 65
#define EXIT_BUG 70
#define EXIT_STORE 74

struct app {
    int argc;
    char **argv;
    struct th_live *live;
    struct th_first_start *first; /* NULL: serve */
    bool announced, stopping, engine_draining, hard;
    bool tls; /* the API was opened with it */
    uv_loop_t loop;
    uv_async_t wake;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer, grace, watchdog;
    uv_signal_t term, intr, hup;
    uint64_t timer_at;
    struct th_metrics metrics;
    struct th_store *store;
    struct th_transport *transport;
    struct th_resolver *resolver;
    struct th_engine *engine;
    struct th_api *api;
    struct th_http_server *server;
    struct th_buf made_key;
    uint8_t admin_hash[32];
    char why[512];
    unsigned to_close;
    unsigned max_in_flight, max_idle,
        max_connections; /* what the descriptors allow of the configured limits */
};

/* ---- ports of the real world ---- */

static struct th_now real_now(void *ctx)
{
    struct timespec mono, wall;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct th_now){{(int64_t)mono.tv_sec * 1000000 + mono.tv_nsec / 1000},
                           {(int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000}};
}

static void real_entropy(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (!th_random(p, n)) {
        th_log(TH_LOG_ERROR, "the kernel gives no randomness; stopping", TH_KI("bytes", n));
        _exit(EXIT_STORE);
    }
}

static void wake_loop(void *ctx)
{
    struct app *a = ctx;

    uv_async_send(&a->wake);
}

static void on_fatal(void *ctx, enum th_error error, const char *what)
{
    (void)ctx;
    th_log(TH_LOG_ERROR, what, TH_KC("error", th_error_name(error)));
    _exit(EXIT_STORE);
}

/* Only this thread takes the signals that steer the process: they are blocked before others are made, and again once
 * the handlers go away. */
static void stop_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(how, &set, NULL);
}

/* ---- stopping ---- */

static void on_closed_handle(uv_handle_t *h)
{
    (void)h;
}

static void close_handles(struct app *a)
{
    stop_signals(SIG_BLOCK); /* the end is certain: another signal must not turn it into a kill */

    uv_handle_t *handles[] = {
        (uv_handle_t *)&a->wake,  (uv_handle_t *)&a->check, (uv_handle_t *)&a->idle,
        (uv_handle_t *)&a->timer, (uv_handle_t *)&a->grace, (uv_handle_t *)&a->term,
        (uv_handle_t *)&a->intr,  (uv_handle_t *)&a->hup,   (uv_handle_t *)&a->watchdog};

    for (unsigned i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (handles[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handles[i]))
            uv_close(handles[i], on_closed_handle);
}

static void part_closed(void *ctx)
{
    struct app *a = ctx;

    if (--a->to_close == 0)
        close_handles(a);
}

static void close_network(struct app *a)
{
    if (a->server) /* no request waits for an answer any more: the engine is idle */
        th_http_server_free(a->server);
    a->server = NULL;
    uv_check_stop(&a->check);
    uv_idle_stop(&a->idle);
    uv_timer_stop(&a->timer);
    a->to_close = 1u + (a->transport ? 1u : 0u) + (a->resolver ? 1u : 0u);
    if (a->transport)
        th_http_client_close(a->transport, part_closed, a);
    if (a->resolver)
        th_resolver_close(a->resolver, part_closed, a);
    a->transport = NULL;
    a->resolver = NULL;
    part_closed(a);
}

static void server_drained(void *ctx)
{
    struct app *a = ctx;

    a->engine_draining = true;
    th_engine_drain(a->engine);
    if (a->hard)
        th_engine_cancel_requests(a->engine);
    uv_async_send(&a->wake);
}

static void on_grace(uv_timer_t *t)
{
    struct app *a = t->data;

    a->hard = true;
    if (a->engine_draining)
        th_engine_cancel_requests(a->engine);
    uv_async_send(&a->wake);
}

static void stop(struct app *a)
{
    unsigned grace_ms = (unsigned)a->live->settings.v[TH_O_DRAIN].number * 1000;

    if (a->stopping) {
        on_grace(&a->grace);
        return;
    }
    a->stopping = true;
    th_notify("STOPPING=1\nSTATUS=Answering what is under way");
    th_log(TH_LOG_INFO, "stopping", TH_KI("drain_seconds", grace_ms / 1000));
    uv_timer_start(&a->grace, on_grace, grace_ms, 0);
    if (a->server)
        th_http_server_drain(a->server, grace_ms, server_drained, a);
    else
        server_drained(a);
}

static void on_signal(uv_signal_t *s, int number)
{
    (void)number;
    stop(s->data);
}

/* ---- the loop ---- */

static void announce(struct app *a)
{
    const char *listen = a->live->settings.v[TH_O_LISTEN].text;

    if (a->first) {
        snprintf(a->first->key, sizeof a->first->key, "%s", a->made_key.n ? th_buf_cstr(&a->made_key) : "");
        return;
    }
    if (a->made_key.n) {
        printf("operator key (shown only now, keep it safe): %s\n", th_buf_cstr(&a->made_key));
        th_buf_wipe(&a->made_key);
    }
    printf("listening on %s://%.*s:%u\n", a->live->identity ? "https" : "http",
           (int)(strrchr(listen, ':') - listen), listen, th_http_server_port(a->server));
    th_log(TH_LOG_INFO, "listening", TH_KC("address", listen), TH_KI("port", th_http_server_port(a->server)),
           TH_KC("scheme", a->live->identity ? "https" : "http"), TH_KC("version", TH_VERSION),
           TH_KC("data", a->live->settings.v[TH_O_DATA].text),
           TH_KC("environment", a->live->settings.v[TH_O_ENVIRONMENT].text));
    fflush(stdout);
}

static void on_timer(uv_timer_t *t)
{
    struct app *a = t->data;

    a->timer_at = 0; /* the check that follows takes the turn */
}

static void on_idle(uv_idle_t *i)
{
    (void)i;
}

static void on_wake(uv_async_t *w)
{
    (void)w;
}

static void on_check(uv_check_t *c)
{
    struct app *a = c->data;
    struct th_mono next = th_engine_turn(a->engine);
    int64_t wait_us;

    if (!a->announced && th_engine_ready(a->engine, NULL)) {
        a->announced = true;
        announce(a);
        if (a->first)
            stop(a);
        else
            th_notify("READY=1\nSTATUS=Accepting events");
    }
    if (a->engine_draining && th_engine_idle(a->engine) && th_api_pending(a->api) == 0) {
        close_network(a);
        return;
    }
    wait_us = next.us == INT64_MAX ? INT64_MAX : next.us - th_engine_now(a->engine).mono.us;
    if (wait_us <= 0) {
        uv_idle_start(&a->idle, on_idle);
        return;
    }
    uv_idle_stop(&a->idle);
    if (wait_us == INT64_MAX) {
        if (a->timer_at)
            uv_timer_stop(&a->timer);
        a->timer_at = 0;
    } else {
        uint64_t at = uv_now(&a->loop) + (uint64_t)(wait_us + 999) / 1000;
        if (at != a->timer_at) {
            a->timer_at = at;
            uv_timer_start(&a->timer, on_timer, (uint64_t)(wait_us + 999) / 1000, 0);
        }
    }
}

/* ---- starting ---- */

static enum th_error open_store(struct app *a)
{
    const char *dir = a->live->settings.v[TH_O_DATA].text;
    struct th_store_conf conf = {.dir = dir, .metrics = &a->metrics};

    return th_store_sqlite_open(&conf, &a->store, a->why, sizeof a->why);
}

/* A process with few descriptors must not let silent endpoints take them all: the API could not accept a connection.
 * Where the configured limits do not fit, they are lowered in proportion. */
static void share_descriptors(struct app *a)
{
    const struct th_settings *c = &a->live->settings;
    const uint64_t own = 64 + TH_HTTP_SERVER_REFUSED; /* store, log, name look-ups; clients too many */
    struct rlimit files = {.rlim_cur = 1024};
    uint64_t in_flight = (uint64_t)c->v[TH_O_MAX_IN_FLIGHT].number, idle = 4096;
    uint64_t connections = (uint64_t)c->v[TH_O_MAX_CONNECTIONS].number, want = in_flight + idle + connections,
             have;

    (void)getrlimit(RLIMIT_NOFILE, &files);
    have = files.rlim_cur > own + 32 ? files.rlim_cur - own : 32;
    if (have < want) {
        in_flight = in_flight * have / want + 1;
        idle = idle * have / want + 1;
        connections = connections * have / want + 1;
        th_log(TH_LOG_WARN, "few open files are allowed; limits are lowered (ulimit -n, LimitNOFILE=)",
               TH_KI("allowed", files.rlim_cur), TH_KI("delivery.max_in_flight", in_flight),
               TH_KI("limits.connections", connections));
    }
    a->max_in_flight = (unsigned)in_flight;
    a->max_idle = (unsigned)idle;
    a->max_connections = (unsigned)connections;
}

static enum th_error open_network(struct app *a)
{
    const struct th_settings *c = &a->live->settings;
    struct th_http_client_conf client = {.ca_file = c->v[TH_O_CA_FILE].text,
                                         .bind_address = c->v[TH_O_BIND].text,
                                         .max_idle = a->max_idle,
                                         .metrics = &a->metrics};
    struct th_resolver_conf dns = {.servers = c->v[TH_O_DNS].text};
    enum th_error error = th_http_client_open(&a->loop, &client, &a->transport, a->why, sizeof a->why);

    if (error)
        return error;
    error = th_resolver_open(&a->loop, &dns, &a->resolver);
    if (error)
        snprintf(a->why, sizeof a->why, "the resolver cannot start (name servers \"%s\"): %s",
                 dns.servers ? dns.servers : "of the system", th_error_name(error));
    return error;
}

static enum th_error open_engine(struct app *a)
{
    const struct th_settings *c = &a->live->settings;
    struct th_engine_conf conf = {.store = a->store,
                                  .transport = a->transport,
                                  .resolver = a->resolver,
                                  .clock = {real_now, a},
                                  .entropy = {real_entropy, a},
                                  .metrics = &a->metrics,
                                  .guard = &a->live->guard,
                                  .production = strcmp(c->v[TH_O_ENVIRONMENT].text, "production") == 0,
                                  .dialects = a->live->dialects.v,
                                  .dialect_count = a->live->dialects.count,
                                  .default_dialect = th_str(c->v[TH_O_DEFAULT_DIALECT].text),
                                  .retention_ms = c->v[TH_O_RETENTION].number * 1000,
                                  .max_in_flight = a->max_in_flight,
                                  .max_items = (uint32_t)c->v[TH_O_MAX_PENDING].number,
                                  .wake = {wake_loop, a},
                                  .fatal = on_fatal};
    enum th_error error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY].text,
                                                conf.secret_key, a->why, sizeof a->why);

    if (!error && c->v[TH_O_SECRET_KEY_OLD].text) {
        error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY_OLD].text,
                                      conf.old_secret_key, a->why, sizeof a->why);
        conf.has_old_key = !error;
    }
    if (error)
        return error;
    if (c->v[TH_O_ADMIN_KEY].text) {
        th_sha256(c->v[TH_O_ADMIN_KEY].text, strlen(c->v[TH_O_ADMIN_KEY].text), a->admin_hash);
        conf.operator_key_hash = th_span(a->admin_hash, sizeof a->admin_hash);
    }
    error = th_engine_new(&conf, &a->engine);
    th_wipe(conf.secret_key, sizeof conf.secret_key);
    th_wipe(conf.old_secret_key, sizeof conf.old_secret_key);
    if (!error)
        error = th_engine_start(a->engine, &a->made_key, a->why, sizeof a->why);
    return error;
}

static void measure(void *ctx)
{
    struct app *a = ctx;

    th_measure(&a->metrics, a->live);
}

static struct th_api_conf api_conf(struct app *a)
{
    const struct th_settings *c = &a->live->settings;

    return (struct th_api_conf){.engine = a->engine,
                                .metrics = &a->metrics,
                                .hosts = a->live->hosts,
                                .host_count = c->v[TH_O_HOSTS].count,
                                .source_addresses = a->live->sources,
                                .source_address_count = c->v[TH_O_SOURCE_ADDRESSES].count,
                                .default_dialect = th_str(c->v[TH_O_DEFAULT_DIALECT].text),
                                .key_rate = (uint32_t)c->v[TH_O_KEY_RATE].number,
                                .tenant_rate = (uint32_t)c->v[TH_O_TENANT_RATE].number,
                                .wrong_key_rate = (uint32_t)c->v[TH_O_WRONG_KEY_RATE].number,
                                .version = TH_LIT(TH_VERSION),
                                .measure = measure,
                                .measure_ctx = a};
}

static enum th_error open_api(struct app *a)
{
    struct th_api_conf conf = api_conf(a);

    return th_api_new(&conf, &a->api);
}

static enum th_error open_server(struct app *a)
{
    const struct th_settings *c = &a->live->settings;
    char address[256];
    struct th_http_server_conf conf = {.address = address,
                                       .max_body = (size_t)c->v[TH_O_MAX_BODY].number,
                                       .max_connections = a->max_connections,
                                       .handle = th_api_handle,
                                       .ctx = a->api,
                                       .metrics = &a->metrics,
                                       .tls = a->live->identity};
    int os_error = 0;
    enum th_error error;

    if (!th_live_listen(c->v[TH_O_LISTEN].text, address, sizeof address, &conf.port))
        return TH_BUG;
    a->tls = conf.tls != NULL;
    error = th_http_server_open(&a->loop, &conf, &a->server, &os_error);
    if (error)
        snprintf(a->why, sizeof a->why, "cannot listen on %s (%s): %s%s", c->v[TH_O_LISTEN].text,
                 c->v[TH_O_LISTEN].origin, strerror(os_error),
                 os_error == EADDRINUSE
                     ? "; another process has this port: stop it or choose another with --listen"
                     : "");
    return error;
}

/* ---- reload ---- */

static bool same(const struct th_value *a, const struct th_value *b)
{
    return (!a->text && !b->text) || (a->text && b->text && strcmp(a->text, b->text) == 0);
}

/* Options that a running server cannot change are named, so that nobody believes they are in force. */
static void warn_unchanged(const struct th_settings *old, const struct th_settings *new)
{
    static const enum th_option_id fixed[] = {
        TH_O_LISTEN,  TH_O_DATA, TH_O_ENVIRONMENT, TH_O_ADMIN_KEY,     TH_O_SECRET_KEY,  TH_O_SECRET_KEY_OLD,
        TH_O_CA_FILE, TH_O_BIND, TH_O_DNS,         TH_O_MAX_IN_FLIGHT, TH_O_MAX_PENDING, TH_O_MAX_CONNECTIONS,
        TH_O_MAX_BODY};

    for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!same(&old->v[fixed[i]], &new->v[fixed[i]]))
            th_log(TH_LOG_WARN, "this option is in force only after a restart",
                   TH_KC("option", th_options[fixed[i]].env));
}

static void reload(struct app *a)
{
    struct th_engine_conf conf = *th_engine_conf(a->engine);
    struct th_api_conf api;
    struct th_live *l;
    enum th_error error;

    error = th_live_new(a->argc, a->argv, &l, a->why, sizeof a->why);
    if (!error) {
        conf.dialects = l->dialects.v;
        conf.dialect_count = l->dialects.count;
        conf.default_dialect = th_str(l->settings.v[TH_O_DEFAULT_DIALECT].text);
        conf.guard = &l->guard;
        conf.retention_ms = l->settings.v[TH_O_RETENTION].number * 1000;
        error = th_engine_reload(a->engine, &conf, a->why, sizeof a->why);
        if (error)
            th_live_free(l);
    }
    th_wipe(conf.secret_key, sizeof conf.secret_key);
    th_wipe(conf.old_secret_key, sizeof conf.old_secret_key);
    if (error) {
        th_log(TH_LOG_ERROR, "reload refused; the old configuration stays in force", TH_KC("why", a->why));
        return;
    }
    warn_unchanged(&a->live->settings, &l->settings);
    l->older = a->live;
    a->live = l;
    th_live_log(&l->settings);
    if (a->tls != (l->identity != NULL))
        th_log(TH_LOG_WARN, "the API begins or ends to speak TLS only after a restart");
    else if (l->identity) {
        th_http_server_identity(a->server, l->identity);
        th_tls_identity_unref(l->older->identity); /* connections keep theirs */
        l->older->identity = NULL;
    }
    api = api_conf(a);
    th_api_reload(a->api, &api);
    th_log(TH_LOG_INFO, "configuration reloaded", TH_KI("dialects", l->dialects.count));
    uv_async_send(&a->wake);
}

static void on_hup(uv_signal_t *s, int number)
{
    struct app *a = s->data;

    (void)number;
    if (a->stopping)
        return;
    th_notify_reloading();
    reload(a);
    if (a->announced)
        th_notify("READY=1");
}

/* From the loop and nowhere else: a loop that hangs is not alive, whatever other threads do. */
static void on_watchdog(uv_timer_t *t)
{
    (void)t;
    th_notify("WATCHDOG=1");
}

static void setup_loop(struct app *a)
{
    uv_async_init(&a->loop, &a->wake, on_wake);
    uv_check_init(&a->loop, &a->check);
    uv_idle_init(&a->loop, &a->idle);
    uv_timer_init(&a->loop, &a->timer);
    uv_timer_init(&a->loop, &a->grace);
    uv_timer_init(&a->loop, &a->watchdog);
    uv_signal_init(&a->loop, &a->term);
    uv_signal_init(&a->loop, &a->intr);
    uv_signal_init(&a->loop, &a->hup);
    a->check.data = a->timer.data = a->grace.data = a->term.data = a->intr.data = a->hup.data = a;
}

static void run(struct app *a)
{
    uint64_t every_ms = a->first ? 0 : th_notify_watchdog_ms();

    if (every_ms)
        uv_timer_start(&a->watchdog, on_watchdog, 0, every_ms);
    uv_check_start(&a->check, on_check);
    uv_signal_start(&a->term, on_signal, SIGTERM);
    uv_signal_start(&a->intr, on_signal, SIGINT);
    uv_signal_start(&a->hup, on_hup, SIGHUP);
    stop_signals(SIG_UNBLOCK);
    uv_async_send(&a->wake);
    uv_run(&a->loop, UV_RUN_DEFAULT);
}

/* After a failed start: what is open is closed in order; the engine may have operations under way, so turns go on until
 * it is idle. */
static void unwind(struct app *a)
{
    if (a->engine) {
        th_engine_drain(a->engine);
        for (int i = 0; i < 5000 && !th_engine_idle(a->engine); i++) {
            th_engine_turn(a->engine);
            usleep(1000);
        }
    }
    close_network(a);
    uv_run(&a->loop, UV_RUN_DEFAULT);
}

static void release(struct app *a)
{
    th_api_free(a->api);
    th_engine_free(a->engine);
    if (a->store)
        a->store->vt->close(a->store);
    uv_loop_close(&a->loop);
    th_live_free(a->live);
    th_buf_wipe(&a->made_key);
    th_free(a);
}

static void setup_process(const struct th_settings *c, bool first)
{
    struct rlimit files, core;

    th_live_log(c);
    if (first && strcmp(c->v[TH_O_LOG_LEVEL].origin, "default") == 0)
        th_log_setup(TH_LOG_WARN, TH_LOG_AUTO); /* its start and its stop are no news */
    if (getrlimit(RLIMIT_CORE, &core) == 0) {   /* a core file would hold keys and secrets in clear */
        core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &core);
    }
    signal(SIGPIPE, SIG_IGN);
    stop_signals(SIG_BLOCK);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct app *new_app(int argc, char **argv, struct th_first_start *first)
{
    struct app *a = th_calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->argc = argc;
    a->argv = argv;
    a->first = first;
    th_buf_init(&a->made_key, 256);
    if (uv_loop_init(&a->loop) != 0) {
        th_free(a);
        return NULL;
    }
    return a;
}

static enum th_error start(struct app *a)
{
    const struct th_settings *c = &a->live->settings;
    uint8_t key[32];
    enum th_error error = th_datadir_make(c->v[TH_O_DATA].text, a->why, sizeof a->why);

    share_descriptors(a);
    if (!error) /* before the store makes its file: the key belongs to the database */
        error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY].text, key, a->why,
                                      sizeof a->why);
    th_wipe(key, sizeof key);
    if (!error)
        error = open_store(a);
    if (!error)
        error = open_network(a);
    if (!error)
        error = open_engine(a);
    if (!error)
        error = open_api(a);
    if (!error && !a->first)
        error = open_server(a);
    return error;
}

/* What the operator can set right by other arguments, files or permissions is usage. */
static int exit_status(enum th_error error)
{
    if (error == TH_CORRUPT)
        return EXIT_DATA; /* a manager need not start it again: it stays damaged */
    if (error == TH_FULL)
        return EXIT_STORE;
    if (error == TH_NOMEM || error == TH_BUG)
        return EXIT_BUG;
    return error ? EXIT_USAGE : 0;
}

int th_serve(int argc, char **argv, struct th_first_start *first)
{
    struct app *a = new_app(argc, argv, first);
    enum th_error error;

    if (!a)
        return EXIT_BUG;
    th_measure_start(&a->metrics);
    setup_loop(a);
    error = th_live_new(argc, argv, &a->live, a->why, sizeof a->why);
    if (!error) {
        setup_process(&a->live->settings, first != NULL);
        error = start(a);
    }
    if (error) {
        const char *why = a->why[0] ? a->why : th_error_name(error);
        if (first)
            snprintf(first->why, sizeof first->why, "%s", why);
        else
            fprintf(stderr, "tenterhook: %s\n", why);
        unwind(a);
    } else {
        run(a);
        th_log(TH_LOG_INFO, "stopped", TH_KI("exit", 0));
    }
    release(a);
    return exit_status(error);
}
