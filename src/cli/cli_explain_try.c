/* Mistakes made on purpose, for cli_explain.c: another body, key, secret, header, scheme; one at a time and then two
 * together, until the signature fits. What fits is the cause; nothing is guessed that a MAC has not proved. */
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_explain.h"
#include "cli/cli_request.h"
#include "core/restyle.h"

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
static const char *const secret_ways[] = {NULL, "with a line end behind it", "without what stands around it",
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

/* ---- the header of the signature, as it was before somebody handled it ---- */

static void unquoted(struct th_span v, struct th_buf *out)
{
    if (v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0])
        v = th_span(v.p + 1, v.n - 2);
    th_buf_span(out, v);
}

static void percent_decoded(struct th_span v, struct th_buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned char byte;
        size_t n;
        if (v.p[i] == '%' && i + 3 <= v.n && th_unhex(th_span(v.p + i + 1, 2), &byte, 1, &n)) {
            th_buf_char(out, (char)byte);
            i += 2;
        } else {
            th_buf_char(out, v.p[i]);
        }
    }
}

static void mapped(struct th_span v, const char *from, const char *to, struct th_buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        const char *at = strchr(from, v.p[i]);
        th_buf_char(out, at && v.p[i] ? to[at - from] : v.p[i]);
    }
}

static void small_letters(struct th_span v, struct th_buf *out)
{
    mapped(v, "ABCDEF", "abcdef", out);
}

static void plus_for_space(struct th_span v, struct th_buf *out)
{
    mapped(v, " ", "+", out);
}

static void usual_base64(struct th_span v, struct th_buf *out)
{
    mapped(v, "-_", "+/", out);
}

static void padded(struct th_span v, struct th_buf *out)
{
    th_buf_span(out, v);
    th_buf_char(out, '=');
}

static void usual_padded(struct th_span v, struct th_buf *out)
{
    usual_base64(v, out);
    th_buf_char(out, '=');
}

static const struct {
    void (*make)(struct th_span value, struct th_buf *out);
    const char *what;
} values[] = {{NULL, NULL},
              {unquoted, "without the quotation marks"},
              {percent_decoded, "with its percent signs decoded, as in a URL"},
              {plus_for_space, "with + for each space, which a form has decoded"},
              {usual_base64, "in the usual base64, with + and / for - and _"},
              {padded, "with the = at its end"},
              {usual_padded, "in the usual base64, with + and / for - and _, and = at its end"},
              {small_letters, "in small letters"}};

/* ---- the time, written another way ---- */

static const struct {
    enum tenterhook_stamp stamp;
    const char *what;
} stamps[] = {{0, NULL},
              {TENTERHOOK_UNIX, "unix seconds"},
              {TENTERHOOK_UNIX_MILLIS, "milliseconds"},
              {TENTERHOOK_RFC3339, "RFC 3339"}};

#define COUNT(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))
enum { D_BODY, D_KEY, D_SECRET, D_VALUE, D_STAMP, D_CONTENT, D_ITEM, D_ENCODING, D_ALGORITHM, DIMENSIONS };
/* Ways of each; the first changes nothing. */
static const unsigned counts[DIMENSIONS] = {TH_RESTYLES,   COUNT(keys),      COUNT(secret_ways),
                                            COUNT(values), COUNT(stamps),    COUNT(contents),
                                            COUNT(items),  COUNT(encodings), COUNT(algorithms)};

static bool secret_for(const struct th_explain *x, unsigned way, unsigned which, struct th_buf *out)
{
    struct th_span s = th_buf_view(&x->r->secret[which]);

    if (way == 3) {
        th_buf_span(out, th_buf_view(&x->r->old));
        return x->r->has_old && which == 0;
    }
    if (way == 2) {
        const char *what;

        if (!th_secret_clean(s, &s, &what))
            return false;
    }
    th_buf_span(out, s);
    if (way == 1)
        th_buf_char(out, '\n');
    return true;
}

