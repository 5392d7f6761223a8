/* The inbox of one database: what applications have published within their transactions. One thread at a time. */
#ifndef TH_STORE_POSTGRES_INBOX_H
#define TH_STORE_POSTGRES_INBOX_H
#include "base/arena.h"
#include "port/inbox.h"

struct th_inbox_db; /* a database, and the connection to it while there is one */

/** An event in the inbox. Its texts are in the arena of th_inbox_db_fetch. */
struct th_inbox_row {
    uint64_t no, bytes;
    int64_t at_ms;  /* wall ms: when it was published */
    bool too_large; /* its data was not read */
    struct th_span tenant, type, data, id, options;
};

/** Reads the address; no connection is opened. TH_INVALID with a reason that holds no password; TH_NOMEM. */
TH_MUST_USE enum th_error th_inbox_db_new(const char *url, const char *password, struct th_inbox_db **out,
                                          char *why, size_t why_size);
void th_inbox_db_free(struct th_inbox_db *db);
/** Host, port and name of the database. */
const char *th_inbox_db_name(const struct th_inbox_db *db);
/** Why the last call failed. */
const char *th_inbox_db_why(const struct th_inbox_db *db);

/** Opens the connection if there is none. TH_RETRY: it cannot be reached. TH_NOT_FOUND: it has no inbox (any more, or not yet). */
TH_MUST_USE enum th_error th_inbox_db_open(struct th_inbox_db *db);

#define TH_INBOX_BATCH 500
/** Reads what waits, at most TH_INBOX_BATCH events and about 4 MiB: of each tenant the same number, in the order in which they were
 * published, and of tenants in turn over several calls. Data of more than max_bytes is not read. `resting`: tenants, in PostgreSQL's
 * form of an array ("{a,b}"), of which nothing is wanted now. TH_RETRY: the connection is gone. */
TH_MUST_USE enum th_error th_inbox_db_fetch(struct th_inbox_db *db, uint64_t max_bytes, const char *resting,
                                            struct th_arena *mem, struct th_inbox_row *rows, unsigned *count);
/** Deletes events that have been taken. */
TH_MUST_USE enum th_error th_inbox_db_taken(struct th_inbox_db *db, const uint64_t *nos, unsigned count);
/** Moves an event aside, with the reason, in one transaction. */
TH_MUST_USE enum th_error th_inbox_db_reject(struct th_inbox_db *db, uint64_t no, const char *reason);
/** Counts what is there. */
TH_MUST_USE enum th_error th_inbox_db_state(struct th_inbox_db *db, struct th_inbox_state *out);
TH_MUST_USE enum th_error th_inbox_db_rejected(struct th_inbox_db *db, uint64_t after, unsigned limit,
                                               void (*each)(void *ctx, const struct th_inbox_rejected *),
                                               void *ctx);
TH_MUST_USE enum th_error th_inbox_db_retry(struct th_inbox_db *db, uint64_t no);
TH_MUST_USE enum th_error th_inbox_db_drop(struct th_inbox_db *db, uint64_t no);

/** Waits until somebody says that there is more (option notify), until th_inbox_db_wake, or so long. */
void th_inbox_db_wait(struct th_inbox_db *db, unsigned ms);
/** Ends a wait, and each that comes. Any thread. */
void th_inbox_db_wake(struct th_inbox_db *db);
#endif
