/* The small readers (YAML, JSON, numbers, times), and schemes out of dialect files: the built-in ones are the
 * files, and what a receiver could misunderstand is refused with its line. */
#include "lib/dialect_keys.h"
#include "lib_fixture.h"

/* ---- YAML ---- */

struct seen {
    char text[2048];
};

static bool note(struct th_yaml *y, const struct th_span *scalar)
{
    struct seen *s = y->ctx;
    size_t n = strlen(s->text);

    for (unsigned i = 0; i < y->depth; i++)
        n += (size_t)(y->frame[i].list ? snprintf(s->text + n, sizeof s->text - n, "[%u]", y->frame[i].index)
                                       : snprintf(s->text + n, sizeof s->text - n, "/%.*s",
                                                  (int)y->frame[i].key.n, y->frame[i].key.p));
    if (scalar)
        snprintf(s->text + n, sizeof s->text - n, "=%.*s;", (int)scalar->n, scalar->p);
    else
        snprintf(s->text + n, sizeof s->text - n, " end;");
    return true;
}

static void walks(const char *text, const char *want)
{
    struct seen s = {""};
    struct th_yaml y;

    if (!th_yaml_walk(&y, tenterhook_str(text), note, NULL, &s))
        fail_msg("line %u: %s\n%s", y.line, y.fault, text);
    assert_string_equal(s.text, want);
}

static void fails(const char *text, unsigned line)
{
    struct seen s = {""};
    struct th_yaml y;

    if (th_yaml_walk(&y, tenterhook_str(text), note, NULL, &s))
        fail_msg("accepted: %s\n%s", text, s.text);
    assert_int_equal(y.line, line);
    assert_non_null(y.fault);
}

static void test_yaml(void **state)
{
    (void)state;
    walks("", "");
    walks("# nothing\n\n   \n  # more", "");
    walks("a: 1", "/a=1;/a end;");
    walks("---\na: 1\n", "/a=1;/a end;");
    walks("\xef\xbb\xbf"
          "a: 1\nb: 2",
          "/a=1;/b=2;/b end;");
    walks("\xef\xbb\xbf- 1", "[0]=1;[0] end;");
    walks("a: b c  # d\nb: 'x # y'\nc: \"p\\\"q\"", "/a=b c;/b=x # y;/c=p\\\"q;/c end;");
    walks("a: #c\n  b: x#y\nc:\nd: e", "/a/b=x#y;/a/b end;/c=;/d=e;/d end;");
    walks("a:\n  - 1\n  - 2\nb: 3", "/a[0]=1;/a[1]=2;/a[1] end;/b=3;/b end;");
    walks("a:\n- x: 1\n  y: 2\n-\n  x: 3\nb: 4",
          "/a[0]/x=1;/a[0]/y=2;/a[0]/y end;/a[1]/x=3;/a[1]/x end;/a[1] end;/b=4;/b end;");
    walks("- - 1\n  - 2\n- 3", "[0][0]=1;[0][1]=2;[0][1] end;[1]=3;[1] end;");
    walks("- a: {b: c, \"d\": [e, 'f']}\n  g: []",
          "[0]/a/b=c;[0]/a/d[0]=e;[0]/a/d[1]=f;[0]/a/d[1] end;[0]/a/d end;[0]/g[0] "
          "end;[0]/g end;[0] end;");
    walks("a: [1, # one\n  2,\n]\nb: {\n  c: 3 }", "/a[0]=1;/a[1]=2;/a[2] end;/b/c=3;/b/c end;/b end;");
    walks("{\"a\":{\"b\":[1,\"x\"]},c: , d:}", "/a/b[0]=1;/a/b[1]=x;/a/b[1] end;/a/b end;/c=;/d=;/d end;");
    walks("--- [1]", "[0]=1;[0] end;");
    walks("a:\n  b c\nd:\n  {e: f}\n", "/a=b c;/d/e=f;/d/e end;/d end;");
    walks("a: http://x/y\nb: '{\"k\":1}' # c\r\nc: a:b", "/a=http://x/y;/b={\"k\":1};/c=a:b;/c end;");
}

