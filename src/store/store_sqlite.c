/* The SQLite store: sessions, the writer thread with its group commit, and the reader threads.
 *
 * Why one writer: SQLite has one writer anyway, and the cost of a commit is its sync. So the writer takes
 * everything that has queued up over all sessions by the time its last commit ended, and commits it at once.
 * There is no timer for accepts: waiting for company lowers throughput. Settles do wait (SETTLE_WAIT_MS or
 * SETTLE_COUNT of them), since losing one only means a repeated request; they ride with the next accept.
 *
 * It refuses: to go on after an I/O error, a failed sync or a damaged page. From then on every write ends
 * with that error and the process must stop; what was acknowledged is on disk.
 *
 * Invariants: (1) an op is finished only after the COMMIT with its sync has returned; (2) per session, writes
 * are run and finished in the order of submission; (3) a session is woken at most once per commit, and only
 * when it had nothing to drain; (4) only the writer writes and checkpoints, readers are read-only and their
 * transactions are short.
 *
 * A full disk: the group is rolled back, the ballast file is given up so that settles still commit, accepts
 * and settings are refused with TH_FULL until a PROBE finds room to make the ballast again. */
#include "base/log.h"
#include "store/store_sqlite_int.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_WAIT_MS 10
#define SETTLE_COUNT 256
#define GROUP_ROWS 8192 /* a longer queue is committed in several transactions */
#define GROUP_BYTES (16u << 20)
#define CHECKPOINT_FRAMES 256 /* 4 MiB of 16 KiB pages */
#define RESTART_FRAMES 2048   /* 32 MiB: from here on the log's restart is worth waiting for readers */
#define RESTART_WAIT_MS 250   /* readers end their transactions after SQ_MS_PER_READ */
#define READERS 3 /* 0: dispatch (LOAD, WALK, short PAGE); 1: lists (PAGE); 2: collects sorted runs */

struct th_session {
    struct sq_store *store;
    struct th_session *next; /* all sessions, until close */
    struct th_wake wake;
    bool attached;
    /* owner: writer thread, ops of the commit under way */
    struct th_op *batch, **batch_tail;
    struct th_session *batch_next;
    bool in_batch;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    struct th_op *done, **done_tail;
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
    struct sq_reader readers[READERS];
    struct sq_seal seals[SQ_RUN_KINDS];
    uint64_t runs_seen[SQ_RUN_KINDS]; /* owner: writer thread */
    struct th_session *sessions;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct th_op *head, **tail;
    uint32_t queued, urgent;    /* ops waiting; those among them that may not wait for company */
    bool stop, sleeping, timed; /* timed: the sleeping writer looks again by itself soon */
    /* owner: writer thread */
    enum th_error broken; /* TH_IO or TH_CORRUPT: takes no further writes */
    bool full, has_ballast;
    struct th_session *batch;
    int wal_frames;
    int restart_frames; /* length of the log at which its restart is forced */
};

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE;
}

/** A page that may take long. The attempts of one delivery, without answers, are what dispatch itself asks
 * for: they must not queue up behind the lists of customers. */
static bool is_list(const struct th_op *op)
{
    const struct th_page *page = (const struct th_page *)op;

    return op->kind == TH_OP_PAGE && !(page->kind == TH_PAGE_ATTEMPTS && page->delivery && !page->with_data &&
                                       !page->with_answers && !page->with_total && !page->skip);
}

/* ---- finishing ---- */

/** Hands a list of ops to their session. */
static void hand_over(struct th_session *s, struct th_op *first, struct th_op **tail)
{
    bool was_empty;

    *tail = NULL;
    pthread_mutex_lock(&s->lock);
    was_empty = s->done == NULL;
    *s->done_tail = first;
    s->done_tail = tail;
    /* under the lock, so that no wake comes after the session was detached */
    if (was_empty && s->wake.fn && s->attached)
        s->wake.fn(s->wake.ctx);
    pthread_mutex_unlock(&s->lock);
}

static void batch_add(struct sq_store *store, struct th_op *op)
{
    struct th_session *s = op->session;

    if (!s->in_batch) {
        s->in_batch = true;
        s->batch_tail = &s->batch;
        s->batch_next = store->batch;
        store->batch = s;
    }
    *s->batch_tail = op;
    s->batch_tail = &op->next;
}

