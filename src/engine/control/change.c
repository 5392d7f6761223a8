/* Changes of settings, one at a time: the queue, the commit, the end. The kinds themselves are in
 * change_tenant.c, change_key.c, change_endpoint.c and change_secret.c.
 *
 * Each change is checked, its rows are built and committed, and only then memory changes. One at a time makes every check
 * exact: nothing else can change between check and commit. A commit takes milliseconds and settings change rarely. What
 * is in memory is always what the store has. The name of a new URL is looked up before the change takes its place in the
 * queue: one customer's silent name servers hold up no other change.
 *
 * If the process dies before the commit nothing has changed; after the commit and before the answer, the new settings
 * are in force and the client asks again. */
#include "engine/control/change.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/settings/blob.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/secrets.h"
#include "engine/settings/settings.h"
#include "engine/state.h"
#include <stdarg.h>
#include <stdio.h>

void th_engine_change(struct th_engine *e, struct th_change *c)
{
    th_engine_tick(e);
    TH_CHECK(c->kind < TH_CHANGE_KINDS);
    c->result = TH_CH_UNAVAILABLE;
    c->error_count = 0;
    c->detail[0] = 0;
    c->tenant = NULL;
    c->ep = NULL;
    c->key = NULL;
    c->type = NULL;
    c->impl = NULL;
    th_buf_init(&c->secret_text, 4096);
    th_buf_init(&c->repeated, 1u << 20);
    if (e->change_kinds[c->kind].look_up && e->change_kinds[c->kind].look_up(e, c))
        return;
    th_list_append(&e->changes, &c->link);
    e->more = true;
}

void th_change_fini(struct th_change *c)
{
    th_buf_wipe(&c->secret_text);
    th_buf_wipe(&c->repeated);
}

/* ---- states ---- */

#define BIT(state) (1u << (state))

/* Which states may follow. */
static const unsigned follows[] = {
    [TH_CHANGE_CHECKING] = BIT(TH_CHANGE_COMMITTING) | BIT(TH_CHANGE_ENDED),
    [TH_CHANGE_COMMITTING] = BIT(TH_CHANGE_TELLING) | BIT(TH_CHANGE_ENDED),
    [TH_CHANGE_TELLING] = BIT(TH_CHANGE_ENDED),
    [TH_CHANGE_ENDED] = 0,
};

void th_change_enter(struct change_impl *i, enum th_change_state state)
{
    TH_CHECK(follows[i->state] & BIT(state));
    TH_CHECK(i->e->jobs[TH_JOB_CHANGE].busy);
    i->state = state;
}

/* ---- the end of a change ---- */

static void release(struct change_impl *i)
{
    struct th_engine *e = i->e;

    th_change_enter(i, TH_CHANGE_ENDED);
    i->c->impl = NULL;
    if (i->made)
        th_ep_unref(e, i->made);
    th_run_unref(i->run);
    th_tenant_drop(i->fresh);
    th_free(i->key);
    th_event_type_unref(i->type);
    th_secrets_drop(&i->secret);
    th_arena_wipe(&i->mem);
    th_buf_wipe(&i->op.repeated);
    th_free(i->rows);
    th_free(i);
    e->jobs[TH_JOB_CHANGE].busy = false;
    e->more = true;
}

void th_change_finish(struct change_impl *i, enum th_change_result result)
{
    struct th_change *c = i->c;

    c->result = result;
    if (result != TH_CH_DONE) {
        c->ep = NULL;
        c->tenant = i->tenant;
    }
    release(i);
    c->done(c);
}

/* Another node has changed settings first: from the start, once this one knows them. */
static void begin_again(struct change_impl *i)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;

    release(i);
    c->ep = NULL;
    c->tenant = NULL;
    th_buf_wipe(&c->secret_text);
    th_buf_reset(&c->repeated);
    th_list_prepend(&e->changes, &c->link);
    e->change_stale = true;
    e->jobs[TH_JOB_FOLLOW].at = e->now.mono;
}

void th_change_fail(struct change_impl *i, enum th_change_result result, const char *detail)
{
    snprintf(i->c->detail, sizeof i->c->detail, "%s", detail);
    th_change_finish(i, result);
}

