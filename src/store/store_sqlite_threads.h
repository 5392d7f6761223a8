/* The store's threads and sessions. Private to store_sqlite.c, store_sqlite_commit.c and
 * store_sqlite_session.c. */
#ifndef TH_STORE_SQLITE_THREADS_H
#define TH_STORE_SQLITE_THREADS_H
#include "store/store_sqlite_int.h"

#define SQ_READERS 3 /* 0: dispatch (LOAD, WALK, short PAGE); 1: lists (PAGE); 2: collects sorted runs */

struct th_session {
    struct sq_store *store;
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

struct sq_store {
    struct th_store base;
    struct sq_path path;
    struct th_metrics *metrics;
    uint32_t ballast_mib;
    int lock_fd;
    pthread_t thread;
    bool writer_started, lock_ready;
    struct sq_writer writer;
    struct sq_reader readers[SQ_READERS];
    struct sq_run encrypts[SQ_RUN_KINDS];
    uint64_t runs_seen[SQ_RUN_KINDS]; /* owner: writer thread */
    struct th_session *sessions;
    /* owner: any thread that asks for settings, under conf_lock; NULL: none were asked for yet */
    pthread_mutex_t conf_lock;
    sqlite3 *conf_db;
    sqlite3_stmt *conf_st;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_mutex_t use_lock; /* the map writer.uses, not what it holds */
    pthread_cond_t wake, told, may_read;
    uint64_t groups_begun, groups_told; /* commits, and those whose ops have been handed over */
    struct th_op *head, **tail;
    uint32_t queued, urgent;    /* ops waiting; those among them that may not wait for company */
    bool stop, sleeping, timed; /* timed: the sleeping writer looks again by itself soon */
    unsigned reading;           /* readers inside a transaction */
    bool hush;                  /* no other begins: the log is to start over as soon as there is none */
    /* owner: writer thread */
    enum th_error broken; /* TH_IO or TH_CORRUPT: takes no further writes */
    bool full, has_ballast;
    struct th_session *batch;
    int wal_frames;
    int restart_frames; /* length of the log at which its restart is forced */
};

/* ---- store_sqlite_session.c ---- */

/** Hands a list of ops to their session, and wakes it when it had nothing to drain. Any thread. */
void sq_hand_over(struct th_session *s, struct th_op *first, struct th_op **tail);
/** Queues an op of this reader. Any thread. */
void sq_submit_read(struct sq_reader *r, struct th_op *op);
/** The thread of a struct sq_reader. */
void *sq_reader_main(void *arg);
void sq_session_submit(struct th_session *session, struct th_op *op);
void sq_session_flush(struct th_session *session);
unsigned sq_session_drain(struct th_session *s, unsigned max);
enum th_error sq_session_attach(struct th_store *store, struct th_wake wake, struct th_session **out);
void sq_session_detach(struct th_session *session);

/* ---- store_sqlite_commit.c ---- */

/** Whether a write may not wait for company. */
bool sq_is_urgent(const struct th_op *op);
/** Queues a write of the store's own. Any thread. */
void sq_submit_write(struct sq_store *s, struct th_op *op);
/** Queues a list of `count` writes that ends at *tail, `urgent` of which may not wait. Any thread. */
void sq_submit_writes(struct sq_store *s, struct th_op *first, struct th_op **tail, uint32_t count,
                      uint32_t urgent);
/** Around each transaction of a reader: the first waits while the log is to start over. Readers' threads. */
void sq_read_begin(struct sq_store *s);
void sq_read_end(struct sq_store *s);
/** The thread of a struct sq_store's writer: ends with s->stop, when nothing is left. */
void *sq_writer_main(void *arg);
/** The encrypt has come to an end: nothing to do, or it failed. Any thread. */
void sq_run_idle(struct sq_store *s, struct sq_run *encrypt);
/** SQLite's hook after each commit: how long the log is. */
int sq_note_frames(void *ctx, sqlite3 *db, const char *name, int frames);
#endif
