/* Members of the server's JSON as text, in cli->mem. */
#include "cli/cli_member.h"
#include "cli/cli.h"

const char *th_cli_member(struct th_cli *cli, struct th_json v, const char *pointer)
{
    struct th_json at;
    struct th_buf text;
    const char *kept;

    if (!v.raw.n || !th_json_pointer(v, th_str(pointer), &at) || at.type == TH_JSON_NULL)
        return "-";
    if (at.type != TH_JSON_STRING)
        return th_cli_text(cli, at.raw);
    th_buf_init(&text, at.raw.n * 2 + 16);
    th_json_string(at, &text);
    kept = th_cli_text(cli, th_buf_view(&text));
    th_buf_fini(&text);
    return kept[0] ? kept : "-";
}

const char *th_cli_quoted(struct th_cli *cli, const char *text)
{
    struct th_buf out;
    struct th_jw w;
    const char *kept;

    th_buf_init(&out, strlen(text) * 6 + 16);
    w = th_jw(&out);
    th_jw_string(&w, th_str(text));
    kept = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return kept;
}

const char *th_cli_time(struct th_cli *cli, struct th_json v, const char *pointer)
{
    const char *text = th_cli_member(cli, v, pointer);
    char *short_form;

    if (strlen(text) < 19 || text[10] != 'T')
        return text;
    short_form = th_cli_printf(cli, "%.19sZ", text); /* the API's times are UTC */
    short_form[10] = ' ';
    return short_form;
}
