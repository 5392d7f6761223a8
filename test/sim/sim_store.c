/* A shim between engine and memory store: decides when commits happen, keeps answers of reads back, knows
 * every operation that is out, so that a crash can bury them.
 *
 * Reads look at the store when the memory store takes them, and are told up to 20 ms later: as a reader
 * thread does it. Writes are told in order. */
#include "sim/sim.h"

struct held {
    struct th_heap_node node;
    struct th_op *op;
    void (*done)(struct th_op *);
    void *user;
    struct sim_session *of;
    struct held *next, **at; /* all that are out */
};

struct sim_session { /* one engine's */
    struct sim_session *next;
    struct sim_store *st;
    struct th_session *inner;
    struct held *out;
    struct th_heap late; /* reads that are done inside and not told yet */
};

struct sim_store {
    struct th_store base;
    struct sim *s;
    struct sim_session *sessions;
    uint64_t seq;
    unsigned waiting; /* submitted, not taken by the store */
    int64_t commit_at_us;
    bool stalled;
};

static struct sim_session *shim_of(struct th_session *session)
{
    return (struct sim_session *)(void *)session;
}

static void forget(struct held *h)
{
    *h->at = h->next;
    if (h->next)
        h->next->at = h->at;
}

static void tell(struct held *h)
{
    struct th_op *op = h->op;

    op->user = h->user;
    op->done = h->done;
    forget(h);
    free(h);
    op->done(op);
}

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE;
}

static void inner_done(struct th_op *op)
{
    struct held *h = op->user;
    struct sim *s = h->of->st->s;

    if (!s->options.slow_reads || !is_read(op)) {
        tell(h);
        return;
    }
    assert_int_equal(
        th_heap_insert(&h->of->late, &h->node, s->now_us + sim_below(s, 20000), ++h->of->st->seq), TH_OK);
    s->turn_wanted = true;
}

static enum th_error shim_settings(struct th_store *store, void (*row)(void *, const struct th_row *),
                                   void *ctx)
{
    struct sim_store *st = (struct sim_store *)store;

    return st->s->memory->vt->settings(st->s->memory, row, ctx);
}

static enum th_error shim_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                            struct th_buf *out)
{
    struct sim_store *st = (struct sim_store *)store;

    return st->s->memory->vt->endpoint_settings(st->s->memory, endpoint, rev, out);
}

static enum th_error shim_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct sim_store *st = (struct sim_store *)store;
    struct sim_session *of = calloc(1, sizeof *of);
    enum th_error error;

    assert_non_null(of);
    error = st->s->memory->vt->attach(st->s->memory, wake, &of->inner);
    if (error) {
        free(of);
        return error;
    }
    of->st = st;
    of->next = st->sessions;
    st->sessions = of;
    th_heap_init(&of->late, 1u << 20);
    *out = (struct th_session *)(void *)of;
    return TH_OK;
}

static void shim_submit(struct th_session *session, struct th_op *op)
{
    struct sim_session *of = shim_of(session);
    struct sim_store *st = of->st;
    struct held *h = calloc(1, sizeof *h);

    assert_non_null(h);
    *h = (struct held){
        .op = op, .done = op->done, .user = op->user, .of = of, .next = of->out, .at = &of->out};
    if (of->out)
        of->out->at = &h->next;
    of->out = h;
    op->done = inner_done;
    op->user = h;
    if (st->waiting++ == 0)
        st->commit_at_us =
            st->s->now_us +
            (st->s->options.commit_us ? sim_below(st->s, (uint32_t)st->s->options.commit_us) : 0);
    st->s->memory->vt->submit(of->inner, op);
    st->s->turn_wanted = true;
}

static unsigned shim_drain(struct th_session *session, unsigned max)
{
    struct sim_session *of = shim_of(session);
    struct sim *s = of->st->s;
    unsigned n = s->memory->vt->drain(of->inner, max);

    while (n < max && th_heap_top(&of->late) && th_heap_top(&of->late)->key <= s->now_us) {
        struct held *h = TH_CONTAINER(th_heap_top(&of->late), struct held, node);
        th_heap_remove(&of->late, &h->node);
        tell(h);
        n++;
    }
    return n;
}

static void shim_detach(struct th_session *session)
{
    struct sim_session *of = shim_of(session), **at = &of->st->sessions;

    assert_null(of->out); /* everything submitted must be drained before */
    of->st->s->memory->vt->detach(of->inner);
    while (*at != of)
        at = &(*at)->next;
    *at = of->next;
    th_heap_fini(&of->late);
    free(of);
}

static void shim_page_free(struct th_store *store, struct th_page *page)
{
    struct sim_store *st = (struct sim_store *)store;

    st->s->memory->vt->page_free(st->s->memory, page);
}

static void shim_usage(struct th_store *store, uint64_t tenant, struct th_usage *out)
{
    struct sim_store *st = (struct sim_store *)store;

    st->s->memory->vt->usage(st->s->memory, tenant, out);
}

static void shim_close(struct th_store *store)
{
    (void)store;
}

static const struct th_store_vt shim_vt = {
    .settings = shim_settings,
    .endpoint_settings = shim_endpoint_settings,
    .attach = shim_attach,
    .submit = shim_submit,
    .drain = shim_drain,
    .detach = shim_detach,
    .page_free = shim_page_free,
    .usage = shim_usage,
    .close = shim_close,
};

struct sim_store *sim_store_new(struct sim *s)
{
    struct sim_store *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->base.vt = &shim_vt;
    st->s = s;
    th_store_memory_auto(s->memory, false);
    return st;
}

void sim_store_free(struct sim_store *st)
{
    free(st);
}

struct th_store *sim_store_port(struct sim_store *st)
{
    return &st->base;
}

int64_t sim_store_next_us(const struct sim_store *st)
{
    int64_t at = st->waiting && !st->stalled ? st->commit_at_us : SIM_NEVER;

    for (const struct sim_session *of = st->sessions; of; of = of->next)
        if (th_heap_top(&of->late) && th_heap_top(&of->late)->key < at)
            at = th_heap_top(&of->late)->key;
    return at;
}

void sim_store_advance(struct sim_store *st)
{
    struct sim *s = st->s;
    unsigned max = st->waiting;

    if (!max || st->stalled || s->now_us < st->commit_at_us)
        return;
    if (s->options.commit_us)
        max = 1 + sim_below(s, max);
    st->waiting -= th_store_memory_step(s->memory, max);
    st->commit_at_us = s->now_us + (s->options.commit_us ? sim_below(s, (uint32_t)s->options.commit_us) : 0);
}

void sim_store_stall(struct sim_store *st, bool on)
{
    st->stalled = on;
}

void sim_store_step(struct sim_store *st)
{
    st->waiting -= th_store_memory_step(st->s->memory, 1);
}

void sim_store_crash(struct sim_store *st)
{
    th_store_memory_crash(st->s->memory);
    for (struct sim_session *of = st->sessions, *other; of; of = other) {
        other = of->next;
        for (struct held *h = of->out, *next; h; h = next) {
            next = h->next;
            sim_bury(st->s, h->op);
            sim_bury(st->s, h->user);
            free(h);
        }
        th_heap_fini(&of->late);
        free(of);
    }
    st->sessions = NULL;
    st->waiting = 0;
}
