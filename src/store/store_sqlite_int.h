/* What the files of the SQLite store share. Private to src/store/store_sqlite*.c. */
#ifndef TH_STORE_SQLITE_INT_H
#define TH_STORE_SQLITE_INT_H
#include "base/alloc.h"
#include "base/map.h"
#include "port/store.h"
#include "store/migrations.h"
#include "store/store_sqlite_rows.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define SQ_APPLICATION_ID 0x54486f6b /* "THok" */
#define SQ_ROWS_PER_READ 20000       /* rows examined in one read transaction */
#define SQ_MS_PER_READ 50
#define SQ_BUSY_MS 5000 /* a connection meets a lock only while another recovers or closes the log */
#define SQ_RUN_SHIFT                                                                                         \
    14 /* 16,384 consecutive numbers are one run, so that what no run holds yet is one short scan */
#define SQ_RUN_NUMBERS (1u << SQ_RUN_SHIFT)
#define SQ_BYTES_MAX ((size_t)256 << 20) /* of one row: far below SQLite's own limit */
#define SQ_RUN_ROWS 512                  /* rows of a run written with one commit */

struct sq_store;

/* ---- a connection with its prepared statements ---- */

/** Prepares count statements of sql[] into out[]; on failure finalizes all of them. Returns an SQLite code.
 */
int sq_prepare_all(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **out);
void sq_finalize_all(sqlite3_stmt **st, int count);
/** Steps a statement that gives no rows, and resets it. SQLITE_OK or the error. */
int sq_run(sqlite3_stmt *st);
/** What an SQLite result means for an op; `db` for the system error behind it. */
enum th_error sq_error(sqlite3 *db, int rc);
/** The same for a checkpoint. */
enum th_error sq_checkpoint_error(sqlite3 *db, int rc);

