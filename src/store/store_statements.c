/* The SQL of the SQLite store.
 *
 * Why here: all statements are prepared once, when the store is opened, so that a table or column that is missing is found
 * before the first write, and no op pays for parsing. */
#include "store/store_statements.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_db.h"
#include "store/store_rows.h"

/* the newest attempts of the deliveries up to ?1 */
#define LASTS "SELECT last FROM queue WHERE no<=?1 UNION ALL SELECT last FROM delivery WHERE no<=?1"

/* of an event, what goes when its content is erased: a key may have been taken out of it */
#define ERASED_BYTES SQ_BYTES_OF("data") "+" SQ_BYTES_OF("order_key")

/* clang-format off */
static const char *const writer_sql[SQ_W_COUNT] = {
    [SQ_W_BEGIN] = "BEGIN IMMEDIATE",
    [SQ_W_COMMIT] = "COMMIT",
    [SQ_W_PROBE] = "INSERT INTO counter(k,v) VALUES('probe',1) ON CONFLICT(k) DO UPDATE SET v = v + 1",
    [SQ_W_EVENT] =
        "INSERT INTO event(no,tenant,at,time,rnd,first,n,type,external_id,resource_type,resource_id,data)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
    [SQ_W_EVENT_MORE] =
        "INSERT INTO event(no,tenant,at,time,rnd,first,n,type,external_id,resource_type,resource_id,data,deliver_at,expires_at,order_key,"
        "channels,traceparent,content_type) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    [SQ_W_QUEUE] = "INSERT INTO queue(no,event,endpoint,due,lane,tries,attempts,last) VALUES(?1,?2,?3,?4,?5,0,0,0)",
    [SQ_W_FAN_PUT] = "INSERT INTO fan(event,first,n,at,endpoints,more) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQ_W_FAN_GET] = "SELECT first,n,at,endpoints,more FROM fan WHERE event=?1",
    [SQ_W_FAN_AFTER] = "SELECT event FROM fan WHERE event>?1 ORDER BY event LIMIT 1",
    [SQ_W_FAN_QUEUED] =
        "SELECT max(coalesce((SELECT no FROM queue WHERE no<?2 ORDER BY no DESC LIMIT 1),0),coalesce((SELECT no FROM delivery WHERE no<?2"
        " ORDER BY no DESC LIMIT 1),0),?1-1)",
    [SQ_W_FAN_DEL] = "DELETE FROM fan WHERE event=?1",
    [SQ_W_PURGE_FAN] = "DELETE FROM fan WHERE event<=?1",
    [SQ_W_OWN_GET] = "SELECT event FROM own WHERE tenant=?1 AND id=?2",
    [SQ_W_OWN_PUT] = "INSERT INTO own(tenant,id,event) VALUES(?1,?2,?3)",
    [SQ_W_IDEM_GET] = "SELECT body,first,n FROM idem WHERE day=?1 AND tenant=?2 AND key=?3",
    [SQ_W_IDEM_PUT] = "INSERT INTO idem(day,tenant,key,body,first,n) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQ_W_SAME_EVENT] = "SELECT first FROM event WHERE no=?1 AND tenant=?2 AND at=?3 AND rnd=?4",
    [SQ_W_QUEUE_GET] = "SELECT event,endpoint,lane,attempts,last,tries,due FROM queue WHERE no=?1",
    [SQ_W_QUEUE_AGAIN] = "UPDATE queue SET due=?2,tries=?3,attempts=?4,last=?5,lane=?6 WHERE no=?1",
    [SQ_W_QUEUE_DEL] = "DELETE FROM queue WHERE no=?1",
    [SQ_W_DELIVERY_PUT] = "INSERT INTO delivery(no,event,endpoint,ended,lane,tries,attempts,last,state) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQ_W_DELIVERY_GET] = "SELECT event,endpoint,lane,attempts,last,tries,state,ended FROM delivery WHERE no=?1",
    [SQ_W_DELIVERY_DEL] = "DELETE FROM delivery WHERE no=?1",
    [SQ_W_ATTEMPT] =
        "INSERT INTO attempt(no,delivery,endpoint,prev,nth,at,status,class,flags,endpoint_rev,signed_at,times,peer,sigs,detail,head,body)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    [SQ_W_ATTEMPT_BATCH] =
        "INSERT INTO attempt(no,delivery,endpoint,prev,nth,at,status,class,flags,endpoint_rev,signed_at,times,peer,sigs,detail,head,body,"
        "batch) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    [SQ_W_ATTEMPT_HEAD] = "SELECT prev,nth,at,status,class,endpoint_rev FROM attempt WHERE no=?1",
    [SQ_W_ATTEMPT_PREV] = "UPDATE attempt SET prev=?2 WHERE no=?1",
    [SQ_W_QUEUE_LAST] = "UPDATE queue SET last=?2 WHERE no=?1",
    [SQ_W_DELIVERY_LAST] = "UPDATE delivery SET last=?2 WHERE no=?1",
    [SQ_W_QUEUE_RETRY] = "UPDATE queue SET due=?2,lane=?3,tries=0 WHERE no=?1",
    [SQ_W_REQUEUE] = "INSERT INTO queue(no,event,endpoint,due,lane,tries,attempts,last) VALUES(?1,?2,?3,?4,?5,0,?6,?7)",
    [SQ_W_ENDPOINT_GONE] = "SELECT 1 FROM endpoint WHERE no=?1 AND deleted=1",
    [SQ_W_ERASED] = "SELECT 1 FROM erasure WHERE event=?1",
    [SQ_W_ERASE_NEXT] = "SELECT event FROM erasure WHERE pos>0 ORDER BY event LIMIT 1",
    [SQ_W_ERASE_GET] = "SELECT pos FROM erasure WHERE event=?1",
    [SQ_W_ERASE_PUT] = "INSERT INTO erasure(event,at,pos) VALUES(?1,?2,?3)",
    [SQ_W_ERASE_POS] = "UPDATE erasure SET pos=?2 WHERE event=?1",
    [SQ_W_ERASE_EVENT] = "SELECT tenant,first,n," ERASED_BYTES " FROM event WHERE no=?1",
    [SQ_W_ERASE_DATA] = "UPDATE event SET data=NULL,order_key=NULL WHERE no=?1",
    [SQ_W_ERASE_WAITING] = "SELECT count(*) FROM queue WHERE no>=?1 AND no<?2",
    [SQ_W_ERASE_MADE] = "SELECT count(*) FROM delivery WHERE no>=?1 AND no<?2",
    [SQ_W_ERASE_BYTES] = "SELECT prev,endpoint," SQ_BYTES_OF("sigs") "+" SQ_BYTES_OF("head") "+" SQ_BYTES_OF("body") " FROM attempt WHERE no=?1",
    [SQ_W_ERASE_ATTEMPT] = "UPDATE attempt SET head=NULL,body=NULL,sigs=NULL WHERE no=?1",
    [SQ_W_ERASE_IDEM] = "UPDATE idem SET body=zeroblob(16) WHERE day=?1 AND tenant=?2 AND first<=?3 AND first+n>?3",
    [SQ_W_ERASING_PUT] = "INSERT OR REPLACE INTO erasing(tenant,at,pos) VALUES(?1,?2,0)",
    [SQ_W_ERASING_NEXT] = "SELECT tenant,at,pos FROM erasing ORDER BY tenant LIMIT 1",
    [SQ_W_ERASING_POS] = "UPDATE erasing SET pos=?2 WHERE tenant=?1",
    [SQ_W_ERASING_DEL] = "DELETE FROM erasing WHERE tenant=?1",
    [SQ_W_ERASING_EVENTS] = "SELECT no,tenant,first,n,data IS NULL," ERASED_BYTES " FROM event WHERE no>?1 ORDER BY no LIMIT 1000",
    [SQ_W_ERASING_IDEM] = "DELETE FROM idem WHERE (day,tenant,key) IN (SELECT day,tenant,key FROM idem WHERE day=?1 AND tenant=?2 LIMIT 1000)",
    [SQ_W_ERASING_CIDEM] =
        "DELETE FROM config_idem WHERE (day,tenant,key) IN (SELECT day,tenant,key FROM config_idem WHERE day=?1 AND tenant=?2 LIMIT 1000)",
    [SQ_W_PURGE_ERASURE] = "DELETE FROM erasure WHERE event<=?1",
    [SQ_W_VERSION_GET] = "SELECT version FROM tenant WHERE no=?1 AND deleted=0",
    [SQ_W_VERSION_PUT] = "UPDATE tenant SET version=?2 WHERE no=?1",
    [SQ_W_TENANT_ID] = "SELECT 1 FROM tenant WHERE id=?1 AND deleted=0 AND no<>?2",
    [SQ_W_CIDEM_GET] = "SELECT body,version,answer FROM config_idem WHERE day=?1 AND tenant=?2 AND key=?3",
    [SQ_W_CIDEM_PUT] = "INSERT INTO config_idem(day,tenant,key,body,version,answer) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQ_W_ENDPOINT_REV] =
        "INSERT INTO endpoint_rev(endpoint,rev,at,conf) VALUES(?1,?2,?3,?4) ON CONFLICT(endpoint,"
        "rev) DO UPDATE SET at=excluded.at, conf=excluded.conf",
    [SQ_W_PURGE_EVENTS] = "SELECT no,at,first,n,tenant,external_id," SQ_EVENT_BYTES " FROM event ORDER BY no LIMIT ?1",
    [SQ_W_PURGE_QUEUED] = "SELECT endpoint FROM queue WHERE no<=?1",
    [SQ_W_PURGE_FANS] = "SELECT e.tenant,f.first,f.n FROM fan f JOIN event e ON e.no=f.event WHERE f.event<=?1",
    [SQ_W_PURGE_ANSWERS] = "SELECT a.endpoint," SQ_ATTEMPT_BYTES " FROM (" LASTS ") CROSS JOIN attempt a ON a.no=last",
    [SQ_W_ATTEMPT_BYTES] = "SELECT endpoint," SQ_ATTEMPT_BYTES " FROM attempt a WHERE no=?1",
    [SQ_W_ENDPOINT_TENANT] = "SELECT tenant FROM endpoint WHERE no=?1",
    [SQ_W_USAGE_PUT] = "INSERT OR REPLACE INTO usage(tenant,bytes) VALUES(?1,?2)",
    [SQ_W_USAGE_DEL] = "DELETE FROM usage WHERE tenant=?1",
    [SQ_W_PURGE_EARLIER] = "SELECT a.prev FROM (" LASTS ") CROSS JOIN attempt a ON a.no=last WHERE a.prev>0",
    [SQ_W_PURGE_LASTS] = "DELETE FROM attempt WHERE no IN (" LASTS ")",
    [SQ_W_ATTEMPT_DEL] = "DELETE FROM attempt WHERE no=?1",
    [SQ_W_PURGE_DROPPED] = "SELECT endpoint,lane&3,attempts>0,count(*) FROM queue WHERE no<=?1 GROUP BY 1,2,3 ORDER BY 1",
    [SQ_W_PURGE_QUEUE] = "DELETE FROM queue WHERE no<=?1",
    [SQ_W_PURGE_DELIVERY] = "DELETE FROM delivery WHERE no<=?1",
    [SQ_W_PURGE_EVENT] = "DELETE FROM event WHERE no<=?1",
    [SQ_W_PURGE_OWN] = "DELETE FROM own WHERE tenant=?1 AND id=?2 AND event=?3",
    [SQ_W_PURGE_IDEM] = "DELETE FROM idem WHERE (day,tenant,key) IN (SELECT day,tenant,key FROM idem WHERE day<?1 ORDER BY day,tenant,key LIMIT ?2)",
    [SQ_W_PURGE_CIDEM] =
        "DELETE FROM config_idem WHERE (day,tenant,key) IN (SELECT day,tenant,key FROM config_idem WHERE day<?1 ORDER BY day,tenant,key"
        " LIMIT ?2)",
    [SQ_W_COUNTER] = "INSERT INTO counter(k,v) VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
    [SQ_W_RUN_PUT] = "INSERT OR REPLACE INTO run(kind,run,key,n,nos) VALUES(?1,?2,?3,?4,?5)",
    [SQ_W_RUN_OLDEST] = "SELECT run FROM run WHERE kind=?1 ORDER BY run LIMIT 1",
    [SQ_W_RUN_DEL] = "DELETE FROM run WHERE kind=?1 AND run=?2",
    /* ?1 to ?3 key, ?4 limit; key, tenant, endpoint, number, bytes */
    [SQ_W_ENCRYPTED + TH_ENCRYPTED_SECRET] = "SELECT no,0,NULL,tenant,endpoint,no,sealed FROM secret WHERE no>?1 ORDER BY no LIMIT ?4",
    [SQ_W_ENCRYPTED + TH_ENCRYPTED_ENDPOINT] = "SELECT no,0,NULL,tenant,no,0,conf FROM endpoint WHERE no>?1 ORDER BY no LIMIT ?4",
    [SQ_W_ENCRYPTED + TH_ENCRYPTED_REVISION] =
        "SELECT r.endpoint,r.rev,NULL,e.tenant,r.endpoint,0,r.conf FROM endpoint_rev r LEFT JOIN endpoint e ON e.no=r.endpoint"
        " WHERE (r.endpoint,r.rev)>(?1,?2) ORDER BY r.endpoint,r.rev LIMIT ?4",
    [SQ_W_ENCRYPTED + TH_ENCRYPTED_ANSWER] =
        "SELECT day,tenant,key,tenant,0,0,answer FROM config_idem WHERE (day,tenant,key)>(?1,?2,?3) ORDER BY day,tenant,key LIMIT ?4",
    /* ?1 to ?3 key, ?4 fresh, ?5 bytes */
    [SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_SECRET] = "UPDATE secret SET sealed=?4 WHERE no=?1 AND sealed=?5",
    [SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_ENDPOINT] = "UPDATE endpoint SET conf=?4 WHERE no=?1 AND conf=?5",
    [SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_REVISION] = "UPDATE endpoint_rev SET conf=?4 WHERE endpoint=?1 AND rev=?2 AND conf=?5",
    [SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_ANSWER] = "UPDATE config_idem SET answer=?4 WHERE day=?1 AND tenant=?2 AND key=?3 AND answer=?5",
    /* ?1 no, ?2 tenant, ?3 endpoint, ?4 rev, ?5 id, ?6 conf, ?7 created, ?8 updated, ?9 until, ?10-14 fact */
    [SQ_W_ROW_PUT + TH_ROW_TENANT] =
        "INSERT INTO tenant(no,version,id,conf,created,updated) VALUES(?1,?4,?5,?6,?7,?8)"
        " ON CONFLICT(no) DO UPDATE SET version=excluded.version,id=excluded.id,conf=excluded.conf,created=excluded.created,updated=excluded.updated,deleted=0",
    [SQ_W_ROW_PUT + TH_ROW_KEY] = "INSERT OR REPLACE INTO api_key(no,tenant,hash,conf,created,updated,until) VALUES(?1,?2,?5,?6,?7,?8,?9)",
    [SQ_W_ROW_PUT + TH_ROW_ENDPOINT] = "INSERT OR REPLACE INTO endpoint(no,tenant,rev,conf,created,updated) VALUES(?1,?2,?4,?6,?7,?8)",
    [SQ_W_ROW_PUT + TH_ROW_SECRET] = "INSERT OR REPLACE INTO secret(no,tenant,endpoint,sealed,created,updated,until) VALUES(?1,?2,?3,?6,?7,?8,?9)",
    [SQ_W_ROW_PUT + TH_ROW_HEALTH] =
        "INSERT OR REPLACE INTO fact(endpoint,first_fail,last_ok,exhausted_run,rest_since,rest_until) VALUES(?1,?10,?11,?12,?13,?14)",
    [SQ_W_ROW_PUT + TH_ROW_JOB] = "INSERT OR REPLACE INTO job(no,tenant,endpoint,conf,created,updated) VALUES(?1,?2,?3,?6,?7,?8)",
    [SQ_W_ROW_PUT + TH_ROW_META] = "INSERT OR REPLACE INTO meta(k,v) VALUES(?5,?6)",
    /* ?1 no, ?2 id */
    [SQ_W_ROW_DEL + TH_ROW_TENANT] = "UPDATE tenant SET deleted=1 WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_KEY] = "DELETE FROM api_key WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_ENDPOINT] = "UPDATE endpoint SET deleted=1 WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_SECRET] = "DELETE FROM secret WHERE no=?1",
    [SQ_W_ROW_DEL + TH_ROW_HEALTH] = "DELETE FROM fact WHERE endpoint=?1",
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
/* clang-format on */

