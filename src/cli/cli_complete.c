/* Completions for bash, zsh and fish, from the table of commands. */
#include "cli/cli.h"
#include "cli/cli_help.h"
#include "options/options.h"
#include "tenterhook/tenterhook.h"

/* ---- values ---- */

static bool takes_dialect(const char *option)
{
    return strcmp(option, "--dialect") == 0 || strcmp(option, "--verify") == 0 ||
           strcmp(option, "--default-dialect") == 0;
}

static void put_dialects(FILE *to)
{
    const char *name;

    for (unsigned i = 0; (name = tenterhook_dialect_at(i)) != NULL; i++)
        fprintf(to, "%s%s", i ? " " : "", name);
}

/* ---- options and words ---- */

static void each_option(FILE *to, const struct th_command *c,
                        void (*put)(FILE *, const struct th_command *, const struct th_cli_option *))
{
    const struct th_cli_option *lists[] = {c->options, c->flags & TH_CLI_API ? th_cli_api : NULL,
                                           c->flags & TH_CLI_RAW ? NULL : th_cli_common};

    for (unsigned i = 0; i < 3; i++)
        for (const struct th_cli_option *o = lists[i]; o && o->name; o++)
            put(to, c, o);
    for (unsigned id = 0; (c->flags & TH_CLI_CONFIG) && id < TH_O_COUNT; id++)
        if (th_options[id].flag)
            put(to, c,
                &(struct th_cli_option){th_options[id].flag, th_options[id].argument, th_options[id].help});
}

static void put_word(FILE *to, const struct th_command *c, const struct th_cli_option *o)
{
    (void)c;
    fprintf(to, " %s", o->name);
}

void th_complete_bash(FILE *to)
{
    fputs("# bash completion for tenterhook. Made from the table of commands by `tenterhook help --write`.\n"
          "_tenterhook() {\n    local cur=${COMP_WORDS[COMP_CWORD]} name=${COMP_WORDS[1]} "
          "verb=${COMP_WORDS[2]} words=\n"
          "    COMPREPLY=()\n    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
          "        --*-file|--config|--to)\n"
          "            COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n        --data|--dialects)\n"
          "            COMPREPLY=($(compgen -d -- \"$cur\")); return;;\n"
          "        --dialect|--verify|--default-dialect)\n            COMPREPLY=($(compgen -W \"",
          to);
    put_dialects(to);
    fputs("\" -- \"$cur\") $(compgen -f -- \"$cur\")); return;;\n    esac\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"",
          to);
    for (const struct th_command *c = th_commands; c->name; c++)
        if (th_help_shown(c) && th_help_first_of_name(c))
            fprintf(to, "%s%s", c == th_commands ? "" : " ", c->name);
    fputs("\"\n    else\n        case \"$name $verb\" in\n", to);
    for (const struct th_command *c = th_commands; c->name; c++) {
        if (!th_help_shown(c) || !c->verb)
            continue;
        fprintf(to, "            \"%s %s\") words=\"", c->name, c->verb);
        each_option(to, c, put_word);
        fputs("\";;\n", to);
    }
    for (const struct th_command *c = th_commands; c->name; c++) {
        if (!th_help_shown(c) || !th_help_first_of_name(c))
            continue;
        fprintf(to, "            \"%s \"*) words=\"", c->name);
        for (const struct th_command *v = c; c->verb && v->name && strcmp(v->name, c->name) == 0; v++)
            fprintf(to, " %s", v->verb);
        each_option(to, c, put_word);
        fputs("\";;\n", to);
    }
    fputs("        esac\n    fi\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -F "
          "_tenterhook tenterhook\n",
          to);
}

/* Inside single quotes. A quote itself ends them, stands there escaped, and begins them again: so in all three. */
static void put_quoted(FILE *to, const char *text, const char *escaped)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", to);
        else if (strchr(escaped, *text))
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void put_zsh(FILE *to, const struct th_command *c, const struct th_cli_option *o)
{
    (void)c;
    fprintf(to, " \\\n                '*%s[", o->name);
    put_quoted(to, o->help, "[]:\\");
    fputc(']', to);
    if (takes_dialect(o->name)) {
        fprintf(to, ":%s:(", o->argument);
        put_dialects(to);
        fputc(')', to);
    } else if (o->argument)
        fprintf(to, ":%s:%s", o->argument,
                strstr(o->argument, "FILE")       ? "_files"
                : strcmp(o->argument, "DIR") == 0 ? "_directories"
                                                  : "");
    fputc('\'', to);
}

void th_complete_zsh(FILE *to)
{
    fputs("#compdef tenterhook\n# Made from the table of commands by `tenterhook help "
          "--write`.\n_tenterhook() {\n    local -a names\n"
          "    names=(\n",
          to);
    for (const struct th_command *c = th_commands; c->name; c++) {
        if (!th_help_shown(c) || !th_help_first_of_name(c))
            continue;
        fprintf(to, "        '%s:", c->name);
        put_quoted(to, c->help, ":\\");
        fputs("'\n", to);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe command names\n        return\n    fi\n"
          "    case \"$words[2] $words[3]\" in\n",
          to);
    for (unsigned pass = 0; pass < 2; pass++)
        for (const struct th_command *c = th_commands; c->name; c++) {
            if (!th_help_shown(c) || (pass == 0 ? !c->verb : !th_help_first_of_name(c)))
                continue;
            fprintf(to, pass == 0 ? "        \"%s %s\")\n" : "        \"%s \"*)\n", c->name, c->verb);
            if (pass == 1 && c->verb) {
                fputs("            (( CURRENT == 3 )) && compadd --", to);
                for (const struct th_command *v = c; v->name && strcmp(v->name, c->name) == 0; v++)
                    fprintf(to, " %s", v->verb);
                fputc('\n', to);
            }
            fputs("            _arguments", to);
            each_option(to, c, put_zsh);
            fputs(" \\\n                '*:argument:_files'\n            ;;\n", to);
        }
    fputs("    esac\n}\n_tenterhook \"$@\"\n", to);
}

static void put_fish(FILE *to, const struct th_command *c, const struct th_cli_option *o)
{
    fprintf(to, "complete -c tenterhook -n '__fish_seen_subcommand_from %s", c->name);
    if (c->verb && !th_help_first_of_name(c))
        fprintf(to, "; and __fish_seen_subcommand_from %s", c->verb);
    fprintf(to, "' -l %s%s", o->name + 2,
            !o->argument                                                     ? ""
            : strstr(o->argument, "FILE") || strcmp(o->argument, "DIR") == 0 ? " -r -F"
                                                                             : " -x");
    if (takes_dialect(o->name)) {
        fputs(" -a '", to);
        put_dialects(to);
        fputc('\'', to);
    }
    fputs(" -d '", to);
    put_quoted(to, o->help, "\\");
    fputs("'\n", to);
}

void th_complete_fish(FILE *to)
{
    fputs("# fish completion for tenterhook. Made from the table of commands by `tenterhook help --write`.\n",
          to);
    for (const struct th_command *c = th_commands; c->name; c++) {
        if (!th_help_shown(c))
            continue;
        if (th_help_first_of_name(c)) {
            fprintf(to, "complete -c tenterhook -n __fish_use_subcommand -f -a %s -d '", c->name);
            put_quoted(to, c->help, "\\");
            fputs("'\n", to);
        }
        if (c->verb) {
            fprintf(to, "complete -c tenterhook -n '__fish_seen_subcommand_from %s' -a %s -d '", c->name,
                    c->verb);
            put_quoted(to, c->help, "\\");
            fputs("'\n", to);
        }
        each_option(to, c, put_fish);
    }
}
