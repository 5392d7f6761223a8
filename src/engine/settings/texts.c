/* The texts of an endpoint's settings: which of them are in memory, and how an endpoint with much text is
 * matched without them.
 *
 * Why: a subscription to 256 types, a description and metadata are 52 KiB, and no work for an event needs
 * their bytes. So for an endpoint with much text, memory has only what deliveries need (URL, header lines,
 * and a hash of each type that it wants); the texts are only in the store, and are read from there when
 * somebody looks at the endpoint or changes it. Nearly all endpoints are small, and have everything in
 * memory, in one piece.
 *
 * Invariants: (1) a run that has not been stored has all texts; (2) spec.text_rev names a revision that the store has, and
 * whose texts are those of this endpoint; (3) there is one copy of the header lines, wiped at the end. */
#include "engine/settings/texts.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "base/secret.h"
#include "engine/settings/blob.h"
#include "engine/settings/settings.h"
#include "engine/state.h"
#include "lib/crypto.h"

#define TEXT_KEPT 1536 /* bytes of texts, and of the spans of types, up to which all stays in memory */
#define ID_ROOM 64

enum th_want_form { WANT_TYPE, WANT_PREFIX, WANT_SUFFIX };

static size_t rounded(size_t n)
{
    const size_t align = _Alignof(max_align_t);

    return (n + align - 1) / align * align;
}

/* Copies to *at, with a NUL behind, and moves it. */
static struct th_span put(char **at, struct th_span s)
{
    char *p = *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    *at = p + s.n + 1;
    return th_span(p, s.n);
}

/* ---- sizes ---- */

static size_t text_bytes(const struct th_endpoint_spec *s)
{
    size_t n = s->description.n + s->metadata.n + s->filter.n + s->payload.n + 4;

    for (unsigned i = 0; i < s->event_count; i++)
        n += s->events[i].n + 1;
    return n;
}

static size_t line_bytes(const struct th_endpoint_spec *s)
{
    size_t n = 1;

    for (unsigned i = 0; i < s->header_count; i++)
        n += s->headers[i].name.n + s->headers[i].value.n + 4;
    return n;
}

/* At most: in Basic three bytes become four. */
static size_t auth_bytes(const struct th_endpoint_spec *s)
{
    return s->reach ? 64 + 2 * (s->reach->auth.name.n + s->reach->auth.secret.n) : 0;
}

/* ---- copying ---- */

/* Behind the custom ones; `room` bytes are left there. */
static bool add_auth(struct th_endpoint_run *run, const struct th_endpoint_spec *from, char *at, size_t room)
{
    struct th_buf line = {.p = at, .cap = room, .max = room};

    run->lines = run->custom;
    if (!from->reach)
        return true;
    th_auth_line(&from->reach->auth, false, &line);
    run->lines.n += line.n;
    return !line.failed;
}

static bool copy_lines(struct th_endpoint_run *run, const struct th_endpoint_spec *from, struct th_arena *mem)
{
    struct th_header *headers = th_arena_get(mem, from->header_count * sizeof *headers);
    char *lines = th_arena_get(&run->mem, line_bytes(from) + auth_bytes(from)), *at = lines;

    if (!headers || !lines)
        return false;
    for (unsigned i = 0; i < from->header_count; i++) {
        headers[i].name = put(&at, from->headers[i].name);
        at[-1] = ':';
        *at++ = ' ';
        headers[i].value = put(&at, from->headers[i].value);
        at[-1] = '\r';
        *at++ = '\n';
    }
    run->spec.headers = headers;
    run->custom = th_span(lines, (size_t)(at - lines));
    return add_auth(run, from, at, auth_bytes(from));
}

bool th_texts_line_next(struct th_span *lines, struct th_header *out)
{
    const char *colon = lines->n ? memchr(lines->p, ':', lines->n) : NULL, *end;

    if (!colon)
        return false;
    end = memchr(colon, '\r', lines->n - (size_t)(colon - lines->p));
    out->name = th_span(lines->p, (size_t)(colon - lines->p));
    out->value = th_span(colon + 2, (size_t)(end - colon) - 2);
    *lines = th_span(end + 2, lines->n - (size_t)(end + 2 - lines->p));
    return true;
}

/* The target is in the text of the URL, but for that of a URL without a path. */
static bool has_target(const struct th_endpoint_spec *from, const struct th_url *url)
{
    return url->target.p >= from->url.p && url->target.p <= from->url.p + from->url.n;
}

