/* Judges the end of an attempt: its meaning for the delivery, for the health and rest of its endpoint, and
 * whether the endpoint is to be disabled.
 *
 * The outcome is worked out as a value, without an effect, and then taken. Most outcomes are taken at once;
 * if the endpoint is to be disabled, the outcome is worked out again when that change has its turn, with the
 * same random number. */
#include "engine/shard/outcome.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/batch.h"
#include "engine/shard/expire.h"
#include "engine/shard/health.h"
#include "engine/shard/report.h"
#include "engine/shard/trouble.h"
#include "engine/state.h"

void th_outcome_asked(struct th_attempt *a)
{
    if (a->row.lane != TH_LANE_TEST)
        a->row.lane = TH_LANE_MANUAL;
    a->row.tries = 0;
    a->row.round = 0;
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
    case TH_V_EXPIRED:
        return TH_DS_EXPIRED;
    default:
        return TH_DS_FINAL;
    }
}

/* The endpoint did not accept a token that had been made before this attempt: it may have been revoked. A delivery gets this once,
 * so an endpoint that refuses every token costs it one request more. */
static bool wants_renewal(const struct th_attempt *a)
{
    return a->token && a->out.req.res.class == TH_HTTP_OK && a->out.req.res.status == 401 &&
           a->token->made.us < a->began.us && !(a->row.marks & TH_MARK_RENEWED);
}

struct th_outcome th_outcome_of(const struct th_attempt *a)
{
    struct th_rules room;
    const struct th_rules *rules = th_ep_rules(&a->ep->pub, &room);
    const struct th_http_result *res = &a->out.req.res;
    bool test = a->row.lane == TH_LANE_TEST, asked = th_sched_asked(a->e->sched, a->row.no);
    struct th_outcome o = {
        .tries = asked ? 0 : a->row.tries, .first = a->began_wall, .health = a->ep->pub.health};

    if (o.tries &&
        a->row
            .round) /* not known of one that an earlier version has tried: it disables later then, never sooner */
        o.first.ms = a->row.round;
    o.step = th_retry_step(rules, res->class, res->status, res->retry_after_s, o.tries, a->draw, test);
    if (o.step.verdict != TH_V_DELIVERED && wants_renewal(a)) {
        o.renew = true;
        o.step = (struct th_next_step){.verdict = TH_V_AGAIN};
    }
    o.asked = asked && o.step.verdict != TH_V_DELIVERED;
    o.disable = TH_KEEP;
    if (!test && !a->ep->gone && !o.renew)
        o.disable = th_health_apply(rules, &o.health, o.step.verdict, a->ended.wall, o.first);
    return o;
}

/* If the URL was edited while this request was in flight, its outcome says nothing about the new URL. */
static enum th_learn learn_of(const struct th_attempt *a, enum th_verdict verdict)
{
    if (a->row.lane == TH_LANE_TEST || a->unsendable || !th_span_eq(a->run->spec.url, a->ep->pub.spec.url))
        return TH_LEARN_NEUTRAL;
    if (verdict == TH_V_DELIVERED)
        return TH_LEARN_OK;
    switch (a->out.req.res.class) {
    case TH_HTTP_DNS:
    case TH_HTTP_DENIED:
    case TH_HTTP_CONNECT:
    case TH_HTTP_TIMEOUT:
    case TH_HTTP_TOKEN:
        return TH_LEARN_FAILED;
    default: /* whatever it said, or how it hung up: somebody was there */
        return TH_LEARN_ANSWERED;
    }
}

static void take_health(struct th_attempt *a, const struct th_outcome *o)
{
    struct th_health before = a->ep->pub.health;
    bool delivered = o->step.verdict == TH_V_DELIVERED;

    a->recovered = delivered && before.exhausted_run && !o->health.exhausted_run;
    if (memcmp(&before, &o->health, sizeof before) == 0)
        return;
    a->ep->pub.health = o->health;
    th_health_touch(a->e, a->ep);
    if (delivered && (before.exhausted_run ||
                      (before.first_fail && a->ended.wall.ms - before.first_fail > TH_HEALTH_FLUSH_MS)))
        a->e->health_flipped = true;
}

