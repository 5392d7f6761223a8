/* Replay: finished deliveries of one endpoint go out again, oldest first, at the endpoint's own pace behind fresh events.
 *
 * COLLECTING → RUNNING [committed] → DONE | CANCELLED | FAILED. The numbers that match are collected once (at most a
 * million), then queued in steps of 256 while fewer than 512 wait. The job row keeps the last number queued, so that after
 * a crash it goes on there; a step that was committed without its job row is queued once more.
 *
 * Refuses to be many: a tenant may have few at work (its limit "replays"), and of those that have ended the oldest are
 * forgotten. The numbers take memory, so MAX_PLACES jobs have them at a time. That refuses nobody: a job that has nothing to
 * do (its endpoint is paused, or has enough queued) gives its place to one that waits, and collects the rest of its numbers
 * again when it needs them. When the store fails, a step or a page is simply tried again; without memory for its numbers a job
 * gives its place back and collects them again later. */
#include "engine/control/replay.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/backfill.h"
#include "engine/control/replay_job.h"
#include "engine/mail.h"
#include "engine/settings/blob.h"
#include "engine/settings/limits.h"
#include "engine/shard/near.h"
#include "engine/shard/offer.h"
#include "engine/state.h"
#include <stdio.h>

#define MAX_MATCHED (1u << 20)
#define AHEAD 512
#define TAKE_STEPS 100000 /* of filters, in one turn */
#define MAX_JOBS 1000     /* rows kept, ended ones among them */
#define MAX_PLACES 64     /* each may hold MAX_MATCHED numbers */
#define STALL_US 1000000  /* a job that had nothing to do for so long gives its place to one that waits */

/* ---- the job row ---- */

static void row_written(struct th_op *op)
{
    struct th_replay_job *j = op->user;

    j->e->ops_out--;
    j->row_busy = false;
    if (op->error)
        th_engine_store_error(j->e, op->error);
    if (op->error || j->op.result == TH_SETTINGS_STALE)
        j->row_dirty = true; /* written again in a later turn */
    th_replay_end_cancels(&j->written, op->error);
}

/* ---- answering ---- */

static void answer(struct th_replay_job *j, enum th_change_result result, const char *detail)
{
    struct th_replay_start *r = j->start;

    th_list_remove(&j->starting);
    j->start = NULL;
    r->result = result;
    r->matched = j->pub.matched;
    r->replay = result == TH_CH_DONE && !r->dry_run ? &j->pub : NULL;
    snprintf(r->detail, sizeof r->detail, "%s", detail);
    if (!r->replay)
        th_replay_job_free(j);
    r->done(r);
}

static void recorded(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    struct th_engine *e = j->e;
    enum th_change_result result;
    const char *detail;

    if (op->error == TH_UNKNOWN) { /* the same row again; a replay of its own key says that it was there */
        j->unknown = true;
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    j->row_busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        answer(j, TH_CH_UNAVAILABLE, th_error_name(op->error));
        return;
    }
    result = th_blob_answer_outcome(e, &j->op, j->unknown, &j->start->repeated, &detail);
    if (result == TH_CH_DONE) {
        j->op.idem.given = false;
        j->op.answer = th_span("", 0);
        th_list_prepend(&e->replays, &j->link);
        e->replay_count++;
        th_near_added(e, j->pub.tenant, TH_L_REPLAYS);
    }
    answer(j, result, detail);
}

static void record(struct th_replay_job *j)
{
    struct th_engine *e = j->e;
    struct th_buf plain;

    j->pub.no = ++e->last_job;
    th_replay_job_enter(j, TH_REPLAY_RUNNING);
    j->start->matched = j->pub.matched;
    j->start->replay = &j->pub;
    j->op.idem = j->start->idem;
    if (j->op.idem.given && j->start->render) {
        bool ok;
        th_buf_init(&plain, 1u << 20);
        j->start->render(j->start, &plain);
        ok = !plain.failed &&
             th_blob_answer_encrypt(e, j->pub.tenant->no, j->op.idem.key, th_buf_view(&plain), &j->answer);
        th_buf_wipe(&plain);
        if (!ok) {
            answer(j, TH_CH_UNAVAILABLE, "out of memory");
            return;
        }
        j->op.answer = th_buf_view(&j->answer);
    }
    th_replay_job_submit(j, recorded);
}

