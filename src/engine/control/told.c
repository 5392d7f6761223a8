/* What has been answered is known at every node: a cancelled delivery begins no request, whichever node owns it.
 *
 * A FOLLOW that begins after a commit finds a position behind it. When the others have applied that one, they know of the commit; a node
 * whose lease has ended is not waited for, since it sends nothing. If this node dies meanwhile, nothing has been answered. */
#include "engine/control/told.h"
#include "engine/state.h"

void th_told_wait(struct th_engine *e, struct th_told *t)
{
    if (!e->shared) {
        t->run(e, t);
        return;
    }
    t->asked = false;
    t->upto = 0;
    e->letters_out++;
    th_list_append(&e->telling, &t->link);
    e->jobs[TH_JOB_FOLLOW].at = e->now.mono;
    e->more = true;
}

void th_told_asked(struct th_engine *e)
{
    for (struct th_list *l = e->telling.next; l != &e->telling; l = l->next)
        TH_CONTAINER(l, struct th_told, link)->asked = true;
}

void th_told_answered(struct th_engine *e, uint64_t upto)
{
    struct th_list *next;

    for (struct th_list *l = e->telling.next; l != &e->telling; l = next) {
        struct th_told *t = TH_CONTAINER(l, struct th_told, link);

        next = l->next;
        if (t->asked && !t->upto)
            t->upto = upto;
        if (!upto || !t->upto || e->told < t->upto)
            continue;
        th_list_remove(&t->link);
        e->letters_out--;
        t->run(e, t);
    }
}
