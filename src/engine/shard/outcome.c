/* What the end of an attempt means: for the delivery, for its endpoint's health and rest, and whether the endpoint is to be
 * disabled. */
#include "engine/shard/outcome.h"
#include "engine/context.h"
#include "engine/shard/attempt.h"
#include "engine/shard/health.h"
#include "engine/shard/report.h"
#include "engine/state.h"

/* As the row is in the store since the retry was asked for. */
void th_outcome_asked(struct th_attempt *a)
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

struct th_next_step th_outcome_judge(struct th_attempt *a)
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
    th_outcome_asked(a);
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
    struct th_next_step step = th_outcome_judge(a);
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
    a->verdict = th_outcome_judge(a).verdict;
    if (a->row.lane == TH_LANE_TEST || a->ep->gone)
        return TH_KEEP;
    return th_health_apply(rules, after, a->verdict, a->ended.wall, a->first);
}
