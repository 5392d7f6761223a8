/* The rows of the table of routes, and functions that find the row of a request. Private to api/. */
#ifndef TH_API_ROUTE_H
#define TH_API_ROUTE_H
#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>

struct th_api_req;

enum {
    TH_R_PUBLIC = 1,    /* no key */
    TH_R_TENANT = 4,    /* acts for a tenant: the key's, or the one that the operator names */
    TH_R_BODY = 8,      /* a JSON body is required */
    TH_R_BODY_MAY = 16, /* a JSON body may be there */
    TH_R_ETAG = 32,     /* the answer carries an ETag; If-Match and If-None-Match are honoured */
    TH_R_SECRET = 64,   /* the answer holds a secret: not cached, wiped after sending */
    TH_R_MERGE = 128,   /* the body is a JSON Merge Patch */
    TH_R_PUBLISH = 256, /* counted as publishing */
    TH_R_KEEPS = 512,   /* the whole answer is kept with an Idempotency-Key */
    /* The operator's key need not name the tenant: it is the one that has the object named ... */
    TH_R_OF_ENDPOINT = 1024, /* ... in the path */
    TH_R_OF_REPLAY = 2048,
    TH_R_OF_EVENT = 4096,
    TH_R_OF_DELIVERY = 8192,
    TH_R_OF_FILTERS = 16384,   /* ... in the query: `endpoint`, else `event` */
    TH_R_BATCH = 32768,        /* the body is an array of events */
    TH_R_ALWAYS = 65536,       /* answered while the server is starting, too */
    TH_R_LINK = 262144,        /* the token of a link will do instead of a key */
    TH_R_PORTAL_LINK = 524288, /* for the token of a link to the portal, and for nothing else */
    TH_R_PORTAL = 1048576,     /* for tokens of the portal, and for nothing else */
    TH_R_NOT_PORTAL = 2097152, /* no token of the portal may do this */
    TH_R_SECRETS = 4194304,    /* a token of the portal needs the scope for secrets, too */
    TH_R_SWITCHED = 8388608,   /* 404 unless the installation has switched it on */
    TH_R_SPREAD =
        131072, /* answered by each API of a process; it asks nothing but the engine of its own thread */
};

struct th_api_route {
    const char *method, *path;
    unsigned scope; /* the TH_SCOPE_* that a tenant's key needs; 0: no tenant's key may do this */
    /* enum th_role: the least that an operator's key needs; 0: no operator's key may do this */
    unsigned role;
    unsigned flags;
    void (*handle)(struct th_api_req *r);
    const char *query;              /* allowed query parameters, separated by one space */
    unsigned status;                /* of success */
    const char *request, *response; /* schemas in the OpenAPI document; NULL: no body */
    const char *id, *summary;
};

/** Finds the route: r->route and, still encoded, r->param; else r->route is NULL, and r->allow has the path's methods. */
void th_api_route_find(struct th_api_req *r);
/** Whether the row of this method and path is TH_R_SPREAD; a path with parameters never is. */
bool th_api_route_is_spread(struct th_span method, struct th_span path);
/** Decodes r->param of the route that was found; answers 404 and 405 itself. */
TH_MUST_USE bool th_api_route(struct th_api_req *r);
#endif
