/* A PostgreSQL database as one end of a copy between stores.
 *
 * Three connections: one holds the rows of `slot` in a transaction, so that a node that starts meanwhile has to wait; one reads or
 * copies, in the binary form of COPY and of results; and, to write, one makes the tables of days.
 *
 * While the table `migration` is there, the content is the beginning of a copy, and a node does not use it (postgres_store.c). */
#include "store/postgres/postgres_copy.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "store/postgres/postgres_db.h"
#include "store/postgres/postgres_schema.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S PG_SCHEMA "."
#define FETCH 500
/* Tables of the schema that are not the store's content: who works on it, its form, and inboxes, which stay where they are. */
#define NOT_CONTENT                                                                                          \
    "'form','node','slot','shared','log','progress','migration','inbox','inbox_rejected','publisher'"

struct end {
    struct st_copy_end base;
    struct pg_address address;
    PGconn *c, *held;
    struct pg_db days_db; /* makes the tables of days */
    struct th_map days;
    const struct st_copy_table *table, *to;
    PGresult *page;
    int at;
    bool is_last; /* the page is the last one */
    struct th_buf out;
    char why[500];
};

static struct end *end_of(struct st_copy_end *e)
{
    return (struct end *)e;
}

static enum th_error failed(struct end *e, const char *message)
{
    snprintf(e->why, sizeof e->why, "%s: %.*s", e->address.shown, (int)strcspn(message, "\n"), message);
    return TH_RETRY;
}

/** NULL: it failed, and why says why. */
static PGresult *ask(struct end *e, PGconn *c, const char *sql, int count, const char *const *values,
                     const int *lengths, const int *formats)
{
    PGresult *r = PQexecParams(c, sql, count, NULL, values, lengths, formats, 1);
    ExecStatusType status = PQresultStatus(r);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return r;
    (void)failed(e, r ? PQresultErrorMessage(r) : PQerrorMessage(c));
    PQclear(r);
    return NULL;
}

static enum th_error run(struct end *e, PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);
    enum th_error error = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ? TH_OK : TH_RETRY;

    if (error)
        error = failed(e, r ? PQresultErrorMessage(r) : PQerrorMessage(c));
    PQclear(r);
    return error;
}

/* ---- tables ---- */

static int64_t number_of(const char *p, int length)
{
    int64_t v8;
    int32_t v4;
    int16_t v2;

    if (length == 8) {
        memcpy(&v8, p, sizeof v8);
        return (int64_t)be64toh((uint64_t)v8);
    }
    if (length == 4) {
        memcpy(&v4, p, sizeof v4);
        return (int32_t)be32toh((uint32_t)v4);
    }
    memcpy(&v2, p, sizeof v2);
    return (int16_t)be16toh((uint16_t)v2);
}

static bool add_column(struct st_copy_table *t, const PGresult *r, int row)
{
    struct st_copy_column *c = &t->columns[t->count];
    const char *type = PQgetvalue(r, row, 2);
    int pk = (int)number_of(PQgetvalue(r, row, 3), PQgetlength(r, row, 3));

    if (t->count == ST_COPY_COLUMNS || pk > 4)
        return false;
    snprintf(c->name, sizeof c->name, "%s", PQgetvalue(r, row, 1));
    c->is_number = strncmp(type, "int", 3) == 0;
    c->is_text = strcmp(type, "text") == 0;
    c->width = c->is_number ? atoi(type + 3) : 0;
    if (!c->is_number && !c->is_text && strcmp(type, "bytea") != 0)
        return false;
    if (pk) {
        t->keys[pk - 1] = t->count;
        t->key_count = t->key_count > (unsigned)pk ? t->key_count : (unsigned)pk;
    }
    t->count++;
    return true;
}

