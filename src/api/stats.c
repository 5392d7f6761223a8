/* GET /v1/stats: attempts by minute, hour or day, with what they came to and how long they took, and how many deliveries waited; of an endpoint, a tenant, or (with an
 * operator's key) the installation. GET /v1/stats/sparks: how several endpoints did in the last two hours, for a list of them.
 *
 * The store has the sums (TH_OP_STATS); here is what may be asked, and how the answer is written. Counts are exact. Times are
 * collected in classes that grow by a tenth, so a percentile is at most 5 % off. Stores keep minutes for two days and hours for 31:
 * an answer by minute of an older time would show an hour's attempts in its first minute, so it is refused. */
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/sorted.h"
#include "base/timehist.h"
#include "engine/engine.h"

enum { MOST_BUCKETS = 1500 };
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* The middle of the class (by ratio) in which the percentile lies. */
static void write_percentile(struct th_jw *w, const struct th_stats_bucket *b, const char *name,
                             unsigned percent)
{
    uint64_t all = 0, seen = 0;
    unsigned c = 0;

    for (unsigned i = 0; i < TH_TIMEHIST_CLASSES; i++)
        all += b->times[i];
    th_jw_key(w, th_str(name));
    if (!all) {
        th_jw_null(w);
        return;
    }
    while (c < TH_TIMEHIST_CLASSES - 1 && (seen += b->times[c]) * 100 < all * percent)
        c++;
    th_jw_raw(w, TH_LIT(""));
    th_buf_printf(w->out, "%.4g", th_timehist_middle_us(c) / 1000);
}

static void write_bucket(struct th_jw *w, const struct th_stats *s, uint32_t i, uint64_t attempts)
{
    const struct th_stats_bucket *b = &s->buckets[i];

    th_jw_object(w);
    th_api_member_time(w, "t", s->since + i * s->step);
    th_api_member_int(w, "attempts", (int64_t)attempts);
    th_api_member_int(w, "succeeded", b->by[0]);
    th_jw_key(w, TH_LIT("failed"));
    th_jw_object(w);
    for (unsigned k = 1; k < TH_STATS_OUTCOMES; k++)
        if (b->by[k])
            th_api_member_int(w, th_outcome_name(k == 1 ? TH_HTTP_OK : (enum th_http_class)(k - 1), false),
                              b->by[k]);
    th_jw_end_object(w);
    write_percentile(w, b, "p50_ms", 50);
    write_percentile(w, b, "p95_ms", 95);
    write_percentile(w, b, "p99_ms", 99);
    th_jw_end_object(w);
}

