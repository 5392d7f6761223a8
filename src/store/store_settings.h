/* Settings rows of the SQLite store. */
#ifndef TH_STORE_SETTINGS_H
#define TH_STORE_SETTINGS_H
#include "store/store_writer.h"

/** The writer's thread, in a transaction. */
int sq_settings(struct sq_writer *w, struct th_settings_op *c);
#endif
