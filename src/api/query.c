/* Query parameters and cursors.
 *
 * Refused with 400 and the parameter's name: what the route does not know (unless the dialect ignores such),
 * a parameter given twice, malformed escapes, limits outside 1..1000, times that are not RFC 3339, cursors
 * that are not ours or belong to other filters. '+' is a plus sign, not a space: no parameter has spaces, and
 * times have offsets.
 *
 * A cursor is base64url of version, number and a hash over tenant, path and filters. The number is hidden, because it counts
 * rows of the whole installation; cursors of version 1, where it is not, are still taken. It is no secret and no
 * capability: rows are looked up within the tenant whatever it says; the hash only catches mistakes. */
#include "api/private.h"
#include "lib/crypto.h"
#include <stdio.h>

#define CURSOR_VERSION 2
#define CURSOR_PLAIN 1  /* the number as it is */
#define CURSOR_BYTES 17 /* version, 8 bytes number, 8 bytes hash */

bool th_api_percent(struct th_api_req *r, struct th_span in, struct th_span *out)
{
    char *to;
    size_t n = 0;

    if (!in.n || !memchr(in.p, '%', in.n)) {
        *out = in;
        return true;
    }
    to = th_arena_get(&r->mem, in.n);
    if (!to)
        return false;
    for (size_t i = 0; i < in.n; i++) {
        int hi, lo;
        if (in.p[i] != '%') {
            to[n++] = in.p[i];
            continue;
        }
        if (in.n - i < 3 || (hi = th_hex_value(in.p[i + 1])) < 0 || (lo = th_hex_value(in.p[i + 2])) < 0 ||
            hi + lo == 0)
            return false;
        to[n++] = (char)(hi << 4 | lo);
        i += 2;
    }
    *out = th_span(to, n);
    return true;
}

static bool known(const char *names, struct th_span name)
{
    while (*names) {
        size_t n = strcspn(names, " ");
        if (n == name.n && memcmp(names, name.p, n) == 0)
            return true;
        names += n;
        names += *names == ' ';
    }
    return false;
}

/* Parameters that take several values, with commas between. */
#define LISTS "status outcome status_code"

/* Adds one "name=value"; notes a fault. */
static void add(struct th_api_req *r, struct th_span pair)
{
    struct th_span value = pair, name = th_span_cut(&value, '=');
    struct th_span seen;
    char text[65];
    bool escapes;

    escapes = th_api_percent(r, name, &name) && th_api_percent(r, value, &value);
    snprintf(text, sizeof text, "%.*s", (int)(name.n < 64 ? name.n : 64), name.p);
    if (!escapes) {
        th_api_error_param(r, text, "has a malformed percent-escape");
        return;
    }
    if (!known(r->route->query, name) && r->shaped && r->dialect &&
        th_dialect_values(r->dialect)->ignore_unknown_fields)
        return;
    if (!known(r->route->query, name))
        th_api_error_param(
            r, text, r->route->query[0] ? "unknown query parameter; known: %s" : "unknown query parameter%s",
            r->route->query);
    else if (th_api_param(r, text, &seen))
        th_api_error_param(r, text,
                           known(LISTS, name) ? "is given twice; write several values with commas between"
                                              : "is given twice");
    else if (r->query_count < TH_API_MAX_QUERY)
        r->query[r->query_count++] = (struct th_api_pair){name, value};
}

bool th_api_fail_query(struct th_api_req *r)
{
    const struct th_api_error *e = &r->errors[0];

    if (r->error_count == 0)
        th_api_fail_nomem(r);
    else
        th_api_fail(r, 400, "query parameter %.*s: %.*s", (int)e->pointer.n, e->pointer.p, (int)e->detail.n,
                    e->detail.p);
    return false;
}

