/* POST /v1/events and POST /v1/events/batch.
 *
 * The hot path: the body was validated once; the table decoder finds spans in it; the engine takes the spans
 * as they are, and the answer is written from the stored rows after the commit. No memory is taken for one
 * event without escapes. The body stays in the exchange until the answer.
 *
 * Refused here: wrong types, forms of type and id, unknown members, another tenant than the key's, more than
 * 1000 events, events of two tenants in one batch. What depends on the dialect (catalogue, required resource,
 * size) is the engine's to refuse. A batch is stored whole or not at all; pointers begin with the index. */
#include "api/private.h"
#include <stdio.h>

#define MAX_BATCH 1000
#define WARN_STEP (256u << 10) /* bytes of data looked through in one go */
#define ID_FORM "must have 1 to 128 characters of A-Z a-z 0-9 _ -"

enum { F_TYPE, F_DATA, F_TENANT, F_ID, F_TIME, F_RESOURCE_TYPE, F_RESOURCE_ID, F_COUNT };

static const struct th_api_field event_fields[F_COUNT] = {
    {"type", TH_T_STRING, true, false, 0, 0, 0},
    {"data", TH_T_ANY, true, false, 0, 0, 0},
    {"tenant", TH_T_STRING, false, true, 0, 0, 0},
    {"id", TH_T_STRING, false, true, 0, 0, 0},
    {"time", TH_T_TIME, false, true, 0, 0, 0},
    {"resource_type", TH_T_STRING, false, true, 256, 0, 0},
    {"resource_id", TH_T_STRING, false, true, 512, 0, 0},
};

/* What can be an event type of some dialect; the tenant's own judges it when the tenant is known. */
static bool type_form(struct th_span type)
{
    return th_event_type_form(type, TH_LIT("/:+=@~"));
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
    *tenant = values[F_TENANT].text;
    if (values[F_TYPE].json.type == TH_JSON_STRING && values[F_TYPE].present && !type_form(ev->type))
        th_api_error(r, th_api_pointer(r, prefix, TH_LIT("type")),
                     "must be names of A-Z a-z 0-9 _ - joined by full stops, at most 128 bytes");
    if (values[F_TENANT].present && values[F_TENANT].json.type == TH_JSON_STRING && !th_id_ok(*tenant))
        th_api_error(r, th_api_pointer(r, prefix, TH_LIT("tenant")), ID_FORM);
    if (values[F_ID].present && values[F_ID].json.type == TH_JSON_STRING && !th_id_ok(ev->external_id))
        th_api_error(r, th_api_pointer(r, prefix, TH_LIT("id")), ID_FORM);
    return true;
}

/* The member `tenant` of events: the operator chooses with it, a tenant's key may only repeat its own. */
static bool choose_tenant(struct th_api_req *r, struct th_span tenant)
{
    const struct th_http1_field *named;

    if (!tenant.n || th_span_eq(tenant, th_api_tenant_id(r)))
        return true;
    if (!r->operator_key) {
        th_api_fail(r, 403, "the event names another tenant than the key's");
        return false;
    }
    named = th_api_header(r, "tenterhook-tenant");
    if (named) {
        th_api_error(r, TH_LIT("/tenant"), "differs from the header Tenterhook-Tenant");
        th_api_fail_invalid(r);
        return false;
    }
    return th_api_bind_tenant(r, tenant);
}

/* With the operator's key it is only known here for which tenant the request counts. */
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
    th_api_str(s->w, "pointer", th_buf_view(&text));
    th_buf_fini(&text);
    th_api_str(s->w, "detail",
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
    th_api_str(w, "type", ev->type);
    th_api_str(w, "tenant", th_api_tenant_id(r));
    th_api_int(w, "deliveries", ev->row.deliveries);
    if (th_dialect_values(r->dialect)->ecmascript && !ev->data_exact) {
        th_dialect_warnings(r->dialect, ev->data, warn, &warnings);
        if (warnings.any)
            th_jw_end_array(w);
    }
    th_jw_end_object(w);
}

