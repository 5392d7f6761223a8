/* init, config check, config show: before a server runs. */
#include "app/live.h"
#include "app/serve.h"
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cmd.h"
#include "cli/cmd_restore.h"

int th_cmd_init(struct th_cli *cli)
{
    struct th_first_start first = {.key = ""};
    struct th_settings c;
    const char *dir;
    int status;

    if (!th_cmd_settings(cli, &c))
        return TH_EXIT_USAGE;
    dir = th_cli_text(cli, th_str(c.v[TH_O_DATA].text));
    th_options_fini(&c);
    status = th_serve(cli->config_argc, cli->config_argv, &first);
    if (status)
        return th_cli_fail(cli, status, "%s", first.why[0] ? first.why : "it could not be made");
    if (cli->json) {
        th_cli_print_format(cli, "{\"data\": %s, \"operator_key\": %s}\n", th_cli_quoted(cli, dir),
                            first.key[0] ? th_cli_quoted(cli, first.key) : "null");
    } else {
        if (first.key[0])
            printf("operator key (shown only now, keep it safe): %s\n", first.key);
        printf("data directory ready: %s\nstart the server with: tenterhook serve --data %s\n", dir, dir);
    }
    th_wipe(&first, sizeof first);
    return TH_EXIT_OK;
}

/* Checks what a start refuses before it touches the data directory: options, addresses, networks, dialects. */
int th_cmd_config_check(struct th_cli *cli)
{
    struct th_live *l;
    char why[512];

    if (th_live_new(cli->config_argc, cli->config_argv, &l, why, sizeof why))
        return th_cli_fail(cli, TH_EXIT_USAGE, "%s", why);
    th_live_warn(l);
    if (cli->json)
        th_cli_print_format(cli, "{\"valid\": true, \"dialects\": %u}\n", l->dialects.count);
    else
        printf("configuration is valid: %u dialects\n", l->dialects.count);
    th_live_free(l);
    return TH_EXIT_OK;
}

int th_cmd_config_show(struct th_cli *cli)
{
    static const char *const heads[] = {"KEY", "VALUE", "ORIGIN"};
    bool origin = th_cli_has(cli, "--origin");
    struct th_settings c;
    struct th_columns t;
    struct th_buf json;
    struct th_jw w;

    if (!th_cmd_settings(cli, &c))
        return TH_EXIT_USAGE;
    th_buf_init(&json, 1u << 20);
    w = th_jw(&json);
    th_jw_array(&w);
    th_columns_init(&t, cli, origin ? 3 : 2, heads);
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        const char *name = o->key ? o->key : o->flag, *from = c.v[id].origin ? c.v[id].origin : "not set";
        struct th_buf value;
        th_buf_init(&value, 65536);
        th_options_value(&c, id, &value);
        th_columns_add(&t, name);
        th_columns_add(&t, value.n ? th_cli_text(cli, th_buf_view(&value)) : "-");
        if (origin)
            th_columns_add(&t, th_cli_text(cli, th_str(from)));
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
        (void)th_cli_print(cli, (struct th_json){TH_JSON_ARRAY, th_buf_view(&json)});
    else
        th_columns_print(&t);
    th_buf_fini(&json);
    th_options_fini(&c);
    return TH_EXIT_OK;
}
