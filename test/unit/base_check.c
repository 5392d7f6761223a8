/* TH_CHECK: what it costs nothing to hold, and what is said when it does not. */
#include "base/check.h"
#include "base/span.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void goes_on(void **state)
{
    int evaluated = 0;
    (void)state;

    TH_CHECK(++evaluated == 1);
    assert_int_equal(evaluated, 1); /* in release builds as in this one, and once */
}

/* In a process of its own: its standard error comes to a pipe. */
static int line_that_fails(int *error)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        TH_CHECK(child > 1000 && "the \"reason\"");
        _exit(0);
    }
    close(ends[1]);
    *error = ends[0];
    return (int)child;
}

static void says_where_and_ends(void **state)
{
    char text[2000];
    size_t n = 0;
    ssize_t got;
    int error, status, child = line_that_fails(&error);
    (void)state;

    while ((got = read(error, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    close(error);
    text[n] = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "\"level\":\"error\""));
    assert_non_null(strstr(text, "start it again, and please report this line"));
    assert_non_null(strstr(text, "child > 1000 && \\\"the \\\\\\\"reason\\\\\\\"\\\""));
    assert_non_null(strstr(text, "base_check.c"));
    assert_non_null(strstr(text, "\"function\":\"line_that_fails\""));
    assert_int_equal(strstr(text, "\n") - text, (ptrdiff_t)n - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_on), cmocka_unit_test(says_where_and_ends)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