/* ---- collecting ---- */

/* One that matches. False: there is no room for it. */
static bool keep(struct th_replay_job *j, uint64_t no)
{
    if (j->start) {
        j->oldest[j->found++ % TH_BACKFILL_FIRST] = no;
        if (!j->place) /* counting needs no room */
            return j->start->dry_run || j->found <= MAX_MATCHED;
    }
    if (j->count == j->cap) {
        uint32_t cap = j->cap ? j->cap * 2 : 256;
        uint64_t *v = cap > MAX_MATCHED ? NULL : th_realloc(j->nos, cap * sizeof *v);
        if (!v)
            return false;
        j->nos = v;
        j->cap = cap;
    }
    j->nos[j->count++] = no;
    return true;
}

static bool collect_row(struct th_replay_job *j, const struct th_delivery_row *row)
{
    if (!th_replay_wants_type(j, row->event.type) || row->event.test || row->event.erased ||
        row->no <= j->pos)
        return true;
    if (j->start)
        j->start->by_state[row->state]++;
    if (row->state == TH_DS_QUEUED) /* retried, not replayed */
        return true;
    return keep(j, row->no);
}

static void collect(struct th_replay_job *j);

/* Of a job that was acknowledged: it had no memory, and tries again; or more matches now than any job may have. */
static void collected_too_much(struct th_replay_job *j)
{
    struct th_engine *e = j->e;

    if (j->count >= MAX_MATCHED) {
        th_replay_job_enter(j, TH_REPLAY_FAILED);
        j->row_dirty = true;
        return;
    }
    th_replay_place_leave(j);
    j->resume = true;
    j->stalled = e->now.mono;
    e->replays_wait = true;
    e->replay_look_at.us = e->now.mono.us + STALL_US / 10;
}

static void first_read(struct th_replay_job *j, enum th_error error)
{
    if (error)
        answer(j, TH_CH_UNAVAILABLE, th_error_name(error));
    else
        answer(j, TH_CH_DONE, "");
}

static void collect_end(struct th_replay_job *j, bool fits)
{
    if (!j->start) { /* resumed after a start, or with a new place */
        j->resume = false;
        if (!fits && j->pub.state == TH_REPLAY_RUNNING)
            collected_too_much(j);
        return;
    }
    if (!fits) {
        if (j->found > MAX_MATCHED)
            answer(j, TH_CH_CONFLICT, "too many deliveries match; narrow the time range or the event types");
        else
            answer(j, TH_CH_UNAVAILABLE, "out of memory");
        return;
    }
    j->pub.matched = j->found;
    j->resume = !j->place; /* then its numbers are collected when it has one */
    if (!j->start->dry_run)
        record(j);
    else if (j->pub.backfill && j->found)
        th_backfill_first(j, first_read);
    else
        answer(j, TH_CH_DONE, "");
}

/* The page is the job's until all of its rows have been looked at, which may take several turns. */
static void take_rows(void *arg)
{
    struct th_replay_job *j = arg;
    struct th_engine *e = j->e;
    uint64_t next = j->page.next;
    uint32_t steps = 0;
    bool fits = true;

    while (fits && j->page_at < j->page.count) {
        if (steps > TAKE_STEPS) {
            th_engine_defer(e, &j->defer, take_rows, j);
            return;
        }
        if (!j->pub.backfill)
            fits = collect_row(j, &j->page.rows.deliveries[j->page_at]);
        else if (th_backfill_wants(j, &j->page.rows.events[j->page_at], &steps))
            fits = keep(j, j->page.rows.events[j->page_at].no);
        j->page_at++;
    }
    e->ops_out--;
    j->busy = false;
    th_engine_page_free(e, &j->page);
    j->page.before = next;
    if (!fits || next == 0)
        collect_end(j, fits);
    else
        collect(j);
}

