/* What the API keeps between requests, and for all of them. Private to api/. */
#ifndef TH_API_STATE_H
#define TH_API_STATE_H
#include "api/api.h"
#include "api/shared.h"
#include "base/buf.h"
#include "base/list.h"

#define TH_API_MAX_ANSWER (256u << 20)
#define TH_API_READERS 16 /* requests that read or write much at a time; others wait */

struct th_api_req;
struct th_api_streams;

struct th_api {
    struct th_api_options options;
    struct th_engine *engine;
    struct th_metrics *metrics;
    struct th_buf out, fields, openapi;
    struct th_api_shared *shared;
    bool is_alone;      /* `shared` is its own */
    unsigned next_home; /* place.c: the server that the next publisher goes to */
    struct th_api_req *free;
    unsigned free_count, live;
    struct th_list reads;                   /* requests that wait until others have been answered */
    uint64_t reader_tenant[TH_API_READERS]; /* whose requests they are; 0: free */
    bool begun;                             /* the engine's start is over */
    struct th_api_streams *streams;
};

#endif
