/* The start: settings rows into memory, and what the first start makes: the tenants "default" and "operator", the key of
 * public ids, the proof of the secret key, the operator's API key. */
#include "engine/control/load.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/audit.h"
#include "engine/control/keys.h"
#include "engine/control/replay.h"
#include "engine/control/rewrap.h"
#include "engine/control/short_key.h"
#include "engine/control/sunset.h"
#include "engine/mail.h"
#include "engine/settings/blob.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/masks.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/shard/health.h"
#include "engine/state.h"
#include <stdio.h>

struct loading {
    struct th_engine *e;
    enum th_error error;
    struct th_span where;
    bool have_id_key, wrong_key;
    struct th_buf proof, old_proof, form; /* meta rows */
    bool fresh_form;  /* it was made now, and is to be stored before anything is encrypted */
    int proven;       /* the key of the ring that encrypted the proof */
    bool new_key;     /* the proof is of an old key: a change of keys begins */
    bool unfinished;  /* one has begun earlier */
    bool missing_old; /* and the key that it needs is not given */
    uint8_t operator_hash[32];
    bool have_operator;
    struct th_buf short_key; /* meta row */
    char what[160];
};

static void fail(struct loading *l, enum th_error error, const char *what, uint64_t no)
{
    if (l->error)
        return;
    l->error = error;
    snprintf(l->what, sizeof l->what, "%s %llu: %s", what, (unsigned long long)no, th_error_name(error));
}

static void load_last(struct th_span bytes, uint64_t *last)
{
    uint64_t no = 0;

    for (size_t i = 0; i < bytes.n && i < 8; i++)
        no = no << 8 | (uint8_t)bytes.p[i];
    if (no > *last)
        *last = no;
}

/* What the store noted when numbers began to be masked (store/sqlite/migrations.c): 16 digits of hexadecimal. A store that noted nothing
 * never showed any as they are. */
static void load_plain(struct loading *l, enum th_number kind, struct th_span hex)
{
    uint64_t no = 0;

    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        if (hex.n != 16 || !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) {
            fail(l, TH_CORRUPT, "noted number", kind);
            return;
        }
        no = no << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    l->e->plain[kind] = no;
}

static uint64_t newest_of(struct th_span hex)
{
    uint64_t no = 0;

    for (size_t i = 0; i < hex.n; i++)
        no = no << 4 | (uint64_t)(hex.p[i] <= '9' ? hex.p[i] - '0' : hex.p[i] - 'a' + 10);
    return no;
}

static void load_meta(struct loading *l, const struct th_row *row)
{
    struct th_engine *e = l->e;

    if (th_span_is(row->id, "id_key") && row->settings.n == sizeof e->id_key) {
        memcpy(e->id_key, row->settings.p, sizeof e->id_key);
        l->have_id_key = true;
    } else if (th_span_is(row->id, TH_META_PROOF)) {
        th_buf_span(&l->proof, row->settings);
    } else if (th_span_is(row->id, TH_META_OLD_PROOF)) {
        th_buf_span(&l->old_proof, row->settings);
        l->unfinished = true;
    } else if (th_span_is(row->id, TH_META_KEY_FORM)) {
        th_buf_span(&l->form, row->settings);
    } else if (th_span_is(row->id, "operator_key") && row->settings.n == 32) {
        memcpy(l->operator_hash, row->settings.p, 32);
        l->have_operator = true;
    } else if (th_span_is(row->id, TH_META_SHORT_KEY)) {
        th_buf_span(&l->short_key, row->settings);
    } else if (th_span_is(row->id, TH_META_NEWEST)) {
        e->walk_below = e->shared ? 0 : newest_of(row->settings) + 1;
    } else if (th_span_is(row->id, "last_tenant")) {
        load_last(row->settings, &e->last_tenant);
    } else if (th_span_is(row->id, "last_endpoint")) {
        load_last(row->settings, &e->last_endpoint);
    } else if (th_span_is(row->id, "plain_endpoint")) {
        load_plain(l, TH_NUMBER_ENDPOINT, row->settings);
    } else if (th_span_is(row->id, "plain_delivery")) {
        load_plain(l, TH_NUMBER_DELIVERY, row->settings);
    } else if (th_span_is(row->id, "plain_attempt")) {
        load_plain(l, TH_NUMBER_ATTEMPT, row->settings);
    } else if (th_span_starts(row->id, TH_LIT(TH_META_AUDIT)) && !th_audit_load(e, row)) {
        fail(l, TH_NOMEM, "audit", 0);
    }
}

