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
#include "options/options.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_S 60 /* of a Retry-After */
#define DEFAULT_SERVER "http://127.0.0.1:8420"

const struct th_cli_option th_cli_common[] = {
    {"--json", NULL, "print JSON for programs"},
    {"--field", "NAME",
     "print this member of the JSON alone, of lists of each row: id, last_attempt.status; may be repeated"},
    {"--quiet", NULL, "print the id alone, of lists one a line"},
    {"--help", NULL, "describe this command"},
    {NULL, NULL, NULL},
};
const struct th_cli_option th_cli_api[] = {
    {"--server", "URL", "the server to ask [TENTERHOOK_SERVER, default " DEFAULT_SERVER "]"},
    {"--key-file", "FILE",
     "file with the API key; - is standard input [TENTERHOOK_KEY_FILE, or the key itself in TENTERHOOK_KEY]"},
    {"--tenant", "ID",
     "the tenant to act for, with the operator's key [TENTERHOOK_TENANT; default: that of the endpoint, "
     "event, delivery or "
     "replay that is named, else default]"},
    {"--api-ca-file", "FILE", "PEM certificates to trust for an https --server [TENTERHOOK_API_CA_FILE]"},
    {"--insecure", NULL, "let the key go to another host over http, where everybody on the way reads it"},
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

/* ---- the server ---- */

/* The key: option, environment, file named in the environment; the server's own variables serve on the same
 * machine. */
static int find_key(struct th_cli *cli, bool here, struct th_buf *key)
{
    static const char *const names[] = {"TENTERHOOK_KEY", "TENTERHOOK_ADMIN_KEY"};
    const char *file = th_cli_option(cli, "--key-file");

    th_buf_init(key, 65536);
    for (unsigned i = 0; i < (here ? 2u : 1u) && !file; i++) {
        char name[64];
        const char *text = getenv(names[i]);
        if (text && *text) {
            th_buf_str(key, text);
            return key->failed ? th_cli_nomem(cli) : TH_EXIT_OK;
        }
        snprintf(name, sizeof name, "%s_FILE", names[i]);
        file = getenv(name);
        file = file && *file ? file : NULL;
    }
    return file ? th_cli_read_secret(cli, file, key) : TH_EXIT_OK;
}

static const char *option_or_env(const struct th_cli *cli, const char *option, const char *env,
                                 const char *fallback)
{
    const char *text = th_cli_option(cli, option);

    if (!text)
        text = getenv(env);
    return text && *text ? text : fallback;
}

/* Gives the client the key, when it may go there. The server's own variables are used only for a server on this machine;
 * no key goes in the clear to another one, whatever made us believe that it is the server. */
static int use_key(struct th_cli *cli, struct th_client *client, const char *server)
{
    struct th_buf key;
    enum th_error error = TH_OK;
    int status = find_key(cli, th_client_here(client), &key);

    if (status || key.n == 0)
        return status;
    if (!th_client_here(client) && !th_client_encrypted(client) && !cli->own_server &&
        !th_cli_has(cli, "--insecure")) {
        th_buf_wipe(&key);
        return th_cli_fail(
            cli, TH_EXIT_USAGE,
            "the key was not sent: %s is another machine, and with http everybody on the way reads "
            "it; write https://, or --insecure where you trust the whole way",
            server);
    }
    error = th_client_set_key(client, th_buf_cstr(&key));
    th_buf_wipe(&key);
    if (error == TH_INVALID)
        return th_cli_fail(cli, TH_EXIT_USAGE, "the key holds white space or control characters");
    return error ? th_cli_nomem(cli) : TH_EXIT_OK;
}

int th_cli_connect(struct th_cli *cli)
{
    struct th_client_options conf = {.url = option_or_env(cli, "--server", "TENTERHOOK_SERVER", NULL),
                                     .tenant = option_or_env(cli, "--tenant", "TENTERHOOK_TENANT", NULL),
                                     .ca_file =
                                         option_or_env(cli, "--api-ca-file", "TENTERHOOK_API_CA_FILE", NULL)};
    struct th_client *client = NULL;
    enum th_error error;
    char why[600];
    int status;

    if (cli->client)
        return TH_EXIT_OK;
    if (!conf.url) /* as the variable was called before */
        conf.url = option_or_env(cli, "--server", "TENTERHOOK_URL", DEFAULT_SERVER);
    if (cli->acting_tenant)
        conf.tenant = NULL;
    error = th_client_open(&conf, &client, why, sizeof why);
    if (error)
        return th_cli_fail(cli,
                           error == TH_NOT_FOUND ? TH_EXIT_UNREACHABLE
                           : error == TH_NOMEM   ? TH_EXIT_BUG
                                                 : TH_EXIT_USAGE,
                           "%s", why);
    status = use_key(cli, client, conf.url);
    if (status)
        th_client_close(client);
    else
        cli->client = client;
    return status;
}

int th_cli_try(struct th_cli *cli, const char *method, const char *path, struct th_span body,
               const char *fields, struct th_answer *answer)
{
    char why[600];
    int status = th_cli_connect(cli);

    *answer = (struct th_answer){0};
    if (status)
        return status;
    if (cli->acting_tenant)
        fields = th_cli_printf(cli, "%sTenterhook-Tenant: %s\r\n", fields ? fields : "", cli->acting_tenant);
    while (!th_client_call(cli->client, method, path, body, fields, answer, why, sizeof why)) {
        struct th_span wait = th_answer_field(answer, "Retry-After");
        uint64_t seconds = 1;
        if (answer->status != 429 || !cli->patient || (wait.n && !th_span_u64(wait, WAIT_MAX_S, &seconds)))
            return TH_EXIT_OK;
        th_answer_free(answer);
        if (sleep((unsigned)seconds)) /* a signal: the command decides what it means */
            return TH_EXIT_LATER;
    }
    th_answer_free(answer);
    return th_cli_fail(cli, TH_EXIT_UNREACHABLE, "%s; %s", why, th_client_advice(cli->client));
}

static int exit_of(unsigned http)
{
    return http == 401 || http == 403                                 ? TH_EXIT_DENIED
           : http == 429 || http == 502 || http == 503 || http == 504 ? TH_EXIT_LATER
                                                                      : TH_EXIT_NO;
}

/* The name of a field as the command has it: an option, where one sets it ("timeout_seconds" as --timeout). */
static const char *option_of(const struct th_cli *cli, const char *field)
{
    static const struct {
        const char *field, *option;
    } others[] = {{"timeout_seconds", "--timeout"},
                  {"rate_limit_per_second", "--rate-limit"},
                  {"signature_variant", "--variant"},
                  {"events", "--event"},
                  {"eventTypes", "--event"},
                  {"event_types", "--type"},
                  {"headers", "--header"},
                  {"scopes", "--scope"},
                  {"secret", "--secret-file"},
                  {"overlap_seconds", "--overlap"},
                  {"expires_at", "--expires"},
                  {"attributes", "--attribute"},
                  {"callbackUrl", "--url"}};
    char name[64];
    int n = snprintf(name, sizeof name, "--%s", field);

    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i].field, field) == 0)
            snprintf(name, sizeof name, "%s", others[i].option);
    for (char *p = name; n > 0 && *p; p++)
        *p = (char)(*p == '_' ? '-' : *p);
    for (const struct th_cli_option *o = cli->command ? cli->command->options : NULL; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o->name;
    return field;
}

