/* Reads the tree of a dialect file into the plain record, by the tables of the schema.
 *
 * Refuses: unknown keys, repeated keys, values of another type or outside their range; each with line and key
 * path.
 *
 * Invariants: 1. After th_dialect_read_spec every field has a value: its default where the file is silent. 2. Texts are
 * copies in the arena; only shape nodes still point into the loader's tree, and only until compile
 * returns. 3. Recursion follows the tables, whose depth is fixed, never the input. */
#include "core/dialect_tables.h"
#include "core/retry_own.h"
#include <stdio.h>

/* ---- reading ---- */
static const char *kind_name(enum th_node_kind kind)
{
    return kind == TH_NODE_SCALAR ? "a scalar" : kind == TH_NODE_LIST ? "a list" : "a map";
}

static bool want(struct th_where *w, const struct th_node *node, enum th_node_kind kind)
{
    return node->kind == kind ||
           th_where_fail(w, node->line, "must be %s, not %s", kind_name(kind), kind_name(node->kind));
}

static bool set_defaults(struct th_where *w, const struct dl_table *t, char *base)
{
    for (unsigned i = 0; i < t->count; i++) {
        const struct dl_row *row = &t->rows[i];
        char *at = base + row->at;
        if (row->kind == NUMBER)
            *(uint32_t *)(void *)at = row->def;
        else if (row->kind == ENUM)
            *(unsigned *)(void *)at = row->def;
        else if (row->kind == TEXT && row->def_text)
            ((struct dl_text *)(void *)at)->s = th_str(row->def_text);
        else if (row->kind == MAP && !row->required && !set_defaults(w, row->sub, base))
            return false;
    }
    return true;
}

static bool read_number(struct th_where *w, const struct dl_row *row, const struct th_node *node,
                        uint32_t *out)
{
    uint64_t v;

    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->quoted || !th_span_u64(node->text, UINT32_MAX, &v))
        return th_where_fail(w, node->line, "must be a whole number");
    if (v < row->min || v > row->max)
        return th_where_fail(w, node->line, "must be from %u to %u", row->min, row->max);
    *out = (uint32_t)v;
    return true;
}

static bool read_bool(struct th_where *w, const struct th_node *node, bool *out)
{
    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->quoted || (!th_span_is(node->text, "true") && !th_span_is(node->text, "false")))
        return th_where_fail(w, node->line, "must be true or false");
    *out = node->text.n == 4;
    return true;
}

static bool read_enum(struct th_where *w, const struct dl_row *row, const struct th_node *node, unsigned *out)
{
    char list[120] = "";
    size_t n = 0;

    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    for (unsigned i = 0; row->names[i]; i++) {
        if (th_span_is(node->text, row->names[i])) {
            *out = i + 1;
            return true;
        }
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", row->names[i]);
        if (n >= sizeof list)
            n = sizeof list - 1;
    }
    return th_where_fail(w, node->line, "unknown value \"%.*s\"; one of: %s",
                         (int)(node->text.n < 40 ? node->text.n : 40), node->text.p, list);
}

static bool read_statuses(struct th_where *w, const struct th_node *node, struct th_status_set *out)
{
    unsigned i = 0;

    if (!want(w, node, TH_NODE_LIST))
        return false;
    *out = (struct th_status_set){.count = 0};
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = th_where_enter_index(w, i);
        if (!want(w, e, TH_NODE_SCALAR))
            return false;
        if (i == TH_MAX_RANGES)
            return th_where_fail(w, e->line, "has more than %d entries", TH_MAX_RANGES);
        if (!th_retry_status_read(e->text, &out->range[i]))
            return th_where_fail(
                w, e->line, "must be a status (204), a class (2xx) or a range (400-499), from 200 to 599");
        out->count++;
        th_where_leave(w, old);
    }
    return true;
}

static bool read_numbers(struct th_where *w, const struct dl_row *row, const struct th_node *node, char *base)
{
    static const struct dl_row element = {.min = 1, .max = 31536000};
    uint32_t *v = (uint32_t *)(void *)(base + row->at);
    unsigned *count = (unsigned *)(void *)(base + row->count_at), i = 0;

    if (!want(w, node, TH_NODE_LIST))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = th_where_enter_index(w, i);
        if (i == row->max)
            return th_where_fail(w, e->line, "has more than %u entries", row->max);
        if (!read_number(w, &element, e, &v[i]))
            return false;
        th_where_leave(w, old);
    }
    *count = i;
    return i >= row->min || th_where_fail(w, node->line, "needs at least %u entries", row->min);
}

