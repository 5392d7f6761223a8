/* For whom a delivery of an ordered endpoint waits. Private to api/. */
#ifndef TH_API_WAITS_H
#define TH_API_WAITS_H
#include "api/request.h"

#define TH_API_WAITS_ROWS 256

/* In the request's memory while it is looked for. */
struct th_api_waits {
    struct th_walk walk;
    struct th_queue_row rows[TH_API_WAITS_ROWS];
    uint64_t delivery, endpoint, order;
    unsigned walks;
    struct th_page
        page; /* result: the delivery that it waits for, if count is 1; the caller frees the page */
    void (*done)(struct th_api_req *r);
};

/** Looks for the delivery whose turn it is in the line of this one, and calls `done` in a turn of its own. False: it waits for none, or there
 * is no memory to look; `done` is not called. */
TH_MUST_USE bool th_api_waits_find(struct th_api_req *r, const struct th_delivery_row *row,
                                   void (*done)(struct th_api_req *r));
#endif
