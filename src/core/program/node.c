/* Trees of nodes out of JSON, and JSON out of them. Recursion is bounded by TH_NODE_DEPTH. */
#include "core/program/node.h"

struct maker {
    struct th_arena *mem;
    const char *at; /* up to here lines are counted */
    unsigned line;
};

static unsigned line_of(struct maker *m, const char *p)
{
    for (; m->at < p; m->at++)
        m->line += *m->at == '\n';
    return m->line;
}

static enum th_error text_of(struct maker *m, struct th_json v, struct th_span *out)
{
    struct th_buf plain;
    enum th_error error;

    if (v.type != TH_JSON_STRING)
        return th_arena_copy(m->mem, v.raw, out) ? TH_OK : TH_NOMEM;
    th_buf_init(&plain, v.raw.n);
    th_json_string(v, &plain);
    error = plain.failed ? plain.failed : th_arena_copy(m->mem, th_buf_view(&plain), out) ? TH_OK : TH_NOMEM;
    th_buf_fini(&plain);
    return error;
}

static enum th_error make(struct maker *m, struct th_json v, unsigned depth, struct th_node **out)
{
    struct th_node *node = th_arena_get(m->mem, sizeof *node), **tail;
    struct th_json_iter it;
    struct th_json key, value;
    enum th_error error = TH_OK;

    if (!node)
        return TH_NOMEM;
    *out = node;
    node->line = line_of(m, v.raw.p);
    if (v.type != TH_JSON_OBJECT && v.type != TH_JSON_ARRAY) {
        node->quoted = v.type == TH_JSON_STRING;
        return text_of(m, v, &node->text);
    }
    if (depth == TH_NODE_DEPTH)
        return TH_TOO_LARGE;
    node->kind = v.type == TH_JSON_OBJECT ? TH_NODE_MAP : TH_NODE_LIST;
    tail = &node->first;
    for (th_json_iter(&it, v); !error && th_json_next(&it, &key, &value); tail = &(*tail)->next) {
        error = make(m, value, depth + 1, tail);
        if (!error && node->kind == TH_NODE_MAP)
            error = text_of(m, key, &(*tail)->key);
    }
    return error;
}

enum th_error th_node_of_json(struct th_json v, struct th_arena *mem, struct th_node **out)
{
    struct maker m = {mem, v.raw.p, 1};

    return make(&m, v, 0, out);
}

static void write_scalar(const struct th_node *n, bool texts, struct th_jw *w)
{
    struct th_json v;
    bool is_bool = th_span_is(n->text, "true") || th_span_is(n->text, "false");

    if (n->quoted || (texts && !is_bool))
        th_jw_string(w, n->text);
    else if (n->text.n == 0)
        th_jw_null(w);
    else if (!th_json_parse(n->text, 1, &v, NULL) && v.type != TH_JSON_STRING)
        th_jw_raw(w, v.raw);
    else
        th_jw_string(w, n->text);
}

static bool write(const struct th_node *n, bool texts, unsigned depth, struct th_jw *w)
{
    bool ok = true;

    if (n->kind == TH_NODE_SCALAR) {
        write_scalar(n, texts, w);
        return true;
    }
    if (depth == TH_NODE_DEPTH)
        return false;
    if (n->kind == TH_NODE_MAP)
        th_jw_object(w);
    else
        th_jw_array(w);
    for (const struct th_node *c = n->first; c && ok; c = c->next) {
        if (n->kind == TH_NODE_MAP)
            th_jw_key(w, c->key);
        ok = write(c, texts, depth + 1, w);
    }
    if (n->kind == TH_NODE_MAP)
        th_jw_end_object(w);
    else
        th_jw_end_array(w);
    return ok;
}

bool th_node_write(const struct th_node *node, bool texts, struct th_jw *w)
{
    return write(node, texts, 0, w);
}
