/* The inbox of a database: the tables that packaging/sql/inbox.sql makes, read and emptied.
 *
 * Plain libpq, one question at a time, each with a time within which it has to be answered: a server that hangs must not keep the
 * thread for ever. What is asked depends on no state of a session but LISTEN, which may be lost: then the poll finds the event.
 *
 * Rows are claimed by nobody. A row that is taken is deleted, in our own database by the transaction that stores the event, and an
 * event that is stored twice has the same id and is refused the second time. So any number of nodes may drain one inbox, and a death
 * at any line leaves the row where it was, or nothing.
 *
 * Fairness: a batch has the same share for each tenant with something waiting, found by steps through the index over (tenant, no);
 * where there are more tenants than a batch has places, the next batch begins behind the last of this one. */
#include "store/postgres/postgres_inbox.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "store/postgres/postgres_address.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define S PG_SCHEMA "."
#define MS(time) "(extract(epoch FROM " time ") * 1000)::int8"
#define ANSWER_MS 10000
#define BATCH_BYTES ((uint64_t)4 << 20)

struct th_inbox_db {
    struct pg_address address;
    char *url;
    PGconn *c;
    bool checked; /* the tables are there, and this role may use them */
    int wake;
    char behind[132]; /* the last tenant of the batch before; "": from the beginning */
    char why[300];
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct th_inbox_db *db, const char *text)
{
    snprintf(db->why, sizeof db->why, "%s", text && *text ? text : "the connection ended");
    db->why[strcspn(db->why, "\n")] = '\0';
}

static void lose(struct th_inbox_db *db)
{
    PQfinish(db->c);
    db->c = NULL;
    db->checked = false;
}

/* ---- questions ---- */

/** Waits for the answer of what was sent. NULL: there is none, and the connection is gone. */
static PGresult *await(struct th_inbox_db *db)
{
    int64_t until = now_ms() + ANSWER_MS, left;
    PGresult *last = NULL, *r;

    for (;;) {
        struct pollfd p = {.fd = PQsocket(db->c), .events = POLLIN};
        int unsent = PQflush(db->c);

        if (unsent < 0)
            return last;
        if (unsent)
            p.events |= POLLOUT;
        while (!PQisBusy(db->c)) {
            r = PQgetResult(db->c);
            if (!r)
                return last;
            PQclear(last);
            last = r;
        }
        left = until - now_ms();
        if (left <= 0) {
            PQclear(last);
            return NULL;
        }
        if (poll(&p, 1, (int)left) > 0 && (p.revents & (POLLIN | POLLERR | POLLHUP)) &&
            PQconsumeInput(db->c) != 1)
            return last;
    }
}

/** NULL: it failed, and db->why says why; *error: TH_RETRY, TH_NOT_FOUND (a table is missing), TH_DENIED. */
static PGresult *ask(struct th_inbox_db *db, enum th_error *error, const char *sql, int count,
                     const char *const *values)
{
    PGresult *r = NULL;
    const char *state;

    *error = TH_RETRY;
    if (!db->c)
        return NULL;
    if (PQsendQueryParams(db->c, sql, count, NULL, values, NULL, NULL, 0) == 1)
        r = await(db);
    if (r && (PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK)) {
        *error = TH_OK;
        return r;
    }
    state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    say(db, r                                   ? PQresultErrorMessage(r)
            : PQstatus(db->c) == CONNECTION_BAD ? PQerrorMessage(db->c)
                                                : "the database has not answered in time");
    if (state && (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0))
        *error = TH_NOT_FOUND;
    else if (state && strcmp(state, "42501") == 0)
        *error = TH_DENIED;
    if (*error != TH_RETRY)
        db->checked = false;
    if (!r || PQstatus(db->c) == CONNECTION_BAD || (state && strcmp(state, "25006") == 0))
        lose(db);
    PQclear(r);
    return NULL;
}

