/* International host names: what is converted to what, what is shown, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "net/idn.h"
#include <cmocka.h>

static void test_converted_and_shown(void **state)
{
    static const struct {
        const char *from, *to, *shown;
    } rows[] = {
        {"https://b\u00fccher.example/x?y=\u00fc#z", "https://xn--bcher-kva.example/x?y=\u00fc#z",
         "https://b\u00fccher.example/x?y=\u00fc#z"},
        {"https://B\u00dcCHER.Example:8443/", "https://xn--bcher-kva.example:8443/",
         "https://b\u00fccher.example:8443/"},
        {"https://bu\u0308cher.example/", "https://xn--bcher-kva.example/", "https://b\u00fccher.example/"},
        {"https://stra\u00dfe.example/", "https://xn--strae-oqa.example/", "https://stra\u00dfe.example/"},
        {"https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444/", "https://xn--e1afmkfd.xn--p1ai/",
         "https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444/"},
        {"https://\u4f8b\u3048web.example/", "https://xn--web-763b408n.example/",
         "https://\u4f8b\u3048web.example/"},
        {"https://\ud55c\uad6d.example/", "https://xn--3e0b707e.example/", "https://\ud55c\uad6d.example/"},
    };
    struct th_buf out, shown;
    const char *why;

    (void)state;
    th_buf_init(&out, 4096);
    th_buf_init(&shown, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(th_idn_url(th_str(rows[i].from), &out, &why));
        if (why || !th_span_is(th_buf_view(&out), rows[i].to))
            fail_msg("%s: %s (%s)", rows[i].from, th_buf_cstr(&out), why);
        assert_true(th_idn_show(th_buf_view(&out), &shown));
        assert_string_equal(th_buf_cstr(&shown), rows[i].shown);
        assert_false(th_idn_url(th_buf_view(&out), &shown, &why));
        assert_null(why);
    }
    th_buf_fini(&out);
    th_buf_fini(&shown);
}

static void test_refused(void **state)
{
    static const struct {
        const char *url, *part; /* of the reason */
    } rows[] = {
        {"https://ex\u0430mple.com/", "mixes scripts"},                  /* Cyrillic a */
        {"https://\u0430\u0440\u0440\u04cf\u0435.com/", "only letters"}, /* "apple" in Cyrillic */
        {"https://g\u03bf\u03bfgle.com/", "mixes scripts"},
        {"https://\uff11\uff12\uff17.0.0.1/", "stands for another"},
        {"https://127\u30020\u30020\u30021/", "stands for another"},
        {"https://\u24d4xample.com/", "stands for another"},
        {"https://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/", "stands for another"},
        {"https://loc\u00adalhost/", "stands for another"},
        {"https://lo\u200bcalhost/", "stands for another"},
        {"https://\u202eexample.com/", "cannot have"},
        {"https://-\u00fc.example/", "the host name"},
        {"https://\u2665.example/", "cannot have"},
    };
    struct th_buf out;
    const char *why;

    (void)state;
    th_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(th_idn_url(th_str(rows[i].url), &out, &why));
        if (!why || !strstr(why, rows[i].part))
            fail_msg("%s: %s", rows[i].url, why ? why : th_buf_cstr(&out));
    }
    th_buf_fini(&out);
}

static void test_left_alone(void **state)
{
    static const char *const urls[] = {
        "",
        "https://",
        "https://example.com/\u00fc",
        "https://u\u00fc@example.com/",
        "https://[::1]/",
        "nonsense",
        "https://xn--bcher-kva.example/",
    };
    struct th_buf out;
    const char *why;

    (void)state;
    th_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_false(th_idn_url(th_str(urls[i]), &out, &why));
        assert_null(why);
    }
    assert_false(th_idn_show(TH_LIT("https://example.com/xn--bcher-kva"), &out));
    assert_false(th_idn_show(TH_LIT("https://xn--zzzzzzzz9999.com/"), &out));
    th_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converted_and_shown),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
