/* A load generator: posts events of 1 KiB over kept connections and times the way of each by the board
 * (board.h).
 *
 * Two modes. Closed loop (--rate 0): every connection posts again as soon as it is answered; shows the most
 * that the other side takes. Open loop (--rate R): event i is due at start + i/R whatever the answers do, and
 * its time runs from then, also when no connection was free (no coordinated omission). One thread, one epoll,
 * no pipelining.
 *
 * When all are answered it waits until each accepted event has arrived at the sink, or nothing arrives for 10
 * s, and prints one JSON object. It checks no content; an answer other than 2xx counts as an error and its
 * event as lost.
 *
 * usage: bench_load --board FILE --port PORT [--path /v1/events] [--key KEY] [--tenant ID] [--type TYPE]
 *                   [--extra MEMBERS] [--rate R] [--connections N] [--seconds S] [--size BYTES] [--first N]
 *                   [--records] [--batch N] [--direct]
 * --batch: each request is an array of N events; each event is timed by itself
 * --records: the data are many small members; else one string fills them
 * --extra: further members of the event, as JSON, each with a comma behind it
 * --first: slot of the board that the first event takes, so that several runs can share a board and a sink */
#include "board.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    MAX_CONNECTIONS = 4096,
    MAX_BATCH = 100,
    ANSWER = 65536,
    MAX_SIZE = 16384,
    MAX_REQUEST = 192 * 1024, /* must fit into an empty socket buffer */
    PATIENCE_S = 10,
    MILLISECOND = 1000000
};

struct conn {
    int fd;
    bool busy;
    uint64_t seq; /* of the request's first event */
    size_t used;
    char answer[ANSWER];
};

struct load {
    const char *path, *key, *board_path, *tenant, *type, *extra;
    uint64_t port, rate, connections, seconds, size, first, batch;
    bool records;
    bool direct; /* straight to the sink: only the posts are timed, nothing else arrives */
    struct board *board;
    struct conn *conns;
    unsigned *idle, idle_count;
    int epoll;
    uint64_t begun, next, accepted, errors, in_flight, last_answer, arrived_before, repeated_before;
    char request[MAX_REQUEST];
    /* Where the ten digits of the first event stand, and how far behind them those of the next. */
    size_t request_n, seq_at, seq_step;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void connect_one(struct load *l, unsigned i)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)l->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, room = MAX_REQUEST, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && l->batch > 1)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        fail("fcntl");
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        fail("epoll_ctl");
    l->conns[i].fd = fd;
    l->idle[l->idle_count++] = i;
}

static void put(struct load *l, const char *a, const char *b, const char *c)
{
    size_t room = sizeof l->request - l->request_n;
    int n = snprintf(l->request + l->request_n, room, "%s%s%s", a, b, c);
    if (n < 0 || (size_t)n >= room) {
        fprintf(stderr, "the request is too large\n");
        exit(2);
    }
    l->request_n += (size_t)n;
}

/* JSON of at most `size` bytes: one string, or a list of small objects. */
static void make_fill(char *out, size_t size, bool records)
{
    static const char record[] = "{\"id\":\"item_0123456789\",\"amount\":1250,\"paid\":true,\"note\":null}";
    size_t n = 0;
    out[n++] = records ? '[' : '"';
    if (!records)
        for (; n + 1 < size; n++)
            out[n] = 'x';
    for (; records && n + sizeof record + 1 <= size; n += sizeof record - 1) {
        if (n > 1)
            out[n++] = ',';
        memcpy(out + n, record, sizeof record - 1);
    }
    out[n++] = records ? ']' : '"';
    out[n] = '\0';
}

/* The request is the same each time but for ten digits an event, so that posting costs a copy of ten bytes and a
 * write. */
