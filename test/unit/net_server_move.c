/* Two HTTP servers on loops of two threads: connections that move between them, and limits that hold for both. The client is
 * the test's own thread, with blocking sockets, so that the servers work as they do in a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "net/http_server_impl.h"
#include "net/tls_server.h"
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SIDES 2
#define KNOWN 7

struct side;

/* What one thread asks of another. */
struct mail {
    struct mail *next;
    void (*run)(struct side *side, void *arg);
    void *arg;
};

struct side {
    struct world *world;
    unsigned number;
    uv_loop_t loop;
    uv_async_t wake;
    pthread_t thread;
    struct th_http_server *server;
    pthread_mutex_t lock;
    struct mail *first, **last;
    unsigned taken; /* connections that came */
    bool drained;
    struct th_http_exchange *kept; /* of "/keep": answered later */
};

struct world {
    struct side side[SIDES];
    struct th_http_shared *shared;
    struct th_metrics metrics;
    uint16_t port;
    bool shut; /* nothing can be handed over */
    SSL_CTX *tls;
};

/* ---- the servers' side ---- */

static void post(struct side *to, void (*run)(struct side *, void *), void *arg)
{
    struct mail *m = malloc(sizeof *m);

    assert_non_null(m);
    *m = (struct mail){NULL, run, arg};
    pthread_mutex_lock(&to->lock);
    *to->last = m;
    to->last = &m->next;
    pthread_mutex_unlock(&to->lock);
    (void)uv_async_send(&to->wake);
}

static void on_mail(uv_async_t *wake)
{
    struct side *side = wake->data;
    struct mail *all;

    pthread_mutex_lock(&side->lock);
    all = side->first;
    side->first = NULL;
    side->last = &side->first;
    pthread_mutex_unlock(&side->lock);
    while (all) {
        struct mail *m = all;

        all = m->next;
        m->run(side, m->arg);
        free(m);
    }
}

/* "/b..." belongs to the second server, all else to the first. */
static unsigned place(void *ctx, struct th_http_exchange *x)
{
    struct side *side = ctx;

    assert_int_equal(x->known, KNOWN);
    assert_true(x->here > 0);
    if (x->home == 0)
        x->home = 10 + side->number; /* goes with the connection from here on */
    return x->path.n > 1 && x->path.p[1] == 'b';
}

static void come(struct side *side, void *moved)
{
    side->taken++;
    th_http_server_adopt(side->server, moved);
}

static bool move(void *ctx, unsigned to, struct th_http_moved *moved)
{
    struct side *side = ctx;

    assert_true(to != side->number);
    if (__atomic_load_n(&side->world->shut, __ATOMIC_RELAXED))
        return false;
    post(&side->world->side[to], come, moved);
    return true;
}

static void answer(struct side *side, struct th_http_exchange *x)
{
    char text[200];
    int n = snprintf(text, sizeof text, "%.*s at %u home %u body %zu\n", (int)x->path.n, x->path.p,
                     side->number, x->home, x->body.n);

    th_http_reply(x, 200, TH_LIT(""), th_span(text, (size_t)n));
}

static void handle(void *ctx, struct th_http_exchange *x)
{
    struct side *side = ctx;

    if (!th_span_starts(x->path, TH_LIT("/stranger")))
        th_http_known(x, KNOWN);
    if (th_span_starts(x->path, TH_LIT("/bkeep")))
        side->kept = x;
    else
        answer(side, x);
}

