/* GET /metrics (Prometheus' text form), /livez and /readyz, by libmicrohttpd, on a thread of its own that only reads what the streams count.
 *
 * Alive is a bridge whose threads go on: one that has hung for five minutes is better started again. Ready is one whose streams are all connected and whose
 * server takes events; what is missing stands in the answer. There is no key: the page has numbers and names of files, and belongs on a
 * loopback or an inner address. */
#include "status.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HUNG_S 300
#define CONNECTIONS 16
#define TIMEOUT_S 10

struct br_status {
    struct MHD_Daemon *daemon;
    const struct br_seen *seen;
    unsigned count;
};

static int64_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec;
}

static void write_label(struct th_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            th_buf_char(out, '\\');
        th_buf_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void write_metrics(const struct br_status *s, struct th_buf *out)
{
    static const struct {
        const char *name, *kind, *help;
    } metrics[BR_METRIC_COUNT] = {
#define X(id, name, kind, help) {name, kind, help},
        BR_METRICS(X)
#undef X
    };

    for (unsigned m = 0; m < BR_METRIC_COUNT; m++) {
        th_buf_printf(out, "# HELP tenterhook_bridge_%s %s\n# TYPE tenterhook_bridge_%s %s\n",
                      metrics[m].name, metrics[m].help, metrics[m].name, metrics[m].kind);
        for (unsigned i = 0; i < s->count; i++) {
            th_buf_printf(out, "tenterhook_bridge_%s{file=\"", metrics[m].name);
            write_label(out, s->seen[i].file);
            th_buf_printf(out, "\"} %llu\n",
                          (unsigned long long)br_get(s->seen[i].counts, (enum br_metric)m));
        }
    }
}

static bool is_alive(const struct br_status *s, struct th_buf *out)
{
    bool ok = true;

    for (unsigned i = 0; i < s->count; i++)
        if (now_s() - atomic_load(&s->seen[i].counts->beat_s) > HUNG_S) {
            th_buf_printf(out, "%s: its thread does not go on\n", s->seen[i].file);
            ok = false;
        }
    return ok;
}

static bool is_ready(const struct br_status *s, struct th_buf *out)
{
    bool ok = true;

    for (unsigned i = 0; i < s->count; i++) {
        const struct br_counts *c = s->seen[i].counts;

        if (!br_get(c, BR_N_CONNECTED))
            th_buf_printf(out, "%s: the broker is not connected\n", s->seen[i].file);
        if (!br_get(c, BR_N_SERVER_OK))
            th_buf_printf(out, "%s: the server does not take events\n", s->seen[i].file);
        ok = ok && br_get(c, BR_N_CONNECTED) && br_get(c, BR_N_SERVER_OK);
    }
    return ok;
}

static unsigned page(const struct br_status *s, const char *path, struct th_buf *out)
{
    if (strcmp(path, "/metrics") == 0) {
        write_metrics(s, out);
        return 200;
    }
    if (strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0) {
        bool ok = path[1] == 'l' ? is_alive(s, out) : is_ready(s, out);

        if (ok)
            th_buf_str(out, "ok\n");
        return ok ? 200 : 503;
    }
    th_buf_str(out, "there are /metrics, /livez and /readyz\n");
    return 404;
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data, size_t *data_n,
                              void **state)
{
    struct MHD_Response *response;
    enum MHD_Result done;
    struct th_buf out;
    unsigned status;

    (void)version, (void)data, (void)data_n, (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return MHD_NO;
    th_buf_init(&out, 4u << 20);
    status = page(ctx, path, &out);
    response = out.failed ? NULL
                          : MHD_create_response_from_buffer(out.n, (void *)(uintptr_t)th_buf_view(&out).p,
                                                            MHD_RESPMEM_MUST_COPY);
    th_buf_fini(&out);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return done;
}

/* "127.0.0.1:8430", "[::1]:8430" */
static struct addrinfo *read_address(const char *where)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[64], *port;

    snprintf(host, sizeof host, "%s", *where == '[' ? where + 1 : where);
    port = strrchr(host, ':');
    if (!port || strlen(where) >= sizeof host)
        return NULL;
    *port++ = 0;
    if (*where == '[' && (!*host || host[strlen(host) - 1] != ']'))
        return NULL;
    if (*where == '[')
        host[strlen(host) - 1] = 0;
    return *host && *port && getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

struct br_status *br_status_open(const char *where, const struct br_seen *seen, unsigned count, char *why,
                                 size_t why_size)
{
    struct br_status *s = th_calloc(1, sizeof *s);
    struct addrinfo *at = read_address(where);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD;

    if (!s || !at) {
        snprintf(why, why_size, "--listen %s: write an address and a port, such as 127.0.0.1:8430", where);
        goto err;
    }
    s->seen = seen;
    s->count = count;
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, s, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    if (!s->daemon) {
        snprintf(why, why_size, "--listen %s: the address cannot be used (is another process there?)", where);
        goto err;
    }
    freeaddrinfo(at);
    return s;
err:
    if (at)
        freeaddrinfo(at);
    th_free(s);
    return NULL;
}

void br_status_close(struct br_status *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    th_free(s);
}
