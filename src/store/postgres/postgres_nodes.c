/* Which nodes there are, as their rows in `node` say. */
#include "store/postgres/postgres_nodes.h"
#include "store/postgres/postgres_state.h"
#include <stdlib.h>

enum th_error pg_nodes(struct th_store *store, void (*node)(void *ctx, const struct th_store_node *),
                       void *ctx)
{
    static const char sql[] =
        "SELECT n.id, n.addr, n.version, (extract(epoch FROM n.since) * 1000)::int8,"
        " (extract(epoch FROM n.until - clock_timestamp()) * 1000)::int8,"
        " (SELECT count(*) FROM " PG_SCHEMA ".slot s WHERE s.node=n.id), n.works, CASE WHEN n.works"
        " THEN (SELECT h.seq-p.applied FROM " PG_SCHEMA ".shared h, " PG_SCHEMA
        ".progress p WHERE p.node=n.id) END FROM " PG_SCHEMA ".node n ORDER BY n.id";
    struct pg_store *s = (struct pg_store *)store;
    struct pg_db db;
    PGresult *r = NULL;
    enum th_error error;

    pg_db_init(&db, &s->address, 5000);
    error = pg_db_connect(&db);
    if (!error && !(r = pg_db_query(&db, sql, 0, NULL)))
        error = TH_RETRY;
    for (int i = 0; r && i < PQntuples(r); i++)
        node(ctx, &(struct th_store_node){.id = (unsigned)atoi(PQgetvalue(r, i, 0)),
                                          .address = PQgetvalue(r, i, 1),
                                          .version = PQgetvalue(r, i, 2),
                                          .since = atoll(PQgetvalue(r, i, 3)),
                                          .lease_ms = atoll(PQgetvalue(r, i, 4)),
                                          .slots = (unsigned)atoi(PQgetvalue(r, i, 5)),
                                          .works = PQgetvalue(r, i, 6)[0] == 't',
                                          .behind = PQgetisnull(r, i, 7) ? -1 : atoll(PQgetvalue(r, i, 7)),
                                          .is_this = atoi(PQgetvalue(r, i, 0)) == s->lease.node});
    PQclear(r);
    pg_db_fini(&db);
    return error;
}
