/* libpq, which is loaded when the first address of a database is read: a server whose store is SQLite does not have
 * its memory and that of the libraries behind it. Whoever includes this calls libpq as its documentation says. */
#ifndef TH_STORE_POSTGRES_LIBPQ_H
#define TH_STORE_POSTGRES_LIBPQ_H
#include "base/error.h"
#include <libpq-fe.h>
#include <stddef.h>

/* All of libpq that is used; a function that is missing here or below does not compile or link. */
#define PG_LIBPQ_FUNCTIONS(X)                                                                                \
    X(PQclear)                                                                                               \
    X(PQcmdTuples)                                                                                           \
    X(PQconnectdbParams)                                                                                     \
    X(PQconninfoFree)                                                                                        \
    X(PQconninfoParse)                                                                                       \
    X(PQconsumeInput)                                                                                        \
    X(PQenterPipelineMode)                                                                                   \
    X(PQerrorMessage)                                                                                        \
    X(PQexec)                                                                                                \
    X(PQexecParams)                                                                                          \
    X(PQfinish)                                                                                              \
    X(PQflush)                                                                                               \
    X(PQfname)                                                                                               \
    X(PQfreemem)                                                                                             \
    X(PQgetResult)                                                                                           \
    X(PQgetisnull)                                                                                           \
    X(PQgetlength)                                                                                           \
    X(PQgetvalue)                                                                                            \
    X(PQisBusy)                                                                                              \
    X(PQnfields)                                                                                             \
    X(PQnotifies)                                                                                            \
    X(PQntuples)                                                                                             \
    X(PQpipelineSync)                                                                                        \
    X(PQputCopyData)                                                                                         \
    X(PQputCopyEnd)                                                                                          \
    X(PQresultErrorField)                                                                                    \
    X(PQresultErrorMessage)                                                                                  \
    X(PQresultStatus)                                                                                        \
    X(PQsendFlushRequest)                                                                                    \
    X(PQsendPrepare)                                                                                         \
    X(PQsendQueryParams)                                                                                     \
    X(PQsendQueryPrepared)                                                                                   \
    X(PQserverVersion)                                                                                       \
    X(PQsetClientEncoding)                                                                                   \
    X(PQsetNoticeReceiver)                                                                                   \
    X(PQsetnonblocking)                                                                                      \
    X(PQsocket)                                                                                              \
    X(PQstatus)                                                                                              \
    X(PQtransactionStatus)                                                                                   \
    X(PQunescapeBytea)

/* Where they are, once pg_libpq_load has returned TH_OK. Never changed after that. */
struct pg_libpq {
#define X(name) __typeof__(&name) at_##name;
    PG_LIBPQ_FUNCTIONS(X)
#undef X
};
extern struct pg_libpq pg_libpq;

/** Loads libpq, if that has not been done. TH_INVALID: it is not installed, or too old, with a reason. Any thread. */
TH_MUST_USE enum th_error pg_libpq_load(char *why, size_t why_size);

#define PQclear pg_libpq.at_PQclear
#define PQcmdTuples pg_libpq.at_PQcmdTuples
#define PQconnectdbParams pg_libpq.at_PQconnectdbParams
#define PQconninfoFree pg_libpq.at_PQconninfoFree
#define PQconninfoParse pg_libpq.at_PQconninfoParse
#define PQconsumeInput pg_libpq.at_PQconsumeInput
#define PQenterPipelineMode pg_libpq.at_PQenterPipelineMode
#define PQerrorMessage pg_libpq.at_PQerrorMessage
#define PQexec pg_libpq.at_PQexec
#define PQexecParams pg_libpq.at_PQexecParams
#define PQfinish pg_libpq.at_PQfinish
#define PQflush pg_libpq.at_PQflush
#define PQfname pg_libpq.at_PQfname
#define PQfreemem pg_libpq.at_PQfreemem
#define PQgetResult pg_libpq.at_PQgetResult
#define PQgetisnull pg_libpq.at_PQgetisnull
#define PQgetlength pg_libpq.at_PQgetlength
#define PQgetvalue pg_libpq.at_PQgetvalue
#define PQisBusy pg_libpq.at_PQisBusy
#define PQnfields pg_libpq.at_PQnfields
#define PQnotifies pg_libpq.at_PQnotifies
#define PQntuples pg_libpq.at_PQntuples
#define PQpipelineSync pg_libpq.at_PQpipelineSync
#define PQputCopyData pg_libpq.at_PQputCopyData
#define PQputCopyEnd pg_libpq.at_PQputCopyEnd
#define PQresultErrorField pg_libpq.at_PQresultErrorField
#define PQresultErrorMessage pg_libpq.at_PQresultErrorMessage
#define PQresultStatus pg_libpq.at_PQresultStatus
#define PQsendFlushRequest pg_libpq.at_PQsendFlushRequest
#define PQsendPrepare pg_libpq.at_PQsendPrepare
#define PQsendQueryParams pg_libpq.at_PQsendQueryParams
#define PQsendQueryPrepared pg_libpq.at_PQsendQueryPrepared
#define PQserverVersion pg_libpq.at_PQserverVersion
#define PQsetClientEncoding pg_libpq.at_PQsetClientEncoding
#define PQsetNoticeReceiver pg_libpq.at_PQsetNoticeReceiver
#define PQsetnonblocking pg_libpq.at_PQsetnonblocking
#define PQsocket pg_libpq.at_PQsocket
#define PQstatus pg_libpq.at_PQstatus
#define PQtransactionStatus pg_libpq.at_PQtransactionStatus
#define PQunescapeBytea pg_libpq.at_PQunescapeBytea

#endif
