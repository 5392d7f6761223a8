/* Explains a refused request: which step differs, and what would make it match.
 *
 * Why: "no signatures matching" has a dozen causes, and each leaves its own trace: the bytes that would have
 * matched. So the likely mistakes are made on purpose, one at a time and then two together, until the
 * signature fits. What fits is the cause; nothing is guessed that a MAC has not proved.
 *
 * LIMIT: bodies over 128 KiB get only single changes, so that the answer comes at once.
 * Memory: every try's verifier is wiped; texts live in the JSON that is returned. */
#include "cli/cli_explain.h"
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_request.h"
#include <stdlib.h>

#define TRY_BODY_MAX ((size_t)128 << 10)
#define SHOWN 160

/* ---- what is said ---- */

void th_explain_finding(struct th_explain *x, const char *text)
{
    th_jw_string(&x->w, th_str(text));
}

const char *th_explain_hex(struct th_cli *cli, struct th_span s)
{
    const char *text = "";

    for (size_t i = 0; i < s.n; i++)
        text = th_cli_printf(cli, "%s%s%02x", text, i ? " " : "", (unsigned char)s.p[i]);
    return s.n ? text : "(end)";
}

/* ---- another dialect ---- */

static bool right_in(struct th_explain *x, const char *name)
{
    struct tenterhook_scheme scheme;

    if (strcmp(name, x->r->dialect) == 0 || tenterhook_scheme_find(name, &scheme) != TENTERHOOK_OK)
        return false;
    for (unsigned k = 0; k < x->r->secret_count; k++)
        if (th_explain_verifies(x, &scheme, th_buf_view(&x->r->secret[k])))
            return true;
    return false;
}

static bool other_dialect(struct th_explain *x)
{
    const char *name, *all = "";

    for (unsigned i = 0; (name = tenterhook_dialect_at(i)) != NULL; i++)
        if (right_in(x, name))
            all = th_cli_printf(x->cli, "%s%s%s", all, *all ? ", " : "", name);
    if (*all)
        th_explain_finding(
            x,
            th_cli_printf(x->cli,
                          "it is a request of another dialect, and its signature is right in that: %s", all));
    return *all;
}

/* Headers that look as if they carried a signature, when the right one is not there. */
static void similar_headers(struct th_explain *x)
{
    const char *all = "";

    for (size_t i = 0; i < x->request->header_count; i++) {
        struct th_span name = th_span(x->request->headers[i].name.p, x->request->headers[i].name.n);
        bool like = false;
        for (size_t k = 0; k + 4 <= name.n; k++)
            like = like || th_span_ieq(th_span(name.p + k, 4), TH_LIT("sign")) ||
                   th_span_ieq(th_span(name.p + k, 4), TH_LIT("hmac")) ||
                   th_span_ieq(th_span(name.p + k, 4), TH_LIT("auth"));
        if (like)
            all = th_cli_printf(x->cli, "%s%s%.*s", all, *all ? ", " : "", (int)name.n, name.p);
    }
    th_explain_finding(
        x, th_cli_printf(x->cli,
                         "header %.*s did not arrive%s%s. A proxy may drop or rename headers; some "
                         "frameworks show them as HTTP_X_...",
                         (int)x->report.header.n, x->report.header.p, *all ? "; these did: " : "", all));
}

/* ---- what was expected ---- */

/* Values of variables that headers carry. */
static struct th_span variable(const struct th_explain *x, struct th_span name)
{
    for (unsigned i = 0; i < x->r->scheme.source_count; i++) {
        const struct tenterhook_source *s = &x->r->scheme.source[i];
        if (th_span_eq(th_span(s->variable.p, s->variable.n), name)) {
            struct th_span v =
                th_request_header(x->request, th_cli_text(x->cli, th_span(s->header.p, s->header.n)));
            if (v.p)
                return v;
        }
    }
    if (th_span_is(name, "{endpoint.url}"))
        return x->request->url;
    if (th_span_is(name, "{schema.version}"))
        return th_span(x->r->scheme.schema_version.p, x->r->scheme.schema_version.n);
    if (th_span_is(name, "{ts}") && x->report.has_time)
        return th_str(th_cli_printf(x->cli, "%lld", (long long)x->report.signed_at));
    return (struct th_span){NULL, 0};
}

static struct tenterhook_span lib_span(struct th_span s)
{
    return (struct tenterhook_span){s.p, s.n};
}

