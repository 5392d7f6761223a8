/* GET /v1/stats: attempts by minute, hour or day, with what they came to and how long they took; of an endpoint, a tenant, or (with an
 * operator's key) the installation.
 *
 * Counted out of the log of attempts when somebody asks: nothing is written for it, so deliveries cost no more, both stores
 * give the same, and a crash has nothing to lose. Counts are exact. Times are collected in classes that grow by a tenth, so a
 * percentile is at most 5 % off. What it costs is read, in turn with other requests: LIMIT: at most MOST_PAGES pages of the
 * log, the newest; `complete_from` says from when on all is counted, so nobody takes a part for the whole.
 *
 * A tenant's and an endpoint's attempts are read downwards, from the newest, by their index; those of the installation
 * day by day, the newest day first, upwards in each (the store walks all tenants upwards only). An attempt is written down when it has ended, so
 * numbers are ordered by ends: reading goes on until MARGIN_MS before the asked time. */
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"
#include "port/transport.h"
#include <stdlib.h>

enum {
    PAGE = 1000,
    MOST_PAGES = 100,
    MOST_BUCKETS = 1500,
    CLASSES = 220,     /* of times: 1.1^220 microseconds are more than 20 minutes */
    OUTCOMES = 11,     /* success, then failed_status and what gives no answer */
    MARGIN_MS = 900000 /* longer than any attempt takes */
};
#define MINUTE INT64_C(60000)
/* Numbers of attempts: the day since 2026-01-01 << 40 | a counter without gaps (port/store.h). */
#define DAY_SHIFT 40
#define DAY_MS INT64_C(86400000)

struct bucket {
    uint32_t attempts, by[OUTCOMES];
    uint32_t times[CLASSES];
};

struct th_api_stats {
    int64_t step, since, until; /* ms; since is a multiple of step */
    int64_t complete_from;
    unsigned count, pages;
    /* of the installation: the newest number, and the day (of numbers) that is being read; see port/store.h */
    uint64_t newest, day;
    bool is_cut;  /* the newest day has more than is read */
    int64_t edge; /* ms: whatever was not read had ended by then */
    bool edge_known;
    double least[CLASSES + 1]; /* of a class of times, microseconds */
    struct bucket buckets[];
};

/* ---- counting ---- */

static unsigned class_of(const struct th_api_stats *s, int32_t us)
{
    unsigned low = 0, high = CLASSES;

    while (high - low > 1) {
        unsigned mid = low + (high - low) / 2;
        if ((double)us < s->least[mid])
            high = mid;
        else
            low = mid;
    }
    return low;
}

/* 0: success; 1: an answer that does not count; else 1 + the class. */
static unsigned outcome_of(const struct th_attempt_row *row)
{
    if (row->class == TH_HTTP_OK)
        return row->ok ? 0 : 1;
    return row->class + 1u < OUTCOMES ? row->class + 1u : OUTCOMES - 1;
}

static void add(struct th_api_stats *s, const struct th_attempt_row *row)
{
    struct bucket *b;

    if (row->at.ms < s->since || row->at.ms >= s->until)
        return;
    b = &s->buckets[(row->at.ms - s->since) / s->step];
    b->attempts++;
    b->by[outcome_of(row)]++;
    if (row->us[4] >= 0)
        b->times[class_of(s, row->us[4])]++;
}

/* The middle of the class (by ratio) in which the percentile lies. */
static void write_percentile(struct th_jw *w, const struct th_api_stats *s, const struct bucket *b,
                             const char *name, unsigned percent)
{
    uint64_t all = 0, seen = 0;
    unsigned c = 0;

    for (unsigned i = 0; i < CLASSES; i++)
        all += b->times[i];
    th_jw_key(w, th_str(name));
    if (!all) {
        th_jw_null(w);
        return;
    }
    while (c < CLASSES - 1 && (seen += b->times[c]) * 100 < all * percent)
        c++;
    th_jw_raw(w, TH_LIT(""));
    th_buf_printf(w->out, "%.4g", s->least[c] * 1.0488 / 1000);
}

static void write_bucket(struct th_jw *w, const struct th_api_stats *s, unsigned i)
{
    const struct bucket *b = &s->buckets[i];

    th_jw_object(w);
    th_api_member_time(w, "t", s->since + i * s->step);
    th_api_member_int(w, "attempts", b->attempts);
    th_api_member_int(w, "succeeded", b->by[0]);
    th_jw_key(w, TH_LIT("failed"));
    th_jw_object(w);
    for (unsigned k = 1; k < OUTCOMES; k++)
        if (b->by[k])
            th_api_member_int(w, th_outcome_name(k == 1 ? TH_HTTP_OK : (enum th_http_class)(k - 1), false),
                              b->by[k]);
    th_jw_end_object(w);
    write_percentile(w, s, b, "p50_ms", 50);
    write_percentile(w, s, b, "p95_ms", 95);
    th_jw_end_object(w);
}

