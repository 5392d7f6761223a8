/* What is known of a query $[?A && B ...] without the rest of it: whether it can be true (its key, for an index and for a quick no), and
 * why it is not. */
#include "base/map.h"
#include "core/jsonpath/program.h"
#include "lib/json_scan.h"

/* The expression of $[?...]; 0: another form. */
static uint8_t only_filter(const struct th_jsonpath *q)
{
    const struct jp_node *s = &q->nodes[q->nodes[0].a];

    if (!q->nodes[0].a || s->kind != JP_FILTER || s->next || s->alt || s->flags & JP_DESCENDANT)
        return 0;
    return s->a;
}

/* The terms A, B of node 0's $[?A && B]; returns how many, 0: another form. "A && B && C" is a pair of a pair and C. */
static unsigned terms_of(const struct th_jsonpath *q, uint8_t *terms, unsigned max)
{
    uint8_t i = only_filter(q), todo[TH_JSONPATH_NODES];
    unsigned n = 0, waiting = 0;

    if (!i)
        return 0;
    for (todo[waiting++] = i; waiting;) {
        i = todo[--waiting];
        if (q->nodes[i].kind == JP_AND) {
            todo[waiting++] = q->nodes[i].b;
            todo[waiting++] = q->nodes[i].a;
        } else if (n < max) {
            terms[n++] = i;
        }
    }
    return n;
}

/* ---- the key ---- */

static bool is_literal(const struct jp_node *n)
{
    return n->kind == JP_STRING || n->kind == JP_NUMBER || n->kind == JP_TRUE || n->kind == JP_FALSE ||
           n->kind == JP_NULL;
}

/* Names alone, below the current node. */
static bool is_plain_path(const struct th_jsonpath *q, const struct jp_node *n)
{
    if (n->kind != JP_QUERY || !(n->flags & JP_CURRENT) || !(n->flags & JP_SINGULAR) || !n->a)
        return false;
    for (uint8_t s = n->a; s; s = q->nodes[s].next)
        if (q->nodes[s].kind != JP_NAME)
            return false;
    return true;
}

/* Of a term "path == value", in either order. */
static bool equality(const struct th_jsonpath *q, uint8_t term, uint8_t *path, uint8_t *value)
{
    const struct jp_node *n = &q->nodes[term];

    if (n->kind != JP_COMPARE || n->op != JP_EQ)
        return false;
    *path = n->a;
    *value = n->b;
    if (is_literal(&q->nodes[*path])) {
        *path = n->b;
        *value = n->a;
    }
    return is_plain_path(q, &q->nodes[*path]) && is_literal(&q->nodes[*value]);
}

/* How well a term tells events apart: one of a type or with a word less than one of a text or number in the data. */
static unsigned worth(const struct th_jsonpath *q, uint8_t path, uint8_t value)
{
    bool type = th_span_is(jp_text(q, &q->nodes[q->nodes[path].a]), "type");
    bool scalar = q->nodes[value].kind == JP_STRING || q->nodes[value].kind == JP_NUMBER;

    return (type ? 1u : 2u) + (scalar ? 2u : 0u);
}

void jp_key_choose(struct th_jsonpath *q)
{
    uint8_t terms[TH_JSONPATH_NODES];
    unsigned n = terms_of(q, terms, TH_JSONPATH_NODES), best = 0;
    struct jp_node *root = &q->nodes[0];

    root->key_term = 0;
    for (unsigned i = 0; i < n; i++) {
        uint8_t path, value;

        if (equality(q, terms[i], &path, &value) && worth(q, path, value) > best) {
            best = worth(q, path, value);
            root->key_term = terms[i];
            root->key_path = path;
            root->key_value = value;
        }
    }
}

#define SEED 0x51ed270b27b4f3cfu

static uint64_t hash_value(struct th_json v)
{
    char text[256], bytes[4];
    struct th_span in;
    const char *p, *end;
    uint64_t h = SEED;
    size_t n = 0;

    if (v.type == TH_JSON_NUMBER)
        return th_number_hash(v.raw);
    if (v.type != TH_JSON_STRING)
        return v.type;
    in = th_json_inside(v);
    if (!memchr(in.p, '\\', in.n))
        return th_hash(in, SEED);
    for (p = in.p, end = in.p + in.n; p < end;) { /* as without escapes, where it fits */
        size_t k = th_json_character(&p, end, bytes);

        if (n + k > sizeof text)
            return 0;
        memcpy(text + n, bytes, k);
        n += k;
    }
    return th_hash(th_span(text, n), h);
}

static uint64_t hash_literal(const struct th_jsonpath *q, const struct jp_node *n)
{
    switch (n->kind) {
    case JP_STRING:
        return th_hash(jp_text(q, n), SEED);
    case JP_NUMBER:
        return th_number_hash(jp_text(q, n));
    case JP_TRUE:
        return TH_JSON_TRUE;
    case JP_FALSE:
        return TH_JSON_FALSE;
    default:
        return TH_JSON_NULL;
    }
}

/* A path is written as its names, each behind its length (two bytes). */
bool th_jsonpath_key(const struct th_jsonpath *q, struct th_buf *path, uint64_t *value)
{
    const struct jp_node *root = &q->nodes[0], *v = &q->nodes[root->key_value];

    if (!root->key_term)
        return false;
    if (v->kind == JP_STRING && jp_text(q, v).n > 256)
        return false; /* of a text with escapes that is as long, no number is made */
    for (uint8_t s = q->nodes[root->key_path].a; s; s = q->nodes[s].next) {
        struct th_span name = jp_text(q, &q->nodes[s]);
        uint16_t n = (uint16_t)name.n;

        th_buf_add(path, &n, sizeof n);
        th_buf_span(path, name);
    }
    *value = hash_literal(q, v);
    return !path->failed;
}

