/* Makes all deliveries to an endpoint due now that wait for another attempt, as after an outage.
 *
 * COUNTING → [the job row is committed: the answer] → a step → … → [the row is erased]. A step reads the next unfinished
 * deliveries of the endpoint, makes those due in the store that have had an attempt, then in the scheduler, and notes in the
 * row how far it has come. If the process dies, the next start goes on from there; a step whose note is
 * missing is made once more. So a backlog of any size needs only the memory of one step.
 *
 * Deliveries that have been queued since the count lie after `upto` and are not touched, so the job comes to
 * an end. Refuses: to begin at an endpoint that is paused or disabled, where nothing would go out; more than
 * a few jobs at a time. */
#include "engine/control/hurry.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/settings/blob.h"
#include "engine/state.h"
#include <stdio.h>

#define STEP 500
#define MAX_AT_WORK 64
#define MAX_OF_TENANT 8

struct hurry_job {
    struct th_list link;
    struct th_mail mail; /* to the engine that owns the endpoint */
    bool exists;         /* its answer */
    uint32_t in_flight;
    void (*then)(struct hurry_job *);
    struct th_engine *e;
    struct th_tenant *tenant;
    struct th_retry_all *start; /* until it is answered */
    uint64_t no, endpoint, upto;
    struct th_wall created;
    bool busy, again; /* again: `move` is to be sent as it is, for nobody knows whether it was committed */
    struct th_walk walk;
    struct th_move move;
    struct th_queue_row rows[STEP], now[STEP];
    uint64_t nos[STEP];
    bool moved[STEP];
    struct th_settings_op op;
    struct th_row row;
    struct th_buf settings, answer;
};

static void free_job(struct hurry_job *j)
{
    th_list_remove(&j->link);
    th_buf_fini(&j->settings);
    th_buf_wipe(&j->answer);
    th_buf_wipe(&j->op.repeated);
    th_free(j);
}

static struct hurry_job *new_job(struct th_engine *e, struct th_tenant *t, uint64_t endpoint)
{
    struct hurry_job *j = th_calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->e = e;
    j->tenant = t;
    j->endpoint = endpoint;
    th_buf_init(&j->settings, 1024);
    th_buf_init(&j->answer, 1u << 20);
    th_buf_init(&j->op.repeated, 2u << 20);
    th_list_append(&e->hurries, &j->link);
    return j;
}

static void submit(struct hurry_job *j, struct th_op *op, enum th_op_kind kind, void (*done)(struct th_op *))
{
    *op = (struct th_op){.kind = kind, .done = done, .user = j};
    j->busy = true;
    j->e->ops_out++;
    th_engine_submit(j->e, op);
}

/* True: the operation has failed, and the step is made again a little later. */
static bool failed(struct hurry_job *j, const struct th_op *op)
{
    j->busy = false;
    j->e->ops_out--;
    if (!op->error)
        return false;
    th_engine_store_error(j->e, op->error);
    j->e->jobs[TH_JOB_HURRY].at.us = j->e->now.mono.us + 1000000;
    return true;
}

static void read_on(struct hurry_job *j, void (*done)(struct th_op *))
{
    j->walk.endpoint = j->endpoint;
    j->walk.max = STEP;
    j->walk.rows = j->rows;
    submit(j, &j->walk.op, TH_OP_WALK, done);
}

/* ---- what the engine that owns the endpoint does ---- */

static void answered(struct th_engine *home, struct th_mail *m)
{
    struct hurry_job *j = TH_CONTAINER(m, struct hurry_job, mail);

    home->ops_out--;
    j->busy = false;
    j->then(j);
}

static void ask(struct hurry_job *j, void (*what)(struct th_engine *, struct th_mail *),
                void (*then)(struct hurry_job *))
{
    j->then = then;
    j->busy = true;
    j->e->ops_out++;
    th_mail_send(j->e, th_owner(j->e, j->endpoint), &j->mail, what);
}

/* ---- the job row ---- */

static void write_row(struct hurry_job *j, bool del, void (*done)(struct th_op *))
{
    th_buf_reset(&j->settings);
    th_buf_printf(&j->settings, "{\"hurry\":true,\"pos\":%llu,\"upto\":%llu}",
                  (unsigned long long)j->walk.from, (unsigned long long)j->upto);
    j->row = (struct th_row){.kind = TH_ROW_JOB,
                             .del = del,
                             .no = j->no,
                             .tenant = j->tenant->no,
                             .endpoint = j->endpoint,
                             .settings = th_buf_view(&j->settings),
                             .created = j->created.ms,
                             .updated = j->e->now.wall.ms};
    j->op.tenant = j->tenant->no;
    j->op.expect_version = j->tenant->version;
    j->op.keep_version = true;
    j->op.knows = j->e->shared ? j->e->followed + 1 : 0;
    j->op.count = 1;
    j->op.rows = &j->row;
    j->op.at = j->e->now.wall;
    submit(j, &j->op.op, TH_OP_SETTINGS, done);
}

