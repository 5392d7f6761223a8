/* The state of a list of endpoints or deliveries while it is written. Private to api/. */
#ifndef TH_API_LIST_H
#define TH_API_LIST_H
#include "api/request.h"

struct th_api_list {
    struct th_api_req *r;
    struct th_endpoint *const *endpoints;
    const struct th_delivery_row *deliveries;
    const struct th_attempt_view *attempts; /* of deliveries[0] */
    const struct th_delivery_row
        *waits_for; /* of the same: whose turn it is in its line; NULL: its own, or that is not known */
    unsigned count, attempt_count;
    unsigned first, written; /* of a numbered page that is written in parts: rows before these; rows so far */
    struct th_span secret;   /* a secret that has just been made; n == 0: none is shown */
    uint64_t next, total, size, number; /* cursor; of numbered pages */
    bool next_shown;                    /* the shape has written it: the list cannot end earlier any more */
    unsigned ended; /* number of elements of a shape's list that ended because of its bytes; 0: it did not */
    bool values;    /* custom header values may be shown */
    bool secrets;   /* what its authentication keeps secret may be shown */
    /* the settings of the endpoint that is being written, where they are not all in memory: th_api_list_fini */
    struct th_endpoint_spec whole;
    const struct th_endpoint *whole_of;
    struct th_arena texts;
};

/** To be called after a list of endpoints has been written. */
void th_api_list_fini(struct th_api_list *l);
/** The function `stop` of th_shape_source for lists that may end because of their bytes: sets l->ended. */
bool th_api_list_stop(void *ctx, unsigned count, size_t bytes);
#endif
