/* RFC 3339 in and out, by the proleptic Gregorian calendar (days_from_civil after H. Hinnant's public
 * algorithm). */
#include "base/time.h"

static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era;
    unsigned yoe, doy, doe;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    int64_t era;
    unsigned doe, yoe, doy, mp;

    z += 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    doe = (unsigned)(z - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

/* v in `width` digits and what stands behind them; returns behind that. */
static char *digits(char *to, uint64_t v, unsigned width, char then)
{
    for (unsigned i = width; i-- > 0; v /= 10)
        to[i] = (char)('0' + v % 10);
    to[width] = then;
    return to + width + 1;
}

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
#define FIRST_MS (-62167219200000)
#define LAST_MS 253402300799999

void th_wall_format(struct th_buf *out, struct th_wall wall, enum th_rfc3339 form)
{
    struct th_wall t = {wall.ms < FIRST_MS ? FIRST_MS : wall.ms > LAST_MS ? LAST_MS : wall.ms};
    int64_t days = t.ms / 86400000, rest = t.ms % 86400000, y;
    char text[sizeof "0000-00-00T00:00:00.000Z"], *to = text;
    unsigned m, d;

    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    civil_from_days(days, &y, &m, &d);
    to = digits(to, (uint64_t)y % 10000, 4, '-');
    to = digits(to, m, 2, '-');
    to = digits(to, d, 2, 'T');
    to = digits(to, (uint64_t)rest / 3600000, 2, ':');
    to = digits(to, (uint64_t)rest / 60000 % 60, 2, ':');
    to = digits(to, (uint64_t)rest / 1000 % 60, 2, form == TH_RFC3339_MILLIS ? '.' : 'Z');
    if (form == TH_RFC3339_MILLIS)
        to = digits(to, (uint64_t)rest % 1000, 3, 'Z');
    th_buf_add(out, text, (size_t)(to - text));
}

static bool number(struct th_span s, size_t at, size_t width, unsigned lo, unsigned hi, unsigned *out)
{
    uint64_t v;

    if (at + width > s.n || !th_span_u64(th_span(s.p + at, width), hi, &v) || v < lo)
        return false;
    *out = (unsigned)v;
    return true;
}

bool th_wall_parse(struct th_span s, struct th_wall *out)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned y, mo, d, h, mi, se, oh = 0, om = 0, ms = 0, scale = 100;
    size_t i = 19;
    int64_t offset = 0, ms_since_epoch;

    if (s.n < 20 || !number(s, 0, 4, 0, 9999, &y) || s.p[4] != '-' || !number(s, 5, 2, 1, 12, &mo) ||
        s.p[7] != '-' || !number(s, 8, 2, 1, 31, &d) || (s.p[10] != 'T' && s.p[10] != 't') ||
        !number(s, 11, 2, 0, 23, &h) || s.p[13] != ':' || !number(s, 14, 2, 0, 59, &mi) || s.p[16] != ':' ||
        !number(s, 17, 2, 0, 60, &se))
        return false;
    if (d > lengths[mo - 1] && !(mo == 2 && d == 29 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0))))
        return false;
    if (s.p[i] == '.') {
        size_t from = ++i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, scale /= 10)
            ms += (unsigned)(s.p[i] - '0') * scale;
        if (i == from || i == s.n)
            return false;
    }
    if (s.p[i] == 'Z' || s.p[i] == 'z') {
        i++;
    } else if (s.p[i] == '+' || s.p[i] == '-') {
        if (!number(s, i + 1, 2, 0, 23, &oh) || i + 3 >= s.n || s.p[i + 3] != ':' ||
            !number(s, i + 4, 2, 0, 59, &om))
            return false;
        offset = ((int64_t)oh * 60 + om) * (s.p[i] == '-' ? -60000 : 60000);
        i += 6;
    }
    if (i != s.n)
        return false;
    ms_since_epoch =
        (days_from_civil(y, mo, d) * 86400 + (int64_t)h * 3600 + (int64_t)mi * 60 + (se == 60 ? 59 : se)) *
            1000 +
        ms - offset;
    if (ms_since_epoch < FIRST_MS || ms_since_epoch > LAST_MS)
        return false; /* an offset at the edge of the calendar */
    out->ms = ms_since_epoch;
    return true;
}
