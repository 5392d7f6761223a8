/* The YAML of configuration, dialect files and import: what people write, with the lines that messages name; what is refused,
 * with a reason; all JSON. */
#include "options/yaml.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void put_text(struct th_buf *out, struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\n')
            th_buf_str(out, "\\n");
        else
            th_buf_char(out, s.p[i]);
}

/* {key:LINE=text ...}, [LINE=text ...]; a text in quotes has them. */
static void put(struct th_buf *out, const struct th_node *n)
{
    if (n->kind == TH_NODE_SCALAR) {
        th_buf_printf(out, n->quoted ? "%u='" : "%u=", n->line);
        put_text(out, n->text);
        th_buf_str(out, n->quoted ? "'" : "");
        return;
    }
    th_buf_printf(out, n->kind == TH_NODE_MAP ? "%u{" : "%u[", n->line);
    for (const struct th_node *c = n->first; c; c = c->next) {
        if (n->kind == TH_NODE_MAP) {
            put_text(out, c->key);
            th_buf_char(out, ':');
        }
        put(out, c);
        if (c->next)
            th_buf_char(out, ' ');
    }
    th_buf_char(out, n->kind == TH_NODE_MAP ? '}' : ']');
}

static void reads(const char *text, const char *want)
{
    struct th_arena mem;
    struct th_node *root;
    struct th_buf out;
    char why[300];

    th_arena_init(&mem, 1u << 20);
    th_buf_init(&out, 1u << 20);
    if (th_yaml_parse("f", th_str(text), TH_YAML_MAX, &mem, &root, why, sizeof why))
        fail_msg("%s\n%s", why, text);
    put(&out, root);
    if (strcmp(th_buf_cstr(&out), want) != 0)
        fail_msg("%s\ngave   %s\nwanted %s", text, th_buf_cstr(&out), want);
    th_buf_fini(&out);
    th_arena_fini(&mem);
}

static void refuses(const char *text, const char *want)
{
    struct th_arena mem;
    struct th_node *root;
    char why[300];

    th_arena_init(&mem, 1u << 20);
    if (!th_yaml_parse("f", th_str(text), TH_YAML_MAX, &mem, &root, why, sizeof why))
        fail_msg("accepted: %s", text);
    assert_string_equal(why, want);
    th_arena_fini(&mem);
}

static void collections(void **state)
{
    (void)state;
    reads("", "0{}");
    reads("# only this\n", "0{}");
    reads("a: 1\nb:\n  - x\n  - y: 2\n    z:\nc: {}\n", "1{a:1=1 b:3[3=x 4{y:4=2 z:5=}] c:6{}}");
    reads("a:\n- 1\n- - 2\n  - 3\n", "1{a:2[2=1 3[3=2 4=3]]}");
    reads("a:\n\n  b:\n    c: 1\n", "1{a:3{b:4{c:4=1}}}");
    reads("a: [1, # one\n  {b: 2}]\n", "1{a:1[1=1 2{b:2=2}]}");
    reads("a:\n  text\nb:\n  [1]\nc:\n  'q'\n", "1{a:2=text b:4[4=1] c:6='q'}");
    reads("%YAML 1.2\n---\na: 1\n...\n# the end\n", "3{a:3=1}");
    reads("\xef\xbb\xbf"
          "a: 1\r\nb: 2\r\n",
          "1{a:1=1 b:2=2}");
}

static void all_json(void **state)
{
    (void)state;
    reads("{\"a\":{\"b\":[1,-2.5e3,true,null,\"x\"]},\"c\":\"\"}",
          "1{a:1{b:1[1=1 1=-2.5e3 1=true 1=null 1='x']} c:1=''}");
    reads("[\n \"\\u00e4\\ud83d\\ude00\\/\\\"\\\\\\b\"\n]", "1[2='\xc3\xa4\xf0\x9f\x98\x80/\"\\\b']");
    reads("{\"a\\nb\": 1}", "1{a\\nb:1=1}");
}

