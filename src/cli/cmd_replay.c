/* replay: sends finished deliveries of one endpoint again. It always counts first (dry run), asks, then shows
 * progress with the time that is left. A replay goes on by itself: Ctrl-C ends the watching, not the replay. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include <stdlib.h>

/* The request of a replay or of a backfill, which knows no states.
 * undelivered: only what had not been delivered, where the user has named no state. */
static bool write_filters(struct th_cli *cli, struct th_buf *body, bool dry, bool undelivered,
                          const char *default_since)
{
    static const struct {
        const char *option, *field;
    } lists[] = {{"--status", "status"}, {"--type", "event_types"}};
    const char *since = th_cli_option(cli, "--since"), *until = th_cli_option(cli, "--until"), *item;
    struct th_jw w = th_jw(body);

    since = th_cli_moment(cli, since ? since : default_since);
    if (until)
        until = th_cli_moment(cli, until);
    if (!since || (th_cli_option(cli, "--until") && !until))
        return false;
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("since"));
    th_jw_string(&w, th_str(since));
    if (until) {
        th_jw_key(&w, TH_LIT("until"));
        th_jw_string(&w, th_str(until));
    }
    for (unsigned k = 0; k < 2; k++) {
        if (!th_cli_has(cli, lists[k].option))
            continue;
        th_jw_key(&w, th_str(lists[k].field));
        th_jw_array(&w);
        for (unsigned i = 0; (item = th_cli_option_at(cli, lists[k].option, i)) != NULL; i++)
            th_jw_string(&w, th_str(item));
        th_jw_end_array(&w);
    }
    if (undelivered) {
        th_jw_key(&w, TH_LIT("status"));
        th_jw_raw(&w, TH_LIT("[\"failed\",\"cancelled\"]"));
    }
    th_jw_key(&w, TH_LIT("dry_run"));
    th_jw_bool(&w, dry);
    th_jw_end_object(&w);
    return !body->failed;
}

/* job: the last part of the path; default_since: without --since. */
static int start_job(struct th_cli *cli, const char *job, bool dry, bool undelivered,
                     const char *default_since, struct th_answer *answer)
{
    struct th_buf body;
    int status;

    th_buf_init(&body, 1u << 20);
    status = write_filters(cli, &body, dry, undelivered, default_since)
                 ? th_cli_call(cli, "POST", th_cli_path(cli, "/v1/webhooks/%s/%s", cli->args[0], job),
                               th_buf_view(&body), NULL, answer)
                 : TH_EXIT_USAGE;
    th_buf_fini(&body);
    return status;
}

static int start(struct th_cli *cli, bool dry, bool undelivered, struct th_answer *answer)
{
    return start_job(cli, "replay", dry, undelivered, "24h", answer);
}

static void say_progress(struct th_cli *cli, struct th_progress *progress, struct th_json replay, bool last)
{
    double part = strtod(th_cli_member(cli, replay, "/progress"), NULL);
    const char *state = th_cli_member(cli, replay, "/state"),
               *text = th_cli_printf(cli, "%s of %s queued", th_cli_member(cli, replay, "/queued"),
                                     th_cli_member(cli, replay, "/matched"));

    if (last)
        th_progress_end(progress, th_cli_printf(cli, "%s  %3.0f %%  %s", state, part * 100, text));
    else
        th_progress_say(progress, part, state, text);
}

static int watch(struct th_cli *cli, const char *id)
{
    struct th_progress progress;
    int64_t pause_ms = 50;

    th_progress_start(&progress, cli);
    for (;;) {
        struct th_answer answer;
        const char *state;
        bool over;
        int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/replays/%s", id), (struct th_span){0},
                                 NULL, &answer);
        if (status)
            return status;
        state = th_cli_member(cli, answer.json, "/state");
        over = strcmp(state, "collecting") != 0 && strcmp(state, "running") != 0;
        say_progress(cli, &progress, answer.json, over);
        if (cli->json && over)
            (void)th_cli_print(cli, answer.json);
        status = strcmp(state, "done") == 0 ? TH_EXIT_OK : TH_EXIT_NO;
        th_answer_free(&answer);
        if (over)
            return status;
        th_cli_clock_sleep(pause_ms);
        pause_ms = pause_ms < 1000 ? pause_ms * 2 : 1000;
    }
}