/* What waited: of each step that was counted. */
static void write_backlog(struct th_jw *w, const struct th_stats *s)
{
    th_jw_key(w, TH_LIT("backlog"));
    th_jw_array(w);
    for (uint32_t i = 0; i < s->count; i++) {
        if (!s->backlog[i].known)
            continue;
        th_jw_object(w);
        th_api_member_time(w, "t", s->since + i * s->step);
        th_api_member_int(w, "last", s->backlog[i].last);
        th_api_member_int(w, "most", s->backlog[i].most);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static uint64_t attempts_of(const struct th_stats_bucket *b)
{
    uint64_t all = 0;

    for (unsigned k = 0; k < TH_STATS_OUTCOMES; k++)
        all += b->by[k];
    return all;
}

static void send(struct th_op *op)
{
    struct th_api_req *r = op->user;
    const struct th_stats *s = &r->op->stats;
    struct th_jw w;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_member_str(&w, "step",
                      s->step == MINUTE ? TH_LIT("1m")
                      : s->step == HOUR ? TH_LIT("1h")
                                        : TH_LIT("1d"));
    th_api_member_time(&w, "since", s->since);
    th_api_member_time(&w, "until", s->until);
    th_api_member_time(&w, "complete_from", s->complete_from < s->until ? s->complete_from : s->until);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (uint32_t i = 0; i < s->count; i++) {
        uint64_t attempts = attempts_of(&s->buckets[i]);

        if (attempts)
            write_bucket(&w, s, i, attempts);
    }
    th_jw_end_array(&w);
    if (s->backlog)
        write_backlog(&w, s);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

/* ---- the request ---- */

static int64_t step_of(struct th_api_req *r, int64_t since, int64_t until, int64_t now)
{
    static const struct {
        const char *name, *longer;
        int64_t step, kept;
    } steps[] = {{"1m", "1h", MINUTE, TH_STATS_MINUTES_MS},
                 {"1h", "1d", HOUR, TH_STATS_HOURS_MS},
                 {"1d", "", DAY, INT64_MAX}};
    int64_t length = until - since;
    struct th_span text;

    if (!th_api_query_param(r, "step", &text)) {
        unsigned i = length <= 6 * HOUR ? 0 : length <= 7 * DAY ? 1 : 2;

        while (i < 2 && now - since > steps[i].kept)
            i++;
        return steps[i].step;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!th_span_is(text, steps[i].name))
            continue;
        if (i < 2 && now - since > steps[i].kept) {
            th_api_fail(
                r, 400,
                "query parameter step: attempts by %s are kept for %d days, and since is earlier; take "
                "%s",
                i ? "hour" : "minute", (int)(steps[i].kept / DAY), steps[i].longer);
            return 0;
        }
        return steps[i].step;
    }
    th_api_fail(r, 400, "query parameter step: must be 1m, 1h or 1d");
    return 0;
}

/* since and until, or the last hour; with room for the steps between. False: answered. */
static bool begin(struct th_api_req *r, uint64_t tenant, uint64_t endpoint)
{
    int64_t since, until, now = th_engine_now(r->api->engine).wall.ms, step, count;
    struct th_stats_bucket *buckets;
    struct th_backlog_step *backlog = NULL;

    if (!th_api_query_since_until(r, &since, &until))
        return false;
    until = until && until < now ? until : now + 1;
    since = since ? since : until - HOUR;
    step = step_of(r, since, until, now);
    if (!step)
        return false;
    since -= since % step;
    count = until > since ? (until - since + step - 1) / step : 0;
    if (count > MOST_BUCKETS || count < 1) {
        th_api_fail(r, 400,
                    count < 1 ? "since must be before until, and not in the future"
                              : "query parameter step: so many steps lie between since and until that the "
                                "answer would be too large; at most %d, take a longer step",
                    MOST_BUCKETS);
        return false;
    }
    buckets = th_arena_get(&r->mem, (size_t)count * sizeof *buckets);
    if (!endpoint)
        backlog = th_arena_get(&r->mem, (size_t)count * sizeof *backlog);
    if (!buckets || (!endpoint && !backlog)) {
        th_api_fail_nomem(r);
        return false;
    }
    memset(buckets, 0, (size_t)count * sizeof *buckets);
    if (backlog)
        memset(backlog, 0, (size_t)count * sizeof *backlog);
    r->op->stats = (struct th_stats){.op = {.kind = TH_OP_STATS, .done = send, .user = r},
                                     .tenant = tenant,
                                     .endpoint = endpoint,
                                     .since = since,
                                     .until = until,
                                     .step = step,
                                     .count = (uint32_t)count,
                                     .buckets = buckets,
                                     .backlog = backlog};
    return true;
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

/* ---- sparks: the last two hours of several endpoints, for a list of them ---- */

/* Why two hours: each minute of each endpoint is a look-up, so this costs a page of fifty endpoints 6,000 of them. */
enum { SPARK_STEPS = 24, SPARKS_MOST = 100 };
#define SPARK_STEP (5 * MINUTE)

static void write_counts(struct th_jw *w, const char *name, const struct th_stats_bucket *b, bool succeeded)
{
    th_jw_key(w, th_str(name));
    th_jw_array(w);
    for (unsigned i = 0; i < SPARK_STEPS; i++)
        th_jw_u64(w, succeeded ? b[i].by[0] : attempts_of(&b[i]) - b[i].by[0]);
    th_jw_end_array(w);
}

static void send_sparks(struct th_op *op)
{
    struct th_api_req *r = op->user;
    const struct th_stats *s = &r->op->stats;
    struct th_jw w;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_member_time(&w, "since", s->since);
    th_api_member_time(&w, "until", s->until);
    th_api_member_int(&w, "step_seconds", SPARK_STEP / 1000);
    th_api_member_time(&w, "complete_from", s->complete_from < s->until ? s->complete_from : s->until);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, s->endpoints[i]);

        if (!ep) /* deleted meanwhile */
            continue;
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("endpoint"));
        th_jw_raw(&w, TH_LIT("\""));
        th_engine_endpoint_id(r->api->engine, ep, w.out);
        th_buf_char(w.out, '"');
        write_counts(&w, "succeeded", s->buckets + i * SPARK_STEPS, true);
        write_counts(&w, "failed", s->buckets + i * SPARK_STEPS, false);
        th_jw_end_object(&w);
    }
    th_jw_end_array(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

/* The endpoints that the query names and the key may see, each once. False: answered. */
static bool several(struct th_api_req *r, uint64_t *list, uint32_t *count)
{
    const struct th_tenant *t = r->operator_key && r->unnamed ? NULL : r->tenant;
    struct th_span rest;
    uint32_t named = 0;

    *count = 0;
    if (!th_api_query_param(r, "endpoints", &rest) || !rest.n) {
        th_api_fault_param(r, "endpoints", "is required: ids of endpoints with commas between");
        return th_api_query_fail(r);
    }
    do {
        const struct th_endpoint *ep = th_engine_endpoint_anywhere(r->api->engine, th_span_cut(&rest, ','));

        if (++named > SPARKS_MOST) {
            th_api_fault_param(r, "endpoints", "has more than %d ids", (int)SPARKS_MOST);
            return th_api_query_fail(r);
        }
        if (ep && !ep->tenant->deleting && (!t || ep->tenant == t))
            list[(*count)++] = ep->no;
    } while (rest.n);
    *count = th_sorted_distinct(list, *count);
    return true;
}

static void answer_sparks(struct th_api_req *r)
{
    uint64_t *list = th_arena_get(&r->mem, SPARKS_MOST * sizeof *list);
    int64_t now = th_engine_now(r->api->engine).wall.ms;
    struct th_stats_bucket *buckets;
    uint32_t count;
    size_t bytes;

    if (!list) {
        th_api_fail_nomem(r);
        return;
    }
    if (!several(r, list, &count))
        return;
    bytes = (size_t)count * SPARK_STEPS * sizeof *buckets;
    buckets = th_arena_get(&r->mem, bytes ? bytes : 1);
    if (!buckets) {
        th_api_fail_nomem(r);
        return;
    }
    memset(buckets, 0, bytes);
    r->op->stats = (struct th_stats){.op = {.kind = TH_OP_STATS, .done = send_sparks, .user = r},
                                     .endpoints = list,
                                     .endpoint_count = count,
                                     .since = now - now % SPARK_STEP - (SPARK_STEPS - 1) * SPARK_STEP,
                                     .until = now + 1,
                                     .step = SPARK_STEP,
                                     .count = SPARK_STEPS,
                                     .buckets = buckets};
    th_engine_read(r->api->engine, &r->op->stats.op);
}

void th_h_sparks(struct th_api_req *r)
{
    th_api_read_in_turn(r, answer_sparks);
}

static void answer(struct th_api_req *r)
{
    uint64_t tenant, endpoint;

    if (scope_of(r, &tenant, &endpoint) && begin(r, tenant, endpoint))
        th_engine_read(r->api->engine, &r->op->stats.op);
}

void th_h_stats(struct th_api_req *r)
{
    th_api_read_in_turn(r, answer);
}
