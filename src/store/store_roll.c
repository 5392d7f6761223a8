/* Rollups of attempts: how they are made, and how they age.
 *
 * Why not rows that every settle changes: that is pages more for each commit. A settle writes nothing for them. When a run of attempts
 * is collected (store_build.c), which reads each attempt once anyway, what they came to is summed up by minute, and the sums are added to
 * the rows of `roll`. A run is 16,384 attempts or what is left of a day. Whoever asks for numbers adds the attempts above the mark
 * `sealed.attempt`, which are in no row yet (store_stats.c), so the answer is exact at any moment.
 *
 * When rows of minutes are older than two days, their sums are added to those of the hour and they are deleted, in one transaction; so
 * do hours after 31 days, and days go after 400. "Older" is measured from the newest attempt of the run at hand: the store has no
 * clock. Therefore each attempt is in exactly one row of each kind.
 *
 * Invariants: (1) a row says up to which number its attempts are in it (`upto`); all that lie in its time and below that are. A run's
 * sums are added to a row only if its `upto` is not above the run's first number, so a run that was half written when the process died, and
 * is collected again, adds nothing twice. (2) The mark moves in the commit of a run's last row. (3) What a reader has made of the
 * rows counts only if nobody has changed them since: `rolled` in `counter` rises with each slice and must be what the reader found, or the
 * slice is given up and the run is collected anew. So several nodes, and deletions, do not get into each other's way. (4) An attempt
 * above the mark that is to be deleted is added to its rows in the same transaction; rows that have it already (`upto`) are left alone.
 *
 * A value is the outcomes that occurred with their counts, then the classes of times with theirs (base/timehist.h). */
#include "store/store_roll.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/sorted.h"
#include "base/timehist.h"
#include "store/store_rows.h"
#include "store/store_scan.h"
#include "store/store_usage.h"
#include <stdlib.h>

enum {
    VALUE_MOST = 1 + TH_STATS_OUTCOMES * 6 + TH_TIMEHIST_CLASSES * 6,
    AGE_ROWS =
        4096, /* rows of one level that become coarser with one run, and twice as many as the run makes */
    AGE_STEPS = 100, /* and so many steps of the next level */
    KEEP_MINUTES = 2 * 1440,
    KEEP_HOURS = 31 * 1440,
    KEEP_DAYS = 400 * 1440
};
#define ROLLED ST_ROLLED

/* ---- values ---- */

static size_t put_count(unsigned char *p, uint32_t n)
{
    size_t i = 0;

    for (; n >= 128; n >>= 7)
        p[i++] = (unsigned char)(n | 128);
    p[i++] = (unsigned char)n;
    return i;
}

static size_t pack(unsigned char *p, const struct th_stats_bucket *b)
{
    size_t n = 1;

    p[0] = 0;
    for (unsigned i = 0; i < TH_STATS_OUTCOMES; i++)
        if (b->by[i]) {
            p[0]++;
            p[n++] = (unsigned char)i;
            n += put_count(p + n, b->by[i]);
        }
    for (unsigned i = 0; i < TH_TIMEHIST_CLASSES; i++)
        if (b->times[i]) {
            p[n++] = (unsigned char)i;
            n += put_count(p + n, b->times[i]);
        }
    TH_CHECK(n <= VALUE_MOST);
    return n;
}

static bool get_pair(struct th_span *v, unsigned *index, uint32_t *count)
{
    unsigned shift = 0;

    if (v->n < 2)
        return false;
    *index = (unsigned char)v->p[0];
    *count = 0;
    for (size_t i = 1; i < v->n && shift < 35; i++, shift += 7) {
        unsigned char c = (unsigned char)v->p[i];

        *count |= (uint32_t)(c & 127) << shift;
        if (c < 128) {
            *v = th_span(v->p + i + 1, v->n - i - 1);
            return true;
        }
    }
    return false;
}

bool st_roll_add(struct th_stats_bucket *to, struct th_span v)
{
    unsigned outcomes, index;
    uint32_t count;

    if (!v.n)
        return false;
    outcomes = (unsigned char)v.p[0];
    v = th_span(v.p + 1, v.n - 1);
    for (; outcomes; outcomes--) {
        if (!get_pair(&v, &index, &count) || index >= TH_STATS_OUTCOMES)
            return false;
        to->by[index] += count;
    }
    while (v.n) {
        if (!get_pair(&v, &index, &count) || index >= TH_TIMEHIST_CLASSES)
            return false;
        to->times[index] += count;
    }
    return true;
}

