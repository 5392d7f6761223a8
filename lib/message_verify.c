/* Verifies HTTP message signatures: RFC 9421, with Content-Digest of RFC 9530 for the body.
 *
 * A request may carry several signatures, each under a label. One is judged when it has the scheme's tag (none: no tag)
 * and algorithm, says when it was made, and covers everything that the scheme says; of the scheme's headers those that the
 * request has. So a header that was added on the way is never taken for a signed one.
 *
 * Refuses: what is no structured field (RFC 9651), a label or a parameter twice, components with parameters (none of them
 * is a request's whole field), values with line ends, and numbers and other items that only look like the spelling which is
 * signed. The parameters are signed as the structured field is written, so they are written anew here.
 *
 * LIMIT: eight signatures, sixteen components, 2 KiB of parameters, of parameters only integers, strings, tokens, bytes and
 * booleans. */
#include "lib/internal.h"
#include "lib/message.h"
#include <limits.h>

#define INPUTS 8
#define COVERED 16
#define PARAMS 2048

struct input { /* one member of Signature-Input */
    struct th_span label, covered[COVERED], alg, tag;
    unsigned count;
    bool unusable; /* a component has parameters */
    bool has_created, has_expires;
    int64_t created, expires;
    char params[PARAMS]; /* as it is signed */
    size_t params_n;
};
struct judge {
    const struct th_lib_verifier *v;
    const struct th_lib_form *f;
    const struct tenterhook_request *request;
    struct tenterhook_report *report;
    struct th_span signatures; /* the field */
    int64_t now;
    unsigned secret; /* the first of those that match; UINT_MAX: none */
};

static enum tenterhook_result say(struct judge *j, enum tenterhook_result result, const char *header,
                                  const char *detail)
{
    return th_lib_say(j->report, result, tenterhook_str(header), detail);
}

/* ---- structured fields ---- */

static bool eat(struct th_span *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = th_span(s->p + 1, s->n - 1);
    return true;
}

static void skip(struct th_span *s, const char *white)
{
    while (s->n && strchr(white, s->p[0]) && s->p[0])
        *s = th_span(s->p + 1, s->n - 1);
}

/* Takes the bytes off that are of a set; false where there is none. */
static bool take_run(struct th_span *s, bool (*in)(char c), struct th_span *run)
{
    size_t n = 0;

    while (n < s->n && in(s->p[n]))
        n++;
    *run = th_span(s->p, n);
    *s = th_span(s->p + n, s->n - n);
    return n > 0;
}

static bool is_key(char c)
{
    return (c >= 'a' && c <= 'z') || th_is_digit(c) || (c && strchr("_-.*", c));
}

static bool is_digit(char c)
{
    return th_is_digit(c);
}

static bool is_base64(char c)
{
    return (th_lower(c) >= 'a' && th_lower(c) <= 'z') || th_is_digit(c) || (c && strchr("+/=", c));
}

