/* Events in memory. */
#ifndef TH_ENGINE_SHARD_EVENTS_H
#define TH_ENGINE_SHARD_EVENTS_H
#include "engine/engine.h"

/* An event in memory for dispatch. On the LRU list while nobody pins it. */
struct th_event {
    struct th_event_row row; /* spans point behind this struct */
    uint64_t tenant_no;
    unsigned pins;
    bool data_written, data_exact; /* row.data was made by th_dialect_data; no number lost its value */
    bool stale;    /* made for earlier settings: it is pinned by requests, and no other request gets it */
    uint32_t left; /* deliveries that may still want it; 0: free when unpinned */
    size_t bytes;
    struct th_list lru;
    struct th_span id; /* public id text */
    /* rendered, when it is the same for all endpoints; own allocation; n == 0: not yet */
    struct th_span body;
    struct th_accept_time {
        int64_t us; /* monotonic time of the accept; 0: loaded later */
    } accepted;
    char bytes_[];
};

struct th_event *th_event_add(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                              uint32_t left);
/** Returns the row with its texts copied to *at, which is moved by their length; `data` takes the place of
 * its own data. */
struct th_event_row th_event_row_copy(char **at, const struct th_event_row *from, struct th_span data);
void th_event_pin(struct th_engine *e, struct th_event *ev);
void th_event_unpin(struct th_engine *e, struct th_event *ev);
void th_event_settled(struct th_engine *e, uint64_t no);
void th_events_trim(struct th_engine *e, size_t to);
void th_events_forget(struct th_engine *e, const struct th_tenant *t); /* t NULL: of all tenants */
void th_event_erase(struct th_engine *e, uint64_t no);
#endif
