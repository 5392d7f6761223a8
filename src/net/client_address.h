/* The address of a client behind proxies: Forwarded (RFC 7239) and X-Forwarded-For, read from the right. */
#ifndef TH_NET_CLIENT_ADDRESS_H
#define TH_NET_CLIENT_ADDRESS_H
#include "core/guard.h"
#include "net/http1.h"

struct th_http_exchange;

/** Which field a trusted proxy names its client in. AUTO: X-Forwarded-For, and Forwarded where there is no such field. */
enum th_client_header { TH_CLIENT_AUTO, TH_CLIENT_FORWARDED, TH_CLIENT_X_FORWARDED_FOR, TH_CLIENT_NONE };

/** True when the address is in one of the networks. */
bool th_is_trusted(const struct th_cidr *trusted, unsigned count, const struct th_addr *a);
/** Returns the right-most address that is not trusted, among x->peer and the addresses that the head names in
 * front of it. Where a trusted proxy names nobody, or something that is no address, it returns the proxy's
 * own address and sets *proxy, because nobody else is known. */
struct th_addr th_http_client_address(const struct th_cidr *trusted, unsigned count,
                                      const struct th_http_exchange *x, enum th_client_header field,
                                      bool *proxy);
/** One number for each IPv4 address and for each /64 of IPv6, because one customer has at least a /64. */
uint64_t th_http_address_name(const struct th_addr *a);
#endif
