/* RFC 3339 in and out: known instants, every day of 400 years there and back, what must be refused. */
#include "base/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void formats(int64_t ms, enum th_rfc3339 form, const char *text)
{
    struct th_buf b;

    th_buf_init(&b, 64);
    th_wall_format(&b, (struct th_wall){ms}, form);
    assert_string_equal(th_buf_cstr(&b), text);
    th_buf_fini(&b);
}

static void known_instants(void **state)
{
    (void)state;
    formats(0, TH_RFC3339_SECONDS, "1970-01-01T00:00:00Z");
    formats(1999, TH_RFC3339_SECONDS, "1970-01-01T00:00:01Z"); /* cut, not rounded */
    formats(-1, TH_RFC3339_MILLIS, "1969-12-31T23:59:59.999Z");
    formats(-1000, TH_RFC3339_SECONDS, "1969-12-31T23:59:59Z");
    formats(1775116800123, TH_RFC3339_MILLIS, "2026-04-02T08:00:00.123Z");
    formats(951782400000, TH_RFC3339_SECONDS, "2000-02-29T00:00:00Z");
    formats(253402300799999, TH_RFC3339_MILLIS, "9999-12-31T23:59:59.999Z");
    formats(-62167219200000, TH_RFC3339_SECONDS, "0000-01-01T00:00:00Z");
    formats(INT64_MAX, TH_RFC3339_MILLIS,
            "9999-12-31T23:59:59.999Z"); /* outside: the nearest that can be said */
    formats(INT64_MIN, TH_RFC3339_MILLIS, "0000-01-01T00:00:00.000Z");
}

static void reads(const char *text, int64_t ms)
{
    struct th_wall t = {1};

    if (!th_wall_parse(th_str(text), &t))
        fail_msg("%s", text);
    assert_true(t.ms == ms);
}

static void parses(void **state)
{
    (void)state;
    reads("1970-01-01T00:00:00Z", 0);
    reads("1970-01-01t00:00:00z", 0);
    reads("1970-01-01T00:00:00.1Z", 100);
    reads("1970-01-01T00:00:00.1239999999999Z", 123);
    reads("1970-01-01T02:00:00+02:00", 0);
    reads("1969-12-31T18:30:00-05:30", 0);
    reads("1970-01-01T00:00:00-00:00", 0);
    reads("2016-12-31T23:59:60Z", 1483228799000); /* leap second: the second before */
    reads("2026-04-02T08:00:00.123Z", 1775116800123);
}

static void refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-1-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.5",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+01",
        "1970-01-01T00:00:00+",
        "+970-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    struct th_wall t = {42};
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (th_wall_parse(th_str(bad[i]), &t))
            fail_msg("accepted %s", bad[i]);
    assert_true(t.ms == 42);
}

static void every_day_of_400_years(void **state)
{
    (void)state;
    for (int64_t day = -146097 / 2; day <= 146097 / 2; day++) {
        struct th_wall t = {day * 86400000 + 86399999}, back;
        struct th_buf b;

        th_buf_init(&b, 64);
        th_wall_format(&b, t, TH_RFC3339_MILLIS);
        assert_true(th_wall_parse(th_buf_view(&b), &back));
        assert_true(back.ms == t.ms);
        th_buf_fini(&b);
    }
}

static void dates_of_http(void **state)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    char text[TH_HTTP_DATE_SIZE];
    (void)state;

    th_wall_http_date((struct th_wall){784111777999}, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110 section 5.6.7 */
    th_wall_http_date((struct th_wall){-1}, text);
    assert_string_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT");
    th_wall_http_date((struct th_wall){951782400000}, text);
    assert_string_equal(text, "Tue, 29 Feb 2000 00:00:00 GMT");
    th_wall_http_date((struct th_wall){INT64_MAX}, text);
    assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    for (int64_t day = -8; day < 15; day++) {
        th_wall_http_date((struct th_wall){day * 86400000}, text);
        assert_memory_equal(text, days[(day + 7 * 7) % 7], 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants),         cmocka_unit_test(parses),        cmocka_unit_test(refuses),
        cmocka_unit_test(every_day_of_400_years), cmocka_unit_test(dates_of_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
