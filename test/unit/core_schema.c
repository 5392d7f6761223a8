/* JSON Schema, draft 2020-12: the required part of the official suite, what is said about faults, the patterns of ECMA-262, and the bound
 * of steps. */
#include "core/jsonpath/iregexp.h"
#include "core/schema/schema.h"
#include "corpus.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REMOTES_MAX 64
static struct th_schema_document remotes[REMOTES_MAX];
static size_t remote_count;

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "test/json-schema/%s", name);
    return corpus_tree(path);
}

/* Documents below remotes/ are what the suite expects at this address. */
static void load_remotes(const char *folder)
{
    char name[512], uri[600];
    DIR *d = opendir(path_of(folder));
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (!strstr(e->d_name, ".json")) {
            load_remotes(name);
            continue;
        }
        assert_true(remote_count < REMOTES_MAX);
        snprintf(uri, sizeof uri, "http://localhost:1234/draft2020-12%s", name + strlen("remotes"));
        remotes[remote_count].uri = th_str(strdup(uri));
        remotes[remote_count++].text = corpus_load(path_of(name));
    }
    closedir(d);
}

static int load(void **state)
{
    (void)state;
    load_remotes("remotes");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    while (remote_count--) {
        free((char *)remotes[remote_count].uri.p);
        free((char *)remotes[remote_count].text.p);
    }
    return 0;
}

static enum th_schema_answer ask(const struct th_schema *s, struct th_span value, uint32_t *steps,
                                 struct th_schema_why *why)
{
    enum th_schema_answer answer;
    struct th_tape tape;

    th_tape_init(&tape);
    assert_int_equal(th_tape_read(&tape, value), TH_OK);
    answer = th_schema_check(s, &tape, 0, steps, why);
    th_tape_fini(&tape);
    return answer;
}

static void run_group(const char *file, struct th_json group, unsigned *cases, unsigned *wrong)
{
    struct th_json schema, tests, test, data, valid, what;
    struct th_schema_fault fault = {{0}, {0}};
    struct th_schema *s = NULL;
    struct th_json_iter it;

    assert_true(th_json_member(group, TH_LIT("schema"), &schema));
    assert_true(th_json_member(group, TH_LIT("tests"), &tests));
    if (th_schema_compile(schema.raw, remotes, remote_count, &s, &fault))
        print_message("%s: %s: %s\n%.*s\n", file, fault.pointer, fault.what, (int)schema.raw.n, schema.raw.p);
    for (th_json_iter(&it, tests); th_json_next(&it, NULL, &test);) {
        uint32_t steps = TH_SCHEMA_STEPS;
        struct th_schema_why why;

        ++*cases;
        assert_true(th_json_member(test, TH_LIT("data"), &data));
        assert_true(th_json_member(test, TH_LIT("valid"), &valid));
        assert_true(th_json_member(test, TH_LIT("description"), &what));
        if (s && ask(s, data.raw, &steps, &why) ==
                     (valid.type == TH_JSON_TRUE ? TH_SCHEMA_VALID : TH_SCHEMA_INVALID)) {
            assert_true(why.count > 0 || valid.type == TH_JSON_TRUE);
            continue;
        }
        ++*wrong;
        print_message("%s: %.*s\n", file, (int)what.raw.n, what.raw.p);
    }
    th_schema_unref(s);
}

static void run_folder(const char *folder, unsigned *cases, unsigned *wrong, unsigned *files)
{
    DIR *d = opendir(path_of(folder));
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        struct th_json root, group;
        struct th_json_iter it;
        struct th_span text;
        char name[300];

        if (!strstr(e->d_name, ".json"))
            continue;
        ++*files;
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        text = corpus_load(path_of(name));
        assert_int_equal(th_json_parse(text, TH_JSON_DEPTH_MAX, &root, NULL), TH_OK);
        for (th_json_iter(&it, root); th_json_next(&it, NULL, &group);)
            run_group(e->d_name, group, cases, wrong);
        free((char *)text.p);
    }
    closedir(d);
}

static void the_required_suite(void **state)
{
    unsigned cases = 0, wrong = 0, files = 0;

    (void)state;
    run_folder("tests", &cases, &wrong, &files);
    print_message("required: %u cases of %u files\n", cases, files);
    assert_int_equal(wrong, 0);
    assert_int_equal(cases, 1299);
    run_folder("optional", &cases, &wrong, &files);
    print_message("with the optional ones that are kept: %u cases of %u files\n", cases, files);
    assert_int_equal(wrong, 0);
    assert_int_equal(files, 56);
}

/* ---- faults of schemas ---- */