/* The signed bytes but for the body's middle, as text. */
static void write_signed(struct th_explain *x)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];
    struct th_span rest = {s->content.p, s->content.n};
    struct th_buf text;
    size_t bytes = 0;

    if (s->encoding == TENTERHOOK_HTTP_MESSAGE)
        return; /* what is signed is made of the whole request */
    th_buf_init(&text, 65536);
    while (rest.n) {
        const char *close = rest.p[0] == '{' ? memchr(rest.p, '}', rest.n) : NULL;
        struct th_span part = {rest.p, close ? (size_t)(close + 1 - rest.p) : 1}, value = part;
        if (close)
            value = th_span_is(part, "{body}") ? x->request->body : variable(x, part);
        bytes += value.n;
        th_buf_span(&text, th_span(value.p, value.n < SHOWN ? value.n : SHOWN));
        if (value.n > SHOWN)
            th_buf_str(&text, "...");
        rest = th_span(rest.p + part.n, rest.n - part.n);
    }
    th_jw_key(&x->w, TH_LIT("signed"));
    th_jw_object(&x->w);
    th_jw_key(&x->w, TH_LIT("content"));
    th_jw_string(&x->w, th_span(s->content.p, s->content.n));
    th_jw_key(&x->w, TH_LIT("bytes"));
    th_jw_u64(&x->w, bytes);
    th_jw_key(&x->w, TH_LIT("text"));
    th_jw_string(&x->w, th_buf_view(&text));
    th_jw_key(&x->w, TH_LIT("first_bytes"));
    th_jw_string(&x->w, th_str(th_explain_hex(x->cli, th_span(text.p, text.n < 24 ? text.n : 24))));
    th_jw_end_object(&x->w);
    th_buf_fini(&text);
}

/* Writes what the header of the first signature would be; 0: that is not known. bare: only the MAC, without
 * what the scheme writes around it. */
static size_t expected(struct th_explain *x, unsigned which, bool bare, char *value, size_t size)
{
    struct tenterhook_scheme scheme = x->r->scheme;
    struct tenterhook_signature *s = &scheme.signature[0];
    struct th_span ts = variable(x, TH_LIT("{ts}"));
    struct tenterhook_span secret = lib_span(th_buf_view(&x->r->secret[which]));
    struct tenterhook_message m = {.body = lib_span(x->request->body),
                                   .event_id = lib_span(variable(x, TH_LIT("{event.id}"))),
                                   .event_type = lib_span(variable(x, TH_LIT("{event.type}"))),
                                   .delivery_id = lib_span(variable(x, TH_LIT("{delivery.id}"))),
                                   .endpoint_id = lib_span(variable(x, TH_LIT("{endpoint.id}"))),
                                   .endpoint_url = lib_span(x->request->url),
                                   .attempt_number = lib_span(variable(x, TH_LIT("{attempt.number}")))};
    uint64_t unix_s;
    size_t n = 0;

    m.ts = x->report.has_time                            ? x->report.signed_at
           : ts.n && th_span_u64(ts, INT64_MAX, &unix_s) ? (int64_t)unix_s
                                                         : x->now;
    if (scheme.signature_count == 0 || s->algorithm == TENTERHOOK_ED25519)
        return 0;
    if (bare) {
        s->item = tenterhook_str("{sig}");
        s->join = s->wrap = (struct tenterhook_span){NULL, 0};
    }
    return tenterhook_sign(&scheme, 0, &secret, 1, &m, value, size, &n) == TENTERHOOK_OK ? n : 0;
}

static void write_expected(struct th_explain *x)
{
    char value[1024];
    size_t n = expected(x, 0, false, value, sizeof value);

    if (n == 0)
        return;
    th_jw_key(&x->w, TH_LIT("expected"));
    th_jw_string(&x->w, th_span(value, n));
}

/* The right MAC with something else around it: another prefix, another list. */
static bool written_otherwise(struct th_explain *x)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];
    struct th_span came =
        th_request_header(x->request, th_cli_text(x->cli, th_span(s->header.p, s->header.n)));
    char bare[1024], whole[1024];

    for (unsigned i = 0; x->r->scheme.signature_count && came.p && i < x->r->secret_count; i++) {
        size_t n = expected(x, i, true, bare, sizeof bare), m = expected(x, i, false, whole, sizeof whole);
        if (n && m && !th_span_eq(came, th_span(whole, m)) && memmem(came.p, came.n, bare, n)) {
            th_explain_finding(
                x,
                th_cli_printf(
                    x->cli,
                    "the value is right, but what is written around it (its prefix) is not: %.*s came, %.*s "
                    "belongs there",
                    (int)(came.n < 300 ? came.n : 300), came.p, (int)m, whole));
            return true;
        }
    }
    return false;
}

