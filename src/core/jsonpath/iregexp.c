/* Compiles I-Regexp (RFC 9485) to instructions of a machine that is in many places at once (Thompson, Pike): iregexp_match.c.
 *
 * Refused: what RFC 9485 does not have (classes such as \d, back references, look-around), and what would be longer than
 * TH_IREGEXP_SLOTS. "^" and "$" are the ends of the text, as the compliance suite of JSONPath and the usual implementations have it.
 *
 * Jumps are relative, so that a repeated part is copied. The recursion follows the pattern's brackets, NESTED_MAX at most. */
#include "core/jsonpath/iregexp_program.h"
#include <stddef.h>

#define NESTED_MAX 24

struct compiler {
    const char *begin, *p, *end, *at;
    struct th_iregexp *out;
    const char *what;
    unsigned depth;
};

static bool fail(struct compiler *c, const char *at, const char *what)
{
    if (!c->what) {
        c->at = at;
        c->what = what;
    }
    return false;
}

static bool emit(struct compiler *c, uint32_t op, uint32_t arg)
{
    if (c->out->count == TH_IREGEXP_SLOTS)
        return fail(c, c->p, "the pattern is too large when its repetitions are written out");
    c->out->slots[c->out->count++] = (struct th_iregexp_slot){op, arg};
    return true;
}

/* Makes room for one instruction in front of the code from `at` on. */
static bool insert(struct compiler *c, uint32_t at, uint32_t op, uint32_t arg)
{
    struct th_iregexp_slot *s = c->out->slots;

    if (!emit(c, op, arg))
        return false;
    memmove(s + at + 1, s + at, (c->out->count - 1 - at) * sizeof *s);
    s[at] = (struct th_iregexp_slot){op, arg};
    return true;
}

static uint32_t character(struct compiler *c)
{
    uint32_t ch;

    c->p = th_iregexp_utf8(c->p, c->end, &ch);
    return ch;
}

/* Behind a backslash: a single character. */
static bool escape(struct compiler *c, uint32_t *ch)
{
    if (c->p == c->end)
        return fail(c, c->p, "the pattern ends behind a backslash");
    switch (*c->p) {
    case 'n':
        *ch = '\n';
        break;
    case 'r':
        *ch = '\r';
        break;
    case 't':
        *ch = '\t';
        break;
    case 'd':
    case 'D':
    case 's':
    case 'S':
    case 'w':
    case 'W':
    case 'b':
    case 'B':
        return fail(c, c->p - 1,
                    "I-Regexp has no \\d, \\s, \\w and \\b; write [0-9], [ \\t\\n\\r], [A-Za-z0-9_]");
    default:
        if (!memchr("()*+-.?[\\]^{|}$", *c->p, 15))
            return fail(c, c->p - 1, "I-Regexp has no such escape");
        *ch = (unsigned char)*c->p;
    }
    c->p++;
    return true;
}

/* At "\p" or "\P": gives the item of a class. False without `what`: it is another escape. */
static bool category(struct compiler *c, struct th_iregexp_slot *item)
{
    const char *close;
    uint32_t bits;

    if (c->end - c->p < 2 || c->p[0] != '\\' || (c->p[1] != 'p' && c->p[1] != 'P'))
        return false;
    if (c->end - c->p < 3 || c->p[2] != '{')
        return fail(c, c->p, "a category is written \\p{Lu}");
    close = memchr(c->p, '}', (size_t)(c->end - c->p));
    bits = close ? th_iregexp_category_bits(th_span(c->p + 3, (size_t)(close - c->p - 3))) : 0;
    if (!bits)
        return fail(c, c->p, "there is no such category; a category is written \\p{Lu}");
    *item = (struct th_iregexp_slot){c->p[1] == 'P' ? ITEM_NO_CATEGORY : ITEM_CATEGORY, bits};
    c->p = close + 1;
    return true;
}