void th_hurry_load(struct th_engine *e, const struct th_row *row, struct th_json root)
{
    struct th_tenant *t = th_map_get(&e->tenants_by_no, row->tenant);
    struct hurry_job *j = t ? new_job(e, t, row->endpoint) : NULL;
    struct th_json v;
    int64_t n;

    if (!j)
        return;
    j->no = row->no;
    j->created.ms = row->created;
    if (th_json_member(root, TH_LIT("pos"), &v) && th_json_i64(v, &n))
        j->walk.from = (uint64_t)n;
    if (th_json_member(root, TH_LIT("upto"), &v) && th_json_i64(v, &n))
        j->upto = (uint64_t)n;
}

bool th_hurry_follow(struct th_engine *e, const struct th_row *row)
{
    for (struct th_list *l = e->hurries.next; l != &e->hurries; l = l->next) {
        struct hurry_job *j = TH_CONTAINER(l, struct hurry_job, link);
        struct th_json root, v;
        int64_t n;

        if (j->no != row->no || j->start)
            continue;
        if (row->del && !j->busy)
            free_job(j);
        else if (!row->del && !j->busy && !th_is_first(e) && !th_json_parse(row->settings, 8, &root, NULL) &&
                 th_json_member(root, TH_LIT("pos"), &v) && th_json_i64(v, &n))
            j->walk.from = (uint64_t)n;
        return true;
    }
    return false;
}

/* ---- steps ---- */

static void erased(struct th_op *op)
{
    struct hurry_job *j = op->user;

    if (!failed(j, op) &&
        j->op.result != TH_SETTINGS_STALE) /* else once more, with what another node has changed */
        free_job(j);
}

/* A row that is not written is written with the next step. */
static void noted(struct th_op *op)
{
    struct hurry_job *j = op->user;

    (void)failed(j, op);
    j->e->more = true;
}

static void rows_hurried(struct hurry_job *j)
{
    j->walk.from = j->walk.next ? j->walk.next : j->upto + 1;
    write_row(j, false, noted);
}

static void hurry_rows(struct th_engine *owner, struct th_mail *m)
{
    struct hurry_job *j = TH_CONTAINER(m, struct hurry_job, mail);

    for (uint32_t i = 0; i < j->move.count; i++)
        if (j->moved[i])
            (void)th_sched_hurry(owner->sched, &j->now[i], owner->now.mono);
    th_mail_send(owner, 0, m, answered);
}

static void made_due(struct th_op *op)
{
    struct hurry_job *j = op->user;

    j->again = op->error == TH_UNKNOWN;
    if (failed(j, op))
        return;
    ask(j, hurry_rows, rows_hurried);
}

static void read_step(struct th_op *op)
{
    struct hurry_job *j = op->user;
    uint32_t n = 0;

    if (failed(j, op))
        return;
    for (uint32_t i = 0; i < j->walk.count && j->rows[i].no <= j->upto; i++)
        if (j->rows[i].attempts)
            j->nos[n++] = j->rows[i].no;
    j->move = (struct th_move){.what = TH_MOVE_HURRY,
                               .at = j->e->now.wall,
                               .count = n,
                               .deliveries = j->nos,
                               .moved = j->moved,
                               .rows = j->now};
    submit(j, &j->move.op, TH_OP_MOVE, made_due);
}

static void step(struct hurry_job *j)
{
    if (j->again)
        submit(j, &j->move.op, TH_OP_MOVE, made_due);
    else if (j->walk.from > j->upto)
        write_row(j, true, erased);
    else
        read_on(j, read_step);
}

void th_hurries_begin(struct th_engine *e)
{
    struct th_list *next;

    if (!th_is_first(e)) /* another node does it */
        return;
    if (e->walking) /* a row may be read that a step has changed since */
        return;
    for (struct th_list *l = e->hurries.next; l != &e->hurries; l = next) {
        struct hurry_job *j = TH_CONTAINER(l, struct hurry_job, link);
        next = l->next;
        if (j->busy || j->start)
            continue;
        if (j->tenant->deleting || !th_map_get(&e->endpoints, j->endpoint))
            free_job(j); /* its row went with them */
        else
            step(j);
    }
}

/* Those that wait for nobody go on in each turn: only a failure needs a moment. */
struct th_mono th_hurries_wanted(const struct th_engine *e)
{
    bool waits =
        th_is_first(e) && !th_list_empty(&e->hurries) && e->now.mono.us < e->jobs[TH_JOB_HURRY].at.us;

    return waits ? e->now.mono : TH_MONO_NEVER;
}

void th_hurries_free(struct th_engine *e)
{
    while (!th_list_empty(&e->hurries))
        free_job(TH_CONTAINER(e->hurries.next, struct hurry_job, link));
}

/* ---- the start ---- */

static void answer(struct hurry_job *j, enum th_change_result result, const char *detail)
{
    struct th_retry_all *r = j->start;

    j->start = NULL;
    r->result = result;
    snprintf(r->detail, sizeof r->detail, "%s", detail);
    if (result != TH_CH_DONE)
        free_job(j);
    r->done(r);
}

