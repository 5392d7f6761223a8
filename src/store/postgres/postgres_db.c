/* libpq behind the statements of the stores.
 *
 * Why not a round trip for each: a commit of hundreds of accepts and settles is to cost the server a handful of statements and
 * the network one wait. So, inside a transaction of the writer,
 *
 * - a write whose result nobody reads is not sent but kept as a row of its statement; all rows of a statement go as one command
 *   over arrays. They go before anything that could see them is sent, and before a second write of a row that waits already, so
 *   nobody can tell that they waited;
 * - a read that was announced (st_expect) is asked for together with all others of its statement, and answered from there until
 *   this transaction has written to its row;
 * - everything else is sent and waited for.
 *
 * The SQL is that of store_statements.def: `?N` becomes `$n`, tables get their schema (no search_path is relied on, since behind a
 * pooler every transaction may be on another connection), and the forms over arrays are made from the same text.
 *
 * Integers are 64 bits wide and texts are bytes, in the binary format: no value is converted, and none can be refused for its
 * encoding. Results say how wide an integer is.
 *
 * Invariants: (1) results are read in the order in which commands were sent, and `pending` counts those that are left; (2) after a
 * failure nothing more of the transaction is sent, and COMMIT never is; (3) a connection that did not answer is never used again. */
#include "store/postgres/postgres_db.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RC 1000 /* + enum th_error: what a step returns when it fails */
#define OID_INT8 20
#define OID_INT8_ARRAY 1016
#define OID_BYTEA 17
#define OID_BYTEA_ARRAY 1001
#define TOUCHED_MAX (1u << 20)
#define SEED 0x9e3779b97f4a7c15u
#define CHUNK 1000        /* rows of a scan that are fetched at once */
#define WAITING_MAX 20000 /* rows of one statement, before they are sent */
#define WAITING_BYTES ((size_t)32 << 20)

struct array {
    bool bytes; /* bytea, else int8 */
    struct th_buf elements;
};

struct pg_stmt {
    struct st_stmt base;
    char *sql;                     /* as the server takes it */
    uint8_t count, map[ST_PARAMS]; /* parameters of `sql`: which of the statement's each is */
    enum { READS, WRITES, WRITES_IN_BULK, SCANS_UP, SCANS_DOWN, BEGINS, COMMITS } kind;
    uint8_t keys;     /* in bulk and expected: that many of its first parameters name the row */
    uint64_t table;   /* hash of the table's name */
    const char *from; /* the caller's text */
    unsigned generation, number;
    /* the row at hand */
    PGresult *result;
    bool owned; /* the result is this statement's own */
    int row, first_column;
    bool more; /* of a scan: the chunk was full */
    /* over arrays */
    char *bulk_sql;
    unsigned bulk_generation, bulk_number;
    struct array columns[ST_PARAMS];
    uint32_t rows;
    bool is_waiting;
    struct pg_stmt *next_waiting, *next_expected;
    PGresult *answers; /* to what was expected */
    struct th_buf expected_keys;
};

static struct pg_db *db_of(const struct st_stmt *st)
{
    return (struct pg_db *)st->db;
}

/* ---- what went wrong ---- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void keep_message(struct pg_db *db, const char *text)
{
    size_t n;

    snprintf(db->message, sizeof db->message, "%s", text && *text ? text : "the connection ended");
    n = strcspn(db->message, "\n");
    db->message[n] = '\0';
}

static void lose(struct pg_db *db, const char *text)
{
    if (!db->lost)
        keep_message(db, text);
    db->lost = true;
    if (!db->failed)
        db->failed = TH_RETRY;
}

static enum th_error error_of_state(struct pg_db *db, const char *state)
{
    if (!state)
        return TH_RETRY;
    if (strcmp(state, "TH001") == 0) {
        db->fenced = true;
        return TH_RETRY;
    }
    if (strcmp(state, "53100") == 0)
        return TH_FULL;
    if (strncmp(state, "XX001", 5) == 0 || strncmp(state, "XX002", 5) == 0)
        return TH_CORRUPT;
    if (strncmp(state, "54", 2) == 0)
        return TH_TOO_LARGE;
    if (strcmp(state, "25006") == 0) /* a standby: another connection finds the one that takes writes */
        db->lost = true;
    if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0)
        db->lost = true;
    if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || strncmp(state, "42", 2) == 0)
        return strcmp(state, "42501") == 0 ? TH_RETRY : TH_BUG;
    return TH_RETRY; /* no memory, too many connections, serialization, deadlock, a timeout: nothing happened */
}

/** An error that ends the session says nothing about the transaction: one that stops the server may come when COMMIT has been executed, and
 * even in place of its result. */
static bool is_refusal(const PGresult *r)
{
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity && strcmp(severity, "ERROR") == 0;
}

static void fail(struct pg_db *db, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    if (db->failed)
        return;
    keep_message(db, PQresultErrorMessage(r));
    db->failed = error_of_state(db, state);
    db->refused = is_refusal(r);
    if (PQstatus(db->conn) == CONNECTION_BAD)
        db->lost = true;
}

