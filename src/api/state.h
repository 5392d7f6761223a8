/* State that the API keeps for all requests. Private to api/. */
#ifndef TH_API_STATE_H
#define TH_API_STATE_H
#include "api/api.h"
#include "api/shared.h"
#include "base/buf.h"
#include "base/list.h"

#define TH_API_MAX_ANSWER (256u << 20)
#define TH_API_READERS 16 /* requests that read or write much at the same time; others wait */

struct th_api_req;
struct th_api_streams;

struct th_api {
    struct th_api_options options;
    struct th_engine *engine;
    struct th_metrics *metrics;
    struct th_buf out, fields, openapi;
    struct th_api_shared *shared;
    bool is_alone;      /* `shared` is its own */
    unsigned next_home; /* place.c: the server to which the next publisher goes */
    struct th_api_req *free;
    unsigned free_count, live;
    struct th_list reads;                   /* requests that wait until others have been answered */
    uint64_t reader_tenant[TH_API_READERS]; /* the tenants of the requests that read; 0: a free place */
    bool begun;                             /* the engine's start is over */
    struct th_api_streams *streams;
};

#endif