static void batch_finish(struct sq_store *store)
{
    struct th_session *s = store->batch;

    store->batch = NULL;
    while (s) {
        struct th_session *next = s->batch_next;

        s->in_batch = false;
        hand_over(s, s->batch, s->batch_tail);
        s = next;
    }
}

/* ---- sorted runs: reader collects, writer writes, until nothing is left ---- */

static void submit_read(struct sq_reader *r, struct th_op *op);
static void submit_write(struct sq_store *s, struct th_op *op);

static void seal_request(struct sq_store *s, int kind)
{
    struct sq_seal *seal = &s->seals[kind];
    bool start;

    pthread_mutex_lock(&s->lock);
    start = !seal->busy && !s->stop;
    seal->again = seal->busy;
    seal->busy = seal->busy || start;
    pthread_mutex_unlock(&s->lock);
    if (start)
        submit_read(&s->readers[2], &seal->op);
}

/** The seal has come to an end: nothing to do, or it failed. */
static void seal_idle(struct sq_store *s, struct sq_seal *seal)
{
    bool again;

    pthread_mutex_lock(&s->lock);
    again = seal->again;
    seal->busy = seal->again = false;
    pthread_mutex_unlock(&s->lock);
    if (again)
        seal_request(s, (int)seal->kind);
}

/** After a slice was committed, or was not. */
static void seal_step(struct sq_store *s, struct sq_seal *seal)
{
    bool stop;

    pthread_mutex_lock(&s->lock);
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (seal->op.error != TH_OK || stop) {
        seal->again = false;
        seal_idle(s, seal);
        return;
    }
    seal->done = seal->slice_end;
    if (seal->done < seal->count)
        submit_write(s, &seal->op);
    else
        submit_read(&s->readers[2], &seal->op);
}

static void seal_requests(struct sq_store *s)
{
    const uint64_t next[SQ_RUN_KINDS] = {s->writer.next.event, s->writer.next.delivery,
                                         s->writer.next.attempt};

    for (int kind = 0; kind < SQ_RUN_KINDS; kind++)
        if (next[kind] >> SQ_RUN_SHIFT != s->runs_seen[kind]) {
            s->runs_seen[kind] = next[kind] >> SQ_RUN_SHIFT;
            seal_request(s, kind);
        }
}

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
           TH_KC("sqlite", sqlite3_errmsg(s->writer.db)),
           TH_KI("code", sqlite3_extended_errcode(s->writer.db)),
           TH_KI("system_error", sqlite3_system_errno(s->writer.db)));
    if (s->metrics)
        th_gauge_set(s->metrics, TH_G_STORE_READY, 0);
}

static void report_full(struct sq_store *s)
{
    if (s->has_ballast) {
        sq_ballast_drop(&s->path);
        s->has_ballast = false;
    }
    if (s->full)
        return;
    s->full = true;
    th_log(TH_LOG_ERROR, "the disk is full; events are refused until there is room again",
           TH_KC("file", s->path.db));
    if (s->metrics)
        th_gauge_set(s->metrics, TH_G_STORE_READY, 0);
}

/** What an op gets without trying, or TH_OK. */
static enum th_error refused(const struct sq_store *s, const struct th_op *op)
{
    if (s->broken != TH_OK)
        return s->broken;
    if (s->full && (op->kind == TH_OP_ACCEPT || op->kind == TH_OP_CONFIG || op->kind == TH_OP_RESEAL || (int)op->kind == SQ_OP_SEAL))
        return TH_FULL;
    return TH_OK;
}

/** One transaction over a list of ops. TH_OK: durable, every op has its result. Else nothing happened (but
 * for a broken store, where that is unknown). */
static enum th_error transaction(struct sq_store *s, struct th_op *first, uint32_t *written)
{
    struct sq_counters before = s->writer.next;
    int64_t began = now_us();
    enum th_error error = TH_OK;
    int rc = sq_begin(&s->writer);