static int failed_rc(const struct pg_db *db)
{
    return RC + (int)(db->failed ? db->failed : TH_RETRY);
}

/* ---- waiting ---- */

/** Until a result can be read without waiting. False: the connection is lost. */
static bool ready(struct pg_db *db)
{
    int64_t until = now_ms() + db->timeout_ms;

    while (PQisBusy(db->conn)) {
        struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};
        int64_t left = until - now_ms();

        if (left <= 0) {
            lose(db, "the database has not answered in time");
            return false;
        }
        if (poll(&p, 1, (int)left) > 0 && PQconsumeInput(db->conn) != 1) {
            lose(db, PQerrorMessage(db->conn));
            return false;
        }
    }
    return true;
}

/** Reads the results of the oldest command that is left; gives the last of them, or NULL. */
static PGresult *read_one(struct pg_db *db)
{
    PGresult *last = NULL, *r;

    TH_CHECK(db->pending);
    db->pending--;
    while (!db->lost && ready(db) && (r = PQgetResult(db->conn))) {
        ExecStatusType status = PQresultStatus(r);

        PQclear(last);
        last = r;
        if (status == PGRES_PIPELINE_SYNC)
            break;
        if (status == PGRES_FATAL_ERROR)
            fail(db, r);
        if (PQstatus(db->conn) == CONNECTION_BAD) {
            db->lost = true;
            break;
        }
    }
    if (!last && !db->lost)
        lose(db, "the database gave no result");
    return last;
}

static void sent(struct pg_db *db, int ok)
{
    if (ok != 1) {
        lose(db, PQerrorMessage(db->conn));
        return;
    }
    db->pending++;
    db->sent++;
}

/** Waits for all that was sent; gives the result of the last command. */
static PGresult *read_all(struct pg_db *db)
{
    PGresult *r = NULL;

    db->round_trips++;
    while (db->pending && !db->lost) {
        PQclear(r);
        r = read_one(db);
    }
    db->pending = db->lost ? 0 : db->pending;
    return r;
}

static PGresult *finish(struct pg_db *db)
{
    PGresult *r;

    if (!db->lost && (db->in_transaction ? PQsendFlushRequest(db->conn) != 1 : PQpipelineSync(db->conn) != 1))
        lose(db, PQerrorMessage(db->conn));
    if (!db->in_transaction && !db->lost) {
        unsigned before = db->pending;

        /* the sync has a result of its own, behind that of the command */
        r = NULL;
        db->round_trips++;
        while (before-- && !db->lost) {
            PQclear(r);
            r = read_one(db);
        }
        if (!db->lost) {
            db->pending++;
            PQclear(read_one(db));
        }
        return r;
    }
    if (!db->lost && PQflush(db->conn) < 0)
        lose(db, PQerrorMessage(db->conn));
    return read_all(db);
}

/* ---- texts ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

/** Where a text says this outside of parentheses; NULL: nowhere. */
static const char *outside(const char *sql, const char *what)
{
    int depth = 0;

    for (const char *p = sql; *p; p++) {
        depth += (*p == '(') - (*p == ')');
        if (!depth && strncmp(p, what, strlen(what)) == 0)
            return p;
    }
    return NULL;
}

static bool names_table(const char *p)
{
    return *p >= 'a' && *p <= 'z';
}

/** Writes the text with its tables in their schema, and ?N as `value` says. */
static void translate(struct th_buf *out, const char *sql, void (*value)(struct th_buf *, unsigned, void *),
                      void *ctx)
{
    static const char *const before[] = {"FROM ", "JOIN ", "INTO ", "UPDATE "};
    bool quoted = false;

    for (const char *p = sql; *p;) {
        bool done = false;

        if (*p == '\'')
            quoted = !quoted;
        for (size_t i = 0; !quoted && !done && i < sizeof before / sizeof *before; i++)
            if ((p == sql || !is_word(p[-1])) && strncmp(p, before[i], strlen(before[i])) == 0 &&
                names_table(p + strlen(before[i]))) {
                th_buf_str(out, before[i]);
                th_buf_str(out, PG_SCHEMA ".");
                p += strlen(before[i]);
                done = true;
            }
        if (done)
            continue;
        if (*p == '?' && !quoted) {
            value(out, (unsigned)strtoul(p + 1, (char **)&p, 10), ctx);
            continue;
        }
        th_buf_char(out, *p++);
    }
}

static void plain_value(struct th_buf *out, unsigned number, void *ctx)
{
    struct pg_stmt *st = ctx;
    unsigned i = 0;

    while (i < st->count && st->map[i] != number - 1)
        i++;
    if (i == st->count)
        st->map[st->count++] = (uint8_t)(number - 1);
    th_buf_printf(out, "$%u", i + 1);
}