/* Which keys there are, and what the proofs say of them. */
static enum th_error judge_keys(struct loading *l)
{
    struct th_engine *e = l->e;
    struct th_keyring *ring = e->ring;
    enum th_error error = TH_OK;

    if (!l->form.n && e->options.secret_key.phrase) {
        uint8_t form[TH_KEY_FORM_BYTES];

        th_key_form_make(e, form);
        th_buf_add(&l->form, form, sizeof form);
        l->fresh_form = true;
    }
    error = l->form.failed ? l->form.failed : l->proof.failed ? l->proof.failed : l->old_proof.failed;
    if (!error)
        error =
            th_keys_make(ring, &e->options.secret_key,
                         e->options.has_old_key ? &e->options.old_secret_key : NULL, th_buf_view(&l->form));
    if (error) {
        fail(l, error, "form of the secret key", 0);
        return error;
    }
    l->proven = l->proof.n ? th_keys_prove(ring, th_buf_view(&l->proof), &error) : 0;
    l->wrong_key = l->proven < 0;
    l->new_key = l->proven > 0;
    l->missing_old = l->unfinished && th_keys_prove(ring, th_buf_view(&l->old_proof), &error) < 0;
    if (!l->new_key && !l->unfinished &&
        !e->options.has_old_key) { /* what a phrase gave in earlier versions */
        th_wipe(ring->v + 1, sizeof ring->v - sizeof ring->v[0]);
        ring->count = 1;
    }
    if (error)
        fail(l, error, "key proof", 0);
    return error;
}

/* What the tenant has of its own; rows of before have none. */
static void load_limits(struct th_tenant *t, struct th_json root)
{
    struct th_json limits, v;

    if (!th_json_member(root, TH_LIT("limits"), &limits))
        return;
    for (unsigned i = 0; i < TH_L_COUNT; i++)
        if (th_json_member(limits, th_str(th_limit_name((enum th_limit)i)), &v))
            (void)th_json_i64(v, &t->limits.v[i]);
}

static enum th_error read_tenant(struct loading *l, const struct th_row *row, struct th_tenant **out)
{
    struct th_json root, v;
    struct th_span name = {"", 0}, dialect = {"", 0}, attributes = {"", 0};
    struct th_buf text[2];
    int64_t rev = 1;
    enum th_error error;

    if (th_json_parse(row->settings, 64, &root, NULL))
        return TH_CORRUPT;
    th_buf_init(&text[0], 4096);
    th_buf_init(&text[1], 4096);
    if (th_json_member(root, TH_LIT("name"), &v) && th_json_string(v, &text[0]))
        name = th_buf_view(&text[0]);
    if (th_json_member(root, TH_LIT("dialect"), &v) && th_json_string(v, &text[1]))
        dialect = th_buf_view(&text[1]);
    if (th_json_member(root, TH_LIT("attributes"), &v))
        attributes = v.raw;
    if (th_json_member(root, TH_LIT("rev"), &v))
        (void)th_json_i64(v, &rev);
    error = text[0].failed ? text[0].failed : text[1].failed;
    if (!error)
        error = th_tenant_new(l->e, row->no, row->id, name, dialect, attributes, out);
    if (!error) {
        load_limits(*out, root);
        if (th_json_member(root, TH_LIT("retention_s"), &v))
            (void)th_json_i64(v, &(*out)->retention_s);
        (*out)->version = row->rev;
        (*out)->rev = (uint64_t)rev;
        (*out)->created.ms = row->created;
        (*out)->updated.ms = row->updated;
    } else if (error == TH_NOT_FOUND && !l->error) {
        l->error = TH_NOT_FOUND;
        snprintf(l->what, sizeof l->what, "tenant \"%.*s\" has dialect \"%.*s\", which is not loaded",
                 (int)row->id.n, row->id.p, (int)dialect.n, dialect.p);
    }
    th_buf_fini(&text[0]);
    th_buf_fini(&text[1]);
    return error;
}

