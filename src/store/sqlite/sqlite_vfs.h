/* The VFS of the server's own connections: see sqlite_vfs.c. */
#ifndef TH_STORE_SQLITE_VFS_H
#define TH_STORE_SQLITE_VFS_H
#include <sqlite3.h>

/** The name of the VFS over the system's present default one; registers it when it is asked for the first time. NULL: no memory.
 * Any thread. */
const char *sq_vfs(void);

/** Releases the locks that the writer's connection keeps between its transactions, so that other processes
 * find them free. Called before the writer sleeps for long. The writer's thread. */
void sq_vfs_rest(sqlite3 *db);

#endif
