/* Publishing: check, match, one accept op, and only after its commit the answer and the scheduler.
 *
 * The accept carries the settings version that it matched against; when a change was committed between, the store answers
 * STALE and the match is made again: "register, then publish" is exact. If the process dies before the commit the publisher
 * hears nothing and tries again; after it, recovery finds the deliveries. */
#include "engine/shard/ingest.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/filters.h"
#include "engine/settings/limits.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/shard/events.h"
#include "engine/shard/fanout.h"
#include "engine/shard/fence.h"
#include "engine/shard/near.h"
#include "engine/shard/offer.h"
#include "engine/shard/operator.h"
#include "engine/shard/order.h"
#include "engine/shard/trace.h"
#include "engine/state.h"
#include <stdio.h>

#define MAX_ACCEPT_BYTES (64u << 20)     /* publishes waiting for their commit */
#define KEEP_ACCEPT (2u << 20)           /* one with more than that does not leave its events in memory */
#define MAX_ACCEPT_DELIVERIES (1u << 18) /* of one publish: their endpoints are held until its commit */

struct ingest {
    struct th_list link;
    struct th_engine *e;
    struct th_publish *p;
    struct th_deferred defer;
    struct th_accept op;
    struct th_new_event one; /* the common case: one event */
    struct th_new_event *events;
    uint64_t few[16], *endpoints; /* matched endpoints of all events, one after the other */
    uint8_t *marks;               /* of each; NULL: none has one */
    uint64_t *orders;             /* line of each; NULL: none has one */
    size_t endpoint_cap, bytes;
    bool unknown; /* nobody knows the outcome of the accept, and it has been sent again */
    struct th_mono began;
    struct th_load load; /* of a replayed answer */
    uint64_t *load_nos;
    struct th_event_row *load_rows;
    int64_t longest_ms;    /* of the schedules of the tenant's endpoints; 0: not asked for */
    uint64_t longest_of;   /* with the settings of this version */
    uint64_t only, except; /* endpoints by number: they may be deleted before a second match */
    bool by_name, too_many;
    bool internal; /* the engine's own report: no limit of the tenant refuses it */
    unsigned tries;
    /* matching, which may take several turns */
    size_t matched; /* endpoints so far */
    uint32_t at;    /* the event whose endpoints are looked for */
    unsigned
        at_list; /* 0: those that are walked; then those of its type, then those of the paths of the index */
    unsigned at_endpoint;   /* the next to be looked at */
    bool judged;            /* the event `at` has been asked whether it fits the schema of its type */
    uint64_t match_version; /* the settings that it is made for */
};

bool th_ingest_matches(const struct th_ep *ep, struct th_span type)
{
    const struct th_endpoint_spec *s = &ep->pub.spec;

    if (ep->pub.run->all)
        return true;
    if (ep->pub.run->want)
        return th_texts_wanted_has(ep->pub.run, type, false);
    for (unsigned i = 0; i < s->event_count; i++) {
        if (th_pattern_has(s->events[i], type))
            return true;
    }
    return false;
}

bool th_engine_subscribes(const struct th_endpoint *ep, struct th_span type)
{
    return th_ingest_matches(TH_CONTAINER(ep, struct th_ep, pub), type);
}

static bool named(const struct th_endpoint *ep, struct th_span type)
{
    if (ep->run->want)
        return th_texts_wanted_has(ep->run, type, true);
    for (unsigned i = 0; i < ep->spec.event_count; i++)
        if (th_span_eq(ep->spec.events[i], type))
            return true;
    return false;
}

static struct ingest *ingest_get(struct th_engine *e, uint32_t count)
{
    struct th_list *l = th_list_pop(&e->free_ingests);
    struct ingest *g = l ? TH_CONTAINER(l, struct ingest, link) : th_calloc(1, sizeof *g);

    if (!g)
        return NULL;
    *g = (struct ingest){.e = e};
    th_list_init(&g->link);
    g->match_version = UINT64_MAX;
    g->endpoints = g->few;
    g->endpoint_cap = sizeof g->few / sizeof g->few[0];
    g->events = &g->one;
    if (count > 1) {
        g->events = th_calloc(count, sizeof *g->events);
        if (!g->events) {
            th_free(g);
            return NULL;
        }
    }
    e->ingests_out++;
    return g;
}

static void ingest_put(struct ingest *g)
{
    struct th_engine *e = g->e;

    TH_CHECK(e->ingests_out && e->accept_bytes >= g->bytes);
    e->ingests_out--;
    e->accept_bytes -= g->bytes;
    if (g->events != &g->one)
        th_free(g->events);
    if (g->endpoints != g->few)
        th_free(g->endpoints);
    th_free(g->marks);
    th_free(g->orders);
    th_free(g->load_nos);
    th_free(g->load_rows);
    th_list_append(&e->free_ingests, &g->link);
}

void th_ingest_free(struct th_engine *e)
{
    struct th_list *l;

    while ((l = th_list_pop(&e->free_ingests)))
        th_free(TH_CONTAINER(l, struct ingest, link));
    while ((l = th_list_pop(&e->notices)))
        th_free(TH_CONTAINER(l, struct th_notice, link));
}

