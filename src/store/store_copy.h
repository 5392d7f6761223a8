/* Copies all tables of one store into another one, row by row, whatever their databases. */
#ifndef TH_STORE_COPY_H
#define TH_STORE_COPY_H
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

#define ST_COPY_COLUMNS 32
#define ST_COPY_TABLES 64

struct st_copy_column {
    char name[48];
    bool is_number;
    bool is_text; /* SQLite: TEXT, else BLOB; PostgreSQL: text, else bytea */
    int width;    /* PostgreSQL: bytes of a number */
};

struct st_copy_table {
    char name[48];
    unsigned count, key_count;
    struct st_copy_column columns[ST_COPY_COLUMNS];
    unsigned keys[4]; /* columns of the primary key, in its order */
};

/** A value; s is borrowed until the next row of the same reader. */
struct st_copy_value {
    bool null;
    int64_t i;
    struct th_span s;
};

/** One of the two stores. Errors leave a reason in why(). One thread. */
struct st_copy_end {
    const struct st_copy_vt *vt;
};

struct st_copy_vt {
    /** Every table that belongs to the store's content, by name, with its columns by name. */
    enum th_error (*tables)(struct st_copy_end *, struct st_copy_table *out, unsigned *count);
    enum th_error (*count)(struct st_copy_end *, const struct st_copy_table *, uint64_t *rows);
    /** Begins to read a table in the order of its key, behind a key or (NULL) from the start. */
    enum th_error (*read)(struct st_copy_end *, const struct st_copy_table *,
                          const struct st_copy_value *after);
    /** The next row; *more false: there is none. */
    enum th_error (*next)(struct st_copy_end *, struct st_copy_value *row, bool *more);
    void (*end_read)(struct st_copy_end *);
    /** The last row of a table in the order of its key, for writing on behind it. */
    enum th_error (*last)(struct st_copy_end *, const struct st_copy_table *, struct st_copy_value *row,
                          bool *found);
    /** Makes room for the content: on an end that is prepared for a copy from `source`, and otherwise after having made it empty.
     * TH_CONFLICT: it has content of its own, or that of another source. */
    enum th_error (*prepare)(struct st_copy_end *, const char *source, const struct st_copy_table *,
                             unsigned count);
    /** One batch: begin, rows, commit. */
    enum th_error (*begin)(struct st_copy_end *, const struct st_copy_table *);
    enum th_error (*write)(struct st_copy_end *, const struct st_copy_value *row);
    enum th_error (*commit)(struct st_copy_end *);
    /** All is there and was compared: a server may use it from now on. */
    enum th_error (*finish)(struct st_copy_end *);
    const char *(*why)(struct st_copy_end *);
    void (*close)(struct st_copy_end *);
};

struct st_copy_result {
    unsigned tables;
    uint64_t rows;
    bool resumed; /* a part was there already */
};

/** Copies, then reads both again and compares number and SHA-256 of the rows of each table, then finishes. `say` is called often; what:
 * "copying" or "comparing"; false ends the work, which can be taken up again. TH_INVALID: the ends have different tables.
 * TH_CORRUPT: they differ after the copy. TH_CANCELLED. `why` says what. */
TH_MUST_USE enum th_error st_copy(struct st_copy_end *from, struct st_copy_end *to, const char *source,
                                  bool (*say)(void *ctx, const char *what, const char *table, uint64_t done,
                                              uint64_t total),
                                  void *ctx, struct st_copy_result *result, char *why, size_t why_size);
#endif
