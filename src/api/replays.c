/* Replay: sends finished deliveries of one endpoint again.
 *
 * POST .../replay names a time range and, if it likes, statuses and event types; the engine counts what
 * matches, records the job and works on it after the endpoint's fresh events. A dry run only counts: it makes
 * nothing, so it has no id and its Idempotency-Key is not remembered. DELETE stops a job; deliveries that it
 * has queued still go out, and a job that has ended stays as it is, so that a repetition gives 204 as well.
 *
 * POST .../backfill is the same for events that were accepted before the endpoint was made. */
#include "api/cursor.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/kept.h"
#include "api/member.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/log.h"
#include "engine/engine.h"

/* A backfill knows no states: nothing of what it sends has been delivered to this endpoint. */
enum { R_SINCE, R_UNTIL, R_TYPES, R_DRY, R_BACKFILL_COUNT, R_STATUS = R_BACKFILL_COUNT, R_COUNT };

static const struct th_api_field replay_fields[R_COUNT] = {
    {"since", TH_T_TIME, true, false, 0, 0, 0},
    {"until", TH_T_TIME, false, true, 0, 0, 0},
    {"event_types", TH_T_STRINGS, false, true, TH_MAX_REPLAY_TYPES, 0, 0},
    {"dry_run", TH_T_BOOL, false, true, 0, 0, 0},
    {"status", TH_T_ANY, false, true, 0, 0, 0},
};

static const struct {
    const char *name;
    uint32_t states;
} statuses[] = {
    {"delivered", 1u << TH_DS_DELIVERED},
    {"failed", 1u << TH_DS_EXHAUSTED | 1u << TH_DS_FINAL},
    {"cancelled", 1u << TH_DS_CANCELLED},
};
#define STATUSES (sizeof statuses / sizeof statuses[0])

/* ---- reading ---- */

/* False: no memory. */
static bool add_status(struct th_api_req *r, struct th_json v, struct th_span pointer, uint32_t *states)
{
    struct th_span name = TH_LIT("");

    if (v.type == TH_JSON_STRING && !th_api_decode_string(r, v, &name))
        return false;
    for (size_t i = 0; i < STATUSES; i++)
        if (th_span_is(name, statuses[i].name)) {
            *states |= statuses[i].states;
            return true;
        }
    th_api_fault(r, pointer, "must be delivered, failed or cancelled");
    return true;
}

static bool read_status(struct th_api_req *r, const struct th_api_value *v, uint32_t *states)
{
    struct th_json_iter it;
    struct th_json element;
    unsigned n = 0;

    *states = 0;
    if (v->present && v->json.type == TH_JSON_ARRAY) {
        th_json_iter(&it, v->json);
        for (; th_json_next(&it, NULL, &element); n++)
            if (!add_status(r, element, TH_LIT("/status"), states))
                return false;
    } else if (v->present && v->json.type != TH_JSON_NULL) {
        return add_status(r, v->json, TH_LIT("/status"), states);
    }
    if (n == 0)
        for (size_t i = 0; i < STATUSES; i++)
            *states |= statuses[i].states;
    return true;
}

/* The latest time is exclusive; 0 would mean none. */
static int64_t bound(int64_t ms)
{
    return ms > 1 ? ms : 1;
}

/* Later events have been there for the endpoint; it has its deliveries of them. */
static void check_time(struct th_api_req *r, const struct th_replay_start *s)
{
    struct th_buf made;

    if (r->error_count || (s->until <= s->ep->created.ms && s->since < s->ep->created.ms))
        return;
    th_buf_init(&made, 64);
    th_api_member_wall(&made, s->ep->created.ms);
    th_api_fault(
        r, s->since < s->ep->created.ms ? TH_LIT("/until") : TH_LIT("/since"),
        "must be at most %.*s, when the endpoint was made: of later events it has deliveries, which a "
        "replay sends again",
        (int)made.n, made.p);
    th_buf_fini(&made);
}

static bool read_request(struct th_api_req *r, struct th_replay_start *s)
{
    struct th_api_value v[R_COUNT] = {0};
    unsigned count = s->backfill ? R_BACKFILL_COUNT : R_COUNT;

    if (!th_api_decode(r, r->body, TH_LIT(""), replay_fields, count, false, v) ||
        !read_status(r, &v[R_STATUS], &s->states))
        return false;
    s->since = bound(v[R_SINCE].i);
    if (v[R_UNTIL].present && !v[R_UNTIL].null) {
        s->until = bound(v[R_UNTIL].i);
        if (r->error_count == 0 && s->until <= s->since)
            th_api_fault(r, TH_LIT("/until"), "must be later than since");
    }
    if (s->backfill)
        check_time(r, s);
    for (unsigned i = 0; i < v[R_TYPES].count; i++) {
        if (!th_dialect_type_ok(r->dialect, v[R_TYPES].strings[i], true))
            th_api_fault(r, TH_LIT("/event_types"),
                         "has a value that is neither an event type nor a pattern");
        r->op->replay.types[i] = v[R_TYPES].strings[i];
    }
    s->types = r->op->replay.types;
    s->type_count = v[R_TYPES].count;
    s->dry_run = v[R_DRY].i;
    return true;
}

