/* Comparisons of JSONPath (RFC 9535, 2.3.5.2.2): numbers by their exact decimal values, whatever their spelling; texts by Unicode
 * characters; arrays and objects as a whole.
 *
 * Why no floating point: an id of 17 digits is a number that people filter by, and a double cannot tell it from its neighbour.
 * LIMIT: exponents beyond 15 digits count as equal. */
#include "core/jsonpath/iregexp_program.h"
#include "core/jsonpath/program.h"
#include "lib/json_scan.h"

/* ---- numbers ---- */

/* Digits without leading zeros, and where the point is: 0.d1d2d3 * 10^point. */
struct decimal {
    bool negative;
    const char *p, *end; /* digits, among which is a point */
    int64_t point;
};

static struct decimal read_decimal(struct th_span raw)
{
    struct decimal d = {.p = raw.p, .end = raw.p + raw.n};
    const char *q;
    bool fraction = false, minus;
    int64_t exponent = 0;

    if (d.p < d.end && *d.p == '-') {
        d.negative = true;
        d.p++;
    }
    for (; d.p < d.end && (*d.p == '0' || *d.p == '.'); d.p++) {
        d.point -= fraction && *d.p == '0';
        fraction |= *d.p == '.';
    }
    for (q = d.p; q < d.end && *q != 'e' && *q != 'E'; q++) {
        d.point += !fraction && *q != '.';
        fraction |= *q == '.';
    }
    if (q < d.end) {
        const char *e = q + 1;

        minus = e < d.end && *e == '-';
        e += e < d.end && (*e == '-' || *e == '+');
        for (; e < d.end && th_is_digit(*e); e++)
            if (exponent < 100000000000000)
                exponent = exponent * 10 + (*e - '0');
        d.point += minus ? -exponent : exponent;
    }
    for (d.end = q; d.end > d.p && (d.end[-1] == '0' || d.end[-1] == '.');) /* `point` has what they say */
        d.end--;
    if (d.p == d.end)
        d.point = 0, d.negative = false; /* minus zero is zero */
    return d;
}

static bool next_digit(struct decimal *d, char *c)
{
    if (d->p < d->end && *d->p == '.')
        d->p++;
    if (d->p == d->end)
        return false;
    *c = *d->p++;
    return true;
}

static int compare_digits(struct decimal a, struct decimal b)
{
    for (;;) {
        char x = '0', y = '0';
        bool more = next_digit(&a, &x);

        more |= next_digit(&b, &y);
        if (x != y)
            return x < y ? -1 : 1;
        if (!more)
            return 0;
    }
}

/* -1, 0, 1: two JSON numbers by their exact decimal values. */
static int number_compare(struct th_span a, struct th_span b)
{
    struct decimal x = read_decimal(a), y = read_decimal(b);
    bool no_x = x.p == x.end, no_y = y.p == y.end;
    int sign = x.negative ? -1 : 1;

    if (no_x || no_y)
        return no_x && no_y ? 0 : no_x ? (y.negative ? 1 : -1) : sign;
    if (x.negative != y.negative)
        return sign;
    if (x.point != y.point)
        return x.point < y.point ? -sign : sign;
    return sign * compare_digits(x, y);
}

uint64_t jp_number_hash(struct th_span raw)
{
    struct decimal d = read_decimal(raw);
    uint64_t h = (uint64_t)d.point * 2 + d.negative;
    char c;

    while (next_digit(&d, &c))
        h = (h ^ (unsigned char)c) * 0x100000001b3u;
    return h;
}

/* ---- texts ---- */

bool jp_characters(const struct th_tape *tape, const struct jp_value *v, struct jp_characters *out)
{
    struct th_span s = v->text;

    if (v->what == JP_NOTHING || v->type != TH_JSON_STRING)
        return false;
    if (v->what == JP_NODE)
        s = th_json_inside(th_tape_value(tape, v->node));
    *out = (struct jp_characters){s.p, s.p + s.n, v->what == JP_NODE};
    return true;
}

bool jp_character(void *characters, uint32_t *c)
{
    struct jp_characters *in = characters;

    if (in->p == in->end)
        return false;
    if (in->escaped && *in->p == '\\' && in->end - in->p > 1) {
        *c = th_json_escape(&in->p, in->end);
        if (*c >= 0xd800 && *c <= 0xdfff)
            *c = 0xfffd; /* half a pair */
        return true;
    }
    in->p = th_iregexp_utf8(in->p, in->end, c);
    return true;
}

static int compare_texts(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    struct jp_characters x, y;
    uint32_t n = 0;

    if (!jp_characters(run->tape, a, &x) || !jp_characters(run->tape, b, &y))
        return 1;
    for (;;) {
        uint32_t c = 0, d = 0;
        bool more_x, more_y;

        if (n++ % 64 == 63 && !jp_step(run, 1))
            return 1;
        more_x = jp_character(&x, &c);
        more_y = jp_character(&y, &d);
        if (!more_x || !more_y)
            return more_x - more_y;
        if (c != d)
            return c < d ? -1 : 1;
    }
}

