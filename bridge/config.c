/* Reads the YAML file of a stream. Every key is one row; what is not in the table is refused, so that a typing error does not lose
 * events in silence. */
#include "config.h"
#include "options/yaml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)

static const char *const members[BR_MEMBERS] = {"type", "data", "tenant", "id", "time", "traceparent"};

static bool read_all(const char *file, struct th_buf *out)
{
    char piece[4096];
    FILE *f = fopen(file, "re");
    size_t n;

    if (!f)
        return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        th_buf_add(out, piece, n);
    n = ferror(f) ? 1 : 0;
    (void)fclose(f);
    return !n && !out->failed;
}

static const char *text_of(struct br_config *c, struct th_span s)
{
    struct th_buf b;
    struct th_span copy = TH_LIT("");

    th_buf_init(&b, s.n + 1);
    th_buf_span(&b, s);
    th_buf_char(&b, 0);
    if (b.failed || !th_arena_copy(&c->mem, th_buf_view(&b), &copy)) {
        fprintf(stderr, "tenterhook-bridge: out of memory\n");
        exit(71);
    }
    th_buf_fini(&b);
    return copy.p;
}

/* The trimmed content of a file of secrets. */
static const char *secret_of(struct br_config *c, const char *file)
{
    struct th_buf b;
    const char *text = NULL;

    th_buf_init(&b, 65536);
    if (read_all(file, &b)) {
        struct th_span all = th_buf_view(&b);

        while (all.n && (all.p[all.n - 1] == '\n' || all.p[all.n - 1] == '\r'))
            all.n--;
        text = text_of(c, all);
    }
    th_buf_wipe(&b);
    return text;
}

static bool fault(const struct br_config *c, unsigned line, char *why, size_t why_size, const char *what,
                  struct th_span about)
{
    snprintf(why, why_size, "%s:%u: %.*s: %s", c->file, line, (int)about.n, about.p, what);
    return false;
}

/* "/pointer", "header:NAME", "@key", "@id", "@time", "=TEXT" */
static bool read_field(struct br_config *c, const struct th_node *n, struct br_field *out)
{
    struct th_span s = th_str(text_of(c, n->text));

    out->text = TH_LIT("");
    if (s.n && s.p[0] == '/')
        *out = (struct br_field){BR_BODY, s};
    else if (s.n > 7 && memcmp(s.p, "header:", 7) == 0)
        *out = (struct br_field){BR_HEADER, th_span(s.p + 7, s.n - 7)};
    else if (th_span_is(s, "@key"))
        out->from = BR_KEY;
    else if (th_span_is(s, "@id"))
        out->from = BR_ID;
    else if (th_span_is(s, "@time"))
        out->from = BR_TIME;
    else if (th_span_is(s, "@body"))
        *out = (struct br_field){BR_BODY, TH_LIT("")};
    else if (s.n > 1 && s.p[0] == '=')
        *out = (struct br_field){BR_TEXT, th_span(s.p + 1, s.n - 1)};
    else
        return false;
    return true;
}

static bool read_event(struct br_config *c, const struct th_node *map, char *why, size_t why_size)
{
    for (const struct th_node *n = map->first; n; n = n->next) {
        unsigned i = 0;

        while (i < BR_MEMBERS && !th_span_is(n->key, members[i]))
            i++;
        if (i == BR_MEMBERS)
            return fault(c, n->line, why, why_size,
                         "is not a member of events; there are type, data, tenant, id, time, traceparent",
                         n->key);
        if (n->kind != TH_NODE_SCALAR || !read_field(c, n, &c->fields[i]))
            return fault(c, n->line, why, why_size,
                         "write /POINTER (into the body), header:NAME, @key, @id, @time, @body or =TEXT",
                         n->key);
    }
    return true;
}

