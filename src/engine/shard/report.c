/* Writes deliveries to the log and to the metrics: each attempt at `debug`, a delivery that failed for good
 * and an endpoint that stops or begins to answer at `info` and above. All lines name delivery, event,
 * endpoint and tenant by the ids of the API. No line has a URL (its path may hold a token) or a part of a
 * body.
 *
 * A dead endpoint of a dialect without retries could fill the disk: at most REPORTS_A_SECOND deliveries are named, and the
 * next line says how many were left out.
 *
 * The address of a refused name is only in the log, because a tenant that could read it could explore a
 * network that is not its own. The tenant reads only the kind of address. */
#include "engine/shard/report.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/state.h"
#include <stdio.h>

#define REPORTS_A_SECOND 100

static const char *state_after(const struct th_attempt *a)
{
    switch (a->verdict) {
    case TH_V_DELIVERED:
        return "delivered";
    case TH_V_AGAIN:
        return "retrying";
    default:
        return "failed";
    }
}

void th_report_attempt(const struct th_attempt *a)
{
    const struct th_attempt_row *row = &a->settle.row;

    if (!th_log_wants(TH_LOG_DEBUG))
        return;
    th_log(TH_LOG_DEBUG, "attempt", TH_KS("delivery", th_span(a->delivery_id, a->delivery_id_len)),
           TH_KS("event", a->event->id), TH_KS("type", a->event->row.type), TH_KS("endpoint", a->run->id),
           TH_KS("tenant", a->ep->pub.tenant->id), TH_KI("attempt", row->nth),
           TH_KI("test", a->row.lane == TH_LANE_TEST),
           TH_KC("outcome", th_outcome_name((enum th_http_class)row->class, row->ok)),
           TH_KI("status", row->status), TH_KS("detail", row->detail),
           TH_KI("duration_ms", row->us[4] / 1000), TH_KC("state", state_after(a)),
           TH_KI("retry_in_s", a->verdict == TH_V_AGAIN ? (a->settle.due.ms - a->e->now.wall.ms) / 1000 : 0));
}

/* Whether one more line about a delivery that failed may be written in this second. */
static bool may_report(struct th_engine *e)
{
    if (e->now.mono.us >= e->reports_until.us) {
        e->reports_until.us = e->now.mono.us + 1000000;
        e->reports = 0;
    }
    if (e->reports == REPORTS_A_SECOND) {
        e->reports_left_out++;
        return false;
    }
    e->reports++;
    return true;
}

void th_report_expired(struct th_attempt *a)
{
    struct th_engine *e = a->e;

    if (!may_report(e))
        return;
    th_log(TH_LOG_WARN, "delivery failed", TH_KS("delivery", th_span(a->delivery_id, a->delivery_id_len)),
           TH_KS("event", a->event->id), TH_KS("type", a->event->row.type), TH_KS("endpoint", a->run->id),
           TH_KS("tenant", a->ep->pub.tenant->id), TH_KC("reason", "expired"),
           TH_KI("attempts", a->verdict == TH_V_EXPIRED ? a->settle.row.nth : a->row.attempts),
           TH_KI("left_out", e->reports_left_out));
    e->reports_left_out = 0;
}

void th_report_failed(struct th_attempt *a)
{
    const struct th_attempt_row *row = &a->settle.row;
    struct th_engine *e = a->e;

    if (!may_report(e))
        return;
    th_log(TH_LOG_WARN, "delivery failed", TH_KS("delivery", th_span(a->delivery_id, a->delivery_id_len)),
           TH_KS("event", a->event->id), TH_KS("type", a->event->row.type), TH_KS("endpoint", a->run->id),
           TH_KS("tenant", a->ep->pub.tenant->id),
           TH_KC("reason", a->verdict == TH_V_EXHAUSTED ? "exhausted" : "final_status"),
           TH_KI("attempts", row->nth),
           TH_KC("outcome", th_outcome_name((enum th_http_class)row->class, row->ok)),
           TH_KI("status", row->status), TH_KS("detail", row->detail),
           TH_KI("left_out", e->reports_left_out));
    e->reports_left_out = 0;
}

