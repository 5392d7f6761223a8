/* Writes every value of a dialect, by the tables of the schema: what GET /v1/dialects/NAME shows. */
#include "core/dialect_tables.h"
#include "core/retry_own.h"

static void show_map(const struct dl_table *t, const char *base, struct th_jw *w);

static void show_text(struct th_span s, struct th_jw *w)
{
    if (s.p)
        th_jw_string(w, s);
    else
        th_jw_null(w);
}

static void show_elements(const struct dl_row *row, const char *base, struct th_jw *w)
{
    unsigned count = *(const unsigned *)(const void *)(base + row->count_at);

    if (row->kind == DICT)
        th_jw_object(w);
    else
        th_jw_array(w);
    for (unsigned i = 0; i < count; i++) {
        const char *at = base + row->at + i * (row->kind == NUMBERS ? sizeof(uint32_t) : row->stride);
        if (row->kind == DICT)
            th_jw_key(w, ((const struct dl_text *)(const void *)at)->s);
        if (row->kind == NUMBERS)
            th_jw_u64(w, *(const uint32_t *)(const void *)at);
        else
            show_map(row->sub, at, w);
    }
    if (row->kind == DICT)
        th_jw_end_object(w);
    else
        th_jw_end_array(w);
}

static void show_value(const struct dl_row *row, const char *base, struct th_jw *w)
{
    const void *at = base + row->at;

    switch (row->kind) {
    case TEXT:
        show_text(((const struct dl_text *)at)->s, w);
        break;
    case NUMBER:
        th_jw_u64(w, *(const uint32_t *)at);
        break;
    case BOOL:
        th_jw_bool(w, *(const bool *)at);
        break;
    case ENUM: {
        unsigned v = *(const unsigned *)at;
        show_text(v ? th_str(row->names[v - 1]) : (struct th_span){NULL, 0}, w);
        break;
    }
    case STATUSES:
        th_retry_statuses_write(at, w);
        break;
    case SHAPE:
        if (((const struct dl_node_ref *)at)->json.p)
            th_jw_raw(w, ((const struct dl_node_ref *)at)->json);
        else
            th_jw_null(w);
        break;
    case MAP:
        show_map(row->sub, base, w);
        break;
    case NUMBERS:
    case LIST:
    case DICT:
        show_elements(row, base, w);
        break;
    }
}

static void show_map(const struct dl_table *t, const char *base, struct th_jw *w)
{
    if (t->scalar) {
        show_value(t->scalar, base, w);
        return;
    }
    th_jw_object(w);
    for (unsigned i = 0; i < t->count; i++) {
        th_jw_key(w, th_str(t->rows[i].key));
        show_value(&t->rows[i], base, w);
    }
    th_jw_end_object(w);
}

void th_dialect_show_spec(const struct dl_spec *spec, struct th_jw *w)
{
    for (unsigned i = 0; i < th_dialect_schema.count; i++) {
        th_jw_key(w, th_str(th_dialect_schema.rows[i].key));
        show_value(&th_dialect_schema.rows[i], (const char *)spec, w);
    }
}
