/* The stored form of settings, and encrypting. */
#ifndef TH_ENGINE_SETTINGS_BLOB_H
#define TH_ENGINE_SETTINGS_BLOB_H
#include "engine/engine.h"

#define TH_MAX_SPEC_BYTES (256u << 10)

/* settings texts */
/** Reads the texts that a parted spec does not have from the stored settings of an endpoint. */
TH_MUST_USE enum th_error th_blob_read_texts(struct th_span settings, struct th_arena *mem,
                                             struct th_endpoint_spec *out);
void th_blob_write_tenant(const struct th_tenant *t, struct th_buf *out);
enum th_error th_blob_write_endpoint(struct th_engine *e, const struct th_endpoint *ep, struct th_buf *out);
TH_MUST_USE enum th_error th_blob_read_spec(struct th_engine *e, struct th_endpoint *ep,
                                            struct th_span settings, struct th_arena *mem,
                                            struct th_endpoint_spec *out);
/* encrypting: "nonce || ciphertext || tag" with tenant, endpoint and number as associated data */
bool th_engine_encrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span plain, struct th_buf *out);
/** Tries the key, then old ones. */
bool th_engine_decrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span encrypted, struct th_buf *plain);
/** Encrypts an answer that is kept with an Idempotency-Key: the number of its form, then as above with that
 * key after the associated data, so that no answer can take another's place. Answers of earlier versions have
 * neither, and can be opened, too. */
bool th_blob_answer_encrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16], struct th_span plain,
                            struct th_buf *out);
/** The result of a committed operation with an Idempotency-Key: DONE, or REPEATED with the kept answer in
 * `repeated`, or a refusal. again: it was sent twice, because nobody knew whether it was committed; then a
 * key that is there already is its own. `detail` is static text. */
enum th_change_result th_blob_answer_outcome(struct th_engine *e, const struct th_settings_op *op, bool again,
                                             struct th_buf *repeated, const char **detail);
bool th_blob_answer_decrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16],
                            struct th_span encrypted, struct th_buf *plain);
bool th_blob_answer_decrypt_with(const uint8_t secret[32], uint64_t tenant, const uint8_t key[16],
                                 struct th_span encrypted, struct th_buf *plain);
/** Use only the given key. */
bool th_engine_encrypt_with(struct th_engine *e, const uint8_t key[32], uint64_t tenant, uint64_t endpoint,
                            uint64_t no, struct th_span plain, struct th_buf *out);
bool th_engine_decrypt_with(const uint8_t key[32], uint64_t tenant, uint64_t endpoint, uint64_t no,
                            struct th_span encrypted, struct th_buf *plain);
/* The encrypted members of an endpoint's settings; these numbers take the place of a secret's number. */
#define TH_ENCRYPTED_NO_HEADERS 0
#define TH_ENCRYPTED_NO_URL UINT64_MAX
#define TH_ENCRYPTED_NO_REACH (UINT64_MAX - 1)
#define TH_ENCRYPTED_MEMBERS 3

extern const struct th_encrypted_member {
    struct th_span name;
    uint64_t no;
} th_blob_encrypted_members[TH_ENCRYPTED_MEMBERS];
/** Finds a member of parsed settings and its encrypted bytes. TH_NOT_FOUND: there is none; TH_CORRUPT;
 * TH_NOMEM. `out` is made in any case, for th_buf_fini. */
enum th_error th_blob_member_is_encrypted(struct th_json root, struct th_span name, struct th_json *member,
                                          struct th_buf *out);
#endif
