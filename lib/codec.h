/* The codecs of library and server: they convert hex, base64, decimals and times between text and the
 * caller's memory. Pure. */
#ifndef TH_LIB_CODEC_H
#define TH_LIB_CODEC_H
#include "lib/span.h"

/** Decodes hex (RFC 4648 section 8) of either case into at most `cap` bytes. False when the number of digits is odd, a character is
 * no digit, or the text is too long. */
bool th_unhex(struct th_span text, void *out, size_t cap, size_t *n);
/** Decodes strictly canonical, padded standard base64 (section 4). False when malformed or longer than `cap`. */
bool th_unbase64(struct th_span text, void *out, size_t cap, size_t *n);
/** The same in URL-safe form without padding (section 5), for opaque cursors and keys. */
bool th_unbase64url(struct th_span text, void *out, size_t cap, size_t *n);

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z in milliseconds since 1970: what four digits of a year can say. */
#define TH_RFC3339_FIRST INT64_C(-62167219200000)
#define TH_RFC3339_LAST INT64_C(253402300799999)
#define TH_RFC3339_SIZE 24 /* of a text with milliseconds, which is the longest */

/** Reads an RFC 3339 date-time with any offset and fraction, which is cut to milliseconds since 1970; checks every field.
 * A leap second counts as the second before. */
bool th_rfc3339_read(struct th_span text, int64_t *ms);
/** Writes "2026-04-02T08:00:00Z", or with ".123" behind the seconds; parts that are not shown are cut. `ms` lies within
 * first and last. Returns the length. */
size_t th_rfc3339_write(int64_t ms, bool millis, char out[TH_RFC3339_SIZE]);
#endif
