/* The tables of the PostgreSQL store.
 *
 * They are those of the SQLite store, column by column (sqlite/migrations.c), so that the statements are the same; texts are bytea,
 * so that no byte is refused or changed. Beside them: who works on the database (`node`, `slot`), and in which form it is (`form`).
 *
 * A step of the list runs once, all that are missing in one transaction, which holds a lock of the transaction: another node that
 * starts meanwhile waits and finds it done. A step that is released is never edited. `form.oldest` is the earliest program that may
 * still work on the tables: a step that an earlier program can live with leaves it as it is, so that nodes are upgraded one by one.
 *
 * Rows of the hot tables are in a partition for each day of their numbers. One is made beside the table and attached, which waits
 * for nobody and lets nobody wait.
 *
 * Needs no superuser and no extension: CREATE on the database, or a schema of this name that belongs to the role. */
#include "store/postgres/postgres_schema.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_AHEAD 3
#define S PG_SCHEMA "."

/* clang-format off */
static const char first[] =
    "CREATE TABLE " S "event(no int8 PRIMARY KEY, tenant int8 NOT NULL, at int8 NOT NULL, time int8 NOT NULL, rnd int8 NOT NULL,"
    " first int8 NOT NULL, n int4 NOT NULL, type bytea, external_id bytea, resource_type bytea, resource_id bytea, data bytea,"
    " deliver_at int8, expires_at int8, order_key bytea, channels bytea, traceparent bytea, content_type bytea) PARTITION BY RANGE (no);"
    "ALTER TABLE " S "event ALTER COLUMN data SET STORAGE EXTERNAL;"
    "CREATE TABLE " S "delivery(no int8 PRIMARY KEY, event int8 NOT NULL, endpoint int8 NOT NULL, ended int8 NOT NULL, lane int8 NOT NULL,"
    " tries int4 NOT NULL, attempts int4 NOT NULL, last int8 NOT NULL, state int4 NOT NULL) PARTITION BY RANGE (no);"
    "CREATE TABLE " S "attempt(no int8 PRIMARY KEY, delivery int8 NOT NULL, endpoint int8 NOT NULL, prev int8 NOT NULL, nth int4 NOT NULL,"
    " at int8 NOT NULL, status int4 NOT NULL, class int2 NOT NULL, flags int2 NOT NULL, endpoint_rev int8 NOT NULL,"
    " signed_at int8 NOT NULL, times bytea, peer bytea, sigs bytea, detail bytea, head bytea, body bytea, batch int8)"
    " PARTITION BY RANGE (no);"
    "CREATE TABLE " S "queue(no int8 PRIMARY KEY, event int8 NOT NULL, endpoint int8 NOT NULL, due int8 NOT NULL, lane int8 NOT NULL,"
    " tries int8 NOT NULL, attempts int4 NOT NULL, last int8 NOT NULL) WITH (fillfactor=85, autovacuum_vacuum_scale_factor=0.02,"
    " autovacuum_vacuum_threshold=10000, autovacuum_vacuum_cost_delay=0);"
    "CREATE TABLE " S "fan(event int8 PRIMARY KEY, first int8 NOT NULL, n int8 NOT NULL, at int8 NOT NULL, endpoints bytea NOT NULL, more bytea);"
    "CREATE TABLE " S "own(tenant int8 NOT NULL, id bytea NOT NULL, event int8 NOT NULL, PRIMARY KEY(tenant, id));"
    "CREATE TABLE " S "idem(day int8 NOT NULL, tenant int8 NOT NULL, key bytea NOT NULL, body bytea NOT NULL, first int8 NOT NULL,"
    " n int8 NOT NULL, PRIMARY KEY(day, tenant, key));"
    "CREATE TABLE " S "config_idem(day int8 NOT NULL, tenant int8 NOT NULL, key bytea NOT NULL, body bytea NOT NULL, version int8 NOT NULL,"
    " answer bytea, PRIMARY KEY(day, tenant, key));"
    "CREATE TABLE " S "run(kind int8 NOT NULL, run int8 NOT NULL, key int8 NOT NULL, n int8 NOT NULL, nos bytea NOT NULL,"
    " PRIMARY KEY(kind, run, key));"
    "CREATE TABLE " S "tenant(no int8 PRIMARY KEY, version int8 NOT NULL, id bytea NOT NULL, conf bytea, created int8, updated int8,"
    " deleted int8 NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX tenant_id ON " S "tenant(id) WHERE deleted = 0;"
    "CREATE TABLE " S "api_key(no int8 PRIMARY KEY, tenant int8 NOT NULL, hash bytea NOT NULL, conf bytea, created int8, updated int8,"
    " until int8 NOT NULL);"
    "CREATE TABLE " S "endpoint(no int8 PRIMARY KEY, tenant int8 NOT NULL, rev int8 NOT NULL, conf bytea, created int8, updated int8,"
    " deleted int8 NOT NULL DEFAULT 0);"
    "CREATE TABLE " S "endpoint_rev(endpoint int8 NOT NULL, rev int8 NOT NULL, at int8, conf bytea, PRIMARY KEY(endpoint, rev));"
    "CREATE TABLE " S "secret(no int8 PRIMARY KEY, tenant int8 NOT NULL, endpoint int8 NOT NULL, sealed bytea, created int8, updated int8,"
    " until int8 NOT NULL);"
    "CREATE TABLE " S "fact(endpoint int8 PRIMARY KEY, first_fail int8 NOT NULL, last_ok int8 NOT NULL, exhausted_run int8 NOT NULL,"
    " rest_since int8 NOT NULL DEFAULT 0, rest_until int8 NOT NULL DEFAULT -1);"
    "CREATE TABLE " S "job(no int8 PRIMARY KEY, tenant int8 NOT NULL, endpoint int8 NOT NULL, conf bytea, created int8, updated int8);"
    "CREATE TABLE " S "meta(k text COLLATE \"C\" PRIMARY KEY, v bytea);"
    "CREATE TABLE " S "counter(k text COLLATE \"C\" PRIMARY KEY, v int8 NOT NULL) WITH (fillfactor=50);"
    "CREATE TABLE " S "usage(tenant int8 PRIMARY KEY, bytes int8 NOT NULL);"
    "CREATE TABLE " S "erasure(event int8 PRIMARY KEY, at int8 NOT NULL, pos int8 NOT NULL);"
    "CREATE INDEX erasure_left ON " S "erasure(event) WHERE pos > 0;"
    "CREATE TABLE " S "erasing(tenant int8 PRIMARY KEY, at int8 NOT NULL, pos int8 NOT NULL);"
    /* a new store shows none of its numbers as they are: see migrations.c of SQLite, step `plain` */
    "INSERT INTO " S "meta(k,v) VALUES('plain_endpoint','0000000000000000'),('plain_delivery','0000000000000000'),"
    "('plain_attempt','0000000000000000');"
    /* who works on the database. A row of `node` changes with every commit of its node, so it has room for that on its page. */
    "CREATE TABLE " S "node(id int2 PRIMARY KEY, instance text NOT NULL UNIQUE, epoch int8 NOT NULL, seq int8 NOT NULL,"
    " until timestamptz NOT NULL, since timestamptz NOT NULL, addr text NOT NULL, version text NOT NULL) WITH (fillfactor=20);"
    "CREATE TABLE " S "slot(slot int2 PRIMARY KEY, node int2, epoch int8 NOT NULL, wanted int2) WITH (fillfactor=20);"
    "INSERT INTO " S "slot(slot, epoch) SELECT i, 0 FROM generate_series(0, 255) i;"
    "CREATE FUNCTION " S "fenced() RETURNS int4 LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''another node has taken over'' USING ERRCODE"
    " = ''TH001''; END';";
