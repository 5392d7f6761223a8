/* The scheduler of one engine: what the calls do to one delivery. sched_int.h says how it is built,
 * docs/scheduler.md why.
 *
 *   insert → waiting → pick → in flight → result → settling → settled: waiting again, or gone
 *
 * A delivery under way (in flight or settling) is never picked again, whatever is inserted; so there is no
 * second request before the outcome of the first is durable. Refuses: to know bodies, URLs or schedules (a
 * due moment is all), to read a clock, to call anybody back. Owner: one thread. The scheduler copies what it
 * is given; options structs are the caller's again on return. On failure: creating reports it; an item that
 * finds no memory is left in the store and asked for again. */
#include "core/sched.h"
#include "base/alloc.h"
#include "core/sched_int.h"

/* ---- making ---- */

static struct th_sched_options with_defaults(struct th_sched_options c)
{
    if (!c.max_items)
        c.max_items = 1000000;
    if (c.max_items > UINT32_MAX / 2)
        c.max_items = UINT32_MAX / 2;
    if (!c.max_items_per_endpoint)
        c.max_items_per_endpoint = 1024;
    if (!c.max_in_flight)
        c.max_in_flight = 4096;
    return c;
}

enum th_error th_sched_new(const struct th_sched_options *options, struct th_sched **out)
{
    struct th_sched *s = th_calloc(1, sizeof *s);

    if (!s)
        return TH_NOMEM;
    s->options = with_defaults(*options);
    if (!items_init(s)) {
        th_free(s);
        return TH_NOMEM;
    }
    s->now_us = s->silent_us = INT64_MIN;
    s->look_due_us = s->overdue_due_us = INT64_MAX;
    th_map_init(&s->ep_by_no, TH_SCHED_MAX_ENDPOINTS, s->options.hash_seed);
    th_map_init(&s->tenant_by_no, TH_SCHED_MAX_ENDPOINTS, s->options.hash_seed);
    th_map_init(&s->host_by_key, TH_SCHED_MAX_ENDPOINTS, s->options.hash_seed);
    th_map_init(&s->address_by_key, TH_SCHED_MAX_ENDPOINTS, s->options.hash_seed);
    th_list_init(&s->idle);
    th_list_init(&s->grants);
    th_heap_init(&s->timers, TH_SCHED_MAX_ENDPOINTS);
    for (unsigned i = 0; i < SIZE_CLASSES; i++)
        th_list_init(&s->size[i]);
    for (unsigned i = 0; i < RANKS; i++)
        th_list_init(&s->ring[i]);
    th_list_init(&s->untried);
    th_list_init(&s->wanting);
    th_list_init(&s->walking);
    th_list_init(&s->later);
    order_init(s);
    *out = s;
    return TH_OK;
}

void th_sched_free(struct th_sched *s)
{
    void *value;
    uint64_t key;

    if (!s)
        return;
    for (size_t i = 0; th_map_next(&s->tenant_by_no, &i, &key, &value);)
        th_free(value);
    for (size_t i = 0; th_map_next(&s->host_by_key, &i, &key, &value);)
        host_free(s, value);
    for (size_t i = 0; th_map_next(&s->address_by_key, &i, &key, &value);)
        address_free(s, value);
    for (uint32_t i = 1; i <= s->eps; i++) {
        if (s->ep[i] && s->ep[i]->lines)
            th_map_fini(s->ep[i]->lines);
        th_free(s->ep[i] ? s->ep[i]->lines : NULL);
        th_free(s->ep[i]);
    }
    th_free(s->ep);
    th_free(s->ep_free);
    th_map_fini(&s->ep_by_no);
    th_map_fini(&s->tenant_by_no);
    th_map_fini(&s->host_by_key);
    th_map_fini(&s->address_by_key);
    th_heap_fini(&s->timers);
    items_fini(s);
    order_fini(s);
    th_free(s);
}

/* ---- endpoints ---- */

static struct tenant *tenant_get(struct th_sched *s, uint64_t no)
{
    struct tenant *t = th_map_get(&s->tenant_by_no, no);