    *written = 0;
    for (struct th_op *op = first; rc == SQLITE_OK && op; op = op->next) {
        op->error = refused(s, op);
        if (op->error != TH_OK)
            continue;
        rc = sq_write(&s->writer, op);
        *written += 1;
    }
    if (rc == SQLITE_OK)
        rc = sq_commit(&s->writer);
    if (rc != SQLITE_OK) {
        error = sq_error(s->writer.db, rc);
        if (error == TH_IO || error == TH_CORRUPT)
            report_break(s, error);
        else
            th_log(TH_LOG_WARN, "a store transaction failed", TH_KC("error", th_error_name(error)),
                   TH_KC("sqlite", sqlite3_errmsg(s->writer.db)), TH_KI("code", rc));
        sq_rollback(&s->writer);
        s->writer.next = before;
    }
    if (!s->metrics)
        return error;
    if (error != TH_OK) {
        th_count(s->metrics, TH_C_STORE_FAILURES, 1);
    } else if (*written) {
        th_count(s->metrics, TH_C_STORE_COMMITS, 1);
        th_count(s->metrics, TH_C_STORE_OPS, *written);
        th_observe(s->metrics, TH_H_COMMIT_SECONDS, now_us() - began);
    }
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
    if (!s->full || sq_ballast_make(&s->path, s->ballast_mib) != TH_OK)
        return;
    s->full = false;
    s->has_ballast = true;
    th_log(TH_LOG_INFO, "the disk has room again; events are taken", TH_KC("file", s->path.db));
}

static void run_group(struct sq_store *s, struct th_op *first)
{
    enum th_error error = s->broken;
    uint32_t written = 0;

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
    for (struct th_op *op = first, *next; op; op = next) {
        next = op->next;
        if (op->kind == TH_OP_PROBE && op->error == TH_OK && s->full)
            op->error = TH_FULL;
        if ((int)op->kind == SQ_OP_SEAL)
            seal_step(s, (struct sq_seal *)op);
        else
            batch_add(s, op);
    }
    if (s->metrics && s->broken == TH_OK)
        th_gauge_set(s->metrics, TH_G_STORE_READY, !s->full);
    batch_finish(s);
    seal_requests(s);
}

/** Copies the log into the database, waits for the readers of the log, so that the next commit starts it
 * over. Without the wait a reader that begins one short transaction after the other would keep the log from
 * ever starting over. Where the wait is in vain it is tried again a quarter later. */
static int checkpoint_restart(struct sq_store *s)
{
    sqlite3 *db = s->writer.db;
    int rc;

    sqlite3_busy_timeout(db, RESTART_WAIT_MS);
    rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(db, SQ_BUSY_MS);
    s->restart_frames = rc == SQLITE_OK ? RESTART_FRAMES : s->wal_frames + RESTART_FRAMES / 4;
    return rc;
}

/** After the ops have been answered, so that nobody waits for it. */
static void checkpoint_if_due(struct sq_store *s)
{
    enum th_error error;
    int rc;

    if (s->wal_frames < CHECKPOINT_FRAMES || s->broken != TH_OK)
        return;
    if (s->wal_frames < RESTART_FRAMES)
        s->restart_frames = RESTART_FRAMES; /* it has started over by itself */
    if (s->wal_frames < s->restart_frames)
        rc = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    else
        rc = checkpoint_restart(s);
    error = sq_checkpoint_error(s->writer.db, rc);
    if (error == TH_IO || error == TH_CORRUPT)
        report_break(s, error);
    else if (error == TH_FULL)
        report_full(s);
}

static int note_frames(void *ctx, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct sq_store *)ctx)->wal_frames = frames;
    return SQLITE_OK;
}

/* ---- the writer: its queue ---- */

static void op_weight(const struct th_op *op, uint32_t *rows, size_t *bytes)
{
    const struct th_accept *a = (const struct th_accept *)op;

    *rows += (int)op->kind == SQ_OP_SEAL ? SQ_SEAL_ROWS : 1;
    if (op->kind == TH_OP_SETTLE)
        *bytes += ((const struct th_settle *)op)->row.body.n;
    if (op->kind != TH_OP_ACCEPT)
        return;
    for (uint32_t i = 0; i < a->count; i++) {
        *rows += 1 + a->events[i].endpoint_count;
        *bytes += a->events[i].data.n;
    }
}

/** Cuts a group off the front of a list; at least one op. */
static struct th_op *cut_group(struct th_op **list, uint32_t *count)
{
    struct th_op *first = *list, *last = first;
    uint32_t rows = 0;
    size_t bytes = 0;

