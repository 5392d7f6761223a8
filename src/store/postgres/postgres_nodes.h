/* What others may ask of a PostgreSQL store: which nodes there are. */
#ifndef TH_STORE_POSTGRES_NODES_H
#define TH_STORE_POSTGRES_NODES_H
#include "port/store.h"

/** A member of struct th_store_vt. On a connection of its own, which takes its time. */
enum th_error pg_nodes(struct th_store *store, void (*node)(void *ctx, const struct th_store_node *),
                       void *ctx);
#endif
