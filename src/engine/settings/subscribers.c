/* The index of a tenant's subscriptions, so that ten thousand endpoints of one tenant, each with types of its own, are not ten
 * thousand comparisons for each event.
 *
 * An endpoint is in the list of each type that it names, or of its one pattern ("order.*", "*.paid"). An event is looked up under its
 * type, and under each pattern that matches it: two for each dot. An endpoint that mixes types with patterns, or has several patterns,
 * could be found twice, and is left to be walked; so is one that wants everything.
 *
 * Invariant: an endpoint keeps what it is filed under (`filed`), since its settings have changed by the time it is taken out. */
#include "engine/settings/subscribers.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/settings/settings.h"
#include <string.h>

struct th_subscribers {
    uint64_t seed;
    struct th_map lists; /* key: hash of a type or of a pattern; struct th_ep_list */
};

struct th_subscribers *th_subscribers_new(uint64_t seed)
{
    struct th_subscribers *s = th_calloc(1, sizeof *s);

    if (s) {
        s->seed = seed;
        th_map_init(&s->lists, SIZE_MAX / 64, seed);
    }
    return s;
}

void th_subscribers_free(struct th_subscribers *s)
{
    size_t i = 0;
    uint64_t key;
    void *list;

    if (!s)
        return;
    while (th_map_next(&s->lists, &i, &key, &list)) {
        th_ep_list_fini(list);
        th_free(list);
    }
    th_map_fini(&s->lists);
    th_free(s);
}

/* ---- keys ---- */

enum form { TYPE, PREFIX, SUFFIX };

/* Of a type, or of what a pattern has beside its star. */
static uint64_t key_of(const struct th_subscribers *s, enum form form, struct th_span text)
{
    return th_hash(text, s->seed + form);
}

static uint64_t key_of_subscription(const struct th_subscribers *s, struct th_span text, enum form *form)
{
    if (text.n > 2 && text.p[text.n - 1] == '*') {
        *form = PREFIX;
        return key_of(s, PREFIX, th_span(text.p, text.n - 1));
    }
    if (text.n > 2 && text.p[0] == '*') {
        *form = SUFFIX;
        return key_of(s, SUFFIX, th_span(text.p + 1, text.n - 1));
    }
    *form = TYPE;
    return key_of(s, TYPE, text);
}

/* The star of a pattern stands beside a dot: those are the places at which an event is looked up. */
static bool is_at_dot(struct th_span text, enum form form)
{
    return form == TYPE || (form == PREFIX ? text.p[text.n - 2] : text.p[1]) == '.';
}

/* ---- filing ---- */

static void take_from(struct th_subscribers *s, uint64_t key, const struct th_ep *ep)
{
    struct th_ep_list *l = th_map_get(&s->lists, key);

    if (!l)
        return; /* another text of this endpoint has the same hash */
    (void)th_ep_list_take(l, &ep->pub);
    if (l->count)
        return;
    th_map_del(&s->lists, key);
    th_ep_list_fini(l);
    th_free(l);
}

static bool put_in(struct th_subscribers *s, uint64_t key, struct th_ep *ep)
{
    struct th_ep_list *l = th_map_get(&s->lists, key);

    if (!l) {
        l = th_calloc(1, sizeof *l);
        if (!l || !th_ep_list_grow(l, 1) || th_map_put(&s->lists, key, l)) {
            if (l)
                th_ep_list_fini(l);
            th_free(l);
            return false;
        }
    }
    if (!th_ep_list_grow(l, l->count + 1))
        return false;
    th_ep_list_put(l, &ep->pub);
    return true;
}

/* The keys of all that it subscribes to. False: it is to be walked. */
static bool read_keys(const struct th_subscribers *s, const struct th_endpoint *ep, uint64_t *keys)
{
    const struct th_endpoint_spec *spec = &ep->spec;

    if (ep->run->all || !spec->event_count || !spec->events) /* texts that are in the store alone */
        return false;
    for (unsigned i = 0; i < spec->event_count; i++) {
        enum form form;

        keys[i] = key_of_subscription(s, spec->events[i], &form);
        if (!is_at_dot(spec->events[i], form) || (form != TYPE && spec->event_count > 1))
            return false;
    }
    return true;
}

bool th_subscribers_put(struct th_subscribers *s, struct th_ep *ep)
{
    unsigned count = ep->pub.spec.event_count;
    uint64_t *keys = count ? th_malloc(count * sizeof *keys) : NULL;

    TH_CHECK(!ep->filed);
    if (!keys || !read_keys(s, &ep->pub, keys)) {
        th_free(keys);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (put_in(s, keys[i], ep))
            continue;
        while (i-- > 0)
            take_from(s, keys[i], ep);
        th_free(keys);
        return false;
    }
    ep->filed = keys;
    ep->filed_count = count;
    return true;
}

bool th_subscribers_take(struct th_subscribers *s, struct th_ep *ep)
{
    if (!ep->filed)
        return false;
    for (unsigned i = 0; i < ep->filed_count; i++)
        take_from(s, ep->filed[i], ep);
    th_free(ep->filed);
    ep->filed = NULL;
    ep->filed_count = 0;
    return true;
}

/* ---- finding ---- */

unsigned th_subscribers_lists(struct th_span type)
{
    unsigned n = 1;

    for (size_t i = 0; i < type.n; i++)
        if (type.p[i] == '.')
            n += 2;
    return n;
}

const struct th_ep_list *th_subscribers_list(const struct th_subscribers *s, struct th_span type,
                                             unsigned list)
{
    size_t at = 0;

    if (list == 0)
        return th_map_get(&s->lists, key_of(s, TYPE, type));
    for (unsigned dot = 0; dot < (list + 1) / 2; at++)
        dot += type.p[at] == '.';
    return th_map_get(&s->lists, list % 2 ? key_of(s, PREFIX, th_span(type.p, at))
                                          : key_of(s, SUFFIX, th_span(type.p + at - 1, type.n - at + 1)));
}
