/* Opening a data directory: what is refused, with which words, and that nothing refused is touched. */
#include "store/sqlite/sqlite_backup.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int set_up(void **state)
{
    *state = fx_new(FX_SQLITE);
    return 0;
}

static int tear_down(void **state)
{
    fx_free(*state);
    return 0;
}

static void db_path(const struct fx *f, char out[128])
{
    snprintf(out, 128, "%s/tenterhook.db", f->dir);
}

static void run_sql(const struct fx *f, const char *sql)
{
    char path[128];
    sqlite3 *db;

    db_path(f, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void overwrite(const struct fx *f, off_t at, const void *bytes, size_t n)
{
    char path[128];
    int fd;

    db_path(f, path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void files_are_private(void **state)
{
    struct fx *f = *state;
    static const char *const names[] = {"db", "db-wal", "db-shm", "lock", "ballast"};

    fx_open(f);
    fx_tenant(f, 1, "t");
    for (int i = 0; i < 5; i++) {
        char path[128];
        struct stat st;

        snprintf(path, sizeof path, "%s/tenterhook.%s", f->dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void a_second_process_is_refused_with_the_pid(void **state)
{
    struct fx *f = *state;
    int status;
    pid_t pid, parent = getpid();

    fx_open(f);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct th_store_options options = {.dir = f->dir, .ballast_mib = 1};
        struct th_store *store;
        char why[512], want[64];

        snprintf(want, sizeof want, "process %ld", (long)parent);
        if (th_store_sqlite_open(&options, &store, why, sizeof why) != TH_CONFLICT)
            _exit(1);
        _exit(strstr(why, want) && strstr(why, "tenterhook.lock") ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    fx_tenant(f, 1, "t"); /* the first is unharmed */
}

static void what_is_no_database_is_refused_and_left_alone(void **state)
{
    struct fx *f = *state;
    char why[512], path[128], bytes[32] = "";
    int fd;

    overwrite(f, 0, "hello, I am a text file and no database at all", 46);
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_CORRUPT);
    assert_non_null(strstr(why, "tenterhook.db"));
    assert_non_null(strstr(why, "backup"));
    db_path(f, path);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, bytes, 5), 5);
    close(fd);
    assert_string_equal(bytes, "hello");
}

static void a_foreign_database_is_refused(void **state)
{
    struct fx *f = *state;
    char why[512];

    run_sql(f, "CREATE TABLE theirs(a); INSERT INTO theirs VALUES(1)");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_INVALID);
    assert_non_null(strstr(why, "another program"));
    run_sql(f, "PRAGMA application_id=77");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_INVALID);
    run_sql(f, "INSERT INTO theirs VALUES(2)");
}

static void a_newer_version_is_refused(void **state)
{
    struct fx *f = *state;
    char why[512];

    fx_open(f);
    fx_close(f);
    run_sql(f, "PRAGMA user_version=99");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_INVALID);
    assert_non_null(strstr(why, "version 99"));
    assert_non_null(strstr(why, "newer"));
}

static void a_version_without_tables_is_damage(void **state)
{
    struct fx *f = *state;
    char why[512];

    run_sql(f, "PRAGMA user_version=-200");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_CORRUPT);
    assert_non_null(strstr(why, "no tables, but a version"));
    run_sql(f, "PRAGMA user_version=1");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_CORRUPT);
    run_sql(f, "PRAGMA user_version=0"); /* as a start leaves it that ended before its first commit */
    fx_open(f);
}

static void note_health(void *ctx, const struct th_row *row)
{
    if (row->kind == TH_ROW_HEALTH)
        memcpy(ctx, row->health, sizeof row->health);
}