static void faults_of_schemas_have_a_place_and_a_reason(void **state)
{
    static const struct {
        const char *text, *pointer, *what;
    } rows[] = {
        {"{", "", "line 1, column 2"},
        {"5", "", "must be a schema"},
        {"{\"type\":\"text\"}", "/type", "must be \"null\""},
        {"{\"type\":[\"string\",5]}", "/type/1", "must be \"null\""},
        {"{\"properties\":{\"a/b\":{\"minimum\":\"1\"}}}", "/properties/a~1b/minimum", "must be a number"},
        {"{\"multipleOf\":0}", "/multipleOf", "above 0"},
        {"{\"maxLength\":-1}", "/maxLength", "whole number"},
        {"{\"maxLength\":1.5}", "/maxLength", "whole number"},
        {"{\"allOf\":[]}", "/allOf", "of one at least"},
        {"{\"allOf\":[true,1]}", "/allOf/1", "must be a schema"},
        {"{\"items\":[true]}", "/items", "must be a schema"},
        {"{\"required\":\"a\"}", "/required", "list of names"},
        {"{\"pattern\":\"a(?=b)\"}", "/pattern", "character 2: look-ahead"},
        {"{\"pattern\":\"(a)\\\\1\"}", "/pattern", "character 4: references"},
        {"{\"patternProperties\":{\"[\":true}}", "/patternProperties/[", "not closed"},
        {"{\"$ref\":\"#/$defs/a\"}", "/$ref", "not there"},
        {"{\"$ref\":\"#a\"}", "/$ref", "anchor \"a\""},
        {"{\"$ref\":\"https://example.com/a.json\"}", "/$ref", "nothing is fetched"},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":7}}", "/$defs/a", "must be a schema"},
        {"{\"$id\":\"a#b\"}", "/$id", "$anchor"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "/$schema", "other drafts"},
        {"{\"$ref\":\"https://json-schema.org/draft/2020-12/schema#/nowhere\"}", "/$ref", "not there"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct th_schema_fault fault = {{0}, {0}};
        struct th_schema *s = NULL;

        assert_int_equal(th_schema_compile(th_str(rows[i].text), NULL, 0, &s, &fault), TH_MALFORMED);
        if (strcmp(fault.pointer, rows[i].pointer) != 0 || !strstr(fault.what, rows[i].what))
            fail_msg("%s: %s: %s", rows[i].text, fault.pointer, fault.what);
    }
}

/* ---- faults of values ---- */

static struct th_schema *compile(const char *text)
{
    struct th_schema_fault fault = {{0}, {0}};
    struct th_schema *s = NULL;

    if (th_schema_compile(th_str(text), NULL, 0, &s, &fault))
        fail_msg("%s: %s: %s", text, fault.pointer, fault.what);
    return s;
}

