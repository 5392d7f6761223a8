/* One HTTP request of a delivery, from the pick to the release of its memory. */
#ifndef TH_ENGINE_SHARD_ATTEMPT_H
#define TH_ENGINE_SHARD_ATTEMPT_H
#include "engine/engine.h"
#include "engine/settings/settings.h"
#include "engine/shard/events.h"
#include "engine/shard/outgoing.h"
#include "engine/shard/trace.h"

struct th_disabling;

struct th_attempt {
    struct th_list link; /* free list, load list or running list */
    struct th_engine *e;
    struct th_queue_row row;
    struct th_ep *ep;
    struct th_endpoint_run *run;
    struct th_event *event;
    struct th_mono began;
    struct th_wall began_wall;
    int64_t signed_at;
    bool unsendable; /* the dialect cannot render this delivery */
    struct th_outgoing out;
    struct th_attempt_trace trace;
    struct th_token *token;    /* of OAuth, that its request carries; NULL: none */
    struct th_list token_wait; /* on a fetch while one is asked for */
    void (*token_came)(struct th_attempt *a, const char *why); /* why: NULL: `token` is set */
    uint64_t counted_at[TH_CONNECT_MAX]; /* address.c: the addresses at which this request is counted */
    unsigned counted;
    struct th_buf head, body, sigs, answer;
    size_t held; /* bytes of the body that count as pinned */
    char delivery_id[64];
    size_t delivery_id_len;
    /** batch.c: others that its request is for as well, by `mate` in the order of their line. Theirs is `leader`. They have neither a request nor
     * a place on a list of running ones. */
    struct th_list mates, mate;
    struct th_attempt *leader; /* NULL: it has a request of its own */
    unsigned mate_count;
    unsigned unread;  /* with mates: events of them and of itself that are being read */
    int64_t later_ms; /* its event did not come: 0: it is no more; else to be tried again after so long */
    struct th_now ended;
    uint32_t draw;        /* the random number of its outcome */
    struct th_wall first; /* when this round of attempts began */
    struct th_settle settle;
    struct th_disabling *disabling; /* the endpoint's disabling that is stored with it; NULL: none */
    void (*carried)(struct th_attempt *a, enum th_error error,
                    bool applied); /* with it: it has been stored, or not */
    struct th_move move;           /* expire.c */
    bool move_done;
    enum th_verdict verdict;
    bool degraded;           /* this attempt crossed the dialect's mark */
    bool recovered;          /* the endpoint works again after exhausted deliveries */
    struct th_mono again_at; /* AGAIN: the exact due time; the row's wall time is for the disk */
};

struct th_attempt *th_attempt_get(struct th_engine *e);
void th_attempts_free(struct th_engine *e);
/** Cancels the requests under way to an endpoint that has been deleted; then they are forgotten. */
void th_attempts_cancel(struct th_engine *e, const struct th_ep *ep);
/** Does the same for a tenant, as far as the turn has time. True: none is left. */
bool th_attempts_cancel_some(struct th_engine *e, const struct th_tenant *t);
void th_attempt_release(struct th_attempt *a);
#endif
