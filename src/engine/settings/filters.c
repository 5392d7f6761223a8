/* Filters and channels of endpoints: which endpoints an event can reach at all, and what one of them says to it.
 *
 * An index, so that ten thousand filtered endpoints of a tenant are not ten thousand evaluations for each event: of a filter with a
 * term such as @.data.status == 'paid' the path is looked up once for an event, and the endpoints that wait for the value found are
 * the only ones that are asked. Of a tenant with many endpoints, those without such a term are found by the types that they want
 * (subscribers.c). The others stay in a list that is walked, `plain`; an endpoint is in one of the three.
 * A tenant with few endpoints, none of which has a filter, has no index. Events are read only for a filter, not for the types.
 *
 * Invariants: (1) without memory for the index an endpoint stays in `plain`, where it is found as well, only later; (2) `plain` and
 * each bucket are in the order of numbers; (3) a change of an endpoint that is listed goes through th_filters_file. */
#include "engine/settings/filters.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/settings/subscribers.h"
#include "engine/state.h"
#include <stdio.h>

#define MANY 64      /* endpoints of a tenant, from which on those that name what they want are not walked */
#define PATHS_MAX 64 /* that are looked up for an event; filters with a further one are walked */

struct path {
    struct th_span text; /* its own memory */
    uint64_t hash;
    unsigned endpoints;
};

struct th_filter_bucket {
    uint64_t key;
    unsigned path; /* number of a path; paths keep theirs */
    struct th_ep_list list;
};

struct th_filters {
    uint64_t seed;
    struct path paths[PATHS_MAX]; /* endpoints 0: free */
    unsigned path_count;          /* up to the last that is not free */
    struct th_map buckets;
    struct th_ep_list plain;
    unsigned indexed;
    struct th_subscribers *subscribers; /* NULL: the tenant has too few endpoints */
};

/* ---- the index ---- */

static uint64_t key_of(const struct th_filters *f, unsigned path, uint64_t value)
{
    struct {
        uint64_t path, value;
    } of = {f->paths[path].hash, value};

    return th_hash(th_span(&of, sizeof of), f->seed);
}

/* The number of a path, which is added where it is new; PATHS_MAX: no room. */
static unsigned path_of(struct th_filters *f, struct th_span text)
{
    uint64_t hash = th_hash(text, f->seed);
    unsigned at = PATHS_MAX;
    char *p;

    for (unsigned i = 0; i < f->path_count; i++)
        if (f->paths[i].endpoints && f->paths[i].hash == hash && th_span_eq(f->paths[i].text, text))
            return i;
    for (unsigned i = 0; i <= f->path_count && i < PATHS_MAX && at == PATHS_MAX; i++)
        if (i == f->path_count || !f->paths[i].endpoints)
            at = i;
    p = at < PATHS_MAX ? th_malloc(text.n) : NULL;
    if (!p)
        return PATHS_MAX;
    memcpy(p, text.p, text.n);
    f->paths[at] = (struct path){.text = th_span(p, text.n), .hash = hash};
    if (at == f->path_count)
        f->path_count++;
    return at;
}

static void path_unused(struct th_filters *f, unsigned path)
{
    if (f->paths[path].endpoints)
        return;
    th_free((char *)f->paths[path].text.p);
    f->paths[path].text = th_span("", 0);
    while (f->path_count && !f->paths[f->path_count - 1].endpoints)
        f->path_count--;
}

static struct th_filter_bucket *bucket_of(struct th_filters *f, unsigned path, uint64_t value)
{
    uint64_t key = key_of(f, path, value);
    struct th_filter_bucket *b = th_map_get(&f->buckets, key);

    if (b)
        return b->path == path ? b : NULL; /* two paths have the same number: the second is walked */
    b = th_calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->key = key;
    b->path = path;
    if (th_map_put(&f->buckets, key, b)) {
        th_free(b);
        return NULL;
    }
    return b;
}

static void bucket_unused(struct th_filters *f, struct th_filter_bucket *b)
{
    if (b->list.count)
        return;
    th_map_del(&f->buckets, b->key);
    th_ep_list_fini(&b->list);
    th_free(b);
}

static bool put_in_bucket(struct th_filters *f, struct th_ep *ep, struct th_span path_text, uint64_t value)
{
    unsigned path = path_of(f, path_text);
    struct th_filter_bucket *b;

    if (path == PATHS_MAX)
        return false;
    b = bucket_of(f, path, value);
    if (b && !th_ep_list_grow(&b->list, b->list.count + 1)) {
        bucket_unused(f, b);
        b = NULL;
    }
    if (!b) {
        path_unused(f, path);
        return false;
    }
    th_ep_list_put(&b->list, &ep->pub);
    f->paths[path].endpoints++;
    f->indexed++;
    ep->bucket = b;
    return true;
}

