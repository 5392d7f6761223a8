/* Evaluates a query on a tape, one node at a time: each segment has a frame that remembers where it is, and the last one that has
 * something more goes on. So nothing is collected, and whoever asks only whether there is a node stops at the first.
 *
 * Invariants: (1) each value of the document that is looked at, each operator and each part of a text takes a step, so the work is at
 * most proportional to the steps; (2) a query has one frame for each of its segments, since it is never evaluated inside of itself;
 * (3) nothing is allocated. The recursion follows the query, TH_JSONPATH_NODES at most. */
#include "core/jsonpath/program.h"
#include "lib/json_scan.h"

/* ---- members and elements ---- */

static bool is_named(const struct th_tape *t, uint32_t i, struct th_span name)
{
    return th_json_string_eq(th_tape_name(t, i), name);
}

static uint32_t member(struct th_jsonpath_run *run, uint32_t object, struct th_span name)
{
    const struct th_tape *t = run->tape;
    uint32_t end = th_tape_node(t, object)->next;

    for (uint32_t i = object + 1; i < end; i = th_tape_node(t, i)->next) {
        if (!jp_step(run, 1))
            break;
        if (is_named(t, i, name))
            return i;
    }
    return TH_TAPE_NONE;
}

static bool is_array(const struct th_tape *t, uint32_t i)
{
    return th_tape_value(t, i).type == TH_JSON_ARRAY;
}

static bool is_object(const struct th_tape *t, uint32_t i)
{
    return th_tape_value(t, i).type == TH_JSON_OBJECT;
}

static uint32_t element(struct th_jsonpath_run *run, uint32_t array, int64_t index)
{
    const struct th_tape *t = run->tape;
    uint32_t children = th_tape_node(t, array)->children, i = array + 1;

    if (index < 0)
        index += children;
    if (index < 0 || index >= children)
        return TH_TAPE_NONE;
    for (; index > 0; index--) {
        if (!jp_step(run, 1))
            return TH_TAPE_NONE;
        i = th_tape_node(t, i)->next;
    }
    return i;
}

/* What a name or an index selects. */
static uint32_t one(struct th_jsonpath_run *run, const struct jp_node *s, uint32_t node)
{
    if (!jp_step(run, 1))
        return TH_TAPE_NONE;
    if (s->kind == JP_NAME)
        return is_object(run->tape, node) ? member(run, node, jp_text(run->q, s)) : TH_TAPE_NONE;
    return is_array(run->tape, node) ? element(run, node, s->u.i) : TH_TAPE_NONE;
}

/* ---- selectors ---- */

/* RFC 9535, 2.3.4.2.2: the bounds of a slice of an array of this length, both from below. */
static void slice_bounds(struct th_jsonpath_frame *f, const struct jp_slice *s, int64_t length)
{
    int64_t start = s->has_start   ? s->start
                    : s->step >= 0 ? 0
                                   : length - 1,
            end = s->has_end     ? s->end
                  : s->step >= 0 ? length
                                 : -length - 1;

    start = start >= 0 ? start : length + start;
    end = end >= 0 ? end : length + end;
    f->by = s->step;
    if (s->step >= 0) {
        f->low = start < 0 ? 0 : start > length ? length : start;
        f->high = end < 0 ? 0 : end > length ? length : end;
    } else {
        f->high = start < -1 ? -1 : start > length - 1 ? length - 1 : start;
        f->low = end < -1 ? -1 : end > length - 1 ? length - 1 : end;
    }
}

static void begin_selector(struct th_jsonpath_run *run, struct th_jsonpath_frame *f)
{
    const struct jp_node *s = &run->q->nodes[f->selector];
    const struct th_tape *t = run->tape;
    struct jp_slice slice;

    f->began = 0;
    f->child = f->at + 1;
    f->index = 0;
    if (s->kind != JP_SLICE)
        return;
    f->low = f->high = 0;
    f->by = 1;
    if (!is_array(t, f->at))
        return;
    memcpy(&slice, jp_pool(run->q, s), sizeof slice);
    if (slice.step)
        slice_bounds(f, &slice, th_tape_node(t, f->at)->children);
}

/* The next element of a slice. Forwards it goes on from the last one; backwards it looks from the start each time, and counts that. */
static uint32_t next_of_slice(struct th_jsonpath_run *run, struct th_jsonpath_frame *f)
{
    int64_t index;

    if (f->by > 0) {
        index = f->low;
        if (index >= f->high || !jp_step(run, 1))
            return TH_TAPE_NONE;
        for (; f->index < index; f->index++) {
            if (!jp_step(run, 1))
                return TH_TAPE_NONE;
            f->child = th_tape_node(run->tape, f->child)->next;
        }
        f->low = f->by > f->high - f->low ? f->high : f->low + f->by;
        return f->child;
    }
    index = f->high;
    if (index <= f->low || !jp_step(run, 1))
        return TH_TAPE_NONE;
    f->high = -f->by > f->high - f->low ? f->low : f->high + f->by;
    return element(run, f->at, index);
}

