/* The server's side of TLS over memory: one identity (certificate, key, rules) and its connections.
 *
 * Why over memory and not over the descriptor, as the client does: the HTTP server reads and writes through
 * libuv, whose plain way must stay as it is; here TLS is a filter between its reads and its reader. What
 * comes in is borrowed from the read buffer, so that an idle connection holds no bytes of its own.
 *
 * Refuses: TLS below 1.2, renegotiation, compression, session resumption (no ticket key whose theft opens
 * recorded traffic; API clients keep their connections), keys behind a passphrase (nobody is there to type
 * it), floods of handshake messages after the handshake.
 *
 * Invariants: 1. `in` is borrowed or, after th_tls_peer_keep, `kept`. 2. `out` is bounded by the answer that
 * is written: its owner sends it after every call. 3. A connection keeps its identity alive, so a reload
 * never pulls it away.
 *
 * Failure: every function reports; a failed connection can only be freed. A failed identity leaves the old
 * one. */
#include "net/tls_server.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/ref.h"
#include "net/tls_common.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OUT = 1 << 30 };

struct th_tls_identity {
    struct th_ref refs;
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    bool asked; /* for a passphrase */
};

struct th_tls_peer {
    struct th_tls_identity *id;
    SSL *ssl;
    struct th_span in;
    char *kept; /* own memory of `in`, or NULL */
    struct th_buf out;
    struct th_tls_session session;
};

/* ---- bytes as OpenSSL sees them ---- */

static int bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
    struct th_tls_peer *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (t->in.n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *got = n < t->in.n ? n : t->in.n;
    memcpy(p, t->in.p, *got);
    t->in.p += *got;
    t->in.n -= *got;
    if (t->in.n == 0) {
        th_free(t->kept);
        t->kept = NULL;
    }
    return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *put)
{
    struct th_tls_peer *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    th_buf_add(&t->out, p, n);
    if (t->out.failed)
        return 0;
    *put = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)bio;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

/* ---- identity ---- */

static int no_passphrase(char *to, int size, int writing, void *ctx)
{
    (void)to;
    (void)size;
    (void)writing;
    ((struct th_tls_identity *)ctx)->asked = true;
    return -1;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool configure(struct th_tls_identity *id)
{
    SSL_CTX *ssl = id->ssl;

    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY); /* so that a flood of non-data records comes back to us */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, id);
    SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) && SSL_CTX_set_num_tickets(ssl, 0) &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

/* OpenSSL's text for a file that cannot be opened is poor, so look first. */
static bool readable(const char *path, const char *what, char *why, size_t why_size)
{
    FILE *f = fopen(path, "re");

    if (!f) {
        snprintf(why, why_size, "cannot read the TLS %s %s: %s", what, path, strerror(errno));
        return false;
    }
    fclose(f);
    return true;
}

static void say(const char *path, const char *what, char *why, size_t why_size)
{
    unsigned long first = ERR_peek_error(); /* the last error only says "PEM lib" */
    int code = ERR_GET_REASON(first);
    const char *reason = ERR_reason_error_string(first);

    if (!reason || code == ERR_R_UNSUPPORTED ||
        (ERR_GET_LIB(first) == ERR_LIB_PEM && code == PEM_R_NO_START_LINE))
        reason = "the file has none in PEM form, or a damaged one";
    snprintf(why, why_size, "%s: not a usable TLS %s: %s", path, what, reason);
}

