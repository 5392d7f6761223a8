/* Reads and writes wall-clock times as text, with the codec of lib/codec.h. */
#include "base/time.h"
#include "lib/codec.h"

void th_wall_format(struct th_buf *out, struct th_wall wall, enum th_rfc3339 form)
{
    char text[TH_RFC3339_SIZE];
    int64_t ms = wall.ms < TH_RFC3339_FIRST  ? TH_RFC3339_FIRST
                 : wall.ms > TH_RFC3339_LAST ? TH_RFC3339_LAST
                                             : wall.ms;

    th_buf_add(out, text, th_rfc3339_write(ms, form == TH_RFC3339_MILLIS, text));
}

bool th_wall_parse(struct th_span text, struct th_wall *out)
{
    int64_t ms;

    if (!th_rfc3339_read(text, &ms))
        return false;
    out->ms = ms;
    return true;
}
