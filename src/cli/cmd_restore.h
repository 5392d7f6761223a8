/* Functions that backup and restore share. */
#ifndef TH_CLI_CMD_RESTORE_H
#define TH_CLI_CMD_RESTORE_H
#include "base/error.h"
#include "cli/cli.h"
#include "options/options.h"

/** The exit status for the result of an operation on a database file. */
int th_cmd_store_status(enum th_error error);
/** The server's settings from the command's options; false after a message. */
bool th_cmd_settings(struct th_cli *cli, struct th_settings *out);
#endif
