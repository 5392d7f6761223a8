/* Dialect files of any bytes: compiled or refused with a reason, never a crash; what compiles can be shown as
 * JSON. */
#include "fuzz.h"
#include "options/dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_dialect *d = NULL;
    char why[512] = "";
    struct th_buf out;
    struct th_jw w = th_jw(&out);
    struct th_json root;

    if (th_dialect_load("fuzz.yaml", TH_LIT("fuzz"), th_span(data, size), &d, why, sizeof why) != TH_OK) {
        must(why[0] && !d);
        return 0;
    }
    th_buf_init(&out, 1 << 22);
    th_dialect_show(d, &w);
    must(!out.failed && th_json_parse(th_buf_view(&out), TH_JSON_DEPTH, &root, NULL) == TH_OK);
    th_buf_fini(&out);
    th_dialect_free(d);
    return 0;
}
