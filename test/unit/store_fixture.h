/* What the tests of the stores share: opening any store, running one op to its end, making ops in short.
 */
#ifndef TH_TEST_STORE_FIXTURE_H
#define TH_TEST_STORE_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "model/store_memory.h"
#include "store_postgres_fixture.h"
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define T0 INT64_C(1775116800000) /* 2026-04-02T08:00:00Z */
#define DAY_MS INT64_C(86400000)

enum fx_kind { FX_MEMORY, FX_SQLITE, FX_POSTGRES };

struct fx {
    enum fx_kind kind;
    char dir[64], url[200]; /* url: of a database of its own */
    bool shared;            /* it is open as one of several nodes */
    struct th_store *store;
    struct th_session *session;
    int event_fd;
    struct th_metrics metrics;
    unsigned done;           /* ops whose done was called */
    struct th_op *order[64]; /* the last of them, in order */
};

static struct fx *fx_current;

static inline void fx_wake(void *ctx)
{
    uint64_t one = 1;
    ssize_t n = write(((struct fx *)ctx)->event_fd, &one, sizeof one);

    (void)n;
}

static inline enum th_error fx_try_open(struct fx *f, char *why, size_t why_size)
{
    struct th_store_options options = {.dir = f->dir, .ballast_mib = 1, .metrics = &f->metrics};

    if (f->kind == FX_POSTGRES)
        return fx_postgres_open(f->url, f->dir, f->shared, &f->metrics, &f->store, why, why_size);
    return f->kind == FX_SQLITE ? th_store_sqlite_open(&options, &f->store, why, why_size)
                                : th_store_memory_open(&f->store);
}

static inline void fx_attach(struct fx *f)
{
    assert_int_equal(f->store->vt->attach(f->store, (struct th_wake){fx_wake, f}, &f->session), TH_OK);
}

static inline void fx_open(struct fx *f)
{
    char why[512] = "";
    enum th_error error = fx_try_open(f, why, sizeof why);

    if (error != TH_OK)
        print_error("open: %s\n", why);
    assert_int_equal(error, TH_OK);
    fx_attach(f);
}

static inline void fx_close(struct fx *f)
{
    if (f->session)
        f->store->vt->detach(f->session);
    if (f->store)
        f->store->vt->close(f->store);
    f->session = NULL;
    f->store = NULL;
}

static inline int fx_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline struct fx *fx_new(enum fx_kind kind)
{
    struct fx *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->kind = kind;
    strcpy(f->dir, "/tmp/th-store-XXXXXX");
    if (kind != FX_MEMORY)
        assert_non_null(mkdtemp(f->dir));
    if (kind == FX_POSTGRES)
        fx_postgres_database(f->url, sizeof f->url);
    f->event_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(f->event_fd >= 0);
    fx_current = f;
    return f;
}

static inline void fx_free(struct fx *f)
{
    fx_close(f);
    if (f->kind != FX_MEMORY)
        nftw(f->dir, fx_remove, 8, FTW_DEPTH | FTW_PHYS);
    close(f->event_fd);
    free(f);
}

static inline void fx_done(struct th_op *op)
{
    struct fx *f = fx_current;

    f->order[f->done % 64] = op;
    f->done++;
}

static inline void fx_submit(struct fx *f, struct th_op *op)
{
    op->done = fx_done;
    f->store->vt->submit(f->session, op);
}

/** Drains until `done` ops have ended in all. Fails after 20 s. */
static inline void fx_wait(struct fx *f, unsigned done)
{
    struct pollfd p = {.fd = f->event_fd, .events = POLLIN};
    uint64_t drop;

    while (f->done < done) {
        ssize_t n;

        if (f->store->vt->drain(f->session, 64))
            continue;
        assert_int_equal(poll(&p, 1, 20000), 1);
        n = read(f->event_fd, &drop, sizeof drop);
        (void)n;
    }
    assert_int_equal(f->done, done);
}

static inline enum th_error fx_run(struct fx *f, struct th_op *op)
{
    unsigned before = f->done;

    fx_submit(f, op);
    fx_wait(f, before + 1);
    return op->error;
}

/* ---- ops in short ---- */

static inline struct th_row fx_tenant_row(uint64_t no, const char *id)
{
    return (struct th_row){.kind = TH_ROW_TENANT,
                           .no = no,
                           .id = th_str(id),
                           .settings = TH_LIT("{\"name\":\"x\"}"),
                           .created = T0,
                           .updated = T0};
}

