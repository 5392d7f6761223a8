/* Texts made from the table of commands: help, manual pages. One source, so they cannot differ;
 * a test compares what packaging/ holds with what this writes. */
#include "cli/cli_help.h"
#include "cli/cli.h"
#include "cli/cli_field.h"
#include "cli/cmd.h"
#include "options/options.h"
#include <errno.h>
#include <sys/stat.h>

static void usage(FILE *to, const struct th_command *c)
{
    fprintf(to, "tenterhook %s%s%s%s%s [OPTIONS]", c->name, c->verb ? " " : "", c->verb ? c->verb : "",
            *c->arguments ? " " : "", c->arguments);
}

static void print_options(FILE *to, const char *title, const struct th_cli_option *list)
{
    if (!list || !list->name)
        return;
    fprintf(to, "\n%s:\n", title);
    for (; list->name; list++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", list->name, list->argument ? " " : "",
                 list->argument ? list->argument : "");
        fprintf(to, "  %-26s %s\n", left, list->help);
    }
}

/* Paragraphs, broken at spaces to 100 columns. */
static void print_wrapped(FILE *to, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n"), cut = n;
        if (n > 100)
            for (cut = 100; cut && text[cut] != ' '; cut--)
                ;
        cut = cut ? cut : n;
        fprintf(to, "%.*s\n", (int)cut, text);
        text += cut;
        text += *text == ' ' || *text == '\n';
    }
}

void th_help_command(FILE *to, const struct th_command *c)
{
    struct th_buf config;

    fputs("usage: ", to);
    usage(to, c);
    fprintf(to, "\n\n%c%s.\n", c->help[0] - (c->help[0] >= 'a' && c->help[0] <= 'z' ? 32 : 0), c->help + 1);
    if (c->text) {
        fputc('\n', to);
        print_wrapped(to, c->text);
    }
    if (th_help_example(c))
        fprintf(to, "\nexample:\n  %s\n", th_help_example(c));
    print_options(to, "options", c->options);
    if (c->flags & TH_CLI_API)
        print_options(to, "the server", th_cli_api);
    if (!(c->flags & TH_CLI_RAW))
        print_options(to, "always", th_cli_common);
    if (c->flags & TH_CLI_CONFIG) {
        th_buf_init(&config, 1u << 20);
        th_options_help(&config);
        fprintf(to, "\nconfiguration (flags before environment before file before default):\n\n%s",
                th_buf_cstr(&config));
        th_buf_fini(&config);
    }
    if (th_help_first_of_name(c) && c->verb)
        for (const struct th_command *v = c; v->name && strcmp(v->name, c->name) == 0; v++) {
            fputs(v == c ? "\nall of it:\n  " : "  ", to);
            usage(to, v);
            fprintf(to, "\n      %s%s\n", v->help, v == c ? " (the verb may be left out)" : "");
        }
}

static const char statuses[] =
    "exit status:\n"
    "  0 done   1 the thing asked failed, or the answer is no\n"
    "  64 wrong arguments or configuration   65 input is not what it should be\n"
    "  66 a file cannot be read   69 no server answers   70 out of memory, or a bug\n"
    "  73 a file cannot be written   74 the store failed   75 the server cannot do it now: try later\n"
    "  77 the key is missing, wrong, or without the right\n";

static void overview_row(FILE *to, const struct th_command *c)
{
    char left[160];

    snprintf(left, sizeof left, "%s%s%s%s%s", c->name, c->verb ? " " : "", c->verb ? c->verb : "",
             *c->arguments ? " " : "", c->arguments);
    if (strlen(left) > 36)
        fprintf(to, "  %s\n  %-36s %s\n", left, "", c->help);
    else
        fprintf(to, "  %-36s %s\n", left, c->help);
}

