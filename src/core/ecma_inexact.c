/* Where a written text holds numbers that a double cannot hold exactly: what a publisher is warned of.
 *
 * Apart from the writer, which only says that there is one: few events have any, and only their publisher
 * pays for the pointers. */
#include "core/ecma.h"

#define PATH_MAX_BYTES ((size_t)64 * 1024 * 1024)

struct level { /* an object or array that is being walked */
    struct th_json_iter it;
    size_t path_n; /* of its own pointer */
    uint64_t element;
};

struct finder {
    struct th_buf levels, path, scratch;
    void (*found)(void *ctx, struct th_span pointer);
    void *ctx;
};

static void point_at_key(struct finder *f, struct th_json key)
{
    struct th_buf *text = &f->scratch;

    th_buf_char(&f->path, '/');
    th_buf_reset(text);
    th_json_string(key, text);
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] == '~' || text->p[i] == '/')
            th_buf_add(&f->path, text->p[i] == '~' ? "~0" : "~1", 2);
        else
            th_buf_char(&f->path, text->p[i]);
    }
    if (text->failed && !f->path.failed)
        f->path.failed = text->failed;
}

static void visit(struct finder *f, struct th_json v)
{
    if (v.type == TH_JSON_OBJECT || v.type == TH_JSON_ARRAY) {
        struct level l = {.path_n = f->path.n};
        th_json_iter(&l.it, v);
        th_buf_add(&f->levels, &l, sizeof l);
    } else if (v.type == TH_JSON_NUMBER) {
        th_buf_reset(&f->scratch);
        if (!th_ecma_number(v.raw, &f->scratch) && !f->path.failed)
            f->found(f->ctx, th_buf_view(&f->path));
    }
}

/* The next value of the innermost level; false at its end. */
static bool next(struct finder *f, struct th_json *v)
{
    struct level *l = (struct level *)(void *)(f->levels.p + f->levels.n) - 1;
    struct th_json key;

    f->path.n = l->path_n;
    if (!th_json_next(&l->it, &key, v)) {
        f->levels.n -= sizeof *l;
        return false;
    }
    if (l->it.object) {
        point_at_key(f, key);
    } else {
        th_buf_char(&f->path, '/');
        th_buf_u64(&f->path, l->element++);
    }
    return true;
}

enum th_error th_ecma_inexact(struct th_span written, void (*found)(void *ctx, struct th_span pointer),
                              void *ctx)
{
    struct finder f = {.found = found, .ctx = ctx};
    struct th_json v;
    enum th_error error = th_json_parse(written, TH_JSON_DEPTH_MAX, &v, NULL);

    if (error)
        return error;
    th_buf_init(&f.levels, TH_JSON_DEPTH_MAX * sizeof(struct level));
    th_buf_init(&f.path, PATH_MAX_BYTES);
    th_buf_init(&f.scratch, PATH_MAX_BYTES);
    visit(&f, v);
    while (f.levels.n && !f.levels.failed && !f.path.failed)
        if (next(&f, &v))
            visit(&f, v);
    error = f.levels.failed ? f.levels.failed : f.path.failed ? f.path.failed : f.scratch.failed;
    th_buf_fini(&f.levels);
    th_buf_fini(&f.path);
    th_buf_fini(&f.scratch);
    return error;
}
