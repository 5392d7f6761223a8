/* The way from argv to a command's function. Split from cli.c, which holds what commands share. */
#include "cli/cli.h"
#include "cli/cli_client.h"
#include "cli/cli_help.h"
#include "cli/cli_out.h"
#include "cli/cli_stream.h"
#include "options/options.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* How many single changes make one word the other: for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64], n = (unsigned)strlen(b);

    if (n >= 63 || strlen(a) >= 63)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned j = 0; j < n; j++) {
            unsigned best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (best > row[j + 1] + 1)
                best = row[j + 1] + 1;
            if (best > row[j] + 1)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

static void nearest(const char *word, const char *candidate, const char **best, unsigned *best_distance)
{
    bool begins = strlen(word) > 4 && strncmp(word, candidate, strlen(word)) == 0;
    unsigned d = begins ? 1 : distance(word, candidate);

    if (d < *best_distance) {
        *best_distance = d;
        *best = candidate;
    }
}

/* Below this distance words are near: a third of them is to be changed, at most. */
static unsigned near_enough(const char *word)
{
    return (unsigned)(strlen(word) - strspn(word, "-") + 2) / 3 + 1;
}

static int unknown_command(const struct th_cli *cli, const char *name)
{
    const char *best = NULL;
    unsigned d = near_enough(name);

    for (const struct th_command *c = th_commands; c->name; c++)
        if (!(c->flags & TH_CLI_HIDDEN))
            nearest(name, c->name, &best, &d);
    return th_cli_fail(cli, TH_EXIT_USAGE,
                       "unknown command \"%.200s\"; %s%s%s`tenterhook help` lists what there is", name,
                       best ? "did you mean `tenterhook " : "", best ? best : "", best ? "`? " : "");
}

/* ---- one command's arguments ---- */

static const struct th_cli_option *in_list(const struct th_cli_option *list, const char *name, size_t n)
{
    for (; list && list->name; list++)
        if (strlen(list->name) == n && memcmp(list->name, name, n) == 0)
            return list;
    return NULL;
}

/* The server's options as a command's: found in their own table. */
static bool server_option(const char *name, size_t n)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++)
        if (th_options[id].flag && strlen(th_options[id].flag) == n &&
            memcmp(th_options[id].flag, name, n) == 0)
            return true;
    return false;
}

static int unknown_option(const struct th_cli *cli, const char *given, size_t n)
{
    const struct th_cli_option *lists[] = {cli->command->options, th_cli_common,
                                           cli->command->flags & TH_CLI_API ? th_cli_api : NULL};
    const char *best = NULL;
    char word[64];
    unsigned d;

    snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), given);
    d = near_enough(word);
    for (unsigned i = 0; i < 3; i++)
        for (const struct th_cli_option *o = lists[i]; o && o->name; o++)
            nearest(word, o->name, &best, &d);
    for (unsigned id = 0; cli->command->flags & TH_CLI_CONFIG && id < TH_O_COUNT; id++)
        if (th_options[id].flag)
            nearest(word, th_options[id].flag, &best, &d);
    if (best)
        return th_cli_fail(cli, TH_EXIT_USAGE, "unknown option \"%s\"; did you mean %s?", word, best);
    return th_cli_fail(
        cli, TH_EXIT_USAGE, "unknown option \"%s\"; `tenterhook help %s%s%s` lists what there is", word,
        cli->command->name, cli->command->verb ? " " : "", cli->command->verb ? cli->command->verb : "");
}

/* --url once named the server. Today it mostly means the URL of an endpoint, which would get the key if it
 * were taken for the server. */
static int url_is_no_server(const struct th_cli *cli)
{
    static const char server[] = "the server is named with --server URL, or TENTERHOOK_SERVER";
    const struct th_command *c = cli->command;

    if (strstr(c->arguments, "URL"))
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "--url: write the URL as the argument: tenterhook %s%s%s URL; %s", c->name,
                           c->verb ? " " : "", c->verb ? c->verb : "", server);
    return th_cli_fail(
        cli, TH_EXIT_USAGE,
        "--url: %s; an endpoint gets another URL with `tenterhook endpoints update ID --url URL`", server);
}

static int read_option(struct th_cli *cli, int argc, char **argv, int *i)
{
    const struct th_command *c = cli->command;
    const char *text = argv[*i], *eq = strchr(text, '=');
    size_t n = eq ? (size_t)(eq - text) : strlen(text);
    const struct th_cli_option *o = in_list(c->options, text, n);
    const char *value = NULL;

    if (!o)
        o = in_list(th_cli_common, text, n);
    if (!o && (c->flags & TH_CLI_API))
        o = in_list(th_cli_api, text, n);
    if (!o && (c->flags & TH_CLI_CONFIG) && server_option(text, n)) {
        cli->config_argv[cli->config_argc++] = argv[*i];
        if (!eq && *i + 1 < argc)
            cli->config_argv[cli->config_argc++] = argv[++*i];
        return TH_EXIT_OK;
    }
    if (!o && (c->flags & TH_CLI_API) && n == 5 && memcmp(text, "--url", 5) == 0)
        return url_is_no_server(cli);
    if (!o)
        return unknown_option(cli, text, n);
    if (o->argument) {
        value = eq ? eq + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value)
            return th_cli_fail(cli, TH_EXIT_USAGE, "%s needs a value: %s %s", o->name, o->name, o->argument);
    } else if (eq) {
        return th_cli_fail(cli, TH_EXIT_USAGE, "%s takes no value", o->name);
    }
    if (cli->given_count == TH_CLI_ARGS)
        return th_cli_fail(cli, TH_EXIT_USAGE, "too many options");
    cli->given[cli->given_count].name = o->name;
    cli->given[cli->given_count++].value = value;
    return TH_EXIT_OK;
}