static enum th_error run(struct th_inbox_db *db, const char *sql, int count, const char *const *values,
                         uint64_t *changed)
{
    enum th_error error;
    PGresult *r = ask(db, &error, sql, count, values);

    if (r && changed)
        *changed = strtoull(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return error;
}

static uint64_t number(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? 0 : strtoull(PQgetvalue(r, row, column), NULL, 10);
}

static struct th_span text(const PGresult *r, int row, int column)
{
    return th_span(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* ---- life ---- */

enum th_error th_inbox_db_new(const char *url, const char *password, struct th_inbox_db **out, char *why,
                              size_t why_size)
{
    struct th_inbox_db *db = th_calloc(1, sizeof *db);
    enum th_error error = TH_NOMEM;

    *out = NULL;
    if (!db)
        return TH_NOMEM;
    db->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    db->url = th_malloc(strlen(url) + 1);
    if (db->url && db->wake >= 0) {
        memcpy(db->url, url, strlen(url) + 1);
        error = pg_address_read(&db->address, db->url, password, false, why, why_size);
    }
    if (error) {
        th_inbox_db_free(db);
        return error;
    }
    *out = db;
    return TH_OK;
}

void th_inbox_db_free(struct th_inbox_db *db)
{
    if (!db)
        return;
    PQfinish(db->c);
    if (db->wake >= 0)
        close(db->wake);
    th_free(db->url);
    th_free(db);
}

const char *th_inbox_db_name(const struct th_inbox_db *db)
{
    return db->address.shown;
}

const char *th_inbox_db_why(const struct th_inbox_db *db)
{
    return db->why;
}

static void no_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

/** Whether the tables are there and may be used. What the store's own writer does with a row needs the right, too: without it, it
 * could commit nothing. */
static enum th_error check(struct th_inbox_db *db)
{
    enum th_error error;
    bool may;
    PGresult *r =
        ask(db, &error,
            "SELECT bool_and(has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT') AND"
            " has_table_privilege(t, 'DELETE')), count(*) FROM (SELECT c.oid t FROM pg_class c JOIN "
            "pg_namespace n"
            " ON n.oid=c.relnamespace WHERE n.nspname='" PG_SCHEMA
            "' AND c.relname IN ('inbox','inbox_rejected'))"
            " x",
            0, NULL);

    if (!r)
        return error;
    may = PQgetvalue(r, 0, 0)[0] == 't';
    error = number(r, 0, 1) < 2 ? TH_NOT_FOUND : may ? TH_OK : TH_DENIED;
    PQclear(r);
    if (error == TH_NOT_FOUND)
        say(db, "it has no inbox: run there what `tenterhook sql` prints");
    if (error == TH_DENIED)
        say(db, "this role may not use the inbox: see what `tenterhook sql` prints, point 2");
    return error;
}

enum th_error th_inbox_db_open(struct th_inbox_db *db)
{
    enum th_error error;

    if (db->c && db->checked)
        return TH_OK;
    if (!db->c) {
        db->c = pg_address_connect(&db->address);
        if (PQstatus(db->c) != CONNECTION_OK || PQsetClientEncoding(db->c, "UTF8") != 0 ||
            PQsetnonblocking(db->c, 1) != 0) {
            say(db, db->c ? PQerrorMessage(db->c) : "no memory");
            lose(db);
            return TH_RETRY;
        }
        PQsetNoticeReceiver(db->c, no_notice, NULL);
    }
    error = check(db);
    if (error)
        return error;
    (void)run(db, "LISTEN tenterhook_inbox", 0, NULL,
              NULL); /* where a pooler refuses it, the poll is enough */
    if (!db->c)
        return TH_RETRY;
    db->why[0] = '\0';
    db->checked = true;
    return TH_OK;
}

/* ---- a batch ---- */

/* The tenants behind $1 that have something, and of each the same number of rows; the first of each before the second of any. */
static const char choose_sql[] =
    "WITH RECURSIVE t(tenant) AS ((SELECT i.tenant FROM " S
    "inbox i WHERE i.tenant > $1 ORDER BY i.tenant LIMIT 1)"
    " UNION ALL SELECT (SELECT i.tenant FROM " S
    "inbox i WHERE i.tenant > t.tenant ORDER BY i.tenant LIMIT 1) FROM t"
    " WHERE t.tenant IS NOT NULL),"
    " few AS (SELECT tenant FROM t WHERE tenant IS NOT NULL LIMIT $2::int),"
    " wanted AS (SELECT tenant FROM few WHERE tenant <> ALL($3::text[]))"
    " SELECT r.no, r.bytes, (SELECT max(tenant) FROM few), (SELECT count(*) FROM few) FROM wanted w CROSS "
    "JOIN LATERAL"
    " (SELECT i.no, i.bytes, row_number() OVER () AS nth FROM (SELECT no, bytes FROM " S
    "inbox WHERE tenant=w.tenant ORDER BY no"
    " LIMIT greatest(1, $2::int / greatest(1, (SELECT count(*) FROM wanted)))) i) r ORDER BY r.nth, r.no "
    "LIMIT $2::int";

/** Appends the numbers of a batch; those whose data is too large go to rows. */
static void choose(const PGresult *r, uint64_t max_bytes, struct th_buf *nos, struct th_inbox_row *rows,
                   unsigned *count)
{
    uint64_t sum = 0;
    unsigned chosen = 0;

    *count = 0;
    for (int i = 0; i < PQntuples(r) && *count < TH_INBOX_BATCH; i++) {
        uint64_t no = number(r, i, 0), bytes = number(r, i, 1);

        if (bytes > max_bytes) {
            rows[(*count)++] = (struct th_inbox_row){.no = no, .bytes = bytes, .too_large = true};
            continue;
        }
        if (chosen && sum + bytes > BATCH_BYTES)
            break;
        sum += bytes;
        th_buf_printf(nos, "%s%" PRIu64, chosen ? "," : "", no);
        chosen++;
    }
}

/** The next batch begins behind the last tenant of this one, or with the first. */
static void note_place(struct th_inbox_db *db, const PGresult *r)
{
    bool full = PQntuples(r) && number(r, 0, 3) >= TH_INBOX_BATCH;

    snprintf(db->behind, sizeof db->behind, "%s", full ? PQgetvalue(r, 0, 2) : "");
}

static enum th_error read_rows(struct th_inbox_db *db, const char *nos, struct th_arena *mem,
                               struct th_inbox_row *rows, unsigned *count)
{
    const char *values[] = {nos};
    enum th_error error;
    PGresult *r = ask(db, &error,
                      "SELECT no, bytes, tenant, type, data, id, options, " MS(
                          "at") " FROM " S "inbox WHERE no = ANY($1::int8[]) ORDER BY no",
                      1, values);

    for (int i = 0; r && !error && i < PQntuples(r) && *count < TH_INBOX_BATCH; i++) {
        struct th_inbox_row *row = &rows[*count];

        *row = (struct th_inbox_row){
            .no = number(r, i, 0), .bytes = number(r, i, 1), .at_ms = (int64_t)number(r, i, 7)};
        if (!th_arena_copy(mem, text(r, i, 2), &row->tenant) ||
            !th_arena_copy(mem, text(r, i, 3), &row->type) ||
            !th_arena_copy(mem, text(r, i, 4), &row->data) || !th_arena_copy(mem, text(r, i, 5), &row->id) ||
            !th_arena_copy(mem, text(r, i, 6), &row->options))
            error = TH_NOMEM;
        *count += 1;
    }
    PQclear(r);
    return error;
}

enum th_error th_inbox_db_fetch(struct th_inbox_db *db, uint64_t max_bytes, const char *resting,
                                struct th_arena *mem, struct th_inbox_row *rows, unsigned *count)
{
    char most[16];
    const char *values[] = {db->behind, most, resting};
    enum th_error error;
    struct th_buf nos;
    PGresult *r;

    *count = 0;
    snprintf(most, sizeof most, "%d", TH_INBOX_BATCH);
    r = ask(db, &error, choose_sql, 3, values);
    if (r && !PQntuples(r) && db->behind[0]) { /* those behind have nothing: the others */
        PQclear(r);
        db->behind[0] = '\0';
        r = ask(db, &error, choose_sql, 3, values);
    }
    if (!r)
        return error;
    th_buf_init(&nos, 65536);
    th_buf_char(&nos, '{');
    choose(r, max_bytes, &nos, rows, count);
    th_buf_char(&nos, '}');
    note_place(db, r);
    PQclear(r);
    if (nos.failed)
        error = TH_NOMEM;
    else if (nos.n > 2)
        error = read_rows(db, th_buf_cstr(&nos), mem, rows, count);
    th_buf_fini(&nos);
    return error;
}

enum th_error th_inbox_db_taken(struct th_inbox_db *db, const uint64_t *nos, unsigned count)
{
    struct th_buf list;
    const char *values[1];
    enum th_error error = TH_NOMEM;

    if (!count)
        return TH_OK;
    th_buf_init(&list, 65536);
    for (unsigned i = 0; i < count; i++)
        th_buf_printf(&list, "%s%" PRIu64, i ? "," : "{", nos[i]);
    th_buf_char(&list, '}');
    if (!list.failed) {
        values[0] = th_buf_cstr(&list);
        error = run(db, "DELETE FROM " S "inbox WHERE no = ANY($1::int8[])", 1, values, NULL);
    }
    th_buf_fini(&list);
    return error;
}

enum th_error th_inbox_db_reject(struct th_inbox_db *db, uint64_t no, const char *reason)
{
    char id[24];
    const char *values[] = {id, reason};

    snprintf(id, sizeof id, "%" PRIu64, no);
    return run(db,
               "WITH r AS (DELETE FROM " S "inbox WHERE no=$1::int8 RETURNING *) INSERT INTO " S
               "inbox_rejected(no,tenant,type,data,id,options,bytes,at,reason)"
               " SELECT no,tenant,type,data,id,options,bytes,at,$2 FROM r",
               2, values, NULL);
}

/* ---- looking at it ---- */

enum th_error th_inbox_db_state(struct th_inbox_db *db, struct th_inbox_state *out)
{
    char most[16];
    const char *values[] = {most};
    enum th_error error;
    PGresult *r;

    snprintf(most, sizeof most, "%d", TH_INBOX_COUNTED);
    r = ask(db, &error,
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM " S "inbox LIMIT $1::int) a),"
            " (SELECT " MS("at") " FROM " S "inbox ORDER BY no LIMIT 1),"
                                 " (SELECT count(*) FROM (SELECT 1 FROM " S
                                 "inbox_rejected LIMIT $1::int) b)",
            1, values);
    if (r) {
        out->waiting = number(r, 0, 0);
        out->oldest = (int64_t)number(r, 0, 1);
        out->rejected = number(r, 0, 2);
    }
    PQclear(r);
    return error;
}

enum th_error th_inbox_db_rejected(struct th_inbox_db *db, uint64_t after, unsigned limit,
                                   void (*each)(void *ctx, const struct th_inbox_rejected *), void *ctx)
{
    char from[24], most[16];
    const char *values[] = {from, most};
    enum th_error error;
    PGresult *r;

    snprintf(from, sizeof from, "%" PRIu64, after);
    snprintf(most, sizeof most, "%u", limit);
    r = ask(db, &error,
            "SELECT no, bytes, " MS("at") ", " MS(
                "rejected_at") ", tenant, type, id, reason, options FROM " S
                               "inbox_rejected WHERE no > $1::int8 ORDER BY no LIMIT $2::int",
            2, values);
    for (int i = 0; r && i < PQntuples(r); i++)
        each(ctx, &(struct th_inbox_rejected){.no = number(r, i, 0),
                                              .bytes = number(r, i, 1),
                                              .published = (int64_t)number(r, i, 2),
                                              .rejected = (int64_t)number(r, i, 3),
                                              .tenant = text(r, i, 4),
                                              .type = text(r, i, 5),
                                              .id = text(r, i, 6),
                                              .reason = text(r, i, 7),
                                              .options = text(r, i, 8)});
    PQclear(r);
    return error;
}

static enum th_error one(struct th_inbox_db *db, const char *sql, uint64_t no)
{
    char id[24];
    const char *values[] = {id};
    uint64_t changed = 0;
    enum th_error error;

    snprintf(id, sizeof id, "%" PRIu64, no);
    error = run(db, sql, 1, values, &changed);
    return error ? error : changed ? TH_OK : TH_NOT_FOUND;
}

enum th_error th_inbox_db_retry(struct th_inbox_db *db, uint64_t no)
{
    return one(
        db,
        "WITH r AS (DELETE FROM " S "inbox_rejected WHERE no=$1::int8 RETURNING *) INSERT INTO " S
        "inbox(tenant,type,data,id,options,bytes,at) SELECT tenant,type,data,id,options,bytes,at FROM r",
        no);
}

enum th_error th_inbox_db_drop(struct th_inbox_db *db, uint64_t no)
{
    return one(db, "DELETE FROM " S "inbox_rejected WHERE no=$1::int8", no);
}

/* ---- waiting ---- */

/** Whether somebody has said that there is more. */
static bool was_told(struct th_inbox_db *db)
{
    PGnotify *n;
    bool told = false;

    while (db->c && (n = PQnotifies(db->c))) {
        PQfreemem(n);
        told = true;
    }
    return told;
}

void th_inbox_db_wait(struct th_inbox_db *db, unsigned ms)
{
    int64_t until = now_ms() + ms, left;

    while (!was_told(db) && (left = until - now_ms()) > 0) {
        struct pollfd p[] = {{.fd = db->wake, .events = POLLIN},
                             {.fd = db->c ? PQsocket(db->c) : -1, .events = POLLIN}};

        if (poll(p, 2, (int)left) <= 0 || p[0].revents)
            return;
        if (p[1].revents && PQconsumeInput(db->c) != 1) {
            say(db, PQerrorMessage(db->c));
            lose(db);
            return;
        }
    }
}

void th_inbox_db_wake(struct th_inbox_db *db)
{
    uint64_t n = 1;

    if (write(db->wake, &n, sizeof n) < 0)
        return; /* it is full: it has been woken */
}
