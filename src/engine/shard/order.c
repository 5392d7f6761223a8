/* Which line a delivery belongs to.
 *
 * A line is known by 48 bits of a hash, which the store has room for beside the lane. Two keys with the same bits share a line: their
 * deliveries wait for each other, and nothing else happens. The hash is stored, so neither it nor its seed may change. */
#include "engine/shard/order.h"
#include "engine/settings/settings.h"

#define LINE_OF_ALL 1 /* the one of an endpoint that is ordered as a whole */

uint64_t th_order_of(const struct th_endpoint *ep, const struct th_filter_event *of)
{
    struct th_jsonpath_run run;
    struct th_json v;
    uint32_t node;
    uint64_t line;

    if (ep->spec.ordering.by != TH_ORDER_KEY)
        return ep->spec.ordering.by == TH_ORDER_ALL ? LINE_OF_ALL : 0;
    th_jsonpath_begin(&run, ep->run->order, &of->tape, TH_FILTER_EVENT, TH_JSONPATH_STEPS);
    node = th_jsonpath_next(&run);
    if (node == TH_TAPE_NONE)
        return 0;
    v = th_tape_value(&of->tape, node);
    if (v.type == TH_JSON_NULL)
        return 0;
    line = th_jsonpath_number(v) & TH_ORDER_MAX;
    return line > LINE_OF_ALL ? line : line + 2;
}
