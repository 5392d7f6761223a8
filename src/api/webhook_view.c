/* Writes endpoints into answers: one source of native fields, used for the native form and for the shapes of
 * dialects.
 *
 * Values of custom headers, and path and query of a URL that is secret, are shown only to keys that may read secrets;
 * others see "***". The secret appears only in the answer to the creation. */
#include "api/webhook_view.h"
#include "api/authentication.h"
#include "api/channels.h"
#include "api/endpoint_tls.h"
#include "api/list.h"
#include "api/member.h"
#include "api/ordering.h"
#include "api/request.h"
#include "api/state.h"
#include "base/arena.h"
#include "core/guard.h"
#include "engine/engine.h"
#include "net/idn.h"

/* The native form, in its order. */
static const enum th_field native[] = {
    TH_A_ID,
    TH_A_URL,
    TH_A_URL_UNICODE,
    TH_A_URL_SECRET,
    TH_A_EVENTS,
    TH_A_ACTIVE,
    TH_A_DESCRIPTION,
    TH_A_METADATA,
    TH_A_HEADERS,
    TH_A_OPTIONS,
    TH_A_FILTER,
    TH_A_TEMPLATE,
    TH_A_CHANNELS,
    TH_A_RETRY,
    TH_A_REENABLE,
    TH_A_ORDERING,
    TH_A_PAYLOAD_VERSION,
    TH_A_METHOD,
    TH_A_BODY_FORMAT,
    TH_A_TRACE_CONTEXT,
    TH_A_AUTHENTICATION,
    TH_A_TLS,
    TH_A_SOURCE_ADDRESS,
    TH_A_CLIENT_CERTIFICATE,
    TH_A_TIMEOUT_SECONDS,
    TH_A_MAX_IN_FLIGHT,
    TH_A_RATE_LIMIT_PER_SECOND,
    TH_A_SIGNATURE_VARIANT,
    TH_A_CREATED_AT,
    TH_A_UPDATED_AT,
    TH_A_DISABLED,
    TH_A_CONSENT,
    TH_A_SECRET_TEXT,
};

void th_api_webhook_url(struct th_jw *w, const struct th_endpoint *ep, bool whole)
{
    struct th_buf masked;

    if (whole || !th_mask_url_is_secret(&ep->spec)) {
        th_jw_string(w, ep->spec.url);
        return;
    }
    th_buf_init(&masked, 4096);
    th_url_mask(ep->spec.url, &masked);
    th_jw_string(w, th_buf_view(&masked));
    if (masked.failed)
        w->out->failed = masked.failed;
    th_buf_fini(&masked);
}

/* Reads events, headers, description and metadata, which for some endpoints are only in the store, once for
 * all their fields. If that fails there is no answer with the endpoint. */
static const struct th_endpoint_spec *texts_of(struct th_api_list *l, const struct th_endpoint *ep,
                                               struct th_jw *w)
{
    enum th_error error;

    if (!ep->spec.text_rev)
        return &ep->spec;
    if (l->whole_of == ep)
        return &l->whole;
    th_api_list_fini(l);
    th_arena_init(&l->texts, 1u << 20);
    error = th_engine_spec(l->r->api->engine, ep, &l->texts, &l->whole);
    if (error) {
        l->whole.event_count = l->whole.header_count = 0;
        w->out->failed = error;
        return &l->whole;
    }
    l->whole_of = ep;
    return &l->whole;
}

static bool write_headers(const struct th_api_list *l, const struct th_endpoint_spec *s, struct th_jw *w)
{
    th_jw_object(w);
    for (unsigned i = 0; i < s->header_count; i++) {
        th_jw_key(w, s->headers[i].name);
        th_jw_string(w, l->values ? s->headers[i].value : TH_LIT("***"));
    }
    th_jw_end_object(w);
    return true;
}

static bool write_events(const struct th_endpoint_spec *s, struct th_jw *w)
{
    th_jw_array(w);
    for (unsigned i = 0; i < s->event_count; i++)
        th_jw_string(w, s->events[i]);
    th_jw_end_array(w);
    return true;
}

static bool write_disabled(const struct th_endpoint *ep, struct th_jw *w)
{
    if (!ep->disabled_at.ms) {
        th_jw_null(w);
        return true;
    }
    th_jw_object(w);
    th_api_member_time(w, "at", ep->disabled_at.ms);
    th_api_member_str(w, "reason", ep->disabled_reason);
    th_jw_end_object(w);
    return true;
}

