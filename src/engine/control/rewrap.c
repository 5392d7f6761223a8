/* A new secret key: everything that an earlier key encrypted is encrypted anew, a bounded number of values a step, while the
 * server works; then the earlier key leaves.
 *
 * Way: the start writes, in one commit, the proof of the new key and, beside it, a proof of the old one. From then on all
 * that is written is encrypted with the new key, and both are tried for opening. Steps list values in the order of their
 * places (current, earlier revisions, kept answers) and replace those that only the old key opens. When the list ends the
 * old proof is deleted, and the old key is wiped from memory.
 *
 * Why a crash does no harm: while the old proof is there, a start without a key that opens it is refused, so nobody can
 * lose the key too early; a start with both walks from the beginning again and finds what is done already done.
 *
 * Refuses: to touch a value that neither key opens; it was unreadable before, is counted, and stays as it is.
 *
 * Invariants: 1. no change of settings is under way from the listing of a step to the end of its replacing (the job is busy):
 * a change may write back encrypted bytes that it took from memory, behind the place that the walk has reached. 2. the encrypted
 * bytes in memory follow the store's. 3. the old proof is deleted only after a list that began behind the last value.
 *
 * Failure: a step that the store or memory refuses is tried again after a second. */
#include "engine/control/rewrap.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/settings/blob.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

enum { BATCH = 32, PAUSE_US = 5000, RETRY_US = 1000000, STEP_BYTES = 64 << 20 };

struct rewrap_job {
    struct th_engine *e;
    struct th_rewrap op;
    struct th_encrypted rows[BATCH], last; /* last: of the list whose values are being put */
    struct th_settings_op end;
    struct th_row end_row;
    uint64_t encrypted, unreadable;
    bool ending;
};

enum outcome { KEPT, FRESH, UNREADABLE, NO_MEMORY };

static bool open_with(const uint8_t key[32], const struct th_encrypted *s, uint64_t endpoint, uint64_t no,
                      struct th_span encrypted, struct th_buf *plain)
{
    return s->kind == TH_ENCRYPTED_ANSWER
               ? th_blob_answer_decrypt_with(key, s->tenant, s->key3, encrypted, plain)
               : th_engine_decrypt_with(key, s->tenant, endpoint, no, encrypted, plain);
}

/* Opens with old keys what the new one does not open, and encrypts it anew. */
static enum outcome encrypt_again(struct th_engine *e, const struct th_encrypted *s, uint64_t endpoint,
                                  uint64_t no, struct th_span encrypted, struct th_buf *out)
{
    enum outcome result = UNREADABLE;
    struct th_buf plain;

    th_buf_init(&plain, STEP_BYTES);
    for (unsigned i = 0; result == UNREADABLE && i < e->ring->count && !plain.failed; i++) {
        th_buf_wipe(&plain);
        if (!open_with(e->ring->v[i], s, endpoint, no, encrypted, &plain))
            continue;
        if (i == 0)
            result = KEPT;
        else if (s->kind == TH_ENCRYPTED_ANSWER)
            result =
                th_blob_answer_encrypt(e, s->tenant, s->key3, th_buf_view(&plain), out) ? FRESH : NO_MEMORY;
        else
            result =
                th_engine_encrypt(e, s->tenant, endpoint, no, th_buf_view(&plain), out) ? FRESH : NO_MEMORY;
    }
    if (plain.failed)
        result = NO_MEMORY;
    th_buf_wipe(&plain);
    return result;
}