static enum th_error load(struct th_tls_identity *id, const char *cert_file, const char *key_file, char *why,
                          size_t why_size)
{
    if (!readable(cert_file, "certificate", why, why_size) || !readable(key_file, "key", why, why_size))
        return TH_IO;
    if (SSL_CTX_use_certificate_chain_file(id->ssl, cert_file) != 1) {
        say(cert_file, "certificate (PEM, the server's own first, then the intermediate ones)", why,
            why_size);
        return TH_INVALID;
    }
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(id->ssl, key_file, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();

        if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
            snprintf(why, why_size, "%s: the key does not belong to the certificate in %s", key_file,
                     cert_file);
        else if (id->asked)
            snprintf(why, why_size,
                     "%s: the TLS key is protected by a passphrase, which nobody can type at start; "
                     "take one without",
                     key_file);
        else
            say(key_file, "key (PEM, without a passphrase)", why, why_size);
        return TH_INVALID;
    }
    if (SSL_CTX_check_private_key(id->ssl) != 1) {
        snprintf(why, why_size, "%s: the key does not belong to the certificate in %s", key_file, cert_file);
        return TH_INVALID;
    }
    return TH_OK;
}

enum th_error th_tls_identity_open(const char *cert_file, const char *key_file, struct th_tls_identity **out,
                                   char *why, size_t why_size)
{
    struct th_tls_identity *id = th_calloc(1, sizeof *id);
    enum th_error error = TH_NOMEM;

    snprintf(why, why_size, "out of memory");
    if (!id)
        return TH_NOMEM;
    th_ref_init(&id->refs);
    ERR_clear_error();
    id->ssl = SSL_CTX_new(TLS_server_method());
    id->bio = th_tls_bio_method("tenterhook memory", bio_read, bio_write, bio_ctrl);
    if (id->ssl && id->bio && configure(id))
        error = load(id, cert_file, key_file, why, why_size);
    ERR_clear_error();
    if (error) {
        th_tls_identity_unref(id);
        return error;
    }
    *out = id;
    return TH_OK;
}

struct th_tls_identity *th_tls_identity_ref(struct th_tls_identity *id)
{
    th_ref_get(&id->refs);
    return id;
}

void th_tls_identity_unref(struct th_tls_identity *id)
{
    if (!id || !th_ref_put(&id->refs))
        return;
    SSL_CTX_free(id->ssl);
    BIO_meth_free(id->bio);
    th_free(id);
}

static int64_t seconds_to(const ASN1_TIME *then, int64_t now_s)
{
    ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)now_s);
    int days = 0, seconds = 0;

    if (!then || !now || ASN1_TIME_diff(&days, &seconds, now, then) != 1)
        days = seconds = 0;
    ASN1_TIME_free(now);
    ERR_clear_error();
    return (int64_t)days * 86400 + seconds;
}

int64_t th_tls_identity_left_s(const struct th_tls_identity *id, int64_t now_s)
{
    const X509 *cert = SSL_CTX_get0_certificate(id->ssl);

    return seconds_to(cert ? X509_get0_notAfter(cert) : NULL, now_s);
}

int64_t th_tls_identity_begins_s(const struct th_tls_identity *id, int64_t now_s)
{
    const X509 *cert = SSL_CTX_get0_certificate(id->ssl);

    return seconds_to(cert ? X509_get0_notBefore(cert) : NULL, now_s);
}

/* ---- one connection ---- */

struct th_tls_peer *th_tls_peer_new(struct th_tls_identity *id)
{
    struct th_tls_peer *p = th_calloc(1, sizeof *p);
    BIO *bio;

    if (!p)
        return NULL;
    th_buf_init(&p->out, MAX_OUT);
    p->ssl = SSL_new(id->ssl);
    bio = p->ssl ? BIO_new(id->bio) : NULL;
    if (!bio) {
        ERR_clear_error();
        SSL_free(p->ssl);
        th_free(p);
        return NULL;
    }
    p->id = th_tls_identity_ref(id);
    BIO_set_data(bio, p);
    SSL_set_bio(p->ssl, bio, bio);
    th_tls_session_watch(p->ssl, &p->session);
    SSL_set_accept_state(p->ssl);
    return p;
}

void th_tls_peer_feed(struct th_tls_peer *p, const char *bytes, size_t n)
{
    p->in = th_span(bytes, n);
}

