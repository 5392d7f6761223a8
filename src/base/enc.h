/* Writes hex and base64 (RFC 4648) into growing buffers; lib/codec.h reads them. */
#ifndef TH_BASE_ENC_H
#define TH_BASE_ENC_H
#include "base/buf.h"
#include "lib/codec.h"

/** Appends 2*n lower-case hex digits. */
void th_hex(struct th_buf *out, const void *p, size_t n);
/** Appends padded standard base64. */
void th_base64(struct th_buf *out, const void *p, size_t n);
/** Appends the URL-safe form without padding, for opaque cursors and keys. */
void th_base64url(struct th_buf *out, const void *p, size_t n);
#endif
