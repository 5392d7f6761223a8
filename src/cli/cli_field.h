/* What a command gives to programs. */
#ifndef TH_CLI_FIELD_H
#define TH_CLI_FIELD_H
#include "cli/cli.h"

/** What a command gives to programs: JSON, or what --field and --quiet ask for. Exit status: TH_EXIT_NO after a message when
 * a field is nowhere. `line`: one of many, JSON on one line. */
int th_cli_print(struct th_cli *cli, struct th_json v);
int th_cli_print_line(struct th_cli *cli, struct th_json v);
/** The same for JSON that was written as text, which --json prints as it stands. Without --json: the text. */
void th_cli_print_text(struct th_cli *cli, struct th_span text);
void th_cli_print_format(struct th_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
