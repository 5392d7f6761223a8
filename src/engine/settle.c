/* The end of an attempt: what it means, recorded durably, and only then what follows from it.
 *
 * SENDING → ended → [it fails for good: when did this round begin?] → [the endpoint is to be disabled: its turn among the
 * changes of settings] → concluded (slot free) → settle op → committed → DELIVERED | again at T | EXHAUSTED | FINAL. The
 * scheduler gets the delivery back only after the commit: no second request before the first is on record. If the process
 * dies before the commit, the attempt is made again; after it, the schedule goes on where it was.
 *
 * The health of the endpoint changes in memory when the settle is on its way, so it is written behind it. When it says
 * that the endpoint is to be disabled, that is stored in the same commit: nobody sees the delivery failed and the endpoint
 * active, and no crash comes between. */
#include "engine/internal.h"

#define HEAD_KEPT 8192 /* bytes of an answer's head */

static void settled(struct th_op *op);

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

/* As the row is in the store since the retry was asked for. */
static void ask_row(struct th_attempt *a)
{
    if (a->row.lane != TH_LANE_TEST)
        a->row.lane = TH_LANE_MANUAL;
    a->row.tries = 0;
}

static enum th_delivery_state state_of(enum th_verdict v)
{
    switch (v) {
    case TH_V_DELIVERED:
        return TH_DS_DELIVERED;
    case TH_V_AGAIN:
        return TH_DS_QUEUED;
    case TH_V_EXHAUSTED:
        return TH_DS_EXHAUSTED;
    default:
        return TH_DS_FINAL;
    }
}

void th_settle_submit(struct th_attempt *a)
{
    a->settle.op = (struct th_op){.kind = TH_OP_SETTLE, .done = settled, .user = a};
    th_engine_submit(a->e, &a->settle.op);
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
        ask_row(a);
    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_settled(e->sched, a->row.no, a->ep->gone ? NULL : &a->row,
                     (struct th_mono){e->now.mono.us + wait_us}, e->now.mono);
    th_attempt_release(a);
}

/* A change of address while the request was under way: its end says nothing of the new one. */
static enum th_learn learn_of(const struct th_attempt *a)
{
    if (a->row.lane == TH_LANE_TEST || a->unsendable || !th_span_eq(a->run->spec.url, a->ep->pub.spec.url))
        return TH_LEARN_NEUTRAL;
    if (a->verdict == TH_V_DELIVERED)
        return TH_LEARN_OK;
    switch (a->req.res.class) {
    case TH_HTTP_DNS:
    case TH_HTTP_DENIED:
    case TH_HTTP_CONNECT:
    case TH_HTTP_TIMEOUT:
        return TH_LEARN_FAILED;
    default: /* whatever it said, or how it hung up: somebody was there */
        return TH_LEARN_ANSWERED;
    }
}

static struct th_next_step judge(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    const struct th_rules *rules = &th_dialect_values(a->ep->pub.tenant->dialect)->rules;
    const struct th_http_result *res = &a->req.res;

    if (th_sched_asked(e->sched, a->row.no)) /* for by hand, while it was under way: nothing is used up */
        a->row.tries = 0;
    return th_retry_step(rules, res->class, res->status, res->retry_after_s, a->row.tries,
                         e->options.no_jitter ? 0 : th_engine_rnd32(e), a->row.lane == TH_LANE_TEST);
}

static void fill_settle(struct th_attempt *a, const struct th_next_step *step)
{
    bool again = step->verdict == TH_V_AGAIN;

    a->settle.delivery = a->row.no;
    a->settle.expect_attempts = a->row.attempts;
    a->settle.next = state_of(step->verdict);
    a->settle.due.ms = again ? a->ended.wall.ms + step->delay_ms : 0;
    a->settle.tries = (uint8_t)(again ? a->row.tries + 1 : a->row.tries);
    a->settle.with = NULL;
    a->disabling = NULL;
    a->again_at.us = a->ended.mono.us + step->delay_ms * 1000;
    a->degraded = step->degraded;
}

