/* TLS client over sockets.
 *
 * Why: deliveries carry customers' data; they go only to a peer that proves the name (or address) in the URL.
 * There is no switch to turn verification off.
 *
 * Refuses: TLS below 1.2, renegotiation, compression, a peer that
 * floods us with handshake messages after the handshake.
 *
 * Invariants:
 *  1. A session is remembered only after a verified handshake, under the caller's key, and offered only under
 * an equal key: a resumed session skips the certificate, so the key must contain the verified name.
 *  2. A TLS 1.3 ticket is offered once (RFC 8446, appendix C.4). At most MAX_SESSIONS are kept, oldest
 * dropped first.
 *  3. The socket is the caller's: never closed here. Sends never raise SIGPIPE.
 *
 * Failure: every function reports; after FAILED the object only knows its error text. */
#include "net/tls.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "net/tls_common.h"
#include "net/tls_own.h"
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { MAX_IDENTITIES = 256 }; /* contexts of endpoints' own that are kept; each takes about 30 KiB */
enum { MAX_SESSIONS = 2048, MAX_PER_KEY = 4, MAX_KEY = 300, SESSION_SECONDS = 3600 };

struct session_set {     /* sessions of one key, newest last */
    struct th_list link; /* th_tls_ctx.sets, least recently stored first */
    SSL_SESSION *v[MAX_PER_KEY];
    unsigned n;
    size_t key_n;
    char key[MAX_KEY];
};

/* OpenSSL's context of one identity; connections hold it, so it can leave at any time. */
struct identity {
    struct th_list link; /* th_tls_ctx.identities, least recently used first */
    uint8_t id[16];
    SSL_CTX *ssl;
};

struct th_tls_ctx {
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    struct th_smap by_id; /* id → struct identity */
    struct th_list identities;
    struct th_smap sessions; /* key → struct session_set */
    struct th_list sets;
};

struct th_tls {
    struct th_tls_ctx *ctx;
    SSL *ssl;
    int fd;
    uint64_t put; /* bytes given to the socket */
    int os_error; /* of the last failed system call */
    enum th_tls_certificate certificate;
    bool alerted;     /* by the peer */
    bool would_block; /* the socket had no more bytes, or no room */
    bool eof;
    struct th_tls_session session;
    size_t key_n;
    char key[MAX_KEY];
    char error[160];
};

/* --- sessions --- */

static void set_free(struct th_tls_ctx *ctx, struct session_set *set)
{
    for (unsigned i = 0; i < set->n; i++)
        SSL_SESSION_free(set->v[i]);
    th_smap_del(&ctx->sessions, th_span(set->key, set->key_n));
    th_list_remove(&set->link);
    th_free(set);
}

static struct session_set *set_get(struct th_tls_ctx *ctx, struct th_span key)
{
    struct session_set *set = th_smap_get(&ctx->sessions, key);

    if (set) {
        th_list_remove(&set->link);
        th_list_append(&ctx->sets, &set->link);
        return set;
    }
    if (ctx->sessions.n >= MAX_SESSIONS / MAX_PER_KEY)
        set_free(ctx, TH_CONTAINER(ctx->sets.next, struct session_set, link));
    set = th_calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->key_n = key.n;
    memcpy(set->key, key.p, key.n);
    if (th_smap_put(&ctx->sessions, th_span(set->key, set->key_n), set) != TH_OK) {
        th_free(set);
        return NULL;
    }
    th_list_append(&ctx->sets, &set->link);
    return set;
}

/* OpenSSL gives us a session (for 1.3: a ticket). 1: we keep the reference. */
static int session_new(SSL *ssl, SSL_SESSION *session)
{
    struct th_tls *t = SSL_get_app_data(ssl);
    struct session_set *set;

    if (SSL_get_verify_result(ssl) != X509_V_OK || !SSL_SESSION_is_resumable(session))
        return 0;
    set = set_get(t->ctx, th_span(t->key, t->key_n));
    if (!set)
        return 0;
    if (set->n == MAX_PER_KEY) {
        SSL_SESSION_free(set->v[0]);
        memmove(set->v, set->v + 1, (MAX_PER_KEY - 1) * sizeof set->v[0]);
        set->n--;
    }
    set->v[set->n++] = session;
    return 1;
}