/* Where a fault is, in words of the command line: a pointer or a parameter of the API. */
static const char *fault_place(struct th_cli *cli, const char *where)
{
    struct th_buf words;
    const char *field, *text;
    size_t n;

    th_buf_init(&words, strlen(where) + 4096);
    th_json_pointer_words(&words, th_str(where));
    text = th_cli_text(cli, th_buf_view(&words));
    th_buf_fini(&words);
    n = strcspn(text, ".[");
    field = option_of(cli, th_cli_text(cli, th_span(text, n)));
    return th_cli_printf(cli, "%s%s", field, text + n);
}

/* Faults of a problem's errors (or of a dialect's own list), as "WHERE: what", each on a line of its own but a single one.
 * Gives how many. */
static unsigned say_faults(struct th_cli *cli, struct th_json json, struct th_buf *out)
{
    struct th_json list, row;
    struct th_json_iter it;
    unsigned count = 0;
    size_t begin;

    if (!th_json_member(json, TH_LIT("errors"), &list) &&
        !th_json_member(json, TH_LIT("validationErrors"), &list))
        return 0;
    th_json_iter(&it, list);
    begin = out->n;
    for (; th_json_next(&it, NULL, &row); count++) {
        static const char *const wheres[] = {"/pointer", "/parameter", "/field"};
        static const char *const whats[] = {"/detail", "/message"};
        const char *where = "-", *what = "-";
        for (unsigned i = 0; i < 3 && where[0] == '-'; i++)
            where = th_cli_member(cli, row, wheres[i]);
        for (unsigned i = 0; i < 2 && what[0] == '-'; i++)
            what = th_cli_member(cli, row, whats[i]);
        where = where[0] == '-' ? "" : fault_place(cli, where);
        th_buf_printf(out, "%s%s%s%s", out->n > begin ? "\n    " : "", where, *where ? ": " : "", what);
    }
    return count;
}