const char *th_report_denied_advice(const struct th_engine *e, const char *why)
{
    bool own =
        th_span_starts(th_str(why), TH_LIT("a private")) || th_span_starts(th_str(why), TH_LIT("a shared"));

    return own && e->options.guard->allow_loopback
               ? "; to deliver there, start the server with --allow-network CIDR"
               : "";
}

void th_report_denied_text(const struct th_engine *e, const char *why, char *out, size_t size)
{
    snprintf(out, size, "the host resolves to an address that is not allowed: %s%s", why,
             th_report_denied_advice(e, why));
}

void th_report_denied(struct th_engine *e, struct th_span tenant, struct th_span host,
                      const struct th_addr *a, const char *why)
{
    struct th_buf text;

    if (e->now.mono.us < e->denied_at.us)
        return;
    e->denied_at.us = e->now.mono.us + 1000000;
    th_buf_init(&text, 64);
    th_addr_format(&text, a);
    th_log(TH_LOG_WARN, "a host name resolves to an address that is not allowed", TH_KS("tenant", tenant),
           TH_KS("host", host), TH_KS("address", th_buf_view(&text)), TH_KC("class", why));
    th_buf_fini(&text);
}

void th_engine_measure(struct th_engine *e)
{
    th_engine_tick(e);
    th_gauge_set(e->options.metrics, TH_G_OLDEST_DUE, th_sched_overdue_us(e->sched, e->now.mono) / 1000000);
}

/* Nobody asks the others when metrics are read: home shows the largest of what each has. */
void th_report_turn(struct th_engine *e)
{
    struct th_sched_stats stats = th_sched_stats(e->sched);

    th_gauge_set(e->options.metrics, TH_G_BREAKERS_OPEN, stats.broken_endpoints);
    th_gauge_set(e->options.metrics, TH_G_DELIVERIES_IN_MEMORY, stats.items);
    if (th_is_home(e) || e->now.mono.us - e->measured.us < 1000000)
        return;
    e->measured = e->now.mono;
    th_engine_measure(e);
}

const struct th_last_attempt *th_engine_last_attempt(const struct th_endpoint *ep)
{
    return &TH_CONTAINER(ep, struct th_ep, pub)->last;
}

void th_engine_last_attempt_set(struct th_engine *e, uint64_t endpoint, const struct th_attempt_row *row)
{
    struct th_ep *ep = th_map_get(&e->endpoints, endpoint);
    struct th_last_attempt *last = ep ? &ep->last : NULL;

    if (!last || (last->known && (!row || row->at.ms < last->at.ms)))
        return;
    *last = (struct th_last_attempt){.known = true};
    if (!row)
        return;
    last->at = row->at;
    last->status = row->status;
    last->class = row->class;
    last->ok = row->ok;
    memcpy(last->detail, row->detail.p,
           row->detail.n < sizeof last->detail - 1 ? row->detail.n : sizeof last->detail - 1);
}

uint64_t th_engine_last_endpoint(const struct th_engine *e)
{
    return e->last_endpoint;
}

enum th_endpoint_state th_engine_endpoint_state(const struct th_endpoint *ep)
{
    if (ep->disabled_at.ms)
        return TH_EP_DISABLED;
    if (!ep->spec.active || ep->no_consent)
        return TH_EP_PAUSED;
    return ep->health.first_fail ? TH_EP_FAILING : TH_EP_ACTIVE;
}

void th_report_breaker(const struct th_attempt *a, bool opened)
{
    const struct th_attempt_row *row = &a->settle.row;

    if (opened)
        th_log(TH_LOG_WARN, "endpoint does not answer; where slots are scarce it waits for those that do",
               TH_KS("endpoint", a->run->id), TH_KS("tenant", a->ep->pub.tenant->id),
               TH_KS("delivery", th_span(a->delivery_id, a->delivery_id_len)),
               TH_KC("outcome", th_outcome_name((enum th_http_class)row->class, row->ok)),
               TH_KI("status", row->status), TH_KS("detail", row->detail));
    else
        th_log(TH_LOG_INFO, "endpoint answers again", TH_KS("endpoint", a->run->id),
               TH_KS("tenant", a->ep->pub.tenant->id));
}
