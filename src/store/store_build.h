/* Sorted runs of the stores: a reader collects them, the writer writes them, retention drops them. */
#ifndef TH_STORE_BUILD_H
#define TH_STORE_BUILD_H
#include "port/store.h"

struct st_store;
struct st_reader;
struct st_writer;

#define ST_RUN_SHIFT                                                                                         \
    14 /* 16,384 consecutive numbers are one run, so that what no run holds yet is one short scan */
#define ST_RUN_NUMBERS (1u << ST_RUN_SHIFT)
#define ST_BUILD_ROWS 512    /* rows of a run written with one commit */
#define ST_OP_RUN_BUILD 1000 /* the store's own op: no session, never handed out */

enum st_run_kind {
    ST_RUN_EVENT,
    ST_RUN_DELIVERY,
    ST_RUN_ATTEMPT,
    ST_RUN_KINDS
}; /* by tenant, endpoint, endpoint */

struct st_pair {
    uint64_t key, no;
};

/** A row of the rollups to be written or deleted (store_roll.c). */
struct st_roll {
    int64_t t; /* minutes since 1970 */
    uint64_t key, upto;
    uint32_t at, n; /* its value, in `values` */
    uint8_t level, kind;
    bool del;
    bool begins; /* a slice may begin with it: what does not, belongs to the one before */
};
struct st_sample;

/** One run on its way into `run`: collected and sorted by a reader, written in slices by the writer. */
struct st_build {
    struct th_op op; /* kind ST_OP_RUN_BUILD */
    enum st_run_kind kind;
    uint64_t run;
    struct st_pair *pairs; /* ST_RUN_NUMBERS; sorted by key, then number */
    uint32_t count, done, slice_end;
    /* attempts: what the run adds to the rollups */
    struct st_sample *samples;
    uint32_t sample_count;
    struct st_roll *rolls;
    uint32_t roll_count, roll_room, roll_done, roll_end;
    struct th_buf values;
    uint64_t rolled;  /* the number of slices that was found, and that must be there still */
    bool lost;        /* somebody has changed the rollups meanwhile: this is given up */
    bool busy, again; /* owner: any thread, under the store's lock */
};

/** Collects the oldest complete run that is not built. b->count == 0: there is none (or error says why). A reader's thread. */
void st_build_collect(struct st_reader *r, struct st_build *b);
/** Writes the next slice of a run; with the last one the run counts. The writer's thread, in a transaction. */
int st_build_slice(struct st_writer *w, struct st_build *b);
/** To be called after a slice was committed, or was not: goes on with the next slice, or the next run. On the
 * writer's thread. */
void st_build_step(struct st_store *s, struct st_build *b);
/** Begins to build the runs that have become complete. The writer's thread. */
void st_build_requests(struct st_store *s);
/** Building has ended: there is nothing to do, or it has failed. Any thread. */
void st_build_idle(struct st_store *s, struct st_build *b);
/** Deletes at most one run of each kind that lies below these numbers. The writer's thread, in a transaction. */
int st_build_purge(struct st_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt);
#endif
