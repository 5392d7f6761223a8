/* JSONPath (RFC 9535) and I-Regexp (RFC 9485): the whole compliance suite, positions and texts of faults, the bound of steps, and the
 * keys of an index. */
#include "base/map.h"
#include "core/jsonpath/iregexp.h"
#include "core/jsonpath/jsonpath.h"
#include "corpus.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct th_jsonpath *compile(struct th_arena *mem, struct th_span text,
                                         struct th_jsonpath_fault *fault)
{
    const struct th_jsonpath *q = NULL;

    return th_jsonpath_compile(text, mem, &q, fault) ? NULL : q;
}

/* Equality of JSON as the suite means it, by another way than the evaluator's: texts without white space, since the suite writes its
 * results as its documents. */
static struct th_span squeezed(struct th_span s, struct th_buf *out)
{
    bool quoted = false;

    th_buf_reset(out);
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\') {
            th_buf_char(out, s.p[i++]);
        } else if (s.p[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (unsigned char)s.p[i] <= ' ') {
            continue;
        }
        th_buf_char(out, s.p[i]);
    }
    return th_buf_view(out);
}

static void result_of(const struct th_jsonpath *q, const struct th_tape *tape, struct th_buf *out)
{
    struct th_jsonpath_run run;
    const char *comma = "";
    uint32_t i;

    th_buf_reset(out);
    th_buf_char(out, '[');
    th_jsonpath_begin(&run, q, tape, 0, TH_JSONPATH_STEPS);
    while ((i = th_jsonpath_next(&run)) != TH_TAPE_NONE) {
        th_buf_str(out, comma);
        th_buf_span(out, th_tape_value(tape, i).raw);
        comma = ",";
    }
    th_buf_char(out, ']');
    assert_false(run.excess);
}

static bool is_expected(struct th_span got, struct th_json test)
{
    struct th_json v, key, one;
    struct th_json_iter it;
    struct th_buf a, b;
    bool same = false;

    th_buf_init(&a, 1 << 20);
    th_buf_init(&b, 1 << 20);
    squeezed(got, &a);
    if (th_json_member(test, TH_LIT("result"), &v)) {
        same = th_span_eq(th_buf_view(&a), squeezed(v.raw, &b));
    } else {
        assert_true(th_json_member(test, TH_LIT("results"), &v));
        for (th_json_iter(&it, v); th_json_next(&it, &key, &one);)
            same |= th_span_eq(th_buf_view(&a), squeezed(one.raw, &b));
    }
    th_buf_fini(&a);
    th_buf_fini(&b);
    return same;
}

static void run_case(struct th_json test, unsigned *valid, unsigned *invalid, unsigned *wrong)
{
    struct th_json v, document;
    struct th_buf selector, got;
    struct th_arena mem;
    struct th_tape tape;
    struct th_jsonpath_fault fault = {0};
    const struct th_jsonpath *q;

    th_buf_init(&selector, 1 << 16);
    th_buf_init(&got, 1 << 20);
    th_arena_init(&mem, 1 << 16);
    th_tape_init(&tape);
    assert_true(th_json_member(test, TH_LIT("selector"), &v) && th_json_string(v, &selector));
    q = compile(&mem, th_buf_view(&selector), &fault);
    if (th_json_member(test, TH_LIT("invalid_selector"), &v) && v.type == TH_JSON_TRUE) {
        ++*invalid;
        if (q || !fault.at || !fault.what[0]) {
            print_message("taken: %.*s\n", (int)test.raw.n, test.raw.p);
            ++*wrong;
        }
    } else {
        ++*valid;
        assert_true(th_json_member(test, TH_LIT("document"), &document));
        assert_int_equal(th_tape_read(&tape, document.raw), TH_OK);
        if (q)
            result_of(q, &tape, &got);
        if (!q || !is_expected(th_buf_view(&got), test)) {
            print_message("%u %s\n%.*s: %.*s\n", fault.at, fault.what, (int)test.raw.n, test.raw.p,
                          (int)got.n, got.p);
            ++*wrong;
        }
    }
    th_tape_fini(&tape);
    th_arena_fini(&mem);
    th_buf_fini(&got);
    th_buf_fini(&selector);
}

