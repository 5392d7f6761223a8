/* Redis streams by hiredis: a consumer group, whose entries stay pending until XACK. What this consumer had taken before it ended is read
 * first (its name must stay the same). The message is the entry's field `body`; its other fields are its headers. */
#include "source.h"
#ifdef BR_REDIS
#include "base/alloc.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_S 5
#define ANSWER_S 30

struct redis {
    const struct br_config *c;
    redisContext *in;
    redisReply *replies[64]; /* of this round */
    unsigned reply_count;
    const redisReply *entries; /* of the last reply */
    size_t at;
    bool fresh;    /* what was pending at the start has been read */
    char from[64]; /* the last pending entry that has been read */
};

/* redis://[USER:PASSWORD@]HOST[:PORT][/DB] */
static redisContext *dial(const char *url, char why[BR_WHY_MAX])
{
    char copy[2048], *host, *at, *end, *user = NULL, *password = NULL;
    struct timeval connect = {CONNECT_S, 0}, answer = {ANSWER_S, 0};
    int port = 6379, db = 0;
    redisContext *c;
    redisReply *r;

    snprintf(copy, sizeof copy, "%s", url + strlen("redis://"));
    host = copy;
    if ((at = strrchr(copy, '@'))) {
        *at = 0;
        host = at + 1;
        user = copy;
        if ((password = strchr(copy, ':')))
            *password++ = 0;
    }
    if ((end = strchr(host, '/'))) {
        *end = 0;
        db = atoi(end + 1);
    }
    if ((end = strrchr(host, ':'))) {
        *end = 0;
        port = atoi(end + 1);
    }
    c = redisConnectWithTimeout(host, port, connect);
    if (!c || c->err) {
        snprintf(why, BR_WHY_MAX, "connecting: %s", c ? c->errstr : "out of memory");
        goto err;
    }
    redisSetTimeout(c, answer);
    if (password) {
        r = *user ? redisCommand(c, "AUTH %s %s", user, password) : redisCommand(c, "AUTH %s", password);
        snprintf(why, BR_WHY_MAX, "signing in: %s", r && r->type == REDIS_REPLY_ERROR ? r->str : "no answer");
        if (!r || r->type == REDIS_REPLY_ERROR) {
            freeReplyObject(r);
            goto err;
        }
        freeReplyObject(r);
    }
    if (db) {
        r = redisCommand(c, "SELECT %d", db);
        snprintf(why, BR_WHY_MAX, "SELECT %d: %s", db,
                 r && r->type == REDIS_REPLY_ERROR ? r->str : "no answer");
        if (!r || r->type == REDIS_REPLY_ERROR) {
            freeReplyObject(r);
            goto err;
        }
        freeReplyObject(r);
    }
    return c;
err:
    if (c)
        redisFree(c);
    return NULL;
}

static void *open_stream(const struct br_config *c, char why[BR_WHY_MAX])
{
    struct redis *s = th_calloc(1, sizeof *s);
    redisReply *r = NULL;

    snprintf(why, BR_WHY_MAX, "the key stream is missing");
    if (!s || !c->stream)
        goto err;
    s->c = c;
    snprintf(s->from, sizeof s->from, "0");
    s->in = dial(c->source, why);
    if (!s->in)
        goto err;
    r = redisCommand(s->in, "XGROUP CREATE %s %s 0 MKSTREAM", c->stream, c->group);
    if (!r || (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "BUSYGROUP", 9) != 0)) {
        snprintf(why, BR_WHY_MAX, "XGROUP CREATE: %s", r ? r->str : s->in->errstr);
        goto err;
    }
    freeReplyObject(r);
    return s;
err:
    if (r)
        freeReplyObject(r);
    if (s && s->in)
        redisFree(s->in);
    th_free(s);
    return NULL;
}

/* Reads the next entries. */
static enum br_result fetch(struct redis *s, int wait_ms, char why[BR_WHY_MAX])
{
    const struct br_config *c = s->c;
    redisReply *r;

