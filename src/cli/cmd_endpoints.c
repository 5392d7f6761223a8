/* endpoints and secrets: the tenant's registered receivers. Field names are those of the tenant's dialect on
 * the wire; the options have the native names, and the dialect's own table translates them. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_columns.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"

#define BODY_MAX ((size_t)1 << 20)

/* The first of several members that a row has, because dialects name them differently. */
static const char *first_of(struct th_cli *cli, struct th_json row, const char *const *pointers)
{
    for (; *pointers; pointers++) {
        const char *text = th_cli_member(cli, row, *pointers);
        if (text[0] != '-')
            return text;
    }
    return "-";
}

static const char *state_of(struct th_cli *cli, struct th_json row)
{
    if (th_cli_member(cli, row, "/disabled")[0] == '{')
        return "disabled";
    return strcmp(th_cli_member(cli, row, "/active"), "false") == 0 ? "paused" : "active";
}

/* ["a","b"] as "a, b"; an empty list takes everything. */
static const char *events_of(struct th_cli *cli, struct th_json row)
{
    static const char *const names[] = {"events", "eventTypes"};
    struct th_json list, e;
    struct th_json_iter it;
    const char *text = "";

    for (unsigned i = 0; i < 2; i++)
        if (th_json_member(row, th_str(names[i]), &list) && list.type == TH_JSON_ARRAY) {
            th_json_iter(&it, list);
            while (th_json_next(&it, NULL, &e))
                text = th_cli_printf(cli, "%s%s%s", text, *text ? ", " : "", th_cli_member(cli, e, ""));
        }
    return *text ? text : "(all)";
}

static const char *const urls[] = {"/url", "/callbackUrl", "/target", NULL};

static void endpoint_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;

    th_columns_add(t, th_cli_member(t->cli, row, "/id"));
    th_columns_add(t, state_of(t->cli, row));
    th_columns_add(t, first_of(t->cli, row, urls));
    th_columns_add(t, events_of(t->cli, row));
}

int th_cmd_endpoints(struct th_cli *cli)
{
    static const char *const heads[] = {"ENDPOINT", "STATUS", "URL", "EVENTS"};

    return th_cmd_list(cli,
                       &(struct th_cmd_list){"/v1/webhooks", heads, 4, endpoint_row,
                                             "no endpoints; make one with: tenterhook endpoints create URL",
                                             TH_LIST_THINGS});
}

static void health_row(void *ctx, struct th_json row)
{
    struct th_columns *t = ctx;
    const char *outcome = th_cli_member(t->cli, row, "/last_attempt/outcome"),
               *status = th_cli_member(t->cli, row, "/last_attempt/status"),
               *detail = th_cli_member(t->cli, row, "/last_attempt/detail");

    th_columns_add(t, th_cli_member(t->cli, row, "/tenant"));
    th_columns_add(t, th_cli_member(t->cli, row, "/endpoint"));
    th_columns_add(t, th_cli_member(t->cli, row, "/state"));
    th_columns_add(t, th_cli_time(t->cli, row, "/failing_since"));
    th_columns_add(t, th_cli_time(t->cli, row, "/last_success_at"));
    th_columns_add(t, status[0] == '-' && detail[0] == '-'
                          ? outcome
                          : th_cli_printf(t->cli, "%s: %s", outcome, status[0] == '-' ? detail : status));
    th_columns_add(t, th_cli_member(t->cli, row, "/pending"));
    th_columns_add(t, th_cli_member(t->cli, row, "/retrying"));
    th_columns_add(t, th_cli_member(t->cli, row, "/held"));
    th_columns_add(t, th_cli_member(t->cli, row, "/url"));
}

int th_cmd_endpoint_health(struct th_cli *cli)
{
    static const char *const heads[] = {"TENANT",       "ENDPOINT",     "STATE",   "FAILING SINCE",
                                        "LAST SUCCESS", "LAST ATTEMPT", "PENDING", "RETRYING",
                                        "HELD",         "URL"};
    const char *state = th_cli_option(cli, "--state");
    struct th_cmd_list list = {"/v1/endpoint-health", heads, 10, health_row, "no endpoints", TH_LIST_THINGS};

    if (state) {
        list.path = th_cli_printf(cli, "%s?state=%s", list.path, th_cli_path(cli, "%s", state));
        list.none = th_cli_printf(cli, "no endpoint is %s", state);
    }
    return th_cmd_list(cli, &list);
}

