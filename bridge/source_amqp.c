/* AMQP 0-9-1 (RabbitMQ) by librabbitmq. The broker keeps max_unacked messages back (basic.qos); one acknowledgement answers a whole round. What is
 * put aside goes by a connection of its own, persistent and confirmed, into a durable queue. */
#include "source.h"
#ifdef BR_AMQP
#include "base/alloc.h"
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define CONNECT_S 5
#define CONFIRM_S 30
#define CHANNEL 1

struct amqp {
    const struct br_config *c;
    amqp_connection_state_t in, out; /* out: NULL until something is put aside */
};

static void say(char why[BR_WHY_MAX], const char *what, amqp_rpc_reply_t r)
{
    const char *text = "refused";
    amqp_bytes_t said = {0, NULL};

    if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        text = amqp_error_string2(r.library_error);
    } else if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        said = ((amqp_connection_close_t *)r.reply.decoded)->reply_text;
    } else if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        said = ((amqp_channel_close_t *)r.reply.decoded)->reply_text;
    }
    if (said.len)
        snprintf(why, BR_WHY_MAX, "%s: %.*s", what, (int)(said.len < 200 ? said.len : 200),
                 (const char *)said.bytes);
    else
        snprintf(why, BR_WHY_MAX, "%s: %s", what, text);
}

