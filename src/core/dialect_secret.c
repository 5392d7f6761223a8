/* Secrets: checks that they have the form of the dialect, makes new ones, and decodes them into keys that are
 * ready to sign.
 *
 * A secret is decoded here once, when it is loaded; signing copies pad states. Plain text is kept only where
 * a header carries it (in memory for secrets), and OpenSSL's key objects of Ed25519. Everything that held a key is wiped
 * before it is left.
 *
 * Refuses: what the dialect's form does not allow, and any byte that a header value cannot carry when a
 * header will. */
#include "base/alloc.h"
#include "base/enc.h"
#include "base/secret.h"
#include "core/dialect_message.h"

#define KEY_MAX 512 /* bytes of a decoded key */

static const struct th_span whsec = {"whsec_", 6}, whsk = {"whsk_", 5};

static struct th_span strip(struct th_span s, struct th_span prefix)
{
    return th_span_starts(s, prefix) ? th_span(s.p + prefix.n, s.n - prefix.n) : s;
}

/* 32 bytes of seed, or seed and public key: then they must belong together. */
static bool seed_of(const uint8_t *key, size_t n, uint8_t seed[32])
{
    uint8_t public[32];

    if (n != 32 && n != 64)
        return false;
    memcpy(seed, key, 32);
    return n == 32 || (th_ed25519_public(seed, public) && th_ct_equal(public, key + 32, 32));
}

static bool decode(enum dl_key kind, struct th_span secret, uint8_t key[KEY_MAX], size_t *n)
{
    switch (kind) {
    case DL_KEY_UTF8:
        if (secret.n > KEY_MAX)
            return false;
        if (secret.n)
            memcpy(key, secret.p, secret.n);
        *n = secret.n;
        return true;
    case DL_KEY_HEX:
        return th_unhex(secret, key, KEY_MAX, n);
    case DL_KEY_WHSEC:
        return th_unbase64(strip(secret, whsec), key, KEY_MAX, n);
    case DL_KEY_WHSK:
        return th_span_starts(secret, whsk) && th_unbase64(strip(secret, whsk), key, KEY_MAX, n);
    case DL_KEY_BASE64:
        break;
    }
    return th_unbase64(secret, key, KEY_MAX, n);
}

/* ---- form ---- */

static bool all_in(struct th_span s, bool (*ok)(char c))
{
    for (size_t i = 0; i < s.n; i++)
        if (!ok(s.p[i]))
            return false;
    return true;
}

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (th_lower(c) >= 'a' && th_lower(c) <= 'z') || c == '_' || c == '-';
}

static bool is_visible(char c)
{
    return c > ' ' && c <= '~';
}

static bool is_text_char(char c)
{
    return (unsigned char)c >= ' ' && c != 0x7f;
}

static const char *check_length(const struct th_dialect *d, size_t n)
{
    return n < d->spec.secret.min ? "is too short" : n > d->spec.secret.max ? "is too long" : NULL;
}

static const char *check_form(const struct th_dialect *d, enum dl_form form, struct th_span s)
{
    uint8_t key[KEY_MAX], seed[32];
    size_t n = 0;
    const char *why = NULL;

    if (d->needs_plain && !all_in(s, is_visible))
        return "must be visible ASCII, because a header carries it";
    switch (form) {
    case DL_FORM_TEXT:
        return all_in(s, is_text_char) ? check_length(d, s.n) : "must not hold control characters";
    case DL_FORM_TOKEN:
        return all_in(s, is_token_char) ? check_length(d, s.n) : "must be of A-Z, a-z, 0-9, _ and -";
    case DL_FORM_HEX:
        why = th_unhex(s, key, KEY_MAX, &n) ? check_length(d, s.n) : "must be an even number of hex digits";
        break;
    case DL_FORM_BASE64:
        why = th_unbase64(s, key, KEY_MAX, &n) ? check_length(d, n) : "must be base64";
        break;
    case DL_FORM_WHSEC:
        why = !th_span_starts(s, whsec)           ? "must begin with whsec_"
              : !decode(DL_KEY_WHSEC, s, key, &n) ? "must be base64 after whsec_"
                                                  : check_length(d, n);
        break;
    case DL_FORM_WHSK:
        why = !decode(DL_KEY_WHSK, s, key, &n) || !seed_of(key, n, seed)
                  ? "must be whsk_ and the base64 of an Ed25519 private key"
                  : NULL;
        th_wipe(seed, sizeof seed);
        break;
    }
    th_wipe(key, sizeof key);
    return why;
}

static enum dl_form form_of(const struct th_dialect *d, unsigned variant)
{
    unsigned own = variant < DL_VARIANTS ? d->variant_secret_form[variant] : 0;

