/* Notes each minute how many deliveries wait, of all and of tenants: the past of the backlog, for statistics. */
#ifndef TH_ENGINE_CONTROL_BACKLOG_H
#define TH_ENGINE_CONTROL_BACKLOG_H
#include "engine/engine.h"

struct th_mono th_backlog_wanted(const struct th_engine *e);
void th_backlog_begin(struct th_engine *e);
void th_backlog_fini(struct th_engine *e);
#endif
