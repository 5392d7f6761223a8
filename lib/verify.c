/* Verifying one request.
 *
 * The order: the secret in a header, if the scheme has one; then, for each form of signature that a secret
 * serves: the header, its items, the time and the window, the signatures. Everything is computed for every
 * key and compared in constant time with every item; nothing ends early at a match.
  * A signed content must have one reading: its parts are joined by separators, so "a.1" and "2.x" could
 * be passed off as "a" and "1.2.x". A part that holds the separator behind it is refused, and so is a body that
 * begins as a time and a separator would, where something stands before the time.
 *
 * Refuses: a header that is there twice, two headers that give one signed value
 * differently, two times in one header, times in any but the one spelling, signatures in any but the one spelling. On every refusal the report says which header and
 * why. */
#include "lib/internal.h"

#define ED25519_ITEMS 32 /* each costs a hundred microseconds, which a stranger must not ask for at will */

struct check {
    const struct th_lib_verifier *v;
    const struct tenterhook_request *request;
    const struct th_lib_form *form;
    unsigned form_number;
    int64_t now;
    struct tenterhook_report *report;
    struct th_span list; /* the elements of the header, as they stand there */
    unsigned items;      /* signatures among them */
    bool wrong_length;   /* one was there, of another length */
    struct th_span value[TH_LIB_VARS];
};

static enum tenterhook_result say(struct check *c, enum tenterhook_result result, struct th_span header,
                                  const char *detail)
{
    return th_lib_say(c->report, result, header, detail);
}

/* Of several secrets that match the first counts: while it is 0, the ones behind it are not needed. */
static void note_match(struct check *c, unsigned secret, bool *match)
{
    if (!*match || secret < c->report->secret)
        c->report->secret = secret;
    *match = true;
}

/* ---- headers ---- */

static bool from_function(const struct tenterhook_request *r, struct th_span name, struct th_span *value)
{
    char text[128];

    if (!r->header || name.n >= sizeof text)
        return false;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    *value = th_span(NULL, 0);
    return r->header(r->ctx, text, value);
}

enum tenterhook_result th_lib_header(const struct tenterhook_request *r, struct th_span name,
                                     struct th_span *value)
{
    bool found = false;

    for (size_t i = 0; i < r->header_count; i++) {
        if (!th_span_ieq(r->headers[i].name, name))
            continue;
        if (found)
            return TENTERHOOK_MALFORMED;
        found = true;
        *value = r->headers[i].value;
    }
    if (!found && !from_function(r, name, value))
        return TENTERHOOK_MISSING_HEADER;
    if (!value->p)
        *value = th_span("", 0);
    return TENTERHOOK_OK;
}

static enum tenterhook_result get(struct check *c, struct th_span name, struct th_span *value)
{
    return th_lib_need(c->report, c->request, name, value);
}

/* ---- the secret in a header ---- */

static enum tenterhook_result check_auth(struct check *c)
{
    const struct th_lib_verifier *v = c->v;
    struct th_span text, value[TH_LIB_VARS];
    uint8_t digest[32];
    bool match = false;
    enum tenterhook_result result = get(c, v->auth_header, &text);

    if (result)
        return result;
    if (!th_lib_match(&v->auth, text, value))
        return say(c, TENTERHOOK_MALFORMED, v->auth_header,
                   "the header does not have the form of the scheme");
    /* Equal digests mean equal secrets; so a comparison of 32 bytes tells nothing of the secret's length. */
    th_sha256(value[TH_LIB_SECRET].p, value[TH_LIB_SECRET].n, digest);
    for (unsigned i = 0; i < v->secret_count; i++)
        if (th_ct_equal(digest, v->digest[i], 32))
            note_match(c, i, &match);
    return match ? TENTERHOOK_OK : say(c, TENTERHOOK_NO_MATCH, v->auth_header, "not one of the secrets");
}

/* ---- the signature header ---- */

static size_t encoded_length(const struct th_lib_form *f)
{
    size_t n = f->algorithm == TENTERHOOK_HMAC_SHA256 ? 32 : f->algorithm == TENTERHOOK_HMAC_SHA1 ? 20 : 64;

    return f->encoding == TENTERHOOK_HEX ? 2 * n : (n + 2) / 3 * 4;
}

/* Notes the header's time; false when it has another one already. */
static bool note_time(struct check *c, struct th_span ts, bool once)
{
    if (c->value[TH_LIB_TS].p && (once || !th_span_eq(c->value[TH_LIB_TS], ts)))
        return false;
    c->value[TH_LIB_TS] = ts;
    return true;
}

