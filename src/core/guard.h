/* The pure part of the guard against requests into private networks (SSRF): the strict URL reader, the classifier of
 * addresses, and the rules for custom header fields, ids and event types. It does no I/O: names are resolved elsewhere, and
 * every address that they resolve to is judged here. */
#ifndef TH_CORE_GUARD_H
#define TH_CORE_GUARD_H
#include "base/buf.h"
#include "port/transport.h"

struct th_cidr {
    struct th_addr net;
    uint8_t bits;
};
/** "10.0.0.0/8", "fd00::/8", or a bare address. Host bits must be zero. */
bool th_cidr_parse(struct th_span text, struct th_cidr *out);
bool th_cidr_has(const struct th_cidr *c, const struct th_addr *a);
/** 127.0.0.0/8 and ::1: what is sent there does not leave this machine. */
bool th_addr_loopback(const struct th_addr *a);

struct th_guard { /* operator's choice; the arrays are the caller's and outlive it */
    const struct th_cidr *allow;
    unsigned allow_count;
    bool allow_loopback; /* development */
    /* beats allow: this machine's own public addresses, networks of the operator */
    const struct th_cidr *deny;
    unsigned deny_count;
};
/** True when a delivery may go to this address: global unicast only, embedded IPv4 (mapped, NAT64) judged
 * too; networks that the operator allows pass, those that he forbids do not. When false, *why (may be NULL)
 * says what the address is: "a loopback address"; static memory. */
bool th_guard_addr(const struct th_guard *g, const struct th_addr *a, const char **why);
/** Judges all answers of the resolver: one forbidden address refuses the whole set (TH_DENIED, *bad is its
 * index); otherwise a name could point to a public and a private host in turns. Without any answer it returns TH_NOT_FOUND. why and
 * bad may be NULL. */
TH_MUST_USE enum th_error th_guard_answers(const struct th_guard *g, const struct th_addr *addrs, unsigned n,
                                           const char **why, unsigned *bad);

struct th_url { /* spans into the text that was given, unless noted */
    bool tls;
    struct th_span host; /* canonical: lower case, no brackets; for literals the canonical address text */
    struct th_span authority; /* "host" or "host:port" for the Host field */
    struct th_span target;    /* path and query, at least "/" */
    uint16_t port;
    bool underscore;     /* the host name has a '_' */
    bool literal;        /* host is an IP address */
    struct th_addr addr; /* when literal, with port */
    char text[600];      /* host and authority (they share bytes), and "/?query" of a URL without a path */
};
/** True when the query has a name whose value is probably a credential: token, key, secret, sig and the like. */
bool th_url_has_credential(struct th_span url);
/** Appends the URL with "***" for path and query. */
void th_url_mask(struct th_span url, struct th_buf *out);
/** True for a URL that th_url_mask has made. */
bool th_url_is_masked(struct th_span url);
/** Strict http/https URL: no user info, no fragment sent, no control characters, spaces, backslashes, no
 * numeric host forms but dotted quads and bracketed IPv6, no empty or over-long labels, ASCII (xn--) names
 * only, at most 2048 bytes, no port that fetch forbids. TH_INVALID with an English reason that names the
 * part. The spans of `out` point into `url` and into out->text: `out` must not be moved. */
TH_MUST_USE enum th_error th_url_parse(struct th_span url, struct th_url *out, const char **why);
/** False for 0 and for the ports that the fetch standard forbids (mail, shells, chat: services that may obey
 * lines). */
bool th_port_ok(uint16_t port);
/** Judges a URL at registration: parses it, refuses names that are never public (localhost, *.local,
 * *.internal, single labels, ...), and judges literal addresses with th_guard_addr. TH_INVALID as th_url_parse, TH_DENIED by
 * policy. Names of private networks and names with '_' pass when the operator allows any network, or loopback
 * (development); the addresses that they resolve to are judged all the same. Names of metadata services and names that can never be
 * resolved pass only when the operator allows a network. */
TH_MUST_USE enum th_error th_guard_url(const struct th_guard *g, struct th_span url, struct th_url *out,
                                       const char **why);

/** Custom header field of an endpoint: token name that is neither transport's nor in `owned` (names of the
 * dialect's own fields), value of visible ASCII with space and tab inside, at most 4 KiB. TH_INVALID or
 * TH_DENIED with a reason. */
TH_MUST_USE enum th_error th_guard_header(struct th_span name, struct th_span value,
                                          const struct th_span *owned, unsigned owned_count,
                                          const char **why);
/** [A-Za-z0-9_-]+ joined by '.', at most 128 bytes; the bytes of `more` count as letters. */
bool th_event_type_form(struct th_span type, struct th_span more);
bool th_event_type_ok(struct th_span type);
/** [A-Za-z0-9_-]{1,128}: tenant ids, a publisher's own event ids. */
bool th_id_ok(struct th_span id);
/** Appends the canonical text of an address without its port (RFC 5952). */
void th_addr_format(struct th_buf *out, const struct th_addr *a);
/** Dotted quad or RFC 4291 text, nothing else. */
bool th_addr_parse(struct th_span text, struct th_addr *out);
#endif
