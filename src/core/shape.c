/* Compiles shapes: the list of members that a dialect file writes becomes a flat program of operations.
 *
 * Refuses: unknown keys, sources and forms; two members of one name; lists inside lists; more than
 * SHAPE_DEPTH levels. The recursion follows the nesting of the file's shape and is bounded by that. */
#include "core/shape.h"
#include "core/dialect_parts.h"

struct compiler {
    struct dl_where *w;
    const struct shape_context *c;
    struct shape_op ops[SHAPE_OPS];
    unsigned count;
    bool per_delivery, in_each;
};

struct member { /* the keys of one member, as nodes */
    const struct th_node *name, *from, *value, *shape, *each, *as, *map, *when, *otherwise, *null;
};

static const struct {
    const char *name;
    size_t at;
} member_keys[] = {
    {"name", offsetof(struct member, name)},
    {"from", offsetof(struct member, from)},
    {"value", offsetof(struct member, value)},
    {"shape", offsetof(struct member, shape)},
    {"each", offsetof(struct member, each)},
    {"as", offsetof(struct member, as)},
    {"map", offsetof(struct member, map)},
    {"when", offsetof(struct member, when)},
    {"otherwise", offsetof(struct member, otherwise)},
    {"null", offsetof(struct member, null)},
};

static const char *const forms[] = {
    [SHAPE_AS_IS] = "as_is",     [SHAPE_STRING] = "string",
    [SHAPE_INTEGER] = "integer", [SHAPE_BOOLEAN] = "boolean",
    [SHAPE_RFC3339] = "rfc3339", [SHAPE_RFC3339_MILLIS] = "rfc3339_millis",
    [SHAPE_UNIX] = "unix",       [SHAPE_UNIX_MILLIS] = "unix_millis",
    [SHAPE_RAW] = "raw",
};

/* What an envelope can name. */
static const struct {
    const char *name;
    enum shape_source source;
    bool per_delivery, required;
} event_sources[] = {
    {"data", SHAPE_DATA, false, true},
    {"event.id", SHAPE_EVENT_ID, false, false},
    {"event.type", SHAPE_EVENT_TYPE, false, true},
    {"event.type.object", SHAPE_TYPE_OBJECT, false, false},
    {"event.type.action", SHAPE_TYPE_ACTION, false, false},
    {"event.time", SHAPE_EVENT_TIME, false, false},
    {"event.resource_type", SHAPE_RESOURCE_TYPE, false, true},
    {"event.resource_id", SHAPE_RESOURCE_ID, false, true},
    {"tenant.id", SHAPE_TENANT_ID, false, false},
    {"endpoint.id", SHAPE_ENDPOINT_ID, true, false},
    {"endpoint.url", SHAPE_ENDPOINT_URL, true, false},
    {"delivery.id", SHAPE_DELIVERY_ID, true, false},
    {"attempt.number", SHAPE_ATTEMPT_NUMBER, true, false},
    {"attempt.time", SHAPE_ATTEMPT_TIME, true, false},
};

/* What an API shape can name: the fields that the management API offers, see docs/dialects.md. */
static const char *const native_sources[] = {"id",
                                             "url",
                                             "url_secret",
                                             "events",
                                             "active",
                                             "enabled",
                                             "description",
                                             "metadata",
                                             "headers",
                                             "options",
                                             "timeout_seconds",
                                             "max_in_flight",
                                             "rate_limit_per_second",
                                             "signature_variant",
                                             "created_at",
                                             "updated_at",
                                             "disabled",
                                             "secret",
                                             "event_id",
                                             "event_type",
                                             "endpoint_id",
                                             "delivery_id",
                                             "status",
                                             "reason",
                                             "attempt_count",
                                             "at",
                                             "next_attempt_at",
                                             "ended_at",
                                             "attempt_number",
                                             "success",
                                             "outcome",
                                             "last_attempt_at",
                                             "http_status",
                                             "duration_ms",
                                             "request_body",
                                             "response_body",
                                             "error",
                                             "total",
                                             "total_pages",
                                             "page",
                                             "page_size",
                                             "next_cursor",
                                             "title",
                                             "detail",
                                             "request_id",
                                             "code",
                                             "category",
                                             "field",
                                             "pointer",
                                             "message"};
static const char *const native_lists[] = {"endpoints", "deliveries", "errors"};

/* A fault of one key of a member. Always false. */
#define FAIL_KEY(k, node, ...) (dl_enter((k)->w, (node)->key), dl_fail((k)->w, (node)->line, __VA_ARGS__))

static bool scalar(struct compiler *k, const struct th_node *node)
{
    return node->kind == TH_NODE_SCALAR || FAIL_KEY(k, node, "must be a scalar");
}

