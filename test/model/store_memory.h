/* The store in memory: the reference model of port/store.h in the plainest form. The simulator runs on it, and the model test
 * compares the product's store with it. */
#ifndef TH_MODEL_STORE_MEMORY_H
#define TH_MODEL_STORE_MEMORY_H
#include "port/store.h"

/** Reference model. Nothing survives close; th_store_memory_step decides what "commits" when. */
TH_MUST_USE enum th_error th_store_memory_open(struct th_store **out);
/** Commits up to `max` submitted ops over all sessions in order; auto mode (default) commits everything at submit. */
void th_store_memory_auto(struct th_store *, bool on);
unsigned th_store_memory_step(struct th_store *, unsigned max);
/** Accepts and FANOUT queue so many deliveries at a time, at most TH_FANOUT_STEP. */
void th_store_memory_fanout_step(struct th_store *, uint32_t step);
/** Drops everything that is submitted and not committed (its ops get no done: their owner died), keeps what is
 * committed; sessions are gone. As a crash with an intact disk. */
void th_store_memory_crash(struct th_store *);
/** The next `count` writes fail with this error (TH_FULL, TH_RETRY, TH_IO); TH_UNKNOWN applies them first when `apply`. */
void th_store_memory_fail(struct th_store *, enum th_error error, unsigned count, bool apply);
#endif
