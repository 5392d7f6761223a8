/* doctor: looks at what usually goes wrong, and says in plain words what to do.
 *
 * Without an argument: this machine (configuration, permissions, clock, name service, disk) and the server.
 * With an endpoint's id, or a URL: why it does not receive webhooks, in the five checks that every vendor's
 * help page has: is the URL accessible, does it answer 2xx, is it https, does a firewall let us in, is the
 * webhook active.
 *
 * Each check is a line: ok, note (works, but look at it) or FAIL, and under it what to do. Exit status 1 when
 * something fails. An endpoint is tried as deliveries reach it: with its own authorities and client certificate, from its source
 * address, and through the proxy of the configuration that this command reads; each is named. It changes nothing. An endpoint gets a request only with --send: the API's own test, of a
 * type that no receiver takes for an event. */
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_clock.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"
#include "core/guard.h"
#include "net/tls_probe.h"
#include "options/dialects.h"
#include "options/options.h"
#include "store/postgres/postgres_check.h"
#include "store/sqlite/sqlite_backup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define TEST_TYPE "webhook.test" /* TH_TEST_TYPE of the engine: nothing that a receiver acts on */

enum verdict { OK, NOTE, FAIL };

struct doctor {
    struct th_cli *cli;
    struct th_buf json;
    struct th_jw w;
    unsigned failed, notes;
};

static void say(struct doctor *d, enum verdict v, const char *what, const char *advice, const char *format,
                ...) __attribute__((format(printf, 5, 6)));

static void say(struct doctor *d, enum verdict v, const char *what, const char *advice, const char *format,
                ...)
{
    static const char *const words[] = {"ok", "note", "FAIL"};
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->failed += v == FAIL;
    d->notes += v == NOTE;
    th_jw_object(&d->w);
    th_jw_key(&d->w, TH_LIT("check"));
    th_jw_string(&d->w, th_str(what));
    th_jw_key(&d->w, TH_LIT("verdict"));
    th_jw_string(&d->w, th_str(v == OK ? "ok" : v == NOTE ? "note" : "fail"));
    th_jw_key(&d->w, TH_LIT("text"));
    th_jw_string(&d->w, th_str(text));
    th_jw_key(&d->w, TH_LIT("advice"));
    if (advice)
        th_jw_string(&d->w, th_str(advice));
    else
        th_jw_null(&d->w);
    th_jw_end_object(&d->w);
    if (d->cli->json)
        return;
    printf("%s%-4s%s  %-14s ", th_status_colour(d->cli, words[v]), words[v], th_plain(d->cli), what);
    th_print_safe(stdout, th_str(text));
    putchar('\n');
    if (advice && v != OK)
        printf("      %-14s %s\n", "", advice);
    fflush(stdout);
}

/* ---- this machine ---- */

static void check_config(struct doctor *d, struct th_settings *c, bool *have)
{
    struct th_dialect_set set;
    char why[600];

    *have = !th_options_read(d->cli->config_argc, d->cli->config_argv, c, why, sizeof why);
    if (!*have) {
        say(d, FAIL, "configuration",
            "mend this value; `tenterhook config show --origin` says where each comes from", "%s", why);
        return;
    }
    if (th_dialects_load(c->v[TH_O_DIALECTS].text, &set, why, sizeof why)) {
        say(d, FAIL, "configuration", "mend the dialect file; `tenterhook dialect check FILE` tests it", "%s",
            why);
        return;
    }
    say(d, OK, "configuration", NULL, "valid, %u dialects, environment %s", set.count,
        c->v[TH_O_ENVIRONMENT].text);
    th_dialects_free(&set);
}

