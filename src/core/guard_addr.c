/* Classifies addresses and says whether a delivery may go there.
 *
 * The tables follow the IANA special-purpose address registries (IPv4 and IPv6), the IPv6 address space
 * registry (only 2000::/3 is assigned as global unicast) and one address of a cloud platform that no registry
 * holds. Some blocks that IANA calls globally reachable (AS112, AMT, anycast services) are forbidden too:
 * none is a customer's endpoint.
 *
 * Rules: the operator's `deny` wins over everything; then his `allow`; then loopback in development; then the
 * most specific row of the table. An IPv4 address inside an IPv6 one (mapped, NAT64) is judged as that IPv4
 * address. Everything that no row allows is refused: a mistake here must cost a delivery, not open a network.
 * Pure. */
#include "core/guard.h"

struct range4 {
    uint8_t net[4], bits;
    const char *what;
};

static const struct range4 ranges4[] = {
    {{0, 0, 0, 0}, 8, "an address of \"this network\""},          /* RFC 791, RFC 1122 section 3.2.1.3 */
    {{10, 0, 0, 0}, 8, "a private address"},                      /* RFC 1918 */
    {{100, 64, 0, 0}, 10, "a shared (carrier NAT) address"},      /* RFC 6598 */
    {{127, 0, 0, 0}, 8, "a loopback address"},                    /* RFC 1122 section 3.2.1.3 */
    {{168, 63, 129, 16}, 32, "an address of the cloud platform"}, /* Azure virtual public IP (WireServer) */
    {{169, 254, 0, 0}, 16, "a link-local address (cloud metadata)"}, /* RFC 3927 */
    {{172, 16, 0, 0}, 12, "a private address"},                      /* RFC 1918 */
    {{192, 0, 0, 0}, 24, "an address reserved for protocols"},       /* RFC 6890 */
    {{192, 0, 2, 0}, 24, "a documentation address"},                 /* RFC 5737 */
    {{192, 31, 196, 0}, 24, "an AS112 sink address"},                /* RFC 7535 */
    {{192, 52, 193, 0}, 24, "a multicast tunnel (AMT) address"},     /* RFC 7450 */
    {{192, 88, 99, 0}, 24, "a 6to4 relay address"},                  /* RFC 7526 */
    {{192, 168, 0, 0}, 16, "a private address"},                     /* RFC 1918 */
    {{192, 175, 48, 0}, 24, "an AS112 sink address"},                /* RFC 7534 */
    {{198, 18, 0, 0}, 15, "a benchmarking address"},                 /* RFC 2544 */
    {{198, 51, 100, 0}, 24, "a documentation address"},              /* RFC 5737 */
    {{203, 0, 113, 0}, 24, "a documentation address"},               /* RFC 5737 */
    {{224, 0, 0, 0}, 4, "a multicast address"},                      /* RFC 5771 */
    {{240, 0, 0, 0}, 4, "a reserved address"},                       /* RFC 1112 section 4, RFC 8190 */
};

enum verdict { FORBID, PERMIT, EMBEDDED };

struct range6 {
    uint16_t net[8];
    uint8_t bits;
    enum verdict verdict;
    const char *what;
};