static int64_t number(struct th_cli *cli, const struct th_answer *answer, const char *pointer)
{
    return strtoll(th_cli_member(cli, answer->json, pointer), NULL, 10);
}

/* "12 deliveries match, 10 of them had been delivered" */
static const char *say_matches(struct th_cli *cli, int64_t matched, int64_t delivered)
{
    const char *text = th_cli_printf(cli, "%lld %s", (long long)matched,
                                     matched == 1 ? "delivery matches" : "deliveries match");

    return delivered && matched == 1 ? th_cli_printf(cli, "%s, it had been delivered", text)
           : delivered ? th_cli_printf(cli, "%s, %lld of them had been delivered", text, (long long)delivered)
                       : text;
}

/* Prints how many deliveries are left out because they have not ended. */
static void say_unfinished(struct th_cli *cli, int64_t unfinished)
{
    if (unfinished && !cli->json)
        fprintf(
            stderr,
            "%lld more %s not ended: such are retried, not replayed; `tenterhook endpoints retry %s` makes "
            "them due now\n",
            (long long)unfinished, unfinished == 1 ? "has" : "have", cli->args[0]);
}

/* Decides which of the matches go out again. Exit status. */
static int choose(struct th_cli *cli, int64_t matched, int64_t delivered, bool *undelivered)
{
    const char *match = say_matches(cli, matched, delivered), *to = cli->args[0];

    *undelivered = false;
    if (th_cli_has(cli, "--yes"))
        return TH_EXIT_OK;
    if (delivered && delivered < matched && !th_cli_has(cli, "--status")) {
        *undelivered =
            !th_cli_confirm(cli, th_cli_printf(cli, "%s. Send those again too, not only the others?", match));
        if (*undelivered)
            match = say_matches(cli, matched - delivered, 0);
    }
    if (th_cli_confirm(cli, th_cli_printf(cli, "%s. Send to %s again?", match, to)))
        return TH_EXIT_OK;
    if (delivered && !th_cli_has(cli, "--status"))
        return th_cli_fail(
            cli, TH_EXIT_USAGE,
            "%s; nothing was sent. Choose: --status failed --status cancelled --yes for those that "
            "had not been delivered, or --yes for all",
            say_matches(cli, matched, delivered));
    return th_cli_fail(cli, TH_EXIT_USAGE, "%s; nothing was sent. Give --yes to send without being asked",
                       match);
}

