/* events, deliveries, attempts: shows what happened, as tables for people and JSON for programs. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_columns.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

bool th_cmd_json(struct th_cli *cli, const struct th_answer *answer)
{
    if (cli->json)
        (void)th_cli_print(cli, answer->json.raw.n ? answer->json
                                                   : (struct th_json){TH_JSON_OBJECT, TH_LIT("{}")});
    return cli->json;
}

/* ---- lists ---- */

/* Appends the filters that were given. Exit status. */
static int filtered(struct th_cli *cli, const char *base, const char **path)
{
    static const struct {
        const char *option, *name;
    } texts[] = {{"--endpoint", "endpoint"}, {"--event", "event"},     {"--status", "status"},
                 {"--type", "event_type"},   {"--outcome", "outcome"}, {"--status-code", "status_code"},
                 {"--cursor", "cursor"}};
    static const char *const times[] = {"since", "until"};
    char option[32];
    char mark = '?';

    *path = base;
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = th_cli_joined(cli, texts[i].option);
        if (value) {
            *path =
                th_cli_printf(cli, "%s%c%s=%s", *path, mark, texts[i].name, th_cli_path(cli, "%s", value));
            mark = '&';
        }
    }
    if (th_cli_has(cli, "--include-tests")) {
        *path = th_cli_printf(cli, "%s%cinclude_tests=true", *path, mark);
        mark = '&';
    }
    for (unsigned i = 0; i < 2; i++) {
        const char *value = (snprintf(option, sizeof option, "--%s", times[i]), th_cli_option(cli, option));
        if (value) {
            value = th_cli_moment(cli, value);
            if (!value)
                return TH_EXIT_USAGE;
            *path = th_cli_printf(cli, "%s%c%s=%s", *path, mark, times[i], th_cli_path(cli, "%s", value));
            mark = '&';
        }
    }
    return TH_EXIT_OK;
}

/* Of events or deliveries, as the filters say. */
static int list_filtered(struct th_cli *cli, struct th_cmd_list list)
{
    int status = filtered(cli, list.path, &list.path);

    list.most = TH_LIST_ROWS;
    return status ? status : th_cmd_list(cli, &list);
}

static void event_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/type"));
    th_columns_add(t, th_cli_time(t->cli, row, "/created_at"));
    th_columns_add(t, th_cli_member(t->cli, row, "/delivery_count"));
}

int th_cmd_events(struct th_cli *cli)
{
    static const char *const heads[] = {"EVENT", "TYPE", "ACCEPTED", "DELIVERIES"};

    return list_filtered(cli, (struct th_cmd_list){"/v1/events", heads, 4, event_row, "no events", 0});
}

static void delivery_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;
    const char *answer = th_cli_member(t->cli, row, "/last_attempt/status");

    if (answer[0] == '-')
        answer = th_cli_member(t->cli, row, "/last_attempt/outcome");
    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, th_cli_member(t->cli, row, "/event_type"));
    th_columns_add(t, th_cli_member(t->cli, row, "/endpoint"));
    th_columns_add(t, th_cli_member(t->cli, row, "/status"));
    th_columns_add(t, th_cli_member(t->cli, row, "/attempt_count"));
    th_columns_add(t, answer);
    th_columns_add(t, th_cli_time(t->cli, row, "/created_at"));
    th_columns_add(t, th_cli_time(t->cli, row, "/next_attempt_at"));
}

static const char *const delivery_heads[] = {"DELIVERY", "TYPE",   "ENDPOINT", "STATUS",
                                             "ATTEMPTS", "ANSWER", "CREATED",  "NEXT ATTEMPT"};

int th_cmd_deliveries(struct th_cli *cli)
{
    return list_filtered(
        cli, (struct th_cmd_list){"/v1/deliveries", delivery_heads, 8, delivery_row, "no deliveries", 0});
}

/* ---- one event ---- */

