/* Deliveries: lists them, shows one with its attempts, and retries one at once. */
#include "api/cancel.h"
#include "api/cursor.h"
#include "api/decode.h"
#include "api/delivery_view.h"
#include "api/fail.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/kept.h"
#include "api/list.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/rows.h"
#include "api/state.h"
#include "api/waits.h"
#include "base/log.h"
#include "core/pubid.h"
#include "engine/engine.h"

/* ---- the list ---- */

/* The number in the filter `endpoint` may be that of another endpoint than the id names. */
static void judge_first(struct th_api_req *r, struct th_page *p)
{
    const struct th_delivery_row *row = p->rows.deliveries;
    struct th_span text;
    struct th_pubid id;

    if (!p->count || !th_api_query_param(r, "endpoint", &text) ||
        (th_engine_parse_endpoint_id(r->api->engine, r->dialect, text, &id) &&
         th_engine_is_endpoint(r->api->engine, &id, row->endpoint, &row->past)))
        return;
    p->count = 0;
    p->next = 0;
}

static const struct th_api_rows form = {.kind = TH_PAGE_DELIVERIES,
                                        .row = th_api_delivery_page_row,
                                        .end = th_api_delivery_page_end,
                                        .first = judge_first};

/* The filter `event`: its number is known now. */
static void event_found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        th_api_rows_none(r, &(struct th_page){.next = 0}, &form);
        return;
    }
    r->page2.event = row->no;
    r->page2.without_tests = false; /* an object that is asked for by its name is shown */
    th_engine_page_free(r->api->engine, &r->page);
    th_api_rows(r, &r->page2, &form);
}

void th_h_deliveries(struct th_api_req *r)
{
    struct th_span event;

    switch (th_api_filter_deliveries(r, &r->page2)) {
    case TH_API_FILTER_ANSWERED:
        return;
    case TH_API_FILTER_EMPTY:
        th_api_rows_none(r, &(struct th_page){.next = 0}, &form);
        return;
    default:
        break;
    }
    if (th_api_query_param(r, "event", &event))
        th_api_find_event(r, event, false, event_found);
    else
        th_api_rows(r, &r->page2, &form);
}

/* ---- one delivery ---- */

static bool is_row(const struct th_pubid *id, const struct th_delivery_row *row)
{
    return id->at.ms == 0 || (row->event.at.ms == id->at.ms && row->event.rnd == id->rnd);
}

/* Reads the delivery that the path names into r->page; `done` checks it with found(). */
static void find(struct th_api_req *r, void (*done)(struct th_op *))
{
    struct th_pubid id;

    if (!th_engine_parse_delivery_id(r->api->engine, r->dialect, r->param[0], &id)) {
        th_api_fail(r, 404, "there is no such delivery");
        return;
    }
    r->page = (struct th_page){.tenant = r->tenant->no, .no = id.no, .limit = 1};
    th_api_read(r, &r->page, TH_PAGE_DELIVERIES, done);
}

/* False: answered. */
static bool found(struct th_api_req *r, struct th_op *op)
{
    struct th_pubid id;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return false;
    }
    if (r->page.count == 1 && th_engine_parse_delivery_id(r->api->engine, r->dialect, r->param[0], &id) &&
        is_row(&id, &r->page.rows.deliveries[0]))
        return true;
    th_engine_page_free(r->api->engine, &r->page);
    th_api_fail(r, 404, "there is no such delivery");
    return false;
}

static void show_one(struct th_api_req *r)
{
    struct th_page *first = r->waits ? &r->waits->page : NULL;
    struct th_api_list l = {.r = r,
                            .deliveries = r->page.rows.deliveries,
                            .count = 1,
                            .attempts = r->page2.rows.attempts,
                            .attempt_count = r->page2.count,
                            .waits_for = first && first->count ? first->rows.deliveries : NULL,
                            .next = r->page2.next};
    struct th_jw w;

    r->tenant = th_api_request_tenant(r);
    w = th_api_reply_begin(r);
    th_api_delivery_row(&w, &l, 0, true);
    if (l.waits_for)
        th_engine_page_free(r->api->engine, first);
    th_engine_page_free(r->api->engine, &r->page2);
    th_engine_page_free(r->api->engine, &r->page);
    th_api_reply(r, 200);
}

