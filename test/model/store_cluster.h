/* The store in memory, shared by several nodes that die, stop, and lose their connection: what `store.share` on PostgreSQL promises the
 * engines, in one thread and with every delay and fault drawn by lot. The database is the reference model (store_memory.c); here are the order of the
 * commits, their log, fences, leases, slots, and what the network does to messages. */
#ifndef TH_MODEL_STORE_CLUSTER_H
#define TH_MODEL_STORE_CLUSTER_H
#include "model/store_memory.h"

struct th_cluster;

struct th_cluster_options {
    unsigned nodes; /* numbered from 1 on */
    int64_t lease_us;
    uint32_t follow_rows; /* deliveries that one FOLLOW gives; of more the queue is walked */
    uint32_t latency_us;  /* a message takes at most so long; one in a hundred twenty times that */
    uint32_t commit_us;   /* the database commits in at most so long */
    uint64_t (*draw)(void *ctx);
    /** A node's own clock, in microseconds. */
    int64_t (*clock)(void *ctx, unsigned node);
    /** Another node has taken over from this one: its process has to begin anew. */
    void (*lost)(void *ctx, unsigned node);
    /** What a process that died had submitted: nobody frees it any more. */
    void (*bury)(void *ctx, void *p);
    void *ctx;
};

struct th_cluster *th_cluster_open(const struct th_cluster_options *options);
void th_cluster_close(struct th_cluster *c);
/** The database itself, to look at. */
struct th_store *th_cluster_database(struct th_cluster *c);
/** The store as a node sees it. */
struct th_store *th_cluster_port(struct th_cluster *c, unsigned node);

/** A process starts: its row is written anew, and what it had is free. False: the database cannot be reached. */
bool th_cluster_join(struct th_cluster *c, unsigned node);
/** It has ended in order, and gives everything up. */
void th_cluster_leave(struct th_cluster *c, unsigned node);
/** It was killed, or begins anew. Messages of it that are under way may still arrive. */
void th_cluster_died(struct th_cluster *c, unsigned node);
/** It does nothing for a while; what comes for it waits. */
void th_cluster_freeze(struct th_cluster *c, unsigned node, bool on);
/** Nothing passes between it and the database until then. What is under way is lost, or comes later. Returns when it notices, which may be
 * after the end: until then it waits for answers that do not come. */
int64_t th_cluster_cut(struct th_cluster *c, unsigned node, int64_t until_us);
/** The database is away until then: what it was doing is rolled back, every connection ends. */
void th_cluster_restart(struct th_cluster *c, int64_t until_us);
/** Whether a message would pass now. */
bool th_cluster_reaches(const struct th_cluster *c, unsigned node);

/** Lets everything happen that is due at this moment. */
void th_cluster_advance(struct th_cluster *c, int64_t now_us);
/** When to look next, as far as is known. */
int64_t th_cluster_next_us(const struct th_cluster *c);

struct th_cluster_counts {
    uint64_t commits, fenced, unknown, late, takeovers, moved;
};
struct th_cluster_counts th_cluster_counts(const struct th_cluster *c);
/** Whether each slot has an owner that lives, and all of them an even part: nothing is to be moved any more. */
bool th_cluster_is_even(const struct th_cluster *c);
#endif
