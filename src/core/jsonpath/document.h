/* The document that filters and templates read: a list whose only element is the event, {type, id, time, resource_type, resource_id,
 * data}. Pure. */
#ifndef TH_CORE_DOCUMENT_H
#define TH_CORE_DOCUMENT_H
#include "base/buf.h"
#include "base/time.h"

#define TH_DOCUMENT_ROOT 0  /* nodes of its tape: the list, */
#define TH_DOCUMENT_EVENT 1 /* and the event in it */

struct th_document { /* spans of the caller; what is empty is left out, but for the data */
    struct th_span type, id, resource_type, resource_id;
    struct th_span data; /* valid JSON */
    struct th_wall time;
};

void th_document_write(const struct th_document *doc, struct th_buf *out);
#endif