static bool read_map(struct th_where *w, const struct dl_table *t, const struct th_node *node, char *base);

static bool read_elements(struct th_where *w, const struct dl_row *row, const struct th_node *node,
                          char *base)
{
    unsigned *count = (unsigned *)(void *)(base + row->count_at), i = 0;

    if (!want(w, node, row->kind == LIST ? TH_NODE_LIST : TH_NODE_MAP))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        char *at = base + row->at + i * row->stride;
        size_t old = row->kind == LIST ? th_where_enter_index(w, i) : th_where_enter(w, e->key);
        if (i == row->max)
            return th_where_fail(w, e->line, "has more than %u entries", row->max);
        if (row->kind == DICT) {
            struct dl_text *key = (struct dl_text *)(void *)at;
            *key = (struct dl_text){th_where_copy(w, e->key), e->line};
            if (!key->s.p)
                return false;
        }
        if (!read_map(w, row->sub, e, at))
            return false;
        th_where_leave(w, old);
    }
    *count = i;
    return true;
}

static bool read_text(struct th_where *w, const struct th_node *node, struct dl_text *out)
{
    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->text.n && memchr(node->text.p, 0, node->text.n))
        return th_where_fail(w, node->line, "must not hold NUL");
    *out = (struct dl_text){th_where_copy(w, node->text), node->line};
    return out->s.p != NULL;
}

static bool read_shape(struct th_where *w, const struct th_node *node, struct dl_node_ref *out)
{
    struct th_buf text;
    struct th_jw jw = th_jw(&text);
    bool ok;

    th_buf_init(&text, 65536);
    out->node = node;
    if (!th_node_write(node, true, &jw)) {
        ok = th_where_fail(w, node->line, "is nested too deeply");
    } else if (text.failed) {
        ok = text.failed == TH_NOMEM ? th_where_fail_nomem(w) : th_where_fail(w, node->line, "is too long");
    } else {
        out->json = th_where_copy(w, th_buf_view(&text));
        ok = out->json.p != NULL;
    }
    th_buf_fini(&text);
    return ok;
}

static bool read_value(struct th_where *w, const struct dl_row *row, const struct th_node *node, char *base)
{
    void *at = base + row->at;

    switch (row->kind) {
    case TEXT:
        return read_text(w, node, at);
    case NUMBER:
        return read_number(w, row, node, at);
    case BOOL:
        return read_bool(w, node, at);
    case ENUM:
        return read_enum(w, row, node, at);
    case STATUSES:
        return read_statuses(w, node, at);
    case NUMBERS:
        return read_numbers(w, row, node, base);
    case SHAPE:
        return read_shape(w, node, at);
    case MAP:
        return read_map(w, row->sub, node, base);
    case LIST:
    case DICT:
        return read_elements(w, row, node, base);
    }
    return false;
}

static const struct dl_row *find_row(const struct dl_table *t, struct th_span key)
{
    for (unsigned i = 0; i < t->count; i++)
        if (th_span_is(key, t->rows[i].key))
            return &t->rows[i];
    return NULL;
}

static bool read_map(struct th_where *w, const struct dl_table *t, const struct th_node *node, char *base)
{
    uint32_t seen = 0;

    if (t->scalar)
        return read_value(w, t->scalar, node, base);
    if (!want(w, node, TH_NODE_MAP) || !set_defaults(w, t, base))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next) {
        const struct dl_row *row = find_row(t, e->key);
        size_t old = th_where_enter(w, e->key);
        if (!row)
            return th_where_fail(w, e->line, "unknown key");
        if (seen & 1u << (row - t->rows))
            return th_where_fail(w, e->line, "is given twice");
        seen |= 1u << (row - t->rows);
        if (!read_value(w, row, e, base))
            return false;
        th_where_leave(w, old);
    }
    for (unsigned i = 0; i < t->count; i++)
        if (t->rows[i].required && !(seen & 1u << i)) {
            th_where_enter(w, th_str(t->rows[i].key));
            return th_where_fail(w, node->line, "is required");
        }
    return true;
}

bool th_dialect_read_spec(struct th_where *w, const struct th_node *root, struct dl_spec *spec)
{
    return read_map(w, &th_dialect_schema, root, (char *)spec);
}
