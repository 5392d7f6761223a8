/* Writes JSON as ECMAScript's JSON.stringify(JSON.parse(text)) would (ECMA-262, 25.5): receivers that verify
 * a signature over the stringified body must find the bytes that were signed.
 *
 * What changes: white space goes; strings get the shortest escapes, lone surrogates stay escaped
 * ("well-formed JSON.stringify"); numbers get Number::toString's spelling; in objects the last of equal names
 * wins at the place of the first, and names that are array indexes come first in ascending order. "__proto__"
 * is a name like any other, as JSON.parse defines it as an own property.
 *
 * What does not: a number that a double cannot hold exactly as a decimal (beyond 2^53, too many digits,
 * 1e400, 1e-400). Writing what ECMAScript would make of it sends another value than was published. It is left
 * as it is and reported.
 *
 * Invariants: 1. The input is parsed strictly first. 2. No recursion: one frame a level, at most
 * TH_JSON_DEPTH_MAX.
 * 3. Sorting is O(n log n) whatever the names. */
#include "base/alloc.h"
#include "base/decimal.h"
#include "core/shape.h"
#include <stdio.h>

#define NO_INDEX UINT32_MAX
#define KEYS_MAX ((size_t)64 * 1024 * 1024)

struct member {
    struct th_span raw;     /* the name as it came */
    uint32_t key_at, key_n; /* canonical: in `keys` when it had escapes */
    bool in_keys, dropped;
    uint32_t index; /* array index, or NO_INDEX */
    uint32_t order;
    struct th_json value;
};

struct frame { /* an object or array that is being written */
    bool object, first;
    struct th_json_iter it; /* array */
    size_t base, next, end; /* object: its members on the stack */
    size_t keys_base, path_n;
    uint64_t element; /* array: index of the current one */
};

struct writer {
    struct th_buf *out;
    struct th_buf members, keys, path, frames; /* stacks */
    void (*warn)(void *ctx, struct th_span pointer);
    void *ctx;
};

/* ---- strings ---- */

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        char c = th_lower(p[i]);
        v = v << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

static void add_utf8(struct th_buf *out, uint32_t c)
{
    char b[4];

    if (c < 0x80) {
        th_buf_char(out, (char)c);
    } else if (c < 0x800) {
        b[0] = (char)(0xc0 | c >> 6);
        b[1] = (char)(0x80 | (c & 63));
        th_buf_add(out, b, 2);
    } else if (c < 0x10000) {
        b[0] = (char)(0xe0 | c >> 12);
        b[1] = (char)(0x80 | (c >> 6 & 63));
        b[2] = (char)(0x80 | (c & 63));
        th_buf_add(out, b, 3);
    } else {
        b[0] = (char)(0xf0 | c >> 18);
        b[1] = (char)(0x80 | (c >> 12 & 63));
        b[2] = (char)(0x80 | (c >> 6 & 63));
        b[3] = (char)(0x80 | (c & 63));
        th_buf_add(out, b, 4);
    }
}

/* QuoteJSONString for one code unit that came as an escape. */
static void add_quoted(struct th_buf *out, uint32_t c)
{
    static const char shorts[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};

    if (c < sizeof shorts && shorts[c]) {
        th_buf_char(out, '\\');
        th_buf_char(out, shorts[c]);
    } else if (c < 0x20 || (c >= 0xd800 && c <= 0xdfff)) {
        th_buf_printf(out, "\\u%04x", c);
    } else {
        add_utf8(out, c);
    }
}

static uint32_t short_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (unsigned char)c; /* quote, backslash, solidus */
    }
}

/* raw: a valid JSON string with its quotes. */
static void add_string(struct th_buf *out, struct th_span raw)
{
    const char *p = raw.p + 1, *end = raw.p + raw.n - 1;

    th_buf_char(out, '"');
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        uint32_t c;
        if (!slash)
            slash = end;
        th_buf_add(out, p, (size_t)(slash - p));
        if (slash == end)
            break;
        if (slash[1] != 'u') {
            add_quoted(out, short_escape(slash[1]));
            p = slash + 2;
            continue;
        }
        c = (uint32_t)hex4(slash + 2);
        p = slash + 6;
        if (c >= 0xd800 && c <= 0xdbff && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            uint32_t low = (uint32_t)hex4(p + 2);
            if (low >= 0xdc00 && low <= 0xdfff) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                p += 6;
            }
        }
        add_quoted(out, c);
    }
    th_buf_char(out, '"');
}

