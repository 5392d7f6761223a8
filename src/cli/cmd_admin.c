/* The commands `tenants` and `keys`, which only the operator may use. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

static void tenant_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/name"));
    th_columns_add(t, th_cli_member(t->cli, row, "/dialect"));
    th_columns_add(t, th_cli_time(t->cli, row, "/created_at"));
}

static void node_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/address"));
    th_columns_add(t, th_cli_member(t->cli, row, "/state"));
    th_columns_add(t, th_cli_member(t->cli, row, "/slots"));
    th_columns_add(t, th_cli_member(t->cli, row, "/lease_ms"));
    th_columns_add(t, th_cli_member(t->cli, row, "/behind"));
    th_columns_add(t, th_cli_member(t->cli, row, "/version"));
}

int th_cmd_nodes(struct th_cli *cli)
{
    static const char *const heads[] = {"NODE", "ADDRESS", "STATE", "SLOTS", "LEASE MS", "BEHIND", "VERSION"};

    return th_cmd_list(cli,
                       &(struct th_cmd_list){"/v1/nodes", heads, 7, node_row, "no nodes", TH_LIST_THINGS});
}

int th_cmd_tenants(struct th_cli *cli)
{
    static const char *const heads[] = {"TENANT", "NAME", "DIALECT", "CREATED"};

    return th_cmd_list(
        cli, &(struct th_cmd_list){"/v1/tenants", heads, 4, tenant_row, "no tenants", TH_LIST_THINGS});
}

/* What is used of each limit; those that are the tenant's own are marked. */
static void print_limits(struct th_cli *cli, struct th_json tenant)
{
    static const char *const heads[] = {"LIMIT", "USED", "ALLOWED", ""};
    struct th_json usage, own = {TH_JSON_NULL, {0, 0}}, key, value, v;
    struct th_json_iter it;
    struct th_columns t;

    if (!th_json_member(tenant, TH_LIT("usage"), &usage))
        return;
    (void)th_json_member(tenant, TH_LIT("limits"), &own);
    putchar('\n');
    th_columns_init(&t, cli, 4, heads);
    th_json_iter(&it, usage);
    while (th_json_next(&it, &key, &value)) {
        const char *name = th_cli_member(cli, key, ""), *allowed = th_cli_member(cli, value, "/allowed");
        bool is_own = own.type == TH_JSON_OBJECT && th_json_member(own, th_str(name), &v);
        th_columns_add(&t, name);
        th_columns_add(&t, th_cli_member(cli, value, "/used"));
        th_columns_add(&t, allowed[0] == '-' ? "no limit" : allowed);
        th_columns_add(&t, is_own ? "its own" : "");
    }
    th_columns_print(&t);
}

static int print_tenant(struct th_cli *cli, const struct th_answer *answer)
{
    if (!th_cmd_json(cli, answer)) {
        const char *attributes = th_cli_member(cli, answer->json, "/attributes");
        printf("%s%s%s  ", th_bold(cli), th_cli_member(cli, answer->json, "/id"), th_plain(cli));
        th_print_line(stdout, th_str(th_cli_member(cli, answer->json, "/name")));
        printf("  dialect %s  changed %s\n", th_cli_member(cli, answer->json, "/dialect"),
               th_cli_time(cli, answer->json, "/updated_at"));
        if (strlen(attributes) > 2) {
            printf("attributes ");
            th_print_line(stdout, th_str(attributes));
            putchar('\n');
        }
        print_limits(cli, answer->json);
    }
    return TH_EXIT_OK;
}

static int tenant_call(struct th_cli *cli, const char *method, struct th_span body)
{
    struct th_answer answer;
    int status =
        th_cli_call(cli, method, th_cli_path(cli, "/v1/tenants/%s", cli->args[0]), body, NULL, &answer);

    if (status)
        return status;
    if (answer.json.raw.n)
        status = print_tenant(cli, &answer);
    else if (!th_cmd_json(cli, &answer))
        printf("%s  deleted\n", cli->args[0]);
    th_answer_free(&answer);
    return status;
}

int th_cmd_tenant_show(struct th_cli *cli)
{
    return tenant_call(cli, "GET", (struct th_span){0});
}

