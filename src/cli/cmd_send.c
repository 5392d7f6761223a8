/* send: publish one event from the command line, and with --wait follow it to its end.
 *
 * Why: the first thing that a newcomer does, and what a developer does a hundred times a day; so the data can
 * come from the argument, a file, standard input or the dialect's own sample, and single members can be
 * changed. Refuses: data that is not strict JSON (with line and column, before anything is sent). */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DATA_MAX ((size_t)16 << 20)
#define PATH_MAX_SEGMENTS 16

/* ---- --set ---- */

static void add_value(struct th_buf *out, struct th_span value)
{
    struct th_json v;
    struct th_jw w = th_jw(out);

    if (!th_json_parse(value, TH_JSON_DEPTH, &v, NULL))
        th_buf_span(out, value);
    else
        th_jw_string(&w, value);
}

/* Member of an object by name, element of an array by number. */
static bool child(struct th_json v, struct th_span name, struct th_json *out)
{
    struct th_json_iter it;
    uint64_t index;

    if (v.type == TH_JSON_OBJECT)
        return th_json_member(v, name, out);
    if (v.type != TH_JSON_ARRAY || !th_span_u64(name, 1000000, &index))
        return false;
    th_json_iter(&it, v);
    while (th_json_next(&it, NULL, out))
        if (index-- == 0)
            return true;
    return false;
}

/* JSON text with the value at a dotted path ("a.b.0") set. value: JSON when it is that, else a string. False: `why` says
 * what stands in the way. */
static bool set_path(struct th_span json, const char *path, struct th_span value, struct th_buf *out,
                     char *why, size_t why_size)
{
    struct th_span segments[PATH_MAX_SEGMENTS];
    struct th_json at, next;
    unsigned n = 0, depth = 0;
    size_t end;

    for (const char *p = path;; p++) {
        size_t len = strcspn(p, ".");
        if (len == 0 || n == PATH_MAX_SEGMENTS) {
            snprintf(why, why_size,
                     "\"%s\" is not a path; write names with full stops between them: customer.name", path);
            return false;
        }
        segments[n++] = th_span(p, len);
        p += len;
        if (!*p)
            break;
    }
    if (th_json_parse(json, TH_JSON_DEPTH, &at, NULL))
        return false;
    while (depth < n && child(at, segments[depth], &next)) {
        at = next;
        depth++;
    }
    if (depth == n) { /* it is there: replaced */
        th_buf_add(out, json.p, (size_t)(at.raw.p - json.p));
        add_value(out, value);
        end = (size_t)(at.raw.p - json.p) + at.raw.n;
        th_buf_add(out, json.p + end, json.n - end);
        return !out->failed;
    }
    if (at.type == TH_JSON_ARRAY) {
        snprintf(why, why_size, "\"%s\": the list has no item \"%.*s\" (the first is 0)", path,
                 (int)segments[depth].n, segments[depth].p);
        return false;
    }
    if (at.type != TH_JSON_OBJECT) {
        snprintf(why, why_size, "\"%s\": the value that should contain \"%.*s\" is not an object", path,
                 (int)segments[depth].n, segments[depth].p);
        return false;
    }
    end = (size_t)(at.raw.p - json.p) + at.raw.n - 1; /* before its brace */
    th_buf_add(out, json.p, end);
    for (unsigned i = depth; i < n; i++) {
        struct th_jw w = th_jw(out);
        struct th_json_iter it;
        struct th_json any;
        th_json_iter(&it, at);
        if (i > depth)
            th_buf_char(out, '{');
        else if (th_json_next(&it, NULL, &any))
            th_buf_char(out, ',');
        th_jw_string(&w, segments[i]);
        th_buf_char(out, ':');
    }
    add_value(out, value);
    for (unsigned i = depth + 1; i < n; i++)
        th_buf_char(out, '}');
    th_buf_add(out, json.p + end, json.n - end);
    return !out->failed;
}

