/* The rows of a change: what a commit writes. They belong to the change, with the bytes that they point to. */
#include "base/alloc.h"
#include "base/arena.h"
#include "engine/control/change.h"
#include "engine/settings/blob.h"
#include "engine/settings/catalogue.h"

struct th_row *th_change_row(struct change_impl *i, enum th_row_kind kind, uint64_t no)
{
    struct th_row *row;

    if (i->op.count == i->row_cap) {
        uint32_t cap = i->row_cap ? i->row_cap * 2 : 8;
        struct th_row *v = th_realloc(i->rows, cap * sizeof *v);
        if (!v)
            return NULL;
        i->rows = v;
        i->row_cap = cap;
    }
    row = &i->rows[i->op.count++];
    *row = (struct th_row){.kind = kind, .no = no};
    if (i->tenant)
        row->tenant = i->tenant->no;
    return row;
}

struct th_row *th_change_type_row(struct change_impl *i, struct th_span name)
{
    struct th_row *row = th_change_row(i, TH_ROW_META, 0);
    struct th_buf id;

    if (!row)
        return NULL;
    row->tenant = 0;
    th_buf_init(&id, 1024);
    th_event_type_row_id(i->tenant->no, name, &id);
    if (id.failed || !th_arena_copy(&i->mem, th_buf_view(&id), &row->id))
        row = NULL;
    th_buf_fini(&id);
    return row;
}

/* The highest number given, beside the object that got it: a deleted one is not listed at the next start, and its number
 * must not come back, or its deliveries and events would be another's, perhaps another tenant's. */
bool th_change_last_number(struct change_impl *i, const char *name, uint64_t no)
{
    struct th_row *row = th_change_row(i, TH_ROW_META, 0);
    char bytes[8];

    if (!row)
        return false;
    for (unsigned b = 0; b < 8; b++)
        bytes[b] = (char)(no >> (8 * (7 - b)));
    row->tenant = 0;
    row->id = th_str(name);
    return th_arena_copy(&i->mem, th_span(bytes, sizeof bytes), &row->settings);
}

bool th_change_endpoint_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = th_change_row(i, TH_ROW_ENDPOINT, ep->no);
    struct th_buf settings;
    bool ok;

    if (!row)
        return false;
    row->rev = ep->rev;
    row->created = ep->created.ms;
    row->updated = ep->updated.ms;
    th_buf_init(&settings, TH_MAX_SPEC_BYTES * 2);
    ok = !th_blob_write_endpoint(i->e, ep, &settings) && !settings.failed &&
         th_arena_copy(&i->mem, th_buf_view(&settings), &row->settings);
    th_buf_fini(&settings);
    return ok;
}

bool th_change_health_row(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_row *row = th_change_row(i, TH_ROW_HEALTH, ep->no);

    if (!row)
        return false;
    row->health[0] = ep->health.first_fail;
    row->health[1] = ep->health.last_ok;
    row->health[2] = ep->health.exhausted_run;
    row->health[3] = ep->health.rest_since;
    row->health[4] = ep->health.rest_until;
    return true;
}

bool th_change_secret_row(struct change_impl *i, const struct th_endpoint *ep, const struct th_secret *s,
                          bool del)
{
    struct th_row *row = th_change_row(i, TH_ROW_SECRET, s->no);

    if (!row)
        return false;
    row->del = del;
    row->endpoint = ep->no;
    row->settings = s->encrypted;
    row->created = s->created.ms;
    row->until = s->until;
    return true;
}
