/* What the SQLite store does when the disk fails, is full, or the process dies: nothing acknowledged is lost,
 * and a failed write or sync is never taken for success. */
#include "store_fixture.h"

#include "fault_vfs.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define ROUNDS 14
#define BODY 400000 /* so that a checkpoint is among the rounds */

static int set_up(void **state)
{
    struct fx *f;

    fault_install();
    fault_set(FAULT_NOTHING, 0, 0);
    fault.only_while = NULL;
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

static bool event_exists(struct fx *f, uint64_t no, size_t data_n)
{
    struct th_event_row row;
    struct th_load l = {.op = {.kind = TH_OP_LOAD}, .count = 1, .events = &no, .rows = &row};
    bool there;

    th_buf_init(&l.mem, 64 << 20);
    assert_int_equal(fx_run(f, &l.op), TH_OK);
    there = row.no == no;
    if (there)
        assert_int_equal(row.data.n, data_n);
    th_buf_fini(&l.mem);
    return there;
}

/** Accepts and settles with a fault on its way; then everything acknowledged must be there after a reopen.
 * Returns whether the fault hit. */
static bool survive(struct fx *f, enum fault_on on, int n, int code)
{
    static char body[BODY];
    struct th_new_event e[ROUNDS];
    uint64_t ep = 5;
    bool accepted[ROUNDS] = {false}, settled[ROUNDS] = {false}, hit;

    memset(body, '1', sizeof body);
    fault_set(on, n, code);
    for (int i = 0; i < ROUNDS; i++) {
        struct th_accept a;
        struct th_settle s;
        enum th_error error;

        e[i] = fx_event(&ep, 1, "");
        e[i].data = th_span(body, sizeof body);
        a = fx_accept(1, T0, &e[i], 1);
        error = fx_run(f, &a.op);
        accepted[i] = error == TH_OK;
        assert_true(error == TH_OK || error == TH_IO);
        if (!accepted[i])
            break;
        s = fx_settle(e[i].first_delivery, 0, TH_DS_DELIVERED);
        error = fx_run(f, &s.op);
        settled[i] = error == TH_OK;
        assert_true(error == TH_OK || error == TH_IO);
    }
    hit = atomic_load(&fault.hits) > 0;
    fault_set(FAULT_NOTHING, 0, 0);
    if (hit) { /* the error stays although the disk works again: the kernel may have dropped pages */
        struct th_probe p = {.op = {.kind = TH_OP_PROBE}};

        assert_int_equal(fx_run(f, &p.op), TH_IO);
    }
    fx_close(f);
    fx_open(f);
    for (int i = 0; i < ROUNDS; i++) {
        if (accepted[i])
            assert_true(event_exists(f, e[i].no, BODY));
        if (settled[i])
            assert_int_equal(fx_state(f, 1, e[i].first_delivery, NULL), TH_DS_DELIVERED);
    }
    return hit;
}

static void every_failing_write_is_survived(void **state)
{
    struct fx *f = *state;
    int n = 1, hits = 0;

    while (survive(f, FAULT_WRITE, n, SQLITE_IOERR_WRITE)) {
        hits++;
        n += n < 12 ? 1 : 61;
    }
    assert_true(hits > 15);
}

static void every_failing_sync_is_survived(void **state)
{
    struct fx *f = *state;
    int n = 1;

    while (survive(f, FAULT_SYNC, n, SQLITE_IOERR_FSYNC))
        n++;
    assert_true(n > ROUNDS);
}

static void a_full_disk_refuses_accepts_and_takes_settles(void **state)
{
    struct fx *f = *state;
    char ballast[128];
    uint64_t ep = 5, d, kept;
    struct th_new_event e = fx_event(&ep, 1, "{}");
    struct th_accept a = fx_accept(1, T0, &e, 1);
    struct th_row row = fx_endpoint_row(5, 1, 1, "{}");
    struct th_settings_op c = fx_settings(1, 1, &row, 1);
    struct th_probe p = {.op = {.kind = TH_OP_PROBE}};

    snprintf(ballast, sizeof ballast, "%s/tenterhook.ballast", f->dir);
    kept = fx_publish(f, 1, T0, &ep, 1, &d);
    assert_int_equal(access(ballast, F_OK), 0);
    fault.only_while = ballast; /* giving the ballast up makes room */
    fault_set(FAULT_WRITE, 1, SQLITE_FULL);
    assert_int_equal(fx_run(f, &a.op), TH_FULL);
    assert_int_not_equal(access(ballast, F_OK), 0);
    assert_int_equal(fx_run(f, &c.op), TH_FULL);
    assert_true(fx_settle_run(f, d, 0, TH_DS_DELIVERED)); /* outcomes still get in */
    assert_int_equal(atomic_load(&f->metrics.gauge[TH_G_STORE_READY]), 0);
    assert_int_equal(fx_run(f, &a.op), TH_FULL);
    fault_set(FAULT_NOTHING, 0, 0);
    assert_int_equal(fx_run(f, &p.op), TH_OK); /* room again */
    assert_int_equal(access(ballast, F_OK), 0);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
    assert_int_equal(e.no, kept + 1); /* what was refused has used no number */
    assert_int_equal(atomic_load(&f->metrics.gauge[TH_G_STORE_READY]), 1);
}

static void a_file_size_limit_is_a_full_disk(void **state)
{
    struct fx *f = *state;
    struct rlimit old, small;
    static char body[10000];
    uint64_t ep = 5, last = 0;
    struct th_probe p = {.op = {.kind = TH_OP_PROBE}};
    struct th_new_event e;
    struct th_accept a;
    enum th_error error = TH_OK;
    int accepted = 0;

    memset(body, '2', sizeof body);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000000; /* below the ballast of 1 MiB */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 100 && error == TH_OK; i++) {
        e = fx_event(&ep, 1, "");
        e.data = th_span(body, sizeof body);
        a = fx_accept(1, T0, &e, 1);
        error = fx_run(f, &a.op);
        if (error == TH_OK) {
            last = e.no;
            accepted++;
        }
    }
    assert_int_equal(error, TH_FULL);
    assert_true(accepted > 3);
    assert_int_equal(fx_run(f, &p.op), TH_FULL); /* no room for the ballast */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(fx_run(f, &p.op), TH_OK);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(e.no, last + 1);
    fx_close(f);
    fx_open(f);
    assert_true(event_exists(f, last, sizeof body));
    assert_true(event_exists(f, e.no, sizeof body));
}