static void print_endpoint(struct th_cli *cli, struct th_json e)
{
    struct th_json key, value;
    struct th_json_iter it;

    th_json_iter(&it, e);
    while (th_json_next(&it, &key, &value)) {
        const char *name = th_cli_member(cli, key, "");
        printf("%s%-22s%s ", th_dim(cli), name, th_plain(cli));
        th_print_safe(stdout, th_str(th_cli_member(cli, value, "")));
        putchar('\n');
    }
}

/* ---- bodies from options ---- */

static void key_of(struct th_cli *cli, struct th_jw *w, struct th_json dialect, const char *native)
{
    th_jw_key(w, th_str(th_cmd_wire(cli, dialect, native)));
}

/* NAME=VALUE options as an object of texts; "NAME=" removes. False after a message. */
static bool write_pairs(struct th_cli *cli, struct th_jw *w, struct th_json dialect, const char *option,
                        const char *native)
{
    const char *pair;

    if (!th_cli_has(cli, option))
        return true;
    key_of(cli, w, dialect, native);
    th_jw_object(w);
    for (unsigned i = 0; (pair = th_cli_option_at(cli, option, i)) != NULL; i++) {
        const char *eq = strchr(pair, '=');
        if (!eq) {
            th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": write NAME=VALUE", option, pair);
            return false;
        }
        th_jw_key(w, th_span(pair, (size_t)(eq - pair)));
        if (eq[1])
            th_jw_string(w, th_str(eq + 1));
        else
            th_jw_null(w);
    }
    th_jw_end_object(w);
    return true;
}

static bool write_number(struct th_cli *cli, struct th_jw *w, struct th_json dialect, const char *option,
                         const char *native)
{
    const char *text = th_cli_option(cli, option);
    struct th_json v;

    if (!text)
        return true;
    if (th_json_parse(th_str(text), 1, &v, NULL) || (v.type != TH_JSON_NUMBER && v.type != TH_JSON_NULL)) {
        th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": must be a number, or null for the default", option, text);
        return false;
    }
    key_of(cli, w, dialect, native);
    th_jw_raw(w, v.raw);
    return true;
}

/* --set NAME=JSON; --field NAME=JSON is what it was called before, and --field NAME prints. */
static bool write_fields(struct th_cli *cli, struct th_jw *w)
{
    static const char *const options[] = {"--set", "--field"};
    const char *field;

    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; (field = th_cli_option_at(cli, options[k], i)) != NULL; i++) {
            const char *eq = strchr(field, '=');
            struct th_json v;
            if (!eq && k == 1)
                continue;
            if (!eq) {
                th_cli_fail(cli, TH_EXIT_USAGE, "--set \"%s\": write NAME=JSON", field);
                return false;
            }
            th_jw_key(w, th_span(field, (size_t)(eq - field)));
            if (th_json_parse(th_str(eq + 1), TH_JSON_DEPTH, &v, NULL))
                th_jw_string(w, th_str(eq + 1));
            else
                th_jw_raw(w, v.raw);
        }
    return true;
}

static bool write_secret(struct th_cli *cli, struct th_jw *w, struct th_json dialect)
{
    const char *file = th_cli_option(cli, "--secret-file");
    struct th_buf secret;

    if (!file)
        return true;
    if (th_cli_read_secret(cli, file, &secret))
        return false;
    key_of(cli, w, dialect, "secret");
    th_jw_string(w, th_buf_view(&secret));
    th_buf_wipe(&secret);
    return true;
}

