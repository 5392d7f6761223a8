/* `extends: NAME` in a dialect file: the file takes over from the named dialect what it does not say itself.
 *
 * Groups are maps and are put together key by key, as deep as both are maps; a value or a list takes the place of the
 * other as a whole, so a schedule is never a mixture of two. The order of the extended file stays, because header lines go
 * out in it; new keys come behind.
 *
 * NAME is a file of the same directory, else a built-in dialect. A file that extends its own name means the built-in one
 * that it takes the place of. The order in which files are read does not matter: a named file is read where
 * it is needed.
 *
 * Refuses: names that name nothing, circles, chains of more than CHAIN_MAX. A fault that shows only in the
 * result, such as a time-out outside of its new range, is reported at the line of `extends` if the key is one
 * of the extended file.
 *
 * Recursion is bounded: th_yaml_parse refuses nesting over 32. */
#include "options/extends.h"
#include "core/guard.h"
#include "options/dialects.h"
#include "options/embedded.h"
#include "options/yaml.h"
#include <stdio.h>
#include <sys/stat.h>

enum { CHAIN_MAX = 8 };

struct link {
    struct th_node *root;
    struct th_span name;
    bool built_in;
    unsigned extends_line;
};

struct chain {
    const char *dir;
    struct th_arena *mem;
    struct link link[CHAIN_MAX];
    unsigned count;
    char file[4200]; /* of the last link, for messages */
    char *why;
    size_t why_size;
};

static enum th_error refuse(const struct chain *c, unsigned line, const char *what)
{
    snprintf(c->why, c->why_size, "%s:%u: extends: %s", c->file, line, what);
    return TH_INVALID;
}

/* Takes `extends` out of the map; NULL: there is none. */
static struct th_node *take_extends(struct th_node *root)
{
    for (struct th_node **at = &root->first; root->kind == TH_NODE_MAP && *at; at = &(*at)->next)
        if (th_span_is((*at)->key, "extends")) {
            struct th_node *found = *at;

            *at = found->next;
            return found;
        }
    return NULL;
}

static const struct th_embedded *built_in(struct th_span name)
{
    for (const struct th_embedded *e = th_embedded_dialects; e->name; e++)
        if (th_span_is(name, e->name))
            return e;
    return NULL;
}

static enum th_error unknown(const struct chain *c, unsigned line, struct th_span name)
{
    char text[512];
    size_t n = (size_t)snprintf(text, sizeof text, "there is no dialect \"%.*s\"; built in are",
                                (int)(name.n < 64 ? name.n : 64), name.p);

    for (const struct th_embedded *e = th_embedded_dialects; e->name && n < sizeof text; e++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %s", e == th_embedded_dialects ? "" : ",",
                              e->name);
    return refuse(c, line, text);
}

static enum th_error add(struct chain *c, struct th_span name, bool is_built_in, struct th_span yaml)
{
    struct link *l = &c->link[c->count];

    *l = (struct link){.name = name, .built_in = is_built_in};
    c->count++;
    return th_yaml_parse(c->file, yaml, TH_YAML_MAX, c->mem, &l->root, c->why, c->why_size);
}

static enum th_error add_file(struct chain *c, struct th_span name)
{
    struct th_buf text;
    enum th_error error;

    th_buf_init(&text, TH_YAML_MAX);
    error = th_dialect_read_file(c->file, &text, c->why, c->why_size);
    if (!error)
        error = add(c, name, false, th_buf_view(&text));
    th_buf_fini(&text);
    return error;
}