/* ---- attempts ---- */

void st_roll_attempt(struct st_stmt *st, struct st_roll_attempt *out)
{
    struct th_span times = st_col(st, 5);
    unsigned flags = (unsigned)st_col_u64(st, 4);
    int64_t at = st_col_i64(st, 2);
    int32_t us = st_rows_total_us(times);

    *out = (struct st_roll_attempt){
        .no = st_col_u64(st, 0),
        .endpoint = st_col_u64(st, 1),
        .minute = st_roll_minute(at),
        .end_ms = at + (us > 0 ? us / 1000 + 1 : 0),
        .us = us,
        .outcome = (uint8_t)th_stats_outcome((uint8_t)st_col_u64(st, 3), flags & ST_FLAG_OK),
        .test = flags & ST_FLAG_TEST};
}

void st_roll_count(struct th_stats_bucket *to, const struct st_roll_attempt *a)
{
    to->by[a->outcome]++;
    if (a->us >= 0)
        to->times[th_timehist_class(a->us)]++;
}

/* ---- a run ---- */

struct st_sample {
    uint64_t endpoint;
    int64_t minute;
    uint8_t outcome, class; /* class NO_TIME: not known */
};
#define NO_TIME 255

/* A sample as one number that sorts: minute (from the first one of the run) 22 bits, kind 2, place in the list of keys 14, outcome 4, class
 * of time 8. */
#define MINUTES_MOST ((int64_t)1 << 22)
#define SAMPLE(minute, kind, place, outcome, class)                                                          \
    ((uint64_t)(minute) << 28 | (uint64_t)(kind) << 26 | (uint64_t)(place) << 12 |                           \
     (uint64_t)(outcome) << 8 | (class))

int st_roll_sample(struct st_build *b, struct st_stmt *st)
{
    struct st_roll_attempt a;

    if (!b->samples)
        b->samples = th_malloc(ST_RUN_NUMBERS * sizeof *b->samples);
    if (!b->samples)
        return ST_NOMEM;
    st_roll_attempt(st, &a);
    if (!a.test)
        b->samples[b->sample_count++] = (struct st_sample){
            a.endpoint, a.minute, a.outcome, a.us >= 0 ? (uint8_t)th_timehist_class(a.us) : NO_TIME};
    return ST_OK;
}

/* What is collected of one run. */
struct fold {
    struct st_reader *r;
    struct st_build *b;
    uint64_t *endpoints, *tenants; /* distinct, sorted; the first ones */
    uint64_t *of;                  /* of each endpoint: its tenant */
    uint32_t endpoint_count, tenant_count;
    uint64_t *keys; /* the samples */
    uint32_t key_count;
    int64_t first, newest; /* minutes */
};

static uint32_t place_of(const uint64_t *v, uint32_t n, uint64_t no)
{
    uint32_t at;
    bool found = th_sorted_find(v, n, no, &at);

    TH_CHECK(found);
    return at;
}

static int find_keys(struct fold *f)
{
    const struct st_build *b = f->b;
    int rc = ST_OK;

    for (uint32_t i = 0; i < b->sample_count; i++)
        f->endpoints[i] = b->samples[i].endpoint;
    f->endpoint_count = th_sorted_distinct(f->endpoints, b->sample_count);
    for (uint32_t i = 0; rc == ST_OK && i < f->endpoint_count; i++) {
        struct st_stmt *st = f->r->st[ST_R_ENDPOINT_TENANT];

        st_u64(st, 1, f->endpoints[i]);
        rc = st_number(st, &f->of[i]);
        f->tenants[i] = f->of[i];
    }
    f->tenant_count = th_sorted_distinct(f->tenants, f->endpoint_count);
    return rc;
}

