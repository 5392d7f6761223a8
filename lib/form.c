/* Forms of signature: compiling them, and decoding secrets for them.
 *
 * Refuses forms that would verify less than they seem to: contents without the body, or with the secret in
 * them, and templates that could be read in two ways. */
#include "lib/internal.h"
#include "lib/message.h"

enum th_mac th_lib_mac(enum tenterhook_algorithm algorithm)
{
    return algorithm == TENTERHOOK_HMAC_SHA1     ? TH_MAC_SHA1
           : algorithm == TENTERHOOK_HMAC_SHA512 ? TH_MAC_SHA512
                                                 : TH_MAC_SHA256;
}

bool th_lib_secret(enum tenterhook_key kind, struct th_span secret, uint8_t buf[TH_LIB_KEY_MAX],
                   const uint8_t **p, size_t *n)
{
    const struct th_span whsec = TENTERHOOK_LIT("whsec_"), whsk = TENTERHOOK_LIT("whsk_");

    *p = buf;
    *n = 0;
    switch (kind) {
    case TENTERHOOK_KEY_UTF8:
        *p = (const uint8_t *)secret.p;
        *n = secret.n;
        return secret.n > 0;
    case TENTERHOOK_KEY_HEX:
        return th_unhex(secret, buf, TH_LIB_KEY_MAX, n) && *n > 0;
    case TENTERHOOK_KEY_WHSEC:
        if (th_span_starts(secret, whsec))
            secret = th_span(secret.p + whsec.n, secret.n - whsec.n);
        break;
    case TENTERHOOK_KEY_WHSK:
        if (!th_span_starts(secret, whsk))
            return false;
        secret = th_span(secret.p + whsk.n, secret.n - whsk.n);
        break;
    case TENTERHOOK_KEY_BASE64:
        break;
    default:
        return false;
    }
    return th_unbase64(secret, buf, TH_LIB_KEY_MAX, n) && *n > 0;
}

static bool adjacent(const struct th_lib_template *t)
{
    for (unsigned i = 1; i < t->count; i++)
        if (t->piece[i].var != TH_LIB_TEXT && t->piece[i - 1].var != TH_LIB_TEXT)
            return true;
    return false;
}

/* Each variable at most once. */
static bool repeated(const struct th_lib_template *t)
{
    unsigned variables = 0, distinct = 0;

    for (unsigned i = 0; i < t->count; i++)
        variables += t->piece[i].var != TH_LIB_TEXT;
    for (uint32_t bits = t->vars; bits; bits &= bits - 1)
        distinct++;
    return variables != distinct;
}

/* Wraps such as "t={ts},{items}" with join "," are lists themselves; real verifiers read them in any order.
 */
static bool as_list(struct th_span wrap, struct th_lib_form *out)
{
    struct th_span part;
    bool more = true, items = false;

    if (out->join.n == 0)
        return false;
    while (th_lib_split(&wrap, out->join, &part, &more)) {
        struct th_lib_template t;

        if (tenterhook_is(part, "{items}")) {
            if (items)
                return false;
            items = true;
            continue;
        }
        if (!th_lib_template(part, TH_LIB_BIT(TH_LIB_TS), &t) || repeated(&t))
            return false;
        if (t.vars && out->stamp_item.count)
            return false;
        if (t.vars)
            out->stamp_item = t;
    }
    return items;
}

