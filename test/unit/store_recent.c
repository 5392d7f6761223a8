/* Whoever follows events or attempts gets from memory exactly what the tables have: the same question is asked twice, once with a filter that
 * leaves nothing out and for which memory is not asked, while rows come, change and go in every way. */
#include "store_fixture.h"

#include "port/copy_id.h"
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#define STEPS 1500u
#define KEPT 64u /* deliveries that may still get attempts */

static const uint64_t both[] = {1, 2}, eps[] = {5, 6};
static uint64_t seed;

static struct {
    uint64_t no, event, tenant;
    uint16_t attempts;
} kept[KEPT];
static uint32_t made; /* deliveries; the newest are in `kept` */

static uint32_t below(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- rows as text ---- */

static void add_text(struct th_buf *b, struct th_span s)
{
    th_buf_char(b, '|');
    th_buf_span(b, s);
}

static void add_number(struct th_buf *b, int64_t v)
{
    th_buf_char(b, '|');
    th_buf_i64(b, v);
}

static void add_event(struct th_buf *b, const struct th_event_row *e)
{
    const int64_t numbers[] = {
        (int64_t)e->no, (int64_t)e->tenant,         e->at.ms,           e->time.ms,      e->rnd,
        e->deliveries,  (int64_t)e->first_delivery, (int64_t)e->origin, e->origin_at,    e->erased,
        e->test,        e->more.deliver_at,         e->more.expires_at, e->more.version, e->more.marks};
    const struct th_span texts[] = {
        e->type,           e->data,          e->external_id,      e->resource_type,    e->resource_id,
        e->more.order_key, e->more.channels, e->more.traceparent, e->more.content_type};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_number(b, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add_text(b, texts[i]);
}

static void add_attempt(struct th_buf *b, const struct th_attempt_view *a)
{
    const struct th_attempt_row *r = &a->row;
    const struct th_delivery_row *d = &a->of;
    const int64_t numbers[] = {(int64_t)a->no,
                               (int64_t)a->delivery,
                               (int64_t)a->endpoint,
                               a->test,
                               a->past.created,
                               r->at.ms,
                               r->nth,
                               r->status,
                               r->class,
                               r->truncated,
                               r->reused,
                               r->ok,
                               r->decoded,
                               r->test,
                               r->us[0],
                               r->us[1],
                               r->us[2],
                               r->us[3],
                               r->us[4],
                               (int64_t)r->endpoint_rev,
                               (int64_t)r->batch,
                               r->signed_at,
                               r->peer.family,
                               r->peer.port,
                               r->peer.ip[3],
                               r->peer.ip[15],
                               r->peer.scope,
                               (int64_t)d->no,
                               d->state,
                               d->lane,
                               d->tries,
                               d->marks,
                               d->attempts,
                               (int64_t)d->order,
                               d->due,
                               d->ended,
                               (int64_t)d->last_attempt,
                               (int64_t)d->endpoint};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_number(b, numbers[i]);
    add_text(b, r->sigs);
    add_text(b, r->detail);
    add_text(b, r->head);
    add_text(b, r->body);
    add_text(b, a->endpoint_settings);
    add_text(b, a->past.settings);
    add_event(b, &a->event);
}

/* All rows behind `after`, page by page; returns how far that is. */
static uint64_t collect(struct fx *f, enum th_page_kind kind, uint64_t after, uint32_t limit,
                        size_t max_bytes, uint32_t tenants, bool from_tables, struct th_buf *out)
{
    struct th_page p;

    th_buf_reset(out);
    do {
        p = fx_page(kind, 0);
        p.ascending = true;
        p.tenants = tenants == 1 ? both + 1 : both;
        p.tenant_count = tenants;
        p.after = after;
        p.limit = limit;
        p.max_bytes = max_bytes;
        p.without_settings = limit % 2;
        p.since = from_tables; /* no event was accepted before */
        assert_int_equal(fx_run(f, &p.op), TH_OK);
        assert_true(p.count <= limit && p.reached >= after && (!p.next || p.next == p.reached));
        for (uint32_t i = 0; i < p.count; i++) {
            if (kind == TH_PAGE_EVENTS)
                add_event(out, &p.rows.events[i]);
            else
                add_attempt(out, &p.rows.attempts[i]);
            th_buf_char(out, '\n');
        }
        after = p.reached;
        f->store->vt->page_free(f->store, &p);
    } while (p.next);
    assert_int_equal(out->failed, TH_OK);
    return after;
}

static uint64_t compare(struct fx *f, enum th_page_kind kind, uint64_t after)
{
    static const uint32_t limits[] = {1, 2, 7, 100, 500};
    uint32_t limit = limits[below(5)], tenants = 1 + below(2);
    size_t max_bytes = below(3) ? 0 : 300;
    struct th_buf memory, tables;
    uint64_t reached;

    th_buf_init(&memory, 64u << 20);
    th_buf_init(&tables, 64u << 20);
    reached = collect(f, kind, after, limit, max_bytes, tenants, false, &memory);
    assert_true(collect(f, kind, after, 1000, 0, tenants, true, &tables) == reached);
    assert_string_equal(th_buf_cstr(&memory), th_buf_cstr(&tables));
    th_buf_fini(&memory);
    th_buf_fini(&tables);
    return reached;
}

/* ---- what may happen ---- */

static void note(const struct th_new_event *e, uint64_t tenant)
{
    for (uint32_t i = 0; i < e->endpoint_count; i++, made++) {
        kept[made % KEPT].no = e->first_delivery + i;
        kept[made % KEPT].event = e->no;
        kept[made % KEPT].tenant = tenant;
        kept[made % KEPT].attempts = 0;
    }
}

static void publish(struct fx *f, uint32_t step)
{
    struct th_new_event e[3];
    char ids[3][TH_COPY_ID_MAX];
    uint64_t tenant = 1 + below(2);
    uint32_t count = 1 + below(3);
    struct th_accept a = fx_accept(tenant, T0 + step * INT64_C(60000), e, count);

    for (uint32_t i = 0; i < count; i++) {
        e[i] = fx_event(eps, 1 + below(2), "{\"a\":1}");
        e[i].time.ms = T0 + below(2) * step;
        if (below(3) == 0) {
            snprintf(ids[i], sizeof ids[i], "own-%u-%u", step, i);
            e[i].external_id = th_str(ids[i]);
        } else if (below(6) == 0 && made) {
            e[i].external_id = th_copy_id(ids[i], kept[(made - 1) % KEPT].event, 5, T0, TH_LIT("x"));
        }
        if (below(4) == 0)
            e[i].more = (struct th_event_more){.deliver_at = T0 + 5,
                                               .expires_at = T0 + step,
                                               .order_key = TH_LIT("line"),
                                               .channels = TH_LIT("a\nb"),
                                               .traceparent = TH_LIT("00-1"),
                                               .content_type = TH_LIT("text/plain"),
                                               .version = 3,
                                               .marks = 1};
        if (below(8) == 0)
            e[i].type = TH_LIT(TH_TEST_TYPE);
        if (below(8) == 0)
            e[i].lane = TH_LANE_TEST;
    }
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    for (uint32_t i = 0; a.result == TH_ACCEPT_NEW && i < count; i++)
        note(&e[i], tenant);
}

/* Outcomes of one or two attempts in one commit, in time or late; perhaps the same one twice. */
static void settle(struct fx *f)
{
    static const enum th_delivery_state next[] = {TH_DS_QUEUED, TH_DS_QUEUED, TH_DS_DELIVERED,
                                                  TH_DS_EXHAUSTED};
    uint32_t n = made < KEPT ? made : KEPT, which = n ? below(n) : 0;
    struct th_settle s[2];
    unsigned before = f->done, twice = 1 + below(2);

    if (!n)
        return;
    for (unsigned i = 0; i < twice; i++) {
        s[i] = fx_settle(kept[which].no, kept[which].attempts, next[below(4)]);
        s[i].marks = below(2) ? TH_MARK_RENEWED : 0;
        s[i].row.batch = below(4) ? 0 : kept[which].no;
        if (below(3) == 0)
            s[i].row.peer = (struct th_addr){.family = 6, .ip = {1, [15] = 9}, .scope = 4, .port = 443};
        if (below(40) && !(i && below(20) == 0))
            kept[which].attempts++;
    }
    for (unsigned i = 0; i < twice; i++)
        fx_submit(f, &s[i].op);
    fx_wait(f, before + twice);
}

static void move(struct fx *f)
{
    static const unsigned what[] = {TH_MOVE_CANCEL, TH_MOVE_RETRY, TH_MOVE_REPLAY, TH_MOVE_MARK};
    uint64_t no[3];
    bool moved[3];
    struct th_queue_row rows[3];
    struct th_move m = {.op = {.kind = TH_OP_MOVE},
                        .lane = TH_LANE_MANUAL,
                        .marks = TH_MARK_SKIPPED,
                        .at = {T0 + 99},
                        .count = 3,
                        .deliveries = no,
                        .moved = moved,
                        .rows = rows};

    if (made < KEPT)
        return;
    m.what = what[below(4)];
    for (unsigned i = 0; i < 3; i++)
        no[i] = kept[below(KEPT)].no;
    if (m.what == TH_MOVE_CANCEL || m.what == TH_MOVE_MARK)
        m.rows = NULL;
    assert_int_equal(fx_run(f, &m.op), TH_OK);
}

static void erase(struct fx *f)
{
    uint64_t cancelled[TH_ERASE_STEP];
    uint32_t which = (made - 1 - below(6)) % KEPT;
    struct th_erase x = {.op = {.kind = TH_OP_ERASE},
                         .tenant = kept[which].tenant,
                         .event = kept[which].event,
                         .at = {T0 + 7},
                         .cancel = true,
                         .cancelled = cancelled};

    if (made > KEPT)
        assert_int_equal(fx_run(f, &x.op), TH_OK);
}

static void purge(struct fx *f, uint32_t step)
{
    struct th_purge p = {
        .op = {.kind = TH_OP_PURGE}, .before = {T0 + ((int64_t)step - 3) * 60000}, .max_events = 1000};

    assert_int_equal(fx_run(f, &p.op), TH_OK);
}

/* More than there is room for, in one commit or in three. */
static void publish_many(struct fx *f, uint32_t step, bool together)
{
    static struct th_new_event e[3][1000];
    struct th_accept a[3];
    unsigned before = f->done;

    for (unsigned k = 0; k < 3; k++) {
        for (unsigned i = 0; i < 1000; i++)
            e[k][i] = fx_event(eps, 0, "{}");
        a[k] = fx_accept(1, T0 + step * INT64_C(60000), e[k], 1000);
        fx_submit(f, &a[k].op);
        if (!together)
            fx_wait(f, before + k + 1);
    }
    fx_wait(f, before + 3);
}

static void memory_and_tables_agree(void **state)
{
    struct fx *f = *state;
    uint64_t reached[2] = {0, 0};

    seed = 11;
    made = 0;
    fx_tenant(f, 1, "t");
    fx_tenant(f, 2, "u");
    for (uint32_t step = 1; step < STEPS; step++) {
        uint32_t dice = below(100);
        bool many = step % 300 == 150;

        if (dice < 35)
            publish(f, step);
        else if (dice < 85)
            settle(f);
        else if (dice < 90)
            move(f);
        else if (dice < 92)
            erase(f);
        else if (dice < 93)
            purge(f, step);
        if (many)
            publish_many(f, step, step % 600 == 150);
        for (unsigned k = 0; k < 2; k++) {
            enum th_page_kind kind = k ? TH_PAGE_EVENTS : TH_PAGE_ATTEMPTS;
            bool changed = dice >= 85 && dice < 93;

            if (changed && reached[k] > 12) /* rows of the last steps, which have changed perhaps */
                compare(f, kind, reached[k] - below(12));
            if (many || below(3) == 0)
                reached[k] = compare(f, kind, reached[k]);
        }
    }
}

static void what_retention_deletes_is_not_shown(void **state)
{
    struct fx *f = *state;
    uint64_t at;

    seed = 7;
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 1, NULL);
    at = compare(f, TH_PAGE_EVENTS, 0);
    for (unsigned i = 0; i < 3; i++)
        fx_publish(f, 1, T0, eps, 1, NULL);
    compare(f, TH_PAGE_EVENTS, at);
    purge(f, 10);
    compare(f, TH_PAGE_EVENTS, at);
}

/* A row that was never committed is shown to nobody, and its number is given again. */
static void what_is_rolled_back_is_not_shown(void **state)
{
    static char body[300000];
    struct fx *f = *state;
    struct th_new_event e;
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_probe probe = {.op = {.kind = TH_OP_PROBE}};
    struct rlimit old, small;
    uint64_t at;
    enum th_error error = TH_OK;

    seed = 3;
    memset(body, '2', sizeof body);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 1, NULL);
    at = compare(f, TH_PAGE_EVENTS, 0);
    fx_publish(f, 1, T0, eps, 1, NULL); /* from here on they are kept in memory */
    at = compare(f, TH_PAGE_EVENTS, at);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000000; /* below the ballast of 1 MiB */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 100 && error == TH_OK; i++) {
        e = fx_event(eps, 1, "");
        e.data = th_span(body, sizeof body);
        a = fx_accept(1, T0, &e, 1);
        error = fx_run(f, &a.op);
    }
    assert_int_equal(error, TH_FULL);
    compare(f, TH_PAGE_EVENTS, at);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(fx_run(f, &probe.op), TH_OK);
    fx_publish(f, 1, T0, eps, 1, NULL);
    compare(f, TH_PAGE_EVENTS, at);
}

