/* Settings in memory: tenants, keys, endpoints with their secrets. They are loaded once at start, then
 * changed only after the commit of the change (change.c), so everything here is durable.
 *
 * Ownership: tenants live until the engine is freed (LIMIT: a deleted tenant keeps a few hundred bytes until the next
 * start; requests under way may still point to it). Endpoints and their runs are counted. */
#include "engine/settings/settings.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/map.h"
#include "base/ref.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/consent.h"
#include "engine/settings/filters.h"
#include "engine/settings/limits.h"
#include "engine/settings/masks.h"
#include "engine/settings/texts.h"
#include "engine/state.h"

struct tenant_block { /* a tenant with its own memory */
    struct th_tenant pub;
    struct th_arena mem;
};

bool th_ep_held(const struct th_endpoint *ep)
{
    return !ep->spec.active || ep->disabled_at.ms != 0 || ep->no_consent;
}

/* ---- tenants ---- */

enum th_error th_tenant_new(struct th_engine *e, uint64_t no, struct th_span id, struct th_span name,
                            struct th_span dialect, struct th_span attributes, struct th_tenant **out)
{
    struct tenant_block *b = th_calloc(1, sizeof *b);

    if (!b)
        return TH_NOMEM;
    th_arena_init(&b->mem, 1u << 20);
    th_limits_open(&b->pub.limits);
    b->pub.no = no;
    b->pub.dialect = th_engine_dialect(e, dialect);
    if (!b->pub.dialect) {
        th_free(b);
        return TH_NOT_FOUND;
    }
    if (!th_arena_copy(&b->mem, id, &b->pub.id) || !th_arena_copy(&b->mem, name, &b->pub.name) ||
        !th_arena_copy(&b->mem, attributes.n ? attributes : TH_LIT("{}"), &b->pub.attributes)) {
        th_arena_fini(&b->mem);
        th_free(b);
        return TH_NOMEM;
    }
    *out = &b->pub;
    return TH_OK;
}

static void tenant_free(struct th_tenant *t)
{
    struct tenant_block *b = TH_CONTAINER(t, struct tenant_block, pub);

    th_filters_free(t);
    th_catalogue_free(t);
    th_free(t->endpoints);
    th_arena_fini(&b->mem);
    th_free(b);
}

enum th_error th_settings_add_tenant(struct th_engine *e, struct th_tenant *t)
{
    if (e->tenant_count == e->tenant_cap) {
        unsigned cap = e->tenant_cap ? e->tenant_cap * 2 : 8;
        struct th_tenant **v = th_realloc(e->tenants, cap * sizeof *v);
        if (!v)
            return TH_NOMEM;
        e->tenants = v;
        e->tenant_cap = cap;
    }
    if (th_map_put(&e->tenants_by_no, t->no, t))
        return TH_NOMEM;
    if (th_smap_put(&e->tenants_by_id, t->id, t)) {
        th_map_del(&e->tenants_by_no, t->no);
        return TH_NOMEM;
    }
    e->tenants[e->tenant_count++] = t;
    if (t->no > e->last_tenant)
        e->last_tenant = t->no;
    if (th_is_home(e))
        th_gauge_add(e->options.metrics, TH_G_TENANTS, 1);
    return TH_OK;
}

/* Passes through all tenants go by their places, and the ones behind move up. */
static void move_passes(struct th_engine *e, unsigned place)
{
    struct th_sunset *s = &e->sunset;

    if (e->certificates_tenant > place)
        e->certificates_tenant--;
    if (s->tenant > place)
        s->tenant--;
    else if (s->tenant == place)
        s->at = 0;
}

void th_settings_remove_tenant(struct th_engine *e, struct th_tenant *t)
{
    /* stays in tenants_by_no so that its memory is found at the end; no look-up by id or list shows it */
    t->deleting = true;
    th_smap_del(&e->tenants_by_id, t->id);
    for (unsigned i = 0; i < e->tenant_count; i++) {
        if (e->tenants[i] != t)
            continue;
        memmove(e->tenants + i, e->tenants + i + 1, (e->tenant_count - i - 1) * sizeof *e->tenants);
        e->tenant_count--;
        move_passes(e, i);
        if (th_is_home(e))
            th_gauge_add(e->options.metrics, TH_G_TENANTS, -1);
        break;
    }
}

struct th_tenant *th_engine_tenant(struct th_engine *e, struct th_span id)
{
    return th_smap_get(&e->tenants_by_id, id);
}

struct th_tenant *th_engine_tenant_no(struct th_engine *e, uint64_t no)
{
    return th_map_get(&e->tenants_by_no, no);
}

