/* The audit log as a list: who did what, newest first. It is in memory, so a page is read at once; a filter looks at no more rows than
 * there are (TH_AUDITS_KEPT twice). */
#include "api/cursor.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"
#include <stdio.h>

static const enum th_audit_text filters[] = {TH_AUDIT_OPERATION, TH_AUDIT_RESULT, TH_AUDIT_KEY,
                                             TH_AUDIT_SESSION,   TH_AUDIT_TENANT, TH_AUDIT_OBJECT};
enum { FILTERS = sizeof filters / sizeof filters[0] };

struct wanted {
    struct th_span text[FILTERS];
    bool given[FILTERS];
    int64_t since, until; /* 0: not given */
};

static bool fits(const struct th_audit *a, const struct wanted *w)
{
    for (unsigned i = 0; i < FILTERS; i++)
        if (w->given[i] && !th_span_eq(a->text[filters[i]], w->text[i]))
            return false;
    return (!w->since || a->at >= w->since) && (!w->until || a->at < w->until);
}

static void write_row(struct th_jw *w, const struct th_audit *a)
{
    char id[32];

    snprintf(id, sizeof id, "%llu", (unsigned long long)a->no);
    th_jw_object(w);
    th_api_member_str(w, "id", th_str(id));
    th_api_member_time(w, "time", a->at);
    th_api_member_int(w, "status", a->status);
    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++)
        th_api_member_str(w, th_audit_name((enum th_audit_text)i), a->text[i]);
    th_jw_key(w, TH_LIT("repeated"));
    th_jw_bool(w, a->repeated);
    th_jw_end_object(w);
}

/* False: answered. */
static bool read_filters(struct th_api_req *r, struct wanted *w)
{
    static const char *const results[] = {"done", "checked", "refused", "failed"};
    struct th_span result;
    bool known = false;

    *w = (struct wanted){0};
    for (unsigned i = 0; i < FILTERS; i++)
        w->given[i] = th_api_query_param(r, th_audit_name(filters[i]), &w->text[i]);
    if (th_api_query_param(r, "result", &result)) {
        for (unsigned i = 0; i < 4; i++)
            known = known || th_span_is(result, results[i]);
        if (!known) {
            th_api_fault_param(r, "result", "must be one of done, checked, refused, failed");
            return th_api_query_fail(r);
        }
    }
    return th_api_query_since_until(r, &w->since, &w->until);
}

static void write_audit_now(struct th_api_req *r)
{
    const struct th_audit *a = NULL;
    uint64_t before, next = 0;
    uint32_t limit, shown = 0;
    struct wanted wanted;
    struct th_jw w;

    if (!th_api_query_paging(r, &limit, &before) || !read_filters(r, &wanted))
        return;
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    while ((a = th_engine_audit_before(r->api->engine, a))) {
        if ((before && a->no >= before) || !fits(a, &wanted))
            continue;
        if (shown == limit || (shown && th_api_reply_is_full(r))) {
            next = a->no + 1;
            break;
        }
        write_row(&w, a);
        shown++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_audit(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_audit_now);
}
