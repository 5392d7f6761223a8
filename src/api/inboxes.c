/* Inboxes: what waits in them, and the events that were moved aside. Databases are asked on another thread, since that may take its
 * time. The id of such an event is "SOURCE-NUMBER". */
#include "api/api.h"
#include "api/cursor.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/alloc.h"
#include "engine/engine.h"
#include "port/inbox.h"
#include <stdio.h>

#define SOURCE_SHIFT 44 /* of a cursor: the number of the event is below */

struct asking {
    struct th_api_req *r;
    struct th_inbox *inbox;
    enum { LIST, RETRY, DROP } what;
    unsigned source, sources; /* sources: one more than the highest */
    uint64_t no, next;        /* list: behind this one; next: 0: the end */
    uint32_t left;            /* list: rows that may still be written, one more than the page has */
    struct th_buf rows;
    struct th_jw w;
    enum th_error error;
};

/* ---- all inboxes ---- */

static void write_state(void *ctx, const struct th_inbox_state *s)
{
    struct th_jw *w = ctx;
    char id[16];

    snprintf(id, sizeof id, "%u", s->source);
    th_jw_object(w);
    th_api_member_str(w, "id", th_str(id));
    th_api_member_str(w, "database", th_str(s->name));
    th_jw_key(w, TH_LIT("error"));
    if (s->error[0])
        th_jw_string(w, th_str(s->error));
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("waiting"));
    th_jw_u64(w, s->waiting);
    th_jw_key(w, TH_LIT("rejected"));
    th_jw_u64(w, s->rejected);
    th_api_member_time(w, "oldest_at", s->oldest);
    th_jw_end_object(w);
}

void th_h_inboxes(struct th_api_req *r)
{
    struct th_inbox *inbox = r->api->options.inbox;
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    if (inbox)
        inbox->vt->states(inbox, write_state, &w);
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("next_cursor"));
    th_jw_null(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

/* ---- events that were moved aside ---- */

static void write_rejected(void *ctx, const struct th_inbox_rejected *e)
{
    struct asking *a = ctx;
    char id[48];

    if (--a->left == 0)
        return; /* there is another page */
    a->next = ((uint64_t)e->source << SOURCE_SHIFT) + e->no;
    snprintf(id, sizeof id, "%u-%llu", e->source, (unsigned long long)e->no);
    th_jw_object(&a->w);
    th_api_member_str(&a->w, "id", th_str(id));
    th_api_member_str(&a->w, "tenant", e->tenant);
    th_api_member_str(&a->w, "type", e->type);
    th_api_member_str(&a->w, "event", e->id);
    th_api_member_str(&a->w, "reason", e->reason);
    th_jw_key(&a->w, TH_LIT("options"));
    if (e->options.n)
        th_jw_raw(&a->w, e->options);
    else
        th_jw_null(&a->w);
    th_jw_key(&a->w, TH_LIT("bytes"));
    th_jw_u64(&a->w, e->bytes);
    th_api_member_time(&a->w, "published_at", e->published);
    th_api_member_time(&a->w, "rejected_at", e->rejected);
    th_jw_end_object(&a->w);
}

static void note_source(void *ctx, const struct th_inbox_state *s)
{
    struct asking *a = ctx;

    if (s->source >= a->sources)
        a->sources = s->source + 1;
}

static void list(struct asking *a)
{
    a->w = th_jw(&a->rows);
    th_jw_array(&a->w);
    a->inbox->vt->states(a->inbox, note_source, a);
    for (; a->source < a->sources && a->left && !a->error; a->source++, a->no = 0) {
        a->error = a->inbox->vt->rejected(a->inbox, a->source, a->no, a->left, write_rejected, a);
        if (a->error == TH_NOT_FOUND) /* it has none */
            a->error = TH_OK;
    }
    th_jw_end_array(&a->w);
    if (a->left)
        a->next = 0;
}

static void ask(void *arg)
{
    struct asking *a = arg;

    if (!a->inbox)
        a->error = TH_NOT_FOUND;
    else if (a->what == LIST)
        list(a);
    else if (a->what == RETRY)
        a->error = a->inbox->vt->retry(a->inbox, a->source, a->no);
    else
        a->error = a->inbox->vt->drop(a->inbox, a->source, a->no);
}

static void answer_list(struct asking *a)
{
    struct th_jw w = th_api_reply_begin(a->r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_raw(&w, a->inbox ? th_buf_view(&a->rows) : TH_LIT("[]"));
    th_api_cursor_next(a->r, &w, a->next);
    th_jw_end_object(&w);
    th_api_reply(a->r, 200);
}

static void told(void *arg)
{
    struct asking *a = arg;

    if (a->what == LIST && (!a->error || !a->inbox) && !a->rows.failed)
        answer_list(a);
    else if (!a->error && a->what != LIST)
        th_api_reply_empty(a->r, 204);
    else if (a->error == TH_NOT_FOUND)
        th_api_fail(a->r, 404, "no such event was moved aside");
    else
        th_api_fail(a->r, 503, "the database of the inbox cannot be asked now");
    th_buf_fini(&a->rows);
    th_free(a);
}

static void submit(struct th_api_req *r, const struct asking *wanted)
{
    const struct th_api_options *options = &r->api->options;
    struct asking *a = th_calloc(1, sizeof *a);

    if (!a) {
        th_api_fail_nomem(r);
        return;
    }
    *a = *wanted;
    a->r = r;
    a->inbox = options->inbox;
    th_buf_init(&a->rows, 4u << 20);
    if (options->work) {
        options->work(options->work_ctx, ask, told, a);
    } else {
        ask(a);
        told(a);
    }
}

void th_h_inbox_rejected(struct th_api_req *r)
{
    uint32_t limit;
    uint64_t from;

    if (!th_api_query_paging(r, &limit, &from))
        return;
    submit(r, &(struct asking){.what = LIST,
                               .source = (unsigned)(from >> SOURCE_SHIFT),
                               .no = from & (((uint64_t)1 << SOURCE_SHIFT) - 1),
                               .left = limit + 1});
}

static void act(struct th_api_req *r, bool retry)
{
    struct th_span id = r->param[0];
    const char *dash = memchr(id.p, '-', id.n);
    struct asking a = {.what = retry ? RETRY : DROP};
    uint64_t source;

    if (!dash || !th_span_u64(th_span(id.p, (size_t)(dash - id.p)), 1000, &source) ||
        !th_span_u64(th_span(dash + 1, (size_t)(id.p + id.n - dash - 1)), INT64_MAX, &a.no)) {
        th_api_fail(r, 404, "no such event was moved aside");
        return;
    }
    a.source = (unsigned)source;
    submit(r, &a);
}

void th_h_inbox_retry(struct th_api_req *r)
{
    act(r, true);
}

void th_h_inbox_drop(struct th_api_req *r)
{
    act(r, false);
}
