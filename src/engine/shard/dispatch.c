/* From the scheduler's pick to the request on the wire: event from memory or store, name resolved and judged, request
 * rendered and signed for this attempt, given to the transport.
 *
 * A request begins only while fewer than TH_MAX_SETTLES outcomes wait for their commit, so what a crash can repeat is
 * bounded. If the process dies here the queue row is as it was: the same attempt is made again after the start. */
#include "engine/shard/dispatch.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/settings/filters.h"
#include "engine/settings/secrets.h"
#include "engine/settings/settings.h"
#include "engine/shard/address.h"
#include "engine/shard/attempt.h"
#include "engine/shard/attempt_end.h"
#include "engine/shard/batch.h"
#include "engine/shard/events.h"
#include "engine/shard/expire.h"
#include "engine/shard/report.h"
#include "engine/shard/settle.h"
#include "engine/shard/skip.h"
#include "engine/shard/token.h"
#include "engine/shard/trace.h"
#include "engine/state.h"
#include <stdio.h>

#define LARGE_EVENT 16384   /* bytes from which an event waits for others to leave memory */
#define DISPATCH_BUDGET 256 /* requests begun in one turn */
#define LEASE_LOOK_US 100000
#define LOAD_BATCH 64
#define MAX_LOADS 4       /* batches under way; beyond, dispatch pauses */
#define ANSWER_KEPT 16384 /* bytes of an answer's body; the transport gives no more */

struct th_load_batch {
    struct th_load op;
    struct th_deferred defer;
    struct th_engine *e;
    struct th_list waiting; /* attempts */
    uint64_t events[LOAD_BATCH];
    struct th_event_row rows[LOAD_BATCH];
};

/* The delivery is no more (event purged, endpoint deleted): the scheduler forgets it, nothing is recorded. */
static void forget(struct th_engine *e, const struct th_queue_row *row)
{
    th_sched_result(e->sched, row->no, TH_LEARN_NEUTRAL, e->now.mono, e->now.mono);
    th_sched_settled(e->sched, row->no, NULL, e->now.mono, e->now.mono);
}

/* Not now: due again after `ms`, nothing recorded, no attempt counted. */
static void postpone(struct th_engine *e, const struct th_queue_row *row, int64_t ms)
{
    th_sched_result(e->sched, row->no, TH_LEARN_NEUTRAL, e->now.mono, e->now.mono);
    th_sched_settled(e->sched, row->no, row, (struct th_mono){e->now.mono.us + ms * 1000}, e->now.mono);
}

/* ---- render and send ---- */

/* Of the data that the delivery is written with. */
static int64_t sunset_of(const struct th_attempt *a)
{
    return th_payload_sunset(a->e, a->ep->pub.tenant, &a->event->row, a->run->spec.data_version);
}

static void fill_render(struct th_attempt *a, struct th_render *r, const struct th_sign_key **keys)
{
    const struct th_tenant *t = a->ep->pub.tenant;
    const struct th_event *ev = a->event;

    *r = (struct th_render){.event_id = ev->id,
                            .event_type = ev->row.type,
                            .data = ev->row.data,
                            .data_written = ev->data_written,
                            .resource_type = ev->row.resource_type,
                            .resource_id = ev->row.resource_id,
                            .event_time = ev->row.time,
                            .tenant_id = t->id,
                            .attributes = t->attributes,
                            .endpoint_id = a->run->id,
                            .endpoint_url = a->run->spec.url,
                            .delivery_id = th_span(a->delivery_id, a->delivery_id_len),
                            .attempt = a->row.attempts + 1u,
                            .at_unix = a->signed_at,
                            .variant = a->run->variant,
                            .method = th_method_name(t->dialect, a->run->spec.method),
                            .options = a->run->spec.options,
                            .form = a->run->spec.form,
                            .keys = keys,
                            .custom = a->run->lines,
                            .sequence = a->row.order ? a->row.no : 0,
                            .skipped = a->row.order ? th_sched_skipped(a->e->sched, a->row.no) : 0};
    r->key_count = th_secrets_active(&a->ep->pub, a->e->now.wall.ms, keys);
}

static enum th_error from_template(struct th_attempt *a, const struct th_dialect *d)
{
    const struct th_event *ev = a->event;
    struct th_publish_event as = {.type = ev->row.type,
                                  .data = ev->row.data,
                                  .external_id = ev->id,
                                  .resource_type = ev->row.resource_type,
                                  .resource_id = ev->row.resource_id};