/* ---- numbers ---- */

/* Reads a valid JSON number. False when it has more digits than any double's shortest form. */
static bool read_number(struct th_span raw, struct th_decimal *d, bool *negative)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    int64_t point = 0, exponent = 0;
    bool fraction = false, fits = true, minus = false;

    *d = (struct th_decimal){.count = 0};
    *negative = p < end && *p == '-';
    if (*negative)
        p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (*p == '0' && d->count == 0) { /* leading zeros count only behind the point */
            point -= fraction;
            continue;
        }
        if (d->count < sizeof d->digits)
            d->digits[d->count++] = *p;
        else
            fits &= *p == '0';
        point += !fraction;
    }
    if (p < end) {
        p++;
        minus = *p == '-';
        p += *p == '-' || *p == '+';
        for (; p < end; p++)
            if (exponent < 1000000000)
                exponent = exponent * 10 + (*p - '0');
    }
    while (d->count && d->digits[d->count - 1] == '0')
        d->count--;
    point += minus ? -exponent : exponent;
    /* A text of a few hundred KiB cannot hold digits that bring such an exponent back. */
    d->point = point > 1000000 ? 1000000 : point < -1000000 ? -1000000 : (int)point;
    return fits && d->count <= 17;
}

/* Number::toString (ECMA-262, 6.1.6.1.20) from digits and point. */
static void add_number(struct th_buf *out, const struct th_decimal *d, bool negative)
{
    static const char zeros[] = "000000000000000000000";
    unsigned k = d->count;
    int n = d->point;

    if (k == 0) {
        th_buf_char(out, '0'); /* minus zero too */
        return;
    }
    if (negative)
        th_buf_char(out, '-');
    if (n >= (int)k && n <= 21) {
        th_buf_add(out, d->digits, k);
        th_buf_add(out, zeros, (size_t)n - k);
    } else if (n > 0 && n <= 21) {
        th_buf_add(out, d->digits, (size_t)n);
        th_buf_char(out, '.');
        th_buf_add(out, d->digits + n, k - (size_t)n);
    } else if (n > -6 && n <= 0) {
        th_buf_add(out, "0.", 2);
        th_buf_add(out, zeros, (size_t)-n);
        th_buf_add(out, d->digits, k);
    } else {
        th_buf_char(out, d->digits[0]);
        if (k > 1) {
            th_buf_char(out, '.');
            th_buf_add(out, d->digits + 1, k - 1);
        }
        th_buf_char(out, 'e');
        th_buf_char(out, n > 0 ? '+' : '-');
        th_buf_u64(out, (uint64_t)(n > 0 ? n - 1 : 1 - n));
    }
}

/* True when the nearest double's own spelling has this decimal value. */
static bool is_exact(const struct th_decimal *d)
{
    struct th_decimal shortest;

    /* Any decimal of up to 15 digits survives a double in the range of normal numbers (DBL_DIG). */
    if (d->count == 0 || (d->count <= 15 && d->point > -300 && d->point <= 300))
        return true;
    return th_decimal_shortest(d, &shortest) && shortest.count == d->count && shortest.point == d->point &&
           memcmp(shortest.digits, d->digits, d->count) == 0;
}

static void do_number(struct writer *w, struct th_span raw)
{
    struct th_decimal d;
    bool negative;

    if (read_number(raw, &d, &negative) && is_exact(&d)) {
        add_number(w->out, &d, negative);
        return;
    }
    th_buf_span(w->out, raw);
    if (w->warn && !w->path.failed)
        w->warn(w->ctx, th_buf_view(&w->path));
}

/* ---- objects ---- */

static struct member *member_at(struct writer *w, size_t i)
{
    return (struct member *)(void *)w->members.p + i;
}

static struct th_span key_of(const struct writer *w, const struct member *m)
{
    return m->in_keys ? th_span(w->keys.p + m->key_at, m->key_n) : m->raw;
}

/* "0" or digits without a leading zero, below 2^32 - 1: what ECMAScript calls an array index. key has its
 * quotes. */
