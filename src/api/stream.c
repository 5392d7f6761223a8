/* GET /v1/attempts/stream and GET /v1/events/stream: the rows of the lists, as they come, as server-sent
 * events (WHATWG HTML, section 9.2).
 *
 * The id of each event is the cursor after it, which the lists take as `after`, too: a client that comes
 * again with Last-Event-ID goes on there, even after a restart of the server. Rows that have come meanwhile
 * are read for this client alone, page by page as it takes them; then it is live, and gets what the source
 * finds for all (stream_source.c). A client that takes nothing more waits, and the rows that it misses are
 * read from the store when it has room again, so that slow clients take no memory. If it stays behind for
 * longer than TH_STREAM_LAG_US, it gets a `gap` event with the cursor before the gap, and goes on with new
 * rows.
 *
 * With `max_rate` a client gets at most so many rows in a second. The others are counted, and neither written nor sent: at the end
 * of the second a `skipped` event says how many they were and with which cursor the list has them. So a page that somebody looks at
 * costs the same however many deliveries there are.
 *
 * A stream ends with an event that says why: its key, its session or its tenant exists no more, or the server
 * stops.
 *
 * Invariants: 1. a stream is in the list of its source from the request until its answer has ended. 2. one operation of the store
 * at a time for each; what ends the stream waits for it. 3. `at` only grows, and every matching row up to it has been
 * written, is counted in `skipped`, or lies in a gap that was told. 4. the client is told of what was skipped before it gets an id behind
 * it, so whoever comes again before that gets these rows. Failure: a store that cannot read ends the stream, and the client comes again. */
#include "api/stream.h"
#include "api/cursor.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/session.h"
#include "api/state.h"
#include "base/alloc.h"
#include "engine/engine.h"
#include "net/http_server.h"
#include <inttypes.h>
#include <stdio.h>

#define OPENING_BYTES 512 /* bytes of an event that is not a row */

static int64_t now_us(const struct th_api_stream *s)
{
    return th_engine_now(s->r->api->engine).mono.us;
}

static void enter(struct th_api_stream *s, enum th_stream_state state)
{
    s->source->live -= s->state == TH_STREAM_LIVE;
    s->state = state;
    s->source->live += state == TH_STREAM_LIVE;
    if (state == TH_STREAM_FULL && !s->full_us)
        s->full_us = now_us(s);
    if (state == TH_STREAM_LIVE) {
        s->full_us = 0;
        s->caught_up = true;
    }
}

/* The request ends. */
static void forget(struct th_api_req *r)
{
    struct th_api_stream *s = r->stream;
    struct th_api *api = r->api;

    enter(s, TH_STREAM_OPENING);
    th_list_remove(&s->link);
    api->streams->count--;
    th_gauge_add(api->metrics, TH_G_STREAMS, -1);
    r->stream = NULL;
    th_free(s);
}

static void finish(struct th_api_stream *s)
{
    struct th_api_req *r = s->r;

    th_http_end(r->x);
    th_api_request_free(r);
}

/* ---- events that are not rows ---- */

static void say(struct th_api_stream *s, const struct th_buf *text)
{
    s->spoke_us = now_us(s);
    if (!th_http_write(s->r->x, th_buf_view(text)))
        enter(s, TH_STREAM_FULL);
}

static void add_id(struct th_api_stream *s, struct th_buf *text)
{
    th_buf_str(text, "id: ");
    th_api_cursor_on(s->r, s->base, s->at, text);
    th_buf_str(text, "\n");
}

/* Sends the present cursor, so that a client that has had no row yet can go on from here, too. */
static void greet(struct th_api_stream *s)
{
    struct th_buf text;

    th_buf_init(&text, OPENING_BYTES);
    th_buf_printf(&text, "retry: %d\n", TH_STREAM_RETRY_MS);
    add_id(s, &text);
    th_buf_str(&text, "\n");
    say(s, &text);
    th_buf_fini(&text);
}

static void keep_alive(struct th_api_stream *s)
{
    struct th_buf text;

    th_buf_init(&text, OPENING_BYTES);
    th_buf_str(&text, ": nothing new\n");
    add_id(s, &text);
    th_buf_str(&text, "\n");
    say(s, &text);
    th_buf_fini(&text);
}

