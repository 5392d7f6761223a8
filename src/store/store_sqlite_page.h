/* Lists of the SQLite store. A reader's thread. */
#ifndef TH_STORE_SQLITE_PAGE_H
#define TH_STORE_SQLITE_PAGE_H
#include "store/store_sqlite_reader.h"

void sq_page(struct sq_reader *r, struct th_page *op);
/** Any thread. */
void sq_page_free(struct th_page *op);
#endif
