/* Declarations that all commands share: the table of commands, reading of arguments, exit statuses, messages.
 * Everything runs on the main thread; memory of one run lives in cli->mem. */
#ifndef TH_CLI_CLI_H
#define TH_CLI_CLI_H
#include "base/arena.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/cli_client.h"
#include <stdio.h>

/** Exit statuses, those of sysexits.h where it has one. `tenterhook help` and docs/cli.md list them. */
enum {
    TH_EXIT_OK = 0,
    TH_EXIT_NO = 1,     /* the thing asked failed, or the answer is no */
    TH_EXIT_USAGE = 64, /* wrong arguments or configuration */
    TH_EXIT_DATA = 65,  /* input that is not what it should be (JSON, YAML, a request file, a database) */
    TH_EXIT_INPUT = 66, /* a file cannot be read */
    TH_EXIT_UNREACHABLE = 69, /* no server answers */
    TH_EXIT_BUG = 70,         /* out of memory, or our own mistake */
    TH_EXIT_OUTPUT = 73,      /* a file cannot be written */
    TH_EXIT_STORE = 74,       /* the store failed */
    TH_EXIT_LATER = 75,       /* the server cannot do it now; trying again later may work */
    TH_EXIT_DENIED = 77,      /* key missing, wrong, or without the right */
};

struct th_cli_option {
    const char *name;     /* "--forward" */
    const char *argument; /* "URL"; NULL: a flag */
    const char *help;
};

enum {
    TH_CLI_API = 1,    /* talks to a server: --server, --key-file, --tenant, --api-ca-file */
    TH_CLI_CONFIG = 2, /* takes the server's options (th_options) */
    TH_CLI_HIDDEN = 4, /* not in lists */
    TH_CLI_RAW = 8,    /* reads its arguments itself */
};

struct th_cli;
/** One command: a name, or a name and a verb. A name's first row is taken when no verb is given. */
struct th_command {
    const char *name, *verb;
    const char *arguments; /* positional, as shown: "TYPE [JSON|-|@FILE]" */
    const char *help;      /* one line, no full stop */
    const char *text;      /* paragraphs for the manual page, separated by an empty line; NULL: none */
    unsigned flags, min_args, max_args;
    const struct th_cli_option *options; /* ends with a row whose name is NULL; NULL: none */
    int (*run)(struct th_cli *cli);
    int (*raw)(int argc, char **argv); /* TH_CLI_RAW */
};
/** The table; ends with a row whose name is NULL. */
extern const struct th_command th_commands[];
extern const struct th_cli_option th_cli_common[], th_cli_api[];

#define TH_CLI_ARGS 256
struct th_cli {
    const struct th_command *command;
    bool implied_verb; /* no verb was given: the command is the name's first row */
    struct th_arena mem;
    const char *args[TH_CLI_ARGS]; /* positional */
    unsigned arg_count;
    struct {
        const char *name, *value; /* value NULL: a flag */
    } given[TH_CLI_ARGS];
    unsigned given_count;
    char **config_argv; /* TH_CLI_CONFIG: the server's options, for th_options_read */
    int config_argc;
    bool json, colour, terminal; /* of standard output; json: for programs, in whatever shape */
    enum { TH_CLI_WHOLE, TH_CLI_FIELDS, TH_CLI_IDS } shape; /* with json: all of it, --field, --quiet */
    int bad_field;                                          /* exit status when a --field is found nowhere */
    bool own_server; /* this process has started the server: the key may go there, whatever the address */
    bool patient;    /* after 429 a request is tried again: the command makes many requests */
    bool mute;       /* th_cli_fail prints nothing: the message has been printed */
    struct th_client *client;
    const char *where; /* printed before messages: a place in a file; NULL: none */
    /* the tenant of the next requests, instead of --tenant, for commands that act for several */
    const char *acting_tenant;
};

/** Finds the command, reads its arguments, runs it; returns the exit status. */
int th_cli_main(int argc, char **argv);
/** Row of a name and a verb (NULL: the name's first row). NULL: there is none. */
const struct th_command *th_command_find(const char *name, const char *verb);

/** Last value of an option; NULL when not given. */
const char *th_cli_option(const struct th_cli *cli, const char *name);
bool th_cli_has(const struct th_cli *cli, const char *name);
/** Values of an option that may be repeated, in order; NULL after the last. */
const char *th_cli_option_at(const struct th_cli *cli, const char *name, unsigned i);
/** Values of an option that may be repeated, with commas between; NULL when not given. In cli->mem. */
const char *th_cli_joined(struct th_cli *cli, const char *name);
/** A whole number of an option, `fallback` when not given. False (after a message) when out of range. */
bool th_cli_number(const struct th_cli *cli, const char *name, int64_t low, int64_t high, int64_t fallback,
                   int64_t *out);
/** A time of an option ("30", "30s", "500ms", "10m", "24h", "30d") in milliseconds; otherwise like
 * th_cli_number. */
bool th_cli_duration(const struct th_cli *cli, const char *name, int64_t fallback_ms, int64_t *out);
/** Milliseconds of a duration text. */
bool th_duration_ms(struct th_span text, int64_t *out);
/** "2026-04-02T08:00:00Z", how long ago ("15m", "24h"), "14:00" (the last time that it was), "yesterday", a date, and
 * what tables print; UTC where no zone is named. Returns RFC 3339 text in cli->mem; NULL after a message. */
const char *th_cli_moment(struct th_cli *cli, const char *text);

/** Prints what is wrong on standard error ("tenterhook: NAME: ..."), with --json as JSON; returns `status`. */
int th_cli_fail(const struct th_cli *cli, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int th_cli_nomem(const struct th_cli *cli);
/** Text in cli->mem. On lack of memory the process ends (TH_EXIT_BUG): commands hold nothing that outlives
 * them. */
char *th_cli_text(struct th_cli *cli, struct th_span s);
char *th_cli_printf(struct th_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Reads a file, or standard input for "-". Exit status; on failure a message has been printed. */
int th_cli_read_file(const struct th_cli *cli, const char *path, size_t max, struct th_buf *out);
/** Secret from a file without its line end. Warns when others can read the file. */
int th_cli_read_secret(const struct th_cli *cli, const char *path, struct th_buf *out);
/** Asks on the terminal; false when there is none, or the answer is not yes. */
bool th_cli_confirm(const struct th_cli *cli, const char *question);

#endif
