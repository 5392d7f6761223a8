/* Finds the numbers of one tenant or endpoint, newest first: those that no run holds yet, then those of the
 * sorted runs. On a reader's thread. */
#ifndef TH_STORE_SCAN_H
#define TH_STORE_SCAN_H
#include "store/store_budget.h"
#include "store/store_build.h"
#include "store/store_reader.h"

/** First number of a kind that no run holds. ST_OK or the error. */
int st_scan_built(struct st_reader *r, enum st_run_kind kind, uint64_t *from);
/** Name of that mark in `counter`. */
const char *st_scan_mark(enum st_run_kind kind);

/** A scan for the numbers of one kind and key, newest first: those that no run holds by scanning a table,
 * then those of the runs. */
struct st_scan {
    struct st_reader *r;
    enum st_run_kind kind;
    uint64_t key;   /* 0: every number, by scanning */
    uint64_t pos;   /* every number from here up has been given or left out */
    uint64_t floor; /* no number below it */
    uint64_t built;
    enum { ST_SCAN_NEW, ST_SCAN_TAIL, ST_SCAN_RUNS, ST_SCAN_END } phase;
    struct st_stmt *side[2]; /* tail: one or two tables */
    bool has[2];
    const unsigned char *nos; /* run at hand, borrowed from its statement */
    uint32_t left;
    uint64_t run;
};
enum st_next { ST_NEXT_ONE, ST_NEXT_END, ST_NEXT_SPENT, ST_NEXT_ERROR };
void st_scan_start(struct st_scan *s, struct st_reader *r, enum st_run_kind kind, uint64_t key,
                   uint64_t before, uint64_t floor);
/** SPENT: go on with a new scan from s->pos. ERROR: *rc. */
enum st_next st_scan_next(struct st_scan *s, struct st_budget *budget, uint64_t *no, int *rc);
void st_scan_end(struct st_scan *s);
#endif