struct th_tenant *const *th_engine_tenants(struct th_engine *e, unsigned *count)
{
    *count = e->tenant_count;
    return e->tenants;
}

const struct th_source *th_engine_source(const struct th_engine *e, struct th_span name)
{
    for (unsigned i = 0; i < e->options.source_count; i++)
        if (th_span_eq(e->options.sources[i].name, name))
            return &e->options.sources[i];
    return NULL;
}

const struct th_dialect *th_engine_dialect(struct th_engine *e, struct th_span name)
{
    for (unsigned i = 0; i < e->options.dialect_count; i++)
        if (th_span_eq(th_dialect_values(e->options.dialects[i])->name, name))
            return e->options.dialects[i];
    return NULL;
}

/* ---- keys ---- */

unsigned th_role_scopes(enum th_role role)
{
    unsigned read = TH_SCOPE_READ | TH_SCOPE_ANSWERS;

    return role >= TH_ROLE_ADMIN ? read | TH_SCOPE_PUBLISH | TH_SCOPE_MANAGE : role ? read : 0;
}

enum th_error th_settings_add_key(struct th_engine *e, struct th_key *k)
{
    if (e->key_count == e->key_cap) {
        unsigned cap = e->key_cap ? e->key_cap * 2 : 8;
        struct th_key **v = th_realloc(e->keys, cap * sizeof *v);
        if (!v)
            return TH_NOMEM;
        e->keys = v;
        e->key_cap = cap;
    }
    if (th_smap_put(&e->keys_by_hash, th_span(k->hash, sizeof k->hash), k))
        return TH_NOMEM;
    e->keys[e->key_count++] = k;
    if (k->tenant)
        k->tenant->key_count++;
    if (k->no > e->last_key)
        e->last_key = k->no;
    return TH_OK;
}

void th_settings_remove_key(struct th_engine *e, struct th_key *k)
{
    th_smap_del(&e->keys_by_hash, th_span(k->hash, sizeof k->hash));
    if (k->tenant)
        k->tenant->key_count--;
    for (unsigned i = 0; i < e->key_count; i++) {
        if (e->keys[i] != k)
            continue;
        memmove(e->keys + i, e->keys + i + 1, (e->key_count - i - 1) * sizeof *e->keys);
        e->key_count--;
        break;
    }
    th_free(k);
}

struct th_key *th_settings_key(struct th_engine *e, uint64_t no)
{
    for (unsigned i = 0; i < e->key_count; i++)
        if (e->keys[i]->no == no)
            return e->keys[i];
    return NULL;
}

struct th_key *th_engine_key(struct th_engine *e, const uint8_t hash[32])
{
    struct th_key *k = th_smap_get(&e->keys_by_hash, th_span(hash, 32));

    th_engine_tick(e); /* a request comes between turns, and its key may have expired since the last */
    if (!k || (k->expires && k->expires <= e->now.wall.ms) || (k->tenant && k->tenant->deleting))
        return NULL;
    return k;
}

struct th_key *th_engine_key_below(struct th_engine *e, const struct th_tenant *t, unsigned *at)
{
    unsigned i = *at < e->key_count ? *at : e->key_count;

    while (i-- > 0)
        if (e->keys[i]->tenant == t && e->keys[i]->role != TH_ROLE_ROOT) {
            *at = i;
            return e->keys[i];
        }
    return NULL;
}

/* ---- endpoints ---- */

struct th_ep *th_ep_new(struct th_engine *e, struct th_tenant *t, uint64_t no)
{
    struct th_ep *ep = th_calloc(1, sizeof *ep);

    (void)e;
    if (!ep)
        return NULL;
    ep->refs = 1;
    ep->pub.no = no;
    ep->pub.tenant = t;
    th_list_init(&ep->dirty);
    return ep;
}

void th_run_unref(struct th_endpoint_run *run)
{
    if (!run || !th_ref_put(&run->refs))
        return;
    th_mask_free(run->mask);
    th_arena_wipe(&run->mem); /* values of custom headers, and a URL that may be a secret */
    th_arena_fini(&run->text);
    th_free(run);
}

void th_token_unref(struct th_token *token)
{
    if (!token || --token->refs)
        return;
    th_mask_free(token->mask);
    th_arena_wipe(&token->mem);
    th_run_unref(token->run);
    th_free(token);
}

struct th_sign_key *th_key_make(const struct th_dialect *d, struct th_span secret, enum th_error *error)
{
    struct th_sign_key *key = th_calloc(1, sizeof *key);

    *error = key ? th_dialect_key_init(d, secret, key) : TH_NOMEM;
    if (*error) {
        th_key_drop(key);
        return NULL;
    }
    return key;
}

