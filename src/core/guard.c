/* The policy on what a tenant may choose: URLs at registration, header fields, ids and event types.
 *
 * The text of a URL is judged here, early and with a clear reason; what a name resolves to is judged again at
 * every attempt (guard_addr.c), so nothing here is the last line of defence. Pure. */
#include "core/guard.h"

#define FIELD_NAME_MAX 128
#define FIELD_VALUE_MAX 4096

/* ---- names that are never public ---- */

/* RFC 6761, RFC 6762, RFC 8375, ICANN's reserved "internal" and its withheld "home", "corp" and "mail", what private
 * networks, container platforms and hosts files use. */
static const char *const private_suffixes[] = {
    "localhost", "localhost4", "localhost6", "localdomain", "localdomain4", "localdomain6",
    "local",     "internal",   "intranet",   "private",     "lan",          "home",
    "corp",      "mail",       "workgroup",  "domain",      "test",         "svc",
    "default",   "cluster",    "consul",     "docker",
};

/* Not even in development: names that no resolver knows (RFC 6761, RFC 7686, RFC 9476), and public names of metadata
 * services. */
static const char *const forbidden_suffixes[] = {
    "invalid",
    "onion",
    "alt",
    "arpa",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.tencentyun.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
};

static bool has_suffix(struct th_span host, struct th_span suffix)
{
    return host.n >= suffix.n && memcmp(host.p + host.n - suffix.n, suffix.p, suffix.n) == 0 &&
           (host.n == suffix.n || host.p[host.n - suffix.n - 1] == '.');
}

static bool has_one_of(struct th_span host, const char *const *suffixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (has_suffix(host, th_str(suffixes[i])))
            return true;
    return false;
}

static bool is_private_name(const struct th_url *url)
{
    return url->underscore || !memchr(url->host.p, '.', url->host.n) ||
           has_one_of(url->host, private_suffixes, sizeof private_suffixes / sizeof private_suffixes[0]);
}

enum th_error th_guard_url(const struct th_guard *g, struct th_span url, struct th_url *out, const char **why)
{
    const char *unused;
    enum th_error error;

    if (!why)
        why = &unused;
    error = th_url_parse(url, out, why);
    if (error)
        return error;
    if (out->literal)
        return th_guard_addr(g, &out->addr, why) ? TH_OK : TH_DENIED;
    if (g->allow_count > 0) /* who opens a private network has names in it */
        return TH_OK;
    *why = "the host name is not public";
    if (has_one_of(out->host, forbidden_suffixes, sizeof forbidden_suffixes / sizeof forbidden_suffixes[0]))
        return TH_DENIED;
    if (!is_private_name(out) || g->allow_loopback)
        return TH_OK;
    if (out->underscore)
        *why = "the host name contains \"_\", which no public name does";
    return TH_DENIED;
}

/* ---- header fields ---- */

/* A '*' at the end stands for any rest. */
static const struct {
    const char *name, *why;
} fields[] = {
    /* message framing and connection: RFC 9110 section 7.6, RFC 9112 */
    {"host", "the transport sets this header"},
    {"content-*", "the dialect sets this header"},
    {"connection", "the transport sets this header"},
    {"transfer-encoding", "the transport sets this header"},
    {"te", "the transport sets this header"},
    {"trailer", "the transport sets this header"},
    {"upgrade", "the transport sets this header"},
    {"http2-settings", "the transport sets this header"},
    {"keep-alive", "the transport sets this header"},
    {"expect", "the transport sets this header"},
    {"date", "the transport sets this header"},
    /* routing: a proxy before the receiver believes these */
    {"proxy*", "the header is for proxies"},
    {"via", "the header is for proxies"},
    {"max-forwards", "the header is for proxies"},
    {"forwarded", "the header is for proxies"},
    {"x-forwarded*", "the header is for proxies"},
    {"x-real-ip", "the header is for proxies"},
    {"x-client-ip", "the header is for proxies"},
    {"x-cluster-client-ip", "the header is for proxies"},
    {"true-client-ip", "the header is for proxies"},
    {"cf-connecting-ip", "the header is for proxies"},
    {"x-host", "the header is for proxies"},
    {"x-original-*", "the header is for proxies"},
    {"x-rewrite-*", "the header is for proxies"},
    {"x-http-method*", "the header changes the request method"},
    {"x-method-override", "the header changes the request method"},
    /* metadata services of cloud platforms ask for one of these as a proof of good intent */
    {"metadata", "the header is for metadata services"},
    {"metadata-flavor", "the header is for metadata services"},
    {"x-google-metadata-request", "the header is for metadata services"},
    {"x-aws-ec2-metadata-*", "the header is for metadata services"},
    {"x-metadata-token", "the header is for metadata services"},
    {"x-vault-request", "the header is for secret stores"},
    /* browser state: RFC 6265 */
    {"cookie", "cookies are not sent"},
    {"cookie2", "cookies are not sent"},
    {"set-cookie", "cookies are not sent"},
    {"set-cookie2", "cookies are not sent"},
};

