/* Walks YAML and keeps no tree: a stack of open collections, and one call for each scalar.
  * Why our own: a receiver's library has neither memory for a tree nor room for a dependency, and a file that the server
 * reads in another way than the receiver would be a security gap. It reads the part of YAML 1.2 that people write in configuration:
 * block maps and lists, flow maps and lists (so all JSON), plain and quoted scalars, comments, and one "---" before
 * everything; with `lines` (the server) also scalars over several lines, block scalars, directives and a "..." at the end.
 *
 * Refuses, with the line: tabs in indentation, anchors, aliases, tags, keys that are more than one line of text, second
 * documents, and deeper nesting than TH_YAML_DEPTH. It does not notice keys that are there twice: the caller,
 * who takes the values, must.
 *
 * Invariants: 1. `at` only grows, so a walk ends. 2. Frames of block collections have growing indents, but
 * for a list that stands at the indent of its key. 3. Flow frames lie above all block frames. */
#include "lib/yaml.h"

static bool fail(struct th_yaml *y, const char *what)
{
    if (!y->fault)
        y->fault = what;
    return false;
}

/* The receiver's own build (TH_LIB_SMALL) leaves out what is only there for `lines`. */
static bool takes_lines(const struct th_yaml *y)
{
#ifdef TH_LIB_SMALL
    (void)y;
    return false;
#else
    return y->lines != NULL;
#endif
}

static struct th_yaml_frame *top(struct th_yaml *y)
{
    return y->depth ? &y->frame[y->depth - 1] : NULL;
}

static char peek(const struct th_yaml *y, size_t ahead)
{
    return y->at + ahead < y->text.n ? y->text.p[y->at + ahead] : '\n';
}

