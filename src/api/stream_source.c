/* All streams of a kind share one look at the store.
 *
 * Every tenth of a second, while somebody follows live, the store is asked once for the rows that follow the
 * last ones it returned, for all tenants that are followed. That costs the same for one client as for a
 * thousand, and nothing when there is none; the SQLite store answers it from memory (store_recent.c). It is exact
 * whatever threads or nodes have written, because a row that is committed later has a higher number. A row is
 * written once for all clients with the same filters.
 *
 * Invariants: 1. a live stream has been offered every row of its tenant up to source->reached, or is offered the batch that
 * is being handed out. 2. one look at a time. 3. the streams that have been offered the present batch are at the end of
 * the list. Failure: a look that fails is tried again at the next tick; without memory for a batch its streams read for
 * themselves. */
#include "api/cursor.h"
#include "api/delivery_view.h"
#include "api/event_view.h"
#include "api/owner.h"
#include "api/request.h"
#include "api/rows.h"
#include "api/state.h"
#include "api/stream.h"
#include "base/alloc.h"
#include "base/sorted.h"
#include "engine/engine.h"
#include "port/clock.h"

#define STEP_US 1500           /* time for handing out in one turn */
#define KEEP_TEXT (512u << 10) /* a larger buffer goes back to the heap */

/* ---- rows as text ---- */

static bool outcome_matches(const struct th_page *f, const struct th_attempt_row *row)
{
    return !(f->by_answer && !TH_ANSWERED(f, row->status)) &&
           !(f->outcomes && !(f->outcomes & TH_OUTCOME_BIT(row->class, row->ok)));
}

/* Judges a row as the store does for a list. */
static bool matches(const struct th_page *f, const struct th_page *page, unsigned i, uint64_t *no)
{
    const struct th_attempt_view *a = page->kind == TH_PAGE_ATTEMPTS ? &page->rows.attempts[i] : NULL;
    const struct th_event_row *e = a ? &a->event : &page->rows.events[i];

    *no = a ? a->no : e->no;
    if ((!f->any && e->tenant != f->tenant) || (f->type.n && !th_pattern_has(f->type, e->type)) ||
        (f->without_tests && (a ? a->test : e->test)))
        return false;
    return !a || ((!f->endpoint || f->endpoint == a->endpoint) && (!f->event || f->event == e->no) &&
                  outcome_matches(f, &a->row));
}

/* Rows of a tenant that is being deleted are in no stream over all tenants. */
static bool has_home(const struct th_api_req *r, const struct th_page *page, unsigned i)
{
    const struct th_tenant *t;

    if (!r->all_tenants)
        return true;
    t = th_engine_tenant_no(r->api->engine, th_api_rows_tenant(page, i));
    return t && !t->deleting;
}

void th_api_source_find(struct th_api_frames *f, struct th_api_stream *s, const struct th_page *page)
{
    uint64_t no;

    th_buf_reset(&f->text);
    f->count = f->written = 0;
    for (unsigned i = 0; i < page->count && f->count < TH_STREAM_ROWS; i++) {
        if (!matches(&s->filter, page, i, &no) || no <= s->at || !has_home(s->r, page, i))
            continue;
        f->row[f->count].no = no;
        f->row[f->count++].at = i;
    }
}

bool th_api_source_write(struct th_api_frames *f, struct th_api_stream *s, const struct th_page *page,
                         unsigned count)
{
    struct th_api_req *r = s->r;

    for (; f->written < count; f->written++) {
        unsigned i = f->row[f->written].at;
        struct th_jw w = th_jw(&f->text);
        struct th_api_owner_home home;

        if (r->all_tenants && !th_api_owner_row(r, th_api_rows_tenant(page, i), &home)) {
            f->row[f->written].end = f->text.n; /* deleted since it was found: it has no text */
            continue;
        }
        th_buf_str(&f->text, "event: ");
        th_buf_str(&f->text, s->source->event);
        th_buf_str(&f->text, "\nid: ");
        th_api_cursor_on(r, s->base, f->row[f->written].no, &f->text);
        th_buf_str(&f->text, "\ndata: ");
        if (page->kind == TH_PAGE_ATTEMPTS)
            th_api_delivery_attempt(&w, r, &page->rows.attempts[i]);
        else
            th_api_event_row(&w, r, &page->rows.events[i]);
        if (r->all_tenants)
            th_api_owner_back(r, &home);
        th_buf_str(&f->text, "\n\n");
        f->row[f->written].end = f->text.n;
    }
    return !f->text.failed;
}

