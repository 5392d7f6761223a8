/* Built into the binary: packaging/sql/inbox.sql. Made by cmake/embed_sql_script.cmake. */
#ifndef TH_CLI_EMBEDDED_SQL_H
#define TH_CLI_EMBEDDED_SQL_H
extern const char th_embedded_inbox_sql[];
#endif