static bool is_token(char c)
{
    return (th_lower(c) >= 'a' && th_lower(c) <= 'z') || th_is_digit(c) ||
           (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

static bool take_key(struct th_span *s, struct th_span *key)
{
    return s->n && !th_is_digit(s->p[0]) && !strchr("_-.", s->p[0]) && take_run(s, is_key, key);
}

/* Of a string: what stands between the quotes, escapes as they are. */
static bool take_string(struct th_span *s, struct th_span *text)
{
    size_t n = 1;

    if (s->n == 0 || s->p[0] != '"')
        return false;
    while (n < s->n && s->p[n] != '"') {
        if (s->p[n] < ' ' || s->p[n] > '~')
            return false;
        if (s->p[n] == '\\' && (n + 1 == s->n || (s->p[n + 1] != '"' && s->p[n + 1] != '\\')))
            return false;
        n += s->p[n] == '\\' ? 2 : 1;
    }
    if (n >= s->n)
        return false;
    *text = th_span(s->p + 1, n - 1);
    *s = th_span(s->p + n + 1, s->n - n - 1);
    return true;
}

static bool take_bytes(struct th_span *s, struct th_span *text)
{
    return eat(s, ':') && (take_run(s, is_base64, text) || true) && eat(s, ':');
}

/* An item without its parameters; `text` is its spelling, and only the one that a writer gives it is taken. */
static bool take_item(struct th_span *s, struct th_span *text)
{
    const char *begin = s->p;
    struct th_span run;
    bool ok;

    if (s->n == 0)
        return false;
    if (s->p[0] == '"') {
        ok = take_string(s, &run);
    } else if (s->p[0] == ':') {
        ok = take_bytes(s, &run);
    } else if (s->p[0] == '?') {
        ok = eat(s, '?') && (eat(s, '0') || eat(s, '1'));
    } else if (th_is_digit(s->p[0]) || s->p[0] == '-') {
        bool minus = eat(s, '-');
        ok = take_run(s, is_digit, &run) && run.n <= 15 && (run.p[0] != '0' || (run.n == 1 && !minus)) &&
             (s->n == 0 || s->p[0] != '.');
    } else {
        ok = ((th_lower(s->p[0]) >= 'a' && th_lower(s->p[0]) <= 'z') || s->p[0] == '*') &&
             take_run(s, is_token, &run);
    }
    *text = th_span(begin, (size_t)(s->p - begin));
    return ok;
}

static bool add(struct input *in, struct th_span s)
{
    if (s.n > sizeof in->params - in->params_n)
        return false;
    memcpy(in->params + in->params_n, s.p, s.n);
    in->params_n += s.n;
    return true;
}

/* Keeps what the signature is judged by. False: not of the kind that RFC 9421 section 2.3 says, or twice. */
static bool note_param(struct input *in, struct th_span key, struct th_span value)
{
    bool created = tenterhook_is(key, "created"), text = value.n > 1 && value.p[0] == '"';
    struct th_span inner = text ? th_span(value.p + 1, value.n - 2) : th_span(NULL, 0);
    struct th_span *where = tenterhook_is(key, "alg")   ? &in->alg
                            : tenterhook_is(key, "tag") ? &in->tag
                                                        : NULL;

    if (created || tenterhook_is(key, "expires")) {
        bool *has = created ? &in->has_created : &in->has_expires;

        if (*has || !th_lib_decimal(value, created ? &in->created : &in->expires))
            return false;
        *has = true;
        return true;
    }
    if (where) {
        if (where->p || !text)
            return false;
        *where = inner;
        return true;
    }
    return text || (!tenterhook_is(key, "keyid") && !tenterhook_is(key, "nonce"));
}

/* The parameters behind an item (of a component) or of the list itself; *any: there are some. */
static bool take_params(struct th_span *s, struct input *in, bool of_list, bool *any)
{
    while (eat(s, ';')) {
        struct th_span key, value = TENTERHOOK_LIT("?1");

        *any = true;
        skip(s, " ");
        if (!take_key(s, &key) || (eat(s, '=') && !take_item(s, &value)))
            return false;
        if (of_list && !note_param(in, key, value))
            return false;
        if (!add(in, tenterhook_str(";")) || !add(in, key))
            return false;
        if (!tenterhook_is(value, "?1") && (!add(in, tenterhook_str("=")) || !add(in, value)))
            return false;
    }
    return true;
}

/* What stands behind a label: an inner list with its parameters. */
static bool take_input(struct th_span *s, struct input *in)
{
    bool any = false;

    if (!eat(s, '(') || !add(in, tenterhook_str("(")))
        return false;
    for (;;) {
        struct th_span name;
        bool with = false;

        skip(s, " ");
        if (eat(s, ')'))
            break;
        if (in->count == COVERED || (in->count && !add(in, tenterhook_str(" "))) || !take_string(s, &name) ||
            !add(in, tenterhook_str("\"")) || !add(in, name) || !add(in, tenterhook_str("\"")) ||
            !take_params(s, in, false, &with) || s->n == 0 || (s->p[0] != ' ' && s->p[0] != ')'))
            return false;
        in->unusable |= with;
        for (unsigned i = 0; i < in->count; i++)
            in->unusable |= th_span_eq(in->covered[i], name);
        in->covered[in->count++] = name;
    }
    return add(in, tenterhook_str(")")) && take_params(s, in, true, &any);
}

/* The next member of a dictionary begins: its key goes to *key. *end: there is none any more. */
static bool next_member(struct th_span *s, bool first, bool *end, struct th_span *key)
{
    if (first)
        skip(s, " ");
    else
        skip(s, " \t");
    *end = s->n == 0;
    if (*end)
        return !first;
    if (!first && !eat(s, ','))
        return false;
    skip(s, first ? "" : " \t");
    return take_key(s, key);
}

/* The bytes that a dictionary has under a key, in base64; *result tells whether it can be read. False: no such member. */
static bool member_bytes(struct th_span field, struct th_span key, bool *readable, struct th_span *base64)
{
    struct th_span label, text;
    bool first = true, end, found = false;

    *readable = true;
    for (;; first = false) {
        *readable = next_member(&field, first, &end, &label);
        if (end || !*readable)
            return found && *readable;
        *readable = eat(&field, '=') && take_bytes(&field, &text) && !(found && th_span_eq(label, key));
        if (!*readable)
            return false;
        if (th_span_eq(label, key)) {
            *base64 = text;
            found = true;
        }
    }
}

/* ---- the signature base ---- */

struct base {
    struct th_bytes piece[COVERED * 4 + 2];
    unsigned count;
    char room[3][TH_MESSAGE_ROOM]; /* @authority, @scheme, and one more */
    unsigned rooms;
};

static void push(struct base *b, struct th_span s)
{
    b->piece[b->count++] = (struct th_bytes){s.p ? s.p : "", s.n};
}

static bool has_line_end(struct th_span s)
{
    return s.n && (memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n));
}

static struct th_span trimmed(struct th_span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = th_span(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static enum tenterhook_result component(struct judge *j, struct base *b, struct th_span name,
                                        struct th_span *value)
{
    const struct tenterhook_request *r = j->request;
    enum tenterhook_result result;

    if (name.n && name.p[0] == '@') {
        bool method = tenterhook_is(name, "@method");

        if (method ? r->method.n == 0 : r->url.n == 0)
            return say(j, TENTERHOOK_INVALID, "Signature-Input",
                       method ? "the signature covers the method, and none is given"
                              : "the signature covers the URL, and none is given");
        if (!th_message_derived(name, r->method, r->url, b->room[b->rooms < 2 ? b->rooms++ : 2], value))
            return say(j, TENTERHOOK_MALFORMED, "Signature-Input",
                       "covers a component that is unknown, or the URL is not absolute");
    } else {
        result = th_lib_need(j->report, r, name, value);
        if (result == TENTERHOOK_MISSING_HEADER)
            j->report->detail = "the signature covers the header, which is not there";
        if (result)
            return result;
        *value = trimmed(*value);
    }
    return has_line_end(*value)
               ? say(j, TENTERHOOK_MALFORMED, "Signature-Input", "a covered value has a line end")
               : TENTERHOOK_OK;
}

static enum tenterhook_result make_base(struct judge *j, const struct input *in, struct base *b)
{
    b->count = b->rooms = 0;
    for (unsigned i = 0; i < in->count; i++) {
        struct th_span value;
        enum tenterhook_result result = component(j, b, in->covered[i], &value);

        if (result)
            return result;
        push(b, i ? tenterhook_str("\n\"") : tenterhook_str("\""));
        push(b, in->covered[i]);
        push(b, tenterhook_str("\": "));
        push(b, value);
    }
    push(b,
         in->count ? tenterhook_str("\n\"@signature-params\": ") : tenterhook_str("\"@signature-params\": "));
    push(b, th_span(in->params, in->params_n));
    return TENTERHOOK_OK;
}

/* ---- judging ---- */

static bool is_covered(const struct input *in, struct th_span name)
{
    for (unsigned i = 0; i < in->count; i++)
        if (th_span_eq(in->covered[i], name))
            return true;
    return false;
}

/* Whether a signature covers what the scheme says, of its headers those that are there. */
static bool covers(const struct judge *j, const struct input *in)
{
    const struct th_lib_template *wanted = &j->f->content;

    for (unsigned i = 0; i < wanted->count; i++) {
        struct th_span name = wanted->piece[i].text, value;

        if (is_covered(in, name))
            continue;
        if (name.p[0] == '@' || tenterhook_is(name, "content-digest") ||
            th_lib_header(j->request, name, &value) != TENTERHOOK_MISSING_HEADER)
            return false;
    }
    return true;
}

static bool is_ours(const struct judge *j, const struct input *in)
{
    const char *alg = j->f->algorithm == TENTERHOOK_ED25519 ? "ed25519" : "hmac-sha256";

    return (in->alg.p == NULL || tenterhook_is(in->alg, alg)) &&
           (j->f->tag.n ? th_span_eq(in->tag, j->f->tag) : in->tag.p == NULL);
}

static enum tenterhook_result check_time(struct judge *j, const struct input *in)
{
    struct tenterhook_report *r = j->report;

    r->signed_at = in->created;
    r->has_time = true;
    if (in->has_expires && j->now > in->expires && !__builtin_sub_overflow(j->now, in->created, &r->age_s))
        return say(j, TENTERHOOK_TOO_OLD, "Signature-Input", "the signature has expired");
    return th_lib_age(r, j->v, j->now, tenterhook_str("Signature-Input"),
                      "signed in the future: a wrong clock");
}

/* Ed25519 takes its message in one piece. */
static bool in_one(const struct judge *j, const struct base *b, char *room, size_t cap, struct th_bytes *out)
{
    size_t n = 0;

    for (unsigned i = 0; i < b->count; i++)
        n += b->piece[i].n;
    if (n > cap) {
        room = j->request->scratch;
        cap = room ? j->request->scratch_len : 0;
    }
    if (n > cap)
        return false;
    *out = (struct th_bytes){room, n};
    for (unsigned i = 0; i < b->count; i++) {
        memcpy(room, b->piece[i].p, b->piece[i].n);
        room += b->piece[i].n;
    }
    return true;
}

static enum tenterhook_result check_keys(struct judge *j, const struct base *b, const uint8_t *sig, size_t n)
{
    const bool ed25519 = j->f->algorithm == TENTERHOOK_ED25519;
    struct th_bytes whole = {NULL, 0};
    char room[4096];
    uint8_t mac[64];
    bool match = false;

    if (ed25519 && !in_one(j, b, room, sizeof room, &whole))
        return say(j, TENTERHOOK_NO_ROOM, "Signature", "the scratch memory is too small");
    for (unsigned k = 0; k < j->v->key_count; k++) {
        const struct th_lib_key *key = &j->v->key[k];

        if (key->algorithm != j->f->algorithm || key->kind != j->f->kind)
            continue;
        if (ed25519 ? n == 64 && th_ed25519_verify(key->u.public_key, whole.p, whole.n, sig)
                    : th_hmac_sign(&key->u.hmac, b->piece, b->count, mac) == n && th_ct_equal(mac, sig, n)) {
            j->secret = key->secret < j->secret ? key->secret : j->secret;
            match = true;
        }
    }
    return match ? TENTERHOOK_OK
                 : say(j, TENTERHOOK_NO_MATCH, "Signature",
                       "it was made with another secret, or for another method, URL or header");
}

/* One signature that covers enough. */
static enum tenterhook_result check_one(struct judge *j, const struct input *in)
{
    struct th_span base64;
    struct base b;
    uint8_t sig[64];
    bool readable;
    size_t n;
    enum tenterhook_result result = check_time(j, in);

    if (!result)
        result = make_base(j, in, &b);
    if (result)
        return result;
    if (!member_bytes(j->signatures, in->label, &readable, &base64))
        return say(j, TENTERHOOK_MALFORMED, "Signature",
                   readable ? "has no signature of this label" : "is no dictionary of byte sequences");
    if (!th_unbase64(base64, sig, sizeof sig, &n))
        return say(j, TENTERHOOK_MALFORMED, "Signature", "is not base64, or too long");
    return check_keys(j, &b, sig, n);
}

static enum tenterhook_result check_digest(struct judge *j)
{
    struct th_span field, base64;
    uint8_t given[32], own[32];
    bool readable;
    size_t n;
    enum tenterhook_result result =
        th_lib_need(j->report, j->request, tenterhook_str("Content-Digest"), &field);

    if (result)
        return result;
    if (!member_bytes(field, tenterhook_str("sha-256"), &readable, &base64) ||
        !th_unbase64(base64, given, sizeof given, &n) || n != sizeof given)
        return say(j, TENTERHOOK_MALFORMED, "Content-Digest", "has no SHA-256 as RFC 9530 writes it");
    th_sha256(j->request->body_len ? j->request->body : "", j->request->body_len, own);
    return th_ct_equal(own, given, sizeof own)
               ? TENTERHOOK_OK
               : say(j, TENTERHOOK_NO_MATCH, "Content-Digest",
                     "it is of other bytes: the body must be the raw one, not parsed and written again");
}

static bool has(const struct th_lib_template *wanted, const char *name)
{
    for (unsigned i = 0; i < wanted->count; i++)
        if (tenterhook_is(wanted->piece[i].text, name))
            return true;
    return false;
}

/* The members of Signature-Input one after the other: what the first acceptance says, else the last refusal. */
static enum tenterhook_result check_inputs(struct judge *j, struct th_span field)
{
    enum tenterhook_result best = say(j, TENTERHOOK_MALFORMED, "Signature-Input",
                                      "no signature of this scheme covers what the scheme says");
    struct th_span labels[INPUTS];
    struct tenterhook_report accepted = {.detail = ""};
    bool end;

    for (unsigned n = 0;; n++) {
        struct input in;
        enum tenterhook_result result;

        memset(&in, 0, offsetof(struct input, params));
        in.params_n = 0;
        if (!next_member(&field, n == 0, &end, &in.label) ||
            (!end && (n == INPUTS || !eat(&field, '=') || !take_input(&field, &in))))
            return say(j, TENTERHOOK_MALFORMED, "Signature-Input",
                       "is not what RFC 9421 says, or has too many signatures");
        if (end)
            break;
        for (unsigned i = 0; i < n; i++)
            if (th_span_eq(labels[i], in.label))
                return say(j, TENTERHOOK_MALFORMED, "Signature-Input", "has a label twice");
        labels[n] = in.label;
        if (in.unusable || !in.has_created || !is_ours(j, &in) || !covers(j, &in))
            continue;
        result = check_one(j, &in);
        if (result == TENTERHOOK_OK && best != TENTERHOOK_OK)
            accepted = *j->report;
        best = best == TENTERHOOK_OK ? best : result;
    }
    if (best == TENTERHOOK_OK) {
        *j->report = accepted;
        j->report->secret = j->secret;
        j->report->header = tenterhook_str("");
        j->report->detail = "";
    }
    return best;
}

enum tenterhook_result th_lib_message(const struct th_lib_verifier *v, const struct th_lib_form *f,
                                      const struct tenterhook_request *request, int64_t now,
                                      struct tenterhook_report *report)
{
    struct judge j = {.v = v, .f = f, .request = request, .report = report, .now = now, .secret = UINT_MAX};
    struct th_span inputs;
    enum tenterhook_result result = th_lib_need(report, request, tenterhook_str("Signature-Input"), &inputs);

    if (!result)
        result = th_lib_need(report, request, tenterhook_str("Signature"), &j.signatures);
    if (!result)
        result = check_inputs(&j, inputs);
    return result || !has(&f->content, "content-digest") ? result : check_digest(&j);
}
