/* Why a filter does or does not match: `explain --filter` and `events matches`.
 *
 * An event from a file is judged here, by the code that the server uses; one with an id is judged by the server, which alone knows
 * what its publisher gave. Both give the same JSON, which is printed in one way. */
#include "cli/cli_call.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"
#include "core/jsonpath/jsonpath.h"
#include <string.h>
#include <unistd.h>

#define EVENT_MAX ((size_t)32 << 20)

/* ---- for people ---- */

static void print_term(struct th_cli *cli, struct th_json term)
{
    struct th_json values, value;
    struct th_json_iter it;
    const char *holds = th_cli_member(cli, term, "/holds");
    bool yes = strcmp(holds, "true") == 0, no = strcmp(holds, "false") == 0;

    printf("  %s%-5s%s ", yes ? th_green(cli) : th_red(cli), yes ? "yes" : no ? "no" : "?", th_plain(cli));
    th_print_safe(stdout, th_str(th_cli_member(cli, term, "/text")));
    putchar('\n');
    if (!th_json_member(term, TH_LIT("values"), &values))
        return;
    for (th_json_iter(&it, values); th_json_next(&it, NULL, &value);) {
        struct th_json shown;

        printf("        %s", th_dim(cli));
        th_print_safe(stdout, th_str(th_cli_member(cli, value, "/path")));
        if (th_json_member(value, TH_LIT("value"), &shown)) {
            printf(" is ");
            th_print_safe(stdout, shown.raw);
        } else if (strcmp(th_cli_member(cli, value, "/found"), "true") == 0) {
            printf(" has %s bytes", th_cli_member(cli, value, "/value_bytes"));
        } else {
            printf(" is not there");
        }
        printf("%s\n", th_plain(cli));
    }
}

static void print_match(struct th_cli *cli, struct th_json match)
{
    bool yes = strcmp(th_cli_member(cli, match, "/matches"), "true") == 0;
    const char *endpoint = th_cli_member(cli, match, "/endpoint"),
               *detail = th_cli_member(cli, match, "/detail"),
               *delivery = th_cli_member(cli, match, "/delivery");
    struct th_json terms, term;
    struct th_json_iter it;

    if (strcmp(endpoint, "-") != 0)
        printf("%s  ", endpoint);
    printf("%s%s%s", yes ? th_green(cli) : th_red(cli), yes ? "matches" : "does not match", th_plain(cli));
    if (strcmp(detail, "-") != 0)
        printf(": %s", detail);
    if (strcmp(delivery, "-") != 0)
        printf("  %s", delivery);
    if (strcmp(th_cli_member(cli, match, "/changed_since"), "true") == 0)
        printf("  %s(changed since the event)%s", th_dim(cli), th_plain(cli));
    putchar('\n');
    if (th_json_member(match, TH_LIT("terms"), &terms))
        for (th_json_iter(&it, terms); th_json_next(&it, NULL, &term);)
            print_term(cli, term);
}

/* ---- explain --filter ---- */