/* --allow NAME=N: the member `limits`; --allow-default: that there are none. Exit status. */
static int write_allowed(struct th_cli *cli, struct th_jw *w)
{
    const char *pair;
    uint64_t n;

    if (th_cli_has(cli, "--allow") && th_cli_has(cli, "--allow-default"))
        return th_cli_fail(cli, TH_EXIT_USAGE, "--allow and --allow-default exclude each other");
    if (!th_cli_has(cli, "--allow") && !th_cli_has(cli, "--allow-default"))
        return TH_EXIT_OK;
    th_jw_key(w, TH_LIT("limits"));
    th_jw_object(w);
    for (unsigned i = 0; (pair = th_cli_option_at(cli, "--allow", i)) != NULL; i++) {
        const char *eq = strchr(pair, '=');
        if (!eq || !th_span_u64(th_str(eq + 1), INT64_MAX, &n))
            return th_cli_fail(cli, TH_EXIT_USAGE, "--allow \"%s\": write NAME=NUMBER, such as endpoints=500",
                               pair);
        th_jw_key(w, th_span(pair, (size_t)(eq - pair)));
        th_jw_u64(w, n);
    }
    th_jw_end_object(w);
    return TH_EXIT_OK;
}

static int write_retention(struct th_cli *cli, struct th_jw *w)
{
    const char *text = th_cli_option(cli, "--retention");
    int64_t ms = 0;

    if (!text)
        return TH_EXIT_OK;
    if (strcmp(text, "0") != 0 && !th_duration_ms(th_str(text), &ms))
        return th_cli_fail(cli, TH_EXIT_USAGE, "--retention \"%s\": write a time such as 7d or 36h, or 0",
                           text);
    th_jw_key(w, TH_LIT("retention_seconds"));
    if (ms)
        th_jw_i64(w, ms / 1000);
    else
        th_jw_null(w);
    return TH_EXIT_OK;
}

int th_cmd_tenant_put(struct th_cli *cli)
{
    const char *name = th_cli_option(cli, "--name"), *dialect = th_cli_option(cli, "--dialect"), *pair;
    struct th_buf body;
    struct th_jw w;
    int status = TH_EXIT_OK;

    th_buf_init(&body, 1u << 20);
    w = th_jw(&body);
    th_jw_object(&w);
    if (name) {
        th_jw_key(&w, TH_LIT("name"));
        th_jw_string(&w, th_str(name));
    }
    if (dialect) {
        th_jw_key(&w, TH_LIT("dialect"));
        th_jw_string(&w, th_str(dialect));
    }
    if (th_cli_has(cli, "--attribute")) {
        th_jw_key(&w, TH_LIT("attributes"));
        th_jw_object(&w);
        for (unsigned i = 0; (pair = th_cli_option_at(cli, "--attribute", i)) != NULL; i++) {
            const char *eq = strchr(pair, '=');
            if (!eq) {
                status = th_cli_fail(cli, TH_EXIT_USAGE, "--attribute \"%s\": write NAME=VALUE", pair);
                break;
            }
            th_jw_key(&w, th_span(pair, (size_t)(eq - pair)));
            th_jw_string(&w, th_str(eq + 1));
        }
        th_jw_end_object(&w);
    }
    if (!status)
        status = write_retention(cli, &w);
    if (!status)
        status = write_allowed(cli, &w);
    th_jw_end_object(&w);
    if (!status)
        status = tenant_call(cli, "PUT", th_buf_view(&body));
    th_buf_fini(&body);
    return status;
}

static int tenant_erase(struct th_cli *cli)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "DELETE", th_cli_path(cli, "/v1/tenants/%s?erase=true", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  deleted; the content of its events is being erased, but backups still have it\n",
               cli->args[0]);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_tenant_delete(struct th_cli *cli)
{
    if (!th_cli_confirm(cli,
                        th_cli_printf(cli, "Delete tenant %s with its endpoints and keys?", cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not deleted; give --yes to delete without being asked");
    if (th_cli_has(cli, "--erase"))
        return tenant_erase(cli);
    return tenant_call(cli, "DELETE", (struct th_span){0});
}

/* ---- keys ---- */

static void key_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;
    struct th_json list, e;
    struct th_json_iter it;
    const char *scopes = "";

    if (th_json_member(row, TH_LIT("scopes"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &e))
            scopes =
                th_cli_printf(t->cli, "%s%s%s", scopes, *scopes ? ", " : "", th_cli_member(t->cli, e, ""));
    }
    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, scopes);
    th_columns_add(t, th_cli_member(t->cli, row, "/description"));
    th_columns_add(t, th_cli_time(t->cli, row, "/created_at"));
    th_columns_add(t, th_cli_time(t->cli, row, "/expires_at"));
}

static void operator_key_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/role"));
    th_columns_add(t, th_cli_member(t->cli, row, "/name"));
    th_columns_add(t, th_cli_time(t->cli, row, "/created_at"));
    th_columns_add(t, th_cli_time(t->cli, row, "/expires_at"));
}

