/* What the dialect tests share: files of test data read through our own JSON reader, and rendered requests.
 */
#ifndef TH_TEST_DIALECT_FIXTURE_H
#define TH_TEST_DIALECT_FIXTURE_H
#include "base/enc.h"
#include "base/json.h"
#include "core/dialect.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/** Reads a file of the shared test data: below $VARIABLE, or below `folder` beside the source tree. False:
 * not there. */
static inline bool fixture_file(const char *variable, const char *folder, const char *name,
                                struct th_buf *text)
{
    const char *dir = getenv(variable);
    char path[1024];
    FILE *f;

    if (dir)
        snprintf(path, sizeof path, "%s/%s", dir, name);
    else
        snprintf(path, sizeof path, TH_TEST_ROOT "/../shared/%s/%s", folder, name);
    th_buf_init(text, 64u << 20);
    f = fopen(path, "rb");
    if (!f)
        return false;
    for (size_t n = 1; n;) {
        char *room = th_buf_room(text, 65536);
        assert_non_null(room);
        n = fread(room, 1, 65536, f);
        text->n += n;
    }
    fclose(f);
    return true;
}

static inline struct th_json fixture_json(struct th_span text)
{
    struct th_json root;
    struct th_json_error error = {0};

    if (th_json_parse(text, TH_JSON_DEPTH_MAX, &root, &error) != TH_OK)
        fail_msg("test data: %u:%u: %s", error.line, error.column, error.what);
    return root;
}

static inline bool fixture_has(struct th_json object, const char *name, struct th_json *out)
{
    return th_json_member(object, th_str(name), out) && out->type != TH_JSON_NULL;
}

static inline struct th_json fixture_get(struct th_json object, const char *name)
{
    struct th_json v;

    if (!th_json_member(object, th_str(name), &v))
        fail_msg("test data: no member %s in %.*s", name, (int)object.raw.n, object.raw.p);
    return v;
}

/** A string's text in fresh memory (free with test_free), or the raw text of any other value. */
static inline char *fixture_text(struct th_json v, size_t *n)
{
    struct th_buf b;
    char *out;

    th_buf_init(&b, 64u << 20);
    if (v.type == TH_JSON_STRING)
        assert_true(th_json_string(v, &b));
    else
        th_buf_span(&b, v.raw);
    assert_int_equal(b.failed, TH_OK);
    out = test_malloc(b.n + 1);
    if (b.n)
        memcpy(out, b.p, b.n);
    out[b.n] = 0;
    if (n)
        *n = b.n;
    th_buf_fini(&b);
    return out;
}

static inline int64_t fixture_i64(struct th_json object, const char *name)
{
    int64_t v = 0;

    assert_true(th_json_i64(fixture_get(object, name), &v));
    return v;
}

static inline bool fixture_is(struct th_json v, const char *text)
{
    return v.type == TH_JSON_STRING && th_json_string_eq(v, th_str(text));
}

/** Texts that live until the end of a case. */
struct fixture_pool {
    char *v[64];
    unsigned count;
};
static inline struct th_span fixture_span(struct fixture_pool *pool, struct th_json v)
{
    size_t n;
    char *text = fixture_text(v, &n);

    assert_in_range(pool->count, 0, 63);
    pool->v[pool->count++] = text;
    return th_span(text, n);
}
static inline struct th_span fixture_opt(struct fixture_pool *pool, struct th_json object, const char *name)
{
    struct th_json v;

    return fixture_has(object, name, &v) ? fixture_span(pool, v) : th_span("", 0);
}
static inline void fixture_pool_free(struct fixture_pool *pool)
{
    while (pool->count)
        test_free(pool->v[--pool->count]);
}

/** Value of a field line in a rendered head; false when absent. */
static inline bool fixture_line(struct th_span head, struct th_span name, struct th_span *value)
{
    const char *p = head.p, *end = head.p + head.n;

    while (p < end) {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2), *colon;
        assert_non_null(eol);
        colon = memchr(p, ':', (size_t)(eol - p));
        assert_non_null(colon);
        if (th_span_ieq(th_span(p, (size_t)(colon - p)), name)) {
            assert_int_equal(colon[1], ' ');
            *value = th_span(colon + 2, (size_t)(eol - colon - 2));
            return true;
        }
        p = eol + 2;
    }
    return false;
}

static inline unsigned fixture_lines(struct th_span head)
{
    unsigned n = 0;

    for (size_t i = 0; i + 1 < head.n; i++)
        n += head.p[i] == '\r' && head.p[i + 1] == '\n';
    return n;
}
#endif
