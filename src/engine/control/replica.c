/* The settings of the other engines. Home has all settings and makes all changes; every other engine has a copy of its own, so
 * that publishing and dispatch read memory that nobody else writes. After the commit of a change home sends each engine what is
 * new, as a value; the change is answered when all have said that they have it, so "after the answer no request begins under the
 * old settings" holds over all threads.
 *
 * What is large and never changes (a rendered endpoint with its texts) is counted and shared. Keys that sign and masks of
 * secrets move to the engine that owns the endpoint: only it uses them. Home keeps the encrypted texts.
 *
 * A note for which there is no memory stops the process, as all settings do that were committed and cannot be held. */
#include "engine/control/replica.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/masks.h"
#include "engine/settings/settings.h"
#include "engine/shard/clock.h"
#include "engine/shard/events.h"
#include "engine/shard/health.h"
#include "engine/shard/leave.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

enum note_kind {
    NOTE_TENANT,
    NOTE_TENANT_GONE,
    NOTE_TYPE,
    NOTE_TYPE_GONE,
    NOTE_KEY,
    NOTE_KEY_GONE,
    NOTE_ENDPOINT,
    NOTE_ENDPOINT_GONE,
    NOTE_RELOAD
};

struct note {
    struct th_mail mail;
    enum note_kind kind;
    uint64_t tenant, version, no;
    struct th_tenant *fresh; /* TENANT; the receiver's, or NULL once it has taken it */
    struct th_key *key;
    struct th_event_type *type;              /* TYPE: the receiver's, as fresh; TYPE_GONE: one of this name */
    const struct th_engine_options *options; /* RELOAD: home's; it does not change before all have answered */
    struct th_endpoint as;   /* ENDPOINT: without tenant; one count of its run, what it owns of the secrets */
    struct th_health health; /* with `whole` */
    bool reset, cleared, whole; /* cleared: the endpoint is enabled again; whole: `health` is what it is */
};

/* ---- at the receiver ---- */

static void take_tenant(struct th_engine *e, struct note *n)
{
    struct th_tenant *t = th_map_get(&e->tenants_by_no, n->tenant);
    enum th_error error;

    if (!t) {
        n->fresh->version = n->version;
        error = th_settings_add_tenant(e, n->fresh);
    } else {
        error = th_tenant_replace(e, t, n->fresh);
        th_events_forget(e, t);
        if (!error)
            th_settings_hosts(e, t);
    }
    if (error)
        th_engine_store_error(e, TH_BUG);
    else
        n->fresh = NULL;
}

static void take_type(struct th_engine *e, struct note *n)
{
    struct th_tenant *t = th_map_get(&e->tenants_by_no, n->tenant);

    if (!t)
        return;
    if (n->kind == NOTE_TYPE_GONE) {
        th_catalogue_del(t, n->type->name);
    } else if (th_catalogue_put(t, n->type)) {
        th_engine_store_error(e, TH_BUG);
    } else {
        n->type = NULL;
    }
}

static void take_key(struct th_engine *e, struct note *n)
{
    n->key->tenant = n->tenant ? th_map_get(&e->tenants_by_no, n->tenant) : NULL;
    if (th_settings_add_key(e, n->key))
        th_engine_store_error(e, TH_BUG);
    else
        n->key = NULL;
}

const struct th_dialect *th_replica_dialect(const struct th_engine_options *options, struct th_span name)
{
    for (unsigned i = 0; i < options->dialect_count; i++)
        if (th_span_eq(th_dialect_values(options->dialects[i])->name, name))
            return options->dialects[i];
    return NULL;
}

void th_replica_options(struct th_engine *e, const struct th_engine_options *options)
{
    for (unsigned i = 0; i < e->tenant_count; i++)
        e->tenants[i]->dialect = th_replica_dialect(options, th_dialect_values(e->tenants[i]->dialect)->name);
    e->options.dialects = options->dialects;
    e->options.dialect_count = options->dialect_count;
    e->options.default_dialect = options->default_dialect;
    e->options.guard = options->guard;
    e->options.retention_ms = options->retention_ms;
    e->options.limits = options->limits;
    e->options.warn_percent = options->warn_percent;
    e->options.validate = options->validate;
    if (!th_is_home(e)) /* there it is done when all endpoints are made anew */
        for (unsigned i = 0; i < e->tenant_count; i++)
            th_settings_hosts(e, e->tenants[i]);
    th_events_forget(e, NULL);
}

/* What the endpoint signs with from now on: keys and masks that came with the note, and those it has already. */
static void take_secrets(struct th_engine *e, struct th_ep *ep, struct note *n)
{
    struct th_secret old[TH_MAX_SECRETS];
    unsigned had = ep->pub.secret_count;

    memcpy(old, ep->pub.secrets, sizeof old);
    ep->pub.secret_count = n->as.secret_count;
    for (unsigned i = 0; i < n->as.secret_count; i++) {
        struct th_secret *s = &ep->pub.secrets[i];

        *s = n->as.secrets[i];
        for (unsigned k = 0; k < had; k++) {
            if (old[k].no != s->no)
                continue;
            if (!s->key) {
                s->key = old[k].key;
                old[k].key = NULL;
            }
            if (!s->mask) {
                s->mask = old[k].mask;
                old[k].mask = NULL;
            }
        }
    }
    n->as.secret_count = 0;
    for (unsigned k = 0; k < had; k++) {
        if (old[k].mask)
            th_mask_keep(ep, &old[k], e->now.wall.ms);
        th_key_drop(old[k].key);
    }
}

