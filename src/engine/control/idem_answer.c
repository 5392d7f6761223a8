/* Answers kept with an Idempotency-Key where there is no change of settings that could carry it: asked for before the
 * effect, kept after it, as a settings operation without rows.
 *
 * Refuses to be the effect's guard against a crash: when the process dies between effect and keeping, a repetition takes
 * effect again. The other order could lose the effect, which is worse.
 *
 * Invariant: asking never writes. It expects a settings version that no tenant has, and the store looks for the key first.
 * When the store fails the result is UNAVAILABLE and the effect, if it was there, stays. */
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/settings/blob.h"
#include "engine/state.h"

#define NO_VERSION UINT64_MAX

struct idem_answer_impl {
    struct th_engine *e;
    struct th_idem_answer *r;
    struct th_tenant *tenant;
    struct th_settings_op op;
    struct th_buf encrypted;
};

static void finish(struct idem_answer_impl *i, enum th_change_result result)
{
    struct th_idem_answer *r = i->r;

    th_buf_wipe(&i->encrypted);
    th_buf_wipe(&i->op.repeated);
    th_free(i);
    r->impl = NULL;
    r->result = result;
    r->done(r);
}

static void looked(struct th_op *op)
{
    struct idem_answer_impl *i = op->user;
    struct th_engine *e = i->e;
    bool ok;

    if (op->error == TH_UNKNOWN) { /* the same key and body again: no further effect */
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    if (op->error) {
        th_engine_store_error(e, op->error);
        finish(i, TH_CH_UNAVAILABLE);
        return;
    }
    switch (i->op.result) {
    case TH_SETTINGS_REPEATED: /* when keeping: another request with this key was faster, or our own commit */
        ok = i->r->keep || th_blob_answer_decrypt(e, i->tenant->no, i->r->idem.key,
                                                  th_buf_view(&i->op.repeated), &i->r->repeated);
        finish(i, !ok ? TH_CH_UNAVAILABLE : i->r->keep ? TH_CH_DONE : TH_CH_REPEATED);
        break;
    case TH_SETTINGS_KEY_REUSED:
        finish(i, TH_CH_KEY_REUSED);
        break;
    case TH_SETTINGS_STALE:
        finish(i, i->r->keep || i->tenant->deleting ? TH_CH_NOT_FOUND : TH_CH_DONE);
        break;
    default:
        finish(i, TH_CH_DONE);
        break;
    }
}

void th_engine_idem_answer(struct th_engine *e, struct th_idem_answer *r)
{
    struct idem_answer_impl *i = th_calloc(1, sizeof *i);

    th_engine_tick(e);
    th_buf_init(&r->repeated, 1u << 20);
    r->result = TH_CH_UNAVAILABLE;
    if (!i) {
        r->done(r);
        return;
    }
    r->impl = i;
    i->e = e;
    i->r = r;
    th_buf_init(&i->encrypted, 2u << 20);
    th_buf_init(&i->op.repeated, 2u << 20);
    i->tenant = th_engine_tenant(e, r->tenant_id);
    if (!i->tenant || i->tenant->deleting) {
        finish(i, TH_CH_NOT_FOUND);
        return;
    }
    if (r->keep && !th_blob_answer_encrypt(e, i->tenant->no, r->idem.key, r->answer, &i->encrypted)) {
        finish(i, TH_CH_UNAVAILABLE);
        return;
    }
    i->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = looked, .user = i};
    i->op.tenant = i->tenant->no;
    i->op.expect_version = NO_VERSION;
    i->op.keep_version = r->keep;
    i->op.idem = r->idem;
    i->op.answer = th_buf_view(&i->encrypted);
    i->op.at = e->now.wall;
    e->ops_out++;
    th_engine_submit(e, &i->op.op);
}
