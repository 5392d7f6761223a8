/* The database that several nodes share, and the network between them and it. See store_cluster.h.
 *
 * Transactions that write have one order: each holds it from its beginning to its commit, which takes a while; the others wait. A
 * commit counts only if epoch and number of its batch still fit the row of its node. Messages arrive late, or never, where a
 * connection is cut; also a batch that its node has given up, and also one of a process that is dead.
 *
 * The log has a place for each commit, without a gap; a FOLLOW reads log and rows at one moment. */
#include "base/list.h"
#include "model/store_cluster_int.h"
#include <stdlib.h>

uint32_t cl_below(struct th_cluster *c, uint32_t n)
{
    return n ? (uint32_t)(c->options.draw(c->options.ctx) >> 16) % n : 0;
}

/* ---- the network ---- */

static void put(struct th_cluster *c, struct cl_message *m, int64_t at_us)
{
    if (th_heap_insert(&c->messages, &m->at, at_us, ++c->tie) != TH_OK)
        abort();
}

static void drop(struct cl_message *m)
{
    th_free(m->view);
    th_free(m);
}

void cl_send(struct cl_message *m)
{
    struct th_cluster *c = m->node->c;
    int64_t most = c->options.latency_us;

    if (cl_below(c, 100) == 0)
        most *= 20;
    put(c, m, c->now_us + 1 + cl_below(c, (uint32_t)most));
}

bool th_cluster_reaches(const struct th_cluster *c, unsigned node)
{
    return c->now_us >= c->down_until_us && c->now_us >= c->nodes[node - 1].cut_until_us;
}

static void answer(struct cl_message *m, bool ok)
{
    m->answer = true;
    m->ok = ok;
    cl_send(m);
}

/** False: it has not arrived. */
static bool passes(struct th_cluster *c, struct cl_message *m)
{
    if (th_cluster_reaches(c, m->node->id))
        return true;
    if (c->now_us < c->down_until_us || cl_below(c, 2)) {
        drop(m);
        return false;
    }
    put(c, m, m->node->cut_until_us + cl_below(c, (uint32_t)c->options.lease_us));
    c->counts.late++;
    return false;
}

static void arrive(struct th_cluster *c, struct cl_message *m)
{
    struct cl_node *n = m->node;

    if (!passes(c, m))
        return;
    if (!m->answer) {
        cl_execute(c, m);
        return;
    }
    if (!n->frozen) {
        cl_answered(m);
        drop(m);
    } else if (n->waiting_n < sizeof n->waiting / sizeof n->waiting[0]) {
        n->waiting[n->waiting_n++] = m;
    } else {
        abort();
    }
}

/* ---- what a commit tells ---- */

static void note(struct th_cluster *c, enum cl_note_kind kind, uint64_t a, uint64_t b, uint64_t x)
{
    if (c->note_n == c->note_cap) {
        c->note_cap = c->note_cap ? 2 * c->note_cap : 256;
        c->notes = th_realloc(c->notes, c->note_cap * sizeof *c->notes);
        if (!c->notes)
            abort();
    }
    c->notes[c->note_n++] = (struct cl_note){kind, a, b, x};
}

static bool note_settings(struct th_cluster *c, const struct th_settings_op *o)
{
    bool any = false;

    if (o->op.error || o->result != TH_SETTINGS_DONE)
        return false;
    for (uint32_t i = 0; i < o->count; i++) {
        const struct th_row *r = &o->rows[i];
        note(c, CL_ROW, r->kind, r->no, r->kind == TH_ROW_SECRET ? r->endpoint : r->tenant);
        any = any || r->kind != TH_ROW_HEALTH;
    }
    if (o->tenant && !o->keep_version) {
        note(c, CL_ROW, TH_ROW_TENANT, o->tenant, 0);
        any = true;
    }
    return any;
}

static void note_accept(struct th_cluster *c, const struct th_accept *a)
{
    for (uint32_t i = 0; a->result == TH_ACCEPT_NEW && i < a->count; i++)
        if (a->events[i].queued)
            note(c, CL_QUEUED, a->events[i].first_delivery, a->events[i].queued, 0);
}

