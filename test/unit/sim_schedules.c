/* Every attempt starts at its time: the four vendors' schedules, with 1, 10, 50 and 1,000 events at an endpoint that refuses
 * them, answers late, or never answers. In virtual time.
 *
 * What is checked at each request: it starts when it is due, or its endpoint has had all its requests in flight from the moment
 * when it was due until now. */
#include "sim/sim.h"

#define HOST "a.example.com"
#define IN_FLIGHT 16
#define MAX_EVENTS 1000
#define TOLERANCE_US 1000

struct vendor {
    const char *name, *type;
    int64_t delay_s[8];
    unsigned delays;
    unsigned final; /* a status after which there is no retry; 0: none */
    bool disables;  /* after the first delivery that used up its schedule */
};
static const struct vendor vendors[] = {
    {"tiro", "note.created", {15, 30, 300, 1800, 7200}, 5, 422, false},
    {"tsanet", "note.created", {10, 60, 300}, 3, 0, false},
    {"techwriter", "document.published", {5, 30, 300, 1800}, 4, 0, false},
    {"taskboard", "task.created", {60, 300, 1800}, 3, 0, true},
};

struct watch {
    const struct vendor *v;
    struct {
        uint64_t no;
        int64_t due_us;
        unsigned attempts;
    } of[MAX_EVENTS];
    unsigned n, in_flight, late;
    int64_t since_us;     /* in_flight is what it is since then */
    int64_t last_free_us; /* until then a slot of the endpoint was free */
    int64_t worst_us, published_us;
    bool final, publishing;
};

static void count(struct watch *w, int64_t now_us, int change)
{
    if (w->in_flight < IN_FLIGHT && now_us > w->since_us)
        w->last_free_us = now_us;
    w->in_flight += (unsigned)change;
    w->since_us = now_us;
}

/* The place of a delivery, which is new while it is being published. */
static unsigned index_of(struct watch *w, uint64_t delivery)
{
    for (unsigned i = 0; i < w->n; i++)
        if (w->of[i].no == delivery)
            return i;
    assert_true(w->n < MAX_EVENTS && w->publishing);
    w->of[w->n].no = delivery;
    w->of[w->n].due_us = w->published_us;
    w->of[w->n].attempts = 0;
    return w->n++;
}

static void on_request(struct sim *s, struct sim_request *r)
{
    struct watch *w = s->user;
    unsigned i = index_of(w, r->delivery);
    int64_t late_us = r->at_us - w->of[i].due_us;

    count(w, r->at_us, 0);
    assert_true(w->in_flight < IN_FLIGHT);
    assert_true(late_us >= 0);
    if (late_us > TOLERANCE_US) {
        w->late++;
        if (w->of[i].due_us < w->last_free_us - TOLERANCE_US)
            fail_msg("%s: attempt %u, due at %.3f s, started at %.3f s, and a slot was free until %.3f s",
                     w->v->name, w->of[i].attempts + 1, (double)w->of[i].due_us / 1e6, (double)r->at_us / 1e6,
                     (double)w->last_free_us / 1e6);
    }
    w->worst_us = late_us > w->worst_us ? late_us : w->worst_us;
    w->of[i].attempts++;
    count(w, r->at_us, 1);
}

static void on_answered(struct sim *s, const struct sim_request *r)
{
    struct watch *w = s->user;
    unsigned i = index_of(w, r->delivery), tries = w->of[i].attempts;

    count(w, s->now_us, -1);
    w->of[i].due_us =
        w->final || tries > w->v->delays ? SIM_NEVER : s->now_us + w->v->delay_s[tries - 1] * SIM_S;
}

static void publish(struct sim *s, struct watch *w)
{
    struct sim_event e = {.tenant = "t", .type = w->v->type, .data = "{}", .resource_id = "1"};

    w->publishing = true;
    w->published_us = s->now_us;
    assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
    (void)index_of(w, e.first_delivery);
    w->publishing = false;
}

