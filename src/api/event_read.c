/* Reads events from the body of POST /v1/events and POST /v1/events/batch. Touches only the request, so that
 * another thread may do it with a large body. */
#include "api/event_read.h"
#include "api/channels.h"
#include "api/decode.h"
#include "api/event_trace.h"
#include "api/fault.h"
#include "api/request.h"
#include "api/route.h"
#include "core/guard.h"
#include "core/trace.h"
#include "engine/engine.h"
#include <stdio.h>

#define ID_FORM "must have 1 to 128 characters of A-Z a-z 0-9 _ -"

enum {
    F_TYPE,
    F_DATA,
    F_TENANT,
    F_ID,
    F_TIME,
    F_RESOURCE_TYPE,
    F_RESOURCE_ID,
    F_CHANNELS,
    F_DELIVER_AT,
    F_EXPIRES_AT,
    F_TRACEPARENT,
    F_TRACESTATE,
    F_COUNT
};

static const struct th_api_field event_fields[F_COUNT] = {
    {"type", TH_T_STRING, true, false, 0, 0, 0},
    {"data", TH_T_ANY, true, false, 0, 0, 0},
    {"tenant", TH_T_STRING, false, true, 0, 0, 0},
    {"id", TH_T_STRING, false, true, 0, 0, 0},
    {"time", TH_T_TIME, false, true, 0, 0, 0},
    {"resource_type", TH_T_STRING, false, true, 256, 0, 0},
    {"resource_id", TH_T_STRING, false, true, 512, 0, 0},
    {"channels", TH_T_STRINGS, false, true, TH_MAX_CHANNELS, 0, 0},
    {"deliver_at", TH_T_TIME, false, true, 0, 0, 0},
    {"expires_at", TH_T_TIME, false, true, 0, 0, 0},
    {"traceparent", TH_T_STRING, false, true, 256, 0, 0},
    {"tracestate", TH_T_STRING, false, true, TH_TRACESTATE_MAX, 0, 0},
};

/* True for a text that can be an event type in some dialect; the tenant's dialect judges it when the tenant
 * is known. */
static bool type_form(struct th_span type)
{
    return th_event_type_form(type, TH_LIT("/:+=@~"));
}

static bool read_trace(struct th_api_req *r, struct th_span prefix, const struct th_api_value *parent,
                       const struct th_api_value *state, struct th_publish_event *ev)
{
    struct th_trace_parent ignored;

    if (parent->text.n && !th_trace_parent_read(parent->text, &ignored))
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("traceparent")),
                     "must have the form of W3C Trace Context, such as "
                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    if (state->text.n && !th_trace_state_ok(state->text))
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("tracestate")), "must be visible ASCII");
    if (state->text.n && !parent->text.n)
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("tracestate")),
                     "needs a traceparent beside it");
    return th_api_event_trace_keep(r, parent->text, state->text, &ev->traceparent);
}

/* Reads one event. False only without memory; faults are noted. */
static bool read_event(struct th_api_req *r, struct th_json v, struct th_span prefix,
                       struct th_publish_event *ev, struct th_span *tenant)
{
    struct th_api_value values[F_COUNT];

    memset(ev, 0, sizeof *ev);
    if (!th_api_decode(r, v, prefix, event_fields, F_COUNT, false, values))
        return false;
    ev->type = values[F_TYPE].text;
    ev->data = values[F_DATA].json.raw;
    ev->external_id = values[F_ID].text;
    ev->resource_type = values[F_RESOURCE_TYPE].text;
    ev->resource_id = values[F_RESOURCE_ID].text;
    ev->has_time = values[F_TIME].present && !values[F_TIME].null;
    ev->time.ms = values[F_TIME].i;
    ev->deliver_at = values[F_DELIVER_AT].i;
    ev->expires_at = values[F_EXPIRES_AT].i;
    *tenant = values[F_TENANT].text;
    if ((values[F_TRACEPARENT].present || values[F_TRACESTATE].present) &&
        !read_trace(r, prefix, &values[F_TRACEPARENT], &values[F_TRACESTATE], ev))
        return false;
    if (values[F_CHANNELS].present &&
        !th_api_channels_read(r, th_api_fault_pointer(r, prefix, TH_LIT("channels")), &values[F_CHANNELS],
                              &ev->channels))
        return false;
    if (values[F_TYPE].json.type == TH_JSON_STRING && values[F_TYPE].present && !type_form(ev->type))
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("type")),
                     "must be names of A-Z a-z 0-9 _ - joined by full stops, at most 128 bytes");
    if (values[F_TENANT].present && values[F_TENANT].json.type == TH_JSON_STRING && !th_id_ok(*tenant))
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("tenant")), ID_FORM);
    if (values[F_ID].present && values[F_ID].json.type == TH_JSON_STRING && !th_id_ok(ev->external_id))
        th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("id")), ID_FORM);
    return true;
}

static void read_batch(struct th_api_req *r)
{
    struct th_json_iter it;
    struct th_json v;
    uint32_t count = 0;

    th_json_iter(&it, r->body);
    if (r->body.type == TH_JSON_ARRAY)
        while (th_json_next(&it, NULL, &v) && count <= TH_API_MAX_BATCH)
            count++;
    if (count == 0 || count > TH_API_MAX_BATCH)
        return;
    r->events = th_arena_get(&r->mem, count * sizeof *r->events);
    r->no_memory = !r->events;
    th_json_iter(&it, r->body);
    for (uint32_t i = 0; !r->no_memory && th_json_next(&it, NULL, &v); i++) {
        char index[16];
        struct th_span prefix, named;
        snprintf(index, sizeof index, "/%u", (unsigned)i);
        prefix = th_str(index);
        r->no_memory = !read_event(r, v, prefix, &r->events[i], &named);
        if (i == 0)
            r->events_tenant = named;
        else if (!r->no_memory && !th_span_eq(named, r->events_tenant))
            th_api_fault(r, th_api_fault_pointer(r, prefix, TH_LIT("tenant")),
                         "all events of a batch must have one tenant");
    }
    r->event_count = count;
}

void th_api_event_read(struct th_api_req *r)
{
    if (r->route->flags & TH_R_BATCH) {
        read_batch(r);
    } else {
        r->events = &r->room->one;
        r->event_count = 1;
        r->no_memory = !read_event(r, r->body, TH_LIT(""), &r->room->one, &r->events_tenant);
    }
}
