/* Deliveries of one line that go in one request, as elements of a list, where the endpoint's order has a `batch`.
 *
 * The first of the line (the leader) makes the request; those behind it that are due, and have been tried as often, go along. One outcome is
 * that of all: it is stored in one commit, so nothing can be done that stands behind something that is open. Whether a receiver has read
 * a list is known of the whole list alone, so a list that failed is halved with each attempt of its leader: one bad event does not
 * use up the schedules of all others.
 *
 * Invariants: (1) mates stand in the order of the line, directly behind each other and behind the leader; whoever leaves takes all that
 * stand behind along, but for one that is no more; (2) a mate is settled, or given back to the scheduler, before its leader is. If the
 * process dies before the commit, all of them are sent again, whatever then goes together.
 *
 * The elements carry the ids, since a signature covers the body, and not what headers say of it; and the request's own id is made of those
 * ids, so that a receiver that has seen the id of a request has seen exactly these elements. */
#include "engine/shard/batch.h"
#include "base/buf.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/expire.h"
#include "engine/state.h"
#include "lib/crypto.h"
#include <stdio.h>

#define ANSWER_OF_MATES                                                                                      \
    1024 /* bytes of an answer's body that their attempts keep; the leader's has all of it */

struct th_attempt *th_batch_next(const struct th_attempt *a, const struct th_attempt *m)
{
    struct th_list *l = m ? m->mate.next : a->mates.next;

    return l == &a->mates ? NULL : TH_CONTAINER(l, struct th_attempt, mate);
}

bool th_batch_is_list(const struct th_attempt *a)
{
    return a->run->spec.ordering.by && a->run->spec.ordering.batch > 1;
}

/* ---- who goes along ---- */

static struct th_attempt *mate_new(struct th_attempt *a, const struct th_queue_row *row)
{
    struct th_engine *e = a->e;
    struct th_attempt *m = th_attempt_get(e);

    if (!m)
        return NULL;
    e->attempts_out++;
    e->slot_busy[th_slot_of(row->endpoint)]++;
    m->row = *row;
    m->ep = a->ep;
    m->ep->refs++;
    m->run = th_run_ref(a->run);
    m->began = a->began;
    m->began_wall = a->began_wall;
    m->leader = a;
    th_list_append(&a->mates, &m->mate);
    a->mate_count++;
    return m;
}

void th_batch_gather(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    uint32_t max = a->row.tries < 31 ? a->run->spec.ordering.batch >> a->row.tries : 0;
    struct th_queue_row row = a->row;

    while (a->mate_count + 1 < max && th_sched_join(e->sched, a->row.no, row.no, &row)) {
        if (row.event <= e->purged_upto) {
            th_sched_settled(e->sched, row.no, NULL, e->now.mono, e->now.mono);
        } else if (!mate_new(a, &row)) {
            th_sched_settled(e->sched, row.no, &row, e->now.mono, e->now.mono);
            return;
        }
    }
}

void th_batch_forget(struct th_attempt *m)
{
    struct th_engine *e = m->e;

    th_sched_settled(e->sched, m->row.no, NULL, e->now.mono, e->now.mono);
    th_attempt_release(m);
}

static void give_back(struct th_attempt *m)
{
    struct th_engine *e = m->e;

    if (th_sched_asked(e->sched, m->row.no)) {
        m->row.lane = TH_LANE_MANUAL;
        m->row.tries = 0;
        m->row.round = 0;
    }
    th_sched_settled(e->sched, m->row.no, &m->row, e->now.mono, e->now.mono);
    th_attempt_release(m);
}

void th_batch_return(struct th_attempt *a, struct th_attempt *from)
{
    while (from) {
        struct th_attempt *m = from;

        from = th_batch_next(a, m);
        give_back(m);
    }
}

void th_batch_look(struct th_attempt *a)
{
    struct th_attempt *m, *next;

    for (m = th_batch_next(a, NULL); m; m = next) {
        next = th_batch_next(a, m);
        if (th_expire_has_come(&m->event->row, a->e->now.wall)) { /* it ends when its turn comes */
            th_batch_return(a, m);
            return;
        }
        if (th_sched_cancelled(a->e->sched, m->row.no))
            give_back(m); /* which forgets it */
    }
}

