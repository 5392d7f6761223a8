/* Bodies that a template makes, for requests, for what is shown of them, and for previews: the same bytes from the same event. */
#include "base/alloc.h"
#include "engine/engine.h"
#include "engine/settings/filters.h"
#include "engine/state.h"

enum th_error th_payload_body(struct th_engine *e, const struct th_dialect *d,
                              const struct th_payload *payload, const struct th_publish_event *ev,
                              struct th_wall time, struct th_buf *body)
{
    enum th_error error = TH_NOMEM;

    if (th_filter_read(e->filtering, ev, time))
        error = th_payload_render(payload, &e->filtering->tape, TH_FILTER_EVENT,
                                  th_dialect_values(d)->body_max, body);
    th_filter_event_trim(e->filtering);
    return error;
}

enum th_error th_engine_template(struct th_engine *e, const struct th_dialect *d,
                                 const struct th_payload *payload, const struct th_event_row *row,
                                 struct th_buf *body)
{
    struct th_publish_event ev = {
        .type = row->type, .resource_type = row->resource_type, .resource_id = row->resource_id};
    struct th_buf id, data;
    bool exact;
    enum th_error error;

    th_buf_init(&id, 256);
    th_buf_init(&data, 64u << 20);
    th_engine_event_id(e, d, row, &id);
    error = th_dialect_data(d, row->data, &data, &exact);
    ev.external_id = th_buf_view(&id);
    ev.data = th_buf_view(&data);
    if (!error)
        error = id.failed     ? id.failed
                : data.failed ? data.failed
                              : th_payload_body(e, d, payload, &ev, row->time, body);
    th_buf_fini(&id);
    th_buf_fini(&data);
    return error;
}
