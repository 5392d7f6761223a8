/* Letters between the engines of one process, and which engine owns an endpoint. */
#ifndef TH_ENGINE_MAIL_H
#define TH_ENGINE_MAIL_H
#include "engine/state.h"

/** The engine to which an endpoint's deliveries, health and jobs belong. */
static inline unsigned th_owner(const struct th_engine *e, uint64_t endpoint)
{
    return e->options.shards < 2 ? e->options.shard : (unsigned)(endpoint % e->options.shards);
}

static inline bool th_is_mine(const struct th_engine *e, uint64_t endpoint)
{
    return th_owner(e, endpoint) == e->options.shard &&
           (!e->shared || th_slots_have(e->slots, th_slot_of(endpoint)));
}

/** Whether this node does what one node does for all: the one that has slot 0. */
static inline bool th_is_first(const struct th_engine *e)
{
    return !e->shared || th_slots_have(e->slots, 0);
}

/** The engine that has the settings and changes them. */
static inline bool th_is_home(const struct th_engine *e)
{
    return e->options.shard == 0;
}

void th_mail_init(struct th_engine *e);
/** The letter leaves at the end of the turn; `run` is called in a turn of the receiver, which may be the sender itself. */
void th_mail_send(struct th_engine *e, unsigned to, struct th_mail *m,
                  void (*run)(struct th_engine *to, struct th_mail *m));
void th_mail_turn(struct th_engine *e);
void th_mail_flush(struct th_engine *e);
bool th_mail_pending(const struct th_engine *e);
#endif