static size_t url_bytes(const struct th_endpoint_spec *from, const struct th_url *url)
{
    return from->url.n + from->variant.n + from->channels.n + from->ordering.key.n + url->host.n +
           url->authority.n + 6 + (has_target(from, url) ? 0 : url->target.n + 1);
}

static bool copy_url(struct th_endpoint_run *run, const struct th_endpoint_spec *from,
                     const struct th_url *url)
{
    char *at = th_arena_get(&run->mem, url_bytes(from, url));

    if (!at)
        return false;
    run->spec.url = put(&at, from->url);
    run->spec.variant = put(&at, from->variant);
    run->spec.channels = put(&at, from->channels);
    run->spec.ordering.key = put(&at, from->ordering.key);
    run->url =
        (struct th_run_url){.tls = url->tls, .literal = url->literal, .port = url->port, .addr = url->addr};
    run->url.host = put(&at, url->host);
    run->url.authority = put(&at, url->authority);
    run->url.target = has_target(from, url)
                          ? th_span(run->spec.url.p + (url->target.p - from->url.p), url->target.n)
                          : put(&at, url->target);
    return true;
}

static bool copy_texts(struct th_arena *mem, const struct th_endpoint_spec *from, struct th_endpoint_spec *to)
{
    struct th_span *events = th_arena_get(mem, from->event_count * sizeof *events);
    char *at = th_arena_get(mem, text_bytes(from));

    if (!events || !at)
        return false;
    for (unsigned i = 0; i < from->event_count; i++)
        events[i] = put(&at, from->events[i]);
    to->events = events;
    to->description = put(&at, from->description);
    to->metadata = put(&at, from->metadata);
    to->filter = put(&at, from->filter);
    to->payload = put(&at, from->payload);
    return true;
}

static size_t want_bytes(unsigned count)
{
    return sizeof(struct th_wanted) + count * sizeof(uint64_t);
}

static uint64_t word_of(enum th_want_form form, struct th_span s, uint64_t seed)
{
    return (th_hash(s, seed) & ~(uint64_t)0x3ff) | (uint64_t)form << 8 | (s.n & 0xff);
}

static const struct th_wanted *want_of(struct th_arena *mem, const struct th_endpoint_spec *from,
                                       uint64_t seed)
{
    struct th_wanted *want = th_arena_get(mem, want_bytes(from->event_count));

    if (!want)
        return NULL;
    want->seed = seed;
    for (unsigned i = 0; i < from->event_count; i++) {
        struct th_span s = from->events[i];
        enum th_want_form form = WANT_TYPE;

        if (s.n && s.p[s.n - 1] == '*') {
            form = WANT_PREFIX;
            s.n--;
        } else if (s.n && s.p[0] == '*') {
            form = WANT_SUFFIX;
            s = th_span(s.p + 1, s.n - 1);
        }
        want->word[i] = word_of(form, s, seed);
    }
    return want;
}

static const struct th_wanted *want_copy(struct th_arena *mem, const struct th_wanted *old, unsigned count)
{
    struct th_wanted *want = th_arena_get(mem, want_bytes(count));

    if (want)
        memcpy(want, old, want_bytes(count));
    return want;
}

static bool subscribes_all(const struct th_endpoint_spec *spec)
{
    if (spec->event_count == 0)
        return true;
    for (unsigned i = 0; i < spec->event_count; i++)
        if (th_span_is(spec->events[i], "*"))
            return true;
    return false;
}

/* The endpoint was parted before: what it has in memory is copied, and the rest stays in the store. */
static bool copy_parted(struct th_endpoint_run *run, const struct th_endpoint_spec *from,
                        const struct th_url *url, const struct th_endpoint_run *old)
{
    run->all = old->all;
    run->want = want_copy(&run->mem, old->want, from->event_count);
    if (!run->want || !copy_url(run, from, url) || !th_arena_copy(&run->mem, old->lines, &run->lines))
        return false;
    run->custom = th_span(run->lines.p, old->custom.n);
    return true;
}

static size_t retry_bytes(const struct th_endpoint_spec *from)
{
    return from->retry ? rounded(sizeof *from->retry) : 0;
}

static bool copy_retry(struct th_endpoint_run *run, const struct th_endpoint_spec *from)
{
    struct th_retry_own *own;

    if (!from->retry)
        return true;
    own = th_arena_get(&run->mem, sizeof *own);
    if (own)
        *own = *from->retry;
    run->spec.retry = own;
    return own != NULL;
}

