/* HTTP message signatures: the values of RFC 9421's appendix B, and what is no signature of a scheme. The forms of the appendix
 * cover no digest, which schemes have to, so they are made here. */
#include "lib/internal.h"
#include "lib/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CREATED 1618884473
#define SHARED "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
#define PUBLIC "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
#define B25                                                                                                  \
    "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
#define B25_SIGNED "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"
#define B26                                                                                                  \
    "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"            \
    ";created=1618884473;keyid=\"test-key-ed25519\""
#define B26_SIGNED                                                                                           \
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"

static struct th_lib_verifier verifier(enum tenterhook_algorithm algorithm, const char *key_text,
                                       const char *covers)
{
    struct th_lib_verifier v = {
        .back_s = 300, .ahead_s = 300, .form_count = 1, .key_count = 1, .secret_count = 1};
    struct th_span name[TH_MESSAGE_COMPONENTS];
    uint8_t key[64];
    size_t n;

    v.form[0].header = tenterhook_str("Signature");
    v.form[0].algorithm = v.key[0].algorithm = algorithm;
    v.form[0].kind = v.key[0].kind = TENTERHOOK_KEY_BASE64;
    assert_null(th_message_components(tenterhook_str(covers), name, &v.form[0].content.count));
    for (unsigned i = 0; i < v.form[0].content.count; i++)
        v.form[0].content.piece[i].text = name[i];
    assert_true(th_unbase64(tenterhook_str(key_text), key, sizeof key, &n));
    if (algorithm == TENTERHOOK_ED25519)
        memcpy(v.key[0].u.public_key, key, 32);
    else
        th_hmac_init(&v.key[0].u.hmac, TH_MAC_SHA256, key, n);
    return v;
}

static enum tenterhook_result judge(const struct th_lib_verifier *v, const char *inputs,
                                    const char *signatures, const char *url, struct tenterhook_report *report)
{
    static const char body[] = "{\"hello\": \"world\"}";
    const struct tenterhook_header headers[] = {
        {TENTERHOOK_LIT("Host"), TENTERHOOK_LIT("example.com")},
        {TENTERHOOK_LIT("Date"), TENTERHOOK_LIT("Tue, 20 Apr 2021 02:07:55 GMT")},
        {TENTERHOOK_LIT("Content-Type"), TENTERHOOK_LIT(" application/json\t")},
        {TENTERHOOK_LIT("Content-Length"), TENTERHOOK_LIT("18")},
        {TENTERHOOK_LIT("Signature-Input"), tenterhook_str(inputs)},
        {TENTERHOOK_LIT("Signature"), tenterhook_str(signatures)}};
    const struct tenterhook_request r = {.headers = headers,
                                         .header_count = 6,
                                         .body = body,
                                         .body_len = sizeof body - 1,
                                         .url = tenterhook_str(url),
                                         .method = TENTERHOOK_LIT("POST")};

    memset(report, 0, sizeof *report);
    return th_lib_message(v, &v->form[0], &r, CREATED + 10, report);
}

#define URL "https://EXAMPLE.com:443/foo?param=Value&Pet=dog"

static void test_appendix(void **state)
{
    struct th_lib_verifier shared = verifier(TENTERHOOK_HMAC_SHA256, SHARED, "\"date\" \"@authority\"");
    struct th_lib_verifier pair = verifier(TENTERHOOK_ED25519, PUBLIC, "\"date\" \"@path\"");
    struct tenterhook_report why;

    (void)state;
    assert_int_equal(judge(&shared, B25, B25_SIGNED, URL, &why), TENTERHOOK_OK);
    assert_true(why.has_time);
    assert_int_equal(why.signed_at, CREATED);
    assert_int_equal(judge(&pair, B26, B26_SIGNED, URL, &why), TENTERHOOK_OK);
    assert_int_equal(judge(&pair, B26, B26_SIGNED, "https://example.com/bar", &why), TENTERHOOK_NO_MATCH);
    assert_int_equal(judge(&shared, B25, B25_SIGNED, "https://example.com:444/foo", &why),
                     TENTERHOOK_NO_MATCH);
    assert_int_equal(judge(&shared, B25, B25_SIGNED, "", &why), TENTERHOOK_INVALID);
    /* both on one message, under their labels */
    assert_int_equal(judge(&pair, B25 ", " B26, B25_SIGNED ", " B26_SIGNED, URL, &why), TENTERHOOK_OK);
    assert_int_equal(judge(&shared, B25 "," B26, B26_SIGNED "\t,  " B25_SIGNED, URL, &why), TENTERHOOK_OK);
}

