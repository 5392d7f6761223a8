/* The SQLite store under several engines, each with a session on a thread of its own, as a process with several threads has them:
 * every op ends once, on the thread that submitted it, and what the port says may be called by any thread is called by all. */
#include "store_fixture.h"
#include <pthread.h>

#define THREADS 4
#define EVENTS 150
#define SETTINGS "{\"of\":\"endpoint 100\"}"

struct worker {
    struct fx *f;
    unsigned number;
    pthread_t self, thread;
    struct th_session *session;
    int event_fd;
    unsigned done, wrong;
    struct th_page *pages; /* lent to the next thread, which frees them */
};

static struct worker workers[THREADS];
static pthread_barrier_t start;

static void wake(void *ctx)
{
    uint64_t one = 1;
    ssize_t n = write(((struct worker *)ctx)->event_fd, &one, sizeof one);

    (void)n;
}

static void done(struct th_op *op)
{
    struct worker *w = op->user;

    w->wrong += !pthread_equal(pthread_self(), w->self);
    w->done++;
}

static void submit(struct worker *w, struct th_op *op)
{
    op->user = w;
    op->done = done;
    w->f->store->vt->submit(w->session, op);
}

/* Until `n` ops have ended in all; false: they do not. */
static bool wait_for(struct worker *w, unsigned n)
{
    struct pollfd p = {.fd = w->event_fd, .events = POLLIN};
    uint64_t drop;

    while (w->done < n) {
        if (w->f->store->vt->drain(w->session, 16))
            continue;
        if (poll(&p, 1, 30000) != 1)
            return false;
        if (read(w->event_fd, &drop, sizeof drop) < 0)
            return false;
    }
    return w->done == n;
}

static bool run(struct worker *w, struct th_op *op)
{
    unsigned before = w->done;

    submit(w, op);
    return wait_for(w, before + 1) && op->error == TH_OK;
}

/* One event for the thread's endpoint, accepted and settled; what other threads do goes into the same commits. */
static bool deliver(struct worker *w)
{
    uint64_t endpoint = 100 + w->number;
    struct th_new_event e = fx_event(&endpoint, 1, "{\"a\":1}");
    struct th_accept a = fx_accept(1 + w->number, T0, &e, 1);
    struct th_settle s;

    a.settings_version = 2;
    if (!run(w, &a.op) || a.result != TH_ACCEPT_NEW)
        return false;
    s = fx_settle(e.first_delivery, 0, TH_DS_DELIVERED);
    return run(w, &s.op) && s.applied;
}

/* Reads of every reader, and what any thread may ask at any time. */
static bool look(struct worker *w)
{
    struct th_queue_row rows[16];
    struct th_walk walk = {.op = {.kind = TH_OP_WALK}, .max = 16, .rows = rows};
    struct th_page page = fx_page(TH_PAGE_EVENTS, 1 + w->number);
    struct th_usage usage;
    struct th_buf b;
    bool ok;

    page.limit = 10;
    ok = run(w, &walk.op) && run(w, &page.op) && page.count > 0;
    w->f->store->vt->page_free(w->f->store, &page);
    for (uint64_t tenant = 1; tenant <= THREADS; tenant++)
        w->f->store->vt->usage(w->f->store, tenant, &usage);
    th_buf_init(&b, 1000);
    for (unsigned i = 0; ok && i < 20; i++) {
        th_buf_reset(&b);
        ok = w->f->store->vt->endpoint_settings(w->f->store, 100, 1, &b) == TH_OK &&
             th_span_is(th_buf_view(&b), SETTINGS) &&
             w->f->store->vt->endpoint_settings(w->f->store, 100, 99, &b) == TH_NOT_FOUND;
    }
    th_buf_fini(&b);
    return ok;
}

/* A page that another thread will free: memory of a page belongs to no thread. */
static bool lend(struct worker *w)
{
    struct th_page *page = calloc(1, sizeof *page), *old;

    if (!page)
        return false;
    *page = fx_page(TH_PAGE_DELIVERIES, 1 + w->number);
    if (!run(w, &page->op)) {
        free(page);
        return false;
    }
    old = __atomic_exchange_n(&workers[(w->number + 1) % THREADS].pages, page, __ATOMIC_ACQ_REL);
    if (old) {
        w->f->store->vt->page_free(w->f->store, old);
        free(old);
    }
    return true;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    w->self = pthread_self();
    (void)pthread_barrier_wait(&start);
    for (unsigned i = 0; i < 10; i++)
        w->wrong +=
            w->f->store->vt->endpoint_settings(w->f->store, 1, 1, &(struct th_buf){0}) != TH_NOT_FOUND;
    for (unsigned i = 0; i < EVENTS && !w->wrong; i++) {
        w->wrong += !deliver(w);
        if (i % 5 == 0)
            w->wrong += !look(w);
        if (i % 10 == 0)
            w->wrong += !lend(w);
    }
    return NULL;
}

static void begin(struct fx *f, struct worker *w, unsigned number)
{
    struct th_row row = fx_endpoint_row(100 + number, 1 + number, 1, number ? "{}" : SETTINGS);
    struct th_settings_op c = fx_settings(1 + number, 1, &row, 1);
    char id[] = "a";

    id[0] = (char)('a' + number);
    *w = (struct worker){.f = f, .number = number, .event_fd = eventfd(0, EFD_CLOEXEC)};
    fx_tenant(f, 1 + number, id);
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(f->store->vt->attach(f->store, (struct th_wake){wake, w}, &w->session), TH_OK);
}

static void four_engines(void **state)
{
    struct fx *f = *state;

    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++)
        begin(f, &workers[i], i);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    (void)pthread_barrier_destroy(&start);
    for (unsigned i = 0; i < THREADS; i++) {
        struct worker *w = &workers[i];
        struct th_page page = fx_page(TH_PAGE_ATTEMPTS, 1 + i);
        struct th_usage usage;

        assert_int_equal(w->wrong, 0);
        if (w->pages) {
            f->store->vt->page_free(f->store, w->pages);
            free(w->pages);
        }
        f->store->vt->detach(w->session);
        close(w->event_fd);
        page.with_total = true;
        assert_int_equal(fx_run(f, &page.op), TH_OK);
        assert_int_equal(page.total, EVENTS); /* each delivered once, and for its own tenant */
        f->store->vt->page_free(f->store, &page);
        f->store->vt->usage(f->store, 1 + i, &usage);
        assert_int_equal(usage.unfinished, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(four_engines, fx_set_up_sqlite, fx_tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