    if (!ev->data_written)
        return th_engine_template(a->e, d, a->run->payload, &ev->row, &a->body);
    return th_payload_body(a->e, d, a->run->payload, &as, ev->row.time, &a->body);
}

/* With the data of an earlier version; *made: that is how it was done. */
static enum th_error render_version(struct th_attempt *a, const struct th_dialect *d, struct th_render *r,
                                    bool *made)
{
    struct th_event_row row = a->event->row;
    struct th_buf data;
    enum th_error error;
    bool shared;

    *made = false;
    if (!a->run->spec.data_version || row.more.version <= a->run->spec.data_version)
        return TH_OK;
    th_buf_init(&data, 64u << 20);
    error = th_payload_version(a->e, a->ep->pub.tenant, &row, a->run->spec.data_version, &data);
    if (!error && data.n) {
        *made = true;
        row.data = r->data = th_buf_view(&data);
        r->data_written = false;
        error = a->run->payload ? th_engine_template(a->e, d, a->run->payload, &row, &a->body)
                                : th_dialect_body(d, r, &a->body, &shared);
        r->data = a->event->row.data; /* the head is made of the body alone */
    }
    th_buf_fini(&data);
    return error;
}

/* The body that has been made, as a form of the attempt's own. */
static enum th_error render_form(struct th_attempt *a, const struct th_dialect *d, struct th_span *body)
{
    enum th_error error;

    if (body->p != a->body.p) /* that of all deliveries stays as it is */
        th_buf_span(&a->body, *body);
    error = a->body.failed ? a->body.failed : th_payload_form(d, &a->body);
    if (error)
        return error;
    a->e->pinned_bytes -= a->held;
    a->held = a->body.cap;
    a->e->pinned_bytes += a->held;
    *body = th_buf_view(&a->body);
    return TH_OK;
}

/* What one delivery is written as. */
static enum th_error render_body(struct th_attempt *a, const struct th_dialect *d, struct th_render *r,
                                 struct th_span *body)
{
    struct th_engine *e = a->e;
    enum th_error error;
    bool shared = false, made;

    error = render_version(a, d, r, &made);
    if (error)
        return error;
    if (made || a->run->payload) {
        if (!made)
            error = from_template(a, d);
        if (error)
            return error;
        *body = th_buf_view(&a->body);
    } else if (a->event->body.p) {
        *body = a->event->body;
        return TH_OK;
    } else {
        error = th_dialect_body(d, r, &a->body, &shared);
        if (error)
            return error;
        *body = th_buf_view(&a->body);
        if (shared && a->event->row.deliveries > 1) {
            char *copy = th_malloc(body->n);
            if (copy) {
                memcpy(copy, body->p, body->n);
                a->event->body = th_span(copy, body->n);
                a->event->bytes += body->n;
                e->cache_bytes += body->n;
                e->pinned_bytes += body->n;
                *body = a->event->body;
                th_buf_shrink(&a->body);
            }
        }
    }
    a->held = a->body.cap;
    e->pinned_bytes += a->held;
    return TH_OK;
}

/* Its body has been used. */
static void drop_body(struct th_attempt *a)
{
    a->e->pinned_bytes -= a->held;
    a->held = 0;
    th_buf_reset(&a->body);
    th_buf_shrink(&a->body);
}

/* The list of all deliveries that the request is for. From the first mate on that cannot be written, or does not fit, they go later. */
static enum th_error render_list(struct th_attempt *a, const struct th_dialect *d, struct th_span *body)
{
    const bool plain = th_dialect_values(d)->batch_plain;
    struct th_attempt *m = a;
    struct th_buf list;
    enum th_error error = TH_OK;

    th_buf_init(&list, 64u << 20);
    while (m) {
        const struct th_sign_key *keys[TH_MAX_SECRETS];
        struct th_render r;

        fill_render(m, &r, keys);
        error = render_body(m, d, &r, body);
        if (!error && (m == a || list.n + body->n <= TH_ORDER_BATCH_BYTES))
            th_batch_element(r.event_id, r.sequence, plain, *body, &list);
        else if (m == a)
            break;
        else
            error = TH_FULL;
        drop_body(m);
        if (error) {
            th_batch_return(a, m);
            error = TH_OK;
            break;
        }
        m = th_batch_next(a, m == a ? NULL : m);
    }
    th_buf_char(&list, ']');
    error = error ? error : list.failed;
    drop_body(a);
    if (error) {
        th_buf_fini(&list);
        return error;
    }
    th_buf_fini(&a->body);
    a->body = list;
    a->held = a->body.cap;
    a->e->pinned_bytes += a->held;
    *body = th_buf_view(&a->body);
    return TH_OK;
}

