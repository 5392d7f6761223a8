/* The lease of the node that works on the database: the row of this process in `node`, and the slots that it
 * owns. */
#ifndef TH_STORE_POSTGRES_LEASE_H
#define TH_STORE_POSTGRES_LEASE_H
#include "store/postgres/postgres_db.h"
#include <stdatomic.h>

struct pg_lease {
    const char *instance; /* names the data directory of this process, which holds its lock */
    const char *address;  /* shown to others */
    unsigned ttl_ms;
    bool share;           /* it works beside other nodes */
    int node;             /* 0: not registered */
    bool took_over;       /* from a node that had not renewed its lease */
    int64_t epoch, seq;   /* seq: of the newest batch that was sent */
    int64_t fenced;       /* how often others have taken over from this node, as it was when it registered */
    int64_t acknowledged; /* number of the newest batch that is known to be committed */
    int64_t sent_us;      /* when the renewal under way was sent */
    _Atomic int64_t
        confirmed_us; /* boot time: when the last renewal that is confirmed was sent; 0: none is */
    /** How often it was renewed after it had ended for this node. What others have changed meanwhile, they may have answered without waiting
     * for this node (told.c); so it sends nothing before its engine has applied that: see pg_lease_caught_up. */
    _Atomic uint32_t lapses, caught_up;
};

struct pg_holder { /* the node that works on the database */
    int node;
    char address[128];
    int64_t left_ms; /* of its lease */
};

/** Boot time, which goes on while the machine sleeps, in microseconds. */
int64_t pg_lease_now_us(void);
/** Writes this node's row: anew, or in place of the one that the process before it in this data directory has left. */
enum th_error pg_lease_register(struct pg_db *db, struct pg_lease *l);
/** Takes the slots if nobody has them, or if their owner did not renew its lease. TH_CONFLICT: *holder has
 * them. */
enum th_error pg_lease_take(struct pg_db *db, struct pg_lease *l, struct pg_holder *holder);
/** Keeps the row of a node that waits. False: it is gone, register again. */
bool pg_lease_wait(struct pg_db *db, struct pg_lease *l);
/** Sends, first in a transaction, what makes it fail when another node has taken over, and renews the lease. */
void pg_lease_fence(struct pg_db *db, struct pg_lease *l);
/** The batch has been committed. */
void pg_lease_confirm(struct pg_lease *l);
/** On a new connection: whether the batch that was under way has been committed. From then on nothing of an earlier connection
 * can be. TH_CONFLICT: another node has taken over. */
enum th_error pg_lease_resolve(struct pg_db *db, struct pg_lease *l, bool *committed);
/** Gives everything up, so that another node need not wait. */
void pg_lease_release(struct pg_db *db, struct pg_lease *l);
/** The engine has applied what was committed when `lapses` was read. Any thread. */
void pg_lease_caught_up(struct pg_lease *l, uint32_t lapses);
/** Whether a request may still be sent: seven tenths of the lease at most have gone since the last confirmed renewal was sent, and nothing
 * was missed. Any thread. */
bool pg_lease_holds(const struct pg_lease *l);
#endif
