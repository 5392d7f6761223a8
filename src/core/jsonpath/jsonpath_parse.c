/* Reads the text of a query (RFC 9535, section 2) into nodes: every rule of the grammar, the types of functions (2.4.3), the range of
 * integers (2.1).
 *
 * Refused beside what RFC 9535 refuses: queries longer than TH_JSONPATH_BYTES, with more than TH_JSONPATH_NODES nodes or nested deeper
 * than NESTED_MAX, and a pattern in quotes that is no I-Regexp, which would never match anything.
 *
 * The recursion follows the brackets of the text, NESTED_MAX at most. Nothing is allocated but the finished query, in one piece. */
#include "core/jsonpath/program.h"
#include <stdarg.h>
#include <stdio.h>

#define NESTED_MAX 32
#define INTEGER_MAX (((int64_t)1 << 53) - 1)
#define POOL_MAX                                                                                             \
    (TH_JSONPATH_COMPILED - TH_JSONPATH_NODES * sizeof(struct jp_node) - sizeof(struct th_jsonpath))

struct compiler {
    const char *begin, *p, *end;
    const char *at; /* of the fault */
    char what[160];
    uint32_t count, pool_n;
    unsigned depth;
    struct jp_node nodes[TH_JSONPATH_NODES];
    char pool[POOL_MAX];
};

__attribute__((format(printf, 3, 4))) static uint8_t fail(struct compiler *c, const char *at,
                                                          const char *format, ...)
{
    va_list args;

    if (c->at)
        return 0;
    c->at = at;
    va_start(args, format);
    vsnprintf(c->what, sizeof c->what, format, args);
    va_end(args);
    return 0;
}

static uint8_t add(struct compiler *c, enum jp_kind kind, const char *at)
{
    if (c->count == TH_JSONPATH_NODES)
        return fail(c, at, "more than %d names, operators, values and functions are not allowed",
                    TH_JSONPATH_NODES);
    c->nodes[c->count] = (struct jp_node){.kind = (uint8_t)kind, .at = (uint16_t)(at - c->begin)};
    return (uint8_t)c->count++;
}

/* The node's text ends here. */
static uint8_t ended(struct compiler *c, uint8_t i)
{
    c->nodes[i].n = (uint16_t)(c->p - c->begin - c->nodes[i].at);
    return i;
}

static char *room(struct compiler *c, uint8_t i, size_t n, size_t align)
{
    size_t at = (c->pool_n + align - 1) / align * align;

    if (n > POOL_MAX - at || at > POOL_MAX) {
        fail(c, c->begin + c->nodes[i].at,
             "the query needs more than %d bytes of memory; shorten its patterns", TH_JSONPATH_COMPILED);
        return NULL;
    }
    c->nodes[i].u.text.at = (uint32_t)at;
    c->nodes[i].u.text.n = (uint32_t)n;
    c->pool_n = (uint32_t)(at + n);
    return c->pool + at;
}

/* ---- characters ---- */

static void space(struct compiler *c)
{
    c->p = th_json_space_end(c->p, c->end);
}

static bool next_is(const struct compiler *c, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(c->end - c->p) >= n && memcmp(c->p, text, n) == 0;
}

static bool take(struct compiler *c, const char *text)
{
    if (!next_is(c, text))
        return false;
    c->p += strlen(text);
    return true;
}

static bool name_first(const struct compiler *c)
{
    return c->p < c->end && ((th_lower(*c->p) >= 'a' && th_lower(*c->p) <= 'z') || *c->p == '_' ||
                             (unsigned char)*c->p >= 0x80);
}

/* ---- strings ---- */

static uint8_t bad_escape(struct compiler *c, const char *at)
{
    return fail(
        c, at, "unknown escape; there are \\b \\f \\n \\r \\t \\/ \\\\ \\uXXXX and \\ in front of the quote");
}

/* c->p is behind "\u". */
static bool hex4(struct compiler *c, uint32_t *out)
{
    if (c->end - c->p < 4)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (th_hex_value(c->p[i]) < 0)
            return false;
    *out = th_hex4(c->p);
    c->p += 4;
    return true;
}

