/* Reading of one connection: bytes to heads, bodies and calls of the handler.
 *
 * In steady state a request costs no allocation and no copy: head and body are read where they lie, in a block of the
 * server's pool (http_server_pool.c). A body that does not fit into the block, or is chunked, gets memory
 * of its own that grows with what has arrived, never with what was announced, and has a limit over all
 * connections. The judge, who looks at the key, is asked before any part of a body is kept that did not come
 * with its head.
 *
 * Refuses: heads above max_head (431, 414 while the request line has no end), bodies above max_body (413, as
 * soon as it is known), whatever http1.c refuses. Invariants: 1. start <= end <= block_cap. 2. While there is
 * an exchange the block does not move. 3. One exchange at a time; bytes behind it wait in the block, and what
 * does not fit waits in the kernel. 4. conn_process is not entered twice (`processing`); code that would do
 * so asks for a turn instead. On failure (memory): 503 and the connection ends. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"

#define BODY_FIRST 16384 /* first size of a body's own memory */
#define CHUNK_ROOM 512   /* least room in the block behind a head for reading chunks */

/* ---- room ---- */

/* Moves the bytes to a block of `cap` bytes (cap >= end - start). Only without spans into the old one. */
static bool move_block(struct th_conn *c, size_t cap)
{
    size_t n = c->end - c->start, scanned;
    char *p;

    if (cap <= c->block_cap) {
        memmove(c->block, c->block + c->start, n);
    } else {
        p = th_malloc(cap);
        if (!p)
            return false;
        memcpy(p, c->block + c->start, n);
        scanned = c->scanned;
        th_conn_drop_block(c);
        c->block = p;
        c->block_cap = cap;
        c->scanned = scanned;
    }
    c->start = 0;
    c->end = n;
    return true;
}

/* Room behind an incomplete head, which is smaller than max_head. */
static bool make_head_room(struct th_conn *c)
{
    size_t most = c->server->options.max_head + CHUNK_ROOM, cap = c->block_cap * 2;

    if (c->end < c->block_cap)
        return true;
    if (c->start > 0)
        return move_block(c, c->block_cap);
    if (cap > most && most > c->block_cap)
        cap = most;
    return move_block(c, cap);
}

static void refuse_memory(struct th_conn *c)
{
    th_conn_refuse(c, 503, "no memory for this request now");
}

/* The memory for bodies is used up: the body that has been arriving for the longest gives way, if that is
 * longer than a head may take. So a client that sends slowly cannot keep others from sending. False: there is
 * no such body. */
static bool make_way(struct th_conn *c)
{
    struct th_list *all = &c->server->by_state[TH_CONN_BODY];
    struct th_conn *longest = NULL;

    for (struct th_list *l = all->next; l != all; l = l->next) {
        struct th_conn *other = TH_CONTAINER(l, struct th_conn, link);

        if (other->body && (!longest || other->body_ms < longest->body_ms))
            longest = other;
    }
    if (!longest || longest == c ||
        (int64_t)uv_now(c->server->loop) - longest->body_ms < c->server->options.head_timeout_ms)
        return false;
    refuse_memory(longest);
    return true;
}

/* Memory of its own for the body: at least one byte free, at most `most` bytes in all. */
static bool make_body_room(struct th_conn *c, size_t want, size_t most)
{
    struct th_http_server *s = c->server;
    size_t cap = c->body_cap ? c->body_cap : BODY_FIRST;
    char *p;

    if (c->body && want <= c->body_cap)
        return true;
    while (cap < want)
        cap *= 2;
    if (cap > most)
        cap = most;
    while (!th_server_budget_take(&s->bodies, cap - c->body_cap))
        if (!make_way(c))
            return false;
    p = th_realloc(c->body, cap);
    if (!p) {
        th_server_budget_give(&s->bodies, cap - c->body_cap);
        return false;
    }
    c->body = p;
    c->body_cap = cap;
    return true;
}

/* ---- heads ---- */

