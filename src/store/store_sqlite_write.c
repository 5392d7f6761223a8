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

static const char *const writer_sql[SQ_W_COUNT] = {
    [SQ_W_BEGIN] = "BEGIN IMMEDIATE",
    [SQ_W_COMMIT] = "COMMIT",
    [SQ_W_PROBE] = "INSERT INTO counter(k,v) VALUES('probe',1) ON CONFLICT(k) DO UPDATE SET v = v + 1",
    [SQ_W_EVENT] =
        "INSERT INTO event(no,tenant,at,time,rnd,first,n,type,own_id,resource_type,resource_id,data)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
    [SQ_W_QUEUE] =
        "INSERT INTO queue(no,event,endpoint,due,lane,tries,attempts,last) VALUES(?1,?2,?3,?4,?5,0,0,0)",
    [SQ_W_OWN_GET] = "SELECT event FROM own WHERE tenant=?1 AND id=?2",
    [SQ_W_OWN_PUT] = "INSERT INTO own(tenant,id,event) VALUES(?1,?2,?3)",
    [SQ_W_IDEM_GET] = "SELECT body,first,n FROM idem WHERE day=?1 AND tenant=?2 AND key=?3",
    [SQ_W_IDEM_PUT] = "INSERT INTO idem(day,tenant,key,body,first,n) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQ_W_SAME_EVENT] = "SELECT first FROM event WHERE no=?1 AND tenant=?2 AND at=?3 AND rnd=?4",
    [SQ_W_QUEUE_GET] = "SELECT event,endpoint,lane,attempts,last,tries,due FROM queue WHERE no=?1",
    [SQ_W_QUEUE_AGAIN] = "UPDATE queue SET due=?2,tries=?3,attempts=?4,last=?5 WHERE no=?1",
    [SQ_W_QUEUE_DEL] = "DELETE FROM queue WHERE no=?1",
    [SQ_W_DELIVERY_PUT] = "INSERT INTO delivery(no,event,endpoint,ended,lane,tries,attempts,last,state)"
                          " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQ_W_DELIVERY_GET] =
        "SELECT event,endpoint,lane,attempts,last,tries,state,ended FROM delivery WHERE no=?1",
    [SQ_W_DELIVERY_DEL] = "DELETE FROM delivery WHERE no=?1",
    [SQ_W_ATTEMPT] =
        "INSERT INTO attempt(no,delivery,endpoint,prev,nth,at,status,class,flags,endpoint_rev,signed_at,"
        "times,peer,sigs,detail,head,body)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    [SQ_W_ATTEMPT_HEAD] = "SELECT prev,nth,at,status,class,endpoint_rev FROM attempt WHERE no=?1",
    [SQ_W_ATTEMPT_PREV] = "UPDATE attempt SET prev=?2 WHERE no=?1",
    [SQ_W_QUEUE_LAST] = "UPDATE queue SET last=?2 WHERE no=?1",
    [SQ_W_DELIVERY_LAST] = "UPDATE delivery SET last=?2 WHERE no=?1",
    [SQ_W_QUEUE_RETRY] = "UPDATE queue SET due=?2,lane=?3,tries=0 WHERE no=?1",
    [SQ_W_REQUEUE] =
        "INSERT INTO queue(no,event,endpoint,due,lane,tries,attempts,last) VALUES(?1,?2,?3,?4,?5,0,?6,?7)",
    [SQ_W_VERSION_GET] = "SELECT version FROM tenant WHERE no=?1 AND deleted=0",
    [SQ_W_VERSION_PUT] = "UPDATE tenant SET version=?2 WHERE no=?1",
    [SQ_W_TENANT_ID] = "SELECT 1 FROM tenant WHERE id=?1 AND deleted=0 AND no<>?2",
    [SQ_W_CIDEM_GET] = "SELECT body,version,answer FROM config_idem WHERE day=?1 AND tenant=?2 AND key=?3",
    [SQ_W_CIDEM_PUT] =
        "INSERT INTO config_idem(day,tenant,key,body,version,answer) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQ_W_ENDPOINT_REV] = "INSERT INTO endpoint_rev(endpoint,rev,at,conf) VALUES(?1,?2,?3,?4)"
                          " ON CONFLICT(endpoint,rev) DO UPDATE SET at=excluded.at, conf=excluded.conf",
    [SQ_W_PURGE_EVENTS] = "SELECT no,at,first,n,tenant,own_id FROM event ORDER BY no LIMIT ?1",
    [SQ_W_PURGE_LASTS] = "SELECT last FROM queue WHERE no<=?1 UNION ALL"
                         " SELECT last FROM delivery WHERE no<=?1",
    [SQ_W_ATTEMPT_DEL] = "DELETE FROM attempt WHERE no=?1",
    [SQ_W_PURGE_QUEUE] = "DELETE FROM queue WHERE no<=?1",
    [SQ_W_PURGE_DELIVERY] = "DELETE FROM delivery WHERE no<=?1",
    [SQ_W_PURGE_EVENT] = "DELETE FROM event WHERE no<=?1",
    [SQ_W_PURGE_OWN] = "DELETE FROM own WHERE tenant=?1 AND id=?2 AND event=?3",
    [SQ_W_PURGE_IDEM] = "DELETE FROM idem WHERE (day,tenant,key) IN"
                        " (SELECT day,tenant,key FROM idem WHERE day<?1 ORDER BY day,tenant,key LIMIT ?2)",
    [SQ_W_PURGE_CIDEM] =
        "DELETE FROM config_idem WHERE (day,tenant,key) IN"
        " (SELECT day,tenant,key FROM config_idem WHERE day<?1 ORDER BY day,tenant,key LIMIT ?2)",
    [SQ_W_COUNTER] = "INSERT INTO counter(k,v) VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
    [SQ_W_RUN_PUT] = "INSERT OR REPLACE INTO run(kind,run,key,n,nos) VALUES(?1,?2,?3,?4,?5)",
    [SQ_W_RUN_OLDEST] = "SELECT run FROM run WHERE kind=?1 ORDER BY run LIMIT 1",
    [SQ_W_RUN_DEL] = "DELETE FROM run WHERE kind=?1 AND run=?2",
    /* ?1 to ?3 key, ?4 limit; key, tenant, endpoint, number, bytes */
    [SQ_W_SEALED + TH_SEALED_SECRET] =
        "SELECT no,0,NULL,tenant,endpoint,no,sealed FROM secret WHERE no>?1 ORDER BY no LIMIT ?4",
    [SQ_W_SEALED + TH_SEALED_ENDPOINT] =
        "SELECT no,0,NULL,tenant,no,0,conf FROM endpoint WHERE no>?1 ORDER BY no LIMIT ?4",
    [SQ_W_SEALED + TH_SEALED_REVISION] =
        "SELECT r.endpoint,r.rev,NULL,e.tenant,r.endpoint,0,r.conf FROM endpoint_rev r LEFT JOIN endpoint e"
        " ON e.no=r.endpoint WHERE (r.endpoint,r.rev)>(?1,?2) ORDER BY r.endpoint,r.rev LIMIT ?4",
    [SQ_W_SEALED + TH_SEALED_ANSWER] =
        "SELECT day,tenant,key,tenant,0,0,answer FROM config_idem WHERE (day,tenant,key)>(?1,?2,?3)"
        " ORDER BY day,tenant,key LIMIT ?4",
    /* ?1 to ?3 key, ?4 fresh, ?5 bytes */
    [SQ_W_SEALED_PUT + TH_SEALED_SECRET] = "UPDATE secret SET sealed=?4 WHERE no=?1 AND sealed=?5",
    [SQ_W_SEALED_PUT + TH_SEALED_ENDPOINT] = "UPDATE endpoint SET conf=?4 WHERE no=?1 AND conf=?5",
    [SQ_W_SEALED_PUT + TH_SEALED_REVISION] =
        "UPDATE endpoint_rev SET conf=?4 WHERE endpoint=?1 AND rev=?2 AND conf=?5",
    [SQ_W_SEALED_PUT + TH_SEALED_ANSWER] =
        "UPDATE config_idem SET answer=?4 WHERE day=?1 AND tenant=?2 AND key=?3 AND answer=?5",
    /* ?1 no, ?2 tenant, ?3 endpoint, ?4 rev, ?5 id, ?6 conf, ?7 created, ?8 updated, ?9 until, ?10-12 fact */
    [SQ_W_ROW_PUT + TH_ROW_TENANT] = "INSERT INTO tenant(no,version,id,conf,created,updated) "
                                     "VALUES(?1,?4,?5,?6,?7,?8) ON CONFLICT(no) DO UPDATE SET"
                                     " version=excluded.version,id=excluded.id,conf=excluded.conf,created="
                                     "excluded.created,updated=excluded.updated,"
                                     "deleted=0",
    [SQ_W_ROW_PUT + TH_ROW_KEY] = "INSERT OR REPLACE INTO api_key(no,tenant,hash,conf,created,updated,until) "
                                  "VALUES(?1,?2,?5,?6,?7,?8,?9)",
    [SQ_W_ROW_PUT + TH_ROW_ENDPOINT] =
        "INSERT OR REPLACE INTO endpoint(no,tenant,rev,conf,created,updated) VALUES(?1,?2,?4,?6,?7,?8)",
    [SQ_W_ROW_PUT + TH_ROW_SECRET] =
        "INSERT OR REPLACE INTO secret(no,tenant,endpoint,sealed,created,updated,until) "
        "VALUES(?1,?2,?3,?6,?7,?8,?9)",
    [SQ_W_ROW_PUT + TH_ROW_FACT] =
        "INSERT OR REPLACE INTO fact(endpoint,first_fail,last_ok,exhausted_run) VALUES(?1,?10,?11,?12)",
    [SQ_W_ROW_PUT + TH_ROW_JOB] =
        "INSERT OR REPLACE INTO job(no,tenant,endpoint,conf,created,updated) VALUES(?1,?2,?3,?6,?7,?8)",
    [SQ_W_ROW_PUT + TH_ROW_META] = "INSERT OR REPLACE INTO meta(k,v) VALUES(?5,?6)",
    /* ?1 no, ?2 id */
    [SQ_W_ROW_DEL + TH_ROW_TENANT] = "UPDATE tenant SET deleted=1 WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_KEY] = "DELETE FROM api_key WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_ENDPOINT] = "UPDATE endpoint SET deleted=1 WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_SECRET] = "DELETE FROM secret WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_FACT] = "DELETE FROM fact WHERE endpoint=?1",
    [SQ_W_ROW_DEL + TH_ROW_JOB] = "DELETE FROM job WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_META] = "DELETE FROM meta WHERE k=?2",
    [SQ_W_CASCADE + 0] = "DELETE FROM fact WHERE endpoint IN (SELECT no FROM endpoint WHERE tenant=?1)",
    [SQ_W_CASCADE + 1] = "UPDATE endpoint SET deleted=1 WHERE tenant=?1",
    [SQ_W_CASCADE + 2] = "DELETE FROM api_key WHERE tenant=?1",
    [SQ_W_CASCADE + 3] = "DELETE FROM secret WHERE tenant=?1",
    [SQ_W_CASCADE + 4] = "DELETE FROM job WHERE tenant=?1",
    [SQ_W_CASCADE + 5] = "DELETE FROM secret WHERE endpoint=?1",
    [SQ_W_CASCADE + 6] = "DELETE FROM fact WHERE endpoint=?1",
    [SQ_W_CASCADE + 7] = "DELETE FROM job WHERE endpoint=?1",
};

