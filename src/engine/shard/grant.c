/* Places at hosts and addresses that the scheduler hands on to those of other engines: each is a letter, whose memory is the
 * receiver's (core/sched_share.c).
 *
 * They leave at the end of the turn in which the place has become free, with the other letters. An engine that ends keeps none: whoever
 * waits is told before the last letter is counted. */
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
