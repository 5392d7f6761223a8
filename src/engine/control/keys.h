/* Secret keys: makes keys from texts in the form of a store, and finds out with which key a store was
 * encrypted. */
#ifndef TH_ENGINE_CONTROL_KEYS_H
#define TH_ENGINE_CONTROL_KEYS_H
#include "engine/engine.h"

#define TH_META_KEY_FORM                                                                                     \
    "key_form" /* meta row: how phrases are stretched in this store; none: they are not */

/** A new form, with a salt of its own. */
void th_key_form_make(struct th_engine *e, uint8_t out[TH_KEY_FORM_BYTES]);
/** Makes the keys from the texts for a store of this form (n == 0: none). TH_NOMEM; TH_CORRUPT: the form is
 * not known. */
TH_MUST_USE enum th_error th_keys_make(struct th_keyring *ring, const struct th_base_key *key,
                                       const struct th_base_key *old, struct th_span form);
/** Index of the key that encrypted the proof; -1: none of them. *error is set when memory was lacking, and left alone else. */
int th_keys_prove(const struct th_keyring *ring, struct th_span encrypted, enum th_error *error);
#define TH_META_PROOF "key_proof" /* meta row: TH_KEY_PROOF, encrypted with the key of this store */
#define TH_KEY_PROOF "tenterhook secret key"
#endif
