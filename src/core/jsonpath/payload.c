/* Compiles and renders templates of bodies.
 *
 * An object whose first member begins with "$" is a function; twelve there are, each gives one JSON value or nothing. Where nothing comes
 * out, a member is left out, and an element or the whole document is null. All else is written as it stands, byte for byte.
 *
 * Refused: unknown functions and options, queries that may find several values where one is wanted, too much of everything. The
 * recursion follows the template, TH_PAYLOAD_DEPTH at most; rendering allocates what the functions on texts need. */
#include "core/jsonpath/payload.h"
#include "base/time.h"
#include "lib/json_scan.h"
#include <stdarg.h>
#include <stdio.h>

enum kind {
    PLAIN,  /* text: JSON as it is */
    OBJECT, /* first: its members */
    ARRAY,
    VALUE,   /* query */
    ALL,     /* query */
    DEFAULT, /* first: a list, the first of which that is something */
    JOIN,    /* first: a list of texts; text: what stands between, as JSON */
    STRING,  /* first */
    JSON,
    UPPER,
    LOWER,
    LENGTH,
    TIME,    /* first; form */
    INCLUDE, /* first: the object; text: JSON array of names */
    EXCLUDE
};
enum form { UNIX, UNIX_MS, DATE, RFC3339 };

struct node {
    uint8_t kind, form;
    uint16_t first, next; /* nodes; 0: none */
    struct {
        uint32_t at, n; /* in the pool */
    } name, text;       /* name: of a member, with its quotes */
    uint32_t query;     /* in the pool */
};

struct th_payload {
    uint32_t count, pool;
    struct node nodes[];
};

/* ---- compiling ---- */

struct compiler {
    struct th_arena *mem; /* queries, until they are copied */
    struct th_payload_fault *fault;
    enum th_error error;
    uint32_t count, pool_n;
    unsigned depth;
    struct th_buf pointer;
    struct node nodes[TH_PAYLOAD_NODES];
    char pool[TH_PAYLOAD_COMPILED - TH_PAYLOAD_NODES * sizeof(struct node) - sizeof(struct th_payload)];
};

__attribute__((format(printf, 2, 3))) static uint16_t fail(struct compiler *c, const char *format, ...)
{
    va_list args;

    if (c->error)
        return 0;
    c->error = TH_MALFORMED;
    if (!c->fault)
        return 0;
    snprintf(c->fault->pointer, sizeof c->fault->pointer, "%s", th_buf_cstr(&c->pointer));
    va_start(args, format);
    vsnprintf(c->fault->what, sizeof c->fault->what, format, args);
    va_end(args);
    return 0;
}

/* Node 0 is the root; 0 elsewhere: none. */
static uint16_t add(struct compiler *c, enum kind kind)
{
    if (c->count == TH_PAYLOAD_NODES)
        return fail(c, "has more than %d parts", TH_PAYLOAD_NODES);
    c->nodes[c->count] = (struct node){.kind = (uint8_t)kind};
    return (uint16_t)c->count++;
}

static bool put(struct compiler *c, const void *p, size_t n, size_t align, uint32_t *at)
{
    size_t from = (c->pool_n + align - 1) / align * align;

    if (n > sizeof c->pool || from > sizeof c->pool - n)
        return fail(c, "needs more than %d bytes when it is compiled", TH_PAYLOAD_COMPILED);
    memcpy(c->pool + from, p, n);
    *at = (uint32_t)from;
    c->pool_n = (uint32_t)(from + n);
    return true;
}

static bool put_text(struct compiler *c, uint16_t i, struct th_span s)
{
    c->nodes[i].text.n = (uint32_t)s.n;
    return put(c, s.p, s.n, 1, &c->nodes[i].text.at);
}

static bool compile(struct compiler *c, struct th_json v, uint16_t *out);

void th_payload_squeeze(struct th_json v, struct th_buf *out)
{
    const char *p = v.raw.p, *end = p + v.raw.n;

    while (p < end) {
        const char *q = p;

        if (*p == '"') {
            for (q++; q < end && *q != '"'; q++)
                q += *q == '\\';
            q = q < end ? q + 1 : end;
        } else {
            while (q < end && *q != '"' && (unsigned char)*q > ' ')
                q++;
        }
        th_buf_add(out, p, (size_t)(q - p));
        p = th_json_space_end(q, end);
    }
}