/* What is much is looked through for numbers in several turns. */
static bool answer_some(struct th_api_req *r)
{
    const struct th_publish *p = &r->op.publish;
    size_t bytes = 0;

    if (r->slow_at == 0) {
        r->slow_w = th_api_begin(r);
        th_jw_array(&r->slow_w);
    }
    while (r->slow_at < p->count && bytes < WARN_STEP) {
        bytes += p->events[r->slow_at].data.n;
        write_event(r, &r->slow_w, &p->events[r->slow_at++]);
    }
    if (r->slow_at < p->count)
        return false;
    th_jw_end_array(&r->slow_w);
    th_api_send(r, 202);
    return true;
}

static void answer(struct th_api_req *r, struct th_publish *p)
{
    struct th_jw w;
    bool batch = r->route->handle == th_h_publish_batch;

    if (batch && r->x->body.n >= TH_API_LARGE_BODY && th_dialect_values(r->dialect)->ecmascript) {
        th_api_slowly(r, answer_some);
        return;
    }
    w = th_api_begin(r);
    if (batch)
        th_jw_array(&w);
    for (uint32_t i = 0; i < p->count; i++)
        write_event(r, &w, &p->events[i]);
    if (batch)
        th_jw_end_array(&w);
    th_api_send(r, 202);
}

static struct th_span bad_pointer(struct th_api_req *r, const struct th_publish *p, const char *field)
{
    struct th_span prefix = TH_LIT("");
    char index[16];

    if (r->route->handle == th_h_publish_batch) {
        snprintf(index, sizeof index, "%u", (unsigned)p->bad);
        prefix = th_api_pointer(r, prefix, th_str(index));
    }
    return th_api_pointer(r, prefix, th_str(field));
}

static void published(struct th_publish *p)
{
    struct th_api_req *r = p->user;

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
        th_api_error(r, bad_pointer(r, p, "id"), "an event with this id exists");
        th_api_fail(r, 409, "an event with the id \"%.*s\" exists", (int)p->events[p->bad].external_id.n,
                    p->events[p->bad].external_id.p);
        return;
    case TH_PUB_INVALID:
        th_api_error(r, bad_pointer(r, p, p->field ? p->field : "data"), "%s", p->detail);
        th_api_fail_invalid(r);
        return;
    case TH_PUB_TOO_LARGE:
        if (!p->field) {
            th_api_fail(r, 413, "the request %s", p->detail);
            return;
        }
        th_api_error(r, bad_pointer(r, p, "data"), "has %zu bytes, the dialect allows %u",
                     p->events[p->bad].data.n, (unsigned)th_dialect_values(r->dialect)->body_max);
        th_api_fail(r, 413, "the data of the event is too large");
        return;
    case TH_PUB_LIMITED:
        th_api_fail_limit(r, p->limit, p->detail);
        return;
    case TH_PUB_UNAVAILABLE:
        th_api_fail(r, 503, "%s", p->detail[0] ? p->detail : "events cannot be stored now");
        return;
    case TH_PUB_FORGOTTEN: /* 503 would ask for another try, and none can succeed */
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
    struct th_publish *p = &r->op.publish;

    *p = (struct th_publish){
        .tenant = r->tenant, .idem = r->idem, .count = count, .events = events, .done = published, .user = r};
    r->asked_engine = true;
    th_engine_publish(r->api->engine, p);
}

static void read_batch(struct th_api_req *r)
{
    struct th_json_iter it;
    struct th_json v;
    uint32_t count = 0;

    th_json_iter(&it, r->body);
    if (r->body.type == TH_JSON_ARRAY)
        while (th_json_next(&it, NULL, &v) && count <= MAX_BATCH)
            count++;
    if (count == 0 || count > MAX_BATCH)
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
            th_api_error(r, th_api_pointer(r, prefix, TH_LIT("tenant")),
                         "all events of a batch must have one tenant");
    }
    r->event_count = count;
}

void th_api_publish_read(struct th_api_req *r)
{
    if (r->route->handle == th_h_publish_batch) {
        read_batch(r);
        return;
    }
    r->events = &r->one;
    r->event_count = 1;
    r->no_memory = !read_event(r, r->body, TH_LIT(""), &r->one, &r->events_tenant);
}

/* The events have been read with the body. */
static void publish(struct th_api_req *r)
{
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
        th_api_error(r, TH_LIT(""), "must be an array of 1 to %d events", MAX_BATCH);
    publish(r);
}