int th_cmd_keys(struct th_cli *cli)
{
    static const char *const heads[] = {"KEY", "SCOPES", "DESCRIPTION", "CREATED", "EXPIRES"},
                             *const operator_heads[] = {"KEY", "ROLE", "NAME", "CREATED", "EXPIRES"};
    const char *none;

    if (!cli->arg_count)
        return th_cmd_list(
            cli, &(struct th_cmd_list){"/v1/keys", operator_heads, 5, operator_key_row,
                                       "no operator's keys but that of the configuration; make one with: "
                                       "tenterhook keys create --role support --name NAME",
                                       TH_LIST_THINGS});
    none = th_cli_printf(cli, "no keys; make one with: tenterhook keys create %s --scope events:publish",
                         cli->args[0]);
    return th_cmd_list(cli, &(struct th_cmd_list){th_cli_path(cli, "/v1/tenants/%s/keys", cli->args[0]),
                                                  heads, 5, key_row, none, TH_LIST_THINGS});
}

static void write_text(struct th_jw *w, struct th_span name, const char *text)
{
    if (!text)
        return;
    th_jw_key(w, name);
    th_jw_string(w, th_str(text));
}

/* Says why the options do not fit together; NULL: they do. */
static const char *wrong_options(struct th_cli *cli)
{
    bool tenant = cli->arg_count, scope = th_cli_has(cli, "--scope"), role = th_cli_has(cli, "--role"),
         name = th_cli_has(cli, "--name");

    if (tenant && (role || name))
        return "--role and --name are for operators' keys, which belong to no tenant: leave the tenant out, "
               "or give "
               "--scope and --description";
    if (tenant)
        return scope ? NULL
                     : "--scope is missing: events:publish, webhooks:read, answers:read or webhooks:manage; "
                       "it may be "
                       "repeated";
    if (scope || th_cli_has(cli, "--description"))
        return "whose key is it? Name the tenant before --scope and --description; an operator's key has "
               "--role and --name";
    if (!role)
        return "--role is missing: admin, support or read-only; or name the tenant that the key is for";
    return name ? NULL : "--name is missing: whose key it is, for the audit log";
}

int th_cmd_key_create(struct th_cli *cli)
{
    const char *wrong = wrong_options(cli), *scope;
    struct th_answer answer;
    struct th_buf body;
    struct th_jw w;
    int status;

    if (wrong)
        return th_cli_fail(cli, TH_EXIT_USAGE, "%s", wrong);
    th_buf_init(&body, 1u << 20);
    w = th_jw(&body);
    th_jw_object(&w);
    if (cli->arg_count) {
        th_jw_key(&w, TH_LIT("scopes"));
        th_jw_array(&w);
        for (unsigned i = 0; (scope = th_cli_option_at(cli, "--scope", i)) != NULL; i++)
            th_jw_string(&w, th_str(scope));
        th_jw_end_array(&w);
    }
    write_text(&w, TH_LIT("role"), th_cli_option(cli, "--role"));
    write_text(&w, TH_LIT("name"), th_cli_option(cli, "--name"));
    write_text(&w, TH_LIT("description"), th_cli_option(cli, "--description"));
    write_text(&w, TH_LIT("expires_at"), th_cli_option(cli, "--expires"));
    th_jw_end_object(&w);
    status = th_cli_call(cli, "POST",
                         cli->arg_count ? th_cli_path(cli, "/v1/tenants/%s/keys", cli->args[0]) : "/v1/keys",
                         th_buf_view(&body), NULL, &answer);
    th_buf_fini(&body);
    if (status)
        return status;
    if (!th_cmd_json(cli, &answer)) {
        printf("%s\n", th_cli_member(cli, answer.json, "/key"));
        fprintf(stderr, "%s, %s %s; the key is shown only now\n", th_cli_member(cli, answer.json, "/id"),
                cli->arg_count ? "for tenant" : "an operator's with the role",
                cli->arg_count ? cli->args[0] : th_cli_member(cli, answer.json, "/role"));
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_key_delete(struct th_cli *cli)
{
    const char *key = cli->args[cli->arg_count - 1],
               *question = cli->arg_count > 1
                               ? th_cli_printf(cli, "End key %s of tenant %s now?", key, cli->args[0])
                               : th_cli_printf(cli, "End the operator's key %s now?", key),
               *path = cli->arg_count > 1 ? th_cli_path(cli, "/v1/tenants/%s/keys/%s", cli->args[0], key)
                                          : th_cli_path(cli, "/v1/keys/%s", key);
    struct th_answer answer;
    int status;

    if (!th_cli_confirm(cli, question))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not ended; give --yes to end it without being asked");
    status = th_cli_call(cli, "DELETE", path, (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  ended\n", key);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_version(struct th_cli *cli)
{
    if (cli->json)
        th_cli_print_format(cli, "{\"version\": \"%s\"}\n", TH_VERSION);
    else
        printf("tenterhook %s\n", TH_VERSION);
    return TH_EXIT_OK;
}
