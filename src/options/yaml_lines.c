/* The parts of YAML that the receiver's library does not support: scalars over several lines, block scalars,
 * escapes. th_yaml_lines finds where such a scalar ends while lib/yaml.c walks, th_yaml_decode gives its
 * text.
 *
 * The rules are those of YAML 1.2.2: a line end between two lines of a plain, quoted or folded scalar reads
 * as a blank, n empty lines as n line ends (6.5); a block scalar has the indentation of its first line, or
 * the one that its head says (8.1). In addition, two escapes of a surrogate pair are one character, because
 * all JSON must be read.
 *
 * Refuses: unknown escapes, half surrogate pairs, code points beyond Unicode. */
#include "options/yaml_lines.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_end(char c)
{
    return c == '\n' || c == '\r';
}

static char at(const struct th_yaml *y, size_t i)
{
    return i < y->text.n ? y->text.p[i] : '\n';
}

static bool refuse(struct th_yaml *y, const char *what)
{
    if (!y->fault)
        y->fault = what;
    return false;
}

static int parent_indent(const struct th_yaml *y)
{
    return y->depth ? y->frame[y->depth - 1].indent : -1;
}

/* ---- plain scalars ---- */

static bool is_flow(char c)
{
    return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

/* Where the plain text at i ends on its line; SIZE_MAX when a key stands there. */
static size_t plain_end(const struct th_yaml *y, size_t i, bool flow)
{
    size_t first = i, end;

    for (; !is_end(at(y, i)); i++) {
        char c = at(y, i), next = at(y, i + 1);

        if ((flow && is_flow(c)) || (c == '#' && i > first && is_blank(at(y, i - 1))))
            break;
        if (c == ':' && (is_blank(next) || is_end(next)))
            return SIZE_MAX;
    }
    for (end = i; end > first && is_blank(at(y, end - 1));)
        end--;
    return end;
}

static bool more_plain(struct th_yaml *y, bool flow, struct th_span *s)
{
    const char *from = s->p;

    while (y->at < y->text.n && is_end(at(y, y->at))) {
        size_t i = y->at, start = i, end;
        unsigned lines = 0;

        for (; i < y->text.n && (is_blank(at(y, i)) || is_end(at(y, i))); i++)
            if (at(y, i) == '\n') {
                lines++;
                start = i + 1;
            }
        if (i >= y->text.n || lines == 0 || at(y, i) == '#' || (flow && is_flow(at(y, i))) ||
            (!flow && (int)(i - start) <= parent_indent(y)))
            break;
        end = plain_end(y, i, flow);
        if (end == SIZE_MAX)
            break;
        *s = th_span(from, (size_t)(y->text.p + end - from));
        y->line += lines;
        y->line_start = start;
        for (i = end; is_blank(at(y, i));)
            i++;
        y->at = is_end(at(y, i)) ? i : end;
    }
    return true;
}

/* ---- block scalars ---- */

struct block {
    size_t first;    /* of the lines, in the text */
    int indent;      /* of the lines; beyond any column when there are only empty ones */
    bool keep, drop; /* of the line ends at the end */
};

/* The head at `from`, "|" or ">" and indicators. */
static bool read_head(const struct th_yaml *y, size_t from, struct block *b)
{
    size_t i = from + 1;
    bool comment = false;
    int digit = 0;

    *b = (struct block){.indent = -1};
    for (unsigned k = 0; k < 2; k++, i++) {
        if (at(y, i) >= '1' && at(y, i) <= '9' && !digit)
            digit = at(y, i) - '0';
        else if ((at(y, i) == '+' || at(y, i) == '-') && !b->keep && !b->drop)
            *(at(y, i) == '+' ? &b->keep : &b->drop) = true;
        else
            break;
    }
    if (is_blank(at(y, i))) {
        while (is_blank(at(y, i)))
            i++;
        while (at(y, i) == '#' || (comment && !is_end(at(y, i)))) {
            comment = true;
            i++;
        }
    }
    i += at(y, i) == '\r';
    if (at(y, i) != '\n')
        return false;
    b->first = i + 1;
    if (digit)
        b->indent = (parent_indent(y) < 0 ? 0 : parent_indent(y)) + digit;
    return true;
}

/* Behind the line at i; *column: where its text begins, -1 when it has none. */
static size_t line_of(const struct th_yaml *y, size_t i, int *column)
{
    size_t start = i;

    while (i < y->text.n && y->text.p[i] == ' ')
        i++;
    *column = i < y->text.n && !is_end(y->text.p[i]) ? (int)(i - start) : -1;
    while (i < y->text.n && y->text.p[i] != '\n')
        i++;
    return i < y->text.n ? i + 1 : i;
}

/* Behind the block's last line; b->indent is found. 0: an empty line in front is longer than that. */
static size_t block_end(const struct th_yaml *y, struct block *b)
{
    size_t i = b->first, longest = 0;

    while (i < y->text.n) {
        int column;
        size_t next = line_of(y, i, &column);

        for (size_t end = next; column < 0 && b->indent < 0 && end > i + longest; end--)
            if (!is_end(at(y, end - 1)))
                longest = end - i;
        if (column >= 0 && b->indent < 0) {
            if (column <= parent_indent(y))
                break;
            if (longest > (size_t)column)
                return 0;
            b->indent = column;
        }
        if (column >= 0 && column < b->indent)
            break;
        i = next;
    }
    if (b->indent < 0)
        b->indent = INT32_MAX;
    return i;
}

static bool block_scalar(struct th_yaml *y, struct th_span *s)
{
    size_t from = y->at, end;
    struct block b;

    if (!read_head(y, from, &b))
        return refuse(y, "only a number, + or -, and a comment may follow | or >");
    end = b.first < y->text.n ? block_end(y, &b) : y->text.n;
    if (!end)
        return refuse(y, "an empty line before a block has more blanks than the block's first line");
    *s = th_span(y->text.p + from, end - from);
    for (; y->at + 1 < end; y->at++)
        y->line += y->text.p[y->at] == '\n';
    if (y->at < end && y->text.p[y->at] != '\n') /* the text ends without a line end */
        y->at++;
    return true;
}

bool th_yaml_lines(struct th_yaml *y, bool flow, struct th_span *scalar)
{
    char c = at(y, y->at);

    return c == '|' || c == '>' ? block_scalar(y, scalar) : more_plain(y, flow, scalar);
}

/* ---- decoding ---- */

static void add_lines(struct th_buf *out, size_t n)
{
    while (n--)
        th_buf_char(out, '\n');
}

static void decode_block(const struct th_yaml *y, struct th_span s, bool folded, struct th_buf *out)
{
    struct block b;
    size_t from = (size_t)(s.p - y->text.p), end = from + s.n, breaks = 0;
    bool any = false, was_deeper = false;

    if (!read_head(y, from, &b) || b.first > end)
        return;
    (void)block_end(y, &b);
    for (size_t i = b.first, next; i < end; i = next) {
        size_t text = i + (size_t)b.indent, stop;
        bool deeper;
        int column;

        next = line_of(y, i, &column);
        stop = next;
        while (stop > i && is_end(at(y, stop - 1)))
            stop--;
        if (text >= stop && column < 0) {
            breaks += stop < next;
            continue;
        }
        deeper = is_blank(at(y, text));
        if (!any)
            add_lines(out, breaks);
        else if (folded && !deeper && !was_deeper && breaks == 1)
            th_buf_char(out, ' ');
        else
            add_lines(out, folded && !deeper && !was_deeper ? breaks - 1 : breaks);
        th_buf_add(out, y->text.p + text, stop - text);
        any = true;
        was_deeper = deeper;
        breaks = next > stop; /* its own line end */
    }
    if (!b.drop)
        add_lines(out, b.keep ? breaks : any && breaks > 0);
}

/* The line end at *i and the empty lines behind it; `solid`: bytes of out that no trimming takes. */
static void fold(struct th_span s, size_t *i, size_t solid, struct th_buf *out)
{
    size_t lines = 0;

    while (!out->failed && out->n > solid && is_blank(out->p[out->n - 1]))
        out->n--;
    for (; *i < s.n && (is_blank(s.p[*i]) || is_end(s.p[*i])); ++*i)
        lines += s.p[*i] == '\n';
    if (lines == 1)
        th_buf_char(out, ' ');
    else
        add_lines(out, lines ? lines - 1 : 0);
}

/* Hexadecimal digits at *i; false when they are fewer than n. */
static bool digits(struct th_span s, size_t *i, unsigned n, uint32_t *out)
{
    *out = 0;
    for (; n; n--, ++*i) {
        int v = *i < s.n ? th_hex_value(s.p[*i]) : -1;

        if (v < 0)
            return false;
        *out = *out << 4 | (uint32_t)v;
    }
    return true;
}

static const char *code_point(struct th_span s, size_t *i, unsigned n, struct th_buf *out)
{
    uint32_t c, low;
    char bytes[4];

    if (!digits(s, i, n, &c))
        return "an escape \\x, \\u or \\U has too few hexadecimal digits";
    if (c >= 0xd800 && c <= 0xdbff && n == 4 && s.n - *i >= 6 && s.p[*i] == '\\' && s.p[*i + 1] == 'u') {
        *i += 2;
        if (!digits(s, i, 4, &low) || low < 0xdc00 || low > 0xdfff)
            return "an escape is half of a surrogate pair";
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return c > 0x10ffff ? "an escape is not a character" : "an escape is half of a surrogate pair";
    th_buf_add(out, bytes, th_utf8_write(c, bytes));
    return NULL;
}

/* The escape at *i, a backslash; not that of a line end. */
static const char *escape(struct th_span s, size_t *i, struct th_buf *out)
{
    static const char from[] = "0abt\tnvfre \"/\\", to[] = "\0\a\b\t\t\n\v\f\r\x1b \"/\\";
    char c = *i + 1 < s.n ? s.p[*i + 1] : '\n';
    const char *simple = memchr(from, c, sizeof from - 1);

    *i += 2;
    if (simple) {
        th_buf_char(out, to[simple - from]);
        return NULL;
    }
    switch (c) {
    case 'N':
        th_buf_str(out, "\xc2\x85");
        return NULL;
    case '_':
        th_buf_str(out, "\xc2\xa0");
        return NULL;
    case 'L':
        th_buf_str(out, "\xe2\x80\xa8");
        return NULL;
    case 'P':
        th_buf_str(out, "\xe2\x80\xa9");
        return NULL;
    case 'x':
        return code_point(s, i, 2, out);
    case 'u':
        return code_point(s, i, 4, out);
    case 'U':
        return code_point(s, i, 8, out);
    default:
        return "unknown escape in double quotes; a backslash is written \\\\";
    }
}

const char *th_yaml_decode(const struct th_yaml *y, struct th_span s, char quote, struct th_buf *out)
{
    const char *fault = NULL;
    size_t solid = 0, i = 0;

    if (quote == '|' || quote == '>') {
        decode_block(y, s, quote == '>', out);
        return NULL;
    }
    while (i < s.n && !fault) {
        char c = s.p[i];

        if (is_end(c)) {
            fold(s, &i, solid, out);
            solid = out->n;
        } else if (c == '\\' && quote == '"' && i + 1 < s.n && is_end(s.p[i + 1])) {
            i++;
            for (size_t lines = 0; i < s.n && (is_blank(s.p[i]) || is_end(s.p[i])); i++)
                if (s.p[i] == '\n' && lines++)
                    th_buf_char(out, '\n');
            solid = out->n;
        } else if (c == '\\' && quote == '"') {
            fault = escape(s, &i, out);
            solid = out->n;
        } else {
            th_buf_char(out, c);
            i += c == '\'' && quote == '\'' ? 2 : 1;
        }
    }
    return fault;
}
