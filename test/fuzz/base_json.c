/* JSON reader on any bytes: no crash, no read past the end; what it accepts can be walked, resolved, written
 * back and accepted again; what it refuses has a position inside the text. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_json v, found;
    struct th_json_error e;
    struct th_span text = th_span(data, size);

    if (th_json_parse(text, TH_JSON_DEPTH, &v, &e)) {
        must(e.offset <= size && e.line >= 1 && e.column >= 1 && e.what);
        return 0;
    }
    use(v, 3);
    (void)th_json_pointer(v, text, &found);
    (void)th_json_pointer(v, TH_LIT("/a/0/~1"), &found);
    return 0;
}
