/* One request on its way to a receiver, whoever sends it: deliveries (dispatch.c), questions for consent (control/ask.c). */
#ifndef TH_ENGINE_SHARD_OUTGOING_H
#define TH_ENGINE_SHARD_OUTGOING_H
#include "engine/engine.h"

struct th_run_url;

/* The first members are set by the user before th_outgoing_begin. Then one of `failed` and `judged` is called, once, and perhaps
 * inside it; after `judged` and th_outgoing_send `ended` is, once, and never inside. */
struct th_outgoing {
    struct th_engine *e;
    const struct th_endpoint *ep;
    const struct th_run_url *url;         /* stays as it is until the end */
    const struct th_client_tls *identity; /* NULL: none */
    struct th_mono began;                 /* from here on the look-up of the name is timed */
    /* There are so many addresses, all of them allowed: the user writes the request and sends it, or ends. */
    void (*judged)(struct th_outgoing *o, unsigned count);
    /* No request leaves; the text lives as long as the call. */
    void (*failed)(struct th_outgoing *o, enum th_http_class class, const char *why);
    /* The transport has ended; req.res has what came of it. */
    void (*ended)(struct th_outgoing *o);

    bool cancelled, resolving, running; /* resolving, running: the resolver, the transport has it */
    int64_t dns_us;                     /* -1: no name was looked up */
    struct th_resolve resolve;
    struct th_addr addrs[TH_CONNECT_MAX];
    struct th_http_req req;
};

/** Finds the addresses of the endpoint's URL and judges them, until the deadline at the latest. */
void th_outgoing_begin(struct th_outgoing *o, struct th_mono deadline);
/** Gives `req` to the transport, for the first `count` addresses. The user has set its method, head, body, deadlines and caps; the rest
 * is filled in. */
void th_outgoing_send(struct th_outgoing *o, unsigned count);
/** Ends it early. `failed` or `ended` is still called, perhaps inside the call, with TH_HTTP_CANCELLED. */
void th_outgoing_cancel(struct th_outgoing *o);
#endif