/* Path and query of the target; the authority of an absolute-form replaces Host (RFC 9112 section 3.2.2). */
static void split_target(struct th_http_exchange *x)
{
    struct th_span t = x->head.target;
    const char *q;

    if (t.n > 0 && t.p[0] != '/' && t.p[0] != '*') {
        const char *host = (const char *)memchr(t.p, ':', t.n) + 3; /* the reader has checked "://" */
        size_t n = 0, left = (size_t)(t.p + t.n - host);

        while (n < left && host[n] != '/' && host[n] != '?' && host[n] != '#')
            n++;
        for (unsigned i = 0; i < x->head.field_count; i++)
            if (th_span_ieq(x->head.fields[i].name, TH_LIT("host")))
                x->head.fields[i].value = th_span(host, n);
        t = n < left ? th_span(host + n, left - n) : TH_LIT("/");
    }
    q = memchr(t.p, '?', t.n);
    x->path = q ? th_span(t.p, (size_t)(q - t.p)) : t;
    x->query = q ? th_span(q + 1, t.n - x->path.n - 1) : th_span("", 0);
    if (x->path.n == 0)
        x->path = TH_LIT("/");
}

/* ---- who answers ---- */

static void handle_nowhere(void *ctx, struct th_http_exchange *x)
{
    (void)ctx;
    th_http_reply(x, 404, TH_LIT("Content-Type: application/problem+json\r\n"),
                  TH_LIT("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                         "\"detail\":\"there is nothing at this path\"}"));
}

static const struct th_mount *find_mount(const struct th_http_server *s, struct th_span path)
{
    static const struct th_mount nowhere = {.prefix = "", .handle = handle_nowhere};

    for (unsigned i = 0; i < s->options.mount_count; i++) {
        struct th_span prefix = s->prefixes[i];

        if (th_span_starts(path, prefix) && (!prefix.n || path.n == prefix.n || path.p[prefix.n] == '/'))
            return &s->mounts[i];
    }
    return &nowhere;
}

static const struct th_mount *mount_of(const struct th_conn *c)
{
    return ((const struct th_exchange *)c->x)->mount;
}

/* What follows from the head alone. */
static void head_is_read(struct th_conn *c)
{
    struct th_exchange *own = (struct th_exchange *)c->x;

    split_target(c->x);
    own->head_only = th_span_is(c->x->head.method, "HEAD");
    own->mount = find_mount(c->server, c->x->path);
}

/* Reads a head that is known to be complete once more, after its bytes have moved. */
static void reread_head(struct th_conn *c)
{
    size_t scanned = 0, used;
    unsigned status;
    const char *why;

    (void)th_http1_request(c->block + c->start, c->end - c->start, &scanned, &c->x->head, &used, &status,
                           &why);
    head_is_read(c);
}

/* Fills in what the handler and the judge see besides the head. */
static void prepare(struct th_conn *c, struct th_span body)
{
    struct th_http_exchange *x = c->x;

    x->body = body;
    x->received_us = c->server->seen_us;
    x->known = c->known;
    x->here = c->here;
    x->home = c->home;
    x->gone = false;
    x->user = NULL;
    x->peer = c->peer;
}

static void dispatch(struct th_conn *c, struct th_span body, size_t next)
{
    const struct th_mount *m;

    c->start = next;
    prepare(c, body);
    m = mount_of(c);
    th_conn_enter(c, TH_CONN_BUSY);
    m->handle(m->ctx, c->x);
}

static void refuse_size(struct th_conn *c)
{
    th_conn_refuse(c, 413, "the request body is larger than allowed");
}

/* ---- bodies ---- */

/* Appends decoded payload; false when the connection has been refused. */
static bool add_payload(struct th_conn *c, struct th_span data)
{
    size_t most = c->server->options.max_body;

    if (data.n > most - c->body_n) {
        refuse_size(c);
        return false;
    }
    if (data.n == 0)
        return true;
    if (c->skip) {
        c->body_n += data.n;
        return true;
    }
    if (!make_body_room(c, c->body_n + data.n, most)) {
        refuse_memory(c);
        return false;
    }
    memcpy(c->body + c->body_n, data.p, data.n);
    c->body_n += data.n;
    return true;
}

static void feed_chunks(struct th_conn *c)
{
    enum th_http1_result r = TH_HTTP1_MORE;
    const char *why;

    while (r == TH_HTTP1_MORE && c->raw < c->end) {
        struct th_span data;
        size_t used = 0;

        r = th_http1_chunked(&c->chunked, c->block + c->raw, c->end - c->raw, &used, &data, &why);
        if (r == TH_HTTP1_BAD) {
            th_conn_refuse(c, 400, why);
            return;
        }
        c->raw += used;
        if (!add_payload(c, data))
            return;
        if (th_http1_chunked_left(&c->chunked) > c->server->options.max_body - c->body_n) {
            refuse_size(c);
            return;
        }
    }
    if (r == TH_HTTP1_DONE) {
        dispatch(c, c->body ? th_span(c->body, c->body_n) : th_span("", 0), c->raw);
        return;
    }
    c->raw = c->end = c->start + c->head_used; /* decoded and gone */
}

