/* A receiver that shows what it gets. For each request: one line (time, method, type, id, size, verdict),
 * headers and body, the reason when it does not verify, and the answer that was given.
 *
 * Invariants: a request is in `struct work` from its arrival to its answer; forwarding ends with exactly one
 * done(); bytes of others are printed through th_print_safe. Memory: texts of a request live in an arena of
 * its own, because cli->mem would grow with each request. Failure: without memory the answer to a request is
 * 500, and the line says so. */
#include "cli/cli_listen.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_client.h"
#include "cli/cli_hook.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_request.h"
#include "core/guard.h"
#include "lib/crypto.h"
#include "net/http_client.h"
#include <time.h>
#include <uv.h>

#define SEEN 16384u
#define FORWARD_BODY (1u << 20)

struct th_listener {
    struct th_listener_options options;
    struct th_hook_server *server;
    struct th_transport *transport;
    char forward_text[2100];
    struct th_url forward;
    struct th_addr addrs[TH_CONNECT_MAX];
    unsigned addr_count;
    struct tenterhook_seen seen;
    void *seen_memory;
    unsigned number, answered, refused;
    bool closing;
};

struct work {
    struct th_listener *l;
    struct th_hook *hook;
    unsigned number, status;
    struct th_saved_request request;
    struct th_cli cli; /* a copy of the listener's, with an arena of its own */
    struct th_buf json;
    struct th_jw w;
    /* forwarding */
    struct th_http_req req;
    struct th_buf head;
    char target[2100];
};

/* ---- showing ---- */

