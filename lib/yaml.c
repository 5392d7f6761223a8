/* Walks the YAML of dialect files and keeps no tree: a stack of open collections, and one call for each
 * scalar.
 *
 * Why its own: a receiver's library has neither memory for a tree nor a dependency for one. It reads the part
 * of YAML 1.2 that dialect files are written in: block maps and lists, flow maps and lists (also over several
 * lines), plain scalars and quoted ones on one line, comments, and one "---" before everything.
 *
 * Refuses, with the line: tabs in indentation, scalars over several lines, block scalars, anchors, aliases,
 * tags, directives, complex keys, second documents, and deeper nesting than TH_LIB_YAML_DEPTH. It does not
 * see keys that are there twice: who takes a value must.
 *
 * Invariants: 1. `at` only grows, so a walk ends. 2. Frames of block collections have growing indents, but
 * for a list that stands at the indent of its key. 3. Flow frames lie above all block frames. */
#include "lib/internal.h"

static bool fail(struct th_lib_yaml *y, const char *what)
{
    if (!y->fault)
        y->fault = what;
    return false;
}

static struct th_lib_yaml_frame *top(struct th_lib_yaml *y)
{
    return y->depth ? &y->frame[y->depth - 1] : NULL;
}

static char peek(const struct th_lib_yaml *y, size_t ahead)
{
    return y->at + ahead < y->text.n ? y->text.p[y->at + ahead] : '\n';
}

static bool ends(char c)
{
    return c == '\n' || c == '\r';
}

static bool push(struct th_lib_yaml *y, bool list, bool flow, int indent)
{
    if (y->depth == TH_LIB_YAML_DEPTH)
        return fail(y, "nested too deeply");
    y->frame[y->depth++] = (struct th_lib_yaml_frame){.indent = indent, .list = list, .flow = flow};
    return true;
}

static bool pop(struct th_lib_yaml *y)
{
    bool ok = y->on(y, NULL);

    y->depth--;
    return ok || fail(y, "refused");
}

static bool give(struct th_lib_yaml *y, struct th_span s, bool quoted, bool escaped)
{
    y->quoted = quoted;
    y->escaped = escaped;
    return y->on(y, &s) || fail(y, "refused");
}

/* What ends a plain scalar in a flow collection. */
static bool is_flow(char c)
{
    return c == ',' || c == '[' || c == ']' || c == '{' || c == '}';
}

static void blanks(struct th_lib_yaml *y)
{
    while (peek(y, 0) == ' ' || peek(y, 0) == '\t')
        y->at++;
}