static void the_whole_suite(void **state)
{
    struct th_span text = corpus_load(corpus_tree("test/jsonpath/cts.json"));
    struct th_json root, tests, test;
    struct th_json_iter it;
    unsigned valid = 0, invalid = 0, wrong = 0;

    (void)state;
    assert_non_null(text.p);
    assert_int_equal(th_json_parse(text, TH_JSON_DEPTH_MAX, &root, NULL), TH_OK);
    assert_true(th_json_member(root, TH_LIT("tests"), &tests));
    for (th_json_iter(&it, tests); th_json_next(&it, NULL, &test);)
        run_case(test, &valid, &invalid, &wrong);
    print_message("%u valid, %u invalid\n", valid, invalid);
    assert_int_equal(valid, 456);
    assert_int_equal(invalid, 247);
    assert_int_equal(wrong, 0);
    free((char *)text.p);
}

/* ---- faults ---- */

static void faults_have_a_place_and_a_reason(void **state)
{
    static const struct {
        const char *text;
        unsigned at;
        const char *what;
    } rows[] = {
        {"", 1, "begins with '$'"},
        {"$.", 3, "expected a name"},
        {"$.a ", 4, "or the end"},
        {"$[", 3, "the text ends"},
        {"$[a]", 3, "in quotes"},
        {"$['a", 3, "has no end"},
        {"$['\\x']", 4, "unknown escape"},
        {"$[9007199254740992]", 3, "9007199254740991"},
        {"$[01]", 3, "superfluous"},
        {"$[?@.a==1", 2, "not closed"},
        {"$[?@.a=1]", 7, "'=='"},
        {"$[?@.a = 1]", 8, "'=='"},
        {"$[?1]", 4, "no condition"},
        {"$[?length(@.a)]", 4, "no condition"},
        {"$[?match(@.a, 'b') == true]", 4, "true or false already"},
        {"$[?!@.a == 1]", 4, "'!'"},
        {"$[?@.* == 1]", 4, "several values"},
        {"$[?count(1) > 0]", 10, "takes a path"},
        {"$[?length(@.a, @.b) > 0]", 14, "')'"},
        {"$[?match(@.a) ]", 13, "','"},
        {"$[?search(@.ü, 'a{2') ]", 16, "character 2"},
        {"$[?nobody(@.a)]", 4, "there is no function"},
        {"$[?@.a == b]", 11, "quotes"},
        {"$[?@.a && ]", 11, "expected a path"},
        {"$[?@.a and @.b]", 8, "'&&'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct th_jsonpath_fault fault = {0};
        struct th_arena mem;

        th_arena_init(&mem, 1 << 16);
        assert_null(compile(&mem, th_str(rows[i].text), &fault));
        if (fault.at != rows[i].at || !strstr(fault.what, rows[i].what))
            fail_msg("%s: character %u: %s", rows[i].text, fault.at, fault.what);
        th_arena_fini(&mem);
    }
}

/* What is too large is refused, and what is just not is taken. */
static void limits_are_where_they_are_said_to_be(void **state)
{
    static const struct {
        const char *begin, *part, *end;
        unsigned fits, refused;
    } rows[] = {
        {"$", ".a", "", 63, 64},                /* nodes */
        {"$[?", "(", "", 0, 1},                 /* for the length of texts alone */
        {"$['", "x", "']", 4096 - 5, 4096 - 4}, /* bytes */
    };
    struct th_jsonpath_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned k = 0; k < 2; k++) {
            struct th_arena mem;
            struct th_buf text;

            th_arena_init(&mem, 1 << 16);
            th_buf_init(&text, 1 << 16);
            th_buf_str(&text, rows[i].begin);
            for (unsigned n = k ? rows[i].refused : rows[i].fits; n; n--)
                th_buf_str(&text, rows[i].part);
            th_buf_str(&text, rows[i].end);
            if (rows[i].fits || k)
                assert_int_equal(compile(&mem, th_buf_view(&text), &fault) != NULL, !k);
            th_buf_fini(&text);
            th_arena_fini(&mem);
        }
}

/* ---- one question, one document ---- */

static enum th_jsonpath_answer ask(const char *query, const char *document, uint32_t *steps)
{
    struct th_arena mem;
    struct th_tape tape;
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    enum th_jsonpath_answer answer;

    th_arena_init(&mem, 1 << 16);
    th_tape_init(&tape);
    q = compile(&mem, th_str(query), &fault);
    if (!q)
        fail_msg("%s: character %u: %s", query, fault.at, fault.what);
    assert_int_equal(th_tape_read(&tape, th_str(document)), TH_OK);
    answer = th_jsonpath_test(q, &tape, 0, steps);
    th_tape_fini(&tape);
    th_arena_fini(&mem);
    return answer;
}