static inline void sq_u64(sqlite3_stmt *st, int i, uint64_t v)
{
    sqlite3_bind_int64(st, i, (sqlite3_int64)v);
}
static inline void sq_i64(sqlite3_stmt *st, int i, int64_t v)
{
    sqlite3_bind_int64(st, i, v);
}
/** Borrowed text; empty is NULL. */
static inline void sq_text(sqlite3_stmt *st, int i, struct th_span s)
{
    if (s.n)
        sqlite3_bind_text64(st, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(st, i);
}
static inline void sq_blob(sqlite3_stmt *st, int i, struct th_span s)
{
    if (s.n)
        sqlite3_bind_blob64(st, i, s.p, s.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, i);
}
static inline uint64_t sq_col_u64(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}
/** Bytes of a text or blob column, valid until the next step. */
static inline struct th_span sq_col(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st, i);

    return (struct th_span){p ? (const char *)p : "", p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}

/* ---- numbers ---- */

/** Day of a number: days since 2026-01-01, clamped to what 53 bits hold. */
uint64_t sq_day(int64_t wall_ms);
static inline uint64_t sq_day_start(uint64_t day)
{
    return day << 40 | 1;
}

/* ---- sorted runs ---- */

enum sq_run_kind {
    SQ_RUN_EVENT,
    SQ_RUN_DELIVERY,
    SQ_RUN_ATTEMPT,
    SQ_RUN_KINDS
};                                                    /* by tenant, endpoint, endpoint */
extern const char *const sq_built_name[SQ_RUN_KINDS]; /* keys in `counter` */

#define SQ_OP_RUN_BUILD 1000 /* the store's own op: no session, never handed out */

struct sq_pair {
    uint64_t key, no;
};

/** One run on its way into `run`: collected and sorted by a reader, written in slices by the writer. */
struct sq_run {
    struct th_op op; /* kind SQ_OP_RUN_BUILD */
    enum sq_run_kind kind;
    uint64_t run;
    struct sq_pair *pairs; /* SQ_RUN_NUMBERS; sorted by key, then number */
    uint32_t count, done, slice_end;
    bool busy, again; /* owner: any thread, under the store's lock */
};

/* ---- the writer ---- */

struct sq_counters { /* next free numbers; rows of `queue` */
    uint64_t event, delivery, attempt, queued;
};

/* What a tenant has stored: store_sqlite_usage.c. */
struct sq_use {
    uint64_t tenant;
    int64_t bytes, unfinished; /* as the open transaction has them */
    int64_t undo_bytes, undo_unfinished;
    int64_t noted; /* bytes in `usage` */
    bool touched;  /* on the writer's list */
    struct sq_use *next_touched;
    _Atomic int64_t shown_bytes, shown_unfinished; /* committed; any thread */
};

struct sq_writer {
    struct sq_store *store;
    sqlite3 *db;
    sqlite3_stmt **st;
    struct sq_counters next;
    struct th_map
        versions; /* tenant → settings version + 1 as a pointer; only what the open transaction sees */
    struct th_buf packed;           /* endpoints of a fan-out on their way */
    size_t confs;                   /* bytes of settings written since the page cache was emptied */
    bool fanout_ended;              /* runs that waited for it may be encrypted */
    struct th_map uses;             /* tenant → struct sq_use; changed under the store's use_lock only */
    struct th_map owners;           /* endpoint → tenant as a pointer: a cache */
    struct sq_use *touched;         /* by the open transaction */
    bool use_note, use_noted;       /* `usage` must be written with it; has been */
    uint64_t tail_rows, tail_bytes; /* above the marks */
    bool erased;                    /* the log has pages with what was erased: to be cut off */
    struct th_map waiting; /* endpoint → SQ_WAITING: what `queue` has of it, the open transaction included */
    struct sq_change {
        uint64_t endpoint, by; /* added to SQ_WAITING; what a rollback takes away again */
    } * changes;
    uint32_t change_count, change_cap;
    uint16_t own_slots[2048];
    unsigned char run_nos[2 * SQ_RUN_NUMBERS];
};

enum th_error sq_writer_open(struct sq_writer *w, struct sq_store *store, sqlite3 *db);
void sq_writer_close(struct sq_writer *w);
int sq_begin(struct sq_writer *w);
int sq_commit(struct sq_writer *w);
/** Ends the transaction if SQLite has not done so, and forgets what was cached from it. */
void sq_rollback(struct sq_writer *w);
/** Does one write inside the open transaction. SQLITE_OK: op->error and its results are set. Else the
 * transaction is to be rolled back and nothing of the op counts. */
int sq_write(struct sq_writer *w, struct th_op *op);
int sq_purge(struct sq_writer *w, struct th_purge *p);
/** Notes an accept whose deliveries are not all queued. */
int sq_fan_note(struct sq_writer *w, const struct th_accept *a);
int sq_fanout(struct sq_writer *w, struct th_fanout *f);
/** Queues one delivery. */
int sq_queue_put(struct sq_writer *w, const struct th_queue_row *row);
/** Writes the next slice of a run; with the last one the run counts. sq_built tells what is left after the
 * commit. */
int sq_run_slice(struct sq_writer *w, struct sq_run *encrypt);
/** Deletes at most one run of each kind that lies below these numbers. */
int sq_runs_purge(struct sq_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt);
struct sq_stored { /* a delivery as it is stored now */
    bool queued, ended;
    uint64_t event, endpoint, order, attempts, last;
    uint8_t lane, marks, tries;
    int64_t due_or_state, ended_at, round;
};
/** Neither queued nor ended: there is none. */
int sq_find_delivery(struct sq_writer *w, uint64_t no, struct sq_stored *d);
/** Moves a queued delivery to those that have ended. */
int sq_put_ended(struct sq_writer *w, uint64_t no, const struct sq_stored *d, int64_t ended, uint64_t tries,
                 uint64_t attempts, uint64_t last, enum th_delivery_state state);
int sq_erase(struct sq_writer *w, struct th_erase *e);
/** A row comes into `queue` (by 1) or leaves it (by -1). SQLITE_NOMEM: the caller rolls back. */
int sq_waiting_add(struct sq_writer *w, uint64_t endpoint, uint64_t lane, bool again, int by);
/** The transaction has ended, committed or not. */
void sq_waiting_end(struct sq_writer *w, bool committed);
/** Counts what is there; before the first transaction. */
int sq_waiting_load(struct sq_writer *w);
void sq_waiting_fini(struct sq_writer *w);
int sq_count(struct sq_writer *w, struct th_counts *c);
int sq_settings(struct sq_writer *w, struct th_settings_op *c);
/** How many deliveries of an accept's range are, or were, queued. */
int sq_fan_queued(struct sq_writer *w, uint64_t first, uint64_t n, uint32_t *queued);

/* store_sqlite_usage.c */
int sq_use_open(struct sq_writer *w);
void sq_use_close(struct sq_writer *w);
/** The counts of a tenant; NULL: no memory. */
struct sq_use *sq_use_of(struct sq_writer *w, uint64_t tenant);
/** Adds to the counts of a tenant, or of that of an endpoint; what the transaction does not commit is undone. */
int sq_use_add(struct sq_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished);
int sq_use_delivery(struct sq_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished);
int sq_use_endpoint(struct sq_writer *w, uint64_t endpoint, uint64_t *tenant);
/** Before the commit: writes the counts where that is due. After it; or after it was rolled back. */
int sq_use_write(struct sq_writer *w);
void sq_use_committed(struct sq_writer *w);
void sq_use_undone(struct sq_writer *w);
/** Any thread. */
void sq_usage(struct th_store *store, uint64_t tenant, struct th_usage *out);
int sq_rewrap(struct sq_writer *w, struct th_rewrap *r);
int sq_tenant_version(struct sq_writer *w, uint64_t tenant, bool *exists, uint64_t *version);
/** Day under which idempotency keys are kept: never falls. */
uint64_t sq_idem_day(const struct sq_writer *w, int64_t at_ms);

enum sq_writer_statement {
    SQ_W_BEGIN,
    SQ_W_COMMIT,
    SQ_W_PROBE,
    SQ_W_EVENT,
    SQ_W_EVENT_MORE,
    SQ_W_QUEUE,
    SQ_W_FAN_PUT,
    SQ_W_FAN_GET,
    SQ_W_FAN_AFTER,
    SQ_W_FAN_QUEUED,
    SQ_W_FAN_DEL,
    SQ_W_PURGE_FAN,
    SQ_W_OWN_GET,
    SQ_W_OWN_PUT,
    SQ_W_IDEM_GET,
    SQ_W_IDEM_PUT,
    SQ_W_SAME_EVENT,
    SQ_W_QUEUE_GET,
    SQ_W_QUEUE_AGAIN,
    SQ_W_QUEUE_DEL,
    SQ_W_DELIVERY_PUT,
    SQ_W_DELIVERY_GET,
    SQ_W_DELIVERY_DEL,
    SQ_W_ATTEMPT,
    SQ_W_ATTEMPT_BATCH,
    SQ_W_ATTEMPT_HEAD,
    SQ_W_ATTEMPT_PREV,
    SQ_W_QUEUE_LAST,
    SQ_W_DELIVERY_LAST,
    SQ_W_QUEUE_RETRY,
    SQ_W_REQUEUE,
    SQ_W_ENDPOINT_GONE,
    SQ_W_ERASED,
    SQ_W_ERASE_NEXT,
    SQ_W_ERASE_GET,
    SQ_W_ERASE_PUT,
    SQ_W_ERASE_POS,
    SQ_W_ERASE_EVENT,
    SQ_W_ERASE_DATA,
    SQ_W_ERASE_WAITING,
    SQ_W_ERASE_MADE,
    SQ_W_ERASE_BYTES,
    SQ_W_ERASE_ATTEMPT,
    SQ_W_ERASE_IDEM,
    SQ_W_ERASING_PUT,
    SQ_W_ERASING_NEXT,
    SQ_W_ERASING_POS,
    SQ_W_ERASING_DEL,
    SQ_W_ERASING_EVENTS,
    SQ_W_ERASING_IDEM,
    SQ_W_ERASING_CIDEM,
    SQ_W_PURGE_ERASURE,
    SQ_W_VERSION_GET,
    SQ_W_VERSION_PUT,
    SQ_W_TENANT_ID,
    SQ_W_CIDEM_GET,
    SQ_W_CIDEM_PUT,
    SQ_W_ENDPOINT_REV,
    SQ_W_PURGE_EVENTS,
    SQ_W_PURGE_EARLIER,
    SQ_W_PURGE_LASTS,
    SQ_W_ATTEMPT_DEL,
    SQ_W_PURGE_DROPPED,
    SQ_W_PURGE_QUEUE,
    SQ_W_PURGE_DELIVERY,
    SQ_W_PURGE_EVENT,
    SQ_W_PURGE_OWN,
    SQ_W_PURGE_IDEM,
    SQ_W_PURGE_CIDEM,
    SQ_W_COUNTER,
    SQ_W_USAGE_PUT,
    SQ_W_USAGE_DEL,
    SQ_W_ENDPOINT_TENANT,
    SQ_W_ATTEMPT_BYTES,
    SQ_W_PURGE_QUEUED,
    SQ_W_PURGE_FANS,
    SQ_W_PURGE_ANSWERS,
    SQ_W_RUN_PUT,
    SQ_W_RUN_OLDEST,
    SQ_W_RUN_DEL,
    SQ_W_ENCRYPTED, /* + enum th_encrypted_kind */
    SQ_W_ENCRYPTED_PUT = SQ_W_ENCRYPTED + TH_ENCRYPTED_KINDS,
    SQ_W_ROW_PUT = SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_KINDS, /* + enum th_row_kind */
    SQ_W_ROW_DEL = SQ_W_ROW_PUT + TH_ROW_META + 1,
    SQ_W_CASCADE = SQ_W_ROW_DEL + TH_ROW_META + 1, /* + 0 to SQ_CASCADES - 1 */
    SQ_W_COUNT = SQ_W_CASCADE + 8
};
#define SQ_CASCADE_TENANT                                                                                    \
    5 /* statements that follow the end of a tenant; the rest follow that of an endpoint */
#define SQ_CASCADES 8

/* ---- readers ---- */

enum sq_reader_statement {
    SQ_R_BEGIN,
    SQ_R_END,
    SQ_R_LOAD,
    SQ_R_WALK,
    SQ_R_QUEUE_ONE,
    SQ_R_QUEUE_MIN,
    SQ_R_EVENT,
    SQ_R_DELIVERY_QUEUED,
    SQ_R_DELIVERY_ENDED,
    SQ_R_EVENT_BELOW,
    SQ_R_FIRST_FROM,
    SQ_R_ATTEMPT,
    SQ_R_ATTEMPT_PREV,
    SQ_R_OWN,
    SQ_R_OWN_ANY,
    SQ_R_REV,
    SQ_R_ENDPOINT_PAST,
    SQ_R_ENCRYPTED,
    SQ_R_FAN_FIRST,
    SQ_R_RUN,
    SQ_R_RUN_BELOW,
    SQ_R_RUN_FROM,
    SQ_R_DOWN_A,                              /* + kind: numbers and keys, newest first */
    SQ_R_DOWN_B = SQ_R_DOWN_A + SQ_RUN_KINDS, /* + kind: the second table of a kind */
    SQ_R_NEWEST = SQ_R_DOWN_B + SQ_RUN_KINDS, /* + kind */
    SQ_R_OLDEST_FROM = SQ_R_NEWEST + SQ_RUN_KINDS,
    SQ_R_COLLECT = SQ_R_OLDEST_FROM + SQ_RUN_KINDS,
    SQ_R_COUNT = SQ_R_COLLECT + SQ_RUN_KINDS
};

struct sq_reader {
    struct sq_store *store;
    sqlite3 *db;
    sqlite3_stmt *st[SQ_R_COUNT];
    uint64_t mark; /* newest group that the page at hand may show */
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct th_op *head, **tail;
    bool stop, started;
    pthread_t thread;
};

enum th_error sq_reader_prepare(struct sq_reader *r);
void sq_load(struct sq_reader *r, struct th_load *op);
void sq_walk(struct sq_reader *r, struct th_walk *op);
/** Collects the oldest complete run that is not encrypted. encrypt->count == 0: there is none (or error says why).
 */
void sq_run_collect(struct sq_reader *r, struct sq_run *encrypt);
void sq_page(struct sq_reader *r, struct th_page *op);
void sq_page_free(struct th_page *op);
/** The newest group that has begun its commit. Any thread. */
uint64_t sq_group_mark(struct sq_store *s);
/** Waits until the ops of that group have been handed to their sessions. Any thread but the writer's. */
void sq_group_wait(struct sq_store *s, uint64_t mark);
/** Milliseconds of a steady clock. */
int64_t sq_now_ms(void);

/** How much one read transaction may do. */
struct sq_budget {
    uint32_t examined, max;
    int64_t deadline_ms;
};
void sq_budget_start(struct sq_budget *b);
/** Counts one examined row; true when it is time to stop. */
bool sq_budget_spent(struct sq_budget *b);
/** First number of a kind that no run holds. Returns an SQLite code. */
int sq_built(struct sq_reader *r, enum sq_run_kind kind, uint64_t *from);

/** Numbers of one kind and key, newest first: what no run holds by scanning, then the runs. */
struct sq_scan {
    struct sq_reader *r;
    enum sq_run_kind kind;
    uint64_t key;   /* 0: every number, by scanning */
    uint64_t pos;   /* every number from here up has been given or left out */
    uint64_t floor; /* no number below it */
    uint64_t encrypted;
    enum { SQ_SCAN_NEW, SQ_SCAN_TAIL, SQ_SCAN_RUNS, SQ_SCAN_END } phase;
    sqlite3_stmt *side[2]; /* tail: one or two tables */
    bool has[2];
    const unsigned char *nos; /* run at hand, borrowed from its statement */
    uint32_t left;
    uint64_t run;
};
enum sq_next { SQ_NEXT_ONE, SQ_NEXT_END, SQ_NEXT_SPENT, SQ_NEXT_ERROR };
void sq_scan_start(struct sq_scan *s, struct sq_reader *r, enum sq_run_kind kind, uint64_t key,
                   uint64_t before, uint64_t floor);
/** SPENT: go on with a new scan from s->pos. ERROR: *rc. */
enum sq_next sq_scan_next(struct sq_scan *s, struct sq_budget *budget, uint64_t *no, int *rc);
void sq_scan_end(struct sq_scan *s);

/* ---- the file ---- */

struct sq_path {
    char db[4096], lock[4096], ballast[4096];
};

/** Checks the file and brings it to the newest version on a new connection for writing. */
enum th_error sq_file_open(const struct sq_path *path, sqlite3 **db, char *why, size_t why_size);
enum th_error sq_file_reader(const struct sq_path *path, sqlite3 **db);
/** Takes the lock of the data directory; *fd stays open as long as it is held. */
enum th_error sq_file_lock(const struct sq_path *path, int *fd, char *why, size_t why_size);
/** Makes the ballast file durable at its full size; TH_FULL when there is no room. */
enum th_error sq_ballast_make(const struct sq_path *path, uint32_t mib);
void sq_ballast_drop(const struct sq_path *path);
/** All settings rows, in the order of their kinds. Gives an SQLite code. */
int sq_settings_read(sqlite3 *db, void (*row)(void *, const struct th_row *), void *ctx);

/* ---- files apart from a store (sqlite_judge.c) ---- */

/** First value of a statement; -1 when there is none. */
int64_t sq_copy_number(sqlite3 *db, const char *sql);
/** What an SQLite result means for a file, with its message in `why`. */
enum th_error sq_copy_failed(sqlite3 *db, int rc, const char *file, char *why, size_t why_size);
#endif
