/* Output: colours, tables, JSON with indentation, and text of others made harmless. Colour only on a
 * terminal, and not when NO_COLOR is set (no-color.org). */
#include "base/unseen.h"
#include "cli/cli.h"
#include "cli/cli_progress.h"
#include "cli/cli_stream.h"
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
    return when(cli, TH_STREAM_MARK "r");
}
const char *th_green(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "g");
}
const char *th_yellow(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "y");
}
const char *th_dim(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "d");
}
const char *th_bold(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "b");
}
const char *th_plain(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "p");
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

/* Whether a terminal must not get what stands at p, and how many bytes that has: what is not seen, and a byte of what is
 * no UTF-8. */
static bool harmful(const char *p, const char *end, uint32_t *c, size_t *n)
{
    *c = th_utf8_code(p, end, n);
    if (*n && !th_unseen(*c))
        return false;
    *n = *n ? *n : 1;
    return true;
}

static void print_harmless(FILE *to, struct th_span s, bool lines)
{
    const char *end = s.p + s.n;
    char text[16];
    uint32_t c;

    for (size_t used; s.n; s = th_span(s.p + used, (size_t)(end - s.p) - used)) {
        bool bad = harmful(s.p, end, &c, &used);
        if (lines && c == '\r' && s.n > 1 && s.p[1] == '\n')
            continue;
        if (!bad || (lines && (c == '\n' || c == '\t')))
            fwrite(s.p, 1, used, to);
        else
            fwrite(text, 1, (size_t)th_escaped(text, c, used), to);
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

/* A character of a string, and the one behind a backslash: as they are, or escaped where a terminal must not get them.
 * Gives how many bytes that was. */
static size_t print_in_string(FILE *to, const char *p, const char *end)
{
    size_t n;
    uint32_t c;

    if (harmful(p, end, &c, &n) && c > 0xffff)
        fprintf(to, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    else if (harmful(p, end, &c, &n))
        fprintf(to, "\\u%04x", c);
    else
        fwrite(p, 1, n = c == '\\' ? 2 : n, to);
    return n;
}

/* Over the bytes, which are valid: no recursion, nothing re-written but white space, and what JSON allows in a string
 * and a terminal must not get. */
void th_print_json(FILE *to, struct th_json v)
{
    const char *end = v.raw.p + v.raw.n;
    unsigned depth = 0;
    bool string = false, empty = false;

    for (const char *p = v.raw.p; p < end;) {
        char c = *p;
        if (string) {
            string = c != '"';
            p += print_in_string(to, p, end);
            continue;
        }
        p++;
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
    short_form = th_cli_printf(cli, "%.19sZ", text); /* the API's times are UTC */
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

/* Columns on a terminal of what print_cell writes: 0 of a combining character, 2 of a wide one, those of the escape of
 * what is escaped. The locale knows; where it does not, a character counts 1. */
static unsigned width(const char *s)
{
    const char *end = s + strlen(s);
    unsigned columns = 0;

    for (size_t used; s < end; s += used) {
        char text[16];
        uint32_t c;
        int wide = harmful(s, end, &c, &used) ? th_escaped(text, c, used) : wcwidth((wchar_t)c);
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