static bool yes(const char *query, const char *document)
{
    uint32_t steps = TH_JSONPATH_STEPS;
    enum th_jsonpath_answer answer = ask(query, document, &steps);

    assert_int_not_equal(answer, TH_JSONPATH_EXCESS);
    return answer == TH_JSONPATH_YES;
}

static void numbers_have_their_decimal_values(void **state)
{
    static const char *const same[] = {"100", "1e2", "100.0", "0.1E+3", "1000e-1", "100.000", "10000e-2"};
    static const char *const rising[] = {"-1e400",
                                         "-9007199254740993",
                                         "-9007199254740992",
                                         "-1.5",
                                         "-1e-400",
                                         "0",
                                         "1e-400",
                                         "0.1",
                                         "0.10000000000000000000001",
                                         "1",
                                         "9.99",
                                         "10",
                                         "9007199254740992",
                                         "9007199254740993",
                                         "1e400",
                                         "1.1e400"};
    char query[128], document[64];

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
            snprintf(query, sizeof query, "$[?@ == %s]", same[i]);
            snprintf(document, sizeof document, "[%s]", same[k]);
            assert_true(yes(query, document));
        }
    assert_true(yes("$[?@ == -0.0]", "[0]") && yes("$[?@ == 0e5]", "[-0]"));
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++)
        for (size_t k = 0; k < sizeof rising / sizeof *rising; k++) {
            snprintf(query, sizeof query, "$[?@ < %s]", rising[i]);
            snprintf(document, sizeof document, "[%s]", rising[k]);
            assert_int_equal(yes(query, document), k < i);
            snprintf(query, sizeof query, "$[?@ == %s]", rising[i]);
            assert_int_equal(yes(query, document), k == i);
        }
}

static void texts_are_compared_by_characters(void **state)
{
    (void)state;
    assert_true(yes("$[?@ == '\\u00e9\\n']", "[\"\\u00E9\\u000a\"]") && yes("$[?@ == 'é']", "[\"\\u00e9\"]"));
    assert_true(yes("$[?@ == '\\ud83d\\ude00']", "[\"😀\"]") &&
                yes("$[?length(@) == 1]", "[\"\\ud83d\\ude00\"]"));
    assert_false(yes("$[?@ == '\\\\n']", "[\"\\n\"]") || yes("$[?@ == 'n']", "[\"\\n\"]"));
    assert_true(yes("$[?@ < '\\ud83d\\ude00']", "[\"\\uffff\"]")); /* UTF-16 would have it the other way */
    assert_true(
        yes("$[?@ == $[1]]", "[{\"a\":[1,{\"b\":null}],\"c\":2},{\"c\":2.0,\"\\u0061\":[1,{\"b\":null}]}]"));
    assert_false(yes("$[?@ == $[1] && @.a[0] == 1]", "[{\"a\":[1,2]},{\"a\":[2,1]}]"));
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool whole, part;
    } rows[] = {
        {"", "", true, true},
        {"", "a", false, true},
        {"a|b|", "b", true, true},
        {"(a|b)*c", "abbac", true, true},
        {"(a*)*", "aaaa", true, true},
        {"a{2,3}", "aaaa", false, true},
        {"a{3}", "aaa", true, true},
        {"a{0}b", "b", true, true},
        {"a{2,}", "a", false, false},
        {"(ab){1,2}", "abab", true, true},
        {"[a-c]+[^a-c]", "abcd", true, true},
        {"[-a]+", "a-a", true, true},
        {"[a-]+", "a-a", true, true},
        {"[^^]", "^", false, false},
        {"[\\]\\-]+", "]-", true, true},
        {"\\p{Lu}\\P{Lu}", "Äa", true, true},
        {"\\p{L}+", "aÄж漢", true, true},
        {"[\\p{Nd}x]+", "1٣x", true, true},
        {"\\p{Cn}", "\xf3\xaf\xbf\xbf", true, true},
        {".", "😀", true, true},
        {".", "\n", false, false},
        {"^b", "ab", false, false},
        {"b$", "ab", false, true},
        {"^ab$", "ab", true, true},
        {"x*y*z*", "", true, true},
    };
    static const char *const bad[] = {
        "(",  ")",     "[",   "a**",     "*",      "a{2,1}",
        "a{", "a{,2}", "\\d", "\\p{Xx}", "[b-a]",  "(?:a)",
        "]",  "}",     "\\",  "[]",      "a{600}", "((((((((a{9}){9}){9}){9}){9}){9}){9}){9})",
        "\\1"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char query[128], document[128];

        snprintf(document, sizeof document, strcmp(rows[i].text, "\n") ? "[\"%s\"]" : "[\"\\n\"]",
                 rows[i].text);
        for (unsigned part = 0; part < 2; part++) {
            char escaped[64], *to = escaped;

            for (const char *p = rows[i].pattern; *p; *to++ = *p++)
                if (*p == '\\')
                    *to++ = '\\';
            *to = 0;
            snprintf(query, sizeof query, "$[?%s(@,'%s')]", part ? "search" : "match", escaped);
            if (yes(query, document) != (part ? rows[i].part : rows[i].whole))
                fail_msg("%s on %s", query, document);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct th_iregexp re;
        struct th_iregexp_fault fault = {0};

        assert_false(th_iregexp_compile(th_str(bad[i]), &re, &fault));
        assert_true(fault.at >= 1 && fault.at <= strlen(bad[i]) + 1 && fault.what);
    }
}

