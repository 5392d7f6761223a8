/* The writer thread of the PostgreSQL store: one transaction for all that has queued up, and the reaction to
 * a lost database.
 *
 * Where several nodes share the work, a transaction waits for its turn among those of the others (postgres_share.c). What is queued
 * meanwhile joins the group once the turn has come, so that each turn takes along all there is: else those that are answered by a
 * commit, and at once ask for the next thing, would have to let a turn of each node go by.
 *
 * A transaction is BEGIN, the fence (postgres_lease.c), what its operations read, what they write, COMMIT. What was announced is read
 * in one round trip, and written in one more with the commit; operations that need to know more wait for it.
 *
 * When the connection ends before COMMIT was sent, nothing has happened and the group runs again on the next connection. After it, nobody
 * knows; the next connection finds out, since the number of the batch is in the row of the fence, and nothing of the old connection
 * can be committed any more. Until then the group waits, what comes meanwhile is refused with TH_RETRY, and what the writer has in
 * memory stays as it was: nothing is read again after a restart of the database.
 *
 * Connections are opened again after 0.1 to 2 seconds that are drawn by lot, so that many nodes do not come at once.
 *
 * Invariants: (1) an op is finished only after COMMIT has been confirmed; (2) per session, writes are run and finished in the order of
 * submission; (3) no batch is sent before the outcome of the one before is known. */
#include "store/postgres/postgres_commit.h"
#include "base/check.h"
#include "base/log.h"
#include "base/time.h"
#include "store/postgres/postgres_schema.h"
#include "store/store_exchange.h"
#include "store/store_group.h"
#include "store/store_number.h"
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3 /* tries of a group that met another transaction, or whose connection ended */
#define DROP_EVERY_US INT64_C(60000000)
#define WAIT_MS 2000 /* time for getting a connection, before writes that wait for one are refused */

static int64_t now_us(void)
{
    return pg_lease_now_us();
}

static bool stopping(struct pg_store *s)
{
    bool stop;

    pthread_mutex_lock(&s->base.lock);
    stop = s->base.stop;
    pthread_mutex_unlock(&s->base.lock);
    return stop;
}

static void set_ready(struct pg_store *s, bool ready)
{
    if (s->base.metrics)
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, ready);
}

/* ---- the connection ---- */

static void report_break(struct pg_store *s, enum th_error error)
{
    if (s->broken != TH_OK)
        return;
    s->broken = error;
    th_log(TH_LOG_ERROR, "the store has stopped; no further write is taken", TH_KC("store", s->base.name),
           TH_KC("error", th_error_name(error)), TH_KC("database", s->db.message));
    set_ready(s, false);
}

/** Another node has taken over: this one writes nothing any more. */
static void taken_over(struct pg_store *s)
{
    atomic_store(&s->lease.confirmed_us, 0);
    th_log(TH_LOG_ERROR,
           "another node has taken over; this one stops sending and begins anew as one that waits",
           TH_KC("store", s->base.name), TH_KI("node", s->lease.node));
    if (s->lost)
        s->lost(s->lost_ctx);
    report_break(s, TH_IO);
}

/** The database lacks commits that were acknowledged: it was restored, or a standby has taken over that did not have them. What this process
 * has in memory does not fit to it any more. */
static void went_back(struct pg_store *s, int64_t acknowledged)
{
    struct pg_tail_lost lost = pg_tail_find(&s->tail, s->lease.acknowledged + 1, acknowledged);
    struct th_buf since, until;

    th_buf_init(&since, 64);
    th_buf_init(&until, 64);
    if (lost.since_ms) {
        th_wall_format(&since, (struct th_wall){lost.since_ms}, TH_RFC3339_MILLIS);
        th_wall_format(&until, (struct th_wall){lost.until_ms}, TH_RFC3339_MILLIS);
    }
    th_log(TH_LOG_ERROR,
           "the database went back behind what it had committed: the events of these numbers, and changes of "
           "that time, are gone; "
           "this node begins anew with what there is",
           TH_KC("store", s->base.name), TH_KI("commits", acknowledged - s->lease.acknowledged),
           TH_KI("events", lost.events), TH_KI("events_from", lost.from), TH_KI("events_to", lost.to),
           TH_KS("since", th_buf_view(&since)), TH_KS("until", th_buf_view(&until)));
    th_buf_fini(&since);
    th_buf_fini(&until);
    if (s->base.metrics)
        th_count(s->base.metrics, TH_C_STORE_LOST, (uint64_t)(acknowledged - s->lease.acknowledged));
    if (s->lost)
        s->lost(s->lost_ctx);
}

