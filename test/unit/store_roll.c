/* Rollups: whatever happens to attempts and to the process, each counts once. More than a year passes, with purges and restarts, and a
 * store's statistics are those of the model, which remembers every attempt; and a process that is killed while it writes them is
 * compared with a recount of its attempts. */
#include "store_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#define TENANTS 2u
#define ENDPOINTS 5u /* the odd ones of tenant 1, the even ones of tenant 2 */
#define YEAR_AND_MORE 460
#define MANY 1500u /* endpoints: so many rows that a run is written in several commits */

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static uint64_t tenant_of(uint64_t endpoint)
{
    return endpoint % 2 ? 1 : 2;
}

static void make_settings(struct fx *f, uint64_t endpoints)
{
    fx_current = f;
    fx_tenant(f, 1, "a");
    fx_tenant(f, 2, "b");
    for (uint64_t no = 1; no <= endpoints; no++) {
        struct th_row row = fx_endpoint_row(no, tenant_of(no), 1, "{}");
        struct th_settings_op c = fx_settings(tenant_of(no), 1, &row, 1);

        c.keep_version = true;
        assert_int_equal(fx_run(f, &c.op), TH_OK);
    }
}

static struct th_settle random_settle(uint64_t delivery, uint16_t attempts, int64_t at, bool ends)
{
    bool ok = below(4) > 0;
    struct th_settle s = fx_settle(delivery, attempts, ends ? TH_DS_DELIVERED : TH_DS_QUEUED);

    s.row.at.ms = at;
    s.row.ok = ok;
    s.row.status = ok ? 200 : 500;
    s.row.class = below(10) ? TH_HTTP_OK : (uint8_t)(1 + below(TH_STATS_OUTCOMES - 2));
    s.row.test = below(12) == 0;
    s.row.us[4] = below(20) ? (int32_t)below(3000000) : -1;
    s.row.head = s.row.body = s.row.sigs = s.row.detail = TH_LIT("");
    s.due.ms = at + 1000;
    return s;
}

/* What waits now, in both stores: sometimes of one tenant, sometimes with tenants left out. */
static void note_backlog(struct fx *mem, struct fx *sql, int64_t at)
{
    struct th_backlog_row rows[1 + TENANTS] = {{0, below(100)}};
    struct th_backlog b = {.op = {.kind = TH_OP_BACKLOG}, .at = {at}, .count = 1, .rows = rows};

    for (uint64_t no = 1; no <= TENANTS; no++)
        if (below(2))
            rows[b.count++] = (struct th_backlog_row){no, 1 + below(50)};
    b.cut = below(4) == 0;
    fx_current = mem;
    assert_int_equal(fx_run(mem, &b.op), TH_OK);
    fx_current = sql;
    assert_int_equal(fx_run(sql, &b.op), TH_OK);
}

static void compare(struct fx *mem, struct fx *sql, int64_t now, int64_t step, uint32_t count,
                    uint64_t tenant, uint64_t endpoint)
{
    struct th_stats_bucket *a = calloc(2 * count, sizeof *a);
    struct th_stats x = {.op = {.kind = TH_OP_STATS},
                         .tenant = tenant,
                         .endpoint = endpoint,
                         .since = now / step * step - (count - 1) * step,
                         .until = now + 1,
                         .step = step,
                         .count = count,
                         .buckets = a},
                    y = x;
    struct th_backlog_step *waited = calloc(2 * count, sizeof *waited);

    assert_non_null(a);
    assert_non_null(waited);
    y.buckets = a + count;
    if (!endpoint) {
        x.backlog = waited;
        y.backlog = waited + count;
    }
    fx_current = mem;
    assert_int_equal(fx_run(mem, &x.op), TH_OK);
    fx_current = sql;
    assert_int_equal(fx_run(sql, &y.op), TH_OK);
    assert_memory_equal(a, a + count, count * sizeof *a);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(waited[i].known, waited[count + i].known);
        assert_int_equal(waited[i].last, waited[count + i].last);
        assert_int_equal(waited[i].most, waited[count + i].most);
    }
    assert_int_equal(y.complete_from, y.since);
    free(waited);
    free(a);
}

