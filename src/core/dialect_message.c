/* HTTP message signatures (RFC 9421): what a request's headers Content-Digest, Signature-Input and Signature say.
 *
 * What is covered is read back from the lines that were written before, and not made a second time, so what is signed is
 * what is sent. A header that a request does not have, because the dialect leaves its line out, is not covered; receivers
 * refuse a request that has one of the dialect's headers without covering it.
 *
 * The parameters stand in one order and one spelling, which is that of RFC 9651; values that it could not write are
 * refused when the dialect is loaded (tag) or make the request unsendable (nonce). */
#include "core/dialect_message.h"
#include "base/enc.h"
#include "core/guard.h"
#include "lib/message.h"

#define BASE_MAX ((size_t)64 << 10) /* a URL of 2 KiB and eleven headers are below */

/* ---- compiling ---- */

static bool fail(struct th_where *w, const char *key, unsigned line, const char *why)
{
    th_where_enter(w, th_str(key));
    return th_where_fail(w, line, "%s", why);
}

/* Whether the head has a line of this name before the signatures. */
static bool is_written(const struct th_dialect *d, struct th_span name)
{
    for (unsigned i = 0; i < d->owned_count; i++)
        if (th_span_eq(d->owned[i], name))
            return true;
    return false;
}

bool th_message_compile(struct th_where *w, const struct th_dialect *d, const struct dl_sig_spec *spec,
                        const struct dl_sig_parts *parts, struct dl_sig *out)
{
    struct th_span name[TH_MESSAGE_COMPONENTS];
    const char *why = th_message_components(parts->content.s, name, &out->covered_count);
    bool body = false;

    if (why)
        return fail(w, "content", parts->content.line, why);
    for (unsigned i = 0; i < out->covered_count; i++) {
        out->covered[i] = name[i];
        if (th_span_is(name[i], "content-digest")) {
            body = true;
        } else if (name[i].p[0] != '@' && !is_written(d, name[i])) {
            th_where_enter(w, TH_LIT("content"));
            return th_where_fail(w, parts->content.line,
                                 "%.*s is not among the header lines before the signature", (int)name[i].n,
                                 name[i].p);
        }
    }
    if (!body)
        return fail(w, "content", parts->content.line,
                    "must cover \"content-digest\", or the body is not signed");
    if (!th_span_ieq(parts->header.s, TH_LIT("Signature")))
        return fail(w, "header", parts->header.line, "must be Signature with this encoding");
    if (parts->algorithm != DL_HMAC_SHA256 && parts->algorithm != DL_ED25519)
        return fail(w, "algorithm", parts->header.line, "must be hmac-sha256 or ed25519 with this encoding");
    if (!th_span_is(parts->item.s, "{sig}") || !th_span_is(parts->wrap.s, "{items}"))
        return fail(w, "item", parts->item.line, "has no meaning with this encoding, nor has wrap");
    if (spec->when.s.n)
        return fail(w, "when", spec->when.line, "is not possible with this encoding");
    if (!th_program_visible(parts->tag.s) ||
        memchr(parts->tag.s.p ? parts->tag.s.p : "", '"', parts->tag.s.n) ||
        memchr(parts->tag.s.p ? parts->tag.s.p : "", '\\', parts->tag.s.n))
        return fail(w, "tag", parts->tag.line, "must be visible ASCII without quotes and backslashes");
    out->message = true;
    out->tag = parts->tag.s;
    out->expires_s = spec->expires_seconds;
    if (!spec->nonce.s.n)
        return true;
    th_where_enter(w, TH_LIT("nonce"));
    return th_template_compile(w, spec->nonce.s, spec->nonce.line, TH_IN_HEADER, d->stamp,
                               d->spec.schema_version.s, &out->nonce);
}

/* ---- names of keys ---- */

static void put_base64url(const uint8_t *p, size_t n, char *out)
{
    struct th_buf text;

    th_buf_init(&text, TH_KEYID_SIZE);
    th_base64url(&text, p, n);
    out[0] = 0;
    if (!text.failed && text.n < TH_KEYID_SIZE) {
        memcpy(out, text.p, text.n);
        out[text.n] = 0;
    }
    th_buf_fini(&text);
}