static void note_move(struct th_cluster *c, const struct th_move *m)
{
    bool ends = m->what == TH_MOVE_CANCEL || m->what == TH_MOVE_EXPIRE;

    for (uint32_t i = 0; m->what != TH_MOVE_MARK && i < m->count; i++)
        if (m->moved[i])
            note(c, ends ? CL_CANCELLED : CL_MOVED, m->deliveries[i], 0, 0);
}

/** Returns whether settings have changed. */
static bool note_op(struct th_cluster *c, const struct th_op *op)
{
    if (op->error)
        return false;
    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        note_accept(c, (const struct th_accept *)op);
        return false;
    case TH_OP_FANOUT:
        for (uint32_t i = 0; i < ((const struct th_fanout *)op)->count; i++)
            note(c, CL_QUEUED, ((const struct th_fanout *)op)->rows[i].no, 1, 0);
        return false;
    case TH_OP_SETTLE: {
        const struct th_settle *s = (const struct th_settle *)op;
        return s->with && s->applied && note_settings(c, s->with);
    }
    case TH_OP_SETTINGS:
        return note_settings(c, (const struct th_settings_op *)op);
    case TH_OP_MOVE:
        note_move(c, (const struct th_move *)op);
        return false;
    case TH_OP_PURGE:
        note(c, CL_PURGED, ((const struct th_purge *)op)->upto, 0, 0);
        return false;
    case TH_OP_ERASE: {
        const struct th_erase *e = (const struct th_erase *)op;
        if (e->of)
            note(c, CL_ERASED, e->of, 0, 0);
        for (uint32_t i = 0; i < e->cancelled_count; i++)
            note(c, CL_CANCELLED, e->cancelled[i], 0, 0);
        return false;
    }
    default:
        return false;
    }
}

/* ---- transactions ---- */

static bool fits(const struct th_cluster *c, const struct cl_batch *b)
{
    const struct cl_row *row = &c->rows[b->node->id - 1];

    return row->epoch == b->epoch && row->seq == b->seq - 1;
}

static uint64_t others_settings(const struct th_cluster *c, unsigned node)
{
    for (uint64_t i = c->position; i-- > 0;)
        if (c->log[i].settings && c->log[i].node != node)
            return i + 1;
    return 0;
}

static void write_ops(struct th_cluster *c, struct cl_batch *b)
{
    uint64_t first = c->note_n;
    bool settings = false;

    if (c->position == c->log_cap) {
        c->log_cap = c->log_cap ? 2 * c->log_cap : 256;
        c->log = th_realloc(c->log, c->log_cap * sizeof *c->log);
        if (!c->log)
            abort();
    }
    c->db->position = c->position + 1;
    c->db->others_settings = others_settings(c, b->node->id);
    for (struct cl_held *h = b->ops; h; h = h->next) {
        if (h->op->kind == TH_OP_ACCEPT)
            ((struct th_accept *)h->op)->events[0].no = h->no;
        mem_write(c->db, h->op);
        settings |= note_op(c, h->op);
    }
    c->log[c->position++] = (struct cl_commit){
        .node = b->node->id, .settings = settings, .first = first, .count = c->note_n - first};
    c->counts.commits++;
}

void cl_commit(struct th_cluster *c, struct cl_message *m)
{
    struct cl_batch *b = m->batch;
    struct cl_row *row = &c->rows[b->node->id - 1];

    if (!fits(c, b) || b->done) {
        answer(m, false);
        return;
    }
    row->seq = b->seq;
    row->until_us = b->arrived_us + c->options.lease_us;
    if (b->ops)
        write_ops(c, b);
    answer(m, true);
}

static void run_next(struct th_cluster *c)
{
    if (c->running || !c->lock_n)
        return;
    c->running = c->lock[0];
    memmove(c->lock, c->lock + 1, --c->lock_n * sizeof c->lock[0]);
    c->commits_at_us = c->now_us + cl_below(c, c->options.commit_us);
}

