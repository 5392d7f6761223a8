/* An attempt is made of the settings of its moment, although the event is still in memory as it was rendered
 * before. */
#include "sim/sim.h"

static bool changed;

static void put(struct th_change *c)
{
    assert_int_equal(c->result, TH_CH_DONE);
    changed = true;
}

static void set_source(struct sim *s, const char *attributes)
{
    struct th_change c = {.kind = TH_CHANGE_TENANT_PUT,
                          .tenant_id = TH_LIT("t"),
                          .tenant_put.attributes = th_str(attributes),
                          .done = put};

    changed = false;
    th_engine_change(s->engine, &c);
    sim_run_for(s, 1000);
    assert_true(changed);
    th_change_fini(&c);
}

static bool names(const struct sim_request *r, const char *source)
{
    return strstr(r->body, source) != NULL;
}

static void test_retry_shows_new_attributes(void **state)
{
    struct sim *s = sim_open(NULL);
    struct sim_spec spec = {.tenant = "t", .url = "https://one.example.com/", .events = "x"};
    struct sim_event e = {.tenant = "t", .type = "x", .data = "{}"};

    (void)state;
    sim_tenant(s, "t", "cloudevents-structured");
    set_source(s, "{\"source\":\"/old\"}");
    sim_endpoint(s, &spec);
    spec.url = "https://two.example.com/"; /* two: the body is rendered once for both */
    sim_endpoint(s, &spec);
    sim_always(s, "one.example.com", "500");
    assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
    sim_run_for(s, 1000);
    assert_int_equal(s->log_n, 2); /* the second waits for its answer and holds the event in memory */
    assert_true(names(s->log[0], "/old") && names(s->log[1], "/old"));
    set_source(s, "{\"source\":\"/new\"}");
    sim_run_for(s, 7 * SIM_S);
    assert_true(s->log_n >= 3);
    assert_true(names(s->log[2], "/new"));
    sim_reply(s, s->log[s->log[0]->req ? 0 : 1], (struct sim_answer){.kind = SIM_STATUS, .status = 500});
    sim_run_for(s, 60 * SIM_S);
    assert_int_equal(s->log_n, 4); /* the retry of each; the next ones are due after minutes */
    for (size_t i = 2; i < s->log_n; i++)
        assert_true(names(s->log[i], "/new"));
    sim_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_retry_shows_new_attributes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