static void make_request(struct load *l)
{
    static char fill[MAX_SIZE + 3], event[MAX_SIZE + 1024], length[32];
    size_t data_head = sizeof "{\"seq\":0123456789,\"fill\":}" - 1, event_n, brackets = l->batch > 1 ? 2 : 0;
    make_fill(fill, l->size > data_head ? l->size - data_head : 2, l->records);
    int n = snprintf(event, sizeof event, "{\"type\":\"%s\",%s\"data\":{\"seq\":", l->type, l->extra);
    size_t seq_at = n < 0 ? 0 : (size_t)n;
    n = n < 0 ? n : snprintf(event + n, sizeof event - (size_t)n, "0123456789,\"fill\":%s}}", fill);
    if (n < 0 || seq_at + (size_t)n >= sizeof event) {
        fprintf(stderr, "the event is too large\n");
        exit(2);
    }
    event_n = seq_at + (size_t)n;
    l->seq_step = event_n + 1; /* and a comma */
    snprintf(length, sizeof length, "%zu", l->batch * l->seq_step - 1 + brackets);
    put(l, "POST ", l->path, " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n");
    if (l->key)
        put(l, "Authorization: Bearer ", l->key, "\r\n");
    if (l->tenant)
        put(l, "Tenterhook-Tenant: ", l->tenant, "\r\n");
    put(l, "Content-Length: ", length, "\r\n\r\n");
    l->seq_at = l->request_n + brackets / 2 + seq_at;
    for (uint64_t i = 0; i < l->batch; i++)
        put(l, i > 0 ? "," : brackets ? "[" : "", event, "");
    put(l, brackets ? "]" : "", "", "");
}

static void write_seq(char *at, uint64_t seq)
{
    uint64_t shown = seq + BOARD_FIRST;
    for (int i = 9; i >= 0; i--, shown /= 10)
        at[i] = (char)('0' + shown % 10);
}

static void post(struct load *l, uint64_t due)
{
    struct conn *c = &l->conns[l->idle[--l->idle_count]];
    c->seq = l->next;
    l->next += l->batch;
    c->busy = true;
    c->used = 0;
    l->in_flight++;
    for (uint64_t i = 0; i < l->batch; i++) {
        write_seq(l->request + l->seq_at + i * l->seq_step, c->seq + i);
        atomic_store_explicit(&l->board->slots[c->seq + i].due_ns, due, memory_order_relaxed);
    }
    /* A request fits into an empty socket buffer: a short write means that something is wrong with the
     * connection. */
    if (write(c->fd, l->request, l->request_n) != (ssize_t)l->request_n)
        fail("write");
}