    if (t)
        return t;
    t = th_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->no = no;
    for (unsigned i = 0; i < RANKS; i++) {
        th_list_init(&t->ring[i].eps);
        th_list_init(&t->ring[i].link);
    }
    if (th_map_put(&s->tenant_by_no, no, t)) {
        th_free(t);
        return NULL;
    }
    return t;
}

static void tenant_put(struct th_sched *s, struct tenant *t)
{
    if (t->endpoints)
        return;
    th_map_del(&s->tenant_by_no, t->no);
    th_free(t);
}

/* An index for a new endpoint, with room to give it back; 0: none. */
static uint32_t index_new(struct th_sched *s)
{
    if (s->ep_free_n)
        return s->ep_free[--s->ep_free_n];
    if (s->eps + 1 >= s->ep_cap) {
        uint32_t cap = s->ep_cap ? s->ep_cap * 2 : 16;
        struct ep **v = th_realloc(s->ep, cap * sizeof *v);
        uint32_t *f;
        if (!v)
            return 0;
        s->ep = v;
        f = th_realloc(s->ep_free, cap * sizeof *f);
        if (!f)
            return 0;
        s->ep_free = f;
        s->ep_cap = cap;
    }
    s->ep[++s->eps] = NULL;
    return s->eps;
}

static void index_free(struct th_sched *s, uint32_t index)
{
    s->ep[index] = NULL;
    s->ep_free[s->ep_free_n++] = index;
}

static void ep_init(const struct th_sched *s, struct ep *ep, const struct th_sched_endpoint *options)
{
    ep->options = *options;
    ep->ring = -1;
    ep->park_due_us = INT64_MAX;
    ep->horizon_us = HORIZON_US;
    ep->round_after_us = INT64_MIN;
    th_list_init(&ep->link);
    th_list_init(&ep->host_link);
    th_list_init(&ep->address_link);
    th_list_init(&ep->untried);
    th_list_init(&ep->size_link);
    th_list_init(&ep->fill_link);
    th_breaker_init(&ep->breaker);
    ep->rest_us = ep->last_start_us = ep->lines_us = INT64_MIN;
    th_bucket_pace(&ep->bucket, options->rate_per_s);
    if (options->from_before)
        th_bucket_spend(&ep->bucket, (struct th_mono){s->now_us});
}

static enum th_error ep_new(struct th_sched *s, const struct th_sched_endpoint *options, struct ep **out)
{
    struct ep *ep = th_calloc(1, sizeof *ep);
    enum th_error error = TH_NOMEM;

    if (!ep)
        return TH_NOMEM;
    ep_init(s, ep, options);
    ep->index = index_new(s);
    if (!ep->index)
        goto err_after_ep;
    ep->tenant = tenant_get(s, options->tenant);
    if (!ep->tenant)
        goto err_after_index;
    error = th_map_put(&s->ep_by_no, options->no, ep);
    if (error)
        goto err_after_tenant;
    error = th_heap_insert(&s->timers, &ep->timer, INT64_MAX, options->no);
    if (error)
        goto err_after_map;
    if (!host_join(s, ep, options)) {
        error = TH_NOMEM;
        goto err_after_heap;
    }
    ep->tenant->endpoints++;
    s->ep[ep->index] = ep;
    s->ep_live++;
    th_list_append(&s->size[0], &ep->size_link);
    *out = ep;
    return TH_OK;

err_after_heap:
    th_heap_remove(&s->timers, &ep->timer);
err_after_map:
    th_map_del(&s->ep_by_no, options->no);
err_after_tenant:
    tenant_put(s, ep->tenant);
err_after_index:
    index_free(s, ep->index);
err_after_ep:
    th_free(ep);
    return error;
}

static void learn_again(struct th_sched *s, struct ep *ep)
{
    ep->tried = ep->judged = ep->proven = ep->answered = false;
    ep->rest_us = INT64_MIN;
    address_leave(s, ep);
    s->broken -= ep->breaker.open;
    th_breaker_init(&ep->breaker);
}

