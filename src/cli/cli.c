/* Finds a command in the table, reads its arguments and runs it. Also what commands share: options, messages,
 * files, calls of the API.
 *
 * Why one reader: help, manual pages and completions are made from the same rows, so an option that works is
 * always described, and one that is described always works.
 *
 * Refuses: unknown options (the nearest is named), secrets as arguments: every user of the machine can see
 * those. Failure: a message on standard error that says what to do, and an exit status of cli.h. */
#include "cli/cli.h"
#include "base/alloc.h"
#include "cli/cli_call.h"
#include "cli/cli_out.h"
#include "options/options.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct th_cli_option th_cli_common[] = {
    {"--json", NULL, "print JSON for programs"},
    {"--field", "NAME",
     "print only this member of the JSON, for lists that of each row: id, last_attempt.status; may be "
     "repeated"},
    {"--quiet", NULL, "print only the id; for lists one on each line"},
    {"--help", NULL, "describe this command"},
    {NULL, NULL, NULL},
};
const struct th_cli_option th_cli_api[] = {
    {"--server", "URL", "the server to ask [TENTERHOOK_SERVER, default " TH_CLI_SERVER "]"},
    {"--key-file", "FILE",
     "file with the API key; - is standard input [TENTERHOOK_KEY_FILE, or the key itself in TENTERHOOK_KEY]"},
    {"--tenant", "ID",
     "the tenant to act for, with the operator's key [TENTERHOOK_TENANT; default: that of the endpoint, "
     "event, delivery or "
     "replay that is named, else default]"},
    {"--api-ca-file", "FILE", "PEM certificates to trust for an https --server [TENTERHOOK_API_CA_FILE]"},
    {"--insecure", NULL, "let the key go to another host over http, where everybody on the way can read it"},
    {NULL, NULL, NULL},
};

/* ---- messages and memory ---- */

int th_cli_fail(const struct th_cli *cli, int status, const char *format, ...)
{
    struct th_buf text, out;
    char line[4096];
    struct th_jw w;
    va_list args;
    int n = snprintf(line, sizeof line / 2, "%s", cli && cli->where ? cli->where : "");

    n = n < (int)sizeof line / 2 ? n : (int)sizeof line / 2 - 1;
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    fflush(stdout);
    if (cli && cli->mute)
        return status;
    if (!cli || !cli->json || cli->shape != TH_CLI_WHOLE) {
        fputs("tenterhook: ", stderr);
        if (cli && cli->command)
            fprintf(stderr, "%s: ", cli->command->name);
        th_print_safe(stderr, th_str(line));
        fputc('\n', stderr);
        return status;
    }
    th_buf_init(&text, 8192);
    th_buf_init(&out, 32768);
    th_buf_str(&text, line);
    w = th_jw(&out);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("error"));
    th_jw_string(&w, th_buf_view(&text));
    th_jw_key(&w, TH_LIT("exit"));
    th_jw_i64(&w, status);
    th_jw_end_object(&w);
    fprintf(stderr, "%s\n", th_buf_cstr(&out));
    th_buf_fini(&text);
    th_buf_fini(&out);
    return status;
}

int th_cli_nomem(const struct th_cli *cli)
{
    return th_cli_fail(cli, TH_EXIT_BUG, "out of memory");
}

