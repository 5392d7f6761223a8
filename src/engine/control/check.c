/* What a user may set of an endpoint: every rule of the dialect and of the guard that can be judged from the text. */
#include "engine/control/check.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/settings/limits.h"
#include "engine/settings/settings.h"
#include "engine/shard/report.h"
#include "engine/state.h"
#include <stdio.h>

static void refuse(struct th_change *c, const char *field, const char *detail)
{
    struct th_field_error *err;

    if (c->error_count == TH_MAX_FIELD_ERRORS)
        return;
    err = &c->errors[c->error_count++];
    snprintf(err->field, sizeof err->field, "%s", field);
    snprintf(err->detail, sizeof err->detail, "%s", detail);
}

/* The host's address is judged, too, if it is written as one. *url stays valid as long as `text`. False: refused. */
static bool check_address(struct th_engine *e, struct th_change *c, const char *field, struct th_span text,
                          struct th_url *url)
{
    const char *why = "is not a valid URL";
    char denied[192];
    enum th_error error = th_guard_url(e->options.guard, text, url, &why);

    /* an address has a noun for its reason ("a private address"), all else a sentence */
    if (error == TH_DENIED && url->literal) {
        snprintf(denied, sizeof denied, "the host is %s, which is not allowed%s", why,
                 th_report_denied_advice(e, why));
        why = denied;
    }
    if (error)
        refuse(c, field, why);
    return !error;
}

static void check_url(struct th_engine *e, const struct th_dialect_values *v, struct th_change *c,
                      struct th_url *url)
{
    bool https = th_https_required(e, v);

    if (c->endpoint_put.spec.url.n == 0) {
        refuse(c, "url", "is required");
        return;
    }
    if (th_url_is_masked(c->endpoint_put.spec.url)) {
        refuse(c, "url", "is one that was masked when it was shown; give it whole");
        return;
    }
    if (!check_address(e, c, "url", c->endpoint_put.spec.url, url))
        return;
    if (https && !url->tls)
        refuse(c, "url", v->https == TH_HTTPS_ALWAYS ? "must use https" : "must use https in production");
}

static const char *event_problem(const struct th_dialect *d, struct th_span type)
{
    const struct th_dialect_values *v = th_dialect_values(d);

    if (th_span_is(type, "*"))
        return v->star_allowed      ? NULL
               : v->empty_means_all ? "\"*\" is not allowed; name the types, or leave the list empty for all"
                                    : "\"*\" is not allowed; name the types";
    if (type.n > 2 && (type.p[type.n - 1] == '*' || type.p[0] == '*'))
        return v->prefix_allowed && th_dialect_type_ok(d, type, true)
                   ? NULL
                   : "a pattern such as \"invoice.*\" or \"*.paid\" is not allowed here";
    if (!th_dialect_type_ok(d, type, false))
        return "is not an event type: letters, digits, \"_\" and \"-\" joined by \".\", at most 128 bytes";
    if (v->exhausted_event.n && th_span_eq(type, v->exhausted_event))
        return NULL;
    if (v->catalogue_closed && !th_dialect_type_known(d, type))
        return "is not an event type of this catalogue";
    return NULL;
}

static void check_events(const struct th_dialect *d, struct th_change *c)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    char field[32];

    if (c->endpoint_put.spec.event_count == 0 && (v->events_required || !v->empty_means_all))
        refuse(c, "events", "names no event type; at least one is required");
    if (c->endpoint_put.spec.event_count > TH_MAX_SUBSCRIPTIONS) {
        refuse(c, "events", "has more than 256 entries");
        return;
    }
    for (unsigned i = 0; i < c->endpoint_put.spec.event_count; i++) {
        const char *problem = event_problem(d, c->endpoint_put.spec.events[i]);
        snprintf(field, sizeof field, "events/%u", i);
        if (problem)
            refuse(c, field, problem);
    }
}

/* What an endpoint has above the limit it may keep, and change as long as it does not grow. */
static void check_header_bytes(struct th_engine *e, const struct th_tenant *t, struct th_change *c)
{
    const struct th_endpoint *ep = th_engine_endpoint_no(e, c->endpoint);
    int64_t allowed = th_engine_allowed(e, t, TH_L_HEADER_BYTES);
    int64_t n = (int64_t)th_limit_header_bytes(&c->endpoint_put.spec);
    char text[160];

    if (!allowed || n <= allowed || (ep && n <= (int64_t)th_limit_header_bytes_of(ep)))
        return;
    snprintf(text, sizeof text,
             "have %lld bytes of names and values; the limit \"%s\" of this tenant allows %lld", (long long)n,
             th_limit_name(TH_L_HEADER_BYTES), (long long)allowed);
    refuse(c, "headers", text);
}