/* An option that may be repeated, as a list; an empty one leaves it empty. */
static void write_names(struct th_cli *cli, struct th_jw *w, struct th_json dialect, const char *option,
                        const char *native)
{
    const char *name;

    if (!th_cli_has(cli, option))
        return;
    key_of(cli, w, dialect, native);
    th_jw_array(w);
    for (unsigned i = 0; (name = th_cli_option_at(cli, option, i)) != NULL; i++)
        if (*name)
            th_jw_string(w, th_str(name));
    th_jw_end_array(w);
}

/* --order JSONPATH, "all", or "" for none; --order-wait TIME, or ""; --order-batch NUMBER. */
static void write_order(struct th_cli *cli, struct th_jw *w, struct th_json dialect)
{
    const char *order = th_cli_option(cli, "--order"), *wait_for = th_cli_option(cli, "--order-wait");
    const char *batch = th_cli_option(cli, "--order-batch");
    struct th_json number;

    if (!order && !wait_for && !batch)
        return;
    key_of(cli, w, dialect, "ordering");
    if (order && !*order) {
        th_jw_null(w);
        return;
    }
    th_jw_object(w);
    if (order) {
        th_jw_key(w, TH_LIT("key"));
        if (strcmp(order, "all") == 0)
            th_jw_null(w);
        else
            th_jw_string(w, th_str(order));
    }
    if (wait_for) {
        th_jw_key(w, TH_LIT("max_wait"));
        if (*wait_for)
            th_jw_string(w, th_str(wait_for));
        else
            th_jw_null(w);
    }
    if (batch) {
        th_jw_key(w, TH_LIT("batch"));
        if (th_json_parse(th_str(batch), 1, &number, NULL) == TH_OK && number.type == TH_JSON_NUMBER)
            th_jw_raw(w, number.raw);
        else
            th_jw_string(w, th_str(batch)); /* the server says what is wrong with it */
    }
    th_jw_end_object(w);
}

/* JSON out of a file, or null for "". False after a message. */
static bool write_json(struct th_cli *cli, struct th_jw *w, struct th_json dialect, const char *option,
                       const char *native)
{
    const char *file = th_cli_option(cli, option);
    struct th_json_error where;
    struct th_json root;
    struct th_buf text;
    bool ok;

    if (!file)
        return true;
    key_of(cli, w, dialect, native);
    if (!*file) {
        th_jw_null(w);
        return true;
    }
    th_buf_init(&text, BODY_MAX);
    ok = !th_cli_read_file(cli, file, BODY_MAX, &text);
    if (ok && th_json_parse(th_buf_view(&text), TH_JSON_DEPTH, &root, &where)) {
        th_cli_fail(cli, TH_EXIT_DATA, "%s is no JSON: line %u, column %u: %s", file, where.line,
                    where.column, where.what);
        ok = false;
    }
    if (ok)
        th_jw_raw(w, root.raw);
    th_buf_wipe(&text);
    return ok;
}

/* The files of --tls-ca, --tls-certificate and --tls-key, or null for "". False after a message. */
static bool write_tls(struct th_cli *cli, struct th_jw *w, struct th_json dialect)
{
    static const struct {
        const char *option, *member;
    } files[] = {{"--tls-ca", "ca"}, {"--tls-certificate", "certificate"}, {"--tls-key", "key"}};
    struct th_buf text;
    bool any = false, ok = true;

    for (unsigned i = 0; ok && i < sizeof files / sizeof *files; i++) {
        const char *file = th_cli_option(cli, files[i].option);

        if (!file)
            continue;
        if (!any) {
            key_of(cli, w, dialect, "tls");
            th_jw_object(w);
        }
        any = true;
        th_jw_key(w, th_str(files[i].member));
        th_buf_init(&text, BODY_MAX);
        ok = !*file || !th_cli_read_file(cli, file, BODY_MAX, &text);
        if (*file)
            th_jw_string(w, th_buf_view(&text));
        else
            th_jw_null(w);
        th_buf_wipe(&text);
    }
    if (any)
        th_jw_end_object(w);
    return ok;
}