static struct sim *world(const struct vendor *v, uint64_t *endpoint)
{
    struct sim *s = sim_open(&(struct sim_options){.forget_texts = true, .forget_requests = true});

    sim_tenant(s, "t", v->name);
    *endpoint = sim_endpoint(
        s,
        &(struct sim_spec){.tenant = "t",
                           .url = "https://" HOST "/",
                           .events = v->type,
                           .secret = strcmp(v->name, "techwriter") == 0 ? "what the customer brings" : NULL});
    return s;
}

static int64_t schedule_us(const struct vendor *v)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < v->delays; i++)
        sum += v->delay_s[i] * SIM_S;
    return sum;
}

/* `events` events, one each `every_us`, at an endpoint that always answers so. */
static void run(const struct vendor *v, const char *answer, unsigned events, int64_t every_us)
{
    struct watch *w = calloc(1, sizeof *w);
    uint64_t endpoint;
    struct sim *s = world(v, &endpoint);
    bool final = v->final && (unsigned)atoi(answer) == v->final, off;
    unsigned attempts = 0;

    assert_non_null(w);
    w->v = v;
    w->final = final;
    w->last_free_us = w->since_us = s->now_us;
    s->user = w;
    s->on_request = on_request;
    s->on_answered = on_answered;
    sim_always(s, HOST, answer);
    for (unsigned i = 0; i < events; i++) {
        publish(s, w);
        sim_run_for(s, every_us);
    }
    sim_run_for(s, 86400 * SIM_S);
    for (unsigned i = 0; i < w->n; i++)
        attempts += w->of[i].attempts;
    off = sim_ep(s, endpoint)->disabled_at.ms != 0;
    assert_int_equal(off, v->disables && !final);
    if (off) /* by the first delivery that used up its schedule: what had an attempt to come is held */
        assert_true(attempts >= events && attempts <= events * (v->delays + 1));
    else
        assert_int_equal(attempts, final ? events : events * (v->delays + 1));
    if (events <= 10 && w->worst_us > TOLERANCE_US)
        fail_msg("%s, %u events, %s: an attempt was %.3f s late", v->name, events, answer,
                 (double)w->worst_us / 1e6);
    if (events == 1000)
        print_message(
            "%s, %u events, %s: %u attempts, %u of them waited for the limit of %u, the last %.0f s\n",
            v->name, events, answer, attempts, w->late, IN_FLIGHT, (double)w->worst_us / 1e6);
    s->on_request = NULL;
    s->on_answered = NULL;
    sim_close(s);
    free(w);
}

static void every_attempt_starts_at_its_time(void **state)
{
    static const char *const answers[] = {"500",     "422+20ms", "connection_refused",
                                          "timeout", "503+3s",   "connection_reset"};
    static const unsigned events[] = {1, 10, 50, 1000};

    (void)state;
    for (size_t v = 0; v < sizeof vendors / sizeof vendors[0]; v++)
        for (size_t a = 0; a < sizeof answers / sizeof answers[0]; a++) {
            for (size_t n = 0; n < sizeof events / sizeof events[0]; n++)
                if (events[n] < 1000 || v == 0 ||
                    a % 3 == 0) /* a thousand: of each vendor, two of the answers */
                    run(&vendors[v], answers[a], events[n], 0);
            run(&vendors[v], answers[a], 6, SIM_S);
            run(&vendors[v], answers[a], 50, SIM_S / 2);
        }
}