/* The head says how long the body was when it was sent. */
static bool other_length(struct th_explain *x)
{
    struct th_span length = th_request_header(x->request, "content-length");
    uint64_t n;

    if (!length.p || !th_span_u64(length, UINT32_MAX, &n) || n == x->request->body.n)
        return false;
    th_explain_finding(
        x, th_cli_printf(x->cli,
                         "the body is not the one that was sent: Content-Length says %llu bytes, and %zu "
                         "are here; %s",
                         (unsigned long long)n, x->request->body.n,
                         n > x->request->body.n ? "the rest was cut off" : "something was added"));
    return true;
}

static bool private_key(struct th_explain *x)
{
    for (unsigned k = 0; k < x->r->secret_count; k++) {
        const char *public = th_receiver_public(x->cli, &x->r->scheme, th_buf_view(&x->r->secret[k]));
        if (public && th_explain_verifies(x, &x->r->scheme, th_str(public))) {
            th_explain_finding(
                x, th_cli_printf(x->cli,
                                 "the secret given is the private key; a receiver verifies with the "
                                 "public one: it matches with %s",
                                 public));
            return true;
        }
    }
    return false;
}

static bool there_twice(struct th_explain *x)
{
    struct th_span name = {x->report.header.p, x->report.header.n};
    unsigned count = 0;

    for (size_t i = 0; i < x->request->header_count; i++)
        count += th_span_ieq(th_span(x->request->headers[i].name.p, x->request->headers[i].name.n), name);
    if (count < 2)
        return false;
    th_explain_finding(
        x, th_cli_printf(x->cli,
                         "header %.*s came %u times, and nothing says which one counts: a proxy or a "
                         "framework has added one",
                         (int)name.n, name.p, count));
    return true;
}

/* A header that holds the secret itself: its value is not shown, and the body has nothing to do with it. */
static bool other_secret(struct th_explain *x)
{
    const struct th_span name = {x->r->scheme.auth_header.p, x->r->scheme.auth_header.n};
    const struct tenterhook_span form = x->r->scheme.auth_value;
    const char *text = th_cli_text(x->cli, name);
    struct th_span came = th_request_header(x->request, text);
    bool holds = false;

    if (!name.n || !th_span_ieq(th_span(x->report.header.p, x->report.header.n), name))
        return false;
    for (unsigned k = 0; came.p && k < x->r->secret_count; k++)
        holds = holds || memmem(came.p, came.n, x->r->secret[k].p, x->r->secret[k].n);
    if (x->result == TENTERHOOK_MALFORMED)
        th_explain_finding(
            x, th_cli_printf(x->cli, "header %s is not of the form of this dialect: \"%.*s\" belongs there%s",
                             text, (int)form.n, form.p, holds ? "; the secret in it is the right one" : ""));
    else
        th_explain_finding(
            x,
            th_cli_printf(x->cli, "the secret in header %s is another one%s%s", text,
                          holds ? ": the one given here with more before or behind it" : "",
                          holds || x->r->has_old ? "" : " (give the previous one with --old-secret-file)"));
    return true;
}

/* True when the body is JSON whose objects are all sorted, and has so many members that this is hardly
 * chance. */
static bool sorted_members(const struct th_explain *x)
{
    struct th_json root, key, value;
    struct th_json_iter it;
    struct th_span before = {NULL, 0};
    unsigned n = 0;

    if (th_json_parse(x->request->body, TH_JSON_DEPTH, &root, NULL) || root.type != TH_JSON_OBJECT)
        return false;
    th_json_iter(&it, root);
    while (th_json_next(&it, &key, &value)) {
        size_t common = before.n < key.raw.n ? before.n : key.raw.n;
        int order = n ? memcmp(before.p, key.raw.p, common) : -1;

        if (order > 0)
            return false;
        before = key.raw;
        n++;
    }
    return n >= 3;
}

/* Explains how the signature would be right, whatever the time. */
static void find_signature_causes(struct th_explain *x)
{
    struct th_span name = {x->report.header.p, x->report.header.n};
    struct th_span came = name.n ? th_request_header(x->request, th_cli_text(x->cli, name)) : name;

    if (there_twice(x) || written_otherwise(x) || private_key(x) || th_explain_one_change(x) ||
        other_dialect(x) || other_secret(x) ||
        (x->request->body.n <= TRY_BODY_MAX && th_explain_two_changes(x)) || other_length(x))
        return;
    if (sorted_members(x))
        th_explain_finding(
            x, "the members of every object of the body stand in alphabetical order: a parser that sorts "
               "them seems to have written it anew, and may have rewritten numbers. Verify the raw bytes");
    if (x->result == TENTERHOOK_MALFORMED)
        th_explain_finding(
            x, th_cli_printf(x->cli, "header %.*s is not of the form of this dialect: %s; it holds \"%.*s\"",
                             (int)name.n, name.p, x->report.detail, (int)(came.n < 200 ? came.n : 200),
                             came.p ? came.p : ""));
    else
        th_explain_finding(x, x->r->has_old
                                  ? "no usual mistake explains it: the secret is another one, or the bytes "
                                    "were changed in another way"
                                  : "no usual mistake explains it: the secret is another one (give the "
                                    "previous one with --old-secret-file), or "
                                    "the bytes were changed in another way");
}

