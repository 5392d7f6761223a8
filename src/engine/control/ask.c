/* Asks receivers for their consent (consent.c) with OPTIONS: when an endpoint is made or changed, and again
 * at growing intervals.
 *
 * Invariants: (1) an ask holds its endpoint and the settings with which it began, and ends once; (2) the
 * answer counts only for the URL that was asked: if the endpoint has another URL by then, it is asked anew. */
#include "engine/control/ask.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/heap.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/mail.h"
#include "engine/settings/consent.h"
#include "engine/settings/secrets.h"
#include "engine/settings/settings.h"
#include "engine/shard/outgoing.h"
#include "engine/state.h"
#include <stdio.h>

#define MOST_AT_ONCE 64
#define MOST_OF_TENANT 4
#define BEGUN_A_TURN 16
#define ASK_TIMEOUT_US 10000000
#define CONNECT_TIMEOUT_US 5000000
#define FULL_WAIT_US 250000
#define OTHERS_US 2000000 /* until an endpoint of another node is looked at again */

struct th_ask {
    struct th_list link; /* on e->asks */
    struct th_change c;  /* where it agreed */
    struct th_engine *e;
    struct th_ep *ep;
    struct th_endpoint_run *run;
    struct th_outgoing out;
    struct th_buf head;
    struct th_consent said;
    char tenant[160];
};

/* ---- the end of an ask ---- */

static void ask_free(struct th_ask *a)
{
    struct th_engine *e = a->e;

    TH_CHECK(a->ep->ask == a && e->asks_out);
    a->ep->ask = NULL;
    a->ep->pub.tenant->asks--;
    e->asks_out--;
    e->more = true;
    th_list_remove(&a->link);
    th_buf_fini(&a->head);
    th_run_unref(a->run);
    th_ep_unref(e, a->ep);
    th_free(a);
    if (e->options.wake.fn)
        e->options.wake.fn(e->options.wake.ctx); /* a loop may call this after its turn and then sleep */
}

/* The wait before the next ask: 5 s, 1 min, 5 min, 20 min, 1 h, then a day. */
static int64_t pause_us(unsigned asked)
{
    static const int64_t seconds[] = {5, 60, 300, 1200, 3600};

    return 1000000 * (asked <= sizeof seconds / sizeof *seconds ? seconds[asked - 1] : 86400);
}

static bool is_stale(const struct th_ask *a)
{
    return !th_span_eq(a->ep->pub.spec.url, a->run->spec.url);
}

/* Was refused, or nobody could be asked. */
static void not_agreed(struct th_ask *a, enum th_consent_state state, const char *reason)
{
    struct th_engine *e = a->e;
    struct th_ep *ep = a->ep;
    bool stale = is_stale(a),
         dropped = a->out.cancelled || ep->gone || ep->pub.tenant->deleting || e->draining;

    if (!dropped && !stale && ep->pub.no_consent) {
        ep->pub.consent = (struct th_consent){.state = state, .at = e->now.wall};
        snprintf(ep->pub.consent.reason, sizeof ep->pub.consent.reason, "%s", reason);
        th_log(TH_LOG_INFO, "an endpoint has not agreed to get events", TH_KS("endpoint", ep->pub.run->id),
               TH_KS("tenant", ep->pub.tenant->id), TH_KC("why", ep->pub.consent.reason));
    }
    ep->refs++;
    ask_free(a);
    if (!dropped && stale)
        th_consent_ask_at(e, ep, e->now.mono.us);
    else if (!dropped && ep->asked < TH_CONSENT_ASKS)
        th_consent_ask_at(e, ep, e->now.mono.us + pause_us(ep->asked ? ep->asked : 1));
    th_ep_unref(e, ep);
}

static void stored(struct th_change *c)
{
    struct th_ask *a = TH_CONTAINER(c, struct th_ask, c);
    enum th_change_result result = c->result;

    th_change_fini(c);
    if (result != TH_CH_DONE) {
        not_agreed(a, TH_CONSENT_PENDING, "its receiver has agreed, but that could not be stored");
        return;
    }
    th_log(TH_LOG_INFO, "an endpoint has agreed to get events", TH_KS("endpoint", a->ep->pub.run->id),
           TH_KS("tenant", a->ep->pub.tenant->id));
    ask_free(a);
}

void th_ask_change_begin(struct change_impl *i)
{
    const struct th_ask *a = TH_CONTAINER(i->c, struct th_ask, c);

    if (is_stale(a)) {
        th_change_fail(i, TH_CH_CONFLICT, "the endpoint has another URL meanwhile");
        return;
    }
    i->next = i->ep->pub;
    i->next.rev++;
    i->next.consent = a->said;
    if (th_run_new(i->e, &i->next, &i->next.spec, &i->run) || !th_change_endpoint_row(i, &i->next)) {
        th_change_no_memory(i);
        return;
    }
    th_change_submit(i, false);
}

