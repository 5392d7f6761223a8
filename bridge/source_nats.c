/* NATS JetStream by libnats: a durable pull consumer with explicit acknowledgement. The id of a message is its sequence in the stream, the
 * same at each delivery. Acknowledgements of a round are followed by one round trip; one that gets lost makes the message come again, and the
 * engine knows its id. */
#include "source.h"
#ifdef BR_NATS
#include "base/alloc.h"
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS 5000

struct nats {
    const struct br_config *c;
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *subscription;
    natsMsgList list;
    int at;
};

static bool ok(natsStatus status, const char *what, char why[BR_WHY_MAX])
{
    if (status != NATS_OK)
        snprintf(why, BR_WHY_MAX, "%s: %s", what, natsStatus_GetText(status));
    return status == NATS_OK;
}

static void end(struct nats *s)
{
    natsMsgList_Destroy(&s->list);
    natsSubscription_Destroy(s->subscription);
    jsCtx_Destroy(s->js);
    natsConnection_Destroy(s->connection);
    th_free(s);
}

static bool dial(struct nats *s, char why[BR_WHY_MAX])
{
    natsOptions *options = NULL;
    bool fine = ok(natsOptions_Create(&options), "starting", why) &&
                ok(natsOptions_SetURL(options, s->c->source), "source", why) &&
                ok(natsOptions_SetTimeout(options, CONNECT_MS), "starting", why) &&
                ok(natsOptions_SetAllowReconnect(options, false), "starting", why) &&
                (!s->c->ca_file ||
                 ok(natsOptions_LoadCATrustedCertificates(options, s->c->ca_file), "ca_file", why)) &&
                ok(natsConnection_Connect(&s->connection, options), "connecting", why) &&
                ok(natsConnection_JetStream(&s->js, s->connection, NULL), "JetStream", why);

    natsOptions_Destroy(options);
    return fine;
}

static void *open_stream(const struct br_config *c, char why[BR_WHY_MAX])
{
    struct nats *s = th_calloc(1, sizeof *s);
    jsSubOptions options;
    jsErrCode code = 0;

    snprintf(why, BR_WHY_MAX, "the keys stream and subject are needed");
    if (!s || !c->stream || !c->subject) {
        th_free(s);
        return NULL;
    }
    s->c = c;
    jsSubOptions_Init(&options);
    options.Stream = c->stream;
    options.Config.AckPolicy = js_AckExplicit;
    options.Config.AckWait = (int64_t)c->ack_wait_s * 1000000000;
    options.Config.MaxAckPending = (int64_t)c->max_unacked;
    if (dial(s, why) &&
        ok(js_PullSubscribe(&s->subscription, s->js, c->subject, c->group, NULL, &options, &code),
           "the consumer", why))
        return s;
    end(s);
    return NULL;
}

static enum br_result fetch(struct nats *s, int wait_ms, char why[BR_WHY_MAX])
{
    jsFetchRequest request = {.Batch = (int)s->c->batch, .NoWait = true};
    natsStatus status;

    if (s->list.Count) /* of this round: they are kept until it is acknowledged */
        return BR_NONE;
    status = natsSubscription_FetchRequest(&s->list, s->subscription, &request);
    if (status == NATS_TIMEOUT || (status == NATS_OK && !s->list.Count) || status == NATS_NOT_FOUND) {
        jsErrCode code = 0;

        status = natsSubscription_Fetch(&s->list, s->subscription, 1, wait_ms, &code);
    }
    s->at = 0;
    if (status == NATS_OK)
        return s->list.Count ? BR_OK : BR_NONE;
    if ((status == NATS_TIMEOUT || status == NATS_NOT_FOUND) &&
        natsConnection_Status(s->connection) == NATS_CONN_STATUS_CONNECTED)
        return BR_NONE;
    (void)ok(status, "fetching", why);
    return BR_LOST;
}

static enum br_result next(void *ctx, int wait_ms, struct br_message *m, char why[BR_WHY_MAX])
{
    struct nats *s = ctx;
    jsMsgMetaData *meta = NULL;
    natsMsg *msg;
    enum br_result r;

