/* Standard output and standard error of a command, so that nothing of others reaches a terminal that steers it. */
#ifndef TH_CLI_CLI_STREAM_H
#define TH_CLI_CLI_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In front of a letter it stands for one of our own escape sequences: a byte that no UTF-8 has. */
#define TH_STREAM_MARK "\xff"
#define TH_STREAM_CLEAR TH_STREAM_MARK "K" /* to the begin of the line, and clears it */

/** Puts the filter behind stdout and stderr; once, before anything is printed. Without memory for it they stay as they
 * are. json: what is hidden is escaped as JSON does it; else as \xNN, \uNNNN and \UNNNNNNNN. */
void th_stream_open(bool json);
/** How what is hidden is shown in text. Gives the length. */
int th_escaped(char text[16], uint32_t code_point, size_t bytes);
#endif
