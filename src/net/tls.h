/* TLS client over non-blocking sockets: certificates and host names always verified. Private to the network
 * layer; hides OpenSSL. All on one thread per context. */
#ifndef TH_NET_TLS_H
#define TH_NET_TLS_H
#include "base/error.h"
#include "base/span.h"
#include "port/transport.h"

struct th_tls_ctx;
struct th_tls;

enum th_tls_io {
    TH_TLS_OK,
    TH_TLS_WANT_READ,  /* call again when the socket is readable */
    TH_TLS_WANT_WRITE, /* call again when the socket is writable */
    TH_TLS_EOF,        /* the peer said good-bye and closed */
    TH_TLS_CUT,        /* the connection ended without a good-bye: what was read may not be all */
    TH_TLS_FAILED,     /* th_tls_error says why; only th_tls_free is left */
};

/** Opens a context that trusts the system's authorities and those in `ca_file` (PEM; NULL: none). With
 * `like`, which may be of another thread and may be closed first, it trusts the same authorities as that:
 * reading them takes long, and each copy takes a megabyte. TH_IO or TH_NOMEM with an English reason in `why`. */
TH_MUST_USE enum th_error th_tls_ctx_open(const char *ca_file, const struct th_tls_ctx *like,
                                          struct th_tls_ctx **out, char *why, size_t why_size);
/** All connections must have been freed. NULL is allowed. */
void th_tls_ctx_close(struct th_tls_ctx *ctx);

/** Prepares a client handshake on a connected non-blocking socket, which stays the caller's. `host` is a DNS
 * name (sent as SNI) or an IP address in text; the certificate must carry it (RFC 9525). Sessions are resumed
 * only between equal `session_key`s (at most 300 bytes, copied), so the key has to tell identities apart.
 * identity: NULL, or authorities and a certificate of its own; used during the call. NULL: no memory, or a host or
 * an identity that cannot be used. */
struct th_tls *th_tls_new(struct th_tls_ctx *ctx, int fd, struct th_span host,
                          const struct th_client_tls *identity, struct th_span session_key);
/** Goes on with the handshake: OK when done and verified. */
enum th_tls_io th_tls_handshake(struct th_tls *t);
/** OK with *got > 0; the other values set *got = 0. */
enum th_tls_io th_tls_read(struct th_tls *t, char *p, size_t n, size_t *got);
/** OK with *put > 0. After WANT_*, call again with the same bytes (the address may differ). */
enum th_tls_io th_tls_write(struct th_tls *t, const char *p, size_t n, size_t *put);
/** Number of bytes that the socket has taken so far. */
uint64_t th_tls_put(const struct th_tls *t);
/** True while no application data waits inside: what a connection must show before it is used again. */
bool th_tls_quiet(struct th_tls *t);
#define TH_TLS_NOT_SPOKEN "the other side does not speak TLS"
/** English reason after FAILED, e.g. "certificate: host name mismatch". Lives as long as `t`. */
const char *th_tls_error(const struct th_tls *t);
/** Whether the end of a connection has to do with a client certificate. */
enum th_tls_certificate {
    TH_TLS_NOT_ASKED,
    TH_TLS_ASKED,    /* the server asked for one; it may be content without one */
    TH_TLS_REQUIRED, /* it ended the connection with an alert because there was none: th_tls_error says so */
    TH_TLS_GIVEN,    /* it asked for one, and got the identity's */
    TH_TLS_REFUSED,  /* it ended the connection with an alert because of that one: th_tls_error says so */
};
enum th_tls_certificate th_tls_certificate(const struct th_tls *t);
/** After FAILED: the server ended the connection with a fatal alert, under TLS 1.3 perhaps after the handshake. */
bool th_tls_alerted(const struct th_tls *t);
/** `clean`: says good-bye to the peer first (one send, never blocks). NULL is allowed. */
void th_tls_free(struct th_tls *t, bool clean);
#endif