void th_message_keyid_public(const uint8_t key[32], char out[TH_KEYID_SIZE])
{
    static const char before[] = "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"", behind[] = "\"}";
    char x[TH_KEYID_SIZE], text[sizeof before + TH_KEYID_SIZE + sizeof behind];
    uint8_t digest[32];
    size_t n = sizeof before - 1, m;

    put_base64url(key, 32, x);
    m = strlen(x);
    memcpy(text, before, n);
    memcpy(text + n, x, m);
    memcpy(text + n + m, behind, sizeof behind - 1);
    th_sha256(text, n + m + sizeof behind - 1, digest);
    put_base64url(digest, sizeof digest, out);
}

static void member(struct th_jw *w, const char *name, const char *value)
{
    th_jw_key(w, th_str(name));
    th_jw_string(w, th_str(value));
}

bool th_dialect_key_jwk(const struct th_sign_key *key, struct th_jw *w)
{
    char x[TH_KEYID_SIZE], kid[TH_KEYID_SIZE];
    uint8_t public[32];

    if (!key->ed25519 || !th_ed25519_public_of(key->ed25519, public))
        return false;
    put_base64url(public, sizeof public, x);
    th_message_keyid_public(public, kid);
    th_jw_object(w);
    member(w, "kty", "OKP");
    member(w, "crv", "Ed25519");
    member(w, "x", x);
    member(w, "kid", kid);
    member(w, "alg", "EdDSA");
    member(w, "use", "sig");
    th_jw_end_object(w);
    return true;
}

void th_message_keyid_shared(const struct th_hmac *h, char out[TH_KEYID_SIZE])
{
    const struct th_bytes what = {"keyid", 5};
    uint8_t mac[64];

    th_hmac_sign(h, &what, 1, mac);
    put_base64url(mac, 16, out);
}

/* ---- signing ---- */

void th_message_digest(struct th_span body, struct th_buf *out)
{
    uint8_t digest[32];

    th_sha256(body.p, body.n, digest);
    th_buf_str(out, "sha-256=:");
    th_base64(out, digest, sizeof digest);
    th_buf_char(out, ':');
}

/* The value of a header line that was written. */
static bool find_line(struct th_span head, struct th_span name, struct th_span *value)
{
    while (head.n) {
        const char *lf = memchr(head.p, '\n', head.n);
        size_t n = lf ? (size_t)(lf - head.p) : head.n;

        if (n > name.n + 2 && head.p[name.n] == ':' && th_span_ieq(th_span(head.p, name.n), name)) {
            *value = th_span(head.p + name.n + 2, n - name.n - 2 - (head.p[n - 1] == '\r'));
            return true;
        }
        if (!lf)
            return false;
        head = th_span(lf + 1, head.n - n - 1);
    }
    return false;
}

struct target {
    char text[2200], room[TH_MESSAGE_ROOM];
    struct th_span url;
};

/* The URL as the request names it: its host as the header Host has it, its path as the request line. */
static bool find_target(const struct th_render *r, struct target *t)
{
    struct th_url url;
    const char *why;
    size_t n = 0;

    if (th_url_parse(r->endpoint_url, &url, &why) || 8 + url.authority.n + url.target.n > sizeof t->text)
        return false;
    memcpy(t->text, url.tls ? "https://" : "http://", 8);
    n = url.tls ? 8 : 7;
    memcpy(t->text + n, url.authority.p, url.authority.n);
    n += url.authority.n;
    memcpy(t->text + n, url.target.p, url.target.n);
    t->url = th_span(t->text, n + url.target.n);
    return true;
}

static bool value_of(const struct th_message_request *m, struct target *t, struct th_span name,
                     struct th_span digest, struct th_span *value)
{
    struct th_span method = m->r->method.n ? m->r->method : m->d->spec.request.method.s;

    if (name.p[0] == '@')
        return th_message_derived(name, method, t->url, t->room, value);
    if (th_span_is(name, "content-digest")) {
        *value = digest;
        return true;
    }
    if (th_span_is(name, "content-type") && (m->r->form || m->d->values.form)) {
        *value = TH_LIT(TH_FORM_TYPE);
        return true;
    }
    return find_line(m->head, name, value);
}

