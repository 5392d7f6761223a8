/* The newest events and attempts in memory, for those who follow them. A store without one reads its rows. */
#ifndef TH_STORE_RECENT_H
#define TH_STORE_RECENT_H
#include "store/store_source.h"

/** NULL: no memory. */
struct st_recent *st_recent_new(void);
void st_recent_free(struct st_recent *r);

/* ---- on the writer's thread, in a transaction; nothing of it is shown before it is committed ---- */

void st_recent_begin(struct st_writer *w);
/** An event was written, or an attempt with which its delivery became `now`. */
void st_recent_event(struct st_writer *w, const struct th_accept *a, const struct th_new_event *e);
void st_recent_attempt(struct st_writer *w, const struct th_attempt_row *row, uint64_t no, uint64_t event,
                       uint64_t prev, const struct th_delivery_row *now);
/** Rows are about to be changed, or have been, in another way than by new ones: those before now are read from the store. */
void st_recent_forget(struct st_writer *w);
void st_recent_end(struct st_writer *w, bool committed);

/* ---- on a reader's thread ---- */

/** Copies the rows for which a page asks into its memory, the page's filter on tenants not applied. False: they are not here, or
 * the page asks for more than what is. An attempt whose event is not here has event.tenant 0. */
bool st_recent_copy(struct st_pager *p);
#endif
