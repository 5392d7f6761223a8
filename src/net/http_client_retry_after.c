/* Retry-After (RFC 9110 section 10.2.3): delta-seconds, or one of the three forms of HTTP-date
 * (section 5.6.7).
 *
 * Refuses signs, fractions, lists, years of more than four digits, other zones than GMT. A refused value
 * counts as absent: the ordinary schedule holds. So does a date that has passed. Pure: the clock is an
 * argument. */
#include "net/http_client_private.h"

struct date {
    unsigned year, month, day, hour, minute, second; /* month 1..12 */
};

static bool digits(struct th_span s, size_t at, size_t n, unsigned *out)
{
    *out = 0;
    if (at + n > s.n)
        return false;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(s.p[i] - '0');
    }
    return true;
}

static bool is_at(struct th_span s, size_t at, const char *text)
{
    size_t n = strlen(text);

    return at + n <= s.n && memcmp(s.p + at, text, n) == 0;
}

static bool month_at(struct th_span s, size_t at, unsigned *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned m = 0; m < 12; m++)
        if (at + 3 <= s.n && memcmp(s.p + at, names + 3 * (size_t)m, 3) == 0) {
            *out = m + 1;
            return true;
        }
    return false;
}

static bool time_at(struct th_span s, size_t at, struct date *d)
{
    return digits(s, at, 2, &d->hour) && is_at(s, at + 2, ":") && digits(s, at + 3, 2, &d->minute) &&
           is_at(s, at + 5, ":") && digits(s, at + 6, 2, &d->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_fixdate(struct th_span s, struct date *d)
{
    return s.n == 29 && is_at(s, 3, ", ") && digits(s, 5, 2, &d->day) && is_at(s, 7, " ") &&
           month_at(s, 8, &d->month) && is_at(s, 11, " ") && digits(s, 12, 4, &d->year) &&
           is_at(s, 16, " ") && time_at(s, 17, d) && is_at(s, 25, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": two digits mean the year that is at most 50 years ahead. */
static bool read_rfc850(struct th_span s, unsigned year_now, struct date *d)
{
    const char *comma = memchr(s.p, ',', s.n);
    size_t at = comma ? (size_t)(comma - s.p) : 0;

    if (at < 6 || at > 9 || s.n != at + 24 || !is_at(s, at, ", ") || !digits(s, at + 2, 2, &d->day) ||
        !is_at(s, at + 4, "-") || !month_at(s, at + 5, &d->month) || !is_at(s, at + 8, "-") ||
        !digits(s, at + 9, 2, &d->year) || !is_at(s, at + 11, " ") || !time_at(s, at + 12, d) ||
        !is_at(s, at + 20, " GMT"))
        return false;
    d->year += year_now / 100 * 100;
    if (d->year > year_now + 50)
        d->year -= 100;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(struct th_span s, struct date *d)
{
    return s.n == 24 && is_at(s, 3, " ") && month_at(s, 4, &d->month) && is_at(s, 7, " ") &&
           (digits(s, 8, 2, &d->day) || (is_at(s, 8, " ") && digits(s, 9, 1, &d->day))) &&
           is_at(s, 10, " ") && time_at(s, 11, d) && is_at(s, 19, " ") && digits(s, 20, 4, &d->year);
}

static bool read_date(struct th_span s, int64_t now_s, int64_t *out)
{
    struct date d = {0};
    unsigned year_now = 1970 + (unsigned)(now_s > 0 ? now_s / 31556952 : 0);

    if (!read_fixdate(s, &d) && !read_rfc850(s, year_now, &d) && !read_asctime(s, &d))
        return false;
    if (!th_is_date(d.year, d.month, d.day) || d.hour > 23 || d.minute > 59 || d.second > 60)
        return false;
    *out = th_days_from_date(d.year, d.month, d.day) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
    return true;
}

static bool all_digits(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

uint32_t th_http_retry_after(const struct th_http1_head *head, int64_t now_s)
{
    const struct th_http1_field *field = th_http1_field(head, "Retry-After"), *date;
    uint64_t seconds;
    int64_t at, from = now_s;

    if (!field || field->value.n == 0)
        return UINT32_MAX;
    if (th_span_u64(field->value, UINT64_MAX / 2, &seconds))
        return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX - 1;
    if (all_digits(field->value)) /* more than fits: the longest time that can be expressed */
        return UINT32_MAX - 1;
    if (!read_date(field->value, now_s, &at))
        return UINT32_MAX;
    date = th_http1_field(head, "Date");
    if (date)
        read_date(date->value, now_s, &from);
    if (at < from)
        return UINT32_MAX;
    return at - from < UINT32_MAX ? (uint32_t)(at - from) : UINT32_MAX - 1;
}
