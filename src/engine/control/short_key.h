/* The note of a store about short operator's keys, in a meta row. */
#ifndef TH_ENGINE_CONTROL_SHORT_KEY_H
#define TH_ENGINE_CONTROL_SHORT_KEY_H
#include "engine/engine.h"

#define TH_META_SHORT_KEY "short_operator_key"

/* Decides whether this key may be used with this store. TH_INVALID with a reason in `why`. note: the bytes of
 * the row; empty: there is none. */
enum th_error th_short_key_judge(struct th_engine *e, bool fresh, const struct th_buf *note, char *why,
                                 size_t why_size);
/* Makes the note that is to be stored now, if any. */
enum th_error th_short_key_note(struct th_engine *e, bool fresh, struct th_buf *note, bool *write);
#endif