/* What `max_rate` has left out. */
static void tell_skipped(struct th_api_stream *s)
{
    struct th_buf text;

    if (!s->skipped)
        return;
    th_buf_init(&text, OPENING_BYTES);
    th_buf_str(&text, "event: skipped\n");
    add_id(s, &text);
    th_buf_printf(&text, "data: {\"count\":%" PRIu64 ",\"after\":\"", s->skipped);
    th_api_cursor_on(s->r, s->base, s->skipped_after, &text);
    th_buf_str(&text, "\"}\n\n");
    s->skipped = 0;
    say(s, &text);
    th_buf_fini(&text);
}

static void tell_gap(struct th_api_stream *s, uint64_t after)
{
    struct th_buf text;

    th_buf_init(&text, OPENING_BYTES);
    th_buf_str(&text, "event: gap\n");
    add_id(s, &text);
    th_buf_str(&text, "data: {\"after\":\"");
    th_api_cursor_on(s->r, s->base, after, &text);
    th_buf_str(&text, "\"}\n\n");
    th_count(s->r->api->metrics, TH_C_STREAM_GAPS, 1);
    say(s, &text);
    th_buf_fini(&text);
}

static void end(struct th_api_stream *s, const char *reason)
{
    char text[160];
    int n;

    if (s->reading) {
        s->end = reason;
        return;
    }
    if (!s->begun) {
        th_api_fail(s->r, 503, "the stream cannot be opened now: %s", reason);
        return;
    }
    n = snprintf(text, sizeof text, "event: end\ndata: {\"reason\":\"%s\"}\n\n", reason);
    (void)th_http_write(s->r->x, th_span(text, (size_t)n));
    finish(s);
}

/* The request's tenant as it is now. False: the stream has ended. */
static bool find_tenant(struct th_api_stream *s)
{
    s->r->tenant = th_api_request_tenant(s->r);
    if (!s->r->tenant) {
        end(s, "tenant_deleted");
        return false;
    }
    s->r->dialect = s->r->tenant->dialect;
    return true;
}

static bool check(struct th_api_stream *s)
{
    struct th_engine *e = s->r->api->engine;

    if (!s->begun)
        return true;
    if (!th_engine_key(e, s->key_hash)) {
        end(s, s->expires && th_engine_now(e).wall.ms >= s->expires ? "key_expired" : "key_deleted");
        return false;
    }
    if (s->r->by_session &&
        !th_api_session_is_open(&s->r->api->shared->sessions, s->r->link_hash, th_engine_now(e))) {
        end(s, "session_ended");
        return false;
    }
    if (s->r->by_portal &&
        !th_api_portal_is_open(&s->r->api->shared->portals, s->r->key_no, th_engine_now(e))) {
        end(s, "session_ended");
        return false;
    }
    if (!find_tenant(s))
        return false;
    if (s->state != TH_STREAM_FULL && now_us(s) - s->span_us >= TH_STREAM_SPAN_US)
        tell_skipped(s);
    if (s->state != TH_STREAM_FULL && now_us(s) - s->spoke_us >= TH_STREAM_QUIET_US)
        keep_alive(s);
    return true;
}

/* ---- rows ---- */

/* How many of some rows `max_rate` lets through now. */
static unsigned let_through(struct th_api_stream *s, unsigned count)
{
    uint32_t left;

    if (!s->max_rate || !count)
        return count;
    if (now_us(s) - s->span_us >= TH_STREAM_SPAN_US) {
        tell_skipped(s);
        s->span_us = now_us(s);
        s->span_rows = 0;
    }
    left = s->max_rate - s->span_rows;
    count = count < left ? count : left;
    s->span_rows += count;
    return count;
}

static void skip(struct th_api_stream *s, const struct th_api_frames *f, unsigned from)
{
    if (!s->skipped)
        s->skipped_after = s->at;
    s->skipped += f->count - from;
    s->at = f->row[f->count - 1].no;
}

/* Sends the first `most` of the rows, and skips the others. False: it has no room any
 * more. */