static void one_with_attempts(struct th_op *op)
{
    struct th_api_req *r = op->user;

    if (op->error) {
        th_engine_page_free(r->api->engine, &r->page);
        th_api_fail_store(r, op->error);
        return;
    }
    if (!th_api_waits_find(r, r->page.rows.deliveries, show_one))
        show_one(r);
}

static void one_found(struct th_op *op)
{
    struct th_api_req *r = op->user;

    if (!found(r, op))
        return;
    r->page2.tenant = r->page.tenant;
    r->page2.delivery = r->page.rows.deliveries[0].no;
    r->page2.with_data = r->page2.with_answers = true;
    r->page2.max_bytes = TH_API_ROW_BYTES;
    th_api_read(r, &r->page2, TH_PAGE_ATTEMPTS, one_with_attempts);
}

void th_h_delivery(struct th_api_req *r)
{
    r->page2 = (struct th_page){.kind = TH_PAGE_ATTEMPTS};
    if (th_api_query_paging(r, &r->page2.limit, &r->page2.before))
        find(r, one_found);
}

/* ---- retry now ---- */

/* With an Idempotency-Key the answer is kept after the delivery has been queued. A repetition while the first
 * is under way gets 409, because it could not see the first's key yet. */

static void write_queued(struct th_api_req *r, struct th_buf *out)
{
    const struct th_delivery_row row = {.state = TH_DS_QUEUED,
                                        .lane = TH_LANE_MANUAL,
                                        .endpoint = r->endpoint_no,
                                        .attempts = r->op->retry.attempts};
    struct th_jw w = th_jw(out);
    const char *reason;

    th_jw_object(&w);
    th_api_member_str(&w, "id", r->param[0]);
    th_api_member_str(&w, "status", th_str(th_engine_status(r->api->engine, &row, &reason)));
    if (r->op->retry.now.under_way) {
        th_jw_key(&w, TH_LIT("under_way"));
        th_jw_bool(&w, true);
    }
    th_jw_end_object(&w);
}

static void send_queued(struct th_api_req *r)
{
    (void)th_api_reply_begin(r);
    write_queued(r, &r->api->out);
    th_api_reply(r, 202);
}

static void kept(struct th_idem_answer *m)
{
    struct th_api_req *r = m->user;

    th_buf_wipe(&m->repeated);
    th_buf_fini(&r->op->retry.answer);
    if (m->result == TH_CH_DONE)
        send_queued(r);
    else if (m->result == TH_CH_KEY_REUSED)
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
    else if (m->result == TH_CH_NOT_FOUND)
        th_api_fail(r, 404, "the tenant has been deleted");
    else
        th_api_fail(r, 503, "the delivery is queued, but its Idempotency-Key could not be kept");
}

static void keep(struct th_api_req *r)
{
    struct th_idem_answer *m = &r->op->retry.remember;
    struct th_buf *answer = &r->op->retry.answer, fields, body;

    th_buf_init(&fields, 16);
    th_buf_init(&body, 4096);
    th_buf_init(answer, 8192);
    write_queued(r, &body);
    th_api_kept_write(202, &fields, &body, answer);
    th_buf_fini(&fields);
    th_buf_fini(&body);
    *m = (struct th_idem_answer){.tenant_id = th_api_request_tenant_id(r),
                                 .idem = r->idem,
                                 .keep = true,
                                 .answer = th_buf_view(answer),
                                 .done = kept,
                                 .user = r};
    if (answer->failed) {
        th_buf_fini(answer);
        th_api_fail_nomem(r);
        return;
    }
    th_engine_idem_answer(r->api->engine, m);
}

static void fail_deleted(struct th_api_req *r)
{
    th_api_fail_conflict(r,
                         "the endpoint of this delivery has been deleted, so nothing can be sent to it; the "
                         "delivery stays as it was");
}

static void retried(struct th_retry_now *n)
{
    struct th_api_req *r = n->user;

    if (n->error == TH_INVALID) {
        th_api_fail_conflict(
            r, "the content of this delivery's event has been erased, so it cannot be sent again");
        return;
    }

    if (n->error == TH_NOT_FOUND) {
        th_api_fail(r, 404, "there is no such delivery");
        return;
    }
    if (n->error == TH_CONFLICT) {
        fail_deleted(r);
        return;
    }
    if (n->error) {
        th_api_fail_store(r, n->error);
        return;
    }
    if (r->idem.given)
        keep(r);
    else
        send_queued(r);
}

