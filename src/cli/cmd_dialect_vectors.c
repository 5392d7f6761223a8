/* Runs vectors: inputs of one attempt → the exact bytes of its request.
 *
 * Why in the binary: whoever writes a dialect checks it with the same renderer that will send, against bytes
 * that the vendor's own verifier has accepted. docs/dialects.md describes the file.
 *
 * Refuses: a file that is not JSON, without "wire", or of a dialect that is not loaded. A mistake in a case
 * fails only that case. Input is only the user's own file, but every read is checked; memory of a case goes
 * with it. */
#include "base/arena.h"
#include "cli/cmd_dialect.h"
#include "core/guard.h"
#include <stdarg.h>
#include <stdio.h>

#define CASE_MAX ((size_t)32 << 20)
#define KEYS_MAX 16

struct one_case {
    const struct th_dialect *d;
    struct th_json in, expected;
    struct th_arena mem;
    struct th_render r;
    struct th_sign_key key[KEYS_MAX];
    const struct th_sign_key *keys[KEYS_MAX];
    struct th_buf head, body, request;
    char why[512];
};

static bool fail(struct one_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct one_case *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
    return false;
}

/* ---- reading ---- */

static bool member(struct th_json object, const char *name, struct th_json *out)
{
    return th_json_member(object, th_str(name), out) && out->type != TH_JSON_NULL;
}

/* A string's text, or the raw text of another value; empty when absent. False: no memory. */
static bool text_of(struct one_case *c, struct th_json object, const char *name, struct th_span *out)
{
    struct th_json v;
    struct th_buf text;
    bool ok;

    *out = th_span("", 0);
    if (!member(object, name, &v))
        return true;
    if (v.type != TH_JSON_STRING) {
        *out = v.raw;
        return true;
    }
    th_buf_init(&text, CASE_MAX);
    th_json_string(v, &text);
    ok = !text.failed && th_arena_copy(&c->mem, th_buf_view(&text), out);
    th_buf_fini(&text);
    if (ok && !out->p)
        *out = th_span("", 0);
    return ok || fail(c, "out of memory");
}

static bool int_of(struct one_case *c, struct th_json object, const char *name, int64_t fallback,
                   int64_t *out)
{
    struct th_json v;

    *out = fallback;
    return !member(object, name, &v) || th_json_i64(v, out) ||
           fail(c, "inputs: %s must be a whole number", name);
}

static bool read_event(struct one_case *c, struct th_json event)
{
    struct th_render *r = &c->r;
    struct th_span time;
    struct th_json v;

    if (!text_of(c, event, "id", &r->event_id) || !text_of(c, event, "type", &r->event_type) ||
        !text_of(c, event, "resource_type", &r->resource_type) ||
        !text_of(c, event, "resource_id", &r->resource_id) || !text_of(c, event, "time", &time) ||
        !text_of(c, event, "data_json", &r->data))
        return false;
    if (r->data.n == 0 && member(event, "data", &v))
        r->data = v.raw;
    if (r->resource_type.n == 0)
        r->resource_type = th_dialect_resource(c->d, r->event_type);
    return time.n == 0 || th_wall_parse(time, &r->event_time) ||
           fail(c, "inputs: event.time is not an RFC 3339 time");
}

static bool read_options(struct one_case *c, struct th_json endpoint)
{
    struct th_json options, key, value;
    struct th_json_iter it;
    bool on = false;

    c->r.options = th_dialect_values(c->d)->options_default;
    if (!member(endpoint, "options", &options))
        return true;
    th_json_iter(&it, options);
    while (th_json_next(&it, &key, &value)) {
        struct th_span name = th_span(key.raw.p + 1, key.raw.n - 2);
        uint32_t bit = th_dialect_option(c->d, name);
        if (!bit || !th_json_bool(value, &on))
            return fail(c, "inputs: the dialect has no option %.*s, or its value is not true or false",
                        (int)name.n, name.p);
        c->r.options = on ? c->r.options | bit : c->r.options & ~bit;
    }
    return true;
}

