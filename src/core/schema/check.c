/* Applies a compiled schema to a value. Each schema that is applied is one call of `apply`, which goes through its operations; while one
 * is wanted only for its answer (the branches of anyOf, what "not" negates), nothing is noted.
 *
 * What unevaluatedItems and unevaluatedProperties need to know is a bit for each member or element of the value: whether a schema
 * that holds has looked at it. The bits are kept only below a schema that asks for them, and each schema has its own until it holds.
 *
 * Invariants: (1) each schema, operation, member and element that is looked at takes a step; (2) the recursion is at most TH_SCHEMA_DEPTH
 * schemas deep; (3) the bits and the table of uniqueItems take SCRATCH bytes at most. */
#include "core/schema/program.h"
#include <stdarg.h>
#include <stdio.h>

#define SCRATCH (1u << 20)
#define NAME 0x80000000u /* of a node: not the member's value is meant, but its name */

struct run {
    const struct th_schema *s;
    const struct th_tape *t;
    uint32_t root, steps;
    bool excess;
    unsigned depth, quiet;
    struct th_schema_why *why;
    struct th_buf scratch;
    uint16_t
        scope[TH_SCHEMA_DEPTH]; /* resources of the schemas that are being applied, the outermost first */
};

static struct th_work budget(struct run *r)
{
    return (struct th_work){&r->steps, &r->excess};
}

static bool step(struct run *r, uint32_t n)
{
    return th_work_step(budget(r), n);
}

static struct th_json value_of(const struct run *r, uint32_t node)
{
    return node & NAME ? th_tape_name(r->t, node & ~NAME) : th_tape_value(r->t, node);
}

static uint32_t children(const struct run *r, uint32_t node)
{
    return node & NAME ? 0 : th_tape_node(r->t, node)->children;
}

static struct th_json of_schema(const struct run *r, uint32_t node)
{
    return th_tape_value(&r->s->tape, node);
}

static uint32_t next(const struct th_tape *t, uint32_t node)
{
    return th_tape_node(t, node)->next;
}

/* ---- what was found ---- */

void sc_where(const struct th_tape *tape, const struct th_span *uris, uint32_t node, struct th_buf *out)
{
    uint32_t root = 1;

    if (th_tape_count(tape) < 2)
        return;
    for (unsigned i = 0; next(tape, root) <= node; i++) {
        root = next(tape, root);
        if (next(tape, root) > node) {
            th_buf_span(out, uris[i]);
            th_buf_char(out, '#');
        }
    }
    th_tape_pointer(tape, root, node, out);
}

__attribute__((format(printf, 4, 5))) static bool found(struct run *r, uint32_t keyword, uint32_t node,
                                                        const char *format, ...)
{
    struct th_schema_found *f;
    struct th_buf text;
    va_list args;

    if (r->excess || r->quiet || !r->why || r->why->count == TH_SCHEMA_FOUND)
        return false;
    f = &r->why->found[r->why->count++];
    th_buf_init(&text, 64 << 10);
    th_tape_pointer(r->t, r->root, node & ~NAME, &text);
    snprintf(f->pointer, sizeof f->pointer, "%s", th_buf_cstr(&text));
    th_buf_reset(&text);
    sc_where(&r->s->tape, r->s->uris, keyword, &text);
    snprintf(f->schema, sizeof f->schema, "%s", th_buf_cstr(&text));
    th_buf_reset(&text);
    (void)th_json_string(th_tape_name(&r->s->tape, keyword), &text);
    snprintf(f->keyword, sizeof f->keyword, "%s", th_buf_cstr(&text));
    th_buf_fini(&text);
    va_start(args, format);
    vsnprintf(f->what, sizeof f->what, format, args);
    va_end(args);
    return false;
}

/* A schema that is just false has no keyword. */
static bool found_false(struct run *r, uint32_t schema, uint32_t node)
{
    unsigned before = r->why ? r->why->count : 0;

    (void)found(r, schema, node, "is not allowed");
    if (r->why && r->why->count > before)
        snprintf(r->why->found[before].keyword, sizeof r->why->found[before].keyword, "false");
    return false;
}

