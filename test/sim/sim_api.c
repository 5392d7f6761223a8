/* What a user does through the API, as calls that run the world until they are done. */
#include "sim/sim.h"

#define WAIT_US (120 * SIM_S)

/* ---- changes ---- */

struct changing {
    struct th_change c;
    bool done;
    uint64_t endpoint;
};

static void change_done(struct th_change *c)
{
    struct changing *g = TH_CONTAINER(c, struct changing, c);

    g->done = true;
    if (c->result == TH_CH_DONE && c->ep)
        g->endpoint = c->ep->no;
}

static bool is_changed(struct sim *s, void *arg)
{
    (void)s;
    return ((struct changing *)arg)->done;
}

static enum th_change_result run(struct sim *s, struct changing *g)
{
    g->c.done = change_done;
    th_engine_change(s->engine, &g->c);
    if (!sim_run_to(s, s->now_us + WAIT_US, is_changed, g))
        fail_msg("a change of settings does not end");
    return g->c.result;
}

/* Keeps the clear text of a secret that a change has made. */
static void remember_secret(struct sim *s, uint64_t endpoint, const struct th_change *c)
{
    struct sim_secret *one;

    if (c->result != TH_CH_DONE || c->secret_text.n == 0 || c->secret_text.n >= sizeof one->text)
        return;
    s->known = realloc(s->known, (s->known_n + 1) * sizeof *s->known);
    assert_non_null(s->known);
    one = &s->known[s->known_n++];
    *one = (struct sim_secret){.endpoint = endpoint};
    memcpy(one->text, c->secret_text.p, c->secret_text.n);
}

const char *sim_secret(const struct sim *s, uint64_t endpoint, unsigned nth)
{
    for (size_t i = 0; i < s->known_n; i++)
        if (s->known[i].endpoint == endpoint && --nth == 0)
            return s->known[i].text;
    return NULL;
}

uint64_t sim_tenant_no(struct sim *s, const char *id)
{
    struct th_tenant *t = th_engine_tenant(s->engine, th_str(id));

    return t ? t->no : 0;
}

void sim_tenant(struct sim *s, const char *id, const char *dialect)
{
    struct changing g = {
        .c = {.kind = TH_CHANGE_TENANT_PUT, .tenant_id = th_str(id), .tenant_put.dialect = th_str(dialect)}};

    if (run(s, &g) != TH_CH_DONE)
        fail_msg("tenant %s: %s", id, g.c.error_count ? g.c.errors[0].detail : g.c.detail);
    th_change_fini(&g.c);
}

struct spec_texts {
    struct th_retry_own retry;
    struct th_span events[32];
};

static void fill_spec(struct th_endpoint_spec *to, const struct sim_spec *from, struct spec_texts *texts)
{
    const char *p = from->events;

    *to = (struct th_endpoint_spec){.url = th_str(from->url),
                                    .events = texts->events,
                                    .active = !from->inactive,
                                    .timeout_ms = from->timeout_s * 1000,
                                    .max_in_flight = from->max_in_flight,
                                    .rate_per_s = from->rate_per_s,
                                    .ordering = from->ordering,
                                    .headers = from->header,
                                    .header_count = from->headers};
    if (from->variant)
        to->variant = th_str(from->variant);
    to->reenable_on_test = from->reenable_on_test;
    if (from->retry && strcmp(from->retry, "null") != 0) {
        struct th_retry_fault fault;
        struct th_json json;
        texts->retry = (struct th_retry_own){.delays = 0};
        assert_int_equal(th_json_parse(th_str(from->retry), 4, &json, NULL), TH_OK);
        assert_int_equal(th_retry_own_read(json, &texts->retry, &fault), TH_OK);
        to->retry = &texts->retry;
    }
    while (p && *p) {
        size_t n = strcspn(p, ",");
        assert_in_range(to->event_count, 0, 31);
        texts->events[to->event_count++] = th_span(p, n);
        p += n + (p[n] == ',');
    }
}