bool th_api_query(struct th_api_req *r)
{
    struct th_span rest = r->x->query;

    if (!rest.n)
        return true;
    while (rest.n && r->error_count < TH_API_MAX_ERRORS) {
        struct th_span pair = th_span_cut(&rest, '&');
        if (pair.n)
            add(r, pair);
    }
    return r->error_count ? th_api_fail_query(r) : true;
}

bool th_api_param(const struct th_api_req *r, const char *name, struct th_span *value)
{
    for (unsigned i = 0; i < r->query_count; i++)
        if (th_span_is(r->query[i].name, name)) {
            *value = r->query[i].value;
            return true;
        }
    return false;
}

bool th_api_flag(struct th_api_req *r, const char *name, bool *out)
{
    struct th_span value = {"", 0};

    *out = th_api_param(r, name, &value) && th_span_is(value, "true");
    if (*out || !value.n || th_span_is(value, "false"))
        return true;
    th_api_error_param(r, name, "must be true or false");
    return th_api_fail_query(r);
}

bool th_api_with_tests(struct th_api_req *r, struct th_page *page)
{
    bool with;

    if (!th_api_flag(r, "include_tests", &with))
        return false;
    page->without_tests = !with;
    return true;
}

/* Hash over everything that a cursor belongs to: tenant, path, and lines "name=value" of the filters. */
static void hash_of(struct th_api_req *r, struct th_span path, struct th_span filters, uint8_t out[8])
{
    uint8_t digest[32];
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    th_buf_span(&text, th_api_tenant_id(r));
    th_buf_char(&text, '\n');
    th_buf_span(&text, path);
    th_buf_span(&text, filters);
    th_sha256(text.p, text.n, digest);
    memcpy(out, digest, 8);
    th_buf_fini(&text);
}

static void filter_line(struct th_buf *text, struct th_span name, struct th_span value)
{
    th_buf_char(text, '\n');
    th_buf_span(text, name);
    th_buf_char(text, '=');
    th_buf_span(text, value);
}

/* Of the list that the request asks for. */
static void filter_hash(struct th_api_req *r, uint8_t out[8])
{
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    for (const char *names = r->route->query;
         *names;) { /* in the order of the table, so that the client's is free */
        size_t n = strcspn(names, " ");
        for (unsigned i = 0; i < r->query_count; i++)
            if (th_span_eq(r->query[i].name, th_span(names, n)) && !th_span_is(r->query[i].name, "limit") &&
                !th_span_is(r->query[i].name, "cursor") && !th_span_is(r->query[i].name, "after"))
                filter_line(&text, r->query[i].name, r->query[i].value);
        names += n;
        names += *names == ' ';
    }
    hash_of(r, r->x->path, th_buf_view(&text), out);
    th_buf_fini(&text);
}

static uint64_t tweak_of(const uint8_t hash[8])
{
    uint64_t n;

    memcpy(&n, hash, sizeof n);
    return n;
}

static bool read_cursor(struct th_api_req *r, const char *name, struct th_span text, uint64_t *no)
{
    uint8_t bytes[CURSOR_BYTES], hash[8];
    size_t n;

    if (!th_unbase64url(text, bytes, sizeof bytes, &n) || n != CURSOR_BYTES ||
        (bytes[0] != CURSOR_VERSION && bytes[0] != CURSOR_PLAIN)) {
        th_api_error_param(r, name, "is no cursor of this API");
        return false;
    }
    filter_hash(r, hash);
    if (memcmp(hash, bytes + 9, 8) != 0) {
        th_api_error_param(r, name, "belongs to a list with other filters");
        return false;
    }
    *no = 0;
    for (int i = 1; i <= 8; i++)
        *no = *no << 8 | bytes[i];
    if (bytes[0] == CURSOR_VERSION)
        *no = th_engine_show(r->api->engine, tweak_of(hash), *no);
    return true;
}