bool th_tls_peer_pending(const struct th_tls_peer *p)
{
    return p->in.n > 0 || SSL_pending(p->ssl) > 0;
}

bool th_tls_peer_keep(struct th_tls_peer *p)
{
    char *copy;

    if (p->in.n == 0 || p->kept)
        return true;
    copy = th_malloc(p->in.n);
    if (copy)
        memcpy(copy, p->in.p, p->in.n);
    p->kept = copy;
    p->in = th_span(copy ? copy : "", copy ? p->in.n : 0);
    return copy != NULL;
}

static enum th_tls_io outcome(struct th_tls_peer *p, int result)
{
    switch (SSL_get_error(p->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TH_TLS_WANT_READ;
    case SSL_ERROR_ZERO_RETURN:
        if (p->session.state != TH_TLS_SHAKING)
            return TH_TLS_EOF;
        break;
    default:
        break;
    }
    th_tls_session_enter(&p->session, TH_TLS_BROKEN);
    return TH_TLS_FAILED;
}

enum th_tls_io th_tls_peer_handshake(struct th_tls_peer *p)
{
    enum th_tls_io io = TH_TLS_OK;
    int r;

    ERR_clear_error();
    TH_CHECK(p->session.state == TH_TLS_SHAKING);
    r = SSL_do_handshake(p->ssl);
    if (r == 1)
        th_tls_session_enter(&p->session, TH_TLS_UP);
    else
        io = outcome(p, r);
    ERR_clear_error();
    return io;
}

bool th_tls_peer_is_up(const struct th_tls_peer *p)
{
    return p->session.state == TH_TLS_UP || p->session.state == TH_TLS_ENDED;
}

enum th_tls_io th_tls_peer_read(struct th_tls_peer *p, char *to, size_t n, size_t *got)
{
    for (;;) {
        enum th_tls_io io;
        int r;

        ERR_clear_error();
        *got = 0;
        r = SSL_read_ex(p->ssl, to, n, got);
        if (th_tls_session_is_flooded(&p->session)) {
            *got = 0;
            th_tls_session_enter(&p->session, TH_TLS_BROKEN);
            ERR_clear_error();
            return TH_TLS_FAILED;
        }
        if (r == 1)
            return TH_TLS_OK;
        *got = 0;
        io = outcome(p, r);
        ERR_clear_error();
        /* a record without data was consumed; each one shortens `in`, which bounds this loop */
        if (io != TH_TLS_WANT_READ || p->in.n == 0)
            return io;
    }
}

bool th_tls_peer_write(struct th_tls_peer *p, struct th_span plain)
{
    size_t put = 0;

    if (plain.n == 0)
        return true;
    ERR_clear_error();
    if (p->session.state != TH_TLS_UP ||
        SSL_write_ex(p->ssl, plain.p, plain.n, &put) != 1) { /* whole: partial writes are off */
        th_tls_session_enter(&p->session, TH_TLS_BROKEN);
        ERR_clear_error();
        return false;
    }
    return true;
}

void th_tls_peer_bye(struct th_tls_peer *p)
{
    ERR_clear_error();
    if (p->session.state == TH_TLS_UP) {
        (void)SSL_shutdown(p->ssl);
        th_tls_session_enter(&p->session, TH_TLS_ENDED);
    }
    ERR_clear_error();
}

struct th_span th_tls_peer_out(const struct th_tls_peer *p)
{
    return p->out.failed ? th_span("", 0) : th_span(p->out.p ? p->out.p : "", p->out.n);
}

void th_tls_peer_sent(struct th_tls_peer *p)
{
    th_buf_fini(&p->out);
    th_buf_init(&p->out, MAX_OUT);
}

void th_tls_peer_free(struct th_tls_peer *p)
{
    if (!p)
        return;
    SSL_free(p->ssl);
    ERR_clear_error();
    th_buf_fini(&p->out);
    th_free(p->kept);
    th_tls_identity_unref(p->id);
    th_free(p);
}
