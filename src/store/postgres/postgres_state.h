/* The PostgreSQL store as a whole: its members besides those of every store. */
#ifndef TH_STORE_POSTGRES_STATE_H
#define TH_STORE_POSTGRES_STATE_H
#include "store/postgres/postgres_lease.h"
#include "store/postgres/postgres_share.h"
#include "store/postgres/postgres_tail.h"
#include "store/store_state.h"

struct pg_store {
    struct st_store base;
    struct pg_address address;
    struct pg_db db; /* the writer's */
    struct pg_lease lease;
    struct pg_share share;
    int lock_fd;       /* of the data directory */
    char instance[40]; /* its name, for the other nodes */
    void (*lost)(
        void *ctx); /* another node has taken over; does not return when there is a process to begin anew */
    void *lost_ctx;
    struct th_map days; /* days that have partitions; owner: writer thread */
    /* owner: writer thread */
    enum th_error broken; /* TH_CORRUPT, TH_IO: takes no further writes */
    bool away;            /* there is no connection, and the log says so */
    unsigned failures;    /* failures in a row of opening a connection */
    int64_t retry_at_us;  /* no connection is tried before */
    struct pg_tail tail;  /* the newest commits */
    int64_t drop_at_us;   /* when to look next for days that can be dropped */
};
#endif
