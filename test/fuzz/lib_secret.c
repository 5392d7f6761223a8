/* Secrets from anybody, for each kind of key: decoded or refused, never read too far. What is decoded as a
 * prefixed secret is the same without its prefix, and another secret is another key. */
#include "lib_fuzz.h"

static bool key_of(struct fuzz *f, enum tenterhook_key kind, struct th_span secret, struct th_span *key)
{
    uint8_t buf[TH_LIB_KEY_MAX];
    const uint8_t *p;
    size_t n;

    if (!th_lib_secret(kind, secret, buf, &p, &n))
        return false;
    must(n > 0 && (p == buf ? n <= sizeof buf : kind == TENTERHOOK_KEY_UTF8));
    *key = span_of(fuzz_copy(f, p, n));
    return true;
}

static void fuzz_kinds(struct fuzz *f, struct th_span secret)
{
    static const struct th_span whsec = TENTERHOOK_LIT("whsec_");
    char *prefixed = fuzz_block(f, whsec.n + secret.n);
    struct th_span key, other;

    memcpy(prefixed, whsec.p, whsec.n);
    if (secret.n)
        memcpy(prefixed + whsec.n, secret.p, secret.n);
    must(key_of(f, TENTERHOOK_KEY_UTF8, secret, &key) == (secret.n > 0));
    if (key_of(f, TENTERHOOK_KEY_BASE64, secret, &key)) {
        must(key_of(f, TENTERHOOK_KEY_WHSEC, secret, &other) && th_span_eq(key, other));
        must(key_of(f, TENTERHOOK_KEY_WHSEC, th_span(prefixed, whsec.n + secret.n), &other));
        must(th_span_eq(key, other) && !key_of(f, TENTERHOOK_KEY_WHSK, secret, &other));
    }
    if (key_of(f, TENTERHOOK_KEY_HEX, secret, &key))
        must(secret.n % 2 == 0 && key.n == secret.n / 2);
    must(!key_of(f, TENTERHOOK_KEY_WHSK, th_span(prefixed, whsec.n + secret.n), &key));
    (void)key_of(f, TENTERHOOK_KEY_WHSK, secret, &key);
}

/* A verifier with two secrets takes what either of them signed, and with one only its own. */
static void fuzz_verifier(const struct tenterhook_scheme *s, struct th_span one, struct th_span two)
{
    static const char body[] = "{}";
    const struct th_span both[] = {one, two};
    struct tenterhook_message m = {.body = {body, 2}, .event_id = {"e", 1}, .ts = NOW};
    char value[512];
    struct tenterhook_header h[] = {{s->signature[0].header, {value, 0}},
                                    {TENTERHOOK_LIT("webhook-id"), {"e", 1}},
                                    {TENTERHOOK_LIT("webhook-timestamp"), TENTERHOOK_LIT("1700000000")}};
    struct tenterhook_request r = {.headers = h, .header_count = 3, .body = body, .body_len = 2};
    struct tenterhook_verifier v;
    bool ok = tenterhook_verifier_init(&v, s, both, 2, NULL) == TENTERHOOK_OK;

    for (unsigned i = 0; i < 2; i++) {
        enum tenterhook_result result =
            tenterhook_sign(s, 0, &both[i], 1, &m, value, sizeof value, &h[0].value.n);
        struct tenterhook_report report;

        must(!ok || result == TENTERHOOK_OK);
        if (!ok) {
            must(tenterhook_verify(&v, &r, NOW, &report) == TENTERHOOK_INVALID);
            continue;
        }
        must(tenterhook_verify(&v, &r, NOW, &report) == TENTERHOOK_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    unsigned which = fuzz_byte(&f);
    struct th_span one = span_of(fuzz_line(&f)), two = span_of(fuzz_rest(&f));
    static struct tenterhook_scheme standard;

    if (!standard.signature_count)
        must(tenterhook_scheme_find("standard", &standard) == TENTERHOOK_OK);
    if (which % 4 == 0 && is_sample(data, size, 64)) {
        struct tenterhook_scheme ed = standard;
        struct tenterhook_verifier v;
        const struct th_span secret[] = {one};

        ed.signature[0].algorithm = TENTERHOOK_ED25519;
        ed.signature[0].key = which % 8 ? TENTERHOOK_KEY_WHSK : TENTERHOOK_KEY_HEX;
        ed.signature_count = 1;
        if (tenterhook_verifier_init(&v, &ed, secret, 1, NULL) == TENTERHOOK_OK)
            must(one.n >= 44);
    } else if (which % 4) {
        struct tenterhook_scheme hmac = standard;

        hmac.signature_count = 1;
        hmac.signature[0].key = (enum tenterhook_key)(which % 4 + (which % 4 == 3));
        fuzz_verifier(&hmac, one, two);
    }
    fuzz_kinds(&f, one);
    fuzz_end(&f);
    return 0;
}