/* c->p is behind a backslash. */
static bool escape(struct compiler *c, char quote, uint32_t *out)
{
    static const char from[] = "bfnrt/\\", to[] = "\b\f\n\r\t/\\";
    const char *at = c->p - 1, *known;
    uint32_t low;

    if (c->p == c->end)
        return fail(c, at, "the text ends in the middle of a string");
    if (*c->p == quote) {
        *out = (unsigned char)*c->p++;
        return true;
    }
    known = memchr(from, *c->p, sizeof from - 1);
    if (known) {
        *out = (unsigned char)to[known - from];
        c->p++;
        return true;
    }
    if (*c->p != 'u')
        return bad_escape(c, at);
    c->p++;
    if (!hex4(c, out))
        return fail(c, at, "expected four hexadecimal digits behind '\\u'");
    if (*out >= 0xdc00 && *out <= 0xdfff)
        return fail(c, at, "the second half of a pair of surrogates stands alone");
    if (*out < 0xd800 || *out > 0xdbff)
        return true;
    if (!take(c, "\\u") || !hex4(c, &low) || low < 0xdc00 || low > 0xdfff)
        return fail(c, at, "the second half of a pair of surrogates has to follow");
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* Bytes up to the quote that ends the string. */
static size_t string_length(const struct compiler *c, char quote)
{
    const char *p = c->p;

    while (p < c->end && *p != quote)
        p += *p == '\\' && c->end - p > 1 ? 2 : 1;
    return (size_t)(p - c->p);
}

/* A string in quotes, resolved into the pool as the node's text. */
static uint8_t string(struct compiler *c, enum jp_kind kind)
{
    const char *at = c->p;
    char quote = *c->p++, *to;
    uint8_t i = add(c, kind, at);
    size_t n = 0;

    if (!i)
        return 0;
    to = room(c, i, string_length(c, quote), 1); /* resolving only shortens */
    if (!to)
        return 0;
    for (;;) {
        uint32_t ch;

        if (c->p == c->end)
            return fail(c, at, "the string that begins here has no end");
        if (*c->p == quote)
            break;
        if ((unsigned char)*c->p < 0x20)
            return fail(c, c->p, "a control character in a string has to be written as \\uXXXX");
        if (*c->p != '\\') {
            to[n++] = *c->p++;
            continue;
        }
        c->p++;
        if (!escape(c, quote, &ch))
            return 0;
        n += th_utf8_write(ch, to + n);
    }
    c->p++;
    c->pool_n -= c->nodes[i].u.text.n - (uint32_t)n;
    c->nodes[i].u.text.n = (uint32_t)n;
    return ended(c, i);
}

/* ---- selectors ---- */

static uint8_t expression(struct compiler *c);

static bool integer(struct compiler *c, int64_t *out)
{
    const char *at = c->p;
    bool negative = take(c, "-");
    int64_t v = 0;

    if (c->p == c->end || !th_is_digit(*c->p))
        return fail(c, c->p, "expected a digit");
    if (*c->p == '0' && (negative || (c->p + 1 < c->end && th_is_digit(c->p[1]))))
        return fail(c, at, negative ? "-0 is no index" : "a number begins with a superfluous 0");
    for (; c->p < c->end && th_is_digit(*c->p); c->p++) {
        v = v * 10 + (*c->p - '0');
        if (v > INTEGER_MAX)
            return fail(c, at, "the number is larger than 9007199254740991");
    }
    *out = negative ? -v : v;
    return true;
}

static bool integer_first(const struct compiler *c)
{
    return c->p < c->end && (*c->p == '-' || th_is_digit(*c->p));
}

/* Behind the first ':'. */
static uint8_t slice(struct compiler *c, const char *at, bool has_start, int64_t start)
{
    struct jp_slice s = {.start = start, .has_start = has_start, .step = 1};
    uint8_t i = add(c, JP_SLICE, at);
    char *to;

    space(c);
    if (integer_first(c)) {
        if (!integer(c, &s.end))
            return 0;
        s.has_end = true;
        space(c);
    }
    if (take(c, ":")) {
        space(c);
        if (integer_first(c) && !integer(c, &s.step))
            return 0;
    }
    to = i ? room(c, i, sizeof s, 8) : NULL;
    if (!to)
        return 0;
    memcpy(to, &s, sizeof s);
    return ended(c, i);
}

static uint8_t index_or_slice(struct compiler *c)
{
    const char *at = c->p, *behind;
    int64_t v = 0;
    bool given = integer_first(c);
    uint8_t i;

    if (given && !integer(c, &v))
        return 0;
    behind = c->p;
    space(c);
    if (take(c, ":"))
        return slice(c, at, given, v);
    c->p = behind;
    i = add(c, JP_INDEX, at);
    if (!i)
        return 0;
    c->nodes[i].u.i = v;
    return ended(c, i);
}

static uint8_t filter(struct compiler *c)
{
    uint8_t i = add(c, JP_FILTER, c->p), a;

    c->p++;
    space(c);
    a = i ? expression(c) : 0;
    if (!a)
        return 0;
    c->nodes[i].a = a;
    return ended(c, i);
}

static uint8_t wild(struct compiler *c)
{
    uint8_t i = add(c, JP_WILD, c->p);

    c->p++;
    return i ? ended(c, i) : 0;
}

static uint8_t selector(struct compiler *c)
{
    if (c->p == c->end)
        return fail(c, c->p, "expected a name in quotes, a number, '*' or '?', but the text ends");
    switch (*c->p) {
    case '\'':
    case '"':
        return string(c, JP_NAME);
    case '*':
        return wild(c);
    case '?':
        return filter(c);
    case ':':
        return index_or_slice(c);
    default:
        if (integer_first(c))
            return index_or_slice(c);
        return fail(c, c->p,
                    name_first(c) ? "a name between brackets has to stand in quotes"
                                  : "expected a name in quotes, a number, '*' or '?'");
    }
}

/* At '['. */
static uint8_t bracket(struct compiler *c)
{
    const char *at = c->p;
    uint8_t first = 0, last = 0;

    do {
        uint8_t i;

        c->p++;
        space(c);
        i = selector(c);
        if (!i)
            return 0;
        if (last)
            c->nodes[last].alt = i;
        else
            first = i;
        last = i;
        space(c);
    } while (c->p < c->end && *c->p == ',');
    if (c->p == c->end)
        return fail(c, at, "the '[' here is not closed");
    if (*c->p == '=')
        return fail(c, c->p, "'=' alone is no operator; write '=='");
    if (*c->p != ']')
        return fail(c, c->p,
                    c->nodes[last].kind == JP_FILTER ? "expected '&&', '||', ',' or ']'"
                                                     : "expected ',' or ']'");
    c->p++;
    return first;
}

/* Behind '.' or '..'. */
static uint8_t shorthand(struct compiler *c)
{
    const char *at = c->p;
    uint8_t i;
    char *to;

    if (c->p < c->end && *c->p == '*')
        return wild(c);
    if (!name_first(c))
        return fail(c, at, "expected a name or '*' behind '.'");
    while (name_first(c) || (c->p < c->end && th_is_digit(*c->p)))
        c->p++;
    i = add(c, JP_NAME, at);
    to = i ? room(c, i, (size_t)(c->p - at), 1) : NULL;
    if (!to)
        return 0;
    memcpy(to, at, (size_t)(c->p - at));
    return ended(c, i);
}

static uint8_t segment(struct compiler *c)
{
    bool descendant = take(c, "..");
    uint8_t i;

    if (descendant)
        i = c->p < c->end && *c->p == '[' ? bracket(c) : shorthand(c);
    else
        i = take(c, ".") ? shorthand(c) : bracket(c);
    if (i && descendant)
        c->nodes[i].flags |= JP_DESCENDANT;
    return i;
}

/* At '$' or '@'; gives the node that was made for it. */
static bool segments(struct compiler *c, uint8_t query)
{
    uint8_t last = query;
    bool singular = true;

    c->nodes[query].flags = *c->p == '@' ? JP_CURRENT : 0;
    c->p++;
    for (;;) {
        const char *behind = c->p;
        const struct jp_node *n;
        uint8_t i;

        space(c);
        if (c->p == c->end || (*c->p != '.' && *c->p != '[')) {
            c->p = behind;
            break;
        }
        i = segment(c);
        if (!i)
            return false;
        n = &c->nodes[i];
        singular &= !n->alt && !(n->flags & JP_DESCENDANT) && (n->kind == JP_NAME || n->kind == JP_INDEX);
        if (last == query)
            c->nodes[query].a = i;
        else
            c->nodes[last].next = i;
        last = i;
    }
    if (singular)
        c->nodes[query].flags |= JP_SINGULAR;
    ended(c, query);
    return true;
}

/* ---- values ---- */

static uint8_t query(struct compiler *c)
{
    uint8_t i = add(c, JP_QUERY, c->p);

    return i && segments(c, i) ? i : 0;
}

static uint8_t number(struct compiler *c)
{
    const char *at = c->p;
    uint8_t i;
    char *to;

    take(c, "-");
    if (c->p == c->end || !th_is_digit(*c->p))
        return fail(c, c->p, "expected a digit");
    if (*c->p == '0' && c->p + 1 < c->end && th_is_digit(c->p[1]))
        return fail(c, at, "a number begins with a superfluous 0");
    while (c->p < c->end && th_is_digit(*c->p))
        c->p++;
    if (take(c, ".")) {
        if (c->p == c->end || !th_is_digit(*c->p))
            return fail(c, c->p, "expected a digit behind '.'");
        while (c->p < c->end && th_is_digit(*c->p))
            c->p++;
    }
    if (take(c, "e") || take(c, "E")) {
        if (!take(c, "+"))
            take(c, "-");
        if (c->p == c->end || !th_is_digit(*c->p))
            return fail(c, c->p, "expected a digit in the exponent");
        while (c->p < c->end && th_is_digit(*c->p))
            c->p++;
    }
    i = add(c, JP_NUMBER, at);
    to = i ? room(c, i, (size_t)(c->p - at), 1) : NULL;
    if (!to)
        return 0;
    memcpy(to, at, (size_t)(c->p - at));
    return ended(c, i);
}

struct function {
    const char *name;
    enum jp_kind kind;
    unsigned arguments;
    bool nodes; /* takes a query of any number of nodes, instead of values */
};
static const struct function functions[] = {{"length", JP_LENGTH, 1, false},
                                            {"count", JP_COUNT, 1, true},
                                            {"value", JP_VALUE, 1, true},
                                            {"match", JP_MATCH, 2, false},
                                            {"search", JP_SEARCH, 2, false}};

static bool is_logical(const struct jp_node *n)
{
    return n->kind == JP_MATCH || n->kind == JP_SEARCH;
}

/* Whether the operand can be compared, or be a value for a function. */
static bool is_value(struct compiler *c, uint8_t i)
{
    const struct jp_node *n = &c->nodes[i];
    const char *at = c->begin + n->at;

    if (is_logical(n))
        return fail(c, at, "%s() is true or false already and cannot be compared",
                    n->kind == JP_MATCH ? "match" : "search");
    if (n->kind == JP_QUERY && !(n->flags & JP_SINGULAR))
        return fail(c, at,
                    "this path may find several values; only a path of names and numbers is one value "
                    "(value(...) takes any path)");
    return true;
}

static uint8_t operand(struct compiler *c);

/* A pattern in quotes is compiled now. */
static bool pattern(struct compiler *c, uint8_t i)
{
    struct jp_node *n = &c->nodes[i];
    struct th_iregexp re;
    struct th_iregexp_fault why;
    size_t bytes;
    char *to;

    if (n->kind != JP_STRING)
        return true;
    if (!th_iregexp_compile(th_span(c->pool + n->u.text.at, n->u.text.n), &re, &why))
        return fail(c, c->begin + n->at, "no pattern of RFC 9485 (its character %u: %s)", why.at, why.what);
    bytes = re.count * sizeof *re.slots;
    to = room(c, i, bytes, 8);
    if (!to)
        return false;
    memcpy(to, re.slots, bytes);
    n->flags |= JP_COMPILED;
    return true;
}

static bool arguments(struct compiler *c, const struct function *f, uint8_t i)
{
    for (unsigned k = 0; k < f->arguments; k++) {
        const char *at;
        uint8_t a;

        space(c);
        at = c->p;
        if (k && !take(c, ","))
            return fail(c, at, "%s() takes two values: expected ','", f->name);
        space(c);
        at = c->p;
        a = operand(c);
        if (!a)
            return false;
        if (f->nodes && c->nodes[a].kind != JP_QUERY)
            return fail(c, at, "%s() takes a path, which begins with '@' or '$'", f->name);
        if (!f->nodes && !is_value(c, a))
            return false;
        if (k)
            c->nodes[i].b = a;
        else
            c->nodes[i].a = a;
    }
    space(c);
    return take(c, ")") || fail(c, c->p, "expected ')' behind what %s() takes", f->name);
}

static uint8_t function(struct compiler *c, struct th_span name)
{
    const char *at = c->p;
    const struct function *f = functions;
    uint8_t i;

    while (f < functions + sizeof functions / sizeof *functions && !th_span_is(name, f->name))
        f++;
    if (f == functions + sizeof functions / sizeof *functions)
        return fail(c, at, "there is no function \"%.*s\"; there are length, count, value, match and search",
                    (int)(name.n < 40 ? name.n : 40), name.p);
    i = add(c, f->kind, at);
    if (!i)
        return 0;
    if (c->depth++ == NESTED_MAX)
        return fail(c, at, "nested too deeply");
    c->p += name.n + 1;
    if (!arguments(c, f, i))
        return 0;
    c->depth--;
    if (f->arguments == 2 && !pattern(c, c->nodes[i].b))
        return 0;
    return ended(c, i);
}

static uint8_t word(struct compiler *c)
{
    static const struct {
        const char *name;
        enum jp_kind kind;
    } words[] = {{"true", JP_TRUE}, {"false", JP_FALSE}, {"null", JP_NULL}};
    const char *q = c->p;
    struct th_span name;

    while (q < c->end && ((*q >= 'a' && *q <= 'z') || *q == '_' || th_is_digit(*q)))
        q++;
    name = th_span(c->p, (size_t)(q - c->p));
    if (name.n && q < c->end && *q == '(')
        return function(c, name);
    for (unsigned k = 0; k < 3; k++)
        if (th_span_is(name, words[k].name)) {
            uint8_t i = add(c, words[k].kind, c->p);

            c->p = q;
            return i ? ended(c, i) : 0;
        }
    return 0;
}

static uint8_t operand(struct compiler *c)
{
    const char *at = c->p;
    uint8_t i = 0;

    if (c->p == c->end)
        return fail(c, at, "expected a value, but the text ends");
    if (*c->p == '@' || *c->p == '$')
        return query(c);
    if (*c->p == '\'' || *c->p == '"')
        return string(c, JP_STRING);
    if (integer_first(c))
        return number(c);
    if (*c->p >= 'a' && *c->p <= 'z')
        i = word(c);
    return i ? i
             : fail(c, at,
                    name_first(c) ? "unknown word; a text has to stand in quotes, a path begins with '@'"
                                  : "expected a path such as @.data.status, a number, or a text in quotes");
}

/* ---- logical expressions ---- */

static bool operator(struct compiler *c, enum jp_op *op)
{
    static const struct {
        const char *text;
        enum jp_op op;
    } ops[] = {{"==", JP_EQ}, {"!=", JP_NE}, {"<=", JP_LE}, {">=", JP_GE}, {"<", JP_LT}, {">", JP_GT}};

    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++)
        if (take(c, ops[i].text)) {
            *op = ops[i].op;
            return true;
        }
    return false;
}

