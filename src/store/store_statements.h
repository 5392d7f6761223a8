/* The statements of the stores, by number: one table for the writer, one for the readers, one for statements
 * that run once. Their texts are in store_statements.def. */
#ifndef TH_STORE_STATEMENTS_H
#define TH_STORE_STATEMENTS_H
#include "port/store.h"
#include "store/store_build.h"

enum st_writer_statement {
    ST_W_BEGIN,
    ST_W_COMMIT,
    ST_W_PROBE,
    ST_W_EVENT,
    ST_W_EVENT_MORE,
    ST_W_QUEUE,
    ST_W_FAN_PUT,
    ST_W_FAN_GET,
    ST_W_FAN_AFTER,
    ST_W_FAN_QUEUED,
    ST_W_FAN_DEL,
    ST_W_PURGE_FAN,
    ST_W_OWN_GET,
    ST_W_OWN_PUT,
    ST_W_INBOX_DEL, /* where the database has an inbox */
    ST_W_IDEM_GET,
    ST_W_IDEM_PUT,
    ST_W_SAME_EVENT,
    ST_W_QUEUE_GET,
    ST_W_QUEUE_AGAIN,
    ST_W_QUEUE_DEL,
    ST_W_DELIVERY_PUT,
    ST_W_DELIVERY_GET,
    ST_W_DELIVERY_DEL,
    ST_W_ATTEMPT,
    ST_W_ATTEMPT_BATCH,
    ST_W_ATTEMPT_HEAD,
    ST_W_ATTEMPT_PREV,
    ST_W_QUEUE_LAST,
    ST_W_DELIVERY_LAST,
    ST_W_QUEUE_RETRY,
    ST_W_QUEUE_MARK,
    ST_W_DELIVERY_MARK,
    ST_W_REQUEUE,
    ST_W_ENDPOINT_GONE,
    ST_W_ERASED,
    ST_W_ERASE_NEXT,
    ST_W_ERASE_GET,
    ST_W_ERASE_COPIES_NEW,
    ST_W_ERASE_COPIES_LEFT,
    ST_W_ERASE_COPIES_WAITING,
    ST_W_ERASE_PUT,
    ST_W_ERASE_POS,
    ST_W_ERASE_EVENT,
    ST_W_ERASE_DATA,
    ST_W_ERASE_WAITING,
    ST_W_ERASE_MADE,
    ST_W_ERASE_BYTES,
    ST_W_ERASE_ATTEMPT,
    ST_W_ERASE_IDEM,
    ST_W_ERASING_PUT,
    ST_W_ERASING_NEXT,
    ST_W_ERASING_POS,
    ST_W_ERASING_DEL,
    ST_W_ERASING_EVENTS,
    ST_W_ERASING_IDEM,
    ST_W_ERASING_CIDEM,
    ST_W_PURGE_ERASURE,
    ST_W_TRIM_EVENTS,
    ST_W_TRIM_EVENT,
    ST_W_TRIM_FAN,
    ST_W_TRIM_ERASURE,
    ST_W_VERSION_GET,
    ST_W_VERSION_PUT,
    ST_W_TENANT_ID,
    ST_W_CIDEM_GET,
    ST_W_CIDEM_PUT,
    ST_W_ENDPOINT_REV,
    ST_W_PURGE_EVENTS,
    ST_W_PURGE_EARLIER,
    ST_W_PURGE_LASTS,
    ST_W_ATTEMPT_DEL,
    ST_W_PURGE_DROPPED,
    ST_W_PURGE_QUEUE,
    ST_W_PURGE_DELIVERY,
    ST_W_PURGE_EVENT,
    ST_W_PURGE_OWN,
    ST_W_PURGE_IDEM,
    ST_W_PURGE_CIDEM,
    ST_W_COUNTER,
    ST_W_USAGE_PUT,
    ST_W_USAGE_DEL,
    ST_W_ENDPOINT_TENANT,
    ST_W_ATTEMPT_BYTES,
    ST_W_PURGE_QUEUED,
    ST_W_PURGE_FANS,
    ST_W_PURGE_ANSWERS,
    ST_W_RUN_PUT,
    ST_W_ROLL_GET,
    ST_W_ROLL_PUT,
    ST_W_ROLL_DEL,
    ST_W_COUNTER_GET,
    ST_W_PURGE_UNROLLED,
    ST_W_ATTEMPT_ROLL,
    ST_W_RUN_OLDEST,
    ST_W_RUN_DEL,
    ST_W_ENCRYPTED, /* + enum th_encrypted_kind */
    ST_W_ENCRYPTED_PUT = ST_W_ENCRYPTED + TH_ENCRYPTED_KINDS,
    ST_W_ROW_PUT = ST_W_ENCRYPTED_PUT + TH_ENCRYPTED_KINDS, /* + enum th_row_kind */
    ST_W_ROW_DEL = ST_W_ROW_PUT + TH_ROW_META + 1,
    ST_W_CASCADE = ST_W_ROW_DEL + TH_ROW_META + 1, /* + 0 to ST_CASCADES - 1 */
    ST_W_COUNT = ST_W_CASCADE + 8
};
#define ST_CASCADE_TENANT                                                                                    \
    5 /* statements that follow the end of a tenant; the rest follow that of an endpoint */
