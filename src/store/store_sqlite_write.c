/* The writes of the SQLite store: accept, settle, move, probe. Each runs inside a transaction that others
 * share.
 *
 * Why: an op must be all or nothing although it shares its commit. So each op first reads everything that
 * could refuse it, and only then writes; a refusal leaves no row. An unexpected SQLite error is returned to
 * the caller, which rolls the whole group back and runs its ops one by one.
 *
 * It refuses: accepts that were matched against another settings version, keys used with another body, own
 * ids that exist, settles whose attempt counter is not the stored one.
 *
 * Invariants: (1) a delivery number is in `queue` or in `delivery`, never in both; (2) numbers come from
 * w->next, which is reset on rollback, so numbers grow in commit order; (3) the attempts of a delivery hang
 * together by `prev` from the delivery's `last`; (4) no allocation per op.
 *
 * Runs on the writer thread only. */
#include "store/store_sqlite_int.h"

/** The next number for something that happens at a time; its day never falls. Takes n numbers. */
static uint64_t take(uint64_t *next, uint64_t n)
{
    uint64_t first = *next;

    *next += n;
    return first;
}

static void align(uint64_t *next, int64_t at_ms)
{
    uint64_t start = sq_day_start(sq_day(at_ms));

    if (*next < start)
        *next = start;
}

/* ---- accept ---- */

/** Looks for the key under its day and the day before. *found only with SQLITE_OK. */
static int find_idem(struct sq_writer *w, struct th_accept *a, uint64_t day, bool *found)
{
    static const uint8_t none[16];
    sqlite3_stmt *st = w->st[SQ_W_IDEM_GET];

    *found = false;
    for (int back = 0; back < 2 && !*found; back++) {
        int rc;

        sq_i64(st, 1, (int64_t)day - back);
        sq_u64(st, 2, a->tenant);
        sq_blob(st, 3, th_span(a->idem.key, sizeof a->idem.key));
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *found = true;
            a->result = th_span_eq(sq_col(st, 0), th_span(a->idem.body, sizeof a->idem.body)) ||
                                th_span_eq(sq_col(st, 0), th_span(none, sizeof none)) /* erased */
                            ? TH_ACCEPT_REPEATED
                            : TH_ACCEPT_KEY_REUSED;
            a->first_event = sq_col_u64(st, 1);
            a->repeated_count = (uint32_t)sq_col_u64(st, 2);
            rc = SQLITE_DONE;
        }
        sqlite3_reset(st);
        if (rc != SQLITE_DONE)
            return rc;
    }
    return SQLITE_OK;
}

/** True when an earlier event of the same op has this external id; remembers it else. slots: index + 1, 0 free. */
static bool repeats_in_op(struct sq_writer *w, const struct th_accept *a, uint32_t i)
{
    size_t mask = sizeof w->own_slots / sizeof *w->own_slots - 1;
    size_t pos = (size_t)th_hash(a->events[i].external_id, 0x2545f4914f6cdd1du) & mask;

    for (; w->own_slots[pos]; pos = (pos + 1) & mask)
        if (th_span_eq(a->events[w->own_slots[pos] - 1].external_id, a->events[i].external_id))
            return true;
    w->own_slots[pos] = (uint16_t)(i + 1);
    return false;
}