static void row_value(struct th_buf *out, unsigned number, void *ctx)
{
    (void)ctx;
    th_buf_printf(out, "u._p%u", number);
}

/* `unnest($1::int8[], $2::bytea[]) WITH ORDINALITY u(_p1,_p2,_o)` of the statement's parameters */
static void rows_of(struct th_buf *out, const struct pg_stmt *st, bool ordered)
{
    th_buf_str(out, "unnest(");
    for (int i = 0; i < st->base.highest; i++)
        th_buf_printf(out, "%s$%d::%s[]", i ? "," : "", i + 1, st->columns[i].bytes ? "bytea" : "int8");
    th_buf_str(out, ordered ? ") WITH ORDINALITY u(" : ") u(");
    for (int i = 0; i < st->base.highest; i++)
        th_buf_printf(out, "%s_p%d", i ? "," : "", i + 1);
    th_buf_str(out, ordered ? ",_o)" : ")");
}

/** The same statement for many rows at once. */
static void make_bulk(struct th_buf *out, const struct pg_stmt *st)
{
    const char *sql = st->from, *values = strstr(sql, " VALUES("), *where = outside(sql, " WHERE "), *end;
    char head[1200];

    if (strncmp(sql, "SELECT ", 7) == 0) {
        TH_CHECK(where);
        if (st->keys == 1) { /* a list is sought in the index whatever the planner thinks of a join */
            TH_CHECK(strcmp(where, " WHERE no=?1") == 0);
            snprintf(head, sizeof head, "SELECT no AS _o,%.*s WHERE no=ANY($1::int8[])",
                     (int)(where - sql - 7), sql + 7);
            translate(out, head, row_value, NULL);
            return;
        }
        snprintf(head, sizeof head, "SELECT u._o,%.*s", (int)(where - sql - 7), sql + 7);
        translate(out, head, row_value, NULL);
        th_buf_str(out, ",");
        rows_of(out, st, true);
        translate(out, where, row_value, NULL);
        return;
    }
    if (values) {
        end = strchr(values, ')');
        TH_CHECK(end);
        snprintf(head, sizeof head, "%.*s", (int)(values - sql), sql);
        translate(out, head, row_value, NULL);
        snprintf(head, sizeof head, " SELECT %.*s FROM ", (int)(end - values - 8), values + 8);
        translate(out, head, row_value, NULL);
        rows_of(out, st, false);
        translate(out, end + 1, row_value, NULL);
        return;
    }
    TH_CHECK(where);
    snprintf(head, sizeof head, "%.*s", (int)(where - sql), sql);
    translate(out, head, row_value, NULL);
    if (strncmp(sql, "DELETE ", 7) == 0) {
        TH_CHECK(strcmp(where, " WHERE no=?1") == 0);
        th_buf_str(out, " WHERE no=ANY($1::int8[])");
        return;
    }
    th_buf_str(out, " FROM ");
    rows_of(out, st, false);
    translate(out, where, row_value, NULL);
}

static char *text_of(struct th_buf *b)
{
    char *text = b->failed ? NULL : th_malloc(b->n + 1);

    if (text) {
        memcpy(text, b->p, b->n);
        text[b->n] = '\0';
    }
    th_buf_fini(b);
    return text;
}

/* The tables that the hot path writes by row, and how many of a statement's first values name one. */
static const struct {
    const char *table;
    uint8_t keys;
} rows_by_key[] = {{"event", 1}, {"queue", 1}, {"delivery", 1}, {"attempt", 1}, {"own", 2},
                   {"idem", 3},  {"run", 3},   {"usage", 1},    {"inbox", 1},   {"roll", 4}};

/** What a statement does to one table: reads a row, scans it in order, writes a row, or something else. */
static void classify(struct pg_stmt *st)
{
    const char *p = st->from, *where = outside(p, " WHERE "), *table = p;
    bool reads = false, by_row = where && strcmp(where, " WHERE no=?1") == 0;
    size_t n = 0;

    if (strncmp(p, "BEGIN", 5) == 0 || strcmp(p, "COMMIT") == 0) {
        st->kind = *p == 'B' ? BEGINS : COMMITS;
        return;
    }
    if (strncmp(p, "SELECT ", 7) == 0) {
        reads = true;
        st->kind = strstr(p, "WHERE no<?1 AND no>=?2 ORDER BY no DESC")           ? SCANS_DOWN
                   : strstr(p, "WHERE no>=?1 ORDER BY no") && !strstr(p, "LIMIT") ? SCANS_UP
                                                                                  : READS;
        table = outside(p, " FROM ");
        table = table ? table + 6 : "";
    } else if (strncmp(p, "INSERT INTO ", 12) == 0) {
        by_row = true;
        table = p + 12;
    } else if (strncmp(p, "UPDATE ", 7) == 0) {
        table = p + 7;
    } else if (strncmp(p, "DELETE FROM ", 12) == 0) {
        table = p + 12;
    }
    if (!reads)
        st->kind = WRITES;
    while (is_word(table[n]))
        n++;
    for (size_t i = 0; i < sizeof rows_by_key / sizeof *rows_by_key; i++)
        if (strlen(rows_by_key[i].table) == n && strncmp(table, rows_by_key[i].table, n) == 0) {
            st->table = th_hash((struct th_span){table, n}, SEED);
            st->keys = rows_by_key[i].keys;
            if (!reads && by_row)
                st->kind = WRITES_IN_BULK;
        }
}

