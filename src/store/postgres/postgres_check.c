/* What can be said of a PostgreSQL database: version, what it promises of a commit, room for connections, its clock, transactions that
 * keep old rows alive. */
#include "store/postgres/postgres_check.h"
#include "store/postgres/postgres_address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 7 /* of a node: the writer, three readers, settings, the inbox, and one now and then */
#define CLOCK_MS 2000
#define LONG_S 60

struct checking {
    PGconn *c;
    void (*say)(void *, enum th_postgres_verdict, const char *, const char *);
    void *ctx;
};

static void value(struct checking *k, const char *sql, char *out, size_t size)
{
    PGresult *r = PQexec(k->c, sql);

    snprintf(out, size, "%s",
             PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
}

static void check_commits(struct checking *k)
{
    char fsync[16], pages[16], commits[32];

    value(k, "SHOW fsync", fsync, sizeof fsync);
    value(k, "SHOW full_page_writes", pages, sizeof pages);
    value(k, "SHOW synchronous_commit", commits, sizeof commits);
    if (strcmp(fsync, "on") != 0 || strcmp(pages, "on") != 0)
        k->say(k->ctx, TH_POSTGRES_FAIL,
               "a crash of the database server can destroy the database: fsync or full_page_writes is off",
               "set fsync = on and full_page_writes = on in postgresql.conf, and restart it");
    else if (strcmp(commits, "off") == 0)
        k->say(k->ctx, TH_POSTGRES_FAIL,
               "a crash of the database server loses what was acknowledged last: synchronous_commit is off",
               "set it for this role: ALTER ROLE … SET synchronous_commit = on");
    else
        k->say(k->ctx, TH_POSTGRES_OK,
               "what is committed is on the disk (fsync and synchronous_commit are on)", NULL);
}

static void check_room(struct checking *k)
{
    char all[16], used[16], text[160];

    value(k,
          "SELECT current_setting('max_connections')::int - "
          "current_setting('superuser_reserved_connections')::int",
          all, sizeof all);
    value(k, "SELECT count(*) FROM pg_stat_activity WHERE backend_type='client backend'", used, sizeof used);
    snprintf(text, sizeof text, "%s of %s connections are in use; a node needs up to %d", used, all,
             CONNECTIONS);
    if (atoi(all) - atoi(used) < 2 * CONNECTIONS)
        k->say(k->ctx, TH_POSTGRES_NOTE, text, "raise max_connections, or put PgBouncer in front");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

static void check_time(struct checking *k)
{
    struct timespec before, after;
    char theirs[32], text[160];
    long long ours, far;

    clock_gettime(CLOCK_REALTIME, &before);
    value(k, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8", theirs, sizeof theirs);
    clock_gettime(CLOCK_REALTIME, &after);
    ours = ((long long)before.tv_sec + after.tv_sec) * 500 + (before.tv_nsec + after.tv_nsec) / 2000000;
    far = atoll(theirs) - ours;
    snprintf(text, sizeof text, "its clock is %lld ms %s this one", far < 0 ? -far : far,
             far < 0 ? "behind" : "before");
    if (llabs(far) > CLOCK_MS)
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "let a time service set both: logs and lists of both machines do not fit together");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

static void check_long(struct checking *k)
{
    char oldest[32], text[200];

    value(k,
          "SELECT greatest((SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)),0) FROM "
          "pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()),"
          " (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - prepared)),0) FROM "
          "pg_prepared_xacts))::int8",
          oldest, sizeof oldest);
    snprintf(text, sizeof text, "the oldest transaction is open for %s seconds", oldest);
    if (atoll(oldest) > LONG_S)
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "see pg_stat_activity and pg_prepared_xacts whose it is: until it ends, rows that were "
               "deleted stay and everything "
               "gets slower");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

/** Standbys, and slots that keep the log for somebody who does not fetch it. */
static void check_standbys(struct checking *k)
{
    char standbys[16], names[120], slot[100], held[32], text[400];

    value(k, "SELECT count(*) FROM pg_stat_replication", standbys, sizeof standbys);
    value(k, "SHOW synchronous_standby_names", names, sizeof names);
    value(k,
          "SELECT slot_name FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY "
          "restart_lsn LIMIT 1",
          slot, sizeof slot);
    value(k,
          "SELECT coalesce(max(CASE WHEN pg_is_in_recovery() THEN 0 ELSE "
          "pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) END),0)"
          "::int8 / 1048576 FROM pg_replication_slots WHERE NOT active",
          held, sizeof held);
    if (slot[0]) {
        snprintf(text, sizeof text,
                 "nobody reads the replication slot %s, for which the server keeps %s MiB of its log", slot,
                 held);
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "start what reads it, or drop it with pg_drop_replication_slot: else the disk fills up");
        return;
    }
    if (names[0])
        snprintf(text, sizeof text, "%s standbys follow; a commit waits for: %s", standbys, names);
    else
        snprintf(text, sizeof text, "%s standbys follow, and no commit waits for one", standbys);
    if (!names[0] && strcmp(standbys, "0") != 0)
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "a failover can lose the last commits, and the log then says which; to lose none, set "
               "synchronous_standby_names");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

/** Rows that were deleted and are still there. */
static void check_dead(struct checking *k)
{
    char on[16], worst[200], text[400];

    value(k, "SHOW autovacuum", on, sizeof on);
    value(k,
          "SELECT relname || ' has ' || n_dead_tup || ' beside ' || n_live_tup || ' live ones' FROM "
          "pg_stat_user_tables WHERE schemaname='" PG_SCHEMA
          "' AND n_dead_tup > 20000 AND n_dead_tup > n_live_tup / 2 ORDER BY n_dead_tup DESC LIMIT 1",
          worst, sizeof worst);
    if (strcmp(on, "on") != 0) {
        k->say(k->ctx, TH_POSTGRES_FAIL, "autovacuum is off: deleted rows stay for ever",
               "set autovacuum = on in postgresql.conf");
    } else if (worst[0]) {
        snprintf(text, sizeof text, "deleted rows pile up: the table %s", worst);
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "see that no transaction is open for long, and that autovacuum keeps up "
               "(autovacuum_max_workers, _vacuum_cost_limit)");
    } else {
        k->say(k->ctx, TH_POSTGRES_OK, "deleted rows are cleared away (autovacuum is on)", NULL);
    }
}

/** The tables of days. */
static void check_days(struct checking *k)
{
    char loose[80], ahead[16], text[200];

    value(k,
          "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE "
          "n.nspname='" PG_SCHEMA "' AND c.relkind='r' AND NOT c.relispartition AND c.relname ~ "
          "'^(event|delivery|attempt)_d[0-9]+$' LIMIT 1",
          loose, sizeof loose);
    value(k,
          "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE "
          "n.nspname='" PG_SCHEMA "' AND c.relispartition AND c.relname ~ '^event_d[0-9]+$' AND "
          "substr(c.relname, 8)::int > current_date - date '2026-01-01'",
          ahead, sizeof ahead);
    if (loose[0]) {
        snprintf(text, sizeof text, "the table %s is not attached: a start was cut off while it was made",
                 loose);
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "the next commit that needs the day attaches it; if it stays, look at the log");
        return;
    }
    snprintf(text, sizeof text, "there are tables for %s days ahead", ahead);
    if (strcmp(ahead, "0") == 0)
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "the first event of a day makes them; if events come in and there are none, the role may not "
               "create tables");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

