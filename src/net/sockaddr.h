/* Addresses as the kernel takes them. */
#ifndef TH_NET_SOCKADDR_H
#define TH_NET_SOCKADDR_H
#include "port/transport.h"
#include <sys/socket.h>

/** The address with this port, whatever port it has itself; how many bytes of *out it takes. */
socklen_t th_sockaddr_of(const struct th_addr *a, uint16_t port, struct sockaddr_storage *out);
#endif
