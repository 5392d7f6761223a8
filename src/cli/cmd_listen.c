/* listen: a receiver for developers, good or bad on purpose. Runs until Ctrl-C, or until --count requests
 * have been answered. */
#include "cli/cli.h"
#include "cli/cli_hook.h"
#include "cli/cli_listen.h"
#include "cli/cli_request.h"
#include "cli/cmd.h"
#include <signal.h>
#include <uv.h>

#define DEFAULT_PORT 8421

struct listening {
    uv_loop_t loop;
    uv_signal_t intr, term;
    uv_timer_t last; /* lets the last answer go out */
    uint64_t last_ms;
    struct th_listener *listener;
    bool ending;
};

static void end(struct listening *a)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&a->intr, (uv_handle_t *)&a->term, (uv_handle_t *)&a->last};

    if (a->ending)
        return;
    a->ending = true;
    th_listener_close(a->listener);
    for (unsigned i = 0; i < 3; i++)
        uv_close(handles[i], NULL);
}

static void on_signal(uv_signal_t *s, int number)
{
    (void)number;
    end(s->data);
}

static void on_last(uv_timer_t *t)
{
    end(t->data);
}

static void on_ended(void *ctx)
{
    struct listening *a = ctx;

    uv_timer_start(&a->last, on_last, a->last_ms, 0);
}

/* "30%" or "30". */
static bool percent(const struct th_cli *cli, unsigned *out)
{
    const char *text = th_cli_option(cli, "--fail");
    size_t n = text ? strlen(text) : 0;
    uint64_t v;

    *out = 0;
    if (!text)
        return true;
    n -= n && text[n - 1] == '%';
    if (!th_span_u64(th_span(text, n), 100, &v)) {
        th_cli_fail(cli, TH_EXIT_USAGE, "--fail \"%s\": must be 0%% to 100%%", text);
        return false;
    }
    *out = (unsigned)v;
    return true;
}

static bool read_conf(struct th_cli *cli, struct th_listener_options *options)
{
    int64_t port, status, delay, drip, count;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (!th_cli_number(cli, "--port", 0, 65535, DEFAULT_PORT, &port) ||
        !th_cli_number(cli, "--status", 200, 599, 200, &status) ||
        !th_cli_number(cli, "--count", 1, UINT32_MAX / 2, 0, &count) ||
        !th_cli_duration(cli, "--delay", 0, &delay) || !th_cli_duration(cli, "--drip", 0, &drip) ||
        !percent(cli, &options->fail_percent))
        return false;
    if (delay > 3600000 || drip > 3600000) {
        th_cli_fail(cli, TH_EXIT_USAGE, "--delay and --drip: at most an hour");
        return false;
    }
    options->cli = cli;
    options->address = th_cli_option(cli, "--address") ? th_cli_option(cli, "--address") : "127.0.0.1";
    if (uv_ip4_addr(options->address, 0, &v4) != 0 && uv_ip6_addr(options->address, 0, &v6) != 0) {
        th_cli_fail(cli, TH_EXIT_USAGE,
                    "--address \"%s\": must be a numeric address: 127.0.0.1, 0.0.0.0, ::1", options->address);
        return false;
    }
    options->port = (uint16_t)port;
    options->status = (unsigned)status;
    options->delay_ms = (unsigned)delay;
    options->drip_ms = (unsigned)drip;
    options->count = (unsigned)count;
    options->forward = th_cli_option(cli, "--forward");
    options->url = th_cli_option(cli, "--endpoint-url");
    if (options->forward && th_cli_has(cli, "--status")) {
        th_cli_fail(cli, TH_EXIT_USAGE,
                    "--status and --forward: with --forward the answer is that of its URL; leave one out");
        return false;
    }
    options->forward_refused = th_cli_has(cli, "--forward-refused");
    options->headers = th_cli_has(cli, "--headers");
    options->no_body = th_cli_has(cli, "--no-body");
    return true;
}

static int run(struct th_cli *cli, struct th_listener_options *options)
{
    struct listening a = {.ending = false};
    int status;

    if (uv_loop_init(&a.loop) != 0)
        return th_cli_nomem(cli);
    a.last_ms =
        300 + options->delay_ms + (uint64_t)options->drip_ms * 200; /* an answer has fewer than 200 bytes */
    options->ended = on_ended;
    options->ctx = &a;
    status = th_listener_open(&a.loop, options, &a.listener);
    uv_signal_init(&a.loop, &a.intr);
    uv_signal_init(&a.loop, &a.term);
    uv_timer_init(&a.loop, &a.last);
    a.intr.data = a.term.data = a.last.data = &a;
    if (status && a.listener) {
        end(&a);
    } else if (!status) {
        const char *v6 = strchr(options->address, ':');
        printf(cli->json ? "{\"listening\":\"http://%s%s%s:%u\"}\n" : "listening on http://%s%s%s:%u\n",
               v6 ? "[" : "", options->address, v6 ? "]" : "", th_listener_port(a.listener));
        if (!cli->json && options->receiver)
            printf("verifying dialect %s with %u secret%s; Ctrl-C ends\n", options->receiver->dialect,
                   options->receiver->secret_count, options->receiver->secret_count == 1 ? "" : "s");
        fflush(stdout);
        uv_signal_start(&a.intr, on_signal, SIGINT);
        uv_signal_start(&a.term, on_signal, SIGTERM);
    }
    uv_run(&a.loop, UV_RUN_DEFAULT);
    uv_loop_close(&a.loop);
    if (!status) {
        unsigned refused = th_listener_refused(a.listener);
        status = refused ? TH_EXIT_NO : TH_EXIT_OK;
        if (!cli->json && options->receiver)
            printf("%u received, %u not verified\n", th_listener_received(a.listener), refused);
        else if (!cli->json)
            printf("%u received\n", th_listener_received(a.listener));
    }
    th_listener_free(a.listener);
    return status;
}

int th_cmd_listen(struct th_cli *cli)
{
    struct th_listener_options options = {0};
    struct th_receiver receiver;
    int status = TH_EXIT_OK;

    if (!read_conf(cli, &options))
        return TH_EXIT_USAGE;
    if (th_cli_has(cli, "--verify")) {
        status = th_receiver_init(cli, "--verify", &receiver);
        options.receiver = &receiver;
    } else if (th_cli_has(cli, "--secret-file")) {
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "--secret-file needs --verify DIALECT: for example --verify standard");
    }
    if (!status)
        status = run(cli, &options);
    if (options.receiver)
        th_receiver_fini(&receiver);
    return status;
}