/* Its id: two endpoints share connections and contexts where all of it is the same. */
static bool add_identity(struct th_endpoint_run *run, const struct th_own_tls *tls)
{
    struct th_client_tls *own = th_arena_get(&run->mem, sizeof *own);
    const struct th_span parts[] = {tls->ca, tls->certificate, tls->key};
    uint8_t hashes[sizeof parts / sizeof *parts][32], all[32];

    if (!own)
        return false;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        th_sha256(parts[i].p, parts[i].n, hashes[i]);
    th_sha256(hashes, sizeof hashes, all);
    memcpy(own->id, all, sizeof own->id);
    own->ca = tls->ca;
    own->certificate = tls->certificate;
    own->key = tls->key;
    run->identity = own;
    return true;
}

static bool add_token_url(struct th_endpoint_run *run, struct th_span text)
{
    struct th_run_url *to = th_arena_get(&run->mem, sizeof *to);
    struct th_url url;
    const char *why;

    if (!to || th_url_parse(text, &url, &why))
        return false;
    *to = (struct th_run_url){.tls = url.tls, .literal = url.literal, .port = url.port, .addr = url.addr};
    run->token_url = to;
    return th_arena_copy(&run->mem, url.host, &to->host) &&
           th_arena_copy(&run->mem, url.authority, &to->authority) &&
           th_arena_copy(&run->mem, url.target, &to->target);
}

static size_t reach_bytes(const struct th_endpoint_spec *from)
{
    const struct th_reach *r = from->reach;

    if (!r)
        return 0;
    return rounded(th_reach_size(r)) + (th_reach_tls(r) ? rounded(sizeof(struct th_client_tls)) : 0) +
           (r->auth.kind == TH_AUTH_OAUTH2 ? sizeof(struct th_run_url) + 2 * r->auth.token_url.n + 128 : 0);
}

static bool copy_reach(struct th_endpoint_run *run, const struct th_endpoint_spec *from)
{
    const struct th_reach *reach = run->spec.reach = th_reach_copy(from->reach, &run->mem);

    if (!from->reach)
        return true;
    return reach && (!th_reach_tls(reach) || add_identity(run, &reach->tls)) &&
           (reach->auth.kind != TH_AUTH_OAUTH2 || add_token_url(run, reach->auth.token_url));
}

/* In memory of its own until it is known how large it is. */
struct programs {
    const struct th_jsonpath *filter, *order;
    const struct th_payload *payload;
};

static enum th_error compile(const struct th_endpoint_spec *from, const struct th_endpoint_run *old,
                             struct th_arena *mem, struct programs *out)
{
    struct th_json root;
    enum th_error error = TH_OK;

    *out = (struct programs){NULL, NULL, NULL};
    th_arena_init(mem, 2 * TH_JSONPATH_COMPILED + 2 * TH_PAYLOAD_COMPILED);
    if (from->ordering.by == TH_ORDER_KEY)
        error = th_jsonpath_compile(from->ordering.key, mem, &out->order, NULL);
    if (from->text_rev) {
        out->filter = old->filter;
        out->payload = old->payload;
        return error;
    }
    if (!error && from->filter.n)
        error = th_jsonpath_compile(from->filter, mem, &out->filter, NULL);
    if (!error && from->payload.n)
        error = th_json_parse(from->payload, TH_JSON_DEPTH, &root, NULL);
    if (!error && from->payload.n)
        error = th_payload_compile(root, mem, &out->payload, NULL);
    return error;
}

static bool copy_programs(struct th_endpoint_run *run, const struct programs *p)
{
    run->filter = p->filter ? th_jsonpath_copy(p->filter, &run->mem) : NULL;
    run->payload = p->payload ? th_payload_copy(p->payload, &run->mem) : NULL;
    run->order = p->order ? th_jsonpath_copy(p->order, &run->mem) : NULL;
    return !run->filter == !p->filter && !run->payload == !p->payload && !run->order == !p->order;
}