    *count = 1;
    op_weight(first, &rows, &bytes);
    while (last->next && rows < GROUP_ROWS && bytes < GROUP_BYTES) {
        last = last->next;
        op_weight(last, &rows, &bytes);
        *count += 1;
    }
    *list = last->next;
    last->next = NULL;
    return first;
}

/** Waits until something is to be committed. False: stop and nothing is left. Under the lock. */
static bool wait_for_work(struct sq_store *s)
{
    struct timespec until;
    bool waited = false;

    while (!s->urgent && s->queued < SETTLE_COUNT && !s->stop) {
        if (waited && s->queued)
            return true;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SETTLE_WAIT_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        s->sleeping = true;
        s->timed = s->queued || !waited;
        if (s->timed)
            waited = pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT;
        else
            pthread_cond_wait(&s->wake, &s->lock);
        /* woken from the untimed sleep by a first settle: it gets its time of company */
        if (!s->timed)
            waited = false;
        s->sleeping = s->timed = false;
    }
    return s->queued || !s->stop;
}

static void *writer_main(void *arg)
{
    struct sq_store *s = arg;

    for (;;) {
        struct th_op *list;

        pthread_mutex_lock(&s->lock);
        if (!wait_for_work(s)) {
            pthread_mutex_unlock(&s->lock);
            return NULL;
        }
        list = s->head;
        s->head = NULL;
        s->tail = &s->head;
        s->queued = s->urgent = 0;
        pthread_mutex_unlock(&s->lock);
        while (list) {
            uint32_t count;
            struct th_op *group = cut_group(&list, &count);

            run_group(s, group);
            if (s->metrics)
                th_gauge_add(s->metrics, TH_G_STORE_QUEUE, -(int64_t)count);
            checkpoint_if_due(s);
        }
    }
}

