/* Doubles (IEEE 754 binary64) and their shortest decimal digits, for ECMAScript's spelling of numbers. */
#ifndef TH_BASE_DECIMAL_H
#define TH_BASE_DECIMAL_H
#include <stdbool.h>
#include <stdint.h>

/** A decimal number 0.d1d2d3... * 10^point. digits has neither leading nor trailing zeros; zero has count 0.
 */
struct th_decimal {
    char digits[24];
    unsigned count;
    int point;
};
/** Rounds digits (count <= 19) to the nearest double and gives back that double's shortest digits (the
 * ECMAScript rule: as few as possible, then nearest). False when the value overflows or becomes zero. */
bool th_decimal_shortest(const struct th_decimal *in, struct th_decimal *out);
#endif
