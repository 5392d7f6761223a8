/* Changes of settings and replays change their state only along the edges that there are: any other change is a fault of ours and
 * ends the process (TH_CHECK). What follows what is written down here once more, so that an edge that is added or lost in the
 * tables is seen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/control/change.h"
#include "engine/control/replay_job.h"
#include "engine/state.h"

/* Whether the change ends a process that makes it. */
static bool is_refused(void (*change)(unsigned from, unsigned to), unsigned from, unsigned to)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        (void)close(2); /* the message is tested elsewhere */
        change(from, to);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
    return WIFSIGNALED(status);
}

/* edges[from]: a bit for each state that may follow. */
static void compare(void (*change)(unsigned, unsigned), const unsigned *edges, unsigned count)
{
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            if (is_refused(change, from, to) == (edges[from] >> to & 1))
                fail_msg("state %u to %u: %s", from, to, edges[from] >> to & 1 ? "refused" : "let");
}

#define B(state) (1u << (state))

static void enter_change(unsigned from, unsigned to)
{
    static struct th_engine e;
    struct change_impl i = {.e = &e, .state = (enum th_change_state)from};

    e.jobs[TH_JOB_CHANGE].busy = true;
    th_change_enter(&i, (enum th_change_state)to);
}

static void test_changes(void **state)
{
    static const unsigned edges[] = {
        [TH_CHANGE_CHECKING] = B(TH_CHANGE_COMMITTING) | B(TH_CHANGE_ENDED),
        [TH_CHANGE_COMMITTING] = B(TH_CHANGE_TELLING) | B(TH_CHANGE_ENDED),
        [TH_CHANGE_TELLING] = B(TH_CHANGE_ENDED),
        [TH_CHANGE_ENDED] = 0,
    };

    (void)state;
    compare(enter_change, edges, sizeof edges / sizeof *edges);
}

static void enter_replay(unsigned from, unsigned to)
{
    struct th_tenant t = {.replays = 1};
    struct th_replay_job j = {.pub = {.tenant = &t, .state = (enum th_replay_state)from}};

    th_replay_job_enter(&j, (enum th_replay_state)to);
}

static void test_replays(void **state)
{
    static const unsigned edges[] = {
        [TH_REPLAY_COLLECTING] = B(TH_REPLAY_RUNNING),
        [TH_REPLAY_RUNNING] = B(TH_REPLAY_DONE) | B(TH_REPLAY_CANCELLED) | B(TH_REPLAY_FAILED),
        [TH_REPLAY_DONE] = 0,
        [TH_REPLAY_CANCELLED] = 0,
        [TH_REPLAY_FAILED] = 0,
    };

    (void)state;
    compare(enter_replay, edges, sizeof edges / sizeof *edges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes), cmocka_unit_test(test_replays)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