int th_cli_refused(const struct th_cli *cli, const struct th_answer *a)
{
    static const char *const details[] = {"/detail", "/error/message", "/message", "/error", "/title"};
    struct th_cli *c = (struct th_cli *)(uintptr_t)cli; /* only its arena changes */
    int status = exit_of(a->status);
    struct th_buf text;
    const char *what = "-";

    th_buf_init(&text, 65536);
    for (unsigned i = 0; i < 5 && a->json.raw.n && what[0] == '-'; i++)
        what = th_cli_member(c, a->json, details[i]);
    if (a->status == 401)
        th_buf_str(&text, "the server wants a valid key: set TENTERHOOK_KEY, or give --key-file FILE");
    else if (a->status == 403)
        th_buf_str(&text, "this key may not do that");
    else if (what[0] == '-')
        th_buf_printf(&text, "the server answered with status %u", a->status);
    if (what[0] != '-' && !(a->json.raw.n && !text.n && say_faults(c, a->json, &text)))
        th_buf_printf(&text, "%s%s%s%s", text.n ? " (" : "", what, text.n ? ")" : "", "");
    what = a->json.raw.n ? th_cli_member(c, a->json, "/request_id") : "-";
    if (what[0] != '-' && a->status >= 500)
        th_buf_printf(&text, "\n    in the server's log: request_id %s", what);
    if (a->status == 409 && memmem(th_buf_cstr(&text), text.n, "Tenterhook-Tenant", 17))
        th_buf_str(&text, "\n    here: --tenant ID");
    th_cli_fail(cli, status, "%s", th_buf_cstr(&text));
    th_buf_fini(&text);
    return status;
}

int th_cli_call(struct th_cli *cli, const char *method, const char *path, struct th_span body,
                const char *fields, struct th_answer *answer)
{
    int status = th_cli_try(cli, method, path, body, fields, answer);

    if (status)
        return status;
    if (answer->status >= 200 && answer->status < 300)
        return TH_EXIT_OK;
    status = th_cli_refused(cli, answer);
    th_answer_free(answer);
    return status;
}

/* Percent-encodes a path segment or query value. */
static void escape(struct th_buf *out, struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '_' || c == '.' || c == '~')
            th_buf_char(out, (char)c);
        else
            th_buf_printf(out, "%%%02X", c);
    }
}