/* ---- starting ---- */

static void write_left_out(struct th_jw *w, const struct th_replay_start *s)
{
    static const char *const names[TH_LEFT_OUTS] = {[TH_LEFT_TYPE] = "event_type",
                                                    [TH_LEFT_CHANNEL] = "channels",
                                                    [TH_LEFT_FILTER] = "filter",
                                                    [TH_LEFT_EXPIRED] = "expired",
                                                    [TH_LEFT_ERASED] = "erased"};

    th_jw_key(w, TH_LIT("left_out"));
    th_jw_object(w);
    for (unsigned i = 0; i < TH_LEFT_OUTS; i++)
        th_api_member_int(w, names[i], (int64_t)s->left_out[i]);
    th_jw_end_object(w);
}

static void write_first(struct th_jw *w, struct th_api_req *r, const struct th_replay_start *s)
{
    th_jw_key(w, TH_LIT("first"));
    th_jw_array(w);
    for (unsigned i = 0; i < s->first_count; i++) {
        const struct th_event_row *row = &s->first[i];

        if (!row->no) /* retention has been quicker */
            continue;
        th_jw_object(w);
        th_jw_key(w, TH_LIT("id"));
        th_jw_raw(w, TH_LIT("\""));
        th_engine_event_id(r->api->engine, r->dialect, row, w->out);
        th_buf_char(w->out, '"');
        th_api_member_str(w, "type", row->type);
        th_api_member_time(w, "created_at", row->at.ms);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void write_started(struct th_api_req *r, const struct th_replay_start *s, struct th_buf *fields,
                          struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("id"));
    if (s->replay) {
        th_jw_raw(&w, TH_LIT("\""));
        th_engine_replay_id(r->api->engine, s->replay, body);
        th_buf_char(body, '"');
        th_buf_str(fields, "Location: /v1/replays/");
        th_engine_replay_id(r->api->engine, s->replay, fields);
        th_buf_str(fields, "\r\n");
    } else {
        th_jw_null(&w);
    }
    th_api_member_int(&w, "matched", (int64_t)s->matched);
    if (s->backfill) {
        write_left_out(&w, s);
        th_jw_key(&w, TH_LIT("dry_run"));
        th_jw_bool(&w, s->dry_run);
        if (s->dry_run)
            write_first(&w, r, s);
        th_jw_end_object(&w);
        return;
    }
    th_api_member_int(&w, "delivered", (int64_t)s->by_state[TH_DS_DELIVERED]);
    th_api_member_int(&w, "failed", (int64_t)(s->by_state[TH_DS_EXHAUSTED] + s->by_state[TH_DS_FINAL]));
    th_api_member_int(&w, "cancelled", (int64_t)s->by_state[TH_DS_CANCELLED]);
    th_api_member_int(&w, "unfinished", (int64_t)s->by_state[TH_DS_QUEUED]);
    th_jw_key(&w, TH_LIT("dry_run"));
    th_jw_bool(&w, s->dry_run);
    th_jw_end_object(&w);
}

static void render(struct th_replay_start *s, struct th_buf *answer)
{
    struct th_buf fields, body;

    th_buf_init(&fields, 4096);
    th_buf_init(&body, 4096);
    write_started(s->user, s, &fields, &body);
    th_api_kept_write(202, &fields, &body, answer);
    th_buf_fini(&fields);
    th_buf_fini(&body);
}

static void answer(struct th_api_req *r, struct th_replay_start *s);

static void started(struct th_replay_start *s)
{
    answer(s->user, s);
    th_buf_fini(&s->first_mem);
}

static void answer(struct th_api_req *r, struct th_replay_start *s)
{
    if (s->result == TH_CH_REPEATED) {
        th_api_kept_send(r, &s->repeated);
        return;
    }
    th_buf_wipe(&s->repeated);
    switch (s->result) {
    case TH_CH_DONE:
        break;
    case TH_CH_KEY_REUSED:
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
        return;
    case TH_CH_NOT_FOUND:
        th_api_fail(r, 404, "%s", s->detail[0] ? s->detail : "there is no such endpoint");
        return;
    case TH_CH_CONFLICT:
        th_api_fail_conflict(r, s->detail);
        return;
    case TH_CH_LIMITED:
        th_api_fail_limit(r, TH_L_REPLAYS, s->detail);
        return;
    default:
        th_api_fail(r, 503, "%s", s->detail[0] ? s->detail : "the replay cannot be stored now");
        return;
    }
    th_log(TH_LOG_INFO, s->backfill ? "backfill" : "replay", TH_KS("tenant", th_api_request_tenant_id(r)),
           TH_KS("endpoint", r->param[0]), TH_KI("matched", s->matched), TH_KI("dry_run", s->dry_run),
           TH_KI("key", r->key_no), TH_KC("request_id", r->x->request_id));
    if (s->replay) {
        struct th_buf id;

        th_buf_init(&id, 128);
        th_engine_replay_id(r->api->engine, s->replay, &id);
        th_api_request_made(r, &id);
        th_buf_fini(&id);
    }
    (void)th_api_reply_begin(r);
    write_started(r, s, &r->api->fields, &r->api->out);
    th_api_reply(r, 202);
}

static void start(struct th_api_req *r, bool backfill)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_replay_start *s = &r->op->replay.start;

    if (!ep)
        return;
    *s = (struct th_replay_start){
        .ep = ep, .backfill = backfill, .idem = r->idem, .render = render, .done = started, .user = r};
    if (!read_request(r, s))
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else
        th_engine_replay(r->api->engine, s);
}

