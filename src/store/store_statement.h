/* Statements of SQL as the stores use them, whatever database runs them: binding, stepping, reading a row.
 *
 * Values are kept in the statement and belong to the caller until it is reset; the driver hands them over with the first step. What
 * a step returns is ST_ROW, ST_DONE, or an error in numbers of the driver, which st_error turns into the port's. */
#ifndef TH_STORE_STATEMENT_H
#define TH_STORE_STATEMENT_H
#include "base/error.h"
#include "base/span.h"

#define ST_PARAMS 20                     /* most parameters of one statement */
#define ST_BYTES_MAX ((size_t)256 << 20) /* of one text of a row: far below what any database holds */

/* Results of steps: numbered as SQLite does, so that its driver need not translate. */
enum { ST_OK = 0, ST_NOMEM = 7, ST_CORRUPT = 11, ST_TOOBIG = 18, ST_ROW = 100, ST_DONE = 101 };

struct st_value {
    enum { ST_NULL, ST_INTEGER, ST_TEXT, ST_BLOB } kind;
    union {
        int64_t i;
        struct th_span s; /* borrowed */
    };
};

struct st_db { /* a connection: belongs to one thread */
    const struct st_driver *driver;
};

struct st_stmt {
    struct st_db *db;
    bool stepped;    /* its values have been handed over */
    uint8_t highest; /* parameter that has been bound */
    struct st_value v[ST_PARAMS];
};

struct st_driver {
    int (*step)(struct st_stmt *);
    int (*reset)(struct st_stmt *); /* returns the result of the last step if that was an error, else ST_OK */
    int64_t (*integer)(struct st_stmt *, int column); /* NULL is 0 */
    struct th_span (*bytes)(struct st_stmt *, int column);
    int (*prepare)(struct st_db *, const char *sql, struct st_stmt **out);
    void (*finalize)(struct st_stmt *);
    int (*changes)(struct st_db *); /* rows that the last statement has changed */
    bool (*in_transaction)(struct st_db *);
    void (*rollback)(struct st_db *);
    void (*wipe)(struct st_db *, bool on); /* overwrites deleted bytes; NULL: the database cannot */
    void (*expect)(struct st_stmt *);      /* NULL: announcing is of no use */
    enum th_error (*error)(struct st_db *, int rc);
    const char *(*message)(struct st_db *); /* of the last error, in the database's words */
};

/** Prepares a statement of the caller's own. */
static inline int st_prepare(struct st_db *db, const char *sql, struct st_stmt **out)
{
    return db->driver->prepare(db, sql, out);
}
/** Takes NULL. */
static inline void st_finalize(struct st_stmt *st)
{
    if (st)
        st->db->driver->finalize(st);
}
static inline int st_step(struct st_stmt *st)
{
    return st->db->driver->step(st);
}
static inline int st_reset(struct st_stmt *st)
{
    return st->db->driver->reset(st);
}
static inline int st_changes(struct st_db *db)
{
    return db->driver->changes(db);
}
static inline bool st_in_transaction(struct st_db *db)
{
    return db->driver->in_transaction(db);
}
static inline void st_rollback(struct st_db *db)
{
    db->driver->rollback(db);
}
static inline void st_wipe(struct st_db *db, bool on)
{
    if (db->driver->wipe)
        db->driver->wipe(db, on);
}
static inline bool st_expects(const struct st_db *db)
{
    return db->driver->expect != NULL;
}
/** Announces that the statement will be stepped with the values that are bound now, in this transaction. A
 * database that is asked over the network then asks for many rows at once. */
static inline void st_expect(struct st_stmt *st)
{
    if (st->db->driver->expect)
        st->db->driver->expect(st);
}
/** The meaning of a result for an op. */
static inline enum th_error st_error(struct st_db *db, int rc)
{
    return rc == ST_OK ? TH_OK : db->driver->error(db, rc);
}
static inline const char *st_message(struct st_db *db)
{
    return db->driver->message(db);
}

static inline void st_bind(struct st_stmt *st, int i, struct st_value v)
{
    st->v[i - 1] = v;
    if (st->highest < i)
        st->highest = (uint8_t)i;
}
static inline void st_u64(struct st_stmt *st, int i, uint64_t v)
{
    st_bind(st, i, (struct st_value){.kind = ST_INTEGER, .i = (int64_t)v});
}
static inline void st_i64(struct st_stmt *st, int i, int64_t v)
{
    st_bind(st, i, (struct st_value){.kind = ST_INTEGER, .i = v});
}
/** Borrowed text; empty is NULL. */
static inline void st_text(struct st_stmt *st, int i, struct th_span s)
{
    st_bind(st, i, (struct st_value){.kind = s.n ? ST_TEXT : ST_NULL, .s = s});
}
static inline void st_blob(struct st_stmt *st, int i, struct th_span s)
{
    st_bind(st, i, (struct st_value){.kind = s.n ? ST_BLOB : ST_NULL, .s = s});
}
static inline uint64_t st_col_u64(struct st_stmt *st, int i)
{
    return (uint64_t)st->db->driver->integer(st, i);
}
static inline int64_t st_col_i64(struct st_stmt *st, int i)
{
    return st->db->driver->integer(st, i);
}
/** Bytes of a text or blob column, valid until the next step. */
static inline struct th_span st_col(struct st_stmt *st, int i)
{
    return st->db->driver->bytes(st, i);
}

/** Steps a statement that returns no rows, and resets it. ST_OK or the error. */
int st_run(struct st_stmt *st);
/** Reads the number that a statement of at most one row returns, 0 without a row; resets it. ST_OK or the
 * error. */
int st_number(struct st_stmt *st, uint64_t *out);
/** Finds out whether a statement returns a row for this number; resets it. ST_OK or the error. */
int st_finds(struct st_stmt *st, uint64_t no, bool *found);
/** Prepares count statements of sql[], which may be NULL, into out[]; on failure finalizes all of them. ST_OK or the error. */
int st_prepare_all(struct st_db *db, const char *const *sql, int count, struct st_stmt **out);
void st_finalize_all(struct st_stmt **st, int count);
#endif
