/* What the files of the HTTP server share. Nobody else includes this. A file calls those above it in this list:
 *
 *   http_server_shared.c   what the servers of a process count together
 *   http_server_pool.c     memory for blocks and exchanges
 *   http_server_life.c     states and the end of a connection \
  *   http_server_peers.c    limits on connections               > these three call each other
 *   http_server_out.c      bytes that leave                   /
 *   http_server_reply.c    answers
 *   http_server_parts.c    answers in parts
 *   http_server_move.c     connections that go to another server, or come from one
 *   http_server_conn.c     reading of requests                \
 *   http_server_preface.c  the PROXY header                    > these three call each other
 *   http_server_tls.c      reading over TLS                   /
 *   http_server_accept.c   listening
 *   http_server.c          time, turns, opening and draining */
#ifndef TH_NET_HTTP_SERVER_IMPL_H
#define TH_NET_HTTP_SERVER_IMPL_H
#include "base/list.h"
#include "base/map.h"
#include "net/http_server.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#define TH_SERVER_BLOCK 8192     /* bytes of a usual read block */
#define TH_SERVER_POOL 256       /* blocks, and exchanges, kept for reuse */
#define TH_SERVER_SCRATCH 65536  /* bytes read at once to be thrown away */
#define TH_SERVER_LINGER_MS 5000 /* to read a last answer, or to go on sending fast enough */
#define TH_SERVER_LINGER_MAX_MS 300000
#define TH_SERVER_LINGER_BODIES 64 /* times max_body: what is thrown away at most behind a last answer */
#define TH_SERVER_MIN_RATE 1024    /* bytes a second, below which a body or an answer is cut */
#define TH_SERVER_KERNEL                                                                                     \
    131072 /* bytes of answers that the kernel keeps for one client, twice with its own needs */
#define TH_SERVER_LARGE 65536 /* bytes that wait for a client, from which the next rate holds */
#define TH_SERVER_LARGE_RATE 8192
#define TH_SERVER_TURN_US 2000 /* in one turn of the loop; what is there beyond is handled in the next */
#define TH_SERVER_READ 262144  /* bytes read at once */

/* Life of a connection. Every state but BUSY and PARTS has a time limit; each has one list, whose connections expire in
 * the order in which they entered because the limit is the same for all of them.
 *
 *   accept -> IDLE -> HEAD -> BODY -> BUSY -> [WRITING] -> IDLE      [th_conn_process], [answered]
 *   HEAD, BUSY -> HELD -> BODY, BUSY                                [th_http_hold], [resume]
 *   BUSY -> PARTS <-> BEHIND -> [WRITING] -> IDLE                   [http_server_parts.c]
 *   IDLE, HEAD, BODY, BUSY, PARTS, BEHIND -> [WRITING] -> LINGER -> CLOSING   [th_conn_refuse], [linger]
 *   IDLE, HEAD -> BUSY -> HELD -> HEAD     for a place               [too_many], [resume]
 *   any -> CLOSING                                                  [th_conn_close]
 *
 * The table of all transitions is in http_server_life.c. */
enum th_conn_state {
    TH_CONN_IDLE,    /* no byte of a request is here */
    TH_CONN_HEAD,    /* a part of a head is here */
    TH_CONN_BODY,    /* the head is complete, the body is not */
    TH_CONN_BUSY,    /* the handler, or the judge, has the exchange */
    TH_CONN_HELD,    /* the handler, or the judge, is to be called again */
    TH_CONN_WRITING, /* answered; the kernel has not taken all of it yet */
    TH_CONN_PARTS,   /* answered in part; the handler has to write the next part */
    TH_CONN_BEHIND,  /* answered in part, and bytes have waited since the present window of time began */
    TH_CONN_LINGER,  /* last answer given; what still comes in is thrown away */
    TH_CONN_CLOSING, /* uv_close is under way or done */
    TH_CONN_STATES
};

/* NEW -> WATCHED <-> WAITS; WATCHED, WAITS -> CLOSED */
enum th_listener_state {
    TH_LISTENER_NEW,     /* bound; the loop does not look at it yet */
    TH_LISTENER_WATCHED, /* the loop looks at it */
    TH_LISTENER_WAITS,   /* not looked at until the next tick: there was no descriptor or no memory */
    TH_LISTENER_CLOSED
};

