/* dev: the whole product on one terminal, without an account: a server on a temporary directory, an endpoint,
 * a receiver that verifies, and what happens, live.
 *
 * Why a child process for the server: it is exactly the server of production, and its end is exactly an end.
 * Order: receiver listens → server starts → endpoint is registered → a first event is sent. The end goes the
 * other way round, and the temporary directory is removed. Failure: what the server says on standard error is
 * shown; the exit status is that of the step that failed. */
#include "cli/cmd_dev.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_hook.h"
#include "cli/cli_listen.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_request.h"
#include "cli/cli_tail.h"
#include "cli/cmd.h"
#include "lib/crypto.h"
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define TENANT "default"
#define LINE_MAX_BYTES 4096
#define SIGNALS 4 /* that end it */

struct dev {
    struct th_cli *cli;
    uv_loop_t loop;
    uv_process_t process;
    uv_pipe_t output;
    uv_signal_t signals[SIGNALS];
    uv_timer_t look, limit;
    uv_poll_t keys;
    struct th_listener *listener;
    struct th_receiver receiver;
    struct th_tail *tail;
    char dir[128], key[80], url[128], line[LINE_MAX_BYTES];
    const char *data, *type, *sample; /* sample of the first event type of the dialect */
    const char *endpoint;             /* its path, to delete it at the end */
    struct th_dev_dialect dialect;
    size_t line_n;
    bool any_port, usual_port, taken; /* of the API; usual: 8420 was free a moment ago */
    bool made, temporary, started, running, keys_open, once, failing, ending, child;
    unsigned samples;
    int status;
};

static void end(struct dev *d, int status);

/* ---- the server ---- */

static char *variable(struct dev *d, const char *name, const char *value)
{
    return th_cli_printf(d->cli, "%s=%s", name, value);
}

