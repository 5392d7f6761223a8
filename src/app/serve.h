/* The server process. */
#ifndef TH_APP_SERVE_H
#define TH_APP_SERVE_H
#include "app/config.h"

/** Runs until SIGTERM or SIGINT; returns the exit status. once: starts, makes what a first start makes, and stops (init).*/
int th_serve(const struct th_settings *config, bool once);
/** Checks what th_serve would refuse at start, without starting: addresses, networks, dialects. Exit status. */
int th_config_check(const struct th_settings *config);
#endif
