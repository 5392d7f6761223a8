/* The statements of the stores in PostgreSQL's words. */
#ifndef TH_STORE_POSTGRES_STATEMENTS_H
#define TH_STORE_POSTGRES_STATEMENTS_H
#include "store/store_statements.h"

extern const struct st_texts pg_texts;
#endif
