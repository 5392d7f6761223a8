/* The Wycheproof vectors of HMAC-SHA256, Ed25519 and AES-256-GCM. Skipped where the test data is not there.
 */
#include "dialect_fixture.h"
#include "lib/crypto.h"

struct vector {
    struct th_json group, test;
    bool valid, may; /* result is "valid"; "acceptable": either */
};

/* Hex member in fresh memory; free with test_free. */
static uint8_t *bytes(struct th_json object, const char *name, size_t *n)
{
    size_t len;
    char *text = fixture_text(fixture_get(object, name), &len);
    uint8_t *out = test_malloc(len / 2 + 1);

    assert_true(th_unhex(th_span(text, len), out, len / 2, n));
    test_free(text);
    return out;
}

static unsigned each(const char *file, bool (*run)(const struct vector *v))
{
    struct th_buf text;
    struct th_json_iter groups, tests;
    struct vector v;
    unsigned count = 0;

    if (!fixture_file("TENTERHOOK_CORPORA", "corpora", file, &text)) {
        print_message("skipped: no corpora here\n");
        skip();
    }
    th_json_iter(&groups, fixture_get(fixture_json(th_buf_view(&text)), "testGroups"));
    while (th_json_next(&groups, NULL, &v.group)) {
        th_json_iter(&tests, fixture_get(v.group, "tests"));
        while (th_json_next(&tests, NULL, &v.test)) {
            v.valid = fixture_is(fixture_get(v.test, "result"), "valid");
            v.may = fixture_is(fixture_get(v.test, "result"), "acceptable");
            count += run(&v);
        }
    }
    th_buf_fini(&text);
    assert_true(count > 0);
    print_message("%s: %u vectors\n", file, count);
    return count;
}

static bool hmac(const struct vector *v)
{
    size_t key_n, msg_n, tag_n;
    uint8_t *key = bytes(v->test, "key", &key_n), *msg = bytes(v->test, "msg", &msg_n),
            *tag = bytes(v->test, "tag", &tag_n), out[64];
    struct th_bytes halves[2] = {{msg, msg_n / 3}, {msg + msg_n / 3, msg_n - msg_n / 3}};
    struct th_hmac h;

    th_hmac_init(&h, TH_MAC_SHA256, key, key_n);
    assert_int_equal(th_hmac_sign(&h, halves, 2, out), 32);
    assert_in_range(tag_n, 1, 32);
    if (!v->may)
        assert_int_equal(th_ct_equal(out, tag, tag_n), v->valid);
    test_free(key);
    test_free(msg);
    test_free(tag);
    return true;
}

static bool ed25519(const struct vector *v)
{
    size_t key_n, msg_n, sig_n;
    uint8_t *key = bytes(fixture_get(v->group, "publicKey"), "pk", &key_n),
            *msg = bytes(v->test, "msg", &msg_n), *sig = bytes(v->test, "sig", &sig_n);

    assert_int_equal(key_n, 32);
    if (sig_n == 64 && !v->may && th_ed25519_verify(key, msg, msg_n, sig) != v->valid)
        fail_msg("Ed25519 test %.*s", (int)fixture_get(v->test, "tcId").raw.n,
                 fixture_get(v->test, "tcId").raw.p);
    if (sig_n != 64) /* another length is no signature; the type of th_ed25519_verify cannot be given one */
        assert_false(v->valid);
    test_free(key);
    test_free(msg);
    test_free(sig);
    return true;
}

/* Ours is AES-256 with 96-bit nonces and full tags; other groups are not of our form. */
static bool gcm(const struct vector *v)
{
    size_t key_n, iv_n, aad_n, msg_n, ct_n, tag_n;
    uint8_t *key, *iv, *aad, *msg, *ct, *tag, *encrypted, *opened;

    if (fixture_i64(v->group, "keySize") != 256 || fixture_i64(v->group, "ivSize") != 96 ||
        fixture_i64(v->group, "tagSize") != 128)
        return false;
    key = bytes(v->test, "key", &key_n);
    iv = bytes(v->test, "iv", &iv_n);
    aad = bytes(v->test, "aad", &aad_n);
    msg = bytes(v->test, "msg", &msg_n);
    ct = bytes(v->test, "ct", &ct_n);
    tag = bytes(v->test, "tag", &tag_n);
    encrypted = test_malloc(ct_n + 16);
    opened = test_malloc(ct_n + 1);
    memcpy(encrypted, ct, ct_n);
    memcpy(encrypted + ct_n, tag, 16);
    if (!v->may)
        assert_int_equal(th_decrypt(key, iv, aad, aad_n, encrypted, ct_n + 16, opened), v->valid);
    if (v->valid) {
        assert_memory_equal(opened, msg, msg_n);
        assert_true(th_encrypt(key, iv, aad, aad_n, msg, msg_n, encrypted));
        assert_memory_equal(encrypted, ct, ct_n);
        assert_memory_equal(encrypted + ct_n, tag, 16);
    }
    test_free(key);
    test_free(iv);
    test_free(aad);
    test_free(msg);
    test_free(ct);
    test_free(tag);
    test_free(encrypted);
    test_free(opened);
    return true;
}

static void test_hmac(void **state)
{
    (void)state;
    each("wycheproof/hmac_sha256_test.json", hmac);
}

static void test_ed25519(void **state)
{
    (void)state;
    each("wycheproof/ed25519_test.json", ed25519);
}

static void test_gcm(void **state)
{
    (void)state;
    each("wycheproof/aes_gcm_test.json", gcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hmac), cmocka_unit_test(test_ed25519),
                                       cmocka_unit_test(test_gcm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
