/* From JSON to an endpoint's settings, for creation and for JSON Merge Patch (RFC 7396).
 *
 * One table serves both. Absent members keep the base's value (or the default for a new endpoint); null
 * resets to the default; `metadata` and `headers` are merged member by member. The base is copied into the
 * request's arena first, because the engine's object may be replaced before the change is made. The engine
 * judges what needs the dialect's rules (URL, types, header names, secret). */
#include "api/webhook_spec.h"
#include "api/authentication.h"
#include "api/channels.h"
#include "api/decode.h"
#include "api/endpoint_tls.h"
#include "api/fault.h"
#include "api/ordering.h"
#include "api/request.h"
#include "core/jsonpath/payload.h"
#include "core/rules.h"
#include "engine/engine.h"
#include "net/idn.h"
#include "net/tls_common.h"

#define MAX_METADATA_MEMBERS 1000 /* the dialect's limit is far lower; this bounds the search for doubles */

enum {
    F_URL,
    F_URL_SECRET,
    F_EVENTS,
    F_ACTIVE,
    F_DESCRIPTION,
    F_METADATA,
    F_HEADERS,
    F_TIMEOUT,
    F_IN_FLIGHT,
    F_RATE,
    F_VARIANT,
    F_OPTIONS,
    F_FILTER,
    F_TEMPLATE,
    F_CHANNELS,
    F_RETRY,
    F_REENABLE,
    F_ORDERING,
    F_VERSION,
    F_METHOD,
    F_FORMAT,
    F_TRACE,
    F_AUTHENTICATION,
    F_TLS,
    F_SOURCE,
    F_SECRET,
    F_PREVIOUS,
    F_PREVIOUS_END,
    F_COUNT
};

static const struct th_api_field spec_fields[F_COUNT] = {
    {"url", TH_T_STRING, false, false, 2048, 0, 0},
    {"url_secret", TH_T_BOOL, false, true, 0, 0, 0},
    {"events", TH_T_STRINGS, false, true, TH_MAX_SUBSCRIPTIONS, 0, 0},
    {"active", TH_T_BOOL, false, true, 0, 0, 0},
    {"description", TH_T_STRING, false, true, 4096, 0, 0},
    {"metadata", TH_T_OBJECT, false, true, 0, 0, 0},
    {"headers", TH_T_OBJECT, false, true, 0, 0, 0},
    {"timeout_seconds", TH_T_NUMBER, false, true, 0, 0, 0}, /* the dialect decides about range and form */
    {"max_in_flight", TH_T_INTEGER, false, true, 0, 1, 1000},
    {"rate_limit_per_second", TH_T_NUMBER, false, true, 0, 0, 0},
    {"signature_variant", TH_T_STRING, false, true, 64, 0, 0},
    {"options", TH_T_OBJECT, false, true, 0, 0, 0},
    {"filter", TH_T_STRING, false, true, TH_JSONPATH_BYTES, 0, 0},
    {"template", TH_T_ANY, false, true, 0, 0, 0},
    {"channels", TH_T_STRINGS, false, true, TH_MAX_CHANNELS, 0, 0},
    {"retry", TH_T_OBJECT, false, true, 0, 0, 0},
    {"reenable", TH_T_STRING, false, true, 64, 0, 0},
    {"ordering", TH_T_OBJECT, false, true, 0, 0, 0},
    {"payload_version", TH_T_STRING, false, true, 10, 0, 0},
    {"method", TH_T_STRING, false, true, 16, 0, 0},
    {"body_format", TH_T_STRING, false, true, 16, 0, 0},
    {"trace_context", TH_T_STRING, false, true, 16, 0, 0},
    {"authentication", TH_T_OBJECT, false, true, 0, 0, 0},
    {"tls", TH_T_OBJECT, false, true, 0, 0, 0},
    {"source_address", TH_T_STRING, false, true, 64, 0, 0},
    {"secret", TH_T_STRING, false, true, 1024, 0, 0},
    {"previous_secret", TH_T_STRING, false, true, 1024, 0, 0},
    {"previous_expires_at", TH_T_TIME, false, true, 0, 0, 0},
};

static struct th_span pointer_to(struct th_api_req *r, int field)
{
    return th_api_fault_pointer(r, TH_LIT(""), th_api_decode_wire(r, th_str(spec_fields[field].name)));
}

