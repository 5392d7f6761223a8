/* Sessions of nodes that hang inside a transaction. */
#ifndef TH_STORE_POSTGRES_HUNG_H
#define TH_STORE_POSTGRES_HUNG_H
#include "base/metric.h"
#include "store/postgres/postgres_db.h"

#define PG_HUNG_MAX 16

/** What was seen at the last look. Zero it. One thread at a time. */
struct pg_hung {
    int64_t look_at_us; /* boot time */
    unsigned count;
    struct {
        int pid;
        char since[40];  /* when its newest command began, as the database writes it */
        int64_t seen_us; /* boot time: when it was first seen to wait since then */
    } one[PG_HUNG_MAX];
};

/** Ends sessions of this program, of whatever node, that have done nothing for three tenths of the lease with a transaction open. To be
 * called often, outside of a transaction; looks from time to time. Failures are left to the next look. metrics may be NULL. */
void pg_hung_look(struct pg_hung *h, struct pg_db *db, unsigned lease_ms, struct th_metrics *metrics);
#endif
