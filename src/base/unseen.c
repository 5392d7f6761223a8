/* The table of characters that must be shown as an escape, for all code that prints text of others (log,
 * commands).
  * Why a table and not wcwidth: wcwidth depends on the locale, and gives combining marks the same width as a zero-width space.
 * But marks are visible, and names in many scripts need them. */
#include "base/unseen.h"
#include "lib/text.h"

static const struct {
    uint32_t first, last;
} ranges[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

bool th_unseen(uint32_t c)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c <= ranges[i].last)
            return c >= ranges[i].first;
    return false;
}

uint32_t th_utf8_code(const char *p, const char *end, size_t *n)
{
    size_t bad;
    uint32_t c = (unsigned char)p[0];

    *n = c < 0x80 ? 1 : th_utf8_step(p, end, &bad);
    if (*n < 2)
        return c;
    c &= 0x7fu >> *n;
    for (size_t i = 1; i < *n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    return c;
}
