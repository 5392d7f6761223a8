/* Plugs everything together: store (its own threads), and one or several shards, each a thread with a loop, an engine, an API, an
 * HTTP server, transport and resolver (shard.h). The first thread is a shard, too, and has the tasks that
 * exist only once: it listens, changes settings, answers all requests except publishing, and takes signals.
 *
 * Each loop iteration ends in one turn of the engine (uv_check). An idle handle keeps the loop from sleeping while the
 * engine has more to do; a timer wakes it at the engine's next moment; the store and other shards wake it through uv_async.
 *
 * Stop (SIGTERM, SIGINT): no new connections, requests in flight are answered, then dispatch stops and outcomes are
 * committed; after the drain time-out requests are cancelled (their deliveries stay queued). A second signal cancels at
 * once. Exit 0. A failed store exits at once with 74: nothing may be acknowledged any more. */
#include "app/measure.h"
#include "app/notify.h"
#include "app/serve_parts.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/places.h"
#include "ui/ui.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Only this thread takes the signals that control the process: they are blocked before other threads are
 * made, and again when the handlers go away. */
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

static void close_handles(struct th_app *a)
{
    stop_signals(SIG_BLOCK); /* the process ends in any case: another signal must not turn that into a kill */

    uv_handle_t *handles[] = {(uv_handle_t *)&a->grace, (uv_handle_t *)&a->term, (uv_handle_t *)&a->intr,
                              (uv_handle_t *)&a->hup, (uv_handle_t *)&a->watchdog};

    for (unsigned i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (handles[i]->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handles[i]))
            uv_close(handles[i], NULL);
    th_shard_close_handles(&a->home);
}

static void ask_others(struct th_app *a, enum th_stop_step step,
                       void (*run)(struct th_shard *, struct th_errand *))
{
    for (unsigned i = 0; i + 1 < a->shard_count; i++)
        if (a->others[i].runs)
            th_shard_ask(&a->others[i], &a->stop_steps[step][i], run);
}

static void home_closed(struct th_shard *s)
{
    close_handles(s->app);
}

static void other_closed(struct th_shard *s)
{
    th_shard_close_handles(s);
}

static void close_other(struct th_shard *s, struct th_errand *e)
{
    (void)e;
    th_shard_close(s, other_closed);
}

/* The others first: what is left of them is freed when their threads have ended. */
static void close_network(struct th_app *a)
{
    ask_others(a, TH_STOP_CLOSE, close_other);
    for (unsigned i = 0; i + 1 < a->shard_count; i++)
        if (a->others[i].runs)
            pthread_join(a->others[i].thread, NULL);
    th_shard_close(&a->home, home_closed);
}

static void drain_other(struct th_shard *s, struct th_errand *e)
{
    (void)e;
    th_engine_drain(s->engine);
    if (__atomic_load_n(&s->app->hard, __ATOMIC_SEQ_CST))
        th_engine_cancel_requests(s->engine);
}

static void cancel_other(struct th_shard *s, struct th_errand *e)
{
    (void)e;
    th_engine_cancel_requests(s->engine);
}

/* No server answers any more. */
static void drain_engines(struct th_app *a)
{
    a->engine_draining = true;
    th_engine_drain(a->home.engine);
    if (a->hard)
        th_engine_cancel_requests(a->home.engine);
    ask_others(a, TH_STOP_ENGINE, drain_other);
    __atomic_store_n(&a->watches_idle, true, __ATOMIC_SEQ_CST);
    uv_async_send(&a->home.wake);
}

static void server_left(struct th_app *a)
{
    if (--a->servers_left == 0)
        drain_engines(a);
}

static void server_drained(void *ctx)
{
    server_left(ctx);
}

static void other_server_left(struct th_shard *home, struct th_errand *e)
{
    (void)e;
    server_left(home->app);
}

static void other_server_drained(void *ctx)
{
    struct th_shard *s = ctx;

    th_shard_ask(&s->app->home, &s->app->stop_steps[TH_STOP_SERVER][s->no - 1], other_server_left);
}

