/* The stored form of settings: JSON blobs in the rows of tenants and endpoints, secrets and custom header values encrypted. */
#include "engine/settings/blob.h"
#include "base/arena.h"
#include "base/enc.h"
#include "engine/context.h"
#include "engine/state.h"

/* ---- encrypting ---- */

#define AAD_MAX (24 + 16)
#define ANSWER_FORM 2 /* 1 had no number, and no key in the associated data */

static size_t aad_of(uint64_t tenant, uint64_t endpoint, uint64_t no, const uint8_t *key,
                     uint8_t out[AAD_MAX])
{
    const uint64_t v[3] = {tenant, endpoint, no};

    for (unsigned i = 0; i < 24; i++)
        out[i] = (uint8_t)(v[i / 8] >> (8 * (7 - i % 8)));
    if (key)
        memcpy(out + 24, key, 16);
    return key ? AAD_MAX : 24;
}

static bool encrypt(struct th_engine *e, const uint8_t secret[32], const uint8_t *aad, size_t aad_len,
                    struct th_span plain, struct th_buf *out)
{
    uint8_t nonce[12];
    char *to;

    th_engine_random(e, nonce, sizeof nonce);
    th_buf_add(out, nonce, sizeof nonce);
    to = th_buf_room(out, plain.n + 16);
    if (!to || !th_encrypt(secret, nonce, aad, aad_len, plain.p, plain.n, to))
        return false;
    out->n += plain.n + 16;
    return true;
}

static bool decrypt(const uint8_t secret[32], const uint8_t *aad, size_t aad_len, struct th_span encrypted,
                    struct th_buf *plain)
{
    size_t n;
    char *to;

    if (encrypted.n < 12 + 16)
        return false;
    n = encrypted.n - 12 - 16;
    to = th_buf_room(plain, n ? n : 1);
    if (!to || !th_decrypt(secret, (const uint8_t *)encrypted.p, aad, aad_len, encrypted.p + 12,
                           encrypted.n - 12, to))
        return false;
    plain->n += n;
    return true;
}

bool th_engine_encrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span plain, struct th_buf *out)
{
    return th_engine_encrypt_with(e, e->ring->v[0], tenant, endpoint, no, plain, out);
}

bool th_engine_encrypt_with(struct th_engine *e, const uint8_t key[32], uint64_t tenant, uint64_t endpoint,
                            uint64_t no, struct th_span plain, struct th_buf *out)
{
    uint8_t aad[AAD_MAX];
    size_t aad_len = aad_of(tenant, endpoint, no, NULL, aad);

    return encrypt(e, key, aad, aad_len, plain, out);
}

bool th_engine_decrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span encrypted, struct th_buf *plain)
{
    for (unsigned i = 0; i < e->ring->count; i++)
        if (th_engine_decrypt_with(e->ring->v[i], tenant, endpoint, no, encrypted, plain))
            return true;
    return false;
}

bool th_engine_decrypt_with(const uint8_t key[32], uint64_t tenant, uint64_t endpoint, uint64_t no,
                            struct th_span encrypted, struct th_buf *plain)
{
    uint8_t aad[AAD_MAX];
    size_t aad_len = aad_of(tenant, endpoint, no, NULL, aad);

    return decrypt(key, aad, aad_len, encrypted, plain);
}

enum th_change_result th_blob_answer_outcome(struct th_engine *e, const struct th_settings_op *op, bool again,
                                             struct th_buf *repeated, const char **detail)
{
    *detail = "";
    if (op->result == TH_SETTINGS_KEY_REUSED)
        return TH_CH_KEY_REUSED;
    if (op->result == TH_SETTINGS_STALE) {
        *detail = "the tenant has been deleted";
        return TH_CH_NOT_FOUND;
    }
    if (op->result != TH_SETTINGS_REPEATED || again)
        return TH_CH_DONE;
    if (th_blob_answer_decrypt(e, op->tenant, op->idem.key, th_buf_view(&op->repeated), repeated))
        return TH_CH_REPEATED;
    *detail = "the kept answer cannot be opened";
    return TH_CH_UNAVAILABLE;
}

