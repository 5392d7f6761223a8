/* The codecs of library and server on any bytes: hex, base64, base64url, numbers, times, UTF-8, splitting. One text for
 * one value, and what is written is read as the same. */
#include "base/enc.h"
#include "base/json.h"
#include "base/time.h"
#include "lib_fuzz.h"

struct codec {
    void (*encode)(struct th_buf *out, const void *p, size_t n);
    bool (*decode)(struct th_span text, void *out, size_t cap, size_t *n);
    bool any_case;
};
static const struct codec codecs[] = {
    {th_hex, th_unhex, true}, {th_base64, th_unbase64, false}, {th_base64url, th_unbase64url, false}};

static void fuzz_codec(struct fuzz *f, const struct codec *c, struct th_span s)
{
    void *out = fuzz_block(f, s.n), *back = fuzz_block(f, s.n);
    struct th_buf text;
    size_t n;

    th_buf_init(&text, 1 << 20);
    if (c->decode(s, out, s.n, &n)) {
        c->encode(&text, out, n);
        must(c->any_case ? th_span_ieq(th_buf_view(&text), s) : th_span_eq(th_buf_view(&text), s));
        must(n == 0 || !c->decode(s, out, n - 1, &n));
    }
    th_buf_reset(&text);
    c->encode(&text, s.p, s.n);
    must(c->decode(th_buf_view(&text), back, s.n, &n) && th_span_eq(th_span(back, n), s));
    th_buf_fini(&text);
}

static void fuzz_time(struct th_span s)
{
    struct th_wall t, again;
    struct th_buf text;

    if (!th_wall_parse(s, &t))
        return;
    th_buf_init(&text, 64);
    th_wall_format(&text, t, TH_RFC3339_MILLIS);
    must(th_wall_parse(th_buf_view(&text), &again) && again.ms == t.ms);
    th_buf_fini(&text);
}

static void fuzz_number(struct th_span s)
{
    struct th_buf text;
    uint64_t v;

    if (!th_span_u64(s, UINT64_MAX, &v))
        return;
    th_buf_init(&text, 64);
    th_buf_printf(&text, "%llu", (unsigned long long)v);
    while (s.n > 1 && *s.p == '0')
        s.p++, s.n--;
    must(th_span_eq(th_buf_view(&text), s));
    th_buf_fini(&text);
}

/* The receivers' forms: decimals without leading zeros, times from 1970 on. */
static void fuzz_receiver(struct th_span text)
{
    char out[32];
    int64_t v, again;

    if (th_lib_decimal(text, &v)) {
        must(v >= 0 && v <= INT64_C(999999999999999));
        if (v <= INT64_C(253402300799))
            must(th_span_eq(th_span(out, th_lib_stamp(TENTERHOOK_UNIX, v, out)), text));
        else
            must(th_lib_stamp(TENTERHOOK_UNIX, v, out) == 0);
    }
    if (th_lib_rfc3339(text, &v)) {
        size_t n = th_lib_stamp(TENTERHOOK_RFC3339, v, out);
        struct th_wall wall;

        must(v >= 0 && n > 0 && th_wall_parse(text, &wall) && wall.ms / 1000 == v);
        must(th_lib_rfc3339(th_span(out, n), &again) && again == v);
    }
}

static void fuzz_split(struct th_span text, struct th_span sep)
{
    struct th_span rest = text, part;
    bool more = true;
    size_t parts = 0, bytes = 0;

    while (th_lib_split(&rest, sep, &part, &more)) {
        must(lies_in(part, text.p, text.n));
        must(sep.n == 0 || th_lib_find(part, sep) == SIZE_MAX);
        parts++;
        bytes += part.n;
    }
    must(parts > 0 && bytes + (parts - 1) * sep.n == text.n);
    if (sep.n) {
        size_t first = th_lib_find(text, sep), last = th_lib_find_last(text, sep);

        must((first == SIZE_MAX) == (parts == 1) && (last == SIZE_MAX) == (parts == 1));
        must(first <= last && (last == SIZE_MAX || last + sep.n <= text.n));
    }
}

/* A text is UTF-8 exactly when it can stand in a JSON string as it is. */
static void fuzz_utf8(struct th_span s)
{
    struct th_buf text, back;
    struct th_json root;
    struct th_jw w = th_jw(&text);

    th_buf_init(&text, 1 << 20);
    th_buf_init(&back, 1 << 20);
    th_jw_string(&w, s);
    must(th_json_parse(th_buf_view(&text), 0, &root, NULL) == TH_OK && th_json_string(root, &back));
    must(th_span_eq(th_buf_view(&back), s) == th_utf8_ok(s));
    th_buf_fini(&text);
    th_buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct th_span first = span_of(fuzz_line(&f)), s = span_of(fuzz_rest(&f));

    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        fuzz_codec(&f, &codecs[i], first);
        fuzz_codec(&f, &codecs[i], s);
    }
    fuzz_time(first);
    fuzz_number(first);
    fuzz_receiver(first);
    fuzz_split(s, first);
    fuzz_utf8(s);
    fuzz_end(&f);
    return 0;
}
