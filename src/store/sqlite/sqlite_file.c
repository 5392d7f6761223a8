/* The database file of the SQLite store: lock, checks, migrations, connections, ballast, settings at start.
 *
 * Why: a file is judged before it is touched, so that a foreign, damaged or newer file is left as it was and
 * the operator reads what to do. It refuses: a data directory that another process uses, files that are no
 * database of this program, versions above its own.
 *
 * Invariants: (1) nothing is written before the lock is held and the file was judged; (2) each migration
 * commits with its version; (3) the file and its companions are readable by their owner only; (4) nothing is
 * acknowledged before their names are durable.
 *
 * Everything here runs on the opening thread, except for the ballast (writer thread). */
#include "store/sqlite/sqlite_file.h"
#include "base/log.h"
#include "base/sync.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_vfs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- ballast ---- */

enum th_error sq_file_ballast_make(const struct sq_path *path, uint32_t mib)
{
    off_t size = (off_t)mib << 20;
    struct stat st;
    int fd = open(path->ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600), failed;

    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? TH_FULL : TH_IO;
    failed = fstat(fd, &st) != 0 ? errno : 0;
    if (!failed && (st.st_size != size || (off_t)st.st_blocks * 512 < size)) {
        failed = ftruncate(fd, size) != 0 ? errno : posix_fallocate(fd, 0, size);
        if (!failed && fsync(fd) != 0)
            failed = errno;
    }
    close(fd);
    if (!failed)
        return TH_OK;
    (void)unlink(path->ballast);
    return failed == ENOSPC || failed == EDQUOT || failed == EFBIG ? TH_FULL : TH_IO;
}

void sq_file_ballast_drop(const struct sq_path *path)
{
    (void)unlink(path->ballast);
    (void)th_sync_folder_of(path->ballast); /* nothing depends on it */
}

/* ---- opening ---- */

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/** Judges the first bytes without SQLite. A missing or empty file is fine: it is made. */
static enum th_error judge_header(const struct sq_path *path, char *why, size_t why_size)
{
    unsigned char head[100];
    struct stat st;
    ssize_t n;
    int fd = open(path->db, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, why_size, "cannot open %s: %s", path->db, strerror(errno));
        if (fd >= 0)
            close(fd);
        return errno == ENOSPC || errno == EDQUOT ? TH_FULL : TH_IO;
    }
    n = st.st_size ? pread(fd, head, sizeof head, 0) : 0;
    close(fd);
    if (st.st_size == 0)
        return TH_OK;
    if (n != (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0) {
        snprintf(why, why_size,
                 "%s is damaged or no Tenterhook database (its header is not that of SQLite); move it away "
                 "to start "
                 "empty, or restore it from a backup",
                 path->db);
        return TH_CORRUPT;
    }
    if (be32(head + 68) != SQ_APPLICATION_ID && be32(head + 68) != 0) {
        snprintf(why, why_size,
                 "%s is a database of another program; give Tenterhook a data directory of its own",
                 path->db);
        return TH_INVALID;
    }
    return TH_OK;
}

static int pragma_int(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    sqlite3_finalize(st);
    return rc;
}

static int migrate(const struct sq_path *path, sqlite3 *db, int64_t version, char *why, size_t why_size)
{
    int64_t from = version;
    int rc = SQLITE_OK;

    for (; rc == SQLITE_OK && version < th_store_migration_count; version++) {
        char end[128];

        if (from > 0) /* a step may read every row once; who waits for the start can see where it is */
            th_log(TH_LOG_INFO, "raising the storage form of the database, a step at a time",
                   TH_KC("file", path->db), TH_KI("to", version + 1), TH_KI("of", th_store_migration_count));
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, th_store_migrations[version], NULL, NULL, NULL);
        snprintf(end, sizeof end, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 SQ_APPLICATION_ID, (int)version + 1);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, end, NULL, NULL, NULL);
        if (rc != SQLITE_OK) /* before the rollback, which succeeds */
            snprintf(why, why_size, "%s cannot be brought to version %d of the storage form: %s", path->db,
                     (int)version + 1, sqlite3_errmsg(db));
        if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK && from > 0 && from < version)
        th_log(TH_LOG_INFO, "the database has a newer storage form now; an older program refuses it",
               TH_KC("file", path->db), TH_KI("from", from), TH_KI("to", version));
    return rc;
}

