/* tenterhook-bridge: takes messages out of brokers and publishes them as events.
 *
 * Each file is one stream with a thread of its own: take some messages, publish them, put those aside that can never be published, and
 * only then acknowledge all of them to the broker. At most `batch` messages are in hand, and `max_unacked` are taken from the broker; when the
 * engine is slow, nothing more is taken. Whatever dies in between, a message is either still the broker's, or an event, or aside; one
 * that comes twice has the same id, and the engine knows it already.
 *
 * Exit status: 0 after SIGTERM or SIGINT, 64 for a file that is wrong. */
#include "base/alloc.h"
#include "base/log.h"
#include "event.h"
#include "publish.h"
#include "status.h"
#include <curl/curl.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MAX 1000
#define ROUND_BYTES ((size_t)4 << 20)
#define STREAMS_MAX 64
#define REPORT_S 60
#define LAG_S 10

static atomic_bool stop;
static bool status_wanted; /* set before any thread begins */

struct stream {
    struct br_config config;
    const struct br_source *source;
    void *broker;
    struct br_publisher *publisher;
    struct br_message *messages;
    struct th_buf texts;
    struct br_counts counts;
    uint64_t reported; /* messages taken and requests made, when the log last said so */
    int64_t lag_asked_s;
    pthread_t thread;
};

static const struct br_source *source_of(const char *url)
{
    const struct br_source *const all[] = {br_amqp, br_nats, br_redis, br_kafka};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (unsigned tls = 0; all[i] && tls < 2; tls++) {
            const char *scheme = tls ? all[i]->tls_scheme : all[i]->scheme;
            size_t n = scheme ? strlen(scheme) : 0;

            if (n && strncmp(url, scheme, n) == 0 && strncmp(url + n, "://", 3) == 0)
                return all[i];
        }
    return NULL;
}

static void sleep_ms(unsigned ms)
{
    for (unsigned done = 0; done < ms && !atomic_load(&stop); done += 50) {
        const struct timespec step = {0, 50 * 1000000};

        (void)nanosleep(&step, NULL);
    }
}

static int64_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec;
}

static void report(struct stream *s)
{
    const struct br_counts *c = &s->counts;
    const uint64_t moved = br_get(c, BR_N_TAKEN) + br_get(c, BR_N_REQUESTS);

    if (moved == s->reported)
        return;
    s->reported = moved;
    th_log(TH_LOG_INFO, "bridged", TH_KC("file", s->config.file), TH_KI("accepted", br_get(c, BR_N_ACCEPTED)),
           TH_KI("repeated", br_get(c, BR_N_REPEATED)), TH_KI("aside", br_get(c, BR_N_ASIDE)),
           TH_KI("requests", br_get(c, BR_N_REQUESTS)), TH_KI("retries", br_get(c, BR_N_RETRIES)));
}

/* Takes what there is, at most a round. */
static enum br_result gather(struct stream *s, unsigned *count, char why[BR_WHY_MAX])
{
    enum br_result r = BR_OK;
    size_t bytes = 0;

    for (*count = 0; *count < s->config.batch && bytes < ROUND_BYTES; ++*count) {
        struct br_message *m = &s->messages[*count];

        memset(m, 0, sizeof *m);
        r = s->source->next(s->broker, *count ? 1 : 500, m, why);
        if (r != BR_OK)
            break;
        bytes += m->body.n;
    }
    br_count(&s->counts, BR_N_TAKEN, *count);
    br_set(&s->counts, BR_N_HELD, *count);
    return *count ? BR_OK : r;
}

static void make_events(struct stream *s, unsigned count, struct th_arena *mem)
{
    size_t at;

    th_buf_reset(&s->texts);
    for (unsigned i = 0; i < count; i++) {
        struct br_message *m = &s->messages[i];

        m->event_at = s->texts.n;
        if (!br_event_make(&s->config, s->source, s->broker, m, mem, &s->texts) && !m->reason[0])
            snprintf(m->reason, sizeof m->reason, "it cannot be read");
        if (m->reason[0])
            s->texts.n = m->event_at;
        m->event.n = s->texts.n - m->event_at;
    }
    at = s->texts.failed ? 1 : 0;
    for (unsigned i = 0; i < count; i++) {
        if (at && !s->messages[i].reason[0])
            snprintf(s->messages[i].reason, sizeof s->messages[i].reason, "it is too large");
        s->messages[i].event.p = th_buf_view(&s->texts).p + s->messages[i].event_at;
    }
}