static bool has_tables(struct checking *k)
{
    char form[16];

    value(k, "SELECT CASE WHEN to_regclass('" PG_SCHEMA ".form') IS NULL THEN '' ELSE 'x' END", form,
          sizeof form);
    return form[0];
}

static void check_tables(struct checking *k)
{
    char form[16], text[120];

    value(k, "SELECT CASE WHEN to_regclass('" PG_SCHEMA ".form') IS NULL THEN '' ELSE 'x' END", form,
          sizeof form);
    if (form[0])
        value(k, "SELECT version FROM " PG_SCHEMA ".form", form, sizeof form);
    snprintf(text, sizeof text,
             form[0] ? "its tables have form %s" : "it has no tables of ours yet: the first start makes them",
             form);
    k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
}

void th_store_postgres_check(const char *url, const char *password,
                             void (*say)(void *ctx, enum th_postgres_verdict, const char *found,
                                         const char *advice),
                             void *ctx)
{
    struct pg_address address;
    struct checking k = {.say = say, .ctx = ctx};
    char text[500];

    if (pg_address_read(&address, url, password, false, text, sizeof text) != TH_OK) {
        say(ctx, TH_POSTGRES_FAIL, text, "mend the address of the store, or install what is missing");
        return;
    }
    k.c = pg_address_connect(&address);
    if (PQstatus(k.c) != CONNECTION_OK) {
        snprintf(text, sizeof text, "%s cannot be reached: %.*s", address.shown,
                 (int)strcspn(PQerrorMessage(k.c), "\n"), PQerrorMessage(k.c));
        say(ctx, TH_POSTGRES_FAIL, text, "see that the server runs and that pg_hba.conf lets this role in");
    } else {
        snprintf(text, sizeof text, "%s is PostgreSQL %d.%d", address.shown, PQserverVersion(k.c) / 10000,
                 PQserverVersion(k.c) % 10000);
        say(ctx, PQserverVersion(k.c) < 140000 ? TH_POSTGRES_FAIL : TH_POSTGRES_OK, text,
            PQserverVersion(k.c) < 140000 ? "upgrade it to version 14 or newer" : NULL);
        check_commits(&k);
        check_room(&k);
        check_time(&k);
        check_long(&k);
        check_standbys(&k);
        check_dead(&k);
        check_tables(&k);
        if (has_tables(&k))
            check_days(&k);
    }
    PQfinish(k.c);
}
