/* Public ids of the engine's objects, in the form that the tenant's dialect shows. */
#include "base/map.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

uint64_t th_engine_hide(const struct th_engine *e, uint64_t tweak, uint64_t no)
{
    return th_pubid_hide(e->id_key, tweak, no);
}

uint64_t th_engine_show(const struct th_engine *e, uint64_t tweak, uint64_t hidden)
{
    return th_pubid_show(e->id_key, tweak, hidden);
}

/* Integers count what the whole installation has, so they are shown permuted: all but those that were shown as they are
 * before they were permuted, which stay. */
static uint64_t shown_number(const struct th_engine *e, enum th_number kind, uint64_t no)
{
    return th_pubid_number(e->id_key, kind, e->plain[kind] + 1, no);
}

static bool parse_integer(const struct th_engine *e, enum th_number kind, struct th_span prefix,
                          struct th_span text, uint64_t *no)
{
    if (!th_span_starts(text, prefix))
        return false;
    text = th_span(text.p + prefix.n, text.n - prefix.n);
    if (!th_span_u64(text, INT64_MAX, no) || text.p[0] == '0') /* one text for one id */
        return false;
    *no = th_pubid_number_of(e->id_key, kind, e->plain[kind] + 1, *no);
    return *no != 0;
}

static void format_id(struct th_engine *e, enum th_number kind, struct th_span prefix, enum th_id_form form,
                      struct th_pubid id, struct th_buf *out)
{
    if (form == TH_ID_INTEGER) {
        th_buf_span(out, prefix);
        th_buf_u64(out, shown_number(e, kind, id.no));
    } else if (form == TH_ID_UUID) {
        th_pubid_format_uuid(out, e->id_key, prefix, id);
    } else {
        th_pubid_format(out, e->id_key, prefix, id);
    }
}

/* Of a form that proves itself by time and random bits, so not of an integer. */
static bool parse_id(const struct th_engine *e, struct th_span prefix, enum th_id_form form,
                     struct th_span text, struct th_pubid *out)
{
    return form == TH_ID_UUID ? th_pubid_parse_uuid(e->id_key, prefix, text, out)
                              : th_pubid_parse(e->id_key, prefix, text, out);
}

void th_engine_endpoint_id(struct th_engine *e, const struct th_endpoint *ep, struct th_buf *out)
{
    const struct th_dialect_values *v = th_dialect_values(ep->tenant->dialect);

    format_id(e, TH_NUMBER_ENDPOINT, v->id_endpoint.prefix, v->id_endpoint.form,
              (struct th_pubid){ep->created, ep->rnd, ep->no}, out);
}

/* Time and random bits of an endpoint that is no more. */
static struct th_pubid past_id(uint64_t no, const struct th_past_endpoint *past)
{
    struct th_pubid id = {.at = {past->created}, .no = no};
    struct th_json root, v;
    int64_t rnd = 0;

    if (!th_json_parse(past->settings, 16, &root, NULL) && th_json_member(root, TH_LIT("rnd"), &v) &&
        th_json_i64(v, &rnd))
        id.rnd = (uint32_t)rnd;
    return id;
}

bool th_engine_endpoint_id_of(struct th_engine *e, const struct th_dialect *d, uint64_t no,
                              const struct th_past_endpoint *past, struct th_buf *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    const struct th_ep *known = th_map_get(&e->endpoints, no);
    const struct th_endpoint *ep = known ? &known->pub : NULL;

    if (ep)
        th_engine_endpoint_id(e, ep, out);
    else if (past->created)
        format_id(e, TH_NUMBER_ENDPOINT, v->id_endpoint.prefix, v->id_endpoint.form, past_id(no, past), out);
    return ep || past->created;
}

bool th_engine_parse_endpoint_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                                 struct th_pubid *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_span prefix = v->id_endpoint.prefix;

    if (v->id_endpoint.form != TH_ID_INTEGER)
        return parse_id(e, prefix, v->id_endpoint.form, text, out);
    *out = (struct th_pubid){0};
    return parse_integer(e, TH_NUMBER_ENDPOINT, prefix, text, &out->no);
}

bool th_engine_is_endpoint(struct th_engine *e, const struct th_pubid *id, uint64_t no,
                           const struct th_past_endpoint *past)
{
    const struct th_ep *known = th_map_get(&e->endpoints, no);
    const struct th_endpoint *ep = known ? &known->pub : NULL;
    struct th_pubid is = ep ? (struct th_pubid){ep->created, ep->rnd, no} : past_id(no, past);

    return id->no == no && (id->at.ms == 0 || (id->at.ms == is.at.ms && id->rnd == is.rnd));
}

static struct th_span event_prefix(const struct th_dialect_values *v)
{
    return v->id_event.prefix.n || v->id_event.form == TH_ID_UUID ? v->id_event.prefix : TH_LIT("evt_");
}

/* An event's number alone would not tell its id from a publisher's own: there is no integer form. */
static enum th_id_form event_form(const struct th_dialect_values *v)
{
    return v->id_event.form == TH_ID_UUID ? TH_ID_UUID : TH_ID_ULID;
}

void th_engine_event_id(struct th_engine *e, const struct th_dialect *d, const struct th_event_row *row,
                        struct th_buf *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_pubid id = {row->at, row->rnd, row->no};

    if (row->origin) /* outside, a copy is the event itself */
        id = (struct th_pubid){{row->origin_at}, row->rnd, row->origin};
    if (row->external_id.n) {
        th_buf_span(out, row->external_id);
        return;
    }
    if (event_form(v) == TH_ID_UUID)
        th_pubid_format_uuid(out, e->id_key, event_prefix(v), id);
    else
        th_pubid_format(out, e->id_key, event_prefix(v), id);
}

static struct th_span delivery_prefix(const struct th_dialect_values *v)
{
    return v->id_delivery.prefix.n || v->id_delivery.form != TH_ID_ULID ? v->id_delivery.prefix
                                                                        : TH_LIT("dlv_");
}

void th_engine_delivery_id(struct th_engine *e, const struct th_dialect *d, const struct th_event_row *event,
                           uint64_t delivery, struct th_buf *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);

    format_id(e, TH_NUMBER_DELIVERY, delivery_prefix(v), v->id_delivery.form,
              (struct th_pubid){event->at, event->rnd, delivery}, out);
}

void th_engine_attempt_number(struct th_engine *e, uint64_t attempt, struct th_buf *out)
{
    th_buf_u64(out, shown_number(e, TH_NUMBER_ATTEMPT, attempt));
}

void th_engine_key_id(struct th_engine *e, const struct th_key *k, struct th_buf *out)
{
    uint32_t rnd;

    memcpy(&rnd, k->hash, sizeof rnd);
    th_pubid_format(out, e->id_key, TH_LIT("key_"),
                    (struct th_pubid){k->created, rnd & ((1u << 27) - 1), k->no});
}

bool th_engine_parse_event_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                              struct th_pubid *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);

    return parse_id(e, event_prefix(v), event_form(v), text, out);
}

bool th_engine_parse_delivery_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                                 struct th_pubid *out)
{
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_span prefix = delivery_prefix(v);

    if (v->id_delivery.form != TH_ID_INTEGER)
        return parse_id(e, prefix, v->id_delivery.form, text, out);
    *out = (struct th_pubid){0};
    return parse_integer(e, TH_NUMBER_DELIVERY, prefix, text, &out->no);
}