enum th_change_result sim_try_endpoint(struct sim *s, const struct sim_spec *spec, uint64_t *no, char *why,
                                       size_t why_size)
{
    struct changing g = {.c = {.kind = TH_CHANGE_ENDPOINT_ADD, .tenant_id = th_str(spec->tenant)}};
    struct spec_texts texts;

    fill_spec(&g.c.endpoint_put.spec, spec, &texts);
    if (spec->secret)
        g.c.endpoint_put.secret = th_str(spec->secret);
    (void)run(s, &g);
    snprintf(why, why_size, "%s %s", g.c.error_count ? g.c.errors[0].field : "",
             g.c.error_count ? g.c.errors[0].detail : g.c.detail);
    *no = g.endpoint;
    remember_secret(s, g.endpoint, &g.c);
    th_change_fini(&g.c);
    return g.c.result;
}

uint64_t sim_endpoint(struct sim *s, const struct sim_spec *spec)
{
    char why[400];
    uint64_t no = 0;

    if (sim_try_endpoint(s, spec, &no, why, sizeof why) != TH_CH_DONE)
        fail_msg("endpoint %s: %s", spec->url, why);
    return no;
}

struct th_endpoint *sim_ep(struct sim *s, uint64_t no)
{
    return th_engine_endpoint_no(s->engine, no);
}

/* As a PATCH does it: the endpoint as it is, with some members changed. */
static enum th_change_result patch(struct sim *s, uint64_t no, const struct th_endpoint_spec *spec,
                                   bool clear)
{
    struct th_endpoint *ep = sim_ep(s, no);
    struct changing g = {.c = {.kind = TH_CHANGE_ENDPOINT_SET,
                               .endpoint = no,
                               .endpoint_put = {.spec = *spec, .clear_disabled = clear}}};

    assert_non_null(ep);
    g.c.tenant_id = ep->tenant->id;
    (void)run(s, &g);
    th_change_fini(&g.c);
    return g.c.result;
}

enum th_change_result sim_set_active(struct sim *s, uint64_t endpoint, bool active)
{
    struct th_endpoint_spec spec;

    assert_non_null(sim_ep(s, endpoint));
    spec = sim_ep(s, endpoint)->spec;
    spec.active = active;
    return patch(s, endpoint, &spec, active);
}

enum th_change_result sim_edit(struct sim *s, uint64_t endpoint, const struct sim_spec *change)
{
    struct th_endpoint_spec spec, given;
    struct spec_texts texts;

    assert_non_null(sim_ep(s, endpoint));
    spec = sim_ep(s, endpoint)->spec;
    fill_spec(&given, change, &texts);
    if (change->url)
        spec.url = given.url;
    if (given.event_count) {
        spec.events = given.events;
        spec.event_count = given.event_count;
    }
    if (given.timeout_ms)
        spec.timeout_ms = given.timeout_ms;
    if (given.max_in_flight)
        spec.max_in_flight = given.max_in_flight;
    if (given.rate_per_s > 0)
        spec.rate_per_s = given.rate_per_s;
    if (given.ordering.by)
        spec.ordering = given.ordering;
    if (change->variant)
        spec.variant = given.variant;
    if (change->retry)
        spec.retry = given.retry;
    if (given.header_count) {
        spec.headers = given.headers;
        spec.header_count = given.header_count;
    }
    return patch(s, endpoint, &spec, false);
}

static enum th_change_result simple(struct sim *s, enum th_change_kind kind, uint64_t endpoint,
                                    int64_t overlap_s)
{
    struct th_endpoint *ep = sim_ep(s, endpoint);
    struct changing g = {.c = {.kind = kind, .endpoint = endpoint}};

    if (!ep)
        return TH_CH_NOT_FOUND;
    g.c.tenant_id = ep->tenant->id;
    if (kind == TH_CHANGE_SECRET_ROTATE) {
        g.c.rotate.overlap_given = overlap_s > -2;
        g.c.rotate.overlap_null = overlap_s == -1;
        g.c.rotate.overlap_s = overlap_s;
    }
    (void)run(s, &g);
    remember_secret(s, endpoint, &g.c);
    th_change_fini(&g.c);
    return g.c.result;
}

