/* Asks the engines that own endpoints for the health of these endpoints.
 *
 * Home keeps what it has been told about other engines' endpoints (health.c); only their owner knows what
 * changes with every request (deliveries that wait, the last attempt). */
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

struct look_letter {
    struct th_mail mail;
    struct th_look *look;
};

static void look_at(struct th_engine *e, uint64_t no, struct th_looked *out)
{
    const struct th_ep *ep = th_map_get(&e->endpoints, no);
    struct th_sched_endpoint_stats stats = {0};

    *out = (struct th_looked){.known = ep != NULL};
    if (!ep)
        return;
    (void)th_sched_endpoint_stats(e->sched, no, &stats);
    out->waiting = stats.waiting;
    out->in_flight = stats.in_flight;
    out->breaker_open = stats.breaker_open;
    out->spilled = stats.spilled;
    out->health = ep->pub.health;
    out->last = ep->last;
    th_trouble_window(&ep->trouble, e->now.mono, &out->first, &out->first_failed);
    if (!ep->pub.disabled_at.ms)
        out->disable_at =
            th_trouble_disable_at(&th_dialect_values(ep->pub.tenant->dialect)->rules, &ep->pub.health);
}

static void look_at_mine(struct th_engine *e, struct th_look *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (e->shared || th_is_mine(e, l->endpoints[i])) /* of another node's, what is stored is known */
            look_at(e, l->endpoints[i], &l->out[i]);
}

static void done(void *arg)
{
    struct th_look *l = arg;

    l->done(l);
}

static void seen(struct th_engine *home, struct th_mail *m)
{
    struct look_letter *letter = TH_CONTAINER(m, struct look_letter, mail);
    struct th_look *l = letter->look;

    th_free(letter);
    home->letters_out--;
    if (--l->waits == 0)
        l->done(l);
}

static void look(struct th_engine *e, struct th_mail *m)
{
    look_at_mine(e, TH_CONTAINER(m, struct look_letter, mail)->look);
    th_mail_send(e, 0, m, seen);
}

void th_engine_look(struct th_engine *home, struct th_look *l)
{
    bool asked[TH_SHARDS_MAX] = {false};

    th_engine_tick(home);
    memset(l->out, 0, l->count * sizeof *l->out);
    l->waits = 0;
    look_at_mine(home, l);
    for (uint32_t i = 0; i < l->count; i++)
        asked[th_owner(home, l->endpoints[i])] = true;
    for (unsigned to = 1; to < home->options.shards; to++) {
        struct look_letter *letter = asked[to] ? th_calloc(1, sizeof *letter) : NULL;

        if (!letter)
            continue; /* without memory they are shown as not known */
        letter->look = l;
        l->waits++;
        home->letters_out++;
        th_mail_send(home, to, &letter->mail, look);
    }
    if (l->waits == 0)
        th_engine_defer(home, &l->defer, done, l);
}
