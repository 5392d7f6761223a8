/* Requests to the server: finds out where it is and which key to use, and what its answers mean.
 *
 * Refuses: to show a key to a server on another machine over plain HTTP, unless --insecure says so. Failure: a message on
 * standard error that says what to do, and an exit status of cli.h. */
#include "cli/cli_call.h"
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_member.h"
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MAX_S 60 /* of a Retry-After */

enum { LOOK_MS = 200, SPARSE = 256 << 10 };

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

static int connect_to(struct th_cli *cli, bool with_key)
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
    if (!conf.url) /* the former name of the variable */
        conf.url = option_or_env(cli, "--server", "TENTERHOOK_URL", TH_CLI_SERVER);
    if (cli->acting_tenant)
        conf.tenant = NULL;
    error = th_client_open(&conf, &client, why, sizeof why);
    if (error)
        return th_cli_fail(cli,
                           error == TH_NOT_FOUND ? TH_EXIT_UNREACHABLE
                           : error == TH_NOMEM   ? TH_EXIT_BUG
                                                 : TH_EXIT_USAGE,
                           "%s", why);
    status = with_key ? use_key(cli, client, conf.url) : TH_EXIT_OK;
    if (status)
        th_client_close(client);
    else
        cli->client = client;
    return status;
}

int th_cli_connect(struct th_cli *cli)
{
    return connect_to(cli, true);
}

int th_cli_connect_keyless(struct th_cli *cli)
{
    return connect_to(cli, false);
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

/* The command's name for a field: that of the option that sets it, if there is one ("timeout_seconds":
 * --timeout). */
static const char *option_of(const struct th_cli *cli, const char *field)
{
    static const struct {
        const char *field, *option;
    } others[] = {{"timeout_seconds", "--timeout"},
                  {"rate_limit_per_second", "--rate-limit"},
                  {"signature_variant", "--variant"},
                  {"events", "--event"},
                  {"channels", "--channel"},
                  {"ordering", "--order"},
                  {"authentication", "--auth"},
                  {"tls", "--tls-certificate, --tls-key or --tls-ca"},
                  {"payload_version", "--payload-version"},
                  {"source_address", "--source-address"},
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

/* Writes a pointer or a parameter of the API, which says where a fault is, in the words of the command line. */
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

/* Faults of a problem's errors (or of a dialect's own list), as "WHERE: what", each on a line of its own
 * unless there is only one. Returns their number. */
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

int th_cli_list(struct th_cli *cli, const char *path, int64_t limit,
                void (*row)(void *ctx, struct th_json row), void *ctx, struct th_cli_rest *rest)
{
    int64_t until = th_cli_clock_ms() + LOOK_MS;
    /* one more than is shown, to see whether there is more */
    int size = limit < 1000 ? (int)limit + 1 : 1000;
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
                               "the server's answer is not JSON; does --server name a Tenterhook server?");
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
            /* A page that is short, but not because of its size: the server has looked at many rows for these
             * few. */
            if (rest && wanted - limit < size && answer.json.raw.n < SPARSE && th_cli_clock_ms() >= until)
                *rest = (struct th_cli_rest){.more = true, .cursor = th_cli_member(cli, cursor, "")};
            else
                page = th_cli_printf(cli, "%s%climit=%d&cursor=%s", path, strchr(path, '?') ? '&' : '?', size,
                                     th_cli_path(cli, "%s", th_cli_member(cli, cursor, "")));
        }
        th_answer_free(&answer);
    }
    return TH_EXIT_OK;
}
