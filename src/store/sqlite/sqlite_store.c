/* The SQLite store: opening and closing.
 *
 * Why this order: the directory's lock, the file's checks, the writer's connection, the ballast, the readers,
 * and the writer's thread at last. A failure on the way closes what is open and says in `why` what to do.
 * Closing goes backwards: the writer first commits what is queued, then the readers end, then the sessions
 * are drained a last time, so that no op is lost.
 *
 * It refuses: data directories that cannot be made or are in use, files that are not this program's.
 *
 * Invariants: (1) nothing but this file starts or joins a thread of the store; (2) a store that has broken is
 * closed without a checkpoint, so that its log stays for the next start. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/sync.h"
#include "store/sqlite/sqlite_commit.h"
#include "store/sqlite/sqlite_judge.h"
#include "store/store_page.h"
#include "store/store_session.h"
#include "store/store_settings_read.h"
#include "store/store_usage.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum th_error store_settings(struct th_store *store, void (*row)(void *, const struct th_row *),
                                    void *ctx)
{
    sqlite3 *db = NULL;
    enum th_error error = sq_file_reader(&((struct sq_store *)store)->path, &db);

    if (error != TH_OK)
        return error;
    error = sq_db_error(db, sq_settings_read(db, row, ctx));
    sqlite3_close(db);
    return error;
}

/* Its own connection, made when the first is asked for: the readers' belong to their threads, and few installations have
 * endpoints so large that one is asked for at all. */
static enum th_error open_conf(struct sq_store *s)
{
    static const char sql[] = "SELECT conf FROM endpoint WHERE no=?1 AND rev=?2 UNION ALL "
                              "SELECT conf FROM endpoint_rev WHERE endpoint=?1 AND rev=?2 LIMIT 1";
    enum th_error error = sq_file_reader(&s->path, &s->conf_db);

    if (error != TH_OK)
        return error;
    error = sq_db_error(s->conf_db, sqlite3_exec(s->conf_db, "PRAGMA cache_size=-256", NULL, NULL, NULL));
    if (error == TH_OK)
        error = sq_db_error(s->conf_db, sqlite3_prepare_v3(s->conf_db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                           &s->conf_st, NULL));
    if (error != TH_OK) {
        sqlite3_close(s->conf_db);
        s->conf_db = NULL;
    }
    return error;
}

/* Under the lock of the connection. */
static enum th_error read_conf(struct sq_store *s, uint64_t endpoint, uint64_t rev, struct th_buf *out)
{
    enum th_error error = s->conf_st ? TH_OK : open_conf(s);
    int rc;

    if (error != TH_OK)
        return error;
    sq_u64(s->conf_st, 1, endpoint);
    sq_u64(s->conf_st, 2, rev);
    rc = sqlite3_step(s->conf_st);
    if (rc == SQLITE_ROW) {
        th_buf_span(out, sq_col(s->conf_st, 0));
        error = out->failed;
    } else {
        error = rc == SQLITE_DONE ? TH_NOT_FOUND : sq_db_error(s->conf_db, rc);
    }
    sqlite3_reset(s->conf_st); /* no snapshot is kept: the log can be used again from its beginning */
    return error;
}

static enum th_error store_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                             struct th_buf *out)
{
    struct sq_store *s = (struct sq_store *)store;
    enum th_error error;

    pthread_mutex_lock(&s->conf_lock);
    error = read_conf(s, endpoint, rev, out);
    pthread_mutex_unlock(&s->conf_lock);
    return error;
}

static void store_page_free(struct th_store *store, struct th_page *page)
{
    (void)store;
    sq_page_free(page);
}

static void stop_readers(struct sq_store *s)
{
    for (int i = 0; i < SQ_READERS; i++) {
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
        sq_db_finalize(r->st, SQ_R_COUNT);
        sqlite3_close(r->db);
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->lock);
    }
}

static void store_free(struct sq_store *s)
{
    for (struct th_session *session = s->sessions; session; session = session->next)
        sq_session_flush(session);
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
        th_free(s->builds[kind].pairs);
    while (s->sessions) {
        struct th_session *session = s->sessions;

        while (sq_session_drain(session, 1000))
            ;
        s->sessions = session->next;
        pthread_mutex_destroy(&session->lock);
        th_free(session);
    }
    sqlite3_finalize(s->conf_st);
    sqlite3_close(s->conf_db);
    (void)pthread_mutex_destroy(&s->conf_lock);
    if (s->writer.db) {
        sq_writer_close(&s->writer);
        if (s->broken == TH_OK)
            sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        else
            sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close(s->writer.db);
    }
    if (s->lock_ready) {
        pthread_cond_destroy(&s->may_read);
        pthread_cond_destroy(&s->told);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->use_lock);
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
    .endpoint_settings = store_endpoint_settings,
    .attach = sq_session_attach,
    .submit = sq_session_submit,
    .flush = sq_session_flush,
    .drain = sq_session_drain,
    .detach = sq_session_detach,
    .page_free = store_page_free,
    .usage = sq_usage_now,
    .close = store_close,
};