static int apply_sets(struct th_cli *cli, struct th_buf *data)
{
    const char *set;

    for (unsigned i = 0; (set = th_cli_option_at(cli, "--set", i)) != NULL; i++) {
        const char *eq = strchr(set, '=');
        char why[300] = "out of memory";
        struct th_buf changed;

        if (!eq)
            return th_cli_fail(cli, TH_EXIT_USAGE, "--set \"%s\": write PATH=VALUE", set);
        th_buf_init(&changed, DATA_MAX);
        if (!set_path(th_buf_view(data), th_cli_text(cli, th_span(set, (size_t)(eq - set))), th_str(eq + 1),
                      &changed, why, sizeof why)) {
            th_buf_fini(&changed);
            return th_cli_fail(cli, TH_EXIT_USAGE, "--set %s", why);
        }
        th_buf_fini(data);
        *data = changed;
    }
    return TH_EXIT_OK;
}

/* ---- the data ---- */

int th_cmd_dialect_of(struct th_cli *cli, struct th_answer *answer)
{
    const char *name = th_cli_option(cli, "--dialect"), *tenant = th_cli_option(cli, "--tenant");
    int status;

    *answer = (struct th_answer){0};
    if (!name) {
        struct th_answer t;
        if (!tenant || !*tenant)
            tenant = getenv("TENTERHOOK_TENANT");
        if (cli->acting_tenant)
            tenant = cli->acting_tenant;
        status =
            th_cli_try(cli, "GET", th_cli_path(cli, "/v1/tenants/%s", tenant && *tenant ? tenant : "default"),
                       (struct th_span){0}, NULL, &t);
        if (status)
            return status;
        if (t.status == 401) {
            status = th_cli_refused(cli, &t);
            th_answer_free(&t);
            return status;
        }
        name = t.status == 200 ? th_cli_member(cli, t.json, "/dialect") : "standard";
        th_answer_free(&t);
    }
    return th_cli_call(cli, "GET", th_cli_path(cli, "/v1/dialects/%s", name), (struct th_span){0}, NULL,
                       answer);
}

int th_cmd_dialect_at(struct th_cli *cli, const char *id, struct th_answer *answer)
{
    const char *named = th_cli_option(cli, "--tenant");
    struct th_answer endpoint;
    struct th_span tenant;
    int status;

    *answer = (struct th_answer){0};
    if (!named || !*named)
        named = getenv("TENTERHOOK_TENANT");
    if (!named || !*named) {
        status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/webhooks/%s", id), (struct th_span){0}, NULL,
                             &endpoint);
        if (status)
            return status;
        tenant = th_answer_field(&endpoint, "Tenterhook-Tenant"); /* a tenant's own key does not see this */
        if (tenant.n)
            cli->acting_tenant = th_cli_text(cli, tenant);
        th_answer_free(&endpoint);
    }
    return th_cmd_dialect_of(cli, answer);
}

const char *th_cmd_wire(struct th_cli *cli, struct th_json dialect, const char *native)
{
    struct th_json fields, key, value;
    struct th_json_iter it;

    if (!dialect.raw.n || !th_json_pointer(dialect, TH_LIT("/api/fields"), &fields))
        return native;
    th_json_iter(&it, fields);
    while (th_json_next(&it, &key, &value))
        if (th_json_string_eq(value, th_str(native)))
            return th_cli_member(cli, key, "");
    return native;
}

static int sample(struct th_cli *cli, const char *type, struct th_buf *data)
{
    struct th_answer answer;
    struct th_json types, row, at;
    struct th_json_iter it;
    int status = th_cmd_dialect_of(cli, &answer);

    if (status)
        return status;
    if (th_json_pointer(answer.json, TH_LIT("/catalogue/types"), &types)) {
        th_json_iter(&it, types);
        while (th_json_next(&it, NULL, &row))
            if (th_json_member(row, TH_LIT("type"), &at) && th_json_string_eq(at, th_str(type)) &&
                th_json_member(row, TH_LIT("sample"), &at) && at.type == TH_JSON_STRING)
                th_json_string(at, data);
    }
    th_answer_free(&answer);
    if (data->n == 0)
        th_buf_str(data, "{\"sample\":true}");
    return TH_EXIT_OK;
}