static void load_tenant(struct loading *l, const struct th_row *row)
{
    struct th_tenant *t;
    enum th_error error = read_tenant(l, row, &t);

    if (!error) {
        error = th_settings_add_tenant(l->e, t);
        if (error)
            th_tenant_drop(t);
    }
    if (error)
        fail(l, error, "tenant", row->no);
}

static enum th_role load_role(struct th_json root)
{
    enum th_role role = TH_ROLE_NONE;
    struct th_buf text;
    struct th_json v;

    th_buf_init(&text, 64);
    if (th_json_member(root, TH_LIT("role"), &v) && th_json_string(v, &text))
        role = th_role_of(th_buf_view(&text));
    th_buf_fini(&text);
    return role;
}

static void load_key(struct loading *l, const struct th_row *row)
{
    struct th_key *k = th_calloc(1, sizeof *k + row->settings.n);
    struct th_json root, v;
    int64_t scopes = 0;

    if (row->no > l->e->last_key)
        l->e->last_key = row->no;
    if (!k || row->id.n != 32 || th_json_parse(row->settings, 4, &root, NULL)) {
        fail(l, k ? TH_CORRUPT : TH_NOMEM, "key", row->no);
        th_free(k);
        return;
    }
    k->no = row->no;
    memcpy(k->hash, row->id.p, 32);
    k->tenant = th_map_get(&l->e->tenants_by_no, row->tenant);
    k->created.ms = row->created;
    k->expires = row->until;
    if (th_json_member(root, TH_LIT("scopes"), &v))
        (void)th_json_i64(v, &scopes);
    k->scopes = (unsigned)scopes & (TH_SCOPE_PUBLISH | TH_SCOPE_READ | TH_SCOPE_MANAGE | TH_SCOPE_ANSWERS);
    if (!th_json_member(root, TH_LIT("form"), &v) && (k->scopes & TH_SCOPE_READ))
        k->scopes |= TH_SCOPE_ANSWERS; /* made before this was a scope of its own */
    if (th_json_member(root, TH_LIT("note"), &v)) {
        struct th_buf text;
        th_buf_init(&text, 4096);
        if (th_json_string(v, &text) && text.n <= row->settings.n) {
            memcpy((char *)(k + 1), th_buf_view(&text).p, text.n);
            k->note = th_span(k + 1, text.n);
        }
        th_buf_fini(&text);
    }
    if (!row->tenant) {
        k->role = load_role(root);
        k->scopes = th_role_scopes(k->role);
    }
    if (!row->tenant && !k->role) {
        fail(l, TH_CORRUPT, "key", row->no);
        th_free(k);
    } else if (row->tenant && !k->tenant) {
        th_free(k); /* of a deleted tenant */
    } else if (th_settings_add_key(l->e, k)) {
        fail(l, TH_NOMEM, "key", row->no);
        th_free(k);
    }
}

static void load_endpoint(struct loading *l, const struct th_row *row)
{
    struct th_tenant *t = th_map_get(&l->e->tenants_by_no, row->tenant);
    struct th_ep *ep;
    struct th_arena mem;
    struct th_endpoint_spec spec;
    enum th_error error;

    if (row->no > l->e->last_endpoint)
        l->e->last_endpoint = row->no;
    if (!t)
        return;
    ep = th_ep_new(l->e, t, row->no);
    if (!ep) {
        fail(l, TH_NOMEM, "endpoint", row->no);
        return;
    }
    ep->pub.rev = row->rev;
    ep->pub.created.ms = row->created;
    ep->pub.updated.ms = row->updated;
    th_arena_init(&mem, 2 * TH_MAX_SPEC_BYTES);
    error = th_blob_read_spec(l->e, &ep->pub, row->settings, &mem, &spec);
    if (!error)
        error = th_run_new(l->e, &ep->pub, &spec, &ep->pub.run);
    th_arena_wipe(&mem);
    if (!error) {
        ep->pub.spec = ep->pub.run->spec;
        th_texts_part(&ep->pub);
        error = th_settings_add_endpoint(l->e, ep);
    }
    if (error) {
        fail(l, error, "endpoint", row->no);
        th_ep_unref(l->e, ep);
    }
}