/* Whether a fault is the last that is worth looking for. */
static bool enough(const struct run *r)
{
    return r->excess || r->quiet || !r->why || r->why->count == TH_SCHEMA_FOUND;
}

/* ---- bits ---- */

static bool push(struct run *r, size_t n, size_t *at)
{
    char *p;

    n = (n + 7) / 8 * 8;
    *at = r->scratch.n;
    if (!step(r, (uint32_t)(n / 64)))
        return false;
    p = th_buf_room(&r->scratch, n);
    if (!p && n) {
        r->excess = true;
        return false;
    }
    if (n)
        memset(p, 0, n);
    r->scratch.n += n;
    return true;
}

static void mark(struct run *r, size_t marks, uint32_t child)
{
    if (marks != SIZE_MAX)
        r->scratch.p[marks + child / 8] |= (char)(1u << child % 8);
}

static bool is_marked(const struct run *r, size_t marks, uint32_t child)
{
    return r->scratch.p[marks + child / 8] >> child % 8 & 1;
}

static void merge(struct run *r, size_t to, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->scratch.p[to + i] |= r->scratch.p[from + i];
}

/* ---- keywords that look at one value ---- */

static bool apply(struct run *r, uint32_t schema, uint32_t node, size_t marks);

/* The same, and nothing is noted. */
static bool holds(struct run *r, uint32_t schema, uint32_t node, size_t marks)
{
    bool ok;

    r->quiet++;
    ok = apply(r, schema, node, marks);
    r->quiet--;
    return ok;
}

static bool equals(struct run *r, uint32_t of, uint32_t node)
{
    struct th_json want = of_schema(r, of);

    if (node & NAME)
        return want.type == TH_JSON_STRING &&
               th_texts_equal(budget(r), th_characters_of(want), th_characters_of(value_of(r, node)));
    return th_tape_equal(budget(r), &r->s->tape, of, r->t, node);
}

static bool is_type(struct run *r, const struct sc_op *op, uint32_t node, struct th_json v)
{
    static const char *const names[] = {"null", "false", "true", "a number", "a text", "a list", "an object"};
    struct th_span want = of_schema(r, op->node).raw;

    if (op->a & 1u << v.type || (op->a & SC_INTEGER && v.type == TH_JSON_NUMBER && th_number_is_whole(v.raw)))
        return true;
    return found(r, op->node, node, "is %s, but the type must be %.*s", names[v.type],
                 (int)(want.n < 80 ? want.n : 80), want.p);
}

static bool is_listed(struct run *r, const struct sc_op *op, uint32_t node)
{
    const struct th_tape *t = &r->s->tape;

    for (uint32_t i = op->node + 1; i < next(t, op->node) && step(r, 1); i = next(t, i))
        if (equals(r, i, node))
            return true;
    return found(r, op->node, node, "is none of the values that are allowed");
}

static bool number(struct run *r, const struct sc_op *op, uint32_t node, struct th_json v)
{
    struct th_json limit = of_schema(r, op->node);
    const char *what = NULL;
    int order;

    if (v.type != TH_JSON_NUMBER || !step(r, (uint32_t)(v.raw.n / 64)))
        return true;
    if (op->kind == SC_MULTIPLE_OF)
        return th_number_is_multiple(v.raw, limit.raw) ||
               found(r, op->node, node, "must be a multiple of %.*s", (int)limit.raw.n, limit.raw.p);
    order = th_number_compare(v.raw, limit.raw);
    if (op->kind == SC_MAXIMUM && order > 0)
        what = "at most";
    else if (op->kind == SC_EXCLUSIVE_MAXIMUM && order >= 0)
        what = "less than";
    else if (op->kind == SC_MINIMUM && order < 0)
        what = "at least";
    else if (op->kind == SC_EXCLUSIVE_MINIMUM && order <= 0)
        what = "more than";
    return !what || found(r, op->node, node, "must be %s %.*s", what,
                          (int)(limit.raw.n < 80 ? limit.raw.n : 80), limit.raw.p);
}

