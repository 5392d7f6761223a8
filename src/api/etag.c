/* Conditional requests (RFC 9110 section 13): entity tags are strong, and made of number and revision of a tenant or
 * endpoint. Both are hidden, because numbers count the objects of all tenants; tags of earlier versions,
 * which were not hidden, still match. If-Match compares strongly, If-None-Match weakly; lists and "*" are
 * understood. A tag that matched is checked again by the engine when the change is made, so nothing slips in
 * between. */
#include "api/etag.h"
#include "api/fail.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/enc.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include "net/tls_common.h"
#include <stdio.h>

struct tags {
    char text[2][64]; /* in today's form, and in the former one */
    struct th_span tag[2];
};

static void make_tags(const struct th_api_req *r, struct tags *t, uint64_t no, uint64_t rev)
{
    int n[2] = {snprintf(t->text[0], sizeof t->text[0], "\"%016llx\"",
                         (unsigned long long)th_engine_hide(r->api->engine, rev, no)),
                snprintf(t->text[1], sizeof t->text[1], "\"%llu-%llu\"", (unsigned long long)no,
                         (unsigned long long)rev)};

    for (int i = 0; i < 2; i++)
        t->tag[i] = th_span(t->text[i], n[i] > 0 ? (size_t)n[i] : 0);
}

void th_api_etag_line(const struct th_api_req *r, struct th_buf *fields, uint64_t no, uint64_t rev)
{
    struct tags t;

    make_tags(r, &t, no, rev);
    th_buf_str(fields, "ETag: ");
    th_buf_span(fields, t.tag[0]);
    th_buf_str(fields, "\r\n");
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

static bool names(struct th_span list, const struct tags *t, bool weak)
{
    return listed(list, t->tag[0], weak) || listed(list, t->tag[1], weak);
}

bool th_api_etag_not_modified(struct th_api_req *r, uint64_t no, uint64_t rev)
{
    const struct th_http1_field *f = th_api_request_header(r, "if-none-match");
    struct tags t;

    if (!f)
        return false;
    make_tags(r, &t, no, rev);
    if (!th_span_is(f->value, "*") && !names(f->value, &t, true))
        return false;
    (void)th_api_reply_begin(r);
    th_api_etag_line(r, &r->api->fields, no, rev);
    th_api_reply_empty(r, 304);
    return true;
}

bool th_api_etag_of_body(struct th_api_req *r)
{
    const struct th_http1_field *f = th_api_request_header(r, "if-none-match");
    struct th_buf *fields = &r->api->fields;
    uint8_t hash[32];
    size_t from;

    if (r->api->out.failed)
        return false;
    th_sha256(r->api->out.p, r->api->out.n, hash);
    th_buf_str(fields, "ETag: ");
    from = fields->n;
    th_buf_char(fields, '"');
    th_base64url(fields, hash, 16);
    th_buf_char(fields, '"');
    if (fields->failed || !f ||
        (!th_span_is(f->value, "*") &&
         !listed(f->value, th_span(fields->p + from, fields->n - from), true))) {
        th_buf_str(fields, "\r\n");
        return false;
    }
    th_buf_str(fields, "\r\n");
    th_api_reply_empty(r, 304);
    return true;
}

bool th_api_etag_precondition(struct th_api_req *r, uint64_t no, uint64_t rev)
{
    const struct th_http1_field *match = th_api_request_header(r, "if-match"),
                                *none = th_api_request_header(r, "if-none-match");
    struct tags t;

    make_tags(r, &t, no, rev);
    if (match && !th_span_is(match->value, "*")) {
        if (!no || !names(match->value, &t, false)) {
            th_api_fail(r, 412,
                        no ? "If-Match names another revision; the current ETag is %.*s"
                           : "If-Match was given, but there is no such object%.*s",
                        no ? (int)t.tag[0].n : 0, t.tag[0].p);
            return false;
        }
        r->conditional = true;
    } else if (match && !no) {
        th_api_fail(r, 412, "If-Match was given, but there is no such object");
        return false;
    }
    if (none && no && (th_span_is(none->value, "*") || names(none->value, &t, true))) {
        th_api_fail(r, 412, "If-None-Match: the object exists");
        return false;
    }
    return true;
}
