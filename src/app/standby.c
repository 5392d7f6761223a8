/* A node that waits until it may work on the database.
 *
 * Everything that a server has in memory comes out of the store, and is only right while nobody else writes. So a node that waits has
 * none of it: it answers that it waits, and begins as any other when its turn has come. And a node that learns that another one has
 * taken over ends its memory in the same way: it starts its own program anew, in this process, and waits.
 *
 * The database is asked by a thread of its own, once a second, so that /livez is answered while a connection hangs. */
#include "app/standby.h"
#include "app/notify.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "net/http_server.h"
#include "net/tls_server.h"
#include "store/postgres/postgres_store.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS 1000
#define DRAIN_MS 200

struct standby {
    struct th_app *app;
    struct th_store_postgres_options options;
    struct th_store_waiting *waiting; /* NULL: the database was not reached yet */
    enum th_error error;              /* of the last look */
    char asked[300], why[300];        /* asked: the thread's; why: the loop's */
    uv_work_t work;
    uv_timer_t timer;
    uv_signal_t term, intr;
    struct th_http_server *server;
    bool asking, stop, drained, told;
};

/* ---- the database ---- */

static void look(struct standby *s)
{
    s->error =
        s->waiting ? TH_OK : th_store_postgres_wait(&s->options, &s->waiting, s->asked, sizeof s->asked);
    if (!s->error)
        s->error = th_store_postgres_take(s->waiting, s->asked, sizeof s->asked);
}

static void look_in_thread(uv_work_t *w)
{
    look(w->data);
}

static bool goes_on(enum th_error error)
{
    return error == TH_CONFLICT || error == TH_RETRY;
}

static void drained(void *ctx)
{
    ((struct standby *)ctx)->drained = true;
}

static void end(struct standby *s)
{
    if (uv_is_closing((uv_handle_t *)&s->timer))
        return;
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->intr, NULL);
    th_http_server_drain(s->server, DRAIN_MS, drained, s);
}

static void say(struct standby *s)
{
    if (strcmp(s->why, s->asked) != 0)
        th_log(TH_LOG_INFO, "waiting for the database", TH_KC("why", s->asked));
    snprintf(s->why, sizeof s->why, "%s", s->asked);
}

static void looked(uv_work_t *w, int status)
{
    struct standby *s = w->data;

    (void)status;
    s->asking = false;
    if (s->stop || !goes_on(s->error))
        end(s);
    else
        say(s);
}

static void on_timer(uv_timer_t *t)
{
    struct standby *s = t->data;

    th_notify("WATCHDOG=1");
    if (s->asking)
        return;
    s->asking = uv_queue_work(s->app->home.loop, &s->work, look_in_thread, looked) == 0;
}

static void on_signal(uv_signal_t *u, int number)
{
    struct standby *s = u->data;

    (void)number;
    s->stop = true;
    if (!s->asking)
        end(s);
}

/* ---- answers meanwhile ---- */

static void answer(void *ctx, struct th_http_exchange *x)
{
    struct standby *s = ctx;
    bool alive = th_span_is(x->path, "/livez");
    struct th_buf b;
    struct th_jw w;

    th_buf_init(&b, 2048);
    w = th_jw(&b);
    th_jw_object(&w);
    if (alive) {
        th_jw_key(&w, TH_LIT("status"));
        th_jw_string(&w, TH_LIT("ok"));
    } else {
        char text[400];

        snprintf(text, sizeof text, "this node waits: %s", s->why);
        th_jw_key(&w, TH_LIT("type"));
        th_jw_string(&w, TH_LIT("about:blank"));
        th_jw_key(&w, TH_LIT("title"));
        th_jw_string(&w, TH_LIT("Service Unavailable"));
        th_jw_key(&w, TH_LIT("status"));
        th_jw_u64(&w, 503);
        th_jw_key(&w, TH_LIT("detail"));
        th_jw_string(&w, th_str(text));
        th_jw_key(&w, TH_LIT("request_id"));
        th_jw_string(&w, th_str(x->request_id));
    }
    th_jw_end_object(&w);
    if (alive)
        th_http_reply(x, 200, TH_LIT("Content-Type: application/json\r\n"), th_buf_view(&b));
    else
        th_http_reply(x, 503, TH_LIT("Content-Type: application/problem+json\r\nRetry-After: 1\r\n"),
                      th_buf_view(&b));
    th_buf_fini(&b);
}

static enum th_error listen_meanwhile(struct standby *s)
{
    struct th_app *a = s->app;
    const char *text = a->live->settings.v[TH_O_LISTEN].text;
    const struct th_mount mounts[] = {{"", answer, NULL, s, true}};
    struct th_http_server_options options = {.max_body = 1024,
                                             .max_connections = 256,
                                             .mounts = mounts,
                                             .mount_count = 1,
                                             .trusted = a->live->trusted,
                                             .trusted_count = a->live->settings.v[TH_O_TRUSTED_PROXIES].count,
                                             .tls = a->live->identity};
    char address[256];
    int os_error = 0;
    enum th_error error;

    options.address = address;
    if (!th_live_listen(text, address, sizeof address, &options.port))
        return TH_BUG;
    error = th_http_server_open(a->home.loop, &options, &s->server, &os_error);
    if (error)
        snprintf(a->why, sizeof a->why, "cannot listen on %s: %s", text, strerror(os_error));
    else
        th_log(TH_LOG_INFO, "waiting", TH_KC("address", text), TH_KI("port", th_http_server_port(s->server)),
               TH_KC("why", s->why));
    return error;
}