static void name_list(struct th_attempt *a, struct th_render *r, char id[TH_BATCH_ID])
{
    uint64_t events[TH_ORDER_BATCH_MAX];

    r->batch = 0;
    for (const struct th_attempt *m = a; m; m = th_batch_next(a, m == a ? NULL : m)) {
        int64_t sunset = sunset_of(m);

        if (sunset && (!r->sunset || sunset < r->sunset)) /* the first of them that ends */
            r->sunset = sunset;
        events[r->batch++] = m->row.event;
    }
    if (r->batch == 1)
        return;
    th_batch_id(events, r->batch, id);
    r->event_id = th_str(id);
}

static enum th_error render(struct th_attempt *a, struct th_span *body)
{
    const struct th_dialect *d = a->ep->pub.tenant->dialect;
    const struct th_sign_key *keys[TH_MAX_SECRETS];
    const bool list = th_batch_is_list(a);
    char id[TH_BATCH_ID];
    struct th_render r;
    enum th_error error;

    fill_render(a, &r, keys);
    r.sunset = sunset_of(a);
    error = list ? render_list(a, d, body) : render_body(a, d, &r, body);
    if (error)
        return error;
    if (list) {
        name_list(a, &r, id);
    } else if (th_payload_wants_form(d, a->run->spec.form, a->run->payload)) {
        error = render_form(a, d, body);
        if (error)
            return error;
    }
    error = th_dialect_head(d, &r, *body, &a->head, &a->sigs, false);
    if (!error && a->mate_count) {
        th_batch_note(a, id, &a->sigs);
        error = a->sigs.failed;
    }
    return error;
}

static void fail_locally(struct th_attempt *a, enum th_http_class class, const char *detail)
{
    a->out.req.res = (struct th_http_result){.class = class,
                                             .retry_after_s = UINT32_MAX,
                                             .times = {-1, -1, -1, -1, a->e->now.mono.us - a->began.us}};
    snprintf(a->out.req.res.detail_text, sizeof a->out.req.res.detail_text, "%s", detail);
    a->out.req.res.detail = a->out.req.res.detail_text;
    th_attempt_ended(a);
}

/* The name of the header whose value could not be written: the line that has no end. */
static struct th_span unfinished_header(const struct th_buf *head)
{
    size_t from = head->n, to;

    while (from && head->p[from - 1] != '\n')
        from--;
    for (to = from; to < head->n && head->p[to] != ':'; to++)
        ;
    return th_span(head->p + from, to - from);
}

/* The dialect or the tenant's attributes are others than when the event was accepted. What cannot be rendered uses up its
 * schedule, so that it ends, and says what is wrong. Without memory: later, uncounted. */
static void fail_unrendered(struct th_attempt *a, enum th_error error)
{
    struct th_span name = error == TH_INVALID && a->head.n ? unfinished_header(&a->head) : TH_LIT("");
    char text[sizeof a->out.req.res.detail_text];

    if (error == TH_INVALID)
        snprintf(text, sizeof text, "no request was made: the value for \"%.*s\" cannot stand in a header",
                 (int)(name.n < 80 ? name.n : 80), name.p);
    else if (error == TH_TOO_LARGE && (a->run->payload || a->run->spec.data_version || a->run->spec.form))
        snprintf(
            text, sizeof text,
            "no request was made: what the endpoint's template makes of this event is too large, or takes "
            "too many steps");
    else
        snprintf(text, sizeof text, "no request was made: it cannot be written (%s)", th_error_name(error));
    a->unsendable = error != TH_NOMEM;
    fail_locally(a, TH_HTTP_INTERNAL, text);
}

static uint32_t timeout_ms_of(const struct th_attempt *a)
{
    return th_ep_timeout_ms(a->ep->pub.tenant, a->run);
}

/* A test has no event that could expire. */
static bool is_over(const struct th_attempt *a)
{
    return th_expire_has_come(&a->event->row, a->e->now.wall) && a->row.lane != TH_LANE_TEST;
}