static void faults_of_values_have_a_place_and_a_keyword(void **state)
{
    static const struct {
        const char *schema, *value, *pointer, *keyword, *where, *what;
    } rows[] = {
        {"{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":\"5\"}", "/a", "type",
         "/properties/a/type", "is a text, but the type must be \"integer\""},
        {"{\"required\":[\"a\"]}", "{}", "", "required", "/required", "has no \"a\""},
        {"{\"additionalProperties\":false}", "{\"a/b\":1}", "/a~1b", "additionalProperties",
         "/additionalProperties", "not among the members"},
        {"{\"properties\":{\"a\":false}}", "{\"a\":1}", "/a", "false", "/properties/a", "not allowed"},
        {"{\"items\":{\"minimum\":3}}", "[3,4,2.9]", "/2", "minimum", "/items/minimum", "at least 3"},
        {"{\"items\":{\"$ref\":\"#/$defs/n\"},\"$defs\":{\"n\":{\"enum\":[1,2]}}}", "[1,3]", "/1", "enum",
         "/$defs/n/enum", "none of the values"},
        {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", "5", "", "anyOf", "/anyOf", "none of"},
        {"{\"propertyNames\":{\"maxLength\":1}}", "{\"a\":1,\"bc\":2}", "/bc", "propertyNames",
         "/propertyNames", "a name"},
        {"{\"properties\":{\"a\":true},\"unevaluatedProperties\":false}", "{\"a\":1,\"b\":2}", "/b",
         "unevaluatedProperties", "/unevaluatedProperties", "not among"},
        {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},1,{\"b\":2.0,\"a\":10e-1}]", "/2", "uniqueItems",
         "/uniqueItems", "twice"},
        {"{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{\"type\":\"text\"}", "/type",
         "anyOf", "https://json-schema.org/draft/2020-12/meta/validation#/properties/type/anyOf", "none of"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct th_schema *s = compile(rows[i].schema);
        uint32_t steps = TH_SCHEMA_STEPS;
        struct th_schema_why why;

        assert_int_equal(ask(s, th_str(rows[i].value), &steps, &why), TH_SCHEMA_INVALID);
        assert_int_equal(why.count, 1);
        if (strcmp(why.found->pointer, rows[i].pointer) != 0 ||
            strcmp(why.found->keyword, rows[i].keyword) != 0 ||
            strcmp(why.found->schema, rows[i].where) != 0 || !strstr(why.found->what, rows[i].what))
            fail_msg("%s of %s: %s: %s (%s): %s", rows[i].value, rows[i].schema, why.found->pointer,
                     why.found->keyword, why.found->schema, why.found->what);
        th_schema_unref(s);
    }
}

static void several_faults_are_told_at_once(void **state)
{
    struct th_schema *s = compile("{\"required\":[\"x\",\"y\"],\"items\":{\"type\":\"null\"},"
                                  "\"additionalProperties\":{\"type\":\"null\"}}");
    uint32_t steps = TH_SCHEMA_STEPS;
    struct th_schema_why why;

    (void)state;
    assert_int_equal(ask(s, TH_LIT("{\"a\":1,\"b\":null,\"c\":2}"), &steps, &why), TH_SCHEMA_INVALID);
    assert_int_equal(why.count, 4);
    assert_int_equal(ask(s, TH_LIT("[1,2,3,4,5,6,7,8,9,10]"), &steps, &why), TH_SCHEMA_INVALID);
    assert_int_equal(why.count, TH_SCHEMA_FOUND);
    th_schema_unref(s);
}

/* ---- patterns ---- */

static void patterns_are_those_of_ecmascript(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool yes;
    } rows[] = {
        {"^\\d{2}$", "12", true},
        {"^\\d{2}$", "1x", false},
        {"^\\D+$", "ab", true},
        {"^\\w+$", "a_9", true},
        {"^\\w+$", "a-9", false},
        {"^[\\w.-]+$", "a-9.b", true},
        {"^[^\\s]+$", "a b", false},
        {"^\\S+?$", "ab", true},
        {"\\bfoo\\b", "a foo b", true},
        {"\\bfoo\\b", "afoo", false},
        {"\\Boo", "foo", true},
        {"^(?:ab)+$", "abab", true},
        {"^(?<y>a|b)$", "b", true},
        {"^\\u0041\\x42$", "AB", true},
        {"^\\u{1F600}$", "\\ud83d\\ude00", true},
        {"^\\ud83d\\ude00$", "\\ud83d\\ude00", true},
        {"^a.c$", "a\\u2028c", false},
        {"^a/b\\/c$", "a/b/c", true},
        {"^[]$", "a", false},
        {"^[^]$", "a", true},
        {"^[a-]$", "-", true},
        {"^[\\d-x]+$", "1-x", true},
        {"^\\p{Uppercase_Letter}$", "Ä", true},
        {"^\\P{Lu}$", "Ä", false},
        {"^a{2,3}?$", "aaaa", false},
        {"^}]$", "}]", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct th_iregexp_fault fault;
        struct th_iregexp re;
        struct th_characters in = {rows[i].text, rows[i].text + strlen(rows[i].text), true};
        uint32_t steps = 1000;

        if (!th_iregexp_compile_ecma(th_str(rows[i].pattern), &re, &fault))
            fail_msg("%s: character %u: %s", rows[i].pattern, fault.at, fault.what);
        if (th_iregexp_match(re.slots, re.count, th_characters_next, &in, true, &steps) != rows[i].yes)
            fail_msg("%s of %s", rows[i].text, rows[i].pattern);
    }
}

/* ---- bounds ---- */

/* What would take long is given up, and takes as many steps as there are. */
static void what_takes_too_long_is_given_up(void **state)
{
    static const char *const schemas[] = {
        "{\"$ref\":\"#\"}",
        "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
        "{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"},{\"$ref\":\"#/$defs/b\"}]},"
        "\"b\":{\"allOf\":[{\"$ref\":\"#/$defs/c\"},{\"$ref\":\"#/$defs/c\"}]},"
        "\"c\":{\"items\":{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/a\"}]}}},\"$ref\":\"#/"
        "$defs/a\"}",
        "{\"$dynamicAnchor\":\"a\",\"not\":{\"$dynamicRef\":\"#a\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        struct th_schema *s = compile(schemas[i]);
        uint32_t steps = TH_SCHEMA_STEPS;

        assert_int_equal(ask(s, TH_LIT("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), &steps, NULL), TH_SCHEMA_EXCESS);
        th_schema_unref(s);
    }
}

static void large_schemas_are_refused(void **state)
{
    struct th_schema_fault fault;
    struct th_schema *s = NULL;
    struct th_buf text;

    (void)state;
    th_buf_init(&text, 1 << 20);
    th_buf_str(&text, "{\"allOf\":[true");
    for (unsigned i = 0; i < TH_SCHEMA_PARTS; i++)
        th_buf_str(&text, ",true");
    th_buf_str(&text, "]}");
    assert_int_equal(th_schema_compile(th_buf_view(&text), NULL, 0, &s, &fault), TH_MALFORMED);
    assert_non_null(strstr(fault.what, "schemas"));
    th_buf_reset(&text); /* each reference walks over all members */
    th_buf_str(&text, "{\"allOf\":[true");
    for (unsigned i = 0; i < 1500; i++)
        th_buf_str(&text, ",{\"$ref\":\"#/y/x\"}");
    th_buf_str(&text, "],\"y\":{");
    for (unsigned i = 0; i < 4000; i++)
        th_buf_str(&text, "\"a\":1,");
    th_buf_str(&text, "\"x\":true}}");
    assert_true(text.n < TH_SCHEMA_BYTES);
    assert_int_equal(th_schema_compile(th_buf_view(&text), NULL, 0, &s, &fault), TH_MALFORMED);
    assert_non_null(strstr(fault.what, "steps"));
    th_buf_fini(&text);
}

/* A check takes the same steps each time; with fewer, it gives the same answer or says that they did not suffice. */
static void the_bound_holds_for(struct th_json group, unsigned *asked, unsigned *short_of)
{
    struct th_json schema, tests, test, data;
    struct th_schema *s = NULL;
    struct th_json_iter it;

    assert_true(th_json_member(group, TH_LIT("schema"), &schema));
    assert_true(th_json_member(group, TH_LIT("tests"), &tests));
    assert_int_equal(th_schema_compile(schema.raw, remotes, remote_count, &s, NULL), TH_OK);
    for (th_json_iter(&it, tests); th_json_next(&it, NULL, &test);) {
        uint32_t steps = TH_SCHEMA_STEPS, used;
        enum th_schema_answer answer;

        assert_true(th_json_member(test, TH_LIT("data"), &data));
        answer = ask(s, data.raw, &steps, NULL);
        used = TH_SCHEMA_STEPS - steps;
        assert_true(used > 0 && used < 5000);
        for (uint32_t n = 0; n <= used + 1; n += 1 + used / 40) {
            enum th_schema_answer again;

            steps = n;
            again = ask(s, data.raw, &steps, NULL);
            ++*asked;
            *short_of += again == TH_SCHEMA_EXCESS;
            assert_true(again == answer || (again == TH_SCHEMA_EXCESS && steps == 0));
            assert_true(steps <= n);
        }
        steps = used + 1;
        assert_int_equal(ask(s, data.raw, &steps, NULL), answer);
    }
    th_schema_unref(s);
}

static void the_bound_of_steps_holds(void **state)
{
    static const char *const files[] = {
        "unevaluatedProperties", "dynamicRef", "uniqueItems", "ref", "contains",
        "propertyNames",         "pattern",    "oneOf"};
    unsigned asked = 0, short_of = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct th_json root, group;
        struct th_json_iter it;
        struct th_span text;
        char name[300];

        snprintf(name, sizeof name, "tests/%s.json", files[i]);
        text = corpus_load(path_of(name));
        assert_int_equal(th_json_parse(text, TH_JSON_DEPTH_MAX, &root, NULL), TH_OK);
        for (th_json_iter(&it, root); th_json_next(&it, NULL, &group);)
            the_bound_holds_for(group, &asked, &short_of);
        free((char *)text.p);
    }
    print_message("%u checks, %u without enough steps\n", asked, short_of);
    assert_true(short_of > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_required_suite),
        cmocka_unit_test(faults_of_schemas_have_a_place_and_a_reason),
        cmocka_unit_test(faults_of_values_have_a_place_and_a_keyword),
        cmocka_unit_test(several_faults_are_told_at_once),
        cmocka_unit_test(patterns_are_those_of_ecmascript),
        cmocka_unit_test(what_takes_too_long_is_given_up),
        cmocka_unit_test(large_schemas_are_refused),
        cmocka_unit_test(the_bound_of_steps_holds),
    };

    return cmocka_run_group_tests_name("core_schema", tests, load, unload);
}