static int find_taken(struct sq_writer *w, struct th_accept *a, bool *taken)
{
    sqlite3_stmt *st = w->st[SQ_W_OWN_GET];
    bool clean = false;

    *taken = false;
    for (uint32_t i = 0; i < a->count; i++) {
        int rc;

        if (!a->events[i].external_id.n)
            continue;
        if (!clean)
            memset(w->own_slots, 0, sizeof w->own_slots);
        clean = true;
        sq_u64(st, 1, a->tenant);
        sq_text(st, 2, a->events[i].external_id);
        rc = sqlite3_step(st);
        sqlite3_reset(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return rc;
        if (rc == SQLITE_ROW || repeats_in_op(w, a, i)) {
            *taken = true;
            a->taken = i;
            a->result = TH_ACCEPT_ID_TAKEN;
            break;
        }
    }
    return SQLITE_OK;
}

/** An op that is sent again after an unknown outcome carries its numbers: the event may be there already. */
static int find_sent_before(struct sq_writer *w, struct th_accept *a, bool *found)
{
    sqlite3_stmt *st = w->st[SQ_W_SAME_EVENT];
    int rc;

    *found = false;
    if (!a->events[0].no)
        return SQLITE_OK;
    sq_u64(st, 1, a->events[0].no);
    sq_u64(st, 2, a->tenant);
    sq_i64(st, 3, a->at.ms);
    sq_u64(st, 4, a->events[0].rnd);
    rc = sqlite3_step(st);
    *found = rc == SQLITE_ROW;
    sqlite3_reset(st);
    if (*found) {
        a->result = TH_ACCEPT_NEW;
        a->first_event = a->events[0].no;
    }
    return *found || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sq_queue_put(struct sq_writer *w, const struct th_queue_row *row)
{
    sqlite3_stmt *st = w->st[SQ_W_QUEUE];
    int rc;

    sq_u64(st, 1, row->no);
    sq_u64(st, 2, row->event);
    sq_u64(st, 3, row->endpoint);
    sq_i64(st, 4, row->due);
    sq_u64(st, 5, sq_rows_lane(row->lane, row->marks, row->order));
    w->next.queued++; /* a transaction that is rolled back puts back all of `next` */
    rc = sq_waiting_add(w, row->endpoint, row->lane, false, 1);
    return rc == SQLITE_OK ? sq_run(st) : rc;
}

/** room: deliveries that this op may still queue. */
static int put_event(struct sq_writer *w, const struct th_accept *a, struct th_new_event *e, uint32_t *room)
{
    bool more = sq_rows_has_more(&e->more);
    sqlite3_stmt *st = w->st[more ? SQ_W_EVENT_MORE : SQ_W_EVENT];
    int rc;

    e->no = take(&w->next.event, 1);
    e->first_delivery = take(&w->next.delivery, e->endpoint_count);
    sq_u64(st, 1, e->no);
    sq_u64(st, 2, a->tenant);
    sq_i64(st, 3, a->at.ms);
    sq_i64(st, 4, sq_rows_time(e->time, a->at));
    sq_u64(st, 5, e->rnd);
    sq_u64(st, 6, e->first_delivery);
    sq_u64(st, 7, e->endpoint_count);
    sq_text(st, 8, e->type);
    sq_text(st, 9, e->external_id);
    sq_text(st, 10, e->resource_type);
    sq_text(st, 11, e->resource_id);
    sq_text(st, 12, e->data);
    if (more)
        sq_rows_bind_more(st, 13, &e->more);
    rc = sq_run(st);
    e->queued = e->endpoint_count < *room ? e->endpoint_count : *room;
    *room -= e->queued;
    for (uint32_t i = 0; rc == SQLITE_OK && i < e->queued; i++)
        rc = sq_queue_put(w, &(struct th_queue_row){.no = e->first_delivery + i,
                                                    .event = e->no,
                                                    .endpoint = e->endpoints[i],
                                                    .due = sq_rows_due(&e->more, a->at),
                                                    .lane = e->lane,
                                                    .marks = e->marks ? e->marks[i] : 0,
                                                    .order = e->orders ? e->orders[i] : 0});
    if (rc == SQLITE_OK && e->external_id.n) {
        st = w->st[SQ_W_OWN_PUT];
        sq_u64(st, 1, a->tenant);
        sq_text(st, 2, e->external_id);
        sq_u64(st, 3, e->no);
        rc = sq_run(st);
    }
    return rc;
}

static int put_idem(struct sq_writer *w, const struct th_accept *a, uint64_t day)
{
    sqlite3_stmt *st = w->st[SQ_W_IDEM_PUT];

    sq_u64(st, 1, day);
    sq_u64(st, 2, a->tenant);
    sq_blob(st, 3, th_span(a->idem.key, sizeof a->idem.key));
    sq_blob(st, 4, th_span(a->idem.body, sizeof a->idem.body));
    sq_u64(st, 5, a->first_event);
    sq_u64(st, 6, a->count);
    return sq_run(st);
}

/** Binding would cut what SQLite cannot hold, so it is refused before; and what a column has no room for. */
static enum th_error check_event(const struct th_new_event *e)
{
    const struct th_span texts[] = {
        e->data,           e->type,          e->external_id,      e->resource_type,    e->resource_id,
        e->more.order_key, e->more.channels, e->more.traceparent, e->more.content_type};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].n > SQ_BYTES_MAX)
            return TH_TOO_LARGE;
    for (uint32_t i = 0; i < e->endpoint_count; i++)
        if ((e->marks && e->marks[i] & ~TH_MARKS) || (e->orders && e->orders[i] > TH_ORDER_MAX))
            return TH_BUG;
    return TH_OK;
}