static void submit_write(struct sq_store *s, struct th_op *op)
{
    bool urgent = op->kind != TH_OP_SETTLE && (int)op->kind != SQ_OP_SEAL;

    op->next = NULL;
    if (s->metrics)
        th_gauge_add(s->metrics, TH_G_STORE_QUEUE, 1);
    pthread_mutex_lock(&s->lock);
    *s->tail = op;
    s->tail = &op->next;
    s->queued++;
    s->urgent += urgent;
    if (s->sleeping && (urgent || s->queued >= SETTLE_COUNT || !s->timed)) {
        s->sleeping = false;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- readers ---- */

static void *reader_main(void *arg)
{
    struct sq_reader *r = arg;

    for (;;) {
        struct th_op *op;

        pthread_mutex_lock(&r->lock);
        while (!r->head && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        op = r->head;
        if (!op) {
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
        r->head = op->next;
        if (!r->head)
            r->tail = &r->head;
        pthread_mutex_unlock(&r->lock);

        if ((int)op->kind == SQ_OP_SEAL) {
            struct sq_seal *seal = (struct sq_seal *)op;

            sq_seal_collect(r, seal);
            if (seal->count)
                submit_write(r->store, op);
            else
                seal_idle(r->store, seal);
            continue;
        }
        if (op->kind == TH_OP_LOAD)
            sq_load(r, (struct th_load *)op);
        else if (op->kind == TH_OP_WALK)
            sq_walk(r, (struct th_walk *)op);
        else
            sq_page(r, (struct th_page *)op);
        if (op->error == TH_CORRUPT || op->error == TH_IO)
            th_log(TH_LOG_ERROR,
                   "a read from the store failed; check the disk and the file with PRAGMA integrity_check",
                   TH_KC("file", r->store->path.db), TH_KC("error", th_error_name(op->error)),
                   TH_KC("sqlite", sqlite3_errmsg(r->db)));
        hand_over(op->session, op, &op->next);
    }
}

static void submit_read(struct sq_reader *r, struct th_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&r->lock);
    if (!r->head)
        pthread_cond_signal(&r->wake);
    *r->tail = op;
    r->tail = &op->next;
    pthread_mutex_unlock(&r->lock);
}

/* ---- the port ---- */

static void store_submit(struct th_session *session, struct th_op *op)
{
    struct sq_store *s = session->store;

    op->session = session;
    if (is_read(op))
        submit_read(&s->readers[is_list(op)], op);
    else
        submit_write(s, op);
}

static unsigned store_drain(struct th_session *s, unsigned max)
{
    struct th_op *op, **tail;
    unsigned n = 0;

    if (!max)
        return 0;
    /* takes everything, calls back without the lock, and puts back what is over `max` */
    pthread_mutex_lock(&s->lock);
    op = s->done;
    tail = s->done_tail;
    s->done = NULL;
    s->done_tail = &s->done;
    pthread_mutex_unlock(&s->lock);
    for (; op && n < max; n++) {
        struct th_op *next = op->next;

        op->next = NULL;
        op->done(op);
        op = next;
    }
    if (!op)
        return n;
    pthread_mutex_lock(&s->lock);
    *tail = s->done;
    if (!s->done)
        s->done_tail = tail;
    s->done = op;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static enum th_error store_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct sq_store *s = (struct sq_store *)store;
    struct th_session *session = th_calloc(1, sizeof *session);

    if (!session)
        return TH_NOMEM;
    if (pthread_mutex_init(&session->lock, NULL) != 0) {
        th_free(session);
        return TH_NOMEM;
    }
    session->store = s;
    session->wake = wake;
    session->attached = true;
    session->done_tail = &session->done;
    pthread_mutex_lock(&s->lock);
    session->next = s->sessions;
    s->sessions = session;
    pthread_mutex_unlock(&s->lock);
    *out = session;
    return TH_OK;
}

/** The struct stays until close: the writer may just be leaving it. */
static void store_detach(struct th_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->attached = false;
    session->wake.fn = NULL;
    pthread_mutex_unlock(&session->lock);
}

static enum th_error store_settings(struct th_store *store, void (*row)(void *, const struct th_row *),
                                    void *ctx)
{
    return sq_settings(&((struct sq_store *)store)->path, row, ctx);
}

static void store_page_free(struct th_store *store, struct th_page *page)
{
    (void)store;
    sq_page_free(page);
}

static void stop_readers(struct sq_store *s)
{
    for (int i = 0; i < READERS; i++) {
        struct sq_reader *r = &s->readers[i];

        if (!r->tail)
            continue;
        if (r->started) {
            pthread_mutex_lock(&r->lock);
            r->stop = true;
            pthread_cond_signal(&r->wake);
            pthread_mutex_unlock(&r->lock);
            pthread_join(r->thread, NULL);
        }
        sq_finalize_all(r->st, SQ_R_COUNT);
        sqlite3_close(r->db);
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->lock);
    }
}

static void store_free(struct sq_store *s)
{
    if (s->lock_ready) {
        if (s->writer_started) {
            pthread_mutex_lock(&s->lock);
            s->stop = true;
            pthread_cond_signal(&s->wake);
            pthread_mutex_unlock(&s->lock);
            pthread_join(s->thread, NULL);
        }
        stop_readers(s);
    }
    for (int kind = 0; kind < SQ_RUN_KINDS; kind++)
        th_free(s->seals[kind].pairs);
    while (s->sessions) {
        struct th_session *session = s->sessions;

        while (store_drain(session, 1000))
            ;
        s->sessions = session->next;
        pthread_mutex_destroy(&session->lock);
        th_free(session);
    }
    if (s->writer.db) {
        sq_writer_close(&s->writer);
        if (s->broken == TH_OK)
            sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        else
            sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close(s->writer.db);
    }
    if (s->lock_ready) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
    }
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    th_free(s);
}

static void store_close(struct th_store *store)
{
    store_free((struct sq_store *)store);
}

static const struct th_store_vt sqlite_vt = {
    .settings = store_settings,
    .attach = store_attach,
    .submit = store_submit,
    .drain = store_drain,
    .detach = store_detach,
    .page_free = store_page_free,
    .close = store_close,
};

/* ---- opening ---- */

static enum th_error set_paths(struct sq_store *s, const char *dir, char *why, size_t why_size)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "cannot make the data directory %s: %s", dir, strerror(errno));
        return TH_IO;
    }
    if (strlen(dir) + sizeof "/tenterhook.ballast" > sizeof s->path.db) {
        snprintf(why, why_size, "the name of the data directory is too long");
        return TH_INVALID;
    }
    snprintf(s->path.db, sizeof s->path.db, "%s/tenterhook.db", dir);
    snprintf(s->path.lock, sizeof s->path.lock, "%s/tenterhook.lock", dir);
    snprintf(s->path.ballast, sizeof s->path.ballast, "%s/tenterhook.ballast", dir);
    return TH_OK;
}

