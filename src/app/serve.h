/* The server process. */
#ifndef TH_APP_SERVE_H
#define TH_APP_SERVE_H
#include "app/config.h"

/** Runs until SIGTERM or SIGINT; returns the exit status. argv: the command's arguments (read again at SIGHUP). once:
 * starts, makes what a first start makes, and stops (init). */
int th_serve(int argc, char **argv, bool once);
/** Checks what th_serve would refuse before it touches the data directory: options, addresses, networks, dialects. Exit
 * status. */
int th_config_check(int argc, char **argv);
#endif