enum th_change_result sim_delete(struct sim *s, uint64_t endpoint)
{
    return simple(s, TH_CHANGE_ENDPOINT_DEL, endpoint, -2);
}

enum th_change_result sim_rotate(struct sim *s, uint64_t endpoint, int64_t overlap_s)
{
    return simple(s, TH_CHANGE_SECRET_ROTATE, endpoint, overlap_s);
}

enum th_change_result sim_revoke(struct sim *s, uint64_t endpoint)
{
    return simple(s, TH_CHANGE_SECRET_REVOKE, endpoint, -2);
}

enum th_change_result sim_delete_tenant(struct sim *s, const char *id)
{
    struct changing g = {.c = {.kind = TH_CHANGE_TENANT_DEL, .tenant_id = th_str(id)}};

    (void)run(s, &g);
    th_change_fini(&g.c);
    return g.c.result;
}

/* ---- publishing ---- */

struct sim_publishing {
    struct th_publish p;
    struct th_publish_event ev;
    struct sim_event e;
    struct sim *s;
    void (*finished)(struct sim *, struct sim_publishing *);
    void *user;
    bool done;
};

static void publish_done(struct th_publish *p)
{
    struct sim_publishing *g = TH_CONTAINER(p, struct sim_publishing, p);

    g->done = true;
    g->e.result = p->result;
    g->e.first_delivery = p->first_delivery;
    g->e.row = g->ev.row;
    g->e.no = g->ev.row.no;
    g->e.deliveries = g->ev.row.deliveries;
    snprintf(g->e.detail, sizeof g->e.detail, "%s", p->detail);
    if (g->finished) {
        g->finished(g->s, g);
        free(g);
    }
}

static struct th_span opt(const char *s)
{
    return s ? th_str(s) : th_span("", 0);
}

static struct sim_publishing *begin(struct sim *s, const struct sim_event *e,
                                    void (*finished)(struct sim *, struct sim_publishing *))
{
    struct sim_publishing *g = calloc(1, sizeof *g);
    struct th_engine *engine = sim_any(s);
    int64_t now_ms;

    assert_non_null(g);
    g->s = s;
    g->e = *e;
    g->finished = finished;
    g->ev = (struct th_publish_event){.type = th_str(e->type),
                                      .data = opt(e->data ? e->data : "{}"),
                                      .external_id = opt(e->external_id),
                                      .resource_type = opt(NULL),
                                      .resource_id = opt(e->resource_id ? e->resource_id : "r1")};
    /* the engine's own time is that of its last turn */
    now_ms = SIM_WALL_START + s->now_us / 1000 + s->wall_step_ms;
    if (e->deliver_in_ms)
        g->ev.deliver_at = now_ms + e->deliver_in_ms;
    if (e->expires_in_ms)
        g->ev.expires_at = now_ms + e->expires_in_ms;
    g->p = (struct th_publish){.tenant = th_engine_tenant(engine, opt(e->tenant ? e->tenant : "default")),
                               .count = 1,
                               .events = &g->ev,
                               .only = e->only ? sim_ep(s, e->only) : NULL,
                               .done = publish_done};
    assert_non_null(g->p.tenant);
    if (e->key) {
        uint8_t hash[32];
        g->p.idem.given = true;
        th_sha256(e->key, strlen(e->key), hash);
        memcpy(g->p.idem.key, hash, sizeof g->p.idem.key);
        th_sha256(g->ev.data.p, g->ev.data.n, hash);
        memcpy(g->p.idem.body, hash, sizeof g->p.idem.body);
    }
    th_engine_publish(engine, &g->p);
    s->turn_wanted = true;
    return g;
}

struct sim_publishing *sim_publish_begin(struct sim *s, const struct sim_event *e,
                                         void (*finished)(struct sim *, struct sim_publishing *))
{
    return begin(s, e, finished);
}

const struct sim_event *sim_publishing_event(const struct sim_publishing *p)
{
    return &p->e;
}

