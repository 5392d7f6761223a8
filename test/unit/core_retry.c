/* Retry and disable rules against the outcomes, schedules and scenarios of the five dialects, by hand. */
#include "sched_world.h"

#define NONE UINT32_MAX
static const struct {
    const char *dialect;
    enum th_verdict verdict; /* of a first attempt */
    unsigned status[24];
} outcomes[] = {
    {"standard", TH_V_DELIVERED, {200, 201, 202, 204, 299}},
    {"standard", TH_V_GONE, {410}},
    {"standard", TH_V_AGAIN, {300, 301, 302, 307, 308, 400, 401, 404, 408, 422, 429, 500, 502, 503, 504}},
    {"taskboard", TH_V_DELIVERED, {200, 201, 202, 204, 299}},
    {"taskboard", TH_V_AGAIN, {300, 301, 302, 400, 401, 404, 408, 410, 422, 429, 500, 502, 503, 504}},
    {"techwriter", TH_V_DELIVERED, {200, 201, 204, 299}},
    {"techwriter",
     TH_V_AGAIN,
     {300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 408, 410, 413, 422, 429, 500, 502, 503, 504}},
    {"tiro", TH_V_DELIVERED, {200, 201, 202, 204, 206, 226, 299}},
    {"tiro", TH_V_FINAL, {400, 401, 403, 404, 405, 409, 410, 413, 422, 499}},
    {"tiro", TH_V_FINAL, {408, 425, 429}},
    {"tiro", TH_V_AGAIN, {500, 502, 503, 504, 599}},
    {"tiro", TH_V_AGAIN, {300, 301, 302, 303, 304, 307, 308}},
    {"tsanet", TH_V_DELIVERED, {200, 201, 202, 204, 299}},
    {"tsanet", TH_V_AGAIN, {300, 301, 302, 307, 400, 401, 404, 408, 410, 422, 429, 500, 502, 503, 504}},
};
static const enum th_http_class no_answer[] = {TH_HTTP_DNS,     TH_HTTP_DENIED, TH_HTTP_CONNECT, TH_HTTP_TLS,
                                               TH_HTTP_TIMEOUT, TH_HTTP_RESET,  TH_HTTP_PROTOCOL};

static void outcomes_are_those_of_the_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        const struct th_rules *rules = rules_of(outcomes[i].dialect);
        for (unsigned k = 0; outcomes[i].status[k]; k++) {
            struct th_next_step step =
                th_retry_step(rules, TH_HTTP_OK, outcomes[i].status[k], NONE, 0, 0, false);
            assert_int_equal(step.verdict, outcomes[i].verdict);
            if (step.verdict == TH_V_AGAIN)
                assert_int_equal(step.delay_ms, rules->delay_s[0] * 1000);
        }
    }
}

static void without_an_answer_the_status_says_nothing(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIALECTS; d++)
        for (size_t i = 0; i < sizeof no_answer / sizeof no_answer[0]; i++)
            for (unsigned status = 0; status < 600; status += 10) /* a head may have come before the reset */
                assert_int_equal(
                    th_retry_step(&dialect_rules[d].rules, no_answer[i], status, 1, 0, 0, false).verdict,
                    TH_V_AGAIN);
}

static void after_the_last_attempt_nothing_comes(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIALECTS; d++) {
        const struct th_rules *rules = &dialect_rules[d].rules;
        for (unsigned tries = 0; tries < 300; tries++) {
            struct th_next_step step =
                th_retry_step(rules, TH_HTTP_TIMEOUT, 0, NONE, tries, UINT32_MAX, false);
            assert_int_equal(step.verdict, tries < rules->delays ? TH_V_AGAIN : TH_V_EXHAUSTED);
            assert_int_equal(th_retry_step(rules, TH_HTTP_OK, 200, NONE, tries, 0, false).verdict,
                             TH_V_DELIVERED);
            assert_int_equal(th_retry_step(rules, TH_HTTP_OK, 500, NONE, tries, 0, true).verdict,
                             TH_V_EXHAUSTED);
            assert_int_equal(th_retry_step(rules, TH_HTTP_OK, 410, NONE, tries, 0, true).verdict,
                             TH_V_EXHAUSTED);
        }
    }
}

