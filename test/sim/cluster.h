/* Several nodes in virtual time: engines that share one store (model/store_cluster.h), each with a clock and a network of its own, in one
 * thread. Nodes are killed, stopped, cut off and restarted while time goes on; the same seed gives the same run. Times are those
 * of the database, in microseconds, unless a name says more. */
#ifndef TH_TEST_SIM_CLUSTER_H
#define TH_TEST_SIM_CLUSTER_H
#include "model/store_cluster.h"
#include "sim/sim.h"

#define SIM_NODES 4

struct sim_node {
    struct sim_outside outside;
    struct sim_cluster *c;
    struct sim *s;
    unsigned id;            /* from 1 on */
    int64_t offset_us, ppm; /* its clock: what it is ahead by, and how much faster it goes */
    bool frozen, stopping, fenced;
    uint64_t life;                     /* grows when its process ends */
    int64_t thaw_us, start_us, due_us; /* SIM_NEVER: not planned */
    int64_t faulty_us;                 /* up to when its last fault lasts */
};

struct sim_cluster_options {
    uint64_t seed;
    unsigned nodes;
    int64_t lease_us;
    uint32_t latency_us, commit_us, follow_rows, fanout_step;
    uint32_t max_items_per_endpoint; /* 0: the usual */
    bool jitter;
};

struct sim_cluster {
    struct sim_cluster_options options;
    struct th_cluster *store;
    struct sim_node nodes[SIM_NODES];
    int64_t now_us;
    uint64_t rng, turns;
    void *user;
    size_t secrets;
};

/** All nodes are started, one after the other. */
struct sim_cluster *sim_cluster_open(const struct sim_cluster_options *options);
/** Ends in order. */
void sim_cluster_close(struct sim_cluster *c);
uint32_t sim_cluster_below(struct sim_cluster *c, uint32_t n);
struct sim_node *sim_node_of(const struct sim *s);
/** Whether it takes requests. */
bool sim_node_ready(const struct sim_node *n);
/** In order of the database's clock; ends when `stop` holds, with true. */
bool sim_cluster_run(struct sim_cluster *c, int64_t until_us, bool (*stop)(struct sim_cluster *, void *),
                     void *arg);

/** kill -9; the process starts again then. */
void sim_node_kill(struct sim_node *n, int64_t start_us);
/** SIGSTOP until then. */
void sim_node_freeze(struct sim_node *n, int64_t thaw_us);
/** Cut off from the database until then. */
void sim_node_cut(struct sim_node *n, int64_t until_us);
/** SIGTERM, and a start so long after its end. */
void sim_node_stop(struct sim_node *n);
#endif