bool th_blob_answer_encrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16], struct th_span plain,
                            struct th_buf *out)
{
    uint8_t aad[AAD_MAX];
    size_t aad_len = aad_of(tenant, UINT64_MAX, 0, key, aad);

    th_buf_char(out, ANSWER_FORM);
    return encrypt(e, e->ring->v[0], aad, aad_len, plain, out);
}

/* The first byte of one without a number is random: the tag decides. */
bool th_blob_answer_decrypt_with(const uint8_t secret[32], uint64_t tenant, const uint8_t key[16],
                                 struct th_span encrypted, struct th_buf *plain)
{
    uint8_t aad[AAD_MAX];
    size_t aad_len = aad_of(tenant, UINT64_MAX, 0, key, aad);

    return (encrypted.n && *encrypted.p == ANSWER_FORM &&
            decrypt(secret, aad, aad_len, th_span(encrypted.p + 1, encrypted.n - 1), plain)) ||
           th_engine_decrypt_with(secret, tenant, UINT64_MAX, 0, encrypted, plain);
}

bool th_blob_answer_decrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16],
                            struct th_span encrypted, struct th_buf *plain)
{
    for (unsigned i = 0; i < e->ring->count; i++)
        if (th_blob_answer_decrypt_with(e->ring->v[i], tenant, key, encrypted, plain))
            return true;
    return false;
}

/* ---- writing ---- */

void th_blob_write_tenant(const struct th_tenant *t, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("name"));
    th_jw_string(&w, t->name);
    th_jw_key(&w, TH_LIT("dialect"));
    th_jw_string(&w, th_dialect_values(t->dialect)->name);
    th_jw_key(&w, TH_LIT("attributes"));
    th_jw_raw(&w, t->attributes);
    th_jw_key(&w, TH_LIT("limits"));
    th_jw_object(&w);
    for (unsigned i = 0; i < TH_L_COUNT; i++)
        if (t->limits.v[i] != TH_LIMIT_OPEN) {
            th_jw_key(&w, th_str(th_limit_name((enum th_limit)i)));
            th_jw_i64(&w, t->limits.v[i]);
        }
    th_jw_end_object(&w);
    if (t->retention_s) {
        th_jw_key(&w, TH_LIT("retention_s"));
        th_jw_i64(&w, t->retention_s);
    }
    th_jw_key(&w, TH_LIT("rev"));
    th_jw_u64(&w, t->rev);
    th_jw_end_object(&w);
}

/* A member with encrypted bytes. */
static bool write_encrypted(struct th_engine *e, const struct th_endpoint *ep, uint64_t no,
                            struct th_span name, struct th_span plain, struct th_jw *w)
{
    struct th_buf encrypted, text;
    bool ok;

    th_buf_init(&encrypted, TH_MAX_SPEC_BYTES + 64);
    th_buf_init(&text, 2 * TH_MAX_SPEC_BYTES);
    ok = th_engine_encrypt(e, ep->tenant->no, ep->no, no, plain, &encrypted);
    th_base64(&text, encrypted.p, encrypted.n);
    ok = ok && !text.failed;
    if (ok) {
        th_jw_key(w, name);
        th_jw_string(w, th_buf_view(&text));
    }
    th_buf_fini(&encrypted);
    th_buf_fini(&text);
    return ok;
}

/* The same of a text that is wiped afterwards. */
static bool write_wiped(struct th_engine *e, const struct th_endpoint *ep, uint64_t no, struct th_span name,
                        struct th_buf *plain, struct th_jw *w)
{
    bool ok = !plain->failed && write_encrypted(e, ep, no, name, th_buf_view(plain), w);

    th_buf_wipe(plain);
    return ok;
}

