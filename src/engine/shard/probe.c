/* While the store has no room: an operation that writes nothing of value is tried once a second, and when it commits, publishing is
 * accepted again. Home answers whether the process is ready, so the other engines tell it what they have met. */
#include "engine/shard/probe.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/state.h"

static void probed(struct th_op *op)
{
    struct th_engine *e = op->user;

    e->jobs[TH_JOB_PROBE].busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        e->jobs[TH_JOB_PROBE].at.us = e->now.mono.us + 1000000;
        return;
    }
    e->store_ok = true;
    if (!th_is_home(e))
        return;
    th_gauge_set(e->options.metrics, TH_G_STORE_READY, 1);
    th_log(TH_LOG_INFO, "store commits again: publishing is accepted",
           TH_KI("pending", th_sched_stats(e->sched).items));
}

struct th_mono th_probe_wanted(const struct th_engine *e)
{
    return e->store_ok ? TH_MONO_NEVER : e->now.mono;
}

void th_probe_begin(struct th_engine *e)
{
    e->probe.op = (struct th_op){.kind = TH_OP_PROBE, .done = probed, .user = e};
    e->jobs[TH_JOB_PROBE].busy = true;
    th_engine_submit(e, &e->probe.op);
}

/* ---- what another engine has met ---- */

/* Home answers whether the process is ready. */
static void no_room_heard(struct th_engine *home, struct th_mail *m)
{
    struct th_engine *of = TH_CONTAINER(m, struct th_engine, no_room_mail);

    __atomic_store_n(&of->no_room_told, 0, __ATOMIC_RELEASE);
    th_engine_store_error(home, TH_FULL);
}

struct th_mono th_probe_tell_wanted(const struct th_engine *e)
{
    return e->no_room_untold ? e->now.mono : TH_MONO_NEVER;
}

void th_probe_tell(struct th_engine *e)
{
    e->no_room_untold = false;
    if (!__atomic_exchange_n(&e->no_room_told, 1, __ATOMIC_ACQUIRE))
        th_mail_send(e, 0, &e->no_room_mail, no_room_heard);
}
