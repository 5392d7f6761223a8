/* restore: puts a backup into a data directory that has no database.
 *
 * Judges first, writes afterwards: the file (structure, tables, what must hold between its rows) and, where a
 * secret key is known, whether that key opens what is encrypted in it. A refusal has written nothing. It
 * overwrites nothing. The database gets its name last, so a crash in between leaves a directory that a second
 * restore finishes; a failure takes away what it had put there. */
#include "cli/cmd_restore.h"
#include "app/datadir.h"
#include "base/alloc.h"
#include "base/sync.h"
#include "cli/cli.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include "engine/engine.h"
#include "store/sqlite/sqlite_backup.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
    struct th_cli *cli;
    const char *file, *dir, *db, *key,
        *key_file; /* db, key: their places in dir; key_file: NULL: not given */
    struct th_progress progress;
    char why[700];
    bool have_key;
};

static bool say(void *ctx, int64_t done, int64_t total)
{
    struct restore *r = ctx;
    char text[64];

    snprintf(text, sizeof text, "of about %lld MiB", (long long)(total >> 20));
    th_progress_say(&r->progress, total > 0 ? (double)done / (double)total : 0, "reading", text);
    return true;
}

/* ---- the key ---- */

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void show_form(void *ctx, const struct th_row *row)
{
    th_keycheck_form(ctx, row);
}

static void show_row(void *ctx, const struct th_row *row)
{
    th_keycheck_row(ctx, row);
}

/* The key that a server on the new directory would use: given here, or in the configuration, or in the
 * directory already. */
static int find_key(struct restore *r, const struct th_settings *c, struct th_base_key *key)
{
    enum th_error error = TH_OK;

    r->have_key = r->key_file || c->v[TH_O_SECRET_KEY].text || exists(r->key);
    if (r->key_file)
        error = th_datadir_read_key(r->key_file, key, r->why, sizeof r->why);
    else if (c->v[TH_O_SECRET_KEY].text)
        error = th_datadir_secret_key(r->dir, c->v[TH_O_SECRET_KEY].text, key, r->why, sizeof r->why);
    else if (r->have_key)
        error = th_datadir_read_key(r->key, key, r->why, sizeof r->why);
    return error ? th_cli_fail(r->cli, TH_EXIT_INPUT, "%s", r->why) : TH_EXIT_OK;
}

static int say_key(const struct restore *r, const struct th_key_check *check)
{
    if (check->error == TH_CORRUPT)
        return th_cli_fail(
            r->cli, TH_EXIT_DATA,
            "%s has a form of the secret key that this version does not know; nothing was written. Use "
            "the version that made it, or a newer one",
            r->file);
    if (check->error)
        return th_cli_nomem(r->cli);
    if (check->wrong)
        return th_cli_fail(
            r->cli, TH_EXIT_DENIED,
            "the secret key is not the one that encrypted %s; nothing was written. Give the one that was "
            "in force when it was made, with --secret-key-file",
            r->file);
    if (check->missing_old)
        return th_cli_fail(
            r->cli, TH_EXIT_DENIED,
            "a change of the secret key had not ended when %s was made; nothing was written. Give the "
            "earlier key as well (TENTERHOOK_SECRET_KEY_OLD_FILE)",
            r->file);
    if (check->closed)
        return th_cli_fail(
            r->cli, TH_EXIT_DATA,
            "%s: the key is right, but %u of %u encrypted values do not open with it: they were changed "
            "outside of Tenterhook; nothing was written",
            r->file, check->closed, check->closed + check->opened);
    return TH_EXIT_OK;
}

static int judge_key(struct restore *r, const struct th_settings *c)
{
    struct th_key_check check = {0};
    struct th_base_key key, old;
    int status = find_key(r, c, &key);

    if (status || !r->have_key)
        return status;
    check.key = &key;
    if (c->v[TH_O_SECRET_KEY_OLD].text) {
        if (th_datadir_secret_key(r->dir, c->v[TH_O_SECRET_KEY_OLD].text, &old, r->why, sizeof r->why))
            return th_cli_fail(r->cli, TH_EXIT_USAGE, "%s", r->why);
        check.old_key = &old;
    }
    if (th_sqlite_settings(r->file, show_form, &check, r->why, sizeof r->why) ||
        th_sqlite_settings(r->file, show_row, &check, r->why, sizeof r->why))
        status = th_cli_fail(r->cli, TH_EXIT_DATA, "%s", r->why);
    th_wipe(&key, sizeof key);
    th_wipe(&old, sizeof old);
    th_wipe(&check.ring, sizeof check.ring);
    return status ? status : say_key(r, &check);
}

/* ---- the file ---- */