static void load_secret(struct loading *l, const struct th_row *row)
{
    struct th_ep *ep = th_map_get(&l->e->endpoints, row->endpoint);
    struct th_secret *s;
    struct th_buf plain;
    enum th_error error;
    char *encrypted;

    if (row->no > l->e->last_secret)
        l->e->last_secret = row->no;
    if (!ep || ep->pub.secret_count == TH_MAX_SECRETS)
        return;
    th_buf_init(&plain, 4096);
    encrypted = th_malloc(row->settings.n);
    if (!encrypted || !th_engine_decrypt(l->e, row->tenant, row->endpoint, row->no, row->settings, &plain)) {
        fail(l, !encrypted ? TH_NOMEM : plain.failed ? plain.failed : TH_CORRUPT, "secret", row->no);
        th_free(encrypted);
        th_buf_wipe(&plain);
        return;
    }
    memcpy(encrypted, row->settings.p, row->settings.n);
    /* rows come in order of number: the newest goes first */
    memmove(ep->pub.secrets + 1, ep->pub.secrets, ep->pub.secret_count * sizeof *ep->pub.secrets);
    s = &ep->pub.secrets[0];
    *s = (struct th_secret){.no = row->no,
                            .created = {row->created},
                            .until = row->until,
                            .encrypted = th_span(encrypted, row->settings.n)};
    ep->pub.secret_count++;
    s->key = th_key_make(ep->pub.tenant->dialect, th_buf_view(&plain), &error);
    if (!error)
        error = th_mask_secret(l->e, ep->pub.tenant->dialect, th_buf_view(&plain), &s->mask);
    if (error)
        fail(l, error == TH_NOMEM ? TH_NOMEM : TH_CORRUPT, "secret", row->no);
    th_buf_wipe(&plain);
}

static void load_health(struct th_engine *e, const struct th_row *row)
{
    struct th_ep *ep = th_map_get(&e->endpoints, row->no);

    if (!ep)
        return;
    ep->pub.health =
        (struct th_health){row->health[0], row->health[1], row->health[2], row->health[3], row->health[4]};
    /* A time later than now means that the clock has been set back. */
    if (ep->pub.health.first_fail > e->now.wall.ms)
        ep->pub.health.first_fail = e->now.wall.ms;
    if (ep->pub.health.last_ok > e->now.wall.ms)
        ep->pub.health.last_ok = e->now.wall.ms;
    if (!th_is_mine(e, row->no))
        return; /* the engine that owns it does this when it joins */
    th_health_rest_resume(e, ep);
    th_sched_endpoint_known(e->sched, row->no, row->health[0], row->health[1], e->now.wall.ms);
}

/* Another node has changed a row beside it, which brings all. */
static bool is_known(const struct th_tenant *t, struct th_span name, struct th_span stored)
{
    const struct th_event_type *own = th_catalogue_own(t, name);
    struct th_buf text;
    bool same = false;

    if (!own)
        return false;
    th_buf_init(&text, 8u << 20);
    th_event_type_write(own, &text);
    same = !text.failed && th_span_eq(th_buf_view(&text), stored);
    th_buf_fini(&text);
    return same;
}

/* A deleted tenant's are deleted with it, so one without a tenant is nobody's. */
static void load_type(struct loading *l, const struct th_row *row)
{
    struct th_event_type *type;
    struct th_tenant *t;
    struct th_span name;
    uint64_t no;
    enum th_error error;

    if (!th_event_type_of_row(row->id, &no, &name) || !(t = th_map_get(&l->e->tenants_by_no, no)))
        return;
    if (is_known(t, name, row->settings))
        return;
    error = th_event_type_read(name, row->settings, &type);
    if (!error) {
        error = th_catalogue_put(t, type);
        if (error)
            th_event_type_unref(type);
        else
            th_sunset_look(l->e, type, false);
    }
    if (error)
        fail(l, error, "event type", no);
}