/* What the end says of the endpoint. */
static enum th_disable apply_health(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct th_endpoint *pub = &a->ep->pub;
    struct th_health before = pub->health;
    enum th_disable disable = th_health_apply(&th_dialect_values(pub->tenant->dialect)->rules, &pub->health,
                                              a->verdict, a->ended.wall, a->first);

    if (memcmp(&before, &pub->health, sizeof before) != 0)
        th_health_touch(e, a->ep);
    if (a->verdict == TH_V_DELIVERED &&
        (before.exhausted_run ||
         (before.first_fail && a->ended.wall.ms - before.first_fail > TH_HEALTH_FLUSH_MS)))
        e->health_flipped = true;
    a->recovered = before.exhausted_run && a->verdict == TH_V_DELIVERED;
    return disable;
}

/* A retry was asked for by hand while this attempt was under way, and it has not delivered: the next one goes out now, and the
 * schedule begins with it. The store has the delivery in the lane of what is asked for already. */
static void go_again(struct th_attempt *a)
{
    struct th_next_step now = {.verdict = TH_V_AGAIN};

    a->verdict = TH_V_AGAIN;
    fill_settle(a, &now);
    a->settle.tries = 0;
    ask_row(a);
}

/* Does the endpoint ask to be left alone, or does it work again although it had? Only what was asked for by hand begins while
 * it rests, so a success that began before says nothing. */
static void learn_rest(struct th_attempt *a)
{
    const struct th_rules *rules = &th_dialect_values(a->ep->pub.tenant->dialect)->rules;
    const struct th_http_result *res = &a->req.res;
    int64_t ms = th_retry_rest_ms(rules, res->class, res->status, res->retry_after_s);

    if (a->verdict == TH_V_DELIVERED) {
        if (a->ep->pub.health.rest_until > a->ended.wall.ms && a->began.us >= a->ep->rests_since.us)
            th_rest_forget(a->e, a->ep);
    } else if (ms) {
        th_rest_ask(a->e, a->ep, ms);
    }
}

enum th_disable th_attempt_conclude(struct th_attempt *a)
{
    struct th_next_step step = judge(a);
    uint32_t broken = th_sched_stats(a->e->sched).broken_endpoints, broken_now;
    enum th_learn learn;
    bool asked = th_sched_asked(a->e->sched, a->row.no) && step.verdict != TH_V_DELIVERED;
    enum th_disable disable;

    a->verdict = step.verdict;
    a->recovered = false;
    learn = learn_of(a);
    th_sched_result(a->e->sched, a->row.no, learn, a->began, a->e->now.mono);
    if (learn != TH_LEARN_NEUTRAL && !a->ep->gone)
        learn_rest(a);
    broken_now = th_sched_stats(a->e->sched).broken_endpoints;
    if (broken_now != broken)
        th_report_breaker(a, broken_now > broken);
    fill_settle(a, &step);
    disable = a->row.lane == TH_LANE_TEST || a->ep->gone ? TH_KEEP : apply_health(a);
    if (asked)
        go_again(a);
    return disable;
}

enum th_disable th_attempt_would_disable(struct th_attempt *a, struct th_health *after)
{
    const struct th_rules *rules = &th_dialect_values(a->ep->pub.tenant->dialect)->rules;

    *after = a->ep->pub.health;
    a->verdict = judge(a).verdict;
    if (a->row.lane == TH_LANE_TEST || a->ep->gone)
        return TH_KEEP;
    return th_health_apply(rules, after, a->verdict, a->ended.wall, a->first);
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
    a->verdict = judge(a).verdict;
    fill_row(a); /* the answer is the transport's, and gone after this call */
    if (test || a->verdict == TH_V_DELIVERED || a->verdict == TH_V_AGAIN || !find_first(a))
        end(a);
}

/* ---- after the commit ---- */

static enum th_counter outcome_counter(const struct th_attempt_row *row)
{
    _Static_assert((int)TH_C_ATTEMPTS_PROTOCOL - (int)TH_C_ATTEMPTS_DNS ==
                       (int)TH_HTTP_PROTOCOL - (int)TH_HTTP_DNS,
                   "in the same order");
    if (row->class == TH_HTTP_OK)
        return row->ok ? TH_C_ATTEMPTS_SUCCESS : TH_C_ATTEMPTS_STATUS;
    if (row->class >= TH_HTTP_DNS && row->class <= TH_HTTP_PROTOCOL)
        return (enum th_counter)(TH_C_ATTEMPTS_DNS + (row->class - TH_HTTP_DNS));
    return TH_C_ATTEMPTS_INTERNAL;
}