static enum th_error tables(struct st_copy_end *base, struct st_copy_table *out, unsigned *count)
{
    struct end *e = end_of(base);
    bool fits = true;
    PGresult *r = ask(
        e, e->c,
        "SELECT c.relname::text, a.attname::text, t.typname::text,"
        " coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int8 + 1 FROM pg_class c"
        " JOIN pg_namespace n ON n.oid=c.relnamespace JOIN pg_attribute a ON a.attrelid=c.oid AND a.attnum>0 "
        "AND"
        " NOT a.attisdropped JOIN pg_type t ON t.oid=a.atttypid LEFT JOIN pg_index i ON i.indrelid=c.oid AND"
        " i.indisprimary WHERE n.nspname='" PG_SCHEMA
        "' AND c.relkind IN ('r','p') AND NOT c.relispartition AND"
        " c.relname NOT IN (" NOT_CONTENT ") ORDER BY c.relname COLLATE \"C\", a.attname COLLATE \"C\"",
        0, NULL, NULL, NULL);

    *count = 0;
    if (!r)
        return TH_RETRY;
    for (int i = 0; fits && i < PQntuples(r); i++) {
        const char *name = PQgetvalue(r, i, 0);

        if (!*count || strcmp(out[*count - 1].name, name) != 0) {
            fits = *count < ST_COPY_TABLES;
            if (fits)
                snprintf(out[(*count)++].name, sizeof out->name, "%s", name);
        }
        if (fits)
            fits = add_column(&out[*count - 1], r, i);
        if (!fits)
            snprintf(e->why, sizeof e->why, "the table %s has a column that cannot be copied: %s", name,
                     PQgetvalue(r, i, 1));
    }
    PQclear(r);
    return fits ? TH_OK : TH_INVALID;
}