static bool read_endpoint(struct one_case *c, struct th_json endpoint)
{
    const struct th_dialect_values *v = th_dialect_values(c->d);
    struct th_span form;

    if (!text_of(c, endpoint, "id", &c->r.endpoint_id) || !text_of(c, endpoint, "url", &c->r.endpoint_url) ||
        !text_of(c, endpoint, "signature_form", &form) ||
        (form.n == 0 && !text_of(c, endpoint, "signature_variant", &form)))
        return false;
    while (form.n && c->r.variant < v->variant_count && !th_span_eq(v->variants[c->r.variant], form))
        c->r.variant++;
    if (form.n && c->r.variant == v->variant_count)
        return fail(c, "inputs: the dialect has no variant %s", form.p);
    return read_options(c, endpoint);
}

/* The secrets that are active at the attempt, in the order of the file: newest first. */
static bool read_secrets(struct one_case *c)
{
    struct th_json secrets, secret;
    struct th_json_iter it;
    struct th_span value, state;
    int64_t until;

    c->r.keys = c->keys;
    if (!member(c->in, "secrets", &secrets))
        return true;
    th_json_iter(&it, secrets);
    while (th_json_next(&it, NULL, &secret)) {
        if (!text_of(c, secret, "value", &value) || !text_of(c, secret, "state", &state) ||
            !int_of(c, secret, "until_unix", INT64_MAX, &until))
            return false;
        if (c->r.at_unix >= until || th_span_is(state, "expired") || th_span_is(state, "revoked"))
            continue;
        if (c->r.key_count == KEYS_MAX)
            return fail(c, "inputs: more than %d secrets", KEYS_MAX);
        if (th_dialect_key_init(c->d, value, &c->key[c->r.key_count]))
            return fail(c, "inputs: a secret does not have the dialect's form");
        c->keys[c->r.key_count] = &c->key[c->r.key_count];
        c->r.key_count++;
    }
    return true;
}

static bool read_inputs(struct one_case *c)
{
    struct th_json v;
    int64_t number;

    if (!member(c->in, "attempt", &v) || !int_of(c, v, "number", 1, &number) ||
        !int_of(c, v, "at_unix", 0, &c->r.at_unix))
        return c->why[0] ? false : fail(c, "inputs: attempt with number and at_unix is missing");
    if (number < 1 || number > 1000)
        return fail(c, "inputs: attempt.number must be from 1 to 1000");
    c->r.attempt = (unsigned)number;
    if (member(c->in, "tenant", &v)) {
        struct th_json attributes;
        if (!text_of(c, v, "id", &c->r.tenant_id))
            return false;
        if (member(v, "attributes", &attributes))
            c->r.attributes = attributes.raw;
    }
    c->r.delivery_id = TH_LIT("dlv_vector");
    if (member(c->in, "delivery", &v) && !text_of(c, v, "id", &c->r.delivery_id))
        return false;
    return member(c->in, "event", &v) && read_event(c, v) && member(c->in, "endpoint", &v) &&
                   read_endpoint(c, v)
               ? read_secrets(c)
           : c->why[0] ? false
                       : fail(c, "inputs: event or endpoint is missing");
}

/* ---- rendering, in the way that engine and transport put a request together ---- */

static bool render(struct one_case *c)
{
    struct th_span given, method = th_dialect_method(c->d);
    struct th_json event;
    struct th_url url;
    const char *why;
    bool shared;

    if (!member(c->in, "event", &event) || !text_of(c, event, "body_given", &given))
        return fail(c, "inputs: event is missing");
    if (given.n)
        th_buf_span(&c->body, given); /* a vector of the head alone */
    else if ((why = th_dialect_missing(c->d, &c->r)) != NULL)
        return fail(c, "the envelope needs %s, which the event lacks", why);
    else if (th_dialect_body(c->d, &c->r, &c->body, &shared))
        return fail(c, "the body cannot be made");
    if (th_dialect_head(c->d, &c->r, th_buf_view(&c->body), &c->head, NULL, false))
        return fail(c, "the head cannot be made: no secret that fits, or a value that a header cannot carry");
    if (th_url_parse(c->r.endpoint_url, &url, &why))
        return fail(c, "inputs: endpoint.url: %s", why);
    th_buf_span(&c->request, method);
    th_buf_char(&c->request, ' ');
    th_buf_span(&c->request, url.target);
    th_buf_str(&c->request, " HTTP/1.1\r\nHost: ");
    th_buf_span(&c->request, url.authority);
    th_buf_str(&c->request, "\r\n");
    th_buf_span(&c->request, th_buf_view(&c->head));
    th_buf_printf(&c->request, "Content-Length: %zu\r\n\r\n", c->body.n);
    th_buf_span(&c->request, th_buf_view(&c->body));
    return !c->request.failed || fail(c, "out of memory");
}

