/* Requests from anybody against every built-in dialect: the first byte chooses it, then the values of its
 * headers and the body, parted by line feeds. A forged request must never be accepted, and the report always
 * says something. */
#include "lib/internal.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIALECTS 32
static struct tenterhook_scheme schemes[DIALECTS];
static struct tenterhook_verifier verifiers[2][DIALECTS]; /* the second without a window */
static unsigned count;

static void prepare(void)
{
    for (const char *name; count < DIALECTS && (name = tenterhook_dialect_at(count)); count++) {
        static const char *const secrets[] = {
            "MDEyMzQ1Njc4OWFiY2RlZg==", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"};
        bool ok = tenterhook_scheme_find(name, &schemes[count]) == TENTERHOOK_OK;

        for (unsigned w = 0; w < 2 && ok; w++) {
            ok = false;
            for (unsigned i = 0; i < 3 && !ok; i++) {
                struct tenterhook_span secret = tenterhook_str(secrets[i]);
                ok = tenterhook_verifier_init(&verifiers[w][count], &schemes[count], &secret, 1, NULL) ==
                     TENTERHOOK_OK;
            }
        }
        if (!ok || tenterhook_verifier_window(&verifiers[1][count], 0, 0))
            abort();
    }
}

static struct tenterhook_span line(struct tenterhook_span *rest)
{
    const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct tenterhook_span s = {rest->p, lf ? (size_t)(lf - rest->p) : rest->n};

    rest->p += s.n + (lf != NULL);
    rest->n -= s.n + (lf != NULL);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char scratch[1 << 16];
    struct tenterhook_header h[TENTERHOOK_SOURCES_MAX + 2];
    struct tenterhook_request r = {.headers = h,
                                   .scratch = scratch,
                                   .scratch_len = sizeof scratch,
                                   .url = TENTERHOOK_LIT("https://example.com")};
    struct tenterhook_span rest;
    struct tenterhook_event event;
    const struct tenterhook_scheme *s;
    char *text;
    unsigned which, window;

    if (count == 0)
        prepare();
    if (size == 0)
        return 0;
    which = data[0] / 2 % count;
    window = data[0] & 1;
    s = &schemes[which];
    text = malloc(size);
    memcpy(text, data, size);
    rest = th_lib_of(text + 1, size - 1);
    if (s->auth_header.n)
        h[r.header_count++] = (struct tenterhook_header){s->auth_header, line(&rest)};
    if (s->signature_count)
        h[r.header_count++] = (struct tenterhook_header){s->signature[0].header, line(&rest)};
    for (unsigned i = 0; i < s->source_count; i++)
        h[r.header_count++] = (struct tenterhook_header){s->source[i].header, line(&rest)};
    r.body = rest.p;
    r.body_len = rest.n;
    {
        struct tenterhook_report report = {.detail = NULL};
        enum tenterhook_result result =
            tenterhook_construct_event(&verifiers[window][which], &r, 1700000000, &event, &report);

        if (!report.detail || (result && event.body.p))
            abort();
        /* Nobody guesses a MAC; the secret of an auth header stands in this file, and may be found. */
        if (result == TENTERHOOK_OK && s->signature_count)
            abort();
    }
    free(text);
    return 0;
}