static inline struct th_row fx_endpoint_row(uint64_t no, uint64_t tenant, uint64_t rev, const char *settings)
{
    return (struct th_row){.kind = TH_ROW_ENDPOINT,
                           .no = no,
                           .tenant = tenant,
                           .rev = rev,
                           .settings = th_str(settings),
                           .created = T0,
                           .updated = T0};
}

static inline struct th_settings_op fx_settings(uint64_t tenant, uint64_t version, const struct th_row *rows,
                                                uint32_t count)
{
    struct th_settings_op c = {.op = {.kind = TH_OP_SETTINGS},
                               .tenant = tenant,
                               .expect_version = version,
                               .count = count,
                               .rows = rows,
                               .at = {T0}};

    th_buf_init(&c.repeated, 1 << 20);
    return c;
}

/** Makes a tenant at version 1. */
static inline void fx_tenant(struct fx *f, uint64_t no, const char *id)
{
    struct th_row row = fx_tenant_row(no, id);
    struct th_settings_op c = fx_settings(no, 0, &row, 1);

    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    assert_int_equal(c.new_version, 1);
}

static inline struct th_new_event fx_event(const uint64_t *endpoints, uint32_t count, const char *data)
{
    return (struct th_new_event){.type = TH_LIT("order.created"),
                                 .data = th_str(data),
                                 .time = {T0},
                                 .rnd = 77,
                                 .endpoint_count = count,
                                 .endpoints = endpoints,
                                 .resource_type = TH_LIT("order"),
                                 .resource_id = TH_LIT("r-1")};
}

static inline struct th_accept fx_accept(uint64_t tenant, int64_t at, struct th_new_event *events,
                                         uint32_t count)
{
    return (struct th_accept){.op = {.kind = TH_OP_ACCEPT},
                              .tenant = tenant,
                              .settings_version = 1,
                              .at = {at},
                              .count = count,
                              .events = events};
}

/** Accepts one event for these endpoints at a time; returns its number, *first is its first delivery. */
static inline uint64_t fx_publish(struct fx *f, uint64_t tenant, int64_t at, const uint64_t *endpoints,
                                  uint32_t count, uint64_t *first)
{
    struct th_new_event e = fx_event(endpoints, count, "{\"a\":1}");
    struct th_accept a = fx_accept(tenant, at, &e, 1);

    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_int_equal(a.first_event, e.no);
    if (first)
        *first = e.first_delivery;
    return e.no;
}

static inline struct th_settle fx_settle(uint64_t delivery, uint16_t expect, enum th_delivery_state next)
{
    bool ok = next == TH_DS_DELIVERED;

    return (struct th_settle){.op = {.kind = TH_OP_SETTLE},
                              .delivery = delivery,
                              .expect_attempts = expect,
                              .next = next,
                              .due = {T0 + 60000},
                              .tries = (uint8_t)(expect + 1),
                              .row = {.at = {T0 + 1000 * (int64_t)expect},
                                      .nth = (uint16_t)(expect + 1),
                                      .status = ok ? 200 : 503,
                                      .ok = ok,
                                      .us = {10, 20, -1, 3000, 4000},
                                      .endpoint_rev = 1,
                                      .signed_at = T0 / 1000,
                                      .peer = {.family = 4, .ip = {127, 0, 0, 1}, .port = 8443},
                                      .sigs = TH_LIT("v1,abc"),
                                      .detail = TH_LIT("why"),
                                      .head = TH_LIT("A: b\r\n"),
                                      .body = TH_LIT("answer")}};
}

static inline bool fx_settle_run(struct fx *f, uint64_t delivery, uint16_t expect,
                                 enum th_delivery_state next)
{
    struct th_settle s = fx_settle(delivery, expect, next);

    assert_int_equal(fx_run(f, &s.op), TH_OK);
    return s.applied;
}

/** Queue rows from a number on. */
static inline uint32_t fx_walk(struct fx *f, uint64_t from, uint64_t endpoint, struct th_queue_row *rows,
                               uint32_t max, uint64_t *next)
{
    struct th_walk w = {
        .op = {.kind = TH_OP_WALK}, .from = from, .endpoint = endpoint, .max = max, .rows = rows};

    assert_int_equal(fx_run(f, &w.op), TH_OK);
    if (next)
        *next = w.next;
    return w.count;
}

