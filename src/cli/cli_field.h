/* Output of commands for programs. */
#ifndef TH_CLI_FIELD_H
#define TH_CLI_FIELD_H
#include "cli/cli.h"

/** Prints JSON, or the parts of it that --field and --quiet ask for. Exit status: TH_EXIT_NO after a message when a field
 * is found nowhere. `line`: v is one of many, and is printed on one line. */
int th_cli_print(struct th_cli *cli, struct th_json v);
int th_cli_print_line(struct th_cli *cli, struct th_json v);
/** Does the same with JSON that was written as text; --json prints it unchanged, and so does a call without
 * --json. */
void th_cli_print_text(struct th_cli *cli, struct th_span text);
void th_cli_print_format(struct th_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