static struct th_ep *new_endpoint(struct th_engine *e, struct note *n)
{
    struct th_ep *ep = th_ep_new(e, th_map_get(&e->tenants_by_no, n->tenant), n->no);

    if (!ep)
        return NULL;
    ep->pub.created = n->as.created;
    ep->pub.rnd = n->as.rnd;
    return ep;
}

static void take_endpoint(struct th_engine *e, struct note *n)
{
    struct th_ep *ep = th_map_get(&e->endpoints, n->no);
    bool fresh = !ep, mine = th_is_mine(e, n->no);

    if (fresh && !(ep = new_endpoint(e, n))) {
        th_engine_store_error(e, TH_BUG);
        return;
    }
    th_settings_take(e, ep, n->as.run, &n->as);
    n->as.run = NULL;
    ep->pub.no_consent = n->as.no_consent;
    if (mine)
        take_secrets(e, ep, n);
    if (n->whole)
        ep->pub.health = n->health;
    if (n->cleared && mine) {
        ep->pub.health.first_fail = ep->pub.health.exhausted_run = 0;
        th_health_touch(e, ep);
    }
    if (fresh ? th_settings_add_endpoint(e, ep) : th_settings_sched(e, ep, n->reset)) {
        th_engine_store_error(e, TH_BUG);
        if (fresh)
            th_ep_unref(e, ep);
        return;
    }
    if (mine && n->reset)
        th_health_rest_forget(e, ep);
    if (mine && n->whole) {
        th_health_rest_resume(e, ep);
        th_sched_endpoint_known(e->sched, n->no, n->health.first_fail, n->health.last_ok, e->now.wall.ms);
    }
}

static void take(struct th_engine *e, struct note *n)
{
    struct th_tenant *t;
    struct th_key *k;
    struct th_ep *ep;

    switch (n->kind) {
    case NOTE_TENANT:
        take_tenant(e, n);
        break;
    case NOTE_TENANT_GONE:
        t = th_map_get(&e->tenants_by_no, n->tenant);
        if (t)
            th_leave_tenant(e, t);
        break;
    case NOTE_TYPE:
    case NOTE_TYPE_GONE:
        take_type(e, n);
        break;
    case NOTE_KEY:
        take_key(e, n);
        break;
    case NOTE_KEY_GONE:
        k = th_settings_key(e, n->no);
        if (k)
            th_settings_remove_key(e, k);
        break;
    case NOTE_ENDPOINT:
        take_endpoint(e, n);
        break;
    case NOTE_ENDPOINT_GONE:
        ep = th_map_get(&e->endpoints, n->no);
        if (ep)
            th_leave_endpoint(e, ep);
        break;
    case NOTE_RELOAD:
        th_replica_options(e, n->options);
        break;
    }
    t = n->tenant ? th_map_get(&e->tenants_by_no, n->tenant) : NULL;
    if (t && n->version)
        t->version = n->version;
    e->settings_moved = true;
}

/* ---- at home ---- */

static void free_note(struct note *n)
{
    th_tenant_drop(n->fresh);
    th_event_type_unref(n->type);
    th_free(n->key);
    th_run_unref(n->as.run);
    for (unsigned i = 0; i < n->as.secret_count; i++) {
        th_key_drop(n->as.secrets[i].key);
        th_mask_free(n->as.secrets[i].mask);
    }
    th_free(n);
}

static void has_it(struct th_engine *home, struct th_mail *m)
{
    free_note(TH_CONTAINER(m, struct note, mail));
    TH_CHECK(home->notes_out);
    if (--home->notes_out == 0)
        home->more = true; /* a change may wait for it */
}

static void arrived(struct th_engine *e, struct th_mail *m)
{
    take(e, TH_CONTAINER(m, struct note, mail));
    th_mail_send(e, 0, m, has_it);
}

static struct note *new_note(enum note_kind kind, const struct th_tenant *t, uint64_t no)
{
    struct note *n = th_calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->kind = kind;
    n->tenant = t ? t->no : 0;
    n->version = t ? t->version : 0;
    n->no = no;
    return n;
}

static void tell(struct th_engine *home, unsigned to, struct note *n)
{
    if (!n) {
        th_engine_store_error(home, TH_BUG);
        return;
    }
    home->notes_out++;
    th_mail_send(home, to, &n->mail, arrived);
}

static struct note *tenant_note(struct th_engine *home, const struct th_tenant *t)
{
    struct note *n = new_note(NOTE_TENANT, t, t->no);

    if (!n || th_tenant_new(home, t->no, t->id, t->name, th_dialect_values(t->dialect)->name, t->attributes,
                            &n->fresh)) {
        th_free(n);
        return NULL;
    }
    n->fresh->limits = t->limits;
    n->fresh->retention_s = t->retention_s;
    n->fresh->rev = t->rev;
    n->fresh->version = t->version;
    n->fresh->created = t->created;
    n->fresh->updated = t->updated;
    return n;
}