/* ---- values ---- */

static int64_t big_endian(int64_t v)
{
    return (int64_t)htobe64((uint64_t)v);
}

struct sending {
    const char *values[ST_PARAMS];
    int lengths[ST_PARAMS], formats[ST_PARAMS];
    Oid types[ST_PARAMS];
    int64_t numbers[ST_PARAMS];
};

static void give(struct sending *s, int i, const struct st_value *v)
{
    s->formats[i] = 1;
    s->values[i] = NULL;
    s->lengths[i] = 0;
    s->types[i] = 0; /* as the statement has it: what is NULL now may be bytes later */
    if (v->kind == ST_INTEGER) {
        s->numbers[i] = big_endian(v->i);
        s->values[i] = (const char *)&s->numbers[i];
        s->lengths[i] = 8;
        s->types[i] = OID_INT8;
    } else if (v->kind != ST_NULL) {
        s->values[i] = v->s.p;
        s->lengths[i] = (int)v->s.n;
    }
}

/** Sends a statement, prepared by a name unless a pooler forbids that. */
static void send_named(struct pg_db *db, const char *sql, unsigned *generation, unsigned *number, int count,
                       const struct sending *s)
{
    char name[24];

    if (db->failed || db->lost)
        return;
    if (db->address->unnamed) {
        sent(db, PQsendQueryParams(db->conn, sql, count, s->types, s->values, s->lengths, s->formats, 1));
        return;
    }
    if (*generation != db->generation) {
        *number = ++db->statements;
        snprintf(name, sizeof name, "th%u", *number);
        sent(db, PQsendPrepare(db->conn, name, sql, count, s->types));
        *generation = db->generation;
    }
    snprintf(name, sizeof name, "th%u", *number);
    sent(db, PQsendQueryPrepared(db->conn, name, count, s->values, s->lengths, s->formats, 1));
}

/* ---- arrays ---- */

static void put32(struct th_buf *b, uint32_t v)
{
    v = htobe32(v);
    th_buf_add(b, &v, sizeof v);
}

static void array_add(struct array *a, const struct st_value *v)
{
    if (v->kind == ST_NULL) {
        put32(&a->elements, UINT32_MAX);
    } else if (v->kind == ST_INTEGER) {
        int64_t number = big_endian(v->i);

        put32(&a->elements, 8);
        th_buf_add(&a->elements, &number, 8);
    } else {
        put32(&a->elements, (uint32_t)v->s.n);
        th_buf_span(&a->elements, v->s);
    }
}

#define ARRAY_HEAD 20

static void array_begin(struct array *a)
{
    static const char head[ARRAY_HEAD];

    th_buf_reset(&a->elements);
    th_buf_add(&a->elements, head, sizeof head);
}

static void array_end(struct array *a, uint32_t count)
{
    uint32_t head[5] = {htobe32(1), htobe32(1), htobe32(a->bytes ? OID_BYTEA : OID_INT8), htobe32(count),
                        htobe32(1)};

    if (!a->elements.failed)
        memcpy(a->elements.p, head, sizeof head);
}

/** Adds the values that are bound as a row. False: a value is of another kind than before. */
static bool row_add(struct pg_stmt *st)
{
    for (int i = 0; i < st->base.highest; i++) {
        struct array *a = &st->columns[i];
        const struct st_value *v = &st->base.v[i];

        if (!a->elements.max)
            th_buf_init(&a->elements, (size_t)1 << 30);
        if (!st->rows)
            array_begin(a);
        if (!st->bulk_sql)
            a->bytes = v->kind != ST_INTEGER;
        if (v->kind != ST_NULL && a->bytes != (v->kind != ST_INTEGER))
            return false;
        array_add(a, v);
    }
    st->rows++;
    return true;
}

static size_t row_bytes(const struct pg_stmt *st)
{
    size_t n = 0;

    for (int i = 0; i < st->base.highest; i++)
        n += st->columns[i].elements.n;
    return n;
}