static int judge_file(struct restore *r, struct th_sqlite_state *state)
{
    struct stat st;
    enum th_error error;

    if (stat(r->file, &st) != 0 || access(r->file, R_OK) != 0)
        return th_cli_fail(r->cli, TH_EXIT_INPUT, "%s: %s", r->file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return th_cli_fail(r->cli, TH_EXIT_INPUT, "%s: is not a file", r->file);
    error = th_sqlite_judge(r->file, false, say, r, state, r->why, sizeof r->why);
    th_progress_end(&r->progress, NULL);
    if (error)
        return th_cli_fail(r->cli, error == TH_IO ? TH_EXIT_INPUT : th_cmd_store_status(error),
                           "%s; nothing was written", r->why);
    if (state->unfit[0])
        return th_cli_fail(
            r->cli, TH_EXIT_DATA,
            "%s: its rows do not fit together (%s), so it is not a copy of one moment; nothing was "
            "written. Take an older backup",
            r->file, state->unfit);
    return TH_EXIT_OK;
}

/* A key that is there already is the given one, or it stays and this ends. */
static bool same_key(const struct restore *r)
{
    struct th_base_key given, there;
    char why[200];
    bool same = !th_datadir_read_key(r->key_file, &given, why, sizeof why) &&
                !th_datadir_read_key(r->key, &there, why, sizeof why) &&
                memcmp(given.bytes, there.bytes, sizeof given.bytes) == 0;

    th_wipe(&given, sizeof given);
    th_wipe(&there, sizeof there);
    return same;
}

static int judge_place(const struct restore *r)
{
    if (exists(r->db))
        return th_cli_fail(
            r->cli, TH_EXIT_OUTPUT,
            "%s: is there already; name an empty directory with --data, or move that one away first", r->db);
    if (exists(th_cli_printf(r->cli, "%s-wal", r->db)))
        return th_cli_fail(
            r->cli, TH_EXIT_OUTPUT,
            "%s-wal: the log of another database is there, and would be taken for this one's; name an "
            "empty directory with --data, or move that one away with its database",
            r->db);
    if (r->key_file && exists(r->key) && !same_key(r))
        return th_cli_fail(r->cli, TH_EXIT_OUTPUT, "%s: another key is there already", r->key);
    return TH_EXIT_OK;
}

/* ---- writing ---- */

static bool write_block(int out, const char *p, size_t n)
{
    while (n) {
        ssize_t some = write(out, p, n);
        if (some <= 0)
            return false;
        p += some;
        n -= (size_t)some;
    }
    return true;
}

/* Root restores for the service's user: the files belong to whom the directory belongs to. */
static bool give(const struct restore *r, int file)
{
    struct stat dir;

    return geteuid() != 0 || (stat(r->dir, &dir) == 0 && fchown(file, dir.st_uid, dir.st_gid) == 0);
}

static bool copy_file(struct restore *r, const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    static char block[1 << 16];
    int64_t done = 0;
    struct stat st;
    ssize_t n = -1;
    bool ok = in >= 0 && out >= 0 && fstat(in, &st) == 0;

    th_progress_start(&r->progress, r->cli); /* its time is measured from here, without the reading before */
    while (ok && (n = read(in, block, sizeof block)) > 0) {
        char text[64];
        ok = write_block(out, block, (size_t)n);
        done += n;
        snprintf(text, sizeof text, "%lld of %lld MiB", (long long)(done >> 20),
                 (long long)(st.st_size >> 20));
        th_progress_say(&r->progress, (double)done / (double)(st.st_size ? st.st_size : 1), "copying", text);
    }
    ok = ok && n == 0 && give(r, out) && fsync(out) == 0;
    if (!ok)
        snprintf(r->why, sizeof r->why, "%s: cannot be copied to %s: %s", from, to, strerror(errno));
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (!ok && out >= 0)
        (void)unlink(to);
    return ok;
}

/* The key first: with a database and no key the server refuses to start, and says what is missing. */
static int put(struct restore *r)
{
    const char *part = th_cli_printf(r->cli, "%s/restore.part", r->dir);
    bool new_dir = !exists(r->dir), put_key = false, ok = true;

    if (th_datadir_make(r->dir, r->why, sizeof r->why))
        return th_cli_fail(r->cli, TH_EXIT_OUTPUT, "%s", r->why);
    (void)unlink(part);
    if (r->key_file && !exists(r->key))
        ok = put_key = copy_file(r, r->key_file, r->key);
    ok = ok && copy_file(r, r->file, part);
    if (ok && (rename(part, r->db) != 0 || !th_sync_folder_of(r->db))) {
        snprintf(r->why, sizeof r->why, "%s: %s", r->db, strerror(errno));
        ok = false;
    }
    th_progress_end(&r->progress, NULL);
    if (ok)
        return TH_EXIT_OK;
    (void)unlink(part);
    if (put_key)
        (void)unlink(r->key);
    if (new_dir)
        (void)rmdir(r->dir);
    return th_cli_fail(r->cli, TH_EXIT_OUTPUT, "%s; nothing was left behind", r->why);
}

/* ---- the command ---- */

static void report(const struct restore *r, int version)
{
    struct th_cli *cli = r->cli;

    if (cli->json) {
        th_cli_print_format(cli, "{\"data\": %s, \"layout\": %d, \"key\": %s}\n", th_cli_quoted(cli, r->dir),
                            version, r->have_key ? "true" : "false");
        return;
    }
    printf("restored into %s; start with: tenterhook serve --data %s\n", r->dir, r->dir);
    if (r->have_key)
        printf("the secret key opens what is encrypted in it\n");
    else
        printf("%sits secrets need the old server's key: put it at %s, or set TENTERHOOK_SECRET_KEY%s\n",
               th_yellow(cli), r->key, th_plain(cli));
}

int th_cmd_restore(struct th_cli *cli)
{
    struct restore r = {
        .cli = cli, .file = cli->args[0], .key_file = th_cli_option(cli, "--secret-key-file")};
    struct th_sqlite_state state;
    struct th_settings c;
    int status;

    if (!th_cmd_settings(cli, &c))
        return TH_EXIT_USAGE;
    r.dir = th_cli_text(cli, th_str(c.v[TH_O_DATA].text));
    r.db = th_cli_printf(cli, "%s/tenterhook.db", r.dir);
    r.key = th_cli_printf(cli, "%s/secret.key", r.dir);
    th_progress_start(&r.progress, cli);
    status = judge_place(&r);
    if (!status)
        status = judge_file(&r, &state);
    if (!status)
        status = judge_key(&r, &c);
    if (!status)
        status = put(&r);
    if (!status)
        report(&r, state.version);
    th_options_fini(&c);
    return status;
}
