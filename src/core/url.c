/* Strict reader of endpoint URLs (RFC 3986 narrowed to what a webhook needs).
 *
 * Attacks on URL filters live in the gap between two readers: one judges, another connects. So there is one
 * reader, nothing is repaired, and whatever two readers could understand differently is refused: user info,
 * backslashes, control characters, spaces, raw non-ASCII, escapes in the host, numeric hosts that are not
 * four plain decimal numbers, ports with signs or leading zeros. International names come in their ASCII (xn--) form;
 * who takes them from people converts them first (net/idn.h). `_` in a name, which names of containers have and public
 * ones never, is noted for the guard.
 *
 * Invariants: spans of the result point into the caller's text or into out->text; host and authority share
 * their bytes there. On failure `out` holds nothing useful and *why names the part. Pure; no memory. */
#include "core/guard.h"

#define URL_MAX 2048
#define NAME_MAX_BYTES 253 /* RFC 1035 section 2.3.4, in text form */

struct parts {
    struct th_span host, port; /* port.p is NULL when there is no colon */
    struct th_span target;     /* may be empty or begin with '?' */
    bool bracketed;
};

static enum th_error refuse(const char **why, const char *reason)
{
    *why = reason;
    return TH_INVALID;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    c = th_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* ---- ports ---- */

/* The "bad ports" of the WHATWG fetch standard, section 2.9: services that speak something else than HTTP and
 * might obey a request's lines. */
static const uint16_t bad_ports[] = {
    1,    7,    9,    11,   13,   15,   17,   19,   20,   21,   22,   23,   25,   37,    42,   43,   53,
    69,   77,   79,   87,   95,   101,  102,  103,  104,  109,  110,  111,  113,  115,   117,  119,  123,
    135,  137,  139,  143,  161,  179,  389,  427,  465,  512,  513,  514,  515,  526,   530,  531,  532,
    540,  548,  554,  556,  563,  587,  601,  636,  989,  990,  993,  995,  1719, 1720,  1723, 2049, 3659,
    4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
};

bool th_port_ok(uint16_t port)
{
    for (size_t i = 0; i < sizeof bad_ports / sizeof bad_ports[0]; i++)
        if (bad_ports[i] == port)
            return false;
    return port != 0;
}

static enum th_error read_port(struct th_span text, bool tls, uint16_t *port, const char **why)
{
    uint64_t v;

