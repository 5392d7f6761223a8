/* The exchange between the threads of the stores. Every list here changes under a lock, and belongs to one
 * side before and after.
 *
 * Invariant: a session is woken only when it had nothing to drain, so at most once per commit, and never after it was detached. */
#include "store/store_exchange.h"
#include "base/check.h"

/** Hands a list of ops to their session. */
void st_exchange_done(struct th_session *s, struct th_op *first, struct th_op **tail)
{
    bool wake;

    TH_CHECK(first && tail);
    *tail = NULL;
    pthread_mutex_lock(&s->lock);
    wake = s->done == NULL && s->wake.fn && s->attached;
    *s->done_tail = first;
    s->done_tail = tail;
    atomic_fetch_add(&s->waking, wake);
    pthread_mutex_unlock(&s->lock);
    if (!wake)
        return;
    s->wake.fn(s->wake.ctx); /* without the lock, because the woken thread would wait for it */
    atomic_fetch_sub(&s->waking, 1);
}

void st_exchange_read(struct st_reader *r, struct th_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&r->lock);
    if (!r->head)
        pthread_cond_signal(&r->wake);
    *r->tail = op;
    r->tail = &op->next;
    pthread_mutex_unlock(&r->lock);
}

uint64_t st_exchange_mark(struct st_store *s)
{
    uint64_t mark;

    pthread_mutex_lock(&s->lock);
    mark = s->groups_begun;
    pthread_mutex_unlock(&s->lock);
    return mark;
}

void st_exchange_wait(struct st_store *s, uint64_t mark)
{
    pthread_mutex_lock(&s->lock);
    while (s->groups_told < mark)
        pthread_cond_wait(&s->told, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void st_exchange_begin(struct st_store *s)
{
    pthread_mutex_lock(&s->lock);
    s->groups_begun++;
    pthread_mutex_unlock(&s->lock);
}

void st_exchange_told(struct st_store *s)
{
    pthread_mutex_lock(&s->lock);
    TH_CHECK(s->groups_told <= s->groups_begun);
    s->groups_told = s->groups_begun;
    pthread_cond_signal(&s->told); /* one reader has lists */
    pthread_mutex_unlock(&s->lock);
}

bool st_exchange_is_urgent(const struct th_op *op)
{
    return op->kind != TH_OP_SETTLE && (int)op->kind != ST_OP_RUN_BUILD;
}

void st_exchange_writes(struct st_store *s, struct th_op *first, struct th_op **tail, uint32_t count,
                        uint32_t urgent)
{
    bool wake;

    TH_CHECK(first && count && urgent <= count);
    if (s->metrics)
        th_gauge_add(s->metrics, TH_G_STORE_QUEUE, count);
    *tail = NULL;
    pthread_mutex_lock(&s->lock);
    *s->tail = first;
    s->tail = tail;
    s->queued += count;
    s->urgent += urgent;
    wake = s->sleeping && (urgent || s->queued >= ST_SETTLE_COUNT || !s->timed);
    if (wake)
        s->sleeping = false;
    pthread_mutex_unlock(&s->lock);
    if (wake) /* not before, because the woken thread would wait for the lock */
        pthread_cond_signal(&s->wake);
}

void st_exchange_write(struct st_store *s, struct th_op *op)
{
    st_exchange_writes(s, op, &op->next, 1, st_exchange_is_urgent(op));
}

void st_exchange_enter(struct st_store *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->hush)
        pthread_cond_wait(&s->may_read, &s->lock);
    s->reading++;
    pthread_mutex_unlock(&s->lock);
}

void st_exchange_leave(struct st_store *s)
{
    pthread_mutex_lock(&s->lock);
    TH_CHECK(s->reading);
    if (--s->reading == 0 && s->hush && s->sleeping)
        pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}