static bool fine(amqp_connection_state_t conn, const char *what, char why[BR_WHY_MAX])
{
    amqp_rpc_reply_t r = amqp_get_rpc_reply(conn);

    if (r.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    say(why, what, r);
    return false;
}

static amqp_connection_state_t dial(const struct br_config *c, char why[BR_WHY_MAX])
{
    amqp_connection_state_t conn = amqp_new_connection();
    struct timeval limit = {CONNECT_S, 0};
    struct amqp_connection_info info;
    amqp_socket_t *socket = NULL;
    amqp_rpc_reply_t r;
    char url[2048];
    int status;

    snprintf(url, sizeof url, "%s", c->source);
    snprintf(why, BR_WHY_MAX, "out of memory");
    if (!conn)
        return NULL;
    if (amqp_parse_url(url, &info) != AMQP_STATUS_OK) {
        snprintf(why, BR_WHY_MAX,
                 "the source is no address of the form amqp://USER:PASSWORD@HOST:PORT/VHOST");
        goto err;
    }
    socket = info.ssl ? amqp_ssl_socket_new(conn) : amqp_tcp_socket_new(conn);
    if (!socket)
        goto err;
    if (info.ssl) { /* certificate and name are checked */
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
        if (amqp_ssl_socket_set_cacert(
                socket, c->ca_file ? c->ca_file : "/etc/ssl/certs/ca-certificates.crt") != AMQP_STATUS_OK) {
            snprintf(why, BR_WHY_MAX, "ca_file cannot be read");
            goto err;
        }
    }
    status = amqp_socket_open_noblock(socket, info.host, info.port, &limit);
    if (status != AMQP_STATUS_OK) {
        snprintf(why, BR_WHY_MAX, "connecting: %s", amqp_error_string2(status));
        goto err;
    }
    (void)amqp_set_rpc_timeout(conn, &limit); /* later ones, too: a broker that hangs is one that is lost */
    r = amqp_login(conn, info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                   info.password);
    if (r.reply_type != AMQP_RESPONSE_NORMAL) {
        say(why, "signing in", r);
        goto err;
    }
    amqp_channel_open(conn, CHANNEL);
    if (fine(conn, "opening a channel", why))
        return conn;
err:
    amqp_destroy_connection(conn);
    return NULL;
}

static void *open_queue(const struct br_config *c, char why[BR_WHY_MAX])
{
    struct amqp *a = th_calloc(1, sizeof *a);

    snprintf(why, BR_WHY_MAX, "the key queue is missing");
    if (!a || !c->queue)
        goto err;
    a->c = c;
    a->in = dial(c, why);
    if (!a->in)
        goto err;
    amqp_basic_qos(a->in, CHANNEL, 0, (uint16_t)c->max_unacked, 0);
    if (!fine(a->in, "basic.qos", why))
        goto err;
    amqp_basic_consume(a->in, CHANNEL, amqp_cstring_bytes(c->queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    if (fine(a->in, "reading the queue", why))
        return a;
err:
    if (a && a->in)
        amqp_destroy_connection(a->in);
    th_free(a);
    return NULL;
}

static struct th_span span_of(amqp_bytes_t b)
{
    return th_span(b.bytes ? b.bytes : "", b.len);
}

static enum br_result next(void *s, int wait_ms, struct br_message *m, char why[BR_WHY_MAX])
{
    struct amqp *a = s;
    struct timeval limit = {wait_ms / 1000, wait_ms % 1000 * 1000};
    amqp_envelope_t *e = th_calloc(1, sizeof *e);
    const amqp_basic_properties_t *p;
    amqp_rpc_reply_t r;

    snprintf(why, BR_WHY_MAX, "out of memory");
    if (!e)
        return BR_LOST;
    amqp_maybe_release_buffers(a->in);
    r = amqp_consume_message(a->in, e, &limit, 0);
    if (r.reply_type != AMQP_RESPONSE_NORMAL) {
        th_free(e);
        if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && r.library_error == AMQP_STATUS_TIMEOUT)
            return BR_NONE;
        say(why, "reading",
            r); /* a frame that is none of these: the queue was deleted, or the broker stops */
        return BR_LOST;
    }
    p = &e->message.properties;
    m->native = e;
    m->number = e->delivery_tag;
    m->body = span_of(e->message.body);
    m->key = span_of(e->routing_key);
    if ((p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) && p->message_id.len)
        snprintf(m->id, sizeof m->id, "%.*s", (int)p->message_id.len, (const char *)p->message_id.bytes);
    if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        m->time_ms = (int64_t)(p->timestamp > 100000000000u ? p->timestamp : p->timestamp * 1000);
    return BR_OK;
}

static bool header(void *s, const struct br_message *m, const char *name, struct th_span *out)
{
    const amqp_basic_properties_t *p = &((const amqp_envelope_t *)m->native)->message.properties;

    (void)s;
    if (p->_flags & AMQP_BASIC_HEADERS_FLAG)
        for (int i = 0; i < p->headers.num_entries; i++) {
            const amqp_table_entry_t *e = &p->headers.entries[i];

            if (!th_span_is(span_of(e->key), name) ||
                (e->value.kind != AMQP_FIELD_KIND_UTF8 && e->value.kind != AMQP_FIELD_KIND_BYTES))
                continue;
            *out = span_of(e->value.value.bytes);
            return true;
        }
    if (strcmp(name, "type") == 0 && (p->_flags & AMQP_BASIC_TYPE_FLAG)) {
        *out = span_of(p->type);
        return true;
    }
    return false;
}

static bool open_aside(struct amqp *a, char why[BR_WHY_MAX])
{
    if (a->out)
        return true;
    a->out = dial(a->c, why);
    if (!a->out)
        return false;
    amqp_queue_declare(a->out, CHANNEL, amqp_cstring_bytes(a->c->aside), 0, 1, 0, 0, amqp_empty_table);
    if (fine(a->out, "the queue aside", why)) {
        amqp_confirm_select(a->out, CHANNEL);
        if (fine(a->out, "confirm.select", why))
            return true;
    }
    amqp_destroy_connection(a->out);
    a->out = NULL;
    return false;
}

/* Its properties and headers stay, and x-tenterhook-reason says why it is there. */
static bool publish_aside(struct amqp *a, const struct br_message *m)
{
    amqp_basic_properties_t p = ((const amqp_envelope_t *)m->native)->message.properties;
    const int had = p._flags & AMQP_BASIC_HEADERS_FLAG ? p.headers.num_entries : 0;
    amqp_table_entry_t *entries = th_calloc((size_t)had + 1, sizeof *entries);
    bool ok;

    if (!entries)
        return false;
    for (int i = 0; i < had; i++)
        entries[i] = p.headers.entries[i];
    entries[had].key = amqp_cstring_bytes("x-tenterhook-reason");
    entries[had].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[had].value.value.bytes = amqp_cstring_bytes(m->reason);
    p.headers.entries = entries;
    p.headers.num_entries = had + 1;
    p._flags |= AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
    p.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    ok = amqp_basic_publish(a->out, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(a->c->aside), 0, 0, &p,
                            (amqp_bytes_t){m->body.n, (void *)(uintptr_t)m->body.p}) == AMQP_STATUS_OK;
    th_free(entries);
    return ok;
}

static enum br_result aside(void *s, const struct br_message *m, char why[BR_WHY_MAX])
{
    struct amqp *a = s;
    struct timeval limit = {CONFIRM_S, 0};
    amqp_frame_t frame;

    if (!open_aside(a, why))
        return BR_LOST;
    snprintf(why, BR_WHY_MAX, "the queue aside has not confirmed a message");
    amqp_maybe_release_buffers(a->out);
    if (!publish_aside(a, m) || amqp_simple_wait_frame_noblock(a->out, &frame, &limit) != AMQP_STATUS_OK)
        return BR_LOST;
    return frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD
               ? BR_OK
               : BR_LOST;
}

static void drop(struct br_message *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        amqp_destroy_envelope(m[i].native);
        th_free(m[i].native);
    }
}

static enum br_result ack(void *s, struct br_message *m, unsigned count, char why[BR_WHY_MAX])
{
    struct amqp *a = s;
    int status = amqp_basic_ack(a->in, CHANNEL, m[count - 1].number, 1);

    if (status != AMQP_STATUS_OK) {
        snprintf(why, BR_WHY_MAX, "acknowledging: %s", amqp_error_string2(status));
        return BR_LOST;
    }
    drop(m, count);
    return BR_OK;
}

static void close_queue(void *s, struct br_message *m, unsigned count)
{
    struct amqp *a = s;

    drop(m, count);
    amqp_destroy_connection(a->in);
    if (a->out)
        amqp_destroy_connection(a->out);
    th_free(a);
}

/* Ready ones, and those that this connection holds are not among them: the stream knows these. */
static uint64_t lag(void *s)
{
    struct amqp *a = s;
    amqp_queue_declare_ok_t *said =
        amqp_queue_declare(a->in, CHANNEL, amqp_cstring_bytes(a->c->queue), 1, 0, 0, 0, amqp_empty_table);

    return said ? said->message_count : UINT64_MAX;
}

static const struct br_source source = {"amqp", "amqps", open_queue, next,       header,
                                        aside,  ack,     lag,        close_queue};
const struct br_source *const br_amqp = &source;
#else
const struct br_source *const br_amqp = NULL;
#endif