/** Sends the rows that a statement has gathered. */
static void rows_send(struct pg_db *db, struct pg_stmt *st)
{
    struct sending s;
    int count = st->base.highest;

    if (!st->bulk_sql) {
        struct th_buf b;

        th_buf_init(&b, 8192);
        make_bulk(&b, st);
        st->bulk_sql = text_of(&b);
    }
    for (int i = 0; i < count; i++) {
        struct array *a = &st->columns[i];

        array_end(a, st->rows);
        if (a->elements.failed && !db->failed)
            db->failed = TH_NOMEM;
        s.values[i] = a->elements.p;
        s.lengths[i] = (int)a->elements.n;
        s.formats[i] = 1;
        s.types[i] = a->bytes ? OID_BYTEA_ARRAY : OID_INT8_ARRAY;
    }
    if (!st->bulk_sql && !db->failed)
        db->failed = TH_NOMEM;
    if (!db->failed)
        send_named(db, st->bulk_sql, &st->bulk_generation, &st->bulk_number, count, &s);
    st->rows = 0;
    if (row_bytes(st) > WAITING_BYTES / 4)
        for (int i = 0; i < count; i++)
            th_buf_fini(&st->columns[i].elements);
}

static uint64_t key_of(const struct pg_stmt *st)
{
    uint64_t h = st->table;

    for (unsigned i = 0; i < st->keys; i++) {
        const struct st_value *v = &st->base.v[i];

        h = v->kind == ST_INTEGER ? th_hash((struct th_span){(const char *)&v->i, sizeof v->i}, h)
                                  : th_hash(v->kind == ST_NULL ? th_span("", 0) : v->s, h ^ 1);
    }
    return h ? h : 1;
}

/** Sends every row that waits, in the order of the statements' first rows. */
static void flush_rows(struct pg_db *db)
{
    struct pg_stmt *in_order = NULL;

    while (db->waiting) {
        struct pg_stmt *st = db->waiting;

        db->waiting = st->next_waiting;
        st->next_waiting = in_order;
        in_order = st;
    }
    for (; in_order; in_order = in_order->next_waiting) {
        in_order->is_waiting = false;
        rows_send(db, in_order);
    }
    th_map_fini(&db->touched);
    th_map_init(&db->touched, TOUCHED_MAX, SEED);
}

static int gather(struct pg_db *db, struct pg_stmt *st)
{
    uint64_t key = key_of(st);

    if (th_map_get(&db->touched, key) || db->touched.n + 1 >= TOUCHED_MAX || st->rows >= WAITING_MAX ||
        row_bytes(st) > WAITING_BYTES)
        flush_rows(db);
    (void)th_map_del(&db->found, key);
    if (!row_add(st)) {
        db->failed = TH_BUG;
        return failed_rc(db);
    }
    if (!st->is_waiting) {
        st->is_waiting = true;
        st->next_waiting = db->waiting;
        db->waiting = st;
    }
    if (th_map_put(&db->touched, key, st) != TH_OK) {
        db->failed = TH_NOMEM;
        return failed_rc(db);
    }
    return ST_DONE;
}

/* ---- what is expected ---- */

#define NONE ((void *)1) /* asked for, and there is no such row; else the number of the row and two */

static void forget_found(struct pg_db *db)
{
    th_map_fini(&db->found);
    th_map_init(&db->found, TOUCHED_MAX, SEED);
}

static void expect(struct st_stmt *base)
{
    struct pg_stmt *st = (struct pg_stmt *)base;
    struct pg_db *db = db_of(base);
    uint64_t key = key_of(st);

    TH_CHECK(st->keys && st->keys == base->highest && db->in_transaction);
    if (th_map_get(&db->found, key) || th_map_put(&db->found, key, NONE) != TH_OK)
        return;
    if (!st->expected_keys.max)
        th_buf_init(&st->expected_keys, (size_t)1 << 30);
    if (!st->rows) {
        for (size_t i = 0; i < st->expected_keys.n;
             i += sizeof key) { /* their rows go with the next answer */
            uint64_t before;

            memcpy(&before, st->expected_keys.p + i, sizeof before);
            if (before != key)
                (void)th_map_del(&db->found, before);
        }
        th_buf_reset(&st->expected_keys);
        st->next_expected = db->expected;
        db->expected = st;
    }
    th_buf_add(&st->expected_keys, &key, sizeof key);
    if (!row_add(st) || st->expected_keys.failed)
        db->failed = TH_NOMEM;
}

/** Says of each row that was found whose it is: in front of its columns is its number, or where several values name a row the place
 * that these had in the list. */
static void note_found(struct pg_db *db, struct pg_stmt *st)
{
    for (int row = 0; row < PQntuples(st->answers); row++) {
        int64_t order;
        uint64_t key;

        memcpy(&order, PQgetvalue(st->answers, row, 0), sizeof order);
        order = (int64_t)be64toh((uint64_t)order);
        if (st->keys == 1) {
            st_i64(&st->base, 1, order);
            key = key_of(st);
        } else {
            TH_CHECK(order > 0 && (size_t)order <= st->expected_keys.n / sizeof key);
            memcpy(&key, st->expected_keys.p + (size_t)(order - 1) * sizeof key, sizeof key);
        }
        if (th_map_put(&db->found, key, (void *)(uintptr_t)(row + 2)) != TH_OK)
            db->failed = TH_NOMEM;
    }
}

