/* A list of endpoints or deliveries that is being written. */
#include "api/list.h"
#include "api/reply.h"

void th_api_list_fini(struct th_api_list *l)
{
    th_arena_fini(&l->texts);
    l->whole_of = NULL;
}

bool th_api_list_stop(void *ctx, unsigned count, size_t bytes)
{
    struct th_api_list *l = ctx;

    if (bytes < TH_API_PAGE_BYTES || l->next_shown)
        return false;
    l->ended = count;
    return true;
}
