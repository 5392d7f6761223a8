/* The server's side of TLS, over bytes instead of sockets: whoever owns the socket feeds what it has read and
 * sends what comes out. Hides OpenSSL. All on one thread. */
#ifndef TH_NET_TLS_SERVER_H
#define TH_NET_TLS_SERVER_H
#include "base/error.h"
#include "net/tls.h"

/* A certificate with its key, and everything that is decided once for its connections. It counts its
 * references: each connection keeps the identity with which it began. */
struct th_tls_identity;
struct th_tls_peer;

/** Reads a PEM chain (the server's certificate first) and its PEM key, which must not be encrypted. TH_IO,
 * TH_INVALID or TH_NOMEM with an English reason in `why` that names the file. */
TH_MUST_USE enum th_error th_tls_identity_open(const char *cert_file, const char *key_file,
                                               struct th_tls_identity **out, char *why, size_t why_size);
struct th_tls_identity *th_tls_identity_ref(struct th_tls_identity *id);
/** NULL is allowed. */
void th_tls_identity_unref(struct th_tls_identity *id);
/** Seconds from `now_s` (unix time) until the certificate expires; negative: it has expired. */
int64_t th_tls_identity_left_s(const struct th_tls_identity *id, int64_t now_s);
/** Seconds from `now_s` until the certificate begins to be valid; negative: it has begun. */
int64_t th_tls_identity_begins_s(const struct th_tls_identity *id, int64_t now_s);

/** Makes a connection, before its first byte. NULL: no memory. */
struct th_tls_peer *th_tls_peer_new(struct th_tls_identity *id);
/** Feeds bytes from the socket. They stay the caller's and must stay where they are until th_tls_peer_pending
 * is false or th_tls_peer_keep was called. To be called only while nothing is pending. */
void th_tls_peer_feed(struct th_tls_peer *p, const char *bytes, size_t n);
/** True while fed bytes are left, or the reader holds bytes that it has not handed out. */
bool th_tls_peer_pending(const struct th_tls_peer *p);
/** Copies what is left of the fed bytes. False: no memory, nothing is kept. */
bool th_tls_peer_keep(struct th_tls_peer *p);
/** Goes on with the handshake; OK when done. WANT_READ: feed more. There may be bytes to send in any case. */
enum th_tls_io th_tls_peer_handshake(struct th_tls_peer *p);
bool th_tls_peer_is_up(const struct th_tls_peer *p);
/** OK with *got > 0. EOF: the client has said good-bye. WANT_READ: feed more. */
enum th_tls_io th_tls_peer_read(struct th_tls_peer *p, char *to, size_t n, size_t *got);
/** Encrypts all of `plain`. False: no memory, or the connection is broken; only th_tls_peer_free may follow. */
bool th_tls_peer_write(struct th_tls_peer *p, struct th_span plain);
/** Adds the good-bye to what is to be sent. */
void th_tls_peer_bye(struct th_tls_peer *p);
/** Returns what is to be sent now; valid until the next call on `p`. */
struct th_span th_tls_peer_out(const struct th_tls_peer *p);
void th_tls_peer_sent(struct th_tls_peer *p);
/** NULL is allowed. */
void th_tls_peer_free(struct th_tls_peer *p);
#endif
