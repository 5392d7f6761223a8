/* Home's side of a disabling that the engine itself asks for (disable.c has the owner's side, and the way between the two).
 *
 * Home does not know the owner: what it asks for next is called by the pointers of the struct. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/control/change.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/disable.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

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
    i->next.disabled_reason = i->c->disable.reason;
    if (th_run_new(i->e, &i->next, &i->next.spec, &i->run) || !th_change_endpoint_row(i, &i->next) ||
        !th_change_health_row(i, &i->next))
        return TH_CH_UNAVAILABLE;
    return TH_CH_DONE;
}

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
    th_mail_send(home, d->owner, &d->mail, d->rows_ready);
}

void th_change_begin_endpoint_disable(struct change_impl *i)
{
    struct th_disabling *d = TH_CONTAINER(i->c, struct th_disabling, c);
    enum th_change_result result;

    d->i = i;
    if (d->a) {
        th_mail_send(i->e, d->owner, &d->mail, d->judge);
        return;
    }
    result = disable_rows(i, &d->health);
    if (result == TH_CH_DONE)
        th_change_submit(i, false);
    else
        th_change_finish(i, result);
}

static void disabled(struct th_change *c)
{
    struct th_disabling *d = TH_CONTAINER(c, struct th_disabling, c);
    struct th_engine *home = d->home;
    struct th_ep *ep = th_map_get(&home->endpoints, d->endpoint);

    if (c->result == TH_CH_DONE && ep) {
        th_count(home->options.metrics, TH_C_ENDPOINTS_DISABLED, 1);
        th_log(TH_LOG_WARN, "endpoint disabled", TH_KS("endpoint", ep->pub.run->id),
               TH_KS("tenant", ep->pub.tenant->id), TH_KS("reason", c->disable.reason));
        th_operator_endpoint(home, ep, "disabled", c->disable.reason.p);
    }
    th_change_fini(c);
    if (d->a)
        th_mail_send(home, d->owner, &d->mail, d->store_alone);
    else
        th_free(d);
}

static void asked(struct th_engine *home, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);

    d->home = home;
    d->c.done = disabled;
    th_engine_change(home, &d->c);
}

const struct th_disable_home th_change_disable_steps = {asked, judged, carried, th_change_enable};