static void recorded(struct th_op *op)
{
    struct hurry_job *j = op->user;
    struct th_engine *e = j->e;
    struct th_retry_all *r = j->start;
    enum th_change_result result;
    const char *detail;
    bool again;

    if (op->error == TH_UNKNOWN) { /* the same again; a key of its own says that it was there */
        j->again = true;
        th_engine_submit(e, op);
        return;
    }
    again = j->again;
    j->again = false;
    if (failed(j, op)) {
        answer(j, TH_CH_UNAVAILABLE, th_error_name(op->error));
        return;
    }
    result = th_blob_answer_outcome(e, &j->op, again, &r->repeated, &detail);
    if (result == TH_CH_DONE) {
        j->op.idem.given = false;
        j->op.answer = th_span("", 0);
        e->more = true;
    }
    answer(j, result, detail);
}

static void record(struct hurry_job *j)
{
    struct th_engine *e = j->e;
    struct th_buf plain;
    bool ok;

    j->no = ++e->last_job;
    j->created = e->now.wall;
    j->walk.from = 0;
    j->op.idem = j->start->idem;
    if (j->op.idem.given && j->start->render) {
        th_buf_init(&plain, 1u << 20);
        j->start->render(j->start, &plain);
        ok = !plain.failed &&
             th_blob_answer_encrypt(e, j->tenant->no, j->op.idem.key, th_buf_view(&plain), &j->answer);
        th_buf_wipe(&plain);
        if (!ok) {
            answer(j, TH_CH_UNAVAILABLE, "out of memory");
            return;
        }
        j->op.answer = th_buf_view(&j->answer);
    }
    write_row(j, false, recorded);
}

static void looked(struct hurry_job *j)
{
    if (!j->exists) {
        answer(j, TH_CH_NOT_FOUND, "the endpoint has been deleted");
        return;
    }
    j->start->in_flight = j->in_flight;
    record(j);
}

static void look(struct th_engine *owner, struct th_mail *m)
{
    struct hurry_job *j = TH_CONTAINER(m, struct hurry_job, mail);
    struct th_sched_endpoint_stats stats = {0};

    j->exists = th_sched_endpoint_stats(owner->sched, j->endpoint, &stats) ||
                (owner->shared && th_map_get(&owner->endpoints,
                                             j->endpoint)); /* of another node: it knows what is in flight */
    j->in_flight = stats.in_flight;
    th_mail_send(owner, 0, m, answered);
}

static void counted(struct th_op *op)
{
    struct hurry_job *j = op->user;

    if (failed(j, op)) {
        answer(j, TH_CH_UNAVAILABLE, th_error_name(op->error));
        return;
    }
    for (uint32_t i = 0; i < j->walk.count; i++) {
        const struct th_queue_row *row = &j->rows[i];
        j->upto = row->no;
        if (row->lane == TH_LANE_TEST)
            continue;
        j->start->retrying += row->attempts != 0;
        j->start->pending += row->attempts == 0;
    }
    j->walk.from = j->walk.next;
    if (j->walk.next) {
        read_on(j, counted);
        return;
    }
    ask(j, look, looked);
}

static bool is_refused(struct th_engine *e, struct th_retry_all *r)
{
    unsigned all = 0, own = 0;
    const struct th_endpoint *ep = r->ep;

    for (struct th_list *l = e->hurries.next; l != &e->hurries; l = l->next, all++)
        own += TH_CONTAINER(l, struct hurry_job, link)->tenant == ep->tenant;
    if (ep->no_consent)
        snprintf(r->detail, sizeof r->detail,
                 "the endpoint's receiver has not agreed to get events, so nothing would go out; once it "
                 "has, all that "
                 "waits goes out by itself");
    else if (ep->disabled_at.ms || !ep->spec.active)
        snprintf(r->detail, sizeof r->detail,
                 "the endpoint is %s, so nothing would go out; set \"active\": true, then all that waits "
                 "goes out by itself",
                 ep->disabled_at.ms ? "disabled" : "paused");
    else if (all >= MAX_AT_WORK || own >= MAX_OF_TENANT)
        snprintf(r->detail, sizeof r->detail, "%d such retries%s are at work; wait for one to end",
                 own >= MAX_OF_TENANT ? MAX_OF_TENANT : MAX_AT_WORK,
                 own >= MAX_OF_TENANT ? " of this tenant" : "");
    return r->detail[0];
}

void th_engine_retry_all(struct th_engine *e, struct th_retry_all *r)
{
    struct hurry_job *j;

    th_engine_tick(e);
    th_buf_init(&r->repeated, 1u << 20);
    r->retrying = r->pending = r->in_flight = 0;
    r->detail[0] = 0;
    r->result = TH_CH_CONFLICT;
    if (is_refused(e, r)) {
        r->done(r);
        return;
    }
    j = new_job(e, r->ep->tenant, r->ep->no);
    if (!j) {
        r->result = TH_CH_UNAVAILABLE;
        snprintf(r->detail, sizeof r->detail, "out of memory");
        r->done(r);
        return;
    }
    j->start = r;
    read_on(j, counted);
}
