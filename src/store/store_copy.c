/* Copies all tables of one store into another one.
 *
 * Which tables and columns there are, both databases say themselves, so that none can be forgotten: where they do not have the same, the
 * copy is refused. Rows go in the order of the primary key, in batches of one transaction each, so whatever is there after a death is the
 * beginning of a table, and the copy goes on behind its last row. At the end both are read again from the start and compared; only
 * then may a server use the copy.
 *
 * Both ends must not change meanwhile: they hold the locks that a server would need. */
#include "store/store_copy.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "lib/crypto.h"
#include <stdio.h>
#include <string.h>

#define BATCH_ROWS 2000
#define BATCH_BYTES ((size_t)4 << 20)

struct copy {
    struct st_copy_end *from, *to;
    bool (*say)(void *, const char *, const char *, uint64_t, uint64_t);
    void *ctx;
    struct st_copy_table *tables, *theirs; /* of `from` and of `to`: the same, column by column */
    unsigned count;
    uint64_t done, total;
    char *why;
    size_t why_size;
};

static enum th_error fail_at(struct copy *c, struct st_copy_end *end, enum th_error error, const char *table)
{
    if (!c->why[0])
        snprintf(c->why, c->why_size, "table %s: %s", table, end->vt->why(end));
    return error;
}

static enum th_error refuse(struct copy *c, const char *what, const char *table)
{
    snprintf(c->why, c->why_size,
             "the two stores do not have the same tables: %s \"%s\" is in one of them only", what, table);
    return TH_INVALID;
}

/* ---- which tables ---- */

static enum th_error same_columns(struct copy *c, const struct st_copy_table *a,
                                  const struct st_copy_table *b)
{
    char name[120];

    for (unsigned i = 0; i < a->count || i < b->count; i++)
        if (i >= a->count || i >= b->count || strcmp(a->columns[i].name, b->columns[i].name) != 0 ||
            a->columns[i].is_number != b->columns[i].is_number) {
            snprintf(name, sizeof name, "%s.%s", a->name,
                     i < a->count ? a->columns[i].name : b->columns[i].name);
            return refuse(c, "column", name);
        }
    return a->key_count ? TH_OK : refuse(c, "the key of table", a->name);
}

static enum th_error find_tables(struct copy *c)
{
    unsigned theirs = 0;
    enum th_error error = c->from->vt->tables(c->from, c->tables, &c->count);

    if (error)
        return fail_at(c, c->from, error, "list");
    error = c->to->vt->tables(c->to, c->theirs, &theirs);
    if (error)
        return fail_at(c, c->to, error, "list");
    for (unsigned i = 0; i < c->count || i < theirs; i++) {
        int order = i >= c->count ? 1 : i >= theirs ? -1 : strcmp(c->tables[i].name, c->theirs[i].name);

        if (order)
            return refuse(c, "table", order < 0 ? c->tables[i].name : c->theirs[i].name);
        error = same_columns(c, &c->tables[i], &c->theirs[i]);
        if (error)
            return error;
        c->theirs[i].key_count = c->tables[i].key_count; /* both are read in one order */
        memcpy(c->theirs[i].keys, c->tables[i].keys, sizeof c->theirs[i].keys);
    }
    return TH_OK;
}

/* ---- rows ---- */

static bool say(struct copy *c, const char *what, const char *table)
{
    return !c->say || c->say(c->ctx, what, table, c->done, c->total);
}

/** Copies rows until a batch is full. */
static enum th_error copy_batch(struct copy *c, unsigned at, bool *more)
{
    const struct st_copy_table *t = &c->tables[at];
    struct st_copy_value row[ST_COPY_COLUMNS];
    size_t bytes = 0;
    unsigned rows = 0;
    enum th_error error = c->to->vt->begin(c->to, &c->theirs[at]);

    while (!error && rows < BATCH_ROWS && bytes < BATCH_BYTES) {
        error = c->from->vt->next(c->from, row, more);
        if (error)
            return fail_at(c, c->from, error, t->name);
        if (!*more)
            break;
        error = c->to->vt->write(c->to, row);
        for (unsigned i = 0; i < t->count; i++)
            bytes += t->columns[i].is_number ? 8 : row[i].s.n;
        rows++;
    }
    if (!error)
        error = c->to->vt->commit(c->to);
    c->done += rows;
    return error ? fail_at(c, c->to, error, t->name) : TH_OK;
}

static enum th_error copy_table(struct copy *c, unsigned at, struct st_copy_result *result)
{
    const struct st_copy_table *t = &c->tables[at];
    struct st_copy_value last[ST_COPY_COLUMNS];
    bool found = false, more = true;
    uint64_t there = 0;
    enum th_error error = c->to->vt->last(c->to, &c->theirs[at], last, &found);