static void finish(struct ingest *g, enum th_publish_result result)
{
    struct th_publish *p = g->p;
    struct th_engine *e = g->e;

    p->result = result;
    if (result == TH_PUB_ACCEPTED)
        th_observe(e->options.metrics, TH_H_ACCEPT_SECONDS, e->now.mono.us - g->began.us);
    else if (result != TH_PUB_REPEATED)
        th_count(e->options.metrics, TH_C_EVENTS_REFUSED, 1);
    ingest_put(g);
    p->done(p);
}

static void finish_deferred(void *arg)
{
    struct ingest *g = arg;

    finish(g, g->p->result);
}

static void refuse(struct ingest *g, enum th_publish_result result, uint32_t bad, const char *field,
                   const char *detail)
{
    g->p->result = result;
    g->p->bad = bad;
    g->p->field = field;
    snprintf(g->p->detail, sizeof g->p->detail, "%s", detail);
    th_engine_defer(g->e, &g->defer, finish_deferred, g);
}

/* ---- check ---- */

/* The longest schedule of the tenant. Only publishes of events that are put off ask for it. */
static int64_t longest_schedule(struct ingest *g)
{
    const struct th_tenant *t = g->p->tenant;
    const struct th_rules *rules = &th_dialect_values(t->dialect)->rules;
    struct th_rules room;

    if (!g->longest_ms)
        g->longest_ms = th_retry_longest_ms(rules);
    for (unsigned i = 0; g->longest_of != t->version && i < t->endpoint_count; i++)
        if (t->endpoints[i]->spec.retry) {
            int64_t ms = th_retry_longest_ms(th_retry_rules(rules, t->endpoints[i]->spec.retry, &room));
            g->longest_ms = ms > g->longest_ms ? ms : g->longest_ms;
        }
    g->longest_of = t->version;
    return g->longest_ms;
}

/* How long the tenant's events are kept; 0: for ever. */
static int64_t kept_ms(const struct ingest *g)
{
    int64_t all = g->e->options.retention_ms, own = g->p->tenant->retention_s * 1000;

    return own && (!all || own < all) ? own : all;
}

/* False: refused. */
static bool check_times(struct ingest *g, uint32_t n)
{
    const struct th_publish_event *ev = &g->p->events[n];
    int64_t now = g->e->now.wall.ms, kept = kept_ms(g), last;
    char text[200];

    if (!ev->deliver_at && !ev->expires_at)
        return true;
    if (ev->expires_at && ev->expires_at <= now) {
        refuse(g, TH_PUB_INVALID, n, "expires_at", "is in the past, so nothing would be sent");
        return false;
    }
    if (ev->expires_at && ev->expires_at <= ev->deliver_at) {
        refuse(g, TH_PUB_INVALID, n, "expires_at", "must be later than deliver_at");
        return false;
    }
    if (ev->deliver_at <= now || !kept)
        return true;
    last = ev->deliver_at + longest_schedule(g);
    if (ev->expires_at && ev->expires_at < last)
        last = ev->expires_at;
    if (last - now < kept)
        return true;
    snprintf(
        text, sizeof text,
        "is too late: with the longest schedule (%lld s) behind it the event would be sent until after its "
        "retention (%lld s), which deletes it; give an earlier time, or expires_at",
        (long long)(longest_schedule(g) / 1000), (long long)(kept / 1000));
    refuse(g, TH_PUB_INVALID, n, "deliver_at", text);
    return false;
}

static bool check_event(struct ingest *g, uint32_t n, const struct th_dialect *d)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_publish_event *ev = &g->p->events[n];
    struct th_render r;
    const char *missing;
    char text[160];

    if (!th_dialect_type_ok(d, ev->type, false)) {
        refuse(g, TH_PUB_INVALID, n, "type",
               "must be letters, digits, \"_\" and \"-\" joined by \".\", at most 128 bytes");
        return false;
    }
    if (v->exhausted_event.n && th_span_eq(v->exhausted_event, ev->type) && !g->by_name) {
        refuse(g, TH_PUB_INVALID, n, "type",
               "is reserved: the engine itself publishes it when a delivery has failed for good");
        return false;
    }
    if (!th_dialect_type_known(d, ev->type) && !(g->only && th_span_is(ev->type, TH_TEST_TYPE))) {
        refuse(g, TH_PUB_INVALID, n, "type", "is not an event type of this tenant's catalogue");
        return false;
    }
    if (ev->external_id.n && !th_id_ok(ev->external_id)) {
        refuse(g, TH_PUB_INVALID, n, "id", "must be 1 to 128 of letters, digits, \"_\" and \"-\"");
        return false;
    }
    if (ev->data.n > v->body_max) {
        snprintf(text, sizeof text, "data has %zu bytes; at most %u are allowed", ev->data.n, v->body_max);
        refuse(g, TH_PUB_TOO_LARGE, n, "data", text);
        return false;
    }
    if (!check_times(g, n))
        return false;
    if (ev->resource_type.n == 0)
        ev->resource_type = th_dialect_resource(d, ev->type);
    r = (struct th_render){.event_id = TH_LIT("x"),
                           .event_type = ev->type,
                           .data = ev->data,
                           .resource_type = ev->resource_type,
                           .resource_id = ev->resource_id,
                           .tenant_id = g->p->tenant->id,
                           .attributes = g->p->tenant->attributes};
    missing = th_dialect_missing(d, &r);
    if (missing) {
        refuse(g, TH_PUB_INVALID, n, missing, "is required by the dialect of this tenant");
        return false;
    }
    return true;
}

