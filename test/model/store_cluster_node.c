/* A node of the shared store in memory, seen from its process: the writer with its batches, the lease, the slots, reads.
 *
 * It does what src/store/postgres does (postgres_commit.c, postgres_lease.c, postgres_share.c): one batch at a time; one whose answer did not come is
 * told apart on the next connection by its number, after which nothing of the old connection can be committed; a node that is
 * fenced begins anew; slots are taken and given up as store_slots.c says, which is the product's own.
 *
 * Invariants: (1) an operation is answered once; (2) what is answered is in no message that could still change anything, but
 * for batches of an earlier epoch, which the fence refuses. */
#include "base/list.h"
#include "model/store_cluster_int.h"
#include <stdlib.h>

#define WORD_LOOP(i) for (unsigned i = 0; i < TH_SLOT_WORDS; i++)
enum { LOOK_US = 250000, PUBLISH_US = 500000 };

static int64_t own_clock(const struct cl_node *n)
{
    return n->c->options.clock(n->c->options.ctx, n->id);
}

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE ||
           op->kind == TH_OP_STATS || op->kind == TH_OP_FOLLOW;
}

/* ---- operations ---- */

static void give(struct cl_node *n, struct cl_held *h)
{
    struct cl_session *s = &n->session;
    bool was_empty = s->done == NULL;

    h->op->next = NULL;
    *s->tail = h->op;
    s->tail = &h->op->next;
    th_free(h);
    if (was_empty && s->wake.fn)
        s->wake.fn(s->wake.ctx);
}

static void give_all(struct cl_node *n, struct cl_held **list, enum th_error error)
{
    while (*list) {
        struct cl_held *h = *list;

        *list = h->next;
        if (error)
            h->op->error = error;
        give(n, h);
    }
}

static void refuse_queued(struct cl_node *n)
{
    give_all(n, &n->queued, TH_RETRY);
    n->tail = &n->queued;
}

static bool take_read(struct cl_node *n, const struct cl_held *wanted)
{
    for (struct cl_held **at = &n->reads; *at; at = &(*at)->next)
        if (*at == wanted) {
            *at = (*at)->next;
            return true;
        }
    return false;
}

/* ---- messages ---- */

static struct cl_message *message(struct cl_node *n, enum cl_kind kind)
{
    struct cl_message *m = th_calloc(1, sizeof *m);

    if (!m)
        abort();
    *m = (struct cl_message){.kind = kind,
                             .node = n,
                             .life = n->life,
                             .connection = n->connection,
                             .epoch = n->epoch,
                             .seq = n->seq,
                             .sent_us = own_clock(n)};
    return m;
}

static void ask(struct cl_node *n, struct cl_message *m)
{
    n->busy = true;
    cl_send(m);
}

static void send_batch(struct cl_node *n)
{
    struct cl_message *m;

    n->batch->epoch = n->epoch;
    n->batch->seq = ++n->seq;
    n->batch->sent_us = own_clock(n);
    m = message(n, CL_BATCH);
    m->batch = n->batch;
    ask(n, m);
}

static void make_batch(struct cl_node *n)
{
    struct cl_batch *b = th_calloc(1, sizeof *b);

    if (!b)
        abort();
    b->node = n;
    b->ops = n->queued;
    b->next = n->c->batches;
    n->c->batches = b;
    n->queued = NULL;
    n->tail = &n->queued;
    n->batch = b;
}

static void fenced(struct cl_node *n)
{
    n->broken = true;
    n->confirmed_us = 0;
    n->c->counts.fenced++;
    n->c->options.lost(n->c->options.ctx, n->id);
}

static void end_batch(struct cl_node *n)
{
    struct cl_batch *b = n->batch;

    n->batch = NULL;
    b->done = true;
    give_all(n, &b->ops, TH_OK);
}

static void look(struct cl_node *n)
{
    struct cl_message *m = message(n, CL_LOOK);

    m->leaves = n->leaves;
    ask(n, m);
}

/* ---- slots ---- */

