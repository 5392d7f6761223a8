/* Copies of the database by VACUUM INTO: one read transaction, so the copy is one moment of the store and no
 * writer waits.
 *
 * Why not copying the file: with a write-ahead log, the file alone is no moment at all. Why not the backup
 * API: it starts over whenever another process commits, which on a busy server is always.
 *
 * Refuses: to write over a file. The copy has its full name only when it is complete and synced: a crash
 * leaves FILE.part. The source is opened for reading only. What is written to the log meanwhile cannot be cut
 * off it until the copy is done. */
#include "store/sqlite_backup.h"
#include "store/migrations.h"
#include "store/store_sqlite_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copying {
    th_backup_progress *progress;
    void *ctx;
    const char *part;
    int64_t total;
};

static int on_progress(void *ctx)
{
    struct copying *c = ctx;
    struct stat st;

    return c->progress && !c->progress(c->ctx, stat(c->part, &st) == 0 ? (int64_t)st.st_size : 0, c->total);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static enum th_error failed(sqlite3 *db, int rc, const char *file, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: %s", file, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        snprintf(why, why_size, "stopped");
        return TH_CANCELLED;
    case SQLITE_FULL:
        return TH_FULL;
    case SQLITE_NOMEM:
        return TH_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TH_CORRUPT;
    default:
        return TH_IO;
    }
}

static bool sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sync_folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char dir[4096];

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - file) + (slash == file) : 1, slash ? file : ".");
    return sync_path(dir, O_RDONLY | O_DIRECTORY);
}

/* The part file exists, empty and private, before SQLite opens it: the copy holds what the database holds. */
static enum th_error make_part(const char *to, const char *part, char *why, size_t why_size)
{
    struct stat st;
    int fd;

    if (lstat(to, &st) == 0) {
        snprintf(why, why_size, "%s: is there already; a backup does not write over a file", to);
        return TH_CONFLICT;
    }
    (void)unlink(part); /* of an earlier one that was killed */
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_size, "%s: cannot be written: %s", part, strerror(errno));
        return TH_IO;
    }
    close(fd);
    return TH_OK;
}

static enum th_error copy(sqlite3 *db, const char *part, th_backup_progress *progress, void *ctx, char *why,
                          size_t why_size)
{
    struct copying c = {progress, ctx, part,
                        number(db, "PRAGMA page_count") * number(db, "PRAGMA page_size")};
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &st, NULL);

    sqlite3_progress_handler(db, 200000, on_progress, &c);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, part, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (rc != SQLITE_OK) {
        enum th_error error = failed(db, rc, part, why, why_size);
        sqlite3_finalize(st);
        return error;
    }
    sqlite3_finalize(st);
    return TH_OK;
}

enum th_error th_sqlite_backup(const char *dir, const char *to, th_backup_progress *progress, void *ctx,
                               char *why, size_t why_size)
{
    char from[4200], part[4200];
    enum th_error error;
    sqlite3 *db = NULL;
    struct stat st;
    int rc;

    snprintf(from, sizeof from, "%s/tenterhook.db", dir);
    snprintf(part, sizeof part, "%s.part", to);
    if (strlen(dir) > 4000 || strlen(to) > 4000 || stat(from, &st) != 0) {
        snprintf(why, why_size, "%s: there is no database: %s", from, strerror(errno));
        return TH_NOT_FOUND;
    }
    error = make_part(to, part, why, why_size);
    if (error)
        return error;
    rc = sqlite3_open_v2(from, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc != SQLITE_OK)
        error = failed(db, rc, from, why, why_size);
    if (!error) {
        sqlite3_busy_timeout(db, 5000);
        error = copy(db, part, progress, ctx, why, why_size);
    }
    sqlite3_close(db);
    if (!error && (!sync_path(part, O_RDONLY) || rename(part, to) != 0 || !sync_folder_of(to))) {
        snprintf(why, why_size, "%s: cannot be put on the disk: %s", to, strerror(errno));
        error = TH_IO;
    }
    if (error)
        (void)unlink(part);
    return error;
}

/* ---- judging ---- */

static enum th_error judge(sqlite3 *db, const char *file, int *version, char *why, size_t why_size)
{
    sqlite3_stmt *st = NULL;
    enum th_error error = TH_OK;

    if (number(db, "PRAGMA application_id") != SQ_APPLICATION_ID) {
        snprintf(why, why_size, "%s: is no database of Tenterhook", file);
        return TH_INVALID;
    }
    *version = (int)number(db, "PRAGMA user_version");
    if (*version > th_store_migration_count) {
        snprintf(why, why_size, "%s: was written by a newer version (layout %d, this program knows up to %d)",
                 file, *version, th_store_migration_count);
        return TH_INVALID;
    }
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW || strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
        snprintf(why, why_size, "%s: is damaged: %.300s", file,
                 st && sqlite3_column_text(st, 0) ? (const char *)sqlite3_column_text(st, 0)
                                                  : sqlite3_errmsg(db));
        error = TH_CORRUPT;
    }
    sqlite3_finalize(st);
    return error;
}

enum th_error th_sqlite_judge(const char *file, int *version, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL);
    enum th_error error =
        rc != SQLITE_OK ? failed(db, rc, file, why, why_size) : judge(db, file, version, why, why_size);

    sqlite3_close(db);
    return error;
}
