/* The files of the SQLite store: the lock of its folder, the database, the ballast. */
#ifndef TH_STORE_SQLITE_FILE_H
#define TH_STORE_SQLITE_FILE_H
#include "base/error.h"
#include "store/sqlite/sqlite_db.h"

#define SQ_APPLICATION_ID 0x54486f6b /* "THok" */
#define SQ_BUSY_MS 5000 /* a connection meets a lock only while another recovers or closes the log */

struct sq_path {
    char db[4096], lock[4096], ballast[4096];
};

/** Checks the file and brings it to the newest version on a new connection for writing. */
enum th_error sq_file_open(const struct sq_path *path, sqlite3 **db, char *why, size_t why_size);
enum th_error sq_file_reader(const struct sq_path *path, sqlite3 **db);
/** Makes the ballast file durable at its full size; TH_FULL when there is no room. */
enum th_error sq_file_ballast_make(const struct sq_path *path, uint32_t mib);
void sq_file_ballast_drop(const struct sq_path *path);
#endif
