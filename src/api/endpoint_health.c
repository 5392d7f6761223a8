/* How the endpoints of all tenants do, for the operator: which fail since when, which wait, which are off.
 *
 * Walks the numbers of endpoints downwards, at most LOOK_AT a page, so that a filter that fits few of a million
 * does not hold up deliveries: such a page is short and has a next one. */
#include "api/private.h"

#define LOOK_AT 20000

static const char *const states[] = {[TH_EP_ACTIVE] = "active",
                                     [TH_EP_FAILING] = "failing",
                                     [TH_EP_PAUSED] = "paused",
                                     [TH_EP_DISABLED] = "disabled"};

/* Reads the filters. False: answered. */
static bool filters(struct th_api_req *r, const struct th_tenant **tenant, int *state)
{
    struct th_span text;

    *tenant = NULL;
    *state = -1;
    if (th_api_param(r, "tenant", &text)) {
        *tenant = th_engine_tenant(r->api->engine, text);
        if (!*tenant) {
            th_api_fail(r, 404, "there is no such tenant");
            return false;
        }
    }
    if (!th_api_param(r, "state", &text))
        return true;
    for (int i = 0; i < (int)(sizeof states / sizeof *states); i++)
        if (th_span_is(text, states[i]))
            *state = i;
    if (*state < 0)
        th_api_fail(r, 400, "query parameter state: must be active, failing, paused or disabled");
    return *state >= 0;
}

static void write_row(struct th_api_req *r, struct th_jw *w, const struct th_endpoint *ep,
                      const struct th_endpoint_health *h)
{
    th_jw_object(w);
    th_api_str(w, "tenant", ep->tenant->id);
    th_jw_key(w, TH_LIT("endpoint"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_endpoint_id(r->api->engine, ep, w->out);
    th_buf_char(w->out, '"');
    th_jw_key(w, TH_LIT("url"));
    th_api_url(w, ep, th_api_may(r, TH_SCOPE_MANAGE));
    th_api_str(w, "state", th_str(states[h->state]));
    th_api_time(w, "failing_since", ep->facts.first_fail);
    th_api_time(w, "last_success_at", ep->facts.last_ok);
    th_jw_key(w, TH_LIT("breaker_open"));
    th_jw_bool(w, h->breaker_open);
    th_api_int(w, "waiting", h->waiting);
    th_jw_key(w, TH_LIT("more_in_store"));
    th_jw_bool(w, h->spilled);
    th_api_int(w, "in_flight", h->in_flight);
    th_jw_key(w, TH_LIT("disabled"));
    if (ep->disabled_at.ms) {
        th_jw_object(w);
        th_api_time(w, "at", ep->disabled_at.ms);
        th_api_str(w, "reason", ep->disabled_reason);
        th_jw_end_object(w);
    } else {
        th_jw_null(w);
    }
    th_jw_end_object(w);
}

static void write_endpoint_health_now(struct th_api_req *r)
{
    const struct th_tenant *tenant;
    uint64_t before, no, next = 0;
    uint32_t limit, shown = 0, looked = 0;
    struct th_jw w;
    int state;

    if (!th_api_paging(r, &limit, &before) || !filters(r, &tenant, &state))
        return;
    no = th_engine_last_endpoint(r->api->engine);
    if (before && before - 1 < no)
        no = before - 1;
    w = th_api_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (; no > 0; no--) {
        const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, no);
        struct th_endpoint_health h;
        if (shown == limit || (shown && th_api_is_full(r)) || ++looked > LOOK_AT) {
            next = no + 1;
            break;
        }
        if (!ep || ep->tenant->deleting || (tenant && ep->tenant != tenant))
            continue;
        h = th_engine_endpoint_health(r->api->engine, ep);
        if (state >= 0 && (int)h.state != state)
            continue;
        write_row(r, &w, ep, &h);
        shown++;
    }
    th_jw_end_array(&w);
    th_api_next_cursor(r, &w, next);
    th_jw_end_object(&w);
    th_api_send(r, 200);
}

void th_h_endpoint_health(struct th_api_req *r)
{
    th_api_in_turn(r, write_endpoint_health_now);
}