static bool plain(struct compiler *c, uint16_t i, struct th_json v)
{
    struct th_buf text;
    bool ok;

    th_buf_init(&text, TH_PAYLOAD_BYTES);
    th_payload_squeeze(v, &text);
    if (text.failed)
        c->error = TH_NOMEM;
    ok = !c->error && put_text(c, i, th_buf_view(&text));
    th_buf_fini(&text);
    return ok;
}

static size_t enter(struct compiler *c, struct th_span name)
{
    size_t n = c->pointer.n;

    th_buf_char(&c->pointer, '/');
    th_buf_span(&c->pointer, name);
    return n;
}

static size_t enter_key(struct compiler *c, struct th_json key)
{
    size_t n = c->pointer.n;

    struct th_buf name;

    th_buf_init(&name, TH_PAYLOAD_BYTES);
    th_json_string(key, &name);
    th_buf_char(&c->pointer, '/');
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '~' || name.p[i] == '/')
            th_buf_str(&c->pointer, name.p[i] == '~' ? "~0" : "~1");
        else
            th_buf_char(&c->pointer, name.p[i]);
    th_buf_fini(&name);
    return n;
}

static void leave(struct compiler *c, size_t n)
{
    c->pointer.n = n;
}

/* Whether something in it is a function, or could be taken for one. */
static bool has_functions(struct th_json v)
{
    struct th_span s = v.raw;

    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '"' && (s.p[i + 1] == '$' || s.p[i + 1] == '\\'))
            return true;
    return false;
}

static bool query(struct compiler *c, uint16_t i, struct th_json v, bool singular)
{
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    struct th_buf text;
    enum th_error error;

    if (v.type != TH_JSON_STRING)
        return fail(c, "must be a text with a path, such as \"$.data.id\"");
    th_buf_init(&text, TH_JSONPATH_BYTES);
    error = th_json_string(v, &text) && !text.failed
                ? th_jsonpath_compile(th_buf_view(&text), c->mem, &q, &fault)
                : TH_NOMEM;
    th_buf_fini(&text);
    if (error == TH_MALFORMED)
        return fail(c, "character %u: %s", fault.at, fault.what);
    if (error) {
        c->error = error;
        return false;
    }
    if (singular && !th_jsonpath_is_singular(q))
        return fail(c, "may find several values; {\"$all\": ...} gives the list of them");
    return put(c, q, th_jsonpath_size(q), 8, &c->nodes[i].query);
}

/* Makes node i the last part of a list or an object. */
static void append(struct compiler *c, uint16_t of, uint16_t *last, uint16_t i)
{
    if (*last)
        c->nodes[*last].next = i;
    else
        c->nodes[of].first = i;
    *last = i;
}

static bool list(struct compiler *c, uint16_t of, struct th_json v)
{
    struct th_json_iter it;
    struct th_json one;
    uint16_t last = 0;
    unsigned n = 0;

    if (v.type != TH_JSON_ARRAY)
        return fail(c, "must be a list");
    for (th_json_iter(&it, v); th_json_next(&it, NULL, &one); n++) {
        char index[16];
        size_t before;
        uint16_t i;

        snprintf(index, sizeof index, "%u", n);
        before = enter(c, th_str(index));
        if (!compile(c, one, &i))
            return false;
        leave(c, before);
        append(c, of, &last, i);
    }
    return true;
}

static bool names(struct compiler *c, uint16_t i, struct th_json v)
{
    struct th_json_iter it;
    struct th_json one;

    if (v.type != TH_JSON_ARRAY)
        return fail(c, "must be a list of names");
    for (th_json_iter(&it, v); th_json_next(&it, NULL, &one);)
        if (one.type != TH_JSON_STRING)
            return fail(c, "must be a list of names");
    return put_text(c, i, v.raw);
}