/* ---- the base ---- */

static bool copy_spec(struct th_api_req *r, const struct th_endpoint_spec *from, struct th_endpoint_spec *to)
{
    struct th_span *events;
    struct th_header *headers;
    bool ok;

    *to = *from;
    events = th_arena_get(&r->mem, (from->event_count + 1) * sizeof *events);
    headers = th_arena_get(&r->mem, (from->header_count + 1) * sizeof *headers);
    ok = events && headers && th_arena_copy(&r->mem, from->url, &to->url) &&
         th_arena_copy(&r->mem, from->description, &to->description) &&
         th_arena_copy(&r->mem, from->metadata, &to->metadata) &&
         th_arena_copy(&r->mem, from->variant, &to->variant) &&
         th_arena_copy(&r->mem, from->filter, &to->filter) &&
         th_arena_copy(&r->mem, from->payload, &to->payload) &&
         th_arena_copy(&r->mem, from->channels, &to->channels) &&
         th_arena_copy(&r->mem, from->ordering.key, &to->ordering.key);
    for (unsigned i = 0; ok && i < from->event_count; i++)
        ok = th_arena_copy(&r->mem, from->events[i], &events[i]);
    for (unsigned i = 0; ok && i < from->header_count; i++)
        ok = th_arena_copy(&r->mem, from->headers[i].name, &headers[i].name) &&
             th_arena_copy(&r->mem, from->headers[i].value, &headers[i].value);
    if (ok && from->retry) {
        struct th_retry_own *own = th_arena_get(&r->mem, sizeof *own);
        ok = own != NULL;
        if (own)
            *own = *from->retry;
        to->retry = own;
    }
    if (ok && from->reach) {
        to->reach = th_reach_copy(from->reach, &r->mem);
        ok = to->reach != NULL;
    }
    to->events = events;
    to->headers = headers;
    return ok;
}

/* ---- metadata: an object of scalars, written anew without white space ---- */

static bool has_member(struct th_json object, struct th_span name, struct th_json *value)
{
    return object.type == TH_JSON_OBJECT && th_json_member(object, name, value);
}

static const char *pair_fault(int field, struct th_json value, bool null_allowed)
{
    if (value.type == TH_JSON_STRING || (null_allowed && value.type == TH_JSON_NULL))
        return NULL;
    if (field == F_HEADERS)
        return "must be a string";
    return value.type == TH_JSON_NULL || value.type == TH_JSON_ARRAY || value.type == TH_JSON_OBJECT
               ? "must be a string, a number, true or false"
               : NULL;
}

/* Every value must be a scalar, and that of a header a string (null only in a merge, where it removes the
 * member); names may not repeat. */
static bool check_pairs(struct th_api_req *r, int field, struct th_json object, bool null_allowed)
{
    struct th_json_iter it;
    struct th_json key, value, first;
    unsigned n = 0;

    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        struct th_span name;
        const char *fault;
        if (!th_api_decode_string(r, key, &name))
            return false;
        if (++n > MAX_METADATA_MEMBERS) {
            th_api_fault(r, pointer_to(r, field), "has more than %d members", MAX_METADATA_MEMBERS);
            return true;
        }
        fault = pair_fault(field, value, null_allowed);
        if (fault)
            th_api_fault(r, th_api_fault_pointer(r, pointer_to(r, field), name), "%s, not %s", fault,
                         th_api_decode_type_name(value.type));
        else if (has_member(object, name, &first) && first.raw.p != value.raw.p)
            th_api_fault(r, th_api_fault_pointer(r, pointer_to(r, field), name), "is given twice");
    }
    return true;
}

static bool merge_metadata(struct th_api_req *r, struct th_json patch, struct th_span base,
                           struct th_span *out)
{
    struct th_json old = {TH_JSON_NULL, {0, 0}}, key, value, over;
    struct th_json_iter it;
    struct th_buf text;
    struct th_jw w;
    bool ok = true;

