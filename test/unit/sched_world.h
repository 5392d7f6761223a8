/* Shared by the scheduler's tests: a scheduler with a virtual clock, and the five dialects' rules by hand. */
#ifndef TEST_SCHED_WORLD_H
#define TEST_SCHED_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka after the C library */
#include <cmocka.h>

#include "base/alloc.h"
#include "core/retry.h"
#include "core/sched.h"

#define S ((int64_t)1000000)

static inline struct th_mono at_us(int64_t us)
{
    return (struct th_mono){us};
}

static inline struct th_sched *world_new(struct th_sched_options options)
{
    struct th_sched *s = NULL;

    options.hash_seed = 42;
    assert_int_equal(th_sched_new(&options, &s), TH_OK);
    return s;
}

static inline void world_check(const struct th_sched *s)
{
    const char *why = th_sched_check(s);

    if (why)
        fail_msg("th_sched_check: %s", why);
}

static inline struct th_sched_endpoint endpoint(uint64_t no, uint64_t tenant)
{
    return (struct th_sched_endpoint){.no = no, .tenant = tenant, .max_in_flight = 16};
}

static inline void put(struct th_sched *s, struct th_sched_endpoint e, int64_t now)
{
    assert_int_equal(th_sched_endpoint_put(s, &e, at_us(now)), TH_OK);
}

static inline struct th_queue_row row(uint64_t no, uint64_t ep, enum th_lane lane)
{
    return (struct th_queue_row){.no = no, .event = no * 10, .endpoint = ep, .lane = (uint8_t)lane, .due = 1};
}

static inline void add(struct th_sched *s, uint64_t no, uint64_t ep, int64_t now)
{
    struct th_queue_row r = row(no, ep, TH_LANE_FRESH);

    assert_int_equal(th_sched_insert(s, &r, at_us(now), at_us(now)), TH_INSERTED);
}

static inline uint64_t pick(struct th_sched *s, int64_t now)
{
    struct th_queue_row r;

    return th_sched_pick(s, at_us(now), &r) ? r.no : 0;
}

static inline void end(struct th_sched *s, uint64_t no, enum th_learn learn, int64_t began, int64_t now)
{
    th_sched_result(s, no, learn, at_us(began), at_us(now));
    th_sched_settled(s, no, NULL, at_us(0), at_us(now));
}

struct dialect_rules {
    const char *name;
    struct th_rules rules;
};
static const struct dialect_rules dialect_rules[] = {
    {"tiro",
     {.delay_s = {15, 30, 300, 1800, 7200},
      .delays = 5,
      .success = {{{200, 299}}, 1},
      .final = {{{400, 499}}, 1}}},
    {"tsanet", {.delay_s = {10, 60, 300}, .delays = 3, .success = {{{200, 299}}, 1}}},
    {"taskboard",
     {.delay_s = {60, 300, 1800}, .delays = 3, .success = {{{200, 299}}, 1}, .disable_after_exhausted = 1}},
    {"techwriter",
     {.delay_s = {5, 30, 300, 1800}, .delays = 4, .success = {{{200, 299}}, 1}, .degraded_after = 3}},
    {"standard",
     {.delay_s = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400},
      .delays = 9,
      .jitter_percent = 10,
      .success = {{{200, 299}}, 1},
      .disable = {{{410, 410}}, 1},
      .retry_after = {{{429, 429}, {503, 503}}, 2},
      .retry_after_max_s = 86400,
      .disable_after_s = 432000}},
};
#define DIALECTS (sizeof dialect_rules / sizeof dialect_rules[0])

static inline const struct th_rules *rules_of(const char *name)
{
    for (size_t i = 0; i < DIALECTS; i++)
        if (!strcmp(dialect_rules[i].name, name))
            return &dialect_rules[i].rules;
    return NULL;
}
#endif