static bool form(struct compiler *c, uint16_t i, struct th_json v)
{
    static const char *const forms[] = {
        [UNIX] = "unix", [UNIX_MS] = "unix_ms", [DATE] = "date", [RFC3339] = "rfc3339"};

    for (unsigned k = 0; k < 4; k++)
        if (th_json_string_eq(v, th_str(forms[k]))) {
            c->nodes[i].form = (uint8_t)k;
            return true;
        }
    return fail(c, "must be \"unix\", \"unix_ms\", \"date\" or \"rfc3339\"");
}

static const struct {
    const char *name;
    enum kind kind;
    const char *option;
} functions[] = {{"$", VALUE, NULL},      {"$all", ALL, NULL},         {"$default", DEFAULT, NULL},
                 {"$join", JOIN, "with"}, {"$string", STRING, NULL},   {"$json", JSON, NULL},
                 {"$upper", UPPER, NULL}, {"$lower", LOWER, NULL},     {"$length", LENGTH, NULL},
                 {"$time", TIME, "as"},   {"$include", INCLUDE, "of"}, {"$exclude", EXCLUDE, "of"}};

static bool argument(struct compiler *c, uint16_t i, struct th_json v)
{
    uint16_t first;

    switch (c->nodes[i].kind) {
    case VALUE:
        return query(c, i, v, true);
    case ALL:
        return query(c, i, v, false);
    case DEFAULT:
    case JOIN:
        return list(c, i, v);
    case INCLUDE:
    case EXCLUDE:
        return names(c, i, v);
    default:
        if (!compile(c, v, &first))
            return false;
        c->nodes[i].first = first;
        return true;
    }
}

static bool option(struct compiler *c, uint16_t i, struct th_json v)
{
    uint16_t first;

    switch (c->nodes[i].kind) {
    case TIME:
        return form(c, i, v);
    case JOIN:
        return v.type == TH_JSON_STRING ? put_text(c, i, v.raw) : fail(c, "must be a text");
    default: /* "of" */
        if (!compile(c, v, &first))
            return false;
        c->nodes[i].first = first;
        return true;
    }
}

static bool is_function(struct th_json v)
{
    struct th_json_iter it;
    struct th_json key, value;

    if (v.type != TH_JSON_OBJECT)
        return false;
    for (th_json_iter(&it, v); th_json_next(&it, &key, &value);)
        if (key.raw.n > 2 && (key.raw.p[1] == '$' || th_span_starts(th_json_inside(key), TH_LIT("\\u0024"))))
            return true;
    return false;
}

static bool function(struct compiler *c, struct th_json v, uint16_t *out)
{
    struct th_json_iter it;
    struct th_json key, value;
    size_t which = 0, known = sizeof functions / sizeof *functions;
    uint16_t i;

    th_json_iter(&it, v);
    (void)th_json_next(&it, &key, &value);
    while (which < known && !th_json_string_eq(key, th_str(functions[which].name)))
        which++;
    if (which == known) {
        (void)enter_key(c, key);
        return fail(c, "is no function; there are $, $all, $default, $join, $string, $json, $upper, $lower, "
                       "$length, $time, "
                       "$include and $exclude, and a function is the first member of its object");
    }
    i = add(c, functions[which].kind);
    if (c->error)
        return false;
    for (bool first = true;; first = false) {
        size_t before = enter_key(c, key);

        if (first ? !argument(c, i, value)
            : !(functions[which].option && th_json_string_eq(key, th_str(functions[which].option)))
                ? !fail(c, "is nothing that %s takes", functions[which].name)
                : !option(c, i, value))
            return false;
        leave(c, before);
        if (!th_json_next(&it, &key, &value))
            break;
    }
    *out = i;
    return true;
}

static bool members(struct compiler *c, uint16_t of, struct th_json v)
{
    struct th_json_iter it;
    struct th_json key, value;
    uint16_t last = 0;

    for (th_json_iter(&it, v); th_json_next(&it, &key, &value);) {
        size_t before = enter_key(c, key);
        uint16_t i;

        if (!compile(c, value, &i))
            return false;
        leave(c, before);
        c->nodes[i].name.n = (uint32_t)key.raw.n;
        if (!put(c, key.raw.p, key.raw.n, 1, &c->nodes[i].name.at))
            return false;
        append(c, of, &last, i);
    }
    return true;
}

