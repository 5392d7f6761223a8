/* Reading of a request that was saved: from a proxy, a terminal (`curl -v`), a log, a browser (HAR), an inspector, or
 * `attempts --json`. A raw request is read leniently (bare LF, no request line, names of HTTP/2): it has passed
 * through editors.
 *
 * Bytes of the body are never changed. What does not belong to it is taken off: the frames of a chunked body,
 * line ends after the length that the head names. */
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_request.h"
#include "net/http1.h"

#define REQUEST_MAX ((size_t)64 << 20)

struct th_span th_request_header(const struct th_saved_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (th_span_ieq(th_span(r->headers[i].name.p, r->headers[i].name.n), th_str(name)))
            return th_span(r->headers[i].value.p, r->headers[i].value.n);
    return (struct th_span){NULL, 0};
}

static bool add_header(struct th_saved_request *r, struct th_span name, struct th_span value)
{
    if (r->header_count == TH_REQUEST_HEADERS)
        return false;
    r->headers[r->header_count].name = (struct tenterhook_span){name.p, name.n};
    r->headers[r->header_count++].value = (struct tenterhook_span){value.p, value.n};
    return true;
}

/* ---- raw HTTP ---- */

static struct th_span trim(struct th_span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = th_span(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static struct th_span take_line(struct th_span *rest)
{
    const char *eol = memchr(rest->p, '\n', rest->n);
    struct th_span line = {rest->p, eol ? (size_t)(eol - rest->p) : rest->n};
    size_t used = line.n + (eol != NULL);

    *rest = th_span(rest->p + used, rest->n - used);
    return trim(line);
}

/* `curl -v` writes "> " before lines that it sends, "< " before lines that it gets, and "* " before remarks.
 * False: a line of the last two kinds, which is left out. A lone `>` ends the head. */
static bool sent_line(struct th_span *line)
{
    if (th_span_starts(*line, TH_LIT(">")))
        *line = trim(th_span(line->p + 1, line->n - 1));
    else if (th_span_starts(*line, TH_LIT("* ")) || th_span_starts(*line, TH_LIT("< ")) ||
             th_span_starts(*line, TH_LIT("{ [")) || th_span_starts(*line, TH_LIT("} [")))
        return false;
    return true;
}

/* "POST /hook HTTP/1.1", ":path: /hook"; false: something else. */
static bool request_line(struct th_span line, struct th_saved_request *r)
{
    const char *a = memchr(line.p, ' ', line.n), *b = memrchr(line.p, ' ', line.n);

    if (th_span_starts(line, TH_LIT(":method:")))
        r->method = trim(th_span(line.p + 8, line.n - 8));
    else if (th_span_starts(line, TH_LIT(":path:")))
        r->target = trim(th_span(line.p + 6, line.n - 6));
    else if (r->header_count == 0 && a && memmem(line.p, line.n, " HTTP/", 6)) {
        r->method = th_span(line.p, (size_t)(a - line.p));
        r->target = a < b ? th_span(a + 1, (size_t)(b - a - 1)) : TH_LIT("/");
    } else
        return line.p[0] == ':';
    return true;
}

static struct th_span without_line_ends(struct th_span s)
{
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

/* The payload, when all of it is chunks and nothing but line ends is behind them; else false. */
static bool unchunk(struct th_cli *cli, struct th_span framed, struct th_span *payload)
{
    struct th_http1_chunked c;
    enum th_http1_result r = TH_HTTP1_MORE;
    struct th_span data;
    struct th_buf out;
    const char *why;
    size_t used = 1;

    th_buf_init(&out, REQUEST_MAX);
    th_http1_chunked_init(&c, false);
    while (r == TH_HTTP1_MORE && used) {
        r = th_http1_chunked(&c, framed.p, framed.n, &used, &data, &why);
        th_buf_span(&out, data);
        framed = th_span(framed.p + used, framed.n - used);
    }
    if (r == TH_HTTP1_DONE && without_line_ends(framed).n == 0 && !out.failed)
        *payload = th_span(th_cli_text(cli, th_buf_view(&out)), out.n);
    else
        r = TH_HTTP1_BAD;
    th_buf_fini(&out);
    return r == TH_HTTP1_DONE;
}

static void read_body(struct th_cli *cli, struct th_span rest, struct th_saved_request *r)
{
    struct th_span coding = th_request_header(r, "transfer-encoding"),
                   length = th_request_header(r, "content-length");
    uint64_t n;

    r->body = rest;
    if (coding.p && memmem(coding.p, coding.n, "chunked", 7) && unchunk(cli, rest, &r->body))
        return;
    if (length.p && th_span_u64(length, REQUEST_MAX, &n) && n < rest.n &&
        without_line_ends(th_span(rest.p + n, rest.n - (size_t)n)).n == 0)
        r->body.n = (size_t)n;
}

static int read_head(struct th_cli *cli, const char *path, struct th_span *rest, struct th_saved_request *r,
                     bool *curl)
{
    struct th_span line;
    unsigned number = 0;

    while (rest->n) {
        const char *colon;
        bool shown;
        line = take_line(rest);
        number++;
        shown = th_span_starts(line, TH_LIT(">"));
        *curl = *curl || shown;
        if (!sent_line(&line))
            continue;
        if (line.n == 0)
            break;
        if (request_line(line, r))
            continue;
        colon = memchr(line.p, ':', line.n);
        if (!colon)
            return th_cli_fail(
                cli, TH_EXIT_DATA,
                "%s:%u: is not a header line; a request is \"POST /path HTTP/1.1\", headers, an "
                "empty line, the body",
                path, number);
        if (!add_header(r, trim(th_span(line.p, (size_t)(colon - line.p))),
                        trim(th_span(colon + 1, line.n - (size_t)(colon + 1 - line.p)))))
            return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u: too many headers", path, number);
    }
    if (r->header_count == 0)
        return th_cli_fail(cli, TH_EXIT_DATA, "%s: holds no request: there is no header line", path);
    return TH_EXIT_OK;
}

static int read_raw(struct th_cli *cli, const char *path, struct th_span text, struct th_saved_request *r)
{
    struct th_span rest = text, line, after;
    bool curl = false;
    uint64_t n;
    int status = read_head(cli, path, &rest, r, &curl);

    while (!status && curl && rest.n) { /* remarks are left out; the answer ends the request */
        after = rest;
        line = take_line(&after);
        if (th_span_starts(line, TH_LIT("< ")))
            rest.n = 0;
        else if (sent_line(&line))
            break;
        else
            rest = after;
    }
    if (status)
        return status;
    if (curl && rest.n == 0 && th_span_u64(th_request_header(r, "content-length"), UINT32_MAX, &n) && n)
        return th_cli_fail(
            cli, TH_EXIT_DATA,
            "%s: the body of %llu bytes is not there: curl -v does not show it; put it behind the "
            "headers, after an empty line, in the place of all that follows",
            path, (unsigned long long)n);
    read_body(cli, rest, r);
    return TH_EXIT_OK;
}

/* ---- JSON ---- */

static struct th_span keep_string(struct th_cli *cli, struct th_json v)
{
    struct th_buf text;
    char *kept;
    size_t n;

    if (v.type != TH_JSON_STRING)
        return v.raw;
    th_buf_init(&text, v.raw.n * 2 + 64);
    th_json_string(v, &text);
    kept = th_cli_text(cli, th_buf_view(&text));
    n = text.n;
    th_buf_fini(&text);
    return th_span(kept, n);
}

static bool add_json(struct th_cli *cli, struct th_saved_request *r, struct th_json name,
                     struct th_json value)
{
    return add_header(r, keep_string(cli, name), keep_string(cli, value));
}

/* [name, value], or {"name", "value"} */
static bool json_pair(struct th_cli *cli, struct th_json pair, struct th_saved_request *r)
{
    struct th_json_iter it;
    struct th_json name, value;

    if (pair.type == TH_JSON_OBJECT)
        return th_json_member(pair, TH_LIT("name"), &name) && th_json_member(pair, TH_LIT("value"), &value) &&
               add_json(cli, r, name, value);
    if (pair.type != TH_JSON_ARRAY)
        return false;
    th_json_iter(&it, pair);
    return th_json_next(&it, NULL, &name) && th_json_next(&it, NULL, &value) && add_json(cli, r, name, value);
}

static bool json_headers(struct th_cli *cli, struct th_json headers, struct th_saved_request *r)
{
    struct th_json_iter it, values;
    struct th_json key, value, one;

    th_json_iter(&it, headers);
    while (th_json_next(&it, &key, &value)) {
        if (headers.type == TH_JSON_ARRAY) {
            if (!json_pair(cli, value, r))
                return false;
        } else if (value.type == TH_JSON_ARRAY) { /* name: [value, value] */
            th_json_iter(&values, value);
            while (th_json_next(&values, NULL, &one))
                if (!add_json(cli, r, key, one))
                    return false;
        } else if (!add_json(cli, r, key, value)) {
            return false;
        }
    }
    return true;
}

static struct th_json last_of(struct th_json list)
{
    struct th_json_iter it;
    struct th_json v, last = list;

    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &v))
        last = v;
    return last;
}

/* The request inside: of a delivery its last attempt's, of a HAR file its last entry's, of an inspector's list (the
 * newest comes first) the first one. */
static struct th_json unwrap(struct th_json root)
{
    struct th_json v;

    if (th_json_member(root, TH_LIT("attempts"), &v) || th_json_pointer(root, TH_LIT("/log/entries"), &v))
        root = last_of(v);
    else if (th_json_pointer(root, TH_LIT("/requests/0"), &v))
        root = v;
    return th_json_member(root, TH_LIT("request"), &v) ? v : root;
}

static bool decode(struct th_cli *cli, struct th_json coded, struct th_span *out)
{
    struct th_span text = keep_string(cli, coded);
    char *raw = th_cli_text(cli, text);

    return coded.type == TH_JSON_STRING && th_unbase64(text, raw, text.n, &out->n) && (out->p = raw) != NULL;
}

static bool says(struct th_json object, const char *pointer, const char *raw)
{
    struct th_json v;

    return th_json_pointer(object, th_str(pointer), &v) && th_span_is(v.raw, raw);
}

/* Where programs keep the body: as text, or in base64. */
static int json_body(struct th_cli *cli, const char *path, struct th_json root, struct th_saved_request *r)
{
    static const struct {
        const char *at, *coded_when, *coded_is; /* coded_when: NULL: always in base64; "": never */
    } places[] = {{"/body_base64", NULL, NULL},
                  {"/body", "/isBase64Encoded", "true"},
                  {"/postData/text", "/postData/encoding", "\"base64\""},
                  {"/content", "", NULL}};
    struct th_json v;

    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!th_json_pointer(root, th_str(places[i].at), &v))
            continue;
        if (places[i].coded_when &&
            !(places[i].coded_is && says(root, places[i].coded_when, places[i].coded_is)))
            r->body = keep_string(cli, v); /* a text; else the JSON as it stands */
        else if (!decode(cli, v, &r->body))
            return th_cli_fail(cli, TH_EXIT_DATA, "%s: \"%s\" is not base64", path, places[i].at + 1);
        return TH_EXIT_OK;
    }
    return TH_EXIT_OK;
}

