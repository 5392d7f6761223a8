/* Memory for secrets in clear text. It is not swapped out, not in core dumps, not in child processes, and
 * wiped when given back. */
#ifndef TH_BASE_SECRET_H
#define TH_BASE_SECRET_H
#include <stdbool.h>
#include <stddef.h>

#define TH_SECRET_MAX 4112 /* bytes of one: 4096 and a NUL */

/** Zeroed; NULL when there is no memory. Give it back with th_secret_free and the same size. Any thread. */
void *th_secret_alloc(size_t n);
/** Wipes and gives back; NULL is allowed. */
void th_secret_free(void *p, size_t n);
/** The number of secrets that have not been given back, for tests. */
size_t th_secret_count(void);
#endif