    th_buf_init(&text, 1u << 20);
    w = th_jw(&text);
    if (base.n && th_json_parse(base, TH_JSON_DEPTH, &old, NULL))
        old.type = TH_JSON_NULL;
    th_jw_object(&w);
    th_json_iter(&it, old);
    while (ok && th_json_next(&it, &key, &value)) {
        struct th_span name;
        ok = th_api_decode_string(r, key, &name);
        if (!ok || (has_member(patch, name, &over) && over.type == TH_JSON_NULL))
            continue;
        th_jw_key(&w, name);
        th_jw_raw(&w, has_member(patch, name, &over) ? over.raw : value.raw);
    }
    th_json_iter(&it, patch);
    while (ok && th_json_next(&it, &key, &value)) {
        struct th_span name;
        ok = th_api_decode_string(r, key, &name);
        if (!ok || value.type == TH_JSON_NULL || has_member(old, name, &over))
            continue;
        th_jw_key(&w, name);
        th_jw_raw(&w, value.raw);
    }
    th_jw_end_object(&w);
    if (text.failed == TH_TOO_LARGE)
        th_api_fault(r, pointer_to(r, F_METADATA), "is too large");
    else
        ok = ok && !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), out);
    th_buf_fini(&text);
    return ok;
}

/* ---- headers ---- */

static bool merge_headers(struct th_api_req *r, struct th_json patch, struct th_endpoint_spec *spec)
{
    struct th_json_iter it;
    struct th_json key, value;
    struct th_header *out;
    bool *removed;
    unsigned n = 0, given = 0;

    th_json_iter(&it, patch);
    while (th_json_next(&it, &key, &value))
        given++;
    if (given > 4 * TH_MAX_HEADERS) {
        th_api_fault(r, pointer_to(r, F_HEADERS), "has %u members, at most %d are allowed", given,
                     TH_MAX_HEADERS);
        return true;
    }
    out = th_arena_get(&r->mem, (spec->header_count + given + 1) * sizeof *out);
    removed = th_arena_get(&r->mem, (spec->header_count + given + 1) * sizeof *removed);
    if (!out || !removed)
        return false;
    for (unsigned i = 0; i < spec->header_count; i++)
        out[n++] = spec->headers[i];
    th_json_iter(&it, patch);
    while (th_json_next(&it, &key, &value)) {
        struct th_header h;
        unsigned at;
        if (!th_api_decode_string(r, key, &h.name))
            return false;
        for (at = 0; at < spec->header_count && !th_span_ieq(out[at].name, h.name); at++)
            ;
        if (value.type == TH_JSON_NULL) {
            if (at < spec->header_count)
                removed[at] = true;
            continue;
        }
        if (value.type != TH_JSON_STRING)
            continue; /* noted already */
        if (!th_api_decode_string(r, value, &h.value))
            return false;
        out[at < spec->header_count ? at : n] = h;
        n += at == spec->header_count;
    }
    spec->header_count = 0;
    for (unsigned i = 0; i < n; i++)
        if (!removed[i])
            out[spec->header_count++] = out[i];
    spec->headers = out;
    return true;
}

/* ---- options of the dialect ---- */

static bool merge_options(struct th_api_req *r, struct th_json object, uint32_t *options)
{
    struct th_json_iter it;
    struct th_json key, value;

    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        struct th_span name, pointer;
        uint32_t bit;
        bool on = false;
        if (!th_api_decode_string(r, key, &name))
            return false;
        pointer = th_api_fault_pointer(r, pointer_to(r, F_OPTIONS), name);
        bit = th_dialect_option(r->dialect, name);
        if (!bit)
            th_api_fault(r, pointer, "is not an option of this dialect");
        else if (value.type != TH_JSON_NULL && !th_json_bool(value, &on))
            th_api_fault(r, pointer, "must be true or false, not %s", th_api_decode_type_name(value.type));
        else
            *options = on ? *options | bit : *options & ~bit;
    }
    return true;
}

/* ---- all together ---- */

static bool given(const struct th_api_value *v, int field)
{
    return v[field].present && !v[field].null && !v[field].bad;
}