static bool read_number(const struct th_node *n, unsigned lowest, unsigned highest, unsigned *out)
{
    uint64_t v;

    if (!th_span_u64(n->text, highest, &v) || v < lowest)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool read_options(struct br_config *c, const struct th_node *map, char *why, size_t why_size)
{
    for (const struct th_node *n = map->first; n; n = n->next) {
        struct br_option *o = th_arena_get(&c->mem, sizeof *o);

        if (!o || n->kind != TH_NODE_SCALAR)
            return fault(c, n->line, why, why_size, "must be a text", n->key);
        *o = (struct br_option){text_of(c, n->key), text_of(c, n->text), c->options};
        c->options = o;
    }
    return true;
}

static bool read_key(struct br_config *c, const struct th_node *n, char *why, size_t why_size)
{
    const struct {
        const char *name;
        const char **to;
        bool in_file;
    } texts[] = {
        {"source", &c->source, false}, {"source_file", &c->source, true}, {"queue", &c->queue, false},
        {"stream", &c->stream, false}, {"subject", &c->subject, false},   {"topic", &c->topic, false},
        {"group", &c->group, false},   {"consumer", &c->consumer, false}, {"body", &c->body, false},
        {"aside", &c->aside, false},   {"server", &c->server, false},     {"ca_file", &c->ca_file, false},
        {"key_file", &c->key, true}};

    if (th_span_is(n->key, "event") && n->kind == TH_NODE_MAP)
        return read_event(c, n, why, why_size);
    if (th_span_is(n->key, "options") && n->kind == TH_NODE_MAP)
        return read_options(c, n, why, why_size);
    if (n->kind != TH_NODE_SCALAR)
        return fault(c, n->line, why, why_size, "is not a key of a stream, or must be one text", n->key);
    if (th_span_is(n->key, "batch"))
        return read_number(n, 1, 1000, &c->batch) ||
               fault(c, n->line, why, why_size, "must be 1 to 1000", n->key);
    if (th_span_is(n->key, "ack_wait"))
        return read_number(n, 1, 86400, &c->ack_wait_s) ||
               fault(c, n->line, why, why_size, "must be 1 to 86400 seconds", n->key);
    if (th_span_is(n->key, "max_unacked"))
        return read_number(n, 1, 65535, &c->max_unacked) ||
               fault(c, n->line, why, why_size, "must be 1 to 65535", n->key);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!th_span_is(n->key, texts[i].name))
            continue;
        if (!n->text.n)
            return fault(c, n->line, why, why_size, "is empty", n->key);
        *texts[i].to = text_of(c, n->text);
        if (texts[i].in_file && !(*texts[i].to = secret_of(c, *texts[i].to)))
            return fault(c, n->line, why, why_size, "the file cannot be read", n->key);
        return true;
    }
    return fault(c, n->line, why, why_size, "is not a key of a stream", n->key);
}

static bool check(const struct br_config *c, char *why, size_t why_size)
{
    const char *missing = !c->source ? "source" : !c->server ? "server" : !c->aside ? "aside" : NULL;

    if (!missing && c->fields[BR_M_TYPE].from == BR_ABSENT)
        missing = "event: type";
    if (!missing && !c->key)
        missing = "key_file (or TENTERHOOK_KEY in the environment)";
    if (!missing)
        return true;
    snprintf(why, why_size, "%s: the key %s is missing", c->file, missing);
    return false;
}

bool br_config_read(const char *file, struct br_config *c, char *why, size_t why_size)
{
    const char *key = getenv("TENTERHOOK_KEY");
    struct th_node *root;
    struct th_buf text;
    bool ok;

    *c = (struct br_config){.file = file,
                            .ack_wait_s = 30,
                            .batch = 500,
                            .max_unacked = 1000,
                            .group = "tenterhook",
                            .consumer = "tenterhook-bridge",
                            .body = "data",
                            .server = getenv("TENTERHOOK_SERVER")};
    th_arena_init(&c->mem, 16u << 20);
    c->fields[BR_M_DATA] = (struct br_field){BR_BODY, TH_LIT("")};
    c->fields[BR_M_ID].from = BR_ID;
    c->fields[BR_M_TRACEPARENT] = (struct br_field){BR_HEADER, TH_LIT("traceparent")};
    if (key && *key)
        c->key = key;
    th_buf_init(&text, FILE_MAX);
    if (!read_all(file, &text)) {
        snprintf(why, why_size, "%s: cannot be read", file);
        th_buf_fini(&text);
        return false;
    }
    ok = th_yaml_parse(file, th_buf_view(&text), TH_YAML_MAX, &c->mem, &root, why, why_size) == TH_OK;
    if (ok && root->kind != TH_NODE_MAP) {
        snprintf(why, why_size, "%s: must be a map of keys", file);
        ok = false;
    }
    for (const struct th_node *n = ok ? root->first : NULL; ok && n; n = n->next)
        ok = read_key(c, n, why, why_size);
    th_buf_fini(&text);
    return ok && check(c, why, why_size);
}

void br_config_free(struct br_config *c)
{
    th_arena_fini(&c->mem);
}
