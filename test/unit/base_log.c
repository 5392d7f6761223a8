/* Log lines as they arrive at the other end of standard error. */
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char line[20000];
static int pipe_ends[2], real_stderr;

static void begin(void)
{
    assert_int_equal(pipe(pipe_ends), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
}

static struct th_span end(void)
{
    ssize_t n;
    size_t total = 0;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_ends[1]);
    while ((n = read(pipe_ends[0], line + total, sizeof line - 1 - total)) > 0)
        total += (size_t)n;
    close(pipe_ends[0]);
    line[total] = 0;
    return th_span(line, total);
}

static void logfmt(void **state)
{
    struct th_span s;
    struct th_wall t;
    (void)state;

    th_log_setup(TH_LOG_INFO, TH_LOG_LOGFMT);
    begin();
    th_log(TH_LOG_INFO, "listening now", TH_KC("address", "127.0.0.1:8080"), TH_KI("port", -8080),
           TH_KC("empty", NULL), TH_KC("q", "a=b \"c\"\\"),
           TH_KC("evil", "x\nlevel=error \x1b[2J\x7f\xc2\x9b\xff\xc3\xa9\xe2\x80\xae\xf3\xa0\x81\x81"));
    s = end();
    assert_memory_equal(s.p, "time=", 5);
    assert_int_equal(s.p[s.n - 1], '\n');
    assert_true(th_wall_parse(th_span(s.p + 5, 24), &t));
    assert_string_equal(s.p + 29,
                        " level=info msg=\"listening now\" address=127.0.0.1:8080 port=-8080 empty=\"\" "
                        "q=\"a=b \\\"c\\\"\\\\\" evil=\"x\\nlevel=error \\u001b[2J\\u007f\\u009b"
                        "\xef\xbf\xbd\xc3\xa9\\u202e\\udb40\\udc41\"\n");
}

static void json(void **state)
{
    struct th_json v, m;
    struct th_span s;
    int64_t i;
    (void)state;

    th_log_setup(TH_LOG_DEBUG, TH_LOG_JSON);
    begin();
    th_log(TH_LOG_DEBUG, "plain");
    s = end();
    assert_int_equal(th_json_parse(s, 1, &v, NULL), TH_OK);
    begin();
    th_log(TH_LOG_ERROR, "it broke", TH_KI("n", INT64_MIN), TH_KC("text", "\"\n\xff\x01"),
           TH_KS("none", TH_LIT("")));
    s = end();
    assert_int_equal(th_json_parse(s, 1, &v, NULL), TH_OK);
    assert_true(th_json_member(v, TH_LIT("level"), &m) && th_json_string_eq(m, TH_LIT("error")));
    assert_true(th_json_member(v, TH_LIT("msg"), &m) && th_json_string_eq(m, TH_LIT("it broke")));
    assert_true(th_json_member(v, TH_LIT("n"), &m) && th_json_i64(m, &i) && i == INT64_MIN);
    assert_true(th_json_member(v, TH_LIT("text"), &m) &&
                th_json_string_eq(m, TH_LIT("\"\n\xef\xbf\xbd\x01")));
    assert_true(th_json_member(v, TH_LIT("none"), &m) && th_json_string_eq(m, TH_LIT("")));
    assert_null(memchr(s.p, '\n', s.n - 1));
}

static void levels(void **state)
{
    (void)state;
    th_log_setup(TH_LOG_WARN, TH_LOG_JSON);
    begin();
    th_log(TH_LOG_INFO, "not shown");
    assert_int_equal(end().n, 0);
    th_log_setup(TH_LOG_INFO, TH_LOG_AUTO); /* a pipe is no terminal */
    begin();
    th_log_setup(TH_LOG_INFO, TH_LOG_AUTO);
    th_log(TH_LOG_INFO, "x");
    assert_int_equal(*end().p, '{');
}

/* Whatever the length, the line ends, is bounded, says that it was cut, and stays JSON. */
static void long_values_are_cut(void **state)
{
    static char text[9000];
    (void)state;

    for (unsigned form = 0; form < 2; form++)
        for (size_t n = 7800; n<8300; n += n> 8000 && n < 8200 ? 1 : 37) {
            struct th_span s;
            struct th_json v, m;
            bool cut;

            memset(text, 'a', n);
            for (size_t i = n % 5; i + 1 < n; i += 601)
                memcpy(text + i, form ? "\n\n" : "\xc3\xa9", 2);
            th_log_setup(TH_LOG_INFO, form ? TH_LOG_JSON : TH_LOG_LOGFMT);
            begin();
            th_log(TH_LOG_INFO, "m", TH_KS("text", th_span(text, n)), TH_KI("number", 7), TH_KC("more", "b"));
            s = end();
            assert_true(s.n <= 8192);
            assert_int_equal(s.p[s.n - 1], '\n');
            cut = strstr(s.p, form ? ",\"cut\":true}\n" : "\" cut=true\n") != NULL ||
                  strstr(s.p, " cut=true\n") != NULL;
            assert_true(cut == !strstr(s.p, form ? "\"more\":\"b\"}" : "more=b\n"));
            if (form) {
                assert_int_equal(th_json_parse(s, 1, &v, NULL), TH_OK);
                assert_true(th_json_member(v, TH_LIT("cut"), &m) == cut);
            }
        }
}

static void *many_lines(void *arg)
{
    for (int i = 0; i < 20; i++)
        th_log(TH_LOG_INFO, "from a thread", TH_KC("who", (const char *)arg), TH_KI("i", i));
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    pthread_t t[4];
    static char who[4][120];
    struct th_span s, rest;
    unsigned n = 0;
    (void)state;

    th_log_setup(TH_LOG_INFO, TH_LOG_JSON);
    begin();
    for (unsigned i = 0; i < 4; i++) {
        memset(who[i], (char)('a' + i), sizeof who[i] - 1);
        assert_int_equal(pthread_create(&t[i], NULL, many_lines, who[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    s = end();
    for (rest = s; rest.n; n++) {
        const char *nl = memchr(rest.p, '\n', rest.n);
        struct th_json v;
        assert_non_null(nl);
        assert_int_equal(th_json_parse(th_span(rest.p, (size_t)(nl - rest.p)), 1, &v, NULL), TH_OK);
        rest = th_span(nl + 1, rest.n - (size_t)(nl + 1 - rest.p));
    }
    assert_int_equal(n, 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),
        cmocka_unit_test(json),
        cmocka_unit_test(levels),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
