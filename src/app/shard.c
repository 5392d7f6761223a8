/* The loop of one shard, and the messages between shards: letters of engines, errands of the server.
 *
 * Both go through one list a shard, under a lock that is held for a few assignments. Letters are counted over all shards: a stop
 * has to know that none is under way. A letter counts until the turn that has run it is over, and before that
 * this turn has noted whether its shard is idle; so "no letters, and all are idle" is true at the moment when
 * it is seen. */
#include "app/serve_parts.h"
#include "app/traces.h"
#include "base/alloc.h"
#include "base/log.h"
#include <stdio.h>
#include <string.h>

/* ---- letters and errands ---- */

void th_shard_ask(struct th_shard *s, struct th_errand *e, void (*run)(struct th_shard *, struct th_errand *))
{
    e->run = run;
    pthread_mutex_lock(&s->lock);
    th_list_append(&s->errands, &e->link);
    pthread_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

/* Appends all of `from`, which is then empty. */
static unsigned move_all(struct th_list *to, struct th_list *from)
{
    unsigned n = 0;

    for (struct th_list *l; (l = th_list_pop(from)); n++)
        th_list_append(to, l);
    return n;
}

static void post_send(void *ctx, unsigned from, unsigned to, struct th_list *letters)
{
    struct th_app *a = ctx;
    struct th_shard *s = th_app_shard(a, to);
    unsigned n = 0;

    (void)from;
    for (struct th_list *l = letters->next; l != letters; l = l->next)
        n++;
    __atomic_add_fetch(&a->letters, n, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&s->lock);
    (void)move_all(&s->letters, letters);
    pthread_mutex_unlock(&s->lock);
    uv_async_send(&s->wake);
}

static void post_take(void *ctx, unsigned me, struct th_list *letters)
{
    struct th_shard *s = th_app_shard(ctx, me);

    pthread_mutex_lock(&s->lock);
    s->taken += move_all(letters, &s->letters);
    pthread_mutex_unlock(&s->lock);
}

struct th_post th_shard_post(struct th_app *app)
{
    return (struct th_post){app, post_send, post_take};
}

static void run_errands(struct th_shard *s)
{
    struct th_list mine, *l;

    th_list_init(&mine);
    pthread_mutex_lock(&s->lock);
    (void)move_all(&mine, &s->errands);
    pthread_mutex_unlock(&s->lock);
    while ((l = th_list_pop(&mine))) {
        struct th_errand *e = TH_CONTAINER(l, struct th_errand, link);
        e->run(s, e);
    }
}

/* ---- turns ---- */

static void on_idle(uv_idle_t *i)
{
    (void)i;
}

/* The check that follows takes the turn. When the time had come before the loop looked at its timers, as on a machine with more to do
 * than processors, the sleep lies between: it would have no end, since no other timer is set. */
static void on_timer(uv_timer_t *t)
{
    struct th_shard *s = t->data;

    s->timer_at = 0;
    uv_idle_start(&s->idle, on_idle);
}

static void on_wake(uv_async_t *w)
{
    (void)w;
}

static void wait_until(struct th_shard *s, struct th_mono next)
{
    int64_t wait_us = next.us == INT64_MAX ? INT64_MAX : next.us - th_engine_now(s->engine).mono.us;
    uint64_t at;

    if (wait_us <= 0) {
        uv_idle_start(&s->idle, on_idle);
        return;
    }
    uv_idle_stop(&s->idle);
    if (wait_us == INT64_MAX) {
        if (s->timer_at)
            uv_timer_stop(&s->timer);
        s->timer_at = 0;
        return;
    }
    at = uv_now(s->loop) + (uint64_t)(wait_us + 999) / 1000;
    if (at == s->timer_at)
        return;
    s->timer_at = at;
    uv_timer_start(&s->timer, on_timer, (uint64_t)(wait_us + 999) / 1000, 0);
}

bool th_shard_turn(struct th_shard *s)
{
    struct th_mono next;
    int64_t streams_us;
    bool idle;

    run_errands(s);
    if (s->closing)
        return true;
    if (s->server)
        th_engine_spent(s->engine, th_http_server_spent(s->server));
    next = th_engine_turn(s->engine);
    streams_us = th_api_turn(s->api);
    if (streams_us < next.us)
        next.us = streams_us;
    idle = th_engine_idle(s->engine) && th_api_pending(s->api) == 0;
    __atomic_store_n(&s->is_idle, idle, __ATOMIC_SEQ_CST);
    if (s->taken) {
        __atomic_sub_fetch(&s->app->letters, s->taken, __ATOMIC_SEQ_CST);
        s->taken = 0;
    }
    wait_until(s, next);
    return idle;
}

/* ---- life ---- */

/* Called before the loop sleeps. Timers, and events of the network that need no waiting, run before this, and
 * the turn follows the sleep: so the loop must not sleep if the engine has been called since its last turn. */
static void on_prepare(uv_prepare_t *p)
{
    struct th_shard *s = p->data;

    if (s->engine && th_engine_stirred(s->engine))
        uv_idle_start(&s->idle, on_idle);
    th_turn_clock_look(&s->turns, s->loop);
}

bool th_shard_init(struct th_shard *s, struct th_app *app, unsigned no, uv_loop_t *loop)
{
    s->app = app;
    s->no = no;
    s->metrics = no ? &s->own_metrics : &app->metrics;
    if (no)
        th_metrics_join(&app->metrics, s->metrics);
    th_list_init(&s->letters);
    th_list_init(&s->errands);
    s->loop = loop ? loop : &s->own_loop;
    if (!loop && uv_loop_init(s->loop) != 0)
        return false;
    pthread_mutex_init(&s->lock, NULL);
    s->open = true;
    uv_async_init(s->loop, &s->wake, on_wake);
    uv_prepare_init(s->loop, &s->prepare);
    uv_prepare_start(&s->prepare, on_prepare);
    uv_check_init(s->loop, &s->check);
    uv_idle_init(s->loop, &s->idle);
    uv_timer_init(s->loop, &s->timer);
    s->wake.data = s->prepare.data = s->check.data = s->idle.data = s->timer.data = s;
    return true;
}

static void on_check(uv_check_t *c)
{
    struct th_shard *s = c->data;

    if (th_shard_turn(s) && __atomic_load_n(&s->app->watches_idle, __ATOMIC_SEQ_CST))
        uv_async_send(&th_app_shard(s->app, 0)->wake); /* it looks whether all are */
    th_turn_clock_end(&s->turns, s->loop, s->metrics);
}

static void *thread(void *arg)
{
    struct th_shard *s = arg;
    char name[16];

    snprintf(name, sizeof name, "shard-%u", s->no);
    (void)pthread_setname_np(pthread_self(), name);
    uv_check_start(&s->check, on_check);
    th_turn_clock_begin(&s->turns);
    uv_run(s->loop, UV_RUN_DEFAULT);
    return NULL;
}

bool th_shard_run(struct th_shard *s)
{
    uv_async_send(&s->wake); /* the first turn */
    s->runs = pthread_create(&s->thread, NULL, thread, s) == 0;
    return s->runs;
}

static void part_closed(void *ctx)
{
    struct th_shard *s = ctx;

    if (--s->to_close == 0)
        s->closed(s);
}

/* No span is sent any more. */
static void close_network(void *ctx)
{
    struct th_shard *s = ctx;

    s->to_close = 1u + (s->transport ? 1u : 0u) + (s->resolver ? 1u : 0u);
    if (s->transport)
        th_http_client_close(s->transport, part_closed, s);
    if (s->resolver)
        th_resolver_close(s->resolver, part_closed, s);
    s->transport = NULL;
    s->resolver = NULL;
    part_closed(s);
}

void th_shard_close(struct th_shard *s, void (*closed)(struct th_shard *s))
{
    struct th_traces *traces = s->traces;

    s->closing = true;
    s->closed = closed;
    if (s->server) /* no request waits for an answer any more: the engine is idle */
        th_http_server_free(s->server);
    s->server = NULL;
    uv_prepare_stop(&s->prepare);
    uv_check_stop(&s->check);
    uv_idle_stop(&s->idle);
    uv_timer_stop(&s->timer);
    s->traces = NULL;
    if (traces)
        th_traces_close(traces, close_network, s);
    else
        close_network(s);
}

void th_shard_close_handles(struct th_shard *s)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&s->wake, (uv_handle_t *)&s->prepare, (uv_handle_t *)&s->check,
                              (uv_handle_t *)&s->idle, (uv_handle_t *)&s->timer};

    for (unsigned i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (!uv_is_closing(handles[i]))
            uv_close(handles[i], NULL);
}

void th_shard_fini(struct th_shard *s)
{
    if (!s->open)
        return;
    th_api_free(s->api);
    th_engine_free(s->engine);
    if (s->loop == &s->own_loop)
        uv_loop_close(s->loop);
    pthread_mutex_destroy(&s->lock);
}