static const char *const consents[] = {
    [TH_CONSENT_PENDING] = "pending", [TH_CONSENT_ALLOWED] = "allowed", [TH_CONSENT_REFUSED] = "refused"};

bool th_api_webhook_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w)
{
    struct th_consent c;

    if (!th_engine_consent(e, ep, &c))
        return false;
    th_jw_object(w);
    th_api_member_str(w, "state", th_str(consents[c.state]));
    th_api_member_time(w, "at", c.at.ms);
    th_jw_key(w, TH_LIT("reason"));
    if (c.reason[0])
        th_jw_string(w, th_str(c.reason));
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("rate_per_minute"));
    if (c.rate)
        th_jw_u64(w, c.rate);
    else
        th_jw_null(w);
    th_jw_end_object(w);
    return true;
}

static bool write_rate(const struct th_endpoint *ep, struct th_jw *w)
{
    if (!(ep->spec.rate_per_s > 0))
        th_jw_null(w);
    else {
        th_jw_raw(w, TH_LIT(""));
        th_buf_printf(w->out, "%.10g", ep->spec.rate_per_s);
    }
    return true;
}

static bool write_timeout(const struct th_endpoint *ep, struct th_jw *w)
{
    uint32_t ms = ep->spec.timeout_ms;

    if (!ms)
        ms = th_dialect_values(ep->tenant->dialect)->rules.timeout_s * 1000;
    th_jw_raw(w, TH_LIT(""));
    th_buf_printf(w->out, "%.10g", ms / 1000.0);
    return true;
}

static bool write_variant(const struct th_endpoint *ep, struct th_jw *w)
{
    const struct th_dialect_values *v = th_dialect_values(ep->tenant->dialect);

    if (ep->spec.variant.n)
        th_jw_string(w, ep->spec.variant);
    else if (v->variant_count)
        th_jw_string(w, v->variants[0]);
    else
        th_jw_null(w);
    return true;
}

static bool write_id(const struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    th_jw_raw(w, TH_LIT("\""));
    th_engine_endpoint_id(l->r->api->engine, ep, w->out);
    th_buf_char(w->out, '"');
    return true;
}

/* Only endpoints of dialects that have options show them. */
static bool write_options(const struct th_endpoint *ep, struct th_jw *w)
{
    struct th_span name;
    bool any = false;

    for (unsigned i = 0; th_dialect_option_at(ep->tenant->dialect, i, &name); i++) {
        if (!any)
            th_jw_object(w);
        any = true;
        th_jw_key(w, name);
        th_jw_bool(w, (ep->spec.options & th_dialect_option(ep->tenant->dialect, name)) != 0);
    }
    if (any)
        th_jw_end_object(w);
    return any;
}

/* Besides the form that goes out, the one that people write, but only where the two differ. */
static bool write_unicode(const struct th_endpoint *ep, bool whole, struct th_jw *w)
{
    struct th_buf url, shown;
    bool differs;

    th_buf_init(&url, 4096);
    th_buf_init(&shown, 16384);
    if (whole || !th_mask_url_is_secret(&ep->spec))
        th_buf_span(&url, ep->spec.url);
    else
        th_url_mask(ep->spec.url, &url);
    differs = th_idn_show(th_buf_view(&url), &shown);
    if (differs)
        th_jw_string(w, th_buf_view(&shown));
    th_buf_fini(&url);
    th_buf_fini(&shown);
    return differs;
}

static bool write_description(struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.has_description)
        th_jw_string(w, texts_of(l, ep, w)->description);
    else
        th_jw_null(w);
    return true;
}

static bool write_metadata(struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    struct th_span metadata = texts_of(l, ep, w)->metadata;

    th_jw_raw(w, metadata.n ? metadata : TH_LIT("{}"));
    return true;
}

static bool write_filter(struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.has_filter)
        th_jw_string(w, texts_of(l, ep, w)->filter);
    return ep->spec.has_filter;
}

static bool write_template(struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.has_template)
        th_jw_raw(w, texts_of(l, ep, w)->payload);
    return ep->spec.has_template;
}

