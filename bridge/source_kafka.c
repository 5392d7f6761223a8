/* Kafka by librdkafka: a consumer group whose offsets are committed by hand, after a round. The id of a message is topic, partition and offset.
 * `options` of the stream's file go to the library as they are (security.protocol, sasl.username, …). */
#include "source.h"
#ifdef BR_KAFKA
#include "base/alloc.h"
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#define ASIDE_MS 30000
#define LAG_MS 3000
#define OPEN_MS 10000

struct kafka {
    const struct br_config *c;
    rd_kafka_t *in, *out;        /* out: NULL until something is put aside */
    rd_kafka_resp_err_t written; /* of the message that is put aside */
    bool away;                   /* no broker answers */
};

static void reported(rd_kafka_t *k, const rd_kafka_message_t *m, void *ctx)
{
    (void)k;
    ((struct kafka *)ctx)->written = m->err;
}

/* Called within a poll, on the stream's thread. The library connects again by itself; that nobody is there is what the stream has to know. */
static void failed(rd_kafka_t *k, int error, const char *reason, void *ctx)
{
    (void)k, (void)reason;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        ((struct kafka *)ctx)->away = true;
}

static rd_kafka_conf_t *conf_of(struct kafka *s, bool producer, char why[BR_WHY_MAX])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char most[16];
    const char *const ours[][2] = {{"bootstrap.servers", s->c->source + strlen("kafka://")},
                                   {"group.id", producer ? NULL : s->c->group},
                                   {"enable.auto.commit", producer ? NULL : "false"},
                                   {"auto.offset.reset", producer ? NULL : "earliest"},
                                   {"queued.min.messages", producer ? NULL : most},
                                   {"enable.idempotence", producer ? "true" : NULL}};

    snprintf(most, sizeof most, "%u", s->c->max_unacked);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i][1] &&
            rd_kafka_conf_set(conf, ours[i][0], ours[i][1], why, BR_WHY_MAX) != RD_KAFKA_CONF_OK)
            goto err;
    for (const struct br_option *o = s->c->options; o; o = o->next)
        if (rd_kafka_conf_set(conf, o->name, o->value, why, BR_WHY_MAX) != RD_KAFKA_CONF_OK)
            goto err;
    if (producer)
        rd_kafka_conf_set_dr_msg_cb(conf, reported);
    else
        rd_kafka_conf_set_error_cb(conf, failed);
    rd_kafka_conf_set_opaque(conf, s);
    return conf;
err:
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static void end(struct kafka *s)
{
    if (s->in) {
        (void)rd_kafka_consumer_close(s->in);
        rd_kafka_destroy(s->in);
    }
    if (s->out)
        rd_kafka_destroy(s->out);
    th_free(s);
}

/* Whether a broker answers and has the topic; without this a stream of a wrong name would be silent. */
static bool has_topic(struct kafka *s, char why[BR_WHY_MAX])
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(s->in, s->c->topic, NULL);
    const struct rd_kafka_metadata *seen = NULL;
    rd_kafka_resp_err_t error =
        topic ? rd_kafka_metadata(s->in, 0, topic, &seen, OPEN_MS) : rd_kafka_last_error();

    if (!error && seen->topic_cnt == 1)
        error = seen->topics[0].err;
    if (error)
        snprintf(why, BR_WHY_MAX, "topic %s: %s", s->c->topic, rd_kafka_err2str(error));
    if (seen)
        rd_kafka_metadata_destroy(seen);
    if (topic)
        rd_kafka_topic_destroy(topic);
    return !error;
}

static void *open_topic(const struct br_config *c, char why[BR_WHY_MAX])
{
    struct kafka *s = th_calloc(1, sizeof *s);
    rd_kafka_topic_partition_list_t *topics;
    rd_kafka_resp_err_t error;
    rd_kafka_conf_t *conf;

    snprintf(why, BR_WHY_MAX, "the key topic is missing");
    if (!s || !c->topic) {
        th_free(s);
        return NULL;
    }
    s->c = c;
    conf = conf_of(s, false, why);
    s->in = conf ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, BR_WHY_MAX) : NULL;
    if (!s->in) {
        end(s);
        return NULL;
    }
    rd_kafka_poll_set_consumer(s->in);
    if (!has_topic(s, why)) {
        end(s);
        return NULL;
    }
    s->away = false;
    topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, c->topic, RD_KAFKA_PARTITION_UA);
    error = rd_kafka_subscribe(s->in, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (!error)
        return s;
    snprintf(why, BR_WHY_MAX, "subscribing: %s", rd_kafka_err2str(error));
    end(s);
    return NULL;
}