static void load_row(void *ctx, const struct th_row *row)
{
    struct loading *l = ctx;

    switch (row->kind) {
    case TH_ROW_META:
        load_type(l, row); /* the others are read in the first pass */
        break;
    case TH_ROW_TENANT:
        load_tenant(l, row);
        break;
    case TH_ROW_KEY:
        load_key(l, row);
        break;
    case TH_ROW_ENDPOINT:
        load_endpoint(l, row);
        break;
    case TH_ROW_SECRET:
        load_secret(l, row);
        break;
    case TH_ROW_HEALTH:
        load_health(l->e, row);
        break;
    case TH_ROW_JOB:
        th_replay_load(l->e, row);
        break;
    }
}

static void load_meta_row(void *ctx, const struct th_row *row)
{
    if (row->kind == TH_ROW_META)
        load_meta(ctx, row);
}

/* ---- rows that another node has changed ---- */

enum th_error th_load_tenant(struct th_engine *e, const struct th_row *row, struct th_tenant **out)
{
    struct loading l = {.e = e};

    return read_tenant(&l, row, out);
}

enum th_error th_load_row(struct th_engine *e, const struct th_row *row)
{
    struct loading l = {.e = e};

    if (row->kind != TH_ROW_META)
        load_row(&l, row);
    else if (th_span_is(row->id, "last_tenant") || th_span_is(row->id, "last_endpoint"))
        load_meta(&l, row);
    else
        load_type(&l, row);
    return l.error;
}

static bool is_among(const struct th_row *rows, uint32_t count, struct th_span id)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].kind == TH_ROW_META && th_span_eq(rows[i].id, id))
            return true;
    return false;
}

void th_load_types_gone(struct th_engine *e, const struct th_row *rows, uint32_t count)
{
    uint32_t stored = 0, known = 0;
    struct th_span name;
    struct th_buf id;
    bool any = false;
    uint64_t no;

    for (uint32_t i = 0; i < count; i++) {
        any = any || rows[i].kind == TH_ROW_META;
        stored += rows[i].kind == TH_ROW_META && th_event_type_of_row(rows[i].id, &no, &name);
    }
    for (unsigned i = 0; i < e->tenant_count; i++)
        known += e->tenants[i]->catalogue.count;
    if (!any || known <= stored)
        return;
    th_buf_init(&id, 1024);
    for (unsigned i = 0; i < e->tenant_count; i++) {
        struct th_tenant *t = e->tenants[i];

        for (unsigned k = t->catalogue.count; k > 0; k--) {
            th_buf_reset(&id);
            th_event_type_row_id(t->no, t->catalogue.types[k - 1]->name, &id);
            if (!id.failed && !is_among(rows, count, th_buf_view(&id)))
                th_catalogue_del(t, t->catalogue.types[k - 1]->name);
        }
    }
    th_buf_fini(&id);
}

/* ---- what a first start writes ---- */

struct bootstrap {
    struct th_settings_op op;
    struct th_engine *e;
    struct th_row rows[6];
    struct th_buf proof, old_proof, short_key;
    uint8_t form[TH_KEY_FORM_BYTES];
    bool new_key; /* or a new form of it: nothing that it encrypts could be opened if this were not stored */
    uint8_t operator_hash[32];
};

static void bootstrap_free(struct bootstrap *b)
{
    th_buf_fini(&b->op.repeated);
    th_buf_fini(&b->proof);
    th_buf_fini(&b->old_proof);
    th_buf_fini(&b->short_key);
    th_free(b);
}

static void bootstrap_done(struct th_op *op)
{
    struct bootstrap *b = op->user;
    struct th_engine *e = b->e;

    e->ops_out--;
    if (op->error)
        th_engine_store_error(e, op->error);
    if (op->error && b->new_key &&
        !e->dead) { /* never encrypt with a key whose proof is not stored: it would be given up */
        e->dead = true;
        e->store_ok = false;
        e->options.fatal(
            e->options.wake.ctx, op->error,
            "the new secret key could not be noted; stopping before anything is encrypted with it");
    }
    bootstrap_free(b);
}

static void meta_row(struct bootstrap *b, struct th_span id, struct th_span value)
{
    b->rows[b->op.count++] = (struct th_row){.kind = TH_ROW_META, .id = id, .settings = value};
}

static enum th_error proof_row(struct bootstrap *b, const uint8_t key[32], struct th_span id,
                               struct th_buf *proof)
{
    if (!th_engine_encrypt_with(b->e, key, 0, 0, 0, TH_LIT(TH_KEY_PROOF), proof))
        return proof->failed ? proof->failed : TH_BUG;
    meta_row(b, id, th_buf_view(proof));
    return TH_OK;
}

