/* The end of an attempt, until it is handed to the store.
 *
 * ended → [it fails for good: when did this round begin?] → [the endpoint is to be disabled: its turn among the changes of
 * settings] → concluded (slot free) → settle. What was cancelled, or never begun for a reason of this machine's own, is no attempt. */
#include "engine/shard/attempt_end.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/settings/masks.h"
#include "engine/shard/address.h"
#include "engine/shard/attempt.h"
#include "engine/shard/disable.h"
#include "engine/shard/outcome.h"
#include "engine/shard/settle.h"
#include "engine/state.h"

#define HEAD_KEPT 8192 /* bytes of an answer's head */

static void keep_answer(struct th_attempt *a)
{
    const struct th_http_result *res = &a->req.res;
    struct th_attempt_row *row = &a->settle.row;
    struct th_mask *masks[TH_MASKS_MAX];
    unsigned count = th_masks_of(a->ep, a->run, a->e->now.wall.ms, masks);
    struct th_mask *many = NULL;
    enum th_error error = a->run->many_masked ? th_mask_many(a->e, a->run, &many) : TH_OK;
    size_t body = 0, head = res->head.n < HEAD_KEPT ? res->head.n : HEAD_KEPT;

    if (many)
        masks[count++] = many;
    while (head < res->head.n && head > 0 && res->head.p[head - 1] != '\n')
        head--; /* whole field lines */
    if (!error)
        th_mask_write(masks, count, th_span(res->head.p, head), head < res->head.n, &a->answer);
    head = a->answer.n;
    if (!error)
        th_mask_write(masks, count, res->body, res->truncated, &a->answer);
    th_mask_free(many);
    if (a->answer.failed) {
        th_buf_reset(&a->answer);
        head = 0;
    }
    body = a->answer.n - head;
    row->head = th_span(a->answer.p ? a->answer.p : "", head);
    row->body = th_span((a->answer.p ? a->answer.p : "") + head, body);
}

static int32_t since(int64_t from, int64_t to)
{
    int64_t d = to - from;

    return to < 0 || d < 0 ? -1 : d > INT32_MAX ? INT32_MAX : (int32_t)d;
}

static void fill_row(struct th_attempt *a)
{
    const struct th_http_result *res = &a->req.res;
    const struct th_http_times *t = &res->times;
    struct th_attempt_row *row = &a->settle.row;
    int64_t dns = a->dns_us < 0 ? 0 : a->dns_us;

    *row = (struct th_attempt_row){.at = a->began_wall,
                                   .nth = (uint16_t)(a->row.attempts + 1),
                                   .status = (uint16_t)res->status,
                                   .class = (uint8_t)res->class,
                                   .truncated = res->truncated,
                                   .decoded = res->decoded,
                                   .reused = res->reused,
                                   .ok = a->verdict == TH_V_DELIVERED,
                                   .endpoint_rev = a->run->rev,
                                   .signed_at = a->signed_at,
                                   .peer = res->peer,
                                   .sigs = th_buf_view(&a->sigs),
                                   .detail = th_str(res->detail ? res->detail : "")};
    row->us[0] = a->dns_us < 0 ? -1 : since(0, a->dns_us);
    row->us[1] = since(0, t->connected);
    row->us[2] = since(t->connected < 0 ? 0 : t->connected, t->tls);
    row->us[3] = t->first_byte < 0 ? -1 : since(0, t->first_byte + dns);
    row->us[4] = since(a->began.us, a->ended.mono.us);
    if (row->detail.n > 400)
        row->detail.n = 400;
    row->detail = th_utf8_cut(row->detail); /* the transport's own text may be cut as well */
    keep_answer(a);
}

/* Cancelled by a stop or a deletion, without room at its addresses, or this machine's own trouble (memory, descriptors): no
 * attempt of the endpoint's; not counted. What was for a deleted endpoint is forgotten; its row is cancelled with the others. */
static void not_an_attempt(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    int64_t wait_us = a->req.res.class == TH_HTTP_CANCELLED ? 0 : 1000000;

    if (wait_us && e->now.mono.us >= e->warn_at.us) { /* one line a second says it for all */
        e->warn_at.us = e->now.mono.us + 1000000;
        th_log(TH_LOG_WARN, "a request could not be begun",
               TH_KC("detail", a->req.res.detail ? a->req.res.detail : ""));
    }
    if (th_sched_asked(e->sched, a->row.no))
        th_outcome_asked(a);
    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_settled(e->sched, a->row.no, a->ep->gone ? NULL : &a->row,
                     (struct th_mono){e->now.mono.us + wait_us}, e->now.mono);
    th_attempt_release(a);
}

/* Where the endpoint is to be disabled, it is the turn of that change when the attempt is concluded: until then it is under
 * way, and a retry that is asked for changes what comes next. */
static void end(struct th_attempt *a)
{
    struct th_health after;
    enum th_disable why = th_attempt_would_disable(a, &after);

    if (why != TH_KEEP && th_endpoint_disable(a->e, a->ep, why, a))
        return;
    (void)th_attempt_conclude(a);
    th_settle_submit(a);
}

/* When this round of attempts began is on record: the disable rule and the reports ask for it. The request counts as under
 * way until it is read, so that a retry that is asked for meanwhile finds it. */
struct first_attempt {
    struct th_page page;
    struct th_attempt *a;
};

static void first_known(struct th_op *op)
{
    struct first_attempt *f = op->user;
    struct th_attempt *a = f->a;
    uint16_t nth = (uint16_t)(a->row.attempts + 1 - a->row.tries);

    a->e->ops_out--;
    if (op->error) /* judged by its last attempt then: disables later, never sooner */
        th_engine_store_error(a->e, op->error);
    for (uint32_t i = 0; !op->error && i < f->page.count; i++)
        if (f->page.rows.attempts[i].row.nth == nth)
            a->first = f->page.rows.attempts[i].row.at;
    if (!op->error)
        th_engine_page_free(a->e, &f->page);
    th_free(f);
    end(a);
}

static bool find_first(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct first_attempt *f = a->row.tries ? th_calloc(1, sizeof *f) : NULL;

    if (!f)
        return false;
    f->a = a;
    f->page.op = (struct th_op){.kind = TH_OP_PAGE, .done = first_known, .user = f};
    f->page.kind = TH_PAGE_ATTEMPTS;
    f->page.tenant = a->ep->pub.tenant->no;
    f->page.delivery = a->row.no;
    f->page.limit = 200;
    e->ops_out++;
    th_engine_submit(e, &f->page.op);
    return true;
}

void th_attempt_ended(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    const struct th_http_result *res = &a->req.res;
    bool test = a->row.lane == TH_LANE_TEST;

    th_address_give(a);
    if (res->class == TH_HTTP_CANCELLED || (res->class == TH_HTTP_INTERNAL && !a->unsendable)) {
        not_an_attempt(a);
        return;
    }
    a->ended = e->now;
    a->first = a->began_wall;
    e->settles_out++;
    a->verdict = th_outcome_judge(a).verdict;
    fill_row(a); /* the answer is the transport's, and gone after this call */
    if (test || a->verdict == TH_V_DELIVERED || a->verdict == TH_V_AGAIN || !find_first(a))
        end(a);
}
