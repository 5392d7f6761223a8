/* The tape of a JSON text. Walking it needs no look at the text between values, so what a query costs is counted in values, not in
 * bytes; th_json_next would read the bytes of what it passes over again at each level.
 *
 * Invariants: (1) a node's parent stands before it, and `next` of an open container is its parent (so no stack is needed, and no
 * depth is too much); (2) text that was never validated gives nonsense, and nothing beyond its end is read. */
#include "core/jsonpath/tape.h"
#include "lib/json_scan.h"

struct scan {
    struct th_tape *t;
    const char *begin, *end;
    uint32_t open; /* the innermost container that is open, or NONE */
    uint32_t name, name_n;
};

void th_tape_init(struct th_tape *t)
{
    t->text = th_span("", 0);
    th_buf_init(&t->nodes, TH_TAPE_BYTES);
}

void th_tape_fini(struct th_tape *t)
{
    th_buf_fini(&t->nodes);
}

static struct th_tape_node *node_at(struct scan *s, uint32_t i)
{
    return (struct th_tape_node *)(void *)s->t->nodes.p + i;
}

static void add(struct scan *s, const char *p)
{
    struct th_tape_node n = {
        .at = (uint32_t)(p - s->begin), .name = s->name, .name_n = s->name_n, .next = s->open};

    if (s->open != TH_TAPE_NONE)
        node_at(s, s->open)->children++;
    th_buf_add(&s->t->nodes, &n, sizeof n);
    s->name = s->name_n = 0;
}

/* Behind the string that begins at p. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end; p += 2) {
        p = th_quote_or_escape(p, end);
        if (p < end && *p == '"')
            return p + 1;
    }
    return end;
}

static const char *scalar_end(const char *p, const char *end)
{
    if (*p == '"')
        return string_end(p, end);
    while (p < end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
        p++;
    return p;
}

/* A member's name and its colon. */
static const char *name(struct scan *s, const char *p)
{
    const char *q;

    p = th_json_space_end(p, s->end);
    if (p == s->end)
        return p;
    q = string_end(p, s->end);
    s->name = (uint32_t)(p - s->begin);
    s->name_n = (uint32_t)(q - p);
    q = th_json_space_end(q, s->end);
    return q < s->end ? q + 1 : q;
}

/* Closes what ends at p, up to the next value. False: the root has ended. */
static bool next_value(struct scan *s, const char **at)
{
    const char *p = *at;

    while (s->open != TH_TAPE_NONE) {
        struct th_tape_node *n = node_at(s, s->open);

        p = th_json_space_end(p, s->end);
        if (p == s->end)
            return false;
        if (*p == ',') {
            p++;
            *at = s->begin[n->at] == '{' ? name(s, p) : p;
            return true;
        }
        p++; /* the closing bracket */
        n->n = (uint32_t)(p - s->begin) - n->at;
        s->open = n->next;
        n->next = th_tape_count(s->t);
    }
    return false;
}

/* p is at a bracket. True: there is a value in it, at *at. */
static bool open_container(struct scan *s, const char **at)
{
    const char *p = *at;
    bool object = *p == '{';

    s->open = th_tape_count(s->t) - 1;
    p = th_json_space_end(p + 1, s->end);
    *at = p;
    if (p < s->end && (*p == '}' || *p == ']'))
        return false;
    if (object)
        *at = name(s, p);
    return true;
}

enum th_error th_tape_read(struct th_tape *t, struct th_span text)
{
    struct scan s = {.t = t, .begin = text.p, .end = text.p + text.n, .open = TH_TAPE_NONE};
    const char *p = text.p;

    t->text = text;
    th_buf_reset(&t->nodes);
    if (text.n > UINT32_MAX)
        return TH_TOO_LARGE;
    for (bool more = true; more && !t->nodes.failed;) {
        p = th_json_space_end(p, s.end);
        if (p >= s.end)
            break;
        add(&s, p);
        if (t->nodes.failed)
            break;
        if (*p == '{' || *p == '[') {
            if (open_container(&s, &p))
                continue;
        } else {
            struct th_tape_node *n = node_at(&s, th_tape_count(t) - 1);

            p = scalar_end(p, s.end);
            n->n = (uint32_t)(p - s.begin) - n->at;
            n->next = th_tape_count(t);
        }
        more = next_value(&s, &p);
    }
    while (!t->nodes.failed && s.open != TH_TAPE_NONE) { /* of text that was not valid */
        struct th_tape_node *n = node_at(&s, s.open);

        n->n = (uint32_t)text.n - n->at;
        s.open = n->next;
        n->next = th_tape_count(t);
    }
    if (!t->nodes.failed && th_tape_count(t) == 0)
        return TH_MALFORMED;
    return t->nodes.failed;
}

struct th_json th_tape_value(const struct th_tape *t, uint32_t i)
{
    const struct th_tape_node *n = th_tape_node(t, i);
    struct th_span raw = th_span(t->text.p + n->at, n->n);
    enum th_json_type type = raw.n ? th_json_type_of(*raw.p) : TH_JSON_NULL;

    if (type == TH_JSON_STRING && raw.n < 2)
        type = TH_JSON_NULL;
    return (struct th_json){type, raw};
}

struct th_json th_tape_name(const struct th_tape *t, uint32_t i)
{
    const struct th_tape_node *n = th_tape_node(t, i);
    bool named = n->name_n >= 2;

    return (struct th_json){named ? TH_JSON_STRING : TH_JSON_NULL,
                            named ? th_span(t->text.p + n->name, n->name_n) : th_span("", 0)};
}

static void add_name(struct th_json name, struct th_buf *out)
{
    struct th_buf text;

    th_buf_init(&text, name.raw.n + 1);
    (void)th_json_string(name, &text);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '~' || text.p[i] == '/')
            th_buf_str(out, text.p[i] == '~' ? "~0" : "~1");
        else
            th_buf_char(out, text.p[i]);
    th_buf_fini(&text);
}

void th_tape_pointer(const struct th_tape *t, uint32_t root, uint32_t i, struct th_buf *out)
{
    while (root < i) {
        bool object = th_tape_value(t, root).type == TH_JSON_OBJECT;
        uint32_t child = root + 1, index = 0;

        for (; th_tape_node(t, child)->next <= i; index++)
            child = th_tape_node(t, child)->next;
        th_buf_char(out, '/');
        if (object)
            add_name(th_tape_name(t, child), out);
        else
            th_buf_u64(out, index);
        root = child;
    }
}