static void collected(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    struct th_engine *e = j->e;

    if (!op->error) {
        j->page_at = 0;
        take_rows(j);
        return;
    }
    e->ops_out--;
    j->busy = false;
    th_engine_store_error(e, op->error);
    if (j->start)
        answer(j, TH_CH_UNAVAILABLE, th_error_name(op->error));
}

static void collect(struct th_replay_job *j)
{
    uint64_t before = j->page.before;

    j->page = (struct th_page){.op = {.kind = TH_OP_PAGE, .done = collected, .user = j},
                               .kind = TH_PAGE_DELIVERIES,
                               .tenant = j->pub.tenant->no,
                               .endpoint = j->pub.endpoint,
                               .states = j->pub.states | (j->start ? 1u << TH_DS_QUEUED : 0),
                               .since = j->pub.since,
                               .until = j->pub.until,
                               .before = before,
                               .limit = 1000};
    if (j->pub.backfill)
        th_backfill_page(j);
    j->busy = true;
    j->e->ops_out++;
    th_engine_submit(j->e, &j->page.op);
}

/* ---- what waits at the endpoint ---- */

#define PEEK_US 5000   /* between two questions to another engine */
#define COUNT_US 50000 /* and to the store */

static void peeked(struct th_engine *home, struct th_mail *m)
{
    struct th_replay_job *j = TH_CONTAINER(m, struct th_replay_job, peek.mail);

    j->peek.out = false;
    j->peek.fresh = true;
    j->busy = false;
    j->peek.at.us = home->now.mono.us + PEEK_US;
    home->ops_out--;
    home->more = true;
}

static void peek(struct th_engine *owner, struct th_mail *m)
{
    struct th_replay_job *j = TH_CONTAINER(m, struct th_replay_job, peek.mail);
    struct th_sched_endpoint_stats stats = {0};

    j->peek.exists = th_sched_endpoint_stats(owner->sched, j->pub.endpoint, &stats);
    j->peek.waiting = stats.waiting;
    th_mail_send(owner, 0, m, peeked);
}

static void counted(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    struct th_engine *e = j->e;

    if (op->error)
        th_engine_store_error(e, op->error);
    j->peek.exists = th_map_get(&e->endpoints, j->pub.endpoint) != NULL;
    j->peek.waiting = op->error ? AHEAD : j->counted.fresh + j->counted.again;
    j->peek.out = false;
    j->peek.fresh = true;
    j->busy = false;
    j->peek.at.us = e->now.mono.us + COUNT_US;
    e->ops_out--;
    e->more = true;
}

/* The endpoint is another node's: the store knows what waits. */
static void count(struct th_replay_job *j)
{
    j->counts = (struct th_counts){.op = {.kind = TH_OP_COUNT, .done = counted, .user = j},
                                   .count = 1,
                                   .endpoints = &j->pub.endpoint,
                                   .waiting = &j->counted};
    th_engine_submit(j->e, &j->counts.op);
}

/* False: it is not known now; the owner has been asked, or will be. exists: the endpoint has not been deleted. */
static bool waiting_at(struct th_replay_job *j, bool *exists, uint32_t *waiting)
{
    struct th_engine *e = j->e;
    struct th_sched_endpoint_stats stats = {0};

    if (th_is_mine(e, j->pub.endpoint)) {
        *exists = th_sched_endpoint_stats(e->sched, j->pub.endpoint, &stats);
        *waiting = stats.waiting;
        return true;
    }
    *exists = j->peek.exists;
    *waiting = j->peek.waiting;
    if (j->peek.fresh) {
        j->peek.fresh = false;
        return true;
    }
    if (!j->peek.out && e->now.mono.us >= j->peek.at.us) {
        j->peek.out = j->busy = true;
        e->ops_out++;
        if (e->shared)
            count(j);
        else
            th_mail_send(e, th_owner(e, j->pub.endpoint), &j->peek.mail, peek);
    }
    return false;
}

/* ---- running ---- */

