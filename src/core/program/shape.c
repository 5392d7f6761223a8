/* Compiles shapes: the list of members that a dialect file writes becomes a program.
 *
 * Refuses: unknown keys, sources and forms; two members of one name; lists inside lists; more than
 * TH_SHAPE_DEPTH levels. The recursion follows the nesting of the file's shape and is bounded by that. */
#include "core/program/program.h"

struct compiler {
    struct th_where *w;
    const struct th_shape_context *c;
    struct th_program_op ops[TH_SHAPE_OPS];
    unsigned count, flags;
    uint32_t fields;
    bool in_each;
};

struct keys { /* the keys of one member, as nodes */
    const struct th_node *name, *from, *value, *shape, *each, *as, *map, *when, *otherwise, *null;
};

static const struct {
    const char *name;
    size_t at;
} member_keys[] = {
    {"name", offsetof(struct keys, name)},
    {"from", offsetof(struct keys, from)},
    {"value", offsetof(struct keys, value)},
    {"shape", offsetof(struct keys, shape)},
    {"each", offsetof(struct keys, each)},
    {"as", offsetof(struct keys, as)},
    {"map", offsetof(struct keys, map)},
    {"when", offsetof(struct keys, when)},
    {"otherwise", offsetof(struct keys, otherwise)},
    {"null", offsetof(struct keys, null)},
};

static const char *const forms[] = {
    [TH_FORM_AS_IS] = "as_is",     [TH_FORM_STRING] = "string",
    [TH_FORM_INTEGER] = "integer", [TH_FORM_BOOLEAN] = "boolean",
    [TH_FORM_RFC3339] = "rfc3339", [TH_FORM_RFC3339_MILLIS] = "rfc3339_millis",
    [TH_FORM_UNIX] = "unix",       [TH_FORM_UNIX_MILLIS] = "unix_millis",
    [TH_FORM_RAW] = "raw",
};
static const char *const lists[TH_LIST_COUNT] = {"endpoints", "deliveries", "errors"};

static bool scalar(struct compiler *k, const struct th_node *node)
{
    return node->kind == TH_NODE_SCALAR || TH_WHERE_FAIL_KEY(k->w, node, "must be a scalar");
}

static struct th_program_op *push(struct compiler *k, enum th_do kind, unsigned line)
{
    if (k->count == TH_SHAPE_OPS) {
        th_where_fail(k->w, line, "has more than %d parts", TH_SHAPE_OPS);
        return NULL;
    }
    k->ops[k->count] = (struct th_program_op){.kind = (uint8_t)kind};
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

static bool read_source(struct compiler *k, const struct th_node *node, struct th_field_ref *out)
{
    int shown = (int)(node->text.n < 60 ? node->text.n : 60);
    bool here;

    if (!scalar(k, node))
        return false;
    *out = th_field_find(node->text, k->c->place, &here);
    if (out->field == TH_F_NONE)
        return TH_WHERE_FAIL_KEY(k->w, node, "unknown source \"%.*s\"", shown, node->text.p);
    if (!here)
        return TH_WHERE_FAIL_KEY(k->w, node, "\"%.*s\" has no meaning here", shown, node->text.p);
    if (out->field == TH_F_MEMBER && !is_pointer(out->arg))
        return TH_WHERE_FAIL_KEY(k->w, node, "is not a JSON pointer: ~ is written ~0, and / in a name ~1");
    k->flags |= th_field_flags(out->field);
    k->fields |= k->c->place == TH_IN_API ? 0 : TH_FIELD_BIT(out->field);
    if (out->arg.n) {
        out->arg = th_where_copy(k->w, out->arg);
        return out->arg.p != NULL;
    }
    return true;
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
        ok = text.failed == TH_NOMEM ? th_where_fail_nomem(k->w)
                                     : TH_WHERE_FAIL_KEY(k->w, node, "is too long");
    } else {
        *out = th_where_copy(k->w, th_buf_view(&text));
        ok = out->p != NULL;
    }
    th_buf_fini(&text);
    return ok;
}

/* `,"name":`, ready to be copied; the first member of an object goes without the comma. */
static bool member_name(struct compiler *k, const struct th_node *node, struct th_span *out)
{
    struct th_buf text;
    struct th_jw jw = th_jw(&text);
    bool digits = true, ok;

    if (!scalar(k, node))
        return false;
    if (!node->text.n)
        return TH_WHERE_FAIL_KEY(k->w, node, "must not be empty");
    for (size_t i = 0; i < node->text.n; i++)
        digits &= node->text.p[i] >= '0' && node->text.p[i] <= '9';
    if (digits && k->c->ecmascript)
        return TH_WHERE_FAIL_KEY(k->w, node, "ECMAScript would move a member with a number for a name");
    th_buf_init(&text, 1024);
    th_buf_char(&text, ',');
    th_jw_string(&jw, node->text);
    th_buf_char(&text, ':');
    if (text.failed) {
        ok = text.failed == TH_NOMEM ? th_where_fail_nomem(k->w)
                                     : TH_WHERE_FAIL_KEY(k->w, node, "the name is too long");
    } else {
        *out = th_where_copy(k->w, th_buf_view(&text));
        ok = out->p != NULL;
    }
    th_buf_fini(&text);
    return ok;
}

