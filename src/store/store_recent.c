/* The newest rows, for those who follow them.
 *
 * Who follows events or attempts asks for what came after the last row that he has had, many times a second.
 * Reading that from the tables took a look-up for each attempt, its delivery and its event: a quarter to a
 * third of what the event had cost so far, for a single follower. But the writer has had all of it in its hands a moment
 * before. So it keeps copies of what it has written last, in two rings: events without their data, and attempts without the answers.
 *
 * Invariants: 1. a ring has every row with a number above `from`, up to the newest that a commit has brought: numbers grow in the order of
 * commits, and whatever makes room moves `from`. 2. readers see rows of committed transactions only. 3. what a ring shows is what the tables
 * would show: an attempt's delivery is as its newest attempt has left it, and any other change of rows empties both rings. 4. no lock is
 * held while a row is written, only to make room for it and to show it.
 *
 * It is on while somebody follows. A follower whom the rings do not reach is served from the tables, as ever. It is in
 * memory, so nothing of it is left after the process dies, and nothing needs to be. When a row has no room, or there is no memory, the rings
 * are emptied or not made: that costs look-ups, and no row.
 *
 * It refuses to serve a store that other nodes write to: their rows are not here. */
#include "store/store_recent.h"
#include "base/alloc.h"
#include "base/check.h"
#include "port/copy_id.h"
#include "store/store_state.h"
#include <time.h>

#define ROWS 2048u /* of each kind; a power of two */
#define TEXT_BYTES ((size_t)1 << 19)
#define FOLLOWED_MS 10000 /* so long after the last question somebody is taken to follow */

struct place {
    uint64_t no, at; /* where its texts begin, counted from the ring's beginning and never falling */
    size_t n;        /* bytes of its texts */
};

struct attempt {
    struct th_attempt_row row;
    uint64_t event, prev;
    struct th_delivery_row now;
};

/* first..next are shown, next..staged belong to the open transaction */
struct ring {
    uint64_t first, next, staged, from, at;
    struct place place[ROWS];
    char text[TEXT_BYTES];
};

struct rings {
    struct ring events, attempts;
    struct th_event_row event[ROWS];
    struct attempt attempt[ROWS];
};

struct st_recent {
    pthread_mutex_t lock;
    struct rings *on;         /* NULL: nobody follows. Changed by the writer, under the lock */
    bool full;                /* owner: the writer; a row of the open transaction has found no room */
    _Atomic int64_t followed; /* when somebody has asked last, monotonic ms; 0: never */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct st_recent *st_recent_new(void)
{
    struct st_recent *r = th_calloc(1, sizeof *r);

    if (r)
        pthread_mutex_init(&r->lock, NULL);
    return r;
}

void st_recent_free(struct st_recent *r)
{
    if (!r)
        return;
    th_free(r->on);
    pthread_mutex_destroy(&r->lock);
    th_free(r);
}

/* ---- rings ---- */

static void empty(struct ring *g, uint64_t from)
{
    g->first = g->next = g->staged;
    g->from = from;
}

/* Whether a row has room whose texts end at `end`. */
static bool fits(const struct ring *g, uint64_t end)
{
    return g->staged - g->first < ROWS &&
           (g->first == g->staged || end - g->place[g->first % ROWS].at <= TEXT_BYTES);
}

/* Makes room for a row and its texts. False: there is none, even if all shown rows go. */
static bool make_room(struct st_recent *r, struct ring *g, size_t n)
{
    uint64_t begin = g->at;

    if (begin % TEXT_BYTES + n > TEXT_BYTES)
        begin += TEXT_BYTES - begin % TEXT_BYTES; /* texts of a row lie together */
    if (n > TEXT_BYTES / 4)
        return false;
    g->at = begin;
    if (fits(g, begin + n))
        return true;
    pthread_mutex_lock(&r->lock);
    /* some more than is needed, so that not every row takes the lock */
    for (unsigned spare = ROWS / 16; g->first != g->next && (spare || !fits(g, begin + n));
         spare -= spare > 0)
        g->from = g->place[g->first++ % ROWS].no;
    pthread_mutex_unlock(&r->lock);
    return fits(g, begin + n);
}

/* The place of a new row, or NULL. */
static struct place *stage(struct st_recent *r, struct ring *g, uint64_t no, size_t n)
{
    struct place *place;

    r->full = r->full || !make_room(r, g, n);
    if (r->full)
        return NULL;
    place = &g->place[g->staged++ % ROWS];
    *place = (struct place){.no = no, .at = g->at, .n = n};
    return place;
}

static struct th_span keep(struct ring *g, struct th_span s)
{
    char *to = g->text + g->at % TEXT_BYTES;