/** Reads results up to the answer to a list. */
static PGresult *next_answer(struct pg_db *db)
{
    while (db->pending && !db->lost && !db->failed) {
        PGresult *r = read_one(db);

        if (r && PQresultStatus(r) == PGRES_TUPLES_OK && PQnfields(r) && strcmp(PQfname(r, 0), "_o") == 0)
            return r;
        PQclear(r);
    }
    return NULL;
}

/** Asks for all that is expected, each statement once. */
static void fetch_expected(struct pg_db *db)
{
    struct pg_stmt *list = db->expected;

    db->expected = NULL;
    for (struct pg_stmt *st = list; st; st = st->next_expected)
        rows_send(db, st);
    if (db->failed || db->lost)
        return;
    if (PQsendFlushRequest(db->conn) != 1 || PQflush(db->conn) < 0) {
        lose(db, PQerrorMessage(db->conn));
        return;
    }
    db->round_trips++;
    for (struct pg_stmt *st = list; st && !db->lost && !db->failed; st = st->next_expected) {
        struct st_value bound = st->base.v[0]; /* what it is about to be stepped with */

        PQclear(st->answers);
        st->answers = next_answer(db);
        if (st->answers)
            note_found(db, st);
        st->base.v[0] = bound;
    }
}

/* ---- steps ---- */

static void clear(struct pg_stmt *st)
{
    if (st->owned)
        PQclear(st->result);
    st->result = NULL;
    st->owned = st->more = false;
    st->row = -1;
    st->first_column = 0;
}

/** A read whose answer is here already. False: it is not. */
static bool serve(struct pg_db *db, struct pg_stmt *st, int *rc)
{
    uintptr_t at;

    if (!st->keys || st->kind != READS || !st->expected_keys.max || !db->in_transaction)
        return false;
    if (db->expected)
        fetch_expected(db);
    if (db->failed || db->lost) {
        *rc = failed_rc(db);
        return true;
    }
    at = (uintptr_t)th_map_get(&db->found, key_of(st));
    if (!at)
        return false;
    *rc = ST_DONE;
    if (at > 1) {
        st->result = st->answers;
        st->row = (int)at - 2;
        st->first_column = 1;
        *rc = ST_ROW;
    }
    return true;
}

static int run(struct pg_db *db, struct pg_stmt *st)
{
    struct sending s;
    PGresult *r;

    if (db->expected)
        fetch_expected(db);
    flush_rows(db);
    for (int i = 0; i < st->count; i++)
        give(&s, i, &st->base.v[st->map[i]]);
    send_named(db, st->sql, &st->generation, &st->number, st->count, &s);
    r = finish(db);
    if (db->failed || db->lost || !r) {
        int rc = failed_rc(db);

        PQclear(r);
        if (!db->in_transaction && !db->lost)
            db->failed = TH_OK; /* it was a transaction of its own, which is over */
        return rc;
    }
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        db->changes = atoi(PQcmdTuples(r));
        PQclear(r);
        forget_found(db);
        return ST_DONE;
    }
    clear(st);
    st->result = r;
    st->owned = true;
    st->more = (st->kind == SCANS_UP || st->kind == SCANS_DOWN) && PQntuples(r) == CHUNK;
    return ST_ROW;
}

static int64_t integer_at(const PGresult *r, int row, int column)
{
    const char *p = PQgetvalue(r, row, column);
    int64_t v8;
    int32_t v4;
    int16_t v2;

    if (PQgetisnull(r, row, column))
        return 0;
    switch (PQgetlength(r, row, column)) {
    case 8:
        memcpy(&v8, p, sizeof v8);
        return (int64_t)be64toh((uint64_t)v8);
    case 4:
        memcpy(&v4, p, sizeof v4);
        return (int32_t)be32toh((uint32_t)v4);
    case 2:
        memcpy(&v2, p, sizeof v2);
        return (int16_t)be16toh((uint16_t)v2);
    case 1:
        return p[0]; /* true or false */
    default:
        TH_CHECK(false); /* our columns have 1, 2, 4 or 8 bytes */
        return 0;
    }
}

static int next_row(struct pg_db *db, struct pg_stmt *st)
{
    for (;;) {
        int64_t last;
        int rc;

        if (++st->row < PQntuples(st->result))
            return ST_ROW;
        if (!st->more)
            return ST_DONE;
        last = integer_at(st->result, PQntuples(st->result) - 1, 0);
        st->base.v[0].i = st->kind == SCANS_UP ? last + 1 : last;
        clear(st);
        rc = run(db, st);
        if (rc != ST_ROW)
            return rc;
    }
}

/** Whether the database has ended a connection on which nothing is expected: it was restarted, perhaps, while nobody asked. Nothing
 * else comes unasked, and if something does, another connection is as good. */
static bool has_ended(const struct pg_db *db)
{
    struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};

    return !db->pending && poll(&p, 1, 0) > 0;
}

