/* Changes of endpoints: look-up of a new URL's name, making, changing, deleting.
 *
 * It refuses: specs that do not check, URLs whose name resolves to an address that the guard does not allow. A name that
 * does not resolve now is accepted, since each attempt judges it again.
 *
 * Invariants: (1) a look-up is on e->lookups until it has ended, and ends once, also when it is cancelled; (2) a `begin`
 * changes no settings in memory, it submits or fails; (3) an endpoint in memory is replaced field by field, so that
 * pointers to it stay good. */
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/control/check.h"
#include "engine/control/replica.h"
#include "engine/mail.h"
#include "engine/settings/consent.h"
#include "engine/settings/limits.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/shard/health.h"
#include "engine/shard/leave.h"
#include "engine/shard/near.h"
#include "engine/shard/report.h"
#include "engine/state.h"
#include <stdio.h>

/* The name of a new URL being resolved; on e->lookups. */
struct lookup {
    struct th_list link;
    struct th_engine *e;
    struct th_change *c;
    struct th_url url;
    struct th_resolve resolve;
};

/* ---- building ---- */

static void build_endpoint_add(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;
    struct th_ep *ep = th_ep_new(e, i->tenant, e->last_endpoint + 1);

    i->made = ep;
    if (!ep) {
        th_change_no_memory(i);
        return;
    }
    ep->pub.rev = 1;
    ep->pub.created = ep->pub.updated = e->now.wall;
    ep->pub.rnd = th_engine_rnd32(e) & ((1u << 27) - 1);
    if (th_run_new(e, &ep->pub, &c->endpoint_put.spec, &ep->pub.run)) {
        th_change_no_memory(i);
        return;
    }
    ep->pub.spec = ep->pub.run->spec;
    if (!th_change_secret_make(i, &ep->pub)) {
        th_change_no_memory(i);
        return;
    }
    ep->pub.secrets[0] = i->secret;
    ep->pub.secret_count = 1;
    i->secret = (struct th_secret){0};
    if (c->endpoint_put.previous.n) { /* its number is the lower one: at a start the highest is the newest */
        struct th_secret *previous = &ep->pub.secrets[ep->pub.secret_count++];

        previous->until = c->endpoint_put.previous_until;
        if (!th_change_secret_take(i, &ep->pub, c->endpoint_put.previous, e->last_secret + 1, previous) ||
            !th_change_secret_row(i, &ep->pub, previous, false)) {
            th_change_no_memory(i);
            return;
        }
    }
    if (!th_change_endpoint_row(i, &ep->pub) ||
        !th_change_secret_row(i, &ep->pub, &ep->pub.secrets[0], false) ||
        !th_change_last_number(i, "last_endpoint", ep->pub.no)) {
        th_change_no_memory(i);
        return;
    }
    c->ep = &ep->pub;
    c->tenant = i->tenant;
    th_change_submit(i, false);
}

void th_change_clear_disabled(struct th_endpoint *ep)
{
    ep->disabled_at.ms = 0;
    ep->disabled_reason = th_span("", 0);
    ep->health.first_fail = 0;
    ep->health.exhausted_run = 0;
    ep->health.rest_since = ep->health.rest_until = 0;
}

/* What waits under the schedule of before keeps its time. th_clock_due has to know how long that may be. */
static void note_schedule(struct change_impl *i)
{
    struct th_endpoint_spec *s = &i->c->endpoint_put.spec;
    struct th_rules room;
    int64_t until;

    if (th_retry_own_same(s->retry, i->ep->pub.spec.retry))
        return;
    until = i->e->now.wall.ms + th_retry_longest_delay_ms(th_ep_rules(&i->ep->pub, &room));
    if (until > s->retry_until)
        s->retry_until = until;
}

static void build_endpoint_set(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;

    i->next = i->ep->pub;
    i->next.rev++;
    i->next.updated = e->now.wall;
    if (c->endpoint_put.clear_disabled)
        th_change_clear_disabled(&i->next);
    note_schedule(i);
    if (th_run_new(e, &i->next, &c->endpoint_put.spec, &i->run)) {
        th_change_no_memory(i);
        return;
    }
    i->next.spec = i->run->spec;
    if (!th_span_eq(i->ep->pub.spec.url, i->run->spec.url))
        i->next.consent = (struct th_consent){0}; /* the other server has said nothing */
    if (!th_change_endpoint_row(i, &i->next) ||
        (c->endpoint_put.clear_disabled && !th_change_health_row(i, &i->next))) {
        th_change_no_memory(i);
        return;
    }
    th_change_submit(i, false);
}

static void build(struct change_impl *i)
{
    if (i->c->kind == TH_CHANGE_ENDPOINT_ADD)
        build_endpoint_add(i);
    else
        build_endpoint_set(i);
}

/* ---- the name of a new URL ---- */

/* All answers are judged; a name that does not resolve now is accepted and judged at each attempt. The change goes on
 * with the verdict among its errors, so that an answer names all that is wrong. */