static void check_private(struct doctor *d, const char *path, unsigned allowed, bool must)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        if (must || errno != ENOENT)
            say(d, errno == ENOENT ? NOTE : FAIL, "permissions",
                "the first start makes it; name another with --data", "%s: %s", path, strerror(errno));
    } else if (st.st_mode & 077) {
        say(d, FAIL, "permissions", th_cli_printf(d->cli, "chmod %o %s", allowed, path),
            "%s can be read by others (mode %03o)", path, st.st_mode & 0777u);
    } else if (st.st_uid != geteuid()) {
        say(d, NOTE, "permissions", "run the server and this command as the same user",
            "%s belongs to user %u, and this is user %u", path, st.st_uid, geteuid());
    } else {
        say(d, OK, "permissions", NULL, "%s is private (mode %03o)", path, st.st_mode & 0777u);
    }
}

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

#define SYNCS 60

static double ms_of(const struct timespec *a, const struct timespec *b)
{
    return (double)(b->tv_sec - a->tv_sec) * 1000 + (double)(b->tv_nsec - a->tv_nsec) / 1e6;
}

/* Measures what each group commit of the store costs: one append and one fdatasync. */
static void check_disk(struct doctor *d, const char *dir)
{
    const char *path = th_cli_printf(d->cli, "%s/.doctor-%ld", dir, (long)getpid());
    static char block[4096];
    struct statvfs fs;
    double ms[SYNCS];
    int fd, n = 0;

    if (statvfs(dir, &fs) == 0) {
        double mib = (double)fs.f_bavail * (double)fs.f_frsize / 1048576;
        say(d,
            mib < 256    ? FAIL
            : mib < 2048 ? NOTE
                         : OK,
            "disk space", "without room nothing more is accepted; make some, or shorten --retention",
            "%.0f MiB free for %s", mib, dir);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        say(d, FAIL, "disk speed", "the server must be able to write here", "%s: %s", dir, strerror(errno));
        return;
    }
    for (; n < SYNCS; n++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
            break;
        clock_gettime(CLOCK_MONOTONIC, &b);
        ms[n] = ms_of(&a, &b);
    }
    close(fd);
    (void)unlink(path);
    if (n < SYNCS) {
        say(d, FAIL, "disk speed", "look at the system's log: the disk may be full or broken",
            "a sync failed: %s", strerror(errno));
        return;
    }
    qsort(ms, SYNCS, sizeof ms[0], by_number);
    say(d, ms[SYNCS / 2] > 20 ? NOTE : OK, "disk speed",
        "each accepted event waits for a sync; a disk with its own power backup makes them faster",
        "a durable write takes %.2f ms in the middle, %.2f ms at the worst of %d", ms[SYNCS / 2],
        ms[SYNCS - 1], SYNCS);
}

static void check_database(struct doctor *d, const char *dir)
{
    const char *path = th_cli_printf(d->cli, "%s/tenterhook.db", dir);
    struct stat st;
    struct th_sqlite_state state;
    char why[600];
    enum th_error error;

    if (stat(path, &st) != 0)
        return;
    if (st.st_size > (off_t)1 << 30) {
        say(d, OK, "database", NULL,
            "%s, %lld MiB (too large to be read whole here; `tenterhook backup` does)", path,
            (long long)(st.st_size >> 20));
        return;
    }
    error = th_sqlite_judge(path, true, NULL, NULL, &state, why, sizeof why);
    if (error == TH_RETRY)
        say(d, NOTE, "database",
            "its pages were not looked at: run this again when the server has less to do", "%s", why);
    else if (error)
        say(d, FAIL, "database", "keep it as it is, and restore a backup into another directory", "%s", why);
    else if (state.unfit[0])
        say(d, FAIL, "database", "keep it as it is, and restore a backup into another directory",
            "%s is whole, but its rows do not fit together: %s", path, state.unfit);
    else
        say(d, OK, "database", NULL, "%s is whole (%lld KiB, layout %d)", path, (long long)(st.st_size >> 10),
            state.version);
}

static void say_postgres(void *ctx, enum th_postgres_verdict verdict, const char *found, const char *advice)
{
    say(ctx,
        verdict == TH_POSTGRES_OK     ? OK
        : verdict == TH_POSTGRES_NOTE ? NOTE
                                      : FAIL,
        "database", advice, "%s", found);
}