struct th_conn {
    uv_tcp_t tcp;
    struct th_http_server *server;
    struct th_list link;  /* in server->by_state[state] */
    struct th_list ready; /* in server->ready, while closing in server->lost, or on its own */
    int64_t deadline_ms;  /* uv_now */
    /* Since the state was entered or its window of time began: bytes of a body received (BODY), thrown away (LINGER); bytes
     * that the kernel had not taken then (WRITING), and those that were queued since (BEHIND). */
    uint64_t moved;
    uv_shutdown_t shutdown;
    struct th_addr peer;
    uint8_t state;                                          /* enum th_conn_state */
    bool eof, reading, processing, counted, ending, closed; /* ending: the present answer is the last */
    bool preface;      /* a PROXY header may come (http_server_preface.c) */
    bool extra;        /* above max_connections: for vital requests only */
    bool resumes;      /* it was held, and its turn has come */
    bool unread;       /* the request is being judged: its body has not been read */
    bool skip;         /* its body is thrown away */
    bool waited;       /* the request was held once because the connection is `extra` */
    bool waits;        /* other servers look for a place for the connection */
    uint64_t question; /* while it waits: the number of its question to them */

    /* Between servers (http_server_move.c). */
    bool moves;  /* to the server `to`, in its next turn */
    bool stays;  /* the next request is handled here, whatever `place` would say */
    bool handed; /* another server has the connection: only this handle is closed */
    unsigned to, home;
    uint64_t here; /* requests since it came to this server */

    /* While it is keyless (http_server_peers.c). */
    struct th_list keyless; /* in server->keyless, or in server->extras; else on its own */
    struct th_list same;    /* in peer_of->conns; else on its own */
    struct th_peer *from;   /* NULL: not counted by address */
    uint64_t known;         /* who the client is; 0: not known */

    /* Read block: bytes [start, end) are not handled yet. Fixed in place while an exchange is made of it. */
    char *block;
    size_t block_cap, start, end, scanned;

    /* The request under way. */
    struct th_http_exchange *x; /* from the end of the head to the answer */
    size_t head_used;
    size_t raw; /* chunked: bytes [raw, end) of the block are not decoded yet */
    struct th_http1_chunked chunked;
    char *body; /* own memory for a body that does not lie in the block, or NULL */
    size_t body_n, body_cap;
    /* uv_now when its head was complete; LINGER: when that began, and body_n counts what came */
    int64_t body_ms;

    unsigned writes; /* uv_write requests that have not called back */

    /* The answer in parts that is under way (http_server_parts.c). */
    const struct th_http_parts *parts; /* NULL: none */
    int64_t waits_ms;                  /* uv_now since when bytes wait for the client; 0: none do */
    uint32_t waited_ms;                /* for how long they did before, since the window began */
    bool is_chunked;                   /* its coding */
    bool keep;                         /* the connection goes on behind it */
    bool wants_room;                   /* `room` is to be called */

    struct th_tls_peer *tls;            /* NULL: plain */
    bool pumping, tls_began, tls_ended; /* opening ciphertext; a byte of it has come; good-bye is said */
};

/* An exchange with its way back; `pub` is first. */
struct th_exchange {
    struct th_http_exchange pub;
    struct th_conn *conn;
    struct th_exchange *next; /* in the pool */
    const struct th_mount *mount;
    bool head_only;
};

/* An address with keyless connections. */
struct th_peer {
    uint64_t name;
    struct th_list conns; /* longest idle first */
    unsigned count;
};

/* What the servers of a process count together. */
struct th_http_shared {
    unsigned servers;
    _Atomic unsigned
        counted; /* connections that count towards max_connections, those on their way included */
    _Atomic unsigned waiting;       /* requests on connections above that, for which a place is looked for */
    _Atomic size_t answers, bodies; /* bytes that servers have beyond their own shares */

    /* Guards what follows. Held for a few instructions, for a connection that moves and for one that finds no place. */
    pthread_mutex_t lock;
    bool draining;                                  /* a server drains: no connection is moved any more */
    unsigned coming[TH_HTTP_SERVERS];               /* connections on their way to a server */
    uint64_t asked;                                 /* the newest question for a place */
    uint64_t looked[TH_HTTP_SERVERS];               /* the last question that a server has dealt with */
    struct th_http_server *server[TH_HTTP_SERVERS]; /* those that can be asked to look after places */
};