static const char checked[] = "ALTER TABLE " S "event ADD COLUMN checked int8;";
/* clang-format on */

/* clang-format off */
/* Several nodes that work at once: `shared` has the place of the newest commit in the order of all commits, and the next
 * numbers as they were with it; who commits holds it. `log` has what each commit tells the others, `progress` how far each node has
 * applied it. */
static const char sharing[] =
    "ALTER TABLE " S "node ADD COLUMN share bool NOT NULL DEFAULT false, ADD COLUMN works bool NOT NULL DEFAULT false;"
    "CREATE TABLE " S "shared(one int2 PRIMARY KEY, seq int8 NOT NULL, event int8 NOT NULL, delivery int8 NOT NULL, attempt int8 NOT NULL)"
    " WITH (fillfactor=20);"
    "INSERT INTO " S "shared VALUES(1,0,0,0,0);"
    "CREATE TABLE " S "log(seq int8 PRIMARY KEY, node int2 NOT NULL, at timestamptz NOT NULL, settings bool NOT NULL,"
    " news bytea NOT NULL, counts bytea NOT NULL);"
    "CREATE TABLE " S "progress(node int2 PRIMARY KEY, applied int8 NOT NULL, counted int8 NOT NULL) WITH (fillfactor=20);";
/* clang-format on */

