/* Leases of the PostgreSQL store.
 *
 * The row of a node in `node` is its fence. Every batch begins with an update of that row which names the epoch and the number of
 * the batch before; whoever takes over raises the epoch. So a batch that is executing holds the row, and the taker waits for its
 * end; one that comes later changes no row, fails with TH001, and is rolled back whole, however late TCP delivers it.
 *
 * A lease ends by the clock of the database. The node itself counts from the moment when it sent its last confirmed renewal, and
 * stops sending at seven tenths of the time, so that two machines would have to disagree by three tenths about how long it is
 * before both send.
 *
 * The lock of the data directory proves that the process before this one is dead: its row is taken over at once. */
#include "store/postgres/postgres_lease.h"
#include "base/log.h"
#include "store/postgres/postgres_share.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S PG_SCHEMA "."
#define UNTIL(ms) "clock_timestamp() + " ms "::int8 * interval '1 ms'"

int64_t pg_lease_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const char *text(char out[24], int64_t v)
{
    snprintf(out, 24, "%" PRId64, v);
    return out;
}

static int64_t number_at(const PGresult *r, int column)
{
    return PQntuples(r) && !PQgetisnull(r, 0, column) ? atoll(PQgetvalue(r, 0, column)) : 0;
}

enum th_error pg_lease_register(struct pg_db *db, struct pg_lease *l)
{
    char ttl[24];
    const char *values[] = {l->instance, l->address, TH_VERSION, text(ttl, l->ttl_ms),
                            l->share ? "true" : "false"};
    PGresult *r;

    if (pg_db_begin(db, "BEGIN") != TH_OK)
        return TH_RETRY;
    pg_db_send(db, "SELECT pg_advisory_xact_lock(7590142655173947)", 0,
               NULL); /* two that start take numbers in turn */
    pg_db_send(db,
               "DELETE FROM " S "node n WHERE n.until < clock_timestamp() - interval '1 day' AND n.id NOT IN"
               " (SELECT node FROM " S "slot WHERE node IS NOT NULL)",
               0, NULL);
    r = pg_db_query(
        db,
        "INSERT INTO " S "node(id,instance,epoch,seq,until,since,addr,version,share,works) SELECT "
        "coalesce(max(id),0)+1,$1,1,0," UNTIL(
            "$4") ",clock_timestamp(),$2,$3,$5::bool,false FROM " S
                  "node ON CONFLICT(instance) DO UPDATE SET epoch=node.epoch+1,"
                  "seq=0,until=" UNTIL(
                      "$4") ",addr=$2,version=$3,share=$5::bool,works=false RETURNING id,epoch,fenced",
        5, values);
    if (r) {
        l->node = (int)number_at(r, 0);
        l->epoch = number_at(r, 1);
        l->fenced = number_at(r, 2);
        l->seq = l->acknowledged = 0;
    }
    PQclear(r);
    return pg_db_commit(db);
}

/** In a transaction that holds the row of slot 0. */
static bool is_free(struct pg_db *db, struct pg_lease *l, struct pg_holder *holder)
{
    char id[24];
    const char *values[] = {text(id, holder->node)};
    PGresult *r;
    bool taken;

    if (!holder->node || holder->node == l->node)
        return true;
    if (holder->left_ms > 0)
        return false;
    /* waits for a batch of that node that is executing; where that one has renewed the lease, no row fits any more */
    r = pg_db_query(db,
                    "UPDATE " S "node SET epoch=epoch+1, fenced=fenced+1 WHERE id=$1::int2 AND until < "
                    "clock_timestamp() RETURNING id",
                    1, values);
    taken = r && PQntuples(r) == 1;
    PQclear(r);
    l->took_over = l->took_over || taken;
    if (taken)
        th_log(TH_LOG_WARN, "a node has not renewed its lease: this one takes over",
               TH_KI("node", holder->node), TH_KC("address", holder->address));
    return taken;
}

static void read_holder(struct pg_db *db, struct pg_holder *holder)
{
    PGresult *r = pg_db_query(
        db,
        "SELECT s.node, n.addr, (extract(epoch FROM n.until - clock_timestamp()) * 1000)::int8 FROM " S
        "slot s LEFT JOIN " S "node n ON n.id=s.node WHERE s.slot=0 FOR UPDATE OF s",
        0, NULL);

    *holder = (struct pg_holder){0};
    if (r && PQntuples(r)) {
        holder->node = (int)number_at(r, 0);
        snprintf(holder->address, sizeof holder->address, "%s", PQgetvalue(r, 0, 1));
        holder->left_ms = number_at(r, 2);
        if (PQgetisnull(r, 0, 1))
            holder->node = 0; /* its row is gone */
    }
    PQclear(r);
}

enum th_error pg_lease_take(struct pg_db *db, struct pg_lease *l, struct pg_holder *holder)
{
    char id[24], ttl[24];
    const char *values[] = {text(id, l->node), text(ttl, l->ttl_ms)};
    int64_t sent_us = pg_lease_now_us();
    enum th_error error;
    PGresult *r;

