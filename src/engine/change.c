/* Changes of settings, one at a time: check, build the rows, commit, then change memory. One at a time makes every check
 * exact: nothing else can change between check and commit. A commit takes milliseconds and settings change rarely. What
 * is in memory is always what the store has. The name of a new URL is looked up before the change takes its place in the
 * queue: one customer's silent name servers hold up no other change.
 *
 * If the process dies before the commit nothing has changed; after the commit and before the answer, the new settings
 * are in force and the client asks again. */
#include "engine/internal.h"
#include <stdio.h>

struct change_impl {
    struct th_engine *e;
    struct th_change *c;
    struct th_deferred defer;
    struct th_config op;
    struct th_row *rows;
    uint32_t row_cap;
    struct th_arena mem;           /* row blobs */
    struct th_tenant *tenant, *fresh;
    struct th_ep *ep, *made;
    struct th_key *key;
    struct th_endpoint next;       /* ENDPOINT_SET, ROTATE, REVOKE, DISABLE: as it will be */
    struct th_endpoint_run *run;
    struct th_secret secret;       /* the new one */
    struct th_url url;
    enum th_disable why;           /* DISABLE */
    bool unknown;                  /* sent again after an unknown outcome */
};

/* The name of a new URL being resolved; on e->lookups. */
struct lookup {
    struct th_list link;
    struct th_engine *e;
    struct th_change *c;
    struct th_url url;
    struct th_resolve resolve;
};

static void begin(void *arg);
static bool look_up(struct th_engine *e, struct th_change *c);

void th_engine_change(struct th_engine *e, struct th_change *c)
{
    th_engine_tick(e);
    c->result = TH_CH_UNAVAILABLE;
    c->error_count = 0;
    c->detail[0] = 0;
    c->tenant = NULL;
    c->ep = NULL;
    c->key = NULL;
    c->impl = NULL;
    th_buf_init(&c->secret_text, 4096);
    th_buf_init(&c->replayed, 1u << 20);
    if (look_up(e, c))
        return;
    th_list_append(&e->changes, &c->link);
    e->more = true;
}

void th_change_fini(struct th_change *c)
{
    th_buf_wipe(&c->secret_text);
    th_buf_wipe(&c->replayed);
}

/* ---- the end of a change ---- */

static void secret_fini(struct th_secret *s)
{
    th_dialect_key_fini(&s->key);
    th_free((char *)s->sealed.p);
    *s = (struct th_secret){0};
}

static void finish(struct change_impl *i, enum th_change_result result)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;

    c->result = result;
    c->impl = NULL;
    if (result != TH_CH_DONE) {
        c->ep = NULL;
        c->tenant = i->tenant;
    }
    if (i->made)
        th_ep_unref(e, i->made);
    th_run_unref(i->run);
    th_tenant_drop(i->fresh);
    th_free(i->key);
    secret_fini(&i->secret);
    th_arena_fini(&i->mem);
    th_buf_wipe(&i->op.replayed);
    th_free(i->rows);
    th_free(i);
    e->change_busy = false;
    e->more = true;
    c->done(c);
}

static void fail(struct change_impl *i, enum th_change_result result, const char *detail)
{
    snprintf(i->c->detail, sizeof i->c->detail, "%s", detail);
    finish(i, result);
}

/* ---- rows ---- */

static struct th_row *add_row(struct change_impl *i, enum th_row_kind kind, uint64_t no)
{
    struct th_row *row;

    if (i->op.count == i->row_cap) {
        uint32_t cap = i->row_cap ? i->row_cap * 2 : 8;
        struct th_row *v = th_realloc(i->rows, cap * sizeof *v);
        if (!v)
            return NULL;
        i->rows = v;
        i->row_cap = cap;
    }
    row = &i->rows[i->op.count++];
    *row = (struct th_row){.kind = kind, .no = no};
    if (i->tenant)
        row->tenant = i->tenant->no;
    return row;
}

/* The highest number given, beside the object that got it: a deleted one is not listed at the next start, and its number
 * must not come back, or its deliveries and events would be another's, perhaps another tenant's. */
static bool last_number_row(struct change_impl *i, const char *name, uint64_t no)
{
    struct th_row *row = add_row(i, TH_ROW_META, 0);
    char bytes[8];

    if (!row)
        return false;
    for (unsigned b = 0; b < 8; b++)
        bytes[b] = (char)(no >> (8 * (7 - b)));
    row->tenant = 0;
    row->id = th_str(name);
    return th_arena_copy(&i->mem, th_span(bytes, sizeof bytes), &row->conf);
}

