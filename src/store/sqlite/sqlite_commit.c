/* The writer thread of the SQLite store: its queue, the group commit, the full disk, the checkpoints.
 *
 * Why one writer: SQLite has one writer anyway, and the cost of a commit is its sync. So the writer takes
 * everything that has queued up over all sessions by the time its last commit ended, and commits it at once.
 * There is no timer for accepts: waiting for company lowers throughput. Settles do wait (SETTLE_WAIT_MS or
 * ST_SETTLE_COUNT of them), since losing one only means a repeated request; they ride with the next accept.
 *
 * It refuses: to go on after an I/O error, a failed sync or a damaged page. From then on every write ends
 * with that error and the process must stop; what was acknowledged is on disk.
 *
 * Invariants: (1) an op is finished only after the COMMIT with its sync has returned; (2) per session, writes
 * are run and finished in the order of submission; (3) only the writer writes and checkpoints.
 *
 * A full disk: the group is rolled back, the ballast file is given up so that settles still commit, accepts
 * and settings are refused with TH_FULL until a PROBE finds room to make the ballast again. */
#include "store/sqlite/sqlite_commit.h"
#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/sqlite_vfs.h"
#include "store/store_exchange.h"
#include "store/store_group.h"
#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

#define CONFS_CACHED (1u << 20) /* bytes of settings that may have filled the page cache */

#define CHECKPOINT_FRAMES 256 /* 4 MiB of 16 KiB pages */
#define RESTART_FRAMES 2048   /* 32 MiB: from here on readers wait so that the log can start over */
#define RESTART_WAIT_MS 10    /* for readers that do not ask: reads of a single row, other processes */

/* ---- the writer: one group ---- */

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void report_break(struct sq_store *s, enum th_error error)
{
    if (s->broken != TH_OK)
        return;
    s->broken = error;
    th_log(TH_LOG_ERROR, "the store has stopped; no further write is taken, restart after checking the disk",
           TH_KC("file", s->path.db), TH_KC("error", th_error_name(error)),
           TH_KC("sqlite", sqlite3_errmsg(s->db.db)), TH_KI("code", sqlite3_extended_errcode(s->db.db)),
           TH_KI("system_error", sqlite3_system_errno(s->db.db)));
    if (s->base.metrics)
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, 0);
}

static void report_full(struct sq_store *s)
{
    if (s->has_ballast) {
        sq_file_ballast_drop(&s->path);
        s->has_ballast = false;
    }
    if (s->full)
        return;
    s->full = true;
    th_log(TH_LOG_ERROR, "the disk is full; events are refused until there is room again",
           TH_KC("file", s->path.db));
    if (s->base.metrics)
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, 0);
}

/** The error that an op gets without being tried, or TH_OK. */
static enum th_error refused(const struct sq_store *s, const struct th_op *op)
{
    if (s->broken != TH_OK)
        return s->broken;
    if (s->full &&
        (op->kind == TH_OP_ACCEPT || op->kind == TH_OP_FANOUT || op->kind == TH_OP_SETTINGS ||
         op->kind == TH_OP_REWRAP || op->kind == TH_OP_BACKLOG || (int)op->kind == ST_OP_RUN_BUILD))
        return TH_FULL;
    return TH_OK;
}

/** One transaction over a list of ops. TH_OK: durable, every op has its result. Else nothing happened (but
 * for a broken store, where that is unknown). */
static enum th_error transaction(struct sq_store *s, struct th_op *first, uint32_t *written)
{
    struct st_counters before = s->base.writer.next;
    int64_t began = now_us();
    enum th_error error = TH_OK;
    int rc = st_writer_begin(&s->base.writer);

    TH_CHECK(first && s->broken == TH_OK);
    *written = 0;
    for (struct th_op *op = first; rc == SQLITE_OK && op; op = op->next) {
        op->error = refused(s, op);
        if (op->error != TH_OK)
            continue;
        rc = st_writer_write(&s->base.writer, op);
        *written += 1;
    }
    if (rc == SQLITE_OK)
        rc = st_writer_commit(&s->base.writer);
    if (rc != SQLITE_OK) {
        error = sq_db_error(s->db.db, rc);
        if (error == TH_IO || error == TH_CORRUPT)
            report_break(s, error);
        else
            th_log(TH_LOG_WARN, "a store transaction failed", TH_KC("error", th_error_name(error)),
                   TH_KC("sqlite", sqlite3_errmsg(s->db.db)), TH_KI("code", rc));
        st_writer_rollback(&s->base.writer);
        s->base.writer.next = before;
    }
    if (s->base.writer.confs >
        CONFS_CACHED) { /* these pages are needed by no event, and would be kept instead of those that are */
        sqlite3_db_release_memory(s->db.db);
        s->base.writer.confs = 0;
    }
    st_group_counted(&s->base, error, *written, now_us() - began);
    return error;
}

static void run_alone(struct sq_store *s, struct th_op *op)
{
    struct th_op *rest = op->next;
    enum th_error error;
    uint32_t written;

    op->next = NULL;
    error = refused(s, op);
    if (error == TH_OK)
        error = transaction(s, op, &written);
    else
        op->error = error;
    if (error == TH_FULL) {
        bool had = s->has_ballast;

        report_full(s);
        if (had && refused(s, op) == TH_OK)
            error = transaction(s, op, &written);
    }
    if (error != TH_OK)
        op->error = error;
    op->next = rest;
}

