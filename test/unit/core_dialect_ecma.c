/* JSON as ECMAScript writes it: a table of the cases where it differs from what came in, and, where Node.js
 * is installed, random texts against the real JSON.stringify(JSON.parse(text)). */
#include "base/alloc.h"
#include "core/ecma.h"
#include "dialect_fixture.h"
#include <unistd.h>

struct heard {
    char text[256];
    unsigned count;
};

static void hear(void *ctx, struct th_span pointer)
{
    struct heard *h = ctx;
    size_t n = strlen(h->text);

    snprintf(h->text + n, sizeof h->text - n, "%s%.*s", h->count ? " " : "", (int)pointer.n, pointer.p);
    h->count++;
}

/* Parses, writes, and looks for what was left inexact only when the writer says that there is something. */
static enum th_error write_and_hear(struct th_span in, struct th_buf *out, struct heard *heard)
{
    struct th_json v;
    bool inexact;
    enum th_error error = th_json_parse(in, TH_JSON_DEPTH_MAX, &v, NULL);

    if (!error)
        error = th_ecma_write(v, out, &inexact);
    if (!error && inexact)
        error = th_ecma_inexact(th_buf_view(out), hear, heard);
    return error;
}

static void check(const char *in, const char *out, const char *warned)
{
    struct th_buf b;
    struct heard heard = {.count = 0};

    th_buf_init(&b, 1 << 22);
    assert_int_equal(write_and_hear(th_str(in), &b, &heard), TH_OK);
    if (!th_span_is(th_buf_view(&b), out))
        fail_msg("%s became %.*s, not %s", in, (int)b.n, b.p, out);
    if (strcmp(heard.text, warned) != 0 ||
        (*warned == 0 && heard.count)) /* the root's pointer is empty too */
        fail_msg("%s warned of \"%s\", not \"%s\"", in, heard.text, warned);
    th_buf_fini(&b);
}

static void test_numbers(void **state)
{
    static const char *const same[] = {"0",
                                       "1",
                                       "-1",
                                       "0.1",
                                       "100000000000000000000",
                                       "123456789012345680000",
                                       "9007199254740991",
                                       "9007199254740992",
                                       "0.30000000000000004",
                                       "0.000001",
                                       "1.5e-7",
                                       "1e-7",
                                       "1e+21",
                                       "1.2345e+22",
                                       "5e-324",
                                       "1.7976931348623157e+308",
                                       "2.2250738585072014e-308",
                                       "5.684341886080802e-14",
                                       "7.120236347223045e-307",
                                       "5.858190679279809e-244",
                                       "5.684341886080801e-14",
                                       "1e+23",
                                       "-123.456",
                                       "2.5",
                                       "4.35",
                                       "0.000001234",
                                       "9.5367431640625e-7",
                                       "1.2e+308",
                                       "2.225073858507201e-308",
                                       "1.1125369292536007e-308"};
    static const char *const changed[][2] = {
        {"1.0", "1"},
        {"-0", "0"},
        {"-0.0", "0"},
        {"0e99", "0"},
        {"0.00", "0"},
        {"1E2", "100"},
        {"1e+2", "100"},
        {"12e-1", "1.2"},
        {"1.50", "1.5"},
        {"1e20", "100000000000000000000"},
        {"1e21", "1e+21"},
        {"1000000000000000000000", "1e+21"},
        {"100000000000000000000000", "1e+23"},
        {"0.0000001", "1e-7"},
        {"0.00000150", "0.0000015"},
        {"-1E-10", "-1e-10"},
        {"123456789012345e10", "1.23456789012345e+24"},
        {"0.1e1", "1"},
        {"10.0e-1", "1"},
        {"0.30000000000000004000", "0.30000000000000004"},
    };
    /* What a double cannot hold as this decimal stays, and is reported. */
    static const char *const kept[] = {"9007199254740993",
                                       "12345678901234567890",
                                       "0.1000000000000000055511151231257827",
                                       "1e400",
                                       "-1e400",
                                       "1e-400",
                                       "4.9e-324",
                                       "0.10000000000000001",
                                       "100000000000000000001",
                                       "1e99999999999999999999",
                                       "3.14159265358979323846",
                                       "1.7976931348623159e308",
                                       "2e-324",
                                       "9007199254740992.5"};
    (void)state;

    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check(same[i], same[i], "");
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        check(changed[i][0], changed[i][1], "");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct heard heard = {.count = 0};
        struct th_buf b;
        th_buf_init(&b, 4096);
        assert_int_equal(write_and_hear(th_str(kept[i]), &b, &heard), TH_OK);
        if (!th_span_is(th_buf_view(&b), kept[i]) || heard.count != 1)
            fail_msg("%s became %.*s with %u warnings", kept[i], (int)b.n, b.p, heard.count);
        th_buf_fini(&b);
    }
}

