/* A filter for the standard output and standard error of a command, so that no text from others can control
 * the terminal. */
#ifndef TH_CLI_CLI_STREAM_H
#define TH_CLI_CLI_STREAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte that does not occur in UTF-8. With the letter after it, it stands for one of our own escape
 * sequences. */
#define TH_STREAM_MARK "\xff"
#define TH_STREAM_CLEAR TH_STREAM_MARK "K" /* goes to the beginning of the line and clears it */

/** Puts the filter behind stdout and stderr; to be called once, before anything is printed. Without memory
 * for it they stay as they are. json: characters are escaped as JSON does it; otherwise as \xNN, \uNNNN and
 * \UNNNNNNNN. */
void th_stream_open(bool json);
/** Writes the form in which an escaped character is shown in text. Returns its length. */
int th_escaped(char text[16], uint32_t code_point, size_t bytes);
#endif
