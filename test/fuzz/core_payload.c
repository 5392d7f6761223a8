/* Templates on any JSON and any event (a line feed between them): no crash, no read past the end. What is refused says why; what is
 * compiled renders to valid JSON within its limits, the same from a copy. */
#include "core/jsonpath/form.h"
#include "core/jsonpath/payload.h"
#include "fuzz.h"

#define BODY_MAX 20000

/* Whatever comes out can be written as a form, of characters that forms have. */
static void as_form(struct th_span json)
{
    struct th_tape tape;
    struct th_buf out;
    enum th_error error;

    th_tape_init(&tape);
    th_buf_init(&out, 1 << 24);
    must(th_tape_read(&tape, json) == TH_OK);
    error = th_form_write(&tape, 0, 8 * BODY_MAX, &out);
    must(error == TH_OK || error == TH_TOO_LARGE);
    for (size_t i = 0; i < out.n; i++)
        must(out.p[i] > ' ' && !strchr("[]\"#<>", out.p[i]));
    th_tape_fini(&tape);
    th_buf_fini(&out);
}

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
        as_form(th_buf_view(&body));
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
