/* JSON test suite (names begin with y, n or i), its transform files, and the naughty strings, which must come
 * through writer and reader byte for byte. */
#include "base/json.h"
#include "corpus.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Walks every member and element below v, without recursion, and counts values; the spans must lie inside. */
static size_t walk(struct th_json v)
{
    static struct th_json todo[200000];
    size_t n = 1, seen = 0;

    todo[0] = v;
    while (n) {
        struct th_json_iter it;
        struct th_json at = todo[--n], key, value;

        seen++;
        th_json_iter(&it, at);
        while (th_json_next(&it, &key, &value)) {
            assert_true(value.raw.p > at.raw.p && value.raw.p + value.raw.n < at.raw.p + at.raw.n);
            assert_true(n < sizeof todo / sizeof todo[0]);
            todo[n++] = value;
        }
    }
    return seen;
}

static void parsing(void **state)
{
    DIR *dir = opendir(corpus_path("json-test-suite/test_parsing"));
    unsigned accepted = 0, refused = 0, either = 0, wrong = 0;
    struct dirent *entry;
    (void)state;

    if (!dir)
        skip();
    while ((entry = readdir(dir))) {
        char name[512];
        struct th_span text;
        struct th_json v;
        struct th_json_error e;
        enum th_error got;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "json-test-suite/test_parsing/%s", entry->d_name);
        text = corpus_read(name);
        assert_non_null(text.p);
        got = th_json_parse(text, TH_JSON_DEPTH, &v, &e);
        if (!got)
            walk(v);
        else
            assert_true(e.offset <= text.n && e.what);
        if (entry->d_name[0] == 'i')
            either++;
        else if ((entry->d_name[0] == 'y') != !got) {
            print_message("%s: %s\n", entry->d_name, th_error_name(got));
            wrong++;
        } else if (got)
            refused++;
        else
            accepted++;
        free((void *)(uintptr_t)text.p);
    }
    closedir(dir);
    print_message("%u accepted, %u refused, %u either, %u wrong\n", accepted, refused, either, wrong);
    assert_int_equal(wrong, 0);
    assert_true(accepted >= 90 && refused >= 180);
}

/* The span of the value is what goes to receivers: the file's bytes without the white space around it. */
static void transform(void **state)
{
    DIR *dir = opendir(corpus_path("json-test-suite/test_transform"));
    struct dirent *entry;
    unsigned n = 0;
    (void)state;

    if (!dir)
        skip();
    while ((entry = readdir(dir))) {
        char name[512];
        struct th_span text, want;
        struct th_json v;
        struct th_json_error e;
        struct th_buf b;
        struct th_jw w;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "json-test-suite/test_transform/%s", entry->d_name);
        text = corpus_read(name);
        assert_non_null(text.p);
        want = text;
        while (want.n && memchr(" \t\r\n", want.p[want.n - 1], 4))
            want.n--;
        while (want.n && memchr(" \t\r\n", *want.p, 4))
            want.p++, want.n--;
        if (th_json_parse(text, TH_JSON_DEPTH, &v, &e)) {
            /* bytes that are not UTF-8 cannot pass: receivers would read other text than was signed */
            assert_string_equal(e.what, "string is not UTF-8");
            print_message("refused: %s\n", entry->d_name);
        } else {
            th_buf_init(&b, 1 << 20);
            w = th_jw(&b);
            th_jw_raw(&w, v.raw);
            assert_true(th_span_eq(th_buf_view(&b), want));
            th_buf_fini(&b);
            n++;
        }
        free((void *)(uintptr_t)text.p);
    }
    closedir(dir);
    print_message("%u files unchanged\n", n);
    assert_true(n >= 15);
}

static void naughty_strings(void **state)
{
    struct th_span file = corpus_read("naughty-strings/blns.json");
    struct th_json root, item, back;
    struct th_json_iter it;
    unsigned n = 0;
    (void)state;

    if (!file.p)
        skip();
    assert_int_equal(th_json_parse(file, TH_JSON_DEPTH, &root, NULL), TH_OK);
    for (th_json_iter(&it, root); th_json_next(&it, NULL, &item); n++) {
        struct th_buf plain, written, again;
        struct th_jw w;

        th_buf_init(&plain, 1 << 16);
        th_buf_init(&written, 1 << 16);
        th_buf_init(&again, 1 << 16);
        assert_true(th_json_string(item, &plain));
        w = th_jw(&written);
        th_jw_string(&w, th_buf_view(&plain));
        assert_int_equal(th_json_parse(th_buf_view(&written), 1, &back, NULL), TH_OK);
        assert_true(th_json_string(back, &again));
        assert_true(th_span_eq(th_buf_view(&plain), th_buf_view(&again)));
        assert_true(th_json_string_eq(item, th_buf_view(&again)));
        th_buf_fini(&plain);
        th_buf_fini(&written);
        th_buf_fini(&again);
    }
    free((void *)(uintptr_t)file.p);
    print_message("%u strings\n", n);
    assert_true(n >= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),
        cmocka_unit_test(transform),
        cmocka_unit_test(naughty_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
