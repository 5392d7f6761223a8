/* Several nodes on one database: the order of their commits, the log of what each tells the others, and which slots are whose. */
#ifndef TH_STORE_POSTGRES_SHARE_H
#define TH_STORE_POSTGRES_SHARE_H
#include "port/store.h"
#include "store/postgres/postgres_db.h"
#include "store/postgres/postgres_hung.h"
#include "store/postgres/postgres_lease.h"
#include <pthread.h>
#include <stdatomic.h>

struct pg_store;
struct st_counters;

struct pg_share {
    bool on;
    /* owner: the opening thread */
    uint64_t start; /* position of the settings as they were read at the start */
    /* owner: writer thread */
    uint64_t queued;          /* rows of the queue when the transaction began */
    int64_t look_at_us;       /* when to look next at who owns what */
    int64_t clean_at_us;      /* when to delete next what everybody has applied */
    _Atomic uint64_t counted; /* the writer's memory has what was committed up to here; others read it */
    /* owner: the reader's thread that follows */
    struct pg_db db;
    struct st_stmt *queue, *one, *rows[TH_ROW_META + 1];
    struct pg_hung hung;
    bool opened, tell_soon; /* tell_soon: another node waits for this one */
    uint64_t published;
    uint64_t lapse_upto; /* what was committed when `lapses` of the lease was as here */
    uint32_t lapses;
    int64_t publish_at_us;
    /* owner: any thread, under lock */
    pthread_mutex_t lock;
    uint64_t owned[TH_SLOT_WORDS]; /* in the database */
    uint64_t give[TH_SLOT_WORDS];  /* of these, those that another node is to have */
    int64_t fenced_us
        [TH_SLOTS]; /* boot time: when a slot was last taken from a node that had not given it up; 0: never */
    bool leaves;    /* the process stops */
    uint64_t held[TH_SLOT_WORDS]; /* those for which the engine works, as far as is known here */
};

void pg_share_init(struct pg_share *h, bool on);
void pg_share_fini(struct pg_share *h);
/** Whether this node may work beside those that do, in the transaction of the caller. TH_CONFLICT: *holder works alone. */
enum th_error pg_share_join(struct pg_db *db, struct pg_lease *l, struct pg_holder *holder);
/** Waits for this transaction's place in the order of all commits, and brings the writer to what the others have committed. The
 * result of a step. The writer's thread. */
int pg_share_begin(struct pg_store *s);
/** Adds to the transaction what it tells the others. The writer's thread. */
int pg_share_tell(struct pg_store *s);
/** Looks from time to time at who lives and who owns what: fences nodes whose lease has ended, takes slots that nobody has, gives
 * away those that are more than this node's part. The writer's thread, outside of a transaction. */
void pg_share_balance(struct pg_store *s);
/** Reads which slots were taken from nodes that had not given them up. Before the store is used. */
enum th_error pg_share_read_fenced(struct pg_store *s);
/** As th_store_vt.fenced_ms. Any thread. */
int64_t pg_share_fenced_ms(struct pg_share *h, unsigned slot);
#endif
