/* A data directory as one end of a copy between stores (store/store_copy.h). */
#ifndef TH_SQLITE_COPY_H
#define TH_SQLITE_COPY_H
#include "store/store_copy.h"

/** Takes the lock of the directory. To read: opens its database, and brings it to this program's form. To write: it must have none; the copy
 * is DIR/tenterhook.db.migrating until it is whole. TH_CONFLICT: a process works with the directory. With a reason. */
TH_MUST_USE enum th_error th_sqlite_copy_open(const char *dir, bool write, struct st_copy_end **out,
                                              char *why, size_t why_size);
#endif