void th_change_fault(struct change_impl *i, const char *field, const char *format, ...)
{
    struct th_field_error *f = &i->c->errors[0];
    va_list args;

    i->c->error_count = 1;
    snprintf(f->field, sizeof f->field, "%s", field);
    va_start(args, format);
    vsnprintf(f->detail, sizeof f->detail, format, args);
    va_end(args);
}

void th_change_limited(struct change_impl *i, enum th_limit limit)
{
    i->c->limit = limit;
    th_change_finish(i, TH_CH_LIMITED);
}

void th_change_no_memory(struct change_impl *i)
{
    th_change_fail(i, TH_CH_UNAVAILABLE, "out of memory");
}

void th_change_stopping(struct th_change *c)
{
    snprintf(c->detail, sizeof c->detail, "the server is stopping");
    c->done(c);
}

/* ---- commit ---- */

static void committed(struct th_op *op);

void th_change_prepare(struct change_impl *i, bool keep_version)
{
    th_change_enter(i, TH_CHANGE_COMMITTING);
    i->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = committed, .user = i};
    i->op.tenant = i->tenant ? i->tenant->no : i->fresh ? i->fresh->no : 0;
    i->op.expect_version = i->tenant ? i->tenant->version : 0;
    i->op.keep_version = keep_version;
    i->op.rows = i->rows;
    i->op.at = i->e->now.wall;
    i->op.knows = i->e->shared ? i->e->followed + 1 : 0;
    i->op.idem = i->c->idem;
}

void th_change_submit(struct change_impl *i, bool keep_version)
{
    struct th_change *c = i->c;

    if (c->dry_run) {
        th_change_finish(i, TH_CH_CHECKED);
        return;
    }
    th_change_prepare(i, keep_version);
    if (c->idem.given && c->render) {
        struct th_buf plain, encrypted;
        bool ok;
        th_buf_init(&plain, 1u << 20);
        th_buf_init(&encrypted, (1u << 20) + 64);
        c->render(c, &plain);
        ok = !plain.failed &&
             th_blob_answer_encrypt(i->e, i->op.tenant, i->op.idem.key, th_buf_view(&plain), &encrypted) &&
             th_arena_copy(&i->mem, th_buf_view(&encrypted), &i->op.answer);
        th_buf_wipe(&plain);
        th_buf_fini(&encrypted);
        if (!ok) {
            th_change_fail(i, TH_CH_UNAVAILABLE, "out of memory");
            return;
        }
    }
    th_engine_submit(i->e, &i->op.op);
}

static void apply(struct change_impl *i)
{
    struct th_change *c = i->c;

    c->tenant = i->tenant;
    i->e->change_kinds[c->kind].end(i);
}

/* After an unknown outcome the same rows are sent again. That the store refuses them as stale, or as a replay, then says
 * that the first sending was committed: this engine makes all changes, one at a time. */
static bool was_committed(const struct change_impl *i)
{
    uint64_t after = i->c->kind == TH_CHANGE_TENANT_DEL ? 0 : i->op.expect_version + 1;

    return i->unknown && (i->op.result == TH_SETTINGS_REPEATED ||
                          (i->op.result == TH_SETTINGS_STALE && i->op.new_version == after));
}

/* Memory is what the store has; the change ends when all engines know it. */
static void apply_all(struct change_impl *i)
{
    th_change_enter(i, TH_CHANGE_TELLING);
    apply(i);
    if (i->e->notes_out || i->e->shared) {
        i->e->finishing = i;
        i->e->jobs[TH_JOB_FOLLOW].at = i->e->now.mono;
    } else
        th_change_finish(i, TH_CH_DONE);
}

struct th_mono th_changes_known_wanted(const struct th_engine *home)
{
    bool told = !home->shared || !home->finishing || home->told >= home->finishing->op.position;

    return home->finishing && !home->notes_out && told ? home->now.mono : TH_MONO_NEVER;
}

void th_changes_known(struct th_engine *home)
{
    struct change_impl *i = home->finishing;

    home->finishing = NULL;
    th_change_finish(i, TH_CH_DONE);
}