/* What a signed content can name, and a receiver knows. {secret} would be the sender's key in what it signs: refused. */
enum {
    CONTENT = 1,
    HEADER = 0,
    ITEM = 0,
    WRAP = 0,
    ENVELOPE = 0,
    OF_CONTENT = 0
#define TH_FIELD_SHARED(id, name, type, places, flags, text)                                                 \
    +(((places)&CONTENT) && TH_LIB_##id != TH_LIB_SECRET ? 1 << TH_LIB_##id : 0)
#define TH_FIELD_SERVER(...)
#define TH_FIELD_PREFIX(...)
#define TH_FIELD_API(...)
#include "lib/fields.def"
};

static const char *templates(const struct tenterhook_signature *s, struct th_lib_form *out)
{
    struct th_span item = s->item.n ? s->item : tenterhook_str("{sig}");
    struct th_span wrap = s->wrap.n ? s->wrap : tenterhook_str("{items}");

    if (!th_lib_template(s->content, OF_CONTENT, &out->content) || repeated(&out->content))
        return "content must be a template of variables that a receiver knows, each used once";
    if (!(out->content.vars & TH_LIB_BIT(TH_LIB_BODY)))
        return "content must contain {body}, or the signature would not cover it";
    if (!th_lib_template(item, TH_LIB_BIT(TH_LIB_SIG) | TH_LIB_BIT(TH_LIB_TS), &out->item) ||
        !(out->item.vars & TH_LIB_BIT(TH_LIB_SIG)) || repeated(&out->item) || adjacent(&out->item))
        return "item must be a template with one {sig}, and perhaps one {ts} apart from it";
    out->list = as_list(wrap, out);
    if (!out->list)
        out->stamp_item.count = 0;
    if (!th_lib_template(wrap, TH_LIB_BIT(TH_LIB_ITEMS) | TH_LIB_BIT(TH_LIB_TS), &out->wrap) ||
        !(out->wrap.vars & TH_LIB_BIT(TH_LIB_ITEMS)) || repeated(&out->wrap) || adjacent(&out->wrap))
        return "wrap must be a template with one {items}, and perhaps one {ts} apart from it";
    return NULL;
}

/* Of HTTP message signatures `content` is the list of what is covered. */
static const char *message(const struct tenterhook_signature *s, struct th_lib_form *out)
{
    struct th_span name[TH_MESSAGE_COMPONENTS];
    const char *why = th_message_components(s->content, name, &out->content.count);
    bool body = false;

    if (why)
        return why;
    if (s->algorithm != TENTERHOOK_HMAC_SHA256 && s->algorithm != TENTERHOOK_ED25519)
        return "the algorithm of an HTTP message signature must be hmac-sha256 or ed25519";
    if (!th_span_ieq(s->header, tenterhook_str("Signature")))
        return "the header of an HTTP message signature must be Signature";
    for (unsigned i = 0; i < out->content.count; i++) {
        body |= tenterhook_is(name[i], "content-digest");
        out->content.piece[i].text = name[i];
    }
    out->content.vars = TH_LIB_BIT(TH_LIB_TS) | TH_LIB_BIT(TH_LIB_BODY);
    out->tag = s->item;
    return body ? NULL : "content must cover \"content-digest\", or the signature would not cover the body";
}

const char *th_lib_form(const struct tenterhook_signature *s, struct th_lib_form *out)
{
    bool key_fits = s->algorithm == TENTERHOOK_ED25519
                        ? s->key != TENTERHOOK_KEY_UTF8 && s->key != TENTERHOOK_KEY_WHSEC
                        : s->key != TENTERHOOK_KEY_WHSK;

    memset(out, 0, sizeof *out);
    if (s->header.n == 0)
        return "a signature needs a header";
    if (s->algorithm < TENTERHOOK_HMAC_SHA256 || s->algorithm > TENTERHOOK_ED25519)
        return "algorithm must be hmac-sha256, hmac-sha1, hmac-sha512 or ed25519";
    if (s->key < TENTERHOOK_KEY_UTF8 || s->key > TENTERHOOK_KEY_WHSK)
        return "key must be utf8, hex, base64, whsec or whsk";
    if (!key_fits)
        return "this algorithm cannot use a key of this kind";
    if (s->encoding < TENTERHOOK_HEX || s->encoding > TENTERHOOK_HTTP_MESSAGE)
        return "encoding must be hex, base64 or http-message";
    if ((unsigned)s->stamp > TENTERHOOK_RFC3339)
        return "stamp is unknown";
    out->header = s->header;
    out->join = s->join;
    out->algorithm = s->algorithm;
    out->kind = s->key;
    out->encoding = s->encoding;
    out->stamp = s->stamp ? s->stamp : TENTERHOOK_UNIX;
    return s->encoding == TENTERHOOK_HTTP_MESSAGE ? message(s, out) : templates(s, out);
}
