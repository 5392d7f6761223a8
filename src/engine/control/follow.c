/* Follows what other nodes do to a store that several share: settings that they have changed, deliveries that they have queued for
 * endpoints of this node, and which endpoints are this node's.
 *
 * The store says what has happened since the position that this engine has seen, as the store was at one moment. It is applied in one
 * turn, settings first: no delivery comes before its endpoint, and no slot before the settings of that moment. So a node never
 * sends under settings that are older than its right to send.
 *
 * A slot that comes: its endpoints enter the scheduler, and the queue is walked. One that goes: its endpoints leave the scheduler;
 * their requests under way end here, and until then the store gives the slot to nobody else (`have`).
 *
 * What is read from the queue was true at a moment in the past; a delivery that has ended here meanwhile is left out (th_queue_ended).
 *
 * A change of settings is made by any node. It is refused as stale when another node has changed any settings that this one does not
 * know yet; then it begins again (change.c). It is answered when every other node that lives has applied it (`told`). */
#include "engine/control/follow.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/follow_row.h"
#include "engine/control/load.h"
#include "engine/control/told.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/clock.h"
#include "engine/shard/events.h"
#include "engine/shard/fence.h"
#include "engine/shard/health.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

#define BUSY_US 5000  /* between two looks while something happens */
#define IDLE_US 25000 /* after a second in which nothing did */
#define RETRY_US 200000
#define ARENA_BYTES ((size_t)512 << 20)

/* ---- slots ---- */

static void enter(struct th_engine *e, struct th_ep *ep)
{
    const struct th_health *h = &ep->pub.health;

    if (th_settings_sched(e, ep, false)) {
        th_engine_store_error(e, TH_BUG);
        return;
    }
    th_health_rest_resume(e, ep);
    th_sched_endpoint_known(e->sched, ep->pub.no, h->first_fail, h->last_ok, e->now.wall.ms);
}

/* Slots in which requests are under way. One that went and comes back meanwhile waits for their end: the scheduler has forgotten the
 * endpoint, and would begin the same delivery again, or the next of a line. */
static uint64_t busy_of(const struct th_engine *e, unsigned word)
{
    uint64_t busy = 0;

    for (unsigned i = 0; i < 64; i++)
        busy |= (uint64_t)(e->slot_busy[word * 64 + i] != 0) << i;
    return busy;
}

static void take_slots(struct th_engine *e, const uint64_t *slots)
{
    uint64_t came[TH_SLOT_WORDS], went[TH_SLOT_WORDS], any_came = 0, any = 0, no;
    void *value;

    for (unsigned i = 0; i < TH_SLOT_WORDS; i++) {
        came[i] = slots[i] & ~e->slots[i] & ~busy_of(e, i);
        went[i] = e->slots[i] & ~slots[i];
        any_came |= came[i];
        any |= came[i] | went[i];
        e->slots[i] = (e->slots[i] & slots[i]) | came[i];
    }
    if (!any)
        return;
    th_fence_slots_went(e, went);
    e->entering = true;
    for (size_t i = 0; th_map_next(&e->endpoints, &i, &no, &value);) {
        struct th_ep *ep = value;

        if (th_slots_have(went, th_slot_of(no)))
            th_sched_endpoint_del(e->sched, no);
        else if (th_slots_have(came, th_slot_of(no)) && ep->listed)
            enter(e, ep);
    }
    e->entering = false;
    if (any_came) {
        th_queue_walk_again(e, 0);
        e->fanout_left = true; /* of a node that has died, perhaps */
    }
    if (th_slots_have(came, 0))
        e->erase_left = true;
}

/* ---- deliveries ---- */

/* The queue may be being read as it was before the cancel. */
static void forget(struct th_engine *e, uint64_t no)
{
    th_queue_ended(e, no);
    th_sched_cancel(e->sched, no);
}

static void take_deliveries(struct th_engine *e, const struct th_follow *f)
{
    if (f->walk_from)
        th_queue_walk_again(e, f->walk_from);
    for (uint32_t i = 0; i < f->queued_count; i++)
        th_queue_insert_read(e, &f->queued[i], false);
    for (uint32_t i = 0; i < f->moved_count; i++)
        th_queue_insert_read(e, &f->moved[i], true);
    for (uint32_t i = 0; i < f->cancelled_count; i++)
        forget(e, f->cancelled[i]);
    for (uint32_t i = 0; i < f->erased_count; i++)
        th_event_erase(e, f->erased[i]);
    if (f->purged_upto > e->purged_upto)
        e->purged_upto = f->purged_upto;
}

/* ---- the loop ---- */

static bool brought(const struct th_follow *f)
{
    return f->row_count || f->queued_count || f->moved_count || f->cancelled_count || f->walk_from;
}

static bool waits_for_others(const struct th_engine *e)
{
    return e->finishing || e->change_stale || !th_list_empty(&e->telling);
}

static void followed(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_follow *f = &e->follow;
    bool waited = e->follow_fresh;

    e->jobs[TH_JOB_FOLLOW].busy = false;
    e->follow_fresh = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        e->jobs[TH_JOB_FOLLOW].at.us = e->now.mono.us + RETRY_US;
    } else {
        for (uint32_t i = 0; i < f->row_count; i++)
            th_settings_follow(e, &f->rows[i]);
        th_load_types_gone(e, f->rows, f->row_count);
        take_slots(e, f->slots);
        take_deliveries(e, f);
        e->followed = f->upto;
        e->told = f->told;
        e->has_followed = true;
        e->left = f->leaves;
        e->change_stale = e->change_stale && !waited;
        e->settings_moved = e->settings_moved || f->row_count || waited;
        if (brought(f))
            e->followed_at = e->now.mono;
        e->jobs[TH_JOB_FOLLOW].at.us =
            e->now.mono.us +
            (waits_for_others(e) || e->now.mono.us - e->followed_at.us < 1000000 ? BUSY_US : IDLE_US);
        e->more = true;
        th_fence_followed(e);
    }
    th_told_answered(e, op->error ? 0 : f->upto);
    th_arena_wipe(&f->mem);
}

struct th_mono th_follow_wanted(const struct th_engine *e)
{
    bool waits = waits_for_others(e) || !th_list_empty(&e->stale_ingests) || !e->left || e->attempts_out;

    return e->shared && e->started && (!e->draining || waits) ? e->now.mono : TH_MONO_NEVER;
}

void th_follow_begin(struct th_engine *e)
{
    struct th_follow *f = &e->follow;

    *f = (struct th_follow){.op = {.kind = TH_OP_FOLLOW, .done = followed, .user = e},
                            .seen = e->followed,
                            .leaves = e->draining};
    th_arena_init(&f->mem, ARENA_BYTES);
    for (unsigned i = 0; i < TH_SLOTS; i++)
        if (th_slots_have(e->slots, i) || e->slot_busy[i])
            f->have[i / 64] |= UINT64_C(1) << i % 64;
    e->follow_fresh = e->change_stale || !th_list_empty(&e->stale_ingests);
    th_fence_follows(e);
    th_told_asked(e);
    th_queue_reading(e);
    e->jobs[TH_JOB_FOLLOW].busy = true;
    th_engine_submit(e, &f->op);
}