static bool give(struct th_api_stream *s, const struct th_api_frames *f, unsigned most)
{
    size_t from = 0;

    if (s->state == TH_STREAM_FULL) /* since it was told what was skipped */
        return false;
    for (unsigned i = 0; i < most;) {
        size_t upto = f->row[i].end, room;

        while (++i < most && f->row[i].end - from <= TH_STREAM_SLICE)
            upto = f->row[i].end;
        room = th_http_write(s->r->x, th_span(f->text.p + from, upto - from));
        from = upto;
        s->at = f->row[i - 1].no;
        s->spoke_us = now_us(s);
        if (!room) {
            enter(s, TH_STREAM_FULL);
            return false;
        }
    }
    if (most < f->count)
        skip(s, f, most);
    return true;
}

static void read_on(struct th_api_stream *s);

/* What was read ends with the row that was the newest then: the stream is live from here, unless the source
 * has gone on since. */
static void join(struct th_api_stream *s)
{
    struct th_api_source *source = s->source;

    if (!source->live && !source->busy) {
        source->reached = s->at;
    } else if (s->at < source->reached && s->asked != source->reached) {
        read_on(s);
        return;
    }
    if (s->at < source->reached)
        s->at = source->reached;
    s->covered = false;
    enter(s, TH_STREAM_LIVE);
}

/* False: the stream has ended. */
static bool goes_on(struct th_api_stream *s, enum th_error error)
{
    s->reading = false;
    if (s->lost)
        finish(s);
    else if (error)
        end(s, "unavailable");
    else if (s->end)
        end(s, s->end);
    else
        return find_tenant(s);
    return false;
}

static void rows_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_stream *s = r->stream;
    struct th_api_frames *f = &s->source->frames;
    struct th_page page = r->page2; /* the request may end here */
    unsigned most;
    bool written;
    struct th_engine *e = r->api->engine;
    enum th_error error = op->error;

    th_api_read_end(r);
    if (!goes_on(s, error)) {
        if (!error)
            th_engine_page_free(e, &page);
        return;
    }
    s->source->frames_batch = 0;
    th_api_source_find(f, s, &page);
    most = let_through(s, f->count);
    written = th_api_source_write(f, s, &page, most);
    th_engine_page_free(e, &page);
    if (!written) {
        end(s, "unavailable");
        return;
    }
    if (!give(s, f, most))
        return; /* `room` reads on */
    s->at = page.reached > s->at ? page.reached : s->at;
    if (page.next)
        read_on(s);
    else
        join(s);
}

static void read_on(struct th_api_stream *s)
{
    struct th_api_req *r = s->r;

    enter(s, TH_STREAM_READING);
    s->asked = s->source->reached;
    s->reading = true;
    r->page2 = s->filter;
    r->page2.ascending = true;
    r->page2.after = s->at;
    r->page2.limit = TH_STREAM_ROWS;
    r->page2.without_settings = true;
    r->page2.max_bytes = TH_STREAM_BYTES / 2;
    th_api_read(r, &r->page2, s->source->kind, rows_read);
}

/* There is a batch. */
static void offer(struct th_api_stream *s)
{
    struct th_api_frames *f;
    unsigned most;

    if (!check(s) || s->state != TH_STREAM_LIVE || s->at >= s->source->reached)
        return;
    f = s->covered ? th_api_source_frames(s) : NULL;
    most = f ? let_through(s, f->count) : 0;
    if (!f || !th_api_source_write(f, s, &s->source->page, most))
        read_on(s); /* the stream has come meanwhile, and the batch does not hold its tenant's rows */
    else if (give(s, f, most))
        s->at = s->source->reached;
}

/* ---- its place ---- */

static void on_room(struct th_http_exchange *x);
static void on_gone(struct th_http_exchange *x);

static void begin(struct th_api_stream *s)
{
    static const struct th_http_parts parts = {on_room, on_gone, true};

    s->begun = true;
    if (!th_api_reply_stream(s->r, &parts)) {
        finish(s);
        return;
    }
    greet(s);
    if (s->state != TH_STREAM_FULL)
        read_on(s);
}

static void newest_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_stream *s = r->stream;
    uint64_t newest = r->page2.reached, before = s->at;
    enum th_error error = op->error;

    th_api_read_end(r);
    if (!error)
        th_engine_page_free(r->api->engine, &r->page2);
    if (!goes_on(s, error))
        return;
    if (s->begun)
        tell_skipped(s);
    s->at = newest > before ? newest : before;
    if (!s->begun) {
        begin(s);
        return;
    }
    tell_gap(s, before);
    s->full_us = 0;
    if (s->state != TH_STREAM_FULL)
        read_on(s);
}