static void check_clock(struct doctor *d)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    time_t now = time(NULL);

    if (now < 1704067200) /* 2024-01-01 */
        say(d, FAIL, "clock",
            "set the clock: receivers refuse signatures whose time is wrong by more than 5 minutes",
            "it is before 2024");
    else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
        say(d, NOTE, "clock",
            "let a time service (chrony, systemd-timesyncd) set it: receivers refuse a time that is wrong by "
            "more "
            "than 5 minutes",
            "the kernel says that nothing keeps it synchronised");
    else
        say(d, OK, "clock", NULL, "synchronised by a time service");
}

static void check_dns(struct doctor *d, const char *name)
{
    struct th_addr addrs[TH_CONNECT_MAX];
    int64_t began = th_cli_clock_ms();
    char why[400];
    unsigned n = th_client_resolve(th_str(name), 443, addrs, why, sizeof why);

    if (n)
        say(d, OK, "DNS", NULL, "%s resolves to %u address%s in %lld ms", name, n, n == 1 ? "" : "es",
            (long long)(th_cli_clock_ms() - began));
    else
        say(d, NOTE, "DNS",
            "look at /etc/resolv.conf, or name servers with --dns-servers; without them no name is delivered "
            "to",
            "%s", why);
}

/* ---- the server ---- */

static bool check_server(struct doctor *d)
{
    struct th_span none = {NULL, 0};
    struct th_answer a;
    int status = th_cli_connect(d->cli);
    char why[600] = "the address or the key cannot be used";
    const char *detail;
    bool ours;

    if (status || th_client_call(d->cli->client, "GET", "/readyz", none, NULL, &a, why, sizeof why)) {
        say(d, FAIL, "server",
            status ? "name the server with --server, and its key with --key-file"
                   : th_client_advice(d->cli->client),
            "%s", why);
        return false;
    }
    detail = th_cli_member(d->cli, a.json, "/detail");
    ours = a.status == 503 ||
           (a.status == 200 && strcmp(th_cli_member(d->cli, a.json, "/status"), "ready") == 0);
    if (a.status == 503)
        say(d, FAIL, "server", "its log says more; most often the disk is full",
            "%s answers, and is not ready: %s", th_client_url(d->cli->client), detail);
    else if (!ours)
        say(d, FAIL, "server",
            "name the server with --server; if it is a proxy, its log says why it does not pass this on",
            "the server that answers at %s with status %u is not Tenterhook%s%s",
            th_client_url(d->cli->client), a.status, detail[0] == '-' ? "" : ": ",
            detail[0] == '-' ? "" : detail);
    else
        say(d, OK, "server", NULL, "%s is ready", th_client_url(d->cli->client));
    th_answer_free(&a);
    if (!ours) /* nothing more is asked of another server */
        return false;
    if (th_client_call(d->cli->client, "GET", "/v1/webhooks?limit=1", none, NULL, &a, why, sizeof why))
        return false;
    status = a.status == 200;
    if (a.status == 401)
        say(d, FAIL, "key", "set TENTERHOOK_KEY, or give --key-file FILE",
            "the server does not know this key");
    else if (a.status == 403)
        say(d, NOTE, "key", "endpoints can be looked at with a key that has webhooks:read",
            "valid, but it may not read endpoints");
    else
        say(d, status ? OK : NOTE, "key", NULL, "%s",
            status ? "valid" : th_cli_printf(d->cli, "the server answered %u", a.status));
    th_answer_free(&a);
    return status;
}

/* ---- an endpoint: the five checks ---- */

static void show_chain(struct doctor *d, const struct th_tls_probe *p)
{
    for (unsigned i = 0; i < p->count && !d->cli->json; i++) {
        struct th_buf until;
        th_buf_init(&until, 64);
        th_wall_format(&until, (struct th_wall){p->cert[i].not_after * 1000}, TH_RFC3339_SECONDS);
        printf("      %-14s %u. ", "", i);
        th_print_safe(stdout, th_str(p->cert[i].subject));
        printf(" (by ");
        th_print_safe(stdout, th_str(p->cert[i].issuer));
        printf(", until %s)\n", th_buf_cstr(&until));
        th_buf_fini(&until);
    }
}

