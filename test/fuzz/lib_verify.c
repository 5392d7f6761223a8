/* Requests from anybody against every built-in dialect: the first byte chooses it, then the values of its
 * headers and the body, parted by line feeds. A forged request must never be accepted, the report always says
 * something, and the verdict is the same for headers in another order and case, and for headers that a
 * function gives. */
#include "lib_fuzz.h"

static bool by_name(void *ctx, const char *name, struct tenterhook_span *value)
{
    const struct tenterhook_request *r = ctx;

    for (size_t i = 0; i < r->header_count; i++)
        if (th_span_ieq(r->headers[i].name, tenterhook_str(name))) {
            *value = r->headers[i].value;
            return true;
        }
    return false;
}

/* The same request in other clothes. */
static void check_again(const struct tenterhook_verifier *v, const struct tenterhook_request *r,
                        enum tenterhook_result result)
{
    struct tenterhook_header turned[TENTERHOOK_SOURCES_MAX + 2];
    struct tenterhook_request again = *r;
    char names[TENTERHOOK_SOURCES_MAX + 2][64];

    for (size_t i = 0; i < r->header_count; i++) {
        const struct tenterhook_header *h = &r->headers[r->header_count - 1 - i];

        must(h->name.n < sizeof *names);
        for (size_t k = 0; k < h->name.n; k++)
            names[i][k] =
                (char)(h->name.p[k] >= 'a' && h->name.p[k] <= 'z' ? h->name.p[k] - 32 : h->name.p[k]);
        turned[i] = (struct tenterhook_header){{names[i], h->name.n}, h->value};
    }
    again.headers = turned;
    must(tenterhook_verify(v, &again, NOW, NULL) == result);
    again.headers = NULL;
    again.header_count = 0;
    again.header = by_name;
    again.ctx = (void *)(uintptr_t)r;
    must(tenterhook_verify(v, &again, NOW, NULL) == result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    unsigned which = fuzz_byte(&f) % (2 * DIALECTS_MAX);
    const struct tenterhook_scheme *s = built_in(which / 2);
    struct tenterhook_verifier *v = &built_in_verifier(which / 2, 0)->v;
    struct tenterhook_header h[TENTERHOOK_SOURCES_MAX + 2];
    struct tenterhook_request r = {
        .headers = h, .url = TENTERHOOK_LIT("https://example.com/"), .method = TENTERHOOK_LIT("POST")};
    struct tenterhook_report report = {.detail = NULL};
    struct tenterhook_event event;
    enum tenterhook_result result;
    struct fuzz_bytes body;
    int64_t window = which % 2 ? TENTERHOOK_WINDOW_S : 0;

    if (is_asymmetric(s, 0) && !is_sample(data, size, 64))
        return 0;
    must(tenterhook_verifier_window(v, window, window) == TENTERHOOK_OK);
    if (s->auth_header.n)
        h[r.header_count++] = (struct tenterhook_header){s->auth_header, span_of(fuzz_line(&f))};
    if (s->signature_count)
        h[r.header_count++] = (struct tenterhook_header){s->signature[0].header, span_of(fuzz_line(&f))};
    for (unsigned i = 0; i < s->source_count; i++)
        h[r.header_count++] = (struct tenterhook_header){s->source[i].header, span_of(fuzz_line(&f))};
    body = fuzz_rest(&f);
    r.body = body.p;
    r.body_len = body.n;
    r.scratch_len = body.n + TENTERHOOK_SCRATCH;
    r.scratch = fuzz_block(&f, r.scratch_len);
    result = tenterhook_construct_event(v, &r, NOW, &event, &report);
    must(report.detail && (!result || !event.body.p));
    /* Nobody guesses a MAC; the secret of an auth header stands in this file, and may be found. */
    must(result != TENTERHOOK_OK || !s->signature_count);
    if (result != TENTERHOOK_OK && result != TENTERHOOK_BAD_EVENT && is_sample(data, size, 8))
        check_again(v, &r, result);
    fuzz_end(&f);
    return 0;
}
