/* Retry-After and Date of any bytes: a wait within the type's range, and the same for the same moment. Input:
 * the clock in hours, two bytes; Date, a line; Retry-After. */
#include "fuzz.h"
#include "net/http_client_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct th_http1_head head; /* large */
    struct fuzz f = fuzz_begin(data, size);
    int64_t hours = (int64_t)fuzz_byte(&f) << 8;
    struct fuzz_bytes date, after;
    uint32_t wait;

    hours = (hours | fuzz_byte(&f)) * 24;
    date = fuzz_line(&f);
    after = fuzz_rest(&f);
    head.field_count = 0;
    head.fields[head.field_count++] =
        (struct th_http1_field){.name = TH_LIT("Retry-After"), .value = th_span(after.p, after.n)};
    if (date.n)
        head.fields[head.field_count++] =
            (struct th_http1_field){.name = TH_LIT("Date"), .value = th_span(date.p, date.n)};
    wait = th_http_retry_after(&head, hours * 3600);
    must(wait == th_http_retry_after(&head, hours * 3600));
    must(after.n || wait == UINT32_MAX);
    fuzz_end(&f);
    return 0;
}
