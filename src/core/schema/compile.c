/* Compiles schemas. First every schema of the text is found, with the URIs and anchors that name it; then each becomes a list of
 * operations, and what it refers to is looked up. A reference to a document that is known but not read yet adds it, and all begins again,
 * so that everything is on one tape.
 *
 * Refused: keywords with values that the draft does not allow, references to what is not there, other drafts, too much of anything.
 * Keywords that the draft does not know are passed over, as it says.
 *
 * The recursion follows the nesting of the text, TH_JSON_DEPTH at most. */
#include "core/schema/program.h"
#include <stdarg.h>
#include <stdio.h>

#define WORK 4000000   /* values that are looked at, at most: half a second */
#define DOCUMENTS 40   /* that one schema refers to */
#define NAMED_MAX 1024 /* resources, and anchors */
#define SPECIFICATION "https://json-schema.org/draft/2020-12/schema"

enum shape { PLAIN, ONE, LIST, MAP };

/* What a keyword's value has to be. */
enum must { ANYTHING, NUMBER, ABOVE_ZERO, COUNT, STRING, BOOLEAN, NAMES, NAMES_MAP, TYPES, ARRAY };

static const struct keyword {
    const char *name;
    enum shape shape;
    enum must must;
    enum sc_kind kind;
    enum { DIRECT, GATHERED, SILENT } how; /* one operation of its own; of several keywords; none */
    bool compares;                         /* belongs to the vocabulary of validation */
} keywords[] = {
    {"$defs", MAP, ANYTHING, SC_TYPE, SILENT, false},
    {"$id", PLAIN, STRING, SC_TYPE, SILENT, false},
    {"$anchor", PLAIN, STRING, SC_TYPE, SILENT, false},
    {"$dynamicAnchor", PLAIN, STRING, SC_TYPE, SILENT, false},
    {"$ref", PLAIN, STRING, SC_REF, DIRECT, false},
    {"$dynamicRef", PLAIN, STRING, SC_DYNAMIC_REF, DIRECT, false},
    {"allOf", LIST, ANYTHING, SC_ALL_OF, DIRECT, false},
    {"anyOf", LIST, ANYTHING, SC_ANY_OF, DIRECT, false},
    {"oneOf", LIST, ANYTHING, SC_ONE_OF, DIRECT, false},
    {"not", ONE, ANYTHING, SC_NOT, DIRECT, false},
    {"if", ONE, ANYTHING, SC_IF, GATHERED, false},
    {"then", ONE, ANYTHING, SC_IF, GATHERED, false},
    {"else", ONE, ANYTHING, SC_IF, GATHERED, false},
    {"dependentSchemas", MAP, ANYTHING, SC_DEPENDENT_SCHEMAS, DIRECT, false},
    {"prefixItems", LIST, ANYTHING, SC_ITEMS, GATHERED, false},
    {"items", ONE, ANYTHING, SC_ITEMS, GATHERED, false},
    {"contains", ONE, ANYTHING, SC_CONTAINS, GATHERED, false},
    {"properties", MAP, ANYTHING, SC_PROPERTIES, GATHERED, false},
    {"patternProperties", MAP, ANYTHING, SC_PROPERTIES, GATHERED, false},
    {"additionalProperties", ONE, ANYTHING, SC_PROPERTIES, GATHERED, false},
    {"propertyNames", ONE, ANYTHING, SC_PROPERTY_NAMES, DIRECT, false},
    {"unevaluatedItems", ONE, ANYTHING, SC_UNEVALUATED_ITEMS, GATHERED, false},
    {"unevaluatedProperties", ONE, ANYTHING, SC_UNEVALUATED_PROPERTIES, GATHERED, false},
    {"type", PLAIN, TYPES, SC_TYPE, DIRECT, true},
    {"const", PLAIN, ANYTHING, SC_CONST, DIRECT, true},
    {"enum", PLAIN, ARRAY, SC_ENUM, DIRECT, true},
    {"multipleOf", PLAIN, ABOVE_ZERO, SC_MULTIPLE_OF, DIRECT, true},
    {"maximum", PLAIN, NUMBER, SC_MAXIMUM, DIRECT, true},
    {"exclusiveMaximum", PLAIN, NUMBER, SC_EXCLUSIVE_MAXIMUM, DIRECT, true},
    {"minimum", PLAIN, NUMBER, SC_MINIMUM, DIRECT, true},
    {"exclusiveMinimum", PLAIN, NUMBER, SC_EXCLUSIVE_MINIMUM, DIRECT, true},
    {"maxLength", PLAIN, COUNT, SC_MAX_LENGTH, DIRECT, true},
    {"minLength", PLAIN, COUNT, SC_MIN_LENGTH, DIRECT, true},
    {"pattern", PLAIN, STRING, SC_PATTERN, DIRECT, true},
    {"maxItems", PLAIN, COUNT, SC_MAX_ITEMS, DIRECT, true},
    {"minItems", PLAIN, COUNT, SC_MIN_ITEMS, DIRECT, true},
    {"uniqueItems", PLAIN, BOOLEAN, SC_UNIQUE, DIRECT, true},
    {"maxContains", PLAIN, COUNT, SC_CONTAINS, GATHERED, true},
    {"minContains", PLAIN, COUNT, SC_CONTAINS, GATHERED, true},
    {"maxProperties", PLAIN, COUNT, SC_MAX_PROPERTIES, DIRECT, true},
    {"minProperties", PLAIN, COUNT, SC_MIN_PROPERTIES, DIRECT, true},
    {"required", PLAIN, NAMES, SC_REQUIRED, DIRECT, true},
    {"dependentRequired", PLAIN, NAMES_MAP, SC_DEPENDENT_REQUIRED, DIRECT, true},
};

