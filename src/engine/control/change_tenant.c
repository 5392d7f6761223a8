/* Changes of tenants. Each kind has a `begin`, which checks and builds the rows, and an `end`, which
 * brings memory to what was committed; change.c calls them in turn.
 *
 * It refuses: dialects that are not loaded, another dialect for a tenant that has endpoints, deleting the built-in tenants.
 *
 * Invariants: (1) a `begin` changes no settings in memory, it submits or fails; (2) a deleted tenant takes its endpoints
 * and keys with it in the same commit, and their deliveries are cancelled after it. Settings that were committed but
 * cannot be held for lack of memory stop the engine: only a restart makes memory true again. */
#include "base/arena.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/control/replica.h"
#include "engine/settings/blob.h"
#include "engine/settings/settings.h"
#include "engine/shard/events.h"
#include "engine/shard/leave.h"
#include "engine/state.h"
#include <stdio.h>

#define RETENTION_LEAST_S 3600

/* Within the installation's bounds. */
static bool retention_fits(struct change_impl *i)
{
    int64_t s = i->c->tenant_put.retention_s, most_s = i->e->options.retention_ms / 1000;

    if (!i->c->tenant_put.retention_given || !s || (s >= RETENTION_LEAST_S && (!most_s || s <= most_s)))
        return true;
    if (most_s)
        th_change_fault(i, "retention_seconds",
                        "must be from %d to %lld, for which the installation keeps all events",
                        RETENTION_LEAST_S, (long long)most_s);
    else
        th_change_fault(i, "retention_seconds", "must be at least %d", RETENTION_LEAST_S);
    return false;
}

/* What the tenant will be: what the request says, else what it is, else what is usual. */
static enum th_error make_tenant(struct change_impl *i, struct th_span dialect)
{
    struct th_engine *e = i->e;
    const struct th_change *c = i->c;
    const struct th_tenant *old = i->tenant;
    struct th_span name = c->tenant_put.name.n ? c->tenant_put.name : old ? old->name : c->tenant_id;
    struct th_span attributes = c->tenant_put.attributes.n ? c->tenant_put.attributes
                                : old                      ? old->attributes
                                                           : TH_LIT("{}");
    enum th_error error = th_tenant_new(e, old ? old->no : e->last_tenant + 1, c->tenant_id, name, dialect,
                                        attributes, &i->fresh);

    if (error)
        return error;
    if (old) {
        i->fresh->limits = old->limits;
        i->fresh->retention_s = old->retention_s;
    }
    if (c->tenant_put.retention_given)
        i->fresh->retention_s = c->tenant_put.retention_s;
    if (c->tenant_put.limits_given)
        i->fresh->limits = c->tenant_put.limits;
    i->fresh->rev = old ? old->rev + 1 : 1;
    i->fresh->created = old ? old->created : e->now.wall;
    i->fresh->updated = e->now.wall;
    return TH_OK;
}

/* The rows that make it so. False: no memory. */
static bool add_rows(struct change_impl *i)
{
    struct th_row *row = th_change_row(i, TH_ROW_TENANT, i->fresh->no);
    struct th_buf settings;
    bool ok;

    th_buf_init(&settings, 4u << 20);
    th_blob_write_tenant(i->fresh, &settings);
    ok = row && !settings.failed && th_arena_copy(&i->mem, th_buf_view(&settings), &row->settings);
    th_buf_fini(&settings);
    if (!ok)
        return false;
    row->id = i->c->tenant_id;
    row->created = i->fresh->created.ms;
    row->updated = i->fresh->updated.ms;
    return i->tenant || th_change_last_number(i, "last_tenant", i->fresh->no);
}

void th_change_begin_tenant_put(struct change_impl *i)
{
    const struct th_engine *e = i->e;
    const struct th_change *c = i->c;
    const struct th_tenant *old = i->tenant;
    struct th_span dialect = c->tenant_put.dialect.n ? c->tenant_put.dialect
                             : old                   ? th_dialect_values(old->dialect)->name
                                                     : e->options.default_dialect;

    if (!th_engine_dialect(i->e, dialect)) {
        th_change_fault(i, "dialect", "no dialect of this name is loaded; the list of dialects names them");
        th_change_finish(i, TH_CH_INVALID);
    } else if (!retention_fits(i)) {
        th_change_finish(i, TH_CH_INVALID);
    } else if (old && th_engine_dialect(i->e, dialect) != old->dialect && old->endpoint_count) {
        th_change_fail(i, TH_CH_CONFLICT,
                       "the tenant has endpoints; delete them before changing its dialect");
    } else if (make_tenant(i, dialect) || !add_rows(i)) {
        th_change_no_memory(i);
    } else {
        th_change_submit(i, false);
    }
}

void th_change_end_tenant_put(struct change_impl *i)
{
    struct th_change *c = i->c;
    enum th_error error;

    c->created = !i->tenant;
    if (i->tenant) {
        error = th_tenant_replace(i->e, i->tenant, i->fresh);
        i->tenant->version = i->op.new_version;
        th_events_forget(i->e, i->tenant);
        if (c->tenant_put.limits_given && !error)
            th_settings_hosts(i->e, i->tenant);
    } else {
        i->fresh->version = i->op.new_version;
        error = th_settings_add_tenant(i->e, i->fresh);
        if (!error)
            i->tenant = i->fresh;
    }
    if (!error)
        i->fresh = NULL;
    else
        th_engine_store_error(
            i->e, TH_BUG); /* committed, but not to be held: only a restart makes memory true again */
    if (!error)
        th_replica_tenant(i->e, i->tenant);
    c->tenant = i->tenant;
}

void th_change_begin_tenant_del(struct change_impl *i)
{
    struct th_tenant *t = i->tenant;
    struct th_row *row;

    if (th_span_is(t->id, "default") || th_span_is(t->id, "operator")) {
        th_change_fail(i, TH_CH_CONFLICT, "this tenant is built in and always exists");
        return;
    }
    row = th_change_row(i, TH_ROW_TENANT, t->no);
    if (row) {
        row->erase = i->c->tenant_del.erase;
        row->updated = i->e->now.wall.ms;
    }
    for (unsigned n = 0; row && n < t->endpoint_count; n++) {
        row->del = true;
        row = th_change_row(i, TH_ROW_ENDPOINT, t->endpoints[n]->no);
    }
    for (unsigned n = 0; row && n < t->catalogue.count; n++) {
        row->del = true;
        row = th_change_type_row(i, t->catalogue.types[n]->name);
    }
    for (unsigned n = 0; row && n < i->e->key_count; n++) {
        struct th_key *k = i->e->keys[n];
        if (k->tenant != t)
            continue;
        row->del = true;
        row = th_change_row(i, TH_ROW_KEY, k->no);
        if (row)
            row->id = th_span(k->hash, sizeof k->hash);
    }
    if (!row) {
        th_change_no_memory(i);
        return;
    }
    row->del = true;
    th_change_submit(i, false);
}

void th_change_end_tenant_del(struct change_impl *i)
{
    th_leave_tenant(i->e, i->tenant);
    i->e->erase_left = i->e->erase_left || i->c->tenant_del.erase;
    th_replica_tenant_gone(i->e, i->tenant);
    i->c->tenant = i->tenant;
}