/* ---- match ---- */

#define MATCH_STEP 20000 /* comparisons in one go: a part of a millisecond */
enum match_result { MATCH_DONE, MATCH_MORE, MATCH_FAILED, MATCH_REFUSED };

static void match_more(void *arg);
static void stale(struct ingest *g);
static bool gone(struct ingest *g);

static bool wants(const struct ingest *g, const struct th_endpoint *ep, const struct th_publish_event *ev)
{
    const struct th_rules *rules = &th_dialect_values(ep->tenant->dialect)->rules;
    struct th_span type = ev->type;

    if (ep->no == g->except || (g->by_name && !named(ep, type)))
        return false;
    if (ep->disabled_at.ms && rules->drop_while_disabled)
        return false;
    if (ep->spec.channels.n && !th_filters_channels_share(ep->spec.channels, ev->channels))
        return false;
    return th_ingest_matches(TH_CONTAINER(ep, struct th_ep, pub), type);
}

static bool grow_marks(struct ingest *g, size_t n, size_t cap)
{
    uint8_t *marks = g->marks ? th_realloc(g->marks, cap) : NULL;

    if (!marks)
        return !g->marks;
    memset(marks + n, 0, cap - n);
    g->marks = marks;
    return true;
}

/* Of the endpoint that was added last. */
static bool add_mark(struct ingest *g, size_t n, uint8_t marks)
{
    if (!g->marks)
        g->marks = th_calloc(1, g->endpoint_cap);
    if (!g->marks)
        return false;
    g->marks[n - 1] = marks;
    return true;
}

static bool grow_orders(struct ingest *g, size_t n, size_t cap)
{
    uint64_t *orders = g->orders ? th_realloc(g->orders, cap * sizeof *orders) : NULL;

    if (!orders)
        return !g->orders;
    memset(orders + n, 0, (cap - n) * sizeof *orders);
    g->orders = orders;
    return true;
}

/* Of the endpoint that was added last. */
static bool add_order(struct ingest *g, size_t n, uint64_t order)
{
    if (!order)
        return true;
    if (!g->orders)
        g->orders = th_calloc(g->endpoint_cap, sizeof *g->orders);
    if (!g->orders)
        return false;
    g->orders[n - 1] = order;
    return true;
}

static bool add_endpoint(struct ingest *g, size_t *n, uint64_t no)
{
    if (*n == g->endpoint_cap) {
        size_t cap = g->endpoint_cap * 2;
        uint64_t *v = cap > MAX_ACCEPT_DELIVERIES ? NULL : th_malloc(cap * sizeof *v);
        g->too_many = cap > MAX_ACCEPT_DELIVERIES;
        if (!v)
            return false;
        if (!grow_marks(g, *n, cap) || !grow_orders(g, *n, cap)) {
            th_free(v);
            return false;
        }
        memcpy(v, g->endpoints, *n * sizeof *v);
        if (g->endpoints != g->few)
            th_free(g->endpoints);
        g->endpoints = v;
        g->endpoint_cap = cap;
    }
    if (g->marks)
        g->marks[*n] = 0; /* a match that was begun before */
    if (g->orders)
        g->orders[*n] = 0;
    g->endpoints[(*n)++] = no;
    return true;
}

/* The same endpoints as those of the event before, which has the same type. False: no room. */
static bool repeat_match(struct ingest *g)
{
    uint32_t count = g->events[g->at - 1].endpoint_count;
    size_t from = g->matched - count;

    for (uint32_t i = 0; i < count; i++)
        if (!add_endpoint(g, &g->matched, g->endpoints[from + i]))
            return false;
    return true;
}

static void spend(unsigned *left, size_t cost)
{
    *left = cost < *left ? *left - (unsigned)cost : 0;
}

/* What filters look at: of the event `at`, read when the first one asks for it in this go. NULL: no memory; the publish is refused then, so
 * that nobody who waits for a value misses it. */
static const struct th_filter_event *event_of(struct ingest *g, bool *read, unsigned *left)
{
    if (!*read) {
        spend(left, g->p->events[g->at].data.n / 64);
        *read = th_filter_read(g->e->filtering, &g->p->events[g->at], g->events[g->at].time);
    }
    return *read ? g->e->filtering : NULL;
}