static void committed(struct th_op *op)
{
    struct change_impl *i = op->user;

    if (op->error == TH_UNKNOWN) {
        i->unknown = true;
        th_engine_submit(i->e, op);
        return;
    }
    if (!op->error && was_committed(i))
        i->op.result = TH_SETTINGS_DONE;
    if (op->error) {
        th_engine_store_error(i->e, op->error);
        th_change_fail(i, TH_CH_UNAVAILABLE, th_error_name(op->error));
        return;
    }
    switch (i->op.result) {
    case TH_SETTINGS_DONE:
        apply_all(i);
        break;
    case TH_SETTINGS_REPEATED:
        if (th_blob_answer_decrypt(i->e, i->op.tenant, i->op.idem.key, th_buf_view(&i->op.repeated),
                                   &i->c->repeated))
            th_change_finish(i, TH_CH_REPEATED);
        else
            th_change_fail(i, TH_CH_UNAVAILABLE, "the kept answer cannot be opened");
        break;
    case TH_SETTINGS_KEY_REUSED:
        th_change_finish(i, TH_CH_KEY_REUSED);
        break;
    case TH_SETTINGS_STALE:
        if (i->e->shared) {
            begin_again(i);
            break;
        }
        th_engine_store_error(i->e, TH_BUG); /* changes are one at a time: versions cannot differ */
        th_change_fail(i, TH_CH_UNAVAILABLE, "settings changed meanwhile");
        break;
    }
}

void th_change_carried(struct change_impl *i, enum th_error error, bool applied)
{
    if (error) {
        th_change_fail(i, TH_CH_UNAVAILABLE, th_error_name(error));
    } else if (!applied) {
        th_change_fail(i, TH_CH_CONFLICT, "the outcome that should carry the change was not stored with it");
    } else {
        apply_all(i);
    }
}

static bool precondition_fails(const struct change_impl *i)
{
    const struct th_change *c = i->c;

    if (!c->check_rev)
        return false;
    if (c->kind == TH_CHANGE_TENANT_PUT || c->kind == TH_CHANGE_TENANT_DEL)
        return !i->tenant || i->tenant->rev != c->expect_rev;
    return i->ep && i->ep->pub.rev != c->expect_rev;
}

static void begin(void *arg)
{
    struct change_impl *i = arg;
    struct th_change *c = i->c;

    i->tenant = th_engine_tenant(i->e, c->tenant_id);
    if (!i->tenant && c->kind != TH_CHANGE_TENANT_PUT) {
        th_change_fail(i, TH_CH_NOT_FOUND, "no such tenant");
        return;
    }
    if (c->endpoint) {
        i->ep = th_map_get(&i->e->endpoints, c->endpoint);
        if (!i->ep || i->ep->pub.tenant != i->tenant) {
            th_change_fail(i, TH_CH_NOT_FOUND, "no such endpoint");
            return;
        }
    }
    if (precondition_fails(i)) {
        th_change_fail(i, TH_CH_PRECONDITION, "the object has changed since it was read");
        return;
    }
    i->e->change_kinds[c->kind].begin(i);
}

struct th_mono th_changes_wanted(const struct th_engine *e)
{
    bool waits =
        e->changes_held || e->change_stale || (e->shared && !e->has_followed) || e->jobs[TH_JOB_REWRAP].busy;

    return waits || th_list_empty(&e->changes) ? TH_MONO_NEVER : e->now.mono;
}

void th_changes_begin(struct th_engine *e)
{
    struct th_list *l = th_list_pop(&e->changes);
    struct change_impl *i = th_calloc(1, sizeof *i);

    if (!i) {
        struct th_change *c = TH_CONTAINER(l, struct th_change, link);
        c->done(c); /* its result is UNAVAILABLE from the start */
        return;
    }
    i->e = e;
    i->c = TH_CONTAINER(l, struct th_change, link);
    i->c->impl = i;
    th_arena_init(&i->mem, 16u << 20);
    th_buf_init(&i->op.repeated, 2u << 20);
    e->jobs[TH_JOB_CHANGE].busy = true;
    begin(i);
}

/* Stopping: what has not begun is refused, but for what the engine itself has to store. A cancelled look-up may end inside
 * the call. */
void th_changes_cancel(struct th_engine *e)
{
    struct th_list *l, *next;

    for (l = e->changes.next; l != &e->changes; l = next) {
        struct th_change *c = TH_CONTAINER(l, struct th_change, link);
        next = l->next;
        if (c->kind == TH_CHANGE_ENDPOINT_DISABLE)
            continue;
        th_list_remove(l);
        th_change_stopping(c);
    }
}