static void later(struct pg_store *s)
{
    int64_t most = 100000 << (s->failures < 5 ? s->failures : 5);

    if (most > 2000000)
        most = 2000000;
    s->failures++;
    s->retry_at_us = now_us() + most / 2 + (int64_t)((uint64_t)random() % (uint64_t)(most / 2 + 1));
}

/** Opens a connection in place of one that is lost, when it is time to. *committed: the batch that was under way. */
static bool reopen(struct pg_store *s, bool *committed)
{
    int64_t acknowledged = s->lease.acknowledged;
    enum th_error error;

    *committed = false;
    if (s->broken != TH_OK || now_us() < s->retry_at_us)
        return false;
    error = pg_db_connect(&s->db);
    if (error == TH_OK)
        error = pg_lease_resolve(&s->db, &s->lease, committed);
    if (error == TH_CONFLICT) {
        taken_over(s);
        return false;
    }
    if (error != TH_OK) {
        if (!s->away)
            th_log(TH_LOG_ERROR, "the database cannot be reached; publishing answers 503 until it can",
                   TH_KC("store", s->base.name), TH_KC("database", s->db.message));
        s->away = true;
        s->db.lost = true;
        set_ready(s, false);
        later(s);
        return false;
    }
    if (s->lease.acknowledged < acknowledged)
        went_back(s, acknowledged);
    if (s->away)
        th_log(TH_LOG_INFO, "the database is there again", TH_KC("store", s->base.name));
    s->away = false;
    s->failures = 0;
    set_ready(s, true);
    return true;
}

/** Gives back, with TH_RETRY, all that has queued up meanwhile. */
static void refuse_waiting(struct pg_store *s)
{
    struct th_op *list;
    uint32_t count = 0;

    pthread_mutex_lock(&s->base.lock);
    list = s->base.head;
    s->base.head = NULL;
    s->base.tail = &s->base.head;
    s->base.queued = s->base.urgent = 0;
    pthread_mutex_unlock(&s->base.lock);
    for (struct th_op *op = list; op; op = op->next, count++)
        op->error = s->broken != TH_OK ? s->broken : TH_RETRY;
    if (s->base.metrics && count)
        th_gauge_add(s->base.metrics, TH_G_STORE_QUEUE, -(int64_t)count);
    st_group_give(&s->base, list);
}

/** Waits for a connection: at most so long, or (0) until there is one. */
static bool wait_for_connection(struct pg_store *s, int64_t ms, bool *committed)
{
    int64_t until = now_us() + ms * 1000;

    for (;;) {
        if (!s->db.lost)
            return true;
        if (reopen(s, committed))
            return true;
        if (s->broken != TH_OK || (ms && now_us() >= until) || (!ms && stopping(s)))
            return false;
        usleep(20000);
    }
}

/* ---- a group ---- */

/** The newest day for which an op may give a number. */
static uint64_t day_of(const struct th_op *op)
{
    int64_t at = op->kind == TH_OP_ACCEPT   ? ((const struct th_accept *)op)->at.ms
                 : op->kind == TH_OP_SETTLE ? ((const struct th_settle *)op)->row.at.ms
                                            : 0;

    return at ? st_number_day(at) : 0;
}

static enum th_error need_day(struct pg_store *s, uint64_t day)
{
    return th_map_get(&s->days, day + 1) ? TH_OK : pg_schema_add_day(&s->db, &s->days, day);
}