    if (s->reply_count == sizeof s->replies / sizeof s->replies[0])
        return BR_NONE;
    /* BLOCK 0 would wait for ever; without it nothing is waited for */
    if (!s->fresh)
        r = redisCommand(s->in, "XREADGROUP GROUP %s %s COUNT %d STREAMS %s %s", c->group, c->consumer,
                         (int)c->batch, c->stream, s->from);
    else if (wait_ms > 1)
        r = redisCommand(s->in, "XREADGROUP GROUP %s %s COUNT %d BLOCK %d STREAMS %s >", c->group,
                         c->consumer, (int)c->batch, wait_ms, c->stream);
    else
        r = redisCommand(s->in, "XREADGROUP GROUP %s %s COUNT %d STREAMS %s >", c->group, c->consumer,
                         (int)c->batch, c->stream);
    if (!r || r->type == REDIS_REPLY_ERROR) {
        snprintf(why, BR_WHY_MAX, "XREADGROUP: %s", r ? r->str : s->in->errstr);
        if (r)
            freeReplyObject(r);
        return BR_LOST;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements == 0 || r->element[0]->elements != 2 ||
        r->element[0]->element[1]->elements == 0) {
        freeReplyObject(r);
        if (s->fresh)
            return BR_NONE;
        s->fresh = true;
        return fetch(s, wait_ms, why);
    }
    s->replies[s->reply_count++] = r;
    s->entries = r->element[0]->element[1];
    s->at = 0;
    return BR_OK;
}

static bool field_of(const redisReply *entry, const char *name, struct th_span *out)
{
    const redisReply *fields = entry->element[1];

    for (size_t i = 0; fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements; i += 2)
        if (strcmp(fields->element[i]->str, name) == 0) {
            *out = th_span(fields->element[i + 1]->str, fields->element[i + 1]->len);
            return true;
        }
    return false;
}

static enum br_result next(void *ctx, int wait_ms, struct br_message *m, char why[BR_WHY_MAX])
{
    struct redis *s = ctx;
    const redisReply *entry;
    enum br_result r;

    if (!s->entries || s->at == s->entries->elements) {
        s->entries = NULL;
        r = fetch(s, wait_ms, why);
        if (r != BR_OK)
            return r;
    }
    entry = s->entries->element[s->at++];
    m->native = (void *)(uintptr_t)entry;
    snprintf(m->id, sizeof m->id, "%s-%s", s->c->stream, entry->element[0]->str);
    m->time_ms = (int64_t)strtoull(entry->element[0]->str, NULL, 10);
    if (!s->fresh)
        snprintf(s->from, sizeof s->from, "%s", entry->element[0]->str);
    m->body = TH_LIT("");
    if (!field_of(entry, s->c->body, &m->body)) /* deleted entries have no fields */
        snprintf(m->reason, sizeof m->reason, "the entry has no field \"%s\"", s->c->body);
    return BR_OK;
}

static bool header(void *ctx, const struct br_message *m, const char *name, struct th_span *out)
{
    (void)ctx;
    return field_of(m->native, name, out);
}

static redisReply *command(redisContext *c, const char **argv, size_t *len, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (len[i] == SIZE_MAX)
            len[i] = strlen(argv[i]);
    return redisCommandArgv(c, (int)n, argv, len);
}

static enum br_result ended(struct redis *s, redisReply *r, const char *what, char why[BR_WHY_MAX])
{
    bool ok = r && r->type != REDIS_REPLY_ERROR;

    if (!ok)
        snprintf(why, BR_WHY_MAX, "%s: %s", what, r ? r->str : s->in->errstr);
    if (r)
        freeReplyObject(r);
    return ok ? BR_OK : BR_LOST;
}

