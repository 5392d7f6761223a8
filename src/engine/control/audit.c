/* The audit log as rows of the store: who did what, when, on whose behalf.
 *
 * The log's lines are as durable as the place to which standard error goes, and nobody can ask the server for them. So the newest
 * ones are also rows, in memory for whoever asks and in the store for the next start: TH_AUDITS_KEPT of operators and as many
 * of tenants, of one tenant at most TH_AUDITS_OF_TENANT. The two shares are there so that no tenant, whatever it does or has refused,
 * can push out what operators did, or most of what other tenants did.
 *
 * A row is written right after the answer that it is about, in the next commit; what comes meanwhile goes in the one after that. A row that
 * could not be written is tried again, until the engine stops. Rows are kept among the store's texts (META), which it reads at the start as
 * a whole: it knows nothing of their meaning.
 *
 * Invariants: 1. numbers rise in the order of the list; 2. one operation at a time; 3. a row that leaves memory leaves the store with
 * one of the next operations, unless it was never there. */
#include "engine/control/audit.h"
#include "base/alloc.h"
#include "base/json.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/state.h"
#include <stdio.h>

enum { STEP = 64, KEY = 6 + 16, MAX_TEXT = 16u << 10 };

enum stored { NEW, UNDER_WAY, STORED };

struct audit_row {
    struct th_audit pub; /* its texts stand behind this struct */
    struct th_list link; /* in e->audits, oldest first, or in e->audits_leaving */
    enum stored stored;
    bool deleting; /* UNDER_WAY: out of the store */
};

struct audit_flush {
    struct th_settings_op op;
    struct th_engine *e;
    struct th_row rows[STEP];
    char keys[STEP][KEY + 1];
    size_t ends[STEP];
    struct th_buf texts;
};

const char *th_audit_name(enum th_audit_text text)
{
    static const char *const names[TH_AUDIT_TEXTS] = {"operation", "result",    "key",    "key_name",
                                                      "session",   "tenant",    "object", "from",
                                                      "client",    "request_id"};

    return names[text];
}

static struct audit_row *of_link(struct th_list *l)
{
    return TH_CONTAINER(l, struct audit_row, link);
}

/* NULL: no memory. */
static struct audit_row *copy(const struct th_audit *a)
{
    struct audit_row *row;
    size_t n = 0;
    char *p;

    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++)
        n += a->text[i].n;
    row = th_malloc(sizeof *row + n);
    if (!row)
        return NULL;
    *row = (struct audit_row){.pub = *a};
    th_list_init(&row->link);
    p = (char *)(row + 1);
    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++) {
        memcpy(p, a->text[i].n ? a->text[i].p : "", a->text[i].n);
        row->pub.text[i] = th_span(p, a->text[i].n);
        p += a->text[i].n;
    }
    return row;
}

/* ---- what leaves ---- */

static void leave(struct th_engine *e, struct audit_row *row)
{
    (row->pub.of_operator ? &e->audits_of_operators : &e->audits_of_tenants)[0]--;
    th_list_remove(&row->link);
    if (row->stored == NEW)
        th_free(row);
    else
        th_list_append(&e->audits_leaving, &row->link);
}

/* The oldest of the share that is full; NULL: none is. */
static struct audit_row *surplus(struct th_engine *e, const struct th_audit *latest)
{
    struct audit_row *own = NULL, *any = NULL;
    unsigned count = 0;

    if (latest->of_operator ? e->audits_of_operators <= TH_AUDITS_KEPT
                            : e->audits_of_tenants <= TH_AUDITS_OF_TENANT)
        return NULL;
    for (struct th_list *l = e->audits.next; l != &e->audits; l = l->next) {
        struct audit_row *row = of_link(l);
        if (row->pub.of_operator != latest->of_operator)
            continue;
        any = any ? any : row;
        if (th_span_eq(row->pub.text[TH_AUDIT_TENANT], latest->text[TH_AUDIT_TENANT])) {
            own = own ? own : row;
            count++;
        }
    }
    if (latest->of_operator)
        return any;
    return count > TH_AUDITS_OF_TENANT ? own : e->audits_of_tenants > TH_AUDITS_KEPT ? any : NULL;
}

