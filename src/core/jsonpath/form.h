/* JSON as application/x-www-form-urlencoded: for receivers that read forms. Pure. */
#ifndef TH_CORE_FORM_H
#define TH_CORE_FORM_H
#include "core/jsonpath/tape.h"

/** Appends the value of a node as pairs of a form, in its order: members of members as a[b], elements as a[0], texts as they are, numbers
 * with their bytes, true and false as words, null as nothing; empty objects and lists are left out. A value that is no object is the
 * pair or the pairs of the name "data". TH_TOO_LARGE: more than `max` bytes, or nested too deeply. TH_NOMEM. */
TH_MUST_USE enum th_error th_form_write(const struct th_tape *t, uint32_t root, size_t max,
                                        struct th_buf *out);
#endif
