/* Programs: the same out of YAML's nodes and out of JSON, values in all places and forms, and runs that end whatever an
 * environment says. */
#include "core/program/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct made {
    struct th_arena mem;
    struct th_compile_error error;
    struct th_where where;
    struct th_program program;
};

static void begin(struct made *m)
{
    *m = (struct made){.error = {.line = 0}};
    th_arena_init(&m->mem, 1u << 20);
    m->where = (struct th_where){.arena = &m->mem, .error = &m->error};
}

static bool shape(struct made *m, enum th_field_place place, const char *json)
{
    struct th_shape_context c = {.place = place, .created = 7};
    struct th_node *root;
    struct th_json v;

    assert_int_equal(th_json_parse(th_str(json), TH_JSON_DEPTH, &v, NULL), TH_OK);
    assert_int_equal(th_node_of_json(v, &m->mem, &root), TH_OK);
    return th_shape_compile(&m->where, &c, root, &m->program);
}

static bool get(void *ctx, const struct th_field_ref *from, unsigned index, struct th_program_value *out)
{
    (void)ctx;
    *out = (struct th_program_value){.kind = TH_V_TEXT};
    switch (from->field) {
    case TH_F_EVENT_ID:
        out->s = TH_LIT("evt_1");
        return true;
    case TH_F_EVENT_TYPE:
        out->s = TH_LIT("a\"b\n");
        return true;
    case TH_F_EVENT_TIME:
    case TH_F_TS:
        out->kind = TH_V_TIME;
        out->i = 1775116800123;
        return true;
    case TH_F_ATTEMPT_NUMBER:
        out->kind = TH_V_INT;
        out->i = 3;
        return true;
    case TH_F_DATA:
        out->kind = TH_V_JSON;
        out->s = TH_LIT("{ \"x\":1.0}");
        return true;
    case TH_F_ATTRIBUTE:
        out->kind = TH_V_JSON;
        out->s = th_span_is(from->arg, "text") ? TH_LIT("\"\\u00e4 b\"")
                 : th_span_is(from->arg, "n")  ? TH_LIT("1.50")
                                               : TH_LIT("");
        return out->s.n > 0;
    case TH_A_ID:
        out->kind = TH_V_INT;
        out->i = index;
        return true;
    default:
        return false;
    }
}

static unsigned endless(void *ctx, enum th_field_list list)
{
    (void)ctx;
    (void)list;
    return UINT32_MAX;
}

static bool holds(void *ctx, unsigned condition, struct th_span text)
{
    (void)text;
    return condition == 7 && ctx != NULL;
}

static void writes(struct made *m, void *ctx, const char *want)
{
    const struct th_env env = {.get = get, .holds = holds, .ctx = ctx};
    struct th_buf out;

    th_buf_init(&out, 1u << 20);
    assert_int_equal(th_program_write(&m->program, &env, &out), TH_OK);
    assert_string_equal(th_buf_cstr(&out), want);
    th_buf_fini(&out);
    th_arena_fini(&m->mem);
}

