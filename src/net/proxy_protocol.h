/* The PROXY protocol of HAProxy, versions 1 and 2: who connected to the proxy in front of us. */
#ifndef TH_NET_PROXY_PROTOCOL_H
#define TH_NET_PROXY_PROTOCOL_H
#include "base/span.h"
#include "port/transport.h"

#define TH_PROXY_MAX 4096 /* bytes of a header, additions included */

enum th_proxy_result {
    TH_PROXY_NONE,  /* the connection does not begin with a header */
    TH_PROXY_MORE,  /* it may; more bytes are needed */
    TH_PROXY_LOCAL, /* a header that names nobody: the proxy speaks for itself, or does not know */
    TH_PROXY_NAMED, /* *from is set */
    TH_PROXY_BAD,
};

/** Reads the header at the beginning of a connection, p[0..n). LOCAL, NAMED: *used bytes belong to it. */
enum th_proxy_result th_proxy_read(const char *p, size_t n, size_t *used, struct th_addr *from);
#endif