/* What the catalogue says of the event `at`: its version, and whether it fits the schema. */
static enum match_result judge(struct ingest *g, bool *read, unsigned *left)
{
    struct th_publish *p = g->p;
    const struct th_publish_event *ev = &p->events[g->at];
    const struct th_event_type *type = th_engine_event_type(g->e, p->tenant, ev->type);
    struct th_event_more *more = &g->events[g->at].more;
    enum th_schema_answer answer;
    const struct th_filter_event *of;
    struct th_schema_why *why;
    uint32_t steps = TH_SCHEMA_STEPS;
    enum th_validate validate;
    char text[200];

    if (g->p->copies) /* it was judged when it was accepted */
        return MATCH_DONE;
    more->version = type && type->version_count ? type->versions[0].version : 0;
    more->marks = 0;
    validate = type && !g->only && !g->internal ? th_event_type_validates(g->e, type) : TH_VALIDATE_OFF;
    if (validate == TH_VALIDATE_OFF)
        return MATCH_DONE;
    of = event_of(g, read, left);
    why = th_calloc(1, sizeof *why);
    if (!of || !why) {
        th_free(why);
        return MATCH_FAILED;
    }
    answer = th_event_type_check(type, &of->tape, th_filter_data(of), &steps, why);
    spend(left, TH_SCHEMA_STEPS - steps);
    if (answer == TH_SCHEMA_VALID) {
        th_free(why);
        return MATCH_DONE;
    }
    if (validate == TH_VALIDATE_WARN) {
        more->marks = TH_EVENT_MARK_SCHEMA;
        th_free(why);
        return MATCH_DONE;
    }
    th_count(g->e->options.metrics, TH_C_EVENTS_MISFITS_REFUSED, 1);
    snprintf(p->pointer, sizeof p->pointer, "%s", answer == TH_SCHEMA_INVALID ? why->found->pointer : "");
    if (answer == TH_SCHEMA_INVALID)
        snprintf(text, sizeof text, "%.120s (%s of the event type's schema)", why->found->what,
                 why->found->keyword);
    else
        snprintf(text, sizeof text, "takes more than %d steps to check by the event type's schema",
                 TH_SCHEMA_STEPS);
    th_free(why);
    refuse(g, TH_PUB_INVALID, g->at, "data", text);
    return MATCH_REFUSED;
}

/* The endpoint was added last. */
static bool put_in_line(struct ingest *g, const struct th_endpoint *ep, bool *read, unsigned *left)
{
    const struct th_filter_event *of =
        ep->spec.ordering.by == TH_ORDER_KEY ? event_of(g, read, left) : g->e->filtering;

    return of && add_order(g, g->matched, th_order_of(ep, of));
}

/* The endpoint that alone gets the event. False: no memory. */
static bool match_only(struct ingest *g, bool *read, unsigned *left)
{
    const struct th_event_copy *copy = g->p->events[g->at].copy;
    const struct th_ep *ep = th_map_get(&g->e->endpoints, g->only);

    if (!add_endpoint(g, &g->matched, g->only))
        return false;
    if (!g->p->copies || !ep)
        return true;
    return (!copy->marks || add_mark(g, g->matched, copy->marks)) &&
           (!ep->pub.spec.ordering.by || put_in_line(g, &ep->pub, read, left));
}

/* Asks these endpoints from at_endpoint on. */
static enum match_result match_list(struct ingest *g, struct th_endpoint *const *v, unsigned count,
                                    bool *read, unsigned *left)
{
    for (; g->at_endpoint < count; g->at_endpoint++) {
        const struct th_endpoint *ep = v[g->at_endpoint];
        unsigned cost = 1 + ep->spec.event_count / 8;
        enum th_jsonpath_answer answer = TH_JSONPATH_YES;
        uint32_t steps;

        if (*left < cost)
            return MATCH_MORE;
        *left -= cost;
        if (!wants(g, ep, &g->p->events[g->at]))
            continue;
        if (ep->run->filter) {
            const struct th_filter_event *of = event_of(g, read, left);

            if (!of)
                return MATCH_FAILED;
            answer = th_filter_ask(ep->run->filter, of, &steps);
            spend(left, steps);
        }
        if (answer == TH_JSONPATH_NO)
            continue;
        if (!add_endpoint(g, &g->matched, ep->no) ||
            (answer == TH_JSONPATH_EXCESS && !add_mark(g, g->matched, TH_MARK_FILTER_ERROR)) ||
            (ep->spec.ordering.by && !put_in_line(g, ep, read, left)))
            return MATCH_FAILED;
    }
    g->at_endpoint = 0;
    return MATCH_DONE;
}

/* Those that are walked, those that are found by the type, then for each path of the index those that wait for what is there. */
static enum match_result match_endpoints(struct ingest *g, bool *read, unsigned *left)
{
    const struct th_tenant *t = g->p->tenant;
    struct th_span type = g->p->events[g->at].type;
    unsigned typed = th_filters_typed(t, type), paths = th_filters_paths(t), count;