static struct shape_op *push(struct compiler *k, enum shape_kind kind, unsigned line)
{
    if (k->count == SHAPE_OPS) {
        dl_fail(k->w, line, "has more than %d parts", SHAPE_OPS);
        return NULL;
    }
    k->ops[k->count] = (struct shape_op){.kind = kind};
    return &k->ops[k->count++];
}

/* ---- pieces of a member ---- */

static bool is_pointer(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return true;
}

static bool read_source(struct compiler *k, const struct th_node *node, struct shape_from *out,
                        bool *required)
{
    struct th_span attributes = TH_LIT("tenant.attributes."), arg = node->text;

    *required = false;
    if (!scalar(k, node))
        return false;
    if (k->c->envelope) {
        for (size_t i = 0; i < sizeof event_sources / sizeof *event_sources; i++)
            if (th_span_is(node->text, event_sources[i].name)) {
                k->per_delivery |= event_sources[i].per_delivery;
                *required = event_sources[i].required;
                *out = (struct shape_from){.source = event_sources[i].source};
                return true;
            }
        if (th_span_starts(arg, attributes) && arg.n > attributes.n) {
            out->source = SHAPE_TENANT_ATTRIBUTE;
            arg = th_span(arg.p + attributes.n, arg.n - attributes.n);
        } else if (arg.n && arg.p[0] == '/') {
            if (!is_pointer(arg))
                return FAIL_KEY(k, node, "is no JSON pointer: ~ is written ~0, / in a name ~1");
            out->source = SHAPE_DATA_MEMBER;
            *required = true;
        } else {
            return FAIL_KEY(k, node, "unknown source \"%.*s\"", (int)(arg.n < 60 ? arg.n : 60), arg.p);
        }
    } else {
        size_t i, n = sizeof native_sources / sizeof *native_sources;
        for (i = 0; i < n && !th_span_is(arg, native_sources[i]); i++)
            ;
        if (i == n)
            return FAIL_KEY(k, node, "unknown source \"%.*s\"", (int)(arg.n < 60 ? arg.n : 60), arg.p);
        out->source = SHAPE_NATIVE;
    }
    out->arg = dl_copy(k->w->arena, arg);
    return out->arg.p || dl_fail_nomem(k->w);
}

/* A scalar of the file as JSON: unquoted true, false, null and whole numbers are themselves, the rest is a
 * string. */
static bool constant(struct compiler *k, const struct th_node *node, struct th_span *out)
{
    struct th_buf text;
    struct th_jw jw = th_jw(&text);
    struct th_json root;
    bool literal, ok;

    if (!scalar(k, node))
        return false;
    literal = !node->quoted && th_json_parse(node->text, 1, &root, NULL) == TH_OK &&
              root.type != TH_JSON_STRING && root.type != TH_JSON_ARRAY && root.type != TH_JSON_OBJECT;
    th_buf_init(&text, 4096);
    if (literal)
        th_jw_raw(&jw, node->text);
    else
        th_jw_string(&jw, node->text);
    if (text.failed) {
        ok = text.failed == TH_NOMEM ? dl_fail_nomem(k->w) : FAIL_KEY(k, node, "is too long");
    } else {
        *out = dl_copy(k->w->arena, th_buf_view(&text));
        ok = out->p || dl_fail_nomem(k->w);
    }
    th_buf_fini(&text);
    return ok;
}

/* `"name":`, ready to be copied. */
static bool member_name(struct compiler *k, const struct th_node *node, struct th_span *out)
{
    struct th_buf text;
    struct th_jw jw = th_jw(&text);
    bool digits = true, ok;

    if (!scalar(k, node))
        return false;
    if (!node->text.n)
        return FAIL_KEY(k, node, "must not be empty");
    for (size_t i = 0; i < node->text.n; i++)
        digits &= node->text.p[i] >= '0' && node->text.p[i] <= '9';
    if (digits && k->c->ecmascript)
        return FAIL_KEY(k, node, "ECMAScript would move a member with a number for a name");
    th_buf_init(&text, 1024);
    th_jw_string(&jw, node->text);
    th_buf_char(&text, ':');
    if (text.failed) {
        ok = text.failed == TH_NOMEM ? dl_fail_nomem(k->w) : FAIL_KEY(k, node, "the name is too long");
    } else {
        *out = dl_copy(k->w->arena, th_buf_view(&text));
        ok = out->p || dl_fail_nomem(k->w);
    }
    th_buf_fini(&text);
    return ok;
}

static bool read_form(struct compiler *k, const struct th_node *node, enum shape_as *out)
{
    if (!scalar(k, node))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (th_span_is(node->text, forms[i])) {
            *out = (enum shape_as)i;
            return true;
        }
    return FAIL_KEY(k, node,
                    "unknown form \"%.*s\"; one of: string, integer, boolean, rfc3339, rfc3339_millis, "
                    "unix, unix_millis, raw",
                    (int)(node->text.n < 40 ? node->text.n : 40), node->text.p);
}