static void test_yaml_refused(void **state)
{
    (void)state;
    fails("a", 1);
    fails("? a: 1", 1);
    fails("a: 1\n b: 2", 2);
    fails("a:\n  b: 1\n c: 2", 3);
    fails("a: 1\n- b", 2);
    fails("\xef\xbb", 1);
    fails("a: 1\n\xef\xbb\xbf", 2);
    fails("- a\nb: 1", 2);
    fails("a: |\n  text", 1);
    fails("a: >-\n  text", 1);
    fails("a: &x 1", 1);
    fails("a: *x", 1);
    fails("a: !t 1", 1);
    fails("%YAML 1.2\n---\na: 1", 1);
    fails("a: 1\n---\nb: 2", 2);
    fails("a: 'x", 1);
    fails("a: \"x\ny\"", 1);
    fails("a: 'x' y", 1);
    fails("a: [1, 2", 1);
    fails("a: [1 2}", 1);
    fails("a: {b 1}", 1);
    fails("a: {b: 1,, c: 2}", 1);
    fails("a: [1]]", 1);
    fails("a:\n\tb: 1", 2);
    fails("a: 1\n  second line", 2);
    fails("a: \x01", 1);
    fails("[a, b]: c", 1);
    fails("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1);
    fails("\"a\\n\": 1", 1);
    fails("--- a: 1", 1);
    fails("a: 1\n# x\rb: 2\n", 2); /* hidden here, and a line for others */
    fails("a: 1\n...\n", 2);
}

/* ---- JSON, numbers, times ---- */

static bool is_json(const char *text)
{
    struct th_json v;

    return th_lib_json(tenterhook_str(text), &v);
}

static void test_json(void **state)
{
    static const char *const others[] = {"{\"\\u0069\":1}",        "{\"\\u0069dd\":1}",  "{\"id\\u0000\":1}",
                                         "{\"i\\\\u0064\":1}",     "{\"\\ud800\":1}",    "{\"id\\ud800\":1}",
                                         "{\"\\u0069\\u0044\":1}", "{\"\\u0069\\n\":1}", "{\"\":1}"};
    static const char *const good[] = {"{}",      " [ ] ",          "1",
                                       "-0.5e+7", "\"\\u00e9\\n\"", "{\"a\":[1,{\"b\":null}],\"c\":true}",
                                       "false",   "\"\xc3\xa9\""};
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[,1]",
                                      "01",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "nul",
                                      "\"\\x\"",
                                      "\"\t\"",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "1 2",
                                      "{} x",
                                      "{a:1}",
                                      "'a'",
                                      "[1 2]",
                                      "\"\\u12g4\"",
                                      "-",
                                      "1e"};
    char deep[600];
    span v;
    char out[16];
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_json(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_json(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    memset(deep, '[', 300);
    memset(deep + 256, ']', 256);
    deep[512] = 0;
    assert_true(is_json(deep));
    memset(deep, '[', 300);
    memset(deep + 257, ']', 257);
    deep[514] = 0;
    assert_false(is_json(deep));
    assert_true(tenterhook_member(tenterhook_str("{\"a\":1,\"b\":{\"a\":2},\"a\":[3]}"), "a", &v));
    assert_true(tenterhook_is(v, "[3]")); /* the last, as JSON.parse has it */
    assert_false(tenterhook_member(tenterhook_str("{\"b\":{\"a\":2}}"), "a", &v));
    assert_false(tenterhook_member(tenterhook_str("[\"a\",1]"), "a", &v));
    assert_false(tenterhook_member(tenterhook_str("{\"a\" 1}"), "a", &v));
    assert_true(tenterhook_member(tenterhook_str("{\"\\uc81c\\ubaa9\":1}"), "\xec\xa0\x9c\xeb\xaa\xa9", &v));
    assert_true(
        tenterhook_member(tenterhook_str("{\"\xec\xa0\x9c\\ubaa9\":1}"), "\xec\xa0\x9c\xeb\xaa\xa9", &v));
    assert_true(tenterhook_member(tenterhook_str("{\"a\\/\\ud83d\\ude00\":1}"), "a/\xf0\x9f\x98\x80", &v));
    assert_true(tenterhook_member(tenterhook_str("{\"id\":1,\"\\u0069d\":2}"), "id", &v));
    assert_true(tenterhook_is(v, "2"));
    assert_true(tenterhook_member(tenterhook_str("{\"\":3}"), "", &v));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (tenterhook_member(tenterhook_str(others[i]), "id", &v))
            fail_msg("taken for id: %s", others[i]);
    assert_true(tenterhook_string(tenterhook_str("\"a\\/\\u00e9\\ud83d\\ude00\\t\""), out, sizeof out, &n));
    assert_string_equal(out, "a/\xc3\xa9\xf0\x9f\x98\x80\t");
    assert_int_equal(n, 9);
    assert_true(tenterhook_string(tenterhook_str("\"123456789012345\""), out, sizeof out, &n));
    assert_false(tenterhook_string(tenterhook_str("\"1234567890123456\""), out, sizeof out, &n));
    assert_false(tenterhook_string(tenterhook_str("\"\\ud83d\""), out, sizeof out, &n));
    assert_false(tenterhook_string(tenterhook_str("\"\\ude00\\ud83d\""), out, sizeof out, &n));
    assert_false(tenterhook_string(tenterhook_str("7"), out, sizeof out, &n));
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2000-02-29T23:59:59Z", 951868799},
                {"2025-10-14T10:30:00Z", 1760437800},
                {"2016-12-31T23:59:60Z", 1483228799}, /* a leap second, as the server reads it */
                {"2025-10-14T12:30:00.123456+02:00", 1760437800},
                {"9999-12-31T23:59:59Z", INT64_C(253402300799)}};
    static const char *const bad[] = {"2025-10-14",
                                      "2025-13-01T00:00:00Z",
                                      "2025-02-29T00:00:00Z",
                                      "2025-10-14 10:30:00Z",
                                      "2025-10-14T24:00:00Z",
                                      "2025-10-14T10:30:00",
                                      "2025-10-14T10:30:00.Z",
                                      "2025-10-14T10:30:00+2:00",
                                      "1969-12-31T23:59:59Z",
                                      "9999-12-31T23:59:59-00:01"};
    int64_t v;
    char out[33];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(th_lib_rfc3339(tenterhook_str(good[i].text), &v));
        assert_int_equal(v, good[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (th_lib_rfc3339(tenterhook_str(bad[i]), &v))
            fail_msg("accepted: %s", bad[i]);
    for (int64_t t = 0; t < INT64_C(253402300799); t += INT64_C(86399 * 37)) { /* there and back */
        out[th_lib_stamp(TENTERHOOK_RFC3339, t, out)] = 0;
        assert_true(th_lib_rfc3339(tenterhook_str(out), &v));
        assert_int_equal(v, t);
    }
    assert_int_equal(th_lib_stamp(TENTERHOOK_UNIX, -1, out), 0);
    out[th_lib_stamp(TENTERHOOK_UNIX_MILLIS, 17, out)] = 0;
    assert_string_equal(out, "17000");
    assert_false(th_lib_decimal(tenterhook_str("1234567890123456"), &v));
    assert_false(th_lib_decimal(tenterhook_str("00"), &v));
    assert_true(th_lib_decimal(tenterhook_str("0"), &v) && v == 0);
}

/* ---- dialect files ---- */

/* Each key of the shared list is known here, in its group; any other is refused. */
static void takes(const char *before, const char *key, bool known)
{
    const char *rest = "signatures:\n  - {header: S, algorithm: hmac-sha256, key: utf8, content: \"{body}\", "
                       "encoding: hex}\n";
    struct tenterhook_scheme scheme;
    struct tenterhook_fault fault = {0, ""};
    enum tenterhook_result result;
    char text[600];

    snprintf(text, sizeof text, "%s%s: unix\n%s", before, key, strncmp(before, "sig", 3) ? rest : "");
    result = tenterhook_scheme_read(text, strlen(text), &scheme, &fault);
    if (known ? result != TENTERHOOK_OK : !fault.what || strcmp(fault.what, "unknown key") != 0)
        fail_msg("%s: %s\n%s", key, fault.what ? fault.what : "", text);
}

static void test_shared_keys(void **state)
{
    const char *const request = "request:\n  ", *const header = "request:\n  headers:\n  - ",
                      *const entry =
                          "signatures:\n  - header: S\n    algorithm: hmac-sha256\n    key: utf8\n    "
                          "content: \"{body}\"\n    encoding: hex\n    ",
                      *const variant =
                          "signatures:\n  - header: S\n    algorithm: hmac-sha256\n    key: utf8\n    "
                          "content: \"{body}\"\n    encoding: hex\n    variants:\n      bare:\n        ";

    (void)state;
#define SENDERS(where, key, whose)                                                                           \
    if (strcmp(#whose, "SENDER") == 0)                                                                       \
    takes(where, #key, true)
#define OF_REQUEST(key, whose) SENDERS(request, key, whose);
#define OF_HEADER(key, whose) SENDERS(header, key, whose);
#define OF_ENTRY(key, whose) SENDERS(entry, key, whose);
#define OF_VARIANT(key, whose) SENDERS(variant, key, whose);
    TH_KEYS_OF_REQUEST(OF_REQUEST)
    TH_KEYS_OF_HEADER(OF_HEADER)
    TH_KEYS_OF_SIGNATURE(OF_ENTRY)
    TH_KEYS_OF_VARIANT(OF_VARIANT)
    takes(request, "methods", false);
    takes(header, "names", false);
    takes(entry, "wen", false);
    takes(variant, "secret_from", false);
    takes(request, "timestamp", true);
}

static void same(const char *what, span a, span b)
{
    if (!th_span_eq(a, b))
        fail_msg("%s: \"%.*s\" is not \"%.*s\"", what, (int)a.n, a.p, (int)b.n, b.p);
}

static void same_path(const char *what, const struct tenterhook_path *a, const struct tenterhook_path *b)
{
    assert_int_equal(a->depth, b->depth);
    for (unsigned i = 0; i < a->depth; i++)
        same(what, a->name[i], b->name[i]);
}

/* Each type of the file's catalogue has the same resource type in both. */
static unsigned same_resources(const struct tenterhook_scheme *a, const struct tenterhook_scheme *b)
{
    unsigned count = 0;

    for (size_t at = 0; at + 6 < b->catalogue.n; at++) {
        span type = th_span(b->catalogue.p + at + 6, 0);

        if (memcmp(b->catalogue.p + at, "type: ", 6) != 0)
            continue;
        while (type.p + type.n < b->catalogue.p + b->catalogue.n && !strchr(", }\n", type.p[type.n]))
            type.n++;
        same("resource", th_lib_resource(a->catalogue, type), th_lib_resource(b->catalogue, type));
        count += th_lib_resource(a->catalogue, type).n > 0;
    }
    same("resource by prefix", th_lib_resource(a->catalogue, tenterhook_str("note_document.x")),
         th_lib_resource(b->catalogue, tenterhook_str("note_document.x")));
    return count;
}

/* What the build cut out of a file changes nothing for a receiver. */
static void test_built_in(void **state)
{
    unsigned count = 0, resources = 0;

    (void)state;
    for (const char *name; (name = tenterhook_dialect_at(count)); count++) {
        char path[128];
        struct tenterhook_scheme a, b;
        struct tenterhook_fault fault = {0, ""};
        span file;

        snprintf(path, sizeof path, "dialects/%s.yaml", name);
        file = tree_file(path);
        assert_non_null(file.p);
        if (tenterhook_scheme_read(file.p, file.n, &b, &fault))
            fail_msg("%s:%u: %s", path, fault.line, fault.what);
        if (tenterhook_scheme_find(name, &a))
            fail_msg("%s: the built-in text cannot be read", name);
        same(name, a.auth_header, b.auth_header);
        same(name, a.auth_value, b.auth_value);
        assert_int_equal(a.signature_count, b.signature_count);
        for (unsigned i = 0; i < a.signature_count; i++) {
            const struct tenterhook_signature *x = &a.signature[i], *y = &b.signature[i];
            assert_int_equal(x->algorithm, y->algorithm);
            assert_int_equal(x->key, y->key);
            assert_int_equal(x->encoding, y->encoding);
            assert_int_equal(x->stamp, y->stamp);
            same(name, x->header, y->header);
            same(name, x->content, y->content);
            same(name, x->item, y->item);
            same(name, x->join, y->join);
            same(name, x->wrap, y->wrap);
        }
        assert_int_equal(a.source_count, b.source_count);
        for (unsigned i = 0; i < a.source_count; i++) {
            same(name, a.source[i].header, b.source[i].header);
            same(name, a.source[i].variable, b.source[i].variable);
        }
        same_path(name, &a.id, &b.id);
        same_path(name, &a.type, &b.type);
        same_path(name, &a.time, &b.time);
        same_path(name, &a.resource_type, &b.resource_type);
        same_path(name, &a.resource_id, &b.resource_id);
        same_path(name, &a.endpoint_id, &b.endpoint_id);
        same_path(name, &a.delivery_id, &b.delivery_id);
        same_path(name, &a.data, &b.data);
        assert_int_equal(a.time_form, b.time_form);
        same(name, a.schema_version, b.schema_version);
        resources += same_resources(&a, &b);
        drop(file);
    }
    assert_true(count >= 5);
    assert_true(resources >= 27);
    assert_null(tenterhook_dialect_at(count));
    assert_null(tenterhook_dialect_at(count + 5));
    print_message("%u dialects\n", count);
}

/* tsanet's type and time are learnt from its samples; github is checked by its stronger header. */
static void test_learnt(void **state)
{
    struct tenterhook_scheme s;

    (void)state;
    assert_int_equal(tenterhook_scheme_find("tsanet", &s), TENTERHOOK_OK);
    assert_true(s.type.depth == 1 && tenterhook_is(s.type.name[0], "eventType"));
    assert_true(s.time.depth == 1 && tenterhook_is(s.time.name[0], "timestamp"));
    assert_int_equal(s.data.depth, 0);
    assert_int_equal(tenterhook_scheme_find("github", &s), TENTERHOOK_OK);
    assert_int_equal(s.signature_count, 1);
    assert_true(tenterhook_is(s.signature[0].header, "X-Hub-Signature-256"));
    assert_int_equal(tenterhook_scheme_find("techwriter", &s), TENTERHOOK_OK);
    assert_true(s.data.depth == 2 && tenterhook_is(s.data.name[0], "data") &&
                tenterhook_is(s.data.name[1], "object"));
}

#define SIG                                                                                                  \
    "signatures:\n  - {header: S, algorithm: hmac-sha256, key: utf8, content: \"{body}\", encoding: hex}\n"

static void refused(const char *text, unsigned line)
{
    struct tenterhook_scheme s;
    struct tenterhook_fault fault = {99, NULL};

    if (tenterhook_scheme_read(text, strlen(text), &s, &fault) != TENTERHOOK_BAD_DIALECT)
        fail_msg("accepted: %s", text);
    assert_int_equal(fault.line, line);
    assert_non_null(fault.what);
    assert_int_equal(s.signature_count, 0);
    assert_int_equal(tenterhook_scheme_read(text, strlen(text), &s, NULL), TENTERHOOK_BAD_DIALECT);
}

static void test_refused_files(void **state)
{
    struct tenterhook_scheme s;

    (void)state;
    assert_int_equal(tenterhook_scheme_read(SIG, strlen(SIG), &s, NULL), TENTERHOOK_OK);
    refused("", 0);
    refused("- a", 1);
    refused("\xef\xbb\xbf"
            "auth: {headr: A}\n" SIG,
            1); /* and not another group, which says nothing here */
    refused("body: {envelope: passthrough}\n", 0);
    refused("about: x\n" SIG "auth: {header: A}\n", 0);
    refused(SIG "auth: {headr: A}\n", 3);
    refused("signatures:\n  - {header: S, algorithm: md5, key: utf8, content: \"{body}\", encoding: hex}\n",
            2);
    refused("signatures:\n  - header: S\n    algorithm: hmac-sha256\nbody: {envelope: passthrough}\n", 2);
    refused("signatures:\n  - {header: S, algoritm: hmac-sha256}\n", 2);
    refused("signatures:\n  - header: S\n    header: T\n", 3);
    refused(SIG SIG, 4);
    refused("secret:\n" SIG "secret: {signing: oldest}\n", 4);
    refused("signatures: none\n", 1);
    refused("signatures:\n  header: S\n", 2);
    refused(
        "signatures:\n  - {header: S, algorithm: hmac-sha256, key: utf8, content: \"{ts}\", encoding: hex}\n",
        2);
    refused("signatures:\n  - {header: \"S\\x41\", algorithm: hmac-sha256}\n", 2);
    refused(SIG "    variants:\n      a: {content: \"{secret}\"}\n", 3);
    refused("body: {envelope: all}\n" SIG, 1);
    refused("body:\n  envelope:\n    - {shape: [{name: x, from: data}], name: y}\n" SIG, 3);
    refused("request:\n  headers:\n    - {name: X, valu: \"{ts}\"}\n" SIG, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml),        cmocka_unit_test(test_yaml_refused),
        cmocka_unit_test(test_shared_keys), cmocka_unit_test(test_json),
        cmocka_unit_test(test_times),       cmocka_unit_test(test_built_in),
        cmocka_unit_test(test_learnt),      cmocka_unit_test(test_refused_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
