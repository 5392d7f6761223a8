/* Decoding of gzip and deflate for the log of deliveries.
 *
 * Why: requests carry no Accept-Encoding, but some servers compress all the same, and whoever looks for the reason of a 500
 * needs its words. Only what is kept of the body is decoded, and only as much is kept of the result: a bomb costs what a
 * plain answer of the limit costs.
 *
 * Failure: of a body that cannot be decoded to its end, the beginning is kept; a body that cannot be decoded
 * at all is shown as it came. Why the first is not shown as it came, too: what is shown is searched for
 * secrets, and whoever has the bytes can decode the beginning as well. */
#include "net/inflate.h"
#include "base/alloc.h"
#include "base/check.h"
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

/* As inflateInit2 takes them. */
enum bits {
    ZLIB = 15,
    GZIP = 15 + 16,
    BARE = -15,
};

static bool decode(enum bits bits, struct th_span body, struct th_buf *out, bool *whole)
{
    z_stream z = {.zalloc = get, .zfree = put};
    int r;

    th_buf_reset(out);
    *whole = false;
    if (inflateInit2(&z, (int)bits) != Z_OK)
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
        if (r == Z_STREAM_END && z.avail_in && bits == GZIP)
            r = inflateReset(&z); /* RFC 1952 section 2.2: members one behind another */
    } while (r == Z_OK && !out->failed);
    inflateEnd(&z);
    *whole = r == Z_STREAM_END && z.avail_in == 0;
    if (bits == BARE && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return false; /* without a header it may be any text */
    return !out->failed && out->n > 0;
}

bool th_inflate(struct th_span coding, struct th_span body, struct th_buf *out, bool *whole)
{
    bool ok = false;

    TH_CHECK(out->n <= out->max);
    *whole = false;
    th_buf_reset(out);
    if (body.n == 0)
        return false;
    if (th_span_ieq(coding, TH_LIT("gzip")) || th_span_ieq(coding, TH_LIT("x-gzip")))
        ok = decode(GZIP, body, out, whole);
    else if (th_span_ieq(
                 coding,
                 TH_LIT("deflate"))) /* RFC 9110 section 8.4.1.2: the zlib format; some send it bare */
        ok = decode(ZLIB, body, out, whole) || decode(BARE, body, out, whole);
    if (!ok)
        th_buf_reset(out);
    return ok;
}
