/* The writer of the stores: its connection, its transaction, and what it keeps in memory in addition to the tables.
  * Everything here belongs to the writer's thread, unless a comment says otherwise. */
#ifndef TH_STORE_WRITER_H
#define TH_STORE_WRITER_H
#include "base/buf.h"
#include "base/map.h"
#include "store/store_build.h"
#include "store/store_number.h"
#include "store/store_statement.h"
#include "store/store_statements.h"
#include <stdatomic.h>

struct st_counters { /* next free numbers; rows of `queue` */
    uint64_t event, delivery, attempt, queued;
};

/* How much a tenant has stored: see store_usage.c. */
struct st_usage {
    uint64_t tenant;
    int64_t bytes, unfinished; /* as the open transaction sees them */
    int64_t undo_bytes, undo_unfinished;
    int64_t noted; /* bytes in `usage` */
    bool touched;  /* on the writer's list */
    struct st_usage *next_touched;
    _Atomic int64_t shown_bytes, shown_unfinished; /* committed; any thread */
};

struct st_writer {
    struct st_store *store;
    struct st_db *db;
    struct st_stmt **st;
    struct st_counters next;
    /* tenant → settings version + 1 as a pointer; only what the open transaction sees */
    struct th_map versions;
    struct th_buf packed;           /* endpoints of a fan-out on their way */
    size_t confs;                   /* bytes of settings written since the page cache was emptied */
    bool fanout_ended;              /* runs that waited for it may be built */
    struct th_map uses;             /* tenant → struct st_usage; changed under the store's use_lock only */
    struct th_map owners;           /* endpoint → tenant as a pointer: a cache */
    struct st_usage *touched;       /* by the open transaction */
    bool use_note, use_noted;       /* `usage` must be written with it; has been */
    uint64_t tail_rows, tail_bytes; /* rows and bytes above the marks */
    /* several nodes share the store: what this transaction tells them (store_note.h), and how far the log was read */
    bool tells;
    struct th_buf news, counts;
    uint64_t position;        /* of this transaction in the log */
    uint64_t others_settings; /* position of the newest change of settings that another node has made */
    uint64_t
        sealed_attempt; /* the mark of the runs of attempts, as the operation at hand has read it (store_roll.h) */
    bool erased;        /* the log has pages with erased content, and must be cut off */
    struct th_map waiting; /* endpoint → counts: what `queue` has of it, the open transaction included */
    struct st_change {
        uint64_t endpoint, by; /* added to its counts; what a rollback takes away again */
    } * changes;
    uint32_t change_count, change_cap;
    uint16_t own_slots[2048];
    unsigned char run_nos[2 * ST_RUN_NUMBERS];
};

enum th_error st_writer_open(struct st_writer *w, struct st_store *store, struct st_db *db);
void st_writer_close(struct st_writer *w);
int st_writer_begin(struct st_writer *w);
int st_writer_commit(struct st_writer *w);
/** Does in memory what follows from a commit. To be called if the commit's answer was lost, and it has turned
 * out that it happened. */
void st_writer_committed(struct st_writer *w);
/** Announces the rows that an op will read, as far as they are known before it runs. In the transaction. */
void st_writer_expect(struct st_writer *w, const struct th_op *op);
/** Ends the transaction if SQLite has not done so, and forgets what was cached from it. */
void st_writer_rollback(struct st_writer *w);
/** Does one write inside the open transaction. ST_OK: op->error and its results are set. Else the transaction is to be
 * rolled back and nothing of the op counts. */
int st_writer_write(struct st_writer *w, struct th_op *op);
/** Day under which idempotency keys are kept: never falls. */
static inline uint64_t st_writer_idem_day(const struct st_writer *w, int64_t at_ms)
{
    uint64_t today = st_number_day(at_ms), reached = w->next.event >> 40;

    return today > reached ? today : reached;
}
#endif
