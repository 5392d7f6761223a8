/* export: writes tenants and endpoints as a YAML file, to keep in version control, to move, or to make a
 * second installation like the first.
 *
 * Fields have the names of the tenant's dialect, so that export and import are exact. Secrets are left out unless
 * asked for; values of custom headers are in it. A file gets its name when all of it is written; an older
 * file stays until then. Tenants are read one at a time. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_member.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include "cli/cmd_transfer.h"
#include "options/yaml.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
    struct th_cli *cli;
    struct th_buf out;
    struct th_progress progress;
    unsigned tenants, done, endpoints, unread;
};

static void write_fields(struct th_buf *out, const char *margin, struct th_json object)
{
    struct th_json key, value;
    struct th_json_iter it;
    bool first = true;

    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        if (value.type == TH_JSON_NULL || th_transfer_own(key))
            continue;
        th_buf_printf(out, "%s%s", margin, first ? "- " : "  ");
        th_buf_span(out, th_span(key.raw.p + 1, key.raw.n - 2)); /* names of fields need no quotes */
        th_buf_str(out, ": ");
        th_yaml_write(out, value);
        th_buf_char(out, '\n');
        first = false;
    }
}

/* A second one that is active: receivers may know this one only. */
static void write_previous(struct export *x, struct th_json answer)
{
    static const struct {
        const char *pointer, *name;
    } members[] = {{"/secrets/1/secret", "previous_secret"},
                   {"/secrets/1/expires_at", "previous_expires_at"}};
    struct th_json v;

    for (unsigned i = 0; i < 2; i++)
        if (th_json_pointer(answer, th_str(members[i].pointer), &v)) {
            th_buf_printf(&x->out, "        %s: ", members[i].name);
            th_yaml_write(&x->out, v);
            th_buf_char(&x->out, '\n');
        }
}

static int write_secret(struct export *x, const char *id)
{
    struct th_answer answer;
    struct th_json secret;
    int status = th_cli_try(x->cli, "GET", th_cli_path(x->cli, "/v1/webhooks/%s/secret", id),
                            (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (answer.status == 200 && th_json_pointer(answer.json, TH_LIT("/secrets/0/secret"), &secret)) {
        th_buf_str(&x->out, "        secret: ");
        th_yaml_write(&x->out, secret);
        th_buf_char(&x->out, '\n');
        write_previous(x, answer.json);
    } else if (answer.status == 403) { /* the dialect shows it once, or never */
        th_buf_str(&x->out, "        # its secret cannot be read\n");
        x->unread++;
    } else if (answer.status != 404) { /* 404: deleted meanwhile */
        status = th_cli_refused(x->cli, &answer);
    }
    th_answer_free(&answer);
    return status;
}

static void say(struct export *x, unsigned part, unsigned of)
{
    char text[96];

    snprintf(text, sizeof text, "tenant %u of %u, %u endpoints", x->done + 1, x->tenants, x->endpoints);
    th_progress_say(&x->progress, ((double)x->done + (of ? (double)part / of : 0)) / x->tenants, "reading",
                    text);
}

static int write_endpoints(struct export *x, const struct th_rows *rows)
{
    int status = TH_EXIT_OK;

    th_buf_str(&x->out, rows->count ? "    endpoints:\n" : "    endpoints: []\n");
    for (unsigned i = 0; !status && i < rows->count; i++) { /* oldest first: a diff grows at its end */
        struct th_arena saved = th_transfer_begin(x->cli, TH_TRANSFER_WORK);
        write_fields(&x->out, "      ", rows->v[i]);
        if (th_cli_has(x->cli, "--secrets"))
            status = write_secret(x, th_cli_member(x->cli, rows->v[i], "/id"));
        th_transfer_end(x->cli, saved);
        x->endpoints++;
        say(x, i + 1, rows->count);
    }
    return status;
}

/* The types of the tenant's own catalogue; that of the tenant "operator" is the installation's. */
static int write_types(struct export *x, const char *tenant)
{
    static const char *const names[] = {"type",     "description", "group",      "schema",  "example",
                                        "validate", "archived",    "deprecated", "versions"};
    struct th_rows rows;
    struct th_json v;
    int status = th_rows_read(x->cli, th_cli_path(x->cli, "/v1/tenants/%s/event-types", tenant), &rows);

    if (status || !rows.count)
        return status;
    th_buf_str(&x->out, "    event_types:\n");
    for (unsigned i = 0; i < rows.count; i++)
        for (unsigned k = 0; k < sizeof names / sizeof names[0]; k++)
            if (th_transfer_member(rows.v[i], names[k], &v)) {
                th_buf_printf(&x->out, "      %s %s: ", k ? " " : "-", names[k]);
                th_yaml_write(&x->out, v);
                th_buf_char(&x->out, '\n');
            }
    return TH_EXIT_OK;
}

static int write_tenant(struct export *x, struct th_json tenant)
{
    static const char *const names[] = {"id", "name", "dialect", "attributes", "limits", "retention_seconds"};
    struct th_arena saved = th_transfer_begin(x->cli, TH_TRANSFER_ROWS);
    struct th_json v;
    struct th_rows rows;
    int status;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (th_transfer_member(tenant, names[i], &v)) {
            th_buf_printf(&x->out, "  %s %s: ", i ? " " : "-", names[i]);
            th_yaml_write(&x->out, v);
            th_buf_char(&x->out, '\n');
        }
    status = write_types(x, th_cli_member(x->cli, tenant, "/id"));
    if (!status)
        status = th_rows_endpoints(x->cli, th_cli_member(x->cli, tenant, "/id"), &rows);
    if (!status)
        status = write_endpoints(x, &rows);
    x->cli->acting_tenant = "default"; /* the id goes with the rows */
    th_transfer_end(x->cli, saved);
    return status;
}

static bool wanted(const struct th_cli *cli, struct th_json tenant)
{
    struct th_json id;

    for (unsigned i = 0; i < cli->arg_count; i++)
        if (th_transfer_member(tenant, "id", &id) && th_json_string_eq(id, th_str(cli->args[i])))
            return true;
    return cli->arg_count == 0;
}

/* ---- the file ---- */

static bool write_all(int fd, struct th_span text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n <= 0)
            return false;
        text = th_span(text.p + n, text.n - (size_t)n);
    }
    return true;
}