static bool length(struct run *r, const struct sc_op *op, uint32_t node, struct th_json v)
{
    struct th_characters text = th_characters_of(v);
    uint32_t n = 0, c;

    while (n <= op->a && th_characters_next(&text, &c))
        if (n++ % 64 == 63 && !step(r, 1))
            return false;
    if (op->kind == SC_MAX_LENGTH)
        return n <= op->a || found(r, op->node, node, "must have at most %u characters", op->a);
    return n >= op->a || found(r, op->node, node, "must have at least %u characters", op->a);
}

static bool matches(struct run *r, uint32_t pattern, struct th_json text)
{
    const struct sc_pattern *p = &r->s->patterns[pattern];
    struct th_characters in = th_characters_of(text);
    bool answer = th_iregexp_match(r->s->slots + p->slot, p->slots, th_characters_next, &in, true, &r->steps);

    if (!r->steps)
        r->excess = true;
    return answer;
}

static bool count(struct run *r, const struct sc_op *op, uint32_t node, uint32_t n, const char *what)
{
    bool most = op->kind == SC_MAX_ITEMS || op->kind == SC_MAX_PROPERTIES;

    if (most ? n <= op->a : n >= op->a)
        return true;
    return found(r, op->node, node, "must have %s %u %s, and has %u", most ? "at most" : "at least", op->a,
                 what, n);
}

/* ---- lists ---- */

/* The same for two equal values; the order of an object's members does not matter. */
static uint64_t hash(struct run *r, uint32_t node)
{
    uint64_t h = 0;

    for (uint32_t i = node; i < next(r->t, node) && step(r, 1); i++) {
        struct th_json v = th_tape_value(r->t, i);
        uint64_t one = v.type * 0x9e3779b97f4a7c15u;

        if (v.type == TH_JSON_NUMBER) {
            one ^= th_number_hash(v.raw);
        } else if (v.type == TH_JSON_STRING) {
            struct th_characters in = th_characters_of(v);
            uint32_t c;

            (void)step(r, (uint32_t)(v.raw.n / 64));
            while (th_characters_next(&in, &c))
                one = (one ^ c) * 0x100000001b3u;
        } else {
            one ^= th_tape_node(r->t, i)->children;
        }
        h += one * (one | 1);
    }
    return h;
}

/* A table of hashes with twice as many places as there are elements. */
static bool is_unique(struct run *r, const struct sc_op *op, uint32_t node)
{
    struct place {
        uint64_t hash;
        uint32_t node, used;
    } * table;
    uint32_t size = 2, n = children(r, node);
    size_t at;
    bool ok = true;

    if (n < 2)
        return true;
    while (size < 2 * (uint64_t)n && size < SCRATCH)
        size *= 2;
    if (!push(r, size * sizeof *table, &at))
        return false;
    table = (struct place *)(void *)(r->scratch.p + at);
    for (uint32_t i = node + 1; ok && i < next(r->t, node) && !r->excess; i = next(r->t, i)) {
        uint64_t h = hash(r, i);
        uint32_t k = (uint32_t)(h ^ h >> 32) & (size - 1);

        for (; table[k].used && step(r, 1); k = (k + 1) & (size - 1))
            if (table[k].hash == h && th_tape_equal(budget(r), r->t, i, r->t, table[k].node)) {
                ok = found(r, op->node, i, "is there twice");
                break;
            }
        table[k] = (struct place){h, i, 1};
    }
    r->scratch.n = at;
    return ok && !r->excess;
}

static bool items(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t n = 0;
    bool ok = true;

    for (uint32_t i = node + 1; i < next(r->t, node); i = next(r->t, i), n++) {
        uint32_t schema = n < op->parts ? r->s->parts[op->part + n].schema : op->a;

        if (schema == SC_NONE)
            break;
        mark(r, marks, n);
        if (!apply(r, schema, i, SIZE_MAX)) {
            ok = false;
            if (enough(r))
                break;
        }
    }
    return ok;
}

