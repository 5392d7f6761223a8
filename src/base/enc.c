/* Hex and base64. Strict on input: one text for one value, so that nothing compares unequal by form. */
#include "base/enc.h"

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void th_hex(struct th_buf *out, const void *p, size_t n)
{
    const unsigned char *in = p;
    char *to = th_buf_room(out, 2 * n);

    if (!to)
        return;
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = "0123456789abcdef"[in[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
    }
    out->n += 2 * n;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = th_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool th_unhex(struct th_span text, void *out, size_t cap, size_t *n)
{
    unsigned char *to = out;

    if (text.n % 2 || text.n / 2 > cap)
        return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = hex_digit(text.p[i]), lo = hex_digit(text.p[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        to[i / 2] = (unsigned char)(hi << 4 | lo);
    }
    *n = text.n / 2;
    return true;
}

static void encode(struct th_buf *out, const unsigned char *in, size_t n, const char *abc, bool pad)
{
    for (; n >= 3; in += 3, n -= 3) {
        char *to = th_buf_room(out, 4);
        if (!to)
            return;
        to[0] = abc[in[0] >> 2];
        to[1] = abc[(in[0] & 3) << 4 | in[1] >> 4];
        to[2] = abc[(in[1] & 15) << 2 | in[2] >> 6];
        to[3] = abc[in[2] & 63];
        out->n += 4;
    }
    if (n == 0)
        return;
    th_buf_char(out, abc[in[0] >> 2]);
    th_buf_char(out, abc[(in[0] & 3) << 4 | (n == 2 ? in[1] >> 4 : 0)]);
    if (n == 2)
        th_buf_char(out, abc[(in[1] & 15) << 2]);
    if (pad)
        th_buf_add(out, "==", n == 1 ? 2 : 1);
}

void th_base64(struct th_buf *out, const void *p, size_t n)
{
    encode(out, p, n, b64, true);
}

void th_base64url(struct th_buf *out, const void *p, size_t n)
{
    encode(out, p, n, b64url, false);
}

static int digit(char c, const char *abc)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == abc[62] ? 62 : c == abc[63] ? 63 : -1;
}

static bool decode(struct th_span text, unsigned char *to, size_t cap, size_t *n, const char *abc)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t done = 0;

    if (text.n % 4 == 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit(text.p[i], abc);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (done == cap)
                return false;
            to[done++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    *n = done;
    return bits == 0; /* left-over bits must be zero: one text for one value */
}

bool th_unbase64(struct th_span text, void *out, size_t cap, size_t *n)
{
    if (text.n % 4)
        return false;
    if (text.n && text.p[text.n - 1] == '=')
        text.n -= text.p[text.n - 2] == '=' ? 2 : 1;
    return decode(text, out, cap, n, b64);
}

bool th_unbase64url(struct th_span text, void *out, size_t cap, size_t *n)
{
    return decode(text, out, cap, n, b64url);
}
