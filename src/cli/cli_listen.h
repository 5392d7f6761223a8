/* Receiving on a developer's machine: prints, verifies, explains, dedupes, forwards. Used by listen and dev.
 */
#ifndef TH_CLI_CLI_LISTEN_H
#define TH_CLI_CLI_LISTEN_H
#include "cli/cli_hook.h"
#include "cli/cli_request.h"
#include "port/transport.h"

struct th_listener;
struct th_listener_options {
    struct th_cli *cli;
    const char *address;
    uint16_t port;
    const struct th_receiver *receiver; /* NULL: not verified */
    const char *url;                    /* as it was registered, for dialects that sign it; or NULL */
    const char *forward;                /* URL, or NULL */
    bool forward_refused, headers, no_body;
    unsigned status, delay_ms, drip_ms, fail_percent;
    unsigned count;                                                /* 0: until stopped */
    void (*ended)(void *ctx);                                      /* `count` requests have been answered */
    void (*verified)(void *ctx, const char *event_id, bool again); /* may be NULL */
    void *ctx;
};
/** Listens. Exit status; a message has been printed when it is not 0. */
int th_listener_open(uv_loop_t *loop, const struct th_listener_options *options, struct th_listener **out);
uint16_t th_listener_port(const struct th_listener *l);
/** Requests so far, and those that did not verify. */
unsigned th_listener_received(const struct th_listener *l);
unsigned th_listener_refused(const struct th_listener *l);
/** Sets the status of answers from now on (for the keys of dev). */
void th_listener_behave(struct th_listener *l, unsigned status);
/** The URL under which it was registered; the text stays the caller's. */
void th_listener_registered(struct th_listener *l, const char *url);
/** Stops; memory is freed by th_listener_free after the loop has run. */
void th_listener_close(struct th_listener *l);
void th_listener_free(struct th_listener *l);
#endif
