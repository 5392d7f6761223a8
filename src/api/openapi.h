/* The OpenAPI document. Private to api/. */
#ifndef TH_API_OPENAPI_H
#define TH_API_OPENAPI_H
#include "base/buf.h"

struct th_api;

void th_api_openapi(const struct th_api *api, struct th_buf *out);
#endif