    for (; g->at_list <= typed + paths; g->at_list++) {
        struct th_endpoint *const *v;
        enum match_result result;

        if (g->at_list == 0) {
            v = th_filters_walked(t, &count);
        } else if (g->at_list <= typed) {
            v = th_filters_of_type(t, type, g->at_list - 1, &count);
        } else {
            const struct th_filter_event *of = event_of(g, read, left);

            if (!of)
                return MATCH_FAILED;
            v = th_filters_found(t, g->at_list - typed - 1, of, &count);
        }
        result = match_list(g, v, count, read, left);
        if (result != MATCH_DONE)
            return result;
    }
    g->at_list = 0;
    return MATCH_DONE;
}

/* Goes on with the event `at`, for about MATCH_STEP comparisons in all. */
static enum match_result match_event(struct ingest *g, unsigned *left)
{
    const struct th_tenant *t = g->p->tenant;
    enum match_result result;
    bool read = false;

    if (!g->judged) {
        result = *left ? judge(g, &read, left) : MATCH_MORE;
        if (result != MATCH_DONE)
            return result;
        g->judged = true;
    }
    if (g->only) {
        if (!match_only(g, &read, left))
            return MATCH_FAILED;
    } else if (!t->choosy && g->at && g->at_endpoint == 0 && g->at_list == 0 &&
               th_span_eq(g->p->events[g->at].type, g->p->events[g->at - 1].type)) {
        if (!repeat_match(g))
            return MATCH_FAILED;
    } else {
        return match_endpoints(g, &read, left);
    }
    g->at_endpoint = 0;
    return MATCH_DONE;
}

static bool is_put_off(const struct ingest *g, const struct th_new_event *ev)
{
    return ev->more.deliver_at > g->e->now.wall.ms;
}

/* Deliveries that are put off say so. False: no memory. */
static bool mark_put_off(struct ingest *g)
{
    size_t at = 0;

    for (uint32_t i = 0; i < g->p->count; at += g->events[i++].endpoint_count) {
        if (!is_put_off(g, &g->events[i]) || !g->events[i].endpoint_count)
            continue;
        if (!g->marks)
            g->marks = th_calloc(1, g->endpoint_cap);
        if (!g->marks)
            return false;
        for (uint32_t k = 0; k < g->events[i].endpoint_count; k++)
            g->marks[at + k] |= TH_MARK_DELAYED;
    }
    return true;
}

static enum match_result match_some(struct ingest *g)
{
    size_t at = 0, had = g->endpoint_cap;
    unsigned left = MATCH_STEP;
    enum match_result result = MATCH_DONE;

    if (g->match_version !=
        g->p->tenant->version) { /* from the start: settings have changed since the last step */
        g->match_version = g->p->tenant->version;
        g->matched = g->at = g->at_endpoint = g->at_list = 0;
        g->judged = false;
    }
    while (g->at < g->p->count) {
        size_t from = g->matched;

        if (g->at_endpoint || g->at_list)
            from -= g->events[g->at].endpoint_count;
        result = match_event(g, &left);
        g->events[g->at].endpoint_count = (uint32_t)(g->matched - from);
        if (result != MATCH_DONE)
            break;
        g->at++;
        g->judged = false;
    }
    th_filter_event_trim(g->e->filtering);
    g->bytes += (g->endpoint_cap - had) * sizeof *g->endpoints;
    g->e->accept_bytes += (g->endpoint_cap - had) * sizeof *g->endpoints;
    if (result == MATCH_DONE && !mark_put_off(g))
        result = MATCH_FAILED;
    for (uint32_t i = 0; result == MATCH_DONE && i < g->p->count;
         i++) { /* the array is at its final place now */
        g->events[i].endpoints = g->endpoints + at;
        g->events[i].marks = g->marks ? g->marks + at : NULL;
        g->events[i].orders = g->orders ? g->orders + at : NULL;
        at += g->events[i].endpoint_count;
    }
    return result;
}

static void submit(struct ingest *g);

/* Matches, and submits when that is done: at once, or in turns to come when there is much to compare. */
static void match(struct ingest *g)
{
    char text[160];

    switch (match_some(g)) {
    case MATCH_DONE:
        submit(g);
        return;
    case MATCH_REFUSED: /* and answered */
        return;
    case MATCH_MORE:
        th_engine_defer(g->e, &g->defer, match_more, g);
        return;
    default:
        break;
    }
    if (!g->too_many) {
        refuse(g, TH_PUB_UNAVAILABLE, 0, NULL, "out of memory");
        return;
    }
    snprintf(text, sizeof text,
             "makes more than %u deliveries (its events times the endpoints that take them); publish "
             "fewer events at once",
             MAX_ACCEPT_DELIVERIES);
    refuse(g, TH_PUB_TOO_LARGE, 0, NULL, text);
}

static void match_more(void *arg)
{
    struct ingest *g = arg;

    if (gone(g))
        return;
    match(g);
}

/* ---- accept ---- */

static void accept_ended(struct th_op *op);

