/* Compiles I-Regexp (RFC 9485), and what of ECMA-262's expressions can be had without backtracking, to instructions of a machine that is in many places at once (Thompson, Pike): iregexp_match.c.
 *
 * Refused: what RFC 9485 does not have (classes such as \d, back references, look-around; of these, classes are taken as
 * ECMA-262 has them where that is asked for), and what would be longer than
 * TH_IREGEXP_SLOTS. "^" and "$" are the ends of the text, as the compliance suite of JSONPath and the usual implementations have it.
 *
 * Jumps are relative, so that a repeated part is copied. The recursion follows the pattern's brackets, NESTED_MAX at most. */
#include "core/jsonpath/iregexp_program.h"
#include "lib/text.h"
#include <stddef.h>

#define NESTED_MAX 24

struct compiler {
    const char *begin, *p, *end, *at;
    struct th_iregexp *out;
    const char *what;
    unsigned depth;
    bool ecma;
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

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* Exactly n hexadecimal digits, or with n == 0 as many as there are before '}'. */
static bool hex(struct compiler *c, unsigned n, uint32_t *ch)
{
    unsigned digits = 0;

    for (*ch = 0; c->p < c->end && (n == 0 || digits < n); c->p++, digits++) {
        int value = th_hex_value(*c->p);

        if (value < 0)
            break;
        *ch = *ch << 4 | (unsigned)value;
        if (*ch > 0x10ffff)
            return fail(c, c->p, "there is no such character");
    }
    if (digits == 0 || digits < n)
        return fail(c, c->p, "expected hexadecimal digits");
    return true;
}

/* Behind "\u". */
static bool unicode(struct compiler *c, uint32_t *ch)
{
    uint32_t low;

    if (c->p < c->end && *c->p == '{') {
        c->p++;
        if (!hex(c, 0, ch))
            return false;
        if (c->p == c->end || *c->p != '}')
            return fail(c, c->p, "expected '}'");
        c->p++;
        return true;
    }
    if (!hex(c, 4, ch))
        return false;
    if (*ch >= 0xd800 && *ch <= 0xdbff && c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u') {
        const char *before = c->p;

        c->p += 2;
        if (!hex(c, 4, &low))
            return false;
        if (low >= 0xdc00 && low <= 0xdfff)
            *ch = 0x10000 + ((*ch - 0xd800) << 10) + (low - 0xdc00);
        else
            c->p = before;
    }
    return true;
}

/* What ECMA-262 has behind a backslash beyond RFC 9485. */
static bool escape_ecma(struct compiler *c, uint32_t *ch)
{
    const char *at = c->p - 1;
    char e = *c->p++;

    switch (e) {
    case 'f':
        *ch = '\f';
        return true;
    case 'v':
        *ch = '\v';
        return true;
    case '0':
        *ch = 0;
        return true;
    case 'x':
        return hex(c, 2, ch);
    case 'u':
        return unicode(c, ch);
    case 'c':
        if (c->p < c->end && is_letter(*c->p)) {
            *ch = (unsigned char)*c->p++ & 31u;
            return true;
        }
        return fail(c, at, "a letter belongs behind \\c");
    case 'k':
        return fail(c, at, "references to groups are not taken");
    default:
        if (th_is_digit(e))
            return fail(c, at, "references to groups are not taken");
        if (is_letter(e) || (unsigned char)e >= 128)
            return fail(c, at, "there is no such escape");
        *ch = (unsigned char)e;
        return true;
    }
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
        if (c->ecma && *c->p == 'b') { /* in a class: the character */
            *ch = '\b';
            break;
        }
        return fail(c, c->p - 1,
                    "I-Regexp has no \\d, \\s, \\w and \\b; write [0-9], [ \\t\\n\\r], [A-Za-z0-9_]");
    default:
        if (c->ecma)
            return escape_ecma(c, ch);
        if (!memchr("()*+-.?[\\]^{|}$", *c->p, 15))
            return fail(c, c->p - 1, "I-Regexp has no such escape");
        *ch = (unsigned char)*c->p;
    }
    c->p++;
    return true;
}