uint64_t th_jsonpath_number(struct th_json v)
{
    return v.type == TH_JSON_ARRAY || v.type == TH_JSON_OBJECT ? th_hash(v.raw, SEED) : hash_value(v);
}

bool th_jsonpath_key_find(struct th_span path, const struct th_tape *tape, uint32_t node, uint64_t *value)
{
    struct th_json v;

    while (path.n) {
        uint32_t end = th_tape_node(tape, node)->next, i = node + 1;
        struct th_span name;
        uint16_t n;

        memcpy(&n, path.p, sizeof n);
        name = th_span(path.p + sizeof n, n);
        path = th_span(name.p + n, path.n - sizeof n - n);
        if (th_tape_value(tape, node).type != TH_JSON_OBJECT)
            return false;
        while (i < end && !th_json_string_eq(th_tape_name(tape, i), name))
            i = th_tape_node(tape, i)->next;
        if (i >= end)
            return false;
        node = i;
    }
    v = th_tape_value(tape, node);
    if (v.type == TH_JSON_ARRAY || v.type == TH_JSON_OBJECT)
        return false;
    *value = hash_value(v);
    return true;
}

enum th_jsonpath_answer th_jsonpath_test(const struct th_jsonpath *q, const struct th_tape *tape,
                                         uint32_t root, uint32_t *steps)
{
    struct th_jsonpath_run run;
    uint8_t term = q->nodes[0].key_term;
    bool found;

    th_jsonpath_begin(&run, q, tape, root, *steps);
    if (term) {
        bool possible = false;
        uint32_t end = th_tape_node(tape, root)->next;

        for (uint32_t i = root + 1; i < end && !possible; i = th_tape_node(tape, i)->next)
            possible = jp_test(&run, term, i);
        if (!possible && !run.excess) {
            *steps = run.steps;
            return TH_JSONPATH_NO;
        }
        th_jsonpath_begin(&run, q, tape, root, run.steps);
    }
    found = th_jsonpath_next(&run) != TH_TAPE_NONE;
    *steps = run.steps;
    return run.excess ? TH_JSONPATH_EXCESS : found ? TH_JSONPATH_YES : TH_JSONPATH_NO;
}

/* ---- why ---- */

static uint32_t note_found(struct th_jsonpath_run *run, unsigned term, uint8_t value, uint32_t node,
                           struct th_jsonpath_why *why)
{
    const struct jp_node *n = &run->q->nodes[value];
    struct th_jsonpath_found *f = &why->found[why->found_count];
    uint32_t found;

    if (n->kind == JP_LENGTH || n->kind == JP_COUNT || n->kind == JP_VALUE)
        return note_found(run, term, n->a, node, why);
    if (n->kind != JP_QUERY || why->found_count == sizeof why->found / sizeof *why->found)
        return 0;
    run->steps = TH_JSONPATH_STEPS;
    run->excess = false;
    found = jp_first(run, value, node);
    *f = (struct th_jsonpath_found){.term = term, .at = n->at, .n = n->n, .there = found != TH_TAPE_NONE};
    if (f->there)
        f->value = th_tape_value(run->tape, found);
    why->found_count++;
    return TH_JSONPATH_STEPS - run->steps;
}

/* All queries of a term, wherever in it they stand, but for those that are asked of other nodes. */
static uint32_t note_term(struct th_jsonpath_run *run, unsigned term, uint8_t i, uint32_t node,
                          struct th_jsonpath_why *why)
{
    const struct jp_node *n = &run->q->nodes[i];

    switch (n->kind) {
    case JP_OR:
    case JP_AND:
        return note_term(run, term, n->a, node, why) + note_term(run, term, n->b, node, why);
    case JP_NOT:
        return note_term(run, term, n->a, node, why);
    case JP_COMPARE:
    case JP_MATCH:
    case JP_SEARCH:
        return note_found(run, term, n->a, node, why) + note_found(run, term, n->b, node, why);
    default:
        return note_found(run, term, i, node, why);
    }
}

uint32_t th_jsonpath_explain(const struct th_jsonpath *q, const struct th_tape *tape, uint32_t root,
                             uint32_t node, struct th_jsonpath_why *why)
{
    uint8_t terms[TH_JSONPATH_EXPLAINED];
    struct th_jsonpath_run run;
    uint32_t steps = 0;

    why->found_count = 0;
    why->term_count = terms_of(q, terms, TH_JSONPATH_EXPLAINED);
    for (unsigned i = 0; i < why->term_count; i++) {
        const struct jp_node *n = &q->nodes[terms[i]];
        bool answer;

        th_jsonpath_begin(&run, q, tape, root, TH_JSONPATH_STEPS);
        answer = jp_test(&run, terms[i], node);
        why->terms[i] = (struct th_jsonpath_term){n->at, n->n,
                                                  run.excess ? TH_JSONPATH_EXCESS
                                                  : answer   ? TH_JSONPATH_YES
                                                             : TH_JSONPATH_NO};
        steps += TH_JSONPATH_STEPS - run.steps;
        steps += note_term(&run, i, terms[i], node, why);
    }
    return steps;
}
