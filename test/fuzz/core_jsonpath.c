/* JSONPath on any text and any document (a line feed between them): no crash, no read past the end. What is refused has a place inside
 * the text; what is compiled can be copied, finds nodes of the document alone, gives the same answer with as many steps as it took, and
 * where it has a key, finds nothing in an event that does not have it. */
#include "core/jsonpath/jsonpath.h"
#include "fuzz.h"

#define STEPS 3000

static void evaluate(const struct th_jsonpath *q, const struct th_tape *tape, struct th_arena *mem)
{
    struct th_jsonpath_why why;
    struct th_jsonpath_run run;
    struct th_buf path;
    uint32_t i, n = 0, steps = STEPS, used;
    uint64_t wanted, there = 0;
    enum th_jsonpath_answer answer = th_jsonpath_test(q, tape, 0, &steps);
    bool keyed;

    used = STEPS - steps;
    th_jsonpath_begin(&run, q, tape, 0, STEPS);
    while ((i = th_jsonpath_next(&run)) != TH_TAPE_NONE) {
        must(i < th_tape_count(tape));
        n++;
    }
    must(n <= STEPS);
    if (answer != TH_JSONPATH_EXCESS) {
        const struct th_jsonpath *copy = th_jsonpath_copy(q, mem);

        must(run.excess || (n > 0) == (answer == TH_JSONPATH_YES));
        steps = used + 1;
        must(copy && th_jsonpath_test(copy, tape, 0, &steps) == answer);
    }
    th_buf_init(&path, 1 << 16);
    keyed = th_jsonpath_key(q, &path, &wanted);
    if (keyed && answer == TH_JSONPATH_YES) {
        bool found = false;

        for (i = 1; i < th_tape_node(tape, 0)->next; i = th_tape_node(tape, i)->next)
            found |= th_jsonpath_key_find(th_buf_view(&path), tape, i, &there) && there == wanted;
        must(found);
    }
    th_buf_fini(&path);
    if (th_tape_count(tape) > 1)
        (void)th_jsonpath_explain(q, tape, 0, 1, &why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes text = fuzz_line(&f), document = fuzz_rest(&f);
    struct th_jsonpath_fault fault = {0};
    const struct th_jsonpath *q;
    struct th_arena mem;
    struct th_tape tape;
    struct th_json root;
    enum th_error error;

    th_arena_init(&mem, 4 * TH_JSONPATH_COMPILED);
    th_tape_init(&tape);
    error = th_jsonpath_compile(th_span(text.p, text.n), &mem, &q, &fault);
    if (error) {
        must(error == TH_MALFORMED && fault.at >= 1 && fault.at <= text.n + 1 && fault.what[0]);
    } else {
        must(th_jsonpath_size(q) <= TH_JSONPATH_COMPILED);
        if (th_json_read(th_span(document.p, document.n), TH_JSON_DEPTH, &root, NULL) &&
            th_tape_read(&tape, root.raw) == TH_OK)
            evaluate(q, &tape, &mem);
    }
    if (document.n && th_tape_read(&tape, th_span(document.p, document.n)) == TH_OK) /* whatever it is */
        must(th_tape_node(&tape, 0)->next == th_tape_count(&tape));
    th_tape_fini(&tape);
    th_arena_fini(&mem);
    fuzz_end(&f);
    return 0;
}