/* Limits bytes of one kind: a server may always have its share, and beyond it what is left of the rest. So no
 * client of one server can use up what the others need; and where there is no room, this server has a
 * connection that can make way. */
struct th_budget {
    size_t own, share; /* bytes that this server has, and that it may have in any case */
    size_t rest;       /* bytes that all servers together may have beyond their shares */
    _Atomic size_t *beyond;
};

/* A connection on its way from one server to another. */
struct th_http_moved {
    struct th_conn *conn; /* on no list, and without a handle yet */
    int fd;
};

struct th_http_server {
    struct th_http_server_options options;
    struct th_mount mounts[TH_HTTP_MOUNTS];  /* longest prefix first */
    struct th_span prefixes[TH_HTTP_MOUNTS]; /* of these */
    struct th_http_shared *shared;
    bool is_alone;    /* `shared` is its own */
    uv_async_t asked; /* another server asks this one to look for places; unused when it is alone */
    uv_loop_t *loop;
    uv_poll_t listener;
    int listen_fd;
    uv_timer_t tick;
    uv_idle_t turn; /* runs while `ready` has connections */
    uv_check_t turn_end;
    int64_t turn_us; /* reading and handling in this turn so far */
    int64_t seen_us; /* monotonic: what the clock said when it was looked at last */
    uint16_t port;
    uint64_t tick_ms;
    enum th_listener_state listening;
    int64_t warned_ms; /* uv_now of the last log line about that; 0: none */
    /* Functions that files call although they stand below them in the list above. Set once, when the server is opened. */
    struct {
        uv_timer_cb tick;
        uv_idle_cb turn;
        void (*written)(struct th_conn *c); /* the kernel has taken all that was queued while WRITING */
        void (*taken)(struct th_conn *c);   /* the same for an answer in parts */
        uv_alloc_cb alloc, tls_alloc;
        uv_read_cb read, tls_read;
    } up;

    struct th_list by_state[TH_CONN_STATES];
    unsigned limit_ms[TH_CONN_STATES];
    struct th_list ready;     /* connections that hold bytes of a request, and wait for a turn */
    struct th_list lost;      /* connections that close, whose handler of an answer in parts is to be told */
    unsigned open;            /* number of connections whose handle is not closed */
    struct th_budget bodies;  /* sum of body_cap */
    struct th_budget answers; /* copies of answers that wait for their clients */
    struct th_list keyless;   /* counted connections whose client is not known, the longest idle first */
    struct th_list extras;    /* connections above max_connections, oldest first */
    unsigned extra_count;
    struct th_map peers; /* name of an address -> struct th_peer */

    struct th_exchange *exchanges; /* pool */
    unsigned exchange_count;
    void *blocks; /* pool; the first bytes of a block point to the next */
    unsigned block_count;

    char id_prefix[12]; /* random; makes request ids unique across servers */
    uint64_t id_next;
    int64_t date_s; /* the second of `date` */
    char date[32];  /* "Sun, 06 Nov 1994 08:49:37 GMT" */

    bool draining;
    int64_t cut_ms; /* uv_now when what is left is cut */
    void (*drained)(void *ctx);
    void *drained_ctx;
    unsigned handles; /* listener, tick, turn, turn_end and asked that are not closed */
    char scratch[TH_SERVER_SCRATCH];
};

/* This turn has taken long enough. */
static inline bool th_server_turn_over(const struct th_http_server *s)
{
    return s->turn_us >= TH_SERVER_TURN_US;
}

/* What comes on the socket is read in this state. */
static inline bool th_conn_is_reading(const struct th_conn *c)
{
    return c->state <= TH_CONN_BODY || c->state == TH_CONN_LINGER;
}

/* Bytes that wait in this process for the client. */
static inline size_t th_conn_queued(const struct th_conn *c)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
}

/* The bytes are only read; uv_buf_t is not const because reading uses it too. */
static inline uv_buf_t th_uv_buf(struct th_span s)
{
    uv_buf_t b;

    memcpy(&b.base, &s.p, sizeof b.base);
    b.len = s.n;
    return b;
}

/* ---- http_server_shared.c ---- */