static void send(struct th_api_req *r)
{
    const struct th_api_stats *s = r->stats;
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_api_member_str(&w, "step",
                      s->step == MINUTE        ? TH_LIT("1m")
                      : s->step == 60 * MINUTE ? TH_LIT("1h")
                                               : TH_LIT("1d"));
    th_api_member_time(&w, "since", s->since);
    th_api_member_time(&w, "until", s->until);
    th_api_member_time(&w, "complete_from", s->complete_from);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = 0; i < s->count; i++)
        if (s->buckets[i].attempts)
            write_bucket(&w, s, i);
    th_jw_end_array(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

/* ---- reading ---- */

static void read_on(struct th_api_req *r);

static int64_t end_of(const struct th_attempt_row *row)
{
    return row->at.ms + (row->us[4] > 0 ? row->us[4] / 1000 + 1 : 0);
}

/* Adds the rows of a page, of the day that is being read. */
static void add_page(struct th_api_stats *s, const struct th_page *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (!p->ascending || p->rows.attempts[i].no >> DAY_SHIFT == s->day)
            add(s, &p->rows.attempts[i].row);
    if (p->count && (!p->ascending || !s->edge_known)) { /* what was not looked at had ended before it */
        s->edge = end_of(&p->rows.attempts[p->ascending ? 0 : p->count - 1].row);
        s->edge_known = true;
    }
}

static void complete_from(struct th_api_stats *s, int64_t ms)
{
    if (ms > s->complete_from)
        s->complete_from = ms < s->until ? ms : s->until;
}

/* Downwards. False: it is over. */
static bool goes_on_down(struct th_api_stats *s, struct th_page *p)
{
    bool more = p->next != 0 && !(s->edge_known && s->edge < s->since - MARGIN_MS);

    p->before = p->next;
    if (more && s->pages == MOST_PAGES)
        complete_from(s, s->edge_known ? s->edge : s->until);
    return more && s->pages < MOST_PAGES;
}

/* Upwards through a day, then the day before it. False: it is over. */
static bool goes_on_up(struct th_api_stats *s, struct th_page *p)
{
    bool more = p->next != 0 && p->reached < s->newest && p->reached >> DAY_SHIFT == s->day;

    p->after = p->reached;
    if (more && s->pages < MOST_PAGES)
        return true;
    if (s->is_cut || more) { /* all of the days behind it have been read */
        int64_t next_day = TH_NUMBERS_FROM_MS + (int64_t)(s->day + 1) * DAY_MS;

        complete_from(s, s->is_cut && s->edge_known && !more ? s->edge : next_day);
        return false;
    }
    if (s->day == 0 || TH_NUMBERS_FROM_MS + (int64_t)s->day * DAY_MS <= s->since)
        return false;
    p->after = --s->day << DAY_SHIFT;
    if (s->pages == MOST_PAGES)
        complete_from(s, TH_NUMBERS_FROM_MS + (int64_t)(s->day + 1) * DAY_MS);
    return s->pages < MOST_PAGES;
}

static void page_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_stats *s = r->stats;
    struct th_page *p = &r->page;
    bool more;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    add_page(s, p);
    s->pages++;
    more = p->ascending ? goes_on_up(s, p) : goes_on_down(s, p);
    th_engine_page_free(r->api->engine, p);
    if (more)
        read_on(r);
    else
        th_api_read_in_turn(r, send);
}