static enum br_result aside(void *ctx, const struct br_message *m, char why[BR_WHY_MAX])
{
    struct redis *s = ctx;
    const redisReply *entry = m->native, *fields = entry->element[1];
    size_t had = fields->type == REDIS_REPLY_ARRAY ? fields->elements : 0, n = 0, most = had + 8;
    const char **argv = th_calloc(most, sizeof *argv);
    size_t *len = th_calloc(most, sizeof *len);
    enum br_result r = BR_LOST;

    if (argv && len) {
        const char *const first[] = {"XADD",    s->c->aside,          "*",  "x-tenterhook-reason",
                                     m->reason, "x-tenterhook-entry", m->id};

        for (; n < sizeof first / sizeof *first; n++) {
            argv[n] = first[n];
            len[n] = SIZE_MAX;
        }
        for (size_t i = 0; i < had; i++, n++) {
            argv[n] = fields->element[i]->str;
            len[n] = fields->element[i]->len;
        }
        r = ended(s, command(s->in, argv, len, n), "XADD", why);
    }
    th_free(argv);
    th_free(len);
    return r;
}

static void drop(struct redis *s)
{
    bool left = s->entries && s->at < s->entries->elements;
    unsigned keep = left ? 1 : 0;

    for (unsigned i = 0; i + keep < s->reply_count; i++)
        freeReplyObject(s->replies[i]);
    if (left)
        s->replies[0] = s->replies[s->reply_count - 1];
    else
        s->entries = NULL;
    s->reply_count = keep;
}

static enum br_result ack(void *ctx, struct br_message *m, unsigned count, char why[BR_WHY_MAX])
{
    struct redis *s = ctx;
    const char **argv = th_calloc(count + 3, sizeof *argv);
    size_t *len = th_calloc(count + 3, sizeof *len);
    enum br_result r = BR_LOST;

    if (argv && len) {
        argv[0] = "XACK";
        argv[1] = s->c->stream;
        argv[2] = s->c->group;
        for (unsigned i = 0; i < count; i++)
            argv[i + 3] = ((const redisReply *)m[i].native)->element[0]->str;
        for (unsigned i = 0; i < count + 3; i++)
            len[i] = SIZE_MAX;
        r = ended(s, command(s->in, argv, len, count + 3), "XACK", why);
    }
    th_free(argv);
    th_free(len);
    if (r == BR_OK)
        drop(s);
    return r;
}

static void close_stream(void *ctx, struct br_message *m, unsigned count)
{
    struct redis *s = ctx;

    (void)m, (void)count;
    for (unsigned i = 0; i < s->reply_count; i++)
        freeReplyObject(s->replies[i]);
    redisFree(s->in);
    th_free(s);
}

/* The member of one group of XINFO GROUPS; NULL: it has none of this name. */
static const redisReply *fact_of(const redisReply *group, const char *name)
{
    for (size_t i = 0; group->type == REDIS_REPLY_ARRAY && i + 1 < group->elements; i += 2)
        if (group->element[i]->str && strcmp(group->element[i]->str, name) == 0)
            return group->element[i + 1];
    return NULL;
}

/* Before Redis 7 there is no lag; it is nil when entries in the middle were deleted. */
static uint64_t lag(void *ctx)
{
    struct redis *s = ctx;
    redisReply *r = redisCommand(s->in, "XINFO GROUPS %s", s->c->stream);
    uint64_t n = UINT64_MAX;

    for (size_t i = 0; r && r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
        const redisReply *name = fact_of(r->element[i], "name"), *behind = fact_of(r->element[i], "lag"),
                         *pending = fact_of(r->element[i], "pending");

        if (name && name->str && strcmp(name->str, s->c->group) == 0 && behind && pending &&
            behind->type == REDIS_REPLY_INTEGER)
            n = (uint64_t)behind->integer + (uint64_t)pending->integer;
    }
    if (r)
        freeReplyObject(r);
    return n;
}

static const struct br_source source = {"redis", NULL, open_stream, next,        header,
                                        aside,   ack,  lag,         close_stream};
const struct br_source *const br_redis = &source;
#else
const struct br_source *const br_redis = NULL;
#endif
