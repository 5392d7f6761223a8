/* Hex, base64, decimals and times: the small readers under the verifier and the server.
 *
 * Strict on input, one text for one value: a verifier that accepts two spellings of one signature has two
 * identities for one request. Refuses: everything that its grammar does not say, and numbers that could
 * overflow. Keeps nothing. */
#include "lib/codec.h"
#include "lib/internal.h"

bool th_unhex(struct th_span text, void *out, size_t cap, size_t *n)
{
    return th_hex_read(text.p, text.n, out, cap, n);
}

bool th_unbase64(struct th_span text, void *out, size_t cap, size_t *n)
{
    size_t unpadded = th_base64_unpadded(text.p, text.n);

    return unpadded != SIZE_MAX && th_base64_read(text.p, unpadded, TH_BASE64, out, cap, n);
}

bool th_unbase64url(struct th_span text, void *out, size_t cap, size_t *n)
{
    return th_base64_read(text.p, text.n, TH_BASE64URL, out, cap, n);
}

size_t th_lib_encode(enum tenterhook_encoding as, const uint8_t *p, size_t n, char *out)
{
    size_t done = 2 * n;

    if (as != TENTERHOOK_BASE64) {
        th_hex_write(p, n, out);
        return done;
    }
    done = th_base64_write(p, n, TH_BASE64, out);
    while (done % 4)
        out[done++] = '=';
    return done;
}

/* ---- numbers ---- */

bool th_span_u64(struct th_span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0 || s.n > 19)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!th_is_digit(s.p[i]))
            return false;
        value = value * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}

bool th_lib_decimal(struct th_span text, int64_t *value)
{
    uint64_t v;

    if (text.n > 15 || (text.n > 1 && text.p[0] == '0') || !th_span_u64(text, INT64_MAX, &v))
        return false;
    *value = (int64_t)v;
    return true;
}

/* ---- times ---- */

/* Whether a text begins as the pattern, in which 0 is any digit; letters of either case. */
static bool fits(const char *p, const char *pattern)
{
    for (; *pattern; p++, pattern++)
        if (*pattern == '0' ? !th_is_digit(*p) : th_lower(*p) != *pattern)
            return false;
    return true;
}

/* The value of n digits. */
static unsigned number(const char *p, unsigned n)
{
    unsigned v = 0;

    while (n--)
        v = v * 10 + (unsigned)(*p++ - '0');
    return v;
}

static bool offset(struct th_span rest, int *seconds)
{
    unsigned hours, minutes;

    *seconds = 0;
    if (rest.n == 1)
        return th_lower(rest.p[0]) == 'z';
    if (rest.n != 6 || (rest.p[0] != '+' && rest.p[0] != '-') || !fits(rest.p + 1, "00:00"))
        return false;
    hours = number(rest.p + 1, 2);
    minutes = number(rest.p + 4, 2);
    *seconds = (int)(hours * 60 + minutes) * (rest.p[0] == '-' ? -60 : 60);
    return hours <= 23 && minutes <= 59;
}

/* Behind the fraction at p, whose milliseconds are added to *ms; NULL when it has no digit. */
static const char *fraction(const char *p, const char *end, int64_t *ms)
{
    const char *first = p;

    for (int scale = 100; p < end && th_is_digit(*p); p++, scale /= 10)
        *ms += (*p - '0') * scale;
    return p > first ? p : NULL;
}

bool th_rfc3339_read(struct th_span t, int64_t *ms)
{
    unsigned month, day, hour, minute, second;
    const char *p, *end = t.p + t.n;
    int64_t value = 0, year;
    int zone;

    if (t.n < 20 || !fits(t.p, "0000-00-00t00:00:00"))
        return false;
    year = number(t.p, 4);
    month = number(t.p + 5, 2);
    day = number(t.p + 8, 2);
    hour = number(t.p + 11, 2);
    minute = number(t.p + 14, 2);
    second = number(t.p + 17, 2);
    if (!th_is_date(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;
    p = t.p + 19;
    if (*p == '.' && !(p = fraction(p + 1, end, &value)))
        return false;
    if (!offset(th_span(p, (size_t)(end - p)), &zone))
        return false;
    second -= second == 60; /* a leap second counts as the one before */
    value += (th_days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone) * 1000;
    *ms = value;
    return value >= TH_RFC3339_FIRST && value <= TH_RFC3339_LAST; /* an offset at the edge of the calendar */
}

/* Two digits of v, and what stands behind them; returns behind that. */
static char *two(char *to, unsigned v, char then)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    to[2] = then;
    return to + 3;
}

size_t th_rfc3339_write(int64_t ms, bool millis, char out[TH_RFC3339_SIZE])
{
    int64_t days = ms / 86400000, year;
    int32_t of_day = (int32_t)(ms % 86400000);
    unsigned month, day, rest;
    char *to = out;

    if (of_day < 0) {
        of_day += 86400000;
        days--;
    }
    rest = (unsigned)of_day;
    th_date_from_days(days, &year, &month, &day);
    (void)two(to, (unsigned)year / 100, '0');
    to = two(to + 2, (unsigned)year % 100, '-');
    to = two(to, month, '-');
    to = two(to, day, 'T');
    to = two(to, rest / 3600000, ':');
    to = two(to, rest / 60000 % 60, ':');
    to = two(to, rest / 1000 % 60, millis ? '.' : 'Z');
    if (millis) {
        *to++ = (char)('0' + rest % 1000 / 100);
        to = two(to, rest % 100, 'Z');
    }
    return (size_t)(to - out);
}

bool th_lib_rfc3339(struct th_span text, int64_t *seconds)
{
    int64_t ms;

    if (!th_rfc3339_read(text, &ms) || ms < 0)
        return false;
    *seconds = ms / 1000;
    return true;
}

size_t th_lib_stamp(enum tenterhook_stamp as, int64_t seconds, char out[32])
{
    char *first;

    if (seconds < 0 || seconds > TH_LIB_LAST_SECOND)
        return 0;
    if (as == TENTERHOOK_RFC3339)
        return th_rfc3339_write(seconds * 1000, false, out);
    first = th_decimal_before(out + 32, (uint64_t)(as == TENTERHOOK_UNIX_MILLIS ? seconds * 1000 : seconds));
    memmove(out, first, (size_t)(out + 32 - first));
    return (size_t)(out + 32 - first);
}
