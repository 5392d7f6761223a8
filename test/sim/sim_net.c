/* The network of a simulation: endpoints by host name that answer as told, and a resolver with a script.
 * Checks what every transport may assume of its caller: judged addresses, a finished head, one submit a
 * request. */
#include "base/alloc.h"
#include "base/heap.h"
#include "base/map.h"
#include "engine/shard/attempt.h"
#include "engine/shard/batch.h"
#include "sim/sim.h"

struct lookup {
    struct th_heap_node node;
    struct th_resolve *r;
    struct sim_dns answer;
};

struct sim_host *sim_host(struct sim *s, const char *name)
{
    struct sim_host *h = th_smap_get(&s->hosts, th_str(name));

    if (h)
        return h;
    h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->name = strdup(name);
    assert_non_null(h->name);
    assert_int_equal(th_smap_put(&s->hosts, th_str(h->name), h), TH_OK);
    return h;
}

static struct sim_host *host_of(struct sim *s, struct th_span name)
{
    char text[300];

    assert_in_range(name.n, 1, sizeof text - 1);
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    return sim_host(s, text);
}

/* ---- answers ---- */

static bool duration(struct th_span text, int64_t *us)
{
    uint64_t n;
    int64_t unit = SIM_S;

    if (text.n > 2 && text.p[text.n - 2] == 'm' && text.p[text.n - 1] == 's') {
        unit = 1000;
        text.n -= 2;
    } else if (text.n > 1 && text.p[text.n - 1] == 's') {
        text.n--;
    }
    if (!th_span_u64(text, 1000000000, &n))
        return false;
    *us = (int64_t)n * unit;
    return true;
}

bool sim_answer_parse(struct th_span text, struct sim_answer *out)
{
    static const struct {
        const char *name;
        enum sim_answer_kind kind;
    } kinds[] = {{"timeout", SIM_HANG},  {"connection_refused", SIM_REFUSE}, {"connection_reset", SIM_RESET},
                 {"tls_error", SIM_TLS}, {"protocol_error", SIM_BAD},        {"wait", SIM_WAIT}};
    const char *plus = memchr(text.p, '+', text.n), *slash;
    uint64_t v;

    *out = (struct sim_answer){0};
    if (plus) {
        if (!duration(th_span(plus + 1, (size_t)(text.p + text.n - plus - 1)), &out->took_us))
            return false;
        text.n = (size_t)(plus - text.p);
    }
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (th_span_is(text, kinds[i].name)) {
            out->kind = kinds[i].kind;
            return true;
        }
    slash = memchr(text.p, '/', text.n);
    if (slash) {
        if (!th_span_u64(th_span(slash + 1, (size_t)(text.p + text.n - slash - 1)), UINT32_MAX - 1, &v))
            return false;
        out->has_retry_after = true;
        out->retry_after_s = (uint32_t)v;
        text.n = (size_t)(slash - text.p);
    }
    out->kind = SIM_STATUS;
    if (!th_span_u64(text, 999, &v) || v < 100)
        return false;
    out->status = (unsigned)v;
    return true;
}

void sim_answers(struct sim *s, const char *host, const char *list)
{
    struct sim_host *h = sim_host(s, host);

    while (*list) {
        size_t n = strcspn(list, " ");
        struct sim_answer a;
        if (n) {
            if (!sim_answer_parse(th_span(list, n), &a))
                fail_msg("no answer: %.*s", (int)n, list);
            h->answers = realloc(h->answers, (h->answer_n + 1) * sizeof *h->answers);
            assert_non_null(h->answers);
            h->answers[h->answer_n++] = a;
        }
        list += n + (list[n] == ' ');
    }
}

void sim_always(struct sim *s, const char *host, const char *answer)
{
    if (!sim_answer_parse(th_str(answer), &sim_host(s, host)->always))
        fail_msg("no answer: %s", answer);
}

/* ---- transport ---- */

