/* What the files of the shared store in memory share. Private to test/model. */
#ifndef TH_STORE_CLUSTER_INT_H
#define TH_STORE_CLUSTER_INT_H
#include "base/heap.h"
#include "model/store_cluster.h"
#include "model/store_memory_int.h"
#include "store/store_slots.h"

enum { CL_NODES = 8 };

/** Writes that go together, and what the fence asks for. It stays until the store is closed, since a message of it may come late. */
struct cl_batch {
    struct cl_batch *next;
    struct cl_node *node;
    struct cl_held *ops;
    int64_t epoch, seq;
    int64_t sent_us;    /* node's clock */
    int64_t arrived_us; /* at the database */
    bool done;          /* its operations have been answered: a message of it that comes now finds nothing */
};

struct cl_held { /* an operation that the process has submitted */
    struct cl_held *next;
    struct th_op *op;
    uint64_t no; /* ACCEPT: of the first event, as it was submitted */
    bool read;
};

enum cl_kind { CL_BATCH, CL_RESOLVE, CL_LOOK, CL_BURY, CL_MOVE, CL_READ, CL_FOLLOW };

struct cl_message {
    struct th_heap_node at;
    enum cl_kind kind;
    bool answer;
    struct cl_node *node;
    unsigned life, connection; /* of the process that sent it, or that it is for */
    struct cl_batch *batch;
    struct cl_held *held;
    int64_t epoch, seq, sent_us;
    int dead; /* BURY */
    bool ok, leaves;
    uint64_t take[TH_SLOT_WORDS], give[TH_SLOT_WORDS];
    uint64_t applied; /* FOLLOW: what the process has applied */
    unsigned lapses;  /* FOLLOW: of the process, when it asked */
    struct st_slots *view;
    int64_t ago_us[TH_SLOTS]; /* LOOK: when each slot was taken from a dead node; -1: never */
};

enum cl_note_kind { CL_QUEUED, CL_MOVED, CL_CANCELLED, CL_ROW, CL_ERASED, CL_PURGED };
struct cl_note {
    enum cl_note_kind kind;
    uint64_t a, b, c;
};
struct cl_commit {
    unsigned node;
    bool settings;
    uint64_t first, count; /* notes */
};

/** A row of `node`. */
struct cl_row {
    int64_t epoch, seq, until_us;
    bool works;
    uint64_t applied;
};

struct cl_session {
    struct cl_node *node;
    struct th_wake wake;
    struct th_op *done, **tail;
};

struct cl_node { /* the process's side */
    struct th_store base;
    struct th_cluster *c;
    unsigned id, life, connection;
    bool up, frozen, away, broken, tell_soon, leaves, view_wanted;
    bool busy; /* the writer waits for an answer */
    int64_t epoch, seq, sent_us, confirmed_us;
    /* as in postgres_lease.h, and postgres_share.h */
    unsigned lapses, caught_up, lapses_read;
    uint64_t lapse_upto;
    int64_t retry_at_us, look_at_us, publish_at_us, hears_at_us; /* the database's clock; hears: of the cut */
    int64_t cut_until_us;
    uint64_t start;
    struct cl_batch *batch; /* under way, or its outcome is to be found out */
    struct cl_held *queued, **tail, *reads;
    struct cl_session session;
    uint64_t owned[TH_SLOT_WORDS], give[TH_SLOT_WORDS], held[TH_SLOT_WORDS];
    int64_t fenced_us[TH_SLOTS];      /* node's clock; INT64_MIN: never */
    struct cl_message *waiting[1024]; /* while it is frozen */
    unsigned waiting_n;
};

struct th_cluster {
    struct th_cluster_options options;
    struct th_store *memory;
    struct mem_store *db;
    int64_t now_us, down_until_us;
    uint64_t tie;
    struct th_heap messages;
    struct cl_node nodes[CL_NODES];
    struct cl_row rows[CL_NODES];
    int owner[TH_SLOTS];
    int64_t fenced_us[TH_SLOTS]; /* -1: never */
    struct cl_message *running,
        *lock[64]; /* transactions: the one that holds the order, and those that wait for it */
    unsigned lock_n;
    int64_t commits_at_us;
    struct cl_commit *log; /* position 1 is log[0] */
    uint64_t position, log_cap;
    struct cl_note *notes;
    uint64_t note_n, note_cap;
    struct cl_batch *batches;
    struct th_cluster_counts counts;
};

/* the database (store_cluster.c) */
void cl_execute(struct th_cluster *c, struct cl_message *m);
void cl_commit(struct th_cluster *c, struct cl_message *m);
/** Reads the log for a FOLLOW. */
void cl_follow(struct th_cluster *c, struct cl_message *m);
void cl_register(struct th_cluster *c, struct cl_node *n);

/* the network */
uint32_t cl_below(struct th_cluster *c, uint32_t n);
void cl_send(struct cl_message *m);

/* the process's side (store_cluster_node.c) */
extern const struct th_store_vt cl_node_vt;
void cl_answered(struct cl_message *m);
/** Does what is due. */
void cl_work(struct cl_node *n);
int64_t cl_next_us(const struct cl_node *n);
void cl_lose(struct cl_node *n);
void cl_forget(struct cl_node *n);
#endif
