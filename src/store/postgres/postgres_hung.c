/* Ends sessions of nodes that hang inside a transaction.
 *
 * A node that is stopped there (SIGSTOP, a machine that sleeps) keeps the rows that it has locked: its own, so that nobody could fence
 * it, and perhaps the one that gives commits their order, so that nobody could commit. TCP does not notice, for the machine's kernel
 * still answers; nor does idle_in_transaction_session_timeout, since a session in the middle of a pipeline counts as active. So the
 * others look: a session that waits for its client with a transaction open, and that has received no command for three
 * tenths of the lease, is ended, and its transaction with it. A role may end its own sessions; nothing else is needed.
 *
 * A session whose command has waited long for a lock, and has it now, looks the same for a moment. So only one that was seen to wait
 * for its client at the same command before, that long ago, is ended. */
#include "store/postgres/postgres_hung.h"
#include "base/log.h"
#include "store/postgres/postgres_lease.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* those of this process, too: it may be this one that was stopped */
#define WAITING                                                                                              \
    "SELECT pid, query_start FROM pg_stat_activity WHERE datname=current_database() AND "                    \
    "usename=current_user AND application_name=current_setting('application_name') AND xact_start IS NOT "   \
    "NULL AND wait_event='ClientRead' AND pid<>pg_backend_pid()"

static int64_t seen_before(const struct pg_hung *h, int pid, const char *since)
{
    for (unsigned i = 0; i < h->count; i++)
        if (h->one[i].pid == pid && strcmp(h->one[i].since, since) == 0)
            return h->one[i].seen_us;
    return 0;
}

static bool end_session(struct pg_db *db, const char *pid, const char *since)
{
    const char *values[] = {pid, since};
    PGresult *r = pg_db_query(db,
                              "SELECT pg_terminate_backend(w.pid) FROM (" WAITING ") w WHERE w.pid=$1::int4 "
                              "AND w.query_start=$2::timestamptz",
                              2, values);

    bool ended = r && PQntuples(r) && PQgetvalue(r, 0, 0)[0] == 't';

    if (ended)
        th_log(TH_LOG_WARN, "a node hangs in a transaction: its session in the database is ended",
               TH_KC("pid", pid), TH_KC("since", since));
    PQclear(r);
    return ended;
}

void pg_hung_look(struct pg_hung *h, struct pg_db *db, unsigned lease_ms, struct th_metrics *metrics)
{
    int64_t now_us = pg_lease_now_us(), long_us = (int64_t)lease_ms * 300;
    struct pg_hung seen = {.look_at_us = now_us + long_us / 3};
    PGresult *r;

    if (now_us < h->look_at_us)
        return;
    r = pg_db_query(db, WAITING, 0, NULL);
    for (int i = 0; r && i < PQntuples(r) && seen.count < PG_HUNG_MAX; i++) {
        const char *pid = PQgetvalue(r, i, 0), *since = PQgetvalue(r, i, 1);
        int64_t first_us = seen_before(h, atoi(pid), since);

        if (first_us && now_us - first_us >= long_us && end_session(db, pid, since) && metrics)
            th_count(metrics, TH_C_STORE_HUNG, 1);
        seen.one[seen.count].pid = atoi(pid);
        seen.one[seen.count].seen_us = first_us ? first_us : now_us;
        snprintf(seen.one[seen.count++].since, sizeof seen.one[0].since, "%s", since);
    }
    PQclear(r);
    *h = seen;
}