#define ST_CASCADES 8

enum st_reader_statement {
    ST_R_BEGIN,
    ST_R_END,
    ST_R_LOAD,
    ST_R_WALK,
    ST_R_QUEUE_ONE,
    ST_R_QUEUE_MIN,
    ST_R_EVENT,
    ST_R_DELIVERY_QUEUED,
    ST_R_DELIVERY_ENDED,
    ST_R_EVENT_BELOW,
    ST_R_FIRST_FROM,
    ST_R_ATTEMPT,
    ST_R_ATTEMPT_PREV,
    ST_R_OWN,
    ST_R_OWN_ANY,
    ST_R_COPIES,
    ST_R_REV,
    ST_R_ENDPOINT_PAST,
    ST_R_BUILT,
    ST_R_FAN_FIRST,
    ST_R_RUN,
    ST_R_RUN_BELOW,
    ST_R_RUN_FROM,
    ST_R_DOWN_A,                              /* + kind: numbers and keys, newest first */
    ST_R_DOWN_B = ST_R_DOWN_A + ST_RUN_KINDS, /* + kind: the second table of a kind */
    ST_R_NEWEST = ST_R_DOWN_B + ST_RUN_KINDS, /* + kind */
    ST_R_OLDEST_FROM = ST_R_NEWEST + ST_RUN_KINDS,
    ST_R_COLLECT = ST_R_OLDEST_FROM + ST_RUN_KINDS,
    ST_R_ENDPOINT_TENANT = ST_R_COLLECT + ST_RUN_KINDS,
    ST_R_ROLL_AT,
    ST_R_ROLL_OLD,
    ST_R_ROLL_OF,
    ST_R_ROLL_FIRST,
    ST_R_ROLL_TAIL,
    ST_R_COUNT
};

enum st_once_statement {
    ST_O_NEXT_EVENT,
    ST_O_NEXT_DELIVERY,
    ST_O_NEXT_ATTEMPT,
    ST_O_USAGE,
    ST_O_USAGE_EVENTS,
    ST_O_USAGE_ATTEMPTS,
    ST_O_USAGE_QUEUE,
    ST_O_USAGE_FANS,
    ST_O_WAITING,
    ST_O_ENDPOINT_SETTINGS,
    ST_O_COUNT
};

/** The texts of one database; NULL where it has no such statement. */
struct st_texts {
    const char *const *writer, *const *reader, *const *once,
                                                   *const *settings; /* settings: by enum th_row_kind */
};
#endif