/** A PROBE on a full store first makes the ballast again: room for it is the mark above which events are
 * taken. */
static void try_room(struct sq_store *s)
{
    if (!s->full || sq_file_ballast_make(&s->path, s->ballast_mib) != TH_OK)
        return;
    s->full = false;
    s->has_ballast = true;
    th_log(TH_LOG_INFO, "the disk has room again; events are taken", TH_KC("file", s->path.db));
}

static void run_group(struct sq_store *s, struct th_op *first)
{
    enum th_error error = s->broken;
    uint32_t written = 0;

    st_exchange_begin(&s->base);
    for (struct th_op *op = first; op && error == TH_OK; op = op->next)
        if (op->kind == TH_OP_PROBE)
            try_room(s);
    if (error == TH_OK)
        error = transaction(s, first, &written);
    if (error == TH_FULL)
        report_full(s);
    for (struct th_op *op = first; op && error != TH_OK; op = op->next) {
        if (s->broken != TH_OK)
            op->error = s->broken;
        else
            run_alone(s, op);
    }
    for (struct th_op *op = first; op; op = op->next)
        if (op->kind == TH_OP_PROBE && op->error == TH_OK && s->full)
            op->error = TH_FULL;
    if (s->base.metrics && s->broken == TH_OK)
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, !s->full);
    st_group_told(&s->base, first);
}

/* ---- the log's new beginning ---- */

/** Keeps readers from beginning a transaction. True: no reader is inside one; otherwise the last of them
 * wakes the writer, if it sleeps by then. */
static bool hush(struct sq_store *s)
{
    bool quiet;

    pthread_mutex_lock(&s->base.lock);
    s->base.hush = true;
    quiet = s->base.reading == 0;
    pthread_mutex_unlock(&s->base.lock);
    return quiet;
}

static void let_read(struct sq_store *s)
{
    pthread_mutex_lock(&s->base.lock);
    s->base.hush = false;
    pthread_cond_broadcast(&s->base.may_read);
    pthread_mutex_unlock(&s->base.lock);
}

static int checkpoint(struct sq_store *s, int mode)
{
    sqlite3 *db = s->db.db;
    int rc;

    sqlite3_busy_timeout(db, mode == SQLITE_CHECKPOINT_PASSIVE ? 0 : RESTART_WAIT_MS);
    rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(db, SQ_BUSY_MS);
    return rc;
}

static void checkpointed(struct sq_store *s, int rc)
{
    enum th_error error = sq_db_checkpoint_error(s->db.db, rc);

    if (error == TH_IO || error == TH_CORRUPT)
        report_break(s, error);
    else if (error == TH_FULL)
        report_full(s);
}

/** Copies the log into the database so that the next commit starts it over, or cuts it off. Where that is in vain, since another
 * process reads, it is tried again a quarter later. */
static void start_over(struct sq_store *s)
{
    int rc = checkpoint(s, s->base.writer.erased ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART);

    if (s->base.writer.erased)
        s->base.writer.erased = rc != SQLITE_OK;
    s->restart_frames = rc == SQLITE_OK ? RESTART_FRAMES : s->wal_frames + RESTART_FRAMES / 4;
    checkpointed(s, rc);
}

/** After the ops have been answered, so that nobody waits for it. The writer does not wait for readers either: without a
 * pause between them, short as they are, they would keep the log from ever starting over, so they are held up until the last one that
 * is inside has ended, and commits go on meanwhile. */
static void checkpoint_if_due(struct sq_store *s)
{
    bool over;

    if (s->broken != TH_OK) {
        let_read(s);
        return;
    }
    if (s->wal_frames < RESTART_FRAMES)
        s->restart_frames = RESTART_FRAMES; /* it has started over by itself */
    over = s->base.writer.erased || s->wal_frames >= s->restart_frames;
    if (over && hush(s)) {
        start_over(s);
        over = false;
    } else if (s->wal_frames >= CHECKPOINT_FRAMES) {
        checkpointed(s, checkpoint(s, SQLITE_CHECKPOINT_PASSIVE));
    }
    if (!over && s->base.hush) /* nobody else sets it */
        let_read(s);
}

int sq_commit_note_frames(void *ctx, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct sq_store *)ctx)->wal_frames = frames;
    return SQLITE_OK;
}

void *sq_commit_main(void *arg)
{
    struct sq_store *s = arg;

    (void)prctl(PR_SET_NAME, "store-writer"); /* what top and perf show */
    for (;;) {
        struct th_op *list;

        if (!st_group_wait(&s->base, &list)) {
            let_read(s);
            return NULL;
        }
        if (!list)
            checkpoint_if_due(s); /* woken by the last reader */
        while (list) {
            uint32_t count;
            struct th_op *group = st_group_cut(&list, &count);

            run_group(s, group);
            if (s->base.metrics)
                th_gauge_add(s->base.metrics, TH_G_STORE_QUEUE, -(int64_t)count);
            checkpoint_if_due(s);
        }
    }
}
