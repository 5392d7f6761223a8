/* Background work: the walk over the queue at start, refills of spilled endpoints, cancellation of a deleted endpoint's
 * deliveries, retries by hand, retention, the readiness probe. Everything in bounded steps beside the deliveries. */
#include "engine/internal.h"

/* ---- start: insert what is not finished; what is known already stays as it is ---- */

/* The rules may be others than those of before the stop, and a disabling may have found no memory. */
static void evaluate_rules(struct th_engine *e)
{
    for (unsigned i = 0; i < e->tenant_count; i++) {
        const struct th_tenant *t = e->tenants[i];
        for (unsigned k = 0; k < t->endpoint_count; k++) {
            enum th_disable why =
                th_health_check(&th_dialect_values(t->dialect)->rules, &t->endpoints[k]->health);
            if (why != TH_KEEP && th_is_mine(e, t->endpoints[k]->no))
                (void)th_endpoint_disable(e, TH_CONTAINER(t->endpoints[k], struct th_ep, pub), why, NULL);
        }
    }
}

static void walked(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_walk *w = &e->walk;

    e->walk_busy = false;
    if (op->error) { /* asked again from the same number */
        th_engine_store_error(e, op->error);
        e->walk_at.us = e->now.mono.us + 1000000;
        return;
    }
    if (e->walk_void) { /* a row may have ended after it was read: read again */
        e->walk_void = false;
        return;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        const struct th_queue_row *row = &w->rows[i];
        if (e->walk_below &&
            row->no >= e->walk_below) { /* accepted since the start: told then, ended since perhaps */
            w->next = 0;
            break;
        }
        th_offer_row(e, row, th_clock_due(e, row));
    }
    w->from = w->next;
    if (w->next == 0) {
        e->walking = false;
        evaluate_rules(e);
        th_log(TH_LOG_INFO, "queue loaded", TH_KI("deliveries", th_sched_stats(e->sched).items));
    }
}

void th_recover_begin(struct th_engine *e)
{
    e->walking = true;
    e->erase_left = th_is_home(e);
    e->walk.from = 0;
}

void th_recover_again(struct th_engine *e, uint64_t from)
{
    if (!e->walking || from < e->walk.from)
        e->walk.from = from;
    e->walking = true;
    e->walk_below = 0;
    e->walk_void = e->walk_busy; /* what is being read may begin behind it */
    e->more = true;
}

void th_recover_turn(struct th_engine *e)
{
    if (!e->walking || e->walk_busy || e->draining || e->dead || e->now.mono.us < e->walk_at.us)
        return;
    e->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = walked, .user = e};
    e->walk.endpoint = 0;
    e->walk.shards = e->options.shards;
    e->walk.shard = e->options.shard;
    e->walk.max = TH_WALK_BATCH;
    e->walk.rows = e->walk_rows;
    e->walk_busy = true;
    th_engine_submit(e, &e->walk.op);
}

/* ---- refills ---- */

struct refill {
    struct th_walk walk;
    struct th_engine *e;
    struct th_mono due[1024];
    struct th_queue_row rows[1024];
};

static void refilled(struct th_op *op)
{
    struct refill *r = op->user;
    struct th_engine *e = r->e;

    e->ops_out--;
    if (op->error)
        th_engine_store_error(e, op->error);
    for (uint32_t i = 0; !op->error && i < r->walk.count; i++)
        r->due[i] = th_clock_due(e, &r->rows[i]);
    th_sched_refilled(e->sched, r->walk.endpoint, r->rows, r->due, op->error ? 0 : r->walk.count,
                      r->walk.next, op->error != TH_OK, e->now.mono);
    th_free(r);
}

void th_refill_turn(struct th_engine *e)
{
    struct th_want want;

    while (!e->draining && !e->dead && e->ops_out < 64 && th_sched_want(e->sched, &want)) {
        struct refill *r = th_calloc(1, sizeof *r);
        if (!r) {
            th_sched_refilled(e->sched, want.endpoint, NULL, NULL, 0, 0, true, e->now.mono);
            return;
        }
        r->e = e;
        r->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = refilled, .user = r};
        r->walk.from = want.from;
        r->walk.endpoint = want.endpoint;
        r->walk.max = want.max < 1024 ? want.max : 1024;
        r->walk.rows = r->rows;
        e->ops_out++;
        th_engine_submit(e, &r->walk.op);
    }
}

/* ---- a deleted endpoint: its queue rows move to cancelled, a thousand a step ---- */

struct cancel_job {
    struct th_list link;
    struct th_engine *e;
    uint64_t endpoint;
    bool again; /* rows came while it ran: once more from the start */
    struct th_walk walk;
    struct th_move move;
    struct th_queue_row rows[1000];
    uint64_t nos[1000];
    bool moved[1000];
};

static void cancel_walk(struct cancel_job *j);

static void cancel_end(struct cancel_job *j)
{
    j->e->cancelling = NULL;
    j->e->ops_out--;
    th_free(j);
}