static bool endpoint_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = add_row(i, TH_ROW_ENDPOINT, ep->no);
    struct th_buf conf;
    bool ok;

    if (!row)
        return false;
    row->rev = ep->rev;
    row->created = ep->created.ms;
    row->updated = ep->updated.ms;
    th_buf_init(&conf, TH_MAX_SPEC_BYTES * 2);
    ok = !th_endpoint_write(i->e, ep, &conf) && !conf.failed && th_arena_copy(&i->mem, th_buf_view(&conf), &row->conf);
    th_buf_fini(&conf);
    return ok;
}

static bool secret_row(struct change_impl *i, const struct th_endpoint *ep, const struct th_secret *s, bool del)
{
    struct th_row *row = add_row(i, TH_ROW_SECRET, s->no);

    if (!row)
        return false;
    row->del = del;
    row->endpoint = ep->no;
    row->conf = s->sealed;
    row->created = s->created.ms;
    row->until = s->until;
    return true;
}

static bool fact_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = add_row(i, TH_ROW_FACT, ep->no);

    if (!row)
        return false;
    row->fact[0] = ep->facts.first_fail;
    row->fact[1] = ep->facts.last_ok;
    row->fact[2] = ep->facts.exhausted_run;
    return true;
}

/* Makes i->secret from the customer's text or anew; the clear text goes to c->secret_text for the answer. */
static bool make_secret(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;
    uint8_t random[64];
    struct th_buf sealed;
    bool ok = false;

    th_buf_init(&sealed, 8192);
    if (c->secret.n) {
        th_buf_span(&c->secret_text, c->secret);
    } else {
        th_engine_random(e, random, sizeof random);
        th_dialect_secret_make_for(ep->tenant->dialect, ep->run->variant, random, &c->secret_text);
        th_wipe(random, sizeof random);
    }
    i->secret.no = e->last_secret + 1;
    i->secret.created = e->now.wall;
    if (!c->secret_text.failed && th_engine_seal(e, ep->tenant->no, ep->no, i->secret.no, th_buf_view(&c->secret_text), &sealed)) {
        char *copy = th_malloc(sealed.n);
        if (copy) {
            memcpy(copy, sealed.p, sealed.n);
            i->secret.sealed = th_span(copy, sealed.n);
            ok = !th_dialect_key_init(ep->tenant->dialect, th_buf_view(&c->secret_text), &i->secret.key);
        }
    }
    th_buf_fini(&sealed);
    return ok;
}

/* ---- commit ---- */

static void committed(struct th_op *op);

static void submit(struct change_impl *i, bool keep_version)
{
    struct th_change *c = i->c;

    i->op.op = (struct th_op){.kind = TH_OP_CONFIG, .done = committed, .user = i};
    i->op.tenant = i->tenant ? i->tenant->no : i->fresh ? i->fresh->no : 0;
    i->op.expect_version = i->tenant ? i->tenant->version : 0;
    i->op.keep_version = keep_version;
    i->op.rows = i->rows;
    i->op.at = i->e->now.wall;
    i->op.idem = c->idem;
    if (c->idem.given && c->render) {
        struct th_buf plain, sealed;
        bool ok;
        th_buf_init(&plain, 1u << 20);
        th_buf_init(&sealed, (1u << 20) + 64);
        c->render(c, &plain);
        ok = !plain.failed && th_engine_seal(i->e, i->op.tenant, UINT64_MAX, 0, th_buf_view(&plain), &sealed) &&
             th_arena_copy(&i->mem, th_buf_view(&sealed), &i->op.answer);
        th_buf_wipe(&plain);
        th_buf_fini(&sealed);
        if (!ok) {
            fail(i, TH_CH_UNAVAILABLE, "out of memory");
            return;
        }
    }
    th_engine_submit(i->e, &i->op.op);
}

static void no_memory(struct change_impl *i)
{
    fail(i, TH_CH_UNAVAILABLE, "out of memory");
}

/* ---- tenants and keys ---- */

