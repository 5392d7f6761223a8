/* Query parameters.
 *
 * Refused with 400 and the parameter's name: parameters that the route does not know (unless the dialect
 * ignores these), a parameter given twice, malformed escapes, limits outside 1..1000, times that are not RFC
 * 3339, cursors that are not ours or belong to other filters. '+' is a plus sign, not a space: no parameter
 * has spaces, and times have offsets. */
#include "api/query.h"
#include "api/cursor.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/request.h"
#include "net/tls_common.h"
#include <stdio.h>

bool th_api_query_percent(struct th_api_req *r, struct th_span in, struct th_span *out)
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

    escapes = th_api_query_percent(r, name, &name) && th_api_query_percent(r, value, &value);
    snprintf(text, sizeof text, "%.*s", (int)(name.n < 64 ? name.n : 64), name.p);
    if (!escapes) {
        th_api_fault_param(r, text, "has a malformed percent-escape");
        return;
    }
    if (!known(r->route->query, name) && r->shaped && r->dialect &&
        th_dialect_values(r->dialect)->ignore_unknown_fields)
        return;
    if (!known(r->route->query, name))
        th_api_fault_param(
            r, text, r->route->query[0] ? "unknown query parameter; known: %s" : "unknown query parameter%s",
            r->route->query);
    else if (th_api_query_param(r, text, &seen))
        th_api_fault_param(r, text,
                           known(LISTS, name) ? "is given twice; write several values with commas between"
                                              : "is given twice");
    else if (r->query_count < TH_API_MAX_QUERY)
        r->room->query[r->query_count++] = (struct th_api_pair){name, value};
}

bool th_api_query_fail(struct th_api_req *r)
{
    const struct th_api_fault *e = &r->room->errors[0];

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
    return r->error_count ? th_api_query_fail(r) : true;
}

bool th_api_query_param(const struct th_api_req *r, const char *name, struct th_span *value)
{
    for (unsigned i = 0; i < r->query_count; i++)
        if (th_span_is(r->room->query[i].name, name)) {
            *value = r->room->query[i].value;
            return true;
        }
    return false;
}

bool th_api_query_flag(struct th_api_req *r, const char *name, bool *out)
{
    struct th_span value = {"", 0};

    *out = th_api_query_param(r, name, &value) && th_span_is(value, "true");
    if (*out || !value.n || th_span_is(value, "false"))
        return true;
    th_api_fault_param(r, name, "must be true or false");
    return th_api_query_fail(r);
}

bool th_api_query_tests(struct th_api_req *r, struct th_page *page)
{
    bool with;

    if (!th_api_query_flag(r, "include_tests", &with))
        return false;
    page->without_tests = !with;
    return true;
}

bool th_api_query_paging(struct th_api_req *r, uint32_t *limit, uint64_t *before)
{
    struct th_span text;
    uint64_t n = 100;

    *before = 0;
    if (th_api_query_param(r, "limit", &text) && (!th_span_u64(text, 1000, &n) || n == 0)) {
        th_api_fault_param(r, "limit", "must be an integer from 1 to 1000");
        return th_api_query_fail(r);
    }
    *limit = (uint32_t)n;
    if (th_api_query_param(r, "cursor", &text) && !th_api_cursor_read(r, "cursor", text, before))
        return th_api_query_fail(r);
    return true;
}

bool th_api_query_after(struct th_api_req *r, bool *given, uint64_t *after)
{
    struct th_span text;

    *after = 0;
    *given = th_api_query_param(r, "after", &text);
    return !*given || th_api_cursor_read(r, "after", text, after) || th_api_query_fail(r);
}

bool th_api_query_resume(struct th_api_req *r, bool *given, uint64_t *after)
{
    const struct th_http1_field *last = th_api_request_header(r, "last-event-id");
    const char *fault;

    if (!last || !last->value.n)
        return th_api_query_after(r, given, after);
    *given = true;
    fault = th_api_cursor_open(r, last->value, after);
    if (fault)
        th_api_fail(r, 400, "the field Last-Event-ID %s", fault);
    return !fault;
}

bool th_api_query_since_until(struct th_api_req *r, int64_t *since, int64_t *until)
{
    const char *names[2] = {"since", "until"};
    int64_t *to[2] = {since, until};

    for (int i = 0; i < 2; i++) {
        struct th_span text;
        struct th_wall t;
        *to[i] = 0;
        if (!th_api_query_param(r, names[i], &text))
            continue;
        if (!th_wall_parse(text, &t)) {
            th_api_fault_param(r, names[i], "must be an RFC 3339 time, such as 2026-04-02T08:00:00Z");
            return th_api_query_fail(r);
        }
        *to[i] = t.ms > 1 ? t.ms : 1; /* 0 means no bound */
    }
    return true;
}

bool th_api_query_type(struct th_api_req *r, struct th_span *pattern)
{
    if (!th_api_query_param(r, "event_type", pattern) || pattern->n == 0 ||
        th_dialect_type_ok(r->dialect, *pattern, true))
        return true;
    th_api_fail(r, 400,
                "event_type can never match: give an event type (names of letters, digits, \"_\" and \"-\" "
                "joined by \".\"), "
                "\"invoice.*\", \"*.paid\" or \"*\"");
    return false;
}
