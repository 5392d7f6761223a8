/* Comparisons of JSONPath (RFC 9535, 2.3.5.2.2); what equal and less mean is in value.c. */
#include "core/jsonpath/program.h"

bool jp_characters(const struct th_tape *tape, const struct jp_value *v, struct th_characters *out)
{
    if (v->what == JP_NOTHING || v->type != TH_JSON_STRING)
        return false;
    if (v->what == JP_NODE)
        *out = th_characters_of(th_tape_value(tape, v->node));
    else
        *out = (struct th_characters){v->text.p, v->text.p + v->text.n, false};
    return true;
}

static bool equal(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    struct th_work w = {&run->steps, &run->excess};
    struct th_characters x, y;

    if (a->what == JP_NOTHING || b->what == JP_NOTHING)
        return a->what == b->what;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case TH_JSON_ARRAY:
    case TH_JSON_OBJECT: /* only nodes are arrays or objects */
        return th_tape_equal(w, run->tape, a->node, run->tape, b->node);
    case TH_JSON_NUMBER:
        return jp_step(run, (uint32_t)((a->text.n + b->text.n) / 256)) &&
               th_number_compare(a->text, b->text) == 0;
    case TH_JSON_STRING:
        return jp_characters(run->tape, a, &x) && jp_characters(run->tape, b, &y) && th_texts_equal(w, x, y);
    default:
        return true;
    }
}

static bool less(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    struct th_characters x, y;

    if (a->what == JP_NOTHING || b->what == JP_NOTHING || a->type != b->type)
        return false;
    if (a->type == TH_JSON_NUMBER)
        return jp_step(run, (uint32_t)((a->text.n + b->text.n) / 256)) &&
               th_number_compare(a->text, b->text) < 0;
    return jp_characters(run->tape, a, &x) && jp_characters(run->tape, b, &y) &&
           th_texts_compare((struct th_work){&run->steps, &run->excess}, x, y) < 0;
}

bool jp_compare(struct th_jsonpath_run *run, enum jp_op op, const struct jp_value *a,
                const struct jp_value *b)
{
    bool answer = false;

    switch (op) {
    case JP_EQ:
        answer = equal(run, a, b);
        break;
    case JP_NE:
        answer = !equal(run, a, b);
        break;
    case JP_LT:
        answer = less(run, a, b);
        break;
    case JP_LE:
        answer = less(run, a, b) || equal(run, a, b);
        break;
    case JP_GT:
        answer = less(run, b, a);
        break;
    case JP_GE:
        answer = less(run, b, a) || equal(run, a, b);
        break;
    }
    return answer && !run->excess;
}
