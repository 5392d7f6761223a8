/* Writes endpoints into answers. Private to api/. */
#ifndef TH_API_WEBHOOK_VIEW_H
#define TH_API_WEBHOOK_VIEW_H
#include "api/list.h"

/** Writes the list in the shape of the dialect; false when the dialect has none. */
bool th_api_webhook_list_shape(struct th_api_list *l, struct th_buf *out);
/** Writes one endpoint in the tenant's form; created: with its secret. */
void th_api_webhook_show(struct th_api_req *r, struct th_endpoint *ep, struct th_span secret, bool created,
                         struct th_buf *out);
/** Writes whether the endpoint's receiver has agreed to get events. False, with nothing written: it is not
 * asked. */
bool th_api_webhook_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w);
/** Writes the endpoint's URL; a secret one is masked unless `whole`. */
void th_api_webhook_url(struct th_jw *w, const struct th_endpoint *ep, bool whole);
#endif