static void add(struct th_engine *e, struct audit_row *row)
{
    struct audit_row *old;

    th_list_append(&e->audits, &row->link);
    (row->pub.of_operator ? &e->audits_of_operators : &e->audits_of_tenants)[0]++;
    if (row->pub.no > e->last_audit)
        e->last_audit = row->pub.no;
    old = surplus(e, &row->pub);
    if (old)
        leave(e, old);
}

/* Nodes that share the store number by the time and a slot that is only theirs, so no row takes another's place. */
static uint64_t next_number(const struct th_engine *e)
{
    uint64_t ms = (uint64_t)e->now.wall.ms, slot = 0;

    if (!e->shared)
        return e->last_audit + 1;
    while (slot < TH_SLOTS - 1 && !th_slots_have(e->slots, (unsigned)slot))
        slot++;
    return (ms > e->last_audit >> 8 ? ms : (e->last_audit >> 8) + 1) << 8 | slot;
}

void th_engine_audit(struct th_engine *e, const struct th_audit *a)
{
    struct audit_row *row = copy(a);

    th_engine_tick(e);
    if (!row)
        return; /* the log has the line */
    row->pub.no = next_number(e);
    row->pub.at = e->now.wall.ms;
    add(e, row);
    e->audits_new++;
}

const struct th_audit *th_engine_audit_before(const struct th_engine *e, const struct th_audit *a)
{
    const struct th_list *l = a ? TH_CONTAINER(a, struct audit_row, pub)->link.prev : e->audits.prev;

    return l == &e->audits ? NULL : &TH_CONTAINER(l, struct audit_row, link)->pub;
}

/* ---- the form of a stored row ---- */

static void write_text(struct th_buf *out, const struct th_audit *a)
{
    struct th_jw w = th_jw(out);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("at"));
    th_jw_i64(&w, a->at);
    th_jw_key(&w, TH_LIT("status"));
    th_jw_u64(&w, a->status);
    th_jw_key(&w, TH_LIT("repeated"));
    th_jw_bool(&w, a->repeated);
    th_jw_key(&w, TH_LIT("of_operator"));
    th_jw_bool(&w, a->of_operator);
    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++) {
        th_jw_key(&w, th_str(th_audit_name((enum th_audit_text)i)));
        th_jw_string(&w, a->text[i]);
    }
    th_jw_end_object(&w);
}

static bool read_number(struct th_span hex, uint64_t *no)
{
    *no = 0;
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *no = *no << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return hex.n == 16 && *no > 0;
}

/* What a later version has written in another form is left alone. */
static bool read_text(struct th_json root, struct th_audit *a, struct th_buf texts[TH_AUDIT_TEXTS])
{
    struct th_json v;
    int64_t status;

    if (root.type != TH_JSON_OBJECT || !th_json_member(root, TH_LIT("at"), &v) || !th_json_i64(v, &a->at) ||
        !th_json_member(root, TH_LIT("status"), &v) || !th_json_i64(v, &status) || status < 0 || status > 999)
        return false;
    a->status = (uint16_t)status;
    if (th_json_member(root, TH_LIT("repeated"), &v))
        (void)th_json_bool(v, &a->repeated);
    if (th_json_member(root, TH_LIT("of_operator"), &v))
        (void)th_json_bool(v, &a->of_operator);
    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++) {
        if (!th_json_member(root, th_str(th_audit_name((enum th_audit_text)i)), &v) ||
            v.type != TH_JSON_STRING)
            continue;
        if (!th_json_string(v, &texts[i]))
            return false;
        a->text[i] = th_buf_view(&texts[i]);
    }
    return true;
}

bool th_audit_load(struct th_engine *e, const struct th_row *row)
{
    struct th_buf texts[TH_AUDIT_TEXTS];
    struct th_audit a = {0};
    struct audit_row *new = NULL;
    struct th_json root;
    struct th_json_error error;
    bool known;

    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++)
        th_buf_init(&texts[i], MAX_TEXT);
    known = read_number(th_span(row->id.p + 6, row->id.n - 6), &a.no) &&
            !th_json_parse(row->settings, 4, &root, &error) && read_text(root, &a, texts);
    if (known)
        new = copy(&a);
    for (unsigned i = 0; i < TH_AUDIT_TEXTS; i++)
        th_buf_fini(&texts[i]);
    if (!new)
        return !known;
    new->stored = STORED;
    add(e, new); /* stores give texts in the order of their keys */
    return true;
}

/* ---- writing ---- */

