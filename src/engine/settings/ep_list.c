/* Lists of endpoints in the order of their numbers: arrays, since they are walked for each event and change seldom. */
#include "engine/settings/ep_list.h"
#include "base/alloc.h"
#include <string.h>

static unsigned place_in(const struct th_ep_list *l, uint64_t no)
{
    unsigned low = 0, high = l->count;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (l->v[mid]->no < no)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool th_ep_list_grow(struct th_ep_list *l, unsigned need)
{
    unsigned more = l->cap ? l->cap : 1;
    struct th_endpoint **fresh;

    if (need <= l->cap)
        return true;
    while (more < need)
        more *= 2;
    fresh = th_realloc(l->v, more * sizeof *l->v);
    if (!fresh)
        return false;
    l->v = fresh;
    l->cap = more;
    return true;
}

void th_ep_list_put(struct th_ep_list *l, struct th_endpoint *ep)
{
    unsigned at = place_in(l, ep->no);

    if (at < l->count && l->v[at] == ep)
        return;
    memmove(l->v + at + 1, l->v + at, (l->count - at) * sizeof *l->v);
    l->v[at] = ep;
    l->count++;
}

bool th_ep_list_take(struct th_ep_list *l, const struct th_endpoint *ep)
{
    unsigned at = place_in(l, ep->no);

    if (at == l->count || l->v[at] != ep)
        return false;
    l->count--;
    memmove(l->v + at, l->v + at + 1, (l->count - at) * sizeof *l->v);
    return true;
}

void th_ep_list_fini(struct th_ep_list *l)
{
    th_free(l->v);
    *l = (struct th_ep_list){0};
}
