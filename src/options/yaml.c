/* libyaml's events folded into th_node. */
#include "options/yaml.h"
#include <stdio.h>
#include <yaml.h>

#define MAX_DEPTH 32
#define MAX_KEYS 4096 /* of one map: each is compared with those before */

struct level {
    struct th_node *node, **tail; /* where the next child goes */
    struct th_span key;           /* of a map: waiting for its value */
    bool have_key;
};

struct reading {
    const char *file;
    struct th_arena *mem;
    struct level stack[MAX_DEPTH];
    unsigned depth;
    struct th_node *root;
    char *why;
    size_t why_size;
    unsigned documents;
};

static enum th_error refuse(struct reading *r, size_t line, const char *what)
{
    snprintf(r->why, r->why_size, "%s:%zu: %s", r->file, line + 1, what);
    return TH_MALFORMED;
}

static bool key_taken(const struct th_node *map, struct th_span key, unsigned *keys)
{
    *keys = 0;
    for (const struct th_node *n = map->first; n; n = n->next, ++*keys)
        if (th_span_eq(n->key, key))
            return true;
    return false;
}

/* Hangs a node under the open collection, or makes it the root. */
static enum th_error hang(struct reading *r, struct th_node *node)
{
    struct level *top;

    if (r->depth == 0) {
        r->root = node;
        return TH_OK;
    }
    top = &r->stack[r->depth - 1];
    if (top->node->kind == TH_NODE_MAP) {
        node->key = top->key;
        top->have_key = false;
    }
    *top->tail = node;
    top->tail = &node->next;
    return TH_OK;
}

static enum th_error twice(struct reading *r, size_t line, struct th_span key)
{
    char what[128];

    snprintf(what, sizeof what, "%.*s: this key is given twice", (int)(key.n < 80 ? key.n : 80), key.p);
    return refuse(r, line, what);
}

static enum th_error scalar(struct reading *r, const yaml_event_t *ev)
{
    struct level *top = r->depth ? &r->stack[r->depth - 1] : NULL;
    struct th_span text = th_span(ev->data.scalar.value, ev->data.scalar.length);
    struct th_node *node;
    unsigned keys;

    if (ev->data.scalar.anchor || ev->data.scalar.tag)
        return refuse(r, ev->start_mark.line, "anchors and tags are not supported");
    if (top && top->node->kind == TH_NODE_MAP && !top->have_key) {
        if (!th_arena_copy(r->mem, text, &top->key))
            return TH_NOMEM;
        if (key_taken(top->node, top->key, &keys))
            return twice(r, ev->start_mark.line, top->key);
        if (keys == MAX_KEYS)
            return refuse(r, ev->start_mark.line, "more than 4096 keys in one map");
        top->have_key = true;
        return TH_OK;
    }
    node = th_arena_get(r->mem, sizeof *node);
    if (!node || !th_arena_copy(r->mem, text, &node->text))
        return TH_NOMEM;
    node->kind = TH_NODE_SCALAR;
    node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->line = (unsigned)ev->start_mark.line + 1;
    return hang(r, node);
}

static enum th_error open_collection(struct reading *r, enum th_node_kind kind, size_t line, bool decorated)
{
    struct th_node *node = th_arena_get(r->mem, sizeof *node);
    enum th_error error;

    if (decorated)
        return refuse(r, line, "anchors and tags are not supported");
    if (r->depth == MAX_DEPTH)
        return refuse(r, line, "nested deeper than 32");
    if (r->depth && r->stack[r->depth - 1].node->kind == TH_NODE_MAP && !r->stack[r->depth - 1].have_key)
        return refuse(r, line, "a key must be plain text");
    if (!node)
        return TH_NOMEM;
    node->kind = kind;
    node->line = (unsigned)line + 1;
    error = hang(r, node);
    r->stack[r->depth++] = (struct level){.node = node, .tail = &node->first};
    return error;
}

static enum th_error event(struct reading *r, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++)
            return refuse(r, ev->start_mark.line, "a second document; one file has one document");
        return TH_OK;
    case YAML_ALIAS_EVENT:
        return refuse(r, ev->start_mark.line, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        return scalar(r, ev);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(r, TH_NODE_LIST, ev->start_mark.line,
                               ev->data.sequence_start.anchor || ev->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_collection(r, TH_NODE_MAP, ev->start_mark.line,
                               ev->data.mapping_start.anchor || ev->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return TH_OK;
    default:
        return TH_OK;
    }
}

static enum th_error run(struct reading *r, yaml_parser_t *parser)
{
    enum th_error error = TH_OK;
    bool end = false;

    while (!end && !error) {
        yaml_event_t ev;
        if (!yaml_parser_parse(parser, &ev))
            return refuse(r, parser->problem_mark.line, parser->problem ? parser->problem : "not valid YAML");
        end = ev.type == YAML_STREAM_END_EVENT;
        error = event(r, &ev);
        yaml_event_delete(&ev);
    }
    return error;
}

enum th_error th_yaml_parse(const char *file, struct th_span text, size_t max, struct th_arena *mem,
                            struct th_node **root, char *why, size_t why_size)
{
    struct reading r = {.file = file, .mem = mem, .why = why, .why_size = why_size};
    yaml_parser_t parser;
    enum th_error error;

    if (text.n > max) {
        snprintf(why, why_size, "%s: larger than %zu MiB", file, max >> 20);
        return TH_TOO_LARGE;
    }
    if (!yaml_parser_initialize(&parser))
        error = TH_NOMEM;
    else {
        yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
        error = run(&r, &parser);
        yaml_parser_delete(&parser);
    }
    if (!error && !r.root) {
        r.root = th_arena_get(mem, sizeof *r.root);
        if (r.root)
            r.root->kind = TH_NODE_MAP;
        else
            error = TH_NOMEM;
    }
    if (error == TH_NOMEM)
        snprintf(why, why_size, "%s: out of memory", file);
    if (!error)
        *root = r.root;
    return error;
}
