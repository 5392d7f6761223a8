/* backup, restore, config show: what an operator does with a data directory and a configuration.
 *
 * A backup is the database of one moment, taken beside the running server. The secret key is not in it, on
 * purpose: a stolen backup alone opens no secret. restore puts a backup into a directory that has no database
 * yet; it writes over nothing. */
#include "app/cmd.h"
#include "app/config.h"
#include "app/datadir.h"
#include "store/sqlite_backup.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

/* ---- progress ---- */

struct progress {
    struct th_cli *cli;
    int64_t began_ms, said_ms;
};

static bool say(void *ctx, int64_t done, int64_t total)
{
    struct progress *p = ctx;
    int64_t now = th_cmd_mono_ms(), spent = now - p->began_ms;
    double part = total > 0 ? (double)done / (double)total : 0;

    if (!p->cli->json && now - p->said_ms > 1000) {
        p->said_ms = now;
        fprintf(stderr, "%3.0f %%  %lld of about %lld MiB", part > 1 ? 100 : part * 100,
                (long long)(done >> 20), (long long)(total >> 20));
        if (part > 0.02 && part < 1)
            fprintf(stderr, ", about %lld s left", (long long)((double)spent * (1 - part) / part / 1000) + 1);
        fputc('\n', stderr);
    }
    return !stop_asked;
}

static int status_of(enum th_error error)
{
    return error == TH_NOT_FOUND                                        ? TH_EXIT_INPUT
           : error == TH_CONFLICT || error == TH_IO || error == TH_FULL ? TH_EXIT_OUTPUT
           : error == TH_CORRUPT || error == TH_INVALID                 ? TH_EXIT_DATA
                                                                        : TH_EXIT_NO;
}

static bool settings(struct th_cli *cli, struct th_settings *out)
{
    char why[512];

    if (!th_config_read(cli->config_argc, cli->config_argv, out, why, sizeof why))
        return true;
    th_cli_fail(cli, TH_EXIT_USAGE, "%s", why);
    return false;
}

/* ---- backup ---- */

int th_cmd_backup(struct th_cli *cli)
{
    struct progress p = {cli, th_cmd_mono_ms(), th_cmd_mono_ms()};
    const char *to = cli->args[0];
    struct th_settings c;
    enum th_error error;
    struct stat st = {0};
    char why[700];
    int version = 0;

    if (!settings(cli, &c))
        return TH_EXIT_USAGE;
    signal(SIGINT, on_stop);
    error = th_sqlite_backup(c.v[TH_O_DATA].text, to, say, &p, why, sizeof why);
    if (!error) {
        error = th_sqlite_judge(to, &version, why, sizeof why);
        if (error)
            (void)unlink(to);
    }
    if (!error && stat(to, &st) != 0)
        st.st_size = 0;
    if (!error && cli->json)
        printf("{\"file\": %s, \"bytes\": %lld, \"layout\": %d, \"seconds\": %.3f}\n", th_cli_quoted(cli, to),
               (long long)st.st_size, version, (double)(th_cmd_mono_ms() - p.began_ms) / 1000);
    else if (!error)
        printf("%s  %lld KiB, read back whole, in %.1f s\n%sthe secrets in it open only with the secret key: "
               "keep %s as well, in another place%s\n",
               to, (long long)(st.st_size >> 10), (double)(th_cmd_mono_ms() - p.began_ms) / 1000, th_dim(cli),
               c.v[TH_O_SECRET_KEY].text ? "TENTERHOOK_SECRET_KEY"
                                         : th_cli_printf(cli, "%s/secret.key", c.v[TH_O_DATA].text),
               th_plain(cli));
    th_config_fini(&c);
    return error ? th_cli_fail(cli, status_of(error), "%s", why) : TH_EXIT_OK;
}

/* ---- restore ---- */

static bool copy_file(const char *from, const char *to, char *why, size_t why_size)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    static char block[1 << 16];
    ssize_t n = -1;
    bool ok = in >= 0 && out >= 0;

    while (ok && (n = read(in, block, sizeof block)) > 0)
        for (ssize_t done = 0; ok && done < n;) {
            ssize_t some = write(out, block + done, (size_t)(n - done));
            ok = some > 0;
            done += some;
        }
    ok = ok && n == 0 && fsync(out) == 0;
    if (!ok)
        snprintf(why, why_size, "%s: cannot be copied to %s: %s", from, to, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (!ok && out >= 0)
        (void)unlink(to);
    return ok;
}