static enum th_error check_accept(const struct th_accept *a)
{
    enum th_error error = a->count == 0 || a->count > 1000 ? TH_BUG : TH_OK;

    for (uint32_t i = 0; error == TH_OK && i < a->count; i++)
        error = check_event(&a->events[i]);
    return error;
}

static uint64_t bytes_of(const struct th_accept *a)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < a->count; i++)
        n += TH_EVENT_BYTES(&a->events[i]);
    return n;
}

/** What the tenant may have beside what it has. */
static int find_limit(struct sq_writer *w, struct th_accept *a, bool *reached)
{
    const struct sq_use *u;
    uint64_t deliveries = 0;

    *reached = false;
    if (!a->max_bytes && !a->max_unfinished)
        return SQLITE_OK;
    u = sq_use_of(w, a->tenant);
    if (!u)
        return SQLITE_NOMEM;
    for (uint32_t i = 0; i < a->count; i++)
        deliveries += a->events[i].endpoint_count;
    a->limited = !th_usage_fits(u->bytes, bytes_of(a), a->max_bytes)            ? TH_USE_BYTES
                 : !th_usage_fits(u->unfinished, deliveries, a->max_unfinished) ? TH_USE_UNFINISHED
                                                                                : TH_USE_NONE;
    *reached = a->limited != TH_USE_NONE;
    if (*reached)
        a->result = TH_ACCEPT_LIMITED;
    return SQLITE_OK;
}

static int accept(struct sq_writer *w, struct th_accept *a)
{
    uint64_t day = sq_idem_day(w, a->at.ms), version;
    uint32_t room = TH_FANOUT_STEP, all = 0;
    bool found = false, exists;
    int rc;

    a->op.error = check_accept(a);
    if (a->op.error != TH_OK)
        return SQLITE_OK;
    rc = find_sent_before(w, a, &found);
    if (rc == SQLITE_OK && !found && a->idem.given)
        rc = find_idem(w, a, day, &found);
    if (rc != SQLITE_OK || found)
        return rc;
    rc = sq_tenant_version(w, a->tenant, &exists, &version);
    if (rc != SQLITE_OK)
        return rc;
    if (!exists || version != a->settings_version) {
        a->result = TH_ACCEPT_STALE;
        return SQLITE_OK;
    }
    rc = find_taken(w, a, &found);
    if (rc == SQLITE_OK && !found)
        rc = find_limit(w, a, &found);
    if (rc != SQLITE_OK || found)
        return rc;

    align(&w->next.event, a->at.ms);
    align(&w->next.delivery, a->at.ms);
    a->result = TH_ACCEPT_NEW;
    a->first_event = w->next.event;
    for (uint32_t i = 0; rc == SQLITE_OK && i < a->count; i++) {
        rc = put_event(w, a, &a->events[i], &room);
        all += a->events[i].endpoint_count;
    }
    if (rc == SQLITE_OK)
        rc = sq_use_add(w, a->tenant, (int64_t)bytes_of(a), all);
    if (rc == SQLITE_OK && all > TH_FANOUT_STEP)
        rc = sq_fan_note(w, a);
    if (rc == SQLITE_OK && a->idem.given)
        rc = put_idem(w, a, day);
    return rc;
}

