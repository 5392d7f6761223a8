/* Explains whether an endpoint would get an event, and why not: the decision of ingest.c, for one endpoint at
 * a time and in words. People ask this long after the event, so the present settings count; the API says
 * where these are newer than the event. */
#include "engine/settings/filters.h"
#include "engine/settings/settings.h"
#include "engine/shard/ingest.h"
#include "engine/state.h"

bool th_engine_match_begin(struct th_engine *e, const struct th_event_row *row)
{
    struct th_publish_event ev = {.type = row->type,
                                  .data = row->data,
                                  .external_id = row->external_id,
                                  .resource_type = row->resource_type,
                                  .resource_id = row->resource_id};

    return th_filter_read(e->filtering, &ev, row->time);
}

void th_engine_match_end(struct th_engine *e)
{
    th_filter_event_trim(e->filtering);
}

enum th_match th_engine_match_filter(struct th_engine *e, const struct th_jsonpath *filter,
                                     struct th_jsonpath_why *why, uint32_t *steps)
{
    enum th_jsonpath_answer answer = th_filter_ask(filter, e->filtering, steps);

    *steps += th_jsonpath_explain(filter, &e->filtering->tape, TH_FILTER_ROOT, TH_FILTER_EVENT, why);
    return answer == TH_JSONPATH_YES  ? TH_MATCH
           : answer == TH_JSONPATH_NO ? TH_MATCH_NOT_FILTER
                                      : TH_MATCH_FILTER_ERROR;
}

enum th_match th_engine_match_subscription(struct th_engine *e, const struct th_endpoint *ep,
                                           const struct th_event_row *row, struct th_jsonpath_why *why,
                                           uint32_t *steps)
{
    why->term_count = why->found_count = 0;
    *steps = 0;
    if (!th_ingest_matches(TH_CONTAINER(ep, struct th_ep, pub), row->type))
        return TH_MATCH_NOT_TYPE;
    if (ep->spec.channels.n && !th_filters_channels_share(ep->spec.channels, row->more.channels))
        return TH_MATCH_NOT_CHANNEL;
    return ep->run->filter ? th_engine_match_filter(e, ep->run->filter, why, steps) : TH_MATCH;
}

enum th_match th_engine_match(struct th_engine *e, const struct th_endpoint *ep,
                              const struct th_event_row *row, struct th_jsonpath_why *why, uint32_t *steps)
{
    const struct th_dialect_values *v = th_dialect_values(ep->tenant->dialect);

    why->term_count = why->found_count = 0;
    *steps = 0;
    if (ep->created.ms > row->at.ms)
        return TH_MATCH_LATER;
    if (ep->disabled_at.ms && v->rules.drop_while_disabled &&
        th_ingest_matches(TH_CONTAINER(ep, struct th_ep, pub), row->type))
        return TH_MATCH_DISABLED;
    return th_engine_match_subscription(e, ep, row, why, steps);
}
