/* A connection of the PostgreSQL store as the shared code uses it: libpq in pipeline mode. One thread at a time. */
#ifndef TH_STORE_POSTGRES_DB_H
#define TH_STORE_POSTGRES_DB_H
#include "base/map.h"
#include "store/postgres/postgres_address.h"
#include "store/postgres/postgres_libpq.h"
#include "store/store_statement.h"

struct pg_stmt;

struct pg_db {
    struct st_db base;
    const struct pg_address *address;
    PGconn *conn;        /* NULL: there is none */
    unsigned generation; /* of the connection: statements prepared on an earlier one are gone */
    unsigned timeout_ms; /* an answer that takes longer counts as lost */
    bool reopens;        /* a step opens another connection in place of one that is lost */
    int64_t failed_at;   /* monotonic ms: when a connection was last tried in vain; or 0 */
    bool lost;           /* the connection ended, or did not answer: it is to be opened anew */
    bool fenced;         /* another node has taken over: the server refused the fence */
    bool refused;        /* the server has refused a command of this transaction: it is not committed */
    bool in_transaction, committing; /* committing: COMMIT has been sent, and its answer has not come */
    unsigned pending;                /* commands whose results have not been read */
    enum th_error failed;            /* error of the transaction; the rest of it is not sent */
    int changes;
    unsigned statements;      /* number prepared so far, for their names */
    char message[300];        /* the server's message for the last failure */
    struct pg_stmt *waiting;  /* statements with rows that have not been sent, the newest first */
    struct pg_stmt *expected; /* statements with values that will be asked for */
    struct th_map touched;    /* rows that waiting statements will change */
    struct th_map found;      /* rows that were asked for in advance: where they are */
    uint64_t round_trips, sent;
};

/** Starts without a connection. */
void pg_db_init(struct pg_db *db, const struct pg_address *address, unsigned timeout_ms);
/** Opens a connection, or another one in place of a lost one. TH_RETRY: db->message says why. */
enum th_error pg_db_connect(struct pg_db *db);
void pg_db_disconnect(struct pg_db *db);
void pg_db_fini(struct pg_db *db);

/** Sends a command of the caller's own after those that have been sent, with parameters as text, and waits
 * for its result, which the caller clears. NULL: it failed, as db->failed and db->message say. Outside of a
 * transaction it is a transaction of its own. */
PGresult *pg_db_query(struct pg_db *db, const char *sql, int count, const char *const *values);
/** Begin a transaction with this command, and commit it. TH_UNKNOWN: the connection was lost during the
 * commit. */
enum th_error pg_db_begin(struct pg_db *db, const char *sql);
enum th_error pg_db_commit(struct pg_db *db);
/** What a step returns when the connection or the transaction has failed. */
int pg_db_failed(const struct pg_db *db);
/** Sends a command within the transaction; its result does not matter unless it fails. */
void pg_db_send(struct pg_db *db, const char *sql, int count, const char *const *values);

#endif
