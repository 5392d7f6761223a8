/* What the store's VFS saves, and what it must not change: few writes for a commit, a failed write is reported by that commit,
 * other processes find the locks that they need. */
#include "store_fixture.h"

#include "fault_vfs.h"
#include "store/sqlite/sqlite_vfs.h"
#include <sqlite3.h>
#include <sys/wait.h>

enum { COMMITS = 40, MANY = 1 << 20 };

static const uint64_t endpoint = 1;

static int set_up(void **state)
{
    struct fx *f;

    f = fx_new(FX_SQLITE);
    *state = f;
    fx_open(f);
    fx_tenant(f, 1, "t");
    return 0;
}

static int tear_down(void **state)
{
    fault_set(FAULT_NOTHING, 0, 0);
    fx_free(*state);
    return 0;
}

static enum th_error publish(struct fx *f)
{
    struct th_new_event event = fx_event(&endpoint, 1, "{}");
    struct th_accept accept = fx_accept(1, T0, &event, 1);

    return fx_run(f, &accept.op);
}

static void a_commit_is_one_write_of_the_log(void **state)
{
    struct fx *f = *state;
    int writes;

    fault_set(FAULT_WRITE, MANY, SQLITE_IOERR);
    for (int i = 0; i < COMMITS; i++)
        assert_int_equal(publish(f), TH_OK);
    writes = MANY - atomic_load(&fault.countdown);
    fault_set(FAULT_NOTHING, 0, 0);
    assert_in_range(writes, COMMITS,
                    COMMITS * 3 / 2); /* one of two pages or three; the log's head, a checkpoint */
}

static void a_write_that_fails_fails_its_commit(void **state)
{
    struct fx *f = *state;

    assert_int_equal(publish(f), TH_OK);
    fault_set(FAULT_WRITE, 1, SQLITE_FULL);
    assert_int_equal(publish(f), TH_FULL);
}

/* In a process of its own, since locks of one process do not keep each other out. The result of the statement. */
static int elsewhere_in(const char *path, const char *sql)
{
    int status;
    pid_t child;

    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *arg[] = {(char *)"sqlite3-elsewhere", (char *)path, (char *)sql, NULL};

        execv("/proc/self/exe", arg);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int elsewhere(const struct fx *f, const char *sql)
{
    char path[128];

    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    return elsewhere_in(path, sql);
}

static int as_child(const char *path, const char *sql)
{
    sqlite3 *db;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);

    sqlite3_busy_timeout(db, 2000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc & 0xff;
}

static void others_can_read_at_once(void **state)
{
    struct fx *f = *state;

    for (int i = 0; i < 5; i++) {
        assert_int_equal(publish(f), TH_OK);
        assert_int_equal(elsewhere(f, "BEGIN; SELECT count(*) FROM event; COMMIT"), SQLITE_OK);
    }
}

static void others_can_write_while_the_writer_rests(void **state)
{
    struct fx *f = *state;

    assert_int_equal(publish(f), TH_OK);
    usleep(200000); /* it looks again after 10 ms, and then sleeps until it is woken */
    assert_int_equal(elsewhere(f, "BEGIN IMMEDIATE; ROLLBACK"), SQLITE_OK);
    assert_int_equal(elsewhere(f, "PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
    assert_int_equal(publish(f), TH_OK);
}

static sqlite3 *connection(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, sq_vfs()),
                     SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The writer went to rest while a reader of its process used the mark of the newest commit. When the reader has ended, nobody of
 * this process needs the lock of that mark, and the writer may sleep for hours. */
static void others_can_read_after_a_reader_outlasted_the_writer(void **state)
{
    const struct fx *f = *state;
    sqlite3 *writer, *reader;
    char path[128];

    snprintf(path, sizeof path, "%s/other.db", f->dir);
    writer = connection(path);
    reader = connection(path);
    run(writer, "PRAGMA journal_mode=WAL; CREATE TABLE event(no); INSERT INTO event VALUES(1)");
    run(writer, "SELECT * FROM event");
    run(reader, "BEGIN; SELECT * FROM event");
    sq_vfs_rest(writer);
    run(reader, "COMMIT");
    assert_int_equal(elsewhere_in(path, "SELECT * FROM event"), SQLITE_OK);
    sqlite3_close(reader);
    sqlite3_close(writer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_is_one_write_of_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_fails_fails_its_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_can_read_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_can_read_after_a_reader_outlasted_the_writer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(others_can_write_while_the_writer_rests, set_up, tear_down),
    };

    if (argc == 3)
        return as_child(argv[1], argv[2]);
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