static bool index_endpoint(struct th_filters *f, struct th_ep *ep)
{
    struct th_buf path;
    uint64_t value;
    bool done;

    if (!ep->pub.run->filter)
        return false;
    th_buf_init(&path, 2 * TH_JSONPATH_BYTES);
    done = th_jsonpath_key(ep->pub.run->filter, &path, &value) &&
           put_in_bucket(f, ep, th_buf_view(&path), value);
    th_buf_fini(&path);
    return done;
}

/* Out of its bucket, of the lists of its types, or of `plain`. */
static void take_out(struct th_filters *f, struct th_ep *ep)
{
    struct th_filter_bucket *b = ep->bucket;
    unsigned path;

    if (!b) {
        if (!f->subscribers || !th_subscribers_take(f->subscribers, ep))
            (void)th_ep_list_take(&f->plain, &ep->pub);
        return;
    }
    path = b->path;
    ep->bucket = NULL;
    (void)th_ep_list_take(&b->list, &ep->pub);
    bucket_unused(f, b);
    f->indexed--;
    f->paths[path].endpoints--;
    path_unused(f, path);
}

/* ---- a tenant's ---- */

/* All that are listed go to `plain`. NULL without memory: all are walked then as if there were no index. */
static struct th_filters *make(struct th_engine *e, struct th_tenant *t)
{
    struct th_filters *f = th_calloc(1, sizeof *f);

    if (!f || !th_ep_list_grow(&f->plain, t->endpoint_cap)) {
        th_free(f);
        return NULL;
    }
    f->seed = e->hash_seed;
    th_map_init(&f->buckets, SIZE_MAX / 64, e->hash_seed);
    memcpy(f->plain.v, t->endpoints, t->endpoint_count * sizeof *f->plain.v);
    f->plain.count = t->endpoint_count;
    t->filters = f;
    for (unsigned i = 0; i < t->endpoint_count; i++)
        TH_CONTAINER(t->endpoints[i], struct th_ep, pub)->bucket = NULL;
    return f;
}

bool th_filters_room(struct th_tenant *t)
{
    struct th_filters *f = t->filters;

    return !f || th_ep_list_grow(&f->plain, t->endpoint_count + 1);
}

/* From now on its endpoints are found by what they subscribe to. Without memory they stay where they are. */
static void index_subscriptions(struct th_engine *e, struct th_tenant *t)
{
    struct th_filters *f = t->filters;

    f->subscribers = th_subscribers_new(e->hash_seed);
    for (unsigned i = 0; f->subscribers && i < t->endpoint_count; i++) {
        struct th_ep *ep = TH_CONTAINER(t->endpoints[i], struct th_ep, pub);

        if (!ep->bucket && th_ep_list_take(&f->plain, &ep->pub) && !th_subscribers_put(f->subscribers, ep))
            th_ep_list_put(&f->plain, &ep->pub);
    }
}

static bool is_choosy(const struct th_endpoint *ep)
{
    return ep->run->filter || ep->spec.channels.n || ep->spec.ordering.by;
}

static void count_choosy(struct th_ep *ep, bool choosy)
{
    if (choosy && !ep->choosy)
        ep->pub.tenant->choosy++;
    else if (!choosy && ep->choosy)
        ep->pub.tenant->choosy--;
    ep->choosy = choosy;
}

void th_filters_file(struct th_engine *e, struct th_ep *ep)
{
    struct th_tenant *t = ep->pub.tenant;
    struct th_filters *f = t->filters;

    count_choosy(ep, is_choosy(&ep->pub));
    if (!f && !((ep->pub.run->filter || t->endpoint_count >= MANY) && (f = make(e, t))))
        return;
    if (!f->subscribers && t->endpoint_count >= MANY)
        index_subscriptions(e, t);
    take_out(f, ep);
    if (!index_endpoint(f, ep) && !(f->subscribers && th_subscribers_put(f->subscribers, ep)))
        th_ep_list_put(&f->plain, &ep->pub);
}

void th_filters_unfile(struct th_ep *ep)
{
    struct th_tenant *t = ep->pub.tenant;

    count_choosy(ep, false);
    if (t->filters)
        take_out(t->filters, ep);
}

void th_filters_free(struct th_tenant *t)
{
    struct th_filters *f = t->filters;
    size_t i = 0;
    uint64_t key;
    void *value;

    if (!f)
        return;
    while (th_map_next(&f->buckets, &i, &key, &value)) {
        th_ep_list_fini(&((struct th_filter_bucket *)value)->list);
        th_free(value);
    }
    for (unsigned k = 0; k < f->path_count; k++)
        if (f->paths[k].endpoints)
            th_free((char *)f->paths[k].text.p);
    th_map_fini(&f->buckets);
    th_subscribers_free(f->subscribers);
    th_ep_list_fini(&f->plain);
    th_free(f);
    t->filters = NULL;
}