static bool compile(struct compiler *c, struct th_json v, uint16_t *out)
{
    bool ok;

    if (!has_functions(v) || (v.type != TH_JSON_OBJECT && v.type != TH_JSON_ARRAY)) {
        *out = add(c, PLAIN);
        return !c->error && plain(c, *out, v);
    }
    if (c->depth++ == TH_PAYLOAD_DEPTH)
        return fail(c, "is nested too deeply");
    if (is_function(v)) {
        ok = function(c, v, out);
    } else {
        *out = add(c, v.type == TH_JSON_OBJECT ? OBJECT : ARRAY);
        ok = !c->error && (v.type == TH_JSON_OBJECT ? members(c, *out, v) : list(c, *out, v));
    }
    c->depth--;
    return ok;
}

enum th_error th_payload_compile(struct th_json root, struct th_arena *mem, const struct th_payload **out,
                                 struct th_payload_fault *fault)
{
    struct th_arena queries;
    struct compiler *c;
    struct th_payload *p;
    uint16_t first;
    enum th_error error;

    th_arena_init(&queries, 4 * TH_PAYLOAD_COMPILED);
    c = th_arena_get(&queries, sizeof *c);
    if (!c) {
        th_arena_fini(&queries);
        return TH_NOMEM;
    }
    c->mem = &queries;
    c->fault = fault;
    th_buf_init(&c->pointer, 64 << 10);
    if (root.raw.n > TH_PAYLOAD_BYTES)
        (void)fail(c, "has %zu bytes; at most %d are allowed", root.raw.n, TH_PAYLOAD_BYTES);
    else if (root.type != TH_JSON_OBJECT && root.type != TH_JSON_ARRAY)
        (void)fail(c, "must be an object or a list");
    else
        (void)compile(c, root, &first);
    error = c->error;
    if (!error) {
        size_t nodes = c->count * sizeof *c->nodes;

        p = th_arena_get(mem, sizeof *p + (nodes + 7) / 8 * 8 + c->pool_n);
        if (p) {
            p->count = c->count;
            p->pool = c->pool_n;
            memcpy(p->nodes, c->nodes, nodes);
            memcpy((char *)p->nodes + (nodes + 7) / 8 * 8, c->pool, c->pool_n);
            *out = p;
        }
        error = p ? TH_OK : TH_NOMEM;
    }
    th_buf_fini(&c->pointer);
    th_arena_fini(&queries);
    return error;
}

static size_t nodes_bytes(const struct th_payload *p)
{
    return (p->count * sizeof *p->nodes + 7) / 8 * 8;
}

size_t th_payload_size(const struct th_payload *p)
{
    return sizeof *p + nodes_bytes(p) + p->pool;
}

const struct th_payload *th_payload_copy(const struct th_payload *p, struct th_arena *mem)
{
    struct th_payload *to = th_arena_get(mem, th_payload_size(p));

    if (to)
        memcpy(to, p, th_payload_size(p));
    return to;
}

/* ---- rendering ---- */

struct renderer {
    const struct th_payload *p;
    const struct th_tape *tape;
    uint32_t event, steps;
    bool excess;
};

static struct th_span pool(const struct th_payload *p, uint32_t at, uint32_t n)
{
    return th_span((const char *)p->nodes + nodes_bytes(p) + at, n);
}

/* Appends the node's value; false: nothing, and nothing is appended. */
static bool write_node(struct renderer *r, uint16_t i, struct th_buf *out);

static bool write_query(struct renderer *r, const struct node *n, struct th_buf *out)
{
    const struct th_jsonpath *q = (const struct th_jsonpath *)(const void *)pool(r->p, n->query, 0).p;
    struct th_jsonpath_run run;
    bool any = false;
    uint32_t i;

    th_jsonpath_begin(&run, q, r->tape, r->event, r->steps);
    if (n->kind == ALL)
        th_buf_char(out, '[');
    while ((i = th_jsonpath_next(&run)) != TH_TAPE_NONE && !out->failed) {
        if (any)
            th_buf_char(out, ',');
        th_buf_span(out, th_tape_value(r->tape, i).raw);
        any = true;
    }
    if (n->kind == ALL)
        th_buf_char(out, ']');
    r->steps = run.steps;
    r->excess |= run.excess;
    return any || n->kind == ALL;
}

