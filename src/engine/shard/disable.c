/* Disables an endpoint because of the end of an attempt, or because of a rule alone, at the engine that owns
 * it.
 *
 * asked (owner) → its turn among the changes (home) → still wanted? (owner) → the rows (home) → the attempt is concluded, and stored
 * with the rows where it still says so (owner) → in force (home). Each arrow between the two is a letter;
 * with one engine it goes to that engine itself. The outcome that a disabling follows from is stored with it,
 * in one commit; the attempt is stored in any case. A disabling for which there is no memory is dropped: the
 * next failure asks again. */
#include "engine/shard/disable.h"
#include "base/alloc.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/outcome.h"
#include "engine/shard/settle.h"
#include "engine/state.h"

static void stored(struct th_attempt *a, enum th_error error, bool applied)
{
    struct th_disabling *d = a->disabling;

    a->disabling = NULL;
    a->settle.with = NULL;
    d->error = error;
    d->applied = applied;
    th_mail_send(a->e, 0, &d->mail, a->e->disable_home->carried);
}

/* Home has made the rows. */
static void rows_ready(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);
    struct th_attempt *a = d->a;
    struct th_outcome o = th_outcome_of(a);

    (void)owner;
    th_outcome_take(a, &o);
    d->wanted = o.disable != TH_KEEP && d->with;
    a->disabling = d;
    a->carried = stored;
    a->settle.with = d->wanted ? d->with : NULL;
    th_settle_submit(a);
    if (!d->wanted) /* the attempt is stored for itself */
        stored(a, TH_OK, false);
}

static void judge(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);
    struct th_outcome o = th_outcome_of(d->a);

    d->wanted = o.disable != TH_KEEP;
    d->health = o.health;
    th_mail_send(owner, 0, &d->mail, owner->disable_home->judged);
}

/* Owner: the change did not have its turn. */
static void store_alone(struct th_engine *owner, struct th_mail *m)
{
    struct th_disabling *d = TH_CONTAINER(m, struct th_disabling, mail);
    struct th_outcome o = th_outcome_of(d->a);

    (void)owner;
    th_outcome_take(d->a, &o);
    th_settle_submit(d->a);
    th_free(d);
}

bool th_disable_endpoint(struct th_engine *e, struct th_ep *ep, enum th_disable why, struct th_attempt *a)
{
    struct th_disabling *d;

    if (ep->gone || th_ep_held(&ep->pub) || ep->pub.tenant->id.n >= sizeof d->tenant)
        return false;
    d = th_calloc(1, sizeof *d);
    if (!d)
        return false; /* the rule is evaluated again at the next failure */
    d->owner = e->options.shard;
    d->a = a;
    d->judge = judge;
    d->rows_ready = rows_ready;
    d->store_alone = store_alone;
    d->health = ep->pub.health;
    d->endpoint = ep->pub.no;
    memcpy(d->tenant, ep->pub.tenant->id.p, ep->pub.tenant->id.n);
    d->c.kind = TH_CHANGE_ENDPOINT_DISABLE;
    d->c.tenant_id = th_span(d->tenant, ep->pub.tenant->id.n);
    d->c.endpoint = ep->pub.no;
    d->c.disable.reason = th_str(th_disable_name(why));
    if (th_is_home(e))
        e->disable_home->asked(e, &d->mail);
    else
        th_mail_send(e, 0, &d->mail, e->disable_home->asked);
    return true;
}

/* ---- the rules, when everything is loaded ---- */

struct th_mono th_disable_rules_wanted(const struct th_engine *e)
{
    return e->rules_wanted ? e->now.mono : TH_MONO_NEVER;
}

/* The rules may have changed since the last run, and a disabling may have found no memory. */
void th_disable_by_rules(struct th_engine *e)
{
    e->rules_wanted = false;
    for (unsigned i = 0; i < e->tenant_count; i++) {
        const struct th_tenant *t = e->tenants[i];
        for (unsigned k = 0; k < t->endpoint_count; k++) {
            enum th_disable why =
                th_health_check(&th_dialect_values(t->dialect)->rules, &t->endpoints[k]->health);
            if (why != TH_KEEP && th_is_mine(e, t->endpoints[k]->no))
                (void)th_disable_endpoint(e, TH_CONTAINER(t->endpoints[k], struct th_ep, pub), why, NULL);
        }
    }
}
