/* What a commit tells the other nodes: records of one length, so that a reader needs no more than a loop.
 *
 * Two lists: `news` for the engines of the other nodes, `counts` for the memory of their writers, which keep how much waits and
 * how much is stored without asking a table. */
#include "store/store_note.h"
#include "store/store_count.h"
#include "store/store_usage.h"

#define RECORD 25 /* kind, and three numbers */

static void put(struct th_buf *b, enum st_note_kind kind, uint64_t a, uint64_t v, uint64_t c)
{
    const uint64_t words[] = {a, v, c};
    char record[RECORD] = {(char)kind};

    for (size_t i = 0; i < sizeof words; i++)
        record[1 + i] = (char)(words[i / 8] >> (56 - i % 8 * 8));
    th_buf_add(b, record, sizeof record);
}

bool st_note_next(struct th_span *records, struct st_note *out)
{
    uint64_t words[3] = {0};

    if (records->n < RECORD)
        return false;
    for (size_t i = 0; i < sizeof words; i++)
        words[i / 8] = words[i / 8] << 8 | (unsigned char)records->p[1 + i];
    *out = (struct st_note){(enum st_note_kind)records->p[0], words[0], words[1], words[2]};
    *records = th_span(records->p + RECORD, records->n - RECORD);
    return true;
}

/** Deliveries are queued one after the other, so one record has many of them. */
static bool joins(struct th_buf *b, uint64_t no)
{
    struct th_span last;
    struct st_note n;

    if (b->n < RECORD)
        return false;
    last = th_span(b->p + b->n - RECORD, RECORD);
    if (!st_note_next(&last, &n) || n.kind != ST_NOTE_QUEUED || n.a + n.b != no)
        return false;
    b->n -= RECORD;
    put(b, ST_NOTE_QUEUED, n.a, n.b + 1, 0);
    return true;
}

void st_note(struct st_writer *w, enum st_note_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    if (w->tells && (kind != ST_NOTE_QUEUED || !joins(&w->news, a)))
        put(&w->news, kind, a, b, c);
}

void st_note_counts(struct st_writer *w, uint64_t queued_before)
{
    if (!w->tells)
        return;
    for (uint32_t i = 0; i < w->change_count; i++)
        put(&w->counts, ST_NOTE_WAITING, w->changes[i].endpoint, w->changes[i].by, 0);
    for (const struct st_usage *u = w->touched; u; u = u->next_touched)
        if (u->undo_bytes || u->undo_unfinished)
            put(&w->counts, ST_NOTE_USAGE, u->tenant, (uint64_t)u->undo_bytes, (uint64_t)u->undo_unfinished);
    if (w->next.queued != queued_before)
        put(&w->counts, ST_NOTE_QUEUE, w->next.queued - queued_before, 0, 0);
    if (w->use_noted)
        put(&w->counts, ST_NOTE_USED, 0, 0, 0);
}

void st_note_begin(struct st_writer *w)
{
    th_buf_reset(&w->news);
    th_buf_reset(&w->counts);
}

bool st_note_follow(struct st_writer *w, struct th_span counts)
{
    struct st_note n;
    bool ok = true;

    while (ok && st_note_next(&counts, &n)) {
        if (n.kind == ST_NOTE_WAITING)
            ok = st_count_follow(w, n.a, n.b);
        else if (n.kind == ST_NOTE_USAGE)
            ok = st_usage_follow(w, n.a, (int64_t)n.b, (int64_t)n.c);
        else if (n.kind == ST_NOTE_QUEUE)
            w->next.queued += n.a;
        else if (n.kind == ST_NOTE_USED)
            st_usage_unknown(w);
    }
    return ok;
}
