/* Serves the files of the pages.
 *
 * A path that names no file and whose last part has no dot is a page of the application, which index.html draws: reload and
 * permalinks work. What is built in is sent as it is stored, in gzip, with the hash of the file as a strong ETag; who does not
 * take gzip gets it decoded, under another ETag, because it is another representation (RFC 9110 section 8.8.3).
 *
 * The dashboard is below /ui/, the portal below /portal/. Both find the same files there, so that whoever lets customers through
 * to the portal alone can close the other path.
 *
 * Every answer says what the page may do: load scripts, styles and data from here alone, run no text as a script. The dashboard
 * stands in no frame; the portal in frames of the origins that the configuration names, and its embed.js is a script for their pages. So a text of a customer that got into a page as markup by a mistake of ours would still do nothing.
 *
 * Refuses: other methods than GET and HEAD (405), names that leave the folder or begin with a dot (404). LIMIT: with a folder
 * each request reads a file of at most MAX_FILE bytes on the loop's thread; it is for whoever works on the pages. */
#include "ui/ui.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/span.h"
#include "net/inflate.h"
#include "ui/embedded.h"
#include <stdio.h>
#include <string.h>

#define MAX_FILE (4u << 20)
#define PREFIX "/ui/"
#define PORTAL "/portal/"
#define CSP                                                                                                  \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "      \
    "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "                                       \
    "require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors"
#define SAFE                                                                                                 \
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"                                    \
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: "
#define MAX_FIELDS (64u << 10)

struct th_ui {
    char *dir;       /* NULL: what is built in */
    char *ancestors; /* origins whose pages may frame the portal, each after a space; NULL: none */
};

static bool is_of_portal(const struct th_http_exchange *x)
{
    return th_span_starts(x->path, TH_LIT("/portal"));
}

/* The fields that every answer has. X-Frame-Options knows no list of origins, so it stands only where there is none. */
static void write_policy(const struct th_ui *ui, const struct th_http_exchange *x, struct th_buf *head)
{
    bool framed = is_of_portal(x) && ui->ancestors, script = th_span_is(x->path, PORTAL "embed.js");

    th_buf_printf(head, CSP "%s\r\n%s", framed ? ui->ancestors : " 'none'",
                  framed ? "" : "X-Frame-Options: DENY\r\n");
    th_buf_printf(head, SAFE "%s\r\n", script ? "cross-origin" : "same-origin");
}

/* ---- answers ---- */

static void refuse(const struct th_ui *ui, struct th_http_exchange *x, unsigned status, struct th_span fields,
                   const char *detail)
{
    struct th_buf head;

    th_buf_init(&head, MAX_FIELDS);
    th_buf_str(&head, "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n");
    write_policy(ui, x, &head);
    th_buf_span(&head, fields);
    th_http_reply(x, status, th_buf_view(&head), th_str(detail));
    th_buf_fini(&head);
}

static const char *type_of(struct th_span path)
{
    static const struct {
        const char *end, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct th_span end = th_str(types[i].end);
        if (path.n >= end.n && th_span_eq(th_span(path.p + path.n - end.n, end.n), end))
            return types[i].type;
    }
    return NULL;
}

static void send(const struct th_ui *ui, struct th_http_exchange *x, struct th_span path, const char *more,
                 struct th_span body, bool lasting)
{
    struct th_buf head;

    th_buf_init(&head, MAX_FIELDS);
    th_buf_printf(&head, "Content-Type: %s\r\n%s", type_of(path), more);
    write_policy(ui, x, &head);
    if (lasting)
        th_http_reply_lasting(x, 200, th_buf_view(&head), body);
    else
        th_http_reply(x, 200, th_buf_view(&head), body);
    th_buf_fini(&head);
}

/* ---- what the client takes and has ---- */

/* The next element of a list of a header field, without spaces around it (RFC 9110 section 5.6.1). */
static bool next_of_list(struct th_span *rest, struct th_span *element)
{
    const char *end;

    if (!rest->n)
        return false;
    end = memchr(rest->p, ',', rest->n);
    *element = th_span(rest->p, end ? (size_t)(end - rest->p) : rest->n);
    *rest = end ? th_span(end + 1, rest->n - element->n - 1) : th_span("", 0);
    while (element->n && (*element->p == ' ' || *element->p == '\t'))
        *element = th_span(element->p + 1, element->n - 1);
    while (element->n && (element->p[element->n - 1] == ' ' || element->p[element->n - 1] == '\t'))
        element->n--;
    return true;
}

