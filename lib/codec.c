/* Spans, hex, base64, decimals and times: the small readers under the verifier.
 *
 * Strict on input, one text for one value: a verifier that accepts two spellings of one signature has two
 * identities for one request. Refuses: everything that its grammar does not say, and numbers that could
 * overflow. Keeps nothing. */
#include "lib/internal.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool th_lib_ieq(th_lib_span a, th_lib_span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
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

/* ---- hex and base64 ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool th_lib_unhex(th_lib_span text, uint8_t *out, size_t cap, size_t *n)
{
    if (text.n % 2 || text.n / 2 > cap)
        return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = hex_digit(text.p[i]), lo = hex_digit(text.p[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    *n = text.n / 2;
    return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool th_lib_unbase64(th_lib_span text, uint8_t *out, size_t cap, size_t *n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t done = 0;

    if (text.n % 4)
        return false;
    if (text.n && text.p[text.n - 1] == '=')
        text.n -= text.p[text.n - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < text.n; i++) {
        int d = base64_digit(text.p[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (done == cap)
                return false;
            out[done++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    *n = done;
    return bits == 0; /* left-over bits must be zero */
}

static size_t to_base64(const uint8_t *p, size_t n, char *out)
{
    char *to = out;

    for (; n >= 3; p += 3, n -= 3) {
        *to++ = alphabet[p[0] >> 2];
        *to++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
        *to++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
        *to++ = alphabet[p[2] & 63];
    }
    if (n) {
        *to++ = alphabet[p[0] >> 2];
        *to++ = alphabet[(p[0] & 3) << 4 | (n == 2 ? p[1] >> 4 : 0)];
        *to++ = n == 2 ? alphabet[(p[1] & 15) << 2] : '=';
        *to++ = '=';
    }
    return (size_t)(to - out);
}

size_t th_lib_encode(enum tenterhook_encoding as, const uint8_t *p, size_t n, char *out)
{
    if (as == TENTERHOOK_BASE64)
        return to_base64(p, n, out);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    return 2 * n;
}

/* ---- numbers and times ---- */

bool th_lib_decimal(th_lib_span text, int64_t *value)
{
    int64_t v = 0;

    if (text.n == 0 || text.n > 15 || (text.n > 1 && text.p[0] == '0'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (text.p[i] - '0');
    }
    *value = v;
    return true;
}

/* Exactly n digits. */
static bool digits(const char *p, unsigned n, int *value)
{
    *value = 0;
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *value = *value * 10 + (p[i] - '0');
    }
    return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; March is the first month of the counting year, so
 * that the leap day is the last. */
static int64_t days(int y, int m, int d)
{
    int64_t years = m <= 2 ? y - 1 : y, of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return years * 365 + years / 4 - years / 100 + years / 400 + of_year - 719468;
}

static bool is_date(int y, int m, int d)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return y >= 1970 && m >= 1 && m <= 12 && d >= 1 && d <= lengths[m - 1] + (m == 2 && leap);
}

static bool offset(th_lib_span rest, int *seconds)
{
    int hours, minutes;

    *seconds = 0;
    if (rest.n == 1)
        return rest.p[0] == 'Z' || rest.p[0] == 'z';
    if (rest.n != 6 || (rest.p[0] != '+' && rest.p[0] != '-') || rest.p[3] != ':' ||
        !digits(rest.p + 1, 2, &hours) || !digits(rest.p + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (rest.p[0] == '-' ? -60 : 60);
    return true;
}

bool th_lib_rfc3339(th_lib_span t, int64_t *seconds)
{
    int y, mo, d, h, mi, s, zone;
    size_t at = 19;

    if (t.n < 20 || t.n > 40 || !digits(t.p, 4, &y) || t.p[4] != '-' || !digits(t.p + 5, 2, &mo) ||
        t.p[7] != '-' || !digits(t.p + 8, 2, &d) || (t.p[10] != 'T' && t.p[10] != 't') ||
        !digits(t.p + 11, 2, &h) || t.p[13] != ':' || !digits(t.p + 14, 2, &mi) || t.p[16] != ':' ||
        !digits(t.p + 17, 2, &s) || !is_date(y, mo, d) || h > 23 || mi > 59 || s > 60)
        return false;
    if (t.p[at] == '.') {
        size_t first = ++at;
        while (at < t.n && t.p[at] >= '0' && t.p[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    if (!offset(th_lib_of(t.p + at, t.n - at), &zone))
        return false;
    *seconds = days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - zone;
    return true;
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

static void put_digits(int v, unsigned n, char *out)
{
    for (; n; v /= 10)
        out[--n] = (char)('0' + v % 10);
}

static size_t put_rfc3339(int64_t seconds, char out[32])
{
    int64_t day = seconds / 86400, era_day = day + 719468, era = era_day / 146097, in = era_day % 146097;
    int64_t year = (in - in / 1460 + in / 36524 - in / 146096) / 365;
    int of_year = (int)(in - (year * 365 + year / 4 - year / 100)), month = (5 * of_year + 2) / 153;
    int of_day = (int)(seconds % 86400);

    memcpy(out, "0000-00-00T00:00:00Z", 20);
    put_digits((int)(year + era * 400 + (month >= 10)), 4, out);
    put_digits(month < 10 ? month + 3 : month - 9, 2, out + 5);
    put_digits(of_year - (153 * month + 2) / 5 + 1, 2, out + 8);
    put_digits(of_day / 3600, 2, out + 11);
    put_digits(of_day / 60 % 60, 2, out + 14);
    put_digits(of_day % 60, 2, out + 17);
    return 20;
}

size_t th_lib_stamp(enum tenterhook_stamp as, int64_t seconds, char out[32])
{
    if (seconds < 0 || seconds > INT64_C(253402300799))
        return 0;
    if (as == TENTERHOOK_RFC3339)
        return put_rfc3339(seconds, out);
    return put_decimal(as == TENTERHOOK_UNIX_MILLIS ? seconds * 1000 : seconds, out);
}
