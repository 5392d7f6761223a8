/* The audit log as rows of the store. Private to engine/. */
#ifndef TH_ENGINE_CONTROL_AUDIT_H
#define TH_ENGINE_CONTROL_AUDIT_H
#include "engine/engine.h"

#define TH_META_AUDIT "audit/" /* and 16 digits: the number of a row, in hex */

struct th_row;

/** At the start: takes a row that the store has. False: no memory. */
TH_MUST_USE bool th_audit_load(struct th_engine *e, const struct th_row *row);
struct th_mono th_audit_wanted(const struct th_engine *e);
void th_audit_begin(struct th_engine *e);
void th_audit_free(struct th_engine *e);
#endif
