/* The exposition: every row of the tables with HELP and TYPE, names after the conventions, cumulative
 * buckets. */
#include "base/metric.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

static struct th_metrics m;

static const struct {
    const char *name, *labels, *help, *type;
} rows[] = {
#define X(id, name, labels, help) {name, labels, help, "counter"},
    TH_COUNTERS(X)
#undef X
#define X(id, name, labels, help) {name, labels, help, "gauge"},
        TH_GAUGES(X)
#undef X
#define X(id, name, help) {name, "", help, "histogram"},
            TH_HISTOGRAMS(X)
#undef X
};
#define ROWS (sizeof rows / sizeof rows[0])

static bool ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static bool is_first(size_t i)
{
    return i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0;
}

static void names_follow_the_conventions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(strncmp(rows[i].name, "tenterhook_", 11) == 0 ||
                    strncmp(rows[i].name, "process_", 8) == 0);
        for (const char *p = rows[i].name; *p; p++)
            assert_true((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_');
        assert_true(ends_with(rows[i].name, "_total") == (strcmp(rows[i].type, "counter") == 0));
        if (strcmp(rows[i].type, "histogram") == 0)
            assert_true(ends_with(rows[i].name, "_seconds"));
        assert_null(strpbrk(rows[i].help, "\n\\"));
        assert_true(ends_with(rows[i].help, "."));
        for (size_t j = 0; j < i; j++)
            assert_true(strcmp(rows[i].name, rows[j].name) != 0 ||
                        strcmp(rows[i].labels, rows[j].labels) != 0);
        if (is_first(i)) /* the rows of a name follow each other */
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(rows[i].name, rows[j].name);
        else
            assert_string_equal(rows[i].help, rows[i - 1].help);
    }
}

static const char *written(struct th_buf *b)
{
    th_buf_init(b, 1 << 20);
    th_metrics_write(&m, b);
    assert_int_equal(b->failed, TH_OK);
    return th_buf_cstr(b);
}

static void every_row_is_written_once(void **state)
{
    struct th_buf b;
    const char *text;
    (void)state;

    memset(&m, 0, sizeof m);
    text = written(&b);
    for (size_t i = 0; i < ROWS; i++) {
        char head[512];
        const char *at, *labels = strcmp(rows[i].name, "tenterhook_loop_turn_cpu_seconds") == 0
                                      ? "_bucket{le=\"0.00001\"}"
                                  : strcmp(rows[i].type, "histogram") == 0 ? "_bucket{le=\"0.0001\"}"
                                                                           : rows[i].labels;
        if (is_first(i))
            snprintf(head, sizeof head, "# HELP %s %s\n# TYPE %s %s\n%s%s ", rows[i].name, rows[i].help,
                     rows[i].name, rows[i].type, rows[i].name, labels);
        else
            snprintf(head, sizeof head, "\n%s%s ", rows[i].name, labels);
        at = strstr(text, head);
        if (!at)
            fail_msg("missing: %s", head);
        assert_null(strstr(at + 1, head));
    }
    assert_int_equal(text[strlen(text) - 1], '\n');
    th_buf_fini(&b);
}

static void values(void **state)
{
    struct th_buf b;
    const char *text;
    (void)state;

    memset(&m, 0, sizeof m);
    th_count(&m, TH_C_ATTEMPTS_TIMEOUT, 3);
    th_count(&m, TH_C_ATTEMPTS_TIMEOUT, 4);
    th_gauge_set(&m, TH_G_TENANTS, 5);
    th_gauge_add(&m, TH_G_TENANTS, -7);
    text = written(&b);
    assert_non_null(strstr(text, "\ntenterhook_attempts_total{outcome=\"timeout\"} 7\n"));
    assert_non_null(strstr(text, "\ntenterhook_tenants -2\n"));
    th_buf_fini(&b);
}

static void histogram(void **state)
{
    static const int64_t observed[] = {-5, 0, 100, 101, 200, 201, 52428800, 52428801, 1000000000};
    struct th_buf b;
    const char *text;
    (void)state;

    memset(&m, 0, sizeof m);
    for (size_t i = 0; i < sizeof observed / sizeof observed[0]; i++)
        th_observe(&m, TH_H_COMMIT_SECONDS, observed[i]);
    text = written(&b);
#define NAME "\ntenterhook_store_commit_duration_seconds"
    assert_non_null(strstr(text, NAME "_bucket{le=\"0.0001\"} 3" NAME "_bucket{le=\"0.0002\"} 5" NAME
                                      "_bucket{le=\"0.0004\"} 6" NAME "_bucket{le=\"0.0008\"} 6"));
    assert_non_null(strstr(text, NAME "_bucket{le=\"26.2144\"} 6" NAME "_bucket{le=\"52.4288\"} 7" NAME
                                      "_bucket{le=\"+Inf\"} 9" NAME "_sum 1104.858203" NAME "_count 9\n"));
    th_buf_fini(&b);
}

