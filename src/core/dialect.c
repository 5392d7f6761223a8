/* Compiles a dialect from the tree of a file into values and flat programs, and answers plain questions about
 * it.
 *
 * Invariants: 1. A dialect never changes once it is compiled; any thread may read it. 2. Everything it points
 * to lives in its arena. 3. No vendor's name is known here: a vendor is a file.
 *
 * Failure: compile leaves nothing allocated and says line, key and what. */
#include "base/alloc.h"
#include "core/dialect_parts.h"
#include "core/guard.h"
#include "core/jsonpath/payload.h"

static const char *const shape_names[TH_SHAPE_COUNT] = {"endpoint", "endpoint_created", "endpoint_list",
                                                        "delivery", "delivery_page",    "error"};

static void at_key(struct th_where *w, const char *key)
{
    th_where_leave(w, 0);
    th_where_enter(w, th_str(key));
}

static void fill_rules(const struct dl_spec *s, struct th_rules *r)
{
    r->delays = (uint8_t)s->retry.delay_count;
    for (unsigned i = 0; i < s->retry.delay_count; i++)
        r->delay_s[i] = s->retry.delays[i];
    r->jitter_percent = (uint8_t)s->retry.jitter_percent;
    r->success = s->success;
    r->final = s->retry.final;
    r->disable = s->disable.statuses;
    r->retry_after = s->retry.after.statuses;
    r->retry_after_max_s = s->retry.after.max_seconds;
    r->own_delays = (uint8_t)s->retry.own.max_delays;
    r->own_s = s->retry.own.max_seconds;
    r->degraded_after = (uint8_t)s->exhausted.degraded_after;
    r->disable_after_exhausted = s->disable.exhausted;
    r->disable_after_s = s->disable.seconds;
    r->drop_while_disabled = s->disable.meanwhile == 2;
    r->timeout_s = s->timeout.total;
    r->timeout_min_s = s->timeout.min ? s->timeout.min : s->timeout.total;
    r->timeout_max_s = s->timeout.max ? s->timeout.max : s->timeout.total;
    r->connect_timeout_s = s->timeout.connect;
    r->timeout_fractions = s->timeout.fractions;
}

static void fill_secret(const struct dl_spec *s, struct th_dialect_values *v)
{
    uint64_t seconds;

    v->secret_source = (enum th_secret_source)(s->secret.source - 1);
    v->secret_read = (enum th_secret_read)(s->secret.readable - 1);
    v->secrets_max_active = (uint8_t)s->secret.active;
    v->secrets_all_sign = s->secret.signing == 1;
    v->overlap_s = th_span_u64(s->secret.overlap.s, 31536000, &seconds) ? (int64_t)seconds : -1;
}

static void fill_id(const struct dl_id *from, struct th_span *prefix, enum th_id_form *form)
{
    *prefix = from->prefix.s;
    *form = (enum th_id_form)(from->form - 1);
}

static void fill_values(struct th_dialect *d)
{
    const struct dl_spec *s = &d->spec;
    struct th_dialect_values *v = &d->values;

    v->content_type = s->request.content_type.s;
    v->body_max = s->body.max_bytes;
    v->ecmascript = s->body.json == 2;
    v->form = s->body.format == 2;
    v->batch_plain = s->ordering.elements == 2;
    v->https = (enum th_https)(s->endpoint.https - 1);
    v->star_allowed = s->endpoint.star;
    v->prefix_allowed = s->endpoint.prefix;
    v->empty_means_all = s->endpoint.empty_means_all;
    v->events_required = s->endpoint.events_required;
    v->consent = s->endpoint.consent;
    v->catalogue_closed = s->catalogue.closed;
    v->type_characters = s->catalogue.characters.s.p ? s->catalogue.characters.s : th_span("", 0);
    v->metadata_max = s->endpoint.metadata_max;
    fill_id(&s->id_event, &v->id_event.prefix, &v->id_event.form);
    fill_id(&s->id_endpoint, &v->id_endpoint.prefix, &v->id_endpoint.form);
    fill_id(&s->id_delivery, &v->id_delivery.prefix, &v->id_delivery.form);
    v->validation_status = s->api.validation_status;
    v->ignore_unknown_fields = s->api.unknown_fields == 2;
    v->exhausted_event = s->exhausted.event.s;
    for (unsigned i = 0; i < s->endpoint.option_count; i++)
        v->options_default |= s->endpoint.options[i].on ? 1u << i : 0;
    v->create_status = s->api.create_status;
    v->test_status = s->api.test_status;
    v->foreign_status = s->api.foreign_status;
    v->problem_by_accept = s->api.problem_by_accept;
    v->faults_by_field = s->api.faults == 2;
    v->paging = (enum th_paging)(s->api.paging - 1);
    v->page_size = s->api.page_size;
    v->page_size_max = s->api.page_size_max;
    v->log_attempts = s->api.rows == 2;
    d->oldest_first = s->secret.order == 2;
    fill_rules(s, &v->rules);
    fill_secret(s, v);
}