static void note_slots(struct cl_node *n, const struct cl_message *m, const uint64_t *gives, uint64_t *let_go)
{
    int64_t now = own_clock(n);

    memset(n->owned, 0, sizeof n->owned);
    for (unsigned i = 0; i < TH_SLOTS; i++) {
        if (m->view->owner[i] == (int)n->id)
            n->owned[i / 64] |= UINT64_C(1) << i % 64;
        n->fenced_us[i] = m->ago_us[i] < 0 ? INT64_MIN : now - m->ago_us[i];
    }
    WORD_LOOP(i)
    {
        n->give[i] = gives[i];
        let_go[i] = gives[i] & ~n->held[i] & n->owned[i];
    }
}

static void looked(struct cl_node *n, struct cl_message *m)
{
    uint64_t gives[TH_SLOT_WORDS] = {0}, let_go[TH_SLOT_WORDS];
    struct cl_message *move;
    int dead = st_slots_dead(m->view, 0);

    n->look_at_us = n->c->now_us + (n->leaves ? LOOK_US / 3 : LOOK_US);
    if (n->leaves)
        memset(gives, 255, sizeof gives);
    else if (!st_slots_works(m->view, (int)n->id))
        return;
    if (dead && !n->leaves) {
        move = message(n, CL_BURY);
        move->dead = dead;
        ask(n, move);
        return;
    }
    if (!n->leaves)
        st_slots_give(m->view, (int)n->id, gives);
    note_slots(n, m, gives, let_go);
    move = message(n, CL_MOVE);
    memcpy(move->give, let_go, sizeof let_go);
    if (!n->leaves)
        st_slots_take(m->view, (int)n->id, move->take);
    if (st_slots_any(move->give) || st_slots_any(move->take))
        ask(n, move);
    else
        th_free(move);
}

/* ---- answers ---- */

static bool is_young(struct cl_node *n)
{
    return n->confirmed_us && own_clock(n) - n->confirmed_us < n->c->options.lease_us / 10 * 7;
}

static void renewed(struct cl_node *n, int64_t sent_us)
{
    n->lapses += !is_young(n);
    n->confirmed_us = sent_us;
}

static void followed(struct cl_node *n, struct th_follow *f, unsigned lapses)
{
    if (lapses != n->lapses_read) {
        n->lapses_read = lapses;
        n->lapse_upto = f->upto;
    }
    if (f->seen >= n->lapse_upto)
        n->caught_up = n->lapses_read;
    n->tell_soon = n->tell_soon || f->cancelled_count || f->erased_count;
    for (uint32_t i = 0; i < f->row_count; i++)
        n->tell_soon = n->tell_soon || f->rows[i].kind != TH_ROW_HEALTH;
}

static void resolved(struct cl_node *n, struct cl_message *m)
{
    n->epoch = m->epoch;
    renewed(n, m->sent_us);
    n->away = false;
    if (n->batch && m->seq >= n->batch->seq) {
        n->seq = m->seq;
        end_batch(n);
        return;
    }
    n->seq = m->seq;
    if (n->batch)
        send_batch(n); /* nothing of it has happened: once more */
}

void cl_answered(struct cl_message *m)
{
    struct cl_node *n = m->node;

    if (m->life != n->life || m->connection != n->connection || n->broken)
        return;
    if (m->kind == CL_READ || m->kind == CL_FOLLOW) {
        if (!take_read(n, m->held))
            return;
        if (m->kind == CL_FOLLOW)
            followed(n, (struct th_follow *)m->held->op, m->lapses);
        give(n, m->held);
        return;
    }
    n->busy = false;
    if (!m->ok) {
        fenced(n);
        return;
    }
    switch ((int)m->kind) {
    case CL_BATCH:
        renewed(n, n->batch->sent_us);
        end_batch(n);
        break;
    case CL_RESOLVE:
        resolved(n, m);
        break;
    case CL_LOOK:
        looked(n, m);
        break;
    default: /* what has come of it is seen at once */
        look(n);
    }
}

