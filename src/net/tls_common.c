/* Functions that the client, the server and the probe of TLS share: the name that a peer must prove, texts
 * for errors, the transport of bytes for OpenSSL, a bound on key updates.
 *
 * Why one place for the peer's name: what `tenterhook doctor` calls good must be what a delivery accepts. */
#include "net/tls_common.h"
#include "base/check.h"
#include "net/tls.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { MAX_POSTS = 32 };

bool th_tls_expect_host(SSL *ssl, struct th_span host)
{
    char text[256];
    unsigned char ip[16];

    if (host.n == 0 || host.n >= sizeof text || memchr(host.p, 0, host.n))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), text) == 1;
    if (text[host.n - 1] == '.') /* certificates name hosts without the root's dot */
        text[host.n - 1] = 0;
    /* RFC 9525 section 6.3: names stand in subjectAltName; the subject's common name is free text. */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, text) == 1 && SSL_set_tlsext_host_name(ssl, text) == 1;
}

const char *th_tls_verify_text(long result)
{
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return "host name mismatch";
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "IP address mismatch";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "not yet valid";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "unknown certificate authority";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "issuer unknown or intermediate certificate missing";
    default:
        return X509_verify_cert_error_string(result);
    }
}

const char *th_tls_reason(void)
{
    unsigned long code = ERR_peek_last_error();

    if (code &&
        (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST))
        return TH_TLS_NOT_SPOKEN;
    return code ? ERR_reason_error_string(code) : NULL;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *th_tls_bio_method(const char *name, int (*read)(BIO *, char *, size_t, size_t *),
                              int (*write)(BIO *, const char *, size_t, size_t *),
                              long (*ctrl)(BIO *, int, long, void *))
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);

    if (m && BIO_meth_set_read_ex(m, read) && BIO_meth_set_write_ex(m, write) && BIO_meth_set_ctrl(m, ctrl) &&
        BIO_meth_set_create(m, bio_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

static void on_message(int sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
    struct th_tls_session *session = arg;

    (void)version;
    (void)p;
    (void)n;
    (void)ssl;
    if (!sent && type == SSL3_RT_HANDSHAKE && session->state != TH_TLS_SHAKING)
        session->posts++;
}

void th_tls_session_enter(struct th_tls_session *session, enum th_tls_state state)
{
    static const uint8_t edges[] = {
        [TH_TLS_SHAKING] = 1u << TH_TLS_UP | 1u << TH_TLS_BROKEN,
        [TH_TLS_UP] = 1u << TH_TLS_ENDED | 1u << TH_TLS_BROKEN,
        [TH_TLS_ENDED] = 1u << TH_TLS_ENDED | 1u << TH_TLS_BROKEN,
        [TH_TLS_BROKEN] = 1u << TH_TLS_BROKEN,
    };

    TH_CHECK(edges[session->state] >> state & 1);
    session->state = state;
}

void th_tls_session_watch(SSL *ssl, struct th_tls_session *session)
{
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, session);
}

bool th_tls_session_is_flooded(const struct th_tls_session *session)
{
    return session->posts > MAX_POSTS;
}