static void read_on(struct th_api_req *r)
{
    th_api_read(r, &r->page, TH_PAGE_ATTEMPTS, page_read);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The newest number is known: the walk upwards begins as many pages below it as may be read. */
static void newest_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_stats *s = r->stats;
    struct th_tenant *const *all;
    unsigned count, used = 0;
    uint64_t *numbers;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    s->newest = r->page.reached;
    th_engine_page_free(r->api->engine, &r->page);
    all = th_engine_tenants(r->api->engine, &count);
    numbers = th_arena_get(&r->mem, (count + 1) * sizeof *numbers);
    if (!numbers) {
        th_api_fail_nomem(r);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        if (!all[i]->deleting)
            numbers[used++] = all[i]->no;
    qsort(numbers, used, sizeof *numbers, by_number);
    s->day = s->newest >> DAY_SHIFT;
    s->is_cut = s->newest - (s->day << DAY_SHIFT) > (uint64_t)PAGE * MOST_PAGES;
    r->page =
        (struct th_page){.ascending = true,
                         .after = s->is_cut ? s->newest - (uint64_t)PAGE * MOST_PAGES : s->day << DAY_SHIFT,
                         .tenants = numbers,
                         .tenant_count = used,
                         .limit = PAGE,
                         .without_tests = true};
    read_on(r);
}

/* ---- the request ---- */

static int64_t step_of(struct th_api_req *r, int64_t length)
{
    static const struct {
        const char *name;
        int64_t step;
    } steps[] = {{"1m", MINUTE}, {"1h", 60 * MINUTE}, {"1d", 1440 * MINUTE}};
    struct th_span text;

    if (!th_api_query_param(r, "step", &text))
        return length <= 360 * MINUTE ? MINUTE : length <= 10080 * MINUTE ? 60 * MINUTE : 1440 * MINUTE;
    for (unsigned i = 0; i < 3; i++)
        if (th_span_is(text, steps[i].name))
            return steps[i].step;
    th_api_fail(r, 400, "query parameter step: must be 1m, 1h or 1d");
    return 0;
}

/* since and until, or the last hour; with room for the buckets between. NULL: answered. */
static struct th_api_stats *begin(struct th_api_req *r)
{
    int64_t since, until, now = th_engine_now(r->api->engine).wall.ms, step, count;
    struct th_api_stats *s;

    if (!th_api_query_since_until(r, &since, &until))
        return NULL;
    until = until && until < now ? until : now + 1;
    since = since ? since : until - 60 * MINUTE;
    step = step_of(r, until - since);
    if (!step)
        return NULL;
    since -= since % step;
    count = until > since ? (until - since + step - 1) / step : 0;
    if (count > MOST_BUCKETS || count < 1) {
        th_api_fail(r, 400,
                    count < 1 ? "since must be before until, and not in the future"
                              : "query parameter step: so many steps lie between since and until that the "
                                "answer would be too large; at most %d, take a longer step",
                    MOST_BUCKETS);
        return NULL;
    }
    s = th_arena_get(&r->mem, sizeof *s + (size_t)count * sizeof s->buckets[0]);
    if (!s) {
        th_api_fail_nomem(r);
        return NULL;
    }
    memset(s, 0, sizeof *s + (size_t)count * sizeof s->buckets[0]);
    s->step = step;
    s->since = s->complete_from = since;
    s->until = until;
    s->count = (unsigned)count;
    s->least[0] = 1;
    for (unsigned i = 1; i <= CLASSES; i++)
        s->least[i] = s->least[i - 1] * 1.1;
    return s;
}

/* Of whom: an endpoint's or a tenant's attempts, or (*tenant 0) those of all. False: answered. */
static bool scope_of(struct th_api_req *r, uint64_t *tenant, uint64_t *endpoint)
{
    const struct th_endpoint *ep = NULL;
    const struct th_tenant *t = r->operator_key && r->unnamed ? NULL : r->tenant;
    struct th_span text;

    if (th_api_query_param(r, "tenant", &text)) {
        const struct th_tenant *named = th_engine_tenant(r->api->engine, text);
        if (!named || named->deleting || (t && named != t)) {
            th_api_fail(r, 404, "there is no such tenant");
            return false;
        }
        t = named;
    }
    if (th_api_query_param(r, "endpoint", &text)) {
        ep = th_engine_endpoint_anywhere(r->api->engine, text);
        if (!ep || ep->tenant->deleting || (t && ep->tenant != t)) {
            th_api_fail(r, 404, "there is no such endpoint");
            return false;
        }
        t = ep->tenant;
    }
    *tenant = t ? t->no : 0;
    *endpoint = ep ? ep->no : 0;
    return true;
}

void th_h_stats(struct th_api_req *r)
{
    uint64_t tenant, endpoint;

    if (!scope_of(r, &tenant, &endpoint))
        return;
    r->stats = begin(r);
    if (!r->stats)
        return;
    if (tenant) {
        r->page =
            (struct th_page){.tenant = tenant, .endpoint = endpoint, .limit = PAGE, .without_tests = true};
        read_on(r);
        return;
    }
    r->page = (struct th_page){.tenant = r->tenant->no, .limit = 1};
    th_api_read(r, &r->page, TH_PAGE_ATTEMPTS, newest_read);
}
