/* The server's half of cryptography: encrypting, randomness, and Ed25519 with a key that is kept, which needs the
 * heap.
 *
 * Apart from crypto.c because libtenterhook leaves this file out: a receiver's library neither allocates nor
 * asks the kernel for anything.
 *
 * Invariant: th_decrypt never leaves unauthenticated plain text. */
#include "lib/crypto.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* OpenSSL 3.0 signs Ed25519 in one call over contiguous bytes only, and RFC 8032 reads the message twice
 * anyway. */
static uint8_t *join(const struct th_bytes *pieces, unsigned count, size_t *n)
{
    size_t total = 0, at = 0;
    uint8_t *p;

    for (unsigned i = 0; i < count; i++) {
        if (pieces[i].n > SIZE_MAX / 2 - total)
            return NULL;
        total += pieces[i].n;
    }
    p = malloc(total ? total : 1);
    if (!p)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        if (pieces[i].n) {
            memcpy(p + at, pieces[i].p, pieces[i].n);
            at += pieces[i].n;
        }
    *n = total;
    return p;
}

/* OpenSSL computes the public point with the key, which takes as long as a signature: once, when the first is
 * asked for, so that a start with many secrets need not wait for it. Of threads that ask at the same time each computes one, and
 * all take that of the first: nothing but the pointer is written, and that once. */
struct th_ed25519 {
    EVP_PKEY *key;
    uint8_t seed[32];
};

struct th_ed25519 *th_ed25519_new(const uint8_t seed[32])
{
    struct th_ed25519 *k = malloc(sizeof *k);

    if (k) {
        k->key = NULL;
        memcpy(k->seed, seed, sizeof k->seed);
    }
    return k;
}

bool th_ed25519_public_of(const struct th_ed25519 *k, uint8_t out[32])
{
    return th_ed25519_public(k->seed, out);
}

void th_ed25519_free(struct th_ed25519 *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key); /* wipes the private key */
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

/* NULL: OpenSSL failed. */
static EVP_PKEY *key_of(struct th_ed25519 *k)
{
    EVP_PKEY *key = __atomic_load_n(&k->key, __ATOMIC_ACQUIRE), *there = NULL;

    if (key)
        return key;
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, sizeof k->seed);
    if (!key || __atomic_compare_exchange_n(&k->key, &there, key, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return key;
    EVP_PKEY_free(key);
    return there;
}

bool th_ed25519_sign(struct th_ed25519 *k, const struct th_bytes *pieces, unsigned count, uint8_t out[64])
{
    size_t n = 0, sig_len = 64;
    uint8_t *joined = join(pieces, count, &n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = key_of(k);
    bool ok = joined && ctx && key && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, &sig_len, joined, n) == 1 && sig_len == 64;

    EVP_MD_CTX_free(ctx);
    free(joined);
    return ok;
}

/* EVP counts in int; nothing encrypted comes near. */
#define MAX_ENCRYPTED ((size_t)1 << 30)

bool th_encrypt(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
                const void *in, size_t n, void *out)
{
    EVP_CIPHER_CTX *ctx;
    int part;
    bool ok;

    if (n > MAX_ENCRYPTED || aad_len > MAX_ENCRYPTED)
        return false;
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
         (aad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &part, aad, (int)aad_len) == 1) &&
         (n == 0 || EVP_EncryptUpdate(ctx, out, &part, in, (int)n) == 1) &&
         EVP_EncryptFinal_ex(ctx, (uint8_t *)out + n, &part) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, (uint8_t *)out + n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool th_decrypt(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aad_len,
                const void *in, size_t n, void *out)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t tag[16], none[16];
    size_t plain;
    int part;
    bool ok;

    if (n < 16 || n > MAX_ENCRYPTED || aad_len > MAX_ENCRYPTED)
        return false;
    plain = n - 16;
    memcpy(tag, (const uint8_t *)in + plain, 16);
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
         (aad_len == 0 || EVP_DecryptUpdate(ctx, NULL, &part, aad, (int)aad_len) == 1) &&
         (plain == 0 || EVP_DecryptUpdate(ctx, out, &part, in, (int)plain) == 1) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
         EVP_DecryptFinal_ex(ctx, none, &part) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok && plain)
        OPENSSL_cleanse(out, plain);
    return ok;
}

bool th_stretch(const void *phrase, size_t n, const uint8_t salt[16], unsigned log2_n, unsigned r, unsigned p,
                uint8_t out[32])
{
    if (log2_n < 10 || log2_n > 20 || r < 1 || r > 32 || p < 1 || p > 16)
        return false;
    return EVP_PBE_scrypt(phrase, n, salt, 16, (uint64_t)1 << log2_n, r, p, (uint64_t)512 << 20, out, 32) ==
           1;
}

bool th_random(void *p, size_t n)
{
    uint8_t *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got <= 0) {
            if (got < 0 && errno == EINTR)
                continue;
            return false;
        }
        at += got;
        n -= (size_t)got;
    }
    return true;
}