static int read_data(struct th_cli *cli, struct th_buf *data)
{
    const char *given = cli->arg_count > 1 ? cli->args[1] : NULL;
    struct th_json_error where;
    struct th_json root;
    int status = TH_EXIT_OK;

    th_buf_init(data, DATA_MAX);
    if (given && th_cli_has(cli, "--sample"))
        return th_cli_fail(cli, TH_EXIT_USAGE, "give data or --sample, not both");
    if (th_cli_has(cli, "--sample"))
        status = sample(cli, cli->args[0], data);
    else if (given && (given[0] == '@' || strcmp(given, "-") == 0))
        status = th_cli_read_file(cli, given[0] == '@' ? given + 1 : given, DATA_MAX, data);
    else
        th_buf_str(data, given ? given : "{}");
    if (status)
        return status;
    if (th_json_parse(th_buf_view(data), TH_JSON_DEPTH, &root, &where))
        return th_cli_fail(cli, TH_EXIT_DATA, "the data is not JSON: line %u, column %u: %s", where.line,
                           where.column, where.what);
    return apply_sets(cli, data);
}

/* A time as it stands, or so long from now. */
static void write_when(struct th_cli *cli, struct th_jw *w, const char *option, const char *field)
{
    const char *text = th_cli_option(cli, option);
    struct timespec now;
    struct th_buf at;
    int64_t ms;

    if (!text)
        return;
    th_jw_key(w, th_str(field));
    if (!th_duration_ms(th_str(text), &ms)) {
        th_jw_string(w, th_str(text));
        return;
    }
    th_buf_init(&at, 64);
    clock_gettime(CLOCK_REALTIME, &now);
    th_wall_format(&at, (struct th_wall){(int64_t)now.tv_sec * 1000 + ms}, TH_RFC3339_MILLIS);
    th_jw_string(w, th_buf_view(&at));
    th_buf_fini(&at);
}

static void write_event(struct th_cli *cli, struct th_span data, struct th_buf *body)
{
    static const struct {
        const char *option, *field;
    } texts[] = {{"--id", "id"},
                 {"--time", "time"},
                 {"--resource-type", "resource_type"},
                 {"--resource-id", "resource_id"}};
    struct th_jw w = th_jw(body);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("type"));
    th_jw_string(&w, th_str(cli->args[0]));
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (th_cli_option(cli, texts[i].option)) {
            th_jw_key(&w, th_str(texts[i].field));
            th_jw_string(&w, th_str(th_cli_option(cli, texts[i].option)));
        }
    write_when(cli, &w, "--deliver-at", "deliver_at");
    write_when(cli, &w, "--expires-at", "expires_at");
    if (th_cli_has(cli, "--channel")) {
        th_jw_key(&w, TH_LIT("channels"));
        th_jw_array(&w);
        for (unsigned i = 0; th_cli_option_at(cli, "--channel", i) != NULL; i++)
            th_jw_string(&w, th_str(th_cli_option_at(cli, "--channel", i)));
        th_jw_end_array(&w);
    }
    th_jw_key(&w, TH_LIT("data"));
    th_jw_raw(&w, data);
    th_jw_end_object(&w);
}

/* ---- --wait ---- */

/* Counts ended and failed deliveries of an event; prints each once when it has ended. */
static unsigned look(struct th_cli *cli, struct th_json event, unsigned *all, unsigned *failed,
                     struct th_buf *said)
{
    struct th_json list, row;
    struct th_json_iter it;
    unsigned ended = 0;

    *all = *failed = 0;
    if (!th_json_member(event, TH_LIT("deliveries"), &list))
        return 0;
    th_json_iter(&it, list);
    for (; th_json_next(&it, NULL, &row); (*all)++) {
        const char *id = th_cli_member(cli, row, "/id"), *status = th_cli_member(cli, row, "/status");
        bool bad = strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0;
        if (!bad && strcmp(status, "delivered") != 0)
            continue;
        ended++;
        *failed += bad;
        if (cli->json || memmem(said->p ? said->p : "", said->n, id, strlen(id)))
            continue;
        th_buf_str(said, id);
        printf("%s  %s%s%s  to %s  status %s, %s attempt%s, %s ms\n", id, th_status_colour(cli, status),
               status, th_plain(cli), th_cli_member(cli, row, "/endpoint"),
               th_cli_member(cli, row, "/last_attempt/status"), th_cli_member(cli, row, "/attempt_count"),
               strcmp(th_cli_member(cli, row, "/attempt_count"), "1") == 0 ? "" : "s",
               th_cli_member(cli, row, "/last_attempt/duration_ms"));
    }
    return ended;
}