static bool session_is_fresh(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L /* where the other one is deprecated */
    time_t made = SSL_SESSION_get_time_ex(session);
#else
    time_t made = (time_t)SSL_SESSION_get_time(session);
#endif
    return time(NULL) - made < SESSION_SECONDS;
}

static void session_offer(struct th_tls *t)
{
    struct session_set *set = th_smap_get(&t->ctx->sessions, th_span(t->key, t->key_n));
    SSL_SESSION *session;

    if (!set)
        return;
    session = set->v[set->n - 1];
    if (session_is_fresh(session))
        SSL_set_session(t->ssl, session);
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION || !session_is_fresh(session)) {
        SSL_SESSION_free(session);
        if (--set->n == 0)
            set_free(t->ctx, set);
    }
}

/* --- the socket as OpenSSL sees it --- */

static int bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
    struct th_tls *t = BIO_get_data(bio);
    ssize_t r;

    BIO_clear_retry_flags(bio);
    do
        r = recv(t->fd, p, n, 0);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        *got = (size_t)r;
        return 1;
    }
    if (r == 0) {
        t->eof = true;
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    } else if (errno == EAGAIN) {
        t->would_block = true;
        BIO_set_retry_read(bio);
    } else {
        t->os_error = errno;
    }
    return 0;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *put)
{
    struct th_tls *t = BIO_get_data(bio);
    ssize_t r;

    BIO_clear_retry_flags(bio);
    do
        r = send(t->fd, p, n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        *put = (size_t)r;
        t->put += (size_t)r;
        return 1;
    }
    if (r < 0 && errno == EAGAIN) {
        t->would_block = true;
        BIO_set_retry_write(bio);
    } else {
        t->os_error = errno;
    }
    return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)number;
    (void)p;
    if (command == BIO_CTRL_EOF)
        return ((struct th_tls *)BIO_get_data(bio))->eof;
    return command == BIO_CTRL_FLUSH;
}

/* --- context --- */

/* Called when the server asks for a certificate: there is none. */
static int on_certificate_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct th_tls *t = SSL_get_app_data(ssl);

    (void)certificate;
    (void)key;
    t->certificate = TH_TLS_ASKED;
    return 0;
}

/* Called when the server asks, where there is one. */
static int on_certificate_wanted(SSL *ssl, void *arg)
{
    struct th_tls *t = SSL_get_app_data(ssl);

    (void)arg;
    t->certificate = TH_TLS_GIVEN;
    return 1;
}

static bool configure(SSL_CTX *ssl)
{
    static const unsigned char alpn[] = "\x08http/1.1";

    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    /* Many servers drop the connection without the closing alert. That is reported (TH_TLS_CUT) but is no
     * error by itself, because the framing of most answers says whether something is missing. */
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY); /* so that a flood of non-data records comes back to us */
    SSL_CTX_set_read_ahead(ssl, 1);               /* one recv for a record's header and body */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_client_cert_cb(ssl,
                               on_certificate_asked); /* not called where there is one that can be used */
    SSL_CTX_sess_set_new_cb(ssl, session_new);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) &&
           SSL_CTX_set_alpn_protos(ssl, alpn, sizeof alpn - 1) == 0;
}

/* Whether the system's folder has its authorities under the hashes of their names, as c_rehash and update-ca-certificates make them. */
static bool has_hashed_authorities(void)
{
    const char *named = secure_getenv(X509_get_default_cert_dir_env());
    DIR *folder = opendir(named ? named : X509_get_default_cert_dir());
    const struct dirent *entry;
    bool found = false;

    while (folder && !found && (entry = readdir(folder)))
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && strcmp(entry->d_name + 8, ".0") == 0;
    if (folder)
        closedir(folder);
    return found;
}