void th_batch_release(struct th_attempt *a)
{
    struct th_attempt *m;

    while ((m = th_batch_next(a, NULL)))
        th_attempt_release(m);
}

/* ---- what is sent ---- */

void th_batch_element(struct th_span id, uint64_t sequence, bool plain, struct th_span body,
                      struct th_buf *out)
{
    struct th_jw w;

    th_buf_char(out, out->n ? ',' : '[');
    if (plain) {
        th_buf_span(out, body);
        return;
    }
    w = th_jw(out);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("id"));
    th_jw_string(&w, id);
    if (sequence) {
        th_jw_key(&w, TH_LIT("sequence"));
        th_jw_u64(&w, sequence);
    }
    th_jw_key(&w, TH_LIT("body"));
    th_jw_raw(&w, body);
    th_jw_end_object(&w);
}

void th_batch_id(const uint64_t *events, unsigned count, char id[TH_BATCH_ID])
{
    uint8_t bytes[8 * TH_ORDER_BATCH_MAX], hash[32];
    char hex[25];

    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < 8; k++)
            bytes[8 * i + k] = (uint8_t)(events[i] >> (56 - 8 * k));
    th_sha256(bytes, 8 * (size_t)count, hash);
    for (unsigned i = 0; i < 12; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    snprintf(id, TH_BATCH_ID, "batch_%s", hex);
}

void th_batch_note(const struct th_attempt *a, const char *id, struct th_buf *sigs)
{
    uint64_t before = a->row.no;

    for (const struct th_attempt *m = th_batch_next(a, NULL); m; m = th_batch_next(a, m)) {
        th_buf_printf(sigs, "%c%llu", before == a->row.no ? '+' : ',',
                      (unsigned long long)(m->row.no - before));
        before = m->row.no;
    }
    th_buf_printf(sigs, ";%s\n", id);
}

unsigned th_engine_batch(const struct th_attempt_row *row, uint64_t deliveries[TH_ORDER_BATCH_MAX],
                         struct th_span *id)
{
    const char *at = row->batch && row->sigs.n ? memrchr(row->sigs.p, '+', row->sigs.n) : NULL;
    const char *end = row->sigs.p + row->sigs.n;
    uint64_t no = row->batch;
    unsigned count = 1;

    *id = TH_LIT("");
    deliveries[0] = no;
    if (!at || (at != row->sigs.p && at[-1] != '\n'))
        return 0; /* of an event that was erased */
    while (at < end && (*at == '+' || *at == ',') && count < TH_ORDER_BATCH_MAX) {
        const char *from = ++at;
        uint64_t step;

        while (at < end && th_is_digit(*at))
            at++;
        if (!th_span_u64(th_span(from, (size_t)(at - from)), INT64_MAX, &step))
            return 0;
        deliveries[count++] = no += step;
    }
    if (at < end && *at == ';')
        *id = th_span(at + 1, (size_t)(end - at - 1));
    if (id->n && id->p[id->n - 1] == '\n')
        id->n--;
    return count;
}

/* ---- what came of it ---- */

uint64_t th_batch_first(const struct th_attempt *a)
{
    return a->mate_count ? a->row.no : 0;
}

void th_batch_ended(struct th_attempt *a)
{
    for (struct th_attempt *m = th_batch_next(a, NULL); m; m = th_batch_next(a, m)) {
        m->out.req.res = a->out.req.res;
        m->out.dns_us = a->out.dns_us;
        m->ended = a->ended;
        m->draw = a->draw;
        m->unsendable = a->unsendable;
        m->settle.row = a->settle.row; /* its texts are the leader's, which is released last */
        m->settle.row.nth = (uint16_t)(m->row.attempts + 1);
        if (m->settle.row.body.n > ANSWER_OF_MATES) {
            m->settle.row.body.n = ANSWER_OF_MATES;
            m->settle.row.truncated = true;
        }
    }
}
