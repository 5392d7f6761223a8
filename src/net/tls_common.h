/* Functions that the client, the server and the probe of TLS share. Private to tls*.c. */
#ifndef TH_NET_TLS_COMMON_H
#define TH_NET_TLS_COMMON_H
#include "base/span.h"
#include <openssl/ssl.h>

/** Binds the host that the peer's certificate must carry (RFC 9525): an IP address in text, or a DNS name, which is
 * then sent as SNI. False: no memory, or `host` is neither. */
bool th_tls_expect_host(SSL *ssl, struct th_span host);
/** English for a result of SSL_get_verify_result. */
const char *th_tls_verify_text(long result);
/** A text for the latest error: one of ours where OpenSSL's misleads (a peer without TLS), else OpenSSL's, or
 * NULL. */
const char *th_tls_reason(void);

/** A BIO over the caller's own reading and writing; its data is set by the caller. NULL: no memory. */
BIO_METHOD *th_tls_bio_method(const char *name, int (*read)(BIO *, char *, size_t, size_t *),
                              int (*write)(BIO *, const char *, size_t, size_t *),
                              long (*ctrl)(BIO *, int, long, void *));

/* SHAKING -> UP -> ENDED; all -> BROKEN */
enum th_tls_state {
    TH_TLS_SHAKING, /* the handshake is not done */
    TH_TLS_UP,
    TH_TLS_ENDED, /* our good-bye has been sent: nothing more is written */
    TH_TLS_BROKEN /* the peer, the socket or memory has failed */
};

/** One connection, on either side. All zeros to begin with. */
struct th_tls_session {
    enum th_tls_state state;
    /* messages of the handshake protocol that came after the handshake, which nothing else bounds */
    unsigned posts;
};
/** Changes the state to one that may follow the present one, or to the same. */
void th_tls_session_enter(struct th_tls_session *session, enum th_tls_state state);
/** Counts those messages from now on; `session` outlives `ssl`. */
void th_tls_session_watch(SSL *ssl, struct th_tls_session *session);
/** True when there were more of them than any peer has reason to send (a flood of key updates). */
bool th_tls_session_is_flooded(const struct th_tls_session *session);
#endif