static void finish(struct sim *s, struct sim_request *r)
{
    static const struct {
        enum th_http_class class;
        const char *detail;
    } ends[] = {[SIM_WAIT] = {TH_HTTP_CANCELLED, "cancelled"},
                [SIM_STATUS] = {TH_HTTP_OK, NULL},
                [SIM_HANG] = {TH_HTTP_TIMEOUT, "no complete answer in time"},
                [SIM_REFUSE] = {TH_HTTP_CONNECT, "connection refused"},
                [SIM_RESET] = {TH_HTTP_RESET, "connection reset"},
                [SIM_TLS] = {TH_HTTP_TLS, "certificate not valid"},
                [SIM_BAD] = {TH_HTTP_PROTOCOL, "not HTTP"}};
    struct th_http_req *req = r->req;
    int64_t took = s->now_us - r->at_us;

    th_heap_remove(&s->ends, &r->node);
    r->req = NULL;
    r->ended_us = s->now_us;
    r->host->open--;
    req->res = (struct th_http_result){.class = ends[r->answer.kind].class,
                                       .detail = ends[r->answer.kind].detail,
                                       .retry_after_s = UINT32_MAX,
                                       .times = {took, took, took, took, took},
                                       .peer = r->addr};
    if (r->answer.kind == SIM_STATUS) {
        req->res.status = r->answer.status;
        req->res.head = TH_LIT("Server: sim\r\n");
        req->res.body = TH_LIT("{\"from\":\"sim\"}");
        if (r->answer.has_retry_after)
            req->res.retry_after_s = r->answer.retry_after_s;
    }
    if (s->on_answered)
        s->on_answered(s, r);
    s->turn_wanted = true;
    req->done(req);
    if (s->options.forget_requests)
        free(r);
}

static void schedule_end(struct sim *s, struct sim_request *r)
{
    int64_t deadline = r->req->deadline.us - SIM_S, at = s->now_us + r->answer.took_us;

    if (r->answer.kind == SIM_HANG || r->answer.kind == SIM_WAIT || at > deadline)
        at = deadline;
    if (r->node.pos)
        th_heap_remove(&s->ends, &r->node);
    assert_int_equal(th_heap_insert(&s->ends, &r->node, at, r->seq), TH_OK);
}

static char *copy(struct th_span a)
{
    char *p = malloc(a.n + 1);

    assert_non_null(p);
    if (a.n)
        memcpy(p, a.p, a.n);
    p[a.n] = 0;
    return p;
}

static char *copy_body(const struct th_http_req *req)
{
    size_t n = 0, at = 0;
    char *p;

    for (unsigned i = 0; i < req->body_count; i++)
        n += req->body[i].n;
    p = malloc(n + 1);
    assert_non_null(p);
    for (unsigned i = 0; i < req->body_count; i++) {
        memcpy(p + at, req->body[i].p, req->body[i].n);
        at += req->body[i].n;
    }
    p[n] = 0;
    return p;
}

static void remember(struct sim *s, struct sim_request *r)
{
    if (s->options.forget_requests)
        return;
    if (s->log_n == s->log_cap) {
        s->log_cap = s->log_cap ? s->log_cap * 2 : 256;
        s->log = realloc(s->log, s->log_cap * sizeof(struct sim_request *));
        assert_non_null(s->log);
    }
    s->log[s->log_n++] = r;
}

static void transport_submit(struct th_transport *t, struct th_http_req *req)
{
    struct sim *s = TH_CONTAINER(t, struct sim, transport);
    const struct th_attempt *a = TH_CONTAINER((struct th_outgoing *)req->user, struct th_attempt, out);
    struct sim_request *r = calloc(1, sizeof *r);
    const struct th_guard *guard = s->options.guard ? s->options.guard : &s->no_exceptions;

    assert_non_null(r);
    assert_in_range(req->addr_count, 1, TH_CONNECT_MAX);
    for (unsigned i = 0; i < req->addr_count; i++) {
        assert_true(th_guard_addr(guard, &req->addrs[i], NULL)); /* judged before, every one */
        assert_int_not_equal(req->addrs[i].port, 0);
    }
    assert_true(req->head.n > 2 && memcmp(req->head.p + req->head.n - 2, "\r\n", 2) == 0);
    assert_true(req->deadline.us > s->now_us + SIM_S);
    *r = (struct sim_request){.req = req,
                              .host = host_of(s, req->origin.host),
                              .at_us = s->now_us,
                              .ended_us = -1,
                              .wall = {SIM_WALL_START + s->now_us / 1000 + s->wall_step_ms},
                              .seq = ++s->requests,
                              .delivery = a->row.no,
                              .event = a->row.event,
                              .endpoint = a->row.endpoint,
                              .attempt = a->row.attempts + 1u,
                              .lane = a->row.lane,
                              .addr = req->addrs[0]};
    for (const struct th_attempt *m = th_batch_next(a, NULL); m; m = th_batch_next(a, m))
        r->mates[r->mate_n++] = (struct sim_mate){m->row.no, m->row.event, m->row.attempts + 1u, m->row.lane};
    if (!s->options.forget_texts) {
        r->head = copy(req->head);
        r->body = copy_body(req);
        r->target = copy(req->target);
    }
    r->host->requests++;
    if (++r->host->open > r->host->peak)
        r->host->peak = r->host->open;
    r->answer =
        r->host->answer_next < r->host->answer_n ? r->host->answers[r->host->answer_next++] : r->host->always;
    remember(s, r);
    if (s->on_request)
        s->on_request(s, r);
    schedule_end(s, r);
}