/* The system's. Where it can find one by name, each is read when a certificate needs it: all of them take a MiB of memory, and a third of
 * the time of a start. */
static bool trust_system(SSL_CTX *ssl)
{
    if (!secure_getenv(X509_get_default_cert_file_env()) && has_hashed_authorities())
        return SSL_CTX_set_default_verify_dir(ssl);
    return SSL_CTX_set_default_verify_paths(ssl);
}

/* False, with the reason, when they cannot be read. */
static bool read_authorities(SSL_CTX *ssl, const char *ca_file, char *why, size_t why_size)
{
    if (!trust_system(ssl)) {
        snprintf(why, why_size, "cannot read the system's certificate authorities");
        return false;
    }
    if (ca_file && !SSL_CTX_load_verify_file(ssl, ca_file)) {
        const char *reason = th_tls_reason();

        snprintf(why, why_size, "cannot read certificate authorities from %s: %s", ca_file,
                 reason ? reason : "no certificate found");
        return false;
    }
    return true;
}

/* --- identities --- */

static void identity_free(struct th_tls_ctx *ctx, struct identity *own)
{
    th_smap_del(&ctx->by_id, th_span(own->id, sizeof own->id));
    th_list_remove(&own->link);
    SSL_CTX_free(own->ssl);
    th_free(own);
}

static SSL_CTX *identity_make(struct th_tls_ctx *ctx, const struct th_client_tls *identity)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    struct th_tls_fault fault;

    if (!ssl || !configure(ssl) || th_tls_own_use(ssl, identity, &fault)) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    if (!identity->ca.n)
        SSL_CTX_set1_cert_store(ssl, SSL_CTX_get_cert_store(ctx->ssl));
    if (identity->certificate.n)
        SSL_CTX_set_cert_cb(ssl, on_certificate_wanted, NULL);
    return ssl;
}

/* NULL: no memory, or it cannot be used. */
static SSL_CTX *identity_get(struct th_tls_ctx *ctx, const struct th_client_tls *identity)
{
    struct identity *own = th_smap_get(&ctx->by_id, th_span(identity->id, sizeof identity->id));

    if (own) {
        th_list_remove(&own->link);
        th_list_append(&ctx->identities, &own->link);
        return own->ssl;
    }
    if (ctx->by_id.n >= MAX_IDENTITIES)
        identity_free(ctx, TH_CONTAINER(ctx->identities.next, struct identity, link));
    own = th_calloc(1, sizeof *own);
    if (!own)
        return NULL;
    memcpy(own->id, identity->id, sizeof own->id);
    th_list_init(&own->link);
    own->ssl = identity_make(ctx, identity);
    if (!own->ssl || th_smap_put(&ctx->by_id, th_span(own->id, sizeof own->id), own)) {
        SSL_CTX_free(own->ssl);
        th_free(own);
        return NULL;
    }
    th_list_append(&ctx->identities, &own->link);
    return own->ssl;
}

enum th_error th_tls_ctx_open(const char *ca_file, const struct th_tls_ctx *like, struct th_tls_ctx **out,
                              char *why, size_t why_size)
{
    struct th_tls_ctx *ctx = th_calloc(1, sizeof *ctx);
    uint64_t seed = 0;
    enum th_error e = TH_NOMEM;

    snprintf(why, why_size, "out of memory");
    if (!ctx)
        return TH_NOMEM;
    th_list_init(&ctx->sets);
    th_list_init(&ctx->identities);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        snprintf(why, why_size, "no randomness from the system");
        e = TH_IO;
        goto err;
    }
    th_smap_init(&ctx->sessions, MAX_SESSIONS, seed);
    th_smap_init(&ctx->by_id, MAX_IDENTITIES, seed);
    ctx->ssl = SSL_CTX_new(TLS_client_method());
    ctx->bio = th_tls_bio_method("tenterhook socket", bio_read, bio_write, bio_ctrl);
    if (!ctx->ssl || !ctx->bio || !configure(ctx->ssl))
        goto err;
    e = TH_IO;
    if (like) /* OpenSSL counts and locks it */
        SSL_CTX_set1_cert_store(ctx->ssl, SSL_CTX_get_cert_store(like->ssl));
    else if (!read_authorities(ctx->ssl, ca_file, why, why_size))
        goto err;
    ERR_clear_error();
    if (why_size)
        why[0] = 0;
    *out = ctx;
    return TH_OK;