static bool in_group(const struct th_group *g, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = strstr(g->names, name); p; p = strstr(p + 1, name))
        if ((p == g->names || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

/* In the order of a group's names, so that the commands that are needed first stand first. */
static void overview_group(FILE *to, const struct th_group *g)
{
    char names[200], *rest = NULL;

    snprintf(names, sizeof names, "%s", g->names);
    fprintf(to, "%s:\n", g->title);
    for (const char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        for (const struct th_command *c = th_commands; c->name; c++)
            if (th_help_shown(c) && strcmp(c->name, name) == 0)
                overview_row(to, c);
    fputc('\n', to);
}

static void overview(FILE *to)
{
    bool other = false;

    fputs("tenterhook: the webhook engine\n\n", to);
    for (const struct th_group *g = th_groups; g->title; g++)
        overview_group(to, g);
    for (const struct th_command *c = th_commands; c->name; c++) {
        bool grouped = false;
        for (const struct th_group *g = th_groups; g->title; g++)
            grouped = grouped || in_group(g, c->name);
        if (grouped || !th_help_shown(c))
            continue;
        fputs(other ? "" : "others:\n", to);
        other = true;
        overview_row(to, c);
    }
    fputs(other ? "\n" : "", to);
    fputs("`tenterhook help COMMAND [VERB]` describes one, with an example. All but serve take --json, and "
          "--field NAME\n"
          "and --quiet, which print a part of it.\n\n",
          to);
    fputs(statuses, to);
}

/* ---- manual pages ---- */

static void roff(FILE *to, const char *text)
{
    bool start = true;

    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", to);
        if (*text == '-')
            fputs("\\-", to);
        else if (*text == '\\')
            fputs("\\e", to);
        else
            fputc(*text, to);
        start = *text == '\n';
    }
}

static void roff_paragraphs(FILE *to, const char *text)
{
    for (; *text; text++) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) : strlen(text);
        char line[4096];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        fputs(".PP\n", to);
        roff(to, line);
        fputc('\n', to);
        text += n + (end ? 1 : 0);
        if (!end)
            break;
    }
}

static void roff_options(FILE *to, const struct th_cli_option *list)
{
    for (; list && list->name; list++) {
        fputs(".TP\n.B ", to);
        roff(to, list->name);
        if (list->argument)
            fprintf(to, " \\fI%s\\fR", list->argument);
        fputc('\n', to);
        roff(to, list->help);
        fputc('\n', to);
    }
}

static void roff_config(FILE *to)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        fputs(".TP\n.B ", to);
        roff(to, o->flag ? o->flag : o->env ? o->env : o->key);
        if (o->flag && o->argument)
            fprintf(to, " \\fI%s\\fR", o->argument);
        fputc('\n', to);
        roff(to, o->help);
        if (o->choices) {
            fputs(": ", to);
            roff(to, o->choices);
        }
        if (o->fallback) {
            fputs(" (default ", to);
            roff(to, o->fallback);
            fputc(')', to);
        }
        if (o->flag && o->env) {
            fputs("; environment ", to);
            roff(to, o->env);
        }
        if (o->key) {
            fputs("; in the file: ", to);
            roff(to, o->key);
        }
        fputs(".\n", to);
    }
}

static void man_head(FILE *to, const char *name)
{
    fprintf(to, ".\\\" Made from the table of commands by `tenterhook help --write`.\n.TH ");
    for (; *name; name++)
        fputc(*name >= 'a' && *name <= 'z' ? *name - 32 : *name, to);
    fputs(" 1 " TH_DATE " \"Tenterhook " TH_VERSION "\" \"Tenterhook\"\n.SH NAME\n", to);
}

static void man_verb(FILE *to, const struct th_command *c)
{
    fputs(".SS ", to);
    roff(to, c->name);
    if (c->verb)
        fprintf(to, " %s", c->verb);
    fputc(' ', to);
    roff(to, c->arguments);
    fprintf(to, "\n%c", c->help[0] - (c->help[0] >= 'a' && c->help[0] <= 'z' ? 32 : 0));
    roff(to, c->help + 1);
    fputs(".\n", to);
    if (c->text)
        roff_paragraphs(to, c->text);
    if (th_help_example(c)) {
        fputs(".PP\nExample:\n.PP\n.RS\n.nf\n", to);
        roff(to, th_help_example(c));
        fputs("\n.fi\n.RE\n", to);
    }
    roff_options(to, c->options);
}