static void resolve(struct th_cluster *c, struct cl_message *m)
{
    struct cl_row *row = &c->rows[m->node->id - 1];
    bool ours = row->epoch == m->epoch;

    if (ours) {
        row->epoch++;
        row->until_us = c->now_us + c->options.lease_us;
        m->epoch = row->epoch;
        m->seq = row->seq;
    }
    answer(m, ours);
}

static void look(struct th_cluster *c, struct cl_message *m)
{
    m->view = th_calloc(1, sizeof *m->view);
    if (!m->view)
        abort();
    if (m->leaves && c->rows[m->node->id - 1].epoch == m->epoch)
        c->rows[m->node->id - 1].works = false; /* so the others divide the slots without it */
    for (unsigned i = 0; i < c->options.nodes; i++)
        if (c->rows[i].epoch)
            st_slots_node(m->view, (int)i + 1, c->rows[i].until_us > c->now_us, c->rows[i].works);
    for (unsigned i = 0; i < TH_SLOTS; i++) {
        m->view->owner[i] = c->owner[i];
        m->ago_us[i] = c->fenced_us[i] < 0 ? -1 : c->now_us - c->fenced_us[i];
    }
    st_slots_divide(m->view);
    answer(m, true);
}

static void bury(struct th_cluster *c, struct cl_message *m)
{
    struct cl_row *row = &c->rows[m->dead - 1];

    if (row->until_us < c->now_us) {
        row->epoch++;
        row->works = false;
        c->counts.takeovers++;
        for (unsigned i = 0; i < TH_SLOTS; i++)
            if (c->owner[i] == m->dead) {
                c->owner[i] = 0;
                c->fenced_us[i] = c->now_us;
            }
    }
    answer(m, true);
}

static void move_slots(struct th_cluster *c, struct cl_message *m)
{
    int me = (int)m->node->id;
    bool is = c->rows[me - 1].epoch == m->epoch;

    for (unsigned i = 0; is && i < TH_SLOTS; i++) {
        if (th_slots_have(m->give, i) && c->owner[i] == me) {
            c->owner[i] = 0;
            c->counts.moved++;
        } else if (th_slots_have(m->take, i) && !c->owner[i]) {
            c->owner[i] = me;
        }
    }
    answer(m, true); /* a node that is not what it takes itself for is told by the fence of its next batch */
}

void cl_execute(struct th_cluster *c, struct cl_message *m)
{
    switch (m->kind) {
    case CL_BATCH:
        m->batch->arrived_us = c->now_us;
        if (!m->batch->ops) {
            cl_commit(c, m);
            return;
        }
        if (c->lock_n == sizeof c->lock / sizeof c->lock[0])
            abort();
        c->lock[c->lock_n++] = m;
        run_next(c);
        return;
    case CL_RESOLVE:
        resolve(c, m);
        return;
    case CL_LOOK:
        look(c, m);
        return;
    case CL_BURY:
        bury(c, m);
        return;
    case CL_MOVE:
        move_slots(c, m);
        return;
    default:
        break;
    }
    if (m->life != m->node->life || m->connection != m->node->connection) {
        drop(m); /* whoever asked hears no answer */
        return;
    }
    if (m->kind == CL_FOLLOW)
        cl_follow(c, m);
    else
        mem_read(c->db, m->held->op);
    answer(m, true);
}

/* ---- following ---- */

static void *another(struct th_follow *f, void *array, uint32_t *count, size_t size)
{
    void **v = array;

    if (!(*count & (*count - 1))) {
        void *more = th_arena_get(&f->mem, (*count ? *count * 2 : 1) * size);
        if (!more)
            abort();
        if (*count)
            memcpy(more, *v, *count * size);
        *v = more;
    }
    return (char *)*v + size * (*count)++;
}

static void add_row(struct th_follow *f, const struct th_row *row)
{
    struct th_row *to = another(f, &f->rows, &f->row_count, sizeof *to);

    *to = *row;
    if (!th_arena_copy(&f->mem, row->id, &to->id) || !th_arena_copy(&f->mem, row->settings, &to->settings))
        abort();
}

static bool is_listed(const struct th_follow *f, enum th_row_kind kind, uint64_t no)
{
    for (uint32_t i = 0; i < f->row_count; i++)
        if (f->rows[i].kind == kind && (kind == TH_ROW_META || f->rows[i].no == no))
            return true;
    return false;
}

