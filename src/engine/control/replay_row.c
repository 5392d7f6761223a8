/* The memory of a replay, its states, and its row in the store: written at each change, read at the start.
 *
 * COLLECTING → RUNNING → DONE | CANCELLED | FAILED. A tenant counts those of its replays that are in the first two. */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/hurry.h"
#include "engine/control/replay.h"
#include "engine/control/replay_job.h"
#include "engine/mail.h"
#include "engine/state.h"

#define BIT(state) (1u << (state))

/* Which states may follow. */
static const unsigned follows[] = {
    [TH_REPLAY_COLLECTING] = BIT(TH_REPLAY_RUNNING),
    [TH_REPLAY_RUNNING] = BIT(TH_REPLAY_DONE) | BIT(TH_REPLAY_CANCELLED) | BIT(TH_REPLAY_FAILED),
    [TH_REPLAY_DONE] = 0,
    [TH_REPLAY_CANCELLED] = 0,
    [TH_REPLAY_FAILED] = 0,
};

static bool is_at_work(enum th_replay_state state)
{
    return state == TH_REPLAY_COLLECTING || state == TH_REPLAY_RUNNING;
}

void th_replay_job_begin(struct th_replay_job *j, struct th_tenant *t, enum th_replay_state state)
{
    TH_CHECK(!j->pub.tenant);
    j->pub.tenant = t;
    j->pub.state = state;
    t->replays += is_at_work(state);
}

void th_replay_job_enter(struct th_replay_job *j, enum th_replay_state state)
{
    TH_CHECK(follows[j->pub.state] & BIT(state));
    if (!is_at_work(state))
        j->pub.tenant->replays--;
    j->pub.state = state;
}

void th_replay_end_cancels(struct th_list *list, enum th_error error)
{
    while (!th_list_empty(list)) {
        struct th_replay_cancel *c = TH_CONTAINER(list->next, struct th_replay_cancel, link);
        th_list_remove(&c->link);
        c->error = error;
        c->done(c);
    }
}

void th_replay_job_free(struct th_replay_job *j)
{
    th_replay_end_cancels(&j->written, TH_OK); /* gone is stopped */
    th_replay_end_cancels(&j->cancels, TH_OK);
    if (j->pub.tenant && is_at_work(j->pub.state))
        j->pub.tenant->replays--;
    th_list_remove(&j->link);
    th_buf_fini(&j->settings);
    th_buf_wipe(&j->answer);
    th_buf_wipe(&j->op.repeated);
    th_arena_fini(&j->mem);
    th_replay_place_leave(j);
    th_free(j);
}

void th_replay_place_leave(struct th_replay_job *j)
{
    j->e->replay_places -= j->place != NULL;
    th_free(j->place);
    th_free(j->copying);
    j->copying = NULL;
    th_free(j->nos);
    j->place = NULL;
    j->nos = NULL;
    j->count = j->cap = 0;
}

struct th_replay_job *th_replay_job_new(struct th_engine *e)
{
    struct th_replay_job *j = th_calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->e = e;
    th_list_init(&j->link);
    th_list_init(&j->starting);
    th_list_init(&j->cancels);
    th_list_init(&j->written);
    th_arena_init(&j->mem, 65536);
    th_buf_init(&j->settings, 65536);
    th_buf_init(&j->answer, 1u << 20);
    th_buf_init(&j->op.repeated, 2u << 20);
    return j;
}

void th_replays_free(struct th_engine *e)
{
    while (!th_list_empty(&e->replays))
        th_replay_job_free(TH_CONTAINER(e->replays.next, struct th_replay_job, link));
}

bool th_replay_wants_type(const struct th_replay_job *j, struct th_span type)
{
    if (j->pub.type_count == 0)
        return true;
    for (unsigned i = 0; i < j->pub.type_count; i++)
        if (th_pattern_has(j->pub.types[i], type))
            return true;
    return false;
}

bool th_replay_job_of(struct th_replay_job *j, struct th_wall created, uint32_t rnd)
{
    struct th_buf settings;
    bool ok;

    th_buf_init(&settings, 64);
    th_buf_printf(&settings, "{\"rnd\":%u}", (unsigned)rnd);
    ok = !settings.failed && th_arena_copy(&j->mem, th_buf_view(&settings), &j->pub.past.settings);
    th_buf_fini(&settings);
    j->pub.past.created = created.ms;
    j->endpoint_rnd = rnd;
    return ok;
}

/* ---- the job row ---- */

static void number(struct th_jw *w, const char *key, int64_t v)
{
    th_jw_key(w, th_str(key));
    th_jw_i64(w, v);
}

static void write_settings(struct th_replay_job *j)
{
    struct th_jw w;

    th_buf_reset(&j->settings);
    w = th_jw(&j->settings);
    th_jw_object(&w);
    number(&w, "rnd", j->pub.rnd);
    number(&w, "since", j->pub.since);
    number(&w, "until", j->pub.until);
    number(&w, "states", j->pub.states);
    number(&w, "state", j->pub.state);
    number(&w, "matched", (int64_t)j->pub.matched);
    number(&w, "queued", (int64_t)j->pub.queued);
    number(&w, "pos", (int64_t)j->pos);
    if (j->pub.backfill)
        number(&w, "backfill", 1);
    number(&w, "endpoint_created", j->pub.past.created);
    number(&w, "endpoint_rnd", j->endpoint_rnd);
    th_jw_key(&w, TH_LIT("types"));
    th_jw_array(&w);
    for (unsigned i = 0; i < j->pub.type_count; i++)
        th_jw_string(&w, j->pub.types[i]);
    th_jw_end_array(&w);
    th_jw_end_object(&w);
}