/* "endpoints lst": the first verb was taken, and has no use for the word. */
static int unknown_verb(const struct th_cli *cli, const char *word)
{
    const char *name = cli->command->name, *best = NULL;
    unsigned d = near_enough(word);
    struct th_buf all;
    int status;

    th_buf_init(&all, 4096);
    for (const struct th_command *c = th_commands; c->name; c++)
        if (strcmp(c->name, name) == 0) {
            nearest(word, c->verb, &best, &d);
            th_buf_printf(&all, "%s%s", all.n ? ", " : "", c->verb);
        }
    if (best)
        status = th_cli_fail(cli, TH_EXIT_USAGE,
                             "there is no \"%s\"; did you mean `tenterhook %s %s`? There are %s", word, name,
                             best, th_buf_cstr(&all));
    else
        status = th_cli_fail(cli, TH_EXIT_USAGE, "there is no \"%s\"; there are %s", word, th_buf_cstr(&all));
    th_buf_fini(&all);
    return status;
}

/* Set before the first message. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* --field prints a part of the JSON, which every command has. --field NAME=VALUE sets a field, as it did
 * before there was --set. */
static void choose_shape(struct th_cli *cli)
{
    const char *name;

    if (th_cli_has(cli, "--quiet"))
        cli->shape = TH_CLI_IDS;
    for (unsigned i = 0; (name = th_cli_option_at(cli, "--field", i)) != NULL; i++)
        if (!strchr(name, '='))
            cli->shape = TH_CLI_FIELDS;
    cli->json = cli->json || cli->shape != TH_CLI_WHOLE;
}

static int read_arguments(struct th_cli *cli, int argc, char **argv)
{
    bool options = true;

    cli->config_argv = th_arena_get(&cli->mem, ((size_t)argc + 1) * sizeof *cli->config_argv);
    if (!cli->config_argv)
        return th_cli_nomem(cli);
    cli->json = asks_json(argc, argv);
    cli->shape = TH_CLI_WHOLE;
    for (int i = 0; i < argc; i++) {
        int status = TH_EXIT_OK;
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strcmp(argv[i], "-h") == 0 && cli->given_count < TH_CLI_ARGS)
            cli->given[cli->given_count++].name = "--help";
        else if (options && argv[i][0] == '-' && argv[i][1])
            status = read_option(cli, argc, argv, &i);
        else if (cli->arg_count == TH_CLI_ARGS)
            status = th_cli_fail(cli, TH_EXIT_USAGE, "too many arguments");
        else
            cli->args[cli->arg_count++] = argv[i];
        if (status)
            return status;
        if (cli->given_count && strcmp(cli->given[cli->given_count - 1].name, "--help") == 0)
            return TH_EXIT_OK;
    }
    choose_shape(cli);
    if (cli->arg_count > cli->command->max_args && cli->implied_verb)
        return unknown_verb(cli, cli->args[0]);
    if (cli->arg_count < cli->command->min_args || cli->arg_count > cli->command->max_args)
        return th_cli_fail(
            cli, TH_EXIT_USAGE, "%s; write: tenterhook %s%s%s%s%s",
            cli->arg_count < cli->command->min_args ? "an argument is missing" : "too many arguments",
            cli->command->name, cli->command->verb ? " " : "", cli->command->verb ? cli->command->verb : "",
            *cli->command->arguments ? " " : "", cli->command->arguments);
    return TH_EXIT_OK;
}

static int run(const struct th_command *command, bool implied_verb, int argc, char **argv)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    struct th_cli cli = {.command = command, .implied_verb = implied_verb};
    int status;

    th_arena_init(&cli.mem, (size_t)256 << 20);
    cli.terminal = isatty(STDOUT_FILENO);
    status = read_arguments(&cli, argc, argv);
    cli.colour =
        cli.terminal && !cli.json && !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
    if (!status && th_cli_has(&cli, "--help"))
        th_help_command(stdout, command);
    else if (!status)
        status = command->run(&cli);
    status = status ? status : cli.bad_field;
    th_client_close(cli.client);
    th_arena_fini(&cli.mem);
    return th_cli_flush() || status ? status : TH_EXIT_OUTPUT;
}

static int run_raw(const struct th_command *command, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            th_help_command(stdout, command);
            return TH_EXIT_OK;
        }
    return command->raw(argc, argv);
}

int th_cli_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    const struct th_command *first, *command;
    int skip = 2;

    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    first = command = th_command_find(name, NULL);
    if (!first || !(first->flags & TH_CLI_RAW))
        th_stream_open(asks_json(argc, argv));
    if (!first)
        return unknown_command(&(struct th_cli){.json = asks_json(argc, argv)}, name);
    if (argc > 2 && first->verb) {
        command = th_command_find(name, argv[2]);
        skip = command ? 3 : 2;
        if (!command)
            command = first;
    }
    skip = argc < skip ? argc : skip;
    if (command->flags & TH_CLI_RAW)
        return run_raw(command, argc - skip, argv + skip);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is an error of the write, as a full disk is */
    return run(command, command->verb && (argc < 3 || !th_command_find(name, argv[2])), argc - skip,
               argv + skip);
}