static struct note *type_note(enum note_kind kind, const struct th_tenant *t, struct th_event_type *type)
{
    struct note *n = new_note(kind, t, t->no);

    if (n) {
        th_ref_get(&type->refs);
        n->type = type;
    }
    return n;
}

static struct note *key_note(const struct th_key *k)
{
    struct note *n = new_note(NOTE_KEY, k->tenant, k->no);

    if (!n || !(n->key = th_malloc(sizeof *k + k->note.n))) {
        th_free(n);
        return NULL;
    }
    *n->key = *k;
    if (k->note.n)
        memcpy((char *)(n->key + 1), k->note.p, k->note.n);
    n->key->note = th_span(n->key + 1, k->note.n);
    return n;
}

static struct note *endpoint_note(struct th_ep *ep, bool owner)
{
    struct note *n = new_note(NOTE_ENDPOINT, ep->pub.tenant, ep->pub.no);

    if (!n)
        return NULL;
    n->as = ep->pub;
    n->as.tenant = NULL;
    n->as.run = th_run_ref(ep->pub.run);
    n->as.secret_count = owner ? ep->pub.secret_count : 0;
    for (unsigned i = 0; i < n->as.secret_count; i++) {
        n->as.secrets[i].encrypted = (struct th_span){0}; /* home keeps it */
        ep->pub.secrets[i].key = NULL;                    /* moved */
        ep->pub.secrets[i].mask = NULL;
    }
    return n;
}

/* The engines 1 to here, exclusive, have copies. */
static unsigned copies(const struct th_engine *home)
{
    return home->joined ? home->options.shards : 1;
}

void th_replica_tenant(struct th_engine *home, const struct th_tenant *t)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, tenant_note(home, t));
}

void th_replica_tenant_gone(struct th_engine *home, const struct th_tenant *t)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, new_note(NOTE_TENANT_GONE, t, t->no));
}

void th_replica_type(struct th_engine *home, const struct th_tenant *t, struct th_event_type *type, bool gone)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, type_note(gone ? NOTE_TYPE_GONE : NOTE_TYPE, t, type));
}

void th_replica_key(struct th_engine *home, const struct th_key *k)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, key_note(k));
}

void th_replica_key_gone(struct th_engine *home, const struct th_key *k)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, new_note(NOTE_KEY_GONE, k->tenant, k->no));
}

void th_replica_endpoint(struct th_engine *home, struct th_ep *ep, bool reset, bool cleared)
{
    for (unsigned to = 1; to < copies(home); to++) {
        struct note *n = endpoint_note(ep, to == th_owner(home, ep->pub.no));
        if (n) {
            n->reset = reset;
            n->cleared = cleared;
        }
        tell(home, to, n);
    }
}

void th_replica_endpoint_gone(struct th_engine *home, const struct th_tenant *t, uint64_t no)
{
    for (unsigned to = 1; to < copies(home); to++)
        tell(home, to, new_note(NOTE_ENDPOINT_GONE, t, no));
}

void th_replica_reload(struct th_engine *home)
{
    for (unsigned to = 1; to < copies(home); to++) {
        struct note *n = new_note(NOTE_RELOAD, NULL, 0);
        if (n)
            n->options = &home->options;
        tell(home, to, n);
    }
}

/* ---- the start: no thread runs yet ---- */

static enum th_error give(struct th_engine *e, struct note *n)
{
    if (!n)
        return TH_NOMEM;
    take(e, n);
    free_note(n);
    return e->dead ? TH_NOMEM : TH_OK;
}

enum th_error th_engine_join(struct th_engine *e, struct th_engine *home)
{
    enum th_error error = TH_OK;

    th_engine_tick(e);
    memcpy(e->id_key, home->id_key, sizeof e->id_key);
    memcpy(e->plain, home->plain, sizeof e->plain);
    e->walk_below = home->walk_below;
    for (unsigned i = 0; !error && i < home->tenant_count; i++) {
        const struct th_tenant *t = home->tenants[i];
        error = give(e, tenant_note(home, t));
        for (unsigned k = 0; !error && k < t->catalogue.count; k++)
            error = give(e, type_note(NOTE_TYPE, t, t->catalogue.types[k]));
        for (unsigned k = 0; !error && k < t->endpoint_count; k++) {
            struct th_ep *ep = TH_CONTAINER(t->endpoints[k], struct th_ep, pub);
            struct note *n = endpoint_note(ep, th_is_mine(e, ep->pub.no));
            if (n) {
                n->health = ep->pub.health;
                n->whole = true;
            }
            error = give(e, n);
        }
    }
    for (unsigned i = 0; !error && i < home->key_count; i++)
        error = give(e, key_note(home->keys[i]));
    if (error)
        return error;
    e->store_ok = e->started = true;
    e->health_flushed = e->now.mono;
    th_clock_begin(e);
    th_queue_walk(e);
    home->joined = true;
    return TH_OK;
}