err:
    ERR_clear_error();
    th_tls_ctx_close(ctx);
    return e;
}

void th_tls_ctx_close(struct th_tls_ctx *ctx)
{
    if (!ctx)
        return;
    while (!th_list_empty(&ctx->sets))
        set_free(ctx, TH_CONTAINER(ctx->sets.next, struct session_set, link));
    while (!th_list_empty(&ctx->identities))
        identity_free(ctx, TH_CONTAINER(ctx->identities.next, struct identity, link));
    th_smap_fini(&ctx->by_id);
    th_smap_fini(&ctx->sessions);
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    th_free(ctx);
}

/* --- one connection --- */

struct th_tls *th_tls_new(struct th_tls_ctx *ctx, int fd, struct th_span host,
                          const struct th_client_tls *identity, struct th_span session_key)
{
    SSL_CTX *ssl = identity ? identity_get(ctx, identity) : ctx->ssl;
    struct th_tls *t;
    BIO *bio;

    if (!ssl || session_key.n > MAX_KEY) {
        ERR_clear_error();
        return NULL;
    }
    t = th_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->ctx = ctx;
    t->fd = fd;
    t->key_n = session_key.n;
    memcpy(t->key, session_key.p, session_key.n);
    t->ssl = SSL_new(ssl);
    bio = t->ssl ? BIO_new(ctx->bio) : NULL;
    if (!bio)
        goto err;
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    th_tls_session_watch(t->ssl, &t->session);
    SSL_set_connect_state(t->ssl);
    if (!th_tls_expect_host(t->ssl, host))
        goto err;
    session_offer(t);
    return t;
err:
    ERR_clear_error();
    SSL_free(t->ssl);
    th_free(t);
    return NULL;
}

/* Servers refuse a client without a certificate with one of these: TLS 1.3 has its own alert (RFC 8446 section 6.2), which
 * comes after the handshake, TLS 1.2 mostly handshake_failure (RFC 5246 section 7.4.6). */
static void note_alert(struct th_tls *t)
{
    unsigned long code = ERR_peek_last_error();
    int alert = code && ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : -1;

    t->alerted = alert >= 0 && alert <= 255;
    if ((alert == SSL_AD_CERTIFICATE_REQUIRED && t->certificate != TH_TLS_GIVEN) ||
        (t->certificate == TH_TLS_ASKED &&
         (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_NO_CERTIFICATE ||
          alert == SSL_AD_BAD_CERTIFICATE || alert == SSL_AD_CERTIFICATE_UNKNOWN ||
          alert == SSL_AD_ACCESS_DENIED || alert == SSL_AD_UNKNOWN_CA)))
        t->certificate = TH_TLS_REQUIRED;
    else if (t->certificate == TH_TLS_GIVEN &&
             (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_BAD_CERTIFICATE ||
              alert == SSL_AD_UNSUPPORTED_CERTIFICATE || alert == SSL_AD_CERTIFICATE_REVOKED ||
              alert == SSL_AD_CERTIFICATE_EXPIRED || alert == SSL_AD_CERTIFICATE_UNKNOWN ||
              alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED || alert == SSL_AD_DECRYPT_ERROR ||
              alert == SSL_AD_CERTIFICATE_REQUIRED))
        t->certificate = TH_TLS_REFUSED;
}