static uint32_t array_index(struct th_span key)
{
    uint64_t v;
    struct th_span digits = th_span(key.p + 1, key.n - 2);

    if (digits.n == 0 || digits.n > 10 || (digits.p[0] == '0' && digits.n > 1))
        return NO_INDEX;
    return th_span_u64(digits, UINT32_MAX - 1, &v) ? (uint32_t)v : NO_INDEX;
}

static int compare_keys(const struct writer *w, const struct member *a, const struct member *b)
{
    struct th_span x = key_of(w, a), y = key_of(w, b);
    int c = x.n != y.n ? (x.n < y.n ? -1 : 1) : memcmp(x.p, y.p, x.n);

    return c ? c : a->order < b->order ? -1 : a->order > b->order;
}

/* Indexes first, ascending; then the order of the text. */
static int compare_places(const struct writer *w, const struct member *a, const struct member *b)
{
    (void)w;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1; /* NO_INDEX is the largest */
    return a->order < b->order ? -1 : a->order > b->order;
}

typedef int compare_fn(const struct writer *w, const struct member *a, const struct member *b);

/* Heapsort: in place, without the heap, and the same for crafted input. */
static void sort_members(const struct writer *w, struct member *v, size_t n, compare_fn *compare)
{
    for (size_t phase = n / 2, end = n; end > 1;) {
        size_t root, child;
        struct member t;
        if (phase > 0) {
            root = --phase;
        } else {
            t = v[--end];
            v[end] = v[0];
            v[0] = t;
            root = 0;
        }
        while ((child = 2 * root + 1) < end) {
            if (child + 1 < end && compare(w, &v[child], &v[child + 1]) < 0)
                child++;
            if (compare(w, &v[root], &v[child]) >= 0)
                break;
            t = v[root];
            v[root] = v[child];
            v[child] = t;
            root = child;
        }
    }
}

/* True when the members may not simply go out as they came. */
static bool needs_order(struct writer *w, struct member *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i].index != NO_INDEX)
            return true;
        for (size_t k = 0; n <= 16 && k < i; k++) {
            struct th_span a = key_of(w, &v[i]), b = key_of(w, &v[k]);
            if (a.n == b.n && memcmp(a.p, b.p, a.n) == 0)
                return true;
        }
    }
    return n > 16;
}

static void order_members(struct writer *w, struct member *v, size_t n)
{
    if (!needs_order(w, v, n))
        return;
    sort_members(w, v, n, compare_keys);
    for (size_t i = 0; i < n;) { /* runs of one name: the first keeps its place and takes the last value */
        size_t last = i;
        while (last + 1 < n && th_span_eq(key_of(w, &v[i]), key_of(w, &v[last + 1])))
            v[++last].dropped = true;
        v[i].value = v[last].value;
        i = last + 1;
    }
    sort_members(w, v, n, compare_places);
}

static bool push_frame(struct writer *w, const struct frame *f)
{
    th_buf_add(&w->frames, f, sizeof *f);
    return !w->frames.failed;
}

static bool begin_object(struct writer *w, struct th_json v)
{
    struct frame f = {.object = true,
                      .first = true,
                      .base = w->members.n / sizeof(struct member),
                      .keys_base = w->keys.n,
                      .path_n = w->path.n};
    struct th_json_iter it;
    struct th_json key, value;
    uint32_t order = 0;

    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &value)) {
        struct member m = {.raw = key.raw, .order = order++, .value = value};
        if (memchr(key.raw.p, '\\', key.raw.n)) {
            m.in_keys = true;
            m.key_at = (uint32_t)w->keys.n;
            add_string(&w->keys, key.raw);
            m.key_n = (uint32_t)(w->keys.n - m.key_at);
            if (w->keys.failed)
                return false;
        }
        m.index = array_index(key_of(w, &m));
        th_buf_add(&w->members, &m, sizeof m);
    }
    if (w->members.failed)
        return false;
    f.next = f.base;
    f.end = w->members.n / sizeof(struct member);
    if (f.end > f.base)
        order_members(w, member_at(w, f.base), f.end - f.base);
    th_buf_char(w->out, '{');
    return push_frame(w, &f);
}

static bool begin_array(struct writer *w, struct th_json v)
{
    struct frame f = {.first = true, .path_n = w->path.n};

    th_json_iter(&f.it, v);
    th_buf_char(w->out, '[');
    return push_frame(w, &f);
}

