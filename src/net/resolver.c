/* Resolver: c-ares on the loop, with a cache.
 *
 * Why: look-ups in threads (getaddrinfo) let one tenant's dead name servers stop everybody's; a search list
 * or an alias file would let a URL mean another host than it says.
 *
 * Refuses: search domains, HOSTALIASES, literals, more than TH_RESOLVE_MAX addresses, to answer from memory
 * beyond max_ttl_s, to let one tenant start more than max_per_tenant look-ups at a time.
 *
 * Invariants:
 *  1. Every submit leads to exactly one done(), on the loop, never inside submit or cancel.
 * 2. A `name` is in the map exactly once, and either fresh (has an answer) or under way (has a c-ares query),
 * never both. All waiters for one name share one query.
 *  3. A query counts for the tenant that started it until c-ares answers. c-ares cannot cancel one query, so
 * a name stays under way even when nobody waits any more; its answer still fills the cache.
 *
 * Failure: name-server failures are not remembered (TH_RETRY each time). */
#include "base/alloc.h"
#include "base/check.h"
#include "base/heap.h"
#include "base/list.h"
#include "net/http_client.h"
#include "net/resolver_names.h"
#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <uv.h>

enum {
    SETTINGS_S = 5, /* how often /etc/resolv.conf is looked at */
    QUERY_TIMEOUT_MS = 2000,
    QUERY_TRIES = 3,
};

struct waiter {
    struct th_heap_node timer; /* resolver.timers while it waits */
    struct th_list link;       /* name.waiters, resolver.ended or resolver.spare */
    struct th_resolve *req;
    struct th_addrs *answer; /* kept until done() has returned */
    bool has_ended;
};

struct sock { /* one socket of c-ares */
    uv_poll_t poll;
    struct th_list link;
    struct resolver *resolver;
    ares_socket_t fd;
};

struct resolver {
    struct th_resolver port;
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_idle_t wake;
    ares_channel channel;
    struct th_names names;
    struct th_heap timers;
    struct th_list ended, spare, socks;
    unsigned spare_count, under_way, max_per_tenant, handles;
    int64_t min_ttl_us, max_ttl_us;
    uint64_t sequence;
    bool has_own_servers; /* name servers are configured: those of the system do not matter */
    int64_t looked_us;    /* when /etc/resolv.conf was last looked at */
    struct timespec changed;
    struct th_resolve *refused; /* no memory for a waiter; chained through impl */
    bool closing;
    void (*closed)(void *);
    void *closed_ctx;
};

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

static void arm(struct resolver *r);
static void on_wake(uv_idle_t *wake);

static void wake_up(struct resolver *r)
{
    uv_idle_start(&r->wake, on_wake);
}

/* --- waiters --- */

static struct waiter *waiter_new(struct resolver *r)
{
    struct th_list *l = th_list_pop(&r->spare);
    struct waiter *w;

    if (!l)
        return th_calloc(1, sizeof *w);
    r->spare_count--;
    w = TH_CONTAINER(l, struct waiter, link);
    memset(w, 0, sizeof *w);
    return w;
}

static void waiter_free(struct resolver *r, struct waiter *w)
{
    if (r->closing || r->spare_count >= 256) {
        th_free(w);
        return;
    }
    th_list_prepend(&r->spare, &w->link);
    r->spare_count++;
}

/* The result is set; done() comes with the next turn. */
static void waiter_end(struct resolver *r, struct waiter *w, enum th_error e)
{
    TH_CHECK(!w->has_ended && w->req->impl == w);
    th_heap_remove(&r->timers, &w->timer);
    th_list_remove(&w->link);
    th_list_append(&r->ended, &w->link);
    w->has_ended = true;
    w->req->error = e;
    wake_up(r);
}

static void waiter_answer(struct resolver *r, struct waiter *w, const struct th_name *name)
{
    w->answer = th_addrs_ref(name->answer);
    w->req->count = w->answer ? w->answer->count : 0;
    w->req->addrs = w->answer ? w->answer->v : NULL;
    waiter_end(r, w, name->error);
}

static void maybe_closed(struct resolver *r);

