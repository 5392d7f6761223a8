/* A small HTTP server for receiving webhooks on a developer's machine: one request per connection, and
 * answers as bad as one likes (late, byte by byte). It is not the product's server, because that one cannot
 * be made to misbehave. */
#ifndef TH_CLI_CLI_HOOK_H
#define TH_CLI_CLI_HOOK_H
#include "base/buf.h"
#include "net/http1.h"

typedef struct uv_loop_s uv_loop_t;
struct th_hook_server;
struct th_hook;

struct th_hook_options {
    const char *address; /* numeric */
    uint16_t port;       /* 0: a free one */
    /** Called with a complete request; must lead to exactly one th_hook_reply, at once or later.
     * Everything in `head` and `body` is valid until then. */
    void (*handle)(void *ctx, struct th_hook *hook, const struct th_http1_head *head, struct th_span body);
    /** Called when the bytes that came were not a request that can be handled; the answer has this
     * status. */
    void (*refused)(void *ctx, unsigned status, const char *why);
    void *ctx;
};
/** TH_IO with *os_error, a negative libuv error. */
TH_MUST_USE enum th_error th_hook_open(uv_loop_t *loop, const struct th_hook_options *options,
                                       struct th_hook_server **out, int *os_error);
uint16_t th_hook_port(const struct th_hook_server *s);
/** Answers after delay_ms; with drip_ms byte by byte, that far apart. fields: finished lines. Bytes are
 * copied. */
void th_hook_reply(struct th_hook *hook, unsigned status, struct th_span fields, struct th_span body,
                   unsigned delay_ms, unsigned drip_ms);
/** Cuts all connections; freed when the loop has run. No hook may be answered any more. */
void th_hook_close(struct th_hook_server *s);
#endif
