/* A file of an earlier form is brought to the newest, and a process that dies on the way costs nothing: it is killed before
 * each write and each sync of a start in turn, and the next start finds everything. */
#include "store_fixture.h"

#include "base/log.h"
#include "fault_vfs.h"
#include <fcntl.h>
#include <sys/wait.h>

#define EVENTS 40u

struct world {
    struct fx *before; /* the file of the earlier form; nobody has it open */
    uint64_t first;    /* of the deliveries */
};

static void run_sql(const struct fx *f, const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* One event a delivery; of each four one has been delivered, one was tried, two wait. */
static struct world make_world(const char *back)
{
    struct world w = {.before = fx_new(FX_SQLITE)};
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}");
    struct th_settings_op c = fx_settings(1, 1, &row, 1);
    uint64_t ep = 5, d;

    fx_open(w.before);
    fx_tenant(w.before, 1, "t");
    c.keep_version = true;
    assert_int_equal(fx_run(w.before, &c.op), TH_OK);
    for (uint32_t i = 0; i < EVENTS; i++) {
        fx_publish(w.before, 1, T0 + i, &ep, 1, &d);
        w.first = i ? w.first : d;
        if (i % 4 < 2)
            assert_true(fx_settle_run(w.before, d, 0, i % 4 ? TH_DS_QUEUED : TH_DS_DELIVERED));
    }
    fx_close(w.before);
    run_sql(w.before, back);
    return w;
}

static void copy_file(const struct fx *from, const struct fx *to)
{
    char a[128], b[128], buffer[65536];
    ssize_t n;
    int in, out;

    snprintf(a, sizeof a, "%s/tenterhook.db", from->dir);
    snprintf(b, sizeof b, "%s/tenterhook.db", to->dir);
    in = open(a, O_RDONLY);
    out = open(b, O_WRONLY | O_CREAT, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buffer, sizeof buffer)) > 0)
        assert_int_equal(write(out, buffer, (size_t)n), n);
    close(in);
    close(out);
}

/* Starts and ends cleanly in a process of its own, which dies before the n-th call. True: there was no n-th. */
static bool start_and_die(struct fx *f, enum fault_on on, int n)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        char why[512];

        fault_set(on, n, SQLITE_OK);
        atomic_store(&fault.kills, 1);
        if (fx_try_open(f, why, sizeof why) != TH_OK)
            _exit(1);
        f->store->vt->close(f->store);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void assert_all_there(struct fx *f, const struct world *w)
{
    struct th_queue_row rows[EVENTS];
    struct th_delivery_row row;
    struct th_usage use;
    uint32_t waiting = fx_walk(f, 0, 0, rows, EVENTS, NULL);

    assert_int_equal(waiting, EVENTS * 3 / 4);
    for (uint32_t i = 0; i < EVENTS; i++) {
        assert_int_equal(fx_state(f, 1, w->first + i, &row), i % 4 ? TH_DS_QUEUED : TH_DS_DELIVERED);
        assert_int_equal(row.attempts, i % 4 < 2);
        assert_int_equal(row.last.signed_at, i % 4 < 2 ? T0 / 1000 : 0);
        assert_int_equal(row.event.at.ms, T0 + i);
        assert_int_equal(row.event.time.ms, T0);
    }
    f->store->vt->usage(f->store, 1, &use);
    assert_int_equal(use.unfinished, waiting);
    assert_int_equal(use.bytes, EVENTS * (13 + 7 + 5 + 3) + EVENTS / 2 * (6 + 3 + 6 + 6));
}

static void killed_everywhere(const char *back, int least)
{
    struct world w = make_world(back);
    int points = 0;

    for (int on = FAULT_WRITE; on <= FAULT_SYNC; on++)
        for (int n = 1, ended = 0; !ended; n++, points++) {
            struct fx *f = fx_new(FX_SQLITE);

            copy_file(w.before, f);
            ended = start_and_die(f, (enum fault_on)on, n);
            fx_open(f);
            assert_all_there(f, &w);
            fx_free(f);
        }
    print_message("killed at %d points\n", points - 2);
    assert_true(points - 2 >= least);
    fx_free(w.before);
}

static void the_form_before_is_brought_up_whenever_it_is_killed(void **state)
{
    (void)state;
    killed_everywhere(FX_BEFORE_ROOM, 5);
}

static void the_first_form_is_brought_up_whenever_it_is_killed(void **state)
{
    (void)state;
    killed_everywhere(FX_FIRST_FORM, 20);
}

/* What an earlier program has stored is told as it was: nothing of it is taken for one of the short forms. */
static void rows_of_before_say_what_they_said(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);
    uint64_t ep = 5, d;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_queue_row row;
    struct th_delivery_row shown;
    (void)state;

    fx_open(f);
    fx_tenant(f, 1, "t");
    e.time.ms = 0;
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    d = e.first_delivery;
    assert_true(fx_settle_run(f, d, 0, TH_DS_QUEUED));
    fx_close(f);
    run_sql(f, FX_BEFORE_ROOM);
    fx_open(f);
    assert_int_equal(fx_walk(f, 0, 0, &row, 1, NULL), 1);
    assert_true(row.tries == 1 && row.attempts == 1 && row.round == 0 && row.marks == 0 && row.order == 0);
    fx_state(f, 1, d, &shown);
    assert_int_equal(shown.event.time.ms, 0);
    assert_int_equal(shown.event.more.deliver_at, 0);
    assert_true(fx_settle_run(f, d, 1, TH_DS_QUEUED)); /* from now on its round is known */
    assert_int_equal(fx_walk(f, 0, 0, &row, 1, NULL), 1);
    assert_int_equal(row.round, T0 + 1000);
    fx_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_before_is_brought_up_whenever_it_is_killed),
        cmocka_unit_test(the_first_form_is_brought_up_whenever_it_is_killed),
        cmocka_unit_test(rows_of_before_say_what_they_said),
    };

    th_log_setup(TH_LOG_ERROR, TH_LOG_AUTO); /* each start says what it does */
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