static void judged(struct th_outgoing *o, unsigned count)
{
    struct th_attempt *a = TH_CONTAINER(o, struct th_attempt, out);
    struct th_engine *e = a->e;
    const struct th_rules *rules = &th_dialect_values(a->ep->pub.tenant->dialect)->rules;
    uint32_t timeout_ms = timeout_ms_of(a);
    uint32_t connect_ms = (rules->connect_timeout_s ? rules->connect_timeout_s : 10) * 1000;
    struct th_span body;
    enum th_error error;

    if (o->cancelled || a->ep->gone || a->ep->pub.tenant->deleting || a->run != a->ep->pub.run ||
        !th_store_lets_send(e->options.store) || is_over(a) || th_sched_cancelled(e->sched, a->row.no)) {
        /* Deleted, cancelled, expired, paused or edited, or no longer sure to be the only sender, while the event was read or the name was looked up: no new request may break what the
         * API has confirmed. No attempt; what is still wanted is due at once, with the settings of then. */
        fail_locally(a, TH_HTTP_CANCELLED, "cancelled");
        return;
    }
    if (a->mate_count)
        th_batch_look(a);
    count = th_address_take(a, count);
    if (count == 0) {
        fail_locally(a, TH_HTTP_CANCELLED, "no address has room");
        return;
    }
    a->signed_at = e->now.wall.ms / 1000;
    error = render(a, &body);
    if (!error) {
        th_trace_write(a);
        error = a->head.failed;
    }
    if (!error && a->token) {
        th_buf_str(&a->head, "Authorization: Bearer ");
        th_buf_span(&a->head, a->token->text);
        th_buf_str(&a->head, "\r\n");
        error = a->head.failed;
    }
    if (error) {
        fail_unrendered(a, error);
        return;
    }
    a->out.req = (struct th_http_req){
        .method = th_method_name(a->ep->pub.tenant->dialect, a->run->spec.method),
        .head = th_buf_view(&a->head),
        .body = {body},
        .body_count = 1,
        .decode = true,
        .deadline = {a->began.us + (int64_t)timeout_ms * 1000},
        .connect_deadline = {e->now.mono.us +
                             (int64_t)(connect_ms < timeout_ms ? connect_ms : timeout_ms) * 1000},
        .head_cap = 32u << 10,
        .body_cap = ANSWER_KEPT};
    th_outgoing_send(&a->out, count);
}

static void failed(struct th_outgoing *o, enum th_http_class class, const char *why)
{
    fail_locally(TH_CONTAINER(o, struct th_attempt, out), class, why);
}

static void ended(struct th_outgoing *o)
{
    th_attempt_ended(TH_CONTAINER(o, struct th_attempt, out));
}

static void find_addresses(struct th_attempt *a)
{
    a->out.e = a->e; /* member by member: it is large, and used again */
    a->out.ep = &a->ep->pub;
    a->out.url = &a->run->url;
    a->out.identity = a->run->identity;
    a->out.began = a->began;
    a->out.judged = judged;
    a->out.failed = failed;
    a->out.ended = ended;
    th_outgoing_begin(&a->out, (struct th_mono){a->began.us + (int64_t)timeout_ms_of(a) * 1000});
}

static void token_came(struct th_attempt *a, const char *why)
{
    if (a->out.cancelled || a->ep->gone || a->e->no_requests || a->run != a->ep->pub.run)
        fail_locally(a, TH_HTTP_CANCELLED, "cancelled"); /* also where other settings hold by now */
    else if (why)
        fail_locally(a, TH_HTTP_TOKEN, why);
    else
        find_addresses(a);
}

static void attempt_send(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct th_buf id = {.p = a->delivery_id, .cap = sizeof a->delivery_id, .max = sizeof a->delivery_id};

    th_engine_delivery_id(e, a->ep->pub.tenant->dialect, &a->event->row, a->row.no, &id);
    a->delivery_id_len = id.n;
    th_list_remove(&a->link);
    th_list_append(&e->running, &a->link);
    if (a->ep->gone || a->ep->pub.tenant->deleting ||
        e->no_requests) { /* deleted, or a stop that does not wait, while the event was read */
        fail_locally(a, TH_HTTP_CANCELLED, "cancelled");
        return;
    }
    if (is_over(a)) {
        th_batch_return(a, th_batch_next(a, NULL));
        th_expire(a);
        return;
    }
    th_trace_begin(a);
    if (!a->run->token_url) {
        find_addresses(a);
        return;
    }
    a->token_came = token_came;
    th_token_get(a, (struct th_mono){a->began.us + (int64_t)timeout_ms_of(a) * 1000});
}