/* "gzip", "gzip;q=0.5", not "gzip;q=0" (RFC 9110 section 12.5.3). */
static bool takes_gzip(const struct th_http_exchange *x)
{
    const struct th_http1_field *field = th_http1_field(&x->head, "accept-encoding");
    struct th_span rest = field ? field->value : th_span("", 0), e;

    while (next_of_list(&rest, &e)) {
        const char *semicolon = memchr(e.p, ';', e.n);
        size_t name = semicolon ? (size_t)(semicolon - e.p) : e.n;
        bool is_zero = false;

        while (name && e.p[name - 1] == ' ')
            name--;
        if (!th_span_ieq(th_span(e.p, name), TH_LIT("gzip")))
            continue;
        for (size_t i = name; i + 2 < e.n; i++)
            if ((e.p[i] == 'q' || e.p[i] == 'Q') && e.p[i + 1] == '=') {
                is_zero = e.p[i + 2] == '0';
                for (size_t k = i + 3; k < e.n; k++)
                    is_zero = is_zero && (e.p[k] == '.' || e.p[k] == '0');
            }
        return !is_zero;
    }
    return false;
}

/* Compared weakly, as If-None-Match is (RFC 9110 section 13.1.2). */
static bool has_already(const struct th_http_exchange *x, struct th_span etag)
{
    const struct th_http1_field *field = th_http1_field(&x->head, "if-none-match");
    struct th_span rest = field ? field->value : th_span("", 0), e;

    while (next_of_list(&rest, &e)) {
        if (th_span_starts(e, TH_LIT("W/")))
            e = th_span(e.p + 2, e.n - 2);
        if (th_span_is(e, "*") || th_span_eq(e, etag))
            return true;
    }
    return false;
}

/* ---- files ---- */

static void send_built_in(const struct th_ui *ui, struct th_http_exchange *x, const struct th_ui_file *f)
{
    bool gzip = takes_gzip(x), whole;
    struct th_span bytes = th_span(f->bytes, (size_t)(f->end - f->bytes));
    char etag[40], more[256];
    struct th_buf decoded;

    snprintf(etag, sizeof etag, "\"%s%s\"", f->hash, gzip ? "" : "-plain");
    snprintf(more, sizeof more, "ETag: %s\r\nCache-Control: no-cache\r\nVary: Accept-Encoding\r\n%s", etag,
             gzip ? "Content-Encoding: gzip\r\n" : "");
    if (has_already(x, th_str(etag))) {
        snprintf(more, sizeof more, "ETag: %s\r\nCache-Control: no-cache\r\nVary: Accept-Encoding\r\n", etag);
        th_http_reply(x, 304, th_str(more), th_span("", 0));
        return;
    }
    if (gzip) {
        send(ui, x, th_str(f->path), more, bytes, true);
        return;
    }
    th_buf_init(&decoded, f->whole + 1);
    if (th_inflate(TH_LIT("gzip"), bytes, &decoded, &whole) && whole)
        send(ui, x, th_str(f->path), more, th_buf_view(&decoded), false);
    else
        refuse(ui, x, 503, TH_LIT("Retry-After: 1\r\n"),
               "The server is out of memory. Load the page again.\n");
    th_buf_fini(&decoded);
}

static const struct th_ui_file *find(struct th_span path)
{
    for (const struct th_ui_file *f = th_ui_files; f->path; f++)
        if (th_span_is(path, f->path))
            return f;
    return NULL;
}

static bool send_from_folder(const struct th_ui *ui, struct th_http_exchange *x, struct th_span path)
{
    char name[1024], *bytes;
    size_t n = 0;
    FILE *f;

    if (snprintf(name, sizeof name, "%s/%.*s", ui->dir, (int)path.n, path.p) >= (int)sizeof name)
        return false;
    f = fopen(name, "rb");
    if (!f)
        return false;
    bytes = th_malloc(MAX_FILE);
    if (bytes)
        n = fread(bytes, 1, MAX_FILE, f);
    fclose(f);
    if (bytes)
        send(ui, x, path, "Cache-Control: no-store\r\n", th_span(bytes, n), false);
    th_free(bytes);
    return bytes != NULL;
}

/* Letters, digits, "-", "_" and dots that do not begin a part: no way leads out of the folder. */
static bool is_name(struct th_span path)
{
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        bool first = i == 0 || path.p[i - 1] == '/';
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_' || (c == '.' && !first) || (c == '/' && !first)))
            return false;
    }
    return path.n > 0;
}

