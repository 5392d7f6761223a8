/* What `dev` does to a dialect before its server gets it. */
#ifndef TH_CLI_CMD_DEV_H
#define TH_CLI_CMD_DEV_H
#include "cli/cli.h"

struct th_dev_dialect {
    const char *name;       /* in: built in, or a file's path; out: as the server knows it */
    const char *directory;  /* for the server's --dialects; NULL: what is built in will do */
    bool https_waived, own; /* own: a file of the user's */
};
/** A file, and a dialect that always wants https, are written below `dir`. own: the file's text; empty: built in.
 * Exit status. */
int th_dev_dialect(struct th_cli *cli, const char *dir, struct th_span own, struct th_dev_dialect *dialect);
/** The JSON as it may stand between a shell's single quotes: an apostrophe, which only a string has, is written \u0027. */
const char *th_dev_quotable(struct th_cli *cli, const char *json);
#endif