/** Makes the partitions into which the numbers of a group may fall. */
static enum th_error need_days(struct pg_store *s, const struct th_op *first)
{
    const struct st_counters *next = &s->base.writer.next;
    uint64_t newest = 0;
    enum th_error error = TH_OK;

    for (const struct th_op *op = first; op; op = op->next) {
        uint64_t day = day_of(op);

        newest = day > newest ? day : newest;
        if (day)
            error = need_day(s, day);
        if (error)
            return error;
    }
    if (!newest)
        return TH_OK;
    error = need_day(s, next->event >> 40);
    if (!error)
        error = need_day(s, next->delivery >> 40);
    return error ? error : need_day(s, next->attempt >> 40);
}

/** A group on its way through transactions. */
struct group {
    struct th_op *first;
    struct th_op **rest; /* where what comes behind the group is put; NULL: nothing may join */
    uint32_t *count;
};

/** Whether the partitions of an op's day are there: none can be made inside the group's transaction. */
static bool has_day(void *ctx, const struct th_op *op)
{
    struct pg_store *s = ctx;
    uint64_t day = day_of(op);

    return !day || th_map_get(&s->days, day + 1);
}

static void join(struct pg_store *s, const struct group *g)
{
    if (g->rest && !*g->rest)
        *g->rest = st_group_join(&s->base, g->first, g->count, has_day, s);
}

static int write_group(struct pg_store *s, const struct group *g, uint32_t *written,
                       struct st_counters *before)
{
    struct th_op *first = g->first;
    struct st_writer *w = &s->base.writer;
    int rc = st_writer_begin(w);

    *written = 0;
    if (rc != ST_OK)
        return rc;
    pg_lease_fence(&s->db, &s->lease);
    if (s->share.on && !first)
        return st_run(w->st[ST_W_COMMIT]); /* nothing but the lease */
    if (s->share.on) {
        if ((rc = pg_share_begin(s)) != ST_OK)
            return rc;
        join(s, g);
    }
    *before = w->next;
    for (struct th_op *op = first; op; op = op->next)
        st_writer_expect(w, op);
    for (struct th_op *op = first; rc == ST_OK && op; op = op->next) {
        rc = st_writer_write(w, op);
        *written += 1;
    }
    return rc == ST_OK ? st_writer_commit(w) : rc;
}

/** Finds the outcome of a commit whose answer did not come. */
static enum th_error find_out(struct pg_store *s)
{
    bool committed = false;

    for (;;) {
        if (reopen(s, &committed))
            return committed ? TH_OK : TH_RETRY;
        if (s->broken != TH_OK)
            return s->broken;
        if (stopping(s))
            return TH_UNKNOWN;
        refuse_waiting(s);
        usleep(20000);
    }
}

/** One transaction over a list of ops. TH_OK: durable, every op has its result. Else nothing happened (but with TH_UNKNOWN and for
 * a broken store, where that is unknown). */
static enum th_error transaction(struct pg_store *s, const struct group *g, uint32_t *written)
{
    struct st_writer *w = &s->base.writer;
    struct st_counters before = w->next;
    int64_t began = now_us();
    enum th_error error = need_days(s, g->first);
    int rc;

    if (error)
        return error;
    rc = write_group(s, g, written, &before);
    if (rc == ST_OK) {
        pg_lease_confirm(&s->lease);
        pg_tail_note(&s->tail, s->lease.seq, before.event, w->next.event);
        if (s->base.metrics)
            th_gauge_set(s->base.metrics, TH_G_STORE_RENEWED, (int64_t)time(NULL));
    } else {
        error = st_error(&s->db.base, rc);
        if (error == TH_UNKNOWN) {
            error = find_out(s);
            if (error == TH_OK) {
                st_writer_committed(w);
                pg_tail_note(&s->tail, s->lease.seq, before.event, w->next.event);
            }
        }
        if (error != TH_OK) {
            if (!s->db.lost && error != TH_RETRY)
                th_log(TH_LOG_WARN, "a store transaction failed", TH_KC("error", th_error_name(error)),
                       TH_KC("database", s->db.message));
            st_writer_rollback(w);
            w->tells = false;
            w->next = before;
            if (!s->db.lost && s->lease.seq > s->lease.acknowledged)
                s->lease.seq = s->lease.acknowledged; /* the fence was rolled back with it */
        }
    }
    if (s->db.fenced)
        taken_over(s);
    if (error == TH_CORRUPT || error == TH_IO)
        report_break(s, error);
    st_group_counted(&s->base, error, *written, now_us() - began);
    return error;
}

