/* Makes masks, and looks for the texts that they recognise.
 *
 * Why hashes instead of the texts: a mask is kept for every secret of every endpoint, also for one that was revoked a
 * moment ago, and the clear text is to be in memory only while it is used. A gram that fits is nothing but a reason to
 * hash what stands there.
 *
 * Why every fifth place: a text of eight bytes or more has a whole gram at one of any five neighbouring places, and the
 * mask has the grams of its first five.
 *
 * Invariants: 1. what is hidden is replaced by "***", which is shorter than the shortest text, and than the shortest piece
 * of one that a cut leaves (4 bytes). 2. An answer without escapes is read once and copied once; with escapes it is read
 * again as they read, at most ROUNDS deep, and each place there knows where it came from. */
#include "core/mask.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "base/map.h"
#include <string.h>

enum { GRAM = 4, STRIDE = 5, ROUNDS = 3, TAIL = 16 };

struct needle {
    uint64_t hash;
    uint32_t n;
};

struct th_mask {
    uint64_t seed;
    unsigned count, bits; /* of the filter: 1 << bits */
    struct needle *needle;
    uint32_t *gram;   /* STRIDE of each needle */
    uint64_t *filter; /* most grams are told apart here already */
    uint64_t mem[];
};

/* ---- texts ---- */

void th_needles_init(struct th_needles *n)
{
    th_buf_init(&n->text, 1u << 20);
    n->count = 0;
}

void th_needles_fini(struct th_needles *n)
{
    th_buf_wipe(&n->text);
    n->count = 0;
}

static struct th_span needle_at(const struct th_needles *n, unsigned i)
{
    size_t from = i ? n->end[i - 1] : 0;

    return th_span(n->text.p + from, n->end[i] - from);
}

void th_needles_add(struct th_needles *n, struct th_span text, size_t min)
{
    if (text.n < min || text.n < TH_NEEDLE_MIN || n->count == TH_NEEDLES_MAX)
        return;
    for (unsigned i = 0; i < n->count; i++)
        if (th_span_eq(needle_at(n, i), text))
            return;
    th_buf_span(&n->text, text);
    if (!n->text.failed)
        n->end[n->count++] = (uint32_t)n->text.n;
}

/* Without the padding: it is at the end, and some write it and some do not. */
static struct th_span unpadded(struct th_span s)
{
    while (s.n && s.p[s.n - 1] == '=')
        s.n--;
    return s;
}

void th_needles_bytes(struct th_needles *n, const void *p, size_t count)
{
    struct th_buf text;

    th_buf_init(&text, 1u << 16);
    th_needles_add(n, th_span(p, count), TH_NEEDLE_VALUE);
    for (int form = 0; form < 4; form++) {
        th_buf_reset(&text);
        if (form == 0)
            th_base64(&text, p, count);
        else if (form == 1)
            th_base64url(&text, p, count);
        else
            th_hex(&text, p, count);
        for (size_t i = 0; form == 3 && i < text.n; i++)
            if (text.p[i] >= 'a')
                text.p[i] = (char)(text.p[i] - 'a' + 'A');
        th_needles_add(n, unpadded(th_buf_view(&text)), TH_NEEDLE_VALUE);
    }
    if (text.failed)
        n->text.failed = text.failed;
    th_buf_wipe(&text);
}