/* ---- how the engine would reach it ---- */

struct way {
    struct th_tls_probe_way probe;
    struct th_client_tls identity;
    struct th_addr source, proxy;
    bool lost; /* the proxy cannot be asked: said */
};

/* The proxy and the authorities of the configuration. */
static void way_of_config(struct doctor *d, struct way *w)
{
    struct th_addr found[TH_CONNECT_MAX];
    struct th_settings c;
    struct th_url url;
    const char *text, *reason;
    char why[600];

    if (th_options_read(d->cli->config_argc, d->cli->config_argv, &c, why, sizeof why))
        return;
    if (c.v[TH_O_CA_FILE].text)
        w->probe.ca_file = th_cli_text(d->cli, th_str(c.v[TH_O_CA_FILE].text));
    if (c.v[TH_O_PROXY_CREDENTIALS].text)
        w->probe.proxy_credentials = th_cli_text(d->cli, th_str(c.v[TH_O_PROXY_CREDENTIALS].text));
    text = c.v[TH_O_PROXY].text ? th_cli_text(d->cli, th_str(c.v[TH_O_PROXY].text)) : NULL;
    th_options_fini(&c);
    if (!text)
        return;
    w->lost = true;
    if (th_url_parse(th_str(text), &url, &reason)) {
        say(d, FAIL, "1 accessible", "mend delivery.proxy", "proxy %s: %s", text, reason);
        return;
    }
    found[0] = url.addr;
    if (!url.literal && !th_client_resolve(url.host, url.port, found, why, sizeof why)) {
        say(d, FAIL, "1 accessible", "mend delivery.proxy, or its name in the DNS", "proxy %s: %s", text,
            why);
        return;
    }
    w->lost = false;
    w->proxy = found[0];
    w->proxy.port = url.port;
    w->probe.proxy = &w->proxy;
    say(d, OK, "1 accessible", NULL, "through the proxy %s, as deliveries go", text);
}

static struct th_span text_at(struct doctor *d, struct th_json e, const char *pointer)
{
    const char *text = th_cli_member(d->cli, e, pointer);

    return strcmp(text, "-") == 0 ? (struct th_span){NULL, 0} : th_str(text);
}

/* What the endpoint's own TLS is made of. */
static void way_of_tls(struct doctor *d, struct th_json e, struct way *w)
{
    struct th_span key = text_at(d, e, "/tls/key");

    w->identity = (struct th_client_tls){.ca = text_at(d, e, "/tls/ca")};
    if (th_span_is(key, "***")) {
        say(d, NOTE, "1 accessible", "use a key that may read secrets, or --send",
            "its client certificate is not shown here, because this key may not read it");
    } else if (key.n) {
        w->identity.certificate = text_at(d, e, "/tls/certificate");
        w->identity.key = key;
        say(d, OK, "1 accessible", NULL, "with its client certificate, %s, until %s",
            th_cli_member(d->cli, e, "/client_certificate/subject"),
            th_cli_time(d->cli, e, "/client_certificate/expires_at"));
    }
    if (w->identity.ca.n)
        say(d, OK, "1 accessible", NULL, "its server is trusted by the endpoint's own authorities alone");
    if (w->identity.ca.n || w->identity.certificate.n)
        w->probe.identity = &w->identity;
}

