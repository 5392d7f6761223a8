/* Every scenario file of test/scenarios, each a test of its own, in virtual time: with one engine, and again with three in one
 * thread whose turns and letters come in a drawn order. One of them: pass its name. */
#include "sim/scenario.h"
#include <dirent.h>

static char folder[1024];

static void run(void **state)
{
    scenario_run_file(*state);
}

static void run_three(void **state)
{
    setenv("TH_SIM_SHARDS", "3", 1);
    scenario_run_file(*state);
    unsetenv("TH_SIM_SHARDS");
}

static int is_scenario(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 3 && strcmp(e->d_name + n - 3, ".th") == 0;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests;
    static char names[1000][256];
    struct dirent **v;
    int n, failed;

    snprintf(folder, sizeof folder, TH_TEST_ROOT "/test/scenarios");
    n = scandir(folder, &v, is_scenario, alphasort);
    if (n <= 0 || n > 1000) {
        fprintf(stderr, "no scenarios in %s\n", folder);
        return 1;
    }
    tests = calloc((size_t)n * 2, sizeof *tests);
    if (!tests)
        return 1;
    size_t count = 0;
    for (int i = 0; i < n; i++) {
        char path[2048];
        if (argc > 1 && !strstr(v[i]->d_name, argv[1]))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, v[i]->d_name);
        tests[count++] =
            (struct CMUnitTest){.name = v[i]->d_name, .test_func = run, .initial_state = strdup(path)};
        snprintf(names[i], sizeof names[i], "%.200s (three engines)", v[i]->d_name);
        tests[count++] =
            (struct CMUnitTest){.name = names[i], .test_func = run_three, .initial_state = strdup(path)};
    }
    if (count == 0) {
        fprintf(stderr, "no scenario has such a name\n");
        return 1;
    }
    failed = _cmocka_run_group_tests("scenarios", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(tests[i].initial_state);
    for (int i = 0; i < n; i++)
        free(v[i]);
    free(v);
    free(tests);
    return failed;
}
