/* Content codings of answers that were not asked for: what can be read of them. Hides zlib. */
#ifndef TH_NET_INFLATE_H
#define TH_NET_INFLATE_H
#include "base/buf.h"

/** Decodes `body` (perhaps only the beginning of one) of the coding that Content-Encoding names: gzip, x-gzip, deflate.
 * Writes as much as `out` may hold (its max) and sets *whole when that is all, not where the bytes end early or
 * go wrong. False: another coding, or bytes that are not what it says from the beginning; `out` is empty then. Never reads more than `body`, never holds more than out->max and 48 KiB. */
bool th_inflate(struct th_span coding, struct th_span body, struct th_buf *out, bool *whole);
#endif