static void looked_up(struct th_resolve *r)
{
    struct lookup *l = r->user;
    struct th_engine *e = l->e;
    struct th_change *c = l->c;
    const char *why = NULL;
    unsigned bad;

    th_engine_tick(e);
    if (r->error == TH_OK && th_guard_answers(e->options.guard, r->addrs, r->count, &why, &bad)) {
        struct th_field_error *err = &c->errors[c->error_count++];

        snprintf(err->field, sizeof err->field, "url");
        th_report_denied_text(e, why, err->detail, sizeof err->detail);
        th_report_denied(e, c->tenant_id, l->url.host, &r->addrs[bad], why);
    }
    th_list_remove(&l->link);
    th_free(l);
    if (e->draining) {
        th_change_stopping(c);
        return;
    }
    th_list_append(&e->changes, &c->link);
    if (e->options.wake.fn)
        e->options.wake.fn(e->options.wake.ctx); /* a loop may call this after its turn and then sleep */
}

/* True when the change waits for a name. Faults of the URL itself are found when the change begins. */
bool th_change_look_up(struct th_engine *e, struct th_change *c)
{
    const struct th_ep *ep = c->endpoint ? th_map_get(&e->endpoints, c->endpoint) : NULL;
    struct lookup *l;
    const char *why;

    if ((c->kind != TH_CHANGE_ENDPOINT_ADD && c->kind != TH_CHANGE_ENDPOINT_SET) || e->draining || e->dead ||
        (ep && th_span_eq(ep->pub.spec.url, c->endpoint_put.spec.url)))
        return false;
    l = th_calloc(1, sizeof *l);
    if (!l || th_guard_url(e->options.guard, c->endpoint_put.spec.url, &l->url, &why) || l->url.literal) {
        th_free(l); /* without memory: as a name that does not resolve now */
        return false;
    }
    l->e = e;
    l->c = c;
    th_list_init(&l->link);
    th_list_append(&e->lookups, &l->link);
    l->resolve = (struct th_resolve){
        .host = l->url.host, .done = looked_up, .user = l, .deadline = {e->now.mono.us + 3000000}};
    l->resolve.tenant = ep ? ep->pub.tenant->no : 0;
    if (!ep && th_engine_tenant(e, c->tenant_id))
        l->resolve.tenant = th_engine_tenant(e, c->tenant_id)->no;
    e->options.resolver->vt->submit(e->options.resolver, &l->resolve);
    return true;
}

void th_change_look_ups_cancel(struct th_engine *e)
{
    struct th_list *l, *next;

    for (l = e->lookups.next; l != &e->lookups; l = next) {
        next = l->next;
        e->options.resolver->vt->cancel(e->options.resolver, &TH_CONTAINER(l, struct lookup, link)->resolve);
    }
}

/* ---- begin and end ---- */

void th_change_begin_endpoint_put(struct change_impl *i)
{
    if (!th_check_spec(i->e, i->tenant, i->c, &i->url))
        th_change_finish(i, TH_CH_INVALID);
    else if (i->c->endpoint_put.check_as)
        th_change_finish(i, TH_CH_CHECKED); /* what would be built belongs to a tenant that is not there */
    else if (i->c->kind == TH_CHANGE_ENDPOINT_ADD &&
             !th_limit_allows(i->e, i->tenant, TH_L_ENDPOINTS, 1, i->c->detail, sizeof i->c->detail))
        th_change_limited(i, TH_L_ENDPOINTS);
    else
        build(i);
}

void th_change_end_endpoint_add(struct change_impl *i)
{
    struct th_engine *e = i->e;

    i->tenant->version = i->op.new_version;
    e->last_secret = i->made->pub.secrets[0].no;
    th_texts_part(&i->made->pub);
    if (th_settings_add_endpoint(e, i->made)) {
        th_engine_store_error(e, TH_BUG);
        return;
    }
    th_replica_endpoint(e, i->made, false, false);
    i->c->ep = &i->made->pub;
    i->made = NULL;
    th_near_added(e, i->tenant, TH_L_ENDPOINTS);
}

void th_change_end_endpoint_set(struct change_impl *i)
{
    struct th_ep *ep = i->ep;
    bool reset = !th_span_eq(ep->pub.spec.url, i->run->spec.url) ||
                 (ep->pub.disabled_at.ms && !i->next.disabled_at.ms),
         cleared = i->c->kind == TH_CHANGE_ENDPOINT_ENABLE ||
                   (i->c->kind == TH_CHANGE_ENDPOINT_SET && i->c->endpoint_put.clear_disabled);

    i->tenant->version = i->op.new_version;
    th_settings_take(i->e, ep, i->run, &i->next);
    i->run = NULL;
    th_texts_part(&ep->pub);
    if (cleared)
        ep->pub.health = i->next.health;
    if (th_settings_sched(i->e, ep, reset))
        th_engine_store_error(i->e, TH_BUG);
    if (i->c->kind == TH_CHANGE_ENDPOINT_SET)
        th_consent_again(i->e, ep);
    if (reset && th_is_mine(i->e, ep->pub.no))
        th_health_rest_forget(i->e, ep);
    th_replica_endpoint(i->e, ep, reset, cleared);
    i->c->ep = &ep->pub;
}

void th_change_begin_endpoint_del(struct change_impl *i)
{
    struct th_row *row = th_change_row(i, TH_ROW_ENDPOINT, i->ep->pub.no);

    if (!row) {
        th_change_no_memory(i);
        return;
    }
    row->del = true;
    th_change_submit(i, false);
}

void th_change_end_endpoint_del(struct change_impl *i)
{
    uint64_t no = i->ep->pub.no;

    i->tenant->version = i->op.new_version;
    th_leave_endpoint(i->e, i->ep);
    th_replica_endpoint_gone(i->e, i->tenant, no);
}