static void submit(struct ingest *g)
{
    g->op.op = (struct th_op){.kind = TH_OP_ACCEPT, .done = accept_ended, .user = g};
    g->e->fence.accepts_begun++;
    g->op.tenant = g->p->tenant->no;
    g->op.settings_version = g->p->tenant->version;
    g->op.max_bytes = g->internal ? 0 : (uint64_t)th_engine_allowed(g->e, g->p->tenant, TH_L_STORED_BYTES);
    g->op.max_unfinished = g->internal ? 0 : (uint64_t)th_engine_allowed(g->e, g->p->tenant, TH_L_UNFINISHED);
    g->op.at = g->e->now.wall;
    g->op.idem = g->p->idem;
    g->op.count = g->p->count;
    g->op.events = g->events;
    th_engine_submit(g->e, &g->op.op);
}

static void fill_row(struct ingest *g, uint32_t i)
{
    struct th_publish_event *from = &g->p->events[i];
    struct th_new_event *ev = &g->events[i];

    from->row = (struct th_event_row){.no = ev->no,
                                      .tenant = g->op.tenant,
                                      .at = g->op.at,
                                      .time = ev->time,
                                      .rnd = ev->rnd,
                                      .deliveries = ev->endpoint_count,
                                      .first_delivery = ev->first_delivery,
                                      .type = ev->type,
                                      .data = ev->data,
                                      .external_id = ev->external_id,
                                      .resource_type = ev->resource_type,
                                      .resource_id = ev->resource_id,
                                      .more = ev->more};
    th_copy_id_read(&from->row.external_id, &from->row.origin, &from->row.origin_at);
}

/* Each other engine that has some of the event's endpoints gets it with their rows. Returns how many are this one's. */
static uint32_t share_event(struct ingest *g, uint32_t i)
{
    struct th_engine *e = g->e;
    struct th_new_event *ev = &g->events[i];
    uint32_t left[TH_SHARDS_MAX] = {0}, mine = 0;

    if (e->shared)
        for (uint32_t k = 0; k < ev->endpoint_count; k++)
            mine += th_is_mine(e, ev->endpoints[k]);
    if (e->options.shards < 2)
        return e->shared ? mine : ev->endpoint_count;
    for (uint32_t k = 0; k < ev->endpoint_count; k++)
        left[th_owner(e, ev->endpoints[k])]++;
    for (unsigned to = 0; to < e->options.shards; to++)
        if (left[to] && to != e->options.shard && g->bytes <= KEEP_ACCEPT)
            th_offer_event(e, to, g->op.tenant, &g->p->events[i].row, left[to], g->began.us);
    return left[e->options.shard];
}

static void schedule(struct ingest *g, uint32_t i)
{
    struct th_engine *e = g->e;
    struct th_new_event *ev = &g->events[i];
    struct th_event *cached;
    uint32_t mine;
    bool later = ev->more.deliver_at > g->op.at.ms;

    if (ev->endpoint_count == 0)
        return;
    mine = later ? 0 : share_event(g, i);
    /* what is much, or goes out later, is read when it is sent: to keep all of it here would take long */
    cached =
        g->bytes > KEEP_ACCEPT || !mine ? NULL : th_event_add(e, g->p->tenant, &g->p->events[i].row, mine);
    if (cached) {
        cached->accepted.us = g->began.us;
        g->p->events[i].data_exact = cached->data_exact;
    }
    for (uint32_t k = 0; k < ev->queued; k++)
        th_offer(e, &(struct th_queue_row){.no = ev->first_delivery + k,
                                           .event = ev->no,
                                           .endpoint = ev->endpoints[k],
                                           .due = later ? ev->more.deliver_at : g->op.at.ms,
                                           .marks = ev->marks ? ev->marks[k] : 0,
                                           .order = ev->orders ? ev->orders[k] : 0,
                                           .lane = ev->lane});
    if (!g->only || g->p->copies) /* tests are counted when they end */
        th_count(e->options.metrics, TH_C_DELIVERIES_CREATED, ev->queued);
    if (ev->queued < ev->endpoint_count) {
        e->fence.last_left = ev->no;
        th_fanout_tell(e);
    }
}

static void replay_loaded(struct th_op *op)
{
    struct ingest *g = op->user;
    struct th_engine *e = g->e;
    uint32_t gone = 0;

    e->ops_out--;
    for (uint32_t i = 0; i < g->p->count && !op->error; i++) {
        struct th_publish_event *ev = &g->p->events[i];
        struct th_event_row row = g->load_rows[i];
        gone += row.no == 0 || row.erased;
        row.type = ev->type; /* the same body: the same type, ids and data, in memory that lives on */
        row.data = ev->data;
        row.external_id = row.external_id.n ? ev->external_id : th_span("", 0);
        row.resource_type = ev->resource_type;
        row.resource_id = ev->resource_id;
        row.more =
            (struct th_event_more){.deliver_at = row.more.deliver_at, .expires_at = row.more.expires_at};
        ev->row = row;
    }
    th_buf_fini(&g->load.mem);
    if (op->error || gone) {
        snprintf(g->p->detail, sizeof g->p->detail, "%s",
                 op->error
                     ? th_error_name(op->error)
                     : "what was made with this Idempotency-Key has been removed by retention, or erased");
        finish(g, op->error ? TH_PUB_UNAVAILABLE : TH_PUB_FORGOTTEN);
        return;
    }
    g->p->first_delivery = g->p->events[0].row.first_delivery;
    finish(g, TH_PUB_REPEATED);
}

