/* Limits on the connections of the HTTP server: who may have how many.
 *
 * A connection is keyless until its client has shown a right key on it (th_http_known). Keyless connections
 * cost nothing to open, so they must not keep anybody else out: one address may have at most max_keyless, and
 * when all places are taken, the keyless connection that has been idle for the longest gives way to a new
 * one; a client that has just come, and shows its key with its first request, is the last to go. Where all
 * clients have shown keys, a connection that waits between two requests gives way; clients of HTTP must be
 * ready for that at any time. Where all are at work, a new connection gets one of a few places that are put
 * aside (extras), on which only vital requests are answered: one can always ask whether the process is alive.
 *
 * Several servers of a process have their places together. A keyless connection is never moved from the
 * server that accepted it, so the counts by address are kept here. Where the connection that gives way has to
 * be one of another server, that server is asked; the new connection waits on an extra place until there is a
 * place, or until all servers have looked and have none.
 *
 * Invariants: 1. The connections that count towards max_connections (http_server_shared.c) are those with
 * `counted`. 2. `keyless` and the lists of addresses are in the order of the last answer, or of the
 * beginning. 3. An address is in the map exactly while it has a keyless connection. Failure: without memory
 * an address is not counted, and its connections are kept. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/client_address.h"
#include "net/http_server_impl.h"

enum { TRIES = 8 };

bool th_peers_init(struct th_http_server *s)
{
    uint64_t seed;

    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
        seed = uv_hrtime();
    th_list_init(&s->keyless);
    th_list_init(&s->extras);
    th_map_init(&s->peers, s->options.max_connections + TH_HTTP_SERVER_REFUSED, seed);
    return true;
}

void th_peers_fini(struct th_http_server *s)
{
    th_map_fini(&s->peers); /* empty: every connection is closed */
}

static bool may_go(const struct th_conn *c)
{
    return c->state != TH_CONN_BUSY && c->state != TH_CONN_PARTS && c->state != TH_CONN_CLOSING;
}

static bool cut_one(struct th_conn *c)
{
    if (!may_go(c))
        return false;
    if (c->server->options.metrics)
        th_count(c->server->options.metrics, TH_C_HTTP_CUT, 1);
    th_conn_expire(c);
    return true;
}

/* Cuts the first connection of the list that may go. */
static bool cut_keyless(struct th_list *all)
{
    for (struct th_list *l = all->next; l != all; l = l->next)
        if (cut_one(TH_CONTAINER(l, struct th_conn, keyless)))
            return true;
    return false;
}

static bool cut_idle(struct th_http_server *s)
{
    struct th_list *idle = &s->by_state[TH_CONN_IDLE];

    for (struct th_list *l = idle->next; l != idle; l = l->next) {
        struct th_conn *c = TH_CONTAINER(l, struct th_conn, link);

        if (c->counted && c->start == c->end) /* nothing of another request is here */
            return cut_one(c);
    }
    return false;
}

/* Another server of the process may take the place that is made here; so this is tried a few times. */
static bool find_place(struct th_http_server *s)
{
    bool found = th_server_shared_count(s);

    for (int i = 0; i < TRIES && !found && (cut_keyless(&s->keyless) || cut_idle(s)); i++)
        found = th_server_shared_count(s);
    return found;
}

bool th_peers_admit(struct th_conn *c)
{
    struct th_http_server *s = c->server;

    TH_CHECK(!c->counted && !c->extra);
    if (find_place(s)) {
        c->counted = true;
        th_list_append(&s->keyless, &c->keyless);
        return true;
    }
    if (s->extra_count >= TH_HTTP_SERVER_REFUSED && !cut_keyless(&s->extras))
        return false;
    c->extra = true;
    s->extra_count++;
    th_list_append(&s->extras, &c->keyless);
    return true;
}

void th_peers_wait(struct th_conn *c)
{
    c->waits = true;
    c->question = th_server_shared_wait(c->server);
}

void th_peers_give_up(struct th_conn *c)
{
    if (c->waits)
        th_server_shared_waited(c->server);
    c->waits = false;
}

static void no_extra(struct th_conn *c)
{
    th_peers_give_up(c);
    if (!c->extra)
        return;
    TH_CHECK(c->server->extra_count > 0);
    c->extra = false;
    c->server->extra_count--;
    th_list_remove(&c->keyless);
}

bool th_peers_promote(struct th_conn *c)
{
    TH_CHECK(c->extra && !c->counted);
    if (!th_server_shared_count(c->server))
        return false;
    no_extra(c);
    c->counted = true;
    if (!c->known)
        th_list_append(&c->server->keyless, &c->keyless);
    return true;
}

void th_peers_on_asked(uv_async_t *asked)
{
    struct th_http_server *s = asked->data;
    uint64_t question = th_server_shared_asked(s), answered;

    while (th_server_shared_wanted(s) && cut_idle(s))
        ;
    answered = th_server_shared_looked(s, question);
    for (struct th_list *l = s->extras.next; l != &s->extras; l = l->next) {
        struct th_conn *c = TH_CONTAINER(l, struct th_conn, keyless);

        if (c->waits && c->state == TH_CONN_HELD && !c->resumes &&
            (c->question <= answered || th_server_shared_left(s))) {
            c->resumes = true;
            th_conn_make_ready(c);
        }
    }
}

void th_peers_count(struct th_conn *c)
{
    struct th_http_server *s = c->server;
    uint64_t name = th_http_address_name(&c->peer);
    struct th_peer *p;

    TH_CHECK(!c->from);
    if (!s->options.max_keyless || c->known || th_conn_is_trusted(c))
        return;
    p = th_map_get(&s->peers, name);
    if (!p) {
        p = th_calloc(1, sizeof *p);
        if (!p)
            return;
        p->name = name;
        th_list_init(&p->conns);
        if (th_map_put(&s->peers, name, p)) {
            th_free(p);
            return;
        }
    }
    c->from = p;
    p->count++;
    th_list_append(&p->conns, &c->same);
    if (p->count > s->options.max_keyless)
        for (struct th_list *l = p->conns.next; l != &c->same; l = l->next)
            if (cut_one(TH_CONTAINER(l, struct th_conn, same)))
                break;
}

static void leave_address(struct th_conn *c)
{
    struct th_peer *p = c->from;

    if (!p)
        return;
    c->from = NULL;
    th_list_remove(&c->same);
    if (--p->count == 0) {
        (void)th_map_del(&c->server->peers, p->name);
        th_free(p);
    }
}

void th_peers_used(struct th_conn *c)
{
    if (c->known || c->extra)
        return;
    th_list_remove(&c->keyless);
    th_list_append(&c->server->keyless, &c->keyless);
    if (c->from) {
        th_list_remove(&c->same);
        th_list_append(&c->from->conns, &c->same);
    }
}

void th_peers_gone(struct th_conn *c)
{
    leave_address(c);
    no_extra(c);
    th_list_remove(&c->keyless);
    if (c->counted)
        th_server_shared_uncount(c->server);
    c->counted = false;
}

void th_http_known(struct th_http_exchange *x, uint64_t who)
{
    struct th_conn *c = ((struct th_exchange *)x)->conn;

    x->known = c->known = who;
    leave_address(c);
    if (!c->extra)
        th_list_remove(&c->keyless);
}