static void lines_of_a_scalar(void **state)
{
    (void)state;
    reads("a: one\n  two\n\n  three # c\nb: 1\n", "1{a:1=one two\\nthree b:5=1}");
    reads("a: \"one\n  two\\n \\\n  three\"\nb: 1\n", "1{a:1='one two\\n three' b:4=1}");
    reads("a: 'it''s\n\n  two'\n", "1{a:1='it's\\ntwo'}");
    reads("- [a\n  b, c]\n- d\n", "1[1[1=a b 2=c] 3=d]");
    reads("a: |\n  one\n   two\n\n  # three\n\nb: 1\n", "1{a:1='one\\n two\\n\\n# three\\n' b:7=1}");
    reads("a: >-\n  one\n  two\n\n  three\n   deep\n  four\nb: 1\n",
          "1{a:1='one two\\nthree\\n deep\\nfour' b:8=1}");
    reads("a: |+ # c\n  one\n\nb: 1\n", "1{a:1='one\\n\\n' b:4=1}");
    reads("- |2\n    one\n- x", "1[1='  one\\n' 3=x]");
    reads("a: |", "1{a:1=''}");
    reads("a: \"\\x41\\u00e4\\U0001f600\\e\\_\\L\"",
          "1{a:1='A\xc3\xa4\xf0\x9f\x98\x80\x1b\xc2\xa0\xe2\x80\xa8'}");
}

static void refused(void **state)
{
    (void)state;
    refuses("a: 1\nb: &x 2\n",
            "f:2: anchors and tags are not supported; a text that begins with & or ! must be in quotes");
    refuses("a: !!str 2\n",
            "f:1: anchors and tags are not supported; a text that begins with & or ! must be in quotes");
    refuses("events:\n  - *\n",
            "f:2: aliases are not supported; a text that begins with * must be in quotes");
    refuses("a: @x", "f:1: a text that begins with @, ` or % must be in quotes");
    refuses("? a\n: b\n", "f:1: keys after a ? are not supported; write key: value");
    refuses("a: 1\n---\nb: 2\n", "f:2: a second document; one file has one document");
    refuses("a: 1\n...\n---\nb: 2\n", "f:3: a second document; one file has one document");
    refuses("a: 1\nb: 2\na: 3\n", "f:3: a: this key is given twice");
    refuses("a: 1\n\"\\x61\": 3\n", "f:2: a: this key is given twice");
    refuses("a: {b: 1,\n b: 2}\n", "f:2: b: this key is given twice");
    refuses("a: 1\nb: \"never\nc: 2\n", "f:2: a quoted text does not end");
    refuses("a: \"\\d\"\n", "f:1: unknown escape in double quotes; a backslash is written \\\\");
    refuses("a: \"\\ud83d\"\n", "f:1: an escape is half of a surrogate pair");
    refuses("a: \"\\U00110000\"\n", "f:1: an escape is not a character");
    refuses("a: \"\\x4\"\n", "f:1: an escape \\x, \\u or \\U has too few hexadecimal digits");
    refuses("a:\n  b: 1\n c: 2\n", "f:3: the indentation fits no collection");
    refuses("a: b\n  c: 1\n", "f:2: the indentation fits no collection");
    refuses("a:\n\tb: 1\n", "f:2: a tab in the indentation");
    refuses("a: |x\n  b\n", "f:1: only a number, + or -, and a comment may follow | or >");
    refuses("a: |\n    \n  b\n",
            "f:1: an empty line before a block has more blanks than the block's first line");
    refuses("a: 1\nb: \xff\n", "f:2: the text is not UTF-8");
    refuses("a: 1\nb: '\x01'\n", "f:2: a control character");
    refuses("a: 1\n# x\rb: 2\n", "f:2: a carriage return without a line feed");
    refuses("a: [1\nb: 2\n", "f:2: a comma or a closing bracket is expected here");
    refuses("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
            "f:1: nested deeper than 32");
    refuses("just text\n", "f:1: a key and a colon are expected here");
}

static void limits(void **state)
{
    struct th_arena mem;
    struct th_node *root;
    struct th_buf text;
    char why[100];

    (void)state;
    th_buf_init(&text, 1u << 20);
    for (unsigned i = 0; i <= 4096; i++)
        th_buf_printf(&text, "k%u: 1\n", i);
    th_arena_init(&mem, 4u << 20);
    assert_int_equal(th_yaml_parse("f", th_buf_view(&text), TH_YAML_MAX, &mem, &root, why, sizeof why),
                     TH_MALFORMED);
    assert_string_equal(why, "f:4097: more than 4096 keys in one map");
    assert_int_equal(th_yaml_parse("f", th_buf_view(&text), 100, &mem, &root, why, sizeof why), TH_TOO_LARGE);
    th_arena_fini(&mem);
    th_arena_init(&mem, 4096);
    assert_int_equal(th_yaml_parse("f", th_buf_view(&text), TH_YAML_MAX, &mem, &root, why, sizeof why),
                     TH_NOMEM);
    assert_string_equal(why, "f: out of memory");
    th_arena_fini(&mem);
    th_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collections), cmocka_unit_test(all_json), cmocka_unit_test(lines_of_a_scalar),
        cmocka_unit_test(refused),     cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