/* ---- the connection ---- */

void cl_lose(struct cl_node *n)
{
    if (!n->up || n->away || n->broken)
        return;
    n->connection++;
    n->away = true;
    n->busy = false;
    n->c->counts.unknown += n->batch != NULL;
    n->retry_at_us = n->c->now_us + cl_below(n->c, 200000);
    give_all(n, &n->reads, TH_RETRY);
}

static void reconnect(struct cl_node *n)
{
    refuse_queued(n);
    if (n->c->now_us < n->retry_at_us)
        return;
    n->busy = false; /* what was asked has been given up */
    n->retry_at_us = n->c->now_us + 50000 + cl_below(n->c, 500000);
    if (!th_cluster_reaches(n->c, n->id))
        return;
    n->connection++;
    ask(n, message(n, CL_RESOLVE));
}

void cl_work(struct cl_node *n)
{
    struct th_cluster *c = n->c;
    int64_t ttl = c->options.lease_us;

    if (!n->up || n->frozen || n->broken)
        return;
    if (n->hears_at_us && c->now_us >= n->hears_at_us) {
        n->hears_at_us = 0;
        cl_lose(n);
    }
    if (n->away) {
        reconnect(n);
        return;
    }
    if (n->busy)
        return;
    if (c->now_us >= n->look_at_us) {
        n->look_at_us = c->now_us + LOOK_US;
        look(n);
    } else if (n->queued || own_clock(n) - n->confirmed_us >= ttl / 5) {
        make_batch(n);
        send_batch(n);
    }
}

int64_t cl_next_us(const struct cl_node *n)
{
    int64_t at;

    if (!n->up || n->frozen || n->broken)
        return INT64_MAX;
    at = n->hears_at_us ? n->hears_at_us : INT64_MAX;
    if (n->away)
        return n->retry_at_us < at ? n->retry_at_us : at;
    if (n->busy)
        return at;
    if (n->queued)
        return n->c->now_us;
    if (n->look_at_us < at)
        at = n->look_at_us;
    return at; /* a look comes more often than a renewal */
}

static void bury_op(struct cl_node *n, struct th_op *op)
{
    if (!n->c->options.bury)
        return;
    n->c->options.bury(n->c->options.ctx, op);
    n->c->options.bury(n->c->options.ctx, op->user);
}

static void bury(struct cl_node *n, struct cl_held *list)
{
    for (struct cl_held *h = list; h; h = h->next)
        bury_op(n, h->op);
}

static void free_held(struct cl_held **list)
{
    for (struct cl_held *h; (h = *list);) {
        *list = h->next;
        th_free(h);
    }
}

/** The process is gone. What it had submitted is nobody's any more. */
void cl_forget(struct cl_node *n)
{
    n->life++;
    n->up = n->frozen = n->busy = n->away = n->broken = false;
    for (unsigned i = 0; i < n->waiting_n; i++) {
        th_free(n->waiting[i]->view);
        th_free(n->waiting[i]);
    }
    n->waiting_n = 0;
    n->hears_at_us = 0;
    bury(n, n->batch ? n->batch->ops : NULL);
    n->batch = NULL; /* a message of it may be under way */
    bury(n, n->queued);
    bury(n, n->reads);
    free_held(&n->queued);
    free_held(&n->reads);
    n->tail = &n->queued;
    for (struct th_op *op = n->session.done; op; op = op->next)
        bury_op(n, op);
    n->session = (struct cl_session){0};
    n->confirmed_us = 0;
}

/* ---- the port ---- */

static struct cl_node *node_of(struct th_store *store)
{
    return (struct cl_node *)store;
}

static enum th_error port_settings(struct th_store *store, void (*row)(void *, const struct th_row *),
                                   void *ctx)
{
    struct cl_node *n = node_of(store);

    n->start = n->c->position;
    return n->c->memory->vt->settings(n->c->memory, row, ctx);
}

static enum th_error port_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                            struct th_buf *out)
{
    struct th_store *memory = node_of(store)->c->memory;