#define MILLIS_FROM 100000000000 /* as seconds that is the year 5138 */

static void find_time_causes(struct th_explain *x, bool right)
{
    long long age = (long long)x->report.age_s, at = (long long)x->report.signed_at;
    const char *signature = right ? "right" : "wrong too";

    if (x->result == TENTERHOOK_TOO_NEW && at >= MILLIS_FROM)
        th_explain_finding(
            x, th_cli_printf(x->cli,
                             "the time is in milliseconds (%lld), and seconds (%lld) belong there. The "
                             "signature itself is %s",
                             at, at / 1000, signature));
    else if (x->result == TENTERHOOK_TOO_NEW)
        th_explain_finding(x,
                           th_cli_printf(x->cli,
                                         "it was signed %lld s in the future: this clock is behind, or the "
                                         "sender's is ahead. The signature itself is %s",
                                         -age, signature));
    else
        th_explain_finding(
            x, th_cli_printf(x->cli,
                             "it was signed %lld s ago, and the window is %lld s. The signature itself is "
                             "%s%s",
                             age, (long long)x->r->window_s, signature,
                             right ? ": the request was kept or sent again, or this clock is ahead" : ""));
}

/* The signature is right, but a receiver refuses the request all the same. */
static void find_event_causes(struct th_explain *x)
{
    struct tenterhook_report report;
    struct tenterhook_event event;

    if (th_receiver_check(x->cli, &x->r->verifier, x->request, x->now, &event, &report) ==
        TENTERHOOK_BAD_EVENT)
        th_explain_finding(
            x, th_cli_printf(x->cli,
                             "the signature is right, but the body is no event of this dialect: %s. "
                             "tenterhook_construct_event refuses it",
                             report.detail));
}

static void find_causes(struct th_explain *x)
{
    bool right = x->result == TENTERHOOK_OK;

    th_jw_key(&x->w, TH_LIT("findings"));
    th_jw_array(&x->w);
    if (right) {
        find_event_causes(x);
    } else if (x->result == TENTERHOOK_MISSING_HEADER) {
        if (!other_dialect(x))
            similar_headers(x);
    } else {
        if (x->result == TENTERHOOK_TOO_OLD || x->result == TENTERHOOK_TOO_NEW) {
            right = th_explain_as_it_is(x);
            find_time_causes(x, right);
        }
        if (!right)
            find_signature_causes(x);
    }
    th_jw_end_array(&x->w);
}

/* ---- steps ---- */

static void step(struct th_explain *x, const char *name, bool ok, struct th_span value)
{
    th_jw_object(&x->w);
    th_jw_key(&x->w, TH_LIT("name"));
    th_jw_string(&x->w, th_str(name));
    th_jw_key(&x->w, TH_LIT("ok"));
    th_jw_bool(&x->w, ok);
    th_jw_key(&x->w, TH_LIT("value"));
    th_jw_string(&x->w, th_span(value.p ? value.p : "", value.n < 200 ? value.n : 200));
    th_jw_end_object(&x->w);
}

/* needed: the scheme cannot do without it. */
static void header_step(struct th_explain *x, struct tenterhook_span name, bool hide, bool needed)
{
    const char *text = th_cli_text(x->cli, th_span(name.p, name.n));
    struct th_span value = th_request_header(x->request, text);
    bool bad = (!value.p && needed) ||
               (th_span_ieq(th_span(x->report.header.p, x->report.header.n), th_span(name.p, name.n)) &&
                x->result == TENTERHOOK_MALFORMED);

    step(x, th_cli_printf(x->cli, "header %s", text), !bad,
         !value.p ? needed ? TH_LIT("is not there") : TH_LIT("is missing, but is not needed")
         : hide ? TH_LIT("(not shown: contains the secret)")
                  : value);
}

static bool signs(const struct th_explain *x, struct tenterhook_span variable)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];

    return x->r->scheme.signature_count && memmem(s->content.p, s->content.n, variable.p, variable.n);
}

