/* A PostgreSQL database as one end of a copy between stores (store/store_copy.h). */
#ifndef TH_POSTGRES_COPY_H
#define TH_POSTGRES_COPY_H
#include "store/store_copy.h"

/** Reaches the database, and holds what a node needs before it may work, until the end is closed. To read: it has our tables. To write: they
 * are made; until the copy is whole, no server uses them. TH_CONFLICT: a node works on the database, or waits there. With a reason
 * that holds no password. */
TH_MUST_USE enum th_error th_postgres_copy_open(const char *url, const char *password, bool write,
                                                struct st_copy_end **out, char *why, size_t why_size);
#endif