static bool write_headers(struct th_engine *e, const struct th_endpoint *ep, const struct th_endpoint_spec *s,
                          struct th_jw *w)
{
    struct th_buf plain;
    struct th_jw inner;

    th_buf_init(&plain, TH_MAX_SPEC_BYTES);
    inner = th_jw(&plain);
    th_jw_object(&inner);
    for (unsigned i = 0; i < s->header_count; i++) {
        th_jw_key(&inner, s->headers[i].name);
        th_jw_string(&inner, s->headers[i].value);
    }
    th_jw_end_object(&inner);
    return write_wiped(e, ep, TH_ENCRYPTED_NO_HEADERS, TH_LIT("headers_sealed"), &plain, w);
}

/* A secret one is nowhere in clear: a program that knows nothing of encrypted ones must find none. */
static bool write_url(struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.url_secret != TH_URL_BY_NAME) {
        th_jw_key(w, TH_LIT("url_secret"));
        th_jw_bool(w, ep->spec.url_secret == TH_URL_SECRET);
    }
    if (th_mask_url_is_secret(&ep->spec))
        return write_encrypted(e, ep, TH_ENCRYPTED_NO_URL, TH_LIT("url_sealed"), ep->spec.url, w);
    th_jw_key(w, TH_LIT("url"));
    th_jw_string(w, ep->spec.url);
    return true;
}

static bool write_reach(struct th_engine *e, const struct th_endpoint *ep, const struct th_endpoint_spec *s,
                        struct th_jw *w)
{
    struct th_buf plain;
    struct th_jw inner;

    th_buf_init(&plain, TH_MAX_SPEC_BYTES);
    inner = th_jw(&plain);
    th_reach_write(s->reach, &inner);
    return write_wiped(e, ep, TH_ENCRYPTED_NO_REACH, TH_LIT("reach_sealed"), &plain, w);
}

static void write_ordering(const struct th_ordering *o, struct th_jw *w)
{
    if (!o->by)
        return;
    th_jw_key(w, TH_LIT("ordering"));
    th_jw_object(w);
    if (o->by == TH_ORDER_KEY) {
        th_jw_key(w, TH_LIT("key"));
        th_jw_string(w, o->key);
    }
    th_jw_key(w, TH_LIT("max_wait"));
    th_jw_u64(w, o->max_wait_s);
    if (o->batch > 1) {
        th_jw_key(w, TH_LIT("batch"));
        th_jw_u64(w, o->batch);
    }
    th_jw_end_object(w);
}

/* Only consent is kept: what is not consent is asked for again after a start. */
static void write_consent(const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->consent.state != TH_CONSENT_ALLOWED)
        return;
    th_jw_key(w, TH_LIT("consent"));
    th_jw_object(w);
    th_jw_key(w, TH_LIT("at"));
    th_jw_i64(w, ep->consent.at.ms);
    th_jw_key(w, TH_LIT("origin"));
    th_jw_u64(w, ep->consent.origin);
    th_jw_key(w, TH_LIT("rate"));
    th_jw_u64(w, ep->consent.rate);
    th_jw_end_object(w);
}

