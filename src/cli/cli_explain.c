/* Explains a refused request: which step differs, and what would make it match.
 *
 * Why: "no signatures matching" has a dozen causes, and each leaves its own trace: the bytes that would have
 * matched. So the likely mistakes are made on purpose, one at a time and then two together, until the
 * signature fits. What fits is the cause; nothing is guessed that a MAC has not proved.
 *
 * LIMIT: bodies over 128 KiB get only single changes, so that the answer comes at once.
 * Memory: every try's verifier is wiped; texts live in the JSON that is returned. */
#include "base/enc.h"
#include "cli/cli_request.h"
#include <stdlib.h>

#define TRY_BODY_MAX ((size_t)128 << 10)
#define SHOWN 160

/* ---- the secret, and the scheme, another way ---- */

static const struct {
    enum tenterhook_key key;
    const char *what;
} keys[] = {
    {0, NULL},
    {TENTERHOOK_KEY_UTF8, "the bytes of its text"},
    {TENTERHOOK_KEY_BASE64, "decoded from base64"},
    {TENTERHOOK_KEY_WHSEC, "decoded from base64 after \"whsec_\""},
    {TENTERHOOK_KEY_HEX, "decoded from hex"},
};
static const char *const secret_ways[] = {NULL, "with a line end behind it", "without its white space",
                                          "the old one"};
static const char *const contents[] = {
    NULL,        "{body}", "{ts}.{body}", "{event.id}.{ts}.{body}", "{event.id}.{body}", "v0:{ts}:{body}",
    "{ts}{body}"};
static const struct {
    enum tenterhook_algorithm algorithm;
    const char *what;
} algorithms[] = {{0, NULL},
                  {TENTERHOOK_HMAC_SHA256, "HMAC-SHA256"},
                  {TENTERHOOK_HMAC_SHA1, "HMAC-SHA1"},
                  {TENTERHOOK_HMAC_SHA512, "HMAC-SHA512"}};
static const char *const items[] = {NULL, "{sig}", "sha256={sig}", "sha1={sig}", "v1,{sig}", "v1={sig}"};
static const struct {
    enum tenterhook_encoding encoding;
    const char *what;
} encodings[] = {{0, NULL}, {TENTERHOOK_HEX, "hex"}, {TENTERHOOK_BASE64, "base64"}};

#define COUNT(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))
enum { D_BODY, D_KEY, D_SECRET, D_CONTENT, D_ITEM, D_ENCODING, D_ALGORITHM, DIMENSIONS };
/* Ways of each; those of the body are counted in another file. */
static const unsigned counts[DIMENSIONS] = {0 /* th_restyle_count */, COUNT(keys),  COUNT(secret_ways),
                                            COUNT(contents),          COUNT(items), COUNT(encodings),
                                            COUNT(algorithms)};

static unsigned ways(unsigned dimension)
{
    return dimension == D_BODY ? th_restyle_count : counts[dimension];
}

struct explain {
    struct th_cli *cli;
    const struct th_receiver *r;
    const struct th_saved_request *request;
    int64_t now;
    struct tenterhook_report report;
    enum tenterhook_result result;
    struct th_jw w;
    struct th_buf body; /* of the try that matched */
    unsigned findings;
};

static bool secret_for(const struct explain *x, unsigned way, unsigned which, struct th_buf *out)
{
    struct th_span s = th_buf_view(&x->r->secret[which]);

    if (way == 3) {
        th_buf_span(out, th_buf_view(&x->r->old));
        return x->r->has_old && which == 0;
    }
    if (way == 2) {
        size_t before = s.n;
        while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
            s.n--;
        while (s.n && strchr(" \t\r\n", s.p[0]))
            s = th_span(s.p + 1, s.n - 1);
        if (s.n == before)
            return false;
    }
    th_buf_span(out, s);
    if (way == 1)
        th_buf_char(out, '\n');
    return true;
}

static bool verifies(const struct explain *x, const struct tenterhook_scheme *scheme, struct th_span secret,
                     struct th_span body)
{
    struct tenterhook_span s = {secret.p, secret.n};
    struct th_saved_request request = *x->request;
    struct tenterhook_verifier v;
    struct tenterhook_report report;
    bool ok = tenterhook_verifier_init(&v, scheme, &s, 1, NULL) == TENTERHOOK_OK &&
              tenterhook_verifier_window(&v, 0, 0) == TENTERHOOK_OK;

