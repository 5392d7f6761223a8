/* Which API of a process answers a request.
 *
 * The first one (number 0) answers everything, and its server accepts all connections. A publisher's connection is given to the
 * APIs in turn, the first one included, once its key has been right, and stays there as long as it publishes. A request for
 * anything else brings it back; after that it publishes here for a while, and only then goes back to the same
 * API as before, so that a client that does both in turn is not sent to and fro with every request. */
#include "api/api.h"
#include "api/route.h"
#include "api/state.h"

enum { STAYS_FOR = 16 }; /* requests until the connection goes away again */

unsigned th_api_place(void *ctx, struct th_http_exchange *x)
{
    struct th_api *api = ctx;
    bool first_time = !x->home;

    if (!th_api_route_is_spread(x->head.method, x->path))
        return 0;
    if (api->options.number)
        return api->options.number;
    if (first_time)
        x->home = 1 + api->next_home++ % api->options.servers;
    return first_time || x->here > STAYS_FOR ? x->home - 1 : 0;
}