uint64_t sq_day(int64_t wall_ms)
{
    int64_t day = (wall_ms - INT64_C(1767225600000)) / 86400000;

    if (day < 0)
        return 0;
    return day > 8191 ? 8191 : (uint64_t)day;
}

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

/** First free number of a kind: above every stored one and above what retention has noted. */
static int first_free(sqlite3 *db, const char *sql, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *out = sq_col_u64(st, 0) + 1;
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(st);
    return rc;
}

#define NOTED(k) "coalesce((SELECT v FROM counter WHERE k='" k "'),0)"
#define NEWEST(table) "coalesce((SELECT max(no) FROM " table "),0)"

enum th_error sq_writer_open(struct sq_writer *w, struct sq_store *store, sqlite3 *db)
{
    int rc;

    *w = (struct sq_writer){.store = store, .db = db};
    th_map_init(&w->versions, 100000, 0x9e3779b97f4a7c15u);
    w->st = th_calloc(SQ_W_COUNT, sizeof *w->st);
    if (!w->st)
        return TH_NOMEM;
    rc = sq_prepare_all(db, writer_sql, SQ_W_COUNT, w->st);
    if (rc == SQLITE_OK)
        rc = first_free(db, "SELECT max(" NOTED("event") "," NEWEST("event") ")", &w->next.event);
    if (rc == SQLITE_OK)
        rc = first_free(db, "SELECT max(" NOTED("delivery") "," NEWEST("queue") "," NEWEST("delivery") ")",
                        &w->next.delivery);
    if (rc == SQLITE_OK)
        rc = first_free(db, "SELECT max(" NOTED("attempt") "," NEWEST("attempt") ")", &w->next.attempt);
    return rc == SQLITE_OK ? TH_OK : sq_error(db, rc);
}