static enum th_error count_rows(struct st_copy_end *base, const struct st_copy_table *t, uint64_t *rows)
{
    struct end *e = end_of(base);
    char sql[160];
    PGresult *r;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM " S "%s", t->name);
    r = ask(e, e->c, sql, 0, NULL, NULL, NULL);
    *rows = r ? (uint64_t)number_of(PQgetvalue(r, 0, 0), PQgetlength(r, 0, 0)) : 0;
    PQclear(r);
    return r ? TH_OK : TH_RETRY;
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

static void row_at(const struct end *e, const struct st_copy_table *t, int at, struct st_copy_value *row)
{
    for (unsigned i = 0; i < t->count; i++) {
        const char *p = PQgetvalue(e->page, at, (int)i);
        int length = PQgetlength(e->page, at, (int)i);

        row[i] = (struct st_copy_value){.null = PQgetisnull(e->page, at, (int)i)};
        if (row[i].null)
            continue;
        if (t->columns[i].is_number)
            row[i].i = number_of(p, length);
        else
            row[i].s = th_span(p, (size_t)length);
    }
}

/** A cursor in a snapshot: the rows come by the page, in the order of the key. */
static enum th_error read_table(struct st_copy_end *base, const struct st_copy_table *t,
                                const struct st_copy_value *after)
{
    struct end *e = end_of(base);
    const char *values[4];
    int lengths[4], formats[4];
    int64_t numbers[4];
    char all[1600], keys[240], sql[3000], places[200] = "";
    size_t n = 0;
    PGresult *r;

    if (run(e, e->c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        return TH_RETRY;
    column_list(t, all, sizeof all);
    key_list(t, "", keys, sizeof keys);
    for (unsigned i = 0; i < t->key_count; i++) {
        const struct st_copy_column *c = &t->columns[t->keys[i]];

        n += (size_t)snprintf(places + n, sizeof places - n, "%s$%u::%s", i ? "," : "", i + 1,
                              c->is_number ? "int8"
                              : c->is_text ? "text"
                                           : "bytea");
        if (!after)
            continue;
        numbers[i] = (int64_t)htobe64((uint64_t)after[t->keys[i]].i);
        values[i] = c->is_number ? (const char *)&numbers[i] : after[t->keys[i]].s.p;
        lengths[i] = c->is_number ? 8 : (int)after[t->keys[i]].s.n;
        formats[i] = 1;
    }
    n = (size_t)snprintf(sql, sizeof sql, "DECLARE rows NO SCROLL CURSOR FOR SELECT %s FROM " S "%s", all,
                         t->name);
    if (after)
        n += (size_t)snprintf(sql + n, sizeof sql - n, " WHERE (%s)>(%s)", keys, places);
    snprintf(sql + n, sizeof sql - n, " ORDER BY %s", keys);
    r = ask(e, e->c, sql, after ? (int)t->key_count : 0, values, lengths, formats);
    PQclear(r);
    PQclear(e->page);
    e->page = NULL;
    e->table = t;
    e->at = 0;
    e->is_last = false;
    return r ? TH_OK : TH_RETRY;
}

static enum th_error next(struct st_copy_end *base, struct st_copy_value *row, bool *more)
{
    struct end *e = end_of(base);
    char sql[48];

    if (e->page && e->at == PQntuples(e->page) && !e->is_last) {
        PQclear(e->page);
        e->page = NULL;
    }
    if (!e->page) {
        snprintf(sql, sizeof sql, "FETCH %d FROM rows", FETCH);
        e->page = ask(e, e->c, sql, 0, NULL, NULL, NULL);
        if (!e->page)
            return TH_RETRY;
        e->is_last = PQntuples(e->page) < FETCH;
        e->at = 0;
    }
    *more = e->at < PQntuples(e->page);
    if (*more)
        row_at(e, e->table, e->at++, row);
    return TH_OK;
}

static void end_read(struct st_copy_end *base)
{
    struct end *e = end_of(base);

    PQclear(e->page);
    e->page = NULL;
    if (PQtransactionStatus(e->c) != PQTRANS_IDLE)
        (void)run(e, e->c, "ROLLBACK");
}

/** The row stays until the next read. */
static enum th_error last(struct st_copy_end *base, const struct st_copy_table *t, struct st_copy_value *row,
                          bool *found)
{
    struct end *e = end_of(base);
    char all[1600], keys[240], sql[2400];

    column_list(t, all, sizeof all);
    key_list(t, " DESC", keys, sizeof keys);
    snprintf(sql, sizeof sql, "SELECT %s FROM " S "%s ORDER BY %s LIMIT 1", all, t->name, keys);
    end_read(base);
    e->page = ask(e, e->c, sql, 0, NULL, NULL, NULL);
    *found = e->page && PQntuples(e->page);
    if (*found)
        row_at(e, t, 0, row);
    return e->page ? TH_OK : TH_RETRY;
}

/* ---- writing ---- */

/** Whether a copy was begun, and from where: "" if not. */
static enum th_error source_of(struct end *e, char *out, size_t size)
{
    PGresult *r = ask(e, e->c, "SELECT to_regclass('" S "migration') IS NOT NULL", 0, NULL, NULL, NULL);
    bool begun = r && PQgetvalue(r, 0, 0)[0];

    out[0] = '\0';
    PQclear(r);
    if (!r)
        return TH_RETRY;
    if (!begun)
        return TH_OK;
    r = ask(e, e->c, "SELECT source FROM " S "migration", 0, NULL, NULL, NULL);
    if (r && PQntuples(r))
        snprintf(out, size, "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    return r ? TH_OK : TH_RETRY;
}

static bool has_content(struct end *e)
{
    uint64_t tenants = 0, events = 0;
    struct st_copy_table t = {.name = "tenant"}, v = {.name = "event"};

    return count_rows(&e->base, &t, &tenants) || count_rows(&e->base, &v, &events) || tenants || events;
}

static enum th_error prepare(struct st_copy_end *base, const char *source, const struct st_copy_table *list,
                             unsigned count)
{
    struct end *e = end_of(base);
    const char *values[] = {source};
    char before[300], sql[200];
    PGresult *r;
    enum th_error error = source_of(e, before, sizeof before);

    if (error || strcmp(before, source) == 0)
        return error;
    if (before[0] || has_content(e)) {
        snprintf(e->why, sizeof e->why,
                 "the database %s has %s: take it away first (DROP SCHEMA " PG_SCHEMA
                 " CASCADE), or name another one",
                 e->address.shown,
                 before[0] ? "the beginning of a copy from another store" : "content already");
        return TH_CONFLICT;
    }
    error = run(e, e->c, "BEGIN");
    if (!error)
        error = run(e, e->c, "CREATE TABLE IF NOT EXISTS " S "migration(source text NOT NULL)");
    for (unsigned i = 0; !error && i < count; i++) { /* what a new store has */
        snprintf(sql, sizeof sql, "DELETE FROM " S "%s", list[i].name);
        error = run(e, e->c, sql);
    }
    if (error)
        return error;
    r = ask(e, e->c, "INSERT INTO " S "migration VALUES($1)", 1, values, NULL, NULL);
    PQclear(r);
    return r ? run(e, e->c, "COMMIT") : TH_RETRY;
}

static void put16(struct th_buf *b, uint16_t v)
{
    v = htobe16(v);
    th_buf_add(b, &v, sizeof v);
}

static void put32(struct th_buf *b, uint32_t v)
{
    v = htobe32(v);
    th_buf_add(b, &v, sizeof v);
}

static enum th_error begin(struct st_copy_end *base, const struct st_copy_table *t)
{
    static const char head[19] =
        "PGCOPY\n\377\r\n"; /* signature with its NUL, flags, length of an extension */
    struct end *e = end_of(base);

    e->to = t;
    th_buf_reset(&e->out);
    th_buf_add(&e->out, head, sizeof head);
    return TH_OK;
}

static bool is_by_day(const struct st_copy_table *t)
{
    return strcmp(t->name, "event") == 0 || strcmp(t->name, "delivery") == 0 ||
           strcmp(t->name, "attempt") == 0;
}

static enum th_error write_row(struct st_copy_end *base, const struct st_copy_value *row)
{
    struct end *e = end_of(base);
    const struct st_copy_table *t = e->to;

    if (is_by_day(t)) {
        uint64_t day = (uint64_t)row[t->keys[0]].i >> 40;

        if (!th_map_get(&e->days, day + 1) && pg_schema_add_day(&e->days_db, &e->days, day) != TH_OK)
            return failed(e, e->days_db.message);
    }
    put16(&e->out, (uint16_t)t->count);
    for (unsigned i = 0; i < t->count; i++) {
        const struct st_copy_column *c = &t->columns[i];
        uint64_t v8 = htobe64((uint64_t)row[i].i);

        if (row[i].null) {
            put32(&e->out, UINT32_MAX);
        } else if (c->is_number) {
            put32(&e->out, (uint32_t)c->width);
            th_buf_add(&e->out, (const char *)&v8 + 8 - c->width, (size_t)c->width);
        } else {
            put32(&e->out, (uint32_t)row[i].s.n);
            th_buf_span(&e->out, row[i].s);
        }
    }
    return e->out.failed ? TH_NOMEM : TH_OK;
}

/** What has gathered goes as one COPY, which is a transaction. */
static enum th_error commit(struct st_copy_end *base)
{
    struct end *e = end_of(base);
    char all[1600], sql[2000];
    PGresult *r;
    enum th_error error = TH_OK;

    put16(&e->out, UINT16_MAX);
    if (e->out.failed)
        return TH_NOMEM;
    column_list(e->to, all, sizeof all);
    snprintf(sql, sizeof sql, "COPY " S "%s(%s) FROM STDIN (FORMAT binary)", e->to->name, all);
    end_read(base);
    r = PQexec(e->c, sql);
    if (PQresultStatus(r) != PGRES_COPY_IN)
        error = failed(e, PQresultErrorMessage(r));
    PQclear(r);
    if (error)
        return error;
    if (PQputCopyData(e->c, e->out.p, (int)e->out.n) != 1 || PQputCopyEnd(e->c, NULL) != 1)
        error = failed(e, PQerrorMessage(e->c));
    while ((r = PQgetResult(e->c))) {
        if (PQresultStatus(r) != PGRES_COMMAND_OK && !error)
            error = failed(e, PQresultErrorMessage(r));
        PQclear(r);
    }
    return error;
}

static enum th_error finish(struct st_copy_end *base)
{
    struct end *e = end_of(base);
    enum th_error error = run(e, e->held, "SELECT 1"); /* nobody could begin to work on it meanwhile */

    if (!error)
        error = run(e, e->c, "DROP TABLE " S "migration");
    if (!error)
        error = run(e, e->c, "ANALYZE");
    return error;
}

/* ---- life ---- */

static const char *why_of(struct st_copy_end *base)
{
    return end_of(base)->why;
}

static void close_end(struct st_copy_end *base)
{
    struct end *e = end_of(base);

    PQclear(e->page);
    PQfinish(e->c);
    PQfinish(e->held);
    pg_db_fini(&e->days_db);
    th_map_fini(&e->days);
    th_buf_fini(&e->out);
    th_free(e);
}

static const struct st_copy_vt copy_vt = {tables, count_rows, read_table, next,   end_read, last,     prepare,
                                          begin,  write_row,  commit,     finish, why_of,   close_end};

static PGconn *connect_to(struct end *e)
{
    PGconn *c = pg_address_connect(&e->address);

    if (PQstatus(c) == CONNECTION_OK && run(e, c, "SET client_min_messages TO error") == TH_OK)
        return c;
    if (PQstatus(c) != CONNECTION_OK)
        (void)failed(e, PQerrorMessage(c));
    PQfinish(c);
    return NULL;
}

/** In a transaction of `held`, until it ends. */
static enum th_error hold(struct end *e)
{
    PGresult *r = NULL;
    enum th_error error;

    if (run(e, e->held, "BEGIN") || run(e, e->held, "SET LOCAL lock_timeout TO '5s'") ||
        run(e, e->held, "SET LOCAL idle_in_transaction_session_timeout TO 0") ||
        run(e, e->held, "SELECT 1 FROM " S "slot FOR UPDATE"))
        return TH_RETRY;
    r = ask(e, e->held,
            "SELECT 'node ' || id || ' at ' || addr || ', for ' || ceil(extract(epoch FROM until - "
            "clock_timestamp())) ||"
            " ' s more unless it is stopped' FROM " S
            "node WHERE until > clock_timestamp() ORDER BY id LIMIT 1",
            0, NULL, NULL, NULL);
    if (!r)
        return TH_RETRY;
    error = PQntuples(r) ? TH_CONFLICT : TH_OK;
    if (error)
        snprintf(e->why, sizeof e->why, "a server uses the database %s: %s. Stop all of its nodes first",
                 e->address.shown, PQgetvalue(r, 0, 0));
    PQclear(r);
    return error;
}

static enum th_error open_end(struct end *e, const char *url, const char *password, bool to_write)
{
    enum th_error error = pg_address_read(&e->address, url, password, false, e->why, sizeof e->why);

    if (!error && !(e->c = connect_to(e)))
        error = TH_RETRY;
    if (!error && !to_write) {
        PGresult *r = ask(
            e, e->c, "SELECT to_regclass('" S "form') IS NOT NULL AND to_regclass('" S "migration') IS NULL",
            0, NULL, NULL, NULL);
        bool whole = r && PQgetvalue(r, 0, 0)[0];

        PQclear(r);
        if (r && !whole) {
            snprintf(e->why, sizeof e->why, "the database %s has no store, or only the beginning of a copy",
                     e->address.shown);
            error = TH_NOT_FOUND;
        }
    }
    if (!error)
        error = pg_schema_raise(&e->address, e->why, sizeof e->why);
    if (!error && !(e->held = connect_to(e)))
        error = TH_RETRY;
    if (!error)
        error = hold(e);
    if (!error && to_write) {
        error = pg_db_connect(&e->days_db);
        if (!error)
            error = pg_schema_days(&e->days_db, &e->days);
        if (error)
            (void)failed(e, e->days_db.message);
    }
    return error;
}

enum th_error th_postgres_copy_open(const char *url, const char *password, bool to_write,
                                    struct st_copy_end **out, char *why, size_t why_size)
{
    struct end *e = th_calloc(1, sizeof *e);
    enum th_error error;

    *out = NULL;
    if (!e)
        return TH_NOMEM;
    e->base.vt = &copy_vt;

    pg_db_init(&e->days_db, &e->address, 60000);
    th_map_init(&e->days, 100000, 0x9e3779b97f4a7c15u);
    th_buf_init(&e->out, (size_t)1 << 30);
    error = open_end(e, url, password, to_write);
    if (error) {
        snprintf(why, why_size, "%s", e->why);
        close_end(&e->base);
        return error;
    }
    *out = &e->base;
    return TH_OK;
}