static bool write_members(struct renderer *r, const struct node *n, struct th_buf *out)
{
    bool object = n->kind == OBJECT, any = false;

    th_buf_char(out, object ? '{' : '[');
    for (uint16_t i = n->first; i; i = r->p->nodes[i].next) {
        const struct node *m = &r->p->nodes[i];
        size_t before = out->n;

        if (any)
            th_buf_char(out, ',');
        if (object) {
            th_buf_span(out, pool(r->p, m->name.at, m->name.n));
            th_buf_char(out, ':');
        }
        if (write_node(r, i, out)) {
            any = true;
        } else if (object) {
            out->n = before;
        } else {
            th_buf_str(out, "null");
            any = true;
        }
    }
    th_buf_char(out, object ? '}' : ']');
    return true;
}

/* A value as text: a string's characters, null none, all else as JSON. */
static void add_text(struct th_json v, struct th_buf *out)
{
    if (v.type == TH_JSON_STRING)
        (void)th_json_string(v, out);
    else if (v.type != TH_JSON_NULL)
        th_buf_span(out, v.raw);
}

/* What a node gives, in memory of its own: free with th_buf_fini. False: nothing. */
static bool value_of(struct renderer *r, uint16_t i, size_t max, struct th_buf *mem, struct th_json *v)
{
    th_buf_init(mem, max);
    if (!i || !write_node(r, i, mem) || mem->failed)
        return false;
    *v = th_json_of(th_buf_view(mem));
    return true;
}

static void write_string(struct th_span s, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_string(&w, s);
}

static bool write_join(struct renderer *r, const struct node *n, struct th_buf *out)
{
    struct th_buf text, mem;
    struct th_json v;
    bool any = false;

    th_buf_init(&text, out->max);
    for (uint16_t i = n->first; i; i = r->p->nodes[i].next) {
        if (value_of(r, i, out->max, &mem, &v)) {
            if (any && n->text.n)
                add_text(th_json_of(pool(r->p, n->text.at, n->text.n)), &text);
            add_text(v, &text);
            any = true;
        }
        if (mem.failed)
            out->failed = mem.failed;
        th_buf_fini(&mem);
    }
    if (text.failed)
        out->failed = text.failed;
    else
        write_string(th_buf_view(&text), out);
    th_buf_fini(&text);
    return true;
}

/* The value as text; with upper or lower letters for UPPER and LOWER. */
static bool write_text(struct th_json v, enum kind kind, struct th_buf *out)
{
    struct th_buf text;

    th_buf_init(&text, out->max);
    add_text(v, &text);
    for (size_t i = 0; kind != STRING && i < text.n;
         i++) /* letters of ASCII alone: the same in every language */
        if (kind == UPPER ? text.p[i] >= 'a' && text.p[i] <= 'z' : text.p[i] >= 'A' && text.p[i] <= 'Z')
            text.p[i] = (char)(text.p[i] ^ 0x20);
    if (text.failed)
        out->failed = text.failed;
    else
        write_string(th_buf_view(&text), out);
    th_buf_fini(&text);
    return true;
}

static bool write_length(struct th_json v, struct th_buf *out)
{
    struct th_json_iter it;
    struct th_json key, one;
    struct th_buf text;
    uint64_t n = 0;

    if (v.type == TH_JSON_STRING) {
        th_buf_init(&text, out->max);
        add_text(v, &text);
        for (size_t i = 0; i < text.n; i++)
            n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
        th_buf_fini(&text);
    } else if (v.type == TH_JSON_ARRAY || v.type == TH_JSON_OBJECT) {
        for (th_json_iter(&it, v); th_json_next(&it, v.type == TH_JSON_OBJECT ? &key : NULL, &one);)
            n++;
    } else {
        return false;
    }
    th_buf_u64(out, n);
    return true;
}