static void feed_length(struct th_conn *c)
{
    size_t length = (size_t)c->x->head.length, from = c->start + c->head_used;

    if (c->skip) {
        size_t left = length - c->body_n, here = c->end - from, taken = here < left ? here : left;

        c->body_n += taken;
        if (c->body_n == length)
            dispatch(c, th_span("", 0), from + taken);
        else
            c->end = from; /* thrown away */
    } else if (c->body) {
        if (c->body_n == length)
            dispatch(c, th_span(c->body, length), from);
    } else if (c->end - from >= length) {
        dispatch(c, th_span(c->block + from, length), from + length);
    }
}

static void feed_body(struct th_conn *c)
{
    if (c->x->head.body == TH_HTTP1_CHUNKED)
        feed_chunks(c);
    else
        feed_length(c);
}

/* Decides where a body of known length will lie. */
static bool place_length(struct th_conn *c)
{
    size_t length = (size_t)c->x->head.length, have = c->end - c->start - c->head_used;

    if (c->head_used + length <= c->block_cap) {
        if (c->start + c->head_used + length > c->block_cap) {
            (void)move_block(c, c->block_cap);
            reread_head(c);
        }
        return true;
    }
    if (!make_body_room(c, have > BODY_FIRST ? have : 1, length))
        return false;
    memcpy(c->body, c->block + c->start + c->head_used, have);
    c->body_n = have;
    c->end = c->start + c->head_used;
    return true;
}

/* Room in the block behind the head, for bytes that do not stay there. */
static bool make_room_behind_head(struct th_conn *c)
{
    if (c->block_cap - c->start - c->head_used < CHUNK_ROOM) {
        size_t need = c->end - c->start + CHUNK_ROOM;

        if (!move_block(c, need > c->block_cap ? need : c->block_cap))
            return false;
        reread_head(c);
    }
    return true;
}

static bool place_chunks(struct th_conn *c)
{
    if (!make_room_behind_head(c))
        return false;
    th_http1_chunked_init(&c->chunked, false);
    c->raw = c->start + c->head_used;
    return true;
}

static bool place_body(struct th_conn *c)
{
    if (c->x->head.body == TH_HTTP1_CHUNKED)
        return place_chunks(c);
    return c->skip ? make_room_behind_head(c) : place_length(c);
}

/* The request may go on: its body is read. */
static void read_body(struct th_conn *c)
{
    const struct th_http1_head *head = &c->x->head;
    bool early = c->end > c->start + c->head_used; /* bytes of the body are here: the client has not waited */

    if (head->body == TH_HTTP1_LENGTH && head->length > c->server->options.max_body) {
        refuse_size(c);
        return;
    }
    if (!place_body(c)) {
        refuse_memory(c);
        return;
    }
    c->body_ms = (int64_t)uv_now(c->server->loop);
    th_conn_enter(c, TH_CONN_BODY);
    if (head->expect_continue && !early)
        th_conn_continue(c);
    if (c->state == TH_CONN_BODY)
        feed_body(c);
}

static void judge(struct th_conn *c)
{
    const struct th_mount *m = mount_of(c);
    enum th_http_verdict verdict;

    c->unread = true;
    th_conn_enter(c, TH_CONN_BUSY);
    verdict = m->judge(m->ctx, c->x);
    if (verdict == TH_HTTP_ANSWERED)
        return;
    c->unread = false;
    c->skip = verdict == TH_HTTP_SKIP;
    read_body(c);
}

/* All of the body came with the head: the handler itself looks at both. */
static bool is_whole(const struct th_conn *c)
{
    const struct th_http1_head *head = &c->x->head;

    return head->body == TH_HTTP1_LENGTH && head->length <= c->server->options.max_body &&
           head->length <= c->end - c->start - c->head_used;
}

/* Other servers of the process have been asked for a place; the request waits for it once. */
static void too_many(struct th_conn *c)
{
    if (c->server->is_alone || c->waited) {
        th_peers_give_up(c);
        th_conn_refuse(c, 503, "too many connections");
        return;
    }
    c->waited = true;
    th_conn_enter(c, TH_CONN_BUSY);
    th_conn_enter(c, TH_CONN_HELD);
    th_peers_wait(c);
}