static void describe(struct th_tls *t)
{
    long verify = SSL_get_verify_result(t->ssl);
    const char *reason = th_tls_reason();

    note_alert(t);
    if (t->certificate == TH_TLS_REQUIRED)
        snprintf(t->error, sizeof t->error, "TLS: the server requires a client certificate");
    else if (t->certificate == TH_TLS_REFUSED)
        snprintf(t->error, sizeof t->error, "TLS: the server does not accept the client certificate (%s)",
                 reason ? reason : "no reason given");
    else if (verify != X509_V_OK && t->session.state == TH_TLS_SHAKING)
        snprintf(t->error, sizeof t->error, "certificate: %s", th_tls_verify_text(verify));
    else if (t->os_error)
        snprintf(t->error, sizeof t->error, "TLS: %s",
                 t->os_error == ECONNRESET || t->os_error == EPIPE ? "connection reset by the server"
                                                                   : "connection failed");
    else if (t->eof && t->session.state == TH_TLS_SHAKING)
        snprintf(t->error, sizeof t->error, "TLS: the server closed the connection during the handshake");
    else
        snprintf(t->error, sizeof t->error, "TLS: %s", reason ? reason : "connection failed");
}

static enum th_tls_io outcome(struct th_tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TH_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TH_TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        if (t->session.state !=
            TH_TLS_SHAKING) /* t->eof: OpenSSL asked the socket for more before it had seen a closing alert */
            return t->eof ? TH_TLS_CUT : TH_TLS_EOF;
        t->eof = true;
        break;
    default:
        break;
    }
    describe(t);
    th_tls_session_enter(&t->session, TH_TLS_BROKEN);
    return TH_TLS_FAILED;
}

enum th_tls_io th_tls_handshake(struct th_tls *t)
{
    int r;

    TH_CHECK(t->session.state == TH_TLS_SHAKING);
    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r != 1)
        return outcome(t, r);
    th_tls_session_enter(&t->session, TH_TLS_UP);
    return TH_TLS_OK;
}

enum th_tls_io th_tls_read(struct th_tls *t, char *p, size_t n, size_t *got)
{
    enum th_tls_io io;

    TH_CHECK(t->session.state != TH_TLS_SHAKING);
    for (;;) {
        ERR_clear_error();
        t->would_block = false;
        *got = 0;
        int r = SSL_read_ex(t->ssl, p, n, got);

        if (th_tls_session_is_flooded(&t->session)) {
            *got = 0;
            snprintf(t->error, sizeof t->error, "TLS: too many handshake messages after the handshake");
            th_tls_session_enter(&t->session, TH_TLS_BROKEN);
            return TH_TLS_FAILED;
        }
        if (r == 1)
            return TH_TLS_OK;
        *got = 0;
        io = outcome(t, r);
        /* A record without data was consumed and more may sit in OpenSSL's buffer, which no poll would
         * report. The count of messages bounds this loop. */
        if (io != TH_TLS_WANT_READ || t->would_block)
            return io;
    }
}

enum th_tls_io th_tls_write(struct th_tls *t, const char *p, size_t n, size_t *put)
{
    int r;

    TH_CHECK(t->session.state == TH_TLS_UP);
    ERR_clear_error();
    *put = 0;
    r = SSL_write_ex(t->ssl, p, n, put);
    return r == 1 ? TH_TLS_OK : outcome(t, r);
}

uint64_t th_tls_put(const struct th_tls *t)
{
    return t->put;
}

bool th_tls_quiet(struct th_tls *t)
{
    char byte;
    size_t got;

    return !SSL_has_pending(t->ssl) || th_tls_read(t, &byte, 1, &got) == TH_TLS_WANT_READ;
}

enum th_tls_certificate th_tls_certificate(const struct th_tls *t)
{
    return t->certificate;
}

bool th_tls_alerted(const struct th_tls *t)
{
    return t->alerted;
}

const char *th_tls_error(const struct th_tls *t)
{
    return t->error[0] ? t->error : "TLS: connection failed";
}

void th_tls_free(struct th_tls *t, bool clean)
{
    if (!t)
        return;
    ERR_clear_error();
    if (clean && t->session.state == TH_TLS_UP)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
    SSL_free(t->ssl);
    th_free(t);
}
