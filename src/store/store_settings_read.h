/* All settings rows of a database of the SQLite store. */
#ifndef TH_STORE_SQLITE_SETTINGS_READ_H
#define TH_STORE_SQLITE_SETTINGS_READ_H
#include "port/store.h"
#include <sqlite3.h>

/** In the order of their kinds. Gives an SQLite code. */
int sq_settings_read(sqlite3 *db, void (*row)(void *, const struct th_row *), void *ctx);
#endif