static void agreed(struct th_ask *a, uint32_t rate)
{
    struct th_engine *e = a->e;
    struct th_span tenant = a->ep->pub.tenant->id;

    if (a->out.cancelled || a->ep->gone || a->ep->pub.tenant->deleting || e->draining || is_stale(a) ||
        tenant.n >= sizeof a->tenant) {
        not_agreed(a, TH_CONSENT_PENDING, "");
        return;
    }
    memcpy(a->tenant, tenant.p, tenant.n);
    a->said = (struct th_consent){
        .state = TH_CONSENT_ALLOWED, .at = e->now.wall, .origin = th_consent_origin(e), .rate = rate};
    a->c.kind = TH_CHANGE_ENDPOINT_CONSENT;
    a->c.tenant_id = th_span(a->tenant, tenant.n);
    a->c.endpoint = a->ep->pub.no;
    a->c.done = stored;
    th_engine_change(e, &a->c);
    if (e->options.wake.fn)
        e->options.wake.fn(e->options.wake.ctx);
}

/* ---- the answer ---- */

/* False: it is no rate. 0: no bound. */
static bool read_rate(struct th_span text, uint32_t *rate)
{
    uint64_t n;

    *rate = 0;
    if (th_span_is(text, "*"))
        return true;
    if (!th_span_u64(text, UINT32_MAX, &n) || !n)
        return false;
    *rate = (uint32_t)n;
    return true;
}

/* The next field of an answer's head, which leaves *lines; false at the end. */
static bool next_field(struct th_span *lines, struct th_header *out)
{
    const char *end = lines->n ? memchr(lines->p, '\n', lines->n) : NULL;
    size_t n = end ? (size_t)(end - lines->p) : lines->n;
    const char *colon = n ? memchr(lines->p, ':', n) : NULL;
    struct th_span line = *lines;

    if (!colon)
        return false;
    out->name = th_span(line.p, (size_t)(colon - line.p));
    out->value = th_span_trim(th_span(colon + 1, n - (size_t)(colon + 1 - line.p)));
    if (out->value.n && out->value.p[out->value.n - 1] == '\r')
        out->value = th_span_trim(th_span(out->value.p, out->value.n - 1));
    *lines = end ? th_span(end + 1, line.n - n - 1) : th_span("", 0);
    return true;
}

static void answered(struct th_outgoing *o)
{
    struct th_ask *a = TH_CONTAINER(o, struct th_ask, out);
    const struct th_http_result *res = &o->req.res;
    struct th_span lines = res->head;
    struct th_header h;
    bool origin = false, same = false, rated = true;
    uint32_t rate = 0;
    char text[96];

    if (res->class != TH_HTTP_OK) {
        snprintf(text, sizeof text, "%s", res->detail ? res->detail : th_http_class_name(res->class));
        not_agreed(a, TH_CONSENT_PENDING, text);
        return;
    }
    while (next_field(&lines, &h)) {
        struct th_span value = h.value;

        if (th_span_ieq(h.name, TH_LIT("webhook-allowed-origin"))) {
            origin = true;
            same = same || th_span_is(value, "*") || th_span_ieq(value, a->e->options.consent_origin);
        } else if (th_span_ieq(h.name, TH_LIT("webhook-allowed-rate"))) {
            rated = read_rate(value, &rate);
        }
    }
    snprintf(text, sizeof text, "its server answered OPTIONS with status %u", res->status);
    if (res->status < 200 || res->status > 299)
        not_agreed(a, TH_CONSENT_REFUSED, text);
    else if (!origin)
        not_agreed(a, TH_CONSENT_REFUSED, "the answer has no WebHook-Allowed-Origin");
    else if (!same)
        not_agreed(a, TH_CONSENT_REFUSED, "WebHook-Allowed-Origin of the answer is another origin");
    else if (!rated)
        not_agreed(a, TH_CONSENT_REFUSED, "WebHook-Allowed-Rate of the answer is neither * nor 1 or more");
    else
        agreed(a, rate);
}

/* ---- asking ---- */