/* --retry JSON. False after a message. */
static bool write_retry(struct th_cli *cli, struct th_jw *w, struct th_json dialect)
{
    const char *text = th_cli_option(cli, "--retry");
    struct th_json v;

    if (!text)
        return true;
    if (th_json_parse(th_str(text), 4, &v, NULL)) {
        th_cli_fail(cli, TH_EXIT_USAGE, "--retry '%s': must be JSON, for example {\"delays\": [5, \"5m\"]}",
                    text);
        return false;
    }
    key_of(cli, w, dialect, "retry");
    th_jw_raw(w, v.raw);
    return true;
}

static bool write_endpoint(struct th_cli *cli, struct th_json dialect, const char *url, struct th_buf *body)
{
    static const struct {
        const char *option, *native;
    } texts[] = {{"--description", "description"},
                 {"--variant", "signature_variant"},
                 {"--reenable", "reenable"},
                 {"--method", "method"},
                 {"--body-format", "body_format"},
                 {"--trace-context", "trace_context"},
                 {"--payload-version", "payload_version"},
                 {"--source-address", "source_address"}};
    static const struct {
        const char *option, *native;
    } numbers[] = {{"--timeout", "timeout_seconds"},
                   {"--max-in-flight", "max_in_flight"},
                   {"--rate-limit", "rate_limit_per_second"}};
    struct th_jw w = th_jw(body);
    bool ok = true;

    th_jw_object(&w);
    if (url) {
        key_of(cli, &w, dialect, "url");
        th_jw_string(&w, th_str(url));
    }
    write_names(cli, &w, dialect, "--event", "events");
    write_names(cli, &w, dialect, "--channel", "channels");
    if (th_cli_option(cli, "--filter")) {
        key_of(cli, &w, dialect, "filter");
        if (*th_cli_option(cli, "--filter"))
            th_jw_string(&w, th_str(th_cli_option(cli, "--filter")));
        else
            th_jw_null(&w);
    }
    write_order(cli, &w, dialect);
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = th_cli_option(cli, texts[i].option);

        if (!text)
            continue;
        key_of(cli, &w, dialect, texts[i].native);
        if (!*text && i > 2)
            th_jw_null(&w);
        else
            th_jw_string(&w, th_str(text));
    }
    for (unsigned i = 0; ok && i < 3; i++)
        ok = write_number(cli, &w, dialect, numbers[i].option, numbers[i].native);
    ok = ok && write_pairs(cli, &w, dialect, "--metadata", "metadata") &&
         write_pairs(cli, &w, dialect, "--header", "headers");
    ok = ok && write_json(cli, &w, dialect, "--template", "template") &&
         write_json(cli, &w, dialect, "--auth", "authentication");
    ok = ok && write_tls(cli, &w, dialect) && write_retry(cli, &w, dialect);
    ok = ok && write_fields(cli, &w) && write_secret(cli, &w, dialect);
    th_jw_end_object(&w);
    return ok;
}

/* ---- commands ---- */