/* This process's environment without settings of another server. */
static char **environment(struct dev *d)
{
    size_t n = 0, kept = 0;
    char **out;

    while (environ[n])
        n++;
    out = th_arena_get(&d->cli->mem, (n + 3) * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        if (strncmp(environ[i], "TENTERHOOK_", 11) != 0)
            out[kept++] = environ[i];
    if (out)
        out[kept] = variable(d, "TENTERHOOK_ADMIN_KEY", d->key);
    return out;
}

static bool port_free(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
              bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static void on_exit_of_server(uv_process_t *p, int64_t status, int number)
{
    struct dev *d = p->data;

    d->child = false;
    uv_close((uv_handle_t *)p, NULL);
    if (!d->ending && !d->started && d->usual_port && (d->temporary || !port_free(8420))) {
        d->taken = true; /* a new directory gives it no other reason to end */
        end(d, TH_EXIT_UNREACHABLE);
    } else if (!d->ending) {
        th_cli_fail(d->cli, TH_EXIT_UNREACHABLE, "the server has ended (status %lld, signal %d)",
                    (long long)status, number);
        end(d, TH_EXIT_UNREACHABLE);
    }
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct dev *d = h->data;

    (void)wanted;
    *out = uv_buf_init(d->line + d->line_n, (unsigned)(sizeof d->line - 1 - d->line_n));
}

static void started(struct dev *d);

static void on_output(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct dev *d = s->data;
    char *eol;

    (void)b;
    if (n <= 0)
        return;
    d->line_n += (size_t)n;
    d->line[d->line_n] = 0;
    while ((eol = memchr(d->line, '\n', d->line_n)) != NULL) {
        *eol = 0;
        if (strncmp(d->line, "listening on ", 13) == 0 && !d->started) {
            snprintf(d->url, sizeof d->url, "%s", d->line + 13);
            d->started = true;
        }
        d->line_n -= (size_t)(eol + 1 - d->line);
        memmove(d->line, eol + 1, d->line_n);
    }
    if (d->line_n == sizeof d->line - 1)
        d->line_n = 0;
    if (d->started && !d->running)
        started(d);
}

static int spawn(struct dev *d)
{
    const char *listen_at = th_cli_option(d->cli, "--listen");
    bool usual = !listen_at && !d->any_port && port_free(8420);
    char *args[] = {(char *)(uintptr_t) "tenterhook",
                    (char *)(uintptr_t) "serve",
                    (char *)(uintptr_t) "--listen",
                    (char *)(uintptr_t)(listen_at ? listen_at
                                        : usual   ? "127.0.0.1:8420"
                                                  : "127.0.0.1:0"),
                    (char *)(uintptr_t) "--data",
                    (char *)(uintptr_t)d->data,
                    (char *)(uintptr_t) "--environment",
                    (char *)(uintptr_t) "development",
                    (char *)(uintptr_t) "--log-level",
                    (char *)(uintptr_t) "warn",
                    (char *)(uintptr_t)(d->dialect.directory ? "--dialects" : NULL),
                    (char *)(uintptr_t)d->dialect.directory,
                    NULL};
    uv_stdio_container_t io[3] = {{.flags = UV_IGNORE},
                                  {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
                                   .data.stream = (uv_stream_t *)&d->output},
                                  {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t o = {.exit_cb = on_exit_of_server,
                              .file = "/proc/self/exe",
                              .args = args,
                              .env = environment(d),
                              .stdio_count = 3,
                              .stdio = io,
                              .flags = UV_PROCESS_DETACHED}; /* Ctrl-C comes to us, and we end it in order */
    int error = o.env ? uv_spawn(&d->loop, &d->process, &o) : UV_ENOMEM;

    if (error)
        return th_cli_fail(d->cli, TH_EXIT_BUG, "the server cannot be started: %s", uv_strerror(error));
    d->child = true;
    d->usual_port = usual;
    uv_read_start((uv_stream_t *)&d->output, on_alloc, on_output);
    return TH_EXIT_OK;
}

/* ---- the endpoint ---- */

static bool says(const struct dev *d, struct th_json dialect, const char *member)
{
    return strcmp(th_cli_member(d->cli, dialect, member), "true") == 0;
}

/* Where the receiver is, as it is registered. */
static const char *receiver_url(const struct dev *d)
{
    return th_cli_printf(d->cli, "http://127.0.0.1:%u/hook", th_listener_port(d->listener));
}

static void write_endpoint(struct dev *d, struct th_json dialect, const char *secret, struct th_buf *body)
{
    struct th_jw w = th_jw(body);
    struct th_json types, row, v;
    struct th_json_iter it;

    th_jw_object(&w);
    th_jw_key(&w, th_str(th_cmd_wire(d->cli, dialect, "url")));
    th_jw_string(&w, th_str(receiver_url(d)));
    th_jw_key(&w, th_str(th_cmd_wire(d->cli, dialect, "events")));
    th_jw_array(&w);
    if (!says(d, dialect, "/endpoint/empty_means_all")) {
        unsigned named = 0;
        if (th_json_pointer(dialect, TH_LIT("/catalogue/types"), &types)) {
            th_json_iter(&it, types);
            for (; th_json_next(&it, NULL, &row); named++)
                if (th_json_member(row, TH_LIT("type"), &v))
                    th_jw_raw(&w, v.raw);
        }
        if (named == 0)
            th_jw_string(&w, says(d, dialect, "/endpoint/star") ? TH_LIT("*") : th_str(d->type));
    }
    th_jw_end_array(&w);
    if (secret) {
        th_jw_key(&w, th_str(th_cmd_wire(d->cli, dialect, "secret")));
        th_jw_string(&w, th_str(secret));
    }
    th_jw_end_object(&w);
}

static const char *random_text(struct dev *d, const char *prefix)
{
    uint8_t raw[24];
    struct th_buf out;
    const char *text;

    if (!th_random(raw, sizeof raw))
        abort(); /* the kernel has no randomness: nothing here may go on */
    th_buf_init(&out, 128);
    th_buf_str(&out, prefix);
    th_hex(&out, raw, sizeof raw);
    text = th_cli_text(d->cli, th_buf_view(&out));
    th_buf_fini(&out);
    return text;
}

/* A kept directory may have another one from the last time. */
static int set_dialect(const struct dev *d, const char *name)
{
    struct th_answer made;
    int status = th_cli_call(d->cli, "PUT", "/v1/tenants/" TENANT,
                             th_str(th_cli_printf(d->cli, "{\"dialect\":\"%s\"}", name)), NULL, &made);

    if (!status)
        th_answer_free(&made);
    return status;
}

/* The server makes the secret where the dialect lets it; else the customer brings one, and that is us. */
static int register_endpoint(struct dev *d)
{
    struct th_answer dialect, made;
    struct th_span none = {NULL, 0};
    struct th_buf body;
    const char *secret, *public;
    int status = set_dialect(d, d->dialect.name);

    if (!status)
        status = th_cli_call(d->cli, "GET", th_cli_path(d->cli, "/v1/dialects/%s", d->dialect.name), none,
                             NULL, &dialect);
    if (status)
        return status;
    d->type = th_cli_member(d->cli, dialect.json, "/catalogue/types/0/type");
    d->sample = th_cli_member(d->cli, dialect.json, "/catalogue/types/0/sample");
    if (d->type[0] == '-')
        d->type = "hello.world";
    d->sample = d->sample[0] == '-' ? "{\"greeting\":\"It works\"}" : th_dev_quotable(d->cli, d->sample);
    secret = strcmp(th_cli_member(d->cli, dialect.json, "/secret/source"), "customer") == 0
                 ? random_text(d, "dev-")
                 : NULL;
    th_buf_init(&body, 65536);
    write_endpoint(d, dialect.json, secret, &body);
    status = th_cli_call(d->cli, "POST", "/v1/webhooks", th_buf_view(&body), NULL, &made);
    th_buf_fini(&body);
    th_answer_free(&dialect);
    if (status)
        return status;
    if (!secret)
        secret = th_cli_member(d->cli, made.json, "/secret");
    d->endpoint = th_cli_path(d->cli, "/v1/webhooks/%s", th_cli_member(d->cli, made.json, "/id"));
    th_answer_free(&made);
    public = th_receiver_public(d->cli, &d->receiver.scheme, th_str(secret));
    secret = public ? public : secret;
    th_listener_registered(d->listener, receiver_url(d));
    th_buf_str(&d->receiver.secret[0], secret);
    d->receiver.secret_count = 1;
    if (tenterhook_verifier_init(&d->receiver.verifier, &d->receiver.scheme,
                                 &(struct tenterhook_span){secret, strlen(secret)}, 1, NULL) != TENTERHOOK_OK)
        return th_cli_fail(d->cli, TH_EXIT_BUG, "the server's secret does not fit dialect %s",
                           d->dialect.name);
    return TH_EXIT_OK;
}

/* ---- events ---- */

static bool standard(const struct dev *d)
{
    return strcmp(d->dialect.name, "standard") == 0;
}

static const char *event_of(const struct dev *d, const char *data, unsigned number)
{
    const char *resource =
        standard(d)
            ? ""
            : th_cli_printf(d->cli, ",\"resource_type\":\"Sample\",\"resource_id\":\"sample_%u\"", number);

    return th_cli_printf(d->cli, "{\"type\":\"%s\"%s,\"data\":%s}", d->type, resource, data);
}

static int send_sample(struct dev *d)
{
    struct th_answer answer;
    int status = th_cli_call(d->cli, "POST", "/v1/events", th_str(event_of(d, d->sample, ++d->samples)), NULL,
                             &answer);

    if (!status)
        th_answer_free(&answer);
    return status;
}

static void on_limit(uv_timer_t *t)
{
    struct dev *d = t->data;

    if (!d->once || !d->running) {
        th_cli_fail(d->cli, TH_EXIT_LATER, "not ready within 30 s");
        end(d, TH_EXIT_LATER);
    } else {
        end(d, th_listener_refused(d->listener) ? TH_EXIT_NO : TH_EXIT_OK);
    }
}

static void on_verified(void *ctx, const char *id, bool again)
{
    struct dev *d = ctx;

    (void)id;
    (void)again;
    if (d->once && !d->ending) /* a little later: the answer goes out first */
        uv_timer_start(&d->limit, on_limit, 50, 0);
}

static void welcome(const struct dev *d)
{
    if (d->cli->json) {
        printf("{\"url\":\"%s\",\"key\":\"%s\",\"receiver\":\"%s\",\"data\":%s}\n", d->url, d->key,
               receiver_url(d), th_cli_quoted(d->cli, d->data));
    } else {
        printf("%sTenterhook is running%s, in development mode%s%s.\n\n", th_bold(d->cli), th_plain(d->cli),
               d->temporary ? "; its data is removed when you end it" : ", on ", d->temporary ? "" : d->data);
        printf("  API       %s\n  key       %s\n  endpoint  %s (dialect %s; each "
               "request is verified below)\n\n",
               d->url, d->key, receiver_url(d), d->dialect.name);
        printf("Publish from another terminal:\n\n  curl %s/v1/events -H 'Authorization: Bearer %s' -H "
               "'Content-Type: application/json' \\\n"
               "       -d '%s'\n\n",
               d->url, d->key, event_of(d, d->sample, 0));
        printf(
            "or: export TENTERHOOK_SERVER=%s TENTERHOOK_KEY=%s\n    tenterhook send %s --sample --wait%s\n\n",
            d->url, d->key, d->type, standard(d) ? "" : " --resource-type Sample --resource-id sample_0");
        if (d->dialect.https_waived)
            printf("%sdialect %s requires https endpoints; here, on loopback, http is accepted%s\n\n",
                   th_dim(d->cli), d->dialect.name, th_plain(d->cli));
        if (d->keys_open)
            printf("%skeys: s send a sample, f fail (500) or not, Enter last delivery, r send it again, q "
                   "end%s\n\n",
                   th_dim(d->cli), th_plain(d->cli));
    }
    fflush(stdout);
}

/* ---- keys and time ---- */

static void on_look(uv_timer_t *t)
{
    struct dev *d = t->data;

    if (!d->ending)
        (void)th_tail_look(d->tail, 0);
    if (!th_cli_flush())
        end(d, TH_EXIT_OUTPUT);
}

static void on_key(uv_poll_t *p, int status, int events)
{
    struct dev *d = p->data;
    bool arrow;
    int key;

    (void)status;
    (void)events;
    while (!d->ending && (key = th_keys_read(&arrow)) != 0) {
        if (key == 's') {
            (void)send_sample(d);
        } else if (key == 'f') {
            d->failing = !d->failing;
            th_listener_behave(d->listener, d->failing ? 500 : 200);
            printf("the receiver answers %d from now on\n", d->failing ? 500 : 200);
        } else if (key == 'r') {
            (void)th_tail_retry(d->tail);
        } else if (key == '\n' || key == '\r') {
            (void)th_tail_show(d->tail);
        } else if (key == 'q' || key == 4) {
            end(d, TH_EXIT_OK);
        }
        fflush(stdout);
    }
}

/* The second time the server is not waited for. */
static void on_signal(uv_signal_t *s, int number)
{
    struct dev *d = s->data;

    (void)number;
    if (!d->ending)
        end(d, TH_EXIT_OK);
    else if (d->child)
        uv_process_kill(&d->process, SIGKILL);
}

static void started(struct dev *d)
{
    int status;

    d->running = true;
    setenv("TENTERHOOK_SERVER", d->url, 1);
    setenv("TENTERHOOK_KEY", d->key, 1);
    d->cli->own_server = true;
    unsetenv("TENTERHOOK_TENANT"); /* meant for another server, as is the next */
    unsetenv("TENTERHOOK_API_CA_FILE");
    status = register_endpoint(d);
    if (status) {
        end(d, status);
        return;
    }
    if (!d->once)
        uv_timer_stop(&d->limit);
    if (!d->once && th_keys_open()) {
        d->keys_open = true;
        uv_poll_start(&d->keys, UV_READABLE, on_key);
    }
    welcome(d);
    th_tail_init(d->tail, d->cli, "/v1/attempts?include_tests=true");
    (void)th_tail_look(d->tail, 0);
    status = send_sample(d);
    if (status)
        end(d, status);
    else if (!d->once)
        uv_timer_start(&d->look, on_look, 500, 500);
}

/* ---- start and end ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void end(struct dev *d, int status)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&d->output, (uv_handle_t *)&d->look, (uv_handle_t *)&d->limit};
    struct th_answer answer;

    if (d->ending)
        return;
    d->ending = true;
    d->status = status;
    for (unsigned i = 0; i < 3; i++)
        uv_close(handles[i], NULL);
    for (unsigned i = 0; i < SIGNALS;
         i++) /* signals are taken until nothing is left to tidy, but not waited for */
        uv_unref((uv_handle_t *)&d->signals[i]);
    if (uv_handle_get_type((uv_handle_t *)&d->keys) == UV_POLL)
        uv_close((uv_handle_t *)&d->keys, NULL);
    if (d->child && !d->temporary && d->endpoint &&
        !th_cli_try(d->cli, "DELETE", d->endpoint, (struct th_span){0}, NULL, &answer)) {
        th_answer_free(&answer); /* the next run registers its own receiver */
        if (d->dialect.own)
            (void)set_dialect(d, "standard"); /* the next run may not bring the file */
    }
    if (d->child)
        uv_process_kill(&d->process, SIGTERM);
    if (d->listener)
        th_listener_close(d->listener);
}

/* A directory that is removed at the end: all of it, or with --data only the dialect. */
static int make_directory(struct dev *d)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(d->dir, sizeof d->dir, "%.100s/tenterhook-dev-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(d->dir))
        return th_cli_fail(d->cli, TH_EXIT_OUTPUT, "%s: no directory can be made there", d->dir);
    d->made = true;
    d->temporary = !d->data;
    d->data = d->data ? d->data : th_cli_printf(d->cli, "%s/data", d->dir);
    return TH_EXIT_OK;
}

static int open_all(struct dev *d)
{
    struct th_listener_options options = {.cli = d->cli,
                                          .address = "127.0.0.1",
                                          .receiver = &d->receiver,
                                          .status = 200,
                                          .verified = on_verified,
                                          .ctx = d};
    int status = th_receiver_scheme(d->cli, d->dialect.name, &d->receiver);
    int64_t port;

    if (!status && !th_cli_number(d->cli, "--port", 0, 65535, 0, &port))
        status = TH_EXIT_USAGE;
    if (status)
        return status;
    options.port = (uint16_t)port;
    status = th_listener_open(&d->loop, &options, &d->listener);
    if (status)
        return status;
    status = make_directory(d);
    if (!status)
        status = th_dev_dialect(d->cli, d->dir, th_buf_view(&d->receiver.scheme_text), &d->dialect);
    if (status)
        return status;
    snprintf(d->key, sizeof d->key, "%s", random_text(d, "dev_"));
    return spawn(d);
}

static void init_handles(struct dev *d)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP /* the terminal was closed */};

    uv_pipe_init(&d->loop, &d->output, 0);
    uv_timer_init(&d->loop, &d->look);
    uv_timer_init(&d->loop, &d->limit);
    if (!d->once && isatty(STDIN_FILENO))
        (void)uv_poll_init(&d->loop, &d->keys, STDIN_FILENO);
    d->process.data = d->output.data = d->look.data = d->limit.data = d->keys.data = d;
    for (unsigned i = 0; i < SIGNALS; i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
    uv_timer_start(&d->limit, on_limit, 30000, 0);
}

/* *taken: the usual port was lost to somebody else. */
static int run(struct th_cli *cli, bool any_port, bool *taken)
{
    static struct th_tail tail; /* large; there is one */
    struct dev *d = th_calloc(1, sizeof *d);
    int status;

    if (!d || uv_loop_init(&d->loop) != 0)
        return th_cli_nomem(cli);
    d->cli = cli;
    d->any_port = any_port;
    d->tail = &tail;
    d->once = th_cli_has(cli, "--once");
    d->data = th_cli_option(cli, "--data");
    d->dialect.name = th_cli_option(cli, "--dialect") ? th_cli_option(cli, "--dialect") : "standard";
    d->receiver.window_s = TENTERHOOK_WINDOW_S;
    th_buf_init(&d->receiver.scheme_text, 2u << 20);
    for (unsigned i = 0; i < TH_SECRETS; i++)
        th_buf_init(&d->receiver.secret[i], 4096);
    th_buf_init(&d->receiver.old, 4096);
    init_handles(d);
    status = open_all(d);
    if (status)
        end(d, status);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    th_keys_close();
    if (d->made)
        (void)nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (unsigned i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    status = d->status;
    *taken = d->taken;
    th_listener_free(d->listener);
    th_receiver_fini(&d->receiver);
    th_free(d);
    return status;
}

int th_cmd_dev(struct th_cli *cli)
{
    bool taken = false;
    int status = run(cli, false, &taken);

    return taken ? run(cli, true, &taken) : status;
}
