/* Opens the parts of the server, each with what the configuration says for it. */
#include "app/datadir.h"
#include "app/measure.h"
#include "app/serve_parts.h"
#include "app/standby.h"
#include "app/threads.h"
#include "app/traces.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/places.h"
#include "lib/crypto.h"
#include "net/tls_server.h"
#include "ui/ui.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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
    struct th_shard *s = ctx;

    uv_async_send(&s->wake);
}

static void on_fatal(void *ctx, enum th_error error, const char *what)
{
    (void)ctx;
    th_log(TH_LOG_ERROR, what, TH_KC("error", th_error_name(error)));
    _exit(EXIT_STORE);
}

static enum th_error open_store(struct th_app *a)
{
    const char *dir = a->live->settings.v[TH_O_DATA].text;
    struct th_store_options options = {.dir = dir, .metrics = &a->metrics};

    if (a->live->settings.v[TH_O_STORE].text)
        return th_app_wait_for_store(a, &a->waited_in_vain);

    return th_store_sqlite_open(&options, &a->store, a->why, sizeof a->why);
}

static enum th_error open_inbox(struct th_app *a)
{
    const struct th_settings *c = &a->live->settings;
    const struct th_value *sources = &c->v[TH_O_INBOX_SOURCES];
    struct th_inbox_options options = {.home = &a->home,
                                       .metrics = &a->metrics,
                                       .max_bytes = (uint64_t)c->v[TH_O_MAX_BODY].number,
                                       .store = c->v[TH_O_STORE].text,
                                       .password = c->v[TH_O_STORE_PASSWORD].text,
                                       .sources = sources->list,
                                       .source_count = sources->count};

    if (a->first || (!options.store && !options.source_count))
        return TH_OK;
    for (unsigned i = 0; i < sources->count; i++)
        if (!th_app_address_ok("inbox.sources", sources->list[i], sources->origin, a->why, sizeof a->why))
            return TH_INVALID;
    return th_inbox_new(&options, &a->inbox, a->why, sizeof a->why);
}

/* A process with few descriptors must not let silent endpoints take them all: the API could not accept a connection.
 * Where the configured limits do not fit, they are lowered in proportion. */