/** Tries again while the obstacle may be gone: another transaction, the end of the connection. */
static enum th_error try_transaction(struct pg_store *s, const struct group *g)
{
    enum th_error error = TH_RETRY;
    uint32_t written;
    bool unused;

    for (int i = 0; i < TRIES && error == TH_RETRY && s->broken == TH_OK; i++) {
        if (!wait_for_connection(s, s->away ? 1 : WAIT_MS, &unused))
            return s->broken != TH_OK ? s->broken : TH_RETRY;
        error = transaction(s, g, &written);
    }
    return s->broken != TH_OK ? s->broken : error;
}

static void run_group(struct pg_store *s, const struct group *g)
{
    struct th_op *first = g->first;
    enum th_error error = s->broken;

    st_exchange_begin(&s->base);
    if (error == TH_OK)
        error = try_transaction(s, g);
    for (struct th_op *op = first, *rest; op && error != TH_OK; op = rest) {
        rest = op->next;
        op->error = s->broken != TH_OK ? s->broken : error;
        if (s->broken != TH_OK || s->db.lost || error == TH_RETRY || error == TH_UNKNOWN)
            continue;
        op->next = NULL;
        op->error = TH_OK;
        if ((error = try_transaction(s, &(struct group){.first = op})) != TH_OK)
            op->error = error;
        op->next = rest;
        error = TH_BUG; /* the other ops have to be run again, too */
    }
    st_group_told(&s->base, first);
}

/* ---- work between the groups ---- */

/** Drops the tables of days that retention has emptied. */
static void drop_days(struct pg_store *s)
{
    PGresult *r;
    uint64_t oldest;

    if (now_us() < s->drop_at_us)
        return;
    s->drop_at_us = now_us() + DROP_EVERY_US;
    r = pg_db_query(&s->db, "SELECT coalesce(min(no),0) FROM " PG_SCHEMA ".event", 0, NULL);
    oldest = r ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    if (oldest)
        pg_schema_drop_days(&s->db, &s->days, oldest >> 40);
}

/** Renews the lease, or looks for the database. */
static void look_up(struct pg_store *s)
{
    bool unused;

    if (s->broken != TH_OK)
        return;
    if (s->db.lost) {
        (void)reopen(s, &unused);
        return;
    }
    if (!s->share.on || now_us() - atomic_load(&s->lease.confirmed_us) >= (int64_t)s->lease.ttl_ms * 200)
        (void)try_transaction(s, &(struct group){0});
    if (!s->db.lost && s->broken == TH_OK)
        drop_days(s);
}

void *pg_commit_main(void *arg)
{
    struct pg_store *s = arg;
    struct th_op *list;

    (void)prctl(PR_SET_NAME, "store-writer"); /* what top and perf show */
    look_up(s);                               /* opening may have taken most of the lease */
    pg_share_balance(s);
    while (st_group_wait(&s->base, &list)) {
        if (!list)
            look_up(s);
        pg_share_balance(s);
        if (s->db.fenced)
            taken_over(s);
        while (list) {
            uint32_t count;
            struct th_op *first = st_group_cut(&list, &count);

            run_group(s, &(struct group){first, &list, &count});
            if (s->base.metrics)
                th_gauge_add(s->base.metrics, TH_G_STORE_QUEUE, -(int64_t)count);
        }
    }
    if (!s->db.lost && s->broken == TH_OK)
        pg_lease_release(&s->db, &s->lease);
    return NULL;
}