static void *run_side(void *arg)
{
    struct side *side = arg;

    (void)uv_run(&side->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void on_closed(uv_handle_t *h)
{
    (void)h;
}

static void on_drained(void *ctx)
{
    struct side *side = ctx;

    side->drained = true;
    uv_close((uv_handle_t *)&side->wake, on_closed);
}

static void drain(struct side *side, void *arg)
{
    (void)arg;
    th_http_server_drain(side->server, 300, on_drained, side);
    assert_false(side->drained);
}

static void open_sides(struct world *w, const struct th_http_server_options *base)
{
    w->shared = th_http_shared_new(SIDES);
    assert_non_null(w->shared);
    for (unsigned i = 0; i < SIDES; i++) {
        struct side *side = &w->side[i];
        struct th_http_server_options options = base ? *base : (struct th_http_server_options){0};
        struct th_mount mounts[] = {{.prefix = "", .handle = handle, .ctx = side},
                                    {.prefix = "/livez", .handle = handle, .ctx = side, .vital = true}};
        int os_error;

        *side = (struct side){.world = w, .number = i, .last = &side->first};
        options.address = i == 0 ? "127.0.0.1" : NULL;
        options.mounts = mounts;
        options.mount_count = 2;
        options.place_ctx = side;
        options.metrics = &w->metrics;
        options.shared = w->shared;
        options.number = i;
        options.place = place;
        options.move = move;
        assert_int_equal(pthread_mutex_init(&side->lock, NULL), 0);
        assert_int_equal(uv_loop_init(&side->loop), 0);
        assert_int_equal(uv_async_init(&side->loop, &side->wake, on_mail), 0);
        side->wake.data = side;
        assert_int_equal(th_http_server_open(&side->loop, &options, &side->server, &os_error), TH_OK);
    }
    w->port = th_http_server_port(w->side[0].server);
}

static void open_world(struct world *w, const struct th_http_server_options *base)
{
    memset(w, 0, sizeof *w);
    open_sides(w, base);
    for (unsigned i = 0; i < SIDES; i++)
        assert_int_equal(pthread_create(&w->side[i].thread, NULL, run_side, &w->side[i]), 0);
}

/* Everything that was counted must have been given back. */
static void free_sides(struct world *w)
{
    for (unsigned i = 0; i < SIDES; i++) {
        struct side *side = &w->side[i];

        assert_true(side->drained);
        assert_null(side->first);
        assert_int_equal(side->server->bodies.own, 0);
        assert_int_equal(side->server->answers.own, 0);
        th_http_server_free(side->server);
        assert_int_equal(uv_loop_close(&side->loop), 0);
        pthread_mutex_destroy(&side->lock);
        assert_int_equal(w->shared->coming[i], 0);
    }
    assert_int_equal(w->shared->counted, 0);
    assert_int_equal(w->shared->waiting, 0);
    assert_int_equal(w->shared->bodies, 0);
    assert_int_equal(w->shared->answers, 0);
    assert_int_equal(w->metrics.gauge[TH_G_HTTP_OPEN], 0);
    th_http_shared_free(w->shared);
}

static void close_world(struct world *w)
{
    for (unsigned i = 0; i < SIDES; i++)
        post(&w->side[i], drain, NULL);
    for (unsigned i = 0; i < SIDES; i++)
        assert_int_equal(pthread_join(w->side[i].thread, NULL), 0);
    free_sides(w);
    SSL_CTX_free(w->tls);
}

/* ---- the client ---- */

struct client {
    int fd;
    SSL *tls; /* NULL: plain */
};

static int dial(const struct world *w)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(w->port)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static struct client connect_to(struct world *w)
{
    struct client c = {dial(w), NULL};

    if (w->tls) {
        c.tls = SSL_new(w->tls);
        assert_non_null(c.tls);
        assert_int_equal(SSL_set_fd(c.tls, c.fd), 1);
        assert_int_equal(SSL_connect(c.tls), 1);
    }
    return c;
}

static void hang_up(struct client *c)
{
    SSL_free(c->tls);
    close(c->fd);
}

static void say(struct client *c, const char *text, size_t n)
{
    size_t done = 0;

    while (done < n) {
        int some = c->tls ? SSL_write(c->tls, text + done, (int)(n - done))
                          : (int)send(c->fd, text + done, n - done, MSG_NOSIGNAL);
        assert_true(some > 0);
        done += (size_t)some;
    }
}

static void say_text(struct client *c, const char *text)
{
    say(c, text, strlen(text));
}

/* One byte; -1: the end. */
static int hear(struct client *c)
{
    char byte;
    ssize_t n = c->tls ? SSL_read(c->tls, &byte, 1) : recv(c->fd, &byte, 1, 0);

    return n == 1 ? (unsigned char)byte : -1;
}

/* Reads one answer: its status, and its body in `body`; 0: the connection has ended instead, between two answers. */
static unsigned hear_answer(struct client *c, char *body, size_t cap)
{
    char head[4096];
    size_t n = 0, length = 0;
    const char *found;
    int byte;

    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
        byte = hear(c);
        if (byte < 0) {
            assert_int_equal(n, 0);
            return 0;
        }
        assert_true(n < sizeof head - 1);
        head[n++] = (char)byte;
    }
    head[n] = '\0';
    if (memcmp(head, "HTTP/1.1 100", 12) == 0)
        return hear_answer(c, body, cap);
    found = strstr(head, "Content-Length: ");
    if (found)
        length = strtoul(found + 16, NULL, 10);
    assert_true(length < cap);
    for (size_t i = 0; i < length; i++) {
        byte = hear(c);
        assert_true(byte >= 0);
        body[i] = (char)byte;
    }
    body[length] = '\0';
    return (unsigned)strtoul(head + 9, NULL, 10);
}

static void expect(struct client *c, const char *text)
{
    char body[4096];

    assert_int_equal(hear_answer(c, body, sizeof body), 200);
    assert_string_equal(body, text);
}

static void get(struct client *c, const char *path)
{
    char text[400];

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    say_text(c, text);
}

/* Connects, and becomes known on the first server. */
static struct client known(struct world *w)
{
    struct client c = connect_to(w);

    get(&c, "/hello");
    expect(&c, "/hello at 0 home 0 body 0\n");
    return c;
}

/* ---- TLS ---- */

/* A certificate of its own for the run, in two files. */
static void make_identity(char *cert_file, char *key_file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    int cert_fd = mkstemp(cert_file), key_fd = mkstemp(key_file);
    FILE *cert = fdopen(cert_fd, "w"), *secret = fdopen(key_fd, "w");

    assert_true(key && x && cert && secret);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(cert, x), 1);
    assert_int_equal(PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(cert);
    fclose(secret);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void open_tls_world(struct world *w)
{
    char cert[] = "/tmp/net_server_move.XXXXXX", key[] = "/tmp/net_server_move.XXXXXX", why[400];
    struct th_tls_identity *id;
    struct th_http_server_options options = {0};

    make_identity(cert, key);
    assert_int_equal(th_tls_identity_open(cert, key, &id, why, sizeof why), TH_OK);
    unlink(cert);
    unlink(key);
    options.tls = id;
    open_world(w, &options);
    th_tls_identity_unref(id);
    w->tls = SSL_CTX_new(TLS_client_method());
    assert_non_null(w->tls);
    SSL_CTX_set_verify(w->tls, SSL_VERIFY_NONE, NULL);
}

static void each_open(struct world *w, int tls)
{
    if (tls)
        open_tls_world(w);
    else
        open_world(w, NULL);
}

/* ---- tests ---- */

static void test_there_and_back(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world w;
        struct client c;

        each_open(&w, tls);
        c = connect_to(&w);
        get(&c, "/bfirst");
        expect(&c, "/bfirst at 0 home 0 body 0\n"); /* nobody knows the client yet */
        for (int i = 0; i < 20; i++) {
            get(&c, "/b1");
            expect(&c, "/b1 at 1 home 10 body 0\n");
            get(&c, "/b2");
            expect(&c, "/b2 at 1 home 10 body 0\n");
            get(&c, "/a3");
            expect(&c, "/a3 at 0 home 10 body 0\n");
        }
        hang_up(&c);
        close_world(&w);
        assert_int_equal(w.side[0].taken, 20);
        assert_int_equal(w.side[1].taken, 20);
        assert_int_equal(w.metrics.counter[TH_C_HTTP_CONNECTIONS], 1);
        assert_int_equal(w.metrics.counter[TH_C_HTTP_2XX], 61);
    }
}

/* All in one write, with every kind of body, so that each move takes along what has come behind the head. */
static void test_pipelined(void **state)
{
    enum { ROUNDS = 12, BIG = 40000 };
    char *big = malloc(BIG + 1), *text = malloc((size_t)ROUNDS * (BIG + 1000)), *p = text;

    (void)state;
    assert_true(big && text);
    memset(big, 'x', BIG);
    big[BIG] = '\0';
    for (int i = 0; i < ROUNDS; i++) {
        p += sprintf(p, "GET /b%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
        p += sprintf(p, "POST /a%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i);
        p += sprintf(p, "POST /b%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, BIG, big);
        p += sprintf(p, "POST /b%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i);
        p += sprintf(
            p, "POST /a%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            i);
    }
    for (int tls = 0; tls < 2; tls++) {
        struct world w;
        struct client c;
        char want[100];

        each_open(&w, tls);
        c = known(&w);
        say(&c, text, (size_t)(p - text));
        for (int i = 0; i < ROUNDS; i++) {
            (void)snprintf(want, sizeof want, "/b%d at 1 home 10 body 0\n", i);
            expect(&c, want);
            (void)snprintf(want, sizeof want, "/a%d at 0 home 10 body 3\n", i);
            expect(&c, want);
            (void)snprintf(want, sizeof want, "/b%d at 1 home 10 body %d\n", i, BIG);
            expect(&c, want);
            (void)snprintf(want, sizeof want, "/b%d at 1 home 10 body 3\n", i);
            expect(&c, want);
            (void)snprintf(want, sizeof want, "/a%d at 0 home 10 body 5\n", i);
            expect(&c, want);
        }
        hang_up(&c);
        close_world(&w);
    }
    free(big);
    free(text);
}

/* The body is asked for by the server that will read it, and a client that has ended its side is answered. */
static void test_body_that_waits(void **state)
{
    struct world w;
    struct client c;

    (void)state;
    open_world(&w, NULL);
    c = known(&w);
    say_text(&c, "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(hear(&c), 'H'); /* of 100 */
    for (int end = 0; end < 4;)
        end = hear(&c) == "\r\n\r\n"[end] ? end + 1 : 0;
    say_text(&c, "hello");
    expect(&c, "/b at 1 home 10 body 5\n");
    get(&c, "/a");
    get(&c, "/b");
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    expect(&c, "/a at 0 home 10 body 0\n");
    expect(&c, "/b at 1 home 10 body 0\n");
    assert_int_equal(hear(&c), -1);
    hang_up(&c);
    close_world(&w);
}

/* Clients that go at any moment of a move, in order or with a reset. */
static void test_closed_on_the_way(void **state)
{
    struct world w;

    (void)state;
    open_world(&w, NULL);
    for (int i = 0; i < 300; i++) {
        struct client c = known(&w);
        struct linger reset = {.l_onoff = 1};
        char text[300];

        get(&c, "/b1");
        if (i % 3 == 0)
            get(&c, "/a2");
        if (i % 2)
            assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        if (i % 5 == 0)
            (void)hear_answer(&c, text, sizeof text);
        hang_up(&c);
    }
    close_world(&w);
}

static void test_nothing_is_handed_over(void **state)
{
    struct world w;
    struct client c;

    (void)state;
    open_world(&w, NULL);
    c = known(&w);
    __atomic_store_n(&w.shut, true, __ATOMIC_RELAXED);
    get(&c, "/b1");
    expect(&c, "/b1 at 0 home 10 body 0\n");
    __atomic_store_n(&w.shut, false, __ATOMIC_RELAXED);
    get(&c, "/b2");
    expect(&c, "/b2 at 1 home 10 body 0\n");
    hang_up(&c);
    close_world(&w);
    assert_int_equal(w.side[1].taken, 1);
}

struct hammer {
    struct world *world;
    pthread_t thread;
    unsigned answers;
};

/* Requests to both servers in turn, until the connection ends. */
static void *hammer(void *arg)
{
    struct hammer *h = arg;
    struct client c = {dial(h->world), NULL};

    for (unsigned i = 0;; i++) {
        static const char *const texts[] = {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
                                            "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"};
        char body[300];

        if (send(c.fd, texts[i & 1], strlen(texts[i & 1]), MSG_NOSIGNAL) <= 0 ||
            hear_answer(&c, body, sizeof body) != 200)
            break;
        h->answers++;
    }
    hang_up(&c);
    return NULL;
}

/* Both end while connections are on their way: each is waited for, and its request answered or its connection ended between
 * two answers, which hear_answer checks. */
static void test_drained_on_the_way(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct hammer hammers[8];
        struct world w;

        open_world(&w, NULL);
        for (unsigned i = 0; i < 8; i++) {
            hammers[i] = (struct hammer){.world = &w};
            assert_int_equal(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
        }
        usleep(30000);
        close_world(&w);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(pthread_join(hammers[i].thread, NULL), 0);
        assert_true(w.side[0].taken > 0 && w.side[1].taken > 0);
    }
}

/* Both on this thread, so that allocations can be made to fail: the request is answered by whichever has it then, or refused
 * with 503. */
static void test_allocation_failures(void **state)
{
    unsigned stayed = 0, moved = 0;

    (void)state;
    for (uint64_t at = 1; at < 12; at++) {
        struct world w = {0};
        struct client c;
        char text[2000];
        size_t n = 0;

        open_sides(&w, NULL);
        c.fd = dial(&w);
        c.tls = NULL;
        for (int request = 0; request < 2; request++) {
            get(&c, request ? "/b" : "/a");
            th_alloc_fail_after(request ? at : 0);
            for (int i = 0; i < 200; i++) {
                ssize_t got = recv(c.fd, text + n, sizeof text - n - 1, MSG_DONTWAIT);

                if (got > 0)
                    n += (size_t)got;
                uv_run(&w.side[i % SIDES].loop, UV_RUN_NOWAIT);
            }
            th_alloc_fail_after(0);
        }
        text[n] = '\0';
        stayed += strstr(text, "/b at 0") != NULL;
        moved += strstr(text, "/b at 1") != NULL;
        assert_true(strstr(text, "/b at ") || strstr(text, "HTTP/1.1 503"));
        hang_up(&c);
        for (unsigned i = 0; i < SIDES; i++)
            drain(&w.side[i], NULL);
        while (!w.side[0].drained || !w.side[1].drained)
            for (unsigned i = 0; i < SIDES; i++)
                uv_run(&w.side[i].loop, UV_RUN_NOWAIT);
        for (unsigned i = 0; i < SIDES; i++)
            uv_run(&w.side[i].loop, UV_RUN_DEFAULT);
        free_sides(&w);
    }
    assert_true(stayed > 0 && moved > 0);
}

/* ---- limits ---- */

/* Waits until the other side has ended the connection; false: it answers still. */
static bool has_ended(struct client *c)
{
    struct timeval patience = {.tv_usec = 300000};

    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    errno = 0;
    return hear(c) < 0 && errno != EAGAIN;
}

/* Both places are had by clients that the second server has. One that waits between two requests gives way to whoever comes to
 * the first; nobody else does. */
static void test_place_of_another_servers_client(void **state)
{
    struct th_http_server_options options = {.max_connections = 2};
    struct world w;
    struct client a, b, c;
    uint64_t began;

    (void)state;
    open_world(&w, &options);
    a = known(&w);
    get(&a, "/b");
    expect(&a, "/b at 1 home 10 body 0\n");
    b = known(&w);
    get(&b, "/b");
    expect(&b, "/b at 1 home 10 body 0\n");
    assert_int_equal(w.shared->counted, 2);
    began = uv_hrtime();
    c = known(&w);
    assert_true(uv_hrtime() - began < 900000000); /* it need not be tried again for that */
    assert_int_equal(w.shared->counted, 2);
    assert_true(has_ended(&a)); /* has been idle for the longest */
    assert_false(has_ended(&b));
    hang_up(&a);
    hang_up(&b);
    hang_up(&c);
    close_world(&w);
    assert_int_equal(w.metrics.counter[TH_C_HTTP_CUT], 1);
}

static void answer_kept(struct side *side, void *arg)
{
    (void)arg;
    answer(side, side->kept);
}

/* All are at work, on the other server: nobody gives way, and that is told as soon as that server has looked. */
static void test_no_place_anywhere(void **state)
{
    struct th_http_server_options options = {.max_connections = 1, .hold_ms = 10000};
    struct world w;
    struct client a, b;
    char text[1000];
    uint64_t began;

    (void)state;
    open_world(&w, &options);
    a = known(&w);
    get(&a, "/bkeep");
    usleep(100000);
    b = connect_to(&w);
    get(&b, "/livez");
    assert_int_equal(hear_answer(&b, text, sizeof text), 200);
    hang_up(&b);
    b = connect_to(&w);
    began = uv_hrtime();
    get(&b, "/hello");
    assert_int_equal(hear_answer(&b, text, sizeof text), 503);
    assert_true(uv_hrtime() - began < 5000000000);
    assert_non_null(strstr(text, "too many connections"));
    hang_up(&b);
    post(&w.side[1], answer_kept, NULL);
    expect(&a, "/bkeep at 1 home 10 body 0\n");
    hang_up(&a);
    b = known(&w);
    hang_up(&b);
    close_world(&w);
}

/* A client that is not known stays where the limits by address are counted. */
static void test_strangers_stay(void **state)
{
    struct th_http_server_options options = {.max_keyless = 2};
    struct world w;
    struct client all[3], friend;

    (void)state;
    open_world(&w, &options);
    friend = known(&w);
    get(&friend, "/b");
    expect(&friend, "/b at 1 home 10 body 0\n");
    for (int i = 0; i < 3; i++) {
        all[i] = connect_to(&w);
        get(&all[i], "/stranger");
        expect(&all[i], "/stranger at 0 home 0 body 0\n");
    }
    assert_true(has_ended(&all[0]));
    assert_false(has_ended(&all[1]));
    assert_false(has_ended(&all[2]));
    assert_false(has_ended(&friend));
    for (int i = 0; i < 3; i++)
        hang_up(&all[i]);
    hang_up(&friend);
    close_world(&w);
    assert_int_equal(w.side[0].taken, 0);
}

struct spender {
    struct th_budget budget;
    pthread_t thread;
    size_t most; /* that it had at once */
    unsigned refused;
};

static _Atomic size_t all_bytes;

static void *spend(void *arg)
{
    struct spender *s = arg;
    size_t had[8] = {0};

    for (unsigned i = 0; i < 200000; i++) {
        size_t n = i * 2654435761u % 300;

        if (had[i % 8]) {
            all_bytes -= had[i % 8];
            th_server_budget_give(&s->budget, had[i % 8]);
            had[i % 8] = 0;
        } else if (th_server_budget_take(&s->budget, n)) {
            size_t now = atomic_fetch_add(&all_bytes, n) + n;

            had[i % 8] = n;
            s->most = now > s->most ? now : s->most;
        } else {
            assert_true(s->budget.own + n > s->budget.share); /* what is its own is never refused */
            s->refused++;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        all_bytes -= had[i];
        th_server_budget_give(&s->budget, had[i]);
    }
    return NULL;
}

static void test_bytes_together(void **state)
{
    enum { LIMIT = 2000, SERVERS = 4 };
    _Atomic size_t beyond = 0;
    struct spender s[SERVERS];
    unsigned refused = 0;

    (void)state;
    all_bytes = 0;
    for (unsigned i = 0; i < SERVERS; i++) {
        s[i] =
            (struct spender){.budget = {.share = LIMIT / 2 / SERVERS, .rest = LIMIT / 2, .beyond = &beyond}};
        assert_int_equal(pthread_create(&s[i].thread, NULL, spend, &s[i]), 0);
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        assert_int_equal(pthread_join(s[i].thread, NULL), 0);
        assert_true(s[i].most <= LIMIT);
        assert_int_equal(s[i].budget.own, 0);
        refused += s[i].refused;
    }
    assert_true(refused > 0);
    assert_int_equal(beyond, 0);
}

/* The limit itself, with nobody else at the same moment: what is beyond the shares is one sum. */
static void test_bytes_beyond_the_shares(void **state)
{
    _Atomic size_t beyond = 0;
    struct th_budget a = {.share = 250, .rest = 1000, .beyond = &beyond}, b = a;

    (void)state;
    assert_true(th_server_budget_take(&a, 250 + 600));
    assert_int_equal(beyond, 600);
    assert_false(th_server_budget_take(&b, 250 + 401));
    assert_true(th_server_budget_take(&b, 250 + 400));
    assert_int_equal(beyond, 1000);
    assert_false(th_server_budget_take(&a, 1));
    assert_false(th_server_budget_take(&b, 1));
    th_server_budget_give(&a, 1);
    assert_true(th_server_budget_take(&b, 1));
    th_server_budget_give(&b, 250 + 401);
    th_server_budget_give(&a, 250 + 599);
    assert_int_equal(beyond, 0);
    assert_int_equal(a.own + b.own, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),         cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_body_that_waits),        cmocka_unit_test(test_closed_on_the_way),
        cmocka_unit_test(test_nothing_is_handed_over), cmocka_unit_test(test_drained_on_the_way),
        cmocka_unit_test(test_allocation_failures),    cmocka_unit_test(test_place_of_another_servers_client),
        cmocka_unit_test(test_no_place_anywhere),      cmocka_unit_test(test_strangers_stay),
        cmocka_unit_test(test_bytes_together),         cmocka_unit_test(test_bytes_beyond_the_shares),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