/* Seconds; fractions only where the dialect's own API has a number here, not an integer. */
static void apply_timeout(struct th_api_req *r, const struct th_api_value *v, const struct th_rules *rules,
                          struct th_endpoint_spec *s)
{
    s->timeout_ms = 0;
    if (v->null || v->bad)
        return;
    if (v->number < rules->timeout_min_s || v->number > rules->timeout_max_s)
        th_api_fault(r, pointer_to(r, F_TIMEOUT),
                     rules->timeout_min_s < rules->timeout_max_s ? "must be from %u to %u"
                                                                 : "is always %u in this dialect",
                     rules->timeout_min_s, rules->timeout_max_s);
    else if (!rules->timeout_fractions && v->number != (double)(uint32_t)v->number)
        th_api_fault(r, pointer_to(r, F_TIMEOUT), "must be an integer");
    else
        s->timeout_ms = (uint32_t)(v->number * 1000 + 0.5);
}

/* Converts an international host name to the form that goes out; a fault in it is added to the errors. */
static struct th_span ascii_url(struct th_api_req *r, struct th_span url)
{
    struct th_buf out;
    const char *why;

    th_buf_init(&out, 8192);
    if (th_idn_url(url, &out, &why)) {
        if (why)
            th_api_fault(r, pointer_to(r, F_URL), "%s", why);
        else if (!th_arena_copy(&r->mem, th_buf_view(&out), &url))
            th_api_fault(r, pointer_to(r, F_URL), "cannot be converted: out of memory");
    }
    th_buf_fini(&out);
    return url;
}

/* How the body is sent, and in which version of its data. */
static void apply_wire(struct th_api_req *r, const struct th_api_value *v, struct th_endpoint_spec *s)
{
    if (v[F_METHOD].present) {
        s->method = TH_METHOD_DIALECT;
        if (given(v, F_METHOD) && !th_method_read(v[F_METHOD].text, &s->method))
            th_api_fault(r, pointer_to(r, F_METHOD),
                         "must be \"POST\", \"PUT\" or \"PATCH\"; null: the dialect's");
    }
    if (v[F_FORMAT].present) {
        s->form = given(v, F_FORMAT) && th_span_is(v[F_FORMAT].text, "form");
        if (given(v, F_FORMAT) && !s->form && !th_span_is(v[F_FORMAT].text, "json"))
            th_api_fault(r, pointer_to(r, F_FORMAT), "must be \"json\" or \"form\"");
    }
    if (v[F_TRACE].present) {
        bool on = given(v, F_TRACE) && th_span_is(v[F_TRACE].text, "on");
        bool off = given(v, F_TRACE) && th_span_is(v[F_TRACE].text, "off");
        s->pass_trace = on ? TH_PASS_TRACE_ON : off ? TH_PASS_TRACE_OFF : TH_PASS_TRACE_DEFAULT;
        if (given(v, F_TRACE) && !on && !off)
            th_api_fault(r, pointer_to(r, F_TRACE),
                         "must be \"on\" or \"off\"; null: as the server's option traces.pass_on says");
    }
    if (v[F_VERSION].present) {
        s->data_version = 0;
        if (given(v, F_VERSION) && !th_version_read(v[F_VERSION].text, &s->data_version))
            th_api_fault(r, pointer_to(r, F_VERSION),
                         "must be a version: a date such as \"2026-03-01\", or a whole number such as \"2\"; "
                         "null: the newest");
    }
}