/* When a slot was last taken from a node that had not given it up. */
static const char fencing[] = "ALTER TABLE " S "slot ADD COLUMN fenced timestamptz;";

/* How often others have taken over from a node. */
static const char counting[] = "ALTER TABLE " S "node ADD COLUMN fenced int8 NOT NULL DEFAULT 0;";

/* Rollups of attempts: see migrations.c of SQLite, step `roll`. A program that does not know them would make runs without them. */
/* clang-format off */
static const char roll[] =
    "CREATE TABLE " S "roll(level int8 NOT NULL, t int8 NOT NULL, kind int8 NOT NULL, key int8 NOT NULL, upto int8 NOT NULL,"
    " v bytea NOT NULL, PRIMARY KEY(level, t, kind, key));"
    "WITH RECURSIVE tests(no) AS (SELECT last FROM (SELECT last,lane,event FROM " S "queue UNION ALL SELECT last,lane,event FROM " S
    "delivery) d WHERE last>0 AND (lane&3=3 OR event IN (SELECT no FROM " S "event WHERE type='webhook.test'::bytea))"
    " UNION ALL SELECT a.prev FROM tests JOIN " S "attempt a ON a.no=tests.no WHERE a.prev>0)"
    "UPDATE " S "attempt SET flags=flags|16::int2 WHERE no IN (SELECT no FROM tests);"
    "DELETE FROM " S "run WHERE kind=2;"
    "DELETE FROM " S "counter WHERE k='sealed.attempt';";
/* clang-format on */

/* How many deliveries waited: see store_backlog.c. */
static const char backlog[] = "CREATE TABLE " S "backlog(level int8 NOT NULL, t int8 NOT NULL, tenant int8 "
                              "NOT NULL, last int8 NOT NULL, most int8 NOT NULL,"
                              " cut int8 NOT NULL, PRIMARY KEY(level, t, tenant));";

/* What a step does, and the earliest form whose program may go on beside it. */
static const struct {
    const char *sql;
    int oldest;
} steps[] = {{first, 1}, {checked, 1}, {sharing, 1}, {fencing, 1}, {counting, 1}, {roll, 6}, {backlog, 6}};
#define STEPS ((int)(sizeof steps / sizeof *steps))

static bool run(PGconn *c, const char *sql, char *why, size_t why_size)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (!ok)
        snprintf(why, why_size, "the tables of the store cannot be made: %.*s",
                 (int)strcspn(PQresultErrorMessage(r), "\n"), PQresultErrorMessage(r));
    PQclear(r);
    return ok;
}

static int number(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    int n = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) ? atoi(PQgetvalue(r, 0, 0)) : -1;

    PQclear(r);
    return n;
}

/* In the transaction that holds the lock. */
static enum th_error raise_form(PGconn *c, const char *shown, char *why, size_t why_size)
{
    int version, oldest;
    char sql[160];

