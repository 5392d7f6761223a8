/* Hex and base64: the vectors of RFC 4648 section 10, every length there and back, what must be refused. */
#include "base/enc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void rfc4648_vectors(void **state)
{
    static const char *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg==", "66"},
        {"fo", "Zm8=", "666f"},
        {"foo", "Zm9v", "666f6f"},
        {"foob", "Zm9vYg==", "666f6f62"},
        {"fooba", "Zm9vYmE=", "666f6f6261"},
        {"foobar", "Zm9vYmFy", "666f6f626172"},
    };
    struct th_buf b;
    (void)state;

    th_buf_init(&b, 64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        th_buf_reset(&b);
        th_base64(&b, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(th_buf_cstr(&b), rows[i][1]);
        th_buf_reset(&b);
        th_hex(&b, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(th_buf_cstr(&b), rows[i][2]);
    }
    th_buf_fini(&b);
}

static void there_and_back(void **state)
{
    unsigned char bytes[70], out[70];
    struct th_buf b;
    size_t n;
    (void)state;

    th_buf_init(&b, 200);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)(i * 37 + length * 101 + 0xf0);
        th_buf_reset(&b);
        th_base64(&b, bytes, length);
        assert_true(th_unbase64(th_buf_view(&b), out, length, &n));
        assert_int_equal(n, length);
        assert_memory_equal(out, bytes, length);
        if (length) /* one byte of room too little */
            assert_false(th_unbase64(th_buf_view(&b), out, length - 1, &n));
        th_buf_reset(&b);
        th_base64url(&b, bytes, length);
        assert_null(memchr(b.p ? b.p : "", '=', b.n));
        assert_true(th_unbase64url(th_buf_view(&b), out, length, &n) && n == length);
        assert_memory_equal(out, bytes, length);
        th_buf_reset(&b);
        th_hex(&b, bytes, length);
        assert_true(th_unhex(th_buf_view(&b), out, length, &n) && n == length);
        assert_memory_equal(out, bytes, length);
    }
    th_buf_fini(&b);
}

static void refusals(void **state)
{
    static const char *const b64[] = {"Z",        "Zg",     "Zg=",  "Zh==", "Zm9=",  "====", "=",    "A===",
                                      "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_", "Zm9v=", "==Zg", "Z=g=", "Zm9vY"};
    static const char *const url[] = {"Z", "Zg==", "Zh", "Zm+/", "Zm9vY"};
    static const char *const hex[] = {"6", "6g", "0x66", "66 6", "g0"};
    unsigned char out[32];
    size_t n;
    (void)state;

    for (size_t i = 0; i < sizeof b64 / sizeof b64[0]; i++)
        if (th_unbase64(th_str(b64[i]), out, sizeof out, &n))
            fail_msg("base64 %s", b64[i]);
    for (size_t i = 0; i < sizeof url / sizeof url[0]; i++)
        if (th_unbase64url(th_str(url[i]), out, sizeof out, &n))
            fail_msg("base64url %s", url[i]);
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i++)
        if (th_unhex(th_str(hex[i]), out, sizeof out, &n))
            fail_msg("hex %s", hex[i]);
    assert_true(th_unhex(TH_LIT("aBcD"), out, 2, &n) && out[0] == 0xab && out[1] == 0xcd);
    assert_false(th_unhex(TH_LIT("aBcD"), out, 1, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_vectors),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
