/* Regular expressions: those of RFC 9485 (I-Regexp), which JSONPath's match() and search() take, and those of ECMA-262, which JSON
 * Schema means. Never backtracks: the work of one match is at most the length of the text times that of the compiled pattern. Pure;
 * no memory. */
#ifndef TH_CORE_IREGEXP_H
#define TH_CORE_IREGEXP_H
#include "lib/span.h"

#define TH_IREGEXP_BYTES 256 /* the longest pattern */
#define TH_IREGEXP_SLOTS 512 /* the longest compiled pattern: a{1,500} is about as long */

struct th_iregexp_slot { /* an instruction, or an item of a class */
    uint32_t op, arg;
};

/** Compiled: may be copied and moved. */
struct th_iregexp {
    uint32_t count;
    struct th_iregexp_slot slots[TH_IREGEXP_SLOTS];
};

struct th_iregexp_fault {
    unsigned at; /* character of the pattern, from 1; one behind the last: the end */
    const char *what;
};

/** Compiles; false: *fault says why (may be NULL). `pattern` is UTF-8. */
bool th_iregexp_compile(struct th_span pattern, struct th_iregexp *out, struct th_iregexp_fault *fault);

/** The same for a pattern as ECMA-262 writes it with the flag "u". Without look-ahead and look-behind, without references to groups, and
 * with the categories of RFC 9485 and their long names as the only properties (decision 0012). */
bool th_iregexp_compile_ecma(struct th_span pattern, struct th_iregexp *out, struct th_iregexp_fault *fault);

/** Gives the next character of a text; false at its end. */
typedef bool th_iregexp_next(void *text, uint32_t *c);

/** Whether the whole text matches, or with `anywhere` a part of it. *steps: how many are left, counted down by one for eight
 * visits of an instruction; when they are used up, it is 0 and false is returned. */
bool th_iregexp_match(const struct th_iregexp_slot *slots, uint32_t count, th_iregexp_next *next, void *text,
                      bool anywhere, uint32_t *steps);

/* ---- categories.c ---- */

/** The bit of the character's general category, of TH_CATEGORIES. */
uint32_t th_iregexp_category(uint32_t c);
/** The bits that a name ("L", "Lu") stands for; 0: no such category in RFC 9485. */
uint32_t th_iregexp_category_bits(struct th_span name);
#endif