static void on_wake(uv_idle_t *wake)
{
    struct resolver *r = wake->data;
    struct th_list batch, *l;
    struct th_resolve *refused = r->refused, *req;

    uv_idle_stop(wake);
    r->handles++;
    r->refused = NULL;
    while ((req = refused)) {
        refused = req->impl;
        req->impl = NULL;
        req->done(req);
    }
    th_list_init(&batch);
    while ((l = th_list_pop(&r->ended)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch))) {
        struct waiter *w = TH_CONTAINER(l, struct waiter, link);
        struct th_addrs *answer = w->answer;

        req = w->req;
        req->impl = NULL;
        waiter_free(r, w);
        req->done(req); /* may free req, submit, cancel, close */
        th_addrs_unref(answer);
    }
    r->handles--;
    maybe_closed(r);
}

/* --- answers --- */

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct th_name *name = arg;
    struct resolver *r = name->owner;
    int64_t keep_us;
    struct th_list *l;

    (void)timeouts;
    name->is_under_way = false;
    r->under_way--;
    th_names_tenant_sub(&r->names, name->tenant);
    keep_us = th_name_take(name, status, info) * 1000000;
    if (info)
        ares_freeaddrinfo(info);
    while ((l = th_list_pop(&name->waiters)))
        waiter_answer(r, TH_CONTAINER(l, struct waiter, link), name);
    if (keep_us >= 0 && !r->closing) {
        keep_us = keep_us < r->max_ttl_us ? keep_us : r->max_ttl_us;
        name->until_us = now_us() + (keep_us > r->min_ttl_us ? keep_us : r->min_ttl_us);
        th_name_fresh(&r->names, name);
    } else {
        th_name_free(&r->names, name);
    }
}

/* --- c-ares on the loop --- */

