/* What Tenterhook itself reports: events to the reserved tenant "operator", and, where the dialect promises it, to the
 * tenant's own endpoints that list the type by name. Never about the operator's own deliveries, so nothing loops. */
#include "engine/shard/operator.h"
#include "base/alloc.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/state.h"
#include <stdio.h>

static void member(struct th_jw *w, const char *key, struct th_span value)
{
    th_jw_key(w, th_str(key));
    th_jw_string(w, value);
}

static void member_time(struct th_jw *w, const char *key, struct th_wall at)
{
    struct th_buf b;

    th_buf_init(&b, 64);
    th_wall_format(&b, at, TH_RFC3339_MILLIS);
    member(w, key, th_buf_view(&b));
    th_buf_fini(&b);
}

/* The object that an event carries as its data; what tells it ends the object. */
static struct th_jw begin(struct th_buf *data)
{
    struct th_jw w;

    th_buf_init(data, 16384);
    w = th_jw(data);
    th_jw_object(&w);
    return w;
}

static bool is_operator(const struct th_tenant *t)
{
    return th_span_is(t->id, "operator");
}

/* Which endpoint. An event is stored and sent as it is, so a URL that is a secret is masked. */
static void members_of_endpoint(struct th_jw *w, const struct th_ep *ep)
{
    struct th_buf url;

    th_buf_init(&url, 4096);
    if (th_mask_url_is_secret(&ep->pub.spec))
        th_url_mask(ep->pub.spec.url, &url);
    else
        th_buf_span(&url, ep->pub.spec.url);
    member(w, "endpoint", ep->pub.run->id);
    member(w, "url", th_buf_view(&url));
    th_buf_fini(&url);
}

static void members_of(struct th_jw *w, const struct th_ep *ep)
{
    member(w, "tenant", ep->pub.tenant->id);
    members_of_endpoint(w, ep);
}

/* The event waits in a list until the engine publishes it, in this turn or the next (ingest.c). Without memory it is left out. */
static void tell(struct th_engine *e, struct th_span type, struct th_buf *data,
                 const struct th_endpoint *promised)
{
    struct th_notice *n = data->failed ? NULL : th_calloc(1, sizeof *n + type.n + data->n);

    if (n) {
        memcpy(n->bytes, type.p, type.n);
        memcpy(n->bytes + type.n, data->p, data->n);
        n->event.type = th_span(n->bytes, type.n);
        n->event.data = th_span(n->bytes + type.n, data->n);
        n->tenant = promised ? promised->tenant->no : 0;
        n->except = promised ? promised->no : 0;
        th_list_append(&e->notices, &n->link);
        e->more = true;
    }
    th_buf_fini(data);
}

static void tell_operator(struct th_engine *e, const char *type, struct th_buf *data)
{
    tell(e, th_str(type), data, NULL);
}

/* An event about an endpoint: to the operator ("endpoint.failing"), and under a name of its own ("webhook.endpoint_failing") to those
 * other endpoints of the tenant that list that by name. */
static struct th_jw begin_about(const struct th_ep *ep, bool for_operator, struct th_buf *data)
{
    struct th_jw w = begin(data);

    if (for_operator)
        member(&w, "tenant", ep->pub.tenant->id);
    members_of_endpoint(&w, ep);
    return w;
}

static void tell_about(struct th_engine *e, const struct th_ep *ep, const char *what, bool for_operator,
                       struct th_jw *w, struct th_buf *data)
{
    char type[64];
    int n = snprintf(type, sizeof type, for_operator ? "endpoint.%s" : "webhook.endpoint_%s", what);

    member_time(w, "at", e->now.wall);
    th_jw_end_object(w);
    tell(e, th_span(type, (size_t)n), data, for_operator ? NULL : &ep->pub);
}