    return memory->vt->endpoint_settings(memory, endpoint, rev, out);
}

static enum th_error port_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct cl_node *n = node_of(store);

    n->session = (struct cl_session){.node = n, .wake = wake, .tail = &n->session.done};
    *out = (struct th_session *)(void *)&n->session;
    return TH_OK;
}

/** What the engine has been told, it may work for from now on. */
static void give_slots(struct cl_node *n, struct th_follow *f)
{
    n->leaves = f->leaves;
    WORD_LOOP(i)
    {
        f->slots[i] = f->leaves ? 0 : n->owned[i] & ~n->give[i];
        n->held[i] = f->have[i] | f->slots[i];
    }
}

static void begin_read(struct cl_node *n, struct cl_held *h)
{
    struct cl_message *m;

    h->next = n->reads;
    n->reads = h;
    if (n->away || n->broken) {
        n->reads = h->next;
        h->op->error = TH_RETRY;
        give(n, h);
        return;
    }
    m = message(n, h->op->kind == TH_OP_FOLLOW ? CL_FOLLOW : CL_READ);
    m->held = h;
    if (h->op->kind == TH_OP_FOLLOW) {
        struct th_follow *f = (struct th_follow *)h->op;
        give_slots(n, f);
        m->lapses = n->lapses;
        if (!f->seen)
            f->seen = n->start;
        if (n->tell_soon || n->c->now_us >= n->publish_at_us) {
            m->applied = f->seen;
            n->tell_soon = false;
            n->publish_at_us = n->c->now_us + PUBLISH_US;
        }
    }
    cl_send(m);
}

static void port_submit(struct th_session *session, struct th_op *op)
{
    struct cl_node *n = ((struct cl_session *)(void *)session)->node;
    struct cl_held *h = th_calloc(1, sizeof *h);

    if (!h)
        abort();
    *h = (struct cl_held){.op = op, .read = is_read(op)};
    op->session = session;
    if (op->kind == TH_OP_ACCEPT)
        h->no = ((struct th_accept *)op)->events[0].no;
    if (h->read) {
        begin_read(n, h);
        return;
    }
    *n->tail = h;
    n->tail = &h->next;
}

static unsigned port_drain(struct th_session *session, unsigned max)
{
    struct cl_session *s = (struct cl_session *)(void *)session;
    unsigned count = 0;

    for (; count < max && s->done; count++) {
        struct th_op *op = s->done;

        s->done = op->next;
        if (!s->done)
            s->tail = &s->done;
        op->next = NULL;
        op->done(op);
    }
    return count;
}

static void port_detach(struct th_session *session)
{
    (void)session;
}

static void port_page_free(struct th_store *store, struct th_page *page)
{
    (void)store;
    mem_page_free(page);
}

static void port_usage(struct th_store *store, uint64_t tenant, struct th_usage *out)
{
    *out = mem_usage(node_of(store)->c->db, tenant);
}

static bool port_may_send(struct th_store *store)
{
    struct cl_node *n = node_of(store);

    return is_young(n) && n->lapses == n->caught_up;
}

static bool port_is_shared(struct th_store *store)
{
    (void)store;
    return true;
}

static int64_t port_fenced_ms(struct th_store *store, unsigned slot)
{
    struct cl_node *n = node_of(store);

    return n->fenced_us[slot] == INT64_MIN ? -1 : (own_clock(n) - n->fenced_us[slot]) / 1000;
}

static void port_close(struct th_store *store)
{
    (void)store;
}

const struct th_store_vt cl_node_vt = {.settings = port_settings,
                                       .endpoint_settings = port_endpoint_settings,
                                       .attach = port_attach,
                                       .submit = port_submit,
                                       .drain = port_drain,
                                       .detach = port_detach,
                                       .page_free = port_page_free,
                                       .usage = port_usage,
                                       .may_send = port_may_send,
                                       .is_shared = port_is_shared,
                                       .fenced_ms = port_fenced_ms,
                                       .close = port_close};
