/* Code points in text of others that must not reach a terminal: they control it, or change what is seen while they are invisible
 * themselves. Thread-safe; allocates nothing. */
#ifndef TH_BASE_UNSEEN_H
#define TH_BASE_UNSEEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** True for control characters (C0, DEL, C1), line and paragraph separators, what turns the direction of writing, and
 * what has neither width nor ink: zero-width characters, fillers, variation selectors, tags. Source: Unicode 15.1,
 * DerivedCoreProperties.txt (Default_Ignorable_Code_Point) and Bidi_Control of PropList.txt. */
bool th_unseen(uint32_t code_point);
/** The code point of the UTF-8 sequence at p; *n is its length in bytes (1 to 4), or 0 when it is not UTF-8 or is cut off at
 * `end`. */
uint32_t th_utf8_code(const char *p, const char *end, size_t *n);
#endif