int th_cmd_event(struct th_cli *cli)
{
    struct th_answer answer;
    struct th_json deliveries, row;
    struct th_json_iter it;
    struct th_columns t;
    int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/events/%s", cli->args[0]), (struct th_span){0},
                             NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer)) {
        printf("%s%s%s  %s  accepted %s\n", th_bold(cli), th_cli_member(cli, answer.json, "/id"),
               th_plain(cli), th_cli_member(cli, answer.json, "/type"),
               th_cli_time(cli, answer.json, "/created_at"));
        if (th_json_member(answer.json, TH_LIT("data"), &row))
            th_print_json(stdout, row);
        th_columns_init(&t, cli, 8, delivery_heads);
        if (th_json_member(answer.json, TH_LIT("deliveries"), &deliveries)) {
            th_json_iter(&it, deliveries);
            while (th_json_next(&it, NULL, &row))
                delivery_row(&t, row);
        }
        if (th_columns_rows(&t))
            th_columns_print(&t);
        else
            printf("no deliveries: no endpoint took this type\n");
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

/* ---- one delivery ---- */

static void print_fields(struct th_cli *cli, struct th_json headers)
{
    struct th_json key, value, one;
    struct th_json_iter it, values;

    th_json_iter(&it, headers);
    while (th_json_next(&it, &key, &value)) {
        bool several = value.type == TH_JSON_ARRAY;
        th_json_iter(&values, value);
        for (one = value; !several || th_json_next(&values, NULL, &one);) {
            printf("    %s", th_dim(cli));
            th_print_safe(stdout, th_str(th_cli_member(cli, key, "")));
            printf(":%s ", th_plain(cli));
            th_print_safe(stdout, th_str(th_cli_member(cli, one, "")));
            putchar('\n');
            if (!several)
                break;
        }
    }
}

static void print_body(struct th_cli *cli, struct th_json message)
{
    struct th_json body, json;
    struct th_buf text;

    if (th_json_member(message, TH_LIT("body_base64"), &body)) {
        printf("    (not text, base64) ");
        th_print_safe(stdout, th_str(th_cli_member(cli, body, "")));
        putchar('\n');
        return;
    }
    if (!th_json_member(message, TH_LIT("body"), &body) || body.type != TH_JSON_STRING || body.raw.n <= 2)
        return;
    th_buf_init(&text, body.raw.n * 2 + 64);
    th_json_string(body, &text);
    putchar('\n');
    if (!th_json_parse(th_buf_view(&text), TH_JSON_DEPTH, &json, NULL) &&
        (json.type == TH_JSON_OBJECT || json.type == TH_JSON_ARRAY)) {
        th_print_json(stdout, json);
    } else {
        th_print_safe(stdout, th_buf_view(&text));
        if (text.n && text.p[text.n - 1] != '\n')
            putchar('\n');
    }
    th_buf_fini(&text);
}

static void print_attempt(struct th_cli *cli, struct th_json a, bool bodies)
{
    static const struct {
        const char *pointer, *name;
    } parts[] = {
        {"/dns_ms", "DNS"}, {"/connect_ms", "connect"}, {"/tls_ms", "TLS"}, {"/first_byte_ms", "first byte"}};
    const char *outcome = th_cli_member(cli, a, "/outcome"), *detail = th_cli_member(cli, a, "/detail");
    struct th_json at;

    printf("\n%sattempt %s%s  %s  %s%s%s", th_bold(cli), th_cli_member(cli, a, "/number"), th_plain(cli),
           th_cli_time(cli, a, "/time"), th_status_colour(cli, outcome), outcome, th_plain(cli));
    if (th_cli_member(cli, a, "/status")[0] != '-')
        printf("  status %s", th_cli_member(cli, a, "/status"));
    printf("  %s ms", th_cli_member(cli, a, "/duration_ms"));
    for (unsigned i = 0; i < 4; i++)
        if (th_cli_member(cli, a, parts[i].pointer)[0] != '-')
            printf("%s%s %s", i ? ", " : "  ", parts[i].name, th_cli_member(cli, a, parts[i].pointer));
    printf("  %s\n", th_cli_member(cli, a, "/address"));
    if (detail[0] != '-') {
        printf("  ");
        th_print_safe(stdout, th_str(detail));
        putchar('\n');
    }
    if (!bodies)
        return;
    if (th_json_member(a, TH_LIT("request"), &at) && at.type == TH_JSON_OBJECT) {
        struct th_json headers;
        printf("  %s> %s %s%s\n", th_bold(cli), th_cli_member(cli, at, "/method"),
               th_cli_member(cli, at, "/url"), th_plain(cli));
        if (th_json_member(at, TH_LIT("headers"), &headers))
            print_fields(cli, headers);
        print_body(cli, at);
    }
    if (th_json_member(a, TH_LIT("response"), &at) && at.type == TH_JSON_OBJECT) {
        struct th_json headers;
        printf("  %s< %s%s\n", th_bold(cli), th_cli_member(cli, at, "/status"), th_plain(cli));
        if (th_json_member(at, TH_LIT("headers"), &headers))
            print_fields(cli, headers);
        print_body(cli, at);
        if (th_cli_member(cli, at, "/decoded_from")[0] != '-')
            printf("    (came as %s, shown decoded)\n", th_cli_member(cli, at, "/decoded_from"));
        else if (th_cli_member(cli, at, "/encoding")[0] != '-')
            printf("    (%s, shown as it came: this coding is not decoded here)\n",
                   th_cli_member(cli, at, "/encoding"));
        if (strcmp(th_cli_member(cli, at, "/truncated"), "true") == 0)
            printf("    (cut: only the beginning is kept)\n");
    }
}

void th_cmd_print_delivery(struct th_cli *cli, struct th_json d, bool bodies)
{
    const char *status = th_cli_member(cli, d, "/status"), *reason = th_cli_member(cli, d, "/reason");
    struct th_json attempts, a;
    struct th_json_iter it;

    printf("%s%s%s  %s%s%s%s%s%s  %s  event %s  endpoint %s\n", th_bold(cli), th_cli_member(cli, d, "/id"),
           th_plain(cli), th_status_colour(cli, status), status, th_plain(cli), reason[0] == '-' ? "" : " (",
           reason[0] == '-' ? "" : reason, reason[0] == '-' ? "" : ")", th_cli_member(cli, d, "/event_type"),
           th_cli_member(cli, d, "/event"), th_cli_member(cli, d, "/endpoint"));
    if (th_cli_member(cli, d, "/waits_for")[0] != '-')
        printf("waits for %s, whose turn it is\n", th_cli_member(cli, d, "/waits_for"));
    if (th_cli_member(cli, d, "/next_attempt_at")[0] != '-')
        printf("next attempt %s\n", th_cli_time(cli, d, "/next_attempt_at"));
    if (th_cli_member(cli, d, "/schedule/delays")[0] != '-')
        printf("schedule of the endpoint: delays %s seconds, jitter %s %%, final %s; attempts of it so far: "
               "%s\n",
               th_cli_member(cli, d, "/schedule/delays"), th_cli_member(cli, d, "/schedule/jitter_percent"),
               th_cli_member(cli, d, "/schedule/final"), th_cli_member(cli, d, "/tries"));
    if (!th_json_member(d, TH_LIT("attempts"), &attempts))
        return;
    th_json_iter(&it, attempts);
    while (th_json_next(&it, NULL, &a))
        print_attempt(cli, a, bodies);
}

static int show(struct th_cli *cli, bool bodies)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/deliveries/%s", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        th_cmd_print_delivery(cli, answer.json, bodies);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_delivery(struct th_cli *cli)
{
    return show(cli, false);
}

static void attempt_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;
    const char *answer = th_cli_member(t->cli, row, "/status");

    th_columns_add(t, th_cli_time(t->cli, row, "/time"));
    th_columns_add(t, th_cli_member(t->cli, row, "/delivery"));
    th_columns_add(t, th_cli_member(t->cli, row, "/event_type"));
    th_columns_add(t, th_cli_member(t->cli, row, "/endpoint"));
    th_columns_add(t, th_cli_member(t->cli, row, "/number"));
    th_columns_add(t, th_cli_member(t->cli, row, "/outcome"));
    th_columns_add(t, answer);
    th_columns_add(t, th_cli_member(t->cli, row, "/duration_ms"));
}

