/* The schema of the SQLite store, as numbered steps.
 *
 * Each step runs in one transaction together with the new `user_version`, so a crash leaves the old version
 * or the new one. A published step is never edited: a change of the schema is a further step. The meaning of
 * each table and the rules between them are in docs/storage.md.
 *
 * Hot tables (event, queue, delivery, attempt) are keyed by one growing number and have no other index: an
 * index over a random key makes every insert touch a page of its own, and the store gets slower as it grows.
 */
#include "store/sqlite/migrations.h"

/* clang-format off */
static const char init[] =
    "CREATE TABLE event(no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, at INTEGER NOT NULL, time INTEGER NOT NULL, rnd INTEGER NOT NULL,"
    " first INTEGER NOT NULL, n INTEGER NOT NULL, type TEXT, own_id TEXT, resource_type TEXT, resource_id TEXT, data TEXT);"
    "CREATE TABLE queue(no INTEGER PRIMARY KEY, event INTEGER NOT NULL, endpoint INTEGER NOT NULL, due INTEGER NOT NULL,"
    " lane INTEGER NOT NULL, tries INTEGER NOT NULL, attempts INTEGER NOT NULL, last INTEGER NOT NULL);"
    "CREATE TABLE delivery(no INTEGER PRIMARY KEY, event INTEGER NOT NULL, endpoint INTEGER NOT NULL, ended INTEGER NOT NULL,"
    " lane INTEGER NOT NULL, tries INTEGER NOT NULL, attempts INTEGER NOT NULL, last INTEGER NOT NULL, state INTEGER NOT NULL);"
    "CREATE TABLE attempt(no INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, endpoint INTEGER NOT NULL, prev INTEGER NOT NULL,"
    " nth INTEGER NOT NULL, at INTEGER NOT NULL, status INTEGER NOT NULL, class INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " endpoint_rev INTEGER NOT NULL, signed_at INTEGER NOT NULL, times BLOB, peer BLOB, sigs TEXT, detail TEXT, head BLOB, body BLOB);"
    "CREATE TABLE own(tenant INTEGER NOT NULL, id TEXT NOT NULL, event INTEGER NOT NULL, PRIMARY KEY(tenant, id)) WITHOUT ROWID;"
    "CREATE TABLE idem(day INTEGER NOT NULL, tenant INTEGER NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL, first INTEGER NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY(day, tenant, key)) WITHOUT ROWID;"
    "CREATE TABLE config_idem(day INTEGER NOT NULL, tenant INTEGER NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL,"
    " version INTEGER NOT NULL, answer BLOB, PRIMARY KEY(day, tenant, key)) WITHOUT ROWID;"
    "CREATE TABLE run(kind INTEGER NOT NULL, key INTEGER NOT NULL, run INTEGER NOT NULL, n INTEGER NOT NULL,"
    " nos BLOB NOT NULL, PRIMARY KEY(kind, run, key)) WITHOUT ROWID;"
    "CREATE TABLE tenant(no INTEGER PRIMARY KEY, version INTEGER NOT NULL, id TEXT NOT NULL, conf TEXT, created INTEGER, updated INTEGER,"
    " deleted INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX tenant_id ON tenant(id) WHERE deleted = 0;"
    "CREATE TABLE api_key(no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, hash BLOB NOT NULL, conf TEXT, created INTEGER, updated INTEGER,"
    " until INTEGER NOT NULL);"
    "CREATE TABLE endpoint(no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, rev INTEGER NOT NULL, conf TEXT, created INTEGER,"
    " updated INTEGER, deleted INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE endpoint_rev(endpoint INTEGER NOT NULL, rev INTEGER NOT NULL, at INTEGER, conf TEXT, PRIMARY KEY(endpoint, rev)) WITHOUT ROWID;"
    "CREATE TABLE secret(no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, endpoint INTEGER NOT NULL, sealed BLOB, created INTEGER,"
    " updated INTEGER, until INTEGER NOT NULL);"
    "CREATE TABLE fact(endpoint INTEGER PRIMARY KEY, first_fail INTEGER NOT NULL, last_ok INTEGER NOT NULL, exhausted_run INTEGER NOT NULL);"
    "CREATE TABLE job(no INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, endpoint INTEGER NOT NULL, conf TEXT, created INTEGER, updated INTEGER);"
    "CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID;"
    "CREATE TABLE counter(k TEXT PRIMARY KEY, v INTEGER NOT NULL) WITHOUT ROWID;";
/* clang-format on */

/* Accepts with deliveries that are numbered and not queued yet, by their first event: n from `first` on. */
/* clang-format off */
static const char fan[] =
    "CREATE TABLE fan(event INTEGER PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, endpoints BLOB NOT NULL);";
/* clang-format on */

/* What tenants have stored, up to the event and the attempt that `counter` names; see store_usage.c. */
#define OLD_EVENT_BYTES                                                                                      \
    SQ_BYTES_OF("type")                                                                                      \
    "+" SQ_BYTES_OF("data") "+" SQ_BYTES_OF("own_id") "+" SQ_BYTES_OF("resource_type") "+" SQ_BYTES_OF(      \
        "resource_id")
static const char usage[] =
    "CREATE TABLE usage(tenant INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
    "INSERT INTO usage SELECT t, sum(n) FROM (SELECT tenant t," OLD_EVENT_BYTES " n FROM event UNION ALL"
    " SELECT e.tenant," SQ_ATTEMPT_BYTES " FROM attempt a JOIN endpoint e ON e.no=a.endpoint) GROUP BY t;"
    "INSERT OR REPLACE INTO counter(k,v) SELECT 'use_event', coalesce(max(no),0) FROM event;"
    "INSERT OR REPLACE INTO counter(k,v) SELECT 'use_attempt', coalesce(max(no),0) FROM attempt;";