/* ---- the bound ---- */

static uint64_t drawn = 88172645463325252u;
static uint32_t draw(uint32_t below)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (uint32_t)(drawn >> 33) % below;
}

static const char *const parts[] = {
    "@", "@.a",  "@..a",    "@..*",  "@[*]",  "@[?@.a]",         "@..[?@..a]",
    "$", "$..*", "@[::-1]", "@[1:]", "@[-1]", "$..[?@ == $..b]", "@[?search(@,'(a|b)*c')]"};

static void draw_condition(struct th_buf *out, unsigned depth)
{
    static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">="};

    switch (depth ? draw(8) : 3 + draw(5)) {
    case 0:
        draw_condition(out, depth - 1);
        th_buf_str(out, " && ");
        draw_condition(out, depth - 1);
        break;
    case 1:
        th_buf_str(out, "(");
        draw_condition(out, depth - 1);
        th_buf_str(out, " || ");
        draw_condition(out, depth - 1);
        th_buf_str(out, ")");
        break;
    case 2:
        th_buf_str(out, "!(");
        draw_condition(out, depth - 1);
        th_buf_str(out, ")");
        break;
    case 3:
        th_buf_printf(out, "count(%s) %s %u", parts[draw(14)], ops[draw(6)], draw(9));
        break;
    case 4:
        th_buf_printf(out, "value(%s) %s length(value(%s))", parts[draw(14)], ops[draw(6)], parts[draw(14)]);
        break;
    case 5:
        th_buf_printf(out, "search(value(%s), '(a*b?)*c|[^x]{1,9}')", parts[draw(14)]);
        break;
    case 6:
        th_buf_printf(out, "@.%c == $[%u]", 'a' + (int)draw(3), draw(3));
        break;
    default:
        th_buf_str(out, parts[draw(14)]);
    }
}

static void draw_document(struct th_buf *out, unsigned depth)
{
    unsigned n = draw(6);

    switch (depth > 2 ? draw(2) : depth ? draw(6) : 2 + draw(4)) {
    case 0:
        th_buf_str(out, "[");
        for (unsigned i = 0; i < n; i++, th_buf_str(out, i < n ? "," : ""))
            draw_document(out, depth - 1);
        th_buf_str(out, "]");
        break;
    case 1:
        th_buf_str(out, "{");
        for (unsigned i = 0; i < n; i++, th_buf_str(out, i < n ? "," : "")) {
            th_buf_printf(out, "\"%c\":", 'a' + (int)i);
            draw_document(out, depth - 1);
        }
        th_buf_str(out, "}");
        break;
    case 2:
        th_buf_printf(out, "%u", draw(5));
        break;
    case 3:
        th_buf_str(out, "\"abcabcaaa\"");
        break;
    case 4:
        th_buf_str(out, "\"\\u0061\"");
        break;
    default:
        th_buf_str(out, "null");
    }
}

