/* Known answers of the primitives, from the RFCs and NIST; the Wycheproof vectors are in
 * core_crypto_vectors.c, which may link the JSON reader. */
#include "lib/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

static const char *hex(const uint8_t *p, size_t n)
{
    static char text[8][260];
    static unsigned turn;
    char *out = text[turn++ % 8];

    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
    return out;
}

static void unhex(const char *text, uint8_t *out)
{
    for (size_t i = 0; text[2 * i]; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
}

static void test_sha256(void **state)
{
    uint8_t out[32];
    (void)state;

    th_sha256("abc", 3, out);
    assert_string_equal(hex(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    th_sha256(NULL, 0, out);
    assert_string_equal(hex(out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 2202 and RFC 4231: a short key, a short text key, and a key longer than a block. */
static void test_hmac_known(void **state)
{
    static const struct {
        enum th_mac mac;
        uint8_t fill;
        size_t key_len;
        const char *key, *text, *mac_hex;
    } cases[] = {
        {TH_MAC_SHA1, 0x0b, 20, NULL, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
        {TH_MAC_SHA1, 0, 4, "Jefe", "what do ya want for nothing?",
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {TH_MAC_SHA1, 0xaa, 80, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
         "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
        {TH_MAC_SHA256, 0x0b, 20, NULL, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {TH_MAC_SHA256, 0, 4, "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {TH_MAC_SHA256, 0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {TH_MAC_SHA512, 0x0b, 20, NULL, "Hi There",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9"
         "d914eeb61f17"
         "02e696c203a126854"},
        {TH_MAC_SHA512, 0, 4, "Jefe", "what do ya want for nothing?",
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcae"
         "ab1a34d4a6b4"
         "b636e070a38bce737"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[200], out[64];
        struct th_hmac h;
        struct th_bytes whole = {cases[i].text, strlen(cases[i].text)};
        struct th_bytes parts[4] = {
            {cases[i].text, 3}, {NULL, 0}, {cases[i].text + 3, 1}, {cases[i].text + 4, whole.n - 4}};
        size_t n;

        memset(key, cases[i].fill, sizeof key);
        th_hmac_init(&h, cases[i].mac, cases[i].key ? (const void *)cases[i].key : key, cases[i].key_len);
        n = th_hmac_sign(&h, &whole, 1, out);
        assert_string_equal(hex(out, n), cases[i].mac_hex);
        n = th_hmac_sign(&h, parts, 4, out); /* the state serves again, and pieces are one message */
        assert_string_equal(hex(out, n), cases[i].mac_hex);
    }
}

/* RFC 8032 section 7.1, tests 1 to 3. */
static void test_ed25519_known(void **state)
{
    static const struct {
        const char *seed, *public, *message, *sig;
    } cases[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25"
         "bf5f0595bbe2"
         "4655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387"
         "b2eaeb4302ae"
         "eb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7"
         "c15e9716ed28"
         "dc027beceea1ec40a"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t seed[32], public[32], message[4], sig[64];
        size_t n = strlen(cases[i].message) / 2;
        struct th_bytes halves[2] = {{message, n / 2}, {message + n / 2, n - n / 2}};
        struct th_ed25519 *key;

        unhex(cases[i].seed, seed);
        unhex(cases[i].message, message);
        assert_true(th_ed25519_public(seed, public));
        assert_string_equal(hex(public, 32), cases[i].public);
        key = th_ed25519_new(seed);
        assert_non_null(key);
        for (int round = 0; round < 2; round++) { /* the key is made by the first and used by the second */
            memset(sig, 0, sizeof sig);
            assert_true(th_ed25519_sign(key, halves, 2, sig));
            assert_string_equal(hex(sig, 64), cases[i].sig);
        }
        th_ed25519_free(key);
        th_ed25519_free(NULL);
        assert_true(th_ed25519_verify(public, message, n, sig));
        sig[63] ^= 1;
        assert_false(th_ed25519_verify(public, message, n, sig));
    }
}

/* Threads that sign with one key for the first time: each signature is right, whoever makes the key. */
struct signer {
    pthread_t thread;
    pthread_barrier_t *start;
    struct th_ed25519 **keys;
    uint8_t sigs[50][64];
    bool ok;
};

static void *sign(void *arg)
{
    struct signer *s = arg;
    struct th_bytes message = {"message", 7};

    s->ok = true;
    for (unsigned i = 0; i < 50; i++) {
        (void)pthread_barrier_wait(s->start);
        s->ok = th_ed25519_sign(s->keys[i], &message, 1, s->sigs[i]) && s->ok;
    }
    return NULL;
}

static void test_ed25519_of_threads(void **state)
{
    static struct signer signers[4];
    struct th_ed25519 *keys[50];
    uint8_t seed[32] = {1}, public[32];
    pthread_barrier_t start;
    (void)state;

    assert_true(th_ed25519_public(seed, public));
    for (unsigned i = 0; i < 50; i++)
        keys[i] = th_ed25519_new(seed);
    assert_int_equal(pthread_barrier_init(&start, NULL, 4), 0);
    for (unsigned k = 0; k < 4; k++) {
        signers[k] = (struct signer){.start = &start, .keys = keys};
        assert_int_equal(pthread_create(&signers[k].thread, NULL, sign, &signers[k]), 0);
    }
    for (unsigned k = 0; k < 4; k++) {
        assert_int_equal(pthread_join(signers[k].thread, NULL), 0);
        assert_true(signers[k].ok);
        for (unsigned i = 0; i < 50; i++)
            assert_true(th_ed25519_verify(public, "message", 7, signers[k].sigs[i]));
    }
    for (unsigned i = 0; i < 50; i++)
        th_ed25519_free(keys[i]); /* a key that lost the race would be a leak */
    (void)pthread_barrier_destroy(&start);
}

/* The GCM specification's test cases 13 and 14, and what a changed bit anywhere does. */
static void test_encrypt(void **state)
{
    uint8_t key[32] = {0}, nonce[12] = {0}, plain[16] = {0}, encrypted[32], opened[16];
    (void)state;

    assert_true(th_encrypt(key, nonce, NULL, 0, plain, 0, encrypted));
    assert_string_equal(hex(encrypted, 16), "530f8afbc74536b9a963b4f1c4cb738b");
    assert_true(th_decrypt(key, nonce, NULL, 0, encrypted, 16, opened));
    assert_true(th_encrypt(key, nonce, NULL, 0, plain, 16, encrypted));
    assert_string_equal(hex(encrypted, 32),
                        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");

    assert_true(th_encrypt(key, nonce, "tenant|endpoint", 15, "a secret of ours", 16, encrypted));
    assert_true(th_decrypt(key, nonce, "tenant|endpoint", 15, encrypted, 32, opened));
    assert_memory_equal(opened, "a secret of ours", 16);
    for (unsigned bit = 0; bit < 32 * 8; bit++) {
        uint8_t bad[32];
        memcpy(bad, encrypted, 32);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(opened, 1, 16);
        assert_false(th_decrypt(key, nonce, "tenant|endpoint", 15, bad, 32, opened));
        assert_memory_equal(opened, (uint8_t[16]){0}, 16); /* nothing unauthenticated is left */
    }
    assert_false(th_decrypt(key, nonce, "tenant|endpoinT", 15, encrypted, 32, opened));
    assert_false(th_decrypt(key, nonce, "tenant|endpoint", 15, encrypted, 15, opened));
}

static void test_equal_and_random(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};
    (void)state;

    assert_true(th_ct_equal(NULL, NULL, 0));
    assert_true(th_ct_equal("abc", "abc", 3));
    assert_false(th_ct_equal("abc", "abd", 3));
    assert_true(th_random(a, sizeof a));
    assert_true(th_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(th_random(a, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),        cmocka_unit_test(test_hmac_known),
        cmocka_unit_test(test_ed25519_known), cmocka_unit_test(test_ed25519_of_threads),
        cmocka_unit_test(test_encrypt),       cmocka_unit_test(test_equal_and_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
