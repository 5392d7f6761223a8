/* One blocking connection for `tenterhook doctor`.
 *
 * Why apart from tls.c: a probe goes on after a failed verification, to show the chain that failed; what
 * carries deliveries must never be able to. Sends no byte of application data. Failure: every step that fails
 * leaves its reason in out->error. */
#include "net/tls_probe.h"
#include "net/proxy_ask.h"
#include "net/sockaddr.h"
#include "net/tls_common.h"
#include "net/tls_own.h"
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A connected blocking socket with time-outs; -1 with a reason. */
static int connect_to(const struct th_addr *a, const struct th_addr *source, unsigned timeout_ms,
                      struct th_tls_probe *out)
{
    struct sockaddr_storage from;
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
    struct sockaddr_storage to;
    socklen_t n = th_sockaddr_of(a, a->port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* SO_SNDTIMEO bounds connect(2) as well, see socket(7) */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        (source && bind(fd, (const struct sockaddr *)&from, th_sockaddr_of(source, 0, &from)) != 0) ||
        connect(fd, (const struct sockaddr *)&to, n) != 0) {
        snprintf(out->error, sizeof out->error, "%s",
                 errno == EINPROGRESS || errno == EAGAIN ? "no answer in time" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* Asks a proxy for the connection. False, with a reason. */
static bool ask_proxy(int fd, const struct th_addr *to, const char *credentials, struct th_tls_probe *out)
{
    char answer[8192];
    struct th_buf fields, ask;
    size_t n = 0;
    bool sent;

    th_buf_init(&fields, 4096);
    th_buf_init(&ask, 8192);
    if (credentials)
        th_proxy_ask_credentials(&fields, credentials);
    th_proxy_ask_connect(&ask, to, th_buf_view(&fields));
    sent = !fields.failed && !ask.failed && send(fd, ask.p, ask.n, MSG_NOSIGNAL) == (ssize_t)ask.n;
    th_buf_wipe(&fields);
    th_buf_wipe(&ask);
    while (sent && n < sizeof answer - 1 && !memmem(answer, n, "\r\n\r\n", 4)) {
        ssize_t got = recv(fd, answer + n, 1, 0); /* not a byte of what comes behind it */

        if (got <= 0)
            break;
        n++;
    }
    answer[n] = 0;
    if (n > 12 && strncmp(answer, "HTTP/1.", 7) == 0 && answer[9] == '2')
        return true;
    if (n > 12)
        snprintf(out->error, sizeof out->error, "the proxy answered CONNECT with %.3s", answer + 9);
    else
        snprintf(out->error, sizeof out->error, "the proxy did not answer CONNECT");
    return false;
}

static int64_t unix_of(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    out[0] = 0;
    if (!bio)
        return;
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    n = BIO_read(bio, out, (int)size - 1);
    out[n > 0 ? n : 0] = 0;
    BIO_free(bio);
}

static void note_chain(SSL *ssl, struct th_tls_probe *out)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

    for (int i = 0; chain && i < sk_X509_num(chain) && out->count < TH_PROBE_CERTS; i++) {
        const X509 *cert = sk_X509_value(chain, i);
        name_text(X509_get_subject_name(cert), out->cert[out->count].subject, sizeof out->cert[0].subject);
        name_text(X509_get_issuer_name(cert), out->cert[out->count].issuer, sizeof out->cert[0].issuer);
        out->cert[out->count++].not_after = unix_of(X509_get0_notAfter(cert));
    }
}

static int on_certificate(SSL *ssl, void *asked)
{
    (void)ssl;
    *(bool *)asked = true;
    return 1;
}

static SSL *new_session(SSL_CTX *ctx, int fd, const char *host, const struct th_tls_probe_way *way,
                        bool *asked)
{
    struct th_tls_fault fault;
    SSL *ssl;

    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL); /* looked at afterwards */
    SSL_CTX_set_cert_cb(ctx, on_certificate, asked);
    (void)SSL_CTX_set_default_verify_paths(ctx);
    if (way->ca_file)
        (void)SSL_CTX_load_verify_locations(ctx, way->ca_file, NULL);
    if (way->identity && th_tls_own_use(ctx, way->identity, &fault))
        return NULL;
    ssl = SSL_new(ctx);
    if (ssl && th_tls_expect_host(ssl, th_str(host)) && SSL_set_fd(ssl, fd) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

/* With TLS 1.3 a server that does not take our certificate says so after the handshake. */
static void await_refusal(SSL *ssl, struct th_tls_probe *out)
{
    struct timeval limit = {.tv_usec = 500000};
    const char *reason;
    char byte;

    (void)setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ERR_clear_error();
    if (SSL_peek(ssl, &byte, 1) > 0)
        return;
    reason = th_tls_reason();
    if (!reason)
        return;
    out->verified = false;
    out->refused = true;
    snprintf(out->error, sizeof out->error, "the server refuses the client certificate: %s", reason);
}

static void shake_hands(SSL *ssl, int64_t began, struct th_tls_probe *out)
{
    long verdict;

    if (SSL_connect(ssl) != 1) {
        const char *reason = th_tls_reason();

        snprintf(out->error, sizeof out->error, "the TLS handshake failed: %s",
                 reason ? reason : "the connection ended, or no answer in time; is this an https address?");
        return;
    }
    out->tls_ms = now_ms() - began;
    snprintf(out->version, sizeof out->version, "%s", SSL_get_version(ssl));
    note_chain(ssl, out);
    verdict = SSL_get_verify_result(ssl);
    out->verified = verdict == X509_V_OK && out->count > 0;
    if (!out->verified)
        snprintf(out->error, sizeof out->error, "certificate: %s", th_tls_verify_text(verdict));
    else if (out->asked)
        await_refusal(ssl, out);
}

bool th_tls_probe(const struct th_addr *addr, bool tls, const char *host, const struct th_tls_probe_way *way,
                  unsigned timeout_ms, struct th_tls_probe *out)
{
    int64_t began = now_ms();
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;

    *out = (struct th_tls_probe){.connect_ms = -1, .tls_ms = -1};
    fd = connect_to(way->proxy ? way->proxy : addr, way->source, timeout_ms, out);
    if (fd < 0)
        return false;
    if (way->proxy && !ask_proxy(fd, addr, way->proxy_credentials, out)) {
        close(fd);
        return false;
    }
    out->connect_ms = now_ms() - began;
    if (!tls) {
        close(fd);
        return true;
    }
    ctx = SSL_CTX_new(TLS_client_method());
    ssl = ctx ? new_session(ctx, fd, host, way, &out->asked) : NULL;
    if (ssl)
        shake_hands(ssl, began, out);
    else
        snprintf(out->error, sizeof out->error,
                 "TLS cannot be set up for this host, or with the endpoint's own certificates");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    close(fd);
    return out->verified;
}