void sq_writer_close(struct sq_writer *w)
{
    if (w->st)
        sq_finalize_all(w->st, SQ_W_COUNT);
    th_free(w->st);
    w->st = NULL;
    th_map_fini(&w->versions);
}

int sq_begin(struct sq_writer *w)
{
    return sq_run(w->st[SQ_W_BEGIN]);
}

int sq_commit(struct sq_writer *w)
{
    return sq_run(w->st[SQ_W_COMMIT]);
}

void sq_rollback(struct sq_writer *w)
{
    if (!sqlite3_get_autocommit(w->db))
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    th_map_fini(&w->versions);
}

uint64_t sq_idem_day(const struct sq_writer *w, int64_t at_ms)
{
    uint64_t today = sq_day(at_ms), reached = w->next.event >> 40;

    return today > reached ? today : reached;
}

int sq_tenant_version(struct sq_writer *w, uint64_t tenant, bool *exists, uint64_t *version)
{
    uintptr_t known = (uintptr_t)th_map_get(&w->versions, tenant);
    sqlite3_stmt *st = w->st[SQ_W_VERSION_GET];
    int rc;

    *exists = true;
    *version = known - 1;
    if (known)
        return SQLITE_OK;
    *version = 0;
    sq_u64(st, 1, tenant);
    rc = sqlite3_step(st);
    *exists = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        *version = sq_col_u64(st, 0);
        if (th_map_put(&w->versions, tenant, (void *)(uintptr_t)(*version + 1)) != TH_OK)
            th_map_fini(&w->versions); /* full or no memory: it is only a cache */
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    sqlite3_reset(st);
    return rc;
}