static bool read_form(struct compiler *k, const struct th_node *node, enum th_form *out)
{
    if (!scalar(k, node))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (th_span_is(node->text, forms[i])) {
            *out = (enum th_form)i;
            return true;
        }
    return TH_WHERE_FAIL_KEY(
        k->w, node,
        "unknown form \"%.*s\"; one of: string, integer, boolean, rfc3339, rfc3339_millis, "
        "unix, unix_millis, raw",
        (int)(node->text.n < 40 ? node->text.n : 40), node->text.p);
}

static bool read_renames(struct compiler *k, const struct th_node *node, struct th_member *out)
{
    struct th_renames *map;
    unsigned n = 0;
    size_t old;

    if (node->kind != TH_NODE_MAP || !node->first)
        return TH_WHERE_FAIL_KEY(k->w, node, "must be a map of at least one value");
    for (const struct th_node *e = node->first; e; e = e->next)
        n++;
    map = th_where_alloc(k->w, sizeof *map * n);
    if (!map)
        return false;
    out->map = map;
    old = th_where_enter(k->w, node->key);
    for (const struct th_node *e = node->first; e; e = e->next, map++) {
        map->from = th_where_copy(k->w, e->key);
        if (!map->from.p || !constant(k, e, &map->to))
            return false;
        out->map_count++;
    }
    th_where_leave(k->w, old);
    return true;
}

static bool read_flag(struct compiler *k, const struct th_node *node, bool *out)
{
    if (!scalar(k, node))
        return false;
    if (node->quoted || (!th_span_is(node->text, "true") && !th_span_is(node->text, "false")))
        return TH_WHERE_FAIL_KEY(k->w, node, "must be true or false");
    *out = node->text.n == 4;
    return true;
}

static bool read_keys(struct compiler *k, const struct th_node *node, struct keys *m)
{
    if (node->kind != TH_NODE_MAP)
        return th_where_fail(k->w, node->line, "must be a map");
    *m = (struct keys){.name = NULL};
    for (const struct th_node *e = node->first; e; e = e->next) {
        size_t old = th_where_enter(k->w, e->key), i, n = sizeof member_keys / sizeof *member_keys;
        const struct th_node **at;
        for (i = 0; i < n && !th_span_is(e->key, member_keys[i].name); i++)
            ;
        if (i == n)
            return th_where_fail(k->w, e->line, "unknown key");
        at = (const struct th_node **)(void *)((char *)m + member_keys[i].at);
        if (*at)
            return th_where_fail(k->w, e->line, "is given twice");
        *at = e;
        th_where_leave(k->w, old);
    }
    return true;
}

/* ---- members and objects ---- */

static bool compile_object(struct compiler *k, const struct th_node *node, struct th_span name,
                           unsigned depth);

static bool compile_field(struct compiler *k, const struct keys *m, struct th_span name)
{
    struct th_member *member = th_where_alloc(k->w, sizeof *member);
    struct th_program_op op = {.kind = TH_DO_MEMBER, .text = name, .member = member}, *at;
    enum th_form form = TH_FORM_AS_IS;

    if (!member || !read_source(k, m->from, &op.from))
        return false;
    if (m->as && !read_form(k, m->as, &form))
        return false;
    op.from.form = form;
    if (m->map && !read_renames(k, m->map, member))
        return false;
    if (m->otherwise && !read_source(k, m->otherwise, &member->other))
        return false;
    if (m->null && !read_flag(k, m->null, &member->or_null))
        return false;
    member->required = (th_field_flags(op.from.field) & TH_FIELD_IS_REQUIRED) &&
                       !(m->when && th_span_is(m->when->text, "present"));
    at = push(k, TH_DO_MEMBER, m->from->line);
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
    for (unsigned i = 0; i < k->c->named_count; i++)
        if (k->c->named[i] && th_span_is(node->text, k->c->names[i]))
            return k->c->named[i];
    TH_WHERE_FAIL_KEY(k->w, node, "there is no shape of this name");
    return NULL;
}

static bool find_list(struct compiler *k, const struct th_node *node, uint8_t *list)
{
    if (!scalar(k, node))
        return false;
    for (*list = 0; *list < TH_LIST_COUNT; ++*list)
        if (th_span_is(node->text, lists[*list]))
            return true;
    return TH_WHERE_FAIL_KEY(k->w, node, "unknown list; one of: endpoints, deliveries, errors");
}