static void test_envelope(void **state)
{
    struct made m;

    (void)state;
    begin(&m);
    assert_true(shape(
        &m, TH_IN_ENVELOPE,
        "[{\"name\":\"id\",\"from\":\"event.id\"},{\"name\":\"t\",\"from\":\"event.type\"},"
        "{\"name\":\"at\",\"from\":\"event.time\",\"as\":\"unix\"},"
        "{\"name\":\"ms\",\"from\":\"event.time\",\"as\":\"rfc3339_millis\"},"
        "{\"name\":\"none\",\"from\":\"event.resource_id\"},"
        "{\"name\":\"null\",\"from\":\"event.resource_id\",\"null\":true},"
        "{\"name\":\"else\",\"from\":\"tenant.attributes.no\",\"otherwise\":\"tenant.attributes.text\"},"
        "{\"name\":\"n\",\"from\":\"tenant.attributes.n\"},"
        "{\"name\":\"map\",\"from\":\"event.id\",\"map\":{\"evt_1\":true,\"*\":\"other\"}},"
        "{\"name\":\"c\",\"value\":2},{\"name\":\"s\",\"value\":\"2\"},"
        "{\"name\":\"data\",\"shape\":[{\"name\":\"object\",\"from\":\"data\"}]}]"));
    assert_true(m.program.flags & TH_FIELD_IS_REQUIRED);
    assert_false(m.program.flags & TH_FIELD_IS_DELIVERY);
    writes(&m, NULL,
           "{\"id\":\"evt_1\",\"t\":\"a\\\"b\\n\",\"at\":1775116800,\"ms\":\"2026-04-02T08:00:00.123Z\","
           "\"null\":null,"
           "\"else\":\"\xc3\xa4 b\",\"n\":1.50,\"map\":true,\"c\":2,\"s\":\"2\",\"data\":{\"object\":{ "
           "\"x\":1.0}}}");
    begin(&m);
    assert_true(shape(&m, TH_IN_ENVELOPE, "[{\"name\":\"n\",\"from\":\"attempt.number\"}]"));
    assert_true(m.program.flags & TH_FIELD_IS_DELIVERY);
    writes(&m, NULL, "{\"n\":3}");
}

static void test_created(void **state)
{
    const char *json =
        "[{\"name\":\"a\",\"value\":1},{\"name\":\"b\",\"value\":2,\"when\":\"created\"},{\"name\":\"c\","
        "\"value\":3}]";
    struct made m;

    (void)state;
    begin(&m);
    assert_true(shape(&m, TH_IN_API, json));
    writes(&m, NULL, "{\"a\":1,\"c\":3}");
    begin(&m);
    assert_true(shape(&m, TH_IN_API, json));
    writes(&m, &m, "{\"a\":1,\"b\":2,\"c\":3}");
}

static void refuses(enum th_field_place place, const char *json, unsigned line, const char *key,
                    const char *what)
{
    struct made m;

    begin(&m);
    assert_false(shape(&m, place, json));
    assert_int_equal(m.error.line, line);
    assert_string_equal(m.error.key, key);
    assert_string_equal(m.error.what, what);
    th_arena_fini(&m.mem);
}

static void test_refused(void **state)
{
    (void)state;
    refuses(TH_IN_ENVELOPE, "[\n{\"name\":\"a\",\n\"from\":\"event.idd\"}]", 3, "[0].from",
            "unknown source \"event.idd\"");
    refuses(TH_IN_ENVELOPE, "[{\"name\":\"a\",\"from\":\"ts\"}]", 1, "[0].from",
            "\"ts\" has no meaning here");
    refuses(TH_IN_ENVELOPE, "[{\"name\":\"a\",\"from\":\"url\"}]", 1, "[0].from", "unknown source \"url\"");
    refuses(TH_IN_API, "[{\"name\":\"a\",\"from\":\"event.id\"}]", 1, "[0].from",
            "unknown source \"event.id\"");
    refuses(TH_IN_ENVELOPE, "[{\"name\":\"a\",\"from\":\"/a~2\"}]", 1, "[0].from",
            "is not a JSON pointer: ~ is written ~0, and / in a name ~1");
    refuses(TH_IN_API, "[{\"name\":\"a\",\"each\":\"things\",\"shape\":[]}]", 1, "[0].each",
            "unknown list; one of: endpoints, deliveries, errors");
}

/* A list of four thousand million elements, which nothing stops. */
static void test_steps(void **state)
{
    const struct th_env env = {.get = get, .count = endless};
    struct th_program_run run;
    struct th_buf out;
    struct made m;

    (void)state;
    begin(&m);
    assert_true(shape(&m, TH_IN_API, "{\"each\":\"errors\",\"shape\":[{\"name\":\"i\",\"from\":\"id\"}]}"));
    th_buf_init(&out, (size_t)64 << 20);
    assert_int_equal(th_program_write(&m.program, &env, &out), TH_TOO_LARGE);
    assert_true(out.n < 16u << 20);
    th_buf_reset(&out);
    th_program_begin(&run, &m.program, &out); /* in steps: it pauses behind an element */
    assert_false(th_program_step(&run, &env, 10));
    assert_string_equal(th_buf_cstr(&out), "[{\"i\":0},{\"i\":1}");
    assert_false(th_program_step(&run, &env, out.n + 1));
    assert_string_equal(th_buf_cstr(&out), "[{\"i\":0},{\"i\":1},{\"i\":2}");
    th_program_end(&run, false);
    th_buf_fini(&out);
    th_arena_fini(&m.mem);
}