/* Moves a list to what is due, in the order of the numbers. */
static void due_now(struct th_sched *s, struct ep *ep, struct ilist *list)
{
    uint32_t id;

    while ((id = list->head)) {
        struct item *it = item_at(s, id);
        list_remove(s, list, id);
        it->due_us = s->now_us;
        it->place = P_RETRY;
        heap_push(s, &ep->retry, id);
        ep->kept += item_line(it) != 0;
    }
}

/* What became due while nothing could be sent is due now, oldest number first. */
static void release(struct th_sched *s, struct ep *ep)
{
    uint32_t id = heap_dissolve(s, &ep->retry), next;

    for (; id; id = next) {
        struct item *it = item_at(s, id);
        next = it->next;
        if (it->due_us < s->now_us)
            it->due_us = s->now_us;
        heap_push(s, &ep->retry, id);
    }
    due_now(s, ep, &ep->fresh);
}

/* A new pace begins at the last request, as if that request had used all of it: no second has more requests than the
 * larger of both rates allows, and nobody waits because of what a slower rate had used. */
static void set_pace(struct ep *ep, double rate_per_s)
{
    th_bucket_pace(&ep->bucket, rate_per_s);
    ep->bucket.spent_ns = 0;
    if (ep->last_start_us != INT64_MIN)
        th_bucket_spend(&ep->bucket, (struct th_mono){ep->last_start_us});
}

/* What waits is read again, with its lines or without them. */
static void reorder(struct th_sched *s, struct ep *ep)
{
    spill_all(s, ep);
    if (!ep->options.ordered)
        order_drop(s, ep);
}

static enum th_error ep_change(struct th_sched *s, struct ep *ep, const struct th_sched_endpoint *options)
{
    bool released = ep->options.held && !options->held, stopped = !ep->options.held && options->held;
    bool reordered = ep->options.ordered != options->ordered;
    bool paced = ep->options.rate_per_s < options->rate_per_s || ep->options.rate_per_s > options->rate_per_s;

    struct tenant *t = ep->options.tenant == options->tenant ? ep->tenant : tenant_get(s, options->tenant);

    if (!t)
        return TH_NOMEM;
    if (!host_join(s, ep, options)) {
        if (t != ep->tenant)
            tenant_put(s, t);
        return TH_NOMEM;
    }
    if (t != ep->tenant) {
        ep_unplace(s, ep);
        address_leave(s, ep);
        ep->tenant->endpoints--;
        tenant_put(s, ep->tenant);
        ep->tenant = t;
        t->endpoints++;
    }
    ep->options = *options;
    if (options->reset)
        learn_again(s, ep);
    address_limit(s, ep);
    if (paced)
        set_pace(ep, options->rate_per_s);
    if (released)
        release(s, ep);
    if (reordered) /* what is in memory does not know its lines */
        reorder(s, ep);
    if (stopped) /* what was asked for before waits like the rest; what is asked for from now on does not */
        due_now(s, ep, &ep->manual);
    spill_update(s, ep); /* what is kept beside the share may have changed */
    return TH_OK;
}

enum th_error th_sched_endpoint_put(struct th_sched *s, const struct th_sched_endpoint *options,
                                    struct th_mono now)
{
    struct th_sched_endpoint c = *options;
    struct ep *ep = th_map_get(&s->ep_by_no, c.no);
    enum th_error error;

    if (!c.no)
        return TH_INVALID;
    if (!c.max_in_flight)
        c.max_in_flight = 16;
    sched_advance(s, now);
    error = ep ? ep_change(s, ep, &c) : ep_new(s, &c, &ep);
    if (error)
        return error;
    ep_place(s, ep);
    return TH_OK;
}

void th_sched_endpoint_known(struct th_sched *s, uint64_t no, int64_t first_fail_ms, int64_t last_ok_ms,
                             int64_t now_ms)
{
    struct ep *ep = th_map_get(&s->ep_by_no, no);

    if (!ep || ep->tried || (!first_fail_ms && !last_ok_ms))
        return;
    ep->tried = ep->judged = true;
    ep->answered = last_ok_ms && (!first_fail_ms || now_ms - first_fail_ms <= KNOWN_DEAD_MS);
    ep_place(s, ep);
}

