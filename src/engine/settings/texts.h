/* The texts of an endpoint's settings, some of which are only in the store. */
#ifndef TH_ENGINE_SETTINGS_TEXTS_H
#define TH_ENGINE_SETTINGS_TEXTS_H
#include "engine/engine.h"

struct th_endpoint_run;

/** Copies what was set. If that is much text, the part that th_texts_part can drop is kept apart. TH_NOMEM;
 * TH_CORRUPT: the filter is damaged. */
TH_MUST_USE enum th_error th_texts_copy(struct th_engine *e, struct th_endpoint_run *run,
                                        const struct th_endpoint_spec *from, const struct th_url *url,
                                        const struct th_endpoint_run *old);
/** The next of finished header lines, which leaves *lines; false at the end. */
bool th_texts_line_next(struct th_span *lines, struct th_header *out);
/** To be called when the endpoint's settings are in the store: texts that nothing needs in memory leave it. */
void th_texts_part(struct th_endpoint *ep);
/** True when a run with `want` subscribes to the type; by_name: with its full name, not by "*", prefix or
 * suffix. */
bool th_texts_wanted_has(const struct th_endpoint_run *run, struct th_span type, bool by_name);
#endif