static bool write_version(const struct th_endpoint *ep, struct th_jw *w)
{
    struct th_buf text;

    if (!ep->spec.data_version)
        return false;
    th_buf_init(&text, 16);
    th_version_write(ep->spec.data_version, &text);
    th_jw_string(w, th_buf_view(&text));
    th_buf_fini(&text);
    return true;
}

static bool write_channels(const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.channels.n)
        th_api_channels_write(w, ep->spec.channels);
    return ep->spec.channels.n > 0;
}

static bool write_retry(const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.retry)
        th_retry_own_write(ep->spec.retry, w);
    return ep->spec.retry != NULL;
}

static bool write_ordering(const struct th_endpoint *ep, struct th_jw *w)
{
    if (ep->spec.ordering.by)
        th_api_ordering_write(w, &ep->spec.ordering);
    return ep->spec.ordering.by;
}

static bool write_authentication(const struct th_api_list *l, const struct th_endpoint *ep, struct th_jw *w)
{
    if (!ep->spec.reach || !ep->spec.reach->auth.kind)
        return false;
    th_api_authentication_write(w, &ep->spec.reach->auth, l->secrets);
    return true;
}

static bool write_secret(const struct th_api_list *l, struct th_jw *w)
{
    if (l->secret.n)
        th_jw_string(w, l->secret);
    return l->secret.n > 0;
}

static bool write_true(bool yes, struct th_jw *w)
{
    if (yes)
        th_jw_bool(w, true);
    return yes;
}

static bool write_bool(bool v, struct th_jw *w)
{
    th_jw_bool(w, v);
    return true;
}

static bool write_wall(struct th_wall t, struct th_jw *w)
{
    th_api_member_wall(w->out, t.ms);
    return true;
}

static bool write_max_in_flight(const struct th_endpoint *ep, struct th_jw *w)
{
    th_jw_u64(w, ep->spec.max_in_flight ? ep->spec.max_in_flight : 16);
    return true;
}

static bool write_field(struct th_api_list *l, const struct th_endpoint *ep, enum th_field field,
                        struct th_jw *w)
{
    switch (field) {
    case TH_A_ID:
        return write_id(l, ep, w);
    case TH_A_URL:
        th_api_webhook_url(w, ep, l->values);
        return true;
    case TH_A_URL_UNICODE:
        return write_unicode(ep, l->values, w);
    case TH_A_URL_SECRET:
        return write_true(th_mask_url_is_secret(&ep->spec), w);
    case TH_A_EVENTS:
        return write_events(texts_of(l, ep, w), w);
    case TH_A_ACTIVE:
        return write_bool(ep->spec.active, w);
    case TH_A_ENABLED:
        return write_bool(ep->spec.active && !ep->disabled_at.ms, w);
    case TH_A_DESCRIPTION:
        return write_description(l, ep, w);
    case TH_A_METADATA:
        return write_metadata(l, ep, w);
    case TH_A_HEADERS:
        return write_headers(l, texts_of(l, ep, w), w);
    case TH_A_OPTIONS:
        return write_options(ep, w);
    case TH_A_FILTER:
        return write_filter(l, ep, w);
    case TH_A_TEMPLATE:
        return write_template(l, ep, w);
    case TH_A_CHANNELS:
        return write_channels(ep, w);
    case TH_A_RETRY:
        return write_retry(ep, w);
    case TH_A_REENABLE:
        if (ep->spec.reenable_on_test)
            th_jw_string(w, TH_LIT("on_test"));
        return ep->spec.reenable_on_test;
    case TH_A_ORDERING:
        return write_ordering(ep, w);
    case TH_A_METHOD:
        if (ep->spec.method)
            th_jw_string(w, th_method_name(NULL, ep->spec.method));
        return ep->spec.method != TH_METHOD_DIALECT;
    case TH_A_BODY_FORMAT:
        if (ep->spec.form)
            th_jw_string(w, TH_LIT("form"));
        return ep->spec.form;
    case TH_A_TRACE_CONTEXT:
        if (ep->spec.pass_trace)
            th_jw_string(w, ep->spec.pass_trace == TH_PASS_TRACE_ON ? TH_LIT("on") : TH_LIT("off"));
        return ep->spec.pass_trace != TH_PASS_TRACE_DEFAULT;
    case TH_A_TLS:
        if (th_reach_tls(ep->spec.reach))
            th_api_endpoint_tls_write(w, &ep->spec.reach->tls, l->secrets);
        return th_reach_tls(ep->spec.reach);
    case TH_A_SOURCE_ADDRESS:
        if (ep->spec.reach && ep->spec.reach->source.n)
            th_jw_string(w, ep->spec.reach->source);
        return ep->spec.reach && ep->spec.reach->source.n;
    case TH_A_CLIENT_CERTIFICATE:
        if (ep->spec.reach && ep->spec.reach->tls.expires_ms)
            th_api_endpoint_tls_facts(w, &ep->spec.reach->tls);
        return ep->spec.reach && ep->spec.reach->tls.expires_ms;
    case TH_A_AUTHENTICATION:
        return write_authentication(l, ep, w);
    case TH_A_PAYLOAD_VERSION:
        return write_version(ep, w);
    case TH_A_TIMEOUT_SECONDS:
        return write_timeout(ep, w);
    case TH_A_MAX_IN_FLIGHT:
        return write_max_in_flight(ep, w);
    case TH_A_RATE_LIMIT_PER_SECOND:
        return write_rate(ep, w);
    case TH_A_SIGNATURE_VARIANT:
        return write_variant(ep, w);
    case TH_A_CREATED_AT:
        return write_wall(ep->created, w);
    case TH_A_UPDATED_AT:
        return write_wall(ep->updated, w);
    case TH_A_DISABLED:
        return write_disabled(ep, w);
    case TH_A_CONSENT:
        return th_api_webhook_consent(l->r->api->engine, ep, w);
    case TH_A_SECRET_TEXT:
        return write_secret(l, w);
    default:
        return false;
    }
}