static void read_row(struct th_cluster *c, struct th_follow *f, enum th_row_kind kind, uint64_t no)
{
    const struct mem_row *r;

    if (is_listed(f, kind, no))
        return;
    if (kind == TH_ROW_META) {
        for (size_t i = 0; i < c->db->rows.n; i++) {
            r = (const struct mem_row *)c->db->rows.v[i];
            if (r->row.kind == kind && !r->deleted)
                add_row(f, &r->row);
        }
        return;
    }
    r = mem_row_find(c->db, kind, no, TH_LIT(""));
    if (r && !r->deleted)
        add_row(f, &r->row);
    else
        add_row(f, &(struct th_row){
                       .kind = kind, .no = no, .del = true, .id = TH_LIT(""), .settings = TH_LIT("")});
}

static void read_settings(struct th_cluster *c, struct th_follow *f, const struct cl_note *news,
                          uint32_t count)
{
    for (int kind = TH_ROW_TENANT; kind <= TH_ROW_META; kind++) {
        if (kind == TH_ROW_SECRET) {
            for (uint32_t e = 0, n = f->row_count; e < n; e++)
                for (size_t i = 0; f->rows[e].kind == TH_ROW_ENDPOINT && !f->rows[e].del && i < c->db->rows.n;
                     i++) {
                    const struct mem_row *r = (const struct mem_row *)c->db->rows.v[i];
                    if (r->row.kind == TH_ROW_SECRET && !r->deleted && r->row.endpoint == f->rows[e].no)
                        add_row(f, &r->row);
                }
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            const struct cl_note *x = &news[i];
            if (x->kind != CL_ROW)
                continue;
            if (kind == TH_ROW_ENDPOINT && x->a == TH_ROW_SECRET)
                read_row(c, f, TH_ROW_ENDPOINT, x->c);
            else if (x->a == (uint64_t)kind)
                read_row(c, f, (enum th_row_kind)kind, x->b);
        }
    }
}

static void read_queue(struct th_cluster *c, struct th_follow *f, const struct cl_note *x)
{
    bool moved = x->kind == CL_MOVED;
    uint64_t count = moved ? 1 : x->b;

    if (f->queued_count + f->moved_count + count > c->options.follow_rows) {
        f->walk_from = !f->walk_from || x->a < f->walk_from ? x->a : f->walk_from;
        return;
    }
    for (uint64_t no = x->a; no < x->a + count; no++) {
        const struct mem_delivery *d = mem_find(&c->db->deliveries, no);
        struct th_queue_row *to;

        if (!d || d->state != TH_DS_QUEUED || !th_slots_have(f->slots, th_slot_of(d->endpoint)))
            continue;
        to = moved ? another(f, &f->moved, &f->moved_count, sizeof *to)
                   : another(f, &f->queued, &f->queued_count, sizeof *to);
        *to = mem_queue_row(d);
    }
}

static void read_news(struct th_cluster *c, struct th_follow *f, const struct cl_note *news, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct cl_note *x = &news[i];

        switch (x->kind) {
        case CL_QUEUED:
        case CL_MOVED:
            read_queue(c, f, x);
            break;
        case CL_CANCELLED:
            *(uint64_t *)another(f, &f->cancelled, &f->cancelled_count, sizeof x->a) = x->a;
            break;
        case CL_ERASED:
            *(uint64_t *)another(f, &f->erased, &f->erased_count, sizeof x->a) = x->a;
            break;
        case CL_PURGED:
            f->purged_upto = x->a > f->purged_upto ? x->a : f->purged_upto;
            break;
        default:
            break;
        }
    }
}

/** The notes of others behind this position. */
static struct cl_note *news_of(struct th_cluster *c, struct th_follow *f, unsigned me, uint32_t *count)
{
    struct cl_note *v = NULL;

    *count = 0;
    for (uint64_t i = f->seen; i < c->position; i++)
        for (uint64_t k = 0; c->log[i].node != me && k < c->log[i].count; k++)
            *(struct cl_note *)another(f, &v, count, sizeof *v) = c->notes[c->log[i].first + k];
    return v;
}