static void drain_other_server(struct th_shard *s, struct th_errand *e)
{
    (void)e;
    th_http_server_drain(s->server, s->app->grace_ms, other_server_drained, s);
}

static void on_grace(uv_timer_t *t)
{
    struct th_app *a = t->data;

    __atomic_store_n(&a->hard, true, __ATOMIC_SEQ_CST);
    if (a->engine_draining) {
        th_engine_cancel_requests(a->home.engine);
        if (!a->cancel_asked)
            ask_others(a, TH_STOP_CANCEL, cancel_other);
        a->cancel_asked = true;
    }
    uv_async_send(&a->home.wake);
}

static void stop(struct th_app *a)
{
    if (a->stopping) {
        on_grace(&a->grace);
        return;
    }
    a->stopping = true;
    th_notify("STOPPING=1\nSTATUS=Answering what is under way");
    th_log(TH_LOG_INFO, "stopping", TH_KI("drain_seconds", a->grace_ms / 1000));
    uv_timer_start(&a->grace, on_grace, a->grace_ms, 0);
    th_api_drain(a->home.api);
    if (a->inbox)
        th_inbox_stop(a->inbox);
    a->servers_left = a->shard_count;
    ask_others(a, TH_STOP_SERVER, drain_other_server);
    if (a->home.server)
        th_http_server_drain(a->home.server, a->grace_ms, server_drained, a);
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
           (int)(strrchr(listen, ':') - listen), listen, th_http_server_port(a->home.server));
    th_log(TH_LOG_INFO, "listening", TH_KC("address", listen),
           TH_KI("port", th_http_server_port(a->home.server)),
           TH_KC("scheme", a->live->identity ? "https" : "http"), TH_KC("version", TH_VERSION),
           TH_KC("data", a->live->settings.v[TH_O_DATA].text),
           TH_KC("environment", a->live->settings.v[TH_O_ENVIRONMENT].text));
    fflush(stdout);
}

/* True when no letter is under way and no shard has anything to do: then nothing comes any more (shard.c). */
static bool all_idle(struct th_app *a)
{
    if (__atomic_load_n(&a->letters, __ATOMIC_SEQ_CST))
        return false;
    for (unsigned i = 0; i + 1 < a->shard_count; i++)
        if (a->others[i].runs && !__atomic_load_n(&a->others[i].is_idle, __ATOMIC_SEQ_CST))
            return false;
    return __atomic_load_n(&a->letters, __ATOMIC_SEQ_CST) == 0;
}

static void turn(struct th_app *a)
{
    bool idle = th_shard_turn(&a->home);

    if (!a->announced && th_engine_ready(a->home.engine, NULL)) {
        a->announced = true;
        announce(a);
        if (a->inbox)
            th_inbox_start(a->inbox);
        if (a->first)
            stop(a);
        else
            th_notify("READY=1\nSTATUS=Accepting events");
    }
    th_app_reload_turn(a);
    if (a->engine_draining && !a->home.closing && idle && all_idle(a) &&
        !(a->inbox && th_inbox_busy(a->inbox)))
        close_network(a);
}

/* A turn is what lies between two ends of this: everybody else waits for it. */
static void on_check(uv_check_t *c)
{
    struct th_shard *s = c->data;
    struct th_app *a = s->app;
    bool was_announced = a->announced;

    turn(a);
    if (was_announced)
        th_turn_clock_end(&s->turns, s->loop, &a->metrics);
    else if (a->announced) /* starting is no turn */
        th_turn_clock_begin(&s->turns);
}

static void on_hup(uv_signal_t *s, int number)
{
    struct th_app *a = s->data;

    (void)number;
    if (!a->stopping)
        th_app_ask_reload(a);
}

static void pong(struct th_shard *home, struct th_errand *e)
{
    (void)e;
    home->app->pings_out--;
}

static void ping(struct th_shard *s, struct th_errand *e)
{
    th_shard_ask(&s->app->home, e, pong);
}

/* Sent only from the loop: a loop that hangs is not alive, whatever other threads do. So all loops have to
 * answer. */