int th_cmd_endpoint_create(struct th_cli *cli)
{
    struct th_answer dialect, answer;
    struct th_buf body;
    int status = th_cmd_dialect_of(cli, &dialect);

    if (status)
        return status;
    th_buf_init(&body, BODY_MAX);
    status = write_endpoint(cli, dialect.json, cli->args[0], &body)
                 ? th_cli_call(cli, "POST", "/v1/webhooks", th_buf_view(&body), NULL, &answer)
                 : TH_EXIT_USAGE;
    th_buf_wipe(&body);
    th_answer_free(&dialect);
    if (status)
        return status;
    if (!th_cmd_json(cli, &answer)) {
        print_endpoint(cli, answer.json);
        if (th_cli_member(cli, answer.json, "/secret")[0] != '-')
            printf("%skeep the secret: some dialects show it only now%s\n", th_dim(cli), th_plain(cli));
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

static int one(struct th_cli *cli, const char *method, const char *format, struct th_span body,
               const char *done)
{
    struct th_answer answer;
    int status = th_cli_call(cli, method, th_cli_path(cli, format, cli->args[0]), body, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer)) {
        if (done)
            printf("%s  %s\n", cli->args[0], done);
        else
            print_endpoint(cli, answer.json);
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_endpoint_retry(struct th_cli *cli)
{
    struct th_answer answer;
    const char *pending;
    int status = th_cli_call(cli, "POST", th_cli_path(cli, "/v1/webhooks/%s/retry", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    pending = th_cli_member(cli, answer.json, "/pending");
    if (!th_cmd_json(cli, &answer)) {
        printf("%s  deliveries that are now due for another attempt: %s", cli->args[0],
               th_cli_member(cli, answer.json, "/retrying"));
        if (strcmp(pending, "0") != 0)
            printf("; waiting for their first attempt: %s", pending);
        printf("\n");
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_endpoint_show(struct th_cli *cli)
{
    return one(cli, "GET", "/v1/webhooks/%s", (struct th_span){0}, NULL);
}

int th_cmd_endpoint_update(struct th_cli *cli)
{
    const char *url = th_cli_option(cli, th_cli_has(cli, "--url") ? "--url" : "--set-url");
    struct th_answer dialect;
    struct th_buf body;
    int status = th_cmd_dialect_at(cli, cli->args[0], &dialect);

    if (status)
        return status;
    th_buf_init(&body, BODY_MAX);
    if (!write_endpoint(cli, dialect.json, url, &body))
        status = TH_EXIT_USAGE;
    else if (body.n <= 2)
        status =
            th_cli_fail(cli, TH_EXIT_USAGE,
                        "no change was given; `tenterhook help endpoints update` lists what can be changed");
    else
        status = one(cli, "PATCH", "/v1/webhooks/%s", th_buf_view(&body), NULL);
    th_buf_wipe(&body);
    th_answer_free(&dialect);
    return status;
}

int th_cmd_endpoint_delete(struct th_cli *cli)
{
    if (!th_cli_confirm(cli,
                        th_cli_printf(cli, "Delete endpoint %s and cancel what waits for it?", cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not deleted; give --yes to delete without being asked");
    return one(cli, "DELETE", "/v1/webhooks/%s", (struct th_span){0}, "deleted");
}

static int set_active(struct th_cli *cli, bool active, const char *done)
{
    struct th_answer dialect;
    struct th_buf body;
    struct th_jw w;
    int status = th_cmd_dialect_at(cli, cli->args[0], &dialect);

    if (status)
        return status;
    th_buf_init(&body, 4096);
    w = th_jw(&body);
    th_jw_object(&w);
    key_of(cli, &w, dialect.json, "active");
    th_jw_bool(&w, active);
    th_jw_end_object(&w);
    status = one(cli, "PATCH", "/v1/webhooks/%s", th_buf_view(&body), done);
    th_buf_fini(&body);
    th_answer_free(&dialect);
    return status;
}

int th_cmd_endpoint_pause(struct th_cli *cli)
{
    return set_active(cli, false, "paused: its deliveries are held");
}

int th_cmd_endpoint_resume(struct th_cli *cli)
{
    return set_active(cli, true, "active: deliveries that were held go out, oldest first");
}

/* Follows the test's one attempt to its end, so that the answer to "does it work?" is the exit status. */
static int follow(struct th_cli *cli, const char *id)
{
    int64_t until = th_cli_clock_ms() + 60000;

    for (;;) {
        struct th_answer answer;
        const char *outcome;
        int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/deliveries/%s", id), (struct th_span){0},
                                 NULL, &answer);
        if (status)
            return status;
        outcome = th_cli_member(cli, answer.json, "/last_attempt/outcome");
        if (outcome[0] != '-' || th_cli_clock_ms() > until) {
            bool good = strcmp(outcome, "success") == 0;
            if (!th_cmd_json(cli, &answer))
                th_cmd_print_delivery(cli, answer.json, th_cli_has(cli, "--verbose"));
            th_answer_free(&answer);
            return good ? TH_EXIT_OK : outcome[0] == '-' ? TH_EXIT_LATER : TH_EXIT_NO;
        }
        th_answer_free(&answer);
        th_cli_clock_sleep(30);
    }
}

int th_cmd_endpoint_test(struct th_cli *cli)
{
    const char *type = th_cli_option(cli, "--type");
    struct th_answer answer;
    struct th_buf body;
    struct th_jw w;
    const char *id;
    int status;

    th_buf_init(&body, 4096);
    w = th_jw(&body);
    th_jw_object(&w);
    if (type) {
        th_jw_key(&w, TH_LIT("type"));
        th_jw_string(&w, th_str(type));
    }
    th_jw_end_object(&w);
    status = th_cli_call(cli, "POST", th_cli_path(cli, "/v1/webhooks/%s/test", cli->args[0]),
                         th_buf_view(&body), NULL, &answer);
    th_buf_fini(&body);
    if (status)
        return status;
    id = th_cli_member(cli, answer.json, "/id");
    if (id[0] == '-') { /* the answer of a dialect may name no delivery */
        if (!th_cmd_json(cli, &answer))
            printf("%s  a sample goes out; `tenterhook deliveries --endpoint %s` shows it\n", cli->args[0],
                   cli->args[0]);
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    return follow(cli, id);
}

/* ---- secrets ---- */

static int print_secrets(struct th_cli *cli, const struct th_answer *answer)
{
    static const char *const heads[] = {"SECRET", "SINCE", "ENDS", "PUBLIC KEY"};
    bool pairs = th_json_pointer(answer->json, TH_LIT("/secrets/0/public_key"), &(struct th_json){0});
    struct th_json list, row;
    struct th_json_iter it;
    struct th_columns t;

    if (th_cmd_json(cli, answer))
        return TH_EXIT_OK;
    th_columns_init(&t, cli, pairs ? 4 : 3, heads);
    if (th_json_member(answer->json, TH_LIT("secrets"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &row)) {
            th_columns_add(&t, th_cli_member(cli, row, "/secret"));
            th_columns_add(&t, th_cli_time(cli, row, "/created_at"));
            th_columns_add(&t, th_cli_time(cli, row, "/expires_at"));
            if (pairs)
                th_columns_add(&t, th_cli_member(cli, row, "/public_key"));
        }
    }
    th_columns_print(&t);
    return TH_EXIT_OK;
}

int th_cmd_secrets(struct th_cli *cli)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/webhooks/%s/secret", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    status = print_secrets(cli, &answer);
    th_answer_free(&answer);
    return status;
}

int th_cmd_secret_rotate(struct th_cli *cli)
{
    const char *overlap = th_cli_option(cli, "--overlap");
    struct th_answer answer;
    struct th_buf body;
    struct th_jw w;
    int64_t ms;
    int status = TH_EXIT_OK;

    th_buf_init(&body, 8192);
    w = th_jw(&body);
    th_jw_object(&w);
    if (overlap) {
        th_jw_key(&w, TH_LIT("overlap_seconds"));
        if (strcmp(overlap, "until-revoked") == 0)
            th_jw_null(&w);
        else if (th_cli_duration(cli, "--overlap", 0, &ms))
            th_jw_i64(&w, ms / 1000);
        else
            status = TH_EXIT_USAGE;
    }
    if (th_cli_option(cli, "--variant")) {
        th_jw_key(&w, TH_LIT("signature_variant"));
        th_jw_string(&w, th_str(th_cli_option(cli, "--variant")));
    }
    if (!status && !write_secret(cli, &w, (struct th_json){0}))
        status = TH_EXIT_INPUT;
    th_jw_end_object(&w);
    if (!status)
        status = th_cli_call(cli, "POST", th_cli_path(cli, "/v1/webhooks/%s/rotate-secret", cli->args[0]),
                             th_buf_view(&body), NULL, &answer);
    th_buf_wipe(&body);
    if (status)
        return status;
    status = print_secrets(cli, &answer);
    th_answer_free(&answer);
    return status;
}

int th_cmd_secret_revoke(struct th_cli *cli)
{
    if (!th_cli_confirm(cli, "End the previous secret now? Receivers that still use it will refuse."))
        return th_cli_fail(cli, TH_EXIT_USAGE, "not revoked; give --yes to revoke without being asked");
    return one(cli, "DELETE", "/v1/webhooks/%s/secret/previous", (struct th_span){0},
               "the previous secret has ended");
}