    if (!s.n)
        return th_span("", 0);
    memcpy(to, s.p, s.n);
    g->at += s.n;
    return th_span(to, s.n);
}

/* The first shown row with a number above `no`. */
static uint64_t above(const struct ring *g, uint64_t no)
{
    uint64_t low = g->first, high = g->next;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (g->place[mid % ROWS].no > no)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static bool find(const struct ring *g, uint64_t no, uint64_t *at)
{
    *at = above(g, no);
    if (!no || *at == g->first || g->place[(*at - 1) % ROWS].no != no)
        return false;
    *at -= 1;
    return true;
}

/* ---- writing ---- */

void st_recent_begin(struct st_writer *w)
{
    struct st_recent *r = w->store->recent;
    int64_t followed = r ? atomic_load_explicit(&r->followed, memory_order_relaxed) : 0;
    struct rings *old, *fresh = NULL;
    bool wanted;

    if (!followed)
        return;
    r->full = false;
    wanted = now_ms() - followed < FOLLOWED_MS;
    if (wanted == (r->on != NULL))
        return;
    if (wanted) {
        fresh = th_malloc(sizeof *fresh); /* its pages are taken when rows come */
        if (!fresh)
            return;
        fresh->events.staged = fresh->events.at = 0;
        fresh->attempts.staged = fresh->attempts.at = 0;
        empty(&fresh->events, w->next.event - 1);
        empty(&fresh->attempts, w->next.attempt - 1);
    }
    old = r->on;
    pthread_mutex_lock(&r->lock);
    r->on = fresh;
    pthread_mutex_unlock(&r->lock);
    th_free(old);
}

void st_recent_event(struct st_writer *w, const struct th_accept *a, const struct th_new_event *e)
{
    struct st_recent *r = w->store->recent;
    struct ring *g = r && r->on ? &r->on->events : NULL;
    struct th_event_row *row;
    struct place *place = g ? stage(r, g, e->no, TH_EVENT_BYTES(e) - e->data.n) : NULL;

    if (!place)
        return;
    row = &r->on->event[(g->staged - 1) % ROWS];
    *row = (struct th_event_row){.no = e->no,
                                 .tenant = a->tenant,
                                 .at = a->at,
                                 .time = e->time,
                                 .rnd = e->rnd,
                                 .deliveries = e->endpoint_count,
                                 .first_delivery = e->first_delivery,
                                 .type = keep(g, e->type),
                                 .external_id = keep(g, e->external_id),
                                 .resource_type = keep(g, e->resource_type),
                                 .resource_id = keep(g, e->resource_id),
                                 .more = e->more,
                                 .test = th_span_is(e->type, TH_TEST_TYPE) ||
                                         (e->lane == TH_LANE_TEST && e->endpoint_count == 1)};
    row->more.order_key = keep(g, e->more.order_key);
    row->more.channels = keep(g, e->more.channels);
    row->more.traceparent = keep(g, e->more.traceparent);
    row->more.content_type = keep(g, e->more.content_type);
    th_copy_id_read(&row->external_id, &row->origin, &row->origin_at);
}

/* As it would come out of a row: without bytes that mean nothing. */
static struct th_addr address_of(const struct th_addr *a)
{
    struct th_addr out = {0};

    if (a->family != 4 && a->family != 6)
        return out;
    out.family = a->family;
    out.port = a->port;
    memcpy(out.ip, a->ip, a->family == 4 ? 4 : 16);
    out.scope = a->family == 6 ? a->scope : 0;
    return out;
}

void st_recent_attempt(struct st_writer *w, const struct th_attempt_row *row, uint64_t no, uint64_t event,
                       uint64_t prev, const struct th_delivery_row *now)
{
    struct st_recent *r = w->store->recent;
    struct ring *g = r && r->on ? &r->on->attempts : NULL;
    struct attempt *to;
    struct place *place = g ? stage(r, g, no, row->sigs.n + row->detail.n) : NULL;

    if (!place)
        return;
    to = &r->on->attempt[(g->staged - 1) % ROWS];
    *to = (struct attempt){.row = *row, .event = event, .prev = prev, .now = *now};
    to->row.peer = address_of(&row->peer);
    to->row.sigs = keep(g, row->sigs);
    to->row.detail = keep(g, row->detail);
    to->row.head = to->row.body = th_span("", 0);
}

void st_recent_forget(struct st_writer *w)
{
    struct st_recent *r = w->store->recent;

    if (!r || !r->on)
        return;
    pthread_mutex_lock(&r->lock);
    empty(&r->on->events, w->next.event - 1);
    empty(&r->on->attempts, w->next.attempt - 1);
    pthread_mutex_unlock(&r->lock);
}

/* The delivery of each new attempt is now as that has left it, for its earlier attempts, too. */
static void pass_on(struct rings *on)
{
    struct ring *g = &on->attempts;

    for (uint64_t i = g->next; i != g->staged; i++) {
        const struct attempt *a = &on->attempt[i % ROWS];
        uint64_t before = a->prev, at;

        g->next = i + 1;
        while (find(g, before, &at)) {
            on->attempt[at % ROWS].now = a->now;
            before = on->attempt[at % ROWS].prev;
        }
    }
}

void st_recent_end(struct st_writer *w, bool committed)
{
    struct st_recent *r = w->store->recent;

    if (!r || !r->on)
        return;
    if (!committed) {
        r->on->events.staged = r->on->events.next;
        r->on->attempts.staged = r->on->attempts.next;
        return;
    }
    if (r->full) {
        st_recent_forget(w);
        return;
    }
    if (r->on->events.next == r->on->events.staged && r->on->attempts.next == r->on->attempts.staged)
        return;
    pthread_mutex_lock(&r->lock);
    pass_on(r->on);
    r->on->events.next = r->on->events.staged;
    pthread_mutex_unlock(&r->lock);
}

/* ---- reading ---- */

static bool serves(const struct th_page *op)
{
    return op->ascending && op->kind != TH_PAGE_DELIVERIES && op->tenant_count && !op->tenant && !op->no &&
           !op->event && !op->endpoint && !op->delivery && !op->external_id.n && !op->type.n &&
           !op->outcomes && !op->by_answer && !op->since && !op->until && !op->skip && !op->without_tests &&
           !op->with_data && !op->with_answers && !op->with_total;
}

static struct th_span moved(struct th_span s, const char *from, const char *to)
{
    return s.n ? th_span(to + (s.p - from), s.n) : th_span("", 0);
}

/* Copies a row's texts to *end, which moves on. Gives where they stand now; *from: where they stood. */
static char *take_texts(char **end, const struct ring *g, uint64_t i, const char **from)
{
    const struct place *place = &g->place[i % ROWS];
    char *to = *end;

    *from = g->text + place->at % TEXT_BYTES;
    memcpy(to, *from, place->n);
    *end += place->n;
    return to;
}

static void copy_event(char **end, const struct rings *on, uint64_t i, struct th_event_row *out)
{
    const char *from, *to = take_texts(end, &on->events, i, &from);

    *out = on->event[i % ROWS];
    out->type = moved(out->type, from, to);
    out->data = th_span("", 0);
    out->external_id = moved(out->external_id, from, to);
    out->resource_type = moved(out->resource_type, from, to);
    out->resource_id = moved(out->resource_id, from, to);
    out->more.order_key = moved(out->more.order_key, from, to);
    out->more.channels = moved(out->more.channels, from, to);
    out->more.traceparent = moved(out->more.traceparent, from, to);
    out->more.content_type = moved(out->more.content_type, from, to);
}

static void copy_attempt(char **end, const struct rings *on, uint64_t i, struct th_attempt_view *out)
{
    const struct attempt *a = &on->attempt[i % ROWS];
    const char *from, *to = take_texts(end, &on->attempts, i, &from);
    uint64_t event;

    *out = (struct th_attempt_view){.no = on->attempts.place[i % ROWS].no,
                                    .delivery = a->now.no,
                                    .endpoint = a->now.endpoint,
                                    .row = a->row,
                                    .of = a->now,
                                    .event = {.no = a->event}};
    out->row.sigs = moved(a->row.sigs, from, to);
    out->row.detail = moved(a->row.detail, from, to);
    if (find(&on->events, a->event, &event))
        copy_event(end, on, event, &out->event);
}

static size_t bytes_of(const struct rings *on, const struct th_page *op, uint64_t i)
{
    uint64_t event;

    if (op->kind == TH_PAGE_EVENTS)
        return on->events.place[i % ROWS].n;
    return on->attempts.place[i % ROWS].n +
           (find(&on->events, on->attempt[i % ROWS].event, &event) ? on->events.place[event % ROWS].n : 0);
}

/* Adds a block of the page's memory. */
static bool add_block(struct st_pager *p, size_t n)
{
    struct st_block *b = th_malloc(sizeof *b + n);

    if (!b)
        return false;
    *b = (struct st_block){.next = p->mem->blocks, .used = n, .size = n};
    p->mem->blocks = b;
    p->mem->total += n;
    p->mem->used += n;
    return true;
}

static bool copy_rows(struct st_pager *p, const struct rings *on)
{
    struct th_page *op = p->op;
    bool events = op->kind == TH_PAGE_EVENTS;
    const struct ring *g = events ? &on->events : &on->attempts;
    uint64_t begin = above(g, op->after), end = begin;
    char *to;
    size_t n = 0;

    while (end != g->next && end - begin < op->limit && !(op->max_bytes && n >= op->max_bytes))
        n += bytes_of(on, op, end++);
    if (!add_block(p, n))
        return false;
    to = p->mem->blocks->bytes;
    for (uint64_t i = begin; i != end; i++)
        if (events)
            copy_event(&to, on, i, &op->rows.events[op->count++]);
        else
            copy_attempt(&to, on, i, &op->rows.attempts[op->count++]);
    TH_CHECK(to == p->mem->blocks->bytes + n);
    if (end != begin)
        op->reached = g->place[(end - 1) % ROWS].no;
    op->next = end != g->next ? op->reached : 0;
    return true;
}

bool st_recent_copy(struct st_pager *p)
{
    struct st_recent *r = p->r->store->recent;
    bool copied = false;

    if (!r || !serves(p->op))
        return false;
    atomic_store_explicit(&r->followed, now_ms(), memory_order_relaxed);
    pthread_mutex_lock(&r->lock);
    if (r->on && p->op->after >= (p->op->kind == TH_PAGE_EVENTS ? &r->on->events : &r->on->attempts)->from)
        copied = copy_rows(p, r->on);
    pthread_mutex_unlock(&r->lock);
    return copied;
}