struct compiler {
    struct th_schema_fault *fault;
    enum th_error error;
    struct th_tape tape;
    struct th_buf text;
    struct th_buf of_node; /* of uint32_t: index of the schema that a node is, plus 1 */
    struct th_buf schemas, ops, parts, patterns, slots, anchors, resources, uris;
    const struct th_schema_document *more;
    size_t more_count;
    const struct th_schema_document *read[DOCUMENTS], *wanted;
    struct th_span read_uris[DOCUMENTS];
    unsigned read_count;
    uint32_t work;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct compiler *c, uint32_t node, const char *format,
                                                       ...)
{
    struct th_buf where;
    va_list args;

    if (c->error)
        return false;
    c->error = TH_MALFORMED;
    if (!c->fault)
        return false;
    th_buf_init(&where, 64 << 10);
    sc_where(&c->tape, c->read_uris, node, &where);
    snprintf(c->fault->pointer, sizeof c->fault->pointer, "%s", th_buf_cstr(&where));
    th_buf_fini(&where);
    va_start(args, format);
    vsnprintf(c->fault->what, sizeof c->fault->what, format, args);
    va_end(args);
    return false;
}

static bool no_memory(struct compiler *c)
{
    if (!c->error)
        c->error = TH_NOMEM;
    return false;
}

static bool work(struct compiler *c, uint32_t node, uint32_t n)
{
    if (c->work < n)
        return fail(c, node, "refers to too much: compiling takes more than %d steps", WORK);
    c->work -= n;
    return true;
}

#define AT(type, buf, i) ((struct type *)(void *)(buf).p + (i))
#define COUNT_OF(type, buf) ((uint32_t)((buf).n / sizeof(struct type)))

static struct sc_schema *schema_at(struct compiler *c, uint32_t i)
{
    return AT(sc_schema, c->schemas, i);
}

static struct sc_resource *resource_at(struct compiler *c, uint32_t i)
{
    return AT(sc_resource, c->resources, i);
}

static struct th_span uri_of(struct compiler *c, uint32_t resource)
{
    const struct sc_resource *r = resource_at(c, resource);

    return th_span(c->uris.p ? c->uris.p + r->uri : "", r->uri_n);
}

static bool is_name(struct compiler *c, uint32_t node, const char *name)
{
    return th_json_string_eq(th_tape_name(&c->tape, node), th_str(name));
}

static uint32_t member(struct compiler *c, uint32_t object, struct th_span name)
{
    for (uint32_t i = object + 1; i < th_tape_node(&c->tape, object)->next;
         i = th_tape_node(&c->tape, i)->next)
        if (th_json_string_eq(th_tape_name(&c->tape, i), name))
            return i;
    return SC_NONE;
}

/* ---- the schemas of the text, and their names ---- */

static bool add_resource(struct compiler *c, uint32_t node, struct th_span base, struct th_span uri,
                         uint32_t *index)
{
    struct sc_resource r = {.uri = (uint32_t)c->uris.n, .node = node};

    *index = COUNT_OF(sc_resource, c->resources);
    if (*index == NAMED_MAX)
        return fail(c, node, "has more than %d URIs", NAMED_MAX);
    r.same = *index;
    sc_uri_resolve(base, uri, &c->uris);
    r.uri_n = (uint32_t)(c->uris.n - r.uri);
    if (*index)
        r.no_validation = resource_at(c, *index - 1)->no_validation;
    th_buf_add(&c->resources, &r, sizeof r);
    return !(c->uris.failed || c->resources.failed) || no_memory(c);
}

static bool string(struct compiler *c, uint32_t node, struct th_buf *out)
{
    th_buf_init(out, TH_SCHEMA_BYTES);
    if (!th_json_string(th_tape_value(&c->tape, node), out)) {
        th_buf_fini(out);
        return fail(c, node, "must be a text");
    }
    if (!out->failed)
        return true;
    th_buf_fini(out);
    return no_memory(c);
}