static void begin_tenant_put(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;
    struct th_tenant *old = i->tenant;
    struct th_span dialect = c->dialect.n ? c->dialect : old ? th_dialect_values(old->dialect)->name : e->conf.default_dialect;
    struct th_span name = c->name.n ? c->name : old ? old->name : c->tenant_id;
    struct th_span attributes = c->attributes.n ? c->attributes : old ? old->attributes : TH_LIT("{}");
    struct th_row *row;
    struct th_buf conf;
    enum th_error error;
    bool ok;

    if (!th_engine_dialect(e, dialect)) {
        c->error_count = 1;
        snprintf(c->errors[0].field, sizeof c->errors[0].field, "dialect");
        snprintf(c->errors[0].detail, sizeof c->errors[0].detail, "no dialect of this name is loaded; see GET /v1/dialects");
        finish(i, TH_CH_INVALID);
        return;
    }
    if (old && th_engine_dialect(e, dialect) != old->dialect && old->endpoint_count) {
        fail(i, TH_CH_CONFLICT, "the tenant has endpoints; delete them before changing its dialect");
        return;
    }
    error = th_tenant_new(e, old ? old->no : e->last_tenant + 1, c->tenant_id, name, dialect, attributes, &i->fresh);
    if (error) {
        no_memory(i);
        return;
    }
    i->fresh->rev = old ? old->rev + 1 : 1;
    i->fresh->created = old ? old->created : e->now.wall;
    i->fresh->updated = e->now.wall;
    row = add_row(i, TH_ROW_TENANT, i->fresh->no);
    th_buf_init(&conf, 4u << 20);
    th_tenant_write(i->fresh, &conf);
    ok = row && !conf.failed && th_arena_copy(&i->mem, th_buf_view(&conf), &row->conf);
    th_buf_fini(&conf);
    if (!ok) {
        no_memory(i);
        return;
    }
    row->id = c->tenant_id;
    row->created = i->fresh->created.ms;
    row->updated = i->fresh->updated.ms;
    if (!old && !last_number_row(i, "last_tenant", i->fresh->no)) {
        no_memory(i);
        return;
    }
    submit(i, false);
}

static void end_tenant_put(struct change_impl *i)
{
    struct th_change *c = i->c;
    enum th_error error;

    c->created = !i->tenant;
    if (i->tenant) {
        error = th_tenant_replace(i->e, i->tenant, i->fresh);
        i->tenant->version = i->op.new_version;
        th_events_forget(i->e, i->tenant);
    } else {
        i->fresh->version = i->op.new_version;
        error = th_settings_add_tenant(i->e, i->fresh);
        if (!error)
            i->tenant = i->fresh;
    }
    if (!error)
        i->fresh = NULL;
    else
        th_engine_store_error(i->e, TH_BUG); /* committed, but not to be held: only a restart makes memory true again */
    c->tenant = i->tenant;
}

static void begin_tenant_del(struct change_impl *i)
{
    struct th_tenant *t = i->tenant;
    struct th_row *row;

    if (th_span_is(t->id, "default") || th_span_is(t->id, "operator")) {
        fail(i, TH_CH_CONFLICT, "this tenant is built in and always exists");
        return;
    }
    row = add_row(i, TH_ROW_TENANT, t->no);
    for (unsigned n = 0; row && n < t->endpoint_count; n++) {
        row->del = true;
        row = add_row(i, TH_ROW_ENDPOINT, t->endpoints[n]->no);
    }
    for (unsigned n = 0; row && n < i->e->key_count; n++) {
        struct th_key *k = i->e->keys[n];
        if (k->tenant != t)
            continue;
        row->del = true;
        row = add_row(i, TH_ROW_KEY, k->no);
        if (row)
            row->id = th_span(k->hash, sizeof k->hash);
    }
    if (!row) {
        no_memory(i);
        return;
    }
    row->del = true;
    submit(i, false);
}

static void end_tenant_del(struct change_impl *i)
{
    struct th_tenant *t = i->tenant;

    while (t->endpoint_count) {
        uint64_t no = t->endpoints[t->endpoint_count - 1]->no;
        th_settings_remove_endpoint(i->e, TH_CONTAINER(t->endpoints[t->endpoint_count - 1], struct th_ep, pub));
        th_cancel_endpoint(i->e, no);
    }
    for (unsigned n = i->e->key_count; n-- > 0;)
        if (i->e->keys[n]->tenant == t)
            th_settings_remove_key(i->e, i->e->keys[n]);
    th_settings_remove_tenant(i->e, t);
    i->c->tenant = t;
}

static void begin_key_add(struct change_impl *i)
{
    struct th_change *c = i->c;
    struct th_key *k = th_calloc(1, sizeof *k + c->note.n);
    struct th_row *row = add_row(i, TH_ROW_KEY, i->e->last_key + 1);
    struct th_buf conf;
    struct th_jw w;
    bool ok;

    i->key = k;
    if (!k || !row) {
        no_memory(i);
        return;
    }
    k->no = row->no;
    memcpy(k->hash, c->key_hash, sizeof k->hash);
    k->tenant = i->tenant;
    k->scopes = c->scopes;
    k->created = i->e->now.wall;
    k->expires = c->expires;
    memcpy((char *)(k + 1), c->note.p ? c->note.p : "", c->note.n);
    k->note = th_span(k + 1, c->note.n);
    th_buf_init(&conf, 65536);
    w = th_jw(&conf);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("scopes"));
    th_jw_u64(&w, k->scopes);
    th_jw_key(&w, TH_LIT("note"));
    th_jw_string(&w, k->note);
    th_jw_end_object(&w);
    ok = !conf.failed && th_arena_copy(&i->mem, th_buf_view(&conf), &row->conf);
    th_buf_fini(&conf);
    if (!ok) {
        no_memory(i);
        return;
    }
    row->id = th_span(k->hash, sizeof k->hash);
    row->created = k->created.ms;
    row->until = k->expires;
    c->key = k;
    c->tenant = i->tenant;
    submit(i, true);
}

