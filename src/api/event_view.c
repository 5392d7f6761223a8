/* Writes events into answers: in lists and streams, and at the beginning of one that is shown alone. */
#include "api/event_view.h"
#include "api/channels.h"
#include "api/member.h"
#include "api/request.h"
#include "api/state.h"
#include "core/trace.h"
#include "engine/engine.h"

void th_api_event_members(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row)
{
    th_jw_key(w, TH_LIT("id"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_event_id(r->api->engine, r->dialect, row, w->out);
    th_buf_char(w->out, '"');
    th_api_member_str(w, "type", row->type);
    th_api_member_str(w, "tenant", th_api_request_tenant_id(r));
    th_api_member_test(w, row->test);
    th_api_member_time(w, "time", row->time.ms);
    th_api_member_time(w, "created_at", row->at.ms);
    if (row->resource_type.n)
        th_api_member_str(w, "resource_type", row->resource_type);
    if (row->resource_id.n)
        th_api_member_str(w, "resource_id", row->resource_id);
    if (row->more.channels.n) {
        th_jw_key(w, TH_LIT("channels"));
        th_api_channels_write(w, row->more.channels);
    }
    if (row->more.deliver_at)
        th_api_member_time(w, "deliver_at", row->more.deliver_at);
    if (row->more.expires_at)
        th_api_member_time(w, "expires_at", row->more.expires_at);
    if (row->more.traceparent.n)
        th_api_member_str(w, "traceparent", th_trace_kept_parent(row->more.traceparent));
    if (row->more.version) {
        struct th_buf version;

        th_buf_init(&version, 16);
        th_version_write(row->more.version, &version);
        th_api_member_str(w, "version", th_buf_view(&version));
        th_buf_fini(&version);
    }
    if (row->more.marks & TH_EVENT_MARK_SCHEMA) {
        th_jw_key(w, TH_LIT("schema_error"));
        th_jw_bool(w, true);
    }
    th_api_member_int(w, "delivery_count", row->deliveries);
    if (row->erased)
        th_api_member_time(w, "erased_at", row->erased);
}

void th_api_event_row(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row)
{
    th_jw_object(w);
    th_api_event_members(w, r, row);
    th_api_member_int(w, "deliveries", row->deliveries);
    th_jw_end_object(w);
}
