/* The head reader and the chunked decoder: what they accept, what they refuse with which status, and that the
 * way in which the input is cut changes nothing. The corpora run elsewhere, through sockets. */
#include "net/http1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct th_http1_head head;
static struct th_buf mended = {.max = 65536};

/* Feeds growing prefixes, each in memory of its exact size so that a sanitizer sees every read behind the
 * end. */
static enum th_http1_result grow(bool is_request, const char *text, size_t n, size_t step, char **kept,
                                 size_t *used, unsigned *status)
{
    size_t scanned = 0, have = 0;
    enum th_http1_result r = TH_HTTP1_MORE;
    const char *why;

    *kept = NULL;
    do {
        have = n - have < step ? n : have + step;
        free(*kept);
        *kept = malloc(have ? have : 1);
        assert_non_null(*kept);
        memcpy(*kept, text, have);
        why = NULL;
        r = is_request ? th_http1_request(*kept, have, &scanned, &head, used, status, &why)
                       : th_http1_answer(*kept, have, &scanned, &mended, &head, used, &why);
        assert_true((why != NULL) == (r == TH_HTTP1_BAD));
        assert_true(scanned <= have);
    } while (r == TH_HTTP1_MORE && have < n);
    return r;
}

static void expect_request(const char *text, enum th_http1_result want, unsigned want_status)
{
    static const size_t steps[] = {1, 2, 3, 7, 100000};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t used = 0;
        unsigned status = 0;
        char *kept;
        enum th_http1_result r = grow(true, text, strlen(text), steps[i], &kept, &used, &status);

        if (r != want || (r == TH_HTTP1_BAD && status != want_status))
            fail_msg("%s: result %d status %u, expected %d %u (step %zu)", text, r, status, want, want_status,
                     steps[i]);
        free(kept);
    }
}

static void test_request_parts(void **state)
{
    static const char text[] = "POST /v1/events?x=1 HTTP/1.1\r\nHost: api.example:8080\r\nX-Empty:\r\n"
                               "Content-Length: 007\r\nx-ows: \t a b\t \r\n\r\n{\"a\":1}GET";
    size_t used, scanned = 0;
    unsigned status;
    const char *why;

    (void)state;
    assert_int_equal(th_http1_request(text, sizeof text - 1, &scanned, &head, &used, &status, &why),
                     TH_HTTP1_DONE);
    assert_int_equal(used, sizeof text - 1 - 10);
    assert_true(th_span_is(head.method, "POST"));
    assert_true(th_span_is(head.target, "/v1/events?x=1"));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.field_count, 4);
    assert_int_equal(head.body, TH_HTTP1_LENGTH);
    assert_int_equal(head.length, 7);
    assert_true(head.keep_alive);
    assert_false(head.expect_continue);
    assert_true(th_span_is(th_http1_field(&head, "HOST")->value, "api.example:8080"));
    assert_true(th_span_is(th_http1_field(&head, "X-OWS")->value, "a b"));
    assert_int_equal(th_http1_field(&head, "x-empty")->value.n, 0);
    assert_null(th_http1_field(&head, "x"));
    assert_true(th_span_starts(head.field_lines, TH_LIT("Host: api")));
    assert_true(head.field_lines.p + head.field_lines.n == text + used - 2);
}

static void test_requests_accepted(void **state)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b:80/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTPS://[::1]?q HTTP/1.1\r\nHost: a\r\n\r\n",
        "M-SEARCH /%zz HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a%20b\r\nX: \x80\xff\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:\r\nContent-Length: 00000000000000000000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChunked \r\n\r\n",
        "POST / HTTP/1.0\r\nExpect: anything\r\nContent-Length: 1\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_request(texts[i], TH_HTTP1_DONE, 0);
}

static void test_requests_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"\n", 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"GET / HTTP/1.1\rHost: a\r\r", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET /\r\nHost: a\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/1.2\r\nHost: a\x01\r\n\r\n", 400},
        {"CONNECT b:443 HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip ,\tchunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\nContent-Length: 1\r\n\r\n", 417},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_request(rows[i].text, TH_HTTP1_BAD, rows[i].status);
}

