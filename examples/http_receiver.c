/* A receiver with libmicrohttpd: verifies, answers, and only then works, in a thread of its own.
 *
 *   http_receiver PORT DIALECT, with the secret in WEBHOOK_SECRET (and the old one in WEBHOOK_SECRET_OLD)
 *
 * Prints "listening on PORT" (port 0 takes a free one), then a line for each event: what was done with it.
 * What a receiver of events must do stands here in one place:
 *   - the raw body is verified, before anything parses it
 *   - the answer does not wait for the work: the queue takes a copy, and its thread dispatches it
 *   - an event that came before is worked on once; one that failed is tried again here, since the sender was
 * told 200
 *   - types that no row knows are reported and acknowledged
 *   - when the queue is full the answer is 503: the sender keeps the event and comes again
 *   - what a stranger may send is bounded: headers, body, time, connections. (Put a proxy before it that ends TLS and
 * bounds each stranger's connections.)
 * The queue is in memory: what is in it is lost with the process. Put it on disk where that matters. */
#define _POSIX_C_SOURCE 200809L /* signals and threads, with -std=c17 too */
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <tenterhook/tenterhook.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX (1 << 20)
#define HEADERS_MAX 100
#define REQUEST_S 30
#define CONNECTIONS_MAX 256 /* each holds a body in the worst case */
#define QUEUE_MAX 1024
#define SEEN_MAX 65536
#define TRIES_MAX 3

static struct tenterhook_verifier verifier;

/* ---- the queue between the HTTP server and the worker ---- */

struct job { /* an event that owns its bytes */
    struct job *next;
    struct tenterhook_event event;
    char bytes[];
};
static struct job *head, **tail = &head;
static unsigned waiting;
static int stopping;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;

static char *keep(char *to, struct tenterhook_span *span)
{
    if (span->n)
        memcpy(to, span->p, span->n);
    span->p = to;
    return to + span->n;
}

/* An event's spans point into the request, which ends before the work begins. */
static int enqueue(const struct tenterhook_event *e)
{
    struct job *job = malloc(sizeof *job + e->id.n + e->type.n + e->resource_type.n + e->resource_id.n +
                             e->endpoint_id.n + e->delivery_id.n + e->data.n + e->body.n);
    char *to;
    int taken = 0;

    if (!job)
        return 0;
    job->event = *e;
    job->next = NULL;
    to = keep(job->bytes, &job->event.id);
    to = keep(to, &job->event.type);
    to = keep(to, &job->event.resource_type);
    to = keep(to, &job->event.resource_id);
    to = keep(to, &job->event.endpoint_id);
    to = keep(to, &job->event.delivery_id);
    to = keep(to, &job->event.data);
    keep(to, &job->event.body);
    pthread_mutex_lock(&lock);
    if (waiting < QUEUE_MAX) {
        *tail = job;
        tail = &job->next;
        waiting++;
        taken = 1;
        pthread_cond_signal(&ready);
    }
    pthread_mutex_unlock(&lock);
    if (!taken)
        free(job);
    return taken;
}

/* ---- the work ---- */

static enum tenterhook_handled on_task(void *ctx, const struct tenterhook_event *event)
{
    struct tenterhook_span name;

    (void)ctx;
    if (!tenterhook_member(event->data, "name", &name))
        name = tenterhook_str("(no name)");
    printf("new task: %.*s\n", (int)name.n, name.p);
    return TENTERHOOK_DONE;
}

/* Rows by type stand before rows by resource; the first that fits is called. */
static enum tenterhook_handled on_resource(void *ctx, const struct tenterhook_event *event)
{
    (void)ctx;
    printf("%.*s of %.*s %.*s\n", (int)event->type.n, event->type.p, (int)event->resource_type.n,
           event->resource_type.p, (int)event->resource_id.n, event->resource_id.p);
    return TENTERHOOK_DONE;
}

static void on_unknown(void *ctx, const struct tenterhook_event *event)
{
    (void)ctx;
    printf("unknown type: %.*s\n", (int)event->type.n, event->type.p);
}

static const struct tenterhook_route routes[] = {{"task.created", NULL, on_task},
                                                 {NULL, "Note", on_resource},
                                                 {NULL, "Document", on_resource},
                                                 {"note.*", NULL, on_resource},
                                                 {"contact.*", NULL, on_resource}};

