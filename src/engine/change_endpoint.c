/* Changes of endpoints: look-up of a new URL's name, making, changing, deleting, and the disabling that the engine itself
 * asks for.
 *
 * It refuses: specs that do not check, URLs whose name resolves to an address that the guard does not allow. A name that
 * does not resolve now is accepted, since each attempt judges it again.
 *
 * Invariants: (1) a look-up is on e->lookups until it has ended, and ends once, also when it is cancelled; (2) a `begin`
 * changes no settings in memory, it submits or fails; (3) an endpoint in memory is replaced field by field, so that
 * pointers to it stay good; (4) the outcome that a disabling follows from is stored with it, in one commit, and without it
 * where there is none. A disabling for which there is no memory is dropped: the next failure asks again. */
#include "engine/change.h"
#include <stdio.h>

/* The name of a new URL being resolved; on e->lookups. */
struct lookup {
    struct th_list link;
    struct th_engine *e;
    struct th_change *c;
    struct th_url url;
    struct th_resolve resolve;
};

/* ---- rows ---- */

bool th_change_endpoint_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = th_change_row(i, TH_ROW_ENDPOINT, ep->no);
    struct th_buf settings;
    bool ok;

    if (!row)
        return false;
    row->rev = ep->rev;
    row->created = ep->created.ms;
    row->updated = ep->updated.ms;
    th_buf_init(&settings, TH_MAX_SPEC_BYTES * 2);
    ok = !th_endpoint_write(i->e, ep, &settings) && !settings.failed &&
         th_arena_copy(&i->mem, th_buf_view(&settings), &row->settings);
    th_buf_fini(&settings);
    return ok;
}

static bool health_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = th_change_row(i, TH_ROW_HEALTH, ep->no);

    if (!row)
        return false;
    row->health[0] = ep->health.first_fail;
    row->health[1] = ep->health.last_ok;
    row->health[2] = ep->health.exhausted_run;
    row->health[3] = ep->health.rest_since;
    row->health[4] = ep->health.rest_until;
    return true;
}

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
    if (th_run_new(e, &ep->pub, &c->spec, &ep->pub.run)) {
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
    if (c->previous.n) { /* its number is the lower one: at a start the highest is the newest */
        struct th_secret *previous = &ep->pub.secrets[ep->pub.secret_count++];

        previous->until = c->previous_until;
        if (!th_change_secret_take(i, &ep->pub, c->previous, e->last_secret + 1, previous) ||
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

static void build_endpoint_set(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;

    i->next = i->ep->pub;
    i->next.rev++;
    i->next.updated = e->now.wall;
    if (c->clear_disabled) {
        i->next.disabled_at.ms = 0;
        i->next.disabled_reason = th_span("", 0);
        i->next.health.first_fail = 0;
        i->next.health.exhausted_run = 0;
        i->next.health.rest_since = i->next.health.rest_until = 0;
    }
    if (th_run_new(e, &i->next, &c->spec, &i->run)) {
        th_change_no_memory(i);
        return;
    }
    i->next.spec = i->run->spec;
    if (!th_span_eq(i->ep->pub.spec.url, i->run->spec.url))
        i->next.consent = (struct th_consent){0}; /* the other server has said nothing */
    if (!th_change_endpoint_row(i, &i->next) || (c->clear_disabled && !health_row(i, &i->next))) {
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
        th_denied_text(e, why, err->detail, sizeof err->detail);
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
        (ep && th_span_eq(ep->pub.spec.url, c->spec.url)))
        return false;
    l = th_calloc(1, sizeof *l);
    if (!l || th_guard_url(e->options.guard, c->spec.url, &l->url, &why) || l->url.literal) {
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
    if (!th_spec_check(i->e, i->tenant, i->c, &i->url))
        th_change_finish(i, TH_CH_INVALID);
    else if (i->c->check_as)
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
    th_run_part(&i->made->pub);
    if (th_settings_add_endpoint(e, i->made)) {
        th_engine_store_error(e, TH_BUG);
        return;
    }
    th_replica_endpoint(e, i->made, false, false);
    i->c->ep = &i->made->pub;
    i->made = NULL;
    th_limit_added(e, i->tenant, TH_L_ENDPOINTS);
}

void th_change_end_endpoint_set(struct change_impl *i)
{
    struct th_ep *ep = i->ep;
    bool reset = !th_span_eq(ep->pub.spec.url, i->run->spec.url) ||
                 (ep->pub.disabled_at.ms && !i->next.disabled_at.ms);

    i->tenant->version = i->op.new_version;
    th_settings_take(ep, i->run, &i->next);
    i->run = NULL;
    th_run_part(&ep->pub);
    if (i->c->clear_disabled)
        ep->pub.health = i->next.health;
    if (th_settings_sched(i->e, ep, reset))
        th_engine_store_error(i->e, TH_BUG);
    if (i->c->kind == TH_CHANGE_ENDPOINT_SET)
        th_consent_again(i->e, ep);
    if (reset && th_is_mine(i->e, ep->pub.no))
        th_rest_forget(i->e, ep);
    th_replica_endpoint(i->e, ep, reset, i->c->clear_disabled);
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
    th_settings_drop_endpoint(i->e, i->ep);
    th_replica_endpoint_gone(i->e, i->tenant, no);
}

/* The rows of a disabling. DONE: they are made. */
static enum th_change_result disable_rows(struct change_impl *i, const struct th_health *health)
{
    i->next = i->ep->pub;
    i->next.health = *health;
    if (th_ep_held(&i->next))
        return TH_CH_CONFLICT;
    i->next.rev++;
    i->next.updated = i->e->now.wall;
    i->next.disabled_at = i->e->now.wall;
    i->next.disabled_reason = i->c->note;
    if (th_run_new(i->e, &i->next, &i->next.spec, &i->run) || !th_change_endpoint_row(i, &i->next) ||
        !health_row(i, &i->next))
        return TH_CH_UNAVAILABLE;
    return TH_CH_DONE;
}

/* ---- a disabling that an attempt of any engine asks for ----
 *
 * asked (owner) → its turn among the changes (home) → still wanted? (owner) → the rows (home) → the attempt is concluded, and
 * stored with the rows where it still says so (owner) → in force (home). Each arrow between the two is a letter; with one engine it is one to
 * oneself. The attempt is stored in any case. */

struct th_disabling {
    struct th_mail mail;
    struct th_change c;
    struct change_impl *i; /* home's, from its turn on */
    struct th_engine *home;
    unsigned owner;
    struct th_attempt *a; /* the owner's; NULL: a rule says so, without an attempt, or it has been stored */
    struct th_settings_op *with;
    struct th_health health; /* as the owner has it */
    bool wanted, applied;
    enum th_error error;
    uint64_t endpoint;
    char tenant[160];
};

static void rows_ready(struct th_engine *owner, struct th_mail *m);

/* Home: the owner has stored the outcome, with the change or without. */
static void carried(struct th_engine *home, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);

    (void)home;
    d->a = NULL;
    if (d->with)
        th_change_carried(d->i, d->error, d->applied);
    else
        th_change_finish(d->i, d->i->c->result);
}

void th_disabling_stored(struct th_attempt *a, enum th_error error, bool applied)
{
    struct th_disabling *d = a->disabling;

    a->disabling = NULL;
    a->settle.with = NULL;
    d->error = error;
    d->applied = applied;
    th_mail_send(a->e, 0, &d->mail, carried);
}

/* Home: the owner has said how it stands. */
static void judged(struct th_engine *home, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);
    struct change_impl *i = d->i;
    enum th_change_result result;

    i->ep = th_map_get(&home->endpoints, d->endpoint);
    result = !d->wanted || !i->ep ? TH_CH_CONFLICT : disable_rows(i, &d->health);
    i->c->result = result;
    if (result == TH_CH_DONE) {
        th_change_prepare(i, false);
        d->with = &i->op;
    }
    th_mail_send(home, d->owner, &d->mail, rows_ready);
}

/* Owner. */
static void rows_ready(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);
    struct th_attempt *a = d->a;

    (void)owner;
    d->wanted = th_attempt_conclude(a) != TH_KEEP && d->with;
    a->disabling = d;
    a->settle.with = d->wanted ? d->with : NULL;
    th_settle_submit(a);
    if (!d->wanted) /* the attempt is stored for itself */
        th_disabling_stored(a, TH_OK, false);
}

static void judge(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);

    d->wanted = th_attempt_would_disable(d->a, &d->health) != TH_KEEP;
    th_mail_send(owner, 0, &d->mail, judged);
}

