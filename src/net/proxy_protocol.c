/* Reader of the PROXY protocol (haproxy.org, doc/proxy-protocol.txt, sections 2.1 and 2.2).
 *
 * Version 1 is a line of text of at most 107 bytes: "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443" CRLF. Version 2 begins
 * with twelve bytes that no other protocol begins with, then command, family, length, addresses and additions,
 * which are passed over. Neither can be the beginning of an HTTP request or of a TLS handshake.
 *
 * Refuses: bytes that begin like a header and are none, headers above TH_PROXY_MAX. Addresses of other
 * families than the two of the Internet name nobody. Invariants: 1. reads p[0..n) only; 2. a result other
 * than MORE does not change when more bytes follow. Pure. */
#include "net/proxy_protocol.h"
#include "core/guard.h"

#define LINE_MAX 107 /* version 1, CRLF included */
#define HEAD 16      /* version 2: bytes before the addresses */

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static bool is_port(struct th_span s)
{
    uint64_t port;

    return th_span_u64(s, 65535, &port);
}

static enum th_proxy_result read_line(struct th_span line, struct th_addr *from)
{
    struct th_span part[6], rest = line;
    struct th_addr to;
    unsigned n = 0, family;
    uint64_t port;

    while (n < 6 && rest.n)
        part[n++] = th_span_cut(&rest, ' ');
    if (n >= 2 && th_span_is(part[1], "UNKNOWN")) /* whatever follows */
        return TH_PROXY_LOCAL;
    if (n != 6 || rest.n || line.p[line.n - 1] == ' ')
        return TH_PROXY_BAD;
    family = th_span_is(part[1], "TCP4") ? 4 : th_span_is(part[1], "TCP6") ? 6 : 0;
    if (!family || !th_addr_parse(part[2], from) || from->family != family || !th_addr_parse(part[3], &to) ||
        to.family != family || !th_span_u64(part[4], 65535, &port) || !is_port(part[5]))
        return TH_PROXY_BAD;
    from->port = (uint16_t)port;
    return TH_PROXY_NAMED;
}

static enum th_proxy_result read_v1(const char *p, size_t n, size_t *used, struct th_addr *from)
{
    const char *lf = memchr(p, '\n', n < LINE_MAX ? n : LINE_MAX);
    size_t length = lf ? (size_t)(lf - p) : 0;

    if (!lf)
        return n < LINE_MAX ? TH_PROXY_MORE : TH_PROXY_BAD;
    if (p[length - 1] != '\r')
        return TH_PROXY_BAD;
    *used = length + 1;
    return read_line(th_span(p, length - 1), from);
}

static enum th_proxy_result read_v2(const unsigned char *p, size_t n, size_t *used, struct th_addr *from)
{
    size_t length, needed;

    if (n >= 13 && p[12] >> 4 != 2)
        return TH_PROXY_BAD;
    if (n < HEAD)
        return TH_PROXY_MORE;
    length = (size_t)p[14] << 8 | p[15];
    if (length + HEAD > TH_PROXY_MAX || (p[12] & 15) > 1)
        return TH_PROXY_BAD;
    if (n < HEAD + length)
        return TH_PROXY_MORE;
    *used = HEAD + length;
    if ((p[12] & 15) == 0) /* LOCAL: a health check */
        return TH_PROXY_LOCAL;
    needed = p[13] == 0x11 ? 12 : p[13] == 0x21 ? 36 : 0; /* TCP over IPv4, over IPv6 */
    if (!needed)
        return TH_PROXY_LOCAL;
    if (length < needed)
        return TH_PROXY_BAD;
    from->family = needed == 12 ? 4 : 6;
    memcpy(from->ip, p + HEAD, needed == 12 ? 4 : 16);
    p += HEAD + (needed == 12 ? 8 : 32);
    from->port = (uint16_t)(p[0] << 8 | p[1]);
    return TH_PROXY_NAMED;
}

enum th_proxy_result th_proxy_read(const char *p, size_t n, size_t *used, struct th_addr *from)
{
    size_t v1 = n < 6 ? n : 6, v2 = n < sizeof signature ? n : sizeof signature;

    *from = (struct th_addr){0};
    *used = 0;
    if (n == 0)
        return TH_PROXY_MORE;
    if (memcmp(p, "PROXY ", v1) == 0)
        return v1 < 6 ? TH_PROXY_MORE : read_v1(p, n, used, from);
    if (memcmp(p, signature, v2) == 0)
        return v2 < sizeof signature ? TH_PROXY_MORE : read_v2((const unsigned char *)p, n, used, from);
    return TH_PROXY_NONE;
}