static void begin_key_del(struct change_impl *i)
{
    struct th_row *row;

    for (unsigned n = 0; n < i->e->key_count; n++) {
        struct th_key *k = i->e->keys[n];
        if (k->no != i->c->key_no || k->tenant != i->tenant)
            continue;
        row = add_row(i, TH_ROW_KEY, k->no);
        if (!row) {
            no_memory(i);
            return;
        }
        row->del = true;
        row->id = th_span(k->hash, sizeof k->hash);
        submit(i, true);
        return;
    }
    fail(i, TH_CH_NOT_FOUND, "no such key");
}

static void end_key_del(struct change_impl *i)
{
    for (unsigned n = 0; n < i->e->key_count; n++)
        if (i->e->keys[n]->no == i->c->key_no) {
            th_settings_remove_key(i->e, i->e->keys[n]);
            return;
        }
}

/* ---- endpoints ---- */

static void build_endpoint_add(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;
    struct th_ep *ep = th_ep_new(e, i->tenant, e->last_endpoint + 1);

    i->made = ep;
    if (!ep) {
        no_memory(i);
        return;
    }
    ep->pub.rev = 1;
    ep->pub.created = ep->pub.updated = e->now.wall;
    ep->pub.rnd = th_engine_rnd32(e) & ((1u << 27) - 1);
    if (th_run_new(e, &ep->pub, &c->spec, &ep->pub.run)) {
        no_memory(i);
        return;
    }
    ep->pub.spec = ep->pub.run->spec;
    if (!make_secret(i, &ep->pub)) {
        no_memory(i);
        return;
    }
    ep->pub.secrets[0] = i->secret;
    ep->pub.secret_count = 1;
    i->secret = (struct th_secret){0};
    if (!endpoint_row(i, &ep->pub) || !secret_row(i, &ep->pub, &ep->pub.secrets[0], false) ||
        !last_number_row(i, "last_endpoint", ep->pub.no)) {
        no_memory(i);
        return;
    }
    c->ep = &ep->pub;
    c->tenant = i->tenant;
    submit(i, false);
}

static void build_endpoint_set(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;

    i->next = i->ep->pub;
    i->next.rev++;
    i->next.updated = e->now.wall;
    if (c->clear_disabled) {
        i->next.disabled_at.ms = 0;
        i->next.disabled_reason = th_span("", 0);
        i->next.facts.first_fail = 0;
        i->next.facts.exhausted_run = 0;
    }
    if (th_run_new(e, &i->next, &c->spec, &i->run)) {
        no_memory(i);
        return;
    }
    i->next.spec = i->run->spec;
    if (!endpoint_row(i, &i->next) || (c->clear_disabled && !fact_row(i, &i->next))) {
        no_memory(i);
        return;
    }
    submit(i, false);
}

static void build(struct change_impl *i)
{
    if (i->c->kind == TH_CHANGE_ENDPOINT_ADD)
        build_endpoint_add(i);
    else
        build_endpoint_set(i);
}

static void stopping(struct th_change *c)
{
    snprintf(c->detail, sizeof c->detail, "the server is stopping");
    c->done(c);
}

/* All answers are judged; a name that does not resolve now is accepted and judged at each attempt. The change goes on
 * with the verdict among its errors, so that an answer names all that is wrong. */
static void looked_up(struct th_resolve *r)
{
    struct lookup *l = r->user;
    struct th_engine *e = l->e;
    struct th_change *c = l->c;
    const char *why = NULL;
    unsigned bad;

    th_engine_tick(e);
    if (r->error == TH_OK && th_guard_answers(e->conf.guard, r->addrs, r->count, &why, &bad)) {
        struct th_field_error *err = &c->errors[c->error_count++];
        struct th_buf text;
        th_buf_init(&text, 64);
        th_addr_format(&text, &r->addrs[bad]);
        snprintf(err->field, sizeof err->field, "url");
        snprintf(err->detail, sizeof err->detail, "the host resolves to %.*s, which is not allowed: %s", (int)text.n,
                 text.p ? text.p : "", why);
        th_buf_fini(&text);
    }
    th_list_remove(&l->link);
    th_free(l);
    if (e->draining) {
        stopping(c);
        return;
    }
    th_list_append(&e->changes, &c->link);
    if (e->conf.wake.fn)
        e->conf.wake.fn(e->conf.wake.ctx); /* a loop may call this after its turn and then sleep */
}