static void test_nul_is_refused_at_once(void **state)
{
    size_t scanned = 0, used;
    unsigned status = 0;
    const char *why;

    (void)state;
    assert_int_equal(th_http1_request("G\0T", 3, &scanned, &head, &used, &status, &why), TH_HTTP1_BAD);
    assert_int_equal(status, 400);
}

static void test_prefixes_wait(void **state)
{
    static const char text[] = "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n";

    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        size_t scanned = 0, used;
        unsigned status;
        const char *why;

        assert_int_equal(th_http1_request(text, n, &scanned, &head, &used, &status, &why), TH_HTTP1_MORE);
    }
}

static void test_limits(void **state)
{
    size_t cap = TH_HTTP1_MAX_TARGET + 2000, n;
    char *text = malloc(cap);

    (void)state;
    assert_non_null(text);
    for (int fields = TH_HTTP1_MAX_FIELDS; fields <= TH_HTTP1_MAX_FIELDS + 1; fields++) {
        n = (size_t)snprintf(text, cap, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < fields; i++)
            n += (size_t)snprintf(text + n, cap - n, "X: y\r\n");
        (void)snprintf(text + n, cap - n, "\r\n");
        expect_request(text, fields == TH_HTTP1_MAX_FIELDS ? TH_HTTP1_DONE : TH_HTTP1_BAD, 431);
    }
    for (size_t length = TH_HTTP1_MAX_TARGET; length <= TH_HTTP1_MAX_TARGET + 1; length++) {
        size_t scanned = 0, used;
        unsigned status;
        const char *why;
        enum th_http1_result r;

        n = (size_t)snprintf(text, cap, "GET /");
        memset(text + n, 'a', length - 1);
        n += length - 1;
        n += (size_t)snprintf(text + n, cap - n, " HTTP/1.1\r\nHost: a\r\n\r\n");
        r = th_http1_request(text, n, &scanned, &head, &used, &status, &why);
        assert_int_equal(r, length == TH_HTTP1_MAX_TARGET ? TH_HTTP1_DONE : TH_HTTP1_BAD);
        assert_true(r == TH_HTTP1_DONE || status == 414);
    }
    free(text);
}

static void test_persistence(void **state)
{
    static const struct {
        const char *text;
        bool keep, cont;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: te , CLOSE\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false, false},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", true, true},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", true, false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_request(rows[i].text, TH_HTTP1_DONE, 0);
        assert_int_equal(head.keep_alive, rows[i].keep);
        assert_int_equal(head.expect_continue, rows[i].cont);
    }
}