/* Several endpoints at once: what each has alone, in steps of five minutes too. */
static void compare_several(struct fx *mem, struct fx *sql, int64_t now)
{
    enum { STEPS = 24, MIN5 = 300000 };
    static const uint64_t endpoints[] = {1, 3, ENDPOINTS, ENDPOINTS + 5}; /* of which one does not exist */
    static struct th_stats_bucket several[2][4 * STEPS], one[STEPS];
    struct th_stats s = {.op = {.kind = TH_OP_STATS},
                         .endpoints = endpoints,
                         .endpoint_count = 4,
                         .since = now / MIN5 * MIN5 - (STEPS - 1) * MIN5,
                         .until = now + 1,
                         .step = MIN5,
                         .count = STEPS};
    struct fx *both[2] = {mem, sql};

    memset(several, 0, sizeof several);
    for (int i = 0; i < 2; i++) {
        s.buckets = several[i];
        fx_current = both[i];
        assert_int_equal(fx_run(both[i], &s.op), TH_OK);
    }
    assert_memory_equal(several[0], several[1], sizeof several[0]);
    for (int k = 0; k < 4; k++) {
        struct th_stats alone = s;

        memset(one, 0, sizeof one);
        alone.endpoints = NULL;
        alone.endpoint_count = 0;
        alone.endpoint = endpoints[k];
        alone.buckets = one;
        assert_int_equal(fx_run(sql, &alone.op), TH_OK);
        assert_memory_equal(one, several[1] + k * STEPS, sizeof one);
    }
}

static void compare_all(struct fx *mem, struct fx *sql, int64_t now)
{
    for (uint64_t who = 0; who <= TENANTS + ENDPOINTS; who++) {
        uint64_t tenant = who <= TENANTS ? who : 0, endpoint = who > TENANTS ? who - TENANTS : 0;

        compare(mem, sql, now, 60000, 1440, tenant, endpoint);
        compare(mem, sql, now, 3600000, 30 * 24, tenant, endpoint);
        compare(mem, sql, now, DAY_MS, 399, tenant, endpoint);
    }
    compare_several(mem, sql, now);
}

/* One delivery of each endpoint, and up to three attempts of each. */
static void one_day(struct fx *both[2], int64_t day)
{
    for (uint64_t endpoint = 1; endpoint <= ENDPOINTS; endpoint++) {
        uint64_t first[2];
        uint32_t attempts = 1 + below(3);

        for (int i = 0; i < 2; i++) {
            fx_current = both[i];
            fx_publish(both[i], tenant_of(endpoint), day, &endpoint, 1, &first[i]);
        }
        assert_int_equal(first[0], first[1]);
        for (uint16_t n = 0; n < attempts; n++) {
            struct th_settle a = random_settle(first[0], n, day + below(3600000), n + 1u == attempts), b = a;

            fx_current = both[0];
            assert_int_equal(fx_run(both[0], &a.op), TH_OK);
            fx_current = both[1];
            assert_int_equal(fx_run(both[1], &b.op), TH_OK);
        }
    }
}

static void purge(struct fx *f, int64_t before)
{
    struct th_purge p;

    fx_current = f;
    do {
        p = (struct th_purge){
            .op = {.kind = TH_OP_PURGE}, .before = {before}, .idem_before = {before}, .max_events = 200};
        assert_int_equal(fx_run(f, &p.op), TH_OK);
    } while (p.more);
}