static enum th_error write_spec(struct th_engine *e, const struct th_endpoint *ep,
                                const struct th_endpoint_spec *s, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_object(&w);
    if (!write_url(e, ep, &w))
        return out->failed ? out->failed : TH_NOMEM;
    th_jw_key(&w, TH_LIT("events"));
    th_jw_array(&w);
    for (unsigned i = 0; i < s->event_count; i++)
        th_jw_string(&w, s->events[i]);
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("active"));
    th_jw_bool(&w, s->active);
    if (s->has_description) {
        th_jw_key(&w, TH_LIT("description"));
        th_jw_string(&w, s->description);
    }
    th_jw_key(&w, TH_LIT("metadata"));
    th_jw_raw(&w, s->metadata.n ? s->metadata : TH_LIT("{}"));
    if (s->header_count && !write_headers(e, ep, s, &w))
        return out->failed ? out->failed : TH_NOMEM;
    if (s->reach && !write_reach(e, ep, s, &w))
        return out->failed ? out->failed : TH_NOMEM;
    th_jw_key(&w, TH_LIT("timeout_ms"));
    th_jw_u64(&w, s->timeout_ms);
    th_jw_key(&w, TH_LIT("max_in_flight"));
    th_jw_u64(&w, s->max_in_flight);
    th_jw_key(&w, TH_LIT("rate_milli"));
    th_jw_u64(&w, (uint64_t)(s->rate_per_s * 1000 + 0.5));
    if (s->method) {
        th_jw_key(&w, TH_LIT("method"));
        th_jw_u64(&w, s->method);
    }
    if (s->form) {
        th_jw_key(&w, TH_LIT("form"));
        th_jw_bool(&w, true);
    }
    if (s->pass_trace) {
        th_jw_key(&w, TH_LIT("pass_trace"));
        th_jw_bool(&w, s->pass_trace == TH_PASS_TRACE_ON);
    }
    if (s->data_version) {
        th_jw_key(&w, TH_LIT("data_version"));
        th_jw_u64(&w, s->data_version);
    }
    th_jw_key(&w, TH_LIT("variant"));
    th_jw_string(&w, s->variant);
    th_jw_key(&w, TH_LIT("options"));
    th_jw_u64(&w, s->options);
    if (s->filter.n) {
        th_jw_key(&w, TH_LIT("filter"));
        th_jw_string(&w, s->filter);
    }
    if (s->payload.n) { /* as a text: a document inside of this one would be nested too deeply */
        th_jw_key(&w, TH_LIT("template"));
        th_jw_string(&w, s->payload);
    }
    if (s->retry) {
        th_jw_key(&w, TH_LIT("retry"));
        th_retry_own_write(s->retry, &w);
    }
    if (s->reenable_on_test) {
        th_jw_key(&w, TH_LIT("reenable_on_test"));
        th_jw_bool(&w, true);
    }
    if (s->retry_until) {
        th_jw_key(&w, TH_LIT("retry_until"));
        th_jw_i64(&w, s->retry_until);
    }
    if (s->channels.n) {
        th_jw_key(&w, TH_LIT("channels"));
        th_jw_string(&w, s->channels);
    }
    write_ordering(&s->ordering, &w);
    th_jw_key(&w, TH_LIT("rnd"));
    th_jw_u64(&w, ep->rnd);
    th_jw_key(&w, TH_LIT("disabled_at"));
    th_jw_i64(&w, ep->disabled_at.ms);
    th_jw_key(&w, TH_LIT("disabled_reason"));
    th_jw_string(&w, ep->disabled_reason);
    write_consent(ep, &w);
    th_jw_end_object(&w);
    return out->failed;
}

enum th_error th_blob_write_endpoint(struct th_engine *e, const struct th_endpoint *ep, struct th_buf *out)
{
    struct th_arena mem;
    struct th_endpoint_spec spec;
    enum th_error error;

    th_arena_init(&mem, 2 * TH_MAX_SPEC_BYTES);
    error = th_engine_spec(e, ep, &mem, &spec);
    if (!error)
        error = write_spec(e, ep, &spec, out);
    th_arena_fini(&mem);
    return error;
}

/* ---- reading ---- */

static bool read_string(struct th_json root, struct th_span name, struct th_arena *mem, struct th_span *out)
{
    struct th_json v;
    struct th_buf b;
    bool ok;

    *out = th_span("", 0);
    if (!th_json_member(root, name, &v))
        return true;
    th_buf_init(&b, TH_MAX_SPEC_BYTES);
    ok = th_json_string(v, &b) && !b.failed && th_arena_copy(mem, th_buf_view(&b), out);
    th_buf_wipe(&b);
    return ok;
}

