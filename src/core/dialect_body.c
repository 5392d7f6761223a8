/* Bodies of requests: the dialect's envelope around the data, or what the dialect's template makes of the event, and the form in which
 * either is sent. An endpoint's own template is the engine's: its body does not come here. */
#include "core/dialect_parts.h"
#include "core/ecma.h"
#include "core/jsonpath/document.h"
#include "core/jsonpath/form.h"
#include "core/jsonpath/payload.h"

enum th_error th_dialect_data(const struct th_dialect *d, struct th_span data, struct th_buf *out,
                              bool *exact)
{
    bool inexact = false;
    enum th_error error;

    if (d->values.ecmascript) {
        error = th_ecma_write(th_json_of(data), out, &inexact);
    } else {
        th_buf_span(out, data);
        error = out->failed;
    }
    *exact = !inexact;
    return error;
}

static enum th_error from_template(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    const struct th_document doc = {.type = r->event_type,
                                    .id = r->event_id,
                                    .time = r->event_time,
                                    .resource_type = r->resource_type,
                                    .resource_id = r->resource_id,
                                    .data = r->data};
    struct th_buf text;
    struct th_tape tape;
    enum th_error error;

    th_buf_init(&text, 64u << 20);
    th_tape_init(&tape);
    th_document_write(&doc, &text);
    error = text.failed ? text.failed : th_tape_read(&tape, th_buf_view(&text));
    if (!error)
        error = th_payload_render(d->payload, &tape, TH_DOCUMENT_EVENT, d->values.body_max, out);
    th_tape_fini(&tape);
    th_buf_fini(&text);
    return error;
}

static enum th_error plain(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    if (d->payload)
        return from_template(d, r, out);
    if (d->envelope.count)
        return th_dialect_envelope(d, r, out);
    th_buf_span(out, r->data);
    return out->failed;
}

static enum th_error as_form(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    struct th_buf json;
    struct th_tape tape;
    enum th_error error;

    th_buf_init(&json, 64u << 20);
    th_tape_init(&tape);
    error = plain(d, r, &json);
    if (!error)
        error = th_tape_read(&tape, th_buf_view(&json));
    if (!error)
        error = th_form_write(&tape, 0, d->values.body_max, out);
    th_tape_fini(&tape);
    th_buf_fini(&json);
    return error;
}

static enum th_error body(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    return d->values.form ? as_form(d, r, out) : plain(d, r, out);
}

enum th_error th_dialect_body(const struct th_dialect *d, const struct th_render *r, struct th_buf *out,
                              bool *shared)
{
    struct th_render rewritten = *r;
    struct th_buf data;
    enum th_error error;
    bool exact;

    *shared = d->payload || !(d->envelope.flags & TH_FIELD_IS_DELIVERY);
    if (!d->values.ecmascript || r->data_written)
        return body(d, r, out);
    th_buf_init(&data, out->max);
    error = th_dialect_data(d, r->data, &data, &exact);
    rewritten.data = th_buf_view(&data);
    if (!error)
        error = body(d, &rewritten, out);
    th_buf_fini(&data);
    return error;
}
