/* The JSON reader of library and server on any bytes: no crash, no read past the end; what it accepts can be walked,
 * resolved, written back and accepted again; what it refuses has a position inside the text. What receivers ask of it
 * (members by name, strings as text) is what the walk finds. */
#include "base/json.h"
#include "fuzz.h"

static void use(struct th_json v, unsigned level)
{
    struct th_json_iter it;
    struct th_json key, value, found, again;
    struct th_buf plain, written;
    struct th_jw w;
    bool b;
    int64_t i;

    (void)th_json_i64(v, &i);
    (void)th_json_bool(v, &b);
    if (v.type == TH_JSON_STRING) {
        th_buf_init(&plain, 1 << 20);
        th_buf_init(&written, 1 << 23);
        must(th_json_string(v, &plain));
        must(th_json_string_eq(v, th_buf_view(&plain)));
        w = th_jw(&written);
        th_jw_string(&w, th_buf_view(&plain));
        must(th_json_parse(th_buf_view(&written), 0, &again, NULL) == TH_OK);
        must(th_json_string_eq(again, th_buf_view(&plain)));
        th_buf_fini(&plain);
        th_buf_fini(&written);
    }
    if (level == 0)
        return;
    for (th_json_iter(&it, v); th_json_next(&it, &key, &value);) {
        must(value.raw.p > v.raw.p && value.raw.p + value.raw.n < v.raw.p + v.raw.n);
        must(th_json_parse(value.raw, TH_JSON_DEPTH, &again, NULL) == TH_OK && again.raw.n == value.raw.n);
        if (v.type == TH_JSON_OBJECT) {
            use(key, 0);
            must(!th_json_member(v, TH_LIT("a"), &found) || found.raw.p >= v.raw.p);
        }
        use(value, level - 1); /* a test may recurse: three levels are enough */
    }
}

/* The last member of a name, as JSON.parse has it. */
static void fuzz_member(struct th_json root)
{
    struct th_span id, last = {NULL, 0};
    struct th_json_iter it;
    struct th_json key, found;

    if (root.type == TH_JSON_OBJECT)
        for (th_json_iter(&it, root); th_json_next(&it, &key, &found);)
            if (th_json_string_eq(key, TH_LIT("id")))
                last = found.raw;
    must(tenterhook_member(root.raw, "id", &id) == (last.p != NULL) && id.p == last.p && id.n == last.n);
}

/* Half a surrogate pair is no text for receivers, and U+FFFD for the server. */
static void fuzz_text(struct fuzz *f, struct th_json root)
{
    char *out = fuzz_block(f, root.raw.n + 1);
    struct th_buf plain;
    size_t n;

    th_buf_init(&plain, 1 << 20);
    if (tenterhook_string(root.raw, out, root.raw.n + 1, &n)) {
        must(th_json_string(root, &plain) && th_span_eq(th_buf_view(&plain), th_span(out, n)) && out[n] == 0);
        must(!tenterhook_string(root.raw, out, n, &n) && tenterhook_string(root.raw, out, n + 1, &n));
    } else {
        must(root.type != TH_JSON_STRING || memchr(root.raw.p, '\\', root.raw.n));
    }
    th_buf_fini(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes bytes = fuzz_rest(&f);
    struct th_json v, found;
    struct th_json_error e;
    struct th_span text = th_span(bytes.p, bytes.n);

    if (th_json_parse(text, TH_JSON_DEPTH, &v, &e)) {
        must(e.offset <= size && e.line >= 1 && e.column >= 1 && e.what);
    } else {
        use(v, 3);
        (void)th_json_pointer(v, text, &found);
        (void)th_json_pointer(v, TH_LIT("/a/0/~1"), &found);
        fuzz_member(v);
        fuzz_text(&f, v);
    }
    fuzz_end(&f);
    return 0;
}
