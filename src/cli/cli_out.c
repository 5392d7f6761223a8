/* Output: colours, tables, JSON with indentation, and text of others made harmless. Colour only on a
 * terminal, and not when NO_COLOR is set (no-color.org). */
#include "cli/cli.h"
#include "cli/cli_progress.h"
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

static const char *when(const struct th_cli *cli, const char *code)
{
    return cli->colour ? code : "";
}

const char *th_red(const struct th_cli *cli)
{
    return when(cli, "\033[31m");
}
const char *th_green(const struct th_cli *cli)
{
    return when(cli, "\033[32m");
}
const char *th_yellow(const struct th_cli *cli)
{
    return when(cli, "\033[33m");
}
const char *th_dim(const struct th_cli *cli)
{
    return when(cli, "\033[2m");
}
const char *th_bold(const struct th_cli *cli)
{
    return when(cli, "\033[1m");
}
const char *th_plain(const struct th_cli *cli)
{
    return when(cli, "\033[0m");
}

const char *th_status_colour(const struct th_cli *cli, const char *s)
{
    static const char *const good[] = {"delivered", "success", "yes", "ok", "done", "finished", "active"};
    static const char *const waits[] = {"pending", "retrying", "held", "paused", "running", "note"};

    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        if (strcmp(s, good[i]) == 0)
            return th_green(cli);
    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++)
        if (strcmp(s, waits[i]) == 0)
            return th_yellow(cli);
    return strcmp(s, "-") == 0 || strcmp(s, "cancelled") == 0 ? th_dim(cli) : th_red(cli);
}

/* Bytes at p that a terminal must not get: 1 or 2 of a control character (C1 has two in UTF-8), 1 of what is no UTF-8. */
static size_t harmful(const char *p, size_t n, bool utf8)
{
    unsigned char c = (unsigned char)p[0];

    if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
        return 1;
    return c == 0xc2 && n > 1 && (unsigned char)p[1] < 0xa0 ? 2 : 0;
}

static void print_harmless(FILE *to, struct th_span s, bool lines)
{
    bool utf8 = th_utf8_ok(s);

    for (size_t i = 0, used; i < s.n; i += used) {
        size_t bad = harmful(s.p + i, s.n - i, utf8);
        bool kept = lines && (s.p[i] == '\n' || s.p[i] == '\t');
        used = bad ? bad : 1;
        if (lines && s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            continue;
        if (!bad || kept)
            fputc(s.p[i], to);
        for (size_t k = 0; k < bad && !kept; k++)
            fprintf(to, "\\x%02x", (unsigned char)s.p[i + k]);
    }
}

void th_print_safe(FILE *to, struct th_span s)
{
    print_harmless(to, s, true);
}

void th_print_line(FILE *to, struct th_span s)
{
    print_harmless(to, s, false);
}

/* A reader that has gone (`| head`) is told nothing: it knows. Anything else is a fault of the output, said once. */
bool th_cli_flush(void)
{
    static bool said;
    bool ok = fflush(stdout) == 0 && !ferror(stdout);

    if (!ok && !said && errno != EPIPE)
        fprintf(stderr, "tenterhook: standard output cannot be written: %s\n", strerror(errno));
    said = said || !ok;
    return ok;
}

/* ---- JSON ---- */

static void indent(FILE *to, unsigned depth)
{
    fputc('\n', to);
    for (unsigned i = 0; i < depth; i++)
        fputs("  ", to);
}

/* Over the bytes, which are valid: no recursion, nothing re-written but white space, and control characters that JSON
 * allows in a string (DEL and C1), which would steer a terminal. */
void th_print_json(FILE *to, struct th_json v)
{
    unsigned depth = 0;
    bool string = false, empty = false;

    for (size_t i = 0; i < v.raw.n; i++) {
        char c = v.raw.p[i];
        if (string) {
            size_t bad = harmful(v.raw.p + i, v.raw.n - i, true);
            i += bad ? bad - 1 : 0;
            if (bad)
                fprintf(to, "\\u%04x", (unsigned char)v.raw.p[i]);
            else
                fputc(c, to);
            if (c == '\\')
                fputc(v.raw.p[++i], to);
            else if (c == '"')
                string = false;
            continue;
        }
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == '}' || c == ']') {
            depth--;
            if (!empty)
                indent(to, depth);
        } else if (empty) {
            indent(to, depth);
        }
        empty = c == '{' || c == '[';
        if (empty)
            depth++;
        string = c == '"';
        fputc(c, to);
        if (c == ':')
            fputc(' ', to);
        if (c == ',')
            indent(to, depth);
    }
    fputc('\n', to);
}

