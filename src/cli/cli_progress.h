/* Progress of long work, with the time that is left. */
#ifndef TH_CLI_CLI_PROGRESS_H
#define TH_CLI_CLI_PROGRESS_H
#include "cli/cli.h"

struct th_progress {
    int64_t began_ms, said_ms;
    bool silent, terminal, shown;
};
void th_progress_start(struct th_progress *p, const struct th_cli *cli);
/** May be called often; it writes only now and then. part: 0 to 1. */
void th_progress_say(struct th_progress *p, double part, const char *what, const char *text);
/** Takes the line of progress away. line: the text that stays in its place, or NULL. */
void th_progress_end(struct th_progress *p, const char *line);
/** Width of the terminal behind a file; 80 when it is none. */
unsigned th_terminal_columns(int fd);
#endif