static struct sim_request *request_of(struct sim *s, const struct th_http_req *req)
{
    for (uint32_t i = 0; i < s->ends.n; i++) {
        struct sim_request *r = TH_CONTAINER(s->ends.v[i], struct sim_request, node);
        if (r->req == req)
            return r;
    }
    return NULL;
}

static void transport_cancel(struct th_transport *t, struct th_http_req *req)
{
    struct sim *s = TH_CONTAINER(t, struct sim, transport);
    struct sim_request *r = request_of(s, req);

    if (!r)
        fail_msg("cancel of a request that is not under way");
    r->answer = (struct sim_answer){.kind = SIM_WAIT};
    th_heap_rekey(&s->ends, &r->node, s->now_us);
}

static const struct th_transport_vt transport_vt = {transport_submit, transport_cancel};

void sim_reply(struct sim *s, struct sim_request *r, struct sim_answer answer)
{
    if (!r->req)
        fail_msg("the request has its answer already");
    r->answer = answer;
    schedule_end(s, r);
}

/* ---- resolver ---- */

static void resolver_submit(struct th_resolver *resolver, struct th_resolve *r)
{
    struct sim *s = TH_CONTAINER(resolver, struct sim, resolver);
    struct sim_host *h = host_of(s, r->host);
    struct lookup *l = calloc(1, sizeof *l);
    int64_t deadline = r->deadline.us - SIM_S, at;

    assert_non_null(l);
    l->r = r;
    if (h->dns_n) {
        l->answer = h->dns[h->dns_next];
        h->dns_next += h->dns_next + 1 < h->dns_n;
    } else {
        l->answer.count = 1;
        assert_true(th_addr_parse(TH_LIT("93.184.216.34"), &l->answer.addrs[0]));
    }
    h->lookups++;
    at = l->answer.took_us == SIM_NEVER ? SIM_NEVER : s->now_us + l->answer.took_us;
    if (at > deadline) {
        at = deadline;
        l->answer = (struct sim_dns){.error = TH_TIMEOUT};
    }
    assert_int_equal(th_heap_insert(&s->lookups, &l->node, at, ++s->requests), TH_OK);
    s->turn_wanted = true;
}

static void resolver_cancel(struct th_resolver *resolver, struct th_resolve *r)
{
    struct sim *s = TH_CONTAINER(resolver, struct sim, resolver);

    for (uint32_t i = 0; i < s->lookups.n; i++) {
        struct lookup *l = TH_CONTAINER(s->lookups.v[i], struct lookup, node);
        if (l->r != r)
            continue;
        l->answer = (struct sim_dns){.error = TH_CANCELLED};
        th_heap_rekey(&s->lookups, &l->node, s->now_us);
        return;
    }
    fail_msg("cancel of a look-up that is not under way");
}

static const struct th_resolver_vt resolver_vt = {resolver_submit, resolver_cancel};

void sim_dns_add(struct sim *s, const char *host, const struct sim_dns *answer)
{
    struct sim_host *h = sim_host(s, host);

    h->dns = realloc(h->dns, (h->dns_n + 1) * sizeof *h->dns);
    assert_non_null(h->dns);
    h->dns[h->dns_n++] = *answer;
}