static void signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(how, &set, NULL);
}

static enum th_error stand_by(struct standby *s)
{
    uv_loop_t *loop = s->app->home.loop;
    enum th_error error;

    snprintf(s->why, sizeof s->why, "%s", s->asked);
    error = listen_meanwhile(s);
    if (error)
        return error;
    th_notify("READY=1\nSTATUS=Waiting for the database");
    s->work.data = s->timer.data = s->term.data = s->intr.data = s;
    uv_timer_init(loop, &s->timer);
    uv_signal_init(loop, &s->term);
    uv_signal_init(loop, &s->intr);
    uv_timer_start(&s->timer, on_timer, ASK_MS, ASK_MS);
    uv_signal_start(&s->term, on_signal, SIGTERM);
    uv_signal_start(&s->intr, on_signal, SIGINT);
    signals(SIG_UNBLOCK);
    while (!s->drained)
        uv_run(loop, UV_RUN_ONCE);
    signals(SIG_BLOCK);
    th_http_server_free(s->server);
    s->server = NULL;
    while (uv_run(loop, UV_RUN_NOWAIT) > 0 && s->asking)
        ;
    snprintf(s->app->why, sizeof s->app->why, "%s", s->asked);
    return s->stop ? TH_OK : s->error;
}

/* ---- beginning anew ---- */

/** From the store's writer: another node has taken over. Nothing of this process's memory may be used any more. */
static void begin_anew(void *ctx)
{
    struct th_app *a = ctx;
    char **argv = th_calloc((size_t)a->argc + 3, sizeof *argv);

    if (argv) {
        argv[0] = (char *)(uintptr_t) "tenterhook";
        argv[1] = (char *)(uintptr_t) "serve";
        for (int i = 0; i < a->argc; i++)
            argv[i + 2] = a->argv[i];
        execv("/proc/self/exe", argv);
    }
    th_log(TH_LOG_ERROR, "the program cannot be started anew; stopping", TH_KC("error", strerror(errno)));
    _exit(EXIT_STORE);
}

bool th_app_address_ok(const char *option, const char *text, const char *origin, char *why, size_t why_size)
{
    const char *user = strstr(text, "://"), *end = user ? user + 3 + strcspn(user + 3, "/?") : NULL;
    const char *at = end ? memchr(user + 3, '@', (size_t)(end - user - 3)) : NULL;

    if (strncmp(text, "postgres://", 11) != 0 && strncmp(text, "postgresql://", 13) != 0) {
        snprintf(why, why_size,
                 "%s (%s) is no address of a PostgreSQL database: write postgres://USER@HOST:PORT/DATABASE",
                 option, origin);
        return false;
    }
    if (strncmp(origin, "flag", 4) == 0 &&
        ((at && memchr(user + 3, ':', (size_t)(at - user - 3))) || strstr(text, "password="))) {
        snprintf(why, why_size,
                 "%s has a password on the command line, which every user of this machine could read: %s",
                 option,
                 strcmp(option, "the store") == 0
                     ? "give it by TENTERHOOK_STORE_PASSWORD or TENTERHOOK_STORE_PASSWORD_FILE"
                     : "write passfile=FILE into the address, and the password into that file (~/.pgpass has "
                       "the form)");
        return false;
    }
    return true;
}

enum th_error th_app_wait_for_store(struct th_app *a, bool *stopped)
{
    const struct th_settings *c = &a->live->settings;
    struct standby s = {.app = a};
    enum th_error error;

    *stopped = false;
    if (!th_app_address_ok("the store", c->v[TH_O_STORE].text, c->v[TH_O_STORE].origin, a->why,
                           sizeof a->why))
        return TH_INVALID;
    if (strcmp(c->v[TH_O_STORE_SHARE].text, "on") == 0 && c->v[TH_O_THREADS].number > 1) {
        snprintf(a->why, sizeof a->why,
                 "a node that shares its store (store.share) has one thread: leave out threads (%s), and "
                 "start more nodes",
                 c->v[TH_O_THREADS].origin);
        return TH_INVALID;
    }
    s.options = (struct th_store_postgres_options){
        .url = c->v[TH_O_STORE].text,
        .password = c->v[TH_O_STORE_PASSWORD].text,
        .unnamed = strcmp(c->v[TH_O_STORE_STATEMENTS].text, "unnamed") == 0,
        .dir = c->v[TH_O_DATA].text,
        .address = c->v[TH_O_LISTEN].text,
        .lease_ms = (unsigned)c->v[TH_O_STORE_LEASE].number * 1000,
        .share = strcmp(c->v[TH_O_STORE_SHARE].text, "on") == 0,
        .metrics = &a->metrics,
        .lost = begin_anew,
        .ctx = a};
    look(&s);
    error = s.error;
    snprintf(a->why, sizeof a->why, "%s", s.asked);
    if (goes_on(error) && !a->first)
        error = stand_by(&s);
    if (s.stop || error) {
        *stopped = s.stop;
        if (s.waiting)
            th_store_postgres_leave(s.waiting);
        return error;
    }
    return th_store_postgres_open(s.waiting, &a->store, a->why, sizeof a->why);
}
