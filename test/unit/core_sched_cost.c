/* What the scheduler costs: time of a delivery's way through it, and memory of an item. Printed; only memory
 * is bounded here, since nothing should fail on a machine's speed. */
#include "sched_world.h"
#include <malloc.h>
#include <time.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer)
#define SANITIZED 1 /* slow, and with an allocator of its own */
#else
#define SANITIZED 0
#endif

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* n deliveries over eps endpoints: inserted `batch` at a time, then each picked, ended and settled. */
static double ns_of_a_delivery(struct th_sched *s, uint32_t n, uint32_t eps, uint32_t batch, bool retried)
{
    double start = seconds();
    uint64_t no = 1, done = 0;
    int64_t now = 0;
    struct th_queue_row out;

    while (done < n) {
        for (uint32_t i = 0; i < batch && no <= n; i++, no++) {
            struct th_queue_row r = row(no, 1 + no * 7919 % eps, TH_LANE_FRESH);
            assert_int_equal(th_sched_insert(s, &r, at_us(now), at_us(now)), TH_INSERTED);
        }
        now += 50;
        while (th_sched_pick(s, at_us(now), &out)) {
            bool again = retried && !out.tries;
            th_sched_result(s, out.no, TH_LEARN_OK, at_us(now), at_us(now + 20));
            out.tries = 1;
            th_sched_settled(s, out.no, again ? &out : NULL, at_us(now + 5 * S), at_us(now + 20));
            done += !again;
        }
        if (no > n)
            now = th_sched_next(s, at_us(now)).us;
    }
    return (seconds() - start) * 1e9 / n;
}

static void time_of_a_delivery(void **state)
{
    static const uint32_t eps[] = {1, 100, 10000};
    const uint32_t n = SANITIZED ? 5000 : 100000;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (int retried = 0; retried < 2; retried++) {
            struct th_sched *s = world_new((struct th_sched_options){.max_items_per_endpoint = 1000000});
            for (uint64_t ep = 1; ep <= eps[i]; ep++)
                put(s, endpoint(ep, 1 + ep / 10), 0);
            print_message("%5u endpoints, %s: %.0f ns a delivery\n", eps[i],
                          retried ? "one retry" : "sent once", ns_of_a_delivery(s, n, eps[i], 100, retried));
            assert_int_equal(th_sched_stats(s).items, 0);
            th_sched_free(s);
        }
    }
}

static void memory_of_an_item(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    const uint32_t n = SANITIZED ? 50000 : 1000000, eps = 2000;
    size_t before;
    double bytes, start;

    (void)state;
    for (uint64_t ep = 1; ep <= eps; ep++)
        put(s, endpoint(ep, 1), 0);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    start = seconds();
    for (uint64_t no = 1; no <= n; no++) { /* a random order of moments */
        struct th_queue_row r = row(no, 1 + no % eps, TH_LANE_FRESH);
        r.tries = 1;
        assert_int_equal(
            th_sched_insert(s, &r, at_us(S + (int64_t)(no * 2654435761u % 3600000000u)), at_us(0)),
            TH_INSERTED);
    }
    bytes = (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / n;
    print_message("%u waiting: %.1f bytes an item, %.0f ns an insert\n", n, bytes,
                  (seconds() - start) * 1e9 / n);
    assert_true(SANITIZED || (bytes > 32 && bytes < 64));
    start = seconds();
    for (uint32_t left = n; left;) {
        int64_t now = th_sched_next(s, at_us(0)).us;
        for (uint64_t no; (no = pick(s, now)); left--)
            end(s, no, TH_LEARN_OK, now, now);
    }
    print_message("drained by due: %.0f ns a delivery\n", (seconds() - start) * 1e9 / n);
    th_sched_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_of_a_delivery),
        cmocka_unit_test(memory_of_an_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