static void judged(struct th_outgoing *o, unsigned count)
{
    struct th_ask *a = TH_CONTAINER(o, struct th_ask, out);
    struct th_engine *e = a->e;

    if (o->cancelled || a->ep->gone || e->draining || is_stale(a)) {
        not_agreed(a, TH_CONSENT_PENDING, "");
        return;
    }
    o->req = (struct th_http_req){.method = TH_LIT("OPTIONS"),
                                  .head = th_buf_view(&a->head),
                                  .deadline = {o->began.us + ASK_TIMEOUT_US},
                                  .connect_deadline = {e->now.mono.us + CONNECT_TIMEOUT_US},
                                  .head_cap = 32u << 10,
                                  .body_cap = 1024};
    th_outgoing_send(o, count);
}

static void failed(struct th_outgoing *o, enum th_http_class class, const char *why)
{
    (void)class;
    not_agreed(TH_CONTAINER(o, struct th_ask, out), TH_CONSENT_PENDING, why);
}

static void write_head(struct th_ask *a)
{
    double rate = a->run->spec.rate_per_s * 60;

    th_buf_printf(&a->head, "WebHook-Request-Origin: %.*s\r\n", (int)a->e->options.consent_origin.n,
                  a->e->options.consent_origin.p);
    if (rate > 0)
        th_buf_printf(&a->head, "WebHook-Request-Rate: %.0f\r\n", rate < 1 ? 1 : rate);
    th_buf_str(&a->head, "Accept: */*\r\nUser-Agent: Tenterhook\r\n");
}

static void begin_ask(struct th_engine *e, struct th_ep *ep, struct th_ask *a)
{
    a->e = e;
    a->ep = ep;
    ep->refs++;
    a->run = ep->pub.run;
    (void)th_run_ref(a->run);
    ep->ask = a;
    ep->asked++;
    ep->pub.tenant->asks++;
    e->asks_out++;
    th_list_init(&a->link);
    th_list_append(&e->asks, &a->link);
    th_buf_init(&a->head, 1024);
    write_head(a);
    if (a->head.failed) {
        not_agreed(a, TH_CONSENT_PENDING, "out of memory");
        return;
    }
    a->out = (struct th_outgoing){.e = e,
                                  .ep = &ep->pub,
                                  .url = &a->run->url,
                                  .began = e->now.mono,
                                  .judged = judged,
                                  .failed = failed,
                                  .ended = answered};
    th_outgoing_begin(&a->out, (struct th_mono){e->now.mono.us + ASK_TIMEOUT_US});
}

static bool has_room(struct th_engine *e, const struct th_tenant *t)
{
    int64_t host = th_engine_allowed(e, t, TH_L_HOST_REQUESTS);

    return t->asks < (host && host < MOST_OF_TENANT ? (unsigned)host : MOST_OF_TENANT);
}

/* Of endpoints that are gone, or all. A cancelled look-up may end inside the call. */
static void cancel(struct th_engine *e, bool all)
{
    struct th_list *l, *next;

    for (l = e->asks.next; l != &e->asks; l = next) {
        struct th_ask *a = TH_CONTAINER(l, struct th_ask, link);
        next = l->next;
        if (all || a->ep->gone)
            th_outgoing_cancel(&a->out);
    }
}

void th_asks_cancel(struct th_engine *e)
{
    cancel(e, true);
}

struct th_mono th_asks_wanted(const struct th_engine *e)
{
    const struct th_heap_node *top = th_heap_top(&e->to_ask);

    if (e->asks_void)
        return e->now.mono;
    return top && e->asks_out < MOST_AT_ONCE && !e->no_requests ? (struct th_mono){top->key} : TH_MONO_NEVER;
}

void th_asks_begin(struct th_engine *e)
{
    struct th_heap_node *top;
    unsigned begun = 0;

    if (e->asks_void)
        cancel(e, false);
    e->asks_void = false;
    while (!e->no_requests && e->asks_out < MOST_AT_ONCE && (top = th_heap_top(&e->to_ask)) &&
           top->key <= e->now.mono.us) {
        struct th_ep *ep = TH_CONTAINER(top, struct th_ep, ask_at);
        struct th_ask *a;

        if (begun++ == BEGUN_A_TURN) {
            e->more = true;
            return;
        }
        if (!th_is_mine(e, ep->pub.no)) { /* its node asks */
            th_heap_rekey(&e->to_ask, top, e->now.mono.us + OTHERS_US);
            continue;
        }
        if (ep->pub.tenant->deleting) {
            th_heap_remove(&e->to_ask, top);
            continue;
        }
        a = has_room(e, ep->pub.tenant) ? th_calloc(1, sizeof *a) : NULL;
        if (!a) {
            th_heap_rekey(&e->to_ask, top, e->now.mono.us + FULL_WAIT_US);
            continue;
        }
        th_heap_remove(&e->to_ask, top);
        begin_ask(e, ep, a);
    }
}
