/* The verifier object: a scheme compiled, its secrets decoded, everything in the caller's memory.
 *
 * Invariants: 1. After a successful initialisation nothing changes but by tenterhook_verifier_window, so
 * threads share it. 2. A verifier that failed to initialise, or was wiped, has no magic number and accepts
 * nothing. 3. No empty key and no empty secret is ever in it. Failure leaves no key material behind. */
#include "lib/internal.h"
#include <assert.h>

static_assert(sizeof(struct th_lib_verifier) <= sizeof(struct tenterhook_verifier),
              "the opaque room is enough");

static struct th_lib_verifier *inside(struct tenterhook_verifier *v)
{
    return (struct th_lib_verifier *)v->opaque;
}

static const char *add_sources(struct th_lib_verifier *v, const struct tenterhook_scheme *s)
{
    if (s->source_count > TENTERHOOK_SOURCES_MAX)
        return "too many sources";
    for (unsigned i = 0; i < s->source_count; i++) {
        v->source[i].header = s->source[i].header;
        v->source[i].var = th_lib_variable(s->source[i].variable);
        if (v->source[i].header.n == 0 || v->source[i].var == TH_LIB_TEXT)
            return "a source must be a header and one {variable}";
    }
    v->source_count = s->source_count;
    return NULL;
}

/* Variables of which the verifier can learn the value. */
static uint32_t obtainable(const struct th_lib_verifier *v, const struct th_lib_form *f)
{
    uint32_t vars = TH_LIB_BIT(TH_LIB_BODY) | TH_LIB_BIT(TH_LIB_ENDPOINT_URL) | f->item.vars | f->wrap.vars;

    if (v->schema_version.n)
        vars |= TH_LIB_BIT(TH_LIB_SCHEMA_VERSION);
    for (unsigned i = 0; i < v->source_count; i++)
        vars |= TH_LIB_BIT(v->source[i].var);
    return vars;
}

static const char *add_forms(struct th_lib_verifier *v, const struct tenterhook_scheme *s)
{
    if (s->signature_count > TENTERHOOK_SIGNATURES_MAX)
        return "too many signatures";
    for (unsigned i = 0; i < s->signature_count; i++) {
        const char *why = th_lib_form(&s->signature[i], &v->form[i]);

        if (why)
            return why;
        if (v->form[i].encoding == TENTERHOOK_HTTP_MESSAGE)
            continue; /* it covers headers by their names */
        if (v->form[i].content.vars & ~obtainable(v, &v->form[i]))
            return "content uses a variable whose value is nowhere in the request";
    }
    v->form_count = s->signature_count;
    if (!v->form_count && !s->auth_header.n)
        return "the scheme neither signs nor sends a secret";
    if (s->auth_header.n &&
        (!th_lib_template(s->auth_value, TH_LIB_BIT(TH_LIB_SECRET), &v->auth) || !v->auth.vars))
        return "the auth value must hold {secret}, and nothing else that varies";
    v->auth_header = s->auth_header;
    return NULL;
}

/* ---- keys ---- */

static bool public_key(enum tenterhook_key kind, struct th_span secret, uint8_t out[32])
{
    const struct th_span whpk = TENTERHOOK_LIT("whpk_");
    uint8_t buf[TH_LIB_KEY_MAX];
    const uint8_t *p;
    size_t n = 0;
    bool ok;

    if (kind == TENTERHOOK_KEY_WHSK && th_span_starts(secret, whpk)) {
        secret = th_span(secret.p + whpk.n, secret.n - whpk.n);
        return th_unbase64(secret, out, 32, &n) && n == 32;
    }
    ok = th_lib_secret(kind, secret, buf, &p, &n);
    if (ok && kind != TENTERHOOK_KEY_WHSK) {
        ok = n == 32;
        if (ok)
            memcpy(out, p, 32);
    } else if (ok) {
        ok = (n == 32 || n == 64) && th_ed25519_public(p, out) && (n == 32 || th_ct_equal(out, p + 32, 32));
    }
    explicit_bzero(buf, sizeof buf);
    return ok;
}

static bool fill(struct th_lib_key *key, struct th_span secret)
{
    uint8_t buf[TH_LIB_KEY_MAX];
    const uint8_t *p;
    size_t n;
    bool ok;

    if (key->algorithm == TENTERHOOK_ED25519)
        return public_key(key->kind, secret, key->u.public_key);
    ok = th_lib_secret(key->kind, secret, buf, &p, &n);
    if (ok)
        th_hmac_init(&key->u.hmac, th_lib_mac(key->algorithm), p, n);
    explicit_bzero(buf, sizeof buf);
    return ok;
}

