/* The spans of an event: one for its publish, one for each attempt.
 *
 * Nothing of this is stored but what the publisher gave. Every engine, node and later process derives the same ids from the event's row:
 * the id of the publish's span and, without a traceparent, that of the trace are keyed hashes of the event's number. So an event that
 * is not traced costs one comparison, and a restart in between changes nothing.
 *
 * Rules: (1) a traceparent decides by its flag whether the event is traced; without one the event's random bits do, by the ratio.
 * (2) The first attempt is a child of the publish. A later one, and a first one that begins more than an hour after the publish (a
 * replay, deliver_at, a long queue), is the root of a trace of its own with a link to the publish: it must not stretch the first
 * trace. (3) No URL stands in a span: paths and queries of webhooks are often credentials. */
#include "engine/shard/trace.h"
#include "core/trace.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/state.h"
#include <stdio.h>

#define CHILD_MS 3600000 /* a first attempt that begins later is a root */

enum { TWEAK_TRACE_HIGH = 0x7401, TWEAK_TRACE_LOW = 0x7402, TWEAK_PUBLISH = 0x7403 };

struct publish_place { /* of an event's publish in its trace */
    uint8_t trace[16], id[8], parent[8];
    bool given, sampled;
    uint8_t flags;
    struct th_span state;
};

static void put_u64(uint8_t out[8], uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        out[i] = (uint8_t)v;
}

/* Never all zeros, which mean that there is no id. */
static void put_id(const struct th_engine *e, uint64_t tweak, uint64_t no, uint8_t out[8])
{
    uint64_t id = th_engine_hide(e, tweak, no);

    put_u64(out, id ? id : 1);
}

static bool is_watched(const struct th_engine *e)
{
    return e->options.tracer.span != NULL;
}

/* False: the event belongs to no trace. */
static bool find_place(const struct th_engine *e, const struct th_event_row *row, struct publish_place *p)
{
    struct th_trace_parent given;

    *p = (struct publish_place){0};
    p->given = row->more.traceparent.n && th_trace_kept_read(row->more.traceparent, &given);
    if (p->given) {
        memcpy(p->trace, given.trace, sizeof p->trace);
        memcpy(p->parent, given.span, sizeof p->parent);
        p->flags = given.flags;
        p->state = given.state;
        p->sampled = is_watched(e) && (given.flags & TH_TRACE_SAMPLED);
    } else {
        p->sampled = is_watched(e) && row->rnd < e->options.tracer.sampled_of_2_27;
        if (!p->sampled)
            return false;
        put_id(e, TWEAK_TRACE_HIGH, row->no, p->trace);
        put_id(e, TWEAK_TRACE_LOW, row->no, p->trace + 8);
    }
    if (p->sampled)
        put_id(e, TWEAK_PUBLISH, row->no, p->id);
    return true;
}

static int64_t wall_ns(const struct th_engine *e, struct th_mono at)
{
    return e->now.wall.ms * 1000000 + (at.us - e->now.mono.us) * 1000;
}

static void add_text(struct th_trace_span *s, const char *key, struct th_span text)
{
    if (text.n)
        s->attributes[s->attribute_count++] = (struct th_trace_attribute){.key = key, .text = text};
}

static void add_number(struct th_trace_span *s, const char *key, int64_t number)
{
    s->attributes[s->attribute_count++] = (struct th_trace_attribute){.key = key, .number = number};
}

static void add_message(struct th_trace_span *s, const char *operation, struct th_span id,
                        const struct th_event_row *row, struct th_span tenant)
{
    add_text(s, "messaging.system", TH_LIT("tenterhook"));
    add_text(s, "messaging.operation.name", th_str(operation));
    add_text(s, "messaging.operation.type", TH_LIT("send"));
    add_text(s, "messaging.destination.name", row->type);
    add_text(s, "messaging.message.id", id);
    add_number(s, "messaging.message.body.size", (int64_t)row->data.n);
    add_text(s, "tenterhook.tenant", tenant);
}