static bool endpoint_field(void *ctx, enum th_field field, unsigned i, struct th_buf *out)
{
    struct th_api_list *l = ctx;
    struct th_jw w = th_jw(out);

    return i < l->count && l->endpoints[i] && write_field(l, l->endpoints[i], field, &w);
}

static void endpoint_native(struct th_jw *w, struct th_api_list *l, unsigned i)
{
    struct th_buf value;

    th_buf_init(&value, 1u << 20);
    th_jw_object(w);
    if (l->r->all_tenants)
        th_api_member_str(w, "tenant", l->endpoints[i]->tenant->id);
    for (size_t k = 0; k < sizeof native / sizeof native[0]; k++) {
        th_buf_reset(&value);
        if (endpoint_field(l, native[k], i, &value)) {
            th_jw_key(w, th_str(th_field_name(native[k])));
            th_jw_raw(w, th_buf_view(&value));
        }
        if (value.failed)
            w->out->failed = value.failed;
    }
    th_jw_end_object(w);
    th_buf_wipe(&value);
}

static unsigned list_count(void *ctx, enum th_field_list list)
{
    const struct th_api_list *l = ctx;

    (void)list;
    return l->count;
}

void th_api_webhook_show(struct th_api_req *r, struct th_endpoint *ep, struct th_span secret, bool created,
                         struct th_buf *out)
{
    struct th_endpoint *one[1] = {ep};
    struct th_api_list l = {.r = r,
                            .endpoints = one,
                            .count = 1,
                            .secret = secret,
                            .values = th_api_request_may(r, TH_SCOPE_MANAGE),
                            .secrets = th_api_request_may_secrets(r)};
    struct th_shape_source source = {endpoint_field, list_count, &l, NULL};
    enum th_shape_id id = created && th_api_request_shaped(r, TH_SHAPE_ENDPOINT_CREATED)
                              ? TH_SHAPE_ENDPOINT_CREATED
                              : TH_SHAPE_ENDPOINT;

    if (th_api_request_shaped(r, id)) {
        if (th_dialect_shape(r->dialect, id, &source, out) && !out->failed)
            out->failed = TH_NOMEM;
    } else {
        struct th_jw w = th_jw(out);
        endpoint_native(&w, &l, 0);
    }
    th_api_list_fini(&l);
}

bool th_api_webhook_list_shape(struct th_api_list *l, struct th_buf *out)
{
    struct th_shape_source source = {endpoint_field, list_count, l, th_api_list_stop};

    if (!th_api_request_shaped(l->r, TH_SHAPE_ENDPOINT_LIST))
        return false;
    if (th_dialect_shape(l->r->dialect, TH_SHAPE_ENDPOINT_LIST, &source, out) && !out->failed)
        out->failed = TH_NOMEM;
    return true;
}