const char *th_cli_member(struct th_cli *cli, struct th_json v, const char *pointer)
{
    struct th_json at;
    struct th_buf text;
    const char *kept;

    if (!v.raw.n || !th_json_pointer(v, th_str(pointer), &at) || at.type == TH_JSON_NULL)
        return "-";
    if (at.type != TH_JSON_STRING)
        return th_cli_text(cli, at.raw);
    th_buf_init(&text, at.raw.n * 2 + 16);
    th_json_string(at, &text);
    kept = th_cli_text(cli, th_buf_view(&text));
    th_buf_fini(&text);
    return kept[0] ? kept : "-";
}

const char *th_cli_quoted(struct th_cli *cli, const char *text)
{
    struct th_buf out;
    struct th_jw w;
    const char *kept;

    th_buf_init(&out, strlen(text) * 6 + 16);
    w = th_jw(&out);
    th_jw_string(&w, th_str(text));
    kept = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return kept;
}

const char *th_cli_time(struct th_cli *cli, struct th_json v, const char *pointer)
{
    const char *text = th_cli_member(cli, v, pointer);
    char *short_form;

    if (strlen(text) < 19 || text[10] != 'T')
        return text;
    short_form = th_cli_text(cli, th_span(text, 19));
    short_form[10] = ' ';
    return short_form;
}

/* ---- tables ---- */

#define COLUMNS_MAX 16
#define GAP 2u   /* between columns */
#define INDENT 4 /* of a row's further lines */

void th_table_init(struct th_table *t, struct th_cli *cli, unsigned columns, const char *const *heads)
{
    *t = (struct th_table){.cli = cli, .columns = columns, .status_column = columns};
    for (unsigned i = 0; i < columns; i++) {
        if (strcmp(heads[i], "STATUS") == 0)
            t->status_column = i;
        th_table_add(t, heads[i]);
    }
}

void th_table_add(struct th_table *t, const char *cell)
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

unsigned th_table_rows(const struct th_table *t)
{
    return t->cells / t->columns - 1;
}

/* A code point of valid UTF-8, and how many bytes it has. */
static size_t code_point(const char *p, wchar_t *c)
{
    unsigned char first = (unsigned char)p[0];
    size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    *c = n == 1 ? first : first & (0x7f >> n);
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | (p[i] & 0x3f);
    return n;
}

/* Columns on a terminal of what print_cell writes: 0 of a combining character, 2 of a wide one, 4 of each byte that is
 * escaped. The locale knows; where it does not, a character counts 1. */
static unsigned width(const char *s)
{
    size_t n = strlen(s);
    bool utf8 = th_utf8_ok(th_span(s, n));
    unsigned columns = 0;

    for (size_t i = 0, used; i < n; i += used) {
        size_t bad = harmful(s + i, n - i, utf8);
        wchar_t c = 0;
        int wide;
        used = bad ? bad : code_point(s + i, &c);
        wide = bad ? (int)bad * 4 : wcwidth(c);
        columns += wide < 0 ? 1 : (unsigned)wide;
    }
    return columns;
}

/* Where a row goes on in a further line, indented: at the columns that a terminal has no room for. */
static void fold(const struct th_table *t, const unsigned *wide, bool *breaks)
{
    unsigned columns = t->cli->terminal ? th_terminal_columns(STDOUT_FILENO) : UINT_MAX / 2, at = wide[0];

    breaks[0] = false;
    for (unsigned i = 1; i < t->columns; i++) {
        breaks[i] = at + GAP + wide[i] > columns;
        at = (breaks[i] ? INDENT : at + GAP) + wide[i];
    }
}

static void print_cell(const struct th_table *t, unsigned i)
{
    const char *colour = i < t->columns                       ? th_dim(t->cli)
                         : i % t->columns == t->status_column ? th_status_colour(t->cli, t->cell[i])
                                                              : "";

    fputs(colour, stdout);
    th_print_line(stdout, th_str(t->cell[i])); /* a cell with lines would look like rows */
    fputs(*colour ? th_plain(t->cli) : "", stdout);
}

void th_table_print(const struct th_table *t)
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
