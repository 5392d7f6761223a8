/* Makes the keys that encrypt and open from the text that was given as the secret key.
 *
 * A text of 64 hexadecimal digits has all the randomness that a key can have: its hash is the key. Any other
 * text may be a phrase that can be guessed, so guessing is made expensive: scrypt with a salt, which the
 * store keeps as its key form. A store without a form was made by an earlier version, which only hashed
 * phrases.
 *
 * Why the form belongs to the store and not to the key: one salt is enough, because it distinguishes this
 * store from others, and a change of keys needs no second one.
 *
 * Invariant: every key that a text may have encrypted with, in whatever version, is in the ring that it gives. */
#include "engine/control/keys.h"
#include "engine/context.h"
#include "engine/settings/blob.h"

enum {
    FORM = 2,
    LOG2_N = 15,
    R = 8,
    P = 3
}; /* OWASP's password storage: 2^15, 8, 3 takes 32 MiB and a quarter second */

void th_key_form_make(struct th_engine *e, uint8_t out[TH_KEY_FORM_BYTES])
{
    out[0] = FORM;
    out[1] = LOG2_N;
    out[2] = R;
    out[3] = P;
    th_engine_random(e, out + 4, 16);
}

static enum th_error add(struct th_keyring *ring, const struct th_base_key *key, struct th_span form)
{
    const uint8_t *f = (const uint8_t *)form.p;

    if (key->phrase && form.n) {
        if (form.n != TH_KEY_FORM_BYTES || f[0] != FORM)
            return TH_CORRUPT;
        if (!th_stretch(key->bytes, sizeof key->bytes, f + 4, f[1], f[2], f[3], ring->v[ring->count]))
            return TH_NOMEM;
        ring->count++;
    }
    memcpy(ring->v[ring->count++], key->bytes, sizeof key->bytes);
    return TH_OK;
}

enum th_error th_keys_make(struct th_keyring *ring, const struct th_base_key *key,
                           const struct th_base_key *old, struct th_span form)
{
    enum th_error error;

    ring->count = 0;
    error = add(ring, key, form);
    return error || !old ? error : add(ring, old, form);
}

int th_keys_prove(const struct th_keyring *ring, struct th_span encrypted, enum th_error *error)
{
    struct th_buf plain;
    int found = -1;

    th_buf_init(&plain, 256);
    for (unsigned i = 0; found < 0 && i < ring->count; i++) {
        th_buf_reset(&plain);
        if (th_engine_decrypt_with(ring->v[i], 0, 0, 0, encrypted, &plain) &&
            th_span_is(th_buf_view(&plain), TH_KEY_PROOF))
            found = (int)i;
        if (plain.failed)
            *error = plain.failed;
    }
    th_buf_fini(&plain);
    return found;
}
