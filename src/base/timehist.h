/* Classes of times for histograms: each is a tenth wider than the one before, so that whatever lies in a class differs from its middle by
 * less than 5 %. */
#ifndef TH_BASE_TIMEHIST_H
#define TH_BASE_TIMEHIST_H
#include <stdint.h>

#define TH_TIMEHIST_CLASSES                                                                                  \
    220 /* 1.1^220 microseconds are more than 20 minutes; what is longer is in the last one */

/** The class of a time in microseconds; below 1 counts as 1. */
unsigned th_timehist_class(int64_t us);
/** The middle of a class (by ratio), in microseconds. */
double th_timehist_middle_us(unsigned class);
#endif