int th_cmd_replay(struct th_cli *cli)
{
    struct th_answer answer;
    const char *id, *match;
    int64_t matched, delivered;
    bool undelivered;
    int status = start(cli, true, false, &answer);

    if (status)
        return status;
    matched = number(cli, &answer, "/matched");
    delivered = number(cli, &answer, "/delivered");
    match = say_matches(cli, matched, delivered);
    say_unfinished(cli, number(cli, &answer, "/unfinished"));
    if (th_cli_has(cli, "--dry-run") || !matched) {
        if (!th_cmd_json(cli, &answer))
            printf("%s; %s\n", match, matched ? "nothing was sent (dry run)" : "nothing to replay");
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    status = choose(cli, matched, delivered, &undelivered);
    if (!status)
        status = start(cli, false, undelivered, &answer);
    if (status)
        return status;
    id = th_cli_member(cli, answer.json, "/id");
    match = say_matches(cli, number(cli, &answer, "/matched"), number(cli, &answer, "/delivered"));
    if (th_cli_has(cli, "--no-wait")) {
        if (!th_cmd_json(cli, &answer))
            printf("%s  %s; `tenterhook replay show %s` shows progress\n", id, match, id);
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    if (!cli->json)
        printf("%s  %s\n", id, match);
    return watch(cli, id);
}

/* ---- events from before the endpoint was made ---- */

static int start_backfill(struct th_cli *cli, bool dry, struct th_answer *answer)
{
    return start_job(cli, "backfill", dry, false, "2026-01-01T00:00:00Z", answer);
}

/* "12 earlier events match (left out: 3 by the filter)" */
static const char *say_events(struct th_cli *cli, const struct th_answer *answer)
{
    static const char *const reasons[][2] = {{"event_type", "of other types"},
                                             {"channels", "in other channels"},
                                             {"filter", "by the filter"},
                                             {"expired", "expired"},
                                             {"erased", "erased"}};
    int64_t matched = number(cli, answer, "/matched");
    const char *text = th_cli_printf(cli, "%lld earlier %s", (long long)matched,
                                     matched == 1 ? "event matches" : "events match"),
               *left = "";

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        int64_t n = number(cli, answer, th_cli_printf(cli, "/left_out/%s", reasons[i][0]));
        if (n)
            left = th_cli_printf(cli, "%s%s%lld %s", left, *left ? ", " : "", (long long)n, reasons[i][1]);
    }
    return *left ? th_cli_printf(cli, "%s (left out: %s)", text, left) : text;
}

static void print_first(struct th_cli *cli, const struct th_answer *answer)
{
    struct th_json list, event;
    struct th_json_iter it;

    if (!th_json_member(answer->json, TH_LIT("first"), &list))
        return;
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &event))
        printf("  %s  %s  %s\n", th_cli_time(cli, event, "/created_at"), th_cli_member(cli, event, "/type"),
               th_cli_member(cli, event, "/id"));
}

/* Exit status; TH_EXIT_OK with matched 0 or --dry-run: everything has been said. */
static int count_backfill(struct th_cli *cli, int64_t *matched, const char **match)
{
    struct th_answer answer;
    int status = start_backfill(cli, true, &answer);

    if (status)
        return status;
    *matched = number(cli, &answer, "/matched");
    *match = say_events(cli, &answer);
    if (!th_cli_has(cli, "--dry-run") && *matched) {
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    if (!th_cmd_json(cli, &answer)) {
        printf("%s; %s\n", *match,
               *matched ? "nothing was sent (dry run). The first ones:" : "nothing to send");
        print_first(cli, &answer);
    }
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_backfill(struct th_cli *cli)
{
    struct th_answer answer;
    const char *id, *match;
    int64_t matched;
    int status = count_backfill(cli, &matched, &match);

    if (status || th_cli_has(cli, "--dry-run") || !matched)
        return status;
    if (!th_cli_has(cli, "--yes") &&
        !th_cli_confirm(cli, th_cli_printf(cli, "%s. Send to %s?", match, cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE, "%s; nothing was sent. Give --yes to send without being asked",
                           match);
    status = start_backfill(cli, false, &answer);
    if (status)
        return status;
    id = th_cli_member(cli, answer.json, "/id");
    if (th_cli_has(cli, "--no-wait")) {
        if (!th_cmd_json(cli, &answer))
            printf("%s  %s; `tenterhook replay show %s` shows progress\n", id, match, id);
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    if (!cli->json)
        printf("%s  %s\n", id, match);
    return watch(cli, id);
}

int th_cmd_replay_show(struct th_cli *cli)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "GET", th_cli_path(cli, "/v1/replays/%s", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  %s  %s of %s queued, for endpoint %s since %s\n", cli->args[0],
               th_cli_member(cli, answer.json, "/state"), th_cli_member(cli, answer.json, "/queued"),
               th_cli_member(cli, answer.json, "/matched"), th_cli_member(cli, answer.json, "/endpoint"),
               th_cli_time(cli, answer.json, "/since"));
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_cmd_replay_cancel(struct th_cli *cli)
{
    struct th_answer answer;
    int status = th_cli_call(cli, "DELETE", th_cli_path(cli, "/v1/replays/%s", cli->args[0]),
                             (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    if (!th_cmd_json(cli, &answer))
        printf("%s  stopped; what it had queued still goes out\n", cli->args[0]);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}