/* Over blanks, a comment and the end of the line; false when something else is there. */
static bool line_end(struct th_lib_yaml *y)
{
    char before;

    blanks(y);
    before = peek(y, (size_t)-1);
    if (peek(y, 0) == '#' && (before == ' ' || before == '\t' || before == '\n'))
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

static bool quoted(struct th_lib_yaml *y, struct th_span *out, bool *escaped)
{
    char quote = y->text.p[y->at++];
    size_t from = y->at;

    *escaped = false;
    for (;; y->at++) {
        char c;

        if (y->at >= y->text.n || ends(c = y->text.p[y->at]))
            return fail(y, "a quoted scalar does not end on its line");
        if (c == '\\' && quote == '"') {
            *escaped = true;
            y->at++;
            if (ends(peek(y, 0)))
                return fail(y, "a quoted scalar does not end on its line");
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
static bool plain(struct th_lib_yaml *y, bool flow, struct th_span *out)
{
    size_t from = y->at, end;
    char first = peek(y, 0);

    if (strchr("|>&*!%@`\"'#,[]{}", first) ||
        (strchr("-?:", first) && (peek(y, 1) == ' ' || peek(y, 1) == '\t' || ends(peek(y, 1)))))
        return fail(y, "a scalar cannot begin like this here");
    for (;; y->at++) {
        char c = peek(y, 0);

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            continue;
        if (ends(c) || (flow && is_flow(c)) ||
            (c == ':' && (peek(y, 1) == ' ' || ends(peek(y, 1)) || (flow && is_flow(peek(y, 1))))) ||
            (c == '#' && (peek(y, (size_t)-1) == ' ' || peek(y, (size_t)-1) == '\t')))
            break;
        if ((unsigned char)c < ' ' && c != '\t')
            return fail(y, "a control character");
    }
    for (end = y->at; end > from && (y->text.p[end - 1] == ' ' || y->text.p[end - 1] == '\t');)
        end--;
    *out = th_span(y->text.p + from, end - from);
    return end > from || fail(y, "a value is missing");
}

static bool scalar(struct th_lib_yaml *y, bool flow)
{
    struct th_span s;
    bool escaped = false, is_quoted = peek(y, 0) == '"' || peek(y, 0) == '\'';

    if (is_quoted ? !quoted(y, &s, &escaped) : !plain(y, flow, &s))
        return false;
    return give(y, s, is_quoted, escaped);
}

/* A key and its colon. */
static bool key(struct th_lib_yaml *y, bool flow, struct th_span *out)
{
    bool escaped = false;

    if (peek(y, 0) == '"' || peek(y, 0) == '\'') {
        if (!quoted(y, out, &escaped))
            return false;
        if (escaped)
            return fail(y, "a key with escapes");
        blanks(y);
    } else if (!plain(y, flow, out)) {
        return false;
    }
    if (peek(y, 0) != ':' || !(peek(y, 1) == ' ' || peek(y, 1) == '\t' || ends(peek(y, 1))))
        return fail(y, "a key and a colon are expected here");
    y->at++;
    return true;
}

/* ---- flow collections ---- */

static bool flow_space(struct th_lib_yaml *y)
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
static bool flow(struct th_lib_yaml *y)
{
    unsigned base = y->depth;
    bool want = true;

    if (!push(y, peek(y, 0) == '[', true, 0))
        return false;
    y->at++;
    while (y->depth > base) {
        struct th_lib_yaml_frame *f = top(y);

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
        } else if (!f->list && (!key(y, true, &f->key) || !flow_space(y))) {
            return false;
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

static bool is_dash(const struct th_lib_yaml *y)
{
    return peek(y, 0) == '-' && (peek(y, 1) == ' ' || peek(y, 1) == '\t' || ends(peek(y, 1)));
}

/* Whether "key:" stands here; moves nothing. */
static bool has_key(struct th_lib_yaml *y)
{
    size_t at = y->at;
    const char *fault = y->fault;
    struct th_span ignored;
    bool yes = key(y, false, &ignored);

    y->at = at;
    y->fault = fault;
    return yes;
}

static bool null(struct th_lib_yaml *y, bool *pending)
{
    bool was = *pending;

    *pending = false;
    return !was || give(y, th_span("", 0), false, false);
}

/* Closes what a line at this column ends. *pending: the top frame still awaits a value. */
static bool close_to(struct th_lib_yaml *y, int column, bool dash, bool *pending)
{
    while (y->depth && (top(y)->indent > column || (top(y)->indent == column && top(y)->list && !dash)))
        if (!null(y, pending) || !pop(y))
            return false;
    return true;
}

/* Makes the frame in which a line at this column stands the top one. */
static bool place(struct th_lib_yaml *y, int column, bool dash, bool *pending, bool *started)
{
    struct th_lib_yaml_frame *f;

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
    return true;
}

/* What stands behind "key:" or "-" on its line. */
static bool inline_value(struct th_lib_yaml *y, bool *pending)
{
    *pending = line_end(y);
    if (*pending)
        return true;
    if (peek(y, 0) == '{' || peek(y, 0) == '[' ? !flow(y) : !scalar(y, false))
        return false;
    return line_end(y) || fail(y, "something follows the value");
}

/* One line of a block collection (and the lines of a flow collection in it). */
static bool entry(struct th_lib_yaml *y, bool *pending)
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
    return key(y, false, &top(y)->key) && inline_value(y, pending);
}

/* One line with something on it. */
static bool line(struct th_lib_yaml *y, bool *pending, bool *started)
{
    int column = (int)(y->at - y->line_start);
    bool dash = is_dash(y);

    if (peek(y, 0) == '\t')
        return fail(y, "a tab in the indentation");
    if (column == 0 && peek(y, 0) == '-' && peek(y, 1) == '-' && peek(y, 2) == '-') {
        y->at += 3;
        return (!*started && line_end(y)) || fail(y, "a second document");
    }
    return place(y, column, dash, pending, started) && entry(y, pending);
}

bool th_lib_yaml_walk(struct th_lib_yaml *y, struct th_span text,
                      bool (*on)(struct th_lib_yaml *y, const struct th_span *scalar), void *ctx)
{
    bool pending = false, started = false;

    memset(y, 0, sizeof *y);
    y->text = text;
    y->line = 1;
    y->on = on;
    y->ctx = ctx;
    if (text.n > TH_LIB_YAML_MAX)
        return fail(y, "too long");
    if (th_span_starts(text, tenterhook_str("\xef\xbb\xbf")))
        y->at = y->line_start = 3; /* a byte order mark, which would make another key of the first one */
    while (y->at < text.n) {
        while (peek(y, 0) == ' ' && y->at < text.n)
            y->at++;
        if (y->at >= text.n)
            break;
        if (peek(y, 0) == '#' || ends(peek(y, 0))) {
            while (y->at < text.n && text.p[y->at] != '\n')
                y->at++;
            if (!line_end(y))
                return fail(y, "a control character");
            continue;
        }
        if (!line(y, &pending, &started))
            return false;
    }
    return close_to(y, -1, false, &pending);
}