/* Replaces one encrypted member inside of an endpoint's settings; every other byte stays. */
static enum outcome rewrap_member(struct th_engine *e, const struct th_encrypted *s, struct th_span settings,
                                  const struct th_encrypted_member *member, struct th_buf *out)
{
    struct th_buf old, fresh;
    struct th_json root, v;
    enum outcome result = UNREADABLE;
    enum th_error error;
    const char *end = settings.p + settings.n;

    if (th_json_parse(settings, 16, &root, NULL))
        return UNREADABLE;
    error = th_blob_member_is_encrypted(root, member->name, &v, &old);
    th_buf_init(&fresh, STEP_BYTES);
    if (error == TH_NOT_FOUND)
        result = KEPT;
    else if (error == TH_NOMEM)
        result = NO_MEMORY;
    else if (!error)
        result = encrypt_again(e, s, s->endpoint, member->no, th_buf_view(&old), &fresh);
    if (result == FRESH) {
        th_buf_add(out, settings.p, (size_t)(v.raw.p + 1 - settings.p));
        th_base64(out, fresh.p, fresh.n);
        th_buf_add(out, v.raw.p + v.raw.n - 1, (size_t)(end - (v.raw.p + v.raw.n - 1)));
    }
    th_buf_fini(&old);
    th_buf_fini(&fresh);
    return result;
}

/* All of them. What one of them says counts for the whole: fresh, when any is; unreadable, when none could be helped. */
static enum outcome rewrap_settings(struct th_engine *e, const struct th_encrypted *s, struct th_buf *out)
{
    enum outcome result = KEPT;
    struct th_buf step;

    th_buf_init(&step, STEP_BYTES);
    for (unsigned i = 0; i < TH_ENCRYPTED_MEMBERS && result != NO_MEMORY; i++) {
        enum outcome one =
            rewrap_member(e, s, out->n ? th_buf_view(out) : s->bytes, &th_blob_encrypted_members[i], &step);

        if (one == FRESH) {
            struct th_buf done = *out;

            *out = step;
            step = done;
            th_buf_reset(&step);
        }
        if (one == FRESH || one == NO_MEMORY || (one == UNREADABLE && result == KEPT))
            result = one;
    }
    th_buf_fini(&step);
    return result;
}

static enum outcome reset(struct rewrap_job *j, struct th_encrypted *s)
{
    enum outcome result = KEPT;
    struct th_buf out;

    if (s->bytes.n == 0)
        return KEPT;
    th_buf_init(&out, STEP_BYTES);
    if (s->kind == TH_ENCRYPTED_SECRET)
        result = encrypt_again(j->e, s, s->endpoint, s->no, s->bytes, &out);
    else if (s->kind == TH_ENCRYPTED_ANSWER)
        result = encrypt_again(j->e, s, UINT64_MAX, 0, s->bytes, &out);
    else
        result = rewrap_settings(j->e, s, &out);
    if (result == FRESH && (out.failed || !th_arena_copy(&j->op.mem, th_buf_view(&out), &s->fresh)))
        result = NO_MEMORY;
    th_buf_fini(&out);
    return result;
}

/* ---- steps ---- */

static void step_over(struct rewrap_job *j, int64_t pause_us)
{
    struct th_engine *e = j->e;

    TH_CHECK(e->jobs[TH_JOB_REWRAP].busy && !e->jobs[TH_JOB_CHANGE].busy);
    th_arena_fini(&j->op.mem);
    e->jobs[TH_JOB_REWRAP].busy = false;
    e->ops_out--;
    e->more = true; /* changes may wait */
    e->jobs[TH_JOB_REWRAP].at.us = e->now.mono.us + pause_us;
}

static void failed(struct rewrap_job *j, enum th_error error)
{
    if (error != TH_NOMEM)
        th_engine_store_error(j->e, error);
    step_over(j, RETRY_US);
}

/* What changes and reloads take from memory must be what the store has. */
static void follow(struct th_engine *e, const struct th_encrypted *s)
{
    struct th_ep *ep = s->kind == TH_ENCRYPTED_SECRET ? th_map_get(&e->endpoints, s->endpoint) : NULL;

    for (unsigned i = 0; ep && i < ep->pub.secret_count; i++) {
        struct th_secret *own = &ep->pub.secrets[i];

        if (own->no == s->no && own->encrypted.n == s->fresh.n && th_span_eq(own->encrypted, s->bytes))
            memcpy((char *)own->encrypted.p, s->fresh.p, s->fresh.n); /* same length: same plain text */
    }
}