void sim_dns(struct sim *s, const char *host, const char *answer)
{
    struct sim_dns d = {0};
    const char *plus = strchr(answer, '+');

    if (plus && !duration(th_str(plus + 1), &d.took_us))
        fail_msg("no duration: %s", answer);

    if (strcmp(answer, "nxdomain") == 0) {
        d.error = TH_NOT_FOUND;
    } else if (strcmp(answer, "servfail") == 0) {
        d.error = TH_RETRY;
    } else if (strcmp(answer, "timeout") == 0) {
        d.took_us = SIM_NEVER;
    } else {
        while (*answer && *answer != '+') {
            size_t n = strcspn(answer, ",+");
            if (d.count == TH_RESOLVE_MAX || !th_addr_parse(th_span(answer, n), &d.addrs[d.count]))
                fail_msg("no address: %s", answer);
            d.count++;
            answer += n + (answer[n] == ',');
        }
    }
    sim_dns_add(s, host, &d);
}

/* ---- time ---- */

void sim_net_init(struct sim *s)
{
    s->transport.vt = &transport_vt;
    s->resolver.vt = &resolver_vt;
    th_smap_init(&s->hosts, 1u << 20, 1);
    th_heap_init(&s->ends, 1u << 20);
    th_heap_init(&s->lookups, 1u << 20);
}

int64_t sim_net_next_us(const struct sim *s)
{
    int64_t at = th_heap_top(&s->ends) ? th_heap_top(&s->ends)->key : SIM_NEVER;

    if (th_heap_top(&s->lookups) && th_heap_top(&s->lookups)->key < at)
        at = th_heap_top(&s->lookups)->key;
    return at;
}

void sim_net_advance(struct sim *s)
{
    struct th_heap_node *n;

    while ((n = th_heap_top(&s->lookups)) && n->key <= s->now_us) {
        struct lookup *l = TH_CONTAINER(n, struct lookup, node);
        struct th_resolve *r = l->r;
        th_heap_remove(&s->lookups, n);
        r->error = l->answer.error;
        r->count = l->answer.count;
        r->addrs = l->answer.addrs;
        s->turn_wanted = true;
        r->done(r);
        free(l);
    }
    while ((n = th_heap_top(&s->ends)) && n->key <= s->now_us) {
        struct sim_request *r = TH_CONTAINER(n, struct sim_request, node);
        if (r->answer.kind == SIM_WAIT && r->req->deadline.us - SIM_S <= s->now_us)
            r->answer.kind = SIM_HANG; /* nobody replied */
        else if (r->answer.kind == SIM_STATUS && s->now_us - r->at_us < r->answer.took_us &&
                 r->req->deadline.us - SIM_S <= s->now_us)
            r->answer.kind = SIM_HANG; /* the answer would have come too late */
        finish(s, r);
    }
}

void sim_net_crash(struct sim *s)
{
    struct th_heap_node *n;

    while ((n = th_heap_top(&s->ends))) {
        struct sim_request *r = TH_CONTAINER(n, struct sim_request, node);
        th_heap_remove(&s->ends, n);
        sim_bury(s, r->req);
        r->req = NULL;
        r->lost = true;
        r->host->open--;
        if (s->on_answered)
            s->on_answered(s, r);
        if (s->options.forget_requests)
            free(r);
    }
    while ((n = th_heap_top(&s->lookups))) {
        struct lookup *l = TH_CONTAINER(n, struct lookup, node);
        th_heap_remove(&s->lookups, n);
        sim_bury(s, l->r);
        free(l);
    }
}

void sim_net_fini(struct sim *s)
{
    struct th_span name;
    size_t i = 0;
    void *v;

    while (th_smap_next(&s->hosts, &i, &name, &v)) {
        struct sim_host *h = v;
        free(h->name);
        free(h->answers);
        free(h->dns);
        free(h);
    }
    th_smap_fini(&s->hosts);
    for (size_t k = 0; k < s->log_n; k++) {
        free(s->log[k]->head);
        free(s->log[k]->body);
        free(s->log[k]->target);
        free(s->log[k]);
    }
    free(s->log);
    th_heap_fini(&s->ends);
    th_heap_fini(&s->lookups);
}

const char *sim_header(const struct sim_request *r, const char *name)
{
    static char value[8192];
    size_t n = strlen(name);

    for (const char *p = r->head; p && *p;) {
        const char *eol = strstr(p, "\r\n");
        assert_non_null(eol);
        if ((size_t)(eol - p) > n && p[n] == ':' && th_span_ieq(th_span(p, n), th_str(name))) {
            snprintf(value, sizeof value, "%.*s", (int)(eol - p - (long)n - 2), p + n + 2);
            return value;
        }
        p = eol + 2;
    }
    return NULL;
}
