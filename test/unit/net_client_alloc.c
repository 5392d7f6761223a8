/* Every allocation of the HTTP client and the resolver fails in turn: each request still ends exactly once,
 * and nothing leaks (the sanitizer looks at the end). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "net/http_client.h"
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Answers every connection's requests; the body comes in a second piece, so that the client must keep the
 * head. */
static void *serve(void *arg)
{
    static const char first[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nO";
    static const char second[] = "K\r\n3\r\nabc\r\n0\r\n\r\n";
    int listener = *(int *)arg, s;
    char request[4096];

    while ((s = accept(listener, NULL, NULL)) >= 0) {
        while (recv(s, request, sizeof request, 0) > 0) {
            send(s, first, sizeof first - 1, MSG_NOSIGNAL);
            usleep(1000); /* another segment, read on its own */
            send(s, second, sizeof second - 1, MSG_NOSIGNAL);
        }
        close(s);
    }
    return NULL;
}

struct run {
    struct th_transport *client;
    struct th_resolver *resolver;
    struct th_http_req req;
    struct th_resolve resolve;
    struct th_addr addr;
    unsigned answers, resolved, good;
};

static struct th_mono in_5_s(void)
{
    return (struct th_mono){(int64_t)(uv_hrtime() / 1000) + 5000000};
}

static void on_answer(struct th_http_req *req)
{
    struct run *run = req->user;

    run->answers++;
    if (req->res.class == TH_HTTP_OK) {
        assert_int_equal(req->res.status, 200);
        assert_int_equal(req->res.body.n, 5);
        assert_memory_equal(req->res.body.p, "OKabc", 5);
        run->good++;
    } else {
        assert_int_equal(req->res.class, TH_HTTP_INTERNAL);
    }
    if (run->answers == 1)
        run->client->vt->submit(run->client, req);
    else
        th_http_client_close(run->client, NULL, NULL);
}

static void on_resolved(struct th_resolve *q)
{
    struct run *run = q->user;

    run->resolved++;
    if (q->error == TH_OK)
        run->good++;
    else
        assert_int_equal(q->error, TH_NOMEM);
    if (run->resolved == 1)
        run->resolver->vt->submit(run->resolver, q);
    else
        th_resolver_close(run->resolver, NULL, NULL);
}

/* One life of both; returns how many of the four requests went well. */
static unsigned live(uint16_t port, uint64_t fail_at)
{
    struct th_http_client_options options = {0};
    struct th_resolver_options resolver_conf = {0};
    struct run run = {0};
    uv_loop_t loop;
    char why[100];

    assert_int_equal(uv_loop_init(&loop), 0);
    th_alloc_fail_after(fail_at);
    if (th_http_client_open(&loop, &options, &run.client, why, sizeof why) == TH_OK) {
        run.addr = (struct th_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = port};
        run.req = (struct th_http_req){.method = TH_LIT("POST"),
                                       .target = TH_LIT("/"),
                                       .origin = {false, TH_LIT("localhost"), TH_LIT("localhost"), port},
                                       .addrs = &run.addr,
                                       .addr_count = 1,
                                       .body = {TH_LIT("{}")},
                                       .body_count = 1,
                                       .deadline = in_5_s(),
                                       .connect_deadline = in_5_s(),
                                       .head_cap = 1000,
                                       .body_cap = 1000,
                                       .done = on_answer,
                                       .user = &run};
        run.client->vt->submit(run.client, &run.req);
        assert_int_equal(run.answers, 0);
    } else {
        run.answers = 2;
    }
    if (th_resolver_open(&loop, &resolver_conf, &run.resolver) == TH_OK) {
        run.resolve = (struct th_resolve){.host = TH_LIT("localhost"),
                                          .tenant = 1,
                                          .deadline = in_5_s(),
                                          .done = on_resolved,
                                          .user = &run};
        run.resolver->vt->submit(run.resolver, &run.resolve);
        assert_int_equal(run.resolved, 0);
    } else {
        run.resolved = 2;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    th_alloc_fail_after(0);
    assert_int_equal(run.answers, 2);
    assert_int_equal(run.resolved, 2);
    assert_int_equal(uv_loop_close(&loop), 0);
    return run.good;
}

static void every_allocation_may_fail(void **state)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    pthread_t thread;
    unsigned failures = 0, good = 0;
    uint64_t i = 0;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(listener, 10), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    while (good < 4) {
        good = live(ntohs(address.sin_port), ++i);
        failures += good < 4;
        assert_true(i < 1000);
    }
    assert_true(failures >= 10); /* the hook was reached */
    assert_int_equal(live(ntohs(address.sin_port), 0), 4);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