/* What a writer of structured fields may write otherwise is signed as it writes it; what is none is refused. */
static void test_structured_fields(void **state)
{
#define LIST "(\"date\" \"@authority\" \"content-type\")"
    static const struct {
        const char *inputs, *signatures;
        enum tenterhook_result result;
    } cases[] = {
        {"sig-b25=(  \"date\"   \"@authority\" \"content-type\"  ); created=1618884473;  "
         "keyid=\"test-shared-secret\"",
         B25_SIGNED, TENTERHOOK_OK},
        {"  " B25 "  ", B25_SIGNED, TENTERHOOK_OK},
        {"sig-b25=" LIST ";keyid=\"test-shared-secret\";created=1618884473", B25_SIGNED, TENTERHOOK_NO_MATCH},
        {B25 ";x", B25_SIGNED, TENTERHOOK_NO_MATCH}, /* it would be signed too */
        {B25 ";alg=\"ed25519\"", B25_SIGNED, TENTERHOOK_MALFORMED},
        {B25 ";tag=\"other\"", B25_SIGNED, TENTERHOOK_MALFORMED},
        {B25 ";expires=1618884474", B25_SIGNED, TENTERHOOK_TOO_OLD},
        {"sig-b25=" LIST ";created=01618884473;keyid=\"test-shared-secret\"", B25_SIGNED,
         TENTERHOOK_MALFORMED},
        {"sig-b25=" LIST ";created=1618884473.0;keyid=\"test-shared-secret\"", B25_SIGNED,
         TENTERHOOK_MALFORMED},
        {"sig-b25=" LIST ";created=\"1618884473\"", B25_SIGNED, TENTERHOOK_MALFORMED},
        {"sig-b25=" LIST ";keyid=\"test-shared-secret\"", B25_SIGNED, TENTERHOOK_MALFORMED}, /* no time */
        {"sig-b25=" LIST ";created=1618884473;created=1618884473", B25_SIGNED, TENTERHOOK_MALFORMED},
        {"sig-b25=" LIST ";created=1618880000;keyid=\"test-shared-secret\"", B25_SIGNED, TENTERHOOK_TOO_OLD},
        {"sig-b25=" LIST ";created=1618889999;keyid=\"test-shared-secret\"", B25_SIGNED, TENTERHOOK_TOO_NEW},
        {B25 ", " B25, B25_SIGNED, TENTERHOOK_MALFORMED},
        {B25, B25_SIGNED ", " B25_SIGNED, TENTERHOOK_MALFORMED},
        {B25 ",", B25_SIGNED, TENTERHOOK_MALFORMED},
        {B25, "sig-b25=pxcQw6G3AjtMBQjwo8XzkZf", TENTERHOOK_MALFORMED},
        {B25, "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE9=:",
         TENTERHOOK_MALFORMED}, /* another spelling */
        {B25, "sig-b25=::", TENTERHOOK_NO_MATCH},
        {B25, "sig1=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:", TENTERHOOK_MALFORMED},
        {"sig-b25=(\"date\";bs \"@authority\" "
         "\"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
         B25_SIGNED, TENTERHOOK_MALFORMED},
        {"sig-b25=(\"date\" \"@authority\" \"date\");created=1618884473", B25_SIGNED, TENTERHOOK_MALFORMED},
        {"sig-b25=(\"date\"\"@authority\");created=1618884473", B25_SIGNED, TENTERHOOK_MALFORMED},
        {"sig-b25=(\"content-type\");created=1618884473", B25_SIGNED, TENTERHOOK_MALFORMED}, /* too little */
        {"sig-b25=(\"date\" \"@authority\" \"x-none\");created=1618884473", B25_SIGNED,
         TENTERHOOK_MISSING_HEADER},
        {"", B25_SIGNED, TENTERHOOK_MALFORMED},
        {"a=(),b=(),c=(),d=(),e=(),f=(),g=(),h=()," B25, B25_SIGNED, TENTERHOOK_MALFORMED},
        {"a=(\"@method\");created=1, " B25, "a=:AAAA:, " B25_SIGNED, TENTERHOOK_OK}, /* somebody else's */
    };
    struct th_lib_verifier v = verifier(TENTERHOOK_HMAC_SHA256, SHARED, "\"date\" \"@authority\"");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tenterhook_report why;
        enum tenterhook_result result = judge(&v, cases[i].inputs, cases[i].signatures, URL, &why);

        if (result != cases[i].result)
            fail_msg("%s / %s: %s (%s)", cases[i].inputs, cases[i].signatures, tenterhook_name(result),
                     why.detail);
    }
