/* Monotonic and wall time are different types. Code that needs the time gets it as an argument. */
#ifndef TH_BASE_TIME_H
#define TH_BASE_TIME_H
#include "base/buf.h"

struct th_mono { /* since an unknown start; never steps back */
    int64_t us;
};
struct th_wall { /* since 1970-01-01T00:00:00Z, without leap seconds */
    int64_t ms;
};

#define TH_MONO_NEVER ((struct th_mono){INT64_MAX})

enum th_rfc3339 { TH_RFC3339_SECONDS, TH_RFC3339_MILLIS };

/** Appends "2026-04-02T08:00:00Z" or with ".123"; parts of a second are cut, not rounded. Years 0000 to 9999. */
void th_wall_format(struct th_buf *out, struct th_wall t, enum th_rfc3339 form);
/** Reads an RFC 3339 date-time with any offset and fraction (cut to milliseconds); checks every field. */
bool th_wall_parse(struct th_span text, struct th_wall *out);

#define TH_HTTP_DATE_SIZE 30
/** Writes "Sun, 06 Nov 1994 08:49:37 GMT", the date of HTTP's fields (RFC 9110 section 5.6.7), with its NUL; years as above. */
void th_wall_http_date(struct th_wall t, char text[TH_HTTP_DATE_SIZE]);
#endif