static void an_older_version_is_brought_up(void **state)
{
    static struct th_queue_row rows[TH_FANOUT_STEP];
    struct fx *f = *state;
    struct th_fanout o = {.op = {.kind = TH_OP_FANOUT}, .rows = rows};
    struct th_usage use;
    const struct th_row known[] = {fx_endpoint_row(1, 1, 1, "{}"),
                                   {.kind = TH_ROW_HEALTH, .no = 1, .health = {7, 8, 9}}};
    struct th_settings_op c;
    uint64_t eps[1200], d;
    int64_t health[TH_HEALTH_VALUES] = {0};

    for (uint64_t i = 0; i < 1200; i++)
        eps[i] = i + 1;
    fx_open(f);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 1, &d);
    c = fx_settings(1, 1, known, 2);
    c.keep_version = true;
    assert_int_equal(fx_run(f, &c.op), TH_OK);
    assert_int_equal(c.result, TH_SETTINGS_DONE);
    fx_close(f);
    run_sql(f,
            FX_BEFORE_ROOM "DROP TABLE fan; DROP TABLE usage; DELETE FROM counter WHERE k LIKE 'use%';"
                           "ALTER TABLE fact DROP COLUMN rest_since; ALTER TABLE fact DROP COLUMN rest_until;"
                           "PRAGMA user_version=1"); /* as the first version left it */
    fx_open(f);
    f->store->vt->usage(f->store, 1, &use);
    assert_int_equal(use.bytes, 13 + 7 + 5 + 3); /* what was there before it was counted */
    assert_int_equal(f->store->vt->settings(f->store, note_health, health), TH_OK);
    assert_true(health[0] == 7 && health[1] == 8 && health[2] == 9 && health[3] == 0 && health[4] == -1);
    assert_int_equal(fx_state(f, 1, d, NULL), TH_DS_QUEUED);
    fx_publish(f, 1, T0, eps, 1200, NULL);
    assert_int_equal(fx_run(f, &o.op), TH_OK);
    assert_int_equal(o.count, 200);
}

static void a_missing_table_is_damage(void **state)
{
    struct fx *f = *state;
    char why[512];

    fx_open(f);
    fx_close(f);
    run_sql(f, "DROP TABLE queue");
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_CORRUPT);
    assert_non_null(strstr(why, "queue"));
}

static void a_damaged_page_stops_the_store(void **state)
{
    struct fx *f = *state;
    static char junk[16384 - 100];
    uint64_t ep = 5;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_probe p = {.op = {.kind = TH_OP_PROBE}};
    char why[512];
    enum th_error error;

    fx_open(f);
    fx_tenant(f, 1, "t");
    for (int i = 0; i < 200; i++)
        fx_publish(f, 1, T0, &ep, 1, NULL);
    fx_close(f);
    memset(junk, 0xa5, sizeof junk);
    for (off_t page = 1; page < 40; page++) { /* every page but the first, which the start looks at */
        char path[128];
        struct stat st;

        db_path(f, path);
        assert_int_equal(stat(path, &st), 0);
        if (page * 16384 < st.st_size)
            overwrite(f, page * 16384, junk, sizeof junk);
    }
    error = fx_try_open(f, why, sizeof why);
    if (error == TH_OK) {
        fx_attach(f);
        assert_int_equal(fx_run(f, &a.op), TH_CORRUPT);
        assert_int_equal(fx_run(f, &p.op), TH_CORRUPT);
    } else {
        assert_int_equal(error, TH_CORRUPT);
        assert_non_null(strstr(why, "backup"));
    }
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    struct fx *f = *state;
    struct th_store_options options = {.dir = "/proc/nowhere/data"};
    char why[512];

    (void)f;
    assert_int_equal(th_store_sqlite_open(&options, &f->store, why, sizeof why), TH_IO);
    assert_non_null(strstr(why, "/proc/nowhere/data"));
    assert_null(f->store);
}

