/* Backfill: events that were accepted before an endpoint was made go to it, oldest first, behind its fresh ones. A job like a replay, whose
 * life is in replay.c; here is what it looks for and what a step does.
 *
 * Why copies: the deliveries of an event are one range of numbers, which is given out when it is accepted, and lists, retention and
 * erasing rely on it. So a delivery that comes later belongs to an event of its own, a copy (port/copy_id.h): it has everything of the
 * first one, and on the wire its id and time, so that a receiver takes both for the same.
 *
 * Invariant: an event has at most one copy for an endpoint. The store sees to it: a step that was committed while the process died before
 * its job row was written is made again, finds every id taken, and goes on. It refuses to copy what has been erased or is gone, also
 * when that happens while the copy is made. When the tenant has no room for more, the step is tried again later. */
#include "engine/control/backfill.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

#define FILTERED_STEP 8    /* events of a step when each is asked by a filter */
#define PAGE_BYTES 4194304 /* of events that are read for a filter */
#define AGAIN_US 2000000

static const struct th_endpoint *endpoint_of(const struct th_replay_job *j)
{
    const struct th_ep *ep = th_map_get(&j->e->endpoints, j->pub.endpoint);

    return ep ? &ep->pub : NULL;
}

void th_backfill_page(struct th_replay_job *j)
{
    const struct th_endpoint *ep = endpoint_of(j);

    j->page.kind = TH_PAGE_EVENTS;
    j->page.endpoint = 0;
    j->page.states = 0;
    j->page.without_tests = true;
    j->page.with_data = ep && ep->run->filter;
    j->page.max_bytes = PAGE_BYTES;
}

/* TH_LEFT_OUTS: it is not left out. *marks: those of its delivery. */
static enum th_left_out left_out(struct th_replay_job *j, const struct th_event_row *row, uint8_t *marks,
                                 uint32_t *steps)
{
    const struct th_endpoint *ep = endpoint_of(j);
    struct th_jsonpath_why why;
    enum th_match match = TH_MATCH;
    uint32_t took = 0;

    *marks = 0;
    if (!ep || !th_replay_wants_type(j, row->type))
        return TH_LEFT_TYPE;
    if (row->erased)
        return TH_LEFT_ERASED;
    if (row->more.expires_at && row->more.expires_at <= j->e->now.wall.ms)
        return TH_LEFT_EXPIRED;
    if (!ep->run->filter || th_engine_match_begin(j->e, row)) {
        match = th_engine_match_subscription(j->e, ep, row, &why, &took);
        th_engine_match_end(j->e);
    } else { /* no memory to ask the filter: as when it has no verdict, it gets the event */
        match = TH_MATCH_FILTER_ERROR;
    }
    *steps += took + 20;
    *marks = match == TH_MATCH_FILTER_ERROR ? TH_MARK_FILTER_ERROR : 0;
    return match == TH_MATCH_NOT_TYPE      ? TH_LEFT_TYPE
           : match == TH_MATCH_NOT_CHANNEL ? TH_LEFT_CHANNEL
           : match == TH_MATCH_NOT_FILTER  ? TH_LEFT_FILTER
                                           : TH_LEFT_OUTS;
}

bool th_backfill_wants(struct th_replay_job *j, const struct th_event_row *row, uint32_t *steps)
{
    enum th_left_out why;
    uint8_t marks;

    if (row->no <= j->pos)
        return false;
    why = left_out(j, row, &marks, steps);
    if (why != TH_LEFT_OUTS && j->start)
        j->start->left_out[why]++;
    return why == TH_LEFT_OUTS;
}

/* ---- the first ones ---- */

static void first_read(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    void (*done)(struct th_replay_job *, enum th_error) = j->first_done;

    j->e->ops_out--;
    j->busy = false;
    if (op->error)
        th_engine_store_error(j->e, op->error);
    j->start->first_mem = j->first.mem;
    if (op->error)
        j->start->first_count = 0;
    done(j, op->error);
}

void th_backfill_first(struct th_replay_job *j, void (*done)(struct th_replay_job *j, enum th_error error))
{
    uint64_t n = j->found < TH_BACKFILL_FIRST ? j->found : TH_BACKFILL_FIRST;

    for (uint64_t i = 0; i < n; i++) /* they were kept from the newest to the oldest, in a ring */
        j->first_nos[i] = j->oldest[(j->found - 1 - i) % TH_BACKFILL_FIRST];
    j->first_done = done;
    j->start->first_count = (unsigned)n;
    j->first = (struct th_load){.op = {.kind = TH_OP_LOAD, .done = first_read, .user = j},
                                .count = (uint32_t)n,
                                .events = j->first_nos,
                                .rows = j->start->first,
                                .mem = j->start->first_mem};
    j->busy = true;
    j->e->ops_out++;
    th_engine_submit(j->e, &j->first.op);
}