static uint8_t pair(struct compiler *c, enum jp_kind kind, uint8_t a, uint8_t b)
{
    uint8_t i = a && b ? add(c, kind, c->begin + c->nodes[a].at) : 0;

    if (!i)
        return 0;
    c->nodes[i].a = a;
    c->nodes[i].b = b;
    return ended(c, i);
}

/* An operand alone, as a condition. */
static bool is_condition(struct compiler *c, uint8_t i)
{
    const struct jp_node *n = &c->nodes[i];

    if (n->kind == JP_QUERY || is_logical(n))
        return true;
    if (c->p < c->end && *c->p == '=')
        return fail(c, c->p, "'=' alone is no operator; write '=='");
    return fail(c, c->begin + n->at, "a value alone is no condition; compare it with ==, !=, <, <=, > or >=");
}

static uint8_t compare(struct compiler *c)
{
    const char *behind;
    enum jp_op op;
    uint8_t a = operand(c), b, i;

    if (!a)
        return 0;
    behind = c->p;
    space(c);
    if (!operator(c, &op)) {
        if (!is_condition(c, a))
            return 0;
        c->p = behind;
        return a;
    }
    if (!is_value(c, a))
        return 0;
    space(c);
    b = operand(c);
    if (!b || !is_value(c, b))
        return 0;
    i = pair(c, JP_COMPARE, a, b);
    if (i)
        c->nodes[i].op = (uint8_t)op;
    return i;
}

