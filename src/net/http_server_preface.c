/* The header of the PROXY protocol, which comes on a connection before HTTP and before TLS. It is read from trusted
 * proxies only.
 *
 * The first bytes show whether there is one, because they can be nothing else. From everybody else these bytes are
 * taken for HTTP or TLS, and are an error there.
 *
 * Bytes are read into the block as if the connection were plain; what follows the header is handed to the
 * reader of TLS or of HTTP. Invariant: while `preface` is set nothing has been counted for an address, and no
 * TLS byte was read. Failure: a header that cannot be read ends the connection, with the status 400 where the
 * connection is plain. */
#include "net/client_address.h"
#include "net/http_server_impl.h"
#include "net/proxy_protocol.h"

/* Ciphertext lies in the block, and is to be where the TLS filter reads it. */
static void hand_to_tls(struct th_conn *c)
{
    uv_buf_t rest = uv_buf_init(c->server->scratch, (unsigned)(c->end - c->start));

    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false; /* again, with the callbacks of TLS */
    if (rest.len)
        memcpy(rest.base, c->block + c->start, rest.len);
    th_conn_drop_block(c);
    if (rest.len)
        th_conn_tls_on_read((uv_stream_t *)&c->tcp, (ssize_t)rest.len, &rest);
}

bool th_conn_preface(struct th_conn *c)
{
    struct th_addr from;
    size_t used;
    enum th_proxy_result r = th_proxy_read(c->block + c->start, c->end - c->start, &used, &from);

    if (r == TH_PROXY_MORE) {
        if (c->state == TH_CONN_IDLE)
            th_conn_enter(c, TH_CONN_HEAD);
        return false;
    }
    c->preface = false;
    if (r == TH_PROXY_BAD) {
        th_conn_refuse(c, 400, "the header of the PROXY protocol is malformed");
        return false;
    }
    c->start += used;
    if (r == TH_PROXY_NAMED) {
        c->peer = from;
        th_peers_count(c);
    }
    if (c->tls) {
        hand_to_tls(c);
        return false;
    }
    if (c->state == TH_CONN_HEAD && c->start == c->end)
        th_conn_enter(c, TH_CONN_IDLE);
    return c->start < c->end;
}
