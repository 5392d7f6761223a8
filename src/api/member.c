/* Writes members of JSON objects in answers. */
#include "api/member.h"

void th_api_member_time(struct th_jw *w, const char *name, int64_t ms)
{
    th_jw_key(w, th_str(name));
    if (ms == 0) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("")); /* the comma, if one is due */
    th_api_member_wall(w->out, ms);
}

void th_api_member_test(struct th_jw *w, bool test)
{
    if (!test)
        return;
    th_jw_key(w, TH_LIT("test"));
    th_jw_bool(w, true);
}