    *port = tls ? 443 : 80;
    if (!text.p)
        return TH_OK;
    if (text.n == 0)
        return refuse(why, "the port is empty");
    if (text.n > 5 || (*text.p == '0' && text.n > 1) || !th_span_u64(text, 65535, &v) || v == 0)
        return refuse(why, "the port is not a number from 1 to 65535");
    if (!th_port_ok((uint16_t)v))
        return refuse(why, "the port belongs to another service than HTTP");
    *port = (uint16_t)v;
    return TH_OK;
}

/* ---- host names ---- */

/* Code points that no encoder of international names leaves in a label (UTS 46 forbids them, drops them or maps them to
 * others): controls, spaces, marks without a look, other full stops, letters and digits in another dress. A reader
 * that decodes such a label and encodes it again has another host. Not the whole table, which grows with Unicode. */
static const uint32_t never_in_label[][2] = {
    {0x80, 0xa0},     {0xad, 0xad},     {0xc0, 0xd6},     {0xd8, 0xde},       {0x34f, 0x34f},
    {0x115f, 0x1160}, {0x2000, 0x200b}, {0x200e, 0x200f}, {0x2024, 0x2026},   {0x2028, 0x202f},
    {0x205f, 0x206f}, {0x2460, 0x24ea}, {0x3000, 0x3000}, {0x3002, 0x3002},   {0xd800, 0xf8ff},
    {0xfdd0, 0xfdef}, {0xfe00, 0xfe1f}, {0xfe47, 0xffff}, {0x1d400, 0x1d7ff}, {0xe0000, 0x10ffff},
};

static bool may_be_in_label(uint32_t code_point)
{
    for (size_t i = 0; i < sizeof never_in_label / sizeof never_in_label[0]; i++)
        if (code_point >= never_in_label[i][0] && code_point <= never_in_label[i][1])
            return false;
    return true;
}

/* Punycode (RFC 3492 section 6.2) far enough to know that a label decodes, and to what. */
static bool punycode_ok(struct th_span s)
{
    uint32_t n = 128, bias = 72;
    uint64_t i = 0;
    size_t at = 0, length = 0;

    for (size_t k = 0; k < s.n; k++)
        if (s.p[k] == '-') {
            length = k; /* basic code points before the last hyphen */
            at = k + 1;
        }
    if (at == s.n || (at && !length))
        return false;
    for (bool first = true; at < s.n; first = false) {
        uint64_t old = i, w = 1;

        for (uint32_t k = 36;; k += 36) {
            uint32_t digit, t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;

            if (at == s.n)
                return false;
            digit = is_digit(s.p[at]) ? (uint32_t)(s.p[at] - '0') + 26 : (uint32_t)(s.p[at] - 'a');
            at++;
            i += digit * w;
            if (i > UINT32_MAX)
                return false;
            if (digit < t)
                break;
            w *= 36 - t;
            if (w > UINT32_MAX)
                return false;
        }
        length++;
        bias = (uint32_t)((i - old) / (first ? 700 : 2));
        bias += bias / (uint32_t)length;
        for (old = 0; bias > 455; old += 36)
            bias /= 35;
        bias = (uint32_t)old + 36 * bias / (bias + 38);
        if (i / length > 0x10ffff - n)
            return false;
        n += (uint32_t)(i / length);
        if (!may_be_in_label(n))
            return false;
        i = i % length + 1;
    }
    return true;
}

/* Letters, digits, hyphens (RFC 952, RFC 1123 section 2.1), `_`; lower case already. */
static bool label_ok(struct th_span l)
{
    if (l.n == 0 || l.n > 63 || l.p[0] == '-' || l.p[l.n - 1] == '-')
        return false;
    for (size_t i = 0; i < l.n; i++)
        if (!is_digit(l.p[i]) && !(l.p[i] >= 'a' && l.p[i] <= 'z') && l.p[i] != '-' && l.p[i] != '_')
            return false;
    return !th_span_starts(l, TH_LIT("xn--")) || punycode_ok(th_span(l.p + 4, l.n - 4));
}

/* What some reader would take for a number: all digits, or 0x and hexadecimal digits, or nothing behind 0x.
 */
static bool looks_numeric(struct th_span l)
{
    size_t i = 0;

    if (l.n >= 2 && l.p[0] == '0' && l.p[1] == 'x') {
        for (i = 2; i < l.n && is_hex(l.p[i]); i++)
            ;
        return i == l.n;
    }
    while (i < l.n && is_digit(l.p[i]))
        i++;
    return i == l.n;
}

static enum th_error check_name(struct th_span name, const char **why)
{
    struct th_span label = {0};

    if (name.n > NAME_MAX_BYTES)
        return refuse(why, "the host name is too long");
    for (size_t from = 0; from <= name.n; from += label.n + 1) {
        const char *dot = from < name.n ? memchr(name.p + from, '.', name.n - from) : NULL;
        label = th_span(name.p + from, dot ? (size_t)(dot - name.p) - from : name.n - from);
        if (!label_ok(label))
            return refuse(why,
                          "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)");
    }
    if (looks_numeric(label))
        return refuse(why, "the host is a number but not an IPv4 address in dotted decimal form");
    return TH_OK;
}

/* ---- splitting ---- */

static enum th_error check_bytes(struct th_span url, const char **why)
{
    if (url.n == 0)
        return refuse(why, "the URL is empty");
    if (url.n > URL_MAX)
        return refuse(why, "the URL is longer than 2048 bytes");
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];

        if (c < 0x20 || c == 0x7f)
            return refuse(why, "the URL contains a control character");
        if (c == ' ')
            return refuse(why, "the URL contains a space");
        if (c >= 0x80)
            return refuse(
                why, "the URL contains a character outside ASCII (write it as %XX in the path or query)");
        if (c == '\\')
            return refuse(why, "the URL contains a backslash");
    }
    return TH_OK;
}

/* `rest` is what follows "//". */
static enum th_error split(struct th_span rest, struct parts *out, const char **why)
{
    struct th_span authority = rest;
    const char *colon;

    *out = (struct parts){0};
    for (authority.n = 0; authority.n < rest.n && !memchr("/?#", authority.p[authority.n], 3); authority.n++)
        ;
    out->target = th_span(rest.p + authority.n, rest.n - authority.n);
    for (size_t i = 0; i < out->target.n; i++)
        if (out->target.p[i] == '#')
            out->target.n = i; /* a fragment is for browsers and is never sent */
    if (authority.n && memchr(authority.p, '@', authority.n))
        return refuse(why, "the URL contains user information; leave it out, and send it as a header: "
                           "headers: {\"Authorization\": \"Basic …\"}");
    out->host = authority;
    if (authority.n && *authority.p == '[') {
        const char *close = memchr(authority.p, ']', authority.n);
        if (!close)
            return refuse(why, "the host has no closing bracket");
        out->bracketed = true;
        out->host = th_span(authority.p + 1, (size_t)(close - authority.p) - 1);
        colon = close + 1;
        if (colon < authority.p + authority.n && *colon != ':')
            return refuse(why, "there is text after the closing bracket of the host");
    } else {
        colon = authority.n ? memchr(authority.p, ':', authority.n) : NULL;
        if (colon)
            out->host.n = (size_t)(colon - authority.p);
    }
    if (colon && colon < authority.p + authority.n)
        out->port = th_span(colon + 1, (size_t)(authority.p + authority.n - colon) - 1);
    return out->host.n ? TH_OK : refuse(why, "the URL has no host");
}