    if (number(c, "SELECT count(*) FROM pg_namespace WHERE nspname='" PG_SCHEMA "'") != 1 &&
        !run(c, "CREATE SCHEMA " PG_SCHEMA, why, why_size))
        return TH_DENIED;
    if (!run(c, "CREATE TABLE IF NOT EXISTS " S "form(version int4 NOT NULL, oldest int4 NOT NULL)", why,
             why_size))
        return TH_DENIED;
    version = number(c, "SELECT coalesce(max(version),0) FROM " S "form");
    oldest = number(c, "SELECT coalesce(max(oldest),0) FROM " S "form");
    if (oldest > STEPS) {
        snprintf(why, why_size,
                 "the database %s has form %d, which needs a program that knows at least %d; this one knows "
                 "up to %d: "
                 "start the newer Tenterhook",
                 shown, version, oldest, STEPS);
        return TH_INVALID;
    }
    if (version >= STEPS)
        return TH_OK;
    for (int i = version < 0 ? 0 : version; i < STEPS; i++)
        if (!run(c, steps[i].sql, why, why_size))
            return TH_DENIED;
    snprintf(sql, sizeof sql, "DELETE FROM " S "form; INSERT INTO " S "form(version,oldest) VALUES(%d,%d)",
             STEPS, steps[STEPS - 1].oldest);
    if (!run(c, sql, why, why_size))
        return TH_DENIED;
    th_log(TH_LOG_INFO, "the database has a newer form now", TH_KC("store", shown), TH_KI("from", version),
           TH_KI("to", STEPS));
    return TH_OK;
}

enum th_error pg_schema_raise(const struct pg_address *address, char *why, size_t why_size)
{
    PGconn *c = pg_address_connect(address);
    enum th_error error = TH_RETRY;

    why[0] = '\0';
    if (PQstatus(c) != CONNECTION_OK) {
        snprintf(why, why_size, "the database %s cannot be reached: %.*s", address->shown,
                 (int)strcspn(PQerrorMessage(c), "\n"), PQerrorMessage(c));
    } else if (PQserverVersion(c) < 140000) {
        snprintf(why, why_size, "%s is PostgreSQL %d; version 14 or newer is needed", address->shown,
                 PQserverVersion(c) / 10000);
        error = TH_INVALID;
    } else if (run(c,
                   "BEGIN; SET LOCAL client_min_messages TO error; SELECT "
                   "pg_advisory_xact_lock(7590142655173946)",
                   why, why_size)) {
        error = raise_form(c, address->shown, why, why_size);
        if (!run(c, error == TH_OK ? "COMMIT" : "ROLLBACK", why, why_size) && error == TH_OK)
            error = TH_RETRY;
    }
    PQfinish(c);
    return error;
}

bool pg_schema_is_partial(struct pg_db *db)
{
    PGresult *r = pg_db_query(db, "SELECT to_regclass('" S "migration') IS NOT NULL", 0, NULL);
    bool yes = r && PQgetvalue(r, 0, 0)[0] == 't';

    PQclear(r);
    return yes;
}

/* ---- days ---- */

/* A day is there when its partition of `event` is, which is made last and dropped last. */
static const char *const parted[] = {"attempt", "delivery", "event"};
#define PARTED (sizeof parted / sizeof *parted)

enum th_error pg_schema_days(struct pg_db *db, struct th_map *days)
{
    PGresult *r = pg_db_query(
        db,
        "SELECT substr(c.relname, length(p.relname) + 3)::int8 FROM pg_inherits i JOIN pg_class c ON"
        " c.oid=i.inhrelid JOIN pg_class p ON p.oid=i.inhparent WHERE p.relnamespace='" PG_SCHEMA
        "'::regnamespace AND p.relname='event'",
        0, NULL);
    enum th_error error = r ? TH_OK : TH_RETRY;

    for (int i = 0; r && error == TH_OK && i < PQntuples(r); i++)
        error = th_map_put(days, (uint64_t)atoll(PQgetvalue(r, i, 0)) + 1, (void *)1);
    PQclear(r);
    return error;
}

static bool query(struct pg_db *db, const char *sql)
{
    PGresult *r = pg_db_query(db, sql, 0, NULL);

    PQclear(r);
    return r != NULL;
}