static bool compile_shapes(struct th_where *w, struct th_dialect *d)
{
    const struct dl_spec *s = &d->spec;
    const struct th_node *envelope = s->body.envelope.node, *named[TH_SHAPE_COUNT];
    struct th_shape_context c = {.place = TH_IN_ENVELOPE, .ecmascript = d->values.ecmascript};

    at_key(w, "body.envelope");
    if (envelope->kind == TH_NODE_SCALAR) {
        if (!th_span_is(envelope->text, "passthrough"))
            return th_where_fail(w, envelope->line, "must be a shape, or passthrough");
    } else if (!th_shape_compile(w, &c, envelope, &d->envelope)) {
        return false;
    }
    for (unsigned i = 0; i < TH_SHAPE_COUNT; i++)
        named[i] = s->api.shapes[i].node;
    c = (struct th_shape_context){.place = TH_IN_API,
                                  .names = shape_names,
                                  .named = named,
                                  .named_count = TH_SHAPE_COUNT,
                                  .created = DL_CREATED};
    for (unsigned i = 0; i < TH_SHAPE_COUNT; i++) {
        at_key(w, "api.shapes");
        th_where_enter(w, th_str(shape_names[i]));
        if (named[i] && !th_shape_compile(w, &c, named[i], &d->shapes[i]))
            return false;
    }
    return true;
}

/* The JSON text of body.template, which makes the body where there is one. */
static bool compile_template(struct th_where *w, struct th_dialect *d)
{
    const struct dl_text *text = &d->spec.body.template;
    struct th_payload_fault fault;
    struct th_json_error where;
    struct th_json root;
    enum th_error error;

    at_key(w, "body.template");
    if (!text->s.n)
        return true;
    if (d->envelope.count)
        return th_where_fail(w, text->line,
                             "takes the place of the envelope, which must be passthrough then");
    if (text->s.n > TH_PAYLOAD_BYTES)
        return th_where_fail(w, text->line, "has more than %d bytes", TH_PAYLOAD_BYTES);
    if (th_json_parse(text->s, TH_JSON_DEPTH, &root, &where))
        return th_where_fail(w, text->line, "is no JSON: byte %zu: %s", where.offset, where.what);
    error = th_payload_compile(root, &d->arena, &d->payload, &fault);
    if (error == TH_MALFORMED)
        return th_where_fail(w, text->line, "%s: %s", fault.pointer[0] ? fault.pointer : "/", fault.what);
    return error ? th_where_fail_nomem(w) : true;
}

/* The nodes are the loader's; nothing may point there once compile has returned. */
static void forget_nodes(struct dl_spec *s)
{
    s->body.envelope.node = NULL;
    for (unsigned i = 0; i < TH_SHAPE_COUNT; i++)
        s->api.shapes[i].node = NULL;
}

static bool compile(struct th_where *w, struct th_dialect *d)
{
    if (!th_dialect_read_spec(w, w->root, &d->spec) || !th_dialect_check_spec(w, &d->spec))
        return false;
    fill_values(d);
    th_where_leave(w, 0);
    return th_dialect_head_compile(w, d, w->root) && compile_shapes(w, d) && compile_template(w, d) &&
           th_dialect_check_compiled(w, d);
}

enum th_error th_dialect_compile(struct th_span name, const struct th_node *root, struct th_dialect **out,
                                 struct th_compile_error *error)
{
    struct th_where w = {.error = error, .root = root};
    struct th_dialect *d = th_calloc(1, sizeof *d);

    *error = (struct th_compile_error){.line = 0};
    if (!d) {
        th_where_fail_nomem(&w);
        return TH_NOMEM;
    }
    th_arena_init(&d->arena, DL_ARENA_MAX);
    w.arena = &d->arena;
    d->values.name = th_where_copy(&w, name);
    if (d->values.name.p)
        compile(&w, d);
    if (w.code) {
        th_dialect_free(d);
        return w.code;
    }
    forget_nodes(&d->spec);
    *out = d;
    return TH_OK;
}

void th_dialect_free(struct th_dialect *d)
{
    if (!d)
        return;
    th_arena_fini(&d->arena);
    th_free(d);
}

void th_dialect_show(const struct th_dialect *d, struct th_jw *w)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("name"));
    th_jw_string(w, d->values.name);
    th_dialect_show_spec(&d->spec, w);
    th_jw_end_object(w);
}

const struct th_dialect_values *th_dialect_values(const struct th_dialect *d)
{
    return &d->values;
}

