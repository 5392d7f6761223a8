/* Sending one HTTP request and resolving names: what dispatch needs from the network. Implemented by net/ and by the
 * simulator. Every operation is submitted and ends with one callback from the loop, never from inside the submit call. */
#ifndef TH_PORT_TRANSPORT_H
#define TH_PORT_TRANSPORT_H
#include "base/error.h"
#include "base/span.h"
#include "base/time.h"

/** An IPv4 or IPv6 address; IPv4 uses the first 4 bytes. Port is host order. */
struct th_addr {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t ip[16];
    uint32_t scope;
    uint16_t port;
};

/** Why an attempt has no complete answer. TH_HTTP_OK: an answer with a status was read completely or capped. */
enum th_http_class {
    TH_HTTP_OK,
    TH_HTTP_DNS,      /* name does not resolve, or the resolver failed */
    TH_HTTP_DENIED,   /* the guard refused an address */
    TH_HTTP_CONNECT,  /* refused, unreachable, reset before a request was sent */
    TH_HTTP_TLS,      /* handshake or certificate */
    TH_HTTP_TIMEOUT,  /* the total or the connect deadline */
    TH_HTTP_RESET,    /* connection lost before a complete answer */
    TH_HTTP_PROTOCOL, /* the answer is not HTTP/1.1 */
    TH_HTTP_CANCELLED,
    TH_HTTP_INTERNAL,           /* out of memory, descriptors */
    TH_HTTP_CLIENT_CERTIFICATE, /* the server did not accept the one that it was shown */
    TH_HTTP_TOKEN,              /* no token of OAuth could be had, so nothing was sent */
};
/** Stable short names for logs and the API: "ok", "dns_error", "denied", "connect_error", "tls_error", "timeout",
 * "connection_reset", "protocol_error", "cancelled", "internal_error", "client_certificate_error", "token_error". */
const char *th_http_class_name(enum th_http_class c);
/** An attempt's outcome as the API names it: "success" or "failed_status" when there was an answer, else the class. */
const char *th_outcome_name(enum th_http_class c, bool ok);

struct th_origin {
    bool tls;
    /* as in the URL: lower case, brackets around IPv6 removed; used for SNI and verification */
    struct th_span host;
    struct th_span authority; /* value of the Host field: host[:port], default port left out */
    uint16_t port;
};

/** TLS of an origin's own, PEM; n == 0: none. */
struct th_client_tls {
    uint8_t id[16];    /* of a hash of all of it: with the same, connections and sessions may be shared */
    struct th_span ca; /* trusted in place of all other authorities */
    struct th_span certificate, key; /* shown to a server that asks for one; a chain, the own one first */
};

/* microseconds since the submit; -1: did not happen (reused connection, failed earlier) */
struct th_http_times {
    int64_t connected, tls, sent, first_byte, done;
};

struct th_http_result {
    enum th_http_class class;
    unsigned status;        /* final status; 0 without an answer */
    struct th_span head;    /* field lines "Name: value\r\n" of the final answer, valid during done() */
    struct th_span body;    /* first body_cap bytes, valid during done() */
    bool truncated;         /* the body was longer */
    bool decoded;           /* the body came compressed (Content-Encoding) and is given decoded */
    uint32_t retry_after_s; /* delta-seconds of Retry-After (HTTP-date forms converted), UINT32_MAX: none */
    struct th_addr peer;
    struct th_http_times times;
    bool reused; /* an existing connection carried it */
    /* 1: the server had closed the pooled connection and read no byte; sent again on a new one */
    uint8_t fresh_retries;
    const char *detail; /* English, static or in the request's detail buffer; NULL when all is well */
    char detail_text[160];
};

struct th_http_req {
    /* caller's memory, unchanged until done */
    struct th_span method, target;
    struct th_origin origin;
    const struct th_client_tls *identity; /* NULL: none */
    const struct th_addr *addrs; /* already judged, in order of trial; the transport never resolves */
    unsigned addr_count;
    const struct th_addr *source; /* of this machine, to connect from; NULL: the transport's own, or any */
    uint64_t pool_key;            /* connections are never shared across different keys */
    struct th_span head;    /* finished field lines, each ending in CRLF, without Host and Content-Length */
    struct th_span body[3]; /* sent one after the other */
    unsigned body_count;
    bool decode; /* gzip and deflate bodies are given decoded, as far as body_cap reaches */
    struct th_mono deadline, connect_deadline;
    uint32_t head_cap, body_cap; /* bytes of the answer kept; more head than head_cap is a protocol error */
    /** Called with the bytes of the body of an answer 200 as they come, any number at a time; they are not kept then. Never called
     * from inside submit. NULL: the body is kept. */
    void (*part)(struct th_http_req *, struct th_span bytes);
    void (*done)(struct th_http_req *);
    void *user;
    /* result, and room for the transport */
    struct th_http_result res;
    void *impl;
};

struct th_transport {
    const struct th_transport_vt *vt;
};
struct th_transport_vt {
    /** Starts a request. Always followed by exactly one done(), later, on the loop. */
    void (*submit)(struct th_transport *, struct th_http_req *);
    /** Ends a submitted request soon with TH_HTTP_CANCELLED (or its real result, if that came first). */
    void (*cancel)(struct th_transport *, struct th_http_req *);
};

#define TH_RESOLVE_MAX 256 /* addresses of one name: what fits into a datagram of 4 KiB */
#define TH_CONNECT_MAX 16  /* addresses that one attempt tries */
struct th_resolve {
    struct th_span host; /* lower-case ASCII name; caller's memory until done */
    uint64_t tenant;     /* look-ups under way are capped per tenant */
    struct th_mono deadline;
    void (*done)(struct th_resolve *);
    void *user;
    /* result: TH_OK with count >= 1; TH_NOT_FOUND no such name or no address (NXDOMAIN, NODATA); TH_RETRY name server
     * failure; TH_TIMEOUT; TH_TOO_LARGE more than TH_RESOLVE_MAX addresses; TH_FULL too many look-ups under way */
    enum th_error error;
    const struct th_addr *addrs; /* all A and AAAA answers, port 0; until done() returns */
    unsigned count;
    void *impl;
};
struct th_resolver {
    const struct th_resolver_vt *vt;
};
struct th_resolver_vt {
    /** Starts a look-up; one done() later on the loop, also for cached answers. Literals are not resolved here. */
    void (*submit)(struct th_resolver *, struct th_resolve *);
    void (*cancel)(struct th_resolver *, struct th_resolve *);
};
#endif