void th_sched_rest(struct th_sched *s, uint64_t no, struct th_mono until, struct th_mono now)
{
    struct ep *ep = th_map_get(&s->ep_by_no, no);

    sched_advance(s, now);
    if (!ep)
        return;
    ep->rest_us = until.us > now.us ? until.us : INT64_MIN;
    ep_place(s, ep);
}

void th_sched_hold_lines(struct th_sched *s, uint64_t no, struct th_mono until, struct th_mono now)
{
    struct ep *ep = th_map_get(&s->ep_by_no, no);

    sched_advance(s, now);
    if (!ep)
        return;
    ep->lines_us = until.us;
    ep_place(s, ep);
}

static void ep_free(struct th_sched *s, struct ep *ep)
{
    index_free(s, ep->index);
    th_free(ep);
}

static void drop_list(struct th_sched *s, struct ep *ep, struct ilist *l)
{
    while (l->head) {
        uint32_t id = l->head;
        item_take(s, ep, id);
        item_free(s, id);
    }
}

void th_sched_endpoint_del(struct th_sched *s, uint64_t no)
{
    struct ep *ep = th_map_del(&s->ep_by_no, no);

    if (!ep)
        return;
    ep_unplace(s, ep);
    host_leave(s, ep);
    address_leave(s, ep);
    th_heap_remove(&s->timers, &ep->timer);
    s->broken -= ep->breaker.open;
    spill_leave(s, ep);
    order_drop(s, ep);
    drop_list(s, ep, &ep->test);
    drop_list(s, ep, &ep->manual);
    drop_list(s, ep, &ep->fresh);
    drop_list(s, ep, &ep->replay);
    while (ep->retry) {
        uint32_t id = ep->retry;
        item_take(s, ep, id);
        item_free(s, id);
    }
    th_list_remove(&ep->size_link);
    ep->tenant->endpoints--;
    tenant_put(s, ep->tenant);
    ep->tenant = NULL;
    ep->gone = true;
    s->ep_live--;
    if (!ep->under_way)
        ep_free(s, ep);
}

/* ---- items ---- */

static void item_set(struct item *it, const struct th_queue_row *row, int64_t due_us)
{
    it->event = row->event;
    it->due_us = due_us;
    item_times_set(it, row->due, row->round);
    it->tries = row->tries & 127u;
    it->renewed = (row->marks & TH_MARK_RENEWED) != 0;
    it->attempts = row->attempts;
    it->lane = row->lane & 3u;
}

/* What waits is due now, as the row says. */
static void due_again(struct th_sched *s, uint32_t id, const struct th_queue_row *row)
{
    struct item *it = item_at(s, id);
    struct ep *ep = s->ep[it->ep];

    item_take(s, ep, id);
    item_set(it, row, s->now_us);
    item_put(s, ep, id, false);
    ep_place(s, ep);
}

/* Whether the row was read before the last attempt of the item was stored: attempts never fall. */
static bool is_past(const struct item *it, const struct th_queue_row *row)
{
    return row->attempts < it->attempts;
}

/* A retry by hand or a test of a delivery that is known. A later attempt of such a one has its lane too, and
 * waits for its moment like any other. */
static void hurry(struct th_sched *s, uint32_t id, const struct th_queue_row *row, int64_t due_us)
{
    struct item *it = item_at(s, id);

    if ((row->lane != TH_LANE_MANUAL && row->lane != TH_LANE_TEST) || due_us > s->now_us || is_past(it, row))
        return;
    if (!place_waits(it->place)) {
        it->child &= ~(uint32_t)W_CANCELLED; /* asked for after it was cancelled */
        return;
    }
    due_again(s, id, row);
}

enum th_insert th_sched_insert(struct th_sched *s, const struct th_queue_row *row, struct th_mono due,
                               struct th_mono now)
{
    struct ep *ep = th_map_get(&s->ep_by_no, row->endpoint);
    bool no_memory = false;
    uint32_t id;