static bool is_there(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* The dialect that `node` names becomes the next link. */
static enum th_error follow(struct chain *c, const struct th_node *node)
{
    const struct link *from = &c->link[c->count - 1];
    const struct th_embedded *e;
    struct th_span name = node->text;
    bool own = th_span_eq(name, from->name);
    char path[4200];

    if (node->kind != TH_NODE_SCALAR || !th_id_ok(name))
        return refuse(c, node->line, "must be the name of a dialect");
    if (c->count == CHAIN_MAX)
        return refuse(c, node->line, "is a chain of more than 8 dialects");
    snprintf(path, sizeof path, "%s/%.*s.yaml", c->dir ? c->dir : "", (int)name.n, name.p);
    if (c->dir && !from->built_in && !own && is_there(path)) {
        for (unsigned i = 0; i < c->count; i++)
            if (!c->link[i].built_in && th_span_eq(c->link[i].name, name))
                return refuse(c, node->line, "goes in a circle: the dialect that it names extends this file");
        memcpy(c->file, path, sizeof path);
        return add_file(c, name);
    }
    e = built_in(name);
    if (!e || (own && from->built_in))
        return unknown(c, node->line, name);
    snprintf(c->file, sizeof c->file, "dialects/%s.yaml", e->name);
    return add(c, name, true, th_span(e->text, e->len));
}

/* ---- putting together ---- */

static void set_lines(struct th_node *node, unsigned line)
{
    node->line = line;
    for (struct th_node *n = node->first; n; n = n->next)
        set_lines(n, line);
}

static struct th_node *find(struct th_node *map, struct th_span key)
{
    struct th_node *n = map->first;

    while (n && !th_span_eq(n->key, key))
        n = n->next;
    return n;
}

static void merge(struct th_node *own, struct th_node *parent, unsigned line)
{
    struct th_node *all = NULL, **tail = &all, *next;

    for (struct th_node *p = parent->first; p; p = next) {
        struct th_node *mine = find(own, p->key), *taken = mine ? mine : p;

        next = p->next;
        if (!mine)
            set_lines(p, line);
        else if (mine->kind == TH_NODE_MAP && p->kind == TH_NODE_MAP)
            merge(mine, p, line);
        if (mine) /* out of the list of what is left */
            for (struct th_node **at = &own->first; *at; at = &(*at)->next)
                if (*at == mine) {
                    *at = mine->next;
                    break;
                }
        taken->next = NULL;
        *tail = taken;
        tail = &taken->next;
    }
    *tail = own->first;
    own->first = all;
}

enum th_error th_extends_tree(const char *file, struct th_span name, const char *dir, struct th_span yaml,
                              struct th_arena *mem, struct th_node **root, char *why, size_t why_size)
{
    struct chain c = {.dir = dir, .mem = mem, .why = why, .why_size = why_size};
    struct th_node *extends;
    enum th_error error;

    snprintf(c.file, sizeof c.file, "%s", file);
    error = add(&c, name, !dir, yaml);
    while (!error && (extends = take_extends(c.link[c.count - 1].root)) != NULL) {
        c.link[c.count - 1].extends_line = extends->line;
        error = follow(&c, extends);
        if (!error && c.link[c.count - 1].root->kind != TH_NODE_MAP)
            error = refuse(&c, 1, "the extended file is not a map");
    }
    if (error)
        return error;
    for (unsigned i = c.count - 1; i-- > 0;)
        merge(c.link[i].root, c.link[i + 1].root, c.link[i].extends_line);
    *root = c.link[0].root;
    return TH_OK;
}

/* ---- writing ---- */

static bool is_plain_key(struct th_span key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = th_lower(key.p[i]);
        if (!(c >= 'a' && c <= 'z') && c != '_')
            return false;
    }
    return key.n && !th_span_is(key, "null") && !th_span_is(key, "true") && !th_span_is(key, "false");
}

static void write_text(struct th_span text, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_string(&w, text);
}

/* Behind a colon or a dash. `indent`: of what stands on lines of its own below. */
static void write_node(const struct th_node *node, unsigned indent, bool in_list, struct th_buf *out)
{
    if (node->kind == TH_NODE_SCALAR) {
        if (node->quoted || node->text.n) {
            th_buf_char(out, ' ');
            if (node->quoted)
                write_text(node->text, out);
            else
                th_buf_span(out, node->text);
        }
        th_buf_char(out, '\n');
        return;
    }
    if (!node->first) {
        th_buf_str(out, node->kind == TH_NODE_MAP ? " {}\n" : " []\n");
        return;
    }
    if (!in_list)
        th_buf_char(out, '\n');
    for (const struct th_node *n = node->first; n; n = n->next) {
        if (in_list && n == node->first)
            th_buf_char(out, ' '); /* on the line of the dash */
        else
            for (unsigned i = 0; i < indent; i++)
                th_buf_char(out, ' ');
        if (node->kind == TH_NODE_LIST) {
            th_buf_char(out, '-');
        } else {
            if (is_plain_key(n->key))
                th_buf_span(out, n->key);
            else
                write_text(n->key, out);
            th_buf_char(out, ':');
        }
        write_node(n, indent + 2, node->kind == TH_NODE_LIST, out);
    }
}

void th_extends_write(const struct th_node *root, struct th_buf *out)
{
    for (const struct th_node *n = root->first; n; n = n->next) {
        th_buf_span(out, n->key);
        th_buf_char(out, ':');
        write_node(n, 2, false, out);
    }
}
