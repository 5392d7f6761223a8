/* Bodies that a template makes, for requests, for what is shown of them, and for previews: the same bytes from the same event. */
#include "base/alloc.h"
#include "core/jsonpath/form.h"
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

/* One step: `data` is what it has been so far, and what it is then. */
static enum th_error step(struct th_engine *e, const struct th_dialect *d, const struct th_payload *p,
                          struct th_publish_event *ev, struct th_wall time, struct th_buf *data)
{
    struct th_buf out;
    enum th_error error;

    th_buf_init(&out, 64u << 20);
    error = th_payload_body(e, d, p, ev, time, &out);
    if (error) {
        th_buf_fini(&out);
        return error;
    }
    th_buf_fini(data);
    *data = out;
    ev->data = th_buf_view(data);
    return TH_OK;
}

unsigned th_type_version_for(const struct th_event_type *type, uint32_t from, uint32_t pin)
{
    unsigned n = 0;

    while (n < type->version_count && type->versions[n].version > from)
        n++;
    while (pin && n + 1 < type->version_count && type->versions[n].version > pin)
        n++;
    return n;
}

enum th_error th_payload_version(struct th_engine *e, const struct th_tenant *t,
                                 const struct th_event_row *row, uint32_t pin, struct th_buf *data)
{
    const struct th_event_type *type;
    struct th_publish_event ev = {.type = row->type,
                                  .data = row->data,
                                  .resource_type = row->resource_type,
                                  .resource_id = row->resource_id};
    struct th_buf id;
    enum th_error error;
    unsigned n, to;

    if (!pin || !row->more.version || row->more.version <= pin)
        return TH_OK;
    type = th_engine_event_type(e, t, row->type);
    if (!type)
        return TH_OK;
    n = th_type_version_for(type, row->more.version, 0);
    to = th_type_version_for(type, row->more.version, pin);
    th_buf_init(&id, 256);
    th_engine_event_id(e, t->dialect, row, &id);
    ev.external_id = th_buf_view(&id);
    error = id.failed;
    while (!error && n < to)
        error = step(e, t->dialect, type->versions[++n].step, &ev, row->time, data);
    th_buf_fini(&id);
    return error;
}

int64_t th_payload_sunset(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                          uint32_t pin)
{
    const struct th_event_type *type =
        pin && row->more.version ? th_engine_event_type(e, t, row->type) : NULL;

    if (!type || !type->version_count)
        return 0;
    return type->versions[th_type_version_for(type, row->more.version, pin)].sunset;
}

enum th_error th_payload_form(const struct th_dialect *d, struct th_buf *body)
{
    struct th_tape tape;
    struct th_buf out;
    enum th_error error;

    th_tape_init(&tape);
    th_buf_init(&out, 64u << 20);
    error = th_tape_read(&tape, th_buf_view(body));
    if (!error)
        error = th_form_write(&tape, 0, th_dialect_values(d)->body_max, &out);
    th_tape_fini(&tape);
    if (error) {
        th_buf_fini(&out);
        return error;
    }
    th_buf_fini(body);
    *body = out;
    return TH_OK;
}

struct th_span th_method_name(const struct th_dialect *d, enum th_method method)
{
    static const char *const names[] = {"", "POST", "PUT", "PATCH"};

    return method ? th_str(names[method]) : th_dialect_method(d);
}

bool th_method_read(struct th_span s, enum th_method *out)
{
    for (enum th_method m = TH_METHOD_POST; m <= TH_METHOD_PATCH; m++)
        if (th_span_eq(s, th_method_name(NULL, m))) {
            *out = m;
            return true;
        }
    return false;
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
