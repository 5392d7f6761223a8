/* Changes of a catalogue: an event type is put or deleted.
 *
 * Refused: what catalogue.c refuses; another step between two versions than the one that is stored, and taking a version away, since
 * deliveries of before have been rendered by them; versions of a tenant's type that the installation's type of the same name has, too.
 *
 * Invariant: the settings' version of the tenant rises, so that an event that was checked by the old schema is checked again. */
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/control/replica.h"
#include "engine/control/sunset.h"
#include "engine/settings/blob.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/settings.h"
#include "engine/state.h"
#include <stdio.h>

static const struct th_event_type *old_type(const struct change_impl *i)
{
    return th_catalogue_own(i->tenant, i->c->of_type.name);
}

/* What is not given keeps its value. The versions of the old type are written into `text`. */
static void keep(struct th_change *c, const struct th_event_type *old, struct th_buf *text)
{
    struct th_type_spec *s = &c->of_type.spec;
    struct th_jw w = th_jw(text);

    if (!c->of_type.description)
        s->description = old->description;
    if (!c->of_type.group)
        s->group = old->group;
    if (!c->of_type.schema)
        s->schema = old->schema_text;
    if (!c->of_type.example)
        s->example = old->example;
    if (!c->of_type.validate)
        s->validate = old->validate;
    if (!c->of_type.archived)
        s->archived = old->archived;
    if (!c->of_type.deprecated)
        s->deprecated = old->deprecated;
    if (!c->of_type.versions && old->version_count) {
        th_event_type_versions(old, &w);
        s->versions = th_buf_view(text);
    }
}

/* Every version of before is there, and is made as before. */
static bool keeps_versions(struct change_impl *i, const struct th_event_type *old,
                           const struct th_event_type *now)
{
    unsigned at = 0;

    for (unsigned n = 0; n < old->version_count; n++, at++) {
        const struct th_type_version *v = &old->versions[n];

        while (at < now->version_count && now->versions[at].version > v->version)
            at++;
        if (at == now->version_count || now->versions[at].version != v->version ||
            (n && !th_span_eq(now->versions[at].text, v->text)) ||
            (n && now->versions[at - 1].version != old->versions[n - 1].version)) {
            th_change_fault(
                i, "versions",
                "a version that is stored stays as it is, since deliveries have been made by it: put "
                "newer ones in front of "
                "the list; only \"sunset\" may change");
            return false;
        }
    }
    return true;
}

/* Whether the type has versions in another catalogue than this one, which would say something else of the same event. */
static bool is_double(struct change_impl *i, const struct th_event_type *now)
{
    struct th_engine *e = i->e;
    const struct th_tenant *all = th_engine_tenant(e, TH_LIT(TH_CATALOGUE_OF_ALL));

    if (!now->version_count)
        return false;
    for (unsigned k = 0; k < e->tenant_count; k++) {
        const struct th_tenant *t = e->tenants[k];
        const struct th_event_type *other;

        if (t == i->tenant || (t != all && i->tenant != all) || !t->catalogue.count)
            continue;
        other = th_catalogue_own(t, now->name);
        if (other && other->version_count) {
            th_change_fault(
                i, "versions",
                "the type has versions in another catalogue; one of the installation's and a tenant's "
                "can have them");
            return true;
        }
    }
    return false;
}

static bool make(struct change_impl *i, const struct th_event_type *old)
{
    struct th_change *c = i->c;
    struct th_type_spec *s = &c->of_type.spec;
    struct th_buf versions;
    enum th_error error;

    th_buf_init(&versions, 1u << 20);
    s->name = c->of_type.name;
    s->created = i->e->now.wall.ms;
    s->updated = i->e->now.wall.ms;
    s->rev = 1;
    if (old) {
        keep(c, old, &versions);
        s->created = old->created;
        s->rev = old->rev + 1;
    }
    error = versions.failed ? TH_NOMEM : th_event_type_new(s, &c->errors[0], &i->type);
    th_buf_fini(&versions);
    if (error == TH_INVALID) {
        c->error_count = 1;
        th_change_finish(i, TH_CH_INVALID);
    } else if (error) {
        th_change_no_memory(i);
    } else if ((old && !keeps_versions(i, old, i->type)) || is_double(i, i->type)) {
        th_change_finish(i, TH_CH_INVALID);
    } else {
        return true;
    }
    return false;
}

void th_change_begin_type_put(struct change_impl *i)
{
    const struct th_event_type *old = old_type(i);
    struct th_row *row;
    struct th_buf settings;
    bool ok;

    if (!old && i->tenant->catalogue.count >= TH_MAX_EVENT_TYPES) {
        th_change_fail(i, TH_CH_CONFLICT, "the catalogue has 1000 types, which is the most");
        return;
    }
    if (!make(i, old))
        return;
    row = th_change_type_row(i, i->type->name);
    th_buf_init(&settings, 8u << 20);
    th_event_type_write(i->type, &settings);
    ok = row && !settings.failed && th_arena_copy(&i->mem, th_buf_view(&settings), &row->settings);
    th_buf_fini(&settings);
    if (!ok) {
        th_change_no_memory(i);
        return;
    }
    i->c->created = !old;
    i->c->type = i->type;
    th_change_submit(i, false);
}

void th_change_end_type_put(struct change_impl *i)
{
    struct th_event_type *type = i->type;

    i->tenant->version = i->op.new_version;
    i->type = NULL;
    if (th_catalogue_put(i->tenant, type)) { /* committed, but not to be held */
        i->type = type;
        th_engine_store_error(i->e, TH_BUG);
        return;
    }
    th_sunset_look(i->e, type, true);
    th_replica_type(i->e, i->tenant, type, false);
}

void th_change_begin_type_del(struct change_impl *i)
{
    const struct th_event_type *old = old_type(i);
    struct th_row *row;

    if (!old) {
        th_change_fail(i, TH_CH_NOT_FOUND, "there is no such event type");
        return;
    }
    if (old->version_count > 1) {
        th_change_fail(i, TH_CH_CONFLICT,
                       "the type has versions, by which deliveries have been made; set \"archived\" instead");
        return;
    }
    row = th_change_type_row(i, old->name);
    if (!row) {
        th_change_no_memory(i);
        return;
    }
    row->del = true;
    th_change_submit(i, false);
}

void th_change_end_type_del(struct change_impl *i)
{
    struct th_event_type *old = (struct th_event_type *)old_type(i);

    i->tenant->version = i->op.new_version;
    th_replica_type(i->e, i->tenant, old, true);
    th_catalogue_del(i->tenant, i->c->of_type.name);
}