static bool class_character(struct compiler *c, uint32_t *ch)
{
    if (c->p == c->end)
        return fail(c, c->p, "'[' is not closed");
    if (*c->p == '\\') {
        c->p++;
        return escape(c, ch);
    }
    if (*c->p == '[' || *c->p == '-')
        return fail(c, c->p, "write \\[ and \\- between '[' and ']'");
    *ch = character(c);
    return true;
}

static bool class_item(struct compiler *c)
{
    const char *at = c->p;
    struct th_iregexp_slot item;
    uint32_t low, high;

    if (category(c, &item))
        return emit(c, item.op, item.arg);
    if (c->what || !class_character(c, &low))
        return false;
    high = low;
    if (c->end - c->p >= 2 && c->p[0] == '-' && c->p[1] != ']') {
        c->p++;
        if (!class_character(c, &high))
            return false;
        if (high < low)
            return fail(c, at, "the range ends before it begins");
    }
    return emit(c, low, high);
}

/* Behind '['. */
static bool class(struct compiler *c)
{
    uint32_t head = c->out->count;
    bool negated = c->p < c->end && *c->p == '^', first = true;

    if (!emit(c, OP_CLASS, 0))
        return false;
    c->p += negated;
    for (;; first = false) {
        if (c->p == c->end)
            return fail(c, c->p, "'[' is not closed");
        if (*c->p == ']' && !first)
            break;
        if (*c->p == ']')
            return fail(c, c->p, "a class is empty");
        if (*c->p == '-' && (first || (c->end - c->p > 1 && c->p[1] == ']'))) {
            c->p++;
            if (!emit(c, '-', '-'))
                return false;
        } else if (!class_item(c)) {
            return false;
        }
    }
    c->p++;
    c->out->slots[head].op = negated ? OP_CLASS_NOT : OP_CLASS;
    c->out->slots[head].arg = c->out->count - head - 1;
    return true;
}

static bool alternatives(struct compiler *c);

static bool group(struct compiler *c)
{
    const char *at = c->p;

    if (c->depth == NESTED_MAX)
        return fail(c, at, "brackets are nested too deeply");
    if (c->p + 1 < c->end && c->p[1] == '?')
        return fail(c, at, "I-Regexp has no '(?'");
    c->depth++;
    c->p++;
    if (!alternatives(c))
        return false;
    if (c->p == c->end)
        return fail(c, at, "'(' is not closed");
    c->p++;
    c->depth--;
    return true;
}

static bool atom(struct compiler *c)
{
    struct th_iregexp_slot item;
    uint32_t ch;

    switch (*c->p) {
    case '(':
        return group(c);
    case '[':
        c->p++;
        return class(c);
    case '.':
        c->p++;
        return emit(c, OP_ANY, 0);
    case '^':
        c->p++;
        return emit(c, OP_BEGIN, 0);
    case '$':
        c->p++;
        return emit(c, OP_END, 0);
    case '\\':
        if (category(c, &item))
            return emit(c, OP_CLASS, 1) && emit(c, item.op, item.arg);
        c->p++;
        return !c->what && escape(c, &ch) && emit(c, OP_CHAR, ch);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(c, c->p, "there is nothing to repeat");
    case ']':
    case '}':
        return fail(c, c->p, "write \\] and \\} for these brackets themselves");
    default:
        return emit(c, OP_CHAR, character(c));
    }
}

static bool number(struct compiler *c, uint32_t *n)
{
    const char *at = c->p;

    for (*n = 0; c->p < c->end && th_is_digit(*c->p); c->p++)
        if (*n < 100000)
            *n = *n * 10 + (uint32_t)(*c->p - '0');
    return c->p > at;
}

