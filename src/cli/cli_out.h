/* Text on standard output and on terminals. */
#ifndef TH_CLI_OUT_H
#define TH_CLI_OUT_H
#include "cli/cli.h"

/** Escape sequences, "" without colour. */
const char *th_red(const struct th_cli *cli);
const char *th_green(const struct th_cli *cli);
const char *th_yellow(const struct th_cli *cli);
const char *th_dim(const struct th_cli *cli);
const char *th_bold(const struct th_cli *cli);
const char *th_plain(const struct th_cli *cli);
/** A colour for a delivery's status or an outcome. */
const char *th_status_colour(const struct th_cli *cli, const char *status);

/** True when a terminal must not get the character at p, because it is invisible or not valid UTF-8. *n: its
 * number of bytes. *c: the character, or the byte that is not UTF-8. */
bool th_print_is_harmful(const char *p, const char *end, uint32_t *c, size_t *n);
/** Prints text that came from elsewhere: invisible characters (th_unseen, except newline and tab) and bytes
 * that are not UTF-8 are shown as \xNN or \uNNNN, so that they cannot control the terminal. */
void th_print_safe(FILE *to, struct th_span s);
/** Does the same for text in one line: newline and tab are shown as \x0a and \x09. */
void th_print_line(FILE *to, struct th_span s);
/** Writes out what was printed; false when that is not possible. It prints why, unless the reader has gone. */
bool th_cli_flush(void);
/** Prints JSON with indentation, followed by a newline. Numbers and strings keep their bytes, but for control
 * characters, which are escaped. */
void th_print_json(FILE *to, struct th_json v);
#endif
