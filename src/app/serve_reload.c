/* Reads the configuration again while the server runs. */
#include "app/notify.h"
#include "app/serve_parts.h"
#include "base/alloc.h"
#include "base/log.h"
#include "net/tls_server.h"
#include <stdio.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same(const struct th_value *a, const struct th_value *b)
{
    bool equal = same_text(a->text, b->text) && a->count == b->count;

    for (unsigned i = 0; equal && i < a->count; i++)
        equal = a->list ? same_text(a->list[i], b->list[i])
                        : same_text(a->map[i].name, b->map[i].name) &&
                              same_text(a->map[i].value, b->map[i].value);
    return equal;
}

/* Names of the options whose values have changed, so that the log shows later since when, for example, a
 * network is allowed. */
static void changed(const struct th_settings *old, const struct th_settings *new, char *out, size_t size)
{
    size_t n = 0;

    out[0] = 0;
    for (unsigned i = 0; i < TH_O_COUNT && n < size; i++)
        if (!same(&old->v[i], &new->v[i]))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "",
                                  th_options[i].key ? th_options[i].key : th_options[i].env);
}

/* Options that a running server cannot change are named, so that nobody believes they are in force. */
static void warn_unchanged(const struct th_settings *old, const struct th_settings *new)
{
    static const enum th_option_id fixed[] = {TH_O_LISTEN,
                                              TH_O_DATA,
                                              TH_O_ENVIRONMENT,
                                              TH_O_ADMIN_KEY,
                                              TH_O_SECRET_KEY,
                                              TH_O_SECRET_KEY_OLD,
                                              TH_O_CA_FILE,
                                              TH_O_BIND,
                                              TH_O_SOURCES,
                                              TH_O_DNS,
                                              TH_O_PROXY,
                                              TH_O_PROXY_CREDENTIALS,
                                              TH_O_MAX_IN_FLIGHT,
                                              TH_O_MAX_PENDING,
                                              TH_O_MAX_CONNECTIONS,
                                              TH_O_THREADS,
                                              TH_O_KEYLESS,
                                              TH_O_MAX_BODY,
                                              TH_O_CONSENT_ORIGIN,
                                              TH_O_CONSENT,
                                              TH_O_UI,
                                              TH_O_UI_DIR,
                                              TH_O_STORE,
                                              TH_O_STORE_PASSWORD,
                                              TH_O_STORE_STATEMENTS,
                                              TH_O_STORE_LEASE,
                                              TH_O_INBOX_SOURCES,
                                              TH_O_PORTAL_ORIGINS,
                                              TH_O_PORTAL_URL,
                                              TH_O_TRACES_ENDPOINT,
                                              TH_O_TRACES_HEADERS,
                                              TH_O_TRACES_RATIO,
                                              TH_O_TRACES_PASS_ON};

    for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!same(&old->v[fixed[i]], &new->v[fixed[i]]))
            th_log(TH_LOG_WARN, "this option is in force only after a restart",
                   TH_KC("option", th_options[fixed[i]].env));
}

/* Gives a shard's server and API their part of the configuration. On its thread. */
static void take_over(struct th_shard *s)
{
    struct th_app *a = s->app;
    struct th_live *l = a->live;
    struct th_api_options api = th_app_api_options(a, s);

    if (a->tls && l->identity)
        th_http_server_identity(s->server, l->identity);
    th_api_reload(s->api, &api);
    th_http_server_trust(s->server, l->trusted, l->settings.v[TH_O_TRUSTED_PROXIES].count);
}

static void has_taken(struct th_shard *home, struct th_errand *e)
{
    (void)e;
    home->app->reloads_out--;
}

static void take_over_there(struct th_shard *s, struct th_errand *e)
{
    take_over(s);
    th_shard_ask(&s->app->home, e, has_taken);
}

static void reload(struct th_app *a)
{
    struct th_engine_options options = *th_engine_options(a->home.engine);
    struct th_live *l, *old;
    enum th_error error;

    error = th_live_new(a->argc, a->argv, &l, a->why, sizeof a->why);
    if (!error) {
        th_live_borrow(l, a->live);
        options.dialects = l->dialects.v;
        options.dialect_count = l->dialects.count;
        options.default_dialect = th_str(l->settings.v[TH_O_DEFAULT_DIALECT].text);
        l->guard.allow_loopback = th_live_first(a->live)->guard.allow_loopback; /* the environment's */
        options.guard = &l->guard;
        options.retention_ms = l->settings.v[TH_O_RETENTION].number * 1000;
        options.limits = th_live_limits(&l->settings);
        options.warn_percent = (unsigned)l->settings.v[TH_O_LIMIT_WARNING].number;
        (void)th_validate_read(th_str(l->settings.v[TH_O_VALIDATE].text), &options.validate);
        error = th_engine_reload(a->home.engine, &options, a->why, sizeof a->why);
        if (error)
            th_live_free(l);
    }
    if (error) {
        th_log(TH_LOG_ERROR, "reload refused; the old configuration stays in force", TH_KC("why", a->why));
        return;
    }
    warn_unchanged(&th_live_first(a->live)->settings, &l->settings);
    changed(&a->live->settings, &l->settings, a->reload_names, sizeof a->reload_names);
    old = a->live;
    a->live = l;
    th_live_log(&l->settings);
    th_live_warn(l);
    if (a->tls != (l->identity != NULL))
        th_log(TH_LOG_WARN, "the API begins or ends to speak TLS only after a restart");
    a->replacing = old;
    take_over(&a->home);
    for (unsigned i = 0; i + 1 < a->shard_count; i++) {
        a->reloads_out++;
        th_shard_ask(&a->others[i], &a->reload_asks[i], take_over_there);
    }
}

/* Every shard has the new one: nothing points to the old one any more. */
static void let_go(struct th_app *a)
{
    struct th_live *old = a->replacing;

    a->replacing = NULL;
    if (a->tls && a->live->identity) {
        th_tls_identity_unref(old->identity); /* connections keep theirs */
        old->identity = NULL;
    }
    th_live_replace(a->live, old);
    th_log(TH_LOG_INFO, "configuration reloaded", TH_KI("dialects", a->live->dialects.count),
           TH_KC("changed", a->reload_names));
}

void th_app_ask_reload(struct th_app *a)
{
    if (!a->reloads)
        th_notify_reloading();
    a->reloads_again = a->replacing != NULL; /* that one was read before */
    a->reloads = true;
    th_engine_hold_changes(a->home.engine, true);
    uv_async_send(&a->home.wake);
}

/* Two turns or more: the new configuration is taken over when no change of settings is under way, and the old one is let go when
 * all shards have the new one; until then no change begins. */
void th_app_reload_turn(struct th_app *a)
{
    bool busy = th_engine_changing(a->home.engine) && !a->stopping;

    if (!a->reloads || busy || a->reloads_out)
        return;
    if (!a->replacing && !a->stopping) {
        reload(a);
        if (a->replacing && (a->reloads_out || th_engine_changing(a->home.engine)))
            return;
    }
    if (a->replacing)
        let_go(a);
    a->reloads = a->reloads_again && !a->stopping;
    a->reloads_again = false;
    if (a->reloads) {
        uv_async_send(&a->home.wake);
        return;
    }
    if (!a->stopping && a->announced)
        th_notify("READY=1");
    th_engine_hold_changes(a->home.engine, false);
    uv_async_send(&a->home.wake);
}
