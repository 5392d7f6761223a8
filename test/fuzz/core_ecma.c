/* The ECMAScript writer on any bytes: what is JSON becomes JSON that is its own spelling (writing it again
 * changes nothing and warns of the same number of values); what is not is refused. */
#include "core/shape.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void hear(void *ctx, struct th_span pointer)
{
    unsigned *count = ctx;

    must(pointer.n == 0 || pointer.p[0] == '/');
    ++*count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_buf once, twice;
    struct th_json root;
    unsigned first = 0, second = 0;
    enum th_error error;

    th_buf_init(&once, 1 << 24);
    th_buf_init(&twice, 1 << 24);
    error = th_ecma_write(th_span(data, size), &once, hear, &first);
    must((error == TH_OK) == (th_json_parse(th_span(data, size), TH_JSON_DEPTH_MAX, &root, NULL) == TH_OK));
    if (error == TH_OK) {
        must(th_ecma_write(th_buf_view(&once), &twice, hear, &second) == TH_OK);
        must(th_span_eq(th_buf_view(&once), th_buf_view(&twice)) && first == second);
    }
    th_buf_fini(&once);
    th_buf_fini(&twice);
    return 0;
}
