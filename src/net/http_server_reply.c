/* Answers: the handler's, the reader's own problems, the interim 100, and the last one of a connection.
 *
 * Ending a connection: a close with unread bytes makes the kernel send a reset, which can destroy the answer before the
 * client reads it. So the sending side is shut down, what still comes in is thrown away for a bounded time and amount, and
 * only then the socket is closed (RFC 9112 section 9.6): many clients send the whole of a body, however large, before they
 * look for an answer.
 *
 * Invariants: 1. One answer per exchange. 2. No answer overtakes another. 3. After a problem no byte of the
 * connection is read as a request. On failure: without memory for the rest of an answer the connection is closed. */
#include "base/check.h"
#include "net/http_server_impl.h"
#include "net/tls_server.h"
#include <time.h>

#define HEAD_ROOM 512 /* status line and our own fields: 320 bytes at most */

static const struct {
    unsigned status;
    const char *phrase;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {511, "Network Authentication Required"},
};

const char *th_http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].phrase;
    return "";
}

/* "req_" and 20 characters of Crockford's base 32: 60 random bits of the server, 40 bits of a counter. */
void th_server_next_id(struct th_http_server *s, char *out)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t n = s->id_next++;

    memcpy(out, "req_", 4);
    memcpy(out + 4, s->id_prefix, sizeof s->id_prefix);
    for (int i = 23; i >= 16; i--, n >>= 5)
        out[i] = alphabet[n & 31];
    out[24] = '\0';
}

/* ---- text ---- */

struct text {
    char p[HEAD_ROOM];
    size_t n;
};

