/* Accepts: events with their deliveries.
 *
 * It refuses: events that were matched against another settings version, keys used with another body,
 * external ids that exist, events for which the tenant has no room. Everything that could refuse it is read
 * before anything is written.
 *
 * Invariants: (1) an event's deliveries are numbered in one range, in the transaction that writes the event; (2) no allocation for
 * an event. */
#include "store/store_accept.h"
#include "base/check.h"
#include "store/store_fan.h"
#include "store/store_queue.h"
#include "store/store_recent.h"
#include "store/store_rows.h"
#include "store/store_tenant.h"
#include "store/store_usage.h"

static void bind_idem(struct st_stmt *st, const struct th_accept *a, uint64_t day)
{
    st_u64(st, 1, day);
    st_u64(st, 2, a->tenant);
    st_blob(st, 3, th_span(a->idem.key, sizeof a->idem.key));
}

static void bind_own(struct st_stmt *st, const struct th_accept *a, uint32_t i)
{
    st_u64(st, 1, a->tenant);
    st_text(st, 2, a->events[i].external_id);
}

void st_accept_expect(struct st_writer *w, const struct th_accept *a)
{
    uint64_t day = st_writer_idem_day(w, a->at.ms);

    for (uint64_t back = 0; a->idem.given && back < 2; back++) {
        bind_idem(w->st[ST_W_IDEM_GET], a, day - back);
        st_expect(w->st[ST_W_IDEM_GET]);
    }
    for (uint32_t i = 0; a->count <= 1000 && i < a->count; i++)
        if (a->events[i].external_id.n) {
            bind_own(w->st[ST_W_OWN_GET], a, i);
            st_expect(w->st[ST_W_OWN_GET]);
        }
}

/** Looks for the key under its day and the day before. *found only with ST_OK. */
static int find_idem(struct st_writer *w, struct th_accept *a, uint64_t day, bool *found)
{
    static const uint8_t none[16];
    struct st_stmt *st = w->st[ST_W_IDEM_GET];

    *found = false;
    for (int back = 0; back < 2 && !*found; back++) {
        int rc;

        bind_idem(st, a, day - (uint64_t)back);
        rc = st_step(st);
        if (rc == ST_ROW) {
            *found = true;
            a->result = th_span_eq(st_col(st, 0), th_span(a->idem.body, sizeof a->idem.body)) ||
                                th_span_eq(st_col(st, 0), th_span(none, sizeof none)) /* erased */
                            ? TH_ACCEPT_REPEATED
                            : TH_ACCEPT_KEY_REUSED;
            a->first_event = st_col_u64(st, 1);
            a->repeated_count = (uint32_t)st_col_u64(st, 2);
            rc = ST_DONE;
        }
        st_reset(st);
        if (rc != ST_DONE)
            return rc;
    }
    return ST_OK;
}

/** True when an earlier event of the same op has this external id; remembers it else. slots: index + 1, 0 free. */
static bool repeats_in_op(struct st_writer *w, const struct th_accept *a, uint32_t i)
{
    size_t mask = sizeof w->own_slots / sizeof *w->own_slots - 1;
    size_t pos = (size_t)th_hash(a->events[i].external_id, 0x2545f4914f6cdd1du) & mask;

    for (; w->own_slots[pos]; pos = (pos + 1) & mask)
        if (th_span_eq(a->events[w->own_slots[pos] - 1].external_id, a->events[i].external_id))
            return true;
    w->own_slots[pos] = (uint16_t)(i + 1);
    return false;
}

/** A copy of an event that retention has deleted, or whose content has been erased, must not be made. */
static int copies_nothing(struct st_writer *w, struct th_span id, bool *nothing)
{
    struct st_stmt *st = w->st[ST_W_ERASE_EVENT];
    uint64_t event;
    int64_t at;
    int rc;

    *nothing = false;
    th_copy_id_read(&id, &event, &at);
    if (!event)
        return ST_OK;
    st_u64(st, 1, event);
    rc = st_step(st);
    st_reset(st);
    *nothing = rc == ST_DONE;
    if (rc != ST_ROW)
        return rc == ST_DONE ? ST_OK : rc;
    return st_queue_is_erased(w, event, nothing);
}

