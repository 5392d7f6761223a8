/* Deliveries of one line that go in one request. Those beside the first, whose attempt makes the request, are its mates. */
#ifndef TH_ENGINE_SHARD_BATCH_H
#define TH_ENGINE_SHARD_BATCH_H
#include "engine/engine.h"

struct th_attempt;

#define TH_BATCH_ID 32 /* with its NUL */

/** The mate behind `m`, or with NULL the first; NULL: there is none. */
struct th_attempt *th_batch_next(const struct th_attempt *a, const struct th_attempt *m);
/** Whether the endpoint's requests are lists. */
bool th_batch_is_list(const struct th_attempt *a);
/** Takes what follows an attempt in its line, so far as it may go in the same request. Their events are not in memory yet. */
void th_batch_gather(struct th_attempt *a);
/** Gives this mate and all behind it back to the scheduler, and releases them. NULL: nobody. */
void th_batch_return(struct th_attempt *a, struct th_attempt *from);
/** Gives back what has been cancelled, and from the first that has expired on all others. */
void th_batch_look(struct th_attempt *a);
/** A mate whose event is no more: the scheduler forgets it, and it is released. */
void th_batch_forget(struct th_attempt *m);
/** Releases the mates, and nothing else. */
void th_batch_release(struct th_attempt *a);
/** Appends an element to the list, which is empty or what this has written; its end is "]". sequence 0: it is in no line. */
void th_batch_element(struct th_span id, uint64_t sequence, bool plain, struct th_span body,
                      struct th_buf *out);
/** The id of a request for several deliveries, to TH_ORDER_BATCH_MAX: the same for the same events in the same order, and for no others. */
void th_batch_id(const uint64_t *events, unsigned count, char id[TH_BATCH_ID]);
/** Notes behind the signatures, which the attempts keep, which deliveries the request was for: the distance from each to the next, and its id. */
void th_batch_note(const struct th_attempt *a, const char *id, struct th_buf *sigs);
/** The request has ended, and its own attempt's row is complete: completes those of the mates. */
void th_batch_ended(struct th_attempt *a);
/** For the attempt's row: the first delivery of the request; 0: it was for one alone. */
uint64_t th_batch_first(const struct th_attempt *a);
#endif