static void apply_plain(struct th_api_req *r, const struct th_api_value *v, struct th_change *c)
{
    struct th_endpoint_spec *s = &c->endpoint_put.spec;
    const struct th_rules *rules = &th_dialect_values(r->dialect)->rules;

    if (v[F_URL].present)
        s->url = ascii_url(r, v[F_URL].text);
    if (v[F_URL_SECRET].present)
        s->url_secret = v[F_URL_SECRET].null ? TH_URL_BY_NAME
                        : v[F_URL_SECRET].i  ? TH_URL_SECRET
                                             : TH_URL_OPEN;
    if (v[F_EVENTS].present) {
        s->events = v[F_EVENTS].strings;
        s->event_count = v[F_EVENTS].count;
    }
    if (v[F_ACTIVE].present) {
        s->active = v[F_ACTIVE].null || v[F_ACTIVE].i;
        c->endpoint_put.clear_disabled = s->active;
    }
    if (v[F_DESCRIPTION].present) {
        s->has_description = !v[F_DESCRIPTION].null;
        s->description = v[F_DESCRIPTION].text;
    }
    if (v[F_TIMEOUT].present)
        apply_timeout(r, &v[F_TIMEOUT], rules, s);
    if (v[F_IN_FLIGHT].present)
        s->max_in_flight = (uint32_t)v[F_IN_FLIGHT].i;
    if (v[F_RATE].present) {
        s->rate_per_s = v[F_RATE].number;
        if (given(v, F_RATE) && !(v[F_RATE].number > 0))
            th_api_fault(r, pointer_to(r, F_RATE), "must be greater than 0, or null for no limit");
    }
    if (v[F_VARIANT].present)
        s->variant = v[F_VARIANT].text;
    apply_wire(r, v, s);
    if (v[F_FILTER].present) {
        s->filter = v[F_FILTER].text;
        if (given(v, F_FILTER) && !s->filter.n)
            th_api_fault(r, pointer_to(r, F_FILTER), "must not be empty; null takes the filter away");
    }
    if (v[F_REENABLE].present) {
        s->reenable_on_test = given(v, F_REENABLE) && th_span_is(v[F_REENABLE].text, "on_test");
        if (given(v, F_REENABLE) && !s->reenable_on_test && !th_span_is(v[F_REENABLE].text, "by_hand"))
            th_api_fault(r, pointer_to(r, F_REENABLE), "must be by_hand or on_test");
    }
    if (given(v, F_SECRET) && v[F_SECRET].text.n == 0)
        th_api_fault(r, pointer_to(r, F_SECRET), "must not be empty");
    c->endpoint_put.secret = v[F_SECRET].text;
    for (int f = F_PREVIOUS; f <= F_PREVIOUS_END; f++)
        if (v[f].present && !c->endpoint_put.moved)
            th_api_fault(r, pointer_to(r, f), "is only for endpoints that are moved (moved=true)");
    c->endpoint_put.previous = v[F_PREVIOUS].text;
    c->endpoint_put.previous_until = v[F_PREVIOUS_END].i;
}

/* Merged member by member into what the endpoint has. */
static bool take_retry(struct th_api_req *r, const struct th_api_value *v, struct th_endpoint_spec *s)
{
    struct th_retry_own *own;
    struct th_retry_fault fault;
    struct th_span pointer = pointer_to(r, F_RETRY);
    char at[128];
    int n;

    if (v->null)
        s->retry = NULL;
    if (v->null || v->bad)
        return true;
    own = th_arena_get(&r->mem, sizeof *own);
    if (!own)
        return false;
    *own = s->retry ? *s->retry : (struct th_retry_own){.delays = 0};
    if (th_retry_own_read(v->json, own, &fault)) {
        n = snprintf(at, sizeof at, "%.*s%s", (int)(pointer.n < 64 ? pointer.n : 64), pointer.p,
                     fault.pointer);
        th_api_fault(r, th_span(at, (size_t)n), "%s", fault.what);
    }
    s->retry = th_retry_own_any(own) ? own : NULL;
    return true;
}

/* How it is reached, in memory of the request. */
static bool take_reach(struct th_api_req *r, const struct th_api_value *v, struct th_endpoint_spec *s)
{
    struct th_reach *reach = th_arena_get(&r->mem, sizeof *reach);

    if (!reach)
        return false;
    *reach = s->reach ? *s->reach : (struct th_reach){.auth = {.kind = TH_AUTH_NONE}};
    if (v[F_AUTHENTICATION].null)
        reach->auth = (struct th_auth){.kind = TH_AUTH_NONE};
    if (given(v, F_AUTHENTICATION) && v[F_AUTHENTICATION].json.type == TH_JSON_OBJECT &&
        !th_api_authentication_read(r, pointer_to(r, F_AUTHENTICATION), v[F_AUTHENTICATION].json,
                                    &reach->auth))
        return false;
    if (v[F_TLS].null)
        reach->tls = (struct th_own_tls){.expires_ms = 0};
    if (given(v, F_TLS) && v[F_TLS].json.type == TH_JSON_OBJECT &&
        !th_api_endpoint_tls_read(r, pointer_to(r, F_TLS), v[F_TLS].json, &reach->tls))
        return false;
    if (v[F_SOURCE].present)
        reach->source = given(v, F_SOURCE) ? v[F_SOURCE].text : TH_LIT("");
    if (given(v, F_SOURCE) && !v[F_SOURCE].text.n)
        th_api_fault(r, pointer_to(r, F_SOURCE), "must not be empty; null: any");
    s->reach = th_reach_any(reach) ? reach : NULL;
    return true;
}

