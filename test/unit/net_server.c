/* The HTTP server on a loop of its own: opening, every allocation failing in turn, replies from outside the
 * handler, draining. What clients see in general is tested through another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "net/http_server.h"
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define BIG 3000000 /* bytes: more than a socket's buffers take at once */

struct world {
    uv_loop_t loop;
    struct th_http_server *server;
    struct th_metrics metrics;
    struct th_http_exchange *held; /* when `hold`: not answered yet */
    bool hold, drained, parts;
    size_t at; /* of the answer in parts */
    unsigned handled;
    size_t last_body;
    struct th_span answer;
};

static char big[BIG];

static void write_parts(struct th_http_exchange *x)
{
    struct world *w = x->user;

    while (w->at < w->answer.n) {
        size_t n = w->answer.n - w->at < 30000 ? w->answer.n - w->at : 30000, room;

        room = th_http_write(x, th_span(w->answer.p + w->at, n));
        w->at += n;
        if (!room)
            return; /* `room` or `gone` comes */
    }
    th_http_end(x);
}

static void end_parts(struct th_http_exchange *x)
{
    th_http_end(x);
}

static const struct th_http_parts in_parts = {write_parts, end_parts, false};

static void handle(void *ctx, struct th_http_exchange *x)
{
    struct world *w = ctx;

    w->handled++;
    w->last_body = x->body.n;
    x->user = w;
    w->at = 0;
    if (w->parts && !th_http_begin(x, 200, TH_LIT(""), &in_parts))
        th_http_end(x);
    else if (w->parts)
        write_parts(x);
    else if (w->hold)
        w->held = x;
    else
        th_http_reply(x, 200, TH_LIT("Content-Type: text/plain\r\n"), w->answer);
}

static void on_drained(void *ctx)
{
    ((struct world *)ctx)->drained = true;
}

static enum th_error open_world(struct world *w, const struct th_http_server_options *base)
{
    struct th_http_server_options options = base ? *base : (struct th_http_server_options){0};
    int os_error;

    *w = (struct world){.answer = TH_LIT("fine")};
    options.address = "127.0.0.1";
    options.mounts = &(struct th_mount){"", handle, NULL, w, false};
    options.mount_count = 1;
    options.metrics = &w->metrics;
    assert_int_equal(uv_loop_init(&w->loop), 0);
    return th_http_server_open(&w->loop, &options, &w->server, &os_error);
}

static void close_world(struct world *w)
{
    if (w->server) {
        th_http_server_drain(w->server, 50, on_drained, w);
        assert_false(w->drained); /* never from inside the call */
        uv_run(&w->loop, UV_RUN_DEFAULT);
        assert_true(w->drained);
        assert_int_equal(w->metrics.gauge[TH_G_HTTP_OPEN], 0);
        th_http_server_free(w->server);
    }
    assert_int_equal(uv_loop_close(&w->loop), 0);
}