static bool have_key(const struct th_lib_verifier *v, const struct th_lib_form *f, unsigned secret)
{
    for (unsigned i = 0; i < v->key_count; i++)
        if (v->key[i].secret == secret && v->key[i].algorithm == f->algorithm && v->key[i].kind == f->kind)
            return true;
    return false;
}

static enum tenterhook_result add_secret(struct th_lib_verifier *v, struct th_span secret, unsigned number)
{
    bool fits = v->form_count == 0;

    if (secret.n == 0)
        return TENTERHOOK_BAD_SECRET;
    if (v->auth_header.n)
        th_sha256(secret.p, secret.n, v->digest[number]);
    for (unsigned i = 0; i < v->form_count; i++) {
        const struct th_lib_form *f = &v->form[i];
        struct th_lib_key key = {.algorithm = f->algorithm, .kind = f->kind, .secret = number};

        if (have_key(v, f, number)) {
            fits = true;
        } else if (fill(&key, secret)) {
            fits = true;
            if (v->key_count == TH_LIB_KEYS) {
                explicit_bzero(&key, sizeof key);
                return TENTERHOOK_TOO_MANY;
            }
            v->key[v->key_count++] = key;
        }
        explicit_bzero(&key, sizeof key);
    }
    return fits ? TENTERHOOK_OK : TENTERHOOK_BAD_SECRET;
}

/* ---- public ---- */

static enum tenterhook_result fill_verifier(struct th_lib_verifier *v, const struct tenterhook_scheme *s,
                                            const struct tenterhook_span *secrets, size_t count,
                                            struct tenterhook_fault *fault)
{
    const char *why;

    if (!s || !secrets || count == 0)
        return TENTERHOOK_INVALID;
    if (count > TH_LIB_KEYS)
        return TENTERHOOK_TOO_MANY;
    v->schema_version = s->schema_version;
    v->catalogue = s->catalogue;
    v->id = s->id;
    v->type = s->type;
    v->time = s->time;
    v->time_form = s->time_form;
    v->resource_type = s->resource_type;
    v->resource_id = s->resource_id;
    v->endpoint_id = s->endpoint_id;
    v->delivery_id = s->delivery_id;
    v->data = s->data;
    v->back_s = v->ahead_s = TENTERHOOK_WINDOW_S;
    why = add_sources(v, s);
    if (!why)
        why = add_forms(v, s);
    if (why) {
        if (fault)
            *fault = (struct tenterhook_fault){0, why};
        return TENTERHOOK_BAD_DIALECT;
    }
    for (size_t i = 0; i < count; i++) {
        enum tenterhook_result result = add_secret(v, secrets[i], (unsigned)i);
        if (result)
            return result;
    }
    v->secret_count = (unsigned)count;
    v->magic = TH_LIB_MAGIC;
    return TENTERHOOK_OK;
}

enum tenterhook_result tenterhook_verifier_init(struct tenterhook_verifier *out,
                                                const struct tenterhook_scheme *scheme,
                                                const struct tenterhook_span *secrets, size_t count,
                                                struct tenterhook_fault *fault)
{
    enum tenterhook_result result;

    memset(out, 0, sizeof *out);
    result = fill_verifier(inside(out), scheme, secrets, count, fault);
    if (result)
        tenterhook_verifier_wipe(out);
    return result;
}

enum tenterhook_result tenterhook_verifier_open(struct tenterhook_verifier *v, const char *dialect,
                                                const char *secret, const char *old)
{
    struct tenterhook_span secrets[2] = {tenterhook_str(secret), tenterhook_str(old)};
    struct tenterhook_scheme scheme;
    enum tenterhook_result result = tenterhook_scheme_find(dialect, &scheme);

    if (result) {
        tenterhook_verifier_wipe(v);
        return result;
    }
    return tenterhook_verifier_init(v, &scheme, secrets, old ? 2 : 1, NULL);
}

enum tenterhook_result tenterhook_verifier_window(struct tenterhook_verifier *v, int64_t back_s,
                                                  int64_t ahead_s)
{
    if (inside(v)->magic != TH_LIB_MAGIC || back_s < 0 || ahead_s < 0)
        return TENTERHOOK_INVALID;
    inside(v)->back_s = back_s;
    inside(v)->ahead_s = ahead_s;
    return TENTERHOOK_OK;
}

bool tenterhook_verifier_protects(const struct tenterhook_verifier *out)
{
    const struct th_lib_verifier *v = th_lib_verifier(out);
    bool all = v->magic == TH_LIB_MAGIC && v->form_count > 0 && v->back_s > 0;

    for (unsigned i = 0; all && i < v->form_count; i++)
        all = v->form[i].content.vars & TH_LIB_BIT(TH_LIB_TS);
    return all;
}

void tenterhook_verifier_wipe(struct tenterhook_verifier *v)
{
    explicit_bzero(v, sizeof *v);
}