static bool read_renames(struct compiler *k, const struct th_node *node, struct shape_op *op)
{
    struct shape_map *map;
    unsigned n = 0;
    size_t old;

    if (node->kind != TH_NODE_MAP || !node->first)
        return FAIL_KEY(k, node, "must be a map of at least one value");
    for (const struct th_node *e = node->first; e; e = e->next)
        n++;
    map = dl_alloc(k->w->arena, sizeof *map * (n ? n : 1));
    if (!map)
        return dl_fail_nomem(k->w);
    op->map = map;
    old = dl_enter(k->w, node->key);
    for (const struct th_node *e = node->first; e; e = e->next) {
        map->from = dl_copy(k->w->arena, e->key);
        if (!map->from.p)
            return dl_fail_nomem(k->w);
        if (!constant(k, e, &map->to))
            return false;
        map++;
        op->map_count++;
    }
    dl_leave(k->w, old);
    return true;
}

static bool read_flag(struct compiler *k, const struct th_node *node, bool *out)
{
    if (!scalar(k, node))
        return false;
    if (node->quoted || (!th_span_is(node->text, "true") && !th_span_is(node->text, "false")))
        return FAIL_KEY(k, node, "must be true or false");
    *out = node->text.n == 4;
    return true;
}

static bool read_keys(struct compiler *k, const struct th_node *node, struct member *m)
{
    if (node->kind != TH_NODE_MAP)
        return dl_fail(k->w, node->line, "must be a map");
    *m = (struct member){.name = NULL};
    for (const struct th_node *e = node->first; e; e = e->next) {
        size_t old = dl_enter(k->w, e->key), i, n = sizeof member_keys / sizeof *member_keys;
        const struct th_node **at;
        for (i = 0; i < n && !th_span_is(e->key, member_keys[i].name); i++)
            ;
        if (i == n)
            return dl_fail(k->w, e->line, "unknown key");
        at = (const struct th_node **)(void *)((char *)m + member_keys[i].at);
        if (*at)
            return dl_fail(k->w, e->line, "is given twice");
        *at = e;
        dl_leave(k->w, old);
    }
    return true;
}

/* ---- members and objects ---- */

static bool compile_object(struct compiler *k, const struct th_node *node, struct th_span name,
                           unsigned depth);

static bool compile_field(struct compiler *k, const struct member *m, struct th_span name)
{
    struct shape_op op = {.kind = SHAPE_FIELD, .name = name}, *at;
    bool required, ignored;

    if (!read_source(k, m->from, &op.from, &required))
        return false;
    if (m->as && !read_form(k, m->as, &op.as))
        return false;
    if (m->map && !read_renames(k, m->map, &op))
        return false;
    if (m->otherwise && !read_source(k, m->otherwise, &op.other, &ignored))
        return false;
    if (m->null && !read_flag(k, m->null, &op.or_null))
        return false;
    op.required = required && !(m->when && th_span_is(m->when->text, "present"));
    at = push(k, SHAPE_FIELD, m->from->line);
    if (!at)
        return false;
    *at = op;
    return true;
}

/* A nested shape is written out in place, or named: one of the API's own shapes. */
static const struct th_node *find_shape(struct compiler *k, const struct th_node *node)
{
    if (node->kind != TH_NODE_SCALAR)
        return node;
    for (unsigned i = 0; i < TH_SHAPE_COUNT; i++)
        if (k->c->named[i] && th_span_is(node->text, shape_names[i]))
            return k->c->named[i];
    FAIL_KEY(k, node, "there is no shape of this name");
    return NULL;
}

static bool compile_each(struct compiler *k, const struct member *m, struct th_span name, unsigned depth)
{
    const struct th_node *shape;
    struct shape_op *op;
    unsigned each, start = k->count;
    size_t i, n = sizeof native_lists / sizeof *native_lists;
    struct th_span list;

    if (k->c->envelope || k->in_each)
        return FAIL_KEY(k, m->each, "a list cannot stand here");
    if (!scalar(k, m->each))
        return false;
    for (i = 0; i < n && !th_span_is(m->each->text, native_lists[i]); i++)
        ;
    if (i == n)
        return FAIL_KEY(k, m->each, "unknown list; one of: endpoints, deliveries, errors");
    if (!m->shape)
        return FAIL_KEY(k, m->each, "needs a shape for its elements");
    list = dl_copy(k->w->arena, m->each->text);
    if (!list.p)
        return dl_fail_nomem(k->w);
    shape = find_shape(k, m->shape);
    op = shape ? push(k, SHAPE_LIST, m->each->line) : NULL;
    if (!op)
        return false;
    op->name = name;
    op->from.arg = list;
    each = k->count;
    op = push(k, SHAPE_EACH, m->each->line);
    if (!op)
        return false;
    op->from.arg = list;
    k->in_each = true;
    if (!compile_object(k, shape, (struct th_span){NULL, 0}, depth + 1))
        return false;
    k->in_each = false;
    op = push(k, SHAPE_NEXT, m->each->line);
    if (!op)
        return false;
    op->jump = each + 1;
    k->ops[each].jump = k->count;
    if (!push(k, SHAPE_LIST_END, m->each->line))
        return false;
    if (m->when && th_span_is(m->when->text, "present")) /* an empty list is left out */
        k->ops[start].jump = k->count - start - 1;
    return true;
}