/* Each bound holds its own value and not the next microsecond. */
static void every_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TH_HISTOGRAM_BUCKETS; i++) {
        memset(&m, 0, sizeof m);
        th_observe(&m, TH_H_ACCEPT_SECONDS, (int64_t)100 << i);
        th_observe(&m, TH_H_ACCEPT_SECONDS, ((int64_t)100 << i) + 1);
        assert_int_equal(m.histogram[TH_H_ACCEPT_SECONDS].bucket[i], 1);
        assert_int_equal(m.histogram[TH_H_ACCEPT_SECONDS].bucket[i + 1], 1);
    }
}

/* The limit of a turn of the loop is a bound of its histogram. */
static void turns(void **state)
{
    static const int64_t observed[] = {0, 10, 11, 10000, 10001, 20000000, 20000001};
    struct th_buf b;
    const char *text;
    (void)state;

    memset(&m, 0, sizeof m);
    for (size_t i = 0; i < sizeof observed / sizeof observed[0]; i++)
        th_observe(&m, TH_H_LOOP_TURN, observed[i]);
    text = written(&b);
#define TURN "\ntenterhook_loop_turn_cpu_seconds_bucket"
    assert_non_null(
        strstr(text, TURN "{le=\"0.00001\"} 2" TURN "{le=\"0.00002\"} 3" TURN "{le=\"0.00005\"} 3"));
    assert_non_null(strstr(text, TURN "{le=\"0.005\"} 3" TURN "{le=\"0.01\"} 4" TURN "{le=\"0.02\"} 5"));
    assert_non_null(strstr(text, TURN "{le=\"10\"} 5" TURN "{le=\"20\"} 6" TURN "{le=\"+Inf\"} 7\n"));
    th_buf_fini(&b);
}

/* ---- threads ---- */

#define THREADS 4

static struct th_metrics all[THREADS];

static void *count(void *arg)
{
    struct th_metrics *own = arg;

    for (unsigned i = 0; i < 10000; i++) {
        th_count(own, TH_C_EVENTS_ACCEPTED, 1);
        th_observe(own, TH_H_COMMIT_SECONDS, 100);
        th_gauge_add(&all[i % 2], TH_G_HTTP_OPEN, i & 2 ? 1 : -1); /* up in one thread, down in another */
        th_gauge_set(own, TH_G_REQUESTS_IN_FLIGHT, own - all);
    }
    th_gauge_set(own, TH_G_OLDEST_DUE, own == &all[2] ? 70 : 5);
    th_gauge_set(own, TH_G_STORE_READY, 1);
    return NULL;
}

/* What is written is that of all threads, and may be written while they count. */
static void threads_are_added_up(void **state)
{
    pthread_t threads[THREADS];
    struct th_buf b;

    (void)state;
    for (unsigned i = 1; i < THREADS; i++)
        th_metrics_join(&all[0], &all[i]);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &all[i]), 0);
    th_buf_init(&b, 1u << 20);
    for (unsigned i = 0; i < 100; i++) {
        th_buf_reset(&b);
        th_metrics_write(&all[0], &b);
        assert_false(b.failed);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    th_buf_reset(&b);
    th_metrics_write(&all[0], &b);
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_events_accepted_total 40000\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_store_commit_duration_seconds_count 40000\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_store_commit_duration_seconds_sum 4\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_http_connections_open 0\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_requests_in_flight 6\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_deliveries_oldest_due_seconds 70\n"));
    assert_non_null(strstr(th_buf_cstr(&b), "\ntenterhook_store_ready 1\n"));
    th_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_conventions),
        cmocka_unit_test(every_row_is_written_once),
        cmocka_unit_test(values),
        cmocka_unit_test(histogram),
        cmocka_unit_test(every_bound),
        cmocka_unit_test(turns),
        cmocka_unit_test(threads_are_added_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