static int connect_to(struct world *w)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(th_http_server_port(w->server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0); /* the backlog takes it */
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Turns the loop and reads until the connection ends, `enough` bytes are here, or 3 s have passed. */
static size_t listen_for(struct world *w, int fd, char *to, size_t cap, size_t enough, bool *ended)
{
    uint64_t began = uv_hrtime();
    size_t n = 0;

    *ended = false;
    while (n < enough && !*ended && uv_hrtime() - began < 3000000000u) {
        ssize_t got;

        uv_run(&w->loop, UV_RUN_NOWAIT);
        got = recv(fd, to + n, cap - n - 1, 0);
        if (got > 0)
            n += (size_t)got;
        else
            *ended = got == 0 || errno != EAGAIN;
    }
    to[n] = '\0';
    return n;
}

static void test_open_errors(void **state)
{
    struct world w;
    struct th_mount all = {"", handle, NULL, &w, false};
    struct th_http_server_options options = {.address = "127.0.0.1", .mounts = &all, .mount_count = 1};
    struct th_http_server *other = NULL;
    int os_error = 0;

    (void)state;
    assert_int_equal(open_world(&w, NULL), TH_OK);
    assert_true(th_http_server_port(w.server) > 0);
    options.port = th_http_server_port(w.server);
    assert_int_equal(th_http_server_open(&w.loop, &options, &other, &os_error), TH_IO);
    assert_int_equal(os_error, EADDRINUSE);
    options.address = "localhost";
    assert_int_equal(th_http_server_open(&w.loop, &options, &other, &os_error), TH_IO);
    assert_int_equal(os_error, EINVAL);
    options.address = "192.0.2.1";
    assert_int_equal(th_http_server_open(&w.loop, &options, &other, &os_error), TH_IO);
    assert_int_equal(os_error, EADDRNOTAVAIL);
    assert_null(other);
    close_world(&w);
}

static void test_ipv6(void **state)
{
    struct world w = {0};
    struct th_mount all = {"", handle, NULL, &w, false};
    struct th_http_server_options options = {.address = "::1", .mounts = &all, .mount_count = 1};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int os_error, fd;
    char text[1024];
    bool ended;

    (void)state;
    assert_int_equal(uv_loop_init(&w.loop), 0);
    if (th_http_server_open(&w.loop, &options, &w.server, &os_error) != TH_OK) {
        assert_int_equal(uv_loop_close(&w.loop), 0);
        skip(); /* a machine without IPv6 */
    }
    w.hold = true;
    in6.sin6_port = htons(th_http_server_port(w.server));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in6, sizeof in6), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    say(fd, "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    while (!w.held)
        uv_run(&w.loop, UV_RUN_ONCE);
    assert_int_equal(w.held->peer.family, 6);
    assert_int_equal(w.held->peer.ip[15], 1);
    th_http_reply(w.held, 204, th_span("", 0), th_span("", 0));
    assert_true(listen_for(&w, fd, text, sizeof text, 12, &ended) >= 12);
    assert_memory_equal(text, "HTTP/1.1 204", 12);
    close(fd);
    close_world(&w);
}

/* One connection: a chunked request whose body needs its own memory, one of known length beyond a block, a
 * long head; with `reply` large, a rest is queued. Every outcome is a full set of answers, a 503, or an end
 * of the connection. */
static unsigned one_conversation(struct world *w, const char *request, size_t want, uint64_t fail_at)
{
    int fd = connect_to(w);
    char *text = malloc(want + 4096);
    unsigned ok = 0;
    size_t n;
    bool ended;

    assert_non_null(text);
    say(fd, request);
    th_alloc_fail_after(fail_at);
    n = listen_for(w, fd, text, want + 4096, want, &ended);
    th_alloc_fail_after(0);
    for (const char *p = text; (p = strstr(p, "HTTP/1.1 ")); p++)
        if (strncmp(p, "HTTP/1.1 200", 12) == 0)
            ok++;
        else
            assert_int_equal(strncmp(p, "HTTP/1.1 503", 12), 0);
    assert_true(ended || n >= want);
    free(text);
    close(fd);
    return ok;
}

static void add_request(char *to, const char *kind)
{
    char *p = to + strlen(to);

    if (kind[0] == 'c') {
        p += sprintf(p, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n");
        memset(p, 'x', 20000);
        (void)sprintf(p + 20000, "\r\n0\r\n\r\n");
    } else if (kind[0] == 'l') {
        p += sprintf(p, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
        memset(p, 'x', 40000);
        p[40000] = '\0';
    } else {
        p += sprintf(p, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
        memset(p, 'x', 12000);
        (void)sprintf(p + 12000, "\r\n\r\n");
    }
}

/* Fails the first, second, ... allocation, until a conversation has gone well as often as there are
 * allocations. */
static void test_allocation_failures(void **state)
{
    char *request = calloc(1, 200000);

    (void)state;
    assert_non_null(request);
    add_request(request, "chunked");
    add_request(request, "length");
    add_request(request, "head");
    for (int large = 0; large < 3; large++) { /* 2: in parts */
        size_t answer = large ? BIG : 100, want = 3 * (answer + 100);
        uint64_t at = 1, well = 0;

        for (; at < (large == 2 ? 400 : 60) && well < 8; at++) {
            struct world w;

            /* A fresh server each time: its pools are empty, so that every request allocates. */
            assert_int_equal(open_world(&w, NULL), TH_OK);
            memset(big, 'y', answer);
            w.answer = th_span(big, answer);
            w.parts = large == 2;
            well = one_conversation(&w, request, want, at) == 3 ? well + 1 : 0;
            close_world(&w);
        }
        assert_true(at > 12);      /* some failed */
        assert_int_equal(well, 8); /* and none is left undone, or the world would not close */
    }
    free(request);
}

static void test_open_without_memory(void **state)
{
    struct world w;

    (void)state;
    th_alloc_fail_after(1);
    assert_int_equal(open_world(&w, NULL), TH_NOMEM);
    th_alloc_fail_after(0);
    close_world(&w);
}

/* A reply from outside the handler never calls it from inside. */
static void test_late_reply_defers_the_next_request(void **state)
{
    struct world w;
    char text[4096];
    bool ended;
    int fd;

    (void)state;
    assert_int_equal(open_world(&w, NULL), TH_OK);
    w.hold = true;
    fd = connect_to(&w);
    say(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    while (!w.held)
        uv_run(&w.loop, UV_RUN_ONCE);
    for (unsigned i = 1; i <= 2; i++) {
        struct th_http_exchange *x = w.held;

        assert_int_equal(w.handled, i);
        w.held = NULL;
        th_http_reply(x, 202, th_span("", 0), TH_LIT("ok"));
        assert_int_equal(w.handled, i);
        while (i == 1 && !w.held)
            uv_run(&w.loop, UV_RUN_ONCE);
    }
    assert_int_equal(w.last_body, 3);
    (void)listen_for(&w, fd, text, sizeof text, 240, &ended);
    assert_non_null(strstr(text, "HTTP/1.1 202 Accepted\r\n"));
    assert_non_null(strstr(strstr(text, "ok"), "HTTP/1.1 202 Accepted\r\n"));
    close(fd);
    close_world(&w);
}

/* Drained after its grace with an exchange that nobody has answered: free takes everything. */
static void test_free_with_an_unanswered_request(void **state)
{
    struct world w;
    int fd;

    (void)state;
    assert_int_equal(open_world(&w, NULL), TH_OK);
    w.hold = true;
    fd = connect_to(&w);
    say(fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    while (!w.held)
        uv_run(&w.loop, UV_RUN_ONCE);
    close_world(&w);
    close(fd);
}

static void test_late_reply_after_the_cut(void **state)
{
    struct world w;
    int fd;

    (void)state;
    assert_int_equal(open_world(&w, NULL), TH_OK);
    w.hold = true;
    fd = connect_to(&w);
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!w.held)
        uv_run(&w.loop, UV_RUN_ONCE);
    th_http_server_drain(w.server, 0, on_drained, &w);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_true(w.drained && w.held->gone);
    assert_true(th_span_is(w.held->path, "/"));
    th_http_reply(w.held, 200, th_span("", 0), TH_LIT("late"));
    th_http_server_free(w.server);
    w.server = NULL;
    close(fd);
    close_world(&w);
}

static void test_bad_status_of_a_handler(void **state)
{
    struct world w;
    char text[4096];
    bool ended;
    int fd;

    (void)state;
    assert_int_equal(open_world(&w, NULL), TH_OK);
    w.hold = true;
    fd = connect_to(&w);
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!w.held)
        uv_run(&w.loop, UV_RUN_ONCE);
    th_http_reply(w.held, 100, th_span("", 0), TH_LIT("x"));
    (void)listen_for(&w, fd, text, sizeof text, 60, &ended);
    assert_non_null(strstr(text, "HTTP/1.1 500 Internal Server Error\r\n"));
    assert_non_null(strstr(text, "Content-Length: 0\r\n"));
    assert_int_equal(w.metrics.counter[TH_C_HTTP_5XX], 1);
    assert_int_equal(w.metrics.counter[TH_C_HTTP_2XX], 0);
    assert_int_equal(w.metrics.counter[TH_C_HTTP_CONNECTIONS], 1);
    close(fd);
    close_world(&w);
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(th_http_reason(202), "Accepted");
    assert_string_equal(th_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(th_http_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_open_without_memory),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_late_reply_defers_the_next_request),
        cmocka_unit_test(test_free_with_an_unanswered_request),
        cmocka_unit_test(test_late_reply_after_the_cut),
        cmocka_unit_test(test_bad_status_of_a_handler),
        cmocka_unit_test(test_reasons),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