/* ---- comparing ---- */

/* Reports the first line in which two texts differ. */
static bool same(struct one_case *c, const char *what, struct th_span got, struct th_span want)
{
    size_t i = 0, start, end_got, end_want;
    unsigned line = 1;

    if (th_span_eq(got, want))
        return true;
    while (i < got.n && i < want.n && got.p[i] == want.p[i])
        line += got.p[i++] == '\n';
    for (start = i; start && got.p[start - 1] != '\n'; start--)
        ;
    for (end_got = start; end_got < got.n && got.p[end_got] != '\r' && got.p[end_got] != '\n'; end_got++)
        ;
    for (end_want = start; end_want < want.n && want.p[end_want] != '\r' && want.p[end_want] != '\n';
         end_want++)
        ;
    return fail(c, "%s, line %u: is \"%.*s\", not \"%.*s\"", what, line,
                (int)(end_got - start < 180 ? end_got - start : 180), got.p + start,
                (int)(end_want - start < 180 ? end_want - start : 180), want.p + start);
}

static bool find_field(struct th_span head, struct th_span name, struct th_span *value)
{
    const char *p = head.p, *end = p + head.n;

    while (p < end) {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2), *colon;
        if (!eol)
            return false;
        colon = memchr(p, ':', (size_t)(eol - p));
        if (colon && colon + 2 <= eol && th_span_ieq(th_span(p, (size_t)(colon - p)), name)) {
            *value = th_span(colon + 2, (size_t)(eol - colon - 2));
            return true;
        }
        p = eol + 2;
    }
    return false;
}

static unsigned count_fields(struct th_span head)
{
    unsigned n = 0;

    for (size_t i = 0; i + 1 < head.n; i++)
        n += head.p[i] == '\r' && head.p[i + 1] == '\n';
    return n;
}

/* Fields by name, in any order; free_headers may be there with any value; others may not. */
static bool check_fields(struct one_case *c)
{
    struct th_span head = th_buf_view(&c->head), got, want, name;
    struct th_json fields, key, value;
    struct th_json_iter it;
    unsigned known = 0;

    if (!member(c->expected, "headers", &fields))
        return true;
    th_json_iter(&it, fields);
    while (th_json_next(&it, &key, &value)) {
        name = th_span(key.raw.p + 1, key.raw.n - 2);
        struct th_json wrapped = fields;
        char path[128];
        snprintf(path, sizeof path, "%.*s", (int)name.n, name.p);
        if (!text_of(c, wrapped, path, &want))
            return false;
        if (!find_field(head, name, &got))
            return fail(c, "there is no header %s", path);
        if (!same(c, path, got, want))
            return false;
        known++;
    }
    if (member(c->expected, "free_headers", &fields)) {
        th_json_iter(&it, fields);
        while (th_json_next(&it, NULL, &value))
            known += find_field(head, th_span(value.raw.p + 1, value.raw.n - 2), &got);
    }
    return known == count_fields(head) || fail(c, "%u headers, not %u", count_fields(head), known);
}

/* {version} in an expected request stands for the version of this binary (User-Agent). */
static bool check_request(struct one_case *c)
{
    static const char mark[] = "{version}";
    struct th_span want, rest;
    struct th_buf text;
    const char *at;
    bool ok;

    if (!text_of(c, c->expected, "request", &want))
        return false;
    if (want.n == 0)
        return true;
    th_buf_init(&text, CASE_MAX);
    for (rest = want; (at = memmem(rest.p, rest.n, mark, sizeof mark - 1)) != NULL;) {
        th_buf_add(&text, rest.p, (size_t)(at - rest.p));
        th_buf_str(&text, TH_VERSION);
        at += sizeof mark - 1;
        rest = th_span(at, rest.n - (size_t)(at - rest.p));
    }
    th_buf_span(&text, rest);
    ok = text.failed ? fail(c, "out of memory")
                     : same(c, "request", th_buf_view(&c->request), th_buf_view(&text));
    th_buf_fini(&text);
    return ok;
}

