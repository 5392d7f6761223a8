/* Looks at a TLS server once: its certificates and what is wrong with them. For people who ask why a
 * handshake fails; deliveries go through net/tls.h, which never accepts what this reports as wrong. */
#ifndef TH_NET_TLS_PROBE_H
#define TH_NET_TLS_PROBE_H
#include "port/transport.h"

#define TH_PROBE_CERTS 8
struct th_tls_probe {
    int64_t connect_ms, tls_ms; /* -1: the probe did not get that far */
    char error[200];            /* English; empty: all is well */
    char version[16];           /* "TLSv1.3" */
    unsigned count;             /* certificates that the server sent, its own first */
    struct {
        char subject[200], issuer[200];
        int64_t not_after; /* unix seconds */
    } cert[TH_PROBE_CERTS];
    bool verified; /* chain and host name are right */
};
/** Connects to `addr` (with its port) and, with `tls`, makes the handshake for `host`. Blocks for at most
 * timeout_ms for each of the two. Trusts the system's authorities and those in ca_file (may be NULL). True
 * when it has connected and, with `tls`, the certificate is right. */
bool th_tls_probe(const struct th_addr *addr, bool tls, const char *host, const char *ca_file,
                  unsigned timeout_ms, struct th_tls_probe *out);
#endif