/* "$id": gives the resource that begins here. */
static bool identify(struct compiler *c, uint32_t node, uint32_t id, uint32_t *resource)
{
    struct th_buf uri, base;
    const char *hash;
    bool ok = true;

    if (!string(c, id, &uri))
        return false;
    hash = memchr(uri.p ? uri.p : "", '#', uri.n);
    if (hash && hash + 1 < uri.p + uri.n)
        ok = fail(c, id, "must have nothing behind '#'; use \"$anchor\"");
    th_buf_init(&base, TH_SCHEMA_BYTES);
    th_buf_span(&base, uri_of(c, *resource));
    if (ok && base.failed)
        ok = no_memory(c);
    ok = ok && add_resource(c, node, th_buf_view(&base), th_buf_view(&uri), resource);
    th_buf_fini(&base);
    th_buf_fini(&uri);
    return ok;
}

static bool add_anchor(struct compiler *c, uint32_t node, uint32_t schema, uint32_t resource, bool dynamic)
{
    struct sc_anchor a = {.resource = resource, .schema = schema, .node = node, .dynamic = dynamic};
    uint32_t n = COUNT_OF(sc_anchor, c->anchors);
    struct th_json name = th_tape_value(&c->tape, node);

    if (name.type != TH_JSON_STRING || name.raw.n < 3)
        return fail(c, node, "must be a name");
    if (n == NAMED_MAX)
        return fail(c, node, "has more than %d anchors", NAMED_MAX);
    a.name = n;
    for (uint32_t i = 0; i < n && a.name == n; i++)
        if (th_span_eq(name.raw, th_tape_value(&c->tape, AT(sc_anchor, c->anchors, i)->node).raw))
            a.name = AT(sc_anchor, c->anchors, i)->name;
    th_buf_add(&c->anchors, &a, sizeof a);
    return (!c->anchors.failed || no_memory(c)) && work(c, node, n);
}

static const struct keyword *keyword_of(struct compiler *c, uint32_t node)
{
    for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
        if (is_name(c, node, keywords[k].name))
            return &keywords[k];
    return NULL;
}

static bool find(struct compiler *c, uint32_t node, uint32_t resource);

/* The schemas in the value of a keyword. */
static bool find_in(struct compiler *c, const struct keyword *k, uint32_t value, uint32_t resource)
{
    const struct th_tape *t = &c->tape;
    enum th_json_type type = th_tape_value(t, value).type;

    if (k->shape == ONE)
        return find(c, value, resource);
    if (k->shape == LIST && (type != TH_JSON_ARRAY || !th_tape_node(t, value)->children))
        return fail(c, value, "must be a list of schemas, of one at least");
    if (k->shape == MAP && type != TH_JSON_OBJECT)
        return fail(c, value, "must be an object of schemas");
    for (uint32_t i = value + 1; i < th_tape_node(t, value)->next; i = th_tape_node(t, i)->next)
        if (!find(c, i, resource))
            return false;
    return true;
}

static bool find(struct compiler *c, uint32_t node, uint32_t resource)
{
    struct sc_schema s = {.node = node};
    struct th_json v = th_tape_value(&c->tape, node);
    uint32_t index = COUNT_OF(sc_schema, c->schemas), at;

    if (((uint32_t *)(void *)c->of_node.p)[node])
        return true;
    if (v.type != TH_JSON_OBJECT && v.type != TH_JSON_TRUE && v.type != TH_JSON_FALSE)
        return fail(c, node, "must be a schema: an object, true or false");
    if (index == TH_SCHEMA_PARTS)
        return fail(c, node, "has more than %d schemas in it", TH_SCHEMA_PARTS);
    s.is_false = v.type == TH_JSON_FALSE;
    if (v.type == TH_JSON_OBJECT && (at = member(c, node, TH_LIT("$id"))) != SC_NONE &&
        !identify(c, node, at, &resource))
        return false;
    s.resource = resource;
    ((uint32_t *)(void *)c->of_node.p)[node] = index + 1;
    th_buf_add(&c->schemas, &s, sizeof s);
    if (c->schemas.failed)
        return no_memory(c);
    if (v.type != TH_JSON_OBJECT)
        return true;
    for (uint32_t i = node + 1; i < th_tape_node(&c->tape, node)->next; i = th_tape_node(&c->tape, i)->next) {
        const struct keyword *k = keyword_of(c, i);

        if (is_name(c, i, "$anchor") || is_name(c, i, "$dynamicAnchor")) {
            if (!add_anchor(c, i, index, resource, is_name(c, i, "$dynamicAnchor")))
                return false;
        } else if (k && k->shape != PLAIN && !find_in(c, k, i, resource)) {
            return false;
        }
    }
    return true;
}

/* ---- references ---- */

static const struct th_schema_document *document(struct compiler *c, struct th_span uri)
{
    for (const struct th_schema_document *d = sc_meta; d->uri.n; d++)
        if (th_span_eq(d->uri, uri))
            return d;
    for (size_t i = 0; i < c->more_count; i++)
        if (th_span_eq(c->more[i].uri, uri))
            return &c->more[i];
    return NULL;
}