static int read_json(struct th_cli *cli, const char *path, struct th_span text, struct th_saved_request *r)
{
    struct th_json_error where;
    struct th_span whole;
    struct th_json root, v;

    if (th_json_parse(text, TH_JSON_DEPTH, &root, &where))
        return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u:%u: is not JSON: %s", path, where.line, where.column,
                           where.what);
    root = unwrap(root);
    if (!th_json_member(root, TH_LIT("body"), &v) && th_json_member(root, TH_LIT("raw"), &v) &&
        decode(cli, v, &whole)) /* all of it, as ngrok keeps it */
        return read_raw(cli, path, whole, r);
    if (!th_json_member(root, TH_LIT("headers"), &v) || !json_headers(cli, v, r))
        return th_cli_fail(
            cli, TH_EXIT_DATA,
            "%s: holds no request: \"headers\" is missing or not {NAME: VALUE}, [[NAME, VALUE]] or "
            "[{\"name\": NAME, \"value\": VALUE}]",
            path);
    if (th_json_member(root, TH_LIT("method"), &v))
        r->method = keep_string(cli, v);
    if (th_json_member(root, TH_LIT("url"), &v))
        r->url = keep_string(cli, v);
    return json_body(cli, path, root, r);
}

int th_request_read(struct th_cli *cli, const char *path, struct th_saved_request *out)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct th_span text, first;
    struct th_buf file;
    int status = th_cli_read_file(cli, path, REQUEST_MAX, &file);

    *out = (struct th_saved_request){.method = TH_LIT("POST"), .target = TH_LIT("/"), .body = TH_LIT("")};
    if (status)
        return status;
    text = th_span(th_cli_text(cli, th_buf_view(&file)), file.n);
    th_buf_fini(&file);
    if (th_span_starts(text, TH_LIT("\xef\xbb\xbf"))) /* as some editors begin a file */
        text = th_span(text.p + 3, text.n - 3);
    first = text;
    while (first.n && (first.p[0] == ' ' || first.p[0] == '\n' || first.p[0] == '\r' || first.p[0] == '\t'))
        first = th_span(first.p + 1, first.n - 1);
    status = first.n && first.p[0] == '{' ? read_json(cli, name, text, out) : read_raw(cli, name, text, out);
    if (!status && th_cli_option(cli, "--endpoint-url"))
        out->url = th_str(th_cli_option(cli, "--endpoint-url"));
    return status;
}
