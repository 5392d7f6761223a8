/* The table of routes. Private to api/. */
#ifndef TH_API_ROUTES_H
#define TH_API_ROUTES_H
#include "api/route.h"

/** Ends with a row whose method is NULL. */
extern const struct th_api_route th_api_routes[];
#endif
