/* How an endpoint looks. Private to api/. */
#ifndef TH_API_WEBHOOK_VIEW_H
#define TH_API_WEBHOOK_VIEW_H
#include "api/list.h"

/** The list in the shape of the dialect; false when it has none. */
bool th_api_webhook_list_shape(struct th_api_list *l, struct th_buf *out);
/** One endpoint in the tenant's form; created: with its secret. */
void th_api_webhook_show(struct th_api_req *r, struct th_endpoint *ep, struct th_span secret, bool created,
                         struct th_buf *out);
/** What the endpoint's receiver has said to whether it wants events. False, with nothing written: it is not asked. */
bool th_api_webhook_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w);
/** The endpoint's URL; a secret one masked unless `whole`. */
void th_api_webhook_url(struct th_jw *w, const struct th_endpoint *ep, bool whole);
#endif
