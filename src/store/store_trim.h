/* Deletes events of tenants that are kept for a shorter time. */
#ifndef TH_STORE_TRIM_H
#define TH_STORE_TRIM_H
#include "store/store_writer.h"

int st_trim(struct st_writer *w, struct th_trim *t);
#endif
