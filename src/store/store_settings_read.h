/* Reads all settings rows of a database. */
#ifndef TH_STORE_SETTINGS_READ_H
#define TH_STORE_SETTINGS_READ_H
#include "port/store.h"
#include "store/store_statement.h"
#include "store/store_statements.h"

/** The row at which a statement of `settings` stands. Its texts are the statement's, until its next step. */
struct th_row st_settings_row(struct st_stmt *st, enum th_row_kind kind);
/** Calls back for each row, in the order of their kinds. ST_OK or the error. */
int st_settings_read(struct st_db *db, const struct st_texts *texts,
                     void (*row)(void *, const struct th_row *), void *ctx);
#endif
