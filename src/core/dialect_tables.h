/* The types of the schema's tables. Private to dialect_schema.c, which has the tables, and to dialect_read.c and
 * dialect_show.c, which walk them. */
#ifndef TH_CORE_DIALECT_TABLES_H
#define TH_CORE_DIALECT_TABLES_H
#include "core/dialect_parts.h"

enum dl_kind { TEXT, NUMBER, BOOL, ENUM, STATUSES, NUMBERS, MAP, LIST, DICT, SHAPE };
struct dl_table;
struct dl_row {
    const char *key;
    enum dl_kind kind;
    bool required;
    size_t at; /* offset in the record of this table */
    /* NUMBER: range and default. BOOL and ENUM: `def`. LIST, DICT and NUMBERS: how many elements there may be. */
    uint32_t min, max, def;
    const char *def_text;     /* TEXT */
    const char *const *names; /* ENUM: NULL-terminated; stored from 1 */
    const struct dl_table
        *sub;                /* MAP, LIST, DICT (DICT: the key goes into the first dl_text of the element) */
    size_t count_at, stride; /* LIST, DICT, NUMBERS */
};
struct dl_table {
    const struct dl_row *rows;
    unsigned count;
    const struct dl_row *scalar; /* of a DICT element that is written as one scalar */
};

/** The whole file. */
extern const struct dl_table th_dialect_schema;
#endif