    request.body = body;
    ok = ok && th_receiver_check(x->cli, &v, &request, x->now, NULL, &report) == TENTERHOOK_OK;
    tenterhook_verifier_wipe(&v);
    return ok;
}

static struct tenterhook_span span(const char *s)
{
    return (struct tenterhook_span){s, strlen(s)};
}

/* One combination of mistakes. */
static bool attempt(struct explain *x, const unsigned pick[DIMENSIONS])
{
    struct tenterhook_scheme scheme = x->r->scheme;
    struct th_span body = x->request->body;
    bool ok = false;

    th_buf_reset(&x->body);
    if (pick[D_BODY]) {
        if (!th_restyles[pick[D_BODY]].make(body, &x->body) || x->body.failed ||
            th_span_eq(th_buf_view(&x->body), body))
            return false;
        body = th_buf_view(&x->body);
    }
    for (unsigned i = 0; i < scheme.signature_count; i++) {
        struct tenterhook_signature *s = &scheme.signature[i];
        if (s->algorithm == TENTERHOOK_ED25519)
            continue;
        if (pick[D_KEY])
            s->key = keys[pick[D_KEY]].key;
        if (pick[D_CONTENT])
            s->content = span(contents[pick[D_CONTENT]]);
        if (pick[D_ITEM]) {
            s->item = span(items[pick[D_ITEM]]);
            s->join = s->wrap = (struct tenterhook_span){NULL, 0};
        }
        if (pick[D_ENCODING])
            s->encoding = encodings[pick[D_ENCODING]].encoding;
        if (pick[D_ALGORITHM])
            s->algorithm = algorithms[pick[D_ALGORITHM]].algorithm;
    }
    for (unsigned which = 0; !ok && which < x->r->secret_count; which++) {
        struct th_buf secret;
        th_buf_init(&secret, 65536);
        ok =
            secret_for(x, pick[D_SECRET], which, &secret) && verifies(x, &scheme, th_buf_view(&secret), body);
        th_buf_wipe(&secret);
    }
    return ok;
}

/* ---- what is said ---- */

static void finding(struct explain *x, const char *text)
{
    th_jw_string(&x->w, th_str(text));
    x->findings++;
}

static const char *hex_of(struct th_cli *cli, struct th_span s)
{
    const char *text = "";

    for (size_t i = 0; i < s.n; i++)
        text = th_cli_printf(cli, "%s%s%02x", text, i ? " " : "", (unsigned char)s.p[i]);
    return s.n ? text : "(end)";
}

/* "at byte 8: 20 31 came, 31 2c was signed" */
static const char *difference(struct explain *x, struct th_span came, struct th_span made)
{
    size_t at = 0;
    struct th_span a, b;

    while (at < came.n && at < made.n && came.p[at] == made.p[at])
        at++;
    a = th_span(came.p + at, came.n - at < 8 ? came.n - at : 8);
    b = th_span(made.p + at, made.n - at < 8 ? made.n - at : 8);
    return th_cli_printf(x->cli,
                         "first difference at byte %zu: %s here, %s was signed (%zu bytes here, %zu signed)",
                         at, hex_of(x->cli, a), hex_of(x->cli, b), came.n, made.n);
}

static void say_match(struct explain *x, const unsigned pick[DIMENSIONS])
{
    struct th_cli *c = x->cli;

    if (pick[D_BODY])
        finding(x, th_cli_printf(c,
                                 "the body was changed on the way: it matches when %s. Verify the raw bytes, "
                                 "before any parser or "
                                 "framework rewrites them; %s",
                                 th_restyles[pick[D_BODY]].what,
                                 difference(x, x->request->body, th_buf_view(&x->body))));
    if (pick[D_KEY])
        finding(x, th_cli_printf(c, "the key was decoded another way: it matches with the secret %s",
                                 keys[pick[D_KEY]].what));
    if (pick[D_SECRET] == 3)
        finding(x, "it was signed with the old secret: take both while a rotation is under way, or the old "
                   "one has ended");
    else if (pick[D_SECRET])
        finding(x, th_cli_printf(c, "the secret differs in white space: it matches %s",
                                 secret_ways[pick[D_SECRET]]));
    if (pick[D_CONTENT])
        finding(x,
                th_cli_printf(c, "other bytes were signed: it matches over %s", contents[pick[D_CONTENT]]));
    if (pick[D_ITEM])
        finding(x, th_cli_printf(c, "the signature is written another way (its prefix): it matches as %s",
                                 items[pick[D_ITEM]]));
    if (pick[D_ENCODING])
        finding(x, th_cli_printf(c, "the signature is in %s", encodings[pick[D_ENCODING]].what));
    if (pick[D_ALGORITHM])
        finding(x, th_cli_printf(c, "it was made with %s", algorithms[pick[D_ALGORITHM]].what));
}