static void on_sock_closed(uv_handle_t *handle)
{
    struct sock *s = handle->data;
    struct resolver *r = s->resolver;

    th_free(s);
    r->handles--;
    if (r->closing)
        wake_up(r);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sock *s = poll->data;
    struct resolver *r = s->resolver;
    ares_socket_t fd = s->fd;
    bool readable = status < 0 || (events & UV_READABLE), writable = status < 0 || (events & UV_WRITABLE);

    r->handles++;
    ares_process_fd(r->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    r->handles--;
    arm(r);
}

static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct sock *s = NULL;

    for (struct th_list *l = r->socks.next; l != &r->socks; l = l->next)
        if (TH_CONTAINER(l, struct sock, link)->fd == fd)
            s = TH_CONTAINER(l, struct sock, link);
    if (!readable && !writable) {
        if (s) {
            th_list_remove(&s->link);
            uv_close((uv_handle_t *)&s->poll, on_sock_closed);
        }
        return;
    }
    if (!s) {
        s = th_calloc(1, sizeof *s);
        /* Without memory nobody notices that the query is answered; its time-out ends it. */
        if (!s)
            return;
        if (uv_poll_init(r->loop, &s->poll, fd) != 0) {
            th_free(s);
            return;
        }
        s->poll.data = s;
        s->resolver = r;
        s->fd = fd;
        r->handles++;
        th_list_append(&r->socks, &s->link);
    }
    uv_poll_start(&s->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    struct th_heap_node *top;
    int64_t now = now_us();

    r->handles++;
    while ((top = th_heap_top(&r->timers)) && top->key <= now)
        waiter_end(r, TH_CONTAINER(top, struct waiter, timer), TH_TIMEOUT);
    if (r->under_way)
        ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    r->handles--;
    arm(r);
}

static void arm(struct resolver *r)
{
    const struct th_heap_node *top = th_heap_top(&r->timers);
    struct timeval most = {3600, 0}, next;
    const struct timeval *ares;
    int64_t wait_us = INT64_MAX, now = now_us();

    if (r->closing)
        return;
    if (top)
        wait_us = top->key > now ? top->key - now : 0;
    if (r->under_way && (ares = ares_timeout(r->channel, &most, &next))) {
        int64_t ares_us = (int64_t)ares->tv_sec * 1000000 + ares->tv_usec;

        if (ares_us < wait_us)
            wait_us = ares_us;
    }
    if (wait_us == INT64_MAX) {
        uv_timer_stop(&r->timer);
        return;
    }
    if (wait_us > (int64_t)3600 * 1000000)
        wait_us = (int64_t)3600 * 1000000;
    uv_timer_start(&r->timer, on_timer, (uint64_t)wait_us / 1000 + 1 + (uint64_t)now / 1000 - uv_now(r->loop),
                   0);
}

static int channel_open(struct resolver *r, ares_channel *out)
{
    char lookups[] = "fb"; /* the hosts file, then name servers */
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
        .timeout = QUERY_TIMEOUT_MS,
        .tries = QUERY_TRIES,
        .ndots = 0,
        .ndomains = 0,
        .lookups = lookups,
        .sock_state_cb = on_sock_state,
        .sock_state_cb_data = r,
    };

    return ares_init_options(out, &options,
                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                                 ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
}

static struct timespec settings_time(void)
{
    struct stat st;

    return stat("/etc/resolv.conf", &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* c-ares reads the system's settings once; a laptop or a container may get other name servers later. */
static void refresh_settings(struct resolver *r)
{
    struct timespec changed;
    ares_channel fresh;
    int64_t now = now_us();

    if (r->has_own_servers || r->under_way || now - r->looked_us < (int64_t)SETTINGS_S * 1000000)
        return;
    r->looked_us = now;
    changed = settings_time();
    if (changed.tv_sec == r->changed.tv_sec && changed.tv_nsec == r->changed.tv_nsec)
        return;
    if (channel_open(r, &fresh) != ARES_SUCCESS)
        return; /* the old servers are better than none; this is tried again later */
    r->changed = changed;
    ares_destroy(r->channel);
    r->channel = fresh;
}

/* --- the port --- */

static enum th_error start_query(struct resolver *r, struct th_name *name, uint64_t tenant)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    if (r->under_way >= TH_NAMES_UNDER_WAY || th_names_tenant(&r->names, tenant) >= r->max_per_tenant)
        return TH_FULL;
    if (!th_names_tenant_add(&r->names, tenant))
        return TH_NOMEM;
    refresh_settings(r);
    th_list_remove(&name->link);
    name->tenant = tenant;
    name->is_under_way = true;
    r->under_way++;
    /* May answer at once (from /etc/hosts, or a send that fails): waiters only get done() with the next turn.
     */
    ares_getaddrinfo(r->channel, name->text, NULL, &hints, on_answer, name);
    return TH_OK;
}

static bool is_name(struct th_span host)
{
    if (host.n == 0 || host.n > TH_NAMES_TEXT)
        return false;
    for (size_t i = 0; i < host.n; i++)
        if ((unsigned char)host.p[i] <= ' ' || (unsigned char)host.p[i] >= 0x7f)
            return false;
    return true;
}

static void begin(struct resolver *r, struct waiter *w)
{
    struct th_resolve *req = w->req;
    struct th_name *name;
    enum th_error e;

    if (r->closing || !is_name(req->host)) {
        waiter_end(r, w, r->closing ? TH_CANCELLED : TH_NOT_FOUND);
        return;
    }
    name = th_name_find(&r->names, req->host);
    if (name && !name->is_under_way && name->until_us > now_us()) {
        th_name_fresh(&r->names, name);
        waiter_answer(r, w, name);
        return;
    }
    if (!name)
        name = th_name_new(&r->names, req->host, r);
    if (!name || th_heap_insert(&r->timers, &w->timer, req->deadline.us, ++r->sequence) != TH_OK) {
        if (name && !name->is_under_way)
            th_name_free(&r->names, name);
        waiter_end(r, w, TH_NOMEM);
        return;
    }
    th_list_append(&name->waiters, &w->link);
    if (!name->is_under_way) {
        e = start_query(r, name, req->tenant);
        if (e != TH_OK) {
            waiter_end(r, w, e);
            th_name_free(&r->names, name);
        }
    }
    arm(r);
}

static void resolver_submit(struct th_resolver *port, struct th_resolve *req)
{
    struct resolver *r = TH_CONTAINER(port, struct resolver, port);
    struct waiter *w = waiter_new(r);

    req->count = 0;
    req->addrs = NULL;
    req->error = TH_NOMEM;
    if (!w) {
        req->impl = r->refused;
        r->refused = req;
        wake_up(r);
        return;
    }
    w->req = req;
    th_list_init(&w->link);
    req->impl = w;
    begin(r, w);
}

static void resolver_cancel(struct th_resolver *port, struct th_resolve *req)
{
    struct resolver *r = TH_CONTAINER(port, struct resolver, port);
    struct waiter *w = req->impl;

    for (const struct th_resolve *q = r->refused; q; q = q->impl)
        if (q == req)
            return;
    if (w && !w->has_ended)
        waiter_end(r, w, TH_CANCELLED);
}

static const struct th_resolver_vt resolver_vt = {resolver_submit, resolver_cancel};

/* --- open and close --- */

static void init(struct resolver *r, uv_loop_t *loop, const struct th_resolver_options *options)
{
    uint64_t seed;

    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
        seed = uv_hrtime(); /* only guards the maps against crafted collisions */
    r->port.vt = &resolver_vt;
    r->loop = loop;
    r->max_per_tenant = options->max_per_tenant ? options->max_per_tenant : 64;
    r->min_ttl_us = (int64_t)(options->min_ttl_s ? options->min_ttl_s : 1) * 1000000;
    r->max_ttl_us = (int64_t)(options->max_ttl_s ? options->max_ttl_s : 300) * 1000000;
    r->has_own_servers = options->servers != NULL;
    r->looked_us = now_us();
    r->changed = settings_time();
    th_names_init(&r->names, seed);
    th_heap_init(&r->timers, 1u << 20);
    th_list_init(&r->ended);
    th_list_init(&r->spare);
    th_list_init(&r->socks);
}

/* c-ares counts its users, but not in a way that several threads may do at the same time. */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

static int library_begin(void)
{
    int e;

    (void)pthread_mutex_lock(&library);
    e = ares_library_init(ARES_LIB_INIT_ALL);
    (void)pthread_mutex_unlock(&library);
    return e;
}

static void library_end(void)
{
    (void)pthread_mutex_lock(&library);
    ares_library_cleanup();
    (void)pthread_mutex_unlock(&library);
}

enum th_error th_resolver_open(uv_loop_t *loop, const struct th_resolver_options *options,
                               struct th_resolver **out)
{
    struct resolver *r = th_calloc(1, sizeof *r);
    int e;

    if (!r)
        return TH_NOMEM;
    init(r, loop, options);
    e = library_begin();
    if (e != ARES_SUCCESS)
        goto err;
    e = channel_open(r, &r->channel);
    if (e != ARES_SUCCESS)
        goto err_library;
    if (options->servers) {
        e = ares_set_servers_ports_csv(r->channel, options->servers);
        if (e != ARES_SUCCESS)
            goto err_channel;
    }
    uv_timer_init(loop, &r->timer); /* these never fail */
    uv_idle_init(loop, &r->wake);
    r->timer.data = r->wake.data = r;
    *out = &r->port;
    return TH_OK;
err_channel:
    ares_destroy(r->channel);
err_library:
    library_end();
err:
    th_free(r);
    return e == ARES_ENOMEM ? TH_NOMEM : TH_INVALID;
}

static void on_last_close(uv_handle_t *handle)
{
    struct resolver *r = handle->data;
    void (*closed)(void *) = r->closed;
    void *ctx = r->closed_ctx;
    struct th_list *l;

    if (--r->handles)
        return;
    while ((l = th_list_pop(&r->spare)))
        th_free(TH_CONTAINER(l, struct waiter, link));
    th_heap_fini(&r->timers);
    th_names_fini(&r->names);
    library_end();
    th_free(r);
    if (closed)
        closed(ctx);
}

static void maybe_closed(struct resolver *r)
{
    if (!r->closing || r->handles || r->refused || !th_list_empty(&r->ended) ||
        uv_is_closing((uv_handle_t *)&r->timer))
        return;
    r->handles = 2;
    uv_close((uv_handle_t *)&r->timer, on_last_close);
    uv_close((uv_handle_t *)&r->wake, on_last_close);
}

/* c-ares must not be destroyed from inside its own callbacks; ours never call out, so close() is never
 * inside. */
void th_resolver_close(struct th_resolver *port, void (*closed)(void *ctx), void *ctx)
{
    struct resolver *r = TH_CONTAINER(port, struct resolver, port);
    struct th_heap_node *top;

    r->closed = closed;
    r->closed_ctx = ctx;
    while ((top = th_heap_top(&r->timers)))
        waiter_end(r, TH_CONTAINER(top, struct waiter, timer), TH_CANCELLED);
    r->closing = true;
    ares_destroy(r->channel); /* answers every query with ARES_EDESTRUCTION and closes the sockets */
    wake_up(r);
}