    if (s->at == s->list.Count) {
        r = fetch(s, wait_ms, why);
        if (r != BR_OK)
            return r;
    }
    msg = s->list.Msgs[s->at++];
    m->native = msg;
    m->body = th_span(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
    m->key = th_str(natsMsg_GetSubject(msg));
    if (natsMsg_GetMetaData(&meta, msg) == NATS_OK) {
        snprintf(m->id, sizeof m->id, "%s-%llu", meta->Stream, (unsigned long long)meta->Sequence.Stream);
        m->time_ms = meta->Timestamp / 1000000;
        jsMsgMetaData_Destroy(meta);
    }
    return BR_OK;
}

static bool header(void *ctx, const struct br_message *m, const char *name, struct th_span *out)
{
    const char *value;

    (void)ctx;
    if (natsMsgHeader_Get(m->native, name, &value) != NATS_OK || !value)
        return false;
    *out = th_str(value);
    return true;
}

static enum br_result aside(void *ctx, const struct br_message *m, char why[BR_WHY_MAX])
{
    struct nats *s = ctx;
    natsMsg *copy = NULL;
    jsPubAck *answer = NULL;
    jsErrCode code = 0;
    char reason[BR_WHY_MAX];
    bool fine;

    snprintf(reason, sizeof reason, "%s", m->reason);
    for (char *p = reason; *p; p++)
        if (*p == '\r' || *p == '\n')
            *p = ' ';
    fine = ok(natsMsg_Create(&copy, s->c->aside, NULL, m->body.p, (int)m->body.n), "aside", why) &&
           ok(natsMsgHeader_Set(copy, "x-tenterhook-reason", reason), "aside", why) &&
           ok(natsMsgHeader_Set(copy, "x-tenterhook-message", m->id), "aside", why) &&
           ok(js_PublishMsg(&answer, s->js, copy, NULL, &code), "no stream takes what is put aside", why);
    jsPubAck_Destroy(answer);
    natsMsg_Destroy(copy);
    return fine ? BR_OK : BR_LOST;
}

/* Those that this round has not come to stay in the list. */
static void drop(struct nats *s, unsigned count)
{
    if (s->at < s->list.Count) {
        for (int i = 0; i < s->at; i++)
            natsMsg_Destroy(s->list.Msgs[i]);
        memmove(s->list.Msgs, s->list.Msgs + s->at, (size_t)(s->list.Count - s->at) * sizeof *s->list.Msgs);
        s->list.Count -= s->at;
    } else {
        natsMsgList_Destroy(&s->list);
        s->list.Count = 0;
    }
    (void)count;
    s->at = 0;
}

static enum br_result ack(void *ctx, struct br_message *m, unsigned count, char why[BR_WHY_MAX])
{
    struct nats *s = ctx;

    for (unsigned i = 0; i < count; i++)
        if (!ok(natsMsg_Ack(m[i].native, NULL), "acknowledging", why))
            return BR_LOST;
    if (!ok(natsConnection_FlushTimeout(s->connection, CONNECT_MS), "acknowledging", why))
        return BR_LOST;
    drop(s, count);
    return BR_OK;
}

/* What has not been acknowledged comes again at once, not only when the broker's time for it is up. */
static void close_stream(void *ctx, struct br_message *m, unsigned count)
{
    struct nats *s = ctx;

    (void)m, (void)count;
    for (int i = 0; i < s->list.Count; i++)
        (void)natsMsg_Nak(s->list.Msgs[i], NULL);
    (void)natsConnection_FlushTimeout(s->connection, 1000);
    end(s);
}

static uint64_t lag(void *ctx)
{
    struct nats *s = ctx;
    jsConsumerInfo *info = NULL;
    uint64_t n;

    if (js_GetConsumerInfo(&info, s->js, s->c->stream, s->c->group, NULL, NULL) != NATS_OK)
        return UINT64_MAX;
    n = info->NumPending + (uint64_t)info->NumAckPending;
    jsConsumerInfo_Destroy(info);
    return n;
}

static const struct br_source source = {"nats", "tls", open_stream, next,        header,
                                        aside,  ack,   lag,         close_stream};
const struct br_source *const br_nats = &source;
#else
const struct br_source *const br_nats = NULL;
#endif