static bool contains(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t n = 0, k = 0;

    for (uint32_t i = node + 1; i < next(r->t, node) && !r->excess; i = next(r->t, i), n++)
        if (holds(r, op->a, i, SIZE_MAX)) {
            mark(r, marks, n);
            k++;
        }
    if (k < op->b)
        return found(r, op->node, node, "must have at least %u elements of this kind, and has %u", op->b, k);
    return k <= op->c ||
           found(r, op->node, node, "must have at most %u elements of this kind, and has %u", op->c, k);
}

/* ---- objects ---- */

/* The member with the name that a string of the schema has; NONE: none. */
static uint32_t member(struct run *r, uint32_t object, struct th_json name)
{
    for (uint32_t i = object + 1; i < next(r->t, object) && step(r, 1); i = next(r->t, i))
        if (th_texts_equal(budget(r), th_characters_of(name), th_characters_of(th_tape_name(r->t, i))))
            return i;
    return SC_NONE;
}

/* Whether all names of a list are there. */
static bool required(struct run *r, const struct sc_op *op, uint32_t list, uint32_t node)
{
    const struct th_tape *t = &r->s->tape;
    bool ok = true;

    for (uint32_t i = list + 1; i < next(t, list); i++) {
        struct th_span name = th_tape_value(t, i).raw;

        if (member(r, node, th_tape_value(t, i)) != SC_NONE)
            continue;
        ok = found(r, op->node, node, "has no %.*s", (int)(name.n < 120 ? name.n : 120), name.p);
        if (enough(r))
            break;
    }
    return ok;
}

static bool dependent_required(struct run *r, const struct sc_op *op, uint32_t node)
{
    const struct th_tape *t = &r->s->tape;
    bool ok = true;

    for (uint32_t i = op->node + 1; ok && i < next(t, op->node) && !r->excess; i = next(t, i))
        if (member(r, node, th_tape_name(t, i)) != SC_NONE)
            ok = required(r, op, i, node);
    return ok;
}

static bool dependent_schemas(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < op->parts && !r->excess; i++) {
        const struct sc_part *p = &r->s->parts[op->part + i];

        if (member(r, node, th_tape_name(&r->s->tape, p->node)) != SC_NONE)
            ok = apply(r, p->schema, node, marks);
    }
    return ok;
}

/* The part with the member's name; usually that behind the last one. */
static uint32_t part_of(struct run *r, const struct sc_op *op, struct th_json name, uint32_t *last)
{
    for (uint32_t n = 0; n < op->parts; n++) {
        uint32_t i = op->part + (*last + n) % op->parts;

        if (n % 8 == 7 && !step(r, 1))
            break;
        if (th_texts_equal(budget(r), th_characters_of(th_tape_name(&r->s->tape, r->s->parts[i].node)),
                           th_characters_of(name))) {
            *last = (i - op->part + 1) % op->parts;
            return i;
        }
    }
    return SC_NONE;
}

static bool property(struct run *r, const struct sc_op *op, uint32_t i, uint32_t *last, bool *known)
{
    struct th_json name = th_tape_name(r->t, i);
    uint32_t part = part_of(r, op, name, last);
    bool ok = true;

    *known = part != SC_NONE;
    if (*known)
        ok = apply(r, r->s->parts[part].schema, i, SIZE_MAX);
    for (uint32_t k = 0; k < op->b && !(!ok && enough(r)); k++) {
        const struct sc_part *p = &r->s->parts[op->part + op->parts + k];

        if (!matches(r, p->pattern, name))
            continue;
        *known = true;
        ok &= apply(r, p->schema, i, SIZE_MAX);
    }
    if (*known || op->a == SC_NONE)
        return ok;
    *known = true;
    if (r->s->schemas[op->a].is_false)
        return found(r, op->node, i, "is not among the members that are allowed");
    return ok && apply(r, op->a, i, SIZE_MAX);
}