static void man_command(FILE *to, const struct th_command *first)
{
    unsigned flags = 0;
    char name[80];

    snprintf(name, sizeof name, "tenterhook-%s", first->name);
    man_head(to, name);
    roff(to, name);
    fputs(" \\- ", to);
    roff(to, first->help);
    fputs("\n.SH SYNOPSIS\n", to);
    for (const struct th_command *c = first; c->name && strcmp(c->name, first->name) == 0; c++) {
        fputs(c == first ? ".B " : ".br\n.B ", to);
        fputs("tenterhook ", to);
        roff(to, c->name);
        if (c->verb)
            fprintf(to, " %s", c->verb);
        fputs(" \\fI", to);
        roff(to, c->arguments);
        fputs("\\fR [\\fIOPTIONS\\fR]\n", to);
        flags |= c->flags;
    }
    fputs(".SH DESCRIPTION\n", to);
    for (const struct th_command *c = first; c->name && strcmp(c->name, first->name) == 0; c++)
        man_verb(to, c);
    if (flags & TH_CLI_API) {
        fputs(".SH THE SERVER\n", to);
        roff_options(to, th_cli_api);
    }
    if (flags & TH_CLI_CONFIG) {
        fputs(".SH CONFIGURATION\nFlags before environment before file before default.\n", to);
        roff_config(to);
    }
    if (!(flags & TH_CLI_RAW)) {
        fputs(".SH ALWAYS\n", to);
        roff_options(to, th_cli_common);
    }
    fputs(".SH EXIT STATUS\n0 done; 1 the thing asked failed, or the answer is no; others as in\n.BR "
          "tenterhook (1).\n",
          to);
    fputs(".SH SEE ALSO\n.BR tenterhook (1)\n", to);
}

static void man_main(FILE *to)
{
    man_head(to, "tenterhook");
    fputs("tenterhook \\- the webhook engine\n.SH SYNOPSIS\n.B tenterhook\n\\fICOMMAND\\fR "
          "[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n",
          to);
    fputs(".SH DESCRIPTION\nTenterhook accepts events, keeps them safely, and delivers them as signed HTTP "
          "requests to the endpoints\n"
          "that subscribed, again and again until each has answered or its schedule is used up.\n.SH "
          "COMMANDS\n",
          to);
    for (const struct th_command *c = th_commands; c->name; c++) {
        if (!th_help_shown(c) || !th_help_first_of_name(c))
            continue;
        fputs(".TP\n.BR ", to);
        fputs("tenterhook\\-", to);
        roff(to, c->name);
        fputs(" (1)\n", to);
        roff(to, c->help);
        fputc('\n', to);
    }
    fputs(".SH EXIT STATUS\n.nf\n", to);
    roff(to, strchr(statuses, '\n') + 1);
    fputs(".fi\n.SH ENVIRONMENT\n", to);
    roff_options(to, th_cli_api);
    fputs(".TP\n.B NO_COLOR\nNo colour, when it is set to anything.\n", to);
}

/* ---- help ---- */

static int write_file(struct th_cli *cli, const char *dir, const char *name, const struct th_command *c,
                      void (*write_it)(FILE *))
{
    const char *path = th_cli_printf(cli, "%s/%s", dir, name);
    FILE *to = fopen(path, "we");
    bool bad;

    if (!to)
        return th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (c)
        man_command(to, c);
    else
        write_it(to);
    bad = ferror(to);
    bad = fclose(to) != 0 || bad;
    return bad ? th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: cannot be written: %s", path, strerror(errno))
               : TH_EXIT_OK;
}

static int write_all(struct th_cli *cli, const char *dir)
{
    const char *man = th_cli_printf(cli, "%s/man", dir),
               *completions = th_cli_printf(cli, "%s/completions", dir);
    int status;

    (void)mkdir(dir, 0777); /* if this fails, the first fopen reports it */
    (void)mkdir(man, 0777);
    (void)mkdir(completions, 0777);
    status = write_file(cli, man, "tenterhook.1", NULL, man_main);
    for (const struct th_command *c = th_commands; !status && c->name; c++)
        if (th_help_shown(c) && th_help_first_of_name(c))
            status = write_file(cli, man, th_cli_printf(cli, "tenterhook-%s.1", c->name), c, NULL);
    if (!status)
        status = write_file(cli, completions, "tenterhook.bash", NULL, th_complete_bash);
    if (!status)
        status = write_file(cli, completions, "_tenterhook", NULL, th_complete_zsh);
    if (!status)
        status = write_file(cli, completions, "tenterhook.fish", NULL, th_complete_fish);
    return status;
}