void th_h_replay_start(struct th_api_req *r)
{
    start(r, false);
}

void th_h_backfill(struct th_api_req *r)
{
    start(r, true);
}

/* ---- showing and stopping ---- */

static void write_filters(struct th_jw *w, const struct th_replay *p)
{
    th_api_member_time(w, "since", p->since);
    th_api_member_time(w, "until", p->until);
    if (!p->backfill) {
        th_jw_key(w, TH_LIT("status"));
        th_jw_array(w);
        for (size_t i = 0; i < STATUSES; i++)
            if (p->states & statuses[i].states)
                th_jw_string(w, th_str(statuses[i].name));
        th_jw_end_array(w);
    }
    th_jw_key(w, TH_LIT("event_types"));
    th_jw_array(w);
    for (unsigned i = 0; i < p->type_count; i++)
        th_jw_string(w, p->types[i]);
    th_jw_end_array(w);
}

static void write_progress(struct th_jw *w, const struct th_replay *p)
{
    static const char *const states[] = {"collecting", "running", "done", "cancelled", "failed"};
    double part = p->state == TH_REPLAY_DONE ? 1.0
                  : p->matched               ? (double)p->queued / (double)p->matched
                                             : 0.0;

    th_api_member_str(w, "state", th_str(states[p->state]));
    th_api_member_int(w, "matched", (int64_t)p->matched);
    th_api_member_int(w, "queued", (int64_t)p->queued);
    th_jw_key(w, TH_LIT("progress"));
    th_jw_raw(w, TH_LIT(""));
    th_buf_printf(w->out, "%.4g", part < 1.0 ? part : 1.0);
}

static const struct th_replay *find(struct th_api_req *r)
{
    const struct th_replay *p = th_engine_replay_find(r->api->engine, r->tenant, r->param[0]);

    if (!p)
        th_api_fail(r, 404, "there is no such replay");
    return p;
}

static void write_replay(struct th_api_req *r, struct th_jw *w, const struct th_replay *p)
{
    struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, p->endpoint);

    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_replay_id(r->api->engine, p, w->out);
    th_buf_char(w->out, '"');
    th_jw_key(w, TH_LIT("endpoint"));
    if (ep || p->past.created) {
        th_jw_raw(w, TH_LIT("\""));
        (void)th_engine_endpoint_id_of(r->api->engine, r->dialect, p->endpoint, &p->past, w->out);
        th_buf_char(w->out, '"');
    } else {
        th_jw_null(w);
    }
    if (p->backfill)
        th_api_member_str(w, "kind", TH_LIT("backfill"));
    write_progress(w, p);
    write_filters(w, p);
    th_api_member_time(w, "created_at", p->created.ms);
    th_api_member_time(w, "updated_at", p->updated.ms);
    th_jw_end_object(w);
}

void th_h_replay(struct th_api_req *r)
{
    const struct th_replay *p = find(r);
    struct th_jw w;

    if (!p)
        return;
    w = th_api_reply_begin(r);
    write_replay(r, &w, p);
    th_api_reply(r, 200);
}

void th_h_replays(struct th_api_req *r)
{
    const struct th_replay *p = NULL;
    uint64_t before, next = 0, below;
    uint32_t limit, shown = 0;
    struct th_jw w;

    if (!th_api_query_paging(r, &limit, &before))
        return;
    below = before ? before : UINT64_MAX;
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    while ((p = th_engine_replay_below(r->api->engine, r->tenant, below))) {
        if (shown == limit || (shown && th_api_reply_is_full(r))) {
            next = below;
            break;
        }
        write_replay(r, &w, p);
        below = p->no;
        shown++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

static void cancelled(struct th_replay_cancel *c)
{
    struct th_api_req *r = c->user;

    if (c->error) {
        th_api_fail_store(r, c->error);
        return;
    }
    (void)th_api_reply_begin(r);
    th_api_reply_empty(r, 204);
}

void th_h_replay_cancel(struct th_api_req *r)
{
    const struct th_replay *p = find(r);

    if (!p)
        return;
    r->op->cancel = (struct th_replay_cancel){.replay = p, .done = cancelled, .user = r};
    th_engine_replay_cancel(r->api->engine, &r->op->cancel);
}
