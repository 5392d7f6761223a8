/* Bodies from anybody who knows the secret, in each built-in dialect's envelope: the JSON scanner, members,
 * strings. The spans of an accepted event lie in the body, the headers or the event. */
#include "lib/internal.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct tenterhook_span s, const void *p, size_t n)
{
    return s.n == 0 || ((const char *)p <= s.p && s.p + s.n <= (const char *)p + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tenterhook_scheme schemes[32];
    static unsigned count;
    struct tenterhook_span secret = TENTERHOOK_LIT("MDEyMzQ1Njc4OWFiY2RlZg=="), body, value;
    struct tenterhook_scheme *s;
    struct tenterhook_verifier v;
    struct tenterhook_event e;
    struct tenterhook_header h = {{NULL, 0}, TENTERHOOK_LIT("MDEyMzQ1Njc4OWFiY2RlZg==")};
    struct tenterhook_request r = {.headers = &h, .header_count = 1};
    char *text, out[64];
    size_t n;

    for (const char *name; count < 32 && (name = tenterhook_dialect_at(count)); count++)
        if (tenterhook_scheme_find(name, &schemes[count]))
            abort();
    if (size == 0)
        return 0;
    /* The envelope of a dialect behind a bare secret: what is tried here is the body. */
    s = &schemes[data[0] % count];
    s->signature_count = s->source_count = 0;
    s->auth_header = h.name = tenterhook_str("a");
    s->auth_value = tenterhook_str("{secret}");
    if (tenterhook_verifier_init(&v, s, &secret, 1, NULL))
        abort();
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    body = th_lib_of(text, size - 1);
    r.body = body.p;
    r.body_len = body.n;
    if (tenterhook_construct_event(&v, &r, 0, &e, NULL) == TENTERHOOK_OK) {
        const struct tenterhook_span spans[] = {e.id,          e.type,        e.resource_type,
                                                e.resource_id, e.endpoint_id, e.delivery_id};

        if (!lies_in(e.data, text, size - 1))
            abort();
        for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
            if (!lies_in(spans[i], text, size - 1) && !lies_in(spans[i], e.text, sizeof e.text) &&
                !lies_in(spans[i], s->catalogue.p, s->catalogue.n))
                abort();
    }
    if (tenterhook_member(body, "id", &value) && !lies_in(value, text, size - 1))
        abort();
    if (tenterhook_string(body, out, sizeof out, &n) && (n >= sizeof out || out[n]))
        abort();
    free(text);
    return 0;
}