#define ATTEMPT_COLUMNS_AND_BODY SQ_ATTEMPT_COLUMNS ",head,body"

/* clang-format off */
static const char *const reader_sql[SQ_R_COUNT] = {
    [SQ_R_BEGIN] = "BEGIN",
    [SQ_R_END] = "COMMIT",
    [SQ_R_LOAD] = "SELECT " SQ_EVENT_COLUMNS ",data FROM event WHERE no=?1",
    [SQ_R_WALK] = "SELECT no,event,endpoint,due,lane,tries,attempts FROM queue WHERE no>=?1 ORDER BY no",
    [SQ_R_QUEUE_ONE] = "SELECT no,event,endpoint,due,lane,tries,attempts FROM queue WHERE no=?1",
    [SQ_R_QUEUE_MIN] = "SELECT min(no) FROM queue",
    [SQ_R_EVENT] = "SELECT " SQ_EVENT_COLUMNS " FROM event WHERE no=?1",
    [SQ_R_DELIVERY_QUEUED] = "SELECT no,event,endpoint,lane,tries,attempts,last,due FROM queue WHERE no=?1",
    [SQ_R_DELIVERY_ENDED] = "SELECT no,event,endpoint,lane,tries,attempts,last,ended,state FROM delivery WHERE no=?1",
    [SQ_R_EVENT_BELOW] =
        "SELECT max(coalesce((SELECT event FROM queue WHERE no<?1 ORDER BY no DESC LIMIT 1),0),coalesce((SELECT event FROM delivery"
        " WHERE no<?1 ORDER BY no DESC LIMIT 1),0))",
    [SQ_R_FIRST_FROM] = "SELECT first FROM event WHERE no>=?1 ORDER BY no LIMIT 1",
    [SQ_R_ATTEMPT] = "SELECT " ATTEMPT_COLUMNS_AND_BODY " FROM attempt WHERE no=?1",
    [SQ_R_ATTEMPT_PREV] = "SELECT prev FROM attempt WHERE no=?1",
    [SQ_R_OWN] = "SELECT event FROM own WHERE tenant=?1 AND id=?2",
    [SQ_R_OWN_ANY] = "SELECT own.event FROM tenant CROSS JOIN own ON own.tenant=tenant.no AND own.id=?1 WHERE tenant.deleted=0",
    [SQ_R_REV] = "SELECT conf FROM endpoint_rev WHERE endpoint=?1 AND rev=?2",
    [SQ_R_ENDPOINT_PAST] = "SELECT created,conf FROM endpoint WHERE no=?1 AND deleted=1",
    [SQ_R_BUILT] = "SELECT v FROM counter WHERE k=?1",
    [SQ_R_FAN_FIRST] = "SELECT first FROM fan ORDER BY event LIMIT 1",
    [SQ_R_RUN] = "SELECT n,nos FROM run WHERE kind=?1 AND run=?2 AND key=?3",
    [SQ_R_RUN_BELOW] = "SELECT run FROM run WHERE kind=?1 AND run<=?2 ORDER BY run DESC LIMIT 1",
    [SQ_R_RUN_FROM] = "SELECT run FROM run WHERE kind=?1 AND run>=?2 ORDER BY run LIMIT 1",
    [SQ_R_DOWN_A + SQ_RUN_EVENT] = "SELECT no,tenant FROM event WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_DOWN_A + SQ_RUN_DELIVERY] = "SELECT no,endpoint FROM queue WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_DOWN_A + SQ_RUN_ATTEMPT] = "SELECT no,endpoint FROM attempt WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_DOWN_B + SQ_RUN_EVENT] = "SELECT 0,0 WHERE 0",
    [SQ_R_DOWN_B + SQ_RUN_DELIVERY] = "SELECT no,endpoint FROM delivery WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_DOWN_B + SQ_RUN_ATTEMPT] = "SELECT 0,0 WHERE 0",
    [SQ_R_NEWEST + SQ_RUN_EVENT] = "SELECT max(no) FROM event",
    [SQ_R_NEWEST + SQ_RUN_DELIVERY] = "SELECT max(coalesce((SELECT max(no) FROM queue),0),coalesce((SELECT max(no) FROM delivery),0))",
    [SQ_R_NEWEST + SQ_RUN_ATTEMPT] = "SELECT max(no) FROM attempt",
    [SQ_R_OLDEST_FROM + SQ_RUN_EVENT] = "SELECT min(no) FROM event WHERE no>=?1",
    [SQ_R_OLDEST_FROM + SQ_RUN_DELIVERY] =
        "SELECT min(no) FROM (SELECT min(no) AS no FROM queue WHERE no>=?1 UNION ALL SELECT min(no) FROM delivery WHERE no>=?1)",
    [SQ_R_OLDEST_FROM + SQ_RUN_ATTEMPT] = "SELECT min(no) FROM attempt WHERE no>=?1",
    [SQ_R_COLLECT + SQ_RUN_EVENT] = "SELECT no,tenant FROM event WHERE no BETWEEN ?1 AND ?2",
    [SQ_R_COLLECT + SQ_RUN_DELIVERY] =
        "SELECT no,endpoint FROM queue WHERE no BETWEEN ?1 AND ?2 UNION ALL SELECT no,endpoint FROM delivery WHERE no BETWEEN ?1 AND ?2",
    [SQ_R_COLLECT + SQ_RUN_ATTEMPT] = "SELECT no,endpoint FROM attempt WHERE no BETWEEN ?1 AND ?2",
};
/* clang-format on */

int sq_statements_writer(sqlite3 *db, sqlite3_stmt **st)
{
    return sq_db_prepare(db, writer_sql, SQ_W_COUNT, st);
}

int sq_statements_reader(sqlite3 *db, sqlite3_stmt **st)
{
    return sq_db_prepare(db, reader_sql, SQ_R_COUNT, st);
}