static void write_steps(struct th_explain *x)
{
    const struct tenterhook_scheme *s = &x->r->scheme;
    bool timed = x->result == TENTERHOOK_TOO_OLD || x->result == TENTERHOOK_TOO_NEW;

    th_jw_key(&x->w, TH_LIT("steps"));
    th_jw_array(&x->w);
    if (s->auth_header.n)
        header_step(x, s->auth_header, true, true);
    for (unsigned i = 0; i < s->source_count; i++)
        header_step(x, s->source[i].header, false, signs(x, s->source[i].variable));
    if (s->signature_count)
        header_step(x, s->signature[0].header, false, true);
    if (x->report.has_time)
        step(x, "time", !timed,
             th_str(th_cli_printf(x->cli, "signed %lld s %s, at %lld; %s", llabs((long long)x->report.age_s),
                                  x->report.age_s < 0 ? "in the future" : "ago",
                                  (long long)x->report.signed_at,
                                  x->r->window_s ? th_cli_printf(x->cli, "%lld s are allowed on both sides",
                                                                 (long long)x->r->window_s)
                                                 : "any time is allowed")));
    if (x->result == TENTERHOOK_OK || x->result == TENTERHOOK_NO_MATCH)
        step(x, s->signature_count ? "signature" : "secret", x->result == TENTERHOOK_OK,
             th_str(x->report.detail));
    th_jw_end_array(&x->w);
}

enum tenterhook_result th_explain(struct th_cli *cli, const struct th_receiver *r,
                                  const struct th_saved_request *request, int64_t now, struct th_buf *json)
{
    struct th_explain x = {.cli = cli, .r = r, .request = request, .now = now, .w = th_jw(json)};

    th_buf_init(&x.body, request->body.n * 6 + 4096);
    th_buf_init(&x.value, 65536);
    x.result = th_receiver_check(cli, &r->verifier, request, now, NULL, &x.report);
    th_jw_object(&x.w);
    th_jw_key(&x.w, TH_LIT("ok"));
    th_jw_bool(&x.w, x.result == TENTERHOOK_OK);
    th_jw_key(&x.w, TH_LIT("dialect"));
    th_jw_string(&x.w, th_str(r->dialect));
    th_jw_key(&x.w, TH_LIT("result"));
    th_jw_string(&x.w, th_str(tenterhook_name(x.result)));
    th_jw_key(&x.w, TH_LIT("text"));
    th_jw_string(&x.w, th_str(tenterhook_text(x.result)));
    th_jw_key(&x.w, TH_LIT("header"));
    th_jw_string(&x.w, th_span(x.report.header.p ? x.report.header.p : "", x.report.header.n));
    th_jw_key(&x.w, TH_LIT("detail"));
    th_jw_string(&x.w, th_str(x.report.detail));
    write_steps(&x);
    if (r->scheme.signature_count && x.result != TENTERHOOK_MISSING_HEADER) {
        write_signed(&x);
        write_expected(&x);
    }
    find_causes(&x);
    th_jw_end_object(&x.w);
    th_buf_wipe(&x.body);
    th_buf_fini(&x.value);
    return x.result;
}

void th_explain_print(struct th_cli *cli, struct th_json e, bool steps, const char *margin)
{
    struct th_json list, row;
    struct th_json_iter it;

    if (steps && th_json_member(e, TH_LIT("steps"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &row)) {
            bool ok = strcmp(th_cli_member(cli, row, "/ok"), "true") == 0;
            const char *value = th_cli_member(cli, row, "/value");
            printf("%s%s%s%s  %s%s", margin, ok ? th_green(cli) : th_red(cli), ok ? "ok  " : "FAIL",
                   th_plain(cli), th_cli_member(cli, row, "/name"), strcmp(value, "-") == 0 ? "" : ": ");
            th_print_safe(stdout, th_str(strcmp(value, "-") == 0 ? "" : value));
            putchar('\n');
        }
    }
    if (steps && th_cli_member(cli, e, "/expected")[0] != '-') {
        printf("%ssigned bytes (%s, %s): ", margin, th_cli_member(cli, e, "/signed/content"),
               th_cli_member(cli, e, "/signed/bytes"));
        th_print_safe(stdout, th_str(th_cli_member(cli, e, "/signed/text")));
        printf("\n%sbeginning in hex: %s\n%sexpected: %s\n", margin,
               th_cli_member(cli, e, "/signed/first_bytes"), margin, th_cli_member(cli, e, "/expected"));
    }
    if (!th_json_member(e, TH_LIT("findings"), &list))
        return;
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &row)) {
        printf("%s%s->%s ", margin, th_bold(cli), th_plain(cli));
        th_print_safe(stdout, th_str(th_cli_member(cli, row, "")));
        putchar('\n');
    }
}