#undef LIST
}

static void test_components(void **state)
{
    static const char *const bad[] = {
        "",
        "date",
        "\"Date\"",
        "\"@unknown\"",
        "\"date\"  \"host\"",
        "\"date\" ",
        "\"date\",\"host\"",
        "\"date\" \"date\"",
        "\"signature\"",
        "\"signature-input\"",
        "\"date\";bs",
        "\"\"",
        "\"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\" \"l\" \"m\""};
    struct th_span name[TH_MESSAGE_COMPONENTS];
    unsigned count;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!th_message_components(tenterhook_str(bad[i]), name, &count))
            fail_msg("taken: %s", bad[i]);
    assert_null(th_message_components(tenterhook_str("\"@method\" \"x-a_1\""), name, &count));
    assert_int_equal(count, 2);
}

static void test_derived(void **state)
{
    static const struct {
        const char *name, *url, *value;
    } cases[] = {
        {"@method", "", "POST"},
        {"@target-uri", "https://Example.com/a?b", "https://Example.com/a?b"},
        {"@authority", "https://Example.com:443/a", "example.com"},
        {"@authority", "http://example.com:443/", "example.com:443"},
        {"@authority", "http://[::1]:80/", "[::1]"},
        {"@scheme", "HTTPS://example.com/", "https"},
        {"@request-target", "https://example.com/a?b=1", "/a?b=1"},
        {"@path", "https://example.com/a%20b?c", "/a%20b"},
        {"@query", "https://example.com/a?", "?"},
        {"@query", "https://example.com/a", "?"},
        {"@query", "https://example.com/a?b=/?", "?b=/?"},
    };
    char room[TH_MESSAGE_ROOM];
    struct th_span value;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(th_message_derived(tenterhook_str(cases[i].name), tenterhook_str("POST"),
                                       tenterhook_str(cases[i].url), room, &value));
        if (!tenterhook_is(value, cases[i].value))
            fail_msg("%s of %s: %.*s", cases[i].name, cases[i].url, (int)value.n, value.p);
    }
    assert_false(th_message_derived(tenterhook_str("@path"), tenterhook_str("POST"), tenterhook_str("/a"),
                                    room, &value));
    assert_false(th_message_derived(tenterhook_str("@path"), tenterhook_str("POST"),
                                    tenterhook_str("https://a?b"), room, &value));
    assert_false(
        th_message_derived(tenterhook_str("@method"), tenterhook_str(""), tenterhook_str(URL), room, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_appendix),
                                       cmocka_unit_test(test_structured_fields),
                                       cmocka_unit_test(test_components), cmocka_unit_test(test_derived)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
