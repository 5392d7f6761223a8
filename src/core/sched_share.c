/* Places at a host or an address: of this scheduler alone, or shared with those of the process's other threads.
 *
 * Alone, a place is a number in `held` that is compared with the limit. Shared, the process counts in th_places (base/places.h),
 * `held` is what of it belongs to this scheduler, and who finds no place is told of one by another scheduler: a grant, which the engine
 * carries as a letter (th_sched_grant_next, th_sched_granted). Between the letter's arrival and its use the place is
 * `in_hand`; what nobody wants any more is given back, and so handed on.
 *
 * Invariant: `held` and `in_hand` together are the places that the process counts for this scheduler. Only share_sit allocates. */
#include "core/sched_int.h"

bool share_sit(struct th_sched *s, struct share *sh, enum share_kind kind, uint64_t key, uint64_t tenant)
{
    sh->kind = kind;
    th_list_init(&sh->grant.mail.link);
    return !s->options.places ||
           th_places_sit(s->options.places, s->options.sharer, kind, key, tenant, &sh->seat) == TH_OK;
}

void share_leave(struct th_sched *s, struct share *sh)
{
    if (s->options.places)
        th_places_leave(s->options.places, &sh->seat);
}

void share_drop(struct th_sched *s, struct share *sh)
{
    th_places_wait_no_more(&sh->seat);
    sh->seat.waits = false; /* a grant that is under way will not be read */
    share_leave(s, sh);
}

/* Hands free places on to other schedulers that wait. */
static void hand_on(struct th_sched *s, struct share *sh, uint32_t max)
{
    struct th_seat *seat;

    while ((seat = th_places_next(&sh->seat, max))) {
        struct th_sched_grant *g = &TH_CONTAINER(seat, struct share, seat)->grant;
        g->to = seat->sharer;
        th_list_append(&s->grants, &g->mail.link);
    }
}

bool share_take(struct share *sh, uint32_t max)
{
    bool taken = sh->seat.place ? th_places_take(&sh->seat, max) : sh->held < max;

    sh->held += taken;
    return taken;
}

bool share_take_or_wait(struct th_sched *s, struct share *sh, uint32_t max)
{
    if (!sh->seat.place)
        return share_take(sh, max);
    if (sh->in_hand || th_places_take_or_wait(&sh->seat, max)) {
        sh->in_hand = false;
        sh->held++;
        return true;
    }
    hand_on(s, sh, max);
    return false;
}

void share_force(struct share *sh, uint32_t n)
{
    sh->held += n;
    if (sh->seat.place)
        th_places_force(&sh->seat, n);
}

void share_give(struct th_sched *s, struct share *sh, uint32_t n, uint32_t max)
{
    sh->held -= n;
    if (!sh->seat.place)
        return;
    th_places_give(&sh->seat, n);
    hand_on(s, sh, max);
}

void share_wait_no_more(struct th_sched *s, struct share *sh, uint32_t max)
{
    th_places_wait_no_more(&sh->seat);
    if (!sh->in_hand)
        return;
    sh->in_hand = false;
    th_places_give(&sh->seat, 1);
    hand_on(s, sh, max);
}

void share_join(struct share *sh)
{
    if (sh->seat.place)
        th_places_join(&sh->seat, 1);
}

void share_part(struct th_sched *s, struct share *sh)
{
    if (sh->seat.place && th_places_part(&sh->seat, 1) == 1)
        hand_on(s, sh, UINT32_MAX); /* who is alone now has room, whatever the limit is */
}

struct th_sched_grant *th_sched_grant_next(struct th_sched *s)
{
    struct th_list *l = th_list_pop(&s->grants);

    return l ? TH_CONTAINER(l, struct th_sched_grant, mail.link) : NULL;
}