/* With fewer steps the answer is the same, or that they do not suffice; with as many as it took it suffices. */
static void the_bound_of_steps_holds(void **state)
{
    unsigned excesses = 0, answers = 0;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct th_buf query, document;
        struct th_arena mem;
        const struct th_jsonpath *q;
        struct th_tape tape;
        uint32_t limit = draw(2) ? TH_JSONPATH_STEPS : 200, steps = limit, used, less;
        enum th_jsonpath_answer answer, again;

        th_buf_init(&query, 1 << 16);
        th_buf_init(&document, 1 << 20);
        th_arena_init(&mem, 1 << 16);
        th_tape_init(&tape);
        th_buf_str(&query, "$[?");
        draw_condition(&query, 2);
        th_buf_str(&query, "]");
        for (unsigned i = 0; i < 5; i++) {
            th_buf_char(&document, i ? ',' : '[');
            draw_document(&document, 5);
        }
        th_buf_char(&document, ']');
        q = compile(&mem, th_buf_view(&query), NULL);
        assert_int_equal(th_tape_read(&tape, th_buf_view(&document)), TH_OK);
        if (q) {
            answer = th_jsonpath_test(q, &tape, 0, &steps);
            used = limit - steps;
            excesses += answer == TH_JSONPATH_EXCESS;
            answers += answer != TH_JSONPATH_EXCESS;
            if (answer == TH_JSONPATH_EXCESS) {
                assert_int_equal(steps, 0);
            } else {
                less = used + 1;
                assert_int_equal(th_jsonpath_test(q, &tape, 0, &less), answer);
                less = used ? draw(used) : 0;
                again = th_jsonpath_test(q, &tape, 0, &less);
                if (again != answer && again != TH_JSONPATH_EXCESS)
                    fail_msg("%s on %s", th_buf_cstr(&query), th_buf_cstr(&document));
            }
        }
        th_tape_fini(&tape);
        th_arena_fini(&mem);
        th_buf_fini(&query);
        th_buf_fini(&document);
    }
    print_message("%u answers, %u without enough steps\n", answers, excesses);
    assert_true(excesses > 10 && answers > 1000);
}

/* ---- keys ---- */

/* A query that finds something in [event] has the key that the event gives for its path. */
static void keys_never_lose_a_match(void **state)
{
    static const char *const values[] = {"'paid'", "\"pa\\u0069d\"", "5",    "5.0", "50e-1",
                                         "true",   "false",          "null", "'5'", "''"};
    static const char *const found[] = {"\"paid\"", "\"\\u0070aid\"", "5",     "0.5e1", "5.00", "true",
                                        "false",    "null",           "\"5\"", "\"\"",  "[5]",  "{}"};
    unsigned hits = 0;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t k = 0; k < sizeof found / sizeof *found; k++) {
            struct th_arena mem;
            struct th_tape tape;
            struct th_buf path;
            char query[128], document[128];
            const struct th_jsonpath *q;
            uint64_t wanted, there;
            bool matches;

            snprintf(query, sizeof query,
                     i % 2 ? "$[?@.type != 'y' && @.a['b'] == %s && @.c]" : "$[?@.c && %s == @.a.b]",
                     values[i]);
            snprintf(document, sizeof document, "[{\"type\":\"x\",\"c\":1,\"a\":{\"z\":[1,2],\"b\":%s}}]",
                     found[k]);
            th_arena_init(&mem, 1 << 16);
            th_buf_init(&path, 1024);
            th_tape_init(&tape);
            q = compile(&mem, th_str(query), NULL);
            assert_non_null(q);
            assert_true(th_jsonpath_key(q, &path, &wanted));
            assert_int_equal(th_tape_read(&tape, th_str(document)), TH_OK);
            matches = yes(query, document);
            hits += matches;
            if (matches)
                assert_true(th_jsonpath_key_find(th_buf_view(&path), &tape, 1, &there) && there == wanted);
            else if (th_jsonpath_key_find(th_buf_view(&path), &tape, 1, &there))
                assert_true(there != wanted);
            th_tape_fini(&tape);
            th_buf_fini(&path);
            th_arena_fini(&mem);
        }
    assert_int_equal(hits, 2 * 2 + 3 * 3 + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_suite),
        cmocka_unit_test(faults_have_a_place_and_a_reason),
        cmocka_unit_test(limits_are_where_they_are_said_to_be),
        cmocka_unit_test(numbers_have_their_decimal_values),
        cmocka_unit_test(texts_are_compared_by_characters),
        cmocka_unit_test(patterns),
        cmocka_unit_test(the_bound_of_steps_holds),
        cmocka_unit_test(keys_never_lose_a_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
