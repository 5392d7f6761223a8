/* Runs scenario files: one command a line, words separated by spaces, # begins a comment. The language is
 * written down in test/scenarios/README.md. Refuses what it does not know, with FILE:LINE. A scenario begins
 * with an empty store at 2026-04-02T08:00:00Z; requests that are expected are taken one after the other, each
 * endpoint by itself. */
#include "sim/scenario.h"
#include "base/enc.h"
#include "lib/crypto.h"
#include <fnmatch.h>

#define WORDS_MAX 64
#define NAMES_MAX 64
#define FAR (SIM_S * 86400 * 400)

struct sc_endpoint {
    char name[32], host[128], tenant[64];
    uint64_t no;
};
struct sc_event {
    char name[32];
    uint64_t no, tenant, first;
    uint32_t deliveries;
};
struct scenario {
    const char *file;
    unsigned line;
    struct sim_options options;
    struct sim *sim;
    int64_t zero_us;
    struct sc_endpoint endpoints[NAMES_MAX];
    struct sc_event events[NAMES_MAX];
    unsigned endpoint_n, event_n;
    struct sim_request *last;
    char *word[WORDS_MAX];
    unsigned n;
};

static void bad(const struct scenario *sc, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static void bad(const struct scenario *sc, const char *format, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    fail_msg("%s:%u: %s", sc->file, sc->line, text);
    abort(); /* fail_msg does not return */
}

/* ---- words ---- */

static struct sim *world(struct scenario *sc)
{
    if (!sc->sim)
        sc->sim = sim_open(&sc->options);
    return sc->sim;
}

static bool is(const char *word, const char *text)
{
    return strcmp(word, text) == 0;
}

static const char *word(const struct scenario *sc, unsigned i)
{
    if (i >= sc->n)
        bad(sc, "%s: a word is missing", sc->word[0]);
    return sc->word[i];
}

/* The word behind `name` from `from` on, or NULL. */
static const char *option(const struct scenario *sc, unsigned from, const char *name)
{
    for (unsigned i = from; i < sc->n; i++)
        if (is(sc->word[i], name))
            return word(sc, i + 1);
    return NULL;
}

static bool flag(const struct scenario *sc, unsigned from, const char *name)
{
    for (unsigned i = from; i < sc->n; i++)
        if (is(sc->word[i], name))
            return true;
    return false;
}

/* Refuses a word that the command does not know, from word `from` on: a misspelt expectation would check nothing. `words`: names
 * of options, each with the number of words behind it. */
static void only(const struct scenario *sc, unsigned from, const char *words)
{
    for (unsigned i = from; i < sc->n;) {
        const char *p = words;
        size_t n = strlen(sc->word[i]);
        while (*p && (strncmp(p, sc->word[i], n) != 0 || p[n] != ':'))
            p += strcspn(p, " ") + (p[strcspn(p, " ")] == ' ');
        if (!*p)
            bad(sc, "%s: unknown \"%s\"", sc->word[0], sc->word[i]);
        i += 1 + (unsigned)(p[n + 1] - '0');
        if (i > sc->n)
            bad(sc, "%s: a word is missing at the end", sc->word[0]);
    }
}

static int64_t duration(const struct scenario *sc, const char *text)
{
    char *end;
    double v = strtod(text, &end), unit = 1;

    if (is(end, "ms"))
        unit = 1e-3;
    else if (is(end, "m"))
        unit = 60;
    else if (is(end, "h"))
        unit = 3600;
    else if (is(end, "d"))
        unit = 86400;
    else if (*end && !is(end, "s"))
        bad(sc, "\"%s\" is no duration", text);
    if (end == text)
        bad(sc, "\"%s\" is no duration", text);
    return (int64_t)(v * unit * 1e6 + (v < 0 ? -0.5 : 0.5));
}

static struct sc_endpoint *endpoint(struct scenario *sc, const char *name)
{
    for (unsigned i = 0; i < sc->endpoint_n; i++)
        if (is(sc->endpoints[i].name, name))
            return &sc->endpoints[i];
    bad(sc, "no endpoint \"%s\"", name);
}

static struct sc_event *event(struct scenario *sc, const char *name)
{
    for (unsigned i = 0; i < sc->event_n; i++)
        if (is(sc->events[i].name, name))
            return &sc->events[i];
    bad(sc, "no event \"%s\"", name);
}

static void e_at(struct scenario *sc, const char *text, struct sc_event **e, struct sc_endpoint **ep)
{
    const char *at = strchr(text, '@');
    char name[64];

    if (!at || (size_t)(at - text) >= sizeof name)
        bad(sc, "\"%s\": write event@endpoint", text);
    snprintf(name, sizeof name, "%.*s", (int)(at - text), text);
    *e = event(sc, name);
    *ep = endpoint(sc, at + 1);
}

/* ---- commands ---- */

static void do_limits(struct scenario *sc)
{
    for (unsigned i = 1; i < sc->n; i++) {
        unsigned v = 0;
        if (sscanf(sc->word[i], "items=%u", &v) == 1)
            sc->options.max_items = v;
        else if (sscanf(sc->word[i], "per_endpoint=%u", &v) == 1)
            sc->options.max_items_per_endpoint = v;
        else if (sscanf(sc->word[i], "in_flight=%u", &v) == 1)
            sc->options.max_in_flight = v;
        else
            bad(sc, "LIMITS: unknown \"%s\"", sc->word[i]);
    }
}

static void do_slow_reads(struct scenario *sc)
{
    sc->options.slow_reads = true;
}

static void do_seed(struct scenario *sc)
{
    sc->options.seed = strtoull(word(sc, 1), NULL, 10);
}

static void do_development(struct scenario *sc)
{
    sc->options.development = true;
}

static void do_retention(struct scenario *sc)
{
    sc->options.retention_ms = duration(sc, word(sc, 1)) / 1000;
}

static void do_tenant(struct scenario *sc)
{
    only(sc, 2, "DIALECT:1");
    sim_tenant(world(sc), word(sc, 1), word(sc, 3));
}

static void host_of_url(const struct scenario *sc, const char *url, char *host, size_t size)
{
    const char *p = strstr(url, "://");
    size_t n;

    if (!p)
        bad(sc, "\"%s\" is no URL", url);
    n = strcspn(p + 3, "/:?");
    snprintf(host, size, "%.*s", (int)n, p + 3);
}

static void do_endpoint(struct scenario *sc)
{
    struct sim *s = world(sc);
    struct sc_endpoint *ep = &sc->endpoints[sc->endpoint_n];
    struct sim_spec spec = {.tenant = option(sc, 2, "TENANT"),
                            .url = option(sc, 2, "URL"),
                            .events = option(sc, 2, "EVENTS"),
                            .secret = option(sc, 2, "SECRET"),
                            .variant = option(sc, 2, "VARIANT"),
                            .inactive = flag(sc, 2, "INACTIVE")};
    const char *order = option(sc, 2, "ORDER"), *wait_for = option(sc, 2, "WAIT");
    char why[400];
    enum th_change_result result;

    only(sc, 2,
         "ORDER:1 WAIT:1 BATCH:1 TENANT:1 URL:1 EVENTS:1 TIMEOUT:1 RATE:1 INFLIGHT:1 SECRET:1 VARIANT:1 "
         "HEADER:2 "
         "RETRY:1 REENABLE:0 "
         "INACTIVE:0 "
         "REFUSED:0");
    if (sc->endpoint_n == NAMES_MAX)
        bad(sc, "too many endpoints");
    if (!spec.tenant)
        spec.tenant = "default";
    if (!spec.url)
        bad(sc, "ENDPOINT needs a URL");
    if (option(sc, 2, "TIMEOUT"))
        spec.timeout_s = (uint32_t)(duration(sc, option(sc, 2, "TIMEOUT")) / SIM_S);
    spec.retry = option(sc, 2, "RETRY");
    spec.reenable_on_test = flag(sc, 2, "REENABLE");
    if (option(sc, 2, "INFLIGHT"))
        spec.max_in_flight = (uint32_t)atoi(option(sc, 2, "INFLIGHT"));
    if (option(sc, 2, "RATE"))
        spec.rate_per_s = atof(option(sc, 2, "RATE"));
    if (order)
        spec.ordering = (struct th_ordering){.by = is(order, "all") ? TH_ORDER_ALL : TH_ORDER_KEY,
                                             .key = is(order, "all") ? TH_LIT("") : th_str(order)};
    if (wait_for)
        spec.ordering.max_wait_s = (uint32_t)(duration(sc, wait_for) / SIM_S);
    if (option(sc, 2, "BATCH"))
        spec.ordering.batch = (uint32_t)atoi(option(sc, 2, "BATCH"));
    for (unsigned i = 2; i + 2 < sc->n && spec.headers < 4; i++)
        if (is(sc->word[i], "HEADER"))
            spec.header[spec.headers++] =
                (struct th_header){th_str(sc->word[i + 1]), th_str(sc->word[i + 2])};
    snprintf(ep->name, sizeof ep->name, "%s", word(sc, 1));
    snprintf(ep->tenant, sizeof ep->tenant, "%s", spec.tenant);
    host_of_url(sc, spec.url, ep->host, sizeof ep->host);
    result = sim_try_endpoint(s, &spec, &ep->no, why, sizeof why);
    if (flag(sc, 2, "REFUSED")) {
        if (result != TH_CH_INVALID)
            bad(sc, "the endpoint was not refused");
        return;
    }
    if (result != TH_CH_DONE)
        bad(sc, "the endpoint is refused: %s", why);
    sc->endpoint_n++;
}

static const char *const results[] = {
    [TH_PUB_ACCEPTED] = "accepted",       [TH_PUB_REPEATED] = "replayed",
    [TH_PUB_KEY_REUSED] = "key_reused",   [TH_PUB_ID_TAKEN] = "id_taken",
    [TH_PUB_INVALID] = "invalid",         [TH_PUB_TOO_LARGE] = "too_large",
    [TH_PUB_UNAVAILABLE] = "unavailable", [TH_PUB_TENANT_GONE] = "tenant_gone"};

static void keep_event(struct scenario *sc, const char *name, const struct sim_event *e)
{
    if (!name)
        return;
    if (sc->event_n == NAMES_MAX)
        bad(sc, "too many events");
    snprintf(sc->events[sc->event_n].name, sizeof sc->events[0].name, "%s", name);
    sc->events[sc->event_n].no = e->no;
    sc->events[sc->event_n].first = e->first_delivery;
    sc->events[sc->event_n].deliveries = e->deliveries;
    sc->events[sc->event_n++].tenant = e->row.tenant;
}

static void publish(struct scenario *sc, struct sim_event *e, const char *want)
{
    sim_publish(world(sc), e);
    if (!is(results[e->result], want ? want : "accepted"))
        bad(sc, "the publish is %s: %s", results[e->result], e->detail);
}

static void do_publish(struct scenario *sc)
{
    const char *times = option(sc, 3, "TIMES");

    only(sc, 3, "AS:1 TENANT:1 KEY:1 ID:1 TIMES:1 DELIVER:1 EXPIRES:1 RESULT:1");
    for (int i = times ? atoi(times) : 1; i > 0; i--) {
        struct sim_event e = {
            .type = word(sc, 1),
            .data = word(sc, 2),
            .tenant = option(sc, 3, "TENANT"),
            .key = option(sc, 3, "KEY"),
            .external_id = option(sc, 3, "ID"),
            .deliver_in_ms = option(sc, 3, "DELIVER") ? duration(sc, option(sc, 3, "DELIVER")) / 1000 : 0,
            .expires_in_ms = option(sc, 3, "EXPIRES") ? duration(sc, option(sc, 3, "EXPIRES")) / 1000 : 0};
        publish(sc, &e, option(sc, 3, "RESULT"));
        if (i == 1)
            keep_event(sc, option(sc, 3, "AS"), &e);
    }
}

static void do_test(struct scenario *sc)
{
    struct sc_endpoint *ep = endpoint(sc, word(sc, 1));
    struct sim_event e = {.type = word(sc, 2), .data = "{}", .tenant = ep->tenant, .only = ep->no};

    only(sc, 3, "AS:1 RESULT:1");
    publish(sc, &e, option(sc, 3, "RESULT"));
    keep_event(sc, option(sc, 3, "AS"), &e);
}

static void do_answer(struct scenario *sc)
{
    for (unsigned i = 2; i < sc->n; i++)
        sim_answers(world(sc), endpoint(sc, word(sc, 1))->host, sc->word[i]);
}

static void do_always(struct scenario *sc)
{
    sim_always(world(sc), endpoint(sc, word(sc, 1))->host, word(sc, 2));
}

static void do_reply(struct scenario *sc)
{
    struct sim_answer a;

    if (!sim_answer_parse(th_str(word(sc, 1)), &a))
        bad(sc, "\"%s\" is no answer", sc->word[1]);
    if (!sc->last || !sc->last->req)
        bad(sc, "REPLY: no request waits for it");
    sim_reply(sc->sim, sc->last, a);
    sim_settle(sc->sim);
}

static void do_resolve(struct scenario *sc)
{
    struct sim_host *h = sim_host(world(sc), word(sc, 1));

    h->dns_n = h->dns_next = 0;
    for (unsigned i = 2; i < sc->n; i++)
        sim_dns(sc->sim, sc->word[1], sc->word[i]);
}

static void do_mark(struct scenario *sc)
{
    sc->zero_us = world(sc)->now_us;
}

static void do_pass(struct scenario *sc)
{
    sim_run_for(world(sc), duration(sc, word(sc, 1)));
}

/* ---- expectations ---- */

struct wanted {
    uint64_t endpoint; /* 0: any */
    size_t from;
};

static struct sim_request *unclaimed(struct sim *s, const struct wanted *w)
{
    for (size_t i = w->from; i < s->log_n; i++)
        if (!s->log[i]->claimed && (!w->endpoint || s->log[i]->endpoint == w->endpoint))
            return s->log[i];
    return NULL;
}

static bool has_unclaimed(struct sim *s, void *arg)
{
    struct wanted *w = arg;

    return s->log_n > w->from && unclaimed(s, w);
}

static struct sim_request *next_request(struct scenario *sc, const struct sc_endpoint *ep, int64_t until_us)
{
    struct wanted w = {.endpoint = ep->no};
    struct sim_request *r = unclaimed(sc->sim, &w);

    if (!r) {
        w.from = sc->sim->log_n;
        if (!sim_run_to(sc->sim, until_us, has_unclaimed, &w))
            bad(sc, "no request to %s until %.3f s", ep->name, (double)(until_us - sc->zero_us) / 1e6);
        r = unclaimed(sc->sim, &w);
    }
    r->claimed = true;
    sc->last = r;
    return r;
}

static void check_time(const struct scenario *sc, const struct sim_request *r, int64_t at_us)
{
    int64_t real_us = r->at_us - sc->zero_us, off = real_us - at_us;

    if (off < -1500 || off > 1500)
        bad(sc, "the request came at %.3f s, not at %.3f s", (double)real_us / 1e6, (double)at_us / 1e6);
}

/* SIGNED new,old: the request bears exactly these signatures of Standard Webhooks, in this order, each made with a secret that
 * the scenario knows: 1 is the first secret that the endpoint had, 2 the second, and so on. */
static void check_signed(const struct scenario *sc, const struct sim_request *r, const char *numbers)
{
    const char *id = sim_header(r, "webhook-id"), *given, *p = numbers;
    char content[8192], want[1024] = "", id_copy[160], stamp[32];
    size_t n = 0;

    if (!id)
        bad(sc, "the request has no header webhook-id");
    snprintf(id_copy, sizeof id_copy, "%s", id);
    given = sim_header(r, "webhook-timestamp");
    snprintf(stamp, sizeof stamp, "%s", given ? given : "");
    snprintf(content, sizeof content, "%s.%s.%s", id_copy, stamp, r->body);
    while (*p) {
        char *end;
        unsigned nth = (unsigned)strtoul(p, &end, 10);
        const char *secret = sim_secret(sc->sim, r->endpoint, nth);
        uint8_t key[128], mac[64];
        struct th_hmac hmac;
        struct th_buf text;
        size_t key_n = 0;

        if (!secret || strncmp(secret, "whsec_", 6) != 0 ||
            !th_unbase64(th_str(secret + 6), key, sizeof key, &key_n))
            bad(sc, "SIGNED: the endpoint has had no secret %u of the form whsec_", nth);
        th_hmac_init(&hmac, TH_MAC_SHA256, key, key_n);
        (void)th_hmac_sign(&hmac, &(struct th_bytes){content, strlen(content)}, 1, mac);
        th_buf_init(&text, 256);
        th_base64(&text, mac, 32);
        n += (size_t)snprintf(want + n, sizeof want - n, "%sv1,%.*s", n ? " " : "", (int)text.n, text.p);
        th_buf_fini(&text);
        p = end + (*end == ',');
    }
    given = sim_header(r, "webhook-signature");
    if (!given || !is(given, want))
        bad(sc, "the signatures are \"%s\", and those of the secrets %s are \"%s\"", given ? given : "absent",
            numbers, want);
}

static void check_texts(struct scenario *sc, const struct sim_request *r)
{
    for (unsigned i = 3; i < sc->n; i++) {
        const char *v;
        if (is(sc->word[i], "HEADER")) {
            v = sim_header(r, word(sc, i + 1));
            if (!v || fnmatch(word(sc, i + 2), v, 0) != 0)
                bad(sc, "header %s is %s", sc->word[i + 1], v ? v : "absent");
        } else if (is(sc->word[i], "NOHEADER")) {
            if (sim_header(r, word(sc, i + 1)))
                bad(sc, "header %s is there", sc->word[i + 1]);
        } else if (is(sc->word[i], "BODY") && !strstr(r->body, word(sc, i + 1))) {
            bad(sc, "the body is %s", r->body);
        } else if (is(sc->word[i], "HOST")) {
            if (!is(r->host->name, word(sc, i + 1)))
                bad(sc, "it goes to %s", r->host->name);
        } else if (is(sc->word[i], "SIGNED")) {
            check_signed(sc, r, word(sc, i + 1));
        } else if (is(sc->word[i], "TYPE")) {
            char want[200];
            snprintf(want, sizeof want, "\"type\":\"%s\"", word(sc, i + 1));
            if (!strstr(r->body, want))
                bad(sc, "the body is %s", r->body);
        }
    }
}

static void expect_request(struct scenario *sc)
{
    const struct sc_endpoint *ep = endpoint(sc, word(sc, 2));
    const char *at = option(sc, 3, "AT"), *attempt = option(sc, 3, "ATTEMPT"), *of = option(sc, 3, "OF"),
               *addr = option(sc, 3, "ADDR");
    int64_t at_us = at ? duration(sc, at) : 0;
    const struct sim_request *r =
        next_request(sc, ep, at ? sc->zero_us + at_us + SIM_S : sc->sim->now_us + FAR);
    struct th_addr want;

    only(sc, 3, "AT:1 ATTEMPT:1 OF:1 TYPE:1 HEADER:2 NOHEADER:1 BODY:1 ADDR:1 HOST:1 SIGNED:1");
    if (at)
        check_time(sc, r, at_us);
    if (attempt && r->attempt != (unsigned)atoi(attempt))
        bad(sc, "it is attempt %u", r->attempt);
    if (of && r->event != event(sc, of)->no)
        bad(sc, "it is of another event");
    if (addr &&
        (!th_addr_parse(th_str(addr), &want) || memcmp(want.ip, r->addr.ip, want.family == 4 ? 4 : 16) != 0))
        bad(sc, "it goes to another address");
    check_texts(sc, r);
}

static void expect_attempts(struct scenario *sc)
{
    const struct sc_endpoint *ep = endpoint(sc, word(sc, 2));

    if (!is(word(sc, 3), "AT"))
        bad(sc, "EXPECT attempts a AT seconds ...");
    for (unsigned i = 4; i < sc->n; i++) {
        int64_t at_us = duration(sc, sc->word[i]);
        check_time(sc, next_request(sc, ep, sc->zero_us + at_us + SIM_S), at_us);
        sim_settle(sc->sim);
    }
}

static void expect_none(struct scenario *sc)
{
    bool one = !is(word(sc, 2), "FOR");
    const struct sc_endpoint *ep = one ? endpoint(sc, word(sc, 2)) : NULL;
    struct wanted w = {.endpoint = ep ? ep->no : 0};
    const struct sim_request *r;

    sim_run_for(sc->sim, duration(sc, word(sc, one ? 4 : 3)));
    r = unclaimed(sc->sim, &w);
    if (r)
        bad(sc, "a request to %s came at %.3f s (attempt %u)", r->host->name,
            (double)(r->at_us - sc->zero_us) / 1e6, r->attempt);
}

/* How many requests have been made to it in all, expected or not; IN ORDER: those of deliveries with smaller numbers first. */
static void expect_requests(struct scenario *sc)
{
    const struct sc_endpoint *ep = endpoint(sc, word(sc, 2));
    bool in_order = sc->n > 4;
    unsigned want = (unsigned)atoi(word(sc, 3)), n = 0;
    uint64_t before = 0;

    only(sc, 4, "IN:1");
    for (size_t i = 0; i < sc->sim->log_n; i++) {
        struct sim_request *r = sc->sim->log[i];
        if (r->endpoint != ep->no)
            continue;
        r->claimed = true;
        if (in_order && r->delivery < before)
            bad(sc, "request %u is of a delivery before that of the last one", n + 1);
        before = r->delivery;
        n++;
    }
    if (n != want)
        bad(sc, "%u requests have been made", n);
}

static void expect_endpoint(struct scenario *sc)
{
    const struct th_endpoint *ep;
    const char *now, *want = word(sc, 3), *reason = option(sc, 4, "REASON");

    only(sc, 4, "REASON:1");
    sim_settle(sc->sim);
    ep = sim_ep(sc->sim, endpoint(sc, word(sc, 2))->no);
    now = !ep ? "gone" : ep->disabled_at.ms ? "disabled" : ep->spec.active ? "active" : "inactive";
    if (!is(now, want))
        bad(sc, "the endpoint is %s", now);
    if (reason && !th_span_is(ep->disabled_reason, reason))
        bad(sc, "the reason is \"%.*s\"", (int)ep->disabled_reason.n, ep->disabled_reason.p);
}

static void do_expect(struct scenario *sc)
{
    const char *what = word(sc, 1), *why = "";

    (void)world(sc);
    if (is(what, "request"))
        expect_request(sc);
    else if (is(what, "attempts"))
        expect_attempts(sc);
    else if (is(what, "requests"))
        expect_requests(sc);
    else if (is(what, "none"))
        expect_none(sc);
    else if (is(what, "endpoint"))
        expect_endpoint(sc);
    else if (is(what, "ready") || is(what, "unready")) {
        sim_settle(sc->sim); /* home has to hear of it where there are more engines */
        if ((!sc->sim->fatal && th_engine_ready(sc->sim->engine, &why)) != is(what, "ready"))
            bad(sc, "it is %s %s", is(what, "ready") ? "not ready:" : "ready", why ? why : "");
    } else
        bad(sc, "EXPECT what? \"%s\"", what);
}

static void do_status(struct scenario *sc)
{
    const char *reason = sc->n > 3 && !is(sc->word[3], "ATTEMPTS") ? sc->word[3] : NULL,
               *attempts = option(sc, 3, "ATTEMPTS");
    struct sc_event *e;
    struct sc_endpoint *ep;
    struct sim_delivery d;

    only(sc, reason ? 4 : 3, "ATTEMPTS:1");
    e_at(sc, word(sc, 1), &e, &ep);
    sim_settle(world(sc));
    d = sim_delivery(sc->sim, e->tenant, 0, e->no, ep->no);
    if (!d.found) {
        if (!is(word(sc, 2), "absent"))
            bad(sc, "there is no such delivery");
        return;
    }
    if (!is(word(sc, 2), d.status) || (reason && (!d.reason || !is(reason, d.reason))))
        bad(sc, "it is %s %s", d.status, d.reason ? d.reason : "");
    if (attempts && (unsigned)atoi(attempts) != d.attempts)
        bad(sc, "it has %u attempts", d.attempts);
}

/* ---- changes ---- */

static void done(const struct scenario *sc, enum th_change_result result)
{
    const char *want = option(sc, 1, "RESULT");
    static const char *const names[] = {[TH_CH_DONE] = "done",
                                        [TH_CH_CHECKED] = "checked",
                                        [TH_CH_REPEATED] = "replayed",
                                        [TH_CH_KEY_REUSED] = "key_reused",
                                        [TH_CH_INVALID] = "invalid",
                                        [TH_CH_NOT_FOUND] = "not_found",
                                        [TH_CH_CONFLICT] = "conflict",
                                        [TH_CH_PRECONDITION] = "precondition",
                                        [TH_CH_UNAVAILABLE] = "unavailable"};

    if (!is(names[result], want ? want : "done"))
        bad(sc, "the change is answered %s", names[result]);
}

static void do_patch(struct scenario *sc)
{
    struct sim *s = world(sc);
    uint64_t no = endpoint(sc, word(sc, 1))->no;
    const char *p = word(sc, 2), *v = strchr(p, '=');
    struct sim_spec spec = {0};

    if (!v++)
        bad(sc, "PATCH a name=value");
    only(sc, 3, "RESULT:1");
    if (strncmp(p, "active=", 7) == 0) {
        if (!is(v, "true") && !is(v, "false"))
            bad(sc, "PATCH: active is true or false");
        done(sc, sim_set_active(s, no, is(v, "true")));
        return;
    }
    if (strncmp(p, "url=", 4) == 0) {
        spec.url = v;
        host_of_url(sc, v, endpoint(sc, sc->word[1])->host, sizeof sc->endpoints[0].host);
    } else if (strncmp(p, "timeout=", 8) == 0)
        spec.timeout_s = (uint32_t)atoi(v);
    else if (strncmp(p, "rate=", 5) == 0)
        spec.rate_per_s = atof(v);
    else if (strncmp(p, "inflight=", 9) == 0)
        spec.max_in_flight = (uint32_t)atoi(v);
    else if (strncmp(p, "events=", 7) == 0)
        spec.events = v;
    else if (strncmp(p, "variant=", 8) == 0)
        spec.variant = v;
    else if (strncmp(p, "retry=", 6) == 0)
        spec.retry = v;
    else if (strncmp(p, "header=", 7) == 0) { /* header=NAME:value, the only one from then on */
        spec.header[0].value = th_str(strchr(v, ':') ? strchr(v, ':') + 1 : "");
        spec.header[0].name = th_span(v, strcspn(v, ":"));
        spec.headers = 1;
    } else
        bad(sc, "PATCH: unknown \"%s\"", p);
    done(sc, sim_edit(s, no, &spec));
}

static void do_delete(struct scenario *sc)
{
    only(sc, 2, "RESULT:1");
    done(sc, sim_delete(world(sc), endpoint(sc, word(sc, 1))->no));
}

static void do_delete_tenant(struct scenario *sc)
{
    only(sc, 2, "RESULT:1");
    done(sc, sim_delete_tenant(world(sc), word(sc, 1)));
}

static void do_rotate(struct scenario *sc)
{
    const char *overlap = option(sc, 2, "OVERLAP");

    only(sc, 2, "OVERLAP:1 RESULT:1");
    done(sc, sim_rotate(world(sc), endpoint(sc, word(sc, 1))->no,
                        !overlap               ? -2
                        : is(overlap, "never") ? -1
                                               : duration(sc, overlap) / SIM_S));
}

static void do_revoke(struct scenario *sc)
{
    only(sc, 2, "RESULT:1");
    done(sc, sim_revoke(world(sc), endpoint(sc, word(sc, 1))->no));
}

static void do_retry(struct scenario *sc)
{
    struct sc_event *e;
    struct sc_endpoint *ep;
    struct sim_delivery d;

    only(sc, 2, "RESULT:1");
    e_at(sc, word(sc, 1), &e, &ep);
    d = sim_delivery(world(sc), e->tenant, 0, e->no, ep->no);
    if (!d.found)
        bad(sc, "there is no such delivery");
    if ((sim_retry(sc->sim, d.no) == TH_OK) !=
        (!option(sc, 2, "RESULT") || is(option(sc, 2, "RESULT"), "done")))
        bad(sc, "the retry ends otherwise");
}

static void do_cancel(struct scenario *sc)
{
    const char *want = option(sc, 2, "CANCELLED");
    struct sc_event *e;
    uint32_t n;

    only(sc, 2, "CANCELLED:1");
    e = event(sc, word(sc, 1));
    if (sim_cancel(world(sc), e->first, e->deliveries, &n))
        bad(sc, "the cancel fails");
    if (want && (unsigned)atoi(want) != n)
        bad(sc, "%u are cancelled", n);
}

static void do_crash(struct scenario *sc)
{
    sim_crash(world(sc));
    sc->last = NULL;
    sim_start(sc->sim);
}

static void do_restart(struct scenario *sc)
{
    sim_stop(world(sc));
    sc->last = NULL;
    sim_start(sc->sim);
}

static void do_wall(struct scenario *sc)
{
    world(sc)->wall_step_ms += duration(sc, word(sc, 1)) / 1000;
}

static void do_store(struct scenario *sc)
{
    struct sim *s = world(sc);
    const char *what = word(sc, 1);
    unsigned count = sc->n > 2 ? (unsigned)atoi(sc->word[2]) : UINT32_MAX;

    if (is(what, "stall") || is(what, "go"))
        sim_store_stall(s->store, is(what, "stall"));
    else if (is(what, "ok"))
        th_store_memory_fail(s->memory, TH_OK, 0, false);
    else if (is(what, "full"))
        th_store_memory_fail(s->memory, TH_FULL, count, false);
    else if (is(what, "io"))
        th_store_memory_fail(s->memory, TH_IO, count, false);
    else if (is(what, "retry"))
        th_store_memory_fail(s->memory, TH_RETRY, count, false);
    else if (is(what, "unknown"))
        th_store_memory_fail(s->memory, TH_UNKNOWN, count, false);
    else if (is(what, "unknown-applied"))
        th_store_memory_fail(s->memory, TH_UNKNOWN, count, true);
    else
        bad(sc, "STORE what? \"%s\"", what);
    sim_settle(s);
}

static const struct command {
    const char *name;
    void (*run)(struct scenario *);
} commands[] = {{"SEED", do_seed},
                {"DEVELOPMENT", do_development},
                {"LIMITS", do_limits},
                {"RETENTION", do_retention},
                {"SLOW-READS", do_slow_reads},
                {"TENANT", do_tenant},
                {"ENDPOINT", do_endpoint},
                {"PUBLISH", do_publish},
                {"TEST", do_test},
                {"ANSWER", do_answer},
                {"ALWAYS", do_always},
                {"REPLY", do_reply},
                {"RESOLVE", do_resolve},
                {"MARK", do_mark},
                {"PASS", do_pass},
                {"EXPECT", do_expect},
                {"STATUS", do_status},
                {"PATCH", do_patch},
                {"DELETE", do_delete},
                {"DELETE-TENANT", do_delete_tenant},
                {"ROTATE", do_rotate},
                {"REVOKE", do_revoke},
                {"RETRY", do_retry},
                {"CANCEL", do_cancel},
                {"CRASH", do_crash},
                {"RESTART", do_restart},
                {"WALL", do_wall},
                {"STORE", do_store}};

static void run_line(struct scenario *sc, char *line)
{
    sc->n = 0;
    for (char *p = line; *p;) {
        while (*p == ' ')
            *p++ = 0;
        if (!*p || *p == '#')
            break;
        if (sc->n == WORDS_MAX)
            bad(sc, "too many words");
        sc->word[sc->n++] = p;
        p += strcspn(p, " ");
    }
    if (sc->n == 0)
        return;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is(sc->word[0], commands[i].name)) {
            commands[i].run(sc);
            return;
        }
    bad(sc, "unknown command \"%s\"", sc->word[0]);
}

/* A request that nobody expected is a fault, also after the last line. */
static void at_the_end(struct scenario *sc)
{
    const struct sim_request *r;

    sim_settle(sc->sim);
    r = unclaimed(sc->sim, &(struct wanted){0});
    if (r)
        bad(sc, "at the end: a request to %s at %.3f s (attempt %u) was not expected", r->host->name,
            (double)(r->at_us - sc->zero_us) / 1e6, r->attempt);
}

void scenario_run_text(const char *name, const char *text)
{
    struct scenario *sc = calloc(1, sizeof *sc);
    char *copy = strdup(text), *rest = copy, *line;

    assert_non_null(sc);
    assert_non_null(copy);
    sc->file = name;
    while ((line = strsep(&rest, "\n"))) {
        sc->line++;
        run_line(sc, line);
    }
    if (sc->sim) {
        at_the_end(sc);
        sim_close(sc->sim);
    }
    free(copy);
    free(sc);
}

void scenario_run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1u << 20);
    size_t n;

    assert_non_null(text);
    if (!f)
        fail_msg("%s cannot be read", path);
    n = fread(text, 1, (1u << 20) - 1, f);
    text[n] = 0;
    fclose(f);
    scenario_run_text(path, text);
    free(text);
}
