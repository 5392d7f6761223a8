/* The walk of lib/yaml.h folded into a tree of th_node.
 *
 * The walk calls back for scalars and for ends of collections; its frames show which collections have been
 * opened since the call before, and these get their nodes then. Texts are copied into the arena, decoded
 * where they are written with escapes or over several lines. */
#include "options/yaml.h"
#include "options/yaml_lines.h"
#include <stdio.h>

#define MAX_KEYS 4096 /* keys of one map; each is compared with all before it */

struct level {
    struct th_node *node, **tail; /* where the next child goes */
};

struct reading {
    const char *file;
    struct th_arena *mem;
    struct level stack[TH_YAML_DEPTH];
    unsigned depth;
    struct th_node *root;
    struct th_buf text; /* of a scalar that is decoded */
    enum th_error error;
    char *why;
    size_t why_size;
};

static enum th_error refuse(struct reading *r, unsigned line, const char *what)
{
    snprintf(r->why, r->why_size, "%s:%u: %s", r->file, line, what);
    return r->error = TH_MALFORMED;
}

static enum th_error copy(struct reading *r, const struct th_yaml *y, struct th_span s, char quote,
                          bool escaped, unsigned line, struct th_span *out)
{
    const char *fault;

    if (escaped) {
        th_buf_reset(&r->text);
        fault = th_yaml_decode(y, s, quote, &r->text);
        if (fault)
            return refuse(r, line, fault);
        if (r->text.failed)
            return r->error = r->text.failed;
        s = th_buf_view(&r->text);
    }
    return th_arena_copy(r->mem, s, out) ? TH_OK : (r->error = TH_NOMEM);
}

/* The key of the node that comes next in a map. */
static enum th_error take_key(struct reading *r, const struct th_yaml *y, const struct th_yaml_frame *f,
                              const struct th_node *map, struct th_span *key)
{
    char what[128];
    unsigned keys = 0;

    if (copy(r, y, f->key, f->key_quote, f->key_escaped, f->item_line, key))
        return r->error;
    for (const struct th_node *n = map->first; n; n = n->next, keys++)
        if (th_span_eq(n->key, *key)) {
            snprintf(what, sizeof what, "%.*s: this key is given twice", (int)(key->n < 80 ? key->n : 80),
                     key->p);
            return refuse(r, f->item_line, what);
        }
    return keys < MAX_KEYS ? TH_OK : refuse(r, f->item_line, "more than 4096 keys in one map");
}

/* A new node under the innermost collection that has one, or the root. */
static struct th_node *hang(struct reading *r, const struct th_yaml *y, enum th_node_kind kind, unsigned line)
{
    struct level *top = r->depth ? &r->stack[r->depth - 1] : NULL;
    struct th_node *node = th_arena_get(r->mem, sizeof *node);

    if (!node) {
        r->error = TH_NOMEM;
        return NULL;
    }
    node->kind = kind;
    node->line = line;
    if (!top) {
        r->root = node;
        return node;
    }
    if (top->node->kind == TH_NODE_MAP && take_key(r, y, &y->frame[r->depth - 1], top->node, &node->key))
        return NULL;
    *top->tail = node;
    top->tail = &node->next;
    return node;
}

static bool on(struct th_yaml *y, const struct th_span *scalar)
{
    struct reading *r = y->ctx;
    struct th_node *node;

    while (r->depth < y->depth) {
        const struct th_yaml_frame *f = &y->frame[r->depth];

        node = hang(r, y, f->list ? TH_NODE_LIST : TH_NODE_MAP, f->line);
        if (!node)
            return false;
        r->stack[r->depth++] = (struct level){node, &node->first};
    }
    if (!scalar) {
        r->depth--;
        return true;
    }
    node = hang(r, y, TH_NODE_SCALAR, y->scalar_line);
    if (!node || copy(r, y, *scalar, y->quote, y->escaped, y->scalar_line, &node->text))
        return false;
    node->quoted = y->quote != 0;
    return true;
}

/* Refuses what people write with another meaning than YAML gives it. */
static const char *fault_of(const struct th_yaml *y)
{
    switch (y->odd) {
    case '&':
    case '!':
        return "anchors and tags are not supported; a text that begins with & or ! must be in quotes";
    case '*':
        return "aliases are not supported; a text that begins with * must be in quotes";
    case '@':
    case '`':
    case '%':
        return "a text that begins with @, ` or % must be in quotes";
    case '?':
        return "keys after a ? are not supported; write key: value";
    default:
        return y->fault;
    }
}

/* Text that every program would show alike: UTF-8 without control characters. */
static enum th_error check_bytes(struct reading *r, struct th_span text)
{
    const char *p = text.p, *end = p + text.n;
    unsigned line = 1;

    while (p < end) {
        unsigned char c = (unsigned char)*p;
        size_t bad, n = c < 0x80 ? 1 : th_utf8_step(p, end, &bad);

        if (n == 0)
            return refuse(r, line, "the text is not UTF-8");
        if (c == 0x7f || (c < ' ' && c != '\t' && c != '\n' && c != '\r'))
            return refuse(r, line, "a control character");
        line += c == '\n';
        p += n;
    }
    return TH_OK;
}

static enum th_error walk(struct reading *r, struct th_span text)
{
    struct th_yaml y;

    if (check_bytes(r, text))
        return r->error;
    if (!th_yaml_walk(&y, text, on, th_yaml_lines, r))
        return r->error ? r->error : refuse(r, y.line, fault_of(&y));
    if (r->root)
        return TH_OK;
    r->root = th_arena_get(r->mem, sizeof *r->root);
    if (!r->root)
        return r->error = TH_NOMEM;
    r->root->kind = TH_NODE_MAP;
    return TH_OK;
}

enum th_error th_yaml_parse(const char *file, struct th_span text, size_t max, struct th_arena *mem,
                            struct th_node **root, char *why, size_t why_size)
{
    struct reading r = {.file = file, .mem = mem, .why = why, .why_size = why_size};
    enum th_error error;

    if (text.n > max) {
        snprintf(why, why_size, "%s: larger than %zu MiB", file, max >> 20);
        return TH_TOO_LARGE;
    }
    th_buf_init(&r.text, max * 2 + 64); /* an escape of two bytes can stand for three */
    error = walk(&r, text);
    th_buf_wipe(&r.text); /* the text may hold secrets: import reads them, too */
    if (error == TH_NOMEM)
        snprintf(why, why_size, "%s: out of memory", file);
    if (!error)
        *root = r.root;
    return error;
}
