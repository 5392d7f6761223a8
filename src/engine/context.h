/* Functions that every part of the engine calls, and that call none of them: the clock, randomness, the
 * store, deferred calls. */
#ifndef TH_ENGINE_CONTEXT_H
#define TH_ENGINE_CONTEXT_H
#include "engine/state.h"

/* A turn of the loop shall take less than 10 ms. These are the marks, in microseconds, at which a part of the turn begins
 * nothing further; each does one step at least, and no step takes more than some milliseconds. */
#define TH_TURN_DRAIN_US 2500
#define TH_TURN_DEFERRED_US 3000
#define TH_TURN_DISPATCH_US 4500

#define TH_KEEP_BUFFER (64u << 10) /* a buffer that is used again gives its memory back if it has more */

/** The part of something shared by all engines of the process that one engine may use. */
static inline size_t th_part(const struct th_engine *e, size_t all)
{
    return e->options.shards > 1 ? all / e->options.shards : all;
}

/** Gives the memory of a large buffer back, between two uses. */
static inline void th_buf_shrink(struct th_buf *b)
{
    if (b->cap > TH_KEEP_BUFFER)
        th_buf_fini(b);
}

/** Reads the clock: at the start of a turn and of every call from outside it. */
static inline void th_engine_tick(struct th_engine *e)
{
    e->stirred = true;
    e->now = e->options.clock.now(e->options.clock.ctx);
}

/** True when a dialect refuses plain http here: always, or because this is production. */
static inline bool th_https_required(const struct th_engine *e, const struct th_dialect_values *v)
{
    return v->https == TH_HTTPS_ALWAYS || (v->https == TH_HTTPS_PRODUCTION && e->options.production);
}

void th_engine_submit(struct th_engine *e, struct th_op *op);
/** True when this turn has taken so much of the loop's time, including the time that was spent before it.
 * Reads the clock. */
bool th_engine_turn_over(const struct th_engine *e, int64_t us);
void th_engine_store_error(struct th_engine *e, enum th_error error);
void th_engine_random(struct th_engine *e, void *p, size_t n);
uint32_t th_engine_rnd32(struct th_engine *e);
#endif