void th_key_drop(struct th_sign_key *key)
{
    if (!key)
        return;
    th_dialect_key_fini(key);
    th_free(key);
}

static void ep_free(struct th_ep *ep)
{
    th_masks_free(ep);
    th_free(ep->filed);
    for (unsigned i = 0; i < ep->pub.secret_count; i++) {
        th_key_drop(ep->pub.secrets[i].key);
        th_free((char *)ep->pub.secrets[i].encrypted.p);
    }
    th_token_unref(ep->token);
    th_run_unref(ep->pub.run);
    th_free(ep);
}

/* Giving memory back takes longer than all other work of a deletion; for a tenant with thousands of endpoints
 * it takes several turns. */
void th_ep_unref(struct th_engine *e, struct th_ep *ep)
{
    TH_CHECK(ep->refs);
    if (--ep->refs)
        return;
    th_list_remove(&ep->dirty);
    th_list_append(&e->graves, &ep->dirty);
    e->more = true;
}

struct th_mono th_graves_wanted(const struct th_engine *e)
{
    return th_list_empty(&e->graves) ? TH_MONO_NEVER : e->now.mono;
}

void th_graves_begin(struct th_engine *e)
{
    struct th_list *l;

    while (!th_list_empty(&e->graves)) {
        for (unsigned i = 0; i < 16 && (l = th_list_pop(&e->graves)); i++)
            ep_free(TH_CONTAINER(l, struct th_ep, dirty));
        if (!th_list_empty(&e->graves) && th_engine_turn_over(e, TH_TURN_DISPATCH_US)) {
            e->more = true;
            return;
        }
    }
}

enum th_error th_run_new(struct th_engine *e, const struct th_endpoint *ep,
                         const struct th_endpoint_spec *spec, struct th_endpoint_run **out)
{
    const struct th_dialect_values *v = th_dialect_values(ep->tenant->dialect);
    struct th_endpoint_run *run = th_calloc(1, sizeof *run);
    struct th_buf id;
    struct th_url url;
    const char *why;
    enum th_error error;

    if (!run)
        return TH_NOMEM;
    th_ref_init(&run->refs);
    run->rev = ep->rev;
    error = th_url_parse(spec->url, &url, &why);
    if (error)
        goto err;
    error = th_texts_copy(e, run, spec, &url, ep->run);
    if (!error)
        error = th_mask_run(e, run);
    if (error)
        goto err;
    for (unsigned i = 0; i < v->variant_count; i++)
        if (th_span_eq(v->variants[i], run->spec.variant))
            run->variant = i;
    th_buf_init(&id, 128);
    th_engine_endpoint_id(e, ep, &id);
    if (id.failed || !th_arena_copy(&run->mem, th_buf_view(&id), &run->id))
        error = TH_NOMEM;
    th_buf_fini(&id);
    if (error)
        goto err;
    *out = run;
    return TH_OK;
err:
    th_run_unref(run);
    return error;
}

/* Counts the endpoint in the gauge of its state, and no longer in that of the state before. */
static void count_endpoint(struct th_engine *e, struct th_ep *ep)
{
    unsigned state = ep->gone                                     ? 0
                     : ep->pub.disabled_at.ms                     ? TH_G_ENDPOINTS_OFF + 1
                     : !ep->pub.spec.active || ep->pub.no_consent ? TH_G_ENDPOINTS_PAUSED + 1
                                                                  : TH_G_ENDPOINTS_ACTIVE + 1;

    if (state == ep->counted || !th_is_home(e))
        return;
    if (ep->counted)
        th_gauge_add(e->options.metrics, (enum th_gauge)(ep->counted - 1), -1);
    if (state)
        th_gauge_add(e->options.metrics, (enum th_gauge)(state - 1), 1);
    ep->counted = state;
}

/* One number for a host name of a tenant, whatever the port; 0 only by chance, and then without limits. On this machine, which no
 * third party owns, each port is a service of its own: one that is silent does not hold up another. */
static uint64_t host_number(const struct th_engine *e, const struct th_ep *ep)
{
    const struct th_run_url *url = &ep->pub.run->url;
    bool own = url->literal ? th_addr_loopback(&url->addr) : th_span_is(url->host, "localhost");
    uint64_t seed = e->place_seed ^ ep->pub.tenant->no * 0x9e3779b97f4a7c15u;

    return th_hash(url->host, own ? seed + url->port : seed);
}

