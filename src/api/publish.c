/* POST /v1/events and POST /v1/events/batch.
 *
 * The hot path: the body was validated once; the table decoder finds spans in it; the engine takes the spans
 * as they are, and the answer is written from the stored rows after the commit. No memory is taken for one
 * event without escapes. The body stays in the exchange until the answer.
 *
 * Refused here: wrong types, forms of type and id, unknown members, another tenant than the key's, more than
 * 1000 events, events of two tenants in one batch. The engine refuses what depends on the dialect (catalogue,
 * required resource, size). A batch is stored whole or not at all; pointers begin with the index. */
#include "api/event_read.h"
#include "api/event_trace.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/limit.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/route.h"
#include "api/slow.h"
#include "api/state.h"
#include "engine/engine.h"
#include "net/tls_common.h"
#include <stdio.h>

#define WARN_STEP (256u << 10) /* bytes of data looked through in one go */

/* The member `tenant` of events: the operator chooses with it, a tenant's key may only repeat its own. */
static bool choose_tenant(struct th_api_req *r, struct th_span tenant)
{
    const struct th_http1_field *named;

    if (!tenant.n || th_span_eq(tenant, th_api_request_tenant_id(r)))
        return true;
    if (!r->operator_key) {
        th_api_fail(r, 403, "the event names another tenant than the key's");
        return false;
    }
    named = th_api_request_header(r, "tenterhook-tenant");
    if (named) {
        th_api_fault(r, TH_LIT("/tenant"), "differs from the header Tenterhook-Tenant");
        th_api_fail_invalid(r);
        return false;
    }
    return th_api_owner_bind(r, tenant);
}

/* With the operator's key only the body says to which tenant's rate the request counts. */
static bool may_publish(struct th_api_req *r, struct th_span tenant)
{
    return choose_tenant(r, tenant) && (!r->operator_key || th_api_limit_tenant(r));
}

/* ---- the answer ---- */

struct warnings {
    struct th_jw *w;
    bool any;
};

static void warn(void *ctx, struct th_span pointer)
{
    struct warnings *s = ctx;
    struct th_buf text;

    if (!s->any) {
        th_jw_key(s->w, TH_LIT("warnings"));
        th_jw_array(s->w);
        s->any = true;
    }
    th_buf_init(&text, 1u << 20);
    th_buf_str(&text, "/data");
    th_buf_span(&text, pointer);
    if (text.failed)
        s->w->out->failed = text.failed;
    th_jw_object(s->w);
    th_api_member_str(s->w, "pointer", th_buf_view(&text));
    th_buf_fini(&text);
    th_api_member_str(
        s->w, "detail",
        TH_LIT("this number cannot be kept exactly in the dialect's JSON; it is sent as published"));
    th_jw_end_object(s->w);
}

static void write_event(struct th_api_req *r, struct th_jw *w, const struct th_publish_event *ev)
{
    struct warnings warnings = {w, false};

    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_event_id(r->api->engine, r->dialect, &ev->row, w->out);
    th_buf_char(w->out, '"');
    th_api_member_str(w, "type", ev->type);
    th_api_member_str(w, "tenant", th_api_request_tenant_id(r));
    th_api_member_int(w, "deliveries", ev->row.deliveries);
    if (th_dialect_values(r->dialect)->ecmascript && !ev->data_exact) {
        th_dialect_warnings(r->dialect, ev->data, warn, &warnings);
        if (warnings.any)
            th_jw_end_array(w);
    }
    th_jw_end_object(w);
}

/* Large data is searched for numbers in several turns. */
static bool answer_some(struct th_api_req *r)
{
    const struct th_publish *p = &r->op->publish;
    size_t bytes = 0;

    if (r->slow_at == 0) {
        r->slow_w = th_api_reply_begin(r);
        th_jw_array(&r->slow_w);
    }
    while (r->slow_at < p->count && bytes < WARN_STEP) {
        bytes += p->events[r->slow_at].data.n;
        write_event(r, &r->slow_w, &p->events[r->slow_at++]);
    }
    if (r->slow_at < p->count)
        return false;
    th_jw_end_array(&r->slow_w);
    th_api_reply(r, 202);
    return true;
}