/* Length of the whole answer in the buffer, 0 while it is incomplete. */
static size_t answer_length(const struct conn *c)
{
    const char *end = memmem(c->answer, c->used, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head_n = (size_t)(end - c->answer) + 4, body_n = 0;
    static const char name[] = "\r\ncontent-length:";
    for (const char *p = c->answer; p < end; p++) {
        if (*p == '\r' && strncasecmp(p, name, sizeof name - 1) == 0)
            body_n = (size_t)strtoul(p + sizeof name - 1, NULL, 10);
    }
    return head_n + body_n <= c->used ? head_n + body_n : 0;
}

static void answered(struct load *l, unsigned i)
{
    struct conn *c = &l->conns[i];
    ssize_t n = read(c->fd, c->answer + c->used, ANSWER - 1 - c->used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fprintf(stderr, "connection %u was closed\n", i);
        exit(1);
    }
    c->used += (size_t)n;
    c->answer[c->used] = '\0';
    if (answer_length(c) == 0)
        return;
    uint64_t now = now_ns();
    if (c->used > 9 && c->answer[9] == '2') {
        for (uint64_t k = 0; k < l->batch; k++)
            atomic_store_explicit(&l->board->slots[c->seq + k].accepted_ns, now, memory_order_relaxed);
        l->accepted += l->batch;
    } else if (l->errors++ == 0) {
        fprintf(stderr, "first error: %.300s\n", c->answer);
    }
    l->last_answer = now;
    c->busy = false;
    l->in_flight--;
    l->idle[l->idle_count++] = i;
}

/* Posts all that is due; gives the nanoseconds to wait for the next one at most. */
static uint64_t post_due(struct load *l, uint64_t now, uint64_t end)
{
    uint64_t limit = l->board->capacity;
    if (l->rate == 0) {
        while (l->idle_count > 0 && now < end && l->next + l->batch <= limit)
            post(l, now);
        return 100 * MILLISECOND;
    }
    uint64_t total = l->first + l->rate * l->seconds < limit ? l->first + l->rate * l->seconds : limit;
    while (l->idle_count > 0 && l->next + l->batch <= total) {
        uint64_t due = l->begun + (l->next - l->first) * 1000000000u / l->rate;
        if (due > now)
            return due - now;
        post(l, due);
    }
    return l->next + l->batch <= total ? 100 * MILLISECOND : 10 * MILLISECOND;
}

static bool finished(const struct load *l, uint64_t now, uint64_t end)
{
    bool full = l->next + l->batch > l->board->capacity;
    bool all = full || (l->rate == 0 ? now >= end : l->next + l->batch > l->first + l->rate * l->seconds);
    return all && l->in_flight == 0;
}

/* Sleeps to the microsecond where the kernel can (5.11), else to the next whole millisecond: never spins,
 * since the other side needs the same processors. */
static int await_events(int epoll, struct epoll_event *events, int max, uint64_t wait)
{
    struct timespec t = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    int n = epoll_pwait2(epoll, events, max, &t, NULL);
    if (n < 0 && errno == ENOSYS)
        n = epoll_wait(epoll, events, max, (int)((wait + MILLISECOND - 1) / MILLISECOND));
    return n;
}

static void run(struct load *l)
{
    l->begun = now_ns();
    uint64_t end = l->begun + l->seconds * 1000000000u;
    for (;;) {
        uint64_t now = now_ns();
        uint64_t wait = post_due(l, now, end);
        if (finished(l, now, end) || now > end + PATIENCE_S * 1000000000ull)
            return;
        struct epoll_event events[256];
        int n = await_events(l->epoll, events, 256, wait);
        for (int i = 0; i < n; i++)
            answered(l, events[i].data.u32);
    }
}

static void await_arrivals(const struct load *l)
{
    uint64_t seen = 0, since = now_ns();
    for (;;) {
        uint64_t arrived = atomic_load_explicit(&l->board->arrived, memory_order_acquire) - l->arrived_before;
        if (arrived >= l->accepted)
            return;
        uint64_t now = now_ns();
        if (arrived != seen) {
            seen = arrived;
            since = now;
        }
        if (now - since > PATIENCE_S * 1000000000ull)
            return;
        usleep(2000);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Prints p50, p99 and the worst of values in milliseconds. */
static void print_quantiles(const char *name, uint64_t *values, size_t n)
{
    if (n == 0) {
        printf(",\"%s_ms\":null", name);
        return;
    }
    qsort(values, n, sizeof *values, by_value);
    printf(",\"%s_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, (double)values[n / 2] / 1e6,
           (double)values[n - 1 - n / 100] / 1e6, (double)values[n - 1] / 1e6);
}

static uint64_t since(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0; /* a delivery may overtake the 202 on its way to us */
}

static void report(const struct load *l)
{
    uint64_t *values[3], count = l->next - l->first;
    uint64_t arrived = atomic_load(&l->board->arrived) - l->arrived_before;
    uint64_t last = atomic_load(&l->board->last_ns);
    size_t counts[3] = {0, 0, 0};
    for (int k = 0; k < 3; k++) {
        if ((values[k] = calloc(count + 1, sizeof **values)) == NULL)
            fail("calloc");
    }
    /* The first tenth warms up: connections are made, windows open, caches fill. */
    for (uint64_t i = l->first + count / 10; i < l->next; i++) {
        const struct board_slot *s = &l->board->slots[i];
        if (s->accepted_ns == 0)
            continue;
        values[0][counts[0]++] = since(s->due_ns, s->accepted_ns);
        if (s->arrived_ns == 0)
            continue;
        values[1][counts[1]++] = since(s->accepted_ns, s->arrived_ns);
        values[2][counts[2]++] = since(s->due_ns, s->arrived_ns);
    }
    uint64_t end = l->direct || last < l->last_answer ? l->last_answer : last;
    double seconds = (double)(end - l->begun) / 1e9;
    printf("{\"posted\":%llu,\"accepted\":%llu,\"errors\":%llu,\"unanswered\":%llu,\"arrived\":%llu,"
           "\"repeated\":%llu,"
           "\"seconds\":%.3f,\"per_second\":%.0f,\"accepted_per_second\":%.0f",
           (unsigned long long)count, (unsigned long long)l->accepted, (unsigned long long)l->errors,
           (unsigned long long)l->in_flight, (unsigned long long)arrived,
           (unsigned long long)(atomic_load(&l->board->repeated) - l->repeated_before), seconds,
           (double)(l->direct ? l->accepted : arrived) / seconds,
           (double)l->accepted / ((double)(l->last_answer - l->begun) / 1e9));
    print_quantiles("posted_accepted", values[0], counts[0]);
    print_quantiles("accepted_arrived", values[1], counts[1]);
    print_quantiles("posted_arrived", values[2], counts[2]);
    printf("}\n");
    for (int k = 0; k < 3; k++)
        free(values[k]);
}

/* Where an option goes: a text, a number, or a flag, by the letter that stands for it. */
static void set_option(struct load *l, int letter)
{
    struct {
        char letter;
        const char **text;
        uint64_t *number;
        bool *flag;
    } const places[] = {
        {'b', &l->board_path, NULL, NULL}, {'u', &l->path, NULL, NULL},    {'k', &l->key, NULL, NULL},
        {'t', &l->tenant, NULL, NULL},     {'y', &l->type, NULL, NULL},    {'x', &l->extra, NULL, NULL},
        {'p', NULL, &l->port, NULL},       {'r', NULL, &l->rate, NULL},    {'c', NULL, &l->connections, NULL},
        {'s', NULL, &l->seconds, NULL},    {'z', NULL, &l->size, NULL},    {'f', NULL, &l->first, NULL},
        {'n', NULL, &l->batch, NULL},      {'e', NULL, NULL, &l->records}, {'d', NULL, NULL, &l->direct},
    };

    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].letter != letter)
            continue;
        if (places[i].text)
            *places[i].text = optarg;
        else if (places[i].number)
            *places[i].number = number_arg(optarg);
        else
            *places[i].flag = true;
        return;
    }
    exit(2);
}

