/* Changes of keys: those of tenants, and those of operators, which have a role instead of scopes and belong to no tenant. Each
 * kind has a `begin`, which checks and builds the rows, and an `end`, which brings memory to what was committed.
 *
 * Refuses: more keys than the limits allow. The root is in no list and has no number, so it cannot be ended.
 *
 * Invariant: the row of a key with a role has the tenant 0. A version that does not know roles takes it for
 * the key of a deleted tenant, and lets nobody in with it. */
#include "base/alloc.h"
#include "base/arena.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/control/replica.h"
#include "engine/settings/limits.h"
#include "engine/settings/settings.h"
#include "engine/shard/near.h"
#include "engine/state.h"
#include <limits.h>
#include <stdio.h>

static unsigned operator_keys(struct th_engine *e)
{
    unsigned at = UINT_MAX, n = 0;

    while (th_engine_key_below(e, NULL, &at))
        n++;
    return n;
}

/* False: it has been refused. */
static bool has_room(struct change_impl *i)
{
    struct th_change *c = i->c;

    if (c->of_key.role) {
        if (operator_keys(i->e) < TH_MAX_OPERATOR_KEYS)
            return true;
        snprintf(c->detail, sizeof c->detail,
                 "there are %u operator's keys, which is the most that there may be; end one of them first",
                 TH_MAX_OPERATOR_KEYS);
        th_change_finish(i, TH_CH_CONFLICT);
        return false;
    }
    if (th_limit_allows(i->e, i->tenant, TH_L_KEYS, 1, c->detail, sizeof c->detail))
        return true;
    th_change_limited(i, TH_L_KEYS);
    return false;
}

static struct th_key *key_new(const struct change_impl *i)
{
    const struct th_change *c = i->c;
    struct th_key *k = th_calloc(1, sizeof *k + c->of_key.note.n);

    if (!k)
        return NULL;
    k->no = i->e->last_key + 1;
    memcpy(k->hash, c->of_key.hash, sizeof k->hash);
    k->tenant = c->of_key.role ? NULL : i->tenant;
    k->role = c->of_key.role;
    k->scopes = c->of_key.role ? th_role_scopes(c->of_key.role) : c->of_key.scopes;
    k->created = i->e->now.wall;
    k->expires = c->of_key.expires;
    memcpy((char *)(k + 1), c->of_key.note.p ? c->of_key.note.p : "", c->of_key.note.n);
    k->note = th_span(k + 1, c->of_key.note.n);
    return k;
}

static void write_key(const struct th_key *k, struct th_buf *settings)
{
    struct th_jw w = th_jw(settings);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("form")); /* keys without it were made before reading answers was a scope */
    th_jw_u64(&w, 2);
    if (k->role) {
        th_jw_key(&w, TH_LIT("role"));
        th_jw_string(&w, th_str(th_role_name(k->role)));
    } else {
        th_jw_key(&w, TH_LIT("scopes"));
        th_jw_u64(&w, k->scopes);
    }
    th_jw_key(&w, TH_LIT("note"));
    th_jw_string(&w, k->note);
    th_jw_end_object(&w);
}

void th_change_begin_key_add(struct change_impl *i)
{
    struct th_change *c = i->c;
    struct th_key *k;
    struct th_row *row;
    struct th_buf settings;
    bool ok;

    if (!has_room(i))
        return;
    k = i->key = key_new(i);
    row = k ? th_change_row(i, TH_ROW_KEY, k->no) : NULL;
    if (!row) {
        th_change_no_memory(i);
        return;
    }
    th_buf_init(&settings, 65536);
    write_key(k, &settings);
    ok = !settings.failed && th_arena_copy(&i->mem, th_buf_view(&settings), &row->settings);
    th_buf_fini(&settings);
    if (!ok) {
        th_change_no_memory(i);
        return;
    }
    if (k->role)
        row->tenant = 0;
    row->id = th_span(k->hash, sizeof k->hash);
    row->created = k->created.ms;
    row->until = k->expires;
    c->key = k;
    c->tenant = i->tenant;
    th_change_submit(i, true);
}

void th_change_begin_key_del(struct change_impl *i)
{
    const struct th_tenant *of = i->c->of_key.role ? NULL : i->tenant;
    unsigned at = UINT_MAX;
    struct th_key *k;
    struct th_row *row;

    while ((k = th_engine_key_below(i->e, of, &at)) && k->no != i->c->of_key.no)
        ;
    if (!k) {
        th_change_fail(i, TH_CH_NOT_FOUND, "no such key");
        return;
    }
    row = th_change_row(i, TH_ROW_KEY, k->no);
    if (!row) {
        th_change_no_memory(i);
        return;
    }
    row->del = true;
    row->id = th_span(k->hash, sizeof k->hash);
    th_change_submit(i, true);
}

void th_change_end_key_del(struct change_impl *i)
{
    struct th_key *k = th_settings_key(i->e, i->c->of_key.no);

    if (!k)
        return;
    th_replica_key_gone(i->e, k);
    th_settings_remove_key(i->e, k);
}

void th_change_end_key_add(struct change_impl *i)
{
    struct th_change *c = i->c;

    c->key = i->key;
    if (th_settings_add_key(i->e, i->key)) {
        th_engine_store_error(i->e, TH_BUG);
        return;
    }
    th_replica_key(i->e, i->key);
    i->key = NULL;
    if (!c->of_key.role)
        th_near_added(i->e, i->tenant, TH_L_KEYS);
}