/* The oldest `count` numbers have been dealt with. */
static void went_on(struct th_replay_job *j, uint32_t count, uint32_t queued)
{
    struct th_engine *e = j->e;

    j->busy = false;
    e->more = true;
    if (!count)
        return; /* the same step again */
    j->pos = j->nos[j->count - count];
    j->count -= count;
    j->pub.queued += queued;
    j->pub.updated = e->now.wall;
    if (j->count == 0 && j->pub.state == TH_REPLAY_RUNNING) /* else it was cancelled meanwhile */
        th_replay_job_enter(j, TH_REPLAY_DONE);
    j->row_dirty = true;
}

static void stepped(struct th_op *op)
{
    struct th_replay_job *j = op->user;
    struct th_engine *e = j->e;
    uint32_t queued = 0;

    if (op->error == TH_UNKNOWN) { /* what it has queued must be known here too: the same operation again */
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    if (op->error) {
        j->busy = false;
        th_engine_store_error(e, op->error);
        return; /* the same step again */
    }
    for (uint32_t i = 0; i < j->move.count; i++) {
        if (!j->place->moved[i])
            continue;
        queued++;
        th_offer(e, &j->place->rows[i]);
    }
    went_on(j, j->move.count, queued);
}

static void step(struct th_replay_job *j)
{
    struct th_engine *e = j->e;
    uint32_t n = j->count < TH_REPLAY_STEP ? j->count : TH_REPLAY_STEP, waiting;
    bool exists;

    if (e->now.mono.us < j->again_at.us)
        return;
    if (!waiting_at(j, &exists, &waiting))
        return;
    if (!exists) {
        th_replay_job_enter(j, TH_REPLAY_CANCELLED); /* the endpoint has been deleted */
        j->row_dirty = true;
        return;
    }
    if (n == 0) {
        th_replay_job_enter(j, TH_REPLAY_DONE);
        j->row_dirty = true;
        return;
    }
    if (waiting >= AHEAD)
        return;
    j->stalled = e->now.mono;
    if (j->pub.backfill) {
        th_backfill_step(j, went_on);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        j->place->nos[i] = j->nos[j->count - 1 - i];
    j->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = stepped, .user = j},
                               .what = TH_MOVE_REPLAY,
                               .lane = TH_LANE_REPLAY,
                               .at = e->now.wall,
                               .count = n,
                               .deliveries = j->place->nos,
                               .moved = j->place->moved,
                               .rows = j->place->rows};
    j->busy = true;
    e->ops_out++;
    th_engine_submit(e, &j->move.op);
}

/* ---- places ---- */

/* The job that gives its place away: the one that has had nothing to do for longest, of the tenant that has most places. */
static struct th_replay_job *stalled(const struct th_engine *e)
{
    struct th_replay_job *best = NULL;
    unsigned most = 0;

    for (struct th_list *l = e->replays.next; l != &e->replays; l = l->next) {
        struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);
        unsigned places = 0;

        if (!j->place || j->busy || e->now.mono.us - j->stalled.us < STALL_US)
            continue;
        for (struct th_list *k = e->replays.next; k != &e->replays; k = k->next) {
            const struct th_replay_job *other = TH_CONTAINER(k, struct th_replay_job, link);
            places += other->place && other->pub.tenant == j->pub.tenant;
        }
        if (best && (places < most || (places == most && j->stalled.us >= best->stalled.us)))
            continue;
        best = j;
        most = places;
    }
    return best;
}

static bool place_take(struct th_replay_job *j)
{
    struct th_engine *e = j->e;

    if (e->replay_places >= MAX_PLACES) {
        struct th_replay_job *other = stalled(e);
        if (!other)
            return false;
        th_replay_place_leave(other);
        other->resume = true;
    }
    j->place = th_calloc(1, sizeof *j->place);
    if (!j->place)
        return false;
    e->replay_places++;
    j->stalled = e->now.mono;
    return true;
}

/* Whether it should collect what is left of its numbers: once its endpoint takes some of them. */
static bool needs_numbers(struct th_replay_job *j)
{
    bool exists;
    uint32_t waiting;

    if (!waiting_at(j, &exists, &waiting))
        return false;
    if (!exists) {
        th_replay_job_enter(j, TH_REPLAY_CANCELLED); /* the endpoint has been deleted */
        j->row_dirty = true;
        return false;
    }
    return waiting < AHEAD;
}

