/* Letters between the engines of one process, and which engine owns what.
 *
 * An endpoint belongs to the engine whose number is the endpoint's modulo the number of engines: its
 * deliveries, its health and what has been learnt about it are only there. Engine 0 is home: settings change
 * there, and the jobs of the installation run there. Letters that are sent in a turn leave at its end,
 * together, so a receiver is woken once for many.
 *
 * With one engine every letter goes to that engine itself and runs in its next turn; no post is asked. */
#include "engine/mail.h"
#include "base/check.h"
#include "engine/context.h"
#include "engine/state.h"

void th_mail_init(struct th_engine *e)
{
    th_list_init(&e->inbox);
    for (unsigned i = 0; i < TH_SHARDS_MAX; i++)
        th_list_init(&e->outbox[i]);
}

void th_mail_send(struct th_engine *e, unsigned to, struct th_mail *m,
                  void (*run)(struct th_engine *to, struct th_mail *m))
{
    TH_CHECK(to == e->options.shard || to < e->options.shards);
    m->run = run;
    if (to == e->options.shard) {
        th_list_append(&e->inbox, &m->link);
        e->more = true;
        return;
    }
    th_list_append(&e->outbox[to], &m->link);
    e->mail_waits = true;
}

/* Letters for which this turn has no time wait before those that come. */
void th_mail_turn(struct th_engine *e)
{
    struct th_list *l;
    unsigned n = 0;

    if (e->options.shards > 1)
        e->options.post.take(e->options.post.ctx, e->options.shard, &e->inbox);
    while (!e->dead && (l = th_list_pop(&e->inbox))) {
        struct th_mail *m = TH_CONTAINER(l, struct th_mail, link);
        m->run(e, m);
        if (++n % 8 == 0 && th_engine_turn_over(e, TH_TURN_DRAIN_US))
            break;
    }
    if (!th_list_empty(&e->inbox))
        e->more = true;
}

void th_mail_flush(struct th_engine *e)
{
    if (!e->mail_waits)
        return;
    e->mail_waits = false;
    for (unsigned i = 0; i < e->options.shards; i++)
        if (!th_list_empty(&e->outbox[i]))
            e->options.post.send(e->options.post.ctx, e->options.shard, i, &e->outbox[i]);
}

bool th_mail_pending(const struct th_engine *e)
{
    return e->mail_waits || !th_list_empty(&e->inbox);
}
