/* The health of endpoints: which of them fail and since when, how much waits for them, the result of the last
 * attempt. The operator's key sees those of all tenants (or of the one that it names), a tenant's key sees
 * its own.
 *
 * Chooses the endpoints of a page first: with all tenants it walks the numbers downwards, at most LOOK_AT a page, so that a
 * filter that fits few of a million does not hold up deliveries; such a page is short and has a next one. Then the store counts
 * what waits; and of endpoints that had no attempt since the start it is asked for the last one, one after the other. */
#include "api/cursor.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "api/webhook_view.h"
#include "engine/engine.h"
#include "net/tls_common.h"
#include "port/transport.h"

#define LOOK_AT 20000
#define MOST_READS 200 /* reads of last attempts for a page: after these, rows are left to the next page */

static const char *const states[] = {[TH_EP_ACTIVE] = "active",
                                     [TH_EP_FAILING] = "failing",
                                     [TH_EP_PAUSED] = "paused",
                                     [TH_EP_DISABLED] = "disabled"};

struct wanted {
    const struct th_tenant *tenant; /* NULL: of all */
    int state;                      /* -1: in any */
    struct th_span part;            /* of the URL */
    bool one;                       /* only this endpoint; NULL: there is none */
    const struct th_endpoint *ep;
};

/* Reads the filters. False: answered. */
static bool filters(struct th_api_req *r, struct wanted *want)
{
    const struct th_tenant **tenant = &want->tenant;
    int *state = &want->state;
    struct th_span text;

    want->part = th_span("", 0);
    (void)th_api_query_param(r, "q", &want->part);
    want->one = th_api_query_param(r, "endpoint", &text);
    want->ep = want->one ? th_engine_endpoint_anywhere(r->api->engine, text) : NULL;
    *tenant = r->operator_key && r->unnamed ? NULL : r->tenant;
    *state = -1;
    if (th_api_query_param(r, "tenant", &text)) {
        const struct th_tenant *named = th_engine_tenant(r->api->engine, text);
        if (!named || (*tenant && named != *tenant)) {
            th_api_fail(r, 404, "there is no such tenant");
            return false;
        }
        *tenant = named;
    }
    if (!th_api_query_param(r, "state", &text))
        return true;
    for (int i = 0; i < (int)(sizeof states / sizeof *states); i++)
        if (th_span_is(text, states[i]))
            *state = i;
    if (*state < 0)
        th_api_fail(r, 400, "query parameter state: must be active, failing, paused or disabled");
    return *state >= 0;
}

static void write_last(struct th_jw *w, const struct th_last_attempt *last)
{
    th_jw_key(w, TH_LIT("last_attempt"));
    if (!last->at.ms) {
        th_jw_null(w);
        return;
    }
    th_jw_object(w);
    th_api_member_time(w, "time", last->at.ms);
    th_api_member_str(w, "outcome", th_str(th_outcome_name((enum th_http_class)last->class, last->ok)));
    th_jw_key(w, TH_LIT("status"));
    if (last->status)
        th_jw_u64(w, last->status);
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("detail"));
    if (last->detail[0])
        th_jw_string(w, th_str(last->detail));
    else
        th_jw_null(w);
    th_jw_end_object(w);
}

static void write_waiting(struct th_jw *w, enum th_endpoint_state state, struct th_waiting n)
{
    bool held = state == TH_EP_PAUSED || state == TH_EP_DISABLED;
    int64_t all = (int64_t)n.fresh + n.again;

    th_api_member_int(w, "waiting", all);
    th_api_member_int(w, "pending", held ? 0 : n.fresh);
    th_api_member_int(w, "retrying", held ? 0 : n.again);
    th_api_member_int(w, "held", held ? all : 0);
}

static void write_first(struct th_jw *w, const struct th_looked *h)
{
    th_jw_key(w, TH_LIT("first_attempts"));
    th_jw_object(w);
    th_api_member_int(w, "count", h->first);
    th_api_member_int(w, "failed", h->first_failed);
    th_jw_key(w, TH_LIT("failed_percent"));
    if (h->first)
        th_jw_u64(w, ((uint64_t)h->first_failed * 100 + h->first / 2) / h->first);
    else
        th_jw_null(w);
    th_jw_end_object(w);
}

