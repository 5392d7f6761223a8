/* The instructions that iregexp.c writes and iregexp_match.c follows. Private to these, but for
 * th_iregexp_utf8. */
#ifndef TH_CORE_IREGEXP_PROGRAM_H
#define TH_CORE_IREGEXP_PROGRAM_H
#include "core/jsonpath/iregexp.h"

enum {
    OP_CHAR,      /* arg: the character */
    OP_ANY,       /* all but line feed and carriage return */
    OP_CLASS,     /* arg: so many items follow, one of which it has to be in */
    OP_CLASS_NOT, /* or in none */
    OP_SPLIT,     /* goes on behind it, and arg further (32 bits, signed) */
    OP_JUMP,      /* goes on arg further */
    OP_BEGIN,     /* the beginning of the text */
    OP_END,       /* its end */
    OP_EDGE,      /* between a letter, digit or "_" and something else */
    OP_NO_EDGE,
    OP_MATCH
};
/* An item: from .op to .arg, or .op is one of these and .arg has bits of categories. */
#define ITEM_CATEGORY 0x80000000u
#define ITEM_NO_CATEGORY 0x80000001u

/** The character at p, which is before end, and what stands behind it. A byte that is not UTF-8 is U+FFFD. */
static inline const char *th_iregexp_utf8(const char *p, const char *end, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t n, bad;

    if (*u < 0x80) {
        *c = *u;
        return p + 1;
    }
    n = th_utf8_step(p, end, &bad);
    if (n == 2)
        *c = (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    else if (n == 3)
        *c = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    else if (n == 4)
        *c = (u[0] & 7u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
    else
        *c = 0xfffd;
    return p + (n ? n : bad);
}
#endif
