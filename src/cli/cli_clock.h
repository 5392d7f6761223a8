/* Time for commands. */
#ifndef TH_CLI_CLOCK_H
#define TH_CLI_CLOCK_H
#include "base/time.h"

/** Milliseconds of the monotonic clock. */
int64_t th_cli_clock_ms(void);
void th_cli_clock_sleep(int64_t ms);
#endif
