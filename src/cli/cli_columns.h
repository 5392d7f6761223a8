/* Tables with aligned columns, for people. */
#ifndef TH_CLI_COLUMNS_H
#define TH_CLI_COLUMNS_H
#include "cli/cli.h"

struct th_columns {
    struct th_cli *cli;
    unsigned columns, cells, status_column; /* status_column: the coloured one; equal to columns: none */
    const char **cell;
    unsigned cap;
};
/** heads: "ID\0URL\0..." column names, `columns` of them. */
void th_columns_init(struct th_columns *t, struct th_cli *cli, unsigned columns, const char *const *heads);
void th_columns_add(struct th_columns *t, const char *cell);
unsigned th_columns_rows(const struct th_columns *t);
/** Prints with aligned columns; on a terminal that is too narrow a row takes several lines. */
void th_columns_print(const struct th_columns *t);
#endif
