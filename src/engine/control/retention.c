/* Retention: events older than the installation keeps them leave the store, in steps beside the deliveries. Home does it, and tells
 * the other engines up to which event nothing is sent any more. dropped.c says what had not been delivered. */
#include "engine/control/retention.h"
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/control/dropped.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/state.h"

struct purged_letter {
    struct th_mail mail;
    uint64_t upto;
};

static void purge_heard(struct th_engine *e, struct th_mail *m)
{
    struct purged_letter *l = TH_CONTAINER(m, struct purged_letter, mail);

    if (l->upto > e->purged_upto)
        e->purged_upto = l->upto;
    th_free(l);
}

/* Tells the other engines that deleted events are not sent any more. Without memory a request may still go
 * out, whose outcome then finds no delivery. */
static void tell_purged(struct th_engine *home)
{
    for (unsigned to = 1; to < home->options.shards; to++) {
        struct purged_letter *l = th_calloc(1, sizeof *l);
        if (!l)
            return;
        l->upto = home->purged_upto;
        th_mail_send(home, to, &l->mail, purge_heard);
    }
}

static void purged(struct th_op *op)
{
    struct th_engine *e = op->user;
    int64_t wait_us = 60000000, short_us = e->options.retention_ms * 250;

    if (short_us > 0 &&
        short_us < wait_us) /* a short retention is kept with the precision of a quarter of it */
        wait_us = short_us < 250000 ? 250000 : short_us;
    e->jobs[TH_JOB_RETENTION].busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
    } else {
        th_count(e->options.metrics, TH_C_RETENTION_DELETED, e->purge.purged);
        th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, e->purge.cancelled);
        if (e->purge.upto > e->purged_upto) {
            e->purged_upto = e->purge.upto;
            tell_purged(e);
        }
        if (e->purge.more)
            wait_us = 10000;
        th_dropped_note(e, &e->purge);
    }
    e->jobs[TH_JOB_RETENTION].at.us = e->now.mono.us + wait_us;
}

struct th_mono th_retention_wanted(const struct th_engine *e)
{
    return th_is_first(e) ? e->now.mono : TH_MONO_NEVER;
}

void th_retention_begin(struct th_engine *e)
{
    int64_t day = 86400000;

    e->purge =
        (struct th_purge){.op = {.kind = TH_OP_PURGE, .done = purged, .user = e},
                          .before = {e->options.retention_ms ? e->now.wall.ms - e->options.retention_ms : 0},
                          .idem_before = {e->now.wall.ms - 2 * day},
                          .max_events = 200,
                          .dropped = e->purge_dropped,
                          .dropped_max = TH_MAX_DROPPED};
    e->jobs[TH_JOB_RETENTION].busy = true;
    th_engine_submit(e, &e->purge.op);
}