static int find_taken(struct st_writer *w, struct th_accept *a, bool *taken)
{
    struct st_stmt *st = w->st[ST_W_OWN_GET];
    bool clean = false;

    *taken = false;
    for (uint32_t i = 0; i < a->count; i++) {
        int rc;

        if (!a->events[i].external_id.n)
            continue;
        if (!clean)
            memset(w->own_slots, 0, sizeof w->own_slots);
        clean = true;
        bind_own(st, a, i);
        rc = st_step(st);
        st_reset(st);
        if (rc != ST_ROW && rc != ST_DONE)
            return rc;
        *taken = rc == ST_ROW || repeats_in_op(w, a, i);
        rc = *taken ? ST_OK : copies_nothing(w, a->events[i].external_id, taken);
        if (rc != ST_OK)
            return rc;
        if (*taken) {
            a->taken = i;
            a->result = TH_ACCEPT_ID_TAKEN;
            break;
        }
    }
    return ST_OK;
}

/** An op that is sent again after an unknown outcome carries its numbers: the event may be there already. */
static int find_sent_before(struct st_writer *w, struct th_accept *a, bool *found)
{
    struct st_stmt *st = w->st[ST_W_SAME_EVENT];
    int rc;

    *found = false;
    if (!a->events[0].no)
        return ST_OK;
    st_u64(st, 1, a->events[0].no);
    st_u64(st, 2, a->tenant);
    st_i64(st, 3, a->at.ms);
    st_u64(st, 4, a->events[0].rnd);
    rc = st_step(st);
    *found = rc == ST_ROW;
    st_reset(st);
    if (*found) {
        a->result = TH_ACCEPT_NEW;
        a->first_event = a->events[0].no;
    }
    return *found || rc == ST_DONE ? ST_OK : rc;
}

/** room: deliveries that this op may still queue. */
static int put_event(struct st_writer *w, const struct th_accept *a, struct th_new_event *e, uint32_t *room)
{
    bool more = st_rows_has_more(&e->more);
    struct st_stmt *st = w->st[more ? ST_W_EVENT_MORE : ST_W_EVENT];
    int rc;

    e->no = st_number_take(&w->next.event, 1);
    e->first_delivery = st_number_take(&w->next.delivery, e->endpoint_count);
    st_u64(st, 1, e->no);
    st_u64(st, 2, a->tenant);
    st_i64(st, 3, a->at.ms);
    st_i64(st, 4, st_rows_time(e->time, a->at));
    st_u64(st, 5, e->rnd);
    st_u64(st, 6, e->first_delivery);
    st_u64(st, 7, e->endpoint_count);
    st_text(st, 8, e->type);
    st_text(st, 9, e->external_id);
    st_text(st, 10, e->resource_type);
    st_text(st, 11, e->resource_id);
    st_text(st, 12, e->data);
    if (more)
        st_rows_bind_more(st, 13, &e->more);
    rc = st_run(st);
    st_recent_event(w, a, e);
    e->queued = e->endpoint_count < *room ? e->endpoint_count : *room;
    *room -= e->queued;
    for (uint32_t i = 0; rc == ST_OK && i < e->queued; i++)
        rc = st_queue_put(w, &(struct th_queue_row){.no = e->first_delivery + i,
                                                    .event = e->no,
                                                    .endpoint = e->endpoints[i],
                                                    .due = st_rows_due(&e->more, a->at),
                                                    .lane = e->lane,
                                                    .marks = e->marks ? e->marks[i] : 0,
                                                    .order = e->orders ? e->orders[i] : 0});
    if (rc == ST_OK && e->external_id.n) {
        st = w->st[ST_W_OWN_PUT];
        st_u64(st, 1, a->tenant);
        st_text(st, 2, e->external_id);
        st_u64(st, 3, e->no);
        rc = st_run(st);
    }
    if (rc == ST_OK && e->inbox) { /* it leaves the inbox when it is stored, and not otherwise */
        st = w->st[ST_W_INBOX_DEL];
        TH_CHECK(st);
        st_u64(st, 1, e->inbox);
        rc = st_run(st);
    }
    return rc;
}