static void count(struct th_attempt *a)
{
    struct th_metrics *m = a->e->options.metrics;

    if (a->row.lane == TH_LANE_TEST) {
        th_count(m, a->verdict == TH_V_DELIVERED ? TH_C_TESTS_DELIVERED : TH_C_TESTS_FAILED, 1);
        return;
    }
    th_count(m, outcome_counter(&a->settle.row), 1);
    th_observe(m, TH_H_ATTEMPT_SECONDS, a->settle.row.us[4]);
    if (a->verdict == TH_V_DELIVERED) {
        th_count(m, TH_C_DELIVERIES_DELIVERED, 1);
        if (a->settle.row.nth == 1 && a->event->accepted.us)
            th_observe(m, TH_H_DELIVERY_SECONDS, a->e->now.mono.us - a->event->accepted.us);
    } else if (a->verdict != TH_V_AGAIN) {
        th_count(m, a->verdict == TH_V_EXHAUSTED ? TH_C_DELIVERIES_EXHAUSTED : TH_C_DELIVERIES_FINAL, 1);
    }
}

/* What others hear of it. */
static void report(struct th_attempt *a, bool again)
{
    struct th_engine *e = a->e;

    if (a->row.lane == TH_LANE_TEST)
        return;
    if (a->recovered)
        th_operator_endpoint(e, a->ep, "endpoint.recovered", "delivered");
    if (again && a->degraded)
        th_operator_delivery_degraded(e, a);
    if (a->settle.applied && !again && a->verdict != TH_V_DELIVERED) {
        th_report_failed(a);
        th_operator_delivery_failed(e, a, a->first);
    }
}

/* Gives the delivery back to the scheduler, or ends it. Releases the attempt. */
static void follow(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    bool again = a->settle.applied && a->verdict == TH_V_AGAIN;
    struct th_queue_row next = a->row;

    count(a);
    if (a->row.lane != TH_LANE_TEST)
        th_engine_last_attempt_set(e, a->row.endpoint, &a->settle.row);
    th_report_attempt(a);
    next.attempts++;
    next.tries = a->settle.tries;
    next.due = a->settle.due.ms;
    th_sched_settled(e->sched, a->row.no, again ? &next : NULL, again ? a->again_at : e->now.mono,
                     e->now.mono);
    if (!again && e->walk_busy && a->row.no >= e->walk.from && (!e->walk_below || a->row.no < e->walk_below))
        e->walk_void = true;
    e->settles_out--;
    report(a, again);
    if (!again)
        th_event_settled(e, a->row.event);
    th_attempt_release(a);
}

static void settled(struct th_op *op)
{
    struct th_attempt *a = op->user;
    struct th_engine *e = a->e;
    bool applied = a->settle.applied;

    if (op->error == TH_UNKNOWN || op->error == TH_RETRY) {
        th_settle_submit(a); /* compare-and-set: twice is once */
        return;
    }
    if (!op->error) {
        if (a->disabling)
            th_disabling_stored(a, TH_OK, applied);
        follow(a);
        return;
    }
    /* what is in memory is what the store has, and changes are made one at a time: nothing can refuse it */
    th_engine_store_error(e, op->error == TH_CONFLICT ? TH_BUG : op->error);
    if (a->disabling)
        th_disabling_stored(a, op->error, false); /* others wait for their turn */
    if (th_error_class(op->error) == TH_CLASS_RESOURCE && !e->dead) {
        th_list_remove(&a->link);
        th_list_append(&e->settle_retry, &a->link);
        e->settle_retry_at.us = e->now.mono.us + 500000;
        return;
    }
    e->settles_out--;
    th_attempt_release(a);
}

/* Outcomes that found no room are tried again; they are few (TH_MAX_SETTLES) and no delivery is sent twice meanwhile. */
void th_settle_turn(struct th_engine *e)
{
    struct th_list batch, *l;

    if (th_list_empty(&e->settle_retry) || e->now.mono.us < e->settle_retry_at.us)
        return;
    th_list_init(&batch);
    while ((l = th_list_pop(&e->settle_retry)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch))) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        th_list_append(&e->running, &a->link);
        th_settle_submit(a);
    }
}