static void test_strings(void **state)
{
    (void)state;
    check("\"caf\\u00e9 \\/ \\u0008\\u001F\\u007f \\ud83d\\ude80\"", "\"café / \\b\\u001f\x7f 🚀\"", "");
    check("\"\\u0000\\u000B\\t\\u0009\\n\\f\\r\"", "\"\\u0000\\u000b\\t\\t\\n\\f\\r\"", "");
    check("\"\\u0022\\u005C\\\"\\\\\"", "\"\\\"\\\\\\\"\\\\\"", "");
    check("\"\\uD800\"", "\"\\ud800\"", "");
    check("\"\\uDC00\\uD800\"", "\"\\udc00\\ud800\"", "");
    check("\"\\uD83Dx\\uDE80\"", "\"\\ud83dx\\ude80\"", "");
    check("\"\\uD83D\\uD83D\\uDE80\"", "\"\\ud83d🚀\"", "");
    check("\"\\uD83D\\n\"", "\"\\ud83d\\n\"", "");
    check("\"\\u2028\\u2029\\u00a0\"", "\"\xe2\x80\xa8\xe2\x80\xa9\xc2\xa0\"", "");
    check("\"\"", "\"\"", "");
    check("\"</script>\"", "\"</script>\"", "");
}

static void test_objects(void **state)
{
    (void)state;
    check(" { } ", "{}", "");
    check("[ ]", "[]", "");
    check("\t[ 1 , [ ] , { } ,\r\ntrue , false , null ] ", "[1,[],{},true,false,null]", "");
    check("{\"b\":1,\"10\":2,\"9\":3,\"a\":4}", "{\"9\":3,\"10\":2,\"b\":1,\"a\":4}", "");
    check("{\"x\":1,\"0\":2,\"00\":3,\"-1\":4,\"1.5\":5,\"1\":6}",
          "{\"0\":2,\"1\":6,\"x\":1,\"00\":3,\"-1\":4,\"1.5\":5}", "");
    check("{\"a\":0,\"4294967295\":1,\"4294967294\":2,\"99999999999\":3}",
          "{\"4294967294\":2,\"a\":0,\"4294967295\":1,\"99999999999\":3}", "");
    check("{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}", "");
    check("{\"b\":1,\"b\":2,\"b\":{\"c\":3}}", "{\"b\":{\"c\":3}}", "");
    check("{\"\\u0061\":1,\"b\":0,\"a\":2}", "{\"a\":2,\"b\":0}", "");
    check("{\"\\u0031\":1,\"0\":2}", "{\"0\":2,\"1\":1}", "");
    check("{\"\\ud800\":1,\"\\ufffd\":2}", "{\"\\ud800\":1,\"�\":2}", "");
    check("{\"__proto__\":{\"x\":1},\"a\":2}", "{\"__proto__\":{\"x\":1},\"a\":2}", "");
    check("{\"__proto__\":1,\"a\":2,\"__proto__\":3}", "{\"__proto__\":3,\"a\":2}", "");
    check("{\"constructor\":1,\"toString\":2,\"toJSON\":3}",
          "{\"constructor\":1,\"toString\":2,\"toJSON\":3}", "");
    check("{\"\":1}", "{\"\":1}", "");
    check("{\"a\":{\"2\":0,\"1\":{\"d\":1,\"c\":2,\"d\":3}}}", "{\"a\":{\"1\":{\"d\":3,\"c\":2},\"2\":0}}",
          "");
}

static void test_warnings(void **state)
{
    (void)state;
    check("{\"a/b\":{\"~\":[1,9007199254740993]},\"n\":1e400}",
          "{\"a/b\":{\"~\":[1,9007199254740993]},\"n\":1e400}", "/a~1b/~0/1 /n");
    check("{\"n\":9007199254740993,\"n\":1}", "{\"n\":1}",
          ""); /* the dropped one is not sent, so it is no concern */
    check("{\"caf\\u00e9\":1e400}", "{\"café\":1e400}", "/café");
}