static int64_t read_i64(struct th_json root, struct th_span name)
{
    struct th_json v;
    int64_t n = 0;

    if (th_json_member(root, name, &v))
        (void)th_json_i64(v, &n);
    return n;
}

const struct th_encrypted_member th_blob_encrypted_members[TH_ENCRYPTED_MEMBERS] = {
    {{"headers_sealed", 14}, TH_ENCRYPTED_NO_HEADERS},
    {{"url_sealed", 10}, TH_ENCRYPTED_NO_URL},
    {{"reach_sealed", 12}, TH_ENCRYPTED_NO_REACH},
};

enum th_error th_blob_member_is_encrypted(struct th_json root, struct th_span name, struct th_json *member,
                                          struct th_buf *out)
{
    size_t n;

    th_buf_init(out, 2 * TH_MAX_SPEC_BYTES);
    if (!th_json_member(root, name, member))
        return TH_NOT_FOUND;
    if (member->raw.n < 2)
        return TH_CORRUPT;
    if (!th_buf_room(out, member->raw.n))
        return TH_NOMEM;
    if (!th_unbase64(th_span(member->raw.p + 1, member->raw.n - 2), out->p, out->cap, &n))
        return TH_CORRUPT;
    out->n = n;
    return TH_OK;
}

static enum th_error read_url(struct th_engine *e, const struct th_endpoint *ep, struct th_json root,
                              struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_buf encrypted, plain;
    struct th_json v;
    enum th_error error;
    bool secret = false;

    if (th_json_member(root, TH_LIT("url_secret"), &v) && th_json_bool(v, &secret))
        out->url_secret = secret ? TH_URL_SECRET : TH_URL_OPEN;
    error = th_blob_member_is_encrypted(root, TH_LIT("url_sealed"), &v, &encrypted);
    th_buf_init(&plain, TH_MAX_SPEC_BYTES);
    if (error == TH_NOT_FOUND)
        error = read_string(root, TH_LIT("url"), mem, &out->url) ? TH_OK : TH_NOMEM;
    else if (!error && !th_engine_decrypt(e, ep->tenant->no, ep->no, TH_ENCRYPTED_NO_URL,
                                          th_buf_view(&encrypted), &plain))
        error = plain.failed ? plain.failed : TH_CORRUPT;
    else if (!error && !th_arena_copy(mem, th_buf_view(&plain), &out->url))
        error = TH_NOMEM;
    th_buf_fini(&encrypted);
    th_buf_wipe(&plain);
    return error;
}

static enum th_error read_headers(struct th_engine *e, const struct th_endpoint *ep, struct th_json root,
                                  struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_header *headers = th_arena_get(mem, TH_MAX_HEADERS * sizeof *headers);
    struct th_buf encrypted, plain, text;
    struct th_json v, key, value;
    struct th_json_iter it;
    enum th_error error;

    if (!headers)
        return TH_NOMEM;
    out->headers = headers;
    error = th_blob_member_is_encrypted(root, TH_LIT("headers_sealed"), &v, &encrypted);
    th_buf_init(&plain, TH_MAX_SPEC_BYTES);
    th_buf_init(&text, TH_MAX_SPEC_BYTES);
    if (error) {
        error = error == TH_NOT_FOUND ? TH_OK : error;
        goto end;
    }
    error = TH_CORRUPT;
    if (!th_engine_decrypt(e, ep->tenant->no, ep->no, TH_ENCRYPTED_NO_HEADERS, th_buf_view(&encrypted),
                           &plain) ||
        th_json_parse(th_buf_view(&plain), 4, &v, NULL))
        goto end;
    error = TH_NOMEM;
    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &value) && out->header_count < TH_MAX_HEADERS) {
        struct th_header *h = &headers[out->header_count];
        th_buf_reset(&text);
        if (!th_json_string(key, &text) || !th_arena_copy(mem, th_buf_view(&text), &h->name))
            goto end;
        th_buf_reset(&text);
        if (!th_json_string(value, &text) || !th_arena_copy(mem, th_buf_view(&text), &h->value))
            goto end;
        out->header_count++;
    }
    error = TH_OK;
