/* The memory store: the reference model of the store port.
 *
 * Why: it says in the plainest form what a store must do, and lets a simulator choose what commits when, what
 * fails and when the process dies. It keeps everything in sorted arrays; it is deterministic, has no thread
 * and no clock.
 *
 * It refuses: to be fast. Lists and purges look at every row.
 *
 * Invariants: (1) what is committed changes only in th_store_memory_step (or in submit, in auto mode); (2)
 * ops are taken in the order of submission over all sessions; (3) an op that fails leaves no trace, but for
 * TH_UNKNOWN with `apply`.
 *
 * One thread only, that of the caller. */
#include "model/store_memory_int.h"
#include <stdio.h>

bool mem_room(struct mem_vec *v, size_t more)
{
    size_t cap = v->cap ? v->cap : 64;
    uint64_t **grown;

    while (cap - v->n < more)
        cap *= 2;
    if (cap == v->cap)
        return true;
    grown = th_realloc(v->v, cap * sizeof(*v->v));
    if (!grown)
        return false;
    v->v = grown;
    v->cap = cap;
    return true;
}

size_t mem_lower(const struct mem_vec *v, uint64_t no)
{
    size_t low = 0, high = v->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (*v->v[mid] < no)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void mem_insert(struct mem_vec *v, uint64_t *row)
{
    size_t at = mem_lower(v, *row);

    memmove(v->v + at + 1, v->v + at, (v->n - at) * sizeof *v->v);
    v->v[at] = row;
    v->n++;
}

void *mem_find(const struct mem_vec *v, uint64_t no)
{
    size_t i = mem_lower(v, no);

    return i < v->n && *v->v[i] == no ? v->v[i] : NULL;
}

void mem_take_out(struct mem_vec *v, uint64_t no)
{
    size_t i = mem_lower(v, no);

    if (i == v->n || *v->v[i] != no)
        return;
    memmove(v->v + i, v->v + i + 1, (v->n - i - 1) * sizeof *v->v);
    v->n--;
}

struct th_span mem_put(char **at, struct th_span s)
{
    struct th_span kept = {*at, s.n};

    if (!s.n)
        return (struct th_span){"", 0};
    memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

uint64_t mem_day(int64_t wall_ms)
{
    int64_t day = (wall_ms - INT64_C(1767225600000)) / 86400000;

    if (day < 0)
        return 0;
    return day > 8191 ? 8191 : (uint64_t)day;
}

/* ---- committing ---- */

static void finish(struct th_op *op)
{
    struct th_session *s = op->session;
    bool was_empty = s->done == NULL;

    op->next = NULL;
    *s->done_tail = op;
    s->done_tail = &op->next;
    if (was_empty && s->wake.fn)
        s->wake.fn(s->wake.ctx);
}

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE ||
           op->kind == TH_OP_FOLLOW || op->kind == TH_OP_STATS;
}

static void apply(struct mem_store *s, struct th_op *op)
{
    if (is_read(op)) {
        mem_read(s, op);
        return;
    }
    if (s->broken != TH_OK) {
        op->error = s->broken;
        return;
    }
    if (!s->fail_count) {
        mem_write(s, op);
        return;
    }
    s->fail_count--;
    if (s->fail_error == TH_IO || s->fail_error == TH_CORRUPT)
        s->broken = s->fail_error;
    if (s->fail_error == TH_UNKNOWN && s->fail_apply)
        mem_write(s, op);
    op->error = s->fail_error;
}

unsigned th_store_memory_step(struct th_store *store, unsigned max)
{
    struct mem_store *s = (struct mem_store *)store;
    unsigned n = 0;

    for (; n < max && s->head; n++) {
        struct th_op *op = s->head;

        s->head = op->next;
        if (!s->head)
            s->tail = &s->head;
        apply(s, op);
        finish(op);
    }
    return n;
}

static void store_submit(struct th_session *session, struct th_op *op)
{
    struct mem_store *s = session->store;

    op->session = session;
    op->next = NULL;
    *s->tail = op;
    s->tail = &op->next;
    if (!s->manual)
        th_store_memory_step(&s->base, 1);
}

static unsigned store_drain(struct th_session *s, unsigned max)
{
    unsigned n = 0;

    for (; n < max && s->done; n++) {
        struct th_op *op = s->done;

        s->done = op->next;
        if (!s->done)
            s->done_tail = &s->done;
        op->next = NULL;
        op->done(op);
    }
    return n;
}

/* ---- sessions ---- */

static enum th_error store_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct mem_store *s = (struct mem_store *)store;
    struct th_session *session = th_calloc(1, sizeof *session);

    if (!session)
        return TH_NOMEM;
    session->store = s;
    session->wake = wake;
    session->done_tail = &session->done;
    session->next = s->sessions;
    s->sessions = session;
    *out = session;
    return TH_OK;
}

static void store_detach(struct th_session *session)
{
    struct th_session **at = &session->store->sessions;

    while (*at && *at != session)
        at = &(*at)->next;
    if (*at)
        *at = session->next;
    th_free(session);
}