/* The header that the signature stands in, among those of `r`; NULL: it did not come, or nothing is signed. */
static struct tenterhook_header *signature_header(const struct th_explain *x, struct th_saved_request *r)
{
    const struct tenterhook_span *name = &x->r->scheme.signature[0].header;

    for (size_t i = 0; x->r->scheme.signature_count && i < r->header_count; i++)
        if (th_span_ieq(th_span(r->headers[i].name.p, r->headers[i].name.n), th_span(name->p, name->n)))
            return &r->headers[i];
    return NULL;
}

static bool verifies(const struct th_explain *x, const struct tenterhook_scheme *scheme,
                     struct th_span secret, struct th_span body, struct th_span value)
{
    struct tenterhook_span s = {secret.p, secret.n};
    struct th_saved_request request = *x->request;
    struct tenterhook_header *header = value.p ? signature_header(x, &request) : NULL;
    struct tenterhook_verifier v;
    struct tenterhook_report report;
    bool ok = tenterhook_verifier_init(&v, scheme, &s, 1, NULL) == TENTERHOOK_OK &&
              tenterhook_verifier_window(&v, 0, 0) == TENTERHOOK_OK;

    request.body = body;
    if (header)
        header->value = (struct tenterhook_span){value.p, value.n};
    ok = ok && th_receiver_check(x->cli, &v, &request, x->now, NULL, &report) == TENTERHOOK_OK;
    tenterhook_verifier_wipe(&v);
    return ok;
}

static struct tenterhook_span span(const char *s)
{
    return (struct tenterhook_span){s, strlen(s)};
}

bool th_explain_verifies(const struct th_explain *x, const struct tenterhook_scheme *scheme,
                         struct th_span secret)
{
    return verifies(x, scheme, secret, x->request->body, (struct th_span){NULL, 0});
}

/* False: that way changes nothing here. */
static bool other_value(struct th_explain *x, unsigned way, struct th_span *value)
{
    struct th_saved_request request = *x->request;
    const struct tenterhook_header *header = signature_header(x, &request);

    th_buf_reset(&x->value);
    if (!header)
        return false;
    values[way].make(th_span(header->value.p, header->value.n), &x->value);
    *value = th_buf_view(&x->value);
    return !x->value.failed && !th_span_eq(*value, th_span(header->value.p, header->value.n));
}

/* The scheme with what was picked. */
static struct tenterhook_scheme changed_scheme(const struct th_explain *x, const unsigned pick[DIMENSIONS])
{
    struct tenterhook_scheme scheme = x->r->scheme;