/* Without white space: as it is exported, and shown. */
static bool take_template(struct th_api_req *r, struct th_json v, struct th_span *out)
{
    struct th_buf text;
    bool ok;

    *out = TH_LIT("");
    if (v.type == TH_JSON_NULL)
        return true;
    th_buf_init(&text, 1u << 20);
    th_payload_squeeze(v, &text);
    if (text.failed == TH_TOO_LARGE) {
        th_api_fault(r, pointer_to(r, F_TEMPLATE), "is too large");
        ok = true;
    } else {
        ok = !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), out);
    }
    th_buf_fini(&text);
    return ok;
}

static bool apply_objects(struct th_api_req *r, const struct th_api_value *v, bool merge, struct th_change *c)
{
    struct th_endpoint_spec *s = &c->endpoint_put.spec;

    if (v[F_CHANNELS].present &&
        !th_api_channels_read(r, pointer_to(r, F_CHANNELS), &v[F_CHANNELS], &s->channels))
        return false;
    if (v[F_RETRY].present && !take_retry(r, &v[F_RETRY], s))
        return false;
    if ((v[F_AUTHENTICATION].present || v[F_TLS].present || v[F_SOURCE].present) && !take_reach(r, v, s))
        return false;
    if (v[F_TEMPLATE].present && !take_template(r, v[F_TEMPLATE].json, &s->payload))
        return false;
    if (v[F_ORDERING].null)
        s->ordering = (struct th_ordering){.by = TH_ORDER_NONE};
    if (given(v, F_ORDERING) && v[F_ORDERING].json.type == TH_JSON_OBJECT &&
        !th_api_ordering_read(r, pointer_to(r, F_ORDERING), v[F_ORDERING].json, &s->ordering))
        return false;
    if (v[F_METADATA].null)
        s->metadata = TH_LIT("");
    if (v[F_HEADERS].null)
        s->header_count = 0;
    if (v[F_OPTIONS].null)
        s->options = th_dialect_values(r->dialect)->options_default;
    if (given(v, F_METADATA) && v[F_METADATA].json.type == TH_JSON_OBJECT)
        if (!check_pairs(r, F_METADATA, v[F_METADATA].json, merge) ||
            !merge_metadata(r, v[F_METADATA].json, s->metadata, &s->metadata))
            return false;
    if (given(v, F_HEADERS) && v[F_HEADERS].json.type == TH_JSON_OBJECT)
        if (!check_pairs(r, F_HEADERS, v[F_HEADERS].json, merge) || !merge_headers(r, v[F_HEADERS].json, s))
            return false;
    if (given(v, F_OPTIONS) && v[F_OPTIONS].json.type == TH_JSON_OBJECT)
        return merge_options(r, v[F_OPTIONS].json, &s->options);
    return true;
}

bool th_api_webhook_spec(struct th_api_req *r, const struct th_endpoint_spec *base, struct th_change *c)
{
    const struct th_dialect_values *values = th_dialect_values(r->dialect);
    struct th_api_value v[F_COUNT];

    c->endpoint_put.spec =
        (struct th_endpoint_spec){.active = true, .url = TH_LIT(""), .options = values->options_default};
    if (base && !copy_spec(r, base, &c->endpoint_put.spec))
        return false;
    if (!th_api_decode(r, r->body, TH_LIT(""), spec_fields, F_COUNT, r->shaped, v))
        return false;
    if (r->body.type != TH_JSON_OBJECT) /* the fault has been noted already */
        return true;
    if (!base && !v[F_URL].present)
        th_api_fault(r, pointer_to(r, F_URL), "is required");
    if (!base && values->events_required && !v[F_EVENTS].present)
        th_api_fault(r, pointer_to(r, F_EVENTS), "is required");
    apply_plain(r, v, c);
    if (!apply_objects(r, v, base != NULL, c))
        return false;
    if (base) {
        if (v[F_SECRET].present && !values->ignore_unknown_fields)
            th_api_fault(r, pointer_to(r, F_SECRET), "is changed with POST .../rotate-secret");
        c->endpoint_put.secret = TH_LIT("");
    }
    return true;
}