static void jitter_lengthens_by_at_most_its_share(void **state)
{
    const struct th_rules *rules = rules_of("standard");
    uint32_t rnd[] = {0, 1, UINT32_MAX / 2 + 1, UINT32_MAX};
    struct th_rules extreme = {.delays = 1, .delay_s = {UINT32_MAX}, .jitter_percent = 100};

    (void)state;
    for (unsigned tries = 0; tries < 9; tries++) {
        int64_t base = (int64_t)rules->delay_s[tries] * 1000, last = -1;
        for (unsigned i = 0; i < 4; i++) {
            int64_t d = th_retry_step(rules, TH_HTTP_OK, 500, NONE, tries, rnd[i], false).delay_ms;
            assert_true(d >= base && d >= last && d < base + base / 10);
            last = d;
        }
        assert_int_equal(th_retry_step(rules, TH_HTTP_OK, 500, NONE, tries, 0, false).delay_ms, base);
        assert_int_equal(th_retry_step(rules, TH_HTTP_OK, 500, NONE, tries, rnd[2], false).delay_ms,
                         base + base / 20);
        assert_true(last >= base + base / 10 - 2);
    }
    for (unsigned i = 0; i < 4; i++) {
        int64_t d = th_retry_step(&extreme, TH_HTTP_OK, 500, NONE, 0, rnd[i], false).delay_ms;
        assert_true(d >= UINT32_MAX * INT64_C(1000) && d < UINT32_MAX * INT64_C(2000));
    }
}

static int64_t delay_after(const char *dialect, unsigned status, uint32_t asked, unsigned tries)
{
    return th_retry_step(rules_of(dialect), TH_HTTP_OK, status, asked, tries, 0, false).delay_ms;
}

static void retry_after_lengthens_and_is_capped(void **state)
{
    (void)state;
    assert_int_equal(delay_after("standard", 429, 120, 0), 120000);
    assert_int_equal(delay_after("standard", 503, 120, 0), 120000);
    assert_int_equal(delay_after("standard", 503, 120, 1), 300000); /* never shortens */
    assert_int_equal(delay_after("standard", 429, 0, 0), 5000);
    assert_int_equal(delay_after("standard", 429, 86400, 0), 86400000);
    assert_int_equal(delay_after("standard", 429, 86401, 0), 86400000); /* at most 24 h */
    assert_int_equal(delay_after("standard", 429, UINT32_MAX - 1, 0), 86400000);
    assert_int_equal(delay_after("standard", 500, 120, 0), 5000); /* not for others */
    assert_int_equal(delay_after("tsanet", 429, 120, 0), 10000);  /* nor where it is not honoured */
    assert_int_equal(delay_after("tsanet", 503, 120, 0), 10000);
    assert_int_equal(delay_after("taskboard", 503, 1200, 0), 60000);
    assert_int_equal(delay_after("techwriter", 503, 120, 0), 5000);
    assert_int_equal(delay_after("tiro", 503, 120, 0), 15000);
    assert_int_equal(th_retry_step(rules_of("standard"), TH_HTTP_RESET, 429, 120, 0, 0, false).delay_ms,
                     5000);
    assert_int_equal(th_retry_step(rules_of("standard"), TH_HTTP_OK, 429, 120, 9, 0, false).verdict,
                     TH_V_EXHAUSTED);
}

static void degraded_is_said_once(void **state)
{
    (void)state;
    for (unsigned tries = 0; tries < 5; tries++) {
        assert_int_equal(
            th_retry_step(rules_of("techwriter"), TH_HTTP_OK, 503, NONE, tries, 0, false).degraded,
            tries == 2);
        assert_false(th_retry_step(rules_of("techwriter"), TH_HTTP_OK, 200, NONE, tries, 0, false).degraded);
        assert_false(th_retry_step(rules_of("techwriter"), TH_HTTP_OK, 503, NONE, tries, 0, true).degraded);
        assert_false(th_retry_step(rules_of("standard"), TH_HTTP_OK, 503, NONE, tries, 0, false).degraded);
    }
}

