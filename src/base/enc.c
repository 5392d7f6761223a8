/* Hex and base64 into growing buffers; the steps are lib/text.h's. */
#include "base/enc.h"

void th_hex(struct th_buf *out, const void *p, size_t n)
{
    char *to = th_buf_room(out, 2 * n);

    if (!to)
        return;
    th_hex_write(p, n, to);
    out->n += 2 * n;
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
