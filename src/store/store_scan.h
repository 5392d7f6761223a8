/* Numbers of one tenant or endpoint, newest first: what no run holds yet, then the sorted runs. A reader's thread. */
#ifndef TH_STORE_SCAN_H
#define TH_STORE_SCAN_H
#include "store/store_budget.h"
#include "store/store_build.h"
#include "store/store_reader.h"

/** First number of a kind that no run holds. Returns an SQLite code. */
int sq_scan_built(struct sq_reader *r, enum sq_run_kind kind, uint64_t *from);
/** Name of that mark in `counter`. */
const char *sq_scan_mark(enum sq_run_kind kind);

/** Numbers of one kind and key, newest first: what no run holds by scanning, then the runs. */
struct sq_scan {
    struct sq_reader *r;
    enum sq_run_kind kind;
    uint64_t key;   /* 0: every number, by scanning */
    uint64_t pos;   /* every number from here up has been given or left out */
    uint64_t floor; /* no number below it */
    uint64_t built;
    enum { SQ_SCAN_NEW, SQ_SCAN_TAIL, SQ_SCAN_RUNS, SQ_SCAN_END } phase;
    sqlite3_stmt *side[2]; /* tail: one or two tables */
    bool has[2];
    const unsigned char *nos; /* run at hand, borrowed from its statement */
    uint32_t left;
    uint64_t run;
};
enum sq_next { SQ_NEXT_ONE, SQ_NEXT_END, SQ_NEXT_SPENT, SQ_NEXT_ERROR };
void sq_scan_start(struct sq_scan *s, struct sq_reader *r, enum sq_run_kind kind, uint64_t key,
                   uint64_t before, uint64_t floor);
/** SPENT: go on with a new scan from s->pos. ERROR: *rc. */
enum sq_next sq_scan_next(struct sq_scan *s, struct sq_budget *budget, uint64_t *no, int *rc);
void sq_scan_end(struct sq_scan *s);
#endif
