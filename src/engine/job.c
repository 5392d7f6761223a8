/* The table of jobs, and the loops over it: what a turn begins, when the next turn is, and whether all has ended. */
#include "engine/job.h"
#include "base/check.h"
#include "engine/control/ask.h"
#include "engine/control/audit.h"
#include "engine/control/backlog.h"
#include "engine/control/change.h"
#include "engine/control/erase.h"
#include "engine/control/follow.h"
#include "engine/control/hurry.h"
#include "engine/control/replay.h"
#include "engine/control/retention.h"
#include "engine/control/rewrap.h"
#include "engine/control/sunset.h"
#include "engine/control/trim.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/cancel.h"
#include "engine/shard/certificate.h"
#include "engine/shard/disable.h"
#include "engine/shard/dispatch.h"
#include "engine/shard/fanout.h"
#include "engine/shard/health.h"
#include "engine/shard/ingest.h"
#include "engine/shard/leave.h"
#include "engine/shard/probe.h"
#include "engine/shard/queue.h"
#include "engine/shard/settle.h"
#include "engine/state.h"

enum {
    HOME = 1,     /* of engine 0 alone */
    STOPPING = 2, /* also while the engine stops */
    LAST = 4,     /* what waits is done before the engine ends */
    EACH_TURN =
        8, /* begun in every turn, since others' answers decide what there is to do; `wanted` is a moment only */
};

struct th_job {
    struct th_mono (*wanted)(
        const struct th_engine *e); /* from when on it has something to do; NEVER: not now */
    void (*begin)(struct th_engine *e);
    unsigned flags;
};

static struct th_mono never(const struct th_engine *e)
{
    (void)e;
    return TH_MONO_NEVER;
}

/* clang-format off */
static const struct th_job jobs[TH_JOBS] = {
    [TH_JOB_FOLLOW]    = {th_follow_wanted, th_follow_begin, HOME | STOPPING},
    [TH_JOB_KNOWN]     = {th_changes_known_wanted, th_changes_known, HOME | STOPPING | LAST},
    [TH_JOB_OWN]       = {th_ingest_own_wanted, th_ingest_own, STOPPING | LAST},
    [TH_JOB_MATCH]     = {th_ingest_again_wanted, th_ingest_again, STOPPING},
    [TH_JOB_REWRAP]    = {th_rewrap_wanted, th_rewrap_step, HOME},
    [TH_JOB_CHANGE]    = {th_changes_wanted, th_changes_begin, HOME | STOPPING | LAST},
    [TH_JOB_ASK]       = {th_asks_wanted, th_asks_begin, HOME},
    [TH_JOB_SETTLE]    = {th_settle_again_wanted, th_settle_again, STOPPING},
    [TH_JOB_DISPATCH]  = {th_dispatch_wanted, th_dispatch_begin, EACH_TURN},
    [TH_JOB_LEAVE]     = {th_leave_wanted, th_leave_begin, STOPPING},
    [TH_JOB_GRAVES]    = {th_graves_wanted, th_graves_begin, STOPPING},
    [TH_JOB_REFILL]    = {never, th_queue_refill, EACH_TURN},
    [TH_JOB_WALK]      = {th_queue_walk_wanted, th_queue_walk_begin, 0},
    [TH_JOB_RULES]     = {th_disable_rules_wanted, th_disable_by_rules, 0},
    [TH_JOB_FANOUT]    = {th_fanout_wanted, th_fanout_begin, 0},
    [TH_JOB_REPLAY]    = {th_replays_wanted, th_replays_begin, EACH_TURN | STOPPING},
    [TH_JOB_HURRY]     = {th_hurries_wanted, th_hurries_begin, EACH_TURN},
    [TH_JOB_ERASE]     = {th_erase_wanted, th_erase_begin, 0},
    [TH_JOB_HEALTH]    = {th_health_wanted, th_health_begin, STOPPING | LAST},
    [TH_JOB_AUDIT]     = {th_audit_wanted, th_audit_begin, HOME | STOPPING | LAST},
    [TH_JOB_CANCEL]    = {th_cancel_wanted, th_cancel_begin, 0},
    [TH_JOB_RETENTION] = {th_retention_wanted, th_retention_begin, HOME},
    [TH_JOB_TRIM]      = {th_trim_wanted, th_trim_begin, HOME},
    [TH_JOB_BACKLOG]   = {th_backlog_wanted, th_backlog_begin, HOME},
    [TH_JOB_SUNSET]    = {th_sunset_wanted, th_sunset_begin, HOME},
    [TH_JOB_CERTIFICATES] = {th_certificates_wanted, th_certificates_begin, 0},
    [TH_JOB_TELL]      = {th_probe_tell_wanted, th_probe_tell, STOPPING},
    [TH_JOB_PROBE]     = {th_probe_wanted, th_probe_begin, STOPPING},
};
/* clang-format on */

static bool is_off(const struct th_engine *e, const struct th_job *job)
{
    return e->dead || (e->draining && !(job->flags & STOPPING)) || (!th_is_home(e) && job->flags & HOME);
}

/* From when on it can be begun. */
static struct th_mono due(const struct th_engine *e, unsigned i)
{
    const struct th_job_state *state = &e->jobs[i];
    struct th_mono wanted = TH_MONO_NEVER;

    if (!state->busy && !is_off(e, &jobs[i]))
        wanted = jobs[i].wanted(e);
    return wanted.us < state->at.us ? state->at : wanted;
}

void th_job_turn(struct th_engine *e)
{
    for (unsigned i = 0; i < TH_JOBS; i++) {
        if (jobs[i].flags & EACH_TURN ? is_off(e, &jobs[i]) || e->jobs[i].at.us > e->now.mono.us
                                      : due(e, i).us > e->now.mono.us)
            continue;
        TH_CHECK(!e->jobs[i].busy || jobs[i].flags & EACH_TURN);
        jobs[i].begin(e);
    }
}

struct th_mono th_job_next(const struct th_engine *e)
{
    struct th_mono next = TH_MONO_NEVER;

    for (unsigned i = 0; i < TH_JOBS; i++) {
        struct th_mono at = due(e, i);
        if (at.us < next.us)
            next = at;
    }
    return next;
}

bool th_job_pending(const struct th_engine *e)
{
    for (unsigned i = 0; i < TH_JOBS; i++)
        if (e->jobs[i].busy || (jobs[i].flags & LAST && jobs[i].wanted(e).us != TH_MONO_NEVER.us))
            return true;
    return false;
}