    for (unsigned i = 0; i < scheme.signature_count; i++) {
        struct tenterhook_signature *s = &scheme.signature[i];
        if (s->algorithm == TENTERHOOK_ED25519)
            continue;
        if (pick[D_KEY])
            s->key = keys[pick[D_KEY]].key;
        if (pick[D_STAMP])
            s->stamp = stamps[pick[D_STAMP]].stamp;
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
    return scheme;
}

/* One combination of mistakes. */
static bool attempt(struct th_explain *x, const unsigned pick[DIMENSIONS])
{
    struct tenterhook_scheme scheme = changed_scheme(x, pick);
    struct th_span body = x->request->body, value = {NULL, 0};
    bool ok = false;

    th_buf_reset(&x->body);
    if (pick[D_BODY]) {
        if (!th_restyles[pick[D_BODY]].make(body, &x->body) || x->body.failed ||
            th_span_eq(th_buf_view(&x->body), body))
            return false;
        body = th_buf_view(&x->body);
    }
    if (pick[D_VALUE] && !other_value(x, pick[D_VALUE], &value))
        return false;
    for (unsigned which = 0; !ok && which < x->r->secret_count; which++) {
        struct th_buf secret;
        th_buf_init(&secret, 65536);
        ok = secret_for(x, pick[D_SECRET], which, &secret) &&
             verifies(x, &scheme, th_buf_view(&secret), body, value);
        th_buf_wipe(&secret);
    }
    return ok;
}

bool th_explain_as_it_is(struct th_explain *x)
{
    return attempt(x, (unsigned[DIMENSIONS]){0});
}

/* ---- the explanation of a match ---- */

/* "at byte 8: 20 31 came, 31 2c was signed" */
static const char *difference(struct th_explain *x, struct th_span came, struct th_span made)
{
    size_t at = 0;
    struct th_span a, b;

    while (at < came.n && at < made.n && came.p[at] == made.p[at])
        at++;
    a = th_span(came.p + at, came.n - at < 8 ? came.n - at : 8);
    b = th_span(made.p + at, made.n - at < 8 ? made.n - at : 8);
    return th_cli_printf(x->cli,
                         "first difference at byte %zu: %s here, %s was signed (%zu bytes here, %zu signed)",
                         at, th_explain_hex(x->cli, a), th_explain_hex(x->cli, b), came.n, made.n);
}

/* The text around the first secret that has something around it. */
static const char *around(const struct th_explain *x)
{
    const char *what = NULL;
    struct th_span clean;

    for (unsigned i = 0; i < x->r->secret_count && !what; i++)
        (void)th_secret_clean(th_buf_view(&x->r->secret[i]), &clean, &what);
    return what ? what : "its white space";
}

static void say_match(struct th_explain *x, const unsigned pick[DIMENSIONS])
{
    struct th_cli *c = x->cli;

    if (pick[D_BODY])
        th_explain_finding(
            x, th_cli_printf(c,
                             "the body was changed on the way: it matches when %s. Verify the raw bytes, "
                             "before any parser or "
                             "framework rewrites them; %s",
                             th_restyles[pick[D_BODY]].what,
                             difference(x, x->request->body, th_buf_view(&x->body))));
    if (pick[D_KEY])
        th_explain_finding(x,
                           th_cli_printf(c, "the key was decoded another way: it matches with the secret %s",
                                         keys[pick[D_KEY]].what));
    if (pick[D_SECRET] == 3)
        th_explain_finding(
            x, "it was signed with the old secret: take both while a rotation is under way, or the old "
               "one has ended");
    else if (pick[D_SECRET] == 2)
        th_explain_finding(
            x, th_cli_printf(c, "the secret was copied together with other text: it matches without %s",
                             around(x)));
    else if (pick[D_SECRET])
        th_explain_finding(x, th_cli_printf(c, "the secret differs in white space: it matches %s",
                                            secret_ways[pick[D_SECRET]]));
    if (pick[D_VALUE])
        th_explain_finding(x, th_cli_printf(c, "the signature's header was changed on the way: it matches %s",
                                            values[pick[D_VALUE]].what));
    if (pick[D_STAMP])
        th_explain_finding(x, th_cli_printf(c, "the time is written in another form: it matches as %s",
                                            stamps[pick[D_STAMP]].what));
    if (pick[D_CONTENT])
        th_explain_finding(
            x, th_cli_printf(c, "other bytes were signed: it matches over %s", contents[pick[D_CONTENT]]));
    if (pick[D_ITEM])
        th_explain_finding(
            x, th_cli_printf(c, "the signature is written another way (its prefix): it matches as %s",
                             items[pick[D_ITEM]]));
    if (pick[D_ENCODING])
        th_explain_finding(x, th_cli_printf(c, "the signature is in %s", encodings[pick[D_ENCODING]].what));
    if (pick[D_ALGORITHM])
        th_explain_finding(x, th_cli_printf(c, "it was made with %s", algorithms[pick[D_ALGORITHM]].what));
}

bool th_explain_one_change(struct th_explain *x)
{
    for (unsigned d = 0; d < DIMENSIONS; d++)
        for (unsigned i = 1; i < counts[d]; i++) {
            unsigned pick[DIMENSIONS] = {0};
            pick[d] = i;
            if (attempt(x, pick)) {
                say_match(x, pick);
                return true;
            }
        }
    return false;
}

bool th_explain_two_changes(struct th_explain *x)
{
    for (unsigned d = 0; d < DIMENSIONS; d++)
        for (unsigned i = 1; i < counts[d]; i++)
            for (unsigned e = d + 1; e < DIMENSIONS; e++)
                for (unsigned j = 1; j < counts[e]; j++) {
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
