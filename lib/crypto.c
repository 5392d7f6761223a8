/* Hashes, MACs and signatures: with crypto_encrypt.c the one place that calls OpenSSL's cryptography. This file
 * is part of libtenterhook and so allocates nothing itself.
 *
 * Why the low-level SHA contexts, which OpenSSL 3 calls deprecated: an HMAC here starts from two states that
 * were computed once per secret, by copying a plain struct. The EVP way copies a context through the heap and
 * a provider look-up for each signature, which costs more than hashing a KiB. They run the same code (SHA
 * extensions included).
 *
 * Refuses: keeping anything. No static state, no heap on the hash and MAC paths, no error queue that a caller
 * must read: functions that can fail say so with false.
 *
 * Invariants: 1. a struct th_hmac is plain bytes, so one may be used by several threads at once. 2. Copies of
 * key states and key blocks on the stack are wiped before return where they hold the key itself; the two pad
 * states inside struct th_hmac are secrets too and are the caller's to wipe. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib/crypto.h"
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static_assert(sizeof(SHA_CTX) <= sizeof(((struct th_hmac *)0)->inner), "SHA-1 state fits");
static_assert(sizeof(SHA256_CTX) <= sizeof(((struct th_hmac *)0)->inner), "SHA-256 state fits");
static_assert(sizeof(SHA512_CTX) <= sizeof(((struct th_hmac *)0)->inner), "SHA-512 state fits");

void th_sha256(const void *p, size_t n, uint8_t out[32])
{
    SHA256_CTX c;

    SHA256_Init(&c);
    if (n)
        SHA256_Update(&c, p, n);
    SHA256_Final(out, &c);
}

/* One hash function as a row; the context is any of the three, in struct th_hmac's room for it. */
union sha_ctx {
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
};

struct mac_row {
    size_t block, length, state;
};
static const struct mac_row mac_rows[] = {
    [TH_MAC_SHA1] = {64, 20, sizeof(SHA_CTX)},
    [TH_MAC_SHA256] = {64, 32, sizeof(SHA256_CTX)},
    [TH_MAC_SHA512] = {128, 64, sizeof(SHA512_CTX)},
};

static void sha_init(enum th_mac mac, union sha_ctx *c)
{
    if (mac == TH_MAC_SHA256)
        SHA256_Init(&c->sha256);
    else if (mac == TH_MAC_SHA512)
        SHA512_Init(&c->sha512);
    else
        SHA1_Init(&c->sha1);
}

static void sha_update(enum th_mac mac, union sha_ctx *c, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (mac == TH_MAC_SHA256)
        SHA256_Update(&c->sha256, p, n);
    else if (mac == TH_MAC_SHA512)
        SHA512_Update(&c->sha512, p, n);
    else
        SHA1_Update(&c->sha1, p, n);
}

static void sha_final(enum th_mac mac, union sha_ctx *c, uint8_t out[64])
{
    if (mac == TH_MAC_SHA256)
        SHA256_Final(out, &c->sha256);
    else if (mac == TH_MAC_SHA512)
        SHA512_Final(out, &c->sha512);
    else
        SHA1_Final(out, &c->sha1);
}

static void pad_state(enum th_mac mac, const uint8_t block[128], uint8_t pad, uint64_t state[28])
{
    const struct mac_row *row = &mac_rows[mac];
    uint8_t xored[128];
    union sha_ctx c;

    for (size_t i = 0; i < row->block; i++)
        xored[i] = (uint8_t)(block[i] ^ pad);
    sha_init(mac, &c);
    sha_update(mac, &c, xored, row->block);
    memcpy(state, &c, row->state);
    OPENSSL_cleanse(xored, sizeof xored);
    OPENSSL_cleanse(&c, sizeof c);
}

void th_hmac_init(struct th_hmac *h, enum th_mac mac, const void *key, size_t key_len)
{
    const struct mac_row *row = &mac_rows[mac];
    uint8_t block[128] = {0};

    *h = (struct th_hmac){.mac = mac};
    if (key_len > row->block) {
        union sha_ctx c;
        sha_init(mac, &c);
        sha_update(mac, &c, key, key_len);
        sha_final(mac, &c, block);
        OPENSSL_cleanse(&c, sizeof c);
    } else if (key_len) {
        memcpy(block, key, key_len);
    }
    pad_state(mac, block, 0x36, h->inner);
    pad_state(mac, block, 0x5c, h->outer);
    OPENSSL_cleanse(block, sizeof block);
}

size_t th_hmac_sign(const struct th_hmac *h, const struct th_bytes *pieces, unsigned count, uint8_t out[64])
{
    const struct mac_row *row = &mac_rows[h->mac];
    union sha_ctx c;
    uint8_t digest[64];

    memcpy(&c, h->inner, row->state);
    for (unsigned i = 0; i < count; i++)
        sha_update(h->mac, &c, pieces[i].p, pieces[i].n);
    sha_final(h->mac, &c, digest);
    memcpy(&c, h->outer, row->state);
    sha_update(h->mac, &c, digest, row->length);
    sha_final(h->mac, &c, out);
    return row->length;
}

bool th_ed25519_sign_one(const uint8_t seed[32], const void *msg, size_t n, uint8_t out[64])
{
    static const uint8_t empty[1];
    size_t sig_len = 64;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, &sig_len, n ? msg : empty, n) == 1 && sig_len == 64;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

bool th_ed25519_public(const uint8_t seed[32], uint8_t out[32])
{
    size_t n = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &n) == 1 && n == 32;

    EVP_PKEY_free(key);
    return ok;
}

bool th_ed25519_verify(const uint8_t key[32], const void *msg, size_t n, const uint8_t sig[64])
{
    static const uint8_t empty[1];
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, sig, 64, n ? msg : empty, n) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok;
}

bool th_ct_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}
