/* Values of JSON compared by what they mean, whatever their spelling.
 *
 * Why no floating point: an id of 17 digits is a number that people filter by, and a double cannot tell it from its neighbour.
 * LIMIT: exponents beyond 15 digits count as equal. */
#include "core/jsonpath/value.h"
#include "core/jsonpath/iregexp_program.h"
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

int th_number_compare(struct th_span a, struct th_span b)
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

uint64_t th_number_hash(struct th_span raw)
{
    struct decimal d = read_decimal(raw);
    uint64_t h = (uint64_t)d.point * 2 + d.negative;
    char c;

    while (next_digit(&d, &c))
        h = (h ^ (unsigned char)c) * 0x100000001b3u;
    return h;
}

/* The digits alone, and the power of ten of the last one. */
static int64_t last_digit(struct decimal d, unsigned *count)
{
    int64_t point = d.point;
    char c;

    for (*count = 0; next_digit(&d, &c); ++*count)
        point--;
    return point;
}

unsigned th_number_digits(struct th_span raw)
{
    unsigned count;

    (void)last_digit(read_decimal(raw), &count);
    return count;
}

bool th_number_is_whole(struct th_span raw)
{
    unsigned count;

    return last_digit(read_decimal(raw), &count) >= 0;
}

bool th_number_count(struct th_span raw, uint32_t *out)
{
    struct decimal d = read_decimal(raw);
    unsigned count;
    int64_t zeros = last_digit(d, &count);
    uint64_t n = 0;
    char c;

    if (zeros < 0 || d.negative)
        return false;
    while (n <= UINT32_MAX && next_digit(&d, &c))
        n = n * 10 + (uint64_t)(c - '0');
    for (; n && n <= UINT32_MAX && zeros; zeros--)
        n *= 10;
    *out = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return true;
}

__extension__ typedef unsigned __int128 th_u128;

/* a * b modulo m. */
static uint64_t times(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((th_u128)a * b % m);
}

bool th_number_is_multiple(struct th_span raw, struct th_span by)
{
    struct decimal d = read_decimal(raw), of = read_decimal(by);
    unsigned count, of_count;
    int64_t zeros = last_digit(d, &count) - last_digit(of, &of_count);
    uint64_t m = 0, rest = 0, ten;
    char c;

    if (count == 0)
        return true;
    if (zeros < 0) /* the last digit is not 0 */
        return false;
    while (next_digit(&of, &c))
        m = m * 10 + (uint64_t)(c - '0');
    while (next_digit(&d, &c))
        rest = (times(rest, 10, m) + (uint64_t)(c - '0')) % m;
    for (ten = 10 % m; zeros; zeros >>= 1, ten = times(ten, ten, m))
        if (zeros & 1)
            rest = times(rest, ten, m);
    return rest == 0;
}

/* ---- texts ---- */

struct th_characters th_characters_of(struct th_json string)
{
    struct th_span s = th_json_inside(string);

    return (struct th_characters){s.p, s.p + s.n, true};
}

bool th_characters_next(void *characters, uint32_t *c)
{
    struct th_characters *in = characters;

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

int th_texts_compare(struct th_work w, struct th_characters a, struct th_characters b)
{
    uint32_t n = 0;

    for (;;) {
        uint32_t c = 0, d = 0;
        bool more_a, more_b;

        if (n++ % 64 == 63 && !th_work_step(w, 1))
            return 1;
        more_a = th_characters_next(&a, &c);
        more_b = th_characters_next(&b, &d);
        if (!more_a || !more_b)
            return more_a - more_b;
        if (c != d)
            return c < d ? -1 : 1;
    }
}

static bool has_escapes(struct th_characters a)
{
    return a.escaped && memchr(a.p, '\\', (size_t)(a.end - a.p));
}

/* Without escapes in one go; else by characters. */
bool th_texts_equal(struct th_work w, struct th_characters a, struct th_characters b)
{
    size_t n = (size_t)(a.end - a.p);

    if (n == (size_t)(b.end - b.p) && th_work_step(w, (uint32_t)(n / 256)) && memcmp(a.p, b.p, n) == 0)
        return a.escaped == b.escaped || !memchr(a.p, '\\', n);
    return (has_escapes(a) || has_escapes(b)) && th_texts_compare(w, a, b) == 0;
}

/* ---- arrays and objects ---- */

static bool equal_scalars(struct th_work w, struct th_json a, struct th_json b)
{
    if (a.type != b.type)
        return false;
    if (a.type == TH_JSON_NUMBER)
        return th_work_step(w, (uint32_t)((a.raw.n + b.raw.n) / 256)) && th_number_compare(a.raw, b.raw) == 0;
    return a.type != TH_JSON_STRING || th_texts_equal(w, th_characters_of(a), th_characters_of(b));
}

/* The member of `object` that has this name. */
static uint32_t same_name(struct th_work w, const struct th_tape *t, uint32_t object, struct th_json want)
{
    for (uint32_t i = object + 1; i < th_tape_node(t, object)->next; i = th_tape_node(t, i)->next) {
        if (!th_work_step(w, 1 + (uint32_t)(want.raw.n / 256)))
            return TH_TAPE_NONE;
        if (th_texts_equal(w, th_characters_of(want), th_characters_of(th_tape_name(t, i))))
            return i;
    }
    return TH_TAPE_NONE;
}

/* Over the nodes of a, each with the one of b that stands in its place; the stack has the containers that are open. */
bool th_tape_equal(struct th_work w, const struct th_tape *s, uint32_t a, const struct th_tape *t, uint32_t b)
{
    uint32_t end = th_tape_node(s, a)->next;
    struct {
        uint32_t a, b, next; /* next: of b's elements */
    } open[TH_JSON_DEPTH + 8];
    unsigned depth = 0;

    for (uint32_t i = a, like = b;; like = TH_TAPE_NONE) {
        if (i != a) {
            while (i >= th_tape_node(s, open[depth - 1].a)->next)
                depth--;
            if (th_tape_node(s, i)->name_n) {
                like = same_name(w, t, open[depth - 1].b, th_tape_name(s, i));
            } else {
                like = open[depth - 1].next;
                open[depth - 1].next = th_tape_node(t, like)->next;
            }
        }
        if (like == TH_TAPE_NONE || !th_work_step(w, 1))
            return false;
        if (!equal_scalars(w, th_tape_value(s, i), th_tape_value(t, like)) ||
            th_tape_node(s, i)->children != th_tape_node(t, like)->children)
            return false;
        if (th_tape_node(s, i)->children) {
            if (depth == sizeof open / sizeof *open) /* deeper than what is accepted anywhere */
                return th_work_step(w, UINT32_MAX);
            open[depth].a = i;
            open[depth].b = like;
            open[depth++].next = like + 1;
        }
        if (++i == end)
            return true;
    }
}
