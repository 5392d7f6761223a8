/* An endpoint's own schedule: read, judged by the dialect's limits, written, and laid over the dialect's rules.
 *
 * Why a dialect has to allow it: what receivers of a vendor were promised is that vendor's schedule, so an endpoint may choose
 * only where the dialect's file says how far. What an endpoint does not set stays the dialect's. Nothing here can fail but by a
 * fault of the input. */
#include "core/retry_own.h"
#include <stdarg.h>
#include <stdio.h>

#define DELAY_MAX_S 31536000
#define RETRY_AFTER_MAX_S 86400

static enum th_error refuse(struct th_retry_fault *f, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum th_error refuse(struct th_retry_fault *f, const char *pointer, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    snprintf(f->pointer, sizeof f->pointer, "%s", pointer);
    vsnprintf(f->what, sizeof f->what, format, ap);
    va_end(ap);
    return TH_INVALID;
}

/* ---- statuses ---- */

bool th_retry_status_read(struct th_span s, struct th_status_range *out)
{
    uint64_t lo, hi;

    if (s.n == 3 && s.p[1] == 'x' && s.p[2] == 'x' && s.p[0] >= '2' && s.p[0] <= '5') {
        lo = (uint64_t)(s.p[0] - '0') * 100;
        hi = lo + 99;
    } else if (s.n == 7 && s.p[3] == '-') {
        if (!th_span_u64(th_span(s.p, 3), 599, &lo) || !th_span_u64(th_span(s.p + 4, 3), 599, &hi))
            return false;
    } else {
        if (s.n != 3 || !th_span_u64(s, 599, &lo))
            return false;
        hi = lo;
    }
    *out = (struct th_status_range){(uint16_t)lo, (uint16_t)hi};
    return lo >= 200 && lo <= hi;
}

void th_retry_statuses_write(const struct th_status_set *set, struct th_jw *w)
{
    th_jw_array(w);
    for (unsigned i = 0; i < set->count; i++) {
        char text[16];
        unsigned lo = set->range[i].lo, hi = set->range[i].hi;
        int n = lo == hi                         ? snprintf(text, sizeof text, "%u", lo)
                : lo % 100 == 0 && hi == lo + 99 ? snprintf(text, sizeof text, "%uxx", lo / 100)
                                                 : snprintf(text, sizeof text, "%u-%u", lo, hi);
        th_jw_string(w, th_span(text, (size_t)n));
    }
    th_jw_end_array(w);
}

/* ---- reading ---- */

/* Seconds as a number, or a text such as "30s", "5m", "2h", "1d". */
static bool read_delay(struct th_json v, uint32_t *out)
{
    static const char units[] = "smhd";
    static const uint32_t seconds[] = {1, 60, 3600, 86400};
    struct th_span text = v.raw;
    const char *unit;
    int64_t n;
    uint64_t count;

    if (v.type == TH_JSON_NUMBER) {
        if (!th_json_i64(v, &n) || n < 1 || n > DELAY_MAX_S)
            return false;
        *out = (uint32_t)n;
        return true;
    }
    if (v.type != TH_JSON_STRING || text.n < 4) /* with its quotation marks */
        return false;
    unit = strchr(units, text.p[text.n - 2]);
    if (!unit || !*unit || !th_span_u64(th_span(text.p + 1, text.n - 3), DELAY_MAX_S, &count))
        return false;
    count *= seconds[unit - units];
    *out = (uint32_t)count;
    return count >= 1 && count <= DELAY_MAX_S;
}

static enum th_error read_delays(struct th_json list, struct th_retry_own *own, struct th_retry_fault *f)
{
    struct th_json v;
    struct th_json_iter it;
    char at[32];

    own->delays = 0;
    own->has_delays = list.type != TH_JSON_NULL;
    if (!own->has_delays)
        return TH_OK;
    if (list.type != TH_JSON_ARRAY)
        return refuse(f, "/delays", "must be a list of seconds");
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &v)) {
        if (own->delays == TH_MAX_DELAYS)
            return refuse(f, "/delays", "has more than %d entries", TH_MAX_DELAYS);
        snprintf(at, sizeof at, "/delays/%u", own->delays);
        if (!read_delay(v, &own->delay_s[own->delays]))
            return refuse(f, at, "must be whole seconds from 1 to %d, or a text such as \"5m\"", DELAY_MAX_S);
        own->delays++;
    }
    return TH_OK;
}