static void a_failed_group_is_run_one_by_one(void **state)
{
    struct fx *f = *state;
    uint64_t ep = 5;
    struct th_new_event e[20], huge = fx_event(&ep, 1, "");
    struct th_accept a[20], too_large = fx_accept(1, T0, &huge, 1);
    unsigned before = f->done;
    int refused = 0;

    fault_set(FAULT_WRITE, 1, SQLITE_NOMEM); /* an error that no check foresees, in the commit */
    atomic_store(&fault.once, 1);
    for (int i = 0; i < 20; i++) {
        e[i] = fx_event(&ep, 1, "{}");
        a[i] = fx_accept(1, T0, &e[i], 1);
        fx_submit(f, &a[i].op);
    }
    fx_wait(f, before + 20);
    assert_int_equal(atomic_load(&fault.hits), 1);
    for (int i = 0; i < 20; i++) {
        if (a[i].op.error == TH_OK)
            assert_int_equal(e[i].no, e[19].no + (unsigned)i - 19);
        else
            refused++; /* it was alone in its group */
    }
    assert_true(refused <= 1);
    huge.data = th_span("x", (size_t)2000000000); /* never read: refused by its length */
    assert_int_equal(fx_run(f, &too_large.op), TH_TOO_LARGE);
}

/* ---- kill -9 ---- */

static void child_done(struct th_op *op)
{
    struct th_new_event *e = ((struct th_accept *)op)->events;
    int fd = *(int *)op->user;

    if (op->error != TH_OK || write(fd, &e->no, sizeof e->no) != sizeof e->no)
        _exit(3);
    e->no = 0;
    op->session = NULL;
}

/** Accepts without end, up to 32 at a time; reports each acknowledged event through the pipe. */
static void child(struct fx *f, int fd)
{
    static struct th_new_event e[32];
    static struct th_accept a[32];
    uint64_t ep = 5;
    struct pollfd p = {.fd = f->event_fd, .events = POLLIN};
    uint64_t drop;
    char why[512];

    if (fx_try_open(f, why, sizeof why) != TH_OK ||
        f->store->vt->attach(f->store, (struct th_wake){fx_wake, f}, &f->session) != TH_OK)
        _exit(2);
    for (;;) {
        for (int i = 0; i < 32; i++) {
            if (a[i].op.session)
                continue;
            e[i] = fx_event(&ep, 1, "{\"kill\":9}");
            a[i] = fx_accept(1, T0, &e[i], 1);
            a[i].op.done = child_done;
            a[i].op.user = &fd;
            f->store->vt->submit(f->session, &a[i].op);
        }
        if (!f->store->vt->drain(f->session, 64) && poll(&p, 1, 1000) == 1 &&
            read(f->event_fd, &drop, 8) != 8)
            _exit(4);
    }
}

static void kill_9_loses_nothing_acknowledged(void **state)
{
    struct fx *f = *state;
    static uint64_t acked[20000];

    for (int cycle = 0; cycle < 5; cycle++) {
        int pipe_fd[2], status;
        uint32_t n = 0, goal = 200 + 150 * (uint32_t)cycle;
        struct th_queue_row row;
        pid_t pid;

        fx_close(f);
        assert_int_equal(pipe(pipe_fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child(f, pipe_fd[1]);
        close(pipe_fd[1]);
        while (n < goal && read(pipe_fd[0], &acked[n], 8) == 8)
            n++;
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (n < 20000 && read(pipe_fd[0], &acked[n], 8) == 8)
            n++;
        close(pipe_fd[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_true(n >= goal);
        fx_open(f); /* the dead process holds no lock */
        for (uint32_t i = 0; i < n; i++)
            assert_true(event_exists(f, acked[i], 10));
        assert_int_equal(fx_walk(f, 0, 5, &row, 1, NULL), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_failing_write_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_failing_sync_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_accepts_and_takes_settles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_size_limit_is_a_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_group_is_run_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kill_9_loses_nothing_acknowledged, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