static bool single_changes(struct explain *x)
{
    for (unsigned d = 0; d < DIMENSIONS; d++)
        for (unsigned i = 1; i < ways(d); i++) {
            unsigned pick[DIMENSIONS] = {0};
            pick[d] = i;
            if (attempt(x, pick)) {
                say_match(x, pick);
                return true;
            }
        }
    return false;
}

static bool double_changes(struct explain *x)
{
    for (unsigned d = 0; d < DIMENSIONS; d++)
        for (unsigned i = 1; i < ways(d); i++)
            for (unsigned e = d + 1; e < DIMENSIONS; e++)
                for (unsigned j = 1; j < ways(e); j++) {
                    unsigned pick[DIMENSIONS] = {0};
                    pick[d] = i;
                    pick[e] = j;
                    if (attempt(x, pick)) {
                        say_match(x, pick);
                        return true;
                    }
                }
    return false;
}

static bool right_in(struct explain *x, const char *name)
{
    struct tenterhook_scheme scheme;

    if (strcmp(name, x->r->dialect) == 0 || tenterhook_scheme_find(name, &scheme) != TENTERHOOK_OK)
        return false;
    for (unsigned k = 0; k < x->r->secret_count; k++)
        if (verifies(x, &scheme, th_buf_view(&x->r->secret[k]), x->request->body))
            return true;
    return false;
}

static bool other_dialect(struct explain *x)
{
    const char *name, *all = "";

    for (unsigned i = 0; (name = tenterhook_dialect_at(i)) != NULL; i++)
        if (right_in(x, name))
            all = th_cli_printf(x->cli, "%s%s%s", all, *all ? ", " : "", name);
    if (*all)
        finding(x, th_cli_printf(x->cli, "it is a request of another dialect, and right in that: %s", all));
    return *all;
}

/* Headers that look as if they carried a signature, when the right one is not there. */
static void similar_headers(struct explain *x)
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
    finding(x, th_cli_printf(x->cli,
                             "header %.*s did not arrive%s%s. A proxy may drop or rename headers; some "
                             "frameworks show them as HTTP_X_...",
                             (int)x->report.header.n, x->report.header.p, *all ? "; these did: " : "", all));
}

/* ---- what was expected ---- */

/* Values of variables that headers carry. */
static struct th_span variable(const struct explain *x, struct th_span name)
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
static void write_signed(struct explain *x)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];
    struct th_span rest = {s->content.p, s->content.n};
    struct th_buf text;
    size_t bytes = 0;

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
    th_jw_string(&x->w, th_str(hex_of(x->cli, th_span(text.p, text.n < 24 ? text.n : 24))));
    th_jw_end_object(&x->w);
    th_buf_fini(&text);
}

/* What the header of the first signature would be; 0: cannot be said. bare: the MAC alone, without what the scheme
 * writes around it. */
static size_t expected(struct explain *x, unsigned which, bool bare, char *value, size_t size)
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
        s->item = span("{sig}");
        s->join = s->wrap = (struct tenterhook_span){NULL, 0};
    }
    return tenterhook_sign(&scheme, 0, &secret, 1, &m, value, size, &n) == TENTERHOOK_OK ? n : 0;
}

static void write_expected(struct explain *x)
{
    char value[1024];
    size_t n = expected(x, 0, false, value, sizeof value);

    if (n == 0)
        return;
    th_jw_key(&x->w, TH_LIT("expected"));
    th_jw_string(&x->w, th_span(value, n));
}

