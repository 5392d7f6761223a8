/* Public ids: 128 bits in Crockford base32. The number is masked by a keyed hash, so that ids do not tell how
 * many rows there are; the time stays readable and sortable, as in a ULID. Not an access control: the row's
 * tenant is checked. */
#include "core/pubid.h"

#define LOW27 ((1u << 27) - 1)
#define LOW53 ((1ull << 53) - 1)
#define LOW47 ((1ull << 47) - 1)
#define LOW34 ((1ull << 34) - 1)

static const char abc[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of two words. */
static uint64_t mask(const uint8_t key[16], uint64_t a, uint64_t b)
{
    uint64_t k[2], v[4], m[3] = {a, b, (uint64_t)16 << 56};

    memcpy(k, key, 16);
    v[0] = k[0] ^ 0x736f6d6570736575u;
    v[1] = k[1] ^ 0x646f72616e646f6du;
    v[2] = k[0] ^ 0x6c7967656e657261u;
    v[3] = k[1] ^ 0x7465646279746573u;
    for (int i = 0; i < 3; i++) {
        v[3] ^= m[i];
        sip_round(v);
        sip_round(v);
        v[0] ^= m[i];
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) & LOW53;
}

/* A Feistel network (Luby, Rackoff 1988) of six rounds over halves of 32 bits. */
enum { ROUNDS = 6 };

static uint32_t half(const uint8_t key[16], uint64_t tweak, unsigned round, uint32_t right)
{
    return (uint32_t)mask(key, tweak, (uint64_t)(round + 1) << 56 | right);
}

uint64_t th_pubid_hide(const uint8_t key[16], uint64_t tweak, uint64_t no)
{
    uint32_t left = (uint32_t)(no >> 32), right = (uint32_t)no;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t next = left ^ half(key, tweak, i, right);
        left = right;
        right = next;
    }
    return (uint64_t)left << 32 | right;
}

uint64_t th_pubid_show(const uint8_t key[16], uint64_t tweak, uint64_t hidden)
{
    uint32_t left = (uint32_t)(hidden >> 32), right = (uint32_t)hidden;

    for (unsigned i = ROUNDS; i-- > 0;) {
        uint32_t before = right ^ half(key, tweak, i, left);
        right = left;
        left = before;
    }
    return (uint64_t)left << 32 | right;
}

/* ---- integers ---- */

#define LOW26 ((1u << 26) - 1)

/* The same over halves of 26 and 27 bits, of which each round changes one. Its rounds have other numbers than those above. */
static uint64_t turn53(const uint8_t key[16], uint64_t tweak, uint64_t no, bool back)
{
    uint32_t left = (uint32_t)(no >> 27), right = (uint32_t)no & LOW27;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned round = back ? ROUNDS - 1 - i : i;
        if (round % 2)
            right ^= half(key, tweak, ROUNDS + round, left) & LOW27;
        else
            left ^= half(key, tweak, ROUNDS + round, right) & LOW26;
    }
    return (uint64_t)left << 27 | right;
}

/* Walks on until it is among the numbers from `from` on (Black, Rogaway 2002): of a permutation of all, one of these. With
 * `from` at most 2^52 that takes two steps on average at most. */
static uint64_t walk(const uint8_t key[16], uint64_t tweak, uint64_t from, uint64_t no, bool back)
{
    if (no < from || from > (uint64_t)1 << 52)
        return no;
    do
        no = turn53(key, tweak, no, back);
    while (no < from);
    return no;
}

uint64_t th_pubid_number(const uint8_t key[16], uint64_t tweak, uint64_t from, uint64_t no)
{
    return no > LOW53 ? no : walk(key, tweak, from, no, false);
}

uint64_t th_pubid_number_of(const uint8_t key[16], uint64_t tweak, uint64_t from, uint64_t shown)
{
    return shown > LOW53 ? 0 : walk(key, tweak, from, shown, true);
}

