/* How deliveries and attempts look. Private to api/. */
#ifndef TH_API_DELIVERY_VIEW_H
#define TH_API_DELIVERY_VIEW_H
#include "api/list.h"

void th_api_delivery_row(struct th_jw *w, struct th_api_list *l, unsigned i, bool attempts);
/** For lists that are written in parts (rows.h). */
void th_api_delivery_page_row(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i);
void th_api_delivery_page_end(struct th_jw *w, struct th_api_req *r, const struct th_page *p);
/** Rows of a list, as far as there is room: then l->next says where it goes on. */
void th_api_delivery_rows(struct th_jw *w, struct th_api_list *l);
/** th_shape_source.field of lists of deliveries or attempts. */
bool th_api_delivery_field(void *ctx, enum th_field field, unsigned i, struct th_buf *out);
/** One of a list over many deliveries: with their ids, without request and answer. */
void th_api_delivery_attempt(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view);
#endif