static int put_idem(struct st_writer *w, const struct th_accept *a, uint64_t day)
{
    struct st_stmt *st = w->st[ST_W_IDEM_PUT];

    st_u64(st, 1, day);
    st_u64(st, 2, a->tenant);
    st_blob(st, 3, th_span(a->idem.key, sizeof a->idem.key));
    st_blob(st, 4, th_span(a->idem.body, sizeof a->idem.body));
    st_u64(st, 5, a->first_event);
    st_u64(st, 6, a->count);
    return st_run(st);
}

/** Refuses texts that are too large for SQLite, which binding would cut, and values for which a column has no
 * room. */
static enum th_error check_event(const struct th_new_event *e)
{
    const struct th_span texts[] = {
        e->data,           e->type,          e->external_id,      e->resource_type,    e->resource_id,
        e->more.order_key, e->more.channels, e->more.traceparent, e->more.content_type};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].n > ST_BYTES_MAX)
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

/** Finds how much the tenant may still store. */
static int find_limit(struct st_writer *w, struct th_accept *a, bool *reached)
{
    const struct st_usage *u;
    uint64_t deliveries = 0;

    *reached = false;
    if (!a->max_bytes && !a->max_unfinished)
        return ST_OK;
    u = st_usage_of(w, a->tenant);
    if (!u)
        return ST_NOMEM;
    for (uint32_t i = 0; i < a->count; i++)
        deliveries += a->events[i].endpoint_count;
    a->limited = !th_usage_fits(u->bytes, bytes_of(a), a->max_bytes)            ? TH_USE_BYTES
                 : !th_usage_fits(u->unfinished, deliveries, a->max_unfinished) ? TH_USE_UNFINISHED
                                                                                : TH_USE_NONE;
    *reached = a->limited != TH_USE_NONE;
    if (*reached)
        a->result = TH_ACCEPT_LIMITED;
    return ST_OK;
}

int st_accept(struct st_writer *w, struct th_accept *a)
{
    uint64_t day = st_writer_idem_day(w, a->at.ms), version;
    uint32_t room = TH_FANOUT_STEP, all = 0;
    bool found = false, exists;
    int rc;

    a->op.error = check_accept(a);
    if (a->op.error != TH_OK)
        return ST_OK;
    rc = find_sent_before(w, a, &found);
    if (rc == ST_OK && !found && a->idem.given)
        rc = find_idem(w, a, day, &found);
    if (rc != ST_OK || found)
        return rc;
    rc = st_tenant_version(w, a->tenant, &exists, &version);
    if (rc != ST_OK)
        return rc;
    if (!exists || version != a->settings_version) {
        a->result = TH_ACCEPT_STALE;
        return ST_OK;
    }
    rc = find_taken(w, a, &found);
    if (rc == ST_OK && !found)
        rc = find_limit(w, a, &found);
    if (rc != ST_OK || found)
        return rc;

    TH_CHECK(w->next.event >> 53 == 0 && w->next.delivery >> 53 == 0);
    st_number_align(&w->next.event, a->at.ms);
    st_number_align(&w->next.delivery, a->at.ms);
    a->result = TH_ACCEPT_NEW;
    a->first_event = w->next.event;
    for (uint32_t i = 0; rc == ST_OK && i < a->count; i++) {
        rc = put_event(w, a, &a->events[i], &room);
        all += a->events[i].endpoint_count;
    }
    if (rc == ST_OK)
        rc = st_usage_add(w, a->tenant, (int64_t)bytes_of(a), all);
    if (rc == ST_OK && all > TH_FANOUT_STEP)
        rc = st_fan_note(w, a);
    if (rc == ST_OK && a->idem.given)
        rc = put_idem(w, a, day);
    return rc;
}