static bool init_locks(struct sq_store *s)
{
    pthread_condattr_t attr;
    bool ok = pthread_condattr_init(&attr) == 0;

    ok = ok && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(&s->wake, &attr) == 0;
    if (!ok)
        return false;
    pthread_condattr_destroy(&attr);
    s->lock_ready = pthread_mutex_init(&s->lock, NULL) == 0;
    return s->lock_ready;
}

static enum th_error start_reader(struct sq_store *s, struct sq_reader *r)
{
    enum th_error error;

    if (pthread_mutex_init(&r->lock, NULL) != 0)
        return TH_NOMEM;
    if (pthread_cond_init(&r->wake, NULL) != 0) {
        pthread_mutex_destroy(&r->lock);
        return TH_NOMEM;
    }
    r->store = s;
    r->tail = &r->head; /* from here on stop_readers cleans up */
    error = sq_file_reader(&s->path, &r->db);
    if (error == TH_OK)
        error = sq_reader_prepare(r);
    if (error == TH_OK)
        error = pthread_create(&r->thread, NULL, reader_main, r) == 0 ? TH_OK : TH_NOMEM;
    r->started = error == TH_OK;
    return error;
}

static enum th_error start(struct sq_store *s, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    enum th_error error = sq_file_lock(&s->path, &s->lock_fd, why, why_size);

    if (error == TH_OK)
        error = sq_file_open(&s->path, &db, why, why_size);
    if (error != TH_OK)
        return error;
    error = sq_writer_open(&s->writer, s, db);
    if (error != TH_OK) {
        snprintf(why, why_size, "%s cannot be read: %s; restore it from a backup", s->path.db,
                 sqlite3_errmsg(db));
        return error == TH_BUG ? TH_CORRUPT : error; /* a table or column that should be there is not */
    }
    sqlite3_wal_hook(db, note_frames, s);
    s->has_ballast = sq_ballast_make(&s->path, s->ballast_mib) == TH_OK;
    if (!s->has_ballast) {
        s->full = true;
        th_log(TH_LOG_WARN, "no room for the reserve file; events are refused until there is",
               TH_KC("file", s->path.ballast));
    }
    for (int i = 0; error == TH_OK && i < READERS; i++)
        error = start_reader(s, &s->readers[i]);
    if (error == TH_OK)
        error = pthread_create(&s->thread, NULL, writer_main, s) == 0 ? TH_OK : TH_NOMEM;
    s->writer_started = error == TH_OK;
    if (error != TH_OK)
        snprintf(why, why_size, "cannot start the threads of the store: %s", th_error_name(error));
    return error;
}

enum th_error th_store_sqlite_open(const struct th_store_conf *conf, struct th_store **out, char *why,
                                   size_t why_size)
{
    struct sq_store *s;
    enum th_error error;

    *out = NULL;
    if (why_size)
        why[0] = '\0';
    /* each connection belongs to one thread; statistics would cost a lock per allocation. Refused,
     * harmlessly, when SQLite is in use already. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    s = th_calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "no memory");
        return TH_NOMEM;
    }
    s->base.vt = &sqlite_vt;
    s->lock_fd = -1;
    s->metrics = conf->metrics;
    s->ballast_mib = conf->ballast_mib ? conf->ballast_mib : 64;
    s->tail = &s->head;
    for (int kind = 0; kind < SQ_RUN_KINDS; kind++) {
        s->seals[kind].kind = (enum sq_run_kind)kind;
        s->seals[kind].op.kind = (enum th_op_kind)SQ_OP_SEAL;
    }
    error = init_locks(s) ? set_paths(s, conf->dir, why, why_size) : TH_NOMEM;
    if (error == TH_OK)
        error = start(s, why, why_size);
    if (error != TH_OK) {
        store_free(s);
        return error;
    }
    if (s->metrics)
        th_gauge_set(s->metrics, TH_G_STORE_READY, !s->full);
    *out = &s->base;
    return TH_OK;
}
