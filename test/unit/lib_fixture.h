/* What the tests of libtenterhook share: JSON of test data read with the library's own scanner, and requests
 * made from it. */
#ifndef TH_TEST_LIB_FIXTURE_H
#define TH_TEST_LIB_FIXTURE_H
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "corpus.h"
#include "lib/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tenterhook_span span;

#define HEADERS_MAX 24

/* A member that must be there. */
static inline span member(span object, const char *name)
{
    span value;

    if (!tenterhook_member(object, name, &value))
        fail_msg("no member %s in %.*s", name, (int)(object.n < 300 ? object.n : 300), object.p);
    return value;
}

/* A JSON string in fresh memory; free() it. */
static inline char *text_of(span json, size_t *n)
{
    char *out = malloc(json.n + 1);
    size_t len;

    assert_non_null(out);
    assert_true(tenterhook_string(json, out, json.n + 1, &len));
    if (n)
        *n = len;
    return out;
}

static inline span text_member(span object, const char *name)
{
    size_t n;
    char *p = text_of(member(object, name), &n);

    return th_span(p, n);
}

static inline void drop(span s)
{
    free((void *)(uintptr_t)s.p);
}

static inline int64_t int_member(span object, const char *name)
{
    span s = member(object, name);
    int64_t v;

    assert_true(th_lib_decimal(s, &v));
    return v;
}

/* The text behind a collection's opening bracket, for next_of. */
static inline span inside(span collection)
{
    assert_true(collection.n >= 2 && (collection.p[0] == '{' || collection.p[0] == '['));
    return th_span(collection.p + 1, collection.n - 1);
}

/* Takes the next element (or "name": value pair, with its name) off the inside of a collection. False at its
 * end. */
static inline bool next_of(span *rest, span *name, span *value)
{
    const char *p = rest->p, *end = rest->p + rest->n;
    size_t depth = 0;
    bool in = false;

    while (p < end && strchr(", \n\r\t", *p))
        p++;
    if (p == end || *p == ']' || *p == '}')
        return false;
    if (name) {
        const char *q = p + 1;
        while (*q != '"' || q[-1] == '\\')
            q++;
        *name = th_span(p, (size_t)(q + 1 - p));
        for (p = q + 1; *p == ':' || *p == ' ' || *p == '\n';)
            p++;
    }
    value->p = p;
    for (; p < end; p++) {
        if (in) {
            if (*p == '\\')
                p++;
            else if (*p == '"')
                in = false;
        } else if (*p == '"') {
            in = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0)
                break;
        } else if (*p == ',' && depth == 0) {
            break;
        }
    }
    value->n = (size_t)(p - value->p);
    while (value->n && strchr(" \n\r\t", value->p[value->n - 1]))
        value->n--;
    *rest = th_span(p, (size_t)(end - p));
    return true;
}

/* Base64 in fresh memory of exactly its size. */
static inline span unbase64(span text)
{
    uint8_t *out = malloc(text.n + 1);
    size_t n;

    assert_non_null(out);
    assert_true(th_unbase64(text, out, text.n, &n));
    return th_span((char *)out, n);
}

/* A request from a JSON object of headers and a body; request_drop when done. */
struct test_request {
    struct tenterhook_request request;
    struct tenterhook_header headers[HEADERS_MAX];
    char scratch[1 << 16];
};
static inline void request_fill(struct test_request *r, span headers, span body)
{
    span rest = inside(headers), name, value;

    memset(&r->request, 0, sizeof r->request);
    while (next_of(&rest, &name, &value)) {
        struct tenterhook_header *h = &r->headers[r->request.header_count++];
        assert_true(r->request.header_count <= HEADERS_MAX);
        h->name.p = text_of(name, &h->name.n);
        h->value.p = text_of(value, &h->value.n);
    }
    r->request.headers = r->headers;
    r->request.body = body.p;
    r->request.body_len = body.n;
    r->request.scratch = r->scratch;
    r->request.scratch_len = sizeof r->scratch;
}
static inline void request_drop(struct test_request *r)
{
    for (size_t i = 0; i < r->request.header_count; i++) {
        drop(r->headers[i].name);
        drop(r->headers[i].value);
    }
}

/* A file of the source tree or beside it; .p is NULL when it cannot be read. free() it. */
static inline span tree_file(const char *name)
{
    char path[4096];
    struct th_span s;

    snprintf(path, sizeof path, "%s/%s", TH_TEST_ROOT, name);
    s = corpus_load(path);
    return th_span(s.p, s.n);
}
static inline span corpus_file(const char *name)
{
    struct th_span s = corpus_read(name);

    return th_span(s.p, s.n);
}
/* The vectors stand beside the corpora. */
static inline span vector_file(const char *dialect)
{
    char name[128];

    snprintf(name, sizeof name, "../vectors/%s.json", dialect);
    return corpus_file(name);
}
#endif
