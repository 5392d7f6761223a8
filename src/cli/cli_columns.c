/* Tables with aligned columns, for people. On a terminal that is too narrow a row takes several lines. */
#include "cli/cli_columns.h"
#include "base/alloc.h"
#include "base/unseen.h"
#include "cli/cli.h"
#include "cli/cli_out.h"
#include "cli/cli_progress.h"
#include "cli/cli_stream.h"
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

#define COLUMNS_MAX 16
#define GAP 2u   /* between columns */
#define INDENT 4 /* indentation of a row's further lines */

void th_columns_init(struct th_columns *t, struct th_cli *cli, unsigned columns, const char *const *heads)
{
    *t = (struct th_columns){.cli = cli, .columns = columns, .status_column = columns};
    for (unsigned i = 0; i < columns; i++) {
        if (strcmp(heads[i], "STATUS") == 0)
            t->status_column = i;
        th_columns_add(t, heads[i]);
    }
}

void th_columns_add(struct th_columns *t, const char *cell)
{
    if (t->cells == t->cap) {
        unsigned cap = t->cap ? t->cap * 2 : 256;
        const char **more = th_arena_get(&t->cli->mem, cap * sizeof *more);
        if (!more)
            exit(th_cli_nomem(t->cli));
        if (t->cells)
            memcpy(more, t->cell, t->cells * sizeof *more);
        t->cell = more;
        t->cap = cap;
    }
    t->cell[t->cells++] = cell;
}

unsigned th_columns_rows(const struct th_columns *t)
{
    return t->cells / t->columns - 1;
}

/* The number of terminal columns that print_cell fills: 0 for a combining character, 2 for a wide one, those
 * of its escape for an escaped one. The locale knows these; where it does not, a character counts 1. */
static unsigned width(const char *s)
{
    const char *end = s + strlen(s);
    unsigned columns = 0;

    for (size_t used; s < end; s += used) {
        char text[16];
        uint32_t c;
        int wide = th_print_is_harmful(s, end, &c, &used) ? th_escaped(text, c, used) : wcwidth((wchar_t)c);
        columns += wide < 0 ? 1 : (unsigned)wide;
    }
    return columns;
}

/* The column at which a row goes on in a further, indented line, because the terminal has no room for it. */
static void fold(const struct th_columns *t, const unsigned *wide, bool *breaks)
{
    unsigned columns = t->cli->terminal ? th_terminal_columns(STDOUT_FILENO) : UINT_MAX / 2, at = wide[0];

    breaks[0] = false;
    for (unsigned i = 1; i < t->columns; i++) {
        breaks[i] = at + GAP + wide[i] > columns;
        at = (breaks[i] ? INDENT : at + GAP) + wide[i];
    }
}

static void print_cell(const struct th_columns *t, unsigned i)
{
    const char *colour = i < t->columns                       ? th_dim(t->cli)
                         : i % t->columns == t->status_column ? th_status_colour(t->cli, t->cell[i])
                                                              : "";

    fputs(colour, stdout);
    th_print_line(stdout, th_str(t->cell[i])); /* a cell with lines would look like rows */
    fputs(*colour ? th_plain(t->cli) : "", stdout);
}

void th_columns_print(const struct th_columns *t)
{
    unsigned wide[COLUMNS_MAX] = {0};
    bool breaks[COLUMNS_MAX];
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = uselocale(utf8);

    for (unsigned i = 0; i < t->cells; i++)
        if (width(t->cell[i]) > wide[i % t->columns])
            wide[i % t->columns] = width(t->cell[i]);
    fold(t, wide, breaks);
    for (unsigned i = 0; i < t->cells; i++) {
        unsigned column = i % t->columns;

        print_cell(t, i);
        if (column + 1 == t->columns)
            putchar('\n');
        else if (breaks[column + 1])
            printf("\n%*s", INDENT, "");
        else
            printf("%*s", (int)(wide[column] - width(t->cell[i]) + GAP), "");
    }
    uselocale(before);
    if (utf8)
        freelocale(utf8);
}