static bool has_expired(const struct th_api_req *r, const struct th_event_row *row)
{
    return row->more.expires_at && row->more.expires_at <= th_engine_now(r->api->engine).wall.ms;
}

static void retry_found(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_delivery_row row;

    if (!found(r, op))
        return;
    if (has_expired(r, &r->page.rows.deliveries[0].event)) {
        th_engine_page_free(r->api->engine, &r->page);
        th_api_fail_conflict(r, "the event has expired (expires_at), so it is not sent any more");
        return;
    }
    row = r->page.rows.deliveries[0]; /* its spans go with the page */
    r->endpoint_no = row.endpoint;
    r->op->retry.attempts = row.attempts;
    th_engine_page_free(r->api->engine, &r->page);
    if (!th_engine_endpoint_no(r->api->engine, row.endpoint)) {
        fail_deleted(r);
        return;
    }
    r->op->retry.now =
        (struct th_retry_now){.delivery = row.no, .endpoint = row.endpoint, .done = retried, .user = r};
    th_engine_retry(r->api->engine, &r->op->retry.now);
}

/* ---- cancel ---- */

static void cancel_found(struct th_op *op)
{
    struct th_api_req *r = op->user;
    uint64_t no;

    if (!found(r, op))
        return;
    no = r->page.rows.deliveries[0].no;
    th_engine_page_free(r->api->engine, &r->page);
    th_api_cancel_one(r, no);
}

void th_h_delivery_cancel(struct th_api_req *r)
{
    if (th_api_decode_nothing(r))
        find(r, cancel_found);
}

/* ---- retry all of an endpoint ---- */

static void write_all(struct th_api_req *r, const struct th_retry_all *a, struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    th_jw_object(&w);
    th_api_member_str(&w, "endpoint", r->param[0]);
    th_api_member_int(&w, "retrying", (int64_t)a->retrying);
    th_api_member_int(&w, "pending", (int64_t)a->pending);
    th_api_member_int(&w, "under_way", a->in_flight);
    th_jw_end_object(&w);
}

static void render_all(struct th_retry_all *a, struct th_buf *answer)
{
    struct th_buf fields, body;

    th_buf_init(&fields, 16);
    th_buf_init(&body, 4096);
    write_all(a->user, a, &body);
    th_api_kept_write(202, &fields, &body, answer);
    th_buf_fini(&fields);
    th_buf_fini(&body);
}

static void all_retried(struct th_retry_all *a)
{
    struct th_api_req *r = a->user;

    if (a->result == TH_CH_REPEATED) {
        th_api_kept_send(r, &a->repeated);
        return;
    }
    th_buf_wipe(&a->repeated);
    if (a->result == TH_CH_KEY_REUSED) {
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
    } else if (a->result == TH_CH_NOT_FOUND) {
        th_api_fail(r, 404, "%s", a->detail);
    } else if (a->result == TH_CH_CONFLICT) {
        th_api_fail_conflict(r, a->detail);
    } else if (a->result != TH_CH_DONE) {
        th_api_fail(r, 503, "%s", a->detail[0] ? a->detail : "the retry cannot be stored now");
    } else {
        th_log(TH_LOG_INFO, "retry of an endpoint", TH_KS("tenant", th_api_request_tenant_id(r)),
               TH_KS("endpoint", r->param[0]), TH_KI("retrying", a->retrying), TH_KI("key", r->key_no),
               TH_KC("request_id", r->x->request_id));
        (void)th_api_reply_begin(r);
        write_all(r, a, &r->api->out);
        th_api_reply(r, 202);
    }
}

void th_h_webhook_retry(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);

    if (ep && th_api_decode_nothing(r)) {
        r->op->retry_all = (struct th_retry_all){
            .ep = ep, .idem = r->idem, .render = render_all, .done = all_retried, .user = r};
        th_engine_retry_all(r->api->engine, &r->op->retry_all);
    }
}

void th_h_retry(struct th_api_req *r)
{
    if (!th_api_decode_nothing(r))
        return;
    if (r->idem.given && !r->idem_first)
        th_api_fail_conflict(r, "");
    else
        find(r, retry_found);
}
