/* A data directory as one end of a copy between stores.
 *
 * The lock of the directory is held all the time, so no server works on it. A copy that is being written has another name, which no server
 * opens, and gets its own when it is whole and on the disk. The table `migration` in it says where it comes from. */
#include "store/sqlite/sqlite_copy.h"
#include "base/alloc.h"
#include "base/sync.h"
#include "store/sqlite/sqlite_file.h"
#include "store/store_lock.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct end {
    struct st_copy_end base;
    struct sq_path path;
    char whole[4096]; /* the database's own name */
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *reading, *writing;
    const struct st_copy_table *table, *writes;
    char why[500];
};

static struct end *end_of(struct st_copy_end *e)
{
    return (struct end *)e;
}

static enum th_error failed(struct end *e, int rc)
{
    snprintf(e->why, sizeof e->why, "%.300s: %s", e->path.db, sqlite3_errmsg(e->db));
    return sq_db_error(e->db, rc);
}

static enum th_error run(struct end *e, const char *sql)
{
    int rc = sqlite3_exec(e->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? TH_OK : failed(e, rc);
}

static enum th_error prepare_statement(struct end *e, const char *sql, sqlite3_stmt **out)
{
    int rc = sqlite3_prepare_v2(e->db, sql, -1, out, NULL);

    return rc == SQLITE_OK ? TH_OK : failed(e, rc);
}

/* ---- tables ---- */

static enum th_error columns(struct end *e, struct st_copy_table *t)
{
    sqlite3_stmt *st = NULL;
    enum th_error error =
        prepare_statement(e, "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY name", &st);
    int rc = SQLITE_DONE;

    if (!error)
        sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
    while (!error && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct st_copy_column *c = &t->columns[t->count];
        const char *type = (const char *)sqlite3_column_text(st, 1);
        int pk = sqlite3_column_int(st, 2);

        if (t->count == ST_COPY_COLUMNS || pk > 4) {
            snprintf(e->why, sizeof e->why, "it has too many columns");
            error = TH_BUG;
            break;
        }
        snprintf(c->name, sizeof c->name, "%s", (const char *)sqlite3_column_text(st, 0));
        c->is_number = strcmp(type, "INTEGER") == 0;
        c->is_text = strcmp(type, "TEXT") == 0;
        if (pk) {
            t->keys[pk - 1] = t->count;
            t->key_count = t->key_count > (unsigned)pk ? t->key_count : (unsigned)pk;
        }
        t->count++;
    }
    sqlite3_finalize(st);
    return error ? error : rc == SQLITE_DONE ? TH_OK : failed(e, rc);
}

static enum th_error tables(struct st_copy_end *base, struct st_copy_table *out, unsigned *count)
{
    struct end *e = end_of(base);
    sqlite3_stmt *st = NULL;
    int rc = SQLITE_DONE;
    enum th_error error =
        prepare_statement(e,
                          "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE"
                          " 'sqlite!_%' ESCAPE '!' AND name<>'migration' ORDER BY name",
                          &st);