/* The address of its source, as the server lists it. */
static void way_of_source(struct doctor *d, struct th_json e, struct way *w)
{
    struct th_span name = text_at(d, e, "/source_address"), none = {NULL, 0};
    struct th_json list, row = {0};
    struct th_json_iter it;
    struct th_answer a;
    bool found = false;

    if (!name.n || th_cli_try(d->cli, "GET", "/v1/source-addresses", none, NULL, &a))
        return;
    if (a.status == 200 && th_json_member(a.json, TH_LIT("sources"), &list)) {
        th_json_iter(&it, list);
        while (!found && th_json_next(&it, NULL, &row))
            found = th_span_eq(text_at(d, row, "/name"), name) &&
                    th_addr_parse(text_at(d, row, "/address"), &w->source);
    }
    if (found) {
        w->probe.source = &w->source;
        say(d, OK, "1 accessible", NULL, "from its source address %s (%s)", th_cli_text(d->cli, name),
            th_cli_member(d->cli, row, "/address"));
    } else {
        say(d, FAIL, "1 accessible", "name it in delivery.sources again, or let the endpoint choose another",
            "its source address %s is not configured: nothing is sent", th_cli_text(d->cli, name));
    }
    th_answer_free(&a);
}

/* Nothing is sent here but with --send, when the server itself does it. */
static void say_authentication(struct doctor *d, struct th_json e)
{
    const char *type = th_cli_member(d->cli, e, "/authentication/type");

    if (strcmp(type, "basic") == 0)
        say(d, OK, "1 accessible", NULL, "its requests carry HTTP Basic, user %s",
            th_cli_member(d->cli, e, "/authentication/username"));
    else if (strcmp(type, "api_key") == 0)
        say(d, OK, "1 accessible", NULL, "its requests carry a key in the header %s",
            th_cli_member(d->cli, e, "/authentication/header"));
    else if (strcmp(type, "oauth2") == 0)
        say(d, OK, "1 accessible", NULL, "its requests carry a token from %s",
            th_cli_member(d->cli, e, "/authentication/token_url"));
}

/* Reaches for every address; false when none can be reached and verified. */
static void check_reach(struct doctor *d, const struct th_url *url, const struct way *w)
{
    struct th_addr addrs[TH_CONNECT_MAX];
    const char *host = th_cli_text(d->cli, url->host);
    unsigned n = 1;
    char why[400];

    addrs[0] = url->addr;
    addrs[0].port = url->port;
    if (!url->literal)
        n = th_client_resolve(url->host, url->port, addrs, why, sizeof why);
    if (n == 0) {
        say(d, FAIL, "1 accessible", "check that the name is written correctly, and that it is in the DNS",
            "%s", why);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        const char *not_public;
        struct th_tls_probe p;
        struct th_buf text;
        bool ok = th_tls_probe(&addrs[i], url->tls, host, &w->probe, 10000, &p);
        int64_t days = p.count ? (p.cert[0].not_after - (int64_t)time(NULL)) / 86400 : 0;
        th_buf_init(&text, 128);
        th_addr_format(&text, &addrs[i]);
        if (!th_guard_addr(&(struct th_guard){0}, &addrs[i], &not_public))
            say(d, NOTE, "1 accessible",
                "deliveries go to public addresses only, unless the operator allows this network with "
                "--allow-network",
                "%s is %s", th_buf_cstr(&text), not_public);
        if (ok && url->tls)
            say(d, days < 14 ? NOTE : OK, "1 accessible", "renew its certificate soon",
                "%s port %u: connected in %lld ms, %s in %lld ms, certificate good for %lld days",
                th_buf_cstr(&text), url->port, (long long)p.connect_ms, p.version, (long long)p.tls_ms,
                (long long)days);
        else if (ok)
            say(d, OK, "1 accessible", NULL, "%s port %u: connected in %lld ms", th_buf_cstr(&text),
                url->port, (long long)p.connect_ms);
        else
            say(d, FAIL, "1 accessible",
                p.connect_ms < 0 && w->probe.proxy ? "look at the proxy: deliveries go through it"
                : p.refused
                    ? "the server wants a client certificate that it knows: set it with --tls-certificate"
                : p.connect_ms < 0
                    ? "check that the receiver runs, and that its firewall lets this machine in (see 4)"
                    : "the server must send its certificate with the intermediate ones, for "
                      "this name, and in time",
                "%s port %u: %s", th_buf_cstr(&text), url->port, p.error);
        show_chain(d, &p);
        th_buf_fini(&text);
    }
}

