/* The part of a running server that SIGHUP replaces as a whole: options, dialects, guard, lists, certificate. */
#ifndef TH_APP_LIVE_H
#define TH_APP_LIVE_H
#include "api/api.h"
#include "conf/config.h"
#include "conf/dialects.h"
#include "net/tls_server.h"

/* What SIGHUP replaces as a whole. Old ones are kept: requests under way may point into them (LIMIT: some KiB a reload). */
struct th_live {
    struct th_live *older;
    struct th_settings settings;
    struct th_dialect_set dialects;
    struct th_guard guard;
    struct th_cidr *allow, *deny;
    struct th_api_host *hosts;
    struct th_span *sources;
    struct th_tls_identity *identity; /* NULL: the API is plain */
};

/** Reads flags, environment and file, checks them, and makes all that follows from them. On failure `why` says what, where
 * and what instead, and nothing is left. */
TH_MUST_USE enum th_error th_live_new(int argc, char **argv, struct th_live **out, char *why,
                                      size_t why_size);
/** Frees it and all older ones. NULL is allowed. */
void th_live_free(struct th_live *l);
/** Sets up the log as the options say. */
void th_live_log(const struct th_settings *c);
/** Divides "ADDR:PORT" or "[ADDR]:PORT". */
bool th_live_listen(const char *text, char *address, size_t size, uint16_t *port);
#endif