static void collect_again(struct th_replay_job *j)
{
    j->page.before = 0;
    j->count = 0;
    collect(j);
}

/* The one that has waited longest for a place; looking costs a walk, so it is not done at each turn. */
static void place_give(struct th_engine *e, struct th_replay_job *j)
{
    if (!j || e->now.mono.us < e->replay_look_at.us)
        return;
    if (place_take(j)) {
        collect_again(j);
        e->more = true;
    } else {
        e->replay_look_at.us = e->now.mono.us + STALL_US / 10;
    }
}

struct th_mono th_replays_wanted(const struct th_engine *e)
{
    struct th_mono next = e->replays_wait ? e->replay_look_at : TH_MONO_NEVER;

    if (e->draining || !e->store_ok || !th_is_first(e))
        return TH_MONO_NEVER;
    for (struct th_list *l = e->replays.next; l != &e->replays;
         l = l->next) { /* no settle here wakes these */
        const struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);
        if (j->pub.state != TH_REPLAY_RUNNING || j->busy)
            continue;
        if (!th_is_mine(e, j->pub.endpoint) && j->peek.at.us < next.us)
            next = j->peek.at;
        if (j->again_at.us > e->now.mono.us && j->again_at.us < next.us)
            next = j->again_at;
    }
    return next;
}

/* Ended jobs beyond the limit leave, the oldest first. */
static void forget_old(struct th_engine *e)
{
    struct th_replay_job *j = NULL;
    struct th_list *l;

    if (e->replay_count <= MAX_JOBS)
        return;
    for (l = e->replays.prev; l != &e->replays; l = l->prev) { /* few are at work */
        j = TH_CONTAINER(l, struct th_replay_job, link);
        if (!j->busy && !j->row_busy && j->pub.state != TH_REPLAY_RUNNING)
            break;
    }
    if (l == &e->replays)
        return;
    if (!j->row.del) {
        th_replay_job_erase(j, row_written);
        return;
    }
    e->replay_count--;
    th_replay_job_free(j);
}

void th_replays_begin(struct th_engine *e)
{
    struct th_replay_job *waits = NULL; /* for a place, for longest */
    struct th_list *l, *next;

    if (e->draining || !e->store_ok) {
        for (l = e->replays.next; l != &e->replays;
             l = l->next) /* nobody waits for a row that is not written now */
            th_replay_end_cancels(&TH_CONTAINER(l, struct th_replay_job, link)->cancels,
                                  e->store_ok ? TH_CANCELLED : TH_RETRY);
        return;
    }
    for (l = e->replays.next; l != &e->replays; l = next) {
        struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);
        next = l->next;
        if (j->pub.tenant->deleting && !j->busy && !j->row_busy) {
            e->replay_count--;
            th_replay_job_free(j); /* its row went with the tenant */
            continue;
        }
        if (!th_is_first(e)) { /* another node runs it */
            if (!j->busy) {
                th_replay_place_leave(j);
                j->resume = j->pub.state == TH_REPLAY_RUNNING;
            }
        } else if (!j->busy && j->resume && j->pub.state == TH_REPLAY_RUNNING) {
            bool wants = needs_numbers(j);
            if (wants && j->place)
                collect_again(j);
            else if (wants && (!waits || j->stalled.us < waits->stalled.us))
                waits = j;
        } else if (!j->busy && j->pub.state == TH_REPLAY_RUNNING) {
            step(j);
        }
        if (j->row_dirty && !j->row_busy) {
            j->row_dirty = false;
            while (!th_list_empty(&j->cancels)) {
                struct th_list *first = j->cancels.next;
                th_list_remove(first);
                th_list_append(&j->written, first);
            }
            th_replay_job_submit(j, row_written);
        }
        if (j->pub.state != TH_REPLAY_RUNNING && !j->busy)
            th_replay_place_leave(j);
    }
    if (th_is_first(e))
        place_give(e, waits);
    e->replays_wait = waits != NULL;
    forget_old(e);
}

/* ---- the API's side ---- */