/* ---- handing out ---- */

static int64_t clock_us(const struct th_api *api)
{
    const struct th_clock *clock = &th_engine_options(api->engine)->clock;

    return clock->now(clock->ctx).mono.us;
}

struct th_api_frames *th_api_source_frames(struct th_api_stream *s)
{
    struct th_api_source *source = s->source;

    if (source->frames_batch != source->batch || source->frames_at != s->at ||
        memcmp(source->frames_base, s->base, sizeof s->base) != 0) {
        th_api_source_find(&source->frames, s, &source->page);
        source->frames_batch = source->batch;
        source->frames_at = s->at;
        memcpy(source->frames_base, s->base, sizeof s->base);
    }
    return &source->frames;
}

static void hand_out(void *arg)
{
    struct th_api_source *source = arg;
    struct th_api *api = source->api;
    int64_t until_us = clock_us(api) + STEP_US;
    bool more;

    for (;;) {
        struct th_api_stream *s = TH_CONTAINER(source->streams.next, struct th_api_stream, link);

        if (th_list_empty(&source->streams) || s->batch == source->batch)
            break;
        s->batch = source->batch;
        th_list_remove(&s->link);
        th_list_append(&source->streams, &s->link);
        source->offer(s);
        if (clock_us(api) >= until_us) {
            th_engine_defer(api->engine, &source->defer, hand_out, source);
            return;
        }
    }
    more = source->page.next != 0;
    th_engine_page_free(api->engine, &source->page);
    source->busy = false;
    if (source->frames.text.cap > KEEP_TEXT)
        th_buf_fini(&source->frames.text);
    if (more)
        api->streams->next_us = 0;
}

static void looked(struct th_op *op)
{
    struct th_api_source *source = op->user;

    if (op->error) {
        source->busy = false;
        return;
    }
    source->reached = source->page.reached;
    source->batch++;
    th_engine_defer(source->api->engine, &source->defer, hand_out, source);
}

/* ---- looking ---- */

/* The tenants that are followed, each once, or all. False: no memory. */
static bool find_tenants(struct th_api_source *source)
{
    uint32_t n = 0;

    if (source->tenant_cap < source->api->streams->count) {
        uint32_t cap = source->api->streams->count * 2;
        uint64_t *v = th_realloc(source->tenants, cap * sizeof *v);

        if (!v)
            return false;
        source->tenants = v;
        source->tenant_cap = cap;
    }
    for (struct th_list *l = source->streams.next; l != &source->streams; l = l->next) {
        struct th_api_stream *s = TH_CONTAINER(l, struct th_api_stream, link);

        s->covered = true;
        source->page.any |= s->filter.any;
        source->tenants[n++] = s->filter.tenant;
    }
    if (source->page.any)
        return true;
    source->page.tenant_count = th_sorted_distinct(source->tenants, n);
    source->page.tenants = source->tenants;
    return true;
}

void th_api_source_look(struct th_api_source *source)
{
    if (!source->live || source->busy)
        return;
    source->page = (struct th_page){.op = {.kind = TH_OP_PAGE, .done = looked, .user = source},
                                    .kind = source->kind,
                                    .ascending = true,
                                    .after = source->reached,
                                    .limit = TH_STREAM_ROWS,
                                    .without_settings = true,
                                    .max_bytes = TH_STREAM_BYTES};
    if (!find_tenants(source))
        return;
    source->busy = true;
    th_engine_read(source->api->engine, &source->page.op);
}