static void load_replay(struct ingest *g)
{
    uint32_t n = g->op.repeated_count;

    g->load_nos = th_calloc(n, sizeof *g->load_nos);
    g->load_rows = th_calloc(n, sizeof *g->load_rows);
    if (!g->load_nos || !g->load_rows || n != g->p->count) {
        snprintf(g->p->detail, sizeof g->p->detail, "the first answer cannot be rebuilt");
        finish(g, TH_PUB_UNAVAILABLE);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        g->load_nos[i] = g->op.first_event + i;
    th_buf_init(&g->load.mem, 64u << 20);
    g->load.op = (struct th_op){.kind = TH_OP_LOAD, .done = replay_loaded, .user = g};
    g->load.count = n;
    g->load.events = g->load_nos;
    g->load.rows = g->load_rows;
    g->e->ops_out++;
    th_engine_submit(g->e, &g->load.op);
}

/* Whom the publish was for has been deleted meanwhile: it has been answered. */
static bool gone(struct ingest *g)
{
    if (g->p->tenant->deleting) {
        snprintf(g->p->detail, sizeof g->p->detail, "the tenant has been deleted");
        finish(g, TH_PUB_TENANT_GONE);
    } else if (g->only && !th_map_get(&g->e->endpoints, g->only)) {
        snprintf(g->p->detail, sizeof g->p->detail, "the endpoint has been deleted");
        finish(g, TH_PUB_UNAVAILABLE);
    } else {
        return false;
    }
    return true;
}

/* What is new has been committed, and this engine has not heard of it yet: the publish goes on when it has. */
static bool waits_for_home(struct ingest *g)
{
    if ((th_is_home(g->e) && !g->e->shared) || g->op.settings_version != g->p->tenant->version)
        return false;
    th_list_append(&g->e->stale_ingests, &g->link);
    return true;
}

struct th_mono th_ingest_again_wanted(const struct th_engine *e)
{
    return e->settings_moved ? e->now.mono : TH_MONO_NEVER;
}

void th_ingest_again(struct th_engine *e)
{
    struct th_list batch, *l;

    e->settings_moved = false;
    th_list_init(&batch);
    while ((l = th_list_pop(&e->stale_ingests)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch)))
        stale(TH_CONTAINER(l, struct ingest, link));
}

static void stale(struct ingest *g)
{
    if (gone(g) || waits_for_home(g))
        return;
    if (++g->tries > 100) {
        snprintf(g->p->detail, sizeof g->p->detail, "settings change too fast; try again");
        finish(g, TH_PUB_UNAVAILABLE);
        return;
    }
    g->match_version = UINT64_MAX;
    /* The change that has made it stale may be among what is still to be drained; and the next match is submitted before the
     * next change, so that a quick row of changes cannot keep it stale. */
    th_engine_defer(g->e, &g->defer, match_more, g);
}

static void accepted(struct th_op *op)
{
    struct ingest *g = op->user;
    struct th_engine *e = g->e;

    if (op->error == TH_UNKNOWN) {
        submit(g); /* the same operation again has the same effect as once */
        return;
    }
    if (op->error) {
        th_engine_store_error(e, op->error);
        snprintf(g->p->detail, sizeof g->p->detail, "the store cannot commit: %s", th_error_name(op->error));
        finish(g, TH_PUB_UNAVAILABLE);
        return;
    }
    switch (g->op.result) {
    case TH_ACCEPT_NEW:
        if (!g->only)
            th_count(e->options.metrics, TH_C_EVENTS_ACCEPTED, g->p->count);
        for (uint32_t i = 0; i < g->p->count; i++) {
            if (g->events[i].more.marks & TH_EVENT_MARK_SCHEMA)
                th_count(e->options.metrics, TH_C_EVENTS_MISFITS_MARKED, 1);
            fill_row(g, i);
            th_trace_published(e, g->p->tenant, &g->p->events[i].row, g->began, g->p->count);
            schedule(g, i);
        }
        g->p->first_delivery = g->events[0].first_delivery;
        if (g->op.max_bytes)
            th_near_added(e, g->p->tenant, TH_L_STORED_BYTES);
        if (g->op.max_unfinished)
            th_near_added(e, g->p->tenant, TH_L_UNFINISHED);
        finish(g, TH_PUB_ACCEPTED);
        break;
    case TH_ACCEPT_REPEATED:
        load_replay(g);
        break;
    case TH_ACCEPT_KEY_REUSED:
        finish(g, TH_PUB_KEY_REUSED);
        break;
    case TH_ACCEPT_ID_TAKEN:
        g->p->bad = g->op.taken;
        finish(g, TH_PUB_ID_TAKEN);
        break;
    case TH_ACCEPT_LIMITED:
        g->p->limit = g->op.limited == TH_USE_BYTES ? TH_L_STORED_BYTES : TH_L_UNFINISHED;
        th_limit_reached(e, g->p->tenant, g->p->limit, g->p->detail, sizeof g->p->detail);
        finish(g, TH_PUB_LIMITED);
        break;
    case TH_ACCEPT_STALE:
        stale(g);
        break;
    }
}

