/* JSON reader and writer: grammar with positions of errors, walking, strings, pointers, and a writer whose
 * output the reader must accept. */
#include "base/alloc.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct th_json parse(const char *text)
{
    struct th_json v = {0};
    struct th_json_error e = {0};

    if (th_json_parse(th_str(text), TH_JSON_DEPTH, &v, &e))
        fail_msg("%s: %s at %zu", text, e.what, e.offset);
    return v;
}

static void positions_of_errors(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
        unsigned line, column;
        const char *what;
    } rows[] = {
        {"", 0, 1, 1, "unexpected end"},
        {" \n ", 3, 2, 2, "unexpected end"},
        {"{\"a\":1", 6, 1, 7, "unexpected end"},
        {"{\"a\":1 \"b\":2}", 7, 1, 8, "expected ',' or '}'"},
        {"[1 2]", 3, 1, 4, "expected ',' or ']'"},
        {"[1}", 2, 1, 3, "expected ',' or ']'"},
        {"{\"a\":1]", 6, 1, 7, "expected ',' or '}'"},
        {"{\n  \"a\": 1,\n  b: 2}", 14, 3, 3, "expected '\"'"},
        {"{\"a\":1,}", 7, 1, 8, "expected '\"'"},
        {"{,}", 1, 1, 2, "expected '\"' or '}'"},
        {"[1,]", 3, 1, 4, "expected a value"},
        {"[,1]", 1, 1, 2, "expected a value"},
        {"{\"a\" 1}", 5, 1, 6, "expected ':'"},
        {"\"a\tb\"", 2, 1, 3, "control character in string"},
        {"\"\\x\"", 2, 1, 3, "unknown escape in string"},
        {"\"\\u12g4\"", 5, 1, 6, "expected four hexadecimal digits after '\\u'"},
        {"\"\\u12", 5, 1, 6, "unexpected end"},
        {"\"\xc0\xaf\"", 1, 1, 2, "string is not UTF-8"},
        {"\"ab\xff\"", 3, 1, 4, "string is not UTF-8"},
        {"01", 1, 1, 2, "number with a leading zero"},
        {"-", 1, 1, 2, "unexpected end"},
        {"-x", 1, 1, 2, "expected a digit"},
        {"+1", 0, 1, 1, "expected a value"},
        {"1.", 2, 1, 3, "unexpected end"},
        {"1.e5", 2, 1, 3, "expected a digit after '.'"},
        {"[1e]", 3, 1, 4, "expected a digit in the exponent"},
        {"nul", 3, 1, 4, "unexpected end"},
        {"nulx", 0, 1, 1, "expected a value"},
        {"1 2", 2, 1, 3, "unexpected text after the value"},
        {"\xef\xbb\xbf{}", 0, 1, 1, "byte order mark"},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\" x", 12, 1, 7, "unexpected text after the value"},
        {"'a'", 0, 1, 1, "expected a value"},
        {"NaN", 0, 1, 1, "expected a value"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].text);
        char *exact = malloc(n ? n : 1); /* so that a read past the end is seen */
        struct th_json v;
        struct th_json_error e;

        memcpy(exact, rows[i].text, n);
        assert_int_equal(th_json_parse(th_span(exact, n), TH_JSON_DEPTH, &v, NULL), TH_MALFORMED);
        assert_int_equal(th_json_parse(th_span(exact, n), TH_JSON_DEPTH, &v, &e), TH_MALFORMED);
        free(exact);
        if (e.offset != rows[i].offset || e.line != rows[i].line || e.column != rows[i].column ||
            strcmp(e.what, rows[i].what) != 0)
            fail_msg("%s: %s at %zu, line %u, column %u", rows[i].text, e.what, e.offset, e.line, e.column);
    }
    assert_int_equal(th_json_parse(th_span(NULL, 0), 1, &(struct th_json){0}, NULL), TH_MALFORMED);
    assert_int_equal(th_json_parse(th_span("\"a\0b\"", 5), 1, &(struct th_json){0}, NULL), TH_MALFORMED);
}

