/* Texts made from the table of commands: help, manual pages (cli_help.c) and completions (cli_complete.c). */
#ifndef TH_CLI_CLI_HELP_H
#define TH_CLI_CLI_HELP_H
#include "cli/cli.h"

static inline bool th_help_shown(const struct th_command *c)
{
    return !(c->flags & TH_CLI_HIDDEN);
}

/* The first row of each name stands for all of them. */
static inline bool th_help_first_of_name(const struct th_command *c)
{
    return c == th_commands || strcmp(c[-1].name, c->name) != 0;
}

/** A part of the list of commands: names, with a space between. The last row has no title. */
struct th_group {
    const char *title, *names;
};
extern const struct th_group th_groups[];
/** A command line that works, with ids that look like such. NULL: there is none. */
const char *th_help_example(const struct th_command *c);

/** Writes the help of one command. */
void th_help_command(FILE *to, const struct th_command *c);
/** Write the file that a shell reads. */
void th_complete_bash(FILE *to);
void th_complete_zsh(FILE *to);
void th_complete_fish(FILE *to);
#endif