/* Finds out whether the endpoint asks for rest, or works again although it had asked. While it rests, only
 * attempts begin that were asked for by hand, so a success of an attempt that began before says nothing. */
static void take_rest(struct th_attempt *a, const struct th_outcome *o)
{
    struct th_rules room;
    const struct th_rules *rules = th_ep_rules(&a->ep->pub, &room);
    const struct th_http_result *res = &a->out.req.res;
    int64_t ms = th_retry_rest_ms(rules, res->class, res->status, res->retry_after_s);

    if (o->step.verdict == TH_V_DELIVERED) {
        if (a->ep->pub.health.rest_until > a->ended.wall.ms && a->began.us >= a->ep->rests_since.us)
            th_health_rest_forget(a->e, a->ep);
    } else if (ms) {
        th_health_rest_ask(a->e, a->ep, ms);
    }
}

/* The next attempt would be due when the event has expired. */
static bool comes_too_late(const struct th_attempt *a, int64_t delay_ms)
{
    return a->row.lane != TH_LANE_TEST &&
           th_expire_has_come(&a->event->row, (struct th_wall){a->ended.wall.ms + delay_ms});
}

/* A retry was asked for by hand while this attempt was under way, and it has not delivered: the next one goes out now, and the
 * schedule begins with it. The store has the delivery in the lane of what is asked for already. */
static void fill_settle(struct th_attempt *a, const struct th_outcome *o)
{
    int64_t delay_ms = o->asked ? 0 : o->step.delay_ms;
    bool again = o->asked || o->step.verdict == TH_V_AGAIN;

    a->verdict = o->asked ? TH_V_AGAIN : o->step.verdict;
    if (again && comes_too_late(a, delay_ms)) {
        a->verdict = TH_V_EXPIRED;
        again = false;
    }
    a->degraded = o->step.degraded && !o->asked;
    a->first = o->first;
    a->again_at.us = a->ended.mono.us + delay_ms * 1000;
    a->disabling = NULL;
    a->settle.with = NULL;
    a->settle.delivery = a->row.no;
    a->settle.expect_attempts = a->row.attempts;
    a->settle.next = state_of(a->verdict);
    a->settle.due.ms = again ? a->ended.wall.ms + delay_ms : 0;
    a->settle.tries = o->asked ? 0 : (uint8_t)(o->tries + (again && !o->renew));
    a->settle.marks = o->renew ? TH_MARK_RENEWED : 0;
    if (o->asked)
        th_outcome_asked(a);
}

/* What the request has brought a delivery that it was also for: its own place in the schedule, and nothing for the endpoint. */
static void take_mate(struct th_attempt *m, const struct th_outcome *leader)
{
    struct th_outcome o = th_outcome_of(m);

    if (leader->renew) {
        o.renew = true;
        o.step = (struct th_next_step){.verdict = TH_V_AGAIN};
    }
    m->recovered = false;
    th_sched_result(m->e->sched, m->row.no, TH_LEARN_NEUTRAL, m->began, m->e->now.mono);
    fill_settle(m, &o);
}

void th_outcome_take(struct th_attempt *a, const struct th_outcome *o)
{
    struct th_sched *sched = a->e->sched;
    uint32_t broken = th_sched_stats(sched).broken_endpoints, broken_now;
    enum th_learn learn = learn_of(a, o->step.verdict);

    a->verdict = o->step.verdict;
    th_sched_result(sched, a->row.no, learn, a->began, a->e->now.mono);
    take_health(a, o);
    if (learn != TH_LEARN_NEUTRAL && !a->ep->gone)
        take_rest(a, o);
    broken_now = th_sched_stats(sched).broken_endpoints;
    if (broken_now != broken)
        th_report_breaker(a, broken_now > broken);
    th_trouble_learn(a, o, learn);
    fill_settle(a, o);
    for (struct th_attempt *m = th_batch_next(a, NULL); m; m = th_batch_next(a, m))
        take_mate(m, o);
}