static void utf8(void **state)
{
    static const char *const good[] = {"\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",    "\xed\x9f\xbf",
                                       "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xe2\x28\xa1",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf0\x90\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff"};
    (void)state;

    for (size_t pad = 0; pad < 17; pad++) { /* at every place of an eight-byte word */
        char text[64];
        struct th_json v;

        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            int n =
                snprintf(text, sizeof text, "\"%.*s%saaaaaaaa\"", (int)pad, "bbbbbbbbbbbbbbbbbbbb", good[i]);
            assert_int_equal(th_json_parse(th_span(text, (size_t)n), 1, &v, NULL), TH_OK);
        }
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            int n =
                snprintf(text, sizeof text, "\"%.*s%saaaaaaaa\"", (int)pad, "bbbbbbbbbbbbbbbbbbbb", bad[i]);
            assert_int_equal(th_json_parse(th_span(text, (size_t)n), 1, &v, NULL), TH_MALFORMED);
        }
    }
}

/* Every byte at every offset of a string: the word-wise skip and the byte-wise rule must agree. */
static void every_byte_at_every_offset(void **state)
{
    (void)state;
    for (size_t at = 0; at < 24; at++)
        for (unsigned c = 0; c < 256; c++) {
            char text[32];
            struct th_json v;
            bool plain = c >= 0x20 && c < 0x80 && c != '\\';

            memset(text, 'a', sizeof text);
            text[0] = '"';
            text[25] = '"';
            text[at + 1] = (char)c;
            if (c == '"') { /* ends there: what follows is too much, but at the last place nothing follows */
                assert_int_equal(th_json_parse(th_span(text, at + 2), 1, &v, NULL), TH_OK);
                assert_int_equal(v.raw.n, at + 2);
                continue;
            }
            assert_int_equal(th_json_parse(th_span(text, 26), 1, &v, NULL), plain ? TH_OK : TH_MALFORMED);
        }
}

static void depth(void **state)
{
    char text[4000];
    struct th_json v;
    struct th_json_error e;
    (void)state;

    for (unsigned d = 1; d <= TH_JSON_DEPTH_MAX + 1; d += d < 130 ? 1 : 1 + (d % 70)) {
        memset(text, '[', d);
        memset(text + d, ']', d);
        assert_int_equal(th_json_parse(th_span(text, 2 * d), d, &v, NULL),
                         d <= TH_JSON_DEPTH_MAX ? TH_OK : TH_MALFORMED);
        assert_int_equal(th_json_parse(th_span(text, 2 * d), d - 1, &v, &e), TH_MALFORMED);
        assert_string_equal(e.what, "nested too deeply");
        assert_int_equal(e.offset, d <= TH_JSON_DEPTH_MAX ? d - 1 : TH_JSON_DEPTH_MAX);
    }
    assert_int_equal(th_json_parse(TH_LIT("1"), 0, &v, NULL), TH_OK);
}

static void walking(void **state)
{
    struct th_json
        v = parse(" { \"a\" : [ 1 , {\"x\":\"]}\\\"\"} , [] ] ,\"b\":{ } , \"c\" :-1.5e+3,\"d\":null\n} "),
        key, m;
    static const char *const names[] = {"a", "b", "c", "d"}, *const raws[] = {
                                                                 "[ 1 , {\"x\":\"]}\\\"\"} , [] ]", "{ }",
                                                                 "-1.5e+3", "null"};
    struct th_json_iter it;
    unsigned n = 0;
    (void)state;
    assert_int_equal(th_json_of((struct th_span){NULL, 0}).type, TH_JSON_NULL);

    assert_int_equal(v.type, TH_JSON_OBJECT);
    for (th_json_iter(&it, v); th_json_next(&it, &key, &m); n++) {
        assert_true(n < 4);
        assert_int_equal(key.type, TH_JSON_STRING);
        assert_true(th_json_string_eq(key, th_str(names[n])));
        assert_true(th_span_is(m.raw, raws[n]));
    }
    assert_int_equal(n, 4);
    assert_false(th_json_next(&it, &key, &m)); /* stays at its end */
    assert_true(th_json_member(v, TH_LIT("a"), &m));
    n = 0;
    for (th_json_iter(&it, m); th_json_next(&it, NULL, &key); n++)
        assert_int_equal(key.type, n == 0 ? TH_JSON_NUMBER : n == 1 ? TH_JSON_OBJECT : TH_JSON_ARRAY);
    assert_int_equal(n, 3);
    th_json_iter(&it, parse("\"text\""));
    assert_false(th_json_next(&it, &key, &m));
    th_json_iter(&it, parse("[ ]"));
    assert_false(th_json_next(&it, &key, &m));
    assert_false(th_json_member(parse("[1]"), TH_LIT("a"), &m));
    assert_true(th_json_member(parse("{\"a\":1,\"a\":2}"), TH_LIT("a"), &m)); /* the first */
    assert_true(th_span_is(m.raw, "1"));
}