/* ---- disabling ---- */

static enum th_disable after(const char *dialect, struct th_health *f, enum th_verdict v, int64_t at_s,
                             int64_t first_s)
{
    return th_health_apply(rules_of(dialect), f, v, (struct th_wall){1775116800000 + at_s * 1000},
                           (struct th_wall){1775116800000 + first_s * 1000});
}

static void taskboard_disables_after_used_up_retries(void **state)
{
    struct th_health f = {0};

    (void)state;
    assert_int_equal(after("taskboard", &f, TH_V_AGAIN, 0, 0), TH_KEEP);
    assert_int_equal(after("taskboard", &f, TH_V_AGAIN, 60, 0), TH_KEEP);
    assert_int_equal(after("taskboard", &f, TH_V_AGAIN, 360, 0), TH_KEEP); /* three failed attempts do not */
    assert_int_equal(th_health_check(rules_of("taskboard"), &f), TH_KEEP);
    assert_int_equal(after("taskboard", &f, TH_V_EXHAUSTED, 2160, 0), TH_DISABLE_EXHAUSTED);
    /* the consequence can be drawn again from what is stored, until the endpoint is enabled again */
    assert_int_equal(th_health_check(rules_of("taskboard"), &f), TH_DISABLE_EXHAUSTED);
    assert_int_equal(th_health_check(rules_of("techwriter"), &f), TH_KEEP);
    f = (struct th_health){0};
    assert_int_equal(after("taskboard", &f, TH_V_AGAIN, 2200, 2200), TH_KEEP);
}

static void taskboard_success_in_between_keeps(void **state)
{
    struct th_health f = {0};

    (void)state;
    after("taskboard", &f, TH_V_AGAIN, 0, 0);
    after("taskboard", &f, TH_V_AGAIN, 60, 0);
    after("taskboard", &f, TH_V_AGAIN, 360, 0);
    assert_int_equal(after("taskboard", &f, TH_V_DELIVERED, 1000, 1000), TH_KEEP); /* another delivery */
    assert_int_equal(after("taskboard", &f, TH_V_EXHAUSTED, 2160, 0), TH_KEEP);
    assert_int_equal(f.exhausted_run, 0);
    /* a delivery that began after that success, and all of whose attempts failed */
    assert_int_equal(after("taskboard", &f, TH_V_EXHAUSTED, 4000, 1840), TH_DISABLE_EXHAUSTED);
}

static void a_success_before_the_first_attempt_does_not_save(void **state)
{
    struct th_health f = {0};

    (void)state;
    after("taskboard", &f, TH_V_DELIVERED, 10, 10);
    assert_int_equal(after("taskboard", &f, TH_V_EXHAUSTED, 2180, 20), TH_DISABLE_EXHAUSTED);
}

static void standard_disables_after_days_of_failures(void **state)
{
    struct th_health f = {0};

    (void)state;
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 100, 100), TH_KEEP);
    assert_int_equal(after("standard", &f, TH_V_EXHAUSTED, 272205, 100), TH_KEEP);
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 432099, 400000), TH_KEEP);
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 432100, 400000), TH_DISABLE_FAILING);
    f = (struct th_health){0};
    after("standard", &f, TH_V_AGAIN, 100, 100);
    assert_int_equal(after("standard", &f, TH_V_DELIVERED, 300000, 300000), TH_KEEP);
    assert_int_equal(f.first_fail, 0);
    /* a failure that ended before that success, told late, begins no new run */
    after("standard", &f, TH_V_AGAIN, 299999, 299000);
    assert_int_equal(f.first_fail, 0);
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 432100, 100), TH_KEEP);
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 864099, 100), TH_KEEP);
    assert_int_equal(after("standard", &f, TH_V_AGAIN, 864100, 100), TH_DISABLE_FAILING);
}