static void put(struct text *t, const char *p, size_t n)
{
    if (n > sizeof t->p - t->n)
        n = sizeof t->p - t->n; /* never: see HEAD_ROOM */
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

static void put_str(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

static void put_number(struct text *t, uint64_t v)
{
    char digits[20];
    size_t i = sizeof digits;

    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    put(t, digits + i, sizeof digits - i);
}

/* Made once a second. */
static const char *http_date(struct th_http_server *s)
{
    int64_t now = (int64_t)time(NULL);

    if (now != s->date_s)
        th_wall_http_date((struct th_wall){now * 1000}, s->date);
    s->date_s = now;
    return s->date;
}

static bool has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* Status line and the fields that every answer has, without the empty line. */
static void put_head(struct text *t, struct th_http_server *s, unsigned status, const char *request_id,
                     size_t length, const char *connection)
{
    put_str(t, "HTTP/1.1 ");
    put_number(t, status);
    put_str(t, " ");
    put_str(t, th_http_reason(status));
    put_str(t, "\r\nDate: ");
    put_str(t, http_date(s));
    put_str(t, "\r\nRequest-Id: ");
    put_str(t, request_id);
    if (has_body(status) && length == TH_LENGTH_CHUNKED) {
        put_str(t, "\r\nTransfer-Encoding: chunked");
    } else if (has_body(status) && length != TH_LENGTH_CLOSE) {
        put_str(t, "\r\nContent-Length: ");
        put_number(t, length);
    }
    if (connection) {
        put_str(t, "\r\nConnection: ");
        put_str(t, connection);
    }
    put_str(t, "\r\n");
}

/* ---- ends ---- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct th_conn *c = TH_CONTAINER(req, struct th_conn, shutdown);

    if (status < 0 && c->state != TH_CONN_CLOSING)
        th_conn_close(c);
}

static void linger(struct th_conn *c)
{
    th_conn_drop_block(c);
    if (c->tls)
        th_conn_tls_bye(c);
    if (c->state == TH_CONN_CLOSING)
        return;
    if (c->eof || uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        th_conn_close(c);
        return;
    }
    th_conn_enter(c, TH_CONN_LINGER);
    c->body_ms = (int64_t)uv_now(c->server->loop);
    c->body_n = 0;
    if (!c->processing)
        th_conn_start(c);
}

/* The kernel has taken the answer. */
void th_conn_answered(struct th_conn *c)
{
    if (c->ending) {
        linger(c);
        return;
    }
    th_conn_enter(c, TH_CONN_IDLE);
    th_peers_used(c);
    if (c->processing)
        return; /* its loop goes on */
    if (c->start < c->end)
        th_conn_make_ready(c);
    else
        th_conn_start(c);
}

/* The answer is written or queued, the exchange given back. */
static void answered(struct th_conn *c)
{
    if (c->writes == 0) {
        th_conn_answered(c);
        return;
    }
    th_conn_enter(c, TH_CONN_WRITING);
    c->moved = th_conn_queued(c);
}

void th_server_count_answer(struct th_http_server *s, unsigned status)
{
    if (!s->options.metrics)
        return;
    th_count(s->options.metrics,
             status >= 500   ? TH_C_HTTP_5XX
             : status >= 400 ? TH_C_HTTP_4XX
             : status >= 300 ? TH_C_HTTP_3XX
                             : TH_C_HTTP_2XX,
             1);
}

/* ---- answers ---- */

bool th_conn_keeps(const struct th_conn *c)
{
    return c->x->head.keep_alive && !c->server->draining && !c->unread && !c->extra &&
           !(c->eof && c->start == c->end);
}

bool th_conn_send_answer(struct th_conn *c, unsigned status, struct th_span fields, size_t length, bool keeps,
                         uv_buf_t *bufs, unsigned count, bool lasting)
{
    struct text head;

    head.n = 0;
    put_head(&head, c->server, status, c->x->request_id, length,
             keeps ? (c->x->head.minor == 0 ? "keep-alive" : NULL) : "close");
    bufs[0] = th_uv_buf(th_span(head.p, head.n));
    bufs[1] = th_uv_buf(fields);
    bufs[2] = th_uv_buf(TH_LIT("\r\n"));
    return th_conn_send(c, bufs, count, lasting);
}

void th_conn_end_answer(struct th_conn *c, bool keeps)
{
    th_conn_release(c);
    if (c->unread) /* what is here and what comes is the rest of this request */
        c->start = c->end;
    c->ending = !keeps;
    answered(c);
}

void th_conn_end_unheard(struct th_conn *c)
{
    th_conn_release(c);
    th_conn_drop_block(c);
    th_conn_reap(c);
}

static void reply(struct th_http_exchange *x, unsigned status, struct th_span fields, struct th_span body,
                  bool lasting)
{
    struct th_exchange *own = (struct th_exchange *)x;
    struct th_conn *c = own->conn;
    uv_buf_t bufs[4];
    unsigned count = 3;
    bool keeps = th_conn_keeps(c);

    TH_CHECK(c->x == x && (c->state == TH_CONN_BUSY || c->state == TH_CONN_CLOSING));
    if (status < 200 || status > 599) { /* the handler's mistake must not break the framing */
        status = 500;
        fields = body = th_span("", 0);
    }
    th_server_count_answer(c->server, status);
    if (has_body(status) && body.n > 0 && !own->head_only)
        bufs[count++] = th_uv_buf(body);
    if (c->state == TH_CONN_CLOSING || /* the client is gone, or the server has cut it */
        !th_conn_send_answer(c, status, fields, body.n, keeps, bufs, count, lasting && count == 4))
        th_conn_end_unheard(c);
    else
        th_conn_end_answer(c, keeps);
}

void th_http_reply(struct th_http_exchange *x, unsigned status, struct th_span fields, struct th_span body)
{
    reply(x, status, fields, body, false);
}

void th_http_reply_lasting(struct th_http_exchange *x, unsigned status, struct th_span fields,
                           struct th_span body)
{
    reply(x, status, fields, body, true);
}

void th_conn_refuse(struct th_conn *c, unsigned status, const char *detail)
{
    struct th_http_server *s = c->server;
    bool head_only = c->x && th_span_is(c->x->head.method, "HEAD");
    struct text head, body;
    char id[28];
    uv_buf_t bufs[2];

    if (c->state == TH_CONN_CLOSING)
        return;
    if (c->tls && !th_tls_peer_is_up(c->tls)) { /* nothing can be said before the handshake is done */
        th_conn_close(c);
        return;
    }
    if (c->x)
        memcpy(id, c->x->request_id, sizeof id);
    else
        th_server_next_id(s, id);
    th_conn_release(c);
    c->start = c->end;
    c->ending = true;
    th_server_count_answer(s, status);
    body.n = head.n = 0;
    put_str(&body, "{\"type\":\"about:blank\",\"title\":\"");
    put_str(&body, th_http_reason(status));
    put_str(&body, "\",\"status\":");
    put_number(&body, status);
    put_str(&body, ",\"detail\":\"");
    put_str(&body, detail);
    put_str(&body, "\",\"request_id\":\"");
    put_str(&body, id);
    put_str(&body, "\"}\n");
    put_head(&head, s, status, id, body.n, "close");
    if (status == 503)
        put_str(&head, "Retry-After: 1\r\n");
    put_str(&head, "Content-Type: application/problem+json\r\n\r\n");
    bufs[0] = th_uv_buf(th_span(head.p, head.n));
    bufs[1] = th_uv_buf(th_span(body.p, body.n));
    if (th_conn_send(c, bufs, head_only ? 1 : 2, false))
        answered(c);
}

void th_http_hold(struct th_http_exchange *x)
{
    struct th_conn *c = ((struct th_exchange *)x)->conn;

    TH_CHECK(c->x == x);
    if (c->state != TH_CONN_CLOSING) {
        th_conn_enter(c, TH_CONN_HELD);
        return;
    }
    th_conn_end_unheard(c);
}

void th_conn_continue(struct th_conn *c)
{
    uv_buf_t buf = th_uv_buf(TH_LIT("HTTP/1.1 100 Continue\r\n\r\n"));

    (void)th_conn_send(c, &buf, 1, false);
}