/* How many rows there are of each level. */
static void count_rows(struct fx *f, const char *table, unsigned rows[3])
{
    sqlite3 *db;
    sqlite3_stmt *st;
    char path[128], sql[80];

    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    snprintf(sql, sizeof sql, "SELECT level, count(*) FROM %s GROUP BY level", table);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    memset(rows, 0, 3 * sizeof *rows);
    while (sqlite3_step(st) == SQLITE_ROW)
        rows[sqlite3_column_int(st, 0)] = (unsigned)sqlite3_column_int(st, 1);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void a_year_is_counted(void **state)
{
    struct fx *both[2] = {fx_new(FX_MEMORY), *state};
    /* tables of a day take their time in PostgreSQL */
    int days = both[1]->kind == FX_POSTGRES ? 12 : both[1]->kind == FX_MEMORY ? 30 : 1;
    int64_t now = T0;

    seed = 11;
    fx_open(both[0]);
    make_settings(both[0], ENDPOINTS);
    make_settings(both[1], ENDPOINTS);
    for (int day = 0; day < YEAR_AND_MORE; day += days + (int)below(3), now = T0 + day * DAY_MS) {
        one_day(both, now);
        for (int half_hour = 0; half_hour < 4; half_hour++)
            note_backlog(both[0], both[1], now + half_hour * 1800000 + below(120000));
        if (below(40) == 0)
            purge(both[1], now - (int64_t)below(20) * DAY_MS);
        if (below(50) < (uint32_t)days)
            compare_all(both[0], both[1], now + 7200000);
        if (below(90) == 0 && both[1]->kind != FX_MEMORY) {
            fx_current = both[1];
            fx_close(both[1]);
            fx_open(both[1]);
        }
    }
    compare_all(both[0], both[1], now + 7200000); /* so the store has in memory what goes now */
    purge(both[1], now + DAY_MS);                 /* also what no run holds yet */
    compare_all(both[0], both[1], now + 7200000);
    if (both[1]->kind == FX_SQLITE) {
        unsigned rows[3];

        count_rows(both[1], "roll", rows);
        assert_in_range(rows[0], 1, 5 * 60 * (1 + TENANTS + ENDPOINTS));
        assert_in_range(rows[1], 1, 34 * 24 * (1 + TENANTS + ENDPOINTS));
        assert_in_range(rows[2], 100, 405 * (1 + TENANTS + ENDPOINTS));
        count_rows(both[1], "backlog", rows);
        assert_in_range(rows[0], 1, 3 * 8 * (1 + TENANTS));
        assert_in_range(rows[1], 1, 32 * 3 * (1 + TENANTS));
        assert_in_range(rows[2], 100, 402 * (1 + TENANTS));
    }
    fx_current = both[0];
    fx_free(both[0]);
    fx_current = both[1];
}

/* ---- killed ---- */

/* Settles without an end: each endpoint has one delivery, which is tried again and again. */
static void settle_for_ever(struct fx *f, const uint64_t *deliveries, uint16_t *attempts)
{
    static struct th_settle ops[64];

    for (int64_t at = T0;; at += 500) {
        unsigned done = f->done;

        for (unsigned i = 0; i < 64; i++) {
            unsigned which = below(MANY);

            ops[i] = random_settle(deliveries[which], attempts[which]++, at + below(20000), false);
            fx_submit(f, &ops[i].op);
        }
        fx_wait(f, done + 64);
    }
}

/* Adds up the attempts that are there, one by one. */
static void recount(struct fx *f, struct th_stats_bucket *sum)
{
    uint64_t all[] = {1, 2};
    struct th_page p = {.op = {.kind = TH_OP_PAGE},
                        .kind = TH_PAGE_ATTEMPTS,
                        .ascending = true,
                        .tenants = all,
                        .tenant_count = 2,
                        .limit = 1000};

    for (;;) {
        bool more;

        assert_int_equal(fx_run(f, &p.op), TH_OK);
        for (uint32_t i = 0; i < p.count; i++) {
            const struct th_attempt_row *row = &p.rows.attempts[i].row;

            if (row->test)
                continue;
            sum->by[th_stats_outcome(row->class, row->ok)]++;
            if (row->us[4] >= 0)
                sum->times[th_timehist_class(row->us[4])]++;
        }
        more = p.next != 0;
        p.after = p.reached;
        f->store->vt->page_free(f->store, &p);
        if (!more)
            return;
    }
}

static void read_attempts(struct fx *f, const uint64_t *deliveries, uint16_t *attempts)
{
    for (unsigned i = 0; i < MANY; i++) {
        struct th_queue_row row;

        assert_int_equal(fx_walk(f, deliveries[i], 0, &row, 1, NULL), 1);
        assert_int_equal(row.no, deliveries[i]);
        attempts[i] = row.attempts;
    }
}

static void a_kill_loses_and_doubles_nothing(void **state)
{
    struct fx *f = *state;
    static uint64_t deliveries[MANY];
    static uint16_t attempts[MANY];
    unsigned rows[3] = {0};

    seed = 5;
    make_settings(f, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t endpoint = i + 1;

        fx_publish(f, tenant_of(endpoint), T0, &endpoint, 1, &deliveries[i]);
    }
    for (int round = 0; round < 8 || (round < 80 && rows[0] <= MANY); round++) { /* a slow disk needs more */
        static struct th_stats_bucket sums[24], all, recounted;
        struct th_stats s = {.op = {.kind = TH_OP_STATS},
                             .since = T0 / 3600000 * 3600000,
                             .until = T0 + DAY_MS,
                             .step = 3600000,
                             .count = 24,
                             .buckets = sums};
        struct timespec while_it_works = {.tv_nsec = 700000000 + below(600) * 1000000};
        pid_t child;
        int status;

        while_it_works.tv_sec = while_it_works.tv_nsec / 1000000000;
        while_it_works.tv_nsec %= 1000000000;
        read_attempts(f, deliveries, attempts);
        fx_close(f);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            fx_open(f);
            seed += (uint64_t)round;
            settle_for_ever(f, deliveries, attempts);
        }
        nanosleep(&while_it_works, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        fx_open(f);
        memset(sums, 0, sizeof sums);
        memset(&all, 0, sizeof all);
        memset(&recounted, 0, sizeof recounted);
        assert_int_equal(fx_run(f, &s.op), TH_OK);
        for (unsigned i = 0; i < 24; i++) {
            for (unsigned k = 0; k < TH_STATS_OUTCOMES; k++)
                all.by[k] += sums[i].by[k];
            for (unsigned k = 0; k < TH_TIMEHIST_CLASSES; k++)
                all.times[k] += sums[i].times[k];
        }
        recount(f, &recounted);
        assert_memory_equal(&all, &recounted, sizeof all);
        count_rows(f, "roll", rows);
    }
    assert_true(rows[0] > MANY); /* or nothing was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_year_is_counted),
        {"a kill loses and doubles nothing (sqlite)", a_kill_loses_and_doubles_nothing, fx_set_up_sqlite,
         fx_tear_down, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
