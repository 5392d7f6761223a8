/* Certificate authorities that are read once, for the clients of several threads. */
#include "net/tls.h"
#include "net/tls_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 4

static char cert_file[] = "/tmp/net_tls_like.XXXXXX", key_file[] = "/tmp/net_tls_like.XXXXXX", why[400];
static struct th_tls_identity *identity;

/* A certificate for 127.0.0.1 that is its own authority. */
static int setup(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    FILE *cert = fdopen(mkstemp(cert_file), "w"), *secret = fdopen(mkstemp(key_file), "w");
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");

    (void)state;
    assert_true(key && x && cert && secret && name);
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                                (const unsigned char *)"test", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
    assert_int_equal(X509_add_ext(x, name, -1), 1);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(cert, x), 1);
    assert_int_equal(PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert);
    fclose(secret);
    X509_EXTENSION_free(name);
    X509_free(x);
    EVP_PKEY_free(key);
    assert_int_equal(th_tls_identity_open(cert_file, key_file, &identity, why, sizeof why), TH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    th_tls_identity_unref(identity);
    unlink(cert_file);
    unlink(key_file);
    return 0;
}

/* A handshake over a pair of sockets; true when the client has verified the server. */
static bool verifies(struct th_tls_ctx *ctx)
{
    struct th_tls_peer *server = th_tls_peer_new(identity);
    enum th_tls_io io = TH_TLS_WANT_READ;
    struct th_tls *client;
    int pair[2];
    char bytes[16384];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    client = th_tls_new(ctx, pair[0], th_str("127.0.0.1"), NULL, th_str("key"));
    assert_true(server && client);
    for (int i = 0; i < 20 && (io == TH_TLS_WANT_READ || io == TH_TLS_WANT_WRITE); i++) {
        struct th_span out;
        ssize_t n;

        io = th_tls_handshake(client);
        n = recv(pair[1], bytes, sizeof bytes, 0);
        if (n > 0)
            th_tls_peer_feed(server, bytes, (size_t)n);
        if (!th_tls_peer_is_up(server))
            (void)th_tls_peer_handshake(server);
        out = th_tls_peer_out(server);
        if (out.n)
            (void)send(pair[1], out.p, out.n, MSG_NOSIGNAL);
        th_tls_peer_sent(server);
    }
    th_tls_free(client, false);
    th_tls_peer_free(server);
    close(pair[0]);
    close(pair[1]);
    return io == TH_TLS_OK;
}

static void the_others_authorities_hold(void **state)
{
    struct th_tls_ctx *first, *like, *without;

    (void)state;
    assert_int_equal(th_tls_ctx_open(cert_file, NULL, &first, why, sizeof why), TH_OK);
    assert_int_equal(th_tls_ctx_open(NULL, first, &like, why, sizeof why), TH_OK);
    assert_int_equal(th_tls_ctx_open(NULL, NULL, &without, why, sizeof why), TH_OK);
    assert_true(verifies(first));
    assert_true(verifies(like));
    assert_false(verifies(without));
    th_tls_ctx_close(first);
    assert_true(verifies(like));
    th_tls_ctx_close(like);
    th_tls_ctx_close(without);
}

struct verifier {
    pthread_t thread;
    struct th_tls_ctx *ctx;
    unsigned good;
};

static void *verify(void *arg)
{
    struct verifier *v = arg;

    for (unsigned i = 0; i < 30; i++)
        v->good += verifies(v->ctx);
    return NULL;
}

static void by_threads_at_the_same_time(void **state)
{
    struct verifier v[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        v[i] = (struct verifier){0};
        assert_int_equal(th_tls_ctx_open(cert_file, i ? v[0].ctx : NULL, &v[i].ctx, why, sizeof why), TH_OK);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&v[i].thread, NULL, verify, &v[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(v[i].thread, NULL), 0);
        assert_int_equal(v[i].good, 30);
        th_tls_ctx_close(v[i].ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_others_authorities_hold),
                                       cmocka_unit_test(by_threads_at_the_same_time)};

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