/* At '(': the expression in it; its text is with the brackets. */
static uint8_t brackets(struct compiler *c)
{
    const char *at = c->p;
    uint8_t i;

    if (c->depth == NESTED_MAX)
        return fail(c, at, "nested too deeply");
    c->p++;
    space(c);
    i = expression(c);
    space(c);
    if (i && !take(c, ")"))
        return fail(c, c->p, c->p == c->end ? "')' is missing" : "expected '&&', '||' or ')'");
    if (!i)
        return 0;
    c->nodes[i].at = (uint16_t)(at - c->begin);
    return ended(c, i);
}

static uint8_t basic(struct compiler *c)
{
    const char *at = c->p;
    enum jp_op op;
    uint8_t i, a;

    if (!take(c, "!")) {
        return c->p < c->end && *c->p == '(' ? brackets(c) : compare(c);
    }
    i = add(c, JP_NOT, at);
    space(c);
    if (c->p < c->end && *c->p == '(') {
        a = brackets(c);
    } else {
        const char *behind;

        a = operand(c);
        behind = c->p;
        space(c);
        if (a && (!is_condition(c, a) || operator(c, &op)))
            return fail(c, at, "'!' cannot stand in front of a comparison; write !(...)");
        c->p = behind;
    }
    if (!i || !a)
        return 0;
    c->nodes[i].a = a;
    return ended(c, i);
}

