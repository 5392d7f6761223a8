/* Text of IP addresses and networks, in both directions.
 *
 * Strict on purpose: a second reader (a C library, a browser, a proxy) must never see another address than we
 * did. Refused: octal, hexadecimal and short forms of IPv4, leading zeros, zone names, more than one "::", a
 * "::" that stands for nothing. Output is canonical (RFC 5952), so equal addresses have equal text. Pure; no
 * memory but the caller's buffer, whose failure sticks there. */
#include "core/guard.h"

static bool parse_octet(struct th_span s, size_t *at, uint8_t *out)
{
    size_t from = *at;
    unsigned v = 0;

    while (*at < s.n && *at - from < 3 && s.p[*at] >= '0' && s.p[*at] <= '9')
        v = v * 10 + (unsigned)(s.p[(*at)++] - '0');
    if (*at == from || v > 255 || (s.p[from] == '0' && *at - from > 1))
        return false;
    *out = (uint8_t)v;
    return true;
}

static bool parse_v4(struct th_span s, uint8_t out[4])
{
    size_t at = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && (at == s.n || s.p[at++] != '.'))
            return false;
        if (!parse_octet(s, &at, &out[i]))
            return false;
    }
    return at == s.n;
}

/* One group of 1 to 4 hexadecimal digits. */
static bool parse_group(struct th_span s, size_t *at, uint8_t out[2])
{
    size_t from = *at;
    unsigned v = 0;

    for (; *at < s.n && *at - from < 4 && th_hex_value(s.p[*at]) >= 0; (*at)++)
        v = v << 4 | (unsigned)th_hex_value(s.p[*at]);
    if (*at == from)
        return false;
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)(v & 255);
    return true;
}

/* RFC 4291 section 2.2. `n` counts bytes read; `gap` is where "::" stood. */
static bool parse_v6(struct th_span s, uint8_t out[16])
{
    uint8_t bytes[16] = {0};
    size_t at = 0, n = 0, gap = SIZE_MAX;

    if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < s.n) {
        size_t begin = at;

        if (n == 16 || !parse_group(s, &at, bytes + n))
            return false;
        if (at < s.n && s.p[at] == '.') { /* the last 32 bits as a dotted quad */
            if (n > 12 || !parse_v4(th_span(s.p + begin, s.n - begin), bytes + n))
                return false;
            n += 4;
            break;
        }
        n += 2;
        if (at == s.n)
            break;
        if (s.p[at++] != ':' || at == s.n)
            return false;
        if (s.p[at] == ':') {
            if (gap != SIZE_MAX)
                return false;
            gap = n;
            at++;
        }
    }
    if (gap == SIZE_MAX ? n != 16 : n > 14)
        return false;
    if (gap == SIZE_MAX)
        gap = n;
    memset(out, 0, 16);
    memcpy(out, bytes, gap);
    memcpy(out + 16 - (n - gap), bytes + gap, n - gap);
    return true;
}

bool th_addr_parse(struct th_span text, struct th_addr *out)
{
    struct th_addr a = {.family = 4};

    if (!text.n)
        return false;
    if (memchr(text.p, ':', text.n)) {
        a.family = 6;
        if (!parse_v6(text, a.ip))
            return false;
    } else if (!parse_v4(text, a.ip)) {
        return false;
    }
    *out = a;
    return true;
}

static void format_v4(struct th_buf *out, const uint8_t ip[4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (i)
            th_buf_char(out, '.');
        th_buf_u64(out, ip[i]);
    }
}

static void format_group(struct th_buf *out, unsigned v)
{
    bool begun = false;

    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = v >> shift & 15;
        if (digit || begun || shift == 0) {
            th_buf_char(out, "0123456789abcdef"[digit]);
            begun = true;
        }
    }
}

/* RFC 5952 section 4: lower case, no leading zeros, the longest (then first) run of two or more zero groups
 * as "::". Section 5: IPv4-mapped addresses end in a dotted quad. */
static void format_v6(struct th_buf *out, const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    unsigned groups = 8, best = 8, best_n = 1, run = 0;

    if (memcmp(ip, mapped, sizeof mapped) == 0)
        groups = 6;
    for (unsigned i = 0; i < groups; i++) {
        run = ip[2 * i] || ip[2 * i + 1] ? 0 : run + 1;
        if (run > best_n) {
            best_n = run;
            best = i + 1 - run;
        }
    }
    for (unsigned i = 0; i < groups; i++) {
        if (i == best) {
            th_buf_str(out, "::");
            i += best_n - 1;
            continue;
        }
        if (i > 0 && i != best + best_n)
            th_buf_char(out, ':');
        format_group(out, (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
    }
    if (groups == 6) {
        th_buf_char(out, ':');
        format_v4(out, ip + 12);
    }
}

void th_addr_format(struct th_buf *out, const struct th_addr *a)
{
    if (a->family == 4)
        format_v4(out, a->ip);
    else if (a->family == 6)
        format_v6(out, a->ip);
}

bool th_cidr_parse(struct th_span text, struct th_cidr *out)
{
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    struct th_cidr c;
    unsigned width;
    uint64_t bits;

    if (!th_addr_parse(slash ? th_span(text.p, (size_t)(slash - text.p)) : text, &c.net))
        return false;
    width = c.net.family == 4 ? 32 : 128;
    bits = width;
    if (slash) {
        struct th_span digits = th_span(slash + 1, (size_t)(text.p + text.n - slash - 1));
        if ((digits.n > 1 && *digits.p == '0') || !th_span_u64(digits, width, &bits))
            return false;
    }
    for (unsigned i = (unsigned)bits; i < width; i++)
        if (c.net.ip[i / 8] >> (7 - i % 8) & 1)
            return false; /* host bits: a typing error that would allow another network than it seems */
    c.bits = (uint8_t)bits;
    *out = c;
    return true;
}

bool th_cidr_has(const struct th_cidr *c, const struct th_addr *a)
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;

    if (c->net.family != a->family || (a->family != 4 && a->family != 6))
        return false;
    if (memcmp(c->net.ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || (c->net.ip[whole] ^ a->ip[whole]) >> (8 - rest) == 0;
}
