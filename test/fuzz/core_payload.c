/* Templates on any JSON and any event (a line feed between them): no crash, no read past the end. What is refused says why; what is
 * compiled renders to valid JSON within its limits, the same from a copy. */
#include "core/jsonpath/payload.h"
#include "fuzz.h"

#define BODY_MAX 20000

static void render(const struct th_payload *p, const struct th_tape *tape, struct th_arena *mem)
{
    struct th_buf body, again;
    struct th_json root;
    const struct th_payload *copy = th_payload_copy(p, mem);
    enum th_error error;

    th_buf_init(&body, 1 << 20);
    th_buf_init(&again, 1 << 20);
    error = th_payload_render(p, tape, 0, BODY_MAX, &body);
    must(error == TH_OK || error == TH_TOO_LARGE);
    must(copy && th_payload_render(copy, tape, 0, BODY_MAX, &again) == error);
    if (!error) {
        must(body.n <= BODY_MAX && th_json_read(th_buf_view(&body), TH_JSON_DEPTH_MAX, &root, NULL));
        must(th_span_eq(th_buf_view(&body), th_buf_view(&again)));
    }
    th_buf_fini(&body);
    th_buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes text = fuzz_line(&f), event = fuzz_rest(&f);
    struct th_payload_fault fault;
    const struct th_payload *p;
    struct th_arena mem;
    struct th_tape tape;
    struct th_json root, of;
    enum th_error error;

    th_arena_init(&mem, 4 * TH_PAYLOAD_COMPILED);
    th_tape_init(&tape);
    if (th_json_read(th_span(text.p, text.n), TH_JSON_DEPTH, &root, NULL)) {
        fault.what[0] = fault.pointer[0] = 0;
        error = th_payload_compile(root, &mem, &p, &fault);
        must(error == TH_OK || (error == TH_MALFORMED && fault.what[0]));
        if (!error) {
            must(th_payload_size(p) <= TH_PAYLOAD_COMPILED);
            if (th_json_read(th_span(event.p, event.n), TH_JSON_DEPTH, &of, NULL) &&
                th_tape_read(&tape, of.raw) == TH_OK)
                render(p, &tape, &mem);
        }
    }
    th_tape_fini(&tape);
    th_arena_fini(&mem);
    fuzz_end(&f);
    return 0;
}