/* RFC 9110 section 5.6.2 */
static bool is_token(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], l = th_lower(c);
        if (!(l >= 'a' && l <= 'z') && !(c >= '0' && c <= '9') && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

/* Without case, and '_' counts as '-': receivers that see fields as variables (CGI, WSGI) cannot tell them apart. */
static char fold(char c)
{
    return c == '_' ? '-' : th_lower(c);
}

static bool matches(struct th_span name, struct th_span pattern)
{
    bool open = pattern.n > 0 && pattern.p[pattern.n - 1] == '*';
    size_t n = pattern.n - open;

    if (open ? name.n < n : name.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (fold(name.p[i]) != fold(pattern.p[i]))
            return false;
    return true;
}

static enum th_error check_value(struct th_span value, const char **why)
{
    if (value.n > FIELD_VALUE_MAX) {
        *why = "the header value is longer than 4096 bytes";
        return TH_INVALID;
    }
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool blank = c == ' ' || c == '\t';
        if (!blank && (c < 0x21 || c > 0x7e)) {
            *why = "the header value contains a character other than visible ASCII, space and tab";
            return TH_INVALID;
        }
        if (blank && (i == 0 || i + 1 == value.n)) {
            *why = "the header value begins or ends with white space"; /* RFC 9110 section 5.5: receivers cut
                                                                          it */
            return TH_INVALID;
        }
    }
    return TH_OK;
}

enum th_error th_guard_header(struct th_span name, struct th_span value, const struct th_span *owned,
                              unsigned owned_count, const char **why)
{
    const char *unused;

    if (!why)
        why = &unused;
    if (name.n > FIELD_NAME_MAX) {
        *why = "the header name is longer than 128 bytes";
        return TH_INVALID;
    }
    if (!is_token(name)) {
        *why = "the header name is not a token (letters, digits, hyphens)";
        return TH_INVALID;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (matches(name, th_str(fields[i].name))) {
            *why = fields[i].why;
            return TH_DENIED;
        }
    for (unsigned i = 0; i < owned_count; i++)
        if (matches(name, owned[i])) {
            *why = "the dialect sets this header";
            return TH_DENIED;
        }
    return check_value(value, why);
}

/* ---- ids and event types ---- */

static bool is_word(char c)
{
    char l = th_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool th_event_type_ok(struct th_span type)
{
    return th_event_type_form(type, th_span("", 0));
}

bool th_event_type_form(struct th_span type, struct th_span more)
{
    bool word = false;

    if (type.n > 128)
        return false;
    for (size_t i = 0; i < type.n; i++) {
        if (type.p[i] == '.' ? !word : !is_word(type.p[i]) && !(more.n && memchr(more.p, type.p[i], more.n)))
            return false;
        word = type.p[i] != '.';
    }
    return word;
}

bool th_id_ok(struct th_span id)
{
    if (id.n == 0 || id.n > 128)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!is_word(id.p[i]))
            return false;
    return true;
}
