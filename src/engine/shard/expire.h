/* Ends deliveries whose event has expired. */
#ifndef TH_ENGINE_SHARD_EXPIRE_H
#define TH_ENGINE_SHARD_EXPIRE_H
#include "engine/engine.h"

struct th_attempt;

/** Whether no request of the event may begin any more at this moment. */
static inline bool th_expire_has_come(const struct th_event_row *row, struct th_wall at)
{
    return row->more.expires_at && at.ms >= row->more.expires_at;
}
/** In place of a request: ends the delivery of this attempt, durably, and releases the attempt. */
void th_expire(struct th_attempt *a);
#endif