end:
    if (error && plain.failed)
        error = plain.failed;
    th_buf_fini(&encrypted);
    th_buf_wipe(&plain);
    th_buf_wipe(&text);
    return error;
}

static enum th_error read_reach(struct th_engine *e, const struct th_endpoint *ep, struct th_json root,
                                struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_reach *reach;
    struct th_buf encrypted, plain;
    struct th_json v;
    enum th_error error = th_blob_member_is_encrypted(root, TH_LIT("reach_sealed"), &v, &encrypted);

    th_buf_init(&plain, TH_MAX_SPEC_BYTES);
    if (error) {
        error = error == TH_NOT_FOUND ? TH_OK : error;
    } else if (!th_engine_decrypt(e, ep->tenant->no, ep->no, TH_ENCRYPTED_NO_REACH, th_buf_view(&encrypted),
                                  &plain) ||
               th_json_parse(th_buf_view(&plain), 4, &v, NULL)) {
        error = plain.failed ? plain.failed : TH_CORRUPT;
    } else {
        reach = th_arena_get(mem, sizeof *reach);
        out->reach = reach;
        error = reach ? th_reach_read(v, mem, reach) : TH_NOMEM;
    }
    th_buf_fini(&encrypted);
    th_buf_wipe(&plain);
    return error;
}

static bool read_ordering(struct th_json root, struct th_arena *mem, struct th_ordering *out)
{
    struct th_json v, key;

    if (!th_json_member(root, TH_LIT("ordering"), &v))
        return true;
    out->by = th_json_member(v, TH_LIT("key"), &key) ? TH_ORDER_KEY : TH_ORDER_ALL;
    out->max_wait_s = (uint32_t)read_i64(v, TH_LIT("max_wait"));
    out->batch = (uint32_t)read_i64(v, TH_LIT("batch"));
    return read_string(v, TH_LIT("key"), mem, &out->key);
}

static enum th_error read_events(struct th_json root, struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_span *events = th_arena_get(mem, TH_MAX_SUBSCRIPTIONS * sizeof *events);
    struct th_json list, v;
    struct th_json_iter it;
    struct th_buf text;
    bool ok = true;

    if (!events)
        return TH_NOMEM;
    out->events = events;
    if (!th_json_member(root, TH_LIT("events"), &list))
        return TH_OK;
    th_buf_init(&text, 1024);
    th_json_iter(&it, list);
    while (ok && th_json_next(&it, NULL, &v) && out->event_count < TH_MAX_SUBSCRIPTIONS) {
        th_buf_reset(&text);
        ok = th_json_string(v, &text) && th_arena_copy(mem, th_buf_view(&text), &events[out->event_count]);
        out->event_count += ok;
    }
    th_buf_fini(&text);
    return ok ? TH_OK : TH_NOMEM;
}

static enum th_error read_texts(struct th_json root, struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_json v;

    if (!read_string(root, TH_LIT("description"), mem, &out->description) ||
        !read_string(root, TH_LIT("filter"), mem, &out->filter) ||
        !read_string(root, TH_LIT("template"), mem, &out->payload) ||
        (th_json_member(root, TH_LIT("metadata"), &v) && !th_arena_copy(mem, v.raw, &out->metadata)))
        return TH_NOMEM;
    out->event_count = 0;
    return read_events(root, mem, out);
}

enum th_error th_blob_read_texts(struct th_span settings, struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_json root;

    return th_json_parse(settings, 16, &root, NULL) ? TH_CORRUPT : read_texts(root, mem, out);
}

