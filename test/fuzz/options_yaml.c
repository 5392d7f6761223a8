/* The YAML of the server on any bytes: a tree whose lines lie in the text, or a reason. Every JSON object is YAML and reads as
 * JSON does; what the receiver's library reads, the server reads alike. */
#include "base/json.h"
#include "fuzz.h"
#include "options/yaml.h"
#include "options/yaml_lines.h"

static void check_lines(const struct th_node *n, unsigned lines)
{
    must(n->line <= lines);
    for (const struct th_node *c = n->first; c; c = c->next)
        check_lines(c, lines);
}

static void check_text(struct th_json v, struct th_span text)
{
    struct th_buf plain;

    th_buf_init(&plain, 1 << 20);
    /* half a surrogate pair is no text in YAML: such documents do not come here */
    must(v.type != TH_JSON_STRING || (th_json_string(v, &plain) && th_span_eq(th_buf_view(&plain), text)));
    must(v.type == TH_JSON_STRING || th_span_eq(v.raw, text));
    th_buf_fini(&plain);
}

static void same(struct th_json v, const struct th_node *n)
{
    const struct th_node *c = n->first;
    struct th_json_iter it;
    struct th_json key, value;

    if (n->kind == TH_NODE_SCALAR) {
        must(n->quoted == (v.type == TH_JSON_STRING));
        check_text(v, n->text);
        return;
    }
    must(v.type == (n->kind == TH_NODE_MAP ? TH_JSON_OBJECT : TH_JSON_ARRAY));
    for (th_json_iter(&it, v); th_json_next(&it, &key, &value); c = c->next) {
        must(c != NULL);
        if (n->kind == TH_NODE_MAP)
            check_text(key, c->key);
        same(value, c);
    }
    must(c == NULL);
}

struct hash {
    uint64_t value;
};

static bool on(struct th_yaml *y, const struct th_span *scalar)
{
    struct hash *h = y->ctx;

    h->value = (h->value ^ y->depth ^ (y->frame[y->depth - 1].list ? 64u : 0) ^ (uint64_t)y->quote << 40) *
               1099511628211u;
    for (size_t i = 0; scalar && i < scalar->n; i++)
        h->value = (h->value ^ (unsigned char)scalar->p[i]) * 1099511628211u;
    return true;
}

static void check_library(struct th_span text)
{
    struct hash without = {1}, with = {1};
    struct th_yaml y;

    if (!th_yaml_walk(&y, text, on, NULL, &without))
        return;
    must(th_yaml_walk(&y, text, on, th_yaml_lines, &with) && with.value == without.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes bytes = fuzz_rest(&f);
    struct th_span text = th_span(bytes.p, bytes.n);
    struct th_arena mem;
    struct th_node *root;
    struct th_json v;
    char why[300] = "";
    unsigned lines = 1;
    bool is_json;

    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    th_arena_init(&mem, 1 << 22);
    /* a lone carriage return is white space in JSON, and refused here */
    is_json = !memchr(text.n ? text.p : "", '\r', text.n) && th_json_parse(text, 30, &v, NULL) == TH_OK &&
              (v.type == TH_JSON_OBJECT || v.type == TH_JSON_ARRAY);
    if (th_yaml_parse("f", text, TH_YAML_MAX, &mem, &root, why, sizeof why)) {
        must(why[0] != 0);
        must(!is_json || strstr(why, "twice") || strstr(why, "surrogate") || strstr(why, "control") ||
             strstr(why, "tab") || strstr(why, "fits no") || strstr(why, "one line"));
    } else {
        check_lines(root, lines);
        if (is_json)
            same(v, root);
    }
    th_arena_fini(&mem);
    check_library(text);
    fuzz_end(&f);
    return 0;
}
