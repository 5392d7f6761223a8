/* Lists of the SQLite store. A reader's thread. */
#ifndef TH_STORE_PAGE_H
#define TH_STORE_PAGE_H
#include "store/store_reader.h"

void sq_page(struct sq_reader *r, struct th_page *op);
/** Any thread. */
void sq_page_free(struct th_page *op);
#endif