static void text_is(const char *json, struct th_span want)
{
    struct th_json v = parse(json);
    struct th_buf b;

    th_buf_init(&b, 100);
    assert_true(th_json_string(v, &b));
    assert_true(th_span_eq(th_buf_view(&b), want));
    assert_true(th_json_string_eq(v, want));
    assert_false(th_json_string_eq(v, TH_LIT("something else that is long enough")));
    if (want.n)
        assert_false(th_json_string_eq(v, th_span(want.p, want.n - 1)));
    th_buf_fini(&b);
}

static void strings(void **state)
{
    struct th_buf b;
    (void)state;

    text_is("\"\"", TH_LIT(""));
    text_is("\"plain\"", TH_LIT("plain"));
    text_is("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", TH_LIT("\"\\/\b\f\n\r\t"));
    text_is("\"\\u0041\\u00e9\\u20AC\"", TH_LIT("A\xc3\xa9\xe2\x82\xac"));
    text_is("\"\\u0000\"", th_span("\0", 1));
    text_is("\"\\ud83d\\ude00!\"", TH_LIT("\xf0\x9f\x98\x80!"));
    text_is("\"\\ud800\"", TH_LIT("\xef\xbf\xbd")); /* lone halves */
    text_is("\"\\udc00x\"", TH_LIT("\xef\xbf\xbdx"));
    text_is("\"\\ud800\\ud800\\udc00\"", TH_LIT("\xef\xbf\xbd\xf0\x90\x80\x80"));
    text_is("\"\\ud800\\n\"", TH_LIT("\xef\xbf\xbd\n"));
    assert_false(th_json_string_eq(parse("\"\\n\""), TH_LIT("\\n"))); /* same raw bytes, other text */
    assert_false(th_json_string_eq(parse("12"), TH_LIT("12")));
    th_buf_init(&b, 3);
    assert_false(th_json_string(parse("12"), &b));
    assert_true(th_json_string(parse("\"long\""), &b));
    assert_int_equal(b.failed, TH_TOO_LARGE);
    th_buf_fini(&b);
}

static void scalars(void **state)
{
    int64_t i = 5;
    bool b = true;
    (void)state;

    assert_true(th_json_i64(parse("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(th_json_i64(parse("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(th_json_i64(parse("-0"), &i) && i == 0);
    assert_false(th_json_i64(parse("9223372036854775808"), &i));
    assert_false(th_json_i64(parse("-9223372036854775809"), &i));
    assert_false(th_json_i64(parse("1.0"), &i));
    assert_false(th_json_i64(parse("1e3"), &i));
    assert_false(th_json_i64(parse("\"1\""), &i));
    assert_true(th_json_bool(parse("false"), &b) && !b);
    assert_true(th_json_bool(parse("true"), &b) && b);
    assert_false(th_json_bool(parse("null"), &b));
}

/* The example of RFC 6901 section 5. */
static void pointers_in_words(void **state)
{
    static const char *const rows[][2] = {{"/type", "type"},       {"/events/0", "events[0]"},
                                          {"/3/type", "[3].type"}, {"/metadata/a~1b~0", "metadata.a/b~"},
                                          {"limit", "limit"},      {"", ""},
                                          {"/a//b", "a..b"}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct th_buf out;
        th_buf_init(&out, 100);
        th_json_pointer_words(&out, th_str(rows[i][0]));
        assert_string_equal(th_buf_cstr(&out), rows[i][1]);
        th_buf_fini(&out);
    }
}

static void pointers(void **state)
{
    struct th_json
        v = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
                  "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"0\":9}"),
        out;
    static const char *const rows[][2] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/foo/1", "\"baz\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/0", "9"},
    };
    static const char *const bad[] = {"foo",
                                      "/foo/2",
                                      "/foo/-",
                                      "/foo/01",
                                      "/foo/x",
                                      "/foo/",
                                      "/nope",
                                      "/m~n",
                                      "/m~2n",
                                      "/m~",
                                      "/foo/0/0",
                                      "//",
                                      "/foo/99999999999999999999"};
    (void)state;

    assert_true(th_json_pointer(v, TH_LIT(""), &out) && th_span_eq(out.raw, v.raw));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!th_json_pointer(v, th_str(rows[i][0]), &out) || !th_span_is(out.raw, rows[i][1]))
            fail_msg("%s", rows[i][0]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (th_json_pointer(v, th_str(bad[i]), &out))
            fail_msg("found %s", bad[i]);
}

