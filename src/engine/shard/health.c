/* The health of endpoints: when one began to fail, last worked, how often deliveries were exhausted in a row,
 * and until when it has asked for rest. Written when an endpoint works again after long (a crash must not
 * bring its failures back), when it asks for rest, and every 10 s.
 *
 * Invariants: (1) an endpoint is on e->dirty exactly while health_dirty; (2) one flush at a time, of at most 256 rows; what
 * is left goes with the next. Health is a hint: a flush that fails is not repeated by itself, the next one writes what
 * changed since. Without memory the rows stay on the list for a later turn. */
#include "engine/shard/health.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

#define REST_STEP_MS 1000 /* by which a rest grows before that is written at once */

struct health_flush {
    struct th_settings_op op;
    struct th_engine *e;
    struct th_row rows[256];
};

static void health_flushed(struct th_op *op)
{
    struct health_flush *f = op->user;

    f->e->jobs[TH_JOB_HEALTH].busy = false;
    if (op->error)
        th_engine_store_error(f->e,
                              op->error); /* health is a hint: the next flush writes what changed since */
    th_free(f);
}

/* Home shows the health of endpoints: it is told when the state of another engine's endpoint changes, and
 * asks for everything else (look.c). */
struct health_letter {
    struct th_mail mail;
    uint64_t endpoint;
    struct th_health health;
};

static void heard(struct th_engine *home, struct th_mail *m)
{
    struct health_letter *l = TH_CONTAINER(m, struct health_letter, mail);
    struct th_ep *ep = th_map_get(&home->endpoints, l->endpoint);

    if (ep)
        ep->pub.health = l->health;
    th_free(l);
}

static void tell_home(struct th_engine *e, struct th_ep *ep)
{
    const struct th_health *now = &ep->pub.health, *told = &ep->told;
    struct health_letter *l;

    if (th_is_home(e) || (!now->first_fail == !told->first_fail &&
                          now->exhausted_run == told->exhausted_run && now->rest_until == told->rest_until))
        return;
    l = th_calloc(1, sizeof *l);
    if (!l)
        return; /* with the next change */
    l->endpoint = ep->pub.no;
    l->health = ep->told = *now;
    th_mail_send(e, 0, &l->mail, heard);
}

void th_health_touch(struct th_engine *e, struct th_ep *ep)
{
    tell_home(e, ep);
    TH_CHECK(ep->health_dirty == !th_list_empty(&ep->dirty) || ep->gone);
    if (ep->health_dirty || ep->gone)
        return;
    ep->health_dirty = true;
    th_list_append(&e->dirty, &ep->dirty);
}

/* ---- rest: an answer with Retry-After, where the dialect honours it, speaks for the endpoint and not for one delivery ---- */

static void rest_set(struct th_engine *e, struct th_ep *ep, int64_t since_ms, int64_t until_ms)
{
    ep->pub.health.rest_since = since_ms;
    ep->pub.health.rest_until = until_ms;
    th_health_touch(e, ep);
    e->health_flipped = true;
}

void th_health_rest_forget(struct th_engine *e, struct th_ep *ep)
{
    th_sched_rest(e->sched, ep->pub.no, e->now.mono, e->now.mono);
    if (ep->pub.health.rest_until)
        rest_set(e, ep, 0, 0);
}

void th_health_rest_ask(struct th_engine *e, struct th_ep *ep, int64_t ms)
{
    struct th_health *f = &ep->pub.health;
    int64_t until_ms = e->now.wall.ms + ms, more_ms = until_ms - f->rest_until;
    bool rests = f->rest_until > e->now.wall.ms;

    /* also of a shorter one than that which it keeps already: the delivery is due at its end, whatever comes of the longer one */
    if (ep->asked_at.us <= e->clock_whole.us || until_ms > ep->asked_until_ms)
        ep->asked_until_ms = until_ms;
    ep->asked_at = e->now.mono;
    if (more_ms <= 0)
        return;
    if (!rests)
        th_log(TH_LOG_INFO, "endpoint asks for rest: its deliveries wait", TH_KS("endpoint", ep->pub.run->id),
               TH_KS("tenant", ep->pub.tenant->id), TH_KI("seconds", ms / 1000));
    th_sched_rest(e->sched, ep->pub.no, (struct th_mono){e->now.mono.us + ms * 1000}, e->now.mono);
    ep->rests_since = e->now.mono;
    if (rests && more_ms < REST_STEP_MS) { /* requests that were under way end one after the other */
        f->rest_since = e->now.wall.ms;
        f->rest_until = until_ms;
        th_health_touch(e, ep);
        return;
    }
    rest_set(e, ep, e->now.wall.ms, until_ms);
}

/* A clock that was set back makes a rest no longer than it was asked for. */
void th_health_rest_resume(struct th_engine *e, struct th_ep *ep)
{
    struct th_health *f = &ep->pub.health;
    int64_t left_ms = f->rest_until - e->now.wall.ms, asked_ms = f->rest_until - f->rest_since;

    if (left_ms <= 0)
        return;
    if (left_ms > asked_ms) {
        left_ms = asked_ms;
        rest_set(e, ep, e->now.wall.ms, e->now.wall.ms + left_ms);
    }
    th_sched_rest(e->sched, ep->pub.no, (struct th_mono){e->now.mono.us + left_ms * 1000}, e->now.mono);
}

/* ---- writing ---- */

struct th_mono th_health_wanted(const struct th_engine *e)
{
    if (th_list_empty(&e->dirty))
        return TH_MONO_NEVER;
    if (e->draining || e->health_flipped)
        return e->now.mono;
    return (struct th_mono){e->health_flushed.us + TH_HEALTH_FLUSH_MS * 1000};
}

void th_health_begin(struct th_engine *e)
{
    struct health_flush *f = th_calloc(1, sizeof *f);
    struct th_list *l;

    if (!f) {
        e->jobs[TH_JOB_HEALTH].at.us = e->now.mono.us + 1000000;
        return;
    }
    f->e = e;
    while (f->op.count < 256 && (l = th_list_pop(&e->dirty))) {
        struct th_ep *ep = TH_CONTAINER(l, struct th_ep, dirty);
        ep->health_dirty = false;
        f->rows[f->op.count++] = (struct th_row){
            .kind = TH_ROW_HEALTH,
            .no = ep->pub.no,
            .tenant = ep->pub.tenant->no,
            .health = {ep->pub.health.first_fail, ep->pub.health.last_ok, ep->pub.health.exhausted_run,
                       ep->pub.health.rest_since, ep->pub.health.rest_until}};
    }
    if (th_list_empty(&e->dirty)) {
        e->health_flushed = e->now.mono;
        e->health_flipped = false;
    }
    f->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = health_flushed, .user = f};
    f->op.rows = f->rows;
    f->op.keep_version = true;
    f->op.at = e->now.wall;
    e->jobs[TH_JOB_HEALTH].busy = true;
    th_engine_submit(e, &f->op.op);
}
