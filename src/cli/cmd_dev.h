/* Prepares a dialect for the server of `dev`. */
#ifndef TH_CLI_CMD_DEV_H
#define TH_CLI_CMD_DEV_H
#include "cli/cli.h"

struct th_dev_dialect {
    const char *name;       /* in: a built-in name or a file's path; out: the server's name for it */
    const char *directory;  /* for the server's --dialects; NULL: built-in dialects suffice */
    bool https_waived, own; /* own: a file of the user's */
};
/** A file, and a dialect that always wants https, are written below `dir`. own: the file's text; empty: built in.
 * Exit status. */
int th_dev_dialect(struct th_cli *cli, const char *dir, struct th_span own, struct th_dev_dialect *dialect);
/** Returns the JSON so that it may stand in single quotes of a shell: an apostrophe, which occurs only in
 * strings, is written \u0027. */
const char *th_dev_quotable(struct th_cli *cli, const char *json);
#endif
