/* Events in memory: fresh ones so that dispatch needs no read, and those just loaded. Bounded by bytes; an event that is
 * pinned by a request stays; one whose deliveries have all ended leaves at once. Losing an entry costs a read, never more. */
#include "engine/shard/events.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/state.h"

#define EVENT_CACHE_BYTES (64u << 20)

static void event_free(struct th_engine *e, struct th_event *ev)
{
    TH_CHECK(!ev->pins && e->cache_bytes >= ev->bytes);
    if (th_map_get(&e->events, ev->row.no) == ev) /* a stale one may have been replaced */
        th_map_del(&e->events, ev->row.no);
    th_list_remove(&ev->lru);
    e->cache_bytes -= ev->bytes;
    th_free((char *)ev->body.p);
    th_free(ev);
}

void th_events_trim(struct th_engine *e, size_t to)
{
    while (e->cache_bytes > to && !th_list_empty(&e->lru))
        event_free(e, TH_CONTAINER(e->lru.next, struct th_event, lru));
}

static struct th_span keep(char **at, struct th_span s)
{
    char *p = *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    *at += s.n;
    return th_span(p, s.n);
}

struct th_event_row th_event_row_copy(char **at, const struct th_event_row *from, struct th_span data)
{
    struct th_event_row to = *from;

    to.type = keep(at, from->type);
    to.data = keep(at, data);
    to.external_id = keep(at, from->external_id);
    to.resource_type = keep(at, from->resource_type);
    to.resource_id = keep(at, from->resource_id);
    to.more.order_key = keep(at, from->more.order_key);
    to.more.channels = keep(at, from->more.channels);
    to.more.traceparent = keep(at, from->more.traceparent);
    to.more.content_type = keep(at, from->more.content_type);
    return to;
}

/* The data as the tenant's dialect writes it, once for all deliveries and attempts. Data that cannot be
 * written (no room, or no JSON in a damaged row) stays as it is: rendering meets the same fault and decides
 * what follows. */
static struct th_span written_data(struct th_engine *e, const struct th_dialect *d, struct th_span data,
                                   struct th_event *made)
{
    bool exact;

    if (!th_dialect_values(d)->ecmascript) {
        made->data_written = made->data_exact = true;
        return data;
    }
    th_buf_reset(&e->written);
    made->data_written = th_dialect_data(d, data, &e->written, &exact) == TH_OK;
    made->data_exact = made->data_written && exact;
    return made->data_written ? th_buf_view(&e->written) : data;
}

/* NULL when there is no room: the event is loaded from the store when it is needed. */
struct th_event *th_event_add(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                              uint32_t left)
{
    struct th_event *ev = th_map_get(&e->events, row->no), made = {.stale = false};
    size_t most = th_part(e, EVENT_CACHE_BYTES);
    struct th_span data;
    struct th_buf id;
    size_t n;
    char *at;

    if (ev && !ev->stale)
        return ev;
    data = written_data(e, t->dialect, row->data, &made);
    n = TH_EVENT_BYTES(row) - row->data.n + data.n + 64 + row->external_id.n;
    th_events_trim(e, n < most ? most - n : 0);
    ev = th_malloc(sizeof *ev + n);
    if (!ev)
        return NULL;
    *ev = made;
    ev->tenant_no = t->no;
    ev->left = left;
    ev->bytes = sizeof *ev + n;
    at = ev->bytes_;
    ev->row = th_event_row_copy(&at, row, data);
    th_buf_shrink(&e->written);
    /* the id's text is written straight behind the rest: a bounded buffer over that memory */
    id = (struct th_buf){.p = at, .cap = (size_t)(ev->bytes_ + n - at), .max = (size_t)(ev->bytes_ + n - at)};
    th_engine_event_id(e, t->dialect, row, &id);
    ev->id = th_span(id.p, id.n);
    th_list_init(&ev->lru);
    if (id.failed || th_map_put(&e->events, row->no, ev)) {
        th_free(ev);
        return NULL;
    }
    e->cache_bytes += ev->bytes;
    th_list_append(&e->lru, &ev->lru);
    return ev;
}

void th_event_pin(struct th_engine *e, struct th_event *ev)
{
    if (ev->pins++)
        return;
    th_list_remove(&ev->lru);
    e->pinned_bytes += ev->bytes;
}

void th_event_unpin(struct th_engine *e, struct th_event *ev)
{
    TH_CHECK(ev->pins);
    if (--ev->pins)
        return;
    e->pinned_bytes -= ev->bytes;
    th_list_append(&e->lru, &ev->lru);
    if (ev->left == 0 || e->cache_bytes > th_part(e, EVENT_CACHE_BYTES))
        event_free(e, ev);
}

/* Ids and rendered bodies, which were made from the dialect or the tenant's attributes, are out of date:
 * requests under way keep theirs, later attempts read the event again. */
void th_events_forget(struct th_engine *e, const struct th_tenant *t)
{
    struct th_list *l, *next;
    uint64_t no;
    void *value;

    for (l = e->lru.next; l != &e->lru; l = next) {
        struct th_event *ev = TH_CONTAINER(l, struct th_event, lru);
        next = l->next;
        if (!t || ev->tenant_no == t->no)
            event_free(e, ev);
    }
    for (size_t i = 0; th_map_next(&e->events, &i, &no, &value);) {
        struct th_event *ev = value;
        if (t && ev->tenant_no != t->no)
            continue;
        ev->stale = true;
        ev->left = 0; /* leaves with its last pin */
    }
}

/* Its content has been erased: requests under way keep theirs until they end, no other one gets it. */
void th_event_erase(struct th_engine *e, uint64_t no)
{
    struct th_event *ev = th_map_get(&e->events, no);

    if (!ev)
        return;
    ev->stale = true;
    ev->left = 0;
    if (ev->pins == 0)
        event_free(e, ev);
}

/* One of its deliveries has ended. */
void th_event_settled(struct th_engine *e, uint64_t no)
{
    struct th_event *ev = th_map_get(&e->events, no);

    if (!ev)
        return;
    if (ev->left)
        ev->left--;
    if (ev->left == 0 && ev->pins == 0)
        event_free(e, ev);
}