/* A name that does not resolve: an attempt is a look-up, and each is made when it is due. */
static void names_that_do_not_resolve_are_asked_for_in_time(void **state)
{
    static const unsigned events[] = {1, 10, 50, 1000};

    (void)state;
    for (size_t v = 0; v < sizeof vendors / sizeof vendors[0]; v++)
        for (size_t n = 0; n < sizeof events / sizeof events[0]; n++) {
            uint64_t endpoint, before;
            struct sim *s = world(&vendors[v], &endpoint);
            sim_dns(s, HOST, "nxdomain");
            before = sim_host(s, HOST)->lookups;
            for (unsigned i = 0; i < events[n]; i++)
                assert_int_equal(sim_publish(s, &(struct sim_event){.tenant = "t",
                                                                    .type = vendors[v].type,
                                                                    .data = "{}",
                                                                    .resource_id = "1"}),
                                 TH_PUB_ACCEPTED);
            for (unsigned i = 0;; i++) {
                sim_run_for(s, SIM_S / 2);
                if (vendors[v].disables && i == vendors[v].delays)
                    break; /* off after the first of them */
                assert_int_equal(sim_host(s, HOST)->lookups - before, events[n] * (i + 1));
                if (i == vendors[v].delays)
                    break;
                sim_run_for(s, vendors[v].delay_s[i] * SIM_S - SIM_S); /* and not before it is due */
                assert_int_equal(sim_host(s, HOST)->lookups - before, events[n] * (i + 1));
                sim_run_for(s, SIM_S / 2);
            }
            sim_close(s);
        }
}

/* taskboard switches an endpoint off when the first delivery has used up its schedule, however many others there are. */
static void disabling_does_not_wait_for_the_crowd(void **state)
{
    static const unsigned events[] = {1, 10, 50, 1000};
    const struct vendor *v = &vendors[3];

    (void)state;
    for (size_t n = 0; n < sizeof events / sizeof events[0]; n++) {
        uint64_t endpoint;
        struct sim *s = world(v, &endpoint);
        sim_always(s, HOST, "500");
        for (unsigned i = 0; i < events[n]; i++)
            assert_int_equal(
                sim_publish(s, &(struct sim_event){.tenant = "t", .type = v->type, .data = "{}"}),
                TH_PUB_ACCEPTED);
        sim_run_for(s, schedule_us(v) - SIM_S);
        assert_int_equal(sim_ep(s, endpoint)->disabled_at.ms, 0);
        sim_run_for(s, 2 * SIM_S);
        assert_true(sim_ep(s, endpoint)->disabled_at.ms != 0);
        sim_close(s);
    }
}

/* A crowd of silent endpoints, and beside it those whose schedules were promised: what answers keeps its times. */
static void beside_silent_endpoints_what_answers_keeps_its_times(void **state)
{
    struct watch *w = calloc(1, sizeof *w);
    uint64_t endpoint;
    struct sim *s = world(&vendors[1], &endpoint);

    (void)state;
    assert_non_null(w);
    sim_tenant(s, "u", "tsanet");
    for (unsigned i = 0; i < 300; i++) {
        char url[96], name[64];
        snprintf(name, sizeof name, "silent%u.example.com", i);
        snprintf(url, sizeof url, "https://%s/", name);
        (void)sim_endpoint(
            s, &(struct sim_spec){.tenant = "u", .url = url, .events = "collaboration-request.created"});
        sim_always(s, name, "timeout");
    }
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(
            sim_publish(
                s, &(struct sim_event){.tenant = "u", .type = "collaboration-request.created", .data = "{}"}),
            TH_PUB_ACCEPTED);
        sim_run_for(s, SIM_S);
    }
    w->v = &vendors[1];
    w->last_free_us = w->since_us = s->now_us;
    sim_always(s, HOST, "500+20ms");
    s->user = w;
    s->on_answered = NULL;
    for (unsigned i = 0; i < 10; i++) {
        uint64_t had = sim_host(s, HOST)->requests;
        publish(s, w);
        sim_run_for(s, SIM_S / 10);
        assert_int_equal(sim_host(s, HOST)->requests, had + 1);
    }
    sim_run_for(s, 10 * SIM_S); /* and the retries of all */
    assert_int_equal(sim_host(s, HOST)->requests, 20);
    sim_close(s);
    free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_attempt_starts_at_its_time),
    cmocka_unit_test(names_that_do_not_resolve_are_asked_for_in_time),
    cmocka_unit_test(disabling_does_not_wait_for_the_crowd),
    cmocka_unit_test(beside_silent_endpoints_what_answers_keeps_its_times),
};

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
