/* A bare relay: what HTTP alone costs on this machine between a publisher, this process and a receiver.
 *
 * One thread, one epoll, nothing of ours: reads POST requests on kept connections, answers "202, Content-Length: 0", and
 * posts the body to the receiver on connections of its own, which it keeps. It stores nothing, reads no JSON, checks no key
 * and signs nothing, so the engine can at best come near to it: the ratio of the two is what durability, schedules and
 * signatures cost.
 *
 * It refuses nothing. A request larger than the buffer ends the program, as does a receiver that hangs up: this is a
 * measure for the bench, not a server. A request for which all connections to the receiver are busy waits, unanswered,
 * in its own connection's buffer, so memory is bounded. Runs until it is killed.
 *
 * usage: bench_relay PORT      of the receiver on 127.0.0.1; prints its own port on standard output */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BUFFER = 32768, MAX_FD = 65536, EVENTS = 256, MAX_OUT = 16 /* as many as an endpoint may have */ };

enum kind { LISTENER, PUBLISHER, RECEIVER };

struct conn {
    enum kind kind;
    int fd;
    bool waiting; /* a publisher whose whole request is here, for want of a free connection to the receiver */
    struct conn *next;
    size_t used;
    char data[BUFFER];
};

static int epoll;
static struct sockaddr_in receiver;
static struct conn *idle, *waiting, **waiting_tail = &waiting;
static unsigned out_count;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct conn *watch(int fd, enum kind kind)
{
    struct conn *c = malloc(sizeof *c);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    if (c == NULL)
        fail("malloc");
    c->kind = kind;
    c->fd = fd;
    c->used = 0;
    c->waiting = false;
    if (kind != LISTENER)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        fail("epoll_ctl");
    return c;
}

/* A free connection to the receiver, a new one while there are few, or NULL. */
static struct conn *take_out(void)
{
    struct conn *c = idle;
    int fd;

    if (c != NULL) {
        idle = c->next;
        return c;
    }
    if (out_count == MAX_OUT)
        return NULL;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&receiver, sizeof receiver) < 0)
        fail("connect to the receiver");
    out_count++;
    return watch(fd, RECEIVER);
}

/* Whether a whole message is in the buffer; where its head ends, and how long its body is. */
static bool is_whole(const struct conn *c, size_t *head_n, size_t *body_n)
{
    static const char name[] = "\r\ncontent-length:";
    const char *end = memmem(c->data, c->used, "\r\n\r\n", 4);

    if (end == NULL)
        return false;
    *head_n = (size_t)(end - c->data) + 4;
    *body_n = 0;
    for (const char *p = c->data; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++) {
        if ((size_t)(end - p) > sizeof name && strncasecmp(p, name, sizeof name - 1) == 0) {
            *body_n = (size_t)strtoul(p + sizeof name - 1, NULL, 10);
            break;
        }
    }
    return *head_n + *body_n <= c->used;
}

static void drop(struct conn *c, size_t n)
{
    memmove(c->data, c->data + n, c->used - n);
    c->used -= n;
}

/* Posts the body of a publisher's whole request and answers it. False: no connection to the receiver is free. */
static bool relay(struct conn *c, size_t head_n, size_t body_n)
{
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    struct conn *out = take_out();
    char head[160];
    int n = snprintf(head, sizeof head,
                     "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     body_n);
    struct iovec parts[2] = {{head, (size_t)n}, {c->data + head_n, body_n}};

    if (out == NULL)
        return false;
    /* An idle connection has an empty socket buffer: a short write means that something is wrong. */
    if (writev(out->fd, parts, 2) != (ssize_t)((size_t)n + body_n))
        fail("write to the receiver");
    if (write(c->fd, accepted, sizeof accepted - 1) != (ssize_t)(sizeof accepted - 1))
        fail("write to the publisher");
    drop(c, head_n + body_n);
    return true;
}

static void from_publisher(struct conn *c)
{
    size_t head_n, body_n;

    while (!c->waiting && is_whole(c, &head_n, &body_n)) {
        if (relay(c, head_n, body_n))
            continue;
        c->waiting = true;
        c->next = NULL;
        *waiting_tail = c;
        waiting_tail = &c->next;
    }
}

static void from_receiver(struct conn *c)
{
    size_t head_n, body_n;
    struct conn *first = waiting;

    if (!is_whole(c, &head_n, &body_n))
        return;
    drop(c, head_n + body_n);
    c->next = idle;
    idle = c;
    if (first != NULL) {
        waiting = first->next;
        if (waiting == NULL)
            waiting_tail = &waiting;
        first->waiting = false;
        from_publisher(first);
    }
}

static void readable(struct conn *c)
{
    /* One byte stays free: strtoul then always stops inside the buffer. */
    ssize_t n = read(c->fd, c->data + c->used, BUFFER - 1 - c->used);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && c->kind == PUBLISHER && !c->waiting) {
        close(c->fd);
        free(c);
        return;
    }
    if (n <= 0)
        fail("read");
    c->used += (size_t)n;
    c->data[c->used] = '\0';
    if (c->kind == PUBLISHER)
        from_publisher(c);
    else
        from_receiver(c);
}

static void accept_all(int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
        watch(fd, PUBLISHER);
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    struct rlimit files = {MAX_FD, MAX_FD};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    receiver = addr;
    receiver.sin_port = argc == 2 ? htons((uint16_t)strtoul(argv[1], NULL, 10)) : 0;
    if (receiver.sin_port == 0) {
        fprintf(stderr, "usage: bench_relay PORT\n");
        return 2;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
        fail("listen");
    watch(listener, LISTENER);
    printf("%u\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->kind == LISTENER)
                accept_all(c->fd);
            else
                readable(c);
        }
    }
}
