/* Reads as much as possible of answers that have a content coding which was not asked for. Hides zlib. */
#ifndef TH_NET_INFLATE_H
#define TH_NET_INFLATE_H
#include "base/buf.h"

/** Decodes `body` (perhaps only the beginning of one) of the coding that Content-Encoding names: gzip, x-gzip, deflate.
 * Writes as much as `out` may hold (its max), and sets *whole when that is the whole body; it does not when
 * the bytes end early or are damaged. False: the coding is another one, or the bytes are not in this coding
 * from the beginning; `out` is empty then. Never reads more than `body`, never holds more than out->max and
 * 48 KiB. */
bool th_inflate(struct th_span coding, struct th_span body, struct th_buf *out, bool *whole);
#endif