/* Without escapes in one go; else by characters. */
static bool equal_texts(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    struct jp_characters x, y;
    size_t n;

    if (!jp_characters(run->tape, a, &x) || !jp_characters(run->tape, b, &y))
        return false;
    n = (size_t)(x.end - x.p);
    if (n == (size_t)(y.end - y.p) && jp_step(run, (uint32_t)(n / 256)) && memcmp(x.p, y.p, n) == 0)
        return x.escaped == y.escaped || !memchr(x.p, '\\', n);
    if ((!x.escaped || !memchr(x.p, '\\', n)) && (!y.escaped || !memchr(y.p, '\\', (size_t)(y.end - y.p))))
        return false;
    return compare_texts(run, a, b) == 0;
}

/* ---- arrays and objects ---- */

static struct jp_value of_node(const struct th_tape *tape, uint32_t node)
{
    struct th_json v = th_tape_value(tape, node);

    return (struct jp_value){.what = JP_NODE, .node = node, .type = v.type, .text = v.raw};
}

static bool equal_scalars(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == TH_JSON_NUMBER)
        return jp_step(run, (uint32_t)((a->text.n + b->text.n) / 256)) &&
               number_compare(a->text, b->text) == 0;
    return a->type != TH_JSON_STRING || equal_texts(run, a, b);
}

/* The member of `object` that has the same name as the member `like`. */
static uint32_t same_name(struct th_jsonpath_run *run, uint32_t object, uint32_t like)
{
    const struct th_tape *t = run->tape;
    struct th_json want = th_tape_name(t, like);

    for (uint32_t i = object + 1; i < th_tape_node(t, object)->next; i = th_tape_node(t, i)->next) {
        struct th_json has = th_tape_name(t, i);
        struct jp_characters x = {want.raw.p + 1, want.raw.p + want.raw.n - 1, true},
                             y = {has.raw.p + 1, has.raw.p + has.raw.n - 1, true};
        uint32_t c, d;
        bool more_x, more_y;

        if (!jp_step(run, 1 + (uint32_t)(want.raw.n / 256)))
            return TH_TAPE_NONE;
        if (th_span_eq(want.raw, has.raw))
            return i;
        if (!memchr(want.raw.p, '\\', want.raw.n) && !memchr(has.raw.p, '\\', has.raw.n))
            continue;
        do {
            c = d = 0;
            more_x = jp_character(&x, &c);
            more_y = jp_character(&y, &d);
        } while (more_x && more_y && c == d);
        if (!more_x && !more_y)
            return i;
    }
    return TH_TAPE_NONE;
}

/* Over the nodes of a, each with the one of b that stands in its place; the stack has the containers that are open. */
static bool equal_nodes(struct th_jsonpath_run *run, uint32_t a, uint32_t b)
{
    const struct th_tape *t = run->tape;
    uint32_t end = th_tape_node(t, a)->next;
    struct {
        uint32_t a, b, next; /* next: of b's elements */
    } open[TH_JSON_DEPTH + 8];
    unsigned depth = 0;

    for (uint32_t i = a, like = b;; like = TH_TAPE_NONE) {
        struct jp_value x = of_node(t, i), y;

        if (i != a) {
            while (i >= th_tape_node(t, open[depth - 1].a)->next)
                depth--;
            if (th_tape_node(t, i)->name_n) {
                like = same_name(run, open[depth - 1].b, i);
            } else {
                like = open[depth - 1].next;
                open[depth - 1].next = th_tape_node(t, like)->next;
            }
        }
        if (like == TH_TAPE_NONE || !jp_step(run, 1))
            return false;
        y = of_node(t, like);
        if (!equal_scalars(run, &x, &y) || th_tape_node(t, i)->children != th_tape_node(t, like)->children)
            return false;
        if (th_tape_node(t, i)->children) {
            if (depth == sizeof open / sizeof *open) { /* deeper than what is accepted anywhere */
                run->steps = 0;
                run->excess = true;
                return false;
            }
            open[depth].a = i;
            open[depth].b = like;
            open[depth++].next = like + 1;
        }
        if (++i == end)
            return true;
    }
}

static bool equal(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    if (a->what == JP_NOTHING || b->what == JP_NOTHING)
        return a->what == b->what;
    if (a->type != b->type)
        return false;
    if (a->type != TH_JSON_ARRAY && a->type != TH_JSON_OBJECT)
        return equal_scalars(run, a, b);
    return equal_nodes(run, a->node, b->node); /* only nodes are arrays or objects */
}

static bool less(struct th_jsonpath_run *run, const struct jp_value *a, const struct jp_value *b)
{
    if (a->what == JP_NOTHING || b->what == JP_NOTHING || a->type != b->type)
        return false;
    if (a->type == TH_JSON_NUMBER)
        return jp_step(run, (uint32_t)((a->text.n + b->text.n) / 256)) &&
               number_compare(a->text, b->text) < 0;
    return a->type == TH_JSON_STRING && compare_texts(run, a, b) < 0;
}

bool jp_compare(struct th_jsonpath_run *run, enum jp_op op, const struct jp_value *a,
                const struct jp_value *b)
{
    bool answer = false;

    switch (op) {
    case JP_EQ:
        answer = equal(run, a, b);
        break;
    case JP_NE:
        answer = !equal(run, a, b);
        break;
    case JP_LT:
        answer = less(run, a, b);
        break;
    case JP_LE:
        answer = less(run, a, b) || equal(run, a, b);
        break;
    case JP_GT:
        answer = less(run, b, a);
        break;
    case JP_GE:
        answer = less(run, b, a) || equal(run, a, b);
        break;
    }
    return answer && !run->excess;
}
