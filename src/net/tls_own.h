/* Authorities and client certificates of endpoints' own: read, checked, and put into OpenSSL's contexts. Private to net and, for the
 * check, to api. */
#ifndef TH_NET_TLS_OWN_H
#define TH_NET_TLS_OWN_H
#include "base/error.h"
#include "port/transport.h"

struct ssl_ctx_st;

struct th_tls_fault {
    const char *member; /* "ca", "certificate", "key" */
    char what[192];     /* English, what it is or must be */
};

/** What a certificate says of itself. */
struct th_tls_facts {
    int64_t expires_ms; /* wall; 0: there is no certificate */
    char subject[256];  /* RFC 2253, UTF-8 */
};

/** Puts them into a context. TH_INVALID: *fault; TH_NOMEM. */
TH_MUST_USE enum th_error th_tls_own_use(struct ssl_ctx_st *ssl, const struct th_client_tls *identity,
                                         struct th_tls_fault *fault);
/** Whether it can be used: all of it can be read, the key belongs to the certificate, and that has not ended at `now_ms` (wall).
 * TH_INVALID: *fault; TH_NOMEM. */
TH_MUST_USE enum th_error th_tls_own_check(const struct th_client_tls *identity, int64_t now_ms,
                                           struct th_tls_facts *facts, struct th_tls_fault *fault);
#endif
