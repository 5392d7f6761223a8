/* The tables of the PostgreSQL store: numbered steps, and a partition for each day. */
#ifndef TH_STORE_POSTGRES_SCHEMA_H
#define TH_STORE_POSTGRES_SCHEMA_H
#include "base/map.h"
#include "store/postgres/postgres_db.h"

/** Brings the schema to this program's form, while other nodes that start wait. TH_INVALID: it was made by a
 * newer program next to which this one cannot work. With a reason. */
TH_MUST_USE enum th_error pg_schema_raise(const struct pg_address *address, char *why, size_t why_size);

/** Whether the content is the beginning of a copy (postgres_copy.c), which nobody may use. */
bool pg_schema_is_partial(struct pg_db *db);

/** The days that have partitions, as far as they are known: th_map of day + 1. */
enum th_error pg_schema_days(struct pg_db *db, struct th_map *days);
/** Makes the partitions of a day and of the next days. Outside of a transaction. */
enum th_error pg_schema_add_day(struct pg_db *db, struct th_map *days, uint64_t day);
/** Drops empty partitions below a day. Outside of a transaction; a partition that is in use stays until
 * later. */
void pg_schema_drop_days(struct pg_db *db, struct th_map *days, uint64_t below);
#endif
