/* Writes JSON as ECMAScript's JSON.stringify(JSON.parse(text)) would (ECMA-262, 25.5): receivers that verify
 * a signature over the stringified body must find the bytes that were signed.
 *
 * What changes: white space goes; strings get the shortest escapes, lone surrogates stay escaped
 * ("well-formed JSON.stringify"); numbers get Number::toString's spelling (ecma_number.c); in objects the last
 * of equal names wins at the place of the first, and names that are array indexes come first in ascending
 * order. "__proto__" is a name like any other, as JSON.parse defines it as an own property.
 *
 * One pass, and most text is already spelled so: what needs no change is not looked at again but copied in
 * long runs. A run reaches from `from` to the reading position; it is copied when something must change. The
 * place of a byte in the output is therefore known before the byte is there. An object is put into order when
 * it ends, and only if its names ask for it.
 *
 * Invariants: 1. The input is valid JSON; on any other bytes the result is nonsense or TH_MALFORMED, and
 * nothing beyond the end is read. 2. No recursion: one frame a level, at most TH_JSON_DEPTH_MAX. 3. Putting n
 * members into order takes O(n log n) whatever their names. */
#include "core/ecma.h"
#include "lib/json_scan.h"

#define NO_INDEX UINT32_MAX
#define FEW_MEMBERS 64 /* up to here equal names are looked for one by one */
#define MEMBERS_MAX ((size_t)1 << 30)

struct member {
    size_t key, key_n; /* its name in the output, quotes included */
    size_t end;        /* behind its value, in the output */
    uint32_t index;    /* array index, or NO_INDEX */
    uint32_t order;
    uint32_t hash; /* of the name */
    bool dropped;
};

struct frame { /* an object or array that is being written */
    bool object;
    bool repeated, indexed; /* what asks for putting the members into order */
    size_t begin;           /* behind its opening bracket, in the output */
    size_t base;            /* its members on the stack */
    uint64_t seen;          /* a bit for each name's hash: nearly always tells that a name is new */
};

struct writer {
    struct th_buf *out;
    const char *p, *end, *from;
    struct th_buf members; /* stack of those of all open objects */
    unsigned depth;
    bool name; /* a string here is a member's name */
    bool inexact;
    enum th_error error;
    struct frame frames[TH_JSON_DEPTH_MAX];
};

/* ---- the run ---- */

/* Copies what has not been copied, up to `to`, and goes on with the bytes at `next`. */
static void flush(struct writer *w, const char *to, const char *next)
{
    th_buf_add(w->out, w->from, (size_t)(to - w->from));
    w->from = next;
}

/* Where a byte of the run stands, or will stand, in the output. */
static size_t place(const struct writer *w, const char *p)
{
    return w->out->n + (size_t)(p - w->from);
}

static bool malformed(struct writer *w)
{
    w->error = TH_MALFORMED;
    return false;
}

/* ---- strings ---- */

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | ((uint32_t)th_hex_value(p[i]) & 15);
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

/* QuoteJSONString for one code unit that came as \u. */
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

/* p is at the backslash of a \u; returns behind it, or behind the pair of surrogates that it begins. */
static const char *unicode_escape(struct writer *w, const char *p)
{
    uint32_t c = hex4(p + 2), low;

    flush(w, p, p);
    p += 6;
    if (c >= 0xd800 && c <= 0xdbff && w->end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        low = hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
    }
    add_quoted(w->out, c);
    w->from = p;
    return p;
}

/* From the opening quote to behind the closing one. The other short escapes are the shortest already. */
static bool string(struct writer *w)
{
    const char *p = w->p + 1;

    for (;;) {
        p = th_quote_or_escape(p, w->end);
        if (w->end - p < 2) {
            if (p == w->end || *p != '"')
                return malformed(w);
            break;
        }
        if (*p == '"')
            break;
        if (p[1] == 'u') {
            if (w->end - p < 6)
                return malformed(w);
            p = unicode_escape(w, p);
        } else {
            if (p[1] == '/')
                flush(w, p, p + 1);
            p += 2;
        }
    }
    w->p = p + 1;
    return true;
}

