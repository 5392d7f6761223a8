/* Members of the server's JSON as text. */
#ifndef TH_CLI_MEMBER_H
#define TH_CLI_MEMBER_H
#include "cli/cli.h"

/** A value at a JSON Pointer as text: strings without quotes, null and absent as "-", others raw. In
 * cli->mem. */
const char *th_cli_member(struct th_cli *cli, struct th_json v, const char *pointer);
/** The same for a time: "2026-04-02 08:00:00Z", which th_cli_moment takes. */
const char *th_cli_time(struct th_cli *cli, struct th_json v, const char *pointer);
/** The text as a JSON string. In cli->mem. */
const char *th_cli_quoted(struct th_cli *cli, const char *text);
#endif
