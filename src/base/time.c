/* RFC 3339 in and out. */
#include "base/time.h"

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
    th_date_from_days(days, &y, &m, &d);
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
    unsigned y, mo, d, h, mi, se, oh = 0, om = 0, ms = 0, scale = 100;
    size_t i = 19;
    int64_t offset = 0, ms_since_epoch;

    if (s.n < 20 || !number(s, 0, 4, 0, 9999, &y) || s.p[4] != '-' || !number(s, 5, 2, 1, 12, &mo) ||
        s.p[7] != '-' || !number(s, 8, 2, 1, 31, &d) || (s.p[10] != 'T' && s.p[10] != 't') ||
        !number(s, 11, 2, 0, 23, &h) || s.p[13] != ':' || !number(s, 14, 2, 0, 59, &mi) || s.p[16] != ':' ||
        !number(s, 17, 2, 0, 60, &se))
        return false;
    if (!th_is_date(y, mo, d))
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
        (th_days_from_date(y, mo, d) * 86400 + (int64_t)h * 3600 + (int64_t)mi * 60 + (se == 60 ? 59 : se)) *
            1000 +
        ms - offset;
    if (ms_since_epoch < FIRST_MS || ms_since_epoch > LAST_MS)
        return false; /* an offset at the edge of the calendar */
    out->ms = ms_since_epoch;
    return true;
}
