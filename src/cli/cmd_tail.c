/* tail: live attempts. On a terminal, keys show a delivery with request and answer, or send it again. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_out.h"
#include "cli/cli_tail.h"
#include "cli/cmd.h"
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define KEYS_MS 50  /* between two looks at the keyboard */
#define STEP_MS 200 /* and at whether anybody reads our output */

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    stop_asked = 1;
    signal(number, SIG_DFL); /* the second time it ends at once, whatever is waited for */
}

/* False: the end was asked for. */
static bool act(struct th_tail *t)
{
    bool arrow;
    int key;

    while ((key = th_keys_read(&arrow)) != 0) {
        if (arrow && (key == 'A' || key == 'B'))
            th_tail_move(t, key == 'A' ? -1 : 1);
        else if (key == '\n' || key == '\r')
            (void)th_tail_show(t);
        else if (key == 'r')
            (void)th_tail_retry(t);
        else if (key == 'q' || key == 4)
            return false;
        else
            printf("Enter shows request and answer, up and down choose another delivery, r sends it again, q "
                   "ends\n");
    }
    fflush(stdout);
    return true;
}

/* Waits for a server that is being restarted, if it has answered before. False: the command ends. */
static bool lasts(struct th_tail *t, int status, bool *away)
{
    struct th_cli *cli = t->cli;

    if (status && (!t->after[0] || (status != TH_EXIT_UNREACHABLE && status != TH_EXIT_LATER)))
        return false;
    if (status && !*away && !cli->json)
        fprintf(stderr, "%swaiting until it is back; Ctrl-C ends%s\n", th_dim(cli), th_plain(cli));
    if (!status && *away && !cli->json)
        fprintf(stderr, "%sit is back%s\n", th_dim(cli), th_plain(cli));
    *away = cli->mute = status != 0;
    return true;
}

/* Says what is shown, so that nobody misunderstands silence. Printed on standard error, not among the rows. */
static void say_what(struct th_cli *cli, bool keys)
{
    const char *endpoint = th_cli_option(cli, "--endpoint"), *type = th_cli_option(cli, "--type");
    bool some = type || th_cli_has(cli, "--outcome") || th_cli_has(cli, "--status-code") ||
                th_cli_has(cli, "--status");

    if (cli->json)
        return;
    fprintf(stderr,
            "%sshowing %s attempt%s%s as it ends: first ones, retries, replays and tests%s; times are UTC; "
            "%s%s\n",
            cli->terminal ? th_dim(cli) : "", some ? "each matching" : "every", endpoint ? " to " : "",
            endpoint ? endpoint : "", endpoint ? "" : ", to all endpoints of the tenant",
            keys ? "Enter shows request and answer, r sends again, q ends" : "Ctrl-C ends",
            cli->terminal ? th_plain(cli) : "");
}

/* Waits for a key at most `ms`. */
static void look_at_keys(struct th_tail *t, bool keys, int64_t ms)
{
    struct pollfd wait[] = {{.fd = keys ? STDIN_FILENO : -1, .events = POLLIN}, {.fd = STDOUT_FILENO}};

    if (poll(wait, 2, (int)ms) > 0 &&
        ((wait[1].revents & (POLLERR | POLLHUP)) || (wait[0].revents && !act(t))))
        stop_asked = 1; /* the reader of our output has gone, or q */
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void rest(struct th_tail *t, bool keys, int64_t until)
{
    while (!stop_asked && th_cli_clock_ms() < until)
        look_at_keys(t, keys, least(until - th_cli_clock_ms(), 1000));
}

/* Prints earlier attempts first, then those of the stream; a lost stream is opened again, every --every. */
static int follow(struct th_cli *cli, struct th_tail *t, unsigned last, int64_t every_ms, int64_t for_ms)
{
    int64_t until = for_ms ? th_cli_clock_ms() + for_ms : INT64_MAX;
    bool keys = !cli->json && cli->terminal && th_keys_open();
    int status = TH_EXIT_OK;
    bool away = false;

    say_what(cli, keys);
    while (!stop_asked && th_cli_clock_ms() < until) {
        bool open = true;
        if (!t->after[0])
            status = th_tail_look(t, last);
        else
            status = th_tail_wait(t, least(until - th_cli_clock_ms(), keys ? KEYS_MS : STEP_MS), &open);
        if ((status || t->heard) && !lasts(t, status, &away))
            break;
        if (status || !open)
            rest(t, keys, least(until, th_cli_clock_ms() + every_ms));
        else
            look_at_keys(t, keys, 0);
    }
    th_tail_close(t);
    th_keys_close();
    return status;
}

int th_cmd_tail(struct th_cli *cli)
{
    static struct th_tail tail; /* large; there is one */
    const char *path = "/v1/attempts?include_tests=true",
               *options[] = {"--endpoint", "--type", "--outcome", "--status-code"},
               *names[] = {"endpoint", "event_type", "outcome", "status_code"};
    int64_t last, every, length;

    if (!th_cli_number(cli, "--last", 0, TH_TAIL_LAST, 10, &last) ||
        !th_cli_duration(cli, "--every", 1000, &every) || !th_cli_duration(cli, "--for", 0, &length))
        return TH_EXIT_USAGE;
    if (every < 50 || every > 3600000)
        return th_cli_fail(cli, TH_EXIT_USAGE, "--every: 50ms to 1h");
    for (unsigned i = 0; i < 4; i++)
        if (th_cli_option(cli, options[i]))
            path = th_cli_printf(cli, "%s&%s=%s", path, names[i],
                                 th_cli_path(cli, "%s", th_cli_joined(cli, options[i])));
    if (th_cli_option(cli, "--endpoint")) { /* a typing error would be silence for ever */
        struct th_answer answer;
        int status =
            th_cli_call(cli, "GET", th_cli_path(cli, "/v1/webhooks/%s", th_cli_option(cli, "--endpoint")),
                        (struct th_span){0}, NULL, &answer);
        if (status)
            return status;
        th_answer_free(&answer);
    }
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    th_tail_init(&tail, cli, path);
    return follow(cli, &tail, (unsigned)last, every, length);
}
