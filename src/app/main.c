/* The commands: one table. Exit status: 0 done, 64 wrong usage or configuration, 74 the store failed. */
#include "app/serve.h"
#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 64

static int cmd_serve(int argc, char **argv);
static int cmd_init(int argc, char **argv);
static int cmd_config(int argc, char **argv);
static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct command {
    const char *name, *arguments, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "[OPTIONS]", "run the server", cmd_serve},
    {"init", "[OPTIONS]", "make the data directory, its keys and the operator's API key, and stop", cmd_init},
    {"config", "check [OPTIONS]", "say whether the configuration is valid, without starting", cmd_config},
    {"version", "", "print the version", cmd_version},
    {"help", "[COMMAND]", "this text, or the options of a command", cmd_help},
};

static bool wants_help(int argc, char **argv)
{
    return argc && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
}

static int cmd_serve(int argc, char **argv)
{
    char *topic[] = {"serve"};

    return wants_help(argc, argv) ? cmd_help(1, topic) : th_serve(argc, argv, false);
}

static int cmd_init(int argc, char **argv)
{
    char *topic[] = {"init"};

    return wants_help(argc, argv) ? cmd_help(1, topic) : th_serve(argc, argv, true);
}

static int cmd_config(int argc, char **argv)
{
    if (argc < 1 || strcmp(argv[0], "check") != 0) {
        fprintf(stderr, "tenterhook: config: what to do is missing or unknown; write: tenterhook config check [OPTIONS]\n");
        return EXIT_USAGE;
    }
    return th_config_check(argc - 1, argv + 1);
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("tenterhook %s\n", TH_VERSION);
    return 0;
}

static int cmd_help(int argc, char **argv)
{
    struct th_buf out;

    th_buf_init(&out, 1u << 20);
    if (argc && strcmp(argv[0], "version") != 0 && strcmp(argv[0], "help") != 0) {
        th_buf_str(&out, "options (flags before environment before file before default):\n\n");
        th_config_help(&out);
    } else {
        th_buf_str(&out, "tenterhook: the webhook engine\n\n");
        for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
            th_buf_printf(&out, "  tenterhook %s %s\n        %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    }
    fputs(th_buf_cstr(&out), stdout);
    th_buf_fini(&out);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc > 2 ? argc - 2 : 0, argv + 2);
    fprintf(stderr, "tenterhook: unknown command \"%s\"; `tenterhook help` lists what there is\n", name);
    return EXIT_USAGE;
}
