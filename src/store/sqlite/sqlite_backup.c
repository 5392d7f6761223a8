/* Copies of the database by VACUUM INTO: one read transaction, so the copy is one moment of the store and no
 * writer waits. Each copy is read back and judged (sqlite_judge.c).
 *
 * Why not copying the file: with a write-ahead log, the file alone is no moment at all. Why not the backup
 * API: it starts over whenever another process commits, which on a busy server is always.
 *
 * Refuses: to write over a file. The copy has its full name only when it is complete, synced and read back: a
 * crash leaves FILE.part. The source is opened for reading only. What is written to the log meanwhile cannot be cut
 * off it until the copy is done. */
#include "store/sqlite/sqlite_backup.h"
#include "base/sync.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_judge.h"
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

static bool sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
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
    (void)unlink(part); /* the part file of an earlier backup that was killed */
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
                        sq_judge_number(db, "PRAGMA page_count") * sq_judge_number(db, "PRAGMA page_size")};
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &st, NULL);

    sqlite3_progress_handler(db, 200000, on_progress, &c);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, part, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (rc != SQLITE_OK) {
        enum th_error error = sq_judge_failed(db, rc, part, why, why_size);
        sqlite3_finalize(st);
        return error;
    }
    sqlite3_finalize(st);
    return TH_OK;
}

static enum th_error finish(const char *part, const char *to, char *why, size_t why_size)
{
    if (rename(part, to) == 0 && th_sync_folder_of(to))
        return TH_OK;
    snprintf(why, why_size, "%s: cannot be put on the disk: %s", to, strerror(errno));
    return TH_IO;
}

enum th_error th_sqlite_backup(const char *dir, const char *to, th_backup_progress *progress, void *ctx,
                               struct th_sqlite_state *state, char *why, size_t why_size)
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
        error = sq_judge_failed(db, rc, from, why, why_size);
    if (!error) {
        sqlite3_busy_timeout(db, 5000);
        error = copy(db, part, progress, ctx, why, why_size);
    }
    sqlite3_close(db);
    if (!error && !sync_file(part)) {
        snprintf(why, why_size, "%s: cannot be put on the disk: %s", part, strerror(errno));
        error = TH_IO;
    }
    if (!error)
        error = th_sqlite_judge(part, false, progress, ctx, state, why, why_size);
    if (!error)
        error = finish(part, to, why, why_size);
    if (error)
        (void)unlink(part);
    return error;
}
