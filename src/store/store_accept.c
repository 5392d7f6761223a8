/* Accepts: events with their deliveries.
 *
 * It refuses: what was matched against another settings version, keys used with another body, external ids that exist, what the
 * tenant has no room for. Everything that could refuse it is read before anything is written.
 *
 * Invariants: (1) an event's deliveries are numbered in one range, in the transaction that writes the event; (2) no allocation for
 * an event. */
#include "store/store_accept.h"
#include "base/check.h"
#include "store/store_fan.h"
#include "store/store_queue.h"
#include "store/store_rows.h"
#include "store/store_tenant.h"
#include "store/store_usage.h"

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

/** room: deliveries that this op may still queue. */
static int put_event(struct sq_writer *w, const struct th_accept *a, struct th_new_event *e, uint32_t *room)
{
    bool more = sq_rows_has_more(&e->more);
    sqlite3_stmt *st = w->st[more ? SQ_W_EVENT_MORE : SQ_W_EVENT];
    int rc;

    e->no = sq_number_take(&w->next.event, 1);
    e->first_delivery = sq_number_take(&w->next.delivery, e->endpoint_count);
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
    rc = sq_db_run(st);
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
        rc = sq_db_run(st);
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
    return sq_db_run(st);
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
    const struct sq_usage *u;
    uint64_t deliveries = 0;

    *reached = false;
    if (!a->max_bytes && !a->max_unfinished)
        return SQLITE_OK;
    u = sq_usage_of(w, a->tenant);
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

int sq_accept(struct sq_writer *w, struct th_accept *a)
{
    uint64_t day = sq_writer_idem_day(w, a->at.ms), version;
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

    TH_CHECK(w->next.event >> 53 == 0 && w->next.delivery >> 53 == 0);
    sq_number_align(&w->next.event, a->at.ms);
    sq_number_align(&w->next.delivery, a->at.ms);
    a->result = TH_ACCEPT_NEW;
    a->first_event = w->next.event;
    for (uint32_t i = 0; rc == SQLITE_OK && i < a->count; i++) {
        rc = put_event(w, a, &a->events[i], &room);
        all += a->events[i].endpoint_count;
    }
    if (rc == SQLITE_OK)
        rc = sq_usage_add(w, a->tenant, (int64_t)bytes_of(a), all);
    if (rc == SQLITE_OK && all > TH_FANOUT_STEP)
        rc = sq_fan_note(w, a);
    if (rc == SQLITE_OK && a->idem.given)
        rc = put_idem(w, a, day);
    return rc;
}
