/* Spans, hex, base64, decimals and times: the small readers under the verifier.
 *
 * Strict on input, one text for one value: a verifier that accepts two spellings of one signature has two
 * identities for one request. Refuses: everything that its grammar does not say, and numbers that could
 * overflow. Keeps nothing. */
#include "lib/internal.h"
#include "lib/text.h"

bool th_lib_ieq(th_lib_span a, th_lib_span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (th_lower(a.p[i]) != th_lower(b.p[i]))
            return false;
    return true;
}

size_t th_lib_find(th_lib_span s, th_lib_span what)
{
    for (size_t i = 0; what.n <= s.n && i <= s.n - what.n; i++) {
        const char *first = memchr(s.p + i, what.p[0], s.n - what.n - i + 1);

        if (!first)
            break;
        i = (size_t)(first - s.p);
        if (memcmp(first, what.p, what.n) == 0)
            return i;
    }
    return SIZE_MAX;
}

size_t th_lib_find_last(th_lib_span s, th_lib_span what)
{
    for (size_t i = s.n < what.n ? 0 : s.n - what.n + 1; i-- > 0;)
        if (s.p[i] == what.p[0] && memcmp(s.p + i, what.p, what.n) == 0)
            return i;
    return SIZE_MAX;
}

bool th_lib_split(th_lib_span *rest, th_lib_span sep, th_lib_span *part, bool *more)
{
    size_t at;

    if (!*more)
        return false;
    at = sep.n && rest->n ? th_lib_find(*rest, sep) : SIZE_MAX;
    *more = at != SIZE_MAX;
    if (!*more) {
        *part = *rest;
        return true;
    }
    *part = th_lib_of(rest->p, at);
    *rest = th_lib_of(rest->p + at + sep.n, rest->n - at - sep.n);
    return true;
}

unsigned th_lib_choose(th_lib_span text, const char *names)
{
    for (unsigned i = 1; *names; i++, names += strlen(names) + 1)
        if (tenterhook_is(text, names))
            return i;
    return 0;
}

/* ---- hex and base64 ---- */

bool th_lib_unhex(th_lib_span text, uint8_t *out, size_t cap, size_t *n)
{
    return th_hex_read(text.p, text.n, out, cap, n);
}

bool th_lib_unbase64(th_lib_span text, uint8_t *out, size_t cap, size_t *n)
{
    size_t unpadded = th_base64_unpadded(text.p, text.n);

    return unpadded != SIZE_MAX && th_base64_read(text.p, unpadded, TH_BASE64, out, cap, n);
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

/* ---- numbers and times ---- */

bool th_lib_decimal(th_lib_span text, int64_t *value)
{
    int64_t v = 0;

    if (text.n == 0 || text.n > 15 || (text.n > 1 && text.p[0] == '0'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!th_is_digit(text.p[i]))
            return false;
        v = v * 10 + (text.p[i] - '0');
    }
    *value = v;
    return true;
}

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

static bool offset(th_lib_span rest, int *seconds)
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

bool th_lib_rfc3339(th_lib_span t, int64_t *seconds)
{
    unsigned year, month, day, hour, minute, second;
    size_t at = 19;
    int zone;

    if (t.n < 20 || t.n > 40 || !fits(t.p, "0000-00-00t00:00:00"))
        return false;
    year = number(t.p, 4);
    month = number(t.p + 5, 2);
    day = number(t.p + 8, 2);
    hour = number(t.p + 11, 2);
    minute = number(t.p + 14, 2);
    second = number(t.p + 17, 2);
    if (year < 1970 || !th_is_date(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;
    if (t.p[at] == '.') {
        size_t first = ++at;
        while (at < t.n && th_is_digit(t.p[at]))
            at++;
        if (at == first)
            return false;
    }
    if (!offset(th_lib_of(t.p + at, t.n - at), &zone))
        return false;
    second -= second == 60; /* a leap second counts as the one before */
    *seconds = th_days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    return *seconds <= TH_LIB_LAST_SECOND;
}

static size_t put_decimal(int64_t v, char *out)
{
    char turned[20];
    size_t n = 0;

    do
        turned[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    for (size_t i = 0; i < n; i++)
        out[i] = turned[n - 1 - i];
    return n;
}

static void put_digits(unsigned v, unsigned n, char *out)
{
    for (; n; v /= 10)
        out[--n] = (char)('0' + v % 10);
}

static size_t put_rfc3339(int64_t seconds, char out[32])
{
    unsigned of_day = (unsigned)(seconds % 86400), month, day;
    int64_t year;

    th_date_from_days(seconds / 86400, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00Z", 20);
    put_digits((unsigned)year, 4, out);
    put_digits(month, 2, out + 5);
    put_digits(day, 2, out + 8);
    put_digits(of_day / 3600, 2, out + 11);
    put_digits(of_day / 60 % 60, 2, out + 14);
    put_digits(of_day % 60, 2, out + 17);
    return 20;
}

size_t th_lib_stamp(enum tenterhook_stamp as, int64_t seconds, char out[32])
{
    if (seconds < 0 || seconds > TH_LIB_LAST_SECOND)
        return 0;
    if (as == TENTERHOOK_RFC3339)
        return put_rfc3339(seconds, out);
    return put_decimal(as == TENTERHOOK_UNIX_MILLIS ? seconds * 1000 : seconds, out);
}
