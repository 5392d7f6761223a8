/* Schemes that a program fills in, of any templates: what can be initialised signs what it verifies, another
 * secret and another body are refused, and nothing is read beyond the spans.
 * Input: algorithm and encoding; stamp; then content, item, join, wrap and the values, a line each; the body. */
#include "lib_fuzz.h"

static const char *const hmac_secrets[] = {"one", "two"};

static enum tenterhook_result verify(const struct tenterhook_scheme *s, const char *secret,
                                     const struct tenterhook_request *r)
{
    struct tenterhook_span span = tenterhook_str(secret);
    struct tenterhook_verifier v;

    must(tenterhook_verifier_init(&v, s, &span, 1, NULL) == TENTERHOOK_OK);
    return tenterhook_verify(&v, r, NOW, NULL);
}

/* The signature's header and one for each source, and the changed body. */
static void fuzz_request(struct fuzz *f, const struct tenterhook_scheme *s,
                         const struct tenterhook_message *m, struct th_span signature)
{
    char stamp[32];
    struct th_span ts = th_span(stamp, th_lib_stamp(s->signature[0].stamp, NOW, stamp));
    struct fuzz_bytes body = fuzz_copy(f, m->body.p, m->body.n);
    struct tenterhook_header h[] = {
        {s->signature[0].header, signature}, {s->source[0].header, ts}, {s->source[1].header, m->event_id}};
    struct tenterhook_request r = {
        .headers = h, .header_count = 3, .body = body.p, .body_len = body.n, .url = m->endpoint_url};
    enum tenterhook_result result = verify(s, hmac_secrets[0], &r);

    /* Malformed: a template that cannot be read back, such as a join that stands in the signatures. */
    must(result == TENTERHOOK_OK || result == TENTERHOOK_MALFORMED);
    must(verify(s, hmac_secrets[1], &r) == (result ? result : TENTERHOOK_NO_MATCH));
    if (body.n) {
        body.p[body.n / 2] ^= 1;
        must(verify(s, hmac_secrets[0], &r) != TENTERHOOK_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    unsigned algorithm = fuzz_byte(&f), stamp = fuzz_byte(&f);
    struct tenterhook_scheme s = {
        .source = {{TENTERHOOK_LIT("T"), TENTERHOOK_LIT("{ts}")},
                   {TENTERHOOK_LIT("I"), TENTERHOOK_LIT("{event.id}")}},
        .source_count = 2,
        .schema_version = TENTERHOOK_LIT("7"),
        .signature = {{.header = TENTERHOOK_LIT("S"),
                       .algorithm = (enum tenterhook_algorithm)(algorithm % 3 + 1),
                       .key = TENTERHOOK_KEY_UTF8,
                       .encoding = (enum tenterhook_encoding)(algorithm / 3 % 2 + 1),
                       .stamp = (enum tenterhook_stamp)(stamp % 4)}},
        .signature_count = 1};
    struct tenterhook_message m = {.ts = NOW};
    struct tenterhook_span secret = tenterhook_str(hmac_secrets[0]);
    struct tenterhook_verifier v;
    size_t n = 0, cap = 300;
    char *value = fuzz_block(&f, cap);

    s.signature[0].content = span_of(fuzz_line(&f));
    s.signature[0].item = span_of(fuzz_line(&f));
    s.signature[0].join = span_of(fuzz_line(&f));
    s.signature[0].wrap = span_of(fuzz_line(&f));
    m.event_id = span_of(fuzz_line(&f));
    m.endpoint_url = span_of(fuzz_line(&f));
    m.body = span_of(fuzz_rest(&f));
    if (tenterhook_verifier_init(&v, &s, &secret, 1, NULL) == TENTERHOOK_OK &&
        tenterhook_sign(&s, 0, &secret, 1, &m, value, cap, &n) == TENTERHOOK_OK) {
        must(n < cap && value[n] == 0);
        fuzz_request(&f, &s, &m, span_of(fuzz_copy(&f, value, n)));
    }
    fuzz_end(&f);
    return 0;
}