static void begin_body(struct th_conn *c)
{
    bool has_body = c->x->head.body != TH_HTTP1_NO_BODY;

    c->x->held = false;
    if (!has_body && !c->extra) {
        dispatch(c, th_span("", 0), c->start + c->head_used);
        return;
    }
    prepare(c, th_span("", 0));
    if (c->extra && (has_body || !mount_of(c)->vital) && !th_peers_promote(c))
        too_many(c);
    else if (!has_body)
        dispatch(c, th_span("", 0), c->start + c->head_used);
    else if (mount_of(c)->judge && !is_whole(c))
        judge(c);
    else
        read_body(c);
}

static int64_t look_at_clock(struct th_http_server *s)
{
    s->seen_us = (int64_t)(uv_hrtime() / 1000);
    return s->seen_us;
}

static void resume(struct th_conn *c)
{
    struct th_http_server *s = c->server;
    int64_t began_us = look_at_clock(s);

    TH_CHECK(c->state == TH_CONN_HELD && c->x && !c->processing);
    c->x->held = true;
    c->x->received_us = began_us;
    c->processing = true;
    if (c->waits) {
        th_conn_enter(c, TH_CONN_HEAD);
        begin_body(c);
    } else if (c->unread) {
        judge(c);
    } else {
        const struct th_mount *m = mount_of(c);

        th_conn_enter(c, TH_CONN_BUSY);
        m->handle(m->ctx, c->x);
    }
    c->processing = false;
    s->turn_us += look_at_clock(s) - began_us;
    if (c->state == TH_CONN_IDLE && c->start < c->end)
        th_conn_make_ready(c);
    else if (c->state != TH_CONN_CLOSING)
        th_conn_start(c);
}

static void incomplete_head(struct th_conn *c)
{
    size_t n = c->end - c->start;

    if (n >= c->server->options.max_head) {
        if (memchr(c->block + c->start, '\n', n))
            th_conn_refuse(c, 431, "the request head is larger than allowed");
        else
            th_conn_refuse(c, 414, "the request target is longer than allowed");
    } else if (!make_head_room(c)) {
        refuse_memory(c);
    } else if (c->state != TH_CONN_HEAD) {
        th_conn_enter(c, TH_CONN_HEAD);
    }
}

/* ---- the loop over what is here ---- */

/* A head, if it is here. False when more bytes are needed or the connection has been refused. */
static bool begin_request(struct th_conn *c)
{
    struct th_http_server *s = c->server;
    struct th_exchange *x = th_exchange_take(s);
    enum th_http1_result r;
    unsigned status = 400;
    const char *why;

    if (!x) {
        refuse_memory(c);
        return false;
    }
    r = th_http1_request(c->block + c->start, c->end - c->start, &c->scanned, &x->pub.head, &c->head_used,
                         &status, &why);
    if (r == TH_HTTP1_DONE && c->head_used > s->options.max_head) {
        r = TH_HTTP1_BAD;
        status = 431;
        why = "the request head is larger than allowed";
    }
    if (r != TH_HTTP1_DONE) {
        th_exchange_give(s, x);
        if (r == TH_HTTP1_BAD)
            th_conn_refuse(c, status, why);
        else
            incomplete_head(c);
        return false;
    }
    x->conn = c;
    c->x = &x->pub;
    head_is_read(c);
    th_server_next_id(s, x->pub.request_id);
    if (s->options.place) {
        c->here++;
        prepare(c, th_span("", 0));
        if (th_conn_leaves(c)) {
            th_conn_release(c);
            return false;
        }
    }
    begin_body(c);
    return true;
}

/* What is here waits for the next turn, and nothing more is read until then. */
static void wait_a_turn(struct th_conn *c)
{
    if (c->reading)
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    th_conn_make_ready(c);
}

static bool may_begin(const struct th_conn *c)
{
    return c->state <= TH_CONN_HEAD && c->start < c->end;
}

/* Reads and handles what is here, as long as this turn lasts. True: something is left for the next one. */
static bool work_off(struct th_conn *c)
{
    struct th_http_server *s = c->server;
    int64_t began_us = look_at_clock(s);
    bool more = true;

    c->processing = true;
    if (c->state == TH_CONN_BODY)
        feed_body(c);
    do {
        more = more && may_begin(c);
        if (more)
            more = begin_request(c);
        s->turn_us -= began_us;
        began_us = look_at_clock(s);
        s->turn_us += began_us;
    } while (more && !th_server_turn_over(s));
    c->processing = false;
    return more && may_begin(c);
}