    return (enum dl_form)(own ? own : d->spec.secret.form);
}

enum th_error th_dialect_secret_check_for(const struct th_dialect *d, unsigned variant, struct th_span secret,
                                          const char **why)
{
    *why = check_form(d, form_of(d, variant), secret);
    return *why ? TH_INVALID : TH_OK;
}

enum th_error th_dialect_secret_check_moved(const struct th_dialect *d, struct th_span secret,
                                            const char **why)
{
    struct th_sign_key key;
    enum th_error error;

    *why = !secret.n ? "must not be empty"
           : d->needs_plain && !all_in(secret, is_visible)
               ? "must be visible ASCII, because a header carries it"
           : !all_in(secret, is_text_char) ? "must not hold control characters"
                                           : NULL;
    if (*why)
        return TH_INVALID;
    error = th_dialect_key_init(d, secret, &key);
    if (error == TH_INVALID)
        *why = "cannot be a key of this dialect's signature";
    else if (!error)
        th_dialect_key_fini(&key);
    return error == TH_INVALID ? TH_INVALID : TH_OK; /* without memory the change says so itself */
}

enum th_error th_dialect_secret_check(const struct th_dialect *d, struct th_span secret, const char **why)
{
    const char *other;

    if (th_dialect_secret_check_for(d, 0, secret, why) == TH_OK)
        return TH_OK;
    for (unsigned v = 1; v < d->values.variant_count; v++)
        if (th_dialect_secret_check_for(d, v, secret, &other) == TH_OK) {
            *why = NULL;
            return TH_OK;
        }
    return TH_INVALID;
}

void th_dialect_secret_make_for(const struct th_dialect *d, unsigned variant, const uint8_t random[64],
                                struct th_buf *out)
{
    enum dl_form form = form_of(d, variant);
    size_t n = d->spec.secret.generated_bytes;
    uint8_t pair[64];

    if (form == (enum dl_form)d->spec.secret.form && d->spec.secret.generated_form)
        form = (enum dl_form)d->spec.secret.generated_form;
    if (form != DL_FORM_WHSEC && form != DL_FORM_WHSK)
        th_buf_span(out, d->spec.secret.prefix.s);
    switch (form) {
    case DL_FORM_HEX:
        th_hex(out, random, n);
        break;
    case DL_FORM_BASE64:
        th_base64(out, random, n);
        break;
    case DL_FORM_WHSEC:
        th_buf_span(out, whsec);
        th_base64(out, random, n);
        break;
    case DL_FORM_WHSK:
        memcpy(pair, random, 32);
        if (!th_ed25519_public(random, pair + 32)) {
            out->failed = TH_NOMEM;
            break;
        }
        th_buf_span(out, whsk);
        th_base64(out, pair, sizeof pair);
        th_wipe(pair, sizeof pair);
        break;
    case DL_FORM_TEXT:
    case DL_FORM_TOKEN:
        th_base64url(out, random, n);
        break;
    }
}

void th_dialect_secret_make(const struct th_dialect *d, const uint8_t random[64], struct th_buf *out)
{
    th_dialect_secret_make_for(d, 0, random, out);
}

bool th_dialect_secret_public(const struct th_dialect *d, struct th_span secret, struct th_buf *out)
{
    uint8_t key[KEY_MAX], seed[32], public[32];
    bool found = false;
    size_t n = 0;

    for (unsigned i = 0; !found && i < d->slot_count; i++) {
        enum dl_key form = d->slots[i].key;

        found = d->slots[i].algorithm == DL_ED25519 && decode(form, secret, key, &n) &&
                seed_of(key, n, seed) && th_ed25519_public(seed, public);
        if (!found)
            continue;
        if (form == DL_KEY_HEX) {
            th_hex(out, public, sizeof public);
        } else {
            th_buf_str(out, form == DL_KEY_WHSK ? "whpk_" : "");
            th_base64(out, public, sizeof public);
        }
    }
    th_wipe(key, sizeof key);
    th_wipe(seed, sizeof seed);
    return found;
}

void th_dialect_secret_needles(const struct th_dialect *d, struct th_span secret, struct th_needles *out)
{
    static const enum dl_key text_only = DL_KEY_UTF8;
    uint8_t key[KEY_MAX];
    size_t n = 0;

    th_needles_add(out, secret, TH_NEEDLE_MIN);
    for (unsigned i = 0; i < (d->slot_count ? d->slot_count : 1); i++) {
        enum dl_key form = d->slot_count ? d->slots[i].key : text_only;

        if (!decode(form, secret, key, &n))
            continue;
        th_needles_bytes(out, key, n);
        if (form == DL_KEY_WHSK && n > 32)
            th_needles_bytes(out, key, 32); /* the seed without the public key */
    }
    th_wipe(key, sizeof key);
}