static inline struct th_page fx_page(enum th_page_kind kind, uint64_t tenant)
{
    return (struct th_page){.op = {.kind = TH_OP_PAGE}, .kind = kind, .tenant = tenant, .limit = 100};
}

/** Runs a page of deliveries and gives back its only row's state; the row in *row when wanted (spans are
 * void). */
static inline enum th_delivery_state fx_state(struct fx *f, uint64_t tenant, uint64_t delivery,
                                              struct th_delivery_row *row)
{
    struct th_page p = fx_page(TH_PAGE_DELIVERIES, tenant);
    enum th_delivery_state state;

    p.no = delivery;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.rows.deliveries[0].no, delivery);
    state = p.rows.deliveries[0].state;
    if (row)
        *row = p.rows.deliveries[0];
    f->store->vt->page_free(f->store, &p);
    return state;
}

static inline uint32_t fx_count_attempts(struct fx *f, uint64_t tenant, uint64_t delivery)
{
    struct th_page p = fx_page(TH_PAGE_ATTEMPTS, tenant);
    uint32_t count;

    p.delivery = delivery;
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    count = p.count;
    f->store->vt->page_free(f->store, &p);
    return count;
}

/* ---- one test on each store ---- */

static inline int fx_set_up_memory(void **state)
{
    struct fx *f = fx_new(FX_MEMORY);

    *state = f;
    fx_open(f);
    return 0;
}

static inline int fx_set_up_sqlite(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);

    *state = f;
    fx_open(f);
    return 0;
}

static inline int fx_set_up_postgres(void **state)
{
    struct fx *f = fx_new(FX_POSTGRES);

    *state = f;
    fx_open(f);
    return 0;
}

static inline int fx_set_up_shared(void **state)
{
    struct fx *f = fx_new(FX_POSTGRES);

    *state = f;
    f->shared = true;
    fx_open(f);
    return 0;
}

static inline int fx_tear_down(void **state)
{
    fx_free(*state);
    return 0;
}

/* SQL that takes a closed SQLite store back by the newest form, for tests of what an earlier program has left. */
#define FX_BEFORE_ROOM                                                                                       \
    "DROP TABLE roll; DROP TABLE backlog;"                                                                   \
    "UPDATE event SET time=at WHERE time=1; UPDATE attempt SET signed_at=at/1000 WHERE signed_at=1;"         \
    "UPDATE queue SET lane=lane&3, tries=tries&255; UPDATE delivery SET lane=lane&3;"                        \
    "ALTER TABLE event DROP COLUMN checked; ALTER TABLE event DROP COLUMN deliver_at; ALTER TABLE event "    \
    "DROP COLUMN expires_at;"                                                                                \
    "ALTER TABLE event DROP COLUMN order_key; ALTER TABLE event DROP COLUMN channels;"                       \
    "ALTER TABLE event DROP COLUMN traceparent; ALTER TABLE event DROP COLUMN content_type;"                 \
    "ALTER TABLE fan DROP COLUMN more; ALTER TABLE attempt DROP COLUMN batch;"                               \
    "ALTER TABLE event RENAME COLUMN external_id TO own_id; PRAGMA user_version=6;"
/* By all forms, to the first. */
#define FX_FIRST_FORM                                                                                        \
    FX_BEFORE_ROOM                                                                                           \
    "DELETE FROM meta WHERE k LIKE 'plain_%'; ALTER TABLE fact DROP COLUMN rest_since;"                      \
    "ALTER TABLE fact DROP COLUMN rest_until; DROP TABLE erasing; DROP TABLE erasure;"                       \
    "DELETE FROM counter WHERE k LIKE 'use%'; DROP TABLE usage; DROP TABLE fan; PRAGMA user_version=1;"

#define EACH(test)                                                                                           \
    {#test " (memory)", test, fx_set_up_memory, fx_tear_down, NULL},                                         \
        {#test " (sqlite)", test, fx_set_up_sqlite, fx_tear_down, NULL},                                     \
        {#test " (postgres)", test, fx_set_up_postgres, fx_tear_down, NULL},                                 \
    {                                                                                                        \
#test " (postgres, shared)", test, fx_set_up_shared, fx_tear_down, NULL                              \
    }
#endif