static int wait_for(struct th_cli *cli, const char *id)
{
    const char *path = th_cli_path(cli, "/v1/events/%s", id);
    unsigned all = 0, failed = 0, ended = 0;
    int64_t limit_ms, until, pause_ms = 20;
    struct th_buf said;
    int status;

    if (!th_cli_duration(cli, "--timeout", 30000, &limit_ms))
        return TH_EXIT_USAGE;
    th_buf_init(&said, 1u << 20);
    until = th_cli_clock_ms() + limit_ms;
    for (;;) {
        struct th_answer answer;
        bool over = th_cli_clock_ms() >= until;
        status = th_cli_call(cli, "GET", path, (struct th_span){0}, NULL, &answer);
        if (status)
            break;
        ended = look(cli, answer.json, &all, &failed, &said);
        if (cli->json && (ended == all || over))
            (void)th_cli_print(cli, answer.json);
        th_answer_free(&answer);
        if (ended == all || over)
            break;
        th_cli_clock_sleep(pause_ms);
        pause_ms = pause_ms < 500 ? pause_ms * 2 : 500;
    }
    th_buf_fini(&said);
    if (status)
        return status;
    if (ended < all)
        return th_cli_fail(
            cli, TH_EXIT_LATER,
            "%u of %u deliveries have not ended within %lld s; `tenterhook deliveries --event %s` shows them",
            all - ended, all, (long long)(limit_ms / 1000), id);
    return failed ? TH_EXIT_NO : TH_EXIT_OK;
}

/* ---- the command ---- */

static void say_accepted(struct th_cli *cli, const struct th_answer *answer)
{
    const char *n = th_cli_member(cli, answer->json, "/deliveries");
    struct th_json list, row;
    struct th_json_iter it;

    printf("%s  accepted, for %s endpoint%s%s\n", th_cli_member(cli, answer->json, "/id"), n,
           strcmp(n, "1") == 0 ? "" : "s",
           th_answer_field(answer, "Idempotency-Replayed").n
               ? " (this Idempotency-Key was used before: the first answer)"
               : "");
    if (strcmp(n, "0") == 0)
        printf("%sno endpoint takes this type; `tenterhook endpoints` shows what they take%s\n",
               th_yellow(cli), th_plain(cli));
    if (!th_json_member(answer->json, TH_LIT("warnings"), &list))
        return;
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &row)) {
        printf("%swarning: ", th_yellow(cli));
        th_print_safe(stdout, row.type == TH_JSON_STRING ? th_str(th_cli_member(cli, row, "")) : row.raw);
        printf("%s\n", th_plain(cli));
    }
}

int th_cmd_send(struct th_cli *cli)
{
    const char *key = th_cli_option(cli, "--idempotency-key"), *fields = NULL;
    struct th_answer answer;
    struct th_buf data, body;
    int status = read_data(cli, &data);

    th_buf_init(&body, DATA_MAX + 4096);
    if (!status) {
        write_event(cli, th_buf_view(&data), &body);
        for (const char *p = key; p && *p; p++)
            if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e)
                status = th_cli_fail(cli, TH_EXIT_USAGE,
                                     "--idempotency-key: must be 1 to 255 visible ASCII characters");
        if (key)
            fields = th_cli_printf(cli, "Idempotency-Key: %s\r\n", key);
    }
    if (!status)
        status = body.failed ? th_cli_nomem(cli)
                             : th_cli_call(cli, "POST", "/v1/events", th_buf_view(&body), fields, &answer);
    th_buf_fini(&data);
    th_buf_fini(&body);
    if (status)
        return status;
    if (!cli->json)
        say_accepted(cli, &answer);
    else if (!th_cli_has(cli, "--wait"))
        (void)th_cli_print(cli, answer.json);
    if (th_cli_has(cli, "--wait"))
        status = wait_for(cli, th_cli_member(cli, answer.json, "/id"));
    th_answer_free(&answer);
    return status;
}
