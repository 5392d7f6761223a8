/* The installation's catalogue of event types for everybody: a page for people, and JSON for portals and pages of the platform's own.
 *
 * Both are there only where the installation has switched them on; else their paths are answered as others at which there is nothing.
 * They show the installation's types alone, whatever key comes along: what a tenant has of its own is for those who hold a key or a
 * portal token of that tenant (GET /v1/event-types). So an answer is the same for everybody, and may be kept.
 *
 * Left out are archived types, and what is of no use to a receiver: what publishing does with data that does not fit, and the templates
 * of versions.
 *
 * Every text comes from outside, so all of them are escaped, and the page's policy allows its one style sheet and nothing else: no
 * script, no image, no form, no frame. */
#include "api/cursor.h"
#include "api/etag.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "core/restyle.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include <stdlib.h>

#define KEPT "Cache-Control: public, max-age=300\r\nX-Content-Type-Options: nosniff\r\n"
#define JSON_MAX (32u << 10) /* an example or a schema of more indented bytes is not shown on the page */

struct list {
    const struct th_event_type **types; /* those that are shown */
    unsigned count;
    unsigned from, to; /* the page */
};

/* ---- which ---- */

static int by_group(const void *a, const void *b)
{
    const struct th_event_type *x = *(const struct th_event_type *const *)a,
                               *y = *(const struct th_event_type *const *)b;
    size_t n = x->group.n < y->group.n ? x->group.n : y->group.n;
    int order;

    if (!x->group.n != !y->group.n) /* those without a group are the last */
        return x->group.n ? -1 : 1;
    order = n ? memcmp(x->group.p, y->group.p, n) : 0;
    if (order == 0)
        order = (x->group.n > y->group.n) - (x->group.n < y->group.n);
    if (order)
        return order;
    n = x->name.n < y->name.n ? x->name.n : y->name.n;
    order = memcmp(x->name.p, y->name.p, n);
    return order ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* False: answered. The cursor is the number of types before the page, plus 1. */
static bool collect(struct th_api_req *r, struct list *l)
{
    const struct th_tenant *all = th_engine_tenant(r->api->engine, TH_LIT(TH_CATALOGUE_OF_ALL));
    const unsigned known = all ? all->catalogue.count : 0;
    uint64_t before;
    uint32_t limit;

    *l = (struct list){0};
    if (!r->api->options.catalogue) {
        th_api_fail(r, 404, "there is nothing at this path");
        return false;
    }
    if (!th_api_query_paging(r, &limit, &before))
        return false;
    l->types = th_calloc(known + 1, sizeof *l->types);
    if (!l->types) {
        th_api_fail_nomem(r);
        return false;
    }
    for (unsigned i = 0; i < known; i++)
        if (!all->catalogue.types[i]->archived)
            l->types[l->count++] = all->catalogue.types[i];
    qsort(l->types, l->count, sizeof *l->types, by_group);
    l->from = before > l->count ? l->count : before ? (unsigned)before - 1 : 0;
    l->to = l->count - l->from > limit ? l->from + limit : l->count;
    return true;
}

static void reply(struct th_api_req *r, struct list *l, struct th_span content_type)
{
    th_free(l->types);
    if (!th_api_etag_of_body(r))
        th_api_reply_as(r, 200, content_type);
}

/* ---- JSON ---- */

static void write_versions(struct th_jw *w, const struct th_event_type *type)
{
    th_jw_key(w, TH_LIT("versions"));
    th_jw_array(w);
    for (unsigned i = 0; i < type->version_count; i++) {
        th_jw_object(w);
        th_jw_key(w, TH_LIT("version"));
        th_jw_raw(w, TH_LIT("\""));
        th_version_write(type->versions[i].version, w->out);
        th_buf_char(w->out, '"');
        if (type->versions[i].sunset)
            th_api_member_time(w, "sunset", type->versions[i].sunset);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void write_json(struct th_jw *w, const struct th_event_type *type)
{
    th_jw_object(w);
    th_api_member_str(w, "type", type->name);
    if (type->description.n)
        th_api_member_str(w, "description", type->description);
    if (type->group.n)
        th_api_member_str(w, "group", type->group);
    if (type->schema_text.n) {
        th_jw_key(w, TH_LIT("schema"));
        th_jw_raw(w, type->schema_text);
    }
    if (type->example.n) {
        th_jw_key(w, TH_LIT("example"));
        th_jw_raw(w, type->example);
    }
    th_jw_key(w, TH_LIT("deprecated"));
    th_jw_bool(w, type->deprecated);
    if (type->version_count)
        write_versions(w, type);
    th_jw_end_object(w);
}

static void write_json_now(struct th_api_req *r)
{
    struct list l;
    struct th_jw w;
    unsigned i;

    if (!collect(r, &l))
        return;
    w = th_api_reply_begin(r);
    th_buf_str(&r->api->fields, KEPT);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (i = l.from; i < l.to && (i == l.from || !th_api_reply_is_full(r)); i++)
        write_json(&w, l.types[i]);
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, i < l.count ? i + 1 : 0);
    th_jw_end_object(&w);
    reply(r, &l, TH_LIT("application/json"));
}

void th_h_catalogue_json(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_json_now);
}

/* ---- the page ---- */

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid}h3{margin:2rem 0 .5rem}"
    "pre{overflow:auto;padding:.75rem;border:1px solid;border-radius:.3rem;font-size:.85rem}"
    "nav ul{columns:16rem;padding-left:1.2rem}.mark{font:.8rem system-ui;border:1px solid;"
    "border-radius:.3rem;padding:0 .4rem}.text{white-space:pre-line}h2,h3,.text{overflow-wrap:anywhere}";