/* True when the change waits for a name. Faults of the URL itself are found when the change begins. */
static bool look_up(struct th_engine *e, struct th_change *c)
{
    const struct th_ep *ep = c->endpoint ? th_map_get(&e->endpoints, c->endpoint) : NULL;
    struct lookup *l;
    const char *why;

    if ((c->kind != TH_CHANGE_ENDPOINT_ADD && c->kind != TH_CHANGE_ENDPOINT_SET) || e->draining || e->dead ||
        (ep && th_span_eq(ep->pub.spec.url, c->spec.url)))
        return false;
    l = th_calloc(1, sizeof *l);
    if (!l || th_guard_url(e->conf.guard, c->spec.url, &l->url, &why) || l->url.literal) {
        th_free(l); /* without memory: as a name that does not resolve now */
        return false;
    }
    l->e = e;
    l->c = c;
    th_list_init(&l->link);
    th_list_append(&e->lookups, &l->link);
    l->resolve = (struct th_resolve){.host = l->url.host, .done = looked_up, .user = l, .deadline = {e->now.mono.us + 3000000}};
    l->resolve.tenant = ep ? ep->pub.tenant->no : 0;
    if (!ep && th_engine_tenant(e, c->tenant_id))
        l->resolve.tenant = th_engine_tenant(e, c->tenant_id)->no;
    e->conf.resolver->vt->submit(e->conf.resolver, &l->resolve);
    return true;
}

static void begin_endpoint_put(struct change_impl *i)
{
    if (th_spec_check(i->e, i->tenant, i->c, &i->url))
        build(i);
    else
        finish(i, TH_CH_INVALID);
}

static void end_endpoint_add(struct change_impl *i)
{
    struct th_engine *e = i->e;

    i->tenant->version = i->op.new_version;
    e->last_secret = i->made->pub.secrets[0].no;
    if (th_settings_add_endpoint(e, i->made)) {
        th_engine_store_error(e, TH_BUG);
        return;
    }
    i->c->ep = &i->made->pub;
    i->made = NULL;
}

static void end_endpoint_set(struct change_impl *i)
{
    struct th_ep *ep = i->ep;

    i->tenant->version = i->op.new_version;
    th_run_unref(ep->pub.run);
    ep->pub.run = i->run;
    i->run = NULL;
    ep->pub.spec = ep->pub.run->spec;
    ep->pub.rev = i->next.rev;
    ep->pub.updated = i->next.updated;
    ep->pub.disabled_at = i->next.disabled_at;
    ep->pub.disabled_reason = i->next.disabled_reason;
    if (i->c->clear_disabled)
        ep->pub.facts = i->next.facts;
    if (th_settings_sched(i->e, ep))
        th_engine_store_error(i->e, TH_BUG);
    i->c->ep = &ep->pub;
}

static void begin_endpoint_del(struct change_impl *i)
{
    struct th_row *row = add_row(i, TH_ROW_ENDPOINT, i->ep->pub.no);

    if (!row) {
        no_memory(i);
        return;
    }
    row->del = true;
    submit(i, false);
}

static void end_endpoint_del(struct change_impl *i)
{
    uint64_t no = i->ep->pub.no;

    i->tenant->version = i->op.new_version;
    th_settings_remove_endpoint(i->e, i->ep);
    th_cancel_endpoint(i->e, no);
}

static void begin_endpoint_disable(struct change_impl *i)
{
    i->next = i->ep->pub;
    if (i->next.disabled_at.ms || !i->next.spec.active) {
        fail(i, TH_CH_CONFLICT, "already inactive");
        return;
    }
    i->next.rev++;
    i->next.updated = i->e->now.wall;
    i->next.disabled_at = i->e->now.wall;
    i->next.disabled_reason = i->c->note;
    if (th_run_new(i->e, &i->next, &i->next.spec, &i->run) || !endpoint_row(i, &i->next) || !fact_row(i, &i->next)) {
        no_memory(i);
        return;
    }
    submit(i, false);
}

/* ---- secrets ---- */

static bool is_active(const struct th_secret *s, int64_t now_ms)
{
    return s->until == 0 || s->until > now_ms;
}

