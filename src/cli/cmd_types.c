/* event-types: the catalogue of the installation, or with --of that of a tenant. */
#include "cli/cli_call.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

#define FILE_MAX ((size_t)1 << 20)

/* Of the catalogue, or of a type in it. */
static const char *path_of(struct th_cli *cli, const char *type)
{
    const char *tenant = th_cli_option(cli, "--of");

    if (tenant)
        return type ? th_cli_path(cli, "/v1/tenants/%s/event-types/%s", tenant, type)
                    : th_cli_path(cli, "/v1/tenants/%s/event-types", tenant);
    return type ? th_cli_path(cli, "/v1/event-types/%s", type) : "/v1/event-types";
}

static const char *newest(struct th_cli *cli, struct th_json row)
{
    return th_cli_member(cli, row, "/versions/0/version");
}

static void type_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;
    struct th_json v;
    bool archived = th_json_member(row, TH_LIT("archived"), &v) && v.type == TH_JSON_TRUE,
         deprecated = th_json_member(row, TH_LIT("deprecated"), &v) && v.type == TH_JSON_TRUE;

    th_columns_add(t, th_cli_member(t->cli, row, "/type"));
    th_columns_add(t, th_cli_member(t->cli, row, "/group"));
    th_columns_add(t, newest(t->cli, row));
    th_columns_add(t, th_json_member(row, TH_LIT("schema"), &v) ? th_cli_member(t->cli, row, "/validate")
                                                                : "no schema");
    th_columns_add(t, archived ? "archived" : deprecated ? "deprecated" : "");
    th_columns_add(t, th_cli_member(t->cli, row, "/description"));
}

int th_cmd_types(struct th_cli *cli)
{
    static const char *const heads[] = {"TYPE", "GROUP", "VERSION", "VALIDATE", "", "DESCRIPTION"};

    return th_cmd_list(
        cli, &(struct th_cmd_list){path_of(cli, NULL), heads, 6, type_row, "no event types", TH_LIST_THINGS});
}

static void use_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/endpoint"));
    th_columns_add(t, th_cli_member(t->cli, row, "/tenant"));
    th_columns_add(t, th_cli_member(t->cli, row, "/payload_version"));
    th_columns_add(t, th_cli_member(t->cli, row, "/version"));
    th_columns_add(t, th_cli_member(t->cli, row, "/sunset"));
}

int th_cmd_type_usage(struct th_cli *cli)
{
    static const char *const heads[] = {"ENDPOINT", "TENANT", "PINNED", "GETS", "SUNSET"};

    return th_cmd_list(cli, &(struct th_cmd_list){th_cli_path(cli, "/v1/event-types/%s/usage", cli->args[0]),
                                                  heads, 5, use_row, "no endpoint takes this type",
                                                  TH_LIST_THINGS});
}

static void print_json(const char *head, struct th_json type, const char *name)
{
    struct th_json v;

    if (!th_json_member(type, th_str(name), &v))
        return;
    printf("%s", head);
    th_print_line(stdout, v.raw);
    putchar('\n');
}

static int type_call(struct th_cli *cli, const char *method, struct th_span body)
{
    struct th_answer answer;
    int status = th_cli_call(cli, method, path_of(cli, cli->args[0]), body, NULL, &answer);
    struct th_json v;

    if (status)
        return status;
    if (!answer.json.raw.n) {
        if (!th_cmd_json(cli, &answer))
            printf("%s  deleted\n", cli->args[0]);
    } else if (!th_cmd_json(cli, &answer)) {
        printf("%s%s%s  ", th_bold(cli), th_cli_member(cli, answer.json, "/type"), th_plain(cli));
        th_print_line(stdout, th_str(th_cli_member(cli, answer.json, "/description")));
        printf("  changed %s\n", th_cli_time(cli, answer.json, "/updated_at"));
        if (th_json_member(answer.json, TH_LIT("schema"), &v))
            printf("data that does not fit: %s\n", th_cli_member(cli, answer.json, "/validate"));
        print_json("versions ", answer.json, "versions");
        print_json("schema   ", answer.json, "schema");
        print_json("example  ", answer.json, "example");
    }
    th_answer_free(&answer);
    return status;
}

int th_cmd_type_show(struct th_cli *cli)
{
    return type_call(cli, "GET", (struct th_span){0});
}

/* A member with the JSON of a file; of an empty name null. Exit status. */
static int write_file(struct th_cli *cli, struct th_jw *w, const char *option, const char *member)
{
    const char *file = th_cli_option(cli, option);
    struct th_json_error where;
    struct th_json root;
    struct th_buf text;
    int status;

    if (!file)
        return TH_EXIT_OK;
    th_jw_key(w, th_str(member));
    if (!*file) {
        th_jw_null(w);
        return TH_EXIT_OK;
    }
    th_buf_init(&text, FILE_MAX);
    status = th_cli_read_file(cli, file, FILE_MAX, &text);
    if (!status && th_json_parse(th_buf_view(&text), TH_JSON_DEPTH, &root, &where))
        status = th_cli_fail(cli, TH_EXIT_DATA, "%s is no JSON: line %u, column %u: %s", file, where.line,
                             where.column, where.what);
    if (!status)
        th_jw_raw(w, root.raw);
    th_buf_fini(&text);
    return status;
}

static void write_text(struct th_cli *cli, struct th_jw *w, const char *option, const char *member)
{
    if (!th_cli_option(cli, option))
        return;
    th_jw_key(w, th_str(member));
    th_jw_string(w, th_str(th_cli_option(cli, option)));
}

static int write_yes(struct th_cli *cli, struct th_jw *w, const char *option, const char *member)
{
    const char *text = th_cli_option(cli, option);

    if (!text)
        return TH_EXIT_OK;
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": write yes or no", option, text);
    th_jw_key(w, th_str(member));
    th_jw_bool(w, *text == 'y');
    return TH_EXIT_OK;
}

int th_cmd_type_put(struct th_cli *cli)
{
    static const char *const files[][2] = {
        {"--schema", "schema"}, {"--example", "example"}, {"--versions", "versions"}};
    static const char *const flags[][2] = {{"--archived", "archived"}, {"--deprecated", "deprecated"}};
    struct th_buf body;
    struct th_jw w = th_jw(&body);
    int status = TH_EXIT_OK;

    th_buf_init(&body, 4 * FILE_MAX);
    th_jw_object(&w);
    write_text(cli, &w, "--description", "description");
    write_text(cli, &w, "--group", "group");
    write_text(cli, &w, "--validate", "validate");
    for (unsigned i = 0; !status && i < sizeof files / sizeof *files; i++)
        status = write_file(cli, &w, files[i][0], files[i][1]);
    for (unsigned i = 0; !status && i < sizeof flags / sizeof *flags; i++)
        status = write_yes(cli, &w, flags[i][0], flags[i][1]);
    th_jw_end_object(&w);
    if (!status)
        status = type_call(cli, "PUT", th_buf_view(&body));
    th_buf_fini(&body);
    return status;
}

int th_cmd_type_delete(struct th_cli *cli)
{
    if (!th_cli_confirm(cli,
                        th_cli_printf(cli, "Take the event type %s out of the catalogue?", cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not deleted; give --yes to delete without being asked");
    return type_call(cli, "DELETE", (struct th_span){0});
}
