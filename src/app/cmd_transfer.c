/* export and import: tenants and endpoints as a YAML file, to keep in version control, to move, to make a
 * second installation like the first.
 *
 * The file says what there should be. import makes it so: tenants by id, endpoints by URL within their
 * tenant; what differs is changed, what is missing is made, what the file does not name is left alone.
 * Running it again changes nothing. Fields have the names of the tenant's dialect, so that export | import is
 * exact. Secrets are left out unless asked for.
 *
 * Refuses: unknown keys beside `tenants`, an endpoint without a URL; the server judges the rest. Stops at the
 * first refusal and says what has been done. */
#include "app/cmd.h"
#include "app/yaml.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20) /* as th_yaml_parse takes */

static const char *const url_names[] = {"url", "callbackUrl"};

/* What the server makes, and what is kept elsewhere. */
static bool own_field(struct th_json key)
{
    static const char *const names[] = {"id",        "created_at", "updated_at", "createdAt",
                                        "updatedAt", "disabled",   "secret"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (th_json_string_eq(key, th_str(names[i])))
            return true;
    return false;
}

static bool member(struct th_json v, const char *name, struct th_json *out)
{
    return v.raw.n && th_json_member(v, th_str(name), out);
}

static struct th_span url_of(struct th_json endpoint)
{
    struct th_json v;

    for (unsigned i = 0; i < 2; i++)
        if (member(endpoint, url_names[i], &v))
            return v.raw;
    return (struct th_span){NULL, 0};
}

/* ---- rows of a list, kept ---- */

struct kept {
    struct th_cli *cli;
    struct th_json *v;
    unsigned count, cap;
    bool failed;
};

static void keep(void *ctx, struct th_json row)
{
    struct kept *k = ctx;

    if (k->count == k->cap) {
        unsigned cap = k->cap ? k->cap * 2 : 64;
        struct th_json *more = th_arena_get(&k->cli->mem, cap * sizeof *more);
        k->failed = k->failed || !more;
        if (!more)
            return;
        if (k->count)
            memcpy(more, k->v, k->count * sizeof *more);
        k->v = more;
        k->cap = cap;
    }
    k->v[k->count++] = (struct th_json){row.type, {th_cli_text(k->cli, row.raw), row.raw.n}};
}

static int read_list(struct th_cli *cli, const char *path, struct kept *out)
{
    int status;

    *out = (struct kept){.cli = cli};
    status = th_cli_list(cli, path, 1000000, keep, out);
    return status ? status : out->failed ? th_cli_nomem(cli) : TH_EXIT_OK;
}

static int read_endpoints(struct th_cli *cli, const char *tenant, struct kept *out)
{
    cli->acting_tenant = tenant;
    return read_list(cli, "/v1/webhooks", out);
}

/* ---- export ---- */

static void write_fields(struct th_buf *out, const char *margin, struct th_json object, bool all)
{
    struct th_json key, value;
    struct th_json_iter it;
    bool first = true;

    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        if (value.type == TH_JSON_NULL || (!all && own_field(key)))
            continue;
        th_buf_printf(out, "%s%s", margin, first ? "- " : "  ");
        th_buf_span(out, th_span(key.raw.p + 1, key.raw.n - 2)); /* names of fields need no quotes */
        th_buf_str(out, ": ");
        th_buf_span(out, value.raw);
        th_buf_char(out, '\n');
        first = false;
    }
}