static void begin_rotate(struct change_impl *i)
{
    struct th_change *c = i->c;
    const struct th_dialect_values *v = th_dialect_values(i->tenant->dialect);
    int64_t now_ms = i->e->now.wall.ms, overlap_s = c->overlap_given ? (c->overlap_null ? -1 : c->overlap_s) : v->overlap_s;
    unsigned active = 0, max = v->secrets_max_active ? v->secrets_max_active : 2;
    bool ok = true;

    if (!th_spec_check(i->e, i->tenant, c, &i->url)) {
        finish(i, TH_CH_INVALID);
        return;
    }
    i->next = i->ep->pub;
    for (unsigned n = 0; n < i->next.secret_count; n++)
        active += is_active(&i->next.secrets[n], now_ms);
    if (active >= max && overlap_s != 0) {
        fail(i, TH_CH_CONFLICT, "two secrets are active already; revoke the previous one first (DELETE …/secret/previous)");
        return;
    }
    if (!make_secret(i, &i->ep->pub)) {
        no_memory(i);
        return;
    }
    /* the active ones move on behind the new one, with their end; the expired ones leave */
    i->next.secrets[0] = i->secret;
    i->next.secret_count = 1;
    ok = secret_row(i, &i->next, &i->secret, false);
    for (unsigned n = 0; ok && n < i->ep->pub.secret_count; n++) {
        struct th_secret s = i->ep->pub.secrets[n];
        bool keep = is_active(&s, now_ms) && overlap_s != 0 && i->next.secret_count < TH_MAX_SECRETS;
        if (keep && overlap_s > 0 && (s.until == 0 || s.until > now_ms + overlap_s * 1000))
            s.until = now_ms + overlap_s * 1000;
        if (keep)
            i->next.secrets[i->next.secret_count++] = s;
        ok = secret_row(i, &i->next, &s, !keep);
    }
    if (!ok) {
        no_memory(i);
        return;
    }
    c->ep = &i->next;
    c->tenant = i->tenant;
    submit(i, false);
}

static void begin_revoke(struct change_impl *i)
{
    unsigned active = 0;

    i->next = i->ep->pub;
    for (unsigned n = 0; n < i->next.secret_count; n++)
        active += is_active(&i->next.secrets[n], i->e->now.wall.ms);
    if (active < 2) {
        fail(i, TH_CH_NOT_FOUND, "there is no previous secret");
        return;
    }
    for (unsigned n = 1; n < i->next.secret_count; n++)
        if (!secret_row(i, &i->next, &i->next.secrets[n], true)) {
            no_memory(i);
            return;
        }
    i->next.secret_count = 1;
    submit(i, false);
}

/* Frees what is in memory and not in `next`, takes over `next`. */
static void end_secrets(struct change_impl *i)
{
    struct th_endpoint *pub = &i->ep->pub;

    i->tenant->version = i->op.new_version;
    for (unsigned n = 0; n < pub->secret_count; n++) {
        bool kept = false;
        for (unsigned k = 0; k < i->next.secret_count; k++)
            kept = kept || i->next.secrets[k].no == pub->secrets[n].no;
        if (!kept)
            secret_fini(&pub->secrets[n]);
    }
    memcpy(pub->secrets, i->next.secrets, sizeof pub->secrets);
    pub->secret_count = i->next.secret_count;
    if (i->secret.no) {
        i->e->last_secret = i->secret.no;
        i->secret = (struct th_secret){0}; /* now the endpoint's */
    }
    i->c->ep = pub;
}

/* ---- dispatch of kinds ---- */

static void apply(struct change_impl *i)
{
    struct th_change *c = i->c;

    c->tenant = i->tenant;
    switch ((int)c->kind) {
    case TH_CHANGE_TENANT_PUT:
        end_tenant_put(i);
        break;
    case TH_CHANGE_TENANT_DEL:
        end_tenant_del(i);
        break;
    case TH_CHANGE_KEY_ADD:
        c->key = i->key;
        if (th_settings_add_key(i->e, i->key))
            th_engine_store_error(i->e, TH_BUG);
        else
            i->key = NULL;
        break;
    case TH_CHANGE_KEY_DEL:
        end_key_del(i);
        break;
    case TH_CHANGE_ENDPOINT_ADD:
        end_endpoint_add(i);
        break;
    case TH_CHANGE_ENDPOINT_SET:
    case TH_CHANGE_ENDPOINT_DISABLE:
        end_endpoint_set(i);
        break;
    case TH_CHANGE_ENDPOINT_DEL:
        end_endpoint_del(i);
        break;
    default:
        end_secrets(i);
        break;
    }
}

/* After an unknown outcome the same rows are sent again. That the store refuses them as stale, or as a replay, then says
 * that the first sending was committed: this engine makes all changes, one at a time. */
static bool was_committed(const struct change_impl *i)
{
    uint64_t after = i->c->kind == TH_CHANGE_TENANT_DEL ? 0 : i->op.expect_version + 1;

    return i->unknown && (i->op.result == TH_CONFIG_REPLAYED || (i->op.result == TH_CONFIG_STALE && i->op.new_version == after));
}