static bool properties(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t n = 0, last = 0;
    bool ok = true, known;

    for (uint32_t i = node + 1; i < next(r->t, node) && step(r, 1); i = next(r->t, i), n++) {
        if (!property(r, op, i, &last, &known)) {
            ok = false;
            if (enough(r))
                break;
        }
        if (known)
            mark(r, marks, n);
    }
    return ok;
}

static bool property_names(struct run *r, const struct sc_op *op, uint32_t node)
{
    bool ok = true;

    for (uint32_t i = node + 1; ok && i < next(r->t, node) && !r->excess; i = next(r->t, i))
        if (!holds(r, op->a, i | NAME, SIZE_MAX))
            ok = found(r, op->node, i, "has a name that is not allowed");
    return ok;
}

static bool unevaluated(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t n = 0;
    bool ok = true;

    for (uint32_t i = node + 1; i < next(r->t, node) && step(r, 1); i = next(r->t, i), n++) {
        if (is_marked(r, marks, n))
            continue;
        mark(r, marks, n);
        if (r->s->schemas[op->a].is_false)
            ok = found(r, op->node, i, "is not among what is allowed");
        else if (!apply(r, op->a, i, SIZE_MAX))
            ok = false;
        if (!ok && enough(r))
            break;
    }
    return ok;
}

/* ---- schemas on the same value ---- */

static bool all_of(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    bool ok = true;

    for (uint32_t i = 0; i < op->parts && !(!ok && enough(r)); i++)
        ok &= apply(r, r->s->parts[op->part + i].schema, node, marks);
    return ok;
}

/* Of anyOf all branches are asked only where they have to tell what they have looked at. */
static bool any_of(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < op->parts && !r->excess; i++) {
        n += holds(r, r->s->parts[op->part + i].schema, node, marks);
        if (n && marks == SIZE_MAX && op->kind == SC_ANY_OF)
            break;
        if (n > 1 && op->kind == SC_ONE_OF)
            return found(r, op->node, node, "fits more than one of the schemas in oneOf");
    }
    return n || found(r, op->node, node, "fits none of the schemas in %s",
                      op->kind == SC_ANY_OF ? "anyOf" : "oneOf");
}

static bool condition(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    uint32_t then = holds(r, op->a, node, marks) ? op->b : op->c;

    return then == SC_NONE || apply(r, then, node, marks);
}

/* The schema that has the dynamic anchor in the outermost resource of all that are being applied. */
static uint32_t dynamic(struct run *r, const struct sc_op *op)
{
    if (op->b == SC_NONE)
        return op->a;
    for (unsigned d = 0; d < r->depth && step(r, 1); d++)
        for (uint32_t i = 0; i < r->s->anchor_count && (d == 0 || r->scope[d] != r->scope[d - 1]); i++) {
            const struct sc_anchor *a = &r->s->anchors[i];

            if (i % 8 == 7 && !step(r, 1))
                break;
            if (a->dynamic && a->name == op->b && a->resource == r->scope[d])
                return a->schema;
        }
    return op->a;
}

static bool on_list(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    switch (op->kind) {
    case SC_MAX_ITEMS:
    case SC_MIN_ITEMS:
        return count(r, op, node, children(r, node), "elements");
    case SC_UNIQUE:
        return is_unique(r, op, node);
    case SC_CONTAINS:
        return contains(r, op, node, marks);
    case SC_ITEMS:
        return items(r, op, node, marks);
    default:
        return unevaluated(r, op, node, marks);
    }
}

static bool on_object(struct run *r, const struct sc_op *op, uint32_t node, size_t marks)
{
    switch (op->kind) {
    case SC_MAX_PROPERTIES:
    case SC_MIN_PROPERTIES:
        return count(r, op, node, children(r, node), "members");
    case SC_REQUIRED:
        return required(r, op, op->node, node);
    case SC_DEPENDENT_REQUIRED:
        return dependent_required(r, op, node);
    case SC_PROPERTIES:
        return properties(r, op, node, marks);
    case SC_PROPERTY_NAMES:
        return property_names(r, op, node);
    case SC_DEPENDENT_SCHEMAS:
        return dependent_schemas(r, op, node, marks);
    default:
        return unevaluated(r, op, node, marks);
    }
}

