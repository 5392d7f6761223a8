/* Rollups: what attempts came to and how long they took, by minute, hour and day, of the installation, of tenants and of endpoints. They
 * are written with the sorted runs of attempts, stay when retention deletes the attempts, and become coarser as they age. */
#ifndef TH_STORE_ROLL_H
#define TH_STORE_ROLL_H
#include "store/store_build.h"
#include "store/store_reader.h"
#include "store/store_writer.h"

#define ST_MINUTE_MS INT64_C(60000)
#define ST_ROLLED "rolled" /* counter: rises whenever rows of rollups change */

/** The minute since 1970 in which a time lies. */
static inline int64_t st_roll_minute(int64_t ms)
{
    return ms >= 0 ? ms / ST_MINUTE_MS : -1 - (-1 - ms) / ST_MINUTE_MS;
}

enum st_roll_level { ST_ROLL_MINUTE, ST_ROLL_HOUR, ST_ROLL_DAY, ST_ROLL_LEVELS };
enum st_roll_kind { ST_ROLL_ALL, ST_ROLL_TENANT, ST_ROLL_ENDPOINT }; /* key: 0, tenant, endpoint */

/** Minutes in a step of a level. */
static inline int64_t st_roll_minutes(unsigned level)
{
    return level == ST_ROLL_MINUTE ? 1 : level == ST_ROLL_HOUR ? 60 : 1440;
}

/** What counts of an attempt, as statements with the columns no, endpoint, at, class, flags, times give it. */
struct st_roll_attempt {
    uint64_t no, endpoint;
    int64_t minute, end_ms;
    int32_t us; /* -1: not known */
    uint8_t outcome;
    bool test;
};
void st_roll_attempt(struct st_stmt *st, struct st_roll_attempt *out);
/** Adds an attempt. */
void st_roll_count(struct th_stats_bucket *to, const struct st_roll_attempt *a);
/** Adds the value of a row. False: it is damaged. */
bool st_roll_add(struct th_stats_bucket *to, struct th_span value);

/** Makes what a run's attempts add to the rollups, and what has to become coarser: b->rolls. A reader's thread, in a transaction. The
 * attempts were gathered in b->samples (st_roll_sample). */
int st_roll_collect(struct st_reader *r, struct st_build *b);
/** Notes an attempt that a run's statement has given. ST_OK, ST_NOMEM. */
int st_roll_sample(struct st_build *b, struct st_stmt *st);
/** Writes the next slice of b->rolls. The writer's thread, in a transaction. */
int st_roll_slice(struct st_writer *w, struct st_build *b);
void st_roll_free(struct st_build *b);

/** An operation that may delete attempts begins: reads what st_roll_keep needs. */
int st_roll_begin(struct st_writer *w);
/** Puts an attempt that no rollup has yet into the rollups, because it is about to be deleted. */
int st_roll_keep(struct st_writer *w, const struct st_roll_attempt *a);

/** A read op: sums up rollups, and the attempts that are in none yet. A reader's thread. */
void st_roll_stats(struct st_reader *r, struct th_stats *op);
#endif