static void report_published(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                             struct th_mono began, uint32_t batch)
{
    struct th_trace_span s = {.kind = TH_TRACE_PRODUCER, .verb = "publish", .object = row->type};
    struct publish_place at;
    char text[160];
    struct th_buf id = {.p = text, .cap = sizeof text, .max = sizeof text};

    if (!find_place(e, row, &at) || !at.sampled)
        return;
    memcpy(s.trace, at.trace, sizeof s.trace);
    memcpy(s.id, at.id, sizeof s.id);
    memcpy(s.parent, at.parent, sizeof s.parent);
    s.state = at.state;
    s.begin_ns = wall_ns(e, began);
    s.end_ns = wall_ns(e, e->now.mono);
    th_engine_event_id(e, t->dialect, row, &id);
    add_message(&s, "publish", th_buf_view(&id), row, t->id);
    if (batch > 1)
        add_number(&s, "messaging.batch.message_count", batch);
    add_number(&s, "tenterhook.deliveries", row->deliveries);
    e->options.tracer.span(e->options.tracer.ctx, &s);
}

void th_trace_published(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                        struct th_mono began, uint32_t batch)
{
    if (is_watched(e)) /* else nothing is laid out for a span either */
        report_published(e, t, row, began, batch);
}

/* To the endpoint of this attempt. */
static bool is_passed(const struct th_attempt *a)
{
    enum th_pass_trace own = a->ep->pub.spec.pass_trace;

    return own == TH_PASS_TRACE_ON || (own == TH_PASS_TRACE_DEFAULT && a->e->options.pass_trace);
}

bool th_engine_traces(const struct th_engine *e)
{
    return is_watched(e);
}

/* There is no event whose number could give the ids: they are drawn. */
void th_engine_refused(struct th_engine *e, const struct th_refused *refused)
{
    struct th_trace_span s = {.kind = TH_TRACE_PRODUCER,
                              .verb = "publish",
                              .object = TH_LIT(""),
                              .failed = true,
                              .why = refused->why};
    struct th_trace_parent given;
    char status[4];

    if (!is_watched(e))
        return;
    if (refused->traceparent.n && th_trace_kept_read(refused->traceparent, &given)) {
        if (!(given.flags & TH_TRACE_SAMPLED))
            return;
        memcpy(s.trace, given.trace, sizeof s.trace);
        memcpy(s.parent, given.span, sizeof s.parent);
        s.state = given.state;
    } else {
        if ((th_engine_rnd32(e) & ((1u << 27) - 1)) >= e->options.tracer.sampled_of_2_27)
            return;
        th_engine_random(e, s.trace, sizeof s.trace);
        s.trace[0] |= 1; /* never all zeros */
    }
    th_engine_random(e, s.id, sizeof s.id);
    s.id[0] |= 1;
    th_engine_tick(e);
    s.begin_ns = wall_ns(e, refused->began);
    s.end_ns = wall_ns(e, e->now.mono);
    snprintf(status, sizeof status, "%03u", refused->status % 1000);
    add_text(&s, "messaging.system", TH_LIT("tenterhook"));
    add_text(&s, "messaging.operation.name", TH_LIT("publish"));
    add_text(&s, "messaging.operation.type", TH_LIT("send"));
    add_text(&s, "tenterhook.tenant", refused->tenant);
    if (refused->count > 1)
        add_number(&s, "messaging.batch.message_count", refused->count);
    add_number(&s, "http.response.status_code", refused->status);
    add_text(&s, "error.type", th_span(status, 3));
    e->options.tracer.span(e->options.tracer.ctx, &s);
}

void th_trace_begin(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    struct th_attempt_trace *t = &a->trace;
    const struct th_event_row *row = &a->event->row;
    struct publish_place at;

    t->sampled = t->known = false;
    if (!is_watched(e) && !is_passed(a))
        return;
    t->known = find_place(e, row, &at);
    t->sampled = t->known && at.sampled;
    if (!t->known)
        return;
    t->linked = a->row.attempts > 0 || a->began_wall.ms - row->at.ms > CHILD_MS;
    memcpy(t->trace, at.trace, sizeof t->trace);
    memcpy(t->id, at.parent, sizeof t->id); /* not a span of ours: the receiver's parent is the publisher's */
    if (!t->sampled)
        return;
    th_engine_random(e, t->id, sizeof t->id);
    t->id[0] |= 1; /* never all zeros */
    if (t->linked) {
        th_engine_random(e, t->trace, sizeof t->trace);
        t->trace[0] |= 1;
    }
}