/* The pointer to the current value; only kept when somebody asked for warnings. */
static void point_at_key(struct writer *w, size_t base, struct th_span raw)
{
    size_t from;
    struct th_buf plain;

    if (!w->warn)
        return;
    w->path.n = base;
    th_buf_char(&w->path, '/');
    th_buf_init(&plain, KEYS_MAX);
    th_json_string((struct th_json){TH_JSON_STRING, raw}, &plain);
    for (from = 0; from < plain.n; from++) {
        if (plain.p[from] == '~' || plain.p[from] == '/')
            th_buf_add(&w->path, plain.p[from] == '~' ? "~0" : "~1", 2);
        else
            th_buf_char(&w->path, plain.p[from]);
    }
    th_buf_fini(&plain);
}

static void point_at_element(struct writer *w, size_t base, uint64_t i)
{
    if (!w->warn)
        return;
    w->path.n = base;
    th_buf_char(&w->path, '/');
    th_buf_u64(&w->path, i);
}

static bool value(struct writer *w, struct th_json v)
{
    switch (v.type) {
    case TH_JSON_OBJECT:
        return begin_object(w, v);
    case TH_JSON_ARRAY:
        return begin_array(w, v);
    case TH_JSON_STRING:
        add_string(w->out, v.raw);
        return true;
    case TH_JSON_NUMBER:
        do_number(w, v.raw);
        return true;
    default:
        th_buf_span(w->out, v.raw);
        return true;
    }
}

/* The next value of the innermost frame; false at its end. */
static bool next(struct writer *w, struct frame *f, struct th_json *v)
{
    if (!f->object) {
        if (!th_json_next(&f->it, NULL, v))
            return false;
        point_at_element(w, f->path_n, f->element++);
    } else {
        const struct member *m;
        while (f->next < f->end && member_at(w, f->next)->dropped)
            f->next++;
        if (f->next == f->end)
            return false;
        m = member_at(w, f->next++);
        *v = m->value;
        if (!f->first)
            th_buf_char(w->out, ',');
        th_buf_span(w->out, key_of(w, m));
        th_buf_char(w->out, ':');
        point_at_key(w, f->path_n, m->raw);
        f->first = false;
        return true;
    }
    if (!f->first)
        th_buf_char(w->out, ',');
    f->first = false;
    return true;
}

static void end_frame(struct writer *w, const struct frame *f)
{
    th_buf_char(w->out, f->object ? '}' : ']');
    if (f->object) {
        w->members.n = f->base * sizeof(struct member);
        w->keys.n = f->keys_base;
    }
    w->path.n = f->path_n;
    w->frames.n -= sizeof *f;
}

static enum th_error run(struct writer *w, struct th_json root)
{
    bool ok = value(w, root);

    while (ok && w->frames.n && !w->out->failed) {
        struct frame f;
        struct th_json v;
        char *top = w->frames.p + w->frames.n - sizeof f;
        memcpy(&f, top, sizeof f);
        if (next(w, &f, &v)) {
            memcpy(top, &f, sizeof f);
            ok = value(w, v);
        } else {
            end_frame(w, &f);
        }
    }
    if (w->out->failed)
        return w->out->failed;
    return ok                  ? TH_OK
           : w->frames.failed  ? w->frames.failed
           : w->members.failed ? w->members.failed
                               : w->keys.failed;
}

enum th_error th_ecma_write(struct th_span text, struct th_buf *out,
                            void (*warn)(void *ctx, struct th_span pointer), void *ctx)
{
    struct writer w = {.out = out, .warn = warn, .ctx = ctx};
    struct th_json root;
    enum th_error error = th_json_parse(text, TH_JSON_DEPTH_MAX, &root, NULL);

    if (error)
        return error;
    th_buf_init(&w.members, KEYS_MAX * 16);
    th_buf_init(&w.keys, KEYS_MAX);
    th_buf_init(&w.path, KEYS_MAX);
    th_buf_init(&w.frames, (TH_JSON_DEPTH_MAX + 1) * sizeof(struct frame));
    error = run(&w, root);
    th_buf_fini(&w.members);
    th_buf_fini(&w.keys);
    th_buf_fini(&w.path);
    th_buf_fini(&w.frames);
    return error;
}
