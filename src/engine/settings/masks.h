/* What the answers of an endpoint may not show. */
#ifndef TH_ENGINE_SETTINGS_MASKS_H
#define TH_ENGINE_SETTINGS_MASKS_H
#include "engine/engine.h"
#include "engine/settings/settings.h"

/* of secrets, its settings, and the token that a request carried */
#define TH_MASKS_MAX (TH_MAX_SECRETS + TH_PAST_SECRETS + 2)

TH_MUST_USE enum th_error th_mask_secret(struct th_engine *e, const struct th_dialect *d,
                                         struct th_span secret, struct th_mask **out);
TH_MUST_USE enum th_error th_mask_run(struct th_engine *e, struct th_endpoint_run *run);
/** For a run with many_masked: makes the mask for one answer; *out may be NULL. Free it with th_mask_free. */
TH_MUST_USE enum th_error th_mask_many(struct th_engine *e, const struct th_endpoint_run *run,
                                       struct th_mask **out);
/** Collects all masks for answers of this endpoint to a request with these settings; returns how many. */
unsigned th_masks_of(const struct th_ep *ep, const struct th_endpoint_run *run, int64_t now_ms,
                     struct th_mask *out[TH_MASKS_MAX]);
/** To be called when a secret leaves: its mask stays for as long as the secret would have been valid, but at
 * least a day. */
void th_mask_keep(struct th_ep *ep, struct th_secret *s, int64_t now_ms);
void th_masks_free(struct th_ep *ep);
#endif