static void show_time(void)
{
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm); /* in the form of the other commands' tables, to be compared with them */
    printf("%02d:%02d:%02d.%03ldZ", tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static void show_body(const struct work *k)
{
    struct th_span body = k->request.body;
    struct th_json json;

    if (k->l->options.no_body || body.n == 0)
        return;
    if (!th_json_parse(body, TH_JSON_DEPTH, &json, NULL)) {
        th_print_json(stdout, json);
        return;
    }
    th_print_safe(stdout, body);
    if (body.p[body.n - 1] != '\n')
        putchar('\n');
}

static void show_request(struct work *k, const struct tenterhook_event *event, enum tenterhook_result result,
                         const struct tenterhook_report *report, bool again, struct th_json why)
{
    struct th_cli *cli = &k->cli;
    const struct th_saved_request *r = &k->request;

    printf("%s", th_dim(cli));
    show_time();
    printf("%s  #%u  %s", th_plain(cli), k->number, th_bold(cli));
    th_print_safe(stdout, r->method);
    putchar(' ');
    th_print_safe(stdout, r->target);
    printf("%s", th_plain(cli));
    if (event && event->type.n) {
        printf("  ");
        th_print_safe(stdout, th_span(event->type.p, event->type.n));
    }
    if (event && event->id.n) {
        printf("  ");
        th_print_safe(stdout, th_span(event->id.p, event->id.n));
    }
    printf("  %zu bytes", r->body.n);
    if (k->l->options.receiver && result == TENTERHOOK_OK)
        printf("  %sverified%s", th_green(cli), th_plain(cli));
    else if (k->l->options.receiver && result == TENTERHOOK_BAD_EVENT)
        printf("  %sverified, but refused: %s%s", th_red(cli), report->detail, th_plain(cli));
    else if (k->l->options.receiver)
        printf("  %snot verified: %s%s", th_red(cli), report->detail, th_plain(cli));
    printf("%s\n", again ? "  (a repetition)" : "");
    if (why.raw.n)
        th_explain_print(cli, why, false, "  ");
    for (size_t i = 0; k->l->options.headers && i < r->header_count; i++) {
        printf("    %s", th_dim(cli));
        th_print_safe(stdout, th_span(r->headers[i].name.p, r->headers[i].name.n));
        printf(":%s ", th_plain(cli));
        th_print_safe(stdout, th_span(r->headers[i].value.p, r->headers[i].value.n));
        putchar('\n');
    }
    show_body(k);
    fflush(stdout);
}

static void json_text(struct th_jw *w, const char *name, struct th_span s)
{
    th_jw_key(w, th_str(name));
    if (s.n)
        th_jw_string(w, s);
    else
        th_jw_null(w);
}

static void json_request(struct work *k, const struct tenterhook_event *event, enum tenterhook_result result,
                         const struct tenterhook_report *report, bool again, struct th_json why)
{
    struct th_jw *w = &k->w;
    struct th_json list;

    th_jw_object(w);
    th_jw_key(w, TH_LIT("number"));
    th_jw_u64(w, k->number);
    json_text(w, "method", k->request.method);
    json_text(w, "target", k->request.target);
    json_text(w, "type", event ? th_span(event->type.p, event->type.n) : TH_LIT(""));
    json_text(w, "id", event ? th_span(event->id.p, event->id.n) : TH_LIT(""));
    th_jw_key(w, TH_LIT("verified"));
    if (k->l->options.receiver)
        th_jw_bool(w, result == TENTERHOOK_OK || result == TENTERHOOK_BAD_EVENT);
    else
        th_jw_null(w);
    if (k->l->options.receiver && result != TENTERHOOK_OK) {
        json_text(w, "reason", th_str(tenterhook_name(result)));
        json_text(w, "detail", th_str(report->detail));
        if (why.raw.n && th_json_member(why, TH_LIT("findings"), &list)) {
            th_jw_key(w, TH_LIT("findings"));
            th_jw_raw(w, list.raw);
        }
    }
    th_jw_key(w, TH_LIT("repetition"));
    th_jw_bool(w, again);
    th_jw_key(w, TH_LIT("headers"));
    th_jw_array(w);
    for (size_t i = 0; i < k->request.header_count; i++) {
        th_jw_array(w);
        th_jw_string(w, th_span(k->request.headers[i].name.p, k->request.headers[i].name.n));
        th_jw_string(w, th_span(k->request.headers[i].value.p, k->request.headers[i].value.n));
        th_jw_end_array(w);
    }
    th_jw_end_array(w);
    if (th_utf8_ok(k->request.body)) {
        th_jw_key(w, TH_LIT("body"));
        th_jw_string(w, k->request.body);
    } else {
        th_jw_key(w, TH_LIT("body_base64"));
        th_jw_raw(w, TH_LIT("\""));
        th_base64(w->out, k->request.body.p, k->request.body.n);
        th_buf_char(w->out, '"');
    }
}

/* ---- answering ---- */

static void answer(struct work *k, unsigned status, struct th_span fields, struct th_span body,
                   const char *note)
{
    struct th_listener *l = k->l;
    unsigned delay = l->options.delay_ms;

    if (k->cli.json) {
        th_jw_key(&k->w, TH_LIT("answered"));
        th_jw_u64(&k->w, status);
        json_text(&k->w, "note", th_str(note));
        th_jw_end_object(&k->w);
        printf("%s\n", th_buf_cstr(&k->json));
    } else {
        printf("  %s-> #%u %s%u%s%s%s\n", th_dim(&k->cli), k->number, th_plain(&k->cli), status,
               *note ? "  " : "", note, delay ? th_cli_printf(&k->cli, "  after %u ms", delay) : "");
    }
    fflush(stdout);
    th_hook_reply(k->hook, status, fields, body, delay, l->options.drip_ms);
    l->answered++;
    th_buf_fini(&k->json);
    th_buf_fini(&k->head);
    th_arena_fini(&k->cli.mem);
    th_free(k);
    if (l->options.ended &&
        (l->answered == l->options.count || !th_cli_flush())) /* or nobody reads the output any more */
        l->options.ended(l->options.ctx);
}

static bool fails_now(const struct th_listener *l)
{
    uint8_t dice[2] = {0, 0};

    if (!l->options.fail_percent || !th_random(dice, sizeof dice))
        return false;
    return (unsigned)(dice[0] | dice[1] << 8) % 100 < l->options.fail_percent;
}

/* ---- forwarding ---- */

static bool kept_back(struct th_span name)
{
    static const char *const names[] = {"host",   "content-length", "connection", "transfer-encoding",
                                        "expect", "keep-alive",     "te",         "upgrade"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (th_span_ieq(name, th_str(names[i])))
            return true;
    return false;
}

/* The answer's field lines without those of its connection. */
static void pass_fields(struct th_span head, struct th_buf *out)
{
    while (head.n) {
        const char *eol = memchr(head.p, '\n', head.n);
        struct th_span line = {head.p, eol ? (size_t)(eol + 1 - head.p) : head.n};
        const char *colon = memchr(line.p, ':', line.n);
        if (colon && !kept_back(th_span(line.p, (size_t)(colon - line.p))))
            th_buf_span(out, line);
        head = th_span(head.p + line.n, head.n - line.n);
    }
}

static void forwarded(struct th_http_req *req)
{
    struct work *k = req->user;
    bool ok = req->res.class == TH_HTTP_OK;
    const char *note =
        ok ? "from the forward address"
           : th_cli_printf(&k->cli, "not forwarded: %s%s%s", th_http_class_name(req->res.class),
                           req->res.detail ? ": " : "", req->res.detail ? req->res.detail : "");

    th_buf_reset(&k->head);
    if (ok)
        pass_fields(req->res.head, &k->head);
    else
        th_buf_str(&k->head, "Content-Type: text/plain\r\n");
    answer(k, ok ? req->res.status : 502, th_buf_view(&k->head), ok ? req->res.body : TH_LIT("not forwarded"),
           note);
}

static void forward(struct work *k)
{
    struct th_listener *l = k->l;
    int64_t now = (int64_t)(uv_hrtime() / 1000);

    for (size_t i = 0; i < k->request.header_count; i++) {
        struct th_span name = {k->request.headers[i].name.p, k->request.headers[i].name.n};
        if (kept_back(name))
            continue;
        th_buf_span(&k->head, name);
        th_buf_str(&k->head, ": ");
        th_buf_span(&k->head, th_span(k->request.headers[i].value.p, k->request.headers[i].value.n));
        th_buf_str(&k->head, "\r\n");
    }
    k->req = (struct th_http_req){
        .method = k->request.method,
        .target = l->forward.target,
        .origin = {l->forward.tls, l->forward.host, l->forward.authority, l->forward.port},
        .addrs = l->addrs,
        .addr_count = l->addr_count,
        .head = th_buf_view(&k->head),
        .body = {k->request.body},
        .body_count = 1,
        .deadline = {now + 60000000},
        .connect_deadline = {now + 10000000},
        .head_cap = 32768,
        .body_cap = FORWARD_BODY,
        .done = forwarded,
        .user = k};
    l->transport->vt->submit(l->transport, &k->req);
}

/* ---- one request ---- */

static bool repetition(struct th_listener *l, const struct tenterhook_event *event)
{
    struct tenterhook_key_id key;
    enum tenterhook_mark mark;

    if (!event || !tenterhook_event_key(event, TENTERHOOK_BY_ID, &key))
        return false;
    mark = tenterhook_seen_begin(&l->seen, &key);
    if (mark == TENTERHOOK_NEW)
        tenterhook_seen_done(&l->seen, &key);
    return mark == TENTERHOOK_SEEN;
}

/* Without a dialect: the members that most events have. */
static void guess(const struct work *k, struct th_cli *cli, struct tenterhook_event *event)
{
    struct th_span id = th_request_header(&k->request, "webhook-id");
    struct th_json root;

    *event = (struct tenterhook_event){.id = {id.p, id.n}};
    if (th_json_parse(k->request.body, TH_JSON_DEPTH, &root, NULL) || root.type != TH_JSON_OBJECT)
        return;
    if (!id.n && th_cli_member(cli, root, "/id")[0] != '-')
        event->id = tenterhook_str(th_cli_member(cli, root, "/id"));
    if (th_cli_member(cli, root, "/type")[0] != '-')
        event->type = tenterhook_str(th_cli_member(cli, root, "/type"));
}

static void judge(struct work *k)
{
    struct th_listener *l = k->l;
    struct tenterhook_report report = {.detail = ""};
    struct tenterhook_event event = {.id = {NULL, 0}};
    enum tenterhook_result result = TENTERHOOK_OK;
    struct th_json why = {0};
    struct th_buf explained;
    bool again;

    th_buf_init(&explained, 1u << 20);
    if (l->options.receiver)
        result = th_receiver_check(&k->cli, &l->options.receiver->verifier, &k->request, (int64_t)time(NULL),
                                   &event, &report);
    else
        guess(k, &k->cli, &event);
    if (result != TENTERHOOK_OK) {
        l->refused++;
        (void)th_explain(&k->cli, l->options.receiver, &k->request, (int64_t)time(NULL), &explained);
        if (explained.failed || th_json_parse(th_buf_view(&explained), TH_JSON_DEPTH, &why, NULL))
            why = (struct th_json){0};
    }
    again = result == TENTERHOOK_OK && repetition(l, &event);
    if (k->cli.json)
        json_request(k, &event, result, &report, again, why);
    else
        show_request(k, result == TENTERHOOK_OK ? &event : NULL, result, &report, again, why);
    th_buf_fini(&explained);
    if (result == TENTERHOOK_OK && l->options.verified)
        l->options.verified(l->options.ctx, th_cli_text(&k->cli, th_span(event.id.p, event.id.n)), again);
    if (result != TENTERHOOK_OK && !(l->transport && l->options.forward_refused))
        answer(k, (unsigned)tenterhook_status(result), TH_LIT("Content-Type: text/plain\r\n"),
               th_str(report.detail), "");
    else if (fails_now(l))
        answer(k, 500, TH_LIT(""), TH_LIT("failed on purpose"), "on purpose (--fail)");
    else if (l->transport)
        forward(k);
    else
        answer(k, l->options.status, TH_LIT("Content-Type: text/plain\r\n"), TH_LIT("ok\n"), "");
}

static void on_request(void *ctx, struct th_hook *hook, const struct th_http1_head *head, struct th_span body)
{
    struct th_listener *l = ctx;
    struct work *k = th_calloc(1, sizeof *k);

    if (!k || l->closing) {
        th_free(k);
        th_hook_reply(hook, k ? 503 : 500, TH_LIT(""), TH_LIT(""), 0, 0);
        return;
    }
    k->l = l;
    k->hook = hook;
    k->number = ++l->number;
    k->cli = *l->options.cli;
    k->cli.client = NULL;
    th_arena_init(&k->cli.mem, (size_t)128 << 20);
    th_buf_init(&k->json, (size_t)128 << 20);
    th_buf_init(&k->head, 131072);
    k->w = th_jw(&k->json);
    k->request = (struct th_saved_request){.method = head->method, .target = head->target, .body = body};
    for (unsigned i = 0; i < head->field_count && i < TH_REQUEST_HEADERS; i++)
        k->request.headers[k->request.header_count++] =
            (struct tenterhook_header){{head->fields[i].name.p, head->fields[i].name.n},
                                       {head->fields[i].value.p, head->fields[i].value.n}};
    if (l->options.url)
        k->request.url = th_str(l->options.url);
    judge(k);
}

static void on_refused(void *ctx, unsigned status, const char *why)
{
    struct th_listener *l = ctx;

    if (l->options.cli->json) {
        printf("{\"refused\":%u,\"detail\":%s}\n", status, th_cli_quoted(l->options.cli, why));
    } else {
        printf("%s", th_dim(l->options.cli));
        show_time();
        printf("%s  %srefused with %u%s: %s\n", th_plain(l->options.cli), th_red(l->options.cli), status,
               th_plain(l->options.cli), why);
    }
    fflush(stdout);
}

/* ---- opening and closing ---- */

static int open_forward(struct th_listener *l, uv_loop_t *loop)
{
    struct th_http_client_options http = {.ca_file = th_cli_option(l->options.cli, "--ca-file")};
    const char *why = "is too long";
    char text[400];

    snprintf(l->forward_text, sizeof l->forward_text, "%s", l->options.forward);
    if (strlen(l->options.forward) >= sizeof l->forward_text ||
        th_url_parse(th_str(l->forward_text), &l->forward, &why))
        return th_cli_fail(l->options.cli, TH_EXIT_USAGE, "--forward \"%.200s\": %s", l->options.forward,
                           why);
    if (l->forward.literal) {
        l->addrs[0] = l->forward.addr;
        l->addr_count = 1;
    } else {
        l->addr_count = th_client_resolve(l->forward.host, l->forward.port, l->addrs, text, sizeof text);
        if (!l->addr_count)
            return th_cli_fail(l->options.cli, TH_EXIT_UNREACHABLE, "--forward: %s", text);
    }
    http.plain = !l->forward.tls && !http.ca_file;
    if (th_http_client_open(loop, &http, &l->transport, text, sizeof text))
        return th_cli_fail(l->options.cli, TH_EXIT_USAGE, "--forward: %s", text);
    return TH_EXIT_OK;
}

int th_listener_open(uv_loop_t *loop, const struct th_listener_options *options, struct th_listener **out)
{
    struct th_listener *l = th_calloc(1, sizeof *l);
    struct th_hook_options hook = {.address = options->address,
                                   .port = options->port,
                                   .handle = on_request,
                                   .refused = on_refused,
                                   .ctx = l};
    size_t size = tenterhook_seen_size(SEEN);
    int status = TH_EXIT_OK, os_error = 0;

    if (!l)
        return th_cli_nomem(options->cli);
    l->options = *options;
    l->seen_memory = th_malloc(size);
    if (!l->seen_memory || tenterhook_seen_init(&l->seen, SEEN, l->seen_memory, size) != TENTERHOOK_OK)
        status = th_cli_nomem(options->cli);
    if (!status && options->forward)
        status = open_forward(l, loop);
    if (!status && th_hook_open(loop, &hook, &l->server, &os_error))
        status = th_cli_fail(options->cli, TH_EXIT_UNREACHABLE, "cannot listen on %s port %u: %s",
                             options->address, options->port, uv_strerror(os_error));
    *out = l;
    return status;
}

uint16_t th_listener_port(const struct th_listener *l)
{
    return th_hook_port(l->server);
}

unsigned th_listener_received(const struct th_listener *l)
{
    return l->number;
}

unsigned th_listener_refused(const struct th_listener *l)
{
    return l->refused;
}

void th_listener_behave(struct th_listener *l, unsigned status)
{
    l->options.status = status;
}

void th_listener_registered(struct th_listener *l, const char *url)
{
    l->options.url = url;
}

static void transport_closed(void *ctx)
{
    struct th_listener *l = ctx;

    if (l->server)
        th_hook_close(l->server);
}

/* The transport first: its requests under way still answer hooks. */
void th_listener_close(struct th_listener *l)
{
    if (l->closing)
        return;
    l->closing = true;
    if (l->transport)
        th_http_client_close(l->transport, transport_closed, l);
    else
        transport_closed(l);
}

void th_listener_free(struct th_listener *l)
{
    if (l)
        th_free(l->seen_memory);
    th_free(l);
}
