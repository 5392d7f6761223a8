/* Judges a database file as a whole, before it is trusted: one that was copied, or is to be put in place.
 *
 * Why more than SQLite's own check: that one proves that pages and indexes are whole. A file may be whole and
 * still be a copy of two moments, of another program's mind, or edited by hand; so the tables are compared with
 * what the migrations make, and what must always hold between rows (docs/storage.md) is asked of every row.
 *
 * Refuses: files of another program, of a newer version, or with a log of their own (a part of them would be
 * missing). Writes nothing; a file that nobody works on is opened as one that cannot change, so that SQLite makes
 * no file beside it. All questions are asked in one read transaction. */
#include "store/sqlite/sqlite_judge.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_backup.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_statements.h"
#include "store/store_settings_read.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct judging {
    sqlite3 *db;
    const char *file;
    th_backup_progress *progress;
    void *ctx;
    int64_t done, total; /* in bytes, roughly: half of the work is for the pages, half for the rows */
    int64_t read;
    char *why;
    size_t why_size;
};

int64_t sq_judge_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

enum th_error sq_judge_failed(sqlite3 *db, int rc, const char *file, char *why, size_t why_size)
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
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL: /* all marks of readers were locked for ten seconds */
        snprintf(why, why_size, "%s: another process keeps it locked", file);
        return TH_RETRY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TH_CORRUPT;
    default:
        return TH_IO;
    }
}

static int on_progress(void *ctx)
{
    struct judging *j = ctx;

    return j->progress && !j->progress(j->ctx, j->done, j->total);
}

/* ---- how far the reading of pages is ---- */

/* SQLite says nothing while it walks the pages of a large file, for minutes. So the reads themselves are counted, in
 * the place of the file's own function. All pages are read once, and most of them again with the rows and indexes. */
static _Thread_local struct {
    struct judging *j;
    int (*read)(sqlite3_file *file, void *to, int n, sqlite3_int64 at);
    sqlite3_io_methods methods;
} watched;

static int count_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    struct judging *j = watched.j;
    int64_t before = j->read, done;

    j->read += n;
    done = j->read / 4 < j->total / 2 ? j->read / 4 : j->total / 2;
    if (done > j->done)
        j->done = done;
    if (before >> 20 != j->read >> 20 && on_progress(j))
        sqlite3_interrupt(j->db);
    return watched.read(file, to, n, at);
}

static void watch_reads(struct judging *j)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(j->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) != SQLITE_OK || !file ||
        !file->pMethods)
        return;
    watched.j = j;
    watched.read = file->pMethods->xRead;
    watched.methods = *file->pMethods;
    watched.methods.xRead = count_read;
    file->pMethods = &watched.methods;
}

static enum th_error refuse(struct judging *j, enum th_error error, const char *what)
{
    snprintf(j->why, j->why_size, "%s: %s", j->file, what);
    return error;
}

/* ---- whose file it is, and its pages ---- */

static enum th_error judge_kind(struct judging *j, int *version)
{
    char what[160];

    if (sq_judge_number(j->db, "PRAGMA application_id") != SQ_APPLICATION_ID) {
        int rc = sqlite3_errcode(j->db) & 0xff; /* nothing is known about a file that cannot be read */
        if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_NOTADB)
            return sq_judge_failed(j->db, rc, j->file, j->why, j->why_size);
        return refuse(j, TH_INVALID, "is no database of Tenterhook");
    }
    *version = (int)sq_judge_number(j->db, "PRAGMA user_version");
    if (*version >= 1 && *version <= th_store_migration_count)
        return TH_OK;
    snprintf(what, sizeof what, "%s (layout %d, this program knows 1 to %d)",
             *version < 1 ? "has no layout" : "was written by a newer version", *version,
             th_store_migration_count);
    return refuse(j, TH_INVALID, what);
}

static enum th_error judge_pages(struct judging *j)
{
    sqlite3_stmt *st = NULL;
    enum th_error error = TH_OK;
    int rc = sqlite3_prepare_v2(j->db, "PRAGMA integrity_check(1)", -1, &st, NULL);
    const char *said;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    if (rc != SQLITE_ROW && rc != SQLITE_CORRUPT && rc != SQLITE_NOTADB) {
        error = sq_judge_failed(j->db, rc, j->file, j->why, j->why_size);
    } else if (!said || strcmp(said, "ok") != 0) {
        snprintf(j->why, j->why_size, "%s: is damaged: %.300s", j->file, said ? said : sqlite3_errmsg(j->db));
        error = TH_CORRUPT;
    }
    sqlite3_finalize(st);
    return error;
}

/* ---- its tables ---- */

#define TABLES                                                                                               \
    "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER " \
    "BY 1"

static const char *column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);

    return text ? text : "";
}

