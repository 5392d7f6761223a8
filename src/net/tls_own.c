/* Authorities and client certificates of endpoints' own.
 *
 * Why checked by putting them into a context: OpenSSL's own rules (a key that is too short, an algorithm that it does not take) then
 * count when somebody sets them, and not at the first delivery.
 *
 * Refuses: keys with a passphrase, for there is nobody to ask for it; text without any certificate. With authorities of its own an
 * endpoint trusts no others. */
#include "net/tls_own.h"
#include "net/tls_common.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

static enum th_error refuse(struct th_tls_fault *f, const char *member, const char *what)
{
    const char *reason = th_tls_reason();

    f->member = member;
    snprintf(f->what, sizeof f->what, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return TH_INVALID;
}

static BIO *open_text(struct th_span pem)
{
    return pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
}

static int no_passphrase(char *room, int size, int writing, void *ctx)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* The next certificate; NULL at the end, and where one cannot be read: then *bad. */
static X509 *next_certificate(BIO *in, bool *bad)
{
    X509 *x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);

    *bad = !x && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    if (!x && !*bad)
        ERR_clear_error();
    return x;
}

/* Calls each() with the certificates, numbered from 0. */
static enum th_error read_all(SSL_CTX *ssl, struct th_span pem, const char *member,
                              bool (*each)(SSL_CTX *ssl, X509 *x, unsigned i), struct th_tls_fault *f)
{
    BIO *in = open_text(pem);
    unsigned n = 0;
    bool bad = false, taken = true;
    char text[96];
    X509 *x;

    if (!in)
        return TH_NOMEM;
    while (taken && (x = next_certificate(in, &bad))) {
        taken = each(ssl, x, n);
        n += taken;
        X509_free(x);
    }
    BIO_free(in);
    if (!bad && taken && n)
        return TH_OK;
    if (!n && !bad && taken)
        return refuse(f, member, "has no certificate in PEM (-----BEGIN CERTIFICATE-----)");
    snprintf(text, sizeof text, "its certificate no. %u %s", n + 1,
             taken ? "cannot be read" : "cannot be used");
    return refuse(f, member, text);
}

static bool trust(SSL_CTX *ssl, X509 *x, unsigned i)
{
    (void)i;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), x) == 1;
}

static bool show(SSL_CTX *ssl, X509 *x, unsigned i)
{
    return (i ? SSL_CTX_add1_chain_cert(ssl, x) : SSL_CTX_use_certificate(ssl, x)) == 1;
}

static enum th_error use_key(SSL_CTX *ssl, struct th_span pem, struct th_tls_fault *f)
{
    BIO *in = open_text(pem);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    enum th_error error = TH_OK;

    if (!in)
        return TH_NOMEM;
    BIO_free(in);
    if (!key) {
        bool locked = pem.n && (memmem(pem.p, pem.n, "ENCRYPTED", 9) != NULL);

        ERR_clear_error();
        return refuse(f, "key",
                      locked ? "has a passphrase; give it without one, it is kept encrypted here"
                             : "is no private key in PEM (-----BEGIN PRIVATE KEY-----)");
    }
    if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
        ERR_clear_error();
        error = refuse(f, "key", "does not belong to the certificate, the first one of tls.certificate");
    } else if (SSL_CTX_use_PrivateKey(ssl, key) != 1) {
        error = refuse(f, "key", "cannot be used");
    }
    EVP_PKEY_free(key);
    return error;
}

enum th_error th_tls_own_use(SSL_CTX *ssl, const struct th_client_tls *identity, struct th_tls_fault *fault)
{
    enum th_error error = TH_OK;

    ERR_clear_error();
    if (identity->ca.n)
        error = read_all(ssl, identity->ca, "ca", trust, fault);
    if (!error && identity->ca.n) /* an intermediate authority, or the server's own certificate, is enough */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (!error && identity->certificate.n)
        error = read_all(ssl, identity->certificate, "certificate", show, fault);
    if (!error && identity->certificate.n)
        error = use_key(ssl, identity->key, fault);
    return error;
}

static int64_t end_of(const X509 *x)
{
    struct tm tm;

    return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

static enum th_error look(const X509 *x, int64_t now_ms, struct th_tls_facts *facts, struct th_tls_fault *f)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long n;

    if (!out)
        return TH_NOMEM;
    facts->expires_ms = end_of(x);
    X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    n = BIO_get_mem_data(out, &text);
    snprintf(facts->subject, sizeof facts->subject, "%.*s", (int)(n < 255 ? n : 255), n > 0 ? text : "");
    BIO_free(out);
    if (facts->expires_ms <= now_ms) {
        ERR_clear_error();
        return refuse(f, "certificate", "has expired");
    }
    return TH_OK;
}

enum th_error th_tls_own_check(const struct th_client_tls *identity, int64_t now_ms,
                               struct th_tls_facts *facts, struct th_tls_fault *fault)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    enum th_error error;

    *facts = (struct th_tls_facts){.expires_ms = 0};
    if (!ssl)
        return TH_NOMEM;
    error = th_tls_own_use(ssl, identity, fault);
    if (!error && identity->certificate.n)
        error = look(SSL_CTX_get0_certificate(ssl), now_ms, facts, fault);
    SSL_CTX_free(ssl);
    return error;
}
