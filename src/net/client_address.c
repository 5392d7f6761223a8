/* Reading of Forwarded and X-Forwarded-For.
 *
 * Why from the right: each proxy adds what it has seen at the end, so only what trusted proxies have added can be believed:
 * the address that connected to us, and, while that is a trusted proxy's, the one that this proxy has named.
 * Everything further left may have been written by the client himself.
 *
 * Why not both fields: a proxy writes one of them and lets the other through as the client has sent it.
 * Nearly all proxies write X-Forwarded-For; where a proxy writes only Forwarded, the configuration should say
 * so.
 *
 * Forms: addresses with or without port, IPv6 with or without brackets; of Forwarded the parameter `for`, quoted or not.
 * Elements that name no address ("unknown", "_hidden") end the search. Several field lines are one list (RFC 9110 section
 * 5.3). No memory; the list is walked back once for each trusted proxy in it, at most HOPS times. */
#include "net/client_address.h"
#include "net/http_server.h"

enum { HOPS = 32 };

bool th_is_trusted(const struct th_cidr *trusted, unsigned count, const struct th_addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (th_cidr_has(&trusted[i], a))
            return true;
    return false;
}

uint64_t th_http_address_name(const struct th_addr *a)
{
    uint64_t name = 0;

    memcpy(&name, a->ip, a->family == 4 ? 4 : 8);
    return name;
}

static bool is_port(struct th_span s)
{
    uint64_t port;

    return (s.n > 1 && s.p[0] == '_') ||
           th_span_u64(s, 65535, &port); /* RFC 7239 section 6: or an obfuscated one */
}

/* An IPv4 address that comes as an IPv6 one is the IPv4 address. */
static void unmap(struct th_addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (a->family != 6 || memcmp(a->ip, mapped, sizeof mapped) != 0)
        return;
    memmove(a->ip, a->ip + 12, 4);
    memset(a->ip + 4, 0, sizeof a->ip - 4);
    a->family = 4;
}

static bool read_node(struct th_span s, struct th_addr *out)
{
    const char *end;

    *out = (struct th_addr){0};
    if (s.n > 1 && s.p[0] == '[' && (end = memchr(s.p, ']', s.n))) {
        struct th_span rest = th_span(end + 1, (size_t)(s.p + s.n - end) - 1);

        if (!th_addr_parse(th_span(s.p + 1, (size_t)(end - s.p) - 1), out) || out->family != 6 ||
            (rest.n && (rest.p[0] != ':' || !is_port(th_span(rest.p + 1, rest.n - 1)))))
            return false;
    } else if (!th_addr_parse(s, out)) {
        end = memchr(s.p, ':', s.n);
        if (!end || !is_port(th_span(end + 1, (size_t)(s.p + s.n - end) - 1)) ||
            !th_addr_parse(th_span(s.p, (size_t)(end - s.p)), out) || out->family != 4)
            return false;
    }
    unmap(out);
    return true;
}

/* Cuts the last element off a list. Commas in quotes separate nothing; nothing that matters here has quoted quotes. */
static struct th_span cut_last(struct th_span *list)
{
    size_t i = list->n;
    bool quoted = false;
    struct th_span last;

    while (i > 0 && (quoted || list->p[i - 1] != ',')) {
        quoted ^= list->p[i - 1] == '"';
        i--;
    }
    last = th_span(list->p + i, list->n - i);
    list->n = i ? i - 1 : 0;
    return th_span_trim(last);
}

/* The value of `for` in an element of Forwarded, without its quotes. Empty if `for` is given twice. */
static bool node_of(struct th_span element, struct th_span *node)
{
    unsigned found = 0;

    while (element.n) {
        struct th_span pair = th_span_trim(th_span_cut(&element, ';'));

        if (pair.n < 4 || !th_span_ieq(th_span(pair.p, 4), TH_LIT("for=")))
            continue;
        *node = th_span(pair.p + 4, pair.n - 4);
        if (node->n >= 2 && node->p[0] == '"' && node->p[node->n - 1] == '"')
            *node = th_span(node->p + 1, node->n - 2);
        found++;
    }
    return found == 1;
}

/* The n-th element from the right over all lines of this name. */
static bool element_at(const struct th_http1_head *head, struct th_span name, unsigned n, struct th_span *out)
{
    for (unsigned i = head->field_count; i > 0; i--) {
        const struct th_http1_field *f = &head->fields[i - 1];
        struct th_span list = f->value;

        if (!th_span_ieq(f->name, name))
            continue;
        while (list.n) {
            struct th_span element = cut_last(&list);

            if (element.n == 0) /* RFC 9110 section 5.6.1: empty elements are passed over */
                continue;
            if (n-- == 0) {
                *out = element;
                return true;
            }
        }
    }
    return false;
}

struct th_addr th_http_client_address(const struct th_cidr *trusted, unsigned count,
                                      const struct th_http_exchange *x, enum th_client_header field,
                                      bool *proxy)
{
    static const struct th_span forwarded = {"forwarded", 9}, x_forwarded_for = {"x-forwarded-for", 15};
    struct th_addr client = x->peer, next;
    bool is_forwarded = field == TH_CLIENT_FORWARDED ||
                        (field == TH_CLIENT_AUTO && !th_http1_field(&x->head, x_forwarded_for.p));

    for (unsigned i = 0; i < HOPS; i++) {
        struct th_span element;

        *proxy = th_is_trusted(trusted, count, &client);
        if (!*proxy || field == TH_CLIENT_NONE ||
            !element_at(&x->head, is_forwarded ? forwarded : x_forwarded_for, i, &element) ||
            (is_forwarded && !node_of(element, &element)) || !read_node(element, &next))
            break;
        client = next;
    }
    return client;
}