/* Walks both lists, which are sorted; the first difference ends it. */
static enum th_error compare_tables(struct judging *j, sqlite3_stmt *ours, sqlite3_stmt *theirs)
{
    for (;;) {
        bool wanted = sqlite3_step(ours) == SQLITE_ROW, there = sqlite3_step(theirs) == SQLITE_ROW;
        int order = !wanted ? 1 : !there ? -1 : strcmp(column(ours, 0), column(theirs, 0));
        char what[300];

        if (!wanted && !there)
            return TH_OK;
        if (order == 0 && strcmp(column(ours, 1), column(theirs, 1)) == 0)
            continue;
        snprintf(what, sizeof what, "its tables are not those of its layout: %.100s %s",
                 column(order > 0 ? theirs : ours, 0),
                 order < 0   ? "is missing"
                 : order > 0 ? "does not belong there"
                             : "is another one");
        return refuse(j, TH_CORRUPT, what);
    }
}

static enum th_error judge_tables(struct judging *j, int version)
{
    sqlite3_stmt *ours = NULL, *theirs = NULL;
    sqlite3 *model = NULL;
    enum th_error error;
    int rc = sqlite3_open_v2(":memory:", &model, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL);

    for (int i = 0; rc == SQLITE_OK && i < version; i++)
        rc = sqlite3_exec(model, th_store_migrations[i], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(model, TABLES, -1, &ours, NULL);
    if (rc != SQLITE_OK) {
        error = sq_judge_failed(model, rc, j->file, j->why, j->why_size);
    } else {
        rc = sqlite3_prepare_v2(j->db, TABLES, -1, &theirs, NULL);
        error = rc == SQLITE_OK ? compare_tables(j, ours, theirs)
                                : sq_judge_failed(j->db, rc, j->file, j->why, j->why_size);
    }
    sqlite3_finalize(ours);
    sqlite3_finalize(theirs);
    sqlite3_close(model);
    return error;
}

/* ---- its rows ---- */

#define OF_EVENT(table)                                                                                      \
    "SELECT t.no FROM " table " t WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.no=t.event AND "           \
    "t.no>=e.first AND "                                                                                     \
    "t.no<e.first+e.n) LIMIT 1"
#define LAST_OF(table)                                                                                       \
    "SELECT t.no FROM " table " t WHERE t.last<>0 AND NOT EXISTS (SELECT 1 FROM attempt a WHERE "            \
    "a.no=t.last AND "                                                                                       \
    "a.delivery=t.no) LIMIT 1"
#define WITHOUT(table, key, other)                                                                           \
    "SELECT t." key " FROM " table " t WHERE NOT EXISTS (SELECT 1 FROM " other " o WHERE o.no=t." key        \
    ") LIMIT 1"
/* meta keeps numbers as 8 bytes, most significant first: texts of the same length compare as they do */
#define ABOVE_META(table, name)                                                                              \
    "SELECT m FROM (SELECT max(no) AS m FROM " table ") WHERE m IS NOT NULL AND printf('%016X',m) > "        \
    "coalesce((SELECT hex(v) FROM meta WHERE k='" name "'),'')"
#define BUILT(kind, newest)                                                                                  \
    "SELECT v FROM counter WHERE k='sealed." kind "' AND v > 1+max(coalesce((SELECT v FROM counter WHERE "   \
    "k='" kind "'),0)," newest ")"
#define NEWEST(table) "coalesce((SELECT max(no) FROM " table "),0)"

/* Each finds the number of a row that must not be. */
static const struct {
    const char *sql, *what;
} rules[] = {
    {"SELECT q.no FROM queue q WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.no=q.no) LIMIT 1",
     "both waits and has ended: delivery"},
    {OF_EVENT("queue"), "no event has the waiting delivery"},
    {OF_EVENT("delivery"), "no event has the ended delivery"},
    {LAST_OF("queue"), "the last attempt is missing of the waiting delivery"},
    {LAST_OF("delivery"), "the last attempt is missing of the ended delivery"},
    {"SELECT t.no FROM attempt t WHERE t.prev<>0 AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.no=t.prev "
     "AND a.delivery=t.delivery) LIMIT 1",
     "the attempt before is missing of attempt"},
    {WITHOUT("event", "tenant", "tenant"), "events name a tenant that is not there"},
    {WITHOUT("queue", "endpoint", "endpoint"), "waiting deliveries name an endpoint that is not there"},
    {WITHOUT("delivery", "endpoint", "endpoint"), "ended deliveries name an endpoint that is not there"},
    {WITHOUT("own", "event", "event"), "a publisher's own id names an event that is not there"},
    {WITHOUT("endpoint", "tenant", "tenant"), "endpoints name a tenant that is not there"},
    {WITHOUT("endpoint_rev", "endpoint", "endpoint"), "revisions name an endpoint that is not there"},
    {WITHOUT("secret", "endpoint", "endpoint"), "secrets name an endpoint that is not there"},
    {WITHOUT("api_key", "tenant", "tenant"), "keys name a tenant that is not there"},
    {WITHOUT("job", "endpoint", "endpoint"), "replays name an endpoint that is not there"},
    {ABOVE_META("tenant", "last_tenant"), "the number that was given last is below that of tenant"},
    {ABOVE_META("endpoint", "last_endpoint"), "the number that was given last is below that of endpoint"},
    {BUILT("event", NEWEST("event")), "lists reach beyond the newest event, to"},
    {BUILT("delivery", "max(" NEWEST("queue") "," NEWEST("delivery") ")"),
     "lists reach beyond the newest delivery, to"},
    {BUILT("attempt", NEWEST("attempt")), "lists reach beyond the newest attempt, to"},
};
#define RULES ((int)(sizeof rules / sizeof rules[0]))

static enum th_error judge_rows(struct judging *j, struct th_sqlite_state *state)
{
    for (int i = 0; i < RULES && !state->unfit[0]; i++) {
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(j->db, rules[i].sql, -1, &st, NULL);

        if (rc == SQLITE_OK)
            rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            snprintf(state->unfit, sizeof state->unfit, "%s %lld", rules[i].what,
                     (long long)sqlite3_column_int64(st, 0));
        sqlite3_finalize(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return sq_judge_failed(j->db, rc, j->file, j->why, j->why_size);
        j->done = j->total / 2 + j->total / 2 * (i + 1) / RULES;
    }
    return TH_OK;
}

/* ---- opening ---- */

/* A file that nobody works on: opened as one that cannot change, so no -shm or -wal appears beside it. */
static enum th_error open_still(const char *file, sqlite3 **db, char *why, size_t why_size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    char log[4200], uri[3 * 4096 + 64] = "file:";
    size_t n = 5;
    struct stat st;
    int rc;

    snprintf(log, sizeof log, "%s-wal", file);
    if (strlen(file) > 4000) {
        snprintf(why, why_size, "the file's name is too long");
        return TH_INVALID;
    }
    if (stat(log, &st) == 0 && st.st_size > 0) {
        snprintf(
            why, why_size,
            "%s: there is a log beside it (%s-wal), so this is a copied data directory and no backup; make "
            "one with `tenterhook backup`, with --data naming that directory",
            file, file);
        return TH_INVALID;
    }
    for (const char *p = file; *p; p++)
        n +=
            (size_t)snprintf(uri + n, sizeof uri - n, strchr(plain, *p) ? "%c" : "%%%02X", (unsigned char)*p);
    snprintf(uri + n, sizeof uri - n, "?immutable=1");
    rc = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    return rc == SQLITE_OK ? TH_OK : sq_judge_failed(*db, rc, file, why, why_size);
}

static enum th_error judge(struct judging *j, struct th_sqlite_state *state)
{
    enum th_error error = judge_kind(j, &state->version);

