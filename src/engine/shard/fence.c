/* Deliveries with an order become known to their engine in the order of their numbers.
 *
 * The store numbers what is accepted in the order of its commits. But the engine that owns an endpoint hears of them from several sides: from
 * other engines that have accepted, and, of an accept with very many deliveries, from home, which queues them in steps. So a higher number
 * can come first, and would be sent first. Therefore a row with an order is held back until a round has gone by:
 *
 *   1. each engine is asked, and answers when the accepts that it had submitted before the question have ended. Letters of one sender
 *      keep their order, so what these accepts had for us is here before the answer.
 *   2. if an accept has left deliveries to be queued, home is asked, and answers when none is left of any event up to the
 *      highest that is held back.
 *
 * Whatever was committed before the highest number that is held back is known then. Several rows share a round, and with one engine and
 * nothing left to queue there is none. Rows without an order never come here.
 *
 * Where several nodes share the store, home is always asked, for the other nodes leave deliveries too; and a third step reads what
 * the others have committed (follow.c), which begins after the first two.
 *
 * While the queue is walked, after a start or for slots that have come, rows above the place of the walk are held back as well: what was
 * accepted since must not pass what the walk has not read yet. And while nobody knows the outcome of an accept, which was sent again, what
 * was accepted after it waits for it.
 *
 * If the process dies, the rows are in the store. Bounded: beyond HELD_MAX rows, and without memory, the queue is
 * walked again, and it is walked no further while there is much. */
#include "engine/shard/fence.h"
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/shard/clock.h"
#include "engine/shard/offer.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

#define HELD_MAX 32768u

struct th_fence_question {
    struct th_mail mail;
    struct th_list link; /* on the list of the engine that is asked */
    unsigned from;
    uint64_t after; /* accepts, or steps, that have to have ended */
    uint64_t event; /* to home: the highest */
    uint64_t left;  /* the answer of an engine: see last_left */
};

bool th_fence_init(struct th_engine *e)
{
    struct th_fence *f = &e->fence;

    th_list_init(&f->waiting);
    th_list_init(&f->accepts_asked);
    th_list_init(&f->fans_asked);
    f->questions = th_calloc(TH_SHARDS_MAX + 1, sizeof *f->questions);
    return f->questions != NULL;
}

void th_fence_fini(struct th_engine *e)
{
    while (!th_list_empty(&e->fence.waiting))
        th_free(TH_CONTAINER(th_list_pop(&e->fence.waiting), struct th_fence_wait, link));
    th_free(e->fence.rows);
    th_free(e->fence.questions);
}

/* ---- a round ---- */

static void begin(void *arg);

/* What the walk of the queue has not come to waits for it. */
static bool has_any_before_the_walk(const struct th_engine *e)
{
    const struct th_fence *f = &e->fence;

    for (uint32_t i = 0; i < f->count; i++)
        if (!e->walking || f->rows[i].no < e->walk.from)
            return true;
    return false;
}

static void begin_soon(struct th_engine *e)
{
    struct th_fence *f = &e->fence;

    if (f->begins || f->busy || (th_list_empty(&f->waiting) && !has_any_before_the_walk(e)))
        return;
    f->begins = true;
    th_engine_defer(e, &f->defer, begin, e);
}

static void release(struct th_engine *e)
{
    struct th_fence *f = &e->fence;
    uint32_t left = 0;
    uint64_t upto = f->upto;
    struct th_list *next;

    if (e->walking && upto >= e->walk.from)
        upto = e->walk.from ? e->walk.from - 1 : 0;
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->rows[i].no > upto)
            f->rows[left++] = f->rows[i];
        else if (th_is_mine(e, f->rows[i].endpoint)) /* else its slot has gone since it was offered */
            th_queue_insert_now(e, &f->rows[i], th_clock_due(e, &f->rows[i]));
    }
    f->count = left;
    for (struct th_list *l = f->waiting.next; l != &f->waiting; l = next) {
        struct th_fence_wait *w = TH_CONTAINER(l, struct th_fence_wait, link);

        next = l->next;
        if (w->no > f->upto)
            continue;
        th_list_remove(&w->link);
        w->run(e, w);
    }
}

static void end(struct th_engine *e)
{
    struct th_fence *f = &e->fence;

    f->busy = false;
    release(e);
    begin_soon(e);
}

/* This node knows what it has committed itself. */
static void end_here(struct th_engine *e)
{
    if (!e->shared) {
        end(e);
        return;
    }
    e->fence.follow_asked = true;
    if (!e->jobs[TH_JOB_FOLLOW].busy && e->has_followed)
        e->jobs[TH_JOB_FOLLOW].at = e->now.mono;
    e->more = true;
}

void th_fence_follows(struct th_engine *e)
{
    e->fence.follow_runs = e->fence.follow_asked;
}

void th_fence_followed(struct th_engine *e)
{
    if (!e->fence.follow_runs)
        return;
    e->fence.follow_runs = e->fence.follow_asked = false;
    end(e);
}

static void home_answered(struct th_engine *e, struct th_mail *m)
{
    struct th_fence_question *q = TH_CONTAINER(m, struct th_fence_question, mail);

    e->fence.queued_event = q->event;
    end_here(e);
}

/* Home looks again, whatever it knows: an accept may have left something and the letter that says so may be under way. */
static void home_asked(struct th_engine *home, struct th_mail *m)
{
    struct th_fence_question *q = TH_CONTAINER(m, struct th_fence_question, mail);

    q->after = home->fence.fan_steps;
    th_list_append(&home->fence.fans_asked, &q->link);
    home->fanout_left = true;
    home->more = true;
}

