/* Catalogues of event types: what a type's data has to be, and how it was written in earlier versions. Each tenant has one; that of the
 * tenant "operator" is the installation's, in which all other tenants' types are looked up that they do not have themselves. */
#ifndef TH_ENGINE_CATALOGUE_H
#define TH_ENGINE_CATALOGUE_H
#include "engine/engine.h"

/** Makes a type; *out has one holder. TH_INVALID: *fault says which member is wrong, and why; TH_NOMEM. */
TH_MUST_USE enum th_error th_event_type_new(const struct th_type_spec *spec, struct th_field_error *fault,
                                            struct th_event_type **out);
/** Gives back one holder's part; NULL is none. Any thread. */
void th_event_type_unref(struct th_event_type *type);
/** The stored form: JSON. */
void th_event_type_write(const struct th_event_type *type, struct th_buf *out);
/** Reads it. TH_CORRUPT, TH_NOMEM. */
TH_MUST_USE enum th_error th_event_type_read(struct th_span name, struct th_span stored,
                                             struct th_event_type **out);
/** The name of the row in which it is stored. */
void th_event_type_row_id(uint64_t tenant, struct th_span name, struct th_buf *out);
/** Whether a row's name is such a one; gives tenant and name. */
bool th_event_type_of_row(struct th_span id, uint64_t *tenant, struct th_span *name);

/** Puts it in the place of the one with its name; takes over the caller's part. TH_NOMEM: nothing has changed. */
TH_MUST_USE enum th_error th_catalogue_put(struct th_tenant *t, struct th_event_type *type);
void th_catalogue_del(struct th_tenant *t, struct th_span name);
void th_catalogue_free(struct th_tenant *t);

/** What publishing does with data that does not fit. */
enum th_validate th_event_type_validates(const struct th_engine *e, const struct th_event_type *type);
/** Asks the schema about a value on a tape. */
enum th_schema_answer th_event_type_check(const struct th_event_type *type, const struct th_tape *tape,
                                          uint32_t node, uint32_t *steps, struct th_schema_why *why);
#endif