static void committed(struct th_op *op)
{
    struct change_impl *i = op->user;

    if (op->error == TH_UNKNOWN) {
        i->unknown = true;
        th_engine_submit(i->e, op);
        return;
    }
    if (!op->error && was_committed(i))
        i->op.result = TH_CONFIG_DONE;
    if (op->error) {
        th_engine_store_error(i->e, op->error);
        fail(i, TH_CH_UNAVAILABLE, th_error_name(op->error));
        return;
    }
    switch (i->op.result) {
    case TH_CONFIG_DONE:
        apply(i);
        finish(i, TH_CH_DONE);
        break;
    case TH_CONFIG_REPLAYED:
        if (th_engine_unseal(i->e, i->op.tenant, UINT64_MAX, 0, th_buf_view(&i->op.replayed), &i->c->replayed))
            finish(i, TH_CH_REPLAYED);
        else
            fail(i, TH_CH_UNAVAILABLE, "the kept answer cannot be opened");
        break;
    case TH_CONFIG_KEY_REUSED:
        finish(i, TH_CH_KEY_REUSED);
        break;
    case TH_CONFIG_STALE:
        th_engine_store_error(i->e, TH_BUG); /* changes are one at a time: versions cannot differ */
        fail(i, TH_CH_UNAVAILABLE, "settings changed meanwhile");
        break;
    }
}

static bool precondition_fails(const struct change_impl *i)
{
    const struct th_change *c = i->c;

    if (!c->check_rev)
        return false;
    if (c->kind == TH_CHANGE_TENANT_PUT || c->kind == TH_CHANGE_TENANT_DEL)
        return !i->tenant || i->tenant->rev != c->expect_rev;
    return i->ep && i->ep->pub.rev != c->expect_rev;
}

static void begin(void *arg)
{
    struct change_impl *i = arg;
    struct th_change *c = i->c;

    i->tenant = th_engine_tenant(i->e, c->tenant_id);
    if (!i->tenant && c->kind != TH_CHANGE_TENANT_PUT) {
        fail(i, TH_CH_NOT_FOUND, "no such tenant");
        return;
    }
    if (c->endpoint) {
        i->ep = th_map_get(&i->e->endpoints, c->endpoint);
        if (!i->ep || i->ep->pub.tenant != i->tenant) {
            fail(i, TH_CH_NOT_FOUND, "no such endpoint");
            return;
        }
    }
    if (precondition_fails(i)) {
        fail(i, TH_CH_PRECONDITION, "the object has changed since it was read");
        return;
    }
    switch ((int)c->kind) {
    case TH_CHANGE_TENANT_PUT:
        begin_tenant_put(i);
        break;
    case TH_CHANGE_TENANT_DEL:
        begin_tenant_del(i);
        break;
    case TH_CHANGE_KEY_ADD:
        begin_key_add(i);
        break;
    case TH_CHANGE_KEY_DEL:
        begin_key_del(i);
        break;
    case TH_CHANGE_ENDPOINT_ADD:
    case TH_CHANGE_ENDPOINT_SET:
        begin_endpoint_put(i);
        break;
    case TH_CHANGE_ENDPOINT_DEL:
        begin_endpoint_del(i);
        break;
    case TH_CHANGE_SECRET_ROTATE:
        begin_rotate(i);
        break;
    case TH_CHANGE_SECRET_REVOKE:
        begin_revoke(i);
        break;
    default:
        begin_endpoint_disable(i);
        break;
    }
}

void th_changes_turn(struct th_engine *e)
{
    struct th_list *l;
    struct change_impl *i;

    if (e->change_busy || e->resealing || !(l = th_list_pop(&e->changes)))
        return;
    i = th_calloc(1, sizeof *i);
    if (!i) {
        struct th_change *c = TH_CONTAINER(l, struct th_change, link);
        c->done(c); /* its result is UNAVAILABLE from the start */
        return;
    }
    i->e = e;
    i->c = TH_CONTAINER(l, struct th_change, link);
    i->c->impl = i;
    th_arena_init(&i->mem, 16u << 20);
    th_buf_init(&i->op.replayed, 2u << 20);
    e->change_busy = true;
    begin(i);
}

/* Stopping: what has not begun is refused. A cancelled look-up may end inside the call. */
void th_changes_cancel(struct th_engine *e)
{
    struct th_list *l, *next;

    while ((l = th_list_pop(&e->changes)))
        stopping(TH_CONTAINER(l, struct th_change, link));
    for (l = e->lookups.next; l != &e->lookups; l = next) {
        next = l->next;
        e->conf.resolver->vt->cancel(e->conf.resolver, &TH_CONTAINER(l, struct lookup, link)->resolve);
    }
}

/* ---- the engine's own changes ---- */

