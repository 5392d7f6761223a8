/* The readers of the stores: threads with a read-only connection each. */
#ifndef TH_STORE_READER_H
#define TH_STORE_READER_H
#include "port/store.h"
#include "store/store_statement.h"
#include "store/store_statements.h"
#include <pthread.h>

struct st_store;
struct st_tail;

#define ST_READERS 3 /* 0: dispatch (LOAD, WALK, short PAGE); 1: lists (PAGE); 2: collects sorted runs */

struct st_reader {
    struct st_store *store;
    struct st_db *db;
    struct st_stmt *st[ST_R_COUNT];
    struct st_tail *tail_of_attempts; /* store_tail.c; NULL: nobody has asked yet */
    uint64_t mark;                    /* newest group that the page at hand may show */
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct th_op *head, **tail;
    bool stop, started;
    bool ready; /* what a reader needs is there; it is not changed while its thread runs */
    pthread_t thread;
};

/** True for a page that may take long. Dispatch itself asks for the attempts of one delivery, without
 * answers: these must not queue up behind the lists of customers. */
bool st_reader_is_list(const struct th_op *op);
/** The thread of a struct st_reader. */
void *st_reader_main(void *arg);
#endif