/* Begins at the end, which is the newest number. */
static void find_newest(struct th_api_stream *s)
{
    struct th_api_req *r = s->r;

    enter(s, TH_STREAM_OPENING);
    s->reading = true;
    r->page2 = (struct th_page){.tenant = s->filter.tenant, .any = s->filter.any, .before = 1, .limit = 1};
    th_api_read(r, &r->page2, s->source->kind, newest_read);
}

static void on_room(struct th_http_exchange *x)
{
    struct th_api_stream *s = ((struct th_api_req *)x->user)->stream;

    if (s->state != TH_STREAM_FULL || s->reading)
        return;
    if (s->caught_up && now_us(s) - s->full_us > TH_STREAM_LAG_US)
        find_newest(s);
    else
        read_on(s);
}

static void on_gone(struct th_http_exchange *x)
{
    struct th_api_stream *s = ((struct th_api_req *)x->user)->stream;

    if (s->reading)
        s->lost = true;
    else
        finish(s);
}

/* ---- requests ---- */

static unsigned with_same_key(const struct th_api_source *source, const struct th_api_req *r)
{
    unsigned n = 0;

    for (const struct th_list *l = source->streams.next; l != &source->streams; l = l->next)
        n += TH_CONTAINER(l, struct th_api_stream, link)->r->key_no == r->key_no;
    return n;
}

/* False: answered. */
static bool has_place(struct th_api_req *r)
{
    const struct th_api_streams *all = r->api->streams;
    const struct th_api_options *o = &r->api->options;

    r->retry_after_s = TH_STREAM_FULL_RETRY_S;
    if (all->draining)
        th_api_fail(r, 503, "the server is stopping");
    else if (o->streams && all->count >= o->streams)
        th_api_fail(r, 503, "too many streams are open; at most %u may be open at once", o->streams);
    else if (o->key_streams &&
             with_same_key(&all->attempts, r) + with_same_key(&all->events, r) >= o->key_streams)
        th_api_fail(r, 429, "too many streams are open with this key; it may have %u", o->key_streams);
    else
        return true;
    return false;
}

/* NULL: answered. */
static struct th_api_stream *new_stream(struct th_api_req *r, struct th_api_source *source)
{
    struct th_api_stream *s;
    const struct th_key *key;

    if (!has_place(r))
        return NULL;
    s = th_calloc(1, sizeof *s);
    if (!s) {
        th_api_fail_nomem(r);
        return NULL;
    }
    s->r = r;
    s->source = source;
    s->filter.tenant = r->tenant->no;
    memcpy(s->key_hash, r->key_hash, sizeof s->key_hash);
    key = th_engine_key(r->api->engine, s->key_hash);
    s->expires = key ? key->expires : 0;
    th_api_cursor_base(r, s->base);
    th_list_init(&s->link);
    th_list_append(&source->streams, &s->link);
    r->api->streams->count++;
    th_gauge_add(r->api->metrics, TH_G_STREAMS, 1);
    r->stream = s;
    th_api_request_at_end(r, forget);
    return s;
}

/* Begins where the client was, or now. */
static void open_stream(struct th_api_stream *s)
{
    struct th_api_req *r = s->r;
    bool given;

    if (!th_api_query_resume(r, &given, &s->at))
        return; /* checked before: it does not happen */
    if (given)
        begin(s);
    else
        find_newest(s);
}

/* The filters, and the place, are read before anything is made. */
static bool place_is_right(struct th_api_req *r)
{
    uint64_t after;
    bool given;

    return th_api_query_resume(r, &given, &after);
}

static bool query_rate(struct th_api_req *r, uint32_t *rate)
{
    uint64_t n = 0;
    struct th_span text;

    if (th_api_query_param(r, "max_rate", &text) && (!th_span_u64(text, TH_STREAM_RATE_MOST, &n) || !n)) {
        th_api_fault_param(r, "max_rate", "must be an integer from 1 to %d", TH_STREAM_RATE_MOST);
        return th_api_query_fail(r);
    }
    *rate = (uint32_t)n;
    return true;
}

