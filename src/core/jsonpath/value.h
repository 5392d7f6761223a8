/* JSON values compared by what they mean: numbers by their exact decimal values, texts by their characters, arrays and objects as a
 * whole. For what stands on tapes. Pure; no memory. */
#ifndef TH_CORE_VALUE_H
#define TH_CORE_VALUE_H
#include "core/jsonpath/tape.h"

/** The characters of a text, one after the other. */
struct th_characters {
    const char *p, *end;
    bool escaped; /* as it stands in a JSON text, without the quotes */
};
/** Those of a string value, or of a member's name. */
struct th_characters th_characters_of(struct th_json string);
/** The next one, of a struct th_characters; a th_iregexp_next. */
bool th_characters_next(void *characters, uint32_t *c);

/** Work that is left to be done, in steps. */
struct th_work {
    uint32_t *steps;
    bool *excess; /* they did not suffice: what was answered means nothing */
};
/** Counts n steps; false: so many are not left. */
static inline bool th_work_step(struct th_work w, uint32_t n)
{
    if (*w.steps >= n) {
        *w.steps -= n;
        return !*w.excess;
    }
    *w.steps = 0;
    *w.excess = true;
    return false;
}

/** -1, 0, 1: which of two numbers, as JSON writes them, is larger. LIMIT: exponents beyond 15 digits count as equal. */
int th_number_compare(struct th_span a, struct th_span b);
/** The same for two numbers that are equal. */
uint64_t th_number_hash(struct th_span raw);
/** Whether it has no part behind the point, however it is written: 1.0 and 1e3 have none. */
bool th_number_is_whole(struct th_span raw);
/** A whole number from 0 on; larger ones give UINT32_MAX. False: it is none. */
bool th_number_count(struct th_span raw, uint32_t *out);
/** Whether `raw` divided by `by` is whole; `by` is above zero and has at most TH_NUMBER_DIGITS digits. */
bool th_number_is_multiple(struct th_span raw, struct th_span by);
#define TH_NUMBER_DIGITS 18
/** How many digits a number has when zeros at both ends are left out. */
unsigned th_number_digits(struct th_span raw);

/** -1, 0, 1: by their characters. */
int th_texts_compare(struct th_work w, struct th_characters a, struct th_characters b);
bool th_texts_equal(struct th_work w, struct th_characters a, struct th_characters b);
/** Whether two nodes, of one tape or of two, are equal. At most TH_JSON_DEPTH + 8 levels are compared; more is excess. */
bool th_tape_equal(struct th_work w, const struct th_tape *s, uint32_t a, const struct th_tape *t,
                   uint32_t b);
#endif
