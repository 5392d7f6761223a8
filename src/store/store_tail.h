/* The attempts that are in no rollup yet, in memory, for whoever asks for statistics. */
#ifndef TH_STORE_TAIL_H
#define TH_STORE_TAIL_H
#include "store/store_roll.h"

#define ST_TAIL_MOST 32768 /* attempts, the newest ones */

struct st_tail {
    struct st_roll_attempt *v; /* numbers ascending, all below `next` that are there from the first one on */
    uint32_t n;
    bool cut;        /* there are more before these, from the mark on */
    uint64_t next;   /* attempts from this number on were not looked at */
    uint64_t rolled; /* the counter when they were read */
};

/** Brings *tail up to date: the attempts from the mark `built` on, ST_TAIL_MOST at the most. A reader's thread, in a transaction. */
int st_tail_read(struct st_reader *r, uint64_t built, struct st_tail **tail);
/** Nothing is remembered any more. */
void st_tail_forget(struct st_reader *r);
#endif