static void make_keys(struct fold *f)
{
    const struct st_build *b = f->b;

    f->first = INT64_MAX;
    f->newest = INT64_MIN;
    for (uint32_t i = 0; i < b->sample_count; i++) {
        f->first = b->samples[i].minute < f->first ? b->samples[i].minute : f->first;
        f->newest = b->samples[i].minute > f->newest ? b->samples[i].minute : f->newest;
    }
    if (f->newest - f->first >= MINUTES_MOST) /* a clock was years off */
        f->first = f->newest - MINUTES_MOST + 1;
    for (uint32_t i = 0; i < b->sample_count; i++) {
        const struct st_sample *s = &b->samples[i];
        int64_t minute = s->minute > f->first ? s->minute - f->first : 0;
        uint32_t endpoint = place_of(f->endpoints, f->endpoint_count, s->endpoint);
        uint32_t tenant = place_of(f->tenants, f->tenant_count, f->of[endpoint]);

        f->keys[f->key_count++] = SAMPLE(minute, ST_ROLL_ALL, 0, s->outcome, s->class);
        f->keys[f->key_count++] = SAMPLE(minute, ST_ROLL_TENANT, tenant, s->outcome, s->class);
        f->keys[f->key_count++] = SAMPLE(minute, ST_ROLL_ENDPOINT, endpoint, s->outcome, s->class);
    }
    th_sorted_make(f->keys, f->key_count);
}

/** Adds a row to what will be written. */
static int emit(struct st_build *b, struct st_roll roll, const struct th_stats_bucket *value)
{
    unsigned char packed[VALUE_MOST];

    if (b->roll_count == b->roll_room) {
        uint32_t room = b->roll_room ? 2 * b->roll_room : 1024;
        struct st_roll *more = th_realloc(b->rolls, room * sizeof *more);

        if (!more)
            return ST_NOMEM;
        b->rolls = more;
        b->roll_room = room;
    }
    if (value) {
        roll.at = (uint32_t)b->values.n;
        roll.n = (uint32_t)pack(packed, value);
        th_buf_add(&b->values, packed, roll.n);
        if (b->values.failed)
            return ST_NOMEM;
    }
    b->rolls[b->roll_count++] = roll;
    return ST_OK;
}

/* The rows of a level and a time, in order of kind and key, beside which others are walked in the same order. */
struct beside {
    struct st_stmt *st;
    bool has;
};

static int beside_step(struct beside *s)
{
    int rc = st_step(s->st);

    s->has = rc == ST_ROW;
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

static int beside_open(struct beside *s, struct st_reader *r, unsigned level, int64_t t)
{
    s->st = r->st[ST_R_ROLL_AT];
    st_u64(s->st, 1, level);
    st_i64(s->st, 2, t);
    return beside_step(s);
}

/** Moves on to the row of a kind and key. *found: there is one. */
static int beside_find(struct beside *s, uint64_t kind, uint64_t key, bool *found)
{
    int rc = ST_OK;

    while (rc == ST_OK && s->has &&
           (st_col_u64(s->st, 0) < kind || (st_col_u64(s->st, 0) == kind && st_col_u64(s->st, 1) < key)))
        rc = beside_step(s);
    *found = rc == ST_OK && s->has && st_col_u64(s->st, 0) == kind && st_col_u64(s->st, 1) == key;
    return rc;
}

/** The samples keys[from .. to) are of one minute, kind and key. */
static int fold_group(struct fold *f, struct beside *rows, int64_t t, uint32_t from, uint32_t to)
{
    uint64_t kind = f->keys[from] >> 26 & 3, place = f->keys[from] >> 12 & (ST_RUN_NUMBERS - 1);
    uint64_t key = kind == ST_ROLL_ALL ? 0 : kind == ST_ROLL_TENANT ? f->tenants[place] : f->endpoints[place];
    struct st_roll roll = {.kind = (uint8_t)kind,
                           .level = ST_ROLL_MINUTE,
                           .begins = true,
                           .t = t,
                           .key = key,
                           .upto = (f->b->run + 1) << ST_RUN_SHIFT};
    struct th_stats_bucket sum = {0};
    bool found;
    int rc = beside_find(rows, kind, key, &found);

    if (rc != ST_OK || (found && st_col_u64(rows->st, 2) >= roll.upto))
        return rc;
    if (found && !st_roll_add(&sum, st_col(rows->st, 3)))
        return ST_CORRUPT;
    for (uint32_t i = from; i < to; i++) {
        unsigned class = f->keys[i] & 255;

        sum.by[f->keys[i] >> 8 & 15]++;
        if (class != NO_TIME)
            sum.times[class]++;
    }
    return emit(f->b, roll, &sum);
}

static int fold_all(struct fold *f)
{
    uint32_t i = 0;
    int rc = ST_OK;

    while (rc == ST_OK && i < f->key_count) {
        uint64_t minute = f->keys[i] >> 28;
        struct beside rows;

        rc = beside_open(&rows, f->r, ST_ROLL_MINUTE, f->first + (int64_t)minute);
        while (rc == ST_OK && i < f->key_count && f->keys[i] >> 28 == minute) {
            uint32_t from = i;

            while (i < f->key_count && f->keys[i] >> 12 == f->keys[from] >> 12)
                i++;
            rc = fold_group(f, &rows, f->first + (int64_t)minute, from, i);
        }
        st_reset(rows.st);
    }
    return rc;
}

/* ---- rows that become coarser ---- */

struct old_row {
    int64_t t;
    uint64_t key, upto;
    uint8_t kind;
    uint32_t at, n; /* in `values` */
};

static int by_key_and_time(const void *a, const void *b)
{
    const struct old_row *x = a, *y = b;

    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1)
           : x->key != y->key ? (x->key < y->key ? -1 : 1)
                              : (x->t < y->t ? -1 : x->t > y->t);
}