    if (pg_db_begin(db, "BEGIN") != TH_OK)
        return TH_RETRY;
    read_holder(db, holder);
    error = pg_share_join(db, l, holder);
    if (error) {
        (void)pg_db_commit(db);
        return error;
    }
    if (!l->share && (db->failed || !is_free(db, l, holder))) {
        error = db->failed ? TH_RETRY : TH_CONFLICT;
        (void)pg_db_commit(db);
        return error;
    }
    if (!l->share)
        pg_db_send(db,
                   l->took_over ? "UPDATE " S
                                  "slot SET node=$1::int2, epoch=epoch+1, fenced=clock_timestamp()"
                                : "UPDATE " S "slot SET node=$1::int2, epoch=epoch+1",
                   1, values);
    r = pg_db_query(db,
                    "UPDATE " S
                    "node SET epoch=epoch+1, seq=0, works=share, since=clock_timestamp(), until=" UNTIL(
                        "$2") " WHERE id=$1::int2 RETURNING epoch",
                    2, values);
    l->epoch = r ? number_at(r, 0) : 0;
    PQclear(r);
    error = pg_db_commit(db);
    if (error == TH_OK && !l->epoch)
        return TH_RETRY; /* this node's row is gone */
    if (error == TH_OK) {
        l->seq = l->acknowledged = 0;
        atomic_store(&l->confirmed_us, sent_us);
    }
    return error == TH_UNKNOWN ? TH_RETRY : error; /* asked again, it is this node's already */
}

bool pg_lease_wait(struct pg_db *db, struct pg_lease *l)
{
    char id[24], epoch[24], ttl[24];
    const char *values[] = {text(id, l->node), text(epoch, l->epoch), text(ttl, l->ttl_ms)};
    PGresult *r = pg_db_query(
        db, "UPDATE " S "node SET until=" UNTIL("$3") " WHERE id=$1::int2 AND epoch=$2::int8 RETURNING id", 3,
        values);
    bool kept = r && PQntuples(r) == 1;

    PQclear(r);
    return kept;
}

void pg_lease_fence(struct pg_db *db, struct pg_lease *l)
{
    char id[24], epoch[24], before[24], ttl[24];
    const char *values[] = {text(id, l->node), text(epoch, l->epoch), text(before, l->seq),
                            text(ttl, l->ttl_ms)};

    l->sent_us = pg_lease_now_us();
    l->seq++;
    pg_db_send(db,
               "WITH f AS (UPDATE " S "node SET seq=seq+1, until=" UNTIL(
                   "$4") " WHERE id=$1::int2 AND epoch=$2::int8 AND"
                         " seq=$3::int8 RETURNING 1) SELECT CASE WHEN EXISTS(SELECT 1 FROM f) THEN 1 ELSE " S
                         "fenced() END",
               4, values);
}

static bool is_young(const struct pg_lease *l)
{
    int64_t confirmed = atomic_load_explicit(&l->confirmed_us, memory_order_relaxed);

    return confirmed && pg_lease_now_us() - confirmed < (int64_t)l->ttl_ms * 700;
}

static void renewed(struct pg_lease *l, int64_t sent_us)
{
    if (l->share && !is_young(l))
        atomic_fetch_add(&l->lapses, 1);
    atomic_store(&l->confirmed_us, sent_us);
}

void pg_lease_confirm(struct pg_lease *l)
{
    l->acknowledged = l->seq;
    renewed(l, l->sent_us);
}

void pg_lease_caught_up(struct pg_lease *l, uint32_t lapses)
{
    atomic_store(&l->caught_up, lapses);
}

enum th_error pg_lease_resolve(struct pg_db *db, struct pg_lease *l, bool *committed)
{
    char id[24], epoch[24], ttl[24];
    const char *values[] = {text(id, l->node), text(epoch, l->epoch), text(ttl, l->ttl_ms)};
    int64_t sent_us = pg_lease_now_us(), seq = 0;
    bool ours;
    PGresult *r = pg_db_query(db,
                              "UPDATE " S "node SET epoch=epoch+1, until=" UNTIL(
                                  "$3") " WHERE id=$1::int2 AND epoch=$2::int8 RETURNING seq, epoch",
                              3, values);

    *committed = false;
    if (!r)
        return TH_RETRY;
    ours = PQntuples(r) == 1;
    if (ours) {
        seq = number_at(r, 0);
        l->epoch = number_at(r, 1);
    }
    PQclear(r);
    if (!ours)
        return TH_CONFLICT;
    *committed = seq >= l->seq;
    l->seq = l->acknowledged = seq;
    renewed(l, sent_us);
    return TH_OK;
}

void pg_lease_release(struct pg_db *db, struct pg_lease *l)
{
    char id[24], epoch[24];
    const char *values[] = {text(id, l->node), text(epoch, l->epoch)};

    atomic_store(&l->confirmed_us, 0);
    if (pg_db_begin(db, "BEGIN") != TH_OK)
        return;
    pg_db_send(db,
               "UPDATE " S "slot SET node=NULL, epoch=epoch+1 WHERE node=$1::int2 AND EXISTS(SELECT 1 FROM " S
               "node WHERE id=$1::int2 AND epoch=$2::int8)",
               2, values);
    pg_db_send(
        db,
        "UPDATE " S
        "node SET epoch=epoch+1, works=false, until=clock_timestamp() WHERE id=$1::int2 AND epoch=$2::int8",
        2, values);
    (void)pg_db_commit(db);
}

bool pg_lease_holds(const struct pg_lease *l)
{
    return is_young(l) && atomic_load(&l->lapses) == atomic_load(&l->caught_up);
}
