/* JSON Schema on any schema and any value (a line feed between them): no crash, no read past the end. What is refused says why; what is
 * compiled answers within its steps, the same each time, and what it finds has a place in the value. */
#include "core/schema/schema.h"
#include "fuzz.h"

#define STEPS 3000

static void check(const struct th_schema *s, const struct th_tape *tape)
{
    uint32_t steps = STEPS, again = STEPS;
    struct th_schema_why why = {.count = 0};
    enum th_schema_answer answer = th_schema_check(s, tape, 0, &steps, &why);

    must(steps <= STEPS && why.count <= TH_SCHEMA_FOUND);
    must(answer == TH_SCHEMA_EXCESS || (why.count == 0) == (answer == TH_SCHEMA_VALID));
    for (unsigned i = 0; i < why.count; i++)
        must((!why.found[i].pointer[0] || why.found[i].pointer[0] == '/') && why.found[i].what[0]);
    /* without reasons it may stop earlier, but says the same */
    if (answer != TH_SCHEMA_EXCESS)
        must(th_schema_check(s, tape, 0, &again, NULL) == answer && again >= steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes text = fuzz_line(&f), value = fuzz_rest(&f);
    struct th_schema_fault fault = {{0}, {0}};
    struct th_schema *s;
    struct th_tape tape;
    struct th_json of;
    enum th_error error = th_schema_compile(th_span(text.p, text.n), NULL, 0, &s, &fault);

    must(error == TH_OK || (error == TH_MALFORMED && fault.what[0]));
    if (!error) {
        th_tape_init(&tape);
        if (th_json_read(th_span(value.p, value.n), TH_JSON_DEPTH, &of, NULL) &&
            th_tape_read(&tape, of.raw) == TH_OK)
            check(s, &tape);
        th_tape_fini(&tape);
        th_schema_unref(s);
    }
    fuzz_end(&f);
    return 0;
}
