/* The newest commits of this node, so that it can say what a database has lost that went back. */
#ifndef TH_STORE_POSTGRES_TAIL_H
#define TH_STORE_POSTGRES_TAIL_H
#include <stdint.h>

#define PG_TAIL 4096 /* commits that are remembered */

struct pg_tail {
    struct pg_tail_commit {
        int64_t seq;       /* 0: none */
        int64_t at_ms;     /* wall: when it was confirmed */
        uint64_t from, to; /* numbers of its events: from up to but not including to */
    } commits[PG_TAIL];
};

struct pg_tail_lost {
    int64_t since_ms, until_ms; /* wall: of the commits that are remembered; 0: none is */
    uint64_t events, from, to;  /* the events' numbers: from the first to the last; 0: none */
};

/** A batch was committed. The numbers that the next event would have had before and after it. */
void pg_tail_note(struct pg_tail *tail, int64_t seq, uint64_t next_before, uint64_t next_after);
/** What the commits `first` to `last` had. */
struct pg_tail_lost pg_tail_find(const struct pg_tail *tail, int64_t first, int64_t last);
#endif