void cl_follow(struct th_cluster *c, struct cl_message *m)
{
    struct th_follow *f = (struct th_follow *)m->held->op;
    unsigned me = m->node->id;
    struct cl_note *news;
    uint32_t count;

    if (m->applied)
        c->rows[me - 1].applied = m->applied;
    f->told = UINT64_MAX;
    for (unsigned i = 0; i < c->options.nodes; i++)
        if (i + 1 != me && c->rows[i].works && c->rows[i].until_us > c->now_us &&
            c->rows[i].applied < f->told)
            f->told = c->rows[i].applied;
    f->upto = c->position;
    f->op.error = TH_OK;
    news = news_of(c, f, me, &count);
    read_settings(c, f, news, count);
    read_news(c, f, news, count);
}

/* ---- faults ---- */

void th_cluster_freeze(struct th_cluster *c, unsigned node, bool on)
{
    struct cl_node *n = &c->nodes[node - 1];

    n->frozen = on;
    for (unsigned i = 0; !on && i < n->waiting_n; i++)
        put(c, n->waiting[i], c->now_us + i);
    if (!on)
        n->waiting_n = 0;
}

int64_t th_cluster_cut(struct th_cluster *c, unsigned node, int64_t until_us)
{
    struct cl_node *n = &c->nodes[node - 1];

    n->cut_until_us = until_us;
    /* it hears of it from its own time limit, or at the end, when what was open is gone */
    n->hears_at_us = until_us;
    if (cl_below(c, 2))
        n->hears_at_us = c->now_us + cl_below(c, (uint32_t)c->options.lease_us);
    return n->hears_at_us > until_us ? n->hears_at_us : until_us;
}

void th_cluster_restart(struct th_cluster *c, int64_t until_us)
{
    c->down_until_us = until_us;
    if (c->running)
        drop(c->running);
    c->running = NULL;
    for (unsigned i = 0; i < c->lock_n; i++)
        drop(c->lock[i]);
    c->lock_n = 0;
    for (unsigned i = 0; i < c->options.nodes; i++) {
        if (c->nodes[i].frozen)
            c->nodes[i].hears_at_us = c->now_us;
        else
            cl_lose(&c->nodes[i]);
    }
}

/* ---- processes ---- */

bool th_cluster_join(struct th_cluster *c, unsigned node)
{
    struct cl_node *n = &c->nodes[node - 1];
    struct cl_row *row = &c->rows[node - 1];

    if (!th_cluster_reaches(c, node))
        return false;
    row->epoch++;
    row->seq = 0;
    row->until_us = c->now_us + c->options.lease_us;
    row->works = true;
    row->applied = 0;
    for (unsigned i = 0; i < TH_SLOTS; i++)
        if (c->owner[i] == (int)node)
            c->owner[i] = 0; /* nothing is known of what they hold */
    n->up = true;
    n->epoch = row->epoch;
    n->seq = 0;
    n->confirmed_us = c->options.clock(c->options.ctx, node);
    n->caught_up = n->lapses_read = n->lapses;
    n->lapse_upto = 0;
    n->leaves = n->tell_soon = false;
    n->look_at_us = n->publish_at_us = 0;
    n->connection++;
    memset(n->owned, 0, sizeof n->owned);
    memset(n->give, 0, sizeof n->give);
    memset(n->held, 0, sizeof n->held);
    for (unsigned i = 0; i < TH_SLOTS; i++)
        n->fenced_us[i] = c->fenced_us[i] < 0 ? INT64_MIN : n->confirmed_us - (c->now_us - c->fenced_us[i]);
    return true;
}

void th_cluster_leave(struct th_cluster *c, unsigned node)
{
    struct cl_node *n = &c->nodes[node - 1];
    struct cl_row *row = &c->rows[node - 1];

    if (!n->broken && !n->away && th_cluster_reaches(c, node) && row->epoch == n->epoch) {
        for (unsigned i = 0; i < TH_SLOTS; i++)
            if (c->owner[i] == (int)node)
                c->owner[i] = 0;
        row->epoch++;
        row->works = false;
        row->until_us = c->now_us;
    }
    cl_forget(n);
}