static void share_descriptors(struct th_app *a)
{
    const struct th_settings *c = &a->live->settings;
    /* for the store, the log and name look-ups; for surplus clients, and those whose place they take in the
     * same turn */
    const uint64_t own = 64 + 2 * TH_HTTP_SERVER_REFUSED;
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

/* The part of a common limit that a shard may have: together they have all of it. There are no more shards
 * than requests (make_shards), so each has at least one request. */
static unsigned part_of(const struct th_shard *s, uint64_t all)
{
    unsigned n = s->app->shard_count;

    return (unsigned)(all / n + (s->no < all % n));
}

static enum th_error open_network(struct th_app *a, struct th_shard *s)
{
    const struct th_settings *c = &a->live->settings;
    struct th_http_client_options client = {.ca_file = c->v[TH_O_CA_FILE].text,
                                            .bind_address = c->v[TH_O_BIND].text,
                                            .proxy = c->v[TH_O_PROXY].text,
                                            .proxy_credentials = c->v[TH_O_PROXY_CREDENTIALS].text,
                                            .max_idle = part_of(s, a->max_idle),
                                            .metrics = s->metrics};
    struct th_resolver_options dns = {.servers = c->v[TH_O_DNS].text};
    enum th_error error = th_http_client_open(s->loop, &client, &s->transport, a->why, sizeof a->why);

    if (error)
        return error;
    error = th_resolver_open(s->loop, &dns, &s->resolver);
    if (error)
        snprintf(a->why, sizeof a->why, "the resolver cannot start (name servers \"%s\"): %s",
                 dns.servers ? dns.servers : "of the system", th_error_name(error));
    if (!error && !a->first)
        error = th_traces_open(s->loop, c, s->transport, s->resolver, s->metrics, &s->traces);
    return error;
}

static enum th_validate validate_of(const struct th_settings *c)
{
    enum th_validate v = TH_VALIDATE_DEFAULT;

    (void)th_validate_read(th_str(c->v[TH_O_VALIDATE].text), &v);
    return v;
}

static struct th_engine_options engine_options(struct th_app *a, struct th_shard *s)
{
    const struct th_settings *c = &a->live->settings;

    return (struct th_engine_options){
        .store = a->store,
        .transport = s->transport,
        .resolver = s->resolver,
        .clock = {real_now, a},
        .entropy = {real_entropy, a},
        .metrics = s->metrics,
        .guard = &a->live->guard,
        .sources = th_live_first(a->live)->from,
        .source_count = th_live_first(a->live)->settings.v[TH_O_SOURCES].count,
        .production = strcmp(c->v[TH_O_ENVIRONMENT].text, "production") == 0,
        .dialects = a->live->dialects.v,
        .dialect_count = a->live->dialects.count,
        .default_dialect = th_str(c->v[TH_O_DEFAULT_DIALECT].text),
        .retention_ms = c->v[TH_O_RETENTION].number * 1000,
        .notes_backlog = true,
        .limits = th_live_limits(&a->live->settings),
        .consent_origin = th_str(c->v[TH_O_CONSENT_ORIGIN].text ? c->v[TH_O_CONSENT_ORIGIN].text : ""),
        .consent_all = strcmp(c->v[TH_O_CONSENT].text, "all") == 0,
        .validate = validate_of(c),
        .warn_percent = (unsigned)c->v[TH_O_LIMIT_WARNING].number,
        .tracer = th_traces_tracer(s->traces, c),
        .pass_trace = strcmp(c->v[TH_O_TRACES_PASS_ON].text, "on") == 0,
        .max_in_flight = part_of(s, a->max_in_flight),
        .max_items = part_of(s, (uint64_t)c->v[TH_O_MAX_PENDING].number),
        .shards = a->shard_count,
        .shard = s->no,
        .places = a->places,
        .post = th_shard_post(a),
        .wake = {wake_loop, s},
        .fatal = on_fatal};
}

static enum th_error join_engine(struct th_app *a, struct th_shard *s)
{
    struct th_engine_options options = engine_options(a, s);
    enum th_error error = th_engine_new(&options, &s->engine);

    return error ? error : th_engine_join(s->engine, a->home.engine);
}

static enum th_error open_engine(struct th_app *a)
{
    const struct th_settings *c = &a->live->settings;
    struct th_engine_options options = engine_options(a, &a->home);
    enum th_error error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY].text,
                                                &options.secret_key, a->why, sizeof a->why);

    if (!error && c->v[TH_O_SECRET_KEY_OLD].text) {
        error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY_OLD].text,
                                      &options.old_secret_key, a->why, sizeof a->why);
        options.has_old_key = !error;
    }
    if (error)
        return error;
    if (c->v[TH_O_ADMIN_KEY].text) {
        th_sha256(c->v[TH_O_ADMIN_KEY].text, strlen(c->v[TH_O_ADMIN_KEY].text), a->admin_hash);
        options.operator_key_hash = th_span(a->admin_hash, sizeof a->admin_hash);
        options.operator_key_short = strlen(c->v[TH_O_ADMIN_KEY].text) < TH_OPERATOR_KEY_MIN;
    }
    error = th_engine_new(&options, &a->home.engine);
    th_wipe(&options.secret_key, sizeof options.secret_key);
    th_wipe(&options.old_secret_key, sizeof options.old_secret_key);
    if (!error)
        error = th_engine_start(a->home.engine, &a->made_key, a->why, sizeof a->why);
    return error;
}

static void measure(void *ctx)
{
    struct th_app *a = ctx;

    th_measure(&a->metrics, a->live);
    if (a->inbox)
        th_inbox_measure(a->inbox, &a->metrics);
}

static void write_member(struct th_jw *w, const char *name, struct th_span value)
{
    th_jw_key(w, th_str(name));
    if (value.n)
        th_jw_string(w, value);
    else
        th_jw_null(w);
}

/* Rows for GET /v1/config: what `tenterhook config show --json` prints, of the configuration that this process uses. */
static void write_settings(void *ctx, struct th_jw *w)
{
    const struct th_settings *c = &((struct th_app *)ctx)->live->settings;
    struct th_buf value;

    th_buf_init(&value, 65536);
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        const char *from = c->v[id].origin;

        th_buf_reset(&value);
        th_options_value(c, id, &value);
        th_jw_object(w);
        write_member(w, "key", th_str(o->key ? o->key : o->flag));
        write_member(w, "value", th_buf_view(&value));
        write_member(w, "origin", th_str(from ? from : "not set"));
        th_jw_end_object(w);
    }
    if (value.failed)
        w->out->failed = value.failed;
    th_buf_fini(&value);
}

/* ---- work for another thread ---- */

struct work {
    uv_work_t req;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void run_work(uv_work_t *req)
{
    struct work *w = req->data;

    w->run(w->arg);
}

static void end_work(uv_work_t *req, int status)
{
    struct work *w = req->data;
    void (*done)(void *arg) = w->done;
    void *arg = w->arg;

    (void)status; /* nobody cancels it */
    th_free(w);
    done(arg);
}

/* Without memory this thread does it. */
static void work(void *ctx, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
    struct th_shard *s = ctx;
    struct work *w = th_malloc(sizeof *w);

    if (w) {
        *w = (struct work){.run = run, .done = done, .arg = arg};
        w->req.data = w;
        if (uv_queue_work(s->loop, &w->req, run_work, end_work) == 0)
            return;
    }
    th_free(w);
    run(arg);
    done(arg);
}

static enum th_client_header client_header(const struct th_settings *c)
{
    const char *name = c->v[TH_O_CLIENT_HEADER].text;

