/* Hands places at hosts and addresses to the schedulers of other engines: each is a letter, whose memory
 * belongs to the receiver (core/sched_share.c).
 *
 * They leave at the end of the turn in which the place has become free, with the other letters. An engine
 * that ends keeps no place: those that wait for one get it before the last letter is counted. */
#include "engine/shard/grant.h"
#include "engine/mail.h"
#include "engine/state.h"

static void granted(struct th_engine *e, struct th_mail *m)
{
    th_sched_granted(e->sched, TH_CONTAINER(m, struct th_sched_grant, mail), e->now.mono);
}

void th_grants_send(struct th_engine *e)
{
    struct th_sched_grant *g;

    while ((g = th_sched_grant_next(e->sched)))
        th_mail_send(e, g->to, &g->mail, granted);
}
