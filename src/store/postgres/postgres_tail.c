/* What the newest commits of this node had, in a ring. A standby that takes over without having had everything leaves a database that is
 * older than what was acknowledged; the row of the fence shows how many commits are missing, and this says which events. */
#include "store/postgres/postgres_tail.h"
#include <time.h>

void pg_tail_note(struct pg_tail *tail, int64_t seq, uint64_t next_before, uint64_t next_after)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    tail->commits[seq % PG_TAIL] =
        (struct pg_tail_commit){.seq = seq,
                                .at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
                                .from = next_before,
                                .to = next_after};
}

struct pg_tail_lost pg_tail_find(const struct pg_tail *tail, int64_t first, int64_t last)
{
    struct pg_tail_lost lost = {0};

    if (first < last - PG_TAIL + 1)
        first = last - PG_TAIL + 1;
    for (int64_t seq = first; seq <= last; seq++) {
        uint64_t from;
        const struct pg_tail_commit *c = seq > 0 ? &tail->commits[seq % PG_TAIL] : NULL;

        if (!c || c->seq != seq)
            continue;
        lost.since_ms = lost.since_ms ? lost.since_ms : c->at_ms;
        lost.until_ms = c->at_ms;
        /* numbers begin anew with each day, and those between were never given */
        if (c->to <= c->from)
            continue;
        from = c->from >> 40 == c->to >> 40 ? c->from : c->to >> 40 << 40;
        lost.from = lost.from ? lost.from : from;
        lost.to = c->to - 1;
        lost.events += c->to - from;
    }
    return lost;
}