#define NO_END UINT32_MAX
/* What follows an atom; without one it is exactly once. */
static bool quantifier(struct compiler *c, uint32_t *from, uint32_t *to)
{
    const char *at = c->p;

    *from = *to = 1;
    if (c->p == c->end)
        return true;
    switch (*c->p) {
    case '*':
        *from = 0;
        *to = NO_END;
        break;
    case '+':
        *to = NO_END;
        break;
    case '?':
        *from = 0;
        break;
    case '{':
        c->p++;
        if (!number(c, from))
            return fail(c, at, "a repetition is written {2}, {2,} or {2,5}");
        *to = *from;
        if (c->p < c->end && *c->p == ',') {
            c->p++;
            if (!number(c, to))
                *to = NO_END;
        }
        if (c->p == c->end || *c->p != '}')
            return fail(c, at, "a repetition is written {2}, {2,} or {2,5}");
        if (*to < *from)
            return fail(c, at, "a repetition ends before it begins");
        break;
    default:
        return true;
    }
    c->p++;
    return true;
}

static bool copy(struct compiler *c, uint32_t at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!emit(c, c->out->slots[at + i].op, c->out->slots[at + i].arg))
            return false;
    return true;
}

/* The code of n slots at `at` is there once; it shall run from..to times. */
static bool repeat(struct compiler *c, uint32_t at, uint32_t from, uint32_t to)
{
    uint32_t n = c->out->count - at;

    if (from == 1 && to == 1)
        return true;
    if (to == 0) {
        c->out->count = at;
        return true;
    }
    if (n == 0)
        return true;
    for (uint32_t i = 1; i < from; i++) /* all but the first, which is there */
        if (!copy(c, at, n))
            return false;
    if (to == NO_END) {
        if (from == 0) /* L: split behind; code; jump L */
            return insert(c, at, OP_SPLIT, n + 2) && emit(c, OP_JUMP, (uint32_t) - (int32_t)(n + 1));
        return emit(c, OP_SPLIT, (uint32_t) - (int32_t)n);
    }
    if (from == 0) {
        if (!insert(c, at, OP_SPLIT, n + 1))
            return false;
        for (uint32_t i = 1; i < to; i++)
            if (!copy(c, at, n + 1))
                return false;
        return true;
    }
    for (uint32_t i = from; i < to; i++)
        if (!emit(c, OP_SPLIT, n + 1) || !copy(c, at, n))
            return false;
    return true;
}

static bool branch(struct compiler *c)
{
    while (c->p < c->end && *c->p != '|' && *c->p != ')') {
        uint32_t at = c->out->count, from, to;

        if (!atom(c) || !quantifier(c, &from, &to) || !repeat(c, at, from, to))
            return false;
    }
    return true;
}

/* split next; first; jump end; next: the others; end: */
static bool alternatives(struct compiler *c)
{
    uint32_t ends[TH_IREGEXP_BYTES], count = 0, at = c->out->count;

    for (;;) {
        if (!branch(c))
            return false;
        if (c->p == c->end || *c->p == ')')
            break;
        c->p++;
        if (!insert(c, at, OP_SPLIT, c->out->count - at + 2) || !emit(c, OP_JUMP, 0))
            return false;
        ends[count++] = c->out->count - 1;
        at = c->out->count;
    }
    for (uint32_t i = 0; i < count; i++)
        c->out->slots[ends[i]].arg = c->out->count - ends[i];
    return true;
}

static unsigned character_number(const char *p, const char *at)
{
    unsigned n = 1;

    for (; p < at; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

bool th_iregexp_compile(struct th_span pattern, struct th_iregexp *out, struct th_iregexp_fault *fault)
{
    struct compiler c = {.begin = pattern.p, .p = pattern.p, .end = pattern.p + pattern.n, .out = out};
    bool ok;

    out->count = 0;
    if (pattern.n > TH_IREGEXP_BYTES)
        ok = fail(&c, c.p, "the pattern is longer than 256 bytes");
    else
        ok = alternatives(&c) && (c.p == c.end || fail(&c, c.p, "')' without '('")) && emit(&c, OP_MATCH, 0);
    if (!ok && fault)
        *fault = (struct th_iregexp_fault){character_number(c.begin, c.at), c.what};
    return ok;
}
