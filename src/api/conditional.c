/* Conditional requests (RFC 9110 section 13): entity tags are strong and made of number and revision of a
 * tenant or endpoint. If-Match compares strongly, If-None-Match weakly; lists and "*" are understood. A tag
 * that matched is checked again by the engine when the change is made, so nothing slips in between. */
#include "api/private.h"
#include <stdio.h>

static struct th_span etag(char *room, size_t size, uint64_t no, uint64_t rev)
{
    int n = snprintf(room, size, "\"%llu-%llu\"", (unsigned long long)no, (unsigned long long)rev);

    return th_span(room, n > 0 ? (size_t)n : 0);
}

/* True when a list of entity tags holds `tag`; weak: W/ is ignored, else weak tags never match. */
static bool listed(struct th_span list, struct th_span tag, bool weak)
{
    const char *p = list.p, *end = p + list.n;

    while (p < end) {
        bool is_weak = false;
        const char *from;
        while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
            p++;
        if (end - p >= 2 && p[0] == 'W' && p[1] == '/') {
            is_weak = true;
            p += 2;
        }
        from = p;
        if (p < end && *p == '"') {
            p++;
            while (p < end && *p != '"')
                p++;
            p += p < end;
        } else {
            while (p < end && *p != ',')
                p++;
        }
        if (th_span_eq(th_span(from, (size_t)(p - from)), tag) && (weak || !is_weak))
            return true;
    }
    return false;
}

bool th_api_not_modified(struct th_api_req *r, uint64_t no, uint64_t rev)
{
    const struct th_http1_field *f = th_api_header(r, "if-none-match");
    char room[64];

    if (!f || !(th_span_is(f->value, "*") || listed(f->value, etag(room, sizeof room, no, rev), true)))
        return false;
    (void)th_api_begin(r);
    th_api_etag_line(&r->api->fields, no, rev);
    th_api_send_empty(r, 304);
    return true;
}

bool th_api_precondition(struct th_api_req *r, uint64_t no, uint64_t rev)
{
    const struct th_http1_field *match = th_api_header(r, "if-match"),
                                *none = th_api_header(r, "if-none-match");
    char room[64];
    struct th_span tag = etag(room, sizeof room, no, rev);

    if (match && !th_span_is(match->value, "*")) {
        if (!no || !listed(match->value, tag, false)) {
            th_api_fail(r, 412,
                        no ? "If-Match names another revision; the current ETag is %.*s"
                           : "If-Match was given, and there is no such object%.*s",
                        no ? (int)tag.n : 0, tag.p);
            return false;
        }
        r->conditional = true;
    } else if (match && !no) {
        th_api_fail(r, 412, "If-Match was given, and there is no such object");
        return false;
    }
    if (none && no && (th_span_is(none->value, "*") || listed(none->value, tag, true))) {
        th_api_fail(r, 412, "If-None-Match: the object exists");
        return false;
    }
    return true;
}