void th_operator_endpoint(struct th_engine *e, const struct th_ep *ep, const char *what, const char *reason)
{
    struct th_buf data;
    struct th_jw w;

    for (int for_operator = 0; for_operator < 2 && !is_operator(ep->pub.tenant); for_operator++) {
        w = begin_about(ep, for_operator, &data);
        member(&w, "reason", th_str(reason));
        tell_about(e, ep, what, for_operator, &w, &data);
    }
}

static void members_of_rate(struct th_engine *e, const struct th_ep *ep, struct th_jw *w)
{
    uint32_t first, fail;

    th_trouble_window(&ep->trouble, e->now.mono, &first, &fail);
    th_jw_key(w, TH_LIT("first_attempts"));
    th_jw_u64(w, first);
    th_jw_key(w, TH_LIT("failed"));
    th_jw_u64(w, fail);
}

void th_operator_trouble(struct th_engine *e, const struct th_ep *ep, unsigned what)
{
    static const char *const words[] = {[TH_TROUBLE_RATE] = "failing",
                                        [TH_TROUBLE_SILENT] = "unreachable",
                                        [TH_TROUBLE_DISABLING] = "disabling"};
    int64_t when = th_trouble_disable_at(&th_dialect_values(ep->pub.tenant->dialect)->rules, &ep->pub.health);
    struct th_buf data;
    struct th_jw w;

    for (int for_operator = 0; for_operator < 2 && !is_operator(ep->pub.tenant); for_operator++) {
        w = begin_about(ep, for_operator, &data);
        members_of_rate(e, ep, &w);
        if (ep->pub.health.first_fail)
            member_time(&w, "failing_since", (struct th_wall){ep->pub.health.first_fail});
        if (when)
            member_time(&w, "disable_at", (struct th_wall){when});
        tell_about(e, ep, words[what], for_operator, &w, &data);
    }
}

void th_operator_sunset(struct th_engine *e, const struct th_ep *ep, const struct th_event_type *type,
                        const struct th_type_version *v)
{
    struct th_buf data, version;
    struct th_jw w;

    th_buf_init(&version, 16);
    th_version_write(v->version, &version);
    for (int for_operator = 0; for_operator < 2 && !is_operator(ep->pub.tenant); for_operator++) {
        w = begin_about(ep, for_operator, &data);
        member(&w, "event_type", type->name);
        member(&w, "version", th_buf_view(&version));
        member_time(&w, "sunset", (struct th_wall){v->sunset});
        tell_about(e, ep, "version_ending", for_operator, &w, &data);
    }
    th_buf_fini(&version);
}

void th_operator_certificate(struct th_engine *e, const struct th_ep *ep, struct th_wall end)
{
    struct th_buf data;
    struct th_jw w;

    for (int for_operator = 0; for_operator < 2 && !is_operator(ep->pub.tenant); for_operator++) {
        w = begin_about(ep, for_operator, &data);
        member(&w, "subject", ep->pub.spec.reach->tls.subject);
        member_time(&w, "expires_at", end);
        tell_about(e, ep, "certificate_expiring", for_operator, &w, &data);
    }
}

void th_operator_dropped(struct th_engine *e, const struct th_ep *ep, uint64_t count)
{
    struct th_buf data;
    struct th_jw w;

    if (is_operator(ep->pub.tenant))
        return;
    w = begin(&data);
    members_of(&w, ep);
    th_jw_key(&w, TH_LIT("count"));
    th_jw_u64(&w, count);
    member_time(&w, "at", e->now.wall);
    th_jw_end_object(&w);
    tell_operator(e, "deliveries.expired", &data);
}

void th_operator_limit(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t used,
                       int64_t allowed)
{
    struct th_buf data;
    struct th_jw w;

    if (is_operator(t))
        return;
    w = begin(&data);
    member(&w, "tenant", t->id);
    member(&w, "limit", th_str(th_limit_name(id)));
    th_jw_key(&w, TH_LIT("used"));
    th_jw_i64(&w, used);
    th_jw_key(&w, TH_LIT("allowed"));
    th_jw_i64(&w, allowed);
    member_time(&w, "at", e->now.wall);
    th_jw_end_object(&w);
    tell_operator(e, "tenant.limit_near", &data);
}