/* Operands joined by "&&" or, one level above, by "||". */
static uint8_t joined(struct compiler *c, bool or)
{
    const char *sign = or ? "||" : "&&";
    uint8_t a = or ? joined(c, false) : basic(c);

    while (a) {
        const char *behind = c->p;

        space(c);
        if (!take(c, sign)) {
            c->p = behind;
            break;
        }
        space(c);
        a = pair(c, or ? JP_OR : JP_AND, a, or ? joined(c, false) : basic(c));
    }
    return a;
}

static uint8_t expression(struct compiler *c)
{
    uint8_t i;

    if (c->depth++ == NESTED_MAX)
        return fail(c, c->p, "nested too deeply");
    i = joined(c, true);
    c->depth--;
    return i;
}

/* ---- all of it ---- */

static unsigned character_number(const char *p, const char *at)
{
    unsigned n = 1;

    for (; p < at; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

static bool read_query(struct compiler *c)
{
    size_t n = (size_t)(c->end - c->p);

    if (n > TH_JSONPATH_BYTES)
        return fail(c, c->p, "%zu bytes; at most %d are allowed", n, TH_JSONPATH_BYTES);
    if (!th_utf8_ok(th_span(c->p, n)))
        return fail(c, c->p, "the text is not UTF-8");
    if (c->p == c->end || *c->p != '$')
        return fail(c, c->p, "a path begins with '$'");
    add(c, JP_QUERY, c->p);
    if (!segments(c, 0))
        return false;
    return c->p == c->end || fail(c, c->p, "expected '.' or '[', or the end");
}

enum th_error th_jsonpath_compile(struct th_span text, struct th_arena *mem, const struct th_jsonpath **out,
                                  struct th_jsonpath_fault *fault)
{
    struct compiler c; /* nodes and pool are written before they are read */
    struct th_jsonpath *q;
    size_t nodes;

    c.begin = c.p = text.p ? text.p : "";
    c.end = c.begin + text.n;
    c.at = NULL;
    c.what[0] = 0;
    c.count = c.pool_n = c.depth = 0;
    if (!read_query(&c)) {
        if (fault) {
            fault->at = character_number(c.begin, c.at);
            memcpy(fault->what, c.what, sizeof c.what);
        }
        return TH_MALFORMED;
    }
    nodes = c.count * sizeof *c.nodes;
    q = th_arena_get(mem, sizeof *q + nodes + c.pool_n);
    if (!q)
        return TH_NOMEM;
    q->count = c.count;
    q->pool = c.pool_n;
    memcpy(q->nodes, c.nodes, nodes);
    memcpy((char *)(q->nodes + c.count), c.pool, c.pool_n);
    jp_key_choose(q);
    *out = q;
    return TH_OK;
}

size_t th_jsonpath_size(const struct th_jsonpath *q)
{
    return sizeof *q + q->count * sizeof *q->nodes + q->pool;
}

const struct th_jsonpath *th_jsonpath_copy(const struct th_jsonpath *q, struct th_arena *mem)
{
    struct th_jsonpath *to = th_arena_get(mem, th_jsonpath_size(q));

    if (to)
        memcpy(to, q, th_jsonpath_size(q));
    return to;
}

bool th_jsonpath_is_singular(const struct th_jsonpath *q)
{
    return q->nodes[0].flags & JP_SINGULAR;
}