/* Text of somebody else's, as text of the page or as the value of an attribute in quotes. */
static void text(struct th_buf *out, struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '<')
            th_buf_str(out, "&lt;");
        else if (c == '>')
            th_buf_str(out, "&gt;");
        else if (c == '&')
            th_buf_str(out, "&amp;");
        else if (c == '"')
            th_buf_str(out, "&quot;");
        else if (c == '\'')
            th_buf_str(out, "&#39;");
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            th_buf_str(out, "\xef\xbf\xbd"); /* HTML has no such character */
        else
            th_buf_char(out, (char)c);
    }
}

static void json(struct th_buf *out, const char *name, bool open, struct th_span value)
{
    struct th_buf indented;

    if (!value.n)
        return;
    th_buf_init(&indented, JSON_MAX);
    th_buf_printf(out, "<details%s><summary>%s</summary>", open ? " open" : "", name);
    if (th_restyles[TH_RESTYLE_PRETTY2].make(value, &indented)) {
        th_buf_str(out, "<pre>\n"); /* HTML leaves the first line end out */
        text(out, th_buf_view(&indented));
        th_buf_str(out, "</pre></details>\n");
    } else {
        th_buf_str(out, "<p>It is too long for this page, and stands in the JSON.</p></details>\n");
    }
    th_buf_fini(&indented);
}

static void versions(struct th_buf *out, const struct th_event_type *type)
{
    if (!type->version_count)
        return;
    th_buf_str(out, "<p>Versions, the newest first:</p>\n<ul>\n");
    for (unsigned i = 0; i < type->version_count; i++) {
        th_buf_str(out, "<li>");
        th_version_write(type->versions[i].version, out);
        if (type->versions[i].sunset) {
            th_buf_str(out, " <span class=\"mark\">ends ");
            th_wall_format(out, (struct th_wall){type->versions[i].sunset}, TH_RFC3339_SECONDS);
            th_buf_str(out, "</span>");
        }
        th_buf_str(out, "</li>\n");
    }
    th_buf_str(out, "</ul>\n");
}

static void article(struct th_buf *out, const struct th_event_type *type)
{
    th_buf_str(out, "<article id=\"");
    text(out, type->name);
    th_buf_str(out, "\">\n<h3><code>");
    text(out, type->name);
    th_buf_str(out, "</code>");
    if (type->deprecated)
        th_buf_str(out, " <span class=\"mark\">deprecated</span>");
    th_buf_str(out, "</h3>\n");
    if (type->description.n) {
        th_buf_str(out, "<p class=\"text\" dir=\"auto\">");
        text(out, type->description);
        th_buf_str(out, "</p>\n");
    }
    versions(out, type);
    json(out, "Example", true, type->example);
    json(out, "Schema", false, type->schema_text);
    th_buf_str(out, "</article>\n");
}

static void heading(struct th_buf *out, const struct list *l, unsigned i)
{
    const struct th_span group = l->types[i]->group;

    if (i > l->from && th_span_eq(group, l->types[i - 1]->group))
        return;
    if (!group.n && !l->types[0]->group.n) /* there are no groups */
        return;
    th_buf_str(out, "<h2 dir=\"auto\">");
    text(out, group.n ? group : TH_LIT("Without a group"));
    th_buf_str(out, "</h2>\n");
}

static void contents(struct th_buf *out, const struct list *l, unsigned to)
{
    th_buf_str(out, "<nav><ul>\n");
    for (unsigned i = l->from; i < to; i++) {
        th_buf_str(out, "<li><a href=\"#");
        text(out, l->types[i]->name);
        th_buf_str(out, "\">");
        text(out, l->types[i]->name);
        th_buf_str(out, "</a></li>\n");
    }
    th_buf_str(out, "</ul></nav>\n");
}

/* To the page that begins with this type; it is as long as this one. */
static void next_page(struct th_api_req *r, struct th_buf *out, unsigned first)
{
    struct th_span limit;

    th_buf_str(out, "<p><a rel=\"next\" href=\"catalogue?cursor=");
    th_api_cursor(r, (uint64_t)first + 1, out);
    if (th_api_query_param(r, "limit", &limit)) {
        th_buf_str(out, "&amp;limit=");
        text(out, limit);
    }
    th_buf_str(out, "\">More event types</a></p>\n");
}

static void write_policy(struct th_buf *fields)
{
    uint8_t hash[32];

    th_sha256(style, sizeof style - 1, hash);
    th_buf_str(fields, KEPT "Content-Security-Policy: default-src 'none'; style-src 'sha256-");
    th_base64(fields, hash, sizeof hash);
    th_buf_str(fields,
               "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
               "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
               "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n");
}

static void write_page_now(struct th_api_req *r)
{
    struct th_buf *out = &r->api->out, articles;
    struct list l;
    unsigned i;

    if (!collect(r, &l))
        return;
    th_buf_init(&articles, TH_API_MAX_ANSWER);
    for (i = l.from; i < l.to && articles.n < TH_API_PAGE_BYTES; i++) {
        heading(&articles, &l, i);
        article(&articles, l.types[i]);
    }
    (void)th_api_reply_begin(r);
    write_policy(&r->api->fields);
    th_buf_printf(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>Event types</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>Event types</h1>\n"
        "<p>The same as JSON: <a href=\"catalogue.json\">catalogue.json</a></p>\n",
        style);
    if (!l.count)
        th_buf_str(out, "<p>There are none yet.</p>\n");
    contents(out, &l, i);
    th_buf_span(out, th_buf_view(&articles));
    if (i < l.count)
        next_page(r, out, i);
    th_buf_str(out, "</main>\n</body>\n</html>\n");
    if (articles.failed)
        out->failed = articles.failed;
    th_buf_fini(&articles);
    reply(r, &l, TH_LIT("text/html; charset=utf-8"));
}

void th_h_catalogue(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_page_now);
}