static bool has_dot(struct th_span path)
{
    for (size_t i = path.n; i > 0 && path.p[i - 1] != '/'; i--)
        if (path.p[i - 1] == '.')
            return true;
    return false;
}

static bool send_file(const struct th_ui *ui, struct th_http_exchange *x, struct th_span path)
{
    const struct th_ui_file *f;

    if (!type_of(path) || !is_name(path))
        return false;
    if (ui->dir)
        return send_from_folder(ui, x, path);
    f = find(path);
    if (f)
        send_built_in(ui, x, f);
    return f != NULL;
}

/* Whose messages the portal in a frame answers: the same list as in its policy. */
static void send_origins(const struct th_ui *ui, struct th_http_exchange *x)
{
    struct th_span rest = ui->ancestors ? th_str(ui->ancestors + 1) : th_span("", 0);
    struct th_buf head, body;

    th_buf_init(&head, MAX_FIELDS);
    th_buf_init(&body, MAX_FIELDS);
    th_buf_str(&head, "Content-Type: application/json\r\nCache-Control: no-cache\r\n");
    write_policy(ui, x, &head);
    th_buf_str(&body, "{\"origins\":[");
    for (bool first = true; rest.n; first = false) {
        th_buf_printf(&body, "%s\"", first ? "" : ",");
        th_buf_span(&body, th_span_cut(&rest, ' '));
        th_buf_char(&body, '"');
    }
    th_buf_str(&body, "]}");
    th_http_reply(x, 200, th_buf_view(&head), th_buf_view(&body));
    th_buf_fini(&head);
    th_buf_fini(&body);
}

/* ---- requests ---- */

void th_ui_handle(void *ctx, struct th_http_exchange *x)
{
    const struct th_ui *ui = ctx;
    struct th_span path = x->path, prefix;

    if (!th_span_is(x->head.method, "GET") && !th_span_is(x->head.method, "HEAD")) {
        refuse(ui, x, 405, TH_LIT("Allow: GET, HEAD\r\n"), "Pages are read with GET; data is at /v1/.\n");
        return;
    }
    prefix = is_of_portal(x) ? TH_LIT(PORTAL) : TH_LIT(PREFIX);
    if (!th_span_starts(path, prefix)) {
        th_http_reply(
            x, 308, is_of_portal(x) ? TH_LIT("Location: " PORTAL "\r\n") : TH_LIT("Location: " PREFIX "\r\n"),
            th_span("", 0));
        return;
    }
    path = th_span(path.p + prefix.n, path.n - prefix.n);
    if (is_of_portal(x) && th_span_is(path, "origins.json")) {
        send_origins(ui, x);
        return;
    }
    if (send_file(ui, x, path))
        return;
    if (has_dot(path) || !send_file(ui, x, is_of_portal(x) ? TH_LIT("portal.html") : TH_LIT("index.html")))
        refuse(ui, x, 404, th_span("", 0),
               "There is no such file. The dashboard is at " PREFIX ", the portal at " PORTAL ".\n");
}

enum th_http_verdict th_ui_judge(void *ctx, struct th_http_exchange *x)
{
    th_ui_handle(ctx, x);
    return TH_HTTP_ANSWERED;
}

static char *copy(const char *text)
{
    char *to = th_calloc(1, strlen(text) + 1);

    if (to)
        memcpy(to, text, strlen(text));
    return to;
}

/* NULL: no memory. */
static char *join(const char *const *origins, unsigned count)
{
    size_t n = 1, at = 0;
    char *to;

    for (unsigned i = 0; i < count; i++)
        n += 1 + strlen(origins[i]);
    to = th_calloc(1, n);
    for (unsigned i = 0; to && i < count; i++)
        at += (size_t)snprintf(to + at, n - at, " %s", origins[i]);
    return to;
}

enum th_error th_ui_new(const char *dir, const char *const *origins, unsigned origin_count,
                        struct th_ui **out)
{
    struct th_ui *ui = th_calloc(1, sizeof *ui);

    if (!ui)
        return TH_NOMEM;
    ui->dir = dir ? copy(dir) : NULL;
    ui->ancestors = origin_count ? join(origins, origin_count) : NULL;
    if ((dir && !ui->dir) || (origin_count && !ui->ancestors)) {
        th_ui_free(ui);
        return TH_NOMEM;
    }
    *out = ui;
    return TH_OK;
}

void th_ui_free(struct th_ui *ui)
{
    if (!ui)
        return;
    th_free(ui->dir);
    th_free(ui->ancestors);
    th_free(ui);
}