static bool compile_each(struct compiler *k, const struct keys *m, struct th_span name, unsigned depth)
{
    const struct th_node *shape;
    struct th_program_op *op;
    unsigned each, start = k->count;
    uint8_t list;

    if (k->c->place != TH_IN_API || k->in_each)
        return TH_WHERE_FAIL_KEY(k->w, m->each, "a list cannot stand here");
    if (!find_list(k, m->each, &list))
        return false;
    if (!m->shape)
        return TH_WHERE_FAIL_KEY(k->w, m->each, "needs a shape for its elements");
    shape = find_shape(k, m->shape);
    op = shape ? push(k, TH_DO_LIST, m->each->line) : NULL;
    if (!op)
        return false;
    op->text = name;
    op->arg = list;
    each = k->count;
    op = push(k, TH_DO_EACH, m->each->line);
    if (!op)
        return false;
    op->arg = list;
    k->in_each = true;
    if (!compile_object(k, shape, (struct th_span){NULL, 0}, depth + 1))
        return false;
    k->in_each = false;
    op = push(k, TH_DO_NEXT, m->each->line);
    if (!op)
        return false;
    op->jump = (uint16_t)(each + 1);
    k->ops[each].jump = (uint16_t)k->count;
    if (!push(k, TH_DO_LIST_END, m->each->line))
        return false;
    if (m->when && th_span_is(m->when->text, "present")) /* an empty list is left out */
        k->ops[start].jump = (uint16_t)(k->count - start - 1);
    return true;
}

static bool compile_what(struct compiler *k, const struct keys *m, struct th_span name, unsigned line,
                         unsigned depth)
{
    struct th_program_op *op;

    if (!!m->from + !!m->value + (m->shape && !m->each) + !!m->each != 1)
        return th_where_fail(k->w, line, "needs exactly one of from, value, shape and each");
    if (!m->from && (m->as || m->map || m->otherwise || m->null))
        return th_where_fail(k->w, line, "as, map, otherwise and null need from");
    if (m->from)
        return compile_field(k, m, name);
    if (m->each)
        return compile_each(k, m, name, depth);
    if (m->shape) {
        const struct th_node *shape = find_shape(k, m->shape);
        return shape && compile_object(k, shape, name, depth + 1);
    }
    op = push(k, TH_DO_CONST, line);
    if (!op)
        return false;
    op->text = name;
    return constant(k, m->value, &op->from.arg);
}

static bool compile_member(struct compiler *k, const struct th_node *node, unsigned depth)
{
    struct keys m;
    struct th_span name;
    unsigned guard = k->count;
    bool created;

    if (!read_keys(k, node, &m))
        return false;
    if (!m.name)
        return th_where_fail(k->w, node->line, "needs a name");
    if (!member_name(k, m.name, &name))
        return false;
    created = m.when && m.when->kind == TH_NODE_SCALAR && th_span_is(m.when->text, "created");
    if (m.when && !created && !(m.when->kind == TH_NODE_SCALAR && th_span_is(m.when->text, "present")))
        return TH_WHERE_FAIL_KEY(k->w, m.when, "unknown condition; one of: created, present");
    if (created) {
        struct th_program_op *op = push(k, TH_DO_WHEN, node->line);
        if (!op)
            return false;
        op->arg = k->c->created;
    }
    if (!compile_what(k, &m, name, node->line, depth))
        return false;
    if (created)
        k->ops[guard].jump = (uint16_t)(k->count - guard - 1);
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
    struct th_program_op *op;
    unsigned i = 0;

    if (depth > TH_SHAPE_DEPTH)
        return th_where_fail(k->w, node->line, "is nested more than %d levels deep", TH_SHAPE_DEPTH);
    if (node->kind != TH_NODE_LIST)
        return th_where_fail(k->w, node->line, "must be a list of members");
    if (!node->first)
        return th_where_fail(k->w, node->line, "needs at least one member");
    op = push(k, TH_DO_OPEN, node->line);
    if (!op)
        return false;
    op->text = name;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = th_where_enter_index(k->w, i);
        for (const struct th_node *f = node->first; f != e; f = f->next)
            if (same_name(e, f))
                return th_where_fail(k->w, e->line, "the name is given twice");
        if (!compile_member(k, e, depth))
            return false;
        th_where_leave(k->w, old);
    }
    return push(k, TH_DO_CLOSE, node->line) != NULL;
}

static bool compile_root(struct compiler *k, const struct th_node *node)
{
    struct keys m;

    if (node->kind != TH_NODE_MAP)
        return compile_object(k, node, (struct th_span){NULL, 0}, 0);
    if (!read_keys(k, node, &m))
        return false;
    if (!m.each || m.name || m.from || m.value || m.as || m.map || m.when || m.otherwise || m.null)
        return th_where_fail(k->w, node->line, "must be a list of members, or a map of each and shape");
    return compile_each(k, &m, (struct th_span){NULL, 0}, 0);
}

bool th_shape_compile(struct th_where *w, const struct th_shape_context *c, const struct th_node *node,
                      struct th_program *out)
{
    struct compiler k = {.w = w, .c = c};
    struct th_program_op *ops;

    if (!compile_root(&k, node))
        return false;
    ops = th_where_alloc(w, sizeof *ops * k.count);
    if (!ops)
        return false;
    memcpy(ops, k.ops, sizeof *ops * k.count);
    *out = (struct th_program){ops, k.count, k.flags, k.fields};
    return true;
}