static void check_https(struct doctor *d, const struct th_url *url)
{
    if (url->tls)
        say(d, OK, "3 https", NULL, "the URL is https");
    else
        say(d, NOTE, "3 https", "use https in production: most dialects refuse http there",
            "the URL is http: anybody on the way can read it");
}

/* The server was there a moment ago; the reason has been printed. */
static void lost(struct doctor *d, const char *what)
{
    say(d, FAIL, what, "try again when the server answers",
        "the connection to the server was lost during this check");
}

/* An attempt, as the server's list of attempts shows it. */
static void say_attempt(struct doctor *d, struct th_json row, const char *what)
{
    const char *outcome = th_cli_member(d->cli, row, "/outcome"),
               *status = th_cli_member(d->cli, row, "/status"),
               *detail = th_cli_member(d->cli, row, "/detail");

    if (strcmp(outcome, "success") == 0)
        say(d, OK, "2 answers 2xx", NULL, "%s was answered with %s in %s ms", what, status,
            th_cli_member(d->cli, row, "/duration_ms"));
    else if (status[0] != '-')
        say(d, FAIL, "2 answers 2xx",
            status[0] == '3' ? "register the URL that it redirects to: redirects are not followed"
            : strcmp(status, "401") == 0 || strcmp(status, "403") == 0
                ? "does it verify with the right secret? `tenterhook attempts ID --json | tenterhook "
                  "explain` says"
                : "its own log says why; answer 2xx first and work afterwards",
            "%s was answered with %s", what, status);
    else
        say(d, FAIL, "2 answers 2xx",
            strcmp(outcome, "timeout") == 0
                ? "answer first and work afterwards; or a firewall drops us (see 4)"
                : NULL,
            "%s got no answer: %s%s%s", what, outcome, detail[0] == '-' ? "" : ": ",
            detail[0] == '-' ? "" : detail);
}

/* The newest attempts of the endpoint; row: the first, when there is one. False: said, or the server was lost. */
static bool attempts_of(struct doctor *d, const char *id, const char *after, struct th_answer *a,
                        struct th_json *row)
{
    const char *path =
        th_cli_path(d->cli, "/v1/attempts?endpoint=%s&include_tests=true&limit=%s", id, after ? "100" : "1");
    struct th_json list;
    struct th_json_iter it;

    if (after)
        path = th_cli_printf(d->cli, "%s&after=%s", path, after);
    *row = (struct th_json){0};
    if (th_cli_try(d->cli, "GET", path, (struct th_span){0}, NULL, a)) {
        lost(d, "2 answers 2xx");
        return false;
    }
    if (a->status == 200 && th_json_member(a->json, TH_LIT("data"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, row))
            if (!after || strcmp(th_cli_member(d->cli, *row, "/event_type"), TEST_TYPE) == 0)
                return true;
        *row = (struct th_json){0};
    }
    return true;
}

/* Judges the last attempt; sends nothing. */
static void check_last(struct doctor *d, const char *id)
{
    struct th_answer a;
    struct th_json row;

    if (!attempts_of(d, id, NULL, &a, &row))
        return;
    if (row.raw.n)
        say_attempt(d, row,
                    th_cli_printf(d->cli, "the last attempt (%s)", th_cli_time(d->cli, row, "/time")));
    else
        say(d, NOTE, "2 answers 2xx", "--send sends it a test, of type " TEST_TYPE,
            "nothing has been sent to it yet");
    th_answer_free(&a);
}