static void writer(void **state)
{
    struct th_buf b;
    struct th_jw w;
    (void)state;

    th_buf_init(&b, 1000);
    w = th_jw(&b);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("a"));
    th_jw_array(&w);
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("b\n"));
    th_jw_array(&w);
    th_jw_i64(&w, INT64_MIN);
    th_jw_u64(&w, UINT64_MAX);
    th_jw_bool(&w, true);
    th_jw_null(&w);
    th_jw_object(&w);
    th_jw_end_object(&w);
    th_jw_raw(&w, TH_LIT("1.50"));
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("c"));
    th_jw_string(&w, th_span(NULL, 0));
    th_jw_end_object(&w);
    assert_string_equal(th_buf_cstr(&b),
                        "{\"a\":[],\"b\\n\":[-9223372036854775808,18446744073709551615,true,null,{},"
                        "1.50],\"c\":\"\"}");
    parse(th_buf_cstr(&b));
    th_buf_fini(&b);
}

/* What JSON.stringify writes for these strings. */
static void writer_escapes(void **state)
{
    struct th_buf b;
    struct th_jw w;
    (void)state;

    th_buf_init(&b, 1000);
    w = th_jw(&b);
    th_jw_string(&w, TH_LIT("\x01\x07\b\t\n\x0b\f\r\x1f \"/\\<>&'\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80"));
    assert_string_equal(th_buf_cstr(&b), "\"\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f \\\"/\\\\<>&'"
                                         "\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80\"");
    th_buf_reset(&b);
    w = th_jw(&b);
    th_jw_string(&w, th_span("\0", 1));
    assert_string_equal(th_buf_cstr(&b), "\"\\u0000\"");
    th_buf_reset(&b); /* ill-formed: one U+FFFD for each maximal subpart */
    w = th_jw(&b);
    th_jw_string(&w, TH_LIT("a\xf0\x90\x80z\xed\xa0\x80\xc3"));
    assert_string_equal(th_buf_cstr(&b),
                        "\"a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    th_buf_fini(&b);
}

static uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

/* Any bytes, written, read back: equal when they were UTF-8, and always valid JSON. Damaged JSON: never a
 * read past the end (the sanitizer watches), and an error inside the text. */
static void random_strings_and_damage(void **state)
{
    uint32_t s = 77;
    (void)state;

    for (unsigned round = 0; round < 4000; round++) {
        char bytes[48], *copy;
        size_t n = next_random(&s) % sizeof bytes;
        struct th_buf b, back;
        struct th_jw w;
        struct th_json v;
        struct th_json_error e;
        bool ascii = round % 2;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(next_random(&s) % (ascii ? 128 : 256));
        th_buf_init(&b, 1000);
        th_buf_init(&back, 1000);
        w = th_jw(&b);
        th_jw_array(&w);
        th_jw_string(&w, th_span(bytes, n));
        th_jw_end_array(&w);
        assert_int_equal(th_json_parse(th_buf_view(&b), 1, &v, NULL), TH_OK);
        assert_true(th_json_pointer(v, TH_LIT("/0"), &v));
        assert_true(th_json_string(v, &back));
        if (ascii)
            assert_true(th_span_eq(th_buf_view(&back), th_span(bytes, n)));
        assert_true(th_json_string_eq(v, th_buf_view(&back)));
        copy = malloc(b.n);
        memcpy(copy, b.p, b.n);
        copy[next_random(&s) % b.n] ^= (char)(1 << next_random(&s) % 8);
        n = 1 + next_random(&s) % b.n;
        if (th_json_parse(th_span(copy + b.n - n, n), 4, &v, &e) == TH_MALFORMED)
            assert_true(e.offset <= n && e.line >= 1 && e.column >= 1 && e.what);
        free(copy);
        th_buf_fini(&b);
        th_buf_fini(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_of_errors),
        cmocka_unit_test(utf8),
        cmocka_unit_test(every_byte_at_every_offset),
        cmocka_unit_test(depth),
        cmocka_unit_test(walking),
        cmocka_unit_test(strings),
        cmocka_unit_test(scalars),
        cmocka_unit_test(pointers),
        cmocka_unit_test(pointers_in_words),
        cmocka_unit_test(writer),
        cmocka_unit_test(writer_escapes),
        cmocka_unit_test(random_strings_and_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
