/* A settings row that another node has changed, into memory. What is new is loaded as at the start (load.c); what is there already is
 * replaced as a change of this node replaces it (change_*.c), so that pointers to it stay good. The same row again changes nothing. */
#include "engine/control/follow_row.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/control/load.h"
#include "engine/control/replay.h"
#include "engine/mail.h"
#include "engine/settings/blob.h"
#include "engine/settings/masks.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/shard/events.h"
#include "engine/shard/health.h"
#include "engine/shard/leave.h"
#include "engine/state.h"

static enum th_error take_tenant(struct th_engine *e, const struct th_row *row)
{
    struct th_tenant *t = th_map_get(&e->tenants_by_no, row->no), *fresh;
    enum th_error error;

    if (row->del) {
        if (t && !t->deleting)
            th_leave_tenant(e, t);
        return TH_OK;
    }
    if (!t)
        return th_load_row(e, row);
    error = th_load_tenant(e, row, &fresh);
    if (error)
        return error;
    if (fresh->rev != t->rev) {
        error = th_tenant_replace(e, t, fresh);
        if (error) {
            th_tenant_drop(fresh);
            return error;
        }
        th_events_forget(e, t);
        th_settings_hosts(e, t);
    } else {
        th_tenant_drop(fresh);
    }
    t->version = row->rev;
    return TH_OK;
}

static enum th_error take_key(struct th_engine *e, const struct th_row *row)
{
    struct th_key *k = th_settings_key(e, row->no);

    if (k)
        th_settings_remove_key(e, k);
    return row->del ? TH_OK : th_load_row(e, row);
}

static enum th_error replace_endpoint(struct th_engine *e, struct th_ep *ep, const struct th_row *row)
{
    struct th_endpoint next = ep->pub;
    struct th_endpoint_spec spec;
    struct th_endpoint_run *run;
    struct th_arena mem;
    enum th_error error;
    bool enabled, reset;

    next.rev = row->rev;
    next.created.ms = row->created;
    next.updated.ms = row->updated;
    next.disabled_at.ms = 0;
    next.disabled_reason = th_span("", 0);
    next.consent = (struct th_consent){0};
    th_arena_init(&mem, 2 * TH_MAX_SPEC_BYTES);
    error = th_blob_read_spec(e, &next, row->settings, &mem, &spec);
    if (!error)
        error = th_run_new(e, &next, &spec, &run);
    th_arena_wipe(&mem);
    if (error)
        return error;
    enabled = ep->pub.disabled_at.ms && !next.disabled_at.ms;
    reset = enabled || !th_span_eq(ep->pub.spec.url, run->spec.url);
    next.spec = run->spec;
    th_settings_take(e, ep, run, &next);
    th_texts_part(&ep->pub);
    if (enabled && th_is_mine(e, ep->pub.no)) {
        ep->pub.health.first_fail = ep->pub.health.exhausted_run = 0;
        th_health_touch(e, ep);
    }
    error = th_settings_sched(e, ep, reset);
    if (!error && reset && th_is_mine(e, ep->pub.no))
        th_health_rest_forget(e, ep);
    return error;
}

/* The secrets follow in the next rows. */
static void forget_secrets(struct th_engine *e, struct th_ep *ep)
{
    for (unsigned i = 0; i < ep->pub.secret_count; i++) {
        struct th_secret *s = &ep->pub.secrets[i];

        if (s->mask)
            th_mask_keep(ep, s, e->now.wall.ms);
        th_key_drop(s->key);
        th_free((char *)s->encrypted.p);
        *s = (struct th_secret){0};
    }
    ep->pub.secret_count = 0;
}

static enum th_error take_endpoint(struct th_engine *e, const struct th_row *row)
{
    struct th_ep *ep = th_map_get(&e->endpoints, row->no);

    if (row->del) {
        if (ep)
            th_leave_endpoint(e, ep);
        return TH_OK;
    }
    if (ep)
        forget_secrets(e, ep);
    if (ep && ep->pub.rev == row->rev)
        return TH_OK; /* its secrets have changed */
    return ep ? replace_endpoint(e, ep, row) : th_load_row(e, row);
}

static void take_health(struct th_engine *e, const struct th_row *row)
{
    struct th_ep *ep = th_map_get(&e->endpoints, row->no);

    if (ep && !row->del && !th_is_mine(e, row->no))
        ep->pub.health = (struct th_health){row->health[0], row->health[1], row->health[2], row->health[3],
                                            row->health[4]};
}

void th_settings_follow(struct th_engine *e, const struct th_row *row)
{
    enum th_error error = TH_OK;

    switch (row->kind) {
    case TH_ROW_TENANT:
        error = take_tenant(e, row);
        break;
    case TH_ROW_KEY:
        error = take_key(e, row);
        break;
    case TH_ROW_ENDPOINT:
        error = take_endpoint(e, row);
        break;
    case TH_ROW_SECRET:
        error = th_load_row(e, row);
        break;
    case TH_ROW_HEALTH:
        take_health(e, row);
        break;
    case TH_ROW_JOB:
        th_replay_follow(e, row);
        break;
    case TH_ROW_META:
        error = th_load_row(e, row);
        break;
    }
    if (!error)
        return;
    th_log(TH_LOG_ERROR, "settings of another node cannot be taken over", TH_KI("kind", (int)row->kind),
           TH_KI("number", row->no), TH_KC("error", th_error_name(error)));
    th_engine_store_error(e, TH_BUG);
}