    *count = 0;
    while (!error && (rc = sqlite3_step(st)) == SQLITE_ROW && *count < ST_COPY_TABLES) {
        struct st_copy_table *t = &out[(*count)++];

        snprintf(t->name, sizeof t->name, "%s", (const char *)sqlite3_column_text(st, 0));
        error = columns(e, t);
    }
    sqlite3_finalize(st);
    if (error)
        return error;
    if (rc != SQLITE_DONE) {
        snprintf(e->why, sizeof e->why, "%.300s has too many tables", e->path.db);
        return TH_BUG;
    }
    return TH_OK;
}

static enum th_error count_rows(struct st_copy_end *base, const struct st_copy_table *t, uint64_t *rows)
{
    struct end *e = end_of(base);
    sqlite3_stmt *st = NULL;
    char sql[120];
    int rc;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", t->name);
    if (prepare_statement(e, sql, &st))
        return TH_IO;
    rc = sqlite3_step(st);
    *rows = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? TH_OK : failed(e, rc);
}

/* ---- reading ---- */

static void key_list(const struct st_copy_table *t, const char *after, char *out, size_t size)
{
    size_t n = 0;

    for (unsigned i = 0; i < t->key_count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s\"%s\"%s", i ? "," : "", t->columns[t->keys[i]].name,
                              after);
}

static void column_list(const struct st_copy_table *t, char *out, size_t size)
{
    size_t n = 0;

    for (unsigned i = 0; i < t->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s\"%s\"", i ? "," : "", t->columns[i].name);
}

/** keep: the value is gone before the statement is. */
static int bind(sqlite3_stmt *st, int at, const struct st_copy_column *c, const struct st_copy_value *v,
                bool keep)
{
    sqlite3_destructor_type how = keep ? SQLITE_TRANSIENT : SQLITE_STATIC;

    if (v->null)
        return sqlite3_bind_null(st, at);
    if (c->is_number)
        return sqlite3_bind_int64(st, at, v->i);
    if (c->is_text)
        return sqlite3_bind_text64(st, at, v->s.n ? v->s.p : "", v->s.n, how, SQLITE_UTF8);
    return v->s.n ? sqlite3_bind_blob64(st, at, v->s.p, v->s.n, how) : sqlite3_bind_zeroblob(st, at, 0);
}

static void row_at(const struct end *e, sqlite3_stmt *st, const struct st_copy_table *t,
                   struct st_copy_value *row)
{
    (void)e;
    for (unsigned i = 0; i < t->count; i++) {
        struct st_copy_value *v = &row[i];

        *v = (struct st_copy_value){.null = sqlite3_column_type(st, (int)i) == SQLITE_NULL};
        if (v->null)
            continue;
        if (t->columns[i].is_number) {
            v->i = sqlite3_column_int64(st, (int)i);
        } else {
            const char *p = sqlite3_column_blob(st, (int)i); /* the bytes of a text, too */

            v->s = th_span(p ? p : "", (size_t)sqlite3_column_bytes(st, (int)i));
        }
    }
}

static void end_read(struct st_copy_end *base)
{
    sqlite3_finalize(end_of(base)->reading);
    end_of(base)->reading = NULL;
}

static enum th_error read_table(struct st_copy_end *base, const struct st_copy_table *t,
                                const struct st_copy_value *after)
{
    struct end *e = end_of(base);
    char all[1600], keys[240], sql[2400], places[16] = "";
    sqlite3_stmt *reading = NULL; /* the row of `last` may be what `after` points to */
    size_t n;
    enum th_error error;

    column_list(t, all, sizeof all);
    key_list(t, "", keys, sizeof keys);
    n = (size_t)snprintf(sql, sizeof sql, "SELECT %s FROM %s", all, t->name);
    for (unsigned i = 0; i < t->key_count; i++)
        strcat(places, i ? ",?" : "?");
    if (after)
        n += (size_t)snprintf(sql + n, sizeof sql - n, " WHERE (%s)>(%s)", keys, places);
    snprintf(sql + n, sizeof sql - n, " ORDER BY %s", keys);
    error = prepare_statement(e, sql, &reading);
    for (unsigned i = 0; after && !error && i < t->key_count; i++)
        if (bind(reading, (int)i + 1, &t->columns[t->keys[i]], &after[t->keys[i]], true) != SQLITE_OK)
            error = failed(e, SQLITE_ERROR);
    end_read(base);
    e->reading = reading;
    e->table = t;
    return error;
}

static enum th_error next(struct st_copy_end *base, struct st_copy_value *row, bool *more)
{
    struct end *e = end_of(base);
    int rc = sqlite3_step(e->reading);