static void submit(struct th_replay_job *j, void (*done)(struct th_op *))
{
    j->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = done, .user = j};
    j->op.tenant = j->pub.tenant->no;
    j->op.expect_version = j->pub.tenant->version;
    j->op.keep_version = true;
    j->op.knows = j->e->shared ? j->e->followed + 1 : 0;
    j->op.count = 1;
    j->op.rows = &j->row;
    j->op.at = j->e->now.wall;
    j->row_busy = true;
    j->e->ops_out++;
    th_engine_submit(j->e, &j->op.op);
}

void th_replay_job_submit(struct th_replay_job *j, void (*done)(struct th_op *))
{
    write_settings(j);
    j->row = (struct th_row){.kind = TH_ROW_JOB,
                             .no = j->pub.no,
                             .tenant = j->pub.tenant->no,
                             .endpoint = j->pub.endpoint,
                             .settings = th_buf_view(&j->settings),
                             .created = j->pub.created.ms,
                             .updated = j->e->now.wall.ms};
    submit(j, done);
}

void th_replay_job_erase(struct th_replay_job *j, void (*done)(struct th_op *))
{
    j->row = (struct th_row){.kind = TH_ROW_JOB, .no = j->pub.no, .tenant = j->pub.tenant->no, .del = true};
    submit(j, done);
}

/* ---- the start ---- */

static int64_t member(struct th_json root, const char *name)
{
    struct th_json v;
    int64_t n = 0;

    if (th_json_member(root, th_str(name), &v))
        (void)th_json_i64(v, &n);
    return n;
}

static bool load_types(struct th_replay_job *j, struct th_json root)
{
    struct th_json list, v;
    struct th_json_iter it;
    struct th_buf text;
    bool ok = true;

    if (!th_json_member(root, TH_LIT("types"), &list))
        return true;
    th_json_iter(&it, list);
    while (ok && th_json_next(&it, NULL, &v) && j->pub.type_count < TH_MAX_REPLAY_TYPES) {
        th_buf_init(&text, 1024);
        ok = th_json_string(v, &text) &&
             th_arena_copy(&j->mem, th_buf_view(&text), &j->pub.types[j->pub.type_count++]);
        th_buf_fini(&text);
    }
    return ok;
}

void th_replay_load(struct th_engine *e, const struct th_row *row)
{
    struct th_tenant *t = th_map_get(&e->tenants_by_no, row->tenant);
    struct th_replay_job *j;
    struct th_json root;
    int64_t state;

    if (row->no > e->last_job)
        e->last_job = row->no;
    if (!t || th_json_parse(row->settings, 8, &root, NULL))
        return;
    if (th_json_member(root, TH_LIT("hurry"), &(struct th_json){0})) {
        th_hurry_load(e, row, root);
        return;
    }
    j = th_replay_job_new(e);
    if (!j || !load_types(j, root) ||
        !th_replay_job_of(j, (struct th_wall){member(root, "endpoint_created")},
                          (uint32_t)member(root, "endpoint_rnd"))) {
        if (j)
            th_replay_job_free(j);
        return;
    }
    j->pub.no = row->no;
    state = member(root, "state");
    th_replay_job_begin(
        j, t, state >= 0 && state <= TH_REPLAY_FAILED ? (enum th_replay_state)state : TH_REPLAY_FAILED);
    j->pub.endpoint = row->endpoint;
    j->pub.created.ms = row->created;
    j->pub.updated.ms = row->updated;
    j->pub.rnd = (uint32_t)member(root, "rnd");
    j->pub.since = member(root, "since");
    j->pub.until = member(root, "until");
    j->pub.states = (uint32_t)member(root, "states");
    j->pub.backfill = member(root, "backfill") != 0;
    j->pub.matched = (uint64_t)member(root, "matched");
    j->pub.queued = (uint64_t)member(root, "queued");
    j->pos = (uint64_t)member(root, "pos");
    j->resume = j->pub.state == TH_REPLAY_RUNNING;
    th_list_prepend(&e->replays, &j->link);
    e->replay_count++;
}

/* ---- several nodes: the one that has slot 0 runs all jobs, the others show them and can end them ---- */

static void take_row(struct th_replay_job *j, struct th_json root, int64_t updated)
{
    int64_t state = member(root, "state");

    if (j->pub.state == TH_REPLAY_RUNNING && state > TH_REPLAY_RUNNING && state <= TH_REPLAY_FAILED)
        th_replay_job_enter(j, (enum th_replay_state)state);
    if (th_is_first(j->e) && j->pub.state == TH_REPLAY_RUNNING)
        return; /* what is known here is newer */
    j->pub.queued = (uint64_t)member(root, "queued");
    j->pos = (uint64_t)member(root, "pos");
    j->pub.updated.ms = updated;
}

void th_replay_follow(struct th_engine *e, const struct th_row *row)
{
    struct th_json root;

    for (struct th_list *l = e->replays.next; l != &e->replays; l = l->next) {
        struct th_replay_job *j = TH_CONTAINER(l, struct th_replay_job, link);

        if (j->pub.no != row->no)
            continue;
        if (row->del && !j->busy && !j->row_busy) {
            e->replay_count--;
            th_replay_job_free(j);
        } else if (!row->del && !th_json_parse(row->settings, 8, &root, NULL)) {
            take_row(j, root, row->updated);
        }
        return;
    }
    if (!th_hurry_follow(e, row) && !row->del)
        th_replay_load(e, row);
}
