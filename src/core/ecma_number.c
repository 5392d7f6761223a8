/* Numbers as ECMAScript writes them (Number::toString, ECMA-262, 6.1.6.1.20), as far as a double holds their
 * decimal value exactly.
 *
 * What it does not (beyond 2^53, too many digits, 1e400, 1e-400) stays as it is: writing what ECMAScript would
 * make of it sends another value than was published. */
#include "base/decimal.h"
#include "core/ecma.h"
#include "lib/json_scan.h"

/* Reads a JSON number. False when it has more digits than any double's shortest form, or is none. */
static bool read_number(struct th_span raw, struct th_decimal *d, bool *negative)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    int64_t point = 0, exponent = 0;
    bool fraction = false, fits = true, minus = false;

    *d = (struct th_decimal){.count = 0};
    *negative = p < end && *p == '-';
    if (*negative)
        p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (!th_is_digit(*p))
            return false;
        if (*p == '0' && d->count == 0) { /* leading zeros count only behind the point */
            point -= fraction;
            continue;
        }
        if (d->count < sizeof d->digits)
            d->digits[d->count++] = *p;
        else
            fits &= *p == '0';
        point += !fraction;
    }
    if (p < end && ++p < end) {
        minus = *p == '-';
        p += *p == '-' || *p == '+';
        for (; p < end && th_is_digit(*p); p++)
            if (exponent < 1000000000)
                exponent = exponent * 10 + (*p - '0');
    }
    while (d->count && d->digits[d->count - 1] == '0')
        d->count--;
    point += minus ? -exponent : exponent;
    /* A text of a few hundred KiB cannot hold digits that bring such an exponent back. */
    d->point = point > 1000000 ? 1000000 : point < -1000000 ? -1000000 : (int)point;
    return fits && d->count <= 17;
}

/* From digits and point. */
static void add_number(struct th_buf *out, const struct th_decimal *d, bool negative)
{
    static const char zeros[] = "000000000000000000000";
    unsigned k = d->count;
    int n = d->point;

    if (k == 0) {
        th_buf_char(out, '0'); /* minus zero too */
        return;
    }
    if (negative)
        th_buf_char(out, '-');
    if (n >= (int)k && n <= 21) {
        th_buf_add(out, d->digits, k);
        th_buf_add(out, zeros, (size_t)n - k);
    } else if (n > 0 && n <= 21) {
        th_buf_add(out, d->digits, (size_t)n);
        th_buf_char(out, '.');
        th_buf_add(out, d->digits + n, k - (size_t)n);
    } else if (n > -6 && n <= 0) {
        th_buf_add(out, "0.", 2);
        th_buf_add(out, zeros, (size_t)-n);
        th_buf_add(out, d->digits, k);
    } else {
        th_buf_char(out, d->digits[0]);
        if (k > 1) {
            th_buf_char(out, '.');
            th_buf_add(out, d->digits + 1, k - 1);
        }
        th_buf_char(out, 'e');
        th_buf_char(out, n > 0 ? '+' : '-');
        th_buf_u64(out, (uint64_t)(n > 0 ? n - 1 : 1 - n));
    }
}

/* True when the nearest double's own spelling has this decimal value. */
static bool is_exact(const struct th_decimal *d)
{
    struct th_decimal shortest;

    /* Any decimal of up to 15 digits survives a double in the range of normal numbers (DBL_DIG). */
    if (d->count == 0 || (d->count <= 15 && d->point > -300 && d->point <= 300))
        return true;
    return th_decimal_shortest(d, &shortest) && shortest.count == d->count && shortest.point == d->point &&
           memcmp(shortest.digits, d->digits, d->count) == 0;
}

bool th_ecma_number(struct th_span raw, struct th_buf *out)
{
    struct th_decimal d;
    bool negative, exact = read_number(raw, &d, &negative) && is_exact(&d);

    if (exact)
        add_number(out, &d, negative);
    else
        th_buf_span(out, raw);
    return exact;
}