static enum th_error read_final(struct th_json list, struct th_retry_own *own, struct th_retry_fault *f)
{
    struct th_json v;
    struct th_json_iter it;
    char at[32];

    own->final = (struct th_status_set){.count = 0};
    own->has_final = list.type != TH_JSON_NULL;
    if (!own->has_final)
        return TH_OK;
    if (list.type != TH_JSON_ARRAY)
        return refuse(f, "/final", "must be a list of statuses");
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &v)) {
        struct th_span text = v.type == TH_JSON_STRING ? th_span(v.raw.p + 1, v.raw.n - 2) : v.raw;
        if (own->final.count == TH_MAX_RANGES)
            return refuse(f, "/final", "has more than %d entries", TH_MAX_RANGES);
        snprintf(at, sizeof at, "/final/%u", own->final.count);
        if (!th_retry_status_read(text, &own->final.range[own->final.count]))
            return refuse(f, at,
                          "must be a status (404), a class (4xx) or a range (400-499), from 200 to 599");
        own->final.count++;
    }
    return TH_OK;
}

static enum th_error read_jitter(struct th_json v, struct th_retry_own *own, struct th_retry_fault *f)
{
    int64_t n = 0;

    own->has_jitter = v.type != TH_JSON_NULL;
    if (own->has_jitter && (v.type != TH_JSON_NUMBER || !th_json_i64(v, &n) || n < 0 || n > 100))
        return refuse(f, "/jitter_percent", "must be a whole number from 0 to 100");
    own->jitter_percent = (uint8_t)n;
    return TH_OK;
}

static enum th_error read_respect(struct th_json v, struct th_retry_own *own, struct th_retry_fault *f)
{
    bool on;

    own->respect = TH_RETRY_AFTER_BY_DIALECT;
    if (v.type == TH_JSON_NULL)
        return TH_OK;
    if (!th_json_bool(v, &on))
        return refuse(f, "/respect_retry_after", "must be true or false");
    own->respect = on ? TH_RETRY_AFTER_YES : TH_RETRY_AFTER_NO;
    return TH_OK;
}

static const struct {
    const char *name;
    enum th_error (*read)(struct th_json, struct th_retry_own *, struct th_retry_fault *);
} members[] = {{"delays", read_delays},
               {"jitter_percent", read_jitter},
               {"final", read_final},
               {"respect_retry_after", read_respect}};
#define MEMBERS (sizeof members / sizeof members[0])

static enum th_error read_member(struct th_json key, struct th_json value, unsigned *seen,
                                 struct th_retry_own *own, struct th_retry_fault *f)
{
    char at[40];

    for (unsigned i = 0; i < MEMBERS; i++)
        if (th_json_string_eq(key, th_str(members[i].name))) {
            snprintf(at, sizeof at, "/%s", members[i].name);
            if (*seen & 1u << i)
                return refuse(f, at, "is given twice");
            *seen |= 1u << i;
            return members[i].read(value, own, f);
        }
    return refuse(f, "", "has a member %.*s; there are delays, jitter_percent, final and respect_retry_after",
                  (int)(key.raw.n < 40 ? key.raw.n : 40), key.raw.p);
}

enum th_error th_retry_own_read(struct th_json object, struct th_retry_own *own, struct th_retry_fault *f)
{
    struct th_json key, value;
    struct th_json_iter it;
    unsigned seen = 0;
    enum th_error error = TH_OK;

    if (object.type != TH_JSON_OBJECT)
        return refuse(f, "", "must be an object");
    th_json_iter(&it, object);
    while (!error && th_json_next(&it, &key, &value))
        error = read_member(key, value, &seen, own, f);
    return error;
}

/* ---- judging ---- */

enum th_error th_retry_own_check(const struct th_rules *rules, const struct th_retry_own *own,
                                 struct th_retry_fault *f)
{
    uint64_t sum = 0;
    char at[32];

    if (!rules->own_delays)
        return refuse(f, "",
                      "cannot be set: the schedule is part of this dialect's contract (its retry.own says "
                      "what endpoints may choose, and it has none)");
    if (own->delays > rules->own_delays)
        return refuse(f, "/delays", "has %u entries; this dialect allows %u", own->delays, rules->own_delays);
    for (unsigned i = 0; i < own->delays; i++)
        sum += own->delay_s[i];
    if (sum > rules->own_s)
        return refuse(f, "/delays", "are %llu seconds together; this dialect allows %u",
                      (unsigned long long)sum, rules->own_s);
    for (unsigned i = 0; i < own->final.count; i++)
        for (unsigned s = own->final.range[i].lo; s <= own->final.range[i].hi; s++)
            if (th_status_in(&rules->success, s)) {
                snprintf(at, sizeof at, "/final/%u", i);
                return refuse(f, at, "has %u, which means delivered", s);
            }
    return TH_OK;
}