/* ---- a step ---- */

static void end_step(struct th_replay_job *j, uint32_t count, uint32_t queued)
{
    struct th_backfill_step *s = j->copying;

    th_buf_fini(&s->load.mem);
    if (!count)
        j->again_at.us = j->e->now.mono.us + AGAIN_US;
    s->done(j, count, queued);
}

static void put_copies(struct th_replay_job *j);

static void put(struct th_publish *p)
{
    struct th_replay_job *j = p->user;
    struct th_backfill_step *s = j->copying;

    if (p->result == TH_PUB_ACCEPTED) {
        end_step(j, s->count, p->count);
    } else if (p->result == TH_PUB_ID_TAKEN) { /* it was copied before, or must not be */
        for (uint32_t i = p->bad + 1; i < p->count; i++)
            s->events[i - 1] = s->events[i];
        p->count--;
        put_copies(j);
    } else {
        end_step(j, 0, 0);
    }
}

static void put_copies(struct th_replay_job *j)
{
    struct th_backfill_step *s = j->copying;
    struct th_ep *ep = th_map_get(&j->e->endpoints, j->pub.endpoint);

    s->publish = (struct th_publish){.tenant = j->pub.tenant,
                                     .count = s->publish.count,
                                     .events = s->events,
                                     .only = ep ? &ep->pub : NULL,
                                     .copies = true,
                                     .done = put,
                                     .user = j};
    if (!ep || j->pub.tenant->deleting)
        end_step(j, 0, 0);
    else if (s->publish.count)
        th_engine_publish(j->e, &s->publish);
    else
        end_step(j, s->count, 0);
}

static void copy_event(struct th_backfill_step *s, const struct th_event_row *row, uint64_t endpoint,
                       uint8_t marks)
{
    uint32_t i = s->publish.count++;

    TH_CHECK(!row->origin); /* lists of events do not show copies */
    s->copies[i] =
        (struct th_event_copy){.id = th_copy_id(s->ids[i], row->no, endpoint, row->at.ms, row->external_id),
                               .more = row->more,
                               .rnd = row->rnd,
                               .marks = marks};
    s->events[i] = (struct th_publish_event){.type = row->type,
                                             .data = row->data,
                                             .external_id = row->external_id,
                                             .resource_type = row->resource_type,
                                             .resource_id = row->resource_id,
                                             .has_time = true,
                                             .time = row->time,
                                             .copy = &s->copies[i]};
}

static void loaded(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    struct th_backfill_step *s = j->copying;
    uint32_t steps = 0;
    uint8_t marks;

    j->e->ops_out--;
    if (op->error) {
        th_engine_store_error(j->e, op->error);
        end_step(j, 0, 0);
        return;
    }
    s->publish.count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->rows[i].no && left_out(j, &s->rows[i], &marks, &steps) == TH_LEFT_OUTS)
            copy_event(s, &s->rows[i], j->pub.endpoint, marks);
    put_copies(j);
}

void th_backfill_step(struct th_replay_job *j,
                      void (*done)(struct th_replay_job *j, uint32_t count, uint32_t queued))
{
    const struct th_endpoint *ep = endpoint_of(j);
    uint32_t most = ep && ep->run->filter ? FILTERED_STEP : TH_BACKFILL_STEP;
    struct th_backfill_step *s = j->copying;

    if (!s)
        s = j->copying = th_calloc(1, sizeof *s);
    if (!s) {
        j->again_at.us = j->e->now.mono.us + AGAIN_US;
        return;
    }
    s->done = done;
    s->count = j->count < most ? j->count : most;
    for (uint32_t i = 0; i < s->count; i++)
        s->nos[i] = j->nos[j->count - 1 - i];
    s->load = (struct th_load){.op = {.kind = TH_OP_LOAD, .done = loaded, .user = j},
                               .count = s->count,
                               .events = s->nos,
                               .rows = s->rows};
    th_buf_init(&s->load.mem, 64u << 20);
    j->busy = true;
    j->e->ops_out++;
    th_engine_submit(j->e, &s->load.op);
}
