/* Filters and channels of endpoints, and the index of a tenant's filters. Shared by the files of engine/ only. One engine's. */
#ifndef TH_ENGINE_FILTERS_H
#define TH_ENGINE_FILTERS_H
#include "core/jsonpath/document.h"
#include "engine/engine.h"

struct th_ep;

/** To be called when a listed endpoint has new settings, or when it is listed from now on; th_filters_room
 * must have been asked before. */
void th_filters_file(struct th_engine *e, struct th_ep *ep);
/** To be called when the endpoint is no longer listed. */
void th_filters_unfile(struct th_ep *ep);
/** Room for one more endpoint; false: there is no memory. */
TH_MUST_USE bool th_filters_room(struct th_tenant *t);
void th_filters_free(struct th_tenant *t);

/* ---- the event as filters see it: [{type, id, time, resource_type, resource_id, data}] ---- */

#define TH_FILTER_ROOT TH_DOCUMENT_ROOT
#define TH_FILTER_EVENT TH_DOCUMENT_EVENT

/** An event as filters see it; one at a time, used again for the next. */
struct th_filter_event {
    struct th_buf text;
    struct th_tape tape;
};
/** NULL without memory. */
struct th_filter_event *th_filter_event_new(void);
void th_filter_event_free(struct th_filter_event *of);
/** Gives back what a large event needed. */
void th_filter_event_trim(struct th_filter_event *of);
/** Reads the event anew. `id` is the one that the publisher gave: another is drawn when the event is stored. False: no memory. */
bool th_filter_read(struct th_filter_event *of, const struct th_publish_event *ev, struct th_wall time);

/** The node of its data. */
uint32_t th_filter_data(const struct th_filter_event *of);

/* ---- payload.c ---- */

/** What the event's data was in an earlier version of its type, if that is what the pin says; else `data` stays empty. TH_TOO_LARGE: a
 * step makes too much of it, or takes too many steps. TH_NOMEM. */
TH_MUST_USE enum th_error th_payload_version(struct th_engine *e, const struct th_tenant *t,
                                             const struct th_event_row *row, uint32_t pin,
                                             struct th_buf *data);

/** When nobody should want the version any more that the pin chooses of this event's data (wall ms); 0: nothing says so. */
int64_t th_payload_sunset(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                          uint32_t pin);

/** The body that a template makes: of an event with its public id as external_id, and data as the dialect writes it. */
TH_MUST_USE enum th_error th_payload_body(struct th_engine *e, const struct th_dialect *d,
                                          const struct th_payload *payload, const struct th_publish_event *ev,
                                          struct th_wall time, struct th_buf *body);

/** A body that is JSON as a form. TH_TOO_LARGE: more than the dialect's bodies may have. TH_NOMEM. */
/* Whether a body has still to be made a form: the endpoint wants one, or the dialect, which makes the forms of its own bodies itself. */
static inline bool th_payload_wants_form(const struct th_dialect *d, bool endpoint_form, bool own_template)
{
    bool dialect_form = th_dialect_values(d)->form;

    return own_template ? endpoint_form || dialect_form : endpoint_form && !dialect_form;
}
TH_MUST_USE enum th_error th_payload_form(const struct th_dialect *d, struct th_buf *body);

/* ---- the verdict of an endpoint's filter ---- */

/** EXCESS: the filter has no verdict, and the event goes to its endpoint. *steps: how many steps it took. */
enum th_jsonpath_answer th_filter_ask(const struct th_jsonpath *filter, const struct th_filter_event *of,
                                      uint32_t *steps);

/* ---- who can be reached: those that are walked, those that are found by the event's type, and for each path those that wait for the
 * value that is there. An endpoint is in one list at most; each may have some that the event does not reach. ---- */

struct th_endpoint *const *th_filters_walked(const struct th_tenant *t, unsigned *count);
/** How many lists there are for the type, from 0; each of them. */
unsigned th_filters_typed(const struct th_tenant *t, struct th_span type);
struct th_endpoint *const *th_filters_of_type(const struct th_tenant *t, struct th_span type, unsigned list,
                                              unsigned *count);
unsigned th_filters_paths(const struct th_tenant *t);
struct th_endpoint *const *th_filters_found(const struct th_tenant *t, unsigned path,
                                            const struct th_filter_event *of, unsigned *count);
#endif
