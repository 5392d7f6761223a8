/* Fills the scheduler from the queue in the store. */
#ifndef TH_ENGINE_SHARD_QUEUE_H
#define TH_ENGINE_SHARD_QUEUE_H
#include "engine/engine.h"

#define TH_WALK_BATCH 10000

/** Gives the scheduler a delivery of an endpoint of this engine; one with an order when everything before it is known. */
void th_queue_insert(struct th_engine *e, const struct th_queue_row *row, struct th_mono due);
/** The same at once. */
void th_queue_insert_now(struct th_engine *e, const struct th_queue_row *row, struct th_mono due);
/** A delivery that was read from the queue for this engine, as it was then. moved: its row has changed. */
void th_queue_insert_read(struct th_engine *e, const struct th_queue_row *row, bool moved);
/** The queue is about to be read: deliveries that end from now on are remembered until nothing is being read. */
void th_queue_reading(struct th_engine *e);
/** A delivery has ended. */
void th_queue_ended(struct th_engine *e, uint64_t no);
/** A delivery has been cancelled. What of it is in memory goes, and what the queue said of it before no longer counts; its request does
 * not begin any more, one that is under way may arrive. */
void th_queue_cancelled(struct th_engine *e, uint64_t no);
/** Begins the walk, at the start. */
void th_queue_walk(struct th_engine *e);
/** Walks once more from this number on, because some rows may not be known. */
void th_queue_walk_again(struct th_engine *e, uint64_t from);
struct th_mono th_queue_walk_wanted(const struct th_engine *e);
void th_queue_walk_begin(struct th_engine *e);
void th_queue_refill(struct th_engine *e);
#endif