static enum th_error operator_key_row(struct bootstrap *b, struct th_buf *made_key)
{
    uint8_t raw[32];

    th_engine_random(b->e, raw, sizeof raw);
    th_buf_str(made_key, "th_op_");
    th_base64url(made_key, raw, sizeof raw);
    th_wipe(raw, sizeof raw);
    if (made_key->failed) /* never the hash of a shorter text */
        return made_key->failed;
    th_sha256(made_key->p, made_key->n, b->operator_hash);
    meta_row(b, TH_LIT("operator_key"), th_span(b->operator_hash, sizeof b->operator_hash));
    return TH_OK;
}

static enum th_error bootstrap_meta(struct th_engine *e, const struct loading *l, struct th_buf *made_key)
{
    struct bootstrap *b = th_calloc(1, sizeof *b);
    enum th_error error = TH_OK;
    bool note;

    if (!b)
        return TH_NOMEM;
    b->e = e;
    b->new_key = l->new_key || l->fresh_form;
    th_buf_init(&b->proof, 256);
    th_buf_init(&b->old_proof, 256);
    th_buf_init(&b->short_key, 256);
    th_buf_init(&b->op.repeated, 1);
    if (!l->have_id_key) {
        th_engine_random(e, e->id_key, sizeof e->id_key);
        meta_row(b, TH_LIT("id_key"), th_span(e->id_key, sizeof e->id_key));
    }
    if (!l->proof.n || l->new_key)
        error = proof_row(b, e->ring->v[0], TH_LIT(TH_META_PROOF), &b->proof);
    if (l->fresh_form) { /* in one commit with the proof: neither is of use without the other */
        memcpy(b->form, l->form.p, sizeof b->form);
        meta_row(b, TH_LIT(TH_META_KEY_FORM), th_span(b->form, sizeof b->form));
    }
    /* in one commit with the new proof: from now on both keys are needed, until all is encrypted anew */
    if (!error && l->new_key)
        error = proof_row(b, e->ring->v[l->proven], TH_LIT(TH_META_OLD_PROOF), &b->old_proof);
    if (!error && e->options.operator_key_hash.n == 0 && !l->have_operator)
        error = operator_key_row(b, made_key);
    th_buf_span(&b->short_key, th_buf_view(&l->short_key));
    if (!error)
        error = th_short_key_note(e, !l->have_id_key, &b->short_key, &note);
    if (!error && note)
        meta_row(b, TH_LIT(TH_META_SHORT_KEY), th_buf_view(&b->short_key));
    if (error || b->op.count == 0) {
        bootstrap_free(b);
        return error;
    }
    b->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = bootstrap_done, .user = b};
    b->op.rows = b->rows;
    b->op.at = e->now.wall;
    e->ops_out++;
    th_engine_submit(e, &b->op.op);
    return TH_OK;
}

static void builtin_tenant_done(struct th_change *c)
{
    const struct th_engine *e = c->user;

    if (c->result != TH_CH_DONE && !e->draining) /* a stop before it was made: the next start makes it */
        th_log(TH_LOG_ERROR, "a built-in tenant could not be made", TH_KS("tenant", c->tenant_id));
    th_change_fini(c);
    th_free(c);
}

static enum th_error builtin_tenant(struct th_engine *e, const char *id, const char *name,
                                    struct th_span dialect)
{
    struct th_change *c;

    if (th_engine_tenant(e, th_str(id)))
        return TH_OK;
    c = th_calloc(1, sizeof *c);
    if (!c)
        return TH_NOMEM;
    c->kind = TH_CHANGE_TENANT_PUT;
    c->tenant_id = th_str(id);
    c->tenant_put.name = th_str(name);
    c->tenant_put.dialect = dialect;
    c->done = builtin_tenant_done;
    c->user = e;
    th_engine_change(e, c);
    return TH_OK;
}

static enum th_error operator_key(struct th_engine *e, const struct loading *l, const struct th_buf *made)
{
    struct th_key *k = th_calloc(1, sizeof *k);