/** Outside of a transaction: there is a connection, another one where that of before has ended. */
static bool is_connected(struct pg_db *db)
{
    if (db->conn && !db->lost && db->reopens && has_ended(db))
        lose(db, "the connection ended");
    return (db->conn && !db->lost) || (db->reopens && pg_db_connect(db) == TH_OK);
}

static int begin(struct pg_db *db, struct pg_stmt *st)
{
    TH_CHECK(!db->in_transaction && !db->pending);
    if (!is_connected(db))
        return RC + TH_RETRY;
    db->failed = TH_OK;
    db->refused = false;
    db->in_transaction = true;
    db->committing = false;
    forget_found(db);
    sent(db, PQsendQueryParams(db->conn, st->sql, 0, NULL, NULL, NULL, NULL, 1));
    return db->lost ? failed_rc(db) : ST_DONE;
}

static void forget_rows(struct pg_db *db)
{
    for (; db->waiting; db->waiting = db->waiting->next_waiting) {
        db->waiting->rows = 0;
        db->waiting->is_waiting = false;
    }
    for (; db->expected; db->expected = db->expected->next_expected)
        db->expected->rows = 0;
    th_map_fini(&db->touched);
    th_map_init(&db->touched, TOUCHED_MAX, SEED);
    forget_found(db);
}

/** Sends a sync and reads everything up to it. */
static void settle(struct pg_db *db)
{
    if (db->lost)
        return;
    if (PQpipelineSync(db->conn) != 1) {
        lose(db, PQerrorMessage(db->conn));
        return;
    }
    db->pending++;
    db->round_trips++;
    while (db->pending && !db->lost)
        PQclear(read_one(db));
}

static void roll_back(struct st_db *base)
{
    struct pg_db *db = (struct pg_db *)base;

    if (!db->in_transaction)
        return;
    forget_rows(db);
    settle(db);
    if (!db->lost) {
        sent(db, PQsendQueryParams(db->conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 1));
        settle(db);
    }
    db->pending = 0;
    db->in_transaction = db->committing = false;
    db->failed = TH_OK;
}

static int commit(struct pg_db *db)
{
    int rc = ST_DONE;

    TH_CHECK(db->in_transaction);
    if (db->expected)
        fetch_expected(db);
    flush_rows(db);
    if (!db->failed && !db->lost) {
        db->committing = true;
        sent(db, PQsendQueryParams(db->conn, "COMMIT", 0, NULL, NULL, NULL, NULL, 1));
        settle(db);
    }
    if (db->lost && db->committing && !db->refused)
        rc = RC + TH_UNKNOWN;
    else if (db->failed || db->lost)
        rc = failed_rc(db);
    if (rc == ST_DONE) {
        forget_rows(db);
        db->in_transaction = db->committing = false;
        return rc;
    }
    if (rc == RC + TH_UNKNOWN) {
        forget_rows(db);
        db->pending = 0;
        db->in_transaction = false; /* and `committing` stays: whoever opens the next connection finds out */
        return rc;
    }
    roll_back(&db->base);
    return rc;
}

static int step(struct st_stmt *base)
{
    struct pg_stmt *st = (struct pg_stmt *)base;
    struct pg_db *db = db_of(base);
    int rc;

    if (base->stepped)
        return st->result && st->owned ? next_row(db, st) : ST_DONE;
    base->stepped = true;
    if (st->kind == BEGINS)
        return begin(db, st);
    if (st->kind == COMMITS)
        return commit(db);
    if (!db->in_transaction && !is_connected(db))
        return RC + TH_RETRY;
    if (db->failed || db->lost)
        return failed_rc(db);
    if (st->kind == WRITES_IN_BULK && db->in_transaction)
        return gather(db, st);
    if (serve(db, st, &rc))
        return rc;
    rc = run(db, st);
    return rc == ST_ROW ? next_row(db, st) : rc;
}

static int reset(struct st_stmt *base)
{
    clear((struct pg_stmt *)base);
    base->stepped = false;
    return ST_OK;
}

static int64_t integer(struct st_stmt *base, int column)
{
    struct pg_stmt *st = (struct pg_stmt *)base;

    return integer_at(st->result, st->row, column + st->first_column);
}

static struct th_span bytes(struct st_stmt *base, int column)
{
    struct pg_stmt *st = (struct pg_stmt *)base;
    int c = column + st->first_column;

    return (struct th_span){PQgetvalue(st->result, st->row, c), (size_t)PQgetlength(st->result, st->row, c)};
}

/* ---- statements ---- */

static int prepare(struct st_db *base, const char *sql, struct st_stmt **out)
{
    struct pg_stmt *st = th_calloc(1, sizeof *st);
    struct th_buf b;

    *out = NULL;
    if (!st)
        return ST_NOMEM;
    st->base.db = base;
    st->from = sql;
    st->row = -1;
    classify(st);
    th_buf_init(&b, 16384);
    translate(&b, sql, plain_value, st);
    if (st->kind == SCANS_UP || st->kind == SCANS_DOWN)
        th_buf_printf(&b, " LIMIT %d", CHUNK);
    st->sql = text_of(&b);
    if (!st->sql) {
        th_free(st);
        return ST_NOMEM;
    }
    *out = &st->base;
    return ST_OK;
}

