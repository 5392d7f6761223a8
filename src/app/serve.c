/* Plugs everything together on one libuv loop: store (its own threads), transport, resolver, engine, HTTP server, API.
 *
 * Each loop iteration ends in one turn of the engine (uv_check). An idle handle keeps the loop from sleeping while the
 * engine has more to do; a timer wakes it at the engine's next moment; the store wakes it through uv_async.
 *
 * Stop (SIGTERM, SIGINT): no new connections, requests in flight are answered, then dispatch stops and outcomes are
 * committed; after the drain time-out requests are cancelled (their deliveries stay queued). A second signal cancels at
 * once. Exit 0. A failed store exits at once with 74: nothing may be acknowledged any more. */
#include "app/measure.h"
#include "app/notify.h"
#include "app/serve_parts.h"
#include "base/alloc.h"
#include "base/log.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

static void close_handles(struct th_app *a)
{
    stop_signals(SIG_BLOCK); /* the end is certain: another signal must not turn it into a kill */

    uv_handle_t *handles[] = {(uv_handle_t *)&a->wake,  (uv_handle_t *)&a->prepare,
                              (uv_handle_t *)&a->check, (uv_handle_t *)&a->idle,
                              (uv_handle_t *)&a->timer, (uv_handle_t *)&a->grace,
                              (uv_handle_t *)&a->term,  (uv_handle_t *)&a->intr,
                              (uv_handle_t *)&a->hup,   (uv_handle_t *)&a->watchdog};

    for (unsigned i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (handles[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handles[i]))
            uv_close(handles[i], on_closed_handle);
}

static void part_closed(void *ctx)
{
    struct th_app *a = ctx;

    if (--a->to_close == 0)
        close_handles(a);
}

static void close_network(struct th_app *a)
{
    if (a->server) /* no request waits for an answer any more: the engine is idle */
        th_http_server_free(a->server);
    a->server = NULL;
    uv_prepare_stop(&a->prepare);
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
    struct th_app *a = ctx;

    a->engine_draining = true;
    th_engine_drain(a->engine);
    if (a->hard)
        th_engine_cancel_requests(a->engine);
    uv_async_send(&a->wake);
}

static void on_grace(uv_timer_t *t)
{
    struct th_app *a = t->data;

    a->hard = true;
    if (a->engine_draining)
        th_engine_cancel_requests(a->engine);
    uv_async_send(&a->wake);
}

static void stop(struct th_app *a)
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
    th_api_drain(a->api);
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

static void announce(struct th_app *a)
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
    struct th_app *a = t->data;

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

static void turn(struct th_app *a)
{
    struct th_mono next;
    int64_t wait_us, streams_us;

    if (a->server)
        th_engine_spent(a->engine, th_http_server_spent(a->server));
    next = th_engine_turn(a->engine);

    if (!a->announced && th_engine_ready(a->engine, NULL)) {
        a->announced = true;
        announce(a);
        if (a->first)
            stop(a);
        else
            th_notify("READY=1\nSTATUS=Accepting events");
    }
    th_app_reload_turn(a);
    if (a->engine_draining && th_engine_idle(a->engine) && th_api_pending(a->api) == 0) {
        close_network(a);
        return;
    }
    streams_us = th_api_turn(a->api);
    if (streams_us < next.us)
        next.us = streams_us;
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

static void on_prepare(uv_prepare_t *p)
{
    struct th_app *a = p->data;

    th_turn_clock_look(&a->turns, &a->loop);
}

/* A turn is what lies between two ends of this: everybody else waits for it. */
static void on_check(uv_check_t *c)
{
    struct th_app *a = c->data;
    bool was_announced = a->announced;

    turn(a);
    if (was_announced)
        th_turn_clock_end(&a->turns, &a->loop, &a->metrics);
    else if (a->announced) /* starting is no turn */
        th_turn_clock_begin(&a->turns);
}

static void on_hup(uv_signal_t *s, int number)
{
    struct th_app *a = s->data;

    (void)number;
    if (!a->stopping)
        th_app_ask_reload(a);
}

/* From the loop and nowhere else: a loop that hangs is not alive, whatever other threads do. */
static void on_watchdog(uv_timer_t *t)
{
    (void)t;
    th_notify("WATCHDOG=1");
}

static void setup_loop(struct th_app *a)
{
    uv_async_init(&a->loop, &a->wake, on_wake);
    uv_prepare_init(&a->loop, &a->prepare);
    uv_check_init(&a->loop, &a->check);
    uv_idle_init(&a->loop, &a->idle);
    uv_timer_init(&a->loop, &a->timer);
    uv_timer_init(&a->loop, &a->grace);
    uv_timer_init(&a->loop, &a->watchdog);
    uv_signal_init(&a->loop, &a->term);
    uv_signal_init(&a->loop, &a->intr);
    uv_signal_init(&a->loop, &a->hup);
    a->prepare.data = a->check.data = a->timer.data = a->grace.data = a->term.data = a->intr.data =
        a->hup.data = a;
}

static void run(struct th_app *a)
{
    uint64_t every_ms = a->first ? 0 : th_notify_watchdog_ms();

    if (every_ms)
        uv_timer_start(&a->watchdog, on_watchdog, 0, every_ms);
    uv_prepare_start(&a->prepare, on_prepare);
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
static void unwind(struct th_app *a)
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

static void release(struct th_app *a)
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
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0,
                0); /* no other process of this user reads its memory or environment */
    signal(SIGPIPE, SIG_IGN);
    stop_signals(SIG_BLOCK);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct th_app *new_app(int argc, char **argv, struct th_first_start *first)
{
    struct th_app *a = th_calloc(1, sizeof *a);

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
    struct th_app *a = new_app(argc, argv, first);
    enum th_error error;

    if (!a)
        return EXIT_BUG;
    th_measure_start(&a->metrics);
    setup_loop(a);
    error = th_live_new(argc, argv, &a->live, a->why, sizeof a->why);
    if (!error) {
        setup_process(&a->live->settings, first != NULL);
        th_live_warn(a->live);
        error = th_app_open(a);
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
