/* Shapes of the management API: JSON objects whose fields the API gives by number. */
#include "core/dialect_parts.h"

static bool shape_get(void *ctx, const struct th_field_ref *from, unsigned index,
                      struct th_program_value *out)
{
    struct th_shape_run *s = ctx;

    th_buf_reset(&s->json);
    if (!s->src->field(s->src->ctx, from->field, index, &s->json) || s->json.failed)
        return false;
    *out = (struct th_program_value){.kind = TH_V_JSON, .s = th_buf_view(&s->json)};
    return out->s.n > 0;
}

static bool shape_holds(void *ctx, unsigned condition, struct th_span text)
{
    const struct th_shape_run *s = ctx;

    (void)text;
    return condition == DL_CREATED && s->created;
}

static unsigned shape_count(void *ctx, enum th_field_list list)
{
    const struct th_shape_run *s = ctx;

    return s->src->count ? s->src->count(s->src->ctx, list) : 0;
}

static bool shape_stop(void *ctx, unsigned count, size_t bytes)
{
    const struct th_shape_run *s = ctx;

    return s->src->stop && s->src->stop(s->src->ctx, count, bytes);
}

/* A dialect without a shape for a new endpoint shows it with the shape of any endpoint. */
static const struct th_program *shape_of(const struct th_dialect *d, enum th_shape_id id)
{
    if (id == TH_SHAPE_ENDPOINT_CREATED && d->shapes[id].count == 0)
        id = TH_SHAPE_ENDPOINT;
    return &d->shapes[id];
}

bool th_dialect_has_shape(const struct th_dialect *d, enum th_shape_id id)
{
    return shape_of(d, id)->count > 0;
}

void th_dialect_shape_begin(struct th_shape_run *s, const struct th_dialect *d, enum th_shape_id id,
                            const struct th_shape_source *src, struct th_buf *out)
{
    *s = (struct th_shape_run){.src = src, .created = id == TH_SHAPE_ENDPOINT_CREATED};
    th_program_begin(&s->run, shape_of(d, id), out);
    th_buf_init(&s->json, TH_PROGRAM_VALUE_MAX);
}

bool th_dialect_shape_step(struct th_shape_run *s, size_t bytes)
{
    const struct th_env env = {
        .get = shape_get, .holds = shape_holds, .count = shape_count, .stop = shape_stop, .ctx = s};
    struct th_buf *out = s->run.out;
    bool done = th_program_step(&s->run, &env, bytes > SIZE_MAX - out->n ? SIZE_MAX : out->n + bytes);

    if (s->json.failed && !out->failed)
        out->failed = s->json.failed;
    return done || out->failed;
}

void th_dialect_shape_end(struct th_shape_run *s)
{
    th_buf_wipe(&s->json); /* it may have held a secret */
    th_program_end(&s->run, true);
}

enum th_error th_dialect_shape(const struct th_dialect *d, enum th_shape_id id,
                               const struct th_shape_source *src, struct th_buf *out)
{
    struct th_shape_run run;

    if (!th_dialect_has_shape(d, id))
        return TH_NOT_FOUND;
    th_dialect_shape_begin(&run, d, id, src, out);
    (void)th_dialect_shape_step(&run, SIZE_MAX);
    th_dialect_shape_end(&run);
    return out->failed;
}
