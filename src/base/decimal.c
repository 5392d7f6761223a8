/* Shortest digits of a double by search: print with growing precision until reading gives the same double.
 *
 * Why so plain: only numbers of 16 digits and more come here, and glibc's printf and strtod round correctly.
 * The process never leaves the "C" locale, which both read. The nearest decimal of a length is not always the
 * one that reads back: beside a power of two the interval is lopsided, so its two neighbours are tried too.
 */
#include "base/decimal.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_double(const struct th_decimal *d, double *out)
{
    char text[64];

    snprintf(text, sizeof text, "0.%.*se%d", (int)d->count, d->digits, d->point);
    *out = strtod(text, NULL);
    return isfinite(*out);
}

static void trim(struct th_decimal *d)
{
    while (d->count && d->digits[d->count - 1] == '0')
        d->count--;
}

/* The value rounded to `count` digits, as printf rounds. */
static void round_to(double v, int count, struct th_decimal *out)
{
    char text[48];
    const char *e;
    int exponent;

    snprintf(text, sizeof text, "%.*e", count - 1, v);
    out->digits[0] = text[0];
    if (count > 1)
        memcpy(out->digits + 1, text + 2, (size_t)count - 1);
    out->count = (unsigned)count;
    e = strchr(text, 'e');
    exponent = e ? atoi(e + 1) : 0;
    out->point = exponent + 1;
}

/* Adds one in the last place, or takes one away; false when the number of digits would change. */
static bool step(struct th_decimal *d, int by)
{
    for (unsigned i = d->count; i-- > 0;) {
        int digit = d->digits[i] - '0' + by;
        if (digit >= 0 && digit <= 9) {
            d->digits[i] = (char)('0' + digit);
            return d->digits[0] != '0';
        }
        d->digits[i] = by > 0 ? '0' : '9';
    }
    return false;
}

bool th_decimal_shortest(const struct th_decimal *in, struct th_decimal *out)
{
    double v, back;

    if (in->count == 0 || in->count > 19 || in->point < -400 || in->point > 400 || !read_double(in, &v) ||
        v == 0)
        return false;
    for (int count = v < DBL_MIN ? 1 : 15; count <= 17; count++) {
        struct th_decimal nearest;
        round_to(v, count, &nearest);
        for (int by = 0; by < 3; by++) {
            *out = nearest;
            if (by && !step(out, by == 1 ? 1 : -1))
                continue;
            if (read_double(out, &back) && back == v) {
                trim(out);
                return true;
            }
        }
    }
    return false;
}