/* ---- the event as filters see it ---- */

bool th_filter_read(struct th_filter_event *of, const struct th_publish_event *ev, struct th_wall time)
{
    const struct th_document doc = {.type = ev->type,
                                    .id = ev->external_id,
                                    .time = time,
                                    .resource_type = ev->resource_type,
                                    .resource_id = ev->resource_id,
                                    .data = ev->data};

    th_buf_reset(&of->text);
    th_document_write(&doc, &of->text);
    return !of->text.failed && !th_tape_read(&of->tape, th_buf_view(&of->text));
}

uint32_t th_filter_data(const struct th_filter_event *of)
{
    const struct th_tape *t = &of->tape;

    for (uint32_t i = TH_FILTER_EVENT + 1; i < th_tape_node(t, TH_FILTER_EVENT)->next;
         i = th_tape_node(t, i)->next)
        if (th_json_string_eq(th_tape_name(t, i), TH_LIT("data")))
            return i;
    TH_CHECK(false); /* it is always written */
    return 0;
}

struct th_filter_event *th_filter_event_new(void)
{
    struct th_filter_event *of = th_calloc(1, sizeof *of);

    if (of) {
        th_buf_init(&of->text, 64u << 20);
        th_tape_init(&of->tape);
    }
    return of;
}

void th_filter_event_free(struct th_filter_event *of)
{
    if (!of)
        return;
    th_buf_fini(&of->text);
    th_tape_fini(&of->tape);
    th_free(of);
}

void th_filter_event_trim(struct th_filter_event *of)
{
    if (of->text.cap > TH_KEEP_BUFFER)
        th_buf_fini(&of->text);
    if (of->tape.nodes.cap > TH_KEEP_BUFFER)
        th_tape_fini(&of->tape);
}

/* ---- what an endpoint says ---- */

bool th_filters_channel_next(struct th_span *lines, struct th_span *name)
{
    const char *end;

    if (!lines->n)
        return false;
    end = memchr(lines->p, '\n', lines->n);
    *name = th_span(lines->p, end ? (size_t)(end - lines->p) : lines->n);
    *lines = end ? th_span(end + 1, lines->n - name->n - 1) : th_span("", 0);
    return true;
}

bool th_filters_channel_ok(struct th_span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = th_lower(name.p[i]);

        if (!(c >= 'a' && c <= 'z') && !th_is_digit(c) && !memchr("_-./:", c, 5))
            return false;
    }
    return name.n >= 1 && name.n <= 128;
}

bool th_filters_channels_share(struct th_span a, struct th_span b)
{
    struct th_span x, y;

    while (th_filters_channel_next(&a, &x))
        for (struct th_span rest = b; th_filters_channel_next(&rest, &y);)
            if (th_span_eq(x, y))
                return true;
    return false;
}

enum th_jsonpath_answer th_filter_ask(const struct th_jsonpath *filter, const struct th_filter_event *of,
                                      uint32_t *steps)
{
    uint32_t left = TH_JSONPATH_STEPS;
    enum th_jsonpath_answer answer = th_jsonpath_test(filter, &of->tape, TH_FILTER_ROOT, &left);

    *steps = TH_JSONPATH_STEPS - left;
    return answer;
}

/* ---- who can be reached ---- */

struct th_endpoint *const *th_filters_walked(const struct th_tenant *t, unsigned *count)
{
    *count = t->filters ? t->filters->plain.count : t->endpoint_count;
    return t->filters ? t->filters->plain.v : t->endpoints;
}

unsigned th_filters_typed(const struct th_tenant *t, struct th_span type)
{
    return t->filters && t->filters->subscribers ? th_subscribers_lists(type) : 0;
}

struct th_endpoint *const *th_filters_of_type(const struct th_tenant *t, struct th_span type, unsigned list,
                                              unsigned *count)
{
    const struct th_ep_list *l = th_subscribers_list(t->filters->subscribers, type, list);

    *count = l ? l->count : 0;
    return l ? l->v : NULL;
}

unsigned th_filters_paths(const struct th_tenant *t)
{
    return t->filters && t->filters->indexed ? t->filters->path_count : 0;
}

struct th_endpoint *const *th_filters_found(const struct th_tenant *t, unsigned path,
                                            const struct th_filter_event *of, unsigned *count)
{
    const struct th_filters *f = t->filters;
    const struct th_filter_bucket *b;
    uint64_t value;

    *count = 0;
    if (!f->paths[path].endpoints ||
        !th_jsonpath_key_find(f->paths[path].text, &of->tape, TH_FILTER_EVENT, &value))
        return NULL;
    b = th_map_get(&f->buckets, key_of(f, path, value));
    if (!b || b->path != path)
        return NULL;
    *count = b->list.count;
    return b->list.v;
}