const char *th_cli_path(struct th_cli *cli, const char *format, ...)
{
    struct th_buf out;
    const char *kept;
    va_list args;

    th_buf_init(&out, 65536);
    va_start(args, format);
    for (; *format; format++) {
        if (format[0] == '%' && format[1] == 's') {
            escape(&out, th_str(va_arg(args, const char *)));
            format++;
        } else {
            th_buf_char(&out, *format);
        }
    }
    va_end(args);
    if (out.failed)
        exit(th_cli_nomem(cli));
    kept = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return kept;
}

/* "</v1/x?page=2>; rel=\"next\"": the path of the next page; n == 0: none. */
static struct th_span next_link(const struct th_answer *a)
{
    struct th_span link = th_answer_field(a, "Link");
    const char *open = link.n ? memchr(link.p, '<', link.n) : NULL,
               *close = link.n ? memchr(link.p, '>', link.n) : NULL, *path;

    if (!open || !close || close < open || !memmem(link.p, link.n, "rel=\"next\"", 10))
        return TH_LIT("");
    path = memmem(open + 1, (size_t)(close - open - 1), "/v1/", 4);
    return path ? th_span(path, (size_t)(close - path)) : TH_LIT("");
}

enum { LOOK_MS = 200, SPARSE = 256 << 10 };

static int64_t mono_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int th_cli_list(struct th_cli *cli, const char *path, int64_t limit,
                void (*row)(void *ctx, struct th_json row), void *ctx, struct th_cli_rest *rest)
{
    int64_t until = mono_ms() + LOOK_MS;
    int size = limit < 1000 ? (int)limit + 1 : 1000; /* one more than is shown: whether there is more */
    const char *page = th_cli_printf(cli, "%s%climit=%d", path, strchr(path, '?') ? '&' : '?', size);

    if (rest)
        *rest = (struct th_cli_rest){.more = false};
    while (page) {
        int64_t wanted = limit;
        struct th_answer answer;
        struct th_json rows, v, cursor;
        struct th_json_iter it;
        struct th_span link;
        int status = th_cli_call(cli, "GET", page, (struct th_span){0}, NULL, &answer);

        if (status)
            return status;
        if (!answer.json.raw.n) {
            th_answer_free(&answer);
            return th_cli_fail(cli, TH_EXIT_NO,
                               "the server's answer is no JSON; is --server that of Tenterhook?");
        }
        rows = answer.json;
        if (rows.type == TH_JSON_OBJECT && !th_json_member(answer.json, TH_LIT("data"), &rows)) {
            th_answer_free(&answer);
            return th_cli_fail(cli, TH_EXIT_NO, "the server's answer holds no list");
        }
        th_json_iter(&it, rows);
        while (limit > 0 && th_json_next(&it, NULL, &v)) {
            row(ctx, v);
            limit--;
        }
        page = NULL;
        link = next_link(&answer);
        if (limit == 0 && th_json_next(&it, NULL, &v)) {
            if (rest)
                rest->more = true;
        } else if (link.n)
            page = th_cli_text(cli, link);
        else if (th_json_member(answer.json, TH_LIT("next_cursor"), &cursor) &&
                 cursor.type == TH_JSON_STRING) {
            /* A page that is short, and not for its bytes: the server has looked at many rows for these few. */
            if (rest && wanted - limit < size && answer.json.raw.n < SPARSE && mono_ms() >= until)
                *rest = (struct th_cli_rest){.more = true, .cursor = th_cli_member(cli, cursor, "")};
            else
                page = th_cli_printf(cli, "%s%climit=%d&cursor=%s", path, strchr(path, '?') ? '&' : '?', size,
                                     th_cli_path(cli, "%s", th_cli_member(cli, cursor, "")));
        }
        th_answer_free(&answer);
    }
    return TH_EXIT_OK;
}