static bool operate(struct run *r, const struct sc_op *op, uint32_t node, struct th_json v, size_t marks)
{
    switch (op->kind) {
    case SC_TYPE:
        return is_type(r, op, node, v);
    case SC_CONST:
        return equals(r, op->node, node) || found(r, op->node, node, "is not the only value that is allowed");
    case SC_ENUM:
        return is_listed(r, op, node);
    case SC_MULTIPLE_OF:
    case SC_MAXIMUM:
    case SC_EXCLUSIVE_MAXIMUM:
    case SC_MINIMUM:
    case SC_EXCLUSIVE_MINIMUM:
        return number(r, op, node, v);
    case SC_MAX_LENGTH:
    case SC_MIN_LENGTH:
        return v.type != TH_JSON_STRING || length(r, op, node, v);
    case SC_PATTERN:
        return v.type != TH_JSON_STRING || matches(r, op->a, v) ||
               found(r, op->node, node, "does not match the pattern");
    case SC_ALL_OF:
        return all_of(r, op, node, marks);
    case SC_ANY_OF:
    case SC_ONE_OF:
        return any_of(r, op, node, marks);
    case SC_NOT:
        return !holds(r, op->a, node, SIZE_MAX) || found(r, op->node, node, "is what is not allowed");
    case SC_IF:
        return condition(r, op, node, marks);
    case SC_REF:
        return apply(r, op->a, node, marks);
    case SC_DYNAMIC_REF:
        return apply(r, dynamic(r, op), node, marks);
    case SC_MAX_ITEMS:
    case SC_MIN_ITEMS:
    case SC_UNIQUE:
    case SC_CONTAINS:
    case SC_ITEMS:
    case SC_UNEVALUATED_ITEMS:
        return v.type != TH_JSON_ARRAY || on_list(r, op, node, marks);
    default:
        return v.type != TH_JSON_OBJECT || on_object(r, op, node, marks);
    }
}

/* Whether the value fits the schema. marks: where the bits of its members or elements are; SIZE_MAX: nobody asks. */
static bool apply(struct run *r, uint32_t schema, uint32_t node, size_t marks)
{
    const struct sc_schema *s = &r->s->schemas[schema];
    struct th_json v = value_of(r, node);
    size_t own = SIZE_MAX, size = (children(r, node) + 7) / 8;
    bool ok = true;

    if (r->depth == TH_SCHEMA_DEPTH)
        r->excess = true;
    if (!step(r, 1 + s->ops))
        return false;
    if (s->is_false)
        return found_false(r, s->node, node);
    if ((s->marks || marks != SIZE_MAX) && size && !push(r, size, &own))
        return false;
    r->scope[r->depth++] = (uint16_t)s->resource;
    for (uint32_t i = 0; i < s->ops; i++) {
        ok &= operate(r, &r->s->ops[s->op + i], node, v, own);
        if (!ok && enough(r))
            break;
    }
    r->depth--;
    ok = ok && !r->excess;
    if (own != SIZE_MAX) {
        if (ok && marks != SIZE_MAX)
            merge(r, marks, own, size);
        r->scratch.n = own;
    }
    return ok;
}

enum th_schema_answer th_schema_check(const struct th_schema *s, const struct th_tape *tape, uint32_t node,
                                      uint32_t *steps, struct th_schema_why *why)
{
    struct run r = {.s = s, .t = tape, .root = node, .steps = *steps, .why = why};
    bool ok;

    if (why)
        why->count = 0;
    th_buf_init(&r.scratch, SCRATCH);
    ok = apply(&r, 0, node, SIZE_MAX);
    th_buf_fini(&r.scratch);
    *steps = r.steps;
    if (r.excess && why)
        why->count = 0;
    return r.excess ? TH_SCHEMA_EXCESS : ok ? TH_SCHEMA_VALID : TH_SCHEMA_INVALID;
}
