/* Opening and closing, as far as all stores do it in the same way. On the opening thread, unless a function
 * says otherwise. */
#ifndef TH_STORE_LIFE_H
#define TH_STORE_LIFE_H
#include "store/store_state.h"

/** Makes locks and lists; the caller has set the rest of *s. False: no memory, and nothing is left. */
bool st_life_init(struct st_store *s);
/** Starts the readers and then the writer's thread. */
enum th_error st_life_start(struct st_store *s, void *(*writer)(void *));
/** Hands over what is submitted, ends the threads, and calls done() of every op that is left. */
void st_life_stop(struct st_store *s);
/** Frees what st_life_init has made; to be called after st_life_stop. */
void st_life_fini(struct st_store *s);

/* members of struct th_store_vt */
enum th_error st_life_settings(struct th_store *store, void (*row)(void *, const struct th_row *), void *ctx);
enum th_error st_life_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                        struct th_buf *out);
void st_life_page_free(struct th_store *store, struct th_page *page);
#endif
