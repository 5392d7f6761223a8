/* What the store's VFS saves, and what it must not change: few writes for a commit, a failed write is reported by that commit,
 * other processes find the locks that they need. */
#include "store_fixture.h"

#include "fault_vfs.h"
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
static int elsewhere(const struct fx *f, const char *sql)
{
    char path[128];
    int status;
    pid_t child;

    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *arg[] = {(char *)"sqlite3-elsewhere", path, (char *)sql, NULL};

        execv("/proc/self/exe", arg);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_is_one_write_of_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_fails_fails_its_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_can_read_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_can_write_while_the_writer_rests, set_up, tear_down),
    };

    if (argc == 3)
        return as_child(argv[1], argv[2]);
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