static bool compile_what(struct compiler *k, const struct member *m, struct th_span name, unsigned line,
                         unsigned depth)
{
    struct shape_op *op;

    if (!!m->from + !!m->value + (m->shape && !m->each) + !!m->each != 1)
        return dl_fail(k->w, line, "needs exactly one of from, value, shape and each");
    if (!m->from && (m->as || m->map || m->otherwise || m->null))
        return dl_fail(k->w, line, "as, map, otherwise and null need from");
    if (m->from)
        return compile_field(k, m, name);
    if (m->each)
        return compile_each(k, m, name, depth);
    if (m->shape) {
        const struct th_node *shape = find_shape(k, m->shape);
        return shape && compile_object(k, shape, name, depth + 1);
    }
    op = push(k, SHAPE_CONST, line);
    if (!op)
        return false;
    op->name = name;
    return constant(k, m->value, &op->json);
}

static bool compile_member(struct compiler *k, const struct th_node *node, unsigned depth)
{
    struct member m;
    struct th_span name;
    unsigned guard = k->count;
    bool created;

    if (!read_keys(k, node, &m))
        return false;
    if (!m.name)
        return dl_fail(k->w, node->line, "needs a name");
    if (!member_name(k, m.name, &name))
        return false;
    created = m.when && m.when->kind == TH_NODE_SCALAR && th_span_is(m.when->text, "created");
    if (m.when && !created && !(m.when->kind == TH_NODE_SCALAR && th_span_is(m.when->text, "present")))
        return FAIL_KEY(k, m.when, "unknown condition; one of: created, present");
    if (created && !push(k, SHAPE_CREATED, node->line))
        return false;
    if (!compile_what(k, &m, name, node->line, depth))
        return false;
    if (created)
        k->ops[guard].jump = k->count - guard - 1;
    return true;
}

static bool same_name(const struct th_node *a, const struct th_node *b)
{
    const struct th_node *x = a->first, *y = b->first;

    while (x && !th_span_is(x->key, "name"))
        x = x->next;
    while (y && !th_span_is(y->key, "name"))
        y = y->next;
    return x && y && th_span_eq(x->text, y->text);
}

static bool compile_object(struct compiler *k, const struct th_node *node, struct th_span name,
                           unsigned depth)
{
    struct shape_op *op;
    unsigned i = 0;

    if (depth > SHAPE_DEPTH)
        return dl_fail(k->w, node->line, "is nested more than %d levels deep", SHAPE_DEPTH);
    if (node->kind != TH_NODE_LIST)
        return dl_fail(k->w, node->line, "must be a list of members");
    if (!node->first)
        return dl_fail(k->w, node->line, "needs at least one member");
    op = push(k, SHAPE_OPEN, node->line);
    if (!op)
        return false;
    op->name = name;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = dl_enter_index(k->w, i);
        for (const struct th_node *f = node->first; f != e; f = f->next)
            if (same_name(e, f))
                return dl_fail(k->w, e->line, "the name is given twice");
        if (!compile_member(k, e, depth))
            return false;
        dl_leave(k->w, old);
    }
    return push(k, SHAPE_CLOSE, node->line) != NULL;
}

static bool compile_root(struct compiler *k, const struct th_node *node)
{
    struct member m;

    if (node->kind != TH_NODE_MAP)
        return compile_object(k, node, (struct th_span){NULL, 0}, 0);
    if (!read_keys(k, node, &m))
        return false;
    if (!m.each || m.name || m.from || m.value || m.as || m.map || m.when || m.otherwise || m.null)
        return dl_fail(k->w, node->line, "must be a list of members, or a map of each and shape");
    return compile_each(k, &m, (struct th_span){NULL, 0}, 0);
}

bool shape_compile(struct dl_where *w, const struct shape_context *c, const struct th_node *node,
                   struct shape_program *out)
{
    struct compiler k = {.w = w, .c = c};
    struct shape_op *ops;

    if (!compile_root(&k, node))
        return false;
    ops = dl_alloc(w->arena, sizeof *ops * k.count);
    if (!ops)
        return dl_fail_nomem(w);
    memcpy(ops, k.ops, sizeof *ops * k.count);
    *out = (struct shape_program){ops, k.count, k.per_delivery};
    return true;
}