static enum br_result put_aside(struct stream *s, unsigned count, char why[BR_WHY_MAX])
{
    for (unsigned i = 0; i < count; i++) {
        struct br_message *m = &s->messages[i];

        if (!m->reason[0])
            continue;
        th_log(TH_LOG_WARN, "a message was put aside", TH_KC("file", s->config.file), TH_KC("id", m->id),
               TH_KC("why", m->reason));
        if (s->source->aside(s->broker, m, why) != BR_OK)
            return BR_LOST;
        br_count(&s->counts, BR_N_ASIDE, 1);
    }
    return BR_OK;
}

/* One round: OK, NONE (stopped), LOST. */
static enum br_result once(struct stream *s, unsigned *count, char why[BR_WHY_MAX])
{
    struct th_arena mem;
    enum br_result r = gather(s, count, why);
    bool ended;

    if (r != BR_OK)
        return r;
    th_arena_init(&mem, 64u << 20);
    make_events(s, *count, &mem);
    ended = br_publish(s->publisher, s->messages, *count, &s->counts);
    th_arena_fini(&mem);
    if (!ended)
        return BR_NONE;
    r = put_aside(s, *count, why);
    if (r == BR_OK)
        r = s->source->ack(s->broker, s->messages, *count, why);
    if (r == BR_OK) {
        br_count(&s->counts, BR_N_ACKNOWLEDGED, *count);
        br_set(&s->counts, BR_N_HELD, 0);
        *count = 0;
    }
    return r;
}

/* Not when it cannot be known: an old number is better than a wrong one. */
static void ask_lag(struct stream *s)
{
    uint64_t n;

    if (now_s() - s->lag_asked_s < LAG_S)
        return;
    n = s->source->lag(s->broker);
    s->lag_asked_s = now_s();
    if (n != UINT64_MAX)
        br_set(&s->counts, BR_N_LAG, n);
}

/* Between rounds, and while the server does not answer: then most of all somebody wants to know how much waits. */
static void idle(void *ctx)
{
    struct stream *s = ctx;

    br_beat(&s->counts);
    if (status_wanted && s->broker)
        ask_lag(s);
}

static void *run(void *arg)
{
    struct stream *s = arg;
    unsigned wait = 100, count = 0;
    int64_t reported = now_s();
    char why[BR_WHY_MAX] = "";

    while (!atomic_load(&stop)) {
        br_beat(&s->counts);
        if (!s->broker) {
            s->broker = s->source->open(&s->config, why);
            if (!s->broker) {
                th_log(TH_LOG_WARN, "the broker cannot be reached; trying again",
                       TH_KC("file", s->config.file), TH_KC("why", why));
                sleep_ms(wait);
                wait = wait < 5000 ? wait * 2 : 5000;
                continue;
            }
            th_log(TH_LOG_INFO, "connected to the broker", TH_KC("file", s->config.file));
            wait = 100;
            br_count(&s->counts, BR_N_CONNECTIONS, 1);
            br_set(&s->counts, BR_N_CONNECTED, 1);
            s->lag_asked_s = 0;
        }
        if (once(s, &count, why) == BR_LOST) {
            th_log(TH_LOG_WARN, "the connection to the broker is lost", TH_KC("file", s->config.file),
                   TH_KC("why", why));
            s->source->close(s->broker, s->messages, count);
            s->broker = NULL;
            count = 0;
            br_set(&s->counts, BR_N_CONNECTED, 0);
            br_set(&s->counts, BR_N_HELD, 0);
            continue;
        }
        idle(s);
        if (now_s() - reported >= REPORT_S) {
            report(s);
            reported = now_s();
        }
    }
    if (s->broker)
        s->source->close(s->broker, s->messages, count);
    report(s);
    return NULL;
}

static bool stream_init(struct stream *s, const char *file)
{
    char why[1024];

    if (!br_config_read(file, &s->config, why, sizeof why)) {
        fprintf(stderr, "tenterhook-bridge: %s\n", why);
        return false;
    }
    s->source = source_of(s->config.source);
    if (!s->source) {
        fprintf(stderr,
                "tenterhook-bridge: %s: source: begins with no scheme that this program was built for (see "
                "--version)\n",
                file);
        return false;
    }
    th_buf_init(&s->texts, 256u << 20);
    s->messages = th_calloc(ROUND_MAX, sizeof *s->messages);
    s->publisher = s->messages ? br_publisher_new(&s->config, &stop, idle, s, why, sizeof why) : NULL;
    if (!s->publisher)
        fprintf(stderr, "tenterhook-bridge: %s\n", why);
    return s->publisher != NULL;
}

static void stream_fini(struct stream *s)
{
    br_publisher_free(s->publisher);
    th_free(s->messages);
    th_buf_fini(&s->texts);
    br_config_free(&s->config);
}

