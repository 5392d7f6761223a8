/* HTTP message signatures (RFC 9421) of a request. Private to src/core/dialect*.c. */
#ifndef TH_CORE_DIALECT_MESSAGE_H
#define TH_CORE_DIALECT_MESSAGE_H
#include "core/dialect_parts.h"

/** Checks the keys of a form of signature, and takes what is needed to write it. */
bool th_message_compile(struct th_where *w, const struct th_dialect *d, const struct dl_sig_spec *spec,
                        const struct dl_sig_parts *parts, struct dl_sig *out);

/** The values of one request's three headers. */
struct th_message_values {
    struct th_buf digest, inputs, signatures;
};
struct th_message_request {
    const struct th_render *r;
    const struct th_dialect *d;
    struct th_span body, head; /* head: the field lines so far, with CRLF */
    const struct th_env *env;  /* of the nonce */
};
/** A key's name: the thumbprint of its public key (RFC 7638, RFC 8037), of a shared one a part of its HMAC. */
#define TH_KEYID_SIZE 44 /* with a NUL */
void th_message_keyid_public(const uint8_t key[32], char out[TH_KEYID_SIZE]);
void th_message_keyid_shared(const struct th_hmac *h, char out[TH_KEYID_SIZE]);

/** Appends what one key signs, as the `n`-th signature (from 1) of the message. False: it cannot be signed. */
bool th_message_sign(const struct th_message_request *m, const struct dl_sig *sig,
                     const struct th_sign_key *key, unsigned n, struct th_message_values *out);
/** Appends the value of Content-Digest (RFC 9530). */
void th_message_digest(struct th_span body, struct th_buf *out);
#endif