/* ---- accept ---- */

/** Looks for the key under its day and the day before. *found only with SQLITE_OK. */
static int find_idem(struct sq_writer *w, struct th_accept *a, uint64_t day, bool *found)
{
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
            a->result = th_span_eq(sq_col(st, 0), th_span(a->idem.body, sizeof a->idem.body))
                            ? TH_ACCEPT_REPLAYED
                            : TH_ACCEPT_KEY_REUSED;
            a->first_event = sq_col_u64(st, 1);
            a->replayed_count = (uint32_t)sq_col_u64(st, 2);
            rc = SQLITE_DONE;
        }
        sqlite3_reset(st);
        if (rc != SQLITE_DONE)
            return rc;
    }
    return SQLITE_OK;
}

/** True when an earlier event of the same op has this own id; remembers it else. slots: index + 1, 0 free. */
static bool repeats_in_op(struct sq_writer *w, const struct th_accept *a, uint32_t i)
{
    size_t mask = sizeof w->own_slots / sizeof *w->own_slots - 1;
    size_t pos = (size_t)th_hash(a->events[i].own_id, 0x2545f4914f6cdd1du) & mask;

    for (; w->own_slots[pos]; pos = (pos + 1) & mask)
        if (th_span_eq(a->events[w->own_slots[pos] - 1].own_id, a->events[i].own_id))
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

        if (!a->events[i].own_id.n)
            continue;
        if (!clean)
            memset(w->own_slots, 0, sizeof w->own_slots);
        clean = true;
        sq_u64(st, 1, a->tenant);
        sq_text(st, 2, a->events[i].own_id);
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

static int put_event(struct sq_writer *w, const struct th_accept *a, struct th_new_event *e)
{
    sqlite3_stmt *st = w->st[SQ_W_EVENT], *queue = w->st[SQ_W_QUEUE];
    int rc;

    e->no = take(&w->next.event, 1);
    e->first_delivery = take(&w->next.delivery, e->endpoint_count);
    sq_u64(st, 1, e->no);
    sq_u64(st, 2, a->tenant);
    sq_i64(st, 3, a->at.ms);
    sq_i64(st, 4, e->time.ms);
    sq_u64(st, 5, e->rnd);
    sq_u64(st, 6, e->first_delivery);
    sq_u64(st, 7, e->endpoint_count);
    sq_text(st, 8, e->type);
    sq_text(st, 9, e->own_id);
    sq_text(st, 10, e->resource_type);
    sq_text(st, 11, e->resource_id);
    sq_text(st, 12, e->data);
    rc = sq_run(st);
    for (uint32_t i = 0; rc == SQLITE_OK && i < e->endpoint_count; i++) {
        sq_u64(queue, 1, e->first_delivery + i);
        sq_u64(queue, 2, e->no);
        sq_u64(queue, 3, e->endpoints[i]);
        sq_i64(queue, 4, a->at.ms);
        sq_u64(queue, 5, e->lane);
        rc = sq_run(queue);
    }
    if (rc == SQLITE_OK && e->own_id.n) {
        st = w->st[SQ_W_OWN_PUT];
        sq_u64(st, 1, a->tenant);
        sq_text(st, 2, e->own_id);
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

/** Binding would cut what SQLite cannot hold, so it is refused before. */
static enum th_error check_accept(const struct th_accept *a)
{
    if (a->count == 0 || a->count > 1000)
        return TH_BUG;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct th_new_event *e = &a->events[i];

        if (e->data.n > SQ_BYTES_MAX || e->type.n > SQ_BYTES_MAX || e->own_id.n > SQ_BYTES_MAX ||
            e->resource_type.n > SQ_BYTES_MAX || e->resource_id.n > SQ_BYTES_MAX)
            return TH_TOO_LARGE;
    }
    return TH_OK;
}

static int accept(struct sq_writer *w, struct th_accept *a)
{
    uint64_t day = sq_idem_day(w, a->at.ms), version;
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
    if (rc != SQLITE_OK || found)
        return rc;

    align(&w->next.event, a->at.ms);
    align(&w->next.delivery, a->at.ms);
    a->result = TH_ACCEPT_NEW;
    a->first_event = w->next.event;
    for (uint32_t i = 0; rc == SQLITE_OK && i < a->count; i++)
        rc = put_event(w, a, &a->events[i]);
    if (rc == SQLITE_OK && a->idem.given)
        rc = put_idem(w, a, day);
    return rc;
}

/* ---- settle ---- */

struct stored { /* a delivery as it is stored now */
    bool queued, ended;
    uint64_t event, endpoint, lane, attempts, last, tries;
    int64_t due_or_state, ended_at;
};

static int find_delivery(struct sq_writer *w, uint64_t no, struct stored *d)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = w->st[i ? SQ_W_DELIVERY_GET : SQ_W_QUEUE_GET];
        int rc;

        sq_u64(st, 1, no);
        rc = sqlite3_step(st);
        *d = (struct stored){0};
        if (rc == SQLITE_ROW) {
            d->queued = i == 0;
            d->ended = i == 1;
            d->event = sq_col_u64(st, 0);
            d->endpoint = sq_col_u64(st, 1);
            d->lane = sq_col_u64(st, 2);
            d->attempts = sq_col_u64(st, 3);
            d->last = sq_col_u64(st, 4);
            d->tries = sq_col_u64(st, 5);
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
    sqlite3_stmt *st = w->st[SQ_W_ATTEMPT];
    const struct th_attempt_row *r = &s->row;
    struct sq_packed packed;

    align(&w->next.attempt, r->at.ms);
    *no = take(&w->next.attempt, 1);
    sq_pack(&packed, r);
    sq_u64(st, 1, *no);
    sq_u64(st, 2, s->delivery);
    sq_u64(st, 3, endpoint);
    sq_u64(st, 4, prev);
    sq_u64(st, 5, r->nth);
    sq_i64(st, 6, r->at.ms);
    sq_u64(st, 7, r->status);
    sq_u64(st, 8, r->class);
    sq_u64(st, 9, (r->truncated ? SQ_TRUNCATED : 0u) | (r->reused ? SQ_REUSED : 0u) | (r->ok ? SQ_OK : 0u));
    sq_u64(st, 10, r->endpoint_rev);
    sq_i64(st, 11, r->signed_at);
    sq_blob(st, 12, th_span(packed.times, sizeof packed.times));
    sq_blob(st, 13, th_span(packed.peer, packed.peer_n));
    sq_text(st, 14, r->sigs);
    sq_text(st, 15, r->detail);
    sq_blob(st, 16, r->head);
    sq_blob(st, 17, r->body);
    return sq_run(st);
}

static int put_ended(struct sq_writer *w, uint64_t no, const struct stored *d, int64_t ended, uint64_t tries,
                     uint64_t attempts, uint64_t last, enum th_delivery_state state)
{
    sqlite3_stmt *st = w->st[SQ_W_DELIVERY_PUT];
    int rc;

    sq_u64(st, 1, no);
    sq_u64(st, 2, d->event);
    sq_u64(st, 3, d->endpoint);
    sq_i64(st, 4, ended);
    sq_u64(st, 5, d->lane);
    sq_u64(st, 6, tries);
    sq_u64(st, 7, attempts);
    sq_u64(st, 8, last);
    sq_u64(st, 9, state);
    rc = sq_run(st);
    if (rc != SQLITE_OK)
        return rc;
    sq_u64(w->st[SQ_W_QUEUE_DEL], 1, no);
    return sq_run(w->st[SQ_W_QUEUE_DEL]);
}

/** A settle whose counter does not fit: the attempt is logged behind the newest one, so that the delivery
 * still shows the attempt that made its state. The same settle sent again finds itself and changes nothing.
 */
static int settle_late(struct sq_writer *w, struct th_settle *s, const struct stored *d)
{
    sqlite3_stmt *st = w->st[SQ_W_ATTEMPT_HEAD];
    uint64_t prev = 0, no;
    bool same = false;
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
    if (same) {
        s->applied = true;
        return SQLITE_OK;
    }
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
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
    struct stored d;
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
    rc = find_delivery(w, s->delivery, &d);
    if (rc != SQLITE_OK)
        return rc;
    if (!d.queued || d.attempts != s->expect_attempts)
        return settle_late(w, s, &d);
    rc = put_attempt(w, s, d.endpoint, d.last, &no);
    if (rc != SQLITE_OK)
        return rc;
    s->applied = true;
    if (s->next != TH_DS_QUEUED) {
        int64_t total_us = s->row.us[4] > 0 ? s->row.us[4] : 0;

        return put_ended(w, s->delivery, &d, s->row.at.ms + total_us / 1000, s->tries, d.attempts + 1, no,
                         s->next);
    }
    st = w->st[SQ_W_QUEUE_AGAIN];
    sq_u64(st, 1, s->delivery);
    sq_i64(st, 2, s->due.ms);
    sq_u64(st, 3, s->tries);
    sq_u64(st, 4, d.attempts + 1);
    sq_u64(st, 5, no);
    return sq_run(st);
}

/* ---- move ---- */

static int requeue(struct sq_writer *w, const struct th_move *m, uint64_t no, const struct stored *d)
{
    sqlite3_stmt *st = w->st[d->queued ? SQ_W_QUEUE_RETRY : SQ_W_REQUEUE];
    int rc;

    sq_u64(st, 1, no);
    if (d->queued) {
        sq_i64(st, 2, m->at.ms);
        sq_u64(st, 3, m->lane);
        return sq_run(st);
    }
    sq_u64(st, 2, d->event);
    sq_u64(st, 3, d->endpoint);
    sq_i64(st, 4, m->at.ms);
    sq_u64(st, 5, m->lane);
    sq_u64(st, 6, d->attempts);
    sq_u64(st, 7, d->last);
    rc = sq_run(st);
    if (rc != SQLITE_OK)
        return rc;
    sq_u64(w->st[SQ_W_DELIVERY_DEL], 1, no);
    return sq_run(w->st[SQ_W_DELIVERY_DEL]);
}

static int move_one(struct sq_writer *w, struct th_move *m, uint32_t i)
{
    uint64_t no = m->deliveries[i];
    struct stored d;
    int rc = find_delivery(w, no, &d);

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
        return put_ended(w, no, &d, m->at.ms, d.tries, d.attempts, d.last, TH_DS_CANCELLED);
    }
    if (!d.queued && !d.ended)
        return SQLITE_OK;
    rc = requeue(w, m, no, &d);
    m->moved[i] = rc == SQLITE_OK;
    if (m->rows && m->moved[i])
        m->rows[i] = (struct th_queue_row){.no = no,
                                           .event = d.event,
                                           .endpoint = d.endpoint,
                                           .due = m->at.ms,
                                           .lane = m->lane,
                                           .tries = 0,
                                           .attempts = (uint16_t)d.attempts};
    return rc;
}

static int move(struct sq_writer *w, struct th_move *m)
{
    int rc = SQLITE_OK;

    m->op.error = m->count <= 1000 ? TH_OK : TH_BUG;
    for (uint32_t i = 0; rc == SQLITE_OK && m->op.error == TH_OK && i < m->count; i++)
        rc = move_one(w, m, i);
    return rc;
}

int sq_write(struct sq_writer *w, struct th_op *op)
{
    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        return accept(w, (struct th_accept *)op);
    case TH_OP_SETTLE:
        return settle(w, (struct th_settle *)op);
    case TH_OP_MOVE:
        return move(w, (struct th_move *)op);
    case TH_OP_CONFIG:
        return sq_config(w, (struct th_config *)op);
    case TH_OP_PURGE:
        return sq_purge(w, (struct th_purge *)op);
    case TH_OP_RESEAL:
        return sq_reseal(w, (struct th_reseal *)op);
    case SQ_OP_SEAL:
        op->error = TH_OK;
        return sq_seal_slice(w, (struct sq_seal *)op);
    case TH_OP_PROBE:
        op->error = TH_OK;
        return sq_run(w->st[SQ_W_PROBE]);
    default:
        op->error = TH_BUG;
        return SQLITE_OK;
    }
}
