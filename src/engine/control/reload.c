/* Another set of dialects while running. Everything that is derived from a dialect is made anew first; only when all of it
 * is there does anything change, so a bad set leaves the old one in force. */
#include "base/alloc.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/control/replica.h"
#include "engine/job.h"
#include "engine/settings/blob.h"
#include "engine/settings/settings.h"
#include "engine/state.h"
#include <stdio.h>

struct prepared { /* one endpoint's new parts */
    struct th_ep *ep;
    struct th_endpoint_run *run;
    struct th_sign_key *keys[TH_MAX_SECRETS];
    unsigned key_count;
};

static bool prepare(struct th_engine *e, struct th_ep *ep, const struct th_dialect *d, struct prepared *p)
{
    struct th_tenant as_it_will_be = *ep->pub.tenant;
    struct th_endpoint then = ep->pub;
    struct th_buf plain;
    enum th_error error;
    bool ok;

    as_it_will_be.dialect = d;
    then.tenant = &as_it_will_be;
    p->ep = ep;
    ok = !th_run_new(e, &then, &ep->pub.spec, &p->run);
    th_buf_init(&plain, 4096);
    for (unsigned i = 0; ok && i < ep->pub.secret_count; i++) {
        const struct th_secret *s = &ep->pub.secrets[i];
        th_buf_reset(&plain);
        ok = th_engine_decrypt(e, ep->pub.tenant->no, ep->pub.no, s->no, s->encrypted, &plain) &&
             (p->keys[i] = th_key_make(d, th_buf_view(&plain), &error));
        p->key_count += ok;
    }
    th_buf_wipe(&plain);
    return ok;
}

static void drop(struct prepared *p)
{
    th_run_unref(p->run);
    for (unsigned i = 0; i < p->key_count; i++)
        th_key_drop(p->keys[i]);
}

static void take_over(struct th_engine *e, struct prepared *p)
{
    struct th_endpoint *pub = &p->ep->pub;

    th_settings_take(e, p->ep, p->run, pub);
    for (unsigned i = 0; i < pub->secret_count; i++) {
        th_key_drop(pub->secrets[i].key);
        pub->secrets[i].key = p->keys[i];
    }
    if (th_settings_sched(e, p->ep, false))
        th_log(TH_LOG_WARN, "an endpoint keeps its old pace until the next start: out of memory",
               TH_KS("endpoint", pub->run->id));
}

void th_engine_hold_changes(struct th_engine *e, bool hold)
{
    e->changes_held = hold;
    e->more = true;
}

bool th_engine_changing(const struct th_engine *e)
{
    return e->jobs[TH_JOB_CHANGE].busy || e->notes_out;
}

enum th_error th_engine_reload(struct th_engine *e, const struct th_engine_options *options, char *why,
                               size_t why_size)
{
    size_t total = 0, n = 0;
    struct prepared *all;
    bool ok = true, same = options->dialects == e->options.dialects;

    th_engine_tick(e);
    if (e->jobs[TH_JOB_CHANGE].busy) { /* those that wait are checked against the settings that they find */
        snprintf(why, why_size, "a change of settings is under way; try again");
        return TH_RETRY;
    }
    for (unsigned i = 0; i < e->tenant_count; i++) {
        struct th_span name = th_dialect_values(e->tenants[i]->dialect)->name;
        total += e->tenants[i]->endpoint_count;
        if (th_replica_dialect(options, name))
            continue;
        snprintf(why, why_size, "tenant \"%.*s\" has dialect \"%.*s\", which is missing from the new set",
                 (int)e->tenants[i]->id.n, e->tenants[i]->id.p, (int)name.n, name.p);
        return TH_NOT_FOUND;
    }
    if (!th_replica_dialect(options, options->default_dialect)) {
        snprintf(why, why_size, "the default dialect \"%.*s\" is missing from the new set",
                 (int)options->default_dialect.n, options->default_dialect.p);
        return TH_NOT_FOUND;
    }
    all = th_calloc(total + 1, sizeof *all);
    for (unsigned i = 0; all && ok && !same && i < e->tenant_count; i++) {
        struct th_tenant *t = e->tenants[i];
        const struct th_dialect *d = th_replica_dialect(options, th_dialect_values(t->dialect)->name);
        for (unsigned k = 0; ok && k < t->endpoint_count; k++)
            ok = prepare(e, TH_CONTAINER(t->endpoints[k], struct th_ep, pub), d, &all[n++]);
    }
    if (!all || !ok) {
        snprintf(why, why_size,
                 all ? "an endpoint's secret does not fit the new form of its dialect" : "out of memory");
        for (size_t i = 0; all && i < n; i++)
            drop(&all[i]);
        th_free(all);
        return all ? TH_INVALID : TH_NOMEM;
    }
    th_replica_options(e, options);
    th_replica_reload(e);
    for (size_t i = 0; i < n; i++) {
        take_over(e, &all[i]);
        th_replica_endpoint(e, all[i].ep, false, false);
    }
    for (unsigned i = 0; i < e->tenant_count; i++)
        th_settings_hosts(e, e->tenants[i]);
    th_free(all);
    return TH_OK;
}
