/* The writer's thread of the SQLite store. */
#ifndef TH_STORE_SQLITE_COMMIT_H
#define TH_STORE_SQLITE_COMMIT_H
#include "store/sqlite/sqlite_state.h"

/** The thread of a struct sq_store's writer: ends with s->stop, when nothing is left. */
void *sq_commit_main(void *arg);
/** SQLite's hook after each commit: how long the log is. */
int sq_commit_note_frames(void *ctx, sqlite3 *db, const char *name, int frames);
#endif
