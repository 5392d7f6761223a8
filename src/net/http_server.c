/* The HTTP server as a whole: the passing of time, turns, draining.
 *
 * Why one coarse timer: a timer a connection costs a heap operation a request. Here each state has a list in
 * the order of expiry, and a tick looks at the heads of the lists only. The tick stops when there is no
 * connection.
 *
 * Invariants: those of http_server_life.c. On failure: open gives everything back and reports errno. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"
#include "net/tls_server.h"

static int64_t now_ms(const struct th_http_server *s)
{
    return (int64_t)uv_now(s->loop);
}

/* ---- time ---- */

/* True when `bytes` moved in the window of time that ends now are enough to be given another one. */
static bool is_fast_enough(const struct th_conn *c, uint64_t bytes)
{
    return bytes >= (uint64_t)c->server->limit_ms[c->state] * TH_SERVER_MIN_RATE / 1000;
}

/* A client that goes on sending what is not read any more may do so for a while, because it reads the answer
 * only afterwards. */
static void expire_linger(struct th_conn *c)
{
    if (is_fast_enough(c, c->moved) && now_ms(c->server) - c->body_ms < TH_SERVER_LINGER_MAX_MS)
        th_conn_enter(c, TH_CONN_LINGER);
    else
        th_conn_expire(c);
}

/* Done in a turn of the loop that has room for it; until then it stays where it is. */
static void expire_held(struct th_conn *c)
{
    th_conn_enter(c, TH_CONN_HELD);
    c->resumes = true;
    th_conn_make_ready(c);
}

static void expire_head(struct th_conn *c)
{
    th_conn_refuse(c, 408, "the request head took too long");
}

static void expire_body(struct th_conn *c)
{
    if (is_fast_enough(c, c->moved))
        th_conn_enter(c, TH_CONN_BODY);
    else
        th_conn_refuse(c, 408, "the request body came too slowly");
}

static void expire_writing(struct th_conn *c)
{
    uint64_t queued = th_conn_queued(c), taken = c->moved - queued;

    if (!is_fast_enough(c, taken) ||
        (c->moved > TH_SERVER_LARGE &&
         taken < (uint64_t)c->server->limit_ms[TH_CONN_WRITING] * TH_SERVER_LARGE_RATE / 1000)) {
        th_conn_cut(c); /* after an orderly close the kernel would keep its bytes for a long time */
        return;
    }
    th_conn_enter(c, TH_CONN_WRITING);
    c->moved = queued;
}

static void (*const expire[TH_CONN_STATES])(struct th_conn *c) = {
    [TH_CONN_IDLE] = th_conn_expire,    [TH_CONN_HEAD] = expire_head,       [TH_CONN_BODY] = expire_body,
    [TH_CONN_HELD] = expire_held,       [TH_CONN_WRITING] = expire_writing, [TH_CONN_LINGER] = expire_linger,
    [TH_CONN_BEHIND] = th_parts_expire,
};

/* Ends at the first connection that has time left; each call of expire moves one away or gives it a later
 * deadline. */
static void expire_list(struct th_http_server *s, enum th_conn_state state, int64_t now)
{
    while (!th_list_empty(&s->by_state[state])) {
        struct th_conn *c = TH_CONTAINER(s->by_state[state].next, struct th_conn, link);

        if (c->deadline_ms > now)
            break;
        expire[state](c);
    }
}

static void close_list(struct th_http_server *s, enum th_conn_state state)
{
    while (!th_list_empty(&s->by_state[state]))
        th_conn_close(TH_CONTAINER(s->by_state[state].next, struct th_conn, link));
}

/* Somebody waits to be accepted: a client that has had its last answer, and a moment to read it, makes room. */
static void shed_lingering(struct th_http_server *s, int64_t now)
{
    struct th_list *l;

    while ((l = s->by_state[TH_CONN_LINGER].next) != &s->by_state[TH_CONN_LINGER]) {
        struct th_conn *c = TH_CONTAINER(l, struct th_conn, link);

        if (c->deadline_ms - TH_SERVER_LINGER_MS + (int64_t)s->tick_ms > now)
            break;
        th_conn_close(c);
    }
}

static void on_tick(uv_timer_t *t)
{
    struct th_http_server *s = t->data;
    int64_t now = now_ms(s);

    for (int state = 0; state < TH_CONN_STATES; state++)
        if (expire[state])
            expire_list(s, (enum th_conn_state)state, now);
    if (s->draining && now >= s->cut_ms)
        for (int state = 0; state < TH_CONN_CLOSING; state++)
            close_list(s, (enum th_conn_state)state);
    if (s->listening == TH_LISTENER_WAITS) {
        shed_lingering(s, now);
        th_server_accept(s);
    }
}

