/* The end of an attempt: what it means, recorded durably, and only then what follows from it.
 *
 * SENDING → ended (slot free) → settle op → committed → DELIVERED | again at T | EXHAUSTED | FINAL. The scheduler gets the
 * delivery back only after the commit: no second request before the first is on record. If the process dies before the
 * commit, the attempt is made again; after it, the schedule goes on where it was. */
#include "engine/internal.h"

static void settled(struct th_op *op);

static void keep_answer(struct th_attempt *a)
{
    const struct th_http_result *res = &a->req.res;
    struct th_attempt_row *row = &a->settle.row;
    size_t body = res->body.n, cap = row->ok ? 1024 : TH_ANSWER_KEPT,
           head = res->head.n < 8192 ? res->head.n : 8192;

    if (body > cap) {
        body = cap;
        row->truncated = true;
    }
    th_buf_add(&a->answer, res->head.p, head);
    th_buf_add(&a->answer, res->body.p, body);
    if (a->answer.failed) {
        th_buf_reset(&a->answer);
        head = body = 0;
    }
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
    row->us[4] = since(a->began.us, a->e->now.mono.us);
    if (row->detail.n > 400)
        row->detail.n = 400;
    keep_answer(a);
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

static void submit(struct th_attempt *a)
{
    a->settle.op = (struct th_op){.kind = TH_OP_SETTLE, .done = settled, .user = a};
    th_engine_submit(a->e, &a->settle.op);
}

/* Cancelled by a stop or a deletion, or this machine's own trouble (memory, descriptors): no attempt of the endpoint's;
 * not counted. What was for a deleted endpoint is forgotten; its row is cancelled with the others. */
static void not_an_attempt(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    int64_t wait_us = a->req.res.class == TH_HTTP_CANCELLED ? 0 : 1000000;

    if (wait_us && e->now.mono.us >= e->warn_at.us) { /* one line a second says it for all */
        e->warn_at.us = e->now.mono.us + 1000000;
        th_log(TH_LOG_WARN, "a request could not be begun",
               TH_KC("detail", a->req.res.detail ? a->req.res.detail : ""));
    }
    th_sched_result(e->sched, a->row.no, TH_LEARN_NEUTRAL, a->began, e->now.mono);
    th_sched_settled(e->sched, a->row.no, a->ep->gone ? NULL : &a->row,
                     (struct th_mono){e->now.mono.us + wait_us}, e->now.mono);
    th_attempt_release(a);
}

void th_attempt_ended(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    const struct th_rules *rules = &th_dialect_values(a->ep->pub.tenant->dialect)->rules;
    const struct th_http_result *res = &a->req.res;
    bool test = a->row.lane == TH_LANE_TEST;
    struct th_next_step step;

    if (th_sched_asked(e->sched, a->row.no))
        a->row.tries = 0;
    if (res->class == TH_HTTP_CANCELLED || (res->class == TH_HTTP_INTERNAL && !a->unsendable)) {
        not_an_attempt(a);
        return;
    }
    step = th_retry_step(rules, res->class, res->status, res->retry_after_s, a->row.tries,
                         e->conf.no_jitter ? 0 : th_engine_rnd32(e), test);
    a->verdict = step.verdict;
    th_sched_result(e->sched, a->row.no,
                    test || a->unsendable            ? TH_LEARN_NEUTRAL
                    : step.verdict == TH_V_DELIVERED ? TH_LEARN_OK
                                                     : TH_LEARN_FAILED,
                    a->began, e->now.mono);
    fill_row(a);
    a->settle.delivery = a->row.no;
    a->settle.expect_attempts = a->row.attempts;
    a->settle.next = state_of(step.verdict);
    a->settle.due.ms = step.verdict == TH_V_AGAIN ? e->now.wall.ms + step.delay_ms : 0;
    a->settle.tries = (uint8_t)(step.verdict == TH_V_AGAIN ? a->row.tries + 1 : a->row.tries);
    a->again_at.us = e->now.mono.us + step.delay_ms * 1000;
    a->degraded = step.degraded;
    e->settles_out++;
    submit(a);
}

/* ---- after the commit ---- */

static void count(struct th_attempt *a)
{
    struct th_metrics *m = a->e->conf.metrics;

    th_count(m, TH_C_ATTEMPTS, 1);
    th_observe(m, TH_H_ATTEMPT_SECONDS, a->settle.row.us[4]);
    if (a->verdict != TH_V_DELIVERED)
        th_count(m, TH_C_ATTEMPTS_FAILED, 1);
    if (a->req.res.class == TH_HTTP_DENIED)
        th_count(m, TH_C_ATTEMPTS_DENIED, 1);
    if (a->verdict == TH_V_DELIVERED) {
        th_count(m, TH_C_DELIVERIES_DELIVERED, 1);
        if (a->settle.row.nth == 1 && a->event->accepted.us)
            th_observe(m, TH_H_DELIVERY_SECONDS, a->e->now.mono.us - a->event->accepted.us);
    } else if (a->verdict != TH_V_AGAIN) {
        th_count(m, TH_C_DELIVERIES_FAILED, 1);
    }
}

static void apply_facts(struct th_engine *e, struct th_ep *ep, enum th_verdict verdict, struct th_wall at,
                        struct th_wall first)
{
    const struct th_rules *rules = &th_dialect_values(ep->pub.tenant->dialect)->rules;
    struct th_facts before = ep->pub.facts;
    enum th_disable disable;

    if (ep->gone)
        return;
    disable = th_facts_apply(rules, &ep->pub.facts, verdict, at, first);
    if (memcmp(&before, &ep->pub.facts, sizeof before) != 0)
        th_facts_touch(e, ep);
    if (verdict == TH_V_DELIVERED &&
        (before.exhausted_run || (before.first_fail && at.ms - before.first_fail > TH_FACT_FLUSH_MS)))
        e->facts_flipped = true;
    if (before.exhausted_run && verdict == TH_V_DELIVERED)
        th_operator_endpoint(e, ep, "endpoint.recovered", "delivered");
    if (disable != TH_KEEP)
        th_endpoint_disable(e, ep, disable);
}

/* A delivery has failed for good: the disable rule and the reports ask when this round of attempts began. That is on
 * record. The attempt is kept until it is read, and counts as unsettled, so that slow reads hold up dispatch; if the process dies meanwhile, the report is not made, and the rule is
 * evaluated again at the next exhausted delivery. */
struct first_attempt {
    struct th_page page;
    struct th_attempt *a;
};

static void failed_for_good(struct th_attempt *a, struct th_wall first)
{
    struct th_engine *e = a->e;

    e->settles_out--;
    apply_facts(e, a->ep, a->verdict, e->now.wall, first);
    th_operator_delivery_failed(e, a, first);
    th_event_settled(e, a->row.event);
    th_attempt_release(a);
}

static void first_known(struct th_op *op)
{
    struct first_attempt *f = op->user;
    struct th_attempt *a = f->a;
    struct th_wall first =
        a->began_wall; /* not on record any more: judged by its last attempt, disables later, never sooner */
    uint16_t nth = (uint16_t)(a->settle.row.nth - a->row.tries);

    a->e->ops_out--;
    if (op->error)
        th_engine_store_error(a->e, op->error);
    for (uint32_t i = 0; !op->error && i < f->page.count; i++)
        if (f->page.rows.attempts[i].row.nth == nth)
            first = f->page.rows.attempts[i].row.at;
    if (!op->error)
        th_engine_page_free(a->e, &f->page);
    th_free(f);
    failed_for_good(a, first);
}

static void find_first(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct first_attempt *f = a->row.tries ? th_calloc(1, sizeof *f) : NULL;

    if (!f) {
        failed_for_good(a, a->began_wall);
        return;
    }
    f->a = a;
    f->page.op = (struct th_op){.kind = TH_OP_PAGE, .done = first_known, .user = f};
    f->page.kind = TH_PAGE_ATTEMPTS;
    f->page.tenant = a->ep->pub.tenant->no;
    f->page.delivery = a->row.no;
    f->page.limit = 200;
    e->ops_out++;
    th_engine_submit(e, &f->page.op);
}

/* Gives the delivery back to the scheduler, or ends it. Releases the attempt, now or when the reports are made. */
static void follow(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    bool test = a->row.lane == TH_LANE_TEST, again = a->settle.applied && a->verdict == TH_V_AGAIN;
    struct th_queue_row next = a->row;

    count(a);
    next.attempts++;
    next.tries = a->settle.tries;
    next.due = a->settle.due.ms;
    th_sched_settled(e->sched, a->row.no, again ? &next : NULL, again ? a->again_at : e->now.mono,
                     e->now.mono);
    if (!again && e->walk_busy && a->row.no >= e->walk.from && (!e->walk_below || a->row.no < e->walk_below))
        e->walk_void = true;
    if (a->settle.applied && !test && !again && a->verdict != TH_V_DELIVERED) {
        find_first(a);
        return;
    }
    e->settles_out--;
    if (!test)
        apply_facts(e, a->ep, a->verdict, e->now.wall, a->began_wall);
    if (again && a->degraded)
        th_operator_delivery_degraded(e, a);
    if (!again)
        th_event_settled(e, a->row.event);
    th_attempt_release(a);
}

static void settled(struct th_op *op)
{
    struct th_attempt *a = op->user;
    struct th_engine *e = a->e;

    if (op->error == TH_UNKNOWN || op->error == TH_RETRY) {
        submit(a); /* compare-and-set: twice is once */
        return;
    }
    if (op->error) {
        th_engine_store_error(e, op->error);
        if (th_error_class(op->error) == TH_CLASS_RESOURCE && !e->dead) {
            th_list_remove(&a->link);
            th_list_append(&e->settle_retry, &a->link);
            e->settle_retry_at.us = e->now.mono.us + 500000;
            return;
        }
        e->settles_out--;
        th_attempt_release(a);
        return;
    }
    follow(a);
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
        submit(a);
    }
}