/* One element of the list. NULL, or what is wrong with the header because of it. */
static const char *take_element(struct check *c, struct th_span text)
{
    const struct th_lib_form *f = c->form;
    struct th_span value[TH_LIB_VARS];

    if (f->list && f->stamp_item.count && th_lib_match(&f->stamp_item, text, value))
        return note_time(c, value[TH_LIB_TS], true) ? NULL : "the header has two times";
    if (!th_lib_match(&f->item, text, value))
        return NULL; /* another scheme's */
    if (value[TH_LIB_SIG].n != encoded_length(f)) {
        c->wrong_length = true;
        return NULL;
    }
    if ((f->item.vars & TH_LIB_BIT(TH_LIB_TS)) && !note_time(c, value[TH_LIB_TS], false))
        return "the header has two times";
    c->items++;
    return NULL;
}

/* Takes the next signature off *rest, in its encoding, passing over everything else: for lists that
 * take_element has accepted. */
static bool next_signature(const struct check *c, struct th_span *rest, bool *more, struct th_span *sig)
{
    struct th_span part, value[TH_LIB_VARS];

    while (th_lib_split(rest, c->form->join, &part, more))
        if (th_lib_match(&c->form->item, part, value) && value[TH_LIB_SIG].n == encoded_length(c->form)) {
            *sig = value[TH_LIB_SIG];
            return true;
        }
    return false;
}

static const char *take_header(struct check *c, struct th_span text)
{
    const struct th_lib_form *f = c->form;
    struct th_span value[TH_LIB_VARS], part;
    bool more = true;
    const char *why = NULL;

    if (!f->list) {
        if (!th_lib_match(&f->wrap, text, value))
            return "the header does not have the form of the scheme";
        text = value[TH_LIB_ITEMS];
        if ((f->wrap.vars & TH_LIB_BIT(TH_LIB_TS)) && !note_time(c, value[TH_LIB_TS], true))
            return "the header has two times";
    }
    c->list = text;
    while (!why && th_lib_split(&text, f->join, &part, &more))
        why = take_element(c, part);
    if (!why && c->items == 0)
        why = c->wrong_length ? "the signature does not have the length of the algorithm's signatures"
                              : "the header has no signature of a form that this scheme knows";
    return why;
}

/* ---- the values that are signed ---- */

/* A value that is signed, out of one of the headers that carry it. Where several do, they must agree: whoever
 * reads the other one must not read what was not signed. */
static enum tenterhook_result take_source(struct check *c, struct th_span header, struct th_span *value)
{
    struct th_span text = {NULL, 0};
    enum tenterhook_result result;

    if (value->p && th_lib_header(c->request, header, &text) == TENTERHOOK_MISSING_HEADER)
        return TENTERHOOK_OK;
    result = get(c, header, &text);
    if (result)
        return result;
    if (text.n == 0)
        return say(c, TENTERHOOK_MALFORMED, header, "the header is empty");
    if (value->p && !th_span_eq(*value, text))
        return say(c, TENTERHOOK_MALFORMED, header,
                   "another header gives a different value for the same field");
    *value = text;
    return TENTERHOOK_OK;
}

static enum tenterhook_result fill_values(struct check *c)
{
    const struct th_lib_form *f = c->form;
    const struct th_lib_verifier *v = c->v;
    uint32_t wanted = f->content.vars; /* of the other headers */
    enum tenterhook_result result = TENTERHOOK_OK;

    c->value[TH_LIB_BODY] = th_span(c->request->body_len ? c->request->body : "", c->request->body_len);
    c->value[TH_LIB_SCHEMA_VERSION] = v->schema_version;
    if (f->content.vars & TH_LIB_BIT(TH_LIB_ENDPOINT_URL)) {
        if (c->request->url.n == 0)
            return say(c, TENTERHOOK_INVALID, f->header, "the scheme signs the URL, and none is given");
        c->value[TH_LIB_ENDPOINT_URL] = c->request->url;
    }
    for (unsigned var = 0; var < TH_LIB_VARS; var++)
        wanted &= ~(c->value[var].p ? TH_LIB_BIT(var) : 0);
    for (unsigned i = 0; i < v->source_count && !result; i++)
        if (wanted & TH_LIB_BIT(v->source[i].var))
            result = take_source(c, v->source[i].header, &c->value[v->source[i].var]);
    return result;
}

static struct th_span time_header(const struct check *c)
{
    if (!(c->form->wrap.vars & TH_LIB_BIT(TH_LIB_TS)) && !(c->form->item.vars & TH_LIB_BIT(TH_LIB_TS)))
        for (unsigned i = 0; i < c->v->source_count; i++)
            if (c->v->source[i].var == TH_LIB_TS)
                return c->v->source[i].header;
    return c->form->header;
}

static enum tenterhook_result check_time(struct check *c)
{
    const struct th_span ts = c->value[TH_LIB_TS], header = time_header(c);
    struct tenterhook_report *r = c->report;
    bool ok;

