/* Sorted runs of the SQLite store: collected by a reader, written by the writer, dropped by retention. */
#ifndef TH_STORE_SQLITE_BUILD_H
#define TH_STORE_SQLITE_BUILD_H
#include "port/store.h"

struct sq_store;
struct sq_reader;
struct sq_writer;

#define SQ_RUN_SHIFT                                                                                         \
    14 /* 16,384 consecutive numbers are one run, so that what no run holds yet is one short scan */
#define SQ_RUN_NUMBERS (1u << SQ_RUN_SHIFT)
#define SQ_BUILD_ROWS 512    /* rows of a run written with one commit */
#define SQ_OP_RUN_BUILD 1000 /* the store's own op: no session, never handed out */

enum sq_run_kind {
    SQ_RUN_EVENT,
    SQ_RUN_DELIVERY,
    SQ_RUN_ATTEMPT,
    SQ_RUN_KINDS
}; /* by tenant, endpoint, endpoint */

struct sq_pair {
    uint64_t key, no;
};

/** One run on its way into `run`: collected and sorted by a reader, written in slices by the writer. */
struct sq_build {
    struct th_op op; /* kind SQ_OP_RUN_BUILD */
    enum sq_run_kind kind;
    uint64_t run;
    struct sq_pair *pairs; /* SQ_RUN_NUMBERS; sorted by key, then number */
    uint32_t count, done, slice_end;
    bool busy, again; /* owner: any thread, under the store's lock */
};

/** Collects the oldest complete run that is not built. b->count == 0: there is none (or error says why). A reader's thread. */
void sq_build_collect(struct sq_reader *r, struct sq_build *b);
/** Writes the next slice of a run; with the last one the run counts. The writer's thread, in a transaction. */
int sq_build_slice(struct sq_writer *w, struct sq_build *b);
/** After a slice was committed, or was not: the next slice, or the next run. The writer's thread. */
void sq_build_step(struct sq_store *s, struct sq_build *b);
/** Begins to build the runs that have become complete. The writer's thread. */
void sq_build_requests(struct sq_store *s);
/** It has come to an end: nothing to do, or it failed. Any thread. */
void sq_build_idle(struct sq_store *s, struct sq_build *b);
/** Deletes at most one run of each kind that lies below these numbers. The writer's thread, in a transaction. */
int sq_build_purge(struct sq_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt);
#endif