void th_needles_header(struct th_needles *n, struct th_span value)
{
    struct th_span rest = value, scheme = th_span_cut(&rest, ' ');
    uint8_t inside[4096];
    size_t count;

    th_needles_add(n, value, TH_NEEDLE_VALUE);
    rest = th_span_trim(rest);
    th_needles_add(n, unpadded(rest), TH_NEEDLE_VALUE);
    if (th_span_ieq(scheme, TH_LIT("basic")) && th_unbase64(rest, inside, sizeof inside, &count)) {
        struct th_span password = th_span((const char *)inside, count);

        th_needles_add(n, password, TH_NEEDLE_VALUE);
        (void)th_span_cut(&password, ':');
        th_needles_add(n, password, TH_NEEDLE_VALUE);
        th_wipe(inside, sizeof inside);
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void add_part(struct th_needles *n, struct th_span part)
{
    struct th_buf plain;

    th_needles_add(n, part, TH_NEEDLE_VALUE);
    if (!part.n || !memchr(part.p, '%', part.n))
        return;
    th_buf_init(&plain, part.n);
    for (size_t i = 0; i < part.n; i++) {
        int hi = part.p[i] == '%' && i + 2 < part.n ? hex_digit(part.p[i + 1]) : -1,
            lo = hi >= 0 ? hex_digit(part.p[i + 2]) : -1;

        if (lo < 0) {
            th_buf_char(&plain, part.p[i]);
            continue;
        }
        th_buf_char(&plain, (char)(hi << 4 | lo));
        i += 2;
    }
    th_needles_add(n, th_buf_view(&plain), TH_NEEDLE_VALUE);
    if (plain.failed)
        n->text.failed = plain.failed;
    th_buf_wipe(&plain);
}

void th_needles_target(struct th_needles *n, struct th_span target)
{
    struct th_span query = target, path = th_span_cut(&query, '?');

    add_part(n, target);
    while (path.n)
        add_part(n, th_span_cut(&path, '/'));
    while (query.n) {
        struct th_span value = th_span_cut(&query, '&'), name = th_span_cut(&value, '=');

        add_part(n, value.n ? value : name);
    }
}

/* ---- making ---- */

static uint32_t gram_at(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static unsigned filter_place(uint32_t gram, unsigned bits)
{
    return (unsigned)(gram * 2654435761u) >> (32 - bits);
}

enum th_error th_mask_new(const struct th_needles *n, uint64_t seed, struct th_mask **out)
{
    size_t grams = (size_t)n->count * STRIDE;
    struct th_mask *m;
    unsigned bits = 9;

    *out = NULL;
    if (n->text.failed || !n->count)
        return n->text.failed;
    while (bits < 15 && ((size_t)1 << bits) < grams * 24)
        bits++;
    m = th_calloc(1, sizeof *m + ((size_t)1 << bits) / 8 + n->count * sizeof *m->needle +
                         grams * sizeof *m->gram);
    if (!m)
        return TH_NOMEM;
    m->seed = seed;
    m->count = n->count;
    m->bits = bits;
    m->filter = m->mem;
    m->needle = (struct needle *)(m->mem + ((size_t)1 << bits) / 64);
    m->gram = (uint32_t *)(m->needle + n->count);
    for (unsigned i = 0; i < n->count; i++) {
        struct th_span text = needle_at(n, i);

        m->needle[i] = (struct needle){th_hash(text, seed), (uint32_t)text.n};
        for (unsigned k = 0; k < STRIDE; k++) {
            uint32_t gram = gram_at(text.p + k);
            unsigned place = filter_place(gram, m->bits);

            m->gram[i * STRIDE + k] = gram;
            m->filter[place / 64] |= (uint64_t)1 << place % 64;
        }
    }
    *out = m;
    return TH_OK;
}

void th_mask_free(struct th_mask *m)
{
    th_free(m);
}

/* ---- looking ---- */

/* A text as it reads after some rounds of taking its escapes away; from[i]: where byte i began in the answer. */
struct reading {
    struct th_span text;
    const uint32_t *from; /* NULL: the answer itself */
    size_t raw;           /* bytes of the answer */
    bool cut;
};

struct hidden {
    struct th_buf map; /* a byte for each of the answer, not 0: hidden; n == 0: nothing was found yet */
    enum th_error failed;
};

static void hide(struct hidden *h, const struct reading *r, size_t from, size_t to)
{
    size_t begin = r->from ? r->from[from] : from, end = to == r->text.n ? r->raw
                                                         : r->from       ? r->from[to]
                                                                         : to;

    if (!h->map.n) {
        char *p = th_buf_room(&h->map, r->raw);

        if (!p) {
            h->failed = h->map.failed;
            return;
        }
        memset(p, 0, r->raw);
        h->map.n = r->raw;
    }
    memset(h->map.p + begin, 1, end - begin);
}

/* A gram stands at `at` that the filter lets through: is it part of a text that is known? */
static void look_close(const struct th_mask *m, const struct reading *r, size_t at, uint32_t gram,
                       struct hidden *h)
{
    for (unsigned i = 0; i < m->count * STRIDE; i++) {
        const struct needle *needle;
        size_t begin, left;

        if (m->gram[i] != gram || at < i % STRIDE)
            continue;
        needle = &m->needle[i / STRIDE];
        begin = at - i % STRIDE;
        left = r->text.n - begin;
        if (left < needle->n ? r->cut
                             : th_hash(th_span(r->text.p + begin, needle->n), m->seed) == needle->hash)
            hide(h, r, begin, begin + (left < needle->n ? left : needle->n));
    }
}

static size_t look_from(const struct th_mask *m, const struct reading *r, size_t at, size_t end, size_t step,
                        struct hidden *h)
{
    const char *text = r->text.p;
    const uint64_t *filter = m->filter;
    unsigned bits = m->bits;

    for (; at + GRAM <= end; at += step) {
        uint32_t gram = gram_at(text + at);
        unsigned place = filter_place(gram, bits);

        if (filter[place / 64] >> place % 64 & 1)
            look_close(m, r, at, gram, h);
    }
    return at;
}

/* In front of a cut every place is looked at: less than a text's beginning may be left of it. */
static void look(const struct th_mask *m, const struct reading *r, struct hidden *h)
{
    size_t at = 0, n = r->text.n;

    if (!r->cut || n > TAIL)
        at = look_from(m, r, 0, r->cut ? n - TAIL : n, STRIDE, h);
    if (r->cut)
        (void)look_from(m, r, at > STRIDE ? at - STRIDE : 0, n, 1, h);
}

/* ---- escapes ---- */

/* What stands behind "\u", "%" and the like. False: not so many digits. */
static bool number(struct th_span s, size_t at, unsigned digits, uint32_t *v)
{
    *v = 0;
    for (unsigned i = 0; i < digits; i++) {
        int d = at + i < s.n ? hex_digit(s.p[at + i]) : -1;

        if (d < 0)
            return false;
        *v = *v << 4 | (uint32_t)d;
    }
    return true;
}

static size_t backslash(struct th_span s, uint32_t *v)
{
    static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
    const char *name;

    if (s.n < 2)
        return 0;
    if (s.p[1] == 'u')
        return number(s, 2, 4, v) ? 6 : 0;
    if (s.p[1] == 'x')
        return number(s, 2, 2, v) ? 4 : 0;
    name = s.p[1] ? strchr(names, s.p[1]) : NULL;
    *v = name ? (unsigned char)codes[name - names] : (unsigned char)s.p[1];
    return name || strchr("\"\\/'", s.p[1]) ? 2 : 0;
}

static size_t entity(struct th_span s, uint32_t *v)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    bool hex = s.n > 3 && s.p[1] == '#' && th_lower(s.p[2]) == 'x';
    size_t i;

    for (i = 0; i < sizeof named / sizeof named[0]; i++)
        if (th_span_starts(s, th_str(named[i].name))) {
            *v = (unsigned char)named[i].c;
            return strlen(named[i].name);
        }
    if (s.n < 4 || s.p[1] != '#')
        return 0;
    *v = 0;
    for (i = hex ? 3 : 2; i < s.n && i < 10; i++) {
        int d = hex_digit(s.p[i]);

        if (s.p[i] == ';')
            return i > (hex ? 3u : 2u) ? i + 1 : 0;
        if (d < 0 || (!hex && d > 9))
            return 0;
        *v = *v * (hex ? 16u : 10u) + (uint32_t)d;
    }
    return 0;
}

/* Bytes of the escape that `s` begins with, and what it stands for; 0: it is none. */
static size_t escape(struct th_span s, uint32_t *v, bool *byte)
{
    *byte = s.p[0] == '%' || (s.n > 1 && s.p[1] == 'x');
    switch (s.p[0]) {
    case '\\':
        return backslash(s, v);
    case '%':
        return number(s, 1, 2, v) ? 3 : 0;
    case '&':
        return entity(s, v);
    default:
        return 0;
    }
}

static bool has_escapes(struct th_span s)
{
    return s.n && (memchr(s.p, '\\', s.n) || memchr(s.p, '%', s.n) || memchr(s.p, '&', s.n));
}

/* An escape that the cut has made unreadable: the text ends before it. */
static bool is_torn(const struct reading *r, size_t at)
{
    return r->cut && r->text.n - at < 8 &&
           (r->text.p[at] == '\\' || r->text.p[at] == '%' || r->text.p[at] == '&');
}

static void put(struct th_buf *text, struct th_buf *from, uint32_t v, bool byte, uint32_t at)
{
    char utf8[4];
    size_t n = 0;

    if (byte || v < 0x80) {
        utf8[n++] = (char)v;
    } else if (v < 0x800) {
        utf8[n++] = (char)(0xc0 | v >> 6);
        utf8[n++] = (char)(0x80 | (v & 0x3f));
    } else {
        utf8[n++] = (char)(0xe0 | (v >> 12 & 0xf));
        utf8[n++] = (char)(0x80 | (v >> 6 & 0x3f));
        utf8[n++] = (char)(0x80 | (v & 0x3f));
    }
    th_buf_add(text, utf8, n);
    while (n--)
        th_buf_add(from, &at, sizeof at);
}

/* One round. False: nothing was escaped, or there is no memory (sticky in the buffers). */
static bool unescape(const struct reading *r, struct th_buf *text, struct th_buf *from)
{
    bool any = false, byte;

    for (size_t at = 0; at < r->text.n;) {
        uint32_t v = (unsigned char)r->text.p[at], where = r->from ? r->from[at] : (uint32_t)at;
        size_t n = escape(th_span(r->text.p + at, r->text.n - at), &v, &byte);

        if (!n && is_torn(r, at))
            break;
        any = any || n;
        put(text, from, n ? v : (unsigned char)r->text.p[at], byte || !n, where);
        at += n ? n : 1;
    }
    return any && !text->failed && !from->failed;
}

static void look_behind_escapes(struct th_mask *const *masks, unsigned count, struct reading r,
                                struct hidden *h)
{
    struct th_buf text[2], from[2];

    for (int i = 0; i < 2; i++) {
        th_buf_init(&text[i], 1u << 20);
        th_buf_init(&from[i], 4u << 20);
    }
    for (int round = 0; round < ROUNDS && has_escapes(r.text); round++) {
        struct th_buf *t = &text[round & 1], *f = &from[round & 1];

        th_buf_reset(t);
        th_buf_reset(f);
        if (!unescape(&r, t, f))
            break;
        r.text = th_buf_view(t);
        r.from = (const uint32_t *)(const void *)f->p;
        for (unsigned i = 0; i < count; i++)
            if (masks[i])
                look(masks[i], &r, h);
    }
    for (int i = 0; i < 2; i++) {
        if (text[i].failed || from[i].failed)
            h->failed = TH_NOMEM;
        th_buf_wipe(&text[i]);
        th_buf_fini(&from[i]);
    }
}

/* ---- all together ---- */

void th_mask_write(struct th_mask *const *masks, unsigned count, struct th_span text, bool cut,
                   struct th_buf *out)
{
    struct reading r = {text, NULL, text.n, cut};
    struct hidden h = {.failed = TH_OK};
    bool any = false;

    for (unsigned i = 0; i < count; i++)
        any = any || masks[i];
    if (!any || text.n < GRAM) {
        th_buf_span(out, text);
        return;
    }
    th_buf_init(&h.map, text.n);
    for (unsigned i = 0; i < count; i++)
        if (masks[i])
            look(masks[i], &r, &h);
    if (has_escapes(text))
        look_behind_escapes(masks, count, r, &h);
    if (!h.map.n) {
        th_buf_span(out, text);
    } else {
        for (size_t at = 0; at < text.n;) {
            size_t to = at;

            while (to < text.n && !h.map.p[to] == !h.map.p[at])
                to++;
            if (h.map.p[at])
                th_buf_str(out, "***");
            else
                th_buf_add(out, text.p + at, to - at);
            at = to;
        }
    }
    if (h.failed)
        out->failed = h.failed;
    th_buf_fini(&h.map);
}
