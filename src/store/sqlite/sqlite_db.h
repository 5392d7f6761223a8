/* A connection of the SQLite store as the shared code uses it, and the meaning of results. */
#ifndef TH_STORE_SQLITE_DB_H
#define TH_STORE_SQLITE_DB_H
#include "store/store_statement.h"
#include <sqlite3.h>

struct sq_db {
    struct st_db base;
    sqlite3 *db;
};

/** Makes it a connection of this driver. The caller still has to close it. */
void sq_db_init(struct sq_db *out, sqlite3 *db);
static inline sqlite3 *sq_db_of(const struct st_db *db)
{
    return ((const struct sq_db *)db)->db;
}
/** The meaning of an SQLite result for an op; `db` gives the system error behind it. */
enum th_error sq_db_error(sqlite3 *db, int rc);
/** The same for a checkpoint. */
enum th_error sq_db_checkpoint_error(sqlite3 *db, int rc);
#endif