static bool put_string(struct th_buf *out, struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            th_buf_char(out, '\\');
        th_buf_char(out, s.p[i]);
    }
    return th_program_visible(s);
}

static bool put_nonce(const struct th_message_request *m, const struct dl_sig *sig, struct th_buf *out)
{
    bool ok = true;

    th_buf_str(out, ";nonce=\"");
    for (unsigned i = 0; i < sig->nonce.count; i++) {
        char room[TH_PROGRAM_TEXT];

        ok = put_string(out, th_program_text(&sig->nonce.ops[i], m->env, room)) && ok;
    }
    th_buf_char(out, '"');
    return ok;
}

/* The parameters behind the list of what is covered. */
static bool put_params(const struct th_message_request *m, const struct dl_sig *sig,
                       const struct th_sign_key *key, struct th_buf *out)
{
    bool ok = true;

    th_buf_printf(out, ";created=%lld", (long long)m->r->at_unix);
    if (sig->expires_s)
        th_buf_printf(out, ";expires=%lld", (long long)m->r->at_unix + sig->expires_s);
    if (sig->nonce.count)
        ok = put_nonce(m, sig, out);
    th_buf_printf(out, ";keyid=\"%s\";alg=\"%s\"", key->keyid,
                  sig->algorithm == DL_ED25519 ? "ed25519" : "hmac-sha256");
    if (sig->tag.n) {
        th_buf_str(out, ";tag=\"");
        th_buf_span(out, sig->tag);
        th_buf_char(out, '"');
    }
    return ok;
}

/* The signature base: a line for each component, and the parameters at its end. */
static bool put_base(const struct th_message_request *m, const struct dl_sig *sig,
                     const struct th_sign_key *key, struct th_span digest, struct th_buf *base,
                     size_t *params)
{
    struct target t;
    struct th_buf list;
    bool ok = key->keyid && find_target(m->r, &t);

    th_buf_init(&list, 4096);
    th_buf_char(&list, '(');
    for (unsigned i = 0; ok && i < sig->covered_count; i++) {
        struct th_span name = sig->covered[i], value;

        if (!value_of(m, &t, name, digest, &value)) {
            ok = name.p[0] != '@';
            continue;
        }
        th_buf_str(&list, list.n > 1 ? " \"" : "\"");
        th_buf_span(&list, name);
        th_buf_char(&list, '"');
        th_buf_char(base, '"');
        th_buf_span(base, name);
        th_buf_str(base, "\": ");
        th_buf_span(base, value);
        th_buf_char(base, '\n');
    }
    th_buf_char(&list, ')');
    th_buf_str(base, "\"@signature-params\": ");
    *params = base->n;
    th_buf_span(base, th_buf_view(&list));
    ok = ok && put_params(m, sig, key, base) && !list.failed && !base->failed;
    th_buf_fini(&list);
    return ok;
}

static size_t sign(const struct dl_sig *sig, const struct th_sign_key *key, struct th_span base,
                   uint8_t out[64])
{
    const struct th_bytes piece = {base.p, base.n};

    if (!(key->slots & 1u << sig->slot))
        return 0;
    if (sig->algorithm == DL_ED25519)
        return th_ed25519_sign(key->ed25519, &piece, 1, out) ? 64 : 0;
    return th_hmac_sign(sig->slot ? &key->more[sig->slot - 1] : &key->hmac, &piece, 1, out);
}

bool th_message_sign(const struct th_message_request *m, const struct dl_sig *sig,
                     const struct th_sign_key *key, unsigned n, struct th_message_values *out)
{
    struct th_buf base;
    uint8_t bytes[64];
    size_t params = 0, length = 0;

    th_buf_init(&base, BASE_MAX);
    if (put_base(m, sig, key, th_buf_view(&out->digest), &base, &params))
        length = sign(sig, key, th_buf_view(&base), bytes);
    if (length) {
        th_buf_printf(&out->inputs, "%ssig%u=", n > 1 ? ", " : "", n);
        th_buf_add(&out->inputs, base.p + params, base.n - params);
        th_buf_printf(&out->signatures, "%ssig%u=:", n > 1 ? ", " : "", n);
        th_base64(&out->signatures, bytes, length);
        th_buf_char(&out->signatures, ':');
    }
    th_buf_fini(&base);
    return length > 0;
}
