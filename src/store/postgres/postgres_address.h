/* The address of the database in the form of libpq, with values that may stand outside of it. */
#ifndef TH_STORE_POSTGRES_ADDRESS_H
#define TH_STORE_POSTGRES_ADDRESS_H
#include "base/error.h"
#include "store/postgres/postgres_libpq.h"
#include <stdbool.h>
#include <stddef.h>

#define PG_SCHEMA "tenterhook"

struct pg_address {
    const char *url;      /* postgres://… or postgresql://… */
    const char *password; /* NULL: in the address, in PGPASSWORD, or in ~/.pgpass */
    bool unnamed;         /* no statement is kept on the server: for poolers that do not follow them */
    char shown[200];      /* host, port and name of the database, without user and password */
};

/** Reads the address; the texts stay the caller's. TH_INVALID with a reason that holds no password; also
 * when libpq cannot be loaded, which this does first. */
TH_MUST_USE enum th_error pg_address_read(struct pg_address *out, const char *url, const char *password,
                                          bool unnamed, char *why, size_t why_size);
/** Opens a connection; as after PQconnectdb, the caller asks PQstatus. */
PGconn *pg_address_connect(const struct pg_address *address);
#endif