static bool has_own(const struct th_buf *head)
{
    struct th_span rest = th_buf_view(head);

    while (rest.n) {
        struct th_span line = th_span_cut(&rest, '\n');

        if (line.n > 12 && th_span_ieq(th_span(line.p, 12), TH_LIT("traceparent:")))
            return true;
    }
    return false;
}

void th_trace_write(struct th_attempt *a)
{
    struct publish_place at;

    if (!a->trace.known || !is_passed(a) || has_own(&a->head))
        return;
    (void)find_place(a->e, &a->event->row, &at);
    th_buf_str(&a->head, "traceparent: ");
    th_trace_parent_write(a->trace.trace, a->trace.id, a->trace.sampled ? TH_TRACE_SAMPLED : at.flags,
                          &a->head);
    th_buf_str(&a->head, "\r\n");
    if (at.state.n && !(a->trace.sampled && a->trace.linked)) {
        th_buf_str(&a->head, "tracestate: ");
        th_buf_span(&a->head, at.state);
        th_buf_str(&a->head, "\r\n");
    }
}

static void add_http(struct th_trace_span *s, const struct th_attempt *a, struct th_buf *peer, char status[4])
{
    const struct th_attempt_row *row = &a->settle.row;
    const struct th_span method = th_method_name(a->ep->pub.tenant->dialect, a->run->spec.method);

    add_text(s, "http.request.method", method);
    add_text(s, "url.scheme", a->run->url.tls ? TH_LIT("https") : TH_LIT("http"));
    add_text(s, "server.address", a->run->url.host);
    add_number(s, "server.port", a->run->url.port);
    if (row->peer.family) {
        th_addr_format(peer, &row->peer);
        add_text(s, "network.peer.address", th_buf_view(peer));
    }
    if (a->row.attempts)
        add_number(s, "http.request.resend_count", a->row.attempts);
    if (row->status)
        add_number(s, "http.response.status_code", row->status);
    if (row->ok)
        return;
    snprintf(status, 4, "%03u", (unsigned)row->status % 1000);
    add_text(s, "error.type",
             row->class == TH_HTTP_OK ? th_span(status, 3) : th_str(th_http_class_name(row->class)));
    s->failed = true;
    s->why = row->detail.n ? row->detail : th_str(th_outcome_name(row->class, false));
}

static void report_settled(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    const struct th_event_row *row = &a->event->row;
    struct th_trace_span s = {.kind = TH_TRACE_CLIENT, .verb = "deliver", .object = row->type};
    struct publish_place at;
    char address[64], status[4];
    struct th_buf peer = {.p = address, .cap = sizeof address, .max = sizeof address};

    if (!find_place(e, row, &at) || !at.sampled)
        return;
    memcpy(s.trace, a->trace.trace, sizeof s.trace);
    memcpy(s.id, a->trace.id, sizeof s.id);
    if (a->trace.linked) {
        s.linked = true;
        memcpy(s.link_trace, at.trace, sizeof s.link_trace);
        memcpy(s.link_id, at.id, sizeof s.link_id);
    } else {
        memcpy(s.parent, at.id, sizeof s.parent);
        s.state = at.state;
    }
    s.begin_ns = a->began_wall.ms * 1000000;
    s.end_ns = s.begin_ns + (a->ended.mono.us - a->began.us) * 1000;
    add_message(&s, "deliver", a->event->id, row, a->ep->pub.tenant->id);
    add_text(&s, "tenterhook.endpoint", a->run->id);
    add_text(&s, "tenterhook.delivery", th_span(a->delivery_id, a->delivery_id_len));
    add_text(&s, "tenterhook.outcome", th_str(th_outcome_name(a->settle.row.class, a->settle.row.ok)));
    add_http(&s, a, &peer, status);
    e->options.tracer.span(e->options.tracer.ctx, &s);
}

void th_trace_settled(struct th_attempt *a)
{
    if (a->trace.sampled)
        report_settled(a);
}