    sched_advance(s, now);
    id = item_find(s, row->no);
    if (id && item_at(s, id)->place != P_GHOST) {
        hurry(s, id, row, due.us);
        return TH_KNOWN;
    }
    if (!ep)
        return TH_NO_ENDPOINT;
    id = spill_admit(s, ep, row, due.us, &no_memory);
    if (id) {
        item_set(item_at(s, id), row, due.us);
        item_put(s, ep, id, false);
    }
    spill_update(s, ep);
    ep_place(s, ep);
    return id ? TH_INSERTED : no_memory ? TH_INSERT_NOMEM : TH_SPILLED;
}

enum th_insert th_sched_hurry(struct th_sched *s, const struct th_queue_row *row, struct th_mono now)
{
    struct ep *ep = th_map_get(&s->ep_by_no, row->endpoint);
    uint32_t id;
    enum th_insert result;

    sched_advance(s, now);
    id = item_find(s, row->no);
    if (id && place_waits(item_at(s, id)->place)) {
        if (!is_past(item_at(s, id), row))
            due_again(s, id, row);
        return TH_KNOWN;
    }
    result = th_sched_insert(s, row, now, now);
    if (result == TH_SPILLED && ep->fill == F_WALKING)
        ep->walk_void = true; /* it may have read the row as it was */
    return result;
}

void th_sched_cancel(struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);
    struct item *it;
    struct ep *ep;

    if (!id) {
        number_forget(s, delivery);
        return;
    }
    it = item_at(s, id);
    if (it->place == P_GHOST)
        return;
    if (!place_waits(it->place)) {
        it->child |= W_CANCELLED;
        return;
    }
    ep = s->ep[it->ep];
    item_take(s, ep, id);
    item_forget(s, ep, id);
    spill_update(s, ep);
    ep_place(s, ep);
}

bool th_sched_join(struct th_sched *s, uint64_t delivery, uint64_t after, struct th_queue_row *out)
{
    uint32_t id = item_find(s, delivery);
    struct ep *ep = id ? order_join(s, id, after, out) : NULL;

    if (ep)
        ep_place(s, ep);
    return ep != NULL;
}

/* Its result is not known yet. */
static bool is_in_flight(const struct item *it)
{
    return it->place == P_FLIGHT || (it->place == P_SETTLE && (it->child & W_MATE));
}

bool th_sched_cancelled(const struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);

    return id && is_in_flight(item_at(s, id)) && (item_at(s, id)->child & W_CANCELLED);
}

bool th_sched_ask(struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);

    if (!id || !is_in_flight(item_at(s, id)))
        return false;
    item_at(s, id)->child |= W_ASKED;
    return true;
}

void th_sched_unask(struct th_sched *s, uint64_t delivery)
{
    if (th_sched_asked(s, delivery))
        item_at(s, item_find(s, delivery))->child &= ~(uint32_t)W_ASKED;
}

bool th_sched_asked(const struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);

    return id && is_in_flight(item_at(s, id)) && (item_at(s, id)->child & W_ASKED);
}

bool th_sched_pick(struct th_sched *s, struct th_mono now, struct th_queue_row *out)
{
    struct ep *ep;
    struct item *it;
    uint32_t id;

    sched_advance(s, now);
    ep = sched_turn(s);
    if (!ep)
        return false;
    id = ep_next_item(s, ep);
    it = item_at(s, id);
    *out = item_row(s, ep, it);
    slot_take(s, ep, id);
    ep->under_way++;
    if (it->lane == TH_LANE_TEST) {
        ep->tests++;
    } else {
        ep->in_flight++;
        host_sent(s, ep);
        address_picked(ep, id);
        ep->tried = true;
        ep->last_start_us = s->now_us;
        th_bucket_take(&ep->bucket, (struct th_mono){s->now_us});
    }
    ep_place(s, ep);
    return true;
}

/* Any answer is a sign of life; how fast it came decides which slots the endpoint may use. */
static void learn_from(struct th_sched *s, struct ep *ep, enum th_learn learn, struct th_mono began,
                       struct th_mono now)
{
    bool open = ep->breaker.open;

