/* The part of a running server that SIGHUP replaces as a whole: options, dialects, guard, lists, certificate. */
#ifndef TH_APP_LIVE_H
#define TH_APP_LIVE_H
#include "api/api.h"
#include "net/tls_server.h"
#include "options/dialects.h"
#include "options/options.h"

/* The state that SIGHUP replaces as a whole. Two kinds are kept for good: the first one, to whose texts the
 * parts of the server point, and each one that brought other dialects, to which requests under way may point
 * (LIMIT: about 1 MiB for each change of a dialect file). */
struct th_live {
    struct th_live *older;
    struct th_settings settings;
    struct th_dialect_set dialects;
    bool borrows; /* the dialects are an older one's */
    struct th_guard guard;
    struct th_cidr *allow, *deny, *trusted;
    struct th_api_host *hosts;
    struct th_span *sources;
    struct th_source *from;           /* addresses that endpoints may choose */
    struct th_tls_identity *identity; /* NULL: the API is plain */
};

/** Reads flags, environment and file, checks them, and makes everything that follows from them. On failure
 * `why` says what is wrong, where, and what to write instead, and nothing is left. */
TH_MUST_USE enum th_error th_live_new(int argc, char **argv, struct th_live **out, char *why,
                                      size_t why_size);
/** Takes the dialects of `old` instead of its own if they are equal. */
void th_live_borrow(struct th_live *l, const struct th_live *old);
/** Puts `l` in the place of `old`, which is kept or freed. */
void th_live_replace(struct th_live *l, struct th_live *old);
/** The configuration at the start: for options that a running server cannot change, it is still in force. */
const struct th_live *th_live_first(const struct th_live *l);
/** Frees it and all older ones. NULL is allowed. */
void th_live_free(struct th_live *l);
/** The limits of each tenant according to the options. */
struct th_limits th_live_limits(const struct th_settings *c);
/** Sets up the log as the options say. */
void th_live_log(const struct th_settings *c);
/** Writes warnings about permitted but doubtful settings to the log. To be called once the log is set up;
 * th_live_new writes nothing to it. */
void th_live_warn(const struct th_live *l);
/** Divides "ADDR:PORT" or "[ADDR]:PORT". */
bool th_live_listen(const char *text, char *address, size_t size, uint16_t *port);
#endif
