/* A bare HTTP/1.1 sink: the fastest receiver that we can write, so that a bench measures the sender.
 *
 * One thread, one epoll. Each request is read up to its Content-Length and answered "200, Content-Length: 0";
 * the number after "seq": in its body says which slot of the board gets the time of arrival. It refuses
 * nothing and checks nothing; a request larger than the buffer ends its connection. Runs until it is killed.
 *
 * usage: bench_sink BOARD [204]          prints its port on standard output; 204: answers with this status */
#include "board.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BUFFER = 32768, MAX_FD = 65536, EVENTS = 256 };

struct conn {
    size_t used;
    char data[BUFFER];
};

static struct conn *conns[MAX_FD];
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                  no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";
static const char *answer = ok;
static size_t answer_n = sizeof ok - 1;

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        perror("listen");
        exit(1);
    }
    *port = ntohs(addr.sin_port);
    return fd;
}

static void accept_all(int epoll, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= MAX_FD || (conns[fd] = malloc(sizeof *conns[fd])) == NULL ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
            close(fd);
            continue;
        }
        conns[fd]->used = 0;
    }
}

static void drop(int fd)
{
    free(conns[fd]);
    conns[fd] = NULL;
    close(fd);
}

/* The body's length by the head [head, head + n), 0 when it names none. */
static size_t content_length(const char *head, size_t n)
{
    static const char name[] = "\r\ncontent-length:";
    const char *end = head + n;
    for (const char *p = head; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++) {
        if ((size_t)(end - p) > sizeof name && strncasecmp(p, name, sizeof name - 1) == 0)
            return (size_t)strtoul(p + sizeof name - 1, NULL, 10);
    }
    return 0;
}

static void note(struct board *board, const char *body, size_t n, uint64_t at)
{
    static const char mark[] = "\"seq\":";
    const char *p = memmem(body, n, mark, sizeof mark - 1);
    uint64_t seq = p ? strtoull(p + sizeof mark - 1, NULL, 10) - BOARD_FIRST : UINT64_MAX;
    if (seq >= board->capacity) {
        atomic_fetch_add_explicit(&board->unknown, 1, memory_order_relaxed);
        return;
    }
    uint64_t never = 0;
    if (!atomic_compare_exchange_strong(&board->slots[seq].arrived_ns, &never, at)) {
        atomic_fetch_add_explicit(&board->repeated, 1, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&board->last_ns, at, memory_order_relaxed);
    atomic_fetch_add_explicit(&board->arrived, 1, memory_order_release);
}

/* Answers every whole request in the buffer, all with one write. False: the connection is to end. */
static bool serve(int fd, struct conn *c, struct board *board)
{
    char out[sizeof ok * 64];
    size_t from = 0, out_n = 0;
    uint64_t at = now_ns();
    while (out_n + answer_n <= sizeof out) {
        char *head = c->data + from;
        char *end = memmem(head, c->used - from, "\r\n\r\n", 4);
        if (end == NULL)
            break;
        size_t head_n = (size_t)(end - head) + 4;
        size_t body_n = content_length(head, head_n);
        if (head_n + body_n > c->used - from)
            break;
        note(board, head + head_n, body_n, at);
        memcpy(out + out_n, answer, answer_n);
        out_n += answer_n;
        from += head_n + body_n;
    }
    if (from > 0) {
        memmove(c->data, c->data + from, c->used - from);
        c->used -= from;
    }
    return out_n == 0 || write(fd, out, out_n) == (ssize_t)out_n;
}

static void readable(int fd, struct board *board)
{
    struct conn *c = conns[fd];
    /* One byte stays free: strtoul in serve() then always stops inside the buffer. */
    ssize_t n = read(fd, c->data + c->used, BUFFER - 1 - c->used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(fd);
        return;
    }
    c->used += (size_t)n;
    c->data[c->used] = '\0';
    if (!serve(fd, c, board) || c->used == BUFFER - 1)
        drop(fd);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "204") != 0)) {
        fprintf(stderr, "usage: bench_sink BOARD [204]\n");
        return 2;
    }
    if (argc == 3) {
        answer = no_content;
        answer_n = sizeof no_content - 1;
    }
    struct board *board = board_open(argv[1]);
    struct rlimit files = {MAX_FD, MAX_FD};
    setrlimit(RLIMIT_NOFILE, &files);
    uint16_t port;
    int listener = listen_anywhere(&port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) < 0) {
        perror("epoll");
        return 1;
    }
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                readable(events[i].data.fd, board);
        }
    }
}