/* ---- numbers and words ---- */

/* An integer of few digits is spelled so already; the rest is ecma_number.c's. */
static bool number(struct writer *w)
{
    const char *p = w->p, *digits = p + (*p == '-'), *q = digits;

    while (q < w->end && th_is_digit(*q))
        q++;
    if (q - digits > 0 && q - digits <= 15 && (q == w->end || (*q != '.' && (*q | 32) != 'e')) &&
        (*p != '-' || *digits != '0')) {
        w->p = q;
        return true;
    }
    while (q < w->end && (th_is_digit(*q) || *q == '.' || (*q | 32) == 'e' || *q == '+' || *q == '-'))
        q++;
    if (q == p)
        return malformed(w);
    flush(w, p, q);
    if (!th_ecma_number(th_span(p, (size_t)(q - p)), w->out))
        w->inexact = true;
    w->p = q;
    return true;
}

/* true, false and null */
static bool word(struct writer *w)
{
    const char *p = w->p;

    while (w->p < w->end && *w->p >= 'a' && *w->p <= 'z')
        w->p++;
    return w->p > p || number(w);
}

/* ---- putting members into order ---- */

static struct member *member_at(struct writer *w, size_t i)
{
    return (struct member *)(void *)w->members.p + i;
}

static size_t member_count(const struct writer *w)
{
    return w->members.n / sizeof(struct member);
}

/* Only where the whole name has been copied. */
static struct th_span key_of(const struct writer *w, const struct member *m)
{
    return th_span(w->out->p + m->key, m->key_n);
}

/* "0" or digits without a leading zero, below 2^32 - 1: what ECMAScript calls an array index. key has its
 * quotes. */