static void member_last(struct th_jw *w, const struct th_attempt *a)
{
    th_jw_key(w, TH_LIT("attempts"));
    th_jw_u64(w, a->settle.row.nth);
    th_jw_key(w, TH_LIT("last_status"));
    if (a->settle.row.status)
        th_jw_u64(w, a->settle.row.status);
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("last_error"));
    if (a->settle.row.class == TH_HTTP_OK)
        th_jw_null(w);
    else
        th_jw_string(w, th_str(th_http_class_name((enum th_http_class)a->settle.row.class)));
}

static void members_of_delivery(struct th_jw *w, const struct th_attempt *a)
{
    member(w, "tenant", a->ep->pub.tenant->id);
    member(w, "endpoint", a->run->id);
    member(w, "delivery", th_span(a->delivery_id, a->delivery_id_len));
    member(w, "event", a->event->id);
    member(w, "event_type", a->event->row.type);
}

static void to_operator(struct th_engine *e, const struct th_attempt *a, struct th_span type,
                        const struct th_wall *first)
{
    struct th_buf data;
    struct th_jw w;

    w = begin(&data);
    members_of_delivery(&w, a);
    member_last(&w, a);
    if (first)
        member_time(&w, "first_attempt_at", *first);
    member_time(&w, "last_attempt_at", a->settle.row.at);
    th_jw_end_object(&w);
    tell(e, type, &data, NULL);
}

/* The customer's own event, where the dialect promises one: times in unix seconds, the ids that the customer knows. The
 * operator gets it too, with the tenant beside. */
static void promised(struct th_engine *e, const struct th_attempt *a, struct th_span type,
                     struct th_wall first, bool for_operator)
{
    struct th_buf data;
    struct th_jw w;

    w = begin(&data);
    if (for_operator)
        member(&w, "tenant", a->ep->pub.tenant->id);
    member(&w, "webhook_id", a->run->id);
    member(&w, "delivery_id", a->event->id);
    member(&w, "event_type", a->event->row.type);
    member_last(&w, a);
    th_jw_key(&w, TH_LIT("first_attempt_at"));
    th_jw_i64(&w, first.ms / 1000);
    th_jw_key(&w, TH_LIT("last_attempt_at"));
    th_jw_i64(&w, a->settle.row.at.ms / 1000);
    th_jw_end_object(&w);
    tell(e, type, &data, for_operator ? NULL : &a->ep->pub);
}

void th_operator_delivery_failed(struct th_engine *e, const struct th_attempt *a, struct th_wall first)
{
    const struct th_tenant *t = a->ep->pub.tenant;
    struct th_span own = th_dialect_values(t->dialect)->exhausted_event;

    if (is_operator(t) || t->deleting)
        return;
    to_operator(e, a, TH_LIT("delivery.failed"), &first);
    if (!own.n || th_span_eq(own, a->event->row.type))
        return;
    promised(e, a, own, first, false);
    promised(e, a, own, first, true);
}

void th_operator_delivery_expired(struct th_engine *e, const struct th_attempt *a)
{
    struct th_buf data;
    struct th_jw w;

    if (is_operator(a->ep->pub.tenant) || a->ep->pub.tenant->deleting)
        return;
    w = begin(&data);
    members_of_delivery(&w, a);
    th_jw_key(&w, TH_LIT("attempts"));
    th_jw_u64(&w, a->verdict == TH_V_EXPIRED ? a->settle.row.nth : a->row.attempts);
    member_time(&w, "expires_at", (struct th_wall){a->event->row.more.expires_at});
    th_jw_end_object(&w);
    tell_operator(e, "delivery.expired", &data);
}

void th_operator_delivery_degraded(struct th_engine *e, const struct th_attempt *a)
{
    if (!is_operator(a->ep->pub.tenant))
        to_operator(e, a, TH_LIT("delivery.degraded"), NULL);
}