static void settle(struct th_list *rows, enum stored stored)
{
    for (struct th_list *l = rows->next; l != rows; l = l->next)
        if (of_link(l)->stored == UNDER_WAY)
            of_link(l)->stored = stored;
}

static void flushed(struct th_op *op)
{
    struct audit_flush *f = op->user;
    struct th_engine *e = f->e;

    e->jobs[TH_JOB_AUDIT].busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        e->audits_new += f->op.count; /* at least: look for them again */
        e->jobs[TH_JOB_AUDIT].at.us = e->now.mono.us + 1000000;
        e->audits_lost = e->draining; /* the log has the lines */
    }
    settle(&e->audits, op->error ? NEW : STORED);
    for (struct th_list *l = e->audits_leaving.next, *next; l != &e->audits_leaving; l = next) {
        struct audit_row *row = of_link(l);
        next = l->next;
        if (row->stored != UNDER_WAY)
            continue;
        if (op->error || !row->deleting) { /* one that left while it was written is there now, or perhaps */
            row->stored = STORED;
            row->deleting = false;
        } else {
            th_list_remove(&row->link);
            th_free(row);
        }
    }
    th_buf_fini(&f->op.repeated);
    th_buf_fini(&f->texts);
    th_free(f);
}

struct th_mono th_audit_wanted(const struct th_engine *e)
{
    bool some = e->audits_new || !th_list_empty(&e->audits_leaving);

    return some && !e->dead && !e->audits_lost ? e->now.mono : TH_MONO_NEVER;
}

static void take(struct audit_flush *f, struct audit_row *row, bool del)
{
    uint32_t i = f->op.count++;

    snprintf(f->keys[i], sizeof f->keys[i], TH_META_AUDIT "%016llx", (unsigned long long)row->pub.no);
    if (!del)
        write_text(&f->texts, &row->pub);
    f->ends[i] = f->texts.n;
    f->rows[i] = (struct th_row){.kind = TH_ROW_META, .del = del, .id = th_str(f->keys[i])};
    row->stored = UNDER_WAY;
    row->deleting = del;
}

void th_audit_begin(struct th_engine *e)
{
    struct audit_flush *f = th_calloc(1, sizeof *f);
    struct th_list *oldest = &e->audits; /* of those that are not stored, which are the last ones */
    size_t from = 0;

    if (!f) {
        e->jobs[TH_JOB_AUDIT].at.us = e->now.mono.us + 1000000;
        return;
    }
    f->e = e;
    th_buf_init(&f->texts, STEP * MAX_TEXT);
    th_buf_init(&f->op.repeated, 1u << 10);
    /* what leaves goes first: its puts have ended */
    for (struct th_list *l = e->audits_leaving.next; l != &e->audits_leaving && f->op.count < STEP / 2;
         l = l->next)
        take(f, of_link(l), true);
    e->audits_new = 0;
    while (oldest->prev != &e->audits && of_link(oldest->prev)->stored != STORED)
        oldest = oldest->prev;
    for (struct th_list *l = oldest; l != &e->audits; l = l->next) {
        if (f->op.count == STEP)
            e->audits_new++;
        else
            take(f, of_link(l), false);
    }
    for (uint32_t i = 0; i < f->op.count; i++) {
        f->rows[i].settings = th_span(th_buf_view(&f->texts).p + from, f->ends[i] - from);
        from = f->ends[i];
    }
    if (!f->op.count || f->texts.failed) {
        settle(&e->audits, NEW);
        settle(&e->audits_leaving, STORED);
        e->audits_new = f->op.count;
        e->jobs[TH_JOB_AUDIT].at.us = e->now.mono.us + 1000000;
        th_buf_fini(&f->op.repeated);
        th_buf_fini(&f->texts);
        th_free(f);
        return;
    }
    f->op.op = (struct th_op){.kind = TH_OP_SETTINGS, .done = flushed, .user = f};
    f->op.rows = f->rows;
    f->op.keep_version = true;
    f->op.at = e->now.wall;
    e->jobs[TH_JOB_AUDIT].busy = true;
    th_engine_submit(e, &f->op.op);
}

void th_audit_free(struct th_engine *e)
{
    struct th_list *l;

    while ((l = th_list_pop(&e->audits)) || (l = th_list_pop(&e->audits_leaving)))
        th_free(of_link(l));
}