static bool ends(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool push(struct th_yaml *y, bool list, bool flow, int indent)
{
    if (y->depth == TH_YAML_DEPTH)
        return fail(y, "nested deeper than 32");
    y->frame[y->depth++] = (struct th_yaml_frame){
        .indent = indent, .line = y->line, .item_line = y->line, .list = list, .flow = flow};
    return true;
}

static bool pop(struct th_yaml *y)
{
    bool ok = y->on(y, NULL);

    y->depth--;
    return ok || fail(y, "refused");
}

static bool give(struct th_yaml *y, struct th_span s, char quote, bool escaped)
{
    y->quote = quote;
    y->escaped = escaped;
    return y->on(y, &s) || fail(y, "refused");
}

/* What ends a plain scalar in a flow collection. */
static bool is_flow(char c)
{
    return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

static void blanks(struct th_yaml *y)
{
    while (is_blank(peek(y, 0)))
        y->at++;
}

/* Over blanks, a comment and the end of the line; false when something else is there. */
static bool line_end(struct th_yaml *y)
{
    char before;

    blanks(y);
    before = peek(y, (size_t)-1);
    if (peek(y, 0) == '#' && (is_blank(before) || before == '\n'))
        while (y->at < y->text.n && y->text.p[y->at] != '\n')
            y->at++;
    if (peek(y, 0) == '\r')
        y->at++;
    if (y->at >= y->text.n)
        return true;
    if (y->text.p[y->at] != '\n')
        return false;
    y->at++;
    y->line++;
    y->line_start = y->at;
    return true;
}

/* ---- scalars ---- */

/* The fault of a scalar is where it begins: a quote that is never closed takes in the rest of the file. */
static bool fail_at(struct th_yaml *y, unsigned line, const char *what)
{
    y->line = line;
    return fail(y, what);
}

static bool quoted(struct th_yaml *y, struct th_span *out, bool *escaped)
{
    char quote = y->text.p[y->at++];
    size_t from = y->at;
    unsigned line = y->line;

    *escaped = false;
    for (;; y->at++) {
        char c;

        if (y->at >= y->text.n || (ends(c = y->text.p[y->at]) && !takes_lines(y)))
            return fail_at(y, line,
                           takes_lines(y) ? "a quoted text does not end"
                                          : "a quoted scalar does not end on its line");
        if (ends(c) || (c == '\\' && quote == '"')) {
            *escaped = true;
            if (c == '\n') {
                y->line++;
                y->line_start = y->at + 1;
            }
            y->at += c == '\\' && !ends(peek(y, 1));
            continue;
        }
        if (c != quote)
            continue;
        if (quote == '\'' && peek(y, 1) == '\'') {
            *escaped = true;
            y->at++;
            continue;
        }
        *out = th_span(y->text.p + from, y->at - from);
        y->at++;
        return true;
    }
}

/* A plain scalar; it ends before ": ", " #", the end of the line, and in flow before , [ ] { }. */
static bool plain(struct th_yaml *y, bool flow, struct th_span *out)
{
    size_t from = y->at, end;
    char first = peek(y, 0);

    if (strchr("|>&*!%@`\"'#,[]{}", first) ||
        (strchr("-?:", first) && (is_blank(peek(y, 1)) || ends(peek(y, 1))))) {
        y->odd = first;
        return fail(y, "a scalar cannot begin like this here");
    }
    for (;; y->at++) {
        char c = peek(y, 0);

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            continue;
        if (ends(c) || (flow && is_flow(c)) ||
            (c == ':' && (is_blank(peek(y, 1)) || ends(peek(y, 1)) || (flow && is_flow(peek(y, 1))))) ||
            (c == '#' && is_blank(peek(y, (size_t)-1))))
            break;
        if ((unsigned char)c < ' ' && c != '\t')
            return fail(y, "a control character");
    }
    for (end = y->at; end > from && is_blank(y->text.p[end - 1]);)
        end--;
    *out = th_span(y->text.p + from, end - from);
    return end > from || fail(y, "a value is missing");
}

static bool scalar(struct th_yaml *y, bool flow)
{
    struct th_span s;
    char quote = peek(y, 0);
    bool escaped = false;

    y->scalar_line = y->line;
    if (quote == '"' || quote == '\'') {
        if (!quoted(y, &s, &escaped))
            return false;
    } else if (takes_lines(y) && !flow && (quote == '|' || quote == '>')) {
        escaped = true;
        if (!y->lines(y, flow, &s))
            return false;
    } else {
        quote = 0;
        if (!plain(y, flow, &s))
            return false;
        if (takes_lines(y) && ends(peek(y, 0))) {
            size_t n = s.n;

            if (!y->lines(y, flow, &s))
                return false;
            escaped = s.n > n;
        }
    }
    return give(y, s, quote, escaped);
}

/* A key and its colon, behind which a blank stands, or anything when a key in quotes is in a flow map, as JSON writes
 * it. */
static bool key(struct th_yaml *y, bool flow, struct th_yaml_frame *f)
{
    unsigned line = y->line;

    f->key_quote = peek(y, 0);
    f->key_escaped = false;
    f->item_line = line;
    if (f->key_quote == '"' || f->key_quote == '\'') {
        if (!quoted(y, &f->key, &f->key_escaped))
            return false;
        if (y->line != line || (f->key_escaped && !takes_lines(y)))
            return fail_at(y, line, takes_lines(y) ? "a key must stand on one line" : "a key with escapes");
        blanks(y);
    } else {
        f->key_quote = 0;
        if (!plain(y, flow, &f->key))
            return false;
    }
    if (peek(y, 0) != ':' ||
        !(is_blank(peek(y, 1)) || ends(peek(y, 1)) || (flow && (f->key_quote || is_flow(peek(y, 1))))))
        return fail(y, "a key and a colon are expected here");
    y->at++;
    return true;
}

/* A key or a dash without a value. */
static bool missing(struct th_yaml *y)
{
    y->scalar_line = top(y)->item_line;
    return give(y, th_span("", 0), 0, false);
}

/* ---- flow collections ---- */

static bool flow_space(struct th_yaml *y)
{
    for (;;) {
        blanks(y);
        if (y->at >= y->text.n)
            return fail(y, "a flow collection does not end");
        if (!ends(peek(y, 0)) && peek(y, 0) != '#')
            return true;
        if (!line_end(y))
            return fail(y, "a comment needs a blank before it");
    }
}

/* One flow collection with all in it; `want`: an element (or the end) comes next, not a comma. */
static bool flow(struct th_yaml *y)
{
    unsigned base = y->depth;
    bool want = true;

    if (!push(y, peek(y, 0) == '[', true, 0))
        return false;
    y->at++;
    while (y->depth > base) {
        struct th_yaml_frame *f = top(y);

        if (!flow_space(y))
            return false;
        if (peek(y, 0) == (f->list ? ']' : '}')) {
            y->at++;
            if (!pop(y))
                return false;
            want = false;
        } else if (!want) {
            if (peek(y, 0) != ',')
                return fail(y, "a comma or a closing bracket is expected here");
            y->at++;
            f->index++;
            want = true;
        } else if (!f->list && (!key(y, true, f) || !flow_space(y))) {
            return false;
        } else if (!f->list && (peek(y, 0) == ',' || peek(y, 0) == '}')) {
            if (!missing(y))
                return false;
            want = false;
        } else if (peek(y, 0) == '{' || peek(y, 0) == '[') {
            if (!push(y, peek(y, 0) == '[', true, 0))
                return false;
            y->at++;
        } else {
            if (!scalar(y, true))
                return false;
            want = false;
        }
    }
    return true;
}

/* ---- block collections ---- */

static bool is_dash(const struct th_yaml *y)
{
    return peek(y, 0) == '-' && (is_blank(peek(y, 1)) || ends(peek(y, 1)));
}

/* Whether "key:" stands here; moves nothing. */
static bool has_key(struct th_yaml *y)
{
    size_t at = y->at, line_start = y->line_start;
    const char *fault = y->fault;
    unsigned line = y->line;
    struct th_yaml_frame ignored;
    bool yes = key(y, false, &ignored);

    y->at = at;
    y->line = line;
    y->line_start = line_start;
    y->fault = fault;
    y->odd = 0;
    return yes;
}

static bool null(struct th_yaml *y, bool *pending)
{
    bool was = *pending;

    *pending = false;
    return !was || missing(y);
}

/* Closes what a line at this column ends. *pending: the top frame still awaits a value. */
static bool close_to(struct th_yaml *y, int column, bool dash, bool *pending)
{
    while (y->depth && (top(y)->indent > column || (top(y)->indent == column && top(y)->list && !dash)))
        if (!null(y, pending) || !pop(y))
            return false;
    return true;
}

/* Makes the frame in which a line at this column stands the top one. */
static bool place(struct th_yaml *y, int column, bool dash, bool *pending, bool *started)
{
    struct th_yaml_frame *f;

    if (!close_to(y, column, dash, pending))
        return false;
    f = top(y);
    if (!f) {
        if (*started)
            return fail(y, "the indentation fits no collection");
        *started = true;
        return push(y, dash, false, column);
    }
    if (*pending && (column > f->indent || (dash && !f->list))) {
        *pending = false;
        return push(y, dash, false, column);
    }
    if (!null(y, pending))
        return false;
    if (f->indent != column)
        return fail(y, "the indentation fits no collection");
    if (f->list != dash)
        return fail(y, "list and map are mixed");
    f->index++;
    f->item_line = y->line;
    return true;
}

/* What stands behind "key:" or "-" on its line. */
static bool inline_value(struct th_yaml *y, bool *pending)
{
    *pending = line_end(y);
    if (*pending)
        return true;
    if (peek(y, 0) == '{' || peek(y, 0) == '[' ? !flow(y) : !scalar(y, false))
        return false;
    return line_end(y) || fail(y, "something follows the value");
}

/* One line of a block collection (and the lines of a flow collection in it). */
static bool entry(struct th_yaml *y, bool *pending)
{
    while (is_dash(y)) {
        y->at++;
        blanks(y);
        if (ends(peek(y, 0)) || peek(y, 0) == '#' || peek(y, 0) == '{' || peek(y, 0) == '[' ||
            (!is_dash(y) && !has_key(y)))
            return inline_value(y, pending);
        if (!push(y, is_dash(y), false, (int)(y->at - y->line_start)))
            return false;
    }
    return key(y, false, top(y)) && inline_value(y, pending);
}

static bool is_marker(const struct th_yaml *y, char c)
{
    return y->at == y->line_start && peek(y, 0) == c && peek(y, 1) == c && peek(y, 2) == c &&
           (is_blank(peek(y, 3)) || ends(peek(y, 3)));
}

/* A "---" and what may stand behind it on its line. */
static bool document(struct th_yaml *y, bool *pending, bool *started)
{
    y->at += 3;
    if (*started)
        return fail(y, "a second document; one file has one document");
    if (line_end(y))
        return true;
    *started = true;
    if (peek(y, 0) != '{' && peek(y, 0) != '[')
        return fail(y, "nothing but a flow collection can follow --- on its line");
    return inline_value(y, pending);
}

/* One line with something on it. */
static bool line(struct th_yaml *y, bool *pending, bool *started)
{
    int column = (int)(y->at - y->line_start);
    bool dash = is_dash(y);

    if (peek(y, 0) == '\t')
        return fail(y, "a tab in the indentation");
    if (is_marker(y, '-'))
        return document(y, pending, started);
    if (takes_lines(y) && is_marker(y, '.')) { /* the end: what comes then fits no collection */
        y->at += 3;
        *started = true;
        return close_to(y, -1, false, pending) && (line_end(y) || fail(y, "something follows the end"));
    }
    if (!*started && (peek(y, 0) == '{' || peek(y, 0) == '[')) {
        *started = true;
        return inline_value(y, pending);
    }
    if (*pending && column > top(y)->indent && !dash && !has_key(y)) /* the value of the key before */
        return inline_value(y, pending);
    return place(y, column, dash, pending, started) && entry(y, pending);
}

static bool starts_here(const struct th_yaml *y, struct th_span with)
{
    return th_span_starts(th_span(y->text.p + y->at, y->text.n - y->at), with);
}

/* Over a comment, an empty line or a directive. */
static bool passed_over(struct th_yaml *y, bool started)
{
    if (peek(y, 0) != '#' && !ends(peek(y, 0)) &&
        !(takes_lines(y) && !started && y->at == y->line_start && starts_here(y, TH_LIT("%YAML "))))
        return false;
    while (y->at < y->text.n && y->text.p[y->at] != '\n')
        y->at++;
    (void)line_end(y);
    return true;
}

/* Other programs end a line at a lone carriage return: what they read must not be hidden here. */
static bool check_line_ends(struct th_yaml *y)
{
    for (size_t i = 0; i + 1 < y->text.n; i++) {
        if (y->text.p[i] == '\r' && y->text.p[i + 1] != '\n')
            return fail(y, "a carriage return without a line feed");
        y->line += y->text.p[i] == '\n';
    }
    y->line = 1;
    return true;
}

bool th_yaml_walk(struct th_yaml *y, struct th_span text,
                  bool (*on)(struct th_yaml *y, const struct th_span *scalar),
                  bool (*lines)(struct th_yaml *y, bool flow, struct th_span *scalar), void *ctx)
{
    bool pending = false, started = false;

    memset(y, 0, sizeof *y);
    y->text = text;
    y->line = 1;
    y->on = on;
    y->lines = lines;
    y->ctx = ctx;
    if (!check_line_ends(y))
        return false;
    if (th_span_starts(text, TH_LIT("\xef\xbb\xbf")))
        y->at = y->line_start = 3; /* a byte order mark, which would make another key of the first one */
    while (y->at < y->text.n) {
        while (peek(y, 0) == ' ' && y->at < text.n)
            y->at++;
        if (y->at >= text.n)
            break;
        if (!passed_over(y, started) && !line(y, &pending, &started))
            return false;
    }
    return close_to(y, -1, false, &pending);
}
