/* migrate: moves everything from a data directory into a PostgreSQL database, or back.
 *
 * The source is only read and stays as it is. Whatever ends the command, the same command goes on where it was; the copy can be used when
 * it is whole and has been compared with the source, and not before. */
#include "app/datadir.h"
#include "cli/cli.h"
#include "cli/cli_clock.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include "cli/cmd_restore.h"
#include "options/options.h"
#include "store/postgres/postgres_copy.h"
#include "store/sqlite/sqlite_copy.h"
#include <signal.h>
#include <stdlib.h>

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    stop_asked = 1;
    signal(number, SIG_DFL); /* the second time it ends at once */
}

static bool say(void *ctx, const char *what, const char *table, uint64_t done, uint64_t total)
{
    char text[120];

    snprintf(text, sizeof text, "%s: %llu of %llu rows", table, (unsigned long long)done,
             (unsigned long long)total);
    th_progress_say(ctx, total ? (double)done / (double)total : 0, what, text);
    return !stop_asked;
}

static bool is_database(const char *where)
{
    return strncmp(where, "postgres://", 11) == 0 || strncmp(where, "postgresql://", 13) == 0;
}

static enum th_error open_end(const struct th_settings *c, const char *where, bool write,
                              struct st_copy_end **out, char *why, size_t why_size)
{
    enum th_error error;

    if (is_database(where))
        return th_postgres_copy_open(where, c->v[TH_O_STORE_PASSWORD].text, write, out, why, why_size);
    error = write ? th_datadir_make(where, why, why_size) : TH_OK;
    return error ? error : th_sqlite_copy_open(where, write, out, why, why_size);
}

/* What a copy remembers of where it comes from: the place alone, without a user and a password. */
static const char *source_name(struct th_cli *cli, const char *from)
{
    const char *at = is_database(from) ? strchr(from, '@') : NULL, *path;
    char whole[4096];

    if (is_database(from)) {
        path = at ? at + 1 : strstr(from, "://") + 3;
        return th_cli_printf(cli, "%.*s", (int)(strcspn(path, "?") < 200 ? strcspn(path, "?") : 200), path);
    }
    if (!realpath(from, whole))
        return from;
    return th_cli_printf(cli, "%.250s", whole);
}

static int status_of(enum th_error error)
{
    return error == TH_CONFLICT                         ? TH_EXIT_NO
           : error == TH_RETRY || error == TH_CANCELLED ? TH_EXIT_LATER
           : error == TH_NOT_FOUND                      ? TH_EXIT_INPUT
                                                        : th_cmd_store_status(error);
}

static void report(struct th_cli *cli, const char *from, const char *to, const struct st_copy_result *result,
                   int64_t began_ms)
{
    double seconds = (double)(th_cli_clock_ms() - began_ms) / 1000;

    if (cli->json) {
        th_cli_print_format(cli, "{\"tables\": %u, \"rows\": %llu, \"resumed\": %s, \"seconds\": %.3f}\n",
                            result->tables, (unsigned long long)result->rows,
                            result->resumed ? "true" : "false", seconds);
        return;
    }
    printf("%llu rows of %u tables copied, and compared row by row, in %.1f s\n",
           (unsigned long long)result->rows, result->tables, seconds);
    printf("%sthe secret key is not in it: give the server the key that it had%s. The source is unchanged: "
           "start no server on it again, "
           "which would send the same deliveries a second time%s\n",
           th_dim(cli),
           is_database(from) ? "" : th_cli_printf(cli, " (%s/secret.key, if no other is configured)", from),
           th_plain(cli));
    (void)to;
}

static int copy(struct th_cli *cli, const struct th_settings *c, const char *from, const char *to)
{
    int64_t began_ms = th_cli_clock_ms();
    struct st_copy_end *source = NULL, *copy_of = NULL;
    struct st_copy_result result;
    struct th_progress progress;
    char why[700] = "";
    enum th_error error = open_end(c, from, false, &source, why, sizeof why);

    if (!error)
        error = open_end(c, to, true, &copy_of, why, sizeof why);
    if (!error) {
        th_progress_start(&progress, cli);
        error = st_copy(source, copy_of, source_name(cli, from), say, &progress, &result, why, sizeof why);
        th_progress_end(&progress, NULL);
    }
    if (source)
        source->vt->close(source);
    if (copy_of)
        copy_of->vt->close(copy_of);
    if (error == TH_CANCELLED)
        return th_cli_fail(cli, TH_EXIT_LATER, "stopped; the same command goes on from here");
    if (error)
        return th_cli_fail(cli, status_of(error), "%s", why);
    report(cli, from, to, &result, began_ms);
    return TH_EXIT_OK;
}

int th_cmd_migrate(struct th_cli *cli)
{
    const char *from = th_cli_option(cli, "--from"), *to = th_cli_option(cli, "--to");
    struct th_settings c;
    int status;

    if (!from || !to)
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "--from and --to are needed: a data directory and postgres://USER@HOST/DATABASE");
    if (is_database(from) == is_database(to))
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "one of --from and --to must be a data directory and the other one "
                           "postgres://USER@HOST/DATABASE; "
                           "for two of a kind there are backup and restore, and pg_dump");
    if (!th_cmd_settings(cli, &c))
        return TH_EXIT_USAGE;
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    status = copy(cli, &c, from, to);
    th_options_fini(&c);
    return status;
}
