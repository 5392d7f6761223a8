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
          "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)),0)::int8 FROM "
          "pg_stat_activity WHERE"
          " backend_xmin IS NOT NULL AND pid <> pg_backend_pid()",
          oldest, sizeof oldest);
    snprintf(text, sizeof text, "the oldest transaction is open for %s seconds", oldest);
    if (atoll(oldest) > LONG_S)
        k->say(k->ctx, TH_POSTGRES_NOTE, text,
               "see pg_stat_activity whose it is: until it ends, rows that were deleted stay and everything "
               "gets slower");
    else
        k->say(k->ctx, TH_POSTGRES_OK, text, NULL);
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
        say(ctx, TH_POSTGRES_FAIL, text, "mend the address of the store");
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
        check_tables(&k);
    }
    PQfinish(k.c);
}