    if (!error && found) {
        result->resumed = true;
        error = c->to->vt->count(c->to, &c->theirs[at], &there);
        c->done += there;
    }
    if (error)
        return fail_at(c, c->to, error, t->name);
    error = c->from->vt->read(c->from, t, found ? last : NULL);
    if (error)
        return fail_at(c, c->from, error, t->name);
    while (!error && more) {
        error = copy_batch(c, at, &more);
        if (!error && !say(c, "copying", t->name))
            error = TH_CANCELLED;
    }
    c->from->vt->end_read(c->from);
    return error;
}

/* ---- comparing ---- */

struct sum {
    uint8_t hash[32];
    uint64_t rows;
};

static void put(struct th_buf *b, const struct st_copy_column *column, const struct st_copy_value *v)
{
    uint64_t n = v->null ? UINT64_MAX : column->is_number ? (uint64_t)v->i : v->s.n;

    th_buf_char(b, v->null ? 'n' : column->is_number ? 'i' : 's');
    th_buf_add(b, &n, sizeof n);
    if (!v->null && !column->is_number)
        th_buf_span(b, v->s);
}

static enum th_error sum_up(struct copy *c, struct st_copy_end *end, const struct st_copy_table *t,
                            struct sum *sum)
{
    struct st_copy_value row[ST_COPY_COLUMNS];
    struct th_buf b;
    bool more = true;
    enum th_error error = end->vt->read(end, t, NULL);

    memset(sum, 0, sizeof *sum);
    if (error)
        return fail_at(c, end, error, t->name);
    th_buf_init(&b, (size_t)1 << 31);
    while (!error) {
        error = end->vt->next(end, row, &more);
        if (error || !more)
            break;
        th_buf_reset(&b);
        th_buf_add(&b, sum->hash, sizeof sum->hash);
        for (unsigned i = 0; i < t->count; i++)
            put(&b, &t->columns[i], &row[i]);
        if (b.failed) {
            error = TH_NOMEM;
            break;
        }
        th_sha256(b.p, b.n, sum->hash);
        sum->rows++;
        c->done++;
        if (sum->rows % 1000 == 0 && !say(c, "comparing", t->name))
            error = TH_CANCELLED;
    }
    th_buf_fini(&b);
    end->vt->end_read(end);
    return error ? fail_at(c, end, error, t->name) : TH_OK;
}

static enum th_error compare(struct copy *c, struct st_copy_result *result)
{
    c->done = 0;
    c->total *= 2;
    for (unsigned i = 0; i < c->count; i++) {
        struct sum ours, theirs;
        enum th_error error = sum_up(c, c->from, &c->tables[i], &ours);

        if (!error)
            error = sum_up(c, c->to, &c->theirs[i], &theirs);
        if (error)
            return error;
        if (ours.rows != theirs.rows || memcmp(ours.hash, theirs.hash, sizeof ours.hash) != 0) {
            snprintf(c->why, c->why_size,
                     "table %s differs after the copy (%llu and %llu rows): one of the stores has been "
                     "changed meanwhile. "
                     "Take the copy away and begin anew",
                     c->tables[i].name, (unsigned long long)ours.rows, (unsigned long long)theirs.rows);
            return TH_CORRUPT;
        }
        result->rows += ours.rows;
    }
    return TH_OK;
}

static enum th_error run(struct copy *c, const char *source, struct st_copy_result *result)
{
    enum th_error error = find_tables(c);

    result->tables = c->count;
    if (error)
        return error;
    error = c->to->vt->prepare(c->to, source, c->theirs, c->count);
    if (error) {
        snprintf(c->why, c->why_size, "%s", c->to->vt->why(c->to));
        return error;
    }
    for (unsigned i = 0; i < c->count && !error; i++) {
        uint64_t rows = 0;

        error = c->from->vt->count(c->from, &c->tables[i], &rows);
        c->total += rows;
        if (error)
            return fail_at(c, c->from, error, c->tables[i].name);
    }
    for (unsigned i = 0; i < c->count && !error; i++)
        error = copy_table(c, i, result);
    if (!error)
        error = compare(c, result);
    if (!error) {
        error = c->to->vt->finish(c->to);
        if (error)
            snprintf(c->why, c->why_size, "%s", c->to->vt->why(c->to));
    }
    return error;
}

enum th_error st_copy(struct st_copy_end *from, struct st_copy_end *to, const char *source,
                      bool (*say_)(void *ctx, const char *what, const char *table, uint64_t done,
                                   uint64_t total),
                      void *ctx, struct st_copy_result *result, char *why, size_t why_size)
{
    struct copy c = {.from = from, .to = to, .say = say_, .ctx = ctx, .why = why, .why_size = why_size};
    enum th_error error = TH_NOMEM;

    *result = (struct st_copy_result){0};
    why[0] = '\0';
    c.tables = th_calloc(ST_COPY_TABLES, sizeof *c.tables);
    c.theirs = th_calloc(ST_COPY_TABLES, sizeof *c.theirs);
    if (c.tables && c.theirs)
        error = run(&c, source, result);
    if (error && !why[0])
        snprintf(why, why_size, "%s", th_error_name(error));
    th_free(c.tables);
    th_free(c.theirs);
    return error;
}