static void answer(struct th_api_req *r, struct th_publish *p)
{
    struct th_jw w;
    bool batch = r->route->flags & TH_R_BATCH;

    if (batch && r->x->body.n >= TH_API_LARGE_BODY && th_dialect_values(r->dialect)->ecmascript) {
        th_api_slow(r, answer_some);
        return;
    }
    w = th_api_reply_begin(r);
    if (batch)
        th_jw_array(&w);
    for (uint32_t i = 0; i < p->count; i++)
        write_event(r, &w, &p->events[i]);
    if (batch)
        th_jw_end_array(&w);
    th_api_reply(r, 202);
}

static struct th_span bad_pointer(struct th_api_req *r, const struct th_publish *p, const char *field)
{
    struct th_span prefix = TH_LIT("");
    char index[16];

    if (r->route->flags & TH_R_BATCH) {
        snprintf(index, sizeof index, "%u", (unsigned)p->bad);
        prefix = th_api_fault_pointer(r, prefix, th_str(index));
    }
    return th_api_fault_pointer(r, prefix, th_str(field));
}

static struct th_span deeper(struct th_api_req *r, struct th_span pointer, const char *rest)
{
    struct th_buf whole;
    struct th_span out = pointer;

    th_buf_init(&whole, 1024);
    th_buf_span(&whole, pointer);
    th_buf_str(&whole, rest);
    (void)th_arena_copy(&r->mem, th_buf_view(&whole), &out);
    th_buf_fini(&whole);
    return out;
}

static void published(struct th_publish *p)
{
    struct th_api_req *r = p->user;
    struct th_span pointer;

    switch (p->result) {
    case TH_PUB_REPEATED:
        r->repeated = true;
        answer(r, p);
        return;
    case TH_PUB_ACCEPTED:
        answer(r, p);
        return;
    case TH_PUB_KEY_REUSED:
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
        return;
    case TH_PUB_ID_TAKEN:
        th_api_fault(r, bad_pointer(r, p, "id"), "an event with this id exists");
        th_api_fail(r, 409, "an event with the id \"%.*s\" exists", (int)p->events[p->bad].external_id.n,
                    p->events[p->bad].external_id.p);
        return;
    case TH_PUB_INVALID:
        pointer = bad_pointer(r, p, p->field ? p->field : "data");
        if (p->pointer[0])
            pointer = deeper(r, pointer, p->pointer);
        th_api_fault(r, pointer, "%s", p->detail);
        th_api_fail_invalid(r);
        return;
    case TH_PUB_TOO_LARGE:
        if (!p->field) {
            th_api_fail(r, 413, "the request %s", p->detail);
            return;
        }
        th_api_fault(r, bad_pointer(r, p, "data"), "has %zu bytes; the dialect allows %u",
                     p->events[p->bad].data.n, (unsigned)th_dialect_values(r->dialect)->body_max);
        th_api_fail(r, 413, "the data of the event is too large");
        return;
    case TH_PUB_LIMITED:
        th_api_fail_limit(r, p->limit, p->detail);
        return;
    case TH_PUB_UNAVAILABLE:
        th_api_fail(r, 503, "%s", p->detail[0] ? p->detail : "events cannot be stored now");
        return;
    case TH_PUB_FORGOTTEN: /* 503 would ask for another try, but none can succeed */
        th_api_fail(r, 409, "%s", p->detail);
        return;
    case TH_PUB_TENANT_GONE:
        th_api_fail(r, 404, "the tenant has been deleted");
        return;
    }
    th_api_fail(r, 500, "unexpected result of publishing");
}

static void submit(struct th_api_req *r, struct th_publish_event *events, uint32_t count)
{
    struct th_publish *p = &r->op->publish;

    *p = (struct th_publish){
        .tenant = r->tenant, .idem = r->idem, .count = count, .events = events, .done = published, .user = r};
    r->asked_engine = true;
    th_engine_publish(r->api->engine, p);
}

/* The events have been read with the body. */
static void publish(struct th_api_req *r)
{
    if (!r->no_memory)
        th_api_event_trace_fill(r);
    if (r->no_memory)
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else if (may_publish(r, r->events_tenant))
        submit(r, r->events, r->event_count);
}

void th_h_publish(struct th_api_req *r)
{
    publish(r);
}

void th_h_publish_batch(struct th_api_req *r)
{
    if (r->event_count == 0 && !r->no_memory)
        th_api_fault(r, TH_LIT(""), "must be an array of 1 to %d events", TH_API_MAX_BATCH);
    publish(r);
}