    return strcmp(name, "forwarded") == 0         ? TH_CLIENT_FORWARDED
           : strcmp(name, "x-forwarded-for") == 0 ? TH_CLIENT_X_FORWARDED_FOR
           : strcmp(name, "none") == 0            ? TH_CLIENT_NONE
                                                  : TH_CLIENT_AUTO;
}

struct th_api_options th_app_api_options(struct th_app *a, struct th_shard *s)
{
    const struct th_settings *c = &a->live->settings, *first = &th_live_first(a->live)->settings;

    return (struct th_api_options){.engine = s->engine,
                                   .metrics = s->metrics,
                                   .hosts = a->live->hosts,
                                   .host_count = c->v[TH_O_HOSTS].count,
                                   .source_addresses = a->live->sources,
                                   .source_address_count = c->v[TH_O_SOURCE_ADDRESSES].count,
                                   .default_dialect = th_str(c->v[TH_O_DEFAULT_DIALECT].text),
                                   .key_rate = (uint32_t)c->v[TH_O_KEY_RATE].number,
                                   .tenant_rate = (uint32_t)c->v[TH_O_TENANT_RATE].number,
                                   .wrong_key_rate = (uint32_t)c->v[TH_O_WRONG_KEY_RATE].number,
                                   .streams = (unsigned)c->v[TH_O_STREAMS].number,
                                   .key_streams = (unsigned)c->v[TH_O_KEY_STREAMS].number,
                                   .trusted = a->live->trusted,
                                   .trusted_count = c->v[TH_O_TRUSTED_PROXIES].count,
                                   .client_header = client_header(c),
                                   .session_idle_s = c->v[TH_O_SESSION_IDLE].number,
                                   .catalogue = strcmp(c->v[TH_O_PUBLIC_CATALOGUE].text, "on") == 0,
                                   .tls = a->live->identity != NULL,
                                   .portal_origins = (const char *const *)first->v[TH_O_PORTAL_ORIGINS].list,
                                   .portal_origin_count = first->v[TH_O_PORTAL_ORIGINS].count,
                                   .portal_url = first->v[TH_O_PORTAL_URL].text,
                                   .version = TH_LIT(TH_VERSION),
                                   .inbox = a->inbox,
                                   .measure = measure,
                                   .measure_ctx = a,
                                   .settings = write_settings,
                                   .settings_ctx = a,
                                   .work = work,
                                   .work_ctx = s,
                                   .shared = a->api_shared,
                                   .servers = a->shard_count,
                                   .number = s->no};
}

static enum th_error open_api(struct th_app *a, struct th_shard *s)
{
    struct th_api_options options = th_app_api_options(a, s);

    return th_api_new(&options, &s->api);
}

/* ---- connections between shards ---- */

struct moving {
    struct th_errand errand;
    struct th_http_moved *moved;
};

static void arrive(struct th_shard *s, struct th_errand *e)
{
    struct moving *m = TH_CONTAINER(e, struct moving, errand);

    th_http_server_adopt(s->server, m->moved);
    th_free(m);
}

static bool move(void *ctx, unsigned to, struct th_http_moved *moved)
{
    struct th_shard *s = ctx;
    struct moving *m = th_malloc(sizeof *m);

    if (!m)
        return false;
    m->moved = moved;
    th_shard_ask(th_app_shard(s->app, to), &m->errand, arrive);
    return true;
}

static unsigned place(void *ctx, struct th_http_exchange *x)
{
    struct th_shard *s = ctx;

    return th_api_place(s->api, x);
}

static enum th_error open_server(struct th_app *a, struct th_shard *s)
{
    const struct th_settings *c = &a->live->settings;
    char address[256];
    const struct th_mount mounts[] = {
        {"/ui", th_ui_handle, th_ui_judge, a->ui, false},
        {"/portal", th_ui_handle, th_ui_judge, a->ui, false},
        {"", th_api_handle, th_api_judge, s->api, false},
        /* one can always ask whether the process is alive */
        {"/livez", th_api_handle, th_api_judge, s->api, true},
        {"/readyz", th_api_handle, th_api_judge, s->api, true},
    };
    unsigned first = a->ui ? 0 : 2; /* without pages their paths are the API's, which knows nothing there */
    struct th_http_server_options options = {.address = s->no ? NULL : address,
                                             .max_body = (size_t)c->v[TH_O_MAX_BODY].number,
                                             .max_connections = a->max_connections,
                                             .max_keyless = (unsigned)c->v[TH_O_KEYLESS].number,
                                             .trusted = a->live->trusted,
                                             .trusted_count = c->v[TH_O_TRUSTED_PROXIES].count,
                                             .mounts = mounts + first,
                                             .mount_count =
                                                 (unsigned)(sizeof mounts / sizeof mounts[0]) - first,
                                             .metrics = s->metrics,
                                             .tls = a->live->identity,
                                             .shared = a->http_shared,
                                             .number = s->no,
                                             .place = a->shard_count > 1 ? place : NULL,
                                             .move = a->shard_count > 1 ? move : NULL,
                                             .place_ctx = s};
    int os_error = 0;
    enum th_error error;

