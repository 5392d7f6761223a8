/* Reads and writes wall-clock times as text, with the codec of lib/codec.h. */
#include "base/time.h"
#include "lib/codec.h"

/* The nearest time that RFC 3339 has a text for. */
static int64_t writable(struct th_wall t)
{
    return t.ms < TH_RFC3339_FIRST ? TH_RFC3339_FIRST : t.ms > TH_RFC3339_LAST ? TH_RFC3339_LAST : t.ms;
}

void th_wall_format(struct th_buf *out, struct th_wall wall, enum th_rfc3339 form)
{
    char text[TH_RFC3339_SIZE];

    th_buf_add(out, text, th_rfc3339_write(writable(wall), form == TH_RFC3339_MILLIS, text));
}

void th_wall_http_date(struct th_wall t, char text[TH_HTTP_DATE_SIZE])
{
    static const char names[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t ms = writable(t), day_ms = 86400000;
    int64_t day = ms / day_ms - (ms % day_ms < 0); /* 0: 1970-01-01, a Thursday */
    char from[TH_RFC3339_SIZE];                    /* 1994-11-06T08:49:37Z */

    (void)th_rfc3339_write(ms, false, from);
    memcpy(text, "Sun, 06 Nov 1994 08:49:37 GMT", TH_HTTP_DATE_SIZE);
    memcpy(text, names + 3 * ((day % 7 + 7) % 7), 3);
    memcpy(text + 5, from + 8, 2);
    memcpy(text + 8, months + 3 * (10 * (from[5] - '0') + from[6] - '1'), 3);
    memcpy(text + 12, from, 4);
    memcpy(text + 17, from + 11, 8);
}

bool th_wall_parse(struct th_span text, struct th_wall *out)
{
    int64_t ms;

    if (!th_rfc3339_read(text, &ms))
        return false;
    out->ms = ms;
    return true;
}