static bool write_time(struct th_json v, enum form form, struct th_buf *out)
{
    struct th_buf text;
    struct th_wall t;
    bool ok;

    th_buf_init(&text, out->max);
    ok = v.type == TH_JSON_STRING && th_json_string(v, &text) && th_wall_parse(th_buf_view(&text), &t);
    th_buf_reset(&text);
    if (ok && form == UNIX)
        th_buf_i64(out, (t.ms - (t.ms % 1000 + 1000) % 1000) / 1000);
    else if (ok && form == UNIX_MS)
        th_buf_i64(out, t.ms);
    if (ok && form >= DATE) {
        th_wall_format(&text, t, TH_RFC3339_MILLIS);
        write_string(form == DATE ? th_span(text.p, text.n < 10 ? text.n : 10) : th_buf_view(&text), out);
    }
    th_buf_fini(&text);
    return ok;
}

static bool is_named(struct th_json names, struct th_json key)
{
    struct th_json_iter it;
    struct th_json one;
    struct th_buf text;
    bool found = false;

    th_buf_init(&text, TH_PAYLOAD_BYTES);
    for (th_json_iter(&it, names); !found && th_json_next(&it, NULL, &one);) {
        th_buf_reset(&text);
        found = th_json_string(one, &text) && th_json_string_eq(key, th_buf_view(&text));
    }
    th_buf_fini(&text);
    return found;
}

/* The object with some of its members. */
static bool write_some(struct renderer *r, const struct node *n, struct th_json of, struct th_buf *out)
{
    struct th_json names = th_json_of(pool(r->p, n->text.at, n->text.n)), key, value;
    struct th_json_iter it;
    bool any = false;

    if (of.type != TH_JSON_OBJECT)
        return false;
    th_buf_char(out, '{');
    for (th_json_iter(&it, of); th_json_next(&it, &key, &value);) {
        if (r->steps < 4) {
            r->excess = true;
            break;
        }
        r->steps -= 4;
        if (is_named(names, key) != (n->kind == INCLUDE))
            continue;
        if (any)
            th_buf_char(out, ',');
        th_buf_span(out, key.raw);
        th_buf_char(out, ':');
        th_buf_span(out, value.raw);
        any = true;
    }
    th_buf_char(out, '}');
    return true;
}

static bool write_function(struct renderer *r, const struct node *n, struct th_buf *out)
{
    struct th_buf mem;
    struct th_json v;
    bool there;

    if ((n->kind == INCLUDE || n->kind == EXCLUDE) && !n->first)
        return write_some(r, n, th_tape_value(r->tape, r->event), out);
    there = value_of(r, n->first, out->max, &mem, &v);
    if (there && (n->kind == STRING || n->kind == UPPER || n->kind == LOWER)) {
        there = write_text(v, (enum kind)n->kind, out);
    } else if (there && n->kind == JSON) {
        write_string(v.raw, out);
    } else if (there && n->kind == LENGTH) {
        there = write_length(v, out);
    } else if (there && n->kind == TIME) {
        there = write_time(v, (enum form)n->form, out);
    } else if (there) {
        there = write_some(r, n, v, out);
    }
    if (mem.failed)
        out->failed = mem.failed;
    th_buf_fini(&mem);
    return there;
}

static bool write_node(struct renderer *r, uint16_t i, struct th_buf *out)
{
    const struct node *n = &r->p->nodes[i];

    switch (n->kind) {
    case PLAIN:
        th_buf_span(out, pool(r->p, n->text.at, n->text.n));
        return true;
    case OBJECT:
    case ARRAY:
        return write_members(r, n, out);
    case VALUE:
    case ALL:
        return write_query(r, n, out);
    case DEFAULT:
        for (uint16_t k = n->first; k; k = r->p->nodes[k].next)
            if (write_node(r, k, out))
                return true;
        return false;
    case JOIN:
        return write_join(r, n, out);
    default:
        return write_function(r, n, out);
    }
}

enum th_error th_payload_render(const struct th_payload *p, const struct th_tape *tape, uint32_t event,
                                size_t max, struct th_buf *out)
{
    struct renderer r = {.p = p, .tape = tape, .event = event, .steps = TH_JSONPATH_STEPS};
    struct th_buf body;
    enum th_error error;

    th_buf_init(&body, max);
    if (!write_node(&r, 0, &body))
        th_buf_str(&body, "null");
    error = r.excess ? TH_TOO_LARGE : body.failed;
    if (!error) {
        th_buf_span(out, th_buf_view(&body));
        error = out->failed;
    }
    th_buf_fini(&body);
    return error;
}
