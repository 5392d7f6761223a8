/* Notes each minute how many deliveries wait, of all and of tenants: the past of the backlog, for statistics.
 *
 * The store counts exactly what waits for an endpoint, in whatever node its deliveries are sent, so one node asks for all: home of the node
 * that has slot 0. Endpoints are asked for by their numbers, PART at a time, so that no turn is long; what comes and goes meanwhile makes the
 * sum a little younger than its minute, and no more. Of tenants, those of which most wait are noted.
 *
 * Failure: without memory, or when the store refuses, a minute has no number; nobody but charts relies on it. */
#include "engine/control/backlog.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/state.h"

#define MINUTE_MS INT64_C(60000)
enum { PART = 500, LOOK = 5000, TENANTS_MOST = 1 << 20 };

struct th_backlog_pass {
    struct th_counts counts;
    struct th_backlog note;
    uint64_t next; /* number of the next endpoint */
    uint64_t all;
    struct th_map tenants; /* number → how many wait; only those of which some do */
    uint64_t endpoints[PART], of[PART];
    struct th_waiting waiting[PART];
    struct th_backlog_row rows[1 + TH_BACKLOG_TENANTS];
};

struct th_mono th_backlog_wanted(const struct th_engine *e)
{
    return e->options.notes_backlog && th_is_first(e) ? e->now.mono : TH_MONO_NEVER;
}

static int64_t into_minute(const struct th_engine *e)
{
    return (e->now.wall.ms % MINUTE_MS + MINUTE_MS) % MINUTE_MS;
}

/* The pass is over: the next one begins with the next minute. */
static void rest(struct th_engine *e)
{
    if (e->backlog)
        th_map_fini(&e->backlog->tenants);
    e->jobs[TH_JOB_BACKLOG].busy = false;
    e->jobs[TH_JOB_BACKLOG].at.us = e->now.mono.us + (MINUTE_MS - into_minute(e)) * 1000;
}

static void noted(struct th_op *op)
{
    rest(op->user);
}

static uint32_t fit(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static struct th_backlog_row *smallest(struct th_backlog_pass *p)
{
    struct th_backlog_row *least = &p->rows[1];

    for (uint32_t i = 2; i < p->note.count; i++)
        if (p->rows[i].waiting < least->waiting)
            least = &p->rows[i];
    return least;
}

/* Keeps the tenants of which most wait. */
static void choose(struct th_backlog_pass *p)
{
    struct th_backlog_row *least = NULL;
    uint64_t tenant;
    size_t i = 0;
    void *n;

    p->note.count = 1;
    p->note.cut = false;
    p->rows[0] = (struct th_backlog_row){0, fit(p->all)};
    while (th_map_next(&p->tenants, &i, &tenant, &n)) {
        struct th_backlog_row row = {tenant, fit((uintptr_t)n)};

        if (p->note.count <= TH_BACKLOG_TENANTS) {
            p->rows[p->note.count++] = row;
            continue;
        }
        p->note.cut = true;
        if (!least)
            least = smallest(p);
        if (least->waiting < row.waiting) {
            *least = row;
            least = NULL;
        }
    }
}

static void end(struct th_engine *e)
{
    struct th_backlog_pass *p = e->backlog;

    choose(p);
    p->note.op = (struct th_op){.kind = TH_OP_BACKLOG, .done = noted, .user = e};
    p->note.rows = p->rows;
    th_engine_submit(e, &p->note.op);
}

static void ask_on(struct th_engine *e);

static void counted(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_backlog_pass *p = e->backlog;
    enum th_error error = op->error;

    for (uint32_t i = 0; !error && i < p->counts.count; i++) {
        uint64_t n = (uint64_t)p->waiting[i].fresh + p->waiting[i].again;

        if (!n)
            continue;
        p->all += n;
        n += (uintptr_t)th_map_get(&p->tenants, p->of[i]);
        error = th_map_put(&p->tenants, p->of[i], (void *)(uintptr_t)n);
    }
    if (error || e->draining)
        rest(e);
    else
        ask_on(e);
}

/* The next endpoints. With `LOOK` numbers of none in between, nothing is asked, and the numbers go on in the answer. */
static void ask_on(struct th_engine *e)
{
    struct th_backlog_pass *p = e->backlog;
    uint64_t last = th_engine_last_endpoint(e), looked = p->next + LOOK;

    p->counts.count = 0;
    for (; p->next <= last && p->next < looked && p->counts.count < PART; p->next++) {
        const struct th_endpoint *ep = th_engine_endpoint_no(e, p->next);

        if (!ep)
            continue;
        p->endpoints[p->counts.count] = p->next;
        p->of[p->counts.count++] = ep->tenant->no;
    }
    if (p->next > last && !p->counts.count) {
        end(e);
        return;
    }
    p->counts.op = (struct th_op){.kind = TH_OP_COUNT, .done = counted, .user = e};
    p->counts.endpoints = p->endpoints;
    p->counts.waiting = p->waiting;
    th_engine_submit(e, &p->counts.op);
}

void th_backlog_begin(struct th_engine *e)
{
    if (!e->backlog)
        e->backlog = th_calloc(1, sizeof *e->backlog);
    if (!e->backlog) {
        rest(e);
        return;
    }
    e->jobs[TH_JOB_BACKLOG].busy = true;
    e->backlog->note.at.ms = e->now.wall.ms - into_minute(e) - 1; /* the end of the minute that is over */
    e->backlog->next = 1;
    e->backlog->all = 0;
    th_map_init(&e->backlog->tenants, TENANTS_MOST, 0x9e3779b97f4a7c15u);
    ask_on(e);
}

void th_backlog_fini(struct th_engine *e)
{
    th_free(e->backlog);
}
