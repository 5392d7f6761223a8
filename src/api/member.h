/* Writes members of JSON objects in answers. Private to api/. */
#ifndef TH_API_MEMBER_H
#define TH_API_MEMBER_H
#include "base/json.h"
#include "base/time.h"

/** Writes the member `test`, if `test` is true. */
void th_api_member_test(struct th_jw *w, bool test);
/** Writes a member with a time, null when ms is 0. */
void th_api_member_time(struct th_jw *w, const char *name, int64_t ms);
static inline void th_api_member_str(struct th_jw *w, const char *name, struct th_span value)
{
    th_jw_key(w, th_str(name));
    th_jw_string(w, value);
}
static inline void th_api_member_int(struct th_jw *w, const char *name, int64_t value)
{
    th_jw_key(w, th_str(name));
    th_jw_i64(w, value);
}
static inline void th_api_member_wall(struct th_buf *out, int64_t ms)
{
    th_buf_char(out, '"');
    th_wall_format(out, (struct th_wall){ms}, TH_RFC3339_MILLIS);
    th_buf_char(out, '"');
}
#endif