int th_cmd_attempts(struct th_cli *cli)
{
    static const char *const heads[] = {"TIME",    "DELIVERY", "TYPE",   "ENDPOINT",
                                        "ATTEMPT", "OUTCOME",  "ANSWER", "MS"};
    static const char *const filters[] = {"--endpoint",    "--event",         "--type",   "--outcome",
                                          "--status-code", "--include-tests", "--cursor", "--limit"};

    if (!cli->arg_count)
        return list_filtered(cli,
                             (struct th_cmd_list){"/v1/attempts", heads, 8, attempt_row, "no attempts", 0});
    for (unsigned i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (th_cli_has(cli, filters[i]))
            return th_cli_fail(cli, TH_EXIT_USAGE,
                               "%s: is only for the list of all attempts; leave it out, or the delivery",
                               filters[i]);
    return show(cli, true);
}

int th_cmd_event_erase(struct th_cli *cli)
{
    struct th_answer answer;
    int status;

    if (!th_cli_confirm(cli,
                        th_cli_printf(cli, "Erase the content of %s? It cannot come back.", cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE, "nothing was erased; give --yes to erase without being asked");
    status = th_cli_call(cli, "DELETE",
                         th_cli_printf(cli, "%s%s", th_cli_path(cli, "/v1/events/%s", cli->args[0]),
                                       th_cli_has(cli, "--cancel") ? "?cancel=true" : ""),
                         (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  erased; earlier backups still have it\n", cli->args[0]);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

static int cancel(struct th_cli *cli, const char *format)
{
    struct th_answer answer;
    int status =
        th_cli_call(cli, "POST", th_cli_path(cli, format, cli->args[0]), (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  deliveries cancelled: %s\n", cli->args[0], th_cli_member(cli, answer.json, "/cancelled"));
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_event_cancel(struct th_cli *cli)
{
    return cancel(cli, "/v1/events/%s/cancel");
}

int th_cmd_delivery_cancel(struct th_cli *cli)
{
    return cancel(cli, "/v1/deliveries/%s/cancel");
}

int th_cmd_delivery_retry(struct th_cli *cli)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "POST", th_cli_path(cli, "/v1/deliveries/%s/retry", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  %s; `tenterhook attempts %s` shows it\n", cli->args[0],
               strcmp(th_cli_member(cli, answer.json, "/under_way"), "true") == 0
                   ? "a request is under way; one more goes out as soon as it has ended, unless it delivers"
                   : "one attempt goes out now",
               cli->args[0]);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}