static void cancel_step_done(struct th_op *op)
{
    struct cancel_job *j = op->user;
    struct th_engine *e = j->e;

    if (op->error == TH_UNKNOWN && op->kind == TH_OP_MOVE) {
        th_engine_submit(e, op);
        return;
    }
    if (op->error) { /* the same walk again, a little later */
        uint64_t endpoint = j->endpoint;
        th_engine_store_error(e, op->error);
        cancel_end(j);
        th_cancel_endpoint(e, endpoint);
        e->cancel_at.us = e->now.mono.us + 1000000;
        return;
    }
    for (uint32_t i = 0; i < j->move.count; i++)
        if (j->moved[i]) {
            th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, 1);
            th_sched_cancel(e->sched, j->nos[i]);
            th_event_settled(e, j->rows[i].event);
        }
    j->walk.from = j->walk.next;
    if (e->draining) { /* the walk at the next start finds the rest */
        cancel_end(j);
        return;
    }
    if (j->walk.next == 0 && j->again) {
        j->again = false;
        j->walk.from = 0;
    } else if (j->walk.next == 0) {
        cancel_end(j);
        return;
    }
    cancel_walk(j);
}

static void cancel_walked(struct th_op *op)
{
    struct cancel_job *j = op->user;

    if (op->error || j->walk.count == 0) {
        j->move.count = 0;
        j->walk.next = op->error ? 0 : j->walk.next;
        cancel_step_done(op);
        return;
    }
    for (uint32_t i = 0; i < j->walk.count; i++)
        j->nos[i] = j->rows[i].no;
    j->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = cancel_step_done, .user = j},
                               .what = TH_MOVE_CANCEL,
                               .at = j->e->now.wall,
                               .count = j->walk.count,
                               .deliveries = j->nos,
                               .moved = j->moved};
    th_engine_submit(j->e, &j->move.op);
}

static void cancel_walk(struct cancel_job *j)
{
    j->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = cancel_walked, .user = j};
    j->walk.endpoint = j->endpoint;
    j->walk.max = 1000;
    j->walk.rows = j->rows;
    th_engine_submit(j->e, &j->walk.op);
}

static void cancel_begin(struct th_engine *e)
{
    uint64_t endpoint;
    struct cancel_job *j;

    if (e->cancelling || e->cancel_count == 0 || e->draining || e->dead || e->now.mono.us < e->cancel_at.us)
        return;
    j = th_calloc(1, sizeof *j);
    if (!j)
        return;
    endpoint = e->cancels[--e->cancel_count];
    (void)th_map_del(&e->cancels_known, endpoint);
    j->e = e;
    j->endpoint = endpoint;
    e->cancelling = j;
    e->ops_out++;
    cancel_walk(j);
}

struct cancel_letter {
    struct th_mail mail;
    uint64_t endpoint;
};

static void cancel_asked(struct th_engine *e, struct th_mail *m)
{
    struct cancel_letter *l = TH_CONTAINER(m, struct cancel_letter, mail);

    th_cancel_endpoint(e, l->endpoint);
    th_free(l);
}

static void ask_owner(struct th_engine *e, uint64_t endpoint)
{
    struct cancel_letter *l = th_calloc(1, sizeof *l);

    if (!l)
        return; /* found again by the walk at the next start */
    l->endpoint = endpoint;
    th_mail_send(e, th_owner(e, endpoint), &l->mail, cancel_asked);
}

void th_cancel_endpoint(struct th_engine *e, uint64_t endpoint)
{
    if (!th_is_mine(e, endpoint)) {
        ask_owner(e, endpoint);
        return;
    }
    if (e->cancelling && e->cancelling->endpoint == endpoint) {
        e->cancelling->again = true;
        return;
    }
    if (th_map_get(&e->cancels_known, endpoint))
        return;
    if (e->cancel_count == e->cancel_cap) {
        uint32_t cap = e->cancel_cap ? e->cancel_cap * 2 : 16;
        uint64_t *v = th_realloc(e->cancels, cap * sizeof *v);
        if (!v)
            return; /* found again by the walk at the next start */
        e->cancels = v;
        e->cancel_cap = cap;
    }
    if (th_map_put(&e->cancels_known, endpoint, e) == TH_OK) /* else as above */
        e->cancels[e->cancel_count++] = endpoint;
}

/* ---- retry by hand ---- */

struct retry_impl {
    struct th_mail mail;
    unsigned from;
    struct th_move move;
    struct th_engine *e; /* the owner of the delivery */
    struct th_retry_now *r;
    struct th_queue_row row;
    bool moved;
};

static void retry_known(struct th_engine *e, struct th_mail *m)
{
    struct retry_impl *i = TH_CONTAINER(m, struct retry_impl, mail);
    struct th_retry_now *r = i->r;

    e->letters_out--;
    th_free(i);
    r->done(r);
}