void th_change_begin_endpoint_disable(struct change_impl *i)
{
    struct th_disabling *d = TH_CONTAINER(i->c, struct th_disabling, c);
    enum th_change_result result;

    d->i = i;
    if (d->a) {
        th_mail_send(i->e, d->owner, &d->mail, judge);
        return;
    }
    result = disable_rows(i, &d->health);
    if (result == TH_CH_DONE)
        th_change_submit(i, false);
    else
        th_change_finish(i, result);
}

/* Owner: the change did not have its turn. */
static void store_alone(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);

    (void)owner;
    (void)th_attempt_conclude(d->a);
    th_settle_submit(d->a);
    th_free(d);
}

static void disabled(struct th_change *c)
{
    struct th_disabling *d = TH_CONTAINER(c, struct th_disabling, c);
    struct th_engine *home = d->home;
    struct th_ep *ep = th_map_get(&home->endpoints, d->endpoint);

    if (c->result == TH_CH_DONE && ep) {
        th_count(home->options.metrics, TH_C_ENDPOINTS_DISABLED, 1);
        th_log(TH_LOG_WARN, "endpoint disabled", TH_KS("endpoint", ep->pub.run->id),
               TH_KS("tenant", ep->pub.tenant->id), TH_KS("reason", c->note));
        th_operator_endpoint(home, ep, "endpoint.disabled", c->note.p);
    }
    th_change_fini(c);
    if (d->a)
        th_mail_send(home, d->owner, &d->mail, store_alone);
    else
        th_free(d);
}

static void asked(struct th_engine *home, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);

    d->home = home;
    th_engine_change(home, &d->c);
}

bool th_endpoint_disable(struct th_engine *e, struct th_ep *ep, enum th_disable why, struct th_attempt *a)
{
    struct th_disabling *d;

    if (ep->gone || th_ep_held(&ep->pub) || ep->pub.tenant->id.n >= sizeof d->tenant)
        return false;
    d = th_calloc(1, sizeof *d);
    if (!d)
        return false; /* the rule is evaluated again at the next failure */
    d->owner = e->options.shard;
    d->a = a;
    d->health = ep->pub.health;
    d->endpoint = ep->pub.no;
    memcpy(d->tenant, ep->pub.tenant->id.p, ep->pub.tenant->id.n);
    d->c.kind = (enum th_change_kind)TH_CHANGE_ENDPOINT_DISABLE;
    d->c.tenant_id = th_span(d->tenant, ep->pub.tenant->id.n);
    d->c.endpoint = ep->pub.no;
    d->c.note = th_str(th_disable_name(why));
    d->c.done = disabled;
    if (th_is_home(e))
        asked(e, &d->mail);
    else
        th_mail_send(e, 0, &d->mail, asked);
    return true;
}