static enum th_error read_retry(struct th_json root, struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_retry_own *own;
    struct th_retry_fault fault;
    struct th_json v;

    out->retry_until = read_i64(root, TH_LIT("retry_until"));
    if (!th_json_member(root, TH_LIT("retry"), &v))
        return TH_OK;
    own = th_arena_get(mem, sizeof *own);
    if (!own)
        return TH_NOMEM;
    *own = (struct th_retry_own){.delays = 0};
    out->retry = own;
    return th_retry_own_read(v, own, &fault) ? TH_CORRUPT : TH_OK;
}

/* Fills the spec and, from the same blob, rnd and the disabled mark of *ep. */
enum th_error th_blob_read_spec(struct th_engine *e, struct th_endpoint *ep, struct th_span settings,
                                struct th_arena *mem, struct th_endpoint_spec *out)
{
    struct th_json root, v;
    enum th_error error;
    bool on;

    *out = (struct th_endpoint_spec){0};
    if (th_json_parse(settings, 16, &root, NULL))
        return TH_CORRUPT;
    error = read_url(e, ep, root, mem, out);
    if (error)
        return error;
    if (!read_string(root, TH_LIT("variant"), mem, &out->variant) ||
        !read_string(root, TH_LIT("channels"), mem, &out->channels) ||
        !read_ordering(root, mem, &out->ordering))
        return TH_NOMEM;
    if (th_json_member(root, TH_LIT("reenable_on_test"), &v))
        (void)th_json_bool(v, &out->reenable_on_test);
    out->has_description = th_json_member(root, TH_LIT("description"), &v);
    if (th_json_member(root, TH_LIT("active"), &v))
        (void)th_json_bool(v, &out->active);
    out->method = (enum th_method)(read_i64(root, TH_LIT("method")) & 3);
    if (th_json_member(root, TH_LIT("form"), &v))
        (void)th_json_bool(v, &out->form);
    if (th_json_member(root, TH_LIT("pass_trace"), &v) && th_json_bool(v, &on))
        out->pass_trace = on ? TH_PASS_TRACE_ON : TH_PASS_TRACE_OFF;
    out->data_version = (uint32_t)read_i64(root, TH_LIT("data_version"));
    out->timeout_ms = (uint32_t)read_i64(root, TH_LIT("timeout_ms"));
    if (!out->timeout_ms) /* stored before parts of a second were taken */
        out->timeout_ms = (uint32_t)read_i64(root, TH_LIT("timeout_s")) * 1000;
    out->max_in_flight = (uint32_t)read_i64(root, TH_LIT("max_in_flight"));
    out->rate_per_s = (double)read_i64(root, TH_LIT("rate_milli")) / 1000.0;
    out->options = (uint32_t)read_i64(root, TH_LIT("options"));
    ep->rnd = (uint32_t)read_i64(root, TH_LIT("rnd"));
    ep->disabled_at.ms = read_i64(root, TH_LIT("disabled_at"));
    if (ep->disabled_at.ms) {
        /* one of a closed list of words: keep the static one */
        ep->disabled_reason = TH_LIT("failing");
        if (th_json_member(root, TH_LIT("disabled_reason"), &v))
            for (enum th_disable d = TH_DISABLE_EXHAUSTED; d <= TH_DISABLE_GONE; d++)
                if (th_json_string_eq(v, th_str(th_disable_name(d))))
                    ep->disabled_reason = th_str(th_disable_name(d));
    }
    ep->consent = (struct th_consent){0};
    if (th_json_member(root, TH_LIT("consent"), &v))
        ep->consent = (struct th_consent){.state = TH_CONSENT_ALLOWED,
                                          .at = {read_i64(v, TH_LIT("at"))},
                                          .origin = (uint64_t)read_i64(v, TH_LIT("origin")),
                                          .rate = (uint32_t)read_i64(v, TH_LIT("rate"))};
    error = read_retry(root, mem, out);
    if (!error)
        error = read_reach(e, ep, root, mem, out);
    if (!error)
        error = read_texts(root, mem, out);
    return error ? error : read_headers(e, ep, root, mem, out);
}