static enum th_error copy_run(struct th_engine *e, struct th_endpoint_run *run,
                              const struct th_endpoint_spec *from, const struct th_url *url,
                              const struct th_endpoint_run *old, const struct programs *programs)
{
    size_t headers = from->header_count * sizeof(struct th_header),
           spans = from->event_count * sizeof(struct th_span),
           lines = from->text_rev ? old->lines.n + 1 : line_bytes(from) + auth_bytes(from),
           texts = from->text_rev ? 0 : rounded(spans) + rounded(text_bytes(from)) + rounded(headers),
           compiled = (programs->filter ? rounded(th_jsonpath_size(programs->filter)) : 0) +
                      (programs->order ? rounded(th_jsonpath_size(programs->order)) : 0) +
                      (programs->payload ? rounded(th_payload_size(programs->payload)) : 0),
           kept = rounded(lines) + rounded(url_bytes(from, url)) + compiled + retry_bytes(from) +
                  reach_bytes(from) + ID_ROOM;
    bool large = from->text_rev || texts > TEXT_KEPT;
    struct th_arena *mem = large ? &run->text : &run->mem;

    th_arena_init(&run->mem, 2 * TH_MAX_SPEC_BYTES);
    th_arena_init(&run->text, 2 * TH_MAX_SPEC_BYTES);
    run->spec = *from;
    if (!th_arena_reserve(&run->mem, kept + (large ? rounded(want_bytes(from->event_count)) : texts)))
        return TH_NOMEM;
    if (!copy_programs(run, programs) || !copy_retry(run, from) || !copy_reach(run, from))
        return TH_NOMEM;
    if (from->text_rev)
        return copy_parted(run, from, url, old) ? TH_OK : TH_NOMEM;
    run->all = subscribes_all(from);
    if (large &&
        (!th_arena_reserve(&run->text, texts) || !(run->want = want_of(&run->mem, from, e->hash_seed))))
        return TH_NOMEM;
    return copy_texts(mem, from, &run->spec) && copy_lines(run, from, mem) && copy_url(run, from, url)
               ? TH_OK
               : TH_NOMEM;
}

enum th_error th_texts_copy(struct th_engine *e, struct th_endpoint_run *run,
                            const struct th_endpoint_spec *from, const struct th_url *url,
                            const struct th_endpoint_run *old)
{
    struct programs programs;
    struct th_arena mem;
    enum th_error error = compile(from, old, &mem, &programs);

    if (error == TH_MALFORMED)
        error = TH_CORRUPT; /* what was stored had been compiled before */
    if (!error)
        error = copy_run(e, run, from, url, old, &programs);
    run->spec.has_filter = run->filter;
    run->spec.has_template = run->payload;
    th_arena_fini(&mem);
    return error;
}

void th_texts_part(struct th_endpoint *ep)
{
    struct th_endpoint_run *run = ep->run;

    if (!run->want)
        return;
    run->spec.text_rev = ep->rev;
    run->spec.events = NULL;
    run->spec.headers = NULL;
    run->spec.description = run->spec.metadata = run->spec.filter = run->spec.payload = th_span("", 0);
    th_arena_fini(&run->text);
    ep->spec = run->spec;
}

/* ---- matching ---- */

bool th_texts_wanted_has(const struct th_endpoint_run *run, struct th_span type, bool by_name)
{
    const struct th_wanted *want = run->want;
    uint64_t whole = word_of(WANT_TYPE, type, want->seed);

    for (unsigned i = 0; i < run->spec.event_count; i++) {
        uint64_t word = want->word[i];
        enum th_want_form form = (enum th_want_form)(word >> 8 & 3);
        size_t n = word & 0xff;

        if (word == whole)
            return true;
        if (form == WANT_TYPE || by_name || n >= type.n)
            continue;
        if (word_of(form, th_span(form == WANT_PREFIX ? type.p : type.p + type.n - n, n), want->seed) == word)
            return true;
    }
    return false;
}

/* ---- all of it again ---- */

enum th_error th_engine_spec(struct th_engine *e, const struct th_endpoint *ep, struct th_arena *mem,
                             struct th_endpoint_spec *out)
{
    struct th_span lines = ep->run->custom;
    struct th_header *headers;
    struct th_buf settings;
    enum th_error error;

    *out = ep->spec;
    if (!out->text_rev)
        return TH_OK;
    headers = th_arena_get(mem, out->header_count * sizeof *headers);
    if (!headers)
        return TH_NOMEM;
    out->headers = headers;
    while (th_texts_line_next(&lines, headers)) /* custom ones alone */
        headers++;
    th_buf_init(&settings, 2 * TH_MAX_SPEC_BYTES);
    error = e->options.store->vt->endpoint_settings(e->options.store, ep->no, out->text_rev, &settings);
    if (!error)
        error = th_blob_read_texts(th_buf_view(&settings), mem, out);
    out->text_rev = 0;
    th_buf_fini(&settings);
    if (error)
        th_log(TH_LOG_ERROR, "the texts of an endpoint cannot be read from the store",
               TH_KS("endpoint", ep->run->id), TH_KC("error", th_error_name(error)));
    return error;
}