    *more = rc == SQLITE_ROW;
    if (*more)
        row_at(e, e->reading, e->table, row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? TH_OK : failed(e, rc);
}

/** The statement stays, since the values are its own. */
static enum th_error last(struct st_copy_end *base, const struct st_copy_table *t, struct st_copy_value *row,
                          bool *found)
{
    struct end *e = end_of(base);
    char all[1600], keys[240], sql[2400];
    enum th_error error;
    int rc;

    column_list(t, all, sizeof all);
    key_list(t, " DESC", keys, sizeof keys);
    snprintf(sql, sizeof sql, "SELECT %s FROM %s ORDER BY %s LIMIT 1", all, t->name, keys);
    end_read(base);
    error = prepare_statement(e, sql, &e->reading);
    if (error)
        return error;
    rc = sqlite3_step(e->reading);
    *found = rc == SQLITE_ROW;
    if (*found)
        row_at(e, e->reading, t, row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? TH_OK : failed(e, rc);
}

/* ---- writing ---- */

static enum th_error source_of(struct end *e, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    enum th_error error = run(e, "CREATE TABLE IF NOT EXISTS migration(source TEXT NOT NULL)");

    out[0] = '\0';
    if (!error)
        error = prepare_statement(e, "SELECT source FROM migration", &st);
    if (!error && sqlite3_step(st) == SQLITE_ROW)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return error;
}

static enum th_error prepare(struct st_copy_end *base, const char *source, const struct st_copy_table *list,
                             unsigned count)
{
    struct end *e = end_of(base);
    char before[300], sql[400];
    enum th_error error = source_of(e, before, sizeof before);

    if (error || strcmp(before, source) == 0)
        return error;
    if (before[0]) {
        snprintf(e->why, sizeof e->why,
                 "%.300s is the beginning of a copy from another store: take it away first", e->path.db);
        return TH_CONFLICT;
    }
    error = run(e, "BEGIN IMMEDIATE");
    for (unsigned i = 0; !error && i < count; i++) { /* what a new store has */
        snprintf(sql, sizeof sql, "DELETE FROM %s", list[i].name);
        error = run(e, sql);
    }
    if (!error) {
        sqlite3_stmt *st = NULL;

        error = prepare_statement(e, "INSERT INTO migration VALUES(?1)", &st);
        if (!error) {
            sqlite3_bind_text(st, 1, source, -1, SQLITE_STATIC);
            if (sqlite3_step(st) != SQLITE_DONE)
                error = failed(e, SQLITE_ERROR);
        }
        sqlite3_finalize(st);
    }
    return error ? error : run(e, "COMMIT");
}

static enum th_error begin(struct st_copy_end *base, const struct st_copy_table *t)
{
    struct end *e = end_of(base);
    char all[1600], sql[2000];
    size_t n;
    enum th_error error = TH_OK;

    if (e->writes != t) {
        column_list(t, all, sizeof all);
        n = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s(%s) VALUES(", t->name, all);
        for (unsigned i = 0; i < t->count; i++)
            n += (size_t)snprintf(sql + n, sizeof sql - n, i ? ",?" : "?");
        snprintf(sql + n, sizeof sql - n, ")");
        sqlite3_finalize(e->writing);
        e->writing = NULL;
        error = prepare_statement(e, sql, &e->writing);
        e->writes = error ? NULL : t;
    }
    return error ? error : run(e, "BEGIN IMMEDIATE");
}

static enum th_error write_row(struct st_copy_end *base, const struct st_copy_value *row)
{
    struct end *e = end_of(base);
    int rc = SQLITE_OK;

    for (unsigned i = 0; rc == SQLITE_OK && i < e->writes->count; i++)
        rc = bind(e->writing, (int)i + 1, &e->writes->columns[i], &row[i], false);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(e->writing);
        sqlite3_reset(e->writing);
    }
    return rc == SQLITE_DONE ? TH_OK : failed(e, rc);
}

static enum th_error commit(struct st_copy_end *base)
{
    return run(end_of(base), "COMMIT");
}

static enum th_error finish(struct st_copy_end *base)
{
    struct end *e = end_of(base);
    enum th_error error = run(e, "DROP TABLE migration");
    char log[4200];
    struct stat st;
    int rc;

    end_read(base);
    sqlite3_finalize(e->writing);
    e->writing = NULL;
    if (!error)
        error = run(e, "PRAGMA wal_checkpoint(TRUNCATE)");
    if (error)
        return error;
    rc = sqlite3_close(e->db);
    e->db = NULL;
    snprintf(log, sizeof log, "%s-wal", e->path.db);
    if (rc != SQLITE_OK || (stat(log, &st) == 0 && st.st_size)) { /* all of the log is in the file */
        snprintf(e->why, sizeof e->why, "%.300s cannot be closed", e->path.db);
        return TH_IO;
    }
    (void)unlink(log);
    snprintf(log, sizeof log, "%s-shm", e->path.db);
    (void)unlink(log);
    if (rename(e->path.db, e->whole) != 0 || !th_sync_folder_of(e->whole)) {
        snprintf(e->why, sizeof e->why, "%.300s cannot be written", e->whole);
        return TH_IO;
    }
    return TH_OK;
}

/* ---- life ---- */

static const char *why_of(struct st_copy_end *base)
{
    return end_of(base)->why;
}

static void close_end(struct st_copy_end *base)
{
    struct end *e = end_of(base);

    sqlite3_finalize(e->reading);
    sqlite3_finalize(e->writing);
    sqlite3_close(e->db);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    th_free(e);
}

static const struct st_copy_vt copy_vt = {tables, count_rows, read_table, next,   end_read, last,     prepare,
                                          begin,  write_row,  commit,     finish, why_of,   close_end};

static enum th_error open_end(struct end *e, const char *dir, bool to_write, char *why, size_t why_size)
{
    char lock[4096];
    struct stat st;
    bool there;
    enum th_error error;

    if (snprintf(e->whole, sizeof e->whole, "%s/tenterhook.db", dir) >= (int)sizeof e->whole - 16) {
        snprintf(why, why_size, "the name of the data directory is too long");
        return TH_INVALID;
    }
    snprintf(e->path.db, sizeof e->path.db, "%s/tenterhook.db%s", dir, to_write ? ".migrating" : "");
    snprintf(lock, sizeof lock, "%s/tenterhook.lock", dir);
    there = stat(e->whole, &st) == 0;
    if (there == to_write) {
        snprintf(why, why_size,
                 to_write ? "%s is there already: name a directory that has no database" : "there is no %s",
                 e->whole);
        return to_write ? TH_CONFLICT : TH_NOT_FOUND;
    }
    error = st_lock_take(lock, &e->lock_fd, why, why_size);
    return error ? error : sq_file_open(&e->path, &e->db, why, why_size);
}

enum th_error th_sqlite_copy_open(const char *dir, bool to_write, struct st_copy_end **out, char *why,
                                  size_t why_size)
{
    struct end *e = th_calloc(1, sizeof *e);
    enum th_error error;

    *out = NULL;
    if (!e)
        return TH_NOMEM;
    e->base.vt = &copy_vt;
    e->lock_fd = -1;
    error = open_end(e, dir, to_write, why, why_size);
    if (error) {
        close_end(&e->base);
        return error;
    }
    *out = &e->base;
    return TH_OK;
}
