/* Hex and base64 into growing buffers; the steps are lib/text.h's. Strict on input: one text for one value, so
 * that nothing compares unequal by form. */
#include "base/enc.h"

void th_hex(struct th_buf *out, const void *p, size_t n)
{
    char *to = th_buf_room(out, 2 * n);

    if (!to)
        return;
    th_hex_write(p, n, to);
    out->n += 2 * n;
}

bool th_unhex(struct th_span text, void *out, size_t cap, size_t *n)
{
    return th_hex_read(text.p, text.n, out, cap, n);
}

void th_base64(struct th_buf *out, const void *p, size_t n)
{
    char *to = th_buf_room(out, (n + 2) / 3 * 4);

    if (!to)
        return;
    out->n += th_base64_write(p, n, TH_BASE64, to);
    th_buf_add(out, "==", (3 - n % 3) % 3);
}

void th_base64url(struct th_buf *out, const void *p, size_t n)
{
    char *to = th_buf_room(out, n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0));

    if (to)
        out->n += th_base64_write(p, n, TH_BASE64URL, to);
}

bool th_unbase64(struct th_span text, void *out, size_t cap, size_t *n)
{
    size_t unpadded = th_base64_unpadded(text.p, text.n);

    return unpadded != SIZE_MAX && th_base64_read(text.p, unpadded, TH_BASE64, out, cap, n);
}

bool th_unbase64url(struct th_span text, void *out, size_t cap, size_t *n)
{
    return th_base64_read(text.p, text.n, TH_BASE64URL, out, cap, n);
}
