/* How the portal looks for one platform. Private to api/. */
#ifndef TH_API_PORTAL_THEME_H
#define TH_API_PORTAL_THEME_H
#include "api/request.h"

#define TH_API_LOGO_MAX 12288 /* characters of a logo */
#define TH_API_THEME_MAX 16384

/** Checks the member `theme` of a request and writes it anew to `out`, as JSON with nothing in it but what was checked; faults are
 * noted. False: no memory. */
TH_MUST_USE bool th_api_portal_theme(struct th_api_req *r, struct th_json v, struct th_buf *out);
#endif
