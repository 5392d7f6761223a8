/* The end of an attempt, until it is handed to the store.
 *
 * ended → [the endpoint is to be disabled: its turn among the changes of settings] → its outcome is taken
 * (slot free) → settle. A request that was cancelled, or that could not begin because of this machine itself,
 * is not an attempt. */
#include "engine/shard/attempt_end.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/settings/masks.h"
#include "engine/shard/address.h"
#include "engine/shard/attempt.h"
#include "engine/shard/batch.h"
#include "engine/shard/disable.h"
#include "engine/shard/outcome.h"
#include "engine/shard/settle.h"
#include "engine/shard/token.h"
#include "engine/state.h"

#define HEAD_KEPT 8192 /* bytes of an answer's head */

static void keep_answer(struct th_attempt *a)
{
    const struct th_http_result *res = &a->out.req.res;
    struct th_attempt_row *row = &a->settle.row;
    struct th_mask *masks[TH_MASKS_MAX];
    unsigned count = th_masks_of(a->ep, a->run, a->e->now.wall.ms, masks);
    struct th_mask *many = NULL;
    enum th_error error = a->run->many_masked ? th_mask_many(a->e, a->run, &many) : TH_OK;
    size_t body = 0, head = res->head.n < HEAD_KEPT ? res->head.n : HEAD_KEPT;

    if (a->token && a->token->mask)
        masks[count++] = a->token->mask;
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

static void fill_row(struct th_attempt *a, bool delivered)
{
    const struct th_http_result *res = &a->out.req.res;
    const struct th_http_times *t = &res->times;
    struct th_attempt_row *row = &a->settle.row;
    int64_t dns = a->out.dns_us < 0 ? 0 : a->out.dns_us;

    *row = (struct th_attempt_row){.at = a->began_wall,
                                   .nth = (uint16_t)(a->row.attempts + 1),
                                   .status = (uint16_t)res->status,
                                   .class = (uint8_t)res->class,
                                   .truncated = res->truncated,
                                   .decoded = res->decoded,
                                   .reused = res->reused,
                                   .ok = delivered,
                                   .endpoint_rev = a->run->rev,
                                   .batch = th_batch_first(a),
                                   .signed_at = a->signed_at,
                                   .peer = res->peer,
                                   .sigs = th_buf_view(&a->sigs),
                                   .detail = th_str(res->detail ? res->detail : "")};
    row->us[0] = a->out.dns_us < 0 ? -1 : since(0, a->out.dns_us);
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
    int64_t wait_us = a->out.req.res.class == TH_HTTP_CANCELLED ? 0 : 1000000;

    if (wait_us && e->now.mono.us >= e->warn_at.us) { /* one line a second says it for all */
        e->warn_at.us = e->now.mono.us + 1000000;
        th_log(TH_LOG_WARN, "a request could not be begun",
               TH_KC("detail", a->out.req.res.detail ? a->out.req.res.detail : ""));
    }
    th_batch_return(a, th_batch_next(a, NULL));
    if (th_sched_asked(e->sched, a->row.no))
        th_outcome_asked(a);
    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_settled(e->sched, a->row.no, a->ep->gone ? NULL : &a->row,
                     (struct th_mono){e->now.mono.us + wait_us}, e->now.mono);
    th_attempt_release(a);
}

/* Where the endpoint is to be disabled, the outcome is taken when that change has its turn: until then the request is under way, and
 * a retry that is asked for changes what comes next. */
void th_attempt_ended(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    const struct th_http_result *res = &a->out.req.res;
    struct th_outcome o;

    th_address_give(a);
    if (a->token && res->class == TH_HTTP_OK && res->status == 401)
        th_token_refused(a);
    if (res->class == TH_HTTP_CANCELLED || (res->class == TH_HTTP_INTERNAL && !a->unsendable)) {
        not_an_attempt(a);
        return;
    }
    a->ended = e->now;
    a->draw = e->options.no_jitter ? 0 : th_engine_rnd32(e);
    e->settles_out += 1 + a->mate_count;
    o = th_outcome_of(a);
    fill_row(a,
             o.step.verdict == TH_V_DELIVERED); /* the answer is the transport's, and gone after this call */
    if (a->mate_count)
        th_batch_ended(a);
    if (o.disable != TH_KEEP && th_disable_endpoint(e, a->ep, o.disable, a))
        return;
    th_outcome_take(a, &o);
    th_settle_submit(a);
}