void th_conn_process(struct th_conn *c)
{
    bool left = false;

    TH_CHECK(c->start <= c->end && c->end <= c->block_cap);
    if (c->processing)
        return;
    if (th_server_turn_over(c->server)) {
        wait_a_turn(c);
        return;
    }
    if (c->moves && c->state <= TH_CONN_HEAD) {
        if (th_conn_move(c))
            return;
        c->stays = true;
    }
    if (c->resumes) {
        c->resumes = false;
        resume(c);
        return;
    }
    if (c->preface && !th_conn_preface(c)) {
        if (c->state != TH_CONN_CLOSING)
            th_conn_start(c);
        return;
    }
    if (c->state == TH_CONN_BODY || may_begin(c))
        left = work_off(c);
    if (c->state == TH_CONN_CLOSING)
        return;
    if (c->moves || left)
        wait_a_turn(c);
    else
        th_conn_start(c);
}

/* ---- events of the socket ---- */

/* A body of known length that does not fit into the block is read straight into its own memory. */
static bool is_reading_own_body(const struct th_conn *c)
{
    return c->state == TH_CONN_BODY && c->body && c->x->head.body == TH_HTTP1_LENGTH;
}

void th_conn_on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct th_conn *c = h->data;

    (void)suggested;
    if (th_server_turn_over(c->server))
        *buf = uv_buf_init(NULL, 0);
    else
        th_conn_room(c, buf);
}

void th_conn_room(struct th_conn *c, uv_buf_t *buf)
{
    if (c->state == TH_CONN_LINGER) {
        *buf = uv_buf_init(c->server->scratch, sizeof c->server->scratch);
        return;
    }
    if (is_reading_own_body(c)) {
        size_t length = (size_t)c->x->head.length, room;

        if (!make_body_room(c, c->body_n + 1, length)) {
            *buf = uv_buf_init(NULL, 0);
            return;
        }
        room = c->body_cap - c->body_n;
        *buf = uv_buf_init(c->body + c->body_n, (unsigned)(room < TH_SERVER_READ ? room : TH_SERVER_READ));
        return;
    }
    if (!c->block) {
        c->block = th_server_take_block(c->server);
        c->block_cap = c->block ? TH_SERVER_BLOCK : 0;
    }
    *buf =
        c->block ? uv_buf_init(c->block + c->end, (unsigned)(c->block_cap - c->end)) : uv_buf_init(NULL, 0);
}

/* There is no room: waits when a request is being handled or the turn has taken long enough, and gives up
 * when memory is lacking. */
static void on_no_room(struct th_conn *c)
{
    if (th_server_turn_over(c->server) && c->state != TH_CONN_BUSY) {
        wait_a_turn(c);
        return;
    }
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    if (th_conn_is_reading(c))
        refuse_memory(c);
}

static void on_lost(struct th_conn *c, bool orderly)
{
    c->eof = true;
    c->reading = false;
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    if (c->x)
        c->x->gone = true;
    if (!orderly || c->state == TH_CONN_LINGER || (c->parts && c->parts->endless))
        th_conn_close(c);
    else if (c->state <= TH_CONN_BODY)
        th_conn_start(c);
    /* BUSY, WRITING, PARTS, BEHIND: the answer goes out all the same; the client may only have ended its side. */
}

static void on_thrown_away(struct th_conn *c, size_t n)
{
    c->moved += n;
    c->body_n += n;
    if (c->body_n / TH_SERVER_LINGER_BODIES > c->server->options.max_body)
        th_conn_close(c);
}

void th_conn_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct th_conn *c = stream->data;

    (void)buf;
    if (c->state == TH_CONN_CLOSING)
        return;
    if (n > 0)
        c->server->turn_us += n / 2048; /* roughly the time that the kernel took to hand the bytes over */
    if (n == UV_ENOBUFS) {
        on_no_room(c);
    } else if (n < 0) {
        on_lost(c, n == UV_EOF);
    } else if (n == 0) {
        th_conn_start(c); /* nothing to read after all: the block goes back */
    } else if (c->state == TH_CONN_LINGER) {
        on_thrown_away(c, (size_t)n);
    } else {
        if (is_reading_own_body(c))
            c->body_n += (size_t)n;
        else
            c->end += (size_t)n;
        if (c->state == TH_CONN_BODY)
            c->moved += (size_t)n;
        if (th_conn_is_reading(c))
            th_conn_process(c);
    }
}