static void read_options(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {
        {"board", required_argument, NULL, 'b'},   {"port", required_argument, NULL, 'p'},
        {"path", required_argument, NULL, 'u'},    {"key", required_argument, NULL, 'k'},
        {"rate", required_argument, NULL, 'r'},    {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"size", required_argument, NULL, 'z'},
        {"tenant", required_argument, NULL, 't'},  {"type", required_argument, NULL, 'y'},
        {"extra", required_argument, NULL, 'x'},   {"first", required_argument, NULL, 'f'},
        {"batch", required_argument, NULL, 'n'},   {"records", no_argument, NULL, 'e'},
        {"direct", no_argument, NULL, 'd'},        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        set_option(l, c);
    if (l->board_path == NULL || l->port == 0 || l->port > 65535 || l->connections == 0 ||
        l->connections > MAX_CONNECTIONS || l->size > MAX_SIZE || l->seconds == 0 || l->batch == 0 ||
        l->batch > MAX_BATCH) {
        fprintf(stderr, "usage: bench_load --board FILE --port PORT [options], see the top of load.c\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct load l = {.path = "/v1/events",
                            .type = "bench.event",
                            .extra = "",
                            .connections = 64,
                            .seconds = 10,
                            .size = 1024,
                            .batch = 1};
    read_options(&l, argc, argv);
    l.board = board_open(l.board_path);
    l.next = l.first;
    l.arrived_before = atomic_load(&l.board->arrived);
    l.repeated_before = atomic_load(&l.board->repeated);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    l.conns = calloc(l.connections, sizeof *l.conns);
    l.idle = calloc(l.connections, sizeof *l.idle);
    if (l.epoll < 0 || l.conns == NULL || l.idle == NULL)
        fail("start");
    for (unsigned i = 0; i < l.connections; i++)
        connect_one(&l, i);
    make_request(&l);
    run(&l);
    await_arrivals(&l);
    report(&l);
    return l.errors > 0 ? 1 : 0;
}
