/* What was sent, shown again: the attempt row keeps what cannot be computed (time, signatures), the endpoint's revision
 * and the event give the rest. Secrets are never shown. */
#include "base/arena.h"
#include "engine/settings/blob.h"
#include "engine/settings/filters.h"
#include "engine/settings/settings.h"
#include "engine/shard/batch.h"
#include "engine/state.h"

const char *th_engine_status(struct th_engine *e, const struct th_delivery_row *row, const char **reason)
{
    struct th_endpoint *ep;

    *reason = NULL;
    switch (row->state) {
    case TH_DS_QUEUED:
        if (th_is_scheduled(row->marks, row->attempts, row->due, e->now.wall.ms))
            return "scheduled";
        ep = th_engine_endpoint_no(e, row->endpoint);
        if (ep && th_ep_held(ep) &&
            (ep->no_consent || (row->lane != TH_LANE_TEST && (row->lane != TH_LANE_MANUAL || row->tries))))
            return "held";
        return row->attempts ? "retrying" : "pending";
    case TH_DS_DELIVERED:
        return "delivered";
    case TH_DS_EXHAUSTED:
        *reason = "exhausted";
        return "failed";
    case TH_DS_FINAL:
        *reason = "final_status";
        return "failed";
    case TH_DS_EXPIRED:
        *reason = "expired";
        return "failed";
    default:
        return "cancelled";
    }
}

static bool masked_lines(const struct th_endpoint_spec *spec, struct th_buf *out)
{
    for (unsigned i = 0; i < spec->header_count; i++) {
        th_buf_span(out, spec->headers[i].name);
        th_buf_str(out, ": ***\r\n");
    }
    if (spec->reach)
        th_auth_line(&spec->reach->auth, true, out);
    return !out->failed;
}

/* A list of one element. */
static enum th_error as_list(const struct th_dialect *d, const struct th_render *r, struct th_buf *body)
{
    struct th_buf list;

    th_buf_init(&list, 64u << 20);
    th_batch_element(r->event_id, r->sequence, th_dialect_values(d)->batch_plain, th_buf_view(body), &list);
    th_buf_char(&list, ']');
    th_buf_fini(body);
    *body = list;
    return list.failed;
}

static enum th_error from_template(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                                   const struct th_event_row *row, struct th_buf *body)
{
    const struct th_payload *p;
    struct th_json root;
    struct th_arena mem;
    enum th_error error;

    th_arena_init(&mem, 2 * TH_PAYLOAD_COMPILED);
    error = th_json_parse(text, TH_JSON_DEPTH, &root, NULL);
    if (!error)
        error = th_payload_compile(root, &mem, &p, NULL);
    if (!error)
        error = th_engine_template(e, d, p, row, body);
    th_arena_fini(&mem);
    return error;
}

enum th_error th_engine_show_request(struct th_engine *e, const struct th_tenant *t,
                                     const struct th_attempt_view *view, bool whole_url, struct th_buf *head,
                                     struct th_buf *body, struct th_buf *url, struct th_span *method)
{
    const struct th_endpoint *now = th_engine_endpoint_no(e, view->endpoint);
    struct th_endpoint then = {.no = view->endpoint, .tenant = (struct th_tenant *)t};
    struct th_buf custom, event_id, delivery_id, endpoint_id;
    struct th_event_row then_row;
    struct th_endpoint_spec spec;
    struct th_arena mem;
    struct th_buf data;
    const struct th_dialect_values *v = th_dialect_values(t->dialect);
    struct th_render r;
    bool shared;
    enum th_error error;

    if (view->event.erased)
        return TH_NOT_FOUND;
    th_arena_init(&mem, 2 * TH_MAX_SPEC_BYTES);
    th_buf_init(&data, 64u << 20);
    th_buf_init(&custom, TH_MAX_SPEC_BYTES);
    th_buf_init(&event_id, 256);
    th_buf_init(&delivery_id, 256);
    th_buf_init(&endpoint_id, 256);
    error = view->endpoint_settings.n ? th_blob_read_spec(e, &then, view->endpoint_settings, &mem, &spec)
            : now                     ? th_engine_spec(e, now, &mem, &spec)
                                      : TH_NOT_FOUND;
    if (error)
        goto end;
    if (!th_engine_endpoint_id_of(e, t->dialect, view->endpoint, &view->past, &endpoint_id))
        th_engine_endpoint_id(e, &then, &endpoint_id);
    th_engine_event_id(e, t->dialect, &view->event, &event_id);
    th_engine_delivery_id(e, t->dialect, &view->event, view->delivery, &delivery_id);
    if (whole_url || !th_mask_url_is_secret(&spec))
        th_buf_span(url, spec.url);
    else
        th_url_mask(spec.url, url);
    if (!masked_lines(&spec, &custom) || url->failed) {
        error = TH_NOMEM;
        goto end;
    }
    r = (struct th_render){.event_id = th_buf_view(&event_id),
                           .event_type = view->event.type,
                           .data = view->event.data,
                           .resource_type = view->event.resource_type,
                           .resource_id = view->event.resource_id,
                           .event_time = view->event.time,
                           .tenant_id = t->id,
                           .attributes = t->attributes,
                           .endpoint_id = th_buf_view(&endpoint_id),
                           .endpoint_url = th_buf_view(url),
                           .delivery_id = th_buf_view(&delivery_id),
                           .attempt = view->row.nth,
                           .at_unix = view->row.signed_at,
                           .options = spec.options,
                           .custom = th_buf_view(&custom),
                           .sequence = view->of.order && !view->test ? view->delivery : 0,
                           .sigs = view->row.sigs};
    for (unsigned i = 0; i < v->variant_count; i++)
        if (th_span_eq(v->variants[i], spec.variant))
            r.variant = i;
    *method = th_method_name(t->dialect, spec.method);
    r.form = spec.form;
    r.method = *method;
    then_row = view->event;
    error = th_payload_version(e, t, &view->event, spec.data_version, &data);
    if (!error && data.n)
        then_row.data = r.data = th_buf_view(&data);
    if (!error)
        error = spec.payload.n ? from_template(e, t->dialect, spec.payload, &then_row, body)
                               : th_dialect_body(t->dialect, &r, body, &shared);
    if (!error && spec.ordering.by && spec.ordering.batch > 1) {
        uint64_t deliveries[TH_ORDER_BATCH_MAX];
        struct th_span id;

        error = as_list(t->dialect, &r, body);
        r.batch = th_engine_batch(&view->row, deliveries, &id);
        r.batch += r.batch == 0;
        if (id.n)
            r.event_id = id;
        if (view->row.batch && r.sequence)
            r.sequence = view->row.batch;
    } else if (!error && th_payload_wants_form(t->dialect, spec.form, spec.payload.n != 0)) {
        error = th_payload_form(t->dialect, body);
    }
    if (!error)
        error = th_dialect_head(t->dialect, &r, th_buf_view(body), head, NULL, true);
end:
    th_arena_wipe(&mem);
    th_buf_fini(&data);
    th_buf_wipe(&custom);
    th_buf_fini(&event_id);
    th_buf_fini(&delivery_id);
    th_buf_fini(&endpoint_id);
    return error;
}