static bool compile(struct made *m, const char *text, enum th_field_place place, enum th_form ts)
{
    begin(m);
    return th_template_compile(&m->where, th_str(text), 1, place, ts, TH_LIT("v9"), &m->program);
}

static void test_templates(void **state)
{
    struct made m;

    (void)state;
    assert_true(compile(&m, "{{{event.id}}} {ts} {attempt.number} {schema.version}{event.time}", TH_IN_HEADER,
                        TH_FORM_UNIX_MILLIS));
    writes(&m, NULL, "{evt_1} 1775116800123 3 v92026-04-02T08:00:00Z");
    assert_true(compile(&m, "{ts}.{tenant.attributes.n}", TH_IN_HEADER, TH_FORM_UNIX));
    writes(&m, NULL, "1775116800.1.50");
    assert_false(compile(&m, "{tenant.attributes.n}", TH_IN_CONTENT, TH_FORM_UNIX));
    assert_string_equal(m.error.what, "{tenant.attributes.n} has no meaning here");
    th_arena_fini(&m.mem);
    assert_false(compile(&m, "{/a}", TH_IN_HEADER, TH_FORM_UNIX));
    assert_string_equal(m.error.what, "unknown variable {/a}");
    th_arena_fini(&m.mem);
}

/* A value that a header line cannot carry is not sent; in a body it is escaped. */
static void test_header_bytes(void **state)
{
    const struct th_env env = {.get = get};
    struct th_buf out;
    struct made m;

    (void)state;
    th_buf_init(&out, 1000);
    assert_true(compile(&m, "x {event.type}", TH_IN_HEADER, TH_FORM_UNIX));
    assert_int_equal(th_program_write(&m.program, &env, &out), TH_INVALID);
    th_arena_fini(&m.mem);
    th_buf_fini(&out);
    for (unsigned c = 0; c < 256; c++)
        for (unsigned at = 0; at < 20; at++) {
            char text[20];

            memset(text, '~', sizeof text);
            text[at] = (char)c;
            assert_int_equal(th_program_visible(th_span(text, sizeof text)), c >= ' ' && c <= '~');
            assert_int_equal(th_program_visible(th_span(text + at, 1)), c >= ' ' && c <= '~');
        }
}

static void test_nodes(void **state)
{
    static const char json[] = "{\"a\":[1,true,null,\"x\\n\"],\"b\":{\"c\":\"\"}}";
    char deep[200];
    struct th_arena mem;
    struct th_node *root;
    struct th_json v;
    struct th_buf out;
    struct th_jw w = th_jw(&out);

    (void)state;
    th_arena_init(&mem, 1u << 20);
    th_buf_init(&out, 1000);
    assert_int_equal(th_json_parse(th_str(json), TH_JSON_DEPTH, &v, NULL), TH_OK);
    assert_int_equal(th_node_of_json(v, &mem, &root), TH_OK);
    assert_true(th_node_write(root, false, &w));
    assert_string_equal(th_buf_cstr(&out), json);
    memset(deep, '[', 33);
    memset(deep + 33, ']', 33);
    assert_int_equal(th_json_parse(th_span(deep, 66), TH_JSON_DEPTH, &v, NULL), TH_OK);
    assert_int_equal(th_node_of_json(v, &mem, &root), TH_TOO_LARGE);
    th_buf_fini(&out);
    th_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),  cmocka_unit_test(test_created),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_steps),
        cmocka_unit_test(test_templates), cmocka_unit_test(test_header_bytes),
        cmocka_unit_test(test_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
