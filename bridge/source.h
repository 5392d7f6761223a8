/* A broker from which messages come. One stream of one broker is one object, used by one thread. */
#ifndef TH_BRIDGE_SOURCE_H
#define TH_BRIDGE_SOURCE_H
#include "base/buf.h"
#include "config.h"

#define BR_ID_MAX 160
#define BR_WHY_MAX 256

/** A message that has been taken and not acknowledged. Its texts live until ack() or close(). */
struct br_message {
    struct th_span body;
    struct th_span key; /* routing key, subject, or the message's key; n == 0: none */
    char id[BR_ID_MAX]; /* its place in the broker, the same whenever it comes again; empty: it has none */
    int64_t time_ms;    /* when the broker or its sender says that it was made, Unix time; 0: unknown */
    void *native;       /* the source's */
    uint64_t number;    /* the source's */
    /* the stream's */
    bool done;               /* the engine has it, or had it before */
    char reason[BR_WHY_MAX]; /* it can never be published, for this reason; empty: it can */
    struct th_span tenant, event;
    size_t event_at;
};

enum br_result {
    BR_OK,
    BR_NONE,
    BR_LOST
}; /* LOST: the connection; `why` says more, and everything not acknowledged comes again */

struct br_source {
    const char *scheme, *tls_scheme; /* tls_scheme: NULL: there is none */
    /** Connects and begins to read. NULL on failure. */
    void *(*open)(const struct br_config *c, char why[BR_WHY_MAX]);
    /** Waits so long at most for a message. */
    enum br_result (*next)(void *s, int wait_ms, struct br_message *m, char why[BR_WHY_MAX]);
    /** The value of a header, in the message's memory. False: it has none of this name. */
    bool (*header)(void *s, const struct br_message *m, const char *name, struct th_span *out);
    /** Moves a message that can never be published to where people look for such; it is durable there afterwards. */
    enum br_result (*aside)(void *s, const struct br_message *m, char why[BR_WHY_MAX]);
    /** All messages that have been taken are done. Frees them. */
    enum br_result (*ack)(void *s, struct br_message *m, unsigned count, char why[BR_WHY_MAX]);
    /** How many messages of the stream are not acknowledged, those in hand with them; UINT64_MAX: it cannot be said. Takes some
     * seconds at most. */
    uint64_t (*lag)(void *s);
    /** Frees everything; what was taken and not acknowledged comes again. */
    void (*close)(void *s, struct br_message *m, unsigned count);
};
/* NULL: built without the broker's library. */
extern const struct br_source *const br_amqp, *const br_nats, *const br_redis, *const br_kafka;
#endif