/* ---- writing ---- */

void th_retry_own_write(const struct th_retry_own *own, struct th_jw *w)
{
    th_jw_object(w);
    if (own->has_delays) {
        th_jw_key(w, TH_LIT("delays"));
        th_jw_array(w);
        for (unsigned i = 0; i < own->delays; i++)
            th_jw_u64(w, own->delay_s[i]);
        th_jw_end_array(w);
    }
    if (own->has_jitter) {
        th_jw_key(w, TH_LIT("jitter_percent"));
        th_jw_u64(w, own->jitter_percent);
    }
    if (own->has_final) {
        th_jw_key(w, TH_LIT("final"));
        th_retry_statuses_write(&own->final, w);
    }
    if (own->respect) {
        th_jw_key(w, TH_LIT("respect_retry_after"));
        th_jw_bool(w, own->respect == TH_RETRY_AFTER_YES);
    }
    th_jw_end_object(w);
}

/* ---- in force ---- */

static bool same_statuses(const struct th_status_set *a, const struct th_status_set *b)
{
    bool same = a->count == b->count;

    for (unsigned i = 0; same && i < a->count; i++)
        same = a->range[i].lo == b->range[i].lo && a->range[i].hi == b->range[i].hi;
    return same;
}

bool th_retry_own_same(const struct th_retry_own *a, const struct th_retry_own *b)
{
    static const struct th_retry_own none = {.delays = 0};

    a = a ? a : &none;
    b = b ? b : &none;
    return a->has_delays == b->has_delays && a->has_jitter == b->has_jitter && a->has_final == b->has_final &&
           a->respect == b->respect && a->jitter_percent == b->jitter_percent && a->delays == b->delays &&
           memcmp(a->delay_s, b->delay_s, a->delays * sizeof a->delay_s[0]) == 0 &&
           same_statuses(&a->final, &b->final);
}

static void respect(struct th_rules *rules, enum th_retry_respect how)
{
    if (how == TH_RETRY_AFTER_NO)
        rules->retry_after.count = 0;
    if (how == TH_RETRY_AFTER_YES && !rules->retry_after.count) {
        rules->retry_after = (struct th_status_set){.range = {{429, 429}, {503, 503}}, .count = 2};
        rules->retry_after_max_s = RETRY_AFTER_MAX_S;
    }
}

const struct th_rules *th_retry_rules(const struct th_rules *rules, const struct th_retry_own *own,
                                      struct th_rules *room)
{
    if (!own || !rules->own_delays)
        return rules;
    *room = *rules;
    if (own->has_delays) {
        room->delays = own->delays;
        memcpy(room->delay_s, own->delay_s, sizeof own->delay_s);
    }
    if (own->has_jitter)
        room->jitter_percent = own->jitter_percent;
    if (own->has_final)
        room->final = own->final;
    respect(room, own->respect);
    return room;
}

void th_retry_own_of(const struct th_rules *rules, struct th_retry_own *own)
{
    *own = (struct th_retry_own){.delays = rules->delays,
                                 .jitter_percent = rules->jitter_percent,
                                 .has_delays = true,
                                 .has_jitter = true,
                                 .has_final = true,
                                 .respect = rules->retry_after.count ? TH_RETRY_AFTER_YES : TH_RETRY_AFTER_NO,
                                 .final = rules->final};
    memcpy(own->delay_s, rules->delay_s, sizeof own->delay_s);
}

int64_t th_retry_longest_delay_ms(const struct th_rules *rules)
{
    int64_t longest = 0;

    for (unsigned i = 0; i < rules->delays; i++)
        if (rules->delay_s[i] > longest)
            longest = rules->delay_s[i];
    return longest * 10 * (100 + rules->jitter_percent);
}

int64_t th_retry_longest_ms(const struct th_rules *rules)
{
    int64_t ms = 0;

    for (unsigned i = 0; i < rules->delays; i++)
        ms += (int64_t)rules->delay_s[i] * 10 * (100 + rules->jitter_percent);
    return ms;
}