void th_engine_replay(struct th_engine *e, struct th_replay_start *r)
{
    struct th_replay_job *j;
    bool ok;

    th_engine_tick(e);
    th_buf_init(&r->repeated, 1u << 20);
    r->result = TH_CH_UNAVAILABLE;
    r->replay = NULL;
    r->matched = 0;
    r->first_count = 0;
    th_buf_init(&r->first_mem, 64u << 20);
    memset(r->left_out, 0, sizeof r->left_out);
    memset(r->by_state, 0, sizeof r->by_state);
    r->detail[0] = 0;
    if (!th_limit_allows(e, r->ep->tenant, TH_L_REPLAYS, 1, r->detail, sizeof r->detail)) {
        r->result = TH_CH_LIMITED;
        r->done(r);
        return;
    }
    j = th_replay_job_new(e);
    ok = j != NULL;
    if (ok) {
        j->start = r;
        j->pub.endpoint = r->ep->no;
        th_replay_job_begin(j, r->ep->tenant, TH_REPLAY_COLLECTING);
        ok = th_replay_job_of(j, r->ep->created, r->ep->rnd);
        j->pub.rnd = th_engine_rnd32(e) & ((1u << 27) - 1);
        j->pub.created = j->pub.updated = e->now.wall;
        j->pub.since = r->since;
        j->pub.backfill = r->backfill;
        j->pub.until = r->until ? r->until : r->backfill ? r->ep->created.ms : e->now.wall.ms + 1;
        j->pub.states = r->states & ~(1u << TH_DS_QUEUED);
        for (unsigned i = 0; ok && i < r->type_count && i < TH_MAX_REPLAY_TYPES; i++)
            ok = th_arena_copy(&j->mem, r->types[i], &j->pub.types[j->pub.type_count++]);
    }
    if (!ok) {
        if (j)
            th_replay_job_free(j);
        snprintf(r->detail, sizeof r->detail, "out of memory");
        r->done(r);
        return;
    }
    if (!r->dry_run)
        (void)place_take(j); /* without one it is only counted now */
    th_list_append(&e->replays_starting, &j->starting);
    collect(j);
}

const struct th_replay *th_engine_replay_find(struct th_engine *e, const struct th_tenant *t,
                                              struct th_span id)
{
    struct th_pubid pub;

    if (!th_pubid_parse(e->id_key, TH_LIT("rpl_"), id, &pub))
        return NULL;
    for (struct th_list *l = e->replays.next; l != &e->replays; l = l->next) {
        struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);
        if (j->pub.no == pub.no && j->pub.rnd == pub.rnd && j->pub.created.ms == pub.at.ms &&
            (!t || j->pub.tenant == t))
            return &j->pub;
    }
    return NULL;
}

const struct th_replay *th_engine_replay_below(struct th_engine *e, const struct th_tenant *t, uint64_t no)
{
    for (struct th_list *l = e->replays.next; l != &e->replays; l = l->next) {
        struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);
        if (j->pub.tenant == t && j->pub.no < no)
            return &j->pub;
    }
    return NULL;
}

void th_engine_replay_id(struct th_engine *e, const struct th_replay *r, struct th_buf *out)
{
    th_pubid_format(out, e->id_key, TH_LIT("rpl_"), (struct th_pubid){r->created, r->rnd, r->no});
}

void th_engine_replay_cancel(struct th_engine *e, struct th_replay_cancel *c)
{
    struct th_replay_job *j = TH_CONTAINER(c->replay, struct th_replay_job, pub);

    th_engine_tick(e);
    c->error = TH_OK;
    c->stopped = j->pub.state == TH_REPLAY_RUNNING;
    if (c->stopped) {
        th_replay_job_enter(j, TH_REPLAY_CANCELLED);
        j->pub.updated = e->now.wall;
        j->resume = false;
        j->row_dirty = true;
    }
    if (!j->row_dirty && !j->row_busy) { /* its end is durable */
        c->done(c);
        return;
    }
    th_list_append(j->row_dirty ? &j->cancels : &j->written, &c->link);
    e->more = true;
}
