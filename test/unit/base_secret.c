/* Memory for secrets: wiped, bounded, left out of core dumps and of children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/secret.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] = "a secret that nobody else may see";

static void slots_are_zeroed_wiped_and_used_again(void **state)
{
    static const size_t sizes[] = {1, 32, 64, 65, 192, 513, 577, TH_SECRET_MAX};
    size_t before = th_secret_count();

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = th_secret_alloc(sizes[i]), *again;

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 8, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[k], 0);
        memset(p, 'x', sizes[i]);
        th_secret_free(p, sizes[i]);
        again = th_secret_alloc(sizes[i]);
        assert_ptr_equal(again, p);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(again[k], 0);
        assert_int_equal(th_secret_count(), before + 1);
        th_secret_free(again, sizes[i]);
    }
    assert_int_equal(th_secret_count(), before);
    assert_null(th_secret_alloc(TH_SECRET_MAX + 1));
    th_secret_free(NULL, 5);
}

static void many_are_apart_from_each_other(void **state)
{
    enum { N = 5000 };
    static uint32_t *p[N];

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        p[i] = th_secret_alloc(sizeof *p[i]);
        assert_non_null(p[i]);
        *p[i] = i;
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(*p[i], i);
        th_secret_free(p[i], sizeof *p[i]);
    }
}

static void an_allocation_may_fail(void **state)
{
    (void)state;
    th_alloc_fail_after(1);
    assert_null(th_secret_alloc(10));
    th_alloc_fail_after(0);
}

/* The flags of the mapping that holds p, as the kernel shows them: "dd" is "not in core dumps". */
static void flags_of(const void *p, char *flags, size_t size)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    bool here = false;

    assert_non_null(f);
    flags[0] = 0;
    while (fgets(line, sizeof line, f)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, size, "%s", line + 8);
    }
    fclose(f);
}

static void the_kernel_keeps_them_to_this_process(void **state)
{
    char *p = th_secret_alloc(sizeof text), flags[512];
    int status;
    pid_t pid;

    (void)state;
    assert_non_null(p);
    memcpy(p, text, sizeof text);
    flags_of(p, flags, sizeof flags);
    if (!flags[0])
        skip();
    assert_non_null(strstr(flags, " dd"));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < sizeof text; i++)
            if (p[i])
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(p, text);
    th_secret_free(p, sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_zeroed_wiped_and_used_again),
        cmocka_unit_test(many_are_apart_from_each_other),
        cmocka_unit_test(an_allocation_may_fail),
        cmocka_unit_test(the_kernel_keeps_them_to_this_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