static void accept_ended(struct th_op *op)
{
    struct ingest *g = op->user;
    struct th_engine *e = g->e;
    bool repeated = g->unknown, again = op->error == TH_UNKNOWN;

    g->unknown = again;
    accepted(op); /* may free g */
    th_fence_accepted(e, repeated, again);
}

/* It keeps what it was, and is due now. */
static struct th_new_event copied_event(const struct th_engine *e, const struct th_publish_event *from)
{
    struct th_new_event ev = {.type = from->type,
                              .data = from->data,
                              .external_id = from->copy->id,
                              .resource_type = from->resource_type,
                              .resource_id = from->resource_id,
                              .more = from->copy->more,
                              .time = from->time,
                              .rnd = from->copy->rnd,
                              .lane = TH_LANE_REPLAY};

    if (ev.more.deliver_at <= e->now.wall.ms)
        ev.more.deliver_at = 0;
    return ev;
}

static void publish(struct th_engine *e, struct th_publish *p, uint64_t except, bool by_name, bool internal)
{
    const char *why;
    struct ingest *g = ingest_get(e, p->count);

    if (!g) {
        p->result = TH_PUB_UNAVAILABLE;
        p->done(p); /* no memory even for the list of deferred calls */
        return;
    }
    g->p = p;
    g->began = e->now.mono;
    g->only = p->only ? p->only->no : 0;
    g->except = except;
    g->by_name = by_name;
    g->internal = internal;
    p->field = NULL;
    p->detail[0] = 0;
    for (uint32_t i = 0; i < p->count; i++)
        g->bytes += p->events[i].data.n + 256;
    e->accept_bytes += g->bytes;
    if (!th_engine_ready(e, &why)) {
        refuse(g, TH_PUB_UNAVAILABLE, 0, NULL, why);
        return;
    }
    if (e->accept_bytes > th_part(e, MAX_ACCEPT_BYTES)) {
        refuse(g, TH_PUB_UNAVAILABLE, 0, NULL, "too much is waiting for the store; try again");
        return;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        struct th_publish_event *from = &p->events[i];
        if (p->copies) {
            g->events[i] = copied_event(e, from);
            continue;
        }
        if (!check_event(g, i, p->tenant->dialect))
            return;
        g->events[i] = (struct th_new_event){
            .type = from->type,
            .data = from->data,
            .external_id = from->external_id,
            .resource_type = from->resource_type,
            .resource_id = from->resource_id,
            .more = {.channels = from->channels,
                     .deliver_at = from->deliver_at > e->now.wall.ms ? from->deliver_at : 0,
                     .expires_at = from->expires_at,
                     .traceparent = from->traceparent},
            .inbox = from->inbox,
            .time = from->has_time ? from->time : e->now.wall,
            .rnd = th_engine_rnd32(e) & ((1u << 27) - 1),
            .lane = p->only ? TH_LANE_TEST : TH_LANE_FRESH};
    }
    match(g);
}

void th_engine_publish(struct th_engine *e, struct th_publish *p)
{
    th_engine_tick(e);
    publish(e, p, 0, false, false);
}

/* ---- events that the engine publishes itself ---- */

static void own_done(struct th_publish *p)
{
    if (p->result != TH_PUB_ACCEPTED)
        th_log(TH_LOG_WARN, "an operator event was not stored", TH_KS("type", p->events[0].type),
               TH_KC("detail", p->detail));
    th_free(TH_CONTAINER(p, struct th_notice, publish));
}

static bool is_wanted(const struct th_tenant *t, const struct th_notice *n)
{
    for (unsigned i = 0; i < t->endpoint_count; i++)
        if (t->endpoints[i]->no != n->except &&
            (n->tenant ? named(t->endpoints[i], n->event.type)
                       : th_ingest_matches(TH_CONTAINER(t->endpoints[i], struct th_ep, pub), n->event.type)))
            return true;
    return false;
}

struct th_mono th_ingest_own_wanted(const struct th_engine *e)
{
    return th_list_empty(&e->notices) ? TH_MONO_NEVER : e->now.mono;
}

void th_ingest_own(struct th_engine *e)
{
    struct th_list *l;

    while ((l = th_list_pop(&e->notices))) {
        struct th_notice *n = TH_CONTAINER(l, struct th_notice, link);
        struct th_tenant *t = n->tenant ? th_map_get(&e->tenants_by_no, n->tenant)
                                        : th_smap_get(&e->tenants_by_id, TH_LIT("operator"));

        if (!t || t->deleting || e->draining || e->dead || !is_wanted(t, n)) {
            th_free(n);
            continue;
        }
        n->publish = (struct th_publish){.tenant = t, .count = 1, .events = &n->event, .done = own_done};
        publish(e, &n->publish, n->except, n->tenant != 0, true);
    }
}
