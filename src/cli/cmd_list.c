/* Prints lists for all commands: rows of all pages up to --limit, as a table for people, or as one JSON
 * object for programs. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

struct rows {
    struct th_buf out;
    unsigned count;
};

static void keep_row(void *ctx, struct th_json row)
{
    struct rows *rows = ctx;

    th_buf_str(&rows->out, rows->count++ ? "," : "");
    th_buf_span(&rows->out, row.raw);
}

/* Bounded by 1 GiB, which --limit keeps far away. */
static int print_json(struct th_cli *cli, const char *path, int64_t limit)
{
    struct rows rows = {.count = 0};
    struct th_cli_rest rest;
    int status;

    th_buf_init(&rows.out, (size_t)1 << 30);
    th_buf_str(&rows.out, "{\"data\":[");
    status = th_cli_list(cli, path, limit, keep_row, &rows, &rest);
    th_buf_str(&rows.out, rest.more ? "],\"more\":true" : "],\"more\":false");
    if (rest.cursor) /* base64url */
        th_buf_printf(&rows.out, ",\"next_cursor\":\"%s\"", rest.cursor);
    th_buf_char(&rows.out, '}');
    if (!status)
        status = rows.out.failed ? th_cli_nomem(cli) : TH_EXIT_OK;
    if (!status)
        status = th_cli_print(cli, (struct th_json){TH_JSON_OBJECT, th_buf_view(&rows.out)});
    th_buf_fini(&rows.out);
    return status;
}

/* Printed on standard error, because a script counts the rows. */
static void say_more(struct th_cli *cli, int64_t limit)
{
    const struct th_cli_option *o = cli->command->options;

    while (o && o->name && strcmp(o->name, "--since") != 0)
        o++;
    fflush(stdout);
    fprintf(stderr, "%sthere are more than these %lld; --limit %lld shows more%s%s\n", th_dim(cli),
            (long long)limit, (long long)(limit < 100000 ? limit * 10 : 1000000),
            o && o->name ? ", --since and --until choose a time" : "", th_plain(cli));
}

static void say_cursor(struct th_cli *cli, const char *cursor)
{
    fflush(stdout);
    fprintf(stderr, "%solder ones have not been looked at; --cursor %s goes on with them%s\n", th_dim(cli),
            cursor, th_plain(cli));
}

int th_cmd_list(struct th_cli *cli, const struct th_cmd_list *list)
{
    struct th_columns table;
    struct th_cli_rest rest;
    int64_t limit;
    int status;

    if (!th_cli_number(cli, "--limit", 1, 1000000, list->most, &limit))
        return TH_EXIT_USAGE;
    if (cli->json)
        return print_json(cli, list->path, limit);
    th_columns_init(&table, cli, list->columns, list->heads);
    status = th_cli_list(cli, list->path, limit, list->row, &table, &rest);
    if (!status && th_columns_rows(&table))
        th_columns_print(&table);
    else if (!status)
        printf("%s%s\n", list->none, rest.cursor ? " among the newest" : "");
    if (!status && rest.cursor)
        say_cursor(cli, rest.cursor);
    else if (!status && rest.more)
        say_more(cli, limit);
    return status;
}
