/* The server process. */
#ifndef TH_APP_SERVE_H
#define TH_APP_SERVE_H
#include "options/options.h"

/** The result of a first start, for `tenterhook init`. */
struct th_first_start {
    char key[128]; /* the operator's key that this start has made; empty: there was one already */
    char why[512]; /* the reason of a failure */
};

/** Runs until SIGTERM or SIGINT; returns the exit status. argv: the command's arguments (read again at
 * SIGHUP). first: makes what a first start makes, and stops; prints nothing. NULL: serves. */
int th_serve(int argc, char **argv, struct th_first_start *first);
#endif
