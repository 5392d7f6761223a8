/* A store as a whole: its threads, what they share, and which thread may touch what. The struct of each
 * database begins with this one. */
#ifndef TH_STORE_STATE_H
#define TH_STORE_STATE_H
#include "store/store_build.h"
#include "store/store_reader.h"
#include "store/store_writer.h"

#define ST_SETTLE_COUNT 256 /* so many settles do not wait for others any more */

struct th_session {
    struct st_store *store;
    struct th_session *next; /* all sessions, until close */
    struct th_wake wake;
    bool attached;
    /* owner: writer thread, ops of the commit under way */
    struct th_op *batch, **batch_tail;
    struct th_session *batch_next;
    bool in_batch;
    /* owner: the session's thread: writes that the writer has not got yet */
    struct th_op *out, **out_tail;
    uint32_t out_count, out_urgent;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    struct th_op *done, **done_tail;
    atomic_uint waking; /* threads that are about to call wake.fn, or do */
};

struct st_store {
    struct th_store base;
    const char *name; /* of the file or the database, for the log */
    const struct st_texts *texts;
    struct th_metrics *metrics;
    /* functions of a database besides its driver */
    enum th_error (*connect)(struct st_store *, struct st_db **out); /* another connection, for reading */
    void (*disconnect)(struct st_db *);
    /* adds to the open transaction what the other nodes are to know; NULL: there are none */
    int (*tell)(struct st_store *);
    /* reads what others have committed, on a reader's thread; NULL: there are none */
    void (*follow)(struct st_reader *, struct th_follow *);
    void (*rest)(struct st_store *); /* the writer has had nothing to do for a while; NULL: nothing of it */
    unsigned idle_ms;                /* the writer wakes up by itself after this time; 0: never */
    pthread_t thread;
    bool writer_started, lock_ready;
    struct st_writer writer;
    struct st_reader readers[ST_READERS];
    struct st_recent *recent; /* NULL: rows are read from the tables alone */
    struct st_build builds[ST_RUN_KINDS];
    uint64_t runs_seen[ST_RUN_KINDS]; /* owner: writer thread */
    struct th_session *sessions;
    /* owner: any thread that asks for settings, under conf_lock; NULL: none were asked for yet */
    pthread_mutex_t conf_lock;
    struct st_db *conf_db;
    struct st_stmt *conf_st;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_mutex_t use_lock; /* the map writer.uses, not what it holds */
    pthread_cond_t wake, told, may_read;
    uint64_t groups_begun, groups_told; /* commits, and those whose ops have been handed over */
    struct th_op *head, **tail;
    uint32_t queued, urgent;    /* ops waiting; those among them that may not wait for company */
    bool stop, sleeping, timed; /* timed: the sleeping writer looks again by itself soon */
    unsigned reading;           /* readers inside a transaction */
    bool hush;                  /* no reader begins, so that the log can start over */
    /* owner: writer thread */
    struct th_session *batch;
};
#endif
