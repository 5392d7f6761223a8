/* From a row of an inbox to an event for the engine. */
#ifndef TH_APP_INBOX_EVENT_H
#define TH_APP_INBOX_EVENT_H
#include "base/arena.h"
#include "engine/engine.h"
#include "store/postgres/postgres_inbox.h"

#define TH_INBOX_REASON 300

/** Reads a row, whose texts stay where they are. TH_INVALID: it can never be accepted, `why` says why. TH_NOMEM. */
TH_MUST_USE enum th_error th_inbox_event(const struct th_inbox_row *row, uint64_t max_bytes,
                                         struct th_arena *mem, struct th_publish_event *out,
                                         char why[TH_INBOX_REASON]);
#endif
