/* Reading of what a developer has at hand when a webhook fails: a request saved from a proxy, a log or
 * `attempts --json`, and the secret. A raw request is read leniently (bare LF, no request line): it has
 * passed through editors. Bytes of the body are never changed. */
#include "cli/cli_request.h"
#include "base/enc.h"
#include <stdlib.h>

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

static int read_raw(struct th_cli *cli, const char *path, struct th_span text, struct th_saved_request *r)
{
    struct th_span rest = text, line;
    unsigned number = 0;

    while (rest.n) {
        const char *colon;
        line = take_line(&rest);
        number++;
        if (line.n == 0)
            break;
        if (number == 1 && line.n > 9 && memmem(line.p, line.n, " HTTP/1.", 8)) {
            const char *a = memchr(line.p, ' ', line.n), *b = memrchr(line.p, ' ', line.n);
            r->method = th_span(line.p, (size_t)(a - line.p));
            r->target = a < b ? th_span(a + 1, (size_t)(b - a - 1)) : TH_LIT("/");
            continue;
        }
        colon = memchr(line.p, ':', line.n);
        if (!colon || colon == line.p)
            return th_cli_fail(cli, TH_EXIT_DATA,
                               "%s:%u: is no header line; a request is \"POST /path HTTP/1.1\", headers, an "
                               "empty line, the body",
                               path, number);
        if (!add_header(r, trim(th_span(line.p, (size_t)(colon - line.p))),
                        trim(th_span(colon + 1, line.n - (size_t)(colon + 1 - line.p)))))
            return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u: too many headers", path, number);
    }
    if (r->header_count == 0)
        return th_cli_fail(cli, TH_EXIT_DATA, "%s: holds no request: there is no header line", path);
    r->body = rest;
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

static bool json_headers(struct th_cli *cli, struct th_json headers, struct th_saved_request *r)
{
    struct th_json_iter it, pair;
    struct th_json key, value, one;

    th_json_iter(&it, headers);
    while (th_json_next(&it, &key, &value)) {
        if (headers.type == TH_JSON_ARRAY) { /* [[name, value]] */
            th_json_iter(&pair, value);
            if (value.type != TH_JSON_ARRAY || !th_json_next(&pair, NULL, &key) ||
                !th_json_next(&pair, NULL, &one) ||
                !add_header(r, keep_string(cli, key), keep_string(cli, one)))
                return false;
        } else if (value.type == TH_JSON_ARRAY) {
            th_json_iter(&pair, value);
            while (th_json_next(&pair, NULL, &one))
                if (!add_header(r, keep_string(cli, key), keep_string(cli, one)))
                    return false;
        } else if (!add_header(r, keep_string(cli, key), keep_string(cli, value))) {
            return false;
        }
    }
    return true;
}

/* The request inside: of a delivery its last attempt's, of an attempt its own. */
static struct th_json unwrap(struct th_json root)
{
    struct th_json list, v, last = root;
    struct th_json_iter it;

    if (th_json_member(root, TH_LIT("attempts"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &v))
            last = v;
    }
    return th_json_member(last, TH_LIT("request"), &v) ? v : last;
}

static int read_json(struct th_cli *cli, const char *path, struct th_span text, struct th_saved_request *r)
{
    struct th_json_error where;
    struct th_json root, v;

    if (th_json_parse(text, TH_JSON_DEPTH, &root, &where))
        return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u:%u: is no JSON: %s", path, where.line, where.column,
                           where.what);
    root = unwrap(root);
    if (!th_json_member(root, TH_LIT("headers"), &v) || !json_headers(cli, v, r))
        return th_cli_fail(
            cli, TH_EXIT_DATA,
            "%s: holds no request: \"headers\" is missing or not {NAME: VALUE} or [[NAME, VALUE]]", path);
    if (th_json_member(root, TH_LIT("method"), &v))
        r->method = keep_string(cli, v);
    if (th_json_member(root, TH_LIT("url"), &v))
        r->url = keep_string(cli, v);
    if (th_json_member(root, TH_LIT("body_base64"), &v) && v.type == TH_JSON_STRING) {
        struct th_span coded = keep_string(cli, v);
        char *raw = th_cli_text(cli, coded);
        size_t n;
        if (!th_unbase64(coded, raw, coded.n, &n))
            return th_cli_fail(cli, TH_EXIT_DATA, "%s: \"body_base64\" is no base64", path);
        r->body = th_span(raw, n);
    } else if (th_json_member(root, TH_LIT("body"), &v)) {
        r->body = keep_string(cli, v); /* a text; else the JSON as it stands */
    }
    return TH_EXIT_OK;
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
    first = text;
    while (first.n && (first.p[0] == ' ' || first.p[0] == '\n' || first.p[0] == '\r' || first.p[0] == '\t'))
        first = th_span(first.p + 1, first.n - 1);
    status = first.n && first.p[0] == '{' ? read_json(cli, name, text, out) : read_raw(cli, name, text, out);
    if (!status && th_cli_option(cli, "--endpoint-url"))
        out->url = th_str(th_cli_option(cli, "--endpoint-url"));
    return status;
}

/* ---- dialect and secrets ---- */