/* Shown by what the tables do not say: a row that was changed behind the store's back. */
static void it_is_memory_that_answers(void **state)
{
    struct fx *f = *state;
    struct th_buf text;
    uint64_t no, first, at;
    char path[100], sql[100];
    sqlite3 *db;

    seed = 5;
    th_buf_init(&text, 1u << 20);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 1, NULL);
    at = compare(f, TH_PAGE_ATTEMPTS, 0);
    no = fx_publish(f, 1, T0, eps, 1, &first);
    assert_true(fx_settle_run(f, first, 0, TH_DS_DELIVERED));
    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    snprintf(sql, sizeof sql, "UPDATE event SET type='changed' WHERE no=%llu", (unsigned long long)no);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    collect(f, TH_PAGE_ATTEMPTS, at, 10, 0, 2, true, &text);
    assert_non_null(strstr(th_buf_cstr(&text), "changed"));
    collect(f, TH_PAGE_ATTEMPTS, at, 10, 0, 2, false, &text);
    assert_null(strstr(th_buf_cstr(&text), "changed"));
    assert_non_null(strstr(th_buf_cstr(&text), "order.created"));
    collect(f, TH_PAGE_EVENTS, no - 1, 10, 0, 2, false, &text);
    assert_non_null(strstr(th_buf_cstr(&text), "order.created"));
    collect(f, TH_PAGE_EVENTS, 0, 10, 0, 2, false, &text); /* which memory does not reach */
    assert_non_null(strstr(th_buf_cstr(&text), "changed"));
    th_buf_fini(&text);
}

#define ON_SQLITE(test)                                                                                      \
    {                                                                                                        \
#test, test, fx_set_up_sqlite, fx_tear_down, NULL                                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SQLITE(memory_and_tables_agree),
        ON_SQLITE(what_retention_deletes_is_not_shown),
        ON_SQLITE(what_is_rolled_back_is_not_shown),
        ON_SQLITE(it_is_memory_that_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
