/* Decoding of gzip and deflate for the log of deliveries.
 *
 * Why: requests carry no Accept-Encoding, but some servers compress all the same, and whoever looks for the reason of a 500
 * needs its words. Only what is kept of the body is decoded, and only as much is kept of the result: a bomb costs what a
 * plain answer of the limit costs.
 *
 * Failure: what does not decode is left to be shown as it came. */
#include "net/inflate.h"
#include "base/alloc.h"
#include <zlib.h>

static void *get(void *unused, unsigned items, unsigned size)
{
    (void)unused;
    return th_calloc(items, size);
}

static void put(void *unused, void *p)
{
    (void)unused;
    th_free(p);
}

/* `bits` as of inflateInit2: 15 for the zlib format, +16 for gzip, negative for bare deflate. */
static bool decode(int bits, struct th_span body, struct th_buf *out, bool *whole)
{
    z_stream z = {.zalloc = get, .zfree = put};
    int r;

    th_buf_reset(out);
    *whole = false;
    if (inflateInit2(&z, bits) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)body.p;
    z.avail_in = (uInt)body.n;
    do {
        unsigned char piece[4096];
        size_t made;

        z.next_out = piece;
        z.avail_out = sizeof piece;
        r = inflate(&z, Z_NO_FLUSH);
        made = sizeof piece - z.avail_out;
        if (made > out->max - out->n) {
            made = out->max - out->n;
            r = Z_BUF_ERROR; /* enough */
        }
        th_buf_add(out, piece, made);
    } while (r == Z_OK && !out->failed);
    inflateEnd(&z);
    *whole = r == Z_STREAM_END;
    return !out->failed && (r == Z_STREAM_END || r == Z_BUF_ERROR);
}

bool th_inflate(struct th_span coding, struct th_span body, struct th_buf *out, bool *whole)
{
    bool ok = false;

    *whole = false;
    th_buf_reset(out);
    if (body.n == 0)
        return false;
    if (th_span_ieq(coding, TH_LIT("gzip")) || th_span_ieq(coding, TH_LIT("x-gzip")))
        ok = decode(15 + 16, body, out, whole);
    else if (th_span_ieq(
                 coding,
                 TH_LIT("deflate"))) /* RFC 9110 section 8.4.1.2: the zlib format; some send it bare */
        ok = decode(15, body, out, whole) || decode(-15, body, out, whole);
    if (!ok)
        th_buf_reset(out);
    return ok && out->n > 0;
}