/* Judges a test delivery by the server itself, for --send. */
static void check_test(struct doctor *d, const char *id)
{
    int64_t until = th_cli_clock_ms() + 65000;
    const char *after, *detail;
    struct th_answer a;
    struct th_json row;
    bool sent;

    if (!attempts_of(d, id, NULL, &a, &row))
        return;
    after = th_cli_member(d->cli, a.json, "/after");
    th_answer_free(&a);
    if (th_cli_try(d->cli, "POST", th_cli_path(d->cli, "/v1/webhooks/%s/test", id),
                   th_str("{\"type\":\"" TEST_TYPE "\"}"), NULL, &a)) {
        lost(d, "2 answers 2xx");
        return;
    }
    sent = a.status < 300;
    detail = th_cli_member(d->cli, a.json, "/detail");
    if (!sent)
        say(d, NOTE, "2 answers 2xx", "the key needs webhooks:manage for a test",
            "a test could not be sent (status %u%s%s)", a.status, detail[0] == '-' ? "" : ": ",
            detail[0] == '-' ? "" : detail);
    th_answer_free(&a);
    while (sent && th_cli_clock_ms() < until) {
        if (!attempts_of(d, id, after, &a, &row))
            return;
        if (row.raw.n)
            say_attempt(d, row, "a test delivery");
        sent = !row.raw.n;
        th_answer_free(&a);
        if (sent)
            th_cli_clock_sleep(50);
    }
    if (sent)
        say(d, FAIL, "2 answers 2xx", "answer first and work afterwards",
            "a test delivery has no answer after 65 s");
}

static void check_firewall(struct doctor *d)
{
    struct th_span none = {NULL, 0};
    struct th_json list, row;
    struct th_json_iter it;
    const char *all = "";
    struct th_answer a;

    if (th_cli_try(d->cli, "GET", "/v1/source-addresses", none, NULL, &a)) {
        lost(d, "4 firewall");
        return;
    }
    if (a.json.raw.n && th_json_member(a.json, TH_LIT("prefixes"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &row))
            all = th_cli_printf(d->cli, "%s%s%s", all, *all ? ", " : "", th_cli_member(d->cli, row, ""));
    }
    th_answer_free(&a);
    if (*all)
        say(d, OK, "4 firewall", NULL, "let requests from these addresses in: %s", all);
    else
        say(d, NOTE, "4 firewall", "set source_addresses in the configuration, so that customers can be told",
            "the server does not say from which addresses deliveries come");
}

static void check_active(struct doctor *d, struct th_json e, const char *id)
{
    const char *disabled = th_cli_member(d->cli, e, "/disabled");

    if (disabled[0] == '{')
        say(d, FAIL, "5 active",
            th_cli_printf(d->cli, "repair the receiver, then: tenterhook endpoints resume %s", id),
            "disabled since %s: %s", th_cli_time(d->cli, e, "/disabled/at"),
            th_cli_member(d->cli, e, "/disabled/reason"));
    else if (strcmp(th_cli_member(d->cli, e, "/active"), "false") == 0)
        say(d, FAIL, "5 active", th_cli_printf(d->cli, "tenterhook endpoints resume %s", id),
            "paused: its deliveries are held");
    else
        say(d, OK, "5 active", NULL, "it is active");
}

/* id: NULL for a URL alone. */
static void check_url(struct doctor *d, const char *text, const char *id, const struct way *w)
{
    char copy[2100];
    struct th_url url;
    const char *why = "is too long";

    snprintf(copy, sizeof copy, "%s", text);
    if (strlen(text) >= sizeof copy || th_url_parse(th_str(copy), &url, &why)) {
        say(d, FAIL, "1 accessible", "register another URL", "%s: %s", text, why);
        return;
    }
    if (!w->lost)
        check_reach(d, &url, w);
    if (id && th_cli_has(d->cli, "--send"))
        check_test(d, id);
    else if (id)
        check_last(d, id);
    check_https(d, &url);
}