void th_pubid_format(struct th_buf *out, const uint8_t key[16], struct th_span prefix, struct th_pubid id)
{
    uint64_t at = (uint64_t)id.at.ms & 0xffffffffffffu, low = id.no ^ mask(key, at, id.rnd & LOW27);
    /* 128 bits: at(48) rnd(27) low(53) */
    uint64_t hi = at << 16 | (uint64_t)(id.rnd & LOW27) >> 11, lo = (uint64_t)(id.rnd & 0x7ff) << 53 | low;
    char text[26];

    for (int i = 25; i >= 0; i--) {
        text[i] = abc[lo & 31];
        lo = lo >> 5 | hi << 59;
        hi >>= 5;
    }
    th_buf_span(out, prefix);
    th_buf_add(out, text, sizeof text);
}

static int digit(char c)
{
    for (int i = 0; i < 32; i++)
        if (abc[i] == c)
            return i;
    return -1;
}

bool th_pubid_parse(const uint8_t key[16], struct th_span prefix, struct th_span text, struct th_pubid *out)
{
    uint64_t hi = 0, lo = 0, at, no;

    if (text.n != prefix.n + 26 || !th_span_starts(text, prefix))
        return false;
    text.p += prefix.n;
    if (digit(text.p[0]) > 7)
        return false;
    for (int i = 0; i < 26; i++) {
        int d = digit(text.p[i]);
        if (d < 0)
            return false;
        hi = hi << 5 | lo >> 59;
        lo = lo << 5 | (uint64_t)d;
    }
    at = hi >> 16;
    out->rnd = (uint32_t)((hi & 0xffff) << 11 | lo >> 53);
    no = (lo & LOW53) ^ mask(key, at, out->rnd);
    out->at.ms = (int64_t)at;
    out->no = no;
    return no != 0;
}

/* ---- the same as a UUID ---- */

/* Numbers are day(13) counter(40), see port/store.h; a UUID has room for 34 bits of the counter. */
static uint64_t pack(uint64_t no)
{
    return no >> 40 << 34 | (no & LOW34);
}

static uint64_t unpack(uint64_t packed)
{
    return packed >> 34 << 40 | (packed & LOW34);
}

/* 128 bits: at(48) 7(4) rnd(12) | 2(2) rnd(15) packed(47) */
void th_pubid_format_uuid(struct th_buf *out, const uint8_t key[16], struct th_span prefix,
                          struct th_pubid id)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t at = (uint64_t)id.at.ms & 0xffffffffffffu, rnd = id.rnd & LOW27;
    uint64_t word[2] = {at << 16 | (uint64_t)7 << 12 | rnd >> 15,
                        (uint64_t)2 << 62 | (rnd & 0x7fff) << 47 |
                            ((pack(id.no) ^ mask(key, at, rnd)) & LOW47)};

    th_buf_span(out, prefix);
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            th_buf_char(out, '-');
        th_buf_char(out, hex[word[i / 16] >> (60 - 4 * (i % 16)) & 15]);
    }
}

bool th_pubid_parse_uuid(const uint8_t key[16], struct th_span prefix, struct th_span text,
                         struct th_pubid *out)
{
    uint64_t word[2] = {0, 0}, at;
    unsigned n = 0;

    if (text.n != prefix.n + 36 || !th_span_starts(text, prefix))
        return false;
    for (size_t i = 0; i < 36; i++) {
        char c = text.p[prefix.n + i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (c == '-') || (!dash && !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))))
            return false;
        if (dash)
            continue;
        word[n / 16] = word[n / 16] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        n++;
    }
    if ((word[0] >> 12 & 15) != 7 || word[1] >> 62 != 2)
        return false;
    at = word[0] >> 16;
    out->at.ms = (int64_t)at;
    out->rnd = (uint32_t)((word[0] & 0xfff) << 15 | (word[1] >> 47 & 0x7fff));
    out->no = unpack((word[1] ^ mask(key, at, out->rnd)) & LOW47);
    return out->no != 0;
}
