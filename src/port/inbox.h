/* Inboxes: tables in PostgreSQL databases in which applications leave events within their own transactions. What the API needs to
 * show them and to deal with events that were rejected. */
#ifndef TH_PORT_INBOX_H
#define TH_PORT_INBOX_H
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

/** One inbox as it was looked at last. Numbers stop at TH_INBOX_COUNTED. */
struct th_inbox_state {
    unsigned source; /* 0: the one in the store's own database; else its place in the configuration, from 1 */
    const char *name;  /* host and database, without user and password */
    const char *error; /* "": it is being drained; else why not */
    uint64_t waiting;  /* events that are committed and have not been taken */
    int64_t oldest;    /* wall ms: when the oldest of them was published; 0: there is none */
    uint64_t rejected; /* events that were moved aside */
};
#define TH_INBOX_COUNTED 100000

/** An event that was moved aside. Spans are valid during the call. */
struct th_inbox_rejected {
    unsigned source;
    uint64_t no;
    struct th_span tenant, type, id, reason;
    struct th_span options;      /* JSON; n == 0: none were given */
    uint64_t bytes;              /* of its data */
    int64_t published, rejected; /* wall ms */
};

struct th_inbox {
    const struct th_inbox_vt *vt;
};

struct th_inbox_vt {
    /** Calls back for each source. At once, from memory; any thread. */
    void (*states)(struct th_inbox *, void (*each)(void *ctx, const struct th_inbox_state *), void *ctx);
    /** Calls back for the rejected events of a source with a number above `after`, at most `limit`, in the order of numbers. This and
     * the next two are synchronous, on a connection of their own; any thread. TH_NOT_FOUND: no such source. */
    enum th_error (*rejected)(struct th_inbox *, unsigned source, uint64_t after, unsigned limit,
                              void (*each)(void *ctx, const struct th_inbox_rejected *), void *ctx);
    /** Puts a rejected event behind what waits, as if it were published anew. TH_NOT_FOUND: there is none of this number. */
    enum th_error (*retry)(struct th_inbox *, unsigned source, uint64_t no);
    /** Deletes a rejected event. */
    enum th_error (*drop)(struct th_inbox *, unsigned source, uint64_t no);
};
#endif