void th_h_events_stream(struct th_api_req *r)
{
    struct th_page filter = {.tenant = r->tenant->no};
    struct th_api_stream *s;
    uint32_t rate;

    if (!place_is_right(r) || !query_rate(r, &rate) || !th_api_filter_tenants(r, &filter) ||
        th_api_filter_events(r, &filter) == TH_API_FILTER_ANSWERED)
        return;
    s = new_stream(r, &r->api->streams->events);
    if (!s)
        return;
    s->max_rate = rate;
    s->filter = filter;
    open_stream(s);
}

/* The filter `event`: its number is known now. One that does not exist has no attempts. */
static void event_found(struct th_api_req *r, const struct th_event_row *row)
{
    struct th_api_stream *s = r->stream;

    s->reading = false;
    s->filter.event = row ? row->no : UINT64_MAX;
    if (row)
        th_engine_page_free(r->api->engine, &r->page);
    if (s->end)
        end(s, s->end);
    else
        open_stream(s);
}

void th_h_attempts_stream(struct th_api_req *r)
{
    struct th_page filter = {.tenant = r->tenant->no};
    struct th_api_stream *s;
    enum th_api_filter how;
    struct th_span text;
    uint32_t rate;

    if (!place_is_right(r) || !query_rate(r, &rate) || !th_api_filter_tenants(r, &filter))
        return;
    how = th_api_filter_attempts(r, &filter);
    if (how == TH_API_FILTER_ANSWERED)
        return;
    if (how == TH_API_FILTER_EMPTY)
        filter.endpoint = UINT64_MAX;
    s = new_stream(r, &r->api->streams->attempts);
    if (!s)
        return;
    s->max_rate = rate;
    s->filter = filter;
    if (!th_api_query_param(r, "event", &text)) {
        open_stream(s);
        return;
    }
    s->reading = true;
    th_api_find_event(r, text, false, event_found);
}

/* ---- all of them ---- */

static void open_source(struct th_api_source *source, struct th_api *api, enum th_page_kind kind,
                        const char *event)
{
    source->api = api;
    source->kind = kind;
    source->event = event;
    source->offer = offer;
    th_list_init(&source->streams);
    th_buf_init(&source->frames.text, 16u << 20);
}

struct th_api_streams *th_api_streams_new(struct th_api *api)
{
    struct th_api_streams *all = th_calloc(1, sizeof *all);

    if (!all)
        return NULL;
    all->api = api;
    open_source(&all->attempts, api, TH_PAGE_ATTEMPTS, "attempt");
    open_source(&all->events, api, TH_PAGE_EVENTS, "event");
    return all;
}

static void close_source(struct th_api_source *source)
{
    th_buf_fini(&source->frames.text);
    th_free(source->tenants);
}

void th_api_streams_free(struct th_api_streams *all)
{
    if (!all)
        return;
    close_source(&all->attempts);
    close_source(&all->events);
    th_free(all);
}

unsigned th_api_streams_busy(const struct th_api_streams *all)
{
    return (unsigned)all->attempts.busy + (unsigned)all->events.busy;
}

static void tick(struct th_api_source *source)
{
    struct th_list *l, *next;

    for (l = source->streams.next; l != &source->streams; l = next) {
        next = l->next;
        (void)check(TH_CONTAINER(l, struct th_api_stream, link));
    }
    th_api_source_look(source);
}

int64_t th_api_stream_turn(struct th_api_streams *all)
{
    int64_t now;

    if (!all->count)
        return INT64_MAX;
    now = th_engine_now(all->api->engine).mono.us;
    if (now >= all->next_us) {
        all->next_us = now + TH_STREAM_TICK_US;
        tick(&all->attempts);
        tick(&all->events);
    }
    return all->next_us;
}

static void end_all(struct th_api_source *source)
{
    struct th_list *l, *next;

    for (l = source->streams.next; l != &source->streams; l = next) {
        next = l->next;
        end(TH_CONTAINER(l, struct th_api_stream, link), "stopping");
    }
}

void th_api_stream_drain(struct th_api_streams *all)
{
    all->draining = true;
    end_all(&all->attempts);
    end_all(&all->events);
}
