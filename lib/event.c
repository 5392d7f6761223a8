/* The view of a verified event. The scheme says where its fields stand in the body.
  * What a dialect signs is trusted first: a value in the body takes precedence over one in a header. A field that the
 * body does not have stays empty, since senders add and leave out; a field of another kind is refused, since
 * then the body is not what the dialect says. Nothing is copied but texts with escapes, into the event
 * itself.
  * Where the body is the data itself, the publisher writes it, and the place of its time is a guess from a sample: a value that
 * cannot be read as a time is ignored, so the event is not lost because of it. */
#include "lib/internal.h"

struct view {
    const struct th_lib_verifier *v;
    const struct tenterhook_request *request;
    struct tenterhook_event *event;
    size_t used; /* of event->text */
};

#define PATHS 8

/* The value at each path that begins in this object, in one walk; deeper ones go on from what their first
 * name gave. found[i] is empty where path i leads nowhere. */
static void at_paths(struct th_json body, const struct tenterhook_path *const path[PATHS],
                     struct th_span found[PATHS])
{
    struct th_json inside[PATHS] = {0}, key, value;
    struct th_json_iter it;

    th_json_iter(&it, body);
    while (th_json_next(&it, &key, &value))
        for (unsigned i = 0; i < PATHS; i++)
            if (path[i]->depth && th_json_string_eq(key, path[i]->name[0]))
                inside[i] = value;
    for (unsigned i = 0; i < PATHS; i++) {
        for (unsigned level = 1; level < path[i]->depth && inside[i].raw.n; level++)
            if (level >= sizeof path[i]->name / sizeof *path[i]->name ||
                !th_lib_member(inside[i], path[i]->name[level], &inside[i]))
                inside[i].raw = th_span(NULL, 0);
        found[i] = inside[i].raw;
    }
}

/* A string as its text, a number as it is written, null as nothing. */
static bool as_text(struct view *w, struct th_span json, struct th_span *out)
{
    char *to = w->event->text + w->used;
    size_t n;

    if (json.n == 0 || tenterhook_is(json, "null"))
        return true;
    if (json.p[0] == '-' || (json.p[0] >= '0' && json.p[0] <= '9')) {
        *out = json;
        return true;
    }
    if (json.p[0] != '"')
        return false;
    if (!memchr(json.p, '\\', json.n)) {
        *out = th_span(json.p + 1, json.n - 2);
        return true;
    }
    if (w->used == sizeof w->event->text || !tenterhook_string(json, to, sizeof w->event->text - w->used, &n))
        return false;
    w->used += n + 1;
    *out = th_span(to, n);
    return true;
}

static bool take_time(struct view *w, struct th_span json)
{
    struct tenterhook_event *e = w->event;

    if (json.n == 0 || tenterhook_is(json, "null"))
        return true;
    e->has_time = json.p[0] == '"' ? th_lib_rfc3339(th_span(json.p + 1, json.n - 2), &e->time)
                                   : th_lib_decimal(json, &e->time);
    if (json.p[0] != '"' && w->v->time_form == TENTERHOOK_UNIX_MILLIS)
        e->time /= 1000;
    if (w->v->data.depth == 0 && (!e->has_time || e->time > TH_LIB_LAST_SECOND)) {
        e->has_time = false;
        e->time = 0;
        return true;
    }
    return e->has_time;
}

static const char *from_body(struct view *w, struct th_json body)
{
    const struct th_lib_verifier *v = w->v;
    struct tenterhook_event *e = w->event;
    const struct tenterhook_path *const path[PATHS] = {&v->id,          &v->type,        &v->resource_type,
                                                       &v->resource_id, &v->endpoint_id, &v->delivery_id,
                                                       &v->time,        &v->data};
    struct th_span *const out[] = {&e->id,          &e->type,        &e->resource_type,
                                   &e->resource_id, &e->endpoint_id, &e->delivery_id};
    struct th_span found[PATHS];

    at_paths(body, path, found);
    e->data = v->data.depth ? found[7] : body.raw;
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        if (!as_text(w, found[i], out[i]))
            return "a field of the event is neither a string nor a number, or too long";
    if (!take_time(w, found[6]))
        return "the time of the event is neither RFC 3339 nor unix seconds";
    return NULL;
}

static void from_headers(struct view *w)
{
    struct tenterhook_event *e = w->event;

    for (unsigned i = 0; i < w->v->source_count; i++) {
        enum th_lib_var var = w->v->source[i].var;
        struct th_span time = {NULL, 0}, value;
        struct th_span *out = var == TH_LIB_EVENT_ID                     ? &e->id
                              : var == TH_LIB_EVENT_TYPE                 ? &e->type
                              : var == TH_LIB_ENDPOINT_ID                ? &e->endpoint_id
                              : var == TH_LIB_DELIVERY_ID                ? &e->delivery_id
                              : var == TH_LIB_RESOURCE_TYPE              ? &e->resource_type
                              : var == TH_LIB_RESOURCE_ID                ? &e->resource_id
                              : var == TH_LIB_EVENT_TIME && !e->has_time ? &time
                                                                         : NULL;

        if (out && out->n == 0 && th_lib_header(w->request, w->v->source[i].header, &value) == TENTERHOOK_OK)
            *out = value;
        if (time.n)
            e->has_time = th_lib_rfc3339(time, &e->time);
    }
}

static const char *fill(struct view *w)
{
    struct tenterhook_event *e = w->event;
    struct th_json body, id;
    const char *why;

    e->body = th_span(w->request->body_len ? w->request->body : "", w->request->body_len);
    if (!th_lib_json(e->body, &body))
        return "the body is not JSON";
    if (body.type != TH_JSON_OBJECT)
        return "the body is not a JSON object";
    why = from_body(w, body);
    if (why)
        return why;
    from_headers(w);
    if (e->resource_type.n == 0)
        e->resource_type = th_lib_resource(w->v->catalogue, e->type);
    if (e->resource_id.n == 0 && th_lib_member(th_json_of(e->data), TH_LIT("id"), &id) &&
        !as_text(w, id.raw, &e->resource_id))
        e->resource_id = th_span(NULL, 0); /* some other member of this name */
    return NULL;
}

enum tenterhook_result tenterhook_construct_event(const struct tenterhook_verifier *v,
                                                  const struct tenterhook_request *request, int64_t now_unix,
                                                  struct tenterhook_event *event,
                                                  struct tenterhook_report *report)
{
    struct view w = {th_lib_verifier(v), request, event, 0};
    enum tenterhook_result result = tenterhook_verify(v, request, now_unix, report);
    const char *why;

    memset(event, 0, sizeof *event);
    if (result)
        return result;
    why = fill(&w);
    if (!why)
        return TENTERHOOK_OK;
    memset(event, 0, sizeof *event);
    if (report)
        report->detail = why;
    return TENTERHOOK_BAD_EVENT;
}