    if (!k)
        return TH_NOMEM;
    if (e->options.operator_key_hash.n == 32)
        memcpy(k->hash, e->options.operator_key_hash.p, 32);
    else if (l->have_operator)
        memcpy(k->hash, l->operator_hash, 32);
    else
        th_sha256(made->p, made->n, k->hash);
    k->role = TH_ROLE_ROOT;
    k->scopes = th_role_scopes(k->role);
    k->created = e->now.wall;
    if (th_settings_add_key(e, k)) {
        th_free(k);
        return TH_NOMEM;
    }
    return TH_OK;
}

static void cannot_load(const struct loading *l, enum th_error error, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot load the settings: %s", l->error ? l->what : th_error_name(error));
}

/* The secret key against what the first pass over the rows has found. Without TH_OK, `why` says what it was. */
static enum th_error judge_key(struct loading *l, char *why, size_t why_size)
{
    enum th_error error = l->error;

    if (!error) /* without memory there is no verdict on the keys */
        error = judge_keys(l);
    if (error == TH_CORRUPT && l->form.n)
        snprintf(
            why, why_size,
            "this data directory has a form of the secret key that this version does not know; start the "
            "version that made it, or a newer one");
    else if (error)
        cannot_load(l, error, why, why_size);
    if (error)
        return error;
    if (l->wrong_key) {
        snprintf(why, why_size,
                 "the secret key is not the one that encrypted this data directory; start with the right key "
                 "(TENTERHOOK_SECRET_KEY or the key file of the data directory)");
        return TH_DENIED;
    }
    if (l->missing_old) {
        snprintf(why, why_size,
                 "a change of the secret key has not ended, so some secrets are still encrypted with the "
                 "earlier key; "
                 "give that one too (TENTERHOOK_SECRET_KEY_OLD or TENTERHOOK_SECRET_KEY_OLD_FILE)");
        return TH_DENIED;
    }
    return TH_OK;
}

static enum th_error load(struct loading *l, struct th_buf *made_key, char *why, size_t why_size)
{
    struct th_engine *e = l->e;
    const struct th_store_vt *vt = e->options.store->vt;
    enum th_error error;

    if (!th_engine_dialect(e, e->options.default_dialect) || !th_engine_dialect(e, TH_LIT("standard"))) {
        snprintf(why, why_size, "the default dialect \"%.*s\" is not loaded",
                 (int)e->options.default_dialect.n, e->options.default_dialect.p);
        return TH_NOT_FOUND;
    }
    error = vt->settings(e->options.store, load_meta_row, l);
    if (error) {
        cannot_load(l, error, why, why_size);
        return l->error ? l->error : error;
    }
    error = judge_key(l, why, why_size);
    if (error)
        return error;
    error = vt->settings(e->options.store, load_row, l);
    if (error || l->error) {
        cannot_load(l, error, why, why_size);
        return error ? error : l->error;
    }
    error = th_short_key_judge(e, !l->have_id_key, &l->short_key, why, why_size);
    if (error)
        return error;
    error = bootstrap_meta(e, l, made_key);
    if (!error && (l->new_key || l->unfinished))
        error = th_rewrap_begin(
            e, l->fresh_form && l->proven == 1
                   ? "the secret key is a phrase: it is stretched from now on, and secrets are "
                     "being encrypted with the new key"
                   : "secrets are being encrypted with the new key; keep the old one until this has "
                     "ended");
    if (!error)
        error = operator_key(e, l, made_key);
    if (!error)
        error = builtin_tenant(e, "default", "Default", TH_LIT("standard"));
    if (!error)
        error = builtin_tenant(e, "operator", "Operator", TH_LIT("standard"));
    if (error)
        snprintf(why, why_size, "cannot start: %s", th_error_name(error));
    return error;
}

enum th_error th_load_settings(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size)
{
    struct loading l = {.e = e};
    enum th_error error;

    th_buf_init(&l.proof, 4096);
    th_buf_init(&l.old_proof, 4096);
    th_buf_init(&l.form, 4096);
    th_buf_init(&l.short_key, 4096);
    error = load(&l, made_key, why, why_size);
    th_buf_fini(&l.proof);
    th_buf_fini(&l.old_proof);
    th_buf_fini(&l.form);
    th_buf_fini(&l.short_key);
    return error;
}