/* ---- settle ---- */

int sq_find_delivery(struct sq_writer *w, uint64_t no, struct sq_stored *d)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = w->st[i ? SQ_W_DELIVERY_GET : SQ_W_QUEUE_GET];
        int rc;

        sq_u64(st, 1, no);
        rc = sqlite3_step(st);
        *d = (struct sq_stored){0};
        if (rc == SQLITE_ROW) {
            d->queued = i == 0;
            d->ended = i == 1;
            d->event = sq_col_u64(st, 0);
            d->endpoint = sq_col_u64(st, 1);
            d->lane = sq_rows_lane_of(sq_col_u64(st, 2));
            d->marks = sq_rows_marks_of(sq_col_u64(st, 2));
            d->order = sq_rows_order_of(sq_col_u64(st, 2));
            d->attempts = sq_col_u64(st, 3);
            d->last = sq_col_u64(st, 4);
            d->tries = (uint8_t)sq_col_u64(st, 5);
            d->round = i ? 0 : sqlite3_column_int64(st, 5) >> 8;
            d->due_or_state = sqlite3_column_int64(st, 6);
            d->ended_at = i ? sqlite3_column_int64(st, 7) : 0;
        }
        sqlite3_reset(st);
        if (rc != SQLITE_DONE)
            return rc == SQLITE_ROW ? SQLITE_OK : rc;
    }
    return SQLITE_OK;
}

static int put_attempt(struct sq_writer *w, const struct th_settle *s, uint64_t endpoint, uint64_t prev,
                       uint64_t *no)
{
    sqlite3_stmt *st = w->st[s->row.batch ? SQ_W_ATTEMPT_BATCH : SQ_W_ATTEMPT];
    const struct th_attempt_row *r = &s->row;
    struct sq_packed packed;
    int rc;

    align(&w->next.attempt, r->at.ms);
    *no = take(&w->next.attempt, 1);
    sq_rows_pack(&packed, r);
    sq_u64(st, 1, *no);
    sq_u64(st, 2, s->delivery);
    sq_u64(st, 3, endpoint);
    sq_u64(st, 4, prev);
    sq_u64(st, 5, r->nth);
    sq_i64(st, 6, r->at.ms);
    sq_u64(st, 7, r->status);
    sq_u64(st, 8, r->class);
    sq_u64(st, 9,
           (r->truncated ? SQ_TRUNCATED : 0u) | (r->reused ? SQ_REUSED : 0u) | (r->ok ? SQ_OK : 0u) |
               (r->decoded ? SQ_DECODED : 0u));
    sq_u64(st, 10, r->endpoint_rev);
    sq_i64(st, 11, sq_rows_signed_at(r));
    sq_blob(st, 12, th_span(packed.times, sizeof packed.times));
    sq_blob(st, 13, th_span(packed.peer, packed.peer_n));
    sq_text(st, 14, r->sigs);
    sq_text(st, 15, r->detail);
    sq_blob(st, 16, r->head);
    sq_blob(st, 17, r->body);
    if (r->batch)
        sq_u64(st, 18, r->batch);
    rc = sq_run(st);
    if (rc != SQLITE_OK)
        return rc;
    return sq_use_delivery(w, endpoint, (int64_t)(r->sigs.n + r->detail.n + r->head.n + r->body.n), 0);
}

