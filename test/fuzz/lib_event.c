/* Bodies from anybody who knows the secret, in each built-in dialect's envelope: the JSON scanner, members,
 * strings. The spans of an accepted event lie in the body, the headers or the event. */
#include "lib_fuzz.h"

#define SECRET "MDEyMzQ1Njc4OWFiY2RlZg=="

/* The envelope of a dialect behind a bare secret: what is tried here is the body. */
static const struct tenterhook_verifier *verifier(unsigned i, struct th_span *catalogue)
{
    static struct tenterhook_verifier verifiers[DIALECTS_MAX];
    static bool ready[DIALECTS_MAX];
    struct tenterhook_scheme s = *built_in(i);
    struct tenterhook_span secret = TENTERHOOK_LIT(SECRET);

    i %= DIALECTS_MAX;
    s.signature_count = s.source_count = 0;
    s.auth_header = tenterhook_str("a");
    s.auth_value = tenterhook_str("{secret}");
    must(ready[i] || tenterhook_verifier_init(&verifiers[i], &s, &secret, 1, NULL) == TENTERHOOK_OK);
    ready[i] = true;
    *catalogue = s.catalogue;
    return &verifiers[i];
}

static void fuzz_helpers(struct fuzz *f, struct th_span body)
{
    struct th_json root, again;
    struct th_span value;
    size_t n, cap = body.n + 1;
    char *out = fuzz_block(f, cap);

    must(!tenterhook_member(body, "id", &value) || lies_in(value, body.p, body.n));
    must(!th_lib_json(body, &root) || (th_lib_json(root.raw, &again) && th_span_eq(root.raw, again.raw)));
    if (tenterhook_string(body, out, cap, &n)) {
        must(n < cap && out[n] == 0 && !tenterhook_string(body, out, n, &n));
        must(tenterhook_string(body, out, n + 1, &n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    unsigned which = fuzz_byte(&f) % DIALECTS_MAX;
    struct th_span body = span_of(fuzz_rest(&f)), catalogue;
    struct th_json root;
    struct tenterhook_header h = {TENTERHOOK_LIT("a"), TENTERHOOK_LIT(SECRET)};
    struct tenterhook_request r = {.headers = &h, .header_count = 1, .body = body.p, .body_len = body.n};
    struct tenterhook_event e;
    struct tenterhook_report report;
    enum tenterhook_result result =
        tenterhook_construct_event(verifier(which, &catalogue), &r, 0, &e, &report);

    must(result == TENTERHOOK_OK || result == TENTERHOOK_BAD_EVENT);
    if (result == TENTERHOOK_OK) {
        const struct tenterhook_span spans[] = {e.id,          e.type,        e.resource_type,
                                                e.resource_id, e.endpoint_id, e.delivery_id};

        must(lies_in(e.data, body.p, body.n) && e.body.n == body.n);
        must(e.data.n == 0 || th_lib_json(e.data, &root));
        for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
            must(lies_in(spans[i], body.p, body.n) || lies_in(spans[i], e.text, sizeof e.text) ||
                 lies_in(spans[i], catalogue.p, catalogue.n));
    } else {
        must(!e.body.p && !e.data.p && report.detail);
    }
    fuzz_helpers(&f, body);
    fuzz_end(&f);
    return 0;
}
