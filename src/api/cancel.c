/* Cancels deliveries that have not ended: those of an event, or one. */
#include "api/cancel.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

static void answer(struct th_cancel_now *n)
{
    struct th_api_req *r = n->user;
    struct th_jw w;

    if (n->error == TH_CONFLICT) {
        th_api_fail_conflict(r, "the deliveries of this event are still being made; ask again in a moment");
    } else if (n->error) {
        th_api_fail_store(r, n->error);
    } else {
        w = th_api_reply_begin(r);
        th_jw_object(&w);
        th_api_member_str(&w, "id", r->param[0]);
        th_api_member_int(&w, "cancelled", n->cancelled);
        th_jw_end_object(&w);
        th_api_reply(r, 200);
    }
}

static void answer_one(struct th_cancel_now *n)
{
    if (n->error || n->cancelled)
        answer(n);
    else
        th_api_fail_conflict(n->user, "this delivery has ended, so there is nothing to cancel");
}

static void begin(struct th_api_req *r, uint64_t first, uint32_t count, void (*done)(struct th_cancel_now *))
{
    r->op->cancel_now = (struct th_cancel_now){.first = first, .count = count, .done = done, .user = r};
    th_engine_cancel(r->api->engine, &r->op->cancel_now);
}

void th_api_cancel_one(struct th_api_req *r, uint64_t delivery)
{
    begin(r, delivery, 1, answer_one);
}

static void event_found(struct th_api_req *r, const struct th_event_row *row)
{
    uint64_t first;
    uint32_t count;

    if (!row) {
        th_api_fail(r, 404, "there is no such event");
        return;
    }
    first = row->first_delivery;
    count = row->deliveries;
    th_engine_page_free(r->api->engine, &r->page);
    begin(r, first, count, answer);
}

void th_h_event_cancel(struct th_api_req *r)
{
    if (th_api_decode_nothing(r))
        th_api_find_event(r, r->param[0], false, event_found);
}