/* The file is written beside its name, and then renamed; a pipe or a device is written to directly. */
static int put_file(struct th_cli *cli, const char *path, struct th_span text)
{
    struct stat st;
    bool other = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    const char *part = other ? path : th_cli_printf(cli, "%s.part", path);
    int fd;
    bool ok;

    if (!other) /* a file that an earlier run left there may be open to everybody, and this one may hold secrets */
        (void)unlink(part);
    fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | (other ? O_TRUNC : O_EXCL), 0600);
    ok = fd >= 0 && write_all(fd, text) && (other || fsync(fd) == 0);

    ok = fd >= 0 && close(fd) == 0 && ok && (other || rename(part, path) == 0);
    if (ok)
        return TH_EXIT_OK;
    th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0 && !other)
        (void)unlink(part);
    return TH_EXIT_OUTPUT;
}

/* With --json: the same tree, written as import would read it. */
static int as_json(struct export *x)
{
    struct th_arena mem;
    struct th_node *root;
    struct th_buf json;
    struct th_jw w;
    char why[300];
    int status = TH_EXIT_OK;

    th_arena_init(&mem, TH_TRANSFER_TREE);
    th_buf_init(&json, (size_t)1 << 30);
    w = th_jw(&json);
    if (th_yaml_parse("export", th_buf_view(&x->out), TH_TRANSFER_MAX, &mem, &root, why, sizeof why))
        status = th_cli_fail(x->cli, TH_EXIT_BUG, "%s", why);
    else
        (void)th_node_write(root, false, &w);
    th_buf_char(&json, '\n');
    th_arena_fini(&mem);
    th_buf_wipe(&x->out);
    x->out = json;
    return status;
}

static int put(struct export *x)
{
    const char *to = th_cli_option(x->cli, "--to");

    if (x->out.failed)
        return th_cli_nomem(x->cli);
    if (x->out.n > TH_TRANSFER_MAX)
        fprintf(
            stderr,
            "tenterhook: note: this is larger than the %zu MiB that import takes; export some tenants at a "
            "time\n",
            TH_TRANSFER_MAX >> 20);
    if (x->cli->json) {
        int status = as_json(x);
        if (status)
            return status;
    }
    if (to)
        return put_file(x->cli, to, th_buf_view(&x->out));
    fwrite(x->out.p, 1, x->out.n, stdout);
    return TH_EXIT_OK;
}

static bool is_there(const struct th_rows *tenants, const char *name)
{
    struct th_json id;

    for (unsigned i = 0; i < tenants->count; i++)
        if (th_transfer_member(tenants->v[i], "id", &id) && th_json_string_eq(id, th_str(name)))
            return true;
    return false;
}

int th_cmd_export(struct th_cli *cli)
{
    struct export x = {.cli = cli};
    struct th_rows tenants;
    int status;

    cli->acting_tenant = "default";
    cli->patient = true;
    status = th_rows_read(cli, "/v1/tenants", &tenants);
    th_progress_start(&x.progress, cli);
    th_buf_init(&x.out, (size_t)1 << 30);
    th_buf_str(
        &x.out,
        "# Tenants and endpoints, written by `tenterhook export`; `tenterhook import` reads it.\ntenants:\n");
    for (unsigned i = 0; i < tenants.count; i++)
        x.tenants += wanted(cli, tenants.v[i]);
    for (unsigned i = 0; !status && i < cli->arg_count; i++)
        if (!is_there(&tenants, cli->args[i]))
            status = th_cli_fail(cli, TH_EXIT_NO,
                                 "there is no tenant \"%s\"; `tenterhook tenants` lists them", cli->args[i]);
    for (unsigned i = tenants.count; !status && i-- > 0;)
        if (wanted(cli, tenants.v[i])) {
            status = write_tenant(&x, tenants.v[i]);
            x.done++;
        }
    th_progress_end(&x.progress, NULL);
    if (!status)
        status = put(&x);
    if (!status && x.unread)
        fprintf(stderr, "tenterhook: note: %u secret%s not shown again by %s dialect; import makes %s\n",
                x.unread, x.unread == 1 ? " is" : "s are", x.unread == 1 ? "its" : "their",
                x.unread == 1 ? "a new one" : "new ones");
    th_buf_wipe(&x.out);
    return status;
}