static void retried(struct th_op *op)
{
    struct retry_impl *i = op->user;
    struct th_engine *e = i->e;
    struct th_retry_now *r = i->r;

    if (op->error ==
        TH_UNKNOWN) { /* what is committed must be known here too: a second time has no further effect */
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    r->error = op->error        ? op->error
               : i->moved       ? TH_OK
               : i->move.gone   ? TH_CONFLICT
               : i->move.erased ? TH_INVALID
                                : TH_NOT_FOUND;
    if (r->error)
        th_sched_unask(e->sched, r->delivery);
    if (op->error)
        th_engine_store_error(e, op->error);
    else if (i->moved)
        th_offer(e, &i->row);
    th_mail_send(e, i->from, &i->mail, retry_known);
}

static void retry_begin(struct th_engine *e, struct th_mail *m)
{
    struct retry_impl *i = TH_CONTAINER(m, struct retry_impl, mail);
    struct th_retry_now *r = i->r;

    i->e = e;
    i->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = retried, .user = i},
                               .what = TH_MOVE_RETRY,
                               .lane = TH_LANE_MANUAL,
                               .at = e->now.wall,
                               .count = 1,
                               .deliveries = &r->delivery,
                               .moved = &i->moved,
                               .rows = &i->row};
    e->ops_out++;
    /* its outcome is stored after this and must not end what is asked for */
    r->under_way = th_sched_ask(e->sched, r->delivery);
    th_engine_submit(e, &i->move.op);
}

void th_engine_retry(struct th_engine *e, struct th_retry_now *r)
{
    struct retry_impl *i = th_calloc(1, sizeof *i);

    th_engine_tick(e);
    if (!i) {
        r->error = TH_NOMEM;
        r->done(r);
        return;
    }
    i->r = r;
    i->from = e->options.shard;
    e->letters_out++;
    if (th_is_mine(e, r->endpoint))
        retry_begin(e, &i->mail);
    else
        th_mail_send(e, th_owner(e, r->endpoint), &i->mail, retry_begin);
}

/* ---- retention and readiness ---- */

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

/* What is gone is not sent. Without memory: a request may still go out, whose outcome finds no delivery. */
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

    if (short_us > 0 && short_us < wait_us) /* a short retention is kept to a quarter */
        wait_us = short_us < 250000 ? 250000 : short_us;
    e->purge_busy = false;
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
    e->purge_at.us = e->now.mono.us + wait_us;
}

static void purge_begin(struct th_engine *e)
{
    int64_t day = 86400000;

    if (!th_is_home(e) || e->purge_busy || e->draining || e->now.mono.us < e->purge_at.us)
        return;
    e->purge =
        (struct th_purge){.op = {.kind = TH_OP_PURGE, .done = purged, .user = e},
                          .before = {e->options.retention_ms ? e->now.wall.ms - e->options.retention_ms : 0},
                          .idem_before = {e->now.wall.ms - 2 * day},
                          .max_events = 200,
                          .dropped = e->purge_dropped,
                          .dropped_max = TH_MAX_DROPPED};
    e->purge_busy = true;
    th_engine_submit(e, &e->purge.op);
}

static void probed(struct th_op *op)
{
    struct th_engine *e = op->user;

    e->probe_busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        e->probe_at.us = e->now.mono.us + 1000000;
        return;
    }
    e->store_ok = true;
    if (!th_is_home(e))
        return;
    th_gauge_set(e->options.metrics, TH_G_STORE_READY, 1);
    th_log(TH_LOG_INFO, "store commits again: publishing is accepted",
           TH_KI("pending", th_sched_stats(e->sched).items));
}

static void probe_begin(struct th_engine *e)
{
    if (e->store_ok || e->probe_busy || e->now.mono.us < e->probe_at.us)
        return;
    e->probe.op = (struct th_op){.kind = TH_OP_PROBE, .done = probed, .user = e};
    e->probe_busy = true;
    th_engine_submit(e, &e->probe.op);
}

struct th_mono th_jobs_turn(struct th_engine *e)
{
    struct th_mono next = e->purge_at;

    if (e->dead)
        return TH_MONO_NEVER;
    th_measure_turn(e);
    th_health_turn(e, e->draining || e->health_flipped);
    cancel_begin(e);
    purge_begin(e);
    probe_begin(e);
    th_gauge_set(e->options.metrics, TH_G_DELIVERIES_IN_MEMORY, th_sched_stats(e->sched).items);
    if (!e->store_ok && !e->probe_busy && e->probe_at.us < next.us)
        next = e->probe_at;
    if (e->cancel_count && !e->cancelling && e->cancel_at.us < next.us)
        next = e->cancel_at;
    if (e->walking && !e->walk_busy && e->walk_at.us < next.us)
        next = e->walk_at;
    if (th_erase_next(e).us < next.us)
        next = th_erase_next(e);
    if (th_hurries_next(e).us < next.us)
        next = th_hurries_next(e);
    if (th_rewrap_next(e).us < next.us)
        next = th_rewrap_next(e);
    if (!th_list_empty(&e->dirty) && next.us > e->now.mono.us + TH_HEALTH_FLUSH_MS * 1000)
        next.us = e->now.mono.us + TH_HEALTH_FLUSH_MS * 1000;
    if (e->draining)
        return th_list_empty(&e->dirty) ? TH_MONO_NEVER : (struct th_mono){e->now.mono.us + 1000000};
    return e->purge_busy && next.us == e->purge_at.us ? TH_MONO_NEVER : next;
}