/* ---- opening ---- */

static enum th_error set_paths(struct sq_store *s, const char *dir, char *why, size_t why_size)
{
    bool made = mkdir(dir, 0700) == 0;

    if ((!made && errno != EEXIST) || (made && !th_sync_folder_of(dir))) {
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
    bool wake = pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&s->wake, &attr) == 0;
    bool told = wake && pthread_cond_init(&s->told, NULL) == 0;

    (void)pthread_mutex_init(&s->conf_lock, NULL); /* of the default kind: cannot fail, as the next */
    (void)pthread_cond_init(&s->may_read, NULL);
    s->lock_ready = told && pthread_mutex_init(&s->lock, NULL) == 0;
    if (s->lock_ready && pthread_mutex_init(&s->use_lock, NULL) != 0) {
        pthread_mutex_destroy(&s->lock);
        s->lock_ready = false;
    }
    if (wake)
        pthread_condattr_destroy(&attr);
    if (told && !s->lock_ready)
        pthread_cond_destroy(&s->told);
    if (wake && !s->lock_ready)
        pthread_cond_destroy(&s->wake);
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
        error = sq_db_error(r->db, sq_statements_reader(r->db, r->st));
    if (error == TH_OK)
        error = pthread_create(&r->thread, NULL, sq_reader_main, r) == 0 ? TH_OK : TH_NOMEM;
    r->started = error == TH_OK;
    return error;
}

/** What a kill has left of the log may hold what was erased: the log is cut off after the erasing was acknowledged. */
static enum th_error cut_log_off(struct sq_store *s, sqlite3 *db)
{
    enum th_error error;
    int rc;

    if (sq_judge_number(db, "SELECT EXISTS(SELECT 1 FROM erasure)") == 0)
        return TH_OK;
    rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    s->writer.erased = rc != SQLITE_OK; /* without room, or with a reader in the way: again later */
    error = sq_db_checkpoint_error(db, rc);
    return error == TH_IO || error == TH_CORRUPT ? error : TH_OK;
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
    if (error == TH_OK)
        error = cut_log_off(s, db);
    if (error != TH_OK) {
        snprintf(why, why_size, "%s cannot be read: %s; restore it from a backup", s->path.db,
                 sqlite3_errmsg(db));
        return error == TH_BUG ? TH_CORRUPT : error; /* a table or column that should be there is not */
    }
    sqlite3_wal_hook(db, sq_commit_note_frames, s);
    s->has_ballast = sq_file_ballast_make(&s->path, s->ballast_mib) == TH_OK;
    if (!s->has_ballast) {
        s->full = true;
        th_log(TH_LOG_WARN, "no room for the reserve file; events are refused until there is",
               TH_KC("file", s->path.ballast));
    }
    for (int i = 0; error == TH_OK && i < SQ_READERS; i++)
        error = start_reader(s, &s->readers[i]);
    if (error == TH_OK)
        error = pthread_create(&s->thread, NULL, sq_commit_main, s) == 0 ? TH_OK : TH_NOMEM;
    s->writer_started = error == TH_OK;
    if (error != TH_OK)
        snprintf(why, why_size, "cannot start the threads of the store: %s", th_error_name(error));
    return error;
}

enum th_error th_store_sqlite_open(const struct th_store_options *options, struct th_store **out, char *why,
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
    s->metrics = options->metrics;
    s->ballast_mib = options->ballast_mib ? options->ballast_mib : 64;
    s->tail = &s->head;
    for (int kind = 0; kind < SQ_RUN_KINDS; kind++) {
        s->builds[kind].kind = (enum sq_run_kind)kind;
        s->builds[kind].op.kind = (enum th_op_kind)SQ_OP_RUN_BUILD;
    }
    error = init_locks(s) ? set_paths(s, options->dir, why, why_size) : TH_NOMEM;
    if (error == TH_OK)
        error = start(s, why, why_size);
    if (error != TH_OK) {
        store_free(s);
        return error;
    }
    if (s->metrics) {
        th_gauge_set(s->metrics, TH_G_STORE_READY, !s->full);
        th_gauge_set(s->metrics, TH_G_DELIVERIES_PENDING, (int64_t)s->writer.next.queued);
    }
    *out = &s->base;
    return TH_OK;
}