/** What becomes coarser of one level: rows from `from` on and before `before`, at most `most` with one run. */
struct aging {
    unsigned level;
    int64_t from, before, step, start; /* start: of the step of the next level in which the rows lie */
    struct old_row *rows;
    uint32_t count, most;
    struct th_buf values;
};

static int64_t floor_to(int64_t t, int64_t step)
{
    return t - (t % step + step) % step;
}

/** The oldest rows, all in one step of the next level. */
static int find_old(struct st_reader *r, struct aging *g)
{
    struct st_stmt *st = r->st[ST_R_ROLL_OLD];
    int rc;

    g->count = 0;
    th_buf_reset(&g->values);
    st_u64(st, 1, g->level);
    st_i64(st, 2, g->before);
    st_u64(st, 3, g->most);
    st_i64(st, 4, g->from);
    while ((rc = st_step(st)) == ST_ROW && g->count < g->most) {
        int64_t t = st_col_i64(st, 0);
        struct th_span v = st_col(st, 4);

        if (g->count && floor_to(t, g->step) != g->start)
            break;
        g->start = floor_to(t, g->step);
        g->rows[g->count++] = (struct old_row){t,
                                               st_col_u64(st, 2),
                                               st_col_u64(st, 3),
                                               (uint8_t)st_col_u64(st, 1),
                                               (uint32_t)g->values.n,
                                               (uint32_t)v.n};
        th_buf_add(&g->values, v.p, v.n);
    }
    st_reset(st);
    if (g->values.failed)
        return ST_NOMEM;
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

/** Of one kind and key: a row of the next level with all, or (after the days) nothing, and the rows go. */
static int merge_old(struct st_build *b, const struct aging *g, struct beside *next,
                     const struct old_row *rows, uint32_t count)
{
    unsigned level = g->level;
    struct st_roll roll = {.kind = rows[0].kind,
                           .level = (uint8_t)(level + 1),
                           .begins = true,
                           .t = g->start,
                           .key = rows[0].key};
    struct th_stats_bucket sum = {0};
    bool found = false;
    int rc = ST_OK;

    if (level < ST_ROLL_DAY) {
        rc = beside_find(next, roll.kind, roll.key, &found);
        if (rc == ST_OK && found) {
            roll.upto = st_col_u64(next->st, 2);
            if (!st_roll_add(&sum, st_col(next->st, 3)))
                return ST_CORRUPT;
        }
        for (uint32_t i = 0; i < count; i++) {
            roll.upto = rows[i].upto > roll.upto ? rows[i].upto : roll.upto;
            if (!st_roll_add(&sum, th_span((const char *)g->values.p + rows[i].at, rows[i].n)))
                return ST_CORRUPT;
        }
        if (rc == ST_OK)
            rc = emit(b, roll, &sum);
    }
    for (uint32_t i = 0; rc == ST_OK && i < count; i++)
        rc = emit(b,
                  (struct st_roll){.kind = rows[i].kind,
                                   .level = (uint8_t)level,
                                   .del = true,
                                   .begins = level == ST_ROLL_DAY,
                                   .t = rows[i].t,
                                   .key = rows[i].key},
                  NULL);
    return rc;
}

static int age_step(struct st_reader *r, struct st_build *b, struct aging *g)
{
    struct beside next = {0};
    int rc = find_old(r, g);

    if (rc != ST_OK || !g->count)
        return rc;
    qsort(g->rows, g->count, sizeof *g->rows, by_key_and_time);
    if (g->level < ST_ROLL_DAY)
        rc = beside_open(&next, r, g->level + 1, g->start);
    for (uint32_t i = 0, from = 0; rc == ST_OK && i < g->count; from = i) {
        while (i < g->count && g->rows[i].kind == g->rows[from].kind && g->rows[i].key == g->rows[from].key)
            i++;
        rc = merge_old(b, g, &next, g->rows + from, i - from);
    }
    if (next.st)
        st_reset(next.st);
    return rc;
}

/** Step after step of one level, the oldest first. *oldest: below the first of them. */
static int age_level(struct st_reader *r, struct st_build *b, struct aging *g, int64_t *oldest)
{
    uint32_t left = g->most;
    int rc = ST_OK;

    g->from = INT64_MIN / 2;
    for (unsigned steps = 0; rc == ST_OK && left && steps < AGE_STEPS; steps++) {
        g->most = left;
        rc = age_step(r, b, g);
        if (!g->count)
            break;
        *oldest = g->start < *oldest ? g->start : *oldest;
        left -= g->count; /* the rest of a step that is cut comes with the next run */
        g->from = g->start + g->step;
    }
    return rc;
}

/** Rows become coarser that are older than this run's: what it adds is not in them. Each level leaves alone what the one before it has
 * just made. Twice what a run makes at the most is enough to keep up. */
static int age(struct st_reader *r, struct st_build *b, int64_t first, int64_t newest)
{
    static const int64_t keep[ST_ROLL_LEVELS] = {KEEP_MINUTES, KEEP_HOURS, KEEP_DAYS};
    struct aging g = {0};
    uint32_t most = AGE_ROWS + 2 * b->roll_count;
    int64_t oldest = first;
    int rc = ST_OK;

    g.rows = th_malloc(most * sizeof *g.rows);
    if (!g.rows)
        return ST_NOMEM;
    th_buf_init(&g.values, most * (size_t)VALUE_MOST);
    for (unsigned level = 0; rc == ST_OK && level < ST_ROLL_LEVELS; level++) {
        int64_t before = newest - keep[level] < oldest ? newest - keep[level] : oldest;

        g.level = level;
        g.most = most;
        g.step = st_roll_minutes(level < ST_ROLL_DAY ? level + 1 : level);
        g.before = floor_to(before, g.step);
        rc = age_level(r, b, &g, &oldest);
    }
    th_buf_fini(&g.values);
    th_free(g.rows);
    return rc;
}

int st_roll_collect(struct st_reader *r, struct st_build *b)
{
    struct fold f = {.r = r, .b = b};
    size_t n = b->sample_count;
    uint64_t *room;
    int rc;

    if (!n)
        return ST_OK;
    room = th_malloc(n * 6 * sizeof *room);
    if (!room)
        return ST_NOMEM;
    f.endpoints = room;
    f.tenants = room + n;
    f.of = room + 2 * n;
    f.keys = room + 3 * n;
    st_text(r->st[ST_R_BUILT], 1, TH_LIT(ROLLED));
    rc = st_number(r->st[ST_R_BUILT], &b->rolled);
    if (rc == ST_OK)
        rc = find_keys(&f);
    if (rc == ST_OK) {
        make_keys(&f);
        rc = fold_all(&f);
    }
    if (rc == ST_OK)
        rc = age(r, b, f.first, f.newest);
    th_free(room);
    return rc;
}

void st_roll_free(struct st_build *b)
{
    th_free(b->samples);
    th_free(b->rolls);
    th_buf_fini(&b->values);
    b->samples = NULL;
    b->rolls = NULL;
    b->roll_room = 0;
}

/* ---- the writer ---- */

static int put(struct st_writer *w, const struct st_roll *roll, struct th_span value)
{
    struct st_stmt *st = w->st[roll->del ? ST_W_ROLL_DEL : ST_W_ROLL_PUT];

    st_u64(st, 1, roll->level);
    st_i64(st, 2, roll->t);
    st_u64(st, 3, roll->kind);
    st_u64(st, 4, roll->key);
    if (!roll->del) {
        st_u64(st, 5, roll->upto);
        st_blob(st, 6, value);
    }
    return st_run(st);
}

static int note_changed(struct st_writer *w, uint64_t rolled)
{
    struct st_stmt *st = w->st[ST_W_COUNTER];

    st_text(st, 1, TH_LIT(ROLLED));
    st_u64(st, 2, rolled);
    return st_run(st);
}

static int read_counter(struct st_writer *w, const char *name, uint64_t *out)
{
    st_text(w->st[ST_W_COUNTER_GET], 1, th_str(name));
    return st_number(w->st[ST_W_COUNTER_GET], out);
}

int st_roll_slice(struct st_writer *w, struct st_build *b)
{
    uint32_t i = b->roll_done;
    uint64_t rolled;
    int rc = read_counter(w, ROLLED, &rolled);

    if (rc != ST_OK)
        return rc;
    b->lost = rolled != b->rolled;
    if (b->lost)
        return ST_OK;
    while (rc == ST_OK && i < b->roll_count && (i - b->roll_done < ST_BUILD_ROWS || !b->rolls[i].begins)) {
        rc = put(w, &b->rolls[i], th_span((const char *)b->values.p + b->rolls[i].at, b->rolls[i].n));
        i++;
    }
    b->roll_end = i;
    return rc == ST_OK ? note_changed(w, rolled + 1) : rc;
}

int st_roll_begin(struct st_writer *w)
{
    return read_counter(w, st_scan_mark(ST_RUN_ATTEMPT), &w->sealed_attempt);
}

static int keep_in(struct st_writer *w, const struct st_roll_attempt *a, unsigned kind, uint64_t key)
{
    struct st_stmt *st = w->st[ST_W_ROLL_GET];
    struct st_roll roll = {.level = ST_ROLL_MINUTE,
                           .kind = (uint8_t)kind,
                           .t = a->minute,
                           .key = key,
                           .upto = w->sealed_attempt};
    struct th_stats_bucket sum = {0};
    unsigned char packed[VALUE_MOST];
    bool had = false, good = true;
    int rc;

    st_u64(st, 1, roll.level);
    st_i64(st, 2, roll.t);
    st_u64(st, 3, roll.kind);
    st_u64(st, 4, roll.key);
    rc = st_step(st);
    if (rc == ST_ROW) {
        roll.upto = st_col_u64(st, 0);
        had = roll.upto > a->no;
        good = st_roll_add(&sum, st_col(st, 1));
    }
    st_reset(st);
    if (rc != ST_ROW && rc != ST_DONE)
        return rc;
    if (!good)
        return ST_CORRUPT;
    if (had)
        return ST_OK;
    st_roll_count(&sum, a);
    return put(w, &roll, th_span((const char *)packed, pack(packed, &sum)));
}

int st_roll_keep(struct st_writer *w, const struct st_roll_attempt *a)
{
    uint64_t tenant, rolled;
    int rc;

    if (a->test || a->no < w->sealed_attempt)
        return ST_OK;
    rc = st_usage_tenant(w, a->endpoint, &tenant);
    if (rc == ST_OK)
        rc = keep_in(w, a, ST_ROLL_ALL, 0);
    if (rc == ST_OK)
        rc = keep_in(w, a, ST_ROLL_TENANT, tenant);
    if (rc == ST_OK)
        rc = keep_in(w, a, ST_ROLL_ENDPOINT, a->endpoint);
    if (rc == ST_OK)
        rc = read_counter(w, ROLLED, &rolled);
    return rc == ST_OK ? note_changed(w, rolled + 1) : rc;
}
