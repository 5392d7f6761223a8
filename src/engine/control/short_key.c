/* Operator's keys of fewer than 16 characters: in production new ones are refused, and those that were in use before stay.
 *
 * Whether a key was in use before is stored with the data, in a row of its own: either that no short key is
 * in use, or which one is, encrypted as secrets are. A data directory without the row was made by an earlier
 * version, which took short keys: then the key of the first start in production counts as the one that was in
 * use. A new directory has the row from its first start on. A longer key ends the exception.
 *
 * The row is written anew at each start with a short key, so that it is encrypted with the secret key in force. Failure: a
 * row that no key opens is a short key that is not known. */
#include "engine/control/short_key.h"
#include "engine/settings/blob.h"
#include "engine/state.h"
#include <stdio.h>

#define NONE "none"
#define ROW 1 /* in the place of a secret's number: 0 is the proof of the secret key */

static bool is_short(const struct th_engine *e)
{
    return e->options.production && e->options.operator_key_short && e->options.operator_key_hash.n == 32;
}

static bool is_the_one(struct th_engine *e, struct th_span note, enum th_error *error)
{
    struct th_buf hash;
    bool same;

    th_buf_init(&hash, 256);
    same = th_engine_decrypt(e, 0, 0, ROW, note, &hash) &&
           th_span_eq(th_buf_view(&hash), e->options.operator_key_hash);
    *error = hash.failed;
    th_buf_wipe(&hash);
    return same;
}

enum th_error th_short_key_judge(struct th_engine *e, bool fresh, const struct th_buf *note, char *why,
                                 size_t why_size)
{
    enum th_error error = note->failed;

    if (error || !is_short(e) || (!fresh && !note->n) ||
        (note->n && is_the_one(e, th_buf_view(note), &error)))
        return error;
    if (error)
        return error;
    snprintf(
        why, why_size,
        "the operator's key (TENTERHOOK_ADMIN_KEY) must have at least 16 characters in production; a shorter "
        "one is taken only where it was in use before. `openssl rand -hex 32` makes one");
    return TH_INVALID;
}

enum th_error th_short_key_note(struct th_engine *e, bool fresh, struct th_buf *note, bool *write)
{
    bool none = th_span_is(th_buf_view(note), NONE);

    *write = is_short(e) || (!none && (fresh || e->options.production));
    if (!*write)
        return TH_OK;
    th_buf_reset(note);
    if (!is_short(e))
        th_buf_str(note, NONE);
    else if (!th_engine_encrypt(e, 0, 0, ROW, e->options.operator_key_hash, note))
        return note->failed ? note->failed : TH_BUG;
    return note->failed;
}
