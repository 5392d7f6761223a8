/* The command `portal-link`, which makes a link that opens the portal for a tenant. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cmd.h"

/* Exit status. */
static int write_body(struct th_cli *cli, struct th_jw *w)
{
    const char *scope, *theme = th_cli_option(cli, "--theme"), *back = th_cli_option(cli, "--return-url");
    struct th_json parsed;
    struct th_json_error error;
    int64_t wait_ms;

    if (!th_cli_duration(cli, "--expires-in", 900000, &wait_ms))
        return TH_EXIT_USAGE;
    if (theme && (th_json_parse(th_str(theme), 8, &parsed, &error) || parsed.type != TH_JSON_OBJECT))
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "--theme is not a JSON object; write for example '{\"accent\":\"#7a2e6b\"}'");
    th_jw_object(w);
    th_jw_key(w, TH_LIT("scopes"));
    th_jw_array(w);
    for (unsigned i = 0; (scope = th_cli_option_at(cli, "--scope", i)) != NULL; i++)
        th_jw_string(w, th_str(scope));
    if (!th_cli_has(cli, "--scope"))
        th_jw_string(w, TH_LIT("webhooks:read"));
    th_jw_end_array(w);
    th_jw_key(w, TH_LIT("expires_in"));
    th_jw_i64(w, wait_ms / 1000);
    if (theme) {
        th_jw_key(w, TH_LIT("theme"));
        th_jw_raw(w, parsed.raw);
    }
    if (back) {
        th_jw_key(w, TH_LIT("return_url"));
        th_jw_string(w, th_str(back));
    }
    th_jw_end_object(w);
    return TH_EXIT_OK;
}

int th_cmd_portal_link(struct th_cli *cli)
{
    struct th_answer answer;
    struct th_buf body;
    struct th_jw w;
    int status;

    th_buf_init(&body, 1u << 20);
    w = th_jw(&body);
    status = write_body(cli, &w);
    if (!status)
        status = th_cli_call(cli, "POST", th_cli_path(cli, "/v1/tenants/%s/portal-links", cli->args[0]),
                             th_buf_view(&body), NULL, &answer);
    th_buf_fini(&body);
    if (status)
        return status;
    if (!th_cmd_json(cli, &answer)) {
        printf("%s\n", th_cli_member(cli, answer.json, "/url"));
        fprintf(stderr, "%s, for tenant %s; it opens once, until %s\n",
                th_cli_member(cli, answer.json, "/id"), cli->args[0],
                th_cli_time(cli, answer.json, "/expires_at"));
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}