static const char tune_writer[] = "PRAGMA page_size=16384;"
                                  "PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=FULL;"
                                  "PRAGMA wal_autocheckpoint=0;" /* the writer does it after answering */
                                  "PRAGMA journal_size_limit=16777216;"
                                  "PRAGMA secure_delete=FAST;"
                                  "PRAGMA temp_store=MEMORY;"
                                  "PRAGMA mmap_size=0;" /* an I/O error must be a result, not a signal */
                                  "PRAGMA trusted_schema=OFF;"
                                  "PRAGMA cache_size=-24576";

static enum th_error judge_content(const struct sq_path *path, sqlite3 *db, char *why, size_t why_size)
{
    int64_t version = 0, application = 0, tables = 0;
    int rc = pragma_int(db, "PRAGMA user_version", &version);

    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK) {
        snprintf(why, why_size, "%s cannot be read: %s; restore it from a backup", path->db,
                 sqlite3_errmsg(db));
        return sq_db_error(db, rc);
    }
    if (tables && application != SQ_APPLICATION_ID) {
        snprintf(why, why_size,
                 "%s is a database of another program; give Tenterhook a data directory of its own",
                 path->db);
        return TH_INVALID;
    }
    if (version > th_store_migration_count) {
        snprintf(why, why_size,
                 "%s has version %lld of the storage form, this program knows up to %d; start the newer "
                 "Tenterhook that wrote it, or restore the backup that was made before the upgrade",
                 path->db, (long long)version, th_store_migration_count);
        return TH_INVALID;
    }
    if (tables ? version < 1 : version != 0) {
        snprintf(why, why_size, "%s has %s the storage form: it is damaged; restore it from a backup",
                 path->db, tables ? "tables, but no version of" : "no tables, but a version of");
        return TH_CORRUPT;
    }
    rc = sqlite3_exec(db, tune_writer, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        snprintf(why, why_size, "%s cannot be written: %s", path->db, sqlite3_errmsg(db));
    else
        rc = migrate(path, db, version, why, why_size);
    return rc == SQLITE_OK      ? TH_OK
           : rc == SQLITE_ERROR ? TH_CORRUPT /* other tables than its version has */
                                : sq_db_error(db, rc);
}

static int open_db(const char *file, int flags, sqlite3 **db)
{
    int rc = sqlite3_open_v2(file, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, sq_vfs());

    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(*db, 1);
        sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_busy_timeout(*db, SQ_BUSY_MS);
    }
    return rc;
}

enum th_error sq_file_open(const struct sq_path *path, sqlite3 **db, char *why, size_t why_size)
{
    enum th_error error = judge_header(path, why, why_size);
    int rc;

    *db = NULL;
    if (error != TH_OK)
        return error;
    rc = open_db(path->db, SQLITE_OPEN_READWRITE, db);
    if (rc != SQLITE_OK) {
        snprintf(why, why_size, "cannot open %s: %s", path->db, *db ? sqlite3_errmsg(*db) : "no memory");
        error = sq_db_error(*db, rc);
    } else {
        error = judge_content(path, *db, why, why_size);
    }
    if (error == TH_OK && !th_sync_folder_of(path->db)) {
        snprintf(why, why_size, "%s cannot be made durable: %s", path->db, strerror(errno));
        error = TH_IO;
    }
    if (error == TH_OK)
        return TH_OK;
    sqlite3_close(*db);
    *db = NULL;
    return error;
}

enum th_error sq_file_reader(const struct sq_path *path, sqlite3 **db)
{
    int rc = open_db(path->db, SQLITE_OPEN_READONLY, db);
    enum th_error error;

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*db,
                          "PRAGMA query_only=ON; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0;"
                          "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-4096",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return TH_OK;
    error = sq_db_error(*db, rc);
    sqlite3_close(*db);
    *db = NULL;
    return error;
}