/* To be called once the server has its options, with defaults filled in. False: no memory. */
bool th_server_shared_init(struct th_http_server *s);
void th_server_shared_fini(struct th_http_server *s);
/* Counts `n` bytes; false: there is no room for them. */
bool th_server_budget_take(struct th_budget *b, size_t n);
void th_server_budget_give(struct th_budget *b, size_t n);
/* Counts one connection towards max_connections; false: the limit is reached. */
bool th_server_shared_count(struct th_http_server *s);
void th_server_shared_uncount(struct th_http_server *s);
/* One more connection waits for a place: asks every server whether it can make one, and returns the number of
 * this question. `waited`: one connection less waits. */
uint64_t th_server_shared_wait(struct th_http_server *s);
void th_server_shared_waited(struct th_http_server *s);
/* The newest question. */
uint64_t th_server_shared_asked(struct th_http_server *s);
/* This server has done what it can for all questions up to `number`. Returns the number up to which all
 * servers have done so. */
uint64_t th_server_shared_looked(struct th_http_server *s, uint64_t number);
/* `left`: the number of free places. `wanted`: the number of places that must be made so that each waiting
 * connection has one. */
unsigned th_server_shared_left(const struct th_http_server *s);
unsigned th_server_shared_wanted(const struct th_http_server *s);
/* From now on other servers can ask `s`, or they no longer can. */
void th_server_shared_enter(struct th_http_server *s);
void th_server_shared_leave(struct th_http_server *s);
/* Counts a connection on its way to the server `to`. False: that server takes none. */
bool th_server_shared_send(struct th_http_server *s, unsigned to);
/* The connection has come, or was not sent after all. */
void th_server_shared_arrived(struct th_http_server *s, unsigned to);
/* No connection is moved from now on. */
void th_server_shared_drain(struct th_http_server *s);
/* True while connections are on their way to this server. */
bool th_server_shared_is_expecting(const struct th_http_server *s);

/* ---- http_server_pool.c ---- */

/* Returns TH_SERVER_BLOCK bytes; NULL: no memory. */
char *th_server_take_block(struct th_http_server *s);
/* Gives the read block back. */
void th_conn_drop_block(struct th_conn *c);
/* NULL: no memory. */
struct th_exchange *th_exchange_take(struct th_http_server *s);
void th_exchange_give(struct th_http_server *s, struct th_exchange *x);
/* Gives the exchange, its body and the bytes of its request back. */
void th_conn_release(struct th_conn *c);
void th_server_free_pools(struct th_http_server *s);

/* ---- http_server_life.c ---- */

/* Puts the connection into a state that may follow its present one, with the time limit of that state. */
void th_conn_enter(struct th_conn *c, enum th_conn_state state);
/* Has the socket read, or not, as the state wants it, and gives memory back that the state does not need. */
void th_conn_start(struct th_conn *c);
/* Makes `c` a connection of this server, IDLE and without a socket yet. `c` is zeroed except for what it
 * brought along from another server. */
void th_conn_begin(struct th_http_server *s, struct th_conn *c);
/* Has th_conn_process called for the connection in the next turn of the loop. */
void th_conn_make_ready(struct th_conn *c);
/* Tells the handlers of answers in parts whose connections are closing. Called from the loop. */
void th_server_tell_lost(struct th_http_server *s);
/* Starts the tick, which runs while there is a connection, or while one cannot be accepted. */
void th_server_tick_start(struct th_http_server *s);
/* The other side is a trusted proxy. */
bool th_conn_is_trusted(const struct th_conn *c);
void th_conn_close(struct th_conn *c);
/* Closes it without a TLS good-bye, and with a reset when the kernel holds bytes that the client has not
 * taken. */
void th_conn_expire(struct th_conn *c);
/* Closes it, and throws away what the kernel still has for the client. */
void th_conn_cut(struct th_conn *c);
/* Frees the memory of a closed connection whose exchange has come back. */
void th_conn_reap(struct th_conn *c);
/* While draining: closes the handles that were needed until the last connection was gone, if it is gone. */
void th_server_close_rest(struct th_http_server *s);
/* The close callback of the server's own handles. */
void th_server_handle_closed(uv_handle_t *h);

/* ---- http_server_peers.c ---- */