static void check_headers(const struct th_dialect *d, struct th_change *c)
{
    unsigned owned_count;
    const struct th_span *owned = th_dialect_owned_headers(d, &owned_count);
    const struct th_header *h = c->endpoint_put.spec.headers;
    char field[64];

    if (c->endpoint_put.spec.header_count > TH_MAX_HEADERS) {
        refuse(c, "headers", "has more than 32 entries");
        return;
    }
    for (unsigned i = 0; i < c->endpoint_put.spec.header_count; i++) {
        const char *why = NULL;
        snprintf(field, sizeof field, "headers/%.*s", (int)(h[i].name.n < 48 ? h[i].name.n : 48),
                 h[i].name.p);
        if (th_guard_header(h[i].name, h[i].value, owned, owned_count, &why))
            refuse(c, field, why);
        for (unsigned k = 0; k < i; k++)
            if (th_span_ieq(h[k].name, h[i].name))
                refuse(c, field, "is given twice (names are compared without case)");
    }
}

static void check_metadata(const struct th_dialect_values *v, struct th_change *c)
{
    uint32_t max = v->metadata_max ? v->metadata_max : 50, n = 0;
    struct th_json root, key, value;
    struct th_json_iter it;
    char text[80];

    if (c->endpoint_put.spec.metadata.n == 0)
        return;
    if (c->endpoint_put.spec.metadata.n > 16384 ||
        th_json_parse(c->endpoint_put.spec.metadata, 8, &root, NULL) || root.type != TH_JSON_OBJECT) {
        refuse(c, "metadata", "must be a JSON object of at most 16 KiB");
        return;
    }
    th_json_iter(&it, root);
    while (th_json_next(&it, &key, &value))
        n++;
    if (n > max) {
        snprintf(text, sizeof text, "has %u pairs; at most %u are allowed", n, max);
        refuse(c, "metadata", text);
    }
}

static void check_numbers(const struct th_dialect_values *v, struct th_change *c)
{
    const struct th_rules *r = &v->rules;
    char text[96];
    bool known = c->endpoint_put.spec.variant.n == 0;

    if (c->endpoint_put.spec.timeout_ms && (c->endpoint_put.spec.timeout_ms < r->timeout_min_s * 1000 ||
                                            c->endpoint_put.spec.timeout_ms > r->timeout_max_s * 1000)) {
        snprintf(text, sizeof text, "must be %u to %u seconds", r->timeout_min_s, r->timeout_max_s);
        refuse(c, "timeout_seconds", text);
    }
    if (c->endpoint_put.spec.max_in_flight > 1000)
        refuse(c, "max_in_flight", "must be 1 to 1000");
    if (!(c->endpoint_put.spec.rate_per_s >= 0 && c->endpoint_put.spec.rate_per_s <= 100000) ||
        (c->endpoint_put.spec.rate_per_s > 0 && c->endpoint_put.spec.rate_per_s < 0.001))
        refuse(c, "rate_limit_per_second", "must be null or 0.001 to 100000");
    for (unsigned i = 0; i < v->variant_count; i++)
        known = known || th_span_eq(v->variants[i], c->endpoint_put.spec.variant);
    if (!known)
        refuse(c, "signature_variant", "is not a variant of this dialect's signature");
    if (c->endpoint_put.spec.description.n > 4096)
        refuse(c, "description", "is longer than 4096 bytes");
}

static void check_filter(struct th_change *c)
{
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    struct th_arena mem;
    char text[192];

    if (c->endpoint_put.spec.filter.n == 0)
        return;
    th_arena_init(&mem, TH_JSONPATH_COMPILED);
    if (th_jsonpath_compile(c->endpoint_put.spec.filter, &mem, &q, &fault) == TH_MALFORMED) {
        snprintf(text, sizeof text, "character %u: %s", fault.at, fault.what);
        refuse(c, "filter", text);
    }
    th_arena_fini(&mem);
}

static void check_ordering(const struct th_dialect *d, struct th_change *c)
{
    const struct th_endpoint_spec *spec = &c->endpoint_put.spec;
    const struct th_ordering *o = &spec->ordering;
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    struct th_arena mem;
    enum th_error error;
    char text[192];

    if (o->by && o->batch > 1 && (spec->form || th_dialect_values(d)->form))
        refuse(c, "ordering/batch", "is for bodies of JSON: this endpoint's are forms");
    if (o->by != TH_ORDER_KEY)
        return;
    th_arena_init(&mem, TH_JSONPATH_COMPILED);
    error = th_jsonpath_compile(o->key, &mem, &q, &fault);
    if (error == TH_MALFORMED) {
        snprintf(text, sizeof text, "character %u: %s", fault.at, fault.what);
        refuse(c, "ordering/key", text);
    } else if (!error && !th_jsonpath_is_singular(q)) {
        refuse(c, "ordering/key",
               "could find several values in an event; use names and indexes alone, such as $.data.order_id");
    }
    th_arena_fini(&mem);
}

