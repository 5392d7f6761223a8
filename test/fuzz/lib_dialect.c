/* Dialect texts from anybody: the YAML walker, the scheme reader, and a verifier from what they accept. What
 * is accepted must also sign what it verifies. */
#include "lib/internal.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char body[] = "{\"id\":\"e\",\"type\":\"t.u\",\"data\":{\"id\":1}}";
    static char scratch[4096], value[4096];
    struct tenterhook_scheme s;
    struct tenterhook_fault fault = {0, NULL};
    struct tenterhook_verifier v;
    struct tenterhook_span secrets[] = {TENTERHOOK_LIT("MDEyMzQ1Njc4OWFiY2RlZg=="),
                                        TENTERHOOK_LIT("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")};
    struct tenterhook_message m = {
        .body = TENTERHOOK_LIT(body), .ts = 1700000000, .scratch = scratch, .scratch_len = sizeof scratch};
    char *text = malloc(size ? size : 1); /* of exactly its size, so that one byte too far is seen */
    size_t n;

    memcpy(text, data, size);
    if (tenterhook_scheme_read(text, size, &s, &fault)) {
        if (!fault.what)
            abort();
        free(text);
        return 0;
    }
    th_lib_resource(s.catalogue, tenterhook_str("t.u"));
    m.event_id = m.event_type = m.event_time = m.delivery_id = m.endpoint_id = m.endpoint_url =
        m.attempt_number = m.resource_type = m.resource_id = tenterhook_str("x");
    for (unsigned i = 0; i < 2; i++)
        if (tenterhook_verifier_init(&v, &s, &secrets[i], 1, &fault) == TENTERHOOK_OK &&
            tenterhook_sign(&s, 0, &secrets[i], 1, &m, value, sizeof value, &n) == TENTERHOOK_OK) {
            struct tenterhook_header h = {s.signature_count ? s.signature[0].header : s.auth_header,
                                          {value, n}};
            struct tenterhook_request r = {.headers = &h,
                                           .header_count = 1,
                                           .body = body,
                                           .body_len = sizeof body - 1,
                                           .scratch = scratch,
                                           .scratch_len = sizeof scratch};
            struct tenterhook_event event;

            (void)!tenterhook_construct_event(&v, &r, m.ts, &event, NULL);
        }
    free(text);
    return 0;
}