void *sim_publishing_user(const struct sim_publishing *p)
{
    return p->user;
}

void sim_publishing_set_user(struct sim_publishing *p, void *user)
{
    p->user = user;
}

static bool is_published(struct sim *s, void *arg)
{
    (void)s;
    return ((struct sim_publishing *)arg)->done;
}

enum th_publish_result sim_publish(struct sim *s, struct sim_event *e)
{
    struct sim_publishing *g = begin(s, e, NULL);

    if (!sim_run_to(s, s->now_us + WAIT_US, is_published, g))
        fail_msg("a publish does not end");
    *e = g->e;
    free(g);
    return e->result;
}

/* ---- deliveries ---- */

struct retrying {
    struct th_retry_now r;
    bool done;
};

static void retry_done(struct th_retry_now *r)
{
    TH_CONTAINER(r, struct retrying, r)->done = true;
}

static bool is_retried(struct sim *s, void *arg)
{
    (void)s;
    return ((struct retrying *)arg)->done;
}

enum th_error sim_retry(struct sim *s, uint64_t delivery)
{
    struct retrying g = {.r = {.delivery = delivery, .done = retry_done}};

    for (size_t i = 0; i < s->log_n; i++) /* where there is one engine it need not be known */
        if (s->log[i]->delivery == delivery)
            g.r.endpoint = s->log[i]->endpoint;

    th_engine_retry(s->engine, &g.r);
    s->turn_wanted = true;
    if (!sim_run_to(s, s->now_us + WAIT_US, is_retried, &g))
        fail_msg("a retry does not end");
    return g.r.error;
}

struct sim_cancelling {
    struct th_cancel_now c;
    bool done;
};

static void cancel_done(struct th_cancel_now *c)
{
    TH_CONTAINER(c, struct sim_cancelling, c)->done = true;
}

static bool is_cancelled(struct sim *s, void *ctx)
{
    (void)s;
    return ((const struct sim_cancelling *)ctx)->done;
}

enum th_error sim_cancel(struct sim *s, uint64_t first, uint32_t count, uint32_t *cancelled)
{
    struct sim_cancelling g = {.c = {.first = first, .count = count, .done = cancel_done}};

    th_engine_cancel(s->engine, &g.c);
    s->turn_wanted = true;
    if (!sim_run_to(s, s->now_us + WAIT_US, is_cancelled, &g))
        fail_msg("a cancel does not end");
    *cancelled = g.c.cancelled;
    return g.c.error;
}

struct paging {
    struct th_page page;
    bool done;
};

static void page_done(struct th_op *op)
{
    struct paging *g = op->user;

    g->done = true;
}

static bool is_read(struct sim *s, void *arg)
{
    (void)s;
    return ((struct paging *)arg)->done;
}

struct sim_delivery sim_delivery(struct sim *s, uint64_t tenant, uint64_t delivery, uint64_t event,
                                 uint64_t endpoint)
{
    struct paging g = {.page = {.kind = TH_PAGE_DELIVERIES,
                                .tenant = tenant,
                                .no = delivery,
                                .event = event,
                                .endpoint = endpoint,
                                .limit = 1}};
    struct sim_delivery d = {0};

    g.page.op = (struct th_op){.kind = TH_OP_PAGE, .done = page_done, .user = &g};
    th_engine_read(s->engine, &g.page.op);
    if (!sim_run_to(s, s->now_us + WAIT_US, is_read, &g))
        fail_msg("a list does not end");
    assert_int_equal(g.page.op.error, TH_OK);
    if (g.page.count) {
        const struct th_delivery_row *row = &g.page.rows.deliveries[0];
        d = (struct sim_delivery){.found = true,
                                  .no = row->no,
                                  .endpoint = row->endpoint,
                                  .state = row->state,
                                  .attempts = row->attempts,
                                  .tries = row->tries};
        d.status = th_engine_status(s->engine, row, &d.reason);
    }
    th_engine_page_free(s->engine, &g.page);
    return d;
}