static void check_endpoint(struct doctor *d, const char *id, struct way *w)
{
    struct th_span none = {NULL, 0};
    struct th_answer a;
    const char *url;

    if (th_cli_try(d->cli, "GET", th_cli_path(d->cli, "/v1/webhooks/%s", id), none, NULL, &a)) {
        lost(d, "endpoint");
        return;
    }
    if (a.status == 404) {
        say(d, FAIL, "endpoint",
            "`tenterhook endpoints` lists those of the tenant default; --tenant ID those of another",
            "there is no endpoint %s", id);
        th_answer_free(&a);
        return;
    }
    if (a.status != 200) {
        say(d, FAIL, "endpoint", "the server's log says more", "it cannot be looked at (status %u)",
            a.status);
        th_answer_free(&a);
        return;
    }
    url = th_cli_member(d->cli, a.json, "/url");
    if (url[0] == '-')
        url = th_cli_member(d->cli, a.json, "/callbackUrl");
    way_of_tls(d, a.json, w);
    way_of_source(d, a.json, w);
    say_authentication(d, a.json);
    check_url(d, url, id, w);
    check_firewall(d);
    check_active(d, a.json, id);
    th_answer_free(&a);
}

/* ---- the command ---- */

static void check_machine(struct doctor *d)
{
    struct th_settings c;
    bool have;

    check_config(d, &c, &have);
    if (have) {
        const char *dir = c.v[TH_O_DATA].text;
        struct stat st;
        check_private(d, dir, 0700, true);
        check_private(d, th_cli_printf(d->cli, "%s/secret.key", dir), 0600, false);
        if (c.v[TH_O_STORE].text)
            th_store_postgres_check(c.v[TH_O_STORE].text, c.v[TH_O_STORE_PASSWORD].text, say_postgres, d);
        if (stat(dir, &st) == 0) {
            check_database(d, dir);
            check_disk(d, dir);
        }
    }
    check_clock(d);
    check_dns(d, th_cli_option(d->cli, "--resolve") ? th_cli_option(d->cli, "--resolve") : "example.com");
    if (have)
        th_options_fini(&c);
}

/* For a container's health check: one request, no key, one line. */
static int only_ready(struct th_cli *cli)
{
    struct th_span none = {NULL, 0};
    struct th_answer a;
    char why[600];
    int status = th_cli_connect_keyless(cli);

    if (status)
        return status;
    if (th_client_call(cli->client, "GET", "/readyz", none, NULL, &a, why, sizeof why))
        return th_cli_fail(cli, TH_EXIT_UNREACHABLE, "%s; %s", why, th_client_advice(cli->client));
    if (a.status == 200 && strcmp(th_cli_member(cli, a.json, "/status"), "ready") == 0)
        printf("ready\n");
    else
        status = th_cli_fail(cli, TH_EXIT_NO, "not ready: %s", th_cli_member(cli, a.json, "/detail"));
    th_answer_free(&a);
    return status;
}

int th_cmd_doctor(struct th_cli *cli)
{
    const char *target = cli->arg_count ? cli->args[0] : NULL;
    struct doctor d = {.cli = cli};
    struct way w = {.lost = false};

    if (th_cli_has(cli, "--ready"))
        return target
                   ? th_cli_fail(cli, TH_EXIT_USAGE, "--ready asks the server only: name no endpoint with it")
                   : only_ready(cli);
    th_buf_init(&d.json, 1u << 20);
    d.w = th_jw(&d.json);
    th_jw_array(&d.w);
    if (target)
        way_of_config(&d, &w);
    if (target && strstr(target, "://")) {
        check_url(&d, target, NULL, &w);
    } else if (target) {
        if (check_server(&d))
            check_endpoint(&d, target, &w);
        else if (!d.failed)
            say(&d, FAIL, "endpoint", "use a key with webhooks:manage", "this key may not look at it");
    } else {
        check_machine(&d);
        (void)check_server(&d);
    }
    th_jw_end_array(&d.w);
    if (cli->json)
        (void)th_cli_print(cli, (struct th_json){TH_JSON_ARRAY, th_buf_view(&d.json)});
    else
        printf("\n%s\n", d.failed  ? "something fails: see FAIL above"
                         : d.notes ? "nothing fails; look at the notes above"
                                   : "all is well");
    th_buf_fini(&d.json);
    return d.failed ? TH_EXIT_NO : TH_EXIT_OK;
}