/* Many members, so that the sorts run: names in falling order, indexes mixed in, each name twice. */
/* More members than are compared one by one, in their order and all different: nothing changes. */
static void test_members_in_order(void **state)
{
    struct th_buf in, out;
    (void)state;

    th_buf_init(&in, 1 << 22);
    th_buf_init(&out, 1 << 22);
    for (int n = 60; n < 70; n++) {
        th_buf_reset(&in);
        th_buf_reset(&out);
        th_buf_char(&in, '{');
        for (int i = 0; i < n; i++)
            th_buf_printf(&in, "%s\"k%d\":[%d]", i ? "," : "", n - i, i);
        th_buf_char(&in, '}');
        assert_int_equal(th_ecma_write(th_json_of(th_buf_view(&in)), &out, NULL), TH_OK);
        assert_true(th_span_eq(th_buf_view(&out), th_buf_view(&in)));
    }
    th_buf_fini(&in);
    th_buf_fini(&out);
}

static void test_many_members(void **state)
{
    struct th_buf in, want, out;
    (void)state;

    th_buf_init(&in, 1 << 22);
    th_buf_init(&want, 1 << 22);
    th_buf_init(&out, 1 << 22);
    th_buf_char(&in, '{');
    for (int i = 2999; i >= 0; i--)
        th_buf_printf(&in, "\"%d\":0,\"k%d\":0,", i, i);
    for (int i = 0; i < 3000; i++)
        th_buf_printf(&in, "\"k%d\":%d,\"%d\":%d,", i, i, i, i);
    in.p[in.n - 1] = '}';
    th_buf_char(&want, '{');
    for (int i = 0; i < 3000; i++)
        th_buf_printf(&want, "\"%d\":%d,", i, i);
    for (int i = 2999; i >= 0; i--)
        th_buf_printf(&want, "\"k%d\":%d,", i, i);
    want.p[want.n - 1] = '}';
    assert_int_equal(th_ecma_write(th_json_of(th_buf_view(&in)), &out, NULL), TH_OK);
    assert_true(th_span_eq(th_buf_view(&out), th_buf_view(&want)));
    th_buf_fini(&in);
    th_buf_fini(&want);
    th_buf_fini(&out);
}

static void test_depth_and_bad(void **state)
{
    static char deep[2 * 1024 + 1];
    struct th_buf out;
    (void)state;

    memset(deep, '[', 1024);
    memset(deep + 1024, ']', 1024);
    check(deep, deep, "");
    th_buf_init(&out, 100);
    assert_int_equal(th_ecma_write(th_json_of(th_str(deep)), &out, NULL), TH_TOO_LARGE);
    th_buf_fini(&out);
}

/* Bytes that were never validated, as a damaged disk gives them: nothing beyond their end is read (the sanitizer
 * looks at memory of exactly that size). Every prefix of a text, and each of its bytes changed. */
static void test_damaged(void **state)
{
    static const char text[] =
        "{\"a\\u00e9\\\\\":[1.50,{\"2\":\"\\ud83d\\ude80\",\"1\":tru}],\"a\":-0 , \"b\":{}}";
    static const char others[] = "\"\\u{}[],:0-e x";
    (void)state;

    for (size_t n = 1; n < sizeof text; n++)
        for (size_t k = 0; k < sizeof others; k++) {
            char *copy = malloc(n);
            struct th_buf out;
            struct th_json v, key, value;
            struct th_json_iter it;
            assert_non_null(copy);
            memcpy(copy, text, n);
            copy[n - 1] = others[k] ? others[k] : text[n - 1];
            v = th_json_of(th_span(copy, n));
            th_buf_init(&out, 4096);
            if (th_ecma_write(v, &out, NULL))
                th_buf_reset(&out);
            th_json_iter(&it, v);
            while (th_json_next(&it, &key, &value)) {
                th_json_string(key, &out);
                th_json_string(value, &out);
                th_json_string_eq(value, TH_LIT("a"));
            }
            th_json_pointer(v, TH_LIT("/a\u00e9\\/1/2"), &value);
            th_buf_fini(&out);
            free(copy);
        }
}

/* Each allocation fails once: an error, no leak (the sanitizer looks), never a wrong text. */
static void test_no_memory(void **state)
{
    const char *in = "{\"b\\u0000\":[1,{\"2\":0,\"1\":[[[]]]}],\"n\":1e400,\"z\":\"\\u00e9\"}";
    enum th_error error = TH_NOMEM;
    (void)state;

    for (unsigned n = 1; error != TH_OK; n++) {
        struct th_buf out;
        struct heard heard = {.count = 0};
        th_buf_init(&out, 4096);
        th_alloc_fail_after(n);
        error = write_and_hear(th_str(in), &out, &heard);
        th_alloc_fail_after(0);
        if (error == TH_OK)
            assert_true(th_span_is(th_buf_view(&out),
                                   "{\"b\\u0000\":[1,{\"1\":[[[]]],\"2\":0}],\"n\":1e400,\"z\":\"é\"}"));
        else
            assert_int_equal(error, TH_NOMEM);
        th_buf_fini(&out);
        assert_in_range(n, 1, 200);
    }
}

