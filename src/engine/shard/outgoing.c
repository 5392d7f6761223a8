/* From a URL to the transport, the one way on which requests leave: https where it is required, the name's addresses, the
 * judgement of each, then the request to those that were judged.
 *
 * An endpoint may be reached from one of the installation's source addresses. One that is not configured any more, or not on this
 * machine, is trouble of our own: no request leaves from another address, and no attempt is counted.
 *
 * Invariants: (1) no request goes to an address that the guard has not judged for this very request; (2) one end: `failed`, or
 * `ended`, or none where the user ended in `judged`. */
#include "engine/shard/outgoing.h"
#include "engine/context.h"
#include "engine/settings/secrets.h"
#include "engine/settings/settings.h"
#include "engine/shard/report.h"
#include "engine/state.h"

static const char *resolve_problem(enum th_error error)
{
    switch (error) {
    case TH_CANCELLED:
        return "cancelled";
    case TH_NOT_FOUND:
        return "the host name does not exist or has no address";
    case TH_TIMEOUT:
        return "the name servers did not answer in time";
    case TH_TOO_LARGE:
        return "the host name has too many addresses";
    case TH_FULL:
        return "too many name look-ups of this tenant are under way";
    case TH_NOMEM:
        return "out of memory";
    default:
        return "the name servers failed";
    }
}

static enum th_http_class resolve_class(enum th_error error)
{
    if (error == TH_CANCELLED)
        return TH_HTTP_CANCELLED;
    return error == TH_FULL || error == TH_NOMEM ? TH_HTTP_INTERNAL : TH_HTTP_DNS; /* nobody was asked */
}

static void resolved(struct th_resolve *r)
{
    struct th_outgoing *o = r->user;
    const char *why = NULL;
    unsigned bad;

    th_engine_tick(o->e);
    o->resolving = false;
    o->dns_us = o->e->now.mono.us - o->began.us;
    if (r->error || o->cancelled) {
        enum th_error error = o->cancelled ? TH_CANCELLED : r->error;

        o->failed(o, resolve_class(error), resolve_problem(error));
    } else if (th_guard_answers(o->e->options.guard, r->addrs, r->count, &why, &bad)) {
        char text[sizeof o->req.res.detail_text];

        th_report_denied_text(o->e, why, text, sizeof text);
        th_report_denied(o->e, o->ep->tenant->id, o->url->host, &r->addrs[bad], why);
        o->failed(o, TH_HTTP_DENIED, text);
    } else {
        unsigned n =
            r->count < TH_CONNECT_MAX ? r->count : TH_CONNECT_MAX; /* all are judged, some are tried */

        memcpy(o->addrs, r->addrs, n * sizeof o->addrs[0]);
        o->judged(o, n);
    }
}

/* The name of the source address that the endpoint has chosen; n == 0: none. */
static struct th_span source_of(const struct th_outgoing *o)
{
    const struct th_endpoint_run *run = o->ep->run;

    return run && run->spec.reach ? run->spec.reach->source : TH_LIT("");
}

void th_outgoing_begin(struct th_outgoing *o, struct th_mono deadline)
{
    struct th_engine *e = o->e;
    const char *why = NULL;

    o->cancelled = o->resolving = o->running = false;
    o->dns_us = -1;
    if (source_of(o).n && !th_engine_source(e, source_of(o))) {
        o->failed(o, TH_HTTP_INTERNAL, "the endpoint's source address is not configured any more");
    } else if (!o->url->tls && th_https_required(e, th_dialect_values(o->ep->tenant->dialect))) {
        o->failed(o, TH_HTTP_DENIED, "plain http is not allowed in production");
    } else if (!o->url->literal) {
        o->resolve = (struct th_resolve){.host = o->url->host,
                                         .tenant = o->ep->tenant->no,
                                         .done = resolved,
                                         .user = o,
                                         .deadline = deadline};
        o->resolving = true;
        e->options.resolver->vt->submit(e->options.resolver, &o->resolve);
    } else if (!th_guard_addr(e->options.guard, &o->url->addr, &why)) {
        o->failed(o, TH_HTTP_DENIED, why);
    } else {
        o->addrs[0] = o->url->addr;
        o->judged(o, 1);
    }
}

static void transport_done(struct th_http_req *req)
{
    struct th_outgoing *o = req->user;

    th_engine_tick(o->e);
    o->running = false;
    o->ended(o);
}

void th_outgoing_send(struct th_outgoing *o, unsigned count)
{
    struct th_engine *e = o->e;
    const struct th_run_url *url = o->url;
    const struct th_source *source;

    for (unsigned i = 0; i < count; i++)
        o->addrs[i].port = url->port;
    o->req.target = url->target;
    o->req.origin = (struct th_origin){
        .tls = url->tls, .host = url->host, .authority = url->authority, .port = url->port};
    o->req.identity = url->tls ? o->identity : NULL;
    o->req.addrs = o->addrs;
    o->req.addr_count = count;
    source = source_of(o).n ? th_engine_source(e, source_of(o)) : NULL;
    o->req.source = source ? &source->addr : NULL;
    o->req.pool_key = th_endpoint_pool_key(o->ep);
    if (source) /* numbers of tenants are far below */
        o->req.pool_key |= (uint64_t)(source - e->options.sources + 1) << 48;
    o->req.done = transport_done;
    o->req.user = o;
    o->running = true;
    e->options.transport->vt->submit(e->options.transport, &o->req);
}

void th_outgoing_cancel(struct th_outgoing *o)
{
    struct th_engine *e = o->e;

    if (o->cancelled)
        return;
    o->cancelled = true;
    if (o->running)
        e->options.transport->vt->cancel(e->options.transport, &o->req);
    else if (o->resolving)
        e->options.resolver->vt->cancel(e->options.resolver, &o->resolve);
}
