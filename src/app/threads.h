/* How many threads take requests and deliver. */
#ifndef TH_APP_THREADS_H
#define TH_APP_THREADS_H
#include "options/options.h"

#define TH_APP_THREADS_DEFAULT 8 /* most threads, unless more are asked for */

/** The option's value, or, where that is 0, one less than the processors that this process may use: at least 1, at most
 * TH_APP_THREADS_DEFAULT. */
unsigned th_app_threads(const struct th_settings *settings);
/** Whole processors, at least one, that text of the kernel allows: "MAX PERIOD" of cpu.max (cgroups 2), where MAX may be "max";
 * `all` where it sets no limit or cannot be read. */
unsigned th_app_threads_quota(struct th_span cpu_max, unsigned all);
#endif
