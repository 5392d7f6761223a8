/* The tenant for which a request acts, even if the operator names none. Private to api/. */
#ifndef TH_API_OWNER_H
#define TH_API_OWNER_H
#include "api/request.h"

/** Binds the request to a tenant; answers 404 when there is none of this id. */
TH_MUST_USE bool th_api_owner_bind(struct th_api_req *r, struct th_span id);
/** Returns the id of the tenant that has the object in the path, if that is in memory; else "default". */
struct th_span th_api_owner_now(struct th_api_req *r);
/** True when the tenant must be found by the store or the query; then th_api_owner_find binds it. */
bool th_api_owner_later(const struct th_api_req *r);
/** Finds and binds the tenant, and calls `found`; or answers. */
void th_api_owner_find(struct th_api_req *r, void (*found)(struct th_api_req *r));
/** Whose event (or delivery) an id is, for requests that act for no tenant: calls `done` with it, or with NULL when the id names none;
 * or answers. Of a publisher's own id that several tenants have, the first one's. */
void th_api_owner_search(struct th_api_req *r, struct th_span id, bool delivery,
                         void (*done)(struct th_api_req *r, struct th_tenant *t));

/** The tenant for which a request acts, while it writes a row of another one. */
struct th_api_owner_home {
    struct th_tenant *tenant;
    const struct th_dialect *dialect;
    size_t id_len;
    char id[128];
};

/** In a list of all tenants: the request acts for the tenant of a row until th_api_owner_back. False: there is no such tenant any
 * more, and nothing has changed. */
TH_MUST_USE bool th_api_owner_row(struct th_api_req *r, uint64_t tenant, struct th_api_owner_home *home);
void th_api_owner_back(struct th_api_req *r, const struct th_api_owner_home *home);
#endif