static bool check_rest(struct one_case *c)
{
    struct th_span want;
    struct th_json v;

    if (!member(c->expected, "request", &v) && !member(c->expected, "body", &v))
        return fail(c, "expected has neither request nor body");
    if (member(c->expected, "body", &v)) {
        if (!text_of(c, c->expected, "body", &want) || !same(c, "body", th_buf_view(&c->body), want))
            return false;
    }
    if (member(c->expected, "method", &v)) {
        if (!text_of(c, c->expected, "method", &want) || !same(c, "method", th_dialect_method(c->d), want))
            return false;
    }
    return true;
}

/* ---- cases ---- */

static bool run_case(struct one_case *c)
{
    return read_inputs(c) && render(c) && check_rest(c) && check_fields(c) && check_request(c);
}

static void report(struct th_buf *out, struct th_jw *w, bool json, struct th_span name,
                   const struct one_case *c, bool ok)
{
    if (!json) {
        th_buf_printf(out, "%s %.*s%s%s\n", ok ? "ok  " : "FAIL", (int)name.n, name.p, ok ? "" : ": ",
                      c->why);
        return;
    }
    th_jw_object(w);
    th_jw_key(w, TH_LIT("name"));
    th_jw_string(w, name);
    th_jw_key(w, TH_LIT("passed"));
    th_jw_bool(w, ok);
    if (!ok) {
        th_jw_key(w, TH_LIT("why"));
        th_jw_string(w, th_str(c->why));
    }
    th_jw_key(w, TH_LIT("request"));
    th_jw_string(w, th_buf_view(&c->request));
    th_jw_end_object(w);
}

static bool one(const struct th_dialect *d, struct th_json row, bool json, struct th_buf *out,
                struct th_jw *w)
{
    struct one_case c = {.d = d};
    struct th_span name = {"", 0};
    bool ok;

    th_arena_init(&c.mem, CASE_MAX);
    th_buf_init(&c.head, CASE_MAX);
    th_buf_init(&c.body, CASE_MAX);
    th_buf_init(&c.request, CASE_MAX);
    ok = text_of(&c, row, "name", &name) &&
         (member(row, "inputs", &c.in) && member(row, "expected", &c.expected)
              ? run_case(&c)
              : fail(&c, "a case needs inputs and expected"));
    report(out, w, json, name, &c, ok);
    for (unsigned i = 0; i < c.r.key_count; i++)
        th_dialect_key_fini(&c.key[i]);
    th_buf_fini(&c.head);
    th_buf_fini(&c.body);
    th_buf_fini(&c.request);
    th_arena_fini(&c.mem);
    return ok;
}

static const struct th_dialect *named(const struct th_dialect_set *set, struct th_json name)
{
    for (unsigned i = 0; i < set->count; i++)
        if (name.type == TH_JSON_STRING && th_json_string_eq(name, th_dialect_values(set->v[i])->name))
            return set->v[i];
    return NULL;
}

bool th_dialect_vectors(const struct th_dialect_set *set, const char *file, struct th_span text, bool json,
                        struct th_buf *out, unsigned *passed, unsigned *failed, char *why, size_t why_size)
{
    struct th_json_error error = {0};
    struct th_json root, name, wire, row;
    struct th_json_iter it;
    struct th_jw w = th_jw(out);
    const struct th_dialect *d;

    if (th_json_parse(text, TH_JSON_DEPTH, &root, &error) != TH_OK) {
        snprintf(why, why_size, "%s:%u: %s", file, error.line, error.what);
        return false;
    }
    if (!member(root, "dialect", &name) || !member(root, "wire", &wire) || wire.type != TH_JSON_ARRAY) {
        snprintf(why, why_size, "%s: needs \"dialect\" (a name) and \"wire\" (a list of cases)", file);
        return false;
    }
    d = named(set, name);
    if (!d) {
        snprintf(why, why_size, "%s: no dialect %.*s is loaded (--dialects DIR adds some)", file,
                 (int)name.raw.n, name.raw.p);
        return false;
    }
    if (json) {
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("file"));
        th_jw_string(&w, th_str(file));
        th_jw_key(&w, TH_LIT("dialect"));
        th_jw_string(&w, th_dialect_values(d)->name);
        th_jw_key(&w, TH_LIT("cases"));
        th_jw_array(&w);
    }
    th_json_iter(&it, wire);
    while (th_json_next(&it, NULL, &row))
        ++*(one(d, row, json, out, &w) ? passed : failed);
    if (json) {
        th_jw_end_array(&w);
        th_jw_end_object(&w);
    }
    return true;
}
