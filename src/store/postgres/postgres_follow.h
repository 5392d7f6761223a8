/* What the engines of other nodes have committed. */
#ifndef TH_STORE_POSTGRES_FOLLOW_H
#define TH_STORE_POSTGRES_FOLLOW_H
#include "store/postgres/postgres_state.h"

/** Reads all settings rows, and notes the position as of which they are at least. Synchronous, at the start. */
enum th_error pg_follow_settings(struct th_store *store, void (*row)(void *ctx, const struct th_row *),
                                 void *ctx);
/** Does a FOLLOW. The thread of the reader that loads and walks. */
void pg_follow(struct st_reader *r, struct th_follow *op);
void pg_follow_close(struct pg_share *h);
#endif
