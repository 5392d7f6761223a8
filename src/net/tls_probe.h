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
    bool asked;    /* the server wants a client certificate */
    bool refused;  /* and has refused ours, or that there is none */
};
/** How the endpoint is reached; zero: as any. */
struct th_tls_probe_way {
    const char *ca_file;                  /* trusted beside the system's authorities; NULL: none */
    const struct th_client_tls *identity; /* of the endpoint's own, in place of those; NULL: none */
    const struct th_addr *source;         /* of this machine; NULL: any */
    const struct th_addr *proxy;          /* asked with CONNECT for `addr`; NULL: none */
    const char *proxy_credentials;        /* USER:PASSWORD; NULL: none */
};
/** Connects to `addr` (with its port) and, with `tls`, makes the handshake for `host`. Blocks for at most
 * timeout_ms for each of the two. True when it has connected and, with `tls`, the certificate is right and ours is not refused. */
bool th_tls_probe(const struct th_addr *addr, bool tls, const char *host, const struct th_tls_probe_way *way,
                  unsigned timeout_ms, struct th_tls_probe *out);
#endif
