/* Dialect texts from anybody: the scheme reader, and a verifier from what it accepts. What is accepted must
 * also sign what it verifies. */
#include "lib_fuzz.h"

#define BODY "{\"id\":\"e\",\"type\":\"t.u\",\"data\":{\"id\":1}}"

static void fuzz_round_trip(struct fuzz *f, const struct tenterhook_scheme *s, struct th_span secret)
{
    struct tenterhook_message m = {.body = TENTERHOOK_LIT(BODY), .ts = NOW};
    struct tenterhook_header h[TENTERHOOK_SOURCES_MAX + 1];
    struct tenterhook_request r = {.headers = h,
                                   .header_count = 1,
                                   .body = BODY,
                                   .body_len = sizeof BODY - 1,
                                   .url = TENTERHOOK_LIT("x"),
                                   .scratch_len = sizeof BODY + TENTERHOOK_SCRATCH};
    struct tenterhook_verifier v;
    struct tenterhook_event event;
    char *value = fuzz_block(f, 4096), stamp[32];
    size_t n;

    if (tenterhook_verifier_init(&v, s, &secret, 1, NULL) != TENTERHOOK_OK)
        return;
    m.event_id = m.event_type = m.event_time = m.delivery_id = m.endpoint_id = m.endpoint_url =
        m.attempt_number = m.resource_type = m.resource_id = tenterhook_str("x");
    r.scratch = m.scratch = fuzz_block(f, r.scratch_len);
    m.scratch_len = r.scratch_len;
    if (tenterhook_sign(s, 0, &secret, 1, &m, value, 4096, &n) != TENTERHOOK_OK)
        return;
    h[0] =
        (struct tenterhook_header){s->signature_count ? s->signature[0].header : s->auth_header, {value, n}};
    for (unsigned i = 0; i < s->source_count; i++) {
        bool time = th_lib_variable(s->source[i].variable) == TH_LIB_TS;

        n = th_lib_stamp(s->signature[0].stamp, NOW, stamp);
        h[r.header_count++] =
            (struct tenterhook_header){s->source[i].header, time ? th_span(stamp, n) : tenterhook_str("x")};
    }
    (void)!tenterhook_construct_event(&v, &r, NOW, &event, NULL);
    /* Nobody's signature: whatever the file says, this body was not signed. */
    r.body = "{}";
    r.body_len = 2;
    must(!s->signature_count || tenterhook_verify(&v, &r, NOW, NULL) != TENTERHOOK_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct th_span text = span_of(fuzz_rest(&f));
    struct tenterhook_fault fault = {0, NULL};
    struct tenterhook_scheme s;

    if (tenterhook_scheme_read(text.p, text.n, &s, &fault) == TENTERHOOK_OK) {
        must(s.signature_count <= TENTERHOOK_SIGNATURES_MAX && s.source_count <= TENTERHOOK_SOURCES_MAX);
        must(s.signature_count || s.auth_header.n || s.auth_header.p);
        must(lies_in(s.catalogue, text.p, text.n));
        th_lib_resource(s.catalogue, tenterhook_str("t.u"));
        fuzz_round_trip(&f, &s, tenterhook_str(secrets[0].sign));
        if (is_asymmetric(&s, 0) && is_sample(data, size, 64))
            fuzz_round_trip(&f, &s, tenterhook_str(secrets[1].sign));
    } else {
        must(fault.what && fault.line <= size + 1 && !s.signature_count && !s.auth_header.p);
    }
    fuzz_end(&f);
    return 0;
}
