/* Deliveries and their events for the engine that owns the endpoint. */
#ifndef TH_ENGINE_SHARD_OFFER_H
#define TH_ENGINE_SHARD_OFFER_H
#include "engine/engine.h"

/** Gives a queued delivery to the engine that owns its endpoint, this one included. */
void th_offer(struct th_engine *e, const struct th_queue_row *row);
/** Offers the event, of which `left` deliveries belong to that engine; to be called before its rows are
 * offered. Without memory that engine reads the event itself. */
void th_offer_event(struct th_engine *e, unsigned to, uint64_t tenant, const struct th_event_row *row,
                    uint32_t left, int64_t accepted_us);
void th_offers_send(struct th_engine *e);
void th_offers_free(struct th_engine *e);
#endif