static int is_yaml(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

/* A file, or all *.yaml of a folder, in the order of their names. False: one is wrong, and was said so. */
static bool add(struct stream *streams, unsigned *count, const char *path)
{
    struct dirent **found;
    struct stat st;
    bool ok = true;
    int n;

    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        if (*count == STREAMS_MAX) {
            fprintf(stderr, "tenterhook-bridge: %s: there are more than %d streams\n", path, STREAMS_MAX);
            return false;
        }
        return stream_init(&streams[(*count)++], path);
    }
    n = scandir(path, &found, is_yaml, alphasort);
    if (n <= 0)
        fprintf(stderr, "tenterhook-bridge: %s: %s\n", path,
                n < 0 ? "the folder cannot be read" : "the folder has no file *.yaml");
    for (int i = 0; i < n; i++) {
        char *file = malloc(strlen(path) + strlen(found[i]->d_name) + 2); /* lives as long as the process */

        if (file)
            sprintf(file, "%s/%s", path, found[i]->d_name);
        ok = file && add(streams, count, file) && ok;
        free(found[i]);
    }
    if (n >= 0)
        free(found);
    return ok && n > 0;
}

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static int help(void)
{
    printf("Usage: tenterhook-bridge [--check] [--listen ADDRESS:PORT] FILE|FOLDER...\n\n"
           "Takes messages out of brokers and publishes them as events. Each FILE, and each *.yaml of a "
           "FOLDER, describes one "
           "stream, in YAML:\n\n"
           "  source: amqp://user:password@127.0.0.1:5672/   or nats://, redis://, kafka://\n"
           "  queue: orders                                  where the messages are\n"
           "  aside: orders.aside                            where messages go that can never be published\n"
           "  server: http://127.0.0.1:8420                  the engine\n"
           "  key_file: /etc/tenterhook/bridge.key           its key, or TENTERHOOK_KEY\n"
           "  event:\n"
           "    type: /kind                                  /POINTER, header:NAME, @key, @id, @time, =TEXT\n"
           "    tenant: header:x-tenant\n\n"
           "  --check     reads the files and ends\n"
           "  --listen    answers /metrics, /livez and /readyz there, such as 127.0.0.1:8430\n"
           "  --version   prints the version, and the brokers that this program was built for\n");
    return 0;
}

static int version(void)
{
    const struct br_source *const all[] = {br_amqp, br_nats, br_redis, br_kafka};

    printf("tenterhook-bridge " TH_VERSION);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            printf(" %s", all[i]->scheme);
    printf("\n");
    return 0;
}

/* Until SIGTERM or SIGINT. Gives the exit status. */
static int serve(struct stream *streams, unsigned count, const char *listen)
{
    static struct br_seen seen[STREAMS_MAX];
    const struct sigaction action = {.sa_handler = on_signal};
    struct br_status *status = NULL;
    char why[256];

    for (unsigned i = 0; i < count; i++) {
        seen[i] = (struct br_seen){streams[i].config.file, &streams[i].counts};
        br_set(&streams[i].counts, BR_N_SERVER_OK, 1);
        br_beat(&streams[i].counts);
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (listen && !(status = br_status_open(listen, seen, count, why, sizeof why))) {
        fprintf(stderr, "tenterhook-bridge: %s\n", why);
        return 64;
    }
    status_wanted = status != NULL;
    th_log_setup(TH_LOG_INFO, TH_LOG_AUTO);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&streams[i].thread, NULL, run, &streams[i]) != 0)
            exit(71);
    for (unsigned i = 0; i < count; i++)
        pthread_join(streams[i].thread, NULL);
    br_status_close(status);
    return 0;
}

int main(int argc, char **argv)
{
    static struct stream streams[STREAMS_MAX];
    const char *listen = NULL;
    unsigned count = 0;
    bool check = false, ok = true;
    int status = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help();
        if (strcmp(argv[i], "--version") == 0)
            return version();
        if (strcmp(argv[i], "--check") == 0) {
            check = true;
        } else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc) {
            listen = argv[++i];
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "tenterhook-bridge: \"%s\" is not an option, or has no value; see --help\n",
                    argv[i]);
            return 64;
        } else {
            ok = add(streams, &count, argv[i]) && ok;
        }
    }
    if (!count && ok) {
        fprintf(stderr, "tenterhook-bridge: name the file of a stream; see --help\n");
        return 64;
    }
    if (ok && !check)
        status = serve(streams, count, listen);
    for (unsigned i = 0; i < count; i++)
        stream_fini(&streams[i]);
    return ok ? status : 64;
}