static void newest(const struct mem_store *s, void (*row)(void *, const struct th_row *), void *ctx)
{
    uint64_t no = 0;
    char text[17];

    for (size_t i = s->deliveries.n; i-- > 0 && !no;) {
        const struct mem_delivery *d = (const struct mem_delivery *)s->deliveries.v[i];
        no = d->state == TH_DS_QUEUED ? d->no : 0;
    }
    snprintf(text, sizeof text, "%016llx", (unsigned long long)no);
    row(ctx,
        &(struct th_row){.kind = TH_ROW_META, .id = TH_LIT(TH_META_NEWEST), .settings = th_span(text, 16)});
}

static enum th_error store_settings(struct th_store *store, void (*row)(void *, const struct th_row *),
                                    void *ctx)
{
    struct mem_store *s = (struct mem_store *)store;

    for (int kind = TH_ROW_TENANT; kind <= TH_ROW_META; kind++) {
        uint64_t after = 0;
        const struct th_row *next;

        if (kind == TH_ROW_META) { /* they have no number */
            for (size_t i = 0; i < s->rows.n; i++) {
                const struct mem_row *r = (const struct mem_row *)s->rows.v[i];

                if ((int)r->row.kind == kind && !r->deleted)
                    row(ctx, &r->row);
            }
            newest(s, row, ctx);
            continue;
        }
        do {
            next = NULL;
            for (size_t i = 0; i < s->rows.n; i++) {
                const struct mem_row *r = (const struct mem_row *)s->rows.v[i];

                if ((int)r->row.kind == kind && !r->deleted && r->row.no > after &&
                    (!next || r->row.no < next->no))
                    next = &r->row;
            }
            if (next) {
                after = next->no;
                row(ctx, next);
            }
        } while (next);
    }
    return TH_OK;
}

static enum th_error store_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                             struct th_buf *out)
{
    const struct mem_store *s = (const struct mem_store *)store;

    for (size_t i = 0; i < s->rev_n; i++)
        if (s->revs[i]->endpoint == endpoint && s->revs[i]->rev == rev) {
            th_buf_span(out, s->revs[i]->settings);
            return out->failed;
        }
    return TH_NOT_FOUND;
}

static void store_usage(struct th_store *store, uint64_t tenant, struct th_usage *out)
{
    *out = mem_usage((struct mem_store *)store, tenant);
}

static void store_page_free(struct th_store *store, struct th_page *page)
{
    (void)store;
    mem_page_free(page);
}

static void free_vec(struct mem_vec *v)
{
    for (size_t i = 0; i < v->n; i++)
        th_free(v->v[i]);
    th_free(v->v);
}

static void free_idem(struct mem_idem *i)
{
    while (i) {
        struct mem_idem *next = i->next;

        th_free(i);
        i = next;
    }
}

static void store_close(struct th_store *store)
{
    struct mem_store *s = (struct mem_store *)store;

    while (th_store_memory_step(store, 1000))
        ;
    while (s->sessions) {
        while (store_drain(s->sessions, 1000))
            ;
        store_detach(s->sessions);
    }
    for (size_t i = 0; i < s->events.n; i++)
        th_free(((struct mem_event *)s->events.v[i])->own_key);
    free_vec(&s->events);
    free_vec(&s->deliveries);
    free_vec(&s->attempts);
    th_free(s->samples);
    th_free(s->backlogs);
    free_vec(&s->rows);
    for (size_t i = 0; i < s->rev_n; i++)
        th_free(s->revs[i]);
    th_free(s->revs);
    th_smap_fini(&s->own);
    while (s->fans)
        mem_fan_drop(s, s->fans->event);
    free_idem(s->idem);
    free_idem(s->config_idem);
    th_free(s);
}

static const struct th_store_vt memory_vt = {
    .settings = store_settings,
    .endpoint_settings = store_endpoint_settings,
    .attach = store_attach,
    .submit = store_submit,
    .drain = store_drain,
    .detach = store_detach,
    .page_free = store_page_free,
    .usage = store_usage,
    .close = store_close,
};

enum th_error th_store_memory_open(struct th_store **out)
{
    struct mem_store *s = th_calloc(1, sizeof *s);

    *out = NULL;
    if (!s)
        return TH_NOMEM;
    s->base.vt = &memory_vt;
    s->tail = &s->head;
    s->fanout_step = TH_FANOUT_STEP;
    s->next_event = s->next_delivery = s->next_attempt = s->next_row = 1;
    th_smap_init(&s->own, (size_t)1 << 26, 0x9e3779b97f4a7c15u);
    *out = &s->base;
    return TH_OK;
}

void th_store_memory_auto(struct th_store *store, bool on)
{
    struct mem_store *s = (struct mem_store *)store;

    s->manual = !on;
    while (on && th_store_memory_step(store, 1000))
        ;
}

void th_store_memory_fanout_step(struct th_store *store, uint32_t step)
{
    ((struct mem_store *)store)->fanout_step = step < TH_FANOUT_STEP ? step : TH_FANOUT_STEP;
}

void th_store_memory_crash(struct th_store *store)
{
    struct mem_store *s = (struct mem_store *)store;

    s->head = NULL;
    s->tail = &s->head;
    s->broken = TH_OK;
    s->fail_count = 0;
    while (s->sessions)
        store_detach(s->sessions);
}

void th_store_memory_fail(struct th_store *store, enum th_error error, unsigned count, bool apply_first)
{
    struct mem_store *s = (struct mem_store *)store;

    s->fail_error = error;
    s->fail_count = count;
    s->fail_apply = apply_first;
}