    if (!th_live_listen(c->v[TH_O_LISTEN].text, address, sizeof address, &options.port))
        return TH_BUG;
    a->tls = options.tls != NULL;
    error = th_http_server_open(s->loop, &options, &s->server, &os_error);
    if (error)
        snprintf(a->why, sizeof a->why, "cannot listen on %s (%s): %s%s", c->v[TH_O_LISTEN].text,
                 c->v[TH_O_LISTEN].origin, strerror(os_error),
                 os_error == EADDRINUSE
                     ? "; another process has this port: stop it or choose another with --listen"
                     : "");
    return error;
}

/* Memory and loops for the other shards. */
static enum th_error make_shards(struct th_app *a)
{
    static const struct th_entropy entropy = {real_entropy, NULL};
    unsigned wanted = th_app_threads(&a->live->settings);
    uint64_t seed;

    if (wanted > a->max_in_flight)
        wanted = a->max_in_flight;
    if (a->first || wanted == 1) /* a first start is a moment's work */
        return TH_OK;
    entropy.fill(entropy.ctx, &seed, sizeof seed);
    a->places = th_places_new(wanted, seed);
    a->http_shared = th_http_shared_new(wanted);
    a->api_shared = th_api_shared_new(&entropy);
    a->others = th_calloc(wanted - 1, sizeof *a->others);
    if (!a->http_shared || !a->api_shared || !a->places || !a->others)
        return TH_NOMEM;
    a->shard_count = wanted;
    for (unsigned i = 0; i < TH_STOP_STEPS; i++)
        if (!(a->stop_steps[i] = th_calloc(wanted - 1, sizeof *a->stop_steps[i])))
            return TH_NOMEM;
    a->pings = th_calloc(wanted - 1, sizeof *a->pings);
    a->reload_asks = th_calloc(wanted - 1, sizeof *a->reload_asks);
    if (!a->pings || !a->reload_asks)
        return TH_NOMEM;
    for (unsigned i = 1; i < wanted; i++)
        if (!th_shard_init(th_app_shard(a, i), a, i, NULL))
            return TH_NOMEM;
    return TH_OK;
}

static enum th_error open_other(struct th_app *a, struct th_shard *s)
{
    enum th_error error = open_network(a, s);

    if (!error)
        error = join_engine(a, s);
    if (!error)
        error = open_api(a, s);
    if (!error)
        error = open_server(a, s);
    return error;
}

enum th_error th_app_open(struct th_app *a)
{
    const struct th_settings *c = &a->live->settings;
    struct th_base_key key;
    enum th_error error = th_datadir_make(c->v[TH_O_DATA].text, a->why, sizeof a->why);

    a->grace_ms = (unsigned)c->v[TH_O_DRAIN].number * 1000;
    share_descriptors(a);
    if (!error) /* before the store makes its file: the key belongs to the database */
        error = th_datadir_secret_key(c->v[TH_O_DATA].text, c->v[TH_O_SECRET_KEY].text, &key, a->why,
                                      sizeof a->why);
    th_wipe(&key, sizeof key);
    if (!error)
        error = make_shards(a);
    if (!error)
        error = open_inbox(a); /* its addresses are read before anything waits for the store */
    if (!error)
        error = open_store(a);
    if (a->waited_in_vain)
        return error;
    if (!error)
        error = open_network(a, &a->home);
    if (!error)
        error = open_engine(a);
    if (!error)
        error = open_api(a, &a->home);
    if (!error && !a->first && strcmp(c->v[TH_O_UI].text, "on") == 0)
        error = th_ui_new(c->v[TH_O_UI_DIR].text, (const char *const *)c->v[TH_O_PORTAL_ORIGINS].list,
                          c->v[TH_O_PORTAL_ORIGINS].count, &a->ui);
    if (!error && !a->first)
        error = open_server(a, &a->home);
    for (unsigned i = 1; !error && i < a->shard_count; i++)
        error = open_other(a, th_app_shard(a, i));
    return error;
}
