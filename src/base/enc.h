/* Text encodings of bytes: hex (RFC 4648 section 8, lower case out) and base64 (section 4). */
#ifndef TH_BASE_ENC_H
#define TH_BASE_ENC_H
#include "base/buf.h"

/** Appends 2*n lower-case hex digits. */
void th_hex(struct th_buf *out, const void *p, size_t n);
/** Appends padded standard base64. */
void th_base64(struct th_buf *out, const void *p, size_t n);
/** Decodes hex of either case into at most `cap` bytes. False when odd, foreign or too long. */
bool th_unhex(struct th_span text, void *out, size_t cap, size_t *n);
/** Decodes strictly canonical, padded standard base64. False when malformed or too long. */
bool th_unbase64(struct th_span text, void *out, size_t cap, size_t *n);
/** The same in URL-safe form without padding (RFC 4648 section 5), for opaque cursors and keys. */
void th_base64url(struct th_buf *out, const void *p, size_t n);
bool th_unbase64url(struct th_span text, void *out, size_t cap, size_t *n);
#endif