static void *work(void *ctx)
{
    struct tenterhook_seen seen;
    void *memory = malloc(tenterhook_seen_size(SEEN_MAX));
    struct tenterhook_store store;
    struct tenterhook_router router = {
        .routes = routes, .count = sizeof routes / sizeof *routes, .unknown = on_unknown};

    (void)ctx;
    if (!memory ||
        tenterhook_seen_init(&seen, SEEN_MAX, memory, tenterhook_seen_size(SEEN_MAX)) != TENTERHOOK_OK)
        abort();
    store = tenterhook_seen_store(&seen);
    router.store = &store;
    for (;;) {
        struct job *job;
        enum tenterhook_outcome outcome = TENTERHOOK_DEFERRED;

        pthread_mutex_lock(&lock);
        while (!head && !stopping)
            pthread_cond_wait(&ready, &lock);
        job = head;
        if (job && !(head = job->next))
            tail = &head;
        waiting -= job != NULL;
        pthread_mutex_unlock(&lock);
        if (!job)
            break;
        for (int i = 0; i < TRIES_MAX && outcome == TENTERHOOK_DEFERRED; i++)
            outcome = tenterhook_dispatch(&router, &job->event);
        printf("%s %.*s\n",
               outcome == TENTERHOOK_HANDLED     ? "handled"
               : outcome == TENTERHOOK_DUPLICATE ? "duplicate"
               : outcome == TENTERHOOK_UNROUTED  ? "acknowledged"
                                                 : "gave up on",
               (int)job->event.id.n, job->event.id.p);
        fflush(stdout);
        free(job);
    }
    free(memory);
    return NULL;
}

/* ---- HTTP ---- */

struct upload {
    struct tenterhook_header headers[HEADERS_MAX];
    size_t header_count, n;
    time_t since;
    int too_long;
    char body[BODY_MAX], scratch[BODY_MAX + TENTERHOOK_SCRATCH];
};

/* All of them and not a look-up by name: a header that is there twice must be seen. */
static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct upload *up = cls;

    (void)kind;
    up->too_long |= up->header_count == HEADERS_MAX;
    if (up->too_long)
        return MHD_NO;
    up->headers[up->header_count].name = tenterhook_str(name);
    up->headers[up->header_count++].value = tenterhook_str(value);
    return MHD_YES;
}

static unsigned judge(struct MHD_Connection *connection, struct upload *up)
{
    struct tenterhook_request request = {.headers = up->headers,
                                         .body = up->body,
                                         .body_len = up->n,
                                         .scratch = up->scratch,
                                         .scratch_len = sizeof up->scratch};
    struct tenterhook_report report;
    struct tenterhook_event event;
    enum tenterhook_result result;

    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, up);
    request.header_count = up->header_count;
    if (up->too_long)
        return 413;
    result = tenterhook_construct_event(&verifier, &request, time(NULL), &event, &report);
    if (result) {
        fprintf(stderr, "refused: %s (%.*s%s%s)\n", tenterhook_text(result), (int)report.header.n,
                report.header.p, report.header.n ? ": " : "", report.detail);
        return (unsigned)tenterhook_status(result);
    }
    return enqueue(&event) ? 200 : 503;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *n,
                                  void **state)
{
    struct upload *up = *state;
    struct MHD_Response *response;
    enum MHD_Result ok;
    unsigned status;

    (void)cls;
    (void)url;
    (void)version;
    if (!up) {
        *state = up = malloc(sizeof *up); /* freed in on_end */
        if (!up)
            return MHD_NO;
        up->header_count = up->n = 0;
        up->too_long = 0;
        up->since = time(NULL);
        return MHD_YES;
    }
    if (*n) {
        if (time(NULL) - up->since > REQUEST_S)
            return MHD_NO; /* a byte now and then must not keep the memory */
        up->too_long |= *n > sizeof up->body - up->n;
        if (!up->too_long) {
            memcpy(up->body + up->n, data, *n);
            up->n += *n;
        }
        *n = 0;
        return MHD_YES;
    }
    status = strcmp(method, "POST") == 0 ? judge(connection, up) : 405;
    response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (status == 405)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    ok = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return ok;
}

static void on_end(void *cls, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)connection;
    (void)why;
    free(*state);
}

int main(int argc, char **argv)
{
    const char *secret = getenv("WEBHOOK_SECRET");
    enum tenterhook_result result;
    struct MHD_Daemon *daemon;
    pthread_t worker;
    sigset_t stop;
    char *after = NULL;
    unsigned long port = argc == 3 ? strtoul(argv[1], &after, 10) : 0;
    int sig;

    if (argc != 3 || !secret || after == argv[1] || *after || port > UINT16_MAX) {
        fputs("usage: WEBHOOK_SECRET=... http_receiver PORT DIALECT\n", stderr);
        return 2;
    }
    result = tenterhook_verifier_open(&verifier, argv[2], secret, getenv("WEBHOOK_SECRET_OLD"));
    if (result) {
        fprintf(stderr, "%s: %s\n", argv[2], tenterhook_text(result));
        return 2;
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* before there are threads: they inherit it */
    if (pthread_create(&worker, NULL, work, NULL) != 0)
        return 1;
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)port, NULL, NULL, on_request, NULL,
                              MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_CONNECTION_TIMEOUT,
                              (unsigned)REQUEST_S, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                              MHD_OPTION_END);
    if (!daemon) {
        perror("cannot listen");
        return 1;
    }
    printf("listening on %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&stop, &sig);
    MHD_stop_daemon(daemon); /* nothing new; then what was taken is finished */
    pthread_mutex_lock(&lock);
    stopping = 1;
    pthread_cond_signal(&ready);
    pthread_mutex_unlock(&lock);
    pthread_join(worker, NULL);
    tenterhook_verifier_wipe(&verifier);
    return 0;
}
