/* What an answer repeats of a secret is hidden, in every form and wherever a cut falls; all else stays byte for byte. */
#include "base/enc.h"
#include "core/mask.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SEED 0x1234567890abcdefu

static struct th_mask *mask_of(const char *text)
{
    struct th_needles n;
    struct th_mask *m;

    th_needles_init(&n);
    th_needles_add(&n, th_str(text), TH_NEEDLE_MIN);
    assert_int_equal(th_mask_new(&n, SEED, &m), TH_OK);
    th_needles_fini(&n);
    return m;
}

static void expect_cut(struct th_mask *m, struct th_span text, bool cut, const char *want)
{
    struct th_buf out;

    th_buf_init(&out, text.n ? text.n : 1);
    th_mask_write(&m, 1, text, cut, &out);
    assert_int_equal(out.failed, TH_OK);
    if (!th_span_is(th_buf_view(&out), want))
        fail_msg("%.*s gives %.*s, not %s", (int)text.n, text.p, (int)out.n, out.p ? out.p : "", want);
    th_buf_fini(&out);
}

static void expect(struct th_mask *m, const char *text, const char *want)
{
    expect_cut(m, th_str(text), false, want);
}

static void test_plain(void **state)
{
    struct th_mask *m = mask_of(SECRET);
    char text[200], want[200];

    (void)state;
    expect(m, "", "");
    expect(m, "ok", "ok");
    expect(m, SECRET, "***");
    expect(m, SECRET SECRET, "***");
    expect(m, "a " SECRET " b " SECRET " c", "a *** b *** c");
    expect(m, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
    expect(m, "whsec_MfKQ9r8G", "whsec_MfKQ9r8G"); /* not cut: it is another text */
    for (int before = 0; before < 20; before++)    /* wherever it stands */
        for (int after = 0; after < 8; after++) {
            snprintf(text, sizeof text, "%.*s" SECRET "%.*s", before, "....................", after,
                     "........");
            snprintf(want, sizeof want, "%.*s***%.*s", before, "....................", after, "........");
            expect(m, text, want);
        }
    th_mask_free(m);
    m = mask_of("8 bytes!");
    for (int before = 0; before < 10; before++) {
        snprintf(text, sizeof text, "%.*s8 bytes!", before, "..........");
        snprintf(want, sizeof want, "%.*s***", before, "..........");
        expect(m, text, want);
    }
    th_mask_free(m);
    th_mask_free(NULL);
}

static void test_cut(void **state)
{
    struct th_mask *m = mask_of(SECRET);
    char text[200];

    (void)state;
    for (int before = 0; before < 30; before++)
        for (int kept = 4; kept <= (int)strlen(SECRET); kept++) {
            char want[200];

            snprintf(text, sizeof text, "%.*s%.*s", before, "..............................", kept, SECRET);
            snprintf(want, sizeof want, "%.*s***", before, "..............................");
            expect_cut(m, th_str(text), true, want);
        }
    expect_cut(m, th_str("a " SECRET " whs"), true, "a *** whs");
    expect_cut(m, th_str("nothing of it here at all"), true, "nothing of it here at all");
    th_mask_free(m);
    m = mask_of("a/secret+text=with&signs");
    expect_cut(m, th_str("x a\\/secret\\u002bte"), true, "x ***");
    expect_cut(m, th_str("x a\\/secret\\u00"), true, "x ***"); /* in the middle of an escape */
    expect_cut(m, th_str("x a%2Fsecret%2"), true, "x ***");
    th_mask_free(m);
}

static void test_escaped(void **state)
{
    struct th_mask *m = mask_of("a/secret+text=with&\"signs'<\xc3\xa9>");

    (void)state;
    expect(m, "[a/secret+text=with&\"signs'<\xc3\xa9>]", "[***]");
    expect(m, "{\"v\":\"a\\/secret\\u002btext\\u003Dwith&\\\"signs\\u0027\\u003c\\u00e9\\u003e\"}",
           "{\"v\":\"***\"}");
    expect(m, "?v=a%2Fsecret%2Btext%3Dwith%26%22signs%27%3C%C3%A9%3E&w", "?v=***&w");
    expect(m, "?v=a%2fsecret%2btext%3dwith%26%22signs%27%3c%c3%a9%3e&w", "?v=***&w");
    expect(m, "<p>a/secret+text=with&amp;&quot;signs&#39;&lt;\xc3\xa9&gt;</p>", "<p>***</p>");
    expect(m, "<p>a&#x2F;secret&#43;text=with&amp;&#34;signs&apos;&lt;&#233;&gt;</p>", "<p>***</p>");
    expect(m, "'a/secret+text=with&\"signs\\'<\\xc3\\xa9>'", "'***'"); /* as Python shows bytes */
    /* JSON within JSON */
    expect(m, "{\"v\":\"{\\\"v\\\":\\\"a\\\\/secret\\\\u002btext=with&\\\\\\\"signs'<\\\\u00e9>\\\"}\"}",
           "{\"v\":\"{\\\"v\\\":\\\"***\\\"}\"}");
    /* what is no escape stays, whatever it looks like */
    expect(m, "100% \\q &amp &#; &#xg; %zz \\u12 \\", "100% \\q &amp &#; &#xg; %zz \\u12 \\");
    th_mask_free(m);
}

static void test_forms(void **state)
{
    static const uint8_t key[] = {0xfb, 0xef, 0xbe, 0x3e, 0xff, 0x3f, 1,  2,  3, 4,
                                  5,    6,    7,    8,    9,    10,   11, 12, 13};
    struct th_needles n;
    struct th_mask *m;

    (void)state;
    th_needles_init(&n);
    th_needles_bytes(&n, key, sizeof key);
    th_needles_header(&n, TH_LIT("Bearer 0123456789ab"));
    th_needles_header(&n, TH_LIT("Basic dXNlcjpwYXNzd29yZC1wYXNzd29yZA=="));
    th_needles_header(&n, TH_LIT("short"));
    th_needles_target(&n, TH_LIT("/services/T0000/abcdefghijklmnop?token=0123%2F456789abc&b=1"));
    assert_int_equal(th_mask_new(&n, SEED, &m), TH_OK);
    th_needles_fini(&n);
    expect(m, "++++Pv8/AQIDBAUGBwgJCgsMDQ==", "***==");
    expect(m, "----Pv8_AQIDBAUGBwgJCgsMDQ", "***");
    expect(m, "fbefbe3eff3f0102030405060708090a0b0c0d", "***");
    expect(m, "FBEFBE3EFF3F0102030405060708090A0B0C0D", "***");
    expect(m, "Bearer 0123456789ab", "***");
    expect(m, "token 0123456789ab", "token ***");
    expect(m, "user:password-password", "***");
    expect(m, "pw=password-password", "pw=***");
    expect(m, "short", "short");
    expect(m, "/services/T0000/abcdefghijklmnop?token=0123%2F456789abc&b=1", "***");
    expect(m, "abcdefghijklmnop", "***");
    expect(m, "0123/456789abc", "***");
    expect(m, "services T0000", "services T0000");
    th_mask_free(m);
    th_needles_init(&n);
    th_needles_add(&n, TH_LIT("seven77"), 0);
    assert_int_equal(th_mask_new(&n, SEED, &m), TH_OK);
    assert_null(m);
    th_needles_fini(&n);
}

/* More texts than one filter word, and texts that share their beginnings. */
static void test_many(void **state)
{
    struct th_needles n;
    struct th_mask *m;
    char text[64];

    (void)state;
    th_needles_init(&n);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "common beginning %d", i);
        th_needles_add(&n, th_str(text), 8);
    }
    assert_int_equal(n.count, TH_NEEDLES_MAX);
    assert_int_equal(th_mask_new(&n, SEED, &m), TH_OK);
    th_needles_fini(&n);
    expect(m, "-common beginning 200-", "-***-");
    expect(m, "-common beginning-", "-common beginning-");
    th_mask_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_cut),  cmocka_unit_test(test_escaped),
        cmocka_unit_test(test_forms), cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
