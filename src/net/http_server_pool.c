/* Memory that the HTTP server keeps for its connections: read blocks and exchanges.
 *
 * A connection holds memory only while bytes of a request are here: the first read takes a block, and an exchange that has
 * been answered gives it back. So a thousand idle connections cost a thousand small structs, and a request in steady state
 * costs no allocation. At most TH_SERVER_POOL of each are kept. Failure: NULL where there is no memory. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"

char *th_server_take_block(struct th_http_server *s)
{
    char *p = s->blocks;

    if (!p)
        return th_malloc(TH_SERVER_BLOCK);
    memcpy(&s->blocks, p, sizeof s->blocks);
    s->block_count--;
    return p;
}

void th_conn_drop_block(struct th_conn *c)
{
    struct th_http_server *s = c->server;

    if (c->block && c->block_cap == TH_SERVER_BLOCK && s->block_count < TH_SERVER_POOL) {
        memcpy(c->block, &s->blocks, sizeof s->blocks);
        s->blocks = c->block;
        s->block_count++;
    } else {
        th_free(c->block);
    }
    c->block = NULL;
    c->block_cap = c->start = c->end = c->scanned = 0;
}

struct th_exchange *th_exchange_take(struct th_http_server *s)
{
    struct th_exchange *x = s->exchanges;

    if (!x)
        return th_malloc(sizeof *x);
    s->exchanges = x->next;
    s->exchange_count--;
    return x;
}

void th_exchange_give(struct th_http_server *s, struct th_exchange *x)
{
    if (s->exchange_count >= TH_SERVER_POOL) {
        th_free(x);
        return;
    }
    x->next = s->exchanges;
    s->exchanges = x;
    s->exchange_count++;
}

void th_server_free_pools(struct th_http_server *s)
{
    while (s->blocks)
        th_free(th_server_take_block(s));
    while (s->exchanges)
        th_free(th_exchange_take(s));
}

void th_conn_release(struct th_conn *c)
{
    if (!c->x)
        return;
    th_exchange_give(c->server, (struct th_exchange *)c->x);
    c->x = NULL;
    th_server_budget_give(&c->server->bodies, c->body_cap);
    th_free(c->body);
    c->body = NULL;
    c->body_n = c->body_cap = 0;
    c->scanned = 0;
    c->skip = false;
}
