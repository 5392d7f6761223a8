/* Lists of endpoints in the order of their numbers. They own none of them. */
#ifndef TH_ENGINE_SETTINGS_EP_LIST_H
#define TH_ENGINE_SETTINGS_EP_LIST_H
#include "engine/engine.h"

struct th_ep_list {
    unsigned count, cap;
    struct th_endpoint **v;
};

/** Room for `need` endpoints in all; false: there is no memory, and nothing has changed. */
TH_MUST_USE bool th_ep_list_grow(struct th_ep_list *l, unsigned need);
/** There must be room. An endpoint that is in the list stays there once. */
void th_ep_list_put(struct th_ep_list *l, struct th_endpoint *ep);
/** False: it is not in the list. */
bool th_ep_list_take(struct th_ep_list *l, const struct th_endpoint *ep);
void th_ep_list_fini(struct th_ep_list *l);
#endif