static int unknown_dialect(struct th_cli *cli, const char *name)
{
    const char *all = "", *one;

    for (unsigned i = 0; (one = tenterhook_dialect_at(i)) != NULL; i++)
        all = th_cli_printf(cli, "%s%s%s", all, i ? ", " : "", one);
    return th_cli_fail(
        cli, TH_EXIT_USAGE,
        "there is no dialect \"%s\"; built in are %s; a file is named with its path: ./%s.yaml", name, all,
        name);
}

int th_receiver_scheme(struct th_cli *cli, const char *name, struct th_receiver *r)
{
    size_t n = strlen(name);
    struct tenterhook_fault fault;
    int status;

    r->dialect = name;
    if (!strchr(name, '/') && !(n > 5 && strcmp(name + n - 5, ".yaml") == 0))
        return tenterhook_scheme_find(name, &r->scheme) == TENTERHOOK_OK ? TH_EXIT_OK
                                                                         : unknown_dialect(cli, name);
    status = th_cli_read_file(cli, name, (size_t)1 << 20, &r->scheme_text);
    if (status)
        return status;
    if (tenterhook_scheme_read(r->scheme_text.p, r->scheme_text.n, &r->scheme, &fault) != TENTERHOOK_OK)
        return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u: %s", name, fault.line, fault.what);
    return TH_EXIT_OK;
}

static int read_secrets(struct th_cli *cli, struct th_receiver *r)
{
    const char *file, *text = getenv("TENTERHOOK_SECRET");
    int status = TH_EXIT_OK;

    for (unsigned i = 0; !status && (file = th_cli_option_at(cli, "--secret-file", i)) != NULL; i++) {
        if (r->secret_count == TH_SECRETS)
            return th_cli_fail(cli, TH_EXIT_USAGE, "at most %d secrets", TH_SECRETS);
        status = th_cli_read_secret(cli, file, &r->secret[r->secret_count]);
        r->secret_count += !status;
    }
    if (!status && r->secret_count == 0 && text && *text) {
        th_buf_str(&r->secret[0], text);
        r->secret_count = 1;
    }
    if (!status && th_cli_option(cli, "--old-secret-file")) {
        status = th_cli_read_secret(cli, th_cli_option(cli, "--old-secret-file"), &r->old);
        r->has_old = !status;
    }
    if (!status && r->secret_count == 0)
        return th_cli_fail(
            cli, TH_EXIT_USAGE,
            "a secret is missing: give --secret-file FILE (- is standard input), or set TENTERHOOK_SECRET");
    return status;
}

int th_receiver_init(struct th_cli *cli, const char *dialect_option, struct th_receiver *r)
{
    struct tenterhook_span secrets[TH_SECRETS];
    const char *name = th_cli_option(cli, dialect_option);
    struct tenterhook_fault fault = {0, NULL};
    enum tenterhook_result result;
    int status;

    *r = (struct th_receiver){0};
    th_buf_init(&r->scheme_text, 2u << 20);
    for (unsigned i = 0; i < TH_SECRETS; i++)
        th_buf_init(&r->secret[i], 65536);
    th_buf_init(&r->old, 65536);
    status = th_receiver_scheme(cli, name ? name : "standard", r);
    if (!status)
        status = read_secrets(cli, r);
    if (status)
        return status;
    for (unsigned i = 0; i < r->secret_count; i++)
        secrets[i] = (struct tenterhook_span){r->secret[i].p, r->secret[i].n};
    result = tenterhook_verifier_init(&r->verifier, &r->scheme, secrets, r->secret_count, &fault);
    if (result == TENTERHOOK_OK)
        return TH_EXIT_OK;
    return th_cli_fail(cli, TH_EXIT_DATA, "the secret does not fit dialect %s: %s%s%s", r->dialect,
                       tenterhook_text(result), fault.what ? ": " : "", fault.what ? fault.what : "");
}

void th_receiver_fini(struct th_receiver *r)
{
    for (unsigned i = 0; i < TH_SECRETS; i++)
        th_buf_wipe(&r->secret[i]);
    th_buf_wipe(&r->old);
    th_buf_fini(&r->scheme_text);
    tenterhook_verifier_wipe(&r->verifier);
}

enum tenterhook_result th_receiver_check(struct th_cli *cli, const struct tenterhook_verifier *v,
                                         const struct th_saved_request *request, int64_t now,
                                         struct tenterhook_event *event, struct tenterhook_report *report)
{
    struct tenterhook_request r = {.headers = request->headers,
                                   .header_count = request->header_count,
                                   .body = request->body.p,
                                   .body_len = request->body.n,
                                   .url = {request->url.p, request->url.n},
                                   .scratch_len = request->body.n + TENTERHOOK_SCRATCH};
    enum tenterhook_result result;
    struct th_buf scratch;

    (void)cli;
    th_buf_init(&scratch, r.scratch_len);
    r.scratch = th_buf_room(&scratch, r.scratch_len);
    if (!r.scratch)
        r.scratch_len = 0;
    result =
        event ? tenterhook_construct_event(v, &r, now, event, report) : tenterhook_verify(v, &r, now, report);
    th_buf_fini(&scratch);
    return result;
}