const struct th_span *th_dialect_owned_headers(const struct th_dialect *d, unsigned *count)
{
    *count = d->owned_count;
    return d->owned;
}

struct th_span th_dialect_about(const struct th_dialect *d)
{
    return d->spec.about.s;
}

struct th_span th_dialect_method(const struct th_dialect *d)
{
    return d->spec.request.method.s;
}

/* ---- catalogue ---- */

bool th_dialect_type(const struct th_dialect *d, unsigned i, struct th_span *type, struct th_span *resource,
                     struct th_span *sample)
{
    const struct dl_type *t = &d->spec.catalogue.types[i];

    if (i >= d->spec.catalogue.type_count)
        return false;
    *type = t->type.s;
    *resource = t->resource.s;
    *sample = t->sample.s;
    return true;
}

static const struct dl_type *find_type(const struct th_dialect *d, struct th_span type)
{
    for (unsigned i = 0; i < d->spec.catalogue.type_count; i++)
        if (th_span_eq(type, d->spec.catalogue.types[i].type.s))
            return &d->spec.catalogue.types[i];
    return NULL;
}

bool th_dialect_type_ok(const struct th_dialect *d, struct th_span type, bool pattern)
{
    struct th_span more = d->values.type_characters;

    if (pattern && th_span_is(type, "*"))
        return true;
    if (pattern && type.n > 2 && th_span_starts(type, TH_LIT("*.")))
        return th_event_type_form(th_span(type.p + 2, type.n - 2), more);
    if (pattern && type.n > 2 && type.p[type.n - 1] == '*' && type.p[type.n - 2] == '.')
        return th_event_type_form(th_span(type.p, type.n - 2), more);
    return th_event_type_form(type, more);
}

bool th_dialect_type_known(const struct th_dialect *d, struct th_span type)
{
    return !d->values.catalogue_closed || find_type(d, type) ||
           (d->values.exhausted_event.n && th_span_eq(type, d->values.exhausted_event));
}

struct th_span th_dialect_resource(const struct th_dialect *d, struct th_span type)
{
    const struct dl_type *t = find_type(d, type);

    if (t && t->resource.s.n)
        return t->resource.s;
    for (unsigned i = 0; i < d->spec.catalogue.resource_count; i++)
        if (th_span_starts(type, d->spec.catalogue.resources[i].key.s))
            return d->spec.catalogue.resources[i].value.s;
    return th_span("", 0);
}

struct th_span th_dialect_sample(const struct th_dialect *d, struct th_span type)
{
    const struct dl_type *t = find_type(d, type);

    return t ? t->sample.s : TH_LIT("{}");
}

/* ---- options and fields ---- */

uint32_t th_dialect_option(const struct th_dialect *d, struct th_span name)
{
    for (unsigned i = 0; i < d->spec.endpoint.option_count; i++)
        if (th_span_eq(name, d->spec.endpoint.options[i].name.s))
            return 1u << i;
    return 0;
}

bool th_dialect_option_at(const struct th_dialect *d, unsigned i, struct th_span *name)
{
    if (i >= d->spec.endpoint.option_count)
        return false;
    *name = d->spec.endpoint.options[i].name.s;
    return true;
}

static bool can_create_with(const struct th_dialect *d, struct th_span wire_name)
{
    for (unsigned i = 0; i < d->spec.api.create_field_count; i++)
        if (th_span_eq(wire_name, d->spec.api.create_fields[i].name.s))
            return true;
    return d->spec.api.create_field_count == 0;
}

/* A native name that the dialect calls otherwise is no field of it; every other name stands for itself. */
struct th_span th_dialect_request_field(const struct th_dialect *d, struct th_span wire_name, bool creating)
{
    if (creating && !can_create_with(d, wire_name))
        return th_span("", 0);
    for (unsigned i = 0; i < d->spec.api.field_count; i++)
        if (th_span_eq(wire_name, d->spec.api.fields[i].key.s))
            return d->spec.api.fields[i].value.s;
    for (unsigned i = 0; i < d->spec.api.field_count; i++)
        if (th_span_eq(wire_name, d->spec.api.fields[i].value.s))
            return th_span("", 0);
    return wire_name;
}

struct th_span th_dialect_wire_field(const struct th_dialect *d, struct th_span native)
{
    for (unsigned i = 0; i < d->spec.api.field_count; i++)
        if (th_span_eq(native, d->spec.api.fields[i].value.s))
            return d->spec.api.fields[i].key.s;
    return native;
}

enum th_error th_dialect_receiver_set(struct th_dialect *d, struct th_span text)
{
    return th_arena_copy(&d->arena, text, &d->values.receiver) ? TH_OK : TH_NOMEM;
}