static void everything_is_there_after_a_reopen(void **state)
{
    struct fx *f = *state;
    uint64_t eps[] = {5, 6}, d, d2;
    struct th_queue_row rows[8];
    struct th_accept a;
    struct th_new_event e = fx_event(eps, 1, "{}"), again;

    fx_open(f);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, eps, 2, &d);
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, d + 1, 0, TH_DS_DELIVERED));
    a = fx_accept(1, T0, &e, 1);
    a.idem = (struct th_idem){.given = true, .key = {4}, .body = {4}};
    e.external_id = TH_LIT("mine");
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    fx_close(f);
    fx_open(f);
    assert_int_equal(fx_walk(f, 0, 0, rows, 8, NULL), 2);
    assert_int_equal(rows[0].no, d);
    assert_int_equal(rows[0].attempts, 1);
    assert_int_equal(fx_state(f, 1, d + 1, NULL), TH_DS_DELIVERED);
    again = fx_event(eps, 1, "{}");
    a.events = &again;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_REPEATED);
    assert_int_equal(a.first_event, e.no);
    fx_publish(f, 1, T0, eps, 1, &d2);
    assert_int_equal(d2, e.first_delivery + 1);
}

static int64_t count_of(const struct fx *f, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *st;
    int64_t n;

    db_path(f, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* Lists do not show an attempt without its delivery, so the tables themselves are asked. */
static void retention_leaves_no_attempt_behind(void **state)
{
    struct fx *f = *state;
    const uint64_t endpoints[] = {5, 6};
    uint64_t old, none, young;
    struct th_purge p = {.op = {.kind = TH_OP_PURGE}, .before = {T0 + 1}, .max_events = 200};

    fx_open(f);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, endpoints, 2, &old);
    fx_publish(f, 1, T0, endpoints, 1, &none);
    fx_publish(f, 1, T0 + 1, endpoints, 2, &young);
    assert_true(fx_settle_run(f, old, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, young, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, old, 1, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, old, 2, TH_DS_DELIVERED));
    assert_false(fx_settle_run(f, old, 1, TH_DS_DELIVERED)); /* late: hangs behind the newest */
    assert_true(fx_settle_run(f, old + 1, 0, TH_DS_QUEUED));
    assert_true(fx_settle_run(f, young, 1, TH_DS_DELIVERED));
    assert_int_equal(count_of(f, "SELECT count(*) FROM attempt"), 7);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(p.purged, 2);
    assert_int_equal(p.cancelled, 2);
    assert_int_equal(count_of(f, "SELECT count(*) FROM attempt"), 2);
    assert_int_equal(count_of(f, "SELECT count(*) FROM event"), 1);
    assert_int_equal(count_of(f, "SELECT count(*) FROM queue"), 1);
    assert_int_equal(count_of(f, "SELECT count(*) FROM delivery"), 1);
    assert_int_equal(fx_count_attempts(f, 1, young), 2);
    fx_close(f);
}

struct seen {
    int64_t between, last; /* how often the pages were neither at their beginning nor done; how far it was */
};

static bool look(void *ctx, int64_t done, int64_t total)
{
    struct seen *seen = ctx;

    assert_true(done >= seen->last && done <= total / 2); /* the rows are never reached */
    seen->between += done > 0 && done < total / 2;
    seen->last = done;
    return true;
}

static void the_reading_of_pages_says_how_far_it_is(void **state)
{
    struct fx *f = *state;
    struct th_sqlite_state is;
    struct seen seen = {0};
    char path[128], why[700];

    fx_open(f);
    fx_close(f);
    run_sql(f,
            "CREATE TABLE strange(a INTEGER PRIMARY KEY, b); CREATE INDEX strange_b ON strange(b);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100000)"
            "INSERT INTO strange SELECT i, hex(i*7919) || 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' FROM n;"
            "PRAGMA wal_checkpoint(TRUNCATE)");
    db_path(f, path);
    assert_int_equal(th_sqlite_judge(path, true, look, &seen, &is, why, sizeof why), TH_CORRUPT);
    assert_non_null(strstr(why, "its tables are not those of its layout"));
    assert_true(seen.between > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused_with_the_pid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_database_is_refused_and_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_database_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_without_tables_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_version_is_brought_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_table_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_page_stops_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_made_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_is_there_after_a_reopen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retention_leaves_no_attempt_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_reading_of_pages_says_how_far_it_is, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