static uint32_t array_index(struct th_span key)
{
    uint64_t v;
    struct th_span digits = th_span(key.p + 1, key.n - 2);

    if (digits.n == 0 || !th_is_digit(*digits.p) || digits.n > 10 || (digits.p[0] == '0' && digits.n > 1))
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

/* Of each run of one name only the last stays, at the place of the first. True when there was such a run. */
static bool drop_repeated(const struct writer *w, struct member *v, size_t n)
{
    bool any = false;

    sort_members(w, v, n, compare_keys);
    for (size_t i = 0; i < n;) {
        size_t last = i;
        while (last + 1 < n && th_span_eq(key_of(w, &v[i]), key_of(w, &v[last + 1])))
            v[last++].dropped = any = true;
        v[last].order = v[i].order;
        i = last + 1;
    }
    return any;
}

/* Writes the members of an object, which stand in the output as they came, again in their order. */
static void order_members(struct writer *w, const struct frame *f)
{
    struct member *v = member_at(w, f->base);
    size_t n = member_count(w) - f->base;
    bool repeated;
    struct th_buf sorted;

    flush(w, w->p, w->p);
    if (w->out->failed)
        return;
    repeated = drop_repeated(w, v, n);
    if (!repeated && !f->indexed)
        return;
    sort_members(w, v, n, compare_places);
    th_buf_init(&sorted, w->out->max);
    for (size_t i = 0; i < n; i++) {
        if (v[i].dropped)
            continue;
        if (sorted.n)
            th_buf_char(&sorted, ',');
        th_buf_add(&sorted, w->out->p + v[i].key, v[i].end - v[i].key);
    }
    w->out->n = f->begin;
    th_buf_span(w->out, th_buf_view(&sorted));
    if (sorted.failed && !w->out->failed)
        w->out->failed = sorted.failed;
    th_buf_fini(&sorted);
}

/* ---- objects and arrays ---- */

static uint32_t hash_of(struct th_span s)
{
    uint32_t h = (uint32_t)s.n;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h ^ h >> 16;
}

/* Marks the object when the name may be one of its earlier ones. */
static void look_for_repeat(struct writer *w, struct frame *f, uint32_t hash)
{
    uint64_t bit = (uint64_t)1 << (hash & 63);
    size_t n = member_count(w);

    if (n - f->base >= FEW_MEMBERS)
        f->repeated = true;
    for (size_t i = f->base; !f->repeated && f->seen & bit && i < n; i++)
        f->repeated = member_at(w, i)->hash == hash;
    f->seen |= bit;
}

/* A member's name. It is whole either in the run or, once an escape was written anew, in the output. */
static bool name(struct writer *w)
{
    struct frame *f = &w->frames[w->depth - 1];
    const char *begin = w->p;
    struct member m = {.key = place(w, begin), .order = (uint32_t)(member_count(w) - f->base)};
    struct th_span key;

    if (!string(w))
        return false;
    m.key_n = place(w, w->p) - m.key;
    key = th_span(begin, m.key_n);
    if (w->from > begin) {
        flush(w, w->p, w->p);
        if (w->out->failed)
            return false;
        key = key_of(w, &m);
    }
    m.index = array_index(key);
    m.hash = hash_of(key);
    f->indexed |= m.index != NO_INDEX;
    look_for_repeat(w, f, m.hash);
    th_buf_add(&w->members, &m, sizeof m);
    w->name = false;
    return !w->members.failed;
}

static void end_member(struct writer *w)
{
    if (w->depth && w->frames[w->depth - 1].object && member_count(w) > w->frames[w->depth - 1].base)
        member_at(w, member_count(w) - 1)->end = place(w, w->p);
}

static bool open_level(struct writer *w, bool object)
{
    if (w->depth == TH_JSON_DEPTH_MAX)
        return malformed(w);
    w->p++;
    w->frames[w->depth++] =
        (struct frame){.object = object, .begin = place(w, w->p), .base = member_count(w)};
    w->name = object;
    if (object && w->members.cap == 0) /* one allocation is enough for most events */
        return th_buf_room(&w->members, 16 * sizeof(struct member)) != NULL;
    return true;
}

static bool close_level(struct writer *w)
{
    struct frame *f;

    if (w->depth == 0)
        return malformed(w);
    f = &w->frames[w->depth - 1];
    end_member(w);
    if (f->repeated || f->indexed)
        order_members(w, f);
    w->members.n = f->base * sizeof(struct member);
    w->depth--;
    w->p++;
    w->name = false;
    return true;
}

static bool step(struct writer *w)
{
    const char *p;

    switch (*w->p) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        p = w->p;
        w->p = th_json_space_end(p, w->end);
        flush(w, p, w->p);
        return true;
    case '"':
        return w->name ? name(w) : string(w);
    case '{':
    case '[':
        return open_level(w, *w->p == '{');
    case '}':
    case ']':
        return close_level(w);
    case ',':
        end_member(w);
        w->name = w->depth && w->frames[w->depth - 1].object;
        w->p++;
        return true;
    case ':':
        w->p++;
        return true;
    default:
        return word(w);
    }
}

enum th_error th_ecma_write(struct th_json v, struct th_buf *out, bool *inexact)
{
    struct writer w;

    w.out = out;
    w.p = w.from = v.raw.p;
    w.end = v.raw.p + v.raw.n;
    w.depth = 0;
    w.name = w.inexact = false;
    w.error = TH_OK;
    th_buf_init(&w.members, MEMBERS_MAX);
    while (w.p < w.end && !out->failed && step(&w))
        ;
    flush(&w, w.p, w.p);
    if (w.depth && !w.error)
        w.error = TH_MALFORMED;
    if (inexact)
        *inexact = w.inexact;
    if (out->failed || w.members.failed)
        w.error = out->failed ? out->failed : w.members.failed;
    th_buf_fini(&w.members);
    return w.error;
}