void th_settings_hosts(struct th_engine *e, struct th_tenant *t)
{
    for (unsigned i = 0; i < t->endpoint_count; i++)
        if (th_settings_sched(e, TH_CONTAINER(t->endpoints[i], struct th_ep, pub), false))
            th_log(TH_LOG_WARN, "an endpoint keeps its old pace until the next start: out of memory",
                   TH_KS("endpoint", t->endpoints[i]->run->id));
}

/* A node that had the endpoint before, and is dead or does not know that its lease has ended, has begun its last request before the end
 * of the lease. It may be under way until its time is up. */
static void wait_for_others(struct th_engine *e, const struct th_ep *ep)
{
    int64_t fenced_ms = th_store_fenced_ms(e->options.store, th_slot_of(ep->pub.no));
    int64_t left_ms = (int64_t)th_ep_timeout_ms(ep->pub.tenant, ep->pub.run) - fenced_ms;

    if (fenced_ms >= 0 && left_ms > 0)
        th_sched_hold_lines(e->sched, ep->pub.no, (struct th_mono){e->now.mono.us + left_ms * 1000},
                            e->now.mono);
}

/* Tells the scheduler the endpoint's present settings. */
enum th_error th_settings_sched(struct th_engine *e, struct th_ep *ep, bool reset)
{
    const struct th_tenant *t = ep->pub.tenant;
    enum th_error error = th_is_home(e) ? th_consent_judge(e, ep) : TH_OK;
    double pace = ep->pub.spec.rate_per_s;
    struct th_sched_endpoint settings = {
        .no = ep->pub.no,
        .tenant = t->no,
        .max_in_flight = ep->pub.spec.max_in_flight,
        .rate_per_s = th_consent_wanted(e, t) ? th_consent_pace(&ep->pub, pace) : pace,
        .host = host_number(e, ep),
        .host_in_flight = (uint32_t)th_engine_allowed(e, t, TH_L_HOST_REQUESTS),
        .host_rate_per_s = (double)th_engine_allowed(e, t, TH_L_HOST_RATE),
        .address_in_flight = (uint32_t)th_engine_allowed(e, t, TH_L_ADDRESS_REQUESTS),
        .held = th_ep_held(&ep->pub),
        .shut = ep->pub.no_consent,
        .reset = reset,
        .ordered = ep->pub.spec.ordering.by != TH_ORDER_NONE,
        .one_line = ep->pub.spec.ordering.by == TH_ORDER_ALL,
        .max_wait_us = (int64_t)ep->pub.spec.ordering.max_wait_s * 1000000,
        .from_before = !e->started || e->entering};

    if (reset)
        ep->trouble = (struct th_trouble){.told = 0};
    if (!error && th_is_mine(e, ep->pub.no))
        error = th_sched_endpoint_put(e->sched, &settings, e->now.mono);
    if (!error && th_is_mine(e, ep->pub.no) && settings.from_before)
        wait_for_others(e, ep);
    if (!error)
        count_endpoint(e, ep);
    return error;
}

enum th_error th_settings_add_endpoint(struct th_engine *e, struct th_ep *ep)
{
    struct th_tenant *t = ep->pub.tenant;

    if (t->endpoint_count == t->endpoint_cap) {
        unsigned cap = t->endpoint_cap ? t->endpoint_cap * 2 : 4;
        struct th_endpoint **v = th_realloc(t->endpoints, cap * sizeof *v);
        if (!v)
            return TH_NOMEM;
        t->endpoints = v;
        t->endpoint_cap = cap;
    }
    if (!th_filters_room(t) || th_map_put(&e->endpoints, ep->pub.no, ep))
        return TH_NOMEM;
    if (th_settings_sched(e, ep, false)) {
        th_heap_remove(&e->to_ask, &ep->ask_at);
        th_map_del(&e->endpoints, ep->pub.no);
        return TH_NOMEM;
    }
    t->endpoints[t->endpoint_count++] = &ep->pub;
    e->certificates_changed = e->certificates_changed || th_reach_tls(ep->pub.spec.reach);
    ep->listed = true;
    th_filters_file(e, ep);
    if (ep->pub.no > e->last_endpoint)
        e->last_endpoint = ep->pub.no;
    return TH_OK;
}

void th_settings_endpoint_gone(struct th_ep *ep)
{
    th_list_remove(&ep->dirty);
    ep->health_dirty = false;
    ep->gone = true;
}