static bool want(struct compiler *c, uint32_t node, const struct th_schema_document *d)
{
    if (c->read_count == DOCUMENTS)
        return fail(c, node, "refers to more than %d documents", DOCUMENTS);
    c->wanted = d;
    c->error = TH_RETRY;
    return false;
}

static bool find_resource(struct compiler *c, uint32_t node, struct th_span uri, uint32_t *resource)
{
    const struct th_schema_document *d;
    uint32_t n = COUNT_OF(sc_resource, c->resources);

    if (!work(c, node, n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (th_span_eq(uri_of(c, i), uri)) {
            *resource = resource_at(c, i)->same;
            return true;
        }
    d = document(c, uri);
    if (d)
        return want(c, node, d);
    return fail(c, node, "refers to %.*s, which is not in the schema; nothing is fetched",
                (int)(uri.n < 120 ? uri.n : 120), uri.p);
}

/* Follows a JSON pointer, which is cut into its parts. */
static bool follow(struct compiler *c, uint32_t from, struct th_span pointer, uint32_t *node,
                   uint32_t *resource)
{
    const struct th_tape *t = &c->tape;
    struct th_buf name;
    uint32_t at = resource_at(c, *resource)->node;

    for (size_t i = 0; i < pointer.n;) {
        uint32_t child = SC_NONE, index = 0;
        enum th_json_type type = th_tape_value(t, at).type;

        th_buf_init(&name, TH_SCHEMA_BYTES);
        for (i++; i < pointer.n && pointer.p[i] != '/'; i++) {
            bool tilde = pointer.p[i] == '~' && i + 1 < pointer.n;

            th_buf_char(&name, !tilde ? pointer.p[i] : pointer.p[i + 1] == '1' ? '/' : '~');
            i += tilde;
        }
        if (name.failed) {
            th_buf_fini(&name);
            return no_memory(c);
        }
        if (type == TH_JSON_OBJECT) {
            child = member(c, at, th_buf_view(&name));
        } else if (type == TH_JSON_ARRAY && th_number_count(th_buf_view(&name), &index) &&
                   index < th_tape_node(t, at)->children) {
            child = at + 1;
            while (index--)
                child = th_tape_node(t, child)->next;
        }
        th_buf_fini(&name);
        if (!work(c, from, th_tape_node(t, at)->children + 1))
            return false;
        if (child == SC_NONE)
            return fail(c, from, "refers to what is not there");
        at = child;
        index = ((uint32_t *)(void *)c->of_node.p)[at];
        if (index)
            *resource = schema_at(c, index - 1)->resource;
    }
    *node = at;
    return true;
}

static bool find_anchor(struct compiler *c, uint32_t from, struct th_span name, uint32_t resource,
                        uint32_t *schema, uint32_t *dynamic)
{
    uint32_t n = COUNT_OF(sc_anchor, c->anchors);

    if (!work(c, from, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct sc_anchor *a = AT(sc_anchor, c->anchors, i);

        if (a->resource == resource && th_json_string_eq(th_tape_value(&c->tape, a->node), name)) {
            *schema = a->schema;
            *dynamic = a->dynamic ? a->name : SC_NONE;
            return true;
        }
    }
    return fail(c, from, "refers to the anchor \"%.*s\", which is not there",
                (int)(name.n < 120 ? name.n : 120), name.p);
}

/* dynamic: SC_NONE, or the name of the dynamic anchor that the reference has found. */
static bool resolve(struct compiler *c, uint32_t node, uint32_t resource, struct th_span reference,
                    uint32_t *schema, uint32_t *dynamic)
{
    const char *hash = memchr(reference.p, '#', reference.n);
    struct th_span head = th_span(reference.p, hash ? (size_t)(hash - reference.p) : reference.n),
                   tail = hash ? th_span(hash + 1, reference.n - head.n - 1) : th_span("", 0);
    struct th_buf text;
    uint32_t target = SC_NONE;
    bool ok = true;

    *dynamic = SC_NONE;
    th_buf_init(&text, TH_SCHEMA_BYTES);
    if (head.n) {
        sc_uri_resolve(uri_of(c, resource), head, &text);
        ok = text.failed ? no_memory(c) : find_resource(c, node, th_buf_view(&text), &resource);
    }
    th_buf_reset(&text);
    sc_uri_decode(tail, &text);
    if (ok && text.failed)
        ok = no_memory(c);
    if (ok && text.n && *text.p != '/') {
        ok = find_anchor(c, node, th_buf_view(&text), resource, schema, dynamic);
    } else if (ok) {
        ok = follow(c, node, th_buf_view(&text), &target, &resource) && find(c, target, resource);
        if (ok)
            *schema = ((uint32_t *)(void *)c->of_node.p)[target] - 1;
    }
    th_buf_fini(&text);
    return ok;
}

/* ---- operations ---- */

static uint32_t index_of(struct compiler *c, uint32_t node)
{
    return ((uint32_t *)(void *)c->of_node.p)[node] - 1;
}

static bool add_op(struct compiler *c, struct sc_op op)
{
    th_buf_add(&c->ops, &op, sizeof op);
    return !c->ops.failed || no_memory(c);
}

static bool add_pattern(struct compiler *c, uint32_t node, struct th_json text, uint32_t *index)
{
    struct th_iregexp_fault fault;
    struct th_iregexp re;
    struct sc_pattern p = {.slot = (uint32_t)(c->slots.n / sizeof *re.slots)};
    struct th_buf decoded;
    bool ok;

    th_buf_init(&decoded, TH_SCHEMA_BYTES);
    if (!th_json_string(text, &decoded) || decoded.failed) {
        th_buf_fini(&decoded);
        return no_memory(c);
    }
    ok = th_iregexp_compile_ecma(th_buf_view(&decoded), &re, &fault);
    th_buf_fini(&decoded);
    if (!ok)
        return fail(c, node, "the pattern, character %u: %s", fault.at, fault.what);
    p.slots = re.count;
    *index = COUNT_OF(sc_pattern, c->patterns);
    th_buf_add(&c->slots, re.slots, re.count * sizeof *re.slots);
    th_buf_add(&c->patterns, &p, sizeof p);
    if (c->slots.failed == TH_TOO_LARGE)
        return fail(c, node, "all patterns together are too large");
    return !(c->slots.failed || c->patterns.failed) || no_memory(c);
}

/* The members or elements of a keyword's value as parts. */
static bool add_parts(struct compiler *c, uint32_t value, bool patterns, uint32_t *count)
{
    const struct th_tape *t = &c->tape;

    for (uint32_t i = value + 1; i < th_tape_node(t, value)->next; i = th_tape_node(t, i)->next, ++*count) {
        struct sc_part p = {.node = i, .schema = index_of(c, i), .pattern = SC_NONE};

        if (patterns && !add_pattern(c, i, th_tape_name(t, i), &p.pattern))
            return false;
        th_buf_add(&c->parts, &p, sizeof p);
    }
    return !c->parts.failed || no_memory(c);
}

static bool type_bit(struct th_json name, uint32_t *bits)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } names[] = {{"null", 1u << TH_JSON_NULL},     {"boolean", 1u << TH_JSON_FALSE | 1u << TH_JSON_TRUE},
                 {"number", 1u << TH_JSON_NUMBER}, {"string", 1u << TH_JSON_STRING},
                 {"array", 1u << TH_JSON_ARRAY},   {"object", 1u << TH_JSON_OBJECT},
                 {"integer", SC_INTEGER}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (th_json_string_eq(name, th_str(names[i].name))) {
            *bits |= names[i].bits;
            return true;
        }
    return false;
}

static bool types(struct compiler *c, uint32_t value, uint32_t *bits)
{
    const struct th_tape *t = &c->tape;
    bool list = th_tape_value(t, value).type == TH_JSON_ARRAY;
    uint32_t end = th_tape_node(t, value)->next;

    for (uint32_t i = value + list; i < end; i = th_tape_node(t, i)->next)
        if (!type_bit(th_tape_value(t, i), bits))
            return fail(c, i,
                        "must be \"null\", \"boolean\", \"object\", \"array\", \"number\", \"integer\" or "
                        "\"string\"");
    return true;
}

static bool names(struct compiler *c, uint32_t value)
{
    const struct th_tape *t = &c->tape;

    if (th_tape_value(t, value).type != TH_JSON_ARRAY)
        return fail(c, value, "must be a list of names");
    for (uint32_t i = value + 1; i < th_tape_node(t, value)->next; i++)
        if (th_tape_value(t, i).type != TH_JSON_STRING)
            return fail(c, i, "must be a name");
    return true;
}

static bool names_map(struct compiler *c, uint32_t value)
{
    const struct th_tape *t = &c->tape;

    if (th_tape_value(t, value).type != TH_JSON_OBJECT)
        return fail(c, value, "must be an object of lists of names");
    for (uint32_t i = value + 1; i < th_tape_node(t, value)->next; i = th_tape_node(t, i)->next)
        if (!names(c, i))
            return false;
    return true;
}

/* Whether the value of a keyword is what it has to be; *a: the number or the bits that it says. */
static bool is_right(struct compiler *c, enum must must, uint32_t node, uint32_t *a)
{
    struct th_json v = th_tape_value(&c->tape, node);

    switch (must) {
    case NUMBER:
        return v.type == TH_JSON_NUMBER || fail(c, node, "must be a number");
    case ABOVE_ZERO:
        if (v.type != TH_JSON_NUMBER || th_number_compare(v.raw, TH_LIT("0")) <= 0)
            return fail(c, node, "must be a number above 0");
        return th_number_digits(v.raw) <= TH_NUMBER_DIGITS ||
               fail(c, node, "has more than %d digits", TH_NUMBER_DIGITS);
    case COUNT:
        return (v.type == TH_JSON_NUMBER && th_number_count(v.raw, a)) ||
               fail(c, node, "must be a whole number from 0 on");
    case STRING:
        return v.type == TH_JSON_STRING || fail(c, node, "must be a text");
    case BOOLEAN:
        *a = v.type == TH_JSON_TRUE;
        return v.type == TH_JSON_TRUE || v.type == TH_JSON_FALSE || fail(c, node, "must be true or false");
    case NAMES:
        return names(c, node);
    case NAMES_MAP:
        return names_map(c, node);
    case TYPES:
        return types(c, node, a);
    case ARRAY:
        return v.type == TH_JSON_ARRAY || fail(c, node, "must be a list");
    case ANYTHING:
        break;
    }
    return true;
}

/* What several keywords of one schema say together: nodes of their values, or NONE. */
struct gathered {
    uint32_t test, then, otherwise, prefix, items, contains, min, max, properties, patterns, additional,
        rest_items, rest_properties, least, most;
};

static void gather(struct compiler *c, struct gathered *g, uint32_t node, uint32_t count)
{
    const struct {
        const char *name;
        uint32_t *to;
    } rows[] = {{"if", &g->test},
                {"then", &g->then},
                {"else", &g->otherwise},
                {"prefixItems", &g->prefix},
                {"items", &g->items},
                {"contains", &g->contains},
                {"minContains", &g->min},
                {"maxContains", &g->max},
                {"properties", &g->properties},
                {"patternProperties", &g->patterns},
                {"additionalProperties", &g->additional},
                {"unevaluatedItems", &g->rest_items},
                {"unevaluatedProperties", &g->rest_properties}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_name(c, node, rows[i].name))
            *rows[i].to = node;
    if (g->min == node)
        g->least = count;
    if (g->max == node)
        g->most = count;
}

static uint32_t maybe(struct compiler *c, uint32_t node)
{
    return node == SC_NONE ? SC_NONE : index_of(c, node);
}

static bool add_gathered(struct compiler *c, const struct gathered *g)
{
    struct sc_op op;

    if (g->prefix != SC_NONE || g->items != SC_NONE) {
        op = (struct sc_op){.kind = SC_ITEMS, .node = g->items != SC_NONE ? g->items : g->prefix};
        op.part = COUNT_OF(sc_part, c->parts);
        op.a = maybe(c, g->items);
        if ((g->prefix != SC_NONE && !add_parts(c, g->prefix, false, &op.parts)) || !add_op(c, op))
            return false;
    }
    if (g->contains != SC_NONE && !add_op(c, (struct sc_op){.kind = SC_CONTAINS,
                                                            .node = g->contains,
                                                            .a = index_of(c, g->contains),
                                                            .b = g->least,
                                                            .c = g->most}))
        return false;
    if (g->properties != SC_NONE || g->patterns != SC_NONE || g->additional != SC_NONE) {
        op = (struct sc_op){.kind = SC_PROPERTIES,
                            .node = g->additional != SC_NONE   ? g->additional
                                    : g->properties != SC_NONE ? g->properties
                                                               : g->patterns};
        op.part = COUNT_OF(sc_part, c->parts);
        op.a = maybe(c, g->additional);
        if ((g->properties != SC_NONE && !add_parts(c, g->properties, false, &op.parts)) ||
            (g->patterns != SC_NONE && !add_parts(c, g->patterns, true, &op.b)) || !add_op(c, op))
            return false;
    }
    if (g->test != SC_NONE && !add_op(c, (struct sc_op){.kind = SC_IF,
                                                        .node = g->test,
                                                        .a = index_of(c, g->test),
                                                        .b = maybe(c, g->then),
                                                        .c = maybe(c, g->otherwise)}))
        return false;
    /* last: they see what all others have looked at */
    if (g->rest_items != SC_NONE &&
        !add_op(c, (struct sc_op){
                       .kind = SC_UNEVALUATED_ITEMS, .node = g->rest_items, .a = index_of(c, g->rest_items)}))
        return false;
    return g->rest_properties == SC_NONE || add_op(c, (struct sc_op){.kind = SC_UNEVALUATED_PROPERTIES,
                                                                     .node = g->rest_properties,
                                                                     .a = index_of(c, g->rest_properties)});
}

/* An operation of one keyword. */
static bool add_direct(struct compiler *c, const struct keyword *k, uint32_t node, uint32_t a,
                       uint32_t resource)
{
    struct sc_op op = {.kind = k->kind, .node = node, .a = a, .part = COUNT_OF(sc_part, c->parts)};
    struct th_buf text;
    bool ok;

    switch (k->kind) {
    case SC_UNIQUE:
        return !a || add_op(c, op);
    case SC_PATTERN:
        return add_pattern(c, node, th_tape_value(&c->tape, node), &op.a) && add_op(c, op);
    case SC_REF:
    case SC_DYNAMIC_REF:
        if (!string(c, node, &text))
            return false;
        ok = resolve(c, node, resource, th_buf_view(&text), &op.a, &op.b);
        th_buf_fini(&text);
        if (k->kind == SC_REF)
            op.b = SC_NONE;
        return ok && add_op(c, op);
    case SC_NOT:
    case SC_PROPERTY_NAMES:
        op.a = index_of(c, node);
        return add_op(c, op);
    case SC_ALL_OF:
    case SC_ANY_OF:
    case SC_ONE_OF:
    case SC_DEPENDENT_SCHEMAS:
        return add_parts(c, node, false, &op.parts) && add_op(c, op);
    default:
        return add_op(c, op);
    }
}

static bool compile(struct compiler *c, uint32_t index)
{
    struct sc_schema s = *schema_at(c, index);
    const struct th_tape *t = &c->tape;
    bool comparing = !resource_at(c, s.resource)->no_validation;
    struct gathered g;

    memset(&g, 0xff, sizeof g); /* SC_NONE */
    g.least = 1;
    s.op = COUNT_OF(sc_op, c->ops);
    if (th_tape_value(t, s.node).type == TH_JSON_OBJECT)
        for (uint32_t i = s.node + 1; i < th_tape_node(t, s.node)->next; i = th_tape_node(t, i)->next) {
            const struct keyword *k = keyword_of(c, i);
            uint32_t a = 0;

            if (!k || (k->compares && !comparing))
                continue;
            if (!is_right(c, k->must, i, &a))
                return false;
            if (k->how == GATHERED)
                gather(c, &g, i, a);
            else if (k->how == DIRECT && !add_direct(c, k, i, a, s.resource))
                return false;
        }
    if (!add_gathered(c, &g))
        return false;
    s.ops = COUNT_OF(sc_op, c->ops) - s.op;
    s.marks = g.rest_items != SC_NONE || g.rest_properties != SC_NONE;
    *schema_at(c, index) = s;
    return true;
}

/* ---- all of it ---- */

/* "$schema": the draft itself, or a document that says which vocabularies it has. */
static bool dialect(struct compiler *c, uint32_t root, bool *no_validation)
{
    uint32_t at =
        th_tape_value(&c->tape, root).type == TH_JSON_OBJECT ? member(c, root, TH_LIT("$schema")) : SC_NONE;
    const struct th_schema_document *d;
    struct th_json meta, vocabularies, one;
    struct th_buf uri;

    *no_validation = false;
    if (at == SC_NONE)
        return true;
    if (!string(c, at, &uri))
        return false;
    while (uri.n && uri.p[uri.n - 1] == '#')
        uri.n--;
    d = document(c, th_buf_view(&uri));
    th_buf_fini(&uri);
    if (!d)
        return fail(c, at, "must be \"%s\": other drafts are not taken", SPECIFICATION);
    if (th_json_read(d->text, TH_JSON_DEPTH, &meta, NULL) &&
        th_json_member(meta, TH_LIT("$vocabulary"), &vocabularies))
        *no_validation = !th_json_member(
            vocabularies, TH_LIT("https://json-schema.org/draft/2020-12/vocab/validation"), &one);
    return true;
}

static bool find_all(struct compiler *c)
{
    uint32_t node = 1, of_node = 0;

    for (uint32_t i = 0; i < th_tape_count(&c->tape); i++)
        th_buf_add(&c->of_node, &of_node, sizeof of_node);
    if (c->of_node.failed)
        return no_memory(c);
    for (unsigned i = 0; i <= c->read_count; i++, node = th_tape_node(&c->tape, node)->next) {
        struct th_span uri = i ? c->read[i - 1]->uri : th_span("", 0);
        bool no_validation;
        uint32_t resource, from = COUNT_OF(sc_resource, c->resources), at;

        if (!dialect(c, node, &no_validation) || !add_resource(c, node, th_span("", 0), uri, &resource))
            return false;
        resource_at(c, resource)->no_validation = no_validation;
        at = th_tape_value(&c->tape, node).type == TH_JSON_OBJECT ? member(c, node, TH_LIT("$id")) : SC_NONE;
        if (!find(c, node, resource))
            return false;
        /* where a document says another URI than that by which it was found, both are its own */
        if (at != SC_NONE)
            resource_at(c, from)->same = from + 1;
    }
    return true;
}

static void reset(struct compiler *c)
{
    struct th_buf *all[] = {&c->of_node, &c->schemas, &c->ops,       &c->parts, &c->patterns,
                            &c->slots,   &c->anchors, &c->resources, &c->uris,  &c->text};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        th_buf_reset(all[i]);
}

static bool read_texts(struct compiler *c, struct th_span text)
{
    th_buf_char(&c->text, '[');
    th_buf_span(&c->text, text);
    for (unsigned i = 0; i < c->read_count; i++) {
        th_buf_char(&c->text, ',');
        th_buf_span(&c->text, c->read[i]->text);
    }
    th_buf_char(&c->text, ']');
    return (!c->text.failed && th_tape_read(&c->tape, th_buf_view(&c->text)) == TH_OK) || no_memory(c);
}

static bool compile_all(struct compiler *c, struct th_span text)
{
    reset(c);
    if (!read_texts(c, text) || !find_all(c))
        return false;
    for (uint32_t i = 0; i < COUNT_OF(sc_schema, c->schemas); i++) /* it grows meanwhile */
        if (!compile(c, i))
            return false;
    return true;
}

static void *moved(struct th_arena *mem, const struct th_buf *b)
{
    void *p = th_arena_get(mem, b->n ? b->n : 1);

    if (p && b->n)
        memcpy(p, b->p, b->n);
    return p;
}

static struct th_schema *finish(struct compiler *c)
{
    struct th_arena mem;
    struct th_schema *s;
    struct th_span *uris, text;
    bool ok = true;

    th_arena_init(&mem, TH_SCHEMA_COMPILED);
    s = th_arena_get(&mem, sizeof *s);
    if (!s)
        goto err_memory;
    s->anchor_count = COUNT_OF(sc_anchor, c->anchors);
    uris = th_arena_get(&mem, (c->read_count + 1) * sizeof *uris);
    for (unsigned i = 0; uris && ok && i < c->read_count; i++)
        ok = th_arena_copy(&mem, c->read[i]->uri, &uris[i]);
    s->uris = uris;
    s->schemas = moved(&mem, &c->schemas);
    s->ops = moved(&mem, &c->ops);
    s->parts = moved(&mem, &c->parts);
    s->patterns = moved(&mem, &c->patterns);
    s->slots = moved(&mem, &c->slots);
    s->anchors = moved(&mem, &c->anchors);
    ok = ok && th_arena_copy(&mem, th_buf_view(&c->text), &text);
    if (!ok || !uris || !s->schemas || !s->ops || !s->parts || !s->patterns || !s->slots || !s->anchors)
        goto err_memory;
    th_tape_init(&s->tape);
    if (th_tape_read(&s->tape, text) != TH_OK) {
        th_tape_fini(&s->tape);
        goto err_memory;
    }
    th_ref_init(&s->refs);
    s->mem = mem;
    return s;

err_memory:
    th_arena_fini(&mem);
    return NULL;
}

static void begin(struct compiler *c)
{
    const size_t max = TH_SCHEMA_COMPILED / 4;

    th_tape_init(&c->tape);
    th_buf_init(&c->text, max);
    th_buf_init(&c->of_node, max);
    th_buf_init(&c->schemas, max);
    th_buf_init(&c->ops, max);
    th_buf_init(&c->parts, max);
    th_buf_init(&c->patterns, max);
    th_buf_init(&c->slots, max);
    th_buf_init(&c->anchors, max);
    th_buf_init(&c->resources, max);
    th_buf_init(&c->uris, max);
}

static void end(struct compiler *c)
{
    struct th_buf *all[] = {&c->of_node, &c->schemas, &c->ops,       &c->parts, &c->patterns,
                            &c->slots,   &c->anchors, &c->resources, &c->uris,  &c->text};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        th_buf_fini(all[i]);
    th_tape_fini(&c->tape);
}

enum th_error th_schema_compile(struct th_span text, const struct th_schema_document *more, size_t count,
                                struct th_schema **out, struct th_schema_fault *fault)
{
    struct compiler c = {.fault = fault, .more = more, .more_count = count, .work = WORK};
    struct th_json_error error;
    struct th_json root;

    if (fault)
        fault->pointer[0] = 0;
    if (text.n > TH_SCHEMA_BYTES) {
        if (fault)
            snprintf(fault->what, sizeof fault->what, "has %zu bytes; at most %u are allowed", text.n,
                     TH_SCHEMA_BYTES);
        return TH_MALFORMED;
    }
    if (th_json_parse(text, TH_JSON_DEPTH, &root, &error) != TH_OK) {
        if (fault)
            snprintf(fault->what, sizeof fault->what, "line %u, column %u: %s", error.line, error.column,
                     error.what);
        return TH_MALFORMED;
    }
    begin(&c);
    while (!compile_all(&c, root.raw) && c.error == TH_RETRY) {
        c.read[c.read_count] = c.wanted;
        c.read_uris[c.read_count++] = c.wanted->uri;
        c.error = TH_OK;
    }
    if (!c.error) {
        *out = finish(&c);
        if (!*out)
            c.error = TH_NOMEM;
    }
    end(&c);
    return c.error;
}

void th_schema_unref(struct th_schema *s)
{
    struct th_arena mem;

    if (!s || !th_ref_put(&s->refs))
        return;
    th_tape_fini(&s->tape);
    mem = s->mem; /* s is in it */
    th_arena_fini(&mem);
}
