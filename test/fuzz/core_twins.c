/* What library and server both read, they read alike: JSON with its strings, hex and base64, times. A receiver
 * that took a body for another than the sender wrote would be a gap. */
#include "base/enc.h"
#include "base/json.h"
#include "base/time.h"
#include "fuzz.h"
#include "lib/internal.h"

#define LIBRARY_DEPTH 256

static void fuzz_json(struct fuzz *f, struct th_span text)
{
    th_lib_span value = {NULL, 0}, id, last = {NULL, 0};
    struct th_json root, found, key;
    struct th_json_iter it;
    bool ok = th_json_parse(text, LIBRARY_DEPTH, &root, NULL) == TH_OK;

    must(th_lib_json(th_lib_of(text.p, text.n), &value) == ok);
    if (!ok)
        return;
    must(value.p == root.raw.p && value.n == root.raw.n);
    if (root.type == TH_JSON_STRING) {
        struct th_buf plain;
        char *out = fuzz_block(f, value.n + 1);
        size_t n;

        th_buf_init(&plain, 1 << 20);
        must(th_json_string(root, &plain));
        /* Half a surrogate pair is no text for the library, and U+FFFD for the server. */
        if (tenterhook_string(value, out, value.n + 1, &n))
            must(plain.n == n && (n == 0 || memcmp(plain.p, out, n) == 0));
        else
            must(memchr(value.p, '\\', value.n) != NULL);
        th_buf_fini(&plain);
    }
    th_json_iter(&it, root);
    while (root.type == TH_JSON_OBJECT && th_json_next(&it, &key, &found))
        if (th_span_is(key.raw, "\"id\"")) /* the last of this name */
            last = th_lib_of(found.raw.p, found.raw.n);
    must(tenterhook_member(value, "id", &id) == (last.p != NULL) && id.p == last.p && id.n == last.n);
}

static void fuzz_codec(struct fuzz *f, struct th_span text)
{
    uint8_t *a = (uint8_t *)fuzz_block(f, text.n), *b = (uint8_t *)fuzz_block(f, text.n);
    th_lib_span same = {text.p, text.n};
    size_t an = 0, bn = 0;

    must(th_unhex(text, a, text.n, &an) == th_lib_unhex(same, b, text.n, &bn));
    must(an == bn && (an == 0 || memcmp(a, b, an) == 0));
    an = bn = 0;
    if (th_unbase64(text, a, text.n, &an)) {
        must(th_lib_unbase64(same, b, text.n, &bn) && an == bn && (an == 0 || memcmp(a, b, an) == 0));
    } else {
        must(!th_lib_unbase64(same, b, text.n, &bn));
    }
}

static void fuzz_time(struct th_span text)
{
    struct th_wall wall;
    int64_t seconds;
    bool known = th_wall_parse(text, &wall);

    /* The library's times begin in 1970, and have at most 40 bytes. */
    if (th_lib_rfc3339(th_lib_of(text.p, text.n), &seconds))
        must(known && (wall.ms - (wall.ms % 1000 + 1000) % 1000) / 1000 == seconds);
    else
        must(!known || text.n > 40 || memcmp(text.p, "1970", 4) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct fuzz_bytes text = fuzz_rest(&f);

    fuzz_json(&f, th_span(text.p, text.n));
    fuzz_codec(&f, th_span(text.p, text.n));
    fuzz_time(th_span(text.p, text.n));
    fuzz_end(&f);
    return 0;
}