    if (!(c->form->content.vars & TH_LIB_BIT(TH_LIB_TS)))
        return TENTERHOOK_OK; /* a time that is not signed proves nothing */
    if (!ts.p)
        return say(c, TENTERHOOK_MALFORMED, header, "the header has no time");
    ok = c->form->stamp == TENTERHOOK_RFC3339 ? th_lib_rfc3339(ts, &r->signed_at)
                                              : th_lib_decimal(ts, &r->signed_at);
    if (!ok)
        return say(c, TENTERHOOK_MALFORMED, header, "the time is not written as the scheme writes it");
    if (c->form->stamp == TENTERHOOK_UNIX_MILLIS)
        r->signed_at /= 1000;
    r->has_time = true;
    return th_lib_age(r, c->v, c->now, header, "signed in the future: a wrong clock, or not in seconds");
}

static bool begins_as_time(struct th_span body, struct th_span separator)
{
    size_t n = 0;

    while (n < body.n && body.p[n] >= '0' && body.p[n] <= '9')
        n++;
    return n > 0 && th_span_starts(th_span(body.p + n, body.n - n), separator);
}

/* Whether another split of the same content could have been signed. */
static bool ambiguous(const struct check *c)
{
    const struct th_lib_template *t = &c->form->content;
    const struct th_span none = {NULL, 0};
    bool variable = false; /* one stands before the time */

    for (unsigned i = 0; i < t->count; i++) {
        enum th_lib_var var = t->piece[i].var;
        bool literal = i + 1 < t->count && t->piece[i + 1].var == TH_LIB_TEXT;
        bool body = i + 1 + literal < t->count && t->piece[i + 1 + literal].var == TH_LIB_BODY;

        if (var == TH_LIB_TS && body && (variable || !literal) &&
            begins_as_time(c->value[TH_LIB_BODY], literal ? t->piece[i + 1].text : none))
            return true;
        if (var == TH_LIB_TEXT || var == TH_LIB_BODY || var == TH_LIB_TS)
            continue;
        if (literal && th_lib_find(c->value[var], t->piece[i + 1].text) != SIZE_MAX)
            return true;
        variable = true;
    }
    return false;
}

/* ---- the signatures ---- */

static bool serves(const struct check *c, const struct th_lib_key *key)
{
    return key->algorithm == c->form->algorithm && key->kind == c->form->kind;
}

static enum tenterhook_result check_hmac(struct check *c, const struct th_bytes *pieces, unsigned count)
{
    char text[TH_LIB_KEYS][128]; /* what each key would have signed */
    const size_t n = encoded_length(c->form);
    struct th_span rest = c->list, sig;
    bool match = false, more = true;
    uint8_t mac[64];

    for (unsigned k = 0; k < c->v->key_count; k++)
        if (serves(c, &c->v->key[k]))
            th_lib_encode(c->form->encoding, mac, th_hmac_sign(&c->v->key[k].u.hmac, pieces, count, mac),
                          text[k]);
    while (next_signature(c, &rest, &more, &sig))
        for (unsigned k = 0; k < c->v->key_count; k++)
            if (serves(c, &c->v->key[k]) && th_ct_equal(text[k], sig.p, n))
                note_match(c, c->v->key[k].secret, &match);
    return match ? TENTERHOOK_OK : TENTERHOOK_NO_MATCH;
}

/* The signed content in one piece. */
static enum tenterhook_result join(struct check *c, const struct th_bytes *pieces, unsigned count,
                                   struct th_bytes *out)
{
    *out = pieces[0];
    if (count == 1)
        return TENTERHOOK_OK;
    *out = (struct th_bytes){c->request->scratch, 0};
    for (unsigned i = 0; i < count; i++) {
        if (!out->p || pieces[i].n > c->request->scratch_len - out->n)
            return say(c, TENTERHOOK_NO_ROOM, c->form->header, "the scratch memory is too small");
        if (pieces[i].n)
            memcpy((char *)c->request->scratch + out->n, pieces[i].p, pieces[i].n);
        out->n += pieces[i].n;
    }
    return TENTERHOOK_OK;
}

/* Decodes a signature; false when it is not the one spelling of its bytes. */
static bool decode(const struct th_lib_form *f, struct th_span text, uint8_t sig[64])
{
    char again[128];
    size_t n = 0;
    bool ok = f->encoding == TENTERHOOK_HEX ? th_unhex(text, sig, 64, &n) : th_unbase64(text, sig, 64, &n);

    return ok && n == 64 && th_span_eq(th_span(again, th_lib_encode(f->encoding, sig, 64, again)), text);
}

static enum tenterhook_result check_ed25519(struct check *c, const struct th_bytes *pieces, unsigned count)
{
    struct th_bytes message;
    struct th_span rest = c->list, text;
    bool match = false, more = true;
    uint8_t sig[64];
    enum tenterhook_result result = join(c, pieces, count, &message);

