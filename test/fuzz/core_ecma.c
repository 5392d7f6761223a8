/* The ECMAScript writer on any bytes: what is JSON becomes JSON that is its own spelling (writing it again
 * changes nothing and leaves the same number of values inexact); what is not is read no further than its end. */
#include "core/ecma.h"
#include "fuzz.h"

static void hear(void *ctx, struct th_span pointer)
{
    unsigned *count = ctx;

    must(pointer.n == 0 || pointer.p[0] == '/');
    ++*count;
}

/* How many values were left inexact. */
static unsigned write_json(struct th_json v, struct th_buf *out)
{
    unsigned count = 0;
    bool inexact;

    must(th_ecma_write(v, out, &inexact) == TH_OK);
    must(th_ecma_inexact(th_buf_view(out), hear, &count) == TH_OK);
    must(inexact || count == 0);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_span text = th_span(data, size);
    struct th_buf once, twice;
    struct th_json root;

    th_buf_init(&once, 1 << 24);
    th_buf_init(&twice, 1 << 24);
    if (th_json_parse(text, TH_JSON_DEPTH_MAX, &root, NULL) == TH_OK) {
        unsigned first = write_json(root, &once), second;
        must(th_json_parse(th_buf_view(&once), TH_JSON_DEPTH_MAX, &root, NULL) == TH_OK);
        second = write_json(root, &twice);
        must(th_span_eq(th_buf_view(&once), th_buf_view(&twice)) && first == second);
    } else if (th_ecma_write(th_json_of(text), &once, NULL)) {
        th_buf_reset(&once);
    }
    th_buf_fini(&once);
    th_buf_fini(&twice);
    return 0;
}
