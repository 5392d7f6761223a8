/* The server process. */
#ifndef TH_APP_SERVE_H
#define TH_APP_SERVE_H
#include "options/options.h"

/** What `tenterhook init` tells. */
struct th_first_start {
    char key[128]; /* the operator's, made by this start; empty: there was one */
    char why[512]; /* after a failure */
};

/** Runs until SIGTERM or SIGINT; returns the exit status. argv: the command's arguments (read again at SIGHUP). first:
 * starts, makes what a first start makes, and stops; prints nothing. NULL: serves. */
int th_serve(int argc, char **argv, struct th_first_start *first);
#endif