static void write_row(struct th_api_req *r, struct th_jw *w, const struct th_endpoint *ep,
                      struct th_waiting n, const struct th_looked *h)
{
    enum th_endpoint_state state = th_engine_endpoint_state(ep);
    int64_t now_ms = th_engine_now(r->api->engine).wall.ms;
    struct th_consent consent;

    th_jw_object(w);
    th_api_member_str(w, "tenant", ep->tenant->id);
    th_jw_key(w, TH_LIT("endpoint"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_endpoint_id(r->api->engine, ep, w->out);
    th_buf_char(w->out, '"');
    th_jw_key(w, TH_LIT("url"));
    th_api_webhook_url(w, ep, th_api_request_may(r, TH_SCOPE_MANAGE));
    th_api_member_str(w, "state", th_str(states[state]));
    th_api_member_time(w, "failing_since", h->health.first_fail);
    th_api_member_time(w, "last_success_at", h->health.last_ok);
    write_last(w, h->last.known ? &h->last : th_engine_last_attempt(ep));
    write_first(w, h);
    th_api_member_time(w, "disable_at", h->disable_at);
    th_jw_key(w, TH_LIT("breaker_open"));
    th_jw_bool(w, h->breaker_open);
    th_api_member_time(w, "resting_until", h->health.rest_until > now_ms ? h->health.rest_until : 0);
    write_waiting(w, state, n);
    th_jw_key(w, TH_LIT("more_in_store"));
    th_jw_bool(w, h->spilled);
    th_api_member_int(w, "in_flight", h->in_flight);
    th_jw_key(w, TH_LIT("disabled"));
    if (ep->disabled_at.ms) {
        th_jw_object(w);
        th_api_member_time(w, "at", ep->disabled_at.ms);
        th_api_member_str(w, "reason", ep->disabled_reason);
        th_jw_end_object(w);
    } else {
        th_jw_null(w);
    }
    if (th_engine_consent(r->api->engine, ep, &consent)) {
        th_jw_key(w, TH_LIT("consent"));
        (void)th_api_webhook_consent(r->api->engine, ep, w);
    }
    th_jw_end_object(w);
}

static void send(struct th_api_req *r)
{
    struct th_counts *c = &r->op->health.counts;
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, c->endpoints[i]);
        if (i && th_api_reply_is_full(r)) {
            r->op->health.next = c->endpoints[i] + 1;
            break;
        }
        if (ep) /* else deleted meanwhile */
            write_row(r, &w, ep, c->waiting[i], &r->op->health.look.out[i]);
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, r->op->health.next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

/* ---- last attempts from before the start ---- */

static void read_lasts(struct th_api_req *r);

static void last_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    uint64_t next = r->page.next;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    if (r->page.count || !next)
        th_engine_last_attempt_set(r->api->engine, r->page.endpoint,
                                   r->page.count ? &r->page.rows.attempts[0].row : NULL);
    th_engine_page_free(r->api->engine, &r->page);
    r->op->health.before = r->page.count || !next ? 0 : next;
    r->op->health.at += r->op->health.before == 0;
    read_lasts(r);
}

static void read_lasts(struct th_api_req *r)
{
    struct th_counts *c = &r->op->health.counts;

    for (; r->op->health.at < c->count; r->op->health.at++) {
        const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, c->endpoints[r->op->health.at]);
        if (!ep || r->op->health.look.out[r->op->health.at].last.known || th_engine_last_attempt(ep)->known)
            continue;
        if (r->op->health.before == 0 && ++r->op->health.reads > MOST_READS) {
            r->op->health.next = ep->no + 1;
            c->count = r->op->health.at;
            break;
        }
        r->page = (struct th_page){.tenant = ep->tenant->no,
                                   .endpoint = ep->no,
                                   .limit = 1,
                                   .before = r->op->health.before,
                                   .without_tests = true};
        th_api_read(r, &r->page, TH_PAGE_ATTEMPTS, last_read);
        return;
    }
    th_api_read_in_turn(r, send);
}