bool th_api_paging(struct th_api_req *r, uint32_t *limit, uint64_t *before)
{
    struct th_span text;
    uint64_t n = 100;

    *before = 0;
    if (th_api_param(r, "limit", &text) && (!th_span_u64(text, 1000, &n) || n == 0)) {
        th_api_error_param(r, "limit", "must be an integer from 1 to 1000");
        return th_api_fail_query(r);
    }
    *limit = (uint32_t)n;
    if (th_api_param(r, "cursor", &text) && !read_cursor(r, "cursor", text, before))
        return th_api_fail_query(r);
    return true;
}

bool th_api_after(struct th_api_req *r, bool *given, uint64_t *after)
{
    struct th_span text;

    *after = 0;
    *given = th_api_param(r, "after", &text);
    return !*given || read_cursor(r, "after", text, after) || th_api_fail_query(r);
}

bool th_api_since_until(struct th_api_req *r, int64_t *since, int64_t *until)
{
    const char *names[2] = {"since", "until"};
    int64_t *to[2] = {since, until};

    for (int i = 0; i < 2; i++) {
        struct th_span text;
        struct th_wall t;
        *to[i] = 0;
        if (!th_api_param(r, names[i], &text))
            continue;
        if (!th_wall_parse(text, &t)) {
            th_api_error_param(r, names[i], "must be an RFC 3339 time, such as 2026-04-02T08:00:00Z");
            return th_api_fail_query(r);
        }
        *to[i] = t.ms > 1 ? t.ms : 1; /* 0 means no bound */
    }
    return true;
}

static void write_cursor(struct th_api_req *r, uint64_t before, const uint8_t hash[8], struct th_buf *out)
{
    uint8_t bytes[CURSOR_BYTES] = {CURSOR_VERSION};

    before = th_engine_hide(r->api->engine, tweak_of(hash), before);

    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (uint8_t)(before >> (56 - 8 * i));
    memcpy(bytes + 9, hash, 8);
    th_base64url(out, bytes, sizeof bytes);
}

void th_api_cursor(struct th_api_req *r, uint64_t before, struct th_buf *out)
{
    uint8_t hash[8];

    filter_hash(r, hash);
    write_cursor(r, before, hash, out);
}

void th_api_cursor_of(struct th_api_req *r, struct th_span path, struct th_span name, struct th_span value,
                      uint64_t before, struct th_buf *out)
{
    uint8_t hash[8];
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    filter_line(&text, name, value);
    hash_of(r, path, th_buf_view(&text), hash);
    th_buf_fini(&text);
    write_cursor(r, before, hash, out);
}

void th_api_next_cursor(struct th_api_req *r, struct th_jw *w, uint64_t before)
{
    th_jw_key(w, TH_LIT("next_cursor"));
    if (!before) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("\""));
    th_api_cursor(r, before, w->out);
    th_buf_char(w->out, '"');
}

void th_api_next_link(struct th_api_req *r, uint64_t before)
{
    struct th_buf *f = &r->api->fields;

    if (!before)
        return;
    th_buf_str(f, "Link: <");
    th_buf_span(f, r->x->path);
    th_buf_str(f, "?cursor=");
    th_api_cursor(r, before, f);
    for (struct th_span rest = r->x->query; rest.n;) { /* the client's own spelling of the other parameters */
        struct th_span pair = th_span_cut(&rest, '&');
        if (!pair.n || th_span_starts(pair, TH_LIT("cursor=")))
            continue;
        th_buf_char(f, '&');
        th_buf_span(f, pair);
    }
    th_buf_str(f, ">; rel=\"next\"\r\n");
}

bool th_api_type_param(struct th_api_req *r, struct th_span *pattern)
{
    if (!th_api_param(r, "event_type", pattern) || pattern->n == 0 ||
        th_dialect_type_ok(r->dialect, *pattern, true))
        return true;
    th_api_fail(
        r, 400,
        "event_type can never match: give an event type (letters, digits, \"_\" and \"-\" joined by \".\"), "
        "\"invoice.*\", \"*.paid\" or \"*\"");
    return false;
}
