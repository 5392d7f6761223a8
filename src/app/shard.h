/* One thread of the server: a loop with an engine, an API, an HTTP server and the connections of both sides. Number 0 is the
 * process's first thread; it alone listens, changes settings and hears signals (serve.c). The others get
 * connections from it, and stop when it tells them. */
#ifndef TH_APP_SHARD_H
#define TH_APP_SHARD_H
#include "api/api.h"
#include "app/turn_clock.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include <pthread.h>
#include <uv.h>

struct th_shard;
struct th_traces;

/** A piece of work for another thread, in a turn of its loop. The memory belongs to the receiver until `run`
 * is called. */
struct th_errand {
    struct th_list link;
    void (*run)(struct th_shard *s, struct th_errand *e);
};

struct th_app;

struct th_shard {
    struct th_app *app;
    unsigned no;
    uv_loop_t *loop, own_loop;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    uint64_t timer_at;
    struct th_turn_clock turns;
    struct th_metrics *metrics, own_metrics; /* the first thread uses the app's, which show those of all */
    struct th_transport *transport;
    struct th_resolver *resolver;
    struct th_traces *traces; /* NULL: nobody watches */
    struct th_engine *engine;
    struct th_api *api;
    struct th_http_server *server;
    bool open, closing;
    unsigned to_close;
    void (*closed)(struct th_shard *s); /* called from its loop when its network is closed */
    pthread_t thread;
    bool runs; /* a thread of its own has been started */
    /* messages from others, under the lock */
    pthread_mutex_t lock;
    struct th_list letters, errands;
    unsigned taken; /* number of letters taken in this turn */
    bool is_idle;   /* atomic: at the end of the last turn nothing was under way */
};

/** Makes the handles on `loop` (NULL: on one of its own). False: no memory. */
bool th_shard_init(struct th_shard *s, struct th_app *app, unsigned no, uv_loop_t *loop);
/** Has the shard do something. Any thread. */
void th_shard_ask(struct th_shard *s, struct th_errand *e,
                  void (*run)(struct th_shard *, struct th_errand *));
/** Runs errands and letters of others, then a turn of the engine; sets the timer for the next one. To be
 * called at the end of each iteration of the loop. Returns whether this shard has nothing under way. */
bool th_shard_turn(struct th_shard *s);
/** Starts the thread, whose loop runs until the shard is closed. False: the system gives no thread. */
bool th_shard_run(struct th_shard *s);
/** Closes server, transport and resolver, then calls `closed`. The engine must be idle. On the shard's thread. */
void th_shard_close(struct th_shard *s, void (*closed)(struct th_shard *s));
/** Closes the shard's handles, so that its loop ends. On its thread. */
void th_shard_close_handles(struct th_shard *s);
/** Frees what is left, when no thread runs it any more. */
void th_shard_fini(struct th_shard *s);

/** The engines' post between the shards of an app: its context is the struct th_app. */
struct th_post th_shard_post(struct th_app *app);
#endif