/* ---- loading events that are not in memory ---- */

/* Silent endpoints hold what is sent to them until their time is up. When that is much, what would take more waits: large
 * events, and those that are not in memory. */
static bool must_wait_for_memory(const struct th_engine *e, const struct th_event *ev)
{
    if (e->pinned_bytes <= e->options.max_pinned_bytes)
        return false;
    return !ev || (!ev->pins && ev->bytes > LARGE_EVENT);
}

/* Every event of a request that has been looked for has come, or will not come now. */
static void all_came(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct th_attempt *m, *next;

    if (!a->event) {
        th_batch_return(a, th_batch_next(a, NULL));
        if (a->later_ms)
            postpone(e, &a->row, a->later_ms);
        else
            forget(e, &a->row);
        th_attempt_release(a);
        return;
    }
    for (m = th_batch_next(a, NULL); m; m = next) {
        next = th_batch_next(a, m);
        if (m->event)
            continue;
        if (m->later_ms) {
            th_batch_return(a, m);
            break;
        }
        th_batch_forget(m);
    }
    attempt_send(a);
}

static void one_came(struct th_attempt *a, struct th_attempt *leader, struct th_event *ev, int64_t later_ms)
{
    a->later_ms = later_ms;
    if (!later_ms && ev) {
        a->event = ev;
        th_event_pin(a->e, ev);
    }
    if (--leader->unread == 0)
        all_came(leader);
}

static void send_loaded(struct th_load_batch *b, struct th_attempt *a)
{
    struct th_engine *e = b->e;
    struct th_event *ev = NULL;
    bool missing = true;

    for (uint32_t i = 0; i < b->op.count && !b->op.op.error; i++) {
        if (b->rows[i].no != a->row.event)
            continue;
        missing = b->rows[i].erased != 0; /* its deliveries are being cancelled */
        if (!missing)
            ev = th_event_add(e, a->ep->pub.tenant, &b->rows[i], b->rows[i].deliveries);
        break;
    }
    if (a->leader || a->unread) {
        one_came(a, a->leader ? a->leader : a, ev,
                 ev                           ? (must_wait_for_memory(e, ev) ? 250 : 0)
                 : missing && !b->op.op.error ? 0
                                              : 1000);
        return;
    }
    if (ev && !must_wait_for_memory(e, ev)) {
        a->event = ev;
        th_event_pin(e, ev);
        attempt_send(a);
        return;
    }
    if (ev) /* those of the same batch have used up what there was when it was asked for */
        postpone(e, &a->row, 250);
    else if (missing && !b->op.op.error)
        forget(e, &a->row); /* purged by retention */
    else
        postpone(e, &a->row, 1000);
    th_attempt_release(a);
}

static void flush_batch(struct th_engine *e);

/* Events may be large: writing and signing them for everybody who waits may take more than one turn. */
static void send_some(void *arg)
{
    struct th_load_batch *b = arg;
    struct th_engine *e = b->e;
    struct th_list *l;

    while ((l = th_list_pop(&b->waiting))) {
        send_loaded(b, TH_CONTAINER(l, struct th_attempt, link));
        if (!th_list_empty(&b->waiting) && th_engine_turn_over(e, TH_TURN_DEFERRED_US)) {
            th_engine_defer(e, &b->defer, send_some, b);
            return;
        }
    }
    e->loads_out--;
    th_buf_fini(&b->op.mem);
    th_free(b);
    flush_batch(e);
}

static void loaded(struct th_op *op)
{
    struct th_load_batch *b = op->user;

    if (op->error)
        th_engine_store_error(b->e, op->error);
    th_engine_defer(b->e, &b->defer, send_some, b);
}

/* One read is under way at a time, unless they are full: the store answers them one after the other, and what is wanted meanwhile
 * goes together, which costs a database little more than one alone. */
static void flush_batch(struct th_engine *e)
{
    struct th_load_batch *b = e->batch;

    if (!b || (e->loads_out && b->op.count < LOAD_BATCH))
        return;
    e->batch = NULL;
    b->op.op = (struct th_op){.kind = TH_OP_LOAD, .done = loaded, .user = b};
    b->op.events = b->events;
    b->op.rows = b->rows;
    th_buf_init(&b->op.mem, 512u << 20);
    e->loads_out++;
    th_engine_submit(e, &b->op.op);
}

