/* What a deletion ends at once, and what it must leave alone: requests under way, look-ups, reads. In virtual
 * time. */
#include "sim/sim.h"

static const struct sim_spec one = {.tenant = "default", .url = "https://one.example.com/", .events = "x"};
static const struct sim_spec two = {.tenant = "default", .url = "https://two.example.com/", .events = "x"};

static void publish(struct sim *s, struct sim_event *e)
{
    assert_int_equal(sim_publish(s, e), TH_PUB_ACCEPTED);
}

static void test_requests_under_way_end(void **state)
{
    struct sim *s = sim_open(NULL);
    uint64_t a = sim_endpoint(s, &one), b = sim_endpoint(s, &two);
    struct sim_event e = {.type = "x"};

    (void)state;
    publish(s, &e);
    sim_run_for(s, 1000);
    assert_int_equal(sim_host(s, "one.example.com")->open, 1);
    assert_int_equal(sim_host(s, "two.example.com")->open, 1);
    assert_int_equal(sim_delete(s, a), TH_CH_DONE);
    sim_run_for(s, 1000);
    assert_int_equal(sim_host(s, "one.example.com")->open, 0);
    assert_int_equal(sim_host(s, "two.example.com")->open, 1);
    assert_string_equal(sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, a).status,
                        "cancelled");
    assert_int_equal(sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, a).attempts, 0);
    sim_reply(s, s->log[s->log[0]->endpoint == b ? 0 : 1],
              (struct sim_answer){.kind = SIM_STATUS, .status = 200});
    sim_run_for(s, 1000);
    assert_string_equal(sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery + 1, 0, b).status,
                        "delivered");
    sim_run_for(s, 10 * 86400 * SIM_S);
    assert_int_equal(s->log_n, 2);
    sim_close(s);
}

static void test_of_a_tenant(void **state)
{
    struct sim *s = sim_open(NULL);
    struct sim_spec spec = one;
    struct sim_event e = {.tenant = "t", .type = "x"};

    (void)state;
    sim_tenant(s, "t", "standard");
    spec.tenant = "t";
    sim_endpoint(s, &spec);
    publish(s, &e);
    sim_run_for(s, 1000);
    assert_int_equal(sim_host(s, "one.example.com")->open, 1);
    assert_int_equal(sim_delete_tenant(s, "t"), TH_CH_DONE);
    sim_run_for(s, 1000);
    assert_int_equal(sim_host(s, "one.example.com")->open, 0);
    sim_run_for(s, 10 * 86400 * SIM_S);
    assert_int_equal(s->log_n, 1);
    sim_close(s);
}

/* The name servers are silent: the attempt ends with the deletion, not with their deadline. */
static void test_look_ups_end(void **state)
{
    struct sim *s = sim_open(NULL);
    struct sim_event e = {.type = "x"};
    uint64_t a;

    (void)state;
    sim_dns(s, "one.example.com", "8.8.8.8");
    sim_dns(s, "one.example.com", "timeout");
    a = sim_endpoint(s, &one);
    publish(s, &e);
    sim_run_for(s, 1000);
    assert_int_equal(sim_delete(s, a), TH_CH_DONE);
    sim_run_for(s, 1000);
    assert_int_equal(s->lookups.n, 0);
    assert_int_equal(s->log_n, 0);
    th_engine_drain(s->engine);
    sim_run_for(s, 1000);
    assert_true(th_engine_idle(s->engine));
    sim_close(s);
}

/* Too many look-ups of one tenant at once: nobody was asked, so that is no attempt of the endpoint's. */
static void test_refused_look_up_is_no_attempt(void **state)
{
    struct sim *s = sim_open(NULL);
    struct sim_event e = {.type = "x"};
    struct sim_delivery d;
    uint64_t a;

    (void)state;
    sim_dns(s, "one.example.com", "8.8.8.8");
    sim_dns_add(s, "one.example.com", &(struct sim_dns){.error = TH_FULL});
    sim_dns(s, "one.example.com", "8.8.8.8");
    sim_always(s, "one.example.com", "200");
    a = sim_endpoint(s, &one);
    publish(s, &e);
    sim_run_for(s, SIM_S / 2);
    d = sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, a);
    assert_string_equal(d.status, "pending");
    sim_run_for(s, SIM_S);
    d = sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, a);
    assert_string_equal(d.status, "delivered");
    assert_int_equal(d.attempts, 1);
    sim_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_under_way_end),
        cmocka_unit_test(test_of_a_tenant),
        cmocka_unit_test(test_look_ups_end),
        cmocka_unit_test(test_refused_look_up_is_no_attempt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