/* The right MAC with something else around it: another prefix, another list. */
static bool written_otherwise(struct explain *x)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];
    struct th_span came =
        th_request_header(x->request, th_cli_text(x->cli, th_span(s->header.p, s->header.n)));
    char bare[1024], whole[1024];

    for (unsigned i = 0; x->r->scheme.signature_count && came.p && i < x->r->secret_count; i++) {
        size_t n = expected(x, i, true, bare, sizeof bare), m = expected(x, i, false, whole, sizeof whole);
        if (n && m && memmem(came.p, came.n, bare, n)) {
            finding(x,
                    th_cli_printf(
                        x->cli,
                        "the value is right, what is written around it (its prefix) is not: %.*s came, %.*s "
                        "belongs there",
                        (int)(came.n < 300 ? came.n : 300), came.p, (int)m, whole));
            return true;
        }
    }
    return false;
}

static void find_causes(struct explain *x)
{
    th_jw_key(&x->w, TH_LIT("findings"));
    th_jw_array(&x->w);
    switch (x->result) {
    case TENTERHOOK_OK:
        break;
    case TENTERHOOK_TOO_OLD:
        finding(x, th_cli_printf(
                       x->cli, "it was signed %lld s ago, and the window is %d s. The signature itself is %s",
                       (long long)x->report.age_s, TENTERHOOK_WINDOW_S,
                       attempt(x, (unsigned[DIMENSIONS]){0})
                           ? "right: the request was kept or sent again, or this clock is ahead"
                           : "wrong too"));
        break;
    case TENTERHOOK_TOO_NEW:
        finding(
            x, th_cli_printf(
                   x->cli,
                   "it was signed %lld s in the future: this clock is behind, or the time is in milliseconds",
                   -(long long)x->report.age_s));
        break;
    case TENTERHOOK_MISSING_HEADER:
        if (!other_dialect(x))
            similar_headers(x);
        break;
    default:
        if (written_otherwise(x) || single_changes(x) || other_dialect(x) ||
            (x->request->body.n <= TRY_BODY_MAX && double_changes(x)))
            break;
        finding(x, x->r->has_old ? "no usual mistake explains it: the secret is another one, or the bytes "
                                   "were changed in another way"
                                 : "no usual mistake explains it: the secret is another one (give the "
                                   "previous one with --old-secret-file), or "
                                   "the bytes were changed in another way");
    }
    th_jw_end_array(&x->w);
}

/* ---- steps ---- */

static void step(struct explain *x, const char *name, bool ok, struct th_span value)
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
static void header_step(struct explain *x, struct tenterhook_span name, bool hide, bool needed)
{
    const char *text = th_cli_text(x->cli, th_span(name.p, name.n));
    struct th_span value = th_request_header(x->request, text);
    bool bad = (!value.p && needed) ||
               (th_span_ieq(th_span(x->report.header.p, x->report.header.n), th_span(name.p, name.n)) &&
                x->result == TENTERHOOK_MALFORMED);

    step(x, th_cli_printf(x->cli, "header %s", text), !bad,
         !value.p ? needed ? TH_LIT("is not there") : TH_LIT("is not there, and not needed")
         : hide ? TH_LIT("(not shown: holds the secret)")
                  : value);
}

static bool signs(const struct explain *x, struct tenterhook_span variable)
{
    const struct tenterhook_signature *s = &x->r->scheme.signature[0];

    return x->r->scheme.signature_count && memmem(s->content.p, s->content.n, variable.p, variable.n);
}

static void write_steps(struct explain *x)
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
             th_str(th_cli_printf(x->cli, "signed %lld s %s, at %lld; %d s are allowed on both sides",
                                  llabs((long long)x->report.age_s),
                                  x->report.age_s < 0 ? "in the future" : "ago",
                                  (long long)x->report.signed_at, TENTERHOOK_WINDOW_S)));
    if (x->result == TENTERHOOK_OK || x->result == TENTERHOOK_NO_MATCH)
        step(x, s->signature_count ? "signature" : "secret", x->result == TENTERHOOK_OK,
             th_str(x->report.detail));
    th_jw_end_array(&x->w);
}

enum tenterhook_result th_explain(struct th_cli *cli, const struct th_receiver *r,
                                  const struct th_saved_request *request, int64_t now, struct th_buf *json)
{
    struct explain x = {.cli = cli, .r = r, .request = request, .now = now, .w = th_jw(json)};

    th_buf_init(&x.body, request->body.n * 6 + 4096);
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
