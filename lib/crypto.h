/* The only owner of OpenSSL's hash, MAC, signature and cipher functions. No malloc of its own on the paths
 * marked (hot); no clock; no I/O. */
#ifndef TH_LIB_CRYPTO_H
#define TH_LIB_CRYPTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** (hot) SHA-256 of one run of bytes. */
void th_sha256(const void *p, size_t n, uint8_t out[32]);

struct th_bytes { /* scatter list entry */
    const void *p;
    size_t n;
};

enum th_mac { TH_MAC_SHA1, TH_MAC_SHA256, TH_MAC_SHA512 };

/** A keyed HMAC (RFC 2104) whose two pad states are computed once. Plain struct, copyable, holds no pointer.
 * Wipe with th_wipe or memset_s when done. */
struct th_hmac {
    enum th_mac mac;
    uint64_t inner[28], outer[28]; /* SHA contexts after the key pad */
};
void th_hmac_init(struct th_hmac *h, enum th_mac mac, const void *key, size_t key_len);
/** (hot) MAC of the concatenation of `count` pieces; returns its length (20, 32 or 64). Thread-safe for one
 * `h`. */
size_t th_hmac_sign(const struct th_hmac *h, const struct th_bytes *pieces, unsigned count, uint8_t out[64]);

/** An Ed25519 key (RFC 8032) that is kept for many signatures; seed is 32 bytes. NULL without memory. */
struct th_ed25519 *th_ed25519_new(const uint8_t seed[32]);
/** The public key that belongs to it. False on an OpenSSL failure. */
bool th_ed25519_public_of(const struct th_ed25519 *k, uint8_t out[32]);
/** Wipes; NULL is none. */
void th_ed25519_free(struct th_ed25519 *k);
/** (hot) Signs the concatenation. False on an OpenSSL failure. Thread-safe for one `k`. */
bool th_ed25519_sign(struct th_ed25519 *k, const struct th_bytes *pieces, unsigned count, uint8_t out[64]);
/** One signature over one run of bytes; allocates nothing of its own. False on an OpenSSL failure. */
bool th_ed25519_sign_one(const uint8_t seed[32], const void *msg, size_t n, uint8_t out[64]);
bool th_ed25519_public(const uint8_t seed[32], uint8_t out[32]);
bool th_ed25519_verify(const uint8_t key[32], const void *msg, size_t n, const uint8_t sig[64]);

/** AES-256-GCM. out has n + 16 bytes (tag last). False on an OpenSSL failure. */
bool th_encrypt(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
                const void *in, size_t n, void *out);
/** Opens n bytes (tag included) into n - 16. False when the tag does not match; out is then wiped. */
bool th_decrypt(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
                const void *in, size_t n, void *out);

/** A key out of what people can remember: scrypt (RFC 7914) with N = 2^log2_n. Takes 128 * r * N bytes and, for that, a
 * fraction of a second. False without memory, or for parameters out of range. */
bool th_stretch(const void *phrase, size_t n, const uint8_t salt[16], unsigned log2_n, unsigned r, unsigned p,
                uint8_t out[32]);

/** Compares n bytes in a time that depends on n alone. */
bool th_ct_equal(const void *a, const void *b, size_t n);
/** Cryptographic randomness (getrandom(2)). False only when the kernel has none. */
bool th_random(void *p, size_t n);
#endif