static enum th_error check_target(struct th_span target, const char **why)
{
    for (size_t i = 0; i < target.n; i++) {
        char c = target.p[i];

        if (c == '"' || c == '<' || c == '>' || c == '`')
            return refuse(why, "the path or query contains a character that must be written as %XX");
        if (c == '%' && (target.n - i < 3 || !is_hex(target.p[i + 1]) || !is_hex(target.p[i + 2])))
            return refuse(why, "the path or query contains '%' without two hexadecimal digits");
    }
    return TH_OK;
}

/* ---- putting together ---- */

/* Writes the canonical host, sets literal and addr. `b` is over out->text. */
static enum th_error read_host(const struct parts *parts, struct th_url *out, struct th_buf *b,
                               const char **why)
{
    struct th_span host = parts->host;
    bool absolute = false;

    if (parts->bracketed) {
        if (!th_addr_parse(host, &out->addr) || out->addr.family != 6)
            return refuse(why, "the host in brackets is not an IPv6 address");
        out->literal = true;
        th_buf_char(b, '[');
        th_addr_format(b, &out->addr);
        out->host = th_span(out->text + 1, b->n - 1);
        th_buf_char(b, ']');
        return TH_OK;
    }
    if (th_addr_parse(host, &out->addr)) { /* dotted quad; a colon cannot be here */
        out->literal = true;
        th_addr_format(b, &out->addr);
        out->host = th_buf_view(b);
        return TH_OK;
    }
    if (host.n > NAME_MAX_BYTES + 1)
        return refuse(why, "the host name is too long");
    if (host.n > 1 && host.p[host.n - 1] == '.') { /* absolute already; certificates have no dot at the end */
        absolute = true;
        host.n--;
    }
    for (size_t i = 0; i < host.n; i++)
        th_buf_char(b, th_lower(host.p[i]));
    out->host = th_buf_view(b);
    out->underscore = memchr(out->host.p, '_', out->host.n) != NULL;
    if (absolute && th_addr_parse(host, &out->addr))
        return refuse(why, "the host is an IPv4 address with a dot at its end");
    return check_name(out->host, why);
}

enum th_error th_url_parse(struct th_span url, struct th_url *out, const char **why)
{
    const char *unused;
    struct parts parts;
    enum th_error error;
    struct th_span rest;
    struct th_buf b = {
        .p = out->text, .cap = sizeof out->text, .max = sizeof out->text}; /* cannot grow: cap is max */

    if (!why)
        why = &unused;
    *out = (struct th_url){0};
    error = check_bytes(url, why);
    if (error)
        return error;
    if (url.n >= 8 && th_span_ieq(th_span(url.p, 8), TH_LIT("https://")))
        out->tls = true;
    else if (url.n < 7 || !th_span_ieq(th_span(url.p, 7), TH_LIT("http://")))
        return refuse(why, "the URL does not begin with https:// or http://");
    rest = out->tls ? th_span(url.p + 8, url.n - 8) : th_span(url.p + 7, url.n - 7);
    error = split(rest, &parts, why);
    if (!error)
        error = read_host(&parts, out, &b, why);
    if (!error)
        error = read_port(parts.port, out->tls, &out->port, why);
    if (!error)
        error = check_target(parts.target, why);
    if (error)
        return error;
    if (out->port != (out->tls ? 443 : 80)) {
        th_buf_char(&b, ':');
        th_buf_u64(&b, out->port);
    }
    out->authority = th_buf_view(&b);
    if (out->literal)
        out->addr.port = out->port;
    out->target = parts.target.n ? parts.target : TH_LIT("/");
    if (*out->target.p == '?') { /* RFC 9112 section 3.2.1: an empty path is sent as "/" */
        char *slash = out->text + b.n;
        th_buf_char(&b, '/');
        th_buf_span(&b, parts.target);
        out->target = th_span(slash, parts.target.n + 1);
        if (b.failed)
            return refuse(why, "a long query needs a '/' before its '?'");
    }
    return b.failed ? refuse(why, "the host name is too long") : TH_OK;
}