static void on_watchdog(uv_timer_t *t)
{
    struct th_app *a = t->data;

    if (a->pings_out)
        return;
    th_notify("WATCHDOG=1");
    for (unsigned i = 0; i + 1 < a->shard_count && !a->stopping; i++) {
        a->pings_out++;
        th_shard_ask(&a->others[i], &a->pings[i], ping);
    }
}

static void setup_loop(struct th_app *a)
{
    (void)th_shard_init(&a->home, a, 0, &a->loop);
    uv_timer_init(&a->loop, &a->grace);
    uv_timer_init(&a->loop, &a->watchdog);
    uv_signal_init(&a->loop, &a->term);
    uv_signal_init(&a->loop, &a->intr);
    uv_signal_init(&a->loop, &a->hup);
    a->watchdog.data = a->grace.data = a->term.data = a->intr.data = a->hup.data = a;
}

static void run(struct th_app *a)
{
    uint64_t every_ms = a->first ? 0 : th_notify_watchdog_ms();

    if (every_ms)
        uv_timer_start(&a->watchdog, on_watchdog, 0, every_ms);
    for (unsigned i = 1; i < a->shard_count; i++)
        if (!th_shard_run(th_app_shard(a, i))) {
            th_log(TH_LOG_ERROR, "the system gives no more threads; start with fewer (--threads)",
                   TH_KI("threads", a->shard_count));
            _exit(EXIT_STORE);
        }
    uv_check_start(&a->home.check, on_check);
    uv_signal_start(&a->term, on_signal, SIGTERM);
    uv_signal_start(&a->intr, on_signal, SIGINT);
    uv_signal_start(&a->hup, on_hup, SIGHUP);
    stop_signals(SIG_UNBLOCK);
    uv_async_send(&a->home.wake);
    uv_run(&a->loop, UV_RUN_DEFAULT);
}

/* Takes a turn of each engine. */
static bool unfinished(struct th_app *a)
{
    bool busy = false;

    for (unsigned k = 0; k < a->shard_count; k++) {
        struct th_engine *e = th_app_shard(a, k)->engine;
        if (!e)
            continue;
        th_engine_turn(e);
        busy = busy || !th_engine_idle(e);
    }
    return busy || a->letters;
}

/* After a failed start: what is open is closed in order; the engine may have operations under way, so turns go on until
 * it is idle. */
static void unwind(struct th_app *a)
{
    for (unsigned k = 0; k < a->shard_count; k++)
        if (th_app_shard(a, k)->engine)
            th_engine_drain(th_app_shard(a, k)->engine);
    for (int i = 0; i < 5000 && unfinished(a); i++)
        usleep(1000);
    for (unsigned k = 1; k < a->shard_count; k++) { /* no thread runs them */
        struct th_shard *s = th_app_shard(a, k);
        if (!s->open)
            continue;
        th_shard_close(s, other_closed);
        uv_run(s->loop, UV_RUN_DEFAULT);
    }
    close_network(a);
    uv_run(&a->loop, UV_RUN_DEFAULT);
}

static void release(struct th_app *a)
{
    th_inbox_free(a->inbox);
    for (unsigned k = a->shard_count; k-- > 1;)
        th_shard_fini(th_app_shard(a, k));
    th_shard_fini(&a->home);
    th_http_shared_free(a->http_shared);
    th_api_shared_free(a->api_shared);
    th_places_free(a->places);
    th_ui_free(a->ui);
    th_free(a->others);
    for (unsigned i = 0; i < TH_STOP_STEPS; i++)
        th_free(a->stop_steps[i]);
    th_free(a->pings);
    th_free(a->reload_asks);
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
    a->shard_count = 1;
    th_buf_init(&a->made_key, 256);
    if (uv_loop_init(&a->loop) != 0) {
        th_free(a);
        return NULL;
    }
    return a;
}

/* Faults that the operator can remove with other arguments, files or permissions count as usage. */
static int exit_status(enum th_error error)
{
    if (error == TH_CORRUPT)
        return EXIT_DATA; /* a manager need not start the process again, because the data stays damaged */
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
    if (a->waited_in_vain) {
        unwind(a);
        th_log(TH_LOG_INFO, "stopped", TH_KI("exit", 0));
    } else if (error) {
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
