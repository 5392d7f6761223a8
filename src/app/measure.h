/* Metrics of the process and its surroundings, which are measured when somebody asks for them. */
#ifndef TH_APP_MEASURE_H
#define TH_APP_MEASURE_H
#include "app/live.h"

/** To be called once, when the process starts. */
void th_measure_start(struct th_metrics *m);
void th_measure(struct th_metrics *m, const struct th_live *live);
#endif