/* The next child of `at` that the selector takes. */
static uint32_t next_child(struct th_jsonpath_run *run, struct th_jsonpath_frame *f, const struct jp_node *s)
{
    uint32_t end = th_tape_node(run->tape, f->at)->next;

    while (f->child < end && jp_step(run, 1)) {
        uint32_t i = f->child;

        f->child = th_tape_node(run->tape, i)->next;
        if (s->kind == JP_WILD || jp_test(run, s->a, i))
            return i;
    }
    return TH_TAPE_NONE;
}

static uint32_t next_of_selector(struct th_jsonpath_run *run, struct th_jsonpath_frame *f)
{
    const struct jp_node *s = &run->q->nodes[f->selector];

    switch (s->kind) {
    case JP_NAME:
    case JP_INDEX:
        if (f->began)
            return TH_TAPE_NONE;
        f->began = 1;
        return one(run, s, f->at);
    case JP_SLICE:
        return next_of_slice(run, f);
    default:
        return next_child(run, f, s);
    }
}

/* ---- segments ---- */

static void enter(struct th_jsonpath_run *run, uint8_t segment, uint8_t before, uint32_t node)
{
    struct th_jsonpath_frame *f = &run->frames[segment];

    f->before = before;
    f->node = f->at = node;
    f->end = run->q->nodes[segment].flags & JP_DESCENDANT ? th_tape_node(run->tape, node)->next : node + 1;
    f->selector = segment;
    begin_selector(run, f);
}

/* The next node that the segment gives for the node that it was entered with. */
static uint32_t next_of_segment(struct th_jsonpath_run *run, uint8_t segment)
{
    struct th_jsonpath_frame *f = &run->frames[segment];

    while (!run->excess) {
        uint32_t found = next_of_selector(run, f);

        if (found != TH_TAPE_NONE)
            return found;
        f->selector = run->q->nodes[f->selector].alt;
        if (!f->selector) {
            if (++f->at >= f->end || !jp_step(run, 1))
                break;
            f->selector = segment;
        }
        begin_selector(run, f);
    }
    return TH_TAPE_NONE;
}

/* A query's frame: `selector` is the segment that goes on next, 0: the end; `node` where it begins. */
static void query_begin(struct th_jsonpath_run *run, uint8_t query, uint32_t current)
{
    struct th_jsonpath_frame *f = &run->frames[query];
    const struct jp_node *n = &run->q->nodes[query];

    f->node = n->flags & JP_CURRENT ? current : run->root;
    f->selector = n->a;
    f->began = !n->a; /* without segments: the node itself, once */
    if (n->a)
        enter(run, n->a, 0, f->node);
}

static uint32_t query_next(struct th_jsonpath_run *run, uint8_t query)
{
    struct th_jsonpath_frame *f = &run->frames[query];

    if (f->began) {
        f->began = 0;
        return jp_step(run, 1) ? f->node : TH_TAPE_NONE;
    }
    while (f->selector) {
        uint32_t found = next_of_segment(run, f->selector);
        uint8_t next = run->q->nodes[f->selector].next;

        if (run->excess)
            break;
        if (found == TH_TAPE_NONE) {
            f->selector = run->frames[f->selector].before;
        } else if (next) {
            enter(run, next, f->selector, found);
            f->selector = next;
        } else {
            return found;
        }
    }
    return TH_TAPE_NONE;
}

/* ---- values and conditions ---- */

uint32_t jp_first(struct th_jsonpath_run *run, uint8_t query, uint32_t current)
{
    const struct jp_node *n = &run->q->nodes[query];
    uint32_t node = n->flags & JP_CURRENT ? current : run->root;

    if (n->flags & JP_SINGULAR) {
        for (uint8_t s = n->a; s && node != TH_TAPE_NONE; s = run->q->nodes[s].next)
            node = one(run, &run->q->nodes[s], node);
        return node;
    }
    query_begin(run, query, current);
    return query_next(run, query);
}

static void set_node(const struct th_tape *t, uint32_t node, struct jp_value *out)
{
    struct th_json v = th_tape_value(t, node);

    out->what = JP_NODE;
    out->node = node;
    out->type = v.type;
    out->text = v.raw;
}

static void set_count(uint32_t n, struct jp_value *out)
{
    char *end = out->digits + sizeof out->digits, *p = th_decimal_before(end, n);

    out->what = JP_SCALAR;
    out->type = TH_JSON_NUMBER;
    out->text = th_span(p, (size_t)(end - p));
}

static void length(struct th_jsonpath_run *run, const struct jp_value *v, struct jp_value *out)
{
    struct th_characters in;
    uint32_t n = 0, c;

    out->what = JP_NOTHING;
    if (jp_characters(run->tape, v, &in)) {
        while (th_characters_next(&in, &c))
            if (n++ % 64 == 63 && !jp_step(run, 1))
                return;
        set_count(n, out);
    } else if (v->what == JP_NODE && (v->type == TH_JSON_ARRAY || v->type == TH_JSON_OBJECT)) {
        set_count(th_tape_node(run->tape, v->node)->children, out);
    }
}

