/* Reads lists. On a reader's thread. */
#ifndef TH_STORE_PAGE_H
#define TH_STORE_PAGE_H
#include "store/store_reader.h"

void st_page(struct st_reader *r, struct th_page *op);
/** Any thread. */
void st_page_free(struct th_page *op);
#endif
