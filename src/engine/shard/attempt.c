/* The attempts of an engine: their memory, which is used again with its buffers, and the end of requests that nobody wants any
 * more.
 *
 * An attempt is on one list from th_attempt_get to th_attempt_release (waiting for its event, or running),
 * and holds its event, its endpoint and the settings with which it began. A request that is cancelled still
 * ends by its callback. */
#include "engine/shard/attempt.h"
#include "base/alloc.h"
#include "base/check.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/shard/events.h"
#include "engine/shard/token.h"
#include "engine/state.h"

#define KEEP_ATTEMPTS 256 /* with their buffers; those of a burst beyond are given back */

struct th_attempt *th_attempt_get(struct th_engine *e)
{
    struct th_list *l = th_list_pop(&e->free_attempts);
    struct th_attempt *a;

    if (l) {
        a = TH_CONTAINER(l, struct th_attempt, link);
        e->free_attempt_count--;
    } else {
        a = th_calloc(1, sizeof *a);
        if (!a)
            return NULL;
        a->e = e;
        th_list_init(&a->link);
        th_list_init(&a->token_wait);
        th_list_init(&a->mates);
        th_list_init(&a->mate);
        th_buf_init(&a->head, 256u << 10);
        th_buf_init(&a->body, 32u << 20);
        th_buf_init(&a->sigs, 16u << 10);
        th_buf_init(&a->answer, 64u << 10);
    }
    a->unsendable = a->out.cancelled = a->out.resolving = a->out.running = false;
    a->trace.sampled = a->trace.known = false;
    a->event = NULL;
    a->counted = 0;
    a->out.dns_us = -1;
    a->held = 0;
    a->delivery_id_len = 0;
    a->leader = NULL;
    a->unread = 0;
    a->settle.more = NULL;
    th_buf_reset(&a->head);
    th_buf_reset(&a->body);
    th_buf_reset(&a->sigs);
    th_buf_reset(&a->answer);
    return a;
}

static void attempt_free(struct th_attempt *a)
{
    th_buf_wipe(&a->head);
    th_buf_fini(&a->body);
    th_buf_fini(&a->sigs);
    th_buf_fini(&a->answer);
    th_free(a);
}

void th_attempt_release(struct th_attempt *a)
{
    struct th_engine *e = a->e;

    TH_CHECK(e->attempts_out && e->pinned_bytes >= a->held && !a->mate_count);
    th_list_remove(&a->link);
    if (a->leader) {
        th_list_remove(&a->mate);
        a->leader->mate_count--;
    }
    if (a->event)
        th_event_unpin(e, a->event);
    a->event = NULL;
    th_token_unref(a->token);
    a->token = NULL;
    th_run_unref(a->run);
    th_ep_unref(e, a->ep);
    a->run = NULL;
    a->ep = NULL;
    if (a->head.n) /* may hold a customer's bearer secret */
        th_wipe(a->head.p, a->head.n);
    e->pinned_bytes -= a->held;
    th_buf_shrink(&a->head);
    th_buf_shrink(&a->body);
    th_buf_shrink(&a->answer);
    e->attempts_out--;
    e->slot_busy[th_slot_of(a->row.endpoint)]--;
    if (e->free_attempt_count == KEEP_ATTEMPTS) {
        attempt_free(a);
        return;
    }
    e->free_attempt_count++;
    th_list_prepend(&e->free_attempts, &a->link);
}

void th_attempts_free(struct th_engine *e)
{
    struct th_list *l;

    while ((l = th_list_pop(&e->free_attempts)))
        attempt_free(TH_CONTAINER(l, struct th_attempt, link));
}

/* ---- requests that nobody wants any more ---- */

/* False: it has been cancelled before. */
static bool cancel_request(struct th_attempt *a)
{
    bool new = !a->out.cancelled;

    th_outgoing_cancel(&a->out);
    return new;
}

/* Of one endpoint, or NULL: all. */
static void cancel_requests(struct th_engine *e, const struct th_ep *ep)
{
    struct th_list *l, *next;

    for (l = e->running.next; l != &e->running; l = next) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        next = l->next; /* a cancelled look-up may end inside the call */
        if (!ep || a->ep == ep)
            (void)cancel_request(a);
    }
    th_token_cancel(e, ep); /* what waits for it ends with it */
}

void th_engine_cancel_requests(struct th_engine *e)
{
    e->no_requests = true;
    cancel_requests(e, NULL);
}

void th_attempts_cancel(struct th_engine *e, const struct th_ep *ep)
{
    cancel_requests(e, ep);
}

bool th_attempts_cancel_some(struct th_engine *e, const struct th_tenant *t)
{
    struct th_list *l, *next;

    for (l = e->running.next; l != &e->running; l = next) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        next = l->next; /* a cancelled look-up may end inside the call */
        if (a->ep->pub.tenant != t || !cancel_request(a))
            continue;
        if (th_engine_turn_over(e, TH_TURN_DISPATCH_US))
            return false;
    }
    return true;
}
