/* The readers of the SQLite store: threads with a read-only connection each. */
#ifndef TH_STORE_READER_H
#define TH_STORE_READER_H
#include "port/store.h"
#include "store/sqlite/sqlite_db.h"
#include "store/store_statements.h"
#include <pthread.h>

struct sq_store;

#define SQ_READERS 3 /* 0: dispatch (LOAD, WALK, short PAGE); 1: lists (PAGE); 2: collects sorted runs */

struct sq_reader {
    struct sq_store *store;
    sqlite3 *db;
    sqlite3_stmt *st[SQ_R_COUNT];
    uint64_t mark; /* newest group that the page at hand may show */
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct th_op *head, **tail;
    bool stop, started;
    pthread_t thread;
};

/** A page that may take long. The attempts of one delivery, without answers, are what dispatch itself asks for: they must not
 * queue up behind the lists of customers. */
bool sq_reader_is_list(const struct th_op *op);
/** The thread of a struct sq_reader. */
void *sq_reader_main(void *arg);
#endif