bool th_peers_init(struct th_http_server *s);
void th_peers_fini(struct th_http_server *s);
/* Finds a place for a connection that has just been accepted; false: there is none. */
bool th_peers_admit(struct th_conn *c);
/* Counts the connection for its address, which must be known now. */
void th_peers_count(struct th_conn *c);
/* Gives a place to a connection that is `extra`. False: there is still none. */
bool th_peers_promote(struct th_conn *c);
/* The request on a connection that is `extra` begins to wait for a place, or no longer waits. */
void th_peers_wait(struct th_conn *c);
void th_peers_give_up(struct th_conn *c);
/* Called when another server has found no place, has made one, or has looked for one. */
void th_peers_on_asked(uv_async_t *asked);
/* The connection was at work a moment ago. */
void th_peers_used(struct th_conn *c);
/* The connection ends. */
void th_peers_gone(struct th_conn *c);

/* ---- http_server_out.c ---- */

/* Sends or queues all buffers; when the last is `lasting`, it is not copied. False when the connection has
 * been closed instead. */
bool th_conn_send(struct th_conn *c, const uv_buf_t *bufs, unsigned count, bool lasting);
/* Sends what TLS has to send. False when the connection has been closed instead. */
bool th_conn_tls_flush(struct th_conn *c);
/* Sends the good-bye of TLS, as far as the socket takes it. */
void th_conn_tls_bye(struct th_conn *c);

/* ---- http_server_reply.c ---- */

void th_server_next_id(struct th_http_server *s, char *out);
/* Answers with a problem (RFC 9457) instead of the handler and ends the connection. `detail` is static English. */
void th_conn_refuse(struct th_conn *c, unsigned status, const char *detail);
/* The interim answer 100. */
void th_conn_continue(struct th_conn *c);
/* The kernel has taken the answer: goes on with the next request, or ends the connection. */
void th_conn_answered(struct th_conn *c);
/* Sends a head and a body: `count` buffers in all, of which bufs[0] to [2] are set here and the rest is the
 * body. `length` is that of the body, or one of the values below. `keeps`: the connection goes on after it.
 * False: it has been closed instead. */
#define TH_LENGTH_CHUNKED SIZE_MAX
#define TH_LENGTH_CLOSE (SIZE_MAX - 1) /* the end of the connection is the end of the body */
bool th_conn_send_answer(struct th_conn *c, unsigned status, struct th_span fields, size_t length, bool keeps,
                         uv_buf_t *bufs, unsigned count, bool lasting);
/* True when the client and the state of the server let the connection go on after the present answer. */
bool th_conn_keeps(const struct th_conn *c);
/* The whole answer is written or queued: gives the exchange back, and goes on with the connection. */
void th_conn_end_answer(struct th_conn *c, bool keeps);
/* Gives the exchange back when the connection is closed. */
void th_conn_end_unheard(struct th_conn *c);
void th_server_count_answer(struct th_http_server *s, unsigned status);

/* ---- http_server_parts.c ---- */

/* The kernel has taken all that was queued of an answer in parts. */
void th_parts_taken(struct th_conn *c);
/* The window of time of a connection that is BEHIND has ended. */
void th_parts_expire(struct th_conn *c);

/* ---- http_server_move.c ---- */

/* Whether the request whose head is here is for another server; then the connection moves in its next turn. */
bool th_conn_leaves(struct th_conn *c);
/* Moves it. False: it cannot be moved, and stays as it is. */
bool th_conn_move(struct th_conn *c);

/* ---- http_server_conn.c ---- */

/* Handles what the block holds until bytes, the handler or the socket must be waited for. */
void th_conn_process(struct th_conn *c);
/* Sets where the next bytes go, as th_conn_on_alloc does, however long this turn has taken. */
void th_conn_room(struct th_conn *c, uv_buf_t *buf);
/* Called by the socket of a plain connection, and by the TLS layer of any other. */
void th_conn_on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
void th_conn_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* ---- http_server_preface.c ---- */

/* Handles the first bytes of a connection with `preface`. False: nothing is here yet for the reader of
 * requests. */
bool th_conn_preface(struct th_conn *c);

/* ---- http_server_tls.c; all but `begin` only with c->tls ---- */

bool th_conn_tls_begin(struct th_conn *c);
/* Decrypts what waits, as far as there is room. */
void th_conn_tls_pump(struct th_conn *c);
void th_conn_tls_on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
void th_conn_tls_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* ---- http_server_accept.c ---- */

/* Binds and listens; false with errno in *os_error, and nothing is left. */
bool th_server_listen(struct th_http_server *s, int *os_error);
/* Watches for connections, from the beginning or after a wait. */
void th_server_accept(struct th_http_server *s);
void th_server_unlisten(struct th_http_server *s, uv_close_cb closed);
#endif