struct disabling {
    struct th_change c;
    struct th_engine *e;
    uint64_t endpoint;
    char tenant[160];
};

static void disabled(struct th_change *c)
{
    struct disabling *d = TH_CONTAINER(c, struct disabling, c);
    struct th_ep *ep = th_map_get(&d->e->endpoints, d->endpoint);

    if (c->result == TH_CH_DONE && ep) {
        th_count(d->e->conf.metrics, TH_C_ENDPOINTS_DISABLED, 1);
        th_log(TH_LOG_WARN, "endpoint disabled", TH_KS("endpoint", ep->pub.run->id), TH_KS("tenant", ep->pub.tenant->id),
               TH_KS("reason", c->note));
        th_operator_endpoint(d->e, ep, "endpoint.disabled", c->note.p);
    }
    th_change_fini(c);
    th_free(d);
}

void th_endpoint_disable(struct th_engine *e, struct th_ep *ep, enum th_disable why)
{
    struct disabling *d;

    if (ep->gone || th_ep_held(&ep->pub) || ep->pub.tenant->id.n >= sizeof d->tenant)
        return;
    d = th_calloc(1, sizeof *d);
    if (!d)
        return; /* the rule is evaluated again at the next failure */
    d->e = e;
    d->endpoint = ep->pub.no;
    memcpy(d->tenant, ep->pub.tenant->id.p, ep->pub.tenant->id.n);
    d->c.kind = (enum th_change_kind)TH_CHANGE_ENDPOINT_DISABLE;
    d->c.tenant_id = th_span(d->tenant, ep->pub.tenant->id.n);
    d->c.endpoint = ep->pub.no;
    d->c.note = th_str(th_disable_name(why));
    d->c.done = disabled;
    th_engine_change(e, &d->c);
}

/* ---- facts: written when an endpoint works again after long (a crash must not bring its failures back), and every 10 s ---- */

struct facts_flush {
    struct th_config op;
    struct th_engine *e;
    struct th_row rows[256];
};

static void facts_flushed(struct th_op *op)
{
    struct facts_flush *f = op->user;

    f->e->facts_busy = false;
    if (op->error)
        th_engine_store_error(f->e, op->error); /* facts are hints: the next flush writes what changed since */
    th_free(f);
}

void th_facts_touch(struct th_engine *e, struct th_ep *ep)
{
    if (ep->facts_dirty || ep->gone)
        return;
    ep->facts_dirty = true;
    th_list_append(&e->dirty, &ep->dirty);
}

void th_facts_turn(struct th_engine *e, bool all)
{
    struct facts_flush *f;
    struct th_list *l;

    if (th_list_empty(&e->dirty) || e->facts_busy || e->dead ||
        (!all && e->now.wall.ms - e->facts_flushed.ms < TH_FACT_FLUSH_MS && e->now.wall.ms >= e->facts_flushed.ms))
        return;
    f = th_calloc(1, sizeof *f);
    if (!f)
        return;
    f->e = e;
    while (f->op.count < 256 && (l = th_list_pop(&e->dirty))) {
        struct th_ep *ep = TH_CONTAINER(l, struct th_ep, dirty);
        ep->facts_dirty = false;
        f->rows[f->op.count++] = (struct th_row){.kind = TH_ROW_FACT, .no = ep->pub.no, .tenant = ep->pub.tenant->no,
                                                 .fact = {ep->pub.facts.first_fail, ep->pub.facts.last_ok, ep->pub.facts.exhausted_run}};
    }
    if (th_list_empty(&e->dirty)) {
        e->facts_flushed = e->now.wall;
        e->facts_flipped = false;
    }
    f->op.op = (struct th_op){.kind = TH_OP_CONFIG, .done = facts_flushed, .user = f};
    f->op.rows = f->rows;
    f->op.keep_version = true;
    f->op.at = e->now.wall;
    e->facts_busy = true;
    th_engine_submit(e, &f->op.op);
}

/* ---- reading secrets ---- */

bool th_engine_secrets(struct th_engine *e, const struct th_endpoint *ep,
                       void (*each)(void *ctx, struct th_span secret, struct th_wall created, int64_t until), void *ctx)
{
    struct th_buf plain;
    bool ok = true;

    th_buf_init(&plain, 4096);
    for (unsigned n = 0; ok && n < ep->secret_count; n++) {
        const struct th_secret *s = &ep->secrets[n];
        if (!is_active(s, e->now.wall.ms))
            continue;
        th_buf_reset(&plain);
        ok = th_engine_unseal(e, ep->tenant->no, ep->no, s->no, s->sealed, &plain);
        if (ok)
            each(ctx, th_buf_view(&plain), s->created, s->until);
    }
    th_buf_wipe(&plain);
    return ok;
}