    j->total = sq_judge_number(j->db, "PRAGMA page_count") * sq_judge_number(j->db, "PRAGMA page_size");
    if (!error)
        error = judge_pages(j);
    j->done = j->total / 2;
    if (!error)
        error = judge_tables(j, state->version);
    if (!error)
        error = judge_rows(j, state);
    return error;
}

enum th_error th_sqlite_judge(const char *file, bool live, th_backup_progress *progress, void *ctx,
                              struct th_sqlite_state *state, char *why, size_t why_size)
{
    struct judging j = {.file = file, .progress = progress, .ctx = ctx, .why = why, .why_size = why_size};
    enum th_error error = TH_OK;

    *state = (struct th_sqlite_state){0};
    if (live) {
        int rc = sqlite3_open_v2(file, &j.db, SQLITE_OPEN_READONLY, NULL);
        if (rc != SQLITE_OK)
            error = sq_judge_failed(j.db, rc, file, why, why_size);
    } else {
        error = open_still(file, &j.db, why, why_size);
    }
    if (!error) {
        sqlite3_busy_timeout(j.db, SQ_BUSY_MS);
        sqlite3_progress_handler(j.db, 200000, on_progress, &j);
        watch_reads(&j);
        (void)sqlite3_exec(j.db, "BEGIN", NULL, NULL, NULL); /* a file that cannot be read is noticed below */
        error = judge(&j, state);
    }
    sqlite3_close(j.db);
    return error;
}

enum th_error th_sqlite_settings(const char *file, void (*row)(void *ctx, const struct th_row *row),
                                 void *ctx, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    enum th_error error = open_still(file, &db, why, why_size);
    struct sq_db reading;
    int rc = SQLITE_OK;

    sq_db_init(&reading, db);
    if (!error)
        rc = st_settings_read(&reading.base, &sq_texts, row, ctx);

    if (rc != SQLITE_OK)
        error = sq_judge_failed(db, rc, file, why, why_size);
    sqlite3_close(db);
    return error;
}
