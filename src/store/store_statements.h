/* The SQL of the SQLite store, one table for the writer and one for the readers. */
#ifndef TH_STORE_STATEMENTS_H
#define TH_STORE_STATEMENTS_H
#include "port/store.h"
#include "store/store_build.h"
#include <sqlite3.h>

enum sq_writer_statement {
    SQ_W_BEGIN,
    SQ_W_COMMIT,
    SQ_W_PROBE,
    SQ_W_EVENT,
    SQ_W_EVENT_MORE,
    SQ_W_QUEUE,
    SQ_W_FAN_PUT,
    SQ_W_FAN_GET,
    SQ_W_FAN_AFTER,
    SQ_W_FAN_QUEUED,
    SQ_W_FAN_DEL,
    SQ_W_PURGE_FAN,
    SQ_W_OWN_GET,
    SQ_W_OWN_PUT,
    SQ_W_IDEM_GET,
    SQ_W_IDEM_PUT,
    SQ_W_SAME_EVENT,
    SQ_W_QUEUE_GET,
    SQ_W_QUEUE_AGAIN,
    SQ_W_QUEUE_DEL,
    SQ_W_DELIVERY_PUT,
    SQ_W_DELIVERY_GET,
    SQ_W_DELIVERY_DEL,
    SQ_W_ATTEMPT,
    SQ_W_ATTEMPT_BATCH,
    SQ_W_ATTEMPT_HEAD,
    SQ_W_ATTEMPT_PREV,
    SQ_W_QUEUE_LAST,
    SQ_W_DELIVERY_LAST,
    SQ_W_QUEUE_RETRY,
    SQ_W_REQUEUE,
    SQ_W_ENDPOINT_GONE,
    SQ_W_ERASED,
    SQ_W_ERASE_NEXT,
    SQ_W_ERASE_GET,
    SQ_W_ERASE_PUT,
    SQ_W_ERASE_POS,
    SQ_W_ERASE_EVENT,
    SQ_W_ERASE_DATA,
    SQ_W_ERASE_WAITING,
    SQ_W_ERASE_MADE,
    SQ_W_ERASE_BYTES,
    SQ_W_ERASE_ATTEMPT,
    SQ_W_ERASE_IDEM,
    SQ_W_ERASING_PUT,
    SQ_W_ERASING_NEXT,
    SQ_W_ERASING_POS,
    SQ_W_ERASING_DEL,
    SQ_W_ERASING_EVENTS,
    SQ_W_ERASING_IDEM,
    SQ_W_ERASING_CIDEM,
    SQ_W_PURGE_ERASURE,
    SQ_W_VERSION_GET,
    SQ_W_VERSION_PUT,
    SQ_W_TENANT_ID,
    SQ_W_CIDEM_GET,
    SQ_W_CIDEM_PUT,
    SQ_W_ENDPOINT_REV,
    SQ_W_PURGE_EVENTS,
    SQ_W_PURGE_EARLIER,
    SQ_W_PURGE_LASTS,
    SQ_W_ATTEMPT_DEL,
    SQ_W_PURGE_DROPPED,
    SQ_W_PURGE_QUEUE,
    SQ_W_PURGE_DELIVERY,
    SQ_W_PURGE_EVENT,
    SQ_W_PURGE_OWN,
    SQ_W_PURGE_IDEM,
    SQ_W_PURGE_CIDEM,
    SQ_W_COUNTER,
    SQ_W_USAGE_PUT,
    SQ_W_USAGE_DEL,
    SQ_W_ENDPOINT_TENANT,
    SQ_W_ATTEMPT_BYTES,
    SQ_W_PURGE_QUEUED,
    SQ_W_PURGE_FANS,
    SQ_W_PURGE_ANSWERS,
    SQ_W_RUN_PUT,
    SQ_W_RUN_OLDEST,
    SQ_W_RUN_DEL,
    SQ_W_ENCRYPTED, /* + enum th_encrypted_kind */
    SQ_W_ENCRYPTED_PUT = SQ_W_ENCRYPTED + TH_ENCRYPTED_KINDS,
    SQ_W_ROW_PUT = SQ_W_ENCRYPTED_PUT + TH_ENCRYPTED_KINDS, /* + enum th_row_kind */
    SQ_W_ROW_DEL = SQ_W_ROW_PUT + TH_ROW_META + 1,
    SQ_W_CASCADE = SQ_W_ROW_DEL + TH_ROW_META + 1, /* + 0 to SQ_CASCADES - 1 */
    SQ_W_COUNT = SQ_W_CASCADE + 8
};
#define SQ_CASCADE_TENANT                                                                                    \
    5 /* statements that follow the end of a tenant; the rest follow that of an endpoint */
#define SQ_CASCADES 8

enum sq_reader_statement {
    SQ_R_BEGIN,
    SQ_R_END,
    SQ_R_LOAD,
    SQ_R_WALK,
    SQ_R_QUEUE_ONE,
    SQ_R_QUEUE_MIN,
    SQ_R_EVENT,
    SQ_R_DELIVERY_QUEUED,
    SQ_R_DELIVERY_ENDED,
    SQ_R_EVENT_BELOW,
    SQ_R_FIRST_FROM,
    SQ_R_ATTEMPT,
    SQ_R_ATTEMPT_PREV,
    SQ_R_OWN,
    SQ_R_OWN_ANY,
    SQ_R_REV,
    SQ_R_ENDPOINT_PAST,
    SQ_R_BUILT,
    SQ_R_FAN_FIRST,
    SQ_R_RUN,
    SQ_R_RUN_BELOW,
    SQ_R_RUN_FROM,
    SQ_R_DOWN_A,                              /* + kind: numbers and keys, newest first */
    SQ_R_DOWN_B = SQ_R_DOWN_A + SQ_RUN_KINDS, /* + kind: the second table of a kind */
    SQ_R_NEWEST = SQ_R_DOWN_B + SQ_RUN_KINDS, /* + kind */
    SQ_R_OLDEST_FROM = SQ_R_NEWEST + SQ_RUN_KINDS,
    SQ_R_COLLECT = SQ_R_OLDEST_FROM + SQ_RUN_KINDS,
    SQ_R_COUNT = SQ_R_COLLECT + SQ_RUN_KINDS
};

/** Prepares all of them into st[]. Returns an SQLite code. */
int sq_statements_writer(sqlite3 *db, sqlite3_stmt **st);
int sq_statements_reader(sqlite3 *db, sqlite3_stmt **st);
#endif
