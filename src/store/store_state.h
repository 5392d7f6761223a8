/* The SQLite store as a whole: its threads, what they share, and who may touch what. */
#ifndef TH_STORE_STATE_H
#define TH_STORE_STATE_H
#include "store/sqlite/sqlite_file.h"
#include "store/store_build.h"
#include "store/store_reader.h"
#include "store/store_writer.h"

#define SQ_SETTLE_COUNT 256 /* settles that do not wait for company any more */

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
    struct sq_build builds[SQ_RUN_KINDS];
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
#endif
