/* What a forward proxy is asked (RFC 9110 section 9.3.6). */
#ifndef TH_NET_PROXY_ASK_H
#define TH_NET_PROXY_ASK_H
#include "base/buf.h"
#include "port/transport.h"

/** Appends the field line that shows who asks. credentials: USER:PASSWORD. */
void th_proxy_ask_credentials(struct th_buf *out, const char *credentials);
/** Appends the request for a connection to an address with its port. fields: more field lines, each with CRLF. */
void th_proxy_ask_connect(struct th_buf *out, const struct th_addr *to, struct th_span fields);
#endif
