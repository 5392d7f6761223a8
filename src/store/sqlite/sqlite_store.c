/* The SQLite store: opening and closing.
 *
 * Why this order: the directory's lock, the file's checks, the writer's connection, the ballast, the readers,
 * and the writer's thread at last. A failure on the way closes what is open and says in `why` what to do.
 *
 * It refuses: data directories that cannot be made or are in use, files that are not this program's.
 *
 * Invariant: a store that has broken is closed without a checkpoint, so that its log stays for the next start. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/sync.h"
#include "store/sqlite/sqlite_commit.h"
#include "store/sqlite/sqlite_judge.h"
#include "store/sqlite/sqlite_statements.h"
#include "store/sqlite/sqlite_vfs.h"
#include "store/store_life.h"
#include "store/store_lock.h"
#include "store/store_recent.h"
#include "store/store_session.h"
#include "store/store_usage.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum th_error connect_reader(struct st_store *store, struct st_db **out)
{
    struct sq_db *db = th_calloc(1, sizeof *db);
    sqlite3 *file = NULL;
    enum th_error error = db ? sq_file_reader(&((struct sq_store *)store)->path, &file) : TH_NOMEM;

    *out = NULL;
    if (error != TH_OK) {
        th_free(db);
        return error;
    }
    sq_db_init(db, file);
    *out = &db->base;
    return TH_OK;
}

static void disconnect_reader(struct st_db *db)
{
    sqlite3_close(sq_db_of(db));
    th_free(db);
}

static void rest(struct st_store *store)
{
    sq_vfs_rest(((struct sq_store *)store)->db.db);
}

static void store_free(struct sq_store *s)
{
    st_life_stop(&s->base);
    if (s->db.db) {
        if (s->broken == TH_OK)
            sqlite3_wal_checkpoint_v2(s->db.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        else
            sqlite3_db_config(s->db.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_close(s->db.db);
    }
    st_recent_free(s->base.recent);
    st_life_fini(&s->base);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    th_free(s);
}

static void store_close(struct th_store *store)
{
    store_free((struct sq_store *)store);
}

static const struct th_store_vt sqlite_vt = {
    .settings = st_life_settings,
    .endpoint_settings = st_life_endpoint_settings,
    .attach = st_session_attach,
    .submit = st_session_submit,
    .flush = st_session_flush,
    .drain = st_session_drain,
    .detach = st_session_detach,
    .page_free = st_life_page_free,
    .usage = st_usage_now,
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

/** The log that a kill has left may hold erased content, because the log is cut off only after the erasing
 * was acknowledged. */
static enum th_error cut_log_off(struct sq_store *s, sqlite3 *db)
{
    enum th_error error;
    int rc;

    if (sq_judge_number(db, "SELECT EXISTS(SELECT 1 FROM erasure)") == 0)
        return TH_OK;
    rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    /* without room, or while a reader is in the way, it is tried again later */
    s->base.writer.erased = rc != SQLITE_OK;
    error = sq_db_checkpoint_error(db, rc);
    return error == TH_IO || error == TH_CORRUPT ? error : TH_OK;
}

static enum th_error start(struct sq_store *s, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    enum th_error error = st_lock_take(s->path.lock, &s->lock_fd, why, why_size);

    if (error == TH_OK)
        error = sq_file_open(&s->path, &db, why, why_size);
    if (error != TH_OK)
        return error;
    sq_db_init(&s->db, db);
    error = st_writer_open(&s->base.writer, &s->base, &s->db.base);
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
    error = st_life_start(&s->base, sq_commit_main);
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
    /* each connection belongs to one thread; statistics would cost a lock per allocation; and a cache takes memory for the pages that it
     * has, not for the first twenty at once, which is a third of a MiB for each connection. Refused, harmlessly, when SQLite is in use
     * already. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    s = th_calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "no memory");
        return TH_NOMEM;
    }
    s->base.base.vt = &sqlite_vt;
    s->base.texts = &sq_texts;
    s->base.recent = st_recent_new(); /* without memory for it, rows are read from the tables */
    s->base.name = s->path.db;
    s->base.metrics = options->metrics;
    s->base.connect = connect_reader;
    s->base.disconnect = disconnect_reader;
    s->base.rest = rest;
    s->lock_fd = -1;
    s->ballast_mib = options->ballast_mib ? options->ballast_mib : 64;
    error = st_life_init(&s->base) ? set_paths(s, options->dir, why, why_size) : TH_NOMEM;
    if (error == TH_OK)
        error = start(s, why, why_size);
    if (error != TH_OK) {
        store_free(s);
        return error;
    }
    if (s->base.metrics) {
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, !s->full);
        th_gauge_set(s->base.metrics, TH_G_DELIVERIES_PENDING, (int64_t)s->base.writer.next.queued);
    }
    *out = &s->base.base;
    return TH_OK;
}