static int write_secret(struct th_cli *cli, const char *id, struct th_buf *out)
{
    struct th_answer answer;
    struct th_json secret;
    int status = th_cli_try(cli, "GET", th_cli_path(cli, "/v1/webhooks/%s/secret", id), (struct th_span){0},
                            NULL, &answer);

    if (status)
        return status;
    if (answer.status == 200 && th_json_pointer(answer.json, TH_LIT("/secrets/0/secret"), &secret)) {
        th_buf_str(out, "        secret: ");
        th_buf_span(out, secret.raw);
        th_buf_char(out, '\n');
    } else {
        th_buf_str(out, "        # its secret cannot be read\n");
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

static int write_tenant(struct th_cli *cli, struct th_json tenant, struct th_buf *out)
{
    const char *id = th_cli_member(cli, tenant, "/id");
    struct th_json v;
    struct kept endpoints;
    int status;

    th_buf_printf(out, "  - id: %s\n", member(tenant, "id", &v) ? th_cli_text(cli, v.raw) : "\"\"");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"name", "dialect", "attributes"};
        if (member(tenant, names[i], &v))
            th_buf_printf(out, "    %s: %s\n", names[i], th_cli_text(cli, v.raw));
    }
    status = read_endpoints(cli, id, &endpoints);
    if (status)
        return status;
    th_buf_str(out, endpoints.count ? "    endpoints:\n" : "    endpoints: []\n");
    for (unsigned i = endpoints.count; !status && i-- > 0;) { /* oldest first: a diff grows at its end */
        write_fields(out, "      ", endpoints.v[i], false);
        if (th_cli_has(cli, "--secrets"))
            status = write_secret(cli, th_cli_member(cli, endpoints.v[i], "/id"), out);
    }
    return status;
}

static bool wanted(const struct th_cli *cli, struct th_json tenant)
{
    struct th_json id;

    for (unsigned i = 0; i < cli->arg_count; i++)
        if (member(tenant, "id", &id) && th_json_string_eq(id, th_str(cli->args[i])))
            return true;
    return cli->arg_count == 0;
}

static int put_file(struct th_cli *cli, const char *path, struct th_span text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;

    while (ok && text.n) {
        ssize_t n = write(fd, text.p, text.n);
        ok = n > 0;
        text = ok ? th_span(text.p + n, text.n - (size_t)n) : text;
    }
    ok = fd >= 0 && close(fd) == 0 && ok;
    return ok ? TH_EXIT_OK
              : th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: cannot be written: %s", path, strerror(errno));
}

int th_cmd_export(struct th_cli *cli)
{
    const char *to = th_cli_option(cli, "--to");
    struct kept tenants;
    struct th_buf out;
    unsigned written = 0;
    int status;

    cli->acting_tenant = "default";
    status = read_list(cli, "/v1/tenants", &tenants);
    th_buf_init(&out, (size_t)256 << 20);
    th_buf_str(
        &out,
        "# Tenants and endpoints, written by `tenterhook export`; `tenterhook import` reads it.\ntenants:\n");
    for (unsigned i = tenants.count; !status && i-- > 0;)
        if (wanted(cli, tenants.v[i])) {
            status = write_tenant(cli, tenants.v[i], &out);
            written++;
        }
    if (!status && cli->arg_count && written < cli->arg_count)
        status = th_cli_fail(cli, TH_EXIT_NO,
                             "one of these tenants does not exist; `tenterhook tenants` lists them");
    if (!status && out.failed)
        status = th_cli_nomem(cli);
    if (!status && out.n > FILE_MAX)
        fprintf(stderr, "tenterhook: note: this is larger than the 1 MiB that import takes; export some "
                        "tenants at a time\n");
    if (!status && to)
        status = put_file(cli, to, th_buf_view(&out));
    else if (!status)
        fwrite(out.p, 1, out.n, stdout);
    th_buf_wipe(&out);
    return status;
}

/* ---- import: the file ---- */

/* A node as JSON. Bounded: th_yaml_parse refuses nesting over 32. */
static void to_json(const struct th_node *n, struct th_jw *w)
{
    struct th_json v;

    switch (n->kind) {
    case TH_NODE_MAP:
        th_jw_object(w);
        for (const struct th_node *c = n->first; c; c = c->next) {
            th_jw_key(w, c->key);
            to_json(c, w);
        }
        th_jw_end_object(w);
        break;
    case TH_NODE_LIST:
        th_jw_array(w);
        for (const struct th_node *c = n->first; c; c = c->next)
            to_json(c, w);
        th_jw_end_array(w);
        break;
    default:
        if (!n->quoted && n->text.n == 0)
            th_jw_null(w);
        else if (!n->quoted && !th_json_parse(n->text, 1, &v, NULL) && v.type != TH_JSON_STRING)
            th_jw_raw(w, v.raw);
        else
            th_jw_string(w, n->text);
    }
}

