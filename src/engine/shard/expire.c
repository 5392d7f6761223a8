/* Ends a delivery whose turn has come after its event's expires_at: no request is made, and the store moves it to its end.
 *
 * Until that is durable the delivery is under way, so it is not picked again. If the process dies before the commit, the next start
 * finds it queued, and it ends when its turn comes. Failure: again after a second. */
#include "engine/shard/expire.h"
#include "engine/context.h"
#include "engine/shard/attempt.h"
#include "engine/shard/events.h"
#include "engine/shard/operator.h"
#include "engine/shard/queue.h"
#include "engine/shard/report.h"
#include "engine/state.h"

#define RETRY_US 1000000

/* The delivery goes back to the scheduler as it was. */
static void put_back(struct th_attempt *a)
{
    struct th_engine *e = a->e;

    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_settled(e->sched, a->row.no, &a->row, (struct th_mono){e->now.mono.us + RETRY_US}, e->now.mono);
    th_attempt_release(a);
}

static void expired(struct th_op *op)
{
    struct th_attempt *a = op->user;
    struct th_engine *e = a->e;

    if (op->error == TH_UNKNOWN) {
        th_engine_submit(e, op); /* with the same time it has the same effect */
        return;
    }
    e->settles_out--;
    if (op->error) {
        th_engine_store_error(e, op->error);
        put_back(a);
        return;
    }
    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_gave_up(e->sched, a->row.no);
    th_sched_settled(e->sched, a->row.no, NULL, e->now.mono, e->now.mono);
    th_queue_ended(e, a->row.no);
    if (a->move_done && a->row.lane != TH_LANE_TEST) {
        th_count(e->options.metrics, TH_C_DELIVERIES_EXPIRED, 1);
        th_report_expired(a);
        th_operator_delivery_expired(e, a);
    }
    th_event_settled(e, a->row.event);
    th_attempt_release(a);
}

void th_expire(struct th_attempt *a)
{
    a->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = expired, .user = a},
                               .what = TH_MOVE_EXPIRE,
                               .at = a->e->now.wall,
                               .count = 1,
                               .deliveries = &a->row.no,
                               .moved = &a->move_done};
    a->e->settles_out++;
    th_engine_submit(a->e, &a->move.op);
}
