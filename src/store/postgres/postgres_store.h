/* The PostgreSQL store: waiting for the database to be free, and opening it. */
#ifndef TH_STORE_POSTGRES_STORE_H
#define TH_STORE_POSTGRES_STORE_H
#include "port/store.h"

struct th_store_postgres_options {
    const char *url, *password; /* password: NULL: in the address, in PGPASSWORD or in ~/.pgpass */
    bool unnamed;               /* keep no statement on the server */
    const char *dir;            /* data directory: its lock says that the process before this one has ended */
    const char *address;        /* of this node, shown to others */
    unsigned lease_ms;          /* 0: 10 seconds */
    bool share;                 /* work beside other nodes; else one works and the others wait */
    struct th_metrics *metrics;
    /** Called on the writer's thread when another node has taken over. The process should begin anew; a
     * return stops the store. */
    void (*lost)(void *ctx);
    void *ctx;
};

struct th_store_waiting; /* a node that does not own the database */

/** Reaches the database, brings its tables to this program's form, and registers this node. TH_RETRY: it cannot be reached. With a
 * reason. */
TH_MUST_USE enum th_error th_store_postgres_wait(const struct th_store_postgres_options *options,
                                                 struct th_store_waiting **out, char *why, size_t why_size);
/** Takes the database if it is free, or keeps this node's place. To be called every second. TH_CONFLICT:
 * another node works on it; `why` says which. TH_RETRY: it cannot be reached now. */
TH_MUST_USE enum th_error th_store_postgres_take(struct th_store_waiting *w, char *why, size_t why_size);
/** Opens the store of a database that was taken. Ends the waiting, whatever it returns. */
TH_MUST_USE enum th_error th_store_postgres_open(struct th_store_waiting *w, struct th_store **out, char *why,
                                                 size_t why_size);
/** Gives up without opening. */
void th_store_postgres_leave(struct th_store_waiting *w);
#endif
