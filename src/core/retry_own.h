/* The schedule that an endpoint sets for itself, within the limits that its dialect gives (its key `retry.own`). */
#ifndef TH_CORE_RETRY_OWN_H
#define TH_CORE_RETRY_OWN_H
#include "base/json.h"
#include "core/rules.h"

struct th_retry_fault {
    char pointer[48]; /* below the object: "/delays/3", "" */
    char what[160];
};

/** "204", "2xx" or "400-499", from 200 to 599. False: it is none of them. */
bool th_retry_status_read(struct th_span text, struct th_status_range *out);
/** As a list of such texts. */
void th_retry_statuses_write(const struct th_status_set *set, struct th_jw *w);

/** Takes the members of the object into *own; those that are absent stay, null resets one. TH_INVALID: *fault says where and
 * what. */
TH_MUST_USE enum th_error th_retry_own_read(struct th_json object, struct th_retry_own *own,
                                            struct th_retry_fault *fault);
/** Whether the dialect allows it. TH_INVALID: *fault. */
TH_MUST_USE enum th_error th_retry_own_check(const struct th_rules *rules, const struct th_retry_own *own,
                                             struct th_retry_fault *fault);
/** The members that it has, in the form in which they are read. */
void th_retry_own_write(const struct th_retry_own *own, struct th_jw *w);
/** The schedule of the rules, with all members. */
void th_retry_own_of(const struct th_rules *rules, struct th_retry_own *own);
/** Whether both (NULL: none) set the same. */
bool th_retry_own_same(const struct th_retry_own *a, const struct th_retry_own *b);
/** Whether it sets anything. */
static inline bool th_retry_own_any(const struct th_retry_own *own)
{
    return own->has_delays || own->has_jitter || own->has_final || own->respect;
}

/** The rules in force for an endpoint: its own schedule where it has one and the dialect (still) allows that, else the dialect's.
 * own may be NULL. The result is `rules` or *room. */
const struct th_rules *th_retry_rules(const struct th_rules *rules, const struct th_retry_own *own,
                                      struct th_rules *room);
/** The longest single delay of the schedule, with its jitter. */
int64_t th_retry_longest_delay_ms(const struct th_rules *rules);
/** The longest time from the first attempt of a schedule to its last, by the delays and their jitter alone. */
int64_t th_retry_longest_ms(const struct th_rules *rules);
#endif
