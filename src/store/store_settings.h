/* Settings rows of the stores. */
#ifndef TH_STORE_SETTINGS_H
#define TH_STORE_SETTINGS_H
#include "store/store_writer.h"

/** The writer's thread, in a transaction. */
int st_settings(struct st_writer *w, struct th_settings_op *c);
#endif