static void check_template(struct th_change *c)
{
    struct th_payload_fault fault;
    const struct th_payload *p;
    struct th_json root;
    struct th_arena mem;
    char field[192];

    if (c->endpoint_put.spec.payload.n == 0)
        return;
    th_arena_init(&mem, 2 * TH_PAYLOAD_COMPILED);
    if (th_json_parse(c->endpoint_put.spec.payload, TH_JSON_DEPTH, &root, NULL)) {
        refuse(c, "template", "is no JSON");
    } else if (th_payload_compile(root, &mem, &p, &fault) == TH_MALFORMED) {
        snprintf(field, sizeof field, "template%.160s", fault.pointer);
        refuse(c, field, fault.what);
    }
    th_arena_fini(&mem);
}

static bool in_headers(const struct th_endpoint_spec *spec, struct th_span name)
{
    for (unsigned i = 0; i < spec->header_count; i++)
        if (th_span_ieq(spec->headers[i].name, name))
            return true;
    return false;
}

/* Its header is judged as one that the user sets. */
static void check_authentication(const struct th_dialect *d, struct th_change *c)
{
    const struct th_endpoint_spec *spec = &c->endpoint_put.spec;
    const struct th_auth *auth = spec->reach ? &spec->reach->auth : NULL;
    unsigned owned_count;
    const struct th_span *owned = th_dialect_owned_headers(d, &owned_count);
    const char *field, *why = NULL;

    if (!auth || !auth->kind)
        return;
    field = auth->kind == TH_AUTH_API_KEY ? "authentication/header" : "authentication";
    if (th_guard_header(th_auth_header(auth), TH_LIT("x"), owned, owned_count, &why))
        refuse(c, field,
               auth->kind != TH_AUTH_API_KEY ? "needs the header Authorization, which the dialect sets"
                                             : why);
    else if (in_headers(spec, th_auth_header(auth)))
        refuse(c, field, "sets a header that stands in the endpoint's headers, too: take it away there");
    if (auth->kind == TH_AUTH_API_KEY &&
        th_guard_header(TH_LIT("X-Key"), auth->secret, NULL, 0, &why) == TH_INVALID)
        refuse(c, "authentication/value", why);
}

/* Of a token's server: a second address that a tenant chooses, judged as the first. */
static void check_token_url(struct th_engine *e, const struct th_dialect_values *v, struct th_change *c)
{
    const struct th_reach *reach = c->endpoint_put.spec.reach;
    struct th_url url;

    if (!reach || reach->auth.kind != TH_AUTH_OAUTH2)
        return;
    if (check_address(e, c, "authentication/token_url", reach->auth.token_url, &url) &&
        th_https_required(e, v) && !url.tls)
        refuse(c, "authentication/token_url", "must use https, as it gets the client's secret");
}

static void check_own_tls(struct th_change *c)
{
    struct th_url url;
    const char *why;

    if (th_reach_tls(c->endpoint_put.spec.reach) && !th_url_parse(c->endpoint_put.spec.url, &url, &why) &&
        !url.tls)
        refuse(c, "tls", "is only for https, and the URL is http");
}

/* Only from an address that the operator offers. The one that it has is kept, whatever the configuration says by now. */
static void check_source(const struct th_engine *e, const struct th_endpoint *old, struct th_change *c)
{
    const struct th_reach *reach = c->endpoint_put.spec.reach;
    char text[sizeof c->errors[0].detail];
    size_t n;

    if (!reach || !reach->source.n || th_engine_source(e, reach->source) ||
        (old && old->run->spec.reach && th_span_eq(old->run->spec.reach->source, reach->source)))
        return;
    n = (size_t)snprintf(text, sizeof text, "there is no source address of this name");
    for (unsigned i = 0; i < e->options.source_count && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i ? ", " : "; there are ",
                              (int)e->options.sources[i].name.n, e->options.sources[i].name.p);
    refuse(c, "source_address", text);
}

static void check_retry(const struct th_rules *rules, struct th_change *c)
{
    struct th_retry_fault fault;
    char field[64];

    if (!c->endpoint_put.spec.retry || !th_retry_own_check(rules, c->endpoint_put.spec.retry, &fault))
        return;
    snprintf(field, sizeof field, "retry%s", fault.pointer);
    refuse(c, field, fault.what);
}

unsigned th_check_variant(const struct th_dialect_values *v, struct th_span name)
{
    for (unsigned i = 0; i < v->variant_count; i++)
        if (th_span_eq(v->variants[i], name))
            return i;
    return 0;
}