static void test_answers(void **state)
{
    static const struct {
        const char *text;
        unsigned status; /* 0: refused */
        enum th_http1_body body;
        bool keep;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, true},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, TH_HTTP1_NO_BODY, true},
        {"HTTP/1.1 200 \r\n\r\n", 200, TH_HTTP1_UNTIL_CLOSE, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH,
         true},
        {"HTTP/1.1 503 \xc3\xa9\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", 503,
         TH_HTTP1_CHUNKED, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", 100, TH_HTTP1_NO_BODY, true},
        {"HTTP/1.1 204 X\r\n\r\n", 204, TH_HTTP1_NO_BODY, true},
        {"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", 204, TH_HTTP1_NO_BODY, false},
        {"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", 304, TH_HTTP1_NO_BODY, true},
        {"HTTP/1.1 200OK\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 20\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 600 X\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 099 X\r\n\r\n", 0, 0, false},
        {"HTTP/1.1  200 X\r\n\r\n", 0, 0, false},
        {"HTTP/1.10 200 X\r\n\r\n", 0, 0, false},
        {"HTTP/1.2 200 X\r\n\r\n", 0, 0, false},
        {"HTTP/2 200\r\n\r\n", 0, 0, false},
        {"ICY 200 OK\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 02\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 200, TH_HTTP1_CHUNKED,
         false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
         TH_HTTP1_CHUNKED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 200, TH_HTTP1_CHUNKED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 200,
         TH_HTTP1_CHUNKED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_UNTIL_CLOSE,
         false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 200, TH_HTTP1_UNTIL_CLOSE, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH,
         false},
        /* the form of lines */
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\n", 200, TH_HTTP1_LENGTH, false},
        {"\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nX: a\r\n\t\r\nContent-Length:\r\n 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", 200, TH_HTTP1_CHUNKED, false},
        {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nWarning\r\n b: c\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nIn line 3: x\r\nContent-Length: 2\r\n\r\n", 200, TH_HTTP1_LENGTH, false},
        {"HTTP/1.1 200 OK\r\nX: a\x01\r\nContent-Length : 2\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\n", 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\r\n\r\n", 0, 0, false},
        {" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0, 0, false},
        {"\n\n\n\n\n\n\n\n\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step < 100; step += 49) {
            size_t used = 0;
            unsigned ignored = 0;
            char *kept;
            enum th_http1_result r =
                grow(false, rows[i].text, strlen(rows[i].text), step, &kept, &used, &ignored);

            if ((r == TH_HTTP1_DONE) != (rows[i].status != 0))
                fail_msg("%s: result %d", rows[i].text, r);
            if (r == TH_HTTP1_DONE) {
                assert_int_equal(used, strlen(rows[i].text));
                assert_int_equal(head.status, rows[i].status);
                assert_int_equal(head.body, rows[i].body);
                assert_int_equal(head.keep_alive, rows[i].keep);
            }
            free(kept);
        }
}

/* What the log shows of a head with oddities: one line a field, folds as spaces, what is no field left out. */
static void test_mended_fields(void **state)
{
    static const char text[] =
        "\nHTTP/1.1 200 OK\n dropped: x\nCSP: default-src 'self';\r\n  img-src * \r\n\t\r\n"
        "PHP Warning: no field\r\n of these\r\nX-A :b\nEmpty:\n\nrest";
    size_t scanned = 0, used;
    const char *why;

    (void)state;
    assert_int_equal(th_http1_answer(text, sizeof text - 1, &scanned, &mended, &head, &used, &why),
                     TH_HTTP1_DONE);
    assert_int_equal(used, sizeof text - 1 - 4);
    assert_true(th_span_is(head.field_lines, "CSP: default-src 'self'; img-src *\r\nX-A: b\r\nEmpty: \r\n"));
    assert_int_equal(head.field_count, 3);
    assert_false(head.keep_alive);
    th_buf_fini(&mended);
}

static bool odd; /* what the decoder said last */

/* Decodes with pieces of `step` bytes; *out collects the payload. */
static enum th_http1_result decode(bool answer, const char *text, size_t n, size_t step, char *out,
                                   size_t *out_n, size_t *total)
{
    struct th_http1_chunked c;
    enum th_http1_result r = TH_HTTP1_MORE;
    size_t at = 0;

    th_http1_chunked_init(&c, answer);
    *out_n = 0;
    while (r == TH_HTTP1_MORE && at < n) {
        size_t piece = n - at < step ? n - at : step, used = 0;
        char *copy = malloc(piece);
        struct th_span data;
        const char *why;

        assert_non_null(copy);
        memcpy(copy, text + at, piece);
        r = th_http1_chunked(&c, copy, piece, &used, &data, &why);
        if (r != TH_HTTP1_BAD) {
            memcpy(out + *out_n, data.p, data.n);
            *out_n += data.n;
            assert_true(used > 0 && used <= piece);
            at += used;
        } else {
            assert_non_null(why);
        }
        free(copy);
    }
    *total = at;
    odd = c.odd;
    return r;
}

static void test_chunked(void **state)
{
    static const struct {
        const char *text, *payload; /* NULL: refused */
    } rows[] = {
        {"0\r\n\r\n", ""},
        {"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"},
        {"00a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
        {"A\r\n0123456789\r\n000\r\n\r\n", "0123456789"},
        {"1;a;b=c;d=\"e \\\" ;\r\t\"\r\nx\r\n0\r\n\r\n", NULL},
        {"1;a;b=c;d=\"e \\\" ;\"\r\nx\r\n0;z\r\n\r\n", "x"},
        {"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x"},
        {"", ""},
        {"\r\n", NULL},
        {"1 \r\nx\r\n0\r\n\r\n", NULL},
        {" 1\r\nx\r\n0\r\n\r\n", NULL},
        {"1;\r\nx\r\n0\r\n\r\n", NULL},
        {"1;a=\r\nx\r\n0\r\n\r\n", NULL},
        {"1;a=\"b\"c\r\nx\r\n0\r\n\r\n", NULL},
        {"0x1\r\nx\r\n0\r\n\r\n", NULL},
        {"-1\r\nx\r\n0\r\n\r\n", NULL},
        {"1\nx\r\n0\r\n\r\n", NULL},
        {"1\r\nxy\r\n0\r\n\r\n", NULL},
        {"1\r\nx\n0\r\n\r\n", NULL},
        {"8000000000000000\r\n", NULL},
        {"00000000000000001\r\n", NULL},
        {"0\r\nA b\r\n\r\n", NULL},
        {"0\r\n A: b\r\n\r\n", NULL},
        {"0\r\n: b\r\n\r\n", NULL},
        {"0\r\nA: b\n\r\n", NULL},
        {"0\r\n\r\r\n", NULL},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step < 40; step++) {
            size_t n = strlen(rows[i].text), out_n, total;
            enum th_http1_result r = decode(false, rows[i].text, n, step, out, &out_n, &total);

            if ((r == TH_HTTP1_BAD) != (rows[i].payload == NULL))
                fail_msg("%s: result %d (step %zu)", rows[i].text, r, step);
            if (rows[i].payload) {
                assert_true(th_span_is(th_span(out, out_n), rows[i].payload));
                assert_int_equal(r, n ? TH_HTTP1_DONE : TH_HTTP1_MORE);
                assert_int_equal(total, n);
            }
        }
}

static void test_chunked_of_answers(void **state)
{
    static const struct {
        const char *text, *payload; /* NULL: refused */
        bool odd;
    } rows[] = {
        {"5\r\nhello\r\n0\r\nA: b\r\n\r\n", "hello", false},
        {"1;a;b=c;d=\"e \\\" ;\"\r\nx\r\n0;z\r\n\r\n", "x", false},
        {"1 \r\nx\r\n0   \r\n\r\n", "x", true},
        {"1\nx\n0\n\n", "x", true},
        {"1\r\nx\n0\r\nA: b\n\r\n", "x", true},
        {"1 ; a = b\r\nx\r\n0\r\n\r\n", "x", true},
        {"1;\r\nx\r\n0\r\n\r\n", "x", true},
        {"1;a=\"b\"c\nx\r\n0\r\n\r\n", "x", true},
        {"0\r\nA b\r\n c\r\n: d\r\n\r\n", "", true},
        {"1;\x01\r\nx\r\n0\r\n\r\n", NULL, false},
        {"\r\n", NULL, false},
        {" 1\r\nx\r\n0\r\n\r\n", NULL, false},
        {"0x1\r\nx\r\n0\r\n\r\n", NULL, false},
        {"-1\r\nx\r\n0\r\n\r\n", NULL, false},
        {"1\r\nxy\r\n0\r\n\r\n", NULL, false},
        {"8000000000000000\r\n", NULL, false},
        {"00000000000000001\r\n", NULL, false},
        {"0\r\n\r\r\n", NULL, false},
        {"1\r\rx", NULL, false},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step < 40; step++) {
            size_t n = strlen(rows[i].text), out_n, total;
            enum th_http1_result r = decode(true, rows[i].text, n, step, out, &out_n, &total);

            if (r != (rows[i].payload ? TH_HTTP1_DONE : TH_HTTP1_BAD))
                fail_msg("%s: result %d (step %zu)", rows[i].text, r, step);
            if (rows[i].payload) {
                assert_true(th_span_is(th_span(out, out_n), rows[i].payload));
                assert_int_equal(total, n);
                assert_int_equal(odd, rows[i].odd);
            }
        }
}

static void test_chunked_stops_at_its_end(void **state)
{
    static const char text[] = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    char out[64];
    size_t out_n, total;

    (void)state;
    assert_int_equal(decode(false, text, sizeof text - 1, 1000, out, &out_n, &total), TH_HTTP1_DONE);
    assert_int_equal(total, 11);
}

static void test_chunked_is_bounded(void **state)
{
    static const char *const units[] = {"1;a\r\nx\r\n",
                                        "A: b\r\n"}; /* extensions, trailers: without an end */
    struct th_http1_chunked c;
    enum th_http1_result r = TH_HTTP1_MORE;
    struct th_span data;
    const char *why = NULL;
    size_t used, sent;

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        th_http1_chunked_init(&c, kind >= 2);
        if (kind % 2 == 1)
            assert_int_equal(th_http1_chunked(&c, "0\r\n", 3, &used, &data, &why), TH_HTTP1_MORE);
        for (sent = 0, r = TH_HTTP1_MORE; r == TH_HTTP1_MORE && sent < 1000000;
             sent += strlen(units[kind % 2]))
            for (size_t at = 0; r == TH_HTTP1_MORE && at < strlen(units[kind % 2]); at += used)
                r = th_http1_chunked(&c, units[kind % 2] + at, strlen(units[kind % 2]) - at, &used, &data,
                                     &why);
        assert_int_equal(r, TH_HTTP1_BAD);
        assert_true(sent < 200000);
    }
    th_http1_chunked_init(&c, false);
    assert_int_equal(th_http1_chunked(&c, "1;", 2, &used, &data, &why), TH_HTTP1_MORE);
    for (sent = 0, r = TH_HTTP1_MORE; r == TH_HTTP1_MORE && sent < 100000; sent++)
        r = th_http1_chunked(&c, "a", 1, &used, &data, &why);
    assert_int_equal(r, TH_HTTP1_BAD);
    assert_true(sent < 2000);
}

static void test_classes(void **state)
{
    (void)state;
    assert_true(th_http1_is_token(TH_LIT("X-a_1!")));
    assert_false(th_http1_is_token(TH_LIT("")));
    assert_false(th_http1_is_token(TH_LIT("a b")));
    assert_false(th_http1_is_token(TH_LIT("a\x80")));
    assert_true(th_http1_is_value(TH_LIT("a b\t\"\xff")));
    assert_false(th_http1_is_value(TH_LIT("a\rb")));
    assert_false(th_http1_is_value(TH_LIT("a\x7f")));
    assert_true(th_http1_is_host(TH_LIT("[::]")));
    assert_true(th_http1_is_host(TH_LIT("a.b:")));
    assert_false(th_http1_is_host(TH_LIT("[:]")));
    assert_false(th_http1_is_host(TH_LIT("[abc]")));
    assert_false(th_http1_is_host(TH_LIT("[")));
    assert_false(th_http1_is_host(TH_LIT("[::1]a")));
    assert_false(th_http1_is_host(TH_LIT(":80")));
    assert_false(th_http1_is_host(TH_LIT("a:8x")));
    assert_false(th_http1_is_host(TH_LIT("a@b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_parts),      cmocka_unit_test(test_requests_accepted),
        cmocka_unit_test(test_requests_refused),   cmocka_unit_test(test_nul_is_refused_at_once),
        cmocka_unit_test(test_prefixes_wait),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_persistence),        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_mended_fields),      cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_chunked_of_answers), cmocka_unit_test(test_chunked_stops_at_its_end),
        cmocka_unit_test(test_chunked_is_bounded), cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