static const struct th_node *child(const struct th_node *map, const char *name)
{
    for (const struct th_node *c = map->kind == TH_NODE_MAP ? map->first : NULL; c; c = c->next)
        if (th_span_is(c->key, name))
            return c;
    return NULL;
}

static struct th_json json_of(struct th_cli *cli, const struct th_node *n)
{
    struct th_json v = {0};
    struct th_span text;
    struct th_jw w;
    struct th_buf b;

    th_buf_init(&b, FILE_MAX * 8);
    w = th_jw(&b);
    to_json(n, &w);
    text = th_span(th_cli_text(cli, th_buf_view(&b)), b.n);
    th_buf_wipe(&b);
    if (th_json_parse(text, TH_JSON_DEPTH, &v, NULL))
        v = (struct th_json){0};
    return v;
}

/* ---- import: the work ---- */

struct import {
    struct th_cli *cli;
    const char *file;
    bool dry;
    unsigned made, changed, same, lines;
};

/* One line of the plan. sign: '+', '~' or '='. */
static void plan(struct import *m, char sign, const char *what, const char *name, const char *fields)
{
    struct th_cli *c = m->cli;

    m->made += sign == '+';
    m->changed += sign == '~';
    m->same += sign == '=';
    if (c->json) {
        struct th_buf out;
        struct th_jw w;
        th_buf_init(&out, 65536);
        w = th_jw(&out);
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("action"));
        th_jw_string(&w, th_str(sign == '+' ? "create" : sign == '~' ? "change" : "keep"));
        th_jw_key(&w, th_str(what));
        th_jw_string(&w, th_str(name));
        th_jw_key(&w, TH_LIT("fields"));
        th_jw_string(&w, th_str(fields));
        th_jw_end_object(&w);
        printf("%s\n", th_buf_cstr(&out));
        th_buf_fini(&out);
        return;
    }
    if (sign == '=')
        return;
    printf("%s%c%s %s ", sign == '+' ? th_green(c) : th_yellow(c), sign, th_plain(c), what);
    th_print_safe(stdout, th_str(name));
    printf("%s%s\n", *fields ? ": " : "", fields);
}

/* Members of `want` that `have` lacks or has otherwise, as an object; their names in *names. */
static struct th_span differing(struct th_cli *cli, struct th_json want, struct th_json have,
                                const char **names)
{
    struct th_json key, value, old;
    struct th_json_iter it;
    struct th_span text;
    struct th_jw w;
    struct th_buf b;

    th_buf_init(&b, FILE_MAX * 8);
    w = th_jw(&b);
    *names = "";
    th_jw_object(&w);
    th_json_iter(&it, want);
    while (th_json_next(&it, &key, &value)) {
        const char *name = th_cli_member(cli, key, "");
        if (strcmp(name, "endpoints") == 0 || own_field(key) ||
            (member(have, name, &old) && th_span_eq(old.raw, value.raw)))
            continue;
        *names = th_cli_printf(cli, "%s%s%s", *names, **names ? ", " : "", name);
        th_jw_key(&w, th_str(name));
        th_jw_raw(&w, value.raw);
    }
    th_jw_end_object(&w);
    text = th_span(th_cli_text(cli, th_buf_view(&b)), b.n);
    th_buf_fini(&b);
    return text;
}

static int send(struct import *m, const char *method, const char *path, struct th_span body)
{
    struct th_answer answer;
    int status = m->dry ? TH_EXIT_OK : th_cli_call(m->cli, method, path, body, NULL, &answer);

    if (!m->dry && !status)
        th_answer_free(&answer);
    return status;
}

static int import_endpoint(struct import *m, struct th_json want, struct kept *have, unsigned line)
{
    struct th_span url = url_of(want), body;
    const char *names, *shown;
    struct th_json match = {0};

    if (!url.n)
        return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: an endpoint without url", m->file, line);
    shown = th_cli_text(m->cli, th_span(url.p + 1, url.n - 2));
    for (unsigned i = 0; i < have->count && !match.raw.n; i++)
        if (th_span_eq(url_of(have->v[i]), url)) {
            match = have->v[i];
            have->v[i] = (struct th_json){0}; /* taken */
        }
    if (!match.raw.n) {
        plan(m, '+', "endpoint", shown, "");
        return send(m, "POST", "/v1/webhooks", want.raw);
    }
    body = differing(m->cli, want, match, &names);
    plan(m, *names ? '~' : '=', "endpoint", shown, names);
    return *names ? send(m, "PATCH",
                         th_cli_path(m->cli, "/v1/webhooks/%s", th_cli_member(m->cli, match, "/id")), body)
                  : TH_EXIT_OK;
}