struct fitting {
    const struct th_dialect *d;
    unsigned variant;
    bool ok;
};

static void fits(void *ctx, struct th_span secret, struct th_wall created, int64_t until)
{
    struct fitting *f = ctx;
    const char *why;

    (void)created;
    (void)until;
    f->ok = f->ok && !th_dialect_secret_check_for(f->d, f->variant, secret, &why);
}

/* Another variant can need another form of secret: the endpoint's own must fit it. */
static void check_variant_change(struct th_engine *e, const struct th_dialect *d, struct th_change *c)
{
    const struct th_endpoint *ep = th_engine_endpoint_no(e, c->endpoint);
    struct fitting f = {
        .d = d, .variant = th_check_variant(th_dialect_values(d), c->endpoint_put.spec.variant), .ok = true};

    if (!ep || ep->run->variant == f.variant)
        return;
    if (!th_engine_secrets(e, ep, fits, &f) || !f.ok)
        refuse(c, "signature_variant",
               "needs a secret of another form than this endpoint has: rotate its secret with this "
               "signature_variant "
               "(POST .../rotate-secret)");
}

static void check_secret(struct th_engine *e, const struct th_dialect *d, struct th_change *c)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    const struct th_endpoint *ep =
        c->kind == TH_CHANGE_SECRET_ROTATE ? th_engine_endpoint_no(e, c->endpoint) : NULL;
    struct th_span secret = th_change_secret_given(c);
    unsigned variant = !ep                   ? th_check_variant(v, c->endpoint_put.spec.variant)
                       : c->rotate.variant.n ? th_check_variant(v, c->rotate.variant)
                                             : ep->run->variant;
    const char *why = "is not allowed";

    if (c->kind == TH_CHANGE_ENDPOINT_SET) {
        check_variant_change(e, d, c);
        return;
    }
    if (secret.n == 0) {
        if (v->secret_source == TH_SECRET_CUSTOMER && c->kind != TH_CHANGE_SECRET_ROTATE)
            refuse(c, "secret", "is required");
    } else if (v->secret_source == TH_SECRET_GENERATED && (ep || !c->endpoint_put.moved)) {
        refuse(c, "secret", "is generated here and cannot be given");
    } else if (v->secret_source == TH_SECRET_GENERATED) {
        if (th_dialect_secret_check_moved(d, secret, &why))
            refuse(c, "secret", why);
    } else if (th_dialect_secret_check_for(d, variant, secret, &why)) {
        refuse(c, "secret", why);
    }
}

/* Of an endpoint that is moved while it had two. It may be of another variant than the newest. */
static void check_previous(const struct th_dialect *d, struct th_change *c)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    const char *why = "is not allowed";

    if (!c->endpoint_put.previous.n)
        return;
    if (!c->endpoint_put.secret.n)
        refuse(c, "previous_secret", "needs the newest one beside it, as secret");
    else if (v->secrets_max_active == 1)
        refuse(c, "previous_secret", "this dialect has one active secret only");
    else if (v->secret_source == TH_SECRET_GENERATED
                 ? th_dialect_secret_check_moved(d, c->endpoint_put.previous, &why)
                 : th_dialect_secret_check(d, c->endpoint_put.previous, &why))
        refuse(c, "previous_secret", why);
}

static bool check_rotation(struct th_engine *e, const struct th_dialect *d, struct th_change *c)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_span variant = c->rotate.variant;

    if (variant.n && !th_span_eq(v->variants[th_check_variant(v, variant)], variant))
        refuse(c, "signature_variant", "is not a variant of this dialect's signature");
    else
        check_secret(e, d, c);
    return c->error_count == 0;
}

/* Fills c->errors; true when there are none. *url is the parsed URL then. */
bool th_check_spec(struct th_engine *e, const struct th_tenant *t, struct th_change *c, struct th_url *url)
{
    const struct th_dialect *d = t->dialect;
    const struct th_dialect_values *v;

    if (c->kind == TH_CHANGE_SECRET_ROTATE)
        return check_rotation(e, d, c);
    if (c->endpoint_put.check_as)
        d = c->endpoint_put.check_as;
    v = th_dialect_values(d);
    check_secret(e, d, c);
    check_previous(d, c);
    check_url(e, v, c, url);
    check_events(d, c);
    check_headers(d, c);
    check_header_bytes(e, t, c);
    check_metadata(v, c);
    check_numbers(v, c);
    check_filter(c);
    check_retry(&v->rules, c);
    check_ordering(d, c);
    check_template(c);
    check_authentication(d, c);
    check_token_url(e, v, c);
    check_own_tls(c);
    check_source(e, th_engine_endpoint_no(e, c->endpoint), c);
    return c->error_count == 0;
}