void th_fence_fanned(struct th_engine *home, uint64_t step, uint64_t lowest)
{
    struct th_list *next;

    for (struct th_list *l = home->fence.fans_asked.next; l != &home->fence.fans_asked; l = next) {
        struct th_fence_question *q = TH_CONTAINER(l, struct th_fence_question, link);

        next = l->next;
        if (step <= q->after || (lowest && lowest <= q->event))
            continue;
        th_list_remove(&q->link);
        th_offers_send(home);
        th_mail_send(home, q->from, &q->mail, home_answered);
    }
}

static void ask_home(struct th_engine *e)
{
    struct th_fence_question *q = &e->fence.questions[TH_SHARDS_MAX];

    q->from = e->options.shard;
    q->event = e->fence.event;
    th_list_init(&q->link);
    th_mail_send(e, 0, &q->mail, home_asked);
}

static void engine_answered(struct th_engine *e, struct th_mail *m)
{
    struct th_fence_question *q = TH_CONTAINER(m, struct th_fence_question, mail);
    struct th_fence *f = &e->fence;

    e->letters_out--;
    if (q->left > f->left_event)
        f->left_event = q->left;
    if (--f->asked)
        return;
    if (e->shared || !f->queued_event || f->left_event > f->queued_event)
        ask_home(e);
    else
        end_here(e);
}

static void answer(struct th_engine *asked, struct th_fence_question *q)
{
    q->left = asked->fence.last_left;
    th_offers_send(asked);
    th_mail_send(asked, q->from, &q->mail, engine_answered);
}

static void engine_asked(struct th_engine *asked, struct th_mail *m)
{
    struct th_fence_question *q = TH_CONTAINER(m, struct th_fence_question, mail);

    q->after = asked->fence.accepts_begun;
    if (asked->fence.accepts_done >= q->after)
        answer(asked, q);
    else
        th_list_append(&asked->fence.accepts_asked, &q->link);
}

void th_fence_accepted(struct th_engine *e, bool repeated, bool again)
{
    struct th_fence *f = &e->fence;
    struct th_list *next;

    f->accepts_done++;
    f->unknown += (unsigned)again - (unsigned)repeated;
    for (struct th_list *l = f->accepts_asked.next; l != &f->accepts_asked; l = next) {
        struct th_fence_question *q = TH_CONTAINER(l, struct th_fence_question, link);

        next = l->next;
        if (again)
            q->after = f->accepts_begun;
        if (f->accepts_done < q->after)
            continue;
        th_list_remove(&q->link);
        answer(e, q);
    }
}

static void begin(void *arg)
{
    struct th_engine *e = arg;
    struct th_fence *f = &e->fence;

    f->begins = false;
    f->busy = true;
    f->upto = f->event = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        f->upto = f->rows[i].no > f->upto ? f->rows[i].no : f->upto;
        f->event = f->rows[i].event > f->event ? f->rows[i].event : f->event;
    }
    for (struct th_list *l = f->waiting.next; l != &f->waiting; l = l->next) {
        const struct th_fence_wait *w = TH_CONTAINER(l, struct th_fence_wait, link);

        f->upto = w->no > f->upto ? w->no : f->upto;
        f->event = w->event > f->event ? w->event : f->event;
    }
    f->asked = e->options.shards > 1 ? e->options.shards : 1;
    for (unsigned i = 0; i < e->options.shards || i == 0; i++) {
        f->questions[i].from = e->options.shard;
        th_list_init(&f->questions[i].link);
        e->letters_out++;
        th_mail_send(e, i, &f->questions[i].mail, engine_asked);
    }
}

/* ---- what is held back ---- */

bool th_fence_is_up(const struct th_engine *e)
{
    return e->shared || e->walking || e->fence.unknown || e->options.shards > 1 || e->fence.count ||
           e->fence.busy || e->fanout_left || e->jobs[TH_JOB_FANOUT].busy;
}

bool th_fence_has_room(const struct th_engine *e)
{
    return e->fence.count + TH_WALK_BATCH <= HELD_MAX;
}

static bool grow(struct th_fence *f)
{
    uint32_t cap = f->cap ? 2 * f->cap : 64;
    struct th_queue_row *rows = cap > HELD_MAX ? NULL : th_realloc(f->rows, cap * sizeof *rows);

    if (!rows)
        return false;
    f->rows = rows;
    f->cap = cap;
    return true;
}

void th_fence_row(struct th_engine *e, const struct th_queue_row *row)
{
    struct th_fence *f = &e->fence;
    bool walk_comes = e->walking && row->no >= e->walk.from;

    if ((walk_comes && f->count > HELD_MAX / 2) || (f->count == f->cap && !grow(f))) {
        th_queue_walk_again(e, row->no);
        return;
    }
    f->rows[f->count++] = *row;
    if (!walk_comes)
        begin_soon(e);
}

void th_fence_walked(struct th_engine *e)
{
    begin_soon(e);
}

void th_fence_forget(struct th_engine *e, uint64_t no)
{
    struct th_fence *f = &e->fence;
    uint32_t left = 0;

    for (uint32_t i = 0; i < f->count; i++)
        if (f->rows[i].no != no)
            f->rows[left++] = f->rows[i];
    f->count = left;
}

void th_fence_slots_went(struct th_engine *e, const uint64_t *went)
{
    struct th_fence *f = &e->fence;
    uint32_t left = 0;

    for (uint32_t i = 0; i < f->count; i++)
        if (!th_slots_have(went, th_slot_of(f->rows[i].endpoint)))
            f->rows[left++] = f->rows[i];
    f->count = left;
    f->slots_went++;
}

void th_fence_wait(struct th_engine *e, struct th_fence_wait *w)
{
    th_list_append(&e->fence.waiting, &w->link);
    begin_soon(e);
}
