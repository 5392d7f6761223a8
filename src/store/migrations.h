/* The numbered steps that bring a database file to this program's form. Private to src/store. */
#ifndef TH_STORE_MIGRATIONS_H
#define TH_STORE_MIGRATIONS_H

/** SQL that takes a file from version i to i + 1, for i from 0; th_store_migration_count of them. Static
 * memory. */
extern const char *const th_store_migrations[];
extern const int th_store_migration_count;
#endif