/* ---- turns for connections that hold another request ---- */

static void process(struct th_conn *c)
{
    th_conn_process(c);
    if (c->tls && !c->moves && !th_server_turn_over(c->server)) {
        th_list_remove(
            &c->ready); /* it may be here again only because ciphertext waits, which is decrypted now */
        th_conn_tls_pump(c);
    }
}

/* Only the end of the turn stops it: until then the loop looks at the sockets without sleeping, so that what the handler has
 * begun in here (a write to the store) goes out with this turn and not with the next thing that wakes the loop. */
static void on_turn(uv_idle_t *idle)
{
    struct th_http_server *s = TH_CONTAINER(idle, struct th_http_server, turn);
    struct th_list now;
    struct th_list *l;

    th_list_init(&now);
    while ((l = th_list_pop(&s->ready)))
        th_list_append(&now, l);
    while ((l = th_list_pop(&now)))
        process(TH_CONTAINER(l, struct th_conn, ready));
    th_server_tell_lost(s);
}

static void on_turn_end(uv_check_t *check)
{
    struct th_http_server *s = check->data;

    s->turn_us = 0;
    if (th_list_empty(&s->ready) && th_list_empty(&s->lost))
        (void)uv_idle_stop(&s->turn);
}

int64_t th_http_server_spent(const struct th_http_server *s)
{
    return s->turn_us;
}

/* ---- life of the server ---- */

/* Longest prefix first. */
static void take_mounts(struct th_http_server *s)
{
    unsigned count = s->options.mount_count;

    TH_CHECK(count <= TH_HTTP_MOUNTS);
    for (unsigned i = 0; i < count; i++) {
        const struct th_mount *m = &s->options.mounts[i];
        unsigned at = i;

        for (; at > 0 && strlen(s->mounts[at - 1].prefix) < strlen(m->prefix); at--)
            s->mounts[at] = s->mounts[at - 1];
        s->mounts[at] = *m;
    }
    for (unsigned i = 0; i < s->options.mount_count; i++)
        s->prefixes[i] = th_str(s->mounts[i].prefix);
    s->options.mounts = NULL; /* the caller's */
}

static void use_defaults(struct th_http_server *s, const struct th_http_server_options *options)
{
    struct th_http_server_options *own = &s->options;
    unsigned least;

    *own = *options;
    own->max_head = own->max_head ? own->max_head : 32 * 1024;
    own->max_body = own->max_body ? own->max_body : 16 * 1024 * 1024;
    own->max_answers = own->max_answers ? own->max_answers : 64 * 1024 * 1024;
    own->max_bodies = own->max_bodies ? own->max_bodies : 256 * 1024 * 1024;
    if (own->max_bodies / 4 < own->max_body)
        own->max_bodies = own->max_body * 4;
    own->max_connections = own->max_connections ? own->max_connections : 10000;
    own->head_timeout_ms = own->head_timeout_ms ? own->head_timeout_ms : 10000;
    own->body_timeout_ms = own->body_timeout_ms ? own->body_timeout_ms : 60000;
    own->idle_timeout_ms = own->idle_timeout_ms ? own->idle_timeout_ms : 75000;
    own->write_timeout_ms = own->write_timeout_ms ? own->write_timeout_ms : 30000;
    own->hold_ms = own->hold_ms ? own->hold_ms : 1000;
    s->limit_ms[TH_CONN_IDLE] = own->idle_timeout_ms;
    s->limit_ms[TH_CONN_HEAD] = own->head_timeout_ms;
    s->limit_ms[TH_CONN_BODY] = own->body_timeout_ms;
    s->limit_ms[TH_CONN_WRITING] = s->limit_ms[TH_CONN_BEHIND] = own->write_timeout_ms;
    s->limit_ms[TH_CONN_LINGER] = TH_SERVER_LINGER_MS;
    least = TH_SERVER_LINGER_MS;
    for (int i = TH_CONN_IDLE; i < TH_CONN_LINGER; i++)
        if (s->limit_ms[i] && s->limit_ms[i] < least)
            least = s->limit_ms[i];
    s->limit_ms[TH_CONN_HELD] = own->hold_ms; /* one tick more does not matter */
    s->tick_ms = least / 8 < 5 ? 5 : least / 8 > 250 ? 250 : least / 8;
}

