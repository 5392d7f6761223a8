/* replay: finished deliveries of one endpoint again. Always counts first (dry run), asks, then shows progress
 * with the time that is left. A replay goes on by itself: Ctrl-C ends the watching, not the replay. */
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include <stdlib.h>

static bool write_filters(struct th_cli *cli, struct th_buf *body, bool dry)
{
    static const struct {
        const char *option, *field;
    } lists[] = {{"--status", "status"}, {"--type", "event_types"}};
    const char *since = th_cli_option(cli, "--since"), *until = th_cli_option(cli, "--until"), *item;
    struct th_jw w = th_jw(body);

    since = th_cli_moment(cli, since ? since : "24h");
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
    th_jw_key(&w, TH_LIT("dry_run"));
    th_jw_bool(&w, dry);
    th_jw_end_object(&w);
    return !body->failed;
}

static int start(struct th_cli *cli, bool dry, struct th_answer *answer)
{
    struct th_buf body;
    int status;

    th_buf_init(&body, 1u << 20);
    status = write_filters(cli, &body, dry)
                 ? th_cli_call(cli, "POST", th_cli_path(cli, "/v1/webhooks/%s/replay", cli->args[0]),
                               th_buf_view(&body), NULL, answer)
                 : TH_EXIT_USAGE;
    th_buf_fini(&body);
    return status;
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
        th_cmd_sleep_ms(pause_ms);
        pause_ms = pause_ms < 1000 ? pause_ms * 2 : 1000;
    }
}

int th_cmd_replay(struct th_cli *cli)
{
    struct th_answer answer;
    const char *matched, *id, *match;
    int status = start(cli, true, &answer);

    if (status)
        return status;
    matched = th_cli_member(cli, answer.json, "/matched");
    match = strcmp(matched, "1") == 0 ? "delivery matches" : "deliveries match";
    if (th_cli_has(cli, "--dry-run") || strcmp(matched, "0") == 0) {
        if (!th_cmd_json(cli, &answer))
            printf("%s %s%s\n", matched, match,
                   strcmp(matched, "0") == 0 ? "; nothing to replay" : "; nothing was sent (dry run)");
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    if (!th_cli_confirm(cli, th_cli_printf(cli, "%s %s. Send to %s again?", matched, match, cli->args[0])))
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "%s %s; nothing was sent. Say --yes to send without being asked", matched, match);
    status = start(cli, false, &answer);
    if (status)
        return status;
    id = th_cli_member(cli, answer.json, "/id");
    if (th_cli_has(cli, "--no-wait")) {
        if (!th_cmd_json(cli, &answer))
            printf("%s  %s %s; `tenterhook replay show %s` shows progress\n", id, matched, match, id);
        th_answer_free(&answer);
        return TH_EXIT_OK;
    }
    th_answer_free(&answer);
    if (!cli->json)
        printf("%s  %s %s\n", id, matched, match);
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
