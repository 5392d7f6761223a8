/* Reads and runs a scenario file (docs: the table in scenario.c). Fails the test with FILE:LINE on the first
 * thing that is not as written. */
#ifndef TH_TEST_SCENARIO_H
#define TH_TEST_SCENARIO_H
#include "sim/sim.h"

void scenario_run_file(const char *path);
/** name stands in messages. */
void scenario_run_text(const char *name, const char *text);
#endif