/* Written by Node.js: a random text and what ECMAScript makes of it, on two lines. The seed is fixed. */
static const char script[] =
    "let s=12345;const rnd=n=>{s=(Math.imul(s,1103515245)+12345)>>>0;return (s>>>8)%n};\n"
    "const f=new DataView(new ArrayBuffer(8));\n"
    "const ws=()=>['','',' ','\\t','  '][rnd(5)];\n"
    "const num=()=>{let x;do{const k=rnd(6);if(k<2)x=rnd(100000)-50000;else if(k==2)x=rnd(1e6)/1000;\n"
    "else if(k==3)x=(rnd(1<<24)*(1<<24)+rnd(1<<24))*Math.pow(10,rnd(20)-10);\n"
    "else{f.setUint32(0,(rnd(1<<16)<<16|rnd(1<<16))>>>0);f.setUint32(4,(rnd(1<<16)<<16|rnd(1<<16))>>>0);"
    "x=f.getFloat64(0)}}while(!isFinite(x));\n"
    "let t=String(x);if(rnd(4)==0){t=x.toExponential();if(rnd(2))t=t.replace('e+','E');}\n"
    "if(/^-?[0-9]+$/.test(t)&&rnd(4)==0)t+='.'+'0'.repeat(1+rnd(3));return t};\n"
    "const uni=()=>{const k=rnd(12);if(k<6)return String.fromCharCode(97+rnd(26));if(k==6)return "
    "'\\\\u'+rnd(65536).toString(16).padStart(4,'0');\n"
    "if(k==7)return ['\\\\n','\\\\/','\\\\\"','\\\\\\\\','\\\\b'][rnd(5)];if(k==8)return "
    "'é€🚀'.match(/./gu)[rnd(3)];"
    "if(k==9)return '\\\\ud83d\\\\ude80';if(k==10)return "
    "'\\\\uD'+(8+rnd(8)).toString(16)+rnd(256).toString(16)"
    ".padStart(2,'0');return String(rnd(10))};\n"
    "const str=()=>{let t='';for(let n=rnd(6);n;n--)t+=uni();return '\"'+t+'\"'};\n"
    "const "
    "key=()=>rnd(3)==0?'\"'+rnd(30)+'\"':rnd(8)==0?'\"__proto__\"':rnd(3)==0?'\"'+'abc'[rnd(3)]+'\"':str();\n"
    "const val=d=>{const k=rnd(d>0?9:5);if(k<2)return num();if(k==2)return str();if(k==3)return "
    "['true','false','null'][rnd(3)];if(k==4)return num();\n"
    "let t=[];for(let n=rnd(k==8?30:6);n;n--)t.push(k<7?val(d-1):ws()+key()+ws()+':'+ws()+val(d-1));\n"
    "return k<7?'['+ws()+t.join(ws()+','+ws())+ws()+']':'{'+t.join(ws()+',')+ws()+'}'};\n"
    "for(let i=0;i<6000;i++){const t=val(4);console.log(t);console.log(JSON.stringify(JSON.parse(t)));}\n";

static void test_against_node(void **state)
{
    char path[] = "/tmp/th_ecma_XXXXXX", command[64];
    char *in = NULL, *want = NULL;
    size_t in_cap = 0, want_cap = 0;
    ssize_t n;
    unsigned cases = 0;
    FILE *f;
    int fd;
    (void)state;

    if (system("node --version >/dev/null 2>&1") != 0) {
        print_message("skipped: no Node.js here\n");
        skip();
    }
    fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, script, sizeof script - 1) == (ssize_t)(sizeof script - 1));
    close(fd);
    snprintf(command, sizeof command, "node %s", path);
    f = popen(command, "r");
    assert_non_null(f);
    while ((n = getline(&in, &in_cap, f)) > 0) {
        ssize_t m = getline(&want, &want_cap, f);
        struct th_buf out;
        assert_true(m > 0);
        th_buf_init(&out, 1 << 22);
        assert_int_equal(th_ecma_write(th_json_of(th_span(in, (size_t)n - 1)), &out, NULL), TH_OK);
        if (!th_span_eq(th_buf_view(&out), th_span(want, (size_t)m - 1)))
            fail_msg("%s became\n%.*s, Node.js writes\n%s", in, (int)out.n, out.p, want);
        th_buf_fini(&out);
        cases++;
    }
    free(in);
    free(want);
    assert_int_equal(pclose(f), 0);
    unlink(path);
    assert_int_equal(cases, 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_strings),
        cmocka_unit_test(test_objects),          cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_members_in_order), cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_depth_and_bad),    cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_against_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