void th_cluster_died(struct th_cluster *c, unsigned node)
{
    cl_forget(&c->nodes[node - 1]);
}

/* ---- time ---- */

void th_cluster_advance(struct th_cluster *c, int64_t now_us)
{
    c->now_us = now_us;
    for (;;) {
        struct th_heap_node *top = th_heap_top(&c->messages);

        if (c->running && now_us >= c->commits_at_us) {
            struct cl_message *m = c->running;
            c->running = NULL;
            cl_commit(c, m);
            run_next(c);
            continue;
        }
        if (!top || top->key > now_us)
            break;
        th_heap_remove(&c->messages, top);
        arrive(c, TH_CONTAINER(top, struct cl_message, at));
    }
    for (unsigned i = 0; i < c->options.nodes; i++)
        cl_work(&c->nodes[i]);
}

int64_t th_cluster_next_us(const struct th_cluster *c)
{
    const struct th_heap_node *top = th_heap_top(&c->messages);
    int64_t at = top ? top->key : INT64_MAX;

    if (c->running && c->commits_at_us < at)
        at = c->commits_at_us;
    for (unsigned i = 0; i < c->options.nodes; i++)
        if (cl_next_us(&c->nodes[i]) < at)
            at = cl_next_us(&c->nodes[i]);
    return at;
}

/* ---- opening ---- */

struct th_cluster *th_cluster_open(const struct th_cluster_options *options)
{
    struct th_cluster *c = th_calloc(1, sizeof *c);

    if (!c || options->nodes > CL_NODES || th_store_memory_open(&c->memory) != TH_OK)
        abort();
    c->options = *options;
    c->db = (struct mem_store *)c->memory;
    c->db->is_shared = true;
    th_heap_init(&c->messages, 1u << 20);
    for (unsigned i = 0; i < TH_SLOTS; i++)
        c->fenced_us[i] = -1;
    for (unsigned i = 0; i < options->nodes; i++) {
        c->nodes[i].base.vt = &cl_node_vt;
        c->nodes[i].c = c;
        c->nodes[i].id = i + 1;
        c->nodes[i].tail = &c->nodes[i].queued;
    }
    return c;
}

void th_cluster_close(struct th_cluster *c)
{
    struct th_heap_node *top;

    while ((top = th_heap_top(&c->messages))) {
        th_heap_remove(&c->messages, top);
        drop(TH_CONTAINER(top, struct cl_message, at));
    }
    if (c->running)
        drop(c->running);
    for (unsigned i = 0; i < c->lock_n; i++)
        drop(c->lock[i]);
    for (unsigned i = 0; i < c->options.nodes; i++)
        cl_forget(&c->nodes[i]);
    for (struct cl_batch *b; (b = c->batches);) {
        c->batches = b->next;
        for (struct cl_held *h; (h = b->ops);) {
            b->ops = h->next;
            th_free(h);
        }
        th_free(b);
    }
    th_heap_fini(&c->messages);
    th_free(c->log);
    th_free(c->notes);
    c->memory->vt->close(c->memory);
    th_free(c);
}

struct th_store *th_cluster_database(struct th_cluster *c)
{
    return c->memory;
}

struct th_store *th_cluster_port(struct th_cluster *c, unsigned node)
{
    return &c->nodes[node - 1].base;
}

struct th_cluster_counts th_cluster_counts(const struct th_cluster *c)
{
    return c->counts;
}

bool th_cluster_is_even(const struct th_cluster *c)
{
    struct st_slots view = {0};

    for (unsigned i = 0; i < c->options.nodes; i++)
        if (c->rows[i].epoch)
            st_slots_node(&view, (int)i + 1, c->rows[i].until_us > c->now_us, c->rows[i].works);
    memcpy(view.owner, c->owner, sizeof view.owner);
    st_slots_divide(&view);
    for (unsigned i = 0; i < view.count; i++)
        if (view.nodes[i].owns != view.nodes[i].part)
            return false;
    return true;
}