bool th_dialect_variants_mix(const struct th_dialect *d, unsigned a, unsigned b)
{
    for (unsigned i = 0; d->values.secrets_all_sign && i < d->spec.signature_count; i++)
        if (!th_span_ieq(d->sigs[i][a].header, d->sigs[i][b].header))
            return false;
    return true;
}

/* ---- keys ---- */

static enum th_error fill_ed25519(const uint8_t *bytes, size_t n, struct th_sign_key *key)
{
    uint8_t seed[32];
    bool fits = seed_of(bytes, n, seed);

    if (fits) {
        th_ed25519_free(key->ed25519);
        key->ed25519 = th_ed25519_new(seed);
    }
    th_wipe(seed, sizeof seed);
    return !fits ? TH_INVALID : key->ed25519 ? TH_OK : TH_NOMEM;
}

/* One slot of a key; TH_INVALID when the secret does not fit it (another variant's secret). */
static enum th_error fill_slot(const struct dl_slot *slot, unsigned index, struct th_span secret,
                               struct th_sign_key *key)
{
    static const enum th_mac macs[] = {
        [DL_HMAC_SHA256] = TH_MAC_SHA256, [DL_HMAC_SHA1] = TH_MAC_SHA1, [DL_HMAC_SHA512] = TH_MAC_SHA512};
    uint8_t bytes[KEY_MAX];
    size_t n = 0;
    enum th_error error = decode(slot->key, secret, bytes, &n) && n > 0 ? TH_OK : TH_INVALID;

    if (!error && slot->algorithm == DL_ED25519)
        error = fill_ed25519(bytes, n, key);
    else if (!error)
        th_hmac_init(index ? &key->more[index - 1] : &key->hmac, macs[slot->algorithm], bytes, n);
    if (!error)
        key->slots |= (uint8_t)(1u << index);
    th_wipe(bytes, sizeof bytes);
    return error;
}

/* What a receiver finds the key by. */
static enum th_error name_key(const struct th_dialect *d, struct th_sign_key *key)
{
    uint8_t public[32];

    key->keyid = th_malloc(TH_KEYID_SIZE);
    if (!key->keyid)
        return TH_NOMEM;
    for (unsigned i = 0; i < d->slot_count; i++) {
        if (!(key->slots & 1u << i))
            continue;
        if (d->slots[i].algorithm != DL_ED25519)
            th_message_keyid_shared(i ? &key->more[i - 1] : &key->hmac, key->keyid);
        else if (th_ed25519_public_of(key->ed25519, public))
            th_message_keyid_public(public, key->keyid);
        else
            return TH_NOMEM;
        return TH_OK;
    }
    return TH_INVALID;
}

enum th_error th_dialect_key_init(const struct th_dialect *d, struct th_span secret, struct th_sign_key *key)
{
    enum th_error error = TH_OK;
    unsigned more = 0;

    *key = (struct th_sign_key){.slots = 0};
    if (d->needs_plain) {
        if (secret.n == 0 || secret.n >= TH_SECRET_MAX || !all_in(secret, is_visible))
            return TH_INVALID;
        key->plain = th_secret_alloc(secret.n + 1);
        if (!key->plain)
            return TH_NOMEM;
        memcpy(key->plain, secret.p, secret.n);
        key->plain_len = secret.n;
    }
    for (unsigned i = 1; i < d->slot_count; i++)
        if (d->slots[i].algorithm != DL_ED25519)
            more = i;
    if (more) {
        key->more = th_calloc(more, sizeof *key->more);
        error = key->more ? TH_OK : TH_NOMEM;
        key->more_count = key->more ? (uint8_t)more : 0;
    }
    for (unsigned i = 0; i < d->slot_count && error != TH_NOMEM; i++)
        error = fill_slot(&d->slots[i], i, secret, key);
    if (error != TH_NOMEM)
        error = d->slot_count && !key->slots ? TH_INVALID : TH_OK;
    if (!error && d->names_keys)
        error = name_key(d, key);
    if (error)
        th_dialect_key_fini(key);
    return error;
}

void th_dialect_key_fini(struct th_sign_key *key)
{
    th_secret_free(key->plain, key->plain_len + 1);
    if (key->more) {
        th_wipe(key->more, key->more_count * sizeof *key->more);
        th_free(key->more);
    }
    th_ed25519_free(key->ed25519);
    th_free(key->keyid);
    th_wipe(key, sizeof *key);
}