int sq_put_ended(struct sq_writer *w, uint64_t no, const struct sq_stored *d, int64_t ended, uint64_t tries,
                 uint64_t attempts, uint64_t last, enum th_delivery_state state)
{
    sqlite3_stmt *st = w->st[SQ_W_DELIVERY_PUT];
    int rc;

    sq_u64(st, 1, no);
    sq_u64(st, 2, d->event);
    sq_u64(st, 3, d->endpoint);
    sq_i64(st, 4, ended);
    sq_u64(st, 5, sq_rows_lane(d->lane, d->marks, d->order));
    sq_u64(st, 6, tries);
    sq_u64(st, 7, attempts);
    sq_u64(st, 8, last);
    sq_u64(st, 9, state);
    rc = sq_run(st);
    if (rc == SQLITE_OK)
        rc = sq_waiting_add(w, d->endpoint, d->lane, d->attempts != 0, -1);
    if (rc != SQLITE_OK)
        return rc;
    w->next.queued--;
    sq_u64(w->st[SQ_W_QUEUE_DEL], 1, no);
    rc = sq_run(w->st[SQ_W_QUEUE_DEL]);
    return rc == SQLITE_OK ? sq_use_delivery(w, d->endpoint, 0, -1) : rc;
}

/** Sent again: what went with it was committed with it, and nothing can have changed since. */
static int settled_before(struct sq_writer *w, struct th_settle *s)
{
    bool exists;

    s->applied = true;
    if (!s->with)
        return SQLITE_OK;
    s->with->op.error = TH_OK;
    s->with->result = TH_SETTINGS_DONE;
    s->with->new_version = 0;
    return s->with->tenant ? sq_tenant_version(w, s->with->tenant, &exists, &s->with->new_version)
                           : SQLITE_OK;
}

/** The settings that change with an outcome. Refused: op.error is set, and nothing is written. */
static int settle_with(struct sq_writer *w, struct th_settle *s)
{
    int rc = sq_settings(w, s->with);

    if (rc == SQLITE_OK && s->with->op.error != TH_OK)
        s->op.error = s->with->op.error;
    else if (rc == SQLITE_OK && s->with->result != TH_SETTINGS_DONE)
        s->op.error = TH_CONFLICT;
    return rc;
}

/** Whether a statement finds a row for this number. */
static int finds(struct sq_writer *w, int statement, uint64_t no, bool *found)
{
    sqlite3_stmt *st = w->st[statement];
    int rc;

    sq_u64(st, 1, no);
    rc = sqlite3_step(st);
    *found = rc == SQLITE_ROW;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** The event of a delivery has been erased. */
static int is_erased(struct sq_writer *w, uint64_t event, bool *erased)
{
    return finds(w, SQ_W_ERASED, event, erased);
}

/** A settle whose counter does not fit: the attempt is logged behind the newest one, so that the delivery
 * still shows the attempt that made its state. The same settle sent again finds itself and changes nothing.
 */
static int settle_late(struct sq_writer *w, struct th_settle *s, const struct sq_stored *d)
{
    sqlite3_stmt *st = w->st[SQ_W_ATTEMPT_HEAD];
    uint64_t prev = 0, no;
    bool same = false, erased;
    int rc = SQLITE_ROW;

    if (!d->queued && !d->ended)
        return SQLITE_OK; /* retention took it: no place for a row */
    if (d->last) {
        sq_u64(st, 1, d->last);
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            prev = sq_col_u64(st, 0);
            same = sq_col_u64(st, 1) == s->row.nth && sqlite3_column_int64(st, 2) == s->row.at.ms &&
                   sq_col_u64(st, 3) == s->row.status && sq_col_u64(st, 4) == s->row.class &&
                   sq_col_u64(st, 5) == s->row.endpoint_rev && d->attempts == s->expect_attempts + 1u;
        }
        sqlite3_reset(st);
    }
    if (same)
        return settled_before(w, s);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
    rc = is_erased(w, d->event, &erased);
    if (rc != SQLITE_OK)
        return rc;
    if (erased) /* while the request was under way: what it sent and was told is not kept */
        s->row.sigs = s->row.head = s->row.body = th_span("", 0);
    rc = put_attempt(w, s, d->endpoint, prev, &no);
    if (rc != SQLITE_OK)
        return rc;
    st = d->last ? w->st[SQ_W_ATTEMPT_PREV] : d->queued ? w->st[SQ_W_QUEUE_LAST] : w->st[SQ_W_DELIVERY_LAST];
    sq_u64(st, 1, d->last ? d->last : s->delivery);
    sq_u64(st, 2, no);
    return sq_run(st);
}

