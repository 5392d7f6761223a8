/* What a template makes of an event: asks the server, which writes bodies. */
#include "cli/cli_call.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

#define FILE_MAX ((size_t)32 << 20)

static int read_json(struct th_cli *cli, const char *path, struct th_buf *text, struct th_json *root)
{
    struct th_json_error where;
    int status;

    th_buf_init(text, FILE_MAX);
    status = th_cli_read_file(cli, path, FILE_MAX, text);
    if (!status && th_json_parse(th_buf_view(text), TH_JSON_DEPTH, root, &where))
        status = th_cli_fail(cli, TH_EXIT_DATA, "%s is no JSON: line %u, column %u: %s", path, where.line,
                             where.column, where.what);
    return status;
}

/* The request's body. Exit status. */
static int write_request(struct th_cli *cli, struct th_buf *out)
{
    const char *event = th_cli_option(cli, "--event"), *file = th_cli_option(cli, "--data");
    struct th_buf template, data;
    struct th_json root, of;
    struct th_jw w = th_jw(out);
    int status;

    if (!event == !file)
        return th_cli_fail(cli, TH_EXIT_USAGE, "give --event ID or --data FILE; one of both");
    status = read_json(cli, cli->args[0], &template, &root);
    th_buf_init(&data, 1);
    if (!status && file)
        status = read_json(cli, file, &data, &of);
    if (!status) {
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("template"));
        th_jw_raw(&w, root.raw);
        if (event) {
            th_jw_key(&w, TH_LIT("event"));
            th_jw_string(&w, th_str(event));
        } else {
            th_jw_key(&w, TH_LIT("data"));
            th_jw_raw(&w, of.raw);
        }
        if (th_cli_option(cli, "--type")) {
            th_jw_key(&w, TH_LIT("type"));
            th_jw_string(&w, th_str(th_cli_option(cli, "--type")));
        }
        th_jw_end_object(&w);
    }
    th_buf_fini(&template);
    th_buf_fini(&data);
    return status;
}

int th_cmd_template(struct th_cli *cli)
{
    struct th_answer answer;
    struct th_buf body;
    struct th_json made;
    int status;

    th_buf_init(&body, 2 * FILE_MAX);
    status = write_request(cli, &body);
    if (!status)
        status = th_cli_call(cli, "POST", "/v1/templates/preview", th_buf_view(&body), NULL, &answer);
    th_buf_fini(&body);
    if (status)
        return status;
    if (cli->json) {
        status = th_cli_print(cli, answer.json);
    } else if (th_json_member(answer.json, TH_LIT("body"), &made)) {
        th_print_safe(stdout, made.raw);
        printf("\n%s%s bytes%s\n", th_dim(cli), th_cli_member(cli, answer.json, "/bytes"), th_plain(cli));
    }
    th_answer_free(&answer);
    return status;
}