static void finalize(struct st_stmt *base)
{
    struct pg_stmt *st = (struct pg_stmt *)base;

    clear(st);
    PQclear(st->answers);
    for (int i = 0; i < ST_PARAMS; i++)
        th_buf_fini(&st->columns[i].elements);
    th_buf_fini(&st->expected_keys);
    th_free(st->sql);
    th_free(st->bulk_sql);
    th_free(st);
}

static int changes(struct st_db *db)
{
    return ((struct pg_db *)db)->changes;
}

static bool in_transaction(struct st_db *db)
{
    return ((struct pg_db *)db)->in_transaction;
}

static enum th_error error_of(struct st_db *db, int rc)
{
    (void)db;
    return rc > RC            ? (enum th_error)(rc - RC)
           : rc == ST_NOMEM   ? TH_NOMEM
           : rc == ST_CORRUPT ? TH_CORRUPT
           : rc == ST_TOOBIG  ? TH_TOO_LARGE
                              : TH_BUG;
}

static const char *message(struct st_db *db)
{
    return ((struct pg_db *)db)->message;
}

/* ---- connections ---- */

static void no_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

void pg_db_init(struct pg_db *db, const struct pg_address *address, unsigned timeout_ms)
{
    static const struct st_driver driver = {.step = step,
                                            .reset = reset,
                                            .integer = integer,
                                            .bytes = bytes,
                                            .prepare = prepare,
                                            .finalize = finalize,
                                            .changes = changes,
                                            .in_transaction = in_transaction,
                                            .rollback = roll_back,
                                            .expect = expect,
                                            .error = error_of,
                                            .message = message};

    *db = (struct pg_db){.base = {&driver}, .address = address, .timeout_ms = timeout_ms};
    th_map_init(&db->touched, TOUCHED_MAX, SEED);
    th_map_init(&db->found, TOUCHED_MAX, SEED);
}

void pg_db_disconnect(struct pg_db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->pending = 0;
}

enum th_error pg_db_connect(struct pg_db *db)
{
    int64_t now = now_ms();

    if (db->reopens && db->failed_at &&
        now - db->failed_at < 250) /* while nobody is there, not once for each read */
        return TH_RETRY;
    db->failed_at = now;
    pg_db_disconnect(db);
    forget_rows(db);
    db->in_transaction = false;
    db->conn = pg_address_connect(db->address);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        keep_message(db, db->conn ? PQerrorMessage(db->conn) : "no memory");
        pg_db_disconnect(db);
        db->lost = true;
        return TH_RETRY;
    }
    PQsetNoticeReceiver(db->conn, no_notice, NULL);
    if (PQserverVersion(db->conn) < 140000) {
        snprintf(db->message, sizeof db->message, "PostgreSQL 14 or newer is needed, this is version %d",
                 PQserverVersion(db->conn) / 10000);
        pg_db_disconnect(db);
        db->lost = true;
        return TH_INVALID;
    }
    db->lost = PQenterPipelineMode(db->conn) != 1;
    db->failed_at = 0; /* a database that is restarted right after this is connected to again at once */
    db->failed = TH_OK;
    db->fenced = db->refused = false;
    db->generation++;
    return db->lost ? TH_RETRY : TH_OK;
}

void pg_db_fini(struct pg_db *db)
{
    pg_db_disconnect(db);
    th_map_fini(&db->touched);
    th_map_fini(&db->found);
}

/* ---- commands of the store's own ---- */

PGresult *pg_db_query(struct pg_db *db, const char *sql, int count, const char *const *values)
{
    PGresult *r;
    bool own = !db->in_transaction;

    if (own)
        db->failed = TH_OK;
    if (!db->conn || db->lost || db->failed)
        return NULL;
    sent(db, PQsendQueryParams(db->conn, sql, count, NULL, values, NULL, NULL, 0));
    r = finish(db);
    if (db->failed || db->lost) {
        PQclear(r);
        return NULL;
    }
    return r;
}

int pg_db_failed(const struct pg_db *db)
{
    return failed_rc(db);
}

void pg_db_send(struct pg_db *db, const char *sql, int count, const char *const *values)
{
    if (!db->failed && !db->lost)
        sent(db, PQsendQueryParams(db->conn, sql, count, NULL, values, NULL, NULL, 0));
}

enum th_error pg_db_begin(struct pg_db *db, const char *sql)
{
    struct pg_stmt st = {.sql = (char *)(uintptr_t)sql};

    return begin(db, &st) == ST_DONE ? TH_OK : TH_RETRY;
}

enum th_error pg_db_commit(struct pg_db *db)
{
    int rc = commit(db);

    return rc == ST_DONE ? TH_OK : error_of(&db->base, rc);
}