static const struct range6 ranges6[] = {
    {{0}, 0, FORBID, "outside the global unicast addresses"},            /* IANA IPv6 address space */
    {{0x2000}, 3, PERMIT, NULL},                                         /* RFC 4291 section 2.5.4 */
    {{0}, 8, FORBID, "a reserved address"},                              /* RFC 4291 section 4 */
    {{0}, 96, FORBID, "an IPv4-compatible address"},                     /* RFC 4291 section 2.5.5.1 */
    {{0}, 128, FORBID, "the unspecified address"},                       /* RFC 4291 section 2.5.2 */
    {{0, 0, 0, 0, 0, 0, 0, 1}, 128, FORBID, "a loopback address"},       /* RFC 4291 section 2.5.3 */
    {{0, 0, 0, 0, 0, 0xffff}, 96, EMBEDDED, NULL},                       /* RFC 4291 section 2.5.5.2 */
    {{0, 0, 0, 0, 0xffff, 0}, 96, FORBID, "an IPv4-translated address"}, /* RFC 2765 */
    {{0x64, 0xff9b}, 96, EMBEDDED, NULL},                                /* RFC 6052 */
    {{0x64, 0xff9b, 1}, 48, FORBID, "a local NAT64 address"},            /* RFC 8215 */
    {{0x100}, 64, FORBID, "a discard-only address"},                     /* RFC 6666 */
    {{0x100, 0, 0, 1}, 64, FORBID, "a dummy address"},                   /* RFC 9780 */
    {{0x2001}, 23, FORBID, "an address reserved for protocols"},         /* RFC 2928, with all inside it: */
    {{0x2001}, 32, FORBID, "a Teredo address"},                          /* RFC 4380 */
    {{0x2001, 2}, 48, FORBID, "a benchmarking address"},                 /* RFC 5180 */
    {{0x2001, 3}, 32, FORBID, "a multicast tunnel (AMT) address"},       /* RFC 7450 */
    {{0x2001, 4, 0x112}, 48, FORBID, "an AS112 sink address"},           /* RFC 7535 */
    {{0x2001, 0x10}, 28, FORBID, "an ORCHID identifier"},                /* RFC 4843 */
    {{0x2001, 0x20}, 28, FORBID, "an ORCHID identifier"},                /* RFC 7343 */
    {{0x2001, 0x30}, 28, FORBID, "a drone identifier"},                  /* RFC 9374 */
    {{0x2001, 0xdb8}, 32, FORBID, "a documentation address"},            /* RFC 3849 */
    {{0x2002}, 16, FORBID, "a 6to4 address"},                            /* RFC 3056, RFC 7526 */
    {{0x2620, 0x4f, 0x8000}, 48, FORBID, "an AS112 sink address"},       /* RFC 7534 */
    {{0x3fff}, 20, FORBID, "a documentation address"},                   /* RFC 9637 */
    {{0x5f00}, 16, FORBID, "a segment routing identifier"},              /* RFC 9602 */
    {{0xfc00}, 7, FORBID, "a private (unique local) address"},           /* RFC 4193 */
    {{0xfe80}, 10, FORBID, "a link-local address"},                      /* RFC 4291 section 2.5.6 */
    {{0xfec0}, 10, FORBID, "a site-local address"},                      /* RFC 3879 */
    {{0xff00}, 8, FORBID, "a multicast address"},                        /* RFC 4291 section 2.7 */
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool in_range4(const struct range4 *r, const uint8_t ip[4])
{
    uint32_t net = 0, a = 0;

    for (unsigned i = 0; i < 4; i++) {
        net = net << 8 | r->net[i];
        a = a << 8 | ip[i];
    }
    return (net ^ a) >> (32 - r->bits) == 0; /* no row has 0 bits */
}

static bool in_range6(const struct range6 *r, const uint8_t ip[16])
{
    unsigned left = r->bits;

    for (unsigned i = 0; i < 8 && left; i++) {
        unsigned take = left < 16 ? left : 16;
        unsigned group = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
        if ((group ^ r->net[i]) >> (16 - take))
            return false;
        left -= take;
    }
    return true;
}

static bool listed(const struct th_cidr *v, unsigned n, const struct th_addr *a)
{
    for (unsigned i = 0; i < n; i++)
        if (th_cidr_has(&v[i], a))
            return true;
    return false;
}

bool th_addr_loopback(const struct th_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, one, 16) == 0;
}

static bool judge4(const struct th_addr *a, const char **why)
{
    for (size_t i = 0; i < COUNT(ranges4); i++)
        if (in_range4(&ranges4[i], a->ip)) { /* the rows do not overlap */
            *why = ranges4[i].what;
            return false;
        }
    return true;
}

static const struct range6 *find6(const struct th_addr *a)
{
    const struct range6 *best = &ranges6[0];

    for (size_t i = 1; i < COUNT(ranges6); i++)
        if (ranges6[i].bits > best->bits && in_range6(&ranges6[i], a->ip))
            best = &ranges6[i];
    return best;
}

/* The operator's word; `verdict` is meaningful when it has been spoken. */
static bool operator_says(const struct th_guard *g, const struct th_addr *a, bool *verdict, const char **why)
{
    if (listed(g->deny, g->deny_count, a)) {
        *verdict = false;
        *why = "in a network that the operator forbids";
        return true;
    }
    *verdict = listed(g->allow, g->allow_count, a) || (g->allow_loopback && th_addr_loopback(a));
    return *verdict;
}

bool th_guard_addr(const struct th_guard *g, const struct th_addr *a, const char **why)
{
    const char *unused;
    const struct range6 *r;
    struct th_addr inner;
    bool verdict;

    if (!why)
        why = &unused;
    *why = "no IP address";
    if (a->family != 4 && a->family != 6)
        return false;
    if (operator_says(g, a, &verdict, why))
        return verdict;
    if (a->family == 4)
        return judge4(a, why);
    r = find6(a);
    if (r->verdict != EMBEDDED) {
        *why = r->what;
        return r->verdict == PERMIT;
    }
    inner = (struct th_addr){.family = 4, .port = a->port};
    memcpy(inner.ip, a->ip + 12, 4);
    if (operator_says(g, &inner, &verdict, why))
        return verdict;
    return judge4(&inner, why);
}

enum th_error th_guard_answers(const struct th_guard *g, const struct th_addr *addrs, unsigned n,
                               const char **why, unsigned *bad)
{
    if (n == 0) {
        if (why)
            *why = "the name has no address";
        return TH_NOT_FOUND;
    }
    for (unsigned i = 0; i < n; i++)
        if (!th_guard_addr(g, &addrs[i], why)) {
            if (bad)
                *bad = i;
            return TH_DENIED;
        }
    return TH_OK;
}
