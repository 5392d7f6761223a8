/* What can be said of a PostgreSQL database before a server uses it. */
#ifndef TH_STORE_POSTGRES_CHECK_H
#define TH_STORE_POSTGRES_CHECK_H
#include "base/error.h"
#include <stdbool.h>

enum th_postgres_verdict { TH_POSTGRES_OK, TH_POSTGRES_NOTE, TH_POSTGRES_FAIL };

/** Looks at a database and calls back for each thing: what was found, and what to do (NULL: nothing). Changes nothing. */
void th_store_postgres_check(const char *url, const char *password,
                             void (*say)(void *ctx, enum th_postgres_verdict, const char *found,
                                         const char *advice),
                             void *ctx);
#endif