/* Events whose content has been erased, and the delivery from which on their answers are still there (0: none); tenants whose
 * events are to be erased, and the event up to which that is done. */
/* clang-format off */
static const char erasure[] =
    "CREATE TABLE IF NOT EXISTS erasure(event INTEGER PRIMARY KEY, at INTEGER NOT NULL, pos INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS erasure_left ON erasure(event) WHERE pos > 0;"
    "CREATE TABLE IF NOT EXISTS erasing(tenant INTEGER PRIMARY KEY, at INTEGER NOT NULL, pos INTEGER NOT NULL);";
/* clang-format on */

/* The time until which an endpoint has asked for no requests, and the time of that. For older rows it is not
 * known. */
/* clang-format off */
static const char rest[] =
    "ALTER TABLE fact ADD COLUMN rest_since INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE fact ADD COLUMN rest_until INTEGER NOT NULL DEFAULT -1;";
/* clang-format on */

/* The highest numbers that integer ids show as they are: all that were given before (engine/settings/ids.c). In hexadecimal, of which 16
 * digits compare as their numbers do. A number that is noted here stays: ids would change with it. */
#define NOTED(k) "coalesce((SELECT v FROM counter WHERE k='" k "'),0)"
#define NEWEST(table) "coalesce((SELECT max(no) FROM " table "),0)"
#define LAST_ENDPOINT "coalesce((SELECT hex(v) FROM meta WHERE k='last_endpoint'),'')"
#define NUMBERED "coalesce((SELECT first+n-1 FROM event ORDER BY no DESC LIMIT 1),0)"
#define OLD_DELIVERY NOTED("delivery") "," NEWEST("queue") "," NEWEST("delivery") "," NUMBERED
#define OLD_ATTEMPT NOTED("attempt") "," NEWEST("attempt")
#define PLAIN(kind, hex) "INSERT OR IGNORE INTO meta(k,v) VALUES('plain_" kind "',CAST(" hex " AS BLOB));"
#define HEX(number) "printf('%016X'," number ")"
static const char plain[] = PLAIN("endpoint", "max(" LAST_ENDPOINT "," HEX(NEWEST("endpoint")) ")")
    PLAIN("delivery", HEX("max(" OLD_DELIVERY ")")) PLAIN("attempt", HEX("max(" OLD_ATTEMPT ")"));

/* What an event may carry beside its data, what a fan-out still has to write of it, and what one request was for. No row is
 * written: rows of before have none of it. From here on `time` 1 is the time of the accept, `signed_at` 1 the second of `at`,
 * `lane` has marks and the order above its two bits, and `queue.tries` the round above its eight: see store_rows.h. */
/* clang-format off */
static const char room[] =
    "ALTER TABLE event RENAME COLUMN own_id TO external_id;"
    "ALTER TABLE event ADD COLUMN deliver_at INTEGER;"
    "ALTER TABLE event ADD COLUMN expires_at INTEGER;"
    "ALTER TABLE event ADD COLUMN order_key TEXT;"
    "ALTER TABLE event ADD COLUMN channels TEXT;"
    "ALTER TABLE event ADD COLUMN traceparent TEXT;"
    "ALTER TABLE event ADD COLUMN content_type TEXT;"
    "ALTER TABLE fan ADD COLUMN more BLOB;"
    "ALTER TABLE attempt ADD COLUMN batch INTEGER;";
/* clang-format on */

/* What the catalogue of event types said of an event: the version in all bits but the lowest six, which are marks. */
static const char checked[] = "ALTER TABLE event ADD COLUMN checked INTEGER;";

/* Rollups of attempts (store_roll.c). The runs of attempts are made anew, since the rollups are made with them, and attempts of tests are
 * marked (16) in the one pass that finds them: statistics leave them out. */
/* clang-format off */
static const char roll[] =
    "CREATE TABLE roll(level INTEGER NOT NULL, t INTEGER NOT NULL, kind INTEGER NOT NULL, key INTEGER NOT NULL, upto INTEGER NOT NULL,"
    " v BLOB NOT NULL, PRIMARY KEY(level, t, kind, key)) WITHOUT ROWID;"
    "WITH RECURSIVE tests(no) AS (SELECT last FROM (SELECT last,lane,event FROM queue UNION ALL SELECT last,lane,event FROM delivery)"
    " WHERE last>0 AND (lane&3=3 OR event IN (SELECT no FROM event WHERE type='webhook.test'))"
    " UNION ALL SELECT a.prev FROM tests CROSS JOIN attempt a ON a.no=tests.no WHERE a.prev>0)"
    "UPDATE attempt SET flags=flags|16 WHERE no IN (SELECT no FROM tests);"
    "DELETE FROM run WHERE kind=2;"
    "DELETE FROM counter WHERE k='sealed.attempt';";
/* clang-format on */

/* How many deliveries waited, by minute, hour and day (store_backlog.c). */
static const char backlog[] = "CREATE TABLE backlog(level INTEGER NOT NULL, t INTEGER NOT NULL, tenant "
                              "INTEGER NOT NULL, last INTEGER NOT NULL, most INTEGER NOT NULL,"
                              " cut INTEGER NOT NULL, PRIMARY KEY(level, t, tenant)) WITHOUT ROWID;";

const char *const th_store_migrations[] = {init,  fan,  usage,   erasure, rest,
                                           plain, room, checked, roll,    backlog};
const int th_store_migration_count = sizeof th_store_migrations / sizeof *th_store_migrations;
