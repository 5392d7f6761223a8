/* Groups of operations that a writer commits together, whatever its database: everything that has queued up
 * in all sessions by the time its last commit ended.
 *
 * There is no timer for accepts: waiting for company lowers throughput. Settles do wait (SETTLE_WAIT_MS or ST_SETTLE_COUNT of
 * them), since losing one only means a repeated request; they ride with the next accept.
 *
 * Invariant: per session, ops are run and given back in the order of submission. */
#include "store/store_group.h"
#include "store/store_build.h"
#include "store/store_exchange.h"
#include <errno.h>
#include <time.h>

#define SETTLE_WAIT_MS 10
#define GROUP_ROWS 8192 /* a longer queue is committed in several transactions */
#define GROUP_BYTES (16u << 20)

/** Puts an op that has ended with the others of its session. */
static void ended(struct st_store *store, struct th_op *op)
{
    struct th_session *s = op->session;

    if (!s->in_batch) {
        s->in_batch = true;
        s->batch_tail = &s->batch;
        s->batch_next = store->batch;
        store->batch = s;
    }
    *s->batch_tail = op;
    s->batch_tail = &op->next;
}

/** Hands the ops that have ended to their sessions. */
static void finish(struct st_store *store)
{
    struct th_session *s = store->batch;

    store->batch = NULL;
    while (s) {
        struct th_session *next = s->batch_next;

        s->in_batch = false;
        st_exchange_done(s, s->batch, s->batch_tail);
        s = next;
    }
}

void st_group_counted(struct st_store *s, enum th_error error, uint32_t written, int64_t took_us)
{
    if (!s->metrics)
        return;
    if (error != TH_OK) {
        th_count(s->metrics, TH_C_STORE_FAILURES, 1);
    } else if (written) {
        th_count(s->metrics, TH_C_STORE_COMMITS, 1);
        th_count(s->metrics, TH_C_STORE_OPS, written);
        th_observe(s->metrics, TH_H_COMMIT_SECONDS, took_us);
        th_gauge_set(s->metrics, TH_G_DELIVERIES_PENDING, (int64_t)s->writer.next.queued);
    }
}

void st_group_give(struct st_store *s, struct th_op *first)
{
    for (struct th_op *op = first, *next; op; op = next) {
        next = op->next;
        if ((int)op->kind == ST_OP_RUN_BUILD)
            st_build_step(s, (struct st_build *)op);
        else
            ended(s, op);
    }
    finish(s);
}

void st_group_told(struct st_store *s, struct th_op *first)
{
    st_group_give(s, first);
    st_exchange_told(s);
    st_build_requests(s);
}

static void op_weight(const struct th_op *op, uint32_t *rows, size_t *bytes)
{
    const struct th_accept *a = (const struct th_accept *)op;
    uint32_t queued = 0;

    *rows += (int)op->kind == ST_OP_RUN_BUILD ? ST_BUILD_ROWS : op->kind == TH_OP_FANOUT ? TH_FANOUT_STEP : 1;
    if (op->kind == TH_OP_SETTLE) {
        const struct th_settle *s = (const struct th_settle *)op;

        *bytes += s->row.body.n;
        while ((s = s->more)) {
            *rows += 1;
            *bytes += s->row.body.n;
        }
    }
    if (op->kind != TH_OP_ACCEPT)
        return;
    for (uint32_t i = 0; i < a->count; i++) {
        *rows += 1;
        queued += a->events[i].endpoint_count;
        *bytes += a->events[i].data.n;
    }
    *rows += queued < TH_FANOUT_STEP ? queued : TH_FANOUT_STEP;
}

struct th_op *st_group_cut(struct th_op **list, uint32_t *count)
{
    struct th_op *first = *list, *last = first;
    uint32_t rows = 0;
    size_t bytes = 0;

    *count = 1;
    op_weight(first, &rows, &bytes);
    while (last->next && rows < GROUP_ROWS && bytes < GROUP_BYTES) {
        last = last->next;
        op_weight(last, &rows, &bytes);
        *count += 1;
    }
    *list = last->next;
    last->next = NULL;
    return first;
}

/** Under the lock. */
static struct th_op *take_queue(struct st_store *s)
{
    struct th_op *list = s->head;

    s->head = NULL;
    s->tail = &s->head;
    s->queued = s->urgent = 0;
    return list;
}

struct th_op *st_group_join(struct st_store *s, struct th_op *first, uint32_t *count,
                            bool (*may)(void *ctx, const struct th_op *op), void *ctx)
{
    struct th_op *last = first, *list;
    uint32_t rows = 0;
    size_t bytes = 0;

    pthread_mutex_lock(&s->lock);
    list = take_queue(s);
    pthread_mutex_unlock(&s->lock);
    op_weight(last, &rows, &bytes);
    for (; last->next; last = last->next)
        op_weight(last->next, &rows, &bytes);
    for (; list && rows < GROUP_ROWS && bytes < GROUP_BYTES && may(ctx, list); *count += 1) {
        last = last->next = list;
        list = list->next;
        op_weight(last, &rows, &bytes);
    }
    last->next = NULL;
    return list;
}

static struct timespec in_ms(unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    return until;
}

/** Under the lock. True: nothing has woken it before that time. */
static bool sleep_for(struct st_store *s, unsigned ms)
{
    struct timespec until = in_ms(ms);

    return pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT;
}

/** Under the lock. False: stop and nothing is left. */
static bool wait_for_work(struct st_store *s)
{
    bool waited = false, idle = false;

    while (!s->urgent && s->queued < ST_SETTLE_COUNT && !s->stop && !(s->hush && !s->reading)) {
        if (idle || (waited && s->queued))
            return true;
        s->sleeping = true;
        s->timed = s->queued || !waited;
        if (s->timed) {
            waited = sleep_for(s, SETTLE_WAIT_MS);
        } else if (s->idle_ms) {
            idle = sleep_for(s, s->idle_ms);
        } else {
            if (s->rest)
                s->rest(s);
            pthread_cond_wait(&s->wake, &s->lock);
        }
        /* woken from the long sleep by a first settle: it gets its time of company */
        if (!s->timed)
            waited = false;
        s->sleeping = s->timed = false;
    }
    return s->queued || !s->stop;
}

bool st_group_wait(struct st_store *s, struct th_op **list)
{
    bool more;

    pthread_mutex_lock(&s->lock);
    more = wait_for_work(s);
    *list = take_queue(s);
    pthread_mutex_unlock(&s->lock);
    return more;
}
