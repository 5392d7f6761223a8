/* The statements of the stores in SQLite's words. */
#ifndef TH_STORE_SQLITE_STATEMENTS_H
#define TH_STORE_SQLITE_STATEMENTS_H
#include "store/store_statements.h"

extern const struct st_texts sq_texts;
#endif
