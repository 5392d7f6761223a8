/* A connection of the PostgreSQL store as the shared code uses it: libpq in pipeline mode. One thread at a time. */
#ifndef TH_STORE_POSTGRES_DB_H
#define TH_STORE_POSTGRES_DB_H
#include "base/map.h"
#include "store/postgres/postgres_address.h"
#include "store/store_statement.h"
#include <libpq-fe.h>

struct pg_stmt;

struct pg_db {
    struct st_db base;
    const struct pg_address *address;
    PGconn *conn;        /* NULL: there is none */
    unsigned generation; /* of the connection: what was prepared on an earlier one is not any more */
    unsigned timeout_ms; /* an answer that takes longer counts as lost */
    bool reopens;        /* a step opens another connection in place of one that is lost */
    int64_t tried_at;    /* monotonic ms, when one was opened last */
    bool lost;           /* the connection ended, or did not answer: it is to be opened anew */
    bool fenced;         /* another node has taken over: the server refused the fence */
    bool refused;        /* the server has refused a command of this transaction: it is not committed */
    bool in_transaction, committing; /* committing: COMMIT has been sent, and its answer has not come */
    unsigned pending;                /* commands whose results have not been read */
    enum th_error failed;            /* of the transaction; the rest of it is not sent */
    int changes;
    unsigned statements;      /* prepared so far: their names */
    char message[300];        /* of the last failure, in the server's words */
    struct pg_stmt *waiting;  /* statements with rows that have not been sent, the newest first */
    struct pg_stmt *expected; /* statements with values that will be asked for */
    struct th_map touched;    /* rows that waiting statements will change */
    struct th_map found;      /* what was asked for before: where its row is */
    uint64_t round_trips, sent;
};

/** Starts without a connection. */
void pg_db_init(struct pg_db *db, const struct pg_address *address, unsigned timeout_ms);
/** Opens a connection, or another one in place of what is lost. TH_RETRY: db->message says why. */
enum th_error pg_db_connect(struct pg_db *db);
void pg_db_disconnect(struct pg_db *db);
void pg_db_fini(struct pg_db *db);

/** Sends a command of the caller's own behind what has been sent, with parameters as text, and waits for its result, which the
 * caller clears. NULL: it failed, as db->failed and db->message say. Outside of a transaction it is one of its own. */
PGresult *pg_db_query(struct pg_db *db, const char *sql, int count, const char *const *values);
/** Begins a transaction with these words, and commits it: TH_UNKNOWN when the connection is lost meanwhile. */
enum th_error pg_db_begin(struct pg_db *db, const char *sql);
enum th_error pg_db_commit(struct pg_db *db);
/** Sends a command within the transaction whose only result that counts is that it does not fail. */
void pg_db_send(struct pg_db *db, const char *sql, int count, const char *const *values);

#endif
