/* backup: copies the database of a running server.
 *
 * A backup is the database of one moment, taken beside the running server. The secret key is not in it, on
 * purpose: a stolen backup alone opens no secret. It is done when file and folder are on the disk. */
#include "cli/cli.h"
#include "cli/cli_clock.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include "cli/cmd_restore.h"
#include "options/options.h"
#include "store/sqlite/sqlite_backup.h"
#include <signal.h>
#include <sys/stat.h>

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    stop_asked = 1;
    signal(number, SIG_DFL); /* the second time it ends at once */
}

static bool say(void *ctx, int64_t done, int64_t total)
{
    char text[64];

    snprintf(text, sizeof text, "%lld of about %lld MiB", (long long)(done >> 20), (long long)(total >> 20));
    th_progress_say(ctx, total > 0 ? (double)done / (double)total : 0, "copying", text);
    return !stop_asked;
}

int th_cmd_store_status(enum th_error error)
{
    return error == TH_NOT_FOUND                                        ? TH_EXIT_INPUT
           : error == TH_CONFLICT || error == TH_IO || error == TH_FULL ? TH_EXIT_OUTPUT
           : error == TH_CORRUPT || error == TH_INVALID                 ? TH_EXIT_DATA
           : error == TH_NOMEM                                          ? TH_EXIT_BUG
                                                                        : TH_EXIT_NO;
}

bool th_cmd_settings(struct th_cli *cli, struct th_settings *out)
{
    char why[512];

    if (!th_options_read(cli->config_argc, cli->config_argv, out, why, sizeof why))
        return true;
    th_cli_fail(cli, TH_EXIT_USAGE, "%s", why);
    return false;
}

static void report(struct th_cli *cli, const struct th_settings *c, const struct th_sqlite_state *state,
                   int64_t began_ms)
{
    const char *to = cli->args[0];
    double seconds = (double)(th_cli_clock_ms() - began_ms) / 1000;
    const char *key_file;
    struct stat st;

    if (stat(to, &st) != 0)
        st.st_size = 0;
    if (cli->json) {
        th_cli_print_format(cli, "{\"file\": %s, \"bytes\": %lld, \"layout\": %d, \"seconds\": %.3f}\n",
                            th_cli_quoted(cli, to), (long long)st.st_size, state->version, seconds);
        return;
    }
    printf("%s  %lld KiB, read back whole, in %.1f s\n", to, (long long)(st.st_size >> 10), seconds);
    key_file = th_cli_printf(cli, "%s/secret.key", c->v[TH_O_DATA].text);
    printf("%sthe secrets in it open only with the secret key (%s): keep it as well, in another place%s\n",
           th_dim(cli),
           c->v[TH_O_SECRET_KEY].text ? c->v[TH_O_SECRET_KEY].origin
           : stat(key_file, &st) == 0 ? key_file
                                      : "the one that is given to the server",
           th_plain(cli));
}

int th_cmd_backup(struct th_cli *cli)
{
    int64_t began_ms = th_cli_clock_ms();
    struct th_sqlite_state state;
    struct th_progress progress;
    struct th_settings c;
    enum th_error error;
    char why[700];
    int status = TH_EXIT_OK;

    if (!th_cmd_settings(cli, &c))
        return TH_EXIT_USAGE;
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    th_progress_start(&progress, cli);
    error = th_sqlite_backup(c.v[TH_O_DATA].text, cli->args[0], say, &progress, &state, why, sizeof why);
    th_progress_end(&progress, NULL);
    if (error)
        status = th_cli_fail(cli, th_cmd_store_status(error), "%s", why);
    else if (state.unfit[0])
        status = th_cli_fail(cli, TH_EXIT_DATA,
                             "%s: copied as it is, but its rows do not fit together, and restore will refuse "
                             "it: %s",
                             cli->args[0], state.unfit);
    else
        report(cli, &c, &state, began_ms);
    th_options_fini(&c);
    return status;
}