static bool want_event(struct th_engine *e, struct th_attempt *a)
{
    struct th_load_batch *b = e->batch;

    if (!b) {
        b = th_calloc(1, sizeof *b);
        if (!b)
            return false;
        b->e = e;
        th_list_init(&b->waiting);
        e->batch = b;
    }
    th_list_append(&b->waiting, &a->link);
    for (uint32_t i = 0; i < b->op.count; i++)
        if (b->events[i] == a->row.event)
            return true;
    b->events[b->op.count++] = a->row.event;
    if (b->op.count == LOAD_BATCH)
        flush_batch(e);
    return true;
}

/* ---- pick ---- */

/* Events of a request for several deliveries. What there is no memory for goes later, and all behind it. */
static void find_events(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct th_attempt *m = a, *next;

    for (; m; m = next) {
        struct th_event *ev = th_map_get(&e->events, m->row.event);

        next = th_batch_next(a, m == a ? NULL : m);
        if (ev && ev->stale)
            ev = NULL;
        m->later_ms = 0;
        if (m != a && must_wait_for_memory(e, ev)) {
            th_batch_return(a, m);
            break;
        }
        if (ev) {
            m->event = ev;
            th_event_pin(e, ev);
            continue;
        }
        a->unread++;
        if (want_event(e, m))
            continue;
        a->unread--;
        if (m == a) {
            th_batch_return(a, next);
            postpone(e, &a->row, 1000);
            th_attempt_release(a);
            return;
        }
        th_batch_return(a, m);
        break;
    }
    if (!a->unread)
        attempt_send(a);
}

static void begin(struct th_engine *e, const struct th_queue_row *row)
{
    struct th_ep *ep = th_map_get(&e->endpoints, row->endpoint);
    struct th_attempt *a;
    struct th_event *ev;

    if (!ep || ep->pub.tenant->deleting || row->event <= e->purged_upto) {
        forget(e, row);
        return;
    }
    ev = th_map_get(&e->events, row->event);
    if (ev && ev->stale)
        ev = NULL;
    if (must_wait_for_memory(e, ev)) {
        postpone(e, row, 250);
        return;
    }
    a = th_attempt_get(e);
    if (!a) {
        postpone(e, row, 1000);
        return;
    }
    e->attempts_out++;
    e->slot_busy[th_slot_of(row->endpoint)]++;
    a->row = *row;
    a->ep = ep;
    ep->refs++;
    a->run = th_run_ref(ep->pub.run);
    a->began = e->now.mono;
    a->began_wall = e->now.wall;
    if (row->order && th_batch_is_list(a))
        th_batch_gather(a);
    if (a->mate_count) {
        find_events(a);
    } else if (ev) {
        a->event = ev;
        th_event_pin(e, ev);
        attempt_send(a);
    } else if (!want_event(e, a)) {
        postpone(e, row, 1000);
        th_attempt_release(a);
    }
}

/* Until the store has answered. */
static bool is_paused(const struct th_engine *e)
{
    return e->settles_out >= th_part(e, TH_MAX_SETTLES) || e->loads_out >= MAX_LOADS || e->dead;
}

/* While it is paused the store's answer is what it waits for, not a moment. */
struct th_mono th_dispatch_wanted(const struct th_engine *e)
{
    if (!th_store_lets_send(e->options.store)) /* nothing tells when that has changed */
        return (struct th_mono){e->now.mono.us + LEASE_LOOK_US};
    return is_paused(e) ? TH_MONO_NEVER : th_sched_next(e->sched, e->now.mono);
}

void th_dispatch_begin(struct th_engine *e)
{
    struct th_queue_row row;
    unsigned budget = DISPATCH_BUDGET;

    while (budget && !is_paused(e) && th_store_lets_send(e->options.store) &&
           th_sched_pick(e->sched, e->now.mono, &row)) {
        begin(e, &row);
        if (--budget % 4 == 0 && budget && th_engine_turn_over(e, TH_TURN_DISPATCH_US))
            budget = 0;
    }
    if (budget == 0)
        e->more = true;
    flush_batch(e);
    th_skips_store(e);
    th_gauge_set(e->options.metrics, TH_G_REQUESTS_IN_FLIGHT, e->attempts_out);
}