static bool sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static int put(struct th_cli *cli, const char *dir, const char *key_file)
{
    const char *db = th_cli_printf(cli, "%s/tenterhook.db", dir),
               *part = th_cli_printf(cli, "%s/restore.part", dir);
    const char *key = th_cli_printf(cli, "%s/secret.key", dir);
    struct stat st;
    char why[700];

    if (stat(db, &st) == 0)
        return th_cli_fail(
            cli, TH_EXIT_OUTPUT,
            "%s: is there already; name an empty directory with --data, or move that one away first", db);
    if (key_file && stat(key, &st) == 0)
        return th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: is there already", key);
    if (th_datadir_make(dir, why, sizeof why))
        return th_cli_fail(cli, TH_EXIT_OUTPUT, "%s", why);
    (void)unlink(part);
    /* the key first: with a database and no key the server refuses to start, and says what is missing */
    if ((key_file && !copy_file(key_file, key, why, sizeof why)) ||
        !copy_file(cli->args[0], part, why, sizeof why))
        return th_cli_fail(cli, TH_EXIT_OUTPUT, "%s", why);
    if (rename(part, db) != 0 || !sync_folder(dir))
        return th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: %s", db, strerror(errno));
    return TH_EXIT_OK;
}

int th_cmd_restore(struct th_cli *cli)
{
    const char *key_file = th_cli_option(cli, "--secret-key-file"), *dir;
    enum th_error error;
    struct th_settings c;
    struct stat st;
    char why[700];
    int version, status;

    if (stat(cli->args[0], &st) != 0)
        return th_cli_fail(cli, TH_EXIT_INPUT, "%s: %s", cli->args[0], strerror(errno));
    error = th_sqlite_judge(cli->args[0], &version, why, sizeof why);
    if (error)
        return th_cli_fail(cli, status_of(error), "%s", why);
    if (!settings(cli, &c))
        return TH_EXIT_USAGE;
    dir = th_cli_text(cli, th_str(c.v[TH_O_DATA].text));
    status = put(cli, dir, key_file);
    if (!status && cli->json)
        printf("{\"data\": %s, \"layout\": %d}\n", th_cli_quoted(cli, dir), version);
    else if (!status) {
        printf("restored into %s; start with: tenterhook serve --data %s\n", dir, dir);
        if (!key_file && !c.v[TH_O_SECRET_KEY].text &&
            stat(th_cli_printf(cli, "%s/secret.key", dir), &st) != 0)
            printf("%sits secrets need the old server's key: put it at %s/secret.key, or set "
                   "TENTERHOOK_SECRET_KEY%s\n",
                   th_yellow(cli), dir, th_plain(cli));
    }
    th_config_fini(&c);
    return status;
}

/* ---- config show ---- */

static void value_text(const struct th_option *o, const struct th_value *v, struct th_buf *out)
{
    if (o->kind == TH_OPT_SECRET)
        th_buf_str(out, v->text ? "(set, not shown)" : "");
    else if (o->kind == TH_OPT_LIST)
        for (unsigned i = 0; i < v->count; i++)
            th_buf_printf(out, "%s%s", i ? ", " : "", v->list[i]);
    else if (o->kind == TH_OPT_MAP)
        for (unsigned i = 0; i < v->count; i++)
            th_buf_printf(out, "%s%s: %s", i ? ", " : "", v->map[i].name, v->map[i].value);
    else
        th_buf_str(out, v->text ? v->text : "");
}

int th_cmd_config_show(struct th_cli *cli)
{
    static const char *const heads[] = {"KEY", "VALUE", "ORIGIN"};
    bool origin = th_cli_has(cli, "--origin");
    struct th_settings c;
    struct th_table t;
    struct th_buf json;
    struct th_jw w;

    if (!settings(cli, &c))
        return TH_EXIT_USAGE;
    th_buf_init(&json, 1u << 20);
    w = th_jw(&json);
    th_jw_array(&w);
    th_table_init(&t, cli, origin ? 3 : 2, heads);
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        const char *name = o->key ? o->key : o->flag, *from = c.v[id].origin ? c.v[id].origin : "not set";
        struct th_buf value;
        th_buf_init(&value, 65536);
        value_text(o, &c.v[id], &value);
        th_table_add(&t, name);
        th_table_add(&t, value.n ? th_cli_text(cli, th_buf_view(&value)) : "-");
        if (origin)
            th_table_add(&t, th_cli_text(cli, th_str(from)));
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("key"));
        th_jw_string(&w, th_str(name));
        th_jw_key(&w, TH_LIT("value"));
        if (value.n)
            th_jw_string(&w, th_buf_view(&value));
        else
            th_jw_null(&w);
        th_jw_key(&w, TH_LIT("origin"));
        th_jw_string(&w, th_str(from));
        th_jw_end_object(&w);
        th_buf_fini(&value);
    }
    th_jw_end_array(&w);
    if (cli->json)
        th_print_json(stdout, (struct th_json){TH_JSON_ARRAY, th_buf_view(&json)});
    else
        th_table_print(&t);
    th_buf_fini(&json);
    th_config_fini(&c);
    return TH_EXIT_OK;
}
