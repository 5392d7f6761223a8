/* Writes answers that cannot end early and may be long, in several turns of the loop, so that others need not
 * wait.
 *
 * Between its turns a request keeps what it has written in buffers of its own; during a step they take the place of the
 * API's. Pointers of the engine are looked up anew in each step. */
#include "api/slow.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

static void run(void *arg)
{
    struct th_api_req *r = arg;
    struct th_api *api = r->api;
    struct th_buf out = api->out, fields = api->fields;

    api->out = r->slow_out;
    api->fields = r->slow_fields;
    if (r->step(r)) { /* the request is gone */
        th_buf_fini(&api->out);
        th_buf_fini(&api->fields);
    } else {
        r->slow_out = api->out;
        r->slow_fields = api->fields;
        th_engine_defer(api->engine, &r->defer, run, r);
    }
    api->out = out;
    api->fields = fields;
}

void th_api_slow(struct th_api_req *r, bool (*step)(struct th_api_req *r))
{
    th_buf_init(&r->slow_out, TH_API_MAX_ANSWER);
    th_buf_init(&r->slow_fields, 64u << 10);
    r->slow_at = 0;
    r->step = step;
    th_engine_defer(r->api->engine, &r->defer, run, r);
}