    if (result)
        return result;
    if (c->items > ED25519_ITEMS)
        return say(c, TENTERHOOK_MALFORMED, c->form->header, "the header has too many signatures");
    while (next_signature(c, &rest, &more, &text)) {
        if (!decode(c->form, text, sig))
            continue;
        for (unsigned k = 0; k < c->v->key_count; k++)
            if (serves(c, &c->v->key[k]) &&
                th_ed25519_verify(c->v->key[k].u.public_key, message.p, message.n, sig))
                note_match(c, c->v->key[k].secret, &match);
    }
    return match ? TENTERHOOK_OK : TENTERHOOK_NO_MATCH;
}

static enum tenterhook_result check_form(struct check *c)
{
    const struct th_lib_template *t = &c->form->content;
    struct th_bytes pieces[TH_LIB_PIECES];
    struct th_span text;
    enum tenterhook_result result;
    const char *why;

    if (c->form->encoding == TENTERHOOK_HTTP_MESSAGE)
        return th_lib_message(c->v, c->form, c->request, c->now, c->report);
    result = get(c, c->form->header, &text);
    why = result ? NULL : take_header(c, text);
    if (why)
        result = say(c, TENTERHOOK_MALFORMED, c->form->header, why);
    if (!result)
        result = fill_values(c);
    if (!result)
        result = check_time(c);
    if (result)
        return result;
    if (ambiguous(c))
        return say(c, TENTERHOOK_MALFORMED, c->form->header,
                   "id, time and body could be separated in more than one way");
    for (unsigned i = 0; i < t->count; i++) {
        struct th_span s = t->piece[i].var == TH_LIB_TEXT ? t->piece[i].text : c->value[t->piece[i].var];
        pieces[i] = (struct th_bytes){s.p, s.n};
    }
    result = c->form->algorithm == TENTERHOOK_ED25519 ? check_ed25519(c, pieces, t->count)
                                                      : check_hmac(c, pieces, t->count);
    if (result == TENTERHOOK_NO_MATCH)
        say(c, result, c->form->header,
            "it was made with another secret or for other bytes: the body must be the raw one, not parsed "
            "and written again");
    return result;
}

/* ---- public ---- */

/* Which of two refusals says more. */
static unsigned rank(enum tenterhook_result r)
{
    static const uint8_t ranks[] = {
        [TENTERHOOK_OK] = 0,        [TENTERHOOK_INVALID] = 1,        [TENTERHOOK_NO_ROOM] = 2,
        [TENTERHOOK_TOO_OLD] = 3,   [TENTERHOOK_TOO_NEW] = 4,        [TENTERHOOK_NO_MATCH] = 5,
        [TENTERHOOK_MALFORMED] = 6, [TENTERHOOK_MISSING_HEADER] = 7, [TENTERHOOK_FAILED] = 8};

    return ranks[r];
}

static bool has_key(const struct th_lib_verifier *v, const struct th_lib_form *f)
{
    for (unsigned i = 0; i < v->key_count; i++)
        if (v->key[i].algorithm == f->algorithm && v->key[i].kind == f->kind)
            return true;
    return false;
}

static enum tenterhook_result check_forms(const struct check *base, struct tenterhook_report *report)
{
    enum tenterhook_result best = TENTERHOOK_FAILED;

    for (unsigned i = 0; i < base->v->form_count && best; i++) {
        struct tenterhook_report own = {.detail = "", .signature = i};
        struct check c;
        enum tenterhook_result result;

        if (!has_key(base->v, &base->v->form[i]))
            continue; /* a variant that no secret serves */
        memset(&c, 0, sizeof c);
        c.v = base->v;
        c.request = base->request;
        c.now = base->now;
        c.form = &base->v->form[i];
        c.form_number = i;
        c.report = &own;
        result = check_form(&c);
        if (rank(result) < rank(best)) {
            best = result;
            *report = own;
        }
    }
    return best;
}

enum tenterhook_result tenterhook_verify(const struct tenterhook_verifier *out,
                                         const struct tenterhook_request *request, int64_t now_unix,
                                         struct tenterhook_report *report)
{
    struct tenterhook_report own = {.detail = ""};
    struct check c;
    enum tenterhook_result result = TENTERHOOK_OK;

    memset(&c, 0, sizeof c);
    c.v = th_lib_verifier(out);
    c.request = request;
    c.now = now_unix;
    c.report = &own;
    if (c.v->magic != TH_LIB_MAGIC || (request->body_len && !request->body) ||
        (request->header_count && !request->headers))
        result = say(&c, TENTERHOOK_INVALID, own.header,
                     "the verifier is not initialised, or parts of the request are missing");
    if (!result && c.v->auth_header.n)
        result = check_auth(&c);
    if (!result && c.v->form_count)
        result = check_forms(&c, &own);
    if (report)
        *report = own;
    return result;
}
