/* JSONPath as a program, so that a test can compare it with other implementations.
 *
 * usage: jsonpath
 * Each line of standard input is a JSON array of a query and a document. Each line of standard output is the array of what was found,
 * or an object: {"fault": "reason"} for a query that is refused, {"excess": true} where the steps did not suffice.
 *
 * Exit status 0 at the end of input; 1 when a line is none of these, or memory fails. */
#include "core/jsonpath/jsonpath.h"
#include <stdio.h>
#include <stdlib.h>

static void write_nodes(const struct th_jsonpath *q, const struct th_tape *tape)
{
    struct th_jsonpath_run run;
    struct th_buf out;
    uint32_t i;

    th_buf_init(&out, 1u << 26);
    th_jsonpath_begin(&run, q, tape, 0, TH_JSONPATH_STEPS);
    while ((i = th_jsonpath_next(&run)) != TH_TAPE_NONE) {
        th_buf_char(&out, out.n ? ',' : '[');
        th_buf_span(&out, th_tape_value(tape, i).raw);
    }
    if (run.excess)
        puts("{\"excess\":true}");
    else
        printf("%s]\n", out.n ? th_buf_cstr(&out) : "[");
    th_buf_fini(&out);
}

static void write_fault(const struct th_jsonpath_fault *fault)
{
    struct th_buf out;
    struct th_jw w;

    th_buf_init(&out, 4096);
    w = th_jw(&out);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("fault"));
    th_jw_string(&w, th_str(fault->what));
    th_jw_end_object(&w);
    printf("%s\n", th_buf_cstr(&out));
    th_buf_fini(&out);
}

static bool answer(struct th_span line)
{
    struct th_json root, query, document;
    struct th_json_iter it;
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    struct th_buf text;
    struct th_arena mem;
    struct th_tape tape;
    bool ok;

    if (th_json_parse(line, TH_JSON_DEPTH_MAX, &root, NULL))
        return false;
    th_json_iter(&it, root);
    if (!th_json_next(&it, NULL, &query) || !th_json_next(&it, NULL, &document))
        return false;
    th_buf_init(&text, 1 << 16);
    th_arena_init(&mem, TH_JSONPATH_COMPILED);
    th_tape_init(&tape);
    ok = th_json_string(query, &text) && th_tape_read(&tape, document.raw) == TH_OK;
    if (ok && th_jsonpath_compile(th_buf_view(&text), &mem, &q, &fault))
        write_fault(&fault);
    else if (ok)
        write_nodes(q, &tape);
    th_tape_fini(&tape);
    th_arena_fini(&mem);
    th_buf_fini(&text);
    return ok;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    bool ok = true;

    while (ok && (n = getline(&line, &cap, stdin)) > 0)
        ok = answer(th_span(line, (size_t)n));
    free(line);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
