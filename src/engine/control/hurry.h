/* Makes all deliveries to an endpoint due now that wait for another attempt. */
#ifndef TH_ENGINE_CONTROL_HURRY_H
#define TH_ENGINE_CONTROL_HURRY_H
#include "engine/engine.h"

struct th_mono th_hurries_wanted(const struct th_engine *e);
void th_hurries_begin(struct th_engine *e);
void th_hurry_load(struct th_engine *e, const struct th_row *row, struct th_json root);
void th_hurries_free(struct th_engine *e);
/** The row of such a job, which another node has written. False: there is none of this number. */
bool th_hurry_follow(struct th_engine *e, const struct th_row *row);
#endif
