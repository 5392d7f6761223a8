/* A request: the questions that can be asked about it, and its memory.
 *
 * A request struct lives from th_api_request_new until its one answer; the exchange, its bytes included, stays valid as
 * long, so nothing of the body is copied on the way to the store. Structs come from a free list; the hot path
 * (one event) takes no memory. The arena bounds what one request may hold besides its body.
 *
 * Invariant: pointers of the engine (tenant, endpoint) are used only in the turn in which they were looked
 * up. This file calls no other file of the API; functions that give something back at the end of a request
 * are noted in it. */
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "base/alloc.h"
#include "base/check.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include "net/client_address.h"
#include "net/http_server.h"
#include "port/transport.h"

#define MAX_ARENA (64u << 20) /* memory that one request may take besides its body */
#define KEEP_REQUESTS 256     /* request structs kept for reuse */

/* A request and its memory that is not cleared, because a count or the handler says which part of it is set. */
struct slot {
    struct th_api_req req;
    union th_api_op op;
    struct th_api_room room;
};

struct th_api_req *th_api_request_new(struct th_api *api, struct th_http_exchange *x)
{
    struct slot *slot;
    struct th_api_req *r = api->free;

    if (r) {
        api->free = r->next_free;
        api->free_count--;
        slot = TH_CONTAINER(r, struct slot, req);
    } else {
        slot = th_malloc(sizeof *slot);
        if (!slot)
            return NULL;
        r = &slot->req;
    }
    *r = (struct th_api_req){.api = api, .x = x, .op = &slot->op, .room = &slot->room};
    th_arena_init(&r->mem, MAX_ARENA);
    api->live++;
    return r;
}

void th_api_request_at_end(struct th_api_req *r, void (*end)(struct th_api_req *r))
{
    TH_CHECK(r->end_count < TH_API_MAX_ENDS);
    r->ends[r->end_count++] = end;
}

void th_api_request_free(struct th_api_req *r)
{
    struct th_api *api = r->api;

    TH_CHECK(r->x && api->live > 0); /* a request is freed once */
    while (r->end_count)
        r->ends[--r->end_count](r);
    if (r->route && (r->route->flags & TH_R_PUBLISH)) /* much, and no secrets */
        th_arena_fini(&r->mem);
    else
        th_arena_wipe(&r->mem); /* the arena may hold values of custom headers and secrets from a body */
    api->live--;
    if (api->free_count >= KEEP_REQUESTS) {
        th_free(TH_CONTAINER(r, struct slot, req));
        return;
    }
    r->x = NULL;
    r->next_free = api->free;
    api->free = r;
    api->free_count++;
}

/* ---- what it says ---- */

const struct th_http1_field *th_api_request_header(const struct th_api_req *r, const char *name)
{
    return th_http1_field(&r->x->head, name);
}

bool th_api_request_bearer(const struct th_api_req *r, struct th_span *key)
{
    const struct th_http1_field *field = th_api_request_header(r, "authorization");
    struct th_span v;

    if (!field || field->value.n < 8 || !th_span_ieq(th_span(field->value.p, 7), TH_LIT("bearer ")))
        return false;
    v = th_span(field->value.p + 7, field->value.n - 7);
    while (v.n && *v.p == ' ') {
        v.p++;
        v.n--;
    }
    *key = v;
    return v.n > 0;
}

const struct th_key *th_api_request_key(struct th_api_req *r, struct th_span text)
{
    uint8_t hash[32];
    const struct th_key *key;

    th_sha256(text.p, text.n, hash);
    key = th_engine_key(r->api->engine, hash);
    return key && !(key->tenant && key->tenant->deleting) ? key : NULL;
}

struct th_tenant *th_api_request_tenant(struct th_api_req *r)
{
    struct th_tenant *t = th_engine_tenant(r->api->engine, th_api_request_tenant_id(r));

    return t && !t->deleting ? t : NULL;
}

const struct th_addr *th_api_request_client(struct th_api_req *r)
{
    if (!r->client_known) {
        r->client = th_http_client_address(r->api->options.trusted, r->api->options.trusted_count, r->x,
                                           r->api->options.client_header, &r->client_trusted);
        r->client_known = true;
    }
    return &r->client;
}

bool th_api_request_is_https(const struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;
    const struct th_http1_field *proto = th_api_request_header(r, "x-forwarded-proto");

    return options->tls || (proto && th_span_ieq(proto->value, TH_LIT("https")) &&
                            th_is_trusted(options->trusted, options->trusted_count, &r->x->peer));
}

void th_api_request_made(struct th_api_req *r, const struct th_buf *id)
{
    size_t n = id->n < sizeof r->made ? id->n : sizeof r->made - 1;

    memcpy(r->made, th_buf_view(id).p, n);
    r->made[n] = 0;
}

void th_api_request_free_spare(struct th_api *api)
{
    while (api->free) {
        struct th_api_req *r = api->free;
        api->free = r->next_free;
        th_free(TH_CONTAINER(r, struct slot, req));
    }
}