static void gone_disables_at_once(void **state)
{
    struct th_health f = {0};

    (void)state;
    assert_int_equal(after("standard", &f, TH_V_GONE, 5, 0), TH_DISABLE_GONE);
    assert_string_equal(th_disable_name(TH_DISABLE_GONE), "gone");
    assert_string_equal(th_disable_name(TH_DISABLE_FAILING), "failing");
    assert_string_equal(th_disable_name(TH_DISABLE_EXHAUSTED), "exhausted");
    assert_string_equal(th_disable_name(TH_KEEP), "");
}

static void the_others_never_disable(void **state)
{
    static const char *const name[] = {"tiro", "tsanet", "techwriter"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct th_health f = {0};
        for (int64_t s = 0; s < 40000000; s += 100000)
            assert_int_equal(after(name[i], &f, s % 200000 ? TH_V_EXHAUSTED : TH_V_FINAL, s, s), TH_KEEP);
    }
}

/* "Never this event" says nothing of the endpoint: it neither begins nor ends a run of failures. */
static void a_final_answer_is_no_failure_of_the_endpoint(void **state)
{
    struct th_rules rules = {.disable_after_s = 10, .disable_after_exhausted = 2};
    struct th_health f = {0}, before;

    (void)state;
    for (int64_t s = 1; s < 100; s++)
        assert_int_equal(
            th_health_apply(&rules, &f, TH_V_FINAL, (struct th_wall){s * 1000}, (struct th_wall){s * 1000}),
            TH_KEEP);
    assert_true(f.first_fail == 0 && f.last_ok == 0 && f.exhausted_run == 0);
    assert_int_equal(
        th_health_apply(&rules, &f, TH_V_AGAIN, (struct th_wall){100000}, (struct th_wall){100000}), TH_KEEP);
    before = f;
    assert_int_equal(
        th_health_apply(&rules, &f, TH_V_FINAL, (struct th_wall){120000}, (struct th_wall){120000}), TH_KEEP);
    assert_memory_equal(&before, &f, sizeof f);
    assert_int_equal(
        th_health_apply(&rules, &f, TH_V_AGAIN, (struct th_wall){121000}, (struct th_wall){100000}),
        TH_DISABLE_FAILING);
}

static void exhausted_ones_are_counted_in_a_row(void **state)
{
    struct th_rules rules = {.disable_after_exhausted = 3};
    struct th_health f = {0};
    struct th_wall t = {1000000};

    (void)state;
    assert_int_equal(th_health_apply(&rules, &f, TH_V_EXHAUSTED, t, t), TH_KEEP);
    assert_int_equal(th_health_apply(&rules, &f, TH_V_EXHAUSTED, t, t), TH_KEEP);
    assert_int_equal(th_health_apply(&rules, &f, TH_V_DELIVERED, t, t), TH_KEEP);
    t.ms++;
    for (int i = 0; i < 2; i++)
        assert_int_equal(th_health_apply(&rules, &f, TH_V_EXHAUSTED, t, t), TH_KEEP);
    assert_int_equal(th_health_apply(&rules, &f, TH_V_AGAIN, t, t), TH_KEEP);
    assert_int_equal(th_health_apply(&rules, &f, TH_V_EXHAUSTED, t, t), TH_DISABLE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_are_those_of_the_vectors),
        cmocka_unit_test(without_an_answer_the_status_says_nothing),
        cmocka_unit_test(after_the_last_attempt_nothing_comes),
        cmocka_unit_test(jitter_lengthens_by_at_most_its_share),
        cmocka_unit_test(retry_after_lengthens_and_is_capped),
        cmocka_unit_test(degraded_is_said_once),
        cmocka_unit_test(taskboard_disables_after_used_up_retries),
        cmocka_unit_test(taskboard_success_in_between_keeps),
        cmocka_unit_test(a_success_before_the_first_attempt_does_not_save),
        cmocka_unit_test(standard_disables_after_days_of_failures),
        cmocka_unit_test(gone_disables_at_once),
        cmocka_unit_test(the_others_never_disable),
        cmocka_unit_test(a_final_answer_is_no_failure_of_the_endpoint),
        cmocka_unit_test(exhausted_ones_are_counted_in_a_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
