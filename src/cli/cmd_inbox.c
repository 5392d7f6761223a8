/* The commands `sql` and `inbox`: publishing within the transactions of applications. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cmd.h"
#include "cli/embedded_sql.h"

int th_cmd_sql(struct th_cli *cli)
{
    (void)cli;
    fputs(th_embedded_inbox_sql, stdout);
    return fflush(stdout) == 0 ? TH_EXIT_OK : TH_EXIT_OUTPUT;
}

static void inbox_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/database"));
    th_columns_add(t, th_cli_member(t->cli, row, "/waiting"));
    th_columns_add(t, th_cli_time(t->cli, row, "/oldest_at"));
    th_columns_add(t, th_cli_member(t->cli, row, "/rejected"));
    th_columns_add(t, th_cli_member(t->cli, row, "/error"));
}

int th_cmd_inboxes(struct th_cli *cli)
{
    static const char *const heads[] = {"INBOX", "DATABASE", "WAITING", "OLDEST", "REJECTED", "ERROR"};

    return th_cmd_list(cli,
                       &(struct th_cmd_list){"/v1/inboxes", heads, 6, inbox_row,
                                             "no inboxes; make one with: tenterhook sql", TH_LIST_THINGS});
}

static void rejected_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/tenant"));
    th_columns_add(t, th_cli_member(t->cli, row, "/type"));
    th_columns_add(t, th_cli_member(t->cli, row, "/event"));
    th_columns_add(t, th_cli_time(t->cli, row, "/published_at"));
    th_columns_add(t, th_cli_member(t->cli, row, "/reason"));
}

int th_cmd_inbox_rejected(struct th_cli *cli)
{
    static const char *const heads[] = {"ID", "TENANT", "TYPE", "EVENT", "PUBLISHED", "REASON"};

    return th_cmd_list(cli, &(struct th_cmd_list){"/v1/inboxes/rejected", heads, 6, rejected_row,
                                                  "nothing was rejected", TH_LIST_THINGS});
}

/* Of each event that is named. */
static int each(struct th_cli *cli, const char *method, const char *path, const char *done)
{
    int status = TH_EXIT_OK;

    for (unsigned i = 0; i < cli->arg_count && !status; i++) {
        struct th_answer answer;

        status = th_cli_call(cli, method, th_cli_path(cli, path, cli->args[i]), (struct th_span){0}, NULL,
                             &answer);
        if (status)
            break;
        if (!th_cmd_json(cli, &answer))
            printf("%s  %s\n", cli->args[i], done);
        th_answer_free(&answer);
    }
    return status;
}

int th_cmd_inbox_retry(struct th_cli *cli)
{
    return each(cli, "POST", "/v1/inboxes/rejected/%s/retry", "waits again");
}

int th_cmd_inbox_drop(struct th_cli *cli)
{
    if (!th_cli_confirm(cli, th_cli_printf(cli, "Delete %u rejected event%s for good?", cli->arg_count,
                                           cli->arg_count == 1 ? "" : "s")))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not deleted; give --yes to delete without being asked");
    return each(cli, "DELETE", "/v1/inboxes/rejected/%s", "deleted");
}