static void write_why(struct th_jw *w, const struct th_jsonpath_why *why, const char *filter)
{
    th_jw_key(w, TH_LIT("terms"));
    th_jw_array(w);
    for (unsigned i = 0; i < why->term_count; i++) {
        th_jw_object(w);
        th_jw_key(w, TH_LIT("text"));
        th_jw_string(w, th_span(filter + why->terms[i].at, why->terms[i].n));
        th_jw_key(w, TH_LIT("holds"));
        if (why->terms[i].answer == TH_JSONPATH_EXCESS)
            th_jw_null(w);
        else
            th_jw_bool(w, why->terms[i].answer == TH_JSONPATH_YES);
        th_jw_key(w, TH_LIT("values"));
        th_jw_array(w);
        for (unsigned k = 0; k < why->found_count; k++) {
            const struct th_jsonpath_found *f = &why->found[k];

            if (f->term != i)
                continue;
            th_jw_object(w);
            th_jw_key(w, TH_LIT("path"));
            th_jw_string(w, th_span(filter + f->at, f->n));
            th_jw_key(w, TH_LIT("found"));
            th_jw_bool(w, f->there);
            if (f->there) {
                th_jw_key(w, TH_LIT("value"));
                th_jw_raw(w, f->value.raw);
            }
            th_jw_end_object(w);
        }
        th_jw_end_array(w);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void judge(const struct th_jsonpath *q, const char *filter, const struct th_tape *tape,
                  struct th_buf *out)
{
    uint32_t steps = TH_JSONPATH_STEPS;
    enum th_jsonpath_answer answer = th_jsonpath_test(q, tape, 0, &steps);
    struct th_jsonpath_why why;
    struct th_jw w = th_jw(out);

    (void)th_jsonpath_explain(q, tape, 0, 1, &why);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("matches"));
    th_jw_bool(&w, answer != TH_JSONPATH_NO);
    th_jw_key(&w, TH_LIT("reason"));
    th_jw_string(&w, answer == TH_JSONPATH_YES  ? TH_LIT("matches")
                     : answer == TH_JSONPATH_NO ? TH_LIT("filter")
                                                : TH_LIT("filter_error"));
    th_jw_key(&w, TH_LIT("filter"));
    th_jw_string(&w, th_str(filter));
    if (why.term_count)
        write_why(&w, &why, filter);
    th_jw_end_object(&w);
}

/* *out: the row, as the server writes one. */
static int of_file(struct th_cli *cli, const char *path, const char *filter, struct th_buf *out)
{
    struct th_buf event, list;
    struct th_json root;
    struct th_json_error where;
    struct th_jsonpath_fault fault;
    const struct th_jsonpath *q;
    struct th_tape tape;
    int status;

    if (th_jsonpath_compile(th_str(filter), &cli->mem, &q, &fault))
        return th_cli_fail(cli, TH_EXIT_USAGE, "--filter: character %u: %s", fault.at, fault.what);
    th_buf_init(&event, EVENT_MAX);
    th_buf_init(&list, EVENT_MAX + 2);
    th_tape_init(&tape);
    status = th_cli_read_file(cli, path, EVENT_MAX, &event);
    if (!status && th_json_parse(th_buf_view(&event), TH_JSON_DEPTH, &root, &where))
        status = th_cli_fail(cli, TH_EXIT_DATA, "the event is no JSON: line %u, column %u: %s", where.line,
                             where.column, where.what);
    if (!status) {
        th_buf_char(&list, '[');
        th_buf_span(&list, root.raw);
        th_buf_char(&list, ']');
        if (list.failed || th_tape_read(&tape, th_buf_view(&list)))
            status = th_cli_nomem(cli);
        else
            judge(q, filter, &tape, out);
    }
    th_tape_fini(&tape);
    th_buf_fini(&list);
    th_buf_fini(&event);
    return status;
}

static int of_server(struct th_cli *cli, const char *id, const char *filter, struct th_buf *out)
{
    struct th_answer answer;
    struct th_json data, row;
    struct th_json_iter it;
    int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/events/%s/matches?filter=%s", id, filter),
                             th_span("", 0), NULL, &answer);

    if (status)
        return status;
    if (th_json_member(answer.json, TH_LIT("data"), &data)) {
        th_json_iter(&it, data);
        if (th_json_next(&it, NULL, &row))
            th_buf_span(out, row.raw);
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_explain_filter(struct th_cli *cli)
{
    const char *filter = th_cli_option(cli, "--filter"), *event = cli->arg_count ? cli->args[0] : "-";
    struct th_buf row;
    struct th_json root;
    bool matches = false;
    int status;

    th_buf_init(&row, EVENT_MAX * 2);
    if (strcmp(event, "-") == 0 || access(event, F_OK) == 0)
        status = of_file(cli, event, filter, &row);
    else
        status = of_server(cli, event, filter, &row);
    if (!status && (row.failed || th_json_parse(th_buf_view(&row), TH_JSON_DEPTH, &root, NULL)))
        status = th_cli_nomem(cli);
    if (!status) {
        matches = strcmp(th_cli_member(cli, root, "/matches"), "true") == 0;
        if (cli->json)
            status = th_cli_print(cli, root);
        else
            print_match(cli, root);
    }
    th_buf_fini(&row);
    return status ? status : matches ? TH_EXIT_OK : TH_EXIT_NO;
}

/* ---- events matches ---- */

static void one_match(void *ctx, struct th_json row)
{
    struct th_cli *cli = ctx;

    if (cli->json)
        (void)th_cli_print_line(cli, row);
    else
        print_match(cli, row);
}

int th_cmd_event_matches(struct th_cli *cli)
{
    const char *endpoint = th_cli_option(cli, "--endpoint");
    const char *path = endpoint
                           ? th_cli_path(cli, "/v1/events/%s/matches?endpoint=%s", cli->args[0], endpoint)
                           : th_cli_path(cli, "/v1/events/%s/matches", cli->args[0]);

    return th_cli_list(cli, path, INT64_MAX, one_match, cli, NULL);
}
