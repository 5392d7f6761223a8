/* The writer's thread of the PostgreSQL store. */
#ifndef TH_STORE_POSTGRES_COMMIT_H
#define TH_STORE_POSTGRES_COMMIT_H
#include "store/postgres/postgres_state.h"

/** The thread of a struct pg_store's writer: ends with s->stop, when nothing is left, and gives up the lease. */
void *pg_commit_main(void *arg);
#endif
