/* Output of commands for programs: JSON, or with --field one member of it, or with --quiet only the id; so
 * scripts need no program that takes JSON apart.
 *
 * A name is looked for in the answer itself, else in each row of its list ({"data": [...]}, {"secrets": [...]}, [...]).
 * Strings are printed without quotes, null as an empty line, others as JSON; each on a line. A name that is
 * found nowhere is an error that lists the names that exist, because a typing error must not look like an
 * empty value. */
#include "cli/cli_field.h"
#include "cli/cli.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include <stdarg.h>

/* "last_attempt.status" as "/last_attempt/status". */
static const char *pointer_of(struct th_cli *cli, const char *name)
{
    char *pointer = th_cli_printf(cli, "/%s", name);

    for (char *p = pointer; *p; p++)
        *p = (char)(*p == '.' ? '/' : *p);
    return pointer;
}

static bool print_member(struct th_cli *cli, struct th_json v, const char *pointer)
{
    struct th_json at;

    if (!th_json_pointer(v, th_str(pointer), &at))
        return false;
    if (at.type == TH_JSON_STRING)
        th_print_safe(stdout, th_str(th_cli_member(cli, at, "")));
    else if (at.type != TH_JSON_NULL)
        th_print_safe(stdout, at.raw);
    putchar('\n');
    return true;
}

/* The list in an answer: the answer itself, its `data`, or a member that is a list of objects. */
static bool rows_of(struct th_json v, struct th_json *list)
{
    struct th_json_iter it, rows;
    struct th_json key, row;

    *list = v;
    if (v.type == TH_JSON_ARRAY)
        return true;
    if (v.type != TH_JSON_OBJECT)
        return false;
    if (th_json_member(v, TH_LIT("data"), list) && list->type == TH_JSON_ARRAY)
        return true;
    th_json_iter(&it, v);
    while (th_json_next(&it, &key, list)) {
        if (list->type != TH_JSON_ARRAY)
            continue;
        th_json_iter(&rows, *list);
        if (th_json_next(&rows, NULL, &row) && row.type == TH_JSON_OBJECT)
            return true;
    }
    return false;
}

/* The names that exist, for the message. */
static const char *names_of(struct th_cli *cli, struct th_json v)
{
    struct th_json list, key;
    struct th_json_iter it;
    const char *all = "";

    if (v.type != TH_JSON_OBJECT || (rows_of(v, &list) && th_json_pointer(v, TH_LIT("/data"), &key))) {
        if (!rows_of(v, &list))
            return all;
        th_json_iter(&it, list);
        if (!th_json_next(&it, NULL, &v) || v.type != TH_JSON_OBJECT)
            return all;
    }
    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &list))
        all = th_cli_printf(cli, "%s%s%s", all, *all ? ", " : "", th_cli_member(cli, key, ""));
    return all;
}

static int print_field(struct th_cli *cli, struct th_json v, const char *name)
{
    const char *pointer = pointer_of(cli, name), *names;
    unsigned count = 0, found = 0;
    struct th_json list, row;
    struct th_json_iter it;

    if (v.type == TH_JSON_OBJECT && print_member(cli, v, pointer))
        return TH_EXIT_OK;
    if (rows_of(v, &list)) {
        th_json_iter(&it, list);
        for (; th_json_next(&it, NULL, &row); count++)
            found += print_member(cli, row, pointer);
        if (found == count)
            return TH_EXIT_OK;
    }
    names = names_of(cli, v);
    return th_cli_fail(cli, TH_EXIT_NO, "--field %s: the answer has no such member%s%s", name,
                       *names ? "; there are " : "", names);
}

/* The id, whatever its member is called in things of this kind. Things without an id are left out. */
static void print_id(struct th_cli *cli, struct th_json v)
{
    static const char *const names[] = {"/id", "/delivery", "/endpoint", "/name"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (v.type == TH_JSON_OBJECT && print_member(cli, v, names[i]))
            return;
}

static void print_ids(struct th_cli *cli, struct th_json v)
{
    struct th_json list, row;
    struct th_json_iter it;

    if (v.type == TH_JSON_OBJECT && !th_json_pointer(v, TH_LIT("/data"), &list)) {
        print_id(cli, v);
        return;
    }
    if (!rows_of(v, &list))
        return;
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &row))
        print_id(cli, row);
}

int th_cli_print(struct th_cli *cli, struct th_json v)
{
    const char *name;

    if (cli->shape == TH_CLI_WHOLE) {
        th_print_json(stdout, v);
        return TH_EXIT_OK;
    }
    if (cli->shape == TH_CLI_IDS) {
        print_ids(cli, v);
        return TH_EXIT_OK;
    }
    for (unsigned i = 0; (name = th_cli_option_at(cli, "--field", i)) != NULL; i++) {
        int status = strchr(name, '=') ? TH_EXIT_OK : print_field(cli, v, name);
        if (status)
            return cli->bad_field = status;
    }
    return TH_EXIT_OK;
}

int th_cli_print_line(struct th_cli *cli, struct th_json v)
{
    if (cli->shape != TH_CLI_WHOLE)
        return th_cli_print(cli, v);
    printf("%.*s\n", (int)v.raw.n, v.raw.p);
    return TH_EXIT_OK;
}

void th_cli_print_text(struct th_cli *cli, struct th_span text)
{
    struct th_json v;

    if (cli->shape == TH_CLI_WHOLE || th_json_parse(text, TH_JSON_DEPTH, &v, NULL))
        fwrite(text.p, 1, text.n, stdout);
    else
        (void)th_cli_print(cli, v);
}

void th_cli_print_format(struct th_cli *cli, const char *format, ...)
{
    char text[8192]; /* paths and words, quoted */
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        th_cli_print_text(cli, th_span(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}