    if (learn == TH_LEARN_NEUTRAL) {
        ep->tried = ep->judged; /* what did not count as an attempt leaves a newcomer a newcomer */
        return;
    }
    ep->judged = true;
    if (learn == TH_LEARN_FAILED) {
        th_breaker_silent(&ep->breaker, began, now);
        ep->proven = false;
    } else {
        th_breaker_answered(&ep->breaker);
        ep->proven = now.us - began.us <= SLOW_US;
        ep->answered = true;
    }
    if (ep->gone)
        return;
    s->broken -= open;
    s->broken += ep->breaker.open;
}

void th_sched_result(struct th_sched *s, uint64_t delivery, enum th_learn learn, struct th_mono began,
                     struct th_mono now)
{
    uint32_t id = item_find(s, delivery);
    struct item *it = id ? item_at(s, id) : NULL;
    struct ep *ep;

    sched_advance(s, now);
    if (it && it->place == P_SETTLE)
        it->child &= ~(uint32_t)W_MATE;
    if (!it || it->place != P_FLIGHT)
        return;
    ep = s->ep[it->ep];
    slot_give(s, id);
    it->place = P_SETTLE;
    if (it->lane == TH_LANE_TEST) {
        ep->tests--;
    } else {
        ep->in_flight--;
        host_ended(s, ep);
        address_ended(s, ep, id);
        learn_from(s, ep, learn, began, now);
    }
    if (!ep->gone)
        ep_place(s, ep);
}

/* Takes an item that was under way off its endpoint; returns the endpoint where it may wait again, or NULL.
 */
static struct ep *item_return(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);
    struct ep *ep = s->ep[it->ep];
    uint64_t no = ep->options.no;

    ep->under_way--;
    if (!ep->gone)
        return ep;
    if (!ep->under_way)
        ep_free(s, ep);
    return th_map_get(&s->ep_by_no, no); /* the same number may have been put again */
}

void th_sched_settled(struct th_sched *s, uint64_t delivery, const struct th_queue_row *again,
                      struct th_mono due, struct th_mono now)
{
    uint32_t id = item_find(s, delivery);
    struct item *it = id ? item_at(s, id) : NULL;
    struct ep *ep;
    bool wait, back;

    sched_advance(s, now);
    if (!it)
        return;
    if (it->place == P_FLIGHT) /* ended without a result */
        th_sched_result(s, delivery, TH_LEARN_NEUTRAL, now, now);
    if (it->place != P_SETTLE)
        return;
    wait = again && !(it->child & W_CANCELLED);
    ep = item_return(s, id);
    if (!ep) {
        item_free(s, id);
        return;
    }
    back = it->child & W_BACK;
    it->child = 0;
    if (wait)
        item_set(it, again, due.us);
    if (!again && item_line(it))
        order_ended(s, id);
    if (wait && (item_line(it) || !spill_parks(s, ep, due.us))) {
        item_put(s, ep, id, back);
        if (item_line(it) && ep_spilled(ep))
            spill_line(s, ep, line_at(s, item_line(it)));
    } else {
        if (wait)
            spill_note(s, ep, it->no, due.us);
        item_forget(s, ep, id);
    }
    spill_update(s, ep);
    ep_place(s, ep);
}

/* ---- looking ---- */

struct th_mono th_sched_next(const struct th_sched *s, struct th_mono now)
{
    const struct th_heap_node *top = th_heap_top(&s->timers);
    int64_t at = top ? top->key : INT64_MAX;

    if (!th_list_empty(&s->later)) {
        const struct ep *ep = TH_CONTAINER(s->later.next, struct ep, fill_link);
        if (ep->fill_after_us < at)
            at = ep->fill_after_us;
    }
    if (sched_reserve_us(s) < at)
        at = sched_reserve_us(s);
    if (sched_has_turn(s) || at < now.us)
        at = now.us;
    return (struct th_mono){at};
}

void th_sched_granted(struct th_sched *s, struct th_sched_grant *g, struct th_mono now)
{
    struct share *sh = TH_CONTAINER(g, struct share, grant);

    sched_advance(s, now);
    th_places_arrived(&sh->seat);
    sh->in_hand = true;
    if (sh->kind == SHARE_ADDRESS)
        address_granted(s, sh);
    else
        host_granted(s, sh);
}
