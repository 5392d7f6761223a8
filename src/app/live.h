/* The part of a running server that SIGHUP replaces as a whole: options, dialects, guard, lists, certificate. */
#ifndef TH_APP_LIVE_H
#define TH_APP_LIVE_H
#include "api/api.h"
#include "net/tls_server.h"
#include "options/dialects.h"
#include "options/options.h"

/* What SIGHUP replaces as a whole. Kept for good are the first, whose texts the parts of the server point to, and each that
 * brought other dialects, which requests under way may point to (LIMIT: about 1 MiB a change of a dialect file). */
struct th_live {
    struct th_live *older;
    struct th_settings settings;
    struct th_dialect_set dialects;
    bool borrows; /* the dialects are an older one's */
    struct th_guard guard;
    struct th_cidr *allow, *deny, *trusted;
    struct th_api_host *hosts;
    struct th_span *sources;
    struct th_tls_identity *identity; /* NULL: the API is plain */
};

/** Reads flags, environment and file, checks them, and makes all that follows from them. On failure `why` says what, where
 * and what instead, and nothing is left. */
TH_MUST_USE enum th_error th_live_new(int argc, char **argv, struct th_live **out, char *why,
                                      size_t why_size);
/** Takes the dialects of `old` instead of its own where they are equal. */
void th_live_borrow(struct th_live *l, const struct th_live *old);
/** Puts `l` in the place of `old`, which lives on behind it or is freed. */
void th_live_replace(struct th_live *l, struct th_live *old);
/** Frees it and all older ones. NULL is allowed. */
void th_live_free(struct th_live *l);
/** What the options allow each tenant. */
struct th_limits th_live_limits(const struct th_settings *c);
/** Sets up the log as the options say. */
void th_live_log(const struct th_settings *c);
/** Says in the log what is allowed and still not as it should be. Once the log is set up: th_live_new says nothing there. */
void th_live_warn(const struct th_live *l);
/** Divides "ADDR:PORT" or "[ADDR]:PORT". */
bool th_live_listen(const char *text, char *address, size_t size, uint16_t *port);
#endif
