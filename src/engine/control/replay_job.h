/* A replay under way, shared by the files that replay: replay.c has its life, replay_row.c its memory and its row. */
#ifndef TH_ENGINE_REPLAY_JOB_H
#define TH_ENGINE_REPLAY_JOB_H
#include "base/arena.h"
#include "engine/engine.h"

#define TH_REPLAY_STEP 256

/* Memory that a job has only while it has a place; a job that queues nothing gives its place to another one. */
struct th_replay_step {
    uint64_t nos[TH_REPLAY_STEP];
    bool moved[TH_REPLAY_STEP];
    struct th_queue_row rows[TH_REPLAY_STEP];
};

/* What the engine that owns the endpoint says about it: asked by letter, and valid for one step. */
struct th_replay_peek {
    struct th_mail mail;
    bool out, fresh, exists; /* out: the letter is under way */
    uint32_t waiting;
    struct th_mono at; /* not asked again before */
};

struct th_replay_job;
/* The same for a backfill: the events of a step, and their copies. */
#define TH_BACKFILL_STEP 32
struct th_backfill_step {
    struct th_load load;
    struct th_publish publish;
    uint64_t nos[TH_BACKFILL_STEP];
    struct th_event_row rows[TH_BACKFILL_STEP];
    struct th_publish_event events[TH_BACKFILL_STEP];
    struct th_event_copy copies[TH_BACKFILL_STEP];
    char ids[TH_BACKFILL_STEP][TH_COPY_ID_MAX];
    uint32_t count; /* numbers of this step */
    void (*done)(struct th_replay_job *j, uint32_t count, uint32_t queued);
};

struct th_replay_job {
    struct th_replay pub;
    struct th_list link;     /* of recorded jobs */
    struct th_list starting; /* until it is answered */
    struct th_list cancels,
        written; /* struct th_replay_cancel: for the next write of the row, for the one under way */
    struct th_engine *e;
    struct th_arena mem;              /* types */
    struct th_replay_start *start;    /* until it is answered */
    struct th_replay_step *place;     /* NULL: none, and no numbers */
    struct th_backfill_step *copying; /* NULL: it has made no step since it got its place */
    struct th_mono again_at; /* of a backfill: no step before, because there was no room for the last one */
    uint64_t oldest[TH_BACKFILL_FIRST]; /* while it starts: of what matches, in turn */
    uint64_t first_nos[TH_BACKFILL_FIRST];
    struct th_load first; /* these, read for the answer */
    void (*first_done)(struct th_replay_job *j, enum th_error error);
    struct th_deferred defer;
    uint32_t page_at; /* rows of the page that have been looked at */
    struct th_replay_peek peek;
    struct th_counts counts; /* several nodes: what waits at an endpoint of another one */
    struct th_waiting counted;
    struct th_mono stalled; /* with a place: the time since which it has had nothing to do */
    uint64_t *nos;          /* collected, newest first */
    uint32_t count, cap;
    uint64_t found; /* while it starts: what matches */
    uint64_t pos;   /* every delivery up to this number is queued */
    bool busy, resume, row_dirty, row_busy;
    uint32_t endpoint_rnd;
    bool unknown; /* the outcome of recording it was unknown: it was sent again */
    struct th_page page;
    struct th_move move;
    struct th_settings_op op;
    struct th_row row;
    struct th_buf settings, answer;
};

/* Whether the job was asked for events of this type. */
bool th_replay_wants_type(const struct th_replay_job *j, struct th_span type);
/* Makes a job that waits for nothing and is on no list; NULL: no memory. */
struct th_replay_job *th_replay_job_new(struct th_engine *e);
/* To be called once, before anything else: sets the job's tenant and first state. */
void th_replay_job_begin(struct th_replay_job *j, struct th_tenant *t, enum th_replay_state state);
/* Goes from one state to the next; the table in replay_row.c has the allowed steps. */
void th_replay_job_enter(struct th_replay_job *j, enum th_replay_state state);
/* Keeps the parts of the endpoint's id, for the time when the endpoint is deleted. */
bool th_replay_job_of(struct th_replay_job *j, struct th_wall created, uint32_t rnd);
/* Takes the job off its lists, answers those who wait for its end, and frees it. */
void th_replay_job_free(struct th_replay_job *j);
/* Gives its place and its numbers back; no operation of the job may be under way. */
void th_replay_place_leave(struct th_replay_job *j);
/* Answers all of a list of struct th_replay_cancel, which is then empty. */
void th_replay_end_cancels(struct th_list *list, enum th_error error);
/* Sends the row, as the job is now, to the store. */
void th_replay_job_submit(struct th_replay_job *j, void (*done)(struct th_op *));
/* Has the store delete the row. */
void th_replay_job_erase(struct th_replay_job *j, void (*done)(struct th_op *));

#endif