static int settle(struct sq_writer *w, struct th_settle *s)
{
    const struct th_attempt_row *r = &s->row;
    struct sq_stored d;
    uint64_t no;
    sqlite3_stmt *st;
    int rc;

    s->applied = false;
    s->op.error = r->sigs.n > SQ_BYTES_MAX || r->detail.n > SQ_BYTES_MAX || r->head.n > SQ_BYTES_MAX ||
                          r->body.n > SQ_BYTES_MAX
                      ? TH_TOO_LARGE
                      : TH_OK;
    if (s->op.error != TH_OK)
        return SQLITE_OK;
    rc = sq_find_delivery(w, s->delivery, &d);
    if (rc != SQLITE_OK)
        return rc;
    if (!d.queued || d.attempts != s->expect_attempts)
        return settle_late(w, s, &d);
    if (s->with)
        rc = settle_with(w, s);
    if (rc != SQLITE_OK || s->op.error != TH_OK)
        return rc;
    rc = put_attempt(w, s, d.endpoint, d.last, &no);
    if (rc != SQLITE_OK)
        return rc;
    s->applied = true;
    d.marks |= s->marks;
    if (s->next != TH_DS_QUEUED) {
        int64_t total_us = s->row.us[4] > 0 ? s->row.us[4] : 0;

        return sq_put_ended(w, s->delivery, &d, s->row.at.ms + total_us / 1000, s->tries, d.attempts + 1, no,
                            s->next);
    }
    if (!d.attempts) {
        rc = sq_waiting_add(w, d.endpoint, d.lane, false, -1);
        if (rc == SQLITE_OK)
            rc = sq_waiting_add(w, d.endpoint, d.lane, true, 1);
        if (rc != SQLITE_OK)
            return rc;
    }
    st = w->st[SQ_W_QUEUE_AGAIN];
    sq_u64(st, 1, s->delivery);
    sq_i64(st, 2, s->due.ms);
    sq_u64(st, 3, sq_rows_tries(s->tries, d.round ? d.round : r->at.ms));
    sq_u64(st, 4, d.attempts + 1);
    sq_u64(st, 5, no);
    sq_u64(st, 6, sq_rows_lane(d.lane, d.marks, d.order));
    return sq_run(st);
}

/* ---- move ---- */

static int endpoint_gone(struct sq_writer *w, uint64_t endpoint, bool *gone)
{
    return finds(w, SQ_W_ENDPOINT_GONE, endpoint, gone);
}

static int requeue(struct sq_writer *w, int64_t at, uint8_t lane, uint64_t no, const struct sq_stored *d)
{
    sqlite3_stmt *st = w->st[d->queued ? SQ_W_QUEUE_RETRY : SQ_W_REQUEUE];
    int rc;

    sq_u64(st, 1, no);
    if (d->queued) {
        sq_i64(st, 2, at);
        sq_u64(st, 3, sq_rows_lane(lane, d->marks, d->order));
        return sq_run(st);
    }
    sq_u64(st, 2, d->event);
    sq_u64(st, 3, d->endpoint);
    sq_i64(st, 4, at);
    sq_u64(st, 5, sq_rows_lane(lane, d->marks, d->order));
    sq_u64(st, 6, d->attempts);
    sq_u64(st, 7, d->last);
    rc = sq_run(st);
    if (rc == SQLITE_OK)
        rc = sq_waiting_add(w, d->endpoint, lane, d->attempts != 0, 1);
    if (rc != SQLITE_OK)
        return rc;
    w->next.queued++;
    sq_u64(w->st[SQ_W_DELIVERY_DEL], 1, no);
    rc = sq_run(w->st[SQ_W_DELIVERY_DEL]);
    return rc == SQLITE_OK ? sq_use_delivery(w, d->endpoint, 0, 1) : rc;
}

/** Whether a delivery is one of those that are to be queued. What the same operation has queued, when it is sent again after an
 * unknown outcome, is so once more. */
