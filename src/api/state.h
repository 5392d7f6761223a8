/* What the API keeps between requests, and for all of them. Private to api/. */
#ifndef TH_API_STATE_H
#define TH_API_STATE_H
#include "api/api.h"
#include "api/meter.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"

#define TH_API_MAX_ANSWER (256u << 20)
#define TH_API_READERS 16 /* requests that read or write much at a time; others wait */
#define TH_API_NOTES 4096 /* addresses from which a key was right, see guess.c */

struct th_api_req;

struct th_api {
    struct th_api_options options;
    struct th_engine *engine;
    struct th_metrics *metrics;
    struct th_buf out, fields, openapi;
    struct th_api_meter keys, tenants, addresses;
    struct th_map idem; /* first 8 bytes of the key's hash → the request under way that came first */
    struct th_api_req *free;
    unsigned free_count, live;
    struct th_list reads;                   /* requests that wait until others have been answered */
    uint64_t reader_tenant[TH_API_READERS]; /* whose requests they are; 0: free */
    bool begun;                             /* the engine's start is over */
    /* guess.c */
    int64_t guessed_until_us, guess_told_us; /* some address must wait until then; the last line of the log */
    uint64_t guesses;                        /* since that line */
    bool guess_told;
    uint64_t notes[TH_API_NOTES];
};

#endif
