/* Writes deliveries and attempts into answers. Private to api/. */
#ifndef TH_API_DELIVERY_VIEW_H
#define TH_API_DELIVERY_VIEW_H
#include "api/list.h"

void th_api_delivery_row(struct th_jw *w, struct th_api_list *l, unsigned i, bool attempts);
/** The two functions for lists that are written in parts (rows.h). */
void th_api_delivery_page_row(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i);
void th_api_delivery_page_end(struct th_jw *w, struct th_api_req *r, const struct th_page *p);
/** Writes rows of a list, as far as there is room; then l->next says where it goes on. */
void th_api_delivery_rows(struct th_jw *w, struct th_api_list *l);
/** The function `field` of th_shape_source for lists of deliveries or attempts. */
bool th_api_delivery_field(void *ctx, enum th_field field, unsigned i, struct th_buf *out);
/** Writes an attempt of a list over many deliveries: with the delivery's id, without request and answer. */
void th_api_delivery_attempt(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view);
#endif