static void scalar(const struct th_jsonpath *q, const struct jp_node *n, enum th_json_type type,
                   struct jp_value *out)
{
    out->what = JP_SCALAR;
    out->type = type;
    out->text = type == TH_JSON_STRING || type == TH_JSON_NUMBER ? jp_text(q, n) : th_span("", 0);
}

static void value_of(struct th_jsonpath_run *run, uint8_t value, uint32_t current, struct jp_value *out)
{
    const struct jp_node *n = &run->q->nodes[value];
    struct jp_value of;
    uint32_t node, count = 0;

    out->what = JP_NOTHING;
    if (!jp_step(run, 1))
        return;
    switch (n->kind) {
    case JP_STRING:
        scalar(run->q, n, TH_JSON_STRING, out);
        break;
    case JP_NUMBER:
        scalar(run->q, n, TH_JSON_NUMBER, out);
        break;
    case JP_TRUE:
        scalar(run->q, n, TH_JSON_TRUE, out);
        break;
    case JP_FALSE:
        scalar(run->q, n, TH_JSON_FALSE, out);
        break;
    case JP_NULL:
        scalar(run->q, n, TH_JSON_NULL, out);
        break;
    case JP_LENGTH:
        value_of(run, n->a, current, &of);
        length(run, &of, out);
        break;
    case JP_COUNT:
        for (query_begin(run, n->a, current); query_next(run, n->a) != TH_TAPE_NONE;)
            count++;
        set_count(count, out);
        break;
    case JP_VALUE:
        query_begin(run, n->a, current);
        node = query_next(run, n->a);
        if (node != TH_TAPE_NONE && query_next(run, n->a) == TH_TAPE_NONE)
            set_node(run->tape, node, out);
        break;
    default:
        node = jp_first(run, value, current);
        if (node != TH_TAPE_NONE)
            set_node(run->tape, node, out);
    }
}

/* A pattern that stands in the document. What is no I-Regexp matches nothing (RFC 9535, 2.4.6); what is longer than allowed is not
 * looked at. */
static bool match_computed(struct th_jsonpath_run *run, const struct jp_value *value,
                           struct th_characters *text, bool anywhere)
{
    struct th_characters in;
    struct th_iregexp re;
    char pattern[TH_IREGEXP_BYTES + 4];
    size_t n = 0;
    uint32_t c;

    if (!jp_characters(run->tape, value, &in))
        return false;
    while (th_characters_next(&in, &c)) {
        n += th_utf8_write(c, pattern + n);
        if (n > TH_IREGEXP_BYTES) {
            run->steps = 0;
            run->excess = true;
            return false;
        }
    }
    return jp_step(run, (uint32_t)n) && th_iregexp_compile(th_span(pattern, n), &re, NULL) &&
           jp_step(run, re.count / 8) &&
           th_iregexp_match(re.slots, re.count, th_characters_next, text, anywhere, &run->steps);
}

static bool match(struct th_jsonpath_run *run, const struct jp_node *n, uint32_t current)
{
    const struct jp_node *p = &run->q->nodes[n->b];
    struct jp_value value, pattern;
    struct th_characters text;
    bool anywhere = n->kind == JP_SEARCH, answer;

    value_of(run, n->a, current, &value);
    if (!(p->flags & JP_COMPILED))
        value_of(run, n->b, current, &pattern);
    if (run->excess || !jp_characters(run->tape, &value, &text))
        return false;
    if (p->flags & JP_COMPILED) {
        struct th_span slots = jp_text(run->q, p);

        answer = th_iregexp_match((const struct th_iregexp_slot *)(const void *)slots.p,
                                  (uint32_t)(slots.n / sizeof(struct th_iregexp_slot)), th_characters_next,
                                  &text, anywhere, &run->steps);
    } else {
        answer = match_computed(run, &pattern, &text, anywhere);
    }
    if (!run->steps)
        run->excess = true;
    return answer;
}

bool jp_test(struct th_jsonpath_run *run, uint8_t expression, uint32_t current)
{
    const struct jp_node *n = &run->q->nodes[expression];
    struct jp_value a, b;

    if (!jp_step(run, 1))
        return false;
    switch (n->kind) {
    case JP_OR:
        return jp_test(run, n->a, current) || jp_test(run, n->b, current);
    case JP_AND:
        return jp_test(run, n->a, current) && jp_test(run, n->b, current);
    case JP_NOT:
        return !jp_test(run, n->a, current) && !run->excess;
    case JP_COMPARE:
        value_of(run, n->a, current, &a);
        value_of(run, n->b, current, &b);
        return jp_compare(run, (enum jp_op)n->op, &a, &b);
    case JP_MATCH:
    case JP_SEARCH:
        return match(run, n, current);
    default:
        return jp_first(run, expression, current) != TH_TAPE_NONE;
    }
}

/* ---- all of it ---- */

void th_jsonpath_begin(struct th_jsonpath_run *run, const struct th_jsonpath *q, const struct th_tape *tape,
                       uint32_t root, uint32_t steps)
{
    run->q = q;
    run->tape = tape;
    run->root = root;
    run->steps = steps;
    run->excess = false;
    query_begin(run, 0, root);
}

uint32_t th_jsonpath_next(struct th_jsonpath_run *run)
{
    return query_next(run, 0);
}