static void looked(struct th_look *l)
{
    read_lasts(l->user);
}

static void counted(struct th_op *op)
{
    struct th_api_req *r = op->user;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    r->op->health.look.endpoints = r->op->health.counts.endpoints;
    r->op->health.look.count = r->op->health.counts.count;
    r->op->health.look.done = looked;
    r->op->health.look.user = r;
    th_engine_look(r->api->engine, &r->op->health.look);
}

/* ---- choosing ---- */

/* The next endpoint below a number; 0: none. */
static uint64_t below(struct th_api_req *r, const struct th_tenant *t, uint64_t no)
{
    unsigned low = 0, high = t ? t->endpoint_count : 0;

    if (!t)
        return no - 1;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (t->endpoints[mid]->no < no)
            low = mid + 1;
        else
            high = mid;
    }
    (void)r;
    return low ? t->endpoints[low - 1]->no : 0;
}

/* Whether a text is in the URL as this key sees it, in capitals or not. */
static bool url_has(struct th_api_req *r, const struct th_endpoint *ep, struct th_span part)
{
    struct th_buf masked;
    struct th_span url = ep->spec.url;
    bool found = part.n == 0;

    th_buf_init(&masked, 4096);
    if (!found && !th_api_request_may(r, TH_SCOPE_MANAGE) && th_mask_url_is_secret(&ep->spec)) {
        th_url_mask(url, &masked);
        url = th_buf_view(&masked);
    }
    for (size_t i = 0; !found && i + part.n <= url.n; i++)
        found = th_span_ieq(th_span(url.p + i, part.n), part);
    th_buf_fini(&masked);
    return found;
}

static bool is_wanted(struct th_api_req *r, const struct th_endpoint *ep, const struct wanted *want)
{
    return ep && !ep->tenant->deleting && (!want->one || ep == want->ep) &&
           (want->state < 0 || (int)th_engine_endpoint_state(ep) == want->state) &&
           url_has(r, ep, want->part);
}

static bool choose(struct th_api_req *r, const struct wanted *want, uint32_t limit, uint64_t before)
{
    struct th_counts *c = &r->op->health.counts;
    uint64_t *list = th_arena_get(&r->mem, limit * sizeof *list), no;
    uint32_t looked_at = 0;

    c->endpoints = list;
    c->waiting = th_arena_get(&r->mem, limit * sizeof *c->waiting);
    r->op->health.look.out = th_arena_get(&r->mem, limit * sizeof *r->op->health.look.out);
    if (!list || !c->waiting || !r->op->health.look.out)
        return false;
    no = th_engine_last_endpoint(r->api->engine) + 1;
    if (before && before < no)
        no = before;
    if (want->one) { /* not walked for */
        if (want->ep && (!want->tenant || want->ep->tenant == want->tenant) && is_wanted(r, want->ep, want))
            list[c->count++] = want->ep->no;
        return true;
    }
    while ((no = below(r, want->tenant, no)) > 0) {
        const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, no);
        if (c->count == limit || ++looked_at > LOOK_AT) {
            r->op->health.next = no + 1;
            break;
        }
        if (is_wanted(r, ep, want))
            list[c->count++] = no;
    }
    return true;
}

static void answer_health(struct th_api_req *r)
{
    struct wanted want;
    uint64_t before;
    uint32_t limit;

    if (!th_api_query_paging(r, &limit, &before) || !filters(r, &want))
        return;
    memset(&r->op->health, 0, sizeof r->op->health);
    r->op->health.counts.op = (struct th_op){.kind = TH_OP_COUNT, .done = counted, .user = r};
    if (choose(r, &want, limit, before))
        th_engine_read(r->api->engine, &r->op->health.counts.op);
    else
        th_api_fail_nomem(r);
}

void th_h_endpoint_health(struct th_api_req *r)
{
    th_api_read_in_turn(r, answer_health);
}