static int print_completion(struct th_cli *cli, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        th_complete_bash(stdout);
    else if (strcmp(shell, "zsh") == 0)
        th_complete_zsh(stdout);
    else if (strcmp(shell, "fish") == 0)
        th_complete_fish(stdout);
    else
        return th_cli_fail(cli, TH_EXIT_USAGE, "--completion \"%s\": bash, zsh or fish", shell);
    return TH_EXIT_OK;
}

/* ---- for programs ---- */

static void json_text(struct th_jw *w, const char *name, const char *text)
{
    th_jw_key(w, th_str(name));
    if (text)
        th_jw_string(w, th_str(text));
    else
        th_jw_null(w);
}

static void json_options(struct th_jw *w, const struct th_cli_option *list)
{
    for (; list && list->name; list++) {
        th_jw_object(w);
        json_text(w, "name", list->name);
        json_text(w, "argument", list->argument);
        json_text(w, "help", list->help);
        th_jw_end_object(w);
    }
}

static void json_command(struct th_jw *w, const struct th_command *c)
{
    th_jw_object(w);
    json_text(w, "name", c->name);
    json_text(w, "verb", c->verb);
    json_text(w, "arguments", c->arguments);
    json_text(w, "help", c->help);
    json_text(w, "example", th_help_example(c));
    th_jw_key(w, TH_LIT("options"));
    th_jw_array(w);
    json_options(w, c->options);
    json_options(w, c->flags & TH_CLI_API ? th_cli_api : NULL);
    for (unsigned id = 0; c->flags & TH_CLI_CONFIG && id < TH_O_COUNT; id++)
        if (th_options[id].flag)
            json_options(w, (const struct th_cli_option[]){
                                {th_options[id].flag, th_options[id].argument, th_options[id].help}, {0}});
    json_options(w, c->flags & TH_CLI_RAW ? NULL : th_cli_common);
    th_jw_end_array(w);
    th_jw_end_object(w);
}

/* Of one name, or of all; and of one verb. */
static int json_help(struct th_cli *cli, const char *name, const char *verb)
{
    struct th_buf out;
    struct th_jw w;

    th_buf_init(&out, 4u << 20);
    w = th_jw(&out);
    th_jw_array(&w);
    for (const struct th_command *c = th_commands; c->name; c++)
        if (th_help_shown(c) && (!name || strcmp(c->name, name) == 0) &&
            (!verb || (c->verb && strcmp(c->verb, verb) == 0)))
            json_command(&w, c);
    th_jw_end_array(&w);
    if (out.failed)
        return th_cli_nomem(cli);
    (void)th_cli_print(cli, (struct th_json){TH_JSON_ARRAY, th_buf_view(&out)});
    th_buf_fini(&out);
    return TH_EXIT_OK;
}

int th_cmd_help(struct th_cli *cli)
{
    const char *name = cli->arg_count ? cli->args[0] : NULL, *verb = cli->arg_count > 1 ? cli->args[1] : NULL;
    const struct th_command *c = name ? th_command_find(name, verb) : NULL;

    if (th_cli_option(cli, "--write"))
        return write_all(cli, th_cli_option(cli, "--write"));
    if (th_cli_option(cli, "--completion"))
        return print_completion(cli, th_cli_option(cli, "--completion"));
    if (name && !c)
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "there is no command \"%s%s%s\"; `tenterhook help` lists what there is", name,
                           verb ? " " : "", verb ? verb : "");
    if (cli->json)
        return json_help(cli, name, verb);
    if (th_cli_has(cli, "--man")) {
        if (c)
            man_command(stdout, th_command_find(name, NULL));
        else
            man_main(stdout);
    } else if (c) {
        th_help_command(stdout, c);
    } else {
        overview(stdout);
    }
    return TH_EXIT_OK;
}