static void put_done(struct th_op *op)
{
    struct rewrap_job *j = op->user;

    if (op->error) {
        failed(j, op->error); /* unknown: the step is listed again, and then shows what it is */
        return;
    }
    for (uint32_t i = 0; i < j->op.count; i++)
        follow(j->e, &j->rows[i]);
    j->encrypted += j->op.count;
    j->op.after = j->last;
    step_over(j, PAUSE_US);
}

static void end_done(struct th_op *op)
{
    struct rewrap_job *j = op->user;
    struct th_engine *e = j->e;

    th_buf_fini(&j->end.repeated);
    if (op->error) {
        failed(j, op->error);
        return;
    }
    th_log(j->unreadable ? TH_LOG_WARN : TH_LOG_INFO,
           "all secrets are encrypted with the new key; the old one is not needed any more",
           TH_KI("sealed", j->encrypted), TH_KI("unreadable", j->unreadable));
    step_over(j, 0);
    th_wipe(e->ring->v + 1, sizeof e->ring->v - sizeof e->ring->v[0]);
    e->ring->count = 1;
    th_rewrap_free(e);
}

static void end(struct rewrap_job *j)
{
    j->end_row = (struct th_row){.kind = TH_ROW_META, .del = true, .id = TH_LIT(TH_META_OLD_PROOF)};
    j->end = (struct th_settings_op){.op = {.kind = TH_OP_SETTINGS, .done = end_done, .user = j},
                                     .rows = &j->end_row,
                                     .count = 1,
                                     .at = j->e->now.wall};
    th_buf_init(&j->end.repeated, 1);
    th_engine_submit(j->e, &j->end.op);
}

static void listed(struct th_op *op)
{
    struct rewrap_job *j = op->user;
    uint32_t fresh = 0;

    if (op->error) {
        failed(j, op->error);
        return;
    }
    if (j->op.count == 0) {
        end(j);
        return;
    }
    j->last = j->rows[j->op.count - 1];
    j->last.bytes = th_span("", 0);
    for (uint32_t i = 0; i < j->op.count; i++) {
        enum outcome result = reset(j, &j->rows[i]);

        if (result == NO_MEMORY) {
            failed(j, TH_NOMEM);
            return;
        }
        j->unreadable += result == UNREADABLE;
        if (result == FRESH)
            j->rows[fresh++] = j->rows[i];
    }
    j->op.count = fresh;
    j->op.put = true;
    j->op.op = (struct th_op){.kind = TH_OP_REWRAP, .done = put_done, .user = j};
    if (fresh == 0) {
        j->op.after = j->last;
        step_over(j, PAUSE_US);
        return;
    }
    th_engine_submit(j->e, &j->op.op);
}

struct th_mono th_rewrap_wanted(const struct th_engine *e)
{
    return e->rewrap && !e->jobs[TH_JOB_CHANGE].busy ? e->now.mono : TH_MONO_NEVER;
}

void th_rewrap_step(struct th_engine *e)
{
    struct rewrap_job *j = e->rewrap;

    e->jobs[TH_JOB_REWRAP].busy = true;
    e->ops_out++;
    j->op.put = false;
    j->op.max = BATCH;
    j->op.rows = j->rows;
    th_arena_init(&j->op.mem, STEP_BYTES);
    j->op.op = (struct th_op){.kind = TH_OP_REWRAP, .done = listed, .user = j};
    th_engine_submit(e, &j->op.op);
}

enum th_error th_rewrap_begin(struct th_engine *e, const char *why)
{
    struct rewrap_job *j = th_calloc(1, sizeof *j);

    if (!j)
        return TH_NOMEM;
    j->e = e;
    e->rewrap = j;
    th_log(TH_LOG_INFO, why);
    return TH_OK;
}

void th_rewrap_free(struct th_engine *e)
{
    th_free(e->rewrap);
    e->rewrap = NULL;
}