static int import_tenant(struct import *m, const struct th_node *node)
{
    const struct th_node *endpoints = child(node, "endpoints");
    struct th_json want = json_of(m->cli, node), have = {0};
    const char *id = th_cli_member(m->cli, want, "/id"), *names;
    struct kept rows = {.cli = m->cli};
    struct th_answer answer;
    struct th_span body;
    int status;

    if (node->kind != TH_NODE_MAP || id[0] == '-')
        return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: a tenant without id", m->file, node->line);
    m->cli->acting_tenant = NULL;
    status = th_cli_try(m->cli, "GET", th_cli_path(m->cli, "/v1/tenants/%s", id), (struct th_span){0}, NULL,
                        &answer);
    if (status)
        return status;
    if (answer.status == 200)
        have = (struct th_json){answer.json.type, {th_cli_text(m->cli, answer.json.raw), answer.json.raw.n}};
    else if (answer.status != 404)
        status = th_cli_refused(m->cli, &answer);
    th_answer_free(&answer);
    if (status)
        return status;
    body = differing(m->cli, want, have, &names);
    plan(m, !have.raw.n ? '+' : *names ? '~' : '=', "tenant", id, have.raw.n ? names : "");
    if (!have.raw.n || *names)
        status = send(m, "PUT", th_cli_path(m->cli, "/v1/tenants/%s", id), body);
    if (!status && have.raw.n)
        status = read_endpoints(m->cli, id, &rows);
    m->cli->acting_tenant = id;
    for (const struct th_node *e = endpoints && endpoints->kind == TH_NODE_LIST ? endpoints->first : NULL;
         e && !status; e = e->next)
        status = import_endpoint(m, json_of(m->cli, e), &rows, e->line);
    return status;
}

static int import_tree(struct import *m, const struct th_node *root)
{
    const struct th_node *tenants = child(root, "tenants");
    int status = TH_EXIT_OK;

    for (const struct th_node *c = root->kind == TH_NODE_MAP ? root->first : NULL; c; c = c->next)
        if (!th_span_is(c->key, "tenants"))
            return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: unknown key \"%.*s\"; there is only tenants",
                               m->file, c->line, (int)c->key.n, c->key.p);
    if (!tenants || tenants->kind != TH_NODE_LIST)
        return th_cli_fail(m->cli, TH_EXIT_DATA, "%s: holds no list `tenants`", m->file);
    for (const struct th_node *t = tenants->first; t && !status; t = t->next)
        status = import_tenant(m, t);
    if (!m->cli->json)
        printf("%s%u to create, %u to change, %u as they should be%s\n", status ? "stopped: " : "", m->made,
               m->changed, m->same, m->dry ? " (dry run: nothing was changed)" : "");
    return status;
}

int th_cmd_import(struct th_cli *cli)
{
    struct import m = {.cli = cli,
                       .file = strcmp(cli->args[0], "-") == 0 ? "standard input" : cli->args[0],
                       .dry = th_cli_has(cli, "--dry-run")};
    struct th_node *root;
    struct th_arena mem;
    struct th_buf text;
    char why[600];
    int status = th_cli_read_file(cli, cli->args[0], FILE_MAX, &text);

    if (status)
        return status;
    cli->acting_tenant = "default"; /* named in each request: not in the client */
    th_arena_init(&mem, (size_t)32 << 20);
    if (th_yaml_parse(m.file, th_buf_view(&text), &mem, &root, why, sizeof why))
        status = th_cli_fail(cli, TH_EXIT_DATA, "%s", why);
    else
        status = import_tree(&m, root);
    th_arena_fini(&mem);
    th_buf_wipe(&text);
    return status;
}
