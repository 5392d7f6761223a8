/* Runs shapes: writes the JSON that a program describes, taking values from a reader.
 *
 * Why one interpreter for envelopes and API objects: they differ only in where values come from. A member
 * without a value leaves no trace (or null, if the shape says so), so the name is written first and taken
 * back.
 *
 * Invariants: 1. The last byte tells whether a comma is due: after '{' and '[' none is. No value ends with
 * these.
 * 2. Nothing is parsed but values that a form must change. 3. No recursion: lists are loops in the program,
 * one deep. */
#include "base/time.h"
#include "core/dialect_parts.h"
#include "core/ecma.h"

#define TEXT_MAX (16u * 1024 * 1024)

struct run {
    const struct shape_reader *r;
    struct th_buf *out;
    struct th_buf text; /* a string with its escapes resolved */
    size_t start;
    unsigned index, count;
    unsigned at; /* the next op */
};

static void comma(struct run *run)
{
    struct th_buf *out = run->out;

    if (!out->failed && out->n > run->start && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        th_buf_char(out, ',');
}

static void begin(struct run *run, struct th_span name)
{
    comma(run);
    if (name.n)
        th_buf_span(run->out, name);
}

/* The value as plain text, for comparing, and for numbers and times in strings. */
static bool plain(struct run *run, const struct shape_value *v, struct th_span *out)
{
    struct th_json string = {TH_JSON_STRING, v->s};

    if (v->kind == SHAPE_V_TEXT || (v->kind == SHAPE_V_JSON && v->s.p[0] != '"')) {
        *out = v->s;
        return true;
    }
    th_buf_reset(&run->text);
    if (v->kind == SHAPE_V_JSON)
        th_json_string(string, &run->text);
    else
        th_buf_i64(&run->text, v->i);
    if (run->text.failed && !run->out->failed)
        run->out->failed = run->text.failed;
    *out = th_buf_view(&run->text);
    return !run->text.failed;
}

static bool write_mapped(struct run *run, const struct shape_op *op, const struct shape_value *v)
{
    struct th_span text;

    if (!plain(run, v, &text))
        return false;
    for (unsigned i = 0; i < op->map_count; i++)
        if (th_span_eq(op->map[i].from, text) || th_span_is(op->map[i].from, "*")) {
            th_buf_span(run->out, op->map[i].to);
            return true;
        }
    return false;
}

static bool write_time(struct run *run, enum shape_as as, int64_t ms)
{
    struct th_buf *out = run->out;

    if (as == SHAPE_UNIX || as == SHAPE_INTEGER) {
        th_buf_i64(out, ms >= 0 ? ms / 1000
                                : -((999 - ms) / 1000)); /* cut towards the past, as the text form does */
    } else if (as == SHAPE_UNIX_MILLIS) {
        th_buf_i64(out, ms);
    } else {
        th_buf_char(out, '"');
        th_wall_format(out, (struct th_wall){ms},
                       as == SHAPE_RFC3339_MILLIS ? TH_RFC3339_MILLIS : TH_RFC3339_SECONDS);
        th_buf_char(out, '"');
    }
    return true;
}

static bool is_integer(struct th_span s)
{
    size_t i = s.n && s.p[0] == '-';

    if (i == s.n || (s.p[i] == '0' && s.n > i + 1))
        return false;
    for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static bool write_string(struct run *run, struct th_span text)
{
    struct th_jw jw = th_jw(run->out);

    th_jw_string(&jw, text);
    return true;
}

static bool write_raw(struct run *run, const struct shape_value *v)
{
    if (v->kind == SHAPE_V_TIME)
        return write_time(run, SHAPE_RFC3339, v->i);
    if (v->kind == SHAPE_V_INT)
        th_buf_i64(run->out, v->i);
    else if (v->kind == SHAPE_V_TEXT)
        return write_string(run, v->s);
    else if (v->ecmascript)
        return th_ecma_write(th_json_of(v->s), run->out, NULL) == TH_OK || run->out->failed;
    else
        th_buf_span(run->out, v->s);
    return true;
}

static bool write_value(struct run *run, const struct shape_op *op, const struct shape_value *v)
{
    struct th_span text;
    struct th_wall t;

    if (v->kind == SHAPE_V_JSON && th_span_is(v->s, "null"))
        return false;
    if (op->map)
        return write_mapped(run, op, v);
    switch (op->as) {
    case SHAPE_AS_IS:
    case SHAPE_RAW:
        return write_raw(run, v);
    case SHAPE_STRING:
        if (v->kind == SHAPE_V_TIME || (v->kind == SHAPE_V_JSON && v->s.p[0] == '"'))
            return write_raw(run, v);
        return plain(run, v, &text) && write_string(run, text);
    case SHAPE_BOOLEAN:
        if (!plain(run, v, &text) || (!th_span_is(text, "true") && !th_span_is(text, "false")))
            return false;
        th_buf_span(run->out, text);
        return true;
    case SHAPE_INTEGER:
        if (v->kind == SHAPE_V_TIME)
            return write_time(run, SHAPE_UNIX, v->i);
        if (!plain(run, v, &text) || !is_integer(text))
            return false;
        th_buf_span(run->out, text);
        return true;
    default: /* the forms of time */
        if (v->kind == SHAPE_V_TIME)
            return write_time(run, op->as, v->i);
        return plain(run, v, &text) && th_wall_parse(text, &t) && write_time(run, op->as, t.ms);
    }
}

static bool from(struct run *run, const struct shape_op *op, const struct shape_from *source)
{
    struct shape_value v;

    if (!run->r->get(run->r->ctx, source, run->index, &v))
        return false;
    if (source->source == SHAPE_TENANT_ATTRIBUTE && v.kind == SHAPE_V_JSON && v.s.p[0] == '"') {
        /* written as the other names are, whatever escapes the operator used: only data goes byte for byte */
        if (!plain(run, &v, &v.s))
            return false;
        v.kind = SHAPE_V_TEXT;
    }
    if (source->source == SHAPE_DATA &&
        th_span_is(v.s, "null")) { /* a publisher's null is a value: data, byte for byte */
        th_buf_add(run->out, "null", 4);
        return true;
    }
    return write_value(run, op, &v);
}

static void field(struct run *run, const struct shape_op *op)
{
    const struct shape_op unmapped = {.kind = SHAPE_FIELD, .as = op->as};
    size_t before = run->out->n;

    begin(run, op->name);
    if (from(run, op, &op->from))
        return;
    /* What stands in for it takes the same form, but not the renaming: that is of the first source's values.
     */
    if ((op->other.source != SHAPE_NATIVE || op->other.arg.p) && from(run, &unmapped, &op->other))
        return;
    if (op->or_null)
        th_buf_add(run->out, "null", 4);
    else if (!run->out->failed)
        run->out->n = before;
}

/* The end of an element: the next one, or the end of the list. True: the next one. */
static bool next_element(struct run *run)
{
    const struct shape_reader *r = run->r;

    run->index++;
    if (run->index < run->count && r->stop && r->stop(r->ctx, run->index, run->out->n - run->start))
        run->count = run->index;
    if (run->index < run->count)
        return true;
    run->index = 0;
    return false;
}

/* Runs to the end (true), or pauses (false) behind an element of a list when `out` has `pause_at` bytes. */
static bool run_some(struct run *run, const struct shape_program *p, size_t pause_at)
{
    const struct shape_reader *r = run->r;
    struct th_buf *out = run->out;

    for (; run->at < p->count && !out->failed; run->at++) {
        const struct shape_op *op = &p->ops[run->at];
        switch (op->kind) {
        case SHAPE_OPEN:
            begin(run, op->name);
            th_buf_char(out, '{');
            break;
        case SHAPE_CLOSE:
            th_buf_char(out, '}');
            break;
        case SHAPE_LIST:
            if (op->jump && (!r->count || r->count(r->ctx, op->from.arg) == 0)) {
                run->at += op->jump;
                break;
            }
            begin(run, op->name);
            th_buf_char(out, '[');
            break;
        case SHAPE_LIST_END:
            th_buf_char(out, ']');
            break;
        case SHAPE_EACH:
            run->index = 0;
            run->count = r->count ? r->count(r->ctx, op->from.arg) : 0;
            if (run->count == 0)
                run->at = op->jump - 1;
            break;
        case SHAPE_NEXT:
            if (!next_element(run))
                break;
            run->at = op->jump - 1;
            if (out->n >= pause_at) {
                run->at++;
                return false;
            }
            break;
        case SHAPE_FIELD:
            field(run, op);
            break;
        case SHAPE_CONST:
            begin(run, op->name);
            th_buf_span(out, op->json);
            break;
        case SHAPE_CREATED:
            run->at += r->created ? 0 : op->jump;
            break;
        }
    }
    return true;
}

enum th_error shape_run(const struct shape_program *p, const struct shape_reader *r, struct th_buf *out)
{
    struct run run = {.r = r, .out = out, .start = out->n};

    th_buf_init(&run.text, TEXT_MAX);
    (void)run_some(&run, p, SIZE_MAX);
    th_buf_fini(&run.text);
    return out->failed;
}

/* ---- shapes of the management API ---- */

struct native {
    const struct th_shape_source *src;
    struct th_buf json;
};

static bool native_get(void *ctx, const struct shape_from *source, unsigned index, struct shape_value *out)
{
    struct native *n = ctx;

    th_buf_reset(&n->json);
    if (!n->src->field(n->src->ctx, source->arg, index, &n->json) || n->json.failed || n->json.n == 0)
        return false;
    *out = (struct shape_value){.kind = SHAPE_V_JSON, .s = th_buf_view(&n->json)};
    return true;
}

static unsigned native_count(void *ctx, struct th_span name)
{
    struct native *n = ctx;

    return n->src->count ? n->src->count(n->src->ctx, name) : 0;
}

/* What has no shape of its own for a new endpoint is shown with the shape of any endpoint. */
static const struct shape_program *shape_of(const struct th_dialect *d, enum th_shape_id id)
{
    if (id == TH_SHAPE_ENDPOINT_CREATED && d->shapes[id].count == 0)
        id = TH_SHAPE_ENDPOINT;
    return &d->shapes[id];
}

bool th_dialect_has_shape(const struct th_dialect *d, enum th_shape_id id)
{
    return shape_of(d, id)->count > 0;
}

static bool native_stop(void *ctx, unsigned count, size_t bytes)
{
    struct native *n = ctx;

    return n->src->stop(n->src->ctx, count, bytes);
}

void th_shape_begin(struct th_shape_run *s, const struct th_dialect *d, enum th_shape_id id,
                    const struct th_shape_source *src, struct th_buf *out)
{
    *s = (struct th_shape_run){.dialect = d, .id = id, .src = src, .out = out, .start = out->n};
    th_buf_init(&s->json, TEXT_MAX);
    th_buf_init(&s->text, TEXT_MAX);
}

bool th_shape_step(struct th_shape_run *s, size_t bytes)
{
    struct native n = {.src = s->src, .json = s->json};
    struct shape_reader reader = {.get = native_get,
                                  .count = native_count,
                                  .stop = s->src->stop ? native_stop : NULL,
                                  .ctx = &n,
                                  .created = s->id == TH_SHAPE_ENDPOINT_CREATED};
    struct run run = {.r = &reader,
                      .out = s->out,
                      .text = s->text,
                      .start = s->start,
                      .index = s->index,
                      .count = s->count,
                      .at = s->at};
    bool done = run_some(&run, shape_of(s->dialect, s->id),
                         bytes > SIZE_MAX - s->out->n ? SIZE_MAX : s->out->n + bytes);

    s->json = n.json;
    s->text = run.text;
    s->index = run.index;
    s->count = run.count;
    s->at = run.at;
    if (s->json.failed && !s->out->failed)
        s->out->failed = s->json.failed;
    return done || s->out->failed;
}

void th_shape_end(struct th_shape_run *s)
{
    th_buf_wipe(&s->json); /* it may have held a secret */
    th_buf_fini(&s->text);
}

enum th_error th_dialect_shape(const struct th_dialect *d, enum th_shape_id id,
                               const struct th_shape_source *src, struct th_buf *out)
{
    struct th_shape_run run;

    if (shape_of(d, id)->count == 0)
        return TH_NOT_FOUND;
    th_shape_begin(&run, d, id, src, out);
    (void)th_shape_step(&run, SIZE_MAX);
    th_shape_end(&run);
    return out->failed;
}