char *th_cli_text(struct th_cli *cli, struct th_span s)
{
    char *p = th_arena_get(&cli->mem, s.n + 1);

    if (!p)
        exit(th_cli_nomem(cli));
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *th_cli_printf(struct th_cli *cli, const char *format, ...)
{
    va_list args, again;
    char *p;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    p = n < 0 ? NULL : th_arena_get(&cli->mem, (size_t)n + 1);
    if (!p)
        exit(th_cli_nomem(cli));
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return p;
}

/* ---- options ---- */

const char *th_cli_option_at(const struct th_cli *cli, const char *name, unsigned i)
{
    for (unsigned k = 0; k < cli->given_count; k++)
        if (strcmp(cli->given[k].name, name) == 0 && i-- == 0)
            return cli->given[k].value;
    return NULL;
}

const char *th_cli_option(const struct th_cli *cli, const char *name)
{
    for (unsigned k = cli->given_count; k-- > 0;)
        if (strcmp(cli->given[k].name, name) == 0)
            return cli->given[k].value;
    return NULL;
}

bool th_cli_has(const struct th_cli *cli, const char *name)
{
    for (unsigned k = 0; k < cli->given_count; k++)
        if (strcmp(cli->given[k].name, name) == 0)
            return true;
    return false;
}

const char *th_cli_joined(struct th_cli *cli, const char *name)
{
    const char *all = NULL, *one;

    for (unsigned i = 0; (one = th_cli_option_at(cli, name, i)) != NULL; i++)
        all = all ? th_cli_printf(cli, "%s,%s", all, one) : one;
    return all;
}

bool th_cli_number(const struct th_cli *cli, const char *name, int64_t low, int64_t high, int64_t fallback,
                   int64_t *out)
{
    const char *text = th_cli_option(cli, name);
    uint64_t v;

    *out = fallback;
    if (!text)
        return true;
    if (!th_span_u64(th_str(text), INT64_MAX, &v) || (int64_t)v < low || (int64_t)v > high) {
        th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": must be a whole number from %lld to %lld", name, text,
                    (long long)low, (long long)high);
        return false;
    }
    *out = (int64_t)v;
    return true;
}

bool th_duration_ms(struct th_span s, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    int64_t scale = 1000;
    uint64_t v;

    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].unit);
        if (s.n > n && memcmp(s.p + s.n - n, units[i].unit, n) == 0) {
            scale = units[i].ms;
            s.n -= n;
            break;
        }
    }
    if (!th_span_u64(s, (uint64_t)(INT64_MAX / 86400000), &v))
        return false;
    *out = (int64_t)v * scale;
    return true;
}

bool th_cli_duration(const struct th_cli *cli, const char *name, int64_t fallback_ms, int64_t *out)
{
    const char *text = th_cli_option(cli, name);

    *out = fallback_ms;
    if (!text || th_duration_ms(th_str(text), out))
        return true;
    th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": is not a time; write for example 500ms, 30s, 10m, 24h or 30d",
                name, text);
    return false;
}

/* ---- files ---- */

int th_cli_read_file(const struct th_cli *cli, const char *path, size_t max, struct th_buf *out)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    int saved = errno;

    th_buf_init(out, max + 4097);
    while (fd >= 0) {
        char *to = out->n <= max ? th_buf_room(out, 4096) : NULL;
        n = to ? read(fd, to, 4096) : 0;
        saved = errno;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        out->n += (size_t)n;
    }
    if (fd >= 0 && !standard)
        close(fd);
    if (n >= 0 && !out->failed && out->n <= max)
        return TH_EXIT_OK;
    if (n < 0)
        th_cli_fail(cli, TH_EXIT_INPUT, "%s: cannot be read: %s", standard ? "standard input" : path,
                    strerror(saved));
    else
        th_cli_fail(cli, TH_EXIT_INPUT, "%s: is larger than %zu bytes", standard ? "standard input" : path,
                    max);
    th_buf_wipe(out);
    return TH_EXIT_INPUT;
}

int th_cli_read_secret(const struct th_cli *cli, const char *path, struct th_buf *out)
{
    struct stat st;
    int status = th_cli_read_file(cli, path, 65536, out);

    if (status)
        return status;
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    if (out->n == 0 || memchr(out->p, 0, out->n)) {
        th_buf_wipe(out);
        return th_cli_fail(cli, TH_EXIT_DATA, "%s: holds no secret (it is empty, or has a NUL byte)",
                           strcmp(path, "-") == 0 ? "standard input" : path);
    }
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) &&
        !cli->json)
        fprintf(stderr, "tenterhook: note: others can read %s; chmod 600 it\n", path);
    return TH_EXIT_OK;
}

bool th_cli_confirm(const struct th_cli *cli, const char *question)
{
    char line[64];

    if (th_cli_has(cli, "--yes"))
        return true;
    if (!isatty(STDIN_FILENO) || cli->json)
        return false;
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}