static void make_id_prefix(struct th_http_server *s)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[sizeof s->id_prefix];

    if (uv_random(NULL, NULL, random, sizeof random, 0, NULL) != 0)
        /* without an entropy source ids are unique within the process only */
        for (size_t i = 0; i < sizeof random; i++)
            random[i] = (unsigned char)(uv_hrtime() >> (5 * i));
    for (size_t i = 0; i < sizeof random; i++)
        s->id_prefix[i] = alphabet[random[i] & 31];
}

enum th_error th_http_server_open(uv_loop_t *loop, const struct th_http_server_options *options,
                                  struct th_http_server **out, int *os_error)
{
    struct th_http_server *s = th_calloc(1, sizeof *s);

    *os_error = 0;
    if (!s)
        return TH_NOMEM;
    s->loop = loop;
    use_defaults(s, options);
    take_mounts(s);
    if (!th_server_shared_init(s)) {
        th_free(s);
        return TH_NOMEM;
    }
    if (!th_peers_init(s)) {
        th_server_shared_fini(s);
        th_free(s);
        return TH_NOMEM;
    }
    if (!th_server_listen(s, os_error)) {
        th_peers_fini(s);
        th_server_shared_fini(s);
        th_free(s);
        return TH_IO;
    }
    if (s->options.tls)
        (void)th_tls_identity_ref(s->options.tls);
    for (int i = 0; i < TH_CONN_STATES; i++)
        th_list_init(&s->by_state[i]);
    th_list_init(&s->ready);
    th_list_init(&s->lost);
    make_id_prefix(s);
    (void)uv_timer_init(loop, &s->tick); /* these cannot fail */
    (void)uv_idle_init(loop, &s->turn);
    (void)uv_check_init(loop, &s->turn_end);
    (void)uv_check_start(&s->turn_end, on_turn_end);
    s->up.tick = on_tick;
    s->up.turn = on_turn;
    s->up.written = th_conn_answered;
    s->up.taken = th_parts_taken;
    s->up.alloc = th_conn_on_alloc;
    s->up.read = th_conn_on_read;
    s->up.tls_alloc = th_conn_tls_on_alloc;
    s->up.tls_read = th_conn_tls_on_read;
    s->listener.data = s->tick.data = s->turn.data = s->turn_end.data = s;
    s->handles = 3;
    if (s->listening != TH_LISTENER_CLOSED) {
        s->handles++;
        th_server_accept(s);
    }
    if (!s->is_alone) {
        s->handles++;
        s->asked.data = s;
        (void)uv_async_init(loop, &s->asked,
                            th_peers_on_asked); /* cannot fail: the loop already has handles of this kind */
        th_server_shared_enter(s);
    }
    *out = s;
    return TH_OK;
}

void th_http_server_identity(struct th_http_server *s, struct th_tls_identity *id)
{
    struct th_tls_identity *old = s->options.tls;

    s->options.tls = th_tls_identity_ref(id);
    th_tls_identity_unref(old);
}

void th_http_server_trust(struct th_http_server *s, const struct th_cidr *trusted, unsigned count)
{
    s->options.trusted = trusted;
    s->options.trusted_count = count;
}

uint16_t th_http_server_port(const struct th_http_server *s)
{
    return s->port;
}

void th_http_server_drain(struct th_http_server *s, unsigned grace_ms, void (*drained)(void *ctx), void *ctx)
{
    TH_CHECK(!s->draining);
    s->draining = true;
    s->drained = drained;
    s->drained_ctx = ctx;
    uv_update_time(s->loop);
    s->cut_ms = now_ms(s) + grace_ms;
    th_server_shared_drain(s);
    if (s->listening != TH_LISTENER_CLOSED)
        th_server_unlisten(s, th_server_handle_closed);
    close_list(s, TH_CONN_IDLE);
    th_server_close_rest(s);
}

void th_http_server_free(struct th_http_server *s)
{
    TH_CHECK(s->draining && s->open == 0);
    /* Only connections that were cut while the handler had their exchange are left here. */
    while (!th_list_empty(&s->by_state[TH_CONN_CLOSING])) {
        struct th_conn *c = TH_CONTAINER(s->by_state[TH_CONN_CLOSING].next, struct th_conn, link);

        th_conn_release(c);
        th_conn_drop_block(c);
        th_conn_reap(c);
    }
    th_server_free_pools(s);
    th_peers_fini(s);
    th_server_shared_fini(s);
    th_tls_identity_unref(s->options.tls);
    th_free(s);
}