static enum br_result next(void *ctx, int wait_ms, struct br_message *m, char why[BR_WHY_MAX])
{
    struct kafka *s = ctx;
    rd_kafka_message_t *k = rd_kafka_consumer_poll(s->in, wait_ms);
    rd_kafka_timestamp_type_t kind;

    if (!k && s->away)
        snprintf(why, BR_WHY_MAX, "no broker answers");
    if (!k)
        return s->away ? BR_LOST : BR_NONE;
    if (k->err) { /* the library connects again by itself */
        bool fatal = k->err == RD_KAFKA_RESP_ERR__FATAL;

        snprintf(why, BR_WHY_MAX, "%s", rd_kafka_message_errstr(k));
        rd_kafka_message_destroy(k);
        return fatal ? BR_LOST : BR_NONE;
    }
    m->native = k;
    m->body = th_span(k->payload ? k->payload : "", k->len);
    m->key = th_span(k->key ? k->key : "", k->key_len);
    m->time_ms = rd_kafka_message_timestamp(k, &kind);
    snprintf(m->id, sizeof m->id, "%s-%d-%lld", rd_kafka_topic_name(k->rkt), (int)k->partition,
             (long long)k->offset);
    return BR_OK;
}

static bool header(void *ctx, const struct br_message *m, const char *name, struct th_span *out)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t n;

    (void)ctx;
    if (rd_kafka_message_headers(m->native, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &n) || !value)
        return false;
    *out = th_span(value, n);
    return true;
}

static enum br_result aside(void *ctx, const struct br_message *m, char why[BR_WHY_MAX])
{
    struct kafka *s = ctx;
    rd_kafka_resp_err_t error;

    if (!s->out) {
        rd_kafka_conf_t *conf = conf_of(s, true, why);

        s->out = conf ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, BR_WHY_MAX) : NULL;
        if (!s->out)
            return BR_LOST;
    }
    s->written = RD_KAFKA_RESP_ERR__TIMED_OUT;
    error = rd_kafka_producev(s->out, RD_KAFKA_V_TOPIC(s->c->aside), RD_KAFKA_V_KEY(m->key.p, m->key.n),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)m->body.p, m->body.n),
                              RD_KAFKA_V_HEADER("x-tenterhook-reason", m->reason, -1),
                              RD_KAFKA_V_HEADER("x-tenterhook-message", m->id, -1),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (!error)
        error = rd_kafka_flush(s->out, ASIDE_MS);
    if (!error)
        error = s->written;
    if (error)
        snprintf(why, BR_WHY_MAX, "the topic aside: %s", rd_kafka_err2str(error));
    return error ? BR_LOST : BR_OK;
}

static void drop(struct br_message *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        rd_kafka_message_destroy(m[i].native);
}

static enum br_result ack(void *ctx, struct br_message *m, unsigned count, char why[BR_WHY_MAX])
{
    struct kafka *s = ctx;
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(8);
    rd_kafka_resp_err_t error;

    for (unsigned i = 0; i < count; i++) {
        const rd_kafka_message_t *k = m[i].native;
        const char *topic = rd_kafka_topic_name(k->rkt);
        rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_find(offsets, topic, k->partition);

        if (!at)
            at = rd_kafka_topic_partition_list_add(offsets, topic, k->partition);
        at->offset = k->offset + 1; /* they come in order */
    }
    error = rd_kafka_commit(s->in, offsets, 0);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error) { /* the group has given the partition to another one, or the broker is away: they come again */
        snprintf(why, BR_WHY_MAX, "committing: %s", rd_kafka_err2str(error));
        return BR_LOST;
    }
    drop(m, count);
    return BR_OK;
}

static void close_topic(void *ctx, struct br_message *m, unsigned count)
{
    drop(m, count);
    end(ctx);
}

static uint64_t lag(void *ctx)
{
    struct kafka *s = ctx;
    rd_kafka_topic_partition_list_t *parts = NULL;
    uint64_t sum = 0;

    if (rd_kafka_assignment(s->in, &parts))
        return UINT64_MAX;
    if (rd_kafka_committed(s->in, parts, LAG_MS))
        sum = UINT64_MAX;
    for (int i = 0; sum != UINT64_MAX && i < parts->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &parts->elems[i];
        int64_t low, high;

        if (rd_kafka_query_watermark_offsets(s->in, p->topic, p->partition, &low, &high, LAG_MS))
            sum = UINT64_MAX;
        else if (high > (p->offset >= 0 ? p->offset : low))
            sum += (uint64_t)(high - (p->offset >= 0 ? p->offset : low));
    }
    rd_kafka_topic_partition_list_destroy(parts);
    return sum;
}

static const struct br_source source = {"kafka", NULL, open_topic, next,       header,
                                        aside,   ack,  lag,        close_topic};
const struct br_source *const br_kafka = &source;
#else
const struct br_source *const br_kafka = NULL;
#endif