static bool is_attached(struct pg_db *db, const char *table, uint64_t day)
{
    char sql[240];
    PGresult *r;
    bool yes;

    snprintf(sql, sizeof sql,
             "SELECT 1 FROM pg_inherits WHERE inhrelid=to_regclass('" S "%s_d%llu') AND inhparent='" S
             "%s'::regclass",
             table, (unsigned long long)day, table);
    r = pg_db_query(db, sql, 0, NULL);
    yes = r && PQntuples(r) == 1;
    PQclear(r);
    return yes;
}

static bool add_partition(struct pg_db *db, const char *table, uint64_t day)
{
    char sql[300];

    if (is_attached(db, table, day))
        return true;
    snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS " S "%s_d%llu (LIKE " S "%s INCLUDING ALL)", table,
             (unsigned long long)day, table);
    if (!query(db, sql))
        return false;
    snprintf(sql, sizeof sql,
             "ALTER TABLE " S "%s ATTACH PARTITION " S "%s_d%llu FOR VALUES FROM (%llu) TO (%llu)", table,
             table, (unsigned long long)day, (unsigned long long)day << 40,
             (unsigned long long)(day + 1) << 40);
    return query(db, sql) || is_attached(db, table, day); /* or another node was quicker */
}

/** One node after the other: two that make the same table at once would not both succeed. */
static enum th_error add_partitions(struct pg_db *db, uint64_t day)
{
    bool done;

    if (pg_db_begin(db, "BEGIN") != TH_OK)
        return TH_RETRY;
    done = query(db, "SELECT pg_advisory_xact_lock(7590142655173948)");
    for (size_t i = 0; done && i < PARTED; i++)
        done = add_partition(db, parted[i], day);
    return pg_db_commit(db) == TH_OK && done ? TH_OK : db->failed ? db->failed : TH_RETRY;
}

enum th_error pg_schema_add_day(struct pg_db *db, struct th_map *days, uint64_t day)
{
    for (uint64_t d = day; d < day + 1 + DAYS_AHEAD; d++) {
        enum th_error error;

        if (th_map_get(days, d + 1))
            continue;
        error = add_partitions(db, d);
        if (error)
            return error;
        if (th_map_put(days, d + 1, (void *)1) != TH_OK)
            return TH_NOMEM;
    }
    return TH_OK;
}

/** Whether a partition holds nothing, or is gone. */
static bool is_empty(struct pg_db *db, const char *table, uint64_t day)
{
    char sql[160];
    PGresult *r;
    bool yes;

    snprintf(sql, sizeof sql, "SELECT to_regclass('" S "%s_d%llu') IS NULL", table, (unsigned long long)day);
    r = pg_db_query(db, sql, 0, NULL);
    yes = r && PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    if (yes)
        return true;
    snprintf(sql, sizeof sql, "SELECT NOT EXISTS(SELECT 1 FROM " S "%s_d%llu)", table,
             (unsigned long long)day);
    r = pg_db_query(db, sql, 0, NULL);
    yes = r && PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    return yes;
}

/** In a transaction of its own, so that it holds no lock while it waits for one; and it does not let others wait for long. */
static bool drop_partition(struct pg_db *db, const char *table, uint64_t day)
{
    char sql[160];
    bool done;

    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS " S "%s_d%llu", table, (unsigned long long)day);
    if (pg_db_begin(db, "BEGIN") != TH_OK)
        return false;
    done = query(db, "SET LOCAL lock_timeout TO '200ms'") &&
           query(db, "SET LOCAL client_min_messages TO error") && query(db, sql);
    return pg_db_commit(db) == TH_OK && done;
}

void pg_schema_drop_days(struct pg_db *db, struct th_map *days, uint64_t below)
{
    uint64_t key, day = 0;
    void *value;

    for (size_t i = 0; th_map_next(days, &i, &key, &value);)
        if (key - 1 < below && (!day || key < day))
            day = key; /* the oldest, and one */
    if (!day--)
        return;
    for (size_t t = 0; t < PARTED; t++)
        if (!is_empty(db, parted[t], day) || !drop_partition(db, parted[t], day))
            return;
    (void)th_map_del(days, day + 1);
    th_log(TH_LOG_INFO, "a day's tables have been dropped: retention has emptied them", TH_KI("day", day));
}