void th_settings_remove_endpoint(struct th_engine *e, struct th_ep *ep)
{
    struct th_tenant *t = ep->pub.tenant;

    th_filters_unfile(ep);
    ep->listed = false;
    for (unsigned i = t->endpoint_count; i-- > 0;) {
        if (t->endpoints[i] != &ep->pub)
            continue;
        memmove(t->endpoints + i, t->endpoints + i + 1, (t->endpoint_count - i - 1) * sizeof *t->endpoints);
        t->endpoint_count--;
        break;
    }
    th_map_del(&e->endpoints, ep->pub.no);
    if (th_is_mine(e, ep->pub.no))
        th_sched_endpoint_del(e->sched, ep->pub.no);
    th_settings_endpoint_gone(ep);
    th_heap_remove(&e->to_ask, &ep->ask_at);
    count_endpoint(e, ep);
    th_ep_unref(e, ep);
}

void th_settings_take(struct th_engine *e, struct th_ep *ep, struct th_endpoint_run *run,
                      const struct th_endpoint *as)
{
    struct th_endpoint *pub = &ep->pub;

    th_run_unref(pub->run);
    pub->run = run;
    pub->spec = run->spec;
    pub->rev = as->rev;
    pub->updated = as->updated;
    pub->disabled_at = as->disabled_at;
    pub->disabled_reason = as->disabled_reason;
    pub->consent = as->consent;
    e->certificates_changed = e->certificates_changed || th_reach_tls(pub->spec.reach);
    if (ep->listed)
        th_filters_file(e, ep);
}

struct th_endpoint *th_engine_endpoint_no(struct th_engine *e, uint64_t no)
{
    struct th_ep *ep = th_map_get(&e->endpoints, no);

    return ep ? &ep->pub : NULL;
}

struct th_endpoint *th_engine_endpoint(struct th_engine *e, const struct th_tenant *t, struct th_span id,
                                       bool *foreign)
{
    struct th_endpoint *ep;
    struct th_pubid pub;

    if (foreign)
        *foreign = false;
    if (!th_engine_parse_endpoint_id(e, t->dialect, id, &pub))
        return NULL;
    ep = th_engine_endpoint_no(e, pub.no);
    if (ep && !th_engine_is_endpoint(e, &pub, ep->no, &(struct th_past_endpoint){0}))
        return NULL;
    if (ep && ep->tenant != t) {
        if (foreign)
            *foreign = true;
        return NULL;
    }
    return ep;
}

struct th_endpoint *th_engine_endpoint_anywhere(struct th_engine *e, struct th_span id)
{
    for (unsigned i = 0; i < e->options.dialect_count; i++) {
        struct th_endpoint *ep;
        struct th_pubid pub;

        if (!th_engine_parse_endpoint_id(e, e->options.dialects[i], id, &pub))
            continue;
        ep = th_engine_endpoint_no(e, pub.no);
        if (ep && !ep->tenant->deleting && th_engine_endpoint(e, ep->tenant, id, NULL) == ep)
            return ep;
    }
    return NULL;
}

void th_settings_free(struct th_engine *e)
{
    size_t i = 0;
    uint64_t no;
    void *value;

    while (th_map_next(&e->endpoints, &i, &no, &value)) {
        struct th_ep *ep = value;
        ep->refs = 1;
        th_ep_unref(e, ep);
    }
    for (struct th_list *l; (l = th_list_pop(&e->graves));)
        ep_free(TH_CONTAINER(l, struct th_ep, dirty));
    for (i = 0; th_map_next(&e->tenants_by_no, &i, &no, &value);)
        tenant_free(value);
    for (unsigned k = 0; k < e->key_count; k++)
        th_free(e->keys[k]);
    th_free(e->keys);
    th_free(e->tenants);
    th_map_fini(&e->endpoints);
    th_map_fini(&e->tenants_by_no);
    th_smap_fini(&e->tenants_by_id);
    th_smap_fini(&e->keys_by_hash);
}

/* Takes over the strings of `fresh`, keeps identity and endpoints; frees the old strings and the shell of `fresh`. */
enum th_error th_tenant_replace(struct th_engine *e, struct th_tenant *t, struct th_tenant *fresh)
{
    struct tenant_block *to = TH_CONTAINER(t, struct tenant_block, pub),
                        *from = TH_CONTAINER(fresh, struct tenant_block, pub);
    struct th_arena old = to->mem;

    if (th_smap_put(&e->tenants_by_id, fresh->id, t)) /* replaces the key's bytes, cannot grow */
        return TH_NOMEM;
    to->mem = from->mem;
    t->id = fresh->id;
    t->name = fresh->name;
    t->attributes = fresh->attributes;
    t->limits = fresh->limits;
    t->retention_s = fresh->retention_s;
    t->dialect = fresh->dialect;
    t->rev = fresh->rev;
    t->updated = fresh->updated;
    th_arena_fini(&old);
    th_free(from);
    return TH_OK;
}

void th_tenant_drop(struct th_tenant *t)
{
    if (t)
        tenant_free(t);
}