static bool may_move(const struct th_move *m, const struct sq_stored *d)
{
    switch ((int)m->what) {
    case TH_MOVE_REPLAY:
        return d->ended || (d->queued && d->lane == m->lane && d->due_or_state == m->at.ms && !d->tries);
    case TH_MOVE_HURRY:
        return d->queued && d->attempts && d->lane != TH_LANE_TEST;
    default:
        return d->queued || d->ended;
    }
}

static int move_one(struct sq_writer *w, struct th_move *m, uint32_t i)
{
    uint64_t no = m->deliveries[i];
    struct sq_stored d;
    uint8_t lane;
    bool gone = false, erased = false;
    int rc = sq_find_delivery(w, no, &d);

    m->moved[i] = false;
    if (m->rows)
        m->rows[i] = (struct th_queue_row){0};
    if (rc != SQLITE_OK)
        return rc;
    if (m->what == TH_MOVE_CANCEL) {
        /* the same cancel sent again after an unknown outcome is told the same */
        m->moved[i] = d.queued || (d.ended && d.due_or_state == TH_DS_CANCELLED && d.ended_at == m->at.ms);
        if (!d.queued)
            return SQLITE_OK;
        d.marks |= m->marks;
        return sq_put_ended(w, no, &d, m->at.ms, d.tries, d.attempts, d.last, TH_DS_CANCELLED);
    }
    if (!may_move(m, &d))
        return SQLITE_OK;
    rc = endpoint_gone(w, d.endpoint, &gone);
    m->gone += gone;
    if (rc == SQLITE_OK && !gone)
        rc = is_erased(w, d.event, &erased);
    m->erased += erased;
    if (rc != SQLITE_OK || gone || erased)
        return rc;
    lane = d.lane == TH_LANE_TEST || m->what == TH_MOVE_HURRY ? d.lane : m->lane;
    d.marks |= m->marks;
    rc = requeue(w, m->at.ms, lane, no, &d);
    m->moved[i] = rc == SQLITE_OK;
    if (m->rows && m->moved[i])
        m->rows[i] = (struct th_queue_row){.no = no,
                                           .event = d.event,
                                           .endpoint = d.endpoint,
                                           .due = m->at.ms,
                                           .lane = lane,
                                           .tries = 0,
                                           .marks = d.marks,
                                           .order = d.order,
                                           .attempts = (uint16_t)d.attempts};
    return rc;
}

static int move(struct sq_writer *w, struct th_move *m)
{
    int rc = SQLITE_OK;

    m->op.error = m->count <= 1000 ? TH_OK : TH_BUG;
    m->gone = m->erased = 0;
    for (uint32_t i = 0; rc == SQLITE_OK && m->op.error == TH_OK && i < m->count; i++)
        rc = move_one(w, m, i);
    return rc;
}

int sq_write(struct sq_writer *w, struct th_op *op)
{
    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        return accept(w, (struct th_accept *)op);
    case TH_OP_FANOUT:
        return sq_fanout(w, (struct th_fanout *)op);
    case TH_OP_SETTLE:
        return settle(w, (struct th_settle *)op);
    case TH_OP_MOVE:
        return move(w, (struct th_move *)op);
    case TH_OP_SETTINGS:
        return sq_settings(w, (struct th_settings_op *)op);
    case TH_OP_PURGE:
        return sq_purge(w, (struct th_purge *)op);
    case TH_OP_REWRAP:
        return sq_rewrap(w, (struct th_rewrap *)op);
    case SQ_OP_RUN_BUILD:
        op->error = TH_OK;
        return sq_run_slice(w, (struct sq_run *)op);
    case TH_OP_ERASE:
        return sq_erase(w, (struct th_erase *)op);
    case TH_OP_COUNT:
        return sq_count(w, (struct th_counts *)op);
    case TH_OP_PROBE:
        op->error = TH_OK;
        return sq_run(w->st[SQ_W_PROBE]);
    default:
        op->error = TH_BUG;
        return SQLITE_OK;
    }
}
