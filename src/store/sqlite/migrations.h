/* The numbered steps that bring a database file to this program's form. Private to src/store. */
#ifndef TH_STORE_MIGRATIONS_H
#define TH_STORE_MIGRATIONS_H

#define SQ_BYTES_OF(column) "coalesce(length(CAST(" column " AS BLOB)),0)"
#define SQ_ATTEMPT_BYTES                                                                                     \
    SQ_BYTES_OF("sigs") "+" SQ_BYTES_OF("detail") "+" SQ_BYTES_OF("head") "+" SQ_BYTES_OF("body")

/** SQL that takes a file from version i to i + 1, for i from 0; th_store_migration_count of them. Static
 * memory. */
extern const char *const th_store_migrations[];
extern const int th_store_migration_count;
#endif