/* \d, \w and \s: ranges, in order. */
struct range {
    uint32_t from, to;
};
static const struct range digits[] = {{'0', '9'}}, words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                          spaces[] = {{9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
                                      {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                      {0x3000, 0x3000}, {0xfeff, 0xfeff}};

/* At "\d" and the like: writes the items of a class. False without `what`: it is something else. */
static bool shorthand(struct compiler *c)
{
    const struct range *r = spaces;
    size_t n = sizeof spaces / sizeof *spaces;
    uint32_t from = 0;

    if (!c->ecma || c->end - c->p < 2 || c->p[0] != '\\' || !memchr("dDwWsS", c->p[1], 6))
        return false;
    if ((c->p[1] | 32) == 'd')
        r = digits, n = sizeof digits / sizeof *digits;
    else if ((c->p[1] | 32) == 'w')
        r = words, n = sizeof words / sizeof *words;
    for (size_t i = 0; i < n; from = r[i++].to + 1)
        if (!(c->p[1] & 32 ? emit(c, r[i].from, r[i].to) : emit(c, from, r[i].from - 1)))
            return false;
    if (!(c->p[1] & 32) && !emit(c, from, 0x10ffff))
        return false;
    c->p += 2;
    return true;
}

static uint32_t long_category(struct th_span name)
{
    static const struct {
        const char *name, *category;
    } names[] = {
        {"Letter", "L"},
        {"Lowercase_Letter", "Ll"},
        {"Modifier_Letter", "Lm"},
        {"Other_Letter", "Lo"},
        {"Titlecase_Letter", "Lt"},
        {"Uppercase_Letter", "Lu"},
        {"Mark", "M"},
        {"Number", "N"},
        {"Decimal_Number", "Nd"},
        {"digit", "Nd"},
        {"Letter_Number", "Nl"},
        {"Other_Number", "No"},
        {"Punctuation", "P"},
        {"punct", "P"},
        {"Separator", "Z"},
        {"Space_Separator", "Zs"},
        {"Symbol", "S"},
        {"Currency_Symbol", "Sc"},
        {"Math_Symbol", "Sm"},
        {"Other", "C"},
        {"Control", "Cc"},
    };

    if (th_span_starts(name, TH_LIT("gc=")))
        name = th_span(name.p + 3, name.n - 3);
    if (th_span_starts(name, TH_LIT("General_Category=")))
        name = th_span(name.p + 17, name.n - 17);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (th_span_eq(name, th_str(names[i].name)))
            return th_iregexp_category_bits(th_str(names[i].category));
    return th_iregexp_category_bits(name);
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
    bits = 0;
    if (close) {
        struct th_span name = th_span(c->p + 3, (size_t)(close - c->p - 3));

        bits = c->ecma ? long_category(name) : th_iregexp_category_bits(name);
    }
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
    if (!c->ecma && (*c->p == '[' || *c->p == '-'))
        return fail(c, c->p, "write \\[ and \\- between '[' and ']'");
    *ch = character(c);
    return true;
}

static bool class_item(struct compiler *c)
{
    const char *at = c->p;
    struct th_iregexp_slot item;
    uint32_t low, high;

    if (shorthand(c))
        return true;
    if (!c->what && category(c, &item))
        return emit(c, item.op, item.arg);
    if (c->what || !class_character(c, &low))
        return false;
    high = low;
    if (c->ecma && c->end - c->p >= 3 && c->p[0] == '-' && c->p[1] == '\\' && memchr("dDwWsSpP", c->p[2], 8))
        return emit(c, low, high) && (c->p++, emit(c, '-', '-'));
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
        if (*c->p == ']' && (!first || c->ecma))
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

/* At the "?" of "(?:" or "(?<name>". */
static bool group_kind(struct compiler *c, const char *at)
{
    const char *close;

    if (c->end - c->p >= 2 && c->p[1] == ':') {
        c->p += 2;
        return true;
    }
    if (c->end - c->p < 3 || c->p[1] != '<' || c->p[2] == '=' || c->p[2] == '!')
        return fail(c, at, "look-ahead and look-behind are not taken; write what the text may be instead");
    close = memchr(c->p, '>', (size_t)(c->end - c->p));
    if (!close)
        return fail(c, at, "the name of the group has no end");
    c->p = close + 1;
    return true;
}

/* At a part that ECMA-262 has beyond RFC 9485. False without `what`: it is none. */
static bool atom_ecma(struct compiler *c)
{
    uint32_t head = c->out->count;

    if (*c->p == '.') {
        c->p++;
        return emit(c, OP_CLASS_NOT, 3) && emit(c, '\n', '\n') && emit(c, '\r', '\r') &&
               emit(c, 0x2028, 0x2029);
    }
    if (*c->p == ']' || *c->p == '}')
        return emit(c, OP_CHAR, character(c));
    if (c->end - c->p >= 2 && c->p[0] == '\\' && (c->p[1] | 32) == 'b') {
        c->p += 2;
        return emit(c, c->p[-1] == 'b' ? OP_EDGE : OP_NO_EDGE, 0);
    }
    if (*c->p != '\\' || !emit(c, OP_CLASS, 0))
        return false;
    if (shorthand(c)) {
        c->out->slots[head].arg = c->out->count - head - 1;
        return true;
    }
    c->out->count = head;
    return false;
}

static bool group(struct compiler *c)
{
    const char *at = c->p;

    if (c->depth == NESTED_MAX)
        return fail(c, at, "brackets are nested too deeply");
    if (c->p + 1 < c->end && c->p[1] == '?' && !c->ecma)
        return fail(c, at, "I-Regexp has no '(?'");
    c->depth++;
    c->p++;
    if (c->p < c->end && *c->p == '?' && !group_kind(c, at))
        return false;
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

    if (c->ecma && (atom_ecma(c) || c->what))
        return !c->what;
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
    if (c->ecma && c->p < c->end && *c->p == '?') /* lazy: the same texts match */
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

static bool compile(struct th_span pattern, bool ecma, struct th_iregexp *out, struct th_iregexp_fault *fault)
{
    struct compiler c = {
        .begin = pattern.p, .p = pattern.p, .end = pattern.p + pattern.n, .out = out, .ecma = ecma};
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

bool th_iregexp_compile(struct th_span pattern, struct th_iregexp *out, struct th_iregexp_fault *fault)
{
    return compile(pattern, false, out, fault);
}

bool th_iregexp_compile_ecma(struct th_span pattern, struct th_iregexp *out, struct th_iregexp_fault *fault)
{
    return compile(pattern, true, out, fault);
}
